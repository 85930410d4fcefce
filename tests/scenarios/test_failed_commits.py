"""What a commit that fails, or a decision that fails, leaves behind: nothing, and it is done once later."""

from __future__ import annotations

from decimal import Decimal

import pytest

import desk.engine.execute
import desk.engine.intake
from brokers.protocol import Unreachable
from desk.engine.rates import Rates
from desk.state.store import StoreUnavailable
from tests.support.venue_bench import VenueBench


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    """Take the pause out that a failed commit makes in real time."""
    monkeypatch.setattr("desk.engine.loop.RETRY_SECONDS", 0)


def fail_commits(bench: VenueBench, count: int) -> list[int]:
    """Let the next commits fail, as on a full disk; return how many of them are left."""
    write, left = bench.store.write, [count]

    def write_or_fail(batch, *rest):
        if left[0]:
            left[0] -= 1
            raise StoreUnavailable("disk full")
        return write(batch, *rest)

    bench.store.write = write_or_fail
    return left


def test_an_alert_that_waited_on_one_account_is_not_decided_again_on_the_other(make_venue_bench):
    """It filled on one account; the commit that decides the other fails once. One order each, never two."""
    bench = make_venue_bench()
    bench.learn()
    bench.send(strategy="far", action="cancel", account_group="w")
    bench.is_held = True
    bench.send(strategy="far", action="buy", quantity="5", account_group="w", symbol=bench.symbol)
    held, bench.pool.calls[:] = list(bench.pool.calls), []
    bench.is_held = False
    answer = bench.send(strategy="both", action="buy", quantity="1")
    assert [(each["account"], each["status"]) for each in answer["orders"]] == [("v", "filled")]
    bench.tick(3)
    fail_commits(bench, 1)
    for call in held:
        bench.carry_out(call)
    bench.go()
    bench.tick(5)
    assert len(bench.entries()) == 1
    assert (bench.held("both"), bench.at_venue()) == (1, 1)
    accounts = [each["account"] for each in bench.now(answer)["orders"]]
    assert sorted(accounts) == ["v", "w"]


def test_a_call_that_timed_out_is_not_forgotten_where_its_commit_fails(make_venue_bench):
    """The exit is looked up and sent again, as if the disk had been well."""
    bench = make_venue_bench()
    bench.buy("1")
    bench.is_held = True
    close = bench.send(action="close")
    bench.pool.calls.clear()
    bench.is_held = False
    bench.clock.tick(8.6)
    fail_commits(bench, 1)
    bench.go()
    bench.tick(60)
    assert bench.now(close)["status"] == "filled"
    assert (bench.held(), bench.at_venue()) == (0, 0)


def test_alerts_that_could_not_be_recorded_count_for_no_rate(make_venue_bench):
    """Twelve were answered 503 because of a full disk; the thirteenth is traded."""
    bench = make_venue_bench()
    bench.learn()
    bench.desk.context.rates = Rates("5/minute", bench.clock.seconds)
    left = fail_commits(bench, 1_000)
    for _ in range(12):
        assert bench.deliver(action="buy", quantity="1").error
    left[0] = 0
    assert bench.buy("1")["status"] == "filled"


def test_alerts_that_waited_are_limited_like_all_others(make_venue_bench):
    """Ten wait behind an order on its way; of a rate of five a minute five are traded."""
    bench = make_venue_bench()
    bench.learn()
    bench.desk.context.rates = Rates("5/minute", bench.clock.seconds)
    bench.is_held = True
    replies = [bench.deliver(action="buy", quantity="1") for _ in range(10)]
    bench.is_held = False
    bench.go()
    assert len(bench.entries()) == 5
    codes = [bench.now(reply.answers[0].shape)["code"] for reply in replies]
    assert codes.count("RATE_LIMITED") == 5


def test_a_decision_that_fails_after_a_wait_stops_nobody_else(make_venue_bench, monkeypatch):
    """The alert that waits is refused by name; closes elsewhere are carried out, also after a restart."""
    bench = make_venue_bench()
    bench.learn()
    bench.buy("1", strategy="far", account_group="w")
    bench.venue.fail("instrument", Unreachable("no route"))
    waits = bench.send(action="buy", quantity="1", symbol=bench.other)
    assert waits["status"] == "pending"
    decide = desk.engine.intake.decide

    def fail_for_one(book, alert, *others):
        if alert.symbol == bench.other:
            raise ZeroDivisionError
        return decide(book, alert, *others)

    monkeypatch.setattr(desk.engine.intake, "decide", fail_for_one)
    bench.tick(5)
    row = bench.now(waits)
    assert (row["status"], row["code"]) == ("denied", "BOOK_BLOCKED")
    assert bench.told("internal_error")
    bench.crash()
    assert bench.send(strategy="far", action="close", account_group="w")["status"] == "filled"
    assert bench.held("far", account="w") == Decimal(0)


def test_a_deadline_that_cannot_be_planned_is_looked_at_again_a_minute_later(
    make_venue_bench, monkeypatch
):
    """Told once, not a thousand times a second."""
    bench = make_venue_bench()
    bench.send(action="buy", quantity="1", order_type="limit", limit_price="90")
    next_step = desk.engine.execute.next_step

    def fail(book, now):
        raise ZeroDivisionError

    monkeypatch.setattr(desk.engine.execute, "next_step", fail)
    bench.clock.tick(301)
    for _ in range(20):
        bench.desk.turn([])
    assert len(bench.told("internal_error")) == 1
    assert bench.concerns()["blocked"]
    monkeypatch.setattr(desk.engine.execute, "next_step", next_step)
    bench.tick(61)
    assert bench.venue.working() == []
