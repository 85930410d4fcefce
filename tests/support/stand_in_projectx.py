"""Stand in for the ProjectX Gateway on a real loopback socket: what it answers, and what becomes of orders.

It behaves as its documentation and the recordings say: everything is a POST, refusals come with HTTP 200,
a `customTag` is taken once, orders that rest stay after a close, nothing links two of them. A market order
fills at the last price, a stop when it is passed, a target when it is reached. It can also fill in parts.
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

USER, KEY = "made-up-name-of-a-trader", "made-up-key-4711-of-projectx"
KEYS = {"PROJECTX_USERNAME": USER, "PROJECTX_API_KEY": KEY}
PRACTICE, COMBINE = "PRAC-V2-1", "50KTC-V2-1"
OPEN, FILLED, CANCELLED, REJECTED = 1, 2, 3, 5
Answer = tuple[int, Any]


@dataclass
class Order:
    """One order."""

    number: int
    account: int
    tag: str | None
    contract: str
    side: int
    kind: int
    size: int
    limit: Decimal | None = None
    stop: Decimal | None = None
    status: int = OPEN
    filled: int = 0
    price: Decimal | None = None
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


class StandInProjectX:
    """One login with a practice account, and a few contracts whose ids have roots of their own."""

    def __init__(self) -> None:
        self.server = FaultyServer()
        self.lock = threading.RLock()
        self.accounts = [account_row(4711, PRACTICE)]
        self.contracts: dict[str, dict[str, Any]] = {}
        self.prices: dict[str, Decimal] = {}
        self.list_contract("CON.F.US.MES.Z26", "MESZ6", 0.25, 1.25)
        self.list_contract("CON.F.US.MES.H27", "MESH7", 0.25, 1.25, is_active=False)
        self.list_contract("CON.F.US.EP.Z26", "ESZ6", 0.25, 12.5)
        self.positions: dict[str, int] = {}
        self.orders: dict[int, Order] = {}
        self.trades: list[dict[str, Any]] = []
        self.bars: list[dict[str, Any]] = []
        self.tokens: set[str] = set()
        self.logins = self.renewals = 0
        self.refuses_login: tuple[int, str] | None = None
        self.takes_renewals = True
        self.faults: dict[str, deque[Any]] = {}
        self.parts: deque[int] = deque()
        self._number = 9000
        routes: dict[str, Callable[[dict[str, Any]], Answer]] = {
            "/Auth/loginKey": self._log_in,
            "/Auth/validate": self._renew,
            "/Account/search": lambda _: success(accounts=self.accounts),
            "/Contract/search": self._find_contracts,
            "/Contract/searchById": self._show_contract,
            "/Order/place": self._place,
            "/Order/cancel": self._cancel,
            "/Order/search": self._search_orders,
            "/Order/searchOpen": self._list_open,
            "/Position/searchOpen": self._list_positions,
            "/Trade/search": self._search_trades,
            "/History/retrieveBars": lambda _: success(bars=self.bars),
        }
        for path, act in routes.items():
            self.server.on("POST", f"/api{path}", self._behave(path, act))

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

    def list_contract(
        self, number: str, name: str, tick: float, value: float, *, is_active: bool = True
    ) -> None:
        """List a contract; one that is not active is found by its id alone."""
        self.contracts[number] = {
            "id": number,
            "name": name,
            "description": name,
            "tickSize": tick,
            "tickValue": value,
            "activeContract": is_active,
            "symbolId": number[4:].rpartition(".")[0],
        }
        self.prices.setdefault(number, Decimal(6000))

    def fail(self, path: str, *faults: Any) -> None:
        """Meet the next requests of a path with these: an answer, hang, reset, or `lose` after the act."""
        self.faults.setdefault(path, deque()).extend(faults)

    def sent(self, path: str) -> list[dict[str, Any]]:
        """Return the bodies that a path received."""
        found = self.server.asked("POST", f"/api{path}")
        return [json.loads(each.body, parse_float=Decimal) for each in found]

    def move(self, price: str, contract: str = "CON.F.US.MES.Z26") -> None:
        """Move the market; what it reaches fills."""
        with self.lock:
            self.prices[contract] = Decimal(price)
            for order in list(self.orders.values()):
                if order.contract == contract and order.status == OPEN:
                    self._meet(order)

    def held(self, name: str = "MESZ6") -> int:
        """Return the position in a contract."""
        return sum(s for each, s in self.positions.items() if self.contracts[each]["name"] == name)

    def working(self) -> list[tuple[int, int, int, Decimal | None]]:
        """Return kind, side, open size and level of what works."""
        with self.lock:
            return sorted(
                (o.kind, o.side, o.size - o.filled, o.stop or o.limit)
                for o in self.orders.values()
                if o.status == OPEN
            )

    # --- serving ---------------------------------------------------------------------------------------

    def _behave(
        self, path: str, act: Callable[[dict[str, Any]], Answer]
    ) -> Callable[[Line, Request], bool]:
        def behave(line: Line, request: Request) -> bool:
            queue = self.faults.get(path)
            fault = queue.popleft() if queue else None
            if fault in (hang, reset):
                return bool(fault(line, request))
            if isinstance(fault, tuple):
                return reply(*fault)(line, request)
            token = request.headers.get("authorization", "").removeprefix("Bearer ")
            body = json.loads(request.body, parse_float=Decimal) if request.body else {}
            with self.lock:
                is_known = path == "/Auth/loginKey" or token in self.tokens
                answer = act(body) if is_known else (401, "")
            if fault == "lose":
                return reset(line, request)
            return reply(*answer)(line, request)

        return behave

    def _next(self) -> int:
        self._number += 1
        return self._number

    # --- tokens ----------------------------------------------------------------------------------------

    def _log_in(self, body: dict[str, Any]) -> Answer:
        self.logins += 1
        if self.refuses_login:
            return refusal(*self.refuses_login, token=None)
        if (body["userName"], body["apiKey"]) != (USER, KEY):
            return refusal(3, None, token=None)
        return success(token=self._issue())

    def _renew(self, _: dict[str, Any]) -> Answer:
        self.renewals += 1
        return success(newToken=self._issue()) if self.takes_renewals else refusal(3, None)

    def _issue(self) -> str:
        token = f"made-up-token-{self._next()}-of-projectx"
        self.tokens.add(token)
        return token

    # --- contracts -------------------------------------------------------------------------------------

    def _find_contracts(self, body: dict[str, Any]) -> Answer:
        text = body["searchText"]
        found = [c for c in self.contracts.values() if text in c["name"] and c["activeContract"]]
        return success(contracts=found[:20])

    def _show_contract(self, body: dict[str, Any]) -> Answer:
        found = self.contracts.get(body["contractId"])
        return success(contract=found) if found else refusal(1, None, contract=None)

    # --- orders ----------------------------------------------------------------------------------------

    def _place(self, body: dict[str, Any]) -> Answer:
        account = next((a for a in self.accounts if a["id"] == body["accountId"]), None)
        if account is None or not account["canTrade"]:
            return refusal(1, None)
        tag = body.get("customTag")
        if tag is not None and any(o.tag == tag for o in self.orders.values()):
            return refusal(2, "Invalid customTag: it is in use.")
        contract = self.contracts.get(body["contractId"])
        if contract is None or not contract["activeContract"]:
            return refusal(8 if contract is None else 9, None)
        order = Order(
            self._next(),
            body["accountId"],
            tag,
            body["contractId"],
            body["side"],
            body["type"],
            body["size"],
            body.get("limitPrice"),
            body.get("stopPrice"),
        )
        self.orders[order.number] = order
        self._meet(order)
        return success(orderId=order.number)

    def _cancel(self, body: dict[str, Any]) -> Answer:
        order = self.orders.get(body["orderId"])
        if order is None:
            return refusal(2, None)
        if order.status != OPEN:
            return refusal(3, "Order is not open")
        order.status = CANCELLED
        return success()

    def _meet(self, order: Order) -> None:
        """Let an order meet the market."""
        price, is_buy = self.prices[order.contract], order.side == 0
        if order.kind == 2:
            self._fill(order, price, self.parts.popleft() if self.parts else None)
            if order.filled < order.size:
                order.status = CANCELLED
        elif order.stop is not None:
            if price >= order.stop if is_buy else price <= order.stop:
                self._fill(order, price)
        elif order.limit is not None and (price <= order.limit if is_buy else price >= order.limit):
            self._fill(order, order.limit, self.parts.popleft() if self.parts else None)

    def _fill(self, order: Order, price: Decimal, part: int | None = None) -> None:
        size = min(part or order.size, order.size - order.filled)
        order.filled += size
        order.price = price
        change = size if order.side == 0 else -size
        self.positions[order.contract] = self.positions.get(order.contract, 0) + change
        self.trades.append(
            {
                "id": self._next(),
                "accountId": order.account,
                "contractId": order.contract,
                "creationTimestamp": datetime.now(UTC).isoformat(),
                "price": float(price),
                "profitAndLoss": None,
                "fees": 0.37 * size,
                "side": order.side,
                "size": size,
                "voided": False,
                "orderId": order.number,
            }
        )
        if order.filled == order.size:
            order.status = FILLED

    # --- lists -----------------------------------------------------------------------------------------

    def _row(self, order: Order) -> dict[str, Any]:
        return {
            "id": order.number,
            "accountId": order.account,
            "contractId": order.contract,
            "symbolId": self.contracts[order.contract]["symbolId"],
            "creationTimestamp": order.at.isoformat(),
            "updateTimestamp": datetime.now(UTC).isoformat(),
            "status": order.status,
            "type": order.kind,
            "side": order.side,
            "size": order.size,
            "limitPrice": _number(order.limit),
            "stopPrice": _number(order.stop),
            "fillVolume": order.filled,
            "filledPrice": _number(order.price),
            "customTag": order.tag,
        }

    def _search_orders(self, body: dict[str, Any]) -> Answer:
        start = datetime.fromisoformat(body["startTimestamp"])
        mine = [o for o in self.orders.values() if o.account == body["accountId"]]
        return success(orders=[self._row(o) for o in mine if o.at >= start])

    def _list_open(self, body: dict[str, Any]) -> Answer:
        mine = [o for o in self.orders.values() if o.account == body["accountId"]]
        return success(orders=[self._row(o) for o in mine if o.status == OPEN])

    def _search_trades(self, body: dict[str, Any]) -> Answer:
        start = datetime.fromisoformat(body["startTimestamp"])
        return success(
            trades=[
                row
                for row in self.trades
                if row["accountId"] == body["accountId"]
                and datetime.fromisoformat(row["creationTimestamp"]) >= start
            ]
        )

    def _list_positions(self, body: dict[str, Any]) -> Answer:
        return success(
            positions=[
                {
                    "id": 1,
                    "accountId": body["accountId"],
                    "contractId": name,
                    "creationTimestamp": datetime.now(UTC).isoformat(),
                    "type": 1 if size > 0 else 2,
                    "size": abs(size),
                    "averagePrice": 6000,
                }
                for name, size in self.positions.items()
                if size
            ]
        )

    def add_bar(self, price: float, minutes_ago: int) -> None:
        """Let a minute have closed so."""
        at = (datetime.now(UTC) - timedelta(minutes=minutes_ago)).isoformat()
        self.bars.append({"t": at, "o": price, "h": price, "l": price, "c": price, "v": 1})


def account_row(number: int, name: str, *, may_trade: bool = True) -> dict[str, Any]:
    """Return one account."""
    return {
        "id": number,
        "name": name,
        "balance": 50_000.5,
        "canTrade": may_trade,
        "isVisible": True,
        "simulated": True,
    }


def success(**payload: Any) -> Answer:
    """Return an answer that says yes."""
    return 200, {**payload, "success": True, "errorCode": 0, "errorMessage": None}


def refusal(code: int, text: str | None, **payload: Any) -> Answer:
    """Return an answer that says no, with HTTP 200."""
    return 200, {**payload, "success": False, "errorCode": code, "errorMessage": text}


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
