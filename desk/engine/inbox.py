"""Hold what waits for the desk: every thread may put in, the desk thread takes out a batch at a time.

Under load the desk sleeps until as many have come as came with the last batch: one awakening and one commit
for all of them. Whoever comes alone never waits. Nothing here knows what an event is.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress
from typing import Generic, TypeVar

BATCH = 64
"""The most events that share one commit."""
GATHER_SECONDS = 0.005
"""How long a batch waits for one more of as many as came with the one before."""
QUIET_SECONDS = 0.02
"""After a silence of this length nobody is expected to come along."""
T = TypeVar("T")


class Inbox(Generic[T]):
    """A queue that is read a batch at a time."""

    def __init__(self) -> None:
        self._waiting: deque[T] = deque()
        self._expected = 1
        self._wanted = 1
        self._wake = threading.Lock()
        self._wake.acquire()

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    def put(self, item: T) -> None:
        """Add one, from any thread."""
        self._waiting.append(item)
        if len(self._waiting) >= self._wanted:
            with suppress(RuntimeError):  # another thread has woken the reader meanwhile
                self._wake.release()

    def drain(self, seconds: float) -> list[T]:
        """Wait at most so long for the first, then return what is there, the oldest first."""
        began_seconds = time.monotonic()
        self._sleep_until(1, seconds)
        if time.monotonic() - began_seconds > QUIET_SECONDS:
            self._expected = 1
        before = 0
        while before < len(self._waiting) < self._expected:
            before = len(self._waiting)
            self._sleep_until(self._expected, GATHER_SECONDS)
        batch = self.take()
        self._expected = max(len(batch), self._expected - 1)
        return batch

    def take(self) -> list[T]:
        """Return what is there now, at most a batch."""
        return [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]

    def _sleep_until(self, wanted: int, seconds: float) -> None:
        """Sleep until so many wait, at most so long."""
        self._wake.acquire(blocking=False)  # an awakening that is over
        self._wanted = wanted
        if len(self._waiting) < wanted:
            self._wake.acquire(timeout=seconds)
