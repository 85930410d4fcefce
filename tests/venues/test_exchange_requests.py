"""What the pinned ccxt really sends, market by market: the tests behind the table `PROVEN`.

The request is caught where it would enter the network. Each expectation is written out in the exchange's own
words, so that a change of the library shows here and not at the exchange.
"""

from __future__ import annotations

import importlib.metadata
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from brokers.exchanges.client_ids import read_client_id, write_client_id
from brokers.exchanges.guard import check_order, read_fields
from brokers.exchanges.library import VERSION
from brokers.exchanges.proof import KINDS, LIMIT, MARKET, STOP, TARGET, Proof
from brokers.exchanges.proven import PROVEN
from brokers.protocol import UNSUPPORTED, BrokerRefused, Instrument, OrderRequest, Unreachable
from brokers.wire.client import Wire
from tests.support.exchange_markets import LISTED, make_broker

D = Decimal
ROOT = Path(__file__).resolve().parents[2]
DIGITS = "19a2b3c4d5e0123456789abcdef"
CLIENT_ID = f"tv-{DIGITS}"
UUID = "19a2b3c4-d5e0-1234-5678-9abcdef00000"
VOLATILE = {"nonce", "timestamp", "signature", "recvWindow", "Timestamp", "Signature"}
"""What is new in every request, or signs it."""
MARKETS = {(proof.exchange, proof.market): proof for proof in PROVEN}

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
}
CELLS = [(place, kind) for place, proof in MARKETS.items() for kind in KINDS]


class Caught(list[tuple[str, str, Any]]):
    """Method, target and body of each request that would have left."""


@pytest.fixture
def caught(monkeypatch: pytest.MonkeyPatch) -> Caught:
    """Catch every request where it would enter the network."""
    found = Caught()

    def stop(self, method, target, *, body=None, headers=None, **how):
        found.append((method, target, body))
        raise Unreachable("caught")

    monkeypatch.setattr(Wire, "send", stop)
    monkeypatch.setattr(Wire, "read", stop)
    return found


def write_request(proof: Proof, kind: str) -> OrderRequest:
    """Return an order of a kind: an entry that buys, or an exit that sells."""
    listed = LISTED[proof.exchange, proof.market]
    instrument = Instrument(listed.name, proof.market, base=listed.base, quote=listed.quote)
    quantity = D("0.03") if listed.size == "0.01" else D("0.0123")
    if listed.size in ("0.001", "0.0001"):
        quantity = D("3") * D(listed.size)
    entry = OrderRequest(CLIENT_ID, instrument, "buy", quantity, "market")
    changes: dict[str, dict[str, Any]] = {
        MARKET: {},
        LIMIT: {"order_type": "limit", "limit_price": D("60000.10")},
        STOP: {
            "side": "sell",
            "order_type": "stop",
            "stop_price": D("50000.10"),
            "reduces": True,
        },
        TARGET: {
            "side": "sell",
            "order_type": "limit",
            "limit_price": D("60000.10"),
            "reduces": True,
        },
    }
    return replace(entry, **changes[kind])


def send(proof: Proof, request: OrderRequest, caught: Caught) -> tuple[str, dict[str, str]]:
    """Send an order and return path and fields of the one request that it made."""
    broker = make_broker(proof)
    with pytest.raises(Unreachable, match="caught"):
        (broker.close if request.reduces else broker.place_order)(request)
    orders = [each for each in caught if not (proof.needs_price and each[1].startswith("/info"))]
    ((method, target, body),) = orders
    assert method == "POST"
    fields = read_fields(f"https://{proof.host}{target}", body)
    return target.partition("?")[0], {k: v for k, v in fields.items() if k not in VOLATILE}


@pytest.mark.parametrize(("place", "kind"), CELLS)
def test_an_order_leaves_as_the_exchange_reads_it(place, kind, caught):
    """One request, with every field that is expected and none besides; or a refusal by name and none."""
    proof = MARKETS[place]
    request = write_request(proof, kind)
    if kind not in EXPECTED[place]:
        with pytest.raises(BrokerRefused, match=f"{proof.name} takes no {kind} order") as no:
            (make_broker(proof).close if request.reduces else make_broker(proof).place_order)(
                request
            )
        assert no.value.code == UNSUPPORTED
        assert caught == []
        return
    assert send(proof, request, caught) == EXPECTED[place][kind]


@pytest.mark.parametrize("place", MARKETS)
def test_an_exit_at_the_market_says_that_it_only_reduces(place, caught):
    """What closes a perpetual can never open one the other way round."""
    proof = MARKETS[place]
    request = replace(write_request(proof, MARKET), side="sell", reduces=True)
    _, fields = send(proof, request, caught)
    assert fields.items() >= dict(proof.reduces).items()
    assert bool(proof.reduces) is (proof.market == "linear")


@pytest.mark.parametrize("place", MARKETS)
def test_every_cell_is_tested(place):
    """A kind stands in the table exactly where a request is expected here."""
    proof = MARKETS[place]
    proven = {kind for kind in KINDS if (LIMIT if kind == TARGET else kind) in proof.kinds}
    assert proven == set(EXPECTED[place])
    assert MARKET in proven


@pytest.mark.parametrize(
    ("place", "kind"), [cell for cell in CELLS if cell[1] in EXPECTED[cell[0]]]
)
def test_an_order_that_lacks_anything_is_kept_here(place, kind, caught):
    """Whatever field is missing or other than meant: the guard lets nothing leave."""
    proof = MARKETS[place]
    request = write_request(proof, kind)
    broker = make_broker(proof)
    size = D(3) if LISTED[place].size not in ("", "1") else D("0.0123")
    client_id = write_client_id(CLIENT_ID, proof.id_form)
    fields = EXPECTED[place][kind][1]
    name = LISTED[place].name

    def check(body: dict[str, str]) -> None:
        text = json.dumps(_nest(body))
        check_order(proof, request, name, client_id, size, f"https://{proof.host}/", text)

    check(fields)
    needed = set(fields) - _decoration(proof, kind)
    for each in needed:
        for changed in (
            {**fields, each: "another"},
            {k: v for k, v in fields.items() if k != each},
        ):
            with pytest.raises(BrokerRefused, match="kept here") as no:
                check(changed)
            assert no.value.code == UNSUPPORTED
    assert repr(broker) == "Exchange('mine')"


def _decoration(proof: Proof, kind: str) -> set[str]:
    """Return what a request may say besides: nothing of it changes what is traded."""
    return set(DECORATION.get((proof.exchange, proof.market, kind), ()))


DECORATION: dict[tuple[str, str, str], tuple[str, ...]] = {}


def _nest(fields: dict[str, str]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for path, value in fields.items():
        place = made
        *steps, last = path.split(".")
        for step in steps:
            place = place.setdefault(step, {})
        place[last] = value
    return made


@pytest.mark.parametrize("place", MARKETS)
@pytest.mark.parametrize("word", ["stopLossPrice", "takeProfitPrice", "trailingPercent"])
def test_a_word_that_the_exchange_would_not_read_is_kept_here(place, word):
    """A parameter under the library's own name was not understood: nothing leaves."""
    proof = MARKETS[place]
    path, fields = EXPECTED[place][MARKET]
    client_id = write_client_id(CLIENT_ID, proof.id_form)
    size = D(3) if LISTED[place].size not in ("", "1") else D("0.0123")
    with pytest.raises(BrokerRefused, match=word):
        check_order(
            proof,
            write_request(proof, MARKET),
            LISTED[place].name,
            client_id,
            size,
            f"https://{proof.host}{path}",
            json.dumps(_nest({**fields, word: "50000.1"})),
        )


@pytest.mark.parametrize("form", ["plain", "uuid", "gate", "0x"])
def test_a_client_id_survives_every_form(form):
    """What an exchange tells is read back as the id that was sent; what is not ours stays as it is."""
    assert read_client_id(write_client_id(CLIENT_ID, form), form) == CLIENT_ID
    for foreign in ("", "web-123", "6d1b345e-2821-40e2-ad83-4ecb18a06876", "t-abc", "0x12"):
        assert read_client_id(foreign, form) == foreign
    with pytest.raises(BrokerRefused):
        write_client_id("somebody else's", form)


def test_the_library_is_the_one_that_was_proven():
    """The pin, the version the code accepts and the installed package are one."""
    pins = [
        line
        for line in (ROOT / "requirements-ccxt.txt").read_text().splitlines()
        if line.startswith("ccxt")
    ]
    assert pins == [f"ccxt=={VERSION}"]
    assert importlib.metadata.version("ccxt") == VERSION
    assert "-r requirements-ccxt.txt" in (ROOT / "requirements-dev.txt").read_text()


def test_the_library_still_has_every_exchange():
    """An upgrade may lose one."""
    import ccxt

    assert {proof.library for proof in PROVEN} <= set(ccxt.exchanges)
