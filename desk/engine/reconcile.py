"""Take in what a read of an account brought: our orders, fills that came late, and what the venue holds.

Quantities are judged by `discrepancies`; nothing here places or cancels an order by itself.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from decimal import Decimal

from brokers.protocol import (
    HALTING,
    Fill,
    OrderReport,
)
from desk.config.trading_day import start_of_day
from desk.engine.context import EngineContext
from desk.engine.execute import execute_plan
from desk.engine.exposure import sum_closed
from desk.engine.funding import take_funding
from desk.engine.halts import halt
from desk.engine.market import value_price
from desk.orders.apply import miss_legs, observe, receive
from desk.orders.believed_prices import Seen
from desk.orders.discrepancies import Comparison, compare, is_busy, miss_read
from desk.orders.evolve import evolve
from desk.orders.journal import say_cause
from desk.orders.order import Order
from desk.orders.position_book import PositionBook
from desk.state.memory import State
from desk.state.tables import Equity, Key, Outage
from desk.venue.polling import DAY_BEGAN_MS, SILENT_MS, Reading, books_of

log = logging.getLogger("desk")


ZERO = Decimal(0)


def meet_reading(context: EngineContext, reading: Reading, now: int) -> Comparison | None:
    """Take in what a read brought; return how the venue's quantities compare, None where it failed."""
    state, name = context.state, reading.account
    was_silent = name in state.silent
    _hear(state, reading, now)
    if reading.code in HALTING and f"account:{name}" not in state.halts:
        halt(context, f"account:{name}", f"{reading.code}: {reading.problem}", now)
    if reading.snapshot is None:
        for book in miss_read(books_of(state, name), reading.began):
            _keep(context, book, now)
        return None
    _keep_prices(context, reading)
    # Everything is taken in first: what is planned must not be overtaken by the next line of the same read.
    _take_orders(context, reading, now)
    _take_late_fills(context, reading, now)
    _take_late_orders(context, reading, now)
    take_funding(context, reading, now)
    found = compare(
        books_of(state, name),
        reading.snapshot.positions,
        state.external_quantities.get(name, {}),
        reading.began,
        now,
        lambda book: value_price(context, book, book.positions.values(), now),
    )
    for book in found.books:
        _keep(context, book, now)
        _let_rest(state, book, reading.began)
    state.put(state.external_quantities, name, found.external_quantities)
    # rules 3.9: what was paid is missing from what is free only once a read has compared that coin.
    unseen = tuple(
        (coin, at, cost)
        for coin, at, cost in state.spent.get(name, ())
        if at >= reading.began or coin in found.uncertain
    )
    state.put(state.spent, name, unseen)
    if was_silent:
        _try_again(context, name, now)
    return found


def take_late_report(
    context: EngineContext, report: OrderReport, now: int, *, works: bool = False
) -> PositionBook | None:
    """Take in what a venue has after all of an order that counted as ended; return the book, if it has any.

    What was executed is booked; where a read showed that the order `works`, it is cancelled.
    """
    found = _find_order(context, report.client_id)
    if found is None:
        return None
    account, paper, instrument, order = found
    if report.filled <= order.filled and not works:
        return None
    book = context.state.find_book((account, bool(paper), instrument), order.strategy)
    if book is None or report.client_id in book.orders:
        return None
    context.at = (account, bool(paper), instrument)
    if works:
        text = (
            f"{order.client_id} works at {account} although it had counted as {order.status}: "
            "it is cancelled."
        )
    else:
        text = (
            f"{order.client_id} was executed at {account} after it had counted as {order.status}."
        )
    book = book.with_notice("late_order" if works else "late_fill", text, order.cause.alert_id)
    end_status = "cancelled" if works else None
    book = book.with_order(
        evolve(order, status="accepted", in_flight="", next_action_at=None, end_status=end_status)
    )
    status = report.status if report.status != "absent" else "partly_filled"
    return receive(book, replace(report, status=status, linked=()), now)


def _find_order(context: EngineContext, client_id: str) -> tuple[str, int, str, Order] | None:
    """Return an order that has ended with where it was, as it is now, committed or not."""
    found = context.store.find_order(client_id)
    if found is None:
        return None
    return (*found[:3], context.state.changed_order(client_id) or found[3])


def _keep(context: EngineContext, book: PositionBook, now: int) -> None:
    key = (book.account, book.paper, book.instrument.symbol)
    context.at = key
    if not book.journal:
        context.state.put(context.state.books, key, book)
        context.state.changed[key] = None
    execute_plan(context, book, now)


def _let_rest(state: State, book: PositionBook, began: int) -> None:
    """Compare a book no longer that a read has shown at rest: reads grow with what is open alone."""
    key = (book.account, book.paper, book.instrument.symbol)
    book = state.books[key]
    if not (book.is_open or is_busy(book, began)):
        state.note_open(key, is_open=False)


def _try_again(context: EngineContext, account: str, now: int) -> None:
    """Let every wish that failed on the way to a venue be tried now that it answers."""
    for book in books_of(context.state, account):
        changed = book
        for position in book.restless.values():
            changed = changed.with_position(position.retry_after_reconnect(now))
        if changed is not book:
            _keep(context, changed, now)


def _take_orders(context: EngineContext, reading: Reading, now: int) -> None:
    """Take in what a read saw of our orders, all of it before anything is planned on it."""
    state = context.state
    homes: dict[str, Key] = {
        cid: (book.account, book.paper, book.instrument.symbol)
        for book in books_of(state, reading.account)
        for cid in book.orders
    }
    for report in reading.reports:
        key = homes.get(report.client_id)
        if key is None:
            continue
        context.at = key
        book = observe(state.books[key], report, now, reading.began)
        if book.journal:
            state.put_book(book, now)
    working = {each.client_id for each in reading.snapshot.working} if reading.snapshot else set()
    for book in books_of(state, reading.account):
        missed = miss_legs(book, working, reading.began)
        if missed is not book:
            state.put_book(missed, now)


def _take_late_fills(context: EngineContext, reading: Reading, now: int) -> None:
    """Find our orders behind executions that no order of a book explains."""
    working = {cid for book in books_of(context.state, reading.account) for cid in book.orders}
    by_order: dict[str, list[Fill]] = {}
    for fill in reading.fills:
        if fill.client_id and fill.client_id not in working:
            by_order.setdefault(fill.client_id, []).append(fill)
    for client_id, fills in by_order.items():
        found = _find_order(context, client_id)
        if found is None or found[0] != reading.account:
            continue
        report = _sum_late(found[3], fills)
        if report and (book := take_late_report(context, report, now)):
            context.state.put_book(book, now)


def _take_late_orders(context: EngineContext, reading: Reading, now: int) -> None:
    """Find our orders among those that work at the venue and that no book knows of any more."""
    if reading.snapshot is None:
        return
    books = books_of(context.state, reading.account)
    known = {cid for book in books for cid in book.orders}
    for report in reading.snapshot.working:
        found = None if report.client_id in known else _find_order(context, report.client_id)
        if found is None or found[0] != reading.account:
            continue
        book = context.state.find_book((found[0], bool(found[1]), found[2]), found[3].strategy)
        if book is None or book.acted_at >= reading.began:
            continue  # it may have ended while the read was on its way
        if changed := take_late_report(context, report, now, works=True):
            context.state.put_book(changed, now)


def _sum_late(order: Order, fills: list[Fill]) -> OrderReport | None:
    """Return what executions add to an order that has ended, or None where they were booked before."""
    if any(name.startswith(f"{order.client_id}:") for name in order.fill_ids):
        return None  # a total was booked in place of executions: which ones is not known
    fresh = tuple(fill for fill in fills if fill.fill_id not in order.fill_ids)
    filled = order.filled + sum((fill.quantity for fill in fresh), ZERO)
    if not fresh or (filled > order.quantity and order.quote_quantity is None):
        return None
    value = order.value + sum((fill.quantity * fill.price for fill in fresh), ZERO)
    is_whole = filled >= order.quantity or order.quote_quantity is not None
    status = "filled" if is_whole else "partly_filled"
    return OrderReport(order.client_id, status, order.broker_id, filled, value / filled, fresh)


def _keep_prices(context: EngineContext, reading: Reading) -> None:
    """Note what the account's instruments cost and what it is worth, as its venue tells (rules 15.4)."""
    state, name, began = context.state, reading.account, reading.began
    for symbol, price in reading.prices.items():
        known = state.quotes.get((name, symbol))
        if known is None or known.at <= began:
            state.put(state.quotes, (name, symbol), Seen(price, began, state.seq, is_told=True))
    worth = reading.snapshot.equity if reading.snapshot else None
    if worth is None:
        return
    day = start_of_day(state.settings.accounts[name].day_start, began)
    before = state.equities.get(name)
    if before is not None and before.day == day:
        start = before.start
    elif before is not None and before.last is not None and day - before.at <= DAY_BEGAN_MS:
        start = before.last  # read just before the day began
    else:  # nobody looked when the day began: what was closed since is all that is known
        start = worth - sum_closed(state, name, day)
    state.keep_equity(name, Equity(day, start, worth, began))


def _hear(state: State, reading: Reading, now: int) -> None:
    """Note since when an account does not answer; tell after five seconds, and when it answers again.

    A venue is asked every two seconds: its first failure is a line of the log, and its end says how many
    there were.
    """
    name, silence = reading.account, state.silent.get(reading.account)
    if reading.snapshot is not None:
        if silence:
            _hear_again(state, name, silence, now)
        return
    if silence is None:
        silence = Outage(reading.began, reading.problem)
        fault = reading.fault
        log.log(
            logging.ERROR if fault else logging.INFO,
            "broker_fault" if fault else "account_unreached",
            exc_info=fault,
            extra={"account": name, "call": "read", "text": reading.problem},
        )
    told = silence.told or now - silence.since >= SILENT_MS
    if told and not silence.told:
        text = (
            f"{name} does not answer: {say_cause(reading.problem)}. Its orders and positions are not "
            "watched. It is asked again and again; look at the venue if this lasts."
        )
        state.notify("account_silent", text, now)
    failures = silence.failures + 1
    state.put(state.silent, name, Outage(silence.since, reading.problem, told, failures))


def _hear_again(state: State, name: str, silence: Outage, now: int) -> None:
    tries = "1 attempt" if silence.failures == 1 else f"{silence.failures} attempts"
    text = f"{name} answers again, after {tries} in {(now - silence.since) // 1000} s."
    if silence.told:
        state.notify("account_answers", text, now)
    else:
        log.info("account_answers", extra={"account": name, "text": text})
    state.drop(state.silent, name)
