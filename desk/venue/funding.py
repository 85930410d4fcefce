"""Know when an account is asked what holding its perpetuals has brought and cost.

Venues settle at full hours, so an account that holds something is asked once after each, and once more after
it has closed the last. After a start it is asked back to when the oldest position was opened.
"""

from __future__ import annotations

from typing import cast

from brokers.protocol import (
    Broker,
    BrokerRefused,
    Funding,
    FundingTold,
    Uncertain,
    Unreachable,
)

HOUR_MS = 3_600_000
SETTLED_MS = 20_000
"""How long after a full hour its funding is asked for."""
MOST_MS = 7 * 24 * HOUR_MS - 60_000
"""How far back venues tell it in one answer."""


class FundingSchedule:
    """When each account is asked next. Belongs to the desk thread."""

    def __init__(self) -> None:
        self._asked: dict[str, int] = {}
        self._held: set[str] = set()

    def find_since(self, account: str, held_since: int | None, now: int) -> int | None:
        """Return from when on to ask; None: not now. `held_since`: when the oldest position was opened."""
        if held_since is not None:
            self._held.add(account)
        if account not in self._held:
            return None
        last = self._asked.get(account)
        if last is None:
            return max(now - MOST_MS, now if held_since is None else held_since)
        is_due = (last - SETTLED_MS) // HOUR_MS < (now - SETTLED_MS) // HOUR_MS
        return last - HOUR_MS if is_due else None  # what came late is told then

    def answered(self, account: str, began: int, held_since: int | None) -> None:
        """Note that an account has told everything up to a moment."""
        self._asked[account] = began
        if held_since is None:
            self._held.discard(account)

    def shift(self, step: int) -> None:
        """Move every moment along with a clock that was set."""
        self._asked = {name: at + step for name, at in self._asked.items()}


def ask_funding(broker: Broker, since: int) -> tuple[Funding, ...] | None:
    """Return what a venue says of it, or None where it does not tell now: it is asked again."""
    try:
        return cast(FundingTold, broker).funding(since)
    except (BrokerRefused, Unreachable, Uncertain):
        return None
