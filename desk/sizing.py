"""Say how much: quantities and levels on an instrument's steps.

Pure arithmetic on exact decimals. Opening quantities are rounded down, reducing ones up and never above
the share; stops away from the price, targets towards it. Whether an order may leave is not asked here.
"""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Size:
    """How much of an instrument an alert asks for, before the multiplier.

    `units` or `percent` (of what the strategy holds); neither where the alert has no quantity. `code` and
    `text` say why what it has cannot be told in units.
    """

    units: Decimal | None = None
    percent: Decimal | None = None
    code: str = ""
    text: str = ""


NO_SIZE = Size()


def read_size(
    alert: Alert,
    instrument: Instrument,
    price: Decimal | None,
    currency: str,
    worth: frozenset[str],
) -> Size:
    """Return how much an alert asks for; `worth` are the currencies of which one is one of `currency`."""
    asked = alert.quantity
    if asked is None or (asked == 0 and alert.only_reduces):
        return NO_SIZE  # rules 3.6: zero on what only reduces means all
    if alert.quantity_type == "fixed":
        return Size(asked)
    if alert.quantity_type == "percent_of_position":
        return Size(percent=asked)
    if alert.quantity_type != "cash":
        text = f"Quantity type {alert.quantity_type} is not supported: send fixed (units) or cash."
        return Size(code="UNSUPPORTED", text=text)
    # rules 16.3: money is the account's. Where the account's currency is what is traded, it is the size.
    if instrument.quote in worth:
        if price is None or price <= 0:
            text = "An amount of cash needs a price to become a quantity. Add price."
            return Size(code="NO_PRICE", text=text)
        return Size(asked / (price * instrument.point_value))
    if instrument.base in worth:
        return Size(asked)
    text = (
        f"{plain(asked)} of cash is {currency}, and {instrument.symbol} is quoted in "
        f"{instrument.quote}: it cannot be converted here. Send the quantity in units."
    )
    return Size(code="CURRENCY_UNKNOWN", text=text)


def reducing_quantity(
    alert: Alert, side: str, standing: Decimal, size: Size, multiplier: Decimal, step: Decimal
) -> Decimal:
    """Return how much of a share of size `standing` (positive) an order on `side` takes.

    The order scales with the share: share x quantity / what the signal held before. Where that is not
    known the alert's own quantity goes, times the multiplier; where it is not above the quantity, the whole
    share.
    """
    if size is NO_SIZE or alert.market_position == "flat":
        return standing
    if size.percent is not None:
        part = standing * size.percent / HUNDRED
    else:
        units = size.units or ZERO
        before = signal_before(alert, side, units)
        if before is None:
            part = units * multiplier
        elif before <= units:
            return standing
        else:
            part = standing * units / before
    return min(standing, ceil_to(part, step))


def signal_before(alert: Alert, side: str, units: Decimal | None) -> Decimal | None:
    """Return what the signal held before its order, counted on the side that an order on `side` reduces.

    A buy reduces a short position, so a short of 3 counts as 3 and a long as -3. None where unknown; zero
    where only that side is known not to have been held.
    """
    if alert.previous_position is not None:
        held = alert.previous_position
    elif alert.previous_side not in (None, "short" if side == "buy" else "long"):
        held = ZERO  # rules 3.8: it was flat or on the other side
    elif alert.position_size is not None and units is not None:
        held = alert.position_size - (units if side == "buy" else -units)
    else:
        return None
    return -held if side == "buy" else held


def fits(quantity: Decimal, instrument: Instrument) -> Decimal:
    """Return an opening quantity on the instrument's step, zero where it is below the smallest order."""
    floored = floor_to(quantity, instrument.step)
    return floored if floored >= instrument.min_quantity else ZERO
