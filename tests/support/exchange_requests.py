"""What each exchange must be sent, in its own words: written out by hand, one entry a cell of `PROVEN`.

Orders are of 0.0123 coins or three contracts, entries buy and exits sell, limits are at 60000.1,
stops at 50000.1.
"""

from __future__ import annotations

from brokers.exchanges.proof import LIMIT, MARKET, STOP, TARGET

DIGITS = "19a2b3c4d5e0123456789abcdef"
UUID = "19a2b3c4-d5e0-1234-5678-9abcdef00000"
_OKX = {"instId": "BTC-USDT", "tdMode": "cash", "sz": "0.0123"}
_OKX_STOP = {
    "ordType": "conditional",
    "slTriggerPx": "50000.1",
    "slOrdPx": "-1",
    "slTriggerPxType": "last",
}
_OKX_SWAP = {"instId": "BTC-USDT-SWAP", "tdMode": "cross", "sz": "3"}
_KRAKEN = {"pair": "XXBTZUSD", "volume": "0.0123", "cl_ord_id": UUID, "oflags": "fciq"}
EXPECTED: dict[tuple[str, str], dict[str, tuple[str, dict[str, str]]]] = {
    ("kraken", "spot"): {
        MARKET: ("/0/private/AddOrder", _KRAKEN | {"type": "buy", "ordertype": "market"}),
        LIMIT: (
            "/0/private/AddOrder",
            _KRAKEN | {"type": "buy", "ordertype": "limit", "price": "60000.1"},
        ),
        STOP: (
            "/0/private/AddOrder",
            _KRAKEN | {"type": "sell", "ordertype": "stop-loss", "price": "50000.1"},
        ),
        TARGET: (
            "/0/private/AddOrder",
            _KRAKEN | {"type": "sell", "ordertype": "limit", "price": "60000.1"},
        ),
    },
    ("okx", "spot"): {
        MARKET: (
            "/api/v5/trade/batch-orders",
            _OKX | {"side": "buy", "ordType": "market", "clOrdId": DIGITS, "tgtCcy": "base_ccy"},
        ),
        LIMIT: (
            "/api/v5/trade/batch-orders",
            _OKX
            | {"side": "buy", "ordType": "limit", "px": "60000.1", "clOrdId": DIGITS}
            | {"tgtCcy": "base_ccy"},
        ),
        STOP: (
            "/api/v5/trade/order-algo",
            _OKX | _OKX_STOP | {"side": "sell", "algoClOrdId": DIGITS, "clOrdId": DIGITS},
        ),
        TARGET: (
            "/api/v5/trade/batch-orders",
            _OKX
            | {"side": "sell", "ordType": "limit", "px": "60000.1", "clOrdId": DIGITS}
            | {"tgtCcy": "base_ccy"},
        ),
    },
    ("okx", "linear"): {
        MARKET: (
            "/api/v5/trade/batch-orders",
            _OKX_SWAP | {"side": "buy", "ordType": "market", "clOrdId": DIGITS},
        ),
        LIMIT: (
            "/api/v5/trade/batch-orders",
            _OKX_SWAP | {"side": "buy", "ordType": "limit", "px": "60000.1", "clOrdId": DIGITS},
        ),
        STOP: (
            "/api/v5/trade/order-algo",
            _OKX_SWAP
            | _OKX_STOP
            | {"side": "sell", "algoClOrdId": DIGITS, "clOrdId": DIGITS, "reduceOnly": "true"},
        ),
        TARGET: (
            "/api/v5/trade/batch-orders",
            _OKX_SWAP
            | {"side": "sell", "ordType": "limit", "px": "60000.1", "clOrdId": DIGITS}
            | {"reduceOnly": "true"},
        ),
    },
    ("bingx", "spot"): {
        MARKET: (
            "/openApi/spot/v1/trade/order",
            {
                "newClientOrderId": DIGITS,
                "quantity": "0.0123",
                "side": "BUY",
                "symbol": "BTC-USDT",
                "type": "MARKET",
            },
        ),
        LIMIT: (
            "/openApi/spot/v1/trade/order",
            {
                "newClientOrderId": DIGITS,
                "price": "60000.1",
                "quantity": "0.0123",
                "side": "BUY",
                "symbol": "BTC-USDT",
                "type": "LIMIT",
            },
        ),
        TARGET: (
            "/openApi/spot/v1/trade/order",
            {
                "newClientOrderId": DIGITS,
                "price": "60000.1",
                "quantity": "0.0123",
                "side": "SELL",
                "symbol": "BTC-USDT",
                "type": "LIMIT",
            },
        ),
    },
    ("bingx", "linear"): {
        MARKET: (
            "/openApi/swap/v2/trade/order",
            {
                "clientOrderID": DIGITS,
                "positionSide": "BOTH",
                "quantity": "0.0123",
                "side": "BUY",
                "symbol": "BTC-USDT",
                "type": "MARKET",
            },
        ),
        LIMIT: (
            "/openApi/swap/v2/trade/order",
            {
                "clientOrderID": DIGITS,
                "positionSide": "BOTH",
                "price": "60000.1",
                "quantity": "0.0123",
                "side": "BUY",
                "symbol": "BTC-USDT",
                "type": "LIMIT",
            },
        ),
        STOP: (
            "/openApi/swap/v2/trade/order",
            {
                "clientOrderID": DIGITS,
                "positionSide": "BOTH",
                "quantity": "0.0123",
                "reduceOnly": "true",
                "side": "SELL",
                "stopPrice": "50000.1",
                "symbol": "BTC-USDT",
                "type": "STOP_MARKET",
            },
        ),
        TARGET: (
            "/openApi/swap/v2/trade/order",
            {
                "clientOrderID": DIGITS,
                "positionSide": "BOTH",
                "price": "60000.1",
                "quantity": "0.0123",
                "reduceOnly": "true",
                "side": "SELL",
                "symbol": "BTC-USDT",
                "type": "LIMIT",
            },
        ),
    },
    ("bitget", "spot"): {
        MARKET: (
            "/api/v2/spot/trade/place-order",
            {
                "symbol": "BTCUSDT",
                "orderType": "market",
                "force": "GTC",
                "side": "sell",
                "clientOid": DIGITS,
                "size": "0.0123",
            },
        ),
        LIMIT: (
            "/api/v2/spot/trade/place-order",
            {
                "symbol": "BTCUSDT",
                "orderType": "limit",
                "price": "60000.1",
                "force": "GTC",
                "side": "buy",
                "clientOid": DIGITS,
                "size": "0.0123",
            },
        ),
        TARGET: (
            "/api/v2/spot/trade/place-order",
            {
                "symbol": "BTCUSDT",
                "orderType": "limit",
                "price": "60000.1",
                "force": "GTC",
                "side": "sell",
                "clientOid": DIGITS,
                "size": "0.0123",
            },
        ),
    },
    ("bitget", "linear"): {
        MARKET: (
            "/api/v2/mix/order/place-order",
            {
                "symbol": "BTCUSDT",
                "orderType": "market",
                "force": "GTC",
                "marginCoin": "USDT",
                "size": "0.0123",
                "productType": "USDT-FUTURES",
                "clientOid": DIGITS,
                "marginMode": "crossed",
                "side": "buy",
            },
        ),
        LIMIT: (
            "/api/v2/mix/order/place-order",
            {
                "symbol": "BTCUSDT",
                "orderType": "limit",
                "price": "60000.1",
                "force": "GTC",
                "marginCoin": "USDT",
                "size": "0.0123",
                "productType": "USDT-FUTURES",
                "clientOid": DIGITS,
                "marginMode": "crossed",
                "side": "buy",
            },
        ),
        TARGET: (
            "/api/v2/mix/order/place-order",
            {
                "symbol": "BTCUSDT",
                "orderType": "limit",
                "price": "60000.1",
                "force": "GTC",
                "marginCoin": "USDT",
                "size": "0.0123",
                "productType": "USDT-FUTURES",
                "clientOid": DIGITS,
                "marginMode": "crossed",
                "reduceOnly": "YES",
                "side": "sell",
            },
        ),
    },
    ("coinbase", "spot"): {
        MARKET: (
            "/api/v3/brokerage/orders",
            {
                "client_order_id": UUID,
                "product_id": "BTC-USD",
                "side": "SELL",
                "order_configuration.market_market_ioc.base_size": "0.0123",
            },
        ),
        LIMIT: (
            "/api/v3/brokerage/orders",
            {
                "client_order_id": UUID,
                "product_id": "BTC-USD",
                "side": "BUY",
                "order_configuration.limit_limit_gtc.base_size": "0.0123",
                "order_configuration.limit_limit_gtc.limit_price": "60000.1",
                "order_configuration.limit_limit_gtc.post_only": "false",
            },
        ),
        TARGET: (
            "/api/v3/brokerage/orders",
            {
                "client_order_id": UUID,
                "product_id": "BTC-USD",
                "side": "SELL",
                "order_configuration.limit_limit_gtc.base_size": "0.0123",
                "order_configuration.limit_limit_gtc.limit_price": "60000.1",
                "order_configuration.limit_limit_gtc.post_only": "false",
            },
        ),
    },
    ("cryptocom", "spot"): {
        MARKET: (
            "/exchange/v1/private/create-order",
            {
                "method": "private/create-order",
                "params.instrument_name": "BTC_USDT",
                "params.side": "BUY",
                "params.quantity": "0.0123",
                "params.broker_id": "CCXT",
                "params.spot_margin": "SPOT",
                "params.type": "MARKET",
                "params.client_oid": UUID,
            },
        ),
        LIMIT: (
            "/exchange/v1/private/create-order",
            {
                "method": "private/create-order",
                "params.instrument_name": "BTC_USDT",
                "params.side": "BUY",
                "params.quantity": "0.0123",
                "params.price": "60000.1",
                "params.broker_id": "CCXT",
                "params.spot_margin": "SPOT",
                "params.type": "LIMIT",
                "params.client_oid": UUID,
            },
        ),
        TARGET: (
            "/exchange/v1/private/create-order",
            {
                "method": "private/create-order",
                "params.instrument_name": "BTC_USDT",
                "params.side": "SELL",
                "params.quantity": "0.0123",
                "params.price": "60000.1",
                "params.broker_id": "CCXT",
                "params.spot_margin": "SPOT",
                "params.type": "LIMIT",
                "params.client_oid": UUID,
            },
        ),
    },
    ("gate", "spot"): {
        MARKET: (
            "/api/v4/spot/orders",
            {
                "currency_pair": "BTC_USDT",
                "type": "market",
                "account": "spot",
                "side": "sell",
                "amount": "0.0123",
                "time_in_force": "ioc",
                "text": f"t-{DIGITS}",
            },
        ),
        LIMIT: (
            "/api/v4/spot/orders",
            {
                "currency_pair": "BTC_USDT",
                "type": "limit",
                "account": "spot",
                "side": "buy",
                "amount": "0.0123",
                "price": "60000.1",
                "text": f"t-{DIGITS}",
            },
        ),
        TARGET: (
            "/api/v4/spot/orders",
            {
                "currency_pair": "BTC_USDT",
                "type": "limit",
                "account": "spot",
                "side": "sell",
                "amount": "0.0123",
                "price": "60000.1",
                "text": f"t-{DIGITS}",
            },
        ),
    },
    ("gate", "linear"): {
        MARKET: (
            "/api/v4/futures/usdt/orders",
            {
                "contract": "BTC_USDT",
                "size": "3",
                "price": "0",
                "tif": "ioc",
                "text": f"t-{DIGITS}",
            },
        ),
        LIMIT: (
            "/api/v4/futures/usdt/orders",
            {"contract": "BTC_USDT", "size": "3", "price": "60000.1", "text": f"t-{DIGITS}"},
        ),
        STOP: (
            "/api/v4/futures/usdt/price_orders",
            {
                "initial.contract": "BTC_USDT",
                "initial.size": "-3",
                "initial.price": "0",
                "initial.reduce_only": "true",
                "initial.tif": "ioc",
                "initial.text": f"t-{DIGITS}",
                "trigger.price_type": "0",
                "trigger.price": "50000.1",
                "trigger.rule": "2",
            },
        ),
        TARGET: (
            "/api/v4/futures/usdt/orders",
            {
                "contract": "BTC_USDT",
                "size": "-3",
                "price": "60000.1",
                "reduce_only": "true",
                "text": f"t-{DIGITS}",
            },
        ),
    },
    ("hyperliquid", "spot"): {
        MARKET: (
            "/exchange",
            {
                "action.type": "order",
                "action.orders.a": "10142",
                "action.orders.b": "true",
                "action.orders.p": "63000",
                "action.orders.s": "0.0123",
                "action.orders.r": "false",
                "action.orders.t.limit.tif": "Ioc",
                "action.orders.c": f"0x{DIGITS}00000",
                "action.grouping": "na",
                "action.builder.b": "0x6530512a6c89c7cfcebc3ba7fcd9ada5f30827a6",
                "action.builder.f": "0",
            },
        ),
        LIMIT: (
            "/exchange",
            {
                "action.type": "order",
                "action.orders.a": "10142",
                "action.orders.b": "true",
                "action.orders.p": "60000",
                "action.orders.s": "0.0123",
                "action.orders.r": "false",
                "action.orders.t.limit.tif": "Gtc",
                "action.orders.c": f"0x{DIGITS}00000",
                "action.grouping": "na",
                "action.builder.b": "0x6530512a6c89c7cfcebc3ba7fcd9ada5f30827a6",
                "action.builder.f": "0",
            },
        ),
        TARGET: (
            "/exchange",
            {
                "action.type": "order",
                "action.orders.a": "10142",
                "action.orders.b": "false",
                "action.orders.p": "60000",
                "action.orders.s": "0.0123",
                "action.orders.r": "false",
                "action.orders.t.limit.tif": "Gtc",
                "action.orders.c": f"0x{DIGITS}00000",
                "action.grouping": "na",
                "action.builder.b": "0x6530512a6c89c7cfcebc3ba7fcd9ada5f30827a6",
                "action.builder.f": "0",
            },
        ),
    },
    ("hyperliquid", "linear"): {
        MARKET: (
            "/exchange",
            {
                "action.type": "order",
                "action.orders.a": "0",
                "action.orders.b": "true",
                "action.orders.p": "63000",
                "action.orders.s": "0.0123",
                "action.orders.r": "false",
                "action.orders.t.limit.tif": "Ioc",
                "action.orders.c": f"0x{DIGITS}00000",
                "action.grouping": "na",
                "action.builder.b": "0x6530512a6c89c7cfcebc3ba7fcd9ada5f30827a6",
                "action.builder.f": "0",
            },
        ),
        LIMIT: (
            "/exchange",
            {
                "action.type": "order",
                "action.orders.a": "0",
                "action.orders.b": "true",
                "action.orders.p": "60000",
                "action.orders.s": "0.0123",
                "action.orders.r": "false",
                "action.orders.t.limit.tif": "Gtc",
                "action.orders.c": f"0x{DIGITS}00000",
                "action.grouping": "na",
                "action.builder.b": "0x6530512a6c89c7cfcebc3ba7fcd9ada5f30827a6",
                "action.builder.f": "0",
            },
        ),
        STOP: (
            "/exchange",
            {
                "action.type": "order",
                "action.orders.a": "0",
                "action.orders.b": "false",
                "action.orders.p": "47500",
                "action.orders.s": "0.0123",
                "action.orders.r": "true",
                "action.orders.t.trigger.isMarket": "true",
                "action.orders.t.trigger.triggerPx": "50000",
                "action.orders.t.trigger.tpsl": "sl",
                "action.orders.c": f"0x{DIGITS}00000",
                "action.grouping": "na",
                "action.builder.b": "0x6530512a6c89c7cfcebc3ba7fcd9ada5f30827a6",
                "action.builder.f": "0",
            },
        ),
        TARGET: (
            "/exchange",
            {
                "action.type": "order",
                "action.orders.a": "0",
                "action.orders.b": "false",
                "action.orders.p": "60000",
                "action.orders.s": "0.0123",
                "action.orders.r": "true",
                "action.orders.t.limit.tif": "Gtc",
                "action.orders.c": f"0x{DIGITS}00000",
                "action.grouping": "na",
                "action.builder.b": "0x6530512a6c89c7cfcebc3ba7fcd9ada5f30827a6",
                "action.builder.f": "0",
            },
        ),
    },
    ("kucoin", "spot"): {
        MARKET: (
            "/api/v1/orders",
            {
                "clientOid": DIGITS,
                "side": "buy",
                "symbol": "BTC-USDT",
                "type": "market",
                "size": "0.0123",
            },
        ),
        LIMIT: (
            "/api/v1/orders",
            {
                "clientOid": DIGITS,
                "side": "buy",
                "symbol": "BTC-USDT",
                "type": "limit",
                "size": "0.0123",
                "price": "60000.1",
            },
        ),
        TARGET: (
            "/api/v1/orders",
            {
                "clientOid": DIGITS,
                "side": "sell",
                "symbol": "BTC-USDT",
                "type": "limit",
                "size": "0.0123",
                "price": "60000.1",
            },
        ),
    },
    ("kucoin", "linear"): {
        MARKET: (
            "/api/v1/orders",
            {
                "clientOid": DIGITS,
                "side": "buy",
                "symbol": "XBTUSDTM",
                "type": "market",
                "leverage": "1",
                "marginMode": "CROSS",
                "size": "3",
            },
        ),
        LIMIT: (
            "/api/v1/orders",
            {
                "clientOid": DIGITS,
                "side": "buy",
                "symbol": "XBTUSDTM",
                "type": "limit",
                "leverage": "1",
                "marginMode": "CROSS",
                "size": "3",
                "price": "60000.1",
            },
        ),
        STOP: (
            "/api/v1/orders",
            {
                "clientOid": DIGITS,
                "side": "sell",
                "symbol": "XBTUSDTM",
                "type": "market",
                "leverage": "1",
                "marginMode": "CROSS",
                "size": "3",
                "stop": "down",
                "stopPrice": "50000.1",
                "reduceOnly": "true",
                "stopPriceType": "TP",
                "triggerPriceType": "last",
            },
        ),
        TARGET: (
            "/api/v1/orders",
            {
                "clientOid": DIGITS,
                "side": "sell",
                "symbol": "XBTUSDTM",
                "type": "limit",
                "leverage": "1",
                "marginMode": "CROSS",
                "size": "3",
                "price": "60000.1",
                "reduceOnly": "true",
            },
        ),
    },
    ("mexc", "spot"): {
        MARKET: (
            "/api/v3/order",
            {
                "symbol": "BTCUSDT",
                "side": "BUY",
                "type": "MARKET",
                "quantity": "0.0123",
                "newClientOrderId": DIGITS,
            },
        ),
        LIMIT: (
            "/api/v3/order",
            {
                "symbol": "BTCUSDT",
                "side": "BUY",
                "type": "LIMIT",
                "quantity": "0.0123",
                "price": "60000.1",
                "newClientOrderId": DIGITS,
            },
        ),
        TARGET: (
            "/api/v3/order",
            {
                "symbol": "BTCUSDT",
                "side": "SELL",
                "type": "LIMIT",
                "quantity": "0.0123",
                "price": "60000.1",
                "newClientOrderId": DIGITS,
            },
        ),
    },
}
