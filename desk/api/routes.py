"""List the pages that show what is known: which path, who may ask, and what is answered.

The server wires each entry to its path and knows nothing of them; a new page is one more line here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from desk.api import pages
from desk.api.alert_api import AlertApi
from desk.api.assistant import MOST_FROM_ASSISTANT, Assistant
from desk.api.metrics import write_metrics
from desk.api.openapi import write_openapi
from desk.api.performance import read_choice, show_performance, write_csv
from desk.api.requests import (
    ApiResponse,
    Environ,
    read_body,
    read_caller,
    read_limit,
    read_options,
    require_json,
)
from desk.formats import to_json
from desk.process.version import VERSION

Parts = Mapping[str, str]
"""What stands in the query, or in the places of a path."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to a page: its environment, its query, and what stands in the places of its path."""

    environ: Environ
    query: Parts
    parts: Parts


@dataclass(frozen=True, slots=True)
class Route:
    """One page: method, path as the server's router writes it, and what answers."""

    method: str
    path: str
    answer: Callable[[AlertApi, Asked], ApiResponse]


def _strategies(api: AlertApi, asked: Asked) -> ApiResponse:
    api.require_reader(read_caller(asked.environ))
    return ApiResponse(200, to_json({"strategies": pages.show_strategies(api.desk)}))


def _performance(api: AlertApi, asked: Asked) -> ApiResponse:
    api.require_reader(read_caller(asked.environ))
    is_csv = read_choice(asked.query, "format", ("json", "csv")) == "csv"
    with api.desk.store.reader() as reader:
        if is_csv:
            text = write_csv(reader, api.desk.settings, asked.query)
            return ApiResponse(200, text.removesuffix("\n"), kind="text/csv")
        shape = show_performance(reader, api.desk.settings, asked.query)
    return ApiResponse(200, to_json(shape))


def _positions(api: AlertApi, asked: Asked) -> ApiResponse:
    api.require_reader(read_caller(asked.environ))
    limit = read_limit(asked.query.get("limit", "100"))
    return ApiResponse(200, to_json(pages.show_positions(api.desk, limit)))


def _set_mode(api: AlertApi, asked: Asked) -> ApiResponse:
    api.require_admin(read_caller(asked.environ))
    return api.controls.set_mode(asked.parts["name"], read_options(asked.environ, {"mode"}))


def _send(api: AlertApi, asked: Asked) -> ApiResponse:
    api.require_admin(read_caller(asked.environ))
    require_json(asked.environ)
    return api.send_by_hand(read_body(asked.environ))


def _cancel(api: AlertApi, asked: Asked) -> ApiResponse:
    api.require_admin(read_caller(asked.environ))
    read_options(asked.environ, set())
    return api.controls.cancel(asked.parts["client_order_id"])


def _resolve(api: AlertApi, asked: Asked) -> ApiResponse:
    api.require_admin(read_caller(asked.environ))
    options = read_options(asked.environ, {"outcome", "quantity", "price"})
    return api.controls.resolve(asked.parts["client_order_id"], options)


def _mcp(api: AlertApi, asked: Asked) -> ApiResponse:
    caller = read_caller(asked.environ)
    api.owner.require_assistant(caller)
    reply = Assistant(api).answer(caller, read_body(asked.environ, MOST_FROM_ASSISTANT))
    return ApiResponse(reply.http, "" if reply.shape is None else to_json(reply.shape))


def _metrics(api: AlertApi, asked: Asked) -> ApiResponse:
    api.owner.require_metrics(read_caller(asked.environ))
    return write_metrics(api.desk)


def _openapi(_api: AlertApi, _asked: Asked) -> ApiResponse:
    return ApiResponse(200, to_json(write_openapi(VERSION)))


ROUTES = (
    Route("GET", "/strategies", _strategies),
    Route("GET", "/positions", _positions),
    Route("GET", "/performance", _performance),
    Route("POST", "/strategies/<name>/mode", _set_mode),
    Route("POST", "/send", _send),
    Route("POST", "/mcp", _mcp),
    Route("GET", "/openapi.json", _openapi),
    Route("GET", "/metrics", _metrics),
    Route("POST", "/orders/<client_order_id>/cancel", _cancel),
    Route("POST", "/orders/<client_order_id>/resolve", _resolve),
)
