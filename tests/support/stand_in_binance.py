"""Stand in for Binance's spot market on a loopback socket.

It keeps one account, checks keys, signatures, clock and filters as the venue's documentation says, locks
what working orders need and takes fees in the coin received. One price per symbol is the whole market: it
stands until it is set. What it can be told besides is to be slow, to lose an answer, to hang, or to give a
scripted one. `python -m tests.stand_in_binance --port 8123` runs it by itself.

It counts the weight of requests as the venue does and tells it, but refuses none for it. It does not know
iceberg, trailing or pegged orders, nor the limit of orders.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

KEY, SECRET = "standInKey", "standInSecret"
ZERO = Decimal(0)
OPEN = ("NEW", "PARTIALLY_FILLED", "PENDING_NEW")
STOPS = ("STOP_LOSS", "STOP_LOSS_LIMIT")
_CLIENT_ID = re.compile(r"[a-zA-Z0-9-_]{1,36}")
_DECIMAL = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)


class Error(Exception):
    """An answer that is an error of the API."""

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"code": code, "msg": message}


@dataclass
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    query: str
    body: str
    headers: dict[str, str]

    @property
    def params(self) -> dict[str, str]:
        """Query and form, decoded."""
        return dict(parse_qsl(self.query, True)) | dict(parse_qsl(self.body, True))


@dataclass
class Hook:
    """What happens to the next request of a kind instead of the usual."""

    kind: str
    """lose (carried out, no answer), hang (as lose, the connection stays open), drop (not carried out, no
    answer), answer (a scripted one)."""
    method: str
    path: str
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    skip: int = 0
    """How many requests of the kind pass first."""


@dataclass
class Pair:
    """A symbol with its filters."""

    symbol: str
    base: str
    quote: str
    price: Decimal
    tick: str = "0.01000000"
    step: str = "0.00001000"
    min_quantity: str = "0.00001000"
    max_quantity: str = "9000.00000000"
    max_market: str = "100.00000000"
    min_notional: str = "5.00000000"
    status: str = "TRADING"
    depth: Decimal | None = None
    """How much a market order finds; None: everything."""

    def describe(self) -> dict[str, Any]:
        """Return the symbol as exchangeInfo does."""
        kinds = ["LIMIT", "LIMIT_MAKER", "MARKET", *STOPS, "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"]
        lot = {"minQty": self.min_quantity, "maxQty": self.max_quantity, "stepSize": self.step}
        market = {"minQty": "0.00000000", "maxQty": self.max_market, "stepSize": "0.00000000"}
        prices = {"minPrice": "0.01000000", "maxPrice": "1000000.00000000", "tickSize": self.tick}
        worth = {"minNotional": self.min_notional, "applyMinToMarket": True, "avgPriceMins": 5}
        return {
            "symbol": self.symbol,
            "status": self.status,
            "baseAsset": self.base,
            "baseAssetPrecision": 8,
            "quoteAsset": self.quote,
            "quoteAssetPrecision": 8,
            "orderTypes": kinds,
            "ocoAllowed": True,
            "otoAllowed": True,
            "quoteOrderQtyMarketAllowed": True,
            "isSpotTradingAllowed": True,
            "filters": [
                {"filterType": "PRICE_FILTER", **prices},
                {"filterType": "LOT_SIZE", **lot},
                {"filterType": "MARKET_LOT_SIZE", **market},
                {"filterType": "NOTIONAL", **worth},
            ],
        }


@dataclass
class Resting:
    """One order."""

    pair: Pair
    order_id: int
    client_id: str
    side: str
    kind: str
    quantity: Decimal
    price: Decimal
    stop: Decimal
    cash: Decimal
    patience: str
    placed_at: int
    changed_at: int
    status: str = "NEW"
    executed: Decimal = ZERO
    worth: Decimal = ZERO
    list_id: int = -1
    is_awake: bool = False
    locked: tuple[str, Decimal] | None = None
    """The coin and how much of it this order (or, for both legs, the first of a pair) locks."""
    reason: str = ""
    fills: list[dict[str, Any]] = field(default_factory=list)

    def describe(self) -> dict[str, Any]:
        """Return the order as a look-up does."""
        told = {
            "symbol": self.pair.symbol,
            "orderId": self.order_id,
            "orderListId": self.list_id,
            "clientOrderId": self.client_id,
            "price": text(self.price),
            "origQty": text(self.quantity),
            "executedQty": text(self.executed),
            "cummulativeQuoteQty": text(self.worth),
            "status": self.status,
            "timeInForce": self.patience,
            "type": self.kind,
            "side": self.side,
            "stopPrice": text(self.stop),
            "icebergQty": text(ZERO),
            "time": self.placed_at,
            "updateTime": self.changed_at,
            "isWorking": self.is_awake or self.kind not in STOPS,
            "workingTime": self.placed_at,
            "origQuoteOrderQty": text(self.cash),
            "selfTradePreventionMode": "NONE",
        }
        return told | ({"expiryReason": self.reason} if self.reason else {})

    def report(self) -> dict[str, Any]:
        """Return the order as the answer to its placing does, without fills."""
        told = self.describe()
        for name in ("time", "updateTime", "isWorking", "icebergQty"):
            del told[name]
        return told | {"transactTime": self.changed_at}


class StandIn:
    """The venue. Everything public may be read and set by a test at any time."""

    def __init__(self, port: int = 0, now_ms: Callable[[], int] | None = None) -> None:
        self.now = now_ms or (lambda: time.time_ns() // 1_000_000)
        self.key, self.secret = KEY, SECRET
        self.pairs = {
            "BTCUSDT": Pair("BTCUSDT", "BTC", "USDT", Decimal(50000)),
            "ETHUSDT": Pair("ETHUSDT", "ETH", "USDT", Decimal(2500), step="0.00010000"),
        }
        self.free = {"USDT": Decimal(100000), "BTC": ZERO, "ETH": ZERO}
        self.locked: dict[str, Decimal] = {}
        self.fee_rate = Decimal("0.001")
        self.fee_coin: str | None = None
        """Who else pays the fee (BNB); None: the coin received."""
        self.slices = 1
        """In how many executions a market order fills."""
        self.orders: list[Resting] = []
        self.trades: list[dict[str, Any]] = []
        self.requests: list[Seen] = []
        self.hooks: list[Hook] = []
        self.latency_seconds = 0.0
        self.can_trade, self.can_withdraw = True, False
        self.lock = threading.RLock()
        self.weighed: list[tuple[int, int]] = []
        """When each request came and what it weighed."""
        self.used_elsewhere = 0
        """What another program behind the same address has used in this minute."""
        self.closing = threading.Event()
        self._lists = 0
        stand_in = self

        class Handler(_Handler):
            venue = stand_in

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    # What a test tells it.

    def set_price(self, symbol: str, price: Decimal | int | str) -> None:
        """Move the market: resting orders that it reaches fill, stops that it passes trigger."""
        with self.lock:
            pair = self.pairs[symbol]
            pair.price = Decimal(price)
            for order in list(self.orders):
                if order.pair is pair and order.status in ("NEW", "PARTIALLY_FILLED"):
                    self._meet(order)

    def fill(self, client_id: str, quantity: Decimal | int | str) -> None:
        """Execute a part of a resting order at its limit price."""
        with self.lock:
            order = next(o for o in self.orders if o.client_id == client_id and o.status in OPEN)
            self._execute(order, Decimal(quantity), order.price or order.pair.price)

    def lose(self, method: str, path: str, skip: int = 0) -> None:
        """Carry the next such request out and close the connection without an answer."""
        self.hooks.append(Hook("lose", method, path, skip=skip))

    def hang(self, method: str, path: str, skip: int = 0) -> None:
        """Carry the next such request out and never answer."""
        self.hooks.append(Hook("hang", method, path, skip=skip))

    def drop(self, method: str, path: str, skip: int = 0) -> None:
        """Close the connection upon the next such request without carrying it out."""
        self.hooks.append(Hook("drop", method, path, skip=skip))

    def answer(
        self,
        method: str,
        path: str,
        body: Any,
        status: int = 200,
        headers: dict[str, str] | None = None,
        skip: int = 0,
    ) -> None:
        """Answer the next such request so, without carrying it out; text and bytes go as they are."""
        raw = body.encode() if isinstance(body, str) else body
        raw = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
        self.hooks.append(Hook("answer", method, path, status, raw, headers or {}, skip))

    def fail(self, method: str, path: str, code: int, message: str, status: int = 400) -> None:
        """Answer the next such request with an error of the API."""
        self.answer(method, path, {"code": code, "msg": message}, status)

    def sent(self, method: str, path: str) -> list[dict[str, str]]:
        """Return the parameters of every such request so far."""
        return [r.params for r in self.requests if (r.method, r.path) == (method, path)]

    def order(self, client_id: str) -> Resting:
        """Return the newest order of a name."""
        return next(o for o in reversed(self.orders) if o.client_id == client_id)

    @property
    def used(self) -> int:
        """What was used in this minute of the venue's clock."""
        minute = self.now() // 60_000
        return self.used_elsewhere + sum(w for at, w in self.weighed if at // 60_000 == minute)

    # What a request does.

    def weigh(self, seen: Seen) -> dict[str, str]:
        """Count a request and return the header that tells what was used."""
        with self.lock:
            weight = _WEIGHTS.get(seen.path, 1) if seen.method == "GET" else 0
            if seen.path == "/api/v3/openOrders" and "symbol" in seen.params:
                weight = 6
            if seen.path == "/api/v3/myTrades" and "orderId" in seen.params:
                weight = 5
            self.weighed.append((self.now(), weight))
            return {"X-MBX-USED-WEIGHT-1M": str(self.used)}

    def take_hook(self, method: str, path: str) -> Hook | None:
        """Return what is to happen to this request instead of the usual."""
        with self.lock:
            for hook in self.hooks:
                if (hook.method, hook.path) == (method, path):
                    if hook.skip:
                        hook.skip -= 1
                        return None
                    self.hooks.remove(hook)
                    return hook
        return None

    def serve(self, seen: Seen) -> Any:
        """Return the JSON of an answer. Raises `Error`."""
        with self.lock:
            action = _ROUTES.get((seen.method, seen.path))
            if action is None:
                raise Error(-1, "no such endpoint", 404)
            if seen.path not in _PUBLIC:
                self._authenticate(seen)
            return action(self, seen.params)

    def _authenticate(self, seen: Seen) -> None:
        key = seen.headers.get("x-mbx-apikey", "")
        if not key:
            raise Error(-2014, "API-key format invalid.", 401)
        if key != self.key:
            raise Error(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        query, _, signature = (seen.query + seen.body).rpartition("&signature=")
        if not query:
            raise Error(-1102, "Mandatory parameter 'signature' was not sent.")
        if not query.isascii():
            raise Error(-1022, "Signature for this request is not valid.")
        right = hmac.new(self.secret.encode(), query.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(right, signature):
            raise Error(-1022, "Signature for this request is not valid.")
        stamp = int(seen.params.get("timestamp", "0"))
        window = int(seen.params.get("recvWindow", "5000"))
        if stamp >= self.now() + 1000:
            text_ = "Timestamp for this request was 1000ms ahead of the server's time."
            raise Error(-1021, text_)
        if self.now() - stamp > window:
            raise Error(-1021, "Timestamp for this request is outside of the recvWindow.")

    def get_time(self, params: dict[str, str]) -> Any:
        return {"serverTime": self.now()}

    def get_rules(self, params: dict[str, str]) -> Any:
        pairs = [self._pair(params)] if "symbol" in params else list(self.pairs.values())
        limits = [
            {
                "rateLimitType": "REQUEST_WEIGHT",
                "interval": "MINUTE",
                "intervalNum": 1,
                "limit": 6000,
            }
        ]
        return {
            "timezone": "UTC",
            "serverTime": self.now(),
            "rateLimits": limits,
            "exchangeFilters": [],
            "symbols": [pair.describe() for pair in pairs],
        }

    def get_price(self, params: dict[str, str]) -> Any:
        if "symbols" in params:
            return [self.get_price({"symbol": each}) for each in json.loads(params["symbols"])]
        pair = self._pair(params)
        return {"symbol": pair.symbol, "price": text(pair.price)}

    def get_account(self, params: dict[str, str]) -> Any:
        rows = [
            {
                "asset": coin,
                "free": text(self.free.get(coin, ZERO)),
                "locked": text(self.locked.get(coin, ZERO)),
            }
            for coin in sorted({*self.free, *self.locked})
        ]
        if params.get("omitZeroBalances") == "true":
            rows = [r for r in rows if Decimal(r["free"]) + Decimal(r["locked"]) > 0]
        return {
            "canTrade": self.can_trade,
            "canWithdraw": True,
            "accountType": "SPOT",
            "updateTime": self.now(),
            "balances": rows,
            "permissions": ["SPOT"],
        }

    def get_restrictions(self, params: dict[str, str]) -> Any:
        return {
            "ipRestrict": True,
            "enableReading": True,
            "enableWithdrawals": self.can_withdraw,
            "enableSpotAndMarginTrading": self.can_trade,
        }

    def get_order(self, params: dict[str, str]) -> Any:
        return self._find(params, -2013, "Order does not exist.").describe()

    def get_open(self, params: dict[str, str]) -> Any:
        return [o.describe() for o in self._of(params) if o.status in OPEN]

    def get_all(self, params: dict[str, str]) -> Any:
        start = int(params.get("startTime", "0"))
        found = [o.describe() for o in self._of(params) if o.placed_at >= start]
        return found[: int(params.get("limit", "500"))]

    def get_trades(self, params: dict[str, str]) -> Any:
        symbol = self._pair(params).symbol
        found = [t for t in self.trades if t["symbol"] == symbol]
        if "orderId" in params:
            found = [t for t in found if t["orderId"] == int(params["orderId"])]
        found = [t for t in found if t["time"] >= int(params.get("startTime", "0"))]
        found = [t for t in found if t["id"] >= int(params.get("fromId", "0"))]
        return found[: int(params.get("limit", "500"))]

    def post_order(self, params: dict[str, str]) -> Any:
        order = self._read(params, "newClientOrderId")
        if order.kind in STOPS and self._is_passed(order):
            raise Error(-2010, "Stop price would trigger immediately.")
        if order.kind == "LIMIT_MAKER" and self._is_reached(order):
            raise Error(-2010, "Order would immediately match and take.")
        self._lock_for(order)
        self._add(order)
        self._arrive(order)
        told = order.report()
        kind = params.get("newOrderRespType")
        if kind == "ACK" or (kind is None and order.kind not in ("MARKET", "LIMIT")):
            names = ("symbol", "orderId", "orderListId", "clientOrderId", "transactTime")
            return {name: told[name] for name in names}
        return told | ({} if kind == "RESULT" else {"fills": order.fills})

    def post_pair(self, params: dict[str, str]) -> Any:
        above, below = self._read_leg(params, "above"), self._read_leg(params, "below")
        low, high = sorted((above.price or above.stop, below.price or below.stop))
        if not low < above.pair.price < high:
            text_ = "The relationship of the prices for the orders is not correct."
            raise Error(-2010, text_)
        self._lock_for(above)
        return self._add_list("OCO", [above, below], params)

    def post_entry(self, params: dict[str, str]) -> Any:
        return self._add_entry(params, ["pending"])

    def post_entry_with_pair(self, params: dict[str, str]) -> Any:
        return self._add_entry(params, ["pendingAbove", "pendingBelow"])

    def delete_order(self, params: dict[str, str]) -> Any:
        order = self._find(params, -2011, "Unknown order sent.")
        if order.status not in OPEN:
            raise Error(-2011, "Unknown order sent.")
        for other in [order, *self._others(order)]:
            self._end(other, "CANCELED")
        told = order.report() | {"origClientOrderId": order.client_id}
        return told | {"clientOrderId": f"cancel{order.order_id}"}

    # Reading an order.

    def _pair(self, params: dict[str, str]) -> Pair:
        if "symbol" not in params:
            raise Error(-1102, "Mandatory parameter 'symbol' was not sent, was empty/null.")
        if params["symbol"] not in self.pairs:
            raise Error(-1121, "Invalid symbol.")
        return self.pairs[params["symbol"]]

    def _of(self, params: dict[str, str]) -> list[Resting]:
        pair = self._pair(params) if "symbol" in params else None
        return [o for o in self.orders if pair in (None, o.pair)]

    def _find(self, params: dict[str, str], code: int, message: str) -> Resting:
        self._pair(params)
        for order in reversed(self._of(params)):
            if params.get("origClientOrderId", order.client_id) != order.client_id:
                continue
            if params.get("orderId", str(order.order_id)) == str(order.order_id):
                return order
        raise Error(code, message)

    def _read(self, params: dict[str, str], id_name: str) -> Resting:
        pair, kind = self._pair(params), params.get("type", "")
        wants = _NEEDS.get(kind)
        if wants is None:
            raise Error(-1116, "Invalid orderType.")
        amounts = {"quantity", "quoteOrderQty"} & params.keys()
        if not amounts or (kind != "MARKET" and "quantity" not in params):
            raise Error(-1102, "Mandatory parameter 'quantity' was not sent, was empty/null.")
        for name in wants:
            if name not in params:
                raise Error(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null.")
        extra = {"price", "stopPrice", "timeInForce"} & params.keys() - set(wants)
        if extra or len(amounts) > 1:
            name = min(extra or amounts)
            raise Error(-1106, f"Parameter '{name}' sent when not required.")
        if params.get("side") not in ("BUY", "SELL"):
            raise Error(-1117, "Invalid side.")
        client_id = params.get(id_name, f"auto{len(self.orders)}")
        if not _CLIENT_ID.fullmatch(client_id):
            text_ = "legal range is '^[a-zA-Z0-9-_]{1,36}$'."
            raise Error(-1100, f"Illegal characters found in parameter '{id_name}'; {text_}")
        order = Resting(
            pair=pair,
            order_id=0,
            client_id=client_id,
            side=params["side"],
            kind=kind,
            quantity=_number(params, "quantity"),
            price=_number(params, "price"),
            stop=_number(params, "stopPrice"),
            cash=_number(params, "quoteOrderQty"),
            patience=params.get("timeInForce", "GTC"),
            placed_at=self.now(),
            changed_at=self.now(),
        )
        self._check(order)
        return order

    def _read_leg(self, params: dict[str, str], prefix: str) -> Resting:
        side, size = (
            ("side", "quantity") if "side" in params else ("pendingSide", "pendingQuantity")
        )
        one = {"symbol": params.get("symbol", ""), "side": params[side], "quantity": params[size]}
        names = {"Type": "type", "Price": "price", "StopPrice": "stopPrice"}
        for theirs, name in {**names, "TimeInForce": "timeInForce"}.items():
            if f"{prefix}{theirs}" in params:
                one[name] = params[f"{prefix}{theirs}"]
        one["id"] = params.get(f"{prefix}ClientOrderId", f"auto{prefix}{len(self.orders)}")
        return self._read(one, "id")

    def _check(self, order: Resting) -> None:
        pair = order.pair
        if pair.status != "TRADING":
            raise Error(-2010, "Market is closed.")
        for price in (order.price, order.stop):
            if price % Decimal(pair.tick):
                raise Error(-1013, "Filter failure: PRICE_FILTER")
        if not order.cash:
            least, most = Decimal(pair.min_quantity), Decimal(pair.max_quantity)
            if not least <= order.quantity <= most or order.quantity % Decimal(pair.step):
                raise Error(-1013, "Filter failure: LOT_SIZE")
            if order.kind == "MARKET" and order.quantity > Decimal(pair.max_market):
                raise Error(-1013, "Filter failure: MARKET_LOT_SIZE")
        worth = order.cash or order.quantity * (order.price or order.stop or pair.price)
        if worth < Decimal(pair.min_notional):
            raise Error(-1013, "Filter failure: NOTIONAL")
        if any(o.client_id == order.client_id and o.status in OPEN for o in self.orders):
            raise Error(-2010, "Duplicate order sent.")

    # What becomes of orders.

    def _add(self, order: Resting) -> None:
        order.order_id = 1000 + len(self.orders)
        self.orders.append(order)

    def _add_list(self, kind: str, orders: list[Resting], params: dict[str, str]) -> Any:
        names = [order.client_id for order in orders]
        if len(set(names)) != len(names):
            raise Error(-2010, "Duplicate order sent.")
        self._lists += 1
        for order in orders:
            order.list_id = self._lists
            self._add(order)
        self._arrive(orders[0])
        head = {
            "orderListId": self._lists,
            "contingencyType": kind,
            "listStatusType": "EXEC_STARTED",
            "listOrderStatus": "EXECUTING",
            "listClientOrderId": params.get("listClientOrderId", f"list{self._lists}"),
            "transactionTime": self.now(),
            "symbol": orders[0].pair.symbol,
        }
        rows = [
            {"symbol": o.pair.symbol, "orderId": o.order_id, "clientOrderId": o.client_id}
            for o in orders
        ]
        return head | {"orders": rows, "orderReports": [o.report() for o in orders]}

    def _add_entry(self, params: dict[str, str], prefixes: list[str]) -> Any:
        one = {
            "symbol": params.get("symbol", ""),
            "type": params.get("workingType", ""),
            "side": params.get("workingSide", ""),
            "quantity": params.get("workingQuantity", ""),
            "price": params.get("workingPrice", ""),
            "id": params.get("workingClientOrderId", f"autoworking{len(self.orders)}"),
        }
        if "workingTimeInForce" in params:
            one["timeInForce"] = params["workingTimeInForce"]
        if one["type"] not in ("LIMIT", "LIMIT_MAKER"):
            raise Error(-1116, "Invalid orderType.")
        entry = self._read(one, "id")
        legs = [self._read_leg(params, prefix) for prefix in prefixes]
        for leg in legs:
            leg.status = "PENDING_NEW"
        self._lock_for(entry)
        return self._add_list("OTO", [entry, *legs], params)

    def _others(self, order: Resting) -> list[Resting]:
        """Return the rest of an order's list that is still open."""
        if order.list_id < 0:
            return []
        same = [o for o in self.orders if o.list_id == order.list_id and o is not order]
        return [o for o in same if o.status in OPEN]

    def _lock_for(self, order: Resting) -> None:
        pair = order.pair
        if order.side == "SELL":
            coin, amount = pair.base, order.quantity
        else:
            each = order.price or order.stop or pair.price
            coin, amount = pair.quote, order.cash or order.quantity * each
        if self.free.get(coin, ZERO) < amount:
            raise Error(-2010, "Account has insufficient balance for requested action.")
        self._move(coin, -amount, amount)
        order.locked = (coin, amount)

    def _move(self, coin: str, free: Decimal, locked: Decimal = ZERO) -> None:
        self.free[coin] = self.free.get(coin, ZERO) + free
        self.locked[coin] = self.locked.get(coin, ZERO) + locked

    def _release(self, order: Resting) -> None:
        if order.locked:
            coin, amount = order.locked
            self._move(coin, amount, -amount)
            order.locked = None

    def _is_reached(self, order: Resting) -> bool:
        price = order.pair.price
        return price <= order.price if order.side == "BUY" else price >= order.price

    def _is_passed(self, order: Resting) -> bool:
        price = order.pair.price
        return price >= order.stop if order.side == "BUY" else price <= order.stop

    def _arrive(self, order: Resting) -> None:
        if order.kind == "MARKET":
            self._fill_at_market(order)
        elif order.kind == "LIMIT" and self._is_reached(order):
            self._execute(order, order.quantity, order.pair.price)

    def _meet(self, order: Resting) -> None:
        if order.kind in STOPS and not order.is_awake:
            if not self._is_passed(order):
                return
            order.is_awake = True
            for other in self._others(order):
                self._end(other, "EXPIRED")
            if order.kind == "STOP_LOSS":
                self._fill_at_market(order)
                return
        if self._is_reached(order):
            self._execute(order, order.quantity - order.executed, order.price)

    def _fill_at_market(self, order: Resting) -> None:
        pair = order.pair
        if order.cash:
            step = Decimal(pair.step)
            order.quantity = order.cash / pair.price // step * step
        found = order.quantity if pair.depth is None else min(order.quantity, pair.depth)
        for number in range(self.slices if found else 0):
            last = number == self.slices - 1
            part = order.quantity / self.slices // Decimal(pair.step) * Decimal(pair.step)
            self._execute(order, found - order.executed if last else part, pair.price)
        if order.status in OPEN:
            order.reason = "INSUFFICIENT_LIQUIDITY"
            self._end(order, "EXPIRED")

    def _execute(self, order: Resting, quantity: Decimal, price: Decimal) -> None:
        pair, worth = order.pair, quantity * price
        holder = order if order.locked else next((o for o in self._others(order) if o.locked), None)
        if holder and holder.locked:
            coin, amount = holder.locked
            used = min(amount, quantity if order.side == "SELL" else worth)
            holder.locked = (coin, amount - used)
            self._move(coin, ZERO, -used)
        coin, received = (pair.base, quantity) if order.side == "BUY" else (pair.quote, worth)
        fee = received * self.fee_rate
        self._move(coin, received - (fee if self.fee_coin is None else ZERO))
        trade = {
            "symbol": pair.symbol,
            "id": 5000 + len(self.trades),
            "orderId": order.order_id,
            "orderListId": order.list_id,
            "price": text(price),
            "qty": text(quantity),
            "quoteQty": text(worth),
            "commission": text(fee),
            "commissionAsset": self.fee_coin or coin,
            "time": self.now(),
            "isBuyer": order.side == "BUY",
            "isMaker": order.kind != "MARKET",
            "isBestMatch": True,
        }
        self.trades.append(trade)
        names = ("price", "qty", "commission", "commissionAsset")
        order.fills.append({name: trade[name] for name in names} | {"tradeId": trade["id"]})
        order.executed += quantity
        order.worth += worth
        order.changed_at = self.now()
        order.status = "FILLED" if order.executed == order.quantity else "PARTIALLY_FILLED"
        if order.status == "FILLED":
            self._release(order)
            self._go_on(order)

    def _go_on(self, order: Resting) -> None:
        """After an order has filled: start what waited for it, or end the other leg."""
        others = self._others(order)
        waiting = [o for o in others if o.status == "PENDING_NEW"]
        if not waiting:
            for other in others:
                self._end(other, "EXPIRED")
            return
        try:
            self._lock_for(waiting[0])
        except Error:
            for leg in waiting:
                self._end(leg, "EXPIRED")
            return
        for leg in waiting:
            leg.status = "NEW"

    def _end(self, order: Resting, status: str) -> None:
        if status == "EXPIRED" and order.locked:
            for heir in self._others(order):  # both legs of a pair stand on one lock
                heir.locked = heir.locked or order.locked
                order.locked = None
                break
        self._release(order)
        order.status = status
        order.changed_at = self.now()


_PUBLIC = ("/api/v3/time", "/api/v3/exchangeInfo", "/api/v3/ticker/price")
_WEIGHTS = {
    "/api/v3/exchangeInfo": 20,
    "/api/v3/ticker/price": 2,
    "/api/v3/account": 20,
    "/api/v3/order": 4,
    "/api/v3/openOrders": 80,
    "/api/v3/allOrders": 20,
    "/api/v3/myTrades": 20,
}
_NEEDS = {
    "MARKET": (),
    "LIMIT": ("price", "timeInForce"),
    "LIMIT_MAKER": ("price",),
    "STOP_LOSS": ("stopPrice",),
    "STOP_LOSS_LIMIT": ("price", "stopPrice", "timeInForce"),
}
_ROUTES: dict[tuple[str, str], Callable[[StandIn, dict[str, str]], Any]] = {
    ("GET", "/api/v3/time"): StandIn.get_time,
    ("GET", "/api/v3/exchangeInfo"): StandIn.get_rules,
    ("GET", "/api/v3/ticker/price"): StandIn.get_price,
    ("GET", "/api/v3/account"): StandIn.get_account,
    ("GET", "/sapi/v1/account/apiRestrictions"): StandIn.get_restrictions,
    ("GET", "/api/v3/order"): StandIn.get_order,
    ("GET", "/api/v3/openOrders"): StandIn.get_open,
    ("GET", "/api/v3/allOrders"): StandIn.get_all,
    ("GET", "/api/v3/myTrades"): StandIn.get_trades,
    ("POST", "/api/v3/order"): StandIn.post_order,
    ("DELETE", "/api/v3/order"): StandIn.delete_order,
    ("POST", "/api/v3/orderList/oco"): StandIn.post_pair,
    ("POST", "/api/v3/orderList/oto"): StandIn.post_entry,
    ("POST", "/api/v3/orderList/otoco"): StandIn.post_entry_with_pair,
}


def text(value: Decimal) -> str:
    """Write an amount as the venue does: eight decimals."""
    return f"{value:.8f}"


def _number(params: dict[str, str], name: str) -> Decimal:
    raw = params.get(name)
    if raw is None:
        return ZERO
    if not _DECIMAL.fullmatch(raw):
        raise Error(-1100, f"Illegal characters found in parameter '{name}'.")
    if len(raw.partition(".")[2]) > 8:
        raise Error(-1111, f"Parameter '{name}' has too much precision.")
    return Decimal(raw)


class _Handler(BaseHTTPRequestHandler):
    venue: StandIn
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        venue, parts = self.venue, urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.command, parts.path, parts.query, body, headers)
        venue.requests.append(seen)
        if venue.latency_seconds:
            venue.closing.wait(venue.latency_seconds)
        used = venue.weigh(seen)
        hook = venue.take_hook(seen.method, seen.path)
        if hook and hook.kind in ("answer", "drop"):
            if hook.kind == "drop":
                self.close_connection = True
                return
            self._reply(hook.status, hook.body, used | hook.headers)
            return
        try:
            status, told = 200, venue.serve(seen)
        except Error as no:
            status, told = no.status, no.body
        if hook:
            if hook.kind == "hang":
                venue.closing.wait(60)
            self.close_connection = True
            return
        self._reply(status, json.dumps(told).encode(), used)

    do_GET = do_POST = do_DELETE = _serve  # noqa: N815

    def _reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: the tests look at `requests`."""


def main() -> None:
    """Run the stand-in until it is interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    options = parser.parse_args()
    with StandIn(options.port) as venue:
        venue.latency_seconds = options.latency
        line = f"{venue.url}  BINANCE_API_KEY={KEY} BINANCE_API_SECRET={SECRET}\n"
        print(line, end="", flush=True)  # noqa: T201
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
