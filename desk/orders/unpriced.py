"""Judge the levels of an entry that came before any price was known (rules 4.4)."""

from __future__ import annotations

from decimal import Decimal

from desk.orders.apply import settle
from desk.orders.believed_prices import find_far_level
from desk.orders.evolve import evolve
from desk.orders.fills import executed
from desk.orders.order import ENTRY
from desk.orders.position_book import PositionBook


def judge_levels(book: PositionBook, price: Decimal, now: int) -> PositionBook:
    """Return the book after a first price was seen: an entry whose levels are far from it is denied.

    Rules 4.4: what could not be judged when its alert came is judged before anything is filled.
    """
    for order in book.open_orders(None, ENTRY):
        if not order.unpriced:
            continue
        levels = (order.limit_price, order.stop_price, order.named_levels)
        far = find_far_level(*levels, known=price, instrument=book.instrument)
        if far is None:
            book = book.with_order(evolve(order, unpriced=False))
            book = book.with_position(executed(book.position(order.strategy), order))
            continue
        denied = evolve(order, status="denied", code="LEVEL_FAR", message=far, unpriced=False)
        book = book.with_order(denied).with_notice("order_denied", far, order.cause.alert_id)
        book = settle(book, order.strategy, now)
    return book
