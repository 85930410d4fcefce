"""Measure what an alert costs: ours against a bare Flask view, in alternate rounds of one run.

- alerts per second over 16 connections, as a share of what the bare view answers: at least 0.60
- the latency of one connection, ours less bare: at most two fsyncs of this disk and 0.6 ms
- the same as a multiple of the bare view's: under 2.3
- memory of the worker after ten thousand alerts: under 70 MB
- from the start of the interpreter to the first answer: under a second

Both run under gunicorn with the settings we ship; every alert is a fill on the paper simulator,
committed with `synchronous=FULL`. Rounds alternate, because other work on the machine comes and
goes: the ratio of neighbours is steadier than any figure in it.

With `--live` every alert is an order at a stand-in for a venue in place of a fill in this process, each
connection on a symbol of its own and five accounts for all: what is measured is the rate alone.

    python -m bench.throughput
    python -m bench.throughput --live
    python -m bench.throughput --rounds 21 --directory /var/tmp     # steadier; that disk's fsync
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.figures import Figure, print_table
from bench.sender import SYMBOLS, Result, Symbols, build_load, send_alerts
from bench.served import CONNECTIONS, SECRET, Server, measure_fsync, serve
from bench.venue import COINS, PRICE, run_venue

MIN_RATIO = 0.60
MIN_LIVE_RATIO = 0.35
ADDED_MS = 0.6
MAX_TIMES_BARE = 2.3
MAX_MEMORY_MB = 70.0
MAX_START_SECONDS = 1.0
MEMORY_AFTER = 10_000


@dataclass(slots=True)
class Side:
    """One of the two servers and what was measured of it, round by round."""

    server: Server
    sent: int = 0
    symbols_of: Callable[[int], Symbols] = lambda _: SYMBOLS
    rates: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    single_ms: list[float] = field(default_factory=list)

    def send(self, count: int, connections: int) -> Result:
        """Send alerts that were not sent before; anything but fills ends the benchmark."""
        load = build_load(count, connections, SECRET, first=self.sent, symbols_of=self.symbols_of)
        self.sent += sum(map(len, load))
        gc.collect()
        gc.disable()
        try:
            result = send_alerts(self.server.port, load)
        finally:
            gc.enable()
        if result.failures:
            sys.exit(f"{result.failures} alerts were not filled, e.g.\n{result.examples[0]}")
        return result

    def send_many(self, count: int) -> None:
        """Run one round over all connections."""
        before = self.server.cpu_seconds()
        result = self.send(count, CONNECTIONS)
        after = self.server.cpu_seconds()
        figures = result.summary()
        self.rates.append(len(result.latencies) / result.seconds)
        self.p99_ms.append(float(str(figures["p99_ms"])))
        if before is not None and after is not None:
            self.cpu_us.append(1e6 * (after - before) / len(result.latencies))

    def send_singly(self, count: int) -> None:
        """Run one round over one connection."""
        self.single_ms.append(1000 * statistics.median(self.send(count, 1).latencies))


def measure(directory: Path, rounds: int, count: int) -> list[Figure]:
    """Run both servers side by side, one busy at a time, and return the figures."""
    starts = []
    for attempt in range(2):
        with serve(directory / f"start-{attempt}") as server:
            starts.append(server.start_seconds)
    with serve(directory / "bare", "bench.bare:app") as bare, serve(directory / "ours") as own:
        starts.append(own.start_seconds)
        yardstick, ours = Side(bare), Side(own)
        fsyncs = []
        for side in (yardstick, ours):
            side.send(count, CONNECTIONS)  # warm
        for _ in range(rounds):
            for side in (yardstick, ours):
                side.send_many(count)
        for _ in range(rounds):
            for side in (yardstick, ours):
                side.send_singly(max(count // 8, 80))
            fsyncs.append(measure_fsync(directory))
        while ours.sent < MEMORY_AFTER:
            ours.send(count, CONNECTIONS)
        memory = own.memory_mb()
    return [
        *_compare_rates(yardstick, ours),
        *_compare_latency(yardstick, ours, statistics.median(fsyncs)),
        _judge_memory(memory, ours.sent),
        Figure(
            "start to first answer",
            f"{statistics.median(starts):.2f} s",
            f"< {MAX_START_SECONDS:.0f} s",
            statistics.median(starts) < MAX_START_SECONDS,
        ),
    ]


def measure_live(directory: Path, rounds: int, count: int) -> list[Figure]:
    """Run a receiver that trades at a stand-in for a venue beside the bare view; return the rates."""
    with run_venue() as venue:
        config, extra = venue.configure()
        with (
            serve(directory / "bare", "bench.bare:app") as bare,
            serve(directory / "live", None, config, extra) as live,
        ):
            yardstick, ours = (Side(each, symbols_of=_own_symbol) for each in (bare, live))
            for side in (yardstick, ours):
                side.send(count, CONNECTIONS)  # warm
            for _ in range(rounds):
                for side in (yardstick, ours):
                    side.send_many(count)
                venue.take_arrivals()  # so that they do not pile up
    return _compare_rates(yardstick, ours, "alerts to a venue, 16 connections", MIN_LIVE_RATIO)


def _own_symbol(connection: int) -> Symbols:
    return ((f"{COINS[connection]}USDT", PRICE),)


def _compare_rates(
    bare: Side,
    ours: Side,
    title: str = "alerts, 16 connections",
    least: float | None = MIN_RATIO,
) -> list[Figure]:
    ratios = [own / yard for yard, own in zip(bare.rates, ours.rates, strict=True)]
    ratio = statistics.median(ratios)
    rates = f"{statistics.median(ours.rates):.0f}/s of {statistics.median(bare.rates):.0f}/s"
    figures = [
        Figure(title, rates),
        Figure(
            "  as a share of the bare view",
            f"{ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
            "" if least is None else f">= {least}",
            None if least is None else ratio >= least,
        ),
        Figure("  slowest of a hundred", f"{statistics.median(ours.p99_ms):.1f} ms"),
    ]
    if ours.cpu_us and bare.cpu_us:
        own, yard = statistics.median(ours.cpu_us), statistics.median(bare.cpu_us)
        figures.append(Figure("  processor time an alert", f"{own:.0f} us, bare {yard:.0f} us"))
    return figures


def _compare_latency(bare: Side, ours: Side, fsync: float) -> list[Figure]:
    pairs = zip(bare.single_ms, ours.single_ms, strict=True)
    added = statistics.median(own - yard for yard, own in pairs)
    limit = 2000 * fsync + ADDED_MS
    own, yard = statistics.median(ours.single_ms), statistics.median(bare.single_ms)
    value = f"{added:.2f} ms ({own:.2f} less {yard:.2f})"
    target = f"<= {limit:.2f} ms (fsync {1000 * fsync:.2f})"
    times = statistics.median(
        own / yard for yard, own in zip(bare.single_ms, ours.single_ms, strict=True)
    )
    is_met = times < MAX_TIMES_BARE
    return [
        Figure("latency added, 1 connection", value, target, added <= limit),
        Figure("  as a multiple of the bare view", f"{times:.2f}", f"< {MAX_TIMES_BARE}", is_met),
    ]


def _judge_memory(memory: float | None, alerts: int) -> Figure:
    name, target = f"memory after {alerts} alerts", f"< {MAX_MEMORY_MB:.0f} MB"
    if memory is None:
        return Figure(name, "not measured (needs /proc)", target)
    return Figure(name, f"{memory:.1f} MB", target, memory < MAX_MEMORY_MB)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--count", type=int, default=1280, help="alerts in a round")
    parser.add_argument("--directory", type=Path, help="where the state lies while it runs")
    parser.add_argument("--live", action="store_true", help="trade at a stand-in for a venue")
    options = parser.parse_args()
    run = measure_live if options.live else measure
    with tempfile.TemporaryDirectory(prefix="bench-", dir=options.directory) as directory:
        figures = run(Path(directory), options.rounds, options.count)
    sys.exit(print_table(figures))


if __name__ == "__main__":
    main()
