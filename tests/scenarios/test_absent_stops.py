"""A stop that never arrived is known in time, also across a restart (rules 7.3, 8)."""

from __future__ import annotations

import pytest

from tests.support.venue_bench import ARRIVE_LATE, LOSE_ANSWER, LOSE_REQUEST


def lose_a_stop(bench):
    """Buy with a stop whose request is lost on the way."""
    bench.learn()
    bench.venue.fail("place", None, LOSE_REQUEST)
    bench.buy("2", stop_loss="90")
    return bench.clock()


@pytest.mark.parametrize("kind", ["plain", "locked"])
@pytest.mark.parametrize("seconds", [0, 1, 4, 9, 30])
def test_an_order_that_never_arrived_is_known_within_ten_seconds_of_its_send(
    make_venue_bench, kind, seconds
):
    """Restarted so long after the send: three look-ups do, the last of them ten seconds after the send."""
    bench = make_venue_bench(kind)
    sent = lose_a_stop(bench)
    bench.is_held = True
    bench.clock.tick(seconds)
    bench.is_held = False
    bench.crash()
    while not bench.told("order_absent"):
        bench.tick(0.5, step=0.5)
        assert bench.clock() - sent <= max(11_000, seconds * 1_000 + 5_000)
    assert bench.clock() - sent >= 10_000
    bench.tick(3)
    assert [leg[0] for leg in bench.legs()] == ["stop"]


@pytest.mark.parametrize("kind", ["reduce-only", "reduce-only-oco"])
@pytest.mark.parametrize("crashes", [False, True])
@pytest.mark.parametrize(
    "levels", [{}, {"take_profit": "120"}], ids=["a stop", "a stop and a target"]
)
def test_a_stop_that_a_list_does_not_show_is_placed_anew(make_venue_bench, kind, crashes, levels):
    """Bare for five seconds at most; what became of the old one is looked up on, and nothing is doubled."""
    bench = make_venue_bench(kind)
    bench.learn()
    bench.venue.fail("place", None, *[LOSE_REQUEST] * (1 + len(levels)))
    bench.buy("2", stop_loss="90", **levels)
    if crashes:
        bench.crash()
    bench.tick(5)
    legs = [("limit", 120, 2)] * len(levels) + [("stop", 90, 2)]
    assert bench.legs() == legs
    bench.tick(30)
    assert bench.legs() == legs
    assert bench.told("order_absent")
    bench.send(action="close")
    bench.tick(3)
    assert (bench.held(), bench.at_venue(), bench.legs()) == (0, 0, [])


def test_a_stop_that_turns_up_after_another_was_placed_is_cancelled(make_venue_bench):
    """Its request arrives late: one of the two stays."""
    bench = make_venue_bench("reduce-only")
    bench.learn()
    bench.venue.fail("place", None, ARRIVE_LATE)
    bench.buy("2", stop_loss="90")
    bench.tick(5)
    assert bench.legs() == [("stop", 90, 2)]
    bench.venue.let_in()
    assert len(bench.legs()) == 2
    bench.tick(15)
    assert bench.legs() == [("stop", 90, 2)]
    bench.move(89)
    bench.tick(6)
    assert (bench.held(), bench.at_venue(), bench.legs()) == (0, 0, [])


def test_a_stop_whose_answer_alone_was_lost_is_not_placed_twice(make_venue_bench):
    """The list shows it."""
    bench = make_venue_bench("reduce-only")
    bench.learn()
    bench.venue.fail("place", None, LOSE_ANSWER)
    bench.buy("2", stop_loss="90")
    bench.tick(10)
    assert bench.legs() == [("stop", 90, 2)]
    assert len([each for each in bench.venue.requests if each.reduces]) == 1
