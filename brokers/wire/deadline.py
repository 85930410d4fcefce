"""Say how long one piece of work may still take, whatever number of calls it needs."""

from __future__ import annotations

import time
from dataclasses import dataclass

from brokers.protocol import Unreachable

LEAST_SECONDS = 0.1
"""A call that comes too late is still given a moment: it fails by itself, in its own words."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment by which several calls together must be over."""

    at_seconds: float
    """A time of `time.monotonic`."""

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Return the deadline so many seconds from now."""
        return cls(time.monotonic() + seconds)

    @property
    def left_seconds(self) -> float:
        """What is left of it, at least a tenth of a second."""
        return max(self.at_seconds - time.monotonic(), LEAST_SECONDS)

    @property
    def send_seconds(self) -> float:
        """What is left for what may not leave late: an order that was given up is looked up by then.

        Raises `Unreachable` where nothing is left.
        """
        if self.is_over:
            raise Unreachable("It would have left too late, so it was not sent.")
        return self.left_seconds

    @property
    def is_over(self) -> bool:
        """Whether the moment has passed: what may not leave late is not sent any more."""
        return time.monotonic() >= self.at_seconds
