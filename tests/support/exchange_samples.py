"""What Kraken and OKX say and want to hear of us through ccxt: two samples for the contract of all brokers.

Their answers are those of the exchanges' documentation. Both only acknowledge an order: what became of it is
read back.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from brokers.protocol import Instrument, OrderRequest
from tests.support.samples import AlertAnswer, Deal, Sample

D = Decimal
AT = 1_900_000_000_000
OPENING, REDUCING = "tv-19a2b3c4d5e0000000000000001", "tv-19a2b3c4d5e0000000000000002"
KRAKEN_NAMES = {
    OPENING: "19a2b3c4-d5e0-0000-0000-000000100000",
    REDUCING: "19a2b3c4-d5e0-0000-0000-000000200000",
}

# --- Kraken, spot --------------------------------------------------------------------------------------

KRAKEN_BITCOIN = Instrument(
    "XXBTZUSD", "spot", base="BTC", quote="USD", tick=D("0.1"), step=D("0.00000001")
)
KRAKEN_PAIR = {
    "altname": "XBTUSD",
    "wsname": "XBT/USD",
    "aclass_base": "currency",
    "base": "XXBT",
    "aclass_quote": "currency",
    "quote": "ZUSD",
    "cost_decimals": 5,
    "pair_decimals": 1,
    "lot_decimals": 8,
    "lot_multiplier": 1,
    "leverage_buy": [2],
    "leverage_sell": [2],
    "fees": [[0, 0.4]],
    "fees_maker": [[0, 0.25]],
    "fee_volume_currency": "ZUSD",
    "ordermin": "0.00005",
    "costmin": "0.5",
    "tick_size": "0.1",
    "status": "online",
}
KRAKEN_COINS = {
    name: {
        "aclass": "currency",
        "altname": alt,
        "decimals": 10,
        "display_decimals": 5,
        "status": "enabled",
    }
    for name, alt in {"XXBT": "XBT", "ZUSD": "USD"}.items()
}


def kraken_says(result: Any, *errors: str) -> AlertAnswer:
    """Return an answer in Kraken's envelope: always a 200."""
    return (200, {"error": list(errors)} if errors else {"error": [], "result": result})


def kraken_order(name: str, side: str, **changes: Any) -> dict[str, Any]:
    """Return a filled market order as the lists of orders have it."""
    return {
        "refid": None,
        "userref": None,
        "cl_ord_id": name,
        "status": "closed",
        "reason": None,
        "opentm": 1900000000.5,
        "closetm": 1900000000.6,
        "starttm": 0,
        "expiretm": 0,
        "descr": {
            "pair": "XBTUSD",
            "type": side,
            "ordertype": "market",
            "price": "0",
            "price2": "0",
            "leverage": "none",
            "order": f"{side} 0.00100000 XBTUSD @ market",
            "close": "",
        },
        "vol": "0.00100000",
        "vol_exec": "0.00100000",
        "cost": "64.00010",
        "fee": "0.25600",
        "price": "64000.1",
        "stopprice": "0.00000",
        "limitprice": "0.00000",
        "misc": "",
        "oflags": "fciq",
        **changes,
    }


KRAKEN_TRADE = {
    "ordertxid": "OAAAAA-BBBBB-CCCCCC",
    "postxid": "TKH2SE-M7IF5-CFI7LT",
    "pair": "XXBTZUSD",
    "time": 1900000000.55,
    "type": "buy",
    "ordertype": "market",
    "price": "64000.1",
    "cost": "64.00010",
    "fee": "0.25600",
    "vol": "0.00100000",
    "margin": "0.00000",
    "misc": "",
    "trade_id": 40274859,
    "maker": False,
}


def _kraken_deal(client_id: str, side: str, *, reduces: bool) -> Deal:
    name = KRAKEN_NAMES[client_id]
    order = {"OAAAAA-BBBBB-CCCCCC": kraken_order(name, side)}
    return Deal(
        request=OrderRequest(client_id, KRAKEN_BITCOIN, side, D("0.0010"), reduces=reduces),
        endpoint=("POST", "/0/private/AddOrder"),
        sent={
            "pair": "XXBTZUSD",
            "type": side,
            "ordertype": "market",
            "volume": "0.001",
            "cl_ord_id": name,
        },
        accepted=kraken_says(
            {
                "descr": {"order": f"{side} 0.00100000 XBTUSD @ market"},
                "txid": ["OAAAAA-BBBBB-CCCCCC"],
            }
        ),
        status="filled",
        filled=D("0.001"),
        average_price=D("64000.1"),
        refused=kraken_says(None, "EOrder:Insufficient funds", "in words"),
        duplicate=kraken_says(None, "EOrder:Duplicate cl_ord_id"),
        found=kraken_says({"closed": order, "count": 1}),
        named=name,
    )


KRAKEN = Sample(
    market="spot",
    exchange="kraken",
    credentials={
        "CCXT_API_KEY": "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99H",
        "CCXT_API_SECRET": "a1JBa2VuIG1hZGUtdXAgc2VjcmV0IG9mIGEgdGVzdCBvbmx5IQ==",
    },
    symbol="KRAKEN:BTCUSD",
    rules={
        ("GET", "/0/public/AssetPairs"): kraken_says({"XXBTZUSD": KRAKEN_PAIR}),
        ("GET", "/0/public/Assets"): kraken_says(KRAKEN_COINS),
        ("POST", "/0/private/OpenOrders"): kraken_says({"open": {}}),
        ("POST", "/0/private/TradesHistory"): kraken_says(
            {"trades": {"TCCCTY-WE2O6-P3NB37": KRAKEN_TRADE}, "count": 1}
        ),
    },
    opening=_kraken_deal(OPENING, "buy", reduces=False),
    reducing=_kraken_deal(REDUCING, "sell", reduces=True),
    lookup=("POST", "/0/private/ClosedOrders"),
    absent=kraken_says({"closed": {}, "count": 0}),
    id_at=("result", "txid"),
    client_id_at=("result", "closed", "OAAAAA-BBBBB-CCCCCC", "cl_ord_id"),
    price_at=("result", "closed", "OAAAAA-BBBBB-CCCCCC", "price"),
    words_at=("error", 1),
    cancel=("POST", "/0/private/CancelOrder"),
    reads_back=True,
)

# --- OKX, perpetuals -----------------------------------------------------------------------------------

OKX_BITCOIN = Instrument(
    "BTC-USDT-SWAP", "linear", base="BTC", quote="USDT", tick=D("0.1"), step=D("0.01")
)
OKX_CONTRACT = {
    "alias": "",
    "baseCcy": "",
    "category": "1",
    "ctMult": "1",
    "ctType": "linear",
    "ctVal": "0.01",
    "ctValCcy": "BTC",
    "expTime": "",
    "instFamily": "BTC-USDT",
    "instId": "BTC-USDT-SWAP",
    "instType": "SWAP",
    "lever": "100",
    "listTime": "1611916828000",
    "lotSz": "1",
    "maxLmtSz": "100000000",
    "maxMktSz": "12000",
    "minSz": "1",
    "quoteCcy": "",
    "settleCcy": "USDT",
    "state": "live",
    "tickSz": "0.1",
    "uly": "BTC-USDT",
}


def okx_says(*rows: Any, code: str = "0", msg: str = "") -> AlertAnswer:
    """Return an answer in OKX's envelope."""
    return (200, {"code": code, "data": list(rows), "msg": msg})


def okx_order(name: str, side: str, **changes: Any) -> dict[str, Any]:
    """Return a filled market order of two contracts as the look-up tells it."""
    return {
        "accFillSz": "2",
        "avgPx": "64000.1",
        "cTime": str(AT),
        "category": "normal",
        "ccy": "",
        "clOrdId": name,
        "fee": "-0.64",
        "feeCcy": "USDT",
        "fillPx": "64000.1",
        "fillSz": "2",
        "fillTime": str(AT),
        "instId": "BTC-USDT-SWAP",
        "instType": "SWAP",
        "lever": "3",
        "ordId": "312269865356374016",
        "ordType": "market",
        "pnl": "0",
        "posSide": "net",
        "px": "",
        "reduceOnly": "false",
        "side": side,
        "state": "filled",
        "sz": "2",
        "tag": "",
        "tdMode": "cross",
        "tradeId": "1",
        "uTime": str(AT),
        **changes,
    }


OKX_TRADE = {
    "instType": "SWAP",
    "instId": "BTC-USDT-SWAP",
    "tradeId": "123456",
    "ordId": "312269865356374016",
    "clOrdId": "",
    "billId": "1111",
    "tag": "",
    "fillPx": "64000.1",
    "fillSz": "2",
    "side": "buy",
    "posSide": "net",
    "execType": "T",
    "feeCcy": "USDT",
    "fee": "-0.64",
    "ts": str(AT),
}


def _okx_deal(client_id: str, side: str, *, reduces: bool) -> Deal:
    name = client_id.removeprefix("tv-")
    taken = {"clOrdId": name, "ordId": "312269865356374016", "sCode": "0", "sMsg": "", "tag": ""}
    refused = {
        "clOrdId": name,
        "ordId": "",
        "sCode": "51008",
        "sMsg": "Insufficient margin",
        "tag": "",
    }
    again = {
        "clOrdId": name,
        "ordId": "",
        "sCode": "51016",
        "sMsg": "Client order ID exists",
        "tag": "",
    }
    return Deal(
        request=OrderRequest(client_id, OKX_BITCOIN, side, D("0.020"), reduces=reduces),
        endpoint=("POST", "/api/v5/trade/batch-orders"),
        sent={
            "instId": "BTC-USDT-SWAP",
            "side": side,
            "ordType": "market",
            "sz": "2",
            "tdMode": "cross",
            "clOrdId": name,
            **({"reduceOnly": "True"} if reduces else {}),
        },
        accepted=okx_says(taken),
        status="filled",
        filled=D("0.02"),
        average_price=D("64000.1"),
        refused=okx_says(refused, code="1", msg="All operations failed"),
        duplicate=okx_says(again, code="1", msg="All operations failed"),
        found=okx_says(okx_order(name, side)),
        named=name,
    )


OKX = Sample(
    market="linear",
    exchange="okx",
    credentials={
        "CCXT_API_KEY": "37c541a1-47b9-4b0d-9e0a-b3a4c5d6e7f8-of-okx",
        "CCXT_API_SECRET": "7C0A3B9E2D1F4A5B8C6D7E9F0A1B2C3D-of-okx",
        "CCXT_PASSPHRASE": "correct-horse-battery-of-okx",
    },
    symbol="OKX:BTCUSDT.P",
    rules={
        ("GET", "/api/v5/public/instruments"): okx_says(OKX_CONTRACT),
        ("GET", "/api/v5/account/config"): okx_says(
            {"acctLv": "2", "posMode": "net_mode", "uid": "1"}
        ),
        ("GET", "/api/v5/trade/fills-history"): okx_says(OKX_TRADE),
    },
    opening=_okx_deal(OPENING, "buy", reduces=False),
    reducing=_okx_deal(REDUCING, "sell", reduces=True),
    lookup=("GET", "/api/v5/trade/order"),
    absent=okx_says(code="51603", msg="Order does not exist"),
    id_at=("data", 0, "ordId"),
    client_id_at=("data", 0, "clOrdId"),
    price_at=("data", 0, "avgPx"),
    words_at=("data", 0, "sMsg"),
    cancel=("POST", "/api/v5/trade/cancel-order"),
    reads_back=True,
)
