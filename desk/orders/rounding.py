"""Put quantities and prices on an instrument's steps.

Opening quantities are rounded down, reducing ones up; stops away from the price, targets towards it
(rules 5.5).
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

from brokers.protocol import Instrument
from desk.orders.order import STOP_LOSS
from desk.orders.strategy_position import ProtectiveLevel
from parsers.alert import Level

ZERO = Decimal(0)
HUNDRED = Decimal(100)
NOISE = Decimal("1e-15")
"""A part of a step so small that only a division has left it."""


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """Round down to a multiple of `step`."""
    return _count_steps(value, step).to_integral_value(ROUND_FLOOR) * step


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """Round up to a multiple of `step`."""
    return _count_steps(value, step).to_integral_value(ROUND_CEILING) * step


def _count_steps(value: Decimal, step: Decimal) -> Decimal:
    """Return how many steps a value is, without the noise of its 28th digit.

    A share of an order is a quotient: 0.041 x (0.009 / 0.041) is a hair above 0.009, and a hair is no step.
    """
    count = value / step
    nearest = count.to_integral_value(ROUND_HALF_EVEN)
    return nearest if abs(count - nearest) < NOISE else count


def nearest_to(value: Decimal, tick: Decimal | None) -> Decimal:
    """Round a limit price to the nearest tick."""
    return value if not tick else (value / tick).to_integral_value(ROUND_HALF_EVEN) * tick


def place_level(
    level: Level, base: Decimal, side: str, kind: str, tick: Decimal | None
) -> ProtectiveLevel:
    """Turn a stop loss or take profit of an entry on `side` into prices; relative ones count from `base`."""
    below = (side == "buy") == (kind == STOP_LOSS)
    if level.price is not None:
        price = level.price
    else:
        away = find_distance(level, base, tick)
        price = base - away if below else base + away
    if tick:
        # A stop away from the price and a target towards it are the same direction on one side.
        price = floor_to(price, tick) if side == "buy" else ceil_to(price, tick)
    limit = nearest_to(level.limit_price, tick) if level.limit_price is not None else None
    return ProtectiveLevel(price, limit)


def find_distance(level: Level, base: Decimal, tick: Decimal | None) -> Decimal:
    """Return how far from `base` a level stands that is none by itself; zero where it says nothing."""
    if level.amount is not None:
        return level.amount
    if level.ticks is not None:
        return level.ticks * (tick or ZERO)
    return base * (level.percent or ZERO) / HUNDRED


def fits(quantity: Decimal, instrument: Instrument) -> Decimal:
    """Return an opening quantity on the instrument's step, zero where it is below the smallest order."""
    floored = floor_to(quantity, instrument.step)
    return floored if floored >= instrument.min_quantity else ZERO
