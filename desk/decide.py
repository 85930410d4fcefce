"""Decide what an alert means for one share: what it reduces, what it opens, what it ends.

Every order is cut at zero of the strategy's own share. The reducing part becomes a wish (`keep`, or an exit
with a level of its own) and is never denied; the opening part becomes at most one order, born here and
nowhere else, or a `Denial`. Pure: the same book, alert and rules give the same verdict, so
`/webhook/validate` asks the same function.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from desk.book import ENTRY, EXIT, KEEP, Book, Cause, Marks, Order, RestingExit, Share
from desk.codes import Denial
from desk.cut import Cut, Rules, cut_at_zero, order_levels, stated_target
from desk.evolve import evolve
from desk.opening import bear
from desk.plan import wanted_legs
from desk.sizing import floor_to, nearest_to, opening_quantity, plain, signal_before
from desk.timing import is_stale_opening, is_stale_reducing, is_stale_target, mark_said
from parsers.alert import Alert

ZERO = Decimal(0)
_KEPT = {"buy": "buy", "sell": "sell", "close_long": "sell", "close_short": "buy"}
"""The side of an entry that an alert does not end; a `close` ends both."""
_CLOSES = {"sell": "long", "close_long": "long", "buy": "short", "close_short": "short"}
"""The side that each action reduces; a `close` reduces both."""
NO_ROOM = "the exit is not placed while the stop stands: this account cannot work it beside a stop"


@dataclass(frozen=True)
class Verdict:
    """The book with what the alert wishes, and what was said about it."""

    book: Book
    reduces: Decimal = ZERO
    opening: Order | None = None
    denials: tuple[Denial, ...] = ()
    code: str | None = None
    message: str | None = None
    warnings: tuple[str, ...] = ()
    cancels: int = 0
    rejects: bool = False
    """The alert as a whole came too late: nothing was changed."""


def decide(book: Book, alert: Alert, cause: Cause, rules: Rules) -> Verdict:
    """Return what `alert` means for the strategy's share in `book`."""
    if late := too_late(book, alert, cause, rules):
        return Verdict(book, denials=(late,), rejects=True)
    cut = cut_at_zero(alert, book.share(rules.strategy), book, rules)
    book, cancels = _cancel_working(book, alert, cut, cause, rules)
    share = book.share(rules.strategy)
    is_owed = _may_be_owed(book, alert, rules)
    marks = _said(share, alert, cut, cause, is_owed=is_owed)
    if share.symbol != alert.symbol or marks is not share.marks:
        share = evolve(share, symbol=alert.symbol, marks=marks)
    verdict = Verdict(book, cancels=cancels, warnings=_warn(alert, cut, rules, book.can))
    if alert.action == "cancel":
        return _cancel(verdict, share)
    if cut.reduces > 0 or is_owed:
        share = _reduce(share, alert, cut, cause, rules, book)
        rests = cut.reduces > 0 and share.exit is not None and share.exit.cause is cause
        if rests and EXIT not in wanted_legs(book, share):
            verdict = evolve(verdict, warnings=(*verdict.warnings, NO_ROOM))
    verdict = evolve(verdict, book=book.with_share(share), reduces=cut.reduces)
    if cut.opens != 0 and rules.opens_here:
        order, denial = bear(verdict.book, alert, cut, cause, rules)
        if denial:
            return evolve(verdict, denials=(denial,))
        if order.quantity != cut.opens and cut.opens is not None and order.cash is None:
            text = (
                f"{plain(cut.opens)} was rounded down to {plain(order.quantity)}, the nearest step"
            )
            verdict = evolve(verdict, warnings=(*verdict.warnings, text))
        return evolve(verdict, book=verdict.book.with_order(order), opening=order)
    if cut.reduces == 0:
        code, text = _nothing(share, cut, rules, book)
        return evolve(verdict, code=code, message=text)
    return verdict


def too_late(book: Book, alert: Alert, cause: Cause, rules: Rules) -> Denial | None:
    """Refuse an alert that a later one has overtaken, that is too old and only opens, or lacks a target."""
    share = book.share(rules.strategy)
    if rules.sync and alert.action != "cancel" and stated_target(alert) is None:
        text = (
            f"{rules.strategy} trades to a stated position (sync: position) and the alert states none. "
            "Add position_size, or market_position with market_position_size."
        )
        return Denial("NO_TARGET", text)
    is_last = cause.fired_at is None and cause.seq >= share.marks.closed
    if alert.action == "cancel" or (is_last and not rules.times.expired):
        return None
    cut = cut_at_zero(alert, share, book, rules)
    if _is_stale(alert, share, cut, cause, rules):
        text = "A later alert of this strategy on this symbol has already overtaken this one."
        return Denial("STALE_ORDER", text, cut.side, cut.reduces or cut.opens)
    if cut.reduces == 0 and cut.opens != 0 and rules.times.expired:
        return Denial("EXPIRED", rules.times.expired, cut.side, cut.opens)
    return None


def _is_stale(alert: Alert, share: Share, cut: Cut, cause: Cause, rules: Rules) -> bool:
    marks, fired = share.marks, cause.fired_at
    if rules.sync:
        return is_stale_target(marks, fired, _previous(alert, rules), share.staying)
    if cut.reduces > 0 or alert.only_reduces:
        before = signal_before(alert, cut.side)
        partial = before is not None and alert.quantity is not None and before > alert.quantity
        return is_stale_reducing(marks, fired, partial)
    return cut.opens != 0 and is_stale_opening(marks, cause, cut.side)


def _cancel(verdict: Verdict, share: Share) -> Verdict:
    """Carry out `cancel`: working entries and a resting exit end, stops and targets stay."""
    count = verdict.cancels + (share.exit is not None)
    book = verdict.book.with_share(evolve(share, exit=None))
    if count:
        return evolve(verdict, book=book, cancels=count)
    text = f"{share.strategy} has no working order for {book.instrument.symbol}."
    return evolve(verdict, book=book, code="NOTHING_TO_CANCEL", message=text)


def _previous(alert: Alert, rules: Rules) -> Decimal | None:
    if alert.previous_position is not None:
        return alert.previous_position * rules.multiplier
    return ZERO if alert.previous_side == "flat" else None


def _said(share: Share, alert: Alert, cut: Cut, cause: Cause, *, is_owed: bool) -> Marks:
    closes_all = alert.only_reduces and alert.quantity is None
    closes_all |= (cut.reduces > 0 or is_owed) and cut.reduces == abs(share.staying)
    only = None
    if share.staying == 0 and cut.opens == 0 and alert.action != "cancel" and not closes_all:
        # rules 2.6: what could only reduce has overtaken the entry it was to close.
        only = _CLOSES.get(alert.action)
        closes_all = alert.action == "close"
    return mark_said(share.marks, cause, closes_all=closes_all, only=only)


def _cancel_working(
    book: Book, alert: Alert, cut: Cut, cause: Cause, rules: Rules
) -> tuple[Book, int]:
    """End the strategy's working entries, unless it pyramids and this one adds to the same side."""
    count = 0
    for order in book.live(rules.strategy, ENTRY):
        adds = rules.pyramid and alert.action == order.side and cut.reduces == 0
        if adds or order.ends or order.cause.alert_id == cause.alert_id:
            continue
        book = book.with_order(evolve(order, ends="cancelled", due_at=None))
        count += 1
    return book, count


def _may_be_owed(book: Book, alert: Alert, rules: Rules) -> bool:
    """Tell whether an entry may still turn out to have filled that this alert closes or turns round."""
    return bool(_unseen(book, alert, rules))


def _unseen(book: Book, alert: Alert, rules: Rules) -> list[Order]:
    """Return the entries that left, may still fill, and would be taken by this alert if they had."""
    held = book.share(rules.strategy).staying
    adds = (held > 0 and alert.action == "buy") or (held < 0 and alert.action == "sell")
    if alert.action == "cancel" or (adds and not alert.only_reduces):
        return []
    return [
        order
        for order in book.live(rules.strategy, ENTRY)
        if order.sent_at is not None and order.side != _KEPT.get(alert.action)
    ]


def _reduce(share: Share, alert: Alert, cut: Cut, cause: Cause, rules: Rules, book: Book) -> Share:
    """Write the reducing part down as a wish: a level of its own rests, everything else is owed now."""
    limit, stop = order_levels(alert)
    if limit or stop:
        tick = book.instrument.tick
        limit = nearest_to(limit, tick) if limit is not None else None
        stop = nearest_to(stop, tick) if stop is not None else None
        # A whole share may end between two steps; what is left of it is too small to be ordered.
        size = floor_to(cut.reduces or _most(book, alert, rules), book.instrument.step)
        # Half a stop-limit works as what it has.
        kind = "stop_limit" if limit and stop else "stop" if stop else "limit"
        resting = RestingExit(cause, size, kind, limit, stop)
        return evolve(share, exit=resting if size > 0 else None)
    keep = abs(share.staying) - cut.reduces
    owed = evolve(share, keep=keep, owed=cause, owed_since=rules.times.now, exit=None)
    return owed.calmed(KEEP)  # a new wish is tried at once


def _most(book: Book, alert: Alert, rules: Rules) -> Decimal:
    """Return how much a resting exit may come to take of what is not known to be held yet."""
    share = book.share(rules.strategy)
    if share.keep is not None or share.staying != 0:
        return ZERO  # an earlier exit takes all that comes, or something else is held
    held = sum((order.left for order in _unseen(book, alert, rules)), ZERO)
    asked = opening_quantity(alert, rules.multiplier, None, order_levels(alert)[0] or rules.price)
    return (
        held if asked is None or alert.quantity_type == "percent_of_position" else min(held, asked)
    )


def _warn(alert: Alert, cut: Cut, rules: Rules, can: frozenset[str]) -> tuple[str, ...]:
    warnings = list(rules.times.warnings)
    if alert.unsupported and cut.opens == 0:
        warnings += [f"ignored on an order that only reduces: {text}" for text in alert.unsupported]
    both = alert.stop_loss is not None and alert.take_profit is not None
    if both and cut.opens != 0 and "locks_balance" in can and "oco" not in can:
        warnings.append("take_profit is not placed: this account cannot work it beside a stop")
    if cut.note and cut.reduces > 0:
        warnings.append(f"nothing was opened beyond zero: {cut.note}")
    return tuple(warnings)


def _nothing(share: Share, cut: Cut, rules: Rules, book: Book) -> tuple[str, str]:
    symbol = book.instrument.symbol
    if rules.sync:
        return "AT_TARGET", f"{rules.strategy} already holds {plain(share.staying)} {symbol}."
    where = f"{book.account}{' (paper)' if book.paper else ''}"
    text = f"{rules.strategy} holds no {symbol} on {where} that this could reduce"
    if share.staying != 0:
        held = "long" if share.staying > 0 else "short"
        text = f"{rules.strategy} is {held} {symbol} on {where}, which this does not reduce"
    return "NOTHING_TO_CLOSE", f"{text}{'; ' + cut.note if cut.note else ''}."
