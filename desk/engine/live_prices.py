"""Let the simulator meet a price that a venue told."""

from __future__ import annotations

from desk.engine.context import EngineContext
from desk.engine.execute import meet_price
from desk.orders.believed_prices import Seen
from desk.orders.evolve import evolve
from desk.venue.prices import Priced, Quoted


def take_price(context: EngineContext, priced: Priced | Quoted, now: int) -> None:
    """Take in what was told: a venue's price is kept, a live one moves the symbol on paper."""
    if isinstance(priced, Priced):
        _meet_live_price(context, priced, now)
        return
    state = context.state
    for symbol, price in priced.prices.items():
        if price is not None:
            quote = Seen(price, now, state.seq, is_told=True)
            state.put(state.quotes, (priced.account, symbol), quote)


def _meet_live_price(context: EngineContext, priced: Priced, now: int) -> None:
    """Let every paper book of a symbol meet a live price; what it judges then is exact."""
    state, is_told = context.state, priced.price is not None
    if priced.price is not None:
        state.drop(state.doubted, priced.symbol)
        state.move(priced.symbol, Seen(priced.price, now, state.seq, is_told=True))
    for key in list(state.by_instrument.get(priced.symbol, ())):
        book = state.books[key]
        if not key[1] or not book.orders:
            continue
        context.at = key
        state.put(state.books, key, evolve(book, approximate_levels=not is_told))
        if priced.price is not None:
            meet_price(context, key, priced.price, now)
