"""Stand in for Bybit's perpetuals where only time matters: every market order fills whole at one price.

It is a part of `bench.venue`, which has the sockets and notes what came when.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

PRICE = 100
CREATE = "/v5/order/create"
READ_PATHS = ("/v5/account/wallet-balance", "/v5/position/list")
BEHIND_PATHS = ("/v5/order/realtime", "/v5/execution/list")


@dataclass(slots=True)
class BybitBook:
    """What every account holds, and the orders that were not asked for yet."""

    held: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    traded: set[str] = field(default_factory=set)
    orders: int = 0

    def answer(self, path: str, key: str, params: dict[str, Any]) -> object:
        """Return the JSON of an answer."""
        now = time.time_ns() // 1_000_000
        result = self._answer(path, key, params, str(now))
        return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": now}

    def _answer(self, path: str, key: str, params: dict[str, Any], now: str) -> dict[str, Any]:
        symbol = params.get("symbol", "")
        match path:
            case "/v5/order/create":
                return self._fill(key, params, now)
            case "/v5/order/realtime":
                number = self.links.get(params.get("orderLinkId", ""), "")
                return _list(self.rows[number]) if number else _list()
            case "/v5/execution/list":
                row = self.rows.pop(params.get("orderId", ""), None)
                return _list(_execute(row)) if row else _list()
            case "/v5/position/list":
                held = self.held.get(key, {})
                wanted = [symbol] if symbol else [name for name, size in held.items() if size]
                return _list(*(_hold(name, held.get(name, Decimal(0))) for name in wanted))
            case "/v5/account/wallet-balance":
                coins = [{"coin": "USDT", "walletBalance": "1000000000"}]
                return _list({"totalEquity": "1000000000", "coin": coins})
            case "/v5/market/time":
                return {"timeSecond": now[:-3], "timeNano": f"{now}000000"}
            case "/v5/market/instruments-info":
                return _list(_describe(symbol))
            case "/v5/market/tickers":
                names = [symbol] if symbol else sorted(self.traded)
                return _list(*({"symbol": name, "lastPrice": f"{PRICE}"} for name in names))
        return _list()

    def _fill(self, key: str, params: dict[str, Any], now: str) -> dict[str, Any]:
        self.orders += 1
        number, link, symbol = str(self.orders), params.get("orderLinkId", ""), params["symbol"]
        quantity, side = Decimal(params["qty"]), params["side"]
        held = self.held.setdefault(key, {})
        held[symbol] = held.get(symbol, Decimal(0)) + (quantity if side == "Buy" else -quantity)
        self.links[link] = number
        self.traded.add(symbol)
        self.rows[number] = {
            "orderId": number,
            "orderLinkId": link,
            "symbol": symbol,
            "side": side,
            "orderType": "Market",
            "qty": params["qty"],
            "orderStatus": "Filled",
            "cumExecQty": params["qty"],
            "cumExecValue": f"{quantity * PRICE}",
            "createdTime": now,
            "updatedTime": now,
        }
        return {"orderId": number, "orderLinkId": link}


def _list(*rows: object) -> dict[str, Any]:
    return {"list": list(rows), "nextPageCursor": ""}


def _execute(row: dict[str, Any]) -> dict[str, Any]:
    names = ("orderId", "orderLinkId", "symbol", "side")
    return {name: row[name] for name in names} | {
        "execId": f"e-{row['orderId']}",
        "execType": "Trade",
        "execQty": row["qty"],
        "execPrice": f"{PRICE}",
        "execFee": "0",
        "execTime": row["updatedTime"],
    }


def _hold(symbol: str, size: Decimal) -> dict[str, Any]:
    side = "Buy" if size > 0 else "Sell" if size < 0 else ""
    return {"symbol": symbol, "positionIdx": 0, "side": side, "size": f"{abs(size)}"}


def _describe(symbol: str) -> dict[str, Any]:
    lot = {"qtyStep": "0.001", "minOrderQty": "0.001", "maxMktOrderQty": "900"}
    return {
        "symbol": symbol,
        "contractType": "LinearPerpetual",
        "status": "Trading",
        "baseCoin": symbol.removesuffix("USDT"),
        "quoteCoin": "USDT",
        "priceFilter": {"tickSize": "0.01"},
        "lotSizeFilter": {**lot, "minNotionalValue": "0.01"},
    }
