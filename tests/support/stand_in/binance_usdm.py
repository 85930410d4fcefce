"""Stand in for Binance's USD-M perpetuals on a loopback socket.

One account in one-way mode. It checks keys, signatures, clock and filters as the venue's documentation says,
keeps stops and targets as algo orders that become orders with names of their own, and never lets what is
reduce-only open anything. One price per contract is the whole market: it stands until it is set. Where the
venue's way is not documented (a triggered stop without a position, a list that lags) it does the awkward.
`python -m tests.support.stand_in.binance_usdm --port 8124` runs it by itself.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.support.stand_in.binance import KEY, SECRET, BinanceStandIn, Error
from tests.support.stand_in.server import Seen, run

ZERO = Decimal(0)
OPEN = ("NEW", "PARTIALLY_FILLED")
WAITING = ("NEW", "TRIGGERING")
CONDITIONAL = ("STOP_MARKET", "TAKE_PROFIT_MARKET", "STOP", "TAKE_PROFIT")
PUBLIC = ("/fapi/v1/time", "/fapi/v1/exchangeInfo", "/fapi/v1/ticker/price")
WHOLE_LISTS = ("/fapi/v1/openOrders", "/fapi/v1/openAlgoOrders")
WEIGHTS = {
    "/fapi/v1/ticker/price": 2,
    "/fapi/v1/accountConfig": 5,
    "/fapi/v3/account": 5,
    "/fapi/v3/positionRisk": 5,
    "/fapi/v1/allOrders": 5,
    "/fapi/v1/allAlgoOrders": 5,
    "/fapi/v1/userTrades": 5,
    "/fapi/v1/income": 30,
}
LINK = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")


@dataclass
class Contract:
    """A perpetual with its filters."""

    symbol: str
    price: Decimal
    tick: str = "0.10"
    step: str = "0.001"
    max_market: str = "120"
    notional: str = "50"
    kind: str = "PERPETUAL"
    depth: Decimal | None = None
    """How much a market order finds; None: everything."""

    def describe(self) -> dict[str, Any]:
        """Return the contract as exchangeInfo does."""
        lot = {"minQty": self.step, "maxQty": "1000", "stepSize": self.step}
        return {
            "symbol": self.symbol,
            "pair": self.symbol,
            "contractType": self.kind,
            "deliveryDate": 4133404800000,
            "onboardDate": 1569398400000,
            "status": "TRADING",
            "baseAsset": self.symbol.removesuffix("USDT"),
            "quoteAsset": "USDT",
            "marginAsset": "USDT",
            "pricePrecision": 2,
            "quantityPrecision": 3,
            "underlyingType": "COIN",
            "underlyingSubType": [],
            "triggerProtect": "0.0500",
            "marketTakeBound": "0.05",
            "orderTypes": ["LIMIT", "MARKET", *CONDITIONAL],
            "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
            "filters": [
                {
                    "filterType": "PRICE_FILTER",
                    "minPrice": "0.10",
                    "maxPrice": "4529764",
                    "tickSize": self.tick,
                },
                {"filterType": "LOT_SIZE", **lot},
                {"filterType": "MARKET_LOT_SIZE", **lot, "maxQty": self.max_market},
                {"filterType": "MIN_NOTIONAL", "notional": self.notional},
                {"filterType": "MAX_NUM_ORDERS", "limit": 200},
            ],
        }


@dataclass
class Placed:
    """One ordinary order."""

    contract: Contract
    number: int
    client_id: str
    side: str
    kind: str
    quantity: Decimal
    price: Decimal
    reduces: bool
    placed_at: int
    changed_at: int
    status: str = "NEW"
    executed: Decimal = ZERO
    worth: Decimal = ZERO

    @property
    def sign(self) -> int:
        """Which way it moves the position."""
        return 1 if self.side == "BUY" else -1

    def describe(self) -> dict[str, Any]:
        """Return the order as a look-up does."""
        average = self.worth / self.executed if self.executed else ZERO
        return self.answer() | {
            "avgPrice": f"{average:.5f}",
            "cumQuote": plain(self.worth),
            "time": self.placed_at,
        }

    def answer(self) -> dict[str, Any]:
        """Return the order as the answers to placing and cancelling do: without what it cost."""
        return {
            "clientOrderId": self.client_id,
            "cumQty": plain(self.executed),
            "executedQty": plain(self.executed),
            "orderId": self.number,
            "origQty": plain(self.quantity),
            "price": plain(self.price),
            "reduceOnly": self.reduces,
            "side": self.side,
            "positionSide": "BOTH",
            "status": self.status,
            "stopPrice": "0",
            "closePosition": False,
            "symbol": self.contract.symbol,
            "timeInForce": "GTC",
            "type": self.kind,
            "origType": self.kind,
            "updateTime": self.changed_at,
            "workingType": "CONTRACT_PRICE",
            "priceProtect": False,
            "priceMatch": "NONE",
            "selfTradePreventionMode": "EXPIRE_MAKER",
            "goodTillDate": 0,
        }


@dataclass
class Algo:
    """One order that waits for a level, and its child."""

    contract: Contract
    number: int
    client_id: str
    side: str
    kind: str
    quantity: Decimal
    trigger: Decimal
    price: Decimal
    reduces: bool
    placed_at: int
    changed_at: int
    status: str = "NEW"
    child: Placed | None = None

    def is_reached(self) -> bool:
        """Whether the price stands at the level or beyond it."""
        rises = (self.side == "BUY") == self.kind.startswith("STOP")
        price = self.contract.price
        return price >= self.trigger if rises else price <= self.trigger

    def describe(self) -> dict[str, Any]:
        """Return it as its endpoints do."""
        return {
            "algoId": self.number,
            "clientAlgoId": self.client_id,
            "algoType": "CONDITIONAL",
            "orderType": self.kind,
            "symbol": self.contract.symbol,
            "side": self.side,
            "positionSide": "BOTH",
            "timeInForce": "GTC",
            "quantity": plain(self.quantity),
            "algoStatus": self.status,
            "actualOrderId": str(self.child.number) if self.child else "",
            "actualPrice": "0.00000",
            "triggerPrice": plain(self.trigger),
            "price": plain(self.price),
            "icebergQuantity": None,
            "selfTradePreventionMode": "EXPIRE_MAKER",
            "workingType": "CONTRACT_PRICE",
            "priceMatch": "NONE",
            "closePosition": False,
            "priceProtect": False,
            "reduceOnly": self.reduces,
            "createTime": self.placed_at,
            "updateTime": self.changed_at,
            "triggerTime": self.changed_at if self.status != "NEW" else 0,
            "goodTillDate": 0,
        }


@dataclass
class Held:
    """What the account holds of one contract."""

    amount: Decimal = ZERO
    entry: Decimal = ZERO
    leverage: int = 20
    margin: str = "CROSSED"
    changes: list[str] = field(default_factory=list)
    """What was set, in order."""


class PerpetualStandIn(BinanceStandIn):
    """The venue. Everything public may be read and set by a test at any time."""

    public, weights, weight_header = PUBLIC, WEIGHTS, "x-mbx-used-weight-1m"

    def __init__(self, port: int = 0, now_ms: Callable[[], int] | None = None) -> None:
        super().__init__(port, now_ms)
        self.contracts = {
            "BTCUSDT": Contract("BTCUSDT", Decimal(50000)),
            "ETHUSDT": Contract("ETHUSDT", Decimal(2500), tick="0.01", notional="20"),
            "SOLUSDT": Contract("SOLUSDT", Decimal(150), tick="0.01", step="0.1", notional="5"),
        }
        self.wallet = Decimal(100000)
        self.held: dict[str, Held] = {name: Held() for name in self.contracts}
        self.placed: list[Placed] = []
        self.trades: list[dict[str, Any]] = []
        self.algos: list[Algo] = []
        self.income: list[dict[str, Any]] = []
        self.fee_rate = Decimal("0.0005")
        self.is_hedged = False
        self.is_stuck = False
        """Whether a stop that is reached stays TRIGGERING."""
        self.routes = {
            ("GET", "/fapi/v1/time"): self.get_time,
            ("GET", "/fapi/v1/exchangeInfo"): self.get_rules,
            ("GET", "/fapi/v1/ticker/price"): self.get_price,
            ("GET", "/fapi/v1/accountConfig"): self.get_config,
            ("GET", "/fapi/v1/positionSide/dual"): self.get_config,
            ("GET", "/fapi/v3/account"): self.get_account,
            ("GET", "/fapi/v3/positionRisk"): self.get_positions,
            ("GET", "/fapi/v1/order"): self.get_placed,
            ("GET", "/fapi/v1/algoOrder"): self.get_algo,
            ("GET", "/fapi/v1/openOrders"): self.get_open,
            ("GET", "/fapi/v1/openAlgoOrders"): self.get_open_algos,
            ("GET", "/fapi/v1/allOrders"): self.get_all,
            ("GET", "/fapi/v1/allAlgoOrders"): self.get_all_algos,
            ("GET", "/fapi/v1/userTrades"): self.get_trades,
            ("GET", "/fapi/v1/income"): self.get_income,
            ("GET", "/fapi/v1/leverageBracket"): self.get_brackets,
            ("POST", "/fapi/v1/leverage"): self.post_leverage,
            ("POST", "/fapi/v1/marginType"): self.post_margin,
            ("POST", "/fapi/v1/order"): self.post_order,
            ("POST", "/fapi/v1/algoOrder"): self.post_algo,
            ("DELETE", "/fapi/v1/order"): self.delete_order,
            ("DELETE", "/fapi/v1/algoOrder"): self.delete_algo,
        }

    # What a test tells it.

    def set_price(self, symbol: str, price: Decimal | int | str) -> None:
        """Move the market: resting orders that it reaches fill, stops that it passes trigger."""
        with self.lock:
            contract = self.contracts[symbol]
            contract.price = Decimal(price)
            for order in [o for o in self.placed if o.contract is contract and o.status in OPEN]:
                self._meet_level(order)
            for algo in [a for a in self.algos if a.contract is contract and a.status == "NEW"]:
                if algo.is_reached():
                    self._trigger(algo)

    def fill(self, client_id: str, quantity: Decimal | int | str) -> None:
        """Execute a part of a resting order at its limit price."""
        with self.lock:
            order = next(o for o in self.placed if o.client_id == client_id and o.status in OPEN)
            self._take(order, Decimal(quantity), order.price)

    def trade_by_hand(self, symbol: str, side: str, quantity: Decimal | int | str) -> None:
        """Change the position as the account's owner does on the venue's page."""
        with self.lock:
            size = Decimal(quantity)
            order = self._place(symbol, f"web_{len(self.placed)}", side, "MARKET", size, ZERO)
            self._take(order, order.quantity, order.contract.price)

    def pay_funding(self, symbol: str, amount: Decimal | int | str) -> None:
        """Pay funding for a position; negative: charge it."""
        with self.lock:
            self.wallet += Decimal(amount)
            row = {
                "symbol": symbol,
                "incomeType": "FUNDING_FEE",
                "income": plain(Decimal(amount)),
                "asset": "USDT",
                "time": self.now(),
                "info": "FUNDING_FEE",
                "tranId": 9_689_322_392 + len(self.income),
                "tradeId": "",
            }
            self.income.append(row)

    def working(self, symbol: str | None = None) -> list[tuple[str, str, Decimal, Decimal]]:
        """Return type, side, quantity and level of every order that works."""
        plain_ones = [
            (o.kind, o.side, o.quantity - o.executed, o.price, o.contract.symbol)
            for o in self.placed
            if o.status in OPEN
        ]
        waiting = [
            (a.kind, a.side, a.quantity, a.trigger, a.contract.symbol)
            for a in self.algos
            if a.status in WAITING
        ]
        return sorted(row[:4] for row in plain_ones + waiting if symbol in (None, row[4]))

    # What a request does.

    def weight_of(self, seen: Seen) -> int:
        """Return what a request weighs: more for a list of the whole account."""
        if seen.path in WHOLE_LISTS and "symbol" not in seen.params:
            return 40
        return super().weight_of(seen)

    def get_rules(self, params: dict[str, str]) -> Any:
        limit = {
            "rateLimitType": "REQUEST_WEIGHT",
            "interval": "MINUTE",
            "intervalNum": 1,
            "limit": 2400,
        }
        return {
            "timezone": "UTC",
            "serverTime": self.now(),
            "rateLimits": [limit],
            "exchangeFilters": [],
            "assets": [],
            "symbols": [each.describe() for each in self.contracts.values()],
        }

    def get_price(self, params: dict[str, str]) -> Any:
        if "symbol" not in params:
            return [self.get_price({"symbol": name}) for name in self.contracts]
        contract = self._contract(params)
        return {"symbol": contract.symbol, "price": plain(contract.price), "time": self.now()}

    def get_config(self, params: dict[str, str]) -> Any:
        return {
            "feeTier": 0,
            "canTrade": self.can_trade,
            "canDeposit": True,
            "canWithdraw": True,
            "dualSidePosition": self.is_hedged,
            "updateTime": 0,
            "multiAssetsMargin": False,
            "tradeGroupId": -1,
        }

    def get_account(self, params: dict[str, str]) -> Any:
        rows = []
        for name, held in self.held.items():
            works = [o for o in self.placed if o.contract.symbol == name and o.status in OPEN]
            if held.amount or works:
                rows.append(
                    {
                        "symbol": name,
                        "positionSide": "BOTH",
                        "positionAmt": plain(held.amount),
                        "unrealizedProfit": plain(self._profit(name)),
                        "notional": plain(held.amount * self.contracts[name].price),
                        "updateTime": self.now(),
                    }
                )
        profit = sum((self._profit(name) for name in self.held), ZERO)
        return {
            "totalWalletBalance": plain(self.wallet),
            "totalUnrealizedProfit": plain(profit),
            "totalMarginBalance": plain(self.wallet + profit),
            "availableBalance": plain(self._free()),
            "assets": [{"asset": "USDT", "walletBalance": plain(self.wallet)}],
            "positions": rows,
        }

    def get_placed(self, params: dict[str, str]) -> Any:
        return self._find_placed(params, -2013, "Order does not exist.").describe()

    def get_algo(self, params: dict[str, str]) -> Any:
        return self._find_algo(params, -2013, "Order does not exist.").describe()

    def get_open(self, params: dict[str, str]) -> Any:
        return [o.describe() for o in self._among(self.placed, params) if o.status in OPEN]

    def get_open_algos(self, params: dict[str, str]) -> Any:
        return [a.describe() for a in self._among(self.algos, params) if a.status in WAITING]

    def get_all(self, params: dict[str, str]) -> Any:
        start = int(params.get("startTime", "0"))
        return [o.describe() for o in self._among(self.placed, params) if o.placed_at >= start]

    def get_all_algos(self, params: dict[str, str]) -> Any:
        return [a.describe() for a in self._among(self.algos, params)]

    def get_trades(self, params: dict[str, str]) -> Any:
        symbol = self._contract(params).symbol
        found = [t for t in self.trades if t["symbol"] == symbol]
        if "orderId" in params:
            found = [t for t in found if t["orderId"] == int(params["orderId"])]
        found = [t for t in found if t["time"] >= int(params.get("startTime", "0"))]
        found = [t for t in found if t["id"] >= int(params.get("fromId", "0"))]
        return found[: int(params.get("limit", "500"))]

    def get_income(self, params: dict[str, str]) -> Any:
        found = [
            row
            for row in self.income
            if row["time"] >= int(params.get("startTime", "0"))
            and params.get("incomeType", row["incomeType"]) == row["incomeType"]
        ]
        return found[: int(params.get("limit", "100"))]

    def get_positions(self, params: dict[str, str]) -> Any:
        return [
            {
                "symbol": name,
                "positionSide": "BOTH",
                "positionAmt": plain(held.amount),
                "entryPrice": plain(held.entry),
                "breakEvenPrice": plain(held.entry),
                "markPrice": plain(self.contracts[name].price),
                "unRealizedProfit": plain(self._profit(name)),
                "liquidationPrice": "0",
                "isolatedMargin": "0",
                "notional": plain(held.amount * self.contracts[name].price),
                "marginAsset": "USDT",
                "isolatedWallet": "0",
                "initialMargin": "0",
                "maintMargin": "0",
                "updateTime": self.now(),
            }
            for name, held in self.held.items()
            if held.amount and params.get("symbol", name) == name
        ]

    def get_brackets(self, params: dict[str, str]) -> Any:
        bracket = {
            "bracket": 1,
            "initialLeverage": 125,
            "notionalCap": 300000,
            "notionalFloor": 0,
            "maintMarginRatio": 0.004,
            "cum": 0.0,
        }
        return [{"symbol": name, "brackets": [bracket]} for name in self.contracts]

    def post_leverage(self, params: dict[str, str]) -> Any:
        symbol, times = self._contract(params).symbol, int(params["leverage"])
        if not 1 <= times <= 125:
            raise Error(-4028, f"Leverage {times} is not valid")
        self.held[symbol].leverage = times
        self.held[symbol].changes.append(f"leverage {times}")
        return {"leverage": times, "maxNotionalValue": "1000000", "symbol": symbol}

    def post_margin(self, params: dict[str, str]) -> Any:
        held = self.held[self._contract(params).symbol]
        if held.margin == params["marginType"]:
            raise Error(-4046, "No need to change margin type.")
        if held.amount:
            raise Error(-4048, "Margin type cannot be changed if there exists position.")
        held.margin = params["marginType"]
        held.changes.append(f"margin {held.margin}")
        return {"code": 200, "msg": "success"}

    def post_order(self, params: dict[str, str]) -> Any:
        if params.get("type") in (*CONDITIONAL, "TRAILING_STOP_MARKET"):
            text = "Order type not supported for this endpoint. Please use the Algo Order API endpoints."
            raise Error(-4120, text)
        if params.get("type") not in ("LIMIT", "MARKET"):
            raise Error(-1116, "Invalid orderType.")
        name = self._read_name(params, "newClientOrderId")
        if any(o.client_id == name and o.status in OPEN for o in self.placed):
            raise Error(-4116, "ClientOrderId is duplicated.")
        contract, size = self._contract(params), self._read_size(params)
        price = self._read_price(params, "price") if params["type"] == "LIMIT" else ZERO
        if params["type"] == "LIMIT" and "timeInForce" not in params:
            raise Error(-1102, "Mandatory parameter 'timeInForce' was not sent, was empty/null.")
        reduces = params.get("reduceOnly") == "true"
        self._check(params, contract, size, price or contract.price, reduces=reduces)
        order = self._place(
            contract.symbol, name, params["side"], params["type"], size, price, reduces=reduces
        )
        if order.kind == "MARKET":
            self._take_market(order)
        else:
            self._meet_level(order, arrives=True)
        if params.get("newOrderRespType") != "RESULT":
            return order.answer() | {"status": "NEW", "executedQty": "0", "cumQty": "0"}
        return order.answer()

    def post_algo(self, params: dict[str, str]) -> Any:
        if params.get("algoType") != "CONDITIONAL" or params.get("type") not in CONDITIONAL:
            raise Error(-1116, "Invalid orderType.")
        name = self._read_name(params, "clientAlgoId")
        if any(a.client_id == name and a.status in WAITING for a in self.algos):
            raise Error(-4116, "clientAlgoId is duplicated.")
        contract, size = self._contract(params), self._read_size(params)
        limits = params["type"] in ("STOP", "TAKE_PROFIT")
        trigger = self._read_price(params, "triggerPrice")
        price = self._read_price(params, "price") if limits else ZERO
        reduces = params.get("reduceOnly") == "true"
        self._check(params, contract, size, price or trigger, reduces=reduces, margin=False)
        algo = Algo(
            *(contract, 2_000_000 + len(self.algos), name, params["side"], params["type"]),
            *(size, trigger, price, reduces, self.now(), self.now()),
        )
        if algo.is_reached():
            raise Error(-2021, "Order would immediately trigger.")
        self.algos.append(algo)
        return algo.describe()

    def delete_order(self, params: dict[str, str]) -> Any:
        order = self._find_placed(params, -2011, "Unknown order sent.")
        if order.status not in OPEN:
            raise Error(-2011, "Unknown order sent.")
        self._end_placed(order, "CANCELED")
        return order.answer()

    def delete_algo(self, params: dict[str, str]) -> Any:
        algo = self._find_algo(params, -2011, "Unknown order sent.")
        if algo.status != "NEW":
            raise Error(-2011, "Unknown order sent.")
        algo.status, algo.changed_at = "CANCELED", self.now()
        return {
            "algoId": algo.number,
            "clientAlgoId": algo.client_id,
            "code": "200",
            "msg": "success",
        }

    # Reading a request.

    def _contract(self, params: dict[str, str]) -> Contract:
        if "symbol" not in params:
            raise Error(-1102, "Mandatory parameter 'symbol' was not sent, was empty/null.")
        if params["symbol"] not in self.contracts:
            raise Error(-1121, "Invalid symbol.")
        return self.contracts[params["symbol"]]

    def _among(self, rows: list[Any], params: dict[str, str]) -> list[Any]:
        contract = self._contract(params) if "symbol" in params else None
        return [row for row in rows if contract in (None, row.contract)]

    def _find_placed(self, params: dict[str, str], code: int, message: str) -> Placed:
        contract = self._contract(params)
        for order in reversed(self.placed):
            named = params.get("origClientOrderId", order.client_id) == order.client_id
            numbered = params.get("orderId", str(order.number)) == str(order.number)
            if named and numbered and order.contract is contract:
                return order
        raise Error(code, message)

    def _find_algo(self, params: dict[str, str], code: int, message: str) -> Algo:
        if not {"algoId", "clientAlgoId"} & params.keys():
            raise Error(-1102, "Param 'algoid' or 'clientalgoid' must be sent.")
        for algo in reversed(self.algos):
            named = params.get("clientAlgoId", algo.client_id) == algo.client_id
            if params.get("algoId", str(algo.number)) == str(algo.number) and named:
                return algo
        raise Error(code, message)

    def _read_name(self, params: dict[str, str], key: str) -> str:
        name = params.get(key, f"auto{len(self.placed) + len(self.algos)}")
        if not LINK.fullmatch(name):
            raise Error(-4015, "Client order id is not valid.")
        return name

    def _read_size(self, params: dict[str, str]) -> Decimal:
        if "quantity" not in params:
            raise Error(-1102, "Mandatory parameter 'quantity' was not sent, was empty/null.")
        contract, size = self._contract(params), Decimal(params["quantity"])
        if size % Decimal(contract.step):
            text = "Precision is over the maximum defined for this asset."
            raise Error(-1111, text)
        if size <= 0:
            raise Error(-4003, "Quantity less than or equal to zero.")
        if size > Decimal(contract.max_market if params["type"] == "MARKET" else "1000"):
            raise Error(-4005, "Quantity greater than max quantity.")
        return size

    def _read_price(self, params: dict[str, str], key: str) -> Decimal:
        if key not in params:
            raise Error(-1102, f"Mandatory parameter '{key}' was not sent, was empty/null.")
        price = Decimal(params[key])
        if price % Decimal(self._contract(params).tick):
            raise Error(-4014, "Price not increased by tick size.")
        return price

    def _check(
        self,
        params: dict[str, str],
        contract: Contract,
        size: Decimal,
        price: Decimal,
        *,
        reduces: bool,
        margin: bool = True,
    ) -> None:
        if params.get("side") not in ("BUY", "SELL"):
            raise Error(-1117, "Invalid side.")
        if self.is_hedged and params.get("positionSide", "BOTH") == "BOTH":
            raise Error(-4061, "Order's position side does not match user's setting.")
        if not reduces and size * price < Decimal(contract.notional):
            text = f"Order's notional must be no smaller than {contract.notional}"
            raise Error(-4164, text)
        held = self.held[contract.symbol]
        sign = 1 if params["side"] == "BUY" else -1
        if reduces and margin and held.amount * sign >= 0:
            raise Error(-2022, "ReduceOnly Order is rejected.")
        opens = ZERO if reduces else max(size - max(-held.amount * sign, ZERO), ZERO)
        if margin and opens * price / held.leverage > self._free():
            raise Error(-2019, "Margin is insufficient.")

    # What becomes of orders.

    def _place(
        self,
        symbol: str,
        name: str,
        side: str,
        kind: str,
        size: Decimal,
        price: Decimal,
        *,
        reduces: bool = False,
    ) -> Placed:
        number, now = 10_000 + len(self.placed), self.now()
        contract = self.contracts[symbol]
        order = Placed(contract, number, name, side, kind, size, price, reduces, now, now)
        self.placed.append(order)
        return order

    def _trigger(self, algo: Algo) -> None:
        algo.changed_at = self.now()
        if self.is_stuck:
            algo.status = "TRIGGERING"
            return
        held = self.held[algo.contract.symbol].amount
        if algo.reduces and held * (1 if algo.side == "BUY" else -1) >= 0:
            algo.status = "EXPIRED"
            return
        kind = "LIMIT" if algo.price else "MARKET"
        name = f"x-algo{algo.number}"
        where = (algo.contract.symbol, name, algo.side, kind, algo.quantity, algo.price)
        algo.child, algo.status = self._place(*where, reduces=algo.reduces), "TRIGGERED"
        if kind == "MARKET":
            self._take_market(algo.child)
        else:
            self._meet_level(algo.child, arrives=True)

    def _meet_level(self, order: Placed, *, arrives: bool = False) -> None:
        """Fill what rests at its level where the price reaches it, what arrives beyond it at the market."""
        price = order.contract.price
        if price <= order.price if order.side == "BUY" else price >= order.price:
            self._take(order, order.quantity - order.executed, price if arrives else order.price)

    def _take_market(self, order: Placed) -> None:
        depth = order.contract.depth
        self._take(
            order,
            min(order.quantity, order.quantity if depth is None else depth),
            order.contract.price,
        )
        if order.status in OPEN:
            self._end_placed(order, "EXPIRED")

    def _take(self, order: Placed, quantity: Decimal, price: Decimal) -> None:
        held = self.held[order.contract.symbol]
        if order.reduces:
            against = max(-held.amount * order.sign, ZERO)
            if against < quantity:
                self._execute(order, against, price)
                self._end_placed(order, "EXPIRED")
                return
        self._execute(order, quantity, price)

    def _execute(self, order: Placed, quantity: Decimal, price: Decimal) -> None:
        if quantity <= 0:
            return
        held, before = self.held[order.contract.symbol], self.held[order.contract.symbol].amount
        closing = min(quantity, max(-before * order.sign, ZERO))
        profit = closing * (price - held.entry) * -order.sign
        fee = quantity * price * self.fee_rate
        self.wallet += profit - fee
        held.amount = before + quantity * order.sign
        opening = quantity - closing
        if opening:
            kept = abs(before) if not closing else ZERO
            held.entry = (held.entry * kept + price * opening) / (kept + opening)
        self.trades.append(
            {
                "symbol": order.contract.symbol,
                "id": 700_000 + len(self.trades),
                "orderId": order.number,
                "side": order.side,
                "positionSide": "BOTH",
                "price": plain(price),
                "qty": plain(quantity),
                "quoteQty": plain(quantity * price),
                "realizedPnl": plain(profit),
                "commission": plain(fee),
                "commissionAsset": "USDT",
                "marginAsset": "USDT",
                "buyer": order.side == "BUY",
                "maker": order.kind == "LIMIT",
                "time": self.now(),
            }
        )
        order.executed += quantity
        order.worth += quantity * price
        self._end_placed(
            order, "FILLED" if order.executed == order.quantity else "PARTIALLY_FILLED"
        )

    def _end_placed(self, order: Placed, status: str) -> None:
        order.status, order.changed_at = status, self.now()
        parent = next((a for a in self.algos if a.child is order), None)
        if parent and status not in OPEN:
            parent.status, parent.changed_at = "FINISHED", self.now()

    def _profit(self, symbol: str) -> Decimal:
        held = self.held[symbol]
        return (self.contracts[symbol].price - held.entry) * held.amount

    def _free(self) -> Decimal:
        used = sum(
            (abs(h.amount) * self.contracts[n].price / h.leverage for n, h in self.held.items()),
            ZERO,
        )
        profit = sum((self._profit(name) for name in self.held), ZERO)
        return self.wallet + profit - used


def plain(value: Decimal) -> str:
    """Write an amount as the venue does: plain decimals, at most eight."""
    written = f"{value:.8f}".rstrip("0").rstrip(".")
    return written or "0"


def main() -> None:
    """Run the stand-in until it is interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--port", type=int, default=8124)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    options = parser.parse_args()
    venue = PerpetualStandIn(options.port)
    venue.latency_seconds = options.latency
    run(venue, f"BINANCE_API_KEY={KEY} BINANCE_API_SECRET={SECRET}")


if __name__ == "__main__":
    main()
