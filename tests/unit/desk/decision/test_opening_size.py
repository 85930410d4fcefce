"""How much is opened where money decides (rules 13.2, 15.5, 16.3), and what guards what a strategy opens."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from tests.support.fakes import DeskBench

CONFIG = """
default_account: sim
accounts:
  sim: {broker: paper, cash: 100000, fee_bp: 0, slippage_bp: 0, fee_per_contract: 0, slippage_ticks: 0}
  euro: {broker: paper, cash: 10000, currency: EUR, fee_bp: 0}
  small: {broker: paper, cash: 1000, fee_bp: 0}
strategies:
  plain: {}
  euro: {account: euro}
  fan: {accounts: {sim: 1, small: 0.5}}
  fixed: {sizing: {quantity: 3}}
  cash: {sizing: {quantity: 1000, quantity_type: cash}}
  equity: {sizing: {quantity: 10, quantity_type: percent_of_equity, override: true}}
  risk: {sizing: {quantity: 1, quantity_type: risk_percent, override: true}, stop_loss: {percent: 5}}
  money: {sizing: {quantity: 500, quantity_type: risk_cash}}
  more: {sizing: {quantity: 50, quantity_type: percent_of_position, override: true}}
  guarded: {require_stop: true}
  covered: {require_stop: true, stop_loss: {amount: 5}, take_profit: {percent: 10}}
"""
PERP, ES = "BTCUSDT.P", "ESZ2026"
PRICE = {PERP: "100", ES: "6000", "USDJPY": "150", "AAPL": "100", "GBPJPY": "200"}


class Row(NamedTuple):
    """An alert of a strategy that holds nothing, and what it opens."""

    alert: dict[str, Any]
    opens: str
    code: str | None = None
    says: str = ""
    strategy: str = "plain"
    symbol: str = PERP
    account: str = "sim"


def buy(quantity: object = None, kind: str | None = None, **more: Any) -> dict[str, Any]:
    """Return a buy; None leaves a field out."""
    found = {"action": "buy", "quantity": quantity, "quantity_type": kind, **more}
    return {name: value for name, value in found.items() if value is not None}


TABLE = {
    "15.5 percent of the equity": Row(buy(10, "percent_of_equity"), "100"),
    "16.3 point value: 10 percent of 100,000 on ES is no contract":
        Row(buy(10, "percent_of_equity"), "0", "QUANTITY_TOO_SMALL", "300000 USD each", symbol=ES),
    "16.3 four times that is one": Row(buy(310, "percent_of_equity"), "1", symbol=ES),
    "risk in money: 500 over a stop 5 away": Row(buy(500, "risk_cash", stop_loss=95), "100"),
    "risk in percent: 1,000 over a stop 5 away": Row(buy(1, "risk_percent", stop_loss=95), "200"),
    "risk counts from the limit":
        Row(buy(500, "risk_cash", stop_loss=85, order_type="limit", limit_price=90), "100"),
    "a stop in percent": Row(buy(500, "risk_cash", stop_loss={"percent": 5}), "100"),
    "ES by risk: 20 points lose 1,000": Row(buy(2000, "risk_cash", stop_loss=5980), "2", symbol=ES),
    "ES is never rounded up: 1.9 are 1": Row(buy(1900, "risk_cash", stop_loss=5980), "1", symbol=ES),
    "ES too far a stop is none, and the answer says why":
        Row(buy(1, "risk_percent", stop_loss=5970), "0", "QUANTITY_TOO_SMALL",
            "1000 USD at risk, and a stop 30 away loses 1500 USD each", symbol=ES),
    "risk without a stop": Row(buy(1, "risk_percent"), "0", "STOP_REQUIRED", "needs a stop loss"),
    "a stop on the price risks nothing": Row(buy(1, "risk_cash", stop_loss=100), "0", "STOP_SIDE"),
    "16.3 risk in yen on a dollar account":
        Row(buy(100, "risk_cash", stop_loss=149), "15000", symbol="USDJPY"),
    "16.3 risk that cannot be converted":
        Row(buy(100, "risk_cash", stop_loss=199), "0", "CURRENCY_UNKNOWN", symbol="GBPJPY"),
    "16.3 equity in euro of what is quoted in dollars":
        Row(buy(1, "percent_of_equity"), "0", "CURRENCY_UNKNOWN", strategy="euro", account="euro"),
    "the default where the alert says nothing": Row(buy(), "3", strategy="fixed"),
    "the alert's own goes before the default": Row(buy(2), "2", strategy="fixed"),
    "a default in cash": Row(buy(), "10", strategy="cash"),
    "an override is said": Row(buy(7), "100", says="quantity 7 was not used", strategy="equity"),
    "an override by risk with the default stop": Row(buy(7), "200", strategy="risk"),
    "an override by risk with the alert's own stop": Row(buy(7, stop_loss=90), "100", strategy="risk"),
    "a default by risk without a stop": Row(buy(), "0", "STOP_REQUIRED", strategy="money"),
    "percent of a position that there is not": Row(buy(1), "0", "NO_QUANTITY", strategy="more"),
    "a stop is required": Row(buy(1), "0", "STOP_REQUIRED", "Add stop_loss", strategy="guarded"),
    "a stop is there": Row(buy(1, stop_loss=95), "1", strategy="guarded"),
    "the default is one": Row(buy(1), "1", strategy="covered"),
}  # fmt: skip


@pytest.fixture
def bench(tmp_path):
    """Give a desk on the simulator."""
    return DeskBench(tmp_path, CONFIG)


def send(bench: DeskBench, strategy: str, symbol: str = PERP, **alert: Any) -> dict[str, Any]:
    """Send an alert at the symbol's price."""
    return bench.send(symbol=symbol, strategy=strategy, **{"price": PRICE[symbol], **alert})


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE.keys())
def test_how_much_is_opened(bench, row):
    """The size, the code, and what is said of it."""
    answer = send(bench, row.strategy, row.symbol, **row.alert)
    working = sum(
        Decimal(each["quantity"] or 0) for each in answer["orders"] if each["status"] == "accepted"
    )
    found = bench.held(row.strategy, row.symbol, row.account) + working
    assert (found, answer["code"]) == (Decimal(row.opens), row.code), answer
    assert row.says in " ".join([*answer["warnings"], answer["message"]]), answer


def test_equity_counts_what_is_open(bench):
    """A thousand earned and not closed: ten percent are a hundred more."""
    send(bench, "plain", **buy(100))
    send(bench, "plain", symbol="AAPL", **buy(1))
    bench.send(symbol=PERP, strategy="plain", action="cancel", price=110)
    answer = send(bench, "plain", price=110, **buy(10, "percent_of_equity"))
    assert Decimal(answer["orders"][0]["quantity"]) == Decimal("91.81818181")


def test_the_multiplier_of_a_fan_out_comes_last(bench):
    """Each account by its own equity, times its number."""
    answer = send(bench, "fan", **buy(10, "percent_of_equity"))
    sizes = {each["account"]: Decimal(each["filled_quantity"]) for each in answer["orders"]}
    assert sizes == {"sim": 100, "small": Decimal("0.5")}


def test_an_override_says_how_much_opens_and_never_how_much_closes(bench):
    """A part is sold as the alert says; a reversal closes all and opens by the strategy's size."""
    send(bench, "equity", **buy(2))
    send(bench, "equity", action="sell", quantity=1, position_size=1, market_position="long")
    assert bench.held("equity", PERP, "sim") == 50
    send(bench, "equity", action="sell", quantity=2, position_size=-1, market_position="short")
    assert bench.held("equity", PERP, "sim") == -100
    send(bench, "equity", action="close")
    assert bench.held("equity", PERP, "sim") == 0


def test_a_size_by_money_turns_a_position_only_where_the_new_side_is_stated(bench):
    """Else nobody knows how much of it was meant; what closes takes no such size."""
    send(bench, "plain", **buy(4))
    meant = {"quantity": 1, "quantity_type": "percent_of_equity"}
    assert send(bench, "plain", action="sell", **meant)["code"] == "UNSUPPORTED"
    assert send(bench, "plain", action="close", **meant)["code"] == "UNSUPPORTED"
    assert bench.held("plain", PERP, "sim") == 4
    answer = send(bench, "plain", action="sell", market_position="short", **meant)
    assert bench.held("plain", PERP, "sim") == -10, answer


def test_what_adds_to_a_position_leaves_the_levels_that_stand(bench):
    """The defaults are for what has none; a reversal gets them again."""

    def position():
        return bench.desk.state.books[("sim", True, PERP)].position("covered")

    send(bench, "covered", **buy(1, stop_loss=80))
    assert position().stop_loss.price == 80
    send(bench, "covered", **buy(1))
    assert position().stop_loss.price == 80
    assert position().take_profit.price == 110
    send(bench, "covered", action="sell", quantity=4, position_size=-2, market_position="short")
    assert (position().stop_loss.price, position().take_profit.price) == (105, 90)


def test_without_a_stop_a_reversal_closes_and_opens_nothing(bench):
    """The closing part goes, the opening part is denied by name."""
    send(bench, "guarded", **buy(1, stop_loss=95))
    answer = send(
        bench, "guarded", action="sell", quantity=2, position_size=-1, market_position="short"
    )
    assert bench.held("guarded", PERP, "sim") == 0
    assert (answer["code"], [each["status"] for each in answer["orders"]]) == (
        "STOP_REQUIRED",
        ["filled", "denied"],
    )
