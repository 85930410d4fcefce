"""Tests that text is read in its named forms, whole, and that prose is never an order."""

from __future__ import annotations

import itertools
import time
from decimal import Decimal

import pytest

from parsers import parse, text_body
from parsers.alert import Alert, Level, ParseError


def read(body: str) -> Alert:
    """Return the one alert of a text that can be read."""
    (alert,) = parse(body.encode()).alerts
    assert isinstance(alert, Alert), alert
    return alert


def refuse(body: str) -> ParseError:
    """Return the error of a text that cannot be read."""
    (error,) = parse(body.encode()).alerts
    assert isinstance(error, ParseError), error
    return error


@pytest.mark.parametrize(
    "fields",
    list(itertools.permutations(["BUY BTCUSDT", "@ 45000", "qty=0.1", "tp=47000", "sl=44000"])),
)
def test_the_fields_of_an_order_stand_in_any_order(fields):
    """Nothing is dropped because it came early or late."""
    alert = read(" ".join(fields))
    assert (alert.action, alert.symbol, alert.warnings) == ("buy", "BTCUSDT", ())
    assert (alert.price, alert.quantity) == (Decimal(45000), Decimal("0.1"))
    assert alert.take_profit == Level(price=Decimal(47000))
    assert alert.stop_loss == Level(price=Decimal(44000))


@pytest.mark.parametrize(
    ("text", "action", "symbol", "price", "quantity"),
    [
        ("LONG ETHUSDT @ 4211.3", "buy", "ETHUSDT", "4211.3", None),
        ("SHORT BINANCE:ETHUSDT.P @ 4211.3", "sell", "BINANCE:ETHUSDT.P", "4211.3", None),
        ("EXIT ES1! @ 6120.25", "close", "ES1!", "6120.25", None),
        ("BUY SHIBUSDT @ 1e-5 qty=1e6", "buy", "SHIBUSDT", "0.00001", "1000000"),
        ("Long *#ETHUSDT* at `4211.3`", "buy", "ETHUSDT", "4211.3", None),
        ("buy BTCUSDT QTY:0.02", "buy", "BTCUSDT", None, "0.02"),
        ("sell btcusdt @45000 qty = 0.1", "sell", "BTCUSDT", "45000", "0.1"),
        ("BUY ETH/USDT @ 5 qty 2", "buy", "ETH/USDT", "5", "2"),
        ("BUY MES 12-26 qty: 1", "buy", "MES 12-26", None, "1"),
        ("close long BRK.B", "close_long", "BRK.B", None, None),
        ("exit short AAPL qty=3", "close_short", "AAPL", None, "3"),
        ("go long AAPL price=5", "buy", "AAPL", "5", None),
        ("BUY BTCUSDT\n@ 45000\nqty=0.1", "buy", "BTCUSDT", "45000", "0.1"),
        ("action=buy symbol=BTCUSDT qty=1", "buy", "BTCUSDT", None, "1"),
        ("HALT", "halt", "", None, None),
        ("LONG BTCUSDT", "buy", "BTCUSDT", None, None),
        ("SHORT ES1!", "sell", "ES1!", None, None),
        ("BUY NASDAQ:AAPL", "buy", "NASDAQ:AAPL", None, None),
        ("BUY BRK.A qty=1", "buy", "BRK.A", None, "1"),
        ("BUY NYSE:NOW", "buy", "NYSE:NOW", None, None),
        ("BUY ESZ2026", "buy", "ESZ2026", None, None),
        ("BUY ETH/USDT", "buy", "ETH/USDT", None, None),
        ("CLOSE AAPL", "close", "AAPL", None, None),
        ("BUY AAPL qty=2", "buy", "AAPL", None, "2"),
        ("CANCEL BTCUSDT", "cancel", "BTCUSDT", None, None),
    ],
)
def test_an_order_in_words_is_read(text, action, symbol, price, quantity):
    """The variants people send mean what they say."""
    alert = read(text)
    assert (alert.action, alert.symbol, alert.warnings) == (action, symbol, ())
    assert (alert.price and str(alert.price)) == price
    assert (alert.quantity and str(alert.quantity)) == quantity


@pytest.mark.parametrize(
    "text",
    [
        *("Buy signal", "BUY SIGNAL", "Strong Buy", "STRONG BUY", "Long entry", "LONG ENTRY @ 5"),
        *("sell now", "buy btcusdt", "Sell Bitcoin", "Green Bar!", "close all", "TP hit BTCUSDT"),
        *("BUY BTCUSDT 0.1", "BUY 0.1 BTCUSDT", "BUY BTCUSDT ETHUSDT", "close 50% BTCUSDT"),
        *("close BTCUSDT 50%", "BUY LIMIT BTCUSDT @ 5", "SELL TO OPEN AAPL", "BUY TO CLOSE AAPL"),
        *("BUY BTCUSDT x qty=1", "BUY BTCUSDT qty=1 # fast", "🚀 BUY BTCUSDT @ 5", "BUY AAPL $5"),
        *("BUY A qty=1\nSELL B", "BUY BTCUSDT comment=long entry", "BTC SHORT 61250.5"),
        *("ETHUSDT Greater Than 4200", "Price (231.44) crossed over MA (229.8).", "buy", "Long "),
        *("Ether crossed above $4,200 - long signal triggered", "buy 1 contract of ES1!"),
        "BUY \u0412\u0422\u0421 @ 5",
        *("EXIT BTCUSDT.P 50%", "LONG BTCUSDT 5%", "LONG BTCUSDT 10x", "SHORT ETHUSDT 100USDT"),
        *(
            "SHORT ES1! 2contracts",
            "LONG BTCUSDT 2R",
            "EXIT BTCUSDT @ 50%",
            "BUY BTCUSDT @ 3x qty=1",
        ),
        *("SHORT BTCUSDT.P TP 1 43000 SL 46000", "LONG BTCUSDT TP 2 47000", "LONG X tp=1 43000"),
        *(
            "LONG TERM",
            "SHORT SQUEEZE",
            "BUY RSI",
            "SELL MACD",
            "LONG VWAP",
            "BUY PULLBACK",
            "BUY NOW!",
        ),
        *("SELL PRESSURE", "EXIT WARNING", "LONG TERM 5", "BUY AAPL", "SELL HARD", "LONG NOW."),
        *("SHORT 4H", "LONG 15M", "BUY 2X", "SELL Q1/Q2", "BUY MACD/USD", "SELL USD", "BUY TP:BTC"),
        *("BUY BTCUSDT qty=1\nSELL ETHUSDT qty=1", "price 5x LONG BTCUSDT"),
    ],
)
def test_prose_is_never_an_order(text):
    """A word without a place in the form refuses the whole text."""
    assert refuse(text).status == 400


def test_what_is_no_alert_shows_the_two_shapes():
    """The answer to prose says what can be sent, in one line."""
    message = refuse("Green Bar!").message
    assert '{"action": "buy"' in message
    assert "BUY BTCUSDT @ 45000" in message
    assert "\n" not in message
    said = refuse("").message
    assert said.startswith(
        "The body is empty. Where the message is {{strategy.order.alert_message}}"
    )
    assert "an alert_message" in said


@pytest.mark.parametrize(("owner", "sample"), [(row[0], row[2]) for row in text_body.FOREIGN])
def test_every_command_language_is_refused_by_name(owner, sample):
    """In a foreign syntax `sl=15` may be pips."""
    error = refuse(sample)
    assert (error.status, error.code) == (422, "UNSUPPORTED")
    assert owner in error.message


@pytest.mark.parametrize(
    ("head", "strategy"),
    [
        ("My Strategy", "My Strategy"),
        ("My Strategy (9, 21, close)", "My Strategy"),
        ("MACD (12, (a), 9)", "MACD"),
        ("A (x) B", "A (x) B"),
        ("(9)", "(9)"),
        ("A: order of things (1)", "A: order of things"),
        ("Broken) (1", "Broken) (1"),
        ("", None),
        ("Cross: 4h", "Cross: 4h"),
    ],
)
def test_the_default_message_names_its_strategy(head, strategy):
    """The number after @ is the quantity, the strategy stands before its inputs."""
    alert = read(f"{head}: order sell @ 3 filled on BTCUSDT.P. New strategy position is -1.5")
    assert (alert.strategy, alert.symbol, alert.action) == (strategy, "BTCUSDT.P", "sell")
    assert (alert.quantity, alert.price) == (Decimal(3), None)
    assert (alert.position_size, alert.market_position) == (Decimal("-1.5"), "short")


def test_the_default_message_of_a_script_without_a_name_is_read():
    """It then begins with the order."""
    alert = read("order buy @ 2 filled on MNQ1!. New strategy position is 2")
    assert (alert.strategy, alert.symbol, alert.quantity) == (None, "MNQ1!", Decimal(2))


@pytest.mark.parametrize(
    "text",
    [
        "SL=5990 TP=6040 My: order buy @ 1 filled on ES1!. New strategy position is 1",
        "leverage = 5 My (a=1): order buy @ 1 filled on ES1!. New strategy position is 1",
        "X: order buy @ 1 filled on A. New strategy position is 1\nX: order sell @ 1 filled on A",
        "X: order buy @ {{strategy.order.contracts}} filled on A. New strategy position is 2",
        "X: order buy @ 1,000 filled on A. New strategy position is 2",
        "X: order close @ 1 filled on A. New strategy position is 2",
        "X: order buy @ 1 filled on A. New strategy position is 2. And more",
        "X: order buy @ 1 filled on A",
        "X\nY: order buy @ 1 filled on A. New strategy position is 2",
    ],
)
def test_a_default_message_that_is_not_whole_is_refused(text):
    """Nothing of it is guessed."""
    assert refuse(text).status == 400


@pytest.mark.parametrize("separator", ["\n", ";", "\r\n", "&", ";\n"])
@pytest.mark.parametrize("sign", ["=", ": "])
def test_key_value_lines_are_read(separator, sign):
    """One member a line, or apart by semicolons or ampersands."""
    if separator == "&" and sign != "=":
        return
    members = {"action": "buy", "symbol": "BTCUSDT.P", "qty": "0.1", "strategy": "my_trend"}
    alert = read(separator.join(f"{key}{sign}{value}" for key, value in members.items()))
    assert (alert.action, alert.symbol, alert.strategy) == ("buy", "BTCUSDT.P", "my_trend")
    assert alert.quantity == Decimal("0.1")


def test_values_of_lines_may_have_spaces():
    """A line ends where it ends."""
    alert = read("action=buy\nsymbol=ES 12-26\nstrategy=my trend\nqty=1")
    assert (alert.symbol, alert.strategy) == ("ES 12-26", "my trend")


@pytest.mark.parametrize(
    "text",
    [
        "action=buy\naction=sell\nsymbol=X",
        "action=buy,symbol=X,qty=1",
        "action=buy\nsymbol=X\nqty=1,5",
        "BUY BTCUSDT qty=1 qty=2",
        "BUY BTCUSDT @ 5 price=6",
        "BUY BTCUSDT @ 45,000",
        "BUY BTCUSDT sl=1%",
        "SYMBOL=BTCUSDT\nSIGNAL=BUY\nVOLUME=0.1",
    ],
)
def test_lines_that_are_not_certain_are_refused(text):
    """A comma may be decimal, a volume a quantity, a second action another order."""
    assert refuse(text).status in (400, 422)


def test_a_key_of_three_parts_keeps_the_spaces_of_its_order():
    """The order's id stands inside the idempotency key and may be several words."""
    alert = read("BUY X @ 5 idempotency_key=2026-11-20T00:00:00Z|Take 1st Target|5 secret=abcdef")
    assert alert.idempotency_key == "2026-11-20T00:00:00Z|Take 1st Target|5"
    assert alert.warnings == ()


def test_secrets_of_texts_are_masked():
    """Also where the text could not be read, and where only their place tells."""
    for text in (
        "BUY BTCUSDT qty=1 secret=abc-123",
        "action=buy;symbol=X;key=abc-123",
        "nothing to read, token: abc-123",
        '{"action": buy, "secret": "abc-123"}',
        'Alert: {"token":"abc-123"}',
        "abc-123|My Strategy|sell|ETHUSDT",
        "abc-123,buy,EURUSD,risk=1",
        "abc-123\nlong BTCUSD q=0.1",
        '{"message":"secret=abc-123 hello"}',
        "{“secret”: “abc-123”, }x",
    ):
        message = parse(text.encode())
        assert "abc-123" in message.secrets
        assert "abc-123" not in message.masked + "".join(map(str, message.alerts))


@pytest.mark.parametrize(
    "text",
    [
        *("a " * 999, "a=" * 999, "a:" * 999, "|" * 1999, "BUY " * 499, "1" * 1999, "(" * 1999),
        *(": order " * 240, "@ " * 999, "`*" * 999, '"' * 1999, "=" * 1999, "a" * 1999 + "="),
        "idempotency_key=|" + " |" * 900,
    ],
)
def test_no_text_takes_long(text):
    """Patterns hold no nested quantifiers: two thousand characters are read in milliseconds."""
    start = time.perf_counter()
    parse(text.encode())
    assert time.perf_counter() - start < 0.05


def test_a_long_text_is_refused():
    """Text patterns run on two thousand characters and not more."""
    assert "2000" in refuse("BUY BTCUSDT " + "x" * 2000).message


def test_a_key_of_a_line_may_be_two_words():
    """`Stop Loss: 44000` is the field; an unknown key of two words refuses the whole text."""
    lines = "Action: BUY\nSymbol: BTCUSDT\nQty: 0.1\n"
    alert = read(lines + "Stop Loss: 44000\nTake Profit: 47000")
    assert (alert.stop_loss, alert.take_profit) == (
        Level(price=Decimal(44000)),
        Level(price=Decimal(47000)),
    )
    assert refuse(lines + "Trailing Stop: 5").status == 400
    assert read(lines + "S/L: 44000").stop_loss == Level(price=Decimal(44000))
    assert read(lines + "Stp: 44000").unsupported


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("BTCUSDT BUY", "'BTCUSDT' is no action"),
        ("BUY BTCUSDT 0.1", "is it the price (@ 0.1) or the quantity (qty=0.1)?"),
        ("BUY AAPL", "'AAPL' may be a word of prose: add a field"),
        ("EXIT BTCUSDT @ 50%", "'50%' is no price"),
        ("BUY BTCUSDT qty=1\nSELL ETHUSDT", "Two orders in one text"),
        ("A: order buy @ 1 filled on B. x filled on C", "Two messages in one text"),
        ("buy&symbol=BTCUSDT", "URL-encoded form"),
        ("action=buy&symbol=BINANCE%3ABTCUSDT&qty=1", "URL-encoded form"),
        ("payload=%7B%22action%22%3A%22buy%22%7D", "URL-encoded form"),
    ],
)
def test_a_refusal_names_the_word_that_failed(text, words):
    """The sender finds the place."""
    assert words in refuse(text).message
