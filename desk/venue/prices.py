"""Ask for prices: a venue's before an order there is judged, live ones for the paper simulator.

A price is asked for by the pool and comes back as an event. Who cannot be reached never delays an alert for
more than half a second. On paper it is asked for before a market order that brings none, and while orders
rest; the alert's own price comes first there, and who does not answer is left alone for a minute.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

from brokers.protocol import Broker, PricesTold
from desk.orders.believed_prices import QUOTED_MS
from desk.orders.position_book import PositionBook
from desk.state.memory import State
from desk.state.tables import Key

log = logging.getLogger("desk")


FRESH_MS = 2_000
"""How long a live price counts as the present one, and how often it is asked for while orders rest."""


SILENT_MS = 60_000


VENUE_SILENT_MS = 5_000
"""How long a venue that did not tell a price is not asked for that one again: its orders wait for it."""


AT_ONCE = 10
"""How many prices are asked for at once."""


LATE_MS = 600
"""A price that took longer is not waited for any more: the half second it has, and the way back."""


RECENT_MS = 600_000
"""How long after an alert its price is read along with the account: the next one waits for nothing."""


TOLD_KINDS = ("spot", "linear")
"""What anybody is told the price of, without an account."""


PUBLIC = ""
"""Stands for an account where a price is anybody's: what the paper simulator goes by."""


AskPrice = Callable[[str], Decimal | None]
"""Symbol -> last price; None where it is not told within half a second."""


Source = tuple[str, str]
"""Account, or `PUBLIC`, and symbol."""


@dataclass(frozen=True, slots=True)
class Priced:
    """A live price that was asked for; None where nobody told it."""

    symbol: str
    price: Decimal | None


@dataclass(frozen=True, slots=True)
class Quoted:
    """What a venue says its instruments cost; None where it did not tell."""

    account: str
    prices: Mapping[str, Decimal | None]


def ask_prices(broker: Broker, symbols: Collection[str]) -> dict[str, Decimal]:
    """Return what a venue says these symbols cost; what it does not tell is left out. Raises nothing."""
    told: dict[str, Decimal | None] = {}
    try:
        if "prices" in broker.facts.capabilities and len(symbols) > 1:
            told.update(cast(PricesTold, broker).prices(symbols))
        if not told:
            told = {symbol: broker.price(symbol) for symbol in list(symbols)[:AT_ONCE]}
    except Exception as fault:
        log.exception("broker_fault", extra={"call": "price", "text": type(fault).__name__})
    return {name: price for name, price in told.items() if price and price.is_finite()}


class Feed:
    """What is known of prices, and what is being asked."""

    def __init__(
        self,
        state: State,
        ask: AskPrice | None,
        start: Callable[[str, Callable[[], None]], None],
        deliver: Callable[[Priced | Quoted], None],
        brokers: Mapping[str, Broker] | None = None,
    ) -> None:
        self._state = state
        self._ask = ask
        self._start = start
        self._deliver = deliver
        self._brokers = brokers or {}
        self._known: dict[str, int] = {}
        self._silent: dict[Source, int] = {}
        self._out: dict[Source, int] = {}
        self._resting: dict[Key, None] = {}
        self._wanted: dict[Source, int] = {}
        """When an order was last judged by a venue's price."""

    def is_awaited(self, book: PositionBook, now: int) -> bool:
        """Whether a paper order without a price should wait: its price is being asked for."""
        source = (PUBLIC, book.instrument.symbol)
        if not self._is_told(book) or now < self._silent.get(source, 0):
            return False
        if now - self._known.get(source[1], 0) < FRESH_MS:
            return False
        asked = self._out.get(source)
        if asked is None:
            self._fetch_public(source[1], now)
            return True
        return now - asked < LATE_MS

    def is_fed(self, book: PositionBook, now: int) -> bool:
        """Whether live prices reach what rests in a paper book, as far as is known now."""
        return self._is_told(book) and now >= self._silent.get((PUBLIC, book.instrument.symbol), 0)

    def are_quotes_awaited(self, account: str, wanted: Mapping[str, int], now: int) -> bool:
        """Whether an order at a venue should wait for what these symbols cost.

        Each must have been told since the alert of that number came; of 0 what a read brought is enough.
        """
        if account not in self._brokers:
            return False
        for symbol in wanted:
            self._wanted.pop((account, symbol), None)  # the latest comes last
            self._wanted[(account, symbol)] = now
        lacking = [s for s, seq in wanted.items() if not self._is_quoted((account, s), seq, now)]
        waits = [s for s in lacking if now - self._out.get((account, s), now) < LATE_MS]
        fresh = [s for s in waits if (account, s) not in self._out]
        if fresh:
            self._fetch_quotes(account, fresh, now)
        return bool(waits)

    def recent(self, account: str, now: int) -> tuple[str, ...]:
        """Return the symbols an account's orders were lately judged by, the latest first.

        Only what its venue has told before: a name it does not know would spoil the request for the others.
        """
        for source, at in list(self._wanted.items()):
            if now - at < RECENT_MS:
                break
            del self._wanted[source]
        mine = [s for s in reversed(self._wanted) if s[0] == account and s in self._state.quotes]
        return tuple(symbol for _, symbol in mine)

    def note(self, key: Key, book: PositionBook | None) -> None:
        """Remember whether orders rest in a book, so that its price is asked for."""
        if book is not None and book.orders and self._is_told(book):
            self._resting[key] = None
        else:
            self._resting.pop(key, None)

    def next_at(self) -> int | None:
        """Return when anything is to be done; None while nothing rests and nobody waits."""
        late = [asked + LATE_MS for asked in self._out.values()]
        resting = {key[2] for key in self._resting} - self._out_publicly()
        due = [
            max(self._known.get(symbol, 0) + FRESH_MS, self._silent.get((PUBLIC, symbol), 0))
            for symbol in resting
        ]
        is_full = len(self._out_publicly()) >= AT_ONCE
        return min(late if is_full else [*late, *due], default=None)

    def shift(self, step: int) -> None:
        """Move every moment along with a clock that was set."""
        self._known = {symbol: at + step for symbol, at in self._known.items()}
        self._silent = {source: at + step for source, at in self._silent.items()}
        self._out = {source: at + step for source, at in self._out.items()}
        self._wanted = {source: at + step for source, at in self._wanted.items()}

    def start_due(self, now: int) -> None:
        """Ask for the price of what rests, where it is due."""
        for source, asked in list(self._out.items()):
            if now - asked >= LATE_MS:
                self._fall_silent(source, now)
        out = self._out_publicly()
        due = [
            symbol
            for symbol in sorted({key[2] for key in self._resting})
            if symbol not in out
            and now >= self._silent.get((PUBLIC, symbol), 0)
            and now - self._known.get(symbol, 0) >= FRESH_MS
        ]
        due.sort(key=lambda symbol: self._known.get(symbol, 0))
        for symbol in due[: max(0, AT_ONCE - len(out))]:
            self._fetch_public(symbol, now)

    def learn(self, priced: Priced | Quoted, now: int) -> None:
        """Remember who told, and who did not."""
        if isinstance(priced, Priced):
            self._hear((PUBLIC, priced.symbol), priced.price, now)
            if priced.price is not None:
                self._known[priced.symbol] = now
            return
        for symbol, price in priced.prices.items():
            self._hear((priced.account, symbol), price, now)

    def _hear(self, source: Source, price: Decimal | None, now: int) -> None:
        if price is None:
            self._fall_silent(source, now)
        else:
            self._out.pop(source, None)
            self._silent.pop(source, None)

    def _fall_silent(self, source: Source, now: int) -> None:
        self._out.pop(source, None)
        self._silent[source] = now + (SILENT_MS if source[0] == PUBLIC else VENUE_SILENT_MS)

    def _is_told(self, book: PositionBook) -> bool:
        return self._ask is not None and book.paper and book.instrument.kind in TOLD_KINDS

    def _is_quoted(self, source: Source, seq: int, now: int) -> bool:
        """Whether a venue's price is young enough, or is not to be had for a while."""
        if now < self._silent.get(source, 0):
            return True
        quote = self._state.quotes.get(source)
        if quote is None:
            return False
        if seq and quote.seq >= seq:
            return True
        return not seq and quote.is_within(QUOTED_MS, now)

    def _out_publicly(self) -> set[str]:
        return {symbol for account, symbol in self._out if account == PUBLIC}

    def _fetch_public(self, symbol: str, now: int) -> None:
        ask, deliver = self._ask, self._deliver
        self._out[(PUBLIC, symbol)] = now

        def job() -> None:
            deliver(Priced(symbol, ask(symbol) if ask else None))

        self._start("prices", job)

    def _fetch_quotes(self, account: str, symbols: list[str], now: int) -> None:
        broker, deliver = self._brokers[account], self._deliver
        self._out.update({(account, symbol): now for symbol in symbols})

        def job() -> None:
            told = ask_prices(broker, symbols)
            deliver(Quoted(account, {symbol: told.get(symbol) for symbol in symbols}))

        self._start(account, job)
