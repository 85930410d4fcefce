"""How each exchange is asked for an order of ours, told to cancel one and asked for all that work.

In its own words, written out: method, path and fields, without what signs a request. An order that is
cancelled by the exchange's own name is called 777 here.
"""

from __future__ import annotations

from tests.support.exchange_requests import DIGITS, UUID

Question = tuple[str, str, dict[str, str]]
QUESTIONS: dict[tuple[str, str], dict[str, list[Question]]] = {
    ("bingx", "spot"): {
        "find limit": [
            ("GET", "/openApi/spot/v1/trade/openOrders", {"symbol": "BTC-USDT"}),
            (
                "GET",
                "/openApi/spot/v1/trade/historyOrders",
                {"pageSize": "100", "symbol": "BTC-USDT"},
            ),
        ],
        "cancel limit": [
            ("POST", "/openApi/spot/v1/trade/cancel", {"orderId": "777", "symbol": "BTC-USDT"})
        ],
        "list": [("GET", "/openApi/spot/v1/trade/openOrders", {})],
    },
    ("bingx", "linear"): {
        "find limit": [
            ("GET", "/openApi/swap/v2/trade/openOrders", {"symbol": "BTC-USDT"}),
            ("GET", "/openApi/swap/v2/trade/allOrders", {"symbol": "BTC-USDT"}),
        ],
        "cancel limit": [
            (
                "DELETE",
                "/openApi/swap/v2/trade/order",
                {"clientOrderID": DIGITS, "symbol": "BTC-USDT"},
            )
        ],
        "find stop": [
            ("GET", "/openApi/swap/v2/trade/openOrders", {"symbol": "BTC-USDT"}),
            ("GET", "/openApi/swap/v2/trade/allOrders", {"symbol": "BTC-USDT"}),
        ],
        "cancel stop": [
            (
                "DELETE",
                "/openApi/swap/v2/trade/order",
                {"clientOrderID": DIGITS, "symbol": "BTC-USDT"},
            )
        ],
        "list": [("GET", "/openApi/swap/v2/trade/openOrders", {})],
    },
    ("bitget", "spot"): {
        "find limit": [("GET", "/api/v2/spot/trade/orderInfo", {"clientOid": DIGITS})],
        "cancel limit": [
            ("POST", "/api/v2/spot/trade/cancel-order", {"symbol": "BTCUSDT", "clientOid": DIGITS})
        ],
        "list": [("GET", "/api/v2/spot/trade/unfilled-orders", {"limit": "100"})],
    },
    ("bitget", "linear"): {
        "find limit": [
            (
                "GET",
                "/api/v2/mix/order/detail",
                {"clientOid": DIGITS, "productType": "USDT-FUTURES", "symbol": "BTCUSDT"},
            )
        ],
        "cancel limit": [
            (
                "POST",
                "/api/v2/mix/order/cancel-order",
                {"symbol": "BTCUSDT", "clientOid": DIGITS, "productType": "USDT-FUTURES"},
            )
        ],
        "list": [
            (
                "GET",
                "/api/v2/mix/order/orders-pending",
                {"limit": "100", "productType": "USDT-FUTURES"},
            )
        ],
    },
    ("coinbase", "spot"): {
        "find limit": [
            (
                "GET",
                "/api/v3/brokerage/orders/historical/batch",
                {"order_status": "OPEN", "product_id": "BTC-USD", "limit": "100"},
            ),
            (
                "GET",
                "/api/v3/brokerage/orders/historical/batch",
                {"product_id": "BTC-USD", "limit": "100"},
            ),
        ],
        "cancel limit": [("POST", "/api/v3/brokerage/orders/batch_cancel", {"order_ids": "777"})],
        "list": [
            (
                "GET",
                "/api/v3/brokerage/orders/historical/batch",
                {"order_status": "OPEN", "limit": "100"},
            )
        ],
    },
    ("cryptocom", "spot"): {
        "find limit": [
            (
                "POST",
                "/exchange/v1/private/get-open-orders",
                {"method": "private/get-open-orders", "params.instrument_name": "BTC_USDT"},
            ),
            (
                "POST",
                "/exchange/v1/private/get-order-history",
                {
                    "method": "private/get-order-history",
                    "params.instrument_name": "BTC_USDT",
                    "params.limit": "100",
                },
            ),
        ],
        "cancel limit": [
            (
                "POST",
                "/exchange/v1/private/cancel-order",
                {"method": "private/cancel-order", "params.order_id": "777"},
            )
        ],
        "list": [
            ("POST", "/exchange/v1/private/get-open-orders", {"method": "private/get-open-orders"})
        ],
    },
    ("gate", "spot"): {
        "find limit": [
            (
                "GET",
                f"/api/v4/spot/orders/t-{DIGITS}",
                {"account": "spot", "currency_pair": "BTC_USDT"},
            ),
            (
                "GET",
                "/api/v4/spot/orders",
                {
                    "account": "spot",
                    "currency_pair": "BTC_USDT",
                    "status": "finished",
                    "limit": "100",
                },
            ),
        ],
        "cancel limit": [
            ("DELETE", "/api/v4/spot/orders/777", {"account": "spot", "currency_pair": "BTC_USDT"})
        ],
        "list": [
            (
                "GET",
                "/api/v4/spot/open_orders",
                {"account": "spot", "status": "open", "limit": "100"},
            )
        ],
    },
    ("gate", "linear"): {
        "find limit": [
            ("GET", f"/api/v4/futures/usdt/orders/t-{DIGITS}", {"contract": "BTC_USDT"}),
            (
                "GET",
                "/api/v4/futures/usdt/orders",
                {"contract": "BTC_USDT", "status": "finished", "limit": "100"},
            ),
        ],
        "cancel limit": [("DELETE", "/api/v4/futures/usdt/orders/777", {"contract": "BTC_USDT"})],
        "find stop": [
            (
                "GET",
                "/api/v4/futures/usdt/price_orders",
                {"contract": "BTC_USDT", "status": "open", "limit": "100"},
            ),
            (
                "GET",
                "/api/v4/futures/usdt/price_orders",
                {"contract": "BTC_USDT", "status": "finished", "limit": "100"},
            ),
        ],
        "cancel stop": [
            ("DELETE", "/api/v4/futures/usdt/price_orders/777", {"contract": "BTC_USDT"})
        ],
        "list": [
            ("GET", "/api/v4/futures/usdt/orders", {"status": "open", "limit": "100"}),
            ("GET", "/api/v4/futures/usdt/price_orders", {"status": "open", "limit": "100"}),
        ],
    },
    ("hyperliquid", "spot"): {
        "find limit": [
            (
                "POST",
                "/info",
                {
                    "type": "orderStatus",
                    "user": "0x1111111111111111111111111111111111111111",
                    "oid": f"0x{DIGITS}00000",
                },
            )
        ],
        "cancel limit": [
            (
                "POST",
                "/exchange",
                {
                    "action.type": "cancelByCloid",
                    "action.cancels.asset": "10142",
                    "action.cancels.cloid": f"0x{DIGITS}00000",
                },
            )
        ],
        "list": [
            (
                "POST",
                "/info",
                {
                    "type": "frontendOpenOrders",
                    "user": "0x1111111111111111111111111111111111111111",
                },
            )
        ],
    },
    ("hyperliquid", "linear"): {
        "find limit": [
            (
                "POST",
                "/info",
                {
                    "type": "orderStatus",
                    "user": "0x1111111111111111111111111111111111111111",
                    "oid": f"0x{DIGITS}00000",
                },
            )
        ],
        "cancel limit": [
            (
                "POST",
                "/exchange",
                {
                    "action.type": "cancelByCloid",
                    "action.cancels.asset": "0",
                    "action.cancels.cloid": f"0x{DIGITS}00000",
                },
            )
        ],
        "find stop": [
            (
                "POST",
                "/info",
                {
                    "type": "orderStatus",
                    "user": "0x1111111111111111111111111111111111111111",
                    "oid": f"0x{DIGITS}00000",
                },
            )
        ],
        "cancel stop": [
            (
                "POST",
                "/exchange",
                {
                    "action.type": "cancelByCloid",
                    "action.cancels.asset": "0",
                    "action.cancels.cloid": f"0x{DIGITS}00000",
                },
            )
        ],
        "list": [
            (
                "POST",
                "/info",
                {
                    "type": "frontendOpenOrders",
                    "user": "0x1111111111111111111111111111111111111111",
                },
            )
        ],
    },
    ("kraken", "spot"): {
        "find limit": [
            ("POST", "/0/private/OpenOrders", {"cl_ord_id": UUID}),
            ("POST", "/0/private/ClosedOrders", {"cl_ord_id": UUID}),
        ],
        "cancel limit": [("POST", "/0/private/CancelOrder", {"cl_ord_id": UUID})],
        "find stop": [
            ("POST", "/0/private/OpenOrders", {"cl_ord_id": UUID}),
            ("POST", "/0/private/ClosedOrders", {"cl_ord_id": UUID}),
        ],
        "cancel stop": [("POST", "/0/private/CancelOrder", {"cl_ord_id": UUID})],
        "list": [("POST", "/0/private/OpenOrders", {})],
    },
    ("kucoin", "spot"): {
        "find limit": [("GET", f"/api/v1/order/client-order/{DIGITS}", {})],
        "cancel limit": [("DELETE", f"/api/v1/order/client-order/{DIGITS}", {})],
        "list": [
            ("GET", "/api/v1/orders", {"tradeType": "TRADE", "status": "active", "pageSize": "100"})
        ],
    },
    ("kucoin", "linear"): {
        "find limit": [("GET", "/api/v1/orders/byClientOid", {"clientOid": DIGITS})],
        "cancel limit": [
            ("DELETE", f"/api/v1/orders/client-order/{DIGITS}", {"symbol": "XBTUSDTM"})
        ],
        "find stop": [("GET", "/api/v1/orders/byClientOid", {"clientOid": DIGITS})],
        "cancel stop": [
            ("DELETE", f"/api/v1/orders/client-order/{DIGITS}", {"symbol": "XBTUSDTM"})
        ],
        "list": [
            ("GET", "/api/v1/orders", {"status": "active"}),
            ("GET", "/api/v1/stopOrders", {}),
        ],
    },
    ("mexc", "spot"): {
        "find limit": [
            ("GET", "/api/v3/order", {"symbol": "BTCUSDT", "origClientOrderId": DIGITS})
        ],
        "cancel limit": [
            (
                "DELETE",
                "/api/v3/order",
                {"symbol": "BTCUSDT", "origClientOrderId": DIGITS, "clientOrderId": DIGITS},
            )
        ],
        "list": [("GET", "/api/v3/openOrders", {"symbol": "BTCUSDT"})],
    },
    ("okx", "spot"): {
        "find limit": [("GET", "/api/v5/trade/order", {"instId": "BTC-USDT", "clOrdId": DIGITS})],
        "cancel limit": [
            ("POST", "/api/v5/trade/cancel-order", {"instId": "BTC-USDT", "clOrdId": DIGITS})
        ],
        "find stop": [
            ("GET", "/api/v5/trade/order-algo", {"instId": "BTC-USDT", "algoClOrdId": DIGITS})
        ],
        "cancel stop": [
            ("POST", "/api/v5/trade/cancel-algos", {"algoId": "777", "instId": "BTC-USDT"})
        ],
        "list": [
            ("GET", "/api/v5/trade/orders-pending", {"limit": "100"}),
            (
                "GET",
                "/api/v5/trade/orders-algo-pending",
                {"limit": "100", "ordType": "conditional"},
            ),
        ],
    },
    ("okx", "linear"): {
        "find limit": [
            ("GET", "/api/v5/trade/order", {"instId": "BTC-USDT-SWAP", "clOrdId": DIGITS})
        ],
        "cancel limit": [
            ("POST", "/api/v5/trade/cancel-order", {"instId": "BTC-USDT-SWAP", "clOrdId": DIGITS})
        ],
        "find stop": [
            ("GET", "/api/v5/trade/order-algo", {"instId": "BTC-USDT-SWAP", "algoClOrdId": DIGITS})
        ],
        "cancel stop": [
            ("POST", "/api/v5/trade/cancel-algos", {"algoId": "777", "instId": "BTC-USDT-SWAP"})
        ],
        "list": [
            ("GET", "/api/v5/trade/orders-pending", {"limit": "100", "instType": "SWAP"}),
            (
                "GET",
                "/api/v5/trade/orders-algo-pending",
                {"limit": "100", "ordType": "conditional", "instType": "SWAP"},
            ),
        ],
    },
}
