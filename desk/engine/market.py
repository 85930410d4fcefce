"""Say what things cost: which price a book is judged by, and which price of an alert is believed.

At a venue the venue's own price stands first (rules 15.5); an alert's price counts where the venue has none,
and only where it agrees with what was seen before it (rules 4.5). On paper a believed price moves the
symbol. Nothing is asked of a venue here and no order is judged.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from desk.alerts.record import Record
from desk.engine.context import EngineContext
from desk.engine.execute import meet_price
from desk.formats import write_number
from desk.orders.believed_prices import (
    DAY_MS,
    QUOTED_MS,
    TOLD_MS,
    Doubted,
    Seen,
    is_far,
    is_near,
    reference_price,
)
from desk.orders.position_book import PositionBook
from desk.orders.strategy_position import StrategyPosition
from desk.state.shown import Shown
from parsers.alert import Alert


def find_price(
    context: EngineContext, alert: Alert, book: PositionBook, doubt: str, now: int
) -> Decimal | None:
    """Return what an order of `alert` in a book is judged by; `doubt` says why its own price is not.

    On paper that is the last price seen, to which a believed alert has moved the symbol before.
    """
    state = context.state
    if book.paper:
        return state.price_of(book.instrument.symbol)
    quote = state.quotes.get((book.account, book.instrument.symbol))
    if quote is not None and quote.is_within(QUOTED_MS, now):
        return quote.price
    own = reference_price(alert)
    if own is not None and not doubt:
        return own
    names = (context.symbol_key(alert.symbol), book.instrument.symbol)
    return _latest([quote, *map(state.prices.get, names)], now)


def value_price(
    context: EngineContext,
    book: PositionBook,
    positions: Iterable[StrategyPosition],
    now: int,
    shown: Shown | None = None,
) -> Decimal | None:
    """Return what a position is valued at: the venue's price, else the last one seen of it.

    Whoever is not the desk thread says that what is `shown` counts.
    """
    known, symbol = shown or context.state, book.instrument.symbol
    if book.paper:
        seen = known.prices.get(symbol)
        return seen.price if seen is not None else None
    quote = known.quotes.get((book.account, symbol))
    if quote is not None and quote.is_within(TOLD_MS, now):
        return quote.price
    names = [context.symbol_key(position.symbol) for position in positions if position.symbol]
    return _latest([quote, *map(known.prices.get, [*names, symbol])])


def hear_price(
    context: EngineContext, record: Record, alert: Alert, books: list[PositionBook], now: int
) -> str:
    """Move the symbol to the alert's price, before the alert is decided; say why where it is not believed."""
    price = reference_price(alert)
    if price is None:
        return ""
    names = [context.symbol_key(alert.symbol)]
    names += [b.instrument.symbol for b in books if b.paper and b.instrument.symbol not in names]
    number = record.story.number
    if doubt := _find_doubt(context, price, number, names, books, now):
        return doubt
    for name in names:
        _move(context, name, Seen(price, record.received_at, record.seq), now)
    return ""


def _move(context: EngineContext, name: str, seen: Seen, now: int) -> None:
    """Move a symbol, unless a later alert or a venue has done so while this one waited."""
    state, last = context.state, context.state.prices.get(name)
    state.drop(state.doubted, name)
    if last is not None and last.seq >= seen.seq:
        return
    state.move(name, seen)
    for key in list(state.by_instrument.get(name, ())):
        if key[1] and state.books[key].orders:
            meet_price(context, key, seen.price, now)


def _find_doubt(
    context: EngineContext,
    price: Decimal,
    number: int,
    names: list[str],
    books: list[PositionBook],
    now: int,
) -> str:
    """Say why a price is not believed (rules 4.5), and remember it; empty where it is."""
    state = context.state
    is_confirmed = False
    for book in books:
        quote = state.quotes.get((book.account, book.instrument.symbol))
        if book.paper or quote is None or not quote.is_within(TOLD_MS, now):
            continue
        if is_far(price, quote.price):
            return _doubt_told(price, quote.price, book.instrument.symbol, book.account)
        is_confirmed = True
    if is_confirmed:
        return ""
    for name in names:
        seen = state.prices.get(name)
        if seen is None or not seen.is_within(DAY_MS, now) or not is_far(price, seen.price):
            continue
        if seen.is_told and seen.is_within(TOLD_MS, now):
            return _doubt_told(price, seen.price, name, "the live feed")
        before = state.doubted.get(name)
        if before is not None and before.number != number and is_near(price, before.price):
            continue  # a second alert says the same: a split, or a new contract
        state.put(state.doubted, name, Doubted(price, number))
        return (
            f"The alert's price {write_number(price)} is far from {write_number(seen.price)}, "
            "the last one seen of "
            f"{name}: it is not believed yet and moves nothing. Correct it, or send the next alert "
            "with that price again: a second one within a tenth of it is believed."
        )
    return ""


def _doubt_told(price: Decimal, told: Decimal, symbol: str, who: str) -> str:
    return (
        f"The alert's price {write_number(price)} is far from {write_number(told)}, what {who} "
        f"says {symbol} costs: "
        "it is not believed and moves nothing. Correct the symbol or the price, or leave price out."
    )


def _latest(prices: Iterable[Seen | None], now: int | None = None) -> Decimal | None:
    """Return the newest price; where `now` is given, one of the last day."""
    known = [
        each for each in prices if each is not None and (now is None or each.is_within(DAY_MS, now))
    ]
    return max(known, key=lambda each: each.at).price if known else None
