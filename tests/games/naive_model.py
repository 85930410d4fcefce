"""What alerts and executions come to, worked out the slow and simple way, from nothing of the desk.

Five sums: what an order takes of a position and what it opens; what a row of executions leaves, and in
which lots; what it earned; and where a level stands. They are compared with what the desk decided and booked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from brokers.protocol import Fill

ZERO = Decimal(0)
STEP, TICK = Decimal("0.001"), Decimal("0.1")


@dataclass(frozen=True)
class OrderSplit:
    """What an order takes of a position, and what it opens."""

    takes: Decimal
    opens: Decimal


def cut(
    held: Decimal,
    action: str,
    quantity: Decimal,
    stated: Decimal | None = None,
    *,
    may_short: bool,
    stopped: Decimal = ZERO,
) -> OrderSplit:
    """Cut an order at zero: first what is held on the other side goes, then the rest opens.

    `stated` is the size after the order where the alert says it: all on the other side goes, and no more
    than that opens. `stopped` is what a stop closed since the last alert: it comes off first where nothing is
    stated.
    """
    if action == "close":
        return OrderSplit(abs(held), ZERO)
    way = 1 if action == "buy" else -1
    if stated is None:
        quantity = max(ZERO, quantity - max(ZERO, -stopped * way))
    against = max(ZERO, -held * way)
    takes = against if stated is not None else min(against, round_up(quantity, STEP))
    opens = max(ZERO, quantity - against)
    if stated is not None:
        opens = min(opens, stated)
    if way < 0 and not may_short:
        opens = ZERO
    return OrderSplit(takes, opens)


def position(fills: Iterable[Fill], base: str) -> Decimal:
    """Add up what executions leave, less the fees that were taken out of the coin itself."""
    total = ZERO
    for fill in fills:
        total += fill.quantity if fill.side == "buy" else -fill.quantity
        if fill.fee_coin == base:
            total -= fill.fee
    return total


def lots(fills: Iterable[Fill], base: str) -> list[tuple[Decimal, Decimal]]:
    """Return size and price of what is held, the oldest first.

    What came first went first: so what is left are the last executions on its side, back from the newest
    until they make up what is held.
    """
    some = list(fills)
    held = position(some, base)
    side, left = ("buy" if held > 0 else "sell"), abs(held)
    found: list[tuple[Decimal, Decimal]] = []
    for fill in reversed(some):
        if fill.side == side and left > 0:
            size = min(left, abs(position([fill], base)))
            found.insert(0, (size, fill.price))
            left -= size
    return found


def earned(fills: Iterable[Fill], quote: str = "USDT") -> Decimal:
    """Add up the money that came in and went out, once nothing is held any more."""
    total = ZERO
    for fill in fills:
        worth = fill.quantity * fill.price
        total += worth if fill.side == "sell" else -worth
        if fill.fee_coin == quote:
            total -= fill.fee
    return total


def average(fills: Iterable[Fill]) -> Decimal:
    """Return what a row of executions cost on average."""
    some = list(fills)
    return sum((f.quantity * f.price for f in some), ZERO) / sum((f.quantity for f in some), ZERO)


def level(base: Decimal, side: str, away: Decimal) -> Decimal:
    """Return a price so far in favour of a position (against it below zero), on the tick.

    A stop goes away from the price and a target towards it: down for a long position, up for a short one.
    """
    if side == "buy":
        return (base + away) // TICK * TICK
    return round_up(base - away, TICK)


def round_up(value: Decimal, step: Decimal) -> Decimal:
    """Return the next multiple of a step."""
    down = value // step * step
    return down if down == value else down + step
