"""What a decision goes by, and what came of cutting an order at zero. Plain values."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from desk.decision.denial import Denial
from desk.decision.risk import DOLLARS, Stakes
from desk.decision.sizing import NO_SIZE, Purse, Size, Sizing
from desk.decision.staleness import Times
from desk.orders.strategy_position import Stopped
from parsers.alert import Level

ZERO = Decimal(0)


@dataclass(frozen=True)
class DecisionContext:
    """What holds for one strategy on one account at the moment of an alert."""

    strategy: str
    times: Times
    multiplier: Decimal = Decimal(1)
    default_quantity: Decimal | None = None
    sizing: Sizing | None = None
    """How much the strategy opens, where its alerts do not say, or whatever they say."""
    default_stop: Level | None = None
    default_target: Level | None = None
    """The levels of what the strategy opens, where the alert brings none."""
    require_stop: bool = False
    equity: Decimal | None = None
    """What the account is worth now; None where that is not known, or nothing goes by it."""
    use_market_orders: bool = True
    direction: str | None = None
    sync: bool = False
    pyramid: bool = False
    opens_here: bool = True
    """False on an account where the alert may only reduce what the strategy holds."""
    denied: Denial | None = None
    """A reason known beforehand why nothing may be opened: disabled, halted, not allowed, too many."""
    stakes: Stakes | None = None
    """The limits of risk and what counts towards them; None where there are none."""
    nets: bool = False
    """Whether the venue nets orders of different strategies on this instrument."""
    manual: Decimal = ZERO
    """What the venue holds of the instrument beyond the positions."""
    price: Decimal | None = None
    """What the instrument costs as far as anybody knows: the venue's price, else one that is believed."""
    doubt: str = ""
    """Why the alert's own price is not believed, or empty (rules 4.5)."""
    seen_ms: int | None = None
    """On paper, how old a price is that the alert did not bring; None where it did."""
    currency: str = "USD"
    worth: frozenset[str] = DOLLARS
    """What the account counts in, and the currencies of which one is worth one of it."""
    by_distance: bool = False
    """Whether the alert's levels are those of a continuous chart and this is one contract (rules 5.3)."""
    allow_delayed: bool = False
    """Whether an alert of a delayed feed may open here."""
    shorts: bool = False
    """Whether equities may be sold short here."""
    spendable: Decimal | None = None
    """What of the quote coin no strategy holds; None where none holds any of it."""
    limit_ms: int = 300_000
    day_ms: int = 86_400_000
    """How long the account's trading day still lasts."""

    @property
    def purse(self) -> Purse:
        """What the account counts in."""
        return Purse(self.currency, self.worth, self.equity)


@dataclass(frozen=True)
class OrderSplit:
    """An order cut at zero: what it takes of the position, what it opens (None: nothing says how much)."""

    side: str
    reduces: Decimal = ZERO
    opens: Decimal | None = ZERO
    note: str | None = None
    """Why nothing is opened beyond zero."""
    held: Decimal = ZERO
    """The signed share that was cut."""
    asked: Decimal | None = None
    """What the order asks for when it opens from flat."""
    size: Size = NO_SIZE
    sized: Size | None = None
    """What the strategy's own sizing came to, where that says how much is opened and not the alert."""
    denial: Denial | None = None
    """Why it cannot even be told what the order asks for: then it takes and opens nothing."""
    counted: Decimal = ZERO
    """How much of what it asks for a stop or target of ours has closed already."""
    consumed: Decimal | None = None
    """How much of that lies in this book, where it lies in several; None: all of it."""
    stopped: Stopped | None = None
    """What closed it, where that is not in this book alone."""
    beside: Decimal = ZERO
    """What stays of the strategy's position in other contracts of the root, or on the other twin."""
    crosses: bool = False
    """Whether the order closes what is held there before it opens here."""

    @property
    def after(self) -> Decimal:
        """The signed share once the order is done."""
        moved = self.reduces + (self.opens or ZERO)
        return self.held + self.beside + (moved if self.side == "buy" else -moved)


NO_CUT = OrderSplit("")
