"""What holds after any sequence of alerts on paper, against sums made from the record alone."""

from __future__ import annotations

import random
from collections import defaultdict
from decimal import Decimal

import pytest

from tests.support.fakes import DeskBench

CONFIG = """
accounts:
  one: {broker: paper, cash: 10000000}
  two: {broker: paper, cash: 10000000}
default_account: one
webhook: {rate_limit: 100000/minute}
risk: {max_orders_per_minute: null, max_orders_per_day: null, max_repeats: null}
strategies:
  both: {accounts: {one: 1, two: 0.5}}
  synced: {account: two, sync: position}
"""
SYMBOLS = ("BTCUSDT", "BTCUSDT.P", "MES1!", "AAPL")
START_CASH = Decimal(10_000_000)


def _send_one(bench: DeskBench, chance: random.Random) -> None:
    price = chance.randint(90, 110)
    alert: dict[str, object] = {
        "action": chance.choice(["buy", "buy", "sell", "sell", "close", "cancel"]),
        "symbol": chance.choice(SYMBOLS),
        "strategy": chance.choice(["both", "synced", "free", "other"]),
        "price": price,
    }
    if alert["action"] in ("buy", "sell"):
        alert["quantity"] = chance.randint(1, 6)
        up = 1 if alert["action"] == "buy" else -1
        if chance.random() < 0.4:
            alert["stop_loss"] = price - up * chance.randint(1, 9)
        if chance.random() < 0.4:
            alert["take_profit"] = price + up * chance.randint(1, 9)
        if chance.random() < 0.2:
            alert |= {"order_type": "limit", "limit_price": price - up}
    if chance.random() < 0.3:
        alert["position_size"] = chance.randint(-5, 5)
        if alert["action"] == "cancel":
            del alert["position_size"]
    bench.send(**alert)


def _check(bench: DeskBench) -> None:
    held: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    cash: dict[str, Decimal] = defaultdict(lambda: START_CASH)
    rows = bench.store._db.execute(
        "SELECT account, instrument, strategy, side, quantity, price, fee FROM fills"
    ).fetchall()
    for account, instrument, strategy, side, quantity, price, fee in rows:
        signed = Decimal(quantity) if side == "buy" else -Decimal(quantity)
        held[account, instrument, strategy] += signed
        if instrument in ("BTCUSDT", "AAPL"):
            cash[account] -= signed * Decimal(price) + Decimal(fee)
    for row in bench.positions():
        _check_row(row, held)
    shown = {(r["account"], r["instrument"], r["strategy"]) for r in bench.positions()}
    assert all(quantity == 0 for key, quantity in held.items() if key not in shown)
    spot_only = {"one", "two"} - {a for a, i, *_ in rows if i not in ("BTCUSDT", "AAPL")}
    for account in spot_only:
        assert START_CASH + bench.desk.state.cash.get(account, Decimal(0)) == cash[account]


def _check_row(row: dict, held: dict) -> None:
    quantity = Decimal(row["quantity"])
    assert quantity == held[row["account"], row["instrument"], row["strategy"]]
    assert sum((Decimal(lot["quantity"]) for lot in row["lots"]), Decimal(0)) == abs(quantity)
    if row["instrument"] in ("BTCUSDT", "AAPL"):
        assert quantity >= 0
    for order in row["orders"]:
        size = Decimal(order["quantity"])
        if order["kind"] in ("stop_loss", "take_profit"):
            assert size == abs(quantity)
        elif order["kind"] == "exit":
            assert size <= abs(quantity)
    assert row["protected"] in (None, True)


@pytest.mark.parametrize("seed", range(25))
def test_shares_lots_protection_and_cash_agree_with_the_fills(make_bench, seed):
    """After every alert: shares are sums of fills, stops cover exactly the share, cash adds up."""
    bench, chance = make_bench(CONFIG), random.Random(seed)
    for _ in range(25):
        _send_one(bench, chance)
        _check(bench)
        bench.tick(chance.choice([0.5, 5, 400]))


@pytest.mark.parametrize("seed", range(100, 110))
def test_a_restart_changes_nothing_that_is_shown(make_bench, seed):
    """Positions, orders, closed trades, cash and history are the same after the state was read again."""
    bench, chance = make_bench(CONFIG), random.Random(seed)
    for _ in range(25):
        _send_one(bench, chance)
    before = bench.positions(), bench.closed(), dict(bench.desk.state.cash)
    history = {key: row.text for key, row in bench.desk.state.history.items()}
    bench.restart()
    assert (bench.positions(), bench.closed(), dict(bench.desk.state.cash)) == before
    assert {key: row.text for key, row in bench.desk.state.history.items()} == history
