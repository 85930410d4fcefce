"""Know the instruments of every account: at once on paper, asked once from a venue elsewhere.

What a venue answered is remembered, a refusal too. Asking is the pool's work, so the desk thread never waits.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from brokers.protocol import Broker, Instrument, Refused
from desk.routing import is_paper
from desk.state import State

log = logging.getLogger("desk")


@dataclass(frozen=True, slots=True)
class Fact:
    """An instrument that was asked for, or why it cannot be told."""

    account: str
    symbol: str
    value: Instrument | Refused


class Catalogue:
    """The instruments that are known, and those that are being asked for."""

    def __init__(
        self,
        state: State,
        brokers: Mapping[str, Broker],
        start: Callable[[str, Callable[[], None]], None],
        deliver: Callable[[Fact], None],
    ) -> None:
        self._state = state
        self._brokers = brokers
        self._start = start
        self._deliver = deliver
        self._known: dict[tuple[str, str], Instrument | Refused] = {}
        self._asked: set[tuple[str, str]] = set()

    def find(self, account: str, symbol: str, now: int) -> Instrument | None:
        """Return an instrument, or None while it is being asked for. Raises `Refused`."""
        if is_paper(self._state.settings, self._state.settings.accounts[account]):
            return self._state.paper(account, now).instrument(symbol)
        found = self._known.get((account, symbol))
        if isinstance(found, Refused):
            raise found
        if found is None and (account, symbol) not in self._asked:
            self._asked.add((account, symbol))
            self._start(account, lambda: self._ask(account, symbol))
        return found

    def learn(self, fact: Fact) -> None:
        """Remember what a venue answered."""
        self._known[(fact.account, fact.symbol)] = fact.value
        self._asked.discard((fact.account, fact.symbol))

    def _ask(self, account: str, symbol: str) -> None:
        value: Instrument | Refused
        try:
            value = self._brokers[account].instrument(symbol)
        except Refused as no:
            value = no
        except Exception as fault:
            log.exception("broker_fault", extra={"account": account, "text": type(fault).__name__})
            value = Refused(
                f"{account} did not tell what {symbol} is. Try again.", "SYMBOL_UNKNOWN"
            )
        self._deliver(Fact(account, symbol, value))
