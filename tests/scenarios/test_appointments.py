"""By the clock: flat at a set time, and told before a contract ends."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from desk.api.pages import list_open
from tests.support.fakes import HangingBroker, make_facts

CONFIG = """
accounts:
  f: {broker: venue, cash: 10000000, flatten_at: "15:05 America/Chicago"}
  free: {broker: paper, cash: 10000000}
default_account: f
strategies:
  s: {account: f}
  free: {account: free}
  daily: {account: free, flatten_at: "22:00 UTC"}
"""
ALERT = {"strategy": "s", "symbol": "MESZ2026", "price": 6000, "quantity": 1}


class FuturesVenue(HangingBroker):
    """A venue whose accounts trade on paper here."""

    facts = make_facts("reduce_only", markets=("futures",), currency="USD")


def at(text: str) -> int:
    """Return a time in UTC as milliseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.fixture
def desk(make_bench):
    """Give a desk with an account that is flat at 15:05 in Chicago, which is 21:05 UTC in winter."""
    bench = make_bench(CONFIG, {"venue": FuturesVenue()})
    bench.clock.now = at("2026-11-20T20:00")
    bench.turn()
    return bench


def held(desk):
    """Return what is held, by strategy and instrument."""
    return {
        (row["strategy"], row["instrument"]): Decimal(row["quantity"])
        for row in desk.positions()
        if Decimal(row["quantity"])
    }


def told(desk):
    """Return the messages about contracts that end."""
    rows = desk.store._db.execute("SELECT * FROM events WHERE event = 'expiry_near'").fetchall()
    return [" ".join(map(str, row)) for row in rows]


def test_what_is_held_at_the_minute_is_closed_and_what_comes_after_stays(desk):
    """Closed by flatten; entries end; nothing is denied afterwards, and the next day closes that."""
    desk.send(action="buy", **ALERT)
    row = desk.send(
        action="buy", order_type="limit", limit_price=5900, time_in_force="gtc", **ALERT
    )
    desk.clock.now = at("2026-11-20T21:04:59")
    desk.turn()
    assert held(desk)
    desk.tick(1)
    assert held(desk) == {}
    assert desk.closed()[0]["closed_by"] == "flatten"
    assert desk.status_of(row["alert_id"]) == "cancelled"
    desk.tick(60)
    assert desk.send(action="buy", **ALERT)["status"] == "filled"
    desk.tick(3600)
    assert held(desk) == {("s", "MESZ2026"): 1}
    desk.clock.now = at("2026-11-21T21:05")
    desk.turn()
    assert held(desk) == {}


def test_a_minute_that_was_slept_through_is_made_up_for(desk):
    """After a kill before it and a start after it the position is closed at once."""
    desk.send(action="buy", **ALERT)
    desk.clock.now = at("2026-11-20T22:30")
    desk.restart()
    assert held(desk) == {}


def test_only_what_the_setting_stands_under_is_closed(desk):
    """An account's time closes all on it, a strategy's only its own."""
    for strategy in ("free", "daily"):
        desk.send(action="buy", **{**ALERT, "strategy": strategy, "symbol": "MES1!"})
    desk.clock.now = at("2026-11-20T23:00")
    desk.turn()
    assert held(desk) == {("free", "MES1!"): 1}


def test_the_desk_wakes_at_the_minute(desk):
    """Whoever waits is not late because nothing else happens."""
    assert desk.desk._events.clockwork.next_at() <= at("2026-11-20T21:05")


def test_a_contract_that_is_held_too_long_is_told_once_a_day(desk):
    """From the day on which it should be left: a message, a line in /status, and the days in /positions."""
    alert = {**ALERT, "strategy": "free"}
    desk.send(action="buy", **alert)
    [row] = desk.positions()
    assert (row["roll_day"], row["last_day"]) == ("2026-12-14", "2026-12-18")
    desk.clock.now = at("2026-12-13T12:00")
    desk.turn()
    assert not told(desk)
    assert list_open(desk.desk)["expiry_near"] == []
    desk.clock.now = at("2026-12-14T12:00")
    for _ in range(5):
        desk.tick(3601)
    assert len(told(desk)) == 1
    assert (
        "free holds 1 MESZ2026 on free (paper): its last trading day is 2026-12-18" in told(desk)[0]
    )
    [row] = list_open(desk.desk)["expiry_near"]
    assert (row["strategy"], row["since"], row["last_day"]) == ("free", "2026-12-14", "2026-12-18")
    desk.clock.now = at("2026-12-15T12:00")
    desk.turn()
    assert len(told(desk)) == 2
    desk.send(action="close", **{**alert, "price": 6001})
    desk.clock.now = at("2026-12-16T12:00")
    desk.turn()
    assert len(told(desk)) == 2
    assert json.dumps(list_open(desk.desk)["expiry_near"]) == "[]"
