"""Count what holding perpetuals has brought and cost: of the account, and of the day (rules 10.4)."""

from __future__ import annotations

from decimal import Decimal

from desk.state.memory import State
from desk.state.rows import FundingRow
from desk.state.tables import COUNTED_MS, CountedTrade

ZERO = Decimal(0)


def count_funding(state: State, row: FundingRow, now: int) -> None:
    """Add a charge or payment to its account; where it is no position's, to the result of its day too.

    What is a position's is in its result already.
    """
    known, amount = state.funding.get(row.account, {}), Decimal(row.amount)
    total = known.get(row.coin, ZERO) + amount
    state.put(state.funding, row.account, {**known, row.coin: total})
    if not row.strategy and row.at >= now - COUNTED_MS:
        counted = CountedTrade(row.at, "", row.instrument, row.coin, amount)
        state.count_result(row.account, False, counted)
