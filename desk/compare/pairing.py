"""Find which alert is which order of TradingView's list.

Price, the order's id and the order of the rows decide; of equal ones the moment does. A row of the log and
an alert of ours are the same thing here: a firing.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal

from desk.compare.list_of_trades import TradeOrder
from desk.compare.matching import MatchedRow
from desk.compare.own import OwnAlert, OwnDetails, Understood

EARLY_MS = 1_500
"""How long before the opening of its bar an order may seem to fire: clocks and whole seconds."""
AFTER_BAR_MS = 60_000
MOST_NEAR = 200
"""How many firings within one bar are held against one order."""
TEN_DIGITS = Context(prec=10)


@dataclass(slots=True)
class Firing:
    """One alert that fired, by TradingView's log, by ours, or by both."""

    at: int
    said: Understood
    row: MatchedRow | None = None
    own: OwnAlert | None = None
    details: OwnDetails | None = None

    group: tuple[str, str] = ("", "")
    """Whose it is: the strategy, and what it trades."""


@dataclass(slots=True)
class PairedOrder:
    """One order of a list, when it was, and the alert it is."""

    order: TradeOrder
    moments: list[int] = field(default_factory=list)
    """The opening of its bar in UTC; two where a clock was set back."""
    firing: Firing | None = None

    @property
    def at(self) -> int | None:
        """When its bar opened; None where a clock change leaves that open."""
        if len(self.moments) == 1:
            return self.moments[0]
        if self.firing is None:
            return None
        before = [each for each in self.moments if each <= self.firing.at + EARLY_MS]
        return max(before, default=self.moments[0])


def rounded(price: Decimal, tick: Decimal | None) -> Decimal:
    """Return a price on its tick, or to ten digits where none is known: a double has more."""
    if tick:
        return (price / tick).quantize(Decimal(1)) * tick
    return TEN_DIGITS.create_decimal(price).normalize()


def pair_orders(
    orders: Sequence[PairedOrder], firings: Sequence[Firing], bar_ms: int, tick: Decimal | None
) -> None:
    """Give each order the firing it is, as far as there is one."""
    ordered = sorted(firings, key=lambda each: each.at)
    pairs = _list_pairs(orders, ordered, bar_ms, tick)
    groups = Counter[tuple[str, str]]()
    for score, _, _, _, number in pairs:
        groups[ordered[number].group] -= score
    if not groups:
        return
    own_group = groups.most_common(1)[0][0]
    taken: set[int] = set()
    for _, _, _, place, number in sorted(pairs):
        is_own = ordered[number].group == own_group
        if is_own and orders[place].firing is None and number not in taken:
            orders[place].firing = ordered[number]
            taken.add(number)


def _list_pairs(
    orders: Sequence[PairedOrder], ordered: Sequence[Firing], bar_ms: int, tick: Decimal | None
) -> list[tuple[int, int, int, int, int]]:
    """Return which firing may be which order: score below zero, how near, how late, and both places."""
    times = [each.at for each in ordered]
    by_price: dict[tuple[str, Decimal], list[int]] = defaultdict(list)
    for number, each in enumerate(ordered):
        if each.said.price is not None:
            by_price[each.said.side, rounded(each.said.price, tick)].append(number)
    pairs: list[tuple[int, int, int, int, int]] = []
    for place, paired in enumerate(orders):
        price = rounded(paired.order.price, tick)
        alike = sorted(
            n for side in ("", paired.order.side) for n in by_price.get((side, price), ())
        )
        for start in paired.moments:
            low = bisect_left(times, start - EARLY_MS)
            high = bisect_right(times, start + bar_ms + AFTER_BAR_MS)
            for number in _choose_near(low, high, alike):
                if score := _score(paired.order, ordered[number], tick):
                    delay = ordered[number].at - start
                    near = min(abs(delay), abs(delay - bar_ms))
                    pairs.append((-score, near, abs(delay), place, number))
    return pairs


def _choose_near(low: int, high: int, alike: Sequence[int]) -> Sequence[int]:
    """Return the firings of a bar that are held against an order.

    Of a day with thousands of orders those of its price are enough: each against each takes minutes.
    """
    if high - low <= MOST_NEAR:
        return range(low, high)
    equal = alike[bisect_left(alike, low) : bisect_left(alike, high)]
    return (equal or range(low, high))[:MOST_NEAR]


def _score(order: TradeOrder, firing: Firing, tick: Decimal | None) -> int:
    """Return how well a firing fits an order; 0 where it is another one."""
    said = firing.said
    if said.side not in ("", order.side):
        return 0
    same_price = said.price is not None and rounded(said.price, tick) == rounded(order.price, tick)
    same_quantity = said.quantity is not None and said.quantity == order.quantity
    if order.signal and order.signal in said.marks:
        mark = 4
    else:
        mark = (
            1 if order.signal and any(_stands_in(order.signal, each) for each in said.marks) else 0
        )
    if not (same_price or same_quantity or mark):
        # Without a price, a size or a mark the moment alone has to do.
        return 1 if said.price is None and said.quantity is None else 0
    return 8 * same_price + 4 * same_quantity + mark + 2 * bool(said.side) + 1


def _stands_in(signal: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(signal)}(?!\w)", text) is not None
