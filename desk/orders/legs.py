"""Say which legs a position wishes for, in what of it can be ordered, and whether they stand.

A leg is a stop, a target or a resting exit of one position (rules 7). Nothing is sent here.
"""

from __future__ import annotations

from decimal import Decimal

from desk.orders.evolve import evolve
from desk.orders.order import EXIT, NO_ORDER, STOP_LOSS, TAKE_PROFIT, AlertRef, Order
from desk.orders.position_book import PositionBook
from desk.orders.rounding import floor_to
from desk.orders.strategy_position import StrategyPosition
from desk.orders.targets import divide

LEGS = (STOP_LOSS, TAKE_PROFIT, EXIT)


Leg = tuple[Decimal, str, Decimal | None, Decimal | None]
"""Quantity, order type, limit and stop price of a leg."""


LegName = tuple[str, int]
"""Kind of a leg, and the number of the part of the position that it stands for; 0: the whole, or the rest."""


LegPair = tuple[LegName, LegName]
"""A stop, and the target or exit that is linked to it."""


def leg_of(order: Order) -> LegName:
    """Return which leg an order is."""
    return order.kind, order.part


def linked_pairs(wants: dict[LegName, Leg]) -> tuple[LegPair, ...]:
    """Return which of the legs are linked where the venue links them: each stop and what it stands beside."""
    pairs: list[LegPair] = []
    for kind, part in wants:
        if kind != STOP_LOSS:
            continue
        other = (TAKE_PROFIT, part)
        if other not in wants and part == 0 and len(wants) == 2:
            other = (EXIT, 0)
        if other in wants:
            pairs.append(((kind, part), other))
    return tuple(pairs)


def wanted_legs(book: PositionBook, position: StrategyPosition) -> dict[LegName, Leg]:
    """Return the legs a position wishes for, in what of the position can be ordered.

    Several targets divide the position. So does the stop then, unless reduce-only keeps one stop of the
    whole size from taking what a target took: each part has a stop that ends with its target.
    """
    held = floor_to(abs(position.quantity), book.instrument.step)
    if held < book.instrument.smallest:
        return {}
    locks, oco = "locks_balance" in book.capabilities, "oco" in book.capabilities
    rest = position.exit
    is_whole = rest is not None and rest.order_type == "limit" and rest.quantity >= held
    # Where orders lock what they sell, nothing fits beside a stop but what the venue links to it.
    fits_target = not locks or not position.stop_loss or (oco and not is_whole)
    parts = divide(position, held, book.instrument) if fits_target else {}
    wants: dict[LegName, Leg] = {}
    if stop := position.stop_loss:
        kind = "stop" if stop.limit_price is None else "stop_limit"
        sizes = {0: held} if "reduce_only" in book.capabilities else _stop_sizes(held, parts)
        for part, size in sizes.items():
            wants[STOP_LOSS, part] = (size, kind, stop.limit_price, stop.price)
    for part, (size, price) in parts.items():
        wants[TAKE_PROFIT, part] = (size, "limit", price, None)
    has_room = not locks or not wants or (oco and is_whole and position.stop_loss is not None)
    if rest and has_room:
        size = min(held, rest.quantity)
        wants[EXIT, 0] = (size, rest.order_type, rest.limit_price, rest.stop_price)
    return wants


def _stop_sizes(held: Decimal, parts: dict[int, tuple[Decimal, Decimal]]) -> dict[int, Decimal]:
    """Return the size of the stop of each part, and of that for what no target takes."""
    sizes = {part: size for part, (size, _) in parts.items()}
    rest = held - sum(sizes.values(), Decimal(0))
    return {0: rest, **sizes} if rest > 0 else sizes


def is_protected(book: PositionBook, position: StrategyPosition) -> bool | None:
    """Tell whether what was asked to protect a position works for exactly its size; None if nothing was."""
    if position.quantity == 0 or not position.is_guarded:
        return None
    working = [o for o in book.open_orders(position.strategy, *LEGS) if o.status == "accepted"]
    for leg, want in wanted_legs(book, position).items():
        legs = [order for order in working if leg_of(order) == leg]
        if leg[0] != EXIT and not any(stands(order, want) for order in legs):
            return False
    return True


def reduces(order: Order, position: StrategyPosition) -> bool:
    """Tell whether an order makes a position smaller: not once the position is on the other side."""
    return (order.side == "sell") == (position.quantity > 0)


def stands(order: Order, want: Leg) -> bool:
    """Tell whether a working order is exactly the leg that is wished for."""
    return (order.leaves_quantity, order.order_type, order.limit_price, order.stop_price) == want


def reducing_order(
    book: PositionBook,
    position: StrategyPosition,
    leg: LegName,
    cause: AlertRef,
    want: Leg,
    now: int,
) -> Order:
    """Return the order that a wish asks for, under an id of its own."""
    attempt = position.serial + 1
    kind, part = leg
    quantity, order_type, limit_price, stop_price = want
    return evolve(
        NO_ORDER,
        client_id=book.name_order(cause.alert_id, kind, attempt),
        cause=cause,
        strategy=position.strategy,
        kind=kind,
        part=part,
        side="sell" if position.quantity > 0 else "buy",
        quantity=quantity,
        order_type=order_type,
        limit_price=limit_price,
        stop_price=stop_price,
        attempt=attempt,
        created_at=now,
    )
