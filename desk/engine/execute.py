"""Carry out the plan of a book: at once where the venue lives in this process, else as calls to hand out.

A local venue is asked inside the transaction, so an order and its fill are one commit. Everywhere else the
order is written down first and the call is handed to the pool after the commit. Nothing is decided here.
"""

from __future__ import annotations

from decimal import Decimal

from brokers.protocol import BrokerRefused, OrderReport, OrderRequest
from brokers.simulated import LocalBroker
from desk.engine.context import EngineContext
from desk.orders.apply import InvariantBroken, receive, take_step
from desk.orders.journal import FillRow
from desk.orders.order import STOP_LOSS
from desk.orders.plan import next_step
from desk.orders.position_book import PositionBook
from desk.orders.protection import watch_protection
from desk.orders.requests import request_of
from desk.orders.steps import (
    Amend,
    Cancel,
    Discard,
    QueryOrder,
    ReadAccount,
    Step,
    Submit,
    SubmitOco,
)
from desk.orders.unpriced import judge_levels
from desk.state.tables import Key
from desk.venue.call import VenueCall

STEPS_AT_ONCE = 500
"""More steps than this for one event is a plan that never comes to rest."""


def execute_plan(context: EngineContext, book: PositionBook, now: int) -> None:
    """Take every step a book's plan asks for now, and keep the book as it is then.

    Raises `InvariantBroken` if the plan never comes to rest.
    """
    key = (book.account, book.paper, book.instrument.symbol)
    if "local" not in book.capabilities:
        _execute_at_venue(context, key, book, now)
        return
    state, local = context.state, context.state.paper(key[0], now)
    has_filled = any(isinstance(row, FillRow) for row in book.journal)
    for _ in range(STEPS_AT_ONCE):
        step = next_step(book, now)
        if step is None:
            if book.journal:
                state.put_book(watch_protection(book, now), now)
            return
        book = take_step(book, step, now)
        if isinstance(step, Discard):
            continue
        request, what = _ask(book, step)
        if has_filled:  # the next order is judged by the cash that is left
            book = state.put_book(book, now)
        report = _answer_locally(local, what, request)
        has_filled = report.filled > 0
        book = receive(book, report, now)
    raise InvariantBroken(f"the plan for {key[2]} on {key[0]} did not come to rest")


def _execute_at_venue(context: EngineContext, key: Key, book: PositionBook, now: int) -> None:
    """Write steps down until one has to be carried out elsewhere, and hand that one out."""
    call = None
    for _ in range(STEPS_AT_ONCE):
        step = next_step(book, now)
        if step is None:
            break
        book = take_step(book, step, now)
        if isinstance(step, ReadAccount):
            context.reads.add(key[0])
            break
        if not isinstance(step, Discard):
            call = _call(key, book, step, now)
            break
    else:
        raise InvariantBroken(f"the plan for {key[2]} on {key[0]} did not come to rest")
    book = watch_protection(book, now)
    if book.journal or (key in context.state.books and book is not context.state.books[key]):
        context.state.put_book(book, now)
    if call:
        context.calls.append(call)


def meet_price(context: EngineContext, key: Key, price: Decimal, now: int) -> None:
    """Let the resting orders of a paper book meet a price, the stop before everything else."""
    state = context.state
    local = state.paper(key[0], now)
    judged = judge_levels(state.books[key], price, now)
    if judged is not state.books[key]:
        execute_plan(context, judged, now)
    for _ in range(STEPS_AT_ONCE):
        book = state.books[key]
        report = _first_touched(local, book, price)
        if report is None:
            return
        execute_plan(context, receive(book, report, now), now)
    raise InvariantBroken(f"the price of {key[2]} on {key[0]} never came to rest")


def _first_touched(local: LocalBroker, book: PositionBook, price: Decimal) -> OrderReport | None:
    working = [order for order in book.orders.values() if order.status == "accepted"]
    working.sort(key=lambda order: order.kind != STOP_LOSS)
    for order in working:
        report = local.touch(request_of(order, book), order.triggered, price)
        if report is not None and not (report.status == "accepted" and order.triggered):
            return report
    return None


def _call(key: Key, book: PositionBook, step: Step, now: int) -> VenueCall:
    if isinstance(step, SubmitOco):
        first, second = (request_of(book.orders[o.client_id], book) for o in step.orders)
        return VenueCall(key, "place", first, second, now)
    request, what = _ask(book, step)
    return VenueCall(key, what, request, None, now)


def _ask(book: PositionBook, step: Step) -> tuple[OrderRequest, str]:
    if isinstance(step, Submit):
        return request_of(book.orders[step.order.client_id], book), "place"
    assert isinstance(step, Cancel | QueryOrder | Amend)
    words = {Cancel: "cancel", QueryOrder: "look", Amend: "amend"}
    return request_of(book.orders[step.client_id], book), words[type(step)]


def _answer_locally(local: LocalBroker, what: str, request: OrderRequest) -> OrderReport:
    try:
        if what == "cancel":
            return local.cancel(request)
        if what == "look":
            return local.find_order(request)
        if what == "amend":
            return local.amend(request)
        return local.close(request) if request.reduces else local.place_order(request)
    except BrokerRefused as no:
        return OrderReport(request.client_id, "refused", code=no.code, message=no.message)
