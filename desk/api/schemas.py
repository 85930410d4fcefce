"""Describe the shape of every answer, once, for `GET /openapi.json`. Nothing is answered here.

Money and quantities are texts, so that no reader rounds them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from desk.alerts.answers import OUTCOMES

DECIMAL = r"^-?[0-9]+(\.[0-9]+)?$"
KINDS: Mapping[str, dict[str, Any]] = MappingProxyType(
    {
        "text": {"type": "string"},
        "decimal": {"type": "string", "pattern": DECIMAL},
        "time": {"type": "string", "format": "date-time"},
        "day": {"type": "string", "format": "date"},
        "yes": {"type": "boolean"},
        "count": {"type": "integer", "minimum": 0},
        "number": {"type": "number"},
        "texts": {"type": "array", "items": {"type": "string"}},
        "object": {"type": "object"},
        "any": {},
        "map": {"type": "object", "additionalProperties": {"type": "string"}},
        "status": {"type": "string", "enum": list(OUTCOMES)},
        "mode": {"type": "string", "enum": ["paper", "live"]},
    }
)
"""The words by which the fields below say what they hold; a name in brackets: a list of such shapes."""
OUTCOME = (
    "success:yes status:status alert_id:text action:text? symbol:text? strategy:text? orders:[Order] "
    "code:text? duplicate:yes warnings:texts message:text"
)
ROW = f"{OUTCOME} received_at:time comment:text? deliveries:count"
TRADE = (
    "account:text symbol:text instrument:text strategy:text paper:yes side:text quantity:decimal "
    "entry_price:decimal exit_price:decimal fees:decimal funding:decimal realized_pnl:decimal "
    "closed_by:text approximate:yes opened_at:time closed_at:time"
)
SHAPES: Mapping[str, str] = MappingProxyType(
    {
        "Refusal": "success:yes status:status code:text message:text",
        "Done": "success:yes message:text",
        "Order": "account:text paper:yes instrument:text? client_order_id:text? broker_order_id:text? "
        "status:status side:text? quantity:decimal? filled_quantity:decimal average_price:decimal? "
        "take_profit:any take_profits:any stop_loss:any fees:map? code:text? message:text?",
        "Outcome": OUTCOME,
        "Outcomes": "success:yes results:[Outcome]",
        "Received": "status:text alert_id:text message:text",
        "Preview": "valid:yes alert:object? orders:[Order] warnings:texts code:text? message:text",
        "Previews": "valid:yes results:[Preview]",
        "Alive": "status:text message:text timestamp:number rate_limit_status:text",
        "Status": "status:text version:text started_at:time uptime:count mode:mode counts:object open:Open",
        "Open": "unknown_orders:any owed_exits:any bare_shares:any unprotected_positions:any halted:any "
        "silent_accounts:any blocked:any not_recording:any expiry_near:any failing_channels:any",
        "AlertRow": f"{ROW} latency_ms:number?",
        "History": "count:count alerts:[AlertRow]",
        "Story": f"{ROW} http:count body:text alert:object? notes:object decisions:[Decision] "
        "requests:[Request] closed:[EndedTrade] explain:text milliseconds:object",
        "Decision": "at:time text:text",
        "Request": "account:text paper:yes instrument:text client_order_id:text kind:text side:text "
        "order_type:text quantity:decimal limit_price:decimal? stop_price:decimal? sent_at:time? "
        "status:status filled_quantity:decimal average_price:decimal? filled_at:time? code:text? "
        "message:text?",
        "Lot": "quantity:decimal price:decimal opened_at:time",
        "WorkingOrder": "client_order_id:text kind:text side:text quantity:decimal order_type:text "
        "limit_price:decimal? stop_price:decimal? status:status",
        "Position": "account:text symbol:text instrument:text strategy:text paper:yes quantity:decimal "
        "average_price:decimal? realized_pnl:decimal? open_pnl:decimal? stop_loss:decimal? "
        "take_profit:decimal? take_profits:any move_stop:text? "
        "protected:yes? roll_day:day? last_day:day? triggered_by:text? lots:[Lot] "
        "orders:[WorkingOrder]",
        "Trade": TRADE,
        "EndedTrade": f"{TRADE} message:text",
        "Positions": "positions:[Position] closed:[Trade]",
        "Figures": "trades:count wins:count losses:count win_rate:decimal? net_pnl:decimal fees:decimal "
        "profit_factor:decimal? expectancy:decimal? average_win:decimal? average_loss:decimal? "
        "max_drawdown:decimal consecutive_losses:count last_trade_at:time? currency:text?",
        "Strategy": "name:text mode:mode reason:text mode_since:time? rules:object account:text "
        "accounts:texts enabled:yes registered:yes default_quantity:decimal? direction:text? sync:text? "
        "pyramid:yes paper:Figures live:Figures",
        "Strategies": "strategies:[Strategy]",
        "CountedTrade": f"{TRADE} net_pnl:decimal? currency:text? comment:text?",
        "Point": "net_pnl:decimal equity:decimal",
        "Part": "figures:Figures equity_curve:[Point] trades:[CountedTrade]",
        "Performance": "paper:Part live:Part",
        "Account": "account:text broker:text mode:text market:text? currency:text strategies:texts "
        "missing:texts problems:texts warnings:texts equity:decimal? open_pnl:decimal?",
        "Accounts": "accounts:[Account]",
        "Problem": "kind:text account:text? since:time? text:text",
        "Overview": "mode:mode version:text accounts:[Account] problems:[Problem] halted:texts "
        "positions:[Position] strategies:texts count:count alerts:[AlertRow]",
        "Comparison": "files:any alerts:any orders:any differences:any totals:any causes:texts "
        "warnings:texts",
        "McpReply": "jsonrpc:text id:any",
        "OpenApi": "openapi:text info:object paths:object components:object",
    }
)
"""Every shape by its name, as `field:kind`; each field stands in every answer of it. `?`: or null."""


def write_schemas() -> dict[str, dict[str, Any]]:
    """Return the shapes as JSON schemas, in which every field is required."""
    found: dict[str, dict[str, Any]] = {}
    for name, text in SHAPES.items():
        fields = dict(each.split(":", 1) for each in text.split())
        properties = {field: _write_kind(kind) for field, kind in fields.items()}
        found[name] = {"type": "object", "required": [*fields], "properties": properties}
    return found


def _write_kind(kind: str) -> dict[str, Any]:
    word = kind.removesuffix("?")
    if word.startswith("["):
        return {"type": "array", "items": refer(word.strip("[]"))}
    found: dict[str, Any] = {**KINDS[word]} if word in KINDS else refer(word)
    if kind.endswith("?"):
        found["type"] = [found["type"], "null"]
    return found


def refer(name: str) -> dict[str, Any]:
    """Return a reference to a shape. Raises `KeyError` for one that there is not."""
    _ = SHAPES[name]
    return {"$ref": f"#/components/schemas/{name}"}
