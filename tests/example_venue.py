"""Trade at a small made-up venue: what a broker in an evening looks like.

The contract suite runs every fault against it, so that the suite proves itself on a broker that can be read
in two minutes. Numbers travel as text, keys in a header.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from brokers.protocol import (
    WRONG_ORDER,
    Check,
    Connection,
    Fill,
    Instrument,
    OrderRequest,
    Receipt,
    Refused,
    Snapshot,
    Uncertain,
    Unreachable,
)
from brokers.wire import Reply, Wire

STATES = {"open": "accepted", "done": "filled", "partial": "partly_filled", "gone": "cancelled"}
CODES = {
    "DUPLICATE_ID": "DUPLICATE",
    "NO_SUCH_ORDER": "ABSENT",
    "NO_SUCH_SYMBOL": "SYMBOL_UNKNOWN",
}


class Example:
    """One account at the venue. Raises only `Refused`, `Unreachable` and `Uncertain`."""

    needs = ("EXAMPLE_KEY",)
    can = frozenset({"reduce_only"})
    poll_seconds = 2.0
    rest_seconds = 0.0

    def __init__(self, name: str, connection: Connection) -> None:
        key = connection.credentials.get("EXAMPLE_KEY", "")
        self._headers = {"X-Key": key, "Content-Type": "application/json"}
        url = connection.base_url or "https://api.example.org"
        self._wire = Wire(url, secrets=(key,), explain=explain)

    def open(self) -> None:
        """Open the connection ahead."""
        self._wire.open()

    def instrument(self, symbol: str) -> Instrument:
        data = self._read_symbol(symbol)
        return Instrument(symbol, "linear", tick=amount(data, "tick"), step=amount(data, "step"))

    def price(self, symbol: str) -> Decimal | None:
        try:
            return amount(self._read_symbol(symbol), "last")
        except (Refused, Unreachable, Uncertain):
            return None

    def place_order(self, request: OrderRequest) -> Receipt:
        if request.legs:
            raise Refused("This venue links no stop and target to an entry.", "UNSUPPORTED")
        order = {
            "id": request.client_id,
            "symbol": request.instrument.symbol,
            "side": request.side,
            "type": request.order_type,
            "quantity": format(request.quantity, "f"),
            "reduce_only": request.reduces,
        }
        levels = {"limit_price": request.limit_price, "stop_price": request.stop_price}
        order |= {name: format(level, "f") for name, level in levels.items() if level is not None}
        body, urgent = json.dumps(order).encode(), request.reduces
        try:
            data = self._wire.send(
                "POST", "/orders", body=body, headers=self._headers, is_urgent=urgent
            ).data
        except Refused as no:
            if no.code != "DUPLICATE":
                raise
            return self._find_duplicate(request)
        return read_order(data, request)

    close = place_order

    def protect(self, requests: tuple[OrderRequest, ...]) -> tuple[Receipt, ...]:
        raise Refused("This venue does not link a stop and a target.", "UNSUPPORTED")

    def cancel(self, request: OrderRequest) -> Receipt:
        target = f"/orders/{request.client_id}"
        reply = self._wire.send("DELETE", target, headers=self._headers, is_urgent=True)
        return read_order(reply.data, request)

    def find_order(self, request: OrderRequest) -> Receipt:
        try:
            return read_order(self._read(f"/orders/{request.client_id}").data, request)
        except Refused as no:
            if no.code == "ABSENT":
                return Receipt(request.client_id, "absent")
            raise

    def fills(self, since: int, symbols: Iterable[str]) -> tuple[Fill, ...]:
        return tuple(read_fill(row) for row in rows(self._read(f"/fills?since={since}").data))

    def snapshot(self) -> Snapshot:
        held = rows(self._read("/positions").data)
        working = rows(self._read("/orders").data)
        return Snapshot(
            {text(row, "symbol"): amount(row, "quantity") for row in held},
            tuple(read_order(row) for row in working),
        )

    def check(self) -> Check:
        try:
            rows(self._read("/positions").data)
        except (Refused, Unreachable, Uncertain) as problem:
            return Check(problem=str(problem))
        return Check(may_trade=True)

    def _read_symbol(self, symbol: str) -> Any:
        try:
            return self._read(f"/symbols/{quote(symbol, safe='')}").data
        except Refused as no:
            if no.code == "SYMBOL_UNKNOWN":
                raise Refused(f"The venue does not know {symbol}.", no.code) from None
            raise

    def _read(self, target: str) -> Reply:
        return self._wire.read("GET", target, headers=self._headers)

    def _find_duplicate(self, request: OrderRequest) -> Receipt:
        try:
            found = self.find_order(request)
        except (Refused, Unreachable):
            found = Receipt(request.client_id, "absent")
        if found.status == "absent":
            raise Uncertain("The venue has the order and does not show it.")
        return found


def explain(reply: Reply) -> Exception | None:
    """Return what an error reply means where its status does not say it."""
    code = reply.data.get("code") if isinstance(reply.data, dict) else None
    if isinstance(code, str) and code in CODES and reply.status < 500:
        return Refused(reply.text, CODES[code])
    return None


def read_order(data: Any, request: OrderRequest | None = None) -> Receipt:
    """Read an order; one that is not the order asked for is `Uncertain`."""
    client_id, state = text(data, "id"), text(data, "state")
    if request is not None and client_id != request.client_id:
        raise Uncertain("The venue answered about another order.", WRONG_ORDER)
    if state not in STATES:
        raise Uncertain(f"The venue tells of an order in a state we do not know: {state[:20]}")
    fills = tuple(read_fill(row) for row in rows(data.get("fills")))
    average = amount(data, "average_price") if fills else None
    filled = amount(data, "filled")
    return Receipt(client_id, STATES[state], text(data, "venue_id"), filled, average, fills)


def read_fill(row: Any) -> Fill:
    """Read one execution."""
    price, fee = amount(row, "price"), amount(row, "fee")
    at = row.get("at")
    if type(at) is not int:
        raise Uncertain("The venue's answer cannot be read: at")
    names = (text(row, "trade_id"), text(row, "id"), text(row, "side"))
    return Fill(*names, amount(row, "quantity"), price, fee, text(row, "fee_coin"), at)


def text(data: Any, name: str) -> str:
    """Return a text that must be there."""
    value = data.get(name) if isinstance(data, dict) else None
    if not isinstance(value, str) or not value:
        raise Uncertain(f"The venue's answer cannot be read: {name}")
    return value


def amount(data: Any, name: str) -> Decimal:
    """Return a number that is written as text."""
    value = text(data, name)
    if not value.isascii() or not value.replace(".", "", 1).removeprefix("-").isdigit():
        raise Uncertain(f"The venue's answer cannot be read: {name}")
    return Decimal(value)


def rows(data: Any) -> list[Any]:
    """Return a list that must be one."""
    if not isinstance(data, list):
        raise Uncertain("The venue's answer cannot be read: it is no list")
    return data
