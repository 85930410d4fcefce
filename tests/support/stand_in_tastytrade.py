"""Stand in for Tastytrade on a real loopback socket: what it answers, and what becomes of orders there.

It behaves as its documentation says: a market order is routed first and filled when it is looked at, a close
that says so is refused where nothing is held and opens a position where it does not, a call without a
User-Agent is a 401, and numbers are texts or numbers as it pleases.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Self
from urllib.parse import unquote

from tests.support.faulty_server import FaultyServer, Line, Request, hang, reply, reset

ACCOUNT = "5WT00042"
GRANT, SECRET = "made-up-refresh-token-of-a-grant", "made-up-client-secret-0815"
KEYS = {"TASTYTRADE_CLIENT_SECRET": SECRET, "TASTYTRADE_REFRESH_TOKEN": GRANT}
Answer = tuple[int, Any]


@dataclass
class Order:
    """One order with one leg."""

    number: int
    body: dict[str, Any]
    state: str = "Routed"
    filled: int = 0
    fills: list[dict[str, Any]] = field(default_factory=list)
    pair: int | None = None
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    reason: str = ""

    @property
    def leg(self) -> dict[str, Any]:
        """Return what is traded."""
        found: dict[str, Any] = self.body["legs"][0]
        return found

    @property
    def is_buy(self) -> bool:
        """Whether it buys."""
        return bool(self.leg["action"].startswith("Buy"))


class StandInTastytrade:
    """One grant with one account or several."""

    def __init__(self) -> None:
        self.server = FaultyServer()
        self.lock = threading.RLock()
        self.accounts = [{"account": {"account-number": ACCOUNT}, "authority-level": "owner"}]
        self.futures = {"/MESZ6": ("5", "0.25", True), "/MESH7": ("5", "0.25", False)}
        self.shares = {"AAPL", "BRK/B"}
        self.prices = {"/MESZ6": Decimal(6000), "/MESH7": Decimal(6050), "AAPL": Decimal(200)}
        self.positions: dict[str, int] = {}
        self.orders: dict[int, Order] = {}
        self.tokens: dict[str, datetime] = {}
        self.logins = 0
        self.lifetime = 900
        self.refuses_login = False
        self.faults: dict[str, deque[Any]] = {}
        self.parts: deque[int] = deque()
        self._number = 270_000
        own = f"/accounts/{ACCOUNT}"
        self._routes: dict[tuple[str, str], Callable[[Request], Answer]] = {
            ("POST", "/oauth/token"): self._log_in,
            ("GET", "/customers/me/accounts"): lambda _: (200, _list(self.accounts)),
            ("GET", "/instruments/futures"): self._list_futures,
            ("GET", "/market-data/by-type"): self._tell_prices,
            ("GET", f"{own}/positions"): self._list_positions,
            ("GET", f"{own}/balances"): lambda _: (
                200,
                {"data": {"net-liquidating-value": "50000.5"}},
            ),
            ("POST", f"{own}/orders"): self._place,
            ("GET", f"{own}/orders"): self._list_orders,
            ("GET", f"{own}/orders/live"): self._list_orders,
            ("POST", f"{own}/complex-orders"): self._place_pair,
            ("GET", f"{own}/complex-orders"): self._list_pairs,
        }
        self.server.default = self._behave

    # --- what a test does ------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        """Serve until the block ends."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving."""
        self.server.close()

    @property
    def url(self) -> str:
        """Return where it listens."""
        return self.server.url

    def fail(self, method: str, path: str, *faults: Any) -> None:
        """Meet the next requests of a path with these: an answer, hang, or `lose` after the act."""
        self.faults.setdefault(f"{method} {path}", deque()).extend(faults)

    def sent(self, path: str) -> list[dict[str, Any]]:
        """Return the bodies that were posted to a path of the account."""
        found = self.server.asked("POST", f"/accounts/{ACCOUNT}/{path}")
        return [json.loads(each.body, parse_float=Decimal) for each in found]

    def move(self, price: str, symbol: str = "/MESZ6") -> None:
        """Move the market; what it reaches fills."""
        with self.lock:
            self.prices[symbol] = Decimal(price)
            for order in list(self.orders.values()):
                if order.leg["symbol"] == symbol and order.state == "Live":
                    self._meet(order)

    def working(self) -> list[tuple[str, str, int, str]]:
        """Return kind, action, quantity and level of what works."""
        with self.lock:
            return sorted(
                (
                    o.body["order-type"],
                    o.leg["action"],
                    o.leg["quantity"] - o.filled,
                    o.body.get("stop-trigger") or o.body.get("price", ""),
                )
                for o in self.orders.values()
                if o.state == "Live"
            )

    # --- serving ---------------------------------------------------------------------------------------

    def _behave(self, line: Line, request: Request) -> bool:
        queue = self.faults.get(f"{request.method} {request.path}")
        fault = queue.popleft() if queue else None
        if fault is hang:
            return bool(hang(line, request))
        if isinstance(fault, tuple):
            return reply(*fault)(line, request)
        with self.lock:
            answer = self._answer(request)
        return reset(line, request) if fault == "lose" else reply(*answer)(line, request)

    def _answer(self, request: Request) -> Answer:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        is_known = token in self.tokens and datetime.now(UTC) < self.tokens[token]
        has_agent = "/" in request.headers.get("user-agent", "")
        if not has_agent or (request.path != "/oauth/token" and not is_known):
            return _fail(401, "token_invalid", "This token is invalid or has expired")
        act = self._routes.get((request.method, request.path))
        if act is not None:
            return act(request)
        head, _, name = request.path.rpartition("/")
        if request.method == "GET" and head == f"/accounts/{ACCOUNT}/orders":
            order = self.orders.get(int(name))
            return (200, {"data": self._look(order)}) if order else _fail(404, "record_not_found")
        if request.method == "DELETE" and head.startswith(f"/accounts/{ACCOUNT}/"):
            return self._cancel(head.rpartition("/")[2], int(name))
        if head == "/instruments/equities":
            share = unquote(name)
            known = (200, {"data": {"symbol": share, "is-closing-only": False}})
            return known if share in self.shares else _fail(404, "record_not_found")
        return _fail(404, "not_found")

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _log_in(self, request: Request) -> Answer:
        self.logins += 1
        body = json.loads(request.body)
        given = (body.get("refresh_token"), body.get("client_secret"))
        if self.refuses_login or given != (GRANT, SECRET):
            return 400, {"error_code": "invalid_grant", "error_description": "Invalid JWT"}
        token = f"made-up-token-{self._next()}-of-tastytrade"
        self.tokens[token] = datetime.now(UTC) + timedelta(seconds=self.lifetime)
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": self.lifetime}

    # --- what there is ---------------------------------------------------------------------------------

    def _list_futures(self, request: Request) -> Answer:
        code = request.parameters["product-code[]"]
        end = (datetime.now(UTC) + timedelta(days=60)).date().isoformat()
        rows = [
            {
                "symbol": name,
                "product-code": code,
                "active-month": is_front,
                "next-active-month": not is_front,
                "notional-multiplier": worth,
                "tick-size": tick,
                "last-trade-date": end,
            }
            for name, (worth, tick, is_front) in self.futures.items()
            if name[1:-2] == code
        ]
        return 200, _list(rows)

    def _tell_prices(self, request: Request) -> Answer:
        wanted = [
            unquote(each.partition("=")[2]) for each in request.target.split("?")[1].split("&")
        ]
        rows = [{"symbol": n, "last": str(self.prices[n])} for n in wanted if n in self.prices]
        return 200, _list(rows)

    def _list_positions(self, _: Request) -> Answer:
        rows = [
            {
                "symbol": name,
                "quantity": abs(held),
                "quantity-direction": "Long" if held > 0 else "Short" if held < 0 else "Zero",
            }
            for name, held in self.positions.items()
        ]
        return 200, _list(rows)

    # --- orders ----------------------------------------------------------------------------------------

    def _check(self, body: dict[str, Any]) -> Answer | None:
        leg, kind = body["legs"][0], body["order-type"]
        if kind == "Market" and body["time-in-force"] != "Day":
            return _refuse(
                "gtc_market_orders_not_supported", "GTC Market orders are not supported."
            )
        is_buy = leg["action"].startswith("Buy")
        if kind in ("Limit", "Stop Limit") and body["price-effect"] != (
            "Debit" if is_buy else "Credit"
        ):
            return _refuse("cant_buy_for_credit", "Wrong price effect.")
        is_strict = body.get("advanced-instructions", {}).get("strict-position-effect-validation")
        held = self.positions.get(leg["symbol"], 0)
        if leg["action"].endswith("to Close") and is_strict and abs(held) < leg["quantity"]:
            return _refuse("cannot_close_more_than_position", "You have no such position.")
        return None

    def _add(self, body: dict[str, Any], pair: int | None = None) -> Order:
        order = Order(self._next(), body, pair=pair)
        self.orders[order.number] = order
        return order

    def _place(self, request: Request) -> Answer:
        body = json.loads(request.body, parse_float=Decimal)
        if no := self._check(body):
            return no
        order = self._add(body)
        row = self._row(order)
        self._meet(order)
        return 201, {"data": {"order": row, "warnings": []}}

    def _place_pair(self, request: Request) -> Answer:
        body = json.loads(request.body, parse_float=Decimal)
        for each in body["orders"]:
            if no := self._check(each):
                return no
        pair = self._next()
        orders = [self._add(each, pair) for each in body["orders"]]
        for order in orders:
            order.state = "Live"
        for order in orders:
            if order.state == "Live":
                self._meet(order)
        rows = [self._row(order) for order in orders]
        return 201, {"data": {"complex-order": {"id": pair, "type": "OCO", "orders": rows}}}

    def _cancel(self, what: str, number: int) -> Answer:
        found = [
            o for o in self.orders.values() if number == (o.pair if "complex" in what else o.number)
        ]
        working = [o for o in found if o.state in ("Live", "Routed")]
        if not working:
            return _refuse("cannot_cancel_order", "Order is already in terminal status")
        for order in working:
            order.state = "Cancelled"
        return 200, {"data": self._row(found[0])}

    def _meet(self, order: Order) -> None:
        """Let an order meet the market."""
        price, body = self.prices[order.leg["symbol"]], order.body
        if body["order-type"] == "Market":
            self._fill(order, price, self.parts.popleft() if self.parts else None)
            if order.filled < order.leg["quantity"]:
                order.state = "Cancelled"
            return
        order.state = "Live"
        if "stop-trigger" in body:
            level = Decimal(body["stop-trigger"])
            if price >= level if order.is_buy else price <= level:
                self._fill(order, price)
        else:
            level = Decimal(body["price"])
            if price <= level if order.is_buy else price >= level:
                self._fill(order, level)

    def _fill(self, order: Order, price: Decimal, part: int | None = None) -> None:
        quantity = min(part or order.leg["quantity"], order.leg["quantity"] - order.filled)
        order.filled += quantity
        symbol = order.leg["symbol"]
        change = quantity if order.is_buy else -quantity
        self.positions[symbol] = self.positions.get(symbol, 0) + change
        order.fills.append(
            {
                "fill-id": f"{self._next()}_TW",
                "fill-price": str(price),
                "quantity": quantity,
                "filled-at": datetime.now(UTC).isoformat(),
            }
        )
        if order.filled == order.leg["quantity"]:
            order.state = "Filled"
            for other in self.orders.values():
                if order.pair is not None and other.pair == order.pair and other is not order:
                    other.state = "Cancelled"

    def _row(self, order: Order) -> dict[str, Any]:
        leg = {
            **order.leg,
            "remaining-quantity": order.leg["quantity"] - order.filled,
            "fills": list(order.fills),
        }
        row = {
            **{k: v for k, v in order.body.items() if k != "advanced-instructions"},
            "id": order.number,
            "account-number": ACCOUNT,
            "status": order.state,
            "received-at": order.at.isoformat(),
            "updated-at": round(datetime.now(UTC).timestamp() * 1000),
            "legs": [leg],
        }
        if order.pair is not None:
            row["complex-order-id"] = order.pair
        if order.reason:
            row["reject-reason"] = order.reason
        return row

    def _look(self, order: Order) -> dict[str, Any]:
        return self._row(order)

    def _list_orders(self, request: Request) -> Answer:
        if not request.path.endswith("live") and "start-date" not in request.parameters:
            return _fail(400, "validation_error", "start-date is missing")
        return 200, _list([self._row(o) for o in reversed(self.orders.values())])

    def _list_pairs(self, _: Request) -> Answer:
        pairs: dict[int, list[Any]] = {}
        for order in self.orders.values():
            if order.pair is not None:
                pairs.setdefault(order.pair, []).append(self._row(order))
        return 200, _list([{"id": n, "type": "OCO", "orders": rows} for n, rows in pairs.items()])


def _list(rows: Any) -> dict[str, Any]:
    return {"data": {"items": rows}}


def _fail(status: int, code: str, message: str = "") -> Answer:
    return status, {"error": {"code": code, "message": message}}


def _refuse(code: str, message: str) -> Answer:
    inner = [{"code": code, "message": message}]
    return 422, {
        "error": {
            "code": "preflight_check_failure",
            "message": "One or more preflight checks failed",
            "errors": inner,
        }
    }
