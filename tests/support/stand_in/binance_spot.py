"""Stand in for Binance's spot market: its field names, filters and error texts, and nothing else.

It checks keys, signatures, clock and filters as the venue's documentation says. It does not know iceberg,
trailing or pegged orders, nor the limit of orders.
`python -m tests.support.stand_in.binance_spot --port 8123` runs it by itself.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.support.stand_in.binance import KEY, SECRET, BinanceStandIn, Error
from tests.support.stand_in.matching import ZERO, Execution, Market, Order
from tests.support.stand_in.server import Seen, run

STOPS = ("STOP_LOSS", "STOP_LOSS_LIMIT")
_CLIENT_ID = re.compile(r"[a-zA-Z0-9-_]{1,36}")
_DECIMAL = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)
_NEEDS = {
    "MARKET": (),
    "LIMIT": ("price", "timeInForce"),
    "LIMIT_MAKER": ("price",),
    "STOP_LOSS": ("stopPrice",),
    "STOP_LOSS_LIMIT": ("price", "stopPrice", "timeInForce"),
}
_BALANCE = Error(-2010, "Account has insufficient balance for requested action.")
_REJECTIONS = {
    "closed": Error(-2010, "Market is closed."),
    "balance": _BALANCE,
    "triggers": Error(-2010, "Stop price would trigger immediately."),
    "takes": Error(-2010, "Order would immediately match and take."),
    "duplicate": Error(-2010, "Duplicate order sent."),
    "gone": Error(-2011, "Unknown order sent."),
}


@dataclass
class Pair(Market):
    """A symbol with its filters."""

    min_quantity: str = "0.00001000"
    max_quantity: str = "9000.00000000"
    max_market: str = "100.00000000"
    min_notional: str = "5.00000000"

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


class StandIn(BinanceStandIn):
    """The spot market."""

    pairs: dict[str, Pair]  # type: ignore[assignment]
    public = ("/api/v3/time", "/api/v3/exchangeInfo", "/api/v3/ticker/price")
    weights = {  # noqa: RUF012 - a literal table
        "/api/v3/exchangeInfo": 20,
        "/api/v3/ticker/price": 2,
        "/api/v3/account": 20,
        "/api/v3/order": 4,
        "/api/v3/openOrders": 80,
        "/api/v3/allOrders": 20,
        "/api/v3/myTrades": 20,
    }

    def __init__(self, port: int = 0, now_ms: Callable[[], int] | None = None) -> None:
        super().__init__(port, now_ms)
        self.pairs = {
            "BTCUSDT": Pair("BTCUSDT", "BTC", "USDT", Decimal(50000)),
            "ETHUSDT": Pair("ETHUSDT", "ETH", "USDT", Decimal(2500), step="0.00010000"),
        }
        self.free = {"USDT": Decimal(100000), "BTC": ZERO, "ETH": ZERO}
        self.rejections = dict(_REJECTIONS)
        self.routes = {
            ("GET", "/api/v3/time"): self.get_time,
            ("GET", "/api/v3/exchangeInfo"): self.get_rules,
            ("GET", "/api/v3/ticker/price"): self.get_price,
            ("GET", "/api/v3/account"): self.get_account,
            ("GET", "/sapi/v1/account/apiRestrictions"): self.get_restrictions,
            ("GET", "/api/v3/order"): self.get_order,
            ("GET", "/api/v3/openOrders"): self.get_open,
            ("GET", "/api/v3/allOrders"): self.get_all,
            ("GET", "/api/v3/myTrades"): self.get_trades,
            ("POST", "/api/v3/order"): self.post_order,
            ("DELETE", "/api/v3/order"): self.delete_order,
            ("POST", "/api/v3/orderList/oco"): self.post_pair,
            ("POST", "/api/v3/orderList/oto"): self.post_entry,
            ("POST", "/api/v3/orderList/otoco"): self.post_entry_with_pair,
        }

    def weight_of(self, seen: Seen) -> int:
        """Return what a request weighs: less where it names what it asks for."""
        if seen.path == "/api/v3/openOrders" and "symbol" in seen.params:
            return 6
        if seen.path == "/api/v3/myTrades" and "orderId" in seen.params:
            return 5
        return super().weight_of(seen)

    # Looking.

    def get_rules(self, params: dict[str, str]) -> Any:
        pairs = [self._pair(params)] if "symbol" in params else list(self.pairs.values())
        limit = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE"}
        return {
            "timezone": "UTC",
            "serverTime": self.now(),
            "rateLimits": [limit | {"intervalNum": 1, "limit": 6000}],
            "exchangeFilters": [],
            "symbols": [pair.describe() for pair in pairs],
        }

    def get_price(self, params: dict[str, str]) -> Any:
        if "symbols" in params:
            return [self.get_price({"symbol": each}) for each in json.loads(params["symbols"])]
        pair = self._pair(params)
        return {"symbol": pair.symbol, "price": text(pair.price)}

    def get_account(self, params: dict[str, str]) -> Any:
        coins = sorted({*self.free, *self.locked})
        held = [(c, self.free.get(c, ZERO), self.locked.get(c, ZERO)) for c in coins]
        if params.get("omitZeroBalances") == "true":
            held = [row for row in held if row[1] + row[2] > 0]
        return {
            "canTrade": self.can_trade,
            "canWithdraw": True,
            "accountType": "SPOT",
            "updateTime": self.now(),
            "balances": [{"asset": c, "free": text(f), "locked": text(k)} for c, f, k in held],
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
        return describe(self._find(params, -2013, "Order does not exist."))

    def get_open(self, params: dict[str, str]) -> Any:
        return [describe(o) for o in self._of(params) if o.is_open]

    def get_all(self, params: dict[str, str]) -> Any:
        start = int(params.get("startTime", "0"))
        found = [describe(o) for o in self._of(params) if o.placed_at >= start]
        return found[: int(params.get("limit", "500"))]

    def get_trades(self, params: dict[str, str]) -> Any:
        pair = self._pair(params)
        found = [e for e in self.executions if e.order.market is pair]
        if "orderId" in params:
            found = [e for e in found if e.order.number == int(params["orderId"])]
        found = [e for e in found if e.at >= int(params.get("startTime", "0"))]
        found = [e for e in found if e.number >= int(params.get("fromId", "0"))]
        return [describe_fill(e) for e in found[: int(params.get("limit", "500"))]]

    # Acting.

    def post_order(self, params: dict[str, str]) -> Any:
        order = self.submit(self._read(params, "newClientOrderId"))
        told, kind = report(order), params.get("newOrderRespType")
        if kind == "ACK" or (kind is None and order.kind not in ("MARKET", "LIMIT")):
            names = ("symbol", "orderId", "orderListId", "clientOrderId", "transactTime")
            return {name: told[name] for name in names}
        names = ("price", "qty", "commission", "commissionAsset")
        rows = [(describe_fill(e), e.number) for e in order.executions]
        fills = [{name: row[name] for name in names} | {"tradeId": at} for row, at in rows]
        return told | ({} if kind == "RESULT" else {"fills": fills})

    def post_pair(self, params: dict[str, str]) -> Any:
        above, below = self._read_leg(params, "above"), self._read_leg(params, "below")
        low, high = sorted((above.price or above.stop, below.price or below.stop))
        if not low < above.market.price < high:
            message = "The relationship of the prices for the orders is not correct."
            raise Error(-2010, message)
        return self._tell_list("OCO", self.submit_pair(above, below), params)

    def post_entry(self, params: dict[str, str]) -> Any:
        return self._add_entry(params, ["pending"])

    def post_entry_with_pair(self, params: dict[str, str]) -> Any:
        return self._add_entry(params, ["pendingAbove", "pendingBelow"])

    def delete_order(self, params: dict[str, str]) -> Any:
        order = self._find(params, -2011, "Unknown order sent.")
        self.cancel(order)
        told = report(order) | {"origClientOrderId": order.client_id}
        return told | {"clientOrderId": f"cancel{order.number}"}

    # Reading a request.

    def _pair(self, params: dict[str, str]) -> Pair:
        if "symbol" not in params:
            raise Error(-1102, "Mandatory parameter 'symbol' was not sent, was empty/null.")
        if params["symbol"] not in self.pairs:
            raise Error(-1121, "Invalid symbol.")
        return self.pairs[params["symbol"]]

    def _of(self, params: dict[str, str]) -> list[Order]:
        pair = self._pair(params) if "symbol" in params else None
        return [o for o in self.orders if pair in (None, o.market)]

    def _find(self, params: dict[str, str], code: int, message: str) -> Order:
        self._pair(params)
        for order in reversed(self._of(params)):
            if params.get("origClientOrderId", order.client_id) != order.client_id:
                continue
            if params.get("orderId", str(order.number)) == str(order.number):
                return order
        raise Error(code, message)

    def _read(self, params: dict[str, str], id_name: str) -> Order:
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
            message = "legal range is '^[a-zA-Z0-9-_]{1,36}$'."
            raise Error(-1100, f"Illegal characters found in parameter '{id_name}'; {message}")
        order = Order(
            *(pair, client_id, params["side"], kind),
            quantity=_number(params, "quantity"),
            price=_number(params, "price"),
            stop=_number(params, "stopPrice"),
            cash=_number(params, "quoteOrderQty"),
            patience=params.get("timeInForce", "GTC"),
            only_rests=kind == "LIMIT_MAKER",
        )
        self._filter(order, pair)
        return order

    def _read_leg(self, params: dict[str, str], prefix: str) -> Order:
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

    def _filter(self, order: Order, pair: Pair) -> None:
        if pair.status != "TRADING":
            raise _REJECTIONS["closed"]
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
        return self._tell_list("OTO", self.submit_entry(entry, legs), params)

    def _tell_list(self, kind: str, orders: list[Order], params: dict[str, str]) -> Any:
        rows = [
            {"symbol": o.market.symbol, "orderId": o.number, "clientOrderId": o.client_id}
            for o in orders
        ]
        group = orders[0].group
        return {
            "orderListId": group,
            "contingencyType": kind,
            "listStatusType": "EXEC_STARTED",
            "listOrderStatus": "EXECUTING",
            "listClientOrderId": params.get("listClientOrderId", f"list{group}"),
            "transactionTime": self.now(),
            "symbol": orders[0].market.symbol,
            "orders": rows,
            "orderReports": [report(o) for o in orders],
        }


def describe(order: Order) -> dict[str, Any]:
    """Return an order as a look-up does."""
    told = {
        "symbol": order.market.symbol,
        "orderId": order.number,
        "orderListId": order.group,
        "clientOrderId": order.client_id,
        "price": text(order.price),
        "origQty": text(order.quantity),
        "executedQty": text(order.executed),
        "cummulativeQuoteQty": text(order.worth),
        "status": order.status,
        "timeInForce": order.patience,
        "type": order.kind,
        "side": order.side,
        "stopPrice": text(order.stop),
        "icebergQty": text(ZERO),
        "time": order.placed_at,
        "updateTime": order.changed_at,
        "isWorking": not order.is_waiting,
        "workingTime": order.placed_at,
        "origQuoteOrderQty": text(order.cash),
        "selfTradePreventionMode": "NONE",
    }
    return told | ({"expiryReason": order.reason} if order.reason else {})


def report(order: Order) -> dict[str, Any]:
    """Return an order as the answer to its placing does, without fills."""
    told = describe(order)
    for name in ("time", "updateTime", "isWorking", "icebergQty"):
        del told[name]
    return told | {"transactTime": order.changed_at}


def describe_fill(fill: Execution) -> dict[str, Any]:
    """Return an execution as myTrades does."""
    return {
        "symbol": fill.order.market.symbol,
        "id": fill.number,
        "orderId": fill.order.number,
        "orderListId": fill.order.group,
        "price": text(fill.price),
        "qty": text(fill.quantity),
        "quoteQty": text(fill.quantity * fill.price),
        "commission": text(fill.fee),
        "commissionAsset": fill.fee_coin,
        "time": fill.at,
        "isBuyer": fill.order.side == "BUY",
        "isMaker": fill.order.kind != "MARKET",
        "isBestMatch": True,
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


def main() -> None:
    """Run the stand-in until it is interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    options = parser.parse_args()
    venue = StandIn(options.port)
    venue.latency_seconds = options.latency
    run(venue, f"BINANCE_API_KEY={KEY} BINANCE_API_SECRET={SECRET}")


if __name__ == "__main__":
    main()
