"""Call Tastytrade for one account: a token of fifteen minutes, bought with a grant that does not end.

A refused grant is not tried again for an hour: too many failures lock this address out for eight.

Source: developer.tastytrade.com, "OAuth2", "Rate limits", "Release notes" (User-Agent, Accept-Version).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from brokers.protocol import (
    KEYS_REFUSED,
    LOGIN_REFUSED,
    THROTTLED,
    BrokerRefused,
    Connection,
    Uncertain,
)
from brokers.tastytrade.errors import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, explain
from brokers.wire.client import SEND_SECONDS, HttpResponse, Wire
from brokers.wire.deadline import Deadline
from brokers.wire.fields import require_number, require_text, write_json
from brokers.wire.token import Token, TokenKeeper

LIVE_URL, SANDBOX_URL = "https://api.tastyworks.com", "https://api.cert.tastyworks.com"
EARLY_SECONDS = 120.0
HEADERS = {
    # Without a product and a version it answers 401.
    "User-Agent": "tradingview-webhook-receiver/1.0",
    "Accept": "application/json",
}


class TastytradeCalls:
    """The calls of one grant. Raises `BrokerRefused`, `Unreachable` and `Uncertain`."""

    def __init__(
        self, url: str, connection: Connection, now: Callable[[], float] = time.time
    ) -> None:
        self._keys = connection.credentials
        self._now = now
        self.wire = Wire(url, secrets=self._keys.values(), read_refusal=explain)
        self._keeper = TokenKeeper(self._log_in, early_seconds=EARLY_SECONDS, now=now)

    def open(self) -> None:
        """Connect and buy a token ahead of the first order. Raises as a call does."""
        self.wire.open()
        self._keeper.get()

    def read(self, target: str, deadline: Deadline) -> Any:
        """Ask for something and return what the envelope holds."""

        def call(token: str) -> HttpResponse:
            left = deadline.left_seconds
            return self.wire.read("GET", target, headers=_bearer(token), deadline_seconds=left)

        return _open_envelope(self._keeper.use(call).data)

    def send(
        self, method: str, target: str, body: Any, deadline: Deadline, *, is_urgent: bool
    ) -> Any:
        """Change something, once, and return what the envelope holds."""

        def call(token: str) -> HttpResponse:
            headers = _bearer(token)
            if body is not None:
                headers["Content-Type"] = "application/json"
            return self.wire.send(
                method,
                target,
                body=None if body is None else write_json(body),
                headers=headers,
                deadline_seconds=min(deadline.send_seconds, SEND_SECONDS),
                is_urgent=is_urgent,
            )

        return _open_envelope(self._keeper.use(call).data)

    def _log_in(self) -> Token:
        body = {
            "grant_type": "refresh_token",
            "refresh_token": self._keys.get(REFRESH_TOKEN, ""),
            "client_secret": self._keys.get(CLIENT_SECRET, ""),
        }
        if client_id := self._keys.get(CLIENT_ID):
            body["client_id"] = client_id
        headers = {**HEADERS, "Content-Type": "application/json"}
        try:
            data = self.wire.send(
                "POST", "/oauth/token", body=write_json(body), headers=headers, is_urgent=True
            ).data
            token = require_text(data, "access_token")
            seconds = float(require_number(data, "expires_in"))
        except BrokerRefused as no:
            if no.code == THROTTLED:
                raise
            why = "" if no.code == KEYS_REFUSED else f" {no.message}"
            text = (
                f"Tastytrade refuses the grant.{why} Check {CLIENT_SECRET} and {REFRESH_TOKEN}: the sandbox "
                "has applications and grants of its own."
            )
            raise BrokerRefused(text, LOGIN_REFUSED) from None
        self.wire.hide(token)
        return Token(token, self._now() + seconds)


def _bearer(token: str) -> dict[str, str]:
    return {**HEADERS, "Authorization": f"Bearer {token}"}


def _open_envelope(data: Any) -> Any:
    """Return what stands under `data`. Raises `Uncertain` where there is no envelope."""
    if not isinstance(data, dict) or "data" not in data:
        raise Uncertain("Tastytrade's answer cannot be read: it has no data")
    return data["data"]
