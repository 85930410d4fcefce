"""What Tradovate says and wants to hear, for the contract that all brokers keep."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from brokers.protocol import Instrument, OrderRequest
from tests.support.samples import AlertAnswer, Deal, Sample

D = Decimal
AT = "2099-01-01T00:00:00.000Z"
CONTRACT = {"id": 3_570_918, "name": "MESZ6", "contractMaturityId": 51_001, "timestamp": AT}
ACCOUNT = {"id": 777, "name": "DEMO4242", "userId": 12, "accountType": "Customer"}
TOKEN = {
    "accessToken": "made-up-access-token-of-tradovate",
    "expirationTime": "2099-01-01T00:00:00.000Z",
    "userId": 12,
    "name": "made-up",
}
MES = Instrument("MESZ6", "futures", root="MES", point_value=D(5), tick=D("0.25"), step=D(1))
NUMBERS = {"o-1": 9001, "r-1": 9002}


def order_row(number: int, action: str, state: str = "Filled") -> dict[str, Any]:
    """Return one order, which has no size, price or client id."""
    return {
        "id": number,
        "accountId": 777,
        "contractId": CONTRACT["id"],
        "timestamp": AT,
        "action": action,
        "ordStatus": state,
        "admin": False,
    }


def command_row(number: int, client_id: str) -> dict[str, Any]:
    """Return the command that made an order."""
    return {
        "id": number + 50_000,
        "orderId": number,
        "timestamp": AT,
        "clOrdId": client_id,
        "commandType": "New",
        "commandStatus": "AtExecution",
    }


def fill_row(number: int, action: str, quantity: int = 2, price: str = "6001.25") -> dict[str, Any]:
    """Return one execution."""
    return {
        "id": number + 70_000,
        "orderId": number,
        "contractId": CONTRACT["id"],
        "timestamp": AT,
        "tradeDate": {"year": 2026, "month": 11, "day": 20},
        "action": action,
        "qty": quantity,
        "price": float(price),  # exact in binary: a quarter of a point
        "active": True,
        "finallyPaired": 0,
    }


def _deal(client_id: str, side: str, *, reduces: bool) -> Deal:
    return Deal(
        request=OrderRequest(client_id, MES, side, D(2), reduces=reduces),
        endpoint=("POST", "/v1/order/placeorder"),
        sent={
            "accountSpec": "DEMO4242",
            "accountId": "777",
            "clOrdId": client_id,
            "action": side.capitalize(),
            "symbol": "MESZ6",
            "orderQty": "2",
            "orderType": "Market",
            "isAutomated": "True",
        },
        accepted=(200, {"orderId": NUMBERS[client_id]}),
        status="filled",
        filled=D(2),
        average_price=D("6001.25"),
        refused=(200, {"failureReason": "UnknownReason", "failureText": "Not today"}),
        duplicate=(0, None),
        found=(200, [command_row(NUMBERS[client_id], client_id)]),
    )


def _leg(client_id: str, kind: str, **level: Decimal) -> OrderRequest:
    return OrderRequest(client_id, MES, "sell", D(2), kind, reduces=True, **level)


def rules_for(number: int, action: str) -> dict[tuple[str, str], AlertAnswer]:
    """Return what is answered of one order that was filled."""
    return {
        ("GET", "/v1/order/item"): (200, order_row(number, action)),
        ("GET", "/v1/orderVersion/deps"): (
            200,
            [{"id": number + 60_000, "orderId": number, "orderQty": 2, "orderType": "Market"}],
        ),
        ("GET", "/v1/fill/deps"): (200, [fill_row(number, action)]),
    }


TRADOVATE = Sample(
    market="futures",
    credentials={
        "TRADOVATE_USERNAME": "made-up-name-of-a-trader",
        "TRADOVATE_PASSWORD": "made-up-password-4711",
        "TRADOVATE_CID": "made-up-cid-8812",
        "TRADOVATE_SECRET": "made-up-secret-0815-long",
    },
    symbol="CME_MINI:MESZ2026",
    rules={
        ("POST", "/v1/auth/accesstokenrequest"): (200, TOKEN),
        ("GET", "/v1/account/list"): (200, [ACCOUNT]),
        ("GET", "/v1/contract/find"): (200, CONTRACT),
        ("GET", "/v1/contract/item"): (200, CONTRACT),
        ("GET", "/v1/contractMaturity/item"): (
            200,
            {
                "id": 51_001,
                "productId": 77,
                "expirationMonth": 202612,
                "expirationDate": "2026-12-18T14:30:00.000Z",
                "isFront": True,
            },
        ),
        ("GET", "/v1/product/find"): (
            200,
            {"id": 77, "name": "MES", "valuePerPoint": 5, "tickSize": 0.25},
        ),
        ("GET", "/v1/command/list"): (200, [command_row(9001, "o-1"), command_row(9002, "r-1")]),
        ("GET", "/v1/position/list"): (200, []),
        ("GET", "/v1/order/list"): (200, []),
        ("GET", "/v1/fill/list"): (200, []),
        ("POST", "/v1/cashBalance/getcashbalancesnapshot"): (200, {"netLiq": 50_000.5}),
    },
    opening=_deal("o-1", "buy", reduces=False),
    reducing=_deal("r-1", "sell", reduces=True),
    lookup=("GET", "/v1/command/list"),
    absent=(200, []),
    id_at=("orderId",),
    client_id_at=("orderId",),
    price_at=("orderId",),
    words_at=("failureText",),
    cancel=("POST", "/v1/order/cancelorder"),
    pair=(
        _leg("s-1", "stop", stop_price=D("5990.25")),
        _leg("t-1", "limit", limit_price=D("6020.5")),
    ),
    pair_endpoint=("POST", "/v1/order/placeoco"),
    pair_accepted=(200, {"orderId": 9003, "ocoId": 9004}),
    echoes=False,
    searches=True,
    has_duplicates=False,
    has_token=True,
    has_long_quota=True,
    by_deal=lambda deal: rules_for(NUMBERS[deal.request.client_id], deal.request.side.capitalize()),
)
