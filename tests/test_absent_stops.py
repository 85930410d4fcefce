"""A stop that never arrived is known in time, also across a restart (rules 7.3, 8)."""

from __future__ import annotations

import pytest

from tests.venue_bench import LOSE_REQUEST


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
