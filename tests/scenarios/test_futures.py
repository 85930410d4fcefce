"""Futures: levels in ticks, late feeds, and the contract that is held when the month moves on."""

from __future__ import annotations

from decimal import Decimal

import pytest

CONFIG = """
accounts:
  one: {broker: paper, cash: 10000000, slippage_ticks: 0, fee_per_contract: 0}
  late: {broker: paper, cash: 10000000, allow_delayed: true}
default_account: one
strategies:
  s: {account: one, default_quantity: 1}
"""


@pytest.fixture
def desk(make_bench):
    """Give a desk with two paper accounts."""
    return make_bench(CONFIG)


def levels(desk, symbol):
    """Return stop and target of what s holds."""
    [row] = [row for row in desk.positions() if row["symbol"] == symbol]
    return row["stop_loss"], row["take_profit"]


@pytest.mark.parametrize(
    ("symbol", "price", "side", "placed"),
    [
        ("MES1!", "6000.25", "buy", ("5990.25", "6020.25")),
        ("MES1!", "6000.25", "sell", ("6010.25", "5980.25")),
        ("ZN1!", "110.5", "buy", ("109.875", "111.75")),
        ("6E1!", "1.0855", "buy", ("1.0835", "1.0895")),
        ("6J1!", "0.0067525", "sell", ("0.0067725", "0.0067125")),
        ("MBTZ2026", "60000", "buy", ("59800", "60400")),
        ("ZCH2027", "450.25", "buy", ("440.25", "470.25")),
    ],
)
def test_5_2_levels_in_ticks_count_from_the_fill_on_the_products_tick(
    desk, symbol, price, side, placed
):
    """Forty ticks below, eighty above, exact in decimals whatever the tick."""
    answer = desk.send(
        strategy="s",
        symbol=symbol,
        action=side,
        price=price,
        sl_ticks=40,
        take_profit={"ticks": 80},
    )
    assert answer["status"] == "filled", answer
    assert levels(desk, symbol) == placed


def test_levels_in_ticks_need_a_known_tick(desk):
    """On a coin at the simulator nobody knows the tick: the entry is denied, an exit goes on."""
    alert = {"strategy": "s", "symbol": "BTCUSDT", "price": 60000}
    answer = desk.send(action="buy", quantity=1, sl_ticks=40, **alert)
    assert (answer["code"], answer["http"]) == ("UNSUPPORTED", 422)
    assert 'send {"percent"}, {"amount"} or the price' in answer["message"]
    desk.send(action="buy", quantity=1, **alert)
    desk.send(action="close", sl_ticks=40, **alert)
    assert desk.held("s", "BTCUSDT", "one") == 0


def test_4_1_a_stop_of_zero_ticks_is_a_stop_on_the_wrong_side(desk):
    """It is refused as every stop of zero, not left out."""
    answer = desk.send(strategy="s", symbol="MES1!", action="buy", price=6000, sl_ticks=0)
    assert answer["code"] == "STOP_SIDE"


def test_a_distance_mistaken_for_a_price_is_told_how_ticks_are_written(desk):
    """Rules 4.4: forty is no price of the S&P."""
    answer = desk.send(strategy="s", symbol="MES1!", action="buy", price=6000, stop_loss=40)
    assert answer["code"] == "LEVEL_FAR"
    assert '{"ticks": 40}' in answer["message"]


def test_what_was_made_on_a_tick_is_worth_the_products_point(desk):
    """Twenty ticks of the ten-year note are 312.50 dollars a contract."""
    alert = {"strategy": "s", "symbol": "ZN1!", "quantity": 2}
    desk.send(action="buy", price="110", **alert)
    desk.send(action="close", price="110.3125", strategy="s", symbol="ZN1!")
    [row] = desk.closed()
    assert Decimal(row["realized_pnl"]) == Decimal(625)


def test_a_delayed_feed_opens_only_where_the_account_allows_it(desk):
    """What is closed is closed; the answer names the setting."""
    alert = {"strategy": "s", "symbol": "CME_MINI_DL:MES1!", "price": 6000}
    answer = desk.send(action="buy", **alert)
    assert (answer["code"], answer["http"]) == ("UNSUPPORTED", 422)
    assert "allow_delayed: true on one" in answer["message"]
    answer = desk.send(action="buy", account_group="late", **alert)
    assert (answer["status"], answer["warnings"]) == ("filled", [])
    answer = desk.send(action="close", **alert)
    assert desk.held("s", "MES1!", "late") == 0
