"""Share out what a venue lets one address ask for in a minute.

Reading takes at most half, however many accounts of ours do so; the rest is kept for orders. The venue itself
says what was used: other programs behind the same address count there too. Nothing here makes a request.
"""

from __future__ import annotations

import math

MINUTE_MS = 60_000
RECENT_MS = 10_000
"""An account that was answered so lately reads here now; one that holds nothing hardly ever does."""


class Quota:
    """What may be asked of one venue within a minute of its clock, by weight."""

    def __init__(self, limit: int, read_weight: int) -> None:
        self.limit = limit
        """What the venue allows in a minute."""
        self._read_weight = read_weight
        self._answered: dict[str, int] = {}
        self._seen = (-1, 0)

    def hear(self, used: int, now: int, account: str = "") -> None:
        """Note what the venue says is used of the minute that `now`, a time of its clock, lies in.

        The accounts that are answered at a time share what there is.
        """
        self._answered[account] = now
        minute, before = self._seen
        this = now // MINUTE_MS
        # Answers may overtake one another: within a minute the highest is the newest.
        self._seen = (this, max(used, before) if this == minute else used)

    def rest_seconds(self, now: int) -> float:
        """Return the pause that makes what is left of the half last until the minute ends."""
        minute, used = self._seen
        if minute != now // MINUTE_MS:
            return 0.0
        left_seconds = math.ceil((MINUTE_MS - now % MINUTE_MS) / 100) / 10
        left = self.limit // 2 - used
        if left < self._read_weight:
            return left_seconds
        readers = sum(now - at <= RECENT_MS for at in self._answered.values())
        pause = left_seconds * self._read_weight * max(1, readers) / left
        return min(pause, left_seconds)
