"""Entries that rest: how long they live, what ends them, and reducing orders that rest beside protection."""

from __future__ import annotations

from decimal import Decimal

import pytest

from brokers.protocol import BrokerRefused, Uncertain
from tests.support.fakes import DeskBench
from tests.support.venue_bench import KINDS, LOSE_ANSWER, LOSE_REQUEST, UNLINKED

LIMIT = {"action": "buy", "quantity": "1", "order_type": "limit", "limit_price": "90"}


def ends_of(bench, event):
    """Return the messages of one kind that the user was told."""
    return [each["message"] for each in bench.told(event)]


# --- how long an entry lives -------------------------------------------------------------------------


def test_an_entry_that_rests_ends_expired_after_its_time(make_venue_bench):
    """Five minutes by default: cancelled at the venue, `expired` in the record, told."""
    bench = make_venue_bench()
    answer = bench.send(**LIMIT)
    assert (answer["http"], answer["status"]) == (200, "accepted")
    bench.tick(299)
    assert bench.now(answer)["status"] == "accepted"
    bench.tick(1)
    assert bench.now(answer)["status"] == "expired"
    assert not bench.venue.working()
    assert len(ends_of(bench, "order_expired")) == 1


def test_good_till_cancelled_rests_for_ever(make_venue_bench):
    """`time_in_force: gtc` replaces the five minutes."""
    bench = make_venue_bench()
    answer = bench.send(**LIMIT, time_in_force="gtc")
    bench.tick(40 * 86_400, step=43_200)
    assert bench.now(answer)["status"] == "accepted"
    assert len(bench.venue.working()) == 1


def test_a_day_order_ends_with_the_day_of_its_account(make_venue_bench):
    """The day of a crypto account ends at midnight UTC, 19 h 20 min after the alert."""
    bench = make_venue_bench()
    answer = bench.send(**LIMIT, time_in_force="day")
    bench.tick(19 * 3_600 + 19 * 60, step=60 * 19)
    assert bench.now(answer)["status"] == "accepted"
    bench.tick(120, step=60)
    assert bench.now(answer)["status"] == "expired"


def test_what_filled_before_the_time_was_over_stays_and_is_protected(make_venue_bench):
    """Dead with less than asked is `partly_filled`, whatever ended it."""
    bench = make_venue_bench()
    answer = bench.send(**{**LIMIT, "quantity": "3"}, stop_loss="80")
    bench.venue.execute(bench.venue.working()[0], "1")
    bench.tick(301)
    assert bench.now(answer)["status"] == "partly_filled"
    assert bench.held() == 1
    assert bench.legs() == [("stop", 80, 1)]


def test_the_time_of_an_entry_goes_on_over_a_crash(make_venue_bench):
    """It expires when it would have expired."""
    bench = make_venue_bench()
    answer = bench.send(**LIMIT)
    bench.tick(200)
    bench.crash()
    bench.tick(99)
    assert bench.now(answer)["status"] == "accepted"
    bench.tick(1)
    assert bench.now(answer)["status"] == "expired"


# --- what a later alert does to it -------------------------------------------------------------------

LATER = {
    "an order to buy at the market": {"action": "buy", "quantity": "1"},
    "another resting order": {**LIMIT, "limit_price": "91"},
    "an order to sell": {"action": "sell", "quantity": "1"},
    "a close that finds nothing": {"action": "close"},
    "one that is denied": {"action": "buy", "quantity": "1", "trailing": "5"},
    "one on the wrong side of its stop": {"action": "buy", "quantity": "1", "stop_loss": "120"},
    "a cancel": {"action": "cancel"},
}


@pytest.mark.parametrize("later", LATER.values(), ids=LATER)
def test_any_later_alert_cancels_what_rests(make_venue_bench, later):
    """Also one that is then denied or finds nothing to do; the entry ends `cancelled`."""
    bench = make_venue_bench()
    first = bench.send(**LIMIT)
    bench.send(**later)
    assert bench.now(first)["status"] == "cancelled"
    assert bench.venue.orders[bench.entries()[0].client_id].status == "cancelled"


@pytest.mark.parametrize("kind", ["locked", "locked-oco"])
def test_a_sell_on_spot_cancels_the_resting_buy_and_finds_nothing(make_venue_bench, kind):
    """Limit buy resting, sell arrives: cancelled, and nothing is opened."""
    bench = make_venue_bench(kind)
    first = bench.send(**LIMIT)
    answer = bench.sell()
    assert (answer["http"], answer["code"]) == (200, "NOTHING_TO_CLOSE")
    assert bench.now(first)["status"] == "cancelled"
    assert len(bench.venue.requests) == 1


@pytest.mark.parametrize("alert", [{"action": "sell", "quantity": "1"}, {"action": "close"}])
def test_an_entry_that_fills_while_an_exit_has_it_cancelled_does_not_stay(make_venue_bench, alert):
    """The cancel was lost and the exit is through: what fills then was said before the exit, and leaves."""
    bench = make_venue_bench()
    bench.buy("2")
    bench.send(**LIMIT)
    (entry,) = bench.venue.working()
    bench.venue.fail("cancel", LOSE_REQUEST)
    bench.send(**alert)
    left = 1 if alert["action"] == "sell" else 0
    assert bench.held() == left
    assert entry.status == "accepted"
    bench.venue.execute(entry)
    bench.tick(20)
    assert bench.held() == bench.at_venue() == left


IGNORED = {
    "too old": {"action": "buy", "quantity": "1", "timenow": "2025-11-21T04:30:00Z"},
    "of another strategy": {"action": "close", "strategy": "t"},
    "of another instrument": {"action": "close", "symbol": "ETHUSDT.P"},
}


@pytest.mark.parametrize("later", IGNORED.values(), ids=IGNORED)
def test_an_alert_that_does_not_count_cancels_nothing(make_venue_bench, later):
    """An opening alert that is too old was never said; another strategy's or symbol's is not about it."""
    bench = make_venue_bench()
    first = bench.send(**LIMIT)
    bench.send(**later)
    assert bench.now(first)["status"] == "accepted"


def test_a_stale_alert_cancels_nothing(make_venue_bench):
    """An entry that its own close has overtaken is `STALE_ORDER`, and the resting one stays."""
    bench = make_venue_bench()
    bench.send(action="close", timenow="2025-11-21T04:39:50Z")
    first = bench.send(**LIMIT)
    stale = bench.buy(timenow="2025-11-21T04:39:40Z")
    assert stale["code"] == "STALE_ORDER"
    assert bench.now(first)["status"] == "accepted"


def test_a_duplicate_cancels_nothing(make_venue_bench):
    """The same text within the window is the same alert."""
    bench = make_venue_bench()
    first = bench.send(**LIMIT, id="same")
    again = bench.send(**LIMIT, id="same")
    assert again["duplicate"] is True
    assert bench.now(first)["status"] == "accepted"


def test_a_pyramid_keeps_what_rests_on_its_side_only(make_venue_bench):
    """`pyramid: true`: another buy adds; a sell ends both."""
    bench = make_venue_bench()
    answers = [bench.send(**{**LIMIT, "limit_price": at}, strategy="p") for at in ("90", "91")]
    assert [bench.now(each)["status"] for each in answers] == ["accepted", "accepted"]
    bench.sell("1", strategy="p", order_type="limit", limit_price="120")
    assert [bench.now(each)["status"] for each in answers] == ["cancelled", "cancelled"]


def test_a_market_entry_on_the_same_side_adds_whatever_pyramid_says(make_venue_bench):
    """Only what works is cancelled, never what is held."""
    bench = make_venue_bench()
    bench.buy("1")
    bench.buy("2")
    assert bench.held() == bench.at_venue() == 3


@pytest.mark.parametrize("kind", KINDS)
def test_an_entry_that_fills_under_its_cancel_is_closed_by_the_close(make_venue_bench, kind):
    """The close could not know; it closes what it finds."""
    bench = make_venue_bench(kind)
    first = bench.send(**LIMIT)
    bench.is_held = True
    close = bench.send(action="close")
    bench.move(90)
    bench.is_held = False
    bench.tick(5)
    assert bench.now(first)["status"] == "filled"
    assert bench.held() == bench.at_venue() == 0
    assert bench.now(close)["status"] == "filled"


@pytest.mark.parametrize("parts", ["2", "1.5"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_entry_that_fills_unseen_is_closed_by_a_sale_too(make_venue_bench, kind, parts):
    """On spot the sale leaves nothing; where a short is possible it is a reversal, and carried out."""
    bench = make_venue_bench(kind)
    bench.send(**{**LIMIT, "quantity": "2"})
    bench.venue.execute(bench.venue.working()[0], parts)
    bench.sell("2")
    bench.tick(30)
    wanted = 0 if bench.is_locked else -2
    assert (bench.held(), bench.at_venue()) == (wanted, wanted)


@pytest.mark.parametrize("kind", KINDS)
def test_an_entry_whose_answer_was_lost_is_closed_by_a_sale_too(make_venue_bench, kind):
    """It had filled; the sale could not know, and closes what is found."""
    bench = make_venue_bench(kind)
    bench.venue.fail("place", LOSE_ANSWER)
    bench.buy("2")
    sale = bench.sell("2")
    bench.tick(30)
    assert (bench.held(), bench.at_venue()) == (0, 0)
    assert bench.now(sale)["orders"][0]["status"] == "filled"


def test_a_stated_position_is_met_whatever_fills_before(make_venue_bench):
    """`sync: position`: two filled unseen while the alert asked for three; one more is bought."""
    bench = make_venue_bench()
    stated = {"strategy": "sync", "action": "buy"}
    bench.send(**stated, position_size="2", order_type="limit", limit_price="90")
    bench.venue.execute(bench.venue.working()[0])
    bench.send(**stated, position_size="3")
    bench.tick(10)
    assert (bench.held("sync"), bench.at_venue()) == (3, 3)


def test_a_stated_position_that_is_met_meanwhile_sends_nothing(make_venue_bench):
    """Three filled unseen, three are wanted: the order that waited ends, and says why."""
    bench = make_venue_bench()
    stated = {"strategy": "sync", "action": "buy", "position_size": "3"}
    bench.send(**stated, order_type="limit", limit_price="90")
    bench.venue.execute(bench.venue.working()[0])
    answer = bench.send(**stated)
    bench.tick(10)
    assert (bench.held("sync"), len(bench.entries())) == (3, 1)
    row = bench.now(answer)
    assert (row["status"], row["code"]) == ("cancelled", "AT_TARGET")


@pytest.mark.parametrize("kind", KINDS)
def test_an_entry_that_filled_in_part_under_its_cancel_is_closed_too(make_venue_bench, kind):
    """The part is `partly_filled` and does not stay."""
    bench = make_venue_bench(kind)
    first = bench.send(**{**LIMIT, "quantity": "3"})
    bench.is_held = True
    bench.send(action="close")
    bench.venue.execute(bench.venue.working()[0], "2")
    bench.is_held = False
    bench.tick(5)
    assert bench.now(first)["status"] == "partly_filled"
    assert bench.held() == bench.at_venue() == 0


@pytest.mark.parametrize(
    "fault",
    [BrokerRefused("busy"), LOSE_ANSWER, RuntimeError("odd")],
    ids=["refused", "lost", "odd"],
)
def test_a_cancel_that_goes_wrong_is_asked_until_the_entry_is_gone(make_venue_bench, fault):
    """Whatever became of the request, the entry ends `cancelled` at the venue too."""
    bench = make_venue_bench()
    first = bench.send(**LIMIT)
    bench.venue.fail("cancel", fault)
    bench.send(action="cancel")
    bench.tick(10)
    assert not bench.venue.working()
    assert bench.now(first)["status"] == "cancelled"


def test_a_cancel_that_ends_nothing_is_asked_again_at_every_read(make_venue_bench):
    """The venue answers and shows the order: two seconds later it is asked again."""
    bench = make_venue_bench()
    bench.send(**LIMIT)
    bench.venue.fail("cancel", *[BrokerRefused("busy")] * 3)
    bench.send(action="cancel")
    start = bench.clock()
    bench.tick(10)
    assert not bench.venue.working()
    asked = [(at - start) // 1000 for at in bench.venue.times("cancel")]
    assert len(asked) == 4
    assert asked[-1] <= 6


def test_a_reversal_waits_for_the_cancel_of_what_rests(make_venue_bench):
    """The new entry leaves only when the old one is known to be gone: never both."""
    bench = make_venue_bench()
    bench.send(**LIMIT)
    bench.venue.fail("cancel", BrokerRefused("busy"), BrokerRefused("busy"))
    answer = bench.sell("1", order_type="limit", limit_price="110")
    assert len(bench.entries()) == 1
    assert answer["http"] == 202
    bench.tick(6)
    assert [each.status for each in bench.venue.orders.values()] == ["cancelled", "accepted"]
    assert bench.now(answer)["status"] == "accepted"


# --- stops, targets and the alert's row --------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_stops_and_targets_are_good_till_cancelled(make_venue_bench, kind):
    """Two months later they still stand, in the same orders."""
    bench = make_venue_bench(kind)
    bench.buy("1", stop_loss="90", take_profit="120")
    before = [order.request.client_id for order in bench.venue.working()]
    bench.tick(60 * 86_400, step=86_400)
    assert [order.request.client_id for order in bench.venue.working()] == before


def test_the_row_of_an_alert_follows_its_order_until_it_is_final(make_venue_bench):
    """`accepted`, then partly filled while it works, then `filled`; over a crash too."""
    bench = make_venue_bench()
    answer = bench.send(**{**LIMIT, "quantity": "2"})
    bench.venue.execute(bench.venue.working()[0], "1")
    bench.tick(3)
    shown = bench.now(answer)
    assert (shown["status"], shown["orders"][0]["filled_quantity"]) == ("accepted", "1")
    bench.crash()
    bench.move(90)
    bench.tick(3)
    shown = bench.now(answer)
    assert (shown["status"], shown["orders"][0]["filled_quantity"]) == ("filled", "2")


# --- a reducing order of an alert that rests ---------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_reducing_limit_order_rests_good_till_cancelled(make_venue_bench, kind):
    """It is an `exit` of at most the share, and takes it when it is reached."""
    bench = make_venue_bench(kind)
    bench.buy("2")
    answer = bench.sell("2", order_type="limit", limit_price="110")
    bench.tick(2 * 86_400, step=43_200)
    assert bench.now(answer)["status"] == "accepted"
    assert [row["kind"] for row in bench.rows()[0]["orders"]] == ["exit"]
    bench.move(110)
    bench.tick(5)
    assert bench.now(answer)["status"] == "filled"
    assert bench.held() == bench.at_venue() == 0


@pytest.mark.parametrize(
    ("order", "leg"),
    [
        ({"action": "close", "order_type": "limit", "limit_price": "110"}, ("limit", 110, 2)),
        ({"action": "close", "order_type": "stop", "stop_price": "90"}, ("stop", 90, 2)),
        (
            {"action": "sell", "quantity": "2", "order_type": "limit", "limit_price": "110"},
            ("limit", 110, 2),
        ),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_an_exit_with_a_level_rests_there_once_the_unknown_entry_is_found(
    make_venue_bench, kind, order, leg
):
    """What it shall take is not known yet; it is never sold at the market instead."""
    bench = make_venue_bench(kind)
    bench.venue.fail("place", LOSE_ANSWER)
    bench.buy("2")
    answer = bench.send(**order)
    bench.tick(10)
    assert bench.legs() == [leg]
    assert (bench.held(), bench.exits()) == (2, [])
    assert answer["warnings"] == []
    assert [each["status"] for each in bench.now(answer)["orders"]][:1] == ["accepted"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_exit_with_a_level_changes_nothing_of_a_close_that_is_owed(make_venue_bench, kind):
    """Bought, closed and sold at a level before anybody knew of the first: the close takes all of it."""
    bench = make_venue_bench(kind)
    bench.venue.fail("place", LOSE_ANSWER)
    bench.venue.fail("find", *[Uncertain("no answer")] * 2)
    bench.buy("2", stop_loss="90")
    bench.send(action="close")
    bench.send(action="sell", quantity="2", order_type="limit", limit_price="110")
    bench.venue.fail("place", LOSE_REQUEST)
    bench.tick(60)
    assert not bench.desk.state.halts
    assert (bench.held(), bench.at_venue()) == (0, 0)
    assert sum(each.quantity for each in bench.exits()) <= 4


@pytest.mark.parametrize("kind", UNLINKED)
def test_an_exit_with_a_level_ends_with_an_entry_that_never_was(make_venue_bench, kind):
    """Nothing is held, so nothing may rest: the next position must not inherit it."""
    bench = make_venue_bench(kind)
    bench.venue.fail("place", LOSE_REQUEST)
    bench.buy("2")
    answer = bench.send(action="close", order_type="limit", limit_price="110")
    assert answer["status"] == "pending"
    bench.tick(20)
    assert bench.now(answer)["status"] == "nothing_to_do"
    bench.buy("1")
    assert bench.legs() == []


@pytest.mark.parametrize("kind", KINDS)
def test_an_exit_that_replaces_another_is_followed_until_it_is_final(make_venue_bench, kind):
    """It waits for the cancel of the first, and its row shows what became of it."""
    bench = make_venue_bench(kind)
    bench.buy("2")
    sell = {"action": "sell", "quantity": "2", "order_type": "limit"}
    first = bench.send(**sell, limit_price="110")
    second = bench.send(**sell, limit_price="120")
    bench.tick(10)
    assert bench.now(first)["status"] == "cancelled"
    assert bench.now(second)["status"] == "accepted"
    bench.move(120)
    bench.tick(10)
    assert bench.now(second)["status"] == "filled"
    assert bench.held() == 0


def test_an_exit_that_is_refused_at_first_is_pending_and_then_works(make_venue_bench):
    """Its row follows the wish, not one order."""
    bench = make_venue_bench()
    bench.buy("2")
    bench.venue.fail("place", BrokerRefused("not now"))
    answer = bench.send(action="sell", quantity="2", order_type="limit", limit_price="110")
    assert (answer["http"], answer["status"]) == (202, "pending")
    bench.tick(5)
    assert bench.now(answer)["status"] == "accepted"


@pytest.mark.parametrize(
    ("levels", "leg"),
    [({"stop_price": "95"}, ("stop", 95, 1)), ({"limit_price": "105"}, ("limit", 105, 1))],
)
def test_half_a_stop_limit_exit_rests_as_what_it_has(make_venue_bench, levels, leg):
    """Whether its `price` is the other level or the price now cannot be known."""
    bench = make_venue_bench()
    bench.buy("1")
    bench.send(action="close", order_type="stop_limit", price="94", **levels)
    assert bench.legs() == [leg]
    assert bench.held() == 1


def test_the_price_of_half_a_stop_limit_moves_nothing_on_paper(tmp_path):
    """It stood beyond the stop: as a price seen it had sold at once."""
    bench = DeskBench(tmp_path)
    shape = {"symbol": "BTCUSDT.P", "strategy": "s"}
    bench.send(**shape, action="buy", quantity=1, price=45000)
    bench.send(**shape, action="close", type="stop_limit", price=43900, stop_price=44000)
    assert bench.held("s", "BTCUSDT.P") == 1
    assert bench.desk.state.price_of("BTCUSDT.P") == 45000


@pytest.mark.parametrize("kind", KINDS)
def test_a_reducing_stop_order_rests_too(make_venue_bench, kind):
    """A stop of an alert is an exit like any other."""
    bench = make_venue_bench(kind)
    bench.buy("2")
    bench.sell("2", order_type="stop", stop_price="95")
    assert bench.legs() == [("stop", 95, 2)]
    bench.move(95)
    bench.tick(5)
    assert bench.held() == bench.at_venue() == 0


REPLACING = {
    "another resting exit": {"action": "sell", "quantity": "1", "order_type": "limit",
                             "limit_price": "115"},
    "an exit at the market": {"action": "sell", "quantity": "1"},
    "a close": {"action": "close"},
    "a cancel": {"action": "cancel"},
}  # fmt: skip


@pytest.mark.parametrize("later", REPLACING.values(), ids=REPLACING)
@pytest.mark.parametrize("kind", UNLINKED)
def test_the_next_reducing_alert_or_a_cancel_replaces_it(make_venue_bench, kind, later):
    """The old exit is gone from the venue; what the new alert says holds."""
    bench = make_venue_bench(kind)
    bench.buy("2")
    first = bench.sell("2", order_type="limit", limit_price="110")
    bench.send(**later)
    bench.tick(5)
    assert bench.now(first)["status"] == "cancelled"
    assert [leg for leg in bench.legs() if leg[1] == 110] == []
    taken = {"close": 2, "cancel": 0}.get(later["action"], 0 if "order_type" in later else 1)
    assert bench.held() == bench.at_venue() == 2 - taken


def test_an_opening_alert_leaves_a_resting_exit_alone(make_venue_bench):
    """Only what reduces, or `cancel`, replaces it; adding to the share does not."""
    bench = make_venue_bench()
    bench.buy("2")
    first = bench.sell("2", order_type="limit", limit_price="110")
    bench.buy("1")
    assert bench.held() == 3
    assert bench.now(first)["status"] == "accepted"
    assert bench.legs() == [("limit", 110, 2)]


@pytest.mark.parametrize("kind", ["reduce-only", "reduce-only-oco", "plain", "plain-oco"])
def test_a_resting_exit_and_protection_take_at_most_the_share(make_venue_bench, kind):
    """What the exit took, stop and target no longer cover."""
    bench = make_venue_bench(kind)
    bench.buy("3", stop_loss="90", take_profit="120")
    bench.sell("1", order_type="limit", limit_price="110")
    bench.move(110)
    bench.tick(3)
    assert bench.held() == bench.at_venue() == 2
    assert bench.legs() == [("limit", 120, 2), ("stop", 90, 2)]


@pytest.mark.parametrize("kind", ["reduce-only", "reduce-only-oco", "plain", "plain-oco"])
def test_a_stop_that_fills_ends_the_resting_exit(make_venue_bench, kind):
    """One group: within three seconds nothing of it works any more."""
    bench = make_venue_bench(kind)
    bench.buy("3", stop_loss="90")
    bench.sell("3", order_type="limit", limit_price="110")
    bench.move(90)
    bench.tick(3)
    assert bench.held() == bench.at_venue() == 0
    assert not bench.venue.working()


def test_a_whole_resting_exit_takes_the_place_of_the_target_in_a_locked_pair(make_venue_bench):
    """There is room for two that are linked: the stop and the alert's own exit."""
    bench = make_venue_bench("locked-oco")
    bench.buy("2", stop_loss="90", take_profit="120")
    bench.sell("2", order_type="limit", limit_price="110")
    bench.tick(2)
    assert bench.legs() == [("limit", 110, 2), ("stop", 90, 2)]


@pytest.mark.parametrize(("kind", "size"), [("locked", "2"), ("locked", "1"), ("locked-oco", "1")])
def test_a_resting_exit_without_room_beside_the_stop_is_warned_of(make_venue_bench, kind, size):
    """Where orders lock what they sell the stop keeps its place, and the answer says what is not placed."""
    bench = make_venue_bench(kind)
    bench.buy("2", stop_loss="90")
    answer = bench.sell(size, order_type="limit", limit_price="110")
    bench.tick(3)
    assert bench.legs() == [("stop", 90, 2)]
    assert any("not placed" in text for text in answer["warnings"])


def test_a_resting_exit_is_cut_to_the_share(make_venue_bench):
    """More than is held is asked for: what is held rests, nothing is opened by it."""
    bench = make_venue_bench("locked")
    bench.buy("1")
    bench.sell("5", order_type="limit", limit_price="110")
    assert bench.legs() == [("limit", Decimal(110), Decimal(1))]
