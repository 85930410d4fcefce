"""Know the instruments of every account: at once on paper, asked from a venue elsewhere.

What a venue answered is remembered, a refusal too, and asked again from time to time while what is known
goes on holding. Asking is the pool's work, so the desk thread never waits.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from brokers.protocol import Broker, Instrument, Refused
from desk.routing import is_paper
from desk.state import State

log = logging.getLogger("desk")


REFRESH_MS = 3_600_000
"""When rules are asked for again; a broker may still know them."""
FORGET_REFUSAL_MS = 60_000


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
        self._stale_at: dict[tuple[str, str], int] = {}
        self._asked: set[tuple[str, str]] = set()

    def find(self, account: str, symbol: str, now: int) -> Instrument | None:
        """Return an instrument, or None while it is being asked for. Raises `Refused`."""
        if is_paper(self._state.settings, self._state.settings.accounts[account]):
            return self._state.paper(account, now).instrument(symbol)
        key = (account, symbol)
        found, is_stale = self._known.get(key), now >= self._stale_at.get(key, 0)
        if isinstance(found, Refused) and is_stale:
            found = None
        if is_stale and key not in self._asked:
            self._asked.add(key)
            self._start(account, lambda: self._ask(account, symbol))
        if isinstance(found, Refused):
            raise found
        return found

    def learn(self, fact: Fact, now: int) -> None:
        """Remember what a venue answered; rules that are known outlive a failure to ask again."""
        key, value = (fact.account, fact.symbol), fact.value
        self._asked.discard(key)
        is_refusal = isinstance(value, Refused)
        self._stale_at[key] = now + (FORGET_REFUSAL_MS if is_refusal else REFRESH_MS)
        if not (is_refusal and isinstance(self._known.get(key), Instrument)):
            self._known[key] = value

    def doubt(self, account: str) -> None:
        """Have the rules of an account asked for again: it refused an order that kept them."""
        for key in self._known:
            if key[0] == account:
                self._stale_at[key] = 0

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
