"""Call Tradovate as one user: one token, renewed in time, and penalties waited out.

Five logins an hour are allowed, and a third session ends the oldest: a token is renewed, never bought anew
while it lives (rules 8.4). A penalty ticket is the same request continued: the same body and the ticket.

Source: Tradovate Partner OpenAPI, `auth/accesstokenrequest`, `auth/renewaccesstoken`; its FAQ on limits.
"""

from __future__ import annotations

import platform
import threading
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any
from weakref import WeakValueDictionary

from brokers.protocol import (
    LOGIN_REFUSED,
    THROTTLED,
    BrokerRefused,
    Connection,
    Unreachable,
)
from brokers.tradovate.errors import (
    ACCESS_TOKEN,
    CID,
    PASSWORD,
    SECRET,
    TICKET,
    USERNAME,
    explain,
)
from brokers.wire.client import SEND_SECONDS, HttpResponse, Wire
from brokers.wire.deadline import Deadline
from brokers.wire.fields import require_number, require_text, unreadable, write_json
from brokers.wire.token import Token, TokenKeeper

LIVE_URL, DEMO_URL = "https://live.tradovateapi.com", "https://demo.tradovateapi.com"
EARLY_SECONDS = 900.0
"""How long before its end a token is renewed."""
LONGEST_PENALTY_SECONDS = 4.0
"""A longer one is not waited out in a call: what was not continued was certainly not carried out."""
LONGEST_LOGIN_PENALTY_SECONDS = 20.0
SILENT_SECONDS = 3_600.0
"""How long nothing is opened after a 429 or a captcha."""
LOGIN_SECONDS = 6.0
LOGIN_PAUSES_SECONDS = (15.0, 60.0, 600.0, 1_800.0)
"""Five logins an hour are allowed, those that fail among them, and not within 15 s of one another."""
SHORTEST_SECONDS = 4_800.0
"""The shortest life of a token that Tradovate names anywhere."""
VARIABLES = f"{USERNAME}, {PASSWORD}, {CID} and {SECRET}"


_shared: WeakValueDictionary[tuple[object, ...], TradovateCalls] = WeakValueDictionary()
_lock = threading.Lock()


def share_calls(
    url: str, connection: Connection, now_ms: Callable[[], int], sleep: Callable[[float], None]
) -> TradovateCalls:
    """Return the calls of a login, the same for all its accounts: a third session ends the first."""
    key = (url, *sorted(connection.credentials.items()), now_ms, sleep)
    with _lock:
        found = _shared.get(key)
        if found is None:
            found = TradovateCalls(url, connection, lambda: now_ms() / 1000, sleep)
            _shared[key] = found
        return found


class TradovateCalls:
    """The calls of one login. Raises `BrokerRefused`, `Unreachable` and `Uncertain`."""

    def __init__(
        self,
        url: str,
        connection: Connection,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._keys = connection.credentials
        self._now = now
        self._sleep = sleep
        self.wire = Wire(
            url, secrets=self._keys.values(), read_refusal=explain, on_reply=self._on_reply
        )
        given = self._keys.get(ACCESS_TOKEN)
        # Its end is not known: it is renewed at once, and never replaced by a login.
        known = Token(given, now() + SHORTEST_SECONDS) if given else None
        self._keeper = TokenKeeper(
            self._refuse_token if given else self._login,
            self._renew,
            known=known,
            is_old=True,
            early_seconds=EARLY_SECONDS,
            pauses_seconds=LOGIN_PAUSES_SECONDS,
            now=now,
        )
        self._opens_from = 0.0

    @property
    def refusal(self) -> BrokerRefused | None:
        """Why the login is refused, while nobody logs in again."""
        return self._keeper.refusal

    def open(self) -> None:
        """Connect and log in ahead of the first order. Raises as a call does."""
        self.wire.open()
        self._keeper.get()

    def read(self, target: str, deadline: Deadline) -> Any:
        """Ask for something; a penalty on a read is waited out by asking later."""

        def call(token: str) -> HttpResponse:
            left = deadline.left_seconds
            return self.wire.read(
                "GET", f"/v1{target}", headers=_bearer(token), deadline_seconds=left
            )

        data = self._keeper.use(call).data
        if isinstance(data, dict) and TICKET in data:
            raise Unreachable("Tradovate asks for a pause between requests.")
        return data

    def send(self, path: str, body: dict[str, Any], deadline: Deadline, *, is_urgent: bool) -> Any:
        """Change something, once, and return the answer.

        While the quota is used up only what reduces is sent. What would leave after its deadline is not.
        """
        left = self._opens_from - self._now()
        if not is_urgent and left > 0:
            text = f"Tradovate wants no new orders for another {left:.0f} s: its quota is used up."
            raise BrokerRefused(text, THROTTLED, retry_after=left)

        def call(token: str) -> Any:
            return self._post(
                path, body, _bearer(token), deadline, LONGEST_PENALTY_SECONDS, is_urgent=is_urgent
            )

        return self._keeper.use(call)

    def _post(
        self,
        path: str,
        body: dict[str, Any],
        headers: dict[str, str],
        deadline: Deadline,
        patience_seconds: float,
        *,
        is_urgent: bool,
    ) -> Any:
        """Make one request, continued with its ticket where Tradovate asks for that."""
        while True:
            sent = self.wire.send(
                "POST",
                f"/v1{path}",
                body=write_json(body),
                headers={**headers, "Content-Type": "application/json"},
                deadline_seconds=min(deadline.send_seconds, SEND_SECONDS),
                is_urgent=is_urgent,
            )
            if not isinstance(sent.data, dict) or TICKET not in sent.data:
                return sent.data
            ticket = require_text(sent.data, TICKET)
            seconds = _read_penalty(sent.data)
            if seconds > patience_seconds:
                text = f"Tradovate asks for a pause of {seconds:.0f} s; it did not carry this out."
                raise BrokerRefused(text, THROTTLED, retry_after=seconds)
            self._sleep(seconds)
            body = {**body, TICKET: ticket}

    def _login(self) -> Token:
        name, password, cid, secret = (
            self._keys.get(each, "") for each in (USERNAME, PASSWORD, CID, SECRET)
        )
        # One machine is one device: a new one each time would ask for a second factor each time.
        device = uuid.uuid5(uuid.NAMESPACE_DNS, f"{platform.node()}/{name}")
        body = {
            "name": name,
            "password": password,
            "appId": "tradingview-webhook-receiver",
            "appVersion": "1.0",
            "deviceId": str(device),
            "cid": cid,
            "sec": secret,
        }
        patience = LONGEST_LOGIN_PENALTY_SECONDS
        deadline = Deadline.after(LOGIN_SECONDS + 2 * patience)
        try:
            data = self._post(
                "/auth/accesstokenrequest", body, {}, deadline, patience, is_urgent=True
            )
        except BrokerRefused as no:
            if no.code == THROTTLED:
                raise
            text = f"Tradovate refuses the login: {no.message} Check {VARIABLES}."
            raise BrokerRefused(text, LOGIN_REFUSED) from None
        return self._read_token(data)

    def _renew(self, old: Token) -> Token:
        sent = self.wire.read("GET", "/v1/auth/renewaccesstoken", headers=_bearer(old.value))
        return self._read_token(sent.data)

    def _refuse_token(self) -> Token:
        text = (
            f"Tradovate does not take the token in {ACCESS_TOKEN} any more: put a new one into .env and "
            "restart."
        )
        raise BrokerRefused(text, LOGIN_REFUSED)

    def _read_token(self, data: Any) -> Token:
        value = require_text(data, "accessToken")
        self.wire.hide(value)
        try:
            end = datetime.fromisoformat(require_text(data, "expirationTime"))
        except ValueError:
            raise unreadable("expirationTime is no time") from None
        if end.tzinfo is None:
            raise unreadable("expirationTime has no zone")
        return Token(value, end.timestamp())

    def _on_reply(self, reply: HttpResponse) -> None:
        if reply.status == 429:
            self._opens_from = self._now() + SILENT_SECONDS


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _read_penalty(data: dict[str, Any]) -> float:
    """Return the seconds of a penalty. Raises `BrokerRefused` for a captcha, which no program solves."""
    if data.get("p-captcha"):
        text = (
            "Tradovate asks for a captcha: too many requests or logins. Log in on its page, and wait an "
            f"hour. Check {VARIABLES}."
        )
        raise BrokerRefused(text, LOGIN_REFUSED, retry_after=SILENT_SECONDS)
    return max(float(require_number(data, "p-time")), 0.0)
