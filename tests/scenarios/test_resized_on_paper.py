"""Stops and targets on paper that follow the size of their position stay the orders they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.fakes import DeskBench

PERP = {"symbol": "BTCUSDT.P"}


@pytest.fixture
def bench(tmp_path: Path) -> DeskBench:
    """Give a desk on paper."""
    return DeskBench(tmp_path, "webhook: {rate_limit: 1000/minute}\n")


def send(bench: DeskBench, action: str, quantity: int, price: int, **more: Any) -> dict[str, Any]:
    """Send an order."""
    return bench.send(action=action, quantity=quantity, price=price, **PERP, **more)


@pytest.mark.parametrize(("second", "held"), [(("buy", 1), "3"), (("sell", 1), "1")])
def test_a_target_at_the_very_price_is_not_filled_because_its_position_has_changed(
    bench: DeskBench, second: tuple[str, int], held: str
) -> None:
    """Rules 12.2: traded through, at its level. Placed anew it was reached on arrival, and filled."""
    send(bench, "buy", 2, 100, take_profit=110, stop_loss=90)
    send(bench, *second, 110)
    (row,) = bench.positions()
    assert (row["quantity"], row["take_profit"]) == (held, "110")
    send(bench, "buy", 1, 111, strategy="other")
    assert [row["strategy"] for row in bench.positions()] == ["other"]


def test_a_resized_leg_is_the_same_order(bench: DeskBench) -> None:
    """One stop and one target from the first fill to the last."""
    send(bench, "buy", 2, 100, take_profit=110, stop_loss=90)
    (before,) = bench.desk.state.books.values()
    send(bench, "buy", 3, 101)
    send(bench, "sell", 1, 102)
    (book,) = bench.desk.state.books.values()
    legs = {order.kind: order for order in book.open_orders()}
    assert {kind: order.quantity for kind, order in legs.items()} == {
        "stop_loss": 4,
        "take_profit": 4,
    }
    assert set(book.orders) == set(before.orders)
