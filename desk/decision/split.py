"""Cut an order at zero: what it takes of a strategy's share, and what it opens beyond it.

A stated position and the strategy's direction bound what is opened, never what is reduced. Pure arithmetic
on the position as it will be once every owed exit is done; whether the order may leave is not asked here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from brokers.protocol import Instrument
from desk.decision.context import DecisionContext, OrderSplit
from desk.decision.denial import Denial
from desk.decision.opening_size import counting_price, find_stop, size_by_strategy
from desk.decision.sizing import MONEY_KINDS, OPENING_KINDS, Size, read_size, reducing_quantity
from desk.decision.turning import find_direction, say_direction, turn_by_money, turn_round
from desk.formats import write_number
from desk.orders.evolve import evolve
from desk.orders.position_book import PositionBook
from desk.orders.rounding import ceil_to, floor_to
from desk.orders.signal import signal_before
from desk.orders.stopped_out import counted_as_held, less, stopped_for
from desk.orders.strategy_position import StrategyPosition
from parsers.alert import Alert

ZERO = Decimal(0)


def cut_together(
    alert: Alert, books: Sequence[tuple[PositionBook, DecisionContext]]
) -> list[OrderSplit]:
    """Cut one alert at zero of all that the strategy holds of the instrument on one account.

    A share may lie in several contracts of a root (rules 3.11) or on both twins of an account (rules 13.2).
    One of the books may open: what the others give is not opened there again.
    """
    if len(books) == 1:
        [(book, context)] = books
        return [split_at_zero(alert, book.position(context.strategy), book, context)]
    cuts: dict[int, OrderSplit] = {}
    for is_paper in (False, True):
        places = [n for n, (book, _) in enumerate(books) if book.paper == is_paper]
        shared = _share_out(alert, [books[n] for n in places]) if places else []
        cuts |= dict(zip(places, shared, strict=True))
    for place, (book, context) in enumerate(books):
        others = [cuts[n] for n, (other, _) in enumerate(books) if other.paper != book.paper]
        if context.opens_here and others:
            cuts[place] = _open_less(cuts[place], others, alert, context)
    return [cuts[place] for place in range(len(books))]


def _open_less(
    split: OrderSplit, others: list[OrderSplit], alert: Alert, context: DecisionContext
) -> OrderSplit:
    """Take from what a book opens what the strategy's other twin has given already."""
    taken = sum((other.reduces for other in others), ZERO)
    way = 1 if split.side == "buy" else -1
    stays = sum((evolve(other, opens=ZERO).after for other in others), ZERO)
    if context.sync:  # what is held there already counts towards the target
        taken = max(ZERO, stays * way)
    if not taken:
        return evolve(split, beside=stays)
    is_sized = alert.quantity is not None or context.sync
    opens = max(ZERO, split.opens - taken) if is_sized and split.opens is not None else ZERO
    if split.sized is not None and split.opens and opens:
        opens = split.opens  # it was counted from flat, whatever the others gave
    return evolve(split, opens=opens, beside=stays, crosses=not context.sync)


def _share_out(
    alert: Alert, books: Sequence[tuple[PositionBook, DecisionContext]]
) -> list[OrderSplit]:
    """Cut an alert at zero of a position in several contracts: the one that ends first gives first."""
    held = [book.position(context.strategy).projected_quantity for book, context in books]
    is_mixed = min(held) < 0 < max(held)
    if len(books) == 1 or (is_mixed and alert.action not in ("buy", "sell")):
        return [
            split_at_zero(alert, book.position(context.strategy), book, context)
            for book, context in books
        ]
    opening = next((n for n, (_, context) in enumerate(books) if context.opens_here), 0)
    against = [h for h in held if h < 0] if alert.action == "buy" else [h for h in held if h > 0]
    book, context = books[opening]
    total = sum(against if is_mixed else held, ZERO)
    positions = [book.position(context.strategy) for book, context in books]
    by_stops = [counted_as_held(alert, each) for each in positions]
    whole = split_at_zero(
        alert, positions[opening], book, context, total, stopped=sum(by_stops, ZERO)
    )
    way = -1 if whole.side == "buy" else 1
    left, parts = whole.reduces, [ZERO] * len(books)
    for place in _first_to_end(books):
        if held[place] * way > 0:
            parts[place] = min(abs(held[place]), left)
            left -= parts[place]
    stays = [h - way * p for h, p in zip(held, parts, strict=True)]
    # rules 3.14: what stops closed in any of the contracts counts once, the one that ends first first.
    eaten, rest = [ZERO] * len(books), whole.counted
    for place in _first_to_end(books):
        eaten[place] = min(by_stops[place], rest)
        rest -= eaten[place]
    stops = [stopped_for(alert, each) for each, n in zip(positions, by_stops, strict=True) if n]
    newest = max((each for each in stops if each), key=lambda each: each.at, default=None)
    cuts = [
        OrderSplit(whole.side, p, held=h, consumed=n)
        for h, p, n in zip(held, parts, eaten, strict=True)
    ]
    cuts[opening] = evolve(
        whole,
        reduces=parts[opening],
        held=held[opening],
        beside=sum(stays, ZERO) - stays[opening],
        crosses=whole.reduces > 0,
        consumed=eaten[opening],
        stopped=newest,
    )
    return cuts


def _first_to_end(books: Sequence[tuple[PositionBook, DecisionContext]]) -> list[int]:
    """Return the places of books in the order in which their contracts end."""
    return sorted(range(len(books)), key=lambda n: books[n][0].instrument.last_day or date.max)


def split_at_zero(
    alert: Alert,
    position: StrategyPosition,
    book: PositionBook,
    context: DecisionContext,
    held: Decimal | None = None,
    stopped: Decimal | None = None,
) -> OrderSplit:
    """Return what `alert` takes of `share` and what it opens, on its steps, before any denial.

    What a stop of ours closed before it comes off first (rules 3.14). `held` is the size of the
    position where it lies in several books, and `stopped` what stops have closed there.
    """
    held = position.projected_quantity if held is None else held
    if alert.action == "reverse":
        return turn_round(alert, held, book, context)
    split = _split_own(alert, position, book, context, held, stopped)
    sized = size_by_strategy(alert, split, book, context)
    if sized is None:
        return split
    units = None if sized.units is None else sized.units * context.multiplier
    if sized.percent is not None:
        adds = held != 0 and (held > 0) == (split.side == "buy")
        units = abs(held) * sized.percent / 100 if adds else None
    return evolve(split, opens=units, sized=sized)


def _split_own(
    alert: Alert,
    position: StrategyPosition,
    book: PositionBook,
    context: DecisionContext,
    held: Decimal,
    stopped: Decimal | None,
) -> OrderSplit:
    """Return what `alert` takes and opens by its own quantity."""
    split = _cut_share(alert, held, book, context)
    if stopped is None:
        stopped = counted_as_held(alert, position)
    if context.sync or split.denial:
        stopped = ZERO
    if not stopped or (split.size.percent is not None and split.reduces > 0):
        return split
    if split.size.units is None:
        # rules 3.7: without a quantity all goes that is held, and nothing is opened.
        return evolve(split, opens=ZERO, counted=stopped)
    asked = split.size.units * context.multiplier
    counted = min(stopped, asked)
    if asked - counted < book.instrument.smallest:
        return evolve(split, reduces=ZERO, opens=ZERO, counted=counted)
    rest = less(alert, (asked - counted) / asked, counted, context.multiplier)
    return evolve(_cut_share(rest, held, book, context), counted=counted)


def _cut_share(
    alert: Alert, held: Decimal, book: PositionBook, context: DecisionContext
) -> OrderSplit:
    if alert.action == "cancel" or alert.moves_only:
        return OrderSplit("buy", held=held)
    if context.sync:
        return _split_to_target(alert, held, book, context)
    price = counting_price(alert, context)
    stop = find_stop(alert, price, book, context)
    size = read_size(alert, book.instrument, price, context.purse, stop)
    side = alert.action
    if alert.only_reduces and side not in ("buy", "sell"):
        side = "sell" if held > 0 else "buy"
        # rules 3.6: a one-sided close touches only its own side.
        is_other = alert.action == ("close_long" if held < 0 else "close_short")
        if held == 0 or is_other:
            return OrderSplit(side, held=held, asked=_ask(alert, size, ZERO, context), size=size)
    is_against = held != 0 and (held > 0) == (side == "sell")
    if is_against and alert.quantity_type in OPENING_KINDS and not alert.only_reduces:
        return turn_by_money(alert, OrderSplit(side, held=held, size=size), book, context)
    is_counted = not size.code or alert.market_position == "flat"
    if not is_counted and (is_against or alert.quantity_type not in MONEY_KINDS):
        # rules 16.3: a part of the position that cannot be counted is never taken for all of it.
        denial = Denial(size.code, size.text, side)
        return OrderSplit(side, held=held, size=size, denial=denial)
    asked = _ask(alert, size, held if not is_against else ZERO, context)
    if not is_against:
        return _allow(OrderSplit(side, ZERO, asked, None, held, asked, size), alert, book, context)
    step = book.instrument.step
    reduces = reducing_quantity(alert, side, abs(held), size, context.multiplier, step)
    split = OrderSplit(side, reduces, ZERO, None, held, asked, size)
    if alert.quantity is None or reduces < abs(held) or side != alert.action:
        return split  # rules 3.7: without a quantity it takes the whole share and opens nothing
    opens = max(ZERO, (asked or ZERO) - abs(held))
    if context.sizing is not None and context.sizing.override and size.units is not None:
        # What is held was counted by the strategy: only the alert's own units say what goes beyond zero.
        before = signal_before(alert, side, size.units)
        opens = opens if before is None else max(ZERO, size.units - before)
    return _allow(evolve(split, opens=opens), alert, book, context)


def _ask(alert: Alert, size: Size, held: Decimal, context: DecisionContext) -> Decimal | None:
    """Return how much an order asks for when it opens, beside `held` on its own side."""
    if alert.quantity is None:
        return (
            None
            if context.default_quantity is None
            else context.default_quantity * context.multiplier
        )
    if size.percent is not None:
        return abs(held) * size.percent / 100 if held else None
    return None if size.units is None else size.units * context.multiplier


def _split_to_target(
    alert: Alert, held: Decimal, book: PositionBook, context: DecisionContext
) -> OrderSplit:
    """Cut the way from the position to a stated position, times the multiplier."""
    stated = stated_target(alert)
    if stated is None:
        text = (
            f"{context.strategy} trades to a stated position (sync: position) and the alert states none. "
            "Add position_size, or market_position with market_position_size."
        )
        side = alert.action if alert.action in ("buy", "sell") else ""
        return OrderSplit(side, held=held, denial=Denial("NO_TARGET", text, side))
    target, note = stated * context.multiplier, None
    allowed = find_direction(book, context)
    if (target < 0 and allowed == "long") or (target > 0 and allowed == "short"):
        target, note = ZERO, f"{context.strategy} trades {allowed} only here, so the target is flat"
    side = "buy" if target > held else "sell"
    if held == 0 or target == 0 or (target > 0) != (held > 0):
        return OrderSplit(side, abs(held), abs(target), note, held, abs(target))
    size = floor_to(abs(target), book.instrument.step)
    if _is_at(size, abs(held), book.instrument, context.price):
        return OrderSplit(side, note=note, held=held)
    moved = size - abs(held)
    return OrderSplit(side, max(ZERO, -moved), max(ZERO, moved), note, held, max(ZERO, moved))


def _is_at(size: Decimal, held: Decimal, instrument: Instrument, price: Decimal | None) -> bool:
    """Tell whether what is held is a stated size but for what cannot be ordered, or went as the fee.

    Rules 3.13: where a venue takes its fee from the coins that were bought, what is missing of them is no
    reason to buy again.
    """
    if size <= held or not (price and instrument.min_notional):
        return is_near(size, held, instrument)
    least = instrument.min_notional / (price * instrument.point_value)
    return size - held < least or is_near(size, held, instrument)


def is_near(stated: Decimal, held: Decimal, instrument: Instrument) -> bool:
    """Tell whether two sizes differ by a crumb, or by the fee a venue takes from what was bought."""
    apart = abs(stated - held)
    fee = ceil_to(abs(stated) * instrument.fee_in_kind, instrument.step)
    return apart < instrument.smallest or (apart <= fee and abs(held) < abs(stated))


def _allow(
    split: OrderSplit, alert: Alert, book: PositionBook, context: DecisionContext
) -> OrderSplit:
    """Bound the opening part by the stated position and by the strategy's direction."""
    if split.opens == 0 and split.reduces > 0:
        return split
    way = "long" if split.side == "buy" else "short"
    stated = alert.market_position
    if stated is not None and stated != way:
        return evolve(split, opens=ZERO)
    allowed = find_direction(book, context)
    if allowed not in (way, "both"):
        note = say_direction(allowed, book, context)
        return evolve(split, opens=ZERO, note=note)
    if alert.quantity is None or split.opens is None:
        return split
    opens = split.opens
    if alert.position_size is not None:
        opens = min(opens, abs(alert.position_size) * context.multiplier)
    elif split.reduces > 0 and split.size.units is not None:
        before = signal_before(alert, split.side, split.size.units)
        if before is not None and before > 0:
            opens = min(opens, max(ZERO, split.size.units - before) * context.multiplier)
    return split if opens == split.opens else evolve(split, opens=opens)


def differs_from_stated(
    alert: Alert, split: OrderSplit, book: PositionBook, context: DecisionContext
) -> str | None:
    """Say where a position will not be what the alert states for after its order; None where it will.

    Rules 3.4: an alert was missed or came twice, and only `sync: position` would make up for it. A size is
    compared only where the quantity was the alert's own: others count in units of their own.
    """
    stated, after, found = alert.market_position, split.after, book.instrument
    if (
        context.sync
        or stated is None
        or split.note
        or split.opens is None
        or not context.opens_here
    ):
        return None
    if abs(after) < found.smallest:
        after = ZERO
    side = "flat" if after == 0 else "long" if after > 0 else "short"
    said = stated
    if alert.position_size is not None:
        target = alert.position_size * context.multiplier
        said = write_number(target)
        is_own = alert.quantity is None or split.sized is not None or split.size.how != ""
        if is_near(target, after, found) or (side == stated and is_own):
            return None
    elif side == stated:
        return None
    return (
        f"you hold {write_number(after)} {found.symbol} on {book.account} after this, the alert says {said}: "
        f"with sync: position {context.strategy} would trade to what its alerts state"
    )


def stated_target(alert: Alert) -> Decimal | None:
    """Return the signed position the alert states for after its order, or None."""
    if alert.action in ("close", "close_long", "close_short") or alert.market_position == "flat":
        return ZERO
    return alert.position_size
