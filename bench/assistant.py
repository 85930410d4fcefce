"""Measure what an assistant costs (`POST /mcp`): how soon it is answered, and what it takes from alerts.

- the slowest tool's median answer with a million alerts on record: under 50 ms
- latency of an alert on one connection beside 20 calls a second, as a multiple of that without them, in
  alternate rounds: no more than the noise of two rounds without (1.1)

    python -m bench.assistant
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.figures import Figure, print_table
from bench.growth import REAL, multiply
from bench.served import CONNECTIONS, serve
from bench.throughput import Side

TOKEN = "5b0c1d7e9f3a2468aceb"
CALLS_A_SECOND = 20
MOST_MS, MOST_TIMES = 50.0, 1.1
TOOLS = ("status", "positions", "accounts", "strategies", "performance", "history")


def measure(directory: Path, alerts: int, rounds: int) -> list[Figure]:
    """Return both figures."""
    extra = {"MCP_TOKEN": TOKEN}
    with serve(directory, extra=extra) as server:
        Side(server).send(REAL, CONNECTIONS)
    count = multiply(directory / "state.db", max(alerts // REAL, 1))
    with serve(directory, extra=extra) as server:
        side = Side(server, sent=10 * REAL)
        door = Door(server.port)
        found = {tool: door.time(tool) for tool in TOOLS}
        newest = door.ask("history", limit=1)
        alert_id = json.loads(newest.partition("\n")[2])[0]["alert_id"]
        found |= {tool: door.time(tool, alert_id=alert_id) for tool in ("story", "explain")}
        times = [_compare_latency(side) for _ in range(rounds)]
    slowest = max(found, key=lambda tool: found[tool])
    middle = statistics.median(times)
    return [
        Figure(
            f"answer to an assistant, {count:,} alerts, slowest of {len(found)} tools",
            f"{found[slowest]:.1f} ms ({slowest})",
            f"< {MOST_MS:.0f} ms",
            found[slowest] < MOST_MS,
        ),
        Figure(
            f"latency of an alert beside {CALLS_A_SECOND} calls a second",
            f"{middle:.2f} times ({min(times):.2f} to {max(times):.2f})",
            f"<= {MOST_TIMES}",
            middle <= MOST_TIMES,
        ),
    ]


class Door:
    """One assistant's connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def ask(self, tool: str, **arguments: Any) -> str:
        """Use a tool and return its text."""
        params = {"name": tool, "arguments": arguments}
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        headers = {"Authorization": f"Bearer {TOKEN}"}
        self._connection.request("POST", "/mcp", json.dumps(call), headers)
        answer = self._connection.getresponse()
        shape = json.loads(answer.read())
        if answer.status != 200 or shape["result"]["isError"]:
            sys.exit(f"{tool} was answered {answer.status}: {shape}")
        text: str = shape["result"]["content"][0]["text"]
        return text

    def time(self, tool: str, times: int = 15, **arguments: Any) -> float:
        """Return the median milliseconds of a tool's answer."""
        took = []
        for _ in range(times):
            began = time.perf_counter()
            self.ask(tool, **arguments)
            took.append(1000 * (time.perf_counter() - began))
        return statistics.median(took)


def _compare_latency(side: Side) -> float:
    side.send_singly(200)
    with _calls(side.server.port):
        side.send_singly(200)
    return side.single_ms[-1] / side.single_ms[-2]


@contextmanager
def _calls(port: int) -> Iterator[None]:
    """Use one tool after the other, so many a second, until the block ends."""
    is_over = threading.Event()

    def call() -> None:
        door, number = Door(port), 0
        while not is_over.wait(1 / CALLS_A_SECOND):
            door.ask(TOOLS[number % len(TOOLS)])
            number += 1

    thread = threading.Thread(target=call)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--alerts", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        figures = measure(Path(directory) / "assistant", options.alerts, options.rounds)
    sys.exit(print_table(figures))


if __name__ == "__main__":
    main()
