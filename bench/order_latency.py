"""Measure how long an alert takes to become an order: first byte in to first byte out.

From the first byte of `POST /webhook` to the first byte of the order at a stand-in for the venue, both by
the clock of this machine, (a) one alert at a time and (b) fifty at once over five accounts.

- at most 1.5 times what a bare view takes that signs one request and posts it, and one fsync of this disk
  (2.5 times with fifty at once):
  ours has the alert and the order on disk before the order leaves. One at a time this is judged by the faster
  quarter of each, because what others write to the disk makes an fsync fifty times as long, now and then
- orders that follow one another use one TCP connection, and none waits for a new one
- no other request is made between an alert and its order, once the symbol is known

The usual way, a ccxt client made for each alert, is timed beside them. All run under gunicorn with the
settings we ship, in alternate rounds of one run, one busy at a time.

    python -m bench.order_latency
    python -m bench.order_latency --rounds 21 --directory /var/tmp     # steadier; that disk's fsync
    python -m bench.order_latency --market linear                      # perpetuals
    python -m bench.order_latency --market bybit                       # those of Bybit
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import json
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench.figures import Figure, print_table
from bench.sender import Connection, build_request
from bench.served import SECRET, Server, measure_fsync, serve
from bench.venue import ACCOUNTS, BEHIND_PATHS, COINS, READ_PATHS, Arrival, Venue, run_venue

MAX_RATIO = 1.5
MAX_BURST_RATIO = 2.5
NAMES = {"bare": "a bare signed post", "ccxt": "a ccxt client each"}
BURST_COINS = COINS[:10]
SETTLE_SECONDS = 0.05
"""How long after a burst the next may begin: answers of 202 come before their orders are over."""
WAIT_SECONDS = 15.0


@dataclass(slots=True)
class Contender:
    """One way from an alert to an order, and what was measured of it, round by round."""

    name: str
    server: Server
    venue: Venue
    sent: int = 0
    single_ms: list[list[float]] = field(default_factory=list)
    burst_ms: list[list[float]] = field(default_factory=list)
    used: list[int] = field(default_factory=list)
    """How many connections carried a round's orders, one at a time; not where a regular read fell into it."""
    opened: int = 0
    """How many of the orders, one at a time, were the first on their connection."""
    before: list[Arrival] = field(default_factory=list)
    """What came between an opening alert and its order."""

    def build(self, action: str, account: int, coin: str) -> bytes:
        """Return an alert that was not sent before."""
        self.sent += 1
        alert = {
            "action": action,
            "symbol": f"{coin}USDT",
            "quantity": "0.01",
            "price": f"100.{self.sent:06}",
            "strategy": f"bench-{account}",
            "account_group": f"b{account + 1}",
            "secret": SECRET,
        }
        return build_request(json.dumps(alert).encode(), "127.0.0.1")

    def send_singly(self, count: int) -> list[float]:
        """Send alerts one after the other, buying and selling by turns; return milliseconds."""
        coins = [COINS[number // 2 % 4] for number in range(count)]
        load = [self.build(("buy", "sell")[n % 2], 0, coin) for n, coin in enumerate(coins)]
        self.venue.take_arrivals()
        (connection,) = self._connect(1)
        sent = []
        for request in load:
            sent.append(time.perf_counter_ns())
            connection.socket.sendall(request)
            self._await_answer(connection, {200})
        connection.socket.close()
        arrivals = self._take_orders(count)
        orders = [each for each in arrivals if each.is_order]
        if len(arrivals) == count:  # an order that meets a regular read takes another connection
            self.used.append(len({each.connection for each in orders}))
        self.opened += sum(each.is_first for each in orders)
        for began, order in list(zip(sent, orders, strict=True))[::2]:
            self.before += [each for each in arrivals if began <= each.at_ns < order.at_ns]
        return _subtract(orders, sent)

    def send_burst(self, action: str) -> list[float]:
        """Send fifty alerts at once, ten for each account; return milliseconds."""
        wanted = [(account, coin) for coin in BURST_COINS for account in range(ACCOUNTS)]
        load = [self.build(action, account, coin) for account, coin in wanted]
        self.venue.take_arrivals()
        connections = self._connect(len(load))
        sent = []
        for connection, request in zip(connections, load, strict=True):
            sent.append(time.perf_counter_ns())
            connection.socket.sendall(request)
        for connection in connections:
            self._await_answer(connection, {200, 202})
            connection.socket.close()
        arrivals = self._take_orders(len(load))
        by_name = {(each.key, each.symbol): each for each in arrivals if each.is_order}
        orders = [by_name[f"key-b{account + 1}", f"{coin}USDT"] for account, coin in wanted]
        time.sleep(SETTLE_SECONDS)
        return _subtract(orders, sent)

    def warm(self) -> None:
        """Let it learn every symbol and open its connections, unmeasured."""
        for _ in range(2):
            self.send_burst("buy")
            self.send_burst("sell")
        self.send_singly(8)
        self.used.clear()
        self.before.clear()
        self.opened = 0

    def _connect(self, count: int) -> list[Connection]:
        made = []
        for _ in range(count):
            sock = socket.create_connection(("127.0.0.1", self.server.port), timeout=WAIT_SECONDS)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made.append(Connection(sock, []))
        return made

    def _await_answer(self, connection: Connection, good: set[int]) -> None:
        while (answer := connection.read_answer()) is None:
            pass
        is_pending = answer.startswith(b"HTTP/1.1 202 ") and 202 in good
        if not is_pending and not (answer.startswith(b"HTTP/1.1 200 ") and b'"filled"' in answer):
            sys.exit(f"{self.name}: an alert was not filled:\n{answer.decode(errors='replace')}")

    def _take_orders(self, count: int) -> list[Arrival]:
        """Return what came, once all orders are among it. One order too many ends the benchmark."""
        found: list[Arrival] = []
        deadline = time.monotonic() + WAIT_SECONDS
        orders = 0
        while orders < count and time.monotonic() < deadline:
            found += [e for e in self.venue.take_arrivals() if e.path not in BEHIND_PATHS]
            orders = sum(each.is_order for each in found)
            if orders < count:
                time.sleep(SETTLE_SECONDS)
        if orders != count:
            sys.exit(f"{self.name}: {count} alerts made {orders} orders")
        return found


def _subtract(orders: Sequence[Arrival], sent: Sequence[int]) -> list[float]:
    return [(order.at_ns - began) / 1e6 for order, began in zip(orders, sent, strict=True)]


def measure(directory: Path, rounds: int, count: int, market: str = "spot") -> list[Figure]:
    """Run all contenders side by side, one busy at a time, and return the figures."""
    applications: dict[str, str | None] = {"ours": None, "bare": "bench.bots:direct"}
    if importlib.util.find_spec("ccxt") and market != "bybit":
        applications["ccxt"] = "bench.bots:ccxt_each"
    with ExitStack() as stack:
        venue = stack.enter_context(run_venue(market))
        config, environment = venue.configure()
        contenders = {
            name: Contender(
                name,
                stack.enter_context(serve(directory / name, application, config, environment)),
                venue,
            )
            for name, application in applications.items()
        }
        for each in contenders.values():
            each.warm()
        fsyncs_ms: list[float] = []
        gc.collect()
        gc.disable()
        for number in range(rounds):
            for each in contenders.values():
                each.send_singly(2)  # what was idle while the others were busy
                each.single_ms.append(each.send_singly(count))
                if each.name == "ours":
                    fsyncs_ms += [1000 * measure_fsync(directory, 1) for _ in range(count)]
            for each in contenders.values():
                each.burst_ms.append(each.send_burst(("buy", "sell")[number % 2]))
        gc.enable()
    single = {name: each.single_ms for name, each in contenders.items()}
    burst = {name: each.burst_ms for name, each in contenders.items()}
    single = {name: each.single_ms for name, each in contenders.items()}
    burst = {name: each.burst_ms for name, each in contenders.items()}
    return [
        *_compare("alert to order, one at a time", single, None),
        _judge_quiet(single, fsyncs_ms),
        *_compare("alert to order, 50 at once", burst, MAX_BURST_RATIO),
        *_judge_connections(contenders["ours"], rounds * (count + 2)),
    ]


def _compare(title: str, found: dict[str, list[list[float]]], most: float | None) -> list[Figure]:
    """Hold the medians of neighbouring rounds against each other."""
    figures, medians = [], {}
    for name, rounds in found.items():
        every = sorted(each for one in rounds for each in one)
        late = every[int(0.99 * (len(every) - 1))]
        value = f"{statistics.median(every):.2f} ms, p99 {late:.2f}"
        figures.append(Figure(title if name == "ours" else f"  {NAMES[name]}", value))
        medians[name] = [statistics.median(each) for each in rounds]
    for name, text in NAMES.items():
        title = f"  as a multiple of {text}"
        if name not in medians:
            figures.append(Figure(title, "not measured (needs ccxt)"))
            continue
        pairs = zip(medians["ours"], medians[name], strict=True)
        ratio = statistics.median(ours / other for ours, other in pairs)
        limit = most if name == "bare" else None
        is_met = None if limit is None else ratio <= limit
        figures.append(
            Figure(title, f"{ratio:.2f} times", f"<= {limit} times" if limit else "", is_met)
        )
    return figures


def _judge_quiet(found: dict[str, list[list[float]]], fsyncs_ms: Sequence[float]) -> Figure:
    """Compare the faster quarters, in which nobody else was writing."""
    ours, bare = (
        _quartile([each for one in found[name] for each in one]) for name in ("ours", "bare")
    )
    fsync = _quartile(fsyncs_ms)
    value = f"{ours / bare:.2f} times ({ours:.2f} ms, bare {bare:.2f})"
    target = f"<= {MAX_RATIO} times and an fsync ({fsync:.2f} ms)"
    is_met = ours <= MAX_RATIO * bare + fsync
    return Figure("  the faster quarters of both", value, target, is_met)


def _quartile(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=4)[0]


def _judge_connections(ours: Contender, orders: int) -> list[Figure]:
    """Say what the venue saw of alerts sent one at a time."""
    extra = [each for each in ours.before if each.path not in READ_PATHS]
    reads = len(ours.before) - len(extra)
    most = max(ours.used, default=None)
    return [
        Figure(
            f"connections of {orders} orders, one at a time",
            f"{most} a round, {ours.opened} opened for an order",
            "1, opened before",
            None if most is None else most == 1 and not ours.opened,
        ),
        Figure(
            "requests before an opening order",
            f"{len(extra)} (and {reads} regular reads)",
            "0",
            not extra,
        ),
    ]


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--count", type=int, default=40, help="alerts in a round, one at a time")
    parser.add_argument("--market", choices=("spot", "linear", "bybit"), default="spot")
    parser.add_argument("--directory", type=Path, help="where the state lies while it runs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=options.directory) as directory:
        figures = measure(Path(directory), options.rounds, options.count, options.market)
    sys.exit(print_table(figures))


if __name__ == "__main__":
    main()
