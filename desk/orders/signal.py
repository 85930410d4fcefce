"""Say what the sender of an alert held before it, as far as the alert tells (rules 3.8)."""

from __future__ import annotations

from decimal import Decimal

from parsers.alert import Alert

ZERO = Decimal(0)


def signal_before(alert: Alert, side: str, units: Decimal | None) -> Decimal | None:
    """Return what the signal held before its order, counted on the side that an order on `side` reduces.

    A buy reduces a short position, so a short of 3 counts as 3 and a long as -3. None where unknown; zero
    where only that side is known not to have been held.
    """
    if alert.previous_position is not None:
        held = alert.previous_position
    elif alert.previous_side not in (None, "short" if side == "buy" else "long"):
        held = ZERO  # rules 3.8: it was flat or on the other side
    elif alert.position_size is not None and units is not None:
        held = alert.position_size - (units if side == "buy" else -units)
    else:
        return None
    return -held if side == "buy" else held
