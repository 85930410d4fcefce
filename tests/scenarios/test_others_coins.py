"""What strategies hold pays for nothing else: an entry is never paid with coins of a share (rules 3.9)."""

from __future__ import annotations

from decimal import Decimal

import pytest

CROSS = "XRPBTC"


@pytest.fixture
def bench(make_venue_bench):
    """Give a spot account on which `s` holds one BTC, and half a BTC is nobody's."""
    bench = make_venue_bench("locked")
    bench.venue.list_cross(Decimal("0.5"))
    bench.buy("1")
    bench.tick(12)  # what is held beyond the shares was read
    return bench


def pay(bench, quantity, **more):
    """Buy with BTC, one for one."""
    alert = {"strategy": "t", "symbol": CROSS, "price": "1", **more}
    return bench.buy(quantity, **alert)


@pytest.mark.parametrize("strategy", ["t", "s"])
def test_3_9_an_entry_never_spends_the_coins_of_a_share(bench, strategy):
    """Neither another strategy's nor its own: the share stays what it was, and the answer says why."""
    answer = pay(bench, "0.6", strategy=strategy)
    assert (answer["code"], answer["http"]) == ("INSUFFICIENT_BALANCE", 422)
    assert "0.6 BTC is needed and 0.5 belongs to no strategy" in answer["message"]
    assert bench.at_venue() == Decimal("1.5")
    bench.send(action="close")
    assert bench.at_venue() == Decimal("0.5")


def test_3_9_what_belongs_to_no_strategy_may_be_spent_once(bench):
    """Also before a read shows that it is gone, and what a working entry will cost counts."""
    assert pay(bench, "0.4")["status"] == "filled"
    assert pay(bench, "0.2")["code"] == "INSUFFICIENT_BALANCE"
    bench.tick(12)
    resting = {"order_type": "limit", "limit_price": "0.5", "time_in_force": "gtc"}
    assert pay(bench, "0.1", **resting)["status"] == "accepted"
    assert pay(bench, "0.08", strategy="p")["code"] == "INSUFFICIENT_BALANCE"
    assert pay(bench, "0.04", strategy="p")["status"] == "filled"


def test_3_9_what_was_paid_stays_paid_while_an_order_for_the_coin_is_young(bench):
    """A read in those seconds compares nothing of the coin: it shows neither what is held nor what went."""
    bench.buy("0.1", strategy="p")
    assert pay(bench, "0.4")["status"] == "filled"
    bench.tick(4)
    assert pay(bench, "0.2")["code"] == "INSUFFICIENT_BALANCE"
    bench.tick(15)
    assert pay(bench, "0.2")["code"] == "INSUFFICIENT_BALANCE"
    assert pay(bench, "0.09")["status"] == "filled"


def test_3_9_an_entry_is_not_held_back_where_nobody_holds_the_coin(make_venue_bench):
    """Then the coin is cash, and whether it is enough is the venue's to say."""
    bench = make_venue_bench("locked")
    bench.venue.list_cross(Decimal(1))
    assert pay(bench, "0.9")["status"] == "filled"


def test_3_9_on_paper_a_coin_is_never_cash(make_bench):
    """What was bought has left the account's cash: another strategy pays with what is left, in dollars."""
    bench = make_bench("accounts: {paper_simulator: {broker: paper, cash: 1000, fee_bp: 0}}")
    alert = {"action": "buy", "price": 100}
    bench.send(strategy="a", symbol="BTCUSDT", quantity=9, **alert)
    assert (
        bench.send(strategy="b", symbol="ETHBTC", quantity=1, **alert)["code"] == "CURRENCY_UNKNOWN"
    )
    assert (
        bench.send(strategy="b", symbol="ETHUSDT", quantity=2, **alert)["code"]
        == "INSUFFICIENT_CASH"
    )
    assert bench.send(strategy="b", symbol="ETHUSDT", quantity=1, **alert)["status"] == "filled"
    assert bench.held("a", "BTCUSDT") == 9
    assert bench.desk.state.free_cash("paper_simulator") == 0
