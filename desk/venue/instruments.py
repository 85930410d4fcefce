"""Know the instruments of every account: at once on paper, asked from a venue elsewhere.

What a venue answered is remembered, a refusal for a minute, rules until they are asked for again. A venue
that did not answer is asked again while an alert waits for it: a close must not fail because of a request
that did. Asking is the pool's work, so the desk thread never waits.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from brokers.protocol import Broker, BrokerRefused, Instrument, Uncertain, Unreachable
from desk.decision.routing import is_paper
from desk.state.memory import State

log = logging.getLogger("desk")
REFUSED_MS = 60_000
"""How long a refusal is remembered: a login, a limit or a list of symbols may change."""
AGAIN_MS = 2_000
"""The pause before a venue that did not answer is asked again."""


REFRESH_MS = 3_600_000
"""When rules are asked for again; a broker may still know them."""


@dataclass(frozen=True, slots=True)
class Fact:
    """An instrument that was asked for, why it cannot be told, or None: the venue did not answer."""

    account: str
    symbol: str
    value: Instrument | BrokerRefused | None
    problem: str = ""
    """Why the venue did not answer."""


class InstrumentCache:
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
        self._known: dict[tuple[str, str], Instrument | BrokerRefused] = {}
        self._asked: set[tuple[str, str]] = set()
        self._again: dict[tuple[str, str], int] = {}
        """When what was refused, or not answered, may be asked again."""
        self._problems: dict[tuple[str, str], str] = {}
        self._faulty: set[tuple[str, str]] = set()

    def find(self, account: str, symbol: str, now: int) -> Instrument | None:
        """Return an instrument, or None while it is being asked for. Raises `BrokerRefused`."""
        if is_paper(self._state.settings, self._state.settings.accounts[account]):
            return self._state.paper(account, now).instrument(symbol)
        key = (account, symbol)
        found, again = self._known.get(key), self._again.get(key, now)
        if isinstance(found, BrokerRefused) and now < again:
            raise found
        if key not in self._asked and now >= again:
            self._again.pop(key, None)
            self._asked.add(key)
            self._start(account, lambda: self._ask(account, symbol))
        return found if isinstance(found, Instrument) else None

    def store(self, fact: Fact, now: int) -> None:
        """Remember what a venue answered, and when to ask again; rules outlive a failure to do so."""
        key, value = (fact.account, fact.symbol), fact.value
        self._asked.discard(key)
        is_known = isinstance(self._known.get(key), Instrument)
        self._problems.pop(key, None)
        if isinstance(value, Instrument):
            self._known[key] = value
            self._again[key] = now + REFRESH_MS
        elif value is None:
            self._again[key] = now + AGAIN_MS
            self._problems[key] = fact.problem
            if not is_known:
                self._known.pop(key, None)
        else:
            self._again[key] = now + REFUSED_MS
            if not is_known:
                self._known[key] = value

    def problem(self, account: str, symbol: str) -> str:
        """Return why a venue does not tell an instrument, or nothing where it was only just asked."""
        return self._problems.get((account, symbol), "")

    def invalidate(self, account: str) -> None:
        """Have the rules of an account asked for again: it refused an order that kept them."""
        for key, found in self._known.items():
            if key[0] == account and isinstance(found, Instrument):
                self._again.pop(key, None)

    def shift(self, step: int) -> None:
        """Move every moment along with a clock that was set."""
        self._again = {key: at + step for key, at in self._again.items()}

    def forget(self, now: int) -> None:
        """Let go of the names that a venue refused some time ago: anybody can send new ones."""
        for key, found in list(self._known.items()):
            if isinstance(found, BrokerRefused) and now >= self._again.get(key, now):
                del self._known[key]
                self._again.pop(key, None)

    def next_at(self, now: int) -> int | None:
        """Return when a venue that did not answer may be asked again; one that is due, once."""
        waits = {key: at for key, at in self._again.items() if key not in self._known}
        for key, at in waits.items():
            if at <= now:
                del self._again[key]
        return min(waits.values(), default=None)

    def _ask(self, account: str, symbol: str) -> None:
        value: Instrument | BrokerRefused | None = None
        problem = ""
        try:
            value = self._brokers[account].instrument(symbol)
        except BrokerRefused as no:
            value = no
        except (Unreachable, Uncertain) as error:
            problem = str(error) or "no answer"
        except Exception as fault:
            problem = f"looking {symbol} up failed: {type(fault).__name__}"
            if (account, symbol) not in self._faulty:  # it is asked every two seconds
                self._faulty.add((account, symbol))
                log.exception("broker_fault", extra={"account": account, "symbol": symbol})
        self._deliver(Fact(account, symbol, value, problem))
