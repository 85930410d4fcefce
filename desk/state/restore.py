"""Load the desk's memory from the record: after a stop, a crash or a kill alike.

What was sent and never answered becomes `unknown`; after that there is no recovery, only the loop. Nothing is
sent from here and nothing is decided.
"""

from __future__ import annotations

import functools
import json
from decimal import Decimal
from typing import Any

from desk.alerts.record import STORY, Record
from desk.decision.staleness import until
from desk.orders.believed_prices import Seen
from desk.orders.evolve import evolve
from desk.orders.position_book import PositionBook
from desk.orders.strategy_position import StrategyPosition
from desk.state.abandoned import find_abandonment, is_holding, name_holding
from desk.state.funding import count_funding
from desk.state.memory import KEPT_AT_REST, State
from desk.state.recount import recount
from desk.state.rows import AlertRow
from desk.state.store import Store
from desk.state.tables import COUNTED_MS, Equity, HistoryRow


def restore(state: State, store: Store, now: int) -> None:
    """Fill an empty state from the store."""
    state.cash.update((name, Decimal(amount)) for name, amount in store.load_facts("cash"))
    _load_prices(state, store, now)
    state.halts.update((scope, (why, at)) for scope, why, at in store.load_facts("switches"))
    state.strategies.update(store.load_strategies(KEPT_AT_REST))
    window = state.settings.webhook.dedupe_seconds * 1000
    state.claims.update(store.load_identities(now, now + window))
    state.seq = store.last_seq()
    for row in store.load_last(state.settings.webhook.max_history):
        if not row.settled:
            record = _reopen(row, store)
            state.records[record.alert_id] = record
            if record.story.todo:
                state.waiting[record.alert_id] = record
        state.history[row.alert_id] = history_row(row)
    # After the alerts, so that theirs know what became of their orders.
    for book in store.load_books():
        if why := find_abandonment(state.settings, book):
            if is_holding(book):
                state.notify(
                    "position_abandoned", f"{name_holding(book)} is left alone: {why}.", now
                )
            continue
        state.put_book(_doubt_what_was_sent(state.with_account_facts(book), now), now)
    for account, paper, instrument, strategy in store.load_traded(now - window):
        if position := store.find_share(account, paper, instrument, strategy):
            state.note_executed(position, instrument, now)
    _count_again(state, store, now)
    for charge in store.load_funding():
        count_funding(state, charge, now)
    recount(state.settings, store)
    _load_standings(state, store, now)
    state.loaded()


def _load_standings(state: State, store: Store, now: int) -> None:
    """Load how each strategy stands; what config.yaml has changed of its rules counts from now."""
    state.standings.update(store.load_standings())
    for name in dict.fromkeys([*state.settings.strategies, *state.standings]):
        state.adopt_rules(name, now)


def _load_prices(state: State, store: Store, now: int) -> None:
    for name, price, at in store.load_facts("prices"):
        # A clock that was set back meanwhile makes no price younger than now.
        state.prices[name] = Seen(Decimal(price), min(at, now))
    for name, (day, start) in store.load_equities().items():
        state.equities[name] = Equity(day, start)


def _count_again(state: State, store: Store, now: int) -> None:
    """Count what the limits of risk count, from what is recorded."""
    waited = state.settings.webhook.max_age_seconds * 1000
    if state.counts_orders:
        entries = store.load_entries(now - COUNTED_MS - waited)
        for account, paper, instrument, order in sorted(entries, key=lambda e: e[3].created_at):
            state.count_opening((account, paper, instrument), order, now)
    find = functools.cache(store.find_instrument)
    for row in store.load_trades_since(now - COUNTED_MS):
        found = find(row.account, row.paper, row.instrument)
        state.count_trade(row, found.quote if found else "")


def history_row(row: AlertRow) -> HistoryRow:
    """Return a row of the rolling history from what is stored."""
    story = STORY.validate_json(row.record)
    return HistoryRow(
        row.alert_id,
        row.strategy,
        row.symbol,
        row.status,
        row.received_at,
        story.comment,
        row.deliveries,
        story.http or 200,
        row.answer,
        story.latency_ms,
    )


def _reopen(row: AlertRow, store: Store) -> Record:
    record = Record(
        row.alert_id,
        row.seq,
        row.received_at,
        row.strategy,
        row.symbol,
        row.body,
        STORY.validate_json(row.record),
        row.deliveries,
        answer=row.answer,
        status=row.status,
    )
    for account, paper, instrument, order in store.find_orders(row.alert_id):
        record.orders[order.client_id] = (account, bool(paper), instrument, order)
    return record


def _doubt_what_was_sent(book: PositionBook, now: int) -> PositionBook:
    """Make `unknown` what was on its way when the process ended; a cancel or look-up is just asked again.

    What waits for a look-up or another try is due at once: it may have waited long enough meanwhile. An order
    may have left a moment ago, so that the first reads may not show it yet.
    """
    for order in list(book.orders.values()):
        if order.in_flight == "place":
            book = book.with_order(
                evolve(order, status="unknown", in_flight="", next_action_at=now)
            )
        elif order.in_flight or order.next_action_at is not None:
            book = book.with_order(evolve(order, in_flight="", next_action_at=now))
    for position in book.positions.values():
        book = book.knowing(_resume(position, now))
    return evolve(book, acted_at=now)


def _resume(position: StrategyPosition, now: int) -> StrategyPosition:
    """Return a position whose wishes are tried at once, and that no time from the future blocks."""
    signals = until(position.signals, now)
    return (
        position if signals is position.signals else evolve(position, signals=signals)
    ).retry_now(now)


def read_answer(text: str) -> dict[str, Any]:
    """Return a stored answer as the shape it was written from."""
    shape: dict[str, Any] = json.loads(text)
    return shape
