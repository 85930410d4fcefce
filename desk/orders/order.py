"""One order of ours, from the moment it was decided until it is final, and the alert behind it.

Plain values; nothing here says what is to be done next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from parsers.alert import Level, TakeProfit, name_levels

ZERO = Decimal(0)


ENTRY, EXIT, STOP_LOSS, TAKE_PROFIT = "entry", "exit", "stop_loss", "take_profit"


REDUCE = "keep"
"""The wish behind an exit at the market; every other reducing order is named as its wish."""


OPEN_STATUSES = frozenset({"pending", "unreached", "accepted", "unknown"})
"""The states of an order that may still trade."""


LOOK_UPS = (2_000, 3_000, 5_000, 10_000, 10_000, 60_000)
"""Milliseconds between look-ups of an unknown order: after 2, 5, 10, 20, 30 s, then every minute."""


@dataclass(frozen=True, slots=True)
class AlertRef:
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


NO_ALERT = AlertRef()


@dataclass(frozen=True)
class Order:
    """One order of ours, from the moment it was decided until it is final.

    `end_status` is the wish that a working order ends (`cancelled`, `expired`); `in_flight` is the
    request that is on its way (`place`, `cancel`, `look`, `amend`) or empty. An entry without `sent_at` waits
    for its release.
    """

    client_id: str
    cause: AlertRef
    strategy: str
    kind: str
    side: str
    quantity: Decimal
    order_type: str = "market"
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    stop_loss: Level | None = None
    take_profit: Level | None = None
    take_profits: tuple[TakeProfit, ...] = ()
    """Several targets of an entry, each with its percent of the position."""
    move_stop: str | None = None
    part: int = 0
    """Of a stop or target that stands for one part of a position: the number of that part."""
    legs: tuple[Order, ...] = ()
    """A stop and a target that the venue works by itself once this entry has filled."""
    has_borne: bool = False
    """Whether they stand in the book by now."""
    quote_quantity: Decimal | None = None
    """Spend this much instead of buying `quantity`, which is then only what it comes to at the last price."""
    status: str = "pending"
    filled: Decimal = ZERO
    value: Decimal = ZERO
    fees: Mapping[str, Decimal] = field(default_factory=dict)
    fill_ids: frozenset[str] = frozenset()
    broker_id: str | None = None
    attempt: int = 1
    created_at: int = 0
    sent_at: int | None = None
    time_to_live_ms: int | None = None
    expires_at: int | None = None
    submit_by: int | None = None
    target_position: Decimal | None = None
    """The signed share that it trades to (`sync: position`): no more than is missing of it leaves."""
    end_status: str | None = None
    in_flight: str = ""
    next_action_at: int | None = None
    queries: int = 0
    not_found_count: int = 0
    """How many look-ups were answered and did not show it."""
    is_unseen: bool = False
    """Whether a list of working orders did not show this stop or target, so that another is placed for it."""
    parent_id: str = ""
    """Of a leg that the venue works by itself: the client id of the entry that brought it."""
    amended_from: Decimal | None = None
    """What it asked for before a change of its quantity that may or may not have been carried out."""
    may_amend: bool = True
    """Whether its quantity may be changed in its place: not where that was tried in vain."""
    triggered: bool = False
    unpriced: bool = False
    """Whether no price was known by which its levels could be judged: that is made up for (rules 4.4)."""
    code: str | None = None
    message: str | None = None

    @property
    def named_levels(self) -> tuple[tuple[str, Level], ...]:
        """Stop loss and targets that an entry brings, each with its name."""
        return name_levels(self.stop_loss, self.take_profit, self.take_profits)

    @property
    def is_open(self) -> bool:
        """Whether the order may still trade."""
        return self.status in OPEN_STATUSES

    @property
    def leaves_quantity(self) -> Decimal:
        """What is not filled yet."""
        return self.quantity - self.filled

    @property
    def average_price(self) -> Decimal | None:
        """What the filled part cost on average."""
        return self.value / self.filled if self.filled else None

    @property
    def is_resting(self) -> bool:
        """Whether the order has a level of its own and may wait at the venue."""
        return self.order_type != "market"

    @property
    def purpose(self) -> str:
        """The wish of the position that a reducing order pursues."""
        return REDUCE if self.kind == EXIT and self.order_type == "market" else self.kind


NO_ORDER = Order("", NO_ALERT, "", "", "", ZERO)
"""What a new order is made from with `evolve`: a third of the time its constructor takes."""
