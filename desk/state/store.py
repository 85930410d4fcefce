"""Keep the durable record: with its schema the only module that speaks SQL.

One connection belongs to the desk thread and writes each batch in one transaction; readers open their own.
Plain SQL that SQLite and PostgreSQL both accept. The nouns are kept as JSON beside the columns that are
searched by. Nothing here decides anything, and nothing is ever read back from the log file.
"""

from __future__ import annotations

import itertools
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from brokers.protocol import Fill, Instrument
from desk.orders.evolve import evolve
from desk.orders.journal import FILLS, ClosedTradeRow, FillRow, LotsRow, Notice, Row
from desk.orders.ledger import ClosedTrade, Lot
from desk.orders.order import Order
from desk.orders.position_book import PositionBook
from desk.orders.strategy_position import StrategyPosition
from desk.state.schema import (
    DROP_LOTS,
    FACTS,
    FIND_BOOK,
    FIND_LOTS,
    FIND_POSITION,
    LATER,
    ROWS_AT_ONCE,
    SCHEMA,
    VERSION,
    write_insert,
)
from desk.state.upgrades import upgrade
from desk.state.wholeness import IN_USE, Marker, NotWhole, check_files, check_newest, wal_of

ORDER: TypeAdapter[Order] = TypeAdapter(Order)


POSITION: TypeAdapter[StrategyPosition] = TypeAdapter(StrategyPosition)


TRADE: TypeAdapter[ClosedTradeRow] = TypeAdapter(ClosedTradeRow)


INSTRUMENT: TypeAdapter[Instrument] = TypeAdapter(Instrument)


CHUNK: TypeAdapter[tuple[Lot, ...]] = TypeAdapter(tuple[Lot, ...])


BETWEEN: Any = {"ledger": {"lots": {"middle"}}}
"""What is not written with a position, because each chunk has a row of its own."""


EVENTS_SEEN = 50
"""How many events are looked through for each that is shown."""


CONTRADICTIONS = ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY")


class StoreUnavailable(Exception):
    """Nothing could be recorded; what was asked for did not happen."""


class StoreDamaged(Exception):
    """The state file cannot be used; the text names it and says what to do."""


class AlertRow(NamedTuple):
    """One alert as it is kept, in the order of its columns."""

    seq: int
    alert_id: str
    received_at: int
    strategy: str
    symbol: str
    status: str
    settled: bool
    deliveries: int
    body: str
    answer: str
    record: str


@dataclass(slots=True)
class Batch:
    """Everything that one transaction writes."""

    alerts: dict[int, AlertRow] = field(default_factory=dict)
    identities: list[tuple[bytes, str, int, int]] = field(default_factory=list)
    deliveries: list[tuple[str, int]] = field(default_factory=list)
    books: list[PositionBook] = field(default_factory=list)
    journal: list[tuple[PositionBook, Row]] = field(default_factory=list)
    cash: dict[str, str] = field(default_factory=dict)
    prices: dict[str, tuple[str, int]] = field(default_factory=dict)
    equities: dict[str, str] = field(default_factory=dict)
    """When each account's day began and what it was worth then."""
    switches: dict[str, tuple[str, int] | None] = field(default_factory=dict)
    strategies: dict[str, int] = field(default_factory=dict)
    notices: list[tuple[int, Notice]] = field(default_factory=list)

    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not any(getattr(self, each.name) for each in fields(self))


class Reader:
    """Read what is committed."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def find_alert(self, alert_id: str) -> AlertRow | None:
        """Return one alert."""
        row = self._db.execute("SELECT * FROM alerts WHERE alert_id = ?", (alert_id,)).fetchone()
        return AlertRow(*row) if row else None

    def find_orders(self, alert_id: str) -> list[tuple[str, int, str, Order]]:
        """Return account, paper, instrument and order of everything that an alert caused."""
        rows = self._db.execute(
            "SELECT account, paper, instrument, data FROM orders WHERE alert_id = ?", (alert_id,)
        )
        return [(a, p, i, ORDER.validate_json(data)) for a, p, i, data in rows]

    def find_executions(self, client_ids: Iterable[str]) -> dict[str, int]:
        """Return when each order was last executed."""
        found: dict[str, int] = {}
        for client_id in client_ids:
            row = self._db.execute("SELECT MAX(at) FROM fills WHERE client_id = ?", (client_id,))
            if (at := row.fetchone()[0]) is not None:
                found[client_id] = at
        return found

    def find_trade(
        self, account: str, paper: int, instrument: str, strategy: str, at: int
    ) -> ClosedTradeRow | None:
        """Return the closed trade that a fill at a time belongs to, or None while it is open."""
        rows = self._db.execute(
            "SELECT data FROM trades WHERE account = ? AND paper = ? AND instrument = ? AND strategy = ? "
            "AND closed_at >= ? ORDER BY closed_at, id LIMIT 2",
            (account, paper, instrument, strategy, at),
        )
        for found in [TRADE.validate_json(data) for (data,) in rows]:
            # A reversal opens in the millisecond in which it closes what was before.
            is_before = found.trade.closed_at == at and found.trade.opened_at < at
            if found.trade.opened_at <= at and not is_before:
                return found
        return None

    def last_seq(self) -> int:
        """Return the number of the newest alert."""
        return self._db.execute("SELECT COALESCE(MAX(seq), 0) FROM alerts").fetchone()[0]  # type: ignore[no-any-return]

    def load_trades(self, limit: int) -> list[ClosedTradeRow]:
        """Return the newest closed trades, newest first."""
        rows = self._db.execute("SELECT data FROM trades ORDER BY id DESC LIMIT ?", (limit,))
        return [TRADE.validate_json(data) for (data,) in rows]

    def load_events(self, limit: int) -> list[dict[str, Any]]:
        """Return what the user was last told, newest first; what was executed never crowds out the rest."""
        rows = self._db.execute(
            "SELECT at, event, message, alert_id FROM events ORDER BY id DESC LIMIT ?",
            (limit * EVENTS_SEEN,),
        )
        left = {True: limit, False: limit}
        found: list[dict[str, Any]] = []
        for at, event, message, alert_id in rows:
            is_fill = event in FILLS
            if left[is_fill]:
                left[is_fill] -= 1
                row = {"at": at, "event": event, "message": message, "alert_id": alert_id}
                found.append(row)
        return found

    def find_strategy(self, name: str) -> int | None:
        """Return when a strategy was created by its first alert, or None where it never was."""
        row = self._db.execute(
            "SELECT created_at FROM strategies WHERE name = ?", (name,)
        ).fetchone()
        return row[0] if row else None

    def load_strategies(self, limit: int) -> list[tuple[str, int]]:
        """Return the created strategies that hold something and those created last, and when."""
        return self._db.execute(
            "SELECT name, created_at FROM strategies "
            "WHERE name IN (SELECT strategy FROM positions WHERE open = 1) "
            "OR rowid > (SELECT MAX(rowid) FROM strategies) - ? ORDER BY rowid",
            (limit,),
        ).fetchall()


class Store(Reader):
    """The state file. Opened by one process; the desk thread alone writes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._name, self._wal_name = str(path), str(wal_of(path))
        self._is_cut = False
        self._is_marked = False
        self._marker: Marker | None = None
        try:
            mark = check_files(path)
            if not path.exists():
                _create(path)
            super().__init__(_connect(path))
            self._prepare()
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("PRAGMA wal_autocheckpoint=2000")
            self._newest = self.last_seq()
            check_newest(mark, self._newest)
        except (sqlite3.DatabaseError, NotWhole) as error:
            raise self._damaged(error) from None
        self._inode = path.stat().st_ino
        self._wal = _stat_wal(self._wal_name)

    def _take(self) -> None:
        """Mark the state as in use before the first change, in the file itself and beside it.

        While somebody reads, the file itself cannot be written: then nothing is compared the next time.
        """
        if self._marker:
            return
        token = secrets.token_hex(8)
        marker = Marker(self.path, token)
        self._db.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (IN_USE, token))
        self._db.execute("PRAGMA busy_timeout=200")  # an alert is waiting behind this
        self._is_marked = not self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        self._db.execute("PRAGMA busy_timeout=5000")
        if self._is_marked:
            marker.note(self._newest)
        self._marker = marker
        self._wal = _stat_wal(self._wal_name)

    def _prepare(self) -> None:
        """Check that it is a state, and of a version that is read."""
        found = self._db.execute("SELECT name FROM sqlite_master WHERE name = 'meta'").fetchone()
        if found is None:
            raise self._damaged("it is a database of another program")
        version = self._db.execute("SELECT value FROM meta WHERE name = 'version'").fetchone()[0]
        with self.loading():
            is_ours = int(version) == VERSION or upgrade(self._db, int(version), VERSION)
        if not is_ours:
            raise StoreDamaged(
                f"{self.path} was written by version {version} of the state, this program reads "
                f"{VERSION}. Use the program that wrote it, or move the file away."
            )
        for statement in LATER:
            self._db.execute(statement)

    def _damaged(self, why: object) -> StoreDamaged:
        return StoreDamaged(
            f"{self.path} cannot be used as the state ({why}). It was left as it is: move it away to "
            "start empty, or put a backup in its place."
        )

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Turn what cannot be read in this block into `StoreDamaged`."""
        try:
            yield
        except (sqlite3.DatabaseError, ValueError, TypeError, KeyError) as error:
            raise self._damaged(str(error).partition("\n")[0]) from None

    def close(self) -> None:
        """Close the file; what was committed is in it."""
        is_clean = False
        if self._marker and not self._is_cut:
            with suppress(sqlite3.Error):
                self._db.execute("UPDATE meta SET value = '' WHERE name = ?", (IN_USE,))
                is_clean = not self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        self._db.close()
        if self._marker:
            self._marker.close(is_clean=is_clean)

    def write(self, batch: Batch, may_commit: Callable[[], bool] = lambda: True) -> bool:
        """Write one batch, all of it or nothing, and return whether it was. Raises `StoreUnavailable`.

        `may_commit` is asked last, when all that may take its time (another's lock, the disk) is over.
        """
        if batch.is_empty():
            return True
        try:
            self._check_files()
            self._take()
            self._db.execute("BEGIN IMMEDIATE")
            self._write(batch)
            is_wanted = may_commit()
            if is_wanted:
                self._db.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            if getattr(error, "sqlite_errorname", "") in CONTRADICTIONS:
                raise  # the disk is well: what was to be written is wrong, a fault of ours
            raise StoreUnavailable(f"{self.path}: {error}") from None
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        if is_wanted:
            self._note(batch)
        return is_wanted

    def _check_files(self) -> None:
        """Raise `StoreUnavailable` where the files are not the ones that were written."""
        if os.stat(self._name).st_ino != self._inode:  # noqa: PTH116  # a Path takes twice as long
            raise StoreUnavailable(f"{self.path} was replaced while running")
        now = _stat_wal(self._wal_name)
        if now[0] == self._wal[0] and now[1] >= self._wal[1] and not self._is_cut:
            return
        # Another program may have moved everything into the file itself, which is well.
        try:
            with self.reader() as found:
                newest = found.last_seq()
        except (sqlite3.Error, StoreUnavailable):
            newest = -1
        self._is_cut = newest < self._newest or now[0] != self._wal[0]
        if self._is_cut:
            raise StoreUnavailable(
                f"{self.path}-wal was cut, removed or replaced while running: stop the receiver, and put "
                "the file or a backup back"
            )
        self._wal = now

    def _note(self, batch: Batch) -> None:
        """Remember what was committed, to notice if it goes."""
        self._wal = _stat_wal(self._wal_name)
        newest = max(batch.alerts, default=0)
        if newest > self._newest:
            self._newest = newest
            if self._marker and self._is_marked:
                self._marker.note(newest)

    def _write(self, batch: Batch) -> None:
        positions, orders, fills, trades = _sort(batch.journal)
        self._insert("alerts", list(batch.alerts.values()))
        self._insert("identities", list({row[0]: row for row in batch.identities}.values()))
        books = {_key(book): book for book in batch.books}
        rows = [(*key, _dump(INSTRUMENT, book.instrument)) for key, book in books.items()]
        self._insert("books", rows)
        self._insert("positions", positions)
        self._write_lots(batch.journal)
        self._insert("orders", orders)
        self._insert("fills", fills)
        self._insert("trades", trades)
        self._insert("cash", list(batch.cash.items()))
        self._insert("prices", [(name, price, at) for name, (price, at) in batch.prices.items()])
        self._insert("strategies", list(batch.strategies.items()))
        self._insert("events", [(at, t.event, t.message, t.alert_id) for at, t in batch.notices])
        for account, equity in batch.equities.items():
            self._db.execute(
                "INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)",
                (f"equity:{account}", equity),
            )
        for scope, switch in batch.switches.items():
            self._db.execute("DELETE FROM switches WHERE scope = ?", (scope,))
            if switch:
                self._insert("switches", [(scope, *switch)])
        for alert_id, count in batch.deliveries:
            row = (count, alert_id)
            self._db.execute("UPDATE alerts SET deliveries = ? WHERE alert_id = ?", row)

    def _write_lots(self, journal: Iterable[tuple[PositionBook, Row]]) -> None:
        """Write the chunks of lots that are new and drop those that are gone, in the order of events."""
        for _, row in journal:
            if isinstance(row, LotsRow):
                where = (row.account, int(row.paper), row.instrument, row.strategy, row.number)
                if row.lots:
                    self._insert("lots", [(*where, _dump(CHUNK, row.lots))])
                else:
                    self._db.execute(DROP_LOTS, where)

    def _insert(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        """Write rows in one statement: each statement lets every waiting thread run before the next."""
        for start in range(0, len(rows), ROWS_AT_ONCE):
            some = rows[start : start + ROWS_AT_ONCE]
            values = [value for row in some for value in row]
            self._db.execute(write_insert(table, len(some)), values)

    def find_identity(self, digest: bytes, now: int) -> tuple[str, int, int] | None:
        """Return the alert that claimed a digest, the number of its body and the end of the claim."""
        found = self._db.execute(
            "SELECT alert_id, number, until FROM identities WHERE digest = ? AND until > ?",
            (digest, now),
        ).fetchone()
        return (found[0], found[1], found[2]) if found else None

    def load_identities(self, now: int, until: int) -> Iterator[tuple[bytes, tuple[str, int, int]]]:
        """Yield the claims that end between two moments, the first to end first."""
        for digest, alert_id, number, end in self._db.execute(
            "SELECT digest, alert_id, number, until FROM identities WHERE until > ? AND until <= ? "
            "ORDER BY until",
            (now, until),
        ):
            yield digest, (alert_id, number, end)

    def shift_identities(self, step: int) -> None:
        """Let every claim end as much later as the clock was set by. Raises `StoreUnavailable`."""
        try:
            self._take()
            self._db.execute("UPDATE identities SET until = until + ?", (step,))
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{self.path}: {error}") from None

    def forget_identities(self, now: int) -> None:
        """Drop the claims that have run out."""
        try:
            self._take()
            self._db.execute("DELETE FROM identities WHERE until <= ?", (now,))
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{self.path}: {error}") from None

    def load_books(self, *, paper_too: bool = True) -> Iterator[PositionBook]:
        """Yield every book in which something is held, wished or worked, with the positions it concerns."""
        positions: dict[tuple[str, int, str], dict[str, StrategyPosition]] = {}
        most = int(paper_too)
        for *key, data in self._db.execute(
            "SELECT account, paper, instrument, data FROM positions WHERE open = 1 AND paper <= ?",
            (most,),
        ):
            position = POSITION.validate_json(data)
            positions.setdefault((key[0], key[1], key[2]), {})[position.strategy] = position
        self._add_lots(positions)
        orders: dict[tuple[str, int, str], dict[str, Order]] = {}
        for *key, cid, data in self._db.execute(
            "SELECT account, paper, instrument, client_id, data FROM orders "
            "WHERE live = 1 AND paper <= ?",
            (most,),
        ):
            order = ORDER.validate_json(data)
            orders.setdefault((key[0], key[1], key[2]), {})[cid] = order
            known = positions.setdefault((key[0], key[1], key[2]), {})
            if order.strategy not in known:  # what it has said so far counts on
                found = self.find_share(key[0], bool(key[1]), key[2], order.strategy)
                known |= {order.strategy: found} if found else {}
        for where, some in positions.items():
            account, paper, name = where
            instrument = self.find_instrument(account, bool(paper), name)
            if instrument is None:
                raise ValueError(f"it does not say what {name} on {account} is")
            yield PositionBook(account, bool(paper), instrument, some, orders.get(where, {}))

    def _add_lots(self, positions: dict[tuple[str, int, str], dict[str, StrategyPosition]]) -> None:
        """Put the chunks between the two ends of each position where they belong."""
        rows = self._db.execute(
            "SELECT account, paper, instrument, strategy, data FROM lots "
            "ORDER BY account, paper, instrument, strategy, number"
        )
        for where, chunks in itertools.groupby(rows, key=lambda row: row[:4]):
            known = positions.get(where[:3], {})
            if where[3] in known:
                known[where[3]] = _with_chunks(known[where[3]], [data for *_, data in chunks])

    def find_share(
        self, account: str, paper: bool, instrument: str, strategy: str
    ) -> StrategyPosition | None:
        """Return a position as it was last written, or None where the strategy never had one there."""
        where = (account, int(paper), instrument, strategy)
        row = self._db.execute(FIND_POSITION, where).fetchone()
        if row is None:
            return None
        position = POSITION.validate_json(row[0])
        if not position.ledger.lots.back:
            return position
        return _with_chunks(position, [data for (data,) in self._db.execute(FIND_LOTS, where)])

    def find_instrument(self, account: str, paper: bool, name: str) -> Instrument | None:
        """Return the instrument of a book as it was last written."""
        row = self._db.execute(FIND_BOOK, (account, int(paper), name)).fetchone()
        return INSTRUMENT.validate_json(row[0]) if row else None

    def load_facts(self, table: str) -> list[tuple[Any, ...]]:
        """Return the rows of one of the small tables: cash, prices, switches."""
        return self._db.execute(FACTS[table]).fetchall()

    def load_equities(self) -> dict[str, tuple[int, Decimal]]:
        """Return when each account's day began that was last read, and what it was worth then."""
        rows = self._db.execute("SELECT name, value FROM meta WHERE name LIKE 'equity:%'")
        split = ((name.removeprefix("equity:"), *value.split()) for name, value in rows)
        return {name: (int(day), Decimal(start)) for name, day, start in split}

    def load_venues(self) -> dict[str, str]:
        """Return what each account was when this program last ran: live or sandbox."""
        rows = self._db.execute("SELECT name, value FROM meta WHERE name LIKE 'venue:%'")
        return {name.removeprefix("venue:"): value for name, value in rows}

    def note_venues(self, venues: Mapping[str, str], forget: Iterable[str]) -> None:
        """Note what each account is, and drop those to forget. Raises `StoreUnavailable`."""
        try:
            self._take()
            for name in forget:
                self._db.execute("DELETE FROM meta WHERE name = ?", (f"venue:{name}",))
            for name, value in venues.items():
                row = (f"venue:{name}", value)
                self._db.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", row)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{self.path}: {error}") from None

    def load_last(self, limit: int) -> list[AlertRow]:
        """Return the newest alerts, oldest first, and every alert that is not settled."""
        newest = self._db.execute(
            "SELECT * FROM alerts ORDER BY seq DESC LIMIT ?", (limit,)
        ).fetchall()
        rows = {row[0]: AlertRow(*row) for row in newest}
        for row in self._db.execute("SELECT * FROM alerts WHERE settled = 0"):
            rows.setdefault(row[0], AlertRow(*row))
        return [rows[seq] for seq in sorted(rows)]

    def load_entries(self, since: int) -> list[tuple[str, bool, str, Order]]:
        """Return account, paper, instrument and opening order of the alerts since a time, oldest first."""
        found: list[tuple[str, bool, str, Order]] = []
        for at, account, paper, instrument, data in self._db.execute(
            "SELECT alerts.received_at, account, paper, instrument, data FROM alerts LEFT JOIN orders "
            "ON orders.alert_id = alerts.alert_id AND kind = 'entry' ORDER BY alerts.seq DESC"
        ):
            if at < since:  # alerts are numbered as they come: everything before is older
                break
            if data is not None:
                found.append((account, bool(paper), instrument, ORDER.validate_json(data)))
        return found[::-1]

    def load_traded(self, since: int) -> set[tuple[str, bool, str, str]]:
        """Return account, paper, instrument and strategy of the orders of all alerts since a time."""
        found: set[tuple[str, bool, str, str]] = set()
        for at, strategy, account, paper, instrument in self._db.execute(
            "SELECT received_at, strategy, account, paper, instrument FROM alerts LEFT JOIN orders "
            "ON orders.alert_id = alerts.alert_id ORDER BY seq DESC"
        ):
            if at < since:
                break
            if account is not None:
                found.add((account, bool(paper), instrument, strategy))
        return found

    def load_trades_since(self, since: int) -> list[ClosedTradeRow]:
        """Return the trades closed since a time, oldest first."""
        found: list[ClosedTradeRow] = []
        for at, data in self._db.execute("SELECT closed_at, data FROM trades ORDER BY id DESC"):
            if at < since:
                break
            found.append(TRADE.validate_json(data))
        return found[::-1]

    def find_order(self, client_id: str) -> tuple[str, int, str, Order] | None:
        """Return account, paper, instrument and order of a client id."""
        row = self._db.execute(
            "SELECT account, paper, instrument, data FROM orders WHERE client_id = ?", (client_id,)
        ).fetchone()
        return (*row[:3], ORDER.validate_json(row[3])) if row else None

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        """Yield a reader for another thread. Raises `StoreUnavailable`."""
        try:
            with closing(sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True)) as db:
                yield Reader(db)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{self.path}: {error}") from None


class Glimpse(Store):
    """A state that is only looked at: nothing is created, and another process may be using it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            Reader.__init__(self, sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True))
        except sqlite3.DatabaseError as error:
            raise self._damaged(error) from None

    def note_venues(self, venues: Mapping[str, str], forget: Iterable[str]) -> None:
        """Note nothing."""

    def close(self) -> None:
        """Look away."""
        self._db.close()


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=512
    )


def _create(path: Path) -> None:
    """Create an empty state for its owner alone: it may hold what an account trades.

    It gets its name when its tables are in it: a file of no bytes is never ours.
    """
    made = path.with_name(path.name + "-new")
    made.unlink(missing_ok=True)
    os.close(os.open(made, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with closing(_connect(made)) as db:
        db.executescript(f"BEGIN;{SCHEMA}COMMIT;")
        db.execute("INSERT INTO meta VALUES ('version', ?)", (str(VERSION),))
    made.replace(path)


def _stat_wal(name: str) -> tuple[int, int]:
    """Return inode and size of the -wal file; without one both are zero."""
    try:
        found = os.stat(name)  # noqa: PTH116
    except FileNotFoundError:
        return 0, 0
    return found.st_ino, found.st_size


def _with_chunks(position: StrategyPosition, chunks: Iterable[str]) -> StrategyPosition:
    middle = tuple(CHUNK.validate_json(data) for data in chunks)
    lots = replace(position.ledger.lots, middle=middle)
    return evolve(position, ledger=evolve(position.ledger, lots=lots))


def _dump(adapter: TypeAdapter[Any], value: object) -> str:
    # Its serializer asked directly: `dump_json` takes twice as long to get there (11 us an order, 4).
    return adapter.serializer.to_json(value, exclude_defaults=True).decode()


def _key(book: PositionBook) -> tuple[str, int, str]:
    return book.account, int(book.paper), book.instrument.symbol


def _sort(
    journal: Iterable[tuple[PositionBook, Row]],
) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    """Turn journal rows into columns; of an order or share that changed twice only the last is kept."""
    positions: dict[tuple[str, int, str, str], tuple[PositionBook, StrategyPosition]] = {}
    orders: dict[str, tuple[PositionBook, Order]] = {}
    fills: list[Any] = []
    trades: list[Any] = []
    for book, row in journal:
        if isinstance(row, StrategyPosition):
            positions[(*_key(book), row.strategy)] = (book, row)
        elif isinstance(row, Order):
            orders[row.client_id] = (book, row)
        elif isinstance(row, FillRow):
            fills.append(_fill_columns(row, row.fill))
        elif isinstance(row, ClosedTradeRow):
            trades.append(_trade_columns(row, row.trade))
    return (
        [_share_columns(*each) for each in positions.values()],
        [
            (cid, *_key(book), o.cause.alert_id, o.kind, o.status, int(o.is_open), _dump(ORDER, o))
            for cid, (book, o) in orders.items()
        ],
        fills,
        trades,
    )


def _share_columns(book: PositionBook, position: StrategyPosition) -> tuple[Any, ...]:
    data = POSITION.serializer.to_json(position, exclude_defaults=True, exclude=BETWEEN).decode()
    is_open = position.quantity != 0 or position.is_restless
    return (*_key(book), position.strategy, str(position.quantity), data, int(is_open))


def _fill_columns(row: FillRow, fill: Fill) -> tuple[Any, ...]:
    return (
        row.account,
        int(row.paper),
        fill.fill_id,
        row.instrument,
        row.strategy,
        fill.client_id,
        fill.side,
        str(fill.quantity),
        str(fill.price),
        str(fill.fee),
        fill.fee_coin,
        fill.at,
    )


def _trade_columns(row: ClosedTradeRow, trade: ClosedTrade) -> tuple[Any, ...]:
    where = (row.account, int(row.paper), row.instrument, row.strategy)
    return (*where, trade.closed_at, _dump(TRADE, row))
