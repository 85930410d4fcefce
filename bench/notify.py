"""Measure what a channel that hangs takes from alerts: nothing, for it has a thread of its own.

- median latency of an alert on one connection beside a channel that answers nothing for 30 s, as a multiple
  of that of a receiver without channels, in alternate rounds: no more than the noise of two equal ones (1.1)
- the slowest of those alerts: far under the 4 s after which a call to a channel ends

    python -m bench.notify
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.figures import Figure, print_table
from bench.served import CONNECTIONS, serve
from bench.throughput import Side

HANGS_SECONDS = 30
MOST_TIMES, SLOWEST_MS = 1.1, 1000.0


def measure(directory: Path, rounds: int, count: int) -> list[Figure]:
    """Return both figures."""
    with (
        _hanging() as (url, calls),
        serve(directory / "alone") as alone,
        serve(directory / "told", extra={"NOTIFY_URLS": url}) as told,
    ):
        sides = Side(alone), Side(told)
        for side in sides:
            side.send(count, CONNECTIONS)  # warm
        slowest = 0.0
        for _ in range(rounds):
            for side in sides:
                took = [1000 * each for each in side.send(count, 1).latencies]
                side.single_ms.append(statistics.median(took))
                slowest = max(slowest, *(took if side is sides[1] else ()), 0.0)
    times = [b / a for a, b in zip(*(side.single_ms for side in sides), strict=True)]
    if not calls:
        sys.exit("nothing was sent to the channel that hangs")
    middle = statistics.median(times)
    return [
        Figure(
            f"latency of an alert beside a channel that hangs for {HANGS_SECONDS} s",
            f"{middle:.2f} times ({min(times):.2f} to {max(times):.2f})",
            f"<= {MOST_TIMES}",
            middle <= MOST_TIMES,
        ),
        Figure(
            f"slowest of those {rounds * count:,} alerts",
            f"{slowest:.0f} ms",
            f"< {SLOWEST_MS:.0f} ms",
            slowest < SLOWEST_MS,
        ),
    ]


@contextmanager
def _hanging() -> Iterator[tuple[str, list[int]]]:
    """Yield the address of a service that takes calls and answers none, and the list of its calls."""
    calls: list[int] = []
    is_over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)

        def hang(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                calls.append(len(connection.recv(65536)))
                is_over.wait(HANGS_SECONDS)

        def take() -> None:
            while not is_over.is_set():
                with contextlib.suppress(OSError):
                    threading.Thread(target=hang, args=(listener.accept()[0],), daemon=True).start()

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield f"json://127.0.0.1:{listener.getsockname()[1]}/", calls
        is_over.set()
        thread.join()


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--count", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        figures = measure(Path(directory), options.rounds, options.count)
    sys.exit(print_table(figures))


if __name__ == "__main__":
    main()
