"""Write orders the way Bybit reads them, and read what it says of them.

Translation alone: nothing is sent, and nothing is kept. What is missing, of another type or no finite number
in an answer is `Uncertain`, because an order may stand behind it.

Source: "Trade" (create, amend, cancel, realtime, history, execution list) and "Enums" of the Bybit v5
documentation.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from brokers.protocol import UNSUPPORTED, BrokerRefused, Fill, OrderRequest
from brokers.wire.fields import (
    floor_to,
    optional_decimal,
    require,
    require_decimal,
    require_level,
    require_text,
    unreadable,
    write_plain,
)
from brokers.wire.lookups import FINEST_CASH, VenueOrder, cut_to_market

ZERO = Decimal(0)
UNTOLD = Decimal(-1)
"""The worth of executions that the venue does not tell."""
RISES, FALLS = 1, 2
STATES = {
    "Created": "accepted",
    "New": "accepted",
    "PartiallyFilled": "accepted",
    "Untriggered": "accepted",
    "Triggered": "accepted",
    "Filled": "filled",
    "Cancelled": "cancelled",
    "PartiallyFilledCanceled": "cancelled",
    "Deactivated": "cancelled",
    "Rejected": "refused",
}
TRADES = frozenset({"Trade", "AdlTrade", "BustTrade", "BlockTrade", "MovePosition"})
"""The kinds of executions that change a position; funding is none of them."""
NO_REASON = ("", "EC_NoError")
_LEG_KINDS = {"PartialStopLoss": "stop", "PartialTakeProfit": "limit"}
"""What the venue calls the legs that it makes of an entry's levels, and what they are here."""


@dataclass(frozen=True, slots=True)
class BybitOrder:
    """One order with what only Bybit tells of it."""

    order: VenueOrder
    parent: str
    """Our id of the entry that an attached leg belongs to, else empty."""
    leg: str
    """What an attached leg is: stop or limit, else empty."""
    fee_coin: str
    """What its fees were taken in, where that is one coin."""


def write_order(category: str, request: OrderRequest) -> dict[str, Any]:
    """Return the body of one order: numbers are texts, `positionIdx` and directions are not.

    A market order that reduces is cut to what Bybit takes in one order: the rest stays to be closed.
    """
    body: dict[str, Any] = {
        "category": category,
        "symbol": request.instrument.symbol,
        "side": request.side.capitalize(),
        "orderType": "Limit" if request.limit_price is not None else "Market",
        "qty": write_plain(request.quantity),
        "orderLinkId": request.client_id,
    }
    if request.order_type == "market":
        body["qty"] = write_plain(cut_to_market(request))
    elif request.order_type != "stop":
        body |= {"price": write_plain(require_level(request.limit_price)), "timeInForce": "GTC"}
    if category == "spot":
        return body | _write_spot(request)
    body["positionIdx"] = 0
    if request.reduces:
        body["reduceOnly"] = True
    return (
        body | (_write_trigger(request) if waits_for_level(request) else {}) | _write_legs(request)
    )


def waits_for_level(request: OrderRequest) -> bool:
    """Tell whether an order of a perpetual is a conditional one.

    A limit order that reduces is one too: as a target it stands where stops do, and takes no part in the
    book before its level is reached.
    """
    if request.order_type in ("stop", "stop_limit"):
        return True
    return request.order_type == "limit" and request.reduces


def write_plain_target(category: str, request: OrderRequest) -> dict[str, Any]:
    """Return the body of a target whose level the price has passed already: an ordinary limit order."""
    body = write_order(category, request)
    for name in ("triggerPrice", "triggerDirection", "triggerBy"):
        body.pop(name, None)
    return body


def list_filters(category: str, request: OrderRequest) -> tuple[str, ...]:
    """Return where a working order is kept on spot, the likeliest first; empty: nothing is to be said."""
    if category != "spot":
        return ()
    return (_name_filter(request), "Order") if request.stop_price is not None else ("Order",)


def read_order(category: str, data: Any) -> BybitOrder:
    """Read one order. Raises `Uncertain`."""
    state, side = require(data, "orderStatus", str), _read_side(data)
    if state not in STATES:
        raise unreadable(f"an order in state {state}")
    quantity, kind = require_decimal(data, "qty"), require(data, "orderType", str)
    is_cash = category == "spot" and (kind, side) == ("Market", "buy")
    is_cash = is_cash and data.get("marketUnit") != "baseCoin"
    status, reason = STATES[state], data.get("rejectReason")
    if status == "cancelled" and kind == "Market" and data.get("cancelType") != "CancelByUser":
        status = "expired"  # nobody cancels what is filled or killed at once
    worth = _read_maybe(data, "cumExecValue")
    order = VenueOrder(
        symbol=read_name(data, "symbol"),
        order_id=read_name(data, "orderId"),
        client_id=require(data, "orderLinkId", str),
        side=side,
        status=status,
        asked=ZERO if is_cash else quantity,
        executed=_read_maybe(data, "cumExecQty") or ZERO,
        value=UNTOLD if worth is None else worth,
        changed_at=_read_time(data, "updatedTime"),
        placed_at=_read_time(data, "createdTime"),
        asked_value=quantity if is_cash else ZERO,
        reason=reason if isinstance(reason, str) and reason not in NO_REASON else "",
    )
    parent, leg = data.get("parentOrderLinkId"), data.get("stopOrderType")
    fees = data.get("cumFeeDetail")
    coins = list(fees) if isinstance(fees, dict) else []
    return BybitOrder(
        order,
        parent if isinstance(parent, str) and not order.client_id else "",
        _LEG_KINDS.get(leg, "") if isinstance(leg, str) else "",
        coins[0] if len(coins) == 1 else "",
    )


def read_execution(data: Any, client_id: str, fee_coin: str) -> Fill:
    """Read one execution; `fee_coin` is what its fee was taken in where it does not say so itself."""
    told = data.get("feeCurrency")
    return Fill(
        fill_id=f"{require_text(data, 'symbol')}:{require_text(data, 'execId')}",
        client_id=client_id,
        side=_read_side(data),
        quantity=require_decimal(data, "execQty"),
        price=require_decimal(data, "execPrice"),
        fee=optional_decimal(data, "execFee") or ZERO,
        fee_coin=told if isinstance(told, str) and told else fee_coin,
        at=_read_time(data, "execTime"),
    )


def read_name(data: Any, name: str) -> str:
    """Return a name or number that is sent back to Bybit: letters, digits, dash and underscore."""
    told = require_text(data, name)
    if not (told.isascii() and told.replace("-", "").replace("_", "").isalnum()):
        raise unreadable(f"{name} is no name")
    return told


def _write_spot(request: OrderRequest) -> dict[str, Any]:
    """Return what only spot orders say: in which coin a market order counts, and where a stop is kept."""
    extra: dict[str, Any] = {"isLeverage": 0}
    if request.order_type == "market":
        if request.quote_quantity is not None:
            cash = floor_to(request.quote_quantity, FINEST_CASH)
            return extra | {"qty": write_plain(cash), "marketUnit": "quoteCoin"}
        return extra | {"marketUnit": "baseCoin"}
    extra["orderFilter"] = _name_filter(request)
    if request.stop_price is not None:
        if request.order_type == "stop" and request.side == "buy":
            text = (
                "Bybit counts a spot stop that buys at the market in the quote coin. Give the entry a limit"
                " beside its stop."
            )
            raise BrokerRefused(text, UNSUPPORTED)
        extra["triggerPrice"] = write_plain(request.stop_price)
    return extra


def _name_filter(request: OrderRequest) -> str:
    """Return where an order is kept on spot: what sells with a trigger locks its coins from the start."""
    if request.stop_price is None:
        return "Order"
    return "tpslOrder" if request.reduces else "StopOrder"


def _write_trigger(request: OrderRequest) -> dict[str, Any]:
    """Return what makes an order of a perpetual wait for a level.

    `closeOnTrigger` is never sent: it would one day close what is not ours (rules 7.1).
    """
    is_target = request.order_type == "limit"
    level = request.limit_price if is_target else request.stop_price
    rises = (request.side == "sell") == is_target
    return {
        "triggerPrice": write_plain(require_level(level)),
        "triggerDirection": RISES if rises else FALLS,
        "triggerBy": "LastPrice",
    }


def _write_legs(request: OrderRequest) -> dict[str, Any]:
    """Return an entry's stop and target as levels of its own, in the size of what fills (Partial)."""
    if not request.legs:
        return {}
    found: dict[str, Any] = {"tpslMode": "Partial"}
    for leg in request.legs:
        if leg.order_type == "limit":
            price = write_plain(require_level(leg.limit_price))
            found |= {"takeProfit": price, "tpLimitPrice": price}
            found |= {"tpOrderType": "Limit", "tpTriggerBy": "LastPrice"}
        elif leg.order_type == "stop":
            found["stopLoss"] = write_plain(require_level(leg.stop_price))
            found |= {"slOrderType": "Market", "slTriggerBy": "LastPrice"}
        else:
            text = "Bybit attaches a stop at the market and a target with a limit to an entry."
            raise BrokerRefused(text, UNSUPPORTED)
    return found


def _read_side(data: Any) -> str:
    side = require(data, "side", str)
    if side not in ("Buy", "Sell"):
        raise unreadable(f"the side is {side}")
    return str(side.lower())


def _read_maybe(data: Any, name: str) -> Decimal | None:
    """Return a number that must be there and may be empty, which says nothing."""
    return require_decimal(data, name) if require(data, name, str) else None


def _read_time(data: Any, name: str) -> int:
    """Return a time in milliseconds, which Bybit writes as text."""
    told = require(data, name, str)
    if not (told.isascii() and told.isdigit() and len(told) < 15):
        raise unreadable(f"{name} is no time")
    return int(told)
