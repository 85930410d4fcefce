"""Name the steps of a plan: what can be done next about one instrument on one account.

Plain values. `plan` chooses one, `apply` notes that it was taken, `pursue` carries it out.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from desk.orders.order import Order


@dataclass(frozen=True, slots=True)
class Submit:
    """Place `order`: it is new to the book unless it is an entry that was waiting for its release."""

    order: Order


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel a working order, so that it ends as `end_status`."""

    client_id: str
    end_status: str


@dataclass(frozen=True, slots=True)
class Amend:
    """Change what a working order asks for in all, in its place."""

    client_id: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class QueryOrder:
    """Look up an order of which it is not known whether it exists."""

    client_id: str


@dataclass(frozen=True, slots=True)
class SubmitOco:
    """Place a stop and a target that the venue links: one ends the other."""

    orders: tuple[Order, Order]


@dataclass(frozen=True, slots=True)
class ReadAccount:
    """Read what the account holds, because an exit must know it before it leaves."""


@dataclass(frozen=True, slots=True)
class Discard:
    """End an entry that never left."""

    client_id: str
    status: str
    code: str | None
    message: str


Step = Submit | SubmitOco | Cancel | Amend | QueryOrder | ReadAccount | Discard
