"""Sign calls to Binance and count what they weigh.

A call's parameters are percent-encoded once, signed as they are and sent as they were signed. What a call
means, and what comes back, is not known here.

Source: "Request security" and "Timing security" of the Binance Spot API documentation.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode

from brokers.binance.errors import KEY, SECRET
from brokers.protocol import KEYS_REFUSED, BrokerRefused, Connection
from brokers.wire.client import Explain, HttpResponse, Wire
from brokers.wire.deadline import Deadline
from brokers.wire.fields import require, require_rows
from brokers.wire.quota import Quota
from brokers.wire.signed import AskTime, SignedCall, SignedCalls

RECEIVE_WINDOW_MS = 5_000
"""A call that was under way for longer is refused by the venue, so that a late order never trades."""
PAGE_SECONDS = 5.0
"""How long one page of a list may take."""
USED_WEIGHT = "x-mbx-used-weight-1m"
_A_MINUTE = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1}
Params = list[tuple[str, str]]


class BinanceCalls(SignedCalls):
    """The signed calls of one account, on one of Binance's markets."""

    def __init__(
        self,
        name: str,
        url: str,
        connection: Connection,
        read_refusal: Explain,
        ask_time: AskTime,
        now_ms: Callable[[], int],
        weights: tuple[int, int],
    ) -> None:
        key, secret = (connection.credentials.get(each, "").strip() for each in (KEY, SECRET))
        wire = Wire(url, secrets=(key, secret), read_refusal=read_refusal, on_reply=self._weigh)
        super().__init__(wire, _signer(key, secret), ask_time, now_ms)
        self.quota = _quota_of(url, *weights)
        self._name = name

    def read_trades(self, path: str, symbol: str, start: int, size: int) -> list[Any]:
        """Return every execution on a symbol since a time of Binance's clock, by pages of so many."""
        found: list[Any] = []
        place = ("startTime", str(start))
        while True:
            params = [("symbol", symbol), place, ("limit", str(size))]
            page = require_rows(self.read(path, params, Deadline.after(PAGE_SECONDS)))
            found += page
            if len(page) < size:
                return found
            place = ("fromId", str(require(page[-1], "id", int) + 1))

    def _weigh(self, reply: HttpResponse) -> None:
        """Note what Binance says was used of the quota, and how large that is."""
        used = reply.headers.get(USED_WEIGHT, "")
        if used.isascii() and used.isdigit():
            self.quota.hear(int(used), self.now, self._name)
        rows = reply.data.get("rateLimits") if isinstance(reply.data, dict) else None
        for row in rows if isinstance(rows, list) else []:
            if isinstance(row, dict) and row.items() >= _A_MINUTE.items():
                limit = row.get("limit")
                if isinstance(limit, int) and limit > 0:
                    self.quota.limit = limit


def _signer(key: str, secret: str) -> Callable[[str, str, Params, int], SignedCall]:
    def sign_call(_method: str, path: str, params: Params, stamp: int) -> SignedCall:
        if not (key and secret and key.isascii() and key.isprintable()):
            text = f"{KEY} and {SECRET} are missing or not as Binance shows them. Set them in .env."
            raise BrokerRefused(text, KEYS_REFUSED)
        window = ("recvWindow", str(RECEIVE_WINDOW_MS))
        stamped = [*params, window, ("timestamp", str(stamp))]
        query = urlencode(stamped, quote_via=quote, safe="")
        return SignedCall(f"{path}?{query}&signature={sign(secret, query)}", {"X-MBX-APIKEY": key})

    return sign_call


def sign(secret: str, payload: str) -> str:
    """Return the signature of a payload that is percent-encoded already."""
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


@lru_cache(maxsize=64)
def _quota_of(_url: str, limit: int, read_weight: int) -> Quota:
    """Return what all accounts at one address of the venue share."""
    return Quota(limit, read_weight)
