"""Measure whether a receiver that has seen and holds much answers and writes as one that holds nothing.

Beside an empty state: 100,000 lots in the one position that is traded, 10,000 strategies that hold the
symbol, 10,000 symbols of which something is held, and a million alerts on record.

- latency of one connection and bytes written for an alert: at most 1.2 times those of the empty state
- from the start of the interpreter to the first answer: within 2 seconds

A thousand real alerts are sent, then their rows are multiplied inside SQLite, with other identities and
earlier times, until there are a million: sending them would take half an hour. The positions are written by
the desk's own store. It needs some four gigabytes of disk while it runs.

    python -m bench.growth
    python -m bench.growth --alerts 100000 --things 1000 --directory /var/tmp
"""

from __future__ import annotations

import argparse
import gc
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from bench.figures import Figure, print_table
from bench.sender import Symbols
from bench.served import CONNECTIONS, serve
from bench.throughput import Side
from brokers.protocol import Instrument
from desk.orders.evolve import evolve
from desk.orders.journal import LotsRow, Row
from desk.orders.ledger import Execution, LotLedger, book_fill
from desk.orders.position_book import PositionBook
from desk.orders.strategy_position import StrategyPosition
from desk.state.rows import Batch
from desk.state.store import Store

REAL = 1000
MAX_RATIO = 1.2
MAX_START_SECONDS = 2.0
TABLES = ("alerts", "orders", "fills", "trades", "events")
"""The tables that grow with every alert; identities expire."""
SHARED = ("account", "strategy", "symbol", "instrument", "side", "kind")
"""Columns that say what was traded: a copy has them too, even where a unique index names them."""
NUMBERS = ("seq", "id")
"""Columns that count rows: each row gets a new number, in the order of time."""
OLDER_MS = 3_600_000
"""How much older each generation of copies is than the next."""


def multiply(state: Path, factor: int) -> int:
    """Give every row of the growing tables `factor - 1` older copies; return the alerts there are.

    The copies go in first and the real rows after them, so that row order is still order in time.
    """
    with sqlite3.connect(state, isolation_level=None) as store:
        for pragma in ("synchronous=OFF", "journal_mode=MEMORY", "cache_size=-1000000"):
            store.execute(f"PRAGMA {pragma}")
        known = {row[0] for row in store.execute("SELECT name FROM sqlite_master")}
        store.execute("BEGIN EXCLUSIVE")
        store.execute(
            "CREATE TEMP TABLE generation AS WITH RECURSIVE g(n) AS "
            "(SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n + 1 < ?) SELECT n FROM g",
            (factor,),
        )
        for table in TABLES:
            if table in known:
                _multiply_table(store, table)
        store.execute("COMMIT")
        store.execute("PRAGMA journal_mode=WAL")
        count = int(store.execute("SELECT count(*) FROM alerts").fetchone()[0])
    store.close()
    return count


def _multiply_table(store: sqlite3.Connection, table: str) -> None:
    store.execute(f"CREATE TEMP TABLE real_rows AS SELECT * FROM {table} ORDER BY rowid")
    store.execute(f"DELETE FROM {table}")
    columns = [str(row[1]) for row in store.execute(f"PRAGMA table_info({table})")]
    unique = _unique_columns(store, table)
    copied = ", ".join(_change(column, unique) for column in columns)
    kept = ", ".join("NULL" if column in NUMBERS else column for column in columns)
    store.execute(
        f"INSERT INTO {table} SELECT {copied} FROM generation g CROSS JOIN real_rows r "
        "ORDER BY g.n DESC, r.rowid"
    )
    store.execute(f"INSERT INTO {table} SELECT {kept} FROM real_rows ORDER BY rowid")
    store.execute("DROP TABLE real_rows")


def _change(column: str, unique: set[str]) -> str:
    """Return the SQL of a copy's column: an identity gets a suffix, a time moves back."""
    if column in NUMBERS:
        return "NULL"
    is_identity = column in unique or column.endswith("_id")
    if is_identity and column not in SHARED:
        return (
            f"CASE typeof(r.{column}) WHEN 'text' THEN r.{column} || '-' || g.n "
            f"WHEN 'blob' THEN r.{column} || g.n ELSE r.{column} END"
        )
    return (
        f"CASE WHEN typeof(r.{column}) = 'integer' AND r.{column} > 1000000000000 "
        f"THEN r.{column} - g.n * {OLDER_MS} ELSE r.{column} END"
    )


def _unique_columns(store: sqlite3.Connection, table: str) -> set[str]:
    found: set[str] = set()
    for index in store.execute(f"PRAGMA index_list({table})").fetchall():
        if index[2]:
            found |= {row[2] for row in store.execute(f"PRAGMA index_info({index[1]})")}
    return found


ACCOUNT = "paper_simulator"
TRADED: Symbols = (("BTCUSDT.P", 45_000),)
"""What is traded while it is timed: a perpetual, so that its margin is asked for at every alert."""


def _hold(strategy: str, symbol: str, lots: int) -> StrategyPosition:
    """Return a position that was bought in so many parts."""
    ledger, now = LotLedger(), time.time_ns() // 1_000_000
    for number in range(lots):
        fill = Execution("buy", Decimal("0.01"), Decimal(45_000 + number % 100), Decimal(0), now)
        ledger, _ = book_fill(ledger, fill)
    return evolve(StrategyPosition(strategy), symbol=symbol, ledger=ledger)


def _write(state: Path, positions: dict[str, list[StrategyPosition]]) -> None:
    """Put positions into a state, by symbol."""
    batch = Batch()
    for symbol, some in positions.items():
        instrument = Instrument(symbol, "linear", symbol.removesuffix("USDT.P"), "USDT")
        book = PositionBook(ACCOUNT, True, instrument)
        where = (ACCOUNT, True, symbol)
        rows: list[Row] = [*some]
        for each in some:
            middle = enumerate(each.ledger.lots.middle)
            rows += [LotsRow(*where, each.strategy, number, lots) for number, lots in middle]
            batch.strategies[each.strategy] = 0
        batch.books.append(book)
        batch.journal += [(book, row) for row in rows]
        batch.prices[symbol] = ("45000", 0)
    store = Store(state)
    store.write(batch)
    store.close()


def add_lots(state: Path, count: int) -> None:
    """Let the strategy that is timed hold so many lots."""
    _write(state, {TRADED[0][0]: [_hold("bench-0", TRADED[0][0], count)]})


def add_strategies(state: Path, count: int) -> None:
    """Let so many other strategies hold the symbol that is timed."""
    name = TRADED[0][0]
    _write(state, {name: [_hold(f"other-{number}", name, 1) for number in range(count)]})


def add_symbols(state: Path, count: int) -> None:
    """Let another strategy hold so many other symbols."""
    names = [f"COIN{number}USDT.P" for number in range(count)]
    _write(state, {name: [_hold("other", name, 1)] for name in names})


@dataclass(slots=True)
class Grown:
    """One state, and what was measured on it."""

    name: str
    side: Side
    start_seconds: float
    bytes_each: list[float] = field(default_factory=list)

    def send(self, count: int) -> None:
        """Time alerts over one connection, and note what was written for each."""
        before = self.side.server.written_bytes()
        sent = self.side.sent
        self.side.send_singly(count)
        after = self.side.server.written_bytes()
        if before is not None and after is not None:
            self.bytes_each.append((after - before) / (self.side.sent - sent))


def build_states(directory: Path, alerts: int, things: int) -> tuple[dict[str, Path], int]:
    """Return the states by what they hold, the empty one first, and how many alerts were sent to it."""
    empty = directory / "empty"
    with serve(empty) as server:
        side = Side(server, symbols_of=lambda _: TRADED)
        side.send(REAL, CONNECTIONS)
    grow: dict[str, Callable[[Path], object]] = {
        f"{10 * things:,} lots": lambda state: add_lots(state, 10 * things),
        f"{things:,} strategies": lambda state: add_strategies(state, things),
        f"{things:,} symbols": lambda state: add_symbols(state, things),
        f"{alerts:,} alerts": lambda state: multiply(state, -(-alerts // side.sent)),
    }
    states = {"empty": empty}
    for name, add in grow.items():
        states[name] = directory / name.replace(",", "").replace(" ", "-")
        shutil.copytree(empty, states[name])
        add(states[name] / "state.db")
        gc.collect()
    return states, side.sent


def measure(directory: Path, alerts: int, rounds: int, things: int = 10_000) -> list[Figure]:
    """Build the states, start a receiver on each, then time them in alternate rounds."""
    states, sent = build_states(directory, alerts, things)
    with ExitStack() as stack:
        grown: list[Grown] = []
        for name, place in states.items():
            server = stack.enter_context(serve(place))
            side = Side(server, sent, symbols_of=lambda _: TRADED)
            grown.append(Grown(name, side, server.start_seconds))
            side.send(160, 1)  # warm
        for _ in range(rounds):
            for each in grown:
                each.send(160)
    empty = grown[0]
    figures = [Figure("alone with nothing", _describe(empty))]
    for each in grown[1:]:
        figures += _compare(empty, each)
    return figures


def _describe(each: Grown) -> str:
    written = f", {statistics.median(each.bytes_each) / 1000:.1f} kB" if each.bytes_each else ""
    return f"{statistics.median(each.side.single_ms):.2f} ms{written} an alert"


def _compare(empty: Grown, each: Grown) -> list[Figure]:
    pairs = zip(empty.side.single_ms, each.side.single_ms, strict=True)
    ratio = statistics.median(ours / theirs for theirs, ours in pairs)
    limit = f"<= {MAX_RATIO} times"
    found = [
        Figure(
            f"with {each.name}", f"{ratio:.2f} times ({_describe(each)})", limit, ratio <= MAX_RATIO
        )
    ]
    if each.bytes_each:
        written = statistics.median(each.bytes_each) / statistics.median(empty.bytes_each)
        found.append(Figure("  bytes written", f"{written:.2f} times", limit, written <= MAX_RATIO))
    is_met = each.start_seconds <= MAX_START_SECONDS
    value, target = f"{each.start_seconds:.2f} s", f"<= {MAX_START_SECONDS:.0f} s"
    return [*found, Figure("  start to first answer", value, target, is_met)]


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--alerts", type=int, default=1_000_000)
    parser.add_argument(
        "--things", type=int, default=10_000, help="strategies, symbols, tenths of lots"
    )
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--directory", type=Path, help="where the states lie while it runs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=options.directory) as directory:
        figures = measure(Path(directory), options.alerts, options.rounds, options.things)
    sys.exit(print_table(figures))


if __name__ == "__main__":
    main()
