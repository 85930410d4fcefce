"""Say that one of our own rules denies an order, with its code; the texts of codes stand with the answers."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Denial:
    """An opening part that our own rules refused: why, and how much it was."""

    code: str
    message: str
    side: str = ""
    quantity: Decimal | None = None
    retry_after: int | None = None
