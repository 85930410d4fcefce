"""Call ProjectX as one user: one token, renewed in time, and each answer judged by its `success`.

A new login leaves an old token valid, so a restart harms nobody; a refused one is not repeated (rules 8.4).

Source: ProjectX Gateway API, `Auth/loginKey`, `Auth/validate`; its rate limits.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from brokers.projectx.errors import API_KEY, LOGIN, READ, USERNAME, explain
from brokers.protocol import (
    KEYS_REFUSED,
    LOGIN_REFUSED,
    THROTTLED,
    BrokerRefused,
    Connection,
    Uncertain,
    Unreachable,
)
from brokers.wire.client import BANNED, SEND_SECONDS, HttpResponse, Wire
from brokers.wire.deadline import Deadline
from brokers.wire.errors import ErrorTable
from brokers.wire.fields import require, require_text, unreadable, write_json
from brokers.wire.token import Token, TokenKeeper

LIVE_URL = "https://api.topstepx.com"
LIFE_SECONDS, EARLY_SECONDS = 86_400.0, 7_200.0
"""A token holds for about a day, which no answer says exactly: it is renewed two hours before."""
LOGIN_SECONDS = 6.0
VARIABLES = f"{USERNAME} and {API_KEY}"
UNKNOWN_LOGIN = 8
MOST_WORDS = 300


class ProjectXCalls:
    """The calls of one login. Raises `BrokerRefused`, `Unreachable` and `Uncertain`."""

    def __init__(
        self, url: str, connection: Connection, now: Callable[[], float] = time.time
    ) -> None:
        keys = connection.credentials
        self._user, self._key = (keys.get(each, "").strip() for each in (USERNAME, API_KEY))
        self._hidden = [each for each in (self._user, self._key) if each]
        self._now = now
        self.wire = Wire(url, secrets=keys.values(), read_refusal=_read_token_refusal)
        self._keeper = TokenKeeper(self._login, self._renew, early_seconds=EARLY_SECONDS, now=now)

    def open(self) -> None:
        """Connect and log in ahead of the first order. Raises as a call does."""
        self.wire.open()
        self._keeper.get()

    def read(
        self, path: str, body: dict[str, Any], deadline: Deadline, max_bytes: int = 1_000_000
    ) -> Any:
        """Ask for something: ProjectX wants a POST for that too."""

        def call(token: str) -> Any:
            reply = self.wire.read(
                "POST",
                f"/api{path}",
                body=write_json(body),
                headers=_headers(token),
                deadline_seconds=deadline.left_seconds,
                max_bytes=max_bytes,
            )
            return self._judge(reply.data, READ)

        return self._keeper.use(call)

    def send(
        self,
        path: str,
        body: dict[str, Any],
        table: ErrorTable,
        deadline: Deadline,
        *,
        is_urgent: bool,
    ) -> Any:
        """Change something, once, and return the answer. What would leave after its deadline is not sent."""

        def call(token: str) -> Any:
            if deadline.is_over:
                raise Unreachable("It would have left too late, so it was not sent.")
            reply = self._post(path, body, _headers(token), deadline, is_urgent=is_urgent)
            return self._judge(reply.data, table)

        return self._keeper.use(call)

    def _post(
        self,
        path: str,
        body: dict[str, Any],
        headers: dict[str, str],
        deadline: Deadline,
        *,
        is_urgent: bool,
    ) -> HttpResponse:
        return self.wire.send(
            "POST",
            f"/api{path}",
            body=write_json(body),
            headers=headers,
            deadline_seconds=min(deadline.left_seconds, SEND_SECONDS),
            is_urgent=is_urgent,
        )

    def _judge(self, data: Any, table: ErrorTable) -> Any:
        """Return an answer that is a success. Raises what its refusal means, or `Uncertain`."""
        if require(data, "success", bool):
            if data.get("errorCode", 0) != 0 or isinstance(data.get("errorCode", 0), bool):
                raise unreadable("it is a success with an errorCode")
            return data
        raise explain(table, require(data, "errorCode", int), self._read_words(data))

    def _read_words(self, data: dict[str, Any]) -> str:
        """Return what ProjectX says, short, on one line and without what is secret."""
        words = data.get("errorMessage")
        if not isinstance(words, str):
            return ""
        for secret in self._hidden:
            words = words.replace(secret, "***")
        return "".join(c if c.isprintable() else " " for c in words)[:MOST_WORDS]

    # --- tokens --------------------------------------------------------------------------------------

    def _login(self) -> Token:
        body = {"userName": self._user, "apiKey": self._key}
        deadline = Deadline.after(LOGIN_SECONDS)
        try:
            data = self._post("/Auth/loginKey", body, _headers(), deadline, is_urgent=True).data
            if require(data, "success", bool):
                return self._read_token(data, "token")
            code = require(data, "errorCode", int)
        except BrokerRefused as no:
            if no.code in (THROTTLED, BANNED):
                raise
            raise _refuse_login(no.message) from None
        except Uncertain as lost:  # of a login nothing needs to be looked up
            raise Unreachable(f"ProjectX did not answer the login: {lost}") from lost
        words = self._read_words(data)
        if code == UNKNOWN_LOGIN:
            raise Unreachable(f"ProjectX could not log in: {words or 'unknown error'}")
        raise _refuse_login(LOGIN.get(code) or words or f"errorCode {code}")

    def _renew(self, old: Token) -> Token:
        """Prolong a token; where that is refused, log in: the old one may have ended meanwhile."""
        try:
            reply = self.wire.read(
                "POST", "/api/Auth/validate", body=b"", headers=_headers(old.value)
            )
            if require(reply.data, "success", bool):
                return self._read_token(reply.data, "newToken")
        except BrokerRefused as no:
            if no.code != KEYS_REFUSED:
                raise
        except Uncertain as odd:
            raise Unreachable(f"ProjectX did not renew the token: {odd}") from odd
        return self._login()

    def _read_token(self, data: Any, name: str) -> Token:
        value = require_text(data, name)
        if not (value.isascii() and value.isprintable()):
            raise unreadable(f"{name} is no token")
        self.wire.hide(value)
        self._hidden.append(value)
        return Token(value, self._now() + LIFE_SECONDS)


def _headers(token: str = "") -> dict[str, str]:
    """Return the headers of a call; a login has no token yet."""
    sent = {"Content-Type": "application/json", "Accept": "application/json"}
    return {**sent, "Authorization": f"Bearer {token}"} if token else sent


def _read_token_refusal(reply: HttpResponse) -> Exception | None:
    """Return the refusal of a token in words; None for the usual reading."""
    if reply.status == 401:
        return BrokerRefused("ProjectX does not take the token.", KEYS_REFUSED)
    return None


def _refuse_login(why: str) -> BrokerRefused:
    text = f"ProjectX refuses the login: {why.rstrip('.')}. Check {VARIABLES} in .env."
    return BrokerRefused(text, LOGIN_REFUSED)
