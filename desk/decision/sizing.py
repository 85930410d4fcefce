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


HUNDRED, CENT = Decimal(100), Decimal("0.01")
OPENING_KINDS = frozenset({"percent_of_equity", "risk_cash", "risk_percent"})
"""The ways of telling a size that say how much to open, and never how much to close."""
MONEY_KINDS = OPENING_KINDS | {"cash"}
"""Those that go by what the instrument costs."""


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
    how: str = ""
    """How money became that many, in words; empty where none did."""


NO_SIZE = Size()


@dataclass(frozen=True, slots=True)
class Sizing:
    """How much is to be opened: an amount, and of what."""

    quantity: Decimal
    kind: str = "fixed"
    override: bool = False
    """Whether it counts whatever the alert says."""


@dataclass(frozen=True, slots=True)
class Purse:
    """What an account counts in: its currency, those of which one is one of it, and its equity now."""

    currency: str
    worth: frozenset[str]
    equity: Decimal | None = None


def read_size(
    alert: Alert, instrument: Instrument, price: Decimal | None, purse: Purse, stop: Decimal | None
) -> Size:
    """Return how much an alert asks for; `stop` is how far from `price` its stop loss stands."""
    asked = alert.quantity
    if asked is None or (asked == 0 and alert.only_reduces):
        return NO_SIZE  # rules 3.6: zero on what only reduces means all
    if alert.only_reduces and alert.quantity_type in OPENING_KINDS:
        text = (
            f"{alert.quantity_type} says how much to open, and this closes: send a quantity, cash or "
            "percent_of_position, or no quantity for all of it."
        )
        return Size(code="UNSUPPORTED", text=text)
    return count_units(Sizing(asked, alert.quantity_type), instrument, price, purse, stop)


def count_units(
    sizing: Sizing,
    instrument: Instrument,
    price: Decimal | None,
    purse: Purse,
    stop: Decimal | None,
) -> Size:
    """Return how many of an instrument a size comes to at a price, or why that cannot be told."""
    asked, kind = sizing.quantity, sizing.kind
    if kind == "fixed":
        return Size(asked)
    if kind == "percent_of_position":
        return Size(percent=asked)
    if kind in ("percent_of_equity", "risk_percent") and purse.equity is None:
        text = (
            f"{write_number(asked)} percent of what? The equity of the account is not known now: its venue "
            "did not tell it within the last minute, or a price is missing. Send it again."
        )
        return Size(code="EQUITY_UNKNOWN", text=text)
    share = (purse.equity or ZERO) * asked / HUNDRED
    money = share if kind in ("percent_of_equity", "risk_percent") else asked
    if kind in ("risk_cash", "risk_percent"):
        return _count_by_risk(money, instrument, price, purse, stop)
    return _count_by_worth(money, instrument, price, purse)


def _count_by_worth(
    money: Decimal, instrument: Instrument, price: Decimal | None, purse: Purse
) -> Size:
    # rules 16.3: money is the account's. Where the account's currency is what is traded, it is the size.
    if instrument.quote in purse.worth:
        if price is None or price <= 0:
            text = "An amount of cash needs a price to become a quantity. Add price."
            return Size(code="NO_PRICE", text=text)
        one = price * instrument.point_value
        what = f"{_money(money, purse)} at {_money(one, purse)} each"
        return Size(money / one, how=what)
    if instrument.base in purse.worth:
        return Size(money)
    return _not_convertible(money, instrument, purse)


def _count_by_risk(
    money: Decimal,
    instrument: Instrument,
    price: Decimal | None,
    purse: Purse,
    stop: Decimal | None,
) -> Size:
    """Return how many lose that much money from the entry to the stop; fees are not counted."""
    if stop is None:
        text = (
            "A size by risk needs a stop loss, and the price it is counted from. Add stop_loss and price, "
            "or stop_loss to the strategy."
        )
        return Size(code="STOP_REQUIRED", text=text)
    if stop <= 0:
        return Size(
            code="STOP_SIDE", text="The stop loss stands at the price itself: nothing is at risk."
        )
    loss = stop * instrument.point_value
    if instrument.quote not in purse.worth:
        if instrument.base not in purse.worth or price is None or price <= 0:
            return _not_convertible(money, instrument, purse)
        loss /= price
    away = f"a stop {write_number(stop)} away loses {_money(loss, purse)} each"
    how = f"{_money(money, purse)} at risk, and {away}"
    return Size(money / loss, how=how)


def _money(amount: Decimal, purse: Purse) -> str:
    return f"{write_number(amount.quantize(CENT) if amount >= 1 else amount.normalize())} {purse.currency}"


def _not_convertible(money: Decimal, instrument: Instrument, purse: Purse) -> Size:
    text = (
        f"{write_number(money)} of cash is {purse.currency}, and {instrument.symbol} is quoted in "
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
