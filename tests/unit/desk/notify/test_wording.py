"""A message begins with its event and says each thing once."""

from __future__ import annotations

import pytest

from desk.notify.wording import Told, name_event, write_message


@pytest.mark.parametrize(
    ("recorded", "name"),
    [
        ("trade", "trade"),
        ("stop_filled", "stop_filled"),
        ("order_unknown", "unknown"),
        ("account_silent", "venue_silent"),
        ("account_answers", "venue_back"),
        ("order_refused", "refusal"),
        ("order_denied", "denial"),
        ("halted", "halt"),
        ("bare_share", "unprotected"),
        ("demotion", "demotion"),
        ("clock_set", "other"),
    ],
)
def test_what_is_recorded_falls_under_one_name(recorded, name):
    """The names are those that `events:` takes."""
    assert name_event(recorded) == name


def test_one_event_is_one_message():
    """Its title is the event, its text what happened."""
    told = [Told(1, "demotion", "demotion: ma_cross opens on paper from now on.")]
    assert write_message(told) == ("demotion", "ma_cross opens on paper from now on.")


def test_a_burst_is_one_message_that_says_each_once():
    """Its title names the first and how many more."""
    told = [Told(1, "trade", "a"), Told(2, "trade", "a"), Told(3, "stop_filled", "b")]
    assert write_message(told) == ("trade and 1 more", "trade: a\nstop_filled: b")
