"""Let go of prices that nobody asked about for longest, so that names sent by strangers cost no memory.

What is open is never forgotten, and nothing is taken from the file.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TypeVar

from desk.orders.believed_prices import Seen
from desk.state.memory import State

KEPT_PRICES = 10_000
"""How many names have a price in memory, beside those in which something is open."""
K = TypeVar("K", bound=Hashable)


def forget_prices(state: State) -> None:
    """Keep the prices of what is open, and the latest of all others."""
    for name in _find_oldest(state.prices):
        if name not in state.by_instrument:
            state.drop(state.prices, name)
    for source in _find_oldest(state.quotes):
        if source[1] not in state.by_instrument:
            state.drop(state.quotes, source)
    for name in [name for name in state.doubted if name not in state.prices]:
        state.drop(state.doubted, name)


def _find_oldest(known: dict[K, Seen]) -> list[K]:
    """Return what is beyond the number that is kept, without looking at any while there is none."""
    beyond = len(known) - KEPT_PRICES
    return sorted(known, key=lambda name: known[name].at)[:beyond] if beyond > 0 else []
