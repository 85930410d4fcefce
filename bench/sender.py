"""Send distinct alerts over a few kept-alive connections and time each answer.

On two cores the sender shares the machine with the server, so it has to be much the cheaper of the
two: one process, one selector, requests built before the clock starts, answers read no further than
needed to know that each is a 200 with `"status": "filled"`. Each connection trades its own strategy,
buying and then selling on each of a few symbols, so that every alert is a real fill and no order of
arrival matters. Prints one JSON object.

    python bench/sender.py --port 8080 --secret "$TRADINGVIEW_WEBHOOK_SECRET" --count 10000
"""

from __future__ import annotations

import argparse
import json
import selectors
import socket
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

SYMBOLS = (("BTCUSDT", 45000), ("ETHUSDT", 3000), ("SOLUSDT", 150), ("XRPUSDT", 20))
Symbols = tuple[tuple[str, int], ...]
CYCLE = 2 * len(SYMBOLS)
"""After this many alerts of one strategy every symbol was bought and sold again."""
ANSWERS_KEPT = 3
"""How many unexpected answers are shown."""
SILENT_SECONDS = 30.0


def build_alert(number: int, strategy: str, secret: str, symbols: Symbols = SYMBOLS) -> bytes:
    """Return the body of a strategy's alert `number`; no two are the same.

    Each sells one percent above where it bought, so that no strategy is demoted for its losses.
    """
    trade, is_sell = divmod(number, 2)
    symbol, base = symbols[trade % len(symbols)]
    price = base * (1.01 if is_sell else 1.0)
    alert = {
        "action": "sell" if is_sell else "buy",
        "symbol": symbol,
        "quantity": 0.01,
        "id": number,
        "price": round(price, 2),
        "strategy": strategy,
        "secret": secret,
    }
    return json.dumps(alert).encode()


def build_request(body: bytes, host: str) -> bytes:
    """Return the whole request as one piece of bytes."""
    head = (
        f"POST /webhook HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@dataclass(slots=True)
class Result:
    """What one run measured."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    failures: int = 0
    examples: list[str] = field(default_factory=list)

    def check(self, answer: bytes) -> None:
        """Count an answer that is not the fill it should be."""
        if answer.startswith(b"HTTP/1.1 200 ") and (
            b'"status":"filled"' in answer or b'"status": "filled"' in answer
        ):
            return
        self.failures += 1
        if len(self.examples) < ANSWERS_KEPT:
            self.examples.append(answer.decode(errors="replace"))

    def summary(self) -> dict[str, object]:
        """Return the figures, latencies in milliseconds."""
        ordered = sorted(self.latencies)
        return {
            "requests": len(ordered),
            "requests_per_second": round(len(ordered) / self.seconds, 1),
            "median_ms": round(1000 * statistics.median(ordered), 3),
            "p99_ms": round(1000 * ordered[int(0.99 * (len(ordered) - 1))], 3),
            "failures": self.failures,
            "examples": self.examples,
        }


@dataclass(slots=True)
class Connection:
    """One kept-alive connection with the requests it has still to send, last first."""

    socket: socket.socket
    requests: list[bytes]
    received: bytes = b""
    sent_at: float = 0.0

    def send_next(self) -> None:
        """Send the next request whole: it is far smaller than the socket's buffer."""
        request = self.requests.pop()
        self.sent_at = time.perf_counter()
        if self.socket.send(request) != len(request):
            sys.exit("sender: a request did not fit the socket's buffer; send shorter alerts")

    def read_answer(self) -> bytes | None:
        """Return the answer once all of it is here, else None."""
        data = self.socket.recv(65536)
        if not data:
            sys.exit(f"sender: the server closed a connection; last received: {self.received!r}")
        self.received += data
        end = self.received.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = self.received[:end].lower()
        start = head.index(b"content-length:") + 15
        length = int(head[start:].split(b"\r", 1)[0])
        if len(self.received) < end + 4 + length:
            return None
        answer, self.received = self.received, b""
        return answer


def send_alerts(
    port: int, requests: list[list[bytes]], *, host: str = "127.0.0.1", seconds: float = 600.0
) -> Result:
    """Send each list of requests over a connection of its own, one at a time, and time each answer."""
    result = Result()
    selector = selectors.DefaultSelector()
    connections = [
        Connection(socket.create_connection((host, port), timeout=5.0), queue[::-1])
        for queue in requests
        if queue
    ]
    for connection in connections:
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.socket.setblocking(False)
        selector.register(connection.socket, selectors.EVENT_READ, connection)
    began = time.perf_counter()
    for connection in connections:
        connection.send_next()
    waiting = len(connections)
    while waiting:
        events = selector.select(SILENT_SECONDS)
        if not events:
            sys.exit(f"sender: no answer for {SILENT_SECONDS:.0f} s")
        for key, _ in events:
            connection = key.data
            answer = connection.read_answer()
            if answer is None:
                continue
            now = time.perf_counter()
            result.latencies.append(now - connection.sent_at)
            result.check(answer)
            if connection.requests and now - began < seconds:
                connection.send_next()
            else:
                selector.unregister(connection.socket)
                connection.socket.close()
                waiting -= 1
    result.seconds = time.perf_counter() - began
    return result


def build_load(
    count: int,
    connections: int,
    secret: str,
    *,
    first: int = 0,
    host: str = "127.0.0.1",
    symbols_of: Callable[[int], Symbols] = lambda _: SYMBOLS,
) -> list[list[bytes]]:
    """Return what each connection sends: at least `count` in all, every position closed at the end.

    `symbols_of` says which symbols a connection trades.
    """
    each = -(-count // (connections * CYCLE)) * CYCLE
    return [
        [
            build_request(build_alert(number, f"bench-{index}", secret, symbols_of(index)), host)
            for number in range(first, first + each)
        ]
        for index in range(connections)
    ]


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--secret", default="")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--count", type=int, default=10_000, help="alerts in all")
    parser.add_argument("--first", type=int, default=0, help="where the numbering of alerts starts")
    parser.add_argument(
        "--warm-up", type=int, default=0, help="alerts sent before the clock starts"
    )
    options = parser.parse_args()
    load = build_load(
        options.warm_up + options.count, options.connections, options.secret, first=options.first
    )
    cut = options.warm_up // (options.connections * CYCLE) * CYCLE
    if cut:
        send_alerts(options.port, [queue[:cut] for queue in load])
    result = send_alerts(options.port, [queue[cut:] for queue in load])
    print(json.dumps(result.summary()))
    sys.exit(1 if result.failures else 0)


if __name__ == "__main__":
    main()
