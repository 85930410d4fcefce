"""Keep one access token: one login at a time, early enough, and none for an hour after a refusal.

Logins are rationed at the venues that use tokens, and a refused one repeated locks the account (rules 8.4).
What a login looks like, the venue brings. The token may be kept in the state by `remember`; what it was
bought with never is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from brokers.protocol import KEYS_REFUSED, LOGIN_REFUSED, BrokerRefused

SILENT_SECONDS = 3_600.0
"""After a refused login nobody logs in again for so long, or until a restart (rules 8.4)."""
EARLY_SECONDS = 60.0
"""How long before its end a token counts as used up, so that no order meets the end."""
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
    `renew`, where a venue has it, prolongs one that still holds.
    """

    def __init__(
        self,
        login: Callable[[], Token],
        renew: Callable[[Token], Token] | None = None,
        *,
        known: Token | None = None,
        remember: Callable[[Token], None] = _forget,
        early_seconds: float = EARLY_SECONDS,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._login = login
        self._renew = renew
        self._remember = remember
        self._early_seconds = early_seconds
        self._now = now
        self._lock = threading.Lock()
        self._token = known
        self._refused: BrokerRefused | None = None
        self._silent_until_seconds = now()

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
        """Return a token that holds for a while, buying one where there is none."""
        with self._lock:
            token = self._token
            left_seconds = token.until_seconds - self._now() if token is not None else 0
            if token is not None and left_seconds > self._early_seconds:
                return token
            return self._buy(token if left_seconds > 0 else None)

    def _replace(self, used: Token) -> Token:
        """Return another token than one that the venue refused; another thread may have bought it."""
        with self._lock:
            if self._token is not None and self._token != used:
                return self._token
            return self._buy(None)

    def _buy(self, old: Token | None) -> Token:
        if (earlier := self.refusal) is not None:
            raise BrokerRefused(earlier.message, earlier.code)
        try:
            bought = self._renew(old) if old is not None and self._renew else self._login()
        except BrokerRefused as no:
            if no.code == LOGIN_REFUSED:
                self._refused = no
                self._silent_until_seconds = self._now() + SILENT_SECONDS
            raise
        self._token = bought
        self._remember(bought)
        return bought
