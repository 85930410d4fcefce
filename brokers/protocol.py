"""Say what the desk asks of a broker and what it gets back.

A broker is a plain class that turns an `OrderRequest` into a `OrderReport` or raises one of the three
errors below; anything else it raises counts as `Uncertain`. This module knows no venue, no alert
and no strategy, and imports nothing of ours.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Protocol

ZERO = Decimal(0)
THROTTLED, CROSSED, KEYS_REFUSED, FILTER = "THROTTLED", "CROSSED", "KEYS_REFUSED", "FILTER"
"""Codes of a refusal the desk acts on: too many requests; the price has already passed the level of a stop
or target; the venue does not accept our credentials; the order breaks a rule of the instrument."""
MARKET_CLOSED = "MARKET_CLOSED"
"""The venue does not trade the instrument now."""
HEDGE_MODE, HEDGE_UNKNOWN = "HEDGE_MODE", "HEDGE_UNKNOWN"
"""The account holds both sides apart, or could not be asked: nothing is opened there (rules 3.10)."""
LOGIN_REFUSED = "LOGIN_REFUSED"
"""The venue does not let these credentials log in: nobody tries again for an hour (rules 8.4)."""
HALTING = frozenset({KEYS_REFUSED, HEDGE_MODE})
"""What halts the account's opening orders until somebody acts. HEDGE_UNKNOWN denies one order alone."""
MARKET_MISMATCH, DATED_SYMBOL_NEEDED = "MARKET_MISMATCH", "DATED_SYMBOL_NEEDED"
"""The account trades another market than the symbol names (rules 5.4); only a dated contract has levels of
its own there (rules 5.3)."""
EQUITY_UNKNOWN = "EQUITY_UNKNOWN"
INSUFFICIENT_BALANCE, UNSUPPORTED = "INSUFFICIENT_BALANCE", "UNSUPPORTED"
SYMBOL_UNKNOWN, NOT_PERMITTED, REGION_BLOCKED = "SYMBOL_UNKNOWN", "NOT_PERMITTED", "REGION_BLOCKED"
CLOCK, DUPLICATE, UNCHANGED = "CLOCK", "DUPLICATE", "UNCHANGED"
"""Between a broker and its calls: the time is off; the client id is taken; it is set so already."""
ORDER_UNKNOWN, ORDER_GONE, ORDER_ARCHIVED = "ORDER_UNKNOWN", "ORDER_GONE", "ORDER_ARCHIVED"
"""Of a look-up or a cancel: no such order; it works no more; it ended long ago, unfilled."""
WRONG_ORDER = "WRONG_ORDER"
"""The code of a doubt the desk acts on: a venue answered about another order than the one asked for."""


class BrokerRefused(Exception):
    """The broker said no: the order certainly was not placed. `code` is ours, `message` the broker's.

    `retry_after` are the seconds until the venue listens again, where it said so.
    """

    def __init__(
        self, message: str, code: str = "REFUSED", retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.retry_after = retry_after


class Unreachable(Exception):
    """The request provably never left this machine."""


class Uncertain(Exception):
    """The order may or may not exist: it must be looked up, never sent again."""

    def __init__(self, message: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


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
    """A chart made of many contracts: only the simulator trades one. At a venue it is resolved to one."""
    point_value: Decimal = Decimal(1)
    """Money per contract for a move of one whole price point."""
    tick: Decimal | None = None
    """The price step; None where prices are not stepped."""
    step: Decimal = Decimal("0.00000001")
    min_quantity: Decimal = ZERO
    min_notional: Decimal = ZERO
    max_market_quantity: Decimal | None = None
    """The most the venue takes in one market order; None where it does not say."""
    market_step: Decimal | None = None
    """The step of market orders, where it is another than `step`."""
    is_micro: bool = False
    fee_in_kind: Decimal = ZERO
    """What part of a purchase the venue keeps as its fee, where it takes that from what was bought."""
    contract: str = ""
    """One contract of a future as TradingView spells it (`MESZ2026`), else empty."""
    last_day: date | None = None
    """The last trading day of a dated contract: on it nothing is opened any more."""
    roll_day: date | None = None
    """From this day a dated contract should be left: its end or its first notice is near."""
    note: str = ""
    """What a plain name was taken to mean here, for a warning."""

    @property
    def smallest(self) -> Decimal:
        """The smallest quantity that can be ordered."""
        return max(self.step, self.min_quantity)

    @property
    def holding(self) -> str:
        """The name under which a snapshot lists what is held: the coin on spot, else the symbol."""
        return self.base if self.kind == "spot" and self.base else self.symbol

    @property
    def counts_units(self) -> bool:
        """Whether a bare size can only be contracts or shares, never money."""
        return self.kind in ("futures", "equity")

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
    quote_quantity: Decimal | None = None
    """Spend this much of the quote coin instead of buying `quantity`, at the market (capability cash)."""
    legs: tuple[OrderRequest, ...] = ()
    """A stop and a target that the venue works once this entry has filled (`capabilities`: bracket)."""
    parent_id: str = ""
    """The client id of the entry whose leg this order is, where the venue made it by itself and gave it no
    client id of its own: it is found by its parent (rules 1.2)."""
    amended_from: Decimal | None = None
    """What the order asked for before a change to `quantity` of which it is not known whether it was carried
    out: an order with either is this one, and the report says which (`OrderReport.quantity`)."""


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution. `trade_id` is the venue's and unique there; `fee` is positive when paid."""

    fill_id: str
    client_id: str
    side: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_coin: str
    at: int
    """Milliseconds since 1970, UTC."""


@dataclass(frozen=True, slots=True)
class Funding:
    """What a perpetual was paid or cost for being held: once in some hours, by no order of anybody."""

    funding_id: str
    """The venue's, unique on the account."""
    symbol: str
    """The venue's own name of the instrument, as in `Instrument.symbol`."""
    amount: Decimal
    """Positive when received."""
    coin: str
    at: int
    """Milliseconds since 1970, UTC."""


@dataclass(frozen=True, slots=True)
class OrderReport:
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
    retry_after: float | None = None
    """Seconds until the venue listens again, where it refused because of too many requests."""
    quantity: Decimal | None = None
    """What the order asks for in all, where the venue tells; counted on for an order that was amended and for
    a leg that the venue made and sized itself."""
    linked: tuple[OrderReport, ...] = ()
    """What the same answer said of orders that the venue links to this one."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What an account holds at one moment."""

    positions: Mapping[str, Decimal] = field(default_factory=dict)
    """Signed quantities by `Instrument.holding`, what working orders lock included; zero may be left out."""
    working: tuple[OrderReport, ...] = ()
    """Every working order with its client id, and what of it has filled."""
    equity: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """What a venue says of an account when it is asked; None where it does not tell."""

    may_trade: bool | None = None
    may_withdraw: bool | None = None
    clock_offset_ms: int | None = None
    """The venue's clock less ours. Beside a problem it says that the venue was reached and understood."""
    position_mode: str | None = None
    balance: Mapping[str, Decimal] = field(default_factory=dict)
    key_valid: bool | None = None
    """False where the venue answered that it does not accept the credentials."""
    problem: str | None = None
    """Why it could not be asked: unreachable, keys refused, and what to do."""


@dataclass(frozen=True, slots=True)
class VenueFacts:
    """What a venue is, before anybody calls it: the settings are checked by it, the desk counts on it."""

    needs: tuple[str, ...]
    """The credentials of an account, by the names of their variables."""
    markets: tuple[str, ...]
    """What can be traded there; where it is one, an account need not say so."""
    currency: str
    """What an account settles in, where its settings do not say otherwise; empty: they always say it."""
    live_hosts: tuple[str, ...]
    """Where orders are real money: no sandbox may send there."""
    capabilities: frozenset[str]
    """Of: local (lives in this process), reduce_only, oco (`protect` links its two orders), bracket (an entry
    carries `legs`), cash (an entry may spend `quote_quantity`), locks_balance (working orders lock what they
    sell), no_stops (it takes no stop order: an entry with one is denied), prices (`PricesTold`), funding
    (`FundingTold`), amend (`Amends`), attached (with bracket: the legs exist whatever part of an entry has
    filled, in its size, one alone too, and a market entry carries them where their levels are prices)."""
    poll_seconds: float
    """The shortest pause between two snapshots that leaves half of the venue's quota to orders."""
    takes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By market: which of the account's settings leverage, margin, account and host the broker obeys there,
    and `demo` where `sandbox: demo` is a system of its own. What is not named is refused at the start."""
    exchanges: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What `exchange` may be, with its markets; empty: the broker is one venue and the setting is refused."""
    default_market: str = ""
    """What an account trades that does not say so, where there are several; empty: it must say so."""
    optional: tuple[str, ...] = ()
    """Credentials that only some accounts have, by the names of their variables: read where they are set."""
    mixes: bool = False
    """Whether one account trades all `markets`; none has to be named."""
    instead: tuple[str, ...] = ()
    """Those of `optional` of which one alone stands for all that it `needs`."""
    note: str = ""
    """What the venue forbids: said once at each start."""


class Connection(Protocol):
    """What a broker is told about the account it works for."""

    @property
    def market(self) -> str | None:
        """spot, linear, futures or equity; None: the broker's only one."""

    @property
    def sandbox(self) -> bool | str:
        """Whether to use the venue's own test system; `demo` is as true as true."""

    @property
    def is_demo(self) -> bool:
        """Whether that test system is the venue's demo trading (`sandbox: demo`)."""

    @property
    def leverage(self) -> Decimal | None:
        """What to set before an instrument's first entry; None: nothing is changed at the venue."""

    @property
    def margin(self) -> str | None:
        """Set cross or isolated likewise; None: nothing is changed at the venue."""

    @property
    def account(self) -> str | None:
        """The venue's own number or name of the account; None where the credentials have only one."""

    @property
    def host(self) -> str | None:
        """Which of a venue's two systems holds the account, live or demo; None: `sandbox` says it."""

    @property
    def exchange(self) -> str | None:
        """Which of `VenueFacts.exchanges` the account is at."""

    @property
    def roll_days(self) -> int | None:
        """How many business days before its end a future's month is left; None: as its market does."""

    @property
    def base_url(self) -> str | None:
        """Scheme and host of every call instead of the venue's own."""

    @property
    def credentials(self) -> Mapping[str, str]:
        """What `VenueFacts.needs` and `optional` name, by those names; never to be shown."""


class Broker(Protocol):
    """What every broker can do."""

    facts: VenueFacts

    @property
    def rest_seconds(self) -> float:
        """How long a read should wait by what the venue says was used; 0.0 where it does not say."""

    def open(self) -> None:
        """Open the connection ahead, so that the next order costs one round trip. Raises nothing."""

    def instrument(self, symbol: str) -> Instrument:
        """Return the rules of a TradingView symbol. Raises `BrokerRefused` where it is unknown."""

    def price(self, symbol: str) -> Decimal | None:
        """Return the last price, or None where the venue does not tell it within half a second.

        It decides what limits of money say, so it is never taken from anywhere else. Raises nothing.
        """

    def place_order(self, request: OrderRequest) -> OrderReport:
        """Open with one order. Raises `BrokerRefused`, `Unreachable` or `Uncertain`.

        Where an account can hold both sides apart, the broker makes sure first that it does not, and sets
        the configured leverage and margin, once per instrument (`wire.preparation`).
        """

    def close(self, request: OrderRequest) -> OrderReport:
        """Reduce with one order, never beyond the position. Raises as `place_order`."""

    def protect(self, requests: tuple[OrderRequest, ...]) -> tuple[OrderReport, ...]:
        """Place a stop and a target that end one another (`capabilities`: oco). Raises as `place_order`."""

    def cancel(self, request: OrderRequest) -> OrderReport:
        """Cancel a working order and return its final state."""

    def find_order(self, request: OrderRequest) -> OrderReport:
        """Look an order up by its client id; status `absent` where the venue certainly has none."""

    def fills(self, since: int, symbols: Iterable[str]) -> tuple[Fill, ...]:
        """Return the executions since a time in milliseconds, each with the client id of its order.

        `symbols` are the venue's names of the instruments that are asked for; more may be told.
        """

    def snapshot(self) -> Snapshot:
        """Return positions, working orders and equity as they are now."""

    def check(self) -> Check:
        """Ask whether the keys are good and what they may do. Raises nothing."""


class PricesTold(Broker, Protocol):
    """A broker whose venue tells many prices in one request (`capabilities`: prices)."""

    def prices(self, symbols: Collection[str]) -> Mapping[str, Decimal]:
        """Return the last price of each of the venue's own names; what it does not tell is left out."""


class FundingTold(Broker, Protocol):
    """A broker whose venue charges and pays funding (`capabilities`: funding)."""

    def funding(self, since: int) -> tuple[Funding, ...]:
        """Return what was charged and paid since a time in milliseconds. Raises as `find_order`."""


class Amends(Broker, Protocol):
    """A broker whose venue changes a working order in its place (`capabilities`: amend)."""

    def amend(self, request: OrderRequest) -> OrderReport:
        """Give a working order the quantity of the request, under the client id it has.

        What it was before is in `amended_from`. `BrokerRefused` means that it stands as it was, or works no
        more: what became of it is a matter of `find_order`. After `Uncertain` it may be either. Raises as
        `place_order`.
        """
