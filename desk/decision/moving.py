"""Carry out an alert that moves the stop of what is held: it trades and cancels nothing.

What is wished here is pursued like every stop. A level on the wrong side of the price changes nothing. Pure.
"""

from __future__ import annotations

from desk.decision.context import DecisionContext
from desk.decision.denial import Denial
from desk.formats import write_number
from desk.orders.evolve import evolve
from desk.orders.moving_stop import find_break_even, tighten_stop
from desk.orders.order import NO_ALERT, AlertRef
from desk.orders.position_book import PositionBook
from desk.orders.strategy_position import StrategyPosition
from parsers.alert import Alert

NOTHING_TO_MOVE = "NOTHING_TO_MOVE"

Moved = tuple[StrategyPosition, Denial | None, str | None, str]
"""The position as it is then, why it may not be, the code where there is nothing to do, and a sentence."""


def move_to_break_even(
    book: PositionBook, alert: Alert, cause: AlertRef, context: DecisionContext
) -> Moved:
    """Return the position with its stop at break-even, unless it stands there or nearer to profit."""
    position, symbol = book.position(context.strategy), book.instrument.symbol
    if position.projected_quantity == 0:
        text = f"{context.strategy} holds no {symbol} on {book.account}: there is no stop to move."
        return position, None, NOTHING_TO_MOVE, text
    if context.times.expired:
        return position, Denial("EXPIRED", context.times.expired), None, ""
    is_long = position.quantity > 0
    level = find_break_even(position, book.instrument.tick, alert.breakeven_offset)
    price = context.price
    if price is None:
        text = f"The price of {symbol} is not known: on which side of it would the stop be?"
        return position, Denial("PRICE_UNKNOWN", f"{text} Add price."), None, ""
    if level >= price if is_long else level <= price:
        where, side = ("below", "long") if is_long else ("above", "short")
        text = (
            f"A stop at {write_number(level)} must be {where} the price {write_number(price)} for a {side} "
            f"position of {symbol}. Nothing was changed."
        )
        return position, Denial("STOP_SIDE", text), None, ""
    moved = tighten_stop(position, level)
    if moved is position and position.stop_loss is not None:
        at = write_number(position.stop_loss.price)
        text = (
            f"The stop of {symbol} on {book.account} stands at {at} already: it is never loosened."
        )
        return position, None, NOTHING_TO_MOVE, text
    if moved.protection_cause is NO_ALERT:
        moved = evolve(moved, protection_cause=cause)
    text = f"The stop of {symbol} on {book.account} moves to {write_number(level)}."
    return moved, None, None, text
