"""End what has lasted too long: one thread watches all the calls of this process.

A timer for each call would be shorter to write, but its thread is waited for until it runs: 0.2 ms before
every order, and several where other threads are busy (measured). Nothing here knows what it ends.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_IDLE_SECONDS = 3600.0


class Deadlines:
    """What is under way, and until when it may last. Safe for several threads at once."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._watched: dict[object, tuple[float, Callable[[], None]]] = {}
        self._wakes_seconds = time.monotonic()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Have the thread run, so that no call waits for its start; a fork leaves it behind."""
        with self._changed:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                self._thread.start()

    @contextmanager
    def watch(self, due_seconds: float, end: Callable[[], None]) -> Iterator[None]:
        """Call `end` if the block has not ended at this moment of `time.monotonic`, and never after it.

        `end` must neither wait nor raise: all others wait for it.
        """
        self.start()
        name = object()
        with self._changed:
            self._watched[name] = (due_seconds, end)
            if due_seconds < self._wakes_seconds:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._watched.pop(name, None)

    def _run(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                for name, (due_seconds, end) in list(self._watched.items()):
                    if due_seconds <= now:
                        del self._watched[name]
                        end()
                moments = [due_seconds for due_seconds, _ in self._watched.values()]
                self._wakes_seconds = min(moments, default=now + _IDLE_SECONDS)
                self._changed.wait(self._wakes_seconds - time.monotonic())
