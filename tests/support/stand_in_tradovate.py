"""Stand in for Tradovate on a real loopback socket: what it answers, and what becomes of orders there.

It behaves as its documentation says: an order is five tables, placing one only says that it was received,
and refusals come with HTTP 200. A market order fills at the last price, a stop when it is passed, a target
when it is reached; two linked orders end one another. It can also fill in parts, lose answers, and ask for a
pause.
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

from tests.support.faulty_server import FaultyServer, Line, Request, hang, reply, reset

USER, PASSWORD = "made-up-name-of-a-trader", "made-up-password-4711"
CID, SECRET = "made-up-cid-8812", "made-up-secret-0815-long"
KEYS = {
    "TRADOVATE_USERNAME": USER,
    "TRADOVATE_PASSWORD": PASSWORD,
    "TRADOVATE_CID": CID,
    "TRADOVATE_SECRET": SECRET,
}
Answer = tuple[int, Any]


@dataclass
class Order:
    """One order, all its tables together."""

    number: int
    client_id: str
    contract: str
    action: str
    kind: str
    quantity: int
    price: Decimal | None = None
    stop: Decimal | None = None
    state: str = "Working"
    partner: int | None = None
    filled: int = 0
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    reason: str = ""


class StandInTradovate:
    """One login with one account or several, and one contract for each name that is asked for."""

    def __init__(self) -> None:
        self.server = FaultyServer()
        self.lock = threading.RLock()
        self.accounts: list[dict[str, Any]] = [{"id": 777, "name": "DEMO4242", "userId": 12}]
        self.contracts = {"MESZ6": 1001, "MESH7": 1002, "ESZ6": 1003, "GCG7": 1004}
        self.front = {"MES": "MESZ6", "ES": "ESZ6", "GC": "GCG7"}
        self.prices = dict.fromkeys(self.contracts, Decimal(6000))
        self.positions: dict[str, int] = {}
        self.orders: dict[int, Order] = {}
        self.fills: list[dict[str, Any]] = []
        self.tokens: dict[str, datetime] = {}
        self.logins = self.renewals = 0
        self.lifetime = timedelta(minutes=80)
        self.refuses_login = ""
        self.faults: dict[str, deque[Any]] = {}
        self.parts: deque[int] = deque()
        self._number = 9000
        routes: dict[tuple[str, str], Callable[[Request], Answer]] = {
            ("POST", "/auth/accesstokenrequest"): self._log_in,
            ("GET", "/auth/renewaccesstoken"): self._renew,
            ("GET", "/account/list"): lambda _: (200, self.accounts),
            ("GET", "/contract/find"): self._find_contract,
            ("GET", "/contract/item"): self._show_contract,
            ("GET", "/contract/suggest"): self._suggest,
            ("GET", "/contractMaturity/item"): self._show_maturity,
            ("GET", "/product/find"): self._find_product,
            ("POST", "/order/placeorder"): self._place,
            ("POST", "/order/placeoco"): self._place_pair,
            ("POST", "/order/cancelorder"): self._cancel,
            ("GET", "/order/item"): self._show_order,
            ("GET", "/order/list"): lambda _: (200, [self._row(o) for o in self.orders.values()]),
            ("GET", "/orderVersion/deps"): self._show_versions,
            ("GET", "/command/list"): lambda _: (
                200,
                list(map(self._command, self.orders.values())),
            ),
            ("GET", "/command/deps"): self._show_commands,
            ("GET", "/commandReport/deps"): self._show_reports,
            ("GET", "/fill/list"): lambda _: (200, self.fills),
            ("GET", "/fill/deps"): self._show_fills,
            ("GET", "/position/list"): self._list_positions,
            ("POST", "/cashBalance/getcashbalancesnapshot"): lambda _: (200, {"netLiq": 50000.5}),
        }
        for (method, path), act in routes.items():
            self.server.on(method, f"/v1{path}", self._behave(path, act))

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

    def fail(self, path: str, *faults: Any) -> None:
        """Meet the next requests of a path with these: an answer, hang, reset, or `after` the act."""
        self.faults.setdefault(path, deque()).extend(faults)

    def sent(self, path: str) -> list[dict[str, Any]]:
        """Return the bodies that a path received."""
        found = [r for r in self.server.requests if r.path == f"/v1{path}"]
        return [json.loads(r.body, parse_float=Decimal) for r in found if r.body]

    def move(self, price: str, contract: str = "MESZ6") -> None:
        """Move the market; what it reaches fills."""
        with self.lock:
            self.prices[contract] = Decimal(price)
            for order in list(self.orders.values()):
                if order.contract == contract and order.state == "Working":
                    self._meet(order)

    def trade_by_hand(self, change: int, contract: str = "MESZ6") -> None:
        """Change the position beside the receiver."""
        with self.lock:
            self.positions[contract] = self.positions.get(contract, 0) + change

    def working(self) -> list[tuple[str, str, int, Decimal | None]]:
        """Return kind, side, open quantity and level of what works."""
        with self.lock:
            return sorted(
                (o.kind, o.action, o.quantity - o.filled, o.stop or o.price)
                for o in self.orders.values()
                if o.state == "Working"
            )

    def log_out(self) -> None:
        """End every token, as a third login of the user does."""
        self.tokens.clear()

    # --- serving ---------------------------------------------------------------------------------------

    def _behave(self, path: str, act: Callable[[Request], Answer]) -> Callable[..., bool]:
        def behave(line: Line, request: Request) -> bool:
            queue = self.faults.get(path)
            fault = queue.popleft() if queue else None
            if fault in (hang, reset):
                return bool(fault(line, request))
            if isinstance(fault, tuple):
                return reply(*fault)(line, request)
            is_known = path == "/auth/accesstokenrequest" or self._is_known(request)
            with self.lock:
                answer = act(request) if is_known else (401, {"errorText": "Expired Access Token"})
            if fault == "lose":
                return reset(line, request)
            return reply(*answer)(line, request)

        return behave

    def _is_known(self, request: Request) -> bool:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        return token in self.tokens and datetime.now(UTC) < self.tokens[token]

    def _next(self) -> int:
        self._number += 1
        return self._number

    # --- tokens ----------------------------------------------------------------------------------------

    def _log_in(self, request: Request) -> Answer:
        body = json.loads(request.body)
        self.logins += 1
        if self.refuses_login:
            return 200, {"errorText": self.refuses_login}
        given = (body["name"], body["password"], body["cid"], body["sec"])
        if given != (USER, PASSWORD, CID, SECRET):
            return 200, {"errorText": "Incorrect username or password. Please try again."}
        return self._issue()

    def _renew(self, request: Request) -> Answer:
        self.renewals += 1
        return self._issue()

    def _issue(self) -> Answer:
        token = f"made-up-token-{self._next()}-of-tradovate"
        end = datetime.now(UTC) + self.lifetime
        self.tokens[token] = end
        return 200, {"accessToken": token, "expirationTime": end.isoformat(), "userId": 12}

    # --- contracts -------------------------------------------------------------------------------------

    def _contract(self, name: str) -> dict[str, Any]:
        return {"id": self.contracts[name], "name": name, "contractMaturityId": 50_000}

    def _find_contract(self, request: Request) -> Answer:
        name = request.parameters["name"]
        return (200, self._contract(name)) if name in self.contracts else (404, {})

    def _show_contract(self, request: Request) -> Answer:
        wanted = int(request.parameters["id"])
        return 200, next(self._contract(n) for n, i in self.contracts.items() if i == wanted)

    def _suggest(self, request: Request) -> Answer:
        root = request.parameters["t"]
        names = [f"M{root}Z6", self.front[root]] if root in self.front else []
        return 200, [self._contract(n) for n in names if n in self.contracts]

    def _show_maturity(self, _: Request) -> Answer:
        end = datetime.now(UTC) + timedelta(days=60)
        return 200, {"id": 50_000, "productId": 7, "expirationDate": end.isoformat()}

    def _find_product(self, request: Request) -> Answer:
        values = {"MES": (5, 0.25), "ES": (50, 0.25), "GC": (100, 0.1)}
        worth, tick = values[request.parameters["name"]]
        return 200, {"name": request.parameters["name"], "valuePerPoint": worth, "tickSize": tick}

    # --- orders ----------------------------------------------------------------------------------------

    def _check(self, body: dict[str, Any]) -> Answer | None:
        known = {(each["id"], each["name"]) for each in self.accounts}
        if (body.get("accountId"), body.get("accountSpec")) not in known:
            return 200, {"failureReason": "UnknownReason", "failureText": "Access is denied"}
        if body.get("isAutomated") is not True:
            return 200, {"failureReason": "UnknownReason", "failureText": "isAutomated is missing"}
        return None

    def _add(self, body: dict[str, Any], contract: str, quantity: int) -> Order:
        order = Order(
            self._next(),
            body.get("clOrdId", ""),
            contract,
            body["action"],
            body["orderType"],
            quantity,
            body.get("price"),
            body.get("stopPrice"),
        )
        self.orders[order.number] = order
        return order

    def _place(self, request: Request) -> Answer:
        body = json.loads(request.body, parse_float=Decimal)
        if no := self._check(body):
            return no
        order = self._add(body, body["symbol"], body["orderQty"])
        self._meet(order)
        return 200, {"orderId": order.number}

    def _place_pair(self, request: Request) -> Answer:
        body = json.loads(request.body, parse_float=Decimal)
        if no := self._check(body):
            return no
        first = self._add(body, body["symbol"], body["orderQty"])
        second = self._add(body["other"], body["symbol"], body["orderQty"])
        first.partner, second.partner = second.number, first.number
        self._meet(first)
        if second.state == "Working":
            self._meet(second)
        return 200, {"orderId": first.number, "ocoId": second.number}

    def _cancel(self, request: Request) -> Answer:
        order = self.orders[json.loads(request.body)["orderId"]]
        if order.state != "Working":
            return 200, {"failureReason": "TooLate", "failureText": "Already filled"}
        order.state = "Canceled"
        if order.partner is not None:
            self.orders[order.partner].state = "Canceled"
        return 200, {"commandId": self._next()}

    def _meet(self, order: Order) -> None:
        """Let an order meet the market."""
        price, is_buy = self.prices[order.contract], order.action == "Buy"
        if order.kind == "Market":
            self._fill(order, price, self.parts.popleft() if self.parts else None)
            if order.filled < order.quantity:
                order.state = "Canceled"
        elif order.kind in ("Stop", "StopLimit") and order.stop is not None:
            if price >= order.stop if is_buy else price <= order.stop:
                self._fill(order, price)
        elif order.price is not None and (price <= order.price if is_buy else price >= order.price):
            self._fill(order, order.price, self.parts.popleft() if self.parts else None)

    def _fill(self, order: Order, price: Decimal, part: int | None = None) -> None:
        quantity = min(part or order.quantity, order.quantity - order.filled)
        order.filled += quantity
        sign = 1 if order.action == "Buy" else -1
        self.positions[order.contract] = self.positions.get(order.contract, 0) + sign * quantity
        self.fills.append(
            {
                "id": self._next(),
                "orderId": order.number,
                "contractId": self.contracts[order.contract],
                "timestamp": datetime.now(UTC).isoformat(),
                "action": order.action,
                "qty": quantity,
                "price": float(price),
            }
        )
        if order.filled == order.quantity:
            order.state = "Filled"
            if order.partner is not None:
                self.orders[order.partner].state = "Canceled"

    # --- tables ----------------------------------------------------------------------------------------

    def _row(self, order: Order) -> dict[str, Any]:
        return {
            "id": order.number,
            "accountId": 777,
            "contractId": self.contracts[order.contract],
            "timestamp": order.at.isoformat(),
            "action": order.action,
            "ordStatus": order.state,
            "admin": False,
        }

    def _command(self, order: Order) -> dict[str, Any]:
        return {
            "id": order.number + 500_000,
            "orderId": order.number,
            "timestamp": order.at.isoformat(),
            "clOrdId": order.client_id,
            "commandType": "New",
            "commandStatus": "AtExecution",
        }

    def _show_order(self, request: Request) -> Answer:
        order = self.orders.get(int(request.parameters["id"]))
        return (200, self._row(order)) if order else (404, {})

    def _show_versions(self, request: Request) -> Answer:
        order = self.orders[int(request.parameters["masterid"])]
        row = {
            "id": 1,
            "orderId": order.number,
            "orderQty": order.quantity,
            "orderType": order.kind,
        }
        return 200, [row]

    def _show_commands(self, request: Request) -> Answer:
        return 200, [self._command(self.orders[int(request.parameters["masterid"])])]

    def _show_reports(self, request: Request) -> Answer:
        order = self.orders[int(request.parameters["masterid"]) - 500_000]
        return 200, [{"id": 1, "commandId": 1, "text": order.reason}] if order.reason else []

    def _show_fills(self, request: Request) -> Answer:
        wanted = int(request.parameters["masterid"])
        return 200, [row for row in self.fills if row["orderId"] == wanted]

    def _list_positions(self, _: Request) -> Answer:
        return 200, [
            {"accountId": 777, "contractId": self.contracts[name], "netPos": held}
            for name, held in self.positions.items()
        ]
