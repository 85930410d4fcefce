"""Play a desk against lying venues: random alerts, crashes, lost and late answers, a clock of its own.

Whatever happened before, once the venues answer: what was closed is flat, nothing works that nobody wishes,
every share is what the executions add up to, and what was earned is what came in. The sums are those of
`naive_model`, the truth is the venue's; nothing here asks the desk what it did but to compare it.
"""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

from brokers.instruments.symbols import canonical
from brokers.paper import Paper
from brokers.protocol import Fill, OrderReport
from desk.alerts.delivery import Delivery, PendingReply
from desk.alerts.record import Part, Record
from desk.config.load import load
from desk.engine.events import AlertReceived, OrderReported
from desk.engine.loop import Desk
from desk.engine.rates import Rates
from desk.orders.order import STOP_LOSS
from desk.orders.position_book import PositionBook
from desk.orders.rounding import floor_to
from desk.orders.strategy_position import StrategyPosition
from desk.state.rows import ORDER, TRADE
from desk.state.store import Store
from desk.venue.call import VenueCall
from desk.venue.dispatcher import carry_out
from parsers.alert import Alert, Level, TakeProfit
from tests.games import naive_model
from tests.games.referee import Referee
from tests.support.fakes import FakeClock, make_facts
from tests.support.lying_venue import CROSS, STEP, LyingVenue

ZERO = Decimal(0)
CONFIG = """
trading: live
webhook: {rate_limit: 1000000/minute, secret: a-secret-for-the-venue-drill}
risk: {max_orders_per_minute: null, max_orders_per_day: null, max_repeats: null}
default_account: a
accounts:
  a: {broker: lying, sandbox: true}
  b: {broker: lying, sandbox: true}
strategies:
  fan: {accounts: {a: 1, b: 0.5}}
  one: {account: a}
  two: {account: b}
"""
ROUTES = {"fan": {"a": Decimal(1), "b": Decimal("0.5")}, "one": {"a": Decimal(1)}, "two": {"b": 1}}
NETTING = [
    frozenset({"reduce_only"}),
    frozenset({"reduce_only", "oco"}),
    frozenset({"reduce_only", "oco", "bracket"}),
    frozenset(),
    frozenset({"oco"}),
]
PERPETUAL = [
    frozenset({"reduce_only"}),
    frozenset({"reduce_only", "amend"}),
    frozenset({"reduce_only", "amend", "bracket", "attached"}),
    frozenset({"reduce_only", "bracket", "attached"}),
]
"""The manners of the venues of perpetuals: nothing is linked, what is held is guarded by reduce-only."""
SPOT = [
    frozenset({"locks_balance", "oco"}),
    frozenset({"locks_balance", "oco", "bracket"}),
    frozenset({"locks_balance"}),
]
MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
DEAD_AFTER_MS = 8_000
"""A call that did not reach its venue by then never will: its connection is closed."""
_prepared: dict[str, Any] = {}


class HeldCalls:
    """In place of the pool: calls and reads are held until the game carries them out."""

    def __init__(self, game: Game) -> None:
        self.game = game
        self.calls: list[tuple[int, VenueCall]] = []
        self.reads: list[Any] = []
        self.late: list[tuple[int, VenueCall, OrderReport]] = []

    def submit(self, call: VenueCall) -> None:
        self.game.look_at(call)
        self.calls.append((self.game.clock(), call))

    def fetch(self, account: str, job: Any) -> None:
        job()

    def read(self, account: str, job: Any) -> bool:
        self.reads.append(job)
        return True


class Game:
    """One desk, two accounts at venues of one kind, one seed."""

    def __init__(
        self,
        seed: int,
        manners: list[frozenset[str]] | None = None,
        *,
        with_targets: bool = False,
    ) -> None:
        self.chance = random.Random(seed)
        self.extra = random.Random(seed + 7_000_000) if with_targets else None
        """What several targets and moved stops are drawn from: the game is else as it is without."""
        self.clock = FakeClock()
        kinds = manners or self.chance.choice([NETTING, NETTING, SPOT])
        self.is_spot = kinds is SPOT
        self.has_hands = self.chance.random() < 0.2
        self.venues = {
            name: LyingVenue(self.chance, self.clock, self.chance.choice(kinds)) for name in "ab"
        }
        if self.is_spot and self.chance.random() < 0.5:
            for venue in self.venues.values():
                venue.list_cross(STEP * self.chance.randint(0, 60))
        self.symbols = list(self.venues["a"].instruments)
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY))
        self.settings, template = _prepare()
        self.state = self.folder / "state.db"
        shutil.copy(template, self.state)
        self.referee = Referee(self.venues, self.clock)
        self.owners: dict[str, str] = {}
        self.bare: dict[tuple[str, str, str], int] = {}
        self.count = 0
        self.about = ("fan", self.symbols[0])
        self.start()

    # --- the desk --------------------------------------------------------------------------------------

    def start(self) -> None:
        """Open a desk on the state, as after a crash."""
        self.pool = HeldCalls(self)
        rates = Rates("1000000/minute", self.clock.seconds)
        brokers: dict[str, Any] = dict(self.venues)
        store = Store(self.state)
        store._db.execute("PRAGMA synchronous=OFF")
        make_pool: Any = lambda *_: self.pool  # noqa: E731
        self.desk = Desk(
            self.settings, store, rates, brokers, Paper, canonical, self.clock, make_pool
        )
        self.desk.load()
        self.turn()

    def turn(self) -> None:
        """Let the desk take what is in its inbox and what is due."""
        events = []
        while some := self.desk._inbox.take():
            events += some
        self.desk.turn([event for event in events if event is not None])

    def crash(self) -> None:
        """Lose the process: of the calls on their way some still reach the venue."""
        for _, call in self.pool.calls:
            if self.chance.random() < 0.5:
                carry_out(self.venues[call.key[0]], call)
        self.desk.store.close()
        if self.chance.random() < 0.4:
            for venue in self.venues.values():
                venue.tells_rules_at = self.clock() + self.chance.randint(1_000, 90_000)
        self.start()
        for name in self.venues:
            for symbol in self.symbols:
                self.desk.context.instrument_of(name, symbol, self.clock())
        self.turn()

    def look_at(self, call: VenueCall) -> None:
        """Check an order as it leaves: no reducing one is larger than its share."""
        book = self.desk.state.books[call.key]
        ended = book.orders.get(call.request.client_id) if call.what == "cancel" else None
        if ended is not None:
            self.referee.ends(book, ended)
        for request in (call.request, call.partner):
            if request is None or call.what != "place":
                continue
            order = book.orders[request.client_id]
            for each in (request, *request.legs):
                self.owners[each.client_id] = order.strategy
            record = self.desk.state.records.get(order.cause.alert_id)
            self.referee.leaves(book, order, request, record)
            if request.reduces:
                held = book.position(order.strategy).quantity
                assert request.quantity <= abs(held), "larger than its share"
                assert (request.side == "sell") == (held > 0), "on the wrong side"

    # --- what happens ----------------------------------------------------------------------------------

    def send(self, strategy: str, symbol: str, **alert: Any) -> Record | None:
        """Deliver one alert, each with a body of its own; now and then twice."""
        self.count += 1
        price = self.venues["a"].prices[symbol]
        fired = None
        if self.chance.random() < 0.3:  # now, or by a clock that is an hour ahead
            fired = self.clock() + self.chance.choice([0, 0, 3_600_000])
        one = Alert(symbol=symbol, price=price, strategy=strategy, fired_at=fired, **alert)
        body = str(self.count).encode()
        if self.chance.random() < 0.05:
            self._give_up(one, body)
        find = self.desk.state.find_book  # also what memory has let go of
        books = {name: find((name, False, symbol), strategy) for name in ROUTES[strategy]}
        record = self._deliver(one, body)
        if record is not None:
            self._compare(one, record, books)
        if record is not None and alert["action"] != "cancel" and self.chance.random() < 0.15:
            was_denied = self._was_denied(record)
            is_new = self._deliver(one, body) is not None
            assert was_denied in (None, is_new), "a duplicate was traded, or a denied alert kept"
            still_waits = record.alert_id in self.desk.state.waiting
            assert not (is_new and still_waits), "an alert that waits was taken in twice"
        return record

    def _deliver(self, alert: Alert, body: bytes) -> Record | None:
        ask = self._ask(alert, body)
        self.desk.turn([ask])
        self.turn()
        entry = ask.entries[0]
        return entry if isinstance(entry, Record) else None

    def _ask(self, alert: Alert, body: bytes) -> AlertReceived:
        delivery = Delivery((alert,), (alert.strategy,), body, "", self.clock())
        return AlertReceived(delivery, PendingReply(), time.perf_counter())

    def _give_up(self, alert: Alert, body: bytes) -> None:
        """Deliver an alert whose sender is answered 503, because another holds the state for too long."""
        ask, store = self._ask(alert, body), self.desk.store
        write, last = store.write, store.last_seq()

        def write_late(*arguments: Any) -> bool:
            ask.reply.withdraw()
            return write(*arguments)

        store.write = write_late  # type: ignore[method-assign]
        self.desk.turn([ask])
        store.write = write  # type: ignore[method-assign]
        assert store.last_seq() == last, "what was answered 503 was recorded"

    def _was_denied(self, record: Record) -> bool | None:
        """Whether nothing was sent of an alert: the same text is then a new try (rules 1.6).

        None where it waits on one of its accounts, whatever was denied on another: it may be decided by the
        turn that takes its text in again. The same where it waited and memory has let go of it since.
        """
        latest = self.desk.state.records.get(record.alert_id, record)
        if latest.story.todo:
            return None
        parts = latest.story.parts
        is_sent = latest.orders or any(p.cancels or p.reduces or p.has_pending_exit for p in parts)
        is_denied = latest.story.denial is not None or any(part.denials for part in parts)
        return is_denied and not is_sent

    def book(self, account: str, symbol: str) -> PositionBook | None:
        return self.desk.state.books.get((account, False, symbol))

    def _compare(self, alert: Alert, record: Record, books: dict[str, PositionBook | None]) -> None:
        """Check what was decided against the slow sum; what was decided late is not compared."""
        for part in record.story.parts:
            book, after = books[part.account], self.book(part.account, alert.symbol)
            if after is not None and not self._was_refused_rules(record, part, book):
                self.referee.decided(alert, record, part.account, (book, after))
            is_order = alert.action != "cancel" and not alert.moves_only
            if not is_order or self._was_refused_rules(record, part, book):
                continue
            times = Decimal(ROUTES[alert.strategy or ""][part.account])
            held = book.position(record.strategy).projected_quantity if book else ZERO
            asked, stated = (alert.quantity or ZERO) * times, None
            if alert.position_size is not None or alert.market_position is not None:
                stated = abs(alert.position_size or ZERO) * times
            known = book.position(record.strategy).stopped if book else None
            want = naive_model.cut(
                held,
                alert.action,
                asked,
                stated,
                may_short=not self.is_spot,
                stopped=known.quantity if known else ZERO,
            )
            denied = sum((each.quantity or ZERO for each in part.denials), ZERO)
            assert part.reduces == want.takes, f"takes {part.reduces}, not {want.takes}"
            opens, found = floor_to(want.opens, STEP), floor_to(part.opens + denied, STEP)
            assert found == opens, f"opens {part.opens} + {denied}, not {opens}"

    def _was_refused_rules(self, record: Record, part: Part, book: PositionBook | None) -> bool:
        """Whether a venue would not tell its rules: that may only keep from opening what is not held."""
        if part.tick is not None or not part.denials:
            return False  # it was decided
        held = book.position(record.strategy).quantity if book else ZERO
        assert held == 0, "an exit was refused because a venue would not tell its rules"
        return True

    def alert(self) -> None:
        """Send one random alert, or none."""
        kind = self.chance.random()
        if self.chance.random() < 0.5:  # one alert is often followed by another about the same
            self.about = self.chance.choice(list(ROUTES)), self.chance.choice(self.symbols)
        strategy, symbol = self.about
        steps = self.chance.randint(10, 100)
        quantity = STEP * steps
        price = self.venues["a"].prices[symbol]
        action = self.chance.choice(["buy", "buy", "sell"] if self.is_spot else ["buy", "sell"])
        up = 1 if action == "buy" else -1
        levels: dict[str, Any] = {}
        is_bare = symbol == CROSS.symbol
        if self.chance.random() < 0.6 and not is_bare:
            away = Decimal(self.chance.randint(1, 8))
            levels["stop_loss"] = Level(percent=away)
        if self.chance.random() < 0.6 and not is_bare:
            levels["take_profit"] = Level(amount=Decimal(self.chance.randint(1, 10)))
        levels = self._divide(levels, steps) if self.extra and not is_bare else levels
        if kind < 0.1:
            size = STEP * self.chance.choice([0, self.chance.randint(1, steps)])
            states = {"position_size": up * size} if size else {"market_position": "flat"}
            self.send(strategy, symbol, action=action, quantity=quantity, **states, **levels)
        elif kind < 0.45:
            self.send(strategy, symbol, action=action, quantity=quantity, **levels)
        elif kind < 0.6:
            away = up * Decimal(self.chance.randint(-5, 25)) / 10
            at = price - (round(away / 100, 2) if is_bare else away)
            is_resting = {"order_type": "limit", "limit_price": at}
            self.send(strategy, symbol, action=action, quantity=quantity, **is_resting, **levels)
        elif kind < 0.75:
            self.send(strategy, symbol, action="close")
        elif kind < 0.8:
            self.send(strategy, symbol, action="cancel")

    def move_stop(self) -> None:
        """Now and then send an alert that moves a stop to break-even."""
        if self.extra is not None and self.extra.random() < 0.15:
            away = Level(amount=Decimal(self.extra.randint(1, 4)))
            offset = self.extra.choice([None, None, away])
            self.send(*self.about, action="breakeven", breakeven_offset=offset)

    def _divide(self, levels: dict[str, Any], steps: int) -> dict[str, Any]:
        """Let an alert bring several targets instead of one, and say what becomes of its stop."""
        assert self.extra is not None
        if self.extra.random() < 0.4:
            return levels
        count = self.extra.randint(1, 4)
        sizes: list[dict[str, Decimal]] = [{} for _ in range(count)]
        if self.extra.random() < 0.5:
            sizes = [{"percent": Decimal(self.extra.randint(3, 25))} for _ in range(count)]
        if self.extra.random() < 0.4:
            sizes[0] = {"quantity": STEP * self.extra.randint(1, max(1, steps // 3))}
        if self.extra.random() < 0.6:
            sizes[-1] = {}
        at = sorted(self.extra.sample(range(1, 14), count))
        targets = (
            TakeProfit(Level(amount=Decimal(away)), **size)
            for away, size in zip(at, sizes, strict=True)
        )
        moves = self.extra.choice([None, "break_even", "previous_target"])
        kept = {name: level for name, level in levels.items() if name != "take_profit"}
        return {**kept, "take_profits": tuple(targets), "move_stop": moves}

    def events(self) -> None:
        """Let the world go on: prices move, requests arrive, a hand closes something."""
        for venue in self.venues.values():
            for symbol in self.symbols:
                if self.chance.random() < 0.4:
                    scale = 100 if symbol == CROSS.symbol else 1
                    moved = Decimal(self.chance.randint(-30, 30)) / 10 / scale
                    lowest = Decimal(20) / scale
                    venue.move(symbol, max(round(venue.prices[symbol] + moved, 2), lowest))
                elif symbol == CROSS.symbol:
                    continue
                elif self.chance.random() < 0.15:  # a spike that reaches stops and targets
                    for way in (12, -24):
                        venue.move(symbol, max(venue.prices[symbol] + way, Decimal(20)))
            venue.arrive()
            if self.has_hands and self.chance.random() < 0.05 and venue.positions:
                venue.by_hand(self.chance.choice(list(venue.positions)))
            venue.is_gone = not venue.is_honest and self.chance.random() < 0.05

    def carry_out(self, position: float) -> None:
        """Carry held calls and reads out, each with this probability; some answers come much later."""
        for _ in range(60):
            if not self.pool.calls and not self.pool.reads:
                return
            calls, self.pool.calls = self.pool.calls, []
            for at, call in calls:
                if self.clock() - at >= DEAD_AFTER_MS:
                    continue
                if self.chance.random() > position:
                    self.pool.calls.append((at, call))
                    continue
                venue = self.venues[call.key[0]]
                report = carry_out(venue, call)
                if not venue.is_honest and self.chance.random() < 0.05:
                    later = self.clock() + self.chance.randint(1_000, 15_000)
                    self.pool.late.append((later, call, report))
                else:
                    self.desk.turn([OrderReported(call, report)])
            reads, self.pool.reads = self.pool.reads, []
            self.clock.tick(0.001)  # no read comes back in the moment in which it began
            for job in reads:
                job()
            self.turn()
            if position < 1:
                return

    def tick(self, seconds: float) -> None:
        """Let time pass, and what was late come in."""
        self.clock.tick(seconds)
        late, self.pool.late = self.pool.late, []
        for at, call, report in late:
            if at <= self.clock():
                self.desk.turn([OrderReported(call, report)])
            else:
                self.pool.late.append((at, call, report))
        self.turn()

    # --- when the venues answer ------------------------------------------------------------------------

    def calm(self, seconds: int) -> None:
        """Let the venues answer every call at once for a while, and watch that nothing stays bare."""
        for venue in self.venues.values():
            venue.is_honest = True
        self.bare.clear()
        self.referee.wrong.clear()
        for _ in range(seconds):
            self.carry_out(1.0)
            self.check_protection()
            if not self.has_hands:
                self.referee.watch(list(self.desk.state.books.values()))
            self.tick(1)
            for venue in self.venues.values():
                venue.arrive()
        self.carry_out(1.0)
        self.check_lots()

    def wait_long(self) -> None:
        """Let the venues answer, and more time pass than a working entry lives."""
        self.calm(3)
        self.tick(400)
        self.calm(8)
        self.referee.check_entries_ended(list(self.desk.state.books.values()))

    def obstruct(self) -> None:
        """Let the venues answer, but take no exit at the market for a while."""
        self.calm(3)
        is_refused = self.chance.random() < 0.5
        for venue in self.venues.values():
            venue.refuses_exits, venue.loses_exits = is_refused, not is_refused
        began = self.clock()
        for strategy, routes in ROUTES.items():
            for symbol in self.symbols:
                positions = [self.position(strategy, name, symbol) for name in routes]
                if any(position.quantity for position in positions):
                    side = "sell" if max(position.quantity for position in positions) > 0 else "buy"
                    reverses = self.chance.random() < 0.5
                    how = (
                        {"action": side, "quantity": Decimal("0.5")}
                        if reverses
                        else {"action": "close"}
                    )
                    self.send(strategy, symbol, **how)
        self.calm(100)
        self.referee.check_tries(began, 15)
        for venue in self.venues.values():
            venue.refuses_exits = venue.loses_exits = False
        self.calm(30)

    def check_lots(self) -> None:
        """Check the lots of every share against the fills on record."""
        rows = self.desk.store._db.execute(
            "SELECT account, instrument, strategy, client_id, side, quantity, price, fee, fee_coin, at "
            "FROM fills ORDER BY rowid"
        )
        self.referee.check_lots(list(self.desk.state.books.values()), rows.fetchall())

    def lie(self) -> None:
        """Let the venues misbehave again."""
        for venue in self.venues.values():
            venue.is_honest = False

    def check_protection(self) -> None:
        """Check at the venue that no share which is meant to be protected is bare for over 5 seconds."""
        for (account, _, symbol), book in self.desk.state.books.items():
            for position in book.positions.values():
                where = (account, symbol, position.strategy)
                held = self.venues[account].positions.get(book.instrument.holding, ZERO)
                way = 1 if position.quantity > 0 else -1
                is_gone = held * way <= abs(position.quantity) - STEP
                is_open = book.is_calling or book.unresolved is not None
                if (
                    is_gone
                    or is_open
                    or self._stands(account, position, floor_to(abs(position.quantity), STEP))
                ):
                    self.bare.pop(where, None)
                    continue
                since = self.bare.setdefault(where, self.clock())
                assert self.clock() - since <= 5_000, f"{where} is bare"

    def _stands(self, account: str, position: StrategyPosition, size: Decimal) -> bool:
        venue = self.venues[account]
        if size < STEP or position.stop_loss is None:
            return True
        is_obstructed = venue.refuses_exits or venue.loses_exits
        if position.has_pending_exit and (
            not is_obstructed or position.retry_state(STOP_LOSS).failures
        ):
            return True
        stops = [
            order.leaves_quantity
            for cid, order in venue.orders.items()
            if order.status == "accepted"
            and self.owners.get(cid) == position.strategy
            and order.request.stop_price == position.stop_loss.price
        ]
        return size in stops or sum(stops, ZERO) == size

    def close_everything(self) -> None:
        """Close every share by alert, and give the desk an hour."""
        self.calm(25)
        for strategy, routes in ROUTES.items():
            for symbol in self.symbols:
                if any(self._is_open(strategy, name, symbol) for name in routes):
                    self.send(strategy, symbol, action="close")
        for step in range(240):
            self.carry_out(1.0)
            if self.is_quiet():
                return
            self.tick(1 if step < 60 else 20)
            for venue in self.venues.values():
                venue.arrive()

    def position(self, strategy: str, account: str, symbol: str) -> StrategyPosition:
        book = self.book(account, symbol)
        return book.position(strategy) if book else StrategyPosition(strategy)

    def _is_open(self, strategy: str, account: str, symbol: str) -> bool:
        book = self.desk.state.books.get((account, False, symbol))
        return book is not None and bool(
            book.position(strategy).quantity or book.open_orders(strategy)
        )

    def is_quiet(self) -> bool:
        """Whether nothing is held, wished, working or on its way."""
        if self.pool.calls or self.pool.late or any(v.transit for v in self.venues.values()):
            return False
        for book in self.desk.state.books.values():
            if book.orders or any(s.quantity or s.has_targets for s in book.positions.values()):
                return False
        return True

    def check(self) -> None:
        """Check what must hold at the end of every game."""
        state = self.desk.state
        assert not state.halts, state.halts
        assert not state.blocked, state.blocked
        faults = self.desk.store._db.execute(
            "SELECT message FROM events WHERE event = 'internal_error'"
        ).fetchall()
        assert not faults, f"an internal error: {faults[0]}"
        for (account, _, symbol), book in state.books.items():
            for position in book.positions.values():
                assert position.quantity == 0, (
                    f"a close left {position.quantity} on {account} {symbol}"
                )
                assert not position.has_targets, f"a wish of {position.strategy} did not come true"
            assert not book.open_orders(), f"an order of ours is still open: {book.open_orders()}"
        for name, venue in self.venues.items():
            working = [cid for cid, o in venue.orders.items() if o.status == "accepted"]
            assert not working, f"an order still works at {name}"
        self.referee.check_end(
            self.desk.store._db.execute("SELECT account, data FROM orders").fetchall()
        )
        self._check_entries()
        if not self.has_hands:
            self._check_money()

    def _check_entries(self) -> None:
        """At most one opening order of an alert on an account ever came to exist."""
        entries: Counter[tuple[str, str]] = Counter()
        rows = self.desk.store._db.execute("SELECT account, data FROM orders WHERE kind = 'entry'")
        for account, data in rows:
            order = ORDER.validate_json(data)
            exists = order.client_id in self.venues[account].orders
            entries[(order.cause.alert_id, account)] += exists
        assert max(entries.values(), default=0) <= 1, "an alert opened twice"

    def _check_money(self) -> None:
        """Compare what each strategy holds and earned with what its executions at the venue add up to."""
        fills: dict[tuple[str, str, str], list[Fill]] = defaultdict(list)
        for name, venue in self.venues.items():
            for symbol, fill in venue.executions:
                fills[(name, symbol, self.owners[fill.client_id])].append(fill)
        booked: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
        for (data,) in self.desk.store._db.execute("SELECT data FROM trades"):
            row = TRADE.validate_json(data)
            booked[(row.account, row.instrument, row.strategy)] += row.trade.realized
        dust: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
        for *written, size in self.desk.store._db.execute(
            "SELECT account, instrument, strategy, quantity FROM fills WHERE client_id = ''"
        ):
            assert self.is_spot, "something was written off where nothing is taken as a fee"
            assert Decimal(size) < STEP, f"{size} was taken away"
            dust[(written[0], written[1], written[2])] += Decimal(size)
        for where, some in fills.items():
            instrument = self.venues[where[0]].instruments[where[1]]
            base = instrument.base
            left = naive_model.position(some, base if self.is_spot else "")
            assert left == dust[where], f"{where}: {left} is left, {dust[where]} was written off"
            want, got = naive_model.earned(some, instrument.quote), booked[where]
            assert abs(want - got) < Decimal("0.000001"), f"{where}: earned {want}, booked {got}"

    def end(self) -> None:
        """Remove the state."""
        self.desk.store.close()
        shutil.rmtree(self.folder)


def _prepare() -> tuple[Any, Path]:
    """Return the settings and an empty state, made once: they cost more than a game."""
    if not _prepared:
        folder = Path(tempfile.mkdtemp(dir=MEMORY))
        (folder / "config.yaml").write_text(CONFIG)
        _prepared["settings"] = load(
            folder / "config.yaml", {}, {"paper": make_facts(), "lying": make_facts()}
        )
        store = Store(folder / "empty.db")
        store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        store.close()
        _prepared["template"] = folder / "empty.db"
    return _prepared["settings"], _prepared["template"]


def play(
    seed: int, manners: list[frozenset[str]] | None = None, *, with_targets: bool = False
) -> None:
    """Play one game to its end, at venues of these manners if any are named."""
    game = Game(seed, manners, with_targets=with_targets)
    chance = game.chance
    try:
        for _ in range(chance.randint(3, 14)):
            game.alert()
            game.move_stop()
            game.carry_out(chance.choice([1, 1, 0.6, 0.3]))
            game.events()
            game.tick(chance.choice([0.1, 1, 3, 12, 40]))
            game.carry_out(chance.choice([1, 0.7]))
            game.check_lots()
            if chance.random() < 0.07:
                game.crash()
            if chance.random() < 0.15:
                chance.choice([lambda: game.calm(12), game.wait_long, game.obstruct])()
                game.lie()
        game.close_everything()
        game.check()
    finally:
        game.end()
