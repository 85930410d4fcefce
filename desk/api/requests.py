"""Unpack requests and pack answers, as plain WSGI has them: no web framework is needed for either.

What a body says is not read here; how large it may be, and that it is whole, is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from desk.formats import to_json

MAX_BODY = 64 * 1024
TOO_LARGE = f"An alert may have {MAX_BODY} bytes."
NO_BODY = "The request has no body: the alert goes there, e.g. curl -d 'BUY BTCUSDT qty=0.01' …"
Environ = dict[str, Any]
"""One request, as WSGI has it."""


class HttpRefusal(Exception):
    """End a request with an answer of its own."""

    def __init__(self, http: int, code: str, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.http = http
        self.code = code
        self.retry_after = retry_after


class Headers(Protocol):
    """The headers of a request."""

    def get(self, name: str) -> str | None:
        """Return one header, or None."""

    def keys(self) -> Iterable[str]:
        """Return the names that were sent."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request; the case of header names does not matter to `headers`."""

    peer: str
    host: str
    path: str
    is_reading: bool
    headers: Headers


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """What goes back: status, JSON, and how long to wait before the next try."""

    http: int
    text: str
    retry_after: int | None = None
    allow: str = ""
    """The methods that a page takes, where it was asked by another."""
    kind: str = "application/json"
    """What the text is, as HTTP names it."""

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Return what goes out beside the type: when to try again, and how."""
        found = [] if self.retry_after is None else [("Retry-After", str(self.retry_after))]
        return [*found, ("Allow", self.allow)] if self.allow else found

    @property
    def body(self) -> bytes:
        """Return what is sent: the JSON as one line that is ended, as a shell or a log wants it."""
        return f"{self.text}\n".encode()


class EnvironHeaders:
    """The headers of a request, as they lie in its environment."""

    def __init__(self, environ: Environ) -> None:
        self._environ = environ

    def get(self, name: str) -> str | None:
        """Return one header, or None."""
        key = name.upper().replace("-", "_")
        found = self._environ.get(key if key == "CONTENT_TYPE" else f"HTTP_{key}")
        return found if isinstance(found, str) else None

    def keys(self) -> Iterable[str]:
        """Return the names that were sent, in lower case."""
        names = [name for name in self._environ if name.startswith("HTTP_")]
        return [name[5:].replace("_", "-").lower() for name in names]


def read_caller(environ: Environ) -> Caller:
    """Return who sent a request."""
    peer, host = environ.get("REMOTE_ADDR") or "", environ.get("HTTP_HOST") or ""
    is_reading = environ["REQUEST_METHOD"] in ("GET", "HEAD")
    return Caller(peer, host, environ["PATH_INFO"], is_reading, EnvironHeaders(environ))


def read_body(environ: Environ, most: int = MAX_BODY) -> bytes:
    """Return the whole body. Without a length gunicorn would silently cut it at the limit."""
    text = environ.get("CONTENT_LENGTH") or ""
    is_chunked = "HTTP_TRANSFER_ENCODING" in environ
    if is_chunked or not (text.isascii() and text.isdigit()):
        said = "Send the alert with a Content-Length." if is_chunked else NO_BODY
        raise HttpRefusal(411, "LENGTH_REQUIRED", said)
    length = int(text[:12])
    if length > most:
        text = TOO_LARGE if most == MAX_BODY else f"A request here may have {most} bytes."
        raise HttpRefusal(413, "TOO_LARGE", text)
    body: bytes = environ["wsgi.input"].read(length)
    if len(body) != length:  # the sender hung up: qty=1 may have been qty=1000
        raise HttpRefusal(400, "UNREADABLE", "The body ended before its Content-Length.")
    return body


def read_options(environ: Environ, known: set[str]) -> dict[str, Any]:
    """Return what a control is told: the keys of a JSON object, each at most once."""
    # In chunks it has no length: to take it for empty would halt everything instead of one strategy.
    has_body = environ.get("CONTENT_LENGTH") not in (None, "", "0")
    has_body = has_body or "HTTP_TRANSFER_ENCODING" in environ
    body = read_body(environ) if has_body else b"{}"
    if has_body:
        require_json(environ)
    try:
        shape = json.loads(body.decode(), parse_float=Decimal, object_pairs_hook=_read_once)
    except (ValueError, RecursionError):
        shape = None
    if not isinstance(shape, dict) or not set(shape) <= known:
        names = ", ".join(sorted(known))
        text = f"Send a JSON object with no other keys than {names}, each at most once."
        raise HttpRefusal(422, "UNREADABLE", text)
    options = {name: value for name, value in shape.items() if value is not None}
    plain = ("confirm", "quantity", "price")
    given = [value for name, value in options.items() if name not in plain]
    if not all(isinstance(each, str) and each.strip() and each.isprintable() for each in given):
        raise HttpRefusal(422, "UNREADABLE", "Names are texts in quotes, and not empty.")
    return options


def require_json(environ: Environ) -> None:
    """Refuse a control whose body does not say that it is JSON.

    A page of another site can send a form or a text by itself, and JSON only where it is allowed to.
    """
    kind = (environ.get("CONTENT_TYPE") or "").partition(";")[0].strip().lower()
    if kind != "application/json":
        text = "A control's body is JSON: send the header Content-Type: application/json with it."
        raise HttpRefusal(415, "UNREADABLE", text)


def read_limit(text: str) -> int:
    """Return how many rows are asked for."""
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise HttpRefusal(400, "UNREADABLE", "limit must be a whole number from 0 to 999999.")
    return int(text)


def write_refusal(
    http: int, code: str, message: str, retry_after: int | None = None, allow: str = ""
) -> ApiResponse:
    """Return the answer to what was refused: what, where, and what to do next."""
    shape = {"success": False, "status": "denied", "code": code, "message": message}
    return ApiResponse(http, to_json(shape), retry_after, allow)


def _read_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object whose keys stand once each: of two the last would win, unseen."""
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)
