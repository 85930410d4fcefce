"""Count how often, in a moving window, and say when the next one may come.

Rates hold numbers in memory and forget them at a restart. They do not know what they count, who is
asked, or what happens to whoever is too early.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable

import limits
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter


class Rates:
    """Keep one rate, like 10/minute, for whatever is named by a key. Safe from many threads.

    `clock` is monotonic seconds: a corrected wall clock must not open or shut a window.
    """

    def __init__(self, rate: str, clock: Callable[[], float]) -> None:
        self._rate = limits.parse(rate)
        self._clock = clock
        self._windows = _Windows(clock)
        self._limiter = MovingWindowRateLimiter(self._windows)

    def may_open(self, strategy: str, symbol: str) -> int | None:
        """Return None if an opening alert may come now, else the seconds to wait. Counts nothing."""
        key = _opening_key(strategy, symbol)
        return None if self._limiter.test(self._rate, key) else self._wait(self._rate, key)

    def count_opening(self, strategy: str, symbol: str) -> None:
        """Count an opening alert that is being carried out."""
        self._limiter.hit(self._rate, _opening_key(strategy, symbol))

    def discount_opening(self, strategy: str, symbol: str) -> None:
        """Take back the last opening alert that was counted: it was not carried out after all."""
        self._windows.drop_newest(self._rate.key_for(_opening_key(strategy, symbol)))

    def count(self, key: str, rate: limits.RateLimitItem | None = None) -> int | None:
        """Count one event; return None while the rate is kept, else the seconds to wait."""
        rate = rate or self._rate
        return None if self._limiter.hit(rate, key) else self._wait(rate, key)

    def is_spent(self, key: str) -> bool:
        """Tell whether the next event of `key` would have to wait. Counts nothing."""
        return not self._limiter.test(self._rate, key)

    def seen(self, key: str, rate: limits.RateLimitItem) -> int:
        """Return how many events of `key` are in the window."""
        return rate.amount - self._limiter.get_window_stats(rate, key).remaining

    def _wait(self, rate: limits.RateLimitItem, key: str) -> int:
        reset = self._limiter.get_window_stats(rate, key).reset_time
        return max(1, math.ceil(reset - self._clock()))


def _opening_key(strategy: str, symbol: str) -> str:
    return f"{strategy}\n{symbol}"


class _Windows(MemoryStorage):
    """Keep the package's moving windows on our own clock.

    Its own storage (limits 5.8) reads the wall clock, which may jump, and starts a thread every
    ten milliseconds under load to tidy up.
    """

    STORAGE_SCHEME = []  # noqa: RUF012  # not registered: it is never made from a URL

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        self._hits: dict[str, tuple[int, deque[float]]] = {}
        self._tidy_at = 4096

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count `amount` events unless the window of `expiry` seconds would then hold too many."""
        with self._lock:
            now = self._clock()
            hits = self._live(key, expiry, now)
            if len(hits) + amount > limit:
                return False
            hits.extend([now] * amount)
            if len(self._hits) > self._tidy_at:
                self._tidy(now)
            return True

    def get_moving_window(
        self,
        key: str,
        limit: int,  # noqa: ARG002  # the package passes it
        expiry: int,
    ) -> tuple[float, int]:
        """Return when the oldest event in the window was, and how many there are."""
        with self._lock:
            now = self._clock()
            if key not in self._hits:
                return now, 0
            hits = self._live(key, expiry, now)
            return (hits[0] if hits else now), len(hits)

    def drop_newest(self, key: str) -> None:
        """Forget the newest event of a window."""
        with self._lock:
            _, hits = self._hits.get(key, (0, None))
            if hits:
                hits.pop()

    def _live(self, key: str, expiry: int, now: float) -> deque[float]:
        _, hits = self._hits.setdefault(key, (expiry, deque()))
        while hits and hits[0] < now - expiry:
            hits.popleft()
        return hits

    def _tidy(self, now: float) -> None:
        """Forget who has been silent, so that many addresses cannot fill the memory."""
        self._hits = {
            key: (expiry, hits)
            for key, (expiry, hits) in self._hits.items()
            if hits and hits[-1] >= now - expiry
        }
        self._tidy_at = max(4096, 2 * len(self._hits))
