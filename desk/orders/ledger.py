"""Keep the account of one position: what a fill does to its lots, its average cost and its profit.

First in, first out decides profit and loss; the average cost is only displayed. A closed trade runs
from flat to flat. Pure: no clock, no venue, no strategy; it never decides whether a fill was wanted.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from desk.orders.evolve import evolve

ZERO = Decimal(0)
CHUNK = 16
"""How many lots lie together: what a fill copies, and what is kept beside the position, is twice that."""


@dataclass(frozen=True, slots=True)
class Lot:
    """A quantity that was opened at one price and is still held."""

    quantity: Decimal
    price: Decimal
    opened_at: int


@dataclass(frozen=True, slots=True)
class Lots:
    """Lots in the order in which they were opened; a changed copy costs the same however many there are.

    What is taken comes off the `front`, what is opened goes to the `back`; between them lie whole chunks that
    never change, numbered from `first` on. So only the two ends are ever copied, or written anew.
    """

    front: tuple[Lot, ...] = ()
    middle: tuple[tuple[Lot, ...], ...] = ()
    back: tuple[Lot, ...] = ()
    first: int = 0

    @staticmethod
    def of(lots: Iterable[Lot]) -> Lots:
        """Return these lots, the oldest first."""
        found = NO_LOTS
        for lot in lots:
            found = found.having(lot)
        return found

    def __iter__(self) -> Iterator[Lot]:
        return itertools.chain(self.front, *self.middle, self.back)

    def __len__(self) -> int:
        return len(self.front) + sum(map(len, self.middle)) + len(self.back)

    @property
    def following(self) -> int:
        """The number that the next whole chunk will have."""
        return self.first + len(self.middle)

    def having(self, lot: Lot) -> Lots:
        """Return the lots with one that was opened now."""
        if len(self.back) < CHUNK:
            return Lots(self.front, self.middle, (*self.back, lot), self.first)
        return Lots(self.front, (*self.middle, self.back), (lot,), self.first)

    def taking(self, quantity: Decimal) -> tuple[Lots, list[Lot]]:
        """Return the lots without the oldest `quantity`, and what was taken, lot by lot."""
        front, back, taken, passed = self.front, self.back, list[Lot](), 0
        place = 0
        while quantity > 0:
            if place == len(front):
                if passed < len(self.middle):
                    front, passed = self.middle[passed], passed + 1
                elif back:
                    front, back = back, ()
                else:
                    break
                place = 0
            lot = front[place]
            if lot.quantity > quantity:
                taken.append(Lot(quantity, lot.price, lot.opened_at))
                rest = Lot(lot.quantity - quantity, lot.price, lot.opened_at)
                front = (*front[:place], rest, *front[place + 1 :])
                break
            taken.append(lot)
            quantity -= lot.quantity
            place += 1
        return Lots(front[place:], self.middle[passed:], back, self.first + passed), taken


NO_LOTS = Lots()


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
    alert_id: str = ""
    """Of the alert that asked for it."""
    in_base: bool = False
    """Whether the account counts in what is traded, so that each fill is converted at its own price."""

    def convert(self, amount: Decimal) -> Decimal:
        """Return money in the quote currency as units of what is traded, at the price of this fill."""
        return amount / self.price if self.in_base and self.price > 0 else ZERO


@dataclass(frozen=True)
class LotLedger:
    """What is held (signed) and what has happened since it was last flat, in the quote currency."""

    quantity: Decimal = ZERO
    lots: Lots = NO_LOTS
    cost: Decimal = ZERO
    """What the lots that are held were opened for."""
    average_price: Decimal = ZERO
    opened: Decimal = ZERO
    entry_value: Decimal = ZERO
    closed: Decimal = ZERO
    exit_value: Decimal = ZERO
    gross: Decimal = ZERO
    fees: Decimal = ZERO
    opened_at: int = 0
    approximate: bool = False
    funding: Decimal = ZERO
    """What holding it has brought (positive) or cost."""
    opened_by: str = ""
    """The alert that opened it."""
    base_gross: Decimal = ZERO
    base_fees: Decimal = ZERO
    """The same in units of what is traded, where the account counts in those."""

    @property
    def realized(self) -> Decimal:
        """Profit and loss since last flat, net of every fee and of funding since then."""
        return self.gross - self.fees + self.funding

    @property
    def signed_cost(self) -> Decimal:
        """What the lots were opened for; below zero for a short position."""
        return self.cost if self.quantity > 0 else -self.cost

    def open_profit(self, price: Decimal, point_value: Decimal) -> Decimal:
        """Value the lots that are left at `price`, before fees."""
        return (self.quantity * price - self.signed_cost) * point_value


@dataclass(frozen=True, slots=True)
class ClosedTrade:
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
    funding: Decimal = ZERO
    opened_by: str = ""
    """The alert that opened it; empty where nobody noted it."""
    base_gross: Decimal = ZERO
    base_fees: Decimal = ZERO

    @property
    def realized(self) -> Decimal:
        """Profit and loss net of every fee and of funding."""
        return self.gross - self.fees + self.funding


def book_fill(ledger: LotLedger, fill: Execution) -> tuple[LotLedger, ClosedTrade | None]:
    """Return the position after `fill`, and the trade that it closed, if it did.

    A fill that goes beyond zero closes one trade and opens the next; its fee is split by quantity.
    """
    signed = fill.quantity if fill.side == "buy" else -fill.quantity
    held = ledger.quantity
    if held == 0 or (held > 0) == (signed > 0):
        return _add(ledger, fill, signed), None
    closing = min(fill.quantity, abs(held))
    fee = fill.fee if closing == fill.quantity else fill.fee * closing / fill.quantity
    reduced = _reduce(ledger, evolve(fill, quantity=closing, fee=fee))
    if reduced.quantity != 0:
        return reduced, None
    trade = _close(ledger, reduced, fill.at)
    if closing == fill.quantity:
        return _flat(reduced), trade
    rest = evolve(fill, quantity=fill.quantity - closing, fee=fill.fee - fee)
    return _add(_flat(reduced), rest, rest.quantity if signed > 0 else -rest.quantity), trade


def _flat(closed: LotLedger) -> LotLedger:
    """Return an empty position; its chunks are numbered on, so that no number means two of them."""
    return LotLedger(lots=closed.lots) if closed.lots.first else LotLedger()


def _add(ledger: LotLedger, fill: Execution, signed: Decimal) -> LotLedger:
    value = fill.quantity * fill.price
    size = abs(ledger.quantity) + fill.quantity
    average = (ledger.average_price * abs(ledger.quantity) + value) / size
    return evolve(
        ledger,
        quantity=ledger.quantity + signed,
        lots=ledger.lots.having(Lot(fill.quantity, fill.price, fill.at)),
        cost=ledger.cost + value,
        average_price=average,
        opened=ledger.opened + fill.quantity,
        entry_value=ledger.entry_value + value,
        fees=ledger.fees + fill.fee,
        opened_at=ledger.opened_at or fill.at,
        approximate=ledger.approximate or fill.approximate,
        opened_by=ledger.opened_by or fill.alert_id,
        base_fees=ledger.base_fees + fill.convert(fill.fee),
    )


def _reduce(ledger: LotLedger, fill: Execution) -> LotLedger:
    sign = 1 if ledger.quantity > 0 else -1
    lots, taken = ledger.lots.taking(fill.quantity)
    gross = cost = ZERO
    for lot in taken:
        gross += (fill.price - lot.price) * lot.quantity * sign * fill.point_value
        cost += lot.price * lot.quantity
    return evolve(
        ledger,
        quantity=ledger.quantity - sign * fill.quantity,
        lots=lots,
        cost=ledger.cost - cost,
        closed=ledger.closed + fill.quantity,
        exit_value=ledger.exit_value + fill.quantity * fill.price,
        gross=ledger.gross + gross,
        fees=ledger.fees + fill.fee,
        approximate=ledger.approximate or fill.approximate,
        base_gross=ledger.base_gross + fill.convert(gross),
        base_fees=ledger.base_fees + fill.convert(fill.fee),
    )


def _close(before: LotLedger, after: LotLedger, at: int) -> ClosedTrade:
    return ClosedTrade(
        side="long" if before.quantity > 0 else "short",
        quantity=after.opened,
        entry_price=after.entry_value / after.opened,
        exit_price=after.exit_value / after.closed,
        gross=after.gross,
        fees=after.fees,
        approximate=after.approximate,
        opened_at=after.opened_at,
        closed_at=at,
        funding=after.funding,
        opened_by=after.opened_by,
        base_gross=after.base_gross,
        base_fees=after.base_fees,
    )
