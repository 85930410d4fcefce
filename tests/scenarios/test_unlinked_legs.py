"""Rules 7.1 and 7.4 where the venue links nothing: the desk is the OCO, and no resize leaves a position bare.

Perpetuals: stop and target rest side by side as reduce-only orders of the position's exact size.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from brokers.protocol import FILTER, BrokerRefused, Unreachable
from tests.support.venue_bench import LOSE_ANSWER, LOSE_REQUEST

PERPETUAL = ["reduce-only", "reduce-only-amend", "attached"]
CHANGED = ["reduce-only-amend", "attached"]
D = Decimal


def guard(bench, quantity: str = "2") -> None:
    """Buy with a stop at 90 and a target at 120, and let both stand."""
    bench.buy(quantity, stop_loss="90", take_profit="120")
    bench.tick(12)


def pair(quantity: str) -> list[tuple[str, Decimal, Decimal]]:
    """Return the two legs in one size, as the bench shows them."""
    return [("limit", D(120), D(quantity)), ("stop", D(90), D(quantity))]


@pytest.mark.parametrize("kind", PERPETUAL)
def test_stop_and_target_rest_side_by_side_in_the_positions_size(make_venue_bench, kind):
    """Both reduce-only, both as large as the position, within five seconds of the fill."""
    bench = make_venue_bench(kind)
    bench.buy("2", stop_loss="90", take_profit="120")
    bench.tick(2)
    assert bench.legs() == pair("2")
    assert all(order.request.reduces for order in bench.venue.working())
    assert not bench.told("bare_share")


@pytest.mark.parametrize("kind", PERPETUAL)
@pytest.mark.parametrize("price", [89, 121], ids=["stop", "target"])
def test_a_filled_leg_ends_the_other_within_three_seconds(make_venue_bench, kind, price):
    """The desk sees the fill at its next read and cancels what is left."""
    bench = make_venue_bench(kind)
    guard(bench)
    bench.move(price)
    assert len(bench.venue.working()) <= 1
    bench.tick(3)
    assert bench.venue.working() == []
    assert bench.held() == bench.at_venue() == 0
    assert bench.closed()[0]["closed_by"] == ("stop_loss" if price == 89 else "take_profit")


@pytest.mark.parametrize("kind", PERPETUAL)
@pytest.mark.parametrize("price", [89, 121], ids=["stop", "target"])
def test_a_filled_leg_ends_the_other_also_across_a_kill(make_venue_bench, kind, price):
    """Filled, then killed before anybody looked: the start finds it and cancels the other."""
    bench = make_venue_bench(kind)
    guard(bench)
    bench.move(price)
    bench.crash()
    bench.tick(3)
    assert bench.venue.working() == []
    assert bench.held() == bench.at_venue() == 0


@pytest.mark.parametrize("kind", PERPETUAL)
def test_a_leg_left_over_by_a_kill_between_fill_and_cancel_is_no_new_position(
    make_venue_bench, kind
):
    """The price turns before anybody is back: the left-over leg is reduce-only and finds nothing."""
    bench = make_venue_bench(kind)
    guard(bench)
    bench.is_held = bench.is_blind = True
    bench.move(121)
    bench.move(89)
    bench.is_held = bench.is_blind = False
    bench.crash()
    bench.tick(5)
    assert bench.held() == bench.at_venue() == 0
    assert bench.venue.working() == []


def test_a_resize_places_the_new_before_the_old_is_cancelled(make_venue_bench):
    """At no moment works less than one stop; the overlap is no alarm."""
    bench = make_venue_bench("reduce-only")
    guard(bench, "3")
    least: list[int] = []
    put, end = bench.venue._put, bench.venue._end

    def count() -> None:
        least.append(sum(o.request.order_type == "stop" for o in bench.venue.working()))

    bench.venue._put = lambda *arguments: (put(*arguments), count())
    bench.venue._end = lambda order: (end(order), count())
    bench.send(action="close", quantity="1")
    bench.tick(12)
    assert bench.legs() == pair("2")
    assert min(least) == 1
    assert max(least) == 2
    assert bench.concerns()["halted"] == []
    assert bench.held() == bench.at_venue() == 2


@pytest.mark.parametrize("kind", CHANGED)
def test_a_resize_is_one_change_where_the_venue_can(make_venue_bench, kind):
    """Nothing is placed and nothing cancelled: each leg is changed once, under its own id."""
    bench = make_venue_bench(kind)
    guard(bench, "3")
    ids = {order.request.client_id for order in bench.venue.working()}
    placed = len(bench.venue.requests)
    bench.send(action="close", quantity="1")
    bench.tick(12)
    assert bench.legs() == pair("2")
    assert {order.request.client_id for order in bench.venue.working()} == ids
    assert len(bench.venue.requests) == placed + 1  # the exit
    assert len(bench.venue.times("amend")) == 2
    assert bench.venue.times("cancel") == []


@pytest.mark.parametrize("kind", CHANGED)
@pytest.mark.parametrize("fault", [LOSE_REQUEST, LOSE_ANSWER])
def test_a_change_that_may_be_lost_is_looked_up_and_not_repeated(make_venue_bench, kind, fault):
    """What the venue then says it has counts; where the change was lost the leg is replaced."""
    bench = make_venue_bench(kind)
    guard(bench, "3")
    bench.venue.fail("amend", fault)
    bench.send(action="close", quantity="1")
    bench.tick(12)
    assert bench.legs() == pair("2")
    stop = bench.venue.asked[[what for _, what, _ in bench.venue.asked].index("amend")][2]
    assert len(bench.venue.times("amend", stop)) == 1
    assert bench.venue.times("find", stop)


@pytest.mark.parametrize("kind", CHANGED)
@pytest.mark.parametrize("fault", [BrokerRefused("not now"), Unreachable("no route")])
def test_a_change_that_was_not_made_leaves_the_old_leg_until_a_new_one_stands(
    make_venue_bench, kind, fault
):
    """Refused or never sent: the leg is replaced as where nothing can be changed."""
    bench = make_venue_bench(kind)
    guard(bench, "3")
    bench.venue.fail("amend", fault)
    bench.send(action="close", quantity="1")
    bench.tick(12)
    assert bench.legs() == pair("2")


@pytest.mark.parametrize("kind", CHANGED)
@pytest.mark.parametrize("arrives", [True, False])
def test_a_kill_while_a_leg_changes_leaves_it_in_the_right_size(make_venue_bench, kind, arrives):
    """After the start it is looked up: either size is this order."""
    bench = make_venue_bench(kind)
    guard(bench, "3")
    bench.is_held = True
    bench.deliver(action="close", quantity="1")
    [exit_call] = bench.pool.calls
    bench.pool.calls.clear()
    bench.carry_out(exit_call)
    [change] = bench.pool.calls
    assert change.what == "amend"
    if arrives:
        bench.venue.amend(change.request)
    bench.is_held = False
    bench.crash()
    bench.tick(12)
    assert bench.legs() == pair("2")
    assert bench.held() == bench.at_venue() == 2


@pytest.mark.parametrize("kind", PERPETUAL)
def test_a_new_level_stands_before_the_old_one_goes(make_venue_bench, kind):
    """A later entry's stop replaces the old, the target stays and is resized."""
    bench = make_venue_bench(kind)
    guard(bench, "1")
    bench.buy("1", stop_loss="95")
    bench.tick(12)
    assert bench.legs() == [("limit", D(120), D(2)), ("stop", D(95), D(2))]


@pytest.mark.parametrize("kind", PERPETUAL)
def test_exits_together_take_no_more_than_is_held(make_venue_bench, kind):
    """A close, a stop and a target that all trade in the same moment: flat, not short."""
    bench = make_venue_bench(kind)
    guard(bench)
    bench.is_held = bench.is_blind = True
    bench.deliver(action="close")
    bench.move(121)
    bench.move(89)
    bench.is_held = bench.is_blind = False
    bench.go()
    bench.tick(12)
    assert bench.held() == bench.at_venue() == 0
    assert bench.venue.working() == []
    assert sum((fill.quantity for _, fill in bench.venue.executions), D(0)) == 4


@pytest.mark.parametrize("kind", PERPETUAL)
def test_a_reversal_is_two_orders_and_takes_the_old_legs_down(make_venue_bench, kind):
    """Long 2, sell 5: sells 2, then 3 short, with the legs of the new position alone."""
    bench = make_venue_bench(kind)
    guard(bench)
    bench.sell("5", stop_loss="110", take_profit="80")
    bench.tick(12)
    orders = [(r.side, r.quantity, r.reduces) for r in bench.venue.requests if not r.stop_price]
    assert ("sell", D(2), True) in orders
    assert ("sell", D(3), False) in orders
    assert bench.legs() == [("limit", D(80), D(3)), ("stop", D(110), D(3))]


def test_a_small_position_is_closed_and_never_written_off_for_its_worth(make_venue_bench):
    """Reduce-only orders know no smallest worth: a refused one is tried again until it is closed."""
    bench = make_venue_bench("reduce-only")
    small = replace(bench.venue.instruments[bench.symbol], min_notional=D(500))
    bench.venue.instruments = {**bench.venue.instruments, bench.symbol: small}
    bench.buy("1")
    bench.venue.fail("place", *[BrokerRefused("below the smallest order", FILTER)] * 3)
    bench.send(action="close")
    assert bench.held() == 1
    assert bench.told("written_off") == []
    bench.tick(20)
    assert bench.held() == bench.at_venue() == 0


# --- legs that the venue makes itself ----------------------------------------------------------------


def test_a_market_entry_carries_levels_that_are_prices(make_venue_bench):
    """The venue has them from the fill on; nothing else is placed, and they are ours by their parent."""
    bench = make_venue_bench("attached")
    bench.buy("2", stop_loss="90", take_profit="120")
    bench.tick(12)
    [entry] = bench.venue.requests
    assert [(leg.order_type, leg.parent_id) for leg in entry.legs] == [
        ("stop", entry.client_id),
        ("limit", entry.client_id),
    ]
    assert bench.legs() == pair("2")


def test_a_level_that_counts_from_the_fill_is_placed_after_it(make_venue_bench):
    """Percent of a market entry: the average is not known before."""
    bench = make_venue_bench("attached")
    bench.buy("2", stop_loss={"percent": 10})
    bench.tick(3)
    assert bench.venue.requests[0].legs == ()
    assert bench.legs() == [("stop", D(90), D(2))]


def test_one_leg_alone_is_attached_too(make_venue_bench):
    """Where the venue makes them each by itself."""
    bench = make_venue_bench("attached")
    bench.buy("2", stop_loss="90")
    bench.tick(3)
    assert len(bench.venue.requests) == 1
    assert bench.legs() == [("stop", D(90), D(2))]


def test_an_attached_leg_has_the_size_of_what_filled(make_venue_bench):
    """A market entry that filled in part: the venue sized the legs, and the desk believes that."""
    bench = make_venue_bench("attached")
    bench.venue.parts.append(D("0.5"))
    bench.buy("2", stop_loss="90", take_profit="120")
    bench.tick(12)
    assert bench.held() == D("0.5")
    assert bench.legs() == pair("0.5")
    assert len(bench.venue.requests) == 1
    assert bench.venue.times("amend") == []


def test_a_resting_entry_that_fills_in_parts_is_protected_by_its_own_legs(make_venue_bench):
    """From the first part on, without a second stop beside the venue's."""
    bench = make_venue_bench("attached")
    bench.buy("2", order_type="limit", limit_price="95", stop_loss="90", take_profit="120")
    [entry] = bench.venue.working()
    bench.venue.execute(entry, "0.5")
    bench.tick(5)
    assert bench.legs() == pair("0.5")
    bench.venue.execute(entry)
    bench.tick(5)
    assert bench.legs() == pair("2")
    assert len(bench.venue.requests) == 1


def test_legs_the_venue_did_not_make_are_placed_by_the_desk(make_venue_bench):
    """A look-up by their parent shows nothing: the position is not left bare for long."""
    bench = make_venue_bench("attached")
    bench.venue._grow_legs = lambda order: None
    bench.buy("2", stop_loss="90", take_profit="120")
    bench.tick(5)
    assert bench.legs() == pair("2")
