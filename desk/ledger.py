"""Keep the account of one share: what a fill does to its lots, its average cost and its profit.

First in, first out decides profit and loss; the average cost is only displayed. A closed trade runs
from flat to flat. Pure: no clock, no venue, no strategy; it never decides whether a fill was wanted.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from desk.evolve import evolve

ZERO = Decimal(0)


@dataclass(frozen=True)
class Lot:
    """A quantity that was opened at one price and is still held."""

    quantity: Decimal
    price: Decimal
    opened_at: int


@dataclass(frozen=True)
class Execution:
    """One fill as the ledger needs it; `fee` in the quote currency, `point_value` per unit."""

    side: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    at: int
    point_value: Decimal = Decimal(1)
    approximate: bool = False


@dataclass(frozen=True)
class Position:
    """What is held (signed) and what has happened since it was last flat, in the quote currency."""

    quantity: Decimal = ZERO
    lots: tuple[Lot, ...] = ()
    average_price: Decimal = ZERO
    opened: Decimal = ZERO
    entry_value: Decimal = ZERO
    closed: Decimal = ZERO
    exit_value: Decimal = ZERO
    gross: Decimal = ZERO
    fees: Decimal = ZERO
    opened_at: int = 0
    approximate: bool = False

    @property
    def realized(self) -> Decimal:
        """Profit and loss since last flat, net of every fee since then."""
        return self.gross - self.fees

    def open_profit(self, price: Decimal, point_value: Decimal) -> Decimal:
        """Value the lots that are left at `price`, before fees."""
        sign = 1 if self.quantity > 0 else -1
        moved = sum(((price - lot.price) * lot.quantity for lot in self.lots), ZERO)
        return moved * sign * point_value


@dataclass(frozen=True, slots=True)
class Trade:
    """A closed trade, flat to flat; prices are averages, `quantity` all that was opened."""

    side: str
    quantity: Decimal
    entry_price: Decimal
    exit_price: Decimal
    gross: Decimal
    fees: Decimal
    approximate: bool
    opened_at: int
    closed_at: int

    @property
    def realized(self) -> Decimal:
        """Profit and loss net of every fee."""
        return self.gross - self.fees


def book_fill(position: Position, fill: Execution) -> tuple[Position, Trade | None]:
    """Return the position after `fill`, and the trade that it closed, if it did.

    A fill that goes beyond zero closes one trade and opens the next; its fee is split by quantity.
    """
    signed = fill.quantity if fill.side == "buy" else -fill.quantity
    held = position.quantity
    if held == 0 or (held > 0) == (signed > 0):
        return _add(position, fill, signed), None
    closing = min(fill.quantity, abs(held))
    fee = fill.fee if closing == fill.quantity else fill.fee * closing / fill.quantity
    reduced = _reduce(position, evolve(fill, quantity=closing, fee=fee))
    if reduced.quantity != 0:
        return reduced, None
    trade = _close(position, reduced, fill.at)
    if closing == fill.quantity:
        return Position(), trade
    rest = evolve(fill, quantity=fill.quantity - closing, fee=fill.fee - fee)
    return _add(Position(), rest, rest.quantity if signed > 0 else -rest.quantity), trade


def _add(position: Position, fill: Execution, signed: Decimal) -> Position:
    value = fill.quantity * fill.price
    size = abs(position.quantity) + fill.quantity
    average = (position.average_price * abs(position.quantity) + value) / size
    return evolve(
        position,
        quantity=position.quantity + signed,
        lots=(*position.lots, Lot(fill.quantity, fill.price, fill.at)),
        average_price=average,
        opened=position.opened + fill.quantity,
        entry_value=position.entry_value + value,
        fees=position.fees + fill.fee,
        opened_at=position.opened_at or fill.at,
        approximate=position.approximate or fill.approximate,
    )


def _reduce(position: Position, fill: Execution) -> Position:
    sign = 1 if position.quantity > 0 else -1
    left, gross, lots = fill.quantity, ZERO, list(position.lots)
    while left > 0 and lots:
        lot = lots[0]
        taken = min(left, lot.quantity)
        gross += (fill.price - lot.price) * taken * sign * fill.point_value
        left -= taken
        if taken == lot.quantity:
            lots.pop(0)
        else:
            lots[0] = evolve(lot, quantity=lot.quantity - taken)
    return evolve(
        position,
        quantity=position.quantity - sign * fill.quantity,
        lots=tuple(lots),
        closed=position.closed + fill.quantity,
        exit_value=position.exit_value + fill.quantity * fill.price,
        gross=position.gross + gross,
        fees=position.fees + fill.fee,
        approximate=position.approximate or fill.approximate,
    )


def _close(before: Position, after: Position, at: int) -> Trade:
    return Trade(
        side="long" if before.quantity > 0 else "short",
        quantity=after.opened,
        entry_price=after.entry_value / after.opened,
        exit_price=after.exit_value / after.closed,
        gross=after.gross,
        fees=after.fees,
        approximate=after.approximate,
        opened_at=after.opened_at,
        closed_at=at,
    )
