"""Say when an account's trading day begins and ends, also on the days on which clocks are changed.

A day begins at a local time. One that comes twice begins the day at its first; one that does not exist, at
the next that does (rules 15.4). Pure: the moment is an argument.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

Start = tuple[time, ZoneInfo]
SECOND = timedelta(seconds=1)


def start_of_day(start: Start, now: int) -> int:
    """Return when the day of a moment began; both in milliseconds since 1970."""
    return max(at for at in _near(start, now) if at <= now)


def end_of_day(start: Start, now: int) -> int:
    """Return when the day of a moment ends, which is when the next begins."""
    return min(at for at in _near(start, now) if at > now)


def _near(start: Start, now: int) -> list[int]:
    """Return when the days around a moment begin."""
    clock, zone = start
    today = datetime.fromtimestamp(now / 1000, UTC).astimezone(zone).date()
    return [_begin(clock, zone, today + timedelta(days=days)) for days in (-2, -1, 0, 1, 2)]


@lru_cache(maxsize=512)
def _begin(clock: time, zone: ZoneInfo, day: date) -> int:
    first = datetime.combine(day, clock, zone)  # fold 0: of a time that comes twice, the first
    moment = first.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) != first.replace(tzinfo=None):
        # The clocks skip it. Read by what held before them, it lies after the change; read by what holds
        # after, before it.
        moment = _find_change(zone, first.replace(fold=1).astimezone(UTC), moment)
    return int(moment.timestamp()) * 1000


def _find_change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """Return the moment between two others at which a zone's clocks are changed."""
    new = after.astimezone(zone).utcoffset()
    while after - before > SECOND:
        middle = before + (after - before) / 2
        middle -= timedelta(microseconds=middle.microsecond)
        is_over = middle.astimezone(zone).utcoffset() == new
        before, after = (before, middle) if is_over else (middle, after)
    return after
