"""Say how long a failing receiver is left alone, and how much is kept for it."""

from __future__ import annotations

FIRST_PAUSE_MS = 1_000
LONGEST_PAUSE_MS = 30_000
MOST_WAITING = 1_000
"""How many numbers of the record may wait for one receiver; the oldest beyond are dropped and counted."""
MOST_AT_ONCE = 50
"""The most entries that are handed over together."""


def pause_after(failures: int) -> int:
    """Return how long to wait after so many failures in a row, in ms: doubled each time, to a ceiling."""
    return min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS << min(max(failures, 1) - 1, 5))


def first_kept(taken: int, newest: int) -> int:
    """Return the number after which entries are still sent, where `taken` are done already."""
    return max(taken, newest - MOST_WAITING)
