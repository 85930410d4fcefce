"""Say what a comparison needs of our own records, and when two texts are the same.

Plain values, read by whoever knows the state; nothing is read here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from parsers.alert import Alert, Message

TRADED = frozenset({"filled", "partly_filled", "accepted"})
OPEN = frozenset({"pending", "unknown", "unreached"})


class OwnOrder(NamedTuple):
    """One order an alert caused, as far as it was executed."""

    account: str
    instrument: str
    side: str
    filled: Decimal
    price: Decimal | None
    fees: Decimal | None
    tick: Decimal | None
    point_value: Decimal


@dataclass(slots=True)
class OwnAlert:
    """One alert that we recorded; `seq` finds the rest of it."""

    seq: int
    at: int
    """When it was received, in milliseconds since 1970."""
    alert_id: str
    strategy: str
    status: str
    code: str | None
    is_success: bool
    deliveries: int
    digest: bytes
    rows: int = 0
    """How many rows of the log are this one, its resends included."""

    @property
    def verdict(self) -> str:
        """What became of it, in the words of a comparison."""
        if self.status in OPEN:
            return "pending"
        if self.status == "nothing_to_do":
            return "nothing_to_do"
        return "traded" if self.status in TRADED or self.is_success else "refused"


class Understood(NamedTuple):
    """What a text orders, as our parser reads it."""

    side: str
    """buy or sell; empty where the text does not say it (a close)."""
    quantity: Decimal | None
    price: Decimal | None
    marks: tuple[str, ...]
    """What may be the id of the order in TradingView's strategy."""
    strategy: str
    symbol: str


class OwnDetails(NamedTuple):
    """What is looked up of one alert where a list of trades is compared."""

    understood: Understood
    orders: tuple[OwnOrder, ...]


FindDetails = Callable[[OwnAlert], OwnDetails]
ReadText = Callable[[bytes], Message]
MaskText = Callable[[str], str]


def digest_of(text: str) -> bytes:
    """Return what two equal texts have in common, line ends aside; secrets must be masked before."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    return hashlib.blake2b(plain.encode("utf-8", "backslashreplace"), digest_size=16).digest()


def understand(message: Message) -> Understood | None:
    """Return what a message orders first; None where it is no order that can be read."""
    entry = message.alerts[0] if message.alerts else None
    if not isinstance(entry, Alert):
        return None
    return understand_alert(entry, message.strategies[0] if message.strategies else None)


def understand_alert(alert: Alert, strategy: str | None) -> Understood:
    """Return what an alert orders."""
    notes = [value for key, value in alert.notes if key in ("order_id", "id", "strategy.order.id")]
    keyed = (alert.idempotency_key or "").split("|")
    marks = tuple(each for each in (alert.comment, *notes, *keyed) if each)
    side = alert.action if alert.action in ("buy", "sell") else ""
    name = strategy or alert.strategy or "default"
    symbol = alert.symbol.rpartition(":")[2]
    return Understood(side, alert.quantity, alert.price, marks, name, symbol)
