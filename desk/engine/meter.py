"""Count what became of alerts and orders since the start, and how long each phase of an alert took.

Plain numbers: the desk thread adds, whoever is asked copies. Nothing here is recorded or decided.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable

from desk.engine.report import Rendered
from desk.orders.journal import Row
from desk.orders.order import Order
from desk.orders.position_book import PositionBook

BOUNDS_MS = (0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1_000.0, 2_500.0)
"""The upper ends of a histogram's buckets, in milliseconds; what is above lies in one more."""
TOTAL = "total"
NOWHERE = "none"
"""The venue of an alert that reached no account."""


class Meter:
    """What was counted since the start."""

    def __init__(self) -> None:
        self.alerts: Counter[str] = Counter()
        """How many alerts ended with each outcome; a duplicate is no alert."""
        self.orders: Counter[tuple[str, str]] = Counter()
        """How many orders ended with each outcome, by account."""
        self.phases: dict[tuple[str, str], list[int]] = {}
        """How many alerts fell into each bucket, by phase and account."""
        self.sums_ms: dict[tuple[str, str], float] = {}

    def count(self, rendered: Rendered, journal: Iterable[tuple[PositionBook, Row]]) -> None:
        """Count the alerts that are final now, and the orders that have ended."""
        for record, answer in rendered.values():
            if record.is_settled:
                self.alerts[str(answer.shape["status"])] += 1
                account = record.story.parts[0].account if record.story.parts else NOWHERE
                phases = {**record.story.timings, TOTAL: record.story.latency_ms}
                for phase, took in phases.items():
                    if took is not None:
                        self._observe((phase, account), took)
        for book, row in journal:
            if isinstance(row, Order) and not row.is_open:
                self.orders[row.status, book.account] += 1

    def _observe(self, where: tuple[str, str], took_ms: float) -> None:
        buckets = self.phases.setdefault(where, [0] * (len(BOUNDS_MS) + 1))
        buckets[bisect_left(BOUNDS_MS, took_ms)] += 1
        self.sums_ms[where] = self.sums_ms.get(where, 0.0) + took_ms
