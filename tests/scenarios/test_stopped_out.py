"""The signal's own exit that follows a stop of ours opens nothing on the other side (rules 3.14)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from brokers.protocol import CROSSED, BrokerRefused
from desk.orders.rounding import ceil_to, floor_to

STEP = Decimal("0.001")
STOPPED = "its stop closed 2 at 89 at 04:40 UTC"


def stop_out(bench, quantity="2", **alert):
    """Buy with a stop at 90, and let the price fall through it."""
    bench.buy(quantity, stop_loss="90", **alert)
    bench.move(89)
    bench.tick(6)
    assert (bench.held(), bench.at_venue()) == (0, 0)
    bench.move(100)


@pytest.fixture(params=["goes on", "is started anew"])
def stopped(request, make_venue_bench):
    """Give a desk whose long of 2 was stopped out, and which perhaps was killed afterwards."""
    bench = make_venue_bench()
    stop_out(bench)
    if request.param == "is started anew":
        bench.crash()
    return bench


def test_the_sale_that_follows_a_stop_finds_nothing_to_close(stopped):
    """It names the stop, its price and when; the next sale of as much is a new one, and opens."""
    found = stopped.sell("2")
    assert (found["http"], found["code"], stopped.held()) == (200, "NOTHING_TO_CLOSE", 0)
    assert STOPPED in found["message"]
    assert stopped.sell("2")["status"] == "filled"
    assert (stopped.held(), stopped.at_venue()) == (-2, -2)


def test_a_reversal_that_follows_a_stop_opens_what_is_beyond(stopped):
    """Sell 5 after a long of 2: 3 short, as if the stop had not been hit."""
    answer = stopped.sell("5")
    assert [(line["status"], line["quantity"]) for line in answer["orders"]] == [("filled", "3")]
    assert any(STOPPED in text for text in answer["warnings"])
    assert (stopped.held(), stopped.at_venue()) == (-3, -3)


def test_two_halves_of_the_exit_come_off_one_after_the_other(stopped):
    """Each unit that the stop closed counts once."""
    assert [stopped.sell("1")["code"] for _ in range(2)] == ["NOTHING_TO_CLOSE"] * 2
    assert stopped.sell("1")["status"] == "filled"
    assert stopped.held() == -1


@pytest.mark.parametrize(
    "alert",
    [
        {"action": "sell"},
        {"action": "close"},
        {"action": "close_long"},
        {"action": "close", "quantity": "2"},
        {"action": "sell", "quantity": "2", "market_position": "flat"},
        {"action": "sell", "quantity": "200", "quantity_type": "cash"},
        {"action": "sell", "quantity": "100", "quantity_type": "percent_of_position"},
    ],
    ids=str,
)
def test_any_exit_that_follows_is_told_of_the_stop_and_uses_it_up(stopped, alert):
    """However it is spelled: nothing is opened, and afterwards a sale opens again."""
    found = stopped.send(**alert)
    assert (found["code"], stopped.held()) == ("NOTHING_TO_CLOSE", 0)
    assert STOPPED in found["message"]
    stopped.sell("2")
    assert stopped.held() == -2


def test_a_stated_position_goes_before(stopped):
    """The signal says that it is short 2 now, so that 2 are opened, not 5."""
    stopped.sell("5", position_size="-2")
    assert stopped.held() == -2


def test_a_signal_that_was_flat_before_opens_all(stopped):
    """It has seen the stop itself: its sale is a new position."""
    stopped.sell("2", prev_market_position="flat")
    assert stopped.held() == -2


def test_an_order_on_the_same_side_is_a_new_position_and_ends_the_count(stopped):
    """An executed alert came since: a sale of 3 closes 1 and opens 2."""
    stopped.buy("1")
    stopped.sell("3")
    assert (stopped.held(), stopped.at_venue()) == (-2, -2)


def test_what_was_denied_as_a_whole_means_the_same_when_it_is_sent_again(stopped):
    """Halted, denied, resumed: the reversal still opens 3, not 5."""
    stopped.command("halt", scope="all")
    assert stopped.sell("5")["code"] == "HALTED"
    stopped.command("resume", scope="all")
    stopped.sell("5")
    assert stopped.held() == -3


def test_a_short_that_was_stopped_out_is_counted_likewise(make_venue_bench):
    """The other way round."""
    bench = make_venue_bench()
    bench.sell("2", stop_loss="110")
    bench.move(111)
    bench.tick(6)
    assert "its stop closed 2 at 111" in bench.buy("2")["message"]
    assert bench.held() == 0


def test_a_target_counts_too_and_what_it_closed_comes_off_first(make_venue_bench):
    """A part of the target filled: the exit of as much takes nothing more, the last takes the rest."""
    bench = make_venue_bench()
    bench.buy("3", take_profit="110")
    [target] = bench.venue.working()
    bench.venue.execute(target, "1")
    bench.tick(6)
    assert bench.held() == 2
    first = bench.sell("1")
    assert (first["code"], bench.held()) == ("NOTHING_TO_CLOSE", 2)
    assert "its target closed 1" in first["message"]
    bench.sell("2")
    assert (bench.held(), bench.at_venue()) == (0, 0)


@pytest.mark.parametrize(
    "before", [{}, {"prev_market_position_size": "3", "prev_market_position": "long"}]
)
def test_the_whole_exit_after_a_part_of_the_target_closes_the_rest(make_venue_bench, before):
    """Sell 3, of which the target closed 1: 2 go and nothing opens, also where the size before is known."""
    bench = make_venue_bench()
    bench.buy("3", take_profit="110")
    [target] = bench.venue.working()
    bench.venue.execute(target, "1")
    bench.tick(6)
    bench.sell("3", **before)
    assert (bench.held(), bench.at_venue()) == (0, 0)


def test_a_stop_that_fills_while_the_exit_is_under_way_does_not_count(make_venue_bench):
    """The signal has sent its exit already: its next sale is a new position."""
    bench = make_venue_bench()
    bench.buy("2", stop_loss="90")
    bench.is_held = True
    bench.sell("2")
    bench.move(89)  # the stop is quicker than the exit
    bench.is_held = False
    bench.go()
    bench.tick(30)
    assert (bench.held(), bench.at_venue()) == (0, 0)
    bench.move(100)
    bench.sell("2")
    assert bench.held() == -2


def test_a_position_that_was_closed_because_its_stop_was_passed_counts(make_venue_bench):
    """The desk closed it in the stop's place: the signal's exit follows all the same."""
    bench = make_venue_bench()
    bench.venue.fail("place", None, BrokerRefused("passed", CROSSED))
    bench.buy("2", stop_loss="90")
    bench.tick(6)
    assert bench.held() == 0
    found = bench.sell("2")
    assert (found["code"], bench.held()) == ("NOTHING_TO_CLOSE", 0)
    assert "its stop closed 2 at 100" in found["message"]


def test_a_stop_on_paper_counts_likewise(make_bench):
    """The simulator's stop, judged by the prices of alerts, then the signal's own exit."""
    bench = make_bench("prices: alerts")
    about = {"strategy": "s", "symbol": "MES1!"}
    bench.send(action="buy", quantity="2", price="6000", stop_loss="5990", **about)
    bench.send(action="buy", quantity="1", price="5989.75", strategy="other", symbol="MES1!")
    assert bench.held("s", "MES1!") == 0
    bench.restart()
    found = bench.send(action="sell", quantity="2", price="5989", **about)
    assert (found["code"], bench.held("s", "MES1!")) == ("NOTHING_TO_CLOSE", 0)
    assert "its stop closed 2 at 5989.5 at 04:40 UTC" in found["message"]


def test_on_spot_the_answer_names_the_stop(make_venue_bench):
    """Nothing could be opened anyway; it is said what closed the position, with the day if it is another."""
    bench = make_venue_bench("locked")
    bench.buy("2", stop_loss="90")
    bench.move(89)
    bench.tick(6)
    bench.clock.tick(86_400)
    assert "its stop closed 2 at 89 at 2025-11-21 04:40 UTC" in bench.sell("2")["message"]


def test_a_target_position_that_is_reached_names_the_stop(make_venue_bench):
    """With `sync: position` the exit is at its target already."""
    bench = make_venue_bench()
    bench.buy("2", strategy="sync", position_size="2", stop_loss="90")
    bench.move(89)
    bench.tick(6)
    found = bench.sell("2", strategy="sync", position_size="0")
    assert found["code"] == "AT_TARGET"
    assert STOPPED in found["message"]
    assert bench.held("sync") == Decimal(0)


def test_what_counts_as_closed_leaves_no_hair_of_a_quotient():
    """Of 0.041 a stop closed 0.032: of the new position exactly 0.009 go, and not a step more."""
    assert ceil_to(Decimal("0.041") * (Decimal("0.009") / Decimal("0.041")), STEP) == Decimal(
        "0.009"
    )
    assert floor_to(Decimal("0.009") / 3 * 3, STEP) == Decimal("0.009")
    assert floor_to(Decimal(1) / 3 * 3, STEP) == 1
    assert ceil_to(Decimal("0.0090000001"), STEP) == Decimal("0.010")
    assert floor_to(Decimal("0.0099999999"), STEP) == Decimal("0.009")
