"""Paper trades at live prices: told by a stand-in for Binance, never waited for longer than half a second."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest

import webhook_server
from tests.support.running import GUARDED, await_true, find_port, receivers
from tests.support.stand_in.binance_spot import StandIn

LIVE = {**GUARDED, "PRICES": "live"}
PRICE = "/api/v3/ticker/price"


@pytest.fixture
def venue():
    """Give a venue that tells prices."""
    with StandIn() as found:
        yield found


@pytest.fixture
def receiver(tmp_path, venue):
    """Give a receiver whose paper account takes its prices there."""
    with receivers(tmp_path) as start:
        yield start(configure(venue.url), LIVE)


def configure(url):
    """Return a configuration whose prices come from a url."""
    return f"accounts: {{paper_simulator: {{broker: paper, base_url: '{url}'}}}}\n"


def buy(receiver, **fields):
    """Buy a tenth of a bitcoin and return the answer."""
    alert = {"action": "buy", "symbol": "BTCUSDT", "quantity": "0.1", **fields}
    return receiver.send(**alert).get_json()


def test_a_market_order_without_a_price_fills_at_the_live_one(receiver):
    """The answer waits for it."""
    answer = buy(receiver)
    assert (answer["status"], answer["orders"][0]["average_price"]) == ("filled", "50000")


def test_the_price_of_the_alert_comes_first(receiver, venue):
    """What the alert says is what it meant; nobody is asked."""
    answer = buy(receiver, price="49000")
    assert answer["orders"][0]["average_price"] == "49000"
    assert venue.sent("GET", PRICE) == []


def test_a_close_without_a_price_leaves_at_the_live_one(receiver, venue):
    """Not at the last price that an alert happened to bring."""
    buy(receiver, price="49000")
    venue.set_price("BTCUSDT", 51000)
    answer = receiver.send(action="close", symbol="BTCUSDT").get_json()
    assert answer["orders"][0]["average_price"] == "51000"


def test_resting_orders_meet_live_prices_and_are_judged_exactly(receiver, venue):
    """A stop fills when the market passes it, without any further alert."""
    buy(receiver, stop_loss="48000", take_profit="55000")
    venue.set_price("BTCUSDT", 47900)
    await_true(lambda: receiver.get("/positions")["closed"], 10)
    trade = receiver.get("/positions")["closed"][0]
    assert (trade["closed_by"], trade["exit_price"]) == ("stop_loss", "47900")
    assert trade["approximate"] is False


def test_nobody_is_asked_while_nothing_rests(receiver, venue):
    """A share without a stop needs no price."""
    buy(receiver, price="49000")
    time.sleep(0.3)
    assert venue.sent("GET", PRICE) == []


def test_an_unknown_symbol_waits_for_a_price_as_ever(receiver):
    """Binance does not know it, so the answer says what to add."""
    answer = buy(receiver, symbol="XYZUSDT")
    assert answer["status"] == "accepted"
    assert "add price" in answer["message"]


@pytest.mark.parametrize("fault", ["refused", "silent"])
def test_a_venue_that_cannot_be_reached_delays_once_and_not_for_long(tmp_path, venue, fault):
    """Half a second at most, and for a minute nobody asks again."""
    url = f"http://127.0.0.1:{find_port()}" if fault == "refused" else venue.url
    venue.latency_seconds = 5.0
    with receivers(tmp_path) as start:
        receiver = start(configure(url), LIVE)
        for most in (1.2, 0.4):
            began = time.monotonic()
            assert buy(receiver)["status"] == "accepted"
            assert time.monotonic() - began < most
        assert buy(receiver, price="100")["orders"][0]["average_price"] == "100"
    venue.latency_seconds = 0.0


def test_a_name_that_is_not_resolved_in_time_delays_no_longer(tmp_path, monkeypatch):
    """Looking up an address cannot be interrupted; the alert goes on without it."""

    def hang(symbol, base_url, venues):
        time.sleep(4)

    monkeypatch.setattr(webhook_server, "public_price", hang)
    with receivers(tmp_path) as start:
        receiver = start("", LIVE)
        began = time.monotonic()
        assert buy(receiver)["status"] == "accepted"
        assert time.monotonic() - began < 1.5


def test_a_symbol_that_binance_does_not_trade_is_never_asked_for(receiver, venue):
    """A future and a share have other venues; a perpetual is never priced as the pair of its name."""
    for symbol in ("MES1!", "AAPL", "BTCUSDT.P"):
        buy(receiver, symbol=symbol, quantity="1", price="10")
        buy(receiver, symbol=symbol, quantity="1")
    assert venue.sent("GET", PRICE) == []
    held = receiver.held()
    assert held[("default", "AAPL")] == Decimal(2)
