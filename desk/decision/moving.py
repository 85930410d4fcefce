"""Carry out an alert that moves the levels of what is held: it trades and cancels nothing.

What is wished here is pursued like every stop. A level on the wrong side of the price changes nothing. Pure.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from desk.decision.context import DecisionContext
from desk.decision.denial import Denial
from desk.formats import write_number
from desk.orders.believed_prices import find_far_level
from desk.orders.evolve import evolve
from desk.orders.moving_stop import find_break_even, tighten_stop
from desk.orders.order import NO_ALERT, STOP_LOSS, TAKE_PROFIT, AlertRef
from desk.orders.position_book import PositionBook
from desk.orders.rounding import place_level
from desk.orders.strategy_position import ProtectiveLevel, StrategyPosition, Target
from desk.orders.targets import find_percents
from parsers.alert import Alert, Level

NOTHING_TO_MOVE = "NOTHING_TO_MOVE"

Moved = tuple[StrategyPosition, Denial | None, str | None, str]
"""The position as it is then, why it may not be, the code where there is nothing to do, and a sentence."""


def move_to_break_even(
    book: PositionBook, alert: Alert, cause: AlertRef, context: DecisionContext
) -> Moved:
    """Return the position with its stop at break-even, unless it stands there or nearer to profit."""
    position, symbol = book.position(context.strategy), book.instrument.symbol
    if position.projected_quantity == 0:
        text = f"{context.strategy} holds no {symbol} on {book.account}: there is no stop to move."
        return position, None, NOTHING_TO_MOVE, text
    if context.times.expired:
        return position, Denial("EXPIRED", context.times.expired), None, ""
    is_long = position.quantity > 0
    level = find_break_even(position, book.instrument.tick, alert.breakeven_offset)
    price = context.price
    if price is None:
        text = f"The price of {symbol} is not known: on which side of it would the stop be?"
        return position, Denial("PRICE_UNKNOWN", f"{text} Add price."), None, ""
    if level >= price if is_long else level <= price:
        where, side = ("below", "long") if is_long else ("above", "short")
        text = (
            f"A stop at {write_number(level)} must be {where} the price {write_number(price)} for a {side} "
            f"position of {symbol}. Nothing was changed."
        )
        return position, Denial("STOP_SIDE", text), None, ""
    moved = tighten_stop(position, level)
    if moved is position and position.stop_loss is not None:
        at = write_number(position.stop_loss.price)
        text = (
            f"The stop of {symbol} on {book.account} stands at {at} already: it is never loosened."
        )
        return position, None, NOTHING_TO_MOVE, text
    if moved.protection_cause is NO_ALERT:
        moved = evolve(moved, protection_cause=cause)
    text = f"The stop of {symbol} on {book.account} moves to {write_number(level)}."
    return moved, None, None, text


def move_levels(
    book: PositionBook, alert: Alert, cause: AlertRef, context: DecisionContext
) -> Moved:
    """Return the position with the stop and the targets that the alert brings; those it does not bring stay.

    It may loosen a stop, on the user's word. Percents and amounts count from the average entry.
    """
    position, symbol = book.position(context.strategy), book.instrument.symbol
    if position.projected_quantity == 0 or position.quantity == 0:
        text = f"{context.strategy} holds no {symbol} on {book.account}: there is no level to move."
        return position, None, NOTHING_TO_MOVE, text
    if denial := _find_reason(book, alert, context):
        return position, denial, None, ""
    alert = _meet_chart(alert, context)
    moved = _place(position, alert, book)
    if denial := _find_wrong_side(moved, alert, book, context.price):
        return position, denial, None, ""
    if moved.protection_cause is NO_ALERT:
        moved = evolve(moved, protection_cause=cause)
    names = dict.fromkeys(name.split()[0].replace("_", " ") for name, _ in alert.named_levels)
    text = f"The {' and '.join(names)} of {symbol} on {book.account} {_say(moved, alert)}."
    return moved, None, None, text


def _say(moved: StrategyPosition, alert: Alert) -> str:
    """Return where what an alert moved stands now."""
    found = [moved.stop_loss.price] if alert.stop_loss is not None and moved.stop_loss else []
    if alert.take_profit is not None and moved.take_profit:
        found.append(moved.take_profit.price)
    found += [each.price for each in moved.targets] if alert.take_profits else []
    return f"{'stands' if len(found) == 1 else 'stand'} at {', '.join(map(write_number, found))}"


def _find_reason(book: PositionBook, alert: Alert, context: DecisionContext) -> Denial | None:
    """Return why nothing may be moved, before any level is counted."""
    if context.times.expired:
        return Denial("EXPIRED", context.times.expired)
    if alert.unsupported:
        return Denial(
            "UNSUPPORTED", f"{'; '.join(alert.unsupported)}. Change or remove it, and send again."
        )
    if not (alert.stop_loss or alert.take_profit or alert.take_profits):
        return Denial("UNREADABLE", "update: to what? Send stop_loss, take_profit or both.")
    if alert.stop_loss is not None and "no_stops" in book.capabilities:
        return Denial(
            "UNSUPPORTED",
            "This account's venue takes no stop order from here. Leave stop_loss out.",
        )
    if context.price is None:
        text = f"The price of {book.instrument.symbol} is not known: on which side of it are the levels?"
        return Denial("PRICE_UNKNOWN", f"{text} Add price.")
    if context.doubt:
        return Denial("PRICE_FAR", context.doubt)
    levels = [level for _, level in alert.named_levels]
    if book.instrument.tick is None and any(level.ticks is not None for level in levels):
        return Denial(
            "UNSUPPORTED", "The tick of it is not known here: send a price, percent or amount."
        )
    is_chart = context.by_distance and any(level.price is not None for level in levels)
    if is_chart and alert.price is None:
        text = "A level of a continuous chart is a distance from its price. Add price to the alert."
        return Denial("NO_PRICE", text)
    if not context.by_distance:
        far = find_far_level(
            None, None, alert.named_levels, known=context.price, instrument=book.instrument
        )
        return Denial("LEVEL_FAR", far) if far else None
    return None


def _meet_chart(alert: Alert, context: DecisionContext) -> Alert:
    """Return the alert with its levels as those of the contract that is held (rules 5.3)."""
    if not context.by_distance or alert.price is None or context.price is None:
        return alert
    apart = context.price - alert.price

    def shift(level: Level | None) -> Level | None:
        if level is None or level.price is None:
            return level
        return replace(level, price=level.price + apart)

    many = tuple(replace(e, level=shift(e.level) or e.level) for e in alert.take_profits)
    return replace(
        alert,
        stop_loss=shift(alert.stop_loss),
        take_profit=shift(alert.take_profit),
        take_profits=many,
    )


def _place(position: StrategyPosition, alert: Alert, book: PositionBook) -> StrategyPosition:
    """Return the position with the levels that the alert brings, on their ticks."""
    tick, average = book.instrument.tick, position.ledger.average_price
    side, size = ("buy" if position.quantity > 0 else "sell"), abs(position.quantity)

    def place(level: Level, kind: str) -> ProtectiveLevel:
        return place_level(level, average, side, kind, tick)

    if alert.stop_loss is not None:
        stop = place(alert.stop_loss, STOP_LOSS)
        position = evolve(position, stop_loss=stop, is_stop_moved=True).reset_retries(STOP_LOSS)
    if alert.take_profit is not None:
        single = place(alert.take_profit, TAKE_PROFIT)
        position = evolve(position, take_profit=single, targets=(), move_stop=None)
        position = position.reset_retries(TAKE_PROFIT)
    if alert.take_profits:
        parts = find_percents(alert.take_profits, size)
        targets = tuple(
            Target(
                n, place(each.level, TAKE_PROFIT).price, size * (each.percent or Decimal(0)) / 100
            )
            for n, each in enumerate(parts, 1)
        )
        position = evolve(position, targets=targets, take_profit=None, move_stop=alert.move_stop)
        position = position.reset_retries(TAKE_PROFIT)
    return position


def _find_wrong_side(
    moved: StrategyPosition, alert: Alert, book: PositionBook, price: Decimal | None
) -> Denial | None:
    """Return that a new level stands where it would trade at once: nothing is changed then."""
    way = 1 if moved.quantity > 0 else -1
    found: list[tuple[str, Decimal, int]] = []
    if alert.stop_loss is not None and moved.stop_loss is not None:
        found.append(("stop_loss", moved.stop_loss.price, -way))
    if alert.take_profit is not None and moved.take_profit is not None:
        found.append(("take_profit", moved.take_profit.price, way))
    found += [("take_profit", each.price, way) for each in moved.targets if alert.take_profits]
    for name, level, sign in found:
        if price is not None and (level <= 0 or (level - price) * sign <= 0):
            where = "above" if sign > 0 else "below"
            text = (
                f"{name} {write_number(level)} must be {where} the price {write_number(price)} for what is "
                f"held of {book.instrument.symbol}. Nothing was changed."
            )
            return Denial("STOP_SIDE", text)
    return None
