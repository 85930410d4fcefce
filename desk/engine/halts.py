"""Stop and allow opening orders (rules 11), and say by hand whether a strategy opens on paper (rules 15)."""

from __future__ import annotations

import logging

from desk.engine.context import EngineContext
from desk.engine.execute import execute_plan
from desk.orders.apply import InvariantBroken
from desk.orders.evolve import evolve
from desk.orders.order import ENTRY
from desk.orders.position_book import PositionBook
from desk.performance.judge import PAPER

log = logging.getLogger("desk")


def halt(context: EngineContext, scope: str, reason: str, now: int) -> str:
    """Stop opening orders of a scope until a resume, and cancel its working entries.

    A scope is `all`, `account:NAME` or `strategy:NAME`. Look-ups, protection and exits go on.
    """
    state = context.state
    state.put(state.halts, scope, (reason, now))
    state.batch.switches[scope] = (reason, now)
    kind, _, name = scope.partition(":")
    strategy = name if kind == "strategy" else None
    for book in state.open_books(name if kind == "account" else None):
        changed = end_entries(book, strategy)
        if changed is book:
            continue
        try:
            execute_plan(context, changed, now)
        except InvariantBroken:
            # rules 11.2: what is broken in one book must not keep the halt from standing. What was done
            # there until then stays; its entries are ended by the next plan that can be carried out.
            log.exception("halt_incomplete", extra={"account": book.account})
            key = (book.account, book.paper, book.instrument.symbol)
            state.put_book(end_entries(state.books[key], strategy), now)
    text = (
        f"{_scope_name(scope)} is halted: nothing is opened until POST /resume. Exits still work."
    )
    state.notify("halted", f"{text} ({reason})", now)
    return text


def end_entries(book: PositionBook, strategy: str | None) -> PositionBook:
    """Return the book with every working entry, or those of one strategy, to be cancelled."""
    for order in book.open_orders(strategy, ENTRY):
        book = book.with_order(evolve(order, end_status="cancelled", next_action_at=None))
    return book


def _scope_name(scope: str) -> str:
    kind, _, name = scope.partition(":")
    return f"{kind.capitalize()} {name}" if name else "Everything"


def resume(context: EngineContext, scope: str, now: int) -> str:
    """End the halts of a scope, and say what is still halted."""
    state = context.state
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
    state.notify("resumed", text, now)
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


def set_mode(context: EngineContext, strategy: str, mode: str, now: int) -> str:
    """Change the mode of a strategy by hand, and say what holds now."""
    state = context.state
    if state.mode_of(strategy) == mode:
        return f"{strategy} is {_say(mode)} already."
    state.change_mode(strategy, mode, "set by the operator", now)
    return f"{strategy} is {_say(mode)} from now on. What it holds is closed where it was opened."


def _say(mode: str) -> str:
    return "on paper" if mode == PAPER else "on its own account"
