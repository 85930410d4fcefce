"""Write orders the way Tradovate reads them, and read what it says of them: translation alone.

An order there has no size, price or id of ours: those stand in its versions and its commands, what it
filled in its fills. Every order is marked as automated, which the exchanges demand.

Source: Tradovate Partner OpenAPI, `order/placeorder`, `order/placeoco`, `order/item`, `orderVersion/deps`,
`command/list`, `fill/deps`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from brokers.protocol import UNSUPPORTED, BrokerRefused, Fill, OrderRequest, Uncertain
from brokers.wire.fields import require, require_level, require_number, require_text, unreadable
from brokers.wire.lookups import VenueOrder, add_up

ZERO, UNTOLD = Decimal(0), Decimal(-1)
TYPES = {"market": "Market", "limit": "Limit", "stop": "Stop", "stop_limit": "StopLimit"}
ACTIONS = {"Buy": "buy", "Sell": "sell"}
STATES = {
    "PendingNew": "accepted",
    "Working": "accepted",
    "Suspended": "accepted",
    "PendingCancel": "accepted",
    "PendingReplace": "accepted",
    "Filled": "filled",
    "Completed": "filled",
    "Canceled": "cancelled",
    "Expired": "expired",
    "Rejected": "refused",
}


def write_order(request: OrderRequest, account: tuple[int, str]) -> dict[str, Any]:
    """Return the body of one order; `account` is its number and its name."""
    number, name = account
    return {
        "accountSpec": name,
        "accountId": number,
        "clOrdId": request.client_id,
        "symbol": request.instrument.symbol,
        "orderQty": _write_quantity(request.quantity),
        "isAutomated": True,
        **_write_kind(request),
    }


def write_pair(requests: tuple[OrderRequest, ...], account: tuple[int, str]) -> dict[str, Any]:
    """Return the body of a stop and a target that end one another."""
    same = {(each.side, each.quantity, each.instrument.symbol) for each in requests}
    if len(requests) != 2 or len(same) != 1:
        raise BrokerRefused("Tradovate links two orders of one side and size.", UNSUPPORTED)
    first, second = requests
    other = {"clOrdId": second.client_id, **_write_kind(second)}
    return {**write_order(first, account), "other": other}


def _write_kind(request: OrderRequest) -> dict[str, Any]:
    """Return side, type, levels and how long it holds: protection is good till cancelled (rules 6.3)."""
    kind = request.order_type
    body: dict[str, Any] = {
        "action": "Buy" if request.side == "buy" else "Sell",
        "orderType": TYPES[kind],
        "timeInForce": "Day" if kind == "market" else "GTC",
    }
    if kind in ("limit", "stop_limit"):
        body["price"] = require_level(request.limit_price)
    if kind in ("stop", "stop_limit"):
        body["stopPrice"] = require_level(request.stop_price)
    return body


def _write_quantity(quantity: Decimal) -> int:
    if quantity != int(quantity):
        raise BrokerRefused(f"{quantity} is no whole number of contracts.", UNSUPPORTED)
    return int(quantity)


def read_order_id(data: Any, name: str = "orderId") -> int:
    """Return the number of an order that was taken. Raises `Uncertain` where there is none."""
    return int(require(data, name, int))


def read_order(
    order: Any, versions: Sequence[Any], fills: Sequence[Fill], client_id: str, symbol: str
) -> VenueOrder:
    """Put one order together from its row, its versions and its fills. Raises `Uncertain`."""
    state, action = require_text(order, "ordStatus"), require_text(order, "action")
    if state not in STATES or action not in ACTIONS:
        raise unreadable(f"an order {action[:20]} in state {state[:20]}")
    if not versions:
        raise Uncertain("Tradovate does not tell the order's size yet")
    newest = max(versions, key=lambda row: require(row, "id", int))
    asked, executed = require_number(newest, "orderQty"), add_up(fills)
    status = STATES[state]
    if state == "Completed" and executed < asked:
        status = "cancelled"
    at = read_time(order, "timestamp")
    whole = asked if status == "filled" else executed
    # Of executions that are not all listed nobody knows the worth: a part of it would be a wrong price.
    value = (
        sum((fill.quantity * fill.price for fill in fills), ZERO) if executed == whole else UNTOLD
    )
    return VenueOrder(
        symbol=symbol,
        order_id=str(require(order, "id", int)),
        client_id=client_id,
        side=ACTIONS[action],
        status=status,
        asked=asked,
        executed=whole,
        value=value,
        changed_at=at,
        placed_at=at,
    )


def read_fill(row: Any, client_id: str) -> Fill:
    """Read one execution. Tradovate tells no fee with it."""
    action = require_text(row, "action")
    if action not in ACTIONS:
        raise unreadable(f"an execution {action[:20]}")
    return Fill(
        fill_id=str(require(row, "id", int)),
        client_id=client_id,
        side=ACTIONS[action],
        quantity=require_number(row, "qty"),
        price=require_number(row, "price"),
        fee=ZERO,
        fee_coin="USD",
        at=read_time(row, "timestamp"),
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
