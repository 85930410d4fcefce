"""Sign calls to Bybit, and heed the limits that each of its endpoints has.

The bytes that are signed are the bytes that leave. Bybit limits each endpoint by itself: one that takes no
more is left alone until the moment it names, and the account opens nothing meanwhile; an exit goes on by the
others. What a call means, and what comes back, is not known here.

Source: "Authentication", "Rate Limit" and "Demo Trading" of the Bybit v5 documentation.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from brokers.bybit.errors import KEY, LIMITED, SECRET, explain, read_error
from brokers.protocol import KEYS_REFUSED, THROTTLED, BrokerRefused, Connection, Unreachable
from brokers.wire.client import HttpResponse, Wire
from brokers.wire.deadline import Deadline
from brokers.wire.fields import require
from brokers.wire.signed import AskTime, SignedCall, SignedCalls

RECEIVE_WINDOW_MS = 5_000
"""A call that was under way for longer is refused by the venue, so that a late order never trades."""
_ENDPOINT = "BYBIT_ENDPOINT"
"""Between the wire and here: one endpoint is throttled, which is no reason to be silent everywhere."""
LEAST_PAUSE_SECONDS, DEFAULT_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 1.0, 60.0
Payload = Mapping[str, Any]


class BybitCalls(SignedCalls):
    """The signed calls of one account. Raises `BrokerRefused`, `Unreachable` and `Uncertain`."""

    def __init__(
        self, url: str, connection: Connection, ask_time: AskTime, now_ms: Callable[[], int]
    ) -> None:
        key, secret = (connection.credentials.get(each, "").strip() for each in (KEY, SECRET))
        wire = Wire(url, secrets=(key, secret), read_refusal=self._explain)
        super().__init__(wire, _signer(key, secret), ask_time, now_ms)
        self._has_answered = False
        self._paused_until: dict[str, int] = {}
        self._reads: dict[str, tuple[int, int, int]] = {}

    @property
    def rest_seconds(self) -> float:
        """How long a read should wait so that half of what each endpoint allows is left to orders."""
        waits = [
            until - self.now
            for limit, left, until in tuple(self._reads.values())
            if left * 2 < limit
        ]
        return min(max([0, *waits]) / 1000, DEFAULT_PAUSE_SECONDS)

    def read(
        self,
        path: str,
        payload: Any,
        deadline: Deadline,
        method: str = "GET",
        *,
        is_urgent: bool = False,
    ) -> Any:
        """Ask for something and return the `result` of the answer. Raises as `Wire.read`."""
        if wait := self._left_seconds(path):
            raise Unreachable(f"Bybit wants no such requests for another {wait:.1f} s")
        data = super().read(path, payload, deadline, method, is_urgent=is_urgent)
        return require(data, "result", dict)

    def send(
        self,
        method: str,
        path: str,
        payload: Any,
        deadline: Deadline,
        *,
        is_urgent: bool,
        on_stamp: Callable[[int], None] = lambda _: None,
    ) -> Any:
        """Change something, once, and return the `result` of the answer. Raises as `Wire.send`."""
        paths = (path,) if is_urgent else (path, *self._paused_until)
        if wait := max(self._left_seconds(each) for each in paths):
            text = f"Bybit wants no such requests for another {wait:.1f} s."
            raise BrokerRefused(text, THROTTLED, retry_after=wait)
        data = super().send(method, path, payload, deadline, is_urgent=is_urgent, on_stamp=on_stamp)
        return require(data, "result", dict)

    def _call(
        self,
        method: str,
        path: str,
        payload: Any,
        call: Callable[[SignedCall], HttpResponse],
        on_stamp: Callable[[int], None] = lambda _: None,
    ) -> HttpResponse:
        try:
            reply = super()._call(method, path, payload, call, on_stamp)
        except BrokerRefused as no:
            if no.code != _ENDPOINT:
                raise
            wait = min(no.retry_after or DEFAULT_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
            self._paused_until[path] = self._now() + int(wait * 1000)
            raise BrokerRefused(no.message, THROTTLED, retry_after=wait) from no
        if method == "GET" and (told := _read_limit(reply.headers)):
            self._reads[path] = told
        return reply

    def _left_seconds(self, path: str) -> float:
        return max(self._paused_until.get(path, 0) - self._now(), 0) / 1000

    def _explain(self, reply: HttpResponse) -> Exception | None:
        """Return what an answer means, of a 403 without Bybit's words what its causes can be."""
        code, _ = read_error(reply)
        if reply.status == 403 and code is None:
            return BrokerRefused(_say_forbidden(self._has_answered), "REFUSED")
        if code in LIMITED:
            told = _read_limit(reply.headers)
            wait = max((told[2] - self.now) / 1000, LEAST_PAUSE_SECONDS) if told else None
            text = (
                "Bybit takes no more such requests for the moment; it did not carry this one out."
            )
            return BrokerRefused(text, _ENDPOINT, retry_after=wait)
        self._has_answered = self._has_answered or code is not None
        return explain(reply)


def sign(secret: str, stamp: int, key: str, payload: str) -> str:
    """Return the signature of a query or body as it leaves."""
    text = f"{stamp}{key}{RECEIVE_WINDOW_MS}{payload}"
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def _signer(key: str, secret: str) -> Callable[[str, str, Payload, int], SignedCall]:
    def sign_call(method: str, path: str, payload: Payload, stamp: int) -> SignedCall:
        if not (key and secret and key.isascii() and key.isprintable()):
            text = f"{KEY} and {SECRET} are missing or not as Bybit shows them. Set them in .env."
            raise BrokerRefused(text, KEYS_REFUSED)
        headers = {
            "X-BAPI-API-KEY": key,
            "X-BAPI-TIMESTAMP": str(stamp),
            "X-BAPI-RECV-WINDOW": str(RECEIVE_WINDOW_MS),
        }
        if method == "GET":
            query = urlencode(list(payload.items()), quote_via=quote, safe="")
            headers["X-BAPI-SIGN"] = sign(secret, stamp, key, query)
            return SignedCall(f"{path}?{query}" if query else path, headers)
        body = json.dumps(payload, separators=(",", ":"))
        headers["X-BAPI-SIGN"] = sign(secret, stamp, key, body)
        headers["Content-Type"] = "application/json"
        return SignedCall(path, headers, body.encode())

    return sign_call


def _read_limit(headers: Mapping[str, str]) -> tuple[int, int, int] | None:
    """Return what an endpoint allows a second, what is left of it, and when it begins anew."""
    names = ("x-bapi-limit", "x-bapi-limit-status", "x-bapi-limit-reset-timestamp")
    found = [headers.get(name, "") for name in names]
    if not all(each.isascii() and each.isdigit() and len(each) < 16 for each in found):
        return None
    limit, left, until = map(int, found)
    return limit, left, until


def _say_forbidden(has_answered: bool) -> str:
    """Say what a 403 without Bybit's own words means: a ban tells itself apart only by what came before."""
    if has_answered:
        return (
            "Bybit has banned this address for a while: too many requests came from it (HTTP 403)."
            " Nothing is asked for ten minutes. Look for other programs behind the same address."
        )
    return (
        "Bybit does not serve this address (HTTP 403). Either the region or the key is blocked (the United"
        " States and mainland China are), or the address is banned for too many requests. Run the server"
        " where Bybit may be used, set base_url to the host of your region, or wait ten minutes."
    )
