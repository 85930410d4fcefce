"""Write orders the way Binance's spot market reads them, and read what it says of them.

Translation alone: nothing is sent, and nothing is kept. What is missing, of another type or no finite
number in an answer is `Uncertain`, because an order may stand behind it.

Source: "Trading endpoints" (order, orderList/oco, oto, otoco) and "Enums" of the Binance Spot API
documentation.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from brokers.binance.signing import Params
from brokers.protocol import UNSUPPORTED, BrokerRefused, Fill, OrderRequest, Uncertain
from brokers.wire.fields import (
    floor_to,
    optional_decimal,
    require,
    require_decimal,
    require_level,
    unreadable,
    write_plain,
)
from brokers.wire.lookups import FINEST_CASH, VenueOrder, cut_to_market

ZERO = Decimal(0)
STATES = {
    "NEW": "accepted",
    "PENDING_NEW": "accepted",
    "PARTIALLY_FILLED": "accepted",
    "PENDING_CANCEL": "accepted",
    "FILLED": "filled",
    "CANCELED": "cancelled",
    "EXPIRED": "expired",
    "EXPIRED_IN_MATCH": "expired",
    "REJECTED": "refused",
}


def write_order(request: OrderRequest) -> Params:
    """Return the parameters of one order.

    A market order that reduces is cut to what Binance takes in one order: the rest stays to be sold.
    """
    return [
        ("symbol", request.instrument.symbol),
        ("side", request.side.upper()),
        *_write_kind(request),
        ("newClientOrderId", request.client_id),
        ("newOrderRespType", "FULL"),
    ]


def write_pair(requests: tuple[OrderRequest, ...]) -> Params:
    """Return the parameters of a stop and a target that end one another, for coins that are held."""
    first = requests[0]
    return [
        ("symbol", first.instrument.symbol),
        ("side", first.side.upper()),
        ("quantity", write_plain(first.quantity)),
        *_write_legs(requests, "above", "below"),
    ]


def write_entry_with_exits(request: OrderRequest) -> tuple[str, Params]:
    """Return path and parameters of a limit entry with a stop, a target or both behind it.

    The exits start when the entry has filled completely. Raises `BrokerRefused` for any other kind of entry,
    which Binance cannot carry.
    """
    if request.order_type != "limit":
        text = "Binance links a stop and a target to a limit entry only."
        raise BrokerRefused(text, UNSUPPORTED)
    params = [
        ("symbol", request.instrument.symbol),
        ("workingType", "LIMIT"),
        ("workingSide", request.side.upper()),
        ("workingPrice", write_plain(require_level(request.limit_price))),
        ("workingQuantity", write_plain(request.quantity)),
        ("workingTimeInForce", "GTC"),
        ("workingClientOrderId", request.client_id),
        ("pendingSide", request.legs[0].side.upper()),
        ("pendingQuantity", write_plain(request.legs[0].quantity)),
    ]
    if len(request.legs) == 1:
        return "/api/v3/orderList/oto", params + _write_leg(request.legs[0], "pending", "LIMIT")
    pair = _write_legs(request.legs, "pendingAbove", "pendingBelow")
    return "/api/v3/orderList/otoco", params + pair


def read_row(data: Any, client_id: str = "clientOrderId") -> VenueOrder:
    """Read one order; `client_id` names the field that has its id. Raises `Uncertain`."""
    state = require(data, "status", str)
    side = require(data, "side", str)
    if state not in STATES or side not in ("BUY", "SELL"):
        raise Uncertain(f"Binance's answer cannot be read: an order {side} in state {state}")
    placed = data.get("time", data.get("transactTime"))
    changed = data.get("updateTime", data.get("transactTime"))
    if not (isinstance(placed, int) and isinstance(changed, int)):
        raise Uncertain("Binance's answer cannot be read: the order has no time")
    reason = data.get("expiryReason")
    return VenueOrder(
        symbol=require(data, "symbol", str),
        order_id=str(require(data, "orderId", int)),
        client_id=require(data, client_id, str),
        side=side.lower(),
        status=STATES[state],
        asked=require_decimal(data, "origQty"),
        executed=require_decimal(data, "executedQty"),
        value=require_decimal(data, "cummulativeQuoteQty"),
        changed_at=changed,
        placed_at=placed,
        asked_value=optional_decimal(data, "origQuoteOrderQty") or ZERO,
        reason=reason if isinstance(reason, str) else "",
    )


def read_placed_fills(fills: Any, row: VenueOrder) -> tuple[Fill, ...]:
    """Read the executions that an accepted order's answer brings; none where it brings none."""
    of_order = {"isBuyer": row.side == "buy", "time": row.changed_at}
    rows = fills if isinstance(fills, list) else []
    if not all(isinstance(fill, dict) for fill in rows):
        raise unreadable("an execution is no object")
    named = [{**fill, **of_order} for fill in rows]
    return tuple(read_trade(fill, row.symbol, row.client_id, "tradeId") for fill in named)


def read_trade(data: Any, symbol: str, client_id: str, name: str = "id") -> Fill:
    """Read one execution; `name` is the field that has its number."""
    return Fill(
        fill_id=f"{symbol}:{require(data, name, int)}",
        client_id=client_id,
        side="buy" if require(data, "isBuyer", bool) else "sell",
        quantity=require_decimal(data, "qty"),
        price=require_decimal(data, "price"),
        fee=require_decimal(data, "commission"),
        fee_coin=require(data, "commissionAsset", str),
        at=require(data, "time", int),
    )


def _write_kind(request: OrderRequest) -> Params:
    """Return type, amount and prices of a single order."""
    if request.order_type == "market":
        if request.quote_quantity is not None:
            cash = floor_to(request.quote_quantity, FINEST_CASH)
            return [("type", "MARKET"), ("quoteOrderQty", write_plain(cash))]
        return [("type", "MARKET"), ("quantity", write_plain(cut_to_market(request)))]
    stop, quantity = request.stop_price, ("quantity", write_plain(request.quantity))
    if request.order_type == "stop":
        return [("type", "STOP_LOSS"), quantity, ("stopPrice", write_plain(require_level(stop)))]
    price = ("price", write_plain(require_level(request.limit_price)))
    if request.order_type == "limit":
        return [("type", "LIMIT"), ("timeInForce", "GTC"), quantity, price]
    kind = [("type", "STOP_LOSS_LIMIT"), ("timeInForce", "GTC")]
    return [*kind, quantity, price, ("stopPrice", write_plain(require_level(stop)))]


def _write_legs(legs: tuple[OrderRequest, ...], above: str, below: str) -> Params:
    """Return the parameters of a target above the market and a stop below it."""
    by_kind = {leg.order_type == "limit": leg for leg in legs}
    same = {(leg.side, leg.quantity, leg.instrument.symbol) for leg in legs}
    if len(legs) != 2 or len(by_kind) != 2 or len(same) != 1 or legs[0].side != "sell":
        text = "Binance links one stop and one target of one size, which sell what is held."
        raise BrokerRefused(text, UNSUPPORTED)
    target, stop = by_kind[True], by_kind[False]
    return _write_leg(target, above, "LIMIT_MAKER") + _write_leg(stop, below, "")


def _write_leg(leg: OrderRequest, prefix: str, limit_type: str) -> Params:
    """Return one leg of a list, each name with its prefix; the quantity is said once for the list."""
    named = [(f"{prefix}ClientOrderId", leg.client_id)]
    patient = [(f"{prefix}TimeInForce", "GTC")]
    price = (
        [(f"{prefix}Price", write_plain(leg.limit_price))] if leg.limit_price is not None else []
    )
    if leg.order_type == "limit":
        named += [(f"{prefix}Type", limit_type), *price]
        return named if limit_type == "LIMIT_MAKER" else named + patient
    stop = [(f"{prefix}StopPrice", write_plain(require_level(leg.stop_price)))]
    if leg.order_type == "stop":
        return [*named, (f"{prefix}Type", "STOP_LOSS"), *stop]
    return [*named, (f"{prefix}Type", "STOP_LOSS_LIMIT"), *stop, *price, *patient]
