"""The gate: who may speak, what a guess costs, and that the right secret always gets through."""

from __future__ import annotations

import ast
import base64
import hashlib
import hmac
import inspect
import timeit
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.api import gate
from desk.api.gate import OLD_SECRET, TELL_AT_FAILURES, TRADINGVIEW, AuthResult, Gate
from desk.config.load import Settings, load
from desk.engine.rates import Rates
from tests.support.fakes import make_facts

GLOBAL = "correct-horse-battery-8"
OWN = "staple-of-the-trend-99"
TOKEN = "admin-token-for-nobody-7"
BODY = b'{"action": "buy", "symbol": "BTCUSDT", "quantity": 0.1}'


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Return a clock that stands still."""
    return Clock()


def settings(folder: Path, text: str = "", token: str = "") -> Settings:
    """Return the settings that `text` as config.yaml means."""
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    return load(folder / "config.yaml", {"ADMIN_TOKEN": token}, {"paper": make_facts()})


def secured(folder: Path, token: str = "") -> Settings:
    """Return settings with a global secret and one strategy with its own."""
    text = f"webhook: {{secret: {GLOBAL}}}\nstrategies: {{trend: {{secret: {OWN}}}, other: }}"
    return settings(folder, text, token)


def check(
    gate: Gate,
    *,
    url: Sequence[str] = (),
    signature: str | None = None,
    body: Sequence[str] = (),
    strategy: str | None = "trend",
) -> AuthResult:
    """Judge one alert's credentials."""
    return gate.check_credentials(BODY, url, signature, body, strategy)


def sign(secret: str, body: bytes = BODY) -> str:
    """Return the signature other senders put into X-Webhook-Signature."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


# --- addresses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("peer", "header", "client"),
    [
        ("198.51.100.9", None, "198.51.100.9"),
        ("198.51.100.9", "52.89.214.238", "198.51.100.9"),
        ("127.0.0.1", "52.89.214.238", "52.89.214.238"),
        ("127.0.0.1", "6.6.6.6, 52.89.214.238", "52.89.214.238"),
        ("127.0.0.1", "6.6.6.6,52.89.214.238, 10.1.2.3", "52.89.214.238"),
        ("127.0.0.1", "10.1.2.3, 127.0.0.1", "10.1.2.3"),
        ("::1", "2001:db8::7", "2001:db8::7"),
        ("::ffff:127.0.0.1", "::ffff:52.89.214.238", "52.89.214.238"),
        ("127.0.0.1", "52.89.214.238:51000", "52.89.214.238"),
        ("127.0.0.1", "[2001:db8::7]:51000", "2001:db8::7"),
        ("127.0.0.1", "unknown", "127.0.0.1"),
        ("127.0.0.1", "52.89.214.238, <script>", "127.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", ",", "127.0.0.1"),
        ("127.0.0.1", "٣.1.1.1", "127.0.0.1"),
        ("", "52.89.214.238", ""),
    ],
)
def test_a_forwarded_address_is_believed_only_from_a_trusted_proxy(
    tmp_path: Path, clock: Clock, peer: str, header: str | None, client: str
) -> None:
    """The right-most hop that is no proxy of ours called; what cannot be read leaves the peer."""
    text = 'webhook: {trusted_proxies: [127.0.0.1, "::1", 10.0.0.0/8]}'
    assert Gate(settings(tmp_path, text), clock).client_address(peer, header) == client


@pytest.mark.parametrize(
    ("allowed", "address", "may"),
    [
        ("[]", "203.0.113.9", True),
        ("[tradingview]", "52.32.178.7", True),
        ("[tradingview]", "::ffff:52.32.178.7", True),
        ("[tradingview]", "52.32.178.8", False),
        ("[tradingview, 203.0.113.0/24]", "203.0.113.9", True),
        ('["2001:db8::/32"]', "2001:db8::7", True),
        ('["2001:db8::/32"]', "203.0.113.9", False),
        ("[tradingview]", "", False),
        ("[tradingview]", "not an address", False),
    ],
)
def test_only_allowed_addresses_may_connect(
    tmp_path: Path, clock: Clock, allowed: str, address: str, may: bool
) -> None:
    """An empty list lets everybody in; else addresses, networks and TradingView by name."""
    guarded = Gate(settings(tmp_path, f"webhook: {{allowed_ips: {allowed}}}"), clock)
    assert guarded.may_connect(address) is may


def test_tradingview_has_four_addresses() -> None:
    """They are the ones TradingView publishes."""
    assert TRADINGVIEW == ("52.89.214.238", "34.212.75.30", "54.218.53.128", "52.32.178.7")


# --- credentials ---------------------------------------------------------------------------------


@pytest.mark.parametrize("secret", [GLOBAL, OWN])
def test_one_valid_credential_is_enough_wherever_it_stands(
    tmp_path: Path, clock: Clock, secret: str
) -> None:
    """URL, message and signature count the same, with the global secret and the strategy's own."""
    guarded = Gate(secured(tmp_path), clock)
    passed = AuthResult(allowed=True, is_authenticated=True)
    assert check(guarded, url=[secret]) == passed
    assert check(guarded, body=[secret]) == passed
    assert check(guarded, signature=sign(secret)) == passed
    assert check(guarded, signature="sha256=" + sign(secret).upper()) == passed
    assert check(guarded, signature=" SHA256=" + sign(secret) + " ") == passed


def test_a_strategys_own_secret_speaks_for_it_alone(tmp_path: Path, clock: Clock) -> None:
    """The global secret opens every strategy, the own one only its own."""
    guarded = Gate(secured(tmp_path), clock)
    for strategy in ("other", "Trend", "unheard of", None):
        assert not check(guarded, body=[OWN], strategy=strategy).allowed
        assert not check(guarded, signature=sign(OWN), strategy=strategy).allowed
        assert check(guarded, body=[GLOBAL], strategy=strategy).allowed


def test_an_alert_without_a_strategy_is_the_strategy_default(tmp_path: Path, clock: Clock) -> None:
    """The own secret of `default` counts for alerts that name no strategy."""
    guarded = Gate(settings(tmp_path, f"strategies: {{default: {{secret: {OWN}}}}}"), clock)
    assert check(guarded, body=[OWN], strategy=None).is_authenticated
    assert not check(guarded, strategy=None).allowed


@pytest.mark.parametrize(
    "wrong",
    ["", " ", "x", GLOBAL.upper(), GLOBAL + " ", GLOBAL[:-1], "é", "\ud800", "\0", "a" * 100_000],
)
def test_every_wrong_credential_gets_the_same_answer(
    tmp_path: Path, clock: Clock, wrong: str
) -> None:
    """Missing, empty, nearly right and unencodable are one refusal."""
    guarded = Gate(secured(tmp_path), clock)
    refused = AuthResult(allowed=False, is_authenticated=False)
    assert check(guarded) == refused
    assert check(guarded, url=[wrong], body=[wrong], signature=wrong) == refused
    assert check(guarded, signature="sha256=" + wrong) == refused


def test_a_signature_covers_the_body(tmp_path: Path, clock: Clock) -> None:
    """A signature of another body, or with another secret, is worth nothing."""
    guarded = Gate(secured(tmp_path), clock)
    assert not check(guarded, signature=sign(GLOBAL, BODY + b" ")).allowed
    assert not check(guarded, signature=sign("another secret")).allowed
    assert not check(guarded, signature="sha256=").allowed


def test_the_published_signature_is_verified(tmp_path: Path, clock: Clock) -> None:
    """A vector made with openssl: echo -n hello | openssl dgst -sha256 -hmac <secret>."""
    guarded = Gate(settings(tmp_path, "webhook: {secret: it-is-a-vector-1234}"), clock)
    vector = "460fce4db3eff61acd34f8d952a2bbc325ab26d88c3aa6f58c8d445c872ab213"
    assert guarded.check_credentials(b"hello", [], vector, [], None).is_authenticated


@pytest.mark.parametrize(
    ("url", "signature", "body", "place"),
    [
        ([GLOBAL], None, ["another system's"], "the message"),
        (["stale"], None, [GLOBAL], "the URL"),
        ([GLOBAL], "sha256=00", [], "the signature"),
        ([], sign(GLOBAL), ["x"], "the message"),
    ],
)
def test_a_wrong_second_credential_is_a_warning(
    tmp_path: Path, clock: Clock, url: list[str], signature: str | None, body: list[str], place: str
) -> None:
    """The alert passes, and the user learns which credential to look at, but not what it was."""
    verdict = check(Gate(secured(tmp_path), clock), url=url, signature=signature, body=body)
    assert verdict.is_authenticated
    assert verdict.warning is not None
    assert place in verdict.warning
    assert not any(text in verdict.warning for text in [*url, *body])


def test_a_list_of_guesses_is_no_credential(tmp_path: Path, clock: Clock) -> None:
    """One request carries at most a few guesses, even when the right one is among them."""
    guesses = [*(f"guess {number}" for number in range(500)), GLOBAL]
    assert not check(Gate(secured(tmp_path), clock), body=guesses).allowed


def test_while_the_secret_is_changed_both_are_taken_and_the_old_one_is_told(
    tmp_path: Path, clock: Clock
) -> None:
    """In the message, in the URL and as signature; a third is refused."""
    old = "the-secret-of-last-year-8"
    gate = Gate(settings(tmp_path, f"webhook: {{secret: {GLOBAL}, old_secret: {old}}}"), clock)
    for secret, warning in ((GLOBAL, None), (old, OLD_SECRET)):
        for found in (
            gate.check_credentials(BODY, (), None, (secret,), None),
            gate.check_credentials(BODY, (secret,), None, (), "swing"),
            gate.check_credentials(BODY, (), sign(secret), (), None),
        ):
            assert (found.allowed, found.is_authenticated, found.warning) == (True, True, warning)
    assert not gate.check_credentials(BODY, (), None, ("neither-of-the-two-1",), None).allowed


def test_without_a_secret_everybody_may_speak_and_nobody_is_authenticated(
    tmp_path: Path, clock: Clock
) -> None:
    """Development: alerts pass, and still count as unauthenticated."""
    guarded = Gate(settings(tmp_path), clock)
    open_door = AuthResult(allowed=True, is_authenticated=False)
    assert check(guarded) == check(guarded, body=["anything"]) == open_door


def test_a_strategy_with_its_own_secret_is_closed_even_in_development(
    tmp_path: Path, clock: Clock
) -> None:
    """Where only a strategy has a secret, it is asked for there and nowhere else."""
    guarded = Gate(settings(tmp_path, f"strategies: {{trend: {{secret: {OWN}}}}}"), clock)
    assert not check(guarded, strategy="trend").allowed
    assert check(guarded, strategy="trend", body=[OWN]).is_authenticated
    assert check(guarded, strategy="other").allowed


def test_secrets_are_compared_in_constant_time(tmp_path: Path, clock: Clock) -> None:
    """Every comparison is `hmac.compare_digest` on two digests of 32 bytes, for every key."""
    compared: list[tuple[int, int]] = []

    def spy(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return hmac.compare_digest(one, other)

    guarded = Gate(secured(tmp_path, TOKEN), clock, spy)
    check(guarded, url=["short"], body=[GLOBAL], signature=sign(OWN))
    guarded.is_admin(f"Bearer {TOKEN}")
    assert compared == [(32, 32)] * 7
    assert inspect.signature(Gate).parameters["compare"].default is hmac.compare_digest


def test_no_secret_is_compared_with_equals() -> None:
    """The gate's source compares no secret, digest or token with == or in."""
    tree = ast.parse(inspect.getsource(gate))
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            names = {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)}
            assert not names & {"digest", "secret", "sha256", "hexdigest"}, ast.unparse(node)


def test_the_gate_shows_no_secret(tmp_path: Path, clock: Clock) -> None:
    """Neither the gate nor what it is made of prints one."""
    guarded = Gate(secured(tmp_path), clock)
    assert GLOBAL not in repr(vars(guarded))
    assert OWN not in repr(vars(guarded))


# --- rates ---------------------------------------------------------------------------------------


def test_ten_alerts_a_minute_without_authentication(tmp_path: Path, clock: Clock) -> None:
    """The eleventh in any 60 seconds waits, and the answer says how long."""
    guarded = Gate(settings(tmp_path), clock)
    for _ in range(10):
        assert guarded.count_unauthenticated("203.0.113.9") is None
        clock.now += 1
    assert guarded.count_unauthenticated("203.0.113.9") == 50
    assert guarded.count_unauthenticated("203.0.113.10") is None
    clock.now += 49.5
    assert guarded.count_unauthenticated("203.0.113.9") == 1
    clock.now += 0.6
    assert guarded.count_unauthenticated("203.0.113.9") is None
    assert guarded.count_unauthenticated("203.0.113.9") is not None


def test_the_rate_is_configurable_and_guessing_is_not(tmp_path: Path, clock: Clock) -> None:
    """With a generous rate an address still gets ten guesses a minute."""
    guarded = Gate(settings(tmp_path, "webhook: {rate_limit: 1000/minute}"), clock)
    assert [guarded.count_unauthenticated("203.0.113.9") for _ in range(100)] == [None] * 100
    waits = [guarded.count_unauthenticated("203.0.113.9", failed=True) for _ in range(11)]
    assert waits == [None] * 10 + [60]


def test_guesses_never_lock_out_the_right_secret(tmp_path: Path, clock: Clock) -> None:
    """After any number of failures from an address, the right secret from it passes at once."""
    guarded = Gate(secured(tmp_path), clock)
    for number in range(1000):
        assert not check(guarded, body=[f"guess {number}"]).allowed
        guarded.count_unauthenticated("203.0.113.9", failed=True)
    assert check(guarded, body=[GLOBAL]).is_authenticated


def test_fifty_failures_are_told_once_an_hour(tmp_path: Path, clock: Clock) -> None:
    """Guessing that goes on reaches the user once, not with every guess."""
    guarded = Gate(secured(tmp_path), clock)
    told = []
    for number in range(1, 121):
        guarded.count_unauthenticated("203.0.113.9", failed=True)
        assert guarded.failures("203.0.113.9") == min(number, TELL_AT_FAILURES)
        if guarded.must_tell("203.0.113.9"):
            told.append(number)
    assert told == [50]
    assert guarded.failures("203.0.113.10") == 0
    clock.now += 3601
    assert guarded.failures("203.0.113.9") == 0
    assert not guarded.must_tell("203.0.113.9")


def test_a_network_of_addresses_is_one_caller(tmp_path: Path, clock: Clock) -> None:
    """An IPv6 caller owns a whole /64; an IPv4 address in IPv6 clothes is itself."""
    guarded = Gate(settings(tmp_path), clock)
    waits = [guarded.count_unauthenticated(f"2001:db8::{number:x}") for number in range(11)]
    assert waits[:10] == [None] * 10
    assert waits[10] == 60
    assert guarded.count_unauthenticated("2001:db8:0:1::1") is None
    for _ in range(10):
        guarded.count_unauthenticated("::ffff:203.0.113.9")
    assert guarded.count_unauthenticated("203.0.113.9") == 60


def test_openings_are_counted_per_strategy_and_symbol(clock: Clock) -> None:
    """Asking costs nothing; the eleventh opening of one symbol waits, other symbols do not."""
    rates = Rates("10/minute", clock)
    for _ in range(10):
        assert rates.may_open("trend", "BTCUSDT") is None
        assert rates.may_open("trend", "BTCUSDT") is None
        rates.count_opening("trend", "BTCUSDT")
        clock.now += 2
    assert rates.may_open("trend", "BTCUSDT") == 40
    assert rates.may_open("trend", "ETHUSDT") is None
    assert rates.may_open("other", "BTCUSDT") is None
    clock.now += 40.1
    assert rates.may_open("trend", "BTCUSDT") is None


@given(st.lists(st.floats(0, 30), min_size=1, max_size=60))
def test_no_window_of_a_minute_holds_more_than_ten(pauses: list[float]) -> None:
    """Whatever the rhythm, any 60 seconds hold at most ten, and a promised wait is long enough."""
    clock, passed = Clock(), []
    rates = Rates("10/minute", clock)
    for pause in pauses:
        clock.now += pause
        wait = rates.count("key")
        if wait is None:
            passed.append(clock.now)
        else:
            assert 1 <= wait <= 60
            now, clock.now = clock.now, clock.now + wait + 0.001
            assert rates.may_open("never", "asked") is None
            clock.now = now
    for start in passed:
        assert sum(start <= moment <= start + 60 for moment in passed) <= 10


def test_silent_callers_are_forgotten(tmp_path: Path, clock: Clock) -> None:
    """A hundred thousand addresses that came once do not stay in memory."""
    rates = Rates("10/minute", clock)
    for number in range(100_000):
        rates.count(f"caller {number}")
        clock.now += 1
    assert len(rates._limiter.storage._hits) < 10_000  # type: ignore[attr-defined]


# --- the controls --------------------------------------------------------------------------------


def basic(user: str, password: str) -> str:
    """Return the header a browser sends after its log-in window."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("header", "may"),
    [
        (f"Bearer {TOKEN}", True),
        (f"bearer  {TOKEN} ", True),
        (basic("anyone", TOKEN), True),
        (basic("", TOKEN), True),
        (basic(TOKEN, ""), False),
        (basic("admin", "wrong"), False),
        (TOKEN, False),
        ("Bearer", False),
        ("Bearer ", False),
        ("Bearer \ud800", False),
        ("Basic !!!", False),
        ("Basic é", False),
        ("Basic " + base64.b64encode(TOKEN.encode()).decode(), False),
        (f"Digest {TOKEN}", False),
        ("", False),
        (None, False),
    ],
)
def test_the_admin_token_is_a_bearer_or_a_password(
    tmp_path: Path, clock: Clock, header: str | None, may: bool
) -> None:
    """Programs send it as Bearer, browsers as the password of HTTP Basic; nothing else counts."""
    assert Gate(settings(tmp_path, token=TOKEN), clock).is_admin(header) is may


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", basic("", ""), "Bearer None"])
def test_without_a_token_nobody_is_admin(tmp_path: Path, clock: Clock, header: str | None) -> None:
    """An empty token is a closed door, not an open one."""
    assert not Gate(settings(tmp_path), clock).is_admin(header)


@pytest.mark.parametrize(
    ("peer", "headers", "may"),
    [
        ("127.0.0.1", ["Host", "User-Agent", "Accept"], True),
        ("::1", [], True),
        ("::ffff:127.0.0.1", [], True),
        ("192.168.1.5", [], False),
        ("", [], False),
        ("127.0.0.1", ["X-Forwarded-For"], False),
        ("127.0.0.1", ["x-forwarded-proto"], False),
        ("127.0.0.1", ["Forwarded"], False),
        ("127.0.0.1", ["Via"], False),
        ("127.0.0.1", ["X-Real-IP"], False),
        ("127.0.0.1", ["Cf-Connecting-Ip"], False),
    ],
)
def test_reading_is_open_to_this_machine_in_development(
    tmp_path: Path, clock: Clock, peer: str, headers: list[str], may: bool
) -> None:
    """Only a request straight from here: a proxy on this machine speaks for strangers."""
    assert Gate(settings(tmp_path), clock).is_local_reader(peer, headers) is may


def test_reading_is_closed_once_a_secret_is_set(tmp_path: Path, clock: Clock) -> None:
    """A secret ends development: then reading takes the token, from this machine too."""
    assert not Gate(secured(tmp_path), clock).is_local_reader("127.0.0.1", [])
    text = f"strategies: {{trend: {{secret: {OWN}}}}}"
    assert not Gate(settings(tmp_path, text), clock).is_local_reader("127.0.0.1", [])


def test_the_gate_is_cheap(tmp_path: Path, clock: Clock) -> None:
    """All questions of one alert together take far less than the Flask round trip of 190 us."""
    guarded, rates = Gate(secured(tmp_path), clock), Rates("1000000/minute", clock)

    def one_alert() -> None:
        guarded.may_connect(guarded.client_address("127.0.0.1", "52.89.214.238"))
        check(guarded, body=[GLOBAL])
        rates.may_open("trend", "BTCUSDT")
        rates.count_opening("trend", "BTCUSDT")

    assert min(timeit.repeat(one_alert, number=500, repeat=5)) / 500 < 100e-6
