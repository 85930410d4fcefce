"""Show the simulator of one account what it goes by: prices, and the cash that is free."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal


@dataclass(slots=True)
class PaperRows:
    """What the simulator of one account sees of the memory, at one moment."""

    price_of: Callable[[str], Decimal | None]
    cash_of: Callable[[str], Decimal]
    account: str
    now: int

    def price(self, symbol: str) -> Decimal | None:
        """Return the last price seen of an instrument."""
        return self.price_of(symbol)

    def free_cash(self) -> Decimal:
        """Return the account's free cash."""
        return self.cash_of(self.account)
