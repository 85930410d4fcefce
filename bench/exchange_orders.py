"""Measure what an order costs through ccxt: ours beside the library's own calls, at a stand-in for Kraken.

Both place an order at the market and ask what became of it, over kept connections and with the same requests.

- at most the library's own time and two milliseconds

    python -m bench.exchange_orders
"""

from __future__ import annotations

import http.server
import importlib
import importlib.util
import json
import statistics
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

from bench.figures import Figure, print_table
from brokers.exchanges.broker import KEY, SECRET, Exchange
from brokers.protocol import OrderRequest

MOST_MORE_MS = 2
PAIR = {
    "altname": "XBTUSD",
    "base": "XXBT",
    "quote": "ZUSD",
    "pair_decimals": 1,
    "lot_decimals": 8,
    "fees": [[0, 0.4]],
    "fees_maker": [[0, 0.25]],
    "ordermin": "0.00005",
    "costmin": "0.5",
    "tick_size": "0.1",
    "status": "online",
}
COINS = {
    name: {"altname": short, "decimals": 10, "status": "enabled"}
    for name, short in {"XXBT": "XBT", "ZUSD": "USD"}.items()
}
ORDER = {
    "status": "closed",
    "opentm": 1900000000.5,
    "descr": {"pair": "XBTUSD", "type": "buy", "ordertype": "market", "price": "0", "order": ""},
    "vol": "0.001",
    "vol_exec": "0.001",
    "cost": "64.0",
    "fee": "0.2",
    "price": "64000.1",
    "oflags": "fciq",
}
TRADE = {
    "ordertxid": "OAAAAA-BBBBB-CCCCCC",
    "pair": "XXBTZUSD",
    "time": 1900000000.5,
    "type": "buy",
    "ordertype": "market",
    "price": "64000.1",
    "cost": "64.0",
    "fee": "0.2",
    "vol": "0.001",
}


class Kraken(http.server.BaseHTTPRequestHandler):
    """Answer as Kraken does: every order has filled."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """List the market."""
        is_pairs = self.path.startswith("/0/public/AssetPairs")
        self._say({"XXBTZUSD": PAIR} if is_pairs else COINS)

    def do_POST(self) -> None:
        """Take an order, or tell of it."""
        said = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        number = "OAAAAA-BBBBB-CCCCCC"
        order = {number: {**ORDER, "cl_ord_id": said.get("cl_ord_id")}}
        self._say(
            {
                "AddOrder": {"descr": {"order": "buy 0.001 XBTUSD @ market"}, "txid": [number]},
                "OpenOrders": {"open": {}},
                "ClosedOrders": {"closed": order, "count": 1},
                "TradesHistory": {"trades": {"TAAAAA-BBBBB-CCCCCC": TRADE}, "count": 1},
            }[self.path.rpartition("/")[2]]
        )

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _say(self, result: Any) -> None:
        body = json.dumps({"error": [], "result": result}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@dataclass(frozen=True)
class Account:
    """What config.yaml says of an account there."""

    base_url: str
    credentials: Mapping[str, str] = field(repr=False)
    market: str = "spot"
    exchange: str = "kraken"
    sandbox: bool = False


def measure(count: int = 200) -> list[Figure]:
    """Place orders by turns, ours and the library's, and return the figures."""
    if not importlib.util.find_spec("ccxt"):
        return [Figure("an order through ccxt", "not measured (needs ccxt)")]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Kraken)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url, secret = f"http://127.0.0.1:{server.server_port}", "bWFkZS11cA=="
    broker = Exchange("bench", Account(url, {KEY: "key", SECRET: secret}))  # type: ignore[arg-type]
    bitcoin = broker.instrument("BTCUSD")
    client = importlib.import_module("ccxt").kraken(
        {"apiKey": "key", "secret": secret, "enableRateLimit": False}
    )
    client.urls["api"] = {"public": url, "private": url}
    client.load_markets()
    ours, theirs = [], []
    for number in range(count):
        began = time.perf_counter()
        broker.place_order(OrderRequest(f"tv-{number:027x}", bitcoin, "buy", Decimal("0.001")))
        middle = time.perf_counter()
        name = {"clientOrderId": f"{number:032x}"}
        client.create_order("BTC/USD", "market", "buy", "0.001", None, name)
        client.fetch_open_orders("BTC/USD", None, 100, name)
        client.fetch_closed_orders("BTC/USD", None, 100, name)
        client.fetch_my_trades("BTC/USD", 1, 100)
        ours.append(1000 * (middle - began))
        theirs.append(1000 * (time.perf_counter() - middle))
    server.shutdown()
    ours_ms, theirs_ms = statistics.median(ours), statistics.median(theirs)
    value = f"{ours_ms:.2f} ms, the library's own {theirs_ms:.2f}"
    is_met = ours_ms <= theirs_ms + MOST_MORE_MS
    return [Figure("an order through ccxt, read back", value, "<= its own and 2 ms", is_met)]


if __name__ == "__main__":
    sys.exit(print_table(measure()))
