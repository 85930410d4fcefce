"""Write orders the way ProjectX reads them, and read what it says of them: translation alone.

Our client id travels as `customTag`, which an account takes once. Brackets are not used: nobody says what
they do when an entry fills in part, so stop and target follow the fill as orders of their own.

Source: ProjectX Gateway API, `Order/place`, `Order/search`, `Trade/search`; orders and trades recorded live.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from brokers.protocol import UNSUPPORTED, BrokerRefused, Fill, OrderRequest
from brokers.wire.fields import (
    optional_number,
    require,
    require_level,
    require_number,
    require_text,
    unreadable,
)
from brokers.wire.lookups import VenueOrder

TYPES = {"limit": 1, "market": 2, "stop_limit": 3, "stop": 4}
SIDES = {0: "buy", 1: "sell"}
STATES = {
    1: "accepted",
    2: "filled",
    3: "cancelled",
    4: "expired",
    5: "refused",
    6: "accepted",
    7: "accepted",
    8: "accepted",
}
"""Open, Filled, Cancelled, Expired, Rejected, Pending, PendingCancellation, Suspended."""
MOST_TAG = 32
REJECTED = "ProjectX rejected it and gives no reason: look at the order there"


def write_order(request: OrderRequest, account: int, contract_id: str) -> dict[str, Any]:
    """Return the body of one order."""
    if request.quantity != int(request.quantity):
        raise BrokerRefused(f"{request.quantity} is no whole number of contracts.", UNSUPPORTED)
    if len(request.client_id) > MOST_TAG:
        raise BrokerRefused("The order's name is too long for ProjectX.", UNSUPPORTED)
    kind = request.order_type
    body: dict[str, Any] = {
        "accountId": account,
        "contractId": contract_id,
        "type": TYPES[kind],
        "side": 0 if request.side == "buy" else 1,
        "size": int(request.quantity),
        "customTag": request.client_id,
    }
    if kind in ("limit", "stop_limit"):
        body["limitPrice"] = require_level(request.limit_price)
    if kind in ("stop", "stop_limit"):
        body["stopPrice"] = require_level(request.stop_price)
    return body


def read_order_id(data: Any) -> int:
    """Return the number of an order that was taken. Raises `Uncertain` where there is none."""
    number: int = require(data, "orderId", int)
    if number <= 0:
        raise unreadable("orderId is no number of an order")
    return number


def read_tag(row: Any) -> str:
    """Return the client id of an order; empty where it has none."""
    tag = row.get("customTag") if isinstance(row, dict) else None
    return tag if isinstance(tag, str) else ""


def read_order(row: Any, symbol: str) -> VenueOrder:
    """Read one order. Raises `Uncertain`."""
    state, side = require(row, "status", int), require(row, "side", int)
    if state not in STATES or side not in SIDES:
        raise unreadable(f"an order of side {side} in state {state}")
    asked, executed = require_number(row, "size"), require_number(row, "fillVolume")
    price = optional_number(row, "filledPrice")
    if asked <= 0 or not 0 <= executed <= asked or (price is not None and price <= 0):
        raise unreadable("an order of no size, or filled beyond it")
    status = STATES[state]
    if status == "filled" and (executed < asked or price is None):
        raise unreadable("an order that is filled and is not")
    placed_at = read_time(row, "creationTimestamp")
    changed = row.get("updateTimestamp")
    return VenueOrder(
        symbol=symbol,
        order_id=str(require(row, "id", int)),
        client_id=read_tag(row),
        side=SIDES[side],
        status=status,
        asked=asked,
        executed=executed,
        value=executed * price if price is not None else Decimal(-1),
        changed_at=placed_at if changed is None else read_time(row, "updateTimestamp"),
        placed_at=placed_at,
        reason=REJECTED if status == "refused" else "",
    )


def read_fills(rows: Iterable[Any], order_id: int, client_id: str) -> tuple[Fill, ...]:
    """Return the executions of one order."""
    return tuple(
        read_fill(row, client_id)
        for row in rows
        if require(row, "orderId", int) == order_id and not is_voided(row)
    )


def is_voided(row: Any) -> bool:
    """Tell whether an execution was taken back."""
    return bool(require(row, "voided", bool))


def read_fill(row: Any, client_id: str) -> Fill:
    """Read one execution; its fees are those of this side of the trade."""
    side = require(row, "side", int)
    quantity, price = require_number(row, "size"), require_number(row, "price")
    if side not in SIDES or quantity <= 0 or price <= 0:
        raise unreadable("an execution without side, size or price")
    return Fill(
        fill_id=str(require(row, "id", int)),
        client_id=client_id,
        side=SIDES[side],
        quantity=quantity,
        price=price,
        fee=require_number(row, "fees") + (optional_number(row, "commissions") or 0),
        fee_coin="USD",
        at=read_time(row, "creationTimestamp"),
    )


def read_positions(rows: Sequence[Any]) -> dict[str, Decimal]:
    """Return what is held by contract id, signed: its size is always positive there."""
    held: dict[str, Decimal] = {}
    for row in rows:
        kind, size = require(row, "type", int), require_number(row, "size")
        if size == 0:
            continue
        if kind not in (1, 2) or size < 0:
            raise unreadable(f"a position of kind {kind}")
        name = require_text(row, "contractId")
        held[name] = held.get(name, Decimal(0)) + (size if kind == 1 else -size)
    return held


def read_time(row: Any, name: str) -> int:
    """Read a time as milliseconds since 1970."""
    try:
        at = datetime.fromisoformat(require_text(row, name))
    except ValueError:
        raise unreadable(f"{name} is no time") from None
    if at.tzinfo is None:
        raise unreadable(f"{name} has no zone")
    try:
        return round(at.timestamp() * 1000)
    except (OverflowError, OSError):
        raise unreadable(f"{name} is out of range") from None


def write_time(at_ms: int) -> str:
    """Write a time the way ProjectX takes it."""
    return datetime.fromtimestamp(max(at_ms, 0) / 1000, UTC).isoformat(timespec="milliseconds")
