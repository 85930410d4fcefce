"""Read trading hours and tell whether a moment lies within them.

A window is days, two local times and a zone: `mon-fri 09:30-16:00 America/New_York`. Without days it is
every day. Where the end is not after the beginning it runs past midnight and belongs to the day on which
it begins: `sun-thu 18:00-17:00 America/New_York`. Pure: the moment is an argument.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WINDOW = re.compile(r"(?:([A-Za-z,-]+) )?(\d\d):(\d\d)-(\d\d):(\d\d) (\S+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Window:
    """A time of the week; minutes count from local midnight, days from Monday."""

    days: frozenset[int]
    start: int
    end: int
    zone: ZoneInfo


def read_window(text: str) -> Window:
    """Return the window a text means. Raises `ValueError`, or what `ZoneInfo` raises for its zone."""
    found = _WINDOW.fullmatch(text.strip())
    if found is None:
        raise ValueError(text)
    start = int(found[2]) * 60 + int(found[3])
    end = int(found[4]) * 60 + int(found[5])
    is_clock = int(found[3]) < 60 and int(found[5]) < 60
    if not is_clock or start >= 1440 or end > 1440:
        raise ValueError(text)
    return Window(_read_days(found[1] or "mon-sun"), start, end, ZoneInfo(found[6]))


def _read_days(text: str) -> frozenset[int]:
    days: set[int] = set()
    for part in text.lower().split(","):
        first, _, last = part.partition("-")
        begin, end = DAYS.index(first), DAYS.index(last or first)  # ValueError where it is no day
        days.update((begin + step) % 7 for step in range((end - begin) % 7 + 1))
    return frozenset(days)


def is_within(window: Window, now: int) -> bool:
    """Tell whether `now` (milliseconds since 1970) lies in the window; its end no longer does."""
    moment = datetime.fromtimestamp(now / 1000, UTC).astimezone(window.zone)
    minute, day = moment.hour * 60 + moment.minute, moment.weekday()
    if window.start < window.end:
        return day in window.days and window.start <= minute < window.end
    began_today = day in window.days and minute >= window.start
    return began_today or ((day - 1) % 7 in window.days and minute < window.end)
