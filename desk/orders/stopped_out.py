"""Count what a stop or target closed when the signal's own exit follows.

TradingView does not know of our stops: it closes what it believes to hold. So what a stop closed since
the strategy's last executed alert still counts as held, once, when the next order on the other side is cut,
unless that order states a position (rules 3.14). The end is the same as if the stop had not been hit. Pure.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from desk.formats import write_number
from desk.orders.evolve import evolve
from desk.orders.order import EXIT, STOP_LOSS, TAKE_PROFIT, Order
from desk.orders.position_book import PositionBook
from desk.orders.signal import signal_before
from desk.orders.strategy_position import Stopped, StrategyPosition
from parsers.alert import Alert

ZERO = Decimal(0)
NAMES = {STOP_LOSS: "stop", TAKE_PROFIT: "target"}
_CLOSES = {"sell": 1, "close_long": 1, "buy": -1, "close_short": -1}
"""The sign of the position that each action reduces; a `close` reduces both."""


def note_stop(
    before: StrategyPosition, after: StrategyPosition, order: Order, at: int
) -> StrategyPosition:
    """Return a position with what a stop or target, or the desk in its place, has just closed.

    What an alert had asked for already does not count: its signal knows.
    """
    kind = order.kind if order.kind in NAMES else order.cause.guard if order.kind == EXIT else ""
    if not kind:
        return after
    standing = before.quantity if order.cause.guard else before.projected_quantity
    left = after.quantity if order.cause.guard else after.projected_quantity
    closed = standing - (left if left * standing > 0 else ZERO)
    if closed * standing <= 0:
        return after
    known = before.stopped
    if known is not None and known.quantity * closed > 0:
        closed += known.quantity
    price = order.average_price or ZERO
    return evolve(after, stopped=Stopped(kind, closed, price, at))


def stopped_for(alert: Alert, position: StrategyPosition) -> Stopped | None:
    """Return what a stop closed that an alert is about to close, whatever it states."""
    found = position.stopped
    if found is None or alert.action == "cancel" or alert.moves_only:
        return None
    way = _CLOSES.get(alert.action)
    return found if way is None or found.quantity * way > 0 else None


def counts_elsewhere(book: PositionBook, position: StrategyPosition) -> bool:
    """Whether what a stop closed here counts for an alert that means another month of the same future.

    Such a position stays at hand although it holds nothing: the signal's own exit is still to come.
    """
    return position.stopped is not None and book.instrument.root != ""


def counted_as_held(alert: Alert, position: StrategyPosition) -> Decimal:
    """Return how much of what a stop closed counts as held: nothing for an alert that states a position."""
    found = stopped_for(alert, position)
    if found is None or alert.market_position is not None or alert.position_size is not None:
        return ZERO
    before = signal_before(alert, "sell" if found.quantity > 0 else "buy", None)
    if before is not None and before <= 0:
        return ZERO  # the signal knows that it holds nothing
    return abs(found.quantity)


def less(alert: Alert, part: Decimal, counted: Decimal, multiplier: Decimal) -> Alert:
    """Return an alert for `part` (0 to 1) of its quantity, from a signal that holds `counted` less."""
    previous = alert.previous_position
    if previous:
        previous -= (counted if previous > 0 else -counted) / multiplier
    quantity = None if alert.quantity is None else alert.quantity * part
    return replace(alert, quantity=quantity, previous_position=previous)


def consume(position: StrategyPosition, alert: Alert, counted: Decimal) -> StrategyPosition:
    """Return the position once an alert has been decided: what counted does not count again."""
    found = position.stopped
    if found is None or stopped_for(alert, position) is None:
        return position
    left = abs(found.quantity) - counted
    knows = alert.market_position is not None or alert.position_size is not None
    if knows or alert.quantity is None or left <= 0:
        return evolve(position, stopped=None)
    return evolve(position, stopped=replace(found, quantity=left if found.quantity > 0 else -left))


def say_stop(stopped: Stopped, now: int) -> str:
    """Return what a stop closed, at which price and when, in words."""
    moment, today = (datetime.fromtimestamp(at / 1000, UTC) for at in (stopped.at, now))
    day = "" if moment.date() == today.date() else f"{moment:%Y-%m-%d} "
    return (
        f"its {NAMES[stopped.kind]} closed {write_number(abs(stopped.quantity))} at "
        f"{write_number(stopped.price)} "
        f"at {day}{moment:%H:%M} UTC"
    )
