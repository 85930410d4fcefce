from __future__ import annotations

import gzip
import logging
import socket
import ssl
import threading
import time
import traceback
from contextlib import ExitStack, closing, nullcontext
from decimal import Decimal
from email.utils import formatdate
from pathlib import Path

import pytest

from brokers.protocol import KEYS_REFUSED, THROTTLED, BrokerRefused, Uncertain, Unreachable
from brokers.wire import connections
from brokers.wire.client import BANNED, Wire
from tests.support import faulty_server as faulty
from tests.support.faulty_server import HANGING, UNCLEAR, FaultyServer, faulty_server, reply

KEY, SECRET = "k3y+of/the=account", "s3cr3t & more"
PATIENT, SHORT = 2.0, 0.3
"""Seconds a call may take: where an answer comes, and where only the deadline ends it."""
CERTIFICATES = Path(__file__).resolve().parents[3] / "certificates"
TARGET = "/order?symbol=BTCUSDT&quantity=0.10&signature=f00d"


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server():
    """Give a venue that accepts every order."""
    with faulty_server() as venue:
        venue.on("POST", "/order", reply(200, {"orderId": 7}))
        venue.on("GET", "/order", reply(200, {"orderId": 7}))
        yield venue


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    """Shorten the pauses of a read that is tried again."""
    monkeypatch.setattr("brokers.wire.client._RETRY_SECONDS", 0.005)


@pytest.fixture
def clock():
    """Give a clock that stands still."""
    return Clock()


@pytest.fixture
def wire(server, clock):
    """Give a wire to the venue."""
    return Wire(server.url, secrets=(KEY, SECRET), clock=clock)


def send(wire: Wire, **how):
    """Send an order."""
    return wire.send("POST", TARGET, **{"headers": {"X-Key": KEY}, "deadline_seconds": 2.0, **how})


def read(wire: Wire, **how):
    """Look an order up."""
    return wire.read("GET", TARGET, **{"headers": {"X-Key": KEY}, "deadline_seconds": 2.0, **how})


# --- what goes out and what comes back ---------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        "/order?a=%2F%2f&b=~!*'();:@&c=%E2%82%AC&signature=00",
        "/order?list=[1,2]&text=a+b%20c",
        "/order/../order//x?",
        "/order",
    ],
)
def test_the_target_goes_out_exactly_as_it_was_signed(server, wire, target):
    """Nothing re-encodes, sorts or shortens what a signature was made of."""
    server.fault = reply(200, {})
    wire.send("POST", target)
    wire.read("GET", target)
    assert [each.target for each in server.requests] == [target, target]


def test_a_path_in_the_base_url_comes_first(server):
    """A venue may live below a path; a slash at its end is not doubled."""
    server.fault = reply(200, {})
    Wire(f"{server.url}/v5/").send("POST", "/order?a=1")
    assert server.requests[0].target == "/v5/order?a=1"


def test_body_and_headers_go_out_as_given(server, wire):
    """The bytes of a body are not touched; the key travels in its header and no cookie ever does."""
    server.on("POST", "/order", reply(200, {}, set_cookie="session=1; Path=/"))
    headers = {"X-Key": KEY, "Content-Type": "application/json"}
    for _ in range(2):
        wire.send("POST", "/order", body=b'{"price": 0.10}', headers=headers)
    for request in server.requests:
        assert request.body == b'{"price": 0.10}'
        assert request.headers["x-key"] == KEY
        assert "cookie" not in request.headers
        assert "authorization" not in request.headers


def test_the_environment_does_not_meddle(server, wire, monkeypatch, tmp_path):
    """Neither a proxy nor a password of ~/.netrc nor a list of authorities comes from the environment."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    send(wire)
    assert "authorization" not in server.requests[0].headers


def test_numbers_are_exact(server, wire):
    """A number with a point or an exponent is a Decimal with every digit; a count is an int."""
    text = '{"a": 0.10, "b": 12345678901234567890.123456789, "c": 7, "d": 1e-8, "e": "0.1"}'
    server.on("POST", "/order", reply(200, text))
    found = send(wire)
    assert found.is_json
    assert found.data == {
        "a": Decimal("0.10"),
        "b": Decimal("12345678901234567890.123456789"),
        "c": 7,
        "d": Decimal("1e-8"),
        "e": "0.1",
    }
    assert [type(found.data[key]) for key in "abcde"] == [Decimal, Decimal, int, Decimal, str]
    assert str(found.data["a"]) == "0.10"


def test_header_names_are_lower_case(server, wire):
    """Names are compared without case; two of one name are joined."""
    server.on("POST", "/order", reply(200, {}, x_mbx_used_weight_1m="12"))
    assert send(wire).headers["x-mbx-used-weight-1m"] == "12"


def test_a_packed_answer_is_unpacked(server, wire):
    """Gzip is asked for and read."""
    packed = faulty.write_answer(200, gzip.compress(b'{"a": 1}'), {"Content-Encoding": "gzip"})
    server.on("POST", "/order", faulty.raw(packed, goes_on=True))
    assert send(wire).data == {"a": 1}
    assert server.requests[0].headers["accept-encoding"] == "gzip"


def test_a_chunked_answer_is_read(server, wire):
    """A length that is told piece by piece is read to its end."""
    head = faulty.write_answer(200, b"", {"Content-Length": "", "Transfer-Encoding": "chunked"})
    server.on(
        "POST", "/order", faulty.raw(head + b'4\r\n{"a"\r\n4\r\n: 1}\r\n0\r\n\r\n', goes_on=True)
    )
    assert [send(wire).data, send(wire).data] == [{"a": 1}, {"a": 1}]
    assert server.connections == 1


# --- transport faults ----------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", UNCLEAR)
def test_an_order_without_a_clear_answer_is_uncertain(server, wire, fault):
    """It left once and may exist: nothing sends it again, follows a redirect or waits beyond the deadline."""
    server.fault = UNCLEAR[fault]
    deadline = SHORT if fault in HANGING else PATIENT
    began = time.monotonic()
    with pytest.raises(Uncertain) as found:
        send(wire, deadline_seconds=deadline)
    assert time.monotonic() - began < deadline + 0.5
    assert len(server.requests) == 1
    assert_clean(found.value)


@pytest.mark.parametrize("fault", UNCLEAR)
def test_a_read_without_a_clear_answer_is_unreachable(server, wire, fault):
    """Nothing can have changed: it is tried again inside its deadline and then says so."""
    server.fault = UNCLEAR[fault]
    deadline = SHORT if fault in HANGING else PATIENT
    began = time.monotonic()
    with pytest.raises(Unreachable) as found:
        read(wire, deadline_seconds=deadline)
    assert time.monotonic() - began < deadline + 0.5
    assert 1 <= len(server.requests) <= 3
    assert "/elsewhere" not in [each.path for each in server.requests]
    assert_clean(found.value)


@pytest.mark.parametrize(
    "fault",
    ["reset after the request", "close without a reply", "half an answer", "503", "garbage"],
)
def test_a_read_is_tried_again(server, wire, fault):
    """One fault of the line costs a read a moment, not its answer; a broken connection is replaced."""
    read(wire)
    server.on("GET", "/order", UNCLEAR[fault], reply(200, {"orderId": 8}))
    assert read(wire).data == {"orderId": 8}
    assert len(server.requests) == 3
    assert server.connections == (1 if fault == "503" else 2)


def test_nothing_listens(server, wire):
    """A refused connection proves that the order never left."""
    server.refuse()
    with pytest.raises(Unreachable, match="refused"):
        send(wire)
    with pytest.raises(Unreachable, match="refused"):
        read(wire)
    assert server.requests == []


def test_a_name_that_does_not_exist(monkeypatch):
    """A name without an address proves that the order never left."""

    def resolve(*arguments, **how):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(connections.socket, "getaddrinfo", resolve)
    wire = Wire("https://venue.invalid")
    for call in (send, read):
        with pytest.raises(Unreachable, match="name could not be resolved") as found:
            call(wire)
        assert "venue.invalid" not in str(found.value)


def test_a_resolver_that_hangs(monkeypatch):
    """Nobody waits for a resolver longer than for a connection, and only one thread asks it."""
    answered, asked = threading.Event(), []

    def resolve(*arguments, **how):
        asked.append(arguments)
        answered.wait(5)
        return []

    monkeypatch.setattr(connections.socket, "getaddrinfo", resolve)
    wire = Wire("https://venue.invalid", connect_seconds=0.1)
    began = time.monotonic()
    for _ in range(3):
        with pytest.raises(Unreachable, match="in time"):
            send(wire)
    assert time.monotonic() - began < 1.0
    assert len(asked) == 1
    answered.set()


@pytest.fixture
def silent():
    """Give an address that answers no first packet: its queue is full, so the kernel drops it."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            waiting = stack.enter_context(closing(socket.socket()))
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()


def test_a_connection_that_is_never_made(silent):
    """A venue that does not answer the first packet is given up after the time for connecting."""
    wire = Wire(f"http://127.0.0.1:{silent[1]}", connect_seconds=0.2)
    began = time.monotonic()
    with pytest.raises(Unreachable, match="in time"):
        send(wire)
    assert 0.15 < time.monotonic() - began < 0.8


def test_the_second_address_of_a_venue_is_tried(server, silent, monkeypatch):
    """An address that does not answer leaves time for the next one."""
    real = socket.getaddrinfo("127.0.0.1", server.port, type=socket.SOCK_STREAM)
    dead = [(*entry[:4], silent) for entry in real]
    monkeypatch.setattr(connections.socket, "getaddrinfo", lambda *a, **k: [*dead, *real])
    began = time.monotonic()
    assert send(Wire(server.url, connect_seconds=1.0)).data == {"orderId": 7}
    assert time.monotonic() - began < 0.9


def test_a_reset_on_accept_is_uncertain(server, wire):
    """Once the request was sent it cannot be told from a reset after the venue has read it."""
    server.resets_on_accept = True
    with pytest.raises(Uncertain):
        send(wire)
    with pytest.raises(Unreachable):
        read(wire)
    assert server.requests == []


def test_a_late_answer_is_not_an_answer(server, wire):
    """What the venue says after the deadline reaches nobody, least of all the next call."""
    server.fault = faulty.hang_then(reply(200, {"orderId": "late"}))
    wire.open()
    with pytest.raises(Uncertain, match=r"0\.3 s"):
        send(wire, deadline_seconds=SHORT)
    server.fault = None
    server.released.set()
    assert send(wire).data == {"orderId": 7}


def test_a_deadline_is_named_where_the_watchdog_comes_late(server, wire, monkeypatch):
    """On a busy machine the socket's own time runs out first: it is the same deadline."""
    monkeypatch.setattr(
        "brokers.wire.transport._deadlines.watch", lambda due_seconds, end: nullcontext()
    )
    server.fault = faulty.hang
    wire.open()
    with pytest.raises(Uncertain, match=r"no whole answer within 0\.3 s"):
        send(wire, deadline_seconds=SHORT)


def test_slow_answers_do_not_cut_other_calls(server, wire):
    """The watchdog of one call never touches the connection of another."""
    gate = threading.Event()

    def slow(line, request):
        gate.wait(5)
        return reply(200, {"orderId": 7})(line, request)

    server.on("POST", "/slow", faulty.hang)
    server.on("GET", "/order", slow)
    outcomes = []

    def ask():
        outcomes.append(read(wire, deadline_seconds=5.0).data)

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    with pytest.raises(Uncertain):
        wire.send("POST", "/slow", deadline_seconds=SHORT)
    gate.set()
    for thread in threads:
        thread.join(5)
    assert outcomes == [{"orderId": 7}] * 5
    assert len(server.asked("GET", "/order")) == 5


def test_no_thread_is_left_behind(server, wire):
    """After the deadlines everything that was started for a call has ended."""
    server.fault = faulty.hang
    before = set(threading.enumerate())
    for _ in range(3):
        with pytest.raises(Uncertain):
            send(wire, deadline_seconds=0.2)
    ours = [t for t in threading.enumerate() if t not in before and t not in server._threads]
    for thread in ours:
        thread.join(1)
        assert not thread.is_alive()


def test_a_header_that_cannot_be_sent(server):
    """A key with a line break in it leaves nothing on the wire, and is not shown."""
    wire = Wire(server.url, secrets=("bad\nkey",))
    for key in ("bad\nkey", "bad\u20ackey"):
        with pytest.raises(Unreachable, match="stray characters") as found:
            wire.send("POST", "/order", headers={"X-Key": key})
        assert "bad" not in str(found.value)
    assert server.requests == []


# --- kept connections ----------------------------------------------------------------------------------


def test_connections_are_kept(server, wire):
    """Call after call goes over one connection."""
    for _ in range(5):
        send(wire)
        read(wire)
    assert server.connections == 1


def test_a_connection_opened_ahead_is_used(server, wire):
    """Opening ahead costs the next call no connection; opening twice opens one."""
    wire.open()
    wire.open()
    send(wire)
    assert server.connections == 1
    assert len(server.requests) == 1


def test_opening_ahead_fails_in_silence(server, wire):
    """Whatever is wrong, the next call says it."""
    server.refuse()
    wire.open()
    Wire("no scheme").open()


def test_an_order_does_not_leave_by_a_connection_the_venue_has_closed(server, wire):
    """An idle connection that has ended is noticed before an order is written to it."""
    for _ in range(5):
        send(wire)
        server.drop()
        wait_until_closed(server)
    assert len(server.requests) == 5
    assert server.connections == 5


def test_a_word_said_unasked_ends_a_connection(server, wire):
    """Bytes that wait on an idle connection never become the answer to the next order."""
    unasked = faulty.write_answer(200, b'{"orderId": 2}') * 300
    answer = faulty.write_answer(200, b'{"orderId": 1}') + unasked
    server.on("POST", "/order", faulty.raw(answer, goes_on=True), reply(200, {"orderId": 3}))
    assert [send(wire).data, send(wire).data] == [{"orderId": 1}, {"orderId": 3}]
    assert server.connections == 2


def test_an_old_connection_is_not_used(server, wire, monkeypatch):
    """A connection that was idle for long may be dead without a sign: a fresh one is made."""
    send(wire)
    monkeypatch.setattr(connections, "IDLE_SECONDS", -1.0)
    send(wire)
    assert server.connections == 2


def test_after_a_fault_every_connection_is_fresh(server, wire):
    """Where one connection died, its idle sisters are not trusted either."""
    gate = threading.Barrier(3)

    def together(line, request):
        gate.wait(5)
        return reply(200, {})(line, request)

    def ask_together():
        threads = [threading.Thread(target=wire.read, args=("GET", "/together")) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5)

    server.on("GET", "/together", together)
    ask_together()
    ask_together()
    assert server.connections == 3
    server.on("POST", "/order", faulty.reset)
    with pytest.raises(Uncertain):
        send(wire)
    ask_together()
    assert server.connections == 6


def wait_until_closed(server: FaultyServer) -> None:
    """Wait until the server's threads have closed their connections."""
    for thread in list(server._threads):
        thread.join(5)


# --- TLS -----------------------------------------------------------------------------------------------


def serve_tls(certificate: Path) -> ssl.SSLContext:
    """Return what a server needs to speak TLS with a certificate and its key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
def secure():
    """Start venues with a certificate each."""
    with ExitStack() as stack:

        def start(name: str) -> FaultyServer:
            context = serve_tls(CERTIFICATES / f"{name}.pem")
            venue = stack.enter_context(faulty_server(context))
            venue.fault = reply(200, {"orderId": 7})
            return venue

        yield start


def trusting(url: str, name: str) -> Wire:
    """Return a wire that trusts one certificate, besides none."""
    wire = Wire(url, secrets=(KEY,))
    wire._transport._trusted = str(CERTIFICATES / f"{name}.pem")
    return wire


def test_tls_works_and_is_kept(secure):
    """A connection opened ahead and its tickets are taken for what they are: alive."""
    venue = secure("localhost")
    wire = trusting(venue.url, "localhost")
    wire.open()
    for _ in range(3):
        send(wire)
    assert venue.connections == 1
    assert len(venue.requests) == 3


@pytest.mark.parametrize(
    "fault", ["hang", "trickling body", "close without a reply", "half an answer"]
)
def test_faults_under_tls(secure, fault):
    """The deadline and the doubt are the same with TLS."""
    venue = secure("localhost")
    wire = trusting(venue.url, "localhost")
    venue.fault = UNCLEAR[fault]
    deadline = SHORT if fault in HANGING else PATIENT
    began = time.monotonic()
    with pytest.raises(Uncertain):
        send(wire, deadline_seconds=deadline)
    assert time.monotonic() - began < deadline + 0.5
    assert len(venue.requests) == 1


@pytest.mark.parametrize("name", ["expired", "elsewhere"])
def test_a_certificate_that_does_not_fit(secure, name):
    """An expired certificate or one of another host ends the connection before anything is sent."""
    venue = secure(name)
    wire = trusting(venue.url, name)
    with pytest.raises(Unreachable, match="certificate"):
        send(wire)
    assert venue.requests == []


def test_a_certificate_nobody_vouches_for(secure):
    """Certificates are always verified."""
    venue = secure("localhost")
    with pytest.raises(Unreachable, match="certificate"):
        send(Wire(venue.url))
    assert venue.requests == []


def test_no_tls_at_all(server):
    """A venue that speaks no TLS hears nothing."""
    with pytest.raises(Unreachable):
        send(Wire(server.url.replace("http://", "https://"), connect_seconds=0.2))
    assert server.requests == []


def test_a_handshake_that_hangs():
    """Connecting ends with the handshake: one that hangs is given up as a connection that hangs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        wire = Wire(f"https://127.0.0.1:{listener.getsockname()[1]}", connect_seconds=0.2)
        began = time.monotonic()
        with pytest.raises(Unreachable):
            send(wire)
        assert time.monotonic() - began < 0.8


# --- refusals and pauses -------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 403, 404, 409, 422])
def test_a_refusal_keeps_the_words_of_the_venue(server, wire, status):
    """A 4xx with JSON is a no; its text is kept, masked, on one line and short."""
    said = {"msg": f"Too small\n{SECRET} \x1b[31m" + "x" * 1000}
    server.fault = reply(status, said)
    for call in (send, read):
        with pytest.raises(BrokerRefused) as found:
            call(wire)
        assert "Too small" in found.value.message
        assert len(found.value.message) == 500
        assert "\n" not in found.value.message
        assert "\x1b" not in found.value.message
        assert_clean(found.value)
    assert len(server.requests) == 2
    assert wire.paused_seconds == 0


@pytest.mark.parametrize("body", ['{"code": -2015, "msg": "Invalid API-key."}', "", "<html>"])
def test_refused_keys(server, wire, body):
    """A 401 says that the keys are wrong."""
    server.fault = reply(401, body)
    with pytest.raises(BrokerRefused) as found:
        send(wire)
    assert found.value.code == KEYS_REFUSED
    assert wire.paused_seconds == 0


def http_date(seconds: float) -> str:
    """Return a date some seconds from now as a header writes it."""
    return formatdate(time.time() + seconds, usegmt=True)


@pytest.mark.parametrize(
    ("status", "body", "header", "code", "seconds"),
    [
        (429, {"code": -1003}, "7", THROTTLED, 7),
        (429, {"code": -1003}, "", THROTTLED, 10),
        (429, "<html>", "0", THROTTLED, 1),
        (429, {}, "soon", THROTTLED, 10),
        (429, {}, "-5", THROTTLED, 10),
        (429, {}, "999999999", THROTTLED, 3 * 86_400),
        (429, {}, "http-date", THROTTLED, 30),
        (418, {"code": -1003}, "300", BANNED, 300),
        (418, {"code": -1003}, "", BANNED, 120),
        (403, "<html>Forbidden</html>", "", BANNED, 600),
        (403, "", "20", BANNED, 20),
        (403, "{}", "", BANNED, 600),
    ],
)
def test_a_venue_that_wants_silence_gets_it(
    server, wire, clock, status, body, header, code, seconds
):
    """Until the pause ends no request of any kind leaves, however urgent."""
    header = http_date(30.5) if header == "http-date" else header
    server.fault = reply(status, body, retry_after=header)
    with pytest.raises(BrokerRefused) as found:
        send(wire)
    assert found.value.code == code
    assert found.value.retry_after == pytest.approx(seconds, abs=1.5)
    server.fault = None
    clock.now += found.value.retry_after - 0.5
    assert wire.paused_seconds == pytest.approx(0.5)
    with pytest.raises(BrokerRefused) as later:
        send(wire, is_urgent=True)
    assert later.value.code == THROTTLED
    assert later.value.retry_after == pytest.approx(0.5)
    with pytest.raises(Unreachable, match="no requests"):
        read(wire)
    server.drop()
    wire.open()
    assert len(server.requests) == 1
    assert server.connections == 1
    clock.now += 0.6
    assert wire.paused_seconds == 0
    assert send(wire).data == {"orderId": 7}


def test_a_read_that_is_throttled_pauses_too(server, wire):
    """A refused read is not tried again, and orders wait as well."""
    server.fault = reply(429, {"code": -1003})
    with pytest.raises(BrokerRefused) as found:
        read(wire)
    assert found.value.code == THROTTLED
    with pytest.raises(BrokerRefused):
        send(wire)
    assert len(server.requests) == 1


def test_a_shorter_pause_does_not_end_a_longer_one(server, wire, clock):
    """Answers arrive in any order; the longest silence asked for is kept."""
    gate = threading.Event()

    def slow(line, request):
        gate.wait(5)
        return reply(429, {}, retry_after="2")(line, request)

    server.on("GET", "/slow", slow)
    server.on("POST", "/order", reply(418, {"code": 1}, retry_after="300"))

    def ask():
        with pytest.raises(BrokerRefused):
            wire.read("GET", "/slow")

    thread = threading.Thread(target=ask)
    thread.start()
    while not server.requests:
        time.sleep(0.001)
    with pytest.raises(BrokerRefused):
        send(wire)
    gate.set()
    thread.join(5)
    assert wire.paused_seconds == 300


# --- a venue's own reading -----------------------------------------------------------------------------


def explaining(server: FaultyServer, clock: Clock, verdict) -> Wire:
    """Return a wire of a venue that reads every answer so."""

    def explain(found):
        return verdict(found) if callable(verdict) else verdict

    return Wire(server.url, clock=clock, read_refusal=explain)


def test_a_venue_may_call_an_overload_a_refusal(server, clock):
    """Overloaded and not carried out: opening orders wait, an urgent one leaves, a real pause holds it."""
    wire = explaining(server, clock, BrokerRefused("Overloaded.", THROTTLED, retry_after=4.0))
    server.on("POST", "/order", reply(503, {"code": -1008}))
    with pytest.raises(BrokerRefused) as found:
        send(wire)
    assert (found.value.code, found.value.retry_after) == (THROTTLED, 4.0)
    with pytest.raises(BrokerRefused):
        send(wire)
    assert len(server.requests) == 1
    with pytest.raises(BrokerRefused):
        send(wire, is_urgent=True)
    assert len(server.requests) == 2
    server.on("POST", "/order", reply(429, {"code": -1003}))
    with pytest.raises(BrokerRefused):
        send(wire, is_urgent=True)
    with pytest.raises(BrokerRefused):
        send(wire, is_urgent=True)
    assert len(server.requests) == 3


def test_a_venue_may_refuse_with_success(server, clock):
    """A 200 that says no in its body is a refusal where the venue says so."""
    wire = explaining(
        server, clock, lambda found: BrokerRefused("No.", "X") if found.data.get("no") else None
    )
    server.on("POST", "/order", reply(200, {"no": 1}), reply(200, {"orderId": 7}))
    with pytest.raises(BrokerRefused, match="No"):
        send(wire)
    assert send(wire).data == {"orderId": 7}


def test_a_venue_may_leave_the_reading_to_the_wire(server, clock):
    """None means the usual reading."""
    wire = explaining(server, clock, None)
    server.on("POST", "/order", reply(400, {"code": 1}))
    with pytest.raises(BrokerRefused):
        send(wire)


def test_a_venue_cannot_explain_a_ban_away(server, clock):
    """What the venue's wall says is heard whatever the module makes of it."""
    wire = explaining(server, clock, BrokerRefused("Something else.", "X"))
    server.fault = reply(418, {"code": -1003}, retry_after="50")
    with pytest.raises(BrokerRefused) as found:
        send(wire)
    assert found.value.code == BANNED
    assert wire.paused_seconds == 50


def test_a_venue_that_says_uncertain_is_believed(server, clock):
    """A 400 that may have been carried out is a doubt; a read with it is tried again."""
    wire = explaining(server, clock, Uncertain("Timed out inside.", "WHY"))
    server.fault = reply(400, {"code": -1007})
    with pytest.raises(Uncertain) as found:
        send(wire)
    assert found.value.code == "WHY"
    assert len(server.requests) == 1
    with pytest.raises(Unreachable):
        read(wire)
    assert len(server.requests) == 4


@pytest.mark.parametrize("where", ["read_refusal", "on_reply"])
def test_a_venue_that_stumbles_over_an_answer(server, where):
    """An order whose answer a module cannot read may exist."""

    def stumble(found):
        raise KeyError(SECRET)

    wire = Wire(server.url, **{where: stumble})
    with pytest.raises(Uncertain) as found:
        send(wire)
    assert_clean(found.value)
    with pytest.raises(Unreachable):
        read(wire)


def test_every_answer_can_be_watched(server, clock):
    """A module sees the headers of every answer, of refusals too."""
    seen = []
    wire = Wire(server.url, clock=clock, on_reply=lambda found: seen.append(found.status))
    server.on("POST", "/order", reply(200, {}), reply(400, {"code": 1}))
    send(wire)
    with pytest.raises(BrokerRefused):
        send(wire)
    assert seen == [200, 400]


# --- secrets -------------------------------------------------------------------------------------------


def assert_clean(fault: BaseException) -> None:
    """Nothing about a fault shows a secret, a query or an address."""
    shown = "".join([str(fault), repr(fault), *traceback.format_exception(fault)])
    for hidden in (KEY, SECRET, "s3cr3t", "f00d", "k3y", "127.0.0.1", "signature="):
        # The lines of this file stand in the traceback; what matters is what is not from a source file.
        assert hidden not in str(fault)
        assert hidden not in repr(fault)
    assert fault.__cause__ is None
    assert fault.__context__ is None
    assert "requests.exceptions" not in shown


@pytest.mark.parametrize(
    "shown",
    [
        KEY,
        SECRET,
        "k3y%2Bof%2Fthe%3Daccount",
        "k3y%2Bof/the%3Daccount",
        "s3cr3t%20%26%20more",
        "s3cr3t+%26+more",
    ],
)
def test_secrets_are_masked_in_every_form(server, wire, shown):
    """A venue that repeats a key, as it is or percent-encoded, is not quoted with it."""
    server.fault = reply(400, {"msg": f"bad {shown} end"})
    with pytest.raises(BrokerRefused) as found:
        send(wire)
    assert found.value.message == '{"msg": "bad *** end"}'


def test_a_secret_is_not_cut_in_two(server, wire):
    """The text is masked before it is cut to its length."""
    server.fault = reply(400, {"msg": "x" * 485 + SECRET})
    with pytest.raises(BrokerRefused) as found:
        send(wire)
    assert "s3" not in found.value.message


def test_a_token_of_today_is_masked(server, wire):
    """A secret that was learnt later is masked from then on; an empty one masks nothing."""
    wire.hide("t0day")
    wire.hide("")
    server.fault = reply(400, {"msg": "t0day"})
    with pytest.raises(BrokerRefused, match=r'^\{"msg": "\*\*\*"\}$'):
        send(wire)


def test_a_reply_shows_neither_headers_nor_data(server, wire):
    """What a login answers may stand in a log by accident."""
    server.on("POST", "/order", reply(200, {"token": SECRET}, set_cookie=SECRET))
    found = send(wire)
    assert found.data == {"token": SECRET}
    assert "s3cr3t" not in repr(found)
    assert "s3cr3t" not in repr(wire)


def test_nothing_secret_is_logged(server, wire, caplog):
    """Even at its most talkative the HTTP library logs no query and no header, good answer or bad."""
    caplog.set_level(logging.DEBUG)
    bad_header = faulty.raw(b"HTTP/1.1 200 OK\r\nno colon here\r\nContent-Length: 2\r\n\r\n{}")
    for fault in (None, bad_header, faulty.reset, faulty.garbage, faulty.redirect(307, "/x")):
        server.fault = fault
        for call in (send, read):
            try:
                call(wire)
            except (Uncertain, Unreachable):
                continue
    assert caplog.records
    for hidden in (KEY, SECRET, "f00d", "signature"):
        assert hidden not in caplog.text


@pytest.mark.parametrize("date", ["no date", "Tue, 99 Foo 2026 00:00:00 GMT"])
def test_the_venues_clock_is_what_its_answers_say(server, wire, date):
    """By the date of the last answer; one that is none says nothing."""
    assert wire.venue_ms is None
    at = time.time() - 3_600
    server.on("GET", "/order", reply(200, {}, date=formatdate(at, usegmt=True)))
    read(wire)
    assert abs((wire.venue_ms or 0) - at * 1000) < 30_000
    server.on("GET", "/order", reply(200, {}, date=date))
    read(wire)
    assert wire.venue_ms is None
