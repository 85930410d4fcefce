"""Send alerts as TradingView does, each again until it is answered, while the receiver is killed.

What was answered is kept and afterwards held against the state: nothing lost, nothing twice.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import random
import signal
import sqlite3
import threading
import time
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.support.running import SECRET, Running, await_answer, launch, read_state

CONFIG = """
webhook: {rate_limit: 1000000/minute, max_history: 200}
risk: {max_orders_per_minute: null, max_orders_per_day: null, max_repeats: null}
accounts:
  paper_simulator: {broker: paper, cash: 1000000000}
  spot: {broker: paper, cash: 1000000000, market: spot}
"""
DELIVERIES = 4
PAUSES = (0.3, 0.6, 0.9)
"""Seconds before each resend; TradingView's are longer and its patience the same."""
SYMBOLS = ("BTCUSDT.P", "ETHUSDT.P", "SOLUSDT.P")


@dataclass
class ApiResponse:
    """One alert, and what was answered in the end."""

    key: str
    alert: dict[str, Any]
    path: str
    deliveries: int = 0
    status: int | None = None
    answer: dict[str, Any] = field(default_factory=dict)

    @property
    def is_answered(self) -> bool:
        """Whether somebody said that it is recorded."""
        return self.status is not None and self.status < 300


class Sender(threading.Thread):
    """One strategy that trades at random, an alert at a time, until it is told to stop."""

    def __init__(self, number: int, seed: int, port: int) -> None:
        super().__init__(name=f"sender-{number}", daemon=True)
        self.number = number
        self.port = port
        self.sent: list[ApiResponse] = []
        self.faults: list[str] = []
        self.is_over = threading.Event()
        self._chance = random.Random(seed * 1000 + number)
        self._connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        """Send one alert after the other, each until it is answered, four times at most."""
        while not self.is_over.is_set():
            sent = self._invent()
            self.sent.append(sent)
            body = json.dumps(sent.alert).encode()
            for pause in (*PAUSES, 0):
                sent.deliveries += 1
                self._deliver(sent, body)
                if sent.status is not None and sent.status != 503:
                    break
                time.sleep(pause)
            if sent.status is not None and sent.status not in (200, 202, 503):
                self.faults.append(f"{sent.status}: {sent.answer} for {sent.alert}")
        self._hang_up()

    def _invent(self) -> ApiResponse:
        pick = self._chance
        key = f"k{self.number}-{len(self.sent)}-{pick.getrandbits(40):x}"
        alert: dict[str, Any] = {
            "secret": SECRET,
            "idempotency_key": key,
            "strategy": f"s{self.number}",
            "action": pick.choice(("buy", "sell")),
            "quantity": pick.randint(1, 5),
            "price": pick.randint(95, 105),
        }
        if self.number % 2:
            alert |= {"symbol": "XRPUSDT", "account_group": "spot"}
        else:
            alert["symbol"] = pick.choice(SYMBOLS)
        if pick.random() < 0.3:
            below, above = alert["price"] - 4, alert["price"] + 4
            is_buy = alert["action"] == "buy"
            alert |= {
                "stop_loss": below if is_buy else above,
                "take_profit": above if is_buy else below,
            }
        path = "/webhook/tradingview" if pick.random() < 0.3 else "/webhook"
        return ApiResponse(key, alert, path)

    def _deliver(self, sent: ApiResponse, body: bytes) -> None:
        """Deliver once; without an answer the connection is given up."""
        sent.status = None
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=3.0)
            self._connection.request("POST", sent.path, body)
            response = self._connection.getresponse()
            sent.answer = json.loads(response.read())
            sent.status = response.status
        except (OSError, http.client.HTTPException, ValueError):
            self._hang_up()

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def drill(folder: Path, kills: int, senders: int, seed: int) -> dict[str, Any]:
    """Run the drill and return its figures. Raises `AssertionError` where a promise was broken."""
    (folder / "config.yaml").write_text(CONFIG)
    server = launch(folder)
    try:
        await_answer(server)
        crew = [Sender(number, seed, server.port) for number in range(senders)]
        began = time.monotonic()
        server, killed = _trade(server, crew, kills, random.Random(seed))
        figures = {"seconds": round(time.monotonic() - began, 1), "kills": kills}
        figures |= {f"kills of {name}": count for name, count in killed.items()}
        sent = [each for sender in crew for each in sender.sent]
        assert not [fault for sender in crew for fault in sender.faults]
        pages = [server.get(page) for page in ("/positions", "/status")]
        for each in [each for each in sent if each.is_answered][-100:]:
            story = server.get(f"/history/{each.answer['alert_id']}")
            assert story["status"] in ("filled", "nothing_to_do"), story
        assert server.terminate() == 0
        server = launch(folder, port=server.port)
        await_answer(server)
        assert server.get("/positions") == pages[0]
        assert server.terminate() == 0
    finally:
        if server.process.poll() is None:
            server.kill()
    log = (folder / "webhook_alerts.log").read_text()
    assert "Traceback" not in log + server.said()
    assert "fault" not in log
    return figures | check(server.state, sent, *pages)


def _trade(
    server: Running, crew: list[Sender], kills: int, chance: random.Random
) -> tuple[Running, Counter[str]]:
    """Let the crew trade while the receiver is killed; return the one that is left."""
    killed: Counter[str] = Counter()
    for sender in crew:
        sender.start()
    try:
        for _ in range(kills):
            time.sleep(chance.uniform(0.01, 0.5))
            server = _kill(server, chance, killed)
        await_answer(server)
    finally:
        for sender in crew:
            sender.is_over.set()
        for sender in crew:
            sender.join()
    return server, killed


def _kill(server: Running, chance: random.Random, killed: Counter[str]) -> Running:
    """Kill the worker or everything, and mostly wait until the next one answers: some die as they start."""
    if chance.random() < 0.15:
        killed["all processes"] += 1
        server.kill()
        server = launch(server.folder, port=server.port)
    else:
        while True:
            try:
                os.kill(server.worker(), signal.SIGKILL)
                break
            except (IndexError, ProcessLookupError):
                time.sleep(0.002)
        killed["the worker"] += 1
    if chance.random() < 0.85:
        await_answer(server)
    return server


def check(
    state: Path, sent: list[ApiResponse], positions: dict[str, Any], status: dict[str, Any]
) -> dict[str, Any]:
    """Hold what was answered against what is recorded, and return the figures."""
    with read_state(state) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        by_key = _read_alerts(db)
        traded, orders = _read_orders(db)
        counted = _count_stopped(db, {each.key: each.alert for each in sent})
        fills = db.execute(
            "SELECT account, instrument, strategy, side, quantity, price, fee FROM fills "
            "ORDER BY rowid"
        ).fetchall()
        shares = {tuple(row[:3]): Decimal(row[3]) for row in _read_shares(db)}
        cash = {name: Decimal(amount) for name, amount in db.execute("SELECT * FROM cash")}
        statuses = Counter(row[0] for row in db.execute("SELECT status FROM alerts"))
    for each in sent:
        _check_alert(each, by_key.get(each.key, []), traded, counted, orders)
    assert set(by_key) <= {each.key for each in sent}
    _check_books(fills, shares, cash, positions)
    assert status["open"]["unknown_orders"] == status["open"]["bare_shares"] == []
    assert status["open"]["owed_exits"] == status["open"]["blocked"] == []
    answered = [each for each in sent if each.is_answered]
    silent = [each for each in sent if not each.is_answered]
    return {
        "alerts sent": len(sent),
        "deliveries": sum(each.deliveries for each in sent),
        "delivered more than once": sum(each.deliveries > 1 for each in sent),
        "answered 2xx": len(answered),
        "answered as duplicates": sum(bool(each.answer.get("duplicate")) for each in answered),
        "never answered": len(silent),
        "recorded without an answer": sum(each.key in by_key for each in silent),
        "answered and not recorded": sum(each.key not in by_key for each in answered),
        "traded twice": sum(len(found) > 1 for found in by_key.values()),
        "outcomes": dict(statuses),
        "fills": len(fills),
        "state, MB": round(state.stat().st_size / 1e6, 1),
    }


def _read_alerts(db: sqlite3.Connection) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    found: dict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for alert_id, body, answer in db.execute("SELECT alert_id, body, answer FROM alerts"):
        found[json.loads(body)["idempotency_key"]].append((alert_id, json.loads(answer)))
    return found


def _read_orders(db: sqlite3.Connection) -> tuple[dict[str, Decimal], dict[str, set[str]]]:
    """Return what each alert's own orders filled, and their ids."""
    traded: dict[str, Decimal] = defaultdict(Decimal)
    orders: dict[str, set[str]] = defaultdict(set)
    for alert_id, client_id, quantity in db.execute(
        "SELECT o.alert_id, o.client_id, f.quantity FROM orders o LEFT JOIN fills f "
        "ON f.client_id = o.client_id WHERE o.kind IN ('entry', 'exit')"
    ):
        orders[alert_id].add(client_id)
        traded[alert_id] += Decimal(quantity or 0)
    return traded, orders


def _count_stopped(db: sqlite3.Connection, sent: dict[str, dict[str, Any]]) -> dict[str, Decimal]:
    """Return how much of each alert a stop or target had closed already, worked out from the fills alone.

    Rules 3.14: what they closed since the last alert that traded comes off the next order there, once.
    """
    guards: dict[tuple[str, str], list[tuple[int, str, Decimal]]] = defaultdict(list)
    own: dict[str, list[int]] = defaultdict(list)
    for number, alert_id, kind, strategy, instrument, side, quantity in db.execute(
        "SELECT f.rowid, o.alert_id, o.kind, f.strategy, f.instrument, f.side, f.quantity "
        "FROM fills f JOIN orders o ON o.client_id = f.client_id ORDER BY f.rowid"
    ):
        if kind in ("entry", "exit"):
            own[alert_id].append(number)
        else:
            guards[strategy, instrument].append((number, side, Decimal(quantity)))
    found: dict[str, Decimal] = defaultdict(Decimal)
    alerts: dict[tuple[str, str], list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for alert_id, body in db.execute("SELECT alert_id, body FROM alerts ORDER BY seq"):
        alert = sent[json.loads(body)["idempotency_key"]]
        alerts[alert["strategy"], alert["symbol"]].append((alert_id, alert))
    for place, some in alerts.items():
        closed: dict[str, Decimal] = defaultdict(Decimal)
        left = deque(guards[place])
        for at, (alert_id, alert) in enumerate(some):
            # One that traded nothing has no place among the fills: it stands before the next that did.
            following = itertools.islice(some, at, None)
            traded = next((own[each][0] for each, _ in following if own[each]), None)
            while left and (traded is None or left[0][0] < traded):
                _, side, quantity = left.popleft()
                closed[side] += quantity
            found[alert_id] = min(Decimal(alert["quantity"]), closed[alert["action"]])
            closed[alert["action"]] -= found[alert_id]
            if own[alert_id]:
                closed.clear()
    return found


def _read_shares(db: sqlite3.Connection) -> list[tuple[str, str, str, str]]:
    return db.execute("SELECT account, instrument, strategy, quantity FROM positions").fetchall()


def _check_alert(
    sent: ApiResponse,
    found: list[tuple[str, dict[str, Any]]],
    traded: dict[str, Decimal],
    counted: dict[str, Decimal],
    orders: dict[str, set[str]],
) -> None:
    """One alert: recorded once if it was answered, filled as it asked, and as it was answered."""
    assert len(found) == 1 if sent.is_answered else len(found) <= 1, sent
    if not found:
        return
    alert_id, kept = found[0]
    asked = Decimal(sent.alert["quantity"])
    is_sale = sent.alert["symbol"] == "XRPUSDT" and sent.alert["action"] == "sell"
    done = traded[alert_id] + counted[alert_id]
    assert done <= asked if is_sale else done == asked, (sent, kept)
    if not sent.is_answered:
        return
    assert sent.answer["alert_id"] == alert_id
    if sent.answer["status"] != "received":
        assert sent.answer["status"] == kept["status"], (sent, kept)
        told = {order["client_order_id"] for order in sent.answer["orders"]}
        assert told == orders[alert_id], (sent, kept)
        filled = sum(Decimal(order["filled_quantity"]) for order in sent.answer["orders"])
        assert filled == traded[alert_id], (sent, kept)


def _check_books(
    fills: list[tuple[str, ...]],
    shares: dict[tuple[Any, ...], Decimal],
    cash: dict[str, Decimal],
    positions: dict[str, Any],
) -> None:
    """Replay every fill by hand: shares and cash must come out the same."""
    lots: dict[tuple[str, ...], deque[list[Decimal]]] = defaultdict(deque)
    money: dict[str, Decimal] = defaultdict(Decimal)
    for account, instrument, strategy, side, *numbers in fills:
        quantity, price, fee = map(Decimal, numbers)
        signed = quantity if side == "buy" else -quantity
        if account == "spot":
            money[account] -= signed * price + fee
        else:
            money[account] -= fee
        queue = lots[account, instrument, strategy]
        while signed and queue and (queue[0][0] > 0) != (signed > 0):
            lot = queue[0]
            part = min(abs(lot[0]), abs(signed))
            way = 1 if lot[0] > 0 else -1
            if account != "spot":
                money[account] += part * (price - lot[1]) * way
            lot[0] -= part * way
            signed += part * way
            if lot[0] == 0:
                queue.popleft()
        if signed:
            queue.append([signed, price])
    held = {key: sum(lot[0] for lot in queue) for key, queue in lots.items()}
    assert {key: value for key, value in held.items() if value} == {
        key: value for key, value in shares.items() if value
    }
    assert {key: value for key, value in held.items() if value} == {
        (row["account"], row["instrument"], row["strategy"]): Decimal(row["quantity"])
        for row in positions["positions"]
        if Decimal(row["quantity"])
    }
    assert all(row["protected"] is not False for row in positions["positions"])
    assert dict(money) == cash
