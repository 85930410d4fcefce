"""Say how much: quantities and levels on an instrument's steps.

Pure arithmetic on exact decimals. Opening quantities are rounded down, reducing ones up and never above
the share; stops away from the price, targets towards it. Whether an order may leave is not asked here.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

from brokers.protocol import Instrument
from desk.book import STOP_LOSS, Guard
from parsers.alert import Alert, Level

ZERO = Decimal(0)
HUNDRED = Decimal(100)
DECIMALS = 10


def plain(value: Decimal) -> str:
    """Write a number as people do: no exponent, no trailing zeros, at most ten decimals."""
    text = format(value, "f")
    if "." not in text:
        return "0" if text == "-0" else text
    if len(text) - text.index(".") > DECIMALS + 1:
        text = format(round(value, DECIMALS), "f")
    text = text.rstrip("0").rstrip(".")
    return "0" if text in ("", "-0", "-") else text


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """Round down to a multiple of `step`."""
    return (value / step).to_integral_value(ROUND_FLOOR) * step


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """Round up to a multiple of `step`."""
    return (value / step).to_integral_value(ROUND_CEILING) * step


def nearest_to(value: Decimal, tick: Decimal | None) -> Decimal:
    """Round a limit price to the nearest tick."""
    return value if not tick else (value / tick).to_integral_value(ROUND_HALF_EVEN) * tick


def place_level(level: Level, base: Decimal, side: str, kind: str, tick: Decimal | None) -> Guard:
    """Turn a stop loss or take profit of an entry on `side` into prices; relative ones count from `base`."""
    below = (side == "buy") == (kind == STOP_LOSS)
    if level.price is not None:
        price = level.price
    else:
        away = (
            level.amount if level.amount is not None else base * (level.percent or ZERO) / HUNDRED
        )
        price = base - away if below else base + away
    if tick:
        # A stop away from the price and a target towards it are the same direction on one side.
        price = floor_to(price, tick) if side == "buy" else ceil_to(price, tick)
    limit = nearest_to(level.limit_price, tick) if level.limit_price is not None else None
    return Guard(price, limit)


def reducing_quantity(
    alert: Alert, side: str, standing: Decimal, terms: tuple[Decimal, Decimal | None, Decimal]
) -> Decimal:
    """Return how much of a share of size `standing` (positive) an order on `side` takes.

    `terms` are multiplier, last price and step. The order scales with the share: share x quantity / what
    the signal held before. Where that is not known the alert's own quantity goes, times the multiplier;
    where it is not above the quantity, the whole share.
    """
    multiplier, price, step = terms
    if alert.quantity is None or alert.market_position == "flat":
        return standing
    if alert.quantity_type == "percent_of_position":
        part = standing * alert.quantity / HUNDRED
    elif alert.quantity_type == "cash":
        part = alert.quantity * multiplier / price if price else standing
    else:
        before = signal_before(alert, side)
        if before is None:
            part = alert.quantity * multiplier
        elif before <= alert.quantity:
            return standing
        else:
            part = standing * alert.quantity / before
    return min(standing, ceil_to(part, step))


def signal_before(alert: Alert, side: str) -> Decimal | None:
    """Return what the signal held before its order, counted on the side that an order on `side` reduces.

    A buy reduces a short position, so a short of 3 counts as 3 and a long as -3. None where unknown.
    """
    if alert.previous_position is not None:
        held = alert.previous_position
    elif alert.position_size is not None and alert.quantity is not None:
        held = alert.position_size - (alert.quantity if side == "buy" else -alert.quantity)
    elif alert.previous_side == "flat":
        held = ZERO
    else:
        return None
    return -held if side == "buy" else held


def opening_quantity(
    alert: Alert, multiplier: Decimal, default: Decimal | None, price: Decimal | None
) -> Decimal | None:
    """Return how much an order asks for when it opens from flat, or None where nothing says so."""
    if alert.quantity is None:
        return default * multiplier if default is not None else None
    if alert.quantity_type == "cash":
        return alert.quantity * multiplier / price if price else None
    if alert.quantity_type == "fixed":
        return alert.quantity * multiplier
    return None


def spent_cash(alert: Alert, multiplier: Decimal) -> Decimal | None:
    """Return the amount of cash an alert wants to spend, or None where it counts otherwise."""
    if alert.quantity_type != "cash" or alert.quantity is None:
        return None
    return alert.quantity * multiplier


def fits(quantity: Decimal, instrument: Instrument) -> Decimal:
    """Return an opening quantity on the instrument's step, zero where it is below the smallest order."""
    floored = floor_to(quantity, instrument.step)
    return floored if floored >= instrument.min_quantity else ZERO
