"""How time is judged: one row a sentence of rules 2, its number in the id."""

from __future__ import annotations

import pytest

from desk.decision.staleness import is_stale_opening, is_stale_reducing, judge_age, mark_said
from desk.orders.order import AlertRef
from desk.orders.strategy_position import NO_SIGNALS, SignalHistory
from parsers.alert import Alert

NOW = 1_800_000_000_000
MAX_AGE = 90_000
HOUR = 3_600


@pytest.mark.parametrize(
    ("said", "received", "expires", "warns"),
    [
        pytest.param({"fired_at": -90}, 0, False, False, id="2.1 as old as is allowed"),
        pytest.param({"fired_at": -91}, 0, True, False, id="2.1 older than is allowed"),
        pytest.param({"bar_at": -HOUR, "interval_seconds": HOUR}, 0, False, False, id="2.2 a bar"),
        pytest.param(
            {"bar_at": -HOUR - 91, "interval_seconds": HOUR}, 0, True, False, id="2.2 bar and more"
        ),
        pytest.param({"bar_at": -HOUR}, 0, False, True, id="2.2 no interval: only a warning"),
        pytest.param({"bar_at": -60}, 0, False, False, id="2.2 no interval, but fresh"),
        pytest.param({}, -91, True, False, id="2.3 waiting here counts the same"),
        pytest.param({"fired_at": 30}, 0, False, False, id="2.3 half a minute ahead"),
        pytest.param({"fired_at": 31}, 0, False, True, id="2.3 further ahead: a warning"),
    ],
)
def test_an_opening_alert_expires_by_its_own_time(said, received, expires, warns):
    """Times are seconds from now."""
    at = {name: NOW + value * 1000 for name, value in said.items() if name.endswith("_at")}
    alert = Alert("buy", "BTCUSDT", **{**said, **at})
    times = judge_age(alert, NOW + received * 1000, NOW, MAX_AGE)
    assert (bool(times.expired), bool(times.warnings)) == (expires, warns)


@pytest.mark.parametrize(
    ("signals", "fired", "partial", "stale"),
    [
        pytest.param({"opened": 9}, 5, False, True, id="2.5 a later alert opened"),
        pytest.param({"opened": 9}, 5, True, True, id="2.5 and so it is for a partial exit"),
        pytest.param({"stated": 9}, 5, False, True, id="2.5 a later alert stated a position"),
        pytest.param({"stated": 9}, 5, True, False, id="2.5 a partial exit only yields to opening"),
        pytest.param({"opened": 5}, 9, False, False, id="2.5 it fired after what opened"),
        pytest.param({"opened": 5}, 5, False, False, id="2.5 equal times go by arrival"),
        pytest.param({"opened": 9}, None, False, False, id="2.5 without a time nothing is later"),
    ],
)
def test_an_exit_is_superseded_only_by_what_opened_or_stated(signals, fired, partial, stale):
    """Times are seconds."""
    history = SignalHistory(**{name: second * 1000 for name, second in signals.items()})
    assert is_stale_reducing(history, fired and fired * 1000, partial) == stale


@pytest.mark.parametrize(
    ("said", "entry", "side", "stale"),
    [
        pytest.param({"closes_all": True}, (2, 5), "buy", True, id="2.6 a later close"),
        pytest.param({"closes_all": True}, (2, 12), "buy", False, id="2.6 an earlier close"),
        pytest.param(
            {"closes_all": True}, (1, 12), "buy", False, id="2.6 firing goes over arrival"
        ),
        pytest.param(
            {"closes_all": True}, (1, None), "buy", True, id="2.6 no time: arrival counts"
        ),
        pytest.param({"stated": "short"}, (2, 5), "buy", True, id="2.6 the other side was stated"),
        pytest.param({"stated": "short"}, (2, 5), "sell", False, id="2.6 its own side was stated"),
        pytest.param({"stated": "flat"}, (2, 5), "sell", True, id="2.6 flat was stated"),
        pytest.param({"only": "long"}, (2, 5), "buy", True, id="2.6 its own exit found nothing"),
        pytest.param({"only": "long"}, (2, 5), "sell", False, id="2.6 an exit of the other side"),
    ],
)
def test_an_entry_is_overtaken_by_what_fired_later(said, entry, side, stale):
    """What was said fired at second 10 and is number 2; of an entry: its number, and when it fired."""
    cause = AlertRef("said", 2, fired_at=10_000, stated=said.get("stated"))
    closes, only = said.get("closes_all", False), said.get("only")
    signals = mark_said(NO_SIGNALS, cause, closes_all=closes, only=only)
    seq, fired = entry
    opening = AlertRef("entry", seq, fired_at=fired and fired * 1000)
    assert is_stale_opening(signals, opening, side) == stale
