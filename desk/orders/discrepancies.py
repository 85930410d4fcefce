"""Compare what a venue holds with the positions: the venue is the truth about quantities.

What it holds beyond the positions is nobody's of ours (`manual`). Where it holds less in two reads in a row,
with nothing under way, the positions shrink, largest first. Pure; who reads, and how often, is not
known here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from desk.orders.apply import settle
from desk.orders.evolve import evolve
from desk.orders.fills import shrink
from desk.orders.position_book import PositionBook, VenuePosition
from desk.orders.rounding import floor_to
from desk.orders.strategy_position import StrategyPosition

ZERO = Decimal(0)
YOUNG_MS = 10_000
"""An order that left or came back so shortly before a read may not show in it yet."""
READS_IN_A_ROW = 2
PriceOf = Callable[[PositionBook], Decimal | None]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of comparing an account.

    `beyond` is what is held beyond the positions, by holding: what it was `before` where an order is
    under way: those holdings are `uncertain`. `short`: the holdings of which less is held than the positions.
    """

    books: list[PositionBook]
    external_quantities: dict[str, Decimal]
    short: frozenset[str] = frozenset()
    uncertain: frozenset[str] = frozenset()

    @property
    def is_certain(self) -> bool:
        """Whether nothing was under way: every holding was compared."""
        return not self.uncertain


def compare(
    books: Sequence[PositionBook],
    positions: Mapping[str, Decimal],
    before: Mapping[str, Decimal],
    began: int,
    now: int,
    price_of: PriceOf,
) -> Comparison:
    """Return the books of an account as they are after a read that began at `began`."""
    external_quantities = {name: held for name, held in positions.items() if held != 0}
    done: list[PositionBook] = []
    uncertain, lacking = set[str](), set[str]()
    groups: dict[str, list[PositionBook]] = {}
    for book in books:
        groups.setdefault(book.instrument.holding, []).append(book)
    for name, group in groups.items():
        held = positions.get(name, ZERO)
        external_quantities.pop(name, None)
        if any(is_busy(book, began) for book in group):
            external_quantities |= {name: before[name]} if name in before else {}
            done += [_see(book, held, began, 0) for book in group]
            uncertain.add(name)
            continue
        longs, shorts = _sum(group, 1), _sum(group, -1)
        apart = held - (longs - shorts)
        missing = min(longs, -apart) if apart < 0 else min(shorts, apart)
        external_quantities[name] = apart + missing if apart < 0 else apart - missing
        is_significant = _is_significant(group, shorts if apart > 0 else longs, missing)
        lacking |= {name} if is_significant else set()
        short = group[0].venue_position.shortfalls + 1 if is_significant else 0
        seen = [_see(book, held, began, short) for book in group]
        if short >= READS_IN_A_ROW:
            seen = _shrink_largest(seen, missing, -1 if apart > 0 else 1, now, price_of)
        done += seen
    return Comparison(done, external_quantities, frozenset(lacking), frozenset(uncertain))


def miss_read(books: Sequence[PositionBook], began: int) -> list[PositionBook]:
    """Return the books after a read that failed: nothing is known of what is held."""
    return [_see(book, None, began, 0) for book in books]


def is_busy(book: PositionBook, began: int) -> bool:
    """Whether a read that began then may differ because something is under way."""
    is_young = book.acted_at > began - YOUNG_MS
    return is_young or book.is_calling or book.unresolved is not None


def _see(book: PositionBook, held: Decimal | None, began: int, short: int) -> PositionBook:
    return evolve(
        book,
        venue_position=replace(book.venue_position, quantity=held, read_at=began, shortfalls=short),
    )


def _sum(group: Sequence[PositionBook], sign: int) -> Decimal:
    """Return the size of all positions on one side."""
    positions = (position.quantity * sign for book in group for position in book.positions.values())
    return sum((size for size in positions if size > 0), ZERO)


def _is_significant(group: Sequence[PositionBook], size: Decimal, missing: Decimal) -> bool:
    """Whether less can be ordered for what is missing: crumbs below a step hinder nobody."""
    step = min(book.instrument.step for book in group)
    return floor_to(size, step) > floor_to(size - missing, step)


def _shrink_largest(
    group: list[PositionBook], missing: Decimal, sign: int, now: int, price_of: PriceOf
) -> list[PositionBook]:
    """Take what is missing from the positions of one side, the largest first."""
    held: list[tuple[Decimal, int, StrategyPosition]] = [
        (position.quantity * sign, place, position)
        for place, book in enumerate(group)
        for position in book.positions.values()
        if position.quantity * sign > 0
    ]
    for size, place, position in sorted(held, key=lambda each: -each[0]):
        gone = min(size, missing)
        if gone <= 0:
            break
        book = group[place]
        book = shrink(book, position, gone, price_of(book), now)
        group[place] = settle(book, position.strategy, now)
        missing -= gone
    return [
        evolve(
            book,
            venue_position=VenuePosition(book.venue_position.quantity, book.venue_position.read_at),
        )
        for book in group
    ]
