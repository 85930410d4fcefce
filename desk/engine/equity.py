"""Say what an account is worth now, for sizes that go by it. Nothing is decided here.

At a venue its own word counts, for a minute; on paper cash and what is held at the last prices.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from desk.decision.risk import find_worth
from desk.decision.routing import is_paper
from desk.engine.context import EngineContext
from desk.engine.market import value_price
from desk.orders.position_book import PositionBook

FRESH_MS = 75_000
"""How old a venue's word may be: an account where nothing is held is read once a minute (rules 15.5)."""
Valued = tuple[PositionBook, Decimal | None]
"""What is held of an instrument, and its price as far as anybody knows."""


def find_equity(context: EngineContext, book: PositionBook, now: int) -> Decimal | None:
    """Return what the account of a book is worth, on the side of it (live or paper) that the book is on.

    A paper twin is sized from the live account's equity, before that was read from `cash` (rules 13.2).
    """
    state = context.state
    settings = state.settings.accounts[book.account]
    told = state.equities.get(book.account)
    if not is_paper(state.settings, settings):
        if book.paper:
            return told.last if told and told.last is not None else settings.cash
        is_fresh = told is not None and now - told.at <= FRESH_MS
        return told.last if told is not None and is_fresh else None
    books = state.open_books(book.account, True)
    valued = [(each, value_price(context, each, each.positions.values(), now)) for each in books]
    cash = settings.cash + state.cash.get(book.account, Decimal(0))
    found = add_up(valued, find_worth(settings.currency, dollars_are_one=True))
    return None if found is None else cash + found[0]


def add_up(valued: Iterable[Valued], worth: frozenset[str]) -> tuple[Decimal, Decimal] | None:
    """Return what holdings add to the cash that paid for them, and their open profit.

    None where a price is missing, or a quote that cannot be converted.
    """
    added = profit = Decimal(0)
    for book, price in valued:
        instrument, totals = book.instrument, book.totals
        if not totals.size:
            continue
        if not price or not {instrument.quote, instrument.base} & worth:
            return None
        rate = Decimal(1) if instrument.quote in worth else 1 / price
        gained = totals.open_profit(price, instrument.point_value) * rate
        profit += gained
        is_paid = instrument.kind in ("spot", "equity")
        added += totals.net * price * instrument.point_value * rate if is_paid else gained
    return added, profit
