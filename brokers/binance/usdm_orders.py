"""Write orders the way Binance's USD-M market reads them, and read what it says of them.

Market and plain limit orders are ordinary orders; whatever waits for a level is an algo order with endpoints,
states and an id of its own, which makes an ordinary order (its child) when the level is reached. Translation
alone: nothing is sent, and nothing is kept.

Source: "New Order", "New Algo Order", "Query Algo Order", "Account Trade List" and "Common Definition" of the
Binance USD-M Futures documentation.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from brokers.binance.signing import Params
from brokers.protocol import Fill, Funding, OrderRequest, Uncertain
from brokers.wire.fields import (
    optional_decimal,
    require,
    require_decimal,
    require_level,
    unreadable,
    write_plain,
)
from brokers.wire.lookups import VenueOrder, cut_to_market

ZERO = Decimal(0)
UNTOLD = Decimal(-1)
"""The worth of executions that the venue does not tell here."""
STATES = {
    "NEW": "accepted",
    "PARTIALLY_FILLED": "accepted",
    "FILLED": "filled",
    "CANCELED": "cancelled",
    "EXPIRED": "expired",
    "EXPIRED_IN_MATCH": "expired",
    "REJECTED": "refused",
}
ALGO_STATES = {
    "NEW": "accepted",
    "TRIGGERING": "accepted",
    "TRIGGERED": "accepted",
    "FINISHED": "filled",
    "CANCELED": "cancelled",
    "EXPIRED": "expired",
    "REJECTED": "refused",
}
"""FINISHED says only that the child has ended, filled or not: what became of it, the child says."""


@dataclass(frozen=True, slots=True)
class AlgoOrder:
    """An order that waits for a level, and the order it became when the level was reached."""

    order: VenueOrder
    state: str
    """In Binance's words."""
    child_id: str
    """Binance's number of the child; empty before the level is reached."""
    changed_at: int


def waits_for_level(request: OrderRequest) -> bool:
    """Tell whether an order is an algo order here.

    A limit order that reduces is one too: as a target it stands where stops do, and is cancelled there.
    """
    if request.order_type in ("stop", "stop_limit"):
        return True
    return request.order_type == "limit" and request.reduces


def write_order(request: OrderRequest) -> Params:
    """Return the parameters of a market or plain limit order; `positionSide` is never among them.

    A market order that reduces is cut to what Binance takes in one order: the rest stays to be closed.
    """
    params = [("symbol", request.instrument.symbol), ("side", request.side.upper())]
    if request.order_type == "market":
        params += [("type", "MARKET"), ("quantity", write_plain(cut_to_market(request)))]
    else:
        params += [
            ("type", "LIMIT"),
            ("timeInForce", "GTC"),
            ("quantity", write_plain(request.quantity)),
            ("price", write_plain(require_level(request.limit_price))),
        ]
    if request.reduces:
        params.append(("reduceOnly", "true"))
    return [*params, ("newClientOrderId", request.client_id), ("newOrderRespType", "RESULT")]


def write_algo_order(request: OrderRequest) -> Params:
    """Return the parameters of an order that waits for a level.

    Never `closePosition`: it would one day close what is not ours (rules 7.1).
    """
    limit, level = request.limit_price, request.stop_price
    if request.order_type == "limit":
        kind, level = "TAKE_PROFIT", limit
    else:
        kind = "STOP" if request.order_type == "stop_limit" else "STOP_MARKET"
    params = [
        ("algoType", "CONDITIONAL"),
        ("symbol", request.instrument.symbol),
        ("side", request.side.upper()),
        ("type", kind),
        ("quantity", write_plain(request.quantity)),
        ("triggerPrice", write_plain(require_level(level))),
    ]
    if kind != "STOP_MARKET":
        params += [("timeInForce", "GTC"), ("price", write_plain(require_level(limit)))]
    if request.reduces:
        params.append(("reduceOnly", "true"))
    return [*params, ("clientAlgoId", request.client_id), ("newOrderRespType", "RESULT")]


def read_row(data: Any) -> VenueOrder:
    """Read one ordinary order. Raises `Uncertain`.

    Answers to placing and cancelling promise no price any more (since July 2026); a look-up tells it.
    """
    state, side = require(data, "status", str), _read_side(data)
    if state not in STATES:
        raise unreadable(f"an order in state {state}")
    require_decimal(data, "price")
    executed, worth = require_decimal(data, "executedQty"), optional_decimal(data, "cumQuote")
    average = optional_decimal(data, "avgPrice")
    if worth is None:
        worth = average * executed if average else UNTOLD
    placed = data.get("time")
    return VenueOrder(
        symbol=require(data, "symbol", str),
        order_id=str(require(data, "orderId", int)),
        client_id=require(data, "clientOrderId", str),
        side=side,
        status=STATES[state],
        asked=require_decimal(data, "origQty"),
        executed=executed,
        value=worth,
        changed_at=require(data, "updateTime", int),
        placed_at=placed if isinstance(placed, int) and not isinstance(placed, bool) else None,
    )


def read_algo_order(data: Any) -> AlgoOrder:
    """Read one algo order. Raises `Uncertain`."""
    state = require(data, "algoStatus", str)
    if state not in ALGO_STATES:
        raise unreadable(f"an algo order in state {state}")
    changed = require(data, "updateTime", int)
    order = VenueOrder(
        symbol=require(data, "symbol", str),
        order_id=str(require(data, "algoId", int)),
        client_id=require(data, "clientAlgoId", str),
        side=_read_side(data),
        status=ALGO_STATES[state],
        asked=require_decimal(data, "quantity"),
        executed=ZERO,
        value=UNTOLD,
        changed_at=changed,
        placed_at=require(data, "createTime", int),
    )
    return AlgoOrder(order, state, read_child(data), changed)


def read_child(data: Any) -> str:
    """Read the number of the order that an algo order has become, empty while it waits."""
    child = data.get("actualOrderId") if isinstance(data, dict) else None
    child = str(child) if isinstance(child, int) and not isinstance(child, bool) else child or ""
    if not isinstance(child, str) or (child and not (child.isascii() and child.isdigit())):
        raise unreadable("actualOrderId is no number")
    return "" if child == "0" else child


def read_trade(data: Any, client_id: str) -> Fill:
    """Read one execution."""
    symbol = require(data, "symbol", str)
    return Fill(
        fill_id=f"{symbol}:{require(data, 'id', int)}",
        client_id=client_id,
        side=_read_side(data),
        quantity=require_decimal(data, "qty"),
        price=require_decimal(data, "price"),
        fee=require_decimal(data, "commission"),
        fee_coin=require(data, "commissionAsset", str),
        at=require(data, "time", int),
    )


def read_funding(data: Any) -> Funding:
    """Read one payment of funding; Binance's number of it is unique among those of an account."""
    return Funding(
        funding_id=f"{require(data, 'tranId', int)}",
        symbol=require(data, "symbol", str),
        amount=require_decimal(data, "income"),
        coin=require(data, "asset", str),
        at=require(data, "time", int),
    )


def _read_side(data: Any) -> str:
    side = require(data, "side", str)
    if side not in ("BUY", "SELL"):
        raise Uncertain(f"Binance's answer cannot be read: the side is {side}")
    return str(side.lower())
