"""Compare how PickMyTrade's messages are read with what its own public validator accepts and says of them.

Bodies are generated as its users write them, zeros included. What the validator accepts is read as meant,
or refused by the name of a key that cannot be carried out; nothing is dropped or turned into another order.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pickmytrade_validation import validate_and_describe_alert_json

from parsers import parse
from parsers.alert import Alert, Level, ParseError, TakeProfit

Body = dict[str, Any]

OFF = st.just(0)
AMOUNTS = st.one_of(OFF, OFF, OFF, st.sampled_from([1, 0.5, 40, 250.25]))
FLAGS = st.booleans()
REQUIRED: dict[str, st.SearchStrategy[Any]] = {
    "token": st.just("tok-9f8e7d"),
    "symbol": st.sampled_from(["MNQ1!", "ESZ2026", "NQ1!"]),
    "data": st.sampled_from(["buy", "sell", "BUY", "close", "flat", "long", "short"]),
    "quantity": st.sampled_from([0, 1, 2, 2, 3]),
    "order_type": st.sampled_from(["MKT", "MKT", "LMT", "STP"]),
    "platform": st.sampled_from(["TRADOVATE", "PROJECTX", "IB"]),
    "inst_type": st.just("FUT"),
    "price": st.sampled_from([21450.25, 21450]),
}
OPTIONAL: dict[str, st.SearchStrategy[Any]] = {
    "date": st.just("2026-11-30T20:00:00Z"),
    "tp": st.sampled_from([0, 0, 21600]),
    "sl": st.sampled_from([0, 0, 21400.5]),
    **dict.fromkeys(("dollar_tp", "dollar_sl", "percentage_tp", "percentage_sl"), AMOUNTS),
    **dict.fromkeys(("trail_stop", "trail_trigger", "trail_freq", "breakeven"), AMOUNTS),
    "trail": st.sampled_from([0, 0, 0, 1]),
    "risk_percentage": st.sampled_from([0, 0, 0, 1]),
    "order_strike": OFF,
    "lmt_to_market_wait": st.sampled_from([0, 0, 30]),
    **{key: st.just("") for key in ("option_type", "expiry_date", "connection_name")},
    "update_tp": st.sampled_from([False, False, False, True]),
    "update_sl": st.sampled_from([False, False, False, True]),
    **dict.fromkeys(("pyramid", "duplicate_position_allow", "reverse_order_close"), FLAGS),
    "advance_tp_sl": st.sampled_from([[], [], [{"quantity": 1, "tp": 21600, "sl": 21400}]]),
    "multiple_accounts": st.just([]),
}
BODIES = st.fixed_dictionaries(REQUIRED, optional=OPTIONAL)

BY_NAME = (
    *("dollar_tp", "dollar_sl", "trail", "trail_stop", "trail_trigger", "trail_freq", "breakeven"),
    *("risk_percentage", "lmt_to_market_wait", "reverse_order_close"),
)
"""What an order there may ask for and an order here cannot do."""


def read(body: Body) -> Alert | ParseError:
    """Return what stands for the one order of a body."""
    (alert,) = parse(json.dumps(body).encode()).alerts
    return alert


def accepted(body: Body) -> str | None:
    """Return what the validator says the order will do, None where it does not accept the body."""
    verdict = validate_and_describe_alert_json(body, allow_placeholders=False)
    return None if verdict["error"] else verdict["description"]


def asks_too_much(body: Body) -> set[str]:
    """Return the keys by which a body asks for what must be refused."""
    keys = {key for key in BY_NAME if body.get(key)}
    return keys | (
        {"duplicate_position_allow"} if body.get("duplicate_position_allow") is False else set()
    )


def level_of(body: Body, name: str) -> Level | None:
    """Return the level a body states under `tp` or `sl`."""
    if body.get(name):
        return Level(price=Decimal(str(body[name])))
    percent = body.get(f"percentage_{name}")
    return Level(percent=Decimal(str(percent))) if percent else None


def check_refusal(body: Body, error: ParseError) -> None:
    """See that a refusal names what it is about."""
    if body["data"] in ("long", "short"):
        assert "{{strategy.order.action}}" in error.message
    elif body.get("risk_percentage"):
        assert "risk_percentage" in error.message
    elif body.get("advance_tp_sl") and error.field in ("take_profits", "stop_loss"):
        beside = [*("tp", "sl", "percentage_tp", "percentage_sl")]
        assert any(body.get(name) for name in beside), error.message
    else:
        both = [name for name in ("tp", "sl") if body.get(name) and body.get(f"percentage_{name}")]
        assert any(f"percentage_{name}" in error.message for name in both), error.message


@settings(max_examples=150)
@given(BODIES)
def test_what_pickmytrade_accepts_is_read_as_meant_or_refused_by_name(body: Body) -> None:
    """Side, quantity, type and levels are those of the body, or a key that is there is named."""
    said = accepted(body)
    assume(said is not None)
    alert = read(body)
    if isinstance(alert, ParseError):
        check_refusal(body, alert)
        return
    if body.get("update_tp") or body.get("update_sl"):
        assert (alert.action, alert.quantity) == ("update", None)
        return
    assert {text.split(" ")[0] for text in alert.unsupported} == asks_too_much(body)
    closes = body["data"] in ("close", "flat")
    assert alert.action == ("close" if closes else body["data"].lower())
    assert f"{alert.action.upper()} " in str(said)
    takes_all = body["data"] == "flat" or body["quantity"] == 0
    if closes and takes_all:
        assert alert.quantity is None
    else:
        assert alert.quantity == (body["quantity"] or None)
    kinds = {"MKT": "market", "LMT": "limit", "STP": "stop"}
    assert alert.order_type == kinds[body["order_type"]]
    assert alert.price == Decimal(str(body["price"]))
    twice = [n for n in ("tp", "sl") if body.get(n) and body.get(f"percentage_{n}")]
    if closes and twice:  # on what only reduces a level that is said in two ways is left out
        assert all(any(f"percentage_{n}" in text for text in alert.warnings) for n in twice)
    elif not body.get("advance_tp_sl"):
        assert (alert.take_profit, alert.stop_loss) == (level_of(body, "tp"), level_of(body, "sl"))
    elif not closes:
        target = TakeProfit(Level(price=Decimal(21600)), Decimal(1))
        assert (alert.take_profits, alert.stop_loss) == ((target,), Level(price=Decimal(21400)))


def test_an_entry_of_the_generator_with_all_its_zeros_opens() -> None:
    """Nothing in it is an instruction: zeros are how the generator leaves a field out."""
    zeros = dict.fromkeys(BY_NAME[:9], 0) | {"tp": 0, "sl": 0, "percentage_tp": 0}
    body = {
        "symbol": "MNQ1!",
        "data": "buy",
        "quantity": 2,
        "price": 21450.25,
        "token": "tok-9f8e7d",
    }
    body |= zeros | {
        "update_tp": False,
        "pyramid": True,
        "platform": "TRADOVATE",
        "order_type": "MKT",
    }
    assert accepted(body) is not None
    alert = read(body)
    assert isinstance(alert, Alert)
    assert (alert.unsupported, alert.take_profit, alert.stop_loss) == ((), None, None)


@pytest.mark.parametrize("key", ["sl", "tp", "trail"])
def test_a_zero_elsewhere_is_no_way_to_leave_a_level_out(key: str) -> None:
    """Only beside PickMyTrade's own keys it is known to mean that."""
    alert = read({"action": "buy", "symbol": "MNQ1!", "quantity": 1, key: 0})
    assert isinstance(alert, Alert)
    assert alert.unsupported or Level(price=Decimal(0)) in (alert.stop_loss, alert.take_profit)
