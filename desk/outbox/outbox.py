"""Hand what was recorded to one receiver, in order, from a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from desk.outbox.pace import MOST_AT_ONCE, first_kept, pause_after
from desk.outbox.place import Place, Progress

IDLE_MS = 5_000
"""How often the record is looked at when nobody says that there is something."""
ENDING_SECONDS = 5.0
"""How long a stop waits for the last messages."""
log = logging.getLogger("outbox")


class NotDelivered(Exception):
    """The receiver did not take it; the text says why, without a secret."""


class Entry(Protocol):
    """Something recorded."""

    @property
    def number(self) -> int:
        """Its place in the record."""


class Source(Protocol):
    """The record, as a receiver reads it."""

    def newest(self) -> int:
        """Return the highest number there is; 0 without any."""

    def __call__(self, after: int, limit: int) -> Sequence[Any]:
        """Return the entries with higher numbers, the oldest first."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a receiver takes nothing, and since when (wall clock, ms)."""

    reason: str
    since: int
    failures: int


class Outbox:
    """One receiver and its place in the record."""

    def __init__(
        self,
        name: str,
        source: Source,
        deliver: Callable[[Sequence[Any]], None],
        place: Place,
        clock: Callable[[], int],
    ) -> None:
        self.name = name
        self.trouble: Trouble | None = None
        self._source, self._deliver, self._place, self._clock = source, deliver, place, clock
        self._progress = place.load() or Progress(source.newest())
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"outbox-{name}", daemon=True)

    @property
    def dropped(self) -> int:
        """How many numbers were left out, since there is this receiver."""
        return self._progress.dropped

    def start(self) -> None:
        """Begin; what was recorded before the first start of a receiver is not sent to it."""
        self._keep(self._progress)
        self._thread.start()

    def wake(self) -> None:
        """Say that something was recorded."""
        self._wake.set()

    def end(self) -> None:
        """Take what is there once more, and end; what is not taken waits for the next start."""
        self._stopping.set()
        self._wake.set()

    def join(self, seconds: float) -> None:
        """Wait for the end, at most so long: a receiver may hang."""
        self._thread.join(seconds)

    def step(self) -> int:
        """Hand over what is next, and return how long to wait before the next step, in ms."""
        try:
            newest = self._source.newest()
            # A state that was put back ends before the place that was kept.
            taken = min(self._progress.taken, newest)
            after = first_kept(taken, newest)
            entries = self._source(after, MOST_AT_ONCE)
            if entries:
                self._deliver(entries)
        except NotDelivered as error:
            return self._fail(str(error))
        except Exception as error:
            log.exception("outbox_fault")
            return self._fail(f"a fault of the receiver's own: {type(error).__name__}")
        self.trouble = None
        done = entries[-1].number if entries else after
        progress = Progress(done, self._progress.dropped + after - taken)
        if progress != self._progress:
            self._keep(progress)
        return 0 if entries else IDLE_MS

    def _fail(self, reason: str) -> int:
        before = self.trouble
        since = before.since if before else self._clock()
        self.trouble = Trouble(reason, since, before.failures + 1 if before else 1)
        if before is None:
            log.warning("channel_failing", extra={"text": f"{self.name}: {reason}"})
        return pause_after(self.trouble.failures)

    def _keep(self, progress: Progress) -> None:
        self._progress = progress
        try:
            self._place.keep(progress)
        except OSError as error:
            text = f"{self.name}: its place cannot be kept ({error.strerror}); a kill sends again"
            log.warning("channel_place", extra={"text": text})

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            pause = self.step()
            # A failing receiver is left alone, whatever is recorded meanwhile.
            waiting = self._stopping if self.trouble else self._wake
            waiting.wait(pause / 1000)
        if self.trouble is None:
            self.step()


def stop_all(outboxes: Sequence[Outbox], seconds: float = ENDING_SECONDS) -> None:
    """End all of them, and wait so long in all."""
    for each in outboxes:
        each.end()
    until = time.monotonic() + seconds
    for each in outboxes:
        each.join(max(until - time.monotonic(), 0))
