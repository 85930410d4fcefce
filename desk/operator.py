"""Carry out what an operator asks for: halt, resume, flatten, and the word on an unknown order.

A flatten is an exit wish on every share that it names, as if one alert had asked for it; it never touches
what no strategy opened. Each command is one event of the desk thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from brokers.protocol import Receipt
from desk.apply import settle_by_hand
from desk.book import ENTRY, KEEP, Book, Cause
from desk.codes import Denial
from desk.evolve import evolve
from desk.floor import Floor
from desk.pursue import pursue
from desk.record import Part, Record, Story
from desk.reply import Reply
from desk.routing import map_symbol
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


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be flattened; None: all of it."""

    account: str | None = None
    symbol: str | None = None
    strategy: str | None = None


def obey(floor: Floor, command: Command, now: int) -> None:
    """Carry out one command; `said` or `record` then tell what came of it."""
    if command.name == "halt":
        command.said = halt(floor, str(command.options["scope"]), "by the operator", now)
    elif command.name == "resume":
        command.said = _resume(floor, str(command.options["scope"]), now)
    elif command.name == "flatten":
        command.record = _flatten(floor, Wanted(**command.options), now)
    elif command.name == "resolve":
        outcome = _resolve(floor, command.options, now)
        if isinstance(outcome, Denial):
            command.refused = outcome
        else:
            command.said = outcome


def find_to_flatten(floor: Floor, wanted: Wanted, books: Iterable[Book]) -> list[Book]:
    """Return the books of which something of a strategy is to be closed, or an entry cancelled.

    A symbol is any that `/positions` shows there: the spelling of the last alert, or the venue's.
    """
    return [
        book
        for book in books
        if wanted.account in (None, book.account)
        and _is_named(floor, wanted.symbol, book)
        and any(
            wanted.strategy in (None, name)
            for name in [
                *(share.strategy for share in book.shares.values() if share.quantity),
                *(order.strategy for order in book.live(None, ENTRY)),
            ]
        )
    ]


def say_next(wanted: Wanted) -> str:
    """Return what happens after a flatten, and what to do where that is not wanted."""
    names = {"strategy": wanted.strategy, "account": wanted.account}
    body = next((f'{{"{kind}": "{name}"}}' for kind, name in names.items() if name), "{}")
    return f"The next alert opens again: POST /halt with {body} first if it must not."


def _say_nothing(wanted: Wanted) -> str:
    what = f"{wanted.symbol or 'anything'} on {wanted.account or 'any account'}"
    if wanted.strategy:
        return f"Nothing to do: {wanted.strategy} does not hold or work {what}."
    return f"Nothing to do: no strategy holds or works {what}."


def _is_named(floor: Floor, symbol: str | None, book: Book) -> bool:
    if symbol is None:
        return True
    account = floor.state.settings.accounts.get(book.account)
    asked = symbol.strip().upper()
    names = {asked, floor.symbol_key(asked)}
    if account is not None:
        names.add(floor.symbol_key(map_symbol(account, asked)))
    shown = {book.instrument.symbol, *(share.symbol for share in book.shares.values())}
    return bool(names & {each for name in shown for each in (name, floor.symbol_key(name))})


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
    for each in ended:
        state.drop(state.halts, each)
        state.batch.switches[each] = None
    still = _say_still_halted(list(state.halts))
    if not ended:
        text = "Nothing is halted." if scope == "all" else f"{_scope_name(scope)} was not halted."
        return f"{text}{still}"
    names = ", ".join(_scope_name(each) for each in ended)
    text = f"{names}: resumed, opening orders are allowed again."
    if still:
        text = f"{names}: this halt has ended.{still}"
    state.tell("resumed", text, now)
    return text


def _say_still_halted(scopes: list[str]) -> str:
    """Return what is still halted, and what ends that; nothing where nothing is."""
    if "all" in scopes:
        return (
            " But everything is still halted, so nothing is opened: POST /resume with {} ends that."
        )
    if not scopes:
        return ""
    bodies = [f'{{"{kind}": "{name}"}}' for kind, _, name in (s.partition(":") for s in scopes)]
    names = ", ".join(_scope_name(each) for each in scopes)
    return f" Still halted: {names}. POST /resume with {' or '.join(bodies)} ends that."


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


def _flatten(floor: Floor, wanted: Wanted, now: int) -> Record:
    state = floor.state
    state.seq += 1
    story = Story(action="flatten", number=state.seq)
    story.advice, story.nothing = say_next(wanted), _say_nothing(wanted)
    name = f"flatten_{now:x}{state.seq:x}"
    record = Record(name, state.seq, now, wanted.strategy or "", wanted.symbol or "", "", story)
    state.follow(record)
    cause = Cause(record.alert_id, record.seq, record.seq, None, "flat")
    for book in find_to_flatten(floor, wanted, state.open_books(wanted.account)):
        key = (book.account, book.paper, book.instrument.symbol)
        floor.at = key
        _flatten_book(floor, key, record, cause, wanted.strategy, now)
    return record


def _flatten_book(
    floor: Floor, key: Key, record: Record, cause: Cause, strategy: str | None, now: int
) -> None:
    book = floor.state.books[key]
    live = book.live(strategy, ENTRY)
    shares = [each for each in book.shares.values() if strategy in (None, each.strategy)]
    for order in live:
        book = book.with_order(evolve(order, ends="cancelled", due_at=None))
    for share in shares:
        if share.quantity or any(order.strategy == share.strategy for order in live):
            owed = evolve(share, keep=ZERO, owed=cause, owed_since=now, exit=None)
            book = book.with_share(owed.calmed(KEEP))
    reduces = sum((abs(share.quantity) for share in shares), ZERO)
    part = Part(*key, tick=book.instrument.tick, reduces=reduces, cancels=len(live))
    record.story.parts.append(part)
    pursue(floor, book, now)
