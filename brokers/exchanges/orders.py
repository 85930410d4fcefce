"""Write an order in the library's words, and read what it says of orders and executions.

Translation alone: nothing is sent. What is missing or of another type is `Uncertain`, because an order may
stand behind it. Amounts are the exchange's units there and coins here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Any

from brokers.exchanges.client_ids import read_client_id
from brokers.exchanges.markets import Market, size_of
from brokers.exchanges.proof import LIMIT, STOP, Proof, Sent, kind_of
from brokers.protocol import Fill, OrderRequest, Uncertain
from brokers.wire.fields import require_level, unreadable, write_plain
from brokers.wire.lookups import VenueOrder

ZERO = Decimal(0)
LONGEST_NAME = 80
STATES = {
    "open": "accepted",
    "closed": "filled",
    "canceled": "cancelled",
    "canceling": "accepted",
    "expired": "expired",
    "rejected": "refused",
}
_FRACTION = re.compile(r"-?[0-9]*\.[0-9]*")
"""What a number becomes that stands where a name belongs."""
_NUMBER = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?", re.ASCII)
Placing = tuple[str, str, str, Decimal | str, str | None, dict[str, Any]]
"""Symbol, type, side, amount, price and parameters of `create_order`."""


def write_order(
    proof: Proof,
    request: OrderRequest,
    market: Market,
    sent: Sent,
    worst: Decimal | None,
) -> Placing:
    """Return the arguments of the library's `create_order`.

    No number is ever a float; it is text, because the library drops decimals where it copies them. A price
    stands in no order at the market but where the exchange wants the worst one: elsewhere the library would
    take it for what the size is counted in.
    """
    is_stop = kind_of(request) == STOP
    name = sent.client_id
    if proof.adds_prefix and not is_stop:
        name = name.partition("-")[2]
    params: dict[str, Any] = {proof.id_param: name, **proof.params}
    if is_stop:
        if proof.stop_id_param:
            params[proof.stop_id_param] = sent.client_id
        params[proof.stop_price_param] = write_plain(require_level(request.stop_price))
        params |= proof.stop_params
    if request.reduces and proof.reduces:
        params["reduceOnly"] = True
    price = worst
    if request.order_type == LIMIT:
        price = require_level(request.limit_price)
    return (
        market["symbol"],
        LIMIT if request.order_type == LIMIT else "market",
        request.side,
        sent.size if proof.wants_decimals else write_plain(sent.size),
        None if price is None else write_plain(price),
        params,
    )


def round_levels(proof: Proof, request: OrderRequest) -> OrderRequest:
    """Return an order with levels of as many digits as the exchange takes (rules 5.5).

    An entry's limit goes to the nearest, a stop away from the price and a target towards it.
    """
    if not proof.digits:
        return request
    way = ROUND_FLOOR if request.side == "sell" else ROUND_CEILING
    limit_way = way if request.reduces else ROUND_HALF_EVEN
    return replace(
        request,
        limit_price=_cut(request.limit_price, proof.digits, limit_way),
        stop_price=_cut(request.stop_price, proof.digits, way),
    )


def _cut(price: Decimal | None, digits: int, way: str) -> Decimal | None:
    if price is None or price <= 0 or price == price.to_integral_value():
        return price
    finest = Decimal(1).scaleb(min(price.adjusted() + 1 - digits, 0))
    return price.quantize(finest, rounding=way)


def read_id(data: Any) -> str:
    """Return the exchange's name of an order that it took. Raises `Uncertain` where it told none."""
    told = data.get("id") if isinstance(data, dict) else None
    if not isinstance(told, str) or not told.isprintable() or not 0 < len(told) <= LONGEST_NAME:
        raise unreadable("the order has no name")
    if _FRACTION.fullmatch(told):
        raise unreadable("the order's name is a number")
    return told


def read_client(proof: Proof, data: Mapping[str, Any]) -> str:
    """Return our name of an order, from wherever the exchange has it; empty where it has none."""
    info = data.get("info")
    rows = [info, data] if isinstance(info, dict) else [data]
    for row in rows:
        for name in (*proof.id_fields, "clientOrderId"):
            value: Any = row
            for step in name.split("."):
                value = value.get(step) if isinstance(value, dict) else None
            if isinstance(value, str) and value:
                return read_client_id(value, proof.id_form)
    return ""


def read_order(proof: Proof, data: Any, market: Market) -> VenueOrder:
    """Read one order of the library's. Raises `Uncertain`."""
    if not isinstance(data, dict):
        raise unreadable("it is no order")
    side, status = data.get("side"), data.get("status")
    if side not in ("buy", "sell") or status not in STATES:
        raise unreadable(f"an order {side} that is {status}")
    size = size_of(market)
    asked, filled = _require(data, "amount"), _number(data, "filled") or ZERO
    average = _number(data, "average")
    if filled and average is None and proof.tells_average:
        raise unreadable("what was filled has no price")
    placed, changed = data.get("timestamp"), data.get("lastUpdateTimestamp")
    changed = changed or data.get("lastTradeTimestamp") or placed
    if not isinstance(changed, int):
        raise unreadable("the order has no time")
    value = average * filled * size if average is not None and filled else Decimal(-1)
    return VenueOrder(
        symbol=market["id"],
        order_id=read_id(data),
        client_id=read_client(proof, data),
        side=side,
        status=STATES[status],
        asked=asked * size,
        executed=filled * size,
        value=value if filled else ZERO,
        changed_at=changed,
        placed_at=placed if isinstance(placed, int) else None,
    )


def read_trade(data: Any, market: Market, client_id: str) -> Fill:
    """Read one execution. Raises `Uncertain`."""
    if not isinstance(data, dict):
        raise unreadable("an execution is no object")
    at, side = data.get("timestamp"), data.get("side")
    if not isinstance(at, int) or side not in ("buy", "sell"):
        raise unreadable("an execution has no time or side")
    fee, coin = _read_fee(data, market)
    return Fill(
        fill_id=f"{market['id']}:{read_id(data)}",
        client_id=client_id,
        side=side,
        quantity=_require(data, "amount") * size_of(market),
        price=_require(data, "price"),
        fee=fee,
        fee_coin=coin,
        at=at,
    )


def read_order_of(data: Any) -> str:
    """Return the exchange's name of the order behind an execution."""
    told = data.get("order") if isinstance(data, dict) else None
    if not isinstance(told, str) or not told:
        raise unreadable("an execution names no order")
    return told


def _read_fee(data: Mapping[str, Any], market: Market) -> tuple[Decimal, str]:
    """Return what an execution cost; only the list of fees is read, the single one may be text or absent."""
    rows = data.get("fees") or ([data["fee"]] if data.get("fee") else [])
    told = [row for row in rows if isinstance(row, dict) and row.get("cost") is not None]
    if not told:
        return ZERO, market["quote"]
    coins = {row.get("currency") for row in told}
    coin = coins.pop()
    if coins or not isinstance(coin, str):
        raise Uncertain("The venue's answer cannot be read: a fee in several coins or in none")
    return sum((_require(row, "cost") for row in told), ZERO), coin


def _require(data: Mapping[str, Any], name: str) -> Decimal:
    if (found := _number(data, name)) is None:
        raise unreadable(f"{name} is missing")
    return found


def _number(data: Mapping[str, Any], name: str) -> Decimal | None:
    """Return a field that is no negative number; only a fee may be one, where it is a rebate."""
    number = read_number(data.get(name))
    if number is not None and number < 0 and name != "cost":
        raise unreadable(f"{name} is negative")
    return number


def read_number(value: object) -> Decimal | None:
    """Return a number of the library's, which is text; None where it tells none. Raises `Uncertain`."""
    if value is None:
        return None
    text = str(value)
    if isinstance(value, bool) or not isinstance(value, int | str) or not _NUMBER.fullmatch(text):
        raise unreadable("what should be a number is none")
    return Decimal(text)
