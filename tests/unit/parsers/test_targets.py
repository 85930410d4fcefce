"""Several targets, as our own list and as other products write them."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from parsers import parse
from parsers.alert import Alert, Level, ParseError, TakeProfit

D = Decimal
BUY = {"action": "buy", "symbol": "MES1!", "quantity": 3}


def read(members: dict[str, object] | str) -> Alert:
    """Return the one alert of a body."""
    text = members if isinstance(members, str) else json.dumps(members)
    [alert] = parse(text.encode()).alerts
    assert isinstance(alert, Alert), alert
    return alert


def refuse(members: dict[str, object]) -> ParseError:
    """Return the error of a body."""
    [error] = parse(json.dumps(members).encode()).alerts
    assert isinstance(error, ParseError)
    return error


def at(price: int, quantity: int | None = None, percent: int | None = None) -> TakeProfit:
    """Return a target at a price."""
    size = None if quantity is None else D(quantity)
    return TakeProfit(Level(price=D(price)), size, None if percent is None else D(percent))


def test_a_list_of_targets_is_read_in_its_order():
    """Each with its own kind of level and of size; a plain number is a price."""
    targets = [
        {"price": "6010", "quantity": 1},
        {"percent": 2, "percent_of_position": 25},
        {"limitPrice": 6030},
        {"ticks": 80},
        6050,
    ]
    assert read(BUY | {"takeProfits": targets}).take_profits == (
        at(6010, 1),
        TakeProfit(Level(percent=D(2)), None, D(25)),
        at(6030),
        TakeProfit(Level(ticks=D(80))),
        at(6050),
    )


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ({"price": 1, "percent": 2}, "exactly one"),
        ({"quantity": 1}, "exactly one"),
        ({"price": 1, "quantity": 1, "percent_of_position": 5}, "at most one"),
        ({"price": 1, "quantity": 0}, "more than nothing"),
        ({"price": 1, "quantity": "{{plot_1}}"}, "no value"),
        ({"price": "NaN"}, "no value"),
    ],
)
def test_a_target_that_cannot_be_read_is_refused(target, says):
    """Nothing is guessed; on what only reduces it is a note."""
    assert says in refuse(BUY | {"take_profits": [target]}).message
    close = read({"action": "close", "symbol": "MES1!", "take_profits": [target]})
    assert (close.take_profits, len(close.warnings)) == ((), 1)


def test_an_unknown_member_of_a_target_is_named():
    """WunderTrading's targets are deviations of a kind of their own."""
    alert = read(BUY | {"take_profits": [{"priceDeviation": 0.02, "portfolio": 0.5}]})
    assert "take_profits.priceDeviation" in alert.unsupported[0]


def test_one_target_beside_several_is_refused():
    """Which of them is meant nobody says."""
    error = refuse(BUY | {"tp": 6010, "take_profits": [6020, 6030]})
    assert (error.status, error.field) == (400, "take_profits")


def test_numbered_targets_of_a_text_are_one_list():
    """`tp1= tp2= tp3=`; tp1_qty says how much the first takes."""
    alert = read("BUY BTCUSDT @ 45000 qty=0.3 tp1=46000 tp2=47000 tp3=48000 tp1_qty=0.1 sl=44000")
    first = TakeProfit(Level(price=D(46000)), D("0.1"))
    assert alert.take_profits == (first, at(47000), at(48000))
    assert (alert.stop_loss, alert.warnings) == (Level(price=D(44000)), ())


def test_a_size_without_its_target_is_named():
    """tp2_qty alone says nothing that could be done."""
    assert "tp2_qty" in read(BUY | {"tp1": 6010, "tp2_qty": 1}).unsupported[0]


def test_pickmytrade_gives_each_target_a_stop_and_one_is_read():
    """Zeros are not set; stops that differ are refused by name."""
    unset = dict.fromkeys(("dollar_tp", "dollar_sl", "percentage_tp", "trail", "trail_stop"), 0)
    legs = [
        {"quantity": 1, "tp": 6010, "sl": 5990, **unset},
        {"quantity": 2, "tp": 6020, "sl": 5990},
    ]
    alert = read(BUY | {"advance_tp_sl": legs, "tp": 0, "sl": 0})
    assert alert.take_profits == (at(6010, 1), at(6020, 2))
    assert (alert.stop_loss, alert.take_profit, alert.unsupported) == (
        Level(price=D(5990)),
        None,
        (),
    )
    apart = read(BUY | {"advance_tp_sl": [legs[0], legs[1] | {"sl": 5980}]})
    assert "stops of their own" in apart.unsupported[0]
    trailing = read(BUY | {"advance_tp_sl": [legs[0] | {"trail": 1}]})
    assert "advance_tp_sl.1.trail" in trailing.unsupported[0]


@pytest.mark.parametrize(
    ("said", "move"),
    [
        ("break_even", "break_even"),
        ("breakEven", "break_even"),
        ("previous_target", "previous_target"),
    ],
)
def test_what_becomes_of_the_stop_after_a_target(said, move):
    """Beside several targets; alone, or another word, it is refused by name."""
    assert read(BUY | {"tp1": 6010, "tp2": 6020, "move_stop": said}).move_stop == move
    assert "move_stop" in read(BUY | {"move_stop": said}).unsupported[0]
    assert "move_stop" in read(BUY | {"tp1": 6010, "move_stop": "entry"}).unsupported[0]


def test_break_even_is_an_action_with_an_offset():
    """TradersPost says the type of order that it moves; the offset is an amount or an object."""
    body = {"ticker": "MES1!", "action": "breakeven", "orderType": "stop", "breakevenOffset": 2}
    alert = read(body)
    assert (alert.action, alert.breakeven_offset) == ("breakeven", Level(amount=D(2)))
    assert (alert.order_type, alert.warnings, alert.unsupported) == (None, (), ())
    ticks = read(body | {"breakevenOffset": {"ticks": 4}})
    assert ticks.breakeven_offset == Level(ticks=D(4))
    assert refuse(body | {"breakevenOffset": {"price": 4}}).field == "breakeven_offset"
    assert "breakeven" in read(BUY | {"breakeven_offset": 2}).unsupported[0]
