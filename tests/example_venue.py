"""Trade at a small made-up venue: what a broker in an evening looks like, proved by the contract suite."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from brokers import protocol as p
from brokers.protocol import BrokerRefused, Fill, OrderReport, OrderRequest, Uncertain, Unreachable
from brokers.wire.client import HttpResponse, Wire
from brokers.wire.errors import ErrorTable, read_code
from brokers.wire.fields import require, require_decimal, require_rows, require_text, write_plain
from brokers.wire.lookups import add_up, settle_duplicate

STATES = {"open": "accepted", "done": "filled", "partial": "partly_filled", "gone": "cancelled"}
CODES = {"DUPLICATE_ID": p.DUPLICATE, "NO_SUCH_ORDER": p.ORDER_UNKNOWN}
CODES["NO_SUCH_SYMBOL"] = p.SYMBOL_UNKNOWN
ERRORS = ErrorTable("The venue", {code: (ours, code) for code, ours in CODES.items()})


class Example:
    """One account at the venue. Raises only `BrokerRefused`, `Unreachable` and `Uncertain`."""

    facts = p.VenueFacts(("EXAMPLE_KEY",), ("linear",), "USDT", (), frozenset({"reduce_only"}), 2.0)
    rest_seconds = 0.0

    def __init__(self, name: str, connection: p.Connection) -> None:
        key, url = connection.credentials.get("EXAMPLE_KEY", ""), connection.base_url
        self._headers = {"X-Key": key, "Content-Type": "application/json"}
        self._wire = Wire(url or "https://api.example.org", secrets=(key,), read_refusal=explain)
        self.open = self._wire.open

    def instrument(self, symbol: str) -> p.Instrument:
        try:
            data = self._read(f"/symbols/{quote(symbol, safe='')}")
        except BrokerRefused as no:
            known = no.code != p.SYMBOL_UNKNOWN
            text = str(no) if known else f"The venue does not know {symbol}."
            raise BrokerRefused(text, no.code) from None
        tick, step = require_decimal(data, "tick"), require_decimal(data, "step")
        return p.Instrument(symbol, "linear", tick=tick, step=step)

    def price(self, symbol: str) -> Decimal | None:
        try:
            return require_decimal(self._read(f"/symbols/{quote(symbol, safe='')}"), "last")
        except (BrokerRefused, Unreachable, Uncertain):
            return None

    def place_order(self, request: OrderRequest) -> OrderReport:
        if request.legs:
            raise BrokerRefused("This venue links no stop and target to an entry.", p.UNSUPPORTED)
        try:
            return read_order(self._send("POST", "/orders", request, write_order(request)), request)
        except BrokerRefused as no:
            if no.code == p.DUPLICATE:
                return settle_duplicate(request, self.find_order)
            raise

    close = place_order

    def protect(self, requests: tuple[OrderRequest, ...]) -> tuple[OrderReport, ...]:
        raise BrokerRefused("This venue does not link a stop and a target.", p.UNSUPPORTED)

    def cancel(self, request: OrderRequest) -> OrderReport:
        return read_order(self._send("DELETE", f"/orders/{request.client_id}", request), request)

    def find_order(self, request: OrderRequest) -> OrderReport:
        try:
            return read_order(self._read(f"/orders/{request.client_id}"), request)
        except BrokerRefused as no:
            if no.code == p.ORDER_UNKNOWN:
                return OrderReport(request.client_id, "absent")
            raise

    def fills(self, since: int, symbols: Iterable[str]) -> tuple[Fill, ...]:
        return tuple(map(read_fill, require_rows(self._read(f"/fills?since={since}"))))

    def snapshot(self) -> p.Snapshot:
        held, working = (require_rows(self._read(path)) for path in ("/positions", "/orders"))
        positions = {require_text(row, "symbol"): require_decimal(row, "quantity") for row in held}
        return p.Snapshot(positions, tuple(map(read_order, working)))

    def check(self) -> p.Check:
        try:
            require_rows(self._read("/positions"))
        except (BrokerRefused, Unreachable, Uncertain) as problem:
            return p.Check(problem=str(problem))
        return p.Check(may_trade=True)

    def _read(self, target: str) -> Any:
        return self._wire.read("GET", target, headers=self._headers).data

    def _send(self, method: str, target: str, request: OrderRequest, body: Any = None) -> Any:
        urgent, data = request.reduces or method == "DELETE", body and json.dumps(body).encode()
        sent = self._wire.send(method, target, body=data, headers=self._headers, is_urgent=urgent)
        return sent.data


def explain(reply: HttpResponse) -> Exception | None:
    code = reply.data.get("code") if isinstance(reply.data, dict) else None
    return read_code(ERRORS, code, reply.text) if code and reply.status < 500 else None


def write_order(request: OrderRequest) -> dict[str, Any]:
    numbers = {name: getattr(request, name) for name in ("quantity", "limit_price", "stop_price")}
    order = {"id": request.client_id, "symbol": request.instrument.symbol, "side": request.side}
    order |= {name: write_plain(each) for name, each in numbers.items() if each is not None}
    return {**order, "type": request.order_type, "reduce_only": request.reduces}


def read_order(data: Any, request: OrderRequest | None = None) -> OrderReport:
    client_id, state = require_text(data, "id"), require_text(data, "state")
    if request is not None and client_id != request.client_id:
        raise Uncertain("The venue answered about another order.", p.WRONG_ORDER)
    if state not in STATES:
        raise Uncertain(f"The venue tells of an order in a state we do not know: {state[:20]}")
    fills = tuple(map(read_fill, require_rows(data.get("fills"))))
    average = require_decimal(data, "average_price") if add_up(fills) else None
    name, filled = require_text(data, "venue_id"), require_decimal(data, "filled")
    return OrderReport(client_id, STATES[state], name, filled, average, fills)


def read_fill(row: Any) -> Fill:
    texts = (require_text(row, name) for name in ("trade_id", "id", "side"))
    numbers = (require_decimal(row, name) for name in ("quantity", "price", "fee"))
    return Fill(*texts, *numbers, require_text(row, "fee_coin"), require(row, "at", int))
