"""Say which contract a continuous symbol means at a venue: the venue's own word, else the calendar's.

A broker of a futures venue makes one `FrontMonths` an account and gives it the one request by which its
venue tells a front month. What the venue said is good for an hour at most; where it does not answer, or
names what cannot be (another product, a contract that has ended), the roll calendar stands in. Nobody asks
here for an exit: that goes to the contract that is held (rules 3.11).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from brokers.instruments import futures
from brokers.instruments.futures import Contract
from brokers.protocol import BrokerRefused, Uncertain, Unreachable

KEPT_SECONDS = 3600.0
"""How long a venue's word is good: it may move on at any hour, and no alert may trade yesterday's month."""
AskFront = Callable[[str, int], str | None]
"""Root and place (1 is the front month) -> the venue's name of the contract; None where it has none."""


class FrontMonths:
    """Know the front months of one venue. Raises nothing: the calendar always answers.

    `now` are steady seconds (`time.monotonic`).
    """

    def __init__(
        self,
        ask: AskFront,
        now: Callable[[], float],
        roll_days: int | None = None,
    ) -> None:
        self._ask = ask
        self._roll_days = roll_days
        self._now = now
        self._told: dict[tuple[str, int], tuple[Contract, float]] = {}

    def find(self, name: str, today: date) -> Contract:
        """Return the contract of a continuous symbol (`MES1!`, `MES2!`). Raises `KeyError` for any other."""
        root, place = futures.read_continuous(name), futures.read_place(name)
        if root is None:
            raise KeyError(name)
        known = self._told.get((root, place))
        if known is not None and self._now() - known[1] < KEPT_SECONDS and _trades(known[0], today):
            return known[0]
        asked_at = self._now()  # what is told later is no younger than the question
        told = self._read(root, place, today)
        if told is None:
            self._told.pop((root, place), None)
            return futures.find_front(root, today, place, self._roll_days)
        self._told[root, place] = (told, asked_at)
        return told

    def _read(self, root: str, place: int, today: date) -> Contract | None:
        """Return what the venue says, where it can be."""
        try:
            name = self._ask(root, place)
        except (BrokerRefused, Unreachable, Uncertain):
            return None
        found = futures.read_contract(name.strip().lstrip("/").upper(), today) if name else None
        is_right = found is not None and found.root == root and futures.is_listed(found)
        return found if found is not None and is_right and _trades(found, today) else None


def _trades(contract: Contract, today: date) -> bool:
    """Whether something may still be opened: on its last trading day a contract is left alone."""
    return today < futures.find_last_trading_day(contract)
