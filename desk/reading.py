"""Read accounts regularly: what became of our orders there, and what the venue holds.

A read is made by the pool and comes back as one event. Fills of our own orders are acted on at every read;
quantities are judged by `compare`. Nothing here places or cancels an order by itself.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from brokers.protocol import (
    KEYS_REFUSED,
    Broker,
    Fill,
    OrderRequest,
    Receipt,
    Refused,
    Snapshot,
    Uncertain,
    Unreachable,
)
from desk.apply import miss_legs, observe, receive
from desk.book import Book, Order
from desk.compare import Comparison, compare, is_busy, miss_read
from desk.day import start_of_day
from desk.evolve import evolve
from desk.exposure import sum_closed
from desk.feed import ask_prices
from desk.floor import Floor
from desk.market import value_price
from desk.operator import halt
from desk.prices import Seen
from desk.pursue import pursue, request_of
from desk.state import Equity, Key, Silence, State

log = logging.getLogger("desk")
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
"""After how many equal reads what an account holds beyond the shares counts as explained."""
SYMBOLS_AT_ONCE = 3
"""Of how many instruments one read asks for executions: a venue counts each, and the others come next."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one read of an account brought, or why it brought nothing."""

    account: str
    began: int
    snapshot: Snapshot | None = None
    receipts: tuple[Receipt, ...] = ()
    fills: tuple[Fill, ...] = ()
    prices: Mapping[str, Decimal] = field(default_factory=dict)
    """What the venue said its instruments cost."""
    problem: str = ""
    code: str = ""
    fault: Exception | None = None
    """A fault of the program behind the problem."""
    explains: tuple[str, ...] = ()
    """The instruments whose executions were asked for."""


def read_account(
    broker: Broker,
    account: str,
    watched: tuple[tuple[OrderRequest, Decimal], ...],
    since: int,
    explains: tuple[str, ...],
    began: int,
    priced: tuple[str, ...] = (),
) -> Reading:
    """Ask a venue for everything at once; `watched` are our working orders and what of them is known.

    `explains` are the instruments whose executions `since` a time are asked for, `priced` those that are
    asked what they cost. An order that no longer works, or of which more has filled, is looked up by its id.
    Raises nothing.
    """
    try:
        snapshot = broker.snapshot()
        working = {each.client_id: each for each in snapshot.working}
        receipts: list[Receipt] = []
        for request, filled in watched:
            seen = working.get(request.client_id)
            if seen is None or seen.filled > filled:
                seen = broker.find_order(request)
            receipts.append(seen)
        fills = broker.fills(since, explains) if explains else ()
    except Refused as no:
        return Reading(account, began, problem=no.message, code=no.code)
    except (Unreachable, Uncertain) as error:
        return Reading(account, began, problem=str(error) or "it cannot be reached")
    except Exception as fault:  # noqa: BLE001 - whoever takes the reading in logs it, once
        text = f"reading it failed: {type(fault).__name__}"
        return Reading(account, began, problem=text, fault=fault)
    prices = ask_prices(broker, priced) if priced else {}
    return Reading(
        account, began, snapshot, tuple(receipts), fills, explains=explains, prices=prices
    )


class Readers:
    """When each account of a venue is read next, and which reads are out."""

    def __init__(
        self,
        state: State,
        brokers: Mapping[str, Broker],
        start: Callable[[str, Callable[[], None]], bool],
        deliver: Callable[[Reading], None],
    ) -> None:
        self._state = state
        self._brokers = brokers
        self._start = start
        self._deliver = deliver
        self._due: dict[str, int] = {}
        self._out: dict[str, int] = {}
        self._clean: dict[str, int] = {}
        self._beyond: dict[str, dict[str, tuple[Decimal, int]]] = {}
        """What an account holds beyond the shares, by instrument, and how often it was asked about."""
        self._differs: dict[str, list[str]] = {}
        """The instruments whose executions are asked for next: what is held of them is not explained."""
        self._began: dict[str, int] = {}
        self._used: dict[str, int] = {}

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

    def came_back(self, reading: Reading, found: Comparison | None, now: int) -> None:
        """Say when an account is read next, after a read has come back."""
        name = reading.account
        if found is not None:
            self._differs[name] = self._find_unexplained(reading, found)
        differs = bool(self._differs.get(name))
        if self._out.get(name) == reading.began:
            del self._out[name]
        if self._due.get(name, 0) > now:  # nobody asked for another one meanwhile
            pause = WORKING_MS if found is None or differs else _pause_ms(self._state, name)
            self._due[name] = now + max(pause, self._least_ms(name))
        if found is not None and found.is_certain and not differs:
            self._clean[name] = reading.began

    def _find_unexplained(self, reading: Reading, found: Comparison) -> list[str]:
        """Return the instruments of which something else is held than the shares, and executions may say why.

        Those whose executions were just asked for come last. What the account holds besides, e.g. cash, or
        an instrument that alerts only named, costs the venue's quota nothing.
        """
        before, beyond = self._beyond.get(reading.account, {}), {}
        wanted: list[str] = []
        asked = set(reading.explains)
        # What is at rest, and so not compared, may turn out to have been executed after all.
        books = self._state.books.items()
        for book in [each for key, each in books if key[:2] == (reading.account, False)]:
            name, symbol = book.instrument.holding, book.instrument.symbol
            held = found.beyond.get(name, ZERO)
            known, count = before.get(symbol, (ZERO, EXPLAINED_AFTER))
            count = 0 if held != known else count + (symbol in asked)
            beyond[symbol] = (held, count)
            if name in found.short or count < EXPLAINED_AFTER:
                wanted.append(symbol)
        self._beyond[reading.account] = beyond
        return sorted(wanted, key=lambda symbol: (symbol in asked, symbol))

    def _least_ms(self, name: str) -> int:
        """Return the shortest pause that leaves half of the quota to orders; a venue's accounts share it.

        Rules 10.1: what the venue itself says was used counts too, e.g. that of another program.
        """
        accounts, broker = self._state.settings.accounts, self._brokers[name]
        sharing = sum(accounts[each].broker == accounts[name].broker for each in self._due)
        return int(max(broker.facts.poll_seconds * sharing, broker.rest_seconds) * 1000)

    def _begin_one(self, name: str, now: int) -> None:
        watched = tuple(
            (request_of(order, book), order.filled)
            for book in books_of(self._state, name)
            for order in book.orders.values()
            if order.status == "accepted"
        )
        priced = tuple(
            book.instrument.symbol
            for book in books_of(self._state, name)
            if book.orders or any(share.quantity for share in book.shares.values())
        )
        since, explains = self._clean[name], tuple(self._differs.get(name, ())[:SYMBOLS_AT_ONCE])
        broker, deliver = self._brokers[name], self._deliver

        def job() -> None:
            deliver(read_account(broker, name, watched, since, explains, now, priced))

        self._due[name] = now + IDLE_MS
        self._began[name] = now
        self._used[name] = now
        if self._start(name, job):
            self._out[name] = now
        else:
            self._due[name] = now + WORKING_MS


def books_of(state: State, account: str) -> list[Book]:
    """Return the books of an account at its venue in which something is open, or was a moment ago."""
    return state.open_books(account, paper=False)


def meet_reading(floor: Floor, reading: Reading, now: int) -> Comparison | None:
    """Take in what a read brought; return how the venue's quantities compare, None where it failed."""
    state, name = floor.state, reading.account
    was_silent = name in state.silent
    _hear(state, reading, now)
    if reading.code == KEYS_REFUSED and f"account:{name}" not in state.halts:
        halt(floor, f"account:{name}", f"{KEYS_REFUSED}: {reading.problem}", now)
    if reading.snapshot is None:
        for book in miss_read(books_of(state, name), reading.began):
            _keep(floor, book, now)
        return None
    _keep_prices(floor, reading)
    # Everything is taken in first: what is planned must not be overtaken by the next line of the same read.
    _take_orders(floor, reading, now)
    _take_late_fills(floor, reading, now)
    _take_late_orders(floor, reading, now)
    found = compare(
        books_of(state, name),
        reading.snapshot.positions,
        state.beyond.get(name, {}),
        reading.began,
        now,
        lambda book: value_price(floor, book, book.shares.values(), now),
    )
    for book in found.books:
        _keep(floor, book, now)
        _let_rest(state, book, reading.began)
    state.put(state.beyond, name, found.beyond)
    unseen = tuple(each for each in state.spent.get(name, ()) if each[1] >= reading.began)
    state.put(state.spent, name, unseen)
    if was_silent:
        _try_again(floor, name, now)
    return found


def take_late(floor: Floor, receipt: Receipt, now: int, *, works: bool = False) -> Book | None:
    """Take in what a venue has after all of an order that counted as ended; return the book, if it has any.

    What was executed is booked; where a read showed that the order `works`, it is cancelled.
    """
    found = _find_order(floor, receipt.client_id)
    if found is None:
        return None
    account, paper, instrument, order = found
    if receipt.filled <= order.filled and not works:
        return None
    book = floor.state.find_book((account, bool(paper), instrument), order.strategy)
    if book is None or receipt.client_id in book.orders:
        return None
    floor.at = (account, bool(paper), instrument)
    if works:
        text = (
            f"{order.client_id} works at {account} although it had counted as {order.status}: "
            "it is cancelled."
        )
    else:
        text = (
            f"{order.client_id} was executed at {account} after it had counted as {order.status}."
        )
    book = book.telling("late_order" if works else "late_fill", text, order.cause.alert_id)
    ends = "cancelled" if works else None
    book = book.with_order(evolve(order, status="accepted", call="", due_at=None, ends=ends))
    status = receipt.status if receipt.status != "absent" else "partly_filled"
    return receive(book, replace(receipt, status=status, linked=()), now)


def _find_order(floor: Floor, client_id: str) -> tuple[str, int, str, Order] | None:
    """Return an order that has ended with where it was, as it is now, committed or not."""
    found = floor.store.find_order(client_id)
    if found is None:
        return None
    return (*found[:3], floor.state.changed_order(client_id) or found[3])


def _keep(floor: Floor, book: Book, now: int) -> None:
    key = (book.account, book.paper, book.instrument.symbol)
    floor.at = key
    if not book.journal:
        floor.state.put(floor.state.books, key, book)
        floor.state.changed[key] = None
    pursue(floor, book, now)


def _let_rest(state: State, book: Book, began: int) -> None:
    """Compare a book no longer that a read has shown at rest: reads grow with what is open alone."""
    key = (book.account, book.paper, book.instrument.symbol)
    book = state.books[key]
    if not (book.is_open or is_busy(book, began)):
        state.note_open(key, is_open=False)


def _try_again(floor: Floor, account: str, now: int) -> None:
    """Let every wish that failed on the way to a venue be tried now that it answers."""
    for book in books_of(floor.state, account):
        changed = book
        for share in book.restless.values():
            changed = changed.with_share(share.heard(now))
        if changed is not book:
            _keep(floor, changed, now)


def _take_orders(floor: Floor, reading: Reading, now: int) -> None:
    """Take in what a read saw of our orders, all of it before anything is planned on it."""
    state = floor.state
    homes: dict[str, Key] = {
        cid: (book.account, book.paper, book.instrument.symbol)
        for book in books_of(state, reading.account)
        for cid in book.orders
    }
    for receipt in reading.receipts:
        key = homes.get(receipt.client_id)
        if key is None:
            continue
        floor.at = key
        book = observe(state.books[key], receipt, now, reading.began)
        if book.journal:
            state.put_book(book, now)
    working = {each.client_id for each in reading.snapshot.working} if reading.snapshot else set()
    for book in books_of(state, reading.account):
        missed = miss_legs(book, working, reading.began)
        if missed is not book:
            state.put_book(missed, now)


def _take_late_fills(floor: Floor, reading: Reading, now: int) -> None:
    """Find our orders behind executions that no order of a book explains."""
    working = {cid for book in books_of(floor.state, reading.account) for cid in book.orders}
    by_order: dict[str, list[Fill]] = {}
    for fill in reading.fills:
        if fill.client_id and fill.client_id not in working:
            by_order.setdefault(fill.client_id, []).append(fill)
    for client_id, fills in by_order.items():
        found = _find_order(floor, client_id)
        if found is None or found[0] != reading.account:
            continue
        receipt = _sum_late(found[3], fills)
        if receipt and (book := take_late(floor, receipt, now)):
            floor.state.put_book(book, now)


def _take_late_orders(floor: Floor, reading: Reading, now: int) -> None:
    """Find our orders among those that work at the venue and that no book knows of any more."""
    if reading.snapshot is None:
        return
    books = books_of(floor.state, reading.account)
    known = {cid for book in books for cid in book.orders}
    for receipt in reading.snapshot.working:
        found = None if receipt.client_id in known else _find_order(floor, receipt.client_id)
        if found is None or found[0] != reading.account:
            continue
        book = floor.state.find_book((found[0], bool(found[1]), found[2]), found[3].strategy)
        if book is None or book.acted_at >= reading.began:
            continue  # it may have ended while the read was on its way
        if changed := take_late(floor, receipt, now, works=True):
            floor.state.put_book(changed, now)


def _sum_late(order: Order, fills: list[Fill]) -> Receipt | None:
    """Return what executions add to an order that has ended, or None where they were booked before."""
    if any(name.startswith(f"{order.client_id}:") for name in order.trades):
        return None  # a total was booked in place of executions: which ones is not known
    fresh = tuple(fill for fill in fills if fill.trade_id not in order.trades)
    filled = order.filled + sum((fill.quantity for fill in fresh), ZERO)
    if not fresh or (filled > order.quantity and order.cash is None):
        return None
    value = order.value + sum((fill.quantity * fill.price for fill in fresh), ZERO)
    is_whole = filled >= order.quantity or order.cash is not None
    status = "filled" if is_whole else "partly_filled"
    return Receipt(order.client_id, status, order.broker_id, filled, value / filled, fresh)


def _keep_prices(floor: Floor, reading: Reading) -> None:
    """Note what the account's instruments cost and what it is worth, as its venue tells (rules 15.4)."""
    state, name, began = floor.state, reading.account, reading.began
    for symbol, price in reading.prices.items():
        known = state.quotes.get((name, symbol))
        if known is None or known.at <= began:
            state.put(state.quotes, (name, symbol), Seen(price, began, state.seq, is_told=True))
    worth = reading.snapshot.equity if reading.snapshot else None
    if worth is None:
        return
    day = start_of_day(state.settings.accounts[name].day_start, began)
    before = state.equities.get(name)
    if before is not None and before.day == day:
        start = before.start
    elif before is not None and before.last is not None and day - before.at <= DAY_BEGAN_MS:
        start = before.last  # read just before the day began
    else:  # nobody looked when the day began: what was closed since is all that is known
        start = worth - sum_closed(state, name, day)
    state.keep_equity(name, Equity(day, start, worth, began))


def _hear(state: State, reading: Reading, now: int) -> None:
    """Note since when an account does not answer; tell after five seconds, and when it answers again.

    A venue is asked every two seconds: its first failure is a line of the log, and its end says how many
    there were.
    """
    name, silence = reading.account, state.silent.get(reading.account)
    if reading.snapshot is not None:
        if silence:
            _hear_again(state, name, silence, now)
        return
    if silence is None:
        silence = Silence(reading.began, reading.problem)
        fault = reading.fault
        log.log(
            logging.ERROR if fault else logging.INFO,
            "broker_fault" if fault else "account_unreached",
            exc_info=fault,
            extra={"account": name, "call": "read", "text": reading.problem},
        )
    told = silence.told or now - silence.since >= SILENT_MS
    if told and not silence.told:
        text = (
            f"{name} does not answer: {reading.problem.rstrip('.')}. Its orders and positions are not "
            "watched. It is asked again and again; look at the venue if this lasts."
        )
        state.tell("account_silent", text, now)
    failures = silence.failures + 1
    state.put(state.silent, name, Silence(silence.since, reading.problem, told, failures))


def _hear_again(state: State, name: str, silence: Silence, now: int) -> None:
    tries = "1 attempt" if silence.failures == 1 else f"{silence.failures} attempts"
    text = f"{name} answers again, after {tries} in {(now - silence.since) // 1000} s."
    if silence.told:
        state.tell("account_answers", text, now)
    else:
        log.info("account_answers", extra={"account": name, "text": text})
    state.drop(state.silent, name)


def _pause_ms(state: State, name: str) -> int:
    books = books_of(state, name)
    if any(book.orders for book in books):
        return WORKING_MS
    if any(book.totals.size for book in books):
        return HOLDING_MS
    return IDLE_MS
