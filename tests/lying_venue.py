"""A venue that hangs, loses requests and answers, fills partly, refuses and forgets, all under one seed.

`play` drives a desk against it with random alerts and crashes, then lets the venue tell the truth and closes
everything. Whatever happened before, the end must be flat, with nothing left working.
"""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from brokers.paper import Paper
from brokers.protocol import (
    Check,
    Fill,
    Instrument,
    OrderRequest,
    Receipt,
    Refused,
    Snapshot,
    Uncertain,
    Unreachable,
)
from brokers.symbols import canonical, classify
from desk.events import Answered, Ask
from desk.floor import Call
from desk.loop import Desk
from desk.pool import carry_out
from desk.pursue import request_of
from desk.rates import Rates
from desk.reply import Delivery, Reply
from desk.settings import load
from desk.store import ORDER, Store
from parsers.alert import Alert, Level
from tests.fakes import START, FakeClock

ZERO, ONE, HUNDRED = Decimal(0), Decimal(1), Decimal(100)
SYMBOL = "MES1!"
KEY = ("venue", False, SYMBOL)
CONFIG = """
trading: live
webhook: {rate_limit: 100000/minute, secret: a-secret-for-the-venue-drill}
risk: {max_orders_per_minute: null, max_orders_per_day: null, max_repeats: null}
default_account: venue
accounts: {venue: {broker: lying, sandbox: true}}
"""


class LyingVenue:
    """One instrument at a venue that misbehaves until it is made honest."""

    poll_seconds = 2.0

    def __init__(self, chance: random.Random, can: frozenset[str]) -> None:
        self.chance = chance
        self.can = can
        self.orders: dict[str, dict[str, Any]] = {}
        self.position = ZERO
        self.is_honest = False

    def instrument(self, symbol: str) -> Instrument:
        day = datetime.fromtimestamp(START / 1000, UTC).date()
        return classify(canonical(symbol, day), None, day)

    def price(self, symbol: str) -> Decimal | None:
        return None

    def place_order(self, request: OrderRequest) -> Receipt:
        """Take an order, unless it is lost or refused; the answer may be lost as well."""
        assert request.client_id not in self.orders, f"sent twice: {request.client_id}"
        fate = 1.0 if self.is_honest else self.chance.random()
        if fate < 0.08:
            raise Unreachable("no route")
        if fate < 0.16:
            raise Uncertain("the request was lost")
        if fate < 0.24:
            raise Refused("not now")
        order = {
            "quantity": request.quantity,
            "filled": ZERO,
            "side": request.side,
            "status": "accepted",
            "reduces": request.reduces,
            "type": request.order_type,
        }
        self.orders[request.client_id] = order
        if request.order_type == "market":
            self._fill_market(order)
        if not self.is_honest and self.chance.random() < 0.15:
            raise Uncertain("the answer was lost")
        return self.receipt(request.client_id)

    close = place_order

    def protect(self, requests: tuple[OrderRequest, ...]) -> tuple[Receipt, ...]:
        return tuple(self.place_order(request) for request in requests)

    def cancel(self, request: OrderRequest) -> Receipt:
        if not self.is_honest and self.chance.random() < 0.1:
            raise Uncertain("the answer was lost")
        order = self.orders.get(request.client_id)
        if order is None:
            raise Refused("no such order")
        if order["status"] == "accepted":
            order["status"] = "cancelled"
        return self.receipt(request.client_id)

    def find_order(self, request: OrderRequest) -> Receipt:
        if not self.is_honest and self.chance.random() < 0.2:
            raise Unreachable("no route")
        if request.client_id not in self.orders:
            return Receipt(request.client_id, "absent")
        return self.receipt(request.client_id)

    def fills(self, since: int) -> tuple[Fill, ...]:
        return ()

    def snapshot(self) -> Snapshot:
        return Snapshot()

    def check(self) -> Check:
        return Check()

    def receipt(self, client_id: str) -> Receipt:
        """Return what is true of an order."""
        order = self.orders[client_id]
        status = order["status"]
        if status == "cancelled" and order["filled"] > 0:
            status = "partly_filled"
        price = HUNDRED if order["filled"] else None
        return Receipt(client_id, status, f"v{client_id}", order["filled"], price)

    def fill(self, order: dict[str, Any], quantity: Decimal) -> None:
        """Execute a part of an order; a reduce-only one never beyond the position."""
        quantity = min(quantity, order["quantity"] - order["filled"])
        if order["reduces"] and "reduce_only" in self.can:
            room = self.position if order["side"] == "sell" else -self.position
            quantity = min(quantity, max(room, ZERO))
            if quantity == 0:
                order["status"] = "cancelled"
                return
        order["filled"] += quantity
        self.position += quantity if order["side"] == "buy" else -quantity
        if order["filled"] == order["quantity"]:
            order["status"] = "filled"

    def _fill_market(self, order: dict[str, Any]) -> None:
        if self.is_honest or self.chance.random() < 0.8:
            self.fill(order, order["quantity"])
            return
        self.fill(order, max(ONE, (order["quantity"] / 2).to_integral_value()))
        if order["status"] == "accepted":
            order["status"] = "cancelled"


class HeldCalls:
    """In place of the pool: calls are held until the drill carries them out."""

    def __init__(self, brokers: Any, parallel: Any, deliver: Any) -> None:
        self.held: list[Call] = []

    def submit(self, call: Call) -> None:
        self.held.append(call)

    def fetch(self, account: str, job: Any) -> None:
        job()

    def read(self, account: str, job: Any) -> bool:
        job()
        return True


class Game:
    """One desk, one venue, one seed."""

    def __init__(self, seed: int, can: frozenset[str]) -> None:
        self.chance = random.Random(seed)
        self.clock = FakeClock()
        self.folder = Path(tempfile.mkdtemp())
        (self.folder / "config.yaml").write_text(CONFIG)
        self.settings = load(self.folder / "config.yaml", {}, ["paper", "lying"])
        self.venue = LyingVenue(self.chance, can)
        self.count = 0
        self.start()

    def start(self) -> None:
        """Open a desk on the state, as after a crash."""
        self.pool = HeldCalls(None, None, None)
        rates = Rates("100000/minute", self.clock.seconds)
        brokers: dict[str, Any] = {"venue": self.venue}
        self.desk = Desk(
            self.settings,
            Store(self.settings.state_path),
            rates,
            brokers,
            Paper,
            canonical,
            self.clock,
            lambda *_: self.pool,  # type: ignore[arg-type,return-value]
        )
        self.desk.load()
        self.desk.turn([])

    def send(self, **alert: Any) -> None:
        """Deliver one alert, each with a body of its own."""
        self.count += 1
        one = Alert(symbol=SYMBOL, price=HUNDRED, **alert)
        body = str(self.count).encode()
        delivery = Delivery((one,), (None,), body, "", self.clock())
        self.desk.turn([Ask(delivery, Reply(), time.perf_counter())])
        self.take_facts()

    def take_facts(self) -> None:
        """Let the desk take what was put into its inbox meanwhile."""
        events = []
        while not self.desk._inbox.empty():
            events.append(self.desk._inbox.get())
        if events:
            self.desk.turn([event for event in events if event is not None])

    def carry_out(self, share: float) -> None:
        """Carry held calls out, each with this probability, until one has to wait."""
        for _ in range(200):
            if not self.pool.held or self.chance.random() > share:
                return
            call = self.pool.held.pop(0)
            self.desk.turn([Answered(call, carry_out(self.venue, call))])

    def crash(self) -> None:
        """Lose the process: of the calls on their way some still reach the venue."""
        for call in self.pool.held:
            if self.chance.random() < 0.5:
                carry_out(self.venue, call)
        self.desk.store.close()
        self.start()

    def move(self) -> None:
        """Let the venue fill some of what rests, and the desk read it."""
        for client_id, order in list(self.venue.orders.items()):
            rests = order["status"] == "accepted" and order["type"] != "market"
            if not rests or self.chance.random() >= 0.1:
                continue
            self.venue.fill(order, order["quantity"] if self.chance.random() < 0.6 else ONE)
            book = self.desk.state.books.get(KEY)
            if book and client_id in book.orders:
                call = Call(KEY, "look", request_of(book.orders[client_id], book))
                self.desk.turn([Answered(call, self.venue.receipt(client_id))])

    def alert(self) -> None:
        """Send one random alert, or none."""
        kind, quantity = self.chance.random(), Decimal(self.chance.randint(1, 5))
        if kind < 0.35:
            stop = Level(price=Decimal(90)) if self.chance.random() < 0.5 else None
            target = Level(percent=Decimal(10)) if self.chance.random() < 0.4 else None
            self.send(action="buy", quantity=quantity, stop_loss=stop, take_profit=target)
        elif kind < 0.55:
            self.send(action="sell", quantity=quantity)
        elif kind < 0.65:
            self.send(action="close")
        elif kind < 0.75:
            level = Decimal(95)
            self.send(action="buy", quantity=quantity, order_type="limit", limit_price=level)
        elif kind < 0.8:
            level = Decimal(105)
            self.send(action="sell", quantity=quantity, order_type="limit", limit_price=level)
        elif kind < 0.85:
            self.send(action="cancel")

    def close_everything(self) -> None:
        """Let the venue tell the truth from now on, close, and give the desk half an hour."""
        self.venue.is_honest = True
        self.send(action="close")
        for _ in range(400):
            self.carry_out(1.0)
            self.clock.tick(5)
            self.desk.turn([])
            self.take_facts()

    def check(self) -> None:
        """Assert what must hold whatever happened."""
        book = self.desk.state.books.get(KEY)
        held = book.share("default").quantity if book else ZERO
        assert not self.desk.state.blocked, self.desk.state.blocked
        assert not self.desk.state.halts, self.desk.state.halts
        assert held == self.venue.position, f"share {held}, venue {self.venue.position}"
        assert held == 0, f"an answered close left {held}"
        assert not (book and book.live()), "an order of ours is still open"
        working = [o for o in self.venue.orders.values() if o["status"] == "accepted"]
        assert not working, "an order still works at the venue"
        entries: Counter[str] = Counter()
        rows = self.desk.store._db.execute("SELECT data FROM orders WHERE kind = 'entry'")
        for (data,) in rows:
            order = ORDER.validate_json(data)
            entries[order.cause.alert_id] += order.filled > 0
        assert not entries or max(entries.values()) <= 1, "an alert opened twice"

    def end(self) -> None:
        """Remove the state."""
        self.desk.store.close()
        shutil.rmtree(self.folder)


def play(seed: int, can: frozenset[str]) -> None:
    """Play one game to its end."""
    game = Game(seed, can)
    try:
        for _ in range(game.chance.randint(3, 14)):
            game.alert()
            game.carry_out(game.chance.choice([1, 1, 0.6, 0.3]))
            game.move()
            game.clock.tick(game.chance.choice([0.1, 1, 3, 12, 40]))
            game.desk.turn([])
            game.carry_out(game.chance.choice([1, 0.7]))
            if game.chance.random() < 0.07:
                game.crash()
        game.close_everything()
        game.check()
    finally:
        game.end()
