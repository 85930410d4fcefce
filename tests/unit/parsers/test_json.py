"""Tests that JSON alerts are read exactly: every name, every dialect, every kind of value."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from parsers import aliases, dialects, parse
from parsers import raw_fields as claims
from parsers.alert import Alert, Level, ParseError, TakeProfit

BUY = {"action": "buy", "symbol": "BTCUSDT"}
CLOSE = {"action": "close", "symbol": "BTCUSDT"}


def read(body) -> Alert:
    """Return the one alert of a body that can be read."""
    (alert,) = parse((body if isinstance(body, str) else json.dumps(body)).encode()).alerts
    assert isinstance(alert, Alert), alert
    return alert


def refuse(body) -> ParseError:
    """Return the one error of a body that cannot be read."""
    raw = body if isinstance(body, bytes) else body if isinstance(body, str) else json.dumps(body)
    (error,) = parse(raw if isinstance(raw, bytes) else raw.encode()).alerts
    assert isinstance(error, ParseError), error
    return error


def at(price: int, **size: Decimal) -> TakeProfit:
    """Return one of several targets, at a price."""
    return TakeProfit(Level(price=Decimal(price)), **size)


# What each concept is proven by: what stands beside the key, its value, what the alert then says.
PROOFS = {
    "action": ({"symbol": "X"}, "sell", {"action": "sell"}),
    "hint": ({"symbol": "X"}, "sell", {"action": "sell"}),
    "is_buy": ({"symbol": "X"}, True, {"action": "buy"}),
    "is_sell": ({"symbol": "X"}, True, {"action": "sell"}),
    "is_close": ({"symbol": "X"}, "true", {"action": "close"}),
    "is_market": (BUY, True, {"order_type": "market"}),
    "is_limit": (BUY, True, {"order_type": "limit"}),
    "symbol": ({"action": "buy"}, "NYSE:IBM", {"symbol": "NYSE:IBM"}),
    "coin": (BUY, "BTC", {"unsupported": (), "warnings": ()}),
    "zeroed": (BUY | {"dollar_tp": 0}, 0, {"unsupported": (), "warnings": ()}),
    "take_profit_ticks": (BUY, 7, {"take_profit": Level(ticks=Decimal(7))}),
    "stop_loss_ticks": (BUY, 3, {"stop_loss": Level(ticks=Decimal(3))}),
    "percent_take_profit": (BUY, 2, {"take_profit": Level(percent=Decimal(2))}),
    "percent_stop_loss": (BUY, 0.5, {"stop_loss": Level(percent=Decimal("0.5"))}),
    "update": (BUY, False, {"unsupported": (), "warnings": ()}),
    "adds": (BUY | {"dollar_sl": 0}, True, {"unsupported": (), "warnings": ()}),
    "order_class": (BUY | {"sl": 1, "tp": 9}, "bracket", {"unsupported": ()}),
    "is_entry": (BUY, True, {"unsupported": (), "warnings": ()}),
    "market": ({"action": "buy"}, "BTC-USD", {"symbol": "BTC-USD"}),
    "kind": (BUY, "spot", {"symbol": "BTCUSDT"}),
    "quantity": (BUY, "0.1", {"quantity": Decimal("0.1"), "quantity_type": "fixed"}),
    "size": (BUY, 2, {"quantity": Decimal(2), "quantity_type": "fixed"}),
    "amount": (BUY | {"investmentType": "base"}, 3, {"quantity": Decimal(3)}),
    "amount_unit": (BUY | {"amount": 3}, "quote", {"quantity_type": "cash"}),
    "units_type": (BUY | {"units": 3}, "absolute", {"quantity": Decimal(3)}),
    "notional": (BUY, 100, {"quantity": Decimal(100), "quantity_type": "cash"}),
    "quantity_type": (BUY | {"qty": 5}, "risk_percent", {"quantity_type": "risk_percent"}),
    "percent": (
        {"action": "close_partial", "symbol": "X"},
        50,
        {"quantity": Decimal(50), "quantity_type": "percent_of_position"},
    ),
    "data": ({"symbol": "X", "token": "tok-000"}, "BUY", {"action": "buy"}),
    "order_type": (BUY, "LMT", {"order_type": "limit"}),
    "price": (BUY, 45000.5, {"price": Decimal("45000.5")}),
    "entry_price": (BUY, 7, {"price": Decimal(7)}),
    "exit_price": (CLOSE, 7, {"price": Decimal(7)}),
    "trigger_price": (BUY | {"bot_uuid": "0000"}, 5, {"price": Decimal(5)}),
    "limit_price": (BUY | {"order_type": "limit"}, 5, {"limit_price": Decimal(5)}),
    "stop_price": (BUY | {"order_type": "stop"}, 5, {"stop_price": Decimal(5)}),
    "take_profit": (BUY, 7, {"take_profit": Level(price=Decimal(7))}),
    "take_profit_price": (BUY, 7, {"take_profit": Level(price=Decimal(7))}),
    "take_profits": (
        BUY,
        [{"price": 7, "quantity": 1}, {"percent": 2}],
        {"take_profits": (at(7, quantity=Decimal(1)), TakeProfit(Level(percent=Decimal(2))))},
    ),
    "numbered_target": (BUY, 7, {"take_profits": (at(7),)}),
    "numbered_size": (
        BUY | {f"tp{n}": 7 for n in range(1, 10)},
        1,
        {"take_profit": None, "unsupported": ()},
    ),
    "advanced": (
        BUY,
        [
            {"quantity": 1, "tp": 7, "sl": 3, "trail": 0},
            {"quantity": 2, "percentage_tp": 4, "sl": 3},
        ],
        {
            "take_profits": (
                at(7, quantity=Decimal(1)),
                TakeProfit(Level(percent=Decimal(4)), quantity=Decimal(2)),
            ),
            "stop_loss": Level(price=Decimal(3)),
        },
    ),
    "move_stop": (BUY | {"take_profits": [7, 8]}, "break_even", {"move_stop": "break_even"}),
    "breakeven_offset": (
        {"action": "breakeven", "symbol": "X"},
        5,
        {"action": "breakeven", "breakeven_offset": Level(amount=Decimal(5))},
    ),
    "stop_loss": (BUY, 3, {"stop_loss": Level(price=Decimal(3))}),
    "stop_loss_price": (BUY, 3, {"stop_loss": Level(price=Decimal(3))}),
    "market_position": (BUY, "bullish", {"market_position": "long"}),
    "position_side": (CLOSE, "SHORT", {"action": "close_short"}),
    "position": (BUY, "long", {"market_position": "long"}),
    "position_size": (BUY, -2, {"position_size": Decimal(-2), "market_position": "short"}),
    "market_position_size": (
        BUY | {"market_position": "short"},
        2,
        {"position_size": Decimal(-2), "market_position": "short"},
    ),
    "previous_side": (BUY, "short", {"previous_side": "short"}),
    "previous": (BUY, -3, {"previous_position": Decimal(-3), "previous_side": "short"}),
    "previous_size": (BUY | {"prev_position": "long"}, 3, {"previous_position": Decimal(3)}),
    "time_in_force": (BUY, "GTC", {"time_in_force": "gtc"}),
    "strategy": (BUY, "my trend", {"strategy": "my trend"}),
    "name": (BUY, "my trend", {"strategy": "my trend"}),
    "account": (BUY, " main ", {"account": "main"}),
    "fired_at": (BUY, "2025-06-17T14:30:01Z", {"fired_at": 1750170601000}),
    "bar_at": (BUY, "1750170601", {"bar_at": 1750170601000}),
    "interval": (BUY, "4h", {"interval_seconds": 14400}),
    "idempotency_key": (BUY, "k-1", {"idempotency_key": "k-1"}),
    "signal_id": (BUY, "k-1", {"idempotency_key": "k-1"}),
    "alert_timestamp": (BUY, 17, {"idempotency_key": "17"}),
    "exchange": (BUY, "BINANCE", {"unsupported": (), "warnings": ()}),
    "cancel": (BUY, True, {"cancel_first": True}),
    "test": (BUY, "true", {"test": True}),
    "delay": (BUY, 0, {"unsupported": ()}),
    "max_lag": (BUY, 300, {"unsupported": ()}),
    "comment": (BUY, "up", {"comment": "up"}),
    "text": (BUY, "up", {"comment": "up"}),
}


@pytest.mark.parametrize(
    ("concept", "name"), [(c, name) for c, row in aliases.FIELDS.items() for name in row]
)
def test_every_name_of_a_field_is_read(concept, name):
    """Each row of the alias table, in its own case and without underscores, says the same."""
    beside, value, said = PROOFS[concept]
    for spelling in (name, name.upper(), name.replace("_", ""), name.title().replace("_", "")):
        alert = read(beside | {spelling: value})
        assert {field: getattr(alert, field) for field in said} == said


@pytest.mark.parametrize("name", aliases.NOTES)
def test_every_note_is_kept_without_a_word(name):
    """What changes nothing is kept as text and neither warned of nor refused."""
    alert = read(BUY | {name: "a value"})
    assert (alert.notes, alert.warnings, alert.unsupported) == (((name, "a value"),), (), ())


@pytest.mark.parametrize("name", [*aliases.BAR, "close", "close_price"])
def test_every_bar_value_is_a_note(name):
    """Bar data is kept; only the close stands in for a price."""
    alert = read(BUY | {"quantity": 1, name: "5.5"})
    assert (alert.notes, alert.unsupported) == (((name, "5.5"),), ())
    assert alert.price == (Decimal("5.5") if name.startswith("close") else None)
    assert read(BUY | {"quantity": 1, "price": 3, name: 5}).price == Decimal(3)


@pytest.mark.parametrize("name", aliases.SECRETS)
def test_every_secret_is_found_and_never_shown(name):
    """A credential goes to the gate, and nowhere else."""
    body = json.dumps(BUY | {name: "abc-1234", "comment": "abc-1234"})
    message = parse(body.encode())
    assert message.secrets == ("abc-1234",)
    assert "abc-1234" not in message.masked + repr(message.alerts)


def test_a_secret_with_escapes_is_masked_too():
    """A secret is hidden however JSON spells it and its key."""
    for body in (r'{"secret":"a\u0062cdef"}', r'{"\u0073ecret":"\u0061bcdef"}', '{"key":"k"}'):
        message = parse(body.encode())
        assert message.secrets[0] in ("abcdef", "k")
        assert "cdef" not in message.masked
        assert '"k"' not in message.masked


def test_a_body_is_one_guess_and_not_a_list_of_guesses():
    """Few credentials of one body reach the gate; with very many it is not read at all."""
    guesses = [BUY | {"secret": f"guess-{n}"} for n in range(40)]
    message = parse(json.dumps(guesses).encode())
    assert len(message.secrets) == 16
    assert "guess" not in message.masked
    many = json.dumps(BUY | {"x": {f"token{n}": f"guess-{n}" for n in range(300)}})
    for body in (many, many[:-1], "key=key=" * 8000, "key=guess " * 6000):
        message = parse(body.encode())
        assert isinstance(message.alerts[0], ParseError)
        assert len(message.secrets) <= 16
        assert "guess" not in message.masked


@pytest.mark.parametrize("key", sorted(claims.NESTED))
def test_every_nested_shape_is_proven_by_its_sample(key):
    """The members of a known object mean what they would mean outside."""
    sample = claims.NESTED[key][1]
    alert = read(sample)
    assert (alert.action, alert.unsupported, alert.warnings) == ("buy", (), ())
    flat = json.loads(sample)
    inner = next(value for value in flat.values() if isinstance(value, dict))
    assert read({**flat, "note": 1}).action == read(sample).action
    said = (alert.quantity, alert.market_position, alert.price)
    assert any(str(value) in map(str, inner.values()) for value in said if value is not None)


@pytest.mark.parametrize(("name", "sample"), [row[1:] for row in dialects.FOREIGN])
def test_every_foreign_dialect_is_refused_by_name(name, sample):
    """A message whose order stands elsewhere is never guessed."""
    error = refuse(sample)
    assert (error.status, error.code) == (422, "UNSUPPORTED")
    assert name in error.message


@pytest.mark.parametrize(
    "key",
    [
        *("exit_size", "tradeQuantity", "lots", "lot_size", "betAmount", "usd", "percentEquity"),
        *("position_pct", "sizeUsd"),
    ],
)
def test_an_unknown_amount_refuses_the_whole_order(key):
    """Without the amount that was meant, an exit would close too much and an entry guess."""
    for base in (BUY, CLOSE):
        error = refuse(base | {key: 5})
        assert (error.status, error.code) == (422, "UNSUPPORTED")
        assert key in error.message


@pytest.mark.parametrize(
    "key",
    [
        *("tp_pips", "trailing", "trailPercent", "leverage", "riskPercent"),
        *("optionType", "profitTarget", "stop", "target", "limit", "reduce_only", "closePosition"),
        *("breakeven", "pyramiding", "reverse", "short SL", "mode", "paper", "expiresAt", "q"),
        *("extendedHours", "subaccount", "sl-offset", "trigger", "\u043a\u043e\u043b"),
    ],
)
def test_an_unknown_instruction_is_named_and_never_ignored(key):
    """It denies what would open; null, empty and false say nothing."""
    (named,) = read(BUY | {key: 5}).unsupported
    assert "5: not supported" in named
    assert len(read(CLOSE | {key: 5}).unsupported) == 1
    for nothing in (None, "", False, "false", [], {}):
        assert read(BUY | {key: nothing}).unsupported == ()


def test_a_name_that_may_be_several_fields_says_which():
    """`stop` may protect or be the order's level: the answer names both, not only that it is unknown."""
    (stop,) = read(BUY | {"stop": 44000}).unsupported
    assert "stop_loss" in stop
    assert "stop_price" in stop
    (target,) = read(BUY | {"target": 47000}).unsupported
    assert "take_profit" in target


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"stop_loss": "2%"}, 'send {"percent": 2}'),
        ({"take_profit": "5 %"}, 'send {"percent": 5}'),
        ({"quantity": 1, "quantity_type": "odd"}, "use fixed (units), cash or percent_of_position"),
        ({"quantity": 0}, "{{strategy.order.contracts}}, where the size of the position was sent"),
        ({"quantity": -1}, "write it without the minus sign; the action says which side"),
    ],
)
def test_a_size_or_level_that_is_refused_says_what_to_write(fields, says):
    """What, where, and what to send instead."""
    error = refuse(BUY | fields)
    assert error.field in fields
    assert says in error.message


def test_what_is_unknown_and_harmless_is_kept_and_said():
    """An unknown key is a note, listed in the warnings."""
    alert = read(BUY | {"mood": "fine"})
    assert alert.notes == (("mood", "fine"),)
    assert alert.warnings == ('"mood": unknown key, kept as a note.',)


@pytest.mark.parametrize("value", [0, "0", "0.0", None, "", False])
def test_a_delay_of_nothing_is_no_delay(value):
    """Zero is how templates leave a delay out."""
    assert read(BUY | {"delay": value}).unsupported == ()


@pytest.mark.parametrize(
    "value",
    [
        *(
            True,
            False,
            [],
            {},
            "1,000",
            "1_0",
            "\uff11",
            "\u0663",
            "+1",
            ".5",
            "5.",
            "1e13",
            "1e-13",
            "123456789012e1",
            "0x1",
            "-1",
            "-0",
        ),
        *(
            "1 000",
            "$5",
            "nan",
            "NaN",
            "Infinity",
            "{{strategy.order.contracts}}",
            "",
            None,
            "some",
        ),
    ],
)
def test_a_quantity_that_is_not_plainly_a_number_is_refused(value):
    """No default stands in for a quantity that was stated and cannot be read."""
    error = refuse(BUY | {"quantity": value})
    assert (error.status, error.field) == (400, "quantity")


@pytest.mark.parametrize(
    "literal", ["NaN", "Infinity", "1e400", "1E-17", "9" * 5000, "-1", "1e-400"]
)
def test_a_json_number_is_read_by_its_digits(literal):
    """What JSON calls a number and we cannot write out is refused, not rounded."""
    assert refuse('{"action":"buy","symbol":"X","quantity":' + literal + "}").field == "quantity"


def test_every_digit_of_a_number_arrives():
    """A plot has all digits of a double; nothing is rounded."""
    alert = read('{"action":"buy","symbol":"X","tp":37774.433333333334,"qty":281.333}')
    assert alert.take_profit == Level(price=Decimal("37774.433333333334"))
    assert alert.quantity == Decimal("281.333")


def test_two_names_of_one_field_must_agree():
    """Equal numbers are equal however they are written; anything else is refused."""
    assert read(BUY | {"qty": 1, "quantity": "1.0"}).quantity == 1
    assert "disagree" in refuse(BUY | {"qty": 1, "quantity": 2}).message
    assert "disagree" in refuse(BUY | {"side": "sell"}).message
    assert "disagree" in refuse(BUY | {"ticker": "ETHUSDT"}).message
    assert read(BUY | {"ticker": "BINANCE:BTCUSDT"}).symbol == "BINANCE:BTCUSDT"


def test_a_key_that_stands_twice_is_refused():
    """The last would win, and it could be the other side."""
    assert "twice" in refuse('{"action":"buy","action":"sell","symbol":"X"}').message


@pytest.mark.parametrize(
    ("said", "action"),
    [
        ({"action": "close", "side": "long"}, "close_long"),
        ({"action": "exit", "side": "short"}, "close_short"),
        ({"action": "open", "direction": "short"}, "sell"),
        ({"action": "Enter-Long"}, "buy"),
        ({"action": "EXIT_SHORT"}, "close_short"),
        ({"action": "flat"}, "close"),
        ({"action": "closeall"}, "close"),
        ({"action": "close", "position_side": "long"}, "close_long"),
    ],
)
def test_an_action_may_be_said_in_two_words(said, action):
    """Close and long is close_long; open and short is sell."""
    assert read({"symbol": "X"} | said).action == action


@pytest.mark.parametrize("word", ["add", "flip", "ping", "kill", "update_sl"])
def test_an_action_we_do_not_have_is_refused_by_name(word):
    """It was read, and is not supported."""
    error = refuse({"action": word, "symbol": "X"})
    assert (error.status, error.code, error.field) == (422, "UNSUPPORTED", "action")
    assert word in error.message


@pytest.mark.parametrize(
    "said",
    [
        {"action": "sell", "side": "long"},
        {"action": "open"},
        {"action": "close", "event": "sell"},
        {"action": None},
        {"action": True},
        {"action": "buy", "isSell": True},
        {},
    ],
)
def test_an_action_that_is_not_certain_is_refused(said):
    """Of two sides none is chosen."""
    assert refuse({"symbol": "X"} | said).status == 400


@pytest.mark.parametrize(
    "symbol",
    [
        *("BTCUSDT", "BTCUSDT.P", "BINANCE:BTCUSDT", "BRK.B", "ETH/USDT", "ES1!", "MESZ2026"),
        *("MES 12-26", "CME_MINI:MES1!", "/ESZ6", "BTC-USD", "005930"),
    ],
)
def test_a_symbol_is_kept_as_written(symbol):
    """Nothing is stripped: a perpetual is never confused with spot."""
    assert read({"action": "buy", "symbol": symbol.lower()}).symbol == symbol
    assert read({"action": "buy", "symbol": symbol}).unsupported == ()


@pytest.mark.parametrize(
    "symbol",
    [
        *("BTC/USDT:USDT", "USDT_BTC", "BTC_USDT", "BTCUSD\u0422", "N/A", "1/EURUSD", "A:B:C", ""),
        *("!", "A B", 5930, None, "{{ticker}}", "BTC\u200bUSDT", "X" * 40, "NYSE:"),
    ],
)
def test_a_symbol_that_could_be_another_is_refused(symbol):
    """Spellings whose instrument is not certain are refused with the remedy."""
    assert refuse({"action": "buy", "symbol": symbol}).field == "symbol"


@pytest.mark.parametrize("symbol", ["SPY 240510C68", "SPY240510C00068000", "NIFTY25JAN21500CE"])
def test_an_option_is_refused_by_name(symbol):
    """Options are recognised and not supported."""
    error = refuse({"action": "buy", "symbol": symbol})
    assert (error.code, "option" in error.message) == ("UNSUPPORTED", True)


@pytest.mark.parametrize("symbol", ["SOL-PERP", "BTCUSDTPERP", "BTC-USDT-SWAP"])
def test_a_perpetual_in_a_foreign_spelling_is_handed_on_as_it_is(symbol):
    """What it is depends on the account's market, which the parser does not know."""
    alert = read({"action": "buy", "symbol": symbol})
    assert (alert.symbol, alert.unsupported) == (symbol, ())


@pytest.mark.parametrize("key", ["stopLossTicks", "sl_ticks", "SLTICKS", "stop_loss_ticks"])
def test_relays_of_futures_brokers_count_levels_in_ticks(key):
    """Beside a target in ticks; null is no level."""
    alert = read(BUY | {key: 40, "takeProfitTicks": "80"})
    assert (alert.stop_loss, alert.take_profit) == (
        Level(ticks=Decimal(40)),
        Level(ticks=Decimal(80)),
    )
    assert alert.unsupported == ()
    assert read(BUY | {key: None}).stop_loss is None
    assert refuse(BUY | {key: 40, "stop_loss": 39}).field == "stop_loss"
    assert refuse(BUY | {key: ""}).field == "stop_loss"


def test_a_delayed_feed_opens_nothing():
    """An alert computed on old prices is no reason to trade, wherever the feed is named."""
    assert "delayed" in (read(BUY | {"exchange": "CME_MINI_DL"}).delayed_feed or "")
    assert "delayed" in (read({"action": "buy", "symbol": "CBOE_DLY:SPX"}).delayed_feed or "")
    assert read(BUY | {"exchange": "DLY"}).delayed_feed is None


@pytest.mark.parametrize(
    ("said", "side", "size"),
    [
        ({"market_position": "short", "position_size": 2}, "short", -2),
        ({"market_position": "long", "position_size": "2"}, "long", 2),
        ({"position_size": 0}, "flat", 0),
        ({"market_position": "flat"}, "flat", None),
        ({"position_size": -2, "market_position_size": 2}, "short", -2),
    ],
)
def test_a_stated_position_is_signed(said, side, size):
    """The side gives an unsigned size its sign, the sign gives a size its side."""
    alert = read(BUY | said)
    assert (alert.market_position, alert.position_size) == (side, size)


@pytest.mark.parametrize(
    "said",
    [
        {"market_position": "long", "position_size": -2},
        {"market_position": "flat", "position_size": 2},
        {"market_position": "long", "position_size": 0},
        {"position_size": 2, "market_position_size": 3},
        {"market_position": "sideways"},
        {"position_size": "{{strategy.position_size}}"},
    ],
)
def test_a_stated_position_that_contradicts_itself_is_refused(said):
    """It bounds the order, so it may not be guessed."""
    assert refuse(BUY | said).status == 400


def test_zero_is_a_quantity_only_beside_a_stated_flat():
    """Nothing is bought and nothing sold by an order of zero."""
    assert read(BUY | {"quantity": 0, "position_size": 0}).quantity == 0
    assert read(BUY | {"quantity": 0, "market_position": "flat"}).quantity == 0
    assert refuse(BUY | {"quantity": 0}).field == "quantity"
    assert refuse(BUY | {"quantity": "0.0", "position_size": 1}).field == "quantity"


@pytest.mark.parametrize(
    ("sent", "level"),
    [
        ({"percent": 5}, Level(percent=Decimal(5))),
        ({"amount": "2.5"}, Level(amount=Decimal("2.5"))),
        ({"ticks": 40}, Level(ticks=Decimal(40))),
        ({"type": "stop", "stopPrice": 3}, Level(price=Decimal(3))),
        (
            {"type": "stop_limit", "stopPrice": 3, "limitPrice": 2.9},
            Level(price=Decimal(3), limit_price=Decimal("2.9")),
        ),
        ({"stop_price": 3, "percent": None}, Level(price=Decimal(3))),
        (44000, Level(price=Decimal(44000))),
        ({}, None),
        (None, None),
    ],
)
def test_a_stop_loss_is_a_price_or_says_how_it_counts(sent, level):
    """The TradersPost object and the plain price mean the same kind of level."""
    assert read(BUY | {"stopLoss": sent}).stop_loss == level


@pytest.mark.parametrize(
    "sent",
    [
        {"percent": 5, "amount": 3},
        {"ticks": 5, "amount": 3},
        {"ticks": "many"},
        {"type": "stop"},
        {"type": "stop", "stopPrice": 3, "limitPrice": 2},
        {"type": "stop_limit", "stopPrice": 3},
        {"percent": "5%"},
        {"percent": ""},
        {"amount": -1},
        "1%",
        -5,
        [3],
        True,
    ],
)
def test_a_stop_loss_that_is_not_one_level_is_refused(sent):
    """Protection is never guessed and never dropped."""
    assert refuse(BUY | {"stopLoss": sent}).field == "stop_loss"


@pytest.mark.parametrize("key", ["trailPercent", "pnlAmount", "type", "foo"])
def test_a_foreign_member_makes_the_level_unsupported(key):
    """Half a stop loss would be another stop loss."""
    alert = read(BUY | {"stopLoss": {"percent": 1, key: "trailing_stop"}})
    assert (alert.stop_loss, len(alert.unsupported)) == (None, 1)
    assert key in alert.unsupported[0]


@pytest.mark.parametrize(
    "said",
    [
        {"stop_price": 5},
        {"limit_price": 5},
        {"order_type": "market", "limit_price": 5},
        {"order_type": "limit", "stop_price": 5, "price": 4},
        {"order_type": "stop", "limit_price": 5},
        {"order_type": "midprice"},
        {"time_in_force": "ioc"},
    ],
)
def test_a_price_or_type_that_would_be_ignored_is_named(said):
    """A level that the order type does not use may have been meant as protection."""
    assert len(read(BUY | said).unsupported) == 1


@pytest.mark.parametrize("key", ["order_type", "orderType"])
@pytest.mark.parametrize("base", [BUY, CLOSE, CLOSE | {"market_position": "flat"}])
def test_a_type_that_waits_or_is_no_type_is_refused_on_an_exit_too(key, base):
    """`abc` is as unreadable as a placeholder; a trailing stop is no order to leave at once."""
    for word in ("abc", "{{x}}", "MOVEBE"):
        assert refuse(base | {key: word}).status == 400
    for word in ("trailing_stop", "TAKE_PROFIT_MARKET", "inverse"):
        error = refuse(base | {key: word})
        assert (error.status, error.code) == (422, "UNSUPPORTED")
    assert read(CLOSE | {key: "MarketableLimit"}).unsupported


def test_an_exit_never_fails_because_of_its_decoration():
    """On what can only reduce, levels that cannot be read are left out with a warning."""
    for base in (CLOSE, BUY | {"market_position": "flat"}):
        alert = read(base | {"sl": "NaN", "tp": "", "stop_loss_price": 0, "price": "45,000"})
        assert (alert.stop_loss, alert.take_profit, alert.price) == (None, None, None)
        assert len(alert.warnings) >= 4
    limit = read(CLOSE | {"order_type": "limit", "price": "{{close}}"})
    assert (limit.order_type, len(limit.warnings)) == (None, 2)
    assert read(CLOSE | {"sl": 3}).stop_loss == Level(price=Decimal(3))
    for level in ({"stopPrice": "NaN"}, {"percent": 1, "amount": 2}, {"type": "stop"}):
        alert = read(CLOSE | {"stopLoss": level})
        assert (alert.stop_loss, len(alert.warnings)) == (None, 1)


@pytest.mark.parametrize("key", ["comment", "message", "reason", "order_id"])
def test_a_label_that_says_exit_opens_nothing(key):
    """Elsewhere the label turns the side into an exit; a stated position settles it."""
    for label in ("exit", "Close", "margin call", "SL", "Exit Long"):
        assert len(read({"action": "sell", "symbol": "X", key: label}).unsupported) == 1
        stated = {"action": "sell", "symbol": "X", key: label, "market_position": "short"}
        assert read(stated).unsupported == ()
    assert read({"action": "sell", "symbol": "X", key: "Short entry"}).unsupported == ()


def test_close_true_is_an_instruction_and_close_a_price():
    """Bar data is a number."""
    assert read(BUY | {"close": True}).unsupported
    assert read(BUY | {"open": "true"}).unsupported
    assert read(BUY | {"close": 5}).price == 5


def test_a_dialect_is_told_by_its_keys():
    """The same key means another thing beside another."""
    assert read(BUY | {"size": 75, "stub": "main"}).quantity_type == "cash"
    assert refuse(BUY | {"size": "5%", "stub": "main"}).code == "UNSUPPORTED"
    assert read(BUY | {"amount": 5}).bare_size == "amount 5"
    assert refuse(BUY | {"units": 5, "unitsType": "percent"}).code == "UNSUPPORTED"
    assert refuse({"data": "long", "token": "tok-000", "symbol": "X"}).code == "UNSUPPORTED"
    assert read({"order_action": "buy", "symbol": "X", "sl": 15}).unsupported
    assert read({"order_action": "buy", "symbol": "X", "strategy": "s", "sl": 15}).unsupported
    mixed = read({"order_action": "buy", "symbol": "X", "tp": 15, "sl_price": 3})
    assert (len(mixed.unsupported), mixed.stop_loss) == (1, Level(price=Decimal(3)))
    assert read({"strategy": {"order_action": "buy"}, "symbol": "X", "sl": 15}).stop_loss
    assert refuse({"action": "buy", "market": "NASDAQ", "stock": "AAPL"}).field == "symbol"
    assert refuse(BUY | {"enabled": False}).code == "UNSUPPORTED"
    assert read(BUY | {"enabled": None}).unsupported == ()
    assert read({"order_action": "buy", "symbol": "X", "sl_price": 15}).stop_loss
    assert read(BUY | {"pricetype": "stop", "trigger_price": 5}).stop_price == 5
    assert read(BUY | {"trigger_price": 5}).unsupported
    assert read(BUY | {"inst_type": "FUT"}).unsupported
    assert read({"action": "buy", "symbol": "NQ1!", "inst_type": "FUT"}).unsupported == ()


def test_unknown_objects_are_searched_for_instructions():
    """What hides an order or its protection is refused; what does not is a note."""
    assert "x.qty" in read(BUY | {"x": {"qty": 5}}).unsupported[0]
    assert "x.stop" in read(BUY | {"x": {"y": [{"stop": 5}]}} | {"x": {"stop": 5}}).unsupported[0]
    assert read(BUY | {"legs": [{"symbol": "X"}]}).unsupported
    assert read(BUY | {"x": [{"qty": 5}]}).unsupported
    assert read(BUY | {"x": {"mood": 5}}).notes == (("x", '{"mood": "5"}'),)
    assert read(BUY | {"extras": {"qty": 5}}).unsupported == ()
    assert refuse(BUY | {"quantity": {"type": "percent", "value": 5}}).code == "UNSUPPORTED"


def test_an_order_may_stand_inside_a_message():
    """The default text, an order in words or JSON inside a JSON string is read as it would be alone."""
    assert (
        read({"message": "X: order buy @ 2 filled on ES1!. New strategy position is 2"}).quantity
        == 2
    )
    assert read({"msg": "BUY BTCUSDT qty=1", "secret": "abcdef"}).quantity == 1
    assert read({"text": json.dumps(BUY | {"qty": 3})}).quantity == 3
    assert read('"BUY BTCUSDT qty=1"').quantity == 1
    assert "Not an alert" in refuse({"content": "BTCUSDT long signal"}).message
    assert read(BUY | {"alert_message": json.dumps({"leverage": 5})}).unsupported


def test_an_array_holds_orders_of_their_own():
    """An element that is wrong is an error in its place and changes no other."""
    orders = [CLOSE | {"strategy": "a"}, {"action": "nope", "symbol": "X", "strategy": "b"}, 5, BUY]
    message = parse(json.dumps(orders).encode())
    assert message.is_array
    assert [isinstance(alert, Alert) for alert in message.alerts] == [True, False, False, True]
    assert message.strategies == ("a", "b", None, None)
    assert refuse("[]").status == 400
    assert refuse([BUY] * 51).status == 400
    assert len(parse(json.dumps([BUY] * 50).encode()).alerts) == 50


def test_halt_works_whatever_stands_beside_it():
    """A kill switch does not fail on a quantity; only its strategy must be readable."""
    alert = read(
        {"action": "halt", "strategy": "s", "quantity": "NaN", "leverage": 5, "symbol": "?"}
    )
    assert (alert.action, alert.symbol, alert.strategy) == ("halt", "", "s")
    assert (alert.unsupported, len(alert.warnings)) == ((), 3)
    assert refuse({"action": "halt", "strategy": "{{strategy.name}}"}).field == "strategy"


def test_a_cancel_that_is_narrowed_is_refused():
    """Cancelling more than was asked could take protection away."""
    assert read({"action": "cancel", "symbol": "X"}).action == "cancel"
    assert refuse({"action": "cancel", "symbol": "X", "cancelOrderType": "stop"}).status == 422


@pytest.mark.parametrize("field", ["strategy", "account"])
@pytest.mark.parametrize("name", ["{{x}}", "a" * 65, "a\nb", "a\u202eb", ["a"], True])
def test_a_name_that_cannot_be_read_is_refused(field, name):
    """Another strategy or account would trade instead."""
    assert refuse(BUY | {field: name}).field == field


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("2019-08-27T09:56:00Z", 1566899760000),
        ("2019-08-27T11:56:00+02:00", 1566899760000),
        ("2019-08-27T09:56:00.250Z", 1566899760250),
        (1566899760, 1566899760000),
        ("1566899760250", 1566899760250),
        ("2019-08-27T09:56:00", None),
        ("2019-08-27", None),
        ("156689976", None),
        ("2019-13-27T09:56:00Z", None),
        ("{{timenow}}", None),
    ],
)
def test_a_time_is_read_by_its_form(text, milliseconds):
    """A time without a zone, or of another form, is left out with a warning."""
    alert = read(BUY | {"timenow": text})
    assert (alert.fired_at, bool(alert.warnings)) == (milliseconds, milliseconds is None)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(
            ("5", 300),
            ("D", 86400),
            ("1D", 86400),
            ("W", 604800),
            ("30S", 30),
            ("1m", 60),
            ("1M", 2592000),
        ),
        *(("4H", 14400), ("240", 14400), ("10R", None), ("0", None), ("", None), ("x", None)),
    ],
)
def test_an_interval_is_tradingviews(text, seconds):
    """Minutes are bare, months are a capital M."""
    assert read(BUY | {"interval": text}).interval_seconds == seconds


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"5",
        b"null",
        b"\xff\xfe{\x00}\x00",
        b'{"action":"buy\x00"}',
        b'{"action":"buy","symbol":"\xff"}',
        b'{"action":"buy","symbol":"X","x":"\\ud800"}',
        b'{"action":"buy","symbol":"X","x":"\\u0000"}',
        b"[" * 60_000,
        b'{"a":' * 60_000,
        b"{" + b",".join(b'"k%d":1' % n for n in range(100_000)) + b"}",
    ],
)
def test_a_hostile_body_is_refused_at_once(body):
    """Depth, size and broken characters end in a 400, never in an exception."""
    assert refuse(body).status == 400
