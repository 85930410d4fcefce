from __future__ import annotations

import json
import socket
from contextlib import ExitStack

import pytest

from tests.support.running import OWNER, SECRET, read_fills, running

pytestmark = pytest.mark.slow
BODY = json.dumps({"secret": SECRET, "action": "buy", "symbol": "BTCUSDT", "quantity": 1}).encode()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Run one receiver for all of these; none of them trades."""
    folder = tmp_path_factory.mktemp("http")
    (folder / "config.yaml").write_text("webhook: {rate_limit: 100000/minute}")
    with running(folder) as found:
        yield found
        assert read_fills(found.state) == []
        assert found.get("/history")["count"] == 0
        log = (folder / "webhook_alerts.log").read_text()
        assert "Traceback" not in log + found.said()
        assert SECRET not in log + found.said()


def ask(*lines: str | bytes, body: bytes = b"", end: bytes = b"\r\n") -> bytes:
    """Return the bytes of a request."""
    raw = [line if isinstance(line, bytes) else line.encode("latin-1") for line in lines]
    return end.join([*raw, b"", body])


def status_of(answer: bytes) -> int:
    """Return the status of an answer; 0 where the connection was just closed."""
    return int(answer.split(b" ", 2)[1]) if answer else 0


POST = "POST /webhook HTTP/1.1"
HOST = "Host: 127.0.0.1"
LENGTH = f"Content-Length: {len(BODY)}"
CHUNKED = "Transfer-Encoding: chunked"
IN_CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)


@pytest.mark.parametrize(
    ("request_bytes", "expected"),
    [
        (ask(POST, HOST, LENGTH, CHUNKED, body=IN_CHUNKS), {400}),
        (ask(POST, HOST, CHUNKED, LENGTH, body=IN_CHUNKS), {400}),
        (ask(POST, HOST, LENGTH, "Content-Length: 5", body=BODY), {400}),
        (ask(POST, HOST, LENGTH, LENGTH, body=BODY), {400}),
        (ask(POST, HOST, "Content-Length: 5, 5", body=BODY), {400}),
        (ask(POST, HOST, "Content-Length: -1", body=BODY), {400}),
        (ask(POST, HOST, "Content-Length: +5", body=BODY), {400}),
        (ask(POST, HOST, "Content-Length: 0x5", body=BODY), {400}),
        (ask(POST, HOST, "Content-Length: ²", body=BODY), {400}),
        (ask(POST, HOST, "Content-Length : 5", body=BODY), {400}),
        (ask(POST, HOST, LENGTH, end=b"\n", body=BODY), {400, 408, 0}),
        (ask(POST, HOST, "X: a\nContent-Length: 5", body=BODY), {400}),
        (ask(POST, HOST, "X: a\0b", LENGTH, body=BODY), {400}),
        (ask(POST, HOST, " folded: x", LENGTH, body=BODY), {400}),
        (ask(POST, HOST, "no colon here", LENGTH, body=BODY), {400}),
        (ask(POST, HOST, "X: " + "a" * 9000, LENGTH, body=BODY), {400, 431}),
        (ask(POST, HOST, *(f"X{n}: a" for n in range(101)), LENGTH, body=BODY), {400, 431}),
        (ask("POST /webhook?" + "a" * 9000 + " HTTP/1.1", HOST, LENGTH, body=BODY), {400, 414}),
        (ask(POST, HOST, "Transfer-Encoding: gzip, chunked", body=IN_CHUNKS), {400, 411, 501}),
        (ask(POST, HOST, "Transfer-Encoding: xchunked", body=IN_CHUNKS), {400, 501}),
        (ask(POST, HOST, "Transfer-Encoding: chunked, chunked", body=IN_CHUNKS), {400, 501}),
        (ask("POST /webhook HTTP/9.9", HOST, LENGTH, body=BODY), {400, 505}),
        (ask("POST /webhook", HOST, LENGTH, body=BODY), {400}),
        (ask(f"POST /webhook?secret={SECRET} HTTP/1.1 x", HOST, LENGTH, body=BODY), {400}),
        (ask(f"POST /webhook?secret={SECRET} HTTP/x", HOST, LENGTH, body=BODY), {400}),
        (ask(f"P\0ST /webhook?secret={SECRET} HTTP/1.1", HOST, LENGTH, body=BODY), {400}),
        (ask(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"), {400}),
        (b"\r\n\r\n\r\n", {400, 0}),
        (b"", {0}),
    ],
)
def test_malformed_requests_end_at_the_door(server, request_bytes, expected):
    """Two lengths, bare line feeds, too many or too large headers: refused by gunicorn, nothing is read."""
    answer = server.raw(request_bytes)
    assert status_of(answer) in expected, answer[:300]
    assert SECRET.encode() not in answer
    assert b"Traceback" not in answer
    assert server.request("GET", "/webhook/test")[0] == 200


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ((CHUNKED,), IN_CHUNKS, 411),
        ((CHUNKED,), b"5\r\nBUY B\r\n", 411),
        ((), b"", 411),
        (("Content-Length: 65537",), b"x", 413),
        (("Content-Length: 999999999999999999999",), b"x", 413),
    ],
)
def test_a_body_is_never_cut(server, headers, body, expected):
    """Without a length 411, above the limit 413, before anything of the body is judged."""
    answer = server.raw(ask(POST, HOST, "Connection: close", *headers, body=body))
    assert status_of(answer) == expected
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["success"] is False


def test_a_body_shorter_than_its_length_is_no_alert(server):
    """A sender that hangs up in the middle of its text has sent nothing."""
    text = b"BUY BTCUSDT qty=1000 secret=" + SECRET.encode()
    short = ask(POST, HOST, f"Content-Length: {len(text) + 7}", body=text)
    assert status_of(server.raw(short)) in (0, 400)


@pytest.mark.parametrize(
    "target",
    [
        "//webhook",
        "/webhook/",
        "/webhook//",
        "/./webhook/../webhook",
        "/%77ebhook%2f",
        "/webhook%00",
        "/webhook;x",
        "/WEBHOOK",
        "/history/..%2f..%2fetc/passwd",
        "/history/%2e%2e/positions",
        "http://127.0.0.1/nowhere",
        "*",
    ],
)
def test_confusing_paths_lead_nowhere(server, target):
    """404, 405 or 400 in every verb, never a redirect, and nothing private."""
    for verb in ("POST", "GET", "PUT", "OPTIONS", "PATCH", "TRACE", "BREW"):
        request = ask(f"{verb} {target} HTTP/1.1", HOST, LENGTH, "Connection: close", body=BODY)
        answer = server.raw(request)
        assert status_of(answer) in (400, 404, 405), (verb, target, answer[:200])
        assert SECRET.encode() not in answer


@pytest.mark.parametrize(
    "verb", ["PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "BREW", "post", "HEAD"]
)
def test_other_verbs_are_refused(server, verb):
    """Only POST sends an alert; HEAD and unknown verbs do not."""
    request = ask(f"{verb} /webhook HTTP/1.1", HOST, LENGTH, "Connection: close", body=BODY)
    assert status_of(server.raw(request)) in (400, 404, 405)


def test_one_connection_may_carry_several_requests(server):
    """Answers come in order, and a refused request does not spoil the next one."""
    one = ask("POST /webhook HTTP/1.1", HOST, "Content-Length: 2", body=b"{}")
    last = ask("GET /webhook/test HTTP/1.1", HOST, "Connection: close")
    answers = server.raw(one * 3 + last).split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers] == [b"401", b"401", b"401", b"200"]


def test_credentials_in_odd_headers_are_judged_and_not_shown(server):
    """Bytes that are no text in a header are wrong credentials, not a fault."""
    for name in (b"Authorization", b"X-Webhook-Signature", b"X-Forwarded-For", b"Sec-Fetch-Site"):
        for value in (b"\xff\xfe", b"Bearer \xe9", b"Basic \xff", b"sha256=\xc3\xa9", b"," * 500):
            line = name + b": " + value
            for path in ("/history", "/webhook"):
                verb = "GET" if path == "/history" else "POST"
                request = ask(
                    f"{verb} {path} HTTP/1.1", HOST, "Content-Length: 2", line, body=b"{}"
                )
                assert status_of(server.raw(request)) in (400, 401, 403, 429)


def test_a_strange_host_is_no_fault(server):
    """Whatever stands in Host, the owner is served and others are refused."""
    for host in ("evil.example", "a b", "[::1", "x" * 300, "127.0.0.1:99999", '"><script>', ""):
        for token, expected in (({}, {400, 401}), (OWNER, {200, 400})):
            lines = [f"{name}: {value}" for name, value in token.items()]
            request = ask("GET /positions HTTP/1.1", f"Host: {host}", "Connection: close", *lines)
            assert status_of(server.raw(request)) in expected, host


def test_a_strangers_burst_delays_no_alert_beyond_tradingviews_patience(server):
    """250 connections with bodies that take long to read are before it; the alert is answered in 3 s."""
    padding = {f"k{number}": "abc" for number in range(1500)}
    body = json.dumps({**padding, "secret": "wrong"}).encode()
    request = ask(POST, HOST, f"Content-Length: {len(body)}", "Connection: close", body=body)
    with ExitStack() as stack:
        strangers = []
        for _ in range(250):
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
            strangers.append(stack.enter_context(connection))
            connection.sendall(request)
        alert = json.dumps({"secret": SECRET, "action": "close", "symbol": "BTCUSDT"})
        path = "/webhook/validate"
        assert server.request("POST", path, alert, seconds=3.0)[0] == 200
        answers = [connection.recv(64) for connection in strangers]
    assert {status_of(answer) for answer in answers} <= {401, 429}


def test_clients_that_never_hang_up_hold_up_nobody(server):
    """Gunicorn would wait two seconds for each in the loop that accepts: after 20 of them 40 s of silence."""
    request = ask("GET /webhook/test HTTP/1.1", HOST, "Connection: close")
    with ExitStack() as stack:
        for _ in range(20):
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=10)
            stack.enter_context(connection).sendall(request)
            assert status_of(connection.recv(4096)) == 200
        assert server.request("GET", "/webhook/test", seconds=10.0)[0] == 200
