"""Let a request thread wait for the desk: first that its alerts are recorded, then for their outcome.

One lock a request, taken by the thread that waits and released by the desk thread: the cheapest way for two
threads to meet. A second one decides, once and for both, whether the request is kept or given up: who is told
that nothing was recorded must be right for ever. Nothing here knows HTTP or decides what an answer says.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from parsers.alert import Alert, ParseError


@dataclass(slots=True)
class AlertAnswer:
    """The answer of one alert: status, shape, and the same as JSON."""

    http: int
    shape: Mapping[str, Any]
    text: str


class PendingReply:
    """What one request waits for."""

    __slots__ = (
        "_fate",
        "_open",
        "_wake",
        "answers",
        "error",
        "is_kept",
        "is_recorded",
        "is_withdrawn",
    )

    def __init__(self) -> None:
        self._wake = threading.Lock()
        self._wake.acquire()
        self._fate = threading.Lock()
        self._open: set[int] = set()
        self.answers: list[AlertAnswer] = []
        self.error: Exception | None = None
        self.is_kept = False
        self.is_withdrawn = False
        self.is_recorded = False

    @property
    def is_done(self) -> bool:
        """Whether nothing more is to be waited for."""
        return self.error is not None or (self.is_recorded and not self._open)

    def wait(self, seconds: float) -> None:
        """Sleep until something is known that was not known before, at most so long."""
        if seconds > 0 and not self.is_done:
            self._wake.acquire(timeout=seconds)

    def record(self, answers: list[AlertAnswer], still_open: set[int]) -> None:
        """Say that the alerts are recorded, and which of them are still to be decided."""
        self.answers = answers
        self._open = still_open
        self.is_recorded = True
        self._tell()

    def settle(self, place: int, answer: AlertAnswer) -> None:
        """Say what became of one alert."""
        self.answers[place] = answer
        self._open.discard(place)
        if not self._open:
            self._tell()

    def withdraw(self) -> bool:
        """Give up, and return whether that was in time: then nothing of it is ever recorded."""
        if self._fate.acquire(blocking=False):
            self.is_withdrawn = True
        return self.is_withdrawn

    def keep(self) -> bool:
        """Return whether what was asked may be recorded now; from then on it can not be withdrawn."""
        if self._fate.acquire(blocking=False):
            self.is_kept = True
        return self.is_kept

    def wait_until_recorded(self) -> None:
        """Sleep until what the desk has kept is on disk, or has failed to get there."""
        while self.error is None and not self.is_recorded:
            self._wake.acquire(timeout=1)

    def fail(self, error: Exception) -> None:
        """Say that nothing was recorded."""
        self.error = error
        self._tell()

    def _tell(self) -> None:
        if self._wake.locked():
            self._wake.release()


@dataclass(slots=True)
class Delivery:
    """One request's worth of alerts, as the server hands it in."""

    entries: tuple[Alert | ParseError, ...]
    strategies: tuple[str | None, ...]
    body: bytes
    masked: str
    received_at: int
    is_array: bool = False
    is_dry: bool = False
    is_authenticated: bool = True
    warnings: tuple[str, ...] = ()
    timings: Mapping[str, float] | None = None
