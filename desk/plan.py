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
    FORGIVEN_MS,
    KEEP,
    STOP_LOSS,
    TAKE_PROFIT,
    Book,
    Cause,
    Order,
    Share,
)
from desk.codes import say_unreached
from desk.evolve import evolve
from desk.sizing import floor_to, place_level, plain
from desk.steps import Cancel, Drop, Look, Read, Send, SendPair, Step

ZERO = Decimal(0)
LEGS = (STOP_LOSS, TAKE_PROFIT, EXIT)
PATIENCE_MS = 3_000
"""How long a read is waited for before it is asked for again."""
BARE_MS = 5_000
"""How long a share that is meant to be protected may be bare before the user hears of it."""
HOPELESS_AFTER = 2
"""How often a stop may be refused before the share counts as one that cannot be protected."""
Leg = tuple[Decimal, str, Decimal | None, Decimal | None]
"""Quantity, order type, limit and stop price of a leg."""


def next_step(book: Book, now: int) -> Step | None:
    """Return the most urgent step for this instrument, or None while a request is out or all is well."""
    wishing = [share for share in book.restless.values() if share.wishes]
    if book.is_calling or not (wishing or book.orders):
        return None
    for share in wishing:
        if step := _leave(book, share, now):
            return step
    live = book.live()
    if step := _end_orders(book, live, now):
        return step
    if step := _look_up(live, now):
        return step
    for share in wishing:
        if _cancels_first(book.can) and _is_leaving(share, now):
            continue
        if step := _protect(book, share, now):
            return step
    return _release(book, live, now)


def wakes_at(book: Book, now: int) -> int | None:
    """Return the next moment at which time alone may change the plan; what was due by now was planned."""
    times: list[int] = []
    for order in book.live():
        times += [t for t in (order.due_at, order.expires_at, order.release_by) if t]
    for share in book.restless.values():
        if share.wishes:
            times += [each.retry_at for each in share.pursuits.values()]
            if share.owes and book.sight.wanted:
                times.append(book.sight.wanted + PATIENCE_MS)
        if share.bare_since and not share.bare_told:
            times.append(share.bare_since + BARE_MS)
    return min((at for at in times if at > now), default=None)


def wanted_legs(book: Book, share: Share) -> dict[str, Leg]:
    """Return the legs a share wishes for, by kind, in what of the share can be ordered.

    Where working orders lock what they sell, only one of them can stand, or a linked pair. The stop comes
    first; of target and resting exit, which the stop's pair has room for one of, the alert's exit where it
    takes the whole share.
    """
    held = floor_to(abs(share.quantity), book.instrument.step)
    if held < book.instrument.smallest:
        return {}
    wants: dict[str, Leg] = {}
    if stop := share.stop:
        kind = "stop" if stop.limit_price is None else "stop_limit"
        wants[STOP_LOSS] = (held, kind, stop.limit_price, stop.price)
    if share.target:
        wants[TAKE_PROFIT] = (held, "limit", share.target.price, None)
    if rest := share.exit:
        size = min(held, rest.quantity)
        wants[EXIT] = (size, rest.order_type, rest.limit_price, rest.stop_price)
    return _with_room(wants, book.can) if "locks_balance" in book.can and len(wants) > 1 else wants


def _with_room(wants: dict[str, Leg], can: frozenset[str]) -> dict[str, Leg]:
    """Leave only the legs that can stand beside one another where orders lock what they sell."""
    first = STOP_LOSS if STOP_LOSS in wants else TAKE_PROFIT
    kept = {first: wants[first]}
    if first == STOP_LOSS and "oco" in can:
        whole = (wants[STOP_LOSS][0], "limit")
        for kind in (EXIT, TAKE_PROFIT):
            if kind in wants and wants[kind][:2] == whole:
                return {**kept, kind: wants[kind]}
    return kept


def is_protected(book: Book, share: Share) -> bool | None:
    """Tell whether what was asked to protect a share works for exactly the share; None if nothing was."""
    if share.quantity == 0 or not (share.stop or share.target):
        return None
    for kind, want in wanted_legs(book, share).items():
        legs = [o for o in book.live(share.strategy, kind) if o.status == "accepted"]
        if kind != EXIT and not any(_stands(order, want) for order in legs):
            return False
    return True


# --- leaving -----------------------------------------------------------------------------------------


def _leave(book: Book, share: Share, now: int) -> Step | None:
    """Send the exit that a lowered `keep` asks for, once nothing stands in its way."""
    if share.keep is None or now < share.pursuit(KEEP).retry_at:
        return None
    exits = book.live(share.strategy, EXIT)
    leaving = sum((order.left for order in exits if not order.rests), ZERO)
    needed = floor_to(abs(share.quantity) - share.keep - leaving, book.instrument.step)
    if needed < book.instrument.smallest:
        return None
    in_the_way = [order for order in exits if order.rests]
    if _cancels_first(book.can):
        in_the_way += book.live(share.strategy, STOP_LOSS, TAKE_PROFIT)
    for order in in_the_way:
        if order.status == "accepted" and _is_due(order, now):
            return Cancel(order.client_id, "cancelled")
    if in_the_way:
        return None
    if "local" not in book.can and (_may_oversell(book.can) or share.pursuit(KEEP).has_failed):
        if not _is_seen(book, share):
            return _read(book, now)
        needed = min(needed, _available(book, share))
        if needed < book.instrument.smallest:
            return None
    return Send(_reducing(book, share, EXIT, share.owed, (needed, "market", None, None), now))


def _cancels_first(can: frozenset[str]) -> bool:
    """Whether an exit can only leave once what protects the share is gone."""
    return "locks_balance" in can or "reduce_only" not in can


def _may_oversell(can: frozenset[str]) -> bool:
    """Whether the venue would let an exit that is too large open the other side."""
    return "reduce_only" not in can and "locks_balance" not in can


def _is_seen(book: Book, share: Share) -> bool:
    """Whether the position was read since the last order here and since the exit was asked for.

    Read before every exit where an exit could open the other side; elsewhere after a failure, because the
    position may differ, and there a read that fails is not waited for again.
    """
    sight = book.sight
    is_fresh = sight.at > 0 and sight.at >= max(book.acted_at, share.owed_since)
    return is_fresh and (sight.held is not None or not _may_oversell(book.can))


def _read(book: Book, now: int) -> Read | None:
    """Ask for a read, unless one was asked for a moment ago."""
    is_asked = book.sight.wanted >= max(book.acted_at, 1) and now < book.sight.wanted + PATIENCE_MS
    return None if is_asked else Read()


def _available(book: Book, share: Share) -> Decimal:
    """Return what the venue was seen to hold for an exit to take; all of the share where the read failed."""
    if book.sight.held is None:
        return abs(share.quantity)
    held = book.sight.held if share.quantity > 0 else -book.sight.held
    return floor_to(max(held, ZERO), book.instrument.step)


def _is_leaving(share: Share, now: int) -> bool:
    """Whether an exit is to be sent now: until it failed, its protection is not put back."""
    return share.owes and now >= share.pursuit(KEEP).retry_at


# --- ending ------------------------------------------------------------------------------------------


def _end_orders(book: Book, live: list[Order], now: int) -> Step | None:
    """Cancel what shall end, what has lived its time, and legs that no longer match their wish."""
    for order in live:
        if order.sent_at is None:
            if step := _end_waiting(book, order, now):
                return step
        elif order.status == "accepted" and _is_due(order, now):
            if order.ends:
                return Cancel(order.client_id, order.ends)
            if order.expires_at and now >= order.expires_at:
                return Cancel(order.client_id, "expired")
            if order.kind in LEGS and not (_is_wanted(book, order) and _is_newest(book, order)):
                return Cancel(order.client_id, "cancelled")
    return None


def _end_waiting(book: Book, order: Order, now: int) -> Step | None:
    if order.ends:
        return Drop(order.client_id, order.ends, None, "It was ended before it left.")
    if order.release_by is not None and now >= order.release_by:
        what = f"the order to {order.side} {plain(order.quantity)} {book.instrument.symbol}"
        text = f"T{what[1:]} waited too long and was not sent (webhook.max_age_seconds)."
        if order.status == "unreached":
            why = say_unreached(book.account, order.message or "")
            text = f"{why}. By then {what} was too old to be sent (webhook.max_age_seconds)."
        return Drop(order.client_id, "expired", "EXPIRED", text)
    return None


def _is_wanted(book: Book, order: Order) -> bool:
    share = book.share(order.strategy)
    if not order.rests:  # an exit at the market that still works: until nothing is left to leave
        return share.owes
    want = wanted_legs(book, share).get(order.kind)
    return want is not None and _stands(order, want)


def _is_newest(book: Book, order: Order) -> bool:
    """Whether no other leg of its kind stands that was placed when this one could not be seen."""
    others = book.live(order.strategy, order.kind)
    return not any(
        each.rests and each.status == "accepted" and each.attempt > order.attempt for each in others
    )


def _stands(order: Order, want: Leg) -> bool:
    return (order.left, order.order_type, order.limit_price, order.stop_price) == want


# --- protecting --------------------------------------------------------------------------------------


def _protect(book: Book, share: Share, now: int) -> Step | None:
    """Place the legs that are wished for and do not stand, linked where the venue links them."""
    if not (share.stop or share.target or share.exit):
        return None
    wants = wanted_legs(book, share)
    if any(not order.rests for order in book.live(share.strategy, EXIT)):
        wants.pop(EXIT, None)  # what leaves at the market is not offered twice
    standing = {o.kind: o for o in book.live(share.strategy, *LEGS) if o.rests and not o.is_unseen}
    pair = [kind for kind in (STOP_LOSS, TAKE_PROFIT, EXIT) if kind in wants][:2]
    if "oco" in book.can and len(pair) == 2 and pair[0] == STOP_LOSS:
        missing = [kind for kind in pair if kind not in standing]
        may_link = _may_link(share, pair[1], now)
        if len(missing) == 2 and EXIT not in standing and may_link:
            return _place_pair(book, share, (pair[0], pair[1]), wants, now)
        if missing and "locks_balance" in book.can:  # one alone locks all that the other needs
            alone = next(iter(standing.values()), None)
            if alone is not None and (may_link or alone.kind != STOP_LOSS):
                may_end = alone.status == "accepted" and _is_due(alone, now)
                return Cancel(alone.client_id, "cancelled") if may_end else None
            wants = {STOP_LOSS: wants[STOP_LOSS]}
    for kind, want in wants.items():
        if kind in standing or now < share.pursuit(kind).retry_at:
            continue
        if kind == EXIT and book.live(share.strategy, EXIT):
            continue
        return Send(_reducing(book, share, kind, _cause(share, kind), want, now))
    return None


def _may_link(share: Share, other: str, now: int) -> bool:
    """Whether a stop may leave in a pair: not while the other leg pauses, nor while the stop itself fails."""
    stop = share.pursuit(STOP_LOSS)
    is_calm = stop.failures < HOPELESS_AFTER or now - stop.retry_at >= FORGIVEN_MS
    return is_calm and now >= share.pursuit(other).retry_at


def _place_pair(
    book: Book, share: Share, pair: tuple[str, str], wants: dict[str, Leg], now: int
) -> SendPair | None:
    """Place a stop and what is linked to it when the stop may be tried: a target's pause never delays it."""
    if now < share.pursuit(pair[0]).retry_at:
        return None
    stop, other = (
        _reducing(book, share, kind, _cause(share, kind), wants[kind], now) for kind in pair
    )
    return SendPair((stop, other))


def _cause(share: Share, kind: str) -> Cause:
    return share.exit.cause if kind == EXIT and share.exit else share.guarded_by


def _reducing(book: Book, share: Share, kind: str, cause: Cause, want: Leg, now: int) -> Order:
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


# --- looking up and releasing ------------------------------------------------------------------------


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
            return _send_entry(book, share, order)
    return None


def _send_entry(book: Book, share: Share, order: Order) -> Step:
    """Send an entry; of one that trades to a stated position what is still missing, or nothing."""
    if order.aims is not None:
        missing = floor_to(abs(order.aims - share.quantity), book.instrument.step)
        if missing < book.instrument.smallest or (order.aims > share.quantity) != (
            order.side == "buy"
        ):
            text = f"{share.strategy} held {share.quantity} by the time it was to leave."
            return Drop(order.client_id, "cancelled", "AT_TARGET", text)
        order = evolve(order, quantity=min(order.quantity, missing))
    return Send(_attach(book, share, order))


def _attach(book: Book, share: Share, order: Order) -> Order:
    """Return an entry that rests with its stop and target attached, where the venue works them by itself.

    They protect from the moment it has filled, also while this program does not run. What fills before all
    of it has, the desk protects as ever.
    """
    stop, target, price = order.stop_loss, order.take_profit, order.limit_price
    if "bracket" not in book.can or order.order_type != "limit" or share.quantity != 0:
        return order
    others = any(other is not order for other in book.live(order.strategy))
    if stop is None or target is None or price is None or others:
        return order
    step, tick = book.instrument.step, book.instrument.tick
    size = floor_to(order.quantity * (1 - book.instrument.fee_in_kind), step)
    sign = 1 if order.side == "buy" else -1
    held = evolve(
        share,
        position=evolve(share.position, quantity=sign * size),
        stop=place_level(stop, price, order.side, STOP_LOSS, tick),
        target=place_level(target, price, order.side, TAKE_PROFIT, tick),
        exit=None,
    )
    wants = wanted_legs(book, held)
    if size < book.instrument.smallest or set(wants) != {STOP_LOSS, TAKE_PROFIT}:
        return order
    cause, now = order.cause, order.created_at
    legs = tuple(_reducing(book, held, kind, cause, wants[kind], now) for kind in LEGS[:2])
    return evolve(order, legs=legs)


def _is_due(order: Order, now: int) -> bool:
    return order.due_at is None or now >= order.due_at
