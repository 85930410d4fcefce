"""One order is cancelled by hand: an entry or a resting exit ends, what protects stays (rules 6.3)."""

from __future__ import annotations

import pytest

from tests.support.venue_bench import KINDS, LOSE_ANSWER

LIMIT = {"action": "buy", "quantity": "1", "order_type": "limit", "limit_price": "90"}


def ids(bench, kind):
    """Return the client ids of the working orders of a kind."""
    return [each.client_id for each in bench.book().orders.values() if each.kind == kind]


@pytest.mark.parametrize("kind", KINDS)
def test_a_working_entry_ends_at_the_venue(make_venue_bench, kind):
    """Its alert is told as cancelled, and nothing was opened."""
    bench = make_venue_bench(kind)
    answer = bench.send(**LIMIT)
    command = bench.command("cancel", client_id=ids(bench, "entry")[0])
    assert "being cancelled" in command.said
    bench.tick(10)
    assert bench.now(answer)["status"] == "cancelled"
    assert not bench.book().orders
    assert len(bench.told("cancelled")) == 1


def test_a_cancel_whose_answer_is_lost_is_looked_up(make_venue_bench):
    """The wish stays until the venue says that the entry has ended."""
    bench = make_venue_bench("reduce-only")
    answer = bench.send(**LIMIT)
    bench.venue.fail("cancel", LOSE_ANSWER)
    bench.command("cancel", client_id=ids(bench, "entry")[0])
    bench.tick(60)
    assert bench.now(answer)["status"] == "cancelled"


def test_a_resting_exit_ends_and_the_position_stays(make_venue_bench):
    """With its stop."""
    bench = make_venue_bench("reduce-only")
    bench.buy("1", stop_loss="80")
    bench.send(action="close", order_type="limit", limit_price="130")
    [exit_id] = ids(bench, "exit")
    bench.command("cancel", client_id=exit_id)
    bench.tick(10)
    assert ids(bench, "exit") == []
    assert len(ids(bench, "stop_loss")) == 1
    assert bench.book().position("s").quantity == 1


def test_what_protects_is_not_cancelled(make_venue_bench):
    """The refusal says what to do instead."""
    bench = make_venue_bench("reduce-only")
    bench.buy("1", stop_loss="80")
    command = bench.command("cancel", client_id=ids(bench, "stop_loss")[0])
    assert command.refused.code == "UNSUPPORTED"
    assert "Close the position" in command.refused.message
    bench.tick(10)
    assert len(ids(bench, "stop_loss")) == 1


def test_what_is_not_working_is_not_cancelled(make_venue_bench):
    """Neither a name nobody knows nor an order that has filled."""
    bench = make_venue_bench("reduce-only")
    bench.buy("1")
    for name in ("nobody", "x" * 64):
        assert bench.command("cancel", client_id=name).refused.code == "NOTHING_TO_CANCEL"
