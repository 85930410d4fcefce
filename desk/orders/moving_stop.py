"""Move a stop on the desk's own account: it follows the position to its profit and is never loosened.

A stop is a wish, so to move it is to wish for another level; `plan` replaces what stands (rules 7.1). After
a target, at a word of an alert, or behind the best price: whoever knows a better level calls `tighten_stop`.
"""

from __future__ import annotations

from decimal import Decimal

from desk.orders.evolve import evolve
from desk.orders.order import STOP_LOSS
from desk.orders.rounding import find_distance, place_level
from desk.orders.strategy_position import ProtectiveLevel, StrategyPosition
from parsers.alert import Level

BREAK_EVEN, PREVIOUS_TARGET = "break_even", "previous_target"


def tighten_stop(position: StrategyPosition, price: Decimal) -> StrategyPosition:
    """Return the position with its stop at `price`, unless one stands there or nearer to profit."""
    stop, way = position.stop_loss, 1 if position.quantity > 0 else -1
    if position.quantity == 0 or (stop is not None and (price - stop.price) * way <= 0):
        return position
    limit = None
    if stop is not None and stop.limit_price is not None:
        limit = stop.limit_price + price - stop.price  # a stop-limit keeps its distance
    moved = ProtectiveLevel(price, limit)
    return evolve(position, stop_loss=moved, is_stop_moved=True).reset_retries(STOP_LOSS)


def find_break_even(
    position: StrategyPosition, tick: Decimal | None, offset: Level | None = None
) -> Decimal:
    """Return the average entry, `offset` further on the side of profit, rounded as a stop is."""
    side, way = ("buy", 1) if position.quantity > 0 else ("sell", -1)
    average = position.ledger.average_price
    price = average if offset is None else average + way * find_distance(offset, average, tick)
    return place_level(Level(price=price), average, side, STOP_LOSS, tick).price


def move_after_target(
    position: StrategyPosition, part: int, tick: Decimal | None
) -> StrategyPosition:
    """Return the position once a target was reached: its stop where `move_stop` says, never looser."""
    done = [each for each in position.targets if each.is_done]
    if position.move_stop is None or not any(each.part == part for each in done):
        return position
    price = find_break_even(position, tick)
    if position.move_stop == PREVIOUS_TARGET and len(done) > 1:
        way = 1 if position.quantity > 0 else -1
        price = sorted((each.price * way for each in done), reverse=True)[1] * way
    return tighten_stop(position, price)
