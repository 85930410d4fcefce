"""Read accounts regularly: what became of our orders there, and what the venue holds.

A read is made by the pool and comes back as one event. Fills of our own orders are acted on at every read;
quantities are judged by `compare`. Nothing here places or cancels an order by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from brokers.protocol import (
    Broker,
    BrokerRefused,
    Fill,
    Funding,
    OrderReport,
    OrderRequest,
    Snapshot,
    Uncertain,
    Unreachable,
)
from desk.orders.discrepancies import Comparison
from desk.orders.position_book import PositionBook
from desk.orders.requests import request_of
from desk.state.memory import State
from desk.venue.funding import FundingSchedule, ask_funding
from desk.venue.prices import ask_prices

ZERO = Decimal(0)


WORKING_MS, HOLDING_MS, IDLE_MS = 2_000, 5_000, 60_000
"""How often an account is read while an order works, while a position is held, and else."""


WARM_MS = 15_000
"""How long a connection may be idle before it is opened anew, so that no order pays for that."""


SILENT_MS = 5_000
"""How long an account may be silent before the user hears of it."""


LOST_MS = 20_000
"""After which a read that did not come back counts as failed."""


LOOK_BACK_MS = 3_600_000
"""How far back executions are asked for when quantities differ."""


DAY_BEGAN_MS = 120_000
"""How long before its beginning an account may have been read for that to be its worth when the day began."""


EXPLAINED_AFTER = 3
"""After how many equal reads what an account holds beyond the positions counts as explained."""


PRICES_AT_ONCE = 10
"""How many instruments one read asks the price of, where nothing is open in them."""


SYMBOLS_AT_ONCE = 3
"""Of how many instruments one read asks for executions: a venue counts each, and the others come next."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one read of an account brought, or why it brought nothing."""

    account: str
    began: int
    snapshot: Snapshot | None = None
    reports: tuple[OrderReport, ...] = ()
    fills: tuple[Fill, ...] = ()
    prices: Mapping[str, Decimal] = field(default_factory=dict)
    """What the venue said its instruments cost."""
    problem: str = ""
    code: str = ""
    fault: Exception | None = None
    """A fault of the program behind the problem."""
    explains: tuple[str, ...] = ()
    """The instruments whose executions were asked for."""
    funding: tuple[Funding, ...] | None = None
    """What holding has brought and cost; None where that was not asked or not told."""


def read_account(
    broker: Broker,
    account: str,
    watched: tuple[tuple[OrderRequest, Decimal], ...],
    since: int,
    explains: tuple[str, ...],
    began: int,
    priced: tuple[str, ...] = (),
    funded_since: int | None = None,
) -> Reading:
    """Ask a venue for everything at once; `watched` are our working orders and what of them is known.

    `explains` are the instruments whose executions `since` a time are asked for, `priced` those that are
    asked what they cost. An order that no longer works, or of which more has filled, is looked up by its id.
    Raises nothing.
    """
    try:
        snapshot = broker.snapshot()
        working = {each.client_id: each for each in snapshot.working}
        reports: list[OrderReport] = []
        for request, filled in watched:
            seen = working.get(request.client_id)
            if seen is None or seen.filled > filled:
                seen = broker.find_order(request)
            reports.append(seen)
        fills = broker.fills(since, explains) if explains else ()
    except BrokerRefused as no:
        return Reading(account, began, problem=no.message, code=no.code)
    except (Unreachable, Uncertain) as error:
        return Reading(account, began, problem=str(error) or "it cannot be reached")
    except Exception as fault:  # noqa: BLE001 - whoever takes the reading in logs it, once
        text = f"reading it failed: {type(fault).__name__}"
        return Reading(account, began, problem=text, fault=fault)
    prices = ask_prices(broker, priced) if priced else {}
    funding = None if funded_since is None else ask_funding(broker, funded_since)
    found = (account, began, snapshot, tuple(reports), fills, prices)
    return Reading(*found, explains=explains, funding=funding)


def _none_recent(_account: str, _now: int) -> tuple[str, ...]:
    return ()


class AccountPoller:
    """When each account of a venue is read next, and which reads are out."""

    def __init__(
        self,
        state: State,
        brokers: Mapping[str, Broker],
        start: Callable[[str, Callable[[], None]], bool],
        deliver: Callable[[Reading], None],
        recent: Callable[[str, int], tuple[str, ...]] = _none_recent,
    ) -> None:
        self._state = state
        self._brokers = brokers
        self._start = start
        self._deliver = deliver
        self._recent = recent
        """Account, now -> the instruments whose price the next order there will go by."""
        self._due: dict[str, int] = {}
        self._out: dict[str, int] = {}
        self._clean: dict[str, int] = {}
        self._beyond: dict[str, dict[str, tuple[Decimal, int]]] = {}
        """What an account holds beyond the positions, by instrument, and how often it was asked about."""
        self._differs: dict[str, list[str]] = {}
        """The instruments whose executions are asked for next: what is held of them is not explained."""
        self._began: dict[str, int] = {}
        self._used: dict[str, int] = {}
        self._funding = FundingSchedule()

    def begin(self, accounts: list[str], now: int) -> None:
        """Have these accounts read from now on."""
        self._due = dict.fromkeys(accounts, now)
        self._clean = dict.fromkeys(accounts, now - LOOK_BACK_MS)

    def want(self, account: str, at: int) -> None:
        """Have an account read at a moment, or before if it is due before."""
        if account in self._due:
            self._due[account] = min(self._due[account], at)
            self._used[account] = at

    def want_soon(self, account: str, now: int) -> None:
        """Have an account read once an order has settled there, as soon as the venue's quota allows."""
        if account in self._due:
            allowed = self._began.get(account, 0) + self._least_ms(account)
            self.want(account, max(now + WORKING_MS, allowed))

    def shift(self, step: int) -> None:
        """Move every moment along with a clock that was set."""
        self._due = {name: at + step for name, at in self._due.items()}
        self._clean = {name: at + step for name, at in self._clean.items()}
        self._used = {name: at + step for name, at in self._used.items()}
        self._began = {name: at + step for name, at in self._began.items()}
        self._funding.shift(step)
        self._out.clear()

    def next_at(self) -> int | None:
        """Return the next moment at which anything is to be done."""
        lost = [began + LOST_MS for began in self._out.values()]
        due = [
            min(at, self._used.get(name, 0) + WARM_MS)
            for name, at in self._due.items()
            if name not in self._out
        ]
        return min([*lost, *due], default=None)

    def start_due(self, now: int) -> list[Reading]:
        """Start what is due; return a failure for each read that never came back."""
        lost = [name for name, began in self._out.items() if now - began >= LOST_MS]
        failed = [Reading(name, self._out[name], problem="it does not answer") for name in lost]
        for name, at in list(self._due.items()):
            if name in self._out:
                continue
            if at <= now:
                self._begin_one(name, now)
            elif now - self._used.get(name, 0) >= WARM_MS:
                self._used[name] = now
                self._start(name, self._brokers[name].open)
        return failed

    def finished(self, reading: Reading, found: Comparison | None, now: int) -> None:
        """Say when an account is read next, after a read has come back."""
        name = reading.account
        if found is not None:
            self._differs[name] = self._find_unexplained(reading, found)
        differs = bool(self._differs.get(name))
        if self._out.get(name) == reading.began:
            del self._out[name]
        if self._due.get(name, 0) > now:  # nobody asked for another one meanwhile
            is_near = bool(self._recent(name, now))
            pause = (
                WORKING_MS if found is None or differs else _pause_ms(self._state, name, is_near)
            )
            self._due[name] = now + max(pause, self._least_ms(name))
        if found is not None and found.is_certain and not differs:
            self._clean[name] = reading.began
        if reading.funding is not None:
            self._funding.answered(name, reading.began, _held_since(self._state, name))

    def _find_unexplained(self, reading: Reading, found: Comparison) -> list[str]:
        """Return the instruments of which something else is held than we know, which executions may explain.

        Those whose executions were just asked for come last. What the account holds besides, e.g. cash, or
        an instrument that alerts only named, costs the venue's quota nothing.
        """
        before, external_quantities = self._beyond.get(reading.account, {}), {}
        wanted: list[str] = []
        asked = set(reading.explains)
        # What is at rest, and so not compared, may turn out to have been executed after all.
        books = self._state.books.items()
        for book in [each for key, each in books if key[:2] == (reading.account, False)]:
            name, symbol = book.instrument.holding, book.instrument.symbol
            held = found.external_quantities.get(name, ZERO)
            known, count = before.get(symbol, (ZERO, EXPLAINED_AFTER))
            count = 0 if held != known else count + (symbol in asked)
            external_quantities[symbol] = (held, count)
            if name in found.short or count < EXPLAINED_AFTER:
                wanted.append(symbol)
        self._beyond[reading.account] = external_quantities
        return sorted(wanted, key=lambda symbol: (symbol in asked, symbol))

    def _least_ms(self, name: str) -> int:
        """Return the shortest pause that leaves half of the quota to orders; a venue's accounts share it.

        Rules 10.1: what the venue itself says was used counts too, e.g. that of another program. Markets of
        one venue that are systems of their own have quotas of their own. An account in which nothing is open
        is read so rarely that it takes no part.
        """
        broker, where = self._brokers[name], self._address_of(name)
        others = [each for each in self._due if each != name and self._address_of(each) == where]
        sharing = 1 + sum(_pause_ms(self._state, each, False) < IDLE_MS for each in others)
        return int(max(broker.facts.poll_seconds * sharing, broker.rest_seconds) * 1000)

    def _address_of(self, name: str) -> tuple[object, ...]:
        """Return what the accounts have in common that share a quota: the system they call from here."""
        account = self._state.settings.accounts[name]
        where = (account.broker, account.exchange, account.sandbox, account.base_url)
        return (type(self._brokers[name]), *where)

    def _begin_one(self, name: str, now: int) -> None:
        watched = tuple(
            (request_of(order, book), order.filled)
            for book in books_of(self._state, name)
            for order in book.orders.values()
            if order.status == "accepted"
        )
        priced = self._find_priced(name, now)
        since, explains = self._clean[name], tuple(self._differs.get(name, ())[:SYMBOLS_AT_ONCE])
        broker, deliver = self._brokers[name], self._deliver
        funded = None
        if "funding" in broker.facts.capabilities:
            funded = self._funding.find_since(name, _held_since(self._state, name), now)

        def job() -> None:
            deliver(read_account(broker, name, watched, since, explains, now, priced, funded))

        self._due[name] = now + IDLE_MS
        self._began[name] = now
        self._used[name] = now
        if self._start(name, job):
            self._out[name] = now
        else:
            self._due[name] = now + WORKING_MS

    def _find_priced(self, name: str, now: int) -> tuple[str, ...]:
        """Return the instruments that are open, and those that orders were lately judged by."""
        opened = dict.fromkeys(
            book.instrument.symbol
            for book in books_of(self._state, name)
            if book.orders or any(position.quantity for position in book.positions.values())
        )
        tells_many = "prices" in self._brokers[name].facts.capabilities
        most = (
            PRICES_AT_ONCE if tells_many else SYMBOLS_AT_ONCE
        )  # else each is a request of its own
        lately = [symbol for symbol in self._recent(name, now) if symbol not in opened]
        return (*opened, *lately[:most])


def books_of(state: State, account: str) -> list[PositionBook]:
    """Return the books of an account at its venue in which something is open, or was a moment ago."""
    return state.open_books(account, paper=False)


def _held_since(state: State, account: str) -> int | None:
    """Return when the oldest position at an account's venue was opened, or None where it holds nothing."""
    held = (p.ledger for book in books_of(state, account) for p in book.positions.values())
    return min((ledger.opened_at for ledger in held if ledger.quantity), default=None)


def _pause_ms(state: State, name: str, is_near: bool) -> int:
    books = books_of(state, name)
    if any(book.orders for book in books):
        return WORKING_MS
    if is_near or any(book.totals.size for book in books):
        return HOLDING_MS
    return IDLE_MS
