"""Keep one access token: one login at a time, early enough, and none for an hour after a refusal.

Logins are rationed at the venues that use tokens, and a refused one repeated locks the account (rules 8.4).
What a login looks like, the venue brings. The token may be kept in the state by `remember`; what it was
bought with never is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from brokers.protocol import (
    KEYS_REFUSED,
    LOGIN_REFUSED,
    BrokerRefused,
    Uncertain,
    Unreachable,
)

SILENT_SECONDS = 3_600.0
"""After a refused login nobody logs in again for so long, or until a restart (rules 8.4)."""
EARLY_SECONDS = 60.0
"""How long before its end a token counts as used up, so that no order meets the end."""
RENEW_AGAIN_SECONDS = 60.0
"""How long after a renewal that failed the next one is tried; the token still holds meanwhile."""
PAUSES_SECONDS = (1.0, 5.0, 15.0, 60.0)
"""How long nobody logs in after the first, second, … login in a row that was sent and not answered."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Token:
    """What a venue gave for our credentials, and until when it holds."""

    value: str = field(repr=False)
    until_seconds: float
    """Seconds since 1970."""


def _forget(_token: Token) -> None:
    """Keep a token nowhere but in memory."""


class TokenKeeper:
    """The token of one account. Safe for several threads at once.

    `login` buys a new one and raises `BrokerRefused` where the venue does not accept the credentials;
    `renew`, where a venue has it, prolongs one that still holds; what that fails with is nobody's trouble
    while it does. `is_old` says that the end of the `known` one is a guess, so that it is renewed at once.
    """

    def __init__(
        self,
        login: Callable[[], Token],
        renew: Callable[[Token], Token] | None = None,
        *,
        known: Token | None = None,
        remember: Callable[[Token], None] = _forget,
        is_old: bool = False,
        early_seconds: float = EARLY_SECONDS,
        pauses_seconds: Sequence[float] = PAUSES_SECONDS,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._login = login
        self._renew = renew
        self._remember = remember
        self._early_seconds = early_seconds
        self._now = now
        self._lock = threading.Lock()
        self._token = known
        self._is_old = is_old
        self._pauses_seconds = pauses_seconds
        self._refused: BrokerRefused | None = None
        self._silent_until_seconds = self._renews_from_seconds = self._asks_from_seconds = now()
        self._lost = 0
        """How many logins in a row were not answered."""

    @property
    def refusal(self) -> BrokerRefused | None:
        """Why the venue does not let us in, while nobody logs in again; else None."""
        return self._refused if self._now() < self._silent_until_seconds else None

    def use(self, call: Callable[[str], T]) -> T:
        """Make a call with the token; after a 401 once more with a new one, under the same ids.

        A call that was refused for its token was not carried out, so this doubles nothing. Raises what the
        call raises, and `BrokerRefused` as `LOGIN_REFUSED` where there is no getting in.
        """
        token = self.get()
        try:
            return call(token.value)
        except BrokerRefused as no:
            if no.code != KEYS_REFUSED:
                raise
        return call(self._replace(token).value)

    def get(self) -> Token:
        """Return a token that holds for a while, buying one where there is none.

        Raises `BrokerRefused`, or `Unreachable` where the venue does not answer: no order has left then.
        """
        with self._lock:
            token = self._token
            left_seconds = token.until_seconds - self._now() if token is not None else 0
            if token is None or left_seconds <= 0:
                return self._buy()
            if left_seconds > self._early_seconds and not self._is_old:
                return token
            return self._prolong(token)

    def _prolong(self, old: Token) -> Token:
        """Return what a token that still holds is renewed to, or itself where that fails."""
        if self._now() < self._renews_from_seconds:
            return old
        self._renews_from_seconds = self._now() + RENEW_AGAIN_SECONDS
        if self._renew is not None:
            try:
                return self._keep(self._renew(old))
            except BrokerRefused as no:
                if no.code != KEYS_REFUSED:  # it was ended elsewhere, e.g. by a third session
                    return old
            except (Uncertain, Unreachable):
                return old
        try:
            return self._buy()
        except Unreachable:
            return old

    def _replace(self, used: Token) -> Token:
        """Return another token than one that the venue refused; another thread may have bought it."""
        with self._lock:
            if self._token is not None and self._token != used:
                return self._token
            return self._buy()

    def _buy(self) -> Token:
        """Log in. Raises `BrokerRefused`, and `Unreachable`: what is lost of a login is no order."""
        if (earlier := self.refusal) is not None:
            raise BrokerRefused(earlier.message, earlier.code)
        if (left_seconds := self._asks_from_seconds - self._now()) > 0:
            text = f"The login failed just now, and is tried again in {left_seconds:.0f} s."
            raise Unreachable(text)
        try:
            bought = self._login()
        except BrokerRefused as no:
            if no.code == LOGIN_REFUSED:
                self._refused = no
                self._silent_until_seconds = self._now() + SILENT_SECONDS
            self._asks_from_seconds = self._now() + (no.retry_after or 0.0)
            raise
        except Uncertain as lost:
            pause = self._pauses_seconds[min(self._lost, len(self._pauses_seconds) - 1)]
            self._lost += 1
            self._asks_from_seconds = self._now() + pause
            raise Unreachable(f"The venue did not answer the login: {lost}") from lost
        self._lost = 0
        return self._keep(bought)

    def _keep(self, token: Token) -> Token:
        self._token, self._is_old = token, False
        self._renews_from_seconds = self._now()
        self._remember(token)
        return token
