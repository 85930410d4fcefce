"""Say how much: quantities and levels on an instrument's steps.

Pure arithmetic on exact decimals. Opening quantities are rounded down, reducing ones up and never above
the position; stops away from the price, targets towards it. Whether an order may leave is not asked here.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from brokers.protocol import Instrument
from desk.formats import write_number
from desk.orders.rounding import ceil_to
from desk.orders.signal import signal_before
from parsers.alert import Alert

ZERO = Decimal(0)


HUNDRED = Decimal(100)


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
        f"{write_number(asked)} of cash is {currency}, and {instrument.symbol} is quoted in "
        f"{instrument.quote}: it cannot be converted here. Send the quantity in units."
    )
    return Size(code="CURRENCY_UNKNOWN", text=text)


def reducing_quantity(
    alert: Alert, side: str, standing: Decimal, size: Size, multiplier: Decimal, step: Decimal
) -> Decimal:
    """Return how much of a position of size `standing` (positive) an order on `side` takes.

    The order scales with the position: share x quantity / what the signal held before. Where that is not
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
