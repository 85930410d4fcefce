"""Read ProjectX's lists of orders and executions, and remember which order has which of our names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from brokers.projectx.orders import read_tag, write_time
from brokers.projectx.session import ProjectXCalls
from brokers.protocol import WRONG_ORDER, Uncertain
from brokers.wire.deadline import Deadline
from brokers.wire.fields import require, require_rows
from brokers.wire.lookups import Remembered

SLACK_MS, DAY_MS = 3_600_000, 86_400_000
"""How much earlier than it was sent an order is looked for: the clocks may be apart."""
FAR_BACK_MS = 120 * DAY_MS
"""No contract is held for longer: an order of ours that works or has just ended is younger."""
MOST_BYTES = 8_000_000


class Lists:
    """The orders of one account. Safe for several threads at once."""

    def __init__(self, calls: ProjectXCalls, now_ms: Callable[[], int]) -> None:
        self._calls = calls
        self._now = now_ms
        self.numbers: Remembered[str, int] = Remembered()
        """ProjectX's number of each order by our client id."""
        self.names: Remembered[int, str] = Remembered()
        """The client id of each order; empty: it is none of ours."""
        self.born: Remembered[str, int] = Remembered()
        """When an order was sent, or placed as the venue has it."""

    def note(self, client_id: str, number: int) -> None:
        """Remember the number of an order of ours."""
        self.numbers.note(client_id, number)
        self.names.note(number, client_id)

    def find(
        self, account: int, client_id: str, deadline: Deadline, number: int | None = None
    ) -> Any:
        """Return an order by its client id (and number, where that is known), or None.

        Without knowing when it was sent, it is looked for as far back as one can have rested.
        """
        born = self.born.get(client_id)
        start = born - SLACK_MS if born is not None else self._now() - DAY_MS
        row = _pick(self.search(account, start, deadline), client_id, number)
        if row is None and born is None:
            row = _pick(self.read_open(account, deadline), client_id, number)
        if row is None and born is None:
            far = self._now() - FAR_BACK_MS
            row = _pick(self.search(account, far, deadline), client_id, number)
        return row

    def learn_names(self, account: int, numbers: set[int], since: int, deadline: Deadline) -> None:
        """Learn whose these orders are: most are young, a stop may have rested for weeks."""
        for back in (DAY_MS, FAR_BACK_MS):
            if any(each not in self.names for each in numbers):
                self.search(account, since - back, deadline)
        for each in numbers:
            if each not in self.names:
                self.names.note(each, "")

    def search(self, account: int, since: int, deadline: Deadline) -> list[Any]:
        """Return the orders since a time, those that have ended too."""
        body = {"accountId": account, "startTimestamp": write_time(since)}
        data = self._calls.read("/Order/search", body, deadline, MOST_BYTES)
        return self._learn(require_rows(data.get("orders")))

    def read_open(self, account: int, deadline: Deadline) -> list[Any]:
        """Return the orders that work."""
        data = self._calls.read("/Order/searchOpen", {"accountId": account}, deadline)
        return self._learn(require_rows(data.get("orders")))

    def read_trades(self, account: int, since: int, deadline: Deadline) -> list[Any]:
        """Return the executions since a time, voided ones too."""
        body = {"accountId": account, "startTimestamp": write_time(since)}
        data = self._calls.read("/Trade/search", body, deadline, MOST_BYTES)
        return require_rows(data.get("trades"))

    def _learn(self, rows: list[Any]) -> list[Any]:
        for row in rows:
            number, tag = require(row, "id", int), read_tag(row)
            if tag:
                self.note(tag, number)
            elif number not in self.names:
                self.names.note(number, "")
        return rows


def _pick(rows: list[Any], client_id: str, number: int | None) -> Any:
    """Return the order of a name. Raises `Uncertain` where a number that is known has another name."""
    for row in rows:
        is_same = row.get("id") == number
        if is_same and read_tag(row) != client_id:
            text = "ProjectX answered about another order than the one sent."
            raise Uncertain(text, WRONG_ORDER)
        if is_same or (number is None and read_tag(row) == client_id):
            return row
    return None
