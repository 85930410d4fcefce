"""Hand-written stand-ins: a clock that is set, a desk without its thread, a broker that hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

from brokers.instruments.symbols import canonical, classify
from brokers.paper import Paper
from brokers.protocol import (
    Check,
    Fill,
    Instrument,
    OrderReport,
    OrderRequest,
    Snapshot,
    VenueFacts,
)
from desk.alerts.delivery import Delivery, PendingReply
from desk.api.pages import show_positions
from desk.config.load import load
from desk.engine.commands import Command
from desk.engine.events import AlertReceived
from desk.engine.loop import Desk
from desk.engine.rates import Rates
from desk.formats import to_json
from desk.state.store import Store
from parsers import parse

START = 1_763_700_000_000
"""2025-11-21T04:40:00Z, in milliseconds."""


class FakeClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now: int = START) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def seconds(self) -> float:
        return self.now / 1000

    def tick(self, seconds: float) -> None:
        self.now += int(seconds * 1000)


def make_facts(*capabilities: str, poll_seconds: float = 2.0, **more: Any) -> VenueFacts:
    """Return what a made-up venue is: no credentials, whatever market, these capabilities."""
    nothing = {"needs": (), "markets": (), "currency": "", "live_hosts": ()}
    facts = {**nothing, **more, "poll_seconds": poll_seconds}
    return VenueFacts(capabilities=frozenset(capabilities), **facts)


def always(venue: Any) -> Any:
    """Return a line for the table of brokers that makes this very venue, whatever the account."""
    made = {"facts": venue.facts, "__new__": lambda *_: venue}
    return type("Always", (), made)


class DeskBench:
    """A desk on a state of its own, driven by hand: each event is taken in, committed and answered at once.

    `config` is the text of a config.yaml. `restart` closes the desk and opens another on the same state, as
    after a kill.
    """

    def __init__(
        self,
        folder: Path,
        config: str = "",
        brokers: dict[str, Any] | None = None,
        environ: dict[str, str] | None = None,
    ) -> None:
        self.file = folder / "config.yaml"
        self.file.write_text(config)
        self.fakes = brokers or {}
        facts = {"paper": Paper.facts, **{name: each.facts for name, each in self.fakes.items()}}
        self.settings = load(self.file, environ or {}, facts)
        self.clock = FakeClock()
        self._count = 0
        self.open()

    def open(self) -> None:
        """Open a desk on the state."""
        self.store = Store(self.settings.state_path)
        accounts = self.settings.accounts.items()
        real = {name: self.fakes[a.broker] for name, a in accounts if a.broker in self.fakes}
        rates = Rates(self.settings.webhook.rate_limit, self.clock.seconds)
        self.desk = Desk(self.settings, self.store, rates, real, Paper, canonical, self.clock)
        self.desk.load()
        self.turn()

    def restart(self) -> None:
        """Forget everything that is not on disk."""
        self.store.close()
        self.open()

    def turn(self) -> None:
        """Let the desk do what is due."""
        self.desk.turn([])

    def tick(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.tick(seconds)
        self.turn()

    def deliver(
        self, body: bytes, *, dry: bool = False, authenticated: bool = True
    ) -> PendingReply:
        """Deliver raw bytes, as the server does, and return who waits for the answer."""
        message = parse(body)
        delivery = Delivery(
            message.alerts,
            message.strategies,
            body,
            message.masked,
            self.clock(),
            is_array=message.is_array,
            is_dry=dry,
            is_authenticated=authenticated,
        )
        reply = PendingReply()
        self.desk.turn([AlertReceived(delivery, reply, time.perf_counter())])
        return reply

    def send_text(self, body: str, *, dry: bool = False) -> dict[str, Any]:
        """Deliver a body and return its (first) answer, with the status under `http`."""
        answer = self.deliver(body.encode(), dry=dry).answers[0]
        return {**answer.shape, "http": answer.http}

    def send(self, **alert: Any) -> dict[str, Any]:
        """Deliver an alert of the native shape that no other delivery repeats."""
        self._count += 1
        return self.again(**{"id": f"n{self._count}", **alert})

    def again(self, **alert: Any) -> dict[str, Any]:
        """Deliver exactly this alert; the second time the same bytes arrive."""
        return self.send_text(to_json(alert))

    def command(self, name: str, **options: Any) -> Command:
        """Carry out an operator's command."""
        command = Command(name, options, PendingReply())
        self.desk.turn([command])
        return command

    def positions(self) -> list[dict[str, Any]]:
        """Return what /positions shows."""
        rows: list[dict[str, Any]] = show_positions(self.desk, 100)["positions"]
        return rows

    def closed(self) -> list[dict[str, Any]]:
        """Return the closed trades, newest first."""
        rows: list[dict[str, Any]] = show_positions(self.desk, 100)["closed"]
        return rows

    def held(self, strategy: str, symbol: str, account: str = "paper_simulator") -> Decimal:
        """Return the signed share of a strategy."""
        for row in self.positions():
            if (row["strategy"], row["instrument"], row["account"]) == (strategy, symbol, account):
                return Decimal(row["quantity"])
        return Decimal(0)

    def working(self, strategy: str, symbol: str) -> list[dict[str, Any]]:
        """Return the working orders of a strategy."""
        for row in self.positions():
            if (row["strategy"], row["instrument"]) == (strategy, symbol):
                return list(row["orders"])
        return []

    def status_of(self, alert_id: str) -> str:
        """Return the outcome of an alert as it is known now."""
        return self.desk.state.history[alert_id].status


class HangingBroker:
    """A venue that answers an order only when it is let go."""

    facts = make_facts("reduce_only")
    rest_seconds = 0.0

    def __init__(self) -> None:
        self.may_answer = threading.Event()
        self.asked: list[OrderRequest] = []

    def open(self) -> None:
        """Open nothing: there is no connection to keep."""

    def instrument(self, symbol: str) -> Instrument:
        return classify(canonical(symbol), None, __import__("datetime").date(2025, 11, 21))

    def price(self, symbol: str) -> Decimal | None:
        return None

    def place_order(self, request: OrderRequest) -> OrderReport:
        self.asked.append(request)
        self.may_answer.wait(30)
        price = request.limit_price or Decimal(100)
        fill = Fill(
            f"t{len(self.asked)}",
            request.client_id,
            request.side,
            request.quantity,
            price,
            Decimal(0),
            "",
            START,
        )
        return OrderReport(request.client_id, "filled", "b1", request.quantity, price, (fill,))

    close = place_order

    def protect(self, requests: tuple[OrderRequest, ...]) -> tuple[OrderReport, ...]:
        return tuple(OrderReport(each.client_id, "accepted", "b2") for each in requests)

    def cancel(self, request: OrderRequest) -> OrderReport:
        return OrderReport(request.client_id, "cancelled")

    def find_order(self, request: OrderRequest) -> OrderReport:
        return OrderReport(request.client_id, "absent")

    def fills(self, since: int, symbols: Iterable[str]) -> tuple[Fill, ...]:
        return ()

    def snapshot(self) -> Snapshot:
        return Snapshot()

    def check(self) -> Check:
        return Check()
