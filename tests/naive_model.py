"""What alerts and executions come to, worked out the slow and simple way, from nothing of the desk.

Three sums: what an order takes of a position and what it opens; what a row of executions leaves; and what it
earned. They are compared with what the desk decided and booked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from brokers.protocol import Fill

ZERO = Decimal(0)


@dataclass(frozen=True)
class Cut:
    """What an order takes of a position, and what it opens."""

    takes: Decimal
    opens: Decimal


def cut(held: Decimal, action: str, quantity: Decimal, *, may_short: bool) -> Cut:
    """Cut an order at zero: first what is held on the other side goes, then the rest opens."""
    if action == "close":
        return Cut(abs(held), ZERO)
    way = 1 if action == "buy" else -1
    against = max(ZERO, -held * way)
    takes = min(quantity, against)
    opens = quantity - takes
    if way < 0 and not may_short:
        opens = ZERO
    return Cut(takes, opens)


def position(fills: Iterable[Fill], base: str) -> Decimal:
    """Add up what executions leave, less the fees that were taken out of the coin itself."""
    total = ZERO
    for fill in fills:
        total += fill.quantity if fill.side == "buy" else -fill.quantity
        if fill.fee_coin == base:
            total -= fill.fee
    return total


def earned(fills: Iterable[Fill]) -> Decimal:
    """Add up the money that came in and went out, once nothing is held any more."""
    total = ZERO
    for fill in fills:
        worth = fill.quantity * fill.price
        total += worth if fill.side == "sell" else -worth
        if fill.fee_coin == "USDT":
            total -= fill.fee
    return total
