"""Say how much an opening order asks for where money decides: its price, its stop, the strategy's own sizing.

Pure. How much of a position an order takes is not asked here.
"""

from __future__ import annotations

from decimal import Decimal

from desk.decision.context import DecisionContext, OrderSplit
from desk.decision.sizing import MONEY_KINDS, Size, count_units
from desk.orders.position_book import PositionBook
from desk.orders.rounding import find_distance
from parsers.alert import Alert

ZERO = Decimal(0)


def size_by_strategy(
    alert: Alert, split: OrderSplit, book: PositionBook, context: DecisionContext
) -> Size | None:
    """Return what the strategy's own sizing comes to, where that says how much is opened."""
    sizing = context.sizing
    if sizing is None or context.sync or split.denial or split.opens == ZERO:
        return None
    if alert.quantity is not None and not sizing.override:
        return None
    price = counting_price(alert, context)
    stop = find_stop(alert, price, book, context)
    return count_units(sizing, book.instrument, price, context.purse, stop)


def find_stop(
    alert: Alert, price: Decimal | None, book: PositionBook, context: DecisionContext
) -> Decimal | None:
    """Return how far from the entry its stop loss stands; None where there is none, or no price."""
    level = alert.stop_loss or context.default_stop
    # rules 5.3: a level of a continuous chart is a distance from the price of that chart.
    base = alert.price if context.by_distance and alert.price is not None else price
    base = alert.price if base is None else base  # then it only says what is wrong: nothing opens
    if level is None or base is None:
        return None
    if level.price is not None:
        return abs(base - level.price)
    return find_distance(level, base, book.instrument.tick)


def depends_on_price(alert: Alert, context: DecisionContext) -> bool:
    """Tell whether what an alert takes and opens goes by what the instrument costs."""
    if alert.quantity_type in MONEY_KINDS:
        return True
    return context.sync or (context.sizing is not None and context.sizing.kind in MONEY_KINDS)


def counting_price(alert: Alert, context: DecisionContext) -> Decimal | None:
    """Return the price at which an order is counted: the level it carries, else the last one seen."""
    limit, stop = order_levels(alert)
    return limit or stop or context.price


def order_levels(alert: Alert) -> tuple[Decimal | None, Decimal | None]:
    """Return limit and trigger price of an order; `price` stands in where its kind brings no level."""
    limit, stop = alert.limit_price, alert.stop_price
    if alert.order_type == "limit":
        return (limit if limit is not None else alert.price), None
    if alert.order_type == "stop":
        return None, (stop if stop is not None else alert.price)
    if alert.order_type == "stop_limit":
        return limit, stop
    return None, None
