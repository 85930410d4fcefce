"""Keep the durable record: with its schema the only module that speaks SQL.

One connection belongs to the desk thread and writes each batch in one transaction; readers open their own.
Plain SQL that SQLite and PostgreSQL both accept. The nouns are kept as JSON beside the columns that are
searched by. Nothing here decides anything, and nothing is ever read back from the log file.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from desk.orders.journal import LotsRow, Row
from desk.orders.position_book import PositionBook
from desk.performance.figures import Figures
from desk.state.counted import FiguresKey
from desk.state.loading import Loader
from desk.state.reader import Reader
from desk.state.rows import (
    CHUNK,
    FIGURES,
    INSTRUMENT,
    STANDING,
    Batch,
    dump,
    key_columns,
    sort_journal,
)
from desk.state.schema import (
    DROP_LOTS,
    LATER,
    ROWS_AT_ONCE,
    SCHEMA,
    VERSION,
    write_insert,
)
from desk.state.upgrades import upgrade
from desk.state.wholeness import IN_USE, Marker, NotWhole, check_files, check_newest, wal_of

CONTRADICTIONS = ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY")


class StoreUnavailable(Exception):
    """Nothing could be recorded; what was asked for did not happen."""


class StoreDamaged(Exception):
    """The state file cannot be used; the text names it and says what to do."""


class Store(Loader):
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
        positions, orders, fills, trades = sort_journal(batch.journal)
        self._insert("alerts", list(batch.alerts.values()))
        self._insert("identities", list({row[0]: row for row in batch.identities}.values()))
        books = {key_columns(book): book for book in batch.books}
        rows = [(*key, dump(INSTRUMENT, book.instrument)) for key, book in books.items()]
        self._insert("books", rows)
        self._insert("positions", positions)
        self._write_lots(batch.journal)
        self._insert("orders", orders)
        self._insert("fills", fills)
        self._insert("trades", trades)
        self._insert("funding", list(batch.funding.values()))
        self._insert("figures", [(*k, dump(FIGURES, f)) for k, f in batch.figures.items()])
        self._insert("cash", list(batch.cash.items()))
        self._insert("prices", [(name, price, at) for name, (price, at) in batch.prices.items()])
        self._insert("strategies", list(batch.strategies.items()))
        self._insert("events", [(at, t.event, t.message, t.alert_id) for at, t in batch.notices])
        for account, equity in batch.equities.items():
            self._db.execute(
                "INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)",
                (f"equity:{account}", equity),
            )
        for name, standing in batch.standings.items():
            self._db.execute(
                "INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)",
                (f"standing:{name}", dump(STANDING, standing)),
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
                    self._insert("lots", [(*where, dump(CHUNK, row.lots))])
                else:
                    self._db.execute(DROP_LOTS, where)

    def _insert(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        """Write rows in one statement: each statement lets every waiting thread run before the next."""
        for start in range(0, len(rows), ROWS_AT_ONCE):
            some = rows[start : start + ROWS_AT_ONCE]
            values = [value for row in some for value in row]
            self._db.execute(write_insert(table, len(some)), values)

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

    def write_recounted(
        self, trades: Iterable[tuple[str, int]], figures: Mapping[FiguresKey, Figures]
    ) -> None:
        """Write what closed trades were counted to, once for all of them. Raises `StoreUnavailable`.

        `trades` are the rows that now say what they brought: data and id.
        """
        try:
            self._take()
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("UPDATE trades SET data = ? WHERE id = ?", trades)
            self._insert("figures", [(*key, dump(FIGURES, each)) for key, each in figures.items()])
            self._db.execute("DELETE FROM meta WHERE name = 'uncounted'")
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{self.path}: {error}") from None
        finally:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

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
