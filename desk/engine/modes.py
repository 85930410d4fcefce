"""Carry out a change between live and paper: end working entries, close what must close (rules 15.3).

Whether the mode changes is judged where trades are counted, or said by the operator.
"""

from __future__ import annotations

from desk.decision.routing import trades_on_paper
from desk.engine.commands import Wanted, flatten
from desk.engine.context import EngineContext
from desk.engine.execute import execute_plan
from desk.engine.halts import end_entries
from desk.performance.judge import PAPER


def follow_modes(context: EngineContext, now: int) -> None:
    """Do what the changes of mode since the last commit ask for."""
    state = context.state
    while state.mode_changes:
        strategy, old = next(iter(state.mode_changes.items()))
        state.drop(state.mode_changes, strategy)
        for book in state.open_books():
            context.at = (book.account, book.paper, book.instrument.symbol)
            ended = end_entries(book, strategy)
            if ended is not book:
                execute_plan(context, ended, now)
        settings = state.settings.performance_of(strategy)
        closes = settings is not None and settings.open_positions == "close"
        if old == PAPER or not closes:
            continue
        books = [
            book
            for book in state.open_books()
            if book.paper == trades_on_paper(state.settings, strategy, book.account)
            and book.position(strategy).quantity
        ]
        if books:
            flatten(context, Wanted(strategy=strategy), now, books)
