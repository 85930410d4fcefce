"""Watch what protects a position: since when it is bare, and what to do where it cannot be protected.

Rules 7.3. Nothing is placed here: a position that must be closed is given the wish to leave.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from brokers.protocol import CROSSED
from desk.formats import write_number
from desk.orders.evolve import evolve
from desk.orders.legs import is_protected
from desk.orders.moving_stop import move_after_target
from desk.orders.order import ENTRY, EXIT, REDUCE, STOP_LOSS, TAKE_PROFIT, Order
from desk.orders.plan import HOPELESS_AFTER, UNPROTECTED_MS
from desk.orders.position_book import PositionBook
from desk.orders.targets import take_part

ZERO = Decimal(0)


def watch_protection(book: PositionBook, now: int) -> PositionBook:
    """Return the book with each position knowing since when it is bare; told once it was so for 5 seconds."""
    for position in list(book.restless.values()):
        if not (position.is_guarded or position.unprotected_since):
            continue
        leaves = position.has_pending_exit and any(
            not o.is_resting for o in book.open_orders(position.strategy, EXIT)
        )
        if is_protected(book, position) is not False or leaves:
            if position.unprotected_since:
                book = book.with_position(
                    evolve(position, unprotected_since=0, unprotected_notified=False)
                )
        elif not position.unprotected_since:
            book = book.with_position(evolve(position, unprotected_since=now))
        elif (
            not position.unprotected_notified and now - position.unprotected_since >= UNPROTECTED_MS
        ):
            text = (
                f"{write_number(abs(position.quantity))} {book.instrument.symbol} of {position.strategy} on "
                f"{book.account} is without its protection for "
                f"{(now - position.unprotected_since) // 1000} s; "
                "it is being pursued. Look at the venue."
            )
            book = book.with_position(evolve(position, unprotected_notified=True))
            book = book.with_notice("bare_share", text, position.protection_cause.alert_id)
    return book


def meet_refused_leg(book: PositionBook, order: Order, code: str, now: int) -> PositionBook:
    """Close a position whose stop cannot be placed or whose level is already passed, or tell of it."""
    position = book.position(order.strategy)
    tries = position.retry_state(order.purpose).failures
    is_hopeless = order.kind == STOP_LOSS and tries >= HOPELESS_AFTER
    is_crossed = code == CROSSED and order.kind in (STOP_LOSS, TAKE_PROFIT)
    if not (is_hopeless or is_crossed) or position.quantity == 0 or position.reduce_to == 0:
        return book
    held = order.leaves_quantity if order.part else abs(position.quantity)
    what = f"{write_number(held)} {book.instrument.symbol} of {position.strategy}"
    why = "its level is already passed" if is_crossed else "the venue refuses it"
    text = f"The {order.kind.replace('_', ' ')} for {what} on {book.account} cannot stand: {why}."
    if not book.closes_unprotected:
        if tries != (HOPELESS_AFTER if order.kind == STOP_LOSS else 1):
            return book
        return book.with_notice("unprotected", f"{text} Nothing was closed.", order.cause.alert_id)
    if is_crossed and order.kind == TAKE_PROFIT and order.part:
        return _close_part(book, order, text, now)
    # One number later than the entry: what this very entry still fills must not stay either.
    owed = replace(order.cause, seq=order.cause.seq + 1, guard=order.kind)
    closing = evolve(
        position, reduce_to=ZERO, exit_cause=owed, exit_requested_at=now, exit=None
    ).reset_retries(REDUCE)
    book = book.with_position(closing)
    for entry in book.open_orders(order.strategy, ENTRY):
        if entry.cause.seq < owed.seq:
            book = book.with_order(evolve(entry, end_status="cancelled", next_action_at=None))
    return book.with_notice("unprotected", f"{text} It is closed.", order.cause.alert_id)


def _close_part(book: PositionBook, order: Order, text: str, now: int) -> PositionBook:
    """Close the part of a target whose level is already passed: its target is reached."""
    position = book.position(order.strategy)
    stays = max(ZERO, abs(position.projected_quantity) - order.leaves_quantity)
    owed = replace(order.cause, guard=order.kind)
    taken = order.leaves_quantity
    position = take_part(position, order.part, taken, book.instrument)
    position = move_after_target(position, order.part, book.instrument.tick)
    leaving = evolve(position, reduce_to=stays, exit_cause=owed, exit_requested_at=now)
    book = book.with_position(leaving.reset_retries(REDUCE))
    what = f"Its part, {write_number(taken)}, is closed."
    return book.with_notice("unprotected", f"{text} {what}", order.cause.alert_id)
