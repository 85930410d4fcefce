"""Say what a broker is asked for one order."""

from __future__ import annotations

from brokers.protocol import OrderRequest
from desk.orders.order import ENTRY, Order
from desk.orders.position_book import PositionBook


def request_of(order: Order, book: PositionBook) -> OrderRequest:
    """Return what a broker is asked for one order."""
    return OrderRequest(
        client_id=order.client_id,
        instrument=book.instrument,
        side=order.side,
        quantity=order.quantity,
        order_type=order.order_type,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        reduces=order.kind != ENTRY,
        quote_quantity=order.quote_quantity,
        legs=tuple(request_of(leg, book) for leg in order.legs),
        parent_id=order.parent_id,
        amended_from=order.amended_from,
    )
