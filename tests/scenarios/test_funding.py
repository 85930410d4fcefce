"""Rules 10.4 and 15.1: what holding a perpetual brings and costs is booked once, with its position."""

from __future__ import annotations

from decimal import Decimal

import pytest

from brokers.protocol import Funding, Unreachable
from desk.api.accounts import show_accounts

D = Decimal
HOUR = 3_600


@pytest.fixture
def bench(make_venue_bench):
    """Give a desk at a venue that charges funding."""
    return make_venue_bench("funded")


def charge(bench, amount: str, number: str = "f1", coin: str = "USDT") -> None:
    """Let the venue charge (below zero) or pay, now."""
    funding = Funding(number, bench.symbol, D(amount), coin, bench.clock())
    bench.venue.charged.append(funding)


def to_next_hour(bench, seconds_after: int = 0) -> None:
    """Let the clock go on to a full hour, and a little further."""
    now = bench.clock() // 1000
    bench.tick(HOUR - now % HOUR + seconds_after, step=5)


def of_account(bench) -> dict[str, str]:
    """Return what /accounts says of it."""
    [row] = [
        row
        for row in show_accounts(bench.settings, bench.desk.state.shown)
        if row["account"] == "v"
    ]
    return row.get("funding", {})


def test_funding_lowers_the_result_of_the_trade_and_of_the_account(bench):
    """Charged once while it was held: in the position, in the closed trade, in /accounts."""
    bench.buy("2")
    to_next_hour(bench)
    charge(bench, "-1.25")
    bench.tick(60, step=5)
    assert bench.rows()[0]["realized_pnl"] == "-1.25"
    bench.send(action="close")
    bench.tick(12)
    [trade] = bench.closed()
    assert (trade["funding"], trade["fees"], trade["realized_pnl"]) == ("-1.25", "0", "-1.25")
    assert of_account(bench) == {"USDT": "-1.25"}


def test_funding_is_asked_for_once_an_hour_while_something_is_held(bench):
    """And not at all where nothing is."""
    bench.tick(3 * HOUR, step=30)
    assert bench.venue.times("funding") == []
    bench.buy("2")
    bench.tick(4 * HOUR, step=5)
    assert 4 <= len(bench.venue.times("funding")) <= 6
    bench.send(action="close")
    bench.tick(2 * HOUR, step=30)
    asked = len(bench.venue.times("funding"))
    bench.tick(4 * HOUR, step=30)
    assert len(bench.venue.times("funding")) == asked


def test_what_is_told_again_is_booked_once(bench):
    """By the venue's id, also across a kill."""
    bench.buy("2")
    to_next_hour(bench)
    charge(bench, "-1")
    bench.tick(60, step=5)
    bench.crash()
    bench.tick(2 * HOUR, step=5)
    assert bench.rows()[0]["realized_pnl"] == "-1"
    assert of_account(bench) == {"USDT": "-1"}


def test_what_was_charged_while_nobody_ran_is_asked_for_at_the_start(bench):
    """Back to when the position was opened."""
    bench.buy("2")
    bench.tick(10)
    for number in range(3):
        bench.clock.tick(8 * HOUR)
        charge(bench, "-1", f"f{number}")
    bench.crash()
    bench.tick(60, step=5)
    assert bench.rows()[0]["realized_pnl"] == "-3"


def test_what_came_after_the_close_is_the_accounts_alone(bench):
    """The trade is on record already: it counts in the day's result and in /accounts."""
    bench.buy("2")
    to_next_hour(bench)
    charge(bench, "0.5")
    bench.send(action="close")
    bench.tick(120, step=5)
    assert bench.closed()[0]["realized_pnl"] == "0"
    assert of_account(bench) == {"USDT": "0.5"}


def test_funding_in_another_coin_marks_the_trade_approximate(bench):
    """It is not converted, and says so."""
    bench.buy("2")
    to_next_hour(bench)
    charge(bench, "-0.01", coin="BNB")
    bench.tick(60, step=5)
    bench.send(action="close")
    assert bench.closed()[0]["approximate"] is True
    assert of_account(bench) == {"BNB": "-0.01"}


def test_an_account_that_does_not_tell_its_funding_is_read_all_the_same(bench):
    """It is asked again at the next read; nothing else waits for it."""
    bench.buy("2")
    to_next_hour(bench)
    charge(bench, "-1")
    bench.venue.fail("funding", Unreachable("no route"))
    bench.tick(60, step=5)
    assert bench.told("account_silent") == []
    assert bench.rows()[0]["realized_pnl"] == "-1"
