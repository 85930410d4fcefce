"""Move the deadlines of a book along with a clock that was set."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from desk.orders.evolve import evolve
from desk.orders.order import Order
from desk.orders.position_book import PositionBook
from desk.orders.strategy_position import StrategyPosition


def shift(book: PositionBook, step: int) -> PositionBook:
    """Return a book whose deadlines and pauses last as long as before the clock was set by `step`."""
    for position in book.positions.values():
        book = book.knowing(_shift_position(position, step))
    return evolve(
        book,
        orders={cid: _shift_order(order, step) for cid, order in book.orders.items()},
        venue_position=replace(
            book.venue_position,
            read_at=_add(book.venue_position.read_at, step),
            requested_at=_add(book.venue_position.requested_at, step),
        ),
        acted_at=_add(book.acted_at, step),
    )


def _shift_order(order: Order, step: int) -> Order:
    return evolve(
        order,
        sent_at=_add(order.sent_at, step),
        next_action_at=_add(order.next_action_at, step),
        expires_at=_add(order.expires_at, step),
        submit_by=_add(order.submit_by, step),
    )


def _shift_position(position: StrategyPosition, step: int) -> StrategyPosition:
    retries = {
        name: evolve(each, retry_at=each.retry_at + step) for name, each in position.retries.items()
    }
    return evolve(
        position,
        retries=retries,
        unprotected_since=_add(position.unprotected_since, step),
        exit_requested_at=_add(position.exit_requested_at, step),
    )


Moment = TypeVar("Moment", int, int | None)


def _add(moment: Moment, step: int) -> Moment:
    """Move a moment; none, and the 0 that stands for none, stay."""
    return moment + step if moment else moment
