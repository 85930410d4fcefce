"""List the working orders of a USD-M account within its quota.

Both lists of the whole account weigh 40 of the 2,400 that an address has in a minute, those of one contract
weigh 1. So the whole lists are read now and then, and between them those of the contracts where an order of
ours can be: with a position, with an order in the last whole list, or with one sent since.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from brokers.binance.signing import BinanceCalls, Params
from brokers.binance.usdm_market import ROOT
from brokers.binance.usdm_orders import AlgoOrder, read_algo_order, read_row
from brokers.protocol import Uncertain
from brokers.wire.deadline import Deadline
from brokers.wire.fields import require_rows
from brokers.wire.lookups import VenueOrder

ORDERS, ALGO_ORDERS = f"{ROOT}/openOrders", f"{ROOT}/openAlgoOrders"
WHOLE_LISTS_MS = 20_000
"""How often the lists of the whole account are read."""
SHOWN_AFTER_MS = 60_000
"""How long after it was sent an order may be missing in a whole list and appear yet."""
WEIGHT_OF_WHOLE, WEIGHT_OF_ONE = 80, 2
Row = TypeVar("Row")


class WorkingOrders:
    """The lists of one account's working orders, and where to look for them."""

    def __init__(self, calls: BinanceCalls) -> None:
        self._calls = calls
        self._listed_at: int | None = None
        self._listed: frozenset[str] = frozenset()
        self._sent: dict[str, int] = {}

    def expect(self, symbol: str) -> None:
        """Note that an order is on its way: its contract's lists are read from now on."""
        self._sent[symbol] = self._calls.now

    def read(self, held: set[str], deadline: Deadline) -> tuple[list[VenueOrder], list[AlgoOrder]]:
        """Return the ordinary and the algo orders that work; `held` are the contracts with a position."""
        now = self._calls.now
        recent = {s for s, at in tuple(self._sent.items()) if now - at < SHOWN_AFTER_MS}
        symbols = held | self._listed | recent
        is_due = self._listed_at is None or not 0 <= now - self._listed_at < WHOLE_LISTS_MS
        if is_due or len(symbols) * WEIGHT_OF_ONE >= WEIGHT_OF_WHOLE:
            rows = self._read_lists([], deadline)
            self._listed = frozenset(each.symbol for each in rows[0]) | {
                each.order.symbol for each in rows[1]
            }
            self._listed_at = now
            return rows
        orders: list[VenueOrder] = []
        algos: list[AlgoOrder] = []
        for symbol in sorted(symbols):
            some, others = self._read_lists([("symbol", symbol)], deadline)
            orders += some
            algos += others
        return orders, algos

    def _read_lists(
        self, params: Params, deadline: Deadline
    ) -> tuple[list[VenueOrder], list[AlgoOrder]]:
        orders = require_rows(self._calls.read(ORDERS, params, deadline))
        algos = require_rows(self._calls.read(ALGO_ORDERS, params, deadline))
        working = [each for each in _read_each(orders, read_row) if each.status == "accepted"]
        return working, _read_each(algos, read_algo_order)


def _read_each(rows: list[Any], read: Callable[[Any], Row]) -> list[Row]:
    """Read the rows that can be read: an odd one of somebody else must not hide the account.

    One of ours that is missing here is asked for by itself, and then its row has to be in order.
    """
    found: list[Row] = []
    for row in rows:
        with suppress(Uncertain):
            found.append(read(row))
    return found
