"""Carry out what an operator asks for: halt, resume, flatten, and the word on an unknown order.

A flatten is an exit wish on every share that it names, as if one alert had asked for it; it never touches
what no strategy opened. Each command is one event of the desk thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from brokers.protocol import OrderReport
from desk.alerts.delivery import PendingReply
from desk.alerts.record import Part, Record, Story
from desk.decision.denial import Denial
from desk.decision.routing import map_symbol
from desk.decision.staleness import mark_said
from desk.engine.context import EngineContext
from desk.engine.execute import execute_plan
from desk.engine.halts import halt, resume, set_mode
from desk.orders.apply import settle_by_hand
from desk.orders.evolve import evolve
from desk.orders.order import ENTRY, EXIT, REDUCE, AlertRef, Order
from desk.orders.position_book import PositionBook
from desk.state.tables import Key

ZERO = Decimal(0)


@dataclass(slots=True)
class Command:
    """One thing an operator asked for, and who waits for it."""

    name: str
    """halt, resume, flatten, mode, cancel or resolve."""
    options: Mapping[str, Any]
    reply: PendingReply
    said: str = ""
    refused: Denial | None = None
    record: Record | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be flattened; None: all of it."""

    account: str | None = None
    symbol: str | None = None
    strategy: str | None = None


def run_command(context: EngineContext, command: Command, now: int) -> None:
    """Carry out one command; `said` or `record` then tell what came of it."""
    if command.name == "halt":
        command.said = halt(context, str(command.options["scope"]), "by the operator", now)
    elif command.name == "resume":
        command.said = resume(context, str(command.options["scope"]), now)
    elif command.name == "flatten":
        command.record = flatten(context, Wanted(**command.options), now)
    elif command.name == "mode":
        name, mode = str(command.options["strategy"]), str(command.options["mode"])
        command.said = set_mode(context, name, mode, now)
    elif command.name in ("cancel", "resolve"):
        carry_out = _cancel if command.name == "cancel" else _resolve
        outcome = carry_out(context, command.options, now)
        if isinstance(outcome, Denial):
            command.refused = outcome
        else:
            command.said = outcome


def find_to_flatten(
    context: EngineContext, wanted: Wanted, books: Iterable[PositionBook]
) -> list[PositionBook]:
    """Return the books of which something of a strategy is to be closed, or an entry cancelled.

    A symbol is any that `/positions` shows there: the spelling of the last alert, or the venue's.
    """
    return [
        book
        for book in books
        if wanted.account in (None, book.account)
        and _is_named(context, wanted.symbol, book)
        and any(
            wanted.strategy in (None, name)
            for name in [
                *(position.strategy for position in book.positions.values() if position.quantity),
                *(order.strategy for order in book.open_orders(None, ENTRY)),
            ]
        )
    ]


def say_next(wanted: Wanted) -> str:
    """Return what happens after a flatten, and what to do where that is not wanted."""
    names = {"strategy": wanted.strategy, "account": wanted.account}
    body = next((f'{{"{kind}": "{name}"}}' for kind, name in names.items() if name), "{}")
    return f"The next alert opens again: POST /halt with {body} first if it must not."


def say_nothing_held(wanted: Wanted) -> str:
    """Return that nothing of what is wanted is held or worked."""
    what = f"{wanted.symbol or 'anything'} on {wanted.account or 'any account'}"
    if wanted.strategy:
        return f"Nothing to do: {wanted.strategy} does not hold or work {what}."
    return f"Nothing to do: no strategy holds or works {what}."


def _is_named(context: EngineContext, symbol: str | None, book: PositionBook) -> bool:
    if symbol is None:
        return True
    account = context.state.settings.accounts.get(book.account)
    asked = symbol.strip().upper()
    names = {asked, context.symbol_key(asked)}
    if account is not None:
        names.add(context.symbol_key(map_symbol(account, asked)))
    shown = {book.instrument.symbol, *(position.symbol for position in book.positions.values())}
    return bool(names & {each for name in shown for each in (name, context.symbol_key(name))})


def _find_order(context: EngineContext, client_id: str) -> tuple[PositionBook, Order] | None:
    for book in context.state.open_books():
        if (order := book.orders.get(client_id)) is not None and order.is_open:
            return book, order
    return None


def _cancel(context: EngineContext, options: Mapping[str, Any], now: int) -> str | Denial:
    """End one working order that an alert asked for; a stop or a target stays, as under rules 6.3."""
    cid = str(options["client_id"])
    found = _find_order(context, cid)
    if found is None:
        return Denial("NOTHING_TO_CANCEL", f"{cid} is not working. GET /positions shows what is.")
    book, order = found
    what = f"{order.side} {order.quantity} {book.instrument.symbol}"
    context.at = (book.account, book.paper, book.instrument.symbol)
    if order.kind == ENTRY:
        book = book.with_order(evolve(order, end_status="cancelled", next_action_at=None))
    elif order.kind == EXIT and order.order_type != "market":
        book = book.with_position(evolve(book.position(order.strategy), exit=None))
    else:
        holds = f"what {order.strategy} holds, so it stays"
        text = f"{cid} leaves or protects {holds}. Close the position to end it."
        return Denial("UNSUPPORTED", text)
    execute_plan(context, book, now)
    text = f"{cid} to {what} of {order.strategy} is being cancelled."
    context.state.notify("cancelled", f"{text} (by the operator)", now, order.cause.alert_id)
    return text


def _resolve(context: EngineContext, options: Mapping[str, Any], now: int) -> str | Denial:
    """Settle an unknown order by hand: it filled, or it does not exist."""
    cid, is_filled = str(options["client_id"]), options["outcome"] == "filled"
    book = next((b for b in context.state.open_books() if cid in b.orders), None)
    order = book.orders[cid] if book else None
    if book is None or order is None or order.status != "unknown":
        text = f"{cid} is not an unknown order. GET /status lists those that are."
        return Denial("NOT_UNKNOWN", text)
    quantity = options.get("quantity") or order.quantity
    price = options.get("price") or order.limit_price
    # Of an order by worth the quantity is only what it came to at the last price.
    is_possible = order.filled < quantity and (
        quantity <= order.quantity or order.quote_quantity is not None
    )
    if is_filled and (price is None or not is_possible):
        most = "" if order.quote_quantity is not None else f" and up to {order.quantity}"
        text = f"Add the price, and a quantity above {order.filled}{most}."
        return Denial("UNREADABLE", text)
    context.at = (book.account, book.paper, book.instrument.symbol)
    report = OrderReport(cid, "absent")
    if is_filled:
        status = "filled" if quantity >= order.quantity else "partly_filled"
        report = OrderReport(cid, status, None, quantity, price)
    execute_plan(context, settle_by_hand(book, report, now), now)
    done = f"filled {quantity} at {price}" if is_filled else "not there"
    text = f"{cid} to {order.side} {order.quantity} {book.instrument.symbol} counts as {done}."
    context.state.notify("resolved", f"{text} (by the operator)", now, order.cause.alert_id)
    return text


def flatten(
    context: EngineContext,
    wanted: Wanted,
    now: int,
    books: Iterable[PositionBook] | None = None,
    why: str = "flatten",
) -> Record:
    """Wish all that is wanted away, in `books` alone where they are given; return what is recorded of it.

    `why` is what the trades that end by it are said to be closed by.
    """
    state = context.state
    books = state.open_books(wanted.account) if books is None else books
    state.seq += 1
    story = Story(action="flatten", number=state.seq)
    story.advice, story.nothing = say_next(wanted), say_nothing_held(wanted)
    name = f"{why}_{now:x}{state.seq:x}"
    record = Record(name, state.seq, now, wanted.strategy or "", wanted.symbol or "", "", story)
    state.follow(record)
    cause = AlertRef(record.alert_id, record.seq, record.seq, None, "flat")
    close_books(context, wanted, record, cause, now, books)
    return record


def close_books(
    context: EngineContext,
    wanted: Wanted,
    record: Record,
    cause: AlertRef,
    now: int,
    books: Iterable[PositionBook] | None = None,
) -> None:
    """Wish all that is wanted away, each book as a part of one record; what nobody of ours holds stays."""
    books = context.state.open_books(wanted.account) if books is None else books
    for book in find_to_flatten(context, wanted, books):
        key = (book.account, book.paper, book.instrument.symbol)
        context.at = key
        _flatten_book(context, key, record, cause, wanted.strategy, now)


def _flatten_book(
    context: EngineContext,
    key: Key,
    record: Record,
    cause: AlertRef,
    strategy: str | None,
    now: int,
) -> None:
    book = context.state.books[key]
    open_orders = book.open_orders(strategy, ENTRY)
    positions = [each for each in book.positions.values() if strategy in (None, each.strategy)]
    for order in open_orders:
        book = book.with_order(evolve(order, end_status="cancelled", next_action_at=None))
    for position in positions:
        if position.quantity or any(order.strategy == position.strategy for order in open_orders):
            signals = position.signals
            if record.story.action == "close_all":  # what fired before it is overtaken (rules 2.6)
                signals = mark_said(signals, cause, closes_all=True)
            owed = evolve(
                position,
                signals=signals,
                reduce_to=ZERO,
                exit_cause=cause,
                exit_requested_at=now,
                exit=None,
            )
            book = book.with_position(owed.reset_retries(REDUCE))
    reduces = sum((abs(position.quantity) for position in positions), ZERO)
    part = Part(*key, tick=book.instrument.tick, reduces=reduces, cancels=len(open_orders))
    record.story.parts.append(part)
    execute_plan(context, book, now)
