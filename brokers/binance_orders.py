"""Write orders the way Binance's spot market reads them, and read what it says of them.

Translation alone: nothing is sent, and nothing is kept. What is missing, of another type or no finite
number in an answer is `Uncertain`, because an order may stand behind it.

Source: "Trading endpoints" (order, orderList/oco, oto, otoco) and "Enums" of the Binance Spot API
documentation.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from brokers.binance_public import Rules, read_amount, take
from brokers.protocol import Fill, OrderRequest, Refused, Uncertain

ZERO = Decimal(0)
FINEST_CASH = Decimal("0.00000001")
"""No coin of the spot market is divided further."""
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
Params = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Row:
    """One order as Binance describes it, read and checked."""

    symbol: str
    order_id: int
    client_id: str
    side: str
    status: str
    """In our words; what has ended with a part filled is not yet told apart."""
    asked: Decimal
    asked_cash: Decimal
    """What was to be spent; zero where the order was for a quantity."""
    executed: Decimal
    cash: Decimal
    """What the executions were worth; negative where Binance does not know."""
    placed_at: int
    changed_at: int
    reason: str
    """Why it expired, in Binance's words."""


def write_order(request: OrderRequest, rules: Rules | None) -> Params:
    """Return the parameters of one order.

    A market order that reduces is cut to what Binance takes in one order: the rest stays to be sold.
    """
    return [
        ("symbol", request.instrument.symbol),
        ("side", request.side.upper()),
        *_write_kind(request, rules),
        ("newClientOrderId", request.client_id),
        ("newOrderRespType", "FULL"),
    ]


def write_pair(requests: tuple[OrderRequest, ...]) -> Params:
    """Return the parameters of a stop and a target that end one another, for coins that are held."""
    first = requests[0]
    return [
        ("symbol", first.instrument.symbol),
        ("side", first.side.upper()),
        ("quantity", plain(first.quantity)),
        *_write_legs(requests, "above", "below"),
    ]


def write_entry_with_exits(request: OrderRequest) -> tuple[str, Params]:
    """Return path and parameters of a limit entry with a stop, a target or both behind it.

    The exits start when the entry has filled completely. Raises `Refused` for any other kind of entry,
    which Binance cannot carry.
    """
    if request.order_type != "limit":
        text = "Binance links a stop and a target to a limit entry only."
        raise Refused(text, "UNSUPPORTED")
    params = [
        ("symbol", request.instrument.symbol),
        ("workingType", "LIMIT"),
        ("workingSide", request.side.upper()),
        ("workingPrice", plain(_need(request.limit_price))),
        ("workingQuantity", plain(request.quantity)),
        ("workingTimeInForce", "GTC"),
        ("workingClientOrderId", request.client_id),
        ("pendingSide", request.legs[0].side.upper()),
        ("pendingQuantity", plain(request.legs[0].quantity)),
    ]
    if len(request.legs) == 1:
        return "/api/v3/orderList/oto", params + _write_leg(request.legs[0], "pending", "LIMIT")
    pair = _write_legs(request.legs, "pendingAbove", "pendingBelow")
    return "/api/v3/orderList/otoco", params + pair


def read_row(data: Any, client_id: str = "clientOrderId") -> Row:
    """Read one order; `client_id` names the field that has its id. Raises `Uncertain`."""
    state = take(data, "status", str)
    side = take(data, "side", str)
    if state not in STATES or side not in ("BUY", "SELL"):
        raise Uncertain(f"Binance's answer cannot be read: an order {side} in state {state}")
    placed = data.get("time", data.get("transactTime"))
    changed = data.get("updateTime", data.get("transactTime"))
    if not (isinstance(placed, int) and isinstance(changed, int)):
        raise Uncertain("Binance's answer cannot be read: the order has no time")
    reason = data.get("expiryReason")
    return Row(
        take(data, "symbol", str),
        take(data, "orderId", int),
        take(data, client_id, str),
        side.lower(),
        STATES[state],
        read_amount(data, "origQty"),
        read_amount(data, "origQuoteOrderQty") if "origQuoteOrderQty" in data else ZERO,
        read_amount(data, "executedQty"),
        read_amount(data, "cummulativeQuoteQty"),
        placed,
        changed,
        reason if isinstance(reason, str) else "",
    )


def is_same_order(row: Row, request: OrderRequest) -> bool:
    """Tell whether what Binance has can be what was asked for."""
    if (row.symbol, row.side) != (request.instrument.symbol, request.side):
        return False
    if row.asked_cash > 0:  # an order for cash: its quantity is Binance's own
        return request.cash is None or row.asked_cash == _floor(request.cash, FINEST_CASH)
    if request.reduces and request.order_type == "market":  # may have been cut
        return row.asked <= request.quantity
    return row.asked == request.quantity


def judge(row: Row, request: OrderRequest) -> tuple[str, str | None, str | None]:
    """Return status, code and message of an order: what it filled says more than how it ended.

    A market order that found nothing is refused, so that what it was for is tried again with a pause.
    """
    message = f"Binance ended the order: {row.reason}." if row.reason else None
    if row.status == "filled":
        is_less = request.cash is None and row.executed < request.quantity
        return ("partly_filled" if is_less else "filled"), None, message
    if row.status == "accepted":
        return "accepted", None, message
    if row.executed > 0:
        return "partly_filled", None, message
    if row.status == "expired" and request.order_type == "market":
        return "refused", "EXPIRED", message or "Binance found nobody to fill the market order."
    return row.status, None, message


def read_placed_fills(fills: Any, row: Row) -> tuple[Fill, ...]:
    """Read the executions that an accepted order's answer brings; none where it brings none."""
    if not isinstance(fills, list):
        return ()
    return tuple(
        Fill(
            trade_id=f"{row.symbol}:{take(fill, 'tradeId', int)}",
            client_id=row.client_id,
            side=row.side,
            quantity=read_amount(fill, "qty"),
            price=read_amount(fill, "price"),
            fee=read_amount(fill, "commission"),
            fee_coin=take(fill, "commissionAsset", str),
            at=row.changed_at,
        )
        for fill in fills
    )


def read_trade(data: Any, symbol: str, client_id: str) -> Fill:
    """Read one execution from the account's list of trades."""
    return Fill(
        trade_id=f"{symbol}:{take(data, 'id', int)}",
        client_id=client_id,
        side="buy" if take(data, "isBuyer", bool) else "sell",
        quantity=read_amount(data, "qty"),
        price=read_amount(data, "price"),
        fee=read_amount(data, "commission"),
        fee_coin=take(data, "commissionAsset", str),
        at=take(data, "time", int),
    )


def add_up(fills: Iterable[Fill]) -> Decimal:
    """Return the quantity of some executions."""
    return sum((fill.quantity for fill in fills), ZERO)


def plain(value: Decimal) -> str:
    """Write a number without exponent and without decimals that say nothing."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _write_kind(request: OrderRequest, rules: Rules | None) -> Params:
    """Return type, amount and prices of a single order."""
    if request.order_type == "market":
        if request.cash is not None:
            cash = _floor(request.cash, FINEST_CASH)
            return [("type", "MARKET"), ("quoteOrderQty", plain(cash))]
        return [("type", "MARKET"), ("quantity", plain(_cut(request, rules)))]
    stop, quantity = request.stop_price, ("quantity", plain(request.quantity))
    if request.order_type == "stop":
        return [("type", "STOP_LOSS"), quantity, ("stopPrice", plain(_need(stop)))]
    price = ("price", plain(_need(request.limit_price)))
    if request.order_type == "limit":
        return [("type", "LIMIT"), ("timeInForce", "GTC"), quantity, price]
    kind = [("type", "STOP_LOSS_LIMIT"), ("timeInForce", "GTC")]
    return [*kind, quantity, price, ("stopPrice", plain(_need(stop)))]


def _cut(request: OrderRequest, rules: Rules | None) -> Decimal:
    if not (request.reduces and rules and rules.max_market):
        return request.quantity
    most = _floor(min(request.quantity, rules.max_market), rules.market_step)
    return most or request.quantity


def _write_legs(legs: tuple[OrderRequest, ...], above: str, below: str) -> Params:
    """Return the parameters of a target above the market and a stop below it."""
    by_kind = {leg.order_type == "limit": leg for leg in legs}
    same = {(leg.side, leg.quantity, leg.instrument.symbol) for leg in legs}
    if len(legs) != 2 or len(by_kind) != 2 or len(same) != 1 or legs[0].side != "sell":
        text = "Binance links one stop and one target of one size, which sell what is held."
        raise Refused(text, "UNSUPPORTED")
    target, stop = by_kind[True], by_kind[False]
    return _write_leg(target, above, "LIMIT_MAKER") + _write_leg(stop, below, "")


def _write_leg(leg: OrderRequest, prefix: str, limit_type: str) -> Params:
    """Return one leg of a list, each name with its prefix; the quantity is said once for the list."""
    named = [(f"{prefix}ClientOrderId", leg.client_id)]
    patient = [(f"{prefix}TimeInForce", "GTC")]
    price = [(f"{prefix}Price", plain(leg.limit_price))] if leg.limit_price is not None else []
    if leg.order_type == "limit":
        named += [(f"{prefix}Type", limit_type), *price]
        return named if limit_type == "LIMIT_MAKER" else named + patient
    stop = [(f"{prefix}StopPrice", plain(_need(leg.stop_price)))]
    if leg.order_type == "stop":
        return [*named, (f"{prefix}Type", "STOP_LOSS"), *stop]
    return [*named, (f"{prefix}Type", "STOP_LOSS_LIMIT"), *stop, *price, *patient]


def _need(price: Decimal | None) -> Decimal:
    if price is None:
        raise Refused("The order lacks a price that its type needs.", "NO_PRICE")
    return price


def _floor(value: Decimal, step: Decimal) -> Decimal:
    return (value / step).to_integral_value(ROUND_FLOOR) * step
