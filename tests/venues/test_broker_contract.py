"""What every broker promises, whatever its venue does.

A new broker needs a line in `brokers.BROKERS` and a sample in `tests/support/samples.py`; everything
here then runs against it.
"""

from __future__ import annotations

import copy
import logging
import re
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from brokers import BROKERS
from brokers.protocol import (
    HEDGE_UNKNOWN,
    KEYS_REFUSED,
    THROTTLED,
    WRONG_ORDER,
    Broker,
    BrokerRefused,
    OrderReport,
    OrderRequest,
    Uncertain,
    Unreachable,
)
from brokers.wire import client as wire
from brokers.wire.client import BANNED, Wire
from brokers.wire.connections import Unreadable
from tests.example_venue import Example
from tests.support import faulty_server as faulty
from tests.support.exchange_samples import KRAKEN, OKX
from tests.support.faulty_server import (
    HANGING,
    UNCLEAR,
    FaultyServer,
    Request,
    faulty_server,
    reply,
)
from tests.support.sample_bybit import BYBIT, BYBIT_LINEAR
from tests.support.sample_projectx import PROJECTX
from tests.support.sample_tastytrade import TASTYTRADE
from tests.support.sample_tradovate import TRADOVATE
from tests.support.samples import SAMPLES as PLAIN_SAMPLES
from tests.support.samples import Account, Deal, Sample
from tests.unit.brokers.wire.test_wire import CERTIFICATES, Clock, serve_tls

SAMPLES: dict[str, Sample] = {
    **PLAIN_SAMPLES,
    "bybit": BYBIT,
    "bybit linear": BYBIT_LINEAR,
    "ccxt": KRAKEN,
    "ccxt linear": OKX,
    "projectx": PROJECTX,
    "tastytrade": TASTYTRADE,
    "tradovate": TRADOVATE,
}
PATIENT, SHORT = 2.0, 0.1
"""Seconds a call may take here: where an answer comes, and where none does."""
OURS = (BrokerRefused, Unreachable, Uncertain)
TABLE: dict[str, Callable[..., Broker]] = {
    **{name: made for name, made in BROKERS.items() if "local" not in made.facts.capabilities},
    "example": Example,
}
TESTED = sorted(set(TABLE) & set(SAMPLES))
DEALS = [(name, verb) for name in TESTED for verb in ("place_order", "close")]
JUNK = (None, True, [], {}, "", "NaN", "Infinity", "1e400", "-", "\ud800", -1, 10**25, 0.5)
"""What no field of an answer may be taken for."""


def find_gaps(table: Any, samples: Any) -> list[str]:
    """Return a sentence for each broker the suite cannot test."""
    return [
        f"{name} is in BROKERS and has no sample: add one to SAMPLES in "
        "tests/support/samples.py with the request"
        " it sends, a reply that accepts, one that refuses, one that finds the order and one that does not."
        for name in sorted(set(table) - set(samples))
    ]


class Stage:
    """A broker, its venue on a loopback socket, and the order in question."""

    def __init__(self, name: str, verb: str, venue: FaultyServer) -> None:
        self.sample: Sample = SAMPLES[name]
        self.deal: Deal = self.sample.opening if verb == "place_order" else self.sample.reducing
        self.name, self.verb, self.venue = name, verb, venue
        self.rules = {**self.sample.rules}
        if self.sample.by_deal is not None:
            self.rules |= self.sample.by_deal(self.deal)
        for (method, path), (status, data) in self.rules.items():
            venue.on(method, path, reply(status, data))
        venue.on(*self.deal.endpoint, reply(*self.deal.accepted))
        if self.sample.reads_back:
            self.lookup(self.deal.found)
        self.broker = self.make(venue.url)
        self.broker.open()
        self.broker.instrument(self.sample.symbol)
        venue.requests.clear()

    def make(self, url: str) -> Broker:
        """Make a broker whose venue lives at `url`."""
        account = Account(
            url, self.sample.credentials, self.sample.market, exchange=self.sample.exchange
        )
        return TABLE[self.name](self.name, account)

    def order(self, broker: Broker | None = None) -> OrderReport:
        """Send the order."""
        send: Callable[[OrderRequest], OrderReport] = getattr(broker or self.broker, self.verb)
        return send(self.deal.request)

    def answer(self, *behaviours: faulty.Behaviour) -> None:
        """Let the venue answer the order so."""
        self.venue.on(*self.deal.endpoint, *behaviours)

    def lookup(self, *answers: Any) -> None:
        """Let the venue answer a look-up of the order so."""
        method, path = self.sample.lookup
        behaviours = [each if callable(each) else reply(*each) for each in answers]
        self.venue.on(method, path.format(client_id=self.deal.request.client_id), *behaviours)

    def tell(self, path: tuple[str | int, ...], value: Any) -> None:
        """Let the venue tell something else of the order: in its answer, or where that is read back."""
        if self.sample.reads_back:
            status, data = self.deal.found
            self.lookup((status, put(data, path, value)))
        else:
            status, data = self.deal.accepted
            self.answer(reply(status, put(data, path, value)))

    def sends(self) -> list[Request]:
        """Return the requests that may have placed the order."""
        return self.venue.asked(*self.deal.endpoint)

    def calls(self) -> dict[str, Callable[[], Any]]:
        """Return every call a broker answers, with arguments."""
        broker, request = self.broker, self.deal.request
        return {
            "place_order": lambda: broker.place_order(self.sample.opening.request),
            "close": lambda: broker.close(self.sample.reducing.request),
            "protect": lambda: broker.protect(self.sample.pair),
            "cancel": lambda: broker.cancel(request),
            "find_order": lambda: broker.find_order(request),
            "fills": lambda: broker.fills(0, [request.instrument.symbol]),
            "snapshot": broker.snapshot,
        }


class Hurry:
    """The longest a call may take from now on, and what it was meant to take."""

    def __init__(self) -> None:
        self.seconds = PATIENT
        self.meant: list[float] = []

    def cap(self, deadline_seconds: float) -> float:
        self.meant.append(deadline_seconds)
        return min(deadline_seconds, self.seconds)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> Hurry:
    """Shorten the deadline of every call, and the pauses of a read that is tried again."""
    made, read, send = Hurry(), Wire.read, Wire.send

    def read_soon(self, *arguments, deadline_seconds=wire.READ_SECONDS, **how):
        soon = made.cap(deadline_seconds)
        return read(self, *arguments, deadline_seconds=soon, **how)

    def send_soon(self, *arguments, deadline_seconds=wire.SEND_SECONDS, **how):
        soon = made.cap(deadline_seconds)
        return send(self, *arguments, deadline_seconds=soon, **how)

    monkeypatch.setattr(Wire, "read", read_soon)
    monkeypatch.setattr(Wire, "send", send_soon)
    monkeypatch.setattr(wire, "_RETRY_SECONDS", 0)
    return made


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Give the wires that are made from now on a clock that stands still."""
    stopped = Clock()
    monkeypatch.setitem(Wire.__init__.__kwdefaults__, "clock", stopped)
    return stopped


@pytest.fixture
def stage(name: str, verb: str, clock: Clock, hurry: Hurry, request: Any) -> Iterator[Stage]:
    """Set a stage for a broker and a verb; a fault that hangs meets short deadlines."""
    with faulty_server() as venue:
        made = Stage(name, verb, venue)
        if request.node.callspec.params.get("fault") in HANGING:
            hurry.seconds = SHORT
        yield made


def assert_clean(stage: Stage, fault: BaseException, log: str = "") -> None:
    """No credential stands in what a fault says, in what it came from, or in the log."""
    shown = "".join(traceback.format_exception(fault)) + repr(fault) + log
    for secret in stage.sample.credentials.values():
        assert secret not in shown
    assert "signature=" not in shown


def put(data: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """Return a copy of some JSON with one value replaced; `...` removes it."""
    changed = copy.deepcopy(data)
    place = changed
    for step in path[:-1]:
        place = place[step]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return changed


def find_leaves(data: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the place of every value in some JSON, containers too."""
    if path:
        yield path
    if isinstance(data, dict | list):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from find_leaves(value, (*path, key))


# --- the table -----------------------------------------------------------------------------------------


def test_every_broker_has_a_sample():
    """A broker that is not tested is not in the table."""
    assert not find_gaps(TABLE, SAMPLES), find_gaps(TABLE, SAMPLES)[0]


def test_a_broker_without_a_sample_is_named():
    """The sentence says which broker and what to add."""
    (sentence,) = find_gaps({"example": Example, "newcomer": Example}, SAMPLES)
    assert "newcomer is in BROKERS and has no sample" in sentence
    assert "tests/support/samples.py" in sentence


@pytest.mark.parametrize("name", TESTED)
def test_a_broker_says_what_it_can_and_needs(name):
    """What the desk counts on is one of the known words; credentials are named as in .env."""
    words = {"no_stops", "reduce_only", "oco", "bracket", "cash", "locks_balance", "prices"}
    words |= {"funding", "amend", "attached"}
    facts = TABLE[name].facts
    assert facts.capabilities <= words
    assert facts.poll_seconds > 0
    assert set(facts.needs) <= set(SAMPLES[name].credentials) <= {*facts.needs, *facts.optional}
    assert set(facts.markets) <= {"spot", "linear", "futures", "equity"}
    assert all(re.fullmatch(r"[a-z0-9.-]+", host) for host in facts.live_hosts)


@pytest.mark.parametrize("name", TESTED)
def test_a_broker_has_the_method_of_what_it_can(name):
    """A word that the desk counts on would otherwise fail at the first order that needs it."""
    facts = TABLE[name].facts
    can = facts.capabilities & {"amend", "funding", "prices"}
    assert [word for word in can if not callable(getattr(TABLE[name], word, None))] == []
    assert "attached" not in facts.capabilities or "bracket" in facts.capabilities


@pytest.mark.parametrize("name", TESTED)
def test_a_broker_can_be_made_without_keys(name):
    """An account on paper has none: the desk answers for what is missing, and the start goes on."""
    account = Account("", {}, SAMPLES[name].market, exchange=SAMPLES[name].exchange)
    assert isinstance(TABLE[name](name, account), TABLE[name])  # type: ignore[arg-type]


def test_the_example_names_a_symbol_that_its_venue_does_not_know():
    """What a user reads is a sentence with the symbol, not the venue's JSON."""
    with faulty_server() as venue:
        venue.on("GET", "/symbols/NOPE", reply(404, {"code": "NO_SUCH_SYMBOL"}))
        broker = Example("example", Account(venue.url, {}, None))
        with pytest.raises(BrokerRefused, match=r"^The venue does not know NOPE\.$") as caught:
            broker.instrument("NOPE")
    assert caught.value.code == "SYMBOL_UNKNOWN"


# --- what leaves and what comes back -------------------------------------------------------------------


@pytest.mark.parametrize(("name", "verb"), DEALS)
def test_an_accepted_order(stage, hurry):
    """One request leaves, with exact decimals and the client id; the receipt says what was filled."""
    report = stage.order()
    (sent,) = stage.sends()
    told = {key: str(value) for key, value in sent.parameters.items()}
    assert {key: told.get(key) for key in stage.deal.sent} == dict(stage.deal.sent)
    assert (stage.deal.named or stage.deal.request.client_id) in told.values()
    assert report.client_id == stage.deal.request.client_id
    assert report.status == stage.deal.status
    assert report.broker_id
    assert isinstance(report.broker_id, str)
    assert (report.filled, report.average_price) == (stage.deal.filled, stage.deal.average_price)
    numbers = [report.filled, report.average_price]
    numbers += [n for fill in report.fills for n in (fill.quantity, fill.price, fill.fee)]
    assert {type(number) for number in numbers} == {Decimal}
    assert all(number.is_finite() for number in numbers)
    assert sum(fill.quantity for fill in report.fills) == report.filled
    assert {fill.client_id for fill in report.fills} == {report.client_id}
    assert max(hurry.meant) <= 8.0


@pytest.mark.parametrize(("name", "verb"), DEALS)
def test_credentials_stay_out_of_the_address(stage):
    """A key travels in a header at most, and nothing that signs travels at all."""
    stage.order()
    for sent in stage.venue.requests:
        for secret in stage.sample.credentials.values():
            assert secret not in sent.target
            assert secret.encode() not in sent.body
    assert not any(each in repr(stage.broker) for each in stage.sample.credentials.values())


# --- the order may exist -------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", UNCLEAR)
@pytest.mark.parametrize(("name", "verb"), DEALS)
def test_an_order_without_a_clear_answer(stage, hurry, fault, caplog):
    """It is `Uncertain`, within the deadline, after one send; nothing is repeated and nothing given away."""
    caplog.set_level(logging.DEBUG)
    stage.answer(UNCLEAR[fault])
    began = time.monotonic()
    with pytest.raises(Uncertain) as found:
        stage.order()
    assert time.monotonic() - began < hurry.seconds + 0.5
    assert len(stage.sends()) == 1
    assert_clean(stage, found.value, caplog.text)


@pytest.mark.parametrize(("name", "verb"), DEALS)
def test_a_reset_on_accept(stage):
    """It cannot be told from a reset after the venue has read the order."""
    stage.venue.resets_on_accept = True
    stage.venue.drop()
    with pytest.raises(Uncertain):
        stage.order()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(("name", "verb"), DEALS)
def test_a_redirect_is_not_followed(stage, status):
    """Neither the order nor the key goes anywhere but to the venue."""
    with faulty_server() as elsewhere:
        stage.answer(faulty.redirect(status, f"{elsewhere.url}/orders"))
        with pytest.raises(Uncertain):
            stage.order()
        assert elsewhere.connections == 0
    assert len(stage.sends()) == 1


@pytest.mark.parametrize("told", ["another id", "no id", "an id of another type"])
@pytest.mark.parametrize(("name", "verb"), DEALS)
def test_an_answer_about_another_order(stage, told):
    """The venue speaks of another client id: a doubt with a code of its own, which stops the account."""
    if not stage.sample.echoes:
        pytest.skip("nothing but the number of the order is answered")
    value = {"another id": "somebody-else", "no id": ..., "an id of another type": 17}[told]
    stage.tell(stage.sample.client_id_at, value)
    with pytest.raises(Uncertain) as found:
        stage.order()
    assert told != "another id" or found.value.code == WRONG_ORDER
    assert len(stage.sends()) == 1


@pytest.mark.parametrize("value", [..., None, True, [], {}, 1.5])
@pytest.mark.parametrize(("name", "verb"), DEALS)
def test_an_answer_without_a_proper_id(stage, value):
    """An order whose own id is missing or of another type may exist all the same."""
    status, data = stage.deal.accepted
    stage.answer(reply(status, put(data, stage.sample.id_at, value)))
    with pytest.raises(Uncertain):
        stage.order()
    assert len(stage.sends()) == 1


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "-Infinity", "1e400", "sNaN", "\uff11", "1_0", None, []]
)
@pytest.mark.parametrize(("name", "verb"), DEALS)
def test_an_answer_with_a_price_that_is_none(stage, value):
    """What is no finite number never becomes money."""
    if not stage.sample.echoes:
        pytest.skip("nothing but the number of the order is answered")
    stage.tell(stage.sample.price_at, value)
    with pytest.raises(Uncertain):
        stage.order()
    assert len(stage.sends()) == 1


@pytest.mark.parametrize("data", [None, True, 7, "FILLED", [], {}, [{}], {"data": None}])
@pytest.mark.parametrize(("name", "verb"), DEALS)
def test_an_answer_of_another_shape(stage, data):
    """Any other JSON with a 200 is a doubt."""
    stage.answer(reply(200, data))
    with pytest.raises(Uncertain):
        stage.order()
    assert len(stage.sends()) == 1


@pytest.mark.parametrize(("name", "verb"), DEALS)
def test_an_answer_with_anything_in_it(stage):
    """Whatever stands in whatever field of an accepting answer: a receipt of finite numbers, or a doubt.

    Never a refusal, for the order was taken; never an error of another kind.
    """
    _, data = stage.deal.found if stage.sample.reads_back else stage.deal.accepted
    for path in find_leaves(data):
        for value in (..., *JUNK):
            stage.tell(path, value)
            try:
                report = stage.order()
            except Uncertain:
                continue
            assert report.client_id == stage.deal.request.client_id, (path, value)
            numbers = [report.filled, *(fill.price for fill in report.fills)]
            assert all(number.is_finite() and number >= 0 for number in numbers), (path, value)


@pytest.mark.parametrize("fault", ["429", "418", "401", "404", "500", "hang"])
@pytest.mark.parametrize(("name", "verb"), DEALS)
def test_an_accepted_order_is_never_refused_by_what_follows(stage, fault):
    """Where the venue takes an order and then fails at whatever else it is asked, the order may exist."""
    behaviours = {"500": reply(500, {}), "hang": faulty.hang}
    failing = behaviours.get(fault) or reply(int(fault), {"code": -1, "message": "no"})
    status, data = stage.deal.accepted
    has_fills = stage.sample.fills_at in set(find_leaves(data))
    stage.answer(reply(status, put(data, stage.sample.fills_at, ...) if has_fills else data))
    for method, path in stage.rules:
        stage.venue.on(method, path, failing)
    stage.lookup(failing)
    with pytest.raises(Uncertain):
        stage.order()


# --- the order certainly does not exist ----------------------------------------------------------------


@pytest.mark.parametrize(("name", "verb"), DEALS)
def test_nothing_listens(stage):
    """A refused connection: the order never left."""
    stage.venue.refuse()
    with pytest.raises(Unreachable) as found:
        stage.order()
    assert stage.sends() == []
    assert_clean(stage, found.value)


@pytest.mark.parametrize("certificate", ["localhost", "expired", "elsewhere"])
@pytest.mark.parametrize(("name", "verb"), DEALS)
def test_a_certificate_nobody_vouches_for(stage, certificate):
    """A venue that cannot prove who it is hears nothing."""
    with faulty_server(serve_tls(CERTIFICATES / f"{certificate}.pem")) as impostor:
        with pytest.raises((Unreachable, BrokerRefused)) as found:
            stage.order(stage.make(impostor.url))
        assert impostor.requests == []
    # Where both sides may be held apart nothing is opened before that could be asked.
    assert isinstance(found.value, Unreachable) or found.value.code == HEDGE_UNKNOWN
    assert isinstance(found.value, Unreachable) or stage.verb == "place_order"


@pytest.mark.parametrize(("name", "verb"), DEALS)
def test_a_refusal(stage):
    """The venue says no: `BrokerRefused`, with a text for the user, after one send."""
    stage.answer(reply(*stage.deal.refused))
    with pytest.raises(BrokerRefused) as found:
        stage.order()
    assert found.value.message
    assert found.value.code not in (THROTTLED, BANNED, KEYS_REFUSED)
    assert found.value.retry_after is None
    assert len(stage.sends()) == 1


@pytest.mark.parametrize("status", [400, 403, 422])
@pytest.mark.parametrize(("name", "verb"), DEALS)
def test_a_refusal_that_repeats_a_secret(stage, status, caplog):
    """What a venue says is kept, masked, on one line and short."""
    caplog.set_level(logging.DEBUG)
    secrets = " ".join(stage.sample.credentials.values())
    data = put(stage.deal.refused[1], stage.sample.words_at, f"no\n{secrets}" + "x" * 5000)
    stage.answer(reply(status, data))
    with pytest.raises(BrokerRefused) as found:
        stage.order()
    assert len(found.value.message) < 700
    assert "\n" not in found.value.message
    assert_clean(stage, found.value, caplog.text)


@pytest.mark.parametrize(("name", "verb"), DEALS)
def test_refused_keys(stage):
    """A 401 has the code that stops opening orders on the account."""
    stage.answer(reply(401, {}))
    with pytest.raises(BrokerRefused) as found:
        stage.order()
    assert found.value.code == KEYS_REFUSED
    assert len(stage.sends()) == (2 if stage.sample.has_token else 1)


@pytest.mark.parametrize(
    ("status", "body", "header", "seconds"),
    [
        (429, {}, "7", 7),
        (429, {}, "", 10),
        (418, {}, "300", 300),
        (418, "", "", 120),
        (403, "<html>Forbidden</html>", "", 600),
    ],
)
@pytest.mark.parametrize(("name", "verb"), DEALS)
def test_a_venue_that_wants_silence(stage, clock, status, body, header, seconds):
    """After one refusal no request of any kind leaves until the pause ends; then the order does."""
    if status == 429 and not header and stage.sample.has_long_quota:
        seconds = 60
    stage.answer(reply(status, body, retry_after=header))
    with pytest.raises(BrokerRefused) as found:
        stage.order()
    assert found.value.code == (THROTTLED if status == 429 else BANNED)
    assert found.value.retry_after == seconds
    asked = len(stage.venue.requests)
    clock.now += seconds - 1
    for call in stage.calls().values():
        with pytest.raises((BrokerRefused, Unreachable)):
            call()
    assert stage.broker.price(stage.sample.symbol) is None
    assert stage.broker.check().problem
    assert len(stage.venue.requests) == asked
    clock.now += 1.1
    stage.answer(reply(*stage.deal.accepted))
    if status == 429 and stage.sample.has_long_quota and stage.verb == "place_order":
        with pytest.raises(BrokerRefused):
            stage.order()
        return
    assert stage.order().status == stage.deal.status


# --- looking up ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "verb"), DEALS)
def test_a_duplicate_is_looked_up(stage):
    """The venue says that it has the order: its state is the answer, and nothing is sent again."""
    if not (stage.sample.echoes and stage.sample.has_duplicates):
        pytest.skip("the venue takes any client id")
    stage.answer(reply(*stage.deal.duplicate))
    stage.lookup(stage.deal.found)
    report = stage.order()
    assert (report.client_id, report.status) == (stage.deal.request.client_id, "filled")
    assert report.filled == stage.deal.filled
    assert len(stage.sends()) == 1


@pytest.mark.parametrize("fault", ["absent", "refused", "hang", "wrong"])
@pytest.mark.parametrize(("name", "verb"), DEALS)
def test_a_duplicate_that_cannot_be_found(stage, fault):
    """The venue says that it has the order and does not show it: nobody knows, so it is a doubt."""
    if not (stage.sample.echoes and stage.sample.has_duplicates):
        pytest.skip("the venue takes any client id")
    stage.answer(reply(*stage.deal.duplicate))
    status, data = stage.deal.found
    wrong = (status, put(data, stage.sample.client_id_at, "somebody-else"))
    answers = {"absent": stage.sample.absent, "refused": (401, {}), "wrong": wrong}
    stage.lookup(answers.get(fault, faulty.hang))
    with pytest.raises(Uncertain):
        stage.order()
    assert len(stage.sends()) == 1


@pytest.mark.parametrize(("name", "verb"), DEALS)
def test_a_look_up(stage):
    """It finds the order by its client id, or says that the venue certainly has none."""
    stage.lookup(stage.deal.found)
    found = stage.broker.find_order(stage.deal.request)
    assert (found.client_id, found.status) == (stage.deal.request.client_id, "filled")
    assert (found.filled, found.average_price) == (stage.deal.filled, stage.deal.average_price)
    stage.lookup(stage.sample.absent)
    another = stage.make(stage.venue.url)  # which remembers nothing
    assert another.find_order(stage.deal.request).status == "absent"
    assert stage.sends() == []


@pytest.mark.parametrize("fault", [*UNCLEAR, "401", "403", "404", "429", "418", "[]", "{}", "null"])
@pytest.mark.parametrize(("name", "verb"), [deal for deal in DEALS if deal[1] == "close"])
def test_a_look_up_that_fails_proves_nothing(stage, fault):
    """Only the venue's own word that there is no such order makes it absent."""
    plain = {"[]": reply(200, []), "{}": reply(200, {}), "null": reply(200, None)}
    failing = UNCLEAR.get(fault) or plain.get(fault)
    if fault == "[]" and stage.sample.absent == (200, []):
        pytest.skip("an empty list is this venue's own word")
    stage.lookup(failing or reply(int(fault), "<html>"))
    with pytest.raises(OURS) as found:
        stage.broker.find_order(stage.deal.request)
    assert_clean(stage, found.value)


@pytest.mark.parametrize(("name", "verb"), [deal for deal in DEALS if deal[1] == "close"])
def test_a_look_up_of_another_order(stage):
    """The venue tells of another order than the one asked for."""
    if stage.sample.searches:
        pytest.skip("what has another id is not found")
    status, data = stage.deal.found
    stage.lookup((status, put(data, stage.sample.client_id_at, "somebody-else")))
    with pytest.raises(Uncertain) as found:
        stage.broker.find_order(stage.deal.request)
    assert found.value.code == WRONG_ORDER


# --- everything else -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault", [*UNCLEAR, "401", "403", "429", "418", "[]", "{}", "null", "refused"]
)
@pytest.mark.parametrize(("name", "verb"), [deal for deal in DEALS if deal[1] == "close"])
def test_every_call_fails_in_our_words(stage, fault):
    """Whatever the venue does, a call returns what it promises or raises one of three errors."""
    plain = {"[]": reply(200, []), "{}": reply(200, {}), "null": reply(200, None)}
    failing = UNCLEAR.get(fault) or plain.get(fault)
    if fault == "refused":
        stage.venue.refuse()
    stage.venue.fault = failing or (None if fault == "refused" else reply(int(fault), "<html>"))
    for call in stage.calls().values():
        try:
            call()
        except OURS as ours:
            assert_clean(stage, ours)
    # Only lists may be read from `[]`: the venue then says that there is nothing.
    assert stage.broker.price(stage.sample.symbol) is None
    check = stage.broker.check()
    assert check.problem or fault == "[]"
    assert_clean(stage, Unreadable(check.problem))


@pytest.mark.parametrize("fault", UNCLEAR)
@pytest.mark.parametrize(("name", "verb"), [deal for deal in DEALS if deal[1] == "close"])
def test_a_cancel_without_a_clear_answer(stage, fault):
    """A cancel that may have worked is a doubt, and is sent once."""
    method, path = stage.sample.cancel
    path = path.format(client_id=stage.deal.request.client_id)
    stage.venue.on(method, path, UNCLEAR[fault])
    with pytest.raises(Uncertain):
        stage.broker.cancel(stage.deal.request)
    assert len(stage.venue.asked(method, path)) == 1


@pytest.mark.parametrize(("name", "verb"), [deal for deal in DEALS if deal[1] == "close"])
def test_a_stop_and_a_target_leave_together(stage, hurry):
    """Linked legs are one request with every client id, or an honest no before anything is sent."""
    if "oco" not in stage.broker.facts.capabilities:
        with pytest.raises(BrokerRefused):
            stage.broker.protect((stage.deal.request, stage.deal.request))
        assert stage.venue.requests == []
        return
    endpoint, pair = stage.sample.pair_endpoint, stage.sample.pair
    stage.venue.on(*endpoint, reply(*stage.sample.pair_accepted))
    reports = stage.broker.protect(pair)
    assert [each.client_id for each in reports] == [each.client_id for each in pair]
    assert {each.status for each in reports} == {"accepted"}
    assert_together(stage, endpoint, pair)
    for fault in ("hang", "503", "half an answer", "a page instead of JSON"):
        hurry.seconds = SHORT if fault in HANGING else PATIENT
        stage.venue.requests.clear()
        stage.venue.on(*endpoint, UNCLEAR[fault])
        with pytest.raises(Uncertain):
            stage.broker.protect(pair)
        assert_together(stage, endpoint, pair)


@pytest.mark.parametrize(("name", "verb"), [deal for deal in DEALS if deal[1] == "place_order"])
def test_an_entry_and_its_exits_leave_together(stage, hurry):
    """An entry with legs is one request with every client id, or an honest no before anything is sent."""
    if "bracket" not in stage.broker.facts.capabilities:
        with pytest.raises(BrokerRefused):
            stage.broker.place_order(
                replace(stage.deal.request, legs=(stage.sample.reducing.request,))
            )
        assert stage.venue.requests == []
        return
    endpoint, entry = stage.sample.bracket_endpoint, stage.sample.bracket
    assert entry is not None
    stage.venue.on(*endpoint, reply(*stage.sample.bracket_accepted))
    assert stage.broker.place_order(entry).client_id == entry.client_id
    assert_together(stage, endpoint, (entry, *entry.legs))
    for fault in ("hang", "503", "half an answer", "a page instead of JSON"):
        hurry.seconds = SHORT if fault in HANGING else PATIENT
        stage.venue.requests.clear()
        stage.venue.on(*endpoint, UNCLEAR[fault])
        with pytest.raises(Uncertain):
            stage.broker.place_order(entry)
        assert_together(stage, endpoint, (entry, *entry.legs))


def assert_together(stage: Stage, endpoint: tuple[str, str], requests: Any) -> None:
    """One request changed something, and it named every order."""
    changes = [each for each in stage.venue.requests if each.method != "GET"]
    assert [(each.method, each.path) for each in changes] == [endpoint]
    told = changes[0].target + changes[0].body.decode()
    assert all(each.client_id in told for each in requests)
