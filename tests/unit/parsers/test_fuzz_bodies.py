"""Tests that no body raises, invents a number, changes by a mend or shows a secret."""

from __future__ import annotations

import json
import random
import string
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers import aliases, parse
from parsers.alert import ACTIONS, ORDER_TYPES, QUANTITY_TYPES, SIDES, Alert, Level, ParseError
from tests.support.alert_cases import CASES

KEYS = [
    *sorted({name for row in aliases.FIELDS.values() for name in row}),
    *("secret", "foo", "tp2", "lots", "volume", "close", "open", "extras", "strategy_info", "x"),
]
WORDS = [
    *("buy", "sell", "close", "long", "short", "flat", "BTCUSDT", "ES1!", "45000", "0.1", "-2"),
    *("0", "NaN", "{{close}}", "", "limit", "market", "5%", "1,000", "true", "none", "exit", " "),
    *("1e5", "2025-06-17T14:30:01Z", "fixed", "base", "paper", "gtc"),
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner),
    max_leaves=8,
)
ORDERS = st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=8), VALUES, max_size=8).map(
    lambda members: {"action": "buy", "symbol": "BTCUSDT"} | members
)
NUMBERS = ("quantity", "price", "limit_price", "stop_price", "position_size", "previous_position")


def check(body: bytes) -> None:
    """Hold what is true of every answer."""
    message = parse(body)
    assert len(message.alerts) == len(message.strategies) >= 1
    message.masked.encode()
    for alert in message.alerts:
        if isinstance(alert, Alert):
            check_alert(alert, body.decode())
        else:
            assert isinstance(alert, ParseError)
            assert alert.status in (400, 422)
            assert (alert.code == "UNSUPPORTED") == (alert.status == 422)
            assert 0 < len(alert.message) < 2500
            alert.message.encode()
            # The last resort of `parse` hides a fault of ours: nothing here may need it.
            assert alert.message != "The body could not be read."


def check_alert(alert: Alert, body: str) -> None:
    """Hold that every word is one of ours and every number stood in the body."""
    assert alert.action in ACTIONS
    assert alert.symbol or alert.action == "halt"
    assert alert.quantity_type in QUANTITY_TYPES
    assert alert.order_type in (None, *ORDER_TYPES)
    assert {alert.market_position, alert.previous_side} <= {None, *SIDES}
    assert alert.quantity is None or alert.quantity >= 0
    assert alert.action != "cancel" or not alert.unsupported
    for number in numbers_of(alert):
        assert number.is_finite()
        plain = format(abs(number), "f")
        assert plain in body or plain in body.encode().decode("unicode_escape", "ignore")
    json.dumps([*alert.warnings, *alert.unsupported, *alert.notes]).encode()


def numbers_of(alert: Alert) -> list[Decimal]:
    """Return every number that the alert would trade by."""
    found = [getattr(alert, name) for name in NUMBERS]
    for level in (alert.take_profit, alert.stop_loss):
        if isinstance(level, Level):
            found += [level.price, level.percent, level.amount, level.limit_price]
    return [number for number in found if number is not None]


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_raise(body):
    """Whatever arrives, an answer comes back."""
    check(body)


@settings(max_examples=400, deadline=None)
@given(st.text(max_size=200))
def test_no_text_raises(body):
    """Nor does any text, half a character included."""
    check(body.encode("utf-8", "surrogatepass"))


@settings(max_examples=1000, deadline=None)
@given(ORDERS | st.lists(ORDERS, max_size=3) | VALUES)
def test_no_json_raises_or_invents_a_number(body):
    """Every number of an alert stood in the body, digit for digit."""
    check(json.dumps(body).encode())


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        st.sampled_from([*WORDS, "@", "qty=0.1", "tp=5", "sl: 4", "BUY", "\n", ";"]), max_size=9
    )
)
def test_no_line_of_words_raises_or_invents_a_number(words):
    """Neither does any mixture of the words orders are made of."""
    check(" ".join(words).encode())


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_message_is_never_another_order(seed):
    """Cutting, doubling or changing a character never gives a number that was not there."""
    rng = random.Random(seed)
    for _, body, *_ in CASES:
        for _ in range(4):
            place = rng.randrange(len(body)) if body else 0
            change = rng.choice(["", body[place : place + 1] * 2, rng.choice(string.printable)])
            check((body[:place] + change + body[place + 1 :]).encode())


@settings(max_examples=300, deadline=None)
@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=6, max_size=30),
    st.sampled_from(["secret", "token", "passphrase", "my_api_key"]),
    st.sampled_from(
        [
            lambda key, secret: json.dumps({"action": "buy", "symbol": "X", key: secret}),
            lambda key, secret: json.dumps({"action": "nope", "comment": secret, key: secret}),
            lambda key, secret: json.dumps({"x": {key: secret}, "y": [{key: secret}]}),
            lambda key, secret: json.dumps(
                [{key: secret}, {"message": secret}], ensure_ascii=False
            ),
            lambda key, secret: json.dumps({key: {"a": [secret]}}),
        ]
    ),
)
def test_a_secret_is_shown_nowhere(secret, key, write):
    """Not in the masked body, not in a warning, an error, a note or a comment."""
    message = parse(write(key, secret).encode())
    assert secret.strip() in [found.strip() for found in message.secrets]
    shown = [message.masked]
    for alert in message.alerts:
        if isinstance(alert, Alert):
            shown += [*alert.warnings, *alert.unsupported, alert.comment or ""]
            shown += [text for note in alert.notes for text in note]
        else:
            shown += [alert.message, repr(alert)]
    for text in shown:
        assert secret not in text
        assert json.dumps(secret)[1:-1] not in text


@settings(max_examples=300, deadline=None)
@given(ORDERS, st.integers(0, 3))
def test_a_mend_never_changes_a_meaning(order, kind):
    """A comma too many, curly quotes or hard spaces: the same alert, and a remark."""
    source = json.dumps(order)
    spoilt = [
        source[:-1] + ",}",
        "\ufeff" + source,
        source.replace(": ", ":\u00a0", 1),
        "  \n" + source + "\n ",
    ][kind]
    (before,), (after,) = parse(source.encode()).alerts, parse(spoilt.encode()).alerts
    assert type(before) is type(after)
    if isinstance(before, Alert) and isinstance(after, Alert):
        same = [name for name in Alert.__slots__ if name != "warnings"]
        assert [getattr(before, n) for n in same] == [getattr(after, n) for n in same]
        assert set(before.warnings) <= set(after.warnings)
    else:
        assert (before.status, before.message) == (after.status, after.message)
