"""What ProjectX says and wants to hear, for the contract that all brokers keep."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from brokers.protocol import Instrument, OrderRequest
from tests.support.samples import AlertAnswer, Deal, Sample

D = Decimal
AT = "2099-01-01T00:00:00.1234567+00:00"
MES = Instrument("MESZ6", "futures", root="MES", point_value=D(5), tick=D("0.25"), step=D(1))
MES_ID = "CON.F.US.MES.Z26"
CONTRACT = {
    "id": MES_ID,
    "name": "MESZ6",
    "description": "Micro E-mini S&P 500: December 2026",
    "tickSize": 0.25,
    "tickValue": 1.25,
    "activeContract": True,
    "symbolId": "F.US.MES",
}
NUMBERS = {"o-1": 9001, "r-1": 9002}


def envelope(**payload: Any) -> dict[str, Any]:
    """Return a success."""
    return {**payload, "success": True, "errorCode": 0, "errorMessage": None}


def refusal(code: int, text: str | None, **payload: Any) -> dict[str, Any]:
    """Return a refusal, which comes with HTTP 200."""
    return {**payload, "success": False, "errorCode": code, "errorMessage": text}


def order_row(number: int, client_id: str, side: int) -> dict[str, Any]:
    """Return one market order that was filled."""
    return {
        "id": number,
        "accountId": 4711,
        "contractId": MES_ID,
        "symbolId": "F.US.MES",
        "creationTimestamp": AT,
        "updateTimestamp": AT,
        "status": 2,
        "type": 2,
        "side": side,
        "size": 2,
        "limitPrice": None,
        "stopPrice": None,
        "fillVolume": 2,
        "filledPrice": 6001.25,
        "customTag": client_id,
    }


def trade_row(number: int, side: int) -> dict[str, Any]:
    """Return one half-turn."""
    return {
        "id": number + 70_000,
        "accountId": 4711,
        "contractId": MES_ID,
        "creationTimestamp": AT,
        "price": 6001.25,
        "profitAndLoss": None,
        "fees": 0.72,
        "side": side,
        "size": 2,
        "voided": False,
        "orderId": number,
    }


def _deal(client_id: str, side: str, *, reduces: bool) -> Deal:
    number, code = NUMBERS[client_id], 0 if side == "buy" else 1
    return Deal(
        request=OrderRequest(client_id, MES, side, D(2), reduces=reduces),
        endpoint=("POST", "/api/Order/place"),
        sent={
            "accountId": "4711",
            "contractId": MES_ID,
            "type": "2",
            "side": str(code),
            "size": "2",
            "customTag": client_id,
        },
        accepted=(200, envelope(orderId=number)),
        status="filled",
        filled=D(2),
        average_price=D("6001.25"),
        refused=(200, refusal(2, "Not today", orderId=number)),
        duplicate=(200, refusal(2, "An order with this customTag exists.")),
        found=(200, envelope(orders=[order_row(number, client_id, code)])),
    )


def trades_of(deal: Deal) -> dict[tuple[str, str], AlertAnswer]:
    """Return what is answered of the executions of one order."""
    code = 0 if deal.request.side == "buy" else 1
    trades = [trade_row(NUMBERS[deal.request.client_id], code)]
    return {("POST", "/api/Trade/search"): (200, envelope(trades=trades))}


PROJECTX = Sample(
    market="futures",
    credentials={
        "PROJECTX_USERNAME": "made-up-name-of-a-trader",
        "PROJECTX_API_KEY": "made-up-key-4711-of-projectx",
    },
    symbol="CME_MINI:MESZ2026",
    rules={
        ("POST", "/api/Auth/loginKey"): (200, envelope(token="made-up-token-of-projectx")),
        ("POST", "/api/Account/search"): (
            200,
            envelope(
                accounts=[
                    {
                        "id": 4711,
                        "name": "50KTC-V2-1",
                        "balance": 50_000.5,
                        "canTrade": True,
                        "isVisible": True,
                        "simulated": True,
                    }
                ]
            ),
        ),
        ("POST", "/api/Contract/search"): (200, envelope(contracts=[CONTRACT])),
        ("POST", "/api/Contract/searchById"): (200, envelope(contract=CONTRACT)),
        ("POST", "/api/Order/searchOpen"): (200, envelope(orders=[])),
        ("POST", "/api/Position/searchOpen"): (200, envelope(positions=[])),
        ("POST", "/api/Trade/search"): (200, envelope(trades=[])),
        ("POST", "/api/History/retrieveBars"): (200, envelope(bars=[])),
    },
    opening=_deal("o-1", "buy", reduces=False),
    reducing=_deal("r-1", "sell", reduces=True),
    lookup=("POST", "/api/Order/search"),
    absent=(200, envelope(orders=[])),
    id_at=("orderId",),
    client_id_at=("orders", 0, "customTag"),
    price_at=("orders", 0, "filledPrice"),
    words_at=("errorMessage",),
    cancel=("POST", "/api/Order/cancel"),
    reads_back=True,
    searches=True,
    has_token=True,
    by_deal=trades_of,
)
