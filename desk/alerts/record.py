"""Follow one alert from its delivery until everything it caused is final.

A record collects what was decided on each account and the orders that came of it. Its answer is written by
`answers`; nothing here decides or renders.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter

from desk.decision.denial import Denial
from desk.orders.order import ENTRY, EXIT, Order
from parsers.alert import Alert


@dataclass(slots=True)
class Part:
    """What an alert meant on one account and instrument."""

    account: str
    paper: bool
    instrument: str
    tick: Decimal | None = None
    reduces: Decimal = Decimal(0)
    opens: Decimal = Decimal(0)
    cancels: int = 0
    denials: tuple[Denial, ...] = ()
    code: str | None = None
    message: str | None = None
    has_pending_exit: bool = False
    """Whether an exit this alert asked for is still to be sent."""
    has_moved: bool = False
    """Whether it changed what protects the position, and nothing else."""


@dataclass(slots=True)
class Note:
    """One line of an alert's story: when, and what happened."""

    at: int
    text: str


@dataclass(slots=True)
class Story:
    """What is kept of an alert beside its row: how it was read, decided and carried out."""

    alert: Alert | None = None
    action: str | None = None
    comment: str | None = None
    parts: list[Part] = field(default_factory=list)
    denial: Denial | None = None
    """Why the alert as a whole was refused: unreadable, unknown account, too many."""
    http: int | None = None
    """The status it was first answered with."""
    warnings: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    timings: dict[str, float] = field(default_factory=dict)
    number: int = 0
    """The number of its delivery; the elements of one array share it."""
    todo: list[str] = field(default_factory=list)
    """The accounts on which nothing could be decided yet."""
    waits_for: str | None = None
    done: str | None = None
    """What a `halt` did, in words."""
    nothing: str = "Nothing to do."
    """What is said where nothing came of it."""
    advice: str = ""
    """What is to be known besides, where something did."""
    is_authenticated: bool = True
    mark: str = ""
    """What it claims while it waits, to be let go of where nothing comes of it."""

    @property
    def latency_ms(self) -> float | None:
        """How long its phases took together; None where they were not measured."""
        return round(sum(self.timings.values()), 1) if self.timings else None

    def copied(self) -> Story:
        """Return a copy that may be changed alone."""
        return replace(
            self,
            parts=[replace(part) for part in self.parts],
            warnings=[*self.warnings],
            notes=[*self.notes],
            timings={**self.timings},
            todo=[*self.todo],
        )


STORY: TypeAdapter[Story] = TypeAdapter(Story)


@dataclass(slots=True)
class Record:
    """One alert while it is followed."""

    alert_id: str
    seq: int
    received_at: int
    strategy: str
    symbol: str
    body: str
    story: Story
    deliveries: int = 1
    orders: dict[str, tuple[str, bool, str, Order]] = field(default_factory=dict)
    """Account, paper and instrument of each order this alert caused, by client id."""
    answer: str = ""
    status: str = "pending"
    is_settled: bool = False
    replies: list[Any] = field(default_factory=list)
    """Who waits for the outcome."""
    logged: set[tuple[str, str]] = field(default_factory=set)
    """What the log says of it already: status and message."""

    def copied(self) -> Record:
        """Return a copy that may be changed alone; who waits for the outcome waits for both."""
        return replace(self, story=self.story.copied(), orders={**self.orders})

    def note(self, at: int, text: str) -> None:
        """Add a line to the story."""
        self.story.notes.append(Note(at, text))

    def orders_of(self, part: Part) -> list[Order]:
        """Return the entries and exits on one account and instrument, in the order of their birth."""
        where = (part.account, part.paper, part.instrument)
        return [
            order
            for *place, order in self.orders.values()
            if tuple(place) == where and order.kind in (ENTRY, EXIT)
        ]
