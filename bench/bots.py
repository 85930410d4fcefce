"""What a receiver is compared with: the shortest way from an alert to a market order, and the usual way.

- `direct` signs one request and posts it with `requests.post`: no less can be done in a Flask view
- `ccxt_each` makes a ccxt client for each alert, which loads the markets before it can place the order

Neither keeps a record, knows a duplicate or survives a lost answer. Both are spared what costs ccxt most
elsewhere: the markets are sixteen and not thousands, only those of the market that is traded are loaded,
and its pause between requests is off.

    VENUE_URL=http://127.0.0.1:8123 gunicorn -c gunicorn.conf.py --bind 127.0.0.1:8098 bench.bots:direct
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import time
from typing import Any
from urllib.parse import urlencode

import requests
from flask import Flask, Response, jsonify, request

URL = os.environ["VENUE_URL"]
IS_BYBIT = os.environ.get("VENUE_MARKET") == "bybit"
IS_LINEAR = os.environ.get("VENUE_MARKET") == "linear"
ORDER_PATH, RESULT = ("/fapi/v1/order", "RESULT") if IS_LINEAR else ("/api/v3/order", "FULL")
direct = Flask("direct")
ccxt_each = Flask("ccxt_each")


@direct.get("/webhook/test")
@ccxt_each.get("/webhook/test")
def test() -> Response:
    """Answer that the view is up."""
    return jsonify(status="healthy")


@direct.post("/webhook")
def post_directly() -> Response:
    """Post one signed order."""
    alert = request.get_json(force=True)
    account = alert["account_group"]
    if IS_BYBIT:
        return _post_to_bybit(alert, account.upper())
    params = {
        "symbol": alert["symbol"],
        "side": alert["action"].upper(),
        "type": "MARKET",
        "quantity": alert["quantity"],
        "newOrderRespType": RESULT,
        "timestamp": time.time_ns() // 1_000_000,
    }
    query = urlencode(params)
    secret = os.environ[f"{account.upper()}_BINANCE_API_SECRET"]
    signature = hmac.new(secret.encode(), query.encode(), hashlib.sha256).hexdigest()
    answer = requests.post(
        f"{URL}{ORDER_PATH}",
        data=f"{query}&signature={signature}",
        headers={"X-MBX-APIKEY": os.environ[f"{account.upper()}_BINANCE_API_KEY"]},
        timeout=8,
    )
    return jsonify(status=answer.json()["status"].lower(), symbol=alert["symbol"])


def _post_to_bybit(alert: dict[str, str], name: str) -> Response:
    order = {"category": "linear", "symbol": alert["symbol"], "side": alert["action"].capitalize()}
    body = json.dumps({**order, "orderType": "Market", "qty": alert["quantity"]})
    key, stamp = os.environ[f"{name}_BYBIT_API_KEY"], str(time.time_ns() // 1_000_000)
    secret = os.environ[f"{name}_BYBIT_API_SECRET"]
    text = f"{stamp}{key}5000{body}"
    signature = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "X-BAPI-API-KEY": key,
        "X-BAPI-TIMESTAMP": stamp,
        "X-BAPI-RECV-WINDOW": "5000",
        "X-BAPI-SIGN": signature,
    }
    answer = requests.post(f"{URL}/v5/order/create", data=body, headers=headers, timeout=8)
    status = "filled" if answer.json()["retCode"] == 0 else "refused"
    return jsonify(status=status, symbol=alert["symbol"])


@ccxt_each.post("/webhook")
def place_by_ccxt() -> Response:
    """Make a client, and place the order with it."""
    alert = request.get_json(force=True)
    exchange = _make_client(alert["account_group"])
    symbol = alert["symbol"].removesuffix("USDT") + ("/USDT:USDT" if IS_LINEAR else "/USDT")
    quantity = float(alert["quantity"])
    order = exchange.create_order(symbol, "market", alert["action"], quantity)
    status = "filled" if order["status"] == "closed" else "failed"
    return jsonify(status=status, symbol=alert["symbol"])


def _make_client(account: str) -> Any:
    import ccxt  # noqa: PLC0415 - a development dependency, and slow to import

    traded = "swap" if IS_LINEAR else "spot"
    types = {
        "defaultType": traded,
        "fetchMarkets": {"types": ["linear" if IS_LINEAR else "spot"]},
    }
    client = ccxt.binance(
        {
            "apiKey": os.environ[f"{account.upper()}_BINANCE_API_KEY"],
            "secret": os.environ[f"{account.upper()}_BINANCE_API_SECRET"],
            "enableRateLimit": False,
            "options": {**types, "fetchCurrencies": False, "fetchMargins": False},
        }
    )
    root = "/fapi/v1" if IS_LINEAR else "/api/v3"
    client.urls["api"] = dict.fromkeys(client.urls["api"], f"{URL}{root}")  # never the real one
    return client
