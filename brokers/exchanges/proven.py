"""What the pinned ccxt is proven to send, market by market: the table that everything else goes by.

Each row is backed by tests that catch the request the library makes and hold it against what is written there
(tests/venues/test_exchange_requests.py). A kind of order that a row does not have is refused by name.
"""

from __future__ import annotations

from brokers.exchanges.proof import LIMIT, MARKET, STOP, Look, Proof

_BY_ID = {"clientOrderId": "{id}"}

KRAKEN_SPOT = Proof(
    exchange="kraken",
    title="Kraken",
    market="spot",
    library="kraken",
    host="api.kraken.com",
    every={
        "pair": "{symbol}",
        "type": "{side}",
        "volume": "{quantity}",
        "cl_ord_id": "{id}",
        "oflags": "fciq",
    },
    kinds={
        MARKET: {"ordertype": "market"},
        LIMIT: {"ordertype": "limit", "price": "{limit}"},
        STOP: {"ordertype": "stop-loss", "price": "{stop}"},
    },
    envelope=("result",),
    id_form="uuid",
    id_fields=("cl_ord_id",),
    params={"oflags": "fciq"},  # fees in the quote coin, on both sides
    looks=(
        Look("fetch_open_orders", _BY_ID, is_list=True),
        Look("fetch_closed_orders", _BY_ID, is_list=True),
    ),
    cancel_params=_BY_ID,
    stop_cancel_params=_BY_ID,
    has_nonce=True,
    loads_coins=True,
    currency="USD",
    poll_seconds=10.0,  # a look costs two of a counter that loses one in three seconds
)
_OKX_ERRORS = ("51277", "51278", "51279", "51280")
_OKX_KINDS = {
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
_OKX_STOP = {"trigger": True, "ordType": "conditional"}
OKX_SPOT = Proof(
    exchange="okx",
    title="OKX",
    market="spot",
    library="okx",
    host="www.okx.com",
    every={
        "instId": "{symbol}",
        "side": "{side}",
        "sz": "{quantity}",
        "clOrdId": "{id}",
        "tdMode": "cash",
        "tgtCcy": "base_ccy",
    },
    kinds=_OKX_KINDS,
    stop_replaces=("tgtCcy",),
    stop_id_param="algoClOrdId",
    id_fields=("algoClOrdId", "clOrdId"),
    params={"tdMode": "cash"},
    options={"fetchMarkets": {"types": ["spot"]}},
    looks=(Look("fetch_order", _BY_ID),),
    stop_looks=(Look("fetch_order", {**_BY_ID, "trigger": True}),),
    child_field="ordId",
    envelope=("code", "data"),
    cancel_params=_BY_ID,
    open_lists=({}, _OKX_STOP),
    needs_passphrase=True,
    sandbox="header",
    poll_seconds=2.0,
    crossed_marks=_OKX_ERRORS,
)
OKX_LINEAR = Proof(
    exchange="okx",
    title="OKX",
    market="linear",
    library="okx",
    host="www.okx.com",
    every={
        "instId": "{symbol}",
        "side": "{side}",
        "sz": "{quantity}",
        "clOrdId": "{id}",
        "tdMode": "cross",
    },
    kinds={**_OKX_KINDS, STOP: {**_OKX_KINDS[STOP], "reduceOnly": "true"}},
    reduces={"reduceOnly": "true"},
    stop_id_param="algoClOrdId",
    id_fields=("algoClOrdId", "clOrdId"),
    options={"fetchMarkets": {"types": ["swap"]}, "defaultType": "swap"},
    looks=(Look("fetch_order", _BY_ID),),
    stop_looks=(Look("fetch_order", {**_BY_ID, "trigger": True}),),
    child_field="ordId",
    envelope=("code", "data"),
    cancel_params=_BY_ID,
    open_lists=({"instType": "SWAP"}, {**_OKX_STOP, "instType": "SWAP"}),
    needs_passphrase=True,
    mode="private_get_account_config:posMode",
    sandbox="header",
    poll_seconds=2.0,
    crossed_marks=_OKX_ERRORS,
)
PROVEN: tuple[Proof, ...] = (KRAKEN_SPOT, OKX_SPOT, OKX_LINEAR)
EXCHANGES = tuple(sorted({proof.exchange for proof in PROVEN}))
