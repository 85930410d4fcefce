"""Compare what leaves for Bybit with what two independent libraries send for the same wish.

ccxt and Bybit's own pybit talk to a stand-in of their own on a loopback socket, and trade there. Where we
differ from ccxt on purpose, the table says why.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import ccxt
import pytest
from pybit.exceptions import InvalidRequestError
from pybit.unified_trading import HTTP

from brokers.bybit.signing import sign
from brokers.bybit.unified import Bybit, BybitPerpetuals
from brokers.protocol import Instrument, OrderRequest
from tests.support.samples import Account
from tests.support.stand_in.bybit import KEY, SECRET, BybitStandIn

D = Decimal
CREATE, AMEND, CANCEL = "/v5/order/create", "/v5/order/amend", "/v5/order/cancel"
PERPETUAL, PAIR = "BTC/USDT:USDT", "BTC/USDT"
CONTRACT = Instrument("BTCUSDT", "linear", base="BTC", quote="USDT", tick=D("0.1"), step=D("0.001"))
COIN = replace(CONTRACT, kind="spot")
CREDENTIALS = {"BYBIT_API_KEY": KEY, "BYBIT_API_SECRET": SECRET}
ON_PURPOSE = {
    "positionIdx": "one-way mode is said, so that an account in hedge mode refuses",
    "timeInForce": "a limit rests until it is cancelled, and says so",
    "isLeverage": "nothing is bought on spot with borrowed money, and it is said",
    "marketUnit": "a market order on spot counts in coins, both ways",
    "orderFilter": "a plain limit order says that it is one",
    "triggerBy": "levels are TradingView's last prices, and it is said",
}
"""What we say and ccxt leaves to Bybit's default, and why."""


def ask(kind="market", side="buy", instrument=CONTRACT, **more):
    """Return a request for a tenth of a bitcoin."""
    return OrderRequest("tv-1", instrument, side, D("0.1"), kind, **more)


STOP = ask("stop", "sell", stop_price=D(48000), reduces=True)
TARGET = ask("limit", "sell", limit_price=D(52000), reduces=True)
WISHES: dict[str, tuple[OrderRequest, tuple[Any, ...], dict[str, Any]]] = {
    "market": (ask(), (PERPETUAL, "market", "buy", 0.1, None), {}),
    "limit": (ask("limit", limit_price=D(49000)), (PERPETUAL, "limit", "buy", 0.1, 49000), {}),
    "exit": (
        ask(side="sell", reduces=True),
        (PERPETUAL, "market", "sell", 0.1, None),
        {"reduceOnly": True},
    ),
    "stop": (
        STOP,
        (PERPETUAL, "market", "sell", 0.1, None),
        {"triggerPrice": 48000, "triggerDirection": "descending", "reduceOnly": True},
    ),
    "target": (
        TARGET,
        (PERPETUAL, "limit", "sell", 0.1, 52000),
        {"triggerPrice": 52000, "triggerDirection": "ascending", "reduceOnly": True},
    ),
    "stop entry": (
        ask("stop", stop_price=D(51000)),
        (PERPETUAL, "market", "buy", 0.1, None),
        {"triggerPrice": 51000, "triggerDirection": "ascending"},
    ),
    "spot limit": (
        ask("limit", instrument=COIN, limit_price=D(49000)),
        (PAIR, "limit", "buy", 0.1, 49000),
        {},
    ),
    "spot sell": (
        ask(side="sell", instrument=COIN, reduces=True),
        (PAIR, "market", "sell", 0.1, None),
        {},
    ),
}


def hold(venue):
    """Give the account a long perpetual and some coins."""
    venue.free["BTC"] = D(1)
    venue.trade_by_hand("BTCUSDT", "BUY", 1)


@pytest.fixture
def ours() -> Iterator[BybitStandIn]:
    """Run a stand-in for our broker."""
    with BybitStandIn() as venue:
        hold(venue)
        yield venue


@pytest.fixture
def theirs() -> Iterator[tuple[BybitStandIn, Any]]:
    """Run a stand-in with a ccxt client that has loaded its markets."""
    with BybitStandIn() as venue:
        hold(venue)
        options = {
            "fetchMarkets": {"types": ["spot", "linear"]},
            "enableUnifiedMargin": True,
            "enableUnifiedAccount": True,
        }
        client = ccxt.bybit({"apiKey": KEY, "secret": SECRET, "options": options})
        client.has["fetchCurrencies"] = False
        client.urls["api"] = dict.fromkeys(client.urls["api"], venue.url)
        client.load_markets()
        yield venue, client
        client.session.close()


@pytest.fixture
def official() -> Iterator[tuple[BybitStandIn, HTTP]]:
    """Run a stand-in with Bybit's own client."""
    with BybitStandIn() as venue:
        hold(venue)
        client = HTTP(testnet=True, api_key=KEY, api_secret=SECRET)
        client.endpoint = venue.url
        yield venue, client
        client.client.close()


def make(venue, request):
    """Return the broker of a request's market."""
    kind = BybitPerpetuals if request.instrument.kind == "linear" else Bybit
    return kind("bybit", Account(venue.url, CREDENTIALS, request.instrument.kind))


def send(venue, request):
    """Send an order by our broker and return its body."""
    broker = make(venue, request)
    (broker.close if request.reduces else broker.place_order)(request)
    return venue.sent("POST", CREATE)[-1]


@pytest.mark.parametrize("name", WISHES)
def test_an_order_asks_for_what_ccxt_asks(ours, theirs, name):
    """Every field agrees; what we say besides stands in the table with its reason."""
    request, wish, params = WISHES[name]
    venue, client = theirs
    mine = send(ours, request)
    client.create_order(*wish, {"clientOrderId": "tv-1", **params})
    other = venue.sent("POST", CREATE)[-1]
    more = {field for field in mine if field not in other}
    assert more <= ON_PURPOSE.keys()
    assert {field: mine[field] for field in other} == other


@pytest.mark.parametrize("name", WISHES)
def test_an_order_is_what_bybits_own_client_sends_and_trades_with(ours, official, name):
    """The same fields go through pybit unchanged, and the same order comes of it."""
    request, _, _ = WISHES[name]
    venue, client = official
    body = send(ours, request)
    assert client.place_order(**body)["result"]["orderLinkId"] == "tv-1"
    assert venue.sent("POST", CREATE) == [body]
    mine, other = ours.orders[-1], venue.orders[-1]
    for each in ("side", "quantity", "price", "stop", "status", "executed", "reduces", "is_target"):
        assert getattr(mine, each) == getattr(other, each), each


def test_changes_cancels_and_look_ups_are_bybits_own(ours, official):
    """A stop is placed, seen, changed and cancelled by both in the same words."""
    broker, (venue, client) = make(ours, STOP), official
    client.place_order(**send(ours, STOP))
    named = {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": "tv-1"}
    broker.amend(replace(STOP, quantity=D("0.05"), amended_from=D("0.1")))
    client.amend_order(**named, qty="0.05")
    broker.cancel(replace(STOP, quantity=D("0.05")))
    client.cancel_order(**named)
    for path in (AMEND, CANCEL):
        assert ours.sent("POST", path) == venue.sent("POST", path)
    client.get_open_orders(**named)
    mine = next(r for r in reversed(ours.requests) if r.path == "/v5/order/realtime")
    theirs = venue.requests[-1]
    assert mine.params == {**theirs.params, "limit": "50"}
    assert [o.status for o in (ours.orders[-1], venue.orders[-1])] == ["CANCELED", "CANCELED"]


def test_every_signature_of_ours_holds(ours):
    """Recomputed from the bytes that arrived, for each kind of call there is."""
    broker = make(ours, STOP)
    send(ours, STOP)
    broker.amend(replace(STOP, quantity=D("0.05"), amended_from=D("0.1")))
    broker.cancel(replace(STOP, quantity=D("0.05")))
    broker.snapshot()
    broker.fills(1, ["BTCUSDT"])
    broker.funding(ours.now() - 1000)
    broker.check()
    signed = [r for r in ours.requests if "x-bapi-sign" in r.headers]
    assert {r.path for r in signed} >= {CREATE, AMEND, CANCEL, "/v5/position/list"}
    for each in signed:
        payload = each.body if each.method == "POST" else each.query
        stamp = int(each.headers["x-bapi-timestamp"])
        assert each.headers["x-bapi-sign"] == sign(SECRET, stamp, KEY, payload), each.path


def test_the_libraries_read_the_stand_in(theirs, official):
    """It answers as Bybit does: libraries that know Bybit read the same from it."""
    venue, client = theirs
    placed = client.create_order(PERPETUAL, "market", "buy", 0.1, None, {"clientOrderId": "tv-1"})
    found = client.fetch_open_order(placed["id"], PERPETUAL)
    assert (found["status"], found["filled"], found["average"]) == ("closed", 0.1, 50000.0)
    (held,) = client.fetch_positions([PERPETUAL])
    assert (held["side"], held["contracts"]) == ("long", 1.1)
    venue, official_client = official
    rows = official_client.get_positions(category="linear", symbol="BTCUSDT")["result"]["list"]
    assert [(row["side"], row["size"]) for row in rows] == [("Buy", "1")]
    with pytest.raises(InvalidRequestError, match="110017"):
        official_client.place_order(
            category="linear",
            symbol="ETHUSDT",
            side="Sell",
            orderType="Market",
            qty="1",
            reduceOnly=True,
        )
    assert json.loads(venue.requests[-1].body)["reduceOnly"] is True
