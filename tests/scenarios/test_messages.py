"""What is said: what happened, where, and what to do next."""

from __future__ import annotations

import pytest

from desk.venue.prices import Priced
from tests.support.fakes import DeskBench
from tests.support.running import receivers

BY_ALERTS = "only prices that alerts bring for"


@pytest.fixture
def start(tmp_path):
    """Start receivers."""
    with receivers(tmp_path) as found:
        yield found


def test_a_symbol_of_another_market_names_strategy_account_and_remedy(start):
    """The sender sees whose alert went where, and two ways out."""
    receiver = start(
        "accounts: {paper_simulator: {broker: paper}, spot: {broker: paper, market: spot}}\n"
        "strategies: {trend: {account: spot}}\n"
    )
    answer = receiver.buy("BTCUSDT.P", strategy="trend").get_json()
    assert (answer["status"], answer["code"]) == ("denied", "MARKET_MISMATCH")
    said = answer["message"]
    assert "trend sent BTCUSDT.P to spot (market: spot)" in said
    assert "account_group" in said
    assert "strategies.trend.account" in said
    assert "accounts.spot.symbols" in said


def test_a_validation_without_a_price_says_that_the_order_waits_for_one(start):
    """It would not fill as it is."""
    receiver = start()
    alert = {"action": "buy", "symbol": "BTCUSDT", "quantity": 1}
    said = receiver.send("/webhook/validate", **alert).get_json()["message"]
    assert "waits for a price" in said
    assert "Add price to the alert" in said
    assert (
        "waits" not in receiver.send("/webhook/validate", **alert, price=100).get_json()["message"]
    )


@pytest.mark.parametrize(
    ("levels", "named"),
    [
        ({"stop_loss": 90}, "stop_loss on paper"),
        ({"take_profit": 120}, "take_profit on paper"),
        ({"stop_loss": 90, "take_profit": 120}, "stop_loss and take_profit on paper"),
    ],
)
def test_levels_that_only_alerts_can_trigger_are_said_to_be_so(start, levels, named):
    """In the answer, in a validation, and beside the position."""
    receiver = start()
    for path in ("/webhook/validate", "/webhook"):
        warnings = receiver.buy(path=path, **levels).get_json()["warnings"]
        [warning] = [each for each in warnings if BY_ALERTS in each]
        assert warning.startswith(named)
    [row] = receiver.get("/positions")["positions"]
    assert row["triggered_by"] == "prices of alerts"


def test_without_levels_nothing_is_said_of_prices(start):
    """Nor by a close."""
    receiver = start()
    answers = [receiver.buy(), receiver.send(action="close", symbol="BTCUSDT", price=100)]
    assert not any(BY_ALERTS in str(each.get_json()["warnings"]) for each in answers)
    receiver.buy()
    assert receiver.get("/positions")["positions"][0]["triggered_by"] is None


def test_levels_that_live_prices_reach_need_no_word(tmp_path):
    """Until nobody tells the price any more; a future has no live price here at all."""
    bench = DeskBench(tmp_path)
    feed = bench.desk._feed
    feed._ask, feed._start = (lambda _: None), (lambda _, __: None)

    def says(symbol):
        buy = {"action": "buy", "quantity": 1, "price": 100, "stop_loss": 90}
        answer = bench.send(symbol=symbol, **buy)
        [row] = [each for each in bench.positions() if each["instrument"] == symbol]
        return BY_ALERTS in str(answer["warnings"]), row["triggered_by"]

    assert says("BTCUSDT") == (False, "live prices")
    assert says("MES1!") == (True, "prices of alerts")
    feed.learn(Priced("BTCUSDT", None), bench.clock())
    assert says("BTCUSDT") == (True, "prices of alerts")


def test_a_stop_at_a_venue_is_the_venues(make_venue_bench):
    """Its own prices trigger it."""
    bench = make_venue_bench()
    answer = bench.buy("1", stop_loss="90")
    assert not [each for each in answer["warnings"] if BY_ALERTS in each]
    [row] = bench.rows()
    assert row["triggered_by"] == "venue"
