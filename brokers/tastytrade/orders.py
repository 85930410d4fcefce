"""Write orders the way Tastytrade reads them, and read what it says of them: translation alone.

Every close says that it must close: by default it would be turned into an opening order where nothing is
held. What rests is good till cancelled, but for a stop that opens, which may only hold for the day.

Source: developer.tastytrade.com, "Orders and order types", "Idempotency"; the order API's swagger.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from brokers.protocol import UNSUPPORTED, BrokerRefused, Fill, OrderRequest
from brokers.tastytrade.instruments import any_number
from brokers.wire.fields import (
    require,
    require_level,
    require_rows,
    require_text,
    unreadable,
    write_plain,
)
from brokers.wire.lookups import VenueOrder, add_up

ZERO = Decimal(0)
TYPES = {"market": "Market", "limit": "Limit", "stop": "Stop", "stop_limit": "Stop Limit"}
STATES = {
    "Received": "accepted",
    "Routed": "accepted",
    "In Flight": "accepted",
    "Live": "accepted",
    "Contingent": "accepted",
    "Cancel Requested": "accepted",
    "Replace Requested": "accepted",
    "Filled": "filled",
    "Cancelled": "cancelled",
    "Removed": "cancelled",
    "Partially Removed": "cancelled",
    "Expired": "expired",
    "Rejected": "refused",
}


def write_order(request: OrderRequest) -> dict[str, Any]:
    """Return the body of one order."""
    kind = request.order_type
    body: dict[str, Any] = {
        "order-type": TYPES[kind],
        "time-in-force": _write_time(request),
        "legs": [_write_leg(request)],
        "external-identifier": request.client_id,
        "automated-source": True,
    }
    if kind in ("limit", "stop_limit"):
        body["price"] = write_plain(require_level(request.limit_price))
        body["price-effect"] = "Debit" if request.side == "buy" else "Credit"
    if kind in ("stop", "stop_limit"):
        body["stop-trigger"] = write_plain(require_level(request.stop_price))
    if request.reduces:
        body["advanced-instructions"] = {"strict-position-effect-validation": True}
    return body


def write_pair(requests: tuple[OrderRequest, ...]) -> dict[str, Any]:
    """Return the body of a stop and a target that end one another."""
    same = {(each.side, each.quantity, each.instrument.symbol) for each in requests}
    if len(requests) != 2 or len(same) != 1:
        text = "Tastytrade links one stop and one target of one size."
        raise BrokerRefused(text, UNSUPPORTED)
    return {"type": "OCO", "orders": [write_order(each) for each in requests]}


def _write_time(request: OrderRequest) -> str:
    opens_by_stop = request.order_type == "stop" and not request.reduces
    return "Day" if request.order_type == "market" or opens_by_stop else "GTC"


def _write_leg(request: OrderRequest) -> dict[str, Any]:
    if request.quantity != int(request.quantity):
        text = (
            f"{write_plain(request.quantity)} is no whole number: no parts of shares or contracts."
        )
        raise BrokerRefused(text, UNSUPPORTED)
    is_future, side = request.instrument.kind == "futures", request.side.capitalize()
    effect = "" if is_future else " to Close" if request.reduces else " to Open"
    return {
        "instrument-type": "Future" if is_future else "Equity",
        "symbol": request.instrument.symbol,
        "action": f"{side}{effect}",
        "quantity": int(request.quantity),
    }


def read_order(data: Any) -> tuple[VenueOrder, tuple[Fill, ...]]:
    """Read one order and its executions. Raises `Uncertain`."""
    state, client_id = require_text(data, "status"), data.get("external-identifier")
    if state not in STATES:
        raise unreadable(f"an order in state {state[:20]}")
    legs = require_rows(data.get("legs"))
    if len(legs) != 1:
        raise unreadable("an order with several legs")
    name = client_id if isinstance(client_id, str) else ""
    side = "buy" if require_text(legs[0], "action").startswith("Buy") else "sell"
    fills = tuple(_read_fill(row, name, side) for row in require_rows(legs[0].get("fills", [])))
    asked, status = any_number(legs[0], "quantity"), STATES[state]
    changed = data.get("updated-at")
    reason = data.get("reject-reason")
    order = VenueOrder(
        symbol=require_text(legs[0], "symbol"),
        order_id=str(require(data, "id", int)),
        client_id=name,
        side=side,
        status=status,
        asked=asked,
        executed=asked if status == "filled" else add_up(fills),
        value=sum((fill.quantity * fill.price for fill in fills), ZERO),
        changed_at=changed if isinstance(changed, int) else read_time(data, "received-at"),
        placed_at=read_time(data, "received-at"),
        reason=reason if isinstance(reason, str) else "",
    )
    return order, fills


def _read_fill(row: Any, client_id: str, side: str) -> Fill:
    """Read one execution. Tastytrade tells no fee with it."""
    quantity, price = any_number(row, "quantity"), any_number(row, "fill-price")
    if quantity <= 0 or price < 0:
        raise unreadable("an execution of less than nothing")
    return Fill(
        fill_id=require_text(row, "fill-id"),
        client_id=client_id,
        side=side,
        quantity=quantity,
        price=price,
        fee=ZERO,
        fee_coin="USD",
        at=read_time(row, "filled-at"),
    )


def read_time(row: Any, name: str) -> int:
    """Read a time as milliseconds since 1970."""
    try:
        at = datetime.fromisoformat(require_text(row, name))
    except ValueError:
        raise unreadable(f"{name} is no time") from None
    if at.tzinfo is None:
        raise unreadable(f"{name} has no zone")
    return round(at.timestamp() * 1000)
