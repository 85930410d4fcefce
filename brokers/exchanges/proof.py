"""Say what was proven of one market of one exchange, and what its requests must then carry.

A shape is a table from a field of the request to what must stand there: a word, or one of the marks in
braces. Nothing here knows the library, and nothing is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from brokers.protocol import OrderRequest

Shape = Mapping[str, str]
"""By the field's path (`put.amount`): a word, or a mark that `fill_in` knows, like {quantity}."""
NOTHING: Mapping[str, Any] = MappingProxyType({})
MARKET, LIMIT, STOP, TARGET = "market", "limit", "stop", "target"
BY_ID: Mapping[str, Any] = {"clientOrderId": "{id}"}
KINDS = (MARKET, LIMIT, STOP, TARGET)
"""What an order is here; a target is a limit order that reduces."""


@dataclass(frozen=True, slots=True)
class Look:
    """One way to find an order: a method of the library and the parameters that name the order."""

    method: str
    params: Mapping[str, Any] = field(default_factory=dict)
    is_list: bool = False

    @property
    def is_filtered(self) -> bool:
        """Whether only the order that is asked for may be in the list."""
        return self.is_list and "{id}" in self.params.values()


@dataclass(frozen=True, slots=True)
class Proof:
    """What one market of one exchange is proven for. What is not said here is refused."""

    exchange: str
    """As in config.yaml."""
    title: str
    market: str
    library: str
    """The library's own name, where its markets are two."""
    host: str
    """Where orders are real."""
    every: Shape
    """What each order carries: whose it is, what, which side, how much."""
    kinds: Mapping[str, Shape]
    """What an order of a kind carries besides; of the plain kinds those that are missing are not proven."""
    market_buys: bool = True
    """Whether an order at the market may buy; where its size would be an amount of money, it only sells."""
    reduces: Shape = field(default_factory=dict)
    """What makes an order reduce-only; empty on spot."""
    stop_replaces: tuple[str, ...] = ()
    """Fields of `every` that a stop does not have: its shape says them in another place."""
    id_form: str = "plain"
    """How a client id is written: see `client_ids`."""
    id_param: str = "clientOrderId"
    adds_prefix: bool = False
    """Whether the library itself puts `t-` before the id of all but a stop."""
    stop_id_param: str = ""
    """Where a stop carries it as well, in a place of its own."""
    id_fields: tuple[str, ...] = ("clientOrderId",)
    """Where the venue's own answers have it."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """Sent with each order."""
    stop_params: Mapping[str, Any] = field(default_factory=dict)
    stop_price_param: str = "stopLossPrice"
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of the library that spare it every question inside an order."""
    looks: tuple[Look, ...] = ()
    stop_looks: tuple[Look, ...] = ()
    """Where an order is found, in this order; empty for stops: where the others are."""
    child_field: str = ""
    """Where a triggered stop names the order it became, if it becomes another."""
    cancel_params: Mapping[str, Any] | None = None
    """How an order is cancelled by our id; None: by the venue's, which is looked up first."""
    stop_cancel_params: Mapping[str, Any] | None = None
    stop_cancels: Mapping[str, Any] = field(default_factory=dict)
    """What a stop's cancel by the exchange's name carries besides."""
    open_lists: tuple[Mapping[str, Any], ...] = (NOTHING,)
    """The lists that together have every working order."""
    lists_by_symbol: bool = False
    """Whether the venue lists working orders for one symbol at a time only."""
    balance_params: Mapping[str, Any] = field(default_factory=dict)
    position_params: Mapping[str, Any] = field(default_factory=dict)
    has_nonce: bool = False
    """Whether each call must be numbered higher than the last: nothing may be sent twice as it is."""
    wants_decimals: bool = False
    """Whether the library reckons with the size instead of writing it down."""
    page: int = 100
    """How many executions one answer has at most."""
    digits: int = 0
    """How many significant digits a price may have where it is no whole number; 0: the tick says it all."""
    needs_price: bool = False
    """Whether a market order has to name the worst price it may fill at."""
    needs_passphrase: bool = False
    keys: tuple[str, str] = ("apiKey", "secret")
    """What the library calls the two credentials."""
    mode: str = ""
    """How the position mode is read (`modes`); empty: the venue has only one."""
    mode_params: Mapping[str, Any] = field(default_factory=dict)
    markets_method: str = "fetch_markets"
    """What loads this market alone."""
    markets_params: Mapping[str, Any] = field(default_factory=dict)
    loads_coins: bool = False
    """Whether names of coins have to be loaded too, to know a balance by them."""
    sandbox: str = ""
    """host or header: what the test system changes; empty: it has none that was seen."""
    sandbox_host: str = ""
    currency: str = "USDT"
    poll_seconds: float = 5.0
    envelope: tuple[str, ...] = ()
    """What each answer that is no error has; an answer without it says nothing."""
    tells_average: bool = True
    """Whether an order that has filled says at what price; else its executions do."""
    crossed_marks: tuple[str, ...] = ()
    """Marks in an error that say that the price has passed the level of a stop."""
    doubt_marks: tuple[str, ...] = ()
    """Marks in an error that the library takes for a reason, and that say nothing of the order."""
    refused_marks: tuple[str, ...] = ()
    """Marks in an error that the library does not place, and that certainly mean no."""
    notes: str = ""
    """For the table of exchanges: what is different here."""
    limits: Mapping[str, str] = field(default_factory=dict)
    """Why a kind is not proven, by the kind."""

    @property
    def name(self) -> str:
        """The exchange and its market, for a sentence."""
        return f"{self.title} {'perpetuals' if self.market == 'linear' else 'spot'}"


@dataclass(frozen=True, slots=True)
class Sent:
    """An order in the exchange's words."""

    symbol: str
    client_id: str
    size: Decimal
    """Contracts or coins."""
    asset: str = ""
    """The market's number, where it has one besides its name."""


def kind_of(request: OrderRequest) -> str:
    """Return which of the kinds an order is; `stop_limit` is none that was proven anywhere."""
    if request.order_type == LIMIT and request.reduces:
        return TARGET
    return request.order_type


def shape_of(proof: Proof, request: OrderRequest) -> dict[str, str] | None:
    """Return all that an order must carry, or None where its kind is not proven."""
    kind = kind_of(request)
    if kind == MARKET and request.side == "buy" and not proof.market_buys:
        return None
    found = proof.kinds.get(LIMIT if kind == TARGET else kind)
    if found is None:
        return None
    left_out = proof.stop_replaces if kind == STOP else ()
    shape = {name: value for name, value in proof.every.items() if name not in left_out}
    shape.update(found)
    if request.reduces and kind != STOP:
        shape.update(proof.reduces)
    return shape


def fill_in(template: str, request: OrderRequest, sent: Sent) -> str | Decimal:
    """Return what must stand in a field; numbers as numbers."""
    size = sent.size
    signed = size if request.side == "buy" else -size
    values: dict[str, str | Decimal | None] = {
        "{id}": sent.client_id,
        "{symbol}": sent.symbol,
        "{asset}": sent.asset,
        "{side}": request.side,
        "{SIDE}": request.side.upper(),
        "{is_buy}": "true" if request.side == "buy" else "false",
        "{quantity}": size,
        "{signed}": signed,
        "{limit}": request.limit_price,
        "{stop}": request.stop_price,
        "{down}": "down" if request.side == "sell" else "up",
        "{rule}": "2" if request.side == "sell" else "1",
    }
    found = values.get(template, template)
    return "" if found is None else found
