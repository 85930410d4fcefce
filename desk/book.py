"""Hold one instrument on one account: its shares, what they wish for, its orders.

Opening is an event, reducing is a state. An opening order is put here once, by `decide`. Everything that
reduces or protects is a wish on the share (`keep`, `exit`, `stop`, `target`); `plan` compares the wishes with
the orders and names the next step. Pure: no clock, no venue, no database. Every function returns a new
book; what changed stands in its `journal`, for the store to write in the same commit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from brokers.protocol import Fill, Instrument
from desk.evolve import evolve
from desk.identity import client_order_id
from desk.layered import Layered
from desk.ledger import Lot, Position, Trade
from parsers.alert import Level

ZERO = Decimal(0)
ENTRY, EXIT, STOP_LOSS, TAKE_PROFIT = "entry", "exit", "stop_loss", "take_profit"
KEEP = "keep"
"""The wish behind an exit at the market; every other reducing order is named as its wish."""
FILLS = frozenset({"trade", "stop_filled", "target_filled"})
"""The events of what was executed."""
LIVE = frozenset({"pending", "unreached", "accepted", "unknown"})
"""The states of an order that may still trade."""
LOOK_UPS = (2_000, 3_000, 5_000, 10_000, 10_000, 60_000)
"""Milliseconds between look-ups of an unknown order: after 2, 5, 10, 20, 30 s, then every minute."""
LOSSES_AT_ONCE = 5
FORGIVEN_MS = 600_000
PURSUIT_CEILING = 400_000
"""The longest pause between two attempts at a wish: under twenty attempts in any hour."""


@dataclass(frozen=True, slots=True)
class Cause:
    """The alert behind an order or a wish: its id, its number, when it fired and the side it stated.

    `body` numbers the delivery: the elements of one array share it.
    """

    alert_id: str = ""
    seq: int = 0
    body: int = 0
    fired_at: int | None = None
    stated: str | None = None
    guard: str = ""
    """stop_loss or take_profit where the desk closes because that one could not stand."""


NOBODY = Cause()


@dataclass(frozen=True)
class Order:
    """One order of ours, from the moment it was decided until it is final.

    `ends` is the wish that a working order ends (`cancelled`, `expired`); `call` is the request that is on
    its way (`place`, `cancel`, `look`) or empty. An entry without `sent_at` waits for its release.
    """

    client_id: str
    cause: Cause
    strategy: str
    kind: str
    side: str
    quantity: Decimal
    order_type: str = "market"
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    stop_loss: Level | None = None
    take_profit: Level | None = None
    legs: tuple[Order, ...] = ()
    """A stop and a target that the venue works by itself once this entry has filled."""
    cash: Decimal | None = None
    """Spend this much instead of buying `quantity`, which is then only what it comes to at the last price."""
    status: str = "pending"
    filled: Decimal = ZERO
    value: Decimal = ZERO
    fees: Mapping[str, Decimal] = field(default_factory=dict)
    trades: frozenset[str] = frozenset()
    broker_id: str | None = None
    attempt: int = 1
    created_at: int = 0
    sent_at: int | None = None
    lives_ms: int | None = None
    expires_at: int | None = None
    release_by: int | None = None
    aims: Decimal | None = None
    """The signed share that it trades to (`sync: position`): no more than is missing of it leaves."""
    ends: str | None = None
    call: str = ""
    due_at: int | None = None
    looks: int = 0
    misses: int = 0
    """How many look-ups were answered and did not show it."""
    is_unseen: bool = False
    """Whether a list of working orders did not show this stop or target, so that another is placed for it."""
    triggered: bool = False
    unpriced: bool = False
    """Whether no price was known by which its levels could be judged: that is made up for (rules 4.4)."""
    code: str | None = None
    message: str | None = None

    @property
    def is_live(self) -> bool:
        """Whether the order may still trade."""
        return self.status in LIVE

    @property
    def left(self) -> Decimal:
        """What is not filled yet."""
        return self.quantity - self.filled

    @property
    def average_price(self) -> Decimal | None:
        """What the filled part cost on average."""
        return self.value / self.filled if self.filled else None

    @property
    def rests(self) -> bool:
        """Whether the order has a level of its own and may wait at the venue."""
        return self.order_type != "market"

    @property
    def wish(self) -> str:
        """The wish of the share that a reducing order pursues."""
        return KEEP if self.kind == EXIT and self.order_type == "market" else self.kind


BLANK = Order("", NOBODY, "", "", "", ZERO)
"""What a new order is made from with `evolve`: a third of the time its constructor takes."""


@dataclass(frozen=True, slots=True)
class Guard:
    """Where a stop or a target stands, already rounded; `limit_price` makes a stop a stop-limit."""

    price: Decimal
    limit_price: Decimal | None = None


@dataclass(frozen=True)
class Stopped:
    """What stops and targets of ours closed since the strategy's last executed alert (rules 3.14).

    `quantity` is signed as the share was; kind, price and time are those of the last one.
    """

    kind: str
    quantity: Decimal
    price: Decimal
    at: int


@dataclass(frozen=True)
class RestingExit:
    """A reducing order that an alert gave a level of its own."""

    cause: Cause
    quantity: Decimal
    order_type: str
    limit_price: Decimal | None
    stop_price: Decimal | None


@dataclass(frozen=True)
class Pursuit:
    """How a wish fares: how often the venue refused it and the way failed, and when it is tried again."""

    failures: int = 0
    lost: int = 0
    retry_at: int = 0

    def after_refusal(self, now: int) -> Pursuit:
        """Back off: one second, doubling, up to the ceiling; afresh after ten minutes without a refusal."""
        failures = self.failures if now - self.retry_at < FORGIVEN_MS else 0
        pause = min(1_000 * 2 ** min(failures, 10), PURSUIT_CEILING)
        return Pursuit(failures + 1, self.lost, now + pause)

    def after_loss(self, now: int) -> Pursuit:
        """Try again soon where the way failed; after some tries less and less often."""
        pause = min(1_000 * 2 ** min(max(0, self.lost - LOSSES_AT_ONCE), 10), PURSUIT_CEILING)
        return Pursuit(self.failures, self.lost + 1, now + pause)

    def after_pause(self, until: int) -> Pursuit:
        """Wait as long as the venue asked for: it did not judge the order, so it is no refusal."""
        return Pursuit(self.failures, self.lost, until)

    @property
    def has_failed(self) -> bool:
        """Whether the last try came to nothing."""
        return bool(self.failures or self.lost)


@dataclass(frozen=True)
class Marks:
    """What the alerts of one strategy have said so far about this instrument, for the rules of time.

    `executed` is the number of the last body of which an order was filled or accepted, `closed` that of
    the last alert that left nothing of the share; the others are the latest moments of firing, in
    milliseconds, that are known.
    """

    executed: int = 0
    closed: int = 0
    fired: int = 0
    opened: int = 0
    stated: int = 0
    flat: int = 0
    long: int = 0
    short: int = 0


FLAT, CALM, UNMARKED = Position(), Pursuit(), Marks()


@dataclass(frozen=True)
class Share:
    """The part of a position that one strategy opened, and what is wished of it.

    `keep`: at most this much may stay (None: all of it), because `owed` said so: what an entry born
    later fills may stay too. `serial` numbers the reducing orders, so that each has an id.
    """

    strategy: str
    symbol: str = ""
    position: Position = FLAT
    keep: Decimal | None = None
    owed: Cause = NOBODY
    owed_since: int = 0
    exit: RestingExit | None = None
    stop: Guard | None = None
    target: Guard | None = None
    guarded_by: Cause = NOBODY
    pursuits: Mapping[str, Pursuit] = field(default_factory=dict)
    """How the wishes fare that have failed: keep, exit, stop_loss, take_profit."""
    bare_since: int = 0
    """Since when what was asked to protect the share does not stand; 0 while it does."""
    bare_told: bool = False
    serial: int = 0
    marks: Marks = UNMARKED
    stopped: Stopped | None = None
    """What still counts as held for the exit that a signal sends after a stop."""

    @property
    def quantity(self) -> Decimal:
        """The signed size of the share."""
        return self.position.quantity

    @property
    def staying(self) -> Decimal:
        """The signed size once every owed exit is done: what a new alert finds."""
        held = self.position.quantity
        if self.keep is None or abs(held) <= self.keep:
            return held
        return self.keep if held > 0 else -self.keep

    @property
    def wishes(self) -> bool:
        """Whether anything is still wanted of this share."""
        return bool(self.keep is not None or self.exit or self.stop or self.target)

    @property
    def is_restless(self) -> bool:
        """Whether it has to be looked at when its book is planned."""
        return self.wishes or bool(self.bare_since)

    @property
    def exit_of(self) -> str:
        """The id of the alert that gave the share a resting exit, or empty."""
        return self.exit.cause.alert_id if self.exit else ""

    @property
    def owes(self) -> bool:
        """Whether more is held than may stay."""
        return self.keep is not None and abs(self.position.quantity) > self.keep

    def pursuit(self, wish: str) -> Pursuit:
        """Return how a wish fares."""
        return self.pursuits.get(wish, CALM)

    def pursuing(self, wish: str, pursuit: Pursuit) -> Share:
        """Return the share with a wish faring so."""
        return evolve(self, pursuits={**self.pursuits, wish: pursuit})

    def calmed(self, *wishes: str) -> Share:
        """Return the share with these wishes tried afresh; without any named, all of them."""
        left = {name: each for name, each in self.pursuits.items() if wishes and name not in wishes}
        return self if len(left) == len(self.pursuits) else evolve(self, pursuits=left)

    def hurried(self, now: int) -> Share:
        """Return the share with every wish tried now; the pauses go on growing from where they were."""
        if not any(each.retry_at > now for each in self.pursuits.values()):
            return self
        soon = {w: evolve(p, retry_at=min(p.retry_at, now)) for w, p in self.pursuits.items()}
        return evolve(self, pursuits=soon)

    def heard(self, now: int) -> Share:
        """Return the share with what failed on the way tried now: the venue answers again."""
        if not any(each.lost for each in self.pursuits.values()):
            return self
        return evolve(
            self,
            pursuits={
                name: evolve(each, lost=0, retry_at=min(each.retry_at, now)) if each.lost else each
                for name, each in self.pursuits.items()
            },
        )


@dataclass(frozen=True, slots=True)
class FillRow:
    """A fill as it is kept: whose it was and which way."""

    fill: Fill
    account: str
    paper: bool
    instrument: str
    strategy: str
    realized: Decimal = ZERO
    """The gross profit or loss it made."""


@dataclass(frozen=True, slots=True)
class TradeRow:
    """A closed trade as it is kept."""

    trade: Trade
    account: str
    paper: bool
    instrument: str
    strategy: str
    symbol: str
    closed_by: str


@dataclass(frozen=True, slots=True)
class Told:
    """Something the user must hear of: recorded, logged, listed, and sent on."""

    event: str
    message: str
    alert_id: str | None = None

    @property
    def is_fill(self) -> bool:
        """Whether it only says what was executed."""
        return self.event in FILLS


@dataclass(frozen=True, slots=True)
class LotsRow:
    """What changed of the lots between the two ends of a share: a whole chunk, or chunks that are gone.

    The ends themselves are written with the share.
    """

    account: str
    paper: bool
    instrument: str
    strategy: str
    number: int
    """Of the chunk, or of the first that is still there."""
    lots: tuple[Lot, ...] = ()


Row = Order | Share | FillRow | TradeRow | LotsRow | Told
"""What a change of a book leaves behind for the store."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What the venue was last seen to hold here. Kept in memory only: after a start it is read anew.

    `at` is when that read began and `held` what it said (None: it failed). `wanted` is when a read was last
    asked for. `short` counts the reads in a row that saw less than the shares.
    """

    held: Decimal | None = None
    at: int = 0
    wanted: int = 0
    short: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    """What all shares of a book come to: both sides added, the longs less the shorts, and what they cost.

    Kept as sums, so that what an account has free or at stake is told without asking every strategy.
    """

    size: Decimal = ZERO
    net: Decimal = ZERO
    cost: Decimal = ZERO
    """Signed as `net` is."""

    def moved(self, old: Position, new: Position) -> Totals:
        """Return the sums after one share was changed."""
        return Totals(
            self.size + abs(new.quantity) - abs(old.quantity),
            self.net + new.quantity - old.quantity,
            self.cost + new.signed_cost - old.signed_cost,
        )

    def open_profit(self, price: Decimal, point_value: Decimal) -> Decimal:
        """Value everything that is held at `price`, before fees."""
        return (self.net * price - self.cost) * point_value


NO_TOTALS = Totals()
UNSEEN = Sight()
NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Book:
    """One instrument on one account: shares by strategy, orders by client id."""

    account: str
    paper: bool
    instrument: Instrument
    shares: Mapping[str, Share] = field(default_factory=Layered)
    orders: Mapping[str, Order] = field(default_factory=dict)
    journal: tuple[Row, ...] = ()
    approximate_levels: bool = True
    """Whether stops and targets are judged without a price feed here."""
    closes_unprotected: bool = True
    """Whether a share is closed that cannot be protected, or only told of."""
    can: frozenset[str] = NOTHING
    """What the venue can do (`VenueFacts.capabilities`)."""
    sight: Sight = UNSEEN
    acted_at: int = 0
    """When an order here last left or came back: a read that began earlier may not show it yet."""
    restless: Mapping[str, Share] = field(default_factory=Layered)
    """The shares of which something is wished: all that a plan has to look at."""
    totals: Totals = NO_TOTALS

    def __post_init__(self) -> None:
        """Sort in the shares that a new book begins with."""
        if self.shares:
            found = evolve(self, shares=Layered())
            for share in self.shares.values():
                found = found.knowing(share)
            for name in ("shares", "restless", "totals"):
                object.__setattr__(self, name, getattr(found, name))

    def share(self, strategy: str) -> Share:
        """Return the strategy's share, an empty one where it has none."""
        return self.shares.get(strategy) or Share(strategy)

    def live(self, strategy: str | None = None, *kinds: str) -> list[Order]:
        """Return the orders that may still trade, of one strategy and of some kinds if so asked."""
        return [
            order
            for order in self.orders.values()
            if order.status in LIVE
            and (strategy is None or order.strategy == strategy)
            and (not kinds or order.kind in kinds)
        ]

    def entries_before(self, strategy: str, cause: Cause) -> list[Order]:
        """Return the strategy's entries that may still fill and are older than an alert."""
        return [each for each in self.live(strategy, ENTRY) if each.cause.seq < cause.seq]

    @property
    def is_calling(self) -> bool:
        """Whether a request for this instrument is on its way."""
        return any(order.call for order in self.orders.values())

    @property
    def unresolved(self) -> Order | None:
        """An order of which it is not known whether it exists, if there is one."""
        return next((order for order in self.orders.values() if order.status == "unknown"), None)

    def name_order(self, cause: str, kind: str, attempt: int) -> str:
        """Return the client id of an order here: the same cause, kind and attempt give the same id."""
        leg = f"{self.instrument.symbol}:{kind}"
        return client_order_id(cause, self.account, self.paper, leg, attempt)

    def with_share(self, share: Share) -> Book:
        """Return the book with `share` in it, noted for the store."""
        old = self.shares.get(share.strategy)
        if old is share:
            return self
        return self._sorted_in(old, share, (*self.journal, share))

    def knowing(self, share: Share) -> Book:
        """Return the book with a share in it as the store has it."""
        return self._sorted_in(self.shares.get(share.strategy), share, self.journal)

    @property
    def is_open(self) -> bool:
        """Whether anything is held, wished or worked here."""
        return bool(self.orders or self.totals.size or self.restless)

    def without_share(self, strategy: str) -> Book:
        """Return the book without a share that holds and wishes nothing: the store still has it."""
        return evolve(self, shares=_layered(self.shares).without(strategy))

    def _sorted_in(self, old: Share | None, share: Share, journal: tuple[Row, ...]) -> Book:
        name, restless, totals = share.strategy, self.restless, self.totals
        was = FLAT if old is None else old.position
        if share.position is not was:
            totals = totals.moved(was, share.position)
        if share.is_restless:
            restless = _layered(restless).having(name, share)
        elif name in restless:
            restless = _layered(restless).without(name)
        shares = _layered(self.shares).having(name, share)
        return evolve(self, shares=shares, restless=restless, totals=totals, journal=journal)

    def with_order(self, order: Order) -> Book:
        """Return the book with `order` in it, noted for the store."""
        orders = {**self.orders, order.client_id: order}
        return evolve(self, orders=orders, journal=(*self.journal, order))

    def telling(self, event: str, message: str, alert_id: str | None = None) -> Book:
        """Return the book with something to tell the user."""
        return evolve(self, journal=(*self.journal, Told(event, message, alert_id)))

    def written(self) -> Book:
        """Return the book as it is once its journal is on disk: without it, and without dead orders."""
        if all(order.is_live for order in self.orders.values()):
            return evolve(self, journal=())
        orders = {cid: order for cid, order in self.orders.items() if order.is_live}
        return evolve(self, orders=orders, journal=())


def _layered(shares: Mapping[str, Share]) -> Layered[str, Share]:
    return shares if isinstance(shares, Layered) else Layered(shares)
