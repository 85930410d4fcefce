"""Apply what happened to a book: a step that was taken, a receipt that came back, an order that was seen.

Nothing here decides what to do next (that is `plan`) or what an alert means (that is `decide`). A receipt is
believed once; what fills do to a position stands in `fills`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from decimal import Decimal

from brokers.protocol import CROSSED, FILTER, THROTTLED, OrderReport
from desk.orders.attached import bear_legs
from desk.orders.evolve import evolve
from desk.orders.fills import executed, take_fills, write_off
from desk.orders.journal import say_unreached
from desk.orders.order import ENTRY, EXIT, LOOK_UPS, NO_ALERT, REDUCE, STOP_LOSS, TAKE_PROFIT, Order
from desk.orders.position_book import PositionBook
from desk.orders.protection import meet_refused_leg
from desk.orders.resizing import begin_amend, take_quantity
from desk.orders.steps import (
    Amend,
    Cancel,
    Discard,
    QueryOrder,
    ReadAccount,
    Step,
    Submit,
    SubmitOco,
)
from desk.orders.strategy_position import NO_GUARD, StrategyPosition

ZERO = Decimal(0)


ABSENT_AFTER_LOOKS = 3


ABSENT_AFTER_MS = 10_000


LISTED_AFTER_MS = 2_000
"""How long after its send a list of working orders shows an order that exists."""


LOOK_AGAIN_MS = 1_000
"""The pause between look-ups that are answered, once an order could be believed absent."""


ASK_AT_EVERY_READ = 6
"""How often a cancel that ends nothing is asked again at every read, before only its own pauses count."""


FINAL = frozenset({"filled", "partly_filled", "cancelled", "expired", "refused"})


class InvariantBroken(Exception):
    """A reducing order would be larger than its position: a fault of ours, never to be sent."""


def take_step(book: PositionBook, step: Step, now: int) -> PositionBook:
    """Return the book once `step` is on its way. Raises `InvariantBroken` instead of overselling."""
    if isinstance(step, ReadAccount):
        return evolve(book, venue_position=replace(book.venue_position, requested_at=now))
    if not book.paper:
        book = _acted(book, now)
    if isinstance(step, Submit):
        return _send(book, step.order, now)
    if isinstance(step, SubmitOco):
        for order in step.orders:
            book = _send(book, order, now)
        return book
    order = book.orders[step.client_id]
    if isinstance(step, Cancel):
        return book.with_order(
            evolve(order, in_flight="cancel", end_status=order.end_status or step.end_status)
        )
    if isinstance(step, Amend):
        _check_reducing(book, evolve(order, quantity=step.quantity - order.filled))
        return book.with_order(begin_amend(order, step.quantity))
    if isinstance(step, QueryOrder):
        return book.with_order(evolve(order, in_flight="look"))
    return _drop(book, order, step, now)


def receive(
    book: PositionBook, report: OrderReport, now: int, asked_at: int | None = None
) -> PositionBook:
    """Return the book after what a venue said of one order, and of those linked to it.

    An order that is not ours changes nothing. A late answer tells how it was when it was `asked_at`.
    """
    for linked in report.linked:
        book = receive(book, linked, now, asked_at)
    order = book.orders.get(report.client_id)
    if order is None:
        return book
    book = take_fills(book, order, report)
    order = book.orders[report.client_id]
    if not order.is_open:
        return book
    if not book.paper:
        book = _acted(book, now)
    order = evolve(
        take_quantity(order, report),
        in_flight="",
        broker_id=report.broker_id or order.broker_id,
        code=report.code or order.code,
        # Why it could not be sent before is over once it was.
        message=report.message or (order.message if order.status != "unreached" else None),
    )
    match report.status:
        case "accepted":
            book = _accept(book, order, now)
        case "unknown":
            book = _doubt(book, order, now)
        case "absent":
            book = _miss(book, order, now if asked_at is None else asked_at, now)
        case "unreached":
            book = _unreached(book, order, now)
        case "refused":
            book = _refuse(book, order, report, now)
        case _:
            book = _end(book, order, report.status, now)
    book = bear_legs(book, book.orders.get(report.client_id, order), now)
    return settle(book, order.strategy, now)


def observe(book: PositionBook, report: OrderReport, now: int, began: int) -> PositionBook:
    """Return the book after a read saw one of its orders; a request about it may be on its way meanwhile.

    Fills and an end are facts whatever else is going on; anything less changes nothing.
    """
    order = book.orders.get(report.client_id)
    if order is None or not order.is_open:
        return book
    if report.status in FINAL or (report.status != order.status and not order.in_flight):
        return receive(book, report, now, began)
    if (
        order.end_status
        and not order.in_flight
        and order.next_action_at
        and order.queries < ASK_AT_EVERY_READ
    ):
        # It works although it should have ended, and the venue answers: cancel it again now.
        book = book.with_order(evolve(order, next_action_at=min(order.next_action_at, now)))
        order = book.orders[report.client_id]
    seen = take_fills(book, order, report)
    if seen is book:
        return book
    return settle(bear_legs(seen, seen.orders[order.client_id], now), order.strategy, now)


def miss_legs(book: PositionBook, working: Collection[str], began: int) -> PositionBook:
    """Return the book after a list of all that works was read: a stop that is not in it is placed anew.

    Only where both together can take no more than is held (rules 8); the old one is looked up on.
    """
    if "reduce_only" not in book.capabilities:
        return book
    for order in book.open_orders(None, STOP_LOSS, TAKE_PROFIT):
        is_due = order.sent_at is not None and began - order.sent_at >= LISTED_AFTER_MS
        is_open = order.status == "unknown" and not order.is_unseen and is_due
        if is_open and order.client_id not in working:
            book = book.with_order(evolve(order, is_unseen=True))
    return book


def settle_by_hand(book: PositionBook, report: OrderReport, now: int) -> PositionBook:
    """Return the book after an operator said what became of an unknown order."""
    if report.status != "absent":
        return receive(book, report, now)
    order = evolve(book.orders[report.client_id], in_flight="")
    return settle(_believe_absent(book.with_order(order), order, now), order.strategy, now)


def settle(book: PositionBook, strategy: str, now: int) -> PositionBook:
    """Return the book with the wishes of one position ended that have come true.

    What is too small to be ordered is no position any more: its levels must not pass to the next one, also
    where an order of the strategy still works and it is not written off yet. An exit with a level of its own
    stays while an older entry may still turn out to have filled.
    """
    position = book.position(strategy)
    is_dust = abs(position.quantity) < book.instrument.smallest
    rest = (
        position.exit
        if position.exit and book.entries_before(strategy, position.exit.cause)
        else None
    )
    if is_dust and (position.is_guarded or position.exit is not rest):
        position = evolve(position, **NO_GUARD, exit=rest).reset_retries(
            STOP_LOSS, TAKE_PROFIT, EXIT
        )
    if position.reduce_to is not None:
        over = abs(position.quantity) - position.reduce_to
        late = book.entries_before(strategy, position.exit_cause)
        leaving = [o for o in book.open_orders(strategy, EXIT) if not o.is_resting]
        if (over <= 0 or over < book.instrument.smallest) and not late and not leaving:
            position = evolve(
                position, reduce_to=None, exit_cause=NO_ALERT, exit_requested_at=0
            ).reset_retries(REDUCE)
    book = book.with_position(position)
    if 0 < abs(position.quantity) < book.instrument.smallest and not book.open_orders(strategy):
        return settle(write_off(book, position, now), strategy, now)
    return book


def _acted(book: PositionBook, now: int) -> PositionBook:
    """Return the book after an order left or came back: what was seen before may not hold any more."""
    return evolve(
        book, acted_at=now, venue_position=replace(book.venue_position, read_at=0, requested_at=0)
    )


def _send(book: PositionBook, order: Order, now: int) -> PositionBook:
    if order.kind != ENTRY:
        _check_reducing(book, order)
    if order.kind != ENTRY or order.legs:
        position = book.position(order.strategy)
        book = book.with_position(evolve(position, serial=position.serial + 1))
    return book.with_order(evolve(order, in_flight="place", sent_at=now))


def _check_reducing(book: PositionBook, order: Order) -> None:
    held = book.position(order.strategy).quantity
    exits = sum((o.leaves_quantity for o in book.open_orders(order.strategy, EXIT)), ZERO)
    total = order.quantity + (exits if order.kind == EXIT else ZERO)
    if total > abs(held) or (order.side == "sell") != (held > 0):
        raise InvariantBroken(
            f"a reducing order of {total} {book.instrument.symbol} against a position of {held}"
        )


def _drop(book: PositionBook, order: Order, step: Discard, now: int) -> PositionBook:
    ended = evolve(order, status=step.status, code=step.code, message=step.message)
    book = book.with_order(ended)
    if step.status == "expired":
        book = book.with_notice("order_expired", step.message, order.cause.alert_id)
    return settle(book, order.strategy, now)


def _accept(book: PositionBook, order: Order, now: int) -> PositionBook:
    if (
        order.status != "accepted"
        and order.time_to_live_ms is not None
        and order.expires_at is None
    ):
        # From the send: an unknown order that is found late has rested all the while.
        order = evolve(order, expires_at=(order.sent_at or now) + order.time_to_live_ms)
    triggered = order.triggered or order.code == "TRIGGERED"
    # A cancel that did not end it is asked again, less and less often.
    again = min(order.queries, len(LOOK_UPS) - 1)
    pause, queries = (now + LOOK_UPS[again], order.queries + 1) if order.end_status else (None, 0)
    order = evolve(
        order,
        status="accepted",
        triggered=triggered,
        next_action_at=pause,
        queries=queries,
        not_found_count=0,
        is_unseen=False,
    )
    book = book.with_order(order)
    if order.unpriced and book.paper:
        return book  # rules 4.4: it may still be denied, and then it has overtaken nothing
    return book.with_position(executed(book.position(order.strategy), order))


def _doubt(book: PositionBook, order: Order, now: int) -> PositionBook:
    first = order.status != "unknown"
    queries = 0 if first else order.queries + 1
    due = now + LOOK_UPS[min(queries, len(LOOK_UPS) - 1)]
    book = book.with_order(evolve(order, status="unknown", queries=queries, next_action_at=due))
    if not first:
        return book
    text = f"{_named(book, order)} may or may not exist; it is being looked up."
    return book.with_notice("order_unknown", text, order.cause.alert_id)


def _miss(book: PositionBook, order: Order, asked_at: int, now: int) -> PositionBook:
    """Believe that an order is absent after three look-ups that do not show it, the last 10 s after the send.

    A look-up that failed is none of them.
    """
    queries, not_found_count = order.queries + 1, order.not_found_count + 1
    order = evolve(order, queries=queries, not_found_count=not_found_count)
    waited = asked_at - (order.sent_at or 0)
    if not_found_count < ABSENT_AFTER_LOOKS or waited < ABSENT_AFTER_MS:
        # rules 8: the ten seconds count from the send, also where the looking began anew after a restart.
        certain_at = max((order.sent_at or 0) + ABSENT_AFTER_MS, now + LOOK_AGAIN_MS)
        due = min(now + LOOK_UPS[min(queries, len(LOOK_UPS) - 1)], certain_at)
        return book.with_order(evolve(order, status="unknown", next_action_at=due))
    return _believe_absent(book, order, now)


def _believe_absent(book: PositionBook, order: Order, now: int) -> PositionBook:
    text = f"{_named(book, order)} never reached the venue."
    book = book.with_order(evolve(order, status="absent", code="ABSENT", message=text))
    book = book.with_notice("order_absent", text, order.cause.alert_id)
    return _failed(book, order, now, is_lost=True)


def _unreached(book: PositionBook, order: Order, now: int) -> PositionBook:
    """Try an entry again under a new id while it is young; an exit is pursued by its wish."""
    # This attempt certainly does not exist; what goes on is the next one, under its own id.
    book = book.with_order(evolve(order, status="absent", code="UNREACHED"))
    is_entry = order.kind == ENTRY
    has_failed = book.position(order.strategy).retry_state(order.purpose).has_failed
    if (order.attempt == 1) if is_entry else not has_failed:
        why = say_unreached(book.account, order.message or "")
        text = f"{_named(book, order)} could not be sent: {why}. It is tried again."
        book = book.with_notice("order_unreached", text, order.cause.alert_id)
    if not is_entry or order.end_status:
        return _failed(book, order, now, is_lost=True)
    attempt = order.attempt + 1
    cid = book.name_order(order.cause.alert_id, order.kind, attempt)
    again = evolve(
        order,
        client_id=cid,
        attempt=attempt,
        status="unreached",
        sent_at=None,
        next_action_at=now + 1_000,
    )
    return book.with_order(again)


def _refuse(book: PositionBook, order: Order, report: OrderReport, now: int) -> PositionBook:
    code = order.code or "REFUSED"
    book = book.with_order(evolve(order, status="refused", code=code))
    if order.kind == STOP_LOSS and report.linked and code not in (CROSSED, THROTTLED):
        return book  # a pair was refused, perhaps for its other leg: the stop is tried alone
    position = book.position(order.strategy)
    retries = position.retry_state(order.purpose)
    is_first = retries.retry_at == 0 if code == THROTTLED else retries.failures == 0
    if order.kind == ENTRY or is_first:
        text = f"{_named(book, order)} was refused: {order.message or code}"
        book = book.with_notice("order_refused", text, order.cause.alert_id)
    if order.kind == ENTRY:
        return book
    if code == THROTTLED:
        until = now + int((report.retry_after or 10) * 1000)
        pause = retries.after_pause(until)
        return book.with_position(position.with_retry(order.purpose, pause))
    is_too_small = code == FILTER and order.purpose == REDUCE and _is_worthless(book, position)
    if is_too_small and not book.open_orders(order.strategy):
        return write_off(book, position, now)
    return meet_refused_leg(_failed(book, order, now), order, code, now)


def _is_worthless(book: PositionBook, position: StrategyPosition) -> bool:
    """Whether coins are worth so little that the venue may really have no order small enough.

    Never so of what reduces a position: reduce-only orders know no smallest worth, and it would stay open.
    """
    if book.instrument.kind != "spot":
        return False
    worth = abs(position.quantity) * position.ledger.average_price * book.instrument.point_value
    return worth < 2 * book.instrument.min_notional


def _failed(book: PositionBook, order: Order, now: int, *, is_lost: bool = False) -> PositionBook:
    """Let the wish behind a reducing order back off; `is_lost`: it failed on the way."""
    if order.kind == ENTRY:
        return book
    position = book.position(order.strategy)
    retries = position.retry_state(order.purpose)
    after = retries.after_unreached(now) if is_lost else retries.after_refusal(now)
    return book.with_position(position.with_retry(order.purpose, after))


def _end(book: PositionBook, order: Order, status: str, now: int) -> PositionBook:
    if status in ("cancelled", "expired") and order.end_status:
        status = order.end_status
    if status != "filled" and order.filled > 0:
        status = "partly_filled"
    # What was ordered by its worth was only estimated: now it is known.
    quantity = (
        order.filled if order.quote_quantity is not None and status == "filled" else order.quantity
    )
    book = book.with_order(evolve(order, status=status, quantity=quantity))
    if status == "expired" and order.kind == ENTRY:
        text = f"{_named(book, order)} was not filled in time and has ended."
        book = book.with_notice("order_expired", text, order.cause.alert_id)
    if status in ("cancelled", "expired") and not order.end_status:  # the venue ended it unasked
        book = _failed(book, order, now)
    return book


def _named(book: PositionBook, order: Order) -> str:
    where = f"{book.account}{' (paper)' if book.paper else ''}"
    kind = order.kind.replace("_", " ")
    return f"The {kind} order to {order.side} {order.quantity} {book.instrument.symbol} on {where}"
