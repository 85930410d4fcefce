"""Several targets and a stop that moves: at every kind of venue, on paper, across restarts."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from brokers.protocol import CROSSED, BrokerRefused
from tests.support.fakes import DeskBench
from tests.support.venue_bench import DESKS, LOSE_ANSWER

D = Decimal
PARTS = [{"price": "110", "quantity": "1"}, {"price": "120", "quantity": "1"}, {"price": "130"}]
WORKING = [kind for kind in DESKS if kind != "locked"]
"""Where a target has room beside a stop."""


def enter(bench, quantity: str = "4", **alert: Any) -> dict[str, Any]:
    """Buy with three targets: 1 at 110, 1 at 120, the rest at 130; and a stop at 90."""
    answer = bench.buy(quantity, **{"stop_loss": "90", "take_profits": PARTS} | alert)
    bench.tick(12)
    return answer


def legs(bench) -> tuple[dict[str, Decimal], Decimal, set[Decimal]]:
    """Return the targets that stand by price, what the stops cover together, and where they stand."""
    targets: dict[str, Decimal] = defaultdict(Decimal)
    stops, levels = D(0), set()
    for order in bench.venue.working():
        request = order.request
        if not request.reduces:
            continue
        left = request.quantity - order.filled
        if request.order_type == "limit":
            targets[str(request.limit_price)] += left
        else:
            stops += left
            levels.add(request.stop_price)
    return dict(targets), stops, levels


@pytest.mark.parametrize("kind", DESKS)
def test_each_target_covers_its_part_and_the_stop_all_that_is_left(make_venue_bench, kind):
    """Where orders lock the coins and nothing is linked the stop stands alone; the answer says so."""
    bench = make_venue_bench(kind)
    answer = enter(bench)
    targets, stops, _ = legs(bench)
    assert stops == 4
    assert targets == ({} if kind == "locked" else {"110": 1, "120": 1, "130": 2})
    assert any("take_profits are not placed" in t for t in answer["warnings"]) is (kind == "locked")
    assert bench.rows()[0]["protected"] is True


@pytest.mark.parametrize("kind", WORKING)
def test_a_target_that_is_reached_leaves_the_others_and_the_stop_for_the_rest(
    make_venue_bench, kind
):
    """One after the other, until nothing is left and nothing works."""
    bench = make_venue_bench(kind)
    enter(bench)
    left = {"110": D(1), "120": D(1), "130": D(2)}
    for price, held in ((111, 3), (121, 2), (131, 0)):
        bench.move(price)
        bench.tick(12)
        left.pop(str(price - 1))
        targets, stops, _ = legs(bench)
        assert (bench.held(), bench.at_venue()) == (held, held)
        assert (targets, stops) == (left, held)
    assert bench.closed()[0]["closed_by"] == "take_profit"
    assert not bench.told("bare_share")


@pytest.mark.parametrize("kind", WORKING)
def test_the_stop_takes_all_that_is_left(make_venue_bench, kind):
    """After the first target; no leg is left over."""
    bench = make_venue_bench(kind)
    enter(bench)
    bench.move(111)
    bench.tick(12)
    bench.move(89)
    bench.tick(12)
    assert (bench.held(), bench.at_venue(), bench.venue.working()) == (0, 0, [])


@pytest.mark.parametrize("kind", WORKING)
def test_parts_follow_more_and_less_of_the_position(make_venue_bench, kind):
    """A scale-in and a partial exit keep the proportions; a close leaves nothing."""
    bench = make_venue_bench(kind)
    enter(bench)
    bench.buy("4")
    bench.tick(12)
    assert legs(bench)[:2] == ({"110": 2, "120": 2, "130": 4}, 8)
    bench.sell("4")
    bench.tick(12)
    assert legs(bench)[:2] == ({"110": 1, "120": 1, "130": 2}, 4)
    bench.send(action="close")
    bench.tick(12)
    assert (bench.held(), bench.venue.working()) == (0, [])


@pytest.mark.parametrize("kind", WORKING)
@pytest.mark.parametrize(
    ("move", "first", "second"), [("break_even", 100, 100), ("previous_target", 100, 110)]
)
def test_the_stop_moves_after_each_target(make_venue_bench, kind, move, first, second):
    """To break-even, or to the target before; the whole rest is covered there."""
    bench = make_venue_bench(kind)
    enter(bench, move_stop=move)
    for price, held, level in ((111, 3, first), (121, 2, second)):
        bench.move(price)
        bench.tick(12)
        assert legs(bench)[1:] == (held, {D(level)})
    assert bench.rows()[0]["stop_loss"] == str(second)
    assert not bench.told("bare_share")


@pytest.mark.parametrize("kind", WORKING)
def test_parts_and_moved_stop_survive_a_kill(make_venue_bench, kind):
    """Reached, then killed before anybody looked."""
    bench = make_venue_bench(kind)
    enter(bench, move_stop="break_even")
    bench.move(111)
    bench.crash()
    bench.tick(15)
    assert legs(bench) == ({"120": 1, "130": 2}, 3, {D(100)})


@pytest.mark.parametrize("kind", WORKING)
def test_an_answer_that_is_lost_makes_no_second_target(make_venue_bench, kind):
    """It is looked up; together the targets are never more than the position."""
    bench = make_venue_bench(kind)
    bench.venue.fail("place", None, None, LOSE_ANSWER)
    enter(bench)
    bench.tick(30)
    assert legs(bench)[:2] == ({"110": 1, "120": 1, "130": 2}, 4)


@pytest.mark.parametrize("kind", WORKING)
def test_a_reversal_gives_the_new_position_its_own_targets(make_venue_bench, kind):
    """The old parts end; below the price now."""
    bench = make_venue_bench(kind)
    if bench.is_locked:
        pytest.skip("no shorts there")
    enter(bench)
    below = [{"percent": "10", "percent_of_position": "50"}, {"percent": "20"}]
    bench.sell("6", stop_loss="110", take_profits=below)
    bench.tick(12)
    assert bench.held() == -2
    assert legs(bench) == ({"90": 1, "80": 1}, 2, {D(110)})


def test_a_target_whose_level_is_passed_closes_its_part_alone(make_venue_bench):
    """The venue refuses it as crossed: what it was for is sold, the others stand."""
    bench = make_venue_bench("reduce-only")
    bench.venue.fail("place", None, None, BrokerRefused("passed", CROSSED))
    enter(bench)
    assert (bench.held(), bench.at_venue()) == (3, 3)
    assert legs(bench)[:2] == ({"120": 1, "130": 2}, 3)


# --- on paper ------------------------------------------------------------------------------------------


@pytest.fixture
def paper(tmp_path: Path) -> DeskBench:
    """Give a desk on paper."""
    return DeskBench(tmp_path, "webhook: {rate_limit: 1000/minute}\n")


def send(bench: DeskBench, action: str, price: float, **alert: Any) -> dict[str, Any]:
    """Send an alert for a perpetual."""
    return bench.send(action=action, symbol="BTCUSDT.P", price=price, **alert)


def test_targets_on_paper_fill_at_their_levels(paper):
    """Traded through, one after the other; the position's row says what is left of each."""
    send(paper, "buy", 100, quantity=4, stop_loss=90, take_profits=PARTS, move_stop="break_even")
    send(paper, "buy", 111, quantity=1, strategy="other")
    row = next(each for each in paper.positions() if each["strategy"] != "other")
    assert (row["quantity"], row["stop_loss"], row["take_profit"]) == ("3", "100", "120")
    assert row["take_profits"] == [
        {"price": "110", "quantity": "0", "done": True},
        {"price": "120", "quantity": "1", "done": False},
        {"price": "130", "quantity": "2", "done": False},
    ]
    assert (row["move_stop"], row["protected"]) == ("break_even", True)


def test_a_price_that_jumps_past_all_targets_fills_them_all(paper):
    """And the stop goes with the last."""
    send(paper, "buy", 100, quantity=4, stop_loss=90, take_profits=PARTS)
    send(paper, "buy", 150, quantity=1, strategy="other")
    assert [row["strategy"] for row in paper.positions()] == ["other"]


def test_what_targets_closed_comes_off_the_next_opposite_order_first(paper):
    """Rules 3.14: the script sells its half, of which one target took a part already."""
    send(paper, "buy", 100, quantity=4, stop_loss=90, take_profits=PARTS)
    send(paper, "buy", 111, quantity=1, strategy="other")
    send(paper, "sell", 111, quantity=2)
    row = next(each for each in paper.positions() if each["strategy"] != "other")
    assert row["quantity"] == "2"


@pytest.mark.parametrize(
    ("targets", "code"),
    [
        ([{"price": 90}, {"price": 110}], "STOP_SIDE"),
        ([{"price": 50}, {"price": 110}], "STOP_SIDE"),
        ([{"price": 110}, {"price": 500}], "LEVEL_FAR"),
        ([{"price": 110, "quantity": 9}, {"price": 120}], "UNSUPPORTED"),
        ([{"price": 110, "percent_of_position": 100}, {"price": 120}], "UNSUPPORTED"),
    ],
)
def test_targets_that_cannot_be_deny_the_entry(paper, targets, code):
    """By the code that one target has, or because they do not divide the position."""
    answer = send(paper, "buy", 100, quantity=4, take_profits=targets)
    assert (answer["status"], answer["code"]) == ("denied", code)
    assert paper.positions() == []


# --- break-even by alert ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", DESKS)
def test_an_alert_moves_the_stop_to_break_even(make_venue_bench, kind):
    """Answered accepted, with no order of its own; the stop at the venue is replaced."""
    bench = make_venue_bench(kind)
    bench.buy("2", stop_loss="90")
    bench.move(105)
    answer = bench.send(action="breakeven", price="105", breakeven_offset="2")
    bench.tick(12)
    assert (answer["http"], answer["status"], answer["orders"]) == (200, "accepted", [])
    assert legs(bench) == ({}, 2, {D(102)})
    again = bench.send(action="breakeven", price="105")
    assert (again["http"], again["status"], again["code"]) == (
        200,
        "nothing_to_do",
        "NOTHING_TO_MOVE",
    )
    assert legs(bench)[2] == {D(102)}


def test_break_even_on_the_wrong_side_changes_nothing(paper):
    """STOP_SIDE for a price at or below it; nothing_to_do without a position."""
    assert send(paper, "breakeven", 100)["status"] == "nothing_to_do"
    send(paper, "buy", 100, quantity=2, stop_loss=90)
    for price, offset in ((100, None), (99, None), (104, 5)):
        answer = (
            send(paper, "breakeven", price, breakeven_offset=offset)
            if offset
            else send(paper, "breakeven", price)
        )
        assert (answer["http"], answer["code"]) == (422, "STOP_SIDE")
    assert paper.positions()[0]["stop_loss"] == "90"


def test_break_even_leaves_working_entries_alone(paper):
    """It moves a stop and nothing else."""
    send(paper, "buy", 100, quantity=2, stop_loss=90)
    send(paper, "buy", 100, quantity=1, order_type="limit", limit_price=95)
    send(paper, "breakeven", 105)
    [row] = paper.positions()
    assert (row["stop_loss"], len(row["orders"])) == ("100", 2)


def test_a_short_position_moves_down_to_break_even(paper):
    """The mirror image."""
    send(paper, "sell", 100, quantity=2, stop_loss=110)
    send(paper, "breakeven", 95, breakeven_offset=3)
    assert paper.positions()[0]["stop_loss"] == "97"


@pytest.mark.parametrize("kind", DESKS)
def test_what_its_entry_still_fills_does_not_loosen_a_moved_stop(make_venue_bench, kind):
    """Half of it filled, the stop went to break-even, the rest fills: all of it is covered there."""
    bench = make_venue_bench(kind)
    bench.buy("4", order_type="limit", limit_price="99", stop_loss="90")
    entry = bench.venue.working()[0]
    bench.venue.execute(entry, "2")
    bench.tick(12)
    assert legs(bench)[1:] == (2, {D(90)})
    bench.move(105)
    assert bench.send(action="breakeven", price="105")["status"] == "accepted"
    bench.venue.execute(entry, "2")
    bench.tick(12)
    assert legs(bench)[1:] == (4, {D(100)})


@pytest.mark.parametrize("kind", WORKING)
def test_what_its_entry_still_fills_is_divided_too(make_venue_bench, kind):
    """A target that was reached meanwhile takes its part of that as well."""
    bench = make_venue_bench(kind)
    halves = [{"price": "110", "percent_of_position": "50"}, {"price": "120"}]
    bench.buy("4", order_type="limit", limit_price="99", stop_loss="90", take_profits=halves)
    entry = bench.venue.working()[0]
    bench.venue.execute(entry, "2")
    bench.tick(12)
    assert legs(bench)[:2] == ({"110": 1, "120": 1}, 2)
    bench.venue.execute(entry, "2")
    bench.tick(12)
    assert legs(bench)[:2] == ({"110": 2, "120": 2}, 4)
