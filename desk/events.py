"""Name what can happen to the desk: everything its inbox may hold.

Plain values, handed from any thread to the one that owns the state. What they lead to is not known here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from brokers.protocol import Receipt
from desk.catalogue import Fact
from desk.duplicates import Duplicate
from desk.feed import Priced, Quoted
from desk.floor import Call
from desk.operator import Command
from desk.reading import Reading
from desk.record import Record
from desk.reply import Answer, Delivery, Reply
from desk.state import Key


@dataclass(slots=True)
class Ask:
    """A delivery in the inbox, and who waits for it."""

    delivery: Delivery
    reply: Reply
    arrived: float
    entries: list[Record | Duplicate] = field(default_factory=list)
    previews: list[Answer] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Answered:
    """A receipt that came back from a venue."""

    call: Call
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class Due:
    """A moment has come for one book."""

    key: Key


@dataclass(frozen=True, slots=True)
class Again:
    """An alert that waits may perhaps be decided now."""

    alert_id: str


Event = Ask | Command | Answered | Reading | Priced | Quoted | Fact | Due | Again
