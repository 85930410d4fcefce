"""Name the next step: what is missing between what the positions wish for and what the venue has.

One request per instrument is on its way at a time, so a plan is the single most urgent thing to do: leave
what must be left, cancel what must end, protect what is held, look up what is unknown, release an entry
that waited. A partial fill, a refusal, a crash and a close by hand are the same comparison. Pure; it never
creates an opening order.
"""

from __future__ import annotations

from decimal import Decimal

from desk.formats import write_number
from desk.orders.attached import attach_legs
from desk.orders.evolve import evolve
from desk.orders.journal import say_unreached
from desk.orders.legs import (
    LEGS,
    Leg,
    LegName,
    LegPair,
    leg_of,
    linked_pairs,
    reduces,
    reducing_order,
    stands,
    wanted_legs,
)
from desk.orders.order import ENTRY, EXIT, REDUCE, STOP_LOSS, TAKE_PROFIT, AlertRef, Order
from desk.orders.position_book import PositionBook
from desk.orders.resizing import change_leg, is_outdated
from desk.orders.rounding import floor_to
from desk.orders.steps import Cancel, Discard, QueryOrder, ReadAccount, Step, Submit, SubmitOco
from desk.orders.strategy_position import RETRY_RESET_MS, StrategyPosition

ZERO = Decimal(0)


PATIENCE_MS = 3_000
"""How long a read is waited for before it is asked for again."""


UNPROTECTED_MS = 5_000
"""How long a position that is meant to be protected may be bare before the user hears of it."""


HOPELESS_AFTER = 2
"""How often a stop may be refused before the position counts as one that cannot be protected."""


def next_step(book: PositionBook, now: int) -> Step | None:
    """Return the most urgent step for this instrument, or None while a request is out or all is well."""
    wishing = [position for position in book.restless.values() if position.has_targets]
    if book.is_calling or not (wishing or book.orders):
        return None
    for position in wishing:
        if step := _leave(book, position, now):
            return step
    open_orders = book.open_orders()
    if step := _end_orders(book, open_orders, now):
        return step
    if step := _look_up(open_orders, now):
        return step
    for position in wishing:
        if _cancels_first(book.capabilities) and _is_leaving(position, now):
            continue
        if step := _protect(book, position, now):
            return step
    return _release(book, open_orders, now)


def wakes_at(book: PositionBook, now: int) -> int | None:
    """Return the next moment at which time alone may change the plan; what was due by now was planned."""
    times: list[int] = []
    for order in book.open_orders():
        times += [t for t in (order.next_action_at, order.expires_at, order.submit_by) if t]
    for position in book.restless.values():
        if position.has_targets:
            times += [each.retry_at for each in position.retries.values()]
            if position.has_pending_exit and book.venue_position.requested_at:
                times.append(book.venue_position.requested_at + PATIENCE_MS)
        if position.unprotected_since and not position.unprotected_notified:
            times.append(position.unprotected_since + UNPROTECTED_MS)
    return min((at for at in times if at > now), default=None)


def _leave(book: PositionBook, position: StrategyPosition, now: int) -> Step | None:
    """Send the exit that a lowered `reduce_to` asks for, once nothing stands in its way."""
    if position.reduce_to is None or now < position.retry_state(REDUCE).retry_at:
        return None
    exits = book.open_orders(position.strategy, EXIT)
    leaving = sum((order.leaves_quantity for order in exits if not order.is_resting), ZERO)
    needed = floor_to(abs(position.quantity) - position.reduce_to - leaving, book.instrument.step)
    if needed < book.instrument.smallest:
        return None
    in_the_way = [order for order in exits if order.is_resting]
    if _cancels_first(book.capabilities):
        in_the_way += book.open_orders(position.strategy, STOP_LOSS, TAKE_PROFIT)
    for order in in_the_way:
        if order.status == "accepted" and _is_due(order, now):
            return Cancel(order.client_id, "cancelled")
    if in_the_way:
        return None
    if "local" not in book.capabilities and (
        _may_oversell(book.capabilities) or position.retry_state(REDUCE).has_failed
    ):
        if not _is_seen(book, position):
            return _read(book, now)
        needed = min(needed, _available(book, position))
        if needed < book.instrument.smallest:
            return None
    return Submit(
        reducing_order(
            book, position, (EXIT, 0), position.exit_cause, (needed, "market", None, None), now
        )
    )


def _cancels_first(capabilities: frozenset[str]) -> bool:
    """Whether an exit can only leave once what protects the position is gone."""
    return "locks_balance" in capabilities or "reduce_only" not in capabilities


def _may_oversell(capabilities: frozenset[str]) -> bool:
    """Whether the venue would let an exit that is too large open the other side."""
    return "reduce_only" not in capabilities and "locks_balance" not in capabilities


def _is_seen(book: PositionBook, position: StrategyPosition) -> bool:
    """Whether the position was read since the last order here and since the exit was asked for.

    Read before every exit where an exit could open the other side; elsewhere after a failure, because the
    position may differ, and there a read that fails is not waited for again.
    """
    venue_position = book.venue_position
    is_fresh = venue_position.read_at > 0 and venue_position.read_at >= max(
        book.acted_at, position.exit_requested_at
    )
    return is_fresh and (
        venue_position.quantity is not None or not _may_oversell(book.capabilities)
    )


def _read(book: PositionBook, now: int) -> ReadAccount | None:
    """Ask for a read, unless one was asked for a moment ago."""
    is_asked = (
        book.venue_position.requested_at >= max(book.acted_at, 1)
        and now < book.venue_position.requested_at + PATIENCE_MS
    )
    return None if is_asked else ReadAccount()


def _available(book: PositionBook, position: StrategyPosition) -> Decimal:
    """Return what the venue was seen to hold for an exit to take; the whole position if the read failed."""
    if book.venue_position.quantity is None:
        return abs(position.quantity)
    held = book.venue_position.quantity if position.quantity > 0 else -book.venue_position.quantity
    return floor_to(max(held, ZERO), book.instrument.step)


def _is_leaving(position: StrategyPosition, now: int) -> bool:
    """Whether an exit is to be sent now: until it failed, its protection is not put back."""
    return position.has_pending_exit and now >= position.retry_state(REDUCE).retry_at


def _end_orders(book: PositionBook, open_orders: list[Order], now: int) -> Step | None:
    """Cancel what shall end, what has lived its time, and legs that no longer match their wish."""
    for order in open_orders:
        if order.sent_at is None:
            if step := _end_waiting(book, order, now):
                return step
        elif order.status == "accepted" and _is_due(order, now):
            if order.end_status:
                return Cancel(order.client_id, order.end_status)
            if order.expires_at and now >= order.expires_at:
                return Cancel(order.client_id, "expired")
            if order.kind not in LEGS or order.amended_from is not None:
                continue
            if not _is_newest(book, order):
                return Cancel(order.client_id, "cancelled")
            if not _is_wanted(book, order) and (step := _change(book, order)):
                return step
    return None


def _end_waiting(book: PositionBook, order: Order, now: int) -> Step | None:
    if order.end_status:
        return Discard(order.client_id, order.end_status, None, "It was ended before it left.")
    if order.submit_by is not None and now >= order.submit_by:
        what = f"the order to {order.side} {write_number(order.quantity)} {book.instrument.symbol}"
        text = f"T{what[1:]} waited too long and was not sent (webhook.max_age_seconds)."
        if order.status == "unreached":
            why = say_unreached(book.account, order.message or "")
            text = f"{why}. By then {what} was too old to be sent (webhook.max_age_seconds)."
        return Discard(order.client_id, "expired", "EXPIRED", text)
    return None


def _is_wanted(book: PositionBook, order: Order) -> bool:
    position = book.position(order.strategy)
    if (
        not order.is_resting
    ):  # an exit at the market that still works: until nothing is left to leave
        return position.has_pending_exit
    want = wanted_legs(book, position).get(leg_of(order))
    return want is not None and stands(order, want) and reduces(order, position)


def _change(book: PositionBook, order: Order) -> Step | None:
    """Return what becomes of a working order that is not wished for as it is; None: it is replaced first."""
    return change_leg(book, order) if order.is_resting else Cancel(order.client_id, "cancelled")


def _is_newest(book: PositionBook, order: Order) -> bool:
    """Whether no other leg of its kind stands that was placed when this one could not be seen."""
    others = book.open_orders(order.strategy, order.kind)
    return not any(
        each.is_resting
        and each.status == "accepted"
        and each.part == order.part
        and each.attempt > order.attempt
        for each in others
    )


def _protect(book: PositionBook, position: StrategyPosition, now: int) -> Step | None:
    """Place the legs that are wished for and do not stand, linked where the venue links them."""
    if not (position.is_guarded or position.exit):
        return None
    wants = wanted_legs(book, position)
    if any(not order.is_resting for order in book.open_orders(position.strategy, EXIT)):
        wants.pop((EXIT, 0), None)  # what leaves at the market is not offered twice
    standing = {
        leg_of(o): o
        for o in book.open_orders(position.strategy, *LEGS)
        if o.is_resting and not o.is_unseen and not is_outdated(book, o)
    }
    for pair in linked_pairs(wants) if "oco" in book.capabilities else ():
        missing = [leg for leg in pair if leg not in standing]
        may_link = _may_link(position, pair[1][0], now)
        if len(missing) == 2 and (EXIT, 0) not in standing and may_link:
            return _place_pair(book, position, pair, wants, now)
        if missing and "locks_balance" in book.capabilities:
            # One alone locks all that the other needs.
            alone = _stands_alone(standing, pair, wants)
            if alone is not None and (may_link or alone.kind != STOP_LOSS):
                may_end = alone.status == "accepted" and _is_due(alone, now)
                return Cancel(alone.client_id, "cancelled") if may_end else None
            wants.pop(pair[1])
    for leg, want in wants.items():
        kind = leg[0]
        if leg in standing or now < position.retry_state(kind).retry_at:
            continue
        if kind == EXIT and book.open_orders(position.strategy, EXIT):
            continue
        return Submit(reducing_order(book, position, leg, _cause(position, kind), want, now))
    return None


def _stands_alone(
    standing: dict[LegName, Order], pair: LegPair, wants: dict[LegName, Leg]
) -> Order | None:
    """Return what locks the coins of a pair: one leg of it, or one that is not wished for any more."""
    return next((order for leg, order in standing.items() if leg in pair or leg not in wants), None)


def _may_link(position: StrategyPosition, other: str, now: int) -> bool:
    """Whether a stop may leave in a pair: not while the other leg pauses, nor while the stop itself fails."""
    stop = position.retry_state(STOP_LOSS)
    is_calm = stop.failures < HOPELESS_AFTER or now - stop.retry_at >= RETRY_RESET_MS
    return is_calm and now >= position.retry_state(other).retry_at


def _place_pair(
    book: PositionBook,
    position: StrategyPosition,
    pair: LegPair,
    wants: dict[LegName, Leg],
    now: int,
) -> SubmitOco | None:
    """Place a stop and what is linked to it when the stop may be tried: a target's pause never delays it."""
    if now < position.retry_state(STOP_LOSS).retry_at:
        return None
    stop, other = (
        reducing_order(book, position, leg, _cause(position, leg[0]), wants[leg], now)
        for leg in pair
    )
    return SubmitOco((stop, other))


def _cause(position: StrategyPosition, kind: str) -> AlertRef:
    return position.exit.cause if kind == EXIT and position.exit else position.protection_cause


def _look_up(open_orders: list[Order], now: int) -> Step | None:
    for order in open_orders:
        is_doubted = order.status == "unknown" or order.amended_from is not None
        if is_doubted and _is_due(order, now):
            return QueryOrder(order.client_id)
    return None


def _release(book: PositionBook, open_orders: list[Order], now: int) -> Step | None:
    """Let an entry leave whose position no longer stands against it, and behind which nothing is unclear."""
    for order in open_orders:
        if order.kind != ENTRY or order.sent_at is not None or not _is_due(order, now):
            continue
        position = book.position(order.strategy)
        against = position.quantity != 0 and (position.quantity > 0) != (order.side == "buy")
        ending = any(
            o.end_status for o in book.open_orders(order.strategy, ENTRY) if o is not order
        )
        if not against and not ending and position.reduce_to is None and book.unresolved is None:
            return _send_entry(book, position, order)
    return None


def _send_entry(book: PositionBook, position: StrategyPosition, order: Order) -> Step:
    """Send an entry; of one that trades to a stated position what is still missing, or nothing."""
    if order.target_position is not None:
        missing = floor_to(abs(order.target_position - position.quantity), book.instrument.step)
        if missing < book.instrument.smallest or (order.target_position > position.quantity) != (
            order.side == "buy"
        ):
            text = f"{position.strategy} held {position.quantity} by the time it was to leave."
            return Discard(order.client_id, "cancelled", "AT_TARGET", text)
        order = evolve(order, quantity=min(order.quantity, missing))
    return Submit(attach_legs(book, position, order))


def _is_due(order: Order, now: int) -> bool:
    return order.next_action_at is None or now >= order.next_action_at
