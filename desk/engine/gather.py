"""Find the books that an alert can be decided on now, and what the others wait for.

A missing fact is asked for and the alert decided when it has come; nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Sequence

from brokers.protocol import MARKET_MISMATCH, BrokerRefused
from desk.alerts.record import Part, Record
from desk.decision.denial import Denial
from desk.decision.routing import Route, map_symbol
from desk.decision.staleness import Times
from desk.engine.context import EngineContext
from desk.engine.rules import (
    find_books,
    find_quotes,
    holds_there,
)
from desk.orders.believed_prices import reference_price
from desk.orders.journal import say_unreached
from desk.orders.position_book import PositionBook
from parsers.alert import Alert


def gather_books(
    context: EngineContext, record: Record, alert: Alert, routes: tuple[Route, ...], times: Times
) -> list[tuple[Route, PositionBook]]:
    """Return the books that can be decided on now; note the accounts that must wait or refuse."""
    found: list[tuple[Route, PositionBook]] = []
    story = record.story
    for route in routes:
        try:
            books = find_books(context, record.strategy, alert, route, story.warnings, times)
        except BrokerRefused as no:
            story.parts.append(refuse_on_route(context, record, route, alert, no))
            continue
        if books is None and times.expired and not _may_reduce(context, record, alert, route):
            text = f"{_say_unreached(context, alert, route)}{times.expired}"
            story.parts.append(
                refuse_on_route(context, record, route, alert, BrokerRefused(text, "EXPIRED"))
            )
        elif books is None:
            story.todo.append(route.account)
            why = _say_unreached(context, alert, route)
            story.waits_for = f"{alert.symbol} is being looked up on {route.account}"
            if why:
                story.waits_for = f"{why}{alert.symbol} is looked up as soon as it answers"
            if not context.state.opens_on_paper(record.strategy, route.account):
                _awaits_quotes(context, record, alert, [(route, None)], times)  # at the same time
        elif not alert.only_reduces and (
            any(book.is_calling for _, book in books) or _is_behind(context, record, route)
        ):
            story.todo.append(route.account)
            story.waits_for = f"an order for {alert.symbol} is on its way on {route.account}"
        elif _awaits_price(context, alert, books, times.now):
            story.todo.append(route.account)
            story.waits_for = f"the price of {alert.symbol} is being looked up"
        elif _awaits_quotes(context, record, alert, books, times):
            story.todo.append(route.account)
            story.waits_for = f"{route.account} is being asked what {alert.symbol} costs"
        else:
            found += books
    return found


def _say_unreached(context: EngineContext, alert: Alert, route: Route) -> str:
    """Say why a venue has not told an instrument yet; else the alert's age would look like the cause."""
    account = context.state.settings.accounts[route.account]
    why = context.problem_of(route.account, map_symbol(account, alert.symbol))
    return f"{say_unreached(route.account, why)}. " if why else ""


def _awaits_price(
    context: EngineContext, alert: Alert, books: list[tuple[Route, PositionBook]], now: int
) -> bool:
    """Whether a market order brings no price and the present one is being asked for; a look never waits."""
    if context.is_dry or alert.action == "cancel" or alert.order_type not in (None, "market"):
        return False
    if reference_price(alert) is not None:
        return False
    waits = [context.awaits_price(book, now) for _, book in books]  # each is asked for
    return any(waits)


def _awaits_quotes(
    context: EngineContext,
    record: Record,
    alert: Alert,
    books: Sequence[tuple[Route, PositionBook | None]],
    times: Times,
) -> bool:
    """Whether the venue is being asked for a price that an opening part is judged by (rules 15.5).

    What is only asked waits where nothing else says what the price is.
    """
    if times.expired or (context.is_dry and alert.price is not None):
        return False
    wanted: dict[str, int] = {}
    for route, book in books:
        if book is None or not book.paper:
            wanted |= find_quotes(context, record, alert, route, book)
    return bool(wanted) and context.awaits_quotes(books[0][0].account, wanted, times.now)


def _may_reduce(context: EngineContext, record: Record, alert: Alert, route: Route) -> bool:
    """Whether an alert whose instrument is not known yet may find something to reduce there."""
    active = context.state.active.get(record.strategy, {})
    return alert.only_reduces or any(account == route.account for account, *_ in active)


def _is_behind(context: EngineContext, record: Record, route: Route) -> bool:
    """Whether an earlier alert of the strategy on the symbol still waits there: this one comes after."""
    name = context.symbol_key(record.symbol)
    return any(
        other.seq < record.seq
        and route.account in other.story.todo
        and other.strategy == record.strategy
        and context.symbol_key(other.symbol) == name
        for other in context.state.waiting.values()
    )


def refuse_on_route(
    context: EngineContext, record: Record, route: Route, alert: Alert, no: BrokerRefused
) -> Part:
    """Return the part of an alert that an account refuses before anything is decided there."""
    paper = context.state.opens_on_paper(record.strategy, route.account)
    side = alert.action if alert.action in ("buy", "sell") else ""
    text = no.message
    if no.code == MARKET_MISMATCH:
        text = f"{text.rstrip('.')}. {_say_where_else(context, record, route, alert)}"
    if not context.is_dry and holds_there(context, record.strategy, alert, route.account):
        # rules 3.2: an exit cannot leave, or an entry that may have been one: no answer of ours is read.
        told = f"{record.strategy} holds {alert.symbol} on {route.account}, and its alert was refused. {text}"
        context.state.notify("position_left", told, record.received_at, record.alert_id)
    denial = Denial(no.code, text, side, alert.quantity)
    return Part(route.account, paper, alert.symbol, denials=(denial,))


def _say_where_else(context: EngineContext, record: Record, route: Route, alert: Alert) -> str:
    """Say whose alert it was, where it went, and what to change: the account, or the symbol."""
    account = context.state.settings.accounts[route.account]
    market = f" (market: {account.market})" if account.market else ""
    return (
        f"{record.strategy} sent {alert.symbol} to {route.account}{market}: name an account of its market "
        f"by account_group in the alert or by strategies.{record.strategy}.account in config.yaml, or map it "
        f'by accounts.{route.account}.symbols: {{"{alert.symbol}": "…"}}.'
    )
