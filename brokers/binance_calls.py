"""Sign calls to Binance and keep its clock.

A call's parameters are percent-encoded once, signed as they are and sent as they were signed. What a call
means, and what comes back, is not known here.

Source: "Request security" and "Timing security" of the Binance Spot API documentation.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode

from brokers.binance_errors import CLOCK, KEY, SECRET, explain
from brokers.binance_orders import Params
from brokers.binance_public import read_time
from brokers.protocol import KEYS_REFUSED, Refused, Uncertain, Unreachable
from brokers.quota import Quota
from brokers.wire import Reply, Wire

RECEIVE_WINDOW_MS = 5_000
"""A call that was under way for longer is refused by the venue, so that a late order never trades."""
LEAST_SECONDS = 0.1
WEIGHT_A_MINUTE = 6_000
"""What one address may ask for; exchangeInfo says it too, and then that holds."""
SNAPSHOT_WEIGHT = 100
"""The account (20) and the open orders of all symbols (80)."""
USED_WEIGHT = "x-mbx-used-weight-1m"
_A_MINUTE = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1}


class Calls:
    """The signed calls of one account. Raises `Refused`, `Unreachable` and `Uncertain`.

    `until` is the moment of `time.monotonic` at which a call must be over. `now_ms` is our clock.
    """

    def __init__(self, url: str, key: str, secret: str, now_ms: Callable[[], int]) -> None:
        self.wire = Wire(url, secrets=(key, secret), explain=explain, on_reply=self._weigh)
        self.quota = _quota_of(url)
        self.offset: int | None = None
        """Binance's clock less ours in milliseconds; None until it was asked."""
        self._key = key
        self._secret = secret
        self._now = now_ms

    @property
    def now(self) -> int:
        """What Binance's clock says, as far as we know."""
        return self._now() + (self.offset or 0)

    def compare_clocks(self) -> None:
        """Note how far Binance's clock is ahead of ours; where it cannot be asked, nothing changes."""
        before = self._now()
        try:
            theirs = read_time(self.wire)
        except (Refused, Unreachable, Uncertain):
            return
        self.offset = theirs - (before + self._now()) // 2

    def read(self, path: str, params: Params, until: float) -> Any:
        """Ask for something and return the answer's JSON."""

        def call(target: str) -> Reply:
            left_seconds = max(until - time.monotonic(), LEAST_SECONDS)
            return self.wire.read(
                "GET", target, headers=self._headers, deadline_seconds=left_seconds
            )

        return self._call(path, params, call).data

    def send(
        self,
        method: str,
        path: str,
        params: Params,
        until: float,
        *,
        is_urgent: bool,
        note: Callable[[int], None] = lambda _: None,
    ) -> Any:
        """Change something, once, and return the answer's JSON.

        `note` is told the time each attempt is stamped with: what Binance took was stamped at most a second
        ahead of its clock, whatever ours says.
        """

        def call(target: str) -> Reply:
            return self.wire.send(
                method,
                target,
                headers=self._headers,
                deadline_seconds=max(until - time.monotonic(), LEAST_SECONDS),
                is_urgent=is_urgent,
            )

        return self._call(path, params, call, note).data

    def _weigh(self, reply: Reply) -> None:
        """Note what Binance says was used of the quota, and how large that is."""
        used = reply.headers.get(USED_WEIGHT, "")
        if used.isascii() and used.isdigit():
            self.quota.hear(int(used), self.now)
        rows = reply.data.get("rateLimits") if isinstance(reply.data, dict) else None
        for row in rows if isinstance(rows, list) else []:
            if isinstance(row, dict) and row.items() >= _A_MINUTE.items():
                limit = row.get("limit")
                if isinstance(limit, int) and limit > 0:
                    self.quota.limit = limit

    @property
    def _headers(self) -> dict[str, str]:
        return {"X-MBX-APIKEY": self._key}

    def _call(
        self,
        path: str,
        params: Params,
        call: Callable[[str], Reply],
        note: Callable[[int], None] = lambda _: None,
    ) -> Reply:
        """Make a call; after a refusal for the clock once more, for then it was not carried out."""
        note(stamp := self.now)
        try:
            return call(self._sign(path, params, stamp))
        except Refused as no:
            if no.code != CLOCK:
                raise
        self.compare_clocks()
        note(stamp := self.now)
        return call(self._sign(path, params, stamp))

    def _sign(self, path: str, params: Params, stamp: int) -> str:
        if not (self._key and self._secret and self._key.isascii() and self._key.isprintable()):
            text = f"{KEY} and {SECRET} are missing or not as Binance shows them. Set them in .env."
            raise Refused(text, KEYS_REFUSED)
        window = ("recvWindow", str(RECEIVE_WINDOW_MS))
        stamped = [*params, window, ("timestamp", str(stamp))]
        query = urlencode(stamped, quote_via=quote, safe="")
        return f"{path}?{query}&signature={sign(self._secret, query)}"


@lru_cache(maxsize=64)
def _quota_of(_url: str) -> Quota:
    """Return what all accounts at one address of the venue share."""
    return Quota(WEIGHT_A_MINUTE, SNAPSHOT_WEIGHT)


def sign(secret: str, payload: str) -> str:
    """Return the signature of a payload that is percent-encoded already."""
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
