"""Know which book's moment comes next, whether ten of them wait for one or ten thousand.

A moment stays until it is moved or taken out: what was not recorded is due again.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable

from desk.state.tables import Key

SPARE = 64


class Schedule:
    """One moment a book, in milliseconds since 1970."""

    def __init__(self) -> None:
        self._moments: dict[Key, int] = {}
        self._queue: list[tuple[int, Key]] = []

    def begin(self, keys: Iterable[Key], at: int) -> None:
        """Forget every moment, and wait for these books at `at`."""
        self._moments = dict.fromkeys(keys, at)
        self._sort()

    def set(self, key: Key, at: int | None) -> None:
        """Set a book's moment, or None: nothing is waited for there."""
        if at is None:
            self._moments.pop(key, None)
            return
        self._moments[key] = at
        heapq.heappush(self._queue, (at, key))
        if len(self._queue) > 2 * len(self._moments) + SPARE:
            self._sort()  # moments that were moved are left behind in the queue

    def next_at(self) -> int | None:
        """Return the first moment of all."""
        while self._queue and not self._is_valid(self._queue[0]):
            heapq.heappop(self._queue)
        return self._queue[0][0] if self._queue else None

    def due(self, now: int) -> list[Key]:
        """Return the books whose moment has come."""
        found: dict[Key, int] = {}
        while self._queue and self._queue[0][0] <= now:
            entry = heapq.heappop(self._queue)
            if self._is_valid(entry):
                found[entry[1]] = entry[0]
        for key, at in found.items():
            heapq.heappush(self._queue, (at, key))
        return list(found)

    def shift(self, step: int) -> None:
        """Move every moment along with a clock that was set."""
        self._moments = {key: at + step for key, at in self._moments.items()}
        self._sort()

    def _is_valid(self, entry: tuple[int, Key]) -> bool:
        return self._moments.get(entry[1]) == entry[0]

    def _sort(self) -> None:
        self._queue = [(at, key) for key, at in self._moments.items()]
        heapq.heapify(self._queue)
