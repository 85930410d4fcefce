"""Carry out what an operator asks for: halt, resume, flatten, and the word on an unknown order.

A flatten is an exit wish on every share of an account, as if one alert had asked for it; it never touches
what no strategy opened. Each command is one event of the desk thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from brokers.protocol import Receipt
from desk.apply import settle_by_hand
from desk.book import ENTRY, KEEP, Cause
from desk.codes import Denial
from desk.evolve import evolve
from desk.floor import Floor
from desk.pursue import pursue
from desk.record import Part, Record, Story
from desk.reply import Reply
from desk.state import Key

ZERO = Decimal(0)


@dataclass(slots=True)
class Command:
    """One thing an operator asked for, and who waits for it."""

    name: str
    """halt, resume, flatten or resolve."""
    options: Mapping[str, Any]
    reply: Reply
    said: str = ""
    refused: Denial | None = None
    record: Record | None = None


def obey(floor: Floor, command: Command, now: int) -> None:
    """Carry out one command; `said` or `record` then tell what came of it."""
    if command.name == "halt":
        command.said = halt(floor, str(command.options["scope"]), "by the operator", now)
    elif command.name == "resume":
        command.said = _resume(floor, str(command.options["scope"]), now)
    elif command.name == "flatten":
        symbol = command.options.get("symbol")
        command.record = _flatten(floor, str(command.options["account"]), symbol, now)
    elif command.name == "resolve":
        outcome = _resolve(floor, command.options, now)
        if isinstance(outcome, Denial):
            command.refused = outcome
        else:
            command.said = outcome


def shares_to_flatten(floor: Floor, account: str, symbol: str | None) -> list[Key]:
    """Return the books on an account in which a strategy holds or works something."""
    name = floor.symbol_key(symbol) if symbol else None
    return [
        (book.account, book.paper, book.instrument.symbol)
        for book in floor.state.open_books(account)
        if (name is None or name == book.instrument.symbol)
        and (book.totals.size or book.live(None, ENTRY))
    ]


def halt(floor: Floor, scope: str, reason: str, now: int) -> str:
    """Stop opening orders of a scope until a resume, and cancel its working entries.

    A scope is `all`, `account:NAME` or `strategy:NAME`. Look-ups, protection and exits go on.
    """
    state = floor.state
    state.put(state.halts, scope, (reason, now))
    state.batch.switches[scope] = (reason, now)
    kind, _, name = scope.partition(":")
    for book in state.open_books(name if kind == "account" else None):
        changed = book
        for order in book.live(name if kind == "strategy" else None, ENTRY):
            changed = changed.with_order(evolve(order, ends="cancelled", due_at=None))
        if changed is not book:
            pursue(floor, changed, now)
    text = (
        f"{_scope_name(scope)} is halted: nothing is opened until POST /resume. Exits still work."
    )
    state.tell("halted", f"{text} ({reason})", now)
    return text


def _scope_name(scope: str) -> str:
    kind, _, name = scope.partition(":")
    return f"{kind.capitalize()} {name}" if name else "Everything"


def _resume(floor: Floor, scope: str, now: int) -> str:
    state = floor.state
    ended = list(state.halts) if scope == "all" else [each for each in state.halts if each == scope]
    if not ended:
        return "Nothing was halted there."
    for each in ended:
        state.drop(state.halts, each)
        state.batch.switches[each] = None
    names = [_scope_name(each) for each in ended]
    text = f"{', '.join(names)}: resumed, opening orders are allowed again."
    state.tell("resumed", text, now)
    return text


def _resolve(floor: Floor, options: Mapping[str, Any], now: int) -> str | Denial:
    """Settle an unknown order by hand: it filled, or it does not exist."""
    cid, is_filled = str(options["client_id"]), options["outcome"] == "filled"
    book = next((b for b in floor.state.open_books() if cid in b.orders), None)
    order = book.orders[cid] if book else None
    if book is None or order is None or order.status != "unknown":
        text = f"{cid} is not an unknown order. GET /status lists those that are."
        return Denial("NOT_UNKNOWN", text)
    quantity = options.get("quantity") or order.quantity
    price = options.get("price") or order.limit_price
    # Of an order by worth the quantity is only what it came to at the last price.
    is_possible = order.filled < quantity and (quantity <= order.quantity or order.cash is not None)
    if is_filled and (price is None or not is_possible):
        most = "" if order.cash is not None else f" and up to {order.quantity}"
        text = f"Add the price, and a quantity above {order.filled}{most}."
        return Denial("UNREADABLE", text)
    floor.at = (book.account, book.paper, book.instrument.symbol)
    receipt = Receipt(cid, "absent")
    if is_filled:
        status = "filled" if quantity >= order.quantity else "partly_filled"
        receipt = Receipt(cid, status, None, quantity, price)
    pursue(floor, settle_by_hand(book, receipt, now), now)
    done = f"filled {quantity} at {price}" if is_filled else "not there"
    text = f"{cid} to {order.side} {order.quantity} {book.instrument.symbol} counts as {done}."
    floor.state.tell("resolved", f"{text} (by the operator)", now, order.cause.alert_id)
    return text


def _flatten(floor: Floor, account: str, symbol: str | None, now: int) -> Record:
    state = floor.state
    state.seq += 1
    story = Story(action="flatten", number=state.seq)
    name = f"flatten_{now:x}{state.seq:x}"
    record = Record(name, state.seq, now, "", symbol or "", "", story)
    state.follow(record)
    cause = Cause(record.alert_id, record.seq, record.seq, None, "flat")
    for key in shares_to_flatten(floor, account, symbol):
        floor.at = key
        _flatten_book(floor, key, record, cause, now)
    return record


def _flatten_book(floor: Floor, key: Key, record: Record, cause: Cause, now: int) -> None:
    book = floor.state.books[key]
    live = book.live(None, ENTRY)
    reduces = sum((abs(share.quantity) for share in book.shares.values()), ZERO)
    for order in live:
        book = book.with_order(evolve(order, ends="cancelled", due_at=None))
    for share in list(book.shares.values()):
        if share.quantity or any(order.strategy == share.strategy for order in live):
            owed = evolve(share, keep=ZERO, owed=cause, owed_since=now, exit=None)
            book = book.with_share(owed.calmed(KEEP))
    part = Part(*key, tick=book.instrument.tick, reduces=reduces, cancels=len(live))
    record.story.parts.append(part)
    pursue(floor, book, now)
