"""Tests that what TradingView left unresolved is absent or an error, never a guess."""

from __future__ import annotations

import json

import pytest

from parsers import parse
from parsers.alert import Alert, ParseError
from parsers.placeholders import find_placeholder, mend

NOTHING = [
    "NaN",
    "Infinity",
    "-Infinity",
    "None",
    "na",
    "n/a",
    "undefined",
    "{{close}}",
    "{{plot_0}}",
]


def read(body: str) -> Alert:
    """Return the one alert of a body that can be read."""
    (alert,) = parse(body.encode()).alerts
    assert isinstance(alert, Alert), alert
    return alert


def refuse(body: str) -> ParseError:
    """Return the one error of a body that cannot be read."""
    (error,) = parse(body.encode()).alerts
    assert isinstance(error, ParseError), error
    return error


def write(key: str, value: str, **others: object) -> str:
    """Return an order with `value` put behind `key` as TradingView puts it: as it stands."""
    members = {"action": "buy", "symbol": "BTCUSDT", **others}
    return json.dumps(members).removesuffix("}") + f', "{key}": {value}}}'


# The table of what may be unreadable: null, an empty text, and anything that is no value.
TABLE = {
    "quantity": ("error", "error", "error"),
    "limit_price": ("warn", "error", "error"),
    "take_profit": ("warn", "error", "error"),
    "sl": ("warn", "error", "error"),
    "order_type": ("warn", "warn", "error"),
    "account_group": ("warn", "warn", "error"),
    "strategy": ("warn", "warn", "error"),
    "market_position": ("warn", "warn", "error"),
    "position_size": ("warn", "warn", "error"),
    "price": ("absent", "absent", "warn"),
    "comment": ("absent", "absent", "warn"),
    "interval": ("absent", "absent", "warn"),
    "timenow": ("absent", "absent", "warn"),
    "exchange": ("absent", "absent", "warn"),
    "idempotency_key": ("absent", "absent", "warn"),
    "order_id": ("absent", "absent", "warn"),
    "volume": ("absent", "absent", "warn"),
}
CELLS = [
    (key, value, row[column])
    for key, row in TABLE.items()
    for column, values in enumerate(
        (["null"], ['""', '"  "'], [*NOTHING, *map(json.dumps, NOTHING)])
    )
    for value in values
]


@pytest.mark.parametrize(("key", "value", "outcome"), CELLS)
def test_the_table_of_what_may_be_unreadable_holds(key, value, outcome):
    """Each cell of it, quoted and unquoted."""
    beside = {"order_type": "limit", "price": 5} if key == "limit_price" else {"quantity": 1}
    if key == "quantity":
        beside = {}
    body = write(key, value, **beside)
    if outcome == "error":
        error = refuse(body)
        assert error.status == 400
        assert error.message.startswith(key)
        if "{{" in value:
            assert value.strip('"') in error.message
        return
    alert = read(body)
    assert bool(alert.warnings) == (outcome == "warn")
    assert all(key in text for text in alert.warnings)
    assert read(write("foo", "false", **beside)).quantity == alert.quantity


@pytest.mark.parametrize("key", ["action", "symbol"])
@pytest.mark.parametrize("value", ["null", '""', *NOTHING, '"{{ticker}}"', '"NaN"'])
def test_an_action_and_a_symbol_must_be_there(key, value):
    """There is no order without them."""
    members = {"action": '"buy"', "symbol": '"X"'} | {key: value}
    body = "{" + ", ".join(f'"{name}": {text}' for name, text in members.items()) + "}"
    assert refuse(body).field == key


def test_the_price_of_a_limit_order_decides():
    """It is then no note."""
    assert refuse(write("price", "{{close}}", order_type="limit")).field == "price"
    assert refuse(write("price", '""', order_type="limit")).field == "price"
    assert read(write("price", "{{close}}", order_type="limit", limit_price=5)).limit_price == 5


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{{close}}", "{{close}}"),
        ('x {{plot("My Plot")}} y', '{{plot("My Plot")}}'),
        ("{strategy.order.contracts}", "{strategy.order.contracts}"),
        ("{a}", None),
        ("plain", None),
    ],
)
def test_a_placeholder_is_found(text, found):
    """With two braces, and with one where the name gives it away."""
    assert find_placeholder(text) == found


@pytest.mark.parametrize(
    ("body", "remark"),
    [
        ('{"action":"buy","symbol":"X",}', "comma"),
        ('[{"action":"buy","symbol":"X"},]', "comma"),
        ("{“action”:“buy”,”symbol”:“X”}", "Curly quotes"),
        ('\ufeff{"action":"buy","symbol":"X"}', "byte-order mark"),
        ('{"action":"buy","symbol":"X","price":,"comment":"a"}', "price: there is no value"),
        ('{"action":"buy","symbol":"X","price":}', "price: there is no value"),
        ('{"action":"buy","symbol":"X","note":"{{plot("a b")}}"}', "{{plot"),
        ('{\u00a0"action":"buy","symbol":"X","price":NaN,}', "comma"),
    ],
)
def test_what_is_mended_is_said(body, remark):
    """Each repair that changes no meaning is listed in the warnings."""
    alert = read(body)
    assert (alert.action, alert.symbol, alert.price) == ("buy", "X", None)
    assert any(remark in text for text in alert.warnings)


@pytest.mark.parametrize(
    ("body", "place", "remedy"),
    [
        ('{"action": buy, "symbol": "X"}', "line 1, column 12", "put quotes around"),
        ('{\n "action": "buy",\n symbol: "X"}', "line 3, column 2", "put quotes around the key"),
        ("{'action': 'buy'}", "line 1, column 2", "double quotes"),
        ('{"action": "buy" "symbol": "X"}', "line 1, column 18", "comma is missing"),
        ('{"action": "buy",, "symbol": "X"}', "line 1, column 18", "take one out"),
        ('{"action": "buy", // side\n "symbol": "X"}', "line 1, column 19", "no comments"),
        ('{"action": "buy", "comment": "a\nb"}', "line 1, column 30", "line break"),
        ('{"action": "buy", "comment": ""a"}', "line 1, column 32", "quote inside"),
        ('"action": "buy", "symbol": "X"', "line 1, column 1", "braces"),
        ('{{"action": "buy"}}', "line 1, column 2", "doubled"),
        ('{"action": "buy"', "line 1, column 17", "closing bracket"),
        ('{"action": "buy"]', "line 1, column 17", "do not match"),
        ('{"action": "buy"} {"action": "sell"}', "line 1, column 19", "send the object alone"),
        ('{"action": "buy", "price": 61,250}', "line 1, column 31", "quotes around the key"),
        ('{"action": "buy", "price": $61}', "line 1, column 28", "no number"),
        ('{"action": "buy", "price": +5}', "line 1, column 28", "no number"),
        ('{"action": "buy", "price": 05}', "line 1, column 28", "no number"),
        ('{"action": "buy", "price": .5}', "line 1, column 28", "no number"),
        ('{"action": "buy", "test": True}', "line 1, column 27", "put quotes"),
        ('{"action": "buy", {{x}}: 5}', "line 1, column 19", "put quotes around the key"),
        ("[,]", "line 1, column 2", "take one out"),
    ],
)
def test_what_would_have_to_be_guessed_is_refused_with_its_place(body, place, remedy):
    """Line, column and remedy; nothing is repaired that could be read in two ways."""
    message = refuse(body).message
    assert place in message
    assert remedy in message


def test_text_around_an_object_is_refused():
    """A label before the object could be another instruction."""
    for body in ('Alert: {"action":"buy","symbol":"X"}', '🚀 {"action":"buy"}', '{"a":1} ok'):
        assert "around" in refuse(body).message


def test_a_mend_leaves_what_was_readable_as_it_was():
    """Strings are copied letter by letter, also where they hold braces, NaN and commas."""
    source = '{"a": "x,} NaN {{y}} “q”", "b": NaN, "c": [1, {"d": {{close}}}],}'
    mended = mend(source)
    assert json.loads(mended.text)["a"] == "x,} NaN {{y}} “q”"
    assert mended.markers == ["NaN", "{{close}}"]
