"""Carry out what an operator asks for: halt, resume, flatten.

A flatten is an exit wish on every share of an account, as if one alert had asked for it; it never touches
what no strategy opened. Each command is one event of the desk thread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from desk.book import ENTRY, Cause
from desk.evolve import evolve
from desk.intake import Intake
from desk.pursue import pursue
from desk.record import Part, Record, Story
from desk.reply import Reply
from desk.state import Key

ZERO = Decimal(0)


@dataclass(slots=True)
class Command:
    """One thing an operator asked for, and who waits for it."""

    name: str
    """halt, resume or flatten."""
    options: Mapping[str, Any]
    reply: Reply
    said: str = ""
    record: Record | None = None


def obey(intake: Intake, command: Command, now: int) -> None:
    """Carry out one command; `said` or `record` then tell what came of it."""
    if command.name == "halt":
        command.said = intake.halt(str(command.options["scope"]), "by the operator", now)
    elif command.name == "resume":
        command.said = _resume(intake, str(command.options["scope"]), now)
    elif command.name == "flatten":
        symbol = command.options.get("symbol")
        command.record = _flatten(intake, str(command.options["account"]), symbol, now)


def shares_to_flatten(intake: Intake, account: str, symbol: str | None) -> list[Key]:
    """Return the books on an account in which a strategy holds or works something."""
    name = intake.symbol_key(symbol) if symbol else None
    return [
        key
        for key, book in intake.state.books.items()
        if key[0] == account
        and (name is None or name == key[2])
        and (any(share.quantity for share in book.shares.values()) or book.live(None, ENTRY))
    ]


def _resume(intake: Intake, scope: str, now: int) -> str:
    state = intake.state
    ended = list(state.halts) if scope == "all" else [each for each in state.halts if each == scope]
    if not ended:
        return "Nothing was halted there."
    for each in ended:
        state.drop(state.halts, each)
        state.batch.switches[each] = None
    text = f"Resumed: {', '.join(ended)}. Opening orders are allowed again."
    state.tell("resumed", text, now)
    return text


def _flatten(intake: Intake, account: str, symbol: str | None, now: int) -> Record:
    state = intake.state
    state.seq += 1
    story = Story(action="flatten", number=state.seq)
    name = f"flatten_{now:x}{state.seq:x}"
    record = Record(name, state.seq, now, "", symbol or "", "", story)
    state.put(state.records, record.alert_id, record)
    state.touched[record.alert_id] = record
    cause = Cause(record.alert_id, record.seq, record.seq, None, "flat")
    for key in shares_to_flatten(intake, account, symbol):
        intake.at = key
        _flatten_book(intake, key, record, cause, now)
    return record


def _flatten_book(intake: Intake, key: Key, record: Record, cause: Cause, now: int) -> None:
    book = intake.state.books[key]
    live = book.live(None, ENTRY)
    reduces = sum((abs(share.quantity) for share in book.shares.values()), ZERO)
    for order in live:
        book = book.with_order(evolve(order, ends="cancelled", due_at=None))
    for share in list(book.shares.values()):
        if share.quantity or any(order.strategy == share.strategy for order in live):
            owed = evolve(share, keep=ZERO, owed=cause, owed_since=now, exit=None)
            book = book.with_share(owed)
    part = Part(*key, tick=book.instrument.tick, reduces=reduces, cancels=len(live))
    record.story.parts.append(part)
    intake.state.put_book(book, now)
    pursue(intake.state, key, now, intake.can_of, intake.calls)
