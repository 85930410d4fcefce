"""Hold one instrument on one account: its positions, what they wish for, its orders.

Opening is an event, reducing is a state. An opening order is put here once, by `decide`. Everything that
reduces or protects is a wish on the position (`reduce_to`, `exit`, `stop`, `target`); `plan` compares
the wishes with the orders and names the next step. Pure: no clock, no venue, no database. Every
function returns a new book; what changed stands in its `journal`, for the store to write in the same commit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from brokers.protocol import Instrument
from desk.orders.evolve import evolve
from desk.orders.ids import client_order_id
from desk.orders.journal import Notice, Row
from desk.orders.layered import Layered
from desk.orders.ledger import LotLedger
from desk.orders.order import ENTRY, OPEN_STATUSES, AlertRef, Order
from desk.orders.strategy_position import FLAT, StrategyPosition

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class VenuePosition:
    """What the venue was last seen to hold here. Kept in memory only: after a start it is read anew.

    `read_at` is when that read began and `quantity` what it said (None: it failed). `requested_at` is
    when a read was last asked for. `shortfalls` counts the reads in a row that saw less than the positions.
    """

    quantity: Decimal | None = None
    read_at: int = 0
    requested_at: int = 0
    shortfalls: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    """What all positions of a book come to: both sides added, the longs less the shorts, and what they cost.

    Kept as sums, so that what an account has free or at stake is told without asking every strategy.
    """

    size: Decimal = ZERO
    net: Decimal = ZERO
    cost: Decimal = ZERO
    """Signed as `net` is."""

    def moved(self, old: LotLedger, new: LotLedger) -> Totals:
        """Return the sums after one position was changed."""
        return Totals(
            self.size + abs(new.quantity) - abs(old.quantity),
            self.net + new.quantity - old.quantity,
            self.cost + new.signed_cost - old.signed_cost,
        )

    def open_profit(self, price: Decimal, point_value: Decimal) -> Decimal:
        """Value everything that is held at `price`, before fees."""
        return (self.net * price - self.cost) * point_value


NO_TOTALS = Totals()


UNREAD = VenuePosition()


NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True)
class PositionBook:
    """One instrument on one account: positions by strategy, orders by client id."""

    account: str
    paper: bool
    instrument: Instrument
    positions: Mapping[str, StrategyPosition] = field(default_factory=Layered)
    orders: Mapping[str, Order] = field(default_factory=dict)
    journal: tuple[Row, ...] = ()
    approximate_levels: bool = True
    """Whether stops and targets are judged without a price feed here."""
    closes_unprotected: bool = True
    """Whether a position is closed that cannot be protected, or only told of."""
    counts_in_base: bool = False
    """Whether the account counts in what is traded here and not in what that is paid with."""
    capabilities: frozenset[str] = NOTHING
    """What the venue can do (`VenueFacts.capabilities`)."""
    venue_position: VenuePosition = UNREAD
    acted_at: int = 0
    """When an order here last left or came back: a read that began earlier may not show it yet."""
    restless: Mapping[str, StrategyPosition] = field(default_factory=Layered)
    """The positions of which something is wished: all that a plan has to look at."""
    totals: Totals = NO_TOTALS

    def __post_init__(self) -> None:
        """Sort in the positions that a new book begins with."""
        if self.positions:
            found = evolve(self, positions=Layered())
            for position in self.positions.values():
                found = found.knowing(position)
            for name in ("positions", "restless", "totals"):
                object.__setattr__(self, name, getattr(found, name))

    def position(self, strategy: str) -> StrategyPosition:
        """Return the strategy's position, an empty one where it has none."""
        return self.positions.get(strategy) or StrategyPosition(strategy)

    def open_orders(self, strategy: str | None = None, *kinds: str) -> list[Order]:
        """Return the orders that may still trade, of one strategy and of some kinds if so asked."""
        return [
            order
            for order in self.orders.values()
            if order.status in OPEN_STATUSES
            and (strategy is None or order.strategy == strategy)
            and (not kinds or order.kind in kinds)
        ]

    def entries_before(self, strategy: str, cause: AlertRef) -> list[Order]:
        """Return the strategy's entries that may still fill and are older than an alert."""
        return [each for each in self.open_orders(strategy, ENTRY) if each.cause.seq < cause.seq]

    @property
    def is_calling(self) -> bool:
        """Whether a request for this instrument is on its way."""
        return any(order.in_flight for order in self.orders.values())

    @property
    def unresolved(self) -> Order | None:
        """An order of which it is not known whether it exists, if there is one."""
        return next((order for order in self.orders.values() if order.status == "unknown"), None)

    def name_order(self, cause: str, kind: str, attempt: int) -> str:
        """Return the client id of an order here: the same cause, kind and attempt give the same id."""
        leg = f"{self.instrument.symbol}:{kind}"
        return client_order_id(cause, self.account, self.paper, leg, attempt)

    def with_position(self, position: StrategyPosition) -> PositionBook:
        """Return the book with `share` in it, noted for the store."""
        old = self.positions.get(position.strategy)
        if old is position:
            return self
        return self._sorted_in(old, position, (*self.journal, position))

    def knowing(self, position: StrategyPosition) -> PositionBook:
        """Return the book with a position in it as the store has it."""
        return self._sorted_in(self.positions.get(position.strategy), position, self.journal)

    @property
    def is_open(self) -> bool:
        """Whether anything is held, wished or worked here."""
        return bool(self.orders or self.totals.size or self.restless)

    def without_share(self, strategy: str) -> PositionBook:
        """Return the book without a position that holds and wishes nothing: the store still has it."""
        return evolve(self, positions=_layered(self.positions).without(strategy))

    def _sorted_in(
        self, old: StrategyPosition | None, position: StrategyPosition, journal: tuple[Row, ...]
    ) -> PositionBook:
        name, restless, totals = position.strategy, self.restless, self.totals
        was = FLAT if old is None else old.ledger
        if position.ledger is not was:
            totals = totals.moved(was, position.ledger)
        if position.is_restless:
            restless = _layered(restless).having(name, position)
        elif name in restless:
            restless = _layered(restless).without(name)
        positions = _layered(self.positions).having(name, position)
        return evolve(self, positions=positions, restless=restless, totals=totals, journal=journal)

    def with_order(self, order: Order) -> PositionBook:
        """Return the book with `order` in it, noted for the store."""
        orders = {**self.orders, order.client_id: order}
        return evolve(self, orders=orders, journal=(*self.journal, order))

    def with_notice(self, event: str, message: str, alert_id: str | None = None) -> PositionBook:
        """Return the book with something to tell the user."""
        return evolve(self, journal=(*self.journal, Notice(event, message, alert_id)))

    def written(self) -> PositionBook:
        """Return the book as it is once its journal is on disk: without it, and without dead orders."""
        if all(order.is_open for order in self.orders.values()):
            return evolve(self, journal=())
        orders = {cid: order for cid, order in self.orders.items() if order.is_open}
        return evolve(self, orders=orders, journal=())


def _layered(positions: Mapping[str, StrategyPosition]) -> Layered[str, StrategyPosition]:
    return positions if isinstance(positions, Layered) else Layered(positions)
