"""Tell the time, and notice when somebody sets the clock.

Ages and days are told by the wall clock, pauses and deadlines must not depend on it. So when the wall clock
steps, every moment that a book waits for steps with it. A machine that slept is another matter: the time has
passed, entries have died meanwhile, so the clock that is compared with must have run on.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping

TOLERATED_MS = 2_000
"""Less than this is drift, not a step."""


def wall_clock() -> int:
    """Return the time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def find_sleepless(clocks: Mapping[str, object], platform: str) -> int | None:
    """Return the system's clock that runs on while the machine sleeps, or None where there is none.

    `time.monotonic` stands still meanwhile on Linux and macOS. Linux counts in CLOCK_BOOTTIME; on macOS the
    system's CLOCK_MONOTONIC does, which Python does not use for `time.monotonic` (clock_gettime(3) there).
    """
    name = "CLOCK_MONOTONIC" if platform == "darwin" else "CLOCK_BOOTTIME"
    found = clocks.get(name)
    return found if isinstance(found, int) else None


_SLEEPLESS = find_sleepless(vars(time), sys.platform)


def steady_clock() -> int:
    """Return milliseconds since some moment: nobody can set this clock, no sleep stops it."""
    if _SLEEPLESS is None:
        return time.monotonic_ns() // 1_000_000
    return time.clock_gettime_ns(_SLEEPLESS) // 1_000_000


def steady_seconds() -> float:
    """Return the steady clock in seconds, for windows and waits."""
    return steady_clock() / 1000


class ClockSteps:
    """Compare two clocks: how far the first one has been set since it was last asked."""

    def __init__(self, wall: Callable[[], int], steady: Callable[[], int]) -> None:
        self._wall = wall
        self._steady = steady
        self._apart = wall() - steady()

    def take(self) -> int:
        """Return by how many milliseconds the wall clock was set since the last call; mostly 0."""
        apart = self._wall() - self._steady()
        step = apart - self._apart
        self._apart = apart
        return step if abs(step) > TOLERATED_MS else 0
