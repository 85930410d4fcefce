"""When the clock is set, pauses and deadlines last as long as before."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest

from brokers.protocol import Uncertain, Unreachable
from desk.process.clock import ClockSteps, find_sleepless, steady_clock
from tests.games.game import Game
from tests.support.fakes import DeskBench, FakeClock

HOUR = 3_600


def test_a_step_is_noticed_once_and_drift_is_not():
    """A second of drift is none; an hour is told once, with its sign."""
    wall, steady = FakeClock(), FakeClock()
    steps = ClockSteps(wall, steady)
    wall.tick(1)
    assert steps.take() == 0
    wall.tick(-HOUR)
    assert steps.take() == -HOUR * 1000
    assert steps.take() == 0


@pytest.mark.parametrize("step", [-HOUR, HOUR])
def test_an_unknown_order_is_looked_up_in_time_whatever_the_clock_says(step, monkeypatch):
    """Two seconds after the answer was lost, also when the clock was set by an hour in between."""
    game, steady = Game(3), FakeClock()
    venue = game.venues["a"]
    venue.is_honest = True

    def lose(request):
        raise Uncertain

    with monkeypatch.context() as lost:
        lost.setattr(venue, "place_order", lose)
        game.desk._steps = ClockSteps(game.clock, steady)
        game.send("one", game.symbols[0], action="buy", quantity=Decimal("0.1"))
        game.carry_out(1.0)
    assert not game.pool.calls
    game.clock.tick(step)
    game.turn()
    assert not game.pool.calls
    game.clock.tick(2)
    steady.tick(2)
    game.turn()
    assert [call.what for _, call in game.pool.calls] == ["look"]
    told = game.desk.store._db.execute("SELECT message FROM events WHERE event = 'clock_set'")
    assert f"{step:+.1f} s" in told.fetchone()[0]
    game.end()


def set_clock(bench, steady, seconds, *, step=0.0):
    """Let time pass on both clocks, then set the wall clock by a step."""
    bench.clock.tick(seconds)
    steady.tick(seconds)
    bench.go()
    bench.clock.tick(step)
    bench.go()


def test_a_resend_is_known_whatever_the_clock_says(make_venue_bench):
    """Delivered twice within five seconds, while the clock was set forward by a minute."""
    bench, steady = make_venue_bench(), FakeClock()
    bench.desk._steps = ClockSteps(bench.clock, steady)
    bench.buy("1", id="same")
    set_clock(bench, steady, 3, step=60)
    set_clock(bench, steady, 2)
    assert bench.buy("1", id="same")["duplicate"]
    assert bench.held() == 1


def test_a_resend_with_a_key_is_known_over_a_restart(make_venue_bench):
    """What claims a key stands on disk; it ends as much later as the clock was set forward."""
    bench, steady = make_venue_bench(), FakeClock()
    bench.desk._steps = ClockSteps(bench.clock, steady)
    bench.buy("1", id="same", idempotency_key="k")
    set_clock(bench, steady, 3, step=48 * HOUR)
    bench.crash()
    assert bench.buy("1", id="same", idempotency_key="k")["duplicate"]
    assert bench.held() == 1


def test_an_alert_that_waits_grows_old_whatever_the_clock_says(make_venue_bench):
    """Fifteen minutes behind a silent venue are too long, also when the clock was set back by an hour."""
    bench, steady = make_venue_bench(), FakeClock()
    bench.desk._steps = ClockSteps(bench.clock, steady)
    bench.venue.fail("instrument", *[Unreachable("no route")] * 400)
    answer = bench.buy("1")
    set_clock(bench, steady, 3, step=-HOUR)
    for _ in range(300):
        set_clock(bench, steady, 3)
    bench.venue.faults["instrument"].clear()
    set_clock(bench, steady, 3)
    set_clock(bench, steady, 3)
    row = bench.now(answer)
    assert (row["status"], row["code"], bench.held()) == ("denied", "EXPIRED", 0)


def test_a_clock_that_was_set_is_told_also_beside_a_question(make_venue_bench):
    """A dry delivery in the same batch takes nothing of it back."""
    bench, steady = make_venue_bench(), FakeClock()
    bench.desk._steps = ClockSteps(bench.clock, steady)
    bench.clock.tick(HOUR)
    bench.deliver(action="buy", quantity="1", test=True)
    assert bench.told("clock_set")


def test_orders_of_the_last_hour_are_no_repeats_whatever_the_clock_says(tmp_path):
    """Ten in fifty minutes, then the clock was set back by an hour: they were not sent within a minute."""
    bench, steady = DeskBench(tmp_path, "risk: {max_repeats: 10}"), FakeClock()
    bench.desk._steps = ClockSteps(bench.clock, steady)
    buy = {"strategy": "s", "action": "buy", "symbol": "BTCUSDT", "quantity": "0.01", "price": 100}
    for _ in range(10):
        assert bench.send(**buy)["status"] == "filled"
        bench.clock.tick(300)
        steady.tick(300)
        bench.turn()
    bench.clock.tick(-HOUR)
    bench.turn()
    assert bench.send(**buy)["status"] == "filled"
    assert not bench.desk.state.halts


@pytest.mark.parametrize(
    ("clocks", "platform", "found"),
    [
        ({"CLOCK_MONOTONIC": 1, "CLOCK_BOOTTIME": 7}, "linux", 7),
        ({"CLOCK_MONOTONIC": 6, "CLOCK_UPTIME_RAW": 8}, "darwin", 6),
        ({"CLOCK_MONOTONIC": 4}, "freebsd14", None),
        ({}, "win32", None),
    ],
)
def test_the_steady_clock_is_one_that_runs_on_while_the_machine_sleeps(clocks, platform, found):
    """Where the system has such a clock it is the one that the wall clock is compared with."""
    assert find_sleepless(clocks, platform) == found


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="only Linux names it so")
def test_the_steady_clock_counts_since_the_start_of_the_machine():
    """The one that Linux goes on counting in while it sleeps."""
    before = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
    told = steady_clock()
    assert before <= told <= time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


@pytest.fixture
def make_sleeper(tmp_path):
    """Make a desk on paper whose two clocks are driven by hand; what it fills goes by alerts' prices."""
    made = []

    def make():
        bench, steady = DeskBench(tmp_path, "prices: alerts"), FakeClock()
        bench.desk._steps = ClockSteps(bench.clock, steady)
        made.append(bench)
        return bench, steady

    yield make
    for bench in made:
        bench.store.close()


def test_an_entry_does_not_outlive_a_sleep_of_the_machine(make_sleeper):
    """Lid closed for eight hours: the first price afterwards fills no limit entry of five minutes."""
    bench, steady = make_sleeper()
    about = {"strategy": "s", "symbol": "BTCUSDT"}
    is_resting = bench.send(
        action="buy", quantity="1", order_type="limit", limit_price="90", price="100", **about
    )
    for clock in (bench.clock, steady):
        clock.tick(8 * HOUR)
    bench.send(action="buy", quantity="1", price="80", strategy="t", symbol="BTCUSDT")
    assert bench.status_of(is_resting["alert_id"]) == "expired"
    assert (bench.held("s", "BTCUSDT"), bench.held("t", "BTCUSDT")) == (0, 1)


def test_an_alert_that_waited_through_a_sleep_is_too_old(make_venue_bench):
    """Its age is the time that passed, eight hours of it with the lid closed."""
    bench, steady = make_venue_bench(), FakeClock()
    bench.desk._steps = ClockSteps(bench.clock, steady)
    bench.venue.fail("instrument", Unreachable("no route"))
    waits = bench.buy("1")
    assert waits["status"] == "pending"
    for clock in (bench.clock, steady):
        clock.tick(8 * HOUR)
    bench.go()
    row = bench.now(waits)
    assert (row["status"], row["code"], bench.held()) == ("denied", "EXPIRED", 0)


def test_an_order_that_came_back_late_is_not_taken_for_lost_beside_its_answer(make_venue_bench):
    """After a sleep the answer lies in the inbox: it counts, and not that its time is over."""
    bench, steady = make_venue_bench(), FakeClock()
    bench.desk._steps = ClockSteps(bench.clock, steady)
    bench.learn()
    bench.is_held = True
    answer = bench.send(action="buy", quantity="1", order_type="limit", limit_price="90")
    [call], bench.is_held = bench.pool.calls, False
    bench.pool.calls.clear()
    for clock in (bench.clock, steady):
        clock.tick(60)
    bench.carry_out(call)
    assert bench.now(answer)["status"] == "accepted"
    assert not bench.told("order_unknown")
