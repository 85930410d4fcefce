"""What is booked where a venue tells what has filled and not at which price."""

from __future__ import annotations

from decimal import Decimal

import pytest

from brokers.protocol import Fill, Instrument, OrderReport
from desk.orders.fills import take_fills
from desk.orders.order import ENTRY, NO_ALERT, Order
from desk.orders.position_book import PositionBook

D = Decimal
ONE = Fill("f-1", "o-1", "buy", D(1), D(100), D(0), "USD", 1)


@pytest.mark.parametrize(
    ("fills", "limit", "price"), [((ONE,), None, 100), ((), D(98), 98), ((ONE,), D(98), 100)]
)
def test_a_fill_without_a_price_is_not_booked_at_zero(fills, limit, price):
    """Its stop and target count from it, and its result does."""
    kind = "market" if limit is None else "limit"
    order = Order("o-1", NO_ALERT, "s", ENTRY, "buy", D(2), kind, limit_price=limit)
    book = PositionBook("a", False, Instrument("MESZ6", "futures")).with_order(order)
    report = OrderReport("o-1", "filled", None, D(2), None, fills)
    taken = take_fills(book, order, report)
    assert taken.position("s").quantity == 2
    assert taken.position("s").ledger.average_price == price
