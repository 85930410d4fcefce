"""Say what became of an order at Bybit: by our own id, from the open orders, the old ones, the executions.

Whether an acknowledged call was carried out, only the lists tell, and they may lag behind. What no list shows
is absent; what cannot be asked is a doubt.

Source: "Trade" (realtime, history, execution list) of the Bybit v5 documentation.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from brokers.bybit.lists import EXECUTIONS, OLD_ORDERS, OPEN_ORDERS, read_list
from brokers.bybit.orders import TRADES, BybitOrder, read_execution, read_order
from brokers.bybit.signing import BybitCalls
from brokers.protocol import (
    WRONG_ORDER,
    BrokerRefused,
    Fill,
    Instrument,
    OrderReport,
    OrderRequest,
    Uncertain,
    Unreachable,
)
from brokers.wire.deadline import Deadline
from brokers.wire.fields import require, require_text, unreadable
from brokers.wire.lookups import Remembered, add_up, judge_found, write_receipt

LOOK_AGAIN_SECONDS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.0)
"""The pauses behind each look at what an acknowledged call has become."""
ZERO = Decimal(0)


class Orders:
    """The orders of one account and market, as Bybit's lists tell them."""

    def __init__(self, calls: BybitCalls, category: str, settled_in: str) -> None:
        self.sent: Remembered[str, int] = Remembered()
        """When each order was sent, by Bybit's clock."""
        self.owners: Remembered[str, str] = Remembered()
        """The client ids behind Bybit's numbers of orders."""
        self._calls = calls
        self._category = category
        self._settled_in = settled_in

    def read_back(
        self,
        request: OrderRequest,
        is_settled: Callable[[OrderReport], bool],
        deadline: Deadline,
    ) -> OrderReport:
        """Return what became of an acknowledged call, asked for again while it is on its way.

        Raises `Uncertain`: what was acknowledged may have happened, whatever is said now.
        """
        found = OrderReport(request.client_id, "absent")
        for pause_seconds in LOOK_AGAIN_SECONDS:
            try:
                found = self.find(request, deadline)
            except (BrokerRefused, Unreachable) as failed:
                text = "Bybit took it and did not tell what became of it."
                raise Uncertain(text) from failed
            if is_settled(found):
                break
            time.sleep(min(pause_seconds, deadline.left_seconds))
        return found

    def find(self, request: OrderRequest, deadline: Deadline) -> OrderReport:
        """Return what an order is. Raises `BrokerRefused`, `Unreachable` or `Uncertain`."""
        found = self._read_order(request, deadline)
        if found is None:
            return self._find_executions(request, deadline)
        other = judge_found(request, found.order, self.sent.get(request.client_id), "Bybit")
        return other or self._receive(request, found, deadline)

    def _read_order(self, request: OrderRequest, deadline: Deadline) -> BybitOrder | None:
        """Return the order of a request from the open or the old ones. Raises as `find_order`."""
        asked = self.name(request)
        for path in (OPEN_ORDERS, OLD_ORDERS):
            rows = self._read_rows(path, asked, deadline, request)
            if rows:
                found = read_order(self._category, rows[0])
                if found.order.client_id != request.client_id:
                    raise Uncertain("Bybit answered about another order", WRONG_ORDER)
                return found
        return None

    def _find_executions(self, request: OrderRequest, deadline: Deadline) -> OrderReport:
        """Return what the executions say of an order that no list shows: absent where there are none."""
        rows = self._read_rows(EXECUTIONS, self.name(request), deadline, request)
        mine = [row for row in rows if require(row, "orderLinkId", str) == request.client_id]
        if not mine:
            return OrderReport(request.client_id, "absent")
        fills = tuple(read_execution(row, request.client_id, self._settled_in) for row in mine)
        filled, worth = add_up(fills), sum((f.quantity * f.price for f in fills), ZERO)
        if filled <= 0:
            raise unreadable("an execution of nothing")
        status = "filled" if filled >= request.quantity else "accepted"
        number = require_text(mine[0], "orderId")
        return OrderReport(request.client_id, status, number, filled, worth / filled, fills)

    def _receive(self, request: OrderRequest, found: BybitOrder, deadline: Deadline) -> OrderReport:
        """Turn an order into a receipt with every execution and its fee. Raises `Uncertain`."""
        order = replace(found.order, client_id=request.client_id)
        self.owners.note(order.order_id, request.client_id)
        fills: tuple[Fill, ...] = ()
        for pause_seconds in LOOK_AGAIN_SECONDS if order.executed else ():
            try:
                fills = self._read_fills(request, found, deadline)
            except (BrokerRefused, Unreachable) as failed:  # the order itself was neither
                raise Uncertain("Bybit did not tell the order's executions") from failed
            if order.status == "accepted" or add_up(fills) == order.executed:
                break
            time.sleep(min(pause_seconds, deadline.left_seconds))
        if fills and add_up(fills) == order.executed:
            order = replace(order, value=sum((f.quantity * f.price for f in fills), ZERO))
        return write_receipt(order, fills, request, self._calls.now)

    def _read_fills(
        self, request: OrderRequest, found: BybitOrder, deadline: Deadline
    ) -> tuple[Fill, ...]:
        asked = {
            "category": self._category,
            "symbol": found.order.symbol,
            "orderId": found.order.order_id,
        }
        rows = self._read_rows(EXECUTIONS, asked, deadline, request)
        kept = {"buy": request.instrument.base, "sell": request.instrument.quote}
        usual = self._settled_in or kept[found.order.side]
        return tuple(
            read_execution(row, request.client_id, found.fee_coin or usual)
            for row in rows
            if require(row, "execType", str) in TRADES
            and require(row, "orderId", str) == found.order.order_id
        )

    def read_working(self, found: BybitOrder, deadline: Deadline) -> OrderReport | None:
        """Return the receipt of an open order; None where it carries no id of ours, or works no more."""
        order = found.order
        client_id = order.client_id or self.owners.get(order.order_id)
        if not client_id or order.status != "accepted":
            return None
        instrument = Instrument(symbol=order.symbol, kind=self._category)
        request = OrderRequest(client_id, instrument, order.side, order.asked, "limit")
        return self._receive(request, found, deadline)

    def _read_rows(
        self, path: str, asked: Mapping[str, str], deadline: Deadline, request: OrderRequest
    ) -> list[Any]:
        return read_list(self._calls, path, asked, deadline, is_urgent=request.reduces)

    def name(self, request: OrderRequest) -> dict[str, str]:
        """Return what names an order in a call."""
        return {
            "category": self._category,
            "symbol": request.instrument.symbol,
            "orderLinkId": request.client_id,
        }
