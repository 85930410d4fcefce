"""Tests that an instruction under a foreign name, or in a value or a text, is never taken for a note."""

from __future__ import annotations

import json
import time

import pytest

from parsers import parse
from parsers import unknown_keys as vocabulary
from parsers.alert import Alert, ParseError
from parsers.aliases import look_up

BUY = {"action": "buy", "symbol": "BTCUSDT", "quantity": 2}
SELL = {"action": "sell", "symbol": "MNQ1!", "quantity": 2}
CLOSE = {"action": "close", "symbol": "BTCUSDT"}


def read(body) -> Alert | ParseError:
    """Return what stands for the one order of a body."""
    (alert,) = parse((body if isinstance(body, str) else json.dumps(body)).encode()).alerts
    return alert


def opens(body) -> bool:
    """Tell whether anything could be opened by a body."""
    alert = read(body)
    return isinstance(alert, Alert) and not alert.unsupported


AMOUNTS = (
    *("quanity", "qunatity", "quantiy", "qantity", "qauntity", "qnty", "qtty", "ammount", "amt"),
    *(
        "sz",
        "stake",
        "coins",
        "pcs",
        "invest",
        "alloc",
        "perc",
        "prct",
        "value",
        "cantidad",
        "count",
    ),
    *("tradeqty", "baseqty", "contractqty", "numcontracts", "pos", "exposure", "nominal", "tokens"),
    *("half", "partial", "part", "tgtCcy", "denomination", "is_quote", "scale", "factor", "double"),
    *("doubleup", "martingale", "ticket", "marketUnit", "tradeVolume", "mult", "times", "worth"),
    *("quarter", "split", "pieces", "budgetusd"),
)


@pytest.mark.parametrize("key", AMOUNTS)
def test_an_amount_by_another_name_is_never_passed_over(key):
    """Nothing stands in for it where the order names no other; beside a quantity nothing is opened."""
    for base in (BUY, SELL, CLOSE | {"quantity": 1}):
        alert = read(base | {key: 50})
        assert isinstance(alert, Alert)
        assert any(text.startswith(key) for text in alert.unsupported)
    for base in (CLOSE, {"action": "buy", "symbol": "X"}):
        error = read(base | {key: 50})
        assert isinstance(error, ParseError)
        assert (error.status, error.code) == (422, "UNSUPPORTED")
        assert key in error.message
        assert "send quantity" in error.message
    assert isinstance(read(CLOSE | {key: 50, "market_position": "flat"}), Alert)
    assert opens(BUY | {key: None})


INSTRUCTIONS = (
    # protection
    *(
        "stp",
        "stoplevel",
        "stop_los",
        "stopLoos",
        "steploss",
        "sloss",
        "hardsl",
        "initialsl",
        "sl2",
    ),
    *(
        "slpips",
        "tpoffset",
        "slpoints",
        "SLlevel",
        "TPlevel",
        "SLdistance",
        "TPs",
        "tps",
        "T1",
        "T2",
    ),
    *(
        "tgt1",
        "tgts",
        "take1",
        "take_proft",
        "tprofit",
        "pt",
        "tsl",
        "ttp",
        "ts",
        "be",
    ),
    *(
        "bracket",
        "atm",
        "maxloss",
        "invalidation",
        "callback",
        "activation",
        "cut",
        "protect",
        "rr",
    ),
    # how
    *("ordType", "otype", "typ", "execution", "trigger", "at", "lmt", "px", "oflags", "validity"),
    *("duration", "goodtill", "timeout", "valid_until", "gtd"),
    # what turns the side into an exit
    *(
        "intent",
        "operation",
        "purpose",
        "effect",
        "isexit",
        "is_exit",
        "closing",
        "isclosing",
    ),
    *("closeonly", "exitonly", "reduceonly", "mp", "mktpos", "marketpos", "new_pos", "posafter"),
    *(
        "closeopposite",
        "closeprevious",
        "flattenfirst",
        "flatfirst",
        "reverseposition",
        "cancelall",
    ),
    *("cancelorders", "onlyifflat", "oneperbar", "if_no_position", "condition", "if", "when"),
    *("cooldown", "schedule", "sell"),
    # not in earnest
    *("is_test", "istest", "testmode", "test_alert", "test_order", "testing", "testnet", "sim"),
    *("is_test_net", "papertrade", "env", "environment"),
    *("skip", "ignore", "paused", "disable"),
    # where
    *(
        "acct",
        "acc",
        "portfolio",
        "wallet",
        "profile",
        "profilesCodes",
        "connection_name",
        "broker",
    ),
    *("destination", "route", "bot", "system", "user"),
    # of what
    *("maturity", "perp", "futures", "right", "cp", "symbols", "lev", "lever", "isolated"),
    *("hedgemode", "leverge", "opposite", "square_off", "next"),
    # long words inside longer ones
    *(
        "tradingaccount",
        "sandboxmode",
        "expireafter",
        "donottrade",
        "notrade",
        "alertonly",
        "above",
    ),
    *("movesltobe", "unless", "cap"),
)


@pytest.mark.parametrize("key", INSTRUCTIONS)
def test_an_instruction_by_another_name_opens_nothing(key):
    """It is named; what only reduces goes on with the name among what was not understood."""
    alert = read(BUY | {key: 5})
    assert isinstance(alert, Alert)
    assert [text.split(" ")[0] for text in alert.unsupported] == [key]
    closed = read(CLOSE | {key: 5})
    assert isinstance(closed, Alert)
    assert (closed.action, len(closed.unsupported)) == ("close", 1)
    assert opens(BUY | {key: False})


NOTES = (
    *("rsi", "rsi_14", "ema", "ema_fast", "atr", "macd_hist", "adx", "trend", "trend_strength"),
    *("signal_strength", "volume_ma", "rvol", "score", "confidence", "setup", "pattern", "regime"),
    *(
        "session",
        "server_id",
        "username",
        "channel",
        "color",
        "priority",
        "market_condition",
        "pnl",
    ),
    *("quality", "status", "state", "kind", "method", "bar_count", "lookback", "country", "rating"),
    *("product", "platform", "message_id", "probability", "win_rate", "hour", "weekday", "hash"),
    *("market_cap", "open_interest", "funding_rate", "sentiment_score", "pivot_high", "bb_upper"),
)


@pytest.mark.parametrize("key", NOTES)
def test_what_describes_the_market_stays_a_note(key):
    """Indicators and labels are kept with a warning and change nothing."""
    for value in (5, "up", "A+"):
        alert = read(BUY | {key: value})
        assert isinstance(alert, Alert)
        assert (alert.unsupported, alert.notes) == ((), ((key, str(value)),))


@pytest.mark.parametrize("key", ["trend", "ema_slope", "market_condition", "bias"])
def test_a_word_about_the_market_is_no_instruction(key):
    """A flat trend is not a flat position."""
    assert opens(BUY | {key: "flat"})


@pytest.mark.parametrize(
    "said",
    [
        *({"state": "exit"}, {"status": "closed"}, {"kind": "limit"}, {"method": "LMT"}),
        *({"trade": "close"}, {"label": "reverse"}, {"which": "stops"}),
        *({"info": {"state": "closed"}}, {"trade_mode_": "flat"}, {"how": "trailing stop"}),
    ],
)
def test_a_value_that_is_an_instruction_is_one_under_any_key(said):
    """An unknown key with a word such as close or limit opens nothing."""
    assert not opens(SELL | said)
    assert isinstance(read(CLOSE | said), Alert)


def test_a_part_said_in_a_value_is_never_the_whole():
    """Half a close is not a close."""
    for said in ({"sub_action": "close_partially"}, {"how_much": "half"}, {"kind": "partial"}):
        assert isinstance(read(CLOSE | said), ParseError)


def test_ts_is_a_time_or_an_instruction():
    """Epoch seconds under `ts` are a note."""
    assert opens(BUY | {"ts": 1750170601})
    assert opens(BUY | {"ts": "2025-06-17T14:30:01Z"})
    assert not opens(BUY | {"ts": 50})


@pytest.mark.parametrize("key", sorted(vocabulary.SWITCHES))
def test_a_switch_that_is_off_refuses_and_one_that_is_on_says_nothing(key):
    """By false the sender wants no order; by true nothing is said."""
    for off in (False, "false", "off", 0, "no"):
        for said in (BUY, CLOSE):
            error = read(said | {key: off})
            assert isinstance(error, ParseError)
            assert (error.code, error.message.split()[0]) == ("UNSUPPORTED", key)
    assert not opens(BUY | {key: "maybe"})
    for on in (True, "true", 1, "on", None):
        assert opens(BUY | {key: on})


@pytest.mark.parametrize(
    "said",
    [
        *({"trade_type": "inverse"}, {"inverse": True}, {"invert": 1}, {"contrarian": "yes"}),
        *({"flip": True}, {"hedge": True}, {"strategy_mode": "contrarian"}, {"type": "invert"}),
        *({"order_type": "inverse"}, {"mode": "hedge"}, {"invert_signals": "true"}),
        *({"fade": True}, {"reverse_signals": True}, {"swap_side": True}),
    ],
)
def test_what_turns_an_order_round_refuses_all_of_it(said):
    """Not even its reducing part may go: the sell may be meant as a buy."""
    error = read(SELL | said)
    assert isinstance(error, ParseError)
    assert (error.status, error.code) == (422, "UNSUPPORTED")
    assert next(iter(said)) in error.message


@pytest.mark.parametrize("key", ["inverse", "invert", "contrarian", "flip", "hedge"])
def test_what_would_turn_an_order_round_and_is_off_changes_nothing(key):
    """By false it says nothing, and a close cannot be turned round."""
    assert opens(SELL | {key: False})
    assert isinstance(read(CLOSE | {key: True}), Alert)


@pytest.mark.parametrize(
    "said",
    [
        *({"confirmed": False}, {"is_confirmed": "false"}, {"validate": True}, {"dry_run": True}),
        *({"simulated": 1}, {"simulation": True}, {"backtest": "true"}, {"bar_confirmed": 0}),
        *(
            {"skip": True},
            {"disabled": True},
            {"unconfirmed": True},
            {"barstate.isconfirmed": False},
        ),
        *({"bar_closed": False}, {"barstate_isconfirmed": False}),
    ],
)
def test_what_makes_an_order_none_refuses_all_of_it(said):
    """Neither an entry nor an exit was meant to be sent."""
    for body in (BUY, SELL, CLOSE):
        error = read(body | said)
        assert isinstance(error, ParseError)
        assert (error.status, error.code) == (422, "UNSUPPORTED")
    said = {key: not value for key, value in said.items() if isinstance(value, (bool, int))}
    assert opens(BUY | said)


def test_what_is_no_entry_opens_nothing():
    """`is_entry: false` on a sell may be an exit of anything; on a close it says the same."""
    assert isinstance(read(SELL | {"is_entry": False}), ParseError)
    assert opens(SELL | {"is_entry": True})
    assert opens(CLOSE | {"is_entry": False})


def test_what_a_theme_says_helps():
    """Each refusal of an unknown key says what to send instead, where something does the same."""
    assert "send quantity" in read({"action": "buy", "symbol": "X", "lots": 0.1}).message
    for key, remedy in (
        ("tps", "send one stop_loss and one take_profit"),
        ("ordType", "send order_type"),
        ("acct", "send account_group"),
        ("testnet", '"test": true'),
        ("bot", "send strategy"),
        ("validity", "send time_in_force day or gtc"),
    ):
        assert remedy in read(BUY | {key: "x"}).unsupported[0]
    assert "take it out or send null" in read(BUY | {"trail": 0}).unsupported[0]


def test_every_word_of_a_theme_is_found():
    """No row hides behind a field, a note or an indicator by accident."""
    for theme in vocabulary.THEMES:
        for word in theme.words | theme.whole:
            known = look_up(word).kind in ("field", "note", "bar", "letter", "switch")
            assert known or vocabulary.find_theme(word) is not None
        assert all(stem == stem.lower() for stem in theme.stems)


@pytest.mark.parametrize(
    "said",
    [
        *({"event": "trade_closed"}, {"event": "closed"}, {"signal": "exited"}),
        *({"event": "liquidated"}, {"signal": "invalidated"}, {"signal": "stopped out"}),
        *({"alert_type": "take_profit"}, {"signal": "TP hit"}, {"event": "exit_short"}),
    ],
)
def test_a_label_that_says_an_end_opens_nothing(said):
    """`side: long` beside it is the side that ended."""
    assert not opens({"side": "long", "symbol": "BTCUSDT", "quantity": 1} | said)


@pytest.mark.parametrize(
    "said",
    [
        {"contracts": "100", "currency_type": "quote"},
        {"quantity": "10", "investmentType": "percentage_balance"},
        {"quantity": "50", "currency_type": "position_percent"},
        {"order": {"quantity": "100", "currency_type": "quote"}},
    ],
)
def test_a_unit_beside_a_quantity_is_never_dropped(said):
    """A hundred of the quote are not a hundred coins."""
    for action in ("enter_long", "exit_long", "sell"):
        assert isinstance(read({"action": action, "symbol": "BTCUSDT"} | said), ParseError)
    base = read({"action": "buy", "symbol": "X", "quantity": 3, "currency_type": "base"})
    assert isinstance(base, Alert)
    assert str(base.quantity) == "3"


@pytest.mark.parametrize(
    "narrowed",
    [
        *({"orderId": "L"}, {"client_order_id": "x"}, {"trade_id": 5}, {"order_name": "TP1"}),
        *({"tag": "scalp"}, {"which": "stops"}, {"type": "limit"}, {"order_type": "stop"}),
    ],
)
def test_a_cancel_of_one_order_is_refused(narrowed):
    """Everything that rests would be cancelled, protection too."""
    error = read({"action": "cancel", "symbol": "BTCUSDT"} | narrowed)
    assert isinstance(error, ParseError)
    assert (error.status, "narrowed" in error.message) == (422, True)


def test_a_cancel_with_a_bare_id_warns():
    """An `id` is often the alert's own."""
    alert = read({"action": "cancel", "symbol": "BTCUSDT", "id": "7"})
    assert isinstance(alert, Alert)
    assert alert.warnings == ('id "7": not used, all its orders are cancelled.',)


def test_what_the_position_cost_is_not_what_it_costs():
    """On what ends a position the entry's price is a note; the exit's stands in for the price."""
    flat = SELL | {"market_position": "flat"}
    for base in (CLOSE, flat):
        said = read(base | {"entry_price": 44000, "price": 45000})
        assert (str(said.price), said.notes) == ("45000", (("entry_price", "44000"),))
        assert read(base | {"entry": 44000}).price is None
        assert str(read(base | {"entry": 44000, "exit_price": 45000}).price) == "45000"
    assert str(read(BUY | {"entry": 44000}).price) == "44000"
    assert not opens(BUY | {"exit_price": 47000})


@pytest.mark.parametrize("value", [1, "1", 0, "0"])
def test_close_as_a_switch_is_an_instruction(value):
    """A price of one is believed beside the bar's other prices only."""
    assert not opens(SELL | {"close": value})
    assert not opens(SELL | {"close": value, "open": "0"})
    assert str(read(BUY | {"close": 1, "open": "0.99", "high": 1}).price) == "1"


@pytest.mark.parametrize(
    "text",
    ["leverage=10;sl=44000", "sl=44000 tp=47000", "go, tp: 3", "reduce_only=true", "S/L: 5"],
)
def test_a_field_inside_a_message_is_never_dropped(text):
    """What stands in a text beside the order is not read, so it may not be needed."""
    for key in ("alert_message", "message", "order_alert_message"):
        assert not opens(BUY | {key: text})
        assert not opens(BUY | {key: text, "market_position": "long"})
    assert not opens(BUY | {"message": "sl 44000 tp 47000"})
    assert opens(BUY | {"message": "SL: 44000, TP 47000", "sl": 44000, "tp": 47000})
    stated = {"alert_message": json.dumps({"leverage": 5}), "market_position": "long"}
    assert not opens(BUY | stated)
    assert opens(BUY | {"comment": "SL 44000 TP 47000"})
    assert opens(BUY | {"message": "BINANCE:BTCUSDT at 14:30, price: 5, RSI: 30"})


@pytest.mark.parametrize("outer", ["order", "data", "bar"])
def test_a_name_inside_an_object_is_a_note(outer):
    """`order.name` is the order's label, not a strategy."""
    alert = read({"symbol": "MNQ1!", outer: {"action": "buy", "contracts": 1, "name": "Long"}})
    assert isinstance(alert, Alert)
    assert (alert.strategy, alert.notes) == (None, ((f"{outer}.name", "Long"),))


LABELS = (
    *("TP1", "TP 2", "tp", "SL hit", "exit \u2705", "Close entry(s) order Long", "take profit hit"),
    *("Exit Long", "Exit long @ 20000", "TP/SL", "Stop loss", "Stopped out", "Long exit", "closed"),
    *("Trailing stop", "Target 1 reached", "Short TP1", "Close", "Partial", "Time exit", "T1 hit"),
    *("trail stop", "Trailing SL", "Stop", "Margin call", "Reduce long", "\U0001f3af TP1"),
)


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("key", ["comment", "id", "reason", "alert_name", "message", "order_id"])
def test_a_label_that_begins_with_an_exit_opens_nothing(label, key):
    """Without a stated position the order would open the other side."""
    assert not opens(SELL | {key: label})
    assert opens(SELL | {key: label, "market_position": "short"})


@pytest.mark.parametrize(
    "label",
    [
        *(
            "Long",
            "Short entry",
            "SL 44000 TP 47000",
            "tp: 47000",
            "Close above EMA",
            "Closer look",
        ),
        *("Breakout", "Expected exit 5", "TPO profile", "slow turn", "Take the trade", "Stop buy"),
        *("exit liquidity", "stop run reversal", "t1", "BE", "sell", "Exit the range, go long"),
        *("stop limit entry", "t2000", "Target: 47000", "TP1: 47000 TP2: 48000", "reversal up"),
    ],
)
def test_a_label_of_an_entry_opens(label):
    """Levels and words of the trade's reason are no exit."""
    assert opens(BUY | {"comment": label})


def test_a_label_of_the_other_side_opens_nothing():
    """Buy beside the text SELL is one of two orders."""
    assert not opens(BUY | {"text": "SELL"})
    assert opens(SELL | {"text": "SELL"})


@pytest.mark.parametrize(
    "said",
    [
        *({"symbol": "AAPL:NASDAQ"}, {"symbol": "VOD:LSE"}, {"symbol": "AAPL:US"}),
        *({"symbol": "ES1!-NQ1!"}, {"symbol": "BTC-260327"}, {"symbol": "BTC", "quote": "USDT"}),
        *(
            {"symbol": "BTCUSDT.P", "market_type": "spot"},
            {"symbol": "ES1!", "asset_class": "stock"},
        ),
        *({"symbol": "/ES"}, {"symbol": "LSE:VOD:US"}, {"quantity_type": "contract sizes"}),
        *({"category": "linear"}, {"category": "option"}, {"segment": "FUT"}),
        *({"account": "Sim101,Sim102"}, {"type": "STOP", "price": 60100, "stopPrice": 60000}),
    ],
)
def test_what_may_be_another_instrument_or_account_opens_nothing(said):
    """An exchange behind the name, a spread, a contradiction and two accounts are refused."""
    assert not opens(BUY | said)


def test_what_says_the_same_twice_is_no_contradiction():
    """A quote that is in the symbol, and a kind that the symbol has."""
    assert opens(BUY | {"quote": "USDT", "currency": "USDT", "category": "spot"})
    assert opens(BUY | {"symbol": "AAPL", "base": "na", "quote": "USD"})
    assert opens(BUY | {"symbol": "BTCUSDT.P", "category": "linear", "asset_class": "crypto"})
    assert opens(BUY | {"symbol": "NASDAQ:CME"})


def test_a_lone_volume_is_an_amount():
    """Elsewhere it is the size of the order; beside a quantity or other bar data it is a note."""
    for base in (CLOSE, {"action": "buy", "symbol": "EURUSD"}):
        assert isinstance(read(base | {"volume": 0.1}), ParseError)
        assert opens(base | {"volume": 90412, "open": 5, "high": 6})
    assert opens(BUY | {"volume": 90412})
    assert opens(CLOSE | {"percent": 50, "volume": 90412})


def test_a_number_under_tokens_is_no_credential():
    """It says how much; a text there stays hidden."""
    assert parse(json.dumps(CLOSE | {"tokens": 12.345}).encode()).secrets == ()
    assert parse(json.dumps(BUY | {"account_token": 12345}).encode()).secrets == ("12345",)
    assert parse(json.dumps(CLOSE | {"tokens": "abc-1234"}).encode()).secrets == ("abc-1234",)


@pytest.mark.parametrize(
    "said",
    [
        *({"quantity": "50%"}, {"percent": 50}, {"pct": "50"}, {"percentage": 50.0}),
        {"quantity": 50, "quantity_type": "percent_of_position"},
        {"quantity": "50 %"},
    ],
)
def test_a_percent_of_a_close_is_of_the_position(said):
    """Nothing else could be meant."""
    for action in ("close", "exit", "close_long"):
        alert = read({"action": action, "symbol": "X"} | said)
        assert isinstance(alert, Alert)
        assert (alert.quantity, alert.quantity_type) == (50, "percent_of_position")


@pytest.mark.parametrize(
    "said", [{"percent": 0.5}, {"pct": "1"}, {"quantity": "half"}, {"qty": "%"}]
)
def test_a_part_that_may_be_two_things_is_refused(said):
    """0.5 may be a half or half a percent."""
    assert isinstance(read(CLOSE | said), ParseError)
    assert not opens({"action": "buy", "symbol": "X", "quantity": "5%"})


def test_a_percent_beside_a_stated_flat_changes_nothing():
    """The whole position goes."""
    alert = read(SELL | {"market_position": "flat", "percent": 5})
    assert isinstance(alert, Alert)
    assert (str(alert.quantity), len(alert.unsupported)) == ("2", 1)
    for nothing in (None, "", False):
        assert opens(CLOSE | {"percent": nothing})


@pytest.mark.parametrize("word", ["contracts", "shares", "coins", "Fixed"])
def test_a_quantity_of_pieces_is_fixed(word):
    """Each is one of what is traded."""
    alert = read(BUY | {"quantity_type": word})
    assert isinstance(alert, Alert)
    assert alert.quantity_type == "fixed"


def test_two_levels_that_disagree_on_an_exit_are_left_out():
    """They are notes there."""
    alert = read(CLOSE | {"sl": 1, "stop_loss": 2})
    assert isinstance(alert, Alert)
    assert (alert.stop_loss, len(alert.warnings)) == (None, 1)
    assert isinstance(read(BUY | {"sl": 1, "stop_loss": 2}), ParseError)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"sl": "2%"}, '{"percent": 2}'),
        ({"quantity": "0.1,"}, "take it out"),
        ({"quantity": "0,5"}, "write 0.5"),
        ({"sl": "45.000,00"}, "write 45000.00"),
        ({"quantity_type": "usd"}, "use fixed (units), cash or percent_of_position"),
        ({"symbol": "BINANCE:BTCUSDT/BINANCE:ETHUSDT"}, "a spread of two symbols"),
        ({"type": "crypto", "action": None}, "action"),
    ],
)
def test_an_error_says_what_to_write(body, words):
    """The remedy is one that means the same."""
    error = read(BUY | body)
    assert isinstance(error, ParseError)
    assert words in error.message


def test_an_action_under_another_key_is_named_with_it():
    """`type` may have been meant as something else."""
    error = read({"symbol": "BTCUSDT", "type": "crypto"})
    assert isinstance(error, ParseError)
    assert error.message.startswith('action "crypto" is not supported')
    assert "under type" in error.message
    assert "send it once" in read('{"action":"buy","symbol":"X","qty":1,"qty":2}').message


def test_no_label_and_no_key_takes_long():
    """Words are looked up once, and a text full of fields is not looked through."""
    texts = ("a=b " * 9000, "sl 4 " * 9000, "Exit" + "x" * 40000, "w1 22 " * 9000, '"' * 9000)
    bodies = [json.dumps(BUY | {"message": text, "comment": text}) for text in texts]
    bodies.append(json.dumps(BUY | {f"quantit{place}": 1 for place in range(1900)}))
    for body in bodies:
        start = time.perf_counter()
        parse(body.encode())
        assert time.perf_counter() - start < 0.5
