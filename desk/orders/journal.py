"""What a change of a book leaves behind for the store: fills, closed trades, notices, orders, positions."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from brokers.protocol import Fill
from desk.orders.ledger import ClosedTrade, Lot
from desk.orders.order import Order
from desk.orders.strategy_position import StrategyPosition

ZERO = Decimal(0)


FILLS = frozenset({"trade", "stop_filled", "target_filled"})
"""The events of what was executed."""


@dataclass(frozen=True, slots=True)
class FillRow:
    """A fill as it is kept: whose it was and which way."""

    fill: Fill
    account: str
    paper: bool
    instrument: str
    strategy: str
    realized: Decimal = ZERO
    """The gross profit or loss it made."""


@dataclass(frozen=True, slots=True)
class ClosedTradeRow:
    """A closed trade as it is kept."""

    trade: ClosedTrade
    account: str
    paper: bool
    instrument: str
    strategy: str
    symbol: str
    closed_by: str
    net_pnl: Decimal | None = None
    """What it brought in the account's currency; None where that cannot be told."""
    fees: Decimal = ZERO
    """What it cost, in the same currency."""
    currency: str = ""
    """The account's currency when it closed; empty where it has not been looked up."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the user must hear of: recorded, logged, listed, and sent on."""

    event: str
    message: str
    alert_id: str | None = None

    @property
    def is_fill(self) -> bool:
        """Whether it only says what was executed."""
        return self.event in FILLS


@dataclass(frozen=True, slots=True)
class LotsRow:
    """What changed of the lots between the two ends of a position: a whole chunk, or chunks that are gone.

    The ends themselves are written with the position.
    """

    account: str
    paper: bool
    instrument: str
    strategy: str
    number: int
    """Of the chunk, or of the first that is still there."""
    lots: tuple[Lot, ...] = ()


Row = Order | StrategyPosition | FillRow | ClosedTradeRow | LotsRow | Notice
"""What a change of a book leaves behind for the store."""


_WIRE = ("The venue could not be reached: ", "The venue may have acted: ")
"""How the errors of a call begin, which do not know the account."""


def say_unreached(account: str, why: str) -> str:
    """Return that an account could not be reached, and why, without a full stop."""
    return f"{account} could not be reached: {say_cause(why) or 'no answer'}"


def say_cause(why: str) -> str:
    """Return why a call failed, without what every error of a call begins with and without a full stop."""
    for start in _WIRE:
        why = why.removeprefix(start)
    return why.rstrip(".")
