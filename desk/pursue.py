"""Carry out the plan of a book: at once where the venue lives in this process, else as calls to hand out.

A local venue is asked inside the transaction, so an order and its fill are one commit. Everywhere else the
order is written down first and the call is handed to the pool after the commit. Nothing is decided here.
"""

from __future__ import annotations

from decimal import Decimal

from brokers.protocol import LocalBroker, OrderRequest, Receipt, Refused
from desk.apply import InvariantBroken, judge_levels, receive, take_step, watch_protection
from desk.book import ENTRY, STOP_LOSS, Book, FillRow, Order
from desk.floor import Call, Floor
from desk.plan import next_step
from desk.state import Key
from desk.steps import Cancel, Drop, Look, Read, Send, SendPair, Step

STEPS_AT_ONCE = 500
"""More steps than this for one event is a plan that never comes to rest."""


def request_of(order: Order, book: Book) -> OrderRequest:
    """Return what a broker is asked for one order."""
    return OrderRequest(
        client_id=order.client_id,
        instrument=book.instrument,
        side=order.side,
        quantity=order.quantity,
        order_type=order.order_type,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        reduces=order.kind != ENTRY,
        cash=order.cash,
        legs=tuple(request_of(leg, book) for leg in order.legs),
    )


def pursue(floor: Floor, book: Book, now: int) -> None:
    """Take every step a book's plan asks for now, and keep the book as it is then.

    Raises `InvariantBroken` if the plan never comes to rest.
    """
    key = (book.account, book.paper, book.instrument.symbol)
    if "local" not in book.can:
        _pursue_at_venue(floor, key, book, now)
        return
    state, local = floor.state, floor.state.paper(key[0], now)
    has_filled = any(isinstance(row, FillRow) for row in book.journal)
    for _ in range(STEPS_AT_ONCE):
        step = next_step(book, now)
        if step is None:
            if book.journal:
                state.put_book(watch_protection(book, now), now)
            return
        book = take_step(book, step, now)
        if isinstance(step, Drop):
            continue
        request, what = _ask(book, step)
        if has_filled:  # the next order is judged by the cash that is left
            book = state.put_book(book, now)
        receipt = _answer_locally(local, what, request)
        has_filled = receipt.filled > 0
        book = receive(book, receipt, now)
    raise InvariantBroken(f"the plan for {key[2]} on {key[0]} did not come to rest")


def _pursue_at_venue(floor: Floor, key: Key, book: Book, now: int) -> None:
    """Write steps down until one has to be carried out elsewhere, and hand that one out."""
    call = None
    for _ in range(STEPS_AT_ONCE):
        step = next_step(book, now)
        if step is None:
            break
        book = take_step(book, step, now)
        if isinstance(step, Read):
            floor.reads.add(key[0])
            break
        if not isinstance(step, Drop):
            call = _call(key, book, step, now)
            break
    else:
        raise InvariantBroken(f"the plan for {key[2]} on {key[0]} did not come to rest")
    book = watch_protection(book, now)
    if book.journal or (key in floor.state.books and book is not floor.state.books[key]):
        floor.state.put_book(book, now)
    if call:
        floor.calls.append(call)


def meet_price(floor: Floor, key: Key, price: Decimal, now: int) -> None:
    """Let the resting orders of a paper book meet a price, the stop before everything else."""
    state = floor.state
    local = state.paper(key[0], now)
    judged = judge_levels(state.books[key], price, now)
    if judged is not state.books[key]:
        pursue(floor, judged, now)
    for _ in range(STEPS_AT_ONCE):
        book = state.books[key]
        receipt = _first_touched(local, book, price)
        if receipt is None:
            return
        pursue(floor, receive(book, receipt, now), now)
    raise InvariantBroken(f"the price of {key[2]} on {key[0]} never came to rest")


def _first_touched(local: LocalBroker, book: Book, price: Decimal) -> Receipt | None:
    working = [order for order in book.orders.values() if order.status == "accepted"]
    working.sort(key=lambda order: order.kind != STOP_LOSS)
    for order in working:
        receipt = local.touch(request_of(order, book), order.triggered, price)
        if receipt is not None and not (receipt.status == "accepted" and order.triggered):
            return receipt
    return None


def _call(key: Key, book: Book, step: Step, now: int) -> Call:
    if isinstance(step, SendPair):
        first, second = (request_of(book.orders[o.client_id], book) for o in step.orders)
        return Call(key, "place", first, second, now)
    request, what = _ask(book, step)
    return Call(key, what, request, None, now)


def _ask(book: Book, step: Step) -> tuple[OrderRequest, str]:
    if isinstance(step, Send):
        return request_of(book.orders[step.order.client_id], book), "place"
    assert isinstance(step, Cancel | Look)
    return request_of(book.orders[step.client_id], book), (
        "cancel" if isinstance(step, Cancel) else "look"
    )


def _answer_locally(local: LocalBroker, what: str, request: OrderRequest) -> Receipt:
    try:
        if what == "cancel":
            return local.cancel(request)
        if what == "look":
            return local.find_order(request)
        return local.close(request) if request.reduces else local.place_order(request)
    except Refused as no:
        return Receipt(request.client_id, "refused", code=no.code, message=no.message)
