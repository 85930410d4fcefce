"""Measure whether a receiver that recorded a million alerts starts and answers as a new one does.

- the latency of one connection with a million alerts recorded: at most 1.3 times that with a thousand
- from the start of the interpreter to the first answer: within 2 seconds

A thousand real alerts are sent, then their rows are multiplied inside SQLite, with other identities
and earlier times, until there are a million: sending them would take half an hour. It needs some
four gigabytes of disk while it runs.

    python -m bench.growth
    python -m bench.growth --alerts 100000 --directory /var/tmp
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import statistics
import sys
import tempfile
from pathlib import Path

from bench.figures import Figure, print_table
from bench.served import CONNECTIONS, serve
from bench.throughput import Side

REAL = 1000
MAX_RATIO = 1.3
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


def measure(directory: Path, alerts: int, rounds: int) -> list[Figure]:
    """Build both states, start each a few times, then time them in alternate rounds."""
    small, large = directory / "small", directory / "large"
    with serve(small) as server:
        side = Side(server)
        side.send(REAL, CONNECTIONS)
        sent = side.sent
    shutil.copytree(small, large)
    recorded = multiply(large / "state.db", -(-alerts // sent))
    starts: dict[Path, list[float]] = {small: [], large: []}
    for _ in range(3):
        for place, seconds in starts.items():
            with serve(place) as server:
                seconds.append(server.start_seconds)
    with serve(small) as one, serve(large) as other:
        sides = (Side(one, sent), Side(other, sent))
        for side in sides:
            side.send(160, 1)  # warm
        for _ in range(rounds):
            for side in sides:
                side.send_singly(160)
    young, old = (statistics.median(side.single_ms) for side in sides)
    pairs = zip(sides[0].single_ms, sides[1].single_ms, strict=True)
    ratio = statistics.median(with_old / with_young for with_young, with_old in pairs)
    first, then = (statistics.median(seconds) for seconds in starts.values())
    return [
        Figure(
            f"latency with {recorded} alerts",
            f"{ratio:.2f} times ({old:.2f} ms, with {sent}: {young:.2f})",
            f"<= {MAX_RATIO} times",
            ratio <= MAX_RATIO,
        ),
        Figure(
            "  start to first answer",
            f"{then:.2f} s (with {sent}: {first:.2f})",
            f"<= {MAX_START_SECONDS:.0f} s",
            then <= MAX_START_SECONDS,
        ),
    ]


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--alerts", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--directory", type=Path, help="where the states lie while it runs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=options.directory) as directory:
        figures = measure(Path(directory), options.alerts, options.rounds)
    sys.exit(print_table(figures))


if __name__ == "__main__":
    main()
