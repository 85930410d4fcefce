"""Tests of what the rules say about reading: each cell of the table of values, each word, each second key."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from parsers import parse
from parsers.alert import Alert, Level, ParseError

BUY = {"action": "buy", "symbol": "BTCUSDT", "quantity": 1, "price": 100}
CLOSE = {"action": "close", "symbol": "BTCUSDT"}
Body = dict[str, Any]

UNREADABLE = ("NaN", "{{close}}", [], {"a": 1})


def read(body: Body) -> Alert | ParseError:
    """Return what stands for the one order of a body."""
    (alert,) = parse(json.dumps(body).encode()).alerts
    return alert


def consequence(body: Body, field: str) -> str:
    """Say what follows from a value: an error, or absence with or without a warning."""
    alert = read(body)
    if isinstance(alert, ParseError):
        assert alert.status == 400
        assert alert.field == field or field in alert.message
        return "400"
    assert not alert.unsupported
    return "warning" if alert.warnings else "absent"


TABLE = (
    # key, null, empty, unreadable
    *(("action", "400", "400", "400"), ("symbol", "400", "400", "400")),
    *(("quantity", "400", "400", "400"), ("stop_loss", "warning", "400", "400")),
    ("take_profit", "warning", "400", "400"),
    *(("order_type", "warning", "warning", "400"), ("account", "warning", "warning", "400")),
    ("market_position", "warning", "warning", "400"),
    ("position_size", "warning", "warning", "400"),
    *(("price", "absent", "absent", "warning"), ("comment", "absent", "absent", "warning")),
    ("interval", "absent", "absent", "warning"),
)


@pytest.mark.parametrize(("key", "null", "empty", "unreadable"), TABLE, ids=[r[0] for r in TABLE])
def test_what_a_value_that_is_none_means_is_in_one_table(key, null, empty, unreadable):
    """Rules 4.1, cell by cell, on an order that may open."""
    assert consequence(BUY | {key: None}, key) == null
    assert consequence(BUY | {key: "  "}, key) == empty
    for value in UNREADABLE[:2]:
        assert consequence(BUY | {key: value}, key) == unreadable


@pytest.mark.parametrize("key", ["limit_price", "stop_price"])
def test_a_level_of_the_order_itself_is_in_the_table_too(key):
    """Null is absent with a warning; empty and unreadable are 400."""
    body = BUY | {"order_type": key.removesuffix("_price")}
    assert consequence(body | {key: None}, key) == "warning"
    for value in ("", "NaN", "{{plot_0}}"):
        assert consequence(body | {key: value}, key) == "400"


@pytest.mark.parametrize("key", ["action", "symbol"])
def test_an_action_or_a_symbol_that_is_missing_is_named(key):
    """400, saying what to send."""
    error = read({name: value for name, value in BUY.items() if name != key})
    assert isinstance(error, ParseError)
    assert (error.status, error.field) == (400, key)


@pytest.mark.parametrize("base", [CLOSE, BUY | {"market_position": "flat"}])
@pytest.mark.parametrize("value", ["", "NaN", "{{x}}", 0, None, "5 %", "45,000", {"percent": "x"}])
@pytest.mark.parametrize("key", ["stop_loss", "take_profit"])
def test_a_level_on_what_only_reduces_is_a_note(base, value, key):
    """Rules 4.2: unreadable or zero it is left out with a warning, and the exit goes on."""
    alert = read(base | {key: value})
    assert isinstance(alert, Alert)
    assert getattr(alert, key) is None
    assert alert.warnings


WORDS = (
    *(
        "size",
        "quantity",
        "qty",
        "lots",
        "amount",
        "percent",
        "price",
        "stop",
        "sl",
        "target",
        "tp",
    ),
    *("profit", "loss", "trail", "trailing", "delay", "leverage", "option", "risk", "reduce"),
    *("close", "exit"),
)


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("spelling", ["my_{}", "my{}", "{}_x", "{}Foo", "FOO_{}"])
def test_an_unknown_key_with_a_word_of_an_order_is_an_instruction(word, spelling):
    """Rules 16.1: it is named and denies what opens; nothing, empty and false say nothing."""
    key = spelling.format(word.upper() if spelling.isupper() else word)
    key = f"my{word.title()}" if spelling == "my{}" else key
    alert = read(BUY | {key: 7})
    refused = alert.message if isinstance(alert, ParseError) else "; ".join(alert.unsupported)
    assert key in refused
    closed = read(CLOSE | {key: 7})
    assert isinstance(closed, ParseError) or closed.unsupported
    for nothing in (None, "", False):
        quiet = read(BUY | {key: nothing})
        assert isinstance(quiet, Alert)
        assert not quiet.unsupported


@pytest.mark.parametrize("key", ["open", "high", "low", "close", "volume", "hl2", "vwap"])
def test_bar_data_is_a_note(key):
    """`close` stands in for an absent price."""
    alert = read({"action": "buy", "symbol": "BTCUSDT", "quantity": 1, key: 105.5})
    assert isinstance(alert, Alert)
    assert not alert.unsupported
    assert alert.price == (Decimal("105.5") if key == "close" else None)


@pytest.mark.parametrize(
    ("said", "agrees"),
    [
        *(({"trade_symbol": "ETHUSDT"}, False), ({"trade_symbol": "BTC/USDT"}, True)),
        *(({"coin": "ETH"}, False), ({"coin": "BTC"}, True), ({"coin": ""}, True)),
        *(({"asset": "SOL"}, False), ({"asset": "crypto"}, True), ({"asset": "BTC"}, True)),
        *(({"underlying": "SPX"}, False), ({"underlying": None}, True)),
        *(({"tv_symbol": "BINANCE:BTCUSDT"}, True), ({"symbol_tv": "BINANCE:BTCUSDT.P"}, False)),
    ],
)
def test_a_second_key_for_the_symbol_must_agree(said, agrees):
    """Rules 17: one of the two would be another instrument, also on an exit."""
    for body in (BUY, CLOSE):
        alert = read(body | said)
        assert isinstance(alert, Alert) == agrees
        if isinstance(alert, ParseError):
            assert (alert.status, alert.field) == (400, "symbol")


def test_a_coin_alone_is_no_symbol_and_is_named():
    """BTC may be any pair."""
    error = read({"action": "buy", "coin": "BTC", "quantity": 1})
    assert isinstance(error, ParseError)
    assert '"coin" is not read as one' in error.message


@pytest.mark.parametrize("key", ["order_action", "orderAction", "strategy.order.action"])
@pytest.mark.parametrize("state", ["long", "SHORT"])
def test_a_state_where_an_order_belongs_is_refused_as_one(key, state):
    """A partial exit leaves the position long: the template would buy again at each."""
    error = read({key: state, "symbol": "EURUSD", "quantity": 1})
    assert isinstance(error, ParseError)
    assert (error.status, error.code) == (422, "UNSUPPORTED")
    assert "{{strategy.market_position}}" in error.message
    assert "{{strategy.order.action}}" in error.message
    flat = read({key: "flat", "symbol": "EURUSD", "quantity": 1})
    assert isinstance(flat, Alert)
    assert (flat.action, flat.quantity) == ("close", None)


@pytest.mark.parametrize(
    ("said", "action"),
    [
        *(({"signal": "bullish"}, "buy"), ({"signal": "Bearish"}, "sell")),
        *(
            ({"positionDirection": "entryLong"}, "buy"),
            ({"positionDirection": "exitShort"}, "close_short"),
        ),
        *(({"trade_type": "exit"}, "close"), ({"action": "sell", "trade_type": "exit"}, "close")),
        *(({"side": "long", "trade_type": "exit"}, "close_long"), ({"action": "LONG_OPEN"}, "buy")),
        *(({"action": "buy", "trade_type": "entry"}, "buy"), ({"action": "SHORT_OPEN"}, "sell")),
        *(({"cmd": "BUY"}, "buy"), ({"action": "buy", "positionDirection": "long"}, "buy")),
    ],
)
def test_an_action_in_the_words_of_others_is_read(said, action):
    """What many send."""
    alert = read({"symbol": "BTCUSDT.P", "quantity": 1} | said)
    assert isinstance(alert, Alert), alert
    assert (alert.action, alert.unsupported) == (action, ())


@pytest.mark.parametrize("action", ["close", "exit", "close_long", "close_short"])
@pytest.mark.parametrize(
    ("quantity", "read_as"),
    [
        *((0, (None, "fixed")), ("0.0", (None, "fixed")), (2, (Decimal(2), "fixed"))),
        *(
            ("100%", (Decimal(100), "percent_of_position")),
            ("all", (Decimal(100), "percent_of_position")),
        ),
        *(("50 %", (Decimal(50), "percent_of_position")), ("1e-5", (Decimal("0.00001"), "fixed"))),
    ],
)
def test_how_much_of_a_close_is_read(action, quantity, read_as):
    """Zero and all mean all; a percent is one of the position."""
    alert = read(CLOSE | {"action": action, "quantity": quantity})
    assert isinstance(alert, Alert)
    assert (alert.quantity, alert.quantity_type) == read_as
    assert not alert.unsupported


@pytest.mark.parametrize("word", ["flat", "flatten", "close_all", "exit_all"])
def test_flat_takes_all_whatever_the_quantity(word):
    """The quantity beside it is not used, and the answer says so."""
    alert = read(CLOSE | {"action": word, "quantity": 5})
    assert isinstance(alert, Alert)
    assert alert.quantity is None
    assert any("not used" in text for text in alert.warnings)


def test_a_percent_of_nothing_named_opens_nothing_and_reduces():
    """`sell 100%` may be of the position or of the equity: what it would open is denied."""
    alert = read(BUY | {"action": "sell", "quantity": "100%"})
    assert isinstance(alert, Alert)
    assert (alert.quantity_type, len(alert.unsupported)) == ("percent_of_position", 1)


def test_threecommas_percent_of_the_position_is_one():
    """`position_percent` on an exit."""
    order = {"amount": "50", "currency_type": "position_percent", "order_type": "market"}
    alert = read({"action": "exit_long", "tv_instrument": "BTCUSDT.P", "order": order})
    assert isinstance(alert, Alert)
    assert (alert.quantity, alert.quantity_type) == (50, "percent_of_position")


@pytest.mark.parametrize("word", ["exit", "close", "exit_long"])
@pytest.mark.parametrize("key", ["order_type", "orderType", "type", "event"])
def test_an_exit_said_beside_the_side_ends_the_position(key, word):
    """Whatever side the sender means by it, the position is the one there is."""
    alert = read(BUY | {"action": "sell", key: word, "symbol": "ES1!"})
    if word == "exit_long":
        assert isinstance(alert, ParseError) or alert.action.startswith("close")
        return
    assert isinstance(alert, Alert), alert
    assert (alert.action, alert.quantity, alert.unsupported) == ("close", 1, ())


def test_a_type_may_be_spelled_as_an_order():
    """`Limit Order` is limit; `entry` says what the side says."""
    for word, kind in (("Limit Order", "limit"), ("MARKET_ORDER", "market"), ("entry", None)):
        alert = read(BUY | {"order_type": word})
        assert isinstance(alert, Alert)
        assert (alert.order_type, alert.unsupported) == (kind, ())


@pytest.mark.parametrize(
    "comment",
    [
        *("Exit Long (RSI)", "Close Long @ market", "TakeProfitLong", "ExitLong", "closelong"),
        *("LONG_EXIT", "Stop-Loss hit!", "TakeProfit", "Margin call", "TP2"),
    ],
)
def test_a_comment_that_says_an_exit_as_a_whole_opens_nothing(comment):
    """In any spelling; with a stated position it is a note."""
    alert = read(BUY | {"action": "sell", "comment": comment})
    assert isinstance(alert, Alert)
    assert "market_position" in alert.unsupported[0]
    stated = read(BUY | {"action": "sell", "comment": comment, "market_position": "short"})
    assert isinstance(stated, Alert)
    assert stated.unsupported == ()


@pytest.mark.parametrize("value", [False, "false", 0, None, ""])
def test_a_cancel_that_is_off_is_a_note(value):
    """It cancels nothing, and keeps neither an entry nor an exit."""
    for body in (BUY, CLOSE):
        alert = read(body | {"cancel": value})
        assert isinstance(alert, Alert)
        assert (alert.cancel_first, alert.unsupported) == (False, ())


def test_a_stop_with_percent_and_prices_is_the_prices():
    """TradersPost's own script writes the percent that the prices were computed from."""
    stop = {"type": "stop_limit", "percent": 2, "stopPrice": 98, "limitPrice": "97.5"}
    alert = read(BUY | {"stopLoss": stop})
    assert isinstance(alert, Alert)
    assert alert.stop_loss == Level(price=Decimal(98), limit_price=Decimal("97.5"))
    assert any("percent 2 is a note" in text for text in alert.warnings)
    both = read(BUY | {"takeProfit": {"percent": 2, "limitPrice": 103}})
    assert isinstance(both, ParseError)


@pytest.mark.parametrize(
    ("said", "is_note"),
    [
        *(
            ({"order_class": "bracket", "sl": 95, "tp": 110}, True),
            ({"order_class": "simple"}, True),
        ),
        *(({"order_class": "oto", "sl": 95}, True), ({"order_class": "bracket", "sl": 95}, False)),
        *(({"order_class": "oco", "sl": 95, "tp": 110}, False), ({"order_class": ""}, True)),
    ],
)
def test_an_order_class_says_what_the_levels_say(said, is_note):
    """Alpaca's bracket with both levels is an entry with both levels."""
    alert = read(BUY | said)
    assert isinstance(alert, Alert)
    assert (alert.unsupported == ()) == is_note


def test_the_order_of_keys_changes_nothing():
    """A label before the side is no side."""
    for body in (
        {"trade_type": "netting", "type": "buy", "symbol": "EURUSD"},
        {"type": "buy", "trade_type": "netting", "symbol": "EURUSD"},
    ):
        alert = read(body)
        assert isinstance(alert, Alert)
        assert (alert.action, alert.unsupported) == ("buy", ())


@pytest.mark.parametrize("text", ["LONG MES1! 1", "SHORT BTCUSDT.P 45000", "EXIT ES1! 6120.25"])
def test_a_bare_number_in_a_text_is_asked_back(text):
    """Price or quantity: nobody can say."""
    (error,) = parse(text.encode()).alerts
    assert isinstance(error, ParseError)
    number = text.split()[-1]
    assert f"is it the price (@ {number}) or the quantity (qty={number})?" in error.message
