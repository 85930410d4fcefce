"""`update`, `reverse` and `close_all`: what each does to what is held, at every kind of venue."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.support.fakes import DeskBench
from tests.support.venue_bench import KINDS, LOSE_ANSWER, NETTING

PERP = "BTCUSDT.P"
PAPER = """
default_account: sim
accounts:
  sim: {broker: paper, fee_bp: 0, cash: 1000000}
  other: {broker: paper, fee_bp: 0, cash: 1000000}
strategies: {s: {accounts: {sim: 1, other: 2}}, t: {}}
"""


@pytest.fixture
def paper(tmp_path):
    """Give a desk on two simulated accounts."""
    return DeskBench(tmp_path, PAPER)


def levels(bench, strategy="s"):
    """Return stop and target as they are wished for."""
    position = bench.book().position(strategy)
    return tuple(each and each.price for each in (position.stop_loss, position.take_profit))


def working(bench, kind):
    """Return the levels at which orders of a kind work at the venue, as the desk believes."""
    orders = [each for each in bench.book().orders.values() if each.kind == kind]
    return [each.stop_price or each.limit_price for each in orders]


# --- update --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_an_update_moves_stop_and_target_of_what_is_held(make_venue_bench, kind):
    """Looser too, on the user's word; it opens and cancels nothing else, and survives a crash."""
    bench = make_venue_bench(kind)
    bench.buy("2", stop_loss="95", take_profit="120")
    answer = bench.send(action="update", stop_loss="90", take_profit={"percent": 30}, price="100")
    assert (answer["http"], answer["status"], answer["orders"]) == (200, "accepted", [])
    assert levels(bench) == (90, 130)
    bench.tick(10)
    assert working(bench, "stop_loss") == [90]
    bench.crash()
    bench.tick(10)
    assert levels(bench) == (90, 130)
    assert working(bench, "stop_loss") == [90]
    assert bench.book().position("s").quantity == 2


def test_an_update_brings_what_was_not_there(make_venue_bench):
    """A stop for a bare position; the target that stands stays."""
    bench = make_venue_bench("reduce-only")
    bench.buy("2", take_profit="120")
    bench.send(action="update", stop_loss={"amount": 5}, price="100")
    bench.tick(10)
    assert (levels(bench), working(bench, "stop_loss")) == ((95, 120), [95])


def test_a_move_whose_answer_is_lost_is_looked_up(make_venue_bench):
    """Two stops are never more than the position."""
    bench = make_venue_bench("reduce-only")
    bench.buy("2", stop_loss="95")
    bench.venue.fail("place", LOSE_ANSWER)
    bench.send(action="update", stop_loss="97", price="100")
    bench.tick(60)
    assert working(bench, "stop_loss") == [97]


@pytest.mark.parametrize(
    ("alert", "code"),
    [
        ({"stop_loss": "101"}, "STOP_SIDE"),
        ({"take_profit": "99"}, "STOP_SIDE"),
        ({"stop_loss": "1"}, "LEVEL_FAR"),
    ],
)
def test_an_update_that_cannot_be_changes_nothing(make_venue_bench, alert, code):
    """422, and the levels that stood stand."""
    bench = make_venue_bench("reduce-only")
    bench.buy("2", stop_loss="95", take_profit="120")
    answer = bench.send(action="update", price="100", **alert)
    assert (answer["http"], answer["code"]) == (422, code), answer
    assert levels(bench) == (95, 120)


def test_an_update_to_nothing_is_unreadable(make_venue_bench):
    """It says what to send."""
    bench = make_venue_bench("reduce-only")
    bench.buy("2", stop_loss="95")
    answer = bench.send(action="update", price="100")
    assert "Send stop_loss, take_profit or both" in answer["message"]
    assert levels(bench) == (95, None)


def test_an_update_without_a_position_is_nothing_to_do(make_venue_bench):
    """And never an entry."""
    bench = make_venue_bench("reduce-only")
    answer = bench.send(action="update", stop_loss="95", price="100", quantity="3")
    assert (answer["http"], answer["status"]) == (200, "nothing_to_do")
    assert not bench.venue.requests


def test_pickmytrades_update_sl_moves_the_stop_whatever_data_says(paper):
    """Its message has the direction and a quantity, and orders nothing."""
    paper.send(action="buy", symbol="MESZ2026", quantity=2, price=6000, sl=5990, strategy="t")
    answer = paper.send(
        symbol="MESZ2026", data="buy", quantity=2, price=6010, sl=6001, update_sl=True, strategy="t"
    )
    assert answer["status"] == "accepted", answer
    position = paper.desk.state.books[("sim", True, "MESZ2026")].position("t")
    assert (position.quantity, position.stop_loss.price) == (2, 6001)


# --- reverse -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", NETTING)
def test_a_reverse_closes_and_opens_as_much_on_the_other_side(make_venue_bench, kind):
    """Two orders; its levels belong to the new position."""
    bench = make_venue_bench(kind)
    bench.buy("2", stop_loss="95")
    answer = bench.send(action="reverse", price="100", stop_loss="106")
    bench.tick(20)
    assert bench.book().position("s").quantity == -2, answer
    assert working(bench, "stop_loss") == [106]
    assert [each["side"] for each in bench.now(answer)["orders"]] == ["sell", "sell"]


def test_a_reverse_on_spot_only_closes(make_venue_bench):
    """A coin cannot be held below zero; the answer says so."""
    bench = make_venue_bench("locked")
    bench.buy("2")
    answer = bench.send(action="reverse", price="100")
    bench.tick(10)
    assert bench.book().position("s").quantity == 0
    assert any("can only be long" in text for text in answer["warnings"]), answer


def test_a_reverse_of_nothing_is_nothing_to_do(make_venue_bench):
    """It never opens by itself."""
    bench = make_venue_bench("reduce-only")
    answer = bench.send(action="reverse", price="100")
    assert (answer["http"], answer["status"], answer["code"]) == (
        200,
        "nothing_to_do",
        "NOTHING_TO_CLOSE",
    )
    assert not bench.venue.requests


# --- close_all -----------------------------------------------------------------------------------


def test_close_all_closes_everything_of_the_strategy_and_nobody_elses(paper):
    """On every account and instrument, entries included; each order names its instrument."""
    for symbol in (PERP, "ETHUSDT.P", "AAPL"):
        paper.send(action="buy", symbol=symbol, quantity=1, price=100, strategy="s")
    paper.send(action="buy", symbol=PERP, quantity=5, price=100, strategy="t")
    paper.send(
        action="buy",
        symbol="SOLUSDT.P",
        quantity=1,
        order_type="limit",
        limit_price=90,
        price=100,
        strategy="s",
    )
    answer = paper.send(action="close_all", strategy="s")
    assert answer["status"] == "filled", answer
    assert {
        (o["account"], o["instrument"], Decimal(o["filled_quantity"])) for o in answer["orders"]
    } == {
        (account, name, size)
        for account, size in (("sim", 1), ("other", 2))
        for name in (PERP, "ETHUSDT.P", "AAPL")
    }
    assert paper.held("t", PERP, "sim") == 5
    assert not any(b.open_orders("s") for b in paper.desk.state.books.values())
    again = paper.send(action="close_all", strategy="s", comment="again")
    assert (again["status"], again["success"]) == ("nothing_to_do", True)


def test_close_all_takes_no_notice_of_a_symbol_beside_it(paper):
    """Spelled so it means everything; another spelling with a symbol means that one."""
    for symbol in (PERP, "ETHUSDT.P"):
        paper.send(action="buy", symbol=symbol, quantity=1, price=100, strategy="t")
    paper.send(action="closeall", symbol="ETHUSDT.P", price=100, strategy="t")
    assert (paper.held("t", PERP, "sim"), paper.held("t", "ETHUSDT.P", "sim")) == (1, 0)
    paper.send(action="close_all", symbol="XRPUSDT.P", strategy="t")
    assert paper.held("t", PERP, "sim") == 0


def test_an_entry_that_fired_before_close_all_does_not_open_behind_it(paper):
    """It was overtaken on its way."""
    now = paper.clock() // 1000
    paper.send(action="buy", symbol=PERP, quantity=1, price=100, strategy="t", timenow=now - 8)
    paper.send(action="close_all", strategy="t", timenow=now - 2)
    answer = paper.send(
        action="buy", symbol=PERP, quantity=2, price=100, strategy="t", timenow=now - 5
    )
    assert answer["code"] == "STALE_ORDER", answer
