"""The whole way: an alert comes in, and a stand-in for Tradovate has the order, its stop and its target."""

from __future__ import annotations

import pytest

from tests.support.running import GUARDED, await_true, receivers
from tests.support.stand_in_tradovate import KEYS, StandInTradovate

ORDER, PAIR = "/order/placeorder", "/order/placeoco"


@pytest.fixture
def venue():
    """Give a venue with one account."""
    with StandInTradovate() as found:
        yield found


@pytest.fixture
def receiver(tmp_path, venue):
    """Give a receiver with a demo account there."""
    config = (
        f"accounts: {{futures: {{broker: tradovate, sandbox: true, base_url: '{venue.url}'}}}}\n"
        "default_account: futures\n"
    )
    with receivers(tmp_path) as start:
        yield start(config, {**GUARDED, **KEYS})


def trade(receiver, action="buy", **fields):
    """Send one alert and return its answer."""
    alert = {"action": action, "symbol": "MESZ2026", "quantity": 2, "price": 6000, **fields}
    return receiver.send(**{n: v for n, v in alert.items() if v is not None}).get_json()


def test_an_entry_is_filled_and_its_stop_and_target_rest_at_the_venue(receiver, venue):
    """Good till cancelled, on the tick, in the position's size, linked; instrument as the venue shows it."""
    answer = trade(receiver, stop_loss=5989.9, take_profit=6020.1)
    assert answer["status"] == "filled"
    assert answer["orders"][0]["average_price"] == "6000"
    await_true(lambda: receiver.get("/positions")["positions"][0]["protected"], 5)
    (row,) = receiver.get("/positions")["positions"]
    assert (row["instrument"], row["quantity"]) == ("MESZ6", "2")
    assert venue.working() == [("Limit", "Sell", 2, 6020), ("Stop", "Sell", 2, 5989.75)]
    (pair,) = venue.sent(PAIR)
    assert {pair["timeInForce"], pair["other"]["timeInForce"]} == {"GTC"}
    assert venue.logins == 1


def test_what_fills_of_the_pair_ends_the_position(receiver, venue):
    """The other leg is ended by the venue; the position is told as closed by its target."""
    trade(receiver, stop_loss=5990, take_profit=6020)
    await_true(lambda: len(venue.working()) == 2, 5)
    venue.move("6021")
    await_true(lambda: not receiver.held(), 15)
    assert venue.working() == []
    assert venue.positions["MESZ6"] == 0
    closed = receiver.get("/positions")["closed"]
    assert closed[0]["closed_by"] == "take_profit"


def test_a_close_cancels_what_protects_and_sells_what_is_held(receiver, venue):
    """There is no reduce-only: nothing is left that could open the other side."""
    trade(receiver, stop_loss=5990, take_profit=6020)
    await_true(lambda: len(venue.working()) == 2, 5)
    trade(receiver, "close", quantity=None)
    await_true(lambda: not receiver.held(), 20)
    assert venue.positions["MESZ6"] == 0
    assert venue.working() == []


def test_an_exit_whose_answer_is_lost_is_looked_up_and_not_repeated(receiver, venue):
    """Without reduce-only a second one would open a short."""
    trade(receiver)
    venue.fail(ORDER, "lose")
    trade(receiver, "close", quantity=None)
    await_true(lambda: not receiver.held(), 20)
    assert venue.positions["MESZ6"] == 0
    assert [each["action"] for each in venue.sent(ORDER)] == ["Buy", "Sell"]


def test_an_entry_whose_answer_is_lost_is_found_and_protected(receiver, venue):
    """It is never sent again."""
    venue.fail(ORDER, "lose")
    trade(receiver, stop_loss=5990)
    await_true(lambda: len(venue.working()) == 1, 20)
    await_true(lambda: receiver.get("/positions")["positions"][0]["protected"], 10)
    assert len([each for each in venue.sent(ORDER) if each["action"] == "Buy"]) == 1


def test_a_restart_logs_in_once_and_recognises_what_rests(receiver, venue):
    """By the client ids on the commands; nothing is placed a second time."""
    trade(receiver, stop_loss=5990, take_profit=6020)
    await_true(lambda: receiver.get("/positions")["positions"][0]["protected"], 5)
    receiver.restart()
    await_true(lambda: receiver.get("/positions")["positions"][0]["protected"], 10)
    trade(receiver, "close", quantity=None)
    await_true(lambda: not receiver.held(), 20)
    assert venue.logins <= 2  # within one process all share the login
    assert len(venue.sent(PAIR)) == 1
    assert venue.positions["MESZ6"] == 0


@pytest.fixture
def closed_door(venue):
    """Let the venue refuse every login, before anybody has tried one."""
    venue.refuses_login = "Incorrect username or password. Please try again."


def test_a_refused_login_answers_with_the_variables(closed_door, receiver, venue):
    """422, once; /accounts says that the key is not valid, and nobody logs in again."""
    answer = trade(receiver)
    assert not answer["success"]
    for _ in range(3):
        answer = trade(receiver)
        assert "TRADOVATE_PASSWORD" in answer["message"]
    rows = receiver.get("/accounts?connect=1")["accounts"]
    row = next(each for each in rows if each["account"] == "futures")
    assert row["key_valid"] is False
    assert venue.logins == 1


def test_a_continuous_symbol_trades_the_front_month_and_leaves_the_one_that_is_held(
    receiver, venue
):
    """The venue moves on to March; the close goes to December, which is held, and opens nothing."""
    answer = trade(receiver, symbol="MES1!")
    assert answer["status"] == "filled"
    assert venue.positions == {"MESZ6": 2}
    venue.front["MES"] = "MESH7"
    receiver.restart()
    trade(receiver, "close", symbol="MES1!", quantity=None)
    await_true(lambda: not receiver.held(), 20)
    assert venue.positions == {"MESZ6": 0}


def test_a_limit_of_a_continuous_chart_needs_the_contract_named(receiver, venue):
    """Rules 5.3: nothing is sent, and the message says which contract; a stop loss is a distance."""
    answer = trade(receiver, symbol="MES1!", order_type="limit", limit_price=5990)
    assert (answer["status"], answer["code"]) == ("denied", "DATED_SYMBOL_NEEDED")
    assert "MESZ2026" in answer["message"]
    assert venue.sent(ORDER) == []
    trade(receiver, symbol="MES1!", price=6010, stop_loss=6000)
    await_true(lambda: len(venue.working()) == 1, 5)
    assert venue.working()[0][3] in (5990, "5990")  # ten below the fill of the contract


def test_several_targets_are_a_linked_pair_for_each_part(receiver, venue):
    """A target that fills ends its own stop; the stop of the other part moves to break-even."""
    targets = [{"price": 6010, "quantity": 1}, {"price": 6020}]
    trade(receiver, quantity=3, stop_loss=5990, take_profits=targets, move_stop="break_even")
    both = [("Limit", "Sell", 1, 6010), ("Limit", "Sell", 2, 6020)]
    stops = [("Stop", "Sell", 1, 5990), ("Stop", "Sell", 2, 5990)]
    await_true(lambda: venue.working() == [*both, *stops], 10)
    venue.move("6011")
    left = [("Limit", "Sell", 2, 6020), ("Stop", "Sell", 2, 6000)]
    await_true(lambda: venue.working() == left, 15)
    assert receiver.held() == {("default", "MESZ6"): 2}
