"""Let an entry carry its stop and target, where the venue works them by itself (rules 7.4).

They protect from the moment the entry has filled, also while this program does not run. At most venues that
is once all of it has filled, and else both end with it. At some they exist from the first fill, in its size.
"""

from __future__ import annotations

from decimal import Decimal

from desk.orders.evolve import evolve
from desk.orders.legs import reducing_order, wanted_legs
from desk.orders.order import STOP_LOSS, TAKE_PROFIT, Order
from desk.orders.position_book import PositionBook
from desk.orders.rounding import floor_to, place_level
from desk.orders.strategy_position import StrategyPosition

ZERO = Decimal(0)


def attach_legs(book: PositionBook, position: StrategyPosition, order: Order) -> Order:
    """Return an entry that rests with its stop and target attached, where the venue works them by itself.

    They protect from the moment it has filled, also while this program does not run. What fills before all
    of it has, the desk protects as ever.
    """
    if "bracket" not in book.capabilities or position.quantity != 0 or order.take_profits:
        return order
    others = any(other is not order for other in book.open_orders(order.strategy))
    price = _price_of_legs(order, book.capabilities)
    if price is None or others:
        return order
    stop, target = order.stop_loss, order.take_profit
    step, tick = book.instrument.step, book.instrument.tick
    size = floor_to(order.quantity * (1 - book.instrument.fee_in_kind), step)
    sign = 1 if order.side == "buy" else -1
    held = evolve(
        position,
        ledger=evolve(position.ledger, quantity=sign * size),
        stop_loss=stop and place_level(stop, price, order.side, STOP_LOSS, tick),
        take_profit=target and place_level(target, price, order.side, TAKE_PROFIT, tick),
        targets=(),
        exit=None,
    )
    wants = wanted_legs(book, held)
    levels = ((STOP_LOSS, stop), (TAKE_PROFIT, target))
    asked = {(kind, 0) for kind, level in levels if level is not None}
    if size < book.instrument.smallest or set(wants) != asked:
        return order
    cause, now = order.cause, order.created_at
    legs = (reducing_order(book, held, leg, cause, want, now) for leg, want in wants.items())
    named = tuple(evolve(leg, parent_id=order.client_id) for leg in legs)
    return evolve(order, legs=named)


def _price_of_legs(order: Order, capabilities: frozenset[str]) -> Decimal | None:
    """Return what an entry's levels count from before it has filled; None: its venue can attach none.

    Levels of a market entry count from its fill (rules 5.2), so only prices are known before.
    """
    levels = [each for each in (order.stop_loss, order.take_profit) if each is not None]
    if "attached" not in capabilities:
        return order.limit_price if order.order_type == "limit" and len(levels) == 2 else None
    if not levels or any(level.limit_price is not None for level in levels):
        return None
    if order.order_type == "limit":
        return order.limit_price
    is_known = order.order_type == "market" and all(each.price is not None for each in levels)
    return ZERO if is_known else None


def bear_legs(book: PositionBook, order: Order, now: int) -> PositionBook:
    """Return the book with the legs that an entry brought, once its venue has them.

    They exist there, or could not be taken: what they are is asked at once.
    """
    is_attached = "attached" in book.capabilities and order.filled > 0
    if not order.legs or order.has_borne or not (order.status == "filled" or is_attached):
        return book
    book = book.with_order(evolve(order, has_borne=True))
    for leg in order.legs:
        born = evolve(leg, status="unknown", created_at=now, sent_at=now, next_action_at=now)
        book = book.with_order(born)
    return book
