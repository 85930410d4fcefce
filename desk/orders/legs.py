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

LEGS = (STOP_LOSS, TAKE_PROFIT, EXIT)


Leg = tuple[Decimal, str, Decimal | None, Decimal | None]
"""Quantity, order type, limit and stop price of a leg."""


def wanted_legs(book: PositionBook, position: StrategyPosition) -> dict[str, Leg]:
    """Return the legs a position wishes for, by kind, in what of the position can be ordered.

    Where working orders lock what they sell, only one of them can stand, or a linked pair. The stop comes
    first; of target and resting exit, which the stop's pair has room for one of, the alert's exit where it
    takes the whole share.
    """
    held = floor_to(abs(position.quantity), book.instrument.step)
    if held < book.instrument.smallest:
        return {}
    wants: dict[str, Leg] = {}
    if stop := position.stop_loss:
        kind = "stop" if stop.limit_price is None else "stop_limit"
        wants[STOP_LOSS] = (held, kind, stop.limit_price, stop.price)
    if position.take_profit:
        wants[TAKE_PROFIT] = (held, "limit", position.take_profit.price, None)
    if rest := position.exit:
        size = min(held, rest.quantity)
        wants[EXIT] = (size, rest.order_type, rest.limit_price, rest.stop_price)
    return (
        _with_room(wants, book.capabilities)
        if "locks_balance" in book.capabilities and len(wants) > 1
        else wants
    )


def _with_room(wants: dict[str, Leg], capabilities: frozenset[str]) -> dict[str, Leg]:
    """Leave only the legs that can stand beside one another where orders lock what they sell."""
    first = STOP_LOSS if STOP_LOSS in wants else TAKE_PROFIT
    kept = {first: wants[first]}
    if first == STOP_LOSS and "oco" in capabilities:
        whole = (wants[STOP_LOSS][0], "limit")
        for kind in (EXIT, TAKE_PROFIT):
            if kind in wants and wants[kind][:2] == whole:
                return {**kept, kind: wants[kind]}
    return kept


def is_protected(book: PositionBook, position: StrategyPosition) -> bool | None:
    """Tell whether what was asked to protect a position works for exactly its size; None if nothing was."""
    if position.quantity == 0 or not (position.stop_loss or position.take_profit):
        return None
    for kind, want in wanted_legs(book, position).items():
        legs = [o for o in book.open_orders(position.strategy, kind) if o.status == "accepted"]
        if kind != EXIT and not any(stands(order, want) for order in legs):
            return False
    return True


def reduces(order: Order, position: StrategyPosition) -> bool:
    """Tell whether an order makes a position smaller: not once the position is on the other side."""
    return (order.side == "sell") == (position.quantity > 0)


def stands(order: Order, want: Leg) -> bool:
    """Tell whether a working order is exactly the leg that is wished for."""
    return (order.leaves_quantity, order.order_type, order.limit_price, order.stop_price) == want


def reducing_order(
    book: PositionBook, position: StrategyPosition, kind: str, cause: AlertRef, want: Leg, now: int
) -> Order:
    """Return the order that a wish asks for, under an id of its own."""
    attempt = position.serial + 1
    quantity, order_type, limit_price, stop_price = want
    return evolve(
        NO_ORDER,
        client_id=book.name_order(cause.alert_id, kind, attempt),
        cause=cause,
        strategy=position.strategy,
        kind=kind,
        side="sell" if position.quantity > 0 else "buy",
        quantity=quantity,
        order_type=order_type,
        limit_price=limit_price,
        stop_price=stop_price,
        attempt=attempt,
        created_at=now,
    )
