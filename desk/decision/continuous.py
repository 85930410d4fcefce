"""Bring the levels of a continuous chart to the contract that is traded (rules 5.3).

`MES1!` is a chart made of many contracts, and may be back-adjusted: its prices need not be those of any of
them. So a stop or target of such an alert is a distance from the alert's own price, and stands as far from
the fill of the contract. What is no distance, a limit of the order itself, needs the contract's own name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from desk.decision.context import DecisionContext
from desk.decision.opening_size import order_levels
from desk.formats import write_number
from desk.orders.believed_prices import is_far, reference_price
from desk.orders.order import Order
from desk.orders.position_book import PositionBook
from parsers.alert import Alert, Level


def count_from_price(alert: Alert, side: str, last: Decimal | None) -> Alert:
    """Return an alert that opens on `side` with levels as distances from its price, or the last one."""
    base = reference_price(alert) or last
    if base is None:
        return alert
    up = side == "buy"
    return replace(
        alert,
        stop_loss=_as_distance(alert.stop_loss, base, below=up),
        take_profit=_as_distance(alert.take_profit, base, below=not up),
        take_profits=tuple(
            replace(each, level=_as_distance(each.level, base, below=not up) or each.level)
            for each in alert.take_profits
        ),
    )


def _as_distance(level: Level | None, base: Decimal, *, below: bool) -> Level | None:
    if level is None or level.price is None or level.limit_price is not None:
        return level
    away = base - level.price if below else level.price - base
    return Level(amount=away) if away > 0 else level  # on the wrong side it is denied as it is


def list_chart_reasons(
    book: PositionBook, alert: Alert, order: Order, context: DecisionContext
) -> Iterator[tuple[str, str]]:
    """Yield what cannot be brought from a continuous chart to this contract."""
    name = book.instrument.contract
    limited = alert.stop_loss is not None and alert.stop_loss.limit_price is not None
    if order.order_type != "market" or any(order_levels(alert)) or limited:
        yield (
            "DATED_SYMBOL_NEEDED",
            (
                f"A price of {alert.symbol} is one of its chart, and {name} is traded: an order with a limit "
                f"or a stop of its own needs the contract. Send {name}, or an order at the market."
            ),
        )
    prices = {n: level.price for n, level in alert.named_levels if level.price is not None}
    base = reference_price(alert)
    if prices and base is None and context.price is None:
        yield (
            "NO_PRICE",
            (
                f"{' and '.join(prices)} of {alert.symbol} count from the alert's price, and it brings none. "
                "Add price, or write distances."
            ),
        )
    for level_name, price in prices.items():
        if text := _miss(price, base, context):
            said = f"{level_name} {write_number(price)} {text}"
            remedy = 'write a distance ({"ticks": 40}, {"percent": 1}, {"amount": 10})'
            yield "LEVEL_FAR", f"{said}. Add price, {remedy}, or send {name}."


def _miss(level: Decimal, base: Decimal | None, context: DecisionContext) -> str:
    """Say that a level cannot be one of this market; empty where it can.

    Beside the alert's own price that price is the measure; without it the traded contract's, and the band.
    """
    known = base if base is not None else context.price
    if known is None or level <= 0:
        return ""
    if is_far(level, known):
        return f"is far from the price {write_number(known)}: a distance, or a back-adjusted chart?"
    band = None if base is not None else _find_band(context)
    if band is None or abs(level - known) * 100 <= band * known:
        return ""
    return (
        f"misses the price of the traded contract, {write_number(known)}, by more than "
        f"{write_number(band)} % (price_band_percent): the chart may be back-adjusted"
    )


def _find_band(context: DecisionContext) -> Decimal | None:
    """Return the narrowest band that holds for the order, or None where none is set."""
    scopes = context.stakes.scopes if context.stakes else ()
    bands = [each.limits.price_band_percent for each in scopes]
    return min((band for band in bands if band is not None), default=None)
