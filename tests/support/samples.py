"""What each venue says and wants to hear: one sample a broker, for the contract that all of them keep.

A sample is complete when the suite can make the broker, open, reduce, be refused, be mistaken for another
order and look an order up. Everything is literal: it is what the venue's documentation shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from brokers.protocol import Instrument, OrderRequest

D = Decimal
AlertAnswer = tuple[int, Any]
"""Status and JSON."""
Endpoint = tuple[str, str]
"""Method and path."""


@dataclass(frozen=True)
class Account:
    """What config.yaml and .env say of an account."""

    base_url: str | None
    credentials: Mapping[str, str] = field(repr=False)
    market: str | None
    sandbox: bool = False
    is_demo: bool = False
    roll_days: int | None = None
    leverage: Decimal | None = None
    margin: str | None = None
    host: str | None = None
    account: str | None = None
    exchange: str | None = None


@dataclass(frozen=True)
class Deal:
    """One order, how it must look on the wire, and what its venue answers."""

    request: OrderRequest
    endpoint: Endpoint
    sent: Mapping[str, str]
    """Parameters (of query, form or JSON body) that must arrive exactly so."""
    accepted: AlertAnswer
    status: str
    """Of the receipt."""
    filled: Decimal
    average_price: Decimal | None
    refused: AlertAnswer
    duplicate: AlertAnswer
    """The reply that says that the client id is in use."""
    found: AlertAnswer
    """What a look-up then finds: the same order, filled."""
    named: str = ""
    """The client id as it travels, where the venue wants it in a form of its own."""


@dataclass(frozen=True)
class Sample:
    """Everything the contract suite must know of one broker."""

    market: str | None
    credentials: Mapping[str, str]
    """By the names of `needs`; made up, long, and found nowhere else."""
    symbol: str
    """A TradingView spelling."""
    rules: Mapping[Endpoint, AlertAnswer]
    """What set-up calls and reads that always work are answered."""
    opening: Deal
    reducing: Deal
    lookup: Endpoint
    absent: AlertAnswer
    id_at: tuple[str | int, ...]
    """Where the order's own id stands in an accepting reply."""
    client_id_at: tuple[str | int, ...]
    price_at: tuple[str | int, ...]
    """Where a price of what was filled stands there."""
    words_at: tuple[str | int, ...]
    """Where a refusing reply has its text."""
    cancel: Endpoint
    pair: tuple[OrderRequest, ...] = ()
    """A stop and a target that end one another, where `capabilities` has oco."""
    pair_endpoint: Endpoint = ("", "")
    pair_accepted: AlertAnswer = (0, None)
    reads_back: bool = False
    """Whether the venue only acknowledges: id and price of what was filled then stand in `found`."""
    exchange: str | None = None
    bracket: OrderRequest | None = None
    """An entry with legs, where `capabilities` has bracket."""
    bracket_endpoint: Endpoint = ("", "")
    bracket_accepted: AlertAnswer = (0, None)
    echoes: bool = True
    """Whether an accepting reply describes the order; else it has the order's number alone."""
    fills_at: tuple[str | int, ...] = ("fills",)
    """Where an accepting reply has its executions."""
    searches: bool = False
    """Whether a look-up searches a list for our id, so that another order is none."""
    has_duplicates: bool = True
    """Whether the venue itself says that a client id is taken."""
    has_token: bool = False
    """Whether the broker logs in: after a 401 once more, with another token."""
    has_long_quota: bool = False
    """Whether a 429 keeps entries away for longer than the pause that exits wait for."""
    by_deal: Callable[[Deal], Mapping[Endpoint, AlertAnswer]] | None = None
    """What is answered besides when an order is read back."""


# --- a made-up venue (tests/example_venue.py) ----------------------------------------------------------

_PERPETUAL = Instrument("BTCUSDT.P", "linear", tick=D("0.1"), step=D("0.0000001"))


def _example_order(client_id: str, side: str) -> dict[str, Any]:
    fill = {
        "trade_id": "t1",
        "id": client_id,
        "side": side,
        "quantity": "0.0000123",
        "price": "64000.10",
        "fee": "0.04",
        "fee_coin": "USDT",
        "at": 1_760_000_000_000,
    }
    return {
        "id": client_id,
        "venue_id": "v-77",
        "state": "done",
        "filled": "0.0000123",
        "average_price": "64000.10",
        "fills": [fill],
    }


def _example_deal(client_id: str, side: str, *, reduces: bool) -> Deal:
    done = (200, _example_order(client_id, side))
    return Deal(
        request=OrderRequest(client_id, _PERPETUAL, side, D("0.0000123"), reduces=reduces),
        endpoint=("POST", "/orders"),
        sent={
            "id": client_id,
            "symbol": "BTCUSDT.P",
            "side": side,
            "type": "market",
            "quantity": "0.0000123",
            "reduce_only": str(reduces),
        },
        accepted=done,
        status="filled",
        filled=D("0.0000123"),
        average_price=D("64000.10"),
        refused=(422, {"code": "NO_MONEY", "message": "Not enough money."}),
        duplicate=(409, {"code": "DUPLICATE_ID", "message": "The id is in use."}),
        found=done,
    )


EXAMPLE = Sample(
    market=None,
    credentials={"EXAMPLE_KEY": "ex4mple+key/of==an account"},
    symbol="BTCUSDT.P",
    rules={
        ("GET", "/symbols/BTCUSDT.P"): (
            200,
            {"tick": "0.1", "step": "0.0000001", "last": "64000.1"},
        ),
    },
    opening=_example_deal("o-1", "buy", reduces=False),
    reducing=_example_deal("r-1", "sell", reduces=True),
    lookup=("GET", "/orders/{client_id}"),
    absent=(404, {"code": "NO_SUCH_ORDER", "message": "No such order."}),
    id_at=("venue_id",),
    client_id_at=("id",),
    price_at=("fills", 0, "price"),
    words_at=("message",),
    cancel=("DELETE", "/orders/{client_id}"),
)


# --- Binance, spot -------------------------------------------------------------------------------------

_BITCOIN = Instrument(
    "BTCUSDT", "spot", base="BTC", quote="USDT", tick=D("0.01"), step=D("0.00001")
)
_BINANCE_RULES = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "filters": [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": "0.01000000",
            "maxPrice": "1000000.00000000",
            "tickSize": "0.01000000",
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": "0.00001000",
            "maxQty": "9000.00000000",
            "stepSize": "0.00001000",
        },
        {"filterType": "NOTIONAL", "minNotional": "5.00000000"},
    ],
}
_BINANCE_AT = 1_760_000_000_000


def _binance_order(client_id: str, side: str, **changes: Any) -> dict[str, Any]:
    """Return a market order that was filled, as POST /api/v3/order answers with FULL."""
    return {
        "symbol": "BTCUSDT",
        "orderId": 28_412_345_678,
        "orderListId": -1,
        "clientOrderId": client_id,
        "transactTime": _BINANCE_AT,
        "price": "0.00000000",
        "origQty": "0.00001000",
        "executedQty": "0.00001000",
        "origQuoteOrderQty": "0.00000000",
        "cummulativeQuoteQty": "0.64000100",
        "status": "FILLED",
        "timeInForce": "GTC",
        "type": "MARKET",
        "side": side,
        "workingTime": _BINANCE_AT,
        "selfTradePreventionMode": "NONE",
        "fills": [
            {
                "price": "64000.10000000",
                "qty": "0.00001000",
                "commission": "0.00000001",
                "commissionAsset": "BTC",
                "tradeId": 4_123_456_789,
            }
        ],
        **changes,
    }


def _binance_found(client_id: str, side: str) -> dict[str, Any]:
    """Return the same order as GET /api/v3/order tells it: with other times and without its fills."""
    order = _binance_order(client_id, side, time=_BINANCE_AT, updateTime=_BINANCE_AT)
    return {name: order[name] for name in order if name not in ("fills", "transactTime")}


def _binance_deal(client_id: str, side: str, *, reduces: bool) -> Deal:
    return Deal(
        request=OrderRequest(client_id, _BITCOIN, side, D("0.0000100"), reduces=reduces),
        endpoint=("POST", "/api/v3/order"),
        sent={
            "symbol": "BTCUSDT",
            "side": side.upper(),
            "type": "MARKET",
            "quantity": "0.00001",
            "newClientOrderId": client_id,
        },
        accepted=(200, _binance_order(client_id, side.upper())),
        status="filled",
        filled=D("0.00001"),
        average_price=D("64000.10"),
        refused=(
            400,
            {"code": -2010, "msg": "Account has insufficient balance for requested action."},
        ),
        duplicate=(400, {"code": -2010, "msg": "Duplicate order sent."}),
        found=(200, _binance_found(client_id, side.upper())),
    )


def _leg(client_id: str, kind: str, level: str) -> OrderRequest:
    price = {"limit_price" if kind == "limit" else "stop_price": D(level)}
    return OrderRequest(client_id, _BITCOIN, "sell", D("0.00001"), kind, reduces=True, **price)


def _binance_list(*orders: tuple[str, str, str]) -> AlertAnswer:
    reports = [
        _binance_order(
            client_id,
            side,
            type=kind,
            status="NEW",
            executedQty="0.00000000",
            cummulativeQuoteQty="0.00000000",
            orderListId=7,
            orderId=number,
            fills=[],
        )
        for number, (client_id, side, kind) in enumerate(orders, 100)
    ]
    return 200, {"orderListId": 7, "contingencyType": "OCO", "orderReports": reports}


_STOP, _TARGET = _leg("s-1", "stop", "60000.00"), _leg("t-1", "limit", "70000.00")
BINANCE = Sample(
    market="spot",
    credentials={
        "BINANCE_API_KEY": "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A",
        "BINANCE_API_SECRET": "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j",
    },
    symbol="BINANCE:BTCUSDT",
    rules={
        ("GET", "/api/v3/time"): (200, {"serverTime": _BINANCE_AT}),
        ("GET", "/api/v3/exchangeInfo"): (200, {"symbols": [_BINANCE_RULES]}),
        ("GET", "/api/v3/ticker/price"): (200, {"symbol": "BTCUSDT", "price": "64000.10000000"}),
        ("GET", "/api/v3/myTrades"): (
            200,
            [
                {
                    "symbol": "BTCUSDT",
                    "id": 4_123_456_789,
                    "orderId": 28_412_345_678,
                    "price": "64000.10000000",
                    "qty": "0.00001000",
                    "commission": "0.00000001",
                    "commissionAsset": "BTC",
                    "time": _BINANCE_AT,
                    "isBuyer": True,
                    "isMaker": False,
                }
            ],
        ),
    },
    opening=_binance_deal("o-1", "buy", reduces=False),
    reducing=_binance_deal("r-1", "sell", reduces=True),
    lookup=("GET", "/api/v3/order"),
    absent=(400, {"code": -2013, "msg": "Order does not exist."}),
    id_at=("orderId",),
    client_id_at=("clientOrderId",),
    price_at=("fills", 0, "price"),
    words_at=("msg",),
    cancel=("DELETE", "/api/v3/order"),
    pair=(_STOP, _TARGET),
    pair_endpoint=("POST", "/api/v3/orderList/oco"),
    pair_accepted=_binance_list(("t-1", "SELL", "LIMIT_MAKER"), ("s-1", "SELL", "STOP_LOSS")),
    bracket=replace(
        OrderRequest("e-1", _BITCOIN, "buy", D("0.00001"), "limit", D("64000.00")),
        legs=(_STOP, _TARGET),
    ),
    bracket_endpoint=("POST", "/api/v3/orderList/otoco"),
    bracket_accepted=_binance_list(
        ("e-1", "BUY", "LIMIT"), ("t-1", "SELL", "LIMIT_MAKER"), ("s-1", "SELL", "STOP_LOSS")
    ),
)


# --- Binance, USD-M perpetuals -------------------------------------------------------------------------

_CONTRACT = Instrument(
    "BTCUSDT", "linear", base="BTC", quote="USDT", tick=D("0.10"), step=D("0.001")
)
_CONTRACT_RULES = {
    "symbol": "BTCUSDT",
    "pair": "BTCUSDT",
    "contractType": "PERPETUAL",
    "status": "TRADING",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "marginAsset": "USDT",
    "pricePrecision": 2,
    "quantityPrecision": 3,
    "filters": [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": "556.80",
            "maxPrice": "4529764",
            "tickSize": "0.10",
        },
        {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
        {"filterType": "MARKET_LOT_SIZE", "minQty": "0.001", "maxQty": "120", "stepSize": "0.001"},
        {"filterType": "MIN_NOTIONAL", "notional": "50"},
    ],
}
_CONTRACT_TRADE = {
    "symbol": "BTCUSDT",
    "id": 698_759,
    "orderId": 22_542_179,
    "buyer": True,
    "commission": "0.03200005",
    "commissionAsset": "USDT",
    "maker": False,
    "positionSide": "BOTH",
    "price": "64000.10",
    "qty": "0.001",
    "quoteQty": "64.00010",
    "realizedPnl": "0",
    "side": "BUY",
    "time": _BINANCE_AT,
}


def _usdm_order(client_id: str, side: str, *, reduces: bool) -> dict[str, Any]:
    """Return a market order that was filled, as POST /fapi/v1/order answers: without what it cost."""
    return {
        "clientOrderId": client_id,
        "cumQty": "0.001",
        "executedQty": "0.001",
        "orderId": 22_542_179,
        "origQty": "0.001",
        "price": "0",
        "reduceOnly": reduces,
        "side": side,
        "positionSide": "BOTH",
        "status": "FILLED",
        "stopPrice": "0",
        "closePosition": False,
        "symbol": "BTCUSDT",
        "timeInForce": "GTC",
        "type": "MARKET",
        "origType": "MARKET",
        "updateTime": _BINANCE_AT,
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "priceMatch": "NONE",
        "selfTradePreventionMode": "NONE",
        "goodTillDate": 0,
    }


def _usdm_deal(client_id: str, side: str, *, reduces: bool) -> Deal:
    placed = _usdm_order(client_id, side.upper(), reduces=reduces)
    found = {**placed, "avgPrice": "64000.10", "cumQuote": "64.0001", "time": _BINANCE_AT}
    return Deal(
        request=OrderRequest(client_id, _CONTRACT, side, D("0.0010"), reduces=reduces),
        endpoint=("POST", "/fapi/v1/order"),
        sent={
            "symbol": "BTCUSDT",
            "side": side.upper(),
            "type": "MARKET",
            "quantity": "0.001",
            "newClientOrderId": client_id,
            "newOrderRespType": "RESULT",
            **({"reduceOnly": "true"} if reduces else {}),
        },
        accepted=(200, placed),
        status="filled",
        filled=D("0.001"),
        average_price=D("64000.10"),
        refused=(400, {"code": -2019, "msg": "Margin is insufficient."}),
        duplicate=(400, {"code": -4116, "msg": "ClientOrderId is duplicated."}),
        found=(200, found),
    )


BINANCE_LINEAR = Sample(
    market="linear",
    credentials=BINANCE.credentials,
    symbol="BINANCE:BTCUSDT.P",
    rules={
        ("GET", "/fapi/v1/time"): (200, {"serverTime": _BINANCE_AT}),
        ("GET", "/fapi/v1/exchangeInfo"): (200, {"symbols": [_CONTRACT_RULES]}),
        ("GET", "/fapi/v1/accountConfig"): (200, {"canTrade": True, "dualSidePosition": False}),
        ("GET", "/fapi/v1/ticker/price"): (200, {"symbol": "BTCUSDT", "price": "64000.10"}),
        ("GET", "/fapi/v1/userTrades"): (200, [_CONTRACT_TRADE]),
    },
    opening=_usdm_deal("o-1", "buy", reduces=False),
    reducing=_usdm_deal("r-1", "sell", reduces=True),
    lookup=("GET", "/fapi/v1/order"),
    absent=(400, {"code": -2013, "msg": "Order does not exist."}),
    id_at=("orderId",),
    client_id_at=("clientOrderId",),
    price_at=("executedQty",),  # the answer brings no price, only how much was filled
    words_at=("msg",),
    cancel=("DELETE", "/fapi/v1/order"),
)

SAMPLES: dict[str, Sample] = {
    "binance": BINANCE,
    "binance linear": BINANCE_LINEAR,
    "example": EXAMPLE,
}
