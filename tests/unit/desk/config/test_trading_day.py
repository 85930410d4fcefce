"""The trading day: when it begins and ends, also on the days on which clocks are changed."""

from __future__ import annotations

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest

from desk.config.trading_day import end_of_day, start_of_day

HOUR = 3_600_000


def ms(text):
    """Return a time in UTC as milliseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def day(start, moment):
    """Return when the day of a moment begins and ends, as text."""
    clock, _, zone = start.partition(" ")
    found = (time.fromisoformat(clock), ZoneInfo(zone))
    ends = (start_of_day(found, ms(moment)), end_of_day(found, ms(moment)))
    return [datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M") for at in ends]


@pytest.mark.parametrize(
    ("start", "moment", "began", "ends"),
    [
        ("00:00 UTC", "2026-03-08T12:00", "2026-03-08T00:00", "2026-03-09T00:00"),
        ("00:00 UTC", "2026-03-08T00:00", "2026-03-08T00:00", "2026-03-09T00:00"),
        ("17:00 America/Chicago", "2026-03-08T12:00", "2026-03-07T23:00", "2026-03-08T22:00"),
        ("17:00 America/Chicago", "2026-11-01T12:00", "2026-10-31T22:00", "2026-11-01T23:00"),
        # Skipped: at 02:00 it is 03:00, so the day begins at that change.
        ("02:30 America/New_York", "2026-03-08T06:59", "2026-03-07T07:30", "2026-03-08T07:00"),
        ("02:30 America/New_York", "2026-03-08T07:00", "2026-03-08T07:00", "2026-03-09T06:30"),
        ("02:00 America/New_York", "2026-03-08T07:10", "2026-03-08T07:00", "2026-03-09T06:00"),
        # Twice: 01:30 comes at 05:30 and at 06:30, and the first counts.
        ("01:30 America/New_York", "2026-11-01T05:29", "2026-10-31T05:30", "2026-11-01T05:30"),
        ("01:30 America/New_York", "2026-11-01T05:30", "2026-11-01T05:30", "2026-11-02T06:30"),
        ("01:30 America/New_York", "2026-11-01T06:10", "2026-11-01T05:30", "2026-11-02T06:30"),
        ("01:30 America/New_York", "2026-11-01T06:40", "2026-11-01T05:30", "2026-11-02T06:30"),
        # Midnight itself is skipped in Cairo, half an hour in Lord Howe, a whole day in Samoa.
        ("00:00 Africa/Cairo", "2026-04-23T22:30", "2026-04-23T22:00", "2026-04-24T21:00"),
        ("02:15 Australia/Lord_Howe", "2026-10-03T15:40", "2026-10-03T15:30", "2026-10-04T15:15"),
        ("12:00 Pacific/Apia", "2011-12-30T12:00", "2011-12-30T10:00", "2011-12-30T22:00"),
    ],
)
def test_the_day_begins_and_ends_where_the_rule_says(start, moment, began, ends):
    """At the first of a time that comes twice, at the next that exists where it is skipped."""
    assert day(start, moment) == [began, ends]


@pytest.mark.parametrize(
    "zone", ["America/New_York", "Europe/London", "Australia/Lord_Howe", "UTC"]
)
@pytest.mark.parametrize("clock", ["00:00", "01:30", "02:30", "17:00", "23:59"])
def test_every_moment_of_a_year_lies_in_one_day(zone, clock):
    """A day begins where the one before it ends, and lasts 23 to 25 hours."""
    start = (time.fromisoformat(clock), ZoneInfo(zone))
    at, last = ms("2026-01-01T00:00"), ms("2027-01-01T00:00")
    while at < last:
        end = end_of_day(start, at)
        assert start_of_day(start, end - 1) == start_of_day(start, at) <= at
        assert start_of_day(start, end) == end
        assert 22 * HOUR <= end - start_of_day(start, at) <= 26 * HOUR
        at = end
