"""Compare what a venue holds with the shares: the venue is the truth about quantities.

What it holds beyond the shares is nobody's of ours (`manual`). Where it holds less in two reads in a row,
with nothing under way, the shares shrink, largest first. Pure; who reads, and how often, is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from desk.apply import settle
from desk.book import Book, Share, Sight
from desk.evolve import evolve
from desk.fills import shrink
from desk.sizing import floor_to

ZERO = Decimal(0)
YOUNG_MS = 10_000
"""An order that left or came back so shortly before a read may not show in it yet."""
READS_IN_A_ROW = 2
PriceOf = Callable[[Book], Decimal | None]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of comparing an account.

    `beyond` is what is held beyond the shares, by holding: what it was `before` where an order is under way,
    and then `is_certain` is False. `short`: the holdings of which less is held than the shares.
    """

    books: list[Book]
    beyond: dict[str, Decimal]
    short: frozenset[str] = frozenset()
    is_certain: bool = True


def compare(
    books: Sequence[Book],
    positions: Mapping[str, Decimal],
    before: Mapping[str, Decimal],
    began: int,
    now: int,
    price_of: PriceOf,
) -> Comparison:
    """Return the books of an account as they are after a read that began at `began`."""
    beyond = {name: held for name, held in positions.items() if held != 0}
    done: list[Book] = []
    is_certain, lacking = True, set[str]()
    groups: dict[str, list[Book]] = {}
    for book in books:
        groups.setdefault(book.instrument.holding, []).append(book)
    for name, group in groups.items():
        held = positions.get(name, ZERO)
        beyond.pop(name, None)
        if any(is_busy(book, began) for book in group):
            beyond |= {name: before[name]} if name in before else {}
            done += [_see(book, held, began, 0) for book in group]
            is_certain = False
            continue
        longs, shorts = _sum(group, 1), _sum(group, -1)
        apart = held - (longs - shorts)
        missing = min(longs, -apart) if apart < 0 else min(shorts, apart)
        beyond[name] = apart + missing if apart < 0 else apart - missing
        is_felt = _is_felt(group, shorts if apart > 0 else longs, missing)
        lacking |= {name} if is_felt else set()
        short = group[0].sight.short + 1 if is_felt else 0
        seen = [_see(book, held, began, short) for book in group]
        if short >= READS_IN_A_ROW:
            seen = _shrink_largest(seen, missing, -1 if apart > 0 else 1, now, price_of)
        done += seen
    return Comparison(done, beyond, frozenset(lacking), is_certain)


def miss_read(books: Sequence[Book], began: int) -> list[Book]:
    """Return the books after a read that failed: nothing is known of what is held."""
    return [_see(book, None, began, 0) for book in books]


def is_busy(book: Book, began: int) -> bool:
    """Whether a read that began then may differ because something is under way."""
    is_young = book.acted_at > began - YOUNG_MS
    return is_young or book.is_calling or book.unresolved is not None


def _see(book: Book, held: Decimal | None, began: int, short: int) -> Book:
    return evolve(book, sight=replace(book.sight, held=held, at=began, short=short))


def _sum(group: Sequence[Book], sign: int) -> Decimal:
    """Return the size of all shares on one side."""
    shares = (share.quantity * sign for book in group for share in book.shares.values())
    return sum((size for size in shares if size > 0), ZERO)


def _is_felt(group: Sequence[Book], size: Decimal, missing: Decimal) -> bool:
    """Whether less can be ordered for what is missing: crumbs below a step hinder nobody."""
    step = min(book.instrument.step for book in group)
    return floor_to(size, step) > floor_to(size - missing, step)


def _shrink_largest(
    group: list[Book], missing: Decimal, sign: int, now: int, price_of: PriceOf
) -> list[Book]:
    """Take what is missing from the shares of one side, the largest first."""
    held: list[tuple[Decimal, int, Share]] = [
        (share.quantity * sign, place, share)
        for place, book in enumerate(group)
        for share in book.shares.values()
        if share.quantity * sign > 0
    ]
    for size, place, share in sorted(held, key=lambda each: -each[0]):
        gone = min(size, missing)
        if gone <= 0:
            break
        book = group[place]
        book = shrink(book, share, gone, price_of(book), now)
        group[place] = settle(book, share.strategy, now)
        missing -= gone
    return [evolve(book, sight=Sight(book.sight.held, book.sight.at)) for book in group]
