"""Answer everything that goes to the four paths of alerts: the one door, in plain WSGI.

A web framework's own work for a request costs as much as reading the alert does, and two ways to one path are
two answers. So whatever comes to these paths ends here; every other path is the server's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs

from desk.api.alert_api import AlertApi
from desk.api.requests import (
    ApiResponse,
    Environ,
    HttpRefusal,
    read_body,
    read_caller,
    write_refusal,
)
from desk.state.store import StoreUnavailable

log = logging.getLogger("server")
NOTHING: Mapping[str, bool] = MappingProxyType({})
PATHS: Mapping[str, Mapping[str, bool]] = MappingProxyType(
    {
        "/webhook": NOTHING,
        "/alert": NOTHING,
        "/webhook/tradingview": MappingProxyType({"is_queued": True}),
        "/webhook/validate": MappingProxyType({"is_dry": True}),
    }
)
"""Each path, and how an alert that comes there is taken."""
METHODS = "OPTIONS, POST"
NOT_RECORDED = (
    "NOT_RECORDED",
    "The alert could not be recorded. Sending it again is safe: it is traded once.",
)
NOT_READ = (
    "STATE_UNAVAILABLE",
    "The state cannot be read now; GET /status says what is wrong with it.",
)
FAULT = "An internal error; it is in the log. GET /history shows what was recorded."
SAFE_HEADERS = [
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
]
Serve = Callable[..., Iterable[bytes]]


def add_door(serve: Serve, api: AlertApi) -> Serve:
    """Return an application that answers the paths of alerts itself and hands on every other request."""

    def serve_alerts(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        how = PATHS.get(environ["PATH_INFO"])
        if how is None:
            return serve(environ, start_response)
        sent = _answer(api, environ, how)
        body = sent.body
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        start_response(f"{sent.http} {HTTPStatus(sent.http).phrase}", headers + sent.headers)
        return [body]

    return serve_alerts


def _answer(api: AlertApi, environ: Environ, how: Mapping[str, bool]) -> ApiResponse:
    """Return what is answered to one request; raises nothing."""
    method = environ["REQUEST_METHOD"]
    if method != "POST":
        if method == "OPTIONS":
            return ApiResponse(200, "{}", allow=METHODS)
        return write_refusal(405, "METHOD_NOT_ALLOWED", "This page takes POST only.", allow=METHODS)
    try:
        secrets = _read_secrets(environ.get("QUERY_STRING") or "")
        return api.receive(read_caller(environ), lambda: read_body(environ), secrets, **how)
    except HttpRefusal as refusal:
        return write_refusal(refusal.http, refusal.code, str(refusal), refusal.retry_after)
    except StoreUnavailable as error:
        log.error("not_recorded", extra={"text": str(error)})  # noqa: TRY400 - its place says nothing
        return write_refusal(503, *NOT_RECORDED, 5)
    except Exception:
        # Not a 5xx: TradingView would send the alert three times more.
        log.exception("server_fault")
        return write_refusal(400, "INTERNAL", FAULT)


def _read_secrets(query: str) -> list[str]:
    """Return the secrets that an address carries."""
    if not query:
        return []
    found = parse_qs(query, keep_blank_values=True, max_num_fields=100)
    return found.get("secret", []) + found.get("auth_token", [])


def add_safe_headers(serve: Serve) -> Serve:
    """Add the headers of caution to every answer without its own; in Flask that costs twice as much."""

    def serve_safely(environ: Any, start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            own = {name.title() for name, _ in headers}
            safe = [each for each in SAFE_HEADERS if each[0].title() not in own]
            return start_response(status, [*headers, *safe], *error)

        return serve(environ, start)

    return serve_safely
