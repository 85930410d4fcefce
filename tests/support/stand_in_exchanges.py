"""Kraken's spot market and OKX's perpetuals on a loopback socket, as far as ccxt asks them anything.

One small book of orders with two manners of speech. Orders at the market fill at the price, limits when it
reaches them, stops when it passes them. A stop of OKX becomes another order when it is triggered, as there.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from types import TracebackType
from typing import Any, ClassVar, Self
from urllib.parse import parse_qsl, urlsplit

from tests.support.exchange_samples import (
    KRAKEN_COINS,
    KRAKEN_PAIR,
    OKX_CONTRACT,
    kraken_order,
    kraken_says,
    okx_order,
    okx_says,
)
from tests.support.faulty_server import FaultyServer, Line, Request, hang, reply

D = Decimal
NONE, START, RICH = D(0), D(50000), D(100000)
WORKS, DONE, GONE = "works", "done", "gone"


@dataclass
class Placed:
    """One order as the exchange has it; `size` is what it counts in."""

    number: str
    name: str
    side: str
    size: Decimal
    kind: str
    limit: Decimal | None = None
    stop: Decimal | None = None
    reduces: bool = False
    state: str = WORKS
    filled: Decimal = NONE
    price: Decimal = NONE
    child: str = ""
    at: int = 0


@dataclass
class Book:
    """Orders, executions and what is held."""

    price: Decimal = START
    held: Decimal = NONE
    cash: Decimal = RICH
    orders: dict[str, Placed] = field(default_factory=dict)
    trades: list[tuple[Placed, Decimal, Decimal, int]] = field(default_factory=list)
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1000))

    def place(self, **said: Any) -> Placed:
        """Take an order, and fill it where it can."""
        made = Placed(number=str(next(self.numbers)), at=now(), **said)
        self.orders[made.number] = made
        if made.kind == "market":
            self.fill(made, self.price)
        self.move(self.price)
        return made

    def fill(self, order: Placed, price: Decimal, size: Decimal | None = None) -> None:
        """Execute an order; one that only reduces takes at most what is held."""
        way = 1 if order.side == "buy" else -1
        size = size or order.size - order.filled
        if order.reduces:
            size = min(size, max(-way * self.held, D(0)))
        order.filled += size
        order.price, order.at = price, now()
        order.state = DONE if order.filled == order.size else WORKS
        if order.reduces and not size:
            order.state = GONE
        self.held += way * size
        self.trades.append((order, size, price, next(self.numbers)))

    def move(self, price: Decimal | int) -> None:
        """Let the price be this from now on."""
        self.price = D(price)
        for each in [o for o in self.orders.values() if o.state == WORKS]:
            falls = each.side == "sell"
            if each.stop is not None:
                if (self.price <= each.stop) if falls else (self.price >= each.stop):
                    self.trigger(each)
            elif each.limit is not None and (
                self.price >= each.limit if falls else self.price <= each.limit
            ):
                self.fill(each, each.limit)

    def trigger(self, order: Placed) -> None:
        """Turn a stop into what it fills with: itself."""
        self.fill(order, self.price)

    def by_name(self, name: str | None) -> list[Placed]:
        """Return the orders of a client id, or all."""
        return [o for o in self.orders.values() if name in (None, o.name)]

    def working(self) -> list[Placed]:
        """Return what works."""
        return [o for o in self.orders.values() if o.state == WORKS]


class OkxBook(Book):
    """OKX's: a stop becomes another order."""

    def trigger(self, order: Placed) -> None:
        order.state = DONE
        child = self.place(
            name="", side=order.side, size=order.size, kind="market", reduces=order.reduces
        )
        order.child = child.number


def now() -> int:
    """Return the time."""
    return time.time_ns() // 1_000_000


class StandIn:
    """An exchange that answers by a table of paths; `lose` takes an order and says nothing."""

    paths: ClassVar[dict[str, Callable[[Any, dict[str, Any]], Any]]]

    def __init__(self, book: Book) -> None:
        self.book = book
        self.server = FaultyServer()
        self.url = self.server.url
        self.server.fault = self.behave
        self.losing = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.server.close()

    def behave(self, line: Line, request: Request) -> bool:
        """Answer one request."""
        found = dict(parse_qsl(urlsplit(request.target).query))
        if request.body[:1] in (b"{", b"["):
            told = json.loads(request.body)
            found |= told[0] if isinstance(told, list) else told
        else:
            found |= dict(parse_qsl(request.body.decode()))
        if request.path not in self.paths:
            return reply(404, {})(line, request)
        answer = self.paths[request.path](self, found)
        if self.losing == request.path:
            self.losing = ""
            return hang(line, request)
        return reply(*answer)(line, request)

    def sent(self, path: str) -> list[Request]:
        """Return the requests for a path so far."""
        return [each for each in self.server.requests if each.path == path]


class Kraken(StandIn):
    """Kraken's spot market."""

    def __init__(self) -> None:
        super().__init__(Book())

    def _place(self, said: dict[str, Any]) -> Any:
        level = D(said["price"]) if "price" in said else None
        is_stop = said["ordertype"] == "stop-loss"
        if self.book.by_name(said["cl_ord_id"]):
            return kraken_says(None, "EOrder:Duplicate cl_ord_id")
        size = D(said["volume"])
        if said["type"] == "sell" and size > self.book.held - self._locked():
            return kraken_says(None, "EOrder:Insufficient funds")
        made = self.book.place(
            name=said["cl_ord_id"],
            side=said["type"],
            size=size,
            kind="market" if said["ordertype"] == "market" else "limit",
            limit=None if is_stop else level,
            stop=level if is_stop else None,
        )
        return kraken_says(
            {
                "descr": {"order": f"{made.side} {size} XBTUSD @ market"},
                "txid": [made.number],
            }
        )

    def _locked(self) -> Decimal:
        return sum((o.size - o.filled for o in self.book.working() if o.side == "sell"), D(0))

    def _write(self, order: Placed) -> dict[str, Any]:
        status = {WORKS: "open", DONE: "closed", GONE: "canceled"}[order.state]
        descr = kraken_order("", order.side)["descr"]
        kind = "stop-loss" if order.stop else order.kind
        return kraken_order(
            order.name,
            order.side,
            status=status,
            opentm=order.at / 1000,
            descr={**descr, "ordertype": kind, "price": str(order.stop or order.limit or 0)},
            vol=str(order.size),
            vol_exec=str(order.filled),
            price=str(order.price),
        )

    def _list(self, name: str, states: tuple[str, ...], said: dict[str, Any]) -> Any:
        rows = [o for o in self.book.by_name(said.get("cl_ord_id")) if o.state in states]
        return kraken_says({name: {o.number: self._write(o) for o in rows}})

    def _cancel(self, said: dict[str, Any]) -> Any:
        rows = [o for o in self.book.by_name(said["cl_ord_id"]) if o.state == WORKS]
        for each in rows:
            each.state = GONE
        return kraken_says({"count": 1}) if rows else kraken_says(None, "EOrder:Unknown order")

    def _trades(self, said: dict[str, Any]) -> Any:
        rows = {
            f"T{number}": {
                "ordertxid": order.number,
                "pair": "XXBTZUSD",
                "time": order.at / 1000,
                "type": order.side,
                "ordertype": order.kind,
                "price": str(price),
                "cost": str(price * size),
                "fee": "0.1",
                "vol": str(size),
                "margin": "0",
                "misc": "",
            }
            for order, size, price, number in self.book.trades
        }
        return kraken_says({"trades": rows, "count": len(rows)})

    def _balance(self, said: dict[str, Any]) -> Any:
        coins = {"XXBT": self.book.held, "ZUSD": self.book.cash}
        return kraken_says(
            {name: {"balance": str(held), "hold_trade": "0"} for name, held in coins.items()}
        )

    def _price(self, said: dict[str, Any]) -> Any:
        price, volume = str(self.book.price), ["1", "1"]
        row = {"a": [price] * 3, "b": [price] * 3, "c": [price, "1"], "v": volume, "p": [price] * 2}
        return kraken_says(
            {"XXBTZUSD": {**row, "t": [1, 1], "l": [price] * 2, "h": [price] * 2, "o": price}}
        )

    paths: ClassVar = {
        "/0/public/AssetPairs": lambda self, said: kraken_says({"XXBTZUSD": KRAKEN_PAIR}),
        "/0/public/Assets": lambda self, said: kraken_says(KRAKEN_COINS),
        "/0/public/Ticker": _price,
        "/0/private/AddOrder": _place,
        "/0/private/CancelOrder": _cancel,
        "/0/private/OpenOrders": lambda self, said: self._list("open", (WORKS,), said),
        "/0/private/ClosedOrders": lambda self, said: self._list("closed", (DONE, GONE), said),
        "/0/private/TradesHistory": _trades,
        "/0/private/BalanceEx": _balance,
    }


class Okx(StandIn):
    """OKX's perpetuals."""

    def __init__(self) -> None:
        super().__init__(OkxBook())
        self.mode: Any = "net_mode"

    def _place(self, said: dict[str, Any]) -> Any:
        stop = said.get("slTriggerPx")
        name = said["algoClOrdId" if stop else "clOrdId"]
        if self.book.by_name(name):
            return okx_says({"sCode": "51016", "sMsg": "exists", "clOrdId": name}, code="1")
        made = self.book.place(
            name=name,
            side=said["side"],
            size=D(said["sz"]),
            kind="stop" if stop else said["ordType"],
            limit=D(said["px"]) if "px" in said else None,
            stop=D(stop) if stop else None,
            reduces=said.get("reduceOnly") is True,
        )
        number = "algoId" if stop else "ordId"
        return okx_says({number: made.number, "clOrdId": name, "sCode": "0", "sMsg": ""})

    def _write(self, order: Placed) -> dict[str, Any]:
        if order.stop is not None:
            return {
                "algoId": order.number,
                "algoClOrdId": order.name,
                "clOrdId": "",
                "instId": "BTC-USDT-SWAP",
                "instType": "SWAP",
                "side": order.side,
                "sz": str(order.size),
                "ordType": "conditional",
                "ordId": order.child,
                "state": {WORKS: "live", DONE: "effective", GONE: "canceled"}[order.state],
                "slTriggerPx": str(order.stop),
                "slOrdPx": "-1",
                "cTime": str(order.at),
                "uTime": str(order.at),
            }
        return okx_order(
            order.name,
            order.side,
            ordId=order.number,
            ordType=order.kind,
            sz=str(order.size),
            accFillSz=str(order.filled),
            avgPx=str(order.price) if order.filled else "",
            px=str(order.limit or ""),
            state={WORKS: "live", DONE: "filled", GONE: "canceled"}[order.state],
            cTime=str(order.at),
            uTime=str(order.at),
        )

    def _find(self, said: dict[str, Any]) -> Any:
        name = said.get("algoClOrdId") or said.get("clOrdId")
        rows = self.book.by_name(name) if name else [self.book.orders[said["ordId"]]]
        if not rows:
            return okx_says(code="51603", msg="Order does not exist")
        return okx_says(self._write(rows[0]))

    def _list(self, is_stop: bool) -> Any:
        rows = [o for o in self.book.working() if (o.stop is not None) is is_stop]
        return okx_says(*map(self._write, rows))

    def _cancel(self, said: dict[str, Any]) -> Any:
        rows = [
            o
            for o in self.book.working()
            if o.number == said.get("algoId") or o.name == said.get("clOrdId")
        ]
        for each in rows:
            each.state = GONE
        if not rows:
            return okx_says({"sCode": "51400", "sMsg": "does not exist"}, code="1")
        return okx_says({"ordId": rows[0].number, "sCode": "0", "sMsg": ""})

    def _trades(self, said: dict[str, Any]) -> Any:
        rows = [
            {
                "instType": "SWAP",
                "instId": "BTC-USDT-SWAP",
                "tradeId": str(number),
                "ordId": order.number,
                "billId": str(number),
                "fillPx": str(price),
                "fillSz": str(size),
                "side": order.side,
                "feeCcy": "USDT",
                "fee": "-0.1",
                "ts": str(order.at),
            }
            for order, size, price, number in self.book.trades
        ]
        return okx_says(*rows)

    def _positions(self, said: dict[str, Any]) -> Any:
        row = {"instId": "BTC-USDT-SWAP", "instType": "SWAP", "posSide": "net", "mgnMode": "cross"}
        held = {**row, "pos": str(self.book.held), "avgPx": "50000", "uTime": "1"}
        return okx_says(*([held] if self.book.held else []))

    def _balance(self, said: dict[str, Any]) -> Any:
        coin = {"ccy": "USDT", "cashBal": str(self.book.cash), "eq": str(self.book.cash)}
        return okx_says({"uTime": "1", "details": [{**coin, "availBal": "1", "frozenBal": "0"}]})

    def _price(self, said: dict[str, Any]) -> Any:
        price = str(self.book.price)
        return okx_says({"instType": "SWAP", "instId": "BTC-USDT-SWAP", "last": price, "ts": "1"})

    paths: ClassVar = {
        "/api/v5/public/instruments": lambda self, said: okx_says(OKX_CONTRACT),
        "/api/v5/market/ticker": _price,
        "/api/v5/account/config": lambda self, said: okx_says({"posMode": self.mode, "uid": "1"}),
        "/api/v5/account/balance": _balance,
        "/api/v5/account/positions": _positions,
        "/api/v5/trade/batch-orders": _place,
        "/api/v5/trade/order-algo": lambda self, said: (
            self._place(said) if "side" in said else self._find(said)
        ),
        "/api/v5/trade/order": _find,
        "/api/v5/trade/cancel-order": _cancel,
        "/api/v5/trade/cancel-algos": _cancel,
        "/api/v5/trade/orders-pending": lambda self, said: self._list(is_stop=False),
        "/api/v5/trade/orders-algo-pending": lambda self, said: self._list(is_stop=True),
        "/api/v5/trade/fills-history": _trades,
    }
