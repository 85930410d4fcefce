"""Divide a position among several targets, and let the parts follow whatever becomes of it.

Each target takes its part and the stop is for all that is left. What is kept of a part is exact; what of it
can be ordered is counted from the first target on, so that roundings never add up to more or less than the
position. Pure: nothing is sent and no stop is moved here.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from brokers.protocol import Instrument
from desk.orders.evolve import evolve
from desk.orders.order import TAKE_PROFIT, Order
from desk.orders.rounding import floor_to, place_level
from desk.orders.strategy_position import StrategyPosition, Target
from parsers.alert import TakeProfit

ZERO, HUNDRED = Decimal(0), Decimal(100)


def divide(
    position: StrategyPosition, held: Decimal, instrument: Instrument
) -> dict[int, tuple[Decimal, Decimal]]:
    """Return size and price of each target, by its number, in what of the position can be ordered.

    A part that is too small to be ordered goes with the next one. What is left over and too small for an
    order of its own goes with the last. The one target of a whole position has the number 0.
    """
    if position.take_profit is not None:
        return {0: (held, position.take_profit.price)}
    wanted, taken = ZERO, ZERO
    parts: dict[int, tuple[Decimal, Decimal]] = {}
    for target in position.targets:
        wanted += target.quantity
        size = min(floor_to(wanted, instrument.step), held) - taken
        if not target.is_done and _can_be_ordered(size, target.price, instrument):
            parts[target.part] = (size, target.price)
            taken += size
    left, meant = held - taken, min(floor_to(wanted, instrument.step), held) - taken
    more = left if left - meant < instrument.smallest else meant
    open_targets = [each for each in position.targets if not each.is_done]
    if more <= 0 or not open_targets:
        return parts
    last = next((t for t in reversed(open_targets) if t.part in parts), open_targets[-1])
    size = parts.get(last.part, (ZERO, ZERO))[0] + more
    if size >= instrument.smallest:
        parts[last.part] = (size, last.price)
    return parts


def _can_be_ordered(size: Decimal, price: Decimal, instrument: Instrument) -> bool:
    worth = size * price * instrument.point_value
    return size >= instrument.smallest and worth >= instrument.min_notional


def find_percents(
    take_profits: tuple[TakeProfit, ...], size: Decimal, multiplier: Decimal = Decimal(1)
) -> tuple[TakeProfit, ...]:
    """Return targets with the percent of the position that each takes, of a position of `size`.

    `multiplier` is what a quantity counts on this account. What the others leave is divided among those that
    say nothing. Raises `ValueError` where together they take more than there is.
    """
    said: list[Decimal | None] = []
    for each in take_profits:
        if each.quantity is not None:
            said.append(each.quantity * multiplier / size * HUNDRED)
        else:
            said.append(each.percent)
    total = sum((part for part in said if part is not None), ZERO)
    silent = said.count(None)
    if total > HUNDRED + Decimal("1e-9"):
        raise ValueError("together the targets take more than the position")
    if silent and total >= HUNDRED:
        raise ValueError("the targets leave nothing for the one that does not say its size")
    parts = [(HUNDRED - total) / silent if part is None else part for part in said]
    if silent or total > HUNDRED - Decimal("1e-9"):  # exact: the last takes what the others leave
        parts[-1] = HUNDRED - sum(parts[:-1], ZERO)
    return tuple(
        TakeProfit(each.level, each.quantity and each.quantity * multiplier, part)
        for each, part in zip(take_profits, parts, strict=True)
    )


def begin_targets(
    position: StrategyPosition, order: Order, before: Decimal, price: Decimal, tick: Decimal | None
) -> StrategyPosition:
    """Return the position after a fill of an entry that brings targets; `before` is what was held.

    The first fill divides all that is held, a later one of the same entry what it added. A target that was
    reached meanwhile takes its part of that too.
    """
    way = 1 if order.side == "buy" else -1
    is_first = not position.targets or position.protection_cause.alert_id != order.cause.alert_id
    held = max(ZERO, position.quantity * way)
    added = held if is_first else held - max(ZERO, before * way)
    old = {each.part: each.quantity for each in position.targets} if not is_first else {}
    asked = order.take_profits
    if is_first and order.leaves_quantity <= 0:
        asked = _meet_quantities(asked, held)
    targets = tuple(
        Target(
            part,
            place_level(each.level, price, order.side, TAKE_PROFIT, tick).price,
            old.get(part, ZERO) + added * (each.percent or ZERO) / HUNDRED,
        )
        for part, each in enumerate(asked, 1)
    )
    return evolve(position, targets=targets, take_profit=None, move_stop=order.move_stop)


def _meet_quantities(asked: tuple[TakeProfit, ...], held: Decimal) -> tuple[TakeProfit, ...]:
    """Return targets of which those with a quantity take just that, now that it is known what was bought.

    Before, what the venue would keep as its fee was only expected.
    """
    parts = [
        each.percent or ZERO if each.quantity is None else each.quantity / held * HUNDRED
        for each in asked
    ]
    if sum((each.percent or ZERO for each in asked), ZERO) == HUNDRED:
        free = [n for n, each in enumerate(asked) if each.quantity is None]
        last = free[-1] if free else len(parts) - 1
        parts[last] += HUNDRED - sum(parts, ZERO)
    if min(parts) < 0:
        return asked
    return tuple(replace(each, percent=part) for each, part in zip(asked, parts, strict=True))


def follow(position: StrategyPosition, before: Decimal) -> StrategyPosition:
    """Return a position whose parts keep their proportion after something else than a target changed it."""
    if not position.targets or not before or before == position.quantity:
        return position
    now = position.quantity if position.quantity * before > 0 else ZERO
    targets = tuple(evolve(t, quantity=t.quantity * now / before) for t in position.targets)
    return evolve(position, targets=targets)


def take_part(
    position: StrategyPosition, part: int, taken: Decimal, instrument: Instrument
) -> StrategyPosition:
    """Return a position after a fill of one of its targets.

    A rest that is too small for an order goes to the next target, from the last to the one before: so what
    the others are for is as it was, and none of them is changed at the venue.
    """
    targets = list(position.targets)
    place = next((n for n, each in enumerate(targets) if each.part == part), None)
    if place is None:
        return position
    left = targets[place].quantity - taken
    if floor_to(left, instrument.step) >= instrument.smallest:
        targets[place] = evolve(targets[place], quantity=left)
        return evolve(position, targets=tuple(targets))
    targets[place] = evolve(targets[place], quantity=ZERO)
    others = [n for n, each in enumerate(targets) if not each.is_done]
    heir = next((n for n in others if n > place), others[-1] if others else None)
    if heir is not None:
        targets[heir] = evolve(targets[heir], quantity=targets[heir].quantity + left)
    return evolve(position, targets=tuple(targets))
