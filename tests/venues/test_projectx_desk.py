"""The whole way: an alert comes in, and a stand-in for ProjectX has the order, its stop and its target."""

from __future__ import annotations

import pytest

from desk.config.load import warnings
from tests.support.running import GUARDED, await_true, receivers
from tests.support.stand_in_projectx import KEYS, StandInProjectX, refusal

ORDER = "/Order/place"
BUY, SELL = 0, 1
LIMIT, MARKET, STOP = 1, 2, 4


@pytest.fixture
def venue():
    """Give a venue with one practice account."""
    with StandInProjectX() as found:
        yield found


@pytest.fixture
def receiver(tmp_path, venue):
    """Give a receiver with a practice account there."""
    config = (
        f"accounts: {{topstep: {{broker: projectx, sandbox: true, base_url: '{venue.url}'}}}}\n"
        "default_account: topstep\n"
    )
    with receivers(tmp_path) as start:
        yield start(config, {**GUARDED, **KEYS})


def trade(receiver, action="buy", **fields):
    """Send one alert and return its answer."""
    alert = {"action": action, "symbol": "MESZ2026", "quantity": 2, "price": 6000, **fields}
    return receiver.send(**{n: v for n, v in alert.items() if v is not None}).get_json()


def sides(venue, kind=MARKET):
    """Return the sides of the orders of a kind that were sent."""
    return [each["side"] for each in venue.sent(ORDER) if each["type"] == kind]


def test_an_entry_is_filled_and_its_stop_and_target_rest_at_the_venue(receiver, venue):
    """On the tick, in the position's size; the instrument as the venue shows it."""
    answer = trade(receiver, stop_loss=5989.9, take_profit=6020.1)
    assert answer["status"] == "filled"
    assert answer["orders"][0]["average_price"] == "6000"
    await_true(lambda: receiver.get("/positions")["positions"][0]["protected"], 5)
    (row,) = receiver.get("/positions")["positions"]
    assert (row["instrument"], row["quantity"]) == ("MESZ6", "2")
    assert venue.working() == [(LIMIT, SELL, 2, 6020), (STOP, SELL, 2, 5989.75)]
    assert all(len(each["customTag"]) <= 32 for each in venue.sent(ORDER))
    assert venue.logins == 1


def test_an_entry_that_fills_in_part_is_protected_in_what_filled(receiver, venue):
    """Stop and target follow the fill: they are as large as it."""
    venue.parts.append(1)
    answer = trade(receiver, stop_loss=5990, take_profit=6020)
    assert answer["orders"][0]["status"] == "partly_filled"
    await_true(lambda: len(venue.working()) == 2, 5)
    assert venue.working() == [(LIMIT, SELL, 1, 6020), (STOP, SELL, 1, 5990)]


@pytest.mark.parametrize(("price", "by"), [("6021", "take_profit"), ("5989", "stop_loss")])
def test_what_fills_of_the_two_ends_the_other(receiver, venue, price, by):
    """The venue links nothing: the desk cancels what is left, and nothing opens the other side."""
    trade(receiver, stop_loss=5990, take_profit=6020)
    await_true(lambda: len(venue.working()) == 2, 5)
    venue.move(price)
    await_true(lambda: not receiver.held() and not venue.working(), 15)
    assert venue.held() == 0
    closed = receiver.get("/positions")["closed"]
    assert closed[0]["closed_by"] == by


def test_a_close_cancels_what_protects_and_sells_what_is_held(receiver, venue):
    """There is no reduce-only: nothing is left that could open the other side."""
    trade(receiver, stop_loss=5990, take_profit=6020)
    await_true(lambda: len(venue.working()) == 2, 5)
    trade(receiver, "close", quantity=None)
    await_true(lambda: not receiver.held(), 20)
    assert venue.held() == 0
    assert venue.working() == []
    assert sides(venue) == [BUY, SELL]


def test_an_exit_whose_answer_is_lost_is_looked_up_and_not_repeated(receiver, venue):
    """Without reduce-only a second one would open a short."""
    trade(receiver)
    venue.fail(ORDER, "lose")
    trade(receiver, "close", quantity=None)
    await_true(lambda: not receiver.held(), 20)
    assert venue.held() == 0
    assert sides(venue) == [BUY, SELL]


def test_an_entry_whose_answer_is_lost_is_found_and_protected(receiver, venue):
    """It is never sent again."""
    venue.fail(ORDER, "lose")
    trade(receiver, stop_loss=5990)
    await_true(lambda: len(venue.working()) == 1, 20)
    await_true(lambda: receiver.get("/positions")["positions"][0]["protected"], 10)
    assert sides(venue) == [BUY]


def test_a_restart_recognises_what_rests(receiver, venue):
    """By the tags; nothing is placed a second time."""
    trade(receiver, stop_loss=5990, take_profit=6020)
    await_true(lambda: receiver.get("/positions")["positions"][0]["protected"], 5)
    receiver.restart()
    await_true(lambda: receiver.get("/positions")["positions"][0]["protected"], 10)
    trade(receiver, "close", quantity=None)
    await_true(lambda: not receiver.held(), 20)
    assert venue.logins == 2
    assert (len(sides(venue, STOP)), len(sides(venue, LIMIT))) == (1, 1)
    assert venue.held() == 0


@pytest.fixture
def closed_door(venue):
    """Let the venue refuse every login, before anybody has tried one."""
    venue.refuses_login = (9, "User lacks subscription")


def test_a_refused_login_answers_with_the_variables(closed_door, receiver, venue):
    """422; /accounts says that the key is not valid, and nobody logs in again."""
    for _ in range(3):
        answer = trade(receiver)
        assert not answer["success"]
    assert "PROJECTX_API_KEY" in answer["message"]
    rows = receiver.get("/accounts?connect=1")["accounts"]
    row = next(each for each in rows if each["account"] == "topstep")
    assert row["key_valid"] is False
    assert venue.logins == 1


def test_position_brackets_mode_answers_where_to_switch_and_nothing_is_opened(receiver, venue):
    """422 with the venue's own words; one entry was sent and none after it."""
    venue.fail(ORDER, refusal(2, "Brackets cannot be used with Position Brackets.", orderId=5))
    answer = trade(receiver, stop_loss=5990)
    assert (answer["success"], answer["orders"][0]["status"]) == (False, "refused")
    assert "Auto OCO" in answer["message"]
    assert venue.held() == 0
    assert len(venue.sent(ORDER)) == 1


def test_a_continuous_symbol_trades_the_active_month_and_leaves_the_one_that_is_held(
    receiver, venue
):
    """The venue moves on to March; the close goes to December, which is held, and opens nothing."""
    assert trade(receiver, symbol="MES1!")["status"] == "filled"
    assert venue.held("MESZ6") == 2
    venue.contracts["CON.F.US.MES.H27"]["activeContract"] = True
    receiver.restart()
    trade(receiver, "close", symbol="MES1!", quantity=None)
    await_true(lambda: not receiver.held(), 20)
    assert (venue.held("MESZ6"), venue.held("MESH7")) == (0, 0)


def test_the_rule_about_servers_is_said_at_the_start(receiver):
    """In the settings' warnings, for an account that trades there."""
    (said,) = [each for each in warnings(receiver.settings) if "accounts.topstep" in each]
    assert "your own device" in said


def test_several_targets_have_a_stop_each_and_end_it_with_them(receiver, venue):
    """Nothing is linked there: the desk ends the stop of a target that has filled."""
    trade(receiver, quantity=3, stop_loss=5990, take_profits=[{"price": 6010, "quantity": 1}, 6020])
    both = [(LIMIT, SELL, 1, 6010), (LIMIT, SELL, 2, 6020)]
    stops = [(STOP, SELL, 1, 5990), (STOP, SELL, 2, 5990)]
    await_true(lambda: venue.working() == [*both, *stops], 15)
    venue.move("6011")
    await_true(lambda: venue.working() == [(LIMIT, SELL, 2, 6020), (STOP, SELL, 2, 5990)], 15)
    assert venue.held() == 2
