"""Write `GET /openapi.json`: every route, what it is asked with, and what it answers.

It follows from the table of routes and the shapes of the answers; nothing is said twice.
"""

from __future__ import annotations

import re
from typing import Any

from desk.api.described import (
    ALERT,
    ALERT_BODY,
    ASSISTANT,
    CSV,
    DESCRIBED,
    HTML,
    JSON,
    OWNER,
    TEXT,
    Described,
)
from desk.api.schemas import refer, write_schemas

MESSAGES = {
    400: "What was sent cannot be read, or a fault of ours that a resend does not mend.",
    401: "A credential is missing or wrong.",
    403: "This address, or another site's page, may not ask.",
    404: "There is no such thing.",
    405: "The method is not taken here.",
    411: "The request has no length.",
    413: "The body is too large.",
    415: "The body does not say that it is JSON.",
    421: "The request names no host.",
    422: "It was read, and is not carried out: the code and the message say why.",
    429: "Too many; `Retry-After` says when to try again.",
    503: "Nothing was recorded. Sending it again is safe.",
}


def write_openapi(version: str) -> dict[str, Any]:
    """Return the description as OpenAPI 3.1 has it."""
    paths: dict[str, dict[str, Any]] = {}
    for route in DESCRIBED:
        paths.setdefault(route.path, {})[route.method.lower()] = _write_route(route)
    bearer = {"type": "http", "scheme": "bearer"}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "TradingView Webhook Receiver",
            "version": version,
            "description": "Turn a TradingView alert into an order, once and only once.",
        },
        "paths": paths,
        "components": {
            "schemas": write_schemas(),
            "securitySchemes": {
                OWNER: {**bearer, "description": "ADMIN_TOKEN"},
                ASSISTANT: {**bearer, "description": "MCP_TOKEN"},
                ALERT: {
                    "type": "apiKey",
                    "in": "query",
                    "name": "secret",
                    "description": "The secret; better in the message, or as X-Webhook-Signature.",
                },
            },
        },
    }


def _write_route(route: Described) -> dict[str, Any]:
    places = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in re.findall(r"{(\w+)}", route.path)
    ]
    query = [
        {"name": name, "in": "query", "schema": schema} for name, schema in route.query.items()
    ]
    shape: dict[str, Any] = {
        "summary": route.about,
        "operationId": f"{route.method.lower()}{re.sub(r'[^a-z]+', '_', route.path) or '_'}",
        "tags": [route.group],
        "responses": _write_answers(route),
    }
    if places or query:
        shape["parameters"] = [*places, *query]
    if route.body is not None:
        shape["requestBody"] = route.body
    if route.who:
        # An alert may prove itself in its message, too, and needs no secret where none is set.
        shape["security"] = [{route.who: []}, *([{}] if route.who == ALERT else [])]
    return shape


def _write_answers(route: Described) -> dict[str, Any]:
    found = {200: _answer("What was asked for.", route.answers, route.kind)}
    if route.path == "/performance":
        found[200]["content"][CSV] = {"schema": {"type": "string", "minLength": 1}}
    for status, shape in route.more:
        found[status] = _answer(MESSAGES.get(status, "Done, or under way."), shape, route.kind)
    for status in route.refusals:
        found[status] = _answer(MESSAGES[status], "Refusal", JSON)
        if route.body is ALERT_BODY and status in (400, 422):
            shapes = f"Refusal|{route.answers}"
            found[status] = _answer(MESSAGES[status], shapes, JSON)
    return {str(status): found[status] for status in sorted(found)}


def _answer(about: str, shape: str, kind: str) -> dict[str, Any]:
    if kind in (HTML, TEXT):
        words = {"type": "string", "minLength": 1 if kind == TEXT else 0}
        return {"description": about, "content": {kind: {"schema": words}}}
    if not shape:
        return {"description": about}
    refs = [refer(name) for name in shape.split("|")]
    schema: dict[str, Any] = refs[0] if len(refs) == 1 else {"anyOf": refs}
    return {"description": about, "content": {JSON: {"schema": schema}}}
