"""What becomes of an order whose outcome is not clear: one test a cell of the table, then line by line.

A cell is what the venue did with an order, and whether the order opens or reduces.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from decimal import Decimal

import pytest

from brokers.protocol import THROTTLED, BrokerRefused, Uncertain, Unreachable
from desk.engine.events import OrderReported
from desk.state.store import Store, StoreUnavailable
from tests.support.venue_bench import (
    ANSWER_LATE,
    ARRIVE_LATE,
    KINDS,
    LOSE_ANSWER,
    LOSE_REQUEST,
    UNLINKED,
)

LIMIT = {"action": "buy", "quantity": "1", "order_type": "limit", "limit_price": "90"}
ODD = {
    "the answer is lost": LOSE_ANSWER,
    "the answer comes late": ANSWER_LATE,
}


def holding(make_venue_bench, kind="reduce-only", quantity="2", **levels):
    """Return a bench that holds so much, read and at rest."""
    bench = make_venue_bench(kind)
    bench.buy(quantity, **levels)
    bench.tick(20.5, step=0.5)
    return bench


def close(bench, *faults):
    """Close the share while placing meets these faults."""
    bench.venue.fail("place", *faults)
    return bench.send(action="close")


def names(requests):
    """Return the client ids of requests."""
    return [each.client_id for each in requests]


def events(bench, *left_out):
    """Return the names of what the user was told."""
    return [each["event"] for each in bench.told() if each["event"] not in left_out]


# --- unreached: proven never to have left ------------------------------------------------------------


def test_unreached_opening_is_tried_again_under_a_new_name_and_placed_once(make_venue_bench):
    """202 at first, then filled; told once."""
    bench = make_venue_bench()
    bench.venue.fail("place", *[Unreachable("no route")] * 3)
    answer = bench.buy("1")
    assert (answer["http"], answer["status"]) == (202, "unreached")
    bench.tick(10)
    assert bench.now(answer)["status"] == "filled"
    assert len(set(names(bench.entries()))) == 4
    assert bench.at_venue() == bench.held() == 1
    assert events(bench) == ["order_unreached"]


def test_unreached_opening_expires_with_its_alert(make_venue_bench):
    """Younger than 90 s it is tried; then `expired`, told, and never sent again."""
    bench = make_venue_bench()
    bench.learn()
    bench.venue.is_gone = True
    answer = bench.buy("1")
    bench.tick(89)
    assert bench.now(answer)["status"] == "unreached"
    bench.tick(3)
    assert bench.now(answer)["status"] == "expired"
    tries = len(bench.entries())
    bench.venue.is_gone = False
    bench.tick(120)
    assert len(bench.entries()) == tries
    assert bench.at_venue() == 0
    assert events(bench, "account_silent", "account_answers", "alert_ended") == [
        "order_unreached",
        "order_expired",
    ]


def test_unreached_opening_is_given_up_where_the_alert_fired_earlier(make_venue_bench):
    """Its age counts from when it fired, not from when it came."""
    bench = make_venue_bench()
    bench.learn()
    bench.venue.is_gone = True
    answer = bench.buy("1", timenow="2025-11-21T04:38:50Z")
    bench.tick(21)
    assert bench.now(answer)["status"] == "expired"


@pytest.mark.parametrize("kind", ["reduce-only", "plain"])
def test_unreached_opening_waits_while_another_order_there_is_unknown(make_venue_bench, kind):
    """The stop was placed again meanwhile and may or may not exist: until that is known, nothing opens."""
    bench = holding(make_venue_bench, kind, stop_loss="90")
    bench.venue.working()[0].status = "cancelled"
    bench.venue.fail("place", Unreachable("no route"), LOSE_REQUEST)
    answer = bench.buy("1")
    bench.tick(8)
    assert bench.concerns()["unknown_orders"]
    assert bench.now(answer)["status"] == "unreached"
    assert len(bench.entries()) == 2
    bench.tick(20)
    assert bench.now(answer)["status"] == "filled"
    assert bench.held() == bench.at_venue() == 3
    assert bench.legs() == [("stop", 90, 3)]


@pytest.mark.parametrize("kind", UNLINKED)
def test_unreached_reducing_is_pursued_until_done(make_venue_bench, kind):
    """New attempt, position read first, told at the first failure only."""
    bench = holding(make_venue_bench, kind)
    answer = close(bench, *[Unreachable("no route")] * 3)
    assert (answer["http"], answer["status"]) == (202, "unreached")
    bench.tick(30)
    assert bench.now(answer)["status"] == "filled"
    assert bench.held() == bench.at_venue() == 0
    assert len(set(names(bench.exits()))) == 4
    attempts = bench.venue.times("place")[-4:]
    reads = bench.venue.times("snapshot")
    assert all(
        any(one <= read <= two for read in reads) for one, two in itertools.pairwise(attempts)
    )
    assert events(bench) == ["order_unreached"]


@pytest.mark.parametrize("kind", UNLINKED)
def test_unreached_reducing_never_expires(make_venue_bench, kind):
    """The venue is away for two hours: the exit is owed all the while and leaves when it answers."""
    bench = holding(make_venue_bench, kind)
    bench.venue.is_gone = True
    answer = bench.send(action="close")
    bench.tick(7_200, step=10)
    assert bench.now(answer)["status"] in ("unreached", "pending")
    assert bench.concerns()["owed_exits"]
    told = "account_silent" if kind == "plain" else "order_unreached"  # it could not even be read
    assert len(bench.told(told)) == 1
    bench.venue.is_gone = False
    bench.tick(10)
    assert bench.now(answer)["status"] == "filled"
    assert bench.held() == bench.at_venue() == 0


@pytest.mark.parametrize("kind", UNLINKED)
def test_unreached_reducing_ends_when_the_position_is_gone(make_venue_bench, kind):
    """Meanwhile its owner closed it by hand: the read says so and nothing is sold twice."""
    bench = holding(make_venue_bench, kind)
    bench.venue.fail("place", *[Unreachable("no route")] * 4)
    bench.send(action="close")
    bench.venue.trade_by_hand(bench.symbol, "-2")
    bench.tick(60)
    assert bench.at_venue() == bench.held() == 0
    assert not bench.concerns()["owed_exits"]


# --- refused -----------------------------------------------------------------------------------------

CLOCK = BrokerRefused("timestamp outside the window", "CLOCK")
NO = BrokerRefused("not today")


@pytest.mark.parametrize("refusal", [CLOCK, NO], ids=["by a known code, twice", "otherwise"])
def test_refused_opening_is_final_and_told(make_venue_bench, refusal):
    """The one more send of a known code is the broker's own; what it then refuses is final."""
    bench = make_venue_bench()
    bench.venue.fail("place", refusal)
    answer = bench.buy("1")
    assert (answer["http"], answer["status"]) == (422, "refused")
    assert refusal.message in answer["message"]
    bench.tick(120)
    assert len(bench.entries()) == 1
    assert events(bench, "alert_ended") == ["order_refused"]


@pytest.mark.parametrize("refusal", [CLOCK, NO], ids=["by a known code, twice", "otherwise"])
@pytest.mark.parametrize("kind", UNLINKED)
def test_refused_reducing_is_pursued_after_a_read(make_venue_bench, kind, refusal):
    """The position may differ: it is read, then a new attempt leaves; told at the first refusal only."""
    bench = holding(make_venue_bench, kind)
    before = len(bench.venue.asked)
    answer = close(bench, refusal, refusal)
    bench.tick(20)
    assert bench.now(answer)["status"] == "filled"
    assert bench.held() == bench.at_venue() == 0
    verbs = [verb for _, verb, _ in bench.venue.asked[before:]]
    first, second = [place for place, verb in enumerate(verbs) if verb == "place"][:2]
    assert "snapshot" in verbs[first:second]
    assert events(bench) == ["order_refused"]


@pytest.mark.parametrize("kind", UNLINKED)
def test_refused_reducing_takes_what_the_venue_really_holds(make_venue_bench, kind):
    """Refused because half was sold by hand: the next attempt sells what is there."""
    bench = holding(make_venue_bench, kind)
    bench.venue.trade_by_hand(bench.symbol, "-1")
    bench.venue.fail("place", NO)
    bench.send(action="close")
    bench.tick(60)
    assert bench.held() == bench.at_venue() == 0


@pytest.mark.parametrize("kind", UNLINKED)
def test_refused_reducing_stays_owed_and_is_tried_slowly(make_venue_bench, kind):
    """A venue that refuses for a day is asked under twenty times an hour, and gets the exit in the end."""
    bench = holding(make_venue_bench, kind)
    bench.venue.refuses_exits = True
    bench.send(action="close")
    start = len(bench.exits())
    bench.tick(3_600, step=2)
    assert 10 <= len(bench.exits()) - start <= 20
    assert len(bench.told("order_refused")) == 1
    bench.venue.refuses_exits = False
    bench.tick(420, step=2)
    assert bench.held() == bench.at_venue() == 0


# --- throttled ---------------------------------------------------------------------------------------


def test_throttled_opening_is_refused_and_not_sent_again(make_venue_bench):
    """Nothing was judged, but a late entry is worse than none."""
    bench = make_venue_bench()
    bench.venue.fail("place", BrokerRefused("slow down", THROTTLED, 3.0))
    answer = bench.buy("1")
    assert (answer["http"], answer["status"], answer["code"]) == (422, "refused", THROTTLED)
    bench.tick(60)
    assert len(bench.entries()) == 1


@pytest.mark.parametrize("kind", UNLINKED)
def test_throttled_reducing_is_told_once(make_venue_bench, kind):
    """However often the venue asks for a pause."""
    bench = holding(make_venue_bench, kind)
    close(bench, *[BrokerRefused("slow down", THROTTLED, 1.0)] * 5)
    bench.tick(30)
    assert bench.held() == 0
    assert events(bench) == ["order_refused"]


@pytest.mark.parametrize(("says", "seconds"), [(7.0, 7), (None, 10)], ids=["7 s", "not how long"])
@pytest.mark.parametrize("kind", UNLINKED)
def test_throttled_reducing_leaves_when_the_pause_ends(make_venue_bench, kind, says, seconds):
    """Not before, and at once then; ten seconds where the venue does not say."""
    bench = holding(make_venue_bench, kind)
    close(bench, BrokerRefused("slow down", THROTTLED, says))
    first = bench.venue.times("place")[-1]
    bench.tick(seconds + 3, step=0.5)
    assert bench.held() == bench.at_venue() == 0
    assert seconds <= (bench.venue.times("place")[-1] - first) / 1000 <= seconds + 2.5


# --- unknown -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [LOSE_REQUEST, RuntimeError("odd"), KeyError("id")], ids=str)
def test_unknown_opening_is_never_sent_again(make_venue_bench, fault):
    """202, told, looked up; whatever a broker raises counts as that."""
    bench = make_venue_bench()
    bench.venue.fail("place", fault)
    answer = bench.buy("1")
    assert (answer["http"], answer["status"]) == (202, "unknown")
    bench.tick(200)
    assert len(bench.entries()) == 1
    assert events(bench)[0] == "order_unknown"


def test_unknown_is_looked_up_after_2_5_10_20_30_seconds_then_every_minute(make_venue_bench):
    """Until it is found, absent or settled by hand."""
    bench = make_venue_bench()
    bench.venue.fail("place", LOSE_REQUEST)
    bench.venue.fail("find", *[Uncertain("no answer")] * 50)
    start = bench.clock()
    bench.buy("1")
    bench.tick(230)
    looked = [(at - start) // 1000 for at in bench.venue.times("find")]
    assert looked == [2, 5, 10, 20, 30, 90, 150, 210]


def test_unknown_is_looked_up_at_each_start(make_venue_bench):
    """Whenever the last look-up was."""
    bench = make_venue_bench()
    bench.venue.fail("place", LOSE_REQUEST)
    bench.venue.fail("find", *[Uncertain("no answer")] * 50)
    bench.buy("1")
    bench.tick(95)
    before = len(bench.venue.times("find"))
    bench.crash()
    assert len(bench.venue.times("find")) == before + 1


@pytest.mark.parametrize("fault", ODD.values(), ids=ODD)
def test_unknown_opening_that_is_found_is_held_and_protected(make_venue_bench, fault):
    """One order, its fills booked once, the stop in place."""
    bench = make_venue_bench()
    bench.venue.fail("place", fault)
    answer = bench.buy("1", stop_loss="90")
    bench.tick(13)
    bench.answer_late()
    bench.tick(5)
    assert bench.now(answer)["status"] == "filled"
    assert bench.held() == bench.at_venue() == 1
    assert bench.legs() == [("stop", 90, 1)]
    assert len(bench.entries()) == 1


def test_unknown_opening_that_is_found_working_works(make_venue_bench):
    """A limit entry whose answer was lost is `accepted`."""
    bench = make_venue_bench()
    bench.venue.fail("place", LOSE_ANSWER)
    answer = bench.send(**LIMIT)
    bench.tick(3)
    assert bench.now(answer)["status"] == "accepted"


@pytest.mark.parametrize("strategy", ["s", "t"])
@pytest.mark.parametrize("kind", UNLINKED)
def test_unknown_denies_opening_orders_of_that_instrument_and_account(
    make_venue_bench, kind, strategy
):
    """Of whatever strategy; elsewhere it does not."""
    bench = make_venue_bench(kind)
    bench.venue.fail("place", LOSE_REQUEST)
    bench.buy("1")
    denied = bench.buy("1", strategy=strategy)
    assert (denied["http"], denied["code"]) == (422, "ORDER_UNRESOLVED")
    (entry,) = bench.entries()
    assert f"POST /orders/{entry.client_id}/resolve settles it" in denied["message"]
    assert "GET /status with ADMIN_TOKEN shows it" in denied["message"]
    assert "ancelled" not in denied["message"]
    assert bench.buy("1", symbol=bench.other)["status"] == "filled"
    assert bench.buy("1", strategy="far")["status"] == "filled"
    bench.tick(30)
    assert bench.buy("1")["status"] == "filled"


@pytest.mark.parametrize("kind", UNLINKED)
def test_unknown_reducing_is_not_repeated_while_unknown(make_venue_bench, kind):
    """Nor by the next close: it is looked up, and found."""
    bench = holding(make_venue_bench, kind)
    bench.venue.fail("find", *[Uncertain("no answer")] * 3)
    answer = close(bench, LOSE_ANSWER)
    again = bench.send(action="close")
    assert len(bench.exits()) == 1
    bench.tick(25)
    assert len(bench.exits()) == 1
    assert bench.now(answer)["status"] == "filled"
    assert bench.now(again)["status"] == "nothing_to_do"
    assert bench.held() == bench.at_venue() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_reducing_denies_opening_orders_too(make_venue_bench, kind):
    """What is held is not known."""
    bench = holding(make_venue_bench, kind)
    close(bench, LOSE_REQUEST)
    assert bench.buy("1")["code"] == "ORDER_UNRESOLVED"


def test_a_call_that_never_comes_back_is_unknown_at_its_deadline(make_venue_bench):
    """Then it is looked up like any other."""
    bench = make_venue_bench()
    bench.venue.fail("place", ANSWER_LATE)
    answer = bench.buy("1")
    assert (answer["http"], answer["status"]) == (202, "pending")
    bench.tick(9, step=0.5)
    assert bench.now(answer)["status"] == "unknown"
    bench.tick(3)
    assert bench.now(answer)["status"] == "filled"
    bench.answer_late()
    assert bench.held() == bench.at_venue() == 1


@pytest.mark.parametrize("kind", UNLINKED)
def test_an_answer_that_cannot_be_taken_in_counts_as_none(make_venue_bench, kind):
    """A fault of ours or nonsense of the venue's: told, nothing opens there, and the order is looked up."""
    bench = make_venue_bench(kind)
    bench.learn()
    bench.is_held = True
    answer = bench.buy("2", stop_loss="90")
    call = bench.pool.calls.pop()
    report = bench.venue.place_order(call.request)
    bench.desk.turn([OrderReported(call, replace(report, filled="two"))])
    bench.is_held = False
    assert len(bench.told("internal_error")) == 1
    assert bench.concerns()["blocked"]
    bench.tick(15)
    assert bench.now(answer)["status"] == "filled"
    assert bench.legs() == [("stop", 90, 2)]
    assert bench.buy("1")["code"] == "BOOK_BLOCKED"
    assert bench.send(action="close")["status"] in ("filled", "pending")
    bench.tick(10)
    assert bench.held() == bench.at_venue() == 0


# --- absent ------------------------------------------------------------------------------------------


def test_absent_opening_is_told_and_never_sent_again(make_venue_bench):
    """Three look-ups that do not show it, the last ten seconds after the send."""
    bench = make_venue_bench()
    bench.venue.fail("place", LOSE_REQUEST)
    answer = bench.buy("1")
    bench.tick(9)
    assert bench.now(answer)["status"] == "unknown"
    bench.tick(2)
    assert bench.now(answer)["status"] == "absent"
    assert events(bench) == ["order_unknown", "order_absent"]
    bench.tick(300)
    assert len(bench.entries()) == 1


def test_a_look_up_that_failed_says_nothing_about_an_order(make_venue_bench):
    """Only three that answered count."""
    bench = make_venue_bench()
    bench.venue.fail("place", LOSE_REQUEST)
    bench.venue.fail("find", *[Unreachable("no route")] * 4)
    answer = bench.buy("1")
    bench.tick(31)
    assert bench.now(answer)["status"] == "unknown"
    bench.tick(121)
    assert bench.now(answer)["status"] == "absent"


@pytest.mark.parametrize("kind", UNLINKED)
def test_absent_reducing_is_pursued(make_venue_bench, kind):
    """Under a new name, after a read."""
    bench = holding(make_venue_bench, kind)
    answer = close(bench, LOSE_REQUEST)
    bench.tick(20)
    assert bench.now(answer)["status"] == "filled"
    assert len(set(names(bench.exits()))) == 2
    assert bench.held() == bench.at_venue() == 0


# --- partly filled -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_partly_filled_opening_is_protected_for_what_filled(make_venue_bench, kind):
    """The rest is not sent again."""
    bench = make_venue_bench(kind)
    bench.venue.parts.append(Decimal("0.4"))
    answer = bench.buy("1", stop_loss="90")
    assert (answer["http"], answer["status"], answer["success"]) == (200, "partly_filled", True)
    bench.tick(30)
    assert bench.held() == bench.at_venue() == Decimal("0.4")
    assert bench.legs() == [("stop", 90, Decimal("0.4"))]
    assert len(bench.entries()) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_partly_filled_reducing_is_pursued_for_the_rest(make_venue_bench, kind):
    """Each attempt under a name of its own, for what is left."""
    bench = holding(make_venue_bench, kind)
    bench.venue.parts += [Decimal("0.5"), Decimal(1)]
    bench.send(action="close")
    bench.tick(20)
    assert [each.quantity for each in bench.exits()] == [2, Decimal("1.5"), Decimal("0.5")]
    assert len(set(names(bench.exits()))) == 3
    assert bench.held() == bench.at_venue() == 0


# --- line 2: a close that meets what is unknown or working -------------------------------------------

LATE_ENTRY = {
    "it exists": LOSE_ANSWER,
    "it does not exist": LOSE_REQUEST,
    "it never left": Unreachable("no route"),
    "it was slow": ANSWER_LATE,
}


@pytest.mark.parametrize("fault", LATE_ENTRY.values(), ids=LATE_ENTRY)
@pytest.mark.parametrize("kind", KINDS)
def test_a_close_closes_what_an_unclear_entry_turns_out_to_be(make_venue_bench, kind, fault):
    """It stays owed until the answer comes, is carried out then, and the entry is not tried again."""
    bench = make_venue_bench(kind)
    bench.venue.fail("place", fault)
    bench.buy("2", stop_loss="90")
    answer = bench.send(action="close")
    bench.tick(30)
    bench.answer_late()
    bench.tick(30)
    assert bench.held() == bench.at_venue() == 0
    assert not bench.venue.working()
    assert len(bench.entries()) == 1
    assert bench.now(answer)["status"] in ("filled", "nothing_to_do", "cancelled")


@pytest.mark.parametrize("kind", KINDS)
def test_a_close_waits_over_a_crash_for_what_it_cannot_know(make_venue_bench, kind):
    """Still owed after the start."""
    bench = make_venue_bench(kind)
    bench.venue.fail("place", LOSE_ANSWER)
    bench.buy("2")
    bench.send(action="close")
    bench.crash()
    bench.tick(10)
    assert bench.held() == bench.at_venue() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_close_takes_share_working_and_unknown_alike(make_venue_bench, kind):
    """2 are held, 1 more works: both are gone afterwards."""
    bench = holding(make_venue_bench, kind, stop_loss="80")
    bench.send(**LIMIT, strategy="s")
    bench.send(action="close")
    bench.tick(10)
    assert bench.held() == bench.at_venue() == 0
    assert not bench.venue.working()


@pytest.mark.parametrize("fault", [LOSE_REQUEST, ARRIVE_LATE])
@pytest.mark.parametrize("kind", UNLINKED)
def test_an_entry_that_arrives_after_it_counted_as_absent_does_not_stay(
    make_venue_bench, kind, fault
):
    """The close was told that there is nothing; what comes after all is closed."""
    bench = make_venue_bench(kind)
    bench.venue.fail("place", fault)
    bench.buy("2")
    bench.send(action="close")
    bench.tick(30)
    bench.venue.let_in()
    bench.tick(150)
    if fault == ARRIVE_LATE:
        assert len(bench.told("late_fill")) == 1
    assert bench.held() == bench.at_venue() == 0


# --- line 3: an opening alert behind an order in flight ----------------------------------------------


def test_an_opening_alert_waits_behind_an_order_in_flight(make_venue_bench):
    """202, and decided when the answer is there."""
    bench = make_venue_bench()
    bench.buy("1", symbol=bench.other)
    bench.is_held = True
    first = bench.buy("1")
    second = bench.buy("2")
    assert (second["http"], second["status"], second["orders"]) == (202, "pending", [])
    bench.is_held = False
    bench.tick(1)
    assert [bench.now(each)["status"] for each in (first, second)] == ["filled", "filled"]
    assert bench.held() == bench.at_venue() == 3


def test_an_alert_that_waited_is_denied_where_the_order_is_unknown(make_venue_bench):
    """`ORDER_UNRESOLVED`, recorded and told: it was answered 202."""
    bench = make_venue_bench()
    bench.venue.fail("place", LOSE_REQUEST)
    bench.is_held = True
    bench.buy("1")
    second = bench.buy("2")
    assert second["http"] == 202
    bench.is_held = False
    bench.tick(1)
    assert (bench.now(second)["status"], bench.now(second)["code"]) == (
        "denied",
        "ORDER_UNRESOLVED",
    )
    assert [each["alert_id"] for each in bench.told("alert_ended")] == [second["alert_id"]]


def test_an_alert_that_waited_too_long_is_not_traded(make_venue_bench):
    """Waiting with us counts as age."""
    bench = make_venue_bench()
    bench.venue.fail("place", ANSWER_LATE)
    bench.venue.fail("find", *[ANSWER_LATE] * 40)
    bench.buy("1")
    second = bench.buy("2")
    bench.tick(100)
    assert bench.now(second)["status"] == "denied"
    assert len(bench.entries()) == 1


def test_an_alert_that_waited_is_decided_again_after_a_crash(make_venue_bench):
    """It was recorded, `pending` with no orders; at the start it is decided by the rules of age."""
    bench = make_venue_bench()
    bench.is_held = True
    bench.buy("1")
    second = bench.buy("2")
    bench.venue.place_order(bench.pool.calls.pop().request)
    bench.is_held = False
    bench.crash()
    bench.tick(15)
    assert bench.now(second)["status"] == "filled"
    assert bench.held() == bench.at_venue() == 3


def test_an_alert_that_waited_over_a_long_stop_is_too_old(make_venue_bench):
    """Two minutes later it opens nothing, and that is told."""
    bench = make_venue_bench()
    bench.is_held = True
    bench.buy("1")
    second = bench.buy("2")
    bench.venue.place_order(bench.pool.calls.pop().request)
    bench.is_held = False
    bench.clock.tick(120)
    bench.crash()
    bench.tick(15)
    assert bench.now(second)["code"] in ("EXPIRED", "ORDER_UNRESOLVED")
    assert bench.held() == bench.at_venue() == 1
    assert second["alert_id"] in [each["alert_id"] for each in bench.told("alert_ended")]


def test_a_close_does_not_wait_behind_an_order_in_flight(make_venue_bench):
    """It is written down at once and carried out when the way is free."""
    bench = make_venue_bench()
    bench.is_held = True
    bench.buy("1")
    answer = bench.send(action="close")
    assert bench.position().reduce_to == 0
    bench.is_held = False
    bench.tick(2)
    assert bench.now(answer)["status"] == "filled"
    assert bench.at_venue() == 0


# --- line 3: an alert that waits for a fact ------------------------------------------------------


def test_an_alert_waits_where_the_venue_does_not_tell_what_it_trades(make_venue_bench):
    """202, asked again after two seconds, and traded once it is known."""
    bench = make_venue_bench()
    bench.venue.fail("instrument", Unreachable("no route"), KeyError("filters"))
    answer = bench.buy("1")
    assert (answer["http"], answer["status"]) == (202, "pending")
    assert bench.desk._pause() <= 2
    bench.tick(5)
    assert bench.now(answer)["status"] == "filled"
    assert len(bench.venue.times("instrument")) == 3


def test_an_alert_that_waited_too_long_for_a_fact_opens_nothing(make_venue_bench):
    """`EXPIRED`, told, also while the venue still does not answer."""
    bench = make_venue_bench()
    bench.venue.is_gone = True
    answer = bench.buy("1")
    bench.tick(95)
    assert (bench.now(answer)["status"], bench.now(answer)["code"]) == ("denied", "EXPIRED")
    assert answer["alert_id"] in [each["alert_id"] for each in bench.told("alert_ended")]
    bench.venue.is_gone = False
    bench.tick(60)
    assert bench.venue.requests == []


@pytest.mark.parametrize("alert", [{"action": "close"}, {"action": "sell", "quantity": "2"}])
@pytest.mark.parametrize("kind", UNLINKED)
def test_a_close_after_a_start_in_an_outage_is_carried_out(make_venue_bench, kind, alert):
    """It goes by the rules stored with the position, and is owed however long it takes."""
    bench = holding(make_venue_bench, kind)
    bench.venue.is_gone = True
    bench.crash()
    answer = bench.send(**alert)
    assert answer["http"] == 202
    bench.tick(600, step=5)
    assert bench.now(answer)["status"] in ("pending", "unreached")
    bench.venue.is_gone = False
    bench.tick(10)
    assert bench.now(answer)["status"] == "filled"
    assert bench.held() == bench.at_venue() == 0


def test_a_refusal_to_tell_is_remembered_for_a_minute(make_venue_bench):
    """A login, a limit or a list of symbols may change; until then nobody asks again."""
    bench = make_venue_bench()
    bench.venue.fail("instrument", BrokerRefused("set V_PASSWORD", "LOGIN_REFUSED"))
    first = bench.buy("1")
    assert (first["http"], first["code"]) == (422, "LOGIN_REFUSED")
    bench.tick(58)
    assert bench.buy("1")["code"] == "LOGIN_REFUSED"
    assert len(bench.venue.times("instrument")) == 1
    bench.tick(3)
    assert bench.buy("1")["status"] == "filled"


# --- line 4: a refused login -------------------------------------------------------------------------


def test_a_refused_login_is_a_422_that_keeps_the_venues_words(make_venue_bench):
    """`LOGIN_REFUSED`, naming the variables; refused once, nothing is sent again."""
    bench = make_venue_bench()
    bench.venue.fail("place", BrokerRefused("set V_USERNAME and V_PASSWORD", "LOGIN_REFUSED"))
    answer = bench.buy("1")
    assert (answer["http"], answer["code"]) == (422, "LOGIN_REFUSED")
    assert "V_PASSWORD" in answer["message"]
    bench.tick(300)
    assert len(bench.entries()) == 1


# --- lines 5 and 6: what is recorded is ours, and each 202 ends told ---------------------------------


@pytest.mark.parametrize("verb", ["place", "cancel", "find", "snapshot", "fills"])
def test_a_recorded_alert_is_never_a_5xx(make_venue_bench, verb):
    """Whatever a broker raises, from whichever of its calls."""
    bench = make_venue_bench()
    bench.venue.fail(verb, *[ZeroDivisionError("odd")] * 100)
    answers = [bench.buy("1"), bench.send(action="close"), bench.send(**LIMIT)]
    bench.tick(60)
    answers.append(bench.send(action="cancel"))
    assert {answer["http"] for answer in answers} <= {200, 202, 422}


ENDINGS = {
    "absent": ([LOSE_REQUEST], "absent", "order_absent"),
    "expired": ([Unreachable("no route")] * 500, "expired", "order_expired"),
    "refused": ([Unreachable("no route"), NO], "refused", "order_refused"),
}


@pytest.mark.parametrize(("faults", "status", "event"), ENDINGS.values(), ids=ENDINGS)
def test_each_202_ends_in_a_recorded_outcome_that_is_told(make_venue_bench, faults, status, event):
    """Within sixty seconds of the end, by the alert's id."""
    bench = make_venue_bench()
    bench.venue.fail("place", *faults)
    answer = bench.buy("1")
    assert answer["http"] == 202
    bench.tick(100)
    assert bench.now(answer)["status"] == status
    assert [each["alert_id"] for each in bench.told(event)] == [answer["alert_id"]]


def test_a_202_that_ends_in_part_is_told(make_venue_bench):
    """Not filled and not working: the user hears how much it was."""
    bench = make_venue_bench()
    bench.venue.fail("place", LOSE_ANSWER)
    bench.venue.parts.append(Decimal("0.5"))
    answer = bench.buy("1")
    assert answer["http"] == 202
    bench.tick(5)
    assert bench.now(answer)["status"] == "partly_filled"
    assert [each["alert_id"] for each in bench.told("alert_ended")] == [answer["alert_id"]]


def test_a_202_that_ends_filled_is_not_told(make_venue_bench):
    """Good news stands in the record."""
    bench = make_venue_bench()
    bench.venue.fail("place", LOSE_ANSWER)
    answer = bench.buy("1")
    bench.tick(5)
    assert bench.now(answer)["status"] == "filled"
    assert events(bench) == ["order_unknown"]


# --- after a start ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", UNLINKED)
def test_a_first_commit_that_fails_after_a_start_forgets_nothing(
    make_venue_bench, kind, monkeypatch
):
    """The disk was full for a moment: what was loaded is still known, and is closed by a close."""
    bench = holding(make_venue_bench, kind, stop_loss="90")
    write, failed = Store.write, []

    def write_once_more(store, batch, *rest):
        if not failed:
            failed.append(batch)
            raise StoreUnavailable("the disk is full")
        return write(store, batch, *rest)

    monkeypatch.setattr("desk.engine.loop.RETRY_SECONDS", 0)
    monkeypatch.setattr(Store, "write", write_once_more)
    bench.crash()
    assert failed
    assert bench.held() == 2
    answer = bench.send(action="close")
    bench.tick(5)
    assert bench.now(answer)["status"] == "filled"
    assert bench.at_venue() == 0


@pytest.mark.parametrize("is_restarted", [False, True], ids=["running", "after a crash"])
def test_a_close_without_an_account_reduces_wherever_the_strategy_holds(
    make_venue_bench, is_restarted
):
    """Opened on an account off its route: a restart does not hide it."""
    bench = make_venue_bench()
    bench.buy("2", account_group="w")
    bench.tick(15)
    if is_restarted:
        bench.crash()
    answer = bench.send(action="close")
    bench.tick(3)
    assert bench.now(answer)["status"] in ("filled", "nothing_to_do")
    assert bench.held(account="w") == 0
    assert bench.venues["w"].positions[bench.symbol] == 0


# --- settled by hand ---------------------------------------------------------------------------------


def unknown(make_venue_bench, kind="reduce-only"):
    """Return a bench whose entry is unknown and cannot be looked up, and the id of that entry."""
    bench = make_venue_bench(kind)
    bench.venue.fail("place", LOSE_REQUEST)
    bench.venue.fail("find", *[Uncertain("no answer")] * 500)
    bench.buy("2", stop_loss="90")
    return bench, bench.entries()[0].client_id


def test_an_operator_may_say_that_an_unknown_order_filled(make_venue_bench):
    """The share, its price and its protection follow; told."""
    bench, cid = unknown(make_venue_bench)
    bench.venue.positions[bench.symbol] = Decimal(2)
    command = bench.command(
        "resolve", client_id=cid, outcome="filled", price=Decimal(101), quantity=None
    )
    assert command.refused is None
    assert bench.held() == 2
    assert bench.rows()[0]["average_price"] == "101"
    assert bench.legs() == [("stop", 90, 2)]
    assert len(bench.told("resolved")) == 1


def test_an_order_by_worth_may_have_filled_more_than_was_estimated(make_venue_bench, monkeypatch):
    """A hundred in cash at an alert's price of 100 bought 1.25 at 80: that is what the operator says."""
    monkeypatch.setitem(KINDS, "cash", KINDS["locked"] | {"cash"})
    bench = make_venue_bench("cash")
    bench.venue.fail("place", LOSE_REQUEST)
    bench.venue.fail("find", *[Uncertain("no answer")] * 500)
    bench.buy("100", quantity_type="cash")
    cid = bench.entries()[0].client_id
    assert bench.book().orders[cid].quantity == 1
    command = bench.command(
        "resolve", client_id=cid, outcome="filled", price=Decimal(80), quantity=Decimal("1.25")
    )
    assert command.refused is None
    assert bench.held() == Decimal("1.25")


def test_an_operator_may_say_that_an_unknown_order_is_absent(make_venue_bench):
    """Opening orders are allowed again, and it is not sent again."""
    bench, cid = unknown(make_venue_bench)
    assert bench.buy("1")["code"] == "ORDER_UNRESOLVED"
    bench.command("resolve", client_id=cid, outcome="absent")
    assert not bench.concerns()["unknown_orders"]
    assert bench.buy("1")["status"] == "filled"
    assert len(bench.entries()) == 2


@pytest.mark.parametrize("kind", UNLINKED)
def test_an_operator_may_say_that_an_unknown_exit_is_absent(make_venue_bench, kind):
    """Then it is pursued."""
    bench = holding(make_venue_bench, kind)
    bench.venue.fail("find", *[Uncertain("no answer")] * 500)
    close(bench, LOSE_REQUEST)
    bench.command("resolve", client_id=bench.exits()[0].client_id, outcome="absent")
    bench.tick(15)
    assert bench.held() == bench.at_venue() == 0


def test_only_an_unknown_order_can_be_settled_by_hand(make_venue_bench):
    """One that is known, or was never ours, stays as it is."""
    bench = make_venue_bench()
    bench.send(**LIMIT)
    cid = bench.entries()[0].client_id
    for client_id in (cid, "nobody"):
        refused = bench.command("resolve", client_id=client_id, outcome="absent").refused
        assert refused is not None
        assert refused.code == "NOT_UNKNOWN"
    assert len(bench.venue.working()) == 1
