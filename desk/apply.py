"""Apply what happened to a book: a step that was taken, a receipt that came back, an order that was seen.

Nothing here decides what to do next (that is `plan`) or what an alert means (that is `decide`). A receipt is
believed once; what fills do to a share stands in `fills`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from decimal import Decimal

from brokers.protocol import CROSSED, FILTER, THROTTLED, Receipt
from desk.book import (
    ENTRY,
    EXIT,
    KEEP,
    LOOK_UPS,
    NOBODY,
    STOP_LOSS,
    TAKE_PROFIT,
    Book,
    Order,
    Share,
)
from desk.codes import say_unreached
from desk.evolve import evolve
from desk.fills import executed, take_fills, write_off
from desk.plan import BARE_MS, HOPELESS_AFTER, is_protected
from desk.prices import find_far_level
from desk.sizing import plain
from desk.steps import Cancel, Drop, Look, Read, Send, SendPair, Step

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
    """A reducing order would be larger than its share: a fault of ours, never to be sent."""


def take_step(book: Book, step: Step, now: int) -> Book:
    """Return the book once `step` is on its way. Raises `InvariantBroken` instead of overselling."""
    if isinstance(step, Read):
        return evolve(book, sight=replace(book.sight, wanted=now))
    if not book.paper:
        book = _acted(book, now)
    if isinstance(step, Send):
        return _send(book, step.order, now)
    if isinstance(step, SendPair):
        for order in step.orders:
            book = _send(book, order, now)
        return book
    order = book.orders[step.client_id]
    if isinstance(step, Cancel):
        return book.with_order(evolve(order, call="cancel", ends=order.ends or step.ends))
    if isinstance(step, Look):
        return book.with_order(evolve(order, call="look"))
    return _drop(book, order, step, now)


def receive(book: Book, receipt: Receipt, now: int, asked_at: int | None = None) -> Book:
    """Return the book after what a venue said of one order, and of those linked to it.

    An order that is not ours changes nothing. A late answer tells how it was when it was `asked_at`.
    """
    for linked in receipt.linked:
        book = receive(book, linked, now, asked_at)
    order = book.orders.get(receipt.client_id)
    if order is None:
        return book
    book = take_fills(book, order, receipt)
    order = book.orders[receipt.client_id]
    if not order.is_live:
        return book
    if not book.paper:
        book = _acted(book, now)
    order = evolve(
        order,
        call="",
        broker_id=receipt.broker_id or order.broker_id,
        code=receipt.code or order.code,
        # Why it could not be sent before is over once it was.
        message=receipt.message or (order.message if order.status != "unreached" else None),
    )
    match receipt.status:
        case "accepted":
            book = _accept(book, order, now)
        case "unknown":
            book = _doubt(book, order, now)
        case "absent":
            book = _miss(book, order, now if asked_at is None else asked_at, now)
        case "unreached":
            book = _unreached(book, order, now)
        case "refused":
            book = _refuse(book, order, receipt, now)
        case _:
            book = _end(book, order, receipt.status, now)
    return settle(book, order.strategy, now)


def observe(book: Book, receipt: Receipt, now: int, began: int) -> Book:
    """Return the book after a read saw one of its orders; a request about it may be on its way meanwhile.

    Fills and an end are facts whatever else is going on; anything less changes nothing.
    """
    order = book.orders.get(receipt.client_id)
    if order is None or not order.is_live:
        return book
    if receipt.status in FINAL or (receipt.status != order.status and not order.call):
        return receive(book, receipt, now, began)
    if order.ends and not order.call and order.due_at and order.looks < ASK_AT_EVERY_READ:
        # It works although it should have ended, and the venue answers: cancel it again now.
        book = book.with_order(evolve(order, due_at=min(order.due_at, now)))
        order = book.orders[receipt.client_id]
    seen = take_fills(book, order, receipt)
    return book if seen is book else settle(seen, order.strategy, now)


def miss_legs(book: Book, working: Collection[str], began: int) -> Book:
    """Return the book after a list of all that works was read: a stop that is not in it is placed anew.

    Only where both together can take no more than is held (rules 8); the old one is looked up on.
    """
    if "reduce_only" not in book.can:
        return book
    for order in book.live(None, STOP_LOSS, TAKE_PROFIT):
        is_due = order.sent_at is not None and began - order.sent_at >= LISTED_AFTER_MS
        is_open = order.status == "unknown" and not order.is_unseen and is_due
        if is_open and order.client_id not in working:
            book = book.with_order(evolve(order, is_unseen=True))
    return book


def settle_by_hand(book: Book, receipt: Receipt, now: int) -> Book:
    """Return the book after an operator said what became of an unknown order."""
    if receipt.status != "absent":
        return receive(book, receipt, now)
    order = evolve(book.orders[receipt.client_id], call="")
    return settle(_believe_absent(book.with_order(order), order, now), order.strategy, now)


def judge_levels(book: Book, price: Decimal, now: int) -> Book:
    """Return the book after a first price was seen: an entry whose levels are far from it is denied.

    Rules 4.4: what could not be judged when its alert came is judged before anything is filled.
    """
    for order in book.live(None, ENTRY):
        if not order.unpriced:
            continue
        levels = (order.limit_price, order.stop_price, order.stop_loss, order.take_profit)
        far = find_far_level(*levels, known=price, instrument=book.instrument)
        if far is None:
            book = book.with_order(evolve(order, unpriced=False))
            continue
        denied = evolve(order, status="denied", code="LEVEL_FAR", message=far, unpriced=False)
        book = book.with_order(denied).telling("order_denied", far, order.cause.alert_id)
        book = settle(book, order.strategy, now)
    return book


def settle(book: Book, strategy: str, now: int) -> Book:
    """Return the book with the wishes of one share ended that have come true.

    What is too small to be ordered is no position any more: its levels must not pass to the next one, also
    where an order of the strategy still works and it is not written off yet. An exit with a level of its own
    stays while an older entry may still turn out to have filled.
    """
    share = book.share(strategy)
    is_dust = abs(share.quantity) < book.instrument.smallest
    rest = share.exit if share.exit and book.entries_before(strategy, share.exit.cause) else None
    if is_dust and (share.stop or share.target or share.exit is not rest):
        share = evolve(share, stop=None, target=None, exit=rest).calmed(
            STOP_LOSS, TAKE_PROFIT, EXIT
        )
    if share.keep is not None:
        over = abs(share.quantity) - share.keep
        late = book.entries_before(strategy, share.owed)
        leaving = [o for o in book.live(strategy, EXIT) if not o.rests]
        if (over <= 0 or over < book.instrument.smallest) and not late and not leaving:
            share = evolve(share, keep=None, owed=NOBODY, owed_since=0).calmed(KEEP)
    book = book.with_share(share)
    if 0 < abs(share.quantity) < book.instrument.smallest and not book.live(strategy):
        return settle(write_off(book, share, now), strategy, now)
    return book


def watch_protection(book: Book, now: int) -> Book:
    """Return the book with each share knowing since when it is bare; told once it was so for 5 seconds."""
    for share in list(book.restless.values()):
        if not (share.stop or share.target or share.bare_since):
            continue
        leaves = share.owes and any(not o.rests for o in book.live(share.strategy, EXIT))
        if is_protected(book, share) is not False or leaves:
            if share.bare_since:
                book = book.with_share(evolve(share, bare_since=0, bare_told=False))
        elif not share.bare_since:
            book = book.with_share(evolve(share, bare_since=now))
        elif not share.bare_told and now - share.bare_since >= BARE_MS:
            text = (
                f"{plain(abs(share.quantity))} {book.instrument.symbol} of {share.strategy} on "
                f"{book.account} is without its protection for {(now - share.bare_since) // 1000} s; "
                "it is being pursued. Look at the venue."
            )
            book = book.with_share(evolve(share, bare_told=True))
            book = book.telling("bare_share", text, share.guarded_by.alert_id)
    return book


def _acted(book: Book, now: int) -> Book:
    """Return the book after an order left or came back: what was seen before may not hold any more."""
    return evolve(book, acted_at=now, sight=replace(book.sight, at=0, wanted=0))


def _send(book: Book, order: Order, now: int) -> Book:
    if order.kind != ENTRY:
        _check_reducing(book, order)
    if order.kind != ENTRY or order.legs:
        share = book.share(order.strategy)
        book = book.with_share(evolve(share, serial=share.serial + 1))
    return book.with_order(evolve(order, call="place", sent_at=now))


def _check_reducing(book: Book, order: Order) -> None:
    held = book.share(order.strategy).quantity
    exits = sum((o.left for o in book.live(order.strategy, EXIT)), ZERO)
    total = order.quantity + (exits if order.kind == EXIT else ZERO)
    if total > abs(held) or (order.side == "sell") != (held > 0):
        raise InvariantBroken(
            f"a reducing order of {total} {book.instrument.symbol} against a position of {held}"
        )


def _drop(book: Book, order: Order, step: Drop, now: int) -> Book:
    ended = evolve(order, status=step.status, code=step.code, message=step.message)
    book = book.with_order(ended)
    if step.status == "expired":
        book = book.telling("order_expired", step.message, order.cause.alert_id)
    return settle(book, order.strategy, now)


def _accept(book: Book, order: Order, now: int) -> Book:
    if order.status != "accepted" and order.lives_ms is not None and order.expires_at is None:
        # From the send: an unknown order that is found late has rested all the while.
        order = evolve(order, expires_at=(order.sent_at or now) + order.lives_ms)
    triggered = order.triggered or order.code == "TRIGGERED"
    # A cancel that did not end it is asked again, less and less often.
    again = min(order.looks, len(LOOK_UPS) - 1)
    pause, looks = (now + LOOK_UPS[again], order.looks + 1) if order.ends else (None, 0)
    order = evolve(
        order,
        status="accepted",
        triggered=triggered,
        due_at=pause,
        looks=looks,
        misses=0,
        is_unseen=False,
    )
    book = book.with_order(order)
    share = book.share(order.strategy)
    return book.with_share(executed(share, order))


def _doubt(book: Book, order: Order, now: int) -> Book:
    first = order.status != "unknown"
    looks = 0 if first else order.looks + 1
    due = now + LOOK_UPS[min(looks, len(LOOK_UPS) - 1)]
    book = book.with_order(evolve(order, status="unknown", looks=looks, due_at=due))
    if not first:
        return book
    text = f"{_named(book, order)} may or may not exist; it is being looked up."
    return book.telling("order_unknown", text, order.cause.alert_id)


def _miss(book: Book, order: Order, asked_at: int, now: int) -> Book:
    """Believe that an order is absent after three look-ups that do not show it, the last 10 s after the send.

    A look-up that failed is none of them.
    """
    looks, misses = order.looks + 1, order.misses + 1
    order = evolve(order, looks=looks, misses=misses)
    waited = asked_at - (order.sent_at or 0)
    if misses < ABSENT_AFTER_LOOKS or waited < ABSENT_AFTER_MS:
        # rules 8: the ten seconds count from the send, also where the looking began anew after a restart.
        certain_at = max((order.sent_at or 0) + ABSENT_AFTER_MS, now + LOOK_AGAIN_MS)
        due = min(now + LOOK_UPS[min(looks, len(LOOK_UPS) - 1)], certain_at)
        return book.with_order(evolve(order, status="unknown", due_at=due))
    return _believe_absent(book, order, now)


def _believe_absent(book: Book, order: Order, now: int) -> Book:
    text = f"{_named(book, order)} never reached the venue."
    book = book.with_order(evolve(order, status="absent", code="ABSENT", message=text))
    book = book.telling("order_absent", text, order.cause.alert_id)
    return _failed(book, order, now, is_lost=True)


def _unreached(book: Book, order: Order, now: int) -> Book:
    """Try an entry again under a new id while it is young; an exit is pursued by its wish."""
    # This attempt certainly does not exist; what goes on is the next one, under its own id.
    book = book.with_order(evolve(order, status="absent", code="UNREACHED"))
    is_entry = order.kind == ENTRY
    has_failed = book.share(order.strategy).pursuit(order.wish).has_failed
    if (order.attempt == 1) if is_entry else not has_failed:
        why = say_unreached(book.account, order.message or "")
        text = f"{_named(book, order)} could not be sent: {why}. It is tried again."
        book = book.telling("order_unreached", text, order.cause.alert_id)
    if not is_entry or order.ends:
        return _failed(book, order, now, is_lost=True)
    attempt = order.attempt + 1
    cid = book.name_order(order.cause.alert_id, order.kind, attempt)
    again = evolve(
        order, client_id=cid, attempt=attempt, status="unreached", sent_at=None, due_at=now + 1_000
    )
    return book.with_order(again)


def _refuse(book: Book, order: Order, receipt: Receipt, now: int) -> Book:
    code = order.code or "REFUSED"
    book = book.with_order(evolve(order, status="refused", code=code))
    if order.kind == STOP_LOSS and receipt.linked and code not in (CROSSED, THROTTLED):
        return book  # a pair was refused, perhaps for its other leg: the stop is tried alone
    share = book.share(order.strategy)
    pursuit = share.pursuit(order.wish)
    is_first = pursuit.retry_at == 0 if code == THROTTLED else pursuit.failures == 0
    if order.kind == ENTRY or is_first:
        text = f"{_named(book, order)} was refused: {order.message or code}"
        book = book.telling("order_refused", text, order.cause.alert_id)
    if order.kind == ENTRY:
        return book
    if code == THROTTLED:
        until = now + int((receipt.retry_after or 10) * 1000)
        pause = pursuit.after_pause(until)
        return book.with_share(share.pursuing(order.wish, pause))
    is_too_small = code == FILTER and order.wish == KEEP and _is_worthless(book, share)
    if is_too_small and not book.live(order.strategy):
        return write_off(book, share, now)
    return _judge_protection(_failed(book, order, now), order, code, now)


def _is_worthless(book: Book, share: Share) -> bool:
    """Whether a share is worth so little that the venue may really have no order small enough."""
    worth = abs(share.quantity) * share.position.average_price * book.instrument.point_value
    return worth < 2 * book.instrument.min_notional


def _judge_protection(book: Book, order: Order, code: str, now: int) -> Book:
    """Close a share whose stop cannot be placed or whose level is already passed, or tell of it."""
    share = book.share(order.strategy)
    tries = share.pursuit(order.wish).failures
    is_hopeless = order.kind == STOP_LOSS and tries >= HOPELESS_AFTER
    is_crossed = code == CROSSED and order.kind in (STOP_LOSS, TAKE_PROFIT)
    if not (is_hopeless or is_crossed) or share.quantity == 0 or share.keep == 0:
        return book
    what = f"{plain(abs(share.quantity))} {book.instrument.symbol} of {share.strategy}"
    why = "its level is already passed" if is_crossed else "the venue refuses it"
    text = f"The {order.kind.replace('_', ' ')} for {what} on {book.account} cannot stand: {why}."
    if not book.closes_unprotected:
        if tries != (HOPELESS_AFTER if order.kind == STOP_LOSS else 1):
            return book
        return book.telling("unprotected", f"{text} Nothing was closed.", order.cause.alert_id)
    # One number later than the entry: what this very entry still fills must not stay either.
    owed = replace(order.cause, seq=order.cause.seq + 1, guard=order.kind)
    closing = evolve(share, keep=ZERO, owed=owed, owed_since=now, exit=None).calmed(KEEP)
    book = book.with_share(closing)
    for entry in book.live(order.strategy, ENTRY):
        if entry.cause.seq < owed.seq:
            book = book.with_order(evolve(entry, ends="cancelled", due_at=None))
    return book.telling("unprotected", f"{text} It is closed.", order.cause.alert_id)


def _failed(book: Book, order: Order, now: int, *, is_lost: bool = False) -> Book:
    """Let the wish behind a reducing order back off; `is_lost`: it failed on the way."""
    if order.kind == ENTRY:
        return book
    share = book.share(order.strategy)
    pursuit = share.pursuit(order.wish)
    after = pursuit.after_loss(now) if is_lost else pursuit.after_refusal(now)
    return book.with_share(share.pursuing(order.wish, after))


def _end(book: Book, order: Order, status: str, now: int) -> Book:
    if status in ("cancelled", "expired") and order.ends:
        status = order.ends
    if status != "filled" and order.filled > 0:
        status = "partly_filled"
    # What was ordered by its worth was only estimated: now it is known.
    quantity = order.filled if order.cash is not None and status == "filled" else order.quantity
    book = book.with_order(evolve(order, status=status, quantity=quantity))
    for leg in order.legs if status == "filled" else ():
        # The venue has them now, or could not take them: what they are is asked at once.
        born = evolve(leg, status="unknown", created_at=now, sent_at=now, due_at=now)
        book = book.with_order(born)
    if status == "expired" and order.kind == ENTRY:
        text = f"{_named(book, order)} was not filled in time and has ended."
        book = book.telling("order_expired", text, order.cause.alert_id)
    if status in ("cancelled", "expired") and not order.ends:  # the venue ended it unasked
        book = _failed(book, order, now)
    return book


def _named(book: Book, order: Order) -> str:
    where = f"{book.account}{' (paper)' if book.paper else ''}"
    kind = order.kind.replace("_", " ")
    return f"The {kind} order to {order.side} {order.quantity} {book.instrument.symbol} on {where}"
