"""What Bybit says and wants to hear, for the contract that all brokers keep."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from brokers.protocol import Instrument, OrderRequest
from tests.support.samples import AlertAnswer, Deal, Endpoint, Sample

D = Decimal
AT = 1_760_000_000_000
CREDENTIALS = {
    "BYBIT_API_KEY": "made+up/key=of an account",
    "BYBIT_API_SECRET": "made-up-secret-of-bybit-4711-0815",
}
NUMBERS = {"o-1": "1321003749386327552", "r-1": "1321003749386327553"}


def answer(result: Any, code: int = 0, message: str = "OK") -> dict[str, Any]:
    """Return Bybit's envelope around a result."""
    return {"retCode": code, "retMsg": message, "result": result, "retExtInfo": {}, "time": AT}


def order_row(client_id: str, side: str, **changes: Any) -> dict[str, Any]:
    """Return a market order that was filled, as the lists of orders tell it."""
    return {
        "orderId": NUMBERS.get(client_id, "17"),
        "orderLinkId": client_id,
        "symbol": "BTCUSDT",
        "price": "67200.2",
        "qty": "0.001",
        "side": side.capitalize(),
        "positionIdx": 0,
        "orderStatus": "Filled",
        "cancelType": "UNKNOWN",
        "rejectReason": "EC_NoError",
        "avgPrice": "64000.1",
        "leavesQty": "0.000",
        "leavesValue": "0",
        "cumExecQty": "0.001",
        "cumExecValue": "64.0001",
        "cumExecFee": "0.0352",
        "cumFeeDetail": {"USDT": "0.0352"},
        "timeInForce": "IOC",
        "orderType": "Market",
        "stopOrderType": "",
        "marketUnit": "baseCoin",
        "triggerPrice": "",
        "takeProfit": "",
        "stopLoss": "",
        "tpslMode": "",
        "triggerDirection": 0,
        "reduceOnly": False,
        "parentOrderLinkId": "",
        "createdTime": str(AT),
        "updatedTime": str(AT),
        **changes,
    }


def execution_row(client_id: str, side: str, **changes: Any) -> dict[str, Any]:
    """Return one execution."""
    return {
        "symbol": "BTCUSDT",
        "orderType": "Market",
        "orderLinkId": client_id,
        "side": side.capitalize(),
        "orderId": NUMBERS.get(client_id, "17"),
        "stopOrderType": "UNKNOWN",
        "leavesQty": "0",
        "execTime": str(AT),
        "feeCurrency": "",
        "isMaker": False,
        "execFee": "0.0352",
        "feeRate": "0.00055",
        "execId": f"e0cbe81d-{client_id}",
        "execPrice": "64000.1",
        "execValue": "64.0001",
        "execType": "Trade",
        "execQty": "0.001",
        "closedSize": "",
        **changes,
    }


def page(*rows: Any) -> AlertAnswer:
    """Return a list that ends here."""
    return 200, answer({"list": list(rows), "nextPageCursor": ""})


RULES = {
    "linear": {
        "symbol": "BTCUSDT",
        "contractType": "LinearPerpetual",
        "status": "Trading",
        "baseCoin": "BTC",
        "quoteCoin": "USDT",
        "settleCoin": "USDT",
        "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
        "priceFilter": {"minPrice": "0.10", "maxPrice": "199999.80", "tickSize": "0.10"},
        "lotSizeFilter": {
            "maxOrderQty": "1190.000",
            "maxMktOrderQty": "119.000",
            "minOrderQty": "0.001",
            "qtyStep": "0.001",
            "minNotionalValue": "5",
        },
    },
    "spot": {
        "symbol": "BTCUSDT",
        "baseCoin": "BTC",
        "quoteCoin": "USDT",
        "status": "Trading",
        "marginTrading": "utaOnly",
        "lotSizeFilter": {
            "basePrecision": "0.000001",
            "quotePrecision": "0.00000001",
            "minOrderQty": "0.000048",
            "minOrderAmt": "5",
            "maxMarketOrderQty": "35.8",
        },
        "priceFilter": {"tickSize": "0.1"},
    },
}


def _deal(category: str, client_id: str, side: str, *, reduces: bool) -> Deal:
    instrument = Instrument(
        "BTCUSDT", category, base="BTC", quote="USDT", tick=D("0.1"), step=D("0.001")
    )
    extra = {"positionIdx": "0", **({"reduceOnly": "True"} if reduces else {})}
    spot = {"isLeverage": "0", "marketUnit": "baseCoin"}
    return Deal(
        request=OrderRequest(client_id, instrument, side, D("0.0010"), reduces=reduces),
        endpoint=("POST", "/v5/order/create"),
        sent={
            "category": category,
            "symbol": "BTCUSDT",
            "side": side.capitalize(),
            "orderType": "Market",
            "qty": "0.001",
            "orderLinkId": client_id,
            **(extra if category == "linear" else spot),
        },
        accepted=(200, answer({"orderId": NUMBERS[client_id], "orderLinkId": client_id})),
        status="filled",
        filled=D("0.001"),
        average_price=D("64000.1"),
        refused=(200, answer({}, 110007, "ab not enough for new order")),
        duplicate=(200, answer({}, 110072, "OrderLinkedID is duplicate")),
        found=page(order_row(client_id, side)),
    )


def _by_deal(deal: Deal) -> dict[Endpoint, AlertAnswer]:
    """Return the executions of the one order that there is, found by its number alone."""
    row = execution_row(deal.request.client_id, deal.request.side, orderLinkId="")
    return {("GET", "/v5/execution/list"): page(row)}


def _sample(category: str, symbol: str) -> Sample:
    return Sample(
        market=category,
        credentials=CREDENTIALS,
        symbol=symbol,
        rules={
            ("GET", "/v5/market/time"): (
                200,
                answer({"timeSecond": str(AT // 1000), "timeNano": str(AT * 1_000_000)}),
            ),
            ("GET", "/v5/market/instruments-info"): page(RULES[category]),
            ("GET", "/v5/market/tickers"): page({"symbol": "BTCUSDT", "lastPrice": "64000.1"}),
            ("GET", "/v5/position/list"): page(
                {"symbol": "BTCUSDT", "positionIdx": 0, "side": "", "size": "0"}
            ),
            ("GET", "/v5/account/wallet-balance"): page(
                {"totalEquity": "1000.5", "coin": [{"coin": "USDT", "walletBalance": "1000"}]}
            ),
            ("GET", "/v5/order/history"): page(),
        },
        by_deal=_by_deal,
        opening=_deal(category, "o-1", "buy", reduces=False),
        reducing=_deal(category, "r-1", "sell", reduces=True),
        lookup=("GET", "/v5/order/realtime"),
        absent=page(),
        reads_back=True,
        id_at=("result", "orderId"),
        client_id_at=("result", "list", 0, "orderLinkId"),
        price_at=("result", "list", 0, "cumExecValue"),
        words_at=("retMsg",),
        cancel=("POST", "/v5/order/cancel"),
    )


BYBIT = _sample("spot", "BYBIT:BTCUSDT")
BYBIT_LINEAR = _sample("linear", "BYBIT:BTCUSDT.P")
