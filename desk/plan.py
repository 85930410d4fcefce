"""Name the next step: what is missing between what the shares wish for and what the venue has.

One request per instrument is on its way at a time, so a plan is the single most urgent thing to do: leave
what must be left, cancel what must end, protect what is held, look up what is unknown, release an entry
that waited. A partial fill, a refusal, a crash and a close by hand are the same comparison. Pure; it never
creates an opening order.
"""

from __future__ import annotations

from decimal import Decimal

from desk.book import (
    BLANK,
    ENTRY,
    EXIT,
    STOP_LOSS,
    TAKE_PROFIT,
    Book,
    Cancel,
    Cause,
    Drop,
    Look,
    Order,
    Send,
    Share,
    Step,
)
from desk.evolve import evolve

ZERO = Decimal(0)
LEGS = (STOP_LOSS, TAKE_PROFIT, EXIT)


def next_step(book: Book, can: frozenset[str], now: int) -> Step | None:
    """Return the most urgent step for this instrument, or None while a request is out or all is well."""
    wishing = [share for share in book.shares.values() if share.wishes]
    if book.is_calling or not (wishing or book.orders):
        return None
    for share in wishing:
        if step := _leave(book, share, can, now):
            return step
    live = book.live()
    if step := _end_orders(book, live, now):
        return step
    if step := _look_up(live, now):
        return step
    for share in wishing:
        if _cancels_first(can) and _is_leaving(share, now):
            continue
        if step := _protect(book, share, now):
            return step
    return _release(book, live, now)


def wakes_at(book: Book) -> int | None:
    """Return the next moment at which time alone may change the plan."""
    times: list[int] = []
    for order in book.live():
        times += [t for t in (order.due_at, order.expires_at, order.release_by) if t]
    for share in book.shares.values():
        if share.wishes:
            times += [p.retry_at for p in (share.leaving, share.guarding) if p.failures]
    return min(times, default=None)


def wanted_leg(
    share: Share, kind: str
) -> tuple[Decimal, str, Decimal | None, Decimal | None] | None:
    """Return quantity, order type, limit and stop price of the leg a share wishes for, or None."""
    held = abs(share.quantity)
    if held == 0:
        return None
    if kind == STOP_LOSS and share.stop:
        order_type = "stop" if share.stop.limit_price is None else "stop_limit"
        return held, order_type, share.stop.limit_price, share.stop.price
    if kind == TAKE_PROFIT and share.target:
        return held, "limit", share.target.price, None
    if kind == EXIT and share.exit:
        resting = share.exit
        return (
            min(held, resting.quantity),
            resting.order_type,
            resting.limit_price,
            resting.stop_price,
        )
    return None


def is_protected(book: Book, share: Share) -> bool | None:
    """Tell whether what was asked to protect a share works for exactly the share; None if nothing was."""
    if share.quantity == 0 or not (share.stop or share.target):
        return None
    for kind in (STOP_LOSS, TAKE_PROFIT):
        want = wanted_leg(share, kind)
        legs = [o for o in book.live(share.strategy, kind) if o.status == "accepted"]
        if want and not any(_stands(order, want) for order in legs):
            return False
    return True


def _leave(book: Book, share: Share, can: frozenset[str], now: int) -> Step | None:
    """Send the exit that a lowered `keep` asks for, once nothing stands in its way."""
    if share.keep is None or now < share.leaving.retry_at:
        return None
    exits = book.live(share.strategy, EXIT)
    leaving = sum((order.left for order in exits if not order.rests), ZERO)
    needed = abs(share.quantity) - share.keep - leaving
    if needed <= 0:
        return None
    in_the_way = [order for order in exits if order.rests]
    if _cancels_first(can):
        in_the_way += book.live(share.strategy, STOP_LOSS, TAKE_PROFIT)
    for order in in_the_way:
        if order.status == "accepted" and _is_due(order, now):
            return Cancel(order.client_id, "cancelled")
    if in_the_way:
        return None
    return Send(_reducing(book, share, EXIT, share.owed, (needed, "market", None, None), now))


def _cancels_first(can: frozenset[str]) -> bool:
    """Whether an exit can only leave once what protects the share is gone."""
    return "locks_balance" in can or "reduce_only" not in can


def _is_leaving(share: Share, now: int) -> bool:
    """Whether an exit is to be sent now: until it failed, its protection is not put back."""
    owes = share.keep is not None and abs(share.quantity) > share.keep
    return owes and now >= share.leaving.retry_at


def _end_orders(book: Book, live: list[Order], now: int) -> Step | None:
    """Cancel what shall end, what has lived its time, and legs that no longer match their wish."""
    for order in live:
        if order.sent_at is None:
            if step := _end_waiting(order, now):
                return step
        elif order.status == "accepted" and _is_due(order, now):
            if order.ends:
                return Cancel(order.client_id, order.ends)
            if order.expires_at and now >= order.expires_at:
                return Cancel(order.client_id, "expired")
            if order.kind in LEGS and not _is_wanted(book, order):
                return Cancel(order.client_id, "cancelled")
    return None


def _end_waiting(order: Order, now: int) -> Step | None:
    if order.ends:
        return Drop(order.client_id, order.ends, None, "It was ended before it left.")
    if order.release_by is not None and now >= order.release_by:
        text = f"The order to {order.side} {order.quantity} waited too long and was not sent."
        return Drop(order.client_id, "expired", "EXPIRED", text)
    return None


def _is_wanted(book: Book, order: Order) -> bool:
    share = book.share(order.strategy)
    if not order.rests:  # an exit at the market that still works: until nothing is left to leave
        return share.keep is not None and abs(share.quantity) > share.keep
    want = wanted_leg(share, order.kind)
    return want is not None and _stands(order, want)


def _stands(order: Order, want: tuple[Decimal, str, Decimal | None, Decimal | None]) -> bool:
    return (order.left, order.order_type, order.limit_price, order.stop_price) == want


def _protect(book: Book, share: Share, now: int) -> Step | None:
    """Place the legs that are wished for and do not stand."""
    if now < share.guarding.retry_at or not (share.stop or share.target or share.exit):
        return None
    for kind in LEGS:
        want = wanted_leg(share, kind)
        if want is None or any(o.rests for o in book.live(share.strategy, kind)):
            continue
        if kind == EXIT and book.live(share.strategy, EXIT):
            continue
        cause = share.exit.cause if kind == EXIT and share.exit else share.guarded_by
        return Send(_reducing(book, share, kind, cause, want, now))
    return None


def _reducing(
    book: Book,
    share: Share,
    kind: str,
    cause: Cause,
    want: tuple[Decimal, str, Decimal | None, Decimal | None],
    now: int,
) -> Order:
    attempt = share.serial + 1
    quantity, order_type, limit_price, stop_price = want
    return evolve(
        BLANK,
        client_id=book.name_order(cause.alert_id, kind, attempt),
        cause=cause,
        strategy=share.strategy,
        kind=kind,
        side="sell" if share.quantity > 0 else "buy",
        quantity=quantity,
        order_type=order_type,
        limit_price=limit_price,
        stop_price=stop_price,
        attempt=attempt,
        created_at=now,
    )


def _look_up(live: list[Order], now: int) -> Step | None:
    for order in live:
        if order.status == "unknown" and _is_due(order, now):
            return Look(order.client_id)
    return None


def _release(book: Book, live: list[Order], now: int) -> Step | None:
    """Let an entry leave whose share no longer stands against it, and behind which nothing is unclear."""
    for order in live:
        if order.kind != ENTRY or order.sent_at is not None or not _is_due(order, now):
            continue
        share = book.share(order.strategy)
        against = share.quantity != 0 and (share.quantity > 0) != (order.side == "buy")
        ending = any(o.ends for o in book.live(order.strategy, ENTRY) if o is not order)
        if not against and not ending and share.keep is None and book.unresolved is None:
            return Send(order)
    return None


def _is_due(order: Order, now: int) -> bool:
    return order.due_at is None or now >= order.due_at
