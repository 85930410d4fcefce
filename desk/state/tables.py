"""Lay out the tables of the desk's memory, and let others see only what was committed.

A table is a dict; its entries are changed through `put`. What is kept in an entry, and what a change means
for the others, is the memory's business.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from brokers.protocol import Instrument
from desk.alerts.record import Record
from desk.formats import iso, to_json
from desk.orders.believed_prices import Doubted, Seen
from desk.orders.position_book import PositionBook
from desk.orders.strategy_position import StrategyPosition
from desk.performance.figures import Figures
from desk.performance.judge import Standing
from desk.state.counted import FiguresKey
from desk.state.rows import Batch
from desk.state.shown import NAMES, Shown
from desk.state.undo import Transaction

Key = tuple[str, bool, str]
"""Account, paper, instrument."""
KEY_PARTS = 3
COUNTED_MS = 26 * 3_600_000
"""How long orders and trades count towards a limit: the longest day, where clocks are set back."""


@dataclass(frozen=True)
class HistoryRow:
    """One alert of the rolling history: its answer as JSON, and what it is filtered by."""

    alert_id: str
    strategy: str
    symbol: str
    status: str
    received_at: int
    comment: str | None
    deliveries: int
    http: int
    answer: str
    latency_ms: float | None = None
    """How long it took from its arrival until it was decided."""

    @property
    def day(self) -> str:
        """The day on which it came, in UTC."""
        return iso(self.received_at)[:10]

    @property
    def text(self) -> str:
        """The row as JSON: the answer, when it came, and how often."""
        extra = {
            "received_at": iso(self.received_at),
            "comment": self.comment,
            "deliveries": self.deliveries,
            "latency_ms": self.latency_ms,
        }
        return f"{self.answer[:-1]},{to_json(extra)[1:]}"


@dataclass(frozen=True, slots=True)
class Opening:
    """An opening order that was sent, as the limits of rate count it."""

    at: int
    strategy: str
    instrument: str
    side: str


SumKey = tuple[int, str, str, str]
"""The minute in which something was closed, the strategy, the instrument, and the coin."""


@dataclass(frozen=True, slots=True)
class CountedTrade:
    """What was closed of an instrument within a minute, as the limit on the day's loss counts it."""

    at: int
    """When the first of it was closed."""
    strategy: str
    instrument: str
    quote: str
    result: Decimal


@dataclass(frozen=True, slots=True)
class Outage:
    """Since when an account does not answer, and why."""

    since: int
    problem: str
    told: bool = False
    failures: int = 0
    """How many reads have failed since."""


@dataclass(frozen=True, slots=True)
class Lookups:
    """Who is asked for what is not in memory, and how a symbol is spelt."""

    find_share: Callable[[str, bool, str, str], StrategyPosition | None]
    """Return the position of a strategy in a book as the store has it."""
    find_instrument: Callable[[str, bool, str], Instrument | None]
    """Return the instrument of a book as the store has it."""
    find_figures: Callable[[FiguresKey], Figures | None]
    """Return figures as the store has them."""
    find_strategy: Callable[[str], int | None]
    """Return when a strategy was created by its first alert, as the store has it."""
    symbol_key: Callable[[str], str]
    """Make one spelling of the many that an instrument has."""


@dataclass(frozen=True, slots=True)
class Equity:
    """What an account is worth as its venue tells: when its day began (`day`), and when it was last read."""

    day: int
    start: Decimal
    last: Decimal | None = None
    at: int = 0


class Tables(Transaction):
    """What the desk knows, table by table; other threads read `shown`."""

    def __init__(self) -> None:
        super().__init__()
        self.books: dict[Key, PositionBook] = {}
        """The books in memory: all that are open, and those that were used last."""
        self.cash: dict[str, Decimal] = {}
        """What fills have added to each account's configured cash, on paper."""
        self.funding: dict[str, dict[str, Decimal]] = {}
        """What each account was paid (positive) or charged for holding, by coin, at its venue."""
        self.halts: dict[str, tuple[str, int]] = {}
        self.strategies: dict[str, int] = {}
        """The strategies that an alert created: those that hold something, and those heard of last."""
        self.blocked: dict[Key, tuple[str, int]] = {}
        """Where an internal error lets nothing be opened: why, and since when."""
        self.silent: dict[str, Outage] = {}
        """The accounts that do not answer."""
        self.external_quantities: dict[str, dict[str, Decimal]] = {}
        """What each account holds beyond the positions, by holding, as it was last read."""
        self.spent: dict[str, tuple[tuple[str, int, Decimal], ...]] = {}
        """By account the coins that purchases have cost since it was read: coin, when, how much."""
        self.records: dict[str, Record] = {}
        self.waiting: dict[str, Record] = {}
        """The alerts that could not be decided on every account yet."""
        self.claims: dict[bytes, tuple[str, int, int]] = {}
        """Alert, body and end of each claim: those without a key, and the keyed ones of this batch."""
        self.keyed: list[bytes] = []
        self.history: OrderedDict[str, HistoryRow] = OrderedDict()
        self.openings: dict[tuple[str, bool], dict[str, Opening]] = {}
        """The opening orders of the last day and a bit, by account and paper, the oldest first."""
        self.closed: dict[tuple[str, bool], dict[SumKey, CountedTrade]] = {}
        """The trades closed within the same time."""
        self.figures: dict[FiguresKey, Figures] = {}
        """Figures of closed trades that were counted lately; the store has them all."""
        self.standings: dict[str, Standing] = {}
        """How each strategy that is judged stands."""
        self.mode_changes: dict[str, str] = {}
        """The strategies whose mode has changed and what it was, until that is carried out."""
        self.seq = 0
        self.touched: dict[str, Record] = {}
        """The alerts to render anew."""
        self.changed: dict[Key, None] = {}
        """The books whose next moment may have changed."""
        self.batch = Batch()
        self._begin_prices()
        self.shown = Shown()
        """What other threads read: the desk's own memory holds what is only tried, too."""
        self._copies = {id(getattr(self, n)): getattr(self.shown, n) for n in NAMES}
        self._begin_indices()

    def _begin_prices(self) -> None:
        self.prices: dict[str, Seen] = {}
        """The last price seen of each symbol: believed from an alert, or told by the live feed."""
        self.doubted: dict[str, Doubted] = {}
        """The last price of each symbol that was not believed; forgotten at a restart."""
        self.quotes: dict[tuple[str, str], Seen] = {}
        """What a venue said its instruments cost, by account: kept while the account is read."""
        self.equities: dict[str, Equity] = {}
        """What each account was worth when its day began, where its venue tells."""

    def _begin_indices(self) -> None:
        self.open: dict[tuple[str, bool], dict[Key, None]] = {}
        """By account and paper, the books in which something is held, wished or worked.

        At a venue also those that no read has shown at rest yet.
        """
        self.at_rest: dict[tuple[Key, str], None] = {}
        """The positions in memory that hold and wish nothing, those used last at the end."""
        self.executed: dict[tuple[str, str], tuple[int, int]] = {}
        """By strategy and symbol the last body that was executed, and when; while a text may be repeated."""
        self.tied: dict[Key, Decimal] = {}
        """What each margined position on paper adds to its account's free cash or takes from it."""
        self.untied: dict[str, Decimal] = {}
        """The sum of it, by account: free cash must not be the walk of ten thousand books."""
        self.active: dict[str, dict[Key, None]] = {}
        """Where each strategy holds or works something."""
        self.by_instrument: dict[str, dict[Key, None]] = {}

    def follow(self, record: Record) -> None:
        """Begin to follow an alert that has just come."""
        self.put(self.records, record.alert_id, record)
        self.put(self.touched, record.alert_id, record)

    def touch(self, record: Record) -> Record:
        """Have an alert rendered anew; return the copy of it that may be changed until the commit."""
        copy = self.touched.get(record.alert_id)
        if copy is None:
            copy = record.copied()
            for table in (self.records, self.touched):
                self.put(table, record.alert_id, copy)
            if record.alert_id in self.waiting:
                self.put(self.waiting, record.alert_id, copy)
        return copy

    def untouch(self, record: Record) -> None:
        """Put an alert back as it was before `touch`: nothing about it has changed."""
        for table in (self.records, self.waiting):
            if record.alert_id in table:
                self.put(table, record.alert_id, record)
        self.drop(self.touched, record.alert_id)

    def undo(self) -> None:
        """Take back every change since the last commit."""
        self.take_back()
        self._begin_batch()

    def committed(self) -> None:
        """Forget the way back: what was done is on disk, and may be seen."""
        self._show_changes()
        self._undo.clear()
        self._begin_batch()

    def _begin_batch(self) -> None:
        self.touched = {}
        self.changed.clear()
        self.batch = Batch()

    def loaded(self) -> None:
        """Forget the way back to an empty memory: what was loaded is on disk already."""
        self.show_all()
        self._undo.clear()
        self.batch.books.clear()

    def show_all(self) -> None:
        """Let everything be seen as it is now: only where nothing is merely tried."""
        for name in NAMES:
            shown, table = getattr(self.shown, name), getattr(self, name)
            shown.update(table)
            for key in shown.keys() - table.keys():
                del shown[key]
        for key in [*self.books, *self.shown.books]:
            self._show_book(key)
        self.shown.alerts = self.seq

    def _show_changes(self) -> None:
        """Let what this batch has changed be seen."""
        keys: dict[Key, None] = {}
        for table, key, _ in self._undo:
            copy = self._copies.get(id(table))
            if copy is None:
                if (
                    type(key) is tuple and len(key) == KEY_PARTS
                ):  # of the books, or of an index of them
                    keys[key] = None
            elif key in table:
                copy[key] = table[key]
            else:
                copy.pop(key, None)
        for each in keys:
            self._show_book(each)
        self.shown.alerts = self.seq

    def _show_book(self, key: Key) -> None:
        book = self.books.get(key)
        if book is not None and key in self.open.get(key[:2], ()):
            self.shown.books[key] = book
        else:
            self.shown.books.pop(key, None)


def forget_old(known: dict[Any, Any], now: int) -> None:
    """Forget what no longer counts: it need not come back where an event is undone."""
    for name in list(itertools.takewhile(lambda n: known[n].at < now - COUNTED_MS, known)):
        del known[name]
