"""Hold what the rooms of the desk share: the state, the store, and who knows instruments and venues.

Only a place to stand: it decides nothing. One floor belongs to one desk thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from brokers.protocol import Instrument
from desk.decision.context import DecisionContext
from desk.decision.risk import Limits
from desk.decision.routing import Route
from desk.orders.position_book import PositionBook
from desk.state.memory import State
from desk.state.store import Store
from desk.state.tables import Key
from desk.venue.call import VenueCall


class Rates(Protocol):
    """How often a strategy may open on a symbol."""

    def may_open(self, strategy: str, symbol: str) -> int | None:
        """Return the seconds to wait, or None where one more opening alert is allowed."""

    def count_opening(self, strategy: str, symbol: str) -> None:
        """Count one opening alert."""

    def discount_opening(self, strategy: str, symbol: str) -> None:
        """Take back the last one that was counted."""


def _never(_book: PositionBook, _now: int) -> bool:
    return False


def _never_quotes(_account: str, _wanted: Mapping[str, int], _now: int) -> bool:
    return False


@dataclass(slots=True)
class EngineContext:
    """What taking an alert in needs."""

    state: State
    store: Store
    rates: Rates
    instrument_of: Callable[[str, str, int], Instrument | None]
    """Account, symbol and now -> instrument; None while it is being fetched; raises `BrokerRefused`."""
    problem_of: Callable[[str, str], str]
    """Account and symbol -> why its venue does not tell the instrument; empty where it was just asked."""
    symbol_key: Callable[[str], str]
    """A symbol without the exchange in front: what positions, prices and rates go by."""
    calls: list[VenueCall] = field(default_factory=list)
    """What is to be sent after the commit."""
    reads: set[str] = field(default_factory=set)
    """The accounts to be read at once."""
    settled_contexts: dict[tuple[str, Route], DecisionContext] = field(default_factory=dict)
    """What config.yaml alone says of a strategy on an account: it never changes while we run."""
    limits: dict[tuple[str, str], tuple[tuple[Limits, str | None], ...]] = field(
        default_factory=dict
    )
    """The limits that a strategy is held to on an account: as above."""
    is_fed: Callable[[PositionBook, int], bool] = _never
    """Whether live prices reach what rests in a paper book; else only alerts move its price."""
    awaits_price: Callable[[PositionBook, int], bool] = _never
    """Whether an order without a price should wait a moment for the present one."""
    awaits_quotes: Callable[[str, Mapping[str, int], int], bool] = _never_quotes
    """Whether an order at a venue should wait for its prices; account, alert by symbol, now."""
    is_dry: bool = False
    """Whether what is done now is only asked for, and undone: then it counts for no rate."""
    at: Key | None = None
    """The book that is being changed, for whoever must say where a fault happened."""
    counted: list[tuple[str, str]] = field(default_factory=list)
    """The opening alerts that were counted since the last commit."""

    def count_opening(self, strategy: str, symbol: str) -> None:
        """Count an opening alert towards its rate."""
        self.rates.count_opening(strategy, symbol)
        self.counted.append((strategy, symbol))

    def committed(self) -> None:
        """Forget the way back: what was done is on disk."""
        self.calls = []
        self.reads.clear()
        self.counted.clear()

    def undo(self) -> None:
        """Take back what was handed out and counted since the last commit, and every change of the state."""
        for strategy, symbol in self.counted:
            self.rates.discount_opening(strategy, symbol)
        self.state.undo()
        self.committed()
