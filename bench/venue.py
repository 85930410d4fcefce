"""Stand in for a venue where only time matters: it answers at once and notes what came when.

It is Binance's spot market, its perpetuals, and Bybit's (`bench.bybit_venue`). It runs in a process of its
own, so that it shares no interpreter with a receiver, and is one loop over its sockets. Every market order
fills whole at the same price without a fee, for as many accounts as there are keys. It checks no signature,
filter or balance, and knows no other kind of order: what is right is a matter of the tests, here it is a
matter of microseconds.

    python -m bench.venue
"""

from __future__ import annotations

import json
import selectors
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qsl

from bench import bybit_venue
from bench.bybit_venue import BybitBook

ROOT = Path(__file__).resolve().parents[1]
COINS = (
    *("BTC", "ETH", "SOL", "XRP", "ADA", "DOGE", "LTC", "LINK"),
    *("DOT", "AVAX", "ATOM", "NEAR", "UNI", "AAVE", "FIL", "ALGO"),
)
PRICE = 100
ORDER_PATHS = ("/api/v3/order", "/fapi/v1/order", bybit_venue.CREATE)
READ_PATHS = (
    *("/api/v3/account", "/api/v3/openOrders"),
    *("/fapi/v3/account", "/fapi/v1/openOrders", "/fapi/v1/openAlgoOrders", "/fapi/v1/income"),
    *bybit_venue.READ_PATHS,
)
"""What a receiver asks on a schedule of its own, whatever alerts come."""
BEHIND_PATHS = ("/fapi/v1/userTrades", *bybit_venue.BEHIND_PATHS)
"""What it asks about an order that has been placed."""
ACCOUNTS = 5
TRADING = {
    "webhook": {"rate_limit": "1000000/minute"},
    "risk": {"max_orders_per_minute": None, "max_orders_per_day": None, "max_repeats": None},
    "default_account": "b1",
    "strategies": {
        f"bench-{index}": {"exchange": f"b{index % ACCOUNTS + 1}"} for index in range(len(COINS))
    },
}
"""A configuration without the limits on the number of orders; the accounts are told apart by `configure`."""
_QUERY_PATH = "/arrivals"
_STARTING_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request as it reached the venue."""

    at_ns: int
    """When its first byte was there, by `time.perf_counter_ns`: one clock for all of a machine."""
    connection: int
    is_first: bool
    """Whether the connection carried nothing before."""
    method: str
    path: str
    key: str
    symbol: str
    side: str

    @property
    def is_order(self) -> bool:
        """Whether it places an order."""
        return self.method == "POST" and self.path in ORDER_PATHS


@dataclass(frozen=True, slots=True)
class Venue:
    """A running stand-in."""

    url: str
    market: str = "spot"

    def take_arrivals(self) -> list[Arrival]:
        """Return what has come since the last time this was asked."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.url + _QUERY_PATH, timeout=_STARTING_SECONDS) as answer:
            return [Arrival(*row) for row in json.load(answer)]

    def configure(self) -> tuple[dict[str, object], dict[str, str]]:
        """Return config.yaml and environment of a receiver with sandbox accounts b1, b2 and so on here."""
        broker, market = ("bybit", "linear") if self.market == "bybit" else ("binance", self.market)
        block = {"broker": broker, "market": market, "sandbox": True, "currency": "USDT"}
        names = [f"b{number}" for number in range(1, ACCOUNTS + 1)]
        start = f"_{broker.upper()}_API_"
        environment = {f"{name.upper()}{start}KEY": f"key-{name}" for name in names}
        environment |= {f"{name.upper()}{start}SECRET": f"secret-{name}" for name in names}
        environment |= {"VENUE_URL": self.url, "VENUE_MARKET": self.market}
        accounts = {name: block | {"base_url": self.url} for name in names}
        return {**TRADING, "accounts": accounts}, environment


@contextmanager
def run_venue(market: str = "spot") -> Iterator[Venue]:
    """Run a stand-in in a process of its own until the block ends; `market`: which one is traded."""
    command = [sys.executable, "-m", "bench.venue"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout:
        try:
            port = int(process.stdout.readline() or 0)
            if not port:
                sys.exit("the stand-in for the venue did not start")
            yield Venue(f"http://127.0.0.1:{port}", market)
        finally:
            process.terminate()
            process.wait()


# --- what runs in that process -------------------------------------------------------------------


@dataclass(slots=True)
class _Connection:
    sock: socket.socket
    number: int
    received: bytes = b""
    requests: int = 0
    began_ns: int = 0


@dataclass(slots=True)
class _Book:
    """What every account holds, and what has come since somebody asked."""

    held: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    arrivals: list[tuple[object, ...]] = field(default_factory=list)
    orders: int = 0
    bybit: BybitBook = field(default_factory=BybitBook)
    fills: dict[tuple[str, str], dict[str, object]] = field(default_factory=dict)
    """The execution of each order of a perpetual, by symbol and number, until it was asked for."""

    def answer(self, method: str, path: str, key: str, params: dict[str, str]) -> object:
        """Return the JSON of an answer; None where nothing is known of the path."""
        if path.startswith("/v5/"):
            return self.bybit.answer(path, key, params)
        now = time.time_ns() // 1_000_000
        match method, path:
            case "POST", "/api/v3/order":
                return self._fill(key, params, now)
            case "GET", "/api/v3/exchangeInfo":
                names = [params["symbol"]] if "symbol" in params else [f"{c}USDT" for c in COINS]
                return {"timezone": "UTC", "symbols": [_describe(name) for name in names]}
            case "GET", "/api/v3/account":
                return {"canTrade": True, "balances": self._list_balances(key)}
            case "GET", "/api/v3/time" | "/api/v3/ping" | "/webhook/test":
                return {"serverTime": now}
            case "GET", "/api/v3/ticker/price":
                price = f"{PRICE}.00000000"
                if "symbols" in params:
                    return [
                        {"symbol": each, "price": price} for each in json.loads(params["symbols"])
                    ]
                return {"symbol": params.get("symbol"), "price": price}
            case "GET", "/api/v3/openOrders" | "/api/v3/myTrades" | "/api/v3/allOrders":
                return []
            case "GET", "/arrivals":
                found, self.arrivals = self.arrivals, []
                return found
        return self._answer_of_perpetuals(path, key, params, now) if "/fapi/" in path else None

    def _answer_of_perpetuals(
        self, path: str, key: str, params: dict[str, str], now: int
    ) -> object:
        match path:
            case "/fapi/v1/order":
                return self._fill_perpetual(key, params, now)
            case "/fapi/v1/userTrades":
                fill = self.fills.pop((params["symbol"], params.get("orderId", "")), None)
                return [fill] if fill else []
            case "/fapi/v1/time":
                return {"serverTime": now}
            case "/fapi/v1/exchangeInfo":
                return {"timezone": "UTC", "symbols": [_describe_perpetual(c) for c in COINS]}
            case "/fapi/v1/accountConfig":
                return {"canTrade": True, "dualSidePosition": False}
            case "/fapi/v3/account":
                return self._list_positions(key)
            case "/fapi/v1/ticker/price":
                rows = [{"symbol": f"{coin}USDT", "price": f"{PRICE}"} for coin in COINS]
                one = [row for row in rows if row["symbol"] == params.get("symbol")]
                return one[0] if one else rows
        return []

    def _fill(self, key: str, params: dict[str, str], now: int) -> object:
        self.orders += 1
        symbol, side, quantity = params["symbol"], params["side"], Decimal(params["quantity"])
        held, coin = self.held.setdefault(key, {}), symbol.removesuffix("USDT")
        change = quantity if side == "BUY" else -quantity
        held[coin] = held.get(coin, Decimal(0)) + change
        amount = f"{quantity:.8f}"
        fill = {"price": f"{PRICE}.00000000", "qty": amount, "tradeId": self.orders}
        return {
            "symbol": symbol,
            "orderId": self.orders,
            "orderListId": -1,
            "clientOrderId": params.get("newClientOrderId", f"auto{self.orders}"),
            "transactTime": now,
            "price": "0.00000000",
            "origQty": amount,
            "executedQty": amount,
            "origQuoteOrderQty": "0.00000000",
            "cummulativeQuoteQty": f"{quantity * PRICE:.8f}",
            "status": "FILLED",
            "timeInForce": "GTC",
            "type": "MARKET",
            "side": side,
            "workingTime": now,
            "fills": [fill | {"commission": "0.00000000", "commissionAsset": "BNB"}],
            "selfTradePreventionMode": "NONE",
        }

    def _fill_perpetual(self, key: str, params: dict[str, str], now: int) -> object:
        self.orders += 1
        symbol, side, quantity = params["symbol"], params["side"], Decimal(params["quantity"])
        held = self.held.setdefault(key, {})
        held[symbol] = held.get(symbol, Decimal(0)) + (quantity if side == "BUY" else -quantity)
        number = str(self.orders)
        common = {"symbol": symbol, "orderId": self.orders, "side": side, "positionSide": "BOTH"}
        self.fills[symbol, number] = common | {
            "id": self.orders,
            "price": f"{PRICE}",
            "qty": f"{quantity}",
            "commission": "0",
            "commissionAsset": "USDT",
            "time": now,
        }
        return common | {
            "clientOrderId": params.get("newClientOrderId", f"auto{number}"),
            "cumQty": f"{quantity}",
            "executedQty": f"{quantity}",
            "origQty": f"{quantity}",
            "price": "0",
            "reduceOnly": params.get("reduceOnly") == "true",
            "status": "FILLED",
            "timeInForce": "GTC",
            "type": "MARKET",
            "origType": "MARKET",
            "updateTime": now,
        }

    def _list_positions(self, key: str) -> object:
        held = {name: amount for name, amount in self.held.get(key, {}).items() if amount}
        rows = [{"symbol": name, "positionAmt": f"{amount}"} for name, amount in held.items()]
        assets = [{"asset": "USDT", "walletBalance": "1000000000"}]
        return {"totalMarginBalance": "1000000000", "assets": assets, "positions": rows}

    def _list_balances(self, key: str) -> list[dict[str, str]]:
        held = self.held.get(key, {})
        rows = [(coin, f"{amount:.8f}") for coin, amount in held.items() if amount > 0]
        rows.append(("USDT", "1000000000.00000000"))
        return [{"asset": coin, "free": free, "locked": "0.00000000"} for coin, free in rows]


def _describe(symbol: str) -> dict[str, object]:
    """Return a symbol as exchangeInfo does."""
    lot = {"minQty": "0.00001000", "maxQty": "9000.00000000", "stepSize": "0.00001000"}
    market = {"minQty": "0.00000000", "maxQty": "900.00000000", "stepSize": "0.00000000"}
    prices = {"minPrice": "0.01000000", "maxPrice": "1000000.00000000", "tickSize": "0.01000000"}
    return {
        "symbol": symbol,
        "status": "TRADING",
        "baseAsset": symbol.removesuffix("USDT"),
        "baseAssetPrecision": 8,
        "quoteAsset": "USDT",
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "orderTypes": ["LIMIT", "MARKET"],
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "permissions": ["SPOT"],
        "filters": [
            {"filterType": "PRICE_FILTER", **prices},
            {"filterType": "LOT_SIZE", **lot},
            {"filterType": "MARKET_LOT_SIZE", **market},
            {"filterType": "NOTIONAL", "minNotional": "0.01000000"},
        ],
    }


def _describe_perpetual(coin: str) -> dict[str, object]:
    """Return a contract as exchangeInfo does."""
    lot = {"minQty": "0.001", "maxQty": "9000", "stepSize": "0.001"}
    prices = {"minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01"}
    return {
        "symbol": f"{coin}USDT",
        "pair": f"{coin}USDT",
        "contractType": "PERPETUAL",
        "status": "TRADING",
        "baseAsset": coin,
        "quoteAsset": "USDT",
        "marginAsset": "USDT",
        "pricePrecision": 2,
        "quantityPrecision": 3,
        "orderTypes": ["LIMIT", "MARKET"],
        "filters": [
            {"filterType": "PRICE_FILTER", **prices},
            {"filterType": "LOT_SIZE", **lot},
            {"filterType": "MARKET_LOT_SIZE", **lot},
            {"filterType": "MIN_NOTIONAL", "notional": "0.01"},
        ],
    }


def _take_request(connection: _Connection, book: _Book) -> bytes | None:
    """Return the answer to the next request once all of it is here, else None."""
    end = connection.received.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = connection.received[:end].decode("latin-1")
    first, *lines = head.split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    whole = end + 4 + int(headers.get("content-length", 0))
    if len(connection.received) < whole:
        return None
    body = connection.received[end + 4 : whole].decode()
    connection.received = connection.received[whole:]
    method, target, _ = first.split(" ", 2)
    path, _, query = target.partition("?")
    posted = json.loads(body) if body.startswith("{") else dict(parse_qsl(body))
    params = dict(parse_qsl(query)) | posted
    key = headers.get("x-mbx-apikey") or headers.get("x-bapi-api-key", "")
    if path != _QUERY_PATH:
        is_first, connection.requests = not connection.requests, connection.requests + 1
        about = (method, path, key, params.get("symbol", ""), params.get("side", ""))
        book.arrivals.append((connection.began_ns, connection.number, is_first, *about))
    found = book.answer(method, path, key, params)
    connection.began_ns = 0
    text = json.dumps({"code": -1, "msg": "unknown"} if found is None else found).encode()
    status = "404 Not Found" if found is None else "200 OK"
    start = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
    return start.encode() + text


def _serve(listener: socket.socket) -> None:
    """Answer until the process is ended."""
    selector, book, accepted = selectors.DefaultSelector(), _Book(), 0
    listener.setblocking(False)
    selector.register(listener, selectors.EVENT_READ, None)
    while True:
        ready = selector.select()
        now_ns = time.perf_counter_ns()
        for key, _ in ready:
            connection = key.data
            if connection is None:
                sock, _ = listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                accepted += 1
                selector.register(sock, selectors.EVENT_READ, _Connection(sock, accepted))
                continue
            connection.began_ns = connection.began_ns or now_ns
            try:
                data = connection.sock.recv(65536)
                connection.received += data
                while data and (answer := _take_request(connection, book)):
                    connection.sock.sendall(answer)
            except OSError:
                data = b""
            if not data:
                selector.unregister(connection.sock)
                connection.sock.close()


def main() -> None:
    """Listen on a free port, print it, and serve."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        print(listener.getsockname()[1], flush=True)
        _serve(listener)


if __name__ == "__main__":
    main()
