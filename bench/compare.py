"""Measure how long a comparison with TradingView's log takes, and what memory it needs.

100,000 rows of a log against 100,000 alerts on record, by the command a user runs: at most 10 s and 200 MB.
One real alert is sent; its row is repeated with other texts and times, and the log is made of the same.

    python -m bench.compare
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import requests

from bench.figures import Figure, print_table
from bench.served import CONFIG, ROOT, SECRET, serve

MAX_SECONDS, MAX_MB = 10.0, 200.0
EVERY_MS, TRAVEL_MS = 20_000, 700


def _write_text(number: int, secret: str) -> str:
    alert = {
        "action": "buy",
        "symbol": "BTCUSDT",
        "quantity": "0.01",
        "price": "100",
        "strategy": "bench-0",
        "id": f"n{number}",
        "order_id": "Long",
        "secret": secret,
    }
    return json.dumps(alert, separators=(",", ":"))


def _multiply(state: Path, count: int, first_at: int) -> None:
    """Repeat the one alert of a state, each with a text and a time of its own."""
    with closing(sqlite3.connect(state)) as db:
        names = [row[1] for row in db.execute("PRAGMA table_info(alerts)")]
        row = dict(zip(names, db.execute("SELECT * FROM alerts").fetchone(), strict=True))

        def rows() -> Iterator[tuple[object, ...]]:
            for number in range(count):
                at = first_at + number * EVERY_MS + TRAVEL_MS
                own = {"seq": number + 10, "alert_id": f"alert_{number}", "received_at": at}
                yield tuple({**row, **own, "body": _write_text(number, "***")}[n] for n in names)

        marks = ",".join("?" * len(names))
        db.execute("DELETE FROM alerts")
        db.executemany(f"INSERT INTO alerts VALUES ({marks})", rows())
        db.commit()


def _write_log(path: Path, count: int, first_at: int) -> None:
    """Write the log of the same alerts, newest first as TradingView does."""
    with path.open("w", newline="") as file:
        file.write("Alert ID,Ticker,Name,Description,Time,Webhook status\r\n")
        for number in reversed(range(count)):
            at = datetime.fromtimestamp((first_at + number * EVERY_MS) / 1000, UTC)
            text = _write_text(number, SECRET).replace('"', '""')
            file.write(f'4400000001,"BINANCE:BTCUSDT, 15m",Bench,"{text}",')
            file.write(f"{at:%Y-%m-%dT%H:%M:%SZ},Webhook successfully delivered\r\n")


def measure(directory: Path, count: int) -> list[Figure]:
    """Return how long the command took and what it needed."""
    with serve(directory) as server:
        body = _write_text(0, SECRET).encode()
        url = f"http://127.0.0.1:{server.port}/webhook"
        assert requests.post(url, body, timeout=10).json()["status"] == "filled"
    first_at = (time.time_ns() // 1_000_000 // 1000 - count * EVERY_MS // 1000) * 1000
    _multiply(directory / "state.db", count, first_at)
    _write_log(directory / "log.csv", count, first_at)
    settings = directory / "config.yaml"
    settings.write_text(json.dumps(dict(CONFIG)))
    command = [sys.executable, str(ROOT / "webhook_server.py"), "--config", str(settings)]
    environ = {**os.environ, "TRADINGVIEW_WEBHOOK_SECRET": SECRET, "PRICES": "alerts"}
    began = time.perf_counter()
    done = subprocess.run(
        [*command, "--compare", str(directory / "log.csv")],
        capture_output=True,
        text=True,
        env=environ,
        check=True,
    )
    seconds = time.perf_counter() - began
    assert f"Alerts of the log: {count} traded." in done.stdout, done.stdout
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6
    title = f"comparing {count:,} rows of a log with {count:,} alerts"
    return [
        Figure(title, f"{seconds:.1f} s", f"<= {MAX_SECONDS:.0f} s", seconds <= MAX_SECONDS),
        Figure("  memory it needs", f"{memory:.0f} MB", f"<= {MAX_MB:.0f} MB", memory <= MAX_MB),
    ]


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        figures = measure(Path(directory) / "compare", options.rows)
    sys.exit(print_table(figures))


if __name__ == "__main__":
    main()
