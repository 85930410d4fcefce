"""Compare what leaves for Binance's perpetuals with what an independent library sends for the same wish.

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

from brokers.binance.usdm import BinancePerpetuals
from brokers.protocol import Instrument, OrderRequest
from tests.support.samples import Account
from tests.support.stand_in.binance import KEY, SECRET
from tests.support.stand_in.binance_usdm import PerpetualStandIn
from tests.support.stand_in.server import Seen

D = Decimal
STAMPS = {"timestamp", "signature", "recvWindow"}
"""Time, what follows from it, and how late a call may be: we say Binance's own default of 5 s, ccxt 10 s."""
PLACED = "BTC/USDT:USDT"
ORDER, ALGO = "/fapi/v1/order", "/fapi/v1/algoOrder"
KEYS = {"BINANCE_API_KEY": KEY, "BINANCE_API_SECRET": SECRET}
CONTRACT = Instrument("BTCUSDT", "linear", base="BTC", quote="USDT")
Theirs = Any


def ask(kind: str = "market", side: str = "buy", **changes: Any) -> OrderRequest:
    """Return an order for 0.01 BTC."""
    return OrderRequest("tv-1", CONTRACT, side, D("0.01"), kind, **changes)


def hold(venue: PerpetualStandIn) -> None:
    """Have a long position there, so that what reduces is taken."""
    venue.trade_by_hand("BTCUSDT", "BUY", "1")


@pytest.fixture
def theirs() -> Iterator[tuple[PerpetualStandIn, Theirs]]:
    """Run a stand-in with a ccxt client that has loaded its markets."""
    with PerpetualStandIn() as venue:
        hold(venue)
        options = {
            "defaultType": "swap",
            "fetchCurrencies": False,
            "fetchMargins": False,
            "fetchMarkets": {"types": ["linear"]},
            "warnOnFetchOpenOrdersWithoutSymbol": False,
        }
        client = ccxt.binance({"apiKey": KEY, "secret": SECRET, "options": options})
        for name in client.urls["api"]:
            version = name[-1] if name[-2:] in ("V2", "V3") else "1"
            client.urls["api"][name] = f"{venue.url}/fapi/v{version}"
        client.load_markets()
        yield venue, client
        client.session.close()


@pytest.fixture
def ours() -> Iterator[tuple[PerpetualStandIn, BinancePerpetuals]]:
    """Run a stand-in with our broker."""
    with PerpetualStandIn() as venue:
        hold(venue)
        broker = BinancePerpetuals("perps", Account(venue.url, KEYS, "linear"))
        broker.instrument("BTCUSDT.P")
        yield venue, broker


def last_sent(venue: PerpetualStandIn, method: str) -> Seen:
    """Return the newest signed request of a method."""
    signed = [r for r in venue.requests if "signature" in r.params and r.method == method]
    return signed[-1]


def strip(seen: Seen) -> dict[str, str]:
    """Return what a request asks for."""
    return {name: value for name, value in seen.params.items() if name not in STAMPS}


def place(*wish: Any, **params: Any) -> Callable[[Theirs], Any]:
    """Return the same order at ccxt, under the same client id: by itself it puts its broker's id in front."""
    return lambda client: client.create_order(PLACED, *wish, {"clientOrderId": "tv-1", **params})


EXIT = {"reduces": True}
ORDERS = {
    "market": (ask(), place("market", "buy", 0.01, None)),
    "market exit": (
        ask(side="sell", **EXIT),
        place("market", "sell", 0.01, None, reduceOnly=True),
    ),
    "limit": (ask("limit", limit_price=D(49000)), place("limit", "buy", 0.01, 49000)),
    "stop": (
        ask("stop", stop_price=D(51000)),
        place("market", "buy", 0.01, None, triggerPrice=51000),
    ),
    "stop loss": (
        ask("stop", "sell", stop_price=D(48000), **EXIT),
        place("market", "sell", 0.01, None, stopLossPrice=48000, reduceOnly=True),
    ),
    "stop-limit": (
        ask("stop_limit", "sell", stop_price=D(48000), limit_price=D("47990.5"), **EXIT),
        place("limit", "sell", 0.01, 47990.5, stopLossPrice=48000, reduceOnly=True),
    ),
    "take profit": (
        ask("limit", "sell", limit_price=D(52000), **EXIT),
        place("limit", "sell", 0.01, 52000, takeProfitPrice=52000, reduceOnly=True),
    ),
}


@pytest.mark.parametrize("kind", ORDERS)
def test_an_order_asks_for_the_same(ours, theirs, kind):
    """Method, path and every parameter agree; ccxt puts them into the body, we into the query.

    We say that an algo order with a limit price is good till cancelled; ccxt leaves that to the default.
    """
    request, wish = ORDERS[kind]
    (our_venue, broker), (their_venue, client) = ours, theirs
    (broker.close if request.reduces else broker.place_order)(request)
    wish(client)
    mine, other = last_sent(our_venue, "POST"), last_sent(their_venue, "POST")
    is_plain = kind in ("market", "market exit", "limit")
    assert (mine.path, other.path) == ((ORDER, ORDER) if is_plain else (ALGO, ALGO))
    extra = {"timeInForce": "GTC"} if kind in ("stop-limit", "take profit") else {}
    assert strip(mine) == strip(other) | extra
    assert (mine.body, other.query) == ("", "")


@pytest.mark.parametrize("kind", ["limit", "stop loss", "take profit"])
def test_a_look_up_and_a_cancel_ask_for_the_same(ours, theirs, kind):
    """Plain orders by the client id alone; ccxt names the symbol also where an algo order needs none."""
    request, wish = ORDERS[kind]
    (our_venue, broker), (their_venue, client) = ours, theirs
    (broker.close if request.reduces else broker.place_order)(request)
    wish(client)
    is_algo = kind != "limit"
    named = {"clientOrderId": "tv-1", **({"trigger": True} if is_algo else {})}
    for method in ("GET", "DELETE"):
        if method == "GET":
            broker.find_order(request)
            client.fetch_order(None, PLACED, named)
        else:
            broker.cancel(request)
            client.cancel_order(None, PLACED, named)
        mine, other = last_sent(our_venue, method), last_sent(their_venue, method)
        assert mine.path == other.path == (ALGO if is_algo else ORDER)
        extra = {"symbol": "BTCUSDT"} if is_algo else {}
        assert strip(mine) | extra == strip(other)


def test_reads_ask_for_the_same(ours, theirs):
    """We ask for full pages and take equity and positions from one answer; else the reads agree."""
    (our_venue, broker), (their_venue, client) = ours, theirs
    broker.fills(1, ["BTCUSDT"])
    broker.snapshot()
    broker.snapshot()  # the lists of what is held alone, as between the whole ones
    broker.funding(1)
    client.fetch_my_trades(PLACED, 1)
    client.fetch_open_orders(PLACED)
    client.fetch_open_orders(PLACED, None, None, {"trigger": True})
    client.fetch_funding_history(None, 1)
    client.fetch_balance({"type": "swap"})
    more: dict[str, dict[str, str]] = {
        "/fapi/v1/userTrades": {"limit": "1000"},
        "/fapi/v1/openOrders": {},
        "/fapi/v1/openAlgoOrders": {},
        "/fapi/v1/income": {"limit": "1000"},
        "/fapi/v3/account": {},
    }
    for path, extra in more.items():
        mine = next(seen for seen in reversed(our_venue.requests) if seen.path == path)
        theirs_seen = [seen for seen in their_venue.requests if seen.path == path]
        assert theirs_seen, path
        other = strip(theirs_seen[-1])
        other.pop("endTime", None)  # a week after the start: as far as Binance tells at once anyway
        assert strip(mine) == other | extra, path


def test_settings_ask_for_the_same(theirs):
    """Leverage and margin, each for one contract."""
    their_venue, client = theirs
    with PerpetualStandIn() as our_venue:
        given = Account(our_venue.url, KEYS, "linear", leverage=D(5), margin="isolated")
        broker = BinancePerpetuals("perps", given)
        broker.place_order(ask())
        their_venue.held["BTCUSDT"].amount = D(0)
        client.set_margin_mode("isolated", PLACED)
        client.set_leverage(5, PLACED)
        for path in ("/fapi/v1/marginType", "/fapi/v1/leverage"):
            (mine,) = [r for r in our_venue.requests if r.path == path]
            (other,) = [r for r in their_venue.requests if r.path == path]
            assert (mine.method, strip(mine)) == (other.method, strip(other))


def test_every_signature_of_ours_holds(ours):
    """Recomputed from the bytes that arrived, for each kind of call there is."""
    venue, broker = ours
    target = ORDERS["take profit"][0]
    broker.place_order(ask())
    broker.close(target)
    broker.find_order(target)
    broker.cancel(target)
    broker.place_order(ORDERS["limit"][0])
    broker.cancel(ORDERS["limit"][0])
    broker.snapshot()
    broker.fills(1, ["BTCUSDT"])
    broker.check()
    signed = [seen for seen in venue.requests if "signature" in seen.params]
    assert {(seen.method, seen.path.rpartition("/")[2]) for seen in signed} >= {
        *(("POST", "order"), ("POST", "algoOrder"), ("GET", "algoOrder"), ("DELETE", "algoOrder")),
        *(
            ("DELETE", "order"),
            ("GET", "openOrders"),
            ("GET", "openAlgoOrders"),
            ("GET", "account"),
        ),
        *(("GET", "userTrades"), ("GET", "accountConfig")),
    }
    for seen in signed:
        payload, _, signature = seen.query.rpartition("&signature=")
        right = hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()
        assert signature == right, seen.path
        assert seen.body == ""


def test_the_library_trades_on_the_stand_in(theirs):
    """The stand-in answers as the venue does: a library that knows the venue trades both ways on it."""
    venue, client = theirs
    venue.trade_by_hand("BTCUSDT", "SELL", "1")
    order = client.create_order(PLACED, "market", "sell", 0.01)
    assert client.fetch_order(order["id"], PLACED)["average"] == 50000.0
    (position,) = client.fetch_positions([PLACED])
    assert (position["side"], position["contracts"]) == ("short", 0.01)
    stop = client.create_order(
        PLACED, "market", "buy", 0.01, None, {"stopLossPrice": 51000, "reduceOnly": True}
    )
    assert [
        each["id"] for each in client.fetch_open_orders(PLACED, None, None, {"trigger": True})
    ] == [stop["id"]]
    assert client.fetch_open_orders(PLACED) == []
    venue.set_price("BTCUSDT", 51100)
    assert client.fetch_positions([PLACED]) == []
    trade = client.fetch_my_trades(PLACED)[-1]
    assert (trade["side"], trade["price"], trade["fee"]["currency"]) == ("buy", 51100.0, "USDT")
    with pytest.raises(ccxt.ExchangeError, match="ReduceOnly"):
        client.create_order(PLACED, "market", "buy", 0.01, None, {"reduceOnly": True})
    with pytest.raises(ccxt.ExchangeError, match="Margin is insufficient"):
        client.create_order(PLACED, "market", "buy", 100)
    with pytest.raises(ccxt.OrderNotFound):
        client.fetch_order(None, PLACED, {"clientOrderId": "nobody"})
