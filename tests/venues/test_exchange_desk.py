"""The whole way through ccxt: an alert comes in, and stand-ins for Kraken and OKX have the orders."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.support.running import GUARDED, await_true, receivers
from tests.support.stand_in_exchanges import Kraken, Okx

D = Decimal
KEYS = {
    **GUARDED,
    "CCXT_API_KEY": "made-up-key-of-an-exchange",
    "CCXT_API_SECRET": "bWFkZS11cC1zZWNyZXQtb2YtYW4tZXhjaGFuZ2U=",
    "CCXT_PASSPHRASE": "made-up-passphrase",
}
MARKETS = {"kraken": "spot", "okx": "linear"}


@pytest.fixture(params=["kraken", "okx"])
def venue(request):
    """Give each of the exchanges by turns."""
    with {"kraken": Kraken, "okx": Okx}[request.param]() as found:
        found.name = request.param
        yield found


@pytest.fixture
def kraken():
    """Give Kraken's spot market."""
    with Kraken() as found:
        found.name = "kraken"
        yield found


@pytest.fixture
def okx():
    """Give OKX's perpetuals."""
    with Okx() as found:
        found.name = "okx"
        yield found


@pytest.fixture
def start(tmp_path):
    """Start receivers."""
    with receivers(tmp_path) as found:
        yield found


def configure(venue, more=""):
    """Return a configuration with an account there."""
    account = f"broker: ccxt, exchange: {venue.name}, market: {MARKETS[venue.name]}, sandbox: true"
    return (
        f"accounts: {{there: {{{account}, base_url: '{venue.url}'{more}}}}}\n"
        "default_account: there\n"
    )


def trade(receiver, venue, action="buy", **fields):
    """Send one alert and return its answer."""
    symbol = "BTCUSD" if venue.name == "kraken" else "BTCUSDT.P"
    alert = {"action": action, "symbol": symbol, "quantity": "0.1", "price": "50000", **fields}
    alert = {name: value for name, value in alert.items() if value is not None}
    return receiver.send(**alert).get_json()


def held(venue):
    """Return the coins that the exchange has for us."""
    return venue.book.held * (D("0.01") if venue.name == "okx" else 1)


def working(venue):
    """Return kind and size of every order that works there."""
    rows = venue.book.working()
    return sorted(("stop" if o.stop else "limit", o.size) for o in rows)


def test_a_buy_is_filled_and_a_close_ends_it(start, venue):
    """Coins here, contracts there; the receipt has price and fee."""
    receiver = start(configure(venue), KEYS)
    answer = trade(receiver, venue)
    order = answer["orders"][0]
    assert (answer["status"], order["paper"], order["average_price"]) == ("filled", False, "50000")
    assert held(venue) == D("0.1")
    assert trade(receiver, venue, "close", quantity=None)["status"] == "filled"
    assert held(venue) == 0
    assert not receiver.held()


def test_a_stop_protects_and_closes(start, venue):
    """It works at the exchange; when it has filled the position is closed by it, also here."""
    receiver = start(configure(venue), KEYS)
    trade(receiver, venue, stop_loss="48000")
    await_true(lambda: [kind for kind, _ in working(venue)] == ["stop"])
    await_true(lambda: receiver.get("/positions")["positions"][0]["protected"])
    venue.book.move(47900)
    await_true(lambda: receiver.get("/positions")["closed"], 40)
    closed = receiver.get("/positions")["closed"][0]
    assert (closed["closed_by"], closed["exit_price"]) == ("stop_loss", "47900")
    assert held(venue) == 0


def test_a_filled_target_cancels_its_stop(start, okx):
    """The exchange links nothing: the desk does."""
    receiver = start(configure(okx), KEYS)
    trade(receiver, okx, stop_loss="48000", take_profit="55000")
    await_true(lambda: len(working(okx)) == 2)
    assert {size for _, size in working(okx)} == {D(10)}
    okx.book.move(55000)
    await_true(lambda: not working(okx), 15)
    await_true(lambda: receiver.get("/positions")["closed"], 15)
    assert receiver.get("/positions")["closed"][0]["closed_by"] == "take_profit"
    assert okx.book.held == 0


def test_a_reversal_is_two_orders(start, okx):
    """The close only reduces."""
    receiver = start(configure(okx), KEYS)
    trade(receiver, okx)
    answer = trade(receiver, okx, "sell", quantity="0.3")
    assert answer["status"] == "filled"
    assert [(o.side, o.size, o.reduces) for o in list(okx.book.orders.values())[1:]] == [
        ("sell", D(10), True),
        ("sell", D(20), False),
    ]


def test_a_lost_answer_is_looked_up_and_never_sent_again(start, venue):
    """The order filled although nobody said so."""
    receiver = start(configure(venue), KEYS)
    path = "/0/private/AddOrder" if venue.name == "kraken" else "/api/v5/trade/batch-orders"
    trade(receiver, venue)
    venue.losing = path
    answer = trade(receiver, venue)
    assert answer["status"] in ("unknown", "pending")
    await_true(lambda: set(receiver.held().values()) == {D("0.2")}, 20)
    assert len(venue.sent(path)) == 2


def test_a_restart_recognises_its_orders(start, venue):
    """By our ids, which the exchange has in its own form; no second stop is placed."""
    receiver = start(configure(venue), KEYS)
    trade(receiver, venue, stop_loss="48000")
    await_true(lambda: receiver.get("/positions")["positions"][0]["protected"])
    before = len(venue.book.orders)
    receiver.restart()
    await_true(lambda: receiver.get("/positions")["positions"][0]["protected"])
    venue.book.move(47900)
    await_true(lambda: receiver.get("/positions")["closed"], 40)
    assert receiver.get("/positions")["closed"][0]["closed_by"] == "stop_loss"
    assert len([o for o in venue.book.orders.values() if o.name]) == before


@pytest.mark.parametrize(
    ("mode", "code"), [("long_short_mode", "HEDGE_MODE"), (None, "HEDGE_UNKNOWN")]
)
def test_an_account_in_hedge_mode_opens_nothing(start, okx, mode, code):
    """Nor does one whose mode is not told."""
    okx.mode = mode
    receiver = start(configure(okx), KEYS)
    answer = trade(receiver, okx)
    assert answer["code"] == code, answer
    assert not okx.book.orders


def test_an_account_on_paper_goes_by_the_price_of_its_exchange(start, kraken):
    """Nothing is sent but questions, and no key is needed."""
    nobody = "accounts: {paper_simulator: {broker: paper, base_url: 'http://127.0.0.1:9'}, there"
    config = configure(kraken).replace(", sandbox: true", "").replace("accounts: {there", nobody)
    receiver = start(config, {**GUARDED, "PRICES": "live"})
    answer = trade(receiver, kraken, price=None)
    assert (answer["status"], answer["orders"][0]["average_price"]) == ("filled", "50000"), answer
    assert not kraken.book.orders


@pytest.mark.parametrize(
    ("exchange", "market"), [("kraken", "linear"), ("mexc", "linear"), ("coinbase", "linear")]
)
def test_a_market_that_is_not_proven_is_named_at_the_start(start, kraken, exchange, market):
    """The settings say which exchanges are proven for that market."""
    account = f"{{broker: ccxt, exchange: {exchange}, market: {market}}}"
    with pytest.raises(Exception, match="not proven for") as found:
        start(f"accounts: {{there: {account}}}\ndefault_account: there\n", KEYS)
    assert exchange in str(found.value)


def test_an_entry_whose_stop_the_exchange_would_not_take_is_denied(start, kraken):
    """An entry that would stand bare is not made."""
    account = "broker: ccxt, exchange: mexc, market: spot, sandbox: true"
    config = (
        f"accounts: {{there: {{{account}, base_url: '{kraken.url}'}}}}\ndefault_account: there\n"
    )
    kraken.paths = {**kraken.paths, **MEXC}
    receiver = start(config, KEYS)
    alert = {"action": "buy", "symbol": "BTCUSDT", "quantity": "0.1", "price": "50000"}
    answer = receiver.send(**alert, stop_loss="48000").get_json()
    assert (answer["status"], answer["code"]) == ("denied", "UNSUPPORTED"), answer
    assert "stop" in answer["message"]


MEXC = {
    "/api/v3/exchangeInfo": lambda self, said: (
        200,
        {
            "symbols": [
                {
                    "symbol": "BTCUSDT",
                    "status": "1",
                    "baseAsset": "BTC",
                    "baseAssetPrecision": 6,
                    "quoteAsset": "USDT",
                    "quotePrecision": 2,
                    "quoteAssetPrecision": 2,
                    "baseSizePrecision": "0.000001",
                    "orderTypes": ["LIMIT", "MARKET"],
                    "isSpotTradingAllowed": True,
                    "permissions": ["SPOT"],
                    "filters": [],
                }
            ]
        },
    ),
}
