"""A position that was held for `max_holding` is closed, whatever happened in between."""

from __future__ import annotations

import pytest

from tests.support.fakes import DeskBench

PAPER = """
default_account: sim
accounts: {sim: {broker: paper, fee_bp: 0, cash: 1000000}}
strategies: {s: {max_holding: 15m}, t: {}}
"""
PERP = "BTCUSDT.P"


@pytest.fixture
def bench(tmp_path):
    """Give a desk with a strategy that holds for a quarter of an hour at most."""
    return DeskBench(tmp_path, PAPER)


def buy(bench, strategy="s", **more):
    """Buy one at 100."""
    alert = {"action": "buy", "symbol": PERP, "quantity": 1, "price": 100, "strategy": strategy}
    return bench.send(**{**alert, **more})


def test_it_is_closed_when_the_time_is_over_and_not_before(bench):
    """What another strategy holds stays; the trade says why it ended."""
    buy(bench)
    buy(bench, "t")
    bench.tick(14 * 60)
    assert bench.held("s", PERP, "sim") == 1
    bench.restart()
    bench.tick(70)
    assert (bench.held("s", PERP, "sim"), bench.held("t", PERP, "sim")) == (0, 1)
    with bench.store.reader() as reader:
        [row] = reader.load_trades(10)
    assert row.closed_by == "time"


def test_it_counts_from_the_opening_and_not_from_what_is_added(bench):
    """A scale-in gives no more time; a new position does."""
    buy(bench)
    bench.tick(10 * 60)
    buy(bench, price=101)
    bench.tick(6 * 60)
    assert bench.held("s", PERP, "sim") == 0
    buy(bench, price=102)
    bench.tick(10 * 60)
    assert bench.held("s", PERP, "sim") == 1


def test_a_reversal_begins_a_position_of_its_own(bench):
    """Its time counts from the turn."""
    buy(bench)
    bench.tick(10 * 60)
    bench.send(action="reverse", symbol=PERP, price=100, strategy="s")
    bench.tick(6 * 60)
    assert bench.held("s", PERP, "sim") == -1
    bench.tick(10 * 60)
    assert bench.held("s", PERP, "sim") == 0
