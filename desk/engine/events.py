"""Name what can happen to the desk: everything its inbox may hold.

Plain values, handed from any thread to the one that owns the state. What they lead to is not known here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from brokers.protocol import OrderReport
from desk.alerts.delivery import AlertAnswer, Delivery, PendingReply
from desk.alerts.record import Record
from desk.engine.commands import Command
from desk.engine.duplicates import Duplicate
from desk.state.tables import Key
from desk.venue.call import VenueCall
from desk.venue.instruments import Fact
from desk.venue.polling import Reading
from desk.venue.prices import Priced, Quoted


@dataclass(slots=True)
class AlertReceived:
    """A delivery in the inbox, and who waits for it."""

    delivery: Delivery
    reply: PendingReply
    arrived: float
    entries: list[Record | Duplicate] = field(default_factory=list)
    previews: list[AlertAnswer] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class OrderReported:
    """A receipt that came back from a venue."""

    call: VenueCall
    report: OrderReport


@dataclass(frozen=True, slots=True)
class TimerDue:
    """A moment has come for one book."""

    key: Key


@dataclass(frozen=True, slots=True)
class AlertRetried:
    """An alert that waits may perhaps be decided now."""

    alert_id: str


@dataclass(frozen=True, slots=True)
class ClockStruck:
    """A moment has come for what is done by the clock."""


Event = (
    AlertReceived
    | ClockStruck
    | Command
    | OrderReported
    | Reading
    | Priced
    | Quoted
    | Fact
    | TimerDue
    | AlertRetried
)
