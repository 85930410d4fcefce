"""Give the paper simulator live prices: before a market order that brings none, and while orders rest.

A price is asked for by the pool and comes back as an event. Who cannot be reached never delays an alert for
more than half a second, and is left alone for a minute then. The alert's own price always comes first; on an
account of a venue nothing here is used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from desk.book import Book
from desk.evolve import evolve
from desk.floor import Floor
from desk.pursue import meet_price
from desk.state import Key, State

FRESH_MS = 2_000
"""How long a price counts as the present one, and how often it is asked for while orders rest."""
SILENT_MS = 60_000
AT_ONCE = 10
"""How many prices are asked for at once."""
LATE_MS = 600
"""A price that took longer is not waited for any more: the half second it has, and the way back."""
AskPrice = Callable[[str], Decimal | None]
"""Symbol -> last price; None where it is not told within half a second."""


@dataclass(frozen=True, slots=True)
class Priced:
    """A price that was asked for; None where nobody told it."""

    symbol: str
    price: Decimal | None


class Feed:
    """What is known of live prices, and what is being asked."""

    def __init__(
        self,
        state: State,
        ask: AskPrice | None,
        start: Callable[[str, Callable[[], None]], None],
        deliver: Callable[[Priced], None],
    ) -> None:
        self._state = state
        self._ask = ask
        self._start = start
        self._deliver = deliver
        self._known: dict[str, int] = {}
        self._silent: dict[str, int] = {}
        self._out: dict[str, int] = {}
        self._resting: dict[Key, None] = {}

    def is_awaited(self, book: Book, now: int) -> bool:
        """Whether an order without a price should wait: its price is being asked for."""
        symbol = book.instrument.symbol
        if not self._is_told(book) or now < self._silent.get(symbol, 0):
            return False
        if now - self._known.get(symbol, 0) < FRESH_MS:
            return False
        asked = self._out.get(symbol)
        if asked is None:
            self._fetch(symbol, now)
            return True
        return now - asked < LATE_MS

    def is_fed(self, book: Book, now: int) -> bool:
        """Whether live prices reach what rests in a paper book, as far as is known now."""
        return self._is_told(book) and now >= self._silent.get(book.instrument.symbol, 0)

    def note(self, key: Key, book: Book | None) -> None:
        """Remember whether orders rest in a book, so that its price is asked for."""
        if book is not None and book.orders and self._is_told(book):
            self._resting[key] = None
        else:
            self._resting.pop(key, None)

    def next_at(self) -> int | None:
        """Return when anything is to be done; None while nothing rests and nobody waits."""
        late = [asked + LATE_MS for asked in self._out.values()]
        resting = {key[2] for key in self._resting} - set(self._out)
        due = [
            max(self._known.get(symbol, 0) + FRESH_MS, self._silent.get(symbol, 0))
            for symbol in resting
        ]
        return min(late if len(late) >= AT_ONCE else [*late, *due], default=None)

    def shift(self, step: int) -> None:
        """Move every moment along with a clock that was set."""
        for moments in (self._known, self._silent, self._out):
            moments.update({symbol: at + step for symbol, at in moments.items()})

    def start_due(self, now: int) -> None:
        """Ask for the price of what rests, where it is due."""
        for symbol, asked in list(self._out.items()):
            if now - asked >= LATE_MS:
                del self._out[symbol]
                self._silent[symbol] = now + SILENT_MS
        due = [
            symbol
            for symbol in sorted({key[2] for key in self._resting})
            if symbol not in self._out
            and now >= self._silent.get(symbol, 0)
            and now - self._known.get(symbol, 0) >= FRESH_MS
        ]
        due.sort(key=lambda symbol: self._known.get(symbol, 0))
        for symbol in due[: max(0, AT_ONCE - len(self._out))]:
            self._fetch(symbol, now)

    def learn(self, priced: Priced, now: int) -> None:
        """Remember what was told."""
        self._out.pop(priced.symbol, None)
        if priced.price is None:
            self._silent[priced.symbol] = now + SILENT_MS
        else:
            self._known[priced.symbol] = now
            self._silent.pop(priced.symbol, None)

    def _is_told(self, book: Book) -> bool:
        return self._ask is not None and book.paper and book.instrument.kind == "spot"

    def _fetch(self, symbol: str, now: int) -> None:
        ask, deliver = self._ask, self._deliver
        self._out[symbol] = now

        def job() -> None:
            deliver(Priced(symbol, ask(symbol) if ask else None))

        self._start("prices", job)


def meet_live_price(floor: Floor, priced: Priced, now: int) -> None:
    """Let every paper book of a symbol meet a live price; what it judges then is exact."""
    state, is_told = floor.state, priced.price is not None
    if priced.price is not None:
        state.move(priced.symbol, priced.price, now)
    for key in list(state.by_instrument.get(priced.symbol, ())):
        book = state.books[key]
        if not key[1] or not book.orders:
            continue
        floor.at = key
        state.put(state.books, key, evolve(book, approximate_levels=not is_told))
        if priced.price is not None:
            meet_price(floor, key, priced.price, now)
