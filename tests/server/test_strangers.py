"""What a stranger, or a page of another site, may make the receiver do: as good as nothing."""

from __future__ import annotations

import base64
import itertools
import json

import pytest

import webhook_server
from desk.api.alert_api import READ_FROM_STRANGERS
from desk.api.gate import Gate
from desk.config.load import SettingsError
from parsers import glance
from parsers.aliases import SECRETS, is_secret
from tests.support.running import GUARDED, OWNER, SECRET, TOKEN, receivers

OWN = "b6e1d2a90c4f7385aa10"
BUY = {"action": "buy", "symbol": "BTCUSDT", "quantity": 1, "price": 100}
PADDING = {f"k{number}": "x" for number in range(1500)}
BASIC = {"Authorization": "Basic " + base64.b64encode(f"me:{TOKEN}".encode()).decode()}
HERE = "http://localhost"


@pytest.fixture
def start(tmp_path):
    """Start receivers."""
    with receivers(tmp_path) as found:
        yield found


@pytest.fixture
def receiver(start):
    """Start one that asks for a secret and a token."""
    return start()


@pytest.fixture
def parsed(monkeypatch):
    """Count the bodies that are parsed; ask for it before a receiver is started."""
    bodies = []
    parse = webhook_server.parse

    def count(body, known=()):
        bodies.append(body)
        return parse(body, known)

    monkeypatch.setattr(webhook_server, "parse", count)
    return bodies


def big(**fields):
    """Return a body that takes long to read."""
    return json.dumps({**BUY, **PADDING, **fields}).encode()


# --- what is refused is not read -------------------------------------------------------------------


def test_a_large_body_without_a_credential_is_refused_unread(parsed, start):
    """401 and 429 as ever, and the parser is not asked: reading it took 14 ms of everybody's time."""
    receiver = start()
    assert len(big()) > READ_FROM_STRANGERS
    wrong = [big(), big(secret="wrong"), big(secret="wrong", token="w2"), b"[" + big() + b"]"]
    for body in itertools.islice(itertools.cycle(wrong), 10):
        answer = receiver.client.post("/webhook", data=body)
        assert (answer.status_code, answer.get_json()["code"]) == (401, "UNAUTHORIZED")
    answer = receiver.client.post("/webhook?secret=wrong", data=big())
    assert (answer.status_code, answer.get_json()["code"]) == (429, "RATE_LIMITED")
    headers = {"X-Webhook-Signature": "sha256=00"}
    assert receiver.client.post("/webhook", data=big(), headers=headers).status_code == 429
    assert parsed == []
    assert receiver.get("/history")["count"] == 0


def test_a_large_body_with_the_secret_is_read_wherever_it_stands(parsed, start):
    """In the URL, the signature, the body, spelled with escapes or in a message string: it counts."""
    receiver = start()
    for _ in range(12):  # the address has used up what strangers have
        receiver.client.post("/webhook", data=big(secret="wrong"))
    spelled = "".join(f"\\u{ord(letter):04x}" for letter in SECRET)
    bodies = [
        ("/webhook", big(secret=SECRET)),
        ("/webhook", big(passphrase="another's", secret=SECRET)),
        ("/webhook", big(secret="@").replace(b"@", spelled.encode())),
        ("/webhook", json.dumps({"message": big(secret=SECRET).decode()}).encode()),
        (f"/webhook?secret={SECRET}", big(secret="another's")),
        (f"/webhook/tradingview?auth_token={SECRET}", big()),
    ]
    for count, (path, body) in enumerate(bodies, 1):
        assert receiver.client.post(path, data=body).status_code not in (401, 429), body[-90:]
        assert len(parsed) == count


def test_on_an_open_desk_nothing_is_read_beyond_the_rate(parsed, start):
    """Without any secret ten alerts a minute are read, whatever the eleventh holds."""
    receiver = start("", {})
    for number in range(15):
        body = json.dumps({**BUY, "symbol": f"A{chr(65 + number)}"})
        receiver.client.post("/webhook", data=body)
    assert len(parsed) == 10


def test_an_address_that_may_not_call_is_not_listened_to(parsed, start):
    """403 before a byte of the body is asked for."""
    receiver = start("webhook: {allowed_ips: [tradingview]}")
    unread = {"environ_overrides": {"wsgi.input": None}, "content_length": 10}
    assert receiver.client.post("/webhook", **unread).status_code == 403
    assert parsed == []


def test_with_secrets_on_strategies_alone_strangers_are_read_up_to_their_rate(parsed, start):
    """Then a large body is read only with one of the secrets."""
    receiver = start(f"strategies: {{trend: {{secret: {OWN}}}}}", {})
    for number in range(12):
        receiver.client.post("/webhook", data=big(strategy=f"s{number}"))
    assert len(parsed) == 10
    assert (
        receiver.client.post("/webhook", data=big(strategy="trend", secret=OWN)).status_code == 200
    )
    assert len(parsed) == 11


# --- one valid credential is enough (rules 16.4) ---------------------------------------------------


@pytest.mark.parametrize(
    ("query", "fields", "place"),
    [
        ("", {"secret": SECRET, "token": "of-another-system"}, "the message"),
        ("", {"secret": "of-another-system", "auth_token": SECRET}, "the message"),
        ("?secret=stale", {"secret": SECRET}, "the URL"),
        (f"?secret={SECRET}", {"secret": "of-another-system"}, "the message"),
    ],
)
def test_a_wrong_credential_beside_the_valid_one_is_a_warning(receiver, query, fields, place):
    """The alert trades, the answer says which place to look at, and nobody is told the values."""
    answer = receiver.client.post(f"/webhook{query}", json={**BUY, **fields})
    assert answer.status_code == 200
    [warning] = [each for each in answer.get_json()["warnings"] if "second credential" in each]
    assert place in warning
    assert "another-system" not in answer.get_data(as_text=True)
    assert SECRET not in answer.get_data(as_text=True)


# --- a halt of everything --------------------------------------------------------------------------


def test_a_stranger_does_not_halt_everything_where_strategies_have_secrets(start):
    """`halt` without a strategy concerns those with a secret too: 401, and nothing is halted."""
    receiver = start(f"strategies: {{trend: {{secret: {OWN}}}}}", {"ADMIN_TOKEN": TOKEN})
    for body in (
        {"action": "halt"},
        {"action": "halt", "secret": OWN},
        {"action": "halt", "secret": "x"},
    ):
        assert receiver.client.post("/webhook", json=body).status_code == 401
    assert receiver.client.post("/webhook", json=[{**BUY}, {"action": "halt"}]).status_code == 401
    assert receiver.get("/status")["open"]["halted"] == []
    own = {"action": "halt", "strategy": "trend", "secret": OWN}
    assert receiver.client.post("/webhook", json=own).status_code == 200
    assert (
        receiver.client.post("/webhook", json={"action": "halt", "strategy": "b"}).status_code
        == 200
    )


def test_the_global_secret_halts_everything(receiver):
    """Who has it may stop all."""
    assert receiver.send(action="halt").status_code == 200
    assert receiver.buy().get_json()["code"] == "HALTED"


# --- the owner's token -----------------------------------------------------------------------------


def test_guesses_of_the_token_are_limited_and_logged(receiver):
    """Ten a minute and address, by Bearer and Basic together, one line each without the guess; then 429."""
    wrong = base64.b64encode(b"me:guessed-it").decode()
    for number in range(10):
        value = f"Basic {wrong}" if number % 2 else "Bearer guessed-it"
        assert receiver.client.get("/history", headers={"Authorization": value}).status_code == 401
    for path in ("/history", "/positions", "/status"):
        answer = receiver.client.get(path, headers={"Authorization": "Bearer guessed-it"})
        assert (answer.status_code, answer.get_json()["code"]) == (429, "RATE_LIMITED")
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert (
        receiver.client.post("/halt", headers={"Authorization": "Bearer guessed-it"}).status_code
        == 429
    )
    assert receiver.client.get("/history", headers=OWNER).status_code == 200
    assert receiver.buy().status_code == 200
    receiver.stop()
    assert receiver.log().count("a wrong ADMIN_TOKEN") == 10
    assert receiver.log().count("Too many wrong tokens") == 1
    assert "address=127.0.0.1" in receiver.log()
    assert "guessed-it" not in receiver.log()


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic", "Digest x"])
def test_a_request_without_a_token_is_no_guess(receiver, header):
    """However often it comes it is a 401 with the curl to use."""
    headers = {} if header is None else {"Authorization": header}
    for _ in range(20):
        assert receiver.client.get("/history", headers=headers).status_code == 401


def test_a_wrong_token_says_nothing_private_on_the_status(receiver):
    """The open page stays open to who sends another system's Authorization."""
    answer = receiver.client.get("/status", headers={"Authorization": "Bearer another"})
    assert answer.status_code == 200
    assert "open" in answer.get_json()
    assert answer.get_json() != receiver.get("/status")


# --- controls through a browser --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "http"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": HERE}, 403),
        ({"Origin": HERE}, 200),
        ({"Origin": "http://LOCALHOST:80"}, 200),
        ({"Origin": "https://localhost"}, 403),
        ({"Origin": "http://localhost:8081"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({}, 403),
    ],
)
def test_a_page_of_another_site_uses_no_control_over_plain_http(receiver, headers, http):
    """A browser that had logged in sends Basic by itself, and over HTTP no Sec-Fetch-Site with it."""
    assert receiver.client.post("/halt", headers={**BASIC, **headers}).status_code == http
    halted = receiver.get("/status")["open"]["halted"]
    assert bool(halted) is (http == 200)


@pytest.mark.parametrize(
    ("headers", "http"),
    [
        ({}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": HERE}, 200),
    ],
)
def test_a_program_with_the_token_needs_no_origin(receiver, headers, http):
    """No page can send a Bearer token that it does not know; one that knows it is refused elsewhere."""
    assert receiver.client.post("/resume", headers={**OWNER, **headers}).status_code == http


def test_an_origin_behind_a_proxy_is_the_one_the_proxy_tells(receiver):
    """X-Forwarded-Proto, -Host and -Port count from a trusted proxy alone."""
    told = {
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "desk.example",
        "X-Forwarded-Port": "8443",
    }
    asks = {**BASIC, **told, "Origin": "https://desk.example:8443"}
    assert receiver.client.post("/halt", headers=asks).status_code == 200
    stranger = {"REMOTE_ADDR": "203.0.113.7"}
    assert receiver.client.post("/halt", headers=asks, environ_base=stranger).status_code == 403


@pytest.mark.parametrize(
    "kind",
    ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data", "", "text/json"],
)
def test_the_body_of_a_control_is_json_by_its_content_type(receiver, kind):
    """What a form of another page can send is no command, whoever is logged in."""
    how = {"data": b'{"strategy": "a"}', "headers": {**OWNER, "Content-Type": kind}}
    for path in ("/halt", "/resume", "/flatten", "/orders/tv-1/resolve"):
        answer = receiver.client.post(path, **how)
        assert answer.status_code == 415
        assert "Content-Type: application/json" in answer.get_json()["message"]
    assert receiver.get("/status")["open"]["halted"] == []


def test_a_key_that_stands_twice_in_a_control_is_refused(receiver):
    """`{"strategy": "a", "strategy": "b"}` would halt the one that nobody looks at."""
    for body in ('{"strategy": "a", "strategy": "b"}', '{"account": null, "account": "x"}'):
        how = {"data": body, "content_type": "application/json", "headers": OWNER}
        answer = receiver.client.post("/halt", **how)
        assert answer.status_code == 422
        assert "at most once" in answer.get_json()["message"]
    assert receiver.get("/status")["open"]["halted"] == []


def test_a_control_in_chunks_is_not_taken_for_an_empty_one(receiver):
    """An empty /halt stops everything, and the body named one strategy: 411, and nothing is halted."""
    headers = {**OWNER, "Transfer-Encoding": "chunked", "Content-Type": "application/json"}
    answer = receiver.client.post("/halt", headers=headers)
    assert answer.status_code == 411
    assert receiver.get("/status")["open"]["halted"] == []


# --- a secret in a name ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "field", ["strategy", "account_group", "comment", "idempotency_key", "note"]
)
def test_a_secret_in_a_name_is_shown_nowhere(receiver, field):
    """Not in the answer, the history, the story, the status, the pages or the log."""
    for name in (SECRET, f"my-{SECRET}-x"):
        said = receiver.send(**{**BUY, field: name}).get_data(as_text=True)
        assert SECRET not in said
    for page in ("/history", "/status", "/strategies", "/positions", "/accounts"):
        assert SECRET not in json.dumps(receiver.get(page)), page
    for row in receiver.get("/history")["alerts"]:
        assert SECRET not in json.dumps(receiver.get(f"/history/{row['alert_id']}"))
    receiver.stop()
    assert SECRET not in receiver.log()
    assert SECRET.encode() not in receiver.settings.state_path.read_bytes()


def test_a_secret_in_the_symbols_place_is_unreadable(receiver):
    """It would be shown in capital letters: 400 without it."""
    answer = receiver.send(**{**BUY, "symbol": SECRET})
    assert answer.status_code == 400
    assert SECRET.lower() not in answer.get_data(as_text=True).lower()


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("/halt", {"strategy": SECRET}),
        ("/flatten", {"account": "paper_simulator", "symbol": TOKEN}),
    ],
)
def test_a_secret_in_a_control_is_refused(receiver, path, options):
    """A halt's scope is written down and shown."""
    answer = receiver.control(path, **options)
    assert answer.status_code == 422
    assert not any(
        each in answer.get_data(as_text=True) for each in options.values() if len(each) > 16
    )
    assert receiver.get("/status")["open"]["halted"] == []


@pytest.mark.parametrize("kind", ["strategies", "accounts"])
def test_a_configured_name_that_holds_a_secret_is_refused(start, kind):
    """Names stand in the banner, the log and every page."""
    inner = "{broker: paper}" if kind == "accounts" else "{}"
    with pytest.raises(SettingsError) as caught:
        start(f"{kind}: {{my-{SECRET}: {inner}}}")
    assert "holds a secret" in str(caught.value)
    assert SECRET not in str(caught.value)


# --- wrong paths, and the hint that helps ----------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/webhook/", "the path is /webhook, with no other slash"),
        ("/Webhook", "the path is /webhook, in lower case"),
        ("/WEBHOOK/TradingView/", "the path is /webhook/tradingview, in lower case"),
        ("/webhook//", "the path is /webhook, with no other slash"),
        ("/hook", "Alerts go to POST /webhook"),
    ],
)
def test_a_wrong_path_leaves_a_line_and_is_told_the_right_one(receiver, path, says):
    """404 that helps, and once a minute and address a line in the log."""
    for _ in range(3):
        answer = receiver.client.post(path, data="x", query_string={"secret": SECRET})
        assert answer.status_code == 404
        assert says in answer.get_json()["message"]
    receiver.stop()
    lines = [line for line in receiver.log().splitlines() if "wrong_path" in line]
    assert len(lines) == 1
    assert f"POST {path}: there is no such page" in lines[0]
    assert "address=127.0.0.1" in lines[0]
    assert SECRET not in receiver.log()


def test_a_path_that_holds_the_secret_is_not_logged(receiver):
    """Some senders put it behind the last slash; it is not shown either."""
    answer = receiver.client.post(f"/webhook/{SECRET}", data="x")
    assert answer.status_code == 404
    assert SECRET not in answer.get_data(as_text=True)
    receiver.stop()
    assert "a path with a secret" in receiver.log()
    assert SECRET not in receiver.log()


@pytest.mark.parametrize(
    ("headers", "url"),
    [
        ({"Host": "127.0.0.1:8080"}, "http://127.0.0.1:8080/history"),
        ({"Host": "desk.example", "X-Forwarded-Proto": "https"}, "https://desk.example/history"),
        (
            {"Host": "desk.example", "X-Forwarded-Proto": "https", "X-Forwarded-Port": "8443"},
            "https://desk.example:8443/history",
        ),
        (
            {
                "Host": "x",
                "X-Forwarded-Proto": "http, https",
                "X-Forwarded-Host": "a, desk.example:443",
            },
            "https://desk.example/history",
        ),
        ({"Host": "a b;reboot"}, "http://127.0.0.1:8080/history"),
        (
            {"Host": "desk.example", "X-Forwarded-Proto": "javascript"},
            "http://desk.example/history",
        ),
    ],
)
def test_the_hint_shows_the_address_that_was_called(receiver, headers, url):
    """Scheme, host and port as the caller sees them, told by a trusted proxy."""
    message = receiver.client.get("/history", headers=headers).get_json()["message"]
    assert message.endswith(f" {url}")
    if "X-Forwarded-Proto" in headers:
        stranger = {"REMOTE_ADDR": "203.0.113.7"}
        said = receiver.client.get("/history", headers=headers, environ_base=stranger).get_json()
        assert f"http://{headers['Host']}/history" in said["message"]


def test_the_gate_asks_nobody_without_secrets(start):
    """The open desk knows that it is one."""
    assert Gate(start("", {}).settings, lambda: 0.0).asks_nobody
    assert not Gate(start("", GUARDED).settings, lambda: 0.0).is_open


def test_every_name_of_a_credential_is_found_at_a_glance():
    """Whatever key a secret stands under, in JSON or text, a large body that has it is read."""
    for name in SECRETS:
        for key in (name, name.upper(), f"my_{name}", name.replace("_", "-")):
            if is_secret(key):
                assert SECRET in glance(big(**{key: SECRET})), key
                assert SECRET in glance(f"İ{key}={SECRET} x".encode()), key


def test_a_body_full_of_keys_is_not_looked_through():
    """The words that name a credential are counted, so that they cannot be used to keep us busy."""
    assert glance(b"secret: " * 3000) == []
    array = json.dumps([{**BUY, "secret": SECRET, "idempotency_key": f"k{n}"} for n in range(50)])
    assert glance(array.encode()) == [SECRET]
