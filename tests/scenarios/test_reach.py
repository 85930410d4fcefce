"""Where an alert reaches: every account and contract where its strategy holds, and nowhere else to open."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

CONFIG = """
accounts:
  one: {broker: paper, cash: 1000000}
  two: {broker: paper, cash: 1000000}
default_account: one
strategies:
  s: {account: one, default_quantity: 1}
  synced: {account: one, sync: position}
  stopped: {account: one, enabled: false}
"""
MES = {"strategy": "s", "price": 6000}
PERP = {"strategy": "s", "symbol": "BTCUSDT.P", "price": 100}


@pytest.fixture
def desk(make_bench):
    """Give a desk with two paper accounts."""
    return make_bench(CONFIG)


@pytest.mark.parametrize("alert", [{"action": "close"}, {"action": "sell", "quantity": 2}])
def test_3_6_an_alert_that_names_no_account_reduces_wherever_the_strategy_holds(desk, alert):
    """Also off its route; and it opens nothing there."""
    desk.send(action="buy", quantity=2, account_group="two", **PERP)
    desk.send(**alert, **PERP)
    assert desk.held("s", "BTCUSDT.P", "two") == 0


def test_3_6_a_cancel_that_names_no_account_reaches_every_account(desk):
    """What works off the route ends too."""
    resting = {"order_type": "limit", "limit_price": 90}
    row = desk.send(action="buy", quantity=2, account_group="two", **resting, **PERP)
    assert desk.send(action="cancel", **PERP)["status"] == "cancelled"
    assert desk.status_of(row["alert_id"]) == "cancelled"


@pytest.mark.parametrize("alert", [{"action": "close"}, {"action": "sell", "quantity": 1}])
def test_3_6_an_exit_for_an_unknown_account_says_where_the_strategy_holds(desk, alert):
    """It is refused, and names what to send."""
    desk.send(action="buy", quantity=2, account_group="two", **PERP)
    answer = desk.send(account_group="tow", **alert, **PERP)
    assert (answer["code"], answer["http"]) == ("NO_ACCOUNT", 422)
    assert "s holds 2 BTCUSDT.P on two (paper): name that account, or none" in answer["message"]
    answer = desk.send(account_group="one", action="close", **PERP)
    assert answer["code"] == "NOTHING_TO_CLOSE"
    assert "s holds 2 BTCUSDT.P on two (paper)" in answer["message"]


def test_3_6_nothing_to_close_tells_what_the_venue_shows(make_venue_bench):
    """What nobody of ours opened is left alone, and the user is told of it."""
    bench = make_venue_bench()
    bench.buy("1", strategy="t")
    bench.venue.trade_by_hand(bench.symbol, "2")
    bench.tick(20)
    answer = bench.send(action="close")
    assert answer["code"] == "NOTHING_TO_CLOSE"
    assert f"v holds 2 {bench.symbol} that no strategy opened" in answer["message"]
    assert len(bench.told("position_left")) == 1
    assert bench.at_venue() == 3


def test_3_6_a_disabled_strategy_opens_nothing_and_exits(desk):
    """STRATEGY_DISABLED is for the opening part alone."""
    alert = {**PERP, "strategy": "stopped"}
    assert desk.send(action="buy", quantity=1, **alert)["code"] == "STRATEGY_DISABLED"
    assert desk.send(action="close", **alert)["code"] == "NOTHING_TO_CLOSE"


ROWS: dict[str, tuple[dict[str, Any], int, int]] = {
    "a close takes every contract": ({"action": "close"}, 0, 0),
    "a sell goes across all of them, then opens": ({"action": "sell", "quantity": 5}, 0, -2),
    "a part is taken once": ({"action": "sell", "quantity": 1}, 2, 0),
    "a sell without a quantity opens nothing": ({"action": "sell"}, 0, 0),
    "a close with a quantity takes that much in all": ({"action": "close", "quantity": 2}, 1, 0),
    "what is left below a step is a warning": ({"action": "sell", "quantity": "3.5"}, 0, 0),
}


@pytest.mark.parametrize(("alert", "dated", "continuous"), ROWS.values(), ids=ROWS.keys())
def test_3_11_a_continuous_symbol_means_the_share_in_any_contract(desk, alert, dated, continuous):
    """Long 3 in March, an alert that says MES1!: cut at zero of what is held in the root."""
    desk.send(action="buy", quantity=3, symbol="MESH2026", **MES)
    answer = desk.send(symbol="MES1!", **alert, **MES)
    held = desk.held("s", "MESH2026", "one"), desk.held("s", "MES1!", "one")
    assert held == (dated, continuous), answer
    assert answer["code"] is None


def test_3_11_of_several_contracts_the_one_that_ends_first_gives_first(desk):
    """2 in March and 2 in MES1!, sell 3: March goes whole, one of the other."""
    desk.send(action="buy", quantity=2, symbol="MES1!", **MES)
    desk.send(action="buy", quantity=2, symbol="MESH2026", **MES)
    desk.send(action="sell", quantity=3, symbol="CME_MINI:MES1!", **MES)
    assert desk.held("s", "MESH2026", "one") == 0
    assert desk.held("s", "MES1!", "one") == 1


def test_3_11_an_exit_naming_a_dated_contract_takes_only_that_one(desk):
    """The continuous one stays."""
    desk.send(action="buy", quantity=2, symbol="MES1!", **MES)
    answer = desk.send(action="close", symbol="MESH2026", **MES)
    assert answer["code"] == "NOTHING_TO_CLOSE"
    assert desk.held("s", "MES1!", "one") == 2


@pytest.mark.parametrize(("size", "dated", "continuous"), [(5, 3, 2), (1, 1, 0), (-2, 0, -2)])
def test_3_13_a_stated_position_counts_every_contract(desk, size, dated, continuous):
    """Long 3 in March: a target of 5 in MES1! opens 2 more."""
    alert = {**MES, "strategy": "synced"}
    desk.send(action="buy", quantity=3, symbol="MESH2026", position_size=3, **alert)
    way = "buy" if size > 3 else "sell"
    desk.send(action=way, quantity=1, symbol="MES1!", position_size=size, **alert)
    held = desk.held("synced", "MESH2026", "one"), desk.held("synced", "MES1!", "one")
    assert held == (Decimal(dated), Decimal(continuous))


def test_6_2_an_alert_without_a_target_cancels_what_works_before_it_is_denied(desk):
    """It was read and is neither late nor a duplicate."""
    alert = {**PERP, "strategy": "synced"}
    resting = {"order_type": "limit", "limit_price": 90}
    row = desk.send(action="buy", quantity=2, position_size=2, **resting, **alert)
    answer = desk.send(action="buy", quantity=1, **alert)
    assert answer["code"] == "NO_TARGET"
    assert desk.status_of(row["alert_id"]) == "cancelled"
