"""Stops and targets: they cover exactly the share, stand within seconds, and never stand in an exit's way."""

from __future__ import annotations

from decimal import Decimal

import pytest

from brokers.protocol import CROSSED, BrokerRefused, Unreachable
from tests.support.venue_bench import DESKS, LOSE_ANSWER, LOSE_REQUEST, NETTING, UNLINKED

LEVELS = {"stop_loss": "90", "take_profit": "120"}


def both(bench, quantity, stop=90, target=120):
    """Return the legs that shall stand; a locked balance without links has room for the stop only."""
    legs = [
        ("limit", Decimal(target), Decimal(quantity)),
        ("stop", Decimal(stop), Decimal(quantity)),
    ]
    return legs[1:] if bench.is_locked and not bench.is_linked else legs


def watch_bareness(bench, seconds, *, size=None):
    """Let time pass in fifths of a second and return how long no stop of the right size stood."""
    bare = longest = 0
    for _ in range(seconds * 5):
        bench.tick(0.2, step=0.2)
        held = abs(bench.held())
        stands = any(kind == "stop" and left == held for kind, _, left in bench.legs())
        bare = 0 if stands or held == 0 else bare + 200
        longest = max(longest, bare)
    return longest


# --- exactly the share -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", DESKS)
def test_stop_and_target_cover_the_share_after_a_fill(make_venue_bench, kind):
    """In its size, at once."""
    bench = make_venue_bench(kind)
    bench.buy("2", **LEVELS)
    assert bench.legs() == both(bench, 2)
    assert bench.rows()[0]["protected"] is True


@pytest.mark.parametrize("kind", ["locked", "locked-oco"])
def test_a_target_that_cannot_stand_beside_the_stop_is_warned_of(make_venue_bench, kind):
    """The balance is locked and nothing is linked: the stop stands, the answer says what does not."""
    bench = make_venue_bench(kind)
    answer = bench.buy("2", **LEVELS)
    assert any("take_profit" in text for text in answer["warnings"]) is (kind == "locked")


@pytest.mark.parametrize("kind", DESKS)
def test_a_target_alone_is_placed_everywhere(make_venue_bench, kind):
    """Without a stop it has all the room."""
    bench = make_venue_bench(kind)
    bench.buy("2", take_profit="120")
    assert bench.legs() == [("limit", 120, 2)]
    assert bench.rows()[0]["protected"] is True


@pytest.mark.parametrize("kind", DESKS)
def test_protection_grows_with_every_part_of_an_entry_that_fills(make_venue_bench, kind):
    """What filled is covered while the rest still works."""
    bench = make_venue_bench(kind)
    bench.buy("3", order_type="limit", limit_price="99", **LEVELS)
    entry = bench.venue.working()[0]
    for part, total in (("1", 1), ("1", 2), ("1", 3)):
        bench.venue.execute(entry, part)
        bench.tick(3)
        assert bench.held() == total
        assert bench.legs() == both(bench, total)


@pytest.mark.parametrize("kind", DESKS)
def test_protection_grows_with_a_scale_in(make_venue_bench, kind):
    """A second entry without levels: the first one's stay, resized."""
    bench = make_venue_bench(kind)
    bench.buy("2", **LEVELS)
    bench.buy("1")
    bench.tick(2)
    assert bench.legs() == both(bench, 3)


@pytest.mark.parametrize("kind", DESKS)
def test_protection_shrinks_with_a_partial_exit(make_venue_bench, kind):
    """It covers what is left."""
    bench = make_venue_bench(kind)
    bench.buy("3", **LEVELS)
    answer = bench.sell("1")
    bench.tick(2)
    assert bench.now(answer)["status"] == "filled"
    assert bench.held() == bench.at_venue() == 2
    assert bench.legs() == both(bench, 2)


@pytest.mark.parametrize("kind", DESKS)
def test_protection_shrinks_when_a_part_of_the_exit_filled(make_venue_bench, kind):
    """An exit that fills in parts is pursued; in the end nothing is held and nothing works."""
    bench = make_venue_bench(kind)
    bench.buy("3", **LEVELS)
    bench.venue.parts.append(Decimal(1))
    bench.send(action="close")
    bench.tick(10)
    assert bench.held() == bench.at_venue() == 0
    assert bench.legs() == []


@pytest.mark.parametrize("kind", DESKS)
def test_protection_is_resized_when_a_part_of_the_target_filled(make_venue_bench, kind):
    """Where the venue ends the other leg at the first fill, both are placed anew."""
    bench = make_venue_bench(kind)
    bench.buy("3", take_profit="120", stop_loss=None if kind == "locked" else "90")
    target = next(o for o in bench.venue.working() if o.request.order_type == "limit")
    bench.venue.execute(target, "1")
    bench.tick(3)
    assert bench.held() == bench.at_venue() == 2
    assert bench.legs() == ([("limit", 120, 2)] if kind == "locked" else both(bench, 2))


@pytest.mark.parametrize("kind", NETTING)
def test_only_the_new_position_of_a_reversal_gets_the_levels(make_venue_bench, kind):
    """The old legs go with the old position; the alert's levels protect the new one."""
    bench = make_venue_bench(kind)
    bench.buy("2", **LEVELS)
    bench.sell("5", stop_loss="110", take_profit="80")
    bench.tick(2)
    assert bench.held() == bench.at_venue() == -3
    assert bench.legs() == [("limit", 80, 3), ("stop", 110, 3)]
    assert {order.request.side for order in bench.venue.working()} == {"buy"}


@pytest.mark.parametrize("kind", NETTING)
def test_a_reversal_without_levels_leaves_the_new_position_without(make_venue_bench, kind):
    """The old position's levels are not the new one's."""
    bench = make_venue_bench(kind)
    bench.buy("2", **LEVELS)
    bench.sell("5")
    bench.tick(2)
    assert bench.held() == -3
    assert bench.legs() == []
    assert bench.rows()[0]["protected"] is None


@pytest.mark.parametrize("kind", ["reduce-only", "reduce-only-oco"])
def test_a_position_opened_after_a_close_gets_no_old_levels(make_venue_bench, kind):
    """A wish ends with its share."""
    bench = make_venue_bench(kind)
    bench.buy("2", **LEVELS)
    bench.send(action="close")
    bench.buy("1")
    bench.tick(2)
    assert bench.legs() == []


# --- where the levels stand --------------------------------------------------------------------------


def test_percent_and_offset_levels_count_from_the_average_fill(make_venue_bench):
    """The alert's price was 100, the fill 104: 5 % below and 10 above that."""
    bench = make_venue_bench()
    bench.move(104)
    bench.buy("2", stop_loss={"percent": "5"}, take_profit={"amount": "10"})
    assert bench.legs() == [("limit", 114, 2), ("stop", Decimal("98.8"), 2)]


def test_percent_levels_follow_the_average_of_an_entry_that_fills_in_parts(make_venue_bench):
    """One half at 100, one at 90: the stop counts from 95."""
    bench = make_venue_bench()
    bench.buy("2", order_type="stop", stop_price="100", stop_loss={"percent": "10"})
    entry = bench.venue.working()[0]
    bench.venue.execute(entry, "1")
    bench.tick(2)
    assert bench.legs() == [("stop", 90, 1)]
    bench.venue.prices[bench.symbol] = Decimal(95)
    bench.venue.execute(entry, "1")
    bench.tick(2)
    assert bench.legs() == [("stop", Decimal("87.7"), 2)]


@pytest.mark.parametrize(
    ("newer", "stop", "target"),
    [({"stop_loss": "95"}, 95, 120), ({"take_profit": "110"}, 90, 110)],
    ids=["stop", "target"],
)
@pytest.mark.parametrize("kind", NETTING)
def test_the_levels_of_a_newer_entry_replace_each_by_itself(
    make_venue_bench, kind, newer, stop, target
):
    """One that it does not bring stays, resized."""
    bench = make_venue_bench(kind)
    bench.buy("2", **LEVELS)
    bench.buy("1", **newer)
    bench.tick(2)
    assert bench.legs() == both(bench, 3, stop, target)


@pytest.mark.parametrize("kind", DESKS)
def test_levels_on_a_reducing_order_change_nothing(make_venue_bench, kind):
    """They are what the strategy would set on an entry."""
    bench = make_venue_bench(kind)
    bench.buy("3", **LEVELS)
    bench.sell("1", stop_loss="130", take_profit="70")
    bench.tick(2)
    assert bench.legs() == both(bench, 2)


@pytest.mark.parametrize("kind", DESKS)
def test_a_cancel_leaves_stop_and_target_alone(make_venue_bench, kind):
    """It ends what works to enter or to exit."""
    bench = make_venue_bench(kind)
    bench.buy("2", **LEVELS)
    bench.send(action="cancel")
    bench.tick(2)
    assert bench.legs() == both(bench, 2)


# --- exit and protection -----------------------------------------------------------------------------


def order_of_requests(bench):
    """Return the verbs of this bench's venue from now on."""
    first = len(bench.venue.asked)
    return lambda: [verb for _, verb, _ in bench.venue.asked[first:] if verb != "fills"]


@pytest.mark.parametrize("kind", ["reduce-only", "reduce-only-oco"])
def test_where_orders_reduce_only_the_exit_leaves_first(make_venue_bench, kind):
    """Then what protected it is cancelled."""
    bench = make_venue_bench(kind)
    bench.buy("2", stop_loss="90")
    verbs = order_of_requests(bench)
    bench.is_blind = True
    bench.send(action="close")
    assert verbs() == ["place", "cancel"]
    assert bench.exits()[0].reduces is True


@pytest.mark.parametrize("kind", ["locked", "locked-oco"])
def test_where_working_orders_lock_the_balance_the_protection_makes_room(make_venue_bench, kind):
    """Cancel, sell."""
    bench = make_venue_bench(kind)
    bench.buy("2", stop_loss="90")
    verbs = order_of_requests(bench)
    bench.is_blind = True
    bench.send(action="close")
    assert verbs() == ["cancel", "place"]


@pytest.mark.parametrize("kind", ["locked", "locked-oco"])
def test_protection_is_restored_where_the_sale_failed(make_venue_bench, kind):
    """Refused: the stop is put back, and the exit is still owed and tried again."""
    bench = make_venue_bench(kind)
    bench.buy("2", **LEVELS)
    bench.venue.fail("place", BrokerRefused("closed for an hour"))
    answer = bench.send(action="close")
    assert bench.legs() == both(bench, 2)
    assert bench.concerns()["owed_exits"]
    bench.tick(5)
    assert bench.now(answer)["status"] == "filled"
    assert bench.held() == bench.at_venue() == 0
    assert bench.legs() == []


@pytest.mark.parametrize("kind", ["plain", "plain-oco"])
def test_without_reduce_only_the_position_is_read_before_the_exit(make_venue_bench, kind):
    """Cancel, re-read, exit."""
    bench = make_venue_bench(kind)
    bench.buy("2", stop_loss="90")
    bench.tick(20.5, step=0.5)
    verbs = order_of_requests(bench)
    bench.send(action="close")
    wanted = [verb for verb in verbs() if verb in ("cancel", "snapshot", "place")]
    assert wanted[:3] == ["cancel", "snapshot", "place"]
    assert bench.held() == bench.at_venue() == 0


@pytest.mark.parametrize("kind", ["plain", "plain-oco"])
def test_without_reduce_only_an_exit_never_opens_the_other_side(make_venue_bench, kind):
    """The owner closed 1 of 2 by hand a moment ago: the exit sells what is left."""
    bench = make_venue_bench(kind)
    bench.buy("2", stop_loss="90")
    bench.tick(20.5, step=0.5)
    bench.venue.trade_by_hand(bench.symbol, "-1")
    bench.send(action="close")
    bench.tick(60)
    assert bench.at_venue() == bench.held() == 0


@pytest.mark.parametrize("kind", DESKS)
def test_a_stop_that_fills_under_its_cancel_is_not_followed_by_a_second_sale(
    make_venue_bench, kind
):
    """The close finds the position gone."""
    bench = make_venue_bench(kind)
    bench.buy("2", stop_loss="90")
    bench.is_held = True
    bench.send(action="close")
    bench.move(90)
    bench.is_held = False
    bench.tick(30)
    assert bench.held() == bench.at_venue() == 0
    assert not bench.venue.working()


@pytest.mark.parametrize("kind", DESKS)
def test_an_exit_does_not_wait_for_a_target_whose_cancel_is_refused(make_venue_bench, kind):
    """A venue that is slow to let go delays an exit by seconds at most."""
    bench = make_venue_bench(kind)
    bench.buy("2", **LEVELS)
    bench.venue.fail("cancel", BrokerRefused("busy"), LOSE_ANSWER)
    bench.send(action="close")
    bench.tick(10)
    assert bench.held() == bench.at_venue() == 0
    assert not bench.venue.working()


# --- filled but not protected ------------------------------------------------------------------------

WENT_WRONG = {
    "refused once": [BrokerRefused("not now")],
    "never left": [Unreachable("no route")],
    "throttled": [BrokerRefused("slow down", "THROTTLED", 2.0)],
    "the answer was lost": [LOSE_ANSWER],
}


@pytest.mark.parametrize("faults", WENT_WRONG.values(), ids=WENT_WRONG)
@pytest.mark.parametrize("kind", DESKS)
def test_a_share_is_bare_for_at_most_five_seconds(make_venue_bench, kind, faults):
    """Whatever happened to the order of the stop, while the venue answers."""
    bench = make_venue_bench(kind)
    bench.venue.fail("place", None, *faults)
    bench.buy("2", **LEVELS)
    assert watch_bareness(bench, 12) <= 5_000
    assert bench.held() == 2
    assert bench.legs() == both(bench, 2)


@pytest.mark.parametrize("kind", DESKS)
def test_a_stop_whose_request_was_lost_stands_as_soon_as_that_is_certain(make_venue_bench, kind):
    """Three look-ups and ten seconds; told meanwhile that the share is bare."""
    bench = make_venue_bench(kind)
    bench.venue.fail("place", None, LOSE_REQUEST)
    bench.buy("2", **LEVELS)
    bench.tick(6)
    # Where two stops can take no more than is held, another stands before the five seconds are over.
    assert len(bench.told("bare_share")) == (not kind.startswith("reduce-only"))
    bench.tick(20)
    assert bench.legs() == both(bench, 2)
    assert not bench.concerns()["bare_shares"]


@pytest.mark.parametrize("kind", DESKS)
def test_a_target_that_is_refused_again_and_again_never_delays_a_stop(make_venue_bench, kind):
    """Its pause has grown to a minute when an entry brings a stop: that stands at once."""
    bench = make_venue_bench(kind)
    bench.venue.fail("place", None, *[BrokerRefused("no", "INSUFFICIENT_BALANCE")] * 7)
    bench.buy("1", take_profit="120")
    bench.tick(64)
    assert bench.legs() == []
    bench.buy("1", stop_loss="90")
    assert ("stop", Decimal(90), Decimal(2)) in bench.legs()


@pytest.mark.parametrize("kind", ["reduce-only-oco", "plain-oco", "locked-oco"])
def test_a_stop_stands_alone_where_its_target_is_refused(make_venue_bench, kind):
    """A pair is refused for a target that is too far away: the stop stands at once, and nothing is closed."""
    bench = make_venue_bench(kind)
    protect = bench.venue.protect

    def refuse_pairs(requests):
        raise BrokerRefused("too far from the price", "FILTER")

    bench.venue.protect = refuse_pairs
    bench.buy("1", **LEVELS)
    assert ("stop", Decimal(90), Decimal(1)) in bench.legs()
    assert watch_bareness(bench, 30) <= 1_000
    assert bench.held() == 1
    assert len(bench.told("order_refused")) == 1
    bench.venue.protect = protect
    bench.tick(60)
    assert bench.legs() == [("limit", 120, 1), ("stop", 90, 1)]


@pytest.mark.parametrize("kind", DESKS)
def test_bare_is_told_at_five_seconds_where_the_venue_is_silent(make_venue_bench, kind):
    """And pursued until it stands."""
    bench = make_venue_bench(kind)
    bench.is_held = True
    bench.deliver(action="buy", quantity="2", **LEVELS)
    bench.carry_out(bench.pool.calls.pop())
    bench.venue.is_gone = True
    bench.is_held = False
    bench.tick(4.8, step=0.2)
    assert not bench.told("bare_share")
    bench.tick(0.4, step=0.2)
    assert len(bench.told("bare_share")) == 1
    assert bench.concerns()["unprotected_positions"] == bench.concerns()["bare_shares"] != []
    bench.tick(120)
    assert len(bench.told("bare_share")) == 1
    bench.venue.is_gone = False
    bench.tick(5)
    assert bench.legs() == both(bench, 2)
    assert not bench.concerns()["bare_shares"]


@pytest.mark.parametrize("kind", DESKS)
def test_a_stop_that_the_venue_lost_is_put_back(make_venue_bench, kind):
    """Somebody cancelled it by hand: it stands again within five seconds of the read."""
    bench = make_venue_bench(kind)
    bench.buy("2", **LEVELS)
    bench.tick(3)
    for order in bench.venue.working():
        order.status = "cancelled"
    assert watch_bareness(bench, 12) <= 5_000
    assert bench.legs() == both(bench, 2)


@pytest.mark.parametrize("point", ["before the stop left", "on its way", "its answer was lost"])
@pytest.mark.parametrize("kind", DESKS)
def test_protection_is_completed_after_a_crash(make_venue_bench, kind, point):
    """Killed after the entry, before the stop stood: bare for at most five seconds of the new start."""
    bench = make_venue_bench(kind)
    bench.is_held = True
    bench.deliver(action="buy", quantity="2", **LEVELS)
    entry = bench.pool.calls.pop()
    if point == "before the stop left":
        bench.venue.place_order(entry.request)
    else:
        bench.carry_out(entry)
    if point == "its answer was lost":
        bench.venue.fail("place", LOSE_ANSWER)
        from desk.venue.dispatcher import carry_out

        carry_out(bench.venue, bench.pool.calls.pop())
    bench.is_held = False
    bench.crash()
    longest = watch_bareness(bench, 20)
    assert bench.held() == bench.at_venue() == 2
    assert bench.legs() == both(bench, 2)
    if point != "on its way":  # then it must first be certain that it does not exist
        assert longest <= 5_000


@pytest.mark.parametrize("kind", DESKS)
def test_a_share_whose_level_is_passed_is_closed(make_venue_bench, kind):
    """The price fell through the stop while it was placed: closed at the market, told."""
    bench = make_venue_bench(kind)
    bench.is_held = True
    bench.deliver(action="buy", quantity="2", stop_loss="95")
    bench.carry_out(bench.pool.calls.pop())
    bench.move(94)
    bench.is_held = False
    bench.go()
    bench.tick(3)
    assert bench.held() == bench.at_venue() == 0
    assert bench.legs() == []
    assert [each["message"].endswith("It is closed.") for each in bench.told("unprotected")] == [
        True
    ]


@pytest.mark.parametrize("kind", DESKS)
def test_a_share_whose_level_is_passed_after_a_crash_is_closed(make_venue_bench, kind):
    """The same at a start."""
    bench = make_venue_bench(kind)
    bench.is_held = True
    bench.deliver(action="buy", quantity="2", stop_loss="95")
    bench.venue.place_order(bench.pool.calls.pop().request)
    bench.move(94)
    bench.is_held = False
    bench.crash()
    bench.tick(8)
    assert bench.held() == bench.at_venue() == 0
    assert len(bench.told("unprotected")) == 1


@pytest.mark.parametrize("kind", DESKS)
def test_a_share_whose_stop_is_refused_twice_is_closed(make_venue_bench, kind):
    """It cannot be protected: closed, told, and never bare for longer than five seconds."""
    bench = make_venue_bench(kind)
    bench.venue.fail(
        "place", None, BrokerRefused("no stops today"), BrokerRefused("no stops today")
    )
    bench.buy("2", stop_loss="90")
    assert watch_bareness(bench, 8) <= 5_000
    assert bench.held() == bench.at_venue() == 0
    assert len(bench.told("unprotected")) == 1
    assert len(bench.told("order_refused")) == 1


@pytest.mark.parametrize(
    "fault", [BrokerRefused("passed", CROSSED), BrokerRefused("no stops today")]
)
@pytest.mark.parametrize("kind", DESKS)
def test_on_unprotected_tell_closes_nothing(make_venue_bench, kind, fault):
    """The user is told once, and the stop goes on being tried."""
    bench = make_venue_bench(kind, on_unprotected="tell")
    bench.venue.fail("place", None, *[fault] * 4)
    bench.buy("2", stop_loss="90")
    bench.tick(5)
    assert bench.held() == bench.at_venue() == 2
    told = bench.told("unprotected")
    assert [each["message"].endswith("Nothing was closed.") for each in told] == [True]
    bench.tick(60)
    assert bench.legs() == [("stop", 90, 2)]


@pytest.mark.parametrize("kind", DESKS)
def test_what_the_entry_still_fills_does_not_stay_once_its_stop_is_hopeless(make_venue_bench, kind):
    """The rest of a working entry is cancelled with the close of what filled."""
    bench = make_venue_bench(kind)
    bench.buy("3", order_type="limit", limit_price="99", stop_loss="95")
    bench.venue.execute(bench.venue.working()[0], "1")
    bench.venue.prices[bench.symbol] = Decimal(94)
    bench.tick(8)
    assert bench.held() == bench.at_venue() == 0
    assert not bench.venue.working()


# --- one ends the other ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["reduce-only-oco", "plain-oco", "locked-oco"])
def test_legs_that_the_venue_links_are_preferred(make_venue_bench, kind):
    """Stop and target are one request, and the venue itself ends the other."""
    bench = make_venue_bench(kind)
    bench.buy("2", **LEVELS)
    legs = [order for order in bench.venue.orders.values() if order.request.reduces]
    assert [bool(order.pair) for order in legs] == [True, True]


@pytest.mark.parametrize("price", [90, 120], ids=["stop", "target"])
@pytest.mark.parametrize("kind", DESKS)
def test_the_other_leg_is_gone_within_three_seconds_of_a_fill(make_venue_bench, kind, price):
    """Where nothing is linked the desk itself cancels it."""
    bench = make_venue_bench(kind)
    bench.buy("2", **LEVELS)
    bench.tick(30)
    if kind == "locked" and price == 120:
        bench.send(action="close")
        bench.buy("2", take_profit="120")
    bench.move(price)
    bench.tick(3, step=0.2)
    assert not bench.venue.working()
    assert bench.held() == bench.at_venue() == 0
    assert bench.closed()[0]["closed_by"] == ("stop_loss" if price == 90 else "take_profit")


@pytest.mark.parametrize("kind", [each for each in UNLINKED if each != "locked"])
def test_the_other_leg_goes_even_where_its_cancel_fails_at_first(make_venue_bench, kind):
    """It is asked again until it is gone, and a fill of both would not be left standing."""
    bench = make_venue_bench(kind)
    bench.buy("2", **LEVELS)
    bench.venue.fail("cancel", BrokerRefused("busy"), Unreachable("no route"))
    bench.move(120)
    bench.tick(12)
    assert not bench.venue.working()
    assert bench.at_venue() == 0


def test_where_both_legs_filled_the_other_side_is_closed_again(make_venue_bench):
    """Without reduce-only and links that can happen in a fast market: what it opened must not stay."""
    bench = make_venue_bench("plain")
    bench.buy("2", **LEVELS)
    bench.move(120)
    bench.move(90)
    assert bench.at_venue() == -2
    bench.tick(10)
    assert bench.held() == bench.at_venue() == 0
