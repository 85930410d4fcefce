"""A desk with two accounts at venues that do what a test tells them, driven by hand on a clock of its own.

The venue is the lying one made honest: it fails only where `fail` says so. Calls and reads are carried out by
`go`, at once unless the bench is told to hold them; alerts pass through the real parser. Whatever leaves is
checked: one call at a time for an instrument, and no reducing order larger than its share or on its wrong
side.
"""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

from brokers.instruments.symbols import canonical
from brokers.paper import Paper
from brokers.protocol import (
    Fill,
    Funding,
    Instrument,
    OrderReport,
    OrderRequest,
    Snapshot,
    Uncertain,
    Unreachable,
)
from desk.alerts.delivery import Delivery, PendingReply
from desk.api.pages import list_open, show_positions
from desk.config.load import load
from desk.engine.commands import Command
from desk.engine.events import AlertReceived, OrderReported
from desk.engine.loop import Desk
from desk.engine.rates import Rates
from desk.formats import to_json
from desk.orders.evolve import evolve
from desk.orders.journal import FILLS
from desk.orders.position_book import PositionBook
from desk.orders.strategy_position import StrategyPosition
from desk.state.restore import read_answer
from desk.state.store import Store
from desk.venue.call import VenueCall
from desk.venue.dispatcher import carry_out
from parsers import parse
from tests.support.fakes import FakeClock, make_facts
from tests.support.lying_venue import LyingVenue, Working

ZERO = Decimal(0)
KINDS = {
    "reduce-only": frozenset({"reduce_only"}),
    "reduce-only-oco": frozenset({"reduce_only", "oco"}),
    "reduce-only-amend": frozenset({"reduce_only", "amend"}),
    "attached": frozenset({"reduce_only", "amend", "bracket", "attached"}),
    "funded": frozenset({"reduce_only", "funding"}),
    "plain": frozenset(),
    "plain-oco": frozenset({"oco"}),
    "locked": frozenset({"locks_balance"}),
    "locked-oco": frozenset({"locks_balance", "oco"}),
}
"""The kinds of venue; on those that lock the balance it is spot."""
DESKS = [name for name in KINDS if name not in ("attached", "funded")]
"""The kinds at which the desk places every stop and target itself."""
NETTING = [name for name in DESKS if not name.startswith("locked")]
UNLINKED = [name for name in DESKS if not name.endswith("oco")]
LOSE_REQUEST, LOSE_ANSWER = "the request is lost", "the answer is lost"
ANSWER_LATE, ARRIVE_LATE = "the answer comes late", "the request arrives late"
CONFIG = """
webhook: {rate_limit: 100000/minute, secret: a-secret-for-the-venue-bench}
default_account: v
accounts:
  v: {broker: venue, sandbox: true, currency: USDT}
  w: {broker: venue, sandbox: true, currency: USDT}
strategies:
  s: {account: v}
  t: {account: v}
  p: {account: v, pyramid: true}
  far: {account: w}
  both: {accounts: {v: 1, w: 1}}
  sync: {account: v, sync: position}
"""
MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
_prepared: dict[str, Any] = {}
Fault = BaseException | str | None


class ScriptedVenue(LyingVenue):
    """A venue that is honest and free of charge but for the faults that were queued."""

    fee_rate = ZERO

    def __init__(self, clock: FakeClock, capabilities: frozenset[str]) -> None:
        super().__init__(random.Random(0), clock, capabilities)
        self.is_honest = True
        self.faults: dict[str, deque[Fault]] = defaultdict(deque)
        self.asked: list[tuple[int, str, str]] = []
        """Every request that was made: when, the verb, and the client id where there is one."""
        self.requests: list[OrderRequest] = []
        """Every order that was asked for, accepted or not."""
        self.explained: list[tuple[str, ...]] = []
        """The instruments whose executions were asked for, a request each."""
        self.parts: deque[Decimal] = deque()
        """How much of the next market orders fills; what is left of each ends."""
        self.answers_late = False
        self.charged: list[Funding] = []
        """What holding has brought and cost, oldest first."""

    def fail(self, verb: str, *faults: Fault) -> None:
        """Queue faults for place, cancel, amend, find, snapshot, fills, funding, instrument; None: none."""
        self.faults[verb] += faults

    def instrument(self, symbol: str) -> Instrument:
        act = super().instrument
        return self._meet("instrument", None, lambda: act(symbol))

    def place_order(self, request: OrderRequest) -> OrderReport:
        self.requests.append(request)
        act = super().place_order
        return self._meet("place", request, lambda: act(request))

    close = place_order

    def protect(self, requests: tuple[OrderRequest, ...]) -> tuple[OrderReport, ...]:
        self.requests += requests
        act = super().protect
        return self._meet("place", requests[0], lambda: act(requests))

    def cancel(self, request: OrderRequest) -> OrderReport:
        act = super().cancel
        return self._meet("cancel", request, lambda: act(request))

    def amend(self, request: OrderRequest) -> OrderReport:
        act = super().amend
        return self._meet("amend", request, lambda: act(request))

    def find_order(self, request: OrderRequest) -> OrderReport:
        act = super().find_order
        return self._meet("find", request, lambda: act(request))

    def fills(self, since: int, symbols: Iterable[str]) -> tuple[Fill, ...]:
        act = super().fills
        symbols = tuple(symbols)
        self.explained.append(symbols)
        return self._meet("fills", None, lambda: act(since, symbols))

    def funding(self, since: int) -> tuple[Funding, ...]:
        told = tuple(each for each in self.charged if each.at >= since)
        found: tuple[Funding, ...] = self._meet("funding", None, lambda: told)
        return found

    def snapshot(self) -> Snapshot:
        return self._meet("snapshot", None, super().snapshot)

    def times(self, verb: str, client_id: str = "") -> list[int]:
        """Return when a verb was asked for, of one order if so named."""
        return [at for at, what, cid in self.asked if what == verb and client_id in ("", cid)]

    def working(self) -> list[Working]:
        """Return the orders that work."""
        return [order for order in self.orders.values() if order.status == "accepted"]

    def execute(self, order: Working, quantity: str | None = None) -> None:
        """Fill a working order, all of it or a part."""
        self._fill(order, Decimal(quantity) if quantity else order.leaves_quantity)

    def trade_by_hand(self, symbol: str, change: str) -> None:
        """Buy or sell (below zero) beside the desk."""
        side, size = ("sell" if change.startswith("-") else "buy"), abs(Decimal(change))
        at = self.clock()
        fill = Fill(self._number(), "", side, size, self.prices[symbol], ZERO, "USDT", at)
        self.executions.append((symbol, fill))
        self._hold(self.instruments[symbol].holding, Decimal(change))

    def _meet(self, verb: str, request: OrderRequest | None, act: Callable[[], Any]) -> Any:
        self.asked.append((self.clock(), verb, request.client_id if request else ""))
        queue = self.faults[verb]
        fault = queue.popleft() if queue else None
        if self.is_gone:
            raise Unreachable("no route")
        if isinstance(fault, BaseException):
            raise fault
        if fault == LOSE_REQUEST:
            raise Uncertain(fault)
        if fault == ARRIVE_LATE and request is not None:
            self.transit.append((self.clock() + 3_600_000, request))
            raise Uncertain(fault)
        answer = act()
        if fault == LOSE_ANSWER:
            raise Uncertain(fault)
        self.answers_late = self.answers_late or fault == ANSWER_LATE
        return answer

    def let_in(self) -> None:
        """Let the requests in that were on their way."""
        self.transit = [(0, request) for _, request in self.transit]
        self.arrive()

    def _put(self, request: OrderRequest, pair: str = "") -> None:
        if not self.parts or request.order_type != "market":
            super()._put(request, pair)
            return
        order = self.orders[request.client_id] = Working(request, pair=pair)
        self._fill(order, self.parts.popleft())
        if order.leaves_quantity:
            order.status = "expired"


class _HeldCalls:
    """In place of the pool: what is handed out waits for the bench."""

    def __init__(self, bench: VenueBench) -> None:
        self.bench = bench
        self.calls: list[VenueCall] = []
        self.reads: list[Callable[[], None]] = []

    def submit(self, call: VenueCall) -> None:
        self.bench.check_leaving(call)
        self.calls.append(call)

    def fetch(self, account: str, job: Callable[[], None]) -> None:
        job()

    def read(self, account: str, job: Callable[[], None]) -> bool:
        self.reads.append(job)
        return True


class VenueBench:
    """A desk with the accounts `v` and `w` at venues of one kind.

    `is_held` keeps calls from being carried out; `is_blind` keeps reads from it.
    """

    def __init__(self, kind: str = "reduce-only", on_unprotected: str = "close") -> None:
        self.clock = FakeClock()
        capabilities = KINDS[kind]
        self.venues = {name: ScriptedVenue(self.clock, capabilities) for name in "vw"}
        self.venue = self.venues["v"]
        self.symbol, self.other = self.venue.instruments
        self.is_locked, self.is_linked = "locks_balance" in capabilities, "oco" in capabilities
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY))
        self.settings, template = _prepare()
        shutil.copy(template, self.folder / "state.db")
        self.is_held = self.is_blind = False
        self.late: list[tuple[VenueCall, OrderReport]] = []
        self.on_unprotected = on_unprotected
        self._count = 0
        self.open()

    # --- the desk --------------------------------------------------------------------------------------

    def open(self) -> None:
        """Open a desk on the state."""
        self.pool = _HeldCalls(self)
        self.store = Store(self.folder / "state.db")
        self.store._db.execute("PRAGMA synchronous=OFF")
        rates = Rates("100000/minute", self.clock.seconds)
        make_pool: Any = lambda *_: self.pool  # noqa: E731 - the desk's signature is not ours
        brokers: dict[str, Any] = dict(self.venues)
        self.desk = Desk(
            self.settings, self.store, rates, brokers, Paper, canonical, self.clock, make_pool
        )
        self.desk.state.with_account_facts = self._furnish(self.desk.state.with_account_facts)  # type: ignore[method-assign]
        self.desk.load()
        self.go()

    def _furnish(
        self, with_account_facts: Callable[[PositionBook], PositionBook]
    ) -> Callable[[PositionBook], PositionBook]:
        """Give books the account's `on_unprotected`."""
        closes = self.on_unprotected == "close"
        return lambda book: evolve(with_account_facts(book), closes_unprotected=closes)

    def crash(self) -> None:
        """Lose the process with all that was on its way, and start another."""
        self.late.clear()
        self.store.close()
        self.open()

    def close(self) -> None:
        """Remove the state."""
        self.store.close()
        shutil.rmtree(self.folder)

    def check_leaving(self, call: VenueCall) -> None:
        """Check an order as it leaves: it is written down, and a reducing one fits its share."""
        book = self.desk.state.books[call.key]
        others = [o.request.client_id for o in self.pool.calls if o.key == call.key]
        # One may still be out about an order that a read has found dead meanwhile.
        assert not any(cid in book.orders for cid in others), "two calls at once"
        for request in (call.request, call.partner):
            if request is not None and call.what == "place" and request.reduces:
                held = book.position(book.orders[request.client_id].strategy).quantity
                assert request.quantity <= abs(held), "larger than its share"
                assert (request.side == "sell") == (held > 0), "on the wrong side"

    def turn(self) -> None:
        """Let the desk take in what came and do what is due."""
        events = []
        while some := self.desk._inbox.take():
            events += some
        self.desk.turn([event for event in events if event is not None])

    def go(self) -> None:
        """Carry calls and reads out, and what follows from them, until nothing more is to be done."""
        self.turn()
        for _ in range(300):
            calls = [] if self.is_held else list(self.pool.calls)
            reads = [] if self.is_blind else list(self.pool.reads)
            if not calls and not reads and not len(self.desk._inbox):
                return
            del self.pool.calls[: len(calls)], self.pool.reads[: len(reads)]
            for call in calls:
                self.carry_out(call)
            for job in reads:
                job()
            self.turn()
        raise AssertionError("the desk never came to rest")

    def carry_out(self, call: VenueCall) -> None:
        """Let one call reach its venue; its answer comes back now, or by `answer_late`."""
        venue = self.venues[call.key[0]]
        report = carry_out(venue, call)
        if venue.answers_late:
            venue.answers_late = False
            self.late.append((call, report))
            return
        self.desk.turn([OrderReported(call, report)])

    def answer_late(self) -> None:
        """Let the late answers come in."""
        late, self.late = self.late, []
        for call, report in late:
            self.desk.turn([OrderReported(call, report)])
        self.go()

    def tick(self, seconds: float, step: float = 1.0) -> None:
        """Let time pass in steps, with all that is to be done at each."""
        for _ in range(round(seconds / step)):
            self.clock.tick(step)
            for venue in self.venues.values():
                venue.arrive()
            self.go()

    def move(self, price: int | str, symbol: str = "") -> None:
        """Move a price at the venue; what it reaches fills."""
        self.venue.move(symbol or self.symbol, Decimal(price))

    # --- what is said and asked --------------------------------------------------------------------------

    def deliver(self, **alert: Any) -> PendingReply:
        """Deliver an alert of strategy `s` (or another's) that no other delivery repeats."""
        self._count += 1
        shape = {
            "strategy": "s",
            "symbol": self.symbol,
            "price": "100",
            "id": f"n{self._count}",
            **alert,
        }
        body = to_json({name: each for name, each in shape.items() if each is not None}).encode()
        message, reply = parse(body), PendingReply()
        delivery = Delivery(message.alerts, message.strategies, body, message.masked, self.clock())
        self.desk.turn([AlertReceived(delivery, reply, time.perf_counter())])
        self.turn()
        return reply

    def send(self, **alert: Any) -> dict[str, Any]:
        """Deliver an alert, let happen what follows at once, and return the answer."""
        reply = self.deliver(**alert)
        self.go()
        answer = reply.answers[0]
        return {**answer.shape, "http": answer.http}

    def buy(self, quantity: str = "1", **alert: Any) -> dict[str, Any]:
        """Send an order to buy."""
        return self.send(action="buy", quantity=quantity, **alert)

    def sell(self, quantity: str = "1", **alert: Any) -> dict[str, Any]:
        """Send an order to sell."""
        return self.send(action="sell", quantity=quantity, **alert)

    def learn(self) -> None:
        """Let the desk learn what the venue trades, as any alert does."""
        self.send(action="cancel")

    def command(self, name: str, **options: Any) -> Command:
        """Carry out an operator's command."""
        command = Command(name, options, PendingReply())
        self.desk.turn([command])
        self.go()
        return command

    # --- what there is to see --------------------------------------------------------------------------

    def now(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Return an alert's answer as it is known by now."""
        return read_answer(self.desk.state.history[answer["alert_id"]].text)

    def book(self, symbol: str = "", account: str = "v") -> PositionBook:
        """Return the book of an instrument."""
        return self.desk.state.books[(account, False, symbol or self.symbol)]

    def position(
        self, strategy: str = "s", symbol: str = "", account: str = "v"
    ) -> StrategyPosition:
        """Return a strategy's share."""
        book = self.desk.state.books.get((account, False, symbol or self.symbol))
        return book.position(strategy) if book else StrategyPosition(strategy)

    def held(self, strategy: str = "s", symbol: str = "", account: str = "v") -> Decimal:
        """Return the signed size of a share."""
        return self.position(strategy, symbol, account).quantity

    def at_venue(self, symbol: str = "") -> Decimal:
        """Return what the venue holds."""
        holding = self.venue.instruments[symbol or self.symbol].holding
        return self.venue.positions.get(holding, ZERO)

    def entries(self) -> list[OrderRequest]:
        """Return the opening orders that were asked for."""
        return [each for each in self.venue.requests if not each.reduces]

    def exits(self) -> list[OrderRequest]:
        """Return the reducing market orders that were asked for."""
        return [e for e in self.venue.requests if e.reduces and e.order_type == "market"]

    def legs(self) -> list[tuple[str, Decimal, Decimal]]:
        """Return what protects at the venue: type, level and quantity of each working reducing order."""
        return sorted(
            (r.order_type, r.stop_price or r.limit_price or ZERO, order.leaves_quantity)
            for order in self.venue.working()
            if (r := order.request).reduces
        )

    def told(self, event: str = "") -> list[dict[str, Any]]:
        """Return what the user was told, oldest first; of one kind if so asked, else all but the fills."""
        with self.store.reader() as reader:
            events = reader.load_events(1_000)
        found = [each for each in reversed(events) if event == each["event"]]
        return found if event else [e for e in reversed(events) if e["event"] not in FILLS]

    def concerns(self) -> dict[str, list[dict[str, Any]]]:
        """Return what /status lists as wanting attention."""
        return list_open(self.desk)

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of /positions."""
        found: list[dict[str, Any]] = show_positions(self.desk, 100)["positions"]
        return found

    def closed(self) -> list[dict[str, Any]]:
        """Return the closed trades, newest first."""
        found: list[dict[str, Any]] = show_positions(self.desk, 100)["closed"]
        return found


def _prepare() -> tuple[Any, Path]:
    """Return the settings and an empty state, made once."""
    if not _prepared:
        folder = Path(tempfile.mkdtemp(dir=MEMORY))
        (folder / "config.yaml").write_text(CONFIG)
        _prepared["settings"] = load(
            folder / "config.yaml", {}, {"paper": make_facts(), "venue": make_facts()}
        )
        store = Store(folder / "empty.db")
        store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        store.close()
        _prepared["template"] = folder / "empty.db"
    return _prepared["settings"], _prepared["template"]
