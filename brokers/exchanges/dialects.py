"""What two rows of `PROVEN` share: shapes and options of an exchange whose markets speak one language."""

from __future__ import annotations

from brokers.exchanges.proof import LIMIT, MARKET, STOP

OKX_ERRORS = ("51277", "51278", "51279", "51280")
OKX_KINDS = {
    MARKET: {"ordType": "market"},
    LIMIT: {"ordType": "limit", "px": "{limit}"},
    STOP: {
        "ordType": "conditional",
        "algoClOrdId": "{id}",
        "slTriggerPx": "{stop}",
        "slOrdPx": "-1",
        "slTriggerPxType": "last",
    },
}
OKX_STOP = {"trigger": True, "ordType": "conditional"}
HYPERLIQUID_EVERY = {
    "action.type": "order",
    "action.orders.a": "{asset}",
    "action.orders.b": "{is_buy}",
    "action.orders.s": "{quantity}",
    "action.orders.c": "{id}",
    "action.grouping": "na",
}
HYPERLIQUID_KINDS = {
    MARKET: {"action.orders.t.limit.tif": "Ioc"},
    LIMIT: {"action.orders.t.limit.tif": "Gtc", "action.orders.p": "{limit}"},
    STOP: {
        "action.orders.t.trigger.isMarket": "true",
        "action.orders.t.trigger.triggerPx": "{stop}",
        "action.orders.t.trigger.tpsl": "sl",
        "action.orders.r": "true",
    },
}
HYPERLIQUID_OPTIONS = {
    "builderFee": False,
    "approvedBuilderFee": True,
    "refSet": True,
    "enableUnifiedMargin": False,
}
