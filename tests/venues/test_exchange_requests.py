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

from brokers.exchanges import library, looking
from brokers.exchanges.client_ids import read_client_id, write_client_id
from brokers.exchanges.guard import check_order, read_fields
from brokers.exchanges.library import VERSION, Call, Library
from brokers.exchanges.markets import build_instrument, to_units
from brokers.exchanges.orders import round_levels
from brokers.exchanges.proof import KINDS, LIMIT, MARKET, STOP, TARGET, Proof, Sent, shape_of
from brokers.exchanges.proven import PROVEN
from brokers.protocol import UNSUPPORTED, BrokerRefused, Instrument, OrderRequest, Unreachable
from brokers.wire.client import Wire
from brokers.wire.deadline import Deadline
from tests.support.exchange_markets import LISTED, describe_market, make_broker
from tests.support.exchange_questions import QUESTIONS
from tests.support.exchange_requests import DIGITS, EXPECTED

D = Decimal
ROOT = Path(__file__).resolve().parents[2]
CLIENT_ID = f"tv-{DIGITS}"
VOLATILE = {"nonce", "timestamp", "signature", "recvWindow", "id", "api_key", "sig"}
"""What is new in every request, or signs it."""
SANDBOX_HEADERS = {"okx": "x-simulated-trading", "bitget": "PAPTRADING"}
MARKETS = {(proof.exchange, proof.market): proof for proof in PROVEN}

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
    quantity = size_there(proof) * D(listed.size or 1)
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
    if kind == MARKET and not proof.market_buys:
        changes[MARKET] = {"side": "sell", "reduces": True}
    return replace(entry, **changes[kind])


def size_there(proof: Proof) -> Decimal:
    """Return the size as the exchange counts it: three contracts, or coins."""
    return D(3) if LISTED[proof.exchange, proof.market].step == "1" else D("0.0123")


def say(proof: Proof) -> Sent:
    """Return an order's words there."""
    listed = LISTED[proof.exchange, proof.market]
    client_id = write_client_id(CLIENT_ID, proof.id_form)
    return Sent(listed.name, client_id, size_there(proof), listed.number or listed.base)


def send(proof: Proof, request: OrderRequest, caught: Caught) -> tuple[str, dict[str, str]]:
    """Send an order and return path and fields of the one request that it made."""
    broker = make_broker(proof)
    with pytest.raises(Unreachable, match="caught"):
        (broker.close if request.reduces else broker.place_order)(request)
    ((method, target, body),) = caught
    assert method == "POST"
    return target.partition("?")[0], read_lasting(target, body)


def read_lasting(target: str, body: Any) -> dict[str, str]:
    """Return the fields of a request but for those that sign it."""
    fields = read_fields(f"https://venue{target}", body)
    return {k: v for k, v in fields.items() if k.partition(".")[0] not in VOLATILE}


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
    ("place", "kind"), [cell for cell in CELLS if cell[1] in EXPECTED.get(cell[0], {})]
)
def test_an_order_that_lacks_anything_is_kept_here(place, kind, caught):
    """Whatever field is missing or other than meant: the guard lets nothing leave."""
    proof = MARKETS[place]
    request = round_levels(proof, write_request(proof, kind))
    fields = EXPECTED[place][kind][1]

    def check(body: dict[str, str]) -> None:
        text = json.dumps(_nest(body))
        check_order(proof, request, say(proof), f"https://{proof.host}/", text)

    check(fields)
    needed = shape_of(proof, request)
    assert needed is not None
    assert needed.keys() <= fields.keys()
    for each in needed:
        for changed in (
            {**fields, each: "another"},
            {k: v for k, v in fields.items() if k != each},
        ):
            with pytest.raises(BrokerRefused, match="kept here") as no:
                check(changed)
            assert no.value.code == UNSUPPORTED


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
    with pytest.raises(BrokerRefused, match=word):
        check_order(
            proof,
            write_request(proof, MARKET),
            say(proof),
            f"https://{proof.host}{path}",
            json.dumps(_nest({**fields, word: "50000.1"})),
        )


@pytest.mark.parametrize("place", MARKETS)
def test_what_an_exchange_is_asked(place, caught):
    """An order is looked for by our id, or in lists; a stop where stops are; and so it is cancelled."""
    proof, asked = MARKETS[place], QUESTIONS[place]
    broker = make_broker(proof)
    for kind in (kind for kind in (LIMIT, STOP) if kind in proof.kinds):
        market = broker._market_of(write_request(proof, kind))
        for look in (proof.stop_looks if kind == STOP else ()) or proof.looks:
            with pytest.raises(Unreachable, match="caught"):
                looking._look(broker._view, look, CLIENT_ID, market, Deadline.after(3))
        assert read_caught(caught) == asked[f"find {kind}"]
        how = proof.stop_cancel_params if kind == STOP else proof.cancel_params
        number = "777" if how is None else ""
        if how is None:
            how = proof.stop_cancels if kind == STOP else {}
        call = Call(Deadline.after(3), changes=True)
        with pytest.raises(Unreachable, match="caught"):
            broker._library.call(
                "cancel_order", number, market["symbol"], broker._name(CLIENT_ID, how), call=call
            )
        assert read_caught(caught) == asked[f"cancel {kind}"]
    for params in proof.open_lists:
        symbol = market["symbol"] if proof.lists_by_symbol else None
        with pytest.raises(Unreachable, match="caught"):
            broker._view.ask(
                "fetch_open_orders", symbol, None, 100, dict(params), deadline=Deadline.after(3)
            )
    assert read_caught(caught) == asked["list"]


def read_caught(caught: Caught) -> list[tuple[str, str, dict[str, str]]]:
    """Return what was caught since the last time."""
    rows = [(m, t.partition("?")[0], read_lasting(t, body)) for m, t, body in caught]
    caught.clear()
    return rows


@pytest.mark.parametrize("place", MARKETS)
def test_a_test_system_is_another_one(place, monkeypatch):
    """Where there is a sandbox its order goes to another host, or with the header that makes it practice."""
    proof = MARKETS[place]
    sent: list[tuple[str, dict[str, str]]] = []
    monkeypatch.setattr(Library, "_wire", lambda self, origin: origin)

    def stop(origin, call, headers, body):
        sent.append((origin, headers))
        raise Unreachable("caught")

    monkeypatch.setattr(library, "_exchange", stop)
    if not proof.sandbox:
        with pytest.raises(BrokerRefused, match="has no test system"):
            make_broker(proof, sandbox=True)
        return
    request = write_request(proof, TARGET)
    for sandbox in (True, False):
        with pytest.raises(Unreachable, match="caught"):
            make_broker(proof, sandbox=sandbox).close(request)
    (there, marked), (live, plain) = sent
    assert live == f"https://{proof.host}"
    if proof.sandbox == "host":
        assert there == f"https://{proof.sandbox_host}" != live
    else:
        assert marked.keys() - plain.keys() == {SANDBOX_HEADERS[proof.exchange]}


@pytest.mark.parametrize("place", MARKETS)
def test_contracts_are_counted_by_the_list_of_the_exchange(place):
    """What is a contract here is so many coins; without a size nothing is traded."""
    proof, listed = MARKETS[place], LISTED[place]
    market = describe_market(make_broker(proof)._library.client, proof)
    instrument = build_instrument(market)
    assert instrument.step == D(listed.step) * D(listed.size or 1)
    assert to_units(instrument.step * 3, market) == 3 * D(listed.step)
    for wrong in (instrument.step / 2, D(0), -instrument.step):
        with pytest.raises(BrokerRefused):
            to_units(wrong, market)
    if listed.size:
        with pytest.raises(BrokerRefused, match="not traded"):
            build_instrument({**market, "contractSize": None})


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


@pytest.mark.parametrize("verb", ["place_order", "close"])
def test_an_order_does_not_leave_after_its_markets_were_loaded_too_slowly(
    caught, monkeypatch, verb
):
    """They are asked for again after hours, and an order may meet that: the desk gives it up meanwhile."""
    proof = MARKETS["kraken", "spot"]
    broker = make_broker(proof)
    late: list[bool] = []
    by_id = broker._markets.by_id
    monkeypatch.setattr(broker._markets, "by_id", lambda name: late.append(True) or by_id(name))
    monkeypatch.setattr(Deadline, "is_over", property(lambda _: bool(late)))
    with pytest.raises(Unreachable, match="too late"):
        getattr(broker, verb)(write_request(proof, MARKET))
    assert not [method for method, target, _ in caught if "AddOrder" in target]


def test_a_market_that_is_listed_no_more_blinds_no_account(caught, monkeypatch):
    """What else is held there is read on, and its exits with it."""
    broker = make_broker(MARKETS["kraken", "spot"])
    broker._seen.note("GONEUSD", None)
    monkeypatch.setattr(looking, "read_coins", lambda *_: {"BTC": D(1)})
    monkeypatch.setattr(looking, "read_working", lambda *_: [])
    assert broker.snapshot().positions == {"BTC": 1}
    assert broker.fills(0, ["GONEUSD"]) == ()
