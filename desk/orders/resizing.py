"""Change a leg that stands and is not what is wished for, so that the position is never bare meanwhile.

Rules 7.1: stop and target cover exactly the share and are resized after every fill. Where the venue changes
a working order in its place, that is one request. Where it knows reduce-only, the new leg is placed before
the old one is cancelled: both together can take no more than is held. Elsewhere the old one goes first.
"""

from __future__ import annotations

from decimal import Decimal

from brokers.protocol import OrderReport
from desk.orders.evolve import evolve
from desk.orders.legs import leg_of, reduces, stands, wanted_legs
from desk.orders.order import STOP_LOSS, TAKE_PROFIT, Order
from desk.orders.position_book import PositionBook
from desk.orders.steps import Amend, Cancel


def change_leg(book: PositionBook, order: Order) -> Amend | Cancel | None:
    """Return how a working leg that is not wished for as it stands ends or changes.

    None: it stays until the one that replaces it stands.
    """
    position = book.position(order.strategy)
    want = wanted_legs(book, position).get(leg_of(order))
    if want is None or not reduces(order, position):
        return Cancel(order.client_id, "cancelled")
    levels = (order.order_type, order.limit_price, order.stop_price)
    if _may_amend(book, order) and levels == want[1:]:
        return Amend(order.client_id, order.filled + want[0])
    return None if is_outdated(book, order) else Cancel(order.client_id, "cancelled")


def is_outdated(book: PositionBook, order: Order) -> bool:
    """Whether a stop or target works otherwise than wished for, and may until it is replaced.

    After a refusal it is cancelled first: the venue may take no second one beside it.
    """
    if order.status != "accepted" or order.kind not in (STOP_LOSS, TAKE_PROFIT):
        return False
    if order.amended_from is not None or not _may_overlap(book.capabilities):
        return False
    position = book.position(order.strategy)
    want = wanted_legs(book, position).get(leg_of(order))
    is_wrong = want is not None and not stands(order, want)
    return is_wrong and reduces(order, position) and not position.retry_state(order.kind).failures


def begin_amend(order: Order, quantity: Decimal) -> Order:
    """Return an order of which another quantity is asked for; what it was is kept until that is certain."""
    return evolve(order, in_flight="amend", quantity=quantity, amended_from=order.quantity)


def take_quantity(order: Order, report: OrderReport) -> Order:
    """Return an order with the quantity that its venue says it has, where that was not known.

    A change that was not carried out is not asked for again: the leg is then replaced.
    """
    if report.quantity is None or (order.amended_from is None and not order.parent_id):
        return order
    was_refused = order.amended_from == report.quantity
    return evolve(
        order,
        quantity=report.quantity,
        amended_from=None,
        may_amend=order.may_amend and not was_refused,
    )


def _may_amend(book: PositionBook, order: Order) -> bool:
    return (
        "amend" in book.capabilities
        and order.kind in (STOP_LOSS, TAKE_PROFIT)
        and order.may_amend
        and order.amended_from is None
    )


def _may_overlap(capabilities: frozenset[str]) -> bool:
    """Whether an old and a new leg may stand beside one another: linked ones would end each other's."""
    return "reduce_only" in capabilities and not capabilities & {"locks_balance", "oco", "local"}
