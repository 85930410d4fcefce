"""What an account at an exchange promises besides the contract of all brokers: what only ccxt could break."""

from __future__ import annotations

import builtins
import decimal
import subprocess
import sys
import threading
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from brokers.exchanges import library, looking
from brokers.exchanges.broker import Exchange, Perpetuals
from brokers.exchanges.errors import MEANINGS
from brokers.exchanges.library import exact, to_number
from brokers.exchanges.orders import round_levels
from brokers.exchanges.proven import PROVEN
from brokers.protocol import (
    INSUFFICIENT_BALANCE,
    KEYS_REFUSED,
    UNSUPPORTED,
    BrokerRefused,
    Instrument,
    OrderRequest,
    Uncertain,
)
from brokers.wire.deadline import Deadline
from tests.support.exchange_markets import make_account, make_broker
from tests.support.exchange_samples import kraken_says
from tests.support.faulty_server import faulty_server, raw, reply, write_answer
from tests.support.stand_in_exchanges import Kraken, Okx

D = Decimal
ROOT = Path(__file__).resolve().parents[2]
MARKETS = {(proof.exchange, proof.market): proof for proof in PROVEN}
KRAKEN, OKX = MARKETS["kraken", "spot"], MARKETS["okx", "linear"]
BITCOIN = Instrument("XXBTZUSD", "spot", base="BTC", quote="USD", step=D("0.00000001"))
CONTRACT = Instrument("BTC-USDT-SWAP", "linear", base="BTC", quote="USDT", step=D("0.01"))
PAGE = raw(write_answer(200, b"<html>checking your browser</html>", {"Content-Type": "text/html"}))
ADD = ("POST", "/0/private/AddOrder")


def name_order(number: int) -> str:
    """Return a client id as the desk makes them."""
    return f"tv-{number:027x}"


def buy(number: int = 1, quantity: str = "0.1", instrument: Instrument = BITCOIN) -> OrderRequest:
    """Return an order at the market."""
    return OrderRequest(name_order(number), instrument, "buy", D(quantity))


@pytest.fixture
def kraken():
    """Give Kraken's spot market and an account there."""
    with Kraken() as venue:
        yield venue, Exchange("mine", make_account(KRAKEN, base_url=venue.url))


@pytest.fixture
def okx():
    """Give OKX's perpetuals and an account there."""
    with Okx() as venue:
        yield venue, Perpetuals("mine", make_account(OKX, base_url=venue.url))


# --- what an answer means ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        ["EService:Timeout"],
        ["EService:Deadline elapsed"],
        ["EService:Unavailable"],
        ["EService:Busy"],
        ["EGeneral:Internal error"],
        ["EOrder:Something new"],
    ],
)
def test_what_may_have_been_carried_out_is_a_doubt(kraken, said):
    """The library calls a time-out of the exchange an error like any other: here it is looked up."""
    venue, broker = kraken
    broker.instrument("BTCUSD")
    venue.paths = {**venue.paths, ADD[1]: lambda self, found: kraken_says(None, *said)}
    with pytest.raises(Uncertain):
        broker.place_order(buy())
    assert len(venue.sent(ADD[1])) == 1


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("EOrder:Insufficient funds", INSUFFICIENT_BALANCE),
        ("EAPI:Invalid key", KEYS_REFUSED),
    ],
)
def test_what_was_certainly_not_carried_out_is_a_refusal(kraken, said, code):
    """By a class that names the reason."""
    venue, broker = kraken
    broker.instrument("BTCUSD")
    venue.paths = {**venue.paths, ADD[1]: lambda self, found: kraken_says(None, said)}
    with pytest.raises(BrokerRefused) as no:
        broker.place_order(buy())
    assert no.value.code == code


def test_a_wrong_number_beside_the_signature_is_sent_once_more(kraken):
    """The exchange did not carry it out; the second has a higher number and the same client id."""
    venue, broker = kraken
    place, said = Kraken.paths[ADD[1]], ["EAPI:Invalid nonce"]

    def answer(self, found):
        return kraken_says(None, said.pop()) if said else place(self, found)

    venue.paths = {**venue.paths, ADD[1]: answer}
    broker.instrument("BTCUSD")
    assert broker.place_order(buy()).status == "filled"
    first, second = (each.parameters for each in venue.sent(ADD[1]))
    assert first["cl_ord_id"] == second["cl_ord_id"]
    assert int(second["nonce"]) > int(first["nonce"])


@pytest.mark.parametrize("behave", [PAGE, reply(200, ""), reply(200, None), reply(200, [])])
@pytest.mark.parametrize(
    "place", [place for place, proof in MARKETS.items() if not proof.needs_price]
)
def test_a_page_is_no_order(place, behave, monkeypatch):
    """By itself the library returns from such an answer as if all were well."""
    proof = MARKETS[place]
    with faulty_server() as server:
        broker = make_broker(proof, base_url=server.url)
        market = next(iter(broker._markets._by_id.values()))
        server.fault = behave
        quantity = D(3) if market["precision"]["amount"] == "1" else D("0.0123")
        instrument = Instrument(market["id"], proof.market)
        request = OrderRequest(
            name_order(7), instrument, "sell", quantity, "limit", D("60000"), reduces=True
        )
        request = replace(request, quantity=quantity * D(market.get("contractSize") or 1))
        with pytest.raises(Uncertain):
            broker.close(request)
        assert sum(each.method == "POST" for each in server.requests) == 1


def test_only_classes_that_name_a_reason_are_a_refusal():
    """Parents stand for many things, time-outs among them; and every name is one that the library has."""
    import ccxt

    unclear = {"ExchangeError", "OperationFailed", "NetworkError", "RequestTimeout", "BaseError"}
    unclear |= {"ExchangeNotAvailable", "OnMaintenance", "BadResponse", "NullResponse"}
    assert not unclear & MEANINGS.keys()
    assert all(hasattr(ccxt, name) for name in MEANINGS)


@pytest.mark.parametrize("proof", PROVEN, ids=lambda proof: proof.name)
def test_no_time_out_of_an_exchange_passes_for_a_refusal(proof):
    """Its codes for not knowing what became of an order are none that the library gives a reason."""
    import ccxt

    codes = {"okx": ["50004"], "bitget": ["40015", "40725"], "kucoin": ["408000"]}
    exceptions = getattr(ccxt, proof.library)().exceptions
    known = {**exceptions.get("exact", {}), **exceptions.get("broad", {})}
    doubtful = [
        text
        for text in known
        if any(mark in text.lower() for mark in ("timeout", "timed out", "deadline"))
    ]
    doubtful += [code for code in codes.get(proof.exchange, []) if code in known]
    wrong = {text for text in doubtful if known[text].__name__ in MEANINGS}
    assert wrong == {mark.strip('"') for mark in proof.doubt_marks}


@pytest.mark.parametrize(
    ("place", "said", "expected"),
    [
        (("kucoin", "spot"), {"code": "408000", "msg": "Network timeout"}, Uncertain),
        (("kucoin", "linear"), {"code": "330012", "msg": "Hedge Mode"}, BrokerRefused),
        (("okx", "linear"), {"code": "50004", "msg": "Endpoint request timeout"}, Uncertain),
        (("bitget", "spot"), {"code": "40725", "msg": "service return an error"}, Uncertain),
        (("gate", "spot"), {"label": "SERVER_ERROR", "message": "x"}, Uncertain),
    ],
)
@pytest.mark.parametrize("status", [200, 400])
def test_what_an_error_of_an_exchange_means(place, said, expected, status):
    """Also with a status that elsewhere means no."""
    proof = MARKETS[place]
    with faulty_server() as server:
        broker = make_broker(proof, base_url=server.url)
        market = next(iter(broker._markets._by_id.values()))
        server.fault = reply(status, said)
        instrument = Instrument(market["id"], proof.market)
        quantity = D(3) if market["precision"]["amount"] == "1" else D("0.0123")
        quantity *= D(market.get("contractSize") or 1)
        with pytest.raises(expected) as found:
            broker.place_order(
                OrderRequest(name_order(8), instrument, "buy", quantity, "limit", D(60000))
            )
        assert expected is Uncertain or found.value.code == "HEDGE_MODE"


# --- numbers -------------------------------------------------------------------------------------------


def test_no_number_becomes_a_float():
    """A fraction stays text with every digit."""
    assert exact({"a": D("0.10000000000000000001"), "b": [D("1E-8"), 7, None, True]}) == {
        "a": "0.10000000000000000001",
        "b": ["0.00000001", 7, None, True],
    }
    assert to_number("1e-8") == "0.00000001"
    for wrong in ("NaN", "Infinity", "1_0", "\uff11", "1e400", ""):
        with pytest.raises((ValueError, ArithmeticError)):
            to_number(wrong)


def test_our_decimals_round_as_before(kraken):
    """The library sets the rounding of the thread it runs in and leaves it so."""
    _, broker = kraken
    before = decimal.getcontext().rounding
    broker.instrument("BTCUSD")
    broker.place_order(buy())
    assert decimal.getcontext().rounding == before


@pytest.mark.parametrize(
    ("side", "reduces", "kind", "level", "expected"),
    [
        ("sell", True, "stop", "50123.4", "50123"),
        ("buy", True, "stop", "50123.4", "50124"),
        ("sell", True, "limit", "1.234567", "1.2345"),
        ("buy", False, "limit", "1.234567", "1.2346"),
        ("buy", False, "limit", "123456", "123456"),
    ],
)
def test_a_level_has_as_many_digits_as_the_exchange_takes(side, reduces, kind, level, expected):
    """A stop goes away from the price; whole numbers are taken as they are."""
    price = {"stop_price" if kind == "stop" else "limit_price": D(level)}
    request = OrderRequest("x", CONTRACT, side, D(1), kind, reduces=reduces, **price)
    rounded = round_levels(MARKETS["hyperliquid", "linear"], request)
    assert (rounded.stop_price or rounded.limit_price) == D(expected)


# --- what is held and what was executed ----------------------------------------------------------------


def test_a_triggered_stop_is_told_by_the_order_it_became(okx):
    """With its executions under our id, and no execution is told without one."""
    venue, broker = okx
    broker.instrument("BTCUSDT.P")
    broker.place_order(buy(1, "0.1", CONTRACT))
    stop = replace(
        buy(2, "0.1", CONTRACT), side="sell", order_type="stop", stop_price=D(48000), reduces=True
    )
    assert broker.close(stop).status == "accepted"
    venue.book.move(47900)
    fresh = Perpetuals("mine", make_account(OKX, base_url=venue.url))
    assert [fill.client_id for fill in fresh.fills(0, ["BTC-USDT-SWAP"])] == [name_order(1)]
    found = fresh.find_order(stop)
    assert (found.status, found.filled, found.average_price) == ("filled", D("0.1"), D(47900))
    assert {fill.client_id for fill in found.fills} == {name_order(2)}


def test_every_execution_is_read_page_by_page(kraken, monkeypatch):
    """A full page leaves out what is older or newer."""
    _, broker = kraken
    trades = [{"id": str(n), "timestamp": 1000 + n, "order": "o"} for n in range(130)]

    def ask(view, method, symbol, since, limit, params, *, deadline):
        end = params.get("until", 10**15)
        return [t for t in trades if since <= t["timestamp"] <= end][-50:]  # the newest fifty

    monkeypatch.setattr(looking.View, "ask", ask)
    found = looking._ask_trades(broker._view, {"symbol": "BTC/USD"}, 0, Deadline.after(3))
    assert {row["id"] for row in found} == {str(n) for n in range(130)}


@pytest.mark.parametrize(("back_ms", "is_absent"), [(3_600_000, True), (10_000, False)])
def test_a_full_list_that_does_not_go_back_far_enough_proves_nothing(
    monkeypatch, back_ms, is_absent
):
    """The order may stand on a page that was not asked for."""
    proof = MARKETS["coinbase", "spot"]
    broker = make_broker(proof)
    born = 1_796_000_000_000
    rows = [
        {"id": str(n), "timestamp": born - back_ms + 1000 * n, "info": {}, "clientOrderId": "x"}
        for n in range(100)
    ]
    monkeypatch.setattr(looking.View, "ask", lambda *how, deadline: rows)
    instrument = Instrument("BTC-USD", "spot", base="BTC", quote="USD")
    request = OrderRequest(f"tv-{born:011x}{7:016x}", instrument, "buy", D(1), "limit", D(1))
    if is_absent:
        assert broker.find_order(request).status == "absent"
        return
    with pytest.raises(Uncertain, match="far enough"):
        broker.find_order(request)


# --- one client, loaded once ---------------------------------------------------------------------------


def test_markets_are_loaded_once_for_all_accounts(kraken):
    """The second account asks nothing of them, and trades with its own keys."""
    venue, broker = kraken
    broker.instrument("BTCUSD")
    keys = {"CCXT_API_KEY": "another-key", "CCXT_API_SECRET": "YW5vdGhlcg=="}
    second = Exchange("second", make_account(KRAKEN, base_url=venue.url, credentials=keys))
    second.instrument("BTCUSD")
    second.place_order(buy(2))
    assert len(venue.sent("/0/public/AssetPairs")) == 1
    assert venue.sent(ADD[1])[0].headers["api-key"] == "another-key"


def test_numbers_of_calls_only_rise(kraken):
    """Also where threads ask within one millisecond."""
    _, broker = kraken
    client, found = broker._library.client, []

    def count():
        found.extend(client.nonce() for _ in range(200))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(set(found)) == len(found) == 800


# --- the package ---------------------------------------------------------------------------------------


def test_without_the_package_the_answer_says_how_to_get_it(monkeypatch):
    """Nothing is traded, and the server runs."""
    real = builtins.__import__

    def refuse(name, *arguments):
        if name.partition(".")[0] == "ccxt":
            raise ImportError(name)
        return real(name, *arguments)

    monkeypatch.setattr(library.importlib, "import_module", refuse)
    broker = Exchange("mine", make_account(KRAKEN))
    broker.open()
    with pytest.raises(BrokerRefused, match=r"pip install -r requirements-ccxt\.txt") as no:
        broker.instrument("BTCUSD")
    assert no.value.code == UNSUPPORTED
    assert "requirements-ccxt.txt" in (broker.check().problem or "")
    assert broker.price("BTCUSD") is None


def test_another_version_trades_nothing(monkeypatch):
    """What it sends was never looked at."""
    import ccxt

    monkeypatch.setattr(ccxt, "__version__", "4.6.0")
    with pytest.raises(BrokerRefused, match=r"ccxt 4\.6\.0 is installed"):
        Exchange("mine", make_account(KRAKEN)).instrument("BTCUSD")


def test_who_does_not_configure_it_does_not_load_it():
    """Making the table of brokers and an account that is never opened imports no ccxt."""
    program = (
        "import sys, webhook_server\n"
        "from tests.support.exchange_markets import make_account\n"
        "from brokers.exchanges.proven import PROVEN\n"
        "from brokers import BROKERS\n"
        "BROKERS['ccxt']('mine', make_account(PROVEN[0]))\n"
        "assert 'ccxt' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells it there")
def test_memory_with_the_library_stays_small():
    """Under 150 MB with an exchange loaded, as the operating system counts it."""
    program = (
        "import webhook_server\n"
        "from tests.support.stand_in_exchanges import Kraken\n"
        "from tests.support.exchange_markets import make_account\n"
        "from brokers.exchanges.broker import Exchange\n"
        "from brokers.exchanges.proven import PROVEN\n"
        "proof = next(p for p in PROVEN if p.exchange == 'kraken')\n"
        "with Kraken() as venue:\n"
        "    broker = Exchange('mine', make_account(proof, base_url=venue.url))\n"
        "    broker.instrument('BTCUSD')\n"
        # Not getrusage: what that counts begins with the process this one was forked from.
        "lines = open('/proc/self/status').read().splitlines()\n"
        "print(next(line.split()[1] for line in lines if line.startswith('VmHWM')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True
    )
    assert int(done.stdout) < 150_000
