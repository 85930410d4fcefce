"""One login at a time, early enough, and none for an hour after a refusal (rules 8.4)."""

from __future__ import annotations

import threading

import pytest

from brokers.protocol import (
    KEYS_REFUSED,
    LOGIN_REFUSED,
    THROTTLED,
    BrokerRefused,
    Uncertain,
    Unreachable,
)
from brokers.wire.token import (
    EARLY_SECONDS,
    RENEW_AGAIN_SECONDS,
    SILENT_SECONDS,
    Token,
    TokenKeeper,
)


class Door:
    """A venue that lets in, and counts how often it was asked."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.logins = self.renewals = 0
        self.refusal: Exception | None = None
        self.no_renewal: Exception | None = None
        self.remembered: list[Token] = []

    def login(self) -> Token:
        self.logins += 1
        if self.refusal:
            raise self.refusal
        return Token(f"token-{self.logins}", self.now + 3_600)

    def renew(self, old: Token) -> Token:
        self.renewals += 1
        if self.no_renewal:
            raise self.no_renewal
        return Token(f"{old.value}-again", self.now + 3_600)

    def keeper(self, **more) -> TokenKeeper:
        return TokenKeeper(
            self.login, now=lambda: self.now, remember=self.remembered.append, **more
        )


@pytest.fixture
def door() -> Door:
    """Give a venue that lets in."""
    return Door()


def test_a_burst_of_calls_logs_in_once(door):
    """Sixteen threads that come at the same time share one login."""
    keeper, seen = door.keeper(), []
    threads = [
        threading.Thread(target=lambda: seen.append(keeper.use(lambda token: token)))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert seen == ["token-1"] * 16
    assert door.logins == 1
    assert [token.value for token in door.remembered] == ["token-1"]


def test_a_token_is_bought_before_its_end(door):
    """No order meets the end: a minute before it the token counts as used up."""
    keeper = door.keeper()
    keeper.get()
    door.now += 3_600 - EARLY_SECONDS - 1
    assert keeper.get().value == "token-1"
    door.now += 2
    assert keeper.get().value == "token-2"


def test_a_token_that_still_holds_is_renewed_where_the_venue_can(door):
    """A renewal costs no login; after the end only a login helps."""
    keeper = door.keeper(renew=door.renew)
    keeper.get()
    door.now += 3_590
    assert keeper.get().value == "token-1-again"
    door.now += 4_000
    assert keeper.get().value == "token-2"
    assert (door.logins, door.renewals) == (2, 1)


def test_a_known_token_spares_the_login_after_a_restart(door):
    """What the state kept is used until its end."""
    keeper = door.keeper(known=Token("kept", door.now + 1_000))
    assert keeper.use(lambda token: token) == "kept"
    assert door.logins == 0


def test_a_refused_token_is_replaced_once_and_the_call_made_once_more(door):
    """A 401 proves that nothing was carried out: the same call leaves again, once."""
    keeper, calls = door.keeper(), []

    def call(token: str) -> str:
        calls.append(token)
        if token == "token-1":
            raise BrokerRefused("unauthorized", KEYS_REFUSED)
        return "done"

    assert keeper.use(call) == "done"
    assert calls == ["token-1", "token-2"]
    with pytest.raises(BrokerRefused):
        keeper.use(lambda _: (_ for _ in ()).throw(BrokerRefused("unauthorized", KEYS_REFUSED)))
    assert door.logins == 3


def test_a_call_that_failed_otherwise_is_never_made_again(door):
    """Whatever is not a refusal of the token may have been carried out."""
    keeper, calls = door.keeper(), []

    def call(token: str) -> str:
        calls.append(token)
        raise Uncertain("the answer was lost")

    with pytest.raises(Uncertain):
        keeper.use(call)
    assert len(calls) == 1


def test_after_a_refused_login_nobody_logs_in_for_an_hour(door):
    """Asking again and again locks an account: everybody hears the first refusal until then."""
    keeper = door.keeper()
    door.refusal = BrokerRefused("Check EXAMPLE_PASSWORD.", LOGIN_REFUSED)
    for _ in range(5):
        with pytest.raises(BrokerRefused, match="EXAMPLE_PASSWORD") as no:
            keeper.get()
        assert no.value.code == LOGIN_REFUSED
    assert door.logins == 1
    assert keeper.refusal is door.refusal
    door.now += SILENT_SECONDS + 1
    door.refusal = None
    assert keeper.get().value == "token-2"
    assert keeper.refusal is None


def test_a_login_that_was_lost_is_tried_again_after_a_pause(door):
    """A lost login may count against the few an hour allows: polls must not use them up in seconds."""
    keeper = door.keeper(pauses_seconds=(15.0, 60.0))
    door.refusal = Uncertain("no answer")
    for at in range(0, 14, 2):
        with pytest.raises(Unreachable):
            keeper.get()
        door.now += 2
        assert door.logins == 1, at
    door.now += 2
    with pytest.raises(Unreachable):
        keeper.get()
    assert door.logins == 2
    door.now += 59
    with pytest.raises(Unreachable):
        keeper.get()
    assert door.logins == 2
    door.refusal = None
    door.now += 2
    assert keeper.get().value == "token-3"


def test_an_order_whose_login_was_lost_has_not_left(door):
    """No order stands behind a login without an answer: it is no doubt, and an exit is not held up by it."""
    keeper, calls = door.keeper(), []
    door.refusal = Uncertain("no answer")
    with pytest.raises(Unreachable):
        keeper.use(calls.append)
    assert not calls


def test_a_throttled_login_is_not_asked_for_before_its_pause_is_over(door):
    """Asking on makes a captcha of it."""
    keeper = door.keeper()
    door.refusal = BrokerRefused("wait", THROTTLED, retry_after=90.0)
    with pytest.raises(BrokerRefused):
        keeper.get()
    door.now += 80
    with pytest.raises(Unreachable):
        keeper.get()
    assert door.logins == 1
    door.refusal, door.now = None, door.now + 11
    assert keeper.get().value == "token-2"


@pytest.mark.parametrize(
    "fault",
    [Uncertain("no token in it"), Unreachable("no answer"), BrokerRefused("wait", THROTTLED)],
)
def test_a_renewal_that_fails_stops_no_exit_while_the_token_holds(door, fault):
    """It is renewed long before its end: until then it is good, and renewals are not asked for in a row."""
    keeper = door.keeper(renew=door.renew, early_seconds=900)
    keeper.get()
    door.now += 3_600 - 800
    door.no_renewal = fault
    for _ in range(5):
        assert keeper.use(lambda token: token) == "token-1"
    assert door.renewals == 1
    door.no_renewal = None
    door.now += RENEW_AGAIN_SECONDS + 1
    assert keeper.get().value == "token-1-again"
    assert door.logins == 1


def test_a_session_that_was_ended_elsewhere_is_replaced_by_a_login(door):
    """A refused renewal is not the keys: the account would be halted for it, and its exits refused."""
    keeper = door.keeper(renew=door.renew, early_seconds=900)
    keeper.get()
    door.now += 3_600 - 800
    door.no_renewal = BrokerRefused("unauthorized", KEYS_REFUSED)
    assert keeper.use(lambda token: token) == "token-2"


def test_a_token_of_unknown_end_is_renewed_at_once_and_used_until_it_is_refused(door):
    """The venue may be down when we start: that says nothing about the token."""
    keeper = door.keeper(
        renew=door.renew, known=Token("given", door.now + 4_800), is_old=True, early_seconds=900
    )
    door.no_renewal = Unreachable("no answer")
    assert keeper.get().value == "given"
    door.now += 1_800
    assert keeper.get().value == "given"
    door.no_renewal = None
    door.now += RENEW_AGAIN_SECONDS + 1
    assert keeper.get().value == "given-again"
    assert (door.logins, door.renewals) == (0, 3)


def test_a_token_is_never_shown():
    """It opens the account: no text of it has it."""
    assert "hush" not in repr(Token("hush", 1.0))
