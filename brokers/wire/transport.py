"""Carry one HTTP request to a venue and its answer back, within one deadline.

Knows sockets and nothing of orders: it says what came back, or `NoResponse` with the one fact that matters
afterwards, whether a byte of the request may have left this machine. Nothing here repeats a request,
follows a redirect, keeps a cookie, reads a proxy or `.netrc` from the environment, or believes a
certificate that does not fit.

`requests` is used by its adapter, without a session: the session is what follows redirects and takes
credentials from `~/.netrc` in place of ours. Its time-outs are for each read, so that an answer trickling
in can last for ever (measured: 9.5 s with `timeout=1`); here a watchdog shuts the socket down instead.
"""

from __future__ import annotations

import functools
import socket
import ssl
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests

from brokers.wire.connections import (
    Adapter,
    ConnectionPool,
    HttpExchange,
    Names,
    TlsPool,
    Unreadable,
    making,
)
from brokers.wire.deadlines import Deadlines

CONNECTIONS = 8
_ENDED = "the connection ended before a whole answer came"
_deadlines = Deadlines()
_OWN_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "User-Agent": "tradingview-webhook-receiver",
}


class NoResponse(Exception):
    """No usable answer came. `has_left` says whether a byte of the request may have left this machine."""

    def __init__(self, reason: str, *, has_left: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.has_left = has_left


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What is sent: a finished target, never encoded again."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes | None
    deadline_seconds: float
    max_bytes: int


class Transport:
    """Keep connections to one venue and carry requests over them. Safe for several threads at once."""

    def __init__(self, base_url: str, connect_seconds: float) -> None:
        self._base_url = base_url.rstrip("/")
        self._path = urlsplit(self._base_url).path
        self._connect_seconds = connect_seconds
        self._adapter = Adapter(pool_maxsize=CONNECTIONS, max_retries=0, pool_block=False)
        self._trusted: bool | str = True
        self._names = Names()
        self._oldest_seconds = time.monotonic()
        _deadlines.start()

    def __repr__(self) -> str:
        return f"Transport({self._base_url!r})"

    def exchange(self, message: HttpRequest) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers by lower-case names and the decoded body. Raises `NoResponse` alone."""
        call = self._begin(message.target, message.deadline_seconds)
        answer: tuple[int, dict[str, str], bytes] | None = None
        problem = ""
        try:
            with making(call), _deadlines.watch(call.due_seconds, call.end):
                answer = self._exchange(message)
        except Exception as fault:  # whatever it was, all that counts is whether a byte left
            problem = _name_fault(fault, call)
        # The socket's own time may run out before the watchdog has its turn: it is the same deadline.
        if call.is_over or (problem == _ENDED and time.monotonic() >= call.due_seconds):
            problem = f"no whole answer within {message.deadline_seconds:g} s"
        elif answer is not None:
            return answer
        self._oldest_seconds = time.monotonic()
        raise NoResponse(problem, has_left=call.has_left)

    def open(self) -> None:
        """Have one connection ready that was connected before it is needed. Raises nothing."""
        try:
            with making(self._begin("", self._connect_seconds)):
                pool = self._adapter.get_connection_with_tls_context(
                    self._prepare("GET"), self._trusted
                )
                if isinstance(pool, ConnectionPool | TlsPool):
                    self._adapter.cert_verify(pool, self._base_url, self._trusted, None)  # type: ignore[no-untyped-call]
                    pool.open_ahead()
        except Exception:  # the next call meets the same fault and says so
            return

    def _begin(self, target: str, deadline_seconds: float) -> HttpExchange:
        return HttpExchange(
            target=self._path + target,
            due_seconds=time.monotonic() + deadline_seconds,
            connect_seconds=self._connect_seconds,
            oldest_seconds=self._oldest_seconds,
            names=self._names,
        )

    def _prepare(
        self, method: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> requests.PreparedRequest:
        request = requests.PreparedRequest()
        request.prepare_method(method)
        request.url = self._address
        request.prepare_headers({**_OWN_HEADERS, **(headers or {})})
        request.prepare_body(body, None)
        return request

    @functools.cached_property
    def _address(self) -> str | None:
        """The base address as requests writes it: reading it again costs each call 0.1 ms."""
        return requests.Request("GET", self._base_url).prepare().url

    def _exchange(self, message: HttpRequest) -> tuple[int, dict[str, str], bytes]:
        request = self._prepare(message.method, message.headers, message.body)
        response = self._adapter.send(
            request,
            stream=True,
            timeout=(self._connect_seconds, message.deadline_seconds),
            verify=self._trusted,
        )
        try:
            headers = {name.lower(): value for name, value in response.headers.items()}
            raw = _read_all(response.raw, message.max_bytes)
            body = _decode(raw, headers.get("content-encoding", ""), message.max_bytes)
            return response.status_code, headers, body
        finally:
            response.close()


def _read_all(raw: Any, max_bytes: int) -> bytes:
    parts: list[bytes] = []
    total = 0
    while part := raw.read(65_536, decode_content=False):
        total += len(part)
        if total > max_bytes:
            raise Unreadable(f"the answer is larger than {max_bytes} bytes")
        parts.append(part)
    return b"".join(parts)


def _decode(raw: bytes, encoding: str, max_bytes: int) -> bytes:
    """Undo gzip, never beyond the cap: a bomb is a small answer that unpacks to a large one."""
    if encoding.strip().lower() in ("", "identity"):
        return raw
    if encoding.strip().lower() not in ("gzip", "x-gzip"):
        raise Unreadable("the answer is packed in a way nobody asked for")
    unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    body = unpacker.decompress(raw, max_bytes + 1)
    if len(body) > max_bytes:
        raise Unreadable(f"the answer is larger than {max_bytes} bytes")
    if raw and not unpacker.eof:
        raise Unreadable("the answer ended early")
    return body


def _name_fault(fault: Exception, call: HttpExchange) -> str:
    """Say in plain words what happened, without a URL: the texts of requests hold the whole query."""
    if isinstance(fault, Unreadable):
        return str(fault)
    if call.has_left:
        return _ENDED
    chain = _causes(fault)
    for kind, words in _NOTHING_LEFT.items():
        if any(isinstance(each, kind) for each in chain):
            return words
    if any(isinstance(each, ValueError) for each in chain):
        return "the address or a header cannot be sent: look for stray characters"
    return "no connection"


_NOTHING_LEFT: dict[type[BaseException], str] = {
    ssl.SSLCertVerificationError: "its certificate is not valid for this address",
    ssl.SSLError: "no secure connection (TLS) could be agreed on",
    socket.gaierror: "its name could not be resolved",
    ConnectionRefusedError: "the connection was refused",
    TimeoutError: "no connection in time",
}


def _causes(fault: BaseException) -> list[BaseException]:
    """Return an exception with everything it was made from."""
    found: list[BaseException] = []
    waiting: list[Any] = [fault]
    while waiting and len(found) < 20:
        each = waiting.pop()
        if isinstance(each, BaseException) and each not in found:
            found.append(each)
            waiting += [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]
    return found
