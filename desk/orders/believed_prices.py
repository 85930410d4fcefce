"""Say whether a price can be believed, and whether a level is one or a distance.

A price is never believed because it stands in an alert: it is compared with what was seen before it. Pure
arithmetic; where prices are kept and who is told is not known here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from brokers.protocol import Instrument
from desk.formats import write_number
from parsers.alert import Alert, Level

FAR = 2
"""Below the half or above twice of what is known is far (rules 4.4, 4.5)."""
NEAR = 10
"""Within a tenth is near: a second price like that one is believed (rules 4.5)."""
DAY_MS = 86_400_000
"""How long a price speaks for or against another one (rules 4.5)."""
TOLD_MS = 60_000
"""How long what a venue told stands above what an alert says."""
QUOTED_MS = 6_000
"""How long a venue's price counts as the present one: a little longer than the pause between two reads."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A price and when it was seen; `seq` numbers the alert that brought it, or the last one before it."""

    price: Decimal
    at: int
    seq: int = 0
    is_told: bool = False
    """Whether a venue told it, rather than an alert."""

    def is_within(self, ms: int, now: int) -> bool:
        """Whether it was seen at most so long ago."""
        return now - self.at <= ms


@dataclass(frozen=True, slots=True)
class Doubted:
    """A price that was not believed, and the delivery that brought it."""

    price: Decimal
    number: int


def is_far(price: Decimal, known: Decimal) -> bool:
    """Tell whether a price or level is below half or above twice of what is known."""
    return price * FAR < known or price > known * FAR


def is_near(price: Decimal, other: Decimal) -> bool:
    """Tell whether two prices agree within a tenth."""
    return abs(price - other) * NEAR <= other


def is_same(price: Decimal, other: Decimal) -> bool:
    """Tell whether two prices agree within a percent: then either may stand for the other."""
    return abs(price - other) * 100 <= other


def reference_price(alert: Alert) -> Decimal | None:
    """Return what the alert says the instrument costs; the level of its own order is not that."""
    if alert.order_type == "limit" and alert.limit_price is None:
        return None
    if alert.order_type == "stop" and alert.stop_price is None:
        return None
    if alert.order_type == "stop_limit" and None in (alert.limit_price, alert.stop_price):
        return None
    return alert.price if alert.price is None or alert.price > 0 else None


def has_levels(
    limit: Decimal | None, stop: Decimal | None, levels: Iterable[tuple[str, Level]]
) -> bool:
    """Tell whether anything of an order is a price of its own, to be compared with the market."""
    return any(True for _ in _list_prices(limit, stop, levels))


def find_far_level(
    limit: Decimal | None,
    stop: Decimal | None,
    levels: Iterable[tuple[str, Level]],
    *,
    known: Decimal,
    instrument: Instrument,
) -> str | None:
    """Say which level cannot be a price because it is far from the known one, or return None.

    A level of zero or below is none of these: that it is wrong is said elsewhere.
    """
    for name, level in _list_prices(limit, stop, levels):
        if level > 0 and is_far(level, known):
            return _explain(name, level, known, instrument)
    return None


def _list_prices(
    limit: Decimal | None, stop: Decimal | None, levels: Iterable[tuple[str, Level]]
) -> Iterator[tuple[str, Decimal]]:
    named = [("limit_price", limit), ("stop_price", stop)]
    for name, level in levels:
        named += [(name, level.price), (f"{name}.limit_price", level.limit_price)]
    for name, price in named:
        if price is not None:
            yield name, price


def _explain(name: str, level: Decimal, known: Decimal, instrument: Instrument) -> str:
    text = (
        f"{name} {write_number(level)} is far from the price of {instrument.symbol}, {write_number(known)}: "
        "levels are prices, not distances. "
    )
    if not name.startswith(("stop_loss", "take_profit")):
        return f"{text}Send the price at which the order is to be filled."
    example = write_number(level)
    in_ticks = f' or {{"ticks": {example}}}' if instrument.tick and instrument.root else ""
    return (
        f'{text}Send the price itself, or write a distance as {{"percent": 1}} or '
        f'{{"amount": {example}}}{in_ticks}.'
    )
