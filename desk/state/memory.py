"""Hold the desk's memory: books, prices, cash, switches, alerts in progress and the rolling history.

Everything is changed through `put`, which remembers what was there; so an event that fails is undone, and a
batch that cannot be recorded never happened. What changed is gathered in a `Batch` for the one commit. Only
the desk thread changes it; other threads read whole values.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

from brokers.protocol import Instrument
from brokers.simulated import LocalBroker, Rows, Terms
from desk.config.settings import Settings
from desk.orders.believed_prices import Seen
from desk.orders.evolve import evolve
from desk.orders.journal import ClosedTradeRow, FillRow, Notice
from desk.orders.order import ENTRY, EXIT, Order
from desk.orders.position_book import PositionBook
from desk.orders.stopped_out import counts_elsewhere
from desk.orders.strategy_position import StrategyPosition
from desk.state.counted import in_base
from desk.state.counters import Counters
from desk.state.paper_rows import PaperRows
from desk.state.tables import Equity, Key, Lookups

ZERO = Decimal(0)
Simulate = Callable[[Terms, Rows, date], LocalBroker]
"""Make the simulator of one account at one moment."""
KEPT_AT_REST = 1_000
"""How many positions that hold and wish nothing stay in memory: those last used. The store has them all."""


class State(Counters):
    """The desk's memory, with a way back to the last commit."""

    def __init__(
        self,
        settings: Settings,
        simulate: Simulate,
        capabilities_of: Callable[[str, bool], frozenset[str]],
        lookups: Lookups,
    ) -> None:
        super().__init__(settings, lookups)
        self._capabilities_of = capabilities_of
        self._simulate = simulate
        self._papers: dict[str, LocalBroker] = {}
        self._paper_now = 0

    def book(
        self, account: str, paper: bool, instrument: Instrument, strategy: str
    ) -> PositionBook:
        """Return the book of an instrument as a strategy needs it, a new one where there was none."""
        known = self.books.get((account, paper, instrument.symbol))
        if known is None:
            return self.recall(
                self.with_account_facts(PositionBook(account, paper, instrument)), strategy
            )
        if known.instrument is not instrument and known.instrument != instrument:
            known = evolve(known, instrument=instrument)  # the venue has changed its rules
            self.batch.books.append(known)
            self.put(self.books, (account, paper, instrument.symbol), known)
        return self.recall(known, strategy)

    def find_book(self, key: Key, strategy: str) -> PositionBook | None:
        """Return a book that there was once as a strategy needs it, or None where there never was one."""
        known = self.books.get(key)
        if known is None:
            instrument = self._lookups.find_instrument(*key)
            if instrument is None:
                return None
            known = self.with_account_facts(PositionBook(*key[:2], instrument))
        return self.recall(known, strategy)

    def recall(self, book: PositionBook, strategy: str) -> PositionBook:
        """Return a book with a strategy's position as the store has it, if memory let go of it."""
        if strategy in book.positions:
            return book
        found = self._lookups.find_share(book.account, book.paper, book.instrument.symbol, strategy)
        return book.knowing(found or StrategyPosition(strategy))

    def open_books(
        self, account: str | None = None, paper: bool | None = None
    ) -> list[PositionBook]:
        """Return the open books, of one account and kind if so asked."""
        found = [
            self.books.get(key)
            for (name, is_paper), keys in list(self.open.items())
            if account in (None, name) and paper in (None, is_paper)
            for key in list(keys)
        ]
        return [book for book in found if book is not None]

    def knows_strategy(self, name: str) -> bool:
        """Whether an alert has created a strategy before."""
        if name in self.strategies:
            return True
        created = self._lookups.find_strategy(name)
        if created is not None:
            # As it is recorded: nothing to undo, and nothing that may not be seen.
            self.strategies[name] = self.shown.strategies[name] = created
        return created is not None

    def _forget_strategies(self) -> None:
        """Let go of names that hold nothing, once many more are known than hold anything."""
        spare = len(self.strategies) - len(self.active) - KEPT_AT_REST
        for name in list(itertools.islice(self.strategies, max(0, 2 * spare))):
            created = self.strategies.pop(name)
            if name in self.active:
                self.strategies[name] = created
            else:
                self.shown.strategies.pop(name, None)

    def forget_at_rest(self) -> None:
        """Let go of positions at rest that were used longest ago, and of their books with the last one.

        Only after a commit: the store has to know them.
        """
        self._forget_strategies()
        for old in list(itertools.islice(self.figures, max(0, len(self.figures) - KEPT_AT_REST))):
            del self.figures[old]  # the store has them
        for _ in range(len(self.at_rest) - KEPT_AT_REST):
            key, strategy = next(iter(self.at_rest))
            del self.at_rest[(key, strategy)]
            book = self.books.get(key)
            if book is None:
                continue
            if not key[1] and key in self.open.get(key[:2], ()):
                self.at_rest[(key, strategy)] = None  # its venue has not shown it at rest yet
            else:
                self._forget_share(key, book, strategy)

    def _forget_share(self, key: Key, book: PositionBook, strategy: str) -> None:
        if not self.active.get(strategy, True):
            del self.active[strategy]
        left = book.without_share(strategy)
        self.books[key] = left
        if not left.positions and not left.orders:
            del self.books[key]
            of_instrument = self.by_instrument[key[2]]
            del of_instrument[key]
            if not of_instrument:
                del self.by_instrument[key[2]]

    def with_account_facts(self, book: PositionBook) -> PositionBook:
        """Return a book with what holds for its account: what its venue can do, what the settings say."""
        settings = self.settings.accounts.get(book.account)
        closes = settings is None or settings.on_unprotected == "close"
        capabilities = self._capabilities_of(book.account, book.paper)
        return evolve(
            book,
            approximate_levels=book.paper,
            counts_in_base=settings is not None
            and in_base(settings, book.instrument, paper=book.paper),
            closes_unprotected=closes,
            capabilities=capabilities,
        )

    def put_book(self, book: PositionBook, now: int) -> PositionBook:
        """Keep a changed book: its journal goes to the store, to cash and to the alerts it concerns."""
        key = (book.account, book.paper, book.instrument.symbol)
        strategies = set() if key in self.books else self._open_book(key, book)
        self._take_journal(key, book, strategies, now)
        kept, before = book.written(), self.books.get(key)
        self.put(self.books, key, kept)
        self.changed[key] = None
        if before is not None:
            self._follow_wishes(before, kept, strategies)
        for strategy in strategies:
            self._index(key, kept, strategy)
            position = kept.position(strategy)
            old = before.position(strategy) if before else position
            if before is None or position.signals.executed > old.signals.executed:
                self.note_executed(position, key[2], now)
        self.note_open(key, is_open=kept.is_open or not key[1])
        self._tie(key, kept)
        return kept

    def _take_journal(self, key: Key, book: PositionBook, strategies: set[str], now: int) -> None:
        """Hand each row of a journal to where it belongs, and add whose rows they are to `strategies`."""
        orders: dict[str, Order] = {}
        for each in book.journal:
            row = each
            if isinstance(row, ClosedTradeRow):
                row = self.count_closed(row, book.instrument)
            self.batch.journal.append((book, row))
            if isinstance(row, Order):
                orders[row.client_id] = row
                strategies.add(row.strategy)
            elif isinstance(row, StrategyPosition):
                strategies.add(row.strategy)
            elif isinstance(row, FillRow):
                self._settle_cash(book, row)
                self._note_spent(book, row, now)
            elif isinstance(row, ClosedTradeRow):
                self.count_trade(row, book.instrument.quote)
            elif isinstance(row, Notice):
                self.batch.notices.append((now, row))
        for order in orders.values():
            self._follow(key, order)
            self.count_opening(key, order, now)

    def note_executed(self, position: StrategyPosition, instrument: str, now: int) -> None:
        """Note which body of a strategy was executed last, under every name the instrument has for it."""
        for name in {instrument, self._lookups.symbol_key(position.symbol)}:
            mark = (position.strategy, name)
            self.drop(self.executed, mark)
            self.put(self.executed, mark, (position.signals.executed, now))

    def note_open(self, key: Key, *, is_open: bool) -> None:
        """Note whether a book is open, for whatever looks at all that are."""
        known = self.open.setdefault(key[:2], {})
        if not is_open:
            self.drop(known, key)
        elif key not in known:
            self.put(known, key, None)

    def _tie(self, key: Key, book: PositionBook) -> None:
        """Keep up with what a margined position on paper leaves of its account's cash."""
        instrument, totals = book.instrument, book.totals
        is_paid = instrument.kind in ("spot", "equity")  # the cash that moved says what it is worth
        if not key[1] or (is_paid and totals.size == totals.net and key not in self.tied):
            return
        price, tied = self.price_of(instrument.symbol), ZERO
        if price is not None and totals.size:
            local = self.paper(key[0], self._paper_now)
            shorts = (totals.size - totals.net) / 2
            tied -= local.margin(instrument, totals.size - shorts, price)
            tied -= local.margin(instrument, -shorts, price)
            if not is_paid:
                tied += totals.open_profit(price, instrument.point_value)
        before = self.tied.get(key, ZERO)
        if tied != before:
            self.put(self.tied, key, tied)
            self.put(self.untied, key[0], self.untied.get(key[0], ZERO) + tied - before)

    def changed_order(self, client_id: str) -> Order | None:
        """Return an order as this batch has left it, or None where the batch did not touch it."""
        for _, row in reversed(self.batch.journal):
            if isinstance(row, Order) and row.client_id == client_id:
                return row
        return None

    def _open_book(self, key: Key, book: PositionBook) -> set[str]:
        """Note a book that is new here; return the strategies in it, which its journal may not name."""
        self.batch.books.append(book)
        self.put(self.by_instrument.setdefault(book.instrument.symbol, {}), key, None)
        return {*book.positions, *(order.strategy for order in book.orders.values())}

    def move(self, instrument: str, seen: Seen) -> None:
        """Note the last price seen of an instrument."""
        self.put(self.prices, instrument, seen)
        self.batch.prices[instrument] = (str(seen.price), seen.at)
        for key in self.by_instrument.get(instrument, ()):
            self._tie(key, self.books[key])

    def price_of(self, instrument: str) -> Decimal | None:
        """Return the last price seen of an instrument."""
        seen = self.prices.get(instrument)
        return seen.price if seen is not None else None

    def shift_prices(self, step: int) -> None:
        """Let every price be as old as it was, by a clock that was set."""
        for name, seen in self.prices.items():
            self.prices[name] = self.shown.prices[name] = replace(seen, at=seen.at + step)
        for source, quote in self.quotes.items():
            self.quotes[source] = self.shown.quotes[source] = replace(quote, at=quote.at + step)

    def keep_equity(self, account: str, equity: Equity) -> None:
        """Note what an account is worth; what it was when its day began outlives a restart."""
        known = self.equities.get(account)
        if known is None or (known.day, known.start) != (equity.day, equity.start):
            self.batch.equities[account] = f"{equity.day} {equity.start}"
        self.put(self.equities, account, equity)

    def paper(self, account: str, now: int) -> LocalBroker:
        """Return the simulator of an account at this moment."""
        if now != self._paper_now:
            self._papers.clear()
            self._paper_now = now
        if account not in self._papers:
            today = datetime.fromtimestamp(now / 1000, UTC).date()
            rows = PaperRows(self.price_of, self.free_cash, account, now)
            self._papers[account] = self._simulate(self.settings.accounts[account], rows, today)
        return self._papers[account]

    def nets(self, account: str) -> bool:
        """Whether an account's venue adds all that is held of an instrument up to one position."""
        return "locks_balance" not in self._capabilities_of(account, False)

    def manual(self, book: PositionBook) -> Decimal:
        """Return what the venue holds of a book's instrument beyond the positions."""
        return self.external_quantities.get(book.account, {}).get(book.instrument.holding, ZERO)

    def halted(self, strategy: str, account: str) -> str | None:
        """Return why opening orders of a strategy on an account are halted, or None."""
        for scope in ("all", f"strategy:{strategy}", f"account:{account}"):
            if scope in self.halts:
                return f"{_scope_name(scope)} halted ({self.halts[scope][0]})"
        return None

    def free_cash(self, account: str) -> Decimal:
        """Return paper cash less the margin in use, with the open profit and loss of margined positions."""
        cash = self.settings.accounts[account].cash + self.cash.get(account, ZERO)
        return cash + self.untied.get(account, ZERO)

    def _follow(self, key: Key, order: Order) -> None:
        record = self.records.get(order.cause.alert_id)
        if record is not None and order.kind in (ENTRY, EXIT):
            self.put(self.touch(record).orders, order.client_id, (*key, order))

    def _follow_wishes(
        self, before: PositionBook, after: PositionBook, strategies: set[str]
    ) -> None:
        """Have an alert rendered anew whose exit is no longer wished for, whether or not an order says so."""
        for strategy in strategies:
            old, new = before.position(strategy), after.position(strategy)
            ended = {old.exit_cause.alert_id, old.exit_of} - {
                new.exit_cause.alert_id,
                new.exit_of,
                "",
            }
            for alert_id in ended & self.records.keys():
                self.touch(self.records[alert_id])

    def _settle_cash(self, book: PositionBook, row: FillRow) -> None:
        if book.paper:
            local = self.paper(book.account, self._paper_now)
            moved = local.cash_change(book.instrument, row.fill, row.realized)
            cash = self.cash.get(book.account, ZERO) + moved
            self.put(self.cash, book.account, cash)
            self.batch.cash[book.account] = str(cash)

    def _note_spent(self, book: PositionBook, row: FillRow, now: int) -> None:
        """Note what a purchase on spot cost, until a read that began later shows it."""
        fill = row.fill
        if book.paper or book.instrument.kind != "spot" or fill.side != "buy":
            return
        cost = (book.instrument.quote, now, fill.quantity * fill.price)
        self.put(self.spent, book.account, (*self.spent.get(book.account, ()), cost))

    def _index(self, key: Key, book: PositionBook, strategy: str) -> None:
        index = self.active.setdefault(strategy, {})
        position = book.position(strategy)
        is_active = position.quantity != 0 or position.is_restless
        is_active |= bool(book.open_orders(strategy)) or counts_elsewhere(book, position)
        self.drop(self.at_rest, (key, strategy))
        if is_active:
            if key not in index:
                self.put(index, key, None)
        else:
            self.drop(index, key)
            self.put(self.at_rest, (key, strategy), None)


def _scope_name(scope: str) -> str:
    kind, _, name = scope.partition(":")
    return f"{kind} {name} is" if name else "everything is"
