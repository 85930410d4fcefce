"""Answer what there is to see: status, history, positions, strategies.

Everything is read from whole values of the desk's memory or from a reader of the store, so nobody who looks
ever makes the desk wait. Nothing here changes anything.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from desk.alerts.answers import OUTCOMES, say_closed, write_alert
from desk.alerts.explain import explain
from desk.alerts.record import STORY
from desk.api.performance import write_totals
from desk.api.positions import write_manual, write_position, write_trade
from desk.api.requests import HttpRefusal
from desk.config.settings import Settings
from desk.decision.routing import trades_on_paper
from desk.engine.loop import Desk
from desk.engine.market import value_price
from desk.formats import iso, write_optional
from desk.orders.journal import ClosedTradeRow
from desk.orders.order import ENTRY, Order
from desk.orders.position_book import PositionBook
from desk.orders.strategy_position import StrategyPosition
from desk.outbox.outbox import Outbox
from desk.performance.judge import PAPER, Standing
from desk.state.reader import Reader
from desk.state.store import StoreUnavailable

HISTORY_LIMIT = 100
DAY = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}")


def show_status(desk: Desk, started_at: int, version: str, *, private: bool) -> dict[str, Any]:
    """Return the server's status; names of accounts, symbols and strategies only for its owner."""
    concerns = list_open(desk)
    history = list(desk.state.history.values())
    shape: dict[str, Any] = {
        "status": "attention" if any(concerns.values()) else "healthy",
        "version": version,
        "started_at": iso(started_at),
        "uptime": max(0, (desk.clock() - started_at) // 1000),
        "mode": "live" if desk.settings.live_accounts else "paper",
        "counts": {
            "alerts": desk.state.shown.alerts,
            "history": dict(Counter(row.status for row in history)),
            "accounts": len(desk.settings.accounts),
            "strategies": len(desk.settings.strategies),
        },
    }
    if private:
        shape["open"] = concerns
        shape["events"] = _load_events(desk)
    else:
        shape["open"] = {name: len(found) for name, found in concerns.items()}
    return shape


def _load_events(desk: Desk) -> list[dict[str, Any]]:
    """Return what the user was last told; nothing where the state is gone, so that `open` still says so."""
    try:
        with desk.store.reader() as reader:
            return [{**each, "at": iso(each["at"])} for each in reader.load_events(20)]
    except StoreUnavailable:
        return []


def list_open(desk: Desk) -> dict[str, list[dict[str, Any]]]:
    """Return what wants a person's attention, each with since when; all empty when all is well."""
    found: dict[str, list[dict[str, Any]]] = {
        "unknown_orders": [],
        "owed_exits": [],
        "bare_shares": [],  # the older name of the next: a key of an answer stays
        "unprotected_positions": [],
        "halted": [],
        "silent_accounts": [],
        "blocked": [],
        "not_recording": [],
        "expiry_near": [],
    }
    today = datetime.fromtimestamp(desk.clock() / 1000, UTC).date()
    for book in desk.state.shown.open_books():
        where = {"account": book.account, "paper": book.paper, "symbol": book.instrument.symbol}
        for order in book.orders.values():
            if order.status == "unknown":
                since = {"client_order_id": order.client_id, "since": iso(order.sent_at or 0)}
                found["unknown_orders"].append({**where, **since})
        for position in book.restless.values():
            _add_position(found, position, where)
        if book.instrument.roll_day is not None and today >= book.instrument.roll_day:
            _add_ends(found, book, where)
    for scope, (reason, at) in list(desk.state.shown.halts.items()):
        found["halted"].append({"scope": scope, "reason": reason, "since": iso(at)})
    for key, (reason, at) in list(desk.state.shown.blocked.items()):
        where = {"account": key[0], "symbol": key[2], "reason": reason}
        found["blocked"].append({**where, "since": iso(at)})
    for name, silence in list(desk.state.shown.silent.items()):
        where = {"account": name, "reason": silence.problem}
        found["silent_accounts"].append({**where, "since": iso(silence.since)})
    if desk.failure:
        trouble = {"reason": desk.failure, "since": iso(desk.failing_since)}
        found["not_recording"].append(trouble)
    found["failing_channels"] = list(_list_failing(desk.channels))
    return found


def _list_failing(channels: Sequence[Outbox]) -> Iterator[dict[str, Any]]:
    """Yield who gets no messages at the moment, by service and host alone."""
    for channel in channels:
        if trouble := channel.trouble:
            why = {"reason": trouble.reason, "since": iso(trouble.since)}
            yield {"channel": channel.name, **why, "dropped": channel.dropped}


def _add_ends(
    found: dict[str, list[dict[str, Any]]], book: PositionBook, where: dict[str, Any]
) -> None:
    """Add who holds a contract that is about to end."""
    days = {"since": str(book.instrument.roll_day), "last_day": str(book.instrument.last_day)}
    found["expiry_near"] += [
        {**where, "strategy": position.strategy, **days}
        for position in book.positions.values()
        if position.quantity
    ]


def _add_position(
    found: dict[str, list[dict[str, Any]]], position: StrategyPosition, where: dict[str, Any]
) -> None:
    who = {**where, "strategy": position.strategy}
    if position.has_pending_exit:
        found["owed_exits"].append({**who, "since": iso(position.exit_requested_at)})
    if position.unprotected_since:
        bare = {**who, "since": iso(position.unprotected_since)}
        found["bare_shares"].append(bare)
        found["unprotected_positions"].append(bare)


def read_filters(given: Mapping[str, str]) -> dict[str, str]:
    """Return what the history is filtered by; an empty value means all. Raises `HttpRefusal`."""
    names = ("strategy", "symbol", "status", "day")
    filters = {name: given[name] for name in names if given.get(name)}
    if filters.get("status", OUTCOMES[0]) not in OUTCOMES:
        raise HttpRefusal(400, "UNREADABLE", f"status must be one of {', '.join(OUTCOMES)}.")
    if not DAY.fullmatch(filters.get("day", "2026-01-31")):
        raise HttpRefusal(400, "UNREADABLE", "day must be a day like 2026-01-31, in UTC.")
    return filters


def show_history(desk: Desk, filters: dict[str, str], limit: int) -> str:
    """Return the rolling history as JSON, newest first."""
    rows = [
        row
        for row in reversed(list(desk.state.history.values()))
        if all(getattr(row, name) == wanted for name, wanted in filters.items())
    ]
    texts = ",".join(row.text for row in rows[:limit])
    return f'{{"count":{len(rows[:limit])},"alerts":[{texts}]}}'


def show_alert(desk: Desk, alert_id: str) -> dict[str, Any] | None:
    """Return one alert's whole story, or None where there is no such alert."""
    with desk.store.reader() as reader:
        row = reader.find_alert(alert_id)
        orders = reader.find_orders(alert_id) if row else []
        executed = reader.find_executions(order.client_id for *_, order in orders)
        closed = _find_closed(reader, orders, executed)
    if row is None:
        return None
    story = STORY.validate_json(row.record)
    shape: dict[str, Any] = json.loads(row.answer)
    ended = [{**write_trade(trade), "message": say_closed(trade)} for trade in closed]
    return {
        **shape,
        "received_at": iso(row.received_at),
        "comment": story.comment,
        "deliveries": row.deliveries,
        "http": story.http,
        "body": row.body,
        "alert": write_alert(story.alert, None) if story.alert else None,
        "notes": dict(story.alert.notes) if story.alert else {},
        "decisions": [{"at": iso(note.at), "text": note.text} for note in story.notes],
        "requests": [
            {
                "account": account,
                "paper": bool(paper),
                "instrument": instrument,
                "client_order_id": order.client_id,
                "kind": order.kind,
                "side": order.side,
                "order_type": order.order_type,
                "quantity": str(order.quantity),
                "limit_price": str(order.limit_price) if order.limit_price is not None else None,
                "stop_price": str(order.stop_price) if order.stop_price is not None else None,
                "sent_at": iso(order.sent_at) if order.sent_at else None,
                "status": order.status,
                "filled_quantity": str(order.filled),
                "average_price": write_optional(order.average_price),
                "filled_at": iso(executed[order.client_id])
                if order.client_id in executed
                else None,
                "code": order.code,
                "message": order.message,
            }
            for account, paper, instrument, order in orders
        ],
        "closed": ended,
        "explain": explain({**shape, "closed": ended}),
        "milliseconds": story.timings,
    }


def _find_closed(
    reader: Reader, orders: list[tuple[str, int, str, Order]], executed: dict[str, int]
) -> list[ClosedTradeRow]:
    """Return the closed trades that the entries of an alert are part of: how what it opened has ended."""
    found = [
        reader.find_trade(account, paper, instrument, order.strategy, executed[order.client_id])
        for account, paper, instrument, order in orders
        if order.kind == ENTRY and order.client_id in executed
    ]
    return [trade for trade in found if trade is not None]


def show_positions(desk: Desk, limit: int) -> dict[str, Any]:
    """Return every position that is held or worked, and the trades that were closed."""
    rows = write_positions(desk)
    with desk.store.reader() as reader:
        closed = [write_trade(row) for row in reader.load_trades(limit)]
    return {"positions": rows, "closed": closed}


def write_positions(desk: Desk) -> list[dict[str, Any]]:
    """Return a row for every share that is held or worked, and for what a venue holds beyond them."""
    books, now = desk.state.shown.open_books(), desk.clock()
    rows = [
        write_position(
            book,
            position,
            value_price(desk.context, book, [position], now, desk.state.shown),
            is_fed=desk.context.is_fed(book, now),
        )
        for book in books
        for position in book.positions.values()
        if position.quantity != 0 or book.open_orders(position.strategy)
    ]
    rows += [
        write_position(book, StrategyPosition(name), None)
        for book in books
        for name in {order.strategy for order in book.open_orders()} - set(book.positions)
    ]
    rows.sort(key=lambda row: (row["account"], row["instrument"], row["paper"], row["strategy"]))
    rows += [
        write_manual(account, name, quantity)
        for account, external_quantities in list(desk.state.shown.external_quantities.items())
        for name, quantity in external_quantities.items()
        if quantity and desk.state.nets(account)
    ]
    return rows


def show_strategies(desk: Desk) -> list[dict[str, Any]]:
    """Return the strategies that are configured, and those that an alert created."""
    settings, known = desk.settings, desk.state.shown.standings
    shapes = [
        _strategy(
            settings, name, list(each.accounts), each.enabled, known.get(name), is_registered=True
        )
        for name, each in settings.strategies.items()
    ]
    shapes += [
        _strategy(
            settings, name, [settings.default_account], True, known.get(name), is_registered=False
        )
        for name in list(desk.state.shown.strategies)
        if name not in settings.strategies
    ]
    with desk.store.reader() as reader:
        return [
            {**each, **write_totals(reader, settings, each["name"], each["account"])}
            for each in shapes
        ]


def _say_why(settings: Settings, name: str, accounts: list[str], *, is_paper: bool) -> str:
    """Return why a strategy trades on paper, or live."""
    if not is_paper:
        return f"{' and '.join(accounts)} {'is' if len(accounts) == 1 else 'are'} live."
    if name not in settings.strategies:
        return "It was created by its first alert: write it under strategies to let it trade live."
    if settings.trading != "live":
        return "config.yaml says trading: paper."
    return f"{' and '.join(accounts)} trade{'s' if len(accounts) == 1 else ''} on paper."


def _say_standing(standing: Standing, own: str) -> str:
    """Return why a strategy that is judged opens where it does."""
    if standing.mode == PAPER:
        return f"It opens on paper since {iso(standing.since)}: {standing.reason}."
    why = f" since {iso(standing.since)}: {standing.reason}" if standing.reason else ""
    return f"It opens on its own account{why}. {own}"


def _strategy(
    settings: Settings,
    name: str,
    accounts: list[str],
    enabled: bool,
    standing: Standing | None,
    *,
    is_registered: bool,
) -> dict[str, Any]:
    each = settings.strategy(name)
    modes = {trades_on_paper(settings, name, account) for account in accounts}
    is_paper = modes == {True}
    reason = _say_why(settings, name, accounts, is_paper=is_paper)
    is_judged = settings.performance_of(name) is not None
    if standing is not None and (is_judged or standing.mode == PAPER):
        is_paper = standing.mode == PAPER
        reason = _say_standing(standing, reason)
    return {
        "name": name,
        "mode": "paper" if is_paper else "live",
        "reason": reason,
        "mode_since": iso(standing.since) if standing and standing.since else None,
        "rules": {
            rule: {"value": value, "since": iso(standing.since_rule[rule])}
            for rule, value in standing.rules.items()
        }
        if standing
        else {},
        "account": accounts[0],
        "accounts": accounts,
        "enabled": enabled,
        "registered": is_registered,
        "default_quantity": str(each.default_quantity) if each.default_quantity else None,
        "direction": each.direction,
        "sync": each.sync,
        "pyramid": each.pyramid,
    }
