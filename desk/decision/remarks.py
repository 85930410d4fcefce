"""Say what a sender should know of a decision: what was not done, what is missing, what was found.

Texts alone; nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from desk.decision.context import DecisionContext, OrderSplit
from desk.decision.opening_size import order_levels
from desk.decision.split import differs_from_stated
from desk.formats import write_number
from desk.orders.believed_prices import find_far_level
from desk.orders.position_book import PositionBook
from desk.orders.rounding import fits
from desk.orders.stopped_out import say_stop, stopped_for
from desk.orders.strategy_position import StrategyPosition
from parsers.alert import Alert

NO_ROOM = "the exit is not placed while the stop stands: this account cannot work it beside a stop"


def is_rest(split: OrderSplit, book: PositionBook) -> bool:
    """Whether an order that closes the position would open less than can be ordered (rules 3.12)."""
    is_whole = split.crosses or (split.reduces > 0 and split.reduces == abs(split.held))
    return is_whole and split.opens is not None and fits(split.opens, book.instrument) == 0


def list_warnings(
    alert: Alert, split: OrderSplit, context: DecisionContext, book: PositionBook
) -> tuple[str, ...]:
    """Return what the sender should know although the order is decided."""
    warnings = list(context.times.warnings)
    unsaid = list(alert.unsupported)
    if alert.delayed_feed and not context.allow_delayed:
        unsaid.append(alert.delayed_feed)
    if unsaid and split.opens == 0:
        warnings += [f"ignored on an order that only reduces: {text}" for text in unsaid]
    if alert.bare_size and split.reduces > 0 and not book.instrument.counts_units:
        warnings.append(f"{alert.bare_size} was taken as units of what is held")
    name = "take_profits are" if alert.take_profits else "take_profit is"
    both = alert.stop_loss is not None and len(alert.named_levels) > 1
    if (
        both
        and split.opens != 0
        and "locks_balance" in book.capabilities
        and "oco" not in book.capabilities
    ):
        warnings.append(f"{name} not placed: this account cannot work it beside a stop")
    if (split.opens != 0 or split.reduces > 0) and order_levels(alert) == (None, None):
        warnings += _warn_of_age(context, book)
    warnings += _warn_of_chart(alert, split, context, book)
    if split.opens == 0 and alert.action != "cancel":
        warnings += _warn_of_prices(alert, context, book)
    if split.note and split.reduces > 0:
        warnings.append(f"nothing was opened beyond zero: {split.note}")
    if split.opens == 0 and (apart := differs_from_stated(alert, split, book, context)):
        warnings.append(apart)
    if split.opens and context.opens_here and is_rest(split, book):
        smallest, symbol = write_number(book.instrument.smallest), book.instrument.symbol
        warnings.append(
            f"nothing was opened beyond zero: {write_number(split.opens)} {symbol} is below the smallest "
            f"order, {smallest}"
        )
    return tuple(warnings)


def _warn_of_chart(
    alert: Alert, split: OrderSplit, context: DecisionContext, book: PositionBook
) -> Iterator[str]:
    """Yield that an exit's own level is one of a continuous chart (rules 5.3): an exit is never denied."""
    if context.by_distance and split.reduces > 0 and any(order_levels(alert)):
        yield (
            f"the level is one of the chart {alert.symbol} and rests as it is on the contract held, "
            f"{book.instrument.contract}"
        )


def warn_of_stop(
    position: StrategyPosition, split: OrderSplit, context: DecisionContext
) -> tuple[str, ...]:
    """Name the stop that had closed a part of what is now closed or turned round (rules 3.14)."""
    stopped = split.stopped or position.stopped
    if not split.counted or stopped is None or not (split.reduces or split.opens):
        return ()
    text = (
        f"{write_number(split.counted)} of it count as closed: "
        f"{say_stop(stopped, context.times.now)}"
    )
    return (text,)


def _warn_of_age(context: DecisionContext, book: PositionBook) -> Iterator[str]:
    """Yield that an order on paper fills at a price older than an alert may be to open."""
    if (
        context.price is None
        or context.seen_ms is None
        or context.seen_ms <= context.times.max_age_ms
    ):
        return
    age = timedelta(seconds=context.seen_ms // 1000)
    yield (
        f"the alert brings no price: on paper {book.instrument.symbol} goes by "
        f"{write_number(context.price)}, "
        f"the last one seen, {age} ago; add price to the alert"
    )


def _warn_of_prices(alert: Alert, context: DecisionContext, book: PositionBook) -> Iterator[str]:
    """Yield what would deny an opening part (rules 4.4, 4.5), on an order that only reduces."""
    if context.doubt:
        yield context.doubt
    if context.price is None:
        return
    levels = (*order_levels(alert), alert.named_levels)
    if far := find_far_level(*levels, known=context.price, instrument=book.instrument):
        yield far


def say_nothing(
    position: StrategyPosition,
    alert: Alert,
    split: OrderSplit,
    context: DecisionContext,
    book: PositionBook,
) -> tuple[str, str]:
    """Return code and sentence where there is nothing to do."""
    symbol = book.instrument.symbol
    stopped = split.stopped or stopped_for(alert, position)
    by_stop = f": {say_stop(stopped, context.times.now)}" if stopped else ""
    if context.sync:
        text = (
            f"{context.strategy} already holds {write_number(position.projected_quantity)} "
            f"{symbol}{by_stop}."
        )
        return "AT_TARGET", text
    where = f"{book.account}{' (paper)' if book.paper else ''}"
    text = f"{context.strategy} holds no {symbol} on {where} that this could reduce"
    if position.projected_quantity != 0:
        held = "long" if position.projected_quantity > 0 else "short"
        text = f"{context.strategy} is {held} {symbol} on {where}, which this does not reduce"
    if by_stop:
        return "NOTHING_TO_CLOSE", f"{text}{by_stop}."
    return "NOTHING_TO_CLOSE", f"{text}{'; ' + split.note if split.note else ''}."
