"""What Tastytrade says and wants to hear, for the contract that all brokers keep."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from brokers.protocol import Instrument, OrderRequest
from tests.support.samples import Deal, Sample

D = Decimal
AT = "2099-01-01T00:00:00.000+00:00"
OWN = "/accounts/5WT00042"
SHARE = Instrument("AAPL", "equity", base="AAPL", tick=D("0.01"), step=D(1))
NUMBERS = {"o-1": 270561, "r-1": 270562, "s-1": 270563, "t-1": 270564}


def order_row(client_id: str, action: str, kind: str = "Market", *, fills: bool = True) -> Any:
    """Return one order as an answer describes it."""
    fill = {
        "fill-id": f"f-{client_id}",
        "fill-price": "201.25",
        "quantity": 3,
        "filled-at": AT,
    }
    return {
        "id": NUMBERS[client_id],
        "account-number": "5WT00042",
        "order-type": kind,
        "time-in-force": "Day",
        "status": "Filled" if fills else "Live",
        "received-at": AT,
        "updated-at": 4_070_908_800_000,
        "external-identifier": client_id,
        "legs": [
            {
                "action": action,
                "instrument-type": "Equity",
                "symbol": "AAPL",
                "quantity": 3,
                "remaining-quantity": 0 if fills else 3,
                "fills": [fill] if fills else [],
            }
        ],
    }


def _deal(client_id: str, side: str, *, reduces: bool) -> Deal:
    action = f"{side.capitalize()} to {'Close' if reduces else 'Open'}"
    row = order_row(client_id, action)
    refusal = {
        "code": "preflight_check_failure",
        "message": "One or more preflight checks failed",
        "errors": [{"code": "who_knows", "message": "Not today"}],
    }
    return Deal(
        request=OrderRequest(client_id, SHARE, side, D(3), reduces=reduces),
        endpoint=("POST", f"{OWN}/orders"),
        sent={"external-identifier": client_id, "order-type": "Market", "time-in-force": "Day"},
        accepted=(201, {"data": {"order": row, "warnings": []}}),
        status="filled",
        filled=D(3),
        average_price=D("201.25"),
        refused=(422, {"error": refusal}),
        duplicate=(0, None),
        found=(200, {"data": {"items": [row]}}),
    )


def _leg(client_id: str, kind: str, **level: Decimal) -> OrderRequest:
    return OrderRequest(client_id, SHARE, "sell", D(3), kind, reduces=True, **level)


TASTYTRADE = Sample(
    market="equity",
    credentials={
        "TASTYTRADE_CLIENT_SECRET": "made-up-client-secret-0815",
        "TASTYTRADE_REFRESH_TOKEN": "made-up-refresh-token-of-a-grant",
    },
    symbol="NASDAQ:AAPL",
    rules={
        ("POST", "/oauth/token"): (
            200,
            {"access_token": "made-up-access-token-of-tastytrade", "expires_in": 900},
        ),
        ("GET", "/customers/me/accounts"): (
            200,
            {"data": {"items": [{"account": {"account-number": "5WT00042"}}]}},
        ),
        ("GET", "/instruments/equities/AAPL"): (200, {"data": {"symbol": "AAPL"}}),
        ("GET", "/market-data/by-type"): (
            200,
            {"data": {"items": [{"symbol": "AAPL", "last": "201.25"}]}},
        ),
        ("GET", f"{OWN}/orders"): (
            200,
            {
                "data": {
                    "items": [order_row("r-1", "Sell to Close"), order_row("o-1", "Buy to Open")]
                }
            },
        ),
        ("GET", f"{OWN}/complex-orders"): (200, {"data": {"items": []}}),
        ("GET", f"{OWN}/orders/live"): (200, {"data": {"items": []}}),
        ("GET", f"{OWN}/positions"): (200, {"data": {"items": []}}),
        ("GET", f"{OWN}/balances"): (200, {"data": {"net-liquidating-value": "50000.5"}}),
        **{
            ("GET", f"{OWN}/orders/{NUMBERS[name]}"): (200, {"data": order_row(name, action)})
            for name, action in (("o-1", "Buy to Open"), ("r-1", "Sell to Close"))
        },
    },
    opening=_deal("o-1", "buy", reduces=False),
    reducing=_deal("r-1", "sell", reduces=True),
    lookup=("GET", f"{OWN}/orders"),
    absent=(200, {"data": {"items": []}}),
    id_at=("data", "order", "id"),
    client_id_at=("data", "order", "external-identifier"),
    price_at=("data", "order", "legs", 0, "fills", 0, "fill-price"),
    words_at=("error", "errors", 0, "message"),
    cancel=("DELETE", f"{OWN}/orders/270562"),
    pair=(
        _leg("s-1", "stop", stop_price=D("190.5")),
        _leg("t-1", "limit", limit_price=D("220.25")),
    ),
    pair_endpoint=("POST", f"{OWN}/complex-orders"),
    pair_accepted=(
        201,
        {
            "data": {
                "complex-order": {
                    "id": 9,
                    "type": "OCO",
                    "orders": [
                        order_row("s-1", "Sell to Close", "Stop", fills=False),
                        order_row("t-1", "Sell to Close", "Limit", fills=False),
                    ],
                }
            }
        },
    ),
    fills_at=("data", "order", "legs", 0, "fills"),
    searches=True,
    has_token=True,
    has_duplicates=False,
)
