"""Decide what an alert means for one share: what it reduces, what it opens, what it ends.

Every order is cut at zero of the strategy's own share. The reducing part becomes a wish (`keep`, or an exit
with a level of its own) and is never denied; the opening part becomes at most one order, born here and
nowhere else, or a `Denial`. Pure: the same book, alert and rules give the same verdict, so
`/webhook/validate` asks the same function.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from desk.book import ENTRY, EXIT, KEEP, Book, Cause, Marks, Order, RestingExit, Share
from desk.codes import Denial
from desk.cut import (
    Cut,
    Rules,
    cut_at_zero,
    differs_from_stated,
    is_near,
    order_levels,
)
from desk.evolve import evolve
from desk.opening import bear
from desk.plan import wanted_legs
from desk.prices import find_far_level
from desk.sizing import fits, floor_to, nearest_to, plain, signal_before
from desk.stopped import consume, say_stop, stopped_for
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

    def owes(self, cause: Cause) -> bool:
        """Whether an exit that the alert asked for stays to be sent."""
        return any(
            share.keep is not None and share.owed.alert_id == cause.alert_id
            for share in self.book.restless.values()
        )


def decide(book: Book, alert: Alert, cause: Cause, rules: Rules, cut: Cut | None = None) -> Verdict:
    """Return what `alert` means for the strategy's share in `book`.

    `cut` is the alert cut at zero where that was done before: in several books together, for one.
    """
    cut = cut or cut_at_zero(alert, book.share(rules.strategy), book, rules)
    verdict = _decide(book, alert, cause, rules, cut)
    share = verdict.book.share(rules.strategy)
    if share.stopped is None or (verdict.denials and not verdict.reduces):
        return verdict  # what was denied as a whole may be sent again, and means the same then
    counted = consume(share, alert, cut.counted)
    if counted is share:
        return verdict
    return evolve(verdict, book=verdict.book.with_share(counted))


def _decide(book: Book, alert: Alert, cause: Cause, rules: Rules, cut: Cut) -> Verdict:
    if late := too_late(book, alert, cause, rules, cut):
        return Verdict(book, denials=(late,), rejects=True)
    book, cancels = _cancel_working(book, alert, cut, cause, rules)
    if cut.denial:
        return Verdict(book, denials=(cut.denial,), cancels=cancels)
    share = book.share(rules.strategy)
    is_owed = _may_be_owed(book, alert, rules)
    marks = _said(share, alert, cut, cause, is_owed=is_owed)
    if share.symbol != alert.symbol or marks is not share.marks:
        share = evolve(share, symbol=alert.symbol, marks=marks)
    warnings = (*_warn(alert, cut, rules, book), *_warn_of_stop(share, cut, rules))
    verdict = Verdict(book, cancels=cancels, warnings=warnings)
    if alert.action == "cancel":
        return _cancel(verdict, share)
    if cut.reduces > 0 or is_owed:
        share = _reduce(share, alert, cut, cause, rules, book)
        rests = cut.reduces > 0 and share.exit is not None and share.exit.cause is cause
        if rests and EXIT not in wanted_legs(book, share):
            verdict = evolve(verdict, warnings=(*verdict.warnings, NO_ROOM))
    verdict = evolve(verdict, book=book.with_share(share), reduces=cut.reduces)
    if cut.opens != 0 and rules.opens_here and not _is_rest(cut, book):
        return _open(verdict, alert, cut, cause, rules)
    if cut.reduces == 0:
        code, text = _nothing(share, alert, cut, rules, book)
        return evolve(verdict, code=code, message=text)
    return verdict


def _open(verdict: Verdict, alert: Alert, cut: Cut, cause: Cause, rules: Rules) -> Verdict:
    """Bear the opening order, or say why there is none."""
    order, denial = bear(verdict.book, alert, cut, cause, rules)
    if denial:
        return evolve(verdict, denials=(denial,))
    warnings = verdict.warnings
    if order.quantity != cut.opens and cut.opens is not None and order.cash is None:
        rounded = plain(order.quantity)
        warnings += (f"{plain(cut.opens)} was rounded down to {rounded}, the nearest step",)
    if apart := differs_from_stated(alert, cut, verdict.book, rules):
        warnings += (apart,)
    book = verdict.book.with_order(order)
    return evolve(verdict, book=book, opening=order, warnings=warnings)


def _is_rest(cut: Cut, book: Book) -> bool:
    """Whether an order that closes the share would open less than can be ordered (rules 3.12)."""
    is_whole = cut.crosses or (cut.reduces > 0 and cut.reduces == abs(cut.held))
    return is_whole and cut.opens is not None and fits(cut.opens, book.instrument) == 0


def too_late(book: Book, alert: Alert, cause: Cause, rules: Rules, cut: Cut) -> Denial | None:
    """Refuse an alert that a later one has overtaken, or that is too old and only opens."""
    if alert.action == "cancel" or cut.denial:
        return None
    share = book.share(rules.strategy)
    if rules.sync and _is_against_itself(alert, cut):
        text = (
            f"{rules.strategy} holds {plain(cut.held)} {book.instrument.symbol}, so a {alert.action} "
            f"would have to {cut.side} to reach the stated position: an earlier or a later alert "
            "belongs before it. The next one heals it."
        )
        return Denial("STALE_ORDER", text, cut.side, cut.reduces or cut.opens)
    is_last = cause.fired_at is None and cause.seq >= share.marks.closed
    if is_last and not rules.times.expired:
        return None
    if _is_stale(alert, book, cut, cause, rules):
        text = "A later alert of this strategy on this symbol has already overtaken this one."
        return Denial("STALE_ORDER", text, cut.side, cut.reduces or cut.opens)
    if cut.reduces == 0 and cut.opens != 0 and rules.times.expired:
        return Denial("EXPIRED", rules.times.expired, cut.side, cut.opens)
    return None


def _is_against_itself(alert: Alert, cut: Cut) -> bool:
    """Whether an alert would trade the other way than it says, to reach its position (rules 3.13)."""
    is_order = alert.action in ("buy", "sell")
    return is_order and cut.side != alert.action and (cut.reduces > 0 or cut.opens != 0)


def _is_stale(alert: Alert, book: Book, cut: Cut, cause: Cause, rules: Rules) -> bool:
    marks, fired = book.share(rules.strategy).marks, cause.fired_at
    if rules.sync:
        previous = _previous(alert, cut.held, book, rules)
        return is_stale_target(marks, fired, previous, cut.held)
    if cut.reduces > 0 or alert.only_reduces:
        units = cut.size.units
        before = signal_before(alert, cut.side, units)
        partial = before is not None and units is not None and before > units
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


def _previous(alert: Alert, held: Decimal, book: Book, rules: Rules) -> Decimal | None:
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
    before *= rules.multiplier
    return held if is_near(before, held, book.instrument) else before


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
        size = floor_to(cut.reduces or _most(book, alert, cut, rules), book.instrument.step)
        # Half a stop-limit works as what it has.
        kind = "stop_limit" if limit and stop else "stop" if stop else "limit"
        resting = RestingExit(cause, size, kind, limit, stop)
        return evolve(share, exit=resting if size > 0 else None)
    keep = abs(share.staying) - cut.reduces
    owed = evolve(share, keep=keep, owed=cause, owed_since=rules.times.now, exit=None)
    return owed.calmed(KEEP)  # a new wish is tried at once


def _most(book: Book, alert: Alert, cut: Cut, rules: Rules) -> Decimal:
    """Return how much a resting exit may come to take of what is not known to be held yet."""
    share = book.share(rules.strategy)
    if share.keep is not None or share.staying != 0:
        return ZERO  # an earlier exit takes all that comes, or something else is held
    held = sum((order.left for order in _unseen(book, alert, rules)), ZERO)
    units = cut.size.units
    return held if units is None else min(held, units * rules.multiplier)


def _warn(alert: Alert, cut: Cut, rules: Rules, book: Book) -> tuple[str, ...]:
    warnings = list(rules.times.warnings)
    if alert.unsupported and cut.opens == 0:
        warnings += [f"ignored on an order that only reduces: {text}" for text in alert.unsupported]
    if alert.bare_size and cut.reduces > 0 and not book.instrument.counts_units:
        warnings.append(f"{alert.bare_size} was taken as units of what is held")
    both = alert.stop_loss is not None and alert.take_profit is not None
    if both and cut.opens != 0 and "locks_balance" in book.can and "oco" not in book.can:
        warnings.append("take_profit is not placed: this account cannot work it beside a stop")
    if (cut.opens != 0 or cut.reduces > 0) and order_levels(alert) == (None, None):
        warnings += _warn_of_age(rules, book)
    if cut.opens == 0 and alert.action != "cancel":
        warnings += _warn_of_prices(alert, rules, book)
    if cut.note and cut.reduces > 0:
        warnings.append(f"nothing was opened beyond zero: {cut.note}")
    if cut.opens == 0 and (apart := differs_from_stated(alert, cut, book, rules)):
        warnings.append(apart)
    if cut.opens and rules.opens_here and _is_rest(cut, book):
        smallest, symbol = plain(book.instrument.smallest), book.instrument.symbol
        warnings.append(
            f"nothing was opened beyond zero: {plain(cut.opens)} {symbol} is below the smallest "
            f"order, {smallest}"
        )
    return tuple(warnings)


def _warn_of_stop(share: Share, cut: Cut, rules: Rules) -> tuple[str, ...]:
    """Name the stop that had closed a part of what is now closed or turned round (rules 3.14)."""
    if not cut.counted or share.stopped is None or not (cut.reduces or cut.opens):
        return ()
    text = f"{plain(cut.counted)} of it count as closed: {say_stop(share.stopped, rules.times.now)}"
    return (text,)


def _warn_of_age(rules: Rules, book: Book) -> Iterator[str]:
    """Yield that an order on paper fills at a price older than an alert may be to open."""
    if rules.price is None or rules.seen_ms is None or rules.seen_ms <= rules.times.max_age_ms:
        return
    age = timedelta(seconds=rules.seen_ms // 1000)
    yield (
        f"the alert brings no price: on paper {book.instrument.symbol} goes by {plain(rules.price)}, "
        f"the last one seen, {age} ago; add price to the alert"
    )


def _warn_of_prices(alert: Alert, rules: Rules, book: Book) -> Iterator[str]:
    """Yield what would deny an opening part (rules 4.4, 4.5), on an order that only reduces."""
    if rules.doubt:
        yield rules.doubt
    if rules.price is None:
        return
    levels = (*order_levels(alert), alert.stop_loss, alert.take_profit)
    if far := find_far_level(*levels, known=rules.price, instrument=book.instrument):
        yield far


def is_heard(book: Book, alert: Alert, cause: Cause, rules: Rules) -> bool:
    """Tell whether an alert's price may move the symbol (rules 12.4).

    Not where it came too late, nor where it opens only and is denied because it cannot be read or does not
    say how much.
    """
    cut = cut_at_zero(alert, book.share(rules.strategy), book, rules)
    if too_late(book, alert, cause, rules, cut):
        return False
    if alert.action == "cancel" or cut.reduces > 0:
        return True
    if cut.denial:
        return False
    return cut.opens == 0 or (cut.opens is not None and not alert.unsupported)


def _nothing(share: Share, alert: Alert, cut: Cut, rules: Rules, book: Book) -> tuple[str, str]:
    symbol = book.instrument.symbol
    stopped = stopped_for(alert, share)
    by_stop = f": {say_stop(stopped, rules.times.now)}" if stopped else ""
    if rules.sync:
        text = f"{rules.strategy} already holds {plain(share.staying)} {symbol}{by_stop}."
        return "AT_TARGET", text
    where = f"{book.account}{' (paper)' if book.paper else ''}"
    text = f"{rules.strategy} holds no {symbol} on {where} that this could reduce"
    if share.staying != 0:
        held = "long" if share.staying > 0 else "short"
        text = f"{rules.strategy} is {held} {symbol} on {where}, which this does not reduce"
    if by_stop:
        return "NOTHING_TO_CLOSE", f"{text}{by_stop}."
    return "NOTHING_TO_CLOSE", f"{text}{'; ' + cut.note if cut.note else ''}."
