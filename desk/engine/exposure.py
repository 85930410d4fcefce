"""Gather what the risk limits count: orders sent, what is held and worked, what the day has brought.

Only what a limit asks for is gathered. Everything is read from the desk's memory, which is restored from
the record; nothing is decided and nothing is changed here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal

from desk.config.settings import Risk
from desk.config.trading_day import start_of_day
from desk.config.trading_hours import read_window
from desk.decision.denial import Denial
from desk.decision.risk import (
    NO_LIMITS,
    Amount,
    Limits,
    Scope,
    Stakes,
    Total,
    count_contracts,
    count_held,
    find_unit_value,
    find_worth,
    tighter,
)
from desk.decision.routing import strategy_settings
from desk.engine.context import EngineContext
from desk.engine.market import value_price
from desk.orders.order import ENTRY, Order
from desk.orders.position_book import PositionBook
from desk.state.memory import State
from desk.state.tables import Opening

ZERO = Decimal(0)
MINUTE_MS = 60_000
KEPT = 1_000
EQUITY_MS = 120_000
"""How old what a venue said of an account's worth may be: an account is read every minute at least."""
PRICED = ("max_notional", "max_position", "max_exposure", "max_daily_loss", "price_band_percent")
"""The limits that a price is needed for."""
VALUED = ("max_exposure", "max_daily_loss")
"""Those that value everything that is open."""
Applying = tuple[Limits, str | None]
"""Limits, and the strategy whose part alone counts towards them; None: the whole account's."""


def find_stakes(
    context: EngineContext, strategy: str, book: PositionBook, mapped: str, now: int
) -> Stakes | None:
    """Return what an opening order of `strategy` in `book` is judged by; None where no limit is set.

    `mapped` is the symbol that is asked for, under the name the account trades it by.
    """
    applying = _find_limits(context, strategy, book.account)
    total = _find_total(context, book, now)
    if not applying and total is None:
        return None
    account = context.state.settings.accounts[book.account]
    stakes = Stakes(
        book.account,
        account.currency,
        find_worth(account.currency, dollars_are_one=book.paper or account.stablecoins_are_dollars),
        names_of(context, book, mapped),
    )
    scopes = tuple(_scope(context, each, strategy, book, stakes, now) for each in applying)
    return replace(stakes, scopes=scopes, total=total)


def find_spendable(context: EngineContext, book: PositionBook, now: int) -> Decimal | None:
    """Return how much of the coin a pair is paid in no strategy holds; None where none holds any of it.

    Rules 3.9: what strategies hold is not cash for others. On paper a coin is never cash: what was bought has
    left the one number that cash is there.
    """
    coin, state = book.instrument.quote, context.state
    if book.paper or book.instrument.kind != "spot":
        return None
    others = _books_of(context, book.account, book.paper)
    if not any(
        other.instrument.kind == "spot" and other.instrument.base == coin and _holds(other)
        for other in others
    ):
        return None
    free = state.external_quantities.get(book.account, {}).get(coin, ZERO)
    free -= sum((cost for name, _, cost in state.spent.get(book.account, ()) if name == coin), ZERO)
    for other in others:
        if other.instrument.kind == "spot" and other.instrument.quote == coin:
            last = value_price(context, other, other.positions.values(), now) or ZERO
            free -= sum((_find_cost(order, last) for order in other.open_orders(None, ENTRY)), ZERO)
    return max(free, ZERO)


def _holds(book: PositionBook) -> bool:
    """Whether strategies hold something here, or may by an order whose outcome is not known yet."""
    return any(position.quantity > 0 for position in book.positions.values()) or bool(
        book.open_orders(None, ENTRY)
    )


def _find_cost(order: Order, last: Decimal) -> Decimal:
    """Return what an entry that may still fill is going to cost."""
    if order.quote_quantity is not None:
        return order.quote_quantity
    return order.leaves_quantity * (order.limit_price or order.stop_price or last)


def _find_limits(context: EngineContext, strategy: str, account: str) -> tuple[Applying, ...]:
    """Return the limits that are set: of an account, the top level included, and of a strategy."""
    found = context.limits.get((strategy, account))
    if found is None:
        if len(context.limits) >= KEPT:
            context.limits.clear()
        settings = context.state.settings
        own = _read(context, settings.accounts[account].risk)
        both = (tighter(_read(context, settings.risk), own), None)
        its = (_read(context, strategy_settings(settings, strategy).risk), strategy)
        found = tuple(each for each in (both, its) if each[0] != NO_LIMITS)
        context.limits[(strategy, account)] = found
    return found


def _read(context: EngineContext, risk: Risk) -> Limits:
    symbols = frozenset(context.symbol_key(symbol.upper()) for symbol in risk.symbols)
    windows = tuple(read_window(text) for text in risk.hours)
    return Limits(
        max_notional=risk.max_notional,
        max_position=risk.max_position,
        max_daily_loss=risk.max_daily_loss,
        max_quantity=risk.max_quantity,
        max_contracts=risk.max_contracts,
        max_exposure=risk.max_exposure,
        max_orders_per_minute=risk.max_orders_per_minute,
        max_orders_per_day=risk.max_orders_per_day,
        max_repeats=risk.max_repeats,
        price_band_percent=risk.price_band_percent,
        symbols=symbols or None,
        hours=(windows,) if windows else (),
    )


def names_of(context: EngineContext, book: PositionBook, mapped: str) -> frozenset[str]:
    """Return what a list may call an instrument: as asked for; a future by contract or by `1!` too."""
    names = {context.symbol_key(mapped)}
    if book.instrument.root:
        names |= {context.symbol_key(book.instrument.symbol), f"{book.instrument.root}1!"}
    return frozenset(names)


def _scope(
    context: EngineContext,
    applying: Applying,
    strategy: str,
    book: PositionBook,
    stakes: Stakes,
    now: int,
) -> Scope:
    """Count for one set of limits what it asks for when `strategy` opens."""
    limits, whose = applying
    day = start_of_day(context.state.settings.accounts[book.account].day_start, now)
    openings = context.state.openings.get((book.account, book.paper), {})
    last = _list_sent(openings, whose, now - MINUTE_MS + 1)
    counts_day = limits.max_orders_per_day is not None
    counts_money = limits.max_exposure is not None
    return Scope(
        limits,
        whose,
        in_minute=len(last),
        today=len(_list_sent(openings, whose, day)) if counts_day else 0,
        # A row of orders is one strategy's own: twelve that each buy once repeat nothing.
        run=_find_run(_only_of(last, strategy), book.instrument.symbol),
        contracts=(
            _count_others(context, whose, book) if limits.max_contracts is not None else ZERO
        ),
        elsewhere=_value_others(context, whose, book, stakes, now) if counts_money else ZERO,
        result=(
            find_day_result(context, book.account, book.paper, whose, now)
            if limits.max_daily_loss is not None
            else ZERO
        ),
    )


def _list_sent(openings: dict[str, Opening], whose: str | None, since: int) -> list[Opening]:
    """Return the opening orders since a moment, the oldest first; they are kept in the order of time."""
    late = itertools.takewhile(lambda each: each.at >= since, reversed(openings.values()))
    return _only_of(late, whose)[::-1]


def _only_of(openings: Iterable[Opening], whose: str | None) -> list[Opening]:
    return [each for each in openings if whose in (None, each.strategy)]


def _find_run(last: Iterable[Opening], symbol: str) -> tuple[str, int]:
    """Return the side of the newest orders for a symbol, and how many of them lie on it in a row."""
    side, count = "", 0
    for each in last:
        if each.instrument == symbol:
            side, count = each.side, count + 1 if each.side == side else 1
    return side, count


def _count_others(context: EngineContext, whose: str | None, book: PositionBook) -> Decimal:
    """Return how many contracts of all other futures are held or worked on the account."""
    others = [
        other for other in _books_of(context, book.account, book.paper) if not _is_same(other, book)
    ]
    return sum((count_contracts(o.instrument, count_held(o, whose, "")) for o in others), ZERO)


def _value_others(
    context: EngineContext, whose: str | None, book: PositionBook, stakes: Stakes, now: int
) -> Amount:
    """Return what all other instruments on the account are worth, held and working, both sides added."""
    total = ZERO
    for other in _books_of(context, book.account, book.paper):
        held = ZERO if _is_same(other, book) else count_held(other, whose, "")
        if held == 0:
            continue
        price = value_price(context, other, other.positions.values(), now)
        unit = find_unit_value(other.instrument, price, stakes.currency, stakes.worth)
        if isinstance(unit, Denial):
            return unit
        total += held * unit
    return total


def find_day_result(
    context: EngineContext, account: str, paper: bool, whose: str | None, now: int
) -> Amount:
    """Return what the day has brought: by the venue's equity where it tells, else by the record (15.4).

    `whose`: of one strategy alone.
    """
    settings = context.state.settings.accounts[account]
    day = start_of_day(settings.day_start, now)
    told = None if paper or whose else context.state.equities.get(account)
    is_known = told is not None and told.day == day and now - told.at <= EQUITY_MS
    if told is not None and is_known and told.last is not None:
        return told.last - told.start
    is_one = paper or settings.stablecoins_are_dollars
    worth = find_worth(settings.currency, dollars_are_one=is_one)
    return _sum_up_day(context, whose, (account, paper), (settings.currency, worth), day, now)


def sum_closed(state: State, account: str, day: int) -> Decimal:
    """Return what the trades closed at a venue since a moment have brought, as far as they are counted."""
    closed = state.closed.get((account, False), {}).values()
    return sum((trade.result for trade in closed if trade.at >= day), ZERO)


def find_need(
    context: EngineContext, strategy: str, account: str, names: frozenset[str]
) -> frozenset[str] | None:
    """Return what limits ask of prices: of the instrument's ("price"), of all that is open ("values").

    None where an instrument of these names may not be opened anyway.
    """
    need: set[str] = set()
    for limits, _ in _find_limits(context, strategy, account):
        if limits.symbols is not None and not names & limits.symbols:
            return None
        need |= {"price" for name in PRICED if getattr(limits, name) is not None}
        need |= {"values" for name in VALUED if getattr(limits, name) is not None}
    if context.state.settings.risk.max_total_exposure is not None:
        need |= {"price", "values"}
    return frozenset(need)


def list_open_symbols(context: EngineContext, book: PositionBook) -> list[str]:
    """Return the instruments that are held or worked on a book's account."""
    return [
        other.instrument.symbol
        for other in _books_of(context, book.account, book.paper)
        if other.orders or any(position.quantity for position in other.positions.values())
    ]


def _sum_up_day(
    context: EngineContext,
    whose: str | None,
    place: tuple[str, bool],
    money: tuple[str, frozenset[str]],
    day: int,
    now: int,
) -> Amount:
    """Return the result of the trades closed since the day began and of everything that is open.

    A trade counts whole on the day it closes, and what is open counts whole: so the sum can be told
    from the record alone, also after a crash.
    """
    total = ZERO
    currency, worth = money
    for trade in context.state.closed.get(place, {}).values():
        if trade.at < day or whose not in (None, trade.strategy):
            continue
        if trade.quote not in worth:
            ended = f"a trade in {trade.instrument} ended in {trade.quote}"
            text = f"{ended} and the account counts in {currency}."
            return Denial("CURRENCY_UNKNOWN", text)
        total += trade.result
    for other in _books_of(context, *place):
        for position in other.positions.values():
            if whose not in (None, position.strategy) or position.quantity == 0:
                continue
            price = value_price(context, other, [position], now)
            unit = find_unit_value(other.instrument, price, currency, worth)
            if isinstance(unit, Denial) or price is None:
                return unit
            total += position.ledger.realized
            total += position.ledger.open_profit(price, other.instrument.point_value)
    return total


def _find_total(context: EngineContext, book: PositionBook, now: int) -> Total | None:
    """Return the limit over all accounts and what counts towards it; paper and real are never added up."""
    settings = context.state.settings
    limit = settings.risk.max_total_exposure
    if limit is None:
        return None
    own = find_worth(settings.currency, dollars_are_one=_are_dollars_one(context, book))
    total = ZERO
    for other in context.state.open_books():
        held = ZERO if other.paper != book.paper else count_held(other, None, "")
        is_here = other.account == book.account and _is_same(other, book)
        if held == 0 or is_here:
            continue
        worth = find_worth(settings.currency, dollars_are_one=_are_dollars_one(context, other))
        price = value_price(context, other, other.positions.values(), now)
        unit = find_unit_value(other.instrument, price, settings.currency, worth)
        if isinstance(unit, Denial):
            return Total(limit, settings.currency, own, unit)
        total += held * unit
    return Total(limit, settings.currency, own, total)


def _are_dollars_one(context: EngineContext, book: PositionBook) -> bool:
    account = context.state.settings.accounts.get(book.account)
    return book.paper or (account is not None and account.stablecoins_are_dollars)


def _books_of(context: EngineContext, account: str, paper: bool) -> list[PositionBook]:
    return context.state.open_books(account, paper)


def _is_same(one: PositionBook, other: PositionBook) -> bool:
    return one.instrument.symbol == other.instrument.symbol
