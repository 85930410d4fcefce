"""Keep for a moment what many pages ask for again and again, and know it by a tag.

Each open page asks every second or two: what it gets is put together at most twice a second for all of them,
and a page that has it already is told so in a line.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable

FRESH_SECONDS = 0.5


class Polled:
    """One text that is asked for often. Safe to ask from many threads; `clock` is monotonic seconds."""

    def __init__(self, write: Callable[[], str], clock: Callable[[], float]) -> None:
        self._write = write
        self._clock = clock
        self._lock = threading.Lock()
        self._text, self._tag, self._until = "", "", float("-inf")

    def show(self) -> tuple[str, str]:
        """Return the text, and the tag that changes with it."""
        with self._lock:
            if self._clock() >= self._until:
                self._text = self._write()
                self._tag = hashlib.sha256(self._text.encode()).hexdigest()[:20]
                self._until = self._clock() + FRESH_SECONDS
            return self._text, self._tag
