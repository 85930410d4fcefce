"""Read the executions and the funding of a USD-M account, and say whose each execution is.

A stop or target whose level was reached becomes another order with a name of its own, its child; the
executions belong to the one that we know.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from brokers.binance.signing import BinanceCalls
from brokers.binance.usdm_market import ROOT
from brokers.binance.usdm_orders import read_child, read_funding, read_trade
from brokers.protocol import BrokerRefused, Fill, Funding, Uncertain, Unreachable
from brokers.wire.deadline import Deadline
from brokers.wire.fields import require, require_rows
from brokers.wire.lookups import Remembered, VenueOrder, add_up

TRADES = f"{ROOT}/userTrades"
PAGE = 1_000
READ_SECONDS = 5.0
LAG_SECONDS = (0.1, 0.2, 0.4, 0.0)
"""The pauses behind each look at the executions of an order that has ended, while their list lags behind."""


class Executions:
    """The executions of one account, and the client ids behind Binance's numbers of orders."""

    def __init__(self, calls: BinanceCalls) -> None:
        self._calls = calls
        self._owners: Remembered[tuple[str, str], str] = Remembered()

    def note_owner(self, order: VenueOrder, client_id: str) -> None:
        """Remember under which client id we know an order, or the child that it made."""
        self._owners.note((order.symbol, order.order_id), client_id)

    def read_of(
        self, order: VenueOrder, client_id: str, deadline: Deadline, *, is_urgent: bool = False
    ) -> tuple[Fill, ...]:
        """Return the executions of one order. Raises `Uncertain` where they are not told."""
        params = [("symbol", order.symbol), ("orderId", order.order_id), ("limit", str(PAGE))]
        try:
            rows = require_rows(self._calls.read(TRADES, params, deadline, is_urgent=is_urgent))
        except (BrokerRefused, Unreachable) as failed:  # the order itself was neither
            raise Uncertain("Binance did not tell the order's executions") from failed
        return tuple(read_trade(each, client_id) for each in rows)

    def read_whole(
        self, order: VenueOrder, client_id: str, deadline: Deadline, *, is_urgent: bool
    ) -> tuple[Fill, ...]:
        """Return the executions of one order, those of an ended one once all of them are listed.

        Some may be missing in the end. Raises as `read_of`.
        """
        trades: tuple[Fill, ...] = ()
        for pause_seconds in LAG_SECONDS if order.executed else ():
            trades = self.read_of(order, client_id, deadline, is_urgent=is_urgent)
            if order.status == "accepted" or add_up(trades) == order.executed:
                break
            time.sleep(min(pause_seconds, deadline.left_seconds))
        return trades

    def read_since(self, start: int, symbols: Iterable[str]) -> tuple[Fill, ...]:
        """Return the executions on these symbols since a time of Binance's clock, whoever placed them."""
        found: list[Fill] = []
        for symbol in symbols:
            rows = self._calls.read_trades(TRADES, symbol, start, PAGE)
            ids = {str(require(row, "orderId", int)) for row in rows}
            self._learn_owners(symbol, ids, start)
            for row in rows:
                owner = self._owners.get((symbol, str(row["orderId"]))) or ""
                found.append(read_trade(row, owner))
        return tuple(found)

    def read_funding(self, start: int) -> tuple[Funding, ...]:
        """Return what funding cost and brought since a time of Binance's clock, each once."""
        found: dict[str, Funding] = {}
        while True:
            params = [
                ("incomeType", "FUNDING_FEE"),
                ("startTime", str(start)),
                ("limit", str(PAGE)),
            ]
            page = require_rows(
                self._calls.read(f"{ROOT}/income", params, Deadline.after(READ_SECONDS))
            )
            told = [read_funding(row) for row in page]
            fresh = {each.funding_id: each for each in told if each.funding_id not in found}
            found |= fresh
            if len(page) < PAGE or not fresh:
                return tuple(found.values())
            start = max(each.at for each in told)  # several contracts are charged at one moment

    def _learn_owners(self, symbol: str, ids: set[str], start: int) -> None:
        """Ask for the client ids of orders that are not remembered."""
        unknown = {number for number in ids if (symbol, number) not in self._owners}
        if not unknown:
            return
        deadline, names = Deadline.after(READ_SECONDS), dict[str, str]()
        params = [("symbol", symbol), ("startTime", str(start)), ("limit", str(PAGE))]
        for row in require_rows(self._calls.read(f"{ROOT}/allOrders", params, deadline)):
            names[str(require(row, "orderId", int))] = require(row, "clientOrderId", str)
        # The algo order may be days older than what its child has executed: no start is given.
        params = [("symbol", symbol), ("limit", str(PAGE))]
        for row in require_rows(self._calls.read(f"{ROOT}/allAlgoOrders", params, deadline)):
            if child := read_child(row):
                names[child] = require(row, "clientAlgoId", str)
        for number in unknown:
            if number not in names:  # placed before `start`, filled after it
                params = [("symbol", symbol), ("orderId", number)]
                row = self._calls.read(f"{ROOT}/order", params, deadline)
                names[number] = require(row, "clientOrderId", str)
            self._owners.note((symbol, number), names[number])
