"""Decide what an alert means for one position: what it reduces, what it opens, what it ends.

Every order is cut at zero of the strategy's own position. The reducing part becomes a wish
(`reduce_to`, or an exit with a level of its own) and is never denied; the opening part becomes at most
one order, born here and nowhere else, or a `Denial`. Pure: the same book, alert and rules give the
same verdict, so `/webhook/validate` asks the same function.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from desk.decision.context import DecisionContext, OrderSplit
from desk.decision.denial import Denial
from desk.decision.entry import build_entry
from desk.decision.moving import move_levels, move_to_break_even
from desk.decision.opening_size import order_levels
from desk.decision.remarks import NO_ROOM, is_rest, list_warnings, say_nothing, warn_of_stop
from desk.decision.split import differs_from_stated, is_near, split_at_zero
from desk.decision.staleness import is_stale_opening, is_stale_reducing, is_stale_target, mark_said
from desk.formats import write_number
from desk.orders.evolve import evolve
from desk.orders.legs import wanted_legs
from desk.orders.order import ENTRY, EXIT, REDUCE, AlertRef, Order
from desk.orders.position_book import PositionBook
from desk.orders.rounding import floor_to, nearest_to
from desk.orders.signal import signal_before
from desk.orders.stopped_out import consume
from desk.orders.strategy_position import RestingExit, SignalHistory, StrategyPosition
from parsers.alert import Alert

ZERO = Decimal(0)


_KEPT = {"buy": "buy", "sell": "sell", "close_long": "sell", "close_short": "buy"}
"""The side of an entry that an alert does not end; a `close` ends both."""


_CLOSES = {"sell": "long", "close_long": "long", "buy": "short", "close_short": "short"}
"""The side that each action reduces; a `close` reduces both."""


@dataclass(frozen=True)
class Decision:
    """The book with what the alert wishes, and what was said about it."""

    book: PositionBook
    reduces: Decimal = ZERO
    opening: Order | None = None
    denials: tuple[Denial, ...] = ()
    code: str | None = None
    message: str | None = None
    warnings: tuple[str, ...] = ()
    cancels: int = 0
    has_moved: bool = False
    """Whether only what protects the position was changed."""
    how: str = ""
    """How money became the size of the opening order, in words; empty where none did."""
    rejects: bool = False
    """The alert as a whole came too late: nothing was changed."""

    def has_pending_exit(self, cause: AlertRef) -> bool:
        """Whether an exit that the alert asked for stays to be sent, at the market or at its own level."""
        return any(
            (position.reduce_to is not None and position.exit_cause.alert_id == cause.alert_id)
            or position.exit_of == cause.alert_id
            for position in self.book.restless.values()
        )


def decide(
    book: PositionBook,
    alert: Alert,
    cause: AlertRef,
    context: DecisionContext,
    split: OrderSplit | None = None,
) -> Decision:
    """Return what `alert` means for the strategy's position in `book`.

    `cut` is the alert cut at zero where that was done before: in several books together, for one.
    """
    split = split or split_at_zero(alert, book.position(context.strategy), book, context)
    decision = _decide(book, alert, cause, context, split)
    position = decision.book.position(context.strategy)
    if position.stopped is None or (decision.denials and not decision.reduces):
        return decision  # what was denied as a whole may be sent again, and means the same then
    in_book = split.counted if split.consumed is None else split.consumed
    counted = consume(position, alert, in_book)
    if counted is position:
        return decision
    return evolve(decision, book=decision.book.with_position(counted))


def _decide(
    book: PositionBook, alert: Alert, cause: AlertRef, context: DecisionContext, split: OrderSplit
) -> Decision:
    if late := too_late(book, alert, cause, context, split):
        return Decision(book, denials=(late,), rejects=True)
    alert = _as_order(alert, split)
    if alert.moves_only:
        return _move(book, alert, cause, context)
    book, cancels = _cancel_working(book, alert, split, cause, context)
    if split.denial:
        return Decision(book, denials=(split.denial,), cancels=cancels)
    position = book.position(context.strategy)
    is_owed = _may_be_owed(book, alert, context)
    signals = _said(position, alert, split, cause, is_owed=is_owed)
    if position.symbol != alert.symbol or signals is not position.signals:
        position = evolve(position, symbol=alert.symbol, signals=signals)
    warnings = (
        *list_warnings(alert, split, context, book),
        *warn_of_stop(position, split, context),
    )
    decision = Decision(book, cancels=cancels, warnings=warnings)
    if alert.action == "cancel":
        return _cancel(decision, position)
    if split.reduces > 0 or is_owed:
        position = _reduce(position, alert, split, cause, context, book)
        is_resting = (
            split.reduces > 0 and position.exit is not None and position.exit.cause is cause
        )
        if is_resting and (EXIT, 0) not in wanted_legs(book, position):
            decision = evolve(decision, warnings=(*decision.warnings, NO_ROOM))
    decision = evolve(decision, book=book.with_position(position), reduces=split.reduces)
    if split.opens != 0 and context.opens_here and not is_rest(split, book):
        return _open(decision, alert, split, cause, context)
    if split.reduces == 0:
        code, text = say_nothing(position, alert, split, context, book)
        return evolve(decision, code=code, message=text)
    return decision


def _tell_entries(book: PositionBook, alert: Alert, context: DecisionContext) -> PositionBook:
    """Let what an entry still fills come under the levels that were moved, and not under its own."""
    for order in book.open_orders(context.strategy, ENTRY):
        if order.filled:
            stop = order.stop_loss if alert.stop_loss is None else alert.stop_loss
            has_target = alert.take_profit is not None or bool(alert.take_profits)
            target = alert.take_profit if has_target else order.take_profit
            many = () if has_target else order.take_profits
            book = book.with_order(
                evolve(order, stop_loss=stop, take_profit=target, take_profits=many)
            )
    return book


def _as_order(alert: Alert, split: OrderSplit) -> Alert:
    """Return a `reverse` as the order that it comes to here; every other alert as it is."""
    if alert.action != "reverse" or not split.side:
        return alert
    return replace(alert, action=split.side, quantity=None, market_position=None)


def _open(
    decision: Decision, alert: Alert, split: OrderSplit, cause: AlertRef, context: DecisionContext
) -> Decision:
    """Bear the opening order, or say why there is none."""
    order, denial = build_entry(decision.book, alert, split, cause, context)
    if denial:
        return evolve(decision, denials=(denial,))
    warnings = decision.warnings
    if split.sized is not None and alert.quantity is not None:
        own, its = write_number(alert.quantity), write_number(order.quantity)
        warnings += (f"quantity {own} was not used: the sizing of {context.strategy} says {its}",)
    size = split.sized or split.size
    is_rounded = order.quantity != split.opens and order.quote_quantity is None
    if is_rounded and split.opens is not None and not size.how:
        rounded = write_number(order.quantity)
        warnings += (
            f"{write_number(split.opens)} was rounded down to {rounded}, the nearest step",
        )
    if apart := differs_from_stated(alert, split, decision.book, context):
        warnings += (apart,)
    book = decision.book.with_order(order)
    return evolve(decision, book=book, opening=order, warnings=warnings, how=size.how)


def _move(book: PositionBook, alert: Alert, cause: AlertRef, context: DecisionContext) -> Decision:
    """Move the stop of what is held, or say why it stays."""
    move = move_to_break_even if alert.action == "breakeven" else move_levels
    position, denial, code, text = move(book, alert, cause, context)
    if denial:
        return Decision(book, denials=(denial,))
    has_moved = position is not book.position(context.strategy)
    moved = book.with_position(position) if has_moved else book
    if has_moved and alert.action == "update":
        moved = _tell_entries(moved, alert, context)
    warnings = tuple(
        f"ignored on an order that opens nothing: {text}" for text in alert.unsupported
    )
    return Decision(moved, code=code, message=text, has_moved=has_moved, warnings=warnings)


def too_late(
    book: PositionBook, alert: Alert, cause: AlertRef, context: DecisionContext, split: OrderSplit
) -> Denial | None:
    """Refuse an alert that a later one has overtaken, or that is too old and only opens."""
    if alert.action == "cancel" or alert.moves_only or split.denial:
        return None
    position = book.position(context.strategy)
    if context.sync and _is_against_itself(alert, split):
        text = (
            f"{context.strategy} holds {write_number(split.held)} {book.instrument.symbol}, so "
            f"a {alert.action} "
            f"would have to {split.side} to reach the stated position: an earlier or a later alert "
            "belongs before it. The next one heals it."
        )
        return Denial("STALE_ORDER", text, split.side, split.reduces or split.opens)
    is_last = cause.fired_at is None and cause.seq >= position.signals.closed
    if is_last and not context.times.expired:
        return None
    if _is_stale(alert, book, split, cause, context):
        text = "A later alert of this strategy on this symbol has already overtaken this one."
        return Denial("STALE_ORDER", text, split.side, split.reduces or split.opens)
    if split.reduces == 0 and split.opens != 0 and context.times.expired:
        return Denial("EXPIRED", context.times.expired, split.side, split.opens)
    return None


def _is_against_itself(alert: Alert, split: OrderSplit) -> bool:
    """Whether an alert would trade the other way than it says, to reach its position (rules 3.13)."""
    is_order = alert.action in ("buy", "sell")
    return is_order and split.side != alert.action and (split.reduces > 0 or split.opens != 0)


def _is_stale(
    alert: Alert, book: PositionBook, split: OrderSplit, cause: AlertRef, context: DecisionContext
) -> bool:
    signals, fired = book.position(context.strategy).signals, cause.fired_at
    if context.sync:
        previous = _previous(alert, split.held, book, context)
        return is_stale_target(signals, fired, previous, split.held)
    if split.reduces > 0 or alert.only_reduces:
        units = split.size.units
        before = signal_before(alert, split.side, units)
        partial = before is not None and units is not None and before > units
        return is_stale_reducing(signals, fired, partial)
    return split.opens != 0 and is_stale_opening(signals, cause, split.side)


def _cancel(decision: Decision, position: StrategyPosition) -> Decision:
    """Carry out `cancel`: working entries and a resting exit end, stops and targets stay."""
    count = decision.cancels + (position.exit is not None)
    book = decision.book.with_position(evolve(position, exit=None))
    if count:
        return evolve(decision, book=book, cancels=count)
    text = f"{position.strategy} has no working order for {book.instrument.symbol}."
    return evolve(decision, book=book, code="NOTHING_TO_CANCEL", message=text)


def _previous(
    alert: Alert, held: Decimal, book: PositionBook, context: DecisionContext
) -> Decimal | None:
    """Return the position the alert comes from, stated or told by its own order (rules 3.13)."""
    before = alert.previous_position
    if before is None and alert.previous_side == "flat":
        before = ZERO
    is_order = alert.action in ("buy", "sell") and alert.quantity_type == "fixed"
    if before is None and is_order and None not in (alert.position_size, alert.quantity):
        size, moved = alert.position_size or ZERO, alert.quantity or ZERO
        before = size - moved if alert.action == "buy" else size + moved
    if before is None:
        return None
    # What went as the fee in the coin itself is no other position.
    before *= context.multiplier
    return held if is_near(before, held, book.instrument) else before


def _said(
    position: StrategyPosition, alert: Alert, split: OrderSplit, cause: AlertRef, *, is_owed: bool
) -> SignalHistory:
    closes_all = alert.only_reduces and alert.quantity is None
    closes_all |= (split.reduces > 0 or is_owed) and split.reduces == abs(
        position.projected_quantity
    )
    only = None
    if (
        position.projected_quantity == 0
        and split.opens == 0
        and alert.action != "cancel"
        and not closes_all
    ):
        # rules 2.6: what could only reduce has overtaken the entry it was to close.
        only = _CLOSES.get(alert.action)
        closes_all = alert.action == "close"
    return mark_said(position.signals, cause, closes_all=closes_all, only=only)


def _cancel_working(
    book: PositionBook, alert: Alert, split: OrderSplit, cause: AlertRef, context: DecisionContext
) -> tuple[PositionBook, int]:
    """End the strategy's working entries, unless it pyramids and this one adds to the same side."""
    count = 0
    for order in book.open_orders(context.strategy, ENTRY):
        adds = context.pyramid and alert.action == order.side and split.reduces == 0
        if adds or order.end_status or order.cause.alert_id == cause.alert_id:
            continue
        book = book.with_order(evolve(order, end_status="cancelled", next_action_at=None))
        count += 1
    return book, count


def _may_be_owed(book: PositionBook, alert: Alert, context: DecisionContext) -> bool:
    """Tell whether an entry may still turn out to have filled that this alert closes or turns round."""
    return bool(_unseen(book, alert, context))


def _unseen(book: PositionBook, alert: Alert, context: DecisionContext) -> list[Order]:
    """Return the entries that left, may still fill, and would be taken by this alert if they had."""
    held = book.position(context.strategy).projected_quantity
    adds = (held > 0 and alert.action == "buy") or (held < 0 and alert.action == "sell")
    if alert.action == "cancel" or (adds and not alert.only_reduces):
        return []
    return [
        order
        for order in book.open_orders(context.strategy, ENTRY)
        if order.sent_at is not None and order.side != _KEPT.get(alert.action)
    ]


def _reduce(
    position: StrategyPosition,
    alert: Alert,
    split: OrderSplit,
    cause: AlertRef,
    context: DecisionContext,
    book: PositionBook,
) -> StrategyPosition:
    """Write the reducing part down as a wish: a level of its own rests, everything else is owed now."""
    limit, stop = order_levels(alert)
    if limit or stop:
        tick = book.instrument.tick
        limit = nearest_to(limit, tick) if limit is not None else None
        stop = nearest_to(stop, tick) if stop is not None else None
        # A whole share may end between two steps; what is left of it is too small to be ordered.
        size = floor_to(split.reduces or _most(book, alert, split, context), book.instrument.step)
        # Half a stop-limit works as what it has.
        kind = "stop_limit" if limit and stop else "stop" if stop else "limit"
        resting = RestingExit(cause, size, kind, limit, stop)
        return evolve(position, exit=resting if size > 0 else None)
    keep = abs(position.projected_quantity) - split.reduces
    owed = evolve(
        position, reduce_to=keep, exit_cause=cause, exit_requested_at=context.times.now, exit=None
    )
    return owed.reset_retries(REDUCE)  # a new wish is tried at once


def _most(book: PositionBook, alert: Alert, split: OrderSplit, context: DecisionContext) -> Decimal:
    """Return how much a resting exit may come to take of what is not known to be held yet."""
    position = book.position(context.strategy)
    if position.reduce_to is not None or position.projected_quantity != 0:
        return ZERO  # an earlier exit takes all that comes, or something else is held
    held = sum((order.leaves_quantity for order in _unseen(book, alert, context)), ZERO)
    units = split.size.units
    return held if units is None else min(held, units * context.multiplier)


def is_heard(
    book: PositionBook,
    alert: Alert,
    cause: AlertRef,
    context: DecisionContext,
    split: OrderSplit | None = None,
) -> bool:
    """Tell whether an alert's price may move the symbol (rules 12.4).

    Not where it came too late, nor where it opens only and is denied because it cannot be read or does not
    say how much. `split` is the alert cut at zero where that was done before.
    """
    split = split or split_at_zero(alert, book.position(context.strategy), book, context)
    if too_late(book, alert, cause, context, split):
        return False
    if alert.action == "cancel" or alert.moves_only or split.reduces > 0:
        return True
    if split.denial:
        return False
    is_refused = alert.unsupported or (alert.delayed_feed and not context.allow_delayed)
    return split.opens == 0 or (split.opens is not None and not is_refused)
