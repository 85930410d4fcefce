"""Hold what other threads may see: what was committed last, and nothing that is only tried.

The desk thread decides in its own memory, and takes back what was only asked for (`/webhook/validate`) or
could not be recorded. Whoever looks reads these tables instead, which change with a commit; their values are
the memory's own and never change.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from desk.orders.believed_prices import Seen
from desk.orders.position_book import PositionBook
from desk.performance.judge import Standing

Key = tuple[str, bool, str]
NAMES = (
    "prices",
    "quotes",
    "cash",
    "funding",
    "halts",
    "strategies",
    "blocked",
    "silent",
    "external_quantities",
    "equities",
    "standings",
)
"""The tables that are shown as they are."""


@dataclass(slots=True)
class Shown:
    """What was committed last, by the names of the memory's tables."""

    books: dict[Key, PositionBook] = field(default_factory=dict)
    """The open ones alone: something is held, wished or worked there."""
    prices: dict[str, Seen] = field(default_factory=dict)
    quotes: dict[tuple[str, str], Seen] = field(default_factory=dict)
    cash: dict[str, Decimal] = field(default_factory=dict)
    funding: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    halts: dict[str, tuple[str, int]] = field(default_factory=dict)
    strategies: dict[str, int] = field(default_factory=dict)
    blocked: dict[Key, tuple[str, int]] = field(default_factory=dict)
    silent: dict[str, Any] = field(default_factory=dict)
    external_quantities: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    equities: dict[str, Any] = field(default_factory=dict)
    """What each account is worth as its venue tells."""
    standings: dict[str, Standing] = field(default_factory=dict)
    alerts: int = 0
    """How many there were."""

    def open_books(self, account: str | None = None) -> list[PositionBook]:
        """Return the open books, of one account if so asked."""
        return [b for b in list(self.books.values()) if account in (None, b.account)]
