"""Compare what leaves for Binance with what an independent library sends for the same wish.

Both talk to a stand-in of their own on a loopback socket. Where we differ on purpose, the test says why.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from brokers.binance.spot import Binance
from tests.support.stand_in.binance import KEY, SECRET
from tests.support.stand_in.binance_spot import StandIn
from tests.support.stand_in.server import Seen
from tests.venues.test_binance import PAIR, Account, ask, hold, legs, limit, stop

STAMPS = {"timestamp", "signature", "recvWindow"}
"""Time, what follows from it, and how late a call may be: we say Binance's own default of 5 s, ccxt 10 s."""
PLACED = "BTC/USDT"
Theirs = Any


@pytest.fixture
def theirs() -> Iterator[tuple[StandIn, Theirs]]:
    """Run a stand-in with a ccxt client that has loaded its markets."""
    with StandIn() as venue:
        hold(venue, "1")
        options = {
            "fetchCurrencies": False,
            "fetchMargins": False,
            "fetchMarkets": {"types": ["spot"]},
            "warnOnFetchOpenOrdersWithoutSymbol": False,
        }
        client = ccxt.binance({"apiKey": KEY, "secret": SECRET, "options": options})
        client.urls["api"] = dict.fromkeys(client.urls["api"], f"{venue.url}/api/v3")
        client.load_markets()
        yield venue, client
        client.session.close()


@pytest.fixture
def ours() -> Iterator[tuple[StandIn, Binance]]:
    """Run a stand-in with our broker."""
    with StandIn() as venue:
        hold(venue, "1")
        broker = Binance("binance", Account(venue.url))
        broker.instrument("BTCUSDT")
        yield venue, broker


def last_signed(venue: StandIn) -> Seen:
    """Return the newest request that carries a signature."""
    return next(seen for seen in reversed(venue.requests) if "signature" in seen.params)


def strip(seen: Seen) -> dict[str, str]:
    """Return what a request asks for."""
    return {name: value for name, value in seen.params.items() if name not in STAMPS}


def place(*wish: Any, **params: Any) -> Callable[[Theirs], Any]:
    """Return the same order at ccxt, under the same client id: by itself it puts its broker's id in front."""
    return lambda client: client.create_order(PLACED, *wish, {"clientOrderId": "tv-1", **params})


ORDERS = {
    "market": (ask(), place("market", "buy", 0.01, None)),
    "market exit": (ask("tv-1", "sell"), place("market", "sell", 0.01, None)),
    "cash": (ask(quote_quantity=Decimal(500)), place("market", "buy", None, None, cost=500)),
    "limit": (limit("tv-1", "buy", 49000), place("limit", "buy", 0.01, 49000)),
    "limit exit": (limit("tv-1", "sell", "52000.5"), place("limit", "sell", 0.01, 52000.5)),
    "stop": (stop("tv-1", "buy", 51000), place("market", "buy", 0.01, None, triggerPrice=51000)),
    "stop exit": (
        stop("tv-1", "sell", 49000),
        place("market", "sell", 0.01, None, stopLossPrice=49000),
    ),
    "stop-limit": (
        stop("tv-1", "sell", 49000, limit_price=Decimal("48990.5")),
        place("limit", "sell", 0.01, 48990.5, triggerPrice=49000),
    ),
}


@pytest.mark.parametrize("kind", ORDERS)
def test_an_order_asks_for_the_same(ours, theirs, kind):
    """Method, path and every parameter agree; ccxt puts them into the body, we into the query."""
    request, wish = ORDERS[kind]
    (our_venue, broker), (their_venue, client) = ours, theirs
    (broker.close if request.reduces else broker.place_order)(request)
    wish(client)
    mine, other = last_signed(our_venue), last_signed(their_venue)
    assert (mine.method, mine.path) == (other.method, other.path) == ("POST", "/api/v3/order")
    assert strip(mine) == strip(other)
    assert (mine.body, other.query) == ("", "")


def test_a_look_up_and_a_cancel_ask_for_the_same(ours, theirs):
    """Both go by the client id alone, never by Binance's number besides."""
    (our_venue, broker), (their_venue, client) = ours, theirs
    entry, named = limit("tv-1", "buy", 49000), {"clientOrderId": "tv-1"}
    broker.place_order(entry)
    place("limit", "buy", 0.01, 49000)(client)
    broker.find_order(entry)
    client.fetch_order(None, PLACED, named)
    for method in ("GET", "DELETE"):
        if method == "DELETE":
            broker.cancel(entry)
            client.cancel_order(None, PLACED, named)
        mine, other = last_signed(our_venue), last_signed(their_venue)
        assert (mine.method, mine.path) == (other.method, other.path) == (method, "/api/v3/order")
        assert strip(mine) == strip(other) == {"symbol": "BTCUSDT", "origClientOrderId": "tv-1"}


def test_reads_ask_for_the_same(ours, theirs):
    """We ask for full pages and for no coins that are not held; else the reads agree."""
    (our_venue, broker), (their_venue, client) = ours, theirs
    broker.place_order(ask("by-hand"))
    fresh = Binance("binance", Account(our_venue.url))
    fresh.instrument("BTCUSDT")
    fresh._calls.offset = 0
    fresh.fills(1, ["BTCUSDT"])
    fresh.snapshot()
    client.fetch_my_trades(PLACED, 1)
    client.fetch_orders(PLACED, 1)
    client.fetch_balance()
    client.fetch_open_orders()
    more: dict[str, dict[str, str]] = {
        "/api/v3/myTrades": {"limit": "1000"},
        "/api/v3/allOrders": {"limit": "1000"},
        "/api/v3/account": {"omitZeroBalances": "true"},
        "/api/v3/openOrders": {},
    }
    for path, extra in more.items():
        mine = next(seen for seen in reversed(our_venue.requests) if seen.path == path)
        other = next(seen for seen in reversed(their_venue.requests) if seen.path == path)
        assert mine.method == other.method == "GET"
        assert strip(mine) == strip(other) | extra


@pytest.mark.parametrize(
    ("call", "path"),
    [
        ("privatePostOrderListOco", "/api/v3/orderList/oco"),
        ("privatePostOrderListOtoco", "/api/v3/orderList/otoco"),
        ("privatePostOrderListOto", "/api/v3/orderList/oto"),
    ],
)
def test_order_lists_go_where_they_should(ours, theirs, call, path):
    """Ccxt has no order of its own for lists, only their addresses: what we sent is accepted from it too."""
    (our_venue, broker), (their_venue, client) = ours, theirs
    if path.endswith("/oco"):
        broker.protect(PAIR)
    else:
        linked = legs() if path.endswith("otoco") else legs()[:1]
        broker.place_order(limit("tv-e", "buy", 49000, legs=linked))
    mine = last_signed(our_venue)
    told = getattr(client, call)(strip(mine))
    other = last_signed(their_venue)
    assert (mine.method, mine.path) == (other.method, other.path) == ("POST", path)
    assert strip(mine) == strip(other)
    assert {row["clientOrderId"] for row in told["orderReports"]} == {
        order.client_id for order in our_venue.orders
    }


def test_every_signature_of_ours_holds(ours):
    """Recomputed from the bytes that arrived, for each kind of call there is."""
    venue, broker = ours
    broker.place_order(limit("tv-e", "buy", 49000, legs=legs()))
    broker.cancel(limit("tv-e", "buy", 49000))
    broker.protect(PAIR)
    broker.place_order(ask("tv-f"))
    broker.find_order(ask("tv-f"))
    broker.cancel(PAIR[0])
    broker.snapshot()
    broker.fills(1, ["BTCUSDT"])
    broker.check()
    signed = [seen for seen in venue.requests if "signature" in seen.params]
    assert {(seen.method, seen.path.rpartition("/")[2]) for seen in signed} == {
        *(("POST", "oco"), ("POST", "otoco"), ("POST", "order"), ("DELETE", "order")),
        *(("GET", "order"), ("GET", "openOrders"), ("GET", "account")),
        *(("GET", "myTrades"), ("GET", "apiRestrictions")),
    }
    for seen in signed:
        payload, _, signature = seen.query.rpartition("&signature=")
        right = hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()
        assert signature == right, seen.path
        assert seen.body == ""


def test_the_library_reads_the_stand_in(theirs):
    """The stand-in answers as the venue does: a library that knows the venue reads the same from it."""
    venue, client = theirs
    order = place("market", "buy", 0.01, None)(client)
    assert (order["status"], order["filled"], order["average"]) == ("closed", 0.01, 50000.0)
    assert order["fees"] == [{"currency": "BTC", "cost": 0.00001}]
    trade = client.fetch_my_trades(PLACED)[0]
    assert (trade["id"], trade["side"], trade["amount"]) == ("5000", "buy", 0.01)
    assert client.fetch_balance()["BTC"]["total"] == 1.00999
    with pytest.raises(ccxt.InsufficientFunds):
        client.create_order(PLACED, "market", "sell", 5)
    with pytest.raises(ccxt.OrderNotFound):
        client.fetch_order(None, PLACED, {"clientOrderId": "nobody"})
    venue.fail("GET", "/api/v3/account", -1021, "Timestamp is outside of the recvWindow.")
    with pytest.raises(ccxt.InvalidNonce):
        client.fetch_balance()
