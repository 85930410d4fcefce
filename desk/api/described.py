"""Describe every route: what it is asked with, who may ask, and what it answers.

A table alone; the server knows nothing of it. A route that is not here, or only here, fails a test.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from desk.alerts.answers import OUTCOMES

JSON, TEXT, CSV, HTML = "application/json", "text/plain", "text/csv", "text/html"
OWNER, ALERT, ASSISTANT = "owner", "alert", "assistant"
"""Who may ask: with ADMIN_TOKEN, with the secret of alerts, with MCP_TOKEN."""


@dataclass(frozen=True, slots=True)
class Described:
    """One route: method, path, a sentence, who may ask, and the shape of what is answered."""

    method: str
    path: str
    about: str
    answers: str
    who: str = OWNER
    group: str = "read"
    query: dict[str, dict[str, Any]] = field(default_factory=dict)
    body: dict[str, Any] | None = None
    refusals: tuple[int, ...] = ()
    more: tuple[tuple[int, str], ...] = ()
    """Other statuses that are no refusal, each with its shape; an empty one: no body."""
    kind: str = JSON


ALERT_BODY: dict[str, Any] = {
    "description": "An alert as TradingView sends it: JSON, an array of alerts, or a line of text.",
    "content": {
        JSON: {"schema": {"type": ["object", "array"]}},
        TEXT: {"schema": {"type": "string"}},
    },
}
TAKES_ALERTS = (400, 401, 403, 405, 411, 413, 422, 429, 503)
READS = (401, 429)
CONTROLS = (401, 403, 411, 413, 415, 422, 429, 503)
WORD: dict[str, Any] = {"type": "string"}
NAME: dict[str, Any] = {"type": ["string", "null"], "minLength": 1}
NUMBER: dict[str, Any] = {"type": ["string", "number", "null"]}
DAY: dict[str, Any] = {"type": "string", "pattern": "^(20[0-9]{2}-[0-9]{2}-[0-9]{2})?$"}
LIMIT: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": 999_999, "default": 100}


def _body(required: tuple[str, ...] = (), **fields: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "properties": fields, "additionalProperties": False}
    needed = {"required": list(required)} if required else {}
    return {"content": {JSON: {"schema": {**schema, **needed}}}}


DESCRIBED: tuple[Described, ...] = (
    *(
        Described(
            "POST",
            path,
            about,
            shape,
            ALERT,
            "alerts",
            body=ALERT_BODY,
            refusals=TAKES_ALERTS,
            more=more,
        )
        for path, about, shape, more in (
            (
                "/webhook",
                "Trade an alert and say what came of it.",
                "Outcome|Outcomes",
                ((202, "Outcome|Outcomes"),),
            ),
            ("/alert", "The same as /webhook.", "Outcome|Outcomes", ((202, "Outcome|Outcomes"),)),
            (
                "/webhook/tradingview",
                "Take an alert and answer at once.",
                "Received|Outcome|Outcomes",
                ((202, "Outcome|Outcomes"),),
            ),
            (
                "/webhook/validate",
                "Say what an alert would do; nothing is recorded.",
                "Preview|Previews",
                ((202, "Preview|Previews"),),
            ),
        )
    ),
    Described("GET", "/webhook/test", "Say that the receiver is alive.", "Alive", ""),
    Described(
        "GET",
        "/status",
        "Say whether it is well; names only with the token.",
        "Status",
        "",
        refusals=(429,),
    ),
    Described("GET", "/health", "The same as /status.", "Status", "", refusals=(429,)),
    Described(
        "GET",
        "/history",
        "List the newest alerts with their outcome.",
        "History",
        query={
            "strategy": WORD,
            "symbol": WORD,
            "status": {"type": "string", "enum": ["", *OUTCOMES]},
            "day": DAY,
            "limit": LIMIT,
        },
        refusals=(400, *READS),
    ),
    Described(
        "GET",
        "/history/{alert_id}",
        "Tell the story of one alert.",
        "Story",
        refusals=(404, *READS),
    ),
    Described(
        "GET",
        "/positions",
        "List what is held, works and was closed.",
        "Positions",
        query={"limit": LIMIT},
        refusals=(400, *READS),
    ),
    Described(
        "GET",
        "/strategies",
        "List the strategies with mode and figures.",
        "Strategies",
        refusals=READS,
    ),
    Described(
        "GET",
        "/performance",
        "Show figures, equity curve and trades of a selection.",
        "Performance",
        query={
            **dict.fromkeys(("strategy", "account", "symbol", "from", "to"), WORD),
            "by": {"type": "string", "enum": ["trade", "day"]},
            "format": {"type": "string", "enum": ["json", "csv"]},
        },
        refusals=(400, *READS),
    ),
    Described(
        "GET",
        "/accounts",
        "List the accounts; `connect=1` asks their venues.",
        "Accounts",
        query={"connect": {"type": "string", "enum": ["0", "1"]}},
        refusals=(400, *READS),
    ),
    Described(
        "GET",
        "/overview",
        "Show what the page shows first.",
        "Overview",
        refusals=READS,
        more=((304, ""),),
    ),
    Described(
        "GET",
        "/metrics",
        "Show figures for Prometheus; METRICS_TOKEN opens this alone.",
        "",
        refusals=READS,
        kind=TEXT,
    ),
    Described("GET", "/openapi.json", "Describe all of this.", "OpenApi", ""),
    *(
        Described(
            "POST",
            path,
            about,
            "Done",
            OWNER,
            "control",
            body=_body(strategy=NAME, account=NAME),
            refusals=CONTROLS,
        )
        for path, about in (("/halt", "Stop what opens."), ("/resume", "Let alerts open again."))
    ),
    Described(
        "POST",
        "/flatten",
        "Close what strategies hold.",
        "Outcome",
        OWNER,
        "control",
        body=_body(account=NAME, strategy=NAME, symbol=NAME, confirm={"type": ["boolean", "null"]}),
        refusals=CONTROLS,
        more=((202, "Outcome"),),
    ),
    Described(
        "POST",
        "/strategies/{name}/mode",
        "Let a strategy open on paper or on its own account.",
        "Done",
        OWNER,
        "control",
        body=_body(("mode",), mode={"type": "string", "enum": ["paper", "live"]}),
        refusals=(404, *CONTROLS),
    ),
    Described(
        "POST",
        "/send",
        "Send an alert as the owner.",
        "Outcome|Outcomes|Preview|Previews",
        OWNER,
        "control",
        body=ALERT_BODY,
        refusals=(400, *CONTROLS),
        more=((202, "Outcome|Outcomes"),),
    ),
    Described(
        "POST",
        "/orders/{client_order_id}/cancel",
        "End one working entry or resting exit.",
        "Done",
        OWNER,
        "control",
        body=_body(),
        refusals=CONTROLS,
    ),
    Described(
        "POST",
        "/orders/{client_order_id}/resolve",
        "Say what became of an unknown order.",
        "Done",
        OWNER,
        "control",
        body=_body(
            ("outcome",),
            outcome={"type": "string", "enum": ["filled", "absent"]},
            quantity=NUMBER,
            price=NUMBER,
        ),
        refusals=CONTROLS,
    ),
    Described(
        "POST",
        "/compare",
        "Hold TradingView's exported files against the record.",
        "Comparison",
        OWNER,
        body={
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "properties": {
                            "file": {
                                "type": "array",
                                "items": {"type": "string", "format": "binary"},
                            },
                            "zone": WORD,
                        },
                    }
                }
            }
        },
        refusals=(400, 401, 403, 413, 422, 429),
    ),
    Described(
        "POST",
        "/mcp",
        "Answer an assistant (Model Context Protocol).",
        "McpReply",
        ASSISTANT,
        body={"content": {JSON: {"schema": {"type": "object"}}}},
        refusals=(401, 403, 411, 413, 421, 429),
        more=((202, ""), (400, "McpReply"), (404, "McpReply|Refusal")),
    ),
    Described(
        "GET",
        "/",
        "Show the page, or the form to log in.",
        "",
        "",
        "page",
        refusals=(),
        kind=HTML,
        more=((429, ""),),
    ),
    Described("GET", "/dashboard", "The same as /.", "", "", "page", kind=HTML, more=((429, ""),)),
    Described(
        "GET", "/login", "Show the form to log in.", "", "", "page", kind=HTML, more=((429, ""),)
    ),
    Described(
        "POST",
        "/login",
        "Open a session of the page.",
        "",
        "",
        "page",
        body={
            "content": {
                "application/x-www-form-urlencoded": {
                    "schema": {"type": "object", "properties": {"token": WORD}}
                }
            }
        },
        kind=HTML,
        more=((303, ""), (401, ""), (403, ""), (413, ""), (429, "")),
    ),
    Described(
        "POST",
        "/logout",
        "End the session.",
        "",
        "",
        "page",
        kind=HTML,
        more=((303, ""), (403, "")),
    ),
)
