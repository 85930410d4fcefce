"""The whole way: an alert comes in, and a stand-in for Tastytrade has the order, its stop and its target."""

from __future__ import annotations

import pytest

from tests.support.running import GUARDED, await_true, receivers
from tests.support.stand_in_tastytrade import ACCOUNT, KEYS, StandInTastytrade

OWN = f"/accounts/{ACCOUNT}"


@pytest.fixture
def venue():
    """Give a venue with one account."""
    with StandInTastytrade() as found:
        yield found


@pytest.fixture
def receiver(tmp_path, venue):
    """Give a receiver with a sandbox account there, for shares and futures both."""
    config = (
        f"accounts: {{tasty: {{broker: tastytrade, sandbox: true, base_url: '{venue.url}'}}}}\n"
        "default_account: tasty\n"
    )
    with receivers(tmp_path) as start:
        yield start(config, {**GUARDED, **KEYS})


def trade(receiver, action="buy", **fields):
    """Send one alert and return its answer."""
    alert = {"action": action, "symbol": "MESZ2026", "quantity": 2, "price": 6000, **fields}
    return receiver.send(**{n: v for n, v in alert.items() if v is not None}).get_json()


@pytest.mark.parametrize(
    ("symbol", "price", "levels", "name", "action"),
    [
        ("MESZ2026", 6000, (5989.9, 6020.1), "/MESZ6", "Sell"),
        ("NASDAQ:AAPL", 200, (190, 220), "AAPL", "Sell to Close"),
    ],
)
def test_an_entry_is_filled_protected_and_closed(
    receiver, venue, symbol, price, levels, name, action
):
    """Shares and futures on one account; nothing is left that could open the other side."""
    stop, target = levels
    answer = trade(receiver, symbol=symbol, price=price, stop_loss=stop, take_profit=target)
    assert answer["status"] == "filled", answer
    await_true(lambda: receiver.get("/positions")["positions"][0]["protected"], 5)
    assert receiver.get("/positions")["positions"][0]["instrument"] == name
    assert [(row[1], row[2]) for row in venue.working()] == [(action, 2)] * 2
    trade(receiver, "close", symbol=symbol, price=price, quantity=None)
    await_true(lambda: not receiver.held(), 20)
    assert venue.positions[name] == 0
    assert venue.working() == []
    assert venue.logins == 1


def test_what_fills_of_the_pair_ends_the_position(receiver, venue):
    """The other leg is ended by the venue."""
    trade(receiver, stop_loss=5990, take_profit=6020)
    await_true(lambda: len(venue.working()) == 2, 5)
    venue.move("5989")
    await_true(lambda: not receiver.held(), 15)
    assert venue.positions["/MESZ6"] == 0
    assert receiver.get("/positions")["closed"][0]["closed_by"] == "stop_loss"


def test_an_exit_whose_answer_is_lost_is_looked_up_and_not_repeated(receiver, venue):
    """A second one would open a short."""
    trade(receiver)
    venue.fail("POST", f"{OWN}/orders", "lose")
    trade(receiver, "close", quantity=None)
    await_true(lambda: not receiver.held(), 20)
    assert venue.positions["/MESZ6"] == 0
    assert [each["legs"][0]["action"] for each in venue.sent("orders")] == ["Buy", "Sell"]


def test_a_refused_exit_stays_wanted(receiver, venue):
    """Whatever the refusal says: it is tried again until the position is closed."""
    trade(receiver)
    closed = (422, {"error": {"code": "session_closed", "message": "The market is closed now"}})
    venue.fail("POST", f"{OWN}/orders", closed)
    trade(receiver, "close", quantity=None)
    await_true(lambda: not receiver.held(), 30)
    assert venue.positions["/MESZ6"] == 0


def test_a_reversal_is_two_orders(receiver, venue):
    """A close and an entry: an opening order is never netted there."""
    trade(receiver)
    trade(receiver, "sell", quantity=4)
    await_true(lambda: venue.positions["/MESZ6"] == -2, 20)
    assert [each["legs"][0]["quantity"] for each in venue.sent("orders")] == [2, 2, 2]


def test_the_contract_that_is_held_is_left_whatever_the_front_month_is(receiver, venue):
    """The active month moves on; the close goes to the one that is held and opens nothing."""
    assert trade(receiver, symbol="MES1!")["status"] == "filled"
    venue.futures["/MESZ6"], venue.futures["/MESH7"] = ("5", "0.25", False), ("5", "0.25", True)
    receiver.restart()
    trade(receiver, "close", symbol="MES1!", quantity=None)
    await_true(lambda: not receiver.held(), 20)
    assert venue.positions == {"/MESZ6": 0}


def test_a_part_of_a_share_is_refused_by_name(receiver, venue):
    """Whole shares only."""
    answer = trade(receiver, symbol="AAPL", price=200, quantity=0.5)
    assert not answer["success"]
    assert answer["code"] == "QUANTITY_TOO_SMALL"
    assert venue.sent("orders") == []


def test_a_limit_of_a_continuous_chart_needs_the_contract_named(receiver, venue):
    """Rules 5.3: nothing is sent, and the message says which contract; a stop loss is a distance."""
    answer = trade(receiver, symbol="MES1!", order_type="limit", limit_price=5990)
    assert (answer["status"], answer["code"]) == ("denied", "DATED_SYMBOL_NEEDED")
    assert "MESZ2026" in answer["message"]
    assert venue.sent("orders") == []
    trade(receiver, symbol="MES1!", price=6010, stop_loss=6000)
    await_true(lambda: len(venue.working()) == 1, 5)
    assert venue.working()[0][3] in (5990, "5990")  # ten below the fill of the contract
