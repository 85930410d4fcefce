"""Stand in for Bybit's unified account on a loopback socket: spot pairs and perpetuals in USDT.

It checks keys, signatures, clock and steps as Bybit's documentation says. An order's answer is only that it
was heard, a name is never free again, spot and perpetual share their symbols, and lists come in pages. Where
Bybit's way is not documented (a list that lags, a forgotten order) it does the awkward when it is told to.
`python -m tests.support.stand_in.bybit --port 8125` runs it by itself.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.support.stand_in.matching import Execution, Funding, Market, Order, Rejected
from tests.support.stand_in.server import Seen, StandInServer, VenueError, run

KEY, SECRET = "made-up-key-of-bybit", "made-up-secret-of-bybit-0815"
ZERO = Decimal(0)
LINK = re.compile(r"[A-Za-z0-9_-]{1,36}")
WEEK_MS = 7 * 86_400_000
SPOT = "spot "
"""Before the name of a pair, so that pair and perpetual stand side by side here."""


class Error(VenueError):
    """An answer with a code of Bybit's, mostly with HTTP 200."""

    def __init__(self, code: int, message: str, status: int = 200) -> None:
        super().__init__(status, envelope({}, code, message))


def envelope(result: Any, code: int = 0, message: str = "OK") -> dict[str, Any]:
    """Return what stands around every answer."""
    return {
        "retCode": code,
        "retMsg": message,
        "result": result,
        "retExtInfo": {},
        "time": 1_672_211_918_471,
    }


class BybitStandIn(StandInServer):
    """The venue. Everything public may be read and set by a test at any time."""

    def __init__(self, port: int = 0, now_ms: Callable[[], int] | None = None) -> None:
        super().__init__(port, now_ms)
        self.key, self.secret = KEY, SECRET
        for base, price, tick, step in (
            ("BTC", 50000, "0.10", "0.001"),
            ("ETH", 2500, "0.01", "0.01"),
        ):
            name = f"{base}USDT"
            self.pairs[name] = Market(
                name, base, "USDT", Decimal(price), tick, step, is_linear=True
            )
            pair = Market(SPOT + name, base, "USDT", Decimal(price), tick, "0.000001")
            self.pairs[SPOT + name] = pair
        self.free = {"USDT": Decimal(100_000)}
        self.lag = 0
        """How many look-ups of an order find nothing yet."""
        self.has_forgotten = False
        """Whether the open orders hold no closed ones, as after a restart of Bybit's."""
        self.page = 50
        """The most rows of one page."""
        self.margin_mode = "REGULAR_MARGIN"
        self.changes: list[str] = []
        """What was set on the account, in order."""
        self.min_value = Decimal(5)
        self.rejections = {
            "closed": Error(110074, "This contract is not live"),
            "balance": Error(170131, "Insufficient balance."),
            "margin": Error(110007, "ab not enough for new order"),
            "reduce": Error(110017, "current position is zero, cannot fix reduce-only order qty"),
            "triggers": Error(110093, "expect Falling, but trigger_price >= current"),
            "takes": Error(170218, "The order would take."),
            "duplicate": Error(110072, "OrderLinkedID is duplicate"),
            "gone": Error(110001, "order not exists or too late to cancel"),
        }
        self.routes = {
            ("GET", "/v5/market/time"): self.get_time,
            ("GET", "/v5/market/instruments-info"): self.get_rules,
            ("GET", "/v5/market/tickers"): self.get_tickers,
            ("GET", "/v5/user/query-api"): self.get_rights,
            ("GET", "/v5/account/info"): self.get_info,
            ("GET", "/v5/account/wallet-balance"): self.get_wallet,
            ("GET", "/v5/position/list"): self.get_positions,
            ("GET", "/v5/order/realtime"): self.get_open,
            ("GET", "/v5/order/history"): self.get_history,
            ("GET", "/v5/execution/list"): self.get_executions,
            ("POST", "/v5/order/create"): self.post_order,
            ("POST", "/v5/order/amend"): self.post_amend,
            ("POST", "/v5/order/cancel"): self.post_cancel,
            ("POST", "/v5/position/set-leverage"): self.post_leverage,
            ("POST", "/v5/account/set-margin-mode"): self.post_margin,
        }

    # What a test tells it.

    def set_price(self, symbol: str, price: Decimal | int | str) -> None:
        """Move perpetual and pair of a name together."""
        for name in (symbol, SPOT + symbol):
            super().set_price(name, price)

    def limit(self, method: str, path: str, pause_ms: int) -> None:
        """Answer the next such request that the endpoint takes no more for a while."""
        headers = {
            "X-Bapi-Limit": "10",
            "X-Bapi-Limit-Status": "0",
            "X-Bapi-Limit-Reset-Timestamp": str(self.now() + pause_ms),
        }
        told = envelope({}, 10006, "Too many visits. Exceeded the API Rate Limit.")
        self.answer(method, path, told, 200, headers)

    # What a request does.

    def serve(self, seen: Seen) -> Any:
        """Return the JSON of an answer. Raises `VenueError`."""
        return envelope(super().serve(seen))

    def weigh(self, seen: Seen) -> dict[str, str]:
        """Return what is left of an endpoint's limit."""
        if seen.path.startswith("/v5/market/"):
            return {}
        return {
            "X-Bapi-Limit": "50",
            "X-Bapi-Limit-Status": "49",
            "X-Bapi-Limit-Reset-Timestamp": str(self.now() + 1000),
        }

    def authenticate(self, seen: Seen) -> None:
        """Refuse another key, another signature and another time."""
        if seen.path.startswith("/v5/market/"):
            return
        if seen.headers.get("x-bapi-api-key") != self.key:
            raise Error(10003, "API key is invalid.")
        stamp, window = (
            seen.headers.get(f"x-bapi-{each}", "0") for each in ("timestamp", "recv-window")
        )
        payload = seen.body if seen.method == "POST" else seen.query
        text = f"{stamp}{self.key}{window}{payload}".encode()
        right = hmac.new(self.secret.encode(), text, hashlib.sha256).hexdigest()
        if seen.headers.get("x-bapi-sign") != right:
            raise Error(10004, "error sign! origin_string[***]")
        if not self.now() - int(window) <= int(stamp) < self.now() + 1000:
            raise Error(10002, "invalid request, please check your server timestamp or recv_window")

    def get_time(self, params: dict[str, Any]) -> Any:
        now = self.now()
        return {"timeSecond": str(now // 1000), "timeNano": str(now * 1_000_000)}

    def get_rules(self, params: dict[str, Any]) -> Any:
        found = [self._describe_market(m) for m in self._markets(params)]
        return {"category": params.get("category"), "list": found, "nextPageCursor": ""}

    def get_tickers(self, params: dict[str, Any]) -> Any:
        rows = [
            {"symbol": name_of(m), "lastPrice": plain(m.price), "markPrice": plain(m.price)}
            for m in self._markets(params)
        ]
        return {"category": params.get("category"), "list": rows}

    def get_rights(self, params: dict[str, Any]) -> Any:
        return {
            "readOnly": 0,
            "permissions": {
                "ContractTrade": ["Order", "Position"],
                "Spot": ["SpotTrade"],
                "Wallet": ["AccountTransfer"],
            },
            "uta": 1,
            "unified": 0,
        }

    def get_info(self, params: dict[str, Any]) -> Any:
        return {"unifiedMarginStatus": 6, "marginMode": self.margin_mode, "updatedTime": "0"}

    def get_wallet(self, params: dict[str, Any]) -> Any:
        rows = []
        for coin in sorted({*self.free, *self.locked}):
            held = self.free.get(coin, ZERO) + self.locked.get(coin, ZERO)
            if held:
                locked = plain(self.locked.get(coin, ZERO))
                rows.append(
                    {
                        "coin": coin,
                        "walletBalance": plain(held),
                        "locked": locked,
                        "equity": plain(held),
                        "availableToWithdraw": "",
                    }
                )
        worth = self.free.get("USDT", ZERO) + sum((self.profit(s) for s in self.positions), ZERO)
        account = {"accountType": "UNIFIED", "totalEquity": plain(worth), "coin": rows}
        return {"list": [account | {"totalAvailableBalance": plain(worth)}]}

    def get_positions(self, params: dict[str, Any]) -> Any:
        if params.get("category") != "linear" or not {"symbol", "settleCoin"} & params.keys():
            raise Error(10001, "symbol or settleCoin is required")
        rows = []
        for market in self._markets(params):
            held = self.position(market.symbol)
            side = {1: "Buy", -1: "Sell"}.get((held.quantity > 0) - (held.quantity < 0), "")
            row = {
                "symbol": market.symbol,
                "positionIdx": 0,
                "side": side,
                "size": plain(abs(held.quantity)),
                "avgPrice": plain(held.entry) if held.quantity else "",
                "leverage": str(held.leverage),
                "markPrice": plain(market.price),
                "liqPrice": "",
                "positionValue": plain(abs(held.quantity) * held.entry),
                "unrealisedPnl": plain(self.profit(market.symbol)),
                "updatedTime": str(self.now()),
            }
            if "symbol" in params or held.quantity:
                rows += [row | {"positionIdx": n} for n in ((1, 2) if self.is_hedged else (0,))]
        return self._page(rows, params)

    def get_open(self, params: dict[str, Any]) -> Any:
        rows = self._select(params)
        is_named = bool({"orderId", "orderLinkId"} & params.keys())
        if is_named and self.lag > 0:
            self.lag -= 1
            return self._page([], params)
        if not is_named or self.has_forgotten:
            rows = [each for each in rows if each.is_open]
        return self._page([self._describe(each) for each in rows], params)

    def get_history(self, params: dict[str, Any]) -> Any:
        rows = [] if self.lag else [each for each in self._select(params) if not each.is_open]
        return self._page([self._describe(each) for each in rows], params)

    def get_executions(self, params: dict[str, Any]) -> Any:
        if "startTime" in params:
            start, end = int(params["startTime"]), int(params.get("endTime", self.now()))
            if end - start > WEEK_MS:
                raise Error(10001, "The interval between startTime and endTime exceeds 7 days")
        else:
            start, end = self.now() - WEEK_MS, self.now()
        is_spot = params.get("category") == "spot"
        mine = [
            self._describe_execution(each)
            for each in self.executions
            if is_spot != each.order.market.is_linear and start <= each.at <= end
        ]
        charged = [self._describe_funding(f) for f in self.funding if start <= f.at <= end]
        rows = mine if is_spot else mine + charged
        for name in ("symbol", "orderId", "orderLinkId", "execType"):
            if name in params:
                rows = [row for row in rows if row[name] == params[name]]
        return self._page(rows[::-1], params)

    def post_order(self, params: dict[str, Any]) -> Any:
        market, link = self._market(params), params.get("orderLinkId", f"auto{len(self.orders)}")
        if not LINK.fullmatch(link):
            raise Error(10001, "orderLinkId is invalid")
        if any(each.client_id == link for each in self.orders):
            code = 110072 if market.is_linear else 170141
            raise Error(code, "OrderLinkedID is duplicate")
        if params.get("orderType") not in ("Market", "Limit") or params.get("side") not in (
            "Buy",
            "Sell",
        ):
            raise Error(10001, "params error: orderType or side")
        numbers = ("qty", "price", "triggerPrice")
        if not all(isinstance(params.get(name, ""), str) for name in numbers):
            raise Error(10001, "params error: numbers are texts")
        order = self._read_order(market, link, params)
        self._check_size(order)
        try:
            self.submit(order)
        except Rejected as no:
            if str(no) == "triggers" and params.get("triggerDirection") == 1:
                raise Error(110092, "expect Rising, but trigger_price <= current") from no
            raise
        return {"orderId": str(order.number), "orderLinkId": link}

    def post_amend(self, params: dict[str, Any]) -> Any:
        order = self._named(params)
        changes = {"qty": "quantity", "price": "price", "triggerPrice": "stop"}
        told = {ours: Decimal(params[name]) for name, ours in changes.items() if name in params}
        self.amend(order, **told)
        return {"orderId": str(order.number), "orderLinkId": order.client_id}

    def post_cancel(self, params: dict[str, Any]) -> Any:
        order = self._named(params)
        if not order.market.is_linear and params.get("orderFilter", "Order") != order.kind:
            raise Error(170213, "Order does not exist.")
        self.cancel(order)
        return {"orderId": str(order.number), "orderLinkId": order.client_id}

    def post_leverage(self, params: dict[str, Any]) -> Any:
        held, times = self.position(self._market(params).symbol), Decimal(params["buyLeverage"])
        if times != Decimal(params["sellLeverage"]) or not 1 <= times <= 100:
            raise Error(110013, "cannot set leverage due to risk limit")
        if held.leverage == times:
            raise Error(110043, "leverage not modified")
        held.leverage = int(times)
        held.changes.append(f"leverage {times}")
        return {}

    def post_margin(self, params: dict[str, Any]) -> Any:
        if params["setMarginMode"] == self.margin_mode:
            raise Error(110026, "Cross/isolated margin mode is not modified")
        self.margin_mode = params["setMarginMode"]
        self.changes.append(self.margin_mode)
        return {"reasons": []}

    # Reading a request.

    def _markets(self, params: dict[str, Any]) -> list[Market]:
        linear = {"linear": True, "spot": False}.get(params.get("category", ""))
        found = [each for each in self.pairs.values() if each.is_linear == linear]
        wanted = params.get("symbol")
        return [each for each in found if wanted in (None, name_of(each))]

    def _market(self, params: dict[str, Any]) -> Market:
        found = self._markets(params) if params.get("symbol") else []
        if not found:
            raise Error(10001, "params error: symbol invalid")
        return found[0]

    def _select(self, params: dict[str, Any]) -> list[Order]:
        markets = [each.symbol for each in self._markets(params)]
        rows = [each for each in reversed(self.orders) if each.market.symbol in markets]
        if "orderId" in params:
            return [each for each in rows if str(each.number) == params["orderId"]]
        link = params.get("orderLinkId")
        return [each for each in rows if link in (None, each.client_id)]

    def _named(self, params: dict[str, Any]) -> Order:
        rows = self._select(params)
        if not {"orderId", "orderLinkId"} & params.keys() or not rows:
            raise Error(110001, "order not exists or too late to cancel")
        return rows[0]

    def _read_order(self, market: Market, link: str, params: dict[str, Any]) -> Order:
        is_buy, is_market = params["side"] == "Buy", params["orderType"] == "Market"
        quantity = Decimal(params.get("qty") or "0")
        is_cash = not market.is_linear and is_market and is_buy
        is_cash = is_cash and params.get("marketUnit", "quoteCoin") == "quoteCoin"
        stop = Decimal(params.get("triggerPrice") or "0")
        rises = params.get("triggerDirection") == 1 if market.is_linear else stop > market.price
        if market.is_linear:
            index = params.get("positionIdx", 0)
            if (index == 0) == self.is_hedged:
                raise Error(10001, "position idx not match position mode")
            if stop and params.get("triggerDirection") not in (1, 2):
                raise Error(10001, "params error: triggerDirection")
        return Order(
            market,
            link,
            params["side"].upper(),
            "Linear" if market.is_linear else params.get("orderFilter", "Order"),
            ZERO if is_cash else quantity,
            price=ZERO if is_market else Decimal(params["price"]),
            stop=stop,
            cash=quantity if is_cash else ZERO,
            patience=params.get("timeInForce", "GTC"),
            reduces=params.get("reduceOnly") is True,
            is_target=bool(stop) and is_buy != rises,
        )

    def _check_size(self, order: Order) -> None:
        market = order.market
        if not order.cash and (order.quantity <= 0 or order.quantity % Decimal(market.step)):
            raise Error(10001 if market.is_linear else 170137, "Qty invalid")
        if order.price % Decimal(market.tick) or order.stop % Decimal(market.tick):
            raise Error(10001 if market.is_linear else 170134, "Price invalid")
        worth = order.cash or order.quantity * (order.price or market.price)
        if not order.reduces and worth < self.min_value:
            code = 110094 if market.is_linear else 170140
            raise Error(code, "Order does not meet minimum order value 5USDT")

    # Telling.

    def _page(self, rows: list[Any], params: dict[str, Any]) -> Any:
        start = int(params.get("cursor", "at:0").removeprefix("at:"))
        end = start + min(int(params.get("limit", "20")), self.page)
        cursor = f"at%3A{end}" if end < len(rows) else ""
        told = {"list": rows[start:end], "nextPageCursor": cursor}
        return told | {"category": params.get("category")}

    def _describe_market(self, market: Market) -> dict[str, Any]:
        common = {
            "symbol": name_of(market),
            "status": "Trading",
            "baseCoin": market.base,
            "quoteCoin": market.quote,
            "priceFilter": {"tickSize": market.tick, "minPrice": "0.1", "maxPrice": "1999999"},
        }
        if not market.is_linear:
            lot = {
                "basePrecision": market.step,
                "quotePrecision": "0.00000001",
                "minOrderQty": market.step,
                "maxMarketOrderQty": "100",
                "maxLimitOrderQty": "1000",
                "minOrderAmt": plain(self.min_value),
            }
            return common | {"marginTrading": "none", "lotSizeFilter": lot}
        lot = {
            "qtyStep": market.step,
            "minOrderQty": market.step,
            "maxOrderQty": "1000",
            "maxMktOrderQty": "100",
            "minNotionalValue": plain(self.min_value),
        }
        return common | {
            "contractType": "LinearPerpetual",
            "settleCoin": "USDT",
            "launchTime": "1585526400000",
            "deliveryTime": "0",
            "lotSizeFilter": lot,
            "leverageFilter": {"minLeverage": "1", "maxLeverage": "100", "leverageStep": "0.01"},
        }

    def _describe(self, order: Order) -> dict[str, Any]:
        states = {"NEW": "New", "PARTIALLY_FILLED": "PartiallyFilled", "FILLED": "Filled"}
        state = states.get(order.status, "Cancelled")
        if order.is_waiting and order.status in ("NEW", "CANCELED"):
            state = "Untriggered" if order.status == "NEW" else "Deactivated"
        elif state == "Cancelled" and order.executed and not order.market.is_linear:
            state = "PartiallyFilledCanceled"
        is_gone = order.status == "EXPIRED"
        return {
            "orderId": str(order.number),
            "orderLinkId": "" if order.client_id.startswith("web_") else order.client_id,
            "symbol": name_of(order.market),
            "side": order.side.capitalize(),
            "orderType": "Limit" if order.price else "Market",
            "price": plain(order.price),
            "qty": plain(order.cash or order.quantity),
            "marketUnit": "quoteCoin" if order.cash else "baseCoin",
            "orderStatus": state,
            "cancelType": "CancelByUser" if order.status == "CANCELED" else "UNKNOWN",
            "rejectReason": "EC_NoImmediateQtyToFill" if is_gone else "EC_NoError",
            "avgPrice": plain(order.average) if order.executed else "",
            "cumExecQty": plain(order.executed),
            "cumExecValue": plain(order.worth),
            "leavesQty": plain(order.leaves) if order.is_open else "0",
            "cumFeeDetail": {
                each.fee_coin: plain(sum((e.fee for e in order.executions), ZERO))
                for each in order.executions
            },
            "timeInForce": "GTC" if order.price else "IOC",
            "positionIdx": 0,
            "reduceOnly": order.reduces,
            "triggerPrice": plain(order.stop) if order.stop else "",
            "triggerBy": "LastPrice" if order.stop else "",
            "stopOrderType": "Stop" if order.stop else "",
            "createdTime": str(order.placed_at),
            "updatedTime": str(order.changed_at),
        }

    def _describe_execution(self, each: Execution) -> dict[str, Any]:
        order = each.order
        return {
            "symbol": name_of(order.market),
            "orderId": str(order.number),
            "orderLinkId": "" if order.client_id.startswith("web_") else order.client_id,
            "side": order.side.capitalize(),
            "execId": f"e-{each.number}",
            "execType": "Trade",
            "execPrice": plain(each.price),
            "execQty": plain(each.quantity),
            "execValue": plain(each.price * each.quantity),
            "execFee": plain(each.fee),
            "feeCurrency": "" if order.market.is_linear else each.fee_coin,
            "isMaker": bool(order.price),
            "execTime": str(each.at),
        }

    def _describe_funding(self, each: Funding) -> dict[str, Any]:
        return {
            "symbol": each.symbol,
            "orderId": "f",
            "orderLinkId": "",
            "side": "Buy",
            "execId": f"f-{each.number}",
            "execType": "Funding",
            "execPrice": "1",
            "execQty": "1",
            "execFee": plain(-each.amount),
            "feeCurrency": "",
            "execTime": str(each.at),
        }


def name_of(market: Market) -> str:
    """Return what Bybit calls a market: pair and perpetual alike."""
    return market.symbol.removeprefix(SPOT)


def plain(value: Decimal) -> str:
    """Write an amount without exponent."""
    return f"{value:.10f}".rstrip("0").rstrip(".")


def main() -> None:
    """Run the stand-in until it is interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--port", type=int, default=8125)
    options = parser.parse_args()
    run(BybitStandIn(options.port), f"BYBIT_API_KEY={KEY} BYBIT_API_SECRET={SECRET}")


if __name__ == "__main__":
    main()
