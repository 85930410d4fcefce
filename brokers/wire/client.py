"""Make one call to a venue and say what it means: an answer, or one of the three errors.

Everything that can go wrong between here and a venue ends as `BrokerRefused`, `Unreachable` or
`Uncertain`, with a text that holds no address, header or secret. A call that may change something is
made once, whatever happens. Nothing here knows orders, symbols or a venue's codes: what those mean, a
venue says by `explain`.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, quote_plus

from brokers.protocol import KEYS_REFUSED, THROTTLED, BrokerRefused, Uncertain, Unreachable
from brokers.wire.transport import HttpRequest, NoResponse, Transport

BANNED = "BANNED"
"""The code of a refusal of our address: the venue wants no request of any kind for `retry_after` seconds."""
MAX_BYTES = 1_000_000
CONNECT_SECONDS, READ_SECONDS, SEND_SECONDS = 1.0, 3.0, 8.0
_ATTEMPTS = 3
_RETRY_SECONDS = 0.1
_THROTTLE_SECONDS = 10.0
_BAN_SECONDS = {418: 120.0, 403: 600.0}
_LONGEST_PAUSE_SECONDS = 3 * 86_400.0
_MAX_DIGITS = 30
_MAX_TEXT = 500
_NONE_SECONDS = 0.0
_LEAST_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer of a venue."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """By lower-case names."""
    data: Any = field(repr=False)
    """The JSON, with Decimal for every number that has a point or an exponent; None where there is none."""
    is_json: bool
    text: str
    """The first 500 characters, secrets masked and control characters escaped."""


Explain = Callable[[HttpResponse], Exception | None]
"""What an answer of 400 and above (or a 2xx the venue calls an error) means at this venue; None: the usual
reading. Returns one of the three errors, raises nothing."""


class Wire:
    """Calls to one venue over kept connections. Safe for several threads at once."""

    def __init__(
        self,
        base_url: str,
        *,
        secrets: Iterable[str] = (),
        read_refusal: Explain | None = None,
        on_reply: Callable[[HttpResponse], None] | None = None,
        connect_seconds: float = CONNECT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = Transport(base_url, connect_seconds)
        self._explain = read_refusal
        self._on_reply = on_reply
        self._clock = clock
        self._lock = threading.Lock()
        self._secrets: tuple[str, ...] = ()
        self._date: tuple[float, float] | None = None
        self._paused_until_seconds = self._overloaded_until_seconds = clock()
        for secret in secrets:
            self.hide(secret)

    def hide(self, secret: str) -> None:
        """Mask a secret from now on, as it is and as it stands in an address or in JSON."""
        forms = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret)}
        forms |= {json.dumps(form)[1:-1] for form in tuple(forms)}
        if secret:
            longest_first = sorted({*self._secrets, *forms}, key=len, reverse=True)
            self._secrets = tuple(longest_first)

    @property
    def venue_ms(self) -> int | None:
        """What the venue's clock says, to a second, by its last answer; None where that had no date."""
        if self._date is None:
            return None
        told, read_at_seconds = self._date
        return int((told + time.monotonic() - read_at_seconds) * 1000)

    @property
    def paused_seconds(self) -> float:
        """How long the venue wants to hear nothing; 0.0 when it listens."""
        return self._left_seconds(is_urgent=False)

    def open(self) -> None:
        """Open a connection ahead (TCP and TLS), so that the next call costs one round trip.

        Failures are ignored: the next call meets and names them.
        """
        if not self.paused_seconds:
            self._transport.open()

    def read(
        self,
        method: str,
        target: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        deadline_seconds: float = READ_SECONDS,
        max_bytes: int = MAX_BYTES,
        is_urgent: bool = False,
    ) -> HttpResponse:
        """Make a call that changes nothing, again if need be, within one deadline.

        A transport fault (over a fresh connection), an unreadable answer and a 5xx are tried again. Raises
        `BrokerRefused` for a refusal and `Unreachable` for everything else, a pause of the venue included;
        an urgent call (it tells what an exit became) leaves where the venue had only said that it is
        overloaded, as the exit does.
        """
        due_seconds = time.monotonic() + deadline_seconds
        problem = "no answer"
        for attempt in range(_ATTEMPTS):
            left_seconds = due_seconds - time.monotonic()
            if self._left_seconds(is_urgent=is_urgent) or left_seconds <= 0:
                break
            message = HttpRequest(method, target, headers or {}, body, left_seconds, max_bytes)
            outcome = self._call(message)
            if isinstance(outcome, HttpResponse):
                return outcome
            if isinstance(outcome, BrokerRefused):
                raise outcome
            problem = str(outcome)
            pause_seconds = _RETRY_SECONDS * 2**attempt
            if attempt + 1 < _ATTEMPTS and time.monotonic() + pause_seconds < due_seconds:
                time.sleep(pause_seconds)
        if pause_seconds := self._left_seconds(is_urgent=is_urgent):
            problem = f"the venue wants no requests for {pause_seconds:.0f} s"
        raise Unreachable(problem)

    def send(
        self,
        method: str,
        target: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        deadline_seconds: float = SEND_SECONDS,
        is_urgent: bool = False,
    ) -> HttpResponse:
        """Make a call that may change something, once.

        Raises `Unreachable` only where provably nothing left this machine, `BrokerRefused` where the
        venue said no, `Uncertain` for everything else. While the venue wants to hear nothing it is
        `BrokerRefused` as `THROTTLED` and nothing is sent; an urgent call (it reduces) still leaves
        where the venue had only said that it is overloaded.
        """
        wait_seconds = self._left_seconds(is_urgent=is_urgent)
        if wait_seconds:
            text = f"The venue wants no requests for another {wait_seconds:.0f} s."
            raise BrokerRefused(text, THROTTLED, retry_after=wait_seconds)
        message = HttpRequest(method, target, headers or {}, body, deadline_seconds, MAX_BYTES)
        outcome = self._call(message)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _call(self, message: HttpRequest) -> HttpResponse | Exception:
        """Return the answer to one request, or what its failure means; raises nothing."""
        try:
            status, headers, body = self._transport.exchange(message)
        except NoResponse as lost:
            if lost.has_left:
                return Uncertain(f"The venue may have acted: {lost.reason}.")
            return Unreachable(f"The venue could not be reached: {lost.reason}.")
        self._note_date(headers.get("date"))
        reply = self._read_body(status, headers, body)
        try:
            if self._on_reply is not None:
                self._on_reply(reply)
            verdict = self._judge(reply)
        except (
            Exception
        ):  # a venue's reading of its own answers must not hide that an order may exist
            return Uncertain(f"The venue's answer (HTTP {status}) could not be understood.")
        if isinstance(verdict, BrokerRefused):
            # A venue may repeat a secret in its own words, which its reading hands on.
            shown = BrokerRefused(self._show(verdict.message), verdict.code, verdict.retry_after)
            return self._heed(shown, reply)
        if isinstance(verdict, Uncertain):
            return Uncertain(self._show(str(verdict)), verdict.code)
        return reply if verdict is None else verdict

    def _note_date(self, value: str | None) -> None:
        try:
            self._date = (
                (parsedate_to_datetime(value).timestamp(), time.monotonic()) if value else None
            )
        except (ValueError, TypeError, OverflowError):
            self._date = None

    def _read_body(self, status: int, headers: Mapping[str, str], body: bytes) -> HttpResponse:
        data, is_json = None, False
        try:
            text = body.decode("utf-8")
            data = json.loads(
                text, parse_float=_to_decimal, parse_int=_to_int, parse_constant=_refuse
            )
            is_json = True
        except (ValueError, RecursionError, ArithmeticError):
            text = body.decode("utf-8", "replace")
        return HttpResponse(status, headers, data, is_json, self._show(text))

    def _judge(self, reply: HttpResponse) -> Exception | None:
        """Return what an answer means, or None where it is a plain success."""
        is_success = 200 <= reply.status < 300
        if self._explain is not None and (reply.status >= 400 or (is_success and reply.is_json)):
            verdict = self._explain(reply)
            if verdict is not None:
                return verdict
        if is_success and reply.is_json:
            return None
        return _read_status(reply)

    def _heed(self, refusal: BrokerRefused, reply: HttpResponse) -> BrokerRefused:
        """Be silent for as long as the venue asks for."""
        is_ban = reply.status == 418 or (reply.status == 403 and not _has_error(reply))
        if not (is_ban or reply.status == 429 or refusal.code == THROTTLED):
            return refusal
        default = _BAN_SECONDS.get(reply.status, _THROTTLE_SECONDS) if is_ban else _THROTTLE_SECONDS
        asked = _retry_after(reply.headers.get("retry-after"))
        wait_seconds = min(asked or refusal.retry_after or default, _LONGEST_PAUSE_SECONDS)
        until_seconds = self._clock() + wait_seconds
        with self._lock:
            if reply.status >= 500:
                self._overloaded_until_seconds = max(self._overloaded_until_seconds, until_seconds)
            else:
                self._paused_until_seconds = max(self._paused_until_seconds, until_seconds)
        return BrokerRefused(
            refusal.message, BANNED if is_ban else THROTTLED, retry_after=wait_seconds
        )

    def _left_seconds(self, *, is_urgent: bool) -> float:
        with self._lock:
            until_seconds = self._paused_until_seconds
            if not is_urgent:
                until_seconds = max(until_seconds, self._overloaded_until_seconds)
        return max(until_seconds - self._clock(), _NONE_SECONDS)

    def _mask(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def _show(self, text: str) -> str:
        """Return the start of a text that may be logged: masked before it is cut, one line, printable."""
        start = self._mask(text[:65_536])[:_MAX_TEXT]
        shown = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in start)
        return "".join(shown)[:_MAX_TEXT]


def _read_status(reply: HttpResponse) -> Exception:
    """Return what an answer means that is not a plain success, at a venue that says nothing more."""
    status, text = reply.status, reply.text or f"HTTP {reply.status} without a text"
    if status == 418 or (status == 403 and not _has_error(reply)):
        return BrokerRefused(
            f"The venue has banned this address for a while (HTTP {status}).", BANNED
        )
    if status == 429:
        return BrokerRefused(text, THROTTLED)
    if status == 401:
        return BrokerRefused(text, KEYS_REFUSED)
    # A page without JSON came from something in front of the venue, and 408 and 499 say that time ran out.
    if 400 <= status < 500 and reply.is_json and status not in (408, 499):
        return BrokerRefused(text)
    if 200 <= status < 300:
        return Uncertain(f"The venue's answer (HTTP {status}) is not readable.")
    return Uncertain(f"The venue answered HTTP {status}: {text}"[:_MAX_TEXT])


def _has_error(reply: HttpResponse) -> bool:
    """Tell whether an answer comes from the venue itself, not from a wall in front of it."""
    return isinstance(reply.data, dict) and bool(reply.data)


def _retry_after(value: str | None) -> float | None:
    """Return the seconds of a Retry-After header, which may be a number or a date (RFC 9110, 10.2.3)."""
    if value is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", value.strip()):
        return max(int(value), _LEAST_SECONDS)
    try:
        at = parsedate_to_datetime(value)
        return max((at - datetime.now(UTC)).total_seconds(), _LEAST_SECONDS)
    except (ValueError, TypeError, OverflowError):
        return None


def _to_decimal(text: str) -> Decimal:
    """Return an exact number; one with an absurd exponent is no number (`1e400` is infinite elsewhere)."""
    number = Decimal(text)
    if not -_MAX_DIGITS <= number.adjusted() <= _MAX_DIGITS:
        raise ValueError("a number out of range")
    return number


def _to_int(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError("a number out of range")
    return int(text)


def _refuse(text: str) -> None:
    raise ValueError(f"{text} is no number")
