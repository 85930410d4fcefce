"""When the clock is set, pauses and deadlines last as long as before."""

from __future__ import annotations

from decimal import Decimal

import pytest

from brokers.protocol import Uncertain
from desk.clock import Steps
from tests.fakes import FakeClock
from tests.game import Game

HOUR = 3_600


def test_a_step_is_noticed_once_and_drift_is_not():
    """A second of drift is none; an hour is told once, with its sign."""
    wall, steady = FakeClock(), FakeClock()
    steps = Steps(wall, steady)
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
        game.desk._steps = Steps(game.clock, steady)
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
