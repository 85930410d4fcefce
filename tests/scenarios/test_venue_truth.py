"""The venue is the truth: when it is read, what is not ours, what was closed elsewhere, who is silent."""

from __future__ import annotations

import itertools
from dataclasses import replace
from decimal import Decimal

import pytest

from brokers.protocol import (
    HEDGE_MODE,
    KEYS_REFUSED,
    BrokerRefused,
    Snapshot,
    Uncertain,
    Unreachable,
)
from desk.venue.polling import Reading
from tests.support.venue_bench import ARRIVE_LATE, KINDS, LOSE_ANSWER, NETTING, UNLINKED

LIMIT = {"action": "buy", "quantity": "1", "order_type": "limit", "limit_price": "90"}
SILENT = {
    "unreachable": Unreachable("no route"),
    "no answer": Uncertain("timed out"),
    "refused": BrokerRefused("maintenance"),
    "odd": KeyError("positions"),
}


def pauses(bench, seconds, account="v"):
    """Return the pauses between the reads of so many seconds, the same ones once."""
    venue = bench.venues[account]
    first = len(venue.times("snapshot"))
    bench.tick(seconds, step=0.5)
    reads = venue.times("snapshot")[max(first - 1, 0) :]
    return {(two - one) / 1000 for one, two in itertools.pairwise(reads[1:])}


# --- line 1: when accounts are read ------------------------------------------------------------------


def test_an_account_is_read_every_2_seconds_while_an_order_works(make_venue_bench):
    """A resting entry, a stop: whatever the desk must watch."""
    bench = make_venue_bench()
    bench.send(**LIMIT, time_in_force="gtc")
    bench.tick(5)
    assert pauses(bench, 30) == {2}


def test_an_account_is_read_every_5_seconds_while_a_position_is_held(make_venue_bench):
    """Once quantities have been seen to agree."""
    bench = make_venue_bench()
    bench.buy("1")
    bench.tick(5)
    assert pauses(bench, 60) == {5}


def test_an_idle_account_is_read_every_minute(make_venue_bench):
    """Nothing is held, nothing works."""
    bench = make_venue_bench()
    assert pauses(bench, 400, "w") == {60}


def test_an_account_is_never_read_more_often_than_its_quota_allows(make_venue_bench):
    """A venue states the shortest pause that leaves half of its quota to orders; accounts share it.

    One in which nothing is open hardly reads, and so slows down no other.
    """
    bench = make_venue_bench()
    for venue in bench.venues.values():
        venue.facts = replace(venue.facts, poll_seconds=8.0)
    bench.send(**LIMIT, time_in_force="gtc")
    bench.tick(20)
    assert pauses(bench, 60) == {8}
    bench.send(**LIMIT, time_in_force="gtc", strategy="far")
    bench.tick(20)
    assert pauses(bench, 60) == pauses(bench, 60, "w") == {16}


def test_what_the_venue_says_is_used_slows_reading_down(make_venue_bench):
    """Another program behind the same address has used most of the half that reading may take."""
    bench = make_venue_bench()
    bench.venue.rest_seconds = 15.0
    bench.send(**LIMIT, time_in_force="gtc")
    bench.tick(20)
    assert pauses(bench, 60) == {15}


def test_orders_one_after_the_other_have_the_account_read_no_more_often(make_venue_bench):
    """Each has it read soon; how soon is the venue's quota."""
    bench = make_venue_bench()
    bench.venue.rest_seconds = 10.0
    bench.buy("1")
    bench.tick(20)
    first = len(bench.venue.times("snapshot"))
    for _ in range(30):
        bench.buy("1")
        bench.tick(1)
    assert len(bench.venue.times("snapshot")) - first <= 4


def test_executions_are_asked_for_only_of_what_differs(make_venue_bench):
    """Closes that found nothing named both; a deposit of one is asked about for a while, and nothing else."""
    bench = make_venue_bench()
    for symbol in (bench.symbol, bench.other):
        assert bench.send(action="close", symbol=symbol)["code"] == "NOTHING_TO_CLOSE"
    bench.tick(120)
    assert bench.venue.explained == []
    bench.venue.trade_by_hand(bench.symbol, "1")
    bench.tick(200)
    assert bench.venue.explained == [(bench.symbol,)] * 3


def test_many_instruments_that_differ_take_turns(make_venue_bench, monkeypatch):
    """A venue counts each of them, so one read asks for a few."""
    monkeypatch.setattr("desk.venue.polling.SYMBOLS_AT_ONCE", 1)
    bench = make_venue_bench()
    for symbol in (bench.symbol, bench.other):
        bench.send(action="close", symbol=symbol)
        bench.venue.trade_by_hand(symbol, "1")
    bench.tick(200)
    both = sorted((bench.symbol, bench.other))
    assert [one for (one,) in bench.venue.explained] == both * 3


@pytest.mark.parametrize("kind", UNLINKED)
def test_fills_are_acted_on_at_every_read(make_venue_bench, kind):
    """Also of an order that is younger than ten seconds: only quantities wait."""
    bench = make_venue_bench(kind)
    answer = bench.send(**LIMIT, stop_loss="80")
    bench.tick(1)
    bench.move(90)
    bench.tick(3)
    assert bench.now(answer)["status"] == "filled"
    assert bench.legs() == [("stop", 80, 1)]


@pytest.mark.parametrize("kind", UNLINKED)
def test_a_read_that_never_comes_back_is_asked_again(make_venue_bench, kind):
    """After twenty seconds it counts as failed."""
    bench = make_venue_bench(kind)
    bench.buy("1")
    bench.tick(3)
    bench.is_blind = True
    bench.tick(8)
    bench.pool.reads.clear()
    bench.is_blind = False
    before = len(bench.venue.times("snapshot"))
    bench.tick(25)
    assert len(bench.venue.times("snapshot")) > before
    assert not bench.concerns()["silent_accounts"]


def test_a_read_that_makes_no_sense_is_asked_again_soon(make_venue_bench):
    """Two seconds later; what it would have told is learned then."""
    bench = make_venue_bench()
    bench.buy("1", stop_loss="90", take_profit="120")
    bench.tick(20)
    bench.is_blind = True
    bench.move(90)
    bench.tick(2)
    bench.pool.reads.clear()
    bench.desk.turn([Reading("v", bench.clock(), Snapshot({bench.symbol: "one"}))])
    bench.is_blind = False
    assert len(bench.told("internal_error")) == 1
    bench.tick(3)
    assert bench.held() == 0
    assert not bench.venue.working()


# --- fills are learned once --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_fill_is_booked_once_however_often_it_is_told(make_venue_bench, kind):
    """By the receipt, by reads, by `fills(since)`, and again after a crash."""
    bench = make_venue_bench(kind)
    bench.buy("2")
    bench.send(**LIMIT, time_in_force="gtc")
    bench.venue.execute(bench.venue.working()[0], "0.5")
    bench.venue.trade_by_hand(bench.symbol, "1")  # quantities differ: executions are asked for
    bench.tick(30)
    assert bench.venue.times("fills")
    bench.crash()
    bench.tick(30)
    assert bench.held() == Decimal("2.5")
    with bench.store.reader() as reader:
        count = reader._db.execute("SELECT COUNT(*) FROM fills").fetchone()[0]
    assert count == 2


@pytest.mark.parametrize("kind", UNLINKED)
def test_a_late_fill_of_an_entry_that_counted_as_absent_is_learned(make_venue_bench, kind):
    """Told, held, and protected by the levels its alert brought."""
    bench = make_venue_bench(kind)
    bench.venue.fail("place", ARRIVE_LATE)
    answer = bench.buy("1", stop_loss="80")
    bench.tick(20)
    assert bench.now(answer)["status"] == "absent"
    bench.venue.let_in()
    bench.tick(130)
    assert bench.held() == bench.at_venue() == 1
    assert bench.legs() == [("stop", 80, 1)]
    assert len(bench.told("late_fill")) == 1


@pytest.mark.parametrize("kind", UNLINKED)
def test_a_late_fill_of_an_entry_that_counted_as_cancelled_is_learned(make_venue_bench, kind):
    """The venue said cancelled and executed it all the same."""
    bench = make_venue_bench(kind)
    bench.send(**LIMIT)
    bench.send(action="cancel")
    bench.tick(5)
    bench.venue.execute(bench.venue.orders[bench.entries()[0].client_id])
    bench.tick(130)
    assert bench.held() == bench.at_venue() == 1
    assert len(bench.told("late_fill")) == 1


@pytest.mark.parametrize("kind", UNLINKED)
def test_an_entry_that_turns_up_after_all_is_cancelled(make_venue_bench, kind):
    """It counted as absent and came to rest an hour later: nobody wants it any more."""
    bench = make_venue_bench(kind)
    bench.venue.fail("place", ARRIVE_LATE)
    answer = bench.send(**LIMIT)
    bench.tick(20)
    assert bench.now(answer)["status"] == "absent"
    bench.venue.let_in()
    assert bench.venue.working()
    bench.tick(130)
    assert bench.venue.working() == []
    assert len(bench.told("late_order")) == 1


@pytest.mark.parametrize("kind", UNLINKED)
def test_a_stop_that_turns_up_after_its_share_is_closed_is_cancelled(make_venue_bench, kind):
    """It could open the other side one day."""
    bench = make_venue_bench(kind)
    bench.venue.fail("place", None, ARRIVE_LATE)
    bench.buy("1", stop_loss="90")
    bench.tick(30)
    bench.send(action="close")
    bench.venue.let_in()
    bench.tick(130)
    assert bench.venue.working() == []
    assert (bench.held(), bench.at_venue()) == (0, 0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_read_that_lags_behind_a_start_takes_no_share_away(make_venue_bench, kind):
    """Bought, killed, started: a venue whose positions lag by seconds does not yet show what was bought."""
    bench = make_venue_bench(kind)
    bench.buy("1", stop_loss="90")
    held, bench.venue.positions = bench.venue.positions, {}
    bench.crash()
    bench.tick(6)
    bench.venue.positions = held
    bench.tick(30)
    assert bench.held() == bench.at_venue() == 1
    assert bench.legs() == [("stop", 90, 1)]
    assert bench.told("closed_elsewhere") == []


# --- line 2: what is held beyond the shares ----------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_left_of_a_share_that_shrank_is_closed_at_once(make_venue_bench, kind):
    """Five refusals for what was gone have made the pause long; what is left does not wait for its end."""
    bench = make_venue_bench(kind)
    bench.buy("2")
    bench.venue.trade_by_hand(bench.symbol, "-1")
    bench.venue.fail("place", *[BrokerRefused("no", "INSUFFICIENT_BALANCE")] * 5)
    bench.send(action="close")
    bench.tick(60, step=0.5)
    shrank = next(each["at"] for each in bench.told("closed_elsewhere"))
    left = [at for at in bench.venue.times("place") if at >= shrank]
    assert left
    assert left[0] <= shrank + 1_000
    assert (bench.held(), bench.at_venue()) == (0, 0)


@pytest.mark.parametrize("kind", NETTING)
def test_what_is_held_beyond_the_shares_is_manual(make_venue_bench, kind):
    """A row of its own, and opening orders there are denied, naming it."""
    bench = make_venue_bench(kind)
    bench.buy("1")
    bench.tick(12)
    bench.venue.trade_by_hand(bench.symbol, "2")
    bench.tick(6)
    manual = [row for row in bench.rows() if row["strategy"] == "manual"]
    assert [(row["account"], row["quantity"]) for row in manual] == [("v", "2")]
    answer = bench.buy("1")
    assert (answer["http"], answer["code"]) == (422, "SYMBOL_OWNED")
    assert "by hand" in answer["message"]
    assert bench.buy("1", symbol=bench.other)["status"] == "filled"


def test_coins_of_the_owner_ask_for_no_more_than_the_quota(make_venue_bench):
    """Executions are asked for a few times, until they explain nothing; then reads are as rare as ever."""
    bench = make_venue_bench("locked")
    bench.venue.facts = replace(bench.venue.facts, poll_seconds=Decimal(20))
    bench.buy("1")
    bench.venue.trade_by_hand(bench.symbol, "3")
    bench.tick(300)
    assert len(bench.venue.times("snapshot")) <= 1 + 300 // 20
    assert len(bench.venue.times("fills")) <= 4


@pytest.mark.parametrize("kind", NETTING)
def test_what_is_manual_stays_known_while_an_order_is_young(make_venue_bench, kind):
    """An exit of ours a moment ago does not open the symbol to a new entry."""
    bench = make_venue_bench(kind)
    bench.buy("1")
    bench.tick(12)
    bench.venue.trade_by_hand(bench.symbol, "2")
    bench.tick(6)
    bench.send(action="close")
    bench.tick(3)
    assert bench.buy("1")["code"] == "SYMBOL_OWNED"


@pytest.mark.parametrize("kind", NETTING)
def test_exits_are_free_where_something_manual_stands(make_venue_bench, kind):
    """They take the share and leave what is not ours."""
    bench = make_venue_bench(kind)
    bench.buy("1", stop_loss="90")
    bench.tick(12)
    bench.venue.trade_by_hand(bench.symbol, "2")
    bench.tick(6)
    answer = bench.send(action="close")
    bench.tick(10)
    assert bench.now(answer)["status"] == "filled"
    assert (bench.held(), bench.at_venue()) == (0, 2)


@pytest.mark.parametrize("kind", NETTING)
def test_opening_is_free_again_when_the_manual_position_is_gone(make_venue_bench, kind):
    """As soon as a read says so."""
    bench = make_venue_bench(kind)
    bench.venue.trade_by_hand(bench.symbol, "-2")
    bench.tick(61)
    assert bench.buy("1")["code"] == "SYMBOL_OWNED"
    bench.venue.trade_by_hand(bench.symbol, "2")
    bench.tick(61)
    assert bench.buy("1")["status"] == "filled"


@pytest.mark.parametrize("kind", ["locked", "locked-oco"])
def test_on_spot_what_is_beyond_the_shares_is_simply_not_ours(make_venue_bench, kind):
    """It is neither shown nor in the way, and never sold."""
    bench = make_venue_bench(kind)
    bench.venue.trade_by_hand(bench.symbol, "5")
    bench.tick(61)
    bench.buy("1")
    assert [row["strategy"] for row in bench.rows()] == ["s"]
    bench.send(action="close")
    bench.tick(5)
    assert (bench.held(), bench.at_venue()) == (0, 5)


# --- line 3: what is missing -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_share_shrinks_after_two_reads_that_see_less(make_venue_bench, kind):
    """Not at the first; told; the trade is closed as approximate and what protected it ends."""
    bench = make_venue_bench(kind)
    bench.buy("2", stop_loss="90")
    bench.tick(20)
    bench.venue.trade_by_hand(bench.symbol, "-2")
    reads = len(bench.venue.times("snapshot"))
    while len(bench.venue.times("snapshot")) == reads:
        bench.tick(0.5, step=0.5)
    assert bench.held() == 2
    while len(bench.venue.times("snapshot")) == reads + 1:
        bench.tick(0.5, step=0.5)
    assert bench.held() == 0
    bench.tick(3)
    assert not bench.venue.working()
    assert len(bench.told("closed_elsewhere")) == 1
    assert (bench.closed()[0]["closed_by"], bench.closed()[0]["approximate"]) == ("venue", True)


@pytest.mark.parametrize("kind", KINDS)
def test_protection_follows_a_share_that_shrank(make_venue_bench, kind):
    """Half was sold by hand: the stop covers the other half."""
    bench = make_venue_bench(kind)
    bench.buy("2", stop_loss="90")
    bench.tick(20)
    bench.venue.trade_by_hand(bench.symbol, "-1")
    bench.tick(10)
    assert bench.held() == 1
    assert bench.legs() == [("stop", 90, 1)]


@pytest.mark.parametrize("kind", ["locked", "locked-oco"])
def test_the_largest_share_of_a_side_shrinks_first(make_venue_bench, kind):
    """3 and 2 are held, 4 are sold by hand: 3 of the first, 1 of the second."""
    bench = make_venue_bench(kind)
    bench.buy("2", strategy="t")
    bench.buy("3", strategy="s")
    bench.tick(20)
    bench.venue.trade_by_hand(bench.symbol, "-4")
    bench.tick(20)
    assert (bench.held("s"), bench.held("t")) == (0, 1)
    assert len(bench.told("closed_elsewhere")) == 2


@pytest.mark.parametrize("kind", UNLINKED)
def test_a_position_that_flickers_for_one_read_shrinks_nothing(make_venue_bench, kind):
    """Two reads in a row, not two reads."""
    bench = make_venue_bench(kind)
    bench.buy("2")
    bench.tick(20)
    for _ in range(3):
        bench.venue.trade_by_hand(bench.symbol, "-2")
        reads = len(bench.venue.times("snapshot"))
        while len(bench.venue.times("snapshot")) == reads:
            bench.tick(0.5, step=0.5)
        bench.venue.trade_by_hand(bench.symbol, "2")
        bench.tick(10)
    assert bench.held() == 2
    assert not bench.told("closed_elsewhere")


@pytest.mark.parametrize("kind", UNLINKED)
def test_nothing_is_compared_while_an_order_is_younger_than_ten_seconds(make_venue_bench, kind):
    """A position may show later than its fill."""
    bench = make_venue_bench(kind)
    holding = bench.venue.instruments[bench.symbol].holding
    bench.buy("2")
    bench.venue.positions[holding] = Decimal(0)
    bench.tick(9)
    bench.venue.positions[holding] = Decimal(2)
    bench.tick(30)
    assert bench.held() == 2
    assert not bench.told("closed_elsewhere")


@pytest.mark.parametrize("kind", UNLINKED)
def test_nothing_is_compared_while_a_call_is_in_flight(make_venue_bench, kind):
    """Whatever the reads say meanwhile."""
    bench = make_venue_bench(kind)
    bench.buy("2")
    bench.tick(20)
    bench.is_held = True
    bench.buy("1")
    bench.venue.trade_by_hand(bench.symbol, "-2")
    bench.tick(8)
    assert bench.held() == 2
    bench.is_held = False
    bench.tick(20)
    assert bench.held() == bench.at_venue() == 1


@pytest.mark.parametrize("kind", UNLINKED)
def test_nothing_is_compared_while_an_order_is_unknown(make_venue_bench, kind):
    """Its fills may be what is missing."""
    bench = make_venue_bench(kind)
    bench.buy("2")
    bench.tick(20)
    bench.venue.fail("find", *[Uncertain("no answer")] * 5)
    bench.venue.fail("place", LOSE_ANSWER)
    bench.send(action="close")
    bench.tick(25)
    assert bench.held() == 2
    assert not bench.told("closed_elsewhere")
    bench.tick(80)
    assert bench.held() == bench.at_venue() == 0
    assert bench.closed()[0]["closed_by"] == "alert"


# --- an account that does not answer -----------------------------------------------------------------


@pytest.mark.parametrize("fault", SILENT.values(), ids=SILENT)
def test_a_silent_account_stands_in_the_status_and_is_told_of(make_venue_bench, fault):
    """Since when, why, after five seconds; and that it answers again."""
    bench = make_venue_bench()
    bench.buy("1")
    bench.tick(20)
    bench.venue.fail("snapshot", *[fault] * 10)
    bench.tick(5, step=0.5)
    assert [each["account"] for each in bench.concerns()["silent_accounts"]] == ["v"]
    assert not bench.told("account_silent")
    bench.tick(6, step=0.5)
    assert len(bench.told("account_silent")) == 1
    assert bench.concerns()["silent_accounts"][0]["since"]
    bench.tick(30)
    assert len(bench.told("account_silent")) == 1
    assert len(bench.told("account_answers")) == 1
    assert not bench.concerns()["silent_accounts"]


def test_why_an_account_is_silent_is_said_once(make_venue_bench):
    """Not: v does not answer: The venue could not be reached: no route."""
    bench = make_venue_bench()
    bench.buy("1")
    bench.tick(20)
    bench.venue.fail("snapshot", *[Unreachable("The venue could not be reached: no route.")] * 10)
    bench.tick(12, step=0.5)
    [told] = bench.told("account_silent")
    assert "v does not answer: no route. Its orders" in str(told)


def test_a_short_silence_is_not_told(make_venue_bench):
    """One failed read is no event."""
    bench = make_venue_bench()
    bench.buy("1")
    bench.tick(20)
    bench.venue.fail("snapshot", Unreachable("no route"))
    bench.tick(20)
    assert not bench.told("account_silent")
    assert not bench.told("account_answers")
    assert not bench.concerns()["silent_accounts"]


def test_a_silent_account_is_told_within_seconds_where_a_position_is_held(make_venue_bench):
    """It goes quiet right after a read: told five seconds after the first that failed."""
    bench = make_venue_bench()
    bench.buy("1", stop_loss="90")
    bench.tick(20)
    bench.venue.is_gone = True
    bench.tick(9)
    assert len(bench.told("account_silent")) == 1


@pytest.mark.parametrize(("code", "said"), [(KEYS_REFUSED, "HALTED"), (HEDGE_MODE, HEDGE_MODE)])
def test_a_read_that_shows_why_nothing_can_open_halts_the_account(make_venue_bench, code, said):
    """Opening orders would only be refused; exits and protection go on being tried."""
    bench = make_venue_bench()
    bench.venue.fail("snapshot", BrokerRefused("look at the venue", code))
    bench.tick(61)
    assert [each["scope"] for each in bench.concerns()["halted"]] == ["account:v"]
    assert bench.buy("1")["code"] == said


@pytest.mark.parametrize("kind", UNLINKED)
def test_what_failed_on_the_way_is_tried_as_soon_as_the_account_answers(make_venue_bench, kind):
    """An exit that was owed through an outage does not sit out its back-off."""
    bench = make_venue_bench(kind)
    bench.buy("1")
    bench.tick(20)
    bench.venue.is_gone = True
    bench.send(action="close")
    bench.tick(3_600, step=5)
    bench.venue.is_gone = False
    bench.tick(6)
    assert bench.held() == bench.at_venue() == 0


# --- line 4: fees in another coin --------------------------------------------------------------------


def test_a_fee_in_a_coin_that_cannot_be_converted_marks_the_trade_approximate(make_venue_bench):
    """Paid in the venue's own coin: the profit is without it, and says so."""
    bench = make_venue_bench()
    bench.venue.fee_rate = Decimal("0.001")
    bench.venue.fee_coin = "BNB"
    bench.buy("1")
    bench.send(action="close")
    assert bench.closed()[0]["approximate"] is True
