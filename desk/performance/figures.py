"""Count closed trades: how many were won and lost, what they brought, and how far it fell below its peak.

One trade is added to what was counted before; nothing is ever counted again. Money is in one currency, which
whoever counts has to see to. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

ZERO = Decimal(0)
HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Figures:
    """What closed trades have brought, net of fees and funding, in the order in which they closed."""

    trades: int = 0
    wins: int = 0
    losses: int = 0
    """A trade that brought exactly nothing is neither."""
    gained: Decimal = ZERO
    lost: Decimal = ZERO
    """The sum of the losses, positive."""
    fees: Decimal = ZERO
    peak: Decimal = ZERO
    """The highest the running result has been; it begins at zero."""
    max_drawdown: Decimal = ZERO
    """The farthest the running result has been below its peak."""
    consecutive_losses: int = 0
    """Losses in a row up to the last trade."""
    last_trade_at: int = 0

    @property
    def net_pnl(self) -> Decimal:
        """What all of them together brought."""
        return self.gained - self.lost

    @property
    def win_rate(self) -> Decimal | None:
        """How many of a hundred were won."""
        return self.wins * HUNDRED / self.trades if self.trades else None

    @property
    def profit_factor(self) -> Decimal | None:
        """What was gained for each unit that was lost; None without a loss."""
        return self.gained / self.lost if self.lost else None

    @property
    def expectancy(self) -> Decimal | None:
        """What a trade brought on average."""
        return self.net_pnl / self.trades if self.trades else None

    @property
    def average_win(self) -> Decimal | None:
        """What a won trade brought on average."""
        return self.gained / self.wins if self.wins else None

    @property
    def average_loss(self) -> Decimal | None:
        """What a lost trade brought on average, below zero."""
        return -self.lost / self.losses if self.losses else None

    @property
    def drawdown(self) -> Decimal:
        """How far the running result stands below its peak now."""
        return self.peak - self.net_pnl


NOTHING = Figures()


def count_trade(before: Figures, net: Decimal, fees: Decimal, at: int) -> Figures:
    """Return the figures with one more closed trade; `net` is after its fees."""
    result = before.net_pnl + net
    peak = max(before.peak, result)
    return Figures(
        trades=before.trades + 1,
        wins=before.wins + (net > 0),
        losses=before.losses + (net < 0),
        gained=before.gained + max(net, ZERO),
        lost=before.lost - min(net, ZERO),
        fees=before.fees + fees,
        peak=peak,
        max_drawdown=max(before.max_drawdown, peak - result),
        consecutive_losses=before.consecutive_losses + 1 if net < 0 else 0,
        last_trade_at=max(before.last_trade_at, at),
    )
