"""Settle what became of an order: by its echo, by a second look, by the executions behind it.

An answer about another order is a doubt, never ours; an order that the venue already has is looked up. Totals
are believed only once the executions add up to them: a fee that is taken in the coin bought makes the
position smaller.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Generic, TypeVar

from brokers.protocol import (
    KEYS_REFUSED,
    LOGIN_REFUSED,
    WRONG_ORDER,
    BrokerRefused,
    Check,
    Fill,
    OrderReport,
    OrderRequest,
    Uncertain,
    Unreachable,
)
from brokers.wire.fields import floor_to

ZERO = Decimal(0)
REMEMBERED = 5_000
OLDER_MS = 60_000
"""How much older than the stamp of our request an order must be to be another one of the same name."""
LATE_FILLS_MS = 60_000
"""How long the list of executions may lag behind an order before its totals are believed without it."""
FINEST_CASH = Decimal("0.00000001")
"""No amount of money is divided further."""
Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """One order as a venue describes it, read and checked, in our words."""

    symbol: str
    order_id: str
    client_id: str
    side: str
    status: str
    """What has ended with a part filled is not yet told apart."""
    asked: Decimal
    executed: Decimal
    value: Decimal
    """What the executions were worth; negative where the venue does not know."""
    changed_at: int
    placed_at: int | None = None
    asked_value: Decimal = ZERO
    """What was to be spent; zero where the order was for a quantity."""
    reason: str = ""
    """Why it ended, in the venue's words."""

    @property
    def average_price(self) -> Decimal | None:
        """What the executed part cost on average, where the venue knows."""
        return self.value / self.executed if self.executed > 0 and self.value >= 0 else None


class Remembered(Generic[Key, Value]):
    """A table that forgets its oldest entries. Safe for several threads at once."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._rows: dict[Key, Value] = {}
        self._lock = threading.Lock()

    def __contains__(self, key: Key) -> bool:
        """Whether an entry is still known."""
        return key in self._rows

    def list_keys(self) -> list[Key]:
        """Return what is remembered, the oldest first."""
        with self._lock:
            return list(self._rows)

    def get(self, key: Key) -> Value | None:
        """Return an entry, or None where it was never noted or is forgotten."""
        return self._rows.get(key)

    def note(self, key: Key, value: Value) -> None:
        """Remember an entry, and forget the oldest beyond the bound."""
        with self._lock:
            self._rows[key] = value
            if len(self._rows) > self._most:
                del self._rows[next(iter(self._rows))]


def check_echo(request: OrderRequest, found: VenueOrder | None) -> VenueOrder:
    """Return the order that a venue answered about. Raises `Uncertain` where it is not the one sent."""
    expected = (request.client_id, request.instrument.symbol, request.side)
    if found is None or (found.client_id, found.symbol, found.side) != expected:
        text = "The venue answered about another order than the one sent."
        raise Uncertain(text, WRONG_ORDER)
    return found


def is_same_order(found: VenueOrder, request: OrderRequest) -> bool:
    """Tell whether what a venue has can be what was asked for (rules 1.2)."""
    if (found.symbol, found.side) != (request.instrument.symbol, request.side):
        return False
    if found.asked_value > 0:  # an order for an amount: its quantity is the venue's own
        return request.quote_quantity is None or found.asked_value == floor_to(
            request.quote_quantity, FINEST_CASH
        )
    if request.reduces and request.order_type == "market":  # may have been cut
        return found.asked <= request.quantity
    return found.asked in (request.quantity, request.amended_from)


def judge_found(
    request: OrderRequest, found: VenueOrder, sent_at: int | None, venue: str
) -> OrderReport | None:
    """Return `absent` where what has the order's name is another order, None where it is ours (rules 1.2).

    `sent_at` is when ours was sent, by the venue's clock, where that is known. Raises `Uncertain` where the
    venue answered about another name.
    """
    if found.client_id != request.client_id:
        raise Uncertain(f"{venue} answered about another order", WRONG_ORDER)
    is_older = sent_at is not None and (found.placed_at or 0) < sent_at - OLDER_MS
    if not is_older and is_same_order(found, request):
        return None
    text = f"{venue} has another order of this name, not the one that was sent."
    return OrderReport(request.client_id, "absent", message=text)


def cut_to_market(request: OrderRequest) -> Decimal:
    """Return the quantity of a market order; one that reduces is cut to the most a venue takes in one.

    The rest stays to be sold. An entry is never made smaller: the venue refuses it by name.
    """
    instrument = request.instrument
    if not (request.reduces and instrument.max_market_quantity):
        return request.quantity
    most = min(request.quantity, instrument.max_market_quantity)
    return floor_to(most, instrument.market_step or instrument.step) or request.quantity


def settle_duplicate(
    request: OrderRequest, find_order: Callable[[OrderRequest], OrderReport]
) -> OrderReport:
    """Return what an order is that a venue says it already has; otherwise raise `Uncertain`."""
    try:
        found = find_order(request)
    except (BrokerRefused, Unreachable) as failed:
        text = "The venue already has the order and did not tell what became of it."
        raise Uncertain(text) from failed
    if found.status == "absent":
        code = WRONG_ORDER if found.message else None
        raise Uncertain("The venue has an open order of this name that is not this one.", code)
    return found


def read_back(
    request: OrderRequest, find_order: Callable[[OrderRequest], OrderReport]
) -> OrderReport:
    """Return what became of an order that a venue only acknowledged.

    What cannot be read back exists all the same: it is `Uncertain` and is looked up later, never refused.
    """
    try:
        found = find_order(request)
    except (BrokerRefused, Unreachable) as failed:
        text = "The venue took the order and did not tell what became of it."
        raise Uncertain(text) from failed
    if found.status == "absent":
        raise Uncertain("The venue took the order and does not show it yet.")
    return found


def write_receipt(
    found: VenueOrder, fills: tuple[Fill, ...], request: OrderRequest, now: int
) -> OrderReport:
    """Turn a venue's order into a receipt with every execution and its fee.

    Raises `Uncertain` while an ended order's executions are not all known. `now` is the venue's clock.
    """
    filled = found.executed
    if add_up(fills) != filled:
        if found.status == "accepted":
            filled = add_up(fills)
        elif now - found.changed_at < LATE_FILLS_MS:
            raise Uncertain("The venue does not list all executions of the order yet")
    status, code, message = _read_end(found, request)
    average = found.average_price
    return OrderReport(
        *(found.client_id, status, found.order_id, filled, average, fills, code, message),
        quantity=found.asked or None,
    )


def add_up(fills: Iterable[Fill]) -> Decimal:
    """Return the quantity of some executions."""
    return sum((fill.quantity for fill in fills), ZERO)


def describe_failure(url: str, venue: str, error: Exception, clock_offset_ms: int | None) -> Check:
    """Say why an account could not be asked: keys refused, unreachable, or somebody else answers there."""
    if isinstance(error, BrokerRefused):
        is_login = error.code in (KEYS_REFUSED, LOGIN_REFUSED)
        valid = False if is_login else None
        return Check(clock_offset_ms=clock_offset_ms, key_valid=valid, problem=error.message)
    if isinstance(error, Unreachable):
        text = f"{url} cannot be reached from here. Check the network and the firewall."
        return Check(problem=text)
    text = f"{url} does not answer as {venue} does: {error}. Check base_url."
    return Check(problem=text)


def _read_end(found: VenueOrder, request: OrderRequest) -> tuple[str, str | None, str | None]:
    """Return status, code and message of an order: what it filled says more than how it ended.

    A market order that found nothing is refused, so that what it was for is tried again with a pause.
    """
    message = f"The venue ended the order: {found.reason}." if found.reason else None
    if found.status == "filled":
        is_less = request.quote_quantity is None and found.executed < request.quantity
        return ("partly_filled" if is_less else "filled"), None, message
    if found.status == "accepted":
        return "accepted", None, message
    if found.executed > 0:
        return "partly_filled", None, message
    if found.status == "expired" and request.order_type == "market":
        return "refused", "EXPIRED", message or "Nobody was found to fill the market order."
    return found.status, None, message
