"""Say what the desk asks of a broker and what it gets back.

A broker is a plain class that turns an `OrderRequest` into a `Receipt` or raises one of the three
errors below; anything else it raises counts as `Uncertain`. This module knows no venue, no alert
and no strategy, and imports nothing of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Protocol

ZERO = Decimal(0)


class Refused(Exception):
    """The broker said no: the order certainly was not placed. `code` is ours, `message` the broker's."""

    def __init__(self, message: str, code: str = "REFUSED") -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class Unreachable(Exception):
    """The request provably never left this machine."""


class Uncertain(Exception):
    """The order may or may not exist: it must be looked up, never sent again."""


@dataclass(frozen=True, slots=True)
class Instrument:
    """What can be traded at a venue under one name, with the rules its orders must keep."""

    symbol: str
    """The venue's own name."""
    kind: str
    """spot, linear, futures, equity or forex."""
    base: str = ""
    quote: str = "USD"
    root: str = ""
    """The product of a future (`MES`), else empty."""
    is_continuous: bool = False
    point_value: Decimal = Decimal(1)
    """Money per contract for a move of one whole price point."""
    tick: Decimal | None = None
    """The price step; None where prices are not stepped."""
    step: Decimal = Decimal("0.00000001")
    min_quantity: Decimal = ZERO
    min_notional: Decimal = ZERO
    is_micro: bool = False
    last_day: date | None = None
    """The last trading day of a dated contract: on it nothing is opened any more."""
    note: str = ""
    """What a plain name was taken to mean here, for a warning."""

    @property
    def may_short(self) -> bool:
        """Whether a position below zero is possible: never on spot and equities."""
        return self.kind not in ("spot", "equity")


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """One order as the broker must place it; prices and quantity already keep the instrument's steps."""

    client_id: str
    instrument: Instrument
    side: str
    """buy or sell."""
    quantity: Decimal
    order_type: str = "market"
    """market, limit, stop or stop_limit."""
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    reduces: bool = False
    """True for whatever may only make a position smaller: send it reduce-only where the venue can."""


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution. `trade_id` is the venue's and unique there; `fee` is positive when paid."""

    trade_id: str
    client_id: str
    side: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_coin: str
    at: int
    """Milliseconds since 1970, UTC."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is known of an order now.

    `status` is one of accepted, filled, partly_filled (dead with less than asked), cancelled,
    expired, refused, unreached, unknown, absent. `filled` is cumulative; `fills` are the executions
    behind it as far as they were read, and may repeat ones that were told before.
    """

    client_id: str
    status: str
    broker_id: str | None = None
    filled: Decimal = ZERO
    average_price: Decimal | None = None
    fills: tuple[Fill, ...] = ()
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What an account holds at one moment: signed positions by symbol, working orders, equity."""

    positions: tuple[tuple[str, Decimal], ...] = ()
    working: tuple[Receipt, ...] = ()
    equity: Decimal | None = None


class Broker(Protocol):
    """What every broker can do. `can` tells the desk which of a venue's tools it may count on."""

    can: frozenset[str]
    """Of: local, reduce_only, stop, oco, bracket, locks_balance, authoritative_lookup."""
    poll_seconds: float

    def instrument(self, symbol: str) -> Instrument:
        """Return the rules of `symbol` (a TradingView spelling). Raises `Refused` where it is unknown."""

    def price(self, symbol: str) -> Decimal | None:
        """Return the last price, or None where the venue does not tell."""

    def place_order(self, request: OrderRequest) -> Receipt:
        """Open with one order. Raises `Refused`, `Unreachable` or `Uncertain`."""

    def close(self, request: OrderRequest) -> Receipt:
        """Reduce with one order, never beyond the position. Raises as `place_order`."""

    def protect(self, requests: tuple[OrderRequest, ...]) -> tuple[Receipt, ...]:
        """Place a stop, a target, or both linked where the venue can. Raises as `place_order`."""

    def cancel(self, request: OrderRequest) -> Receipt:
        """Cancel a working order and return its final state."""

    def find_order(self, request: OrderRequest) -> Receipt:
        """Look an order up by its client id; status `absent` where the venue certainly has none."""

    def fills(self, since: int) -> tuple[Fill, ...]:
        """Return the executions since a time in milliseconds."""

    def snapshot(self) -> Snapshot:
        """Return positions, working orders and equity as they are now."""


class Terms(Protocol):
    """What a simulated account is told about itself; a cost that is None is the usual one."""

    @property
    def currency(self) -> str:
        """Of cash and profit."""

    @property
    def market(self) -> str | None:
        """What a plain name is: spot, linear, futures or equity."""

    @property
    def fee_bp(self) -> Decimal | None:
        """The fee in hundredths of a percent of the notional."""

    @property
    def slippage_bp(self) -> Decimal | None:
        """The slippage in hundredths of a percent of the price."""

    @property
    def fee_per_contract(self) -> Decimal | None:
        """The fee for one contract of a future."""

    @property
    def slippage_ticks(self) -> Decimal | None:
        """The slippage in ticks of a future."""

    @property
    def leverage(self) -> Decimal | None:
        """How many times its margin a position may be worth."""


class Rows(Protocol):
    """The state a simulated account lives in, as its simulator reads it."""

    now: int

    def price(self, symbol: str) -> Decimal | None:
        """Return the last price seen of an instrument."""

    def free_cash(self) -> Decimal:
        """Return cash less the margin in use, with open profit and loss of margined positions."""


class LocalBroker(Broker, Protocol):
    """A broker that lives in this process and is asked inside the transaction."""

    def touch(self, request: OrderRequest, is_awake: bool, price: Decimal) -> Receipt | None:
        """Let a resting order meet a price; None where nothing happens to it."""

    def cash_change(self, instrument: Instrument, fill: Fill, realized: Decimal) -> Decimal:
        """Return what a fill does to the account's cash; `realized` is its gross profit or loss."""

    def margin(self, instrument: Instrument, quantity: Decimal, price: Decimal) -> Decimal:
        """Return the cash that a position ties up; zero where it was paid in full."""
