"""The pool with real threads: what leaves first, what never waits, and how many may hang."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from datetime import date
from decimal import Decimal

import pytest

from brokers.instruments.symbols import classify
from brokers.protocol import (
    KEYS_REFUSED,
    BrokerRefused,
    OrderReport,
    OrderRequest,
    Uncertain,
    Unreachable,
)
from desk.alerts.delivery import Delivery
from desk.engine.loop import Desk
from desk.formats import to_json
from desk.venue.call import VenueCall
from desk.venue.dispatcher import READERS, SPARE_THREADS, Dispatcher, carry_out, time_out
from parsers import parse
from tests.support.fakes import DeskBench, HangingBroker, make_facts

PATIENCE = 5.0
"""Seconds after which a test gives up; nothing here takes a tenth of that."""


class Gate:
    """A venue whose calls hang until they are let go, each by its id or all."""

    facts = make_facts("reduce_only", poll_seconds=0.0)
    rest_seconds = 0.0

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.begun: list[str] = []
        self.let_go: set[str] = set()
        self.is_open = False
        self.fault: BaseException | None = None
        self.looked: list[str] = []

    def place_order(self, request: OrderRequest) -> OrderReport:
        with self.changed:
            self.begun.append(request.client_id)
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.is_open or request.client_id in self.let_go, 30)
        if self.fault:
            raise self.fault
        return OrderReport(request.client_id, "accepted")

    close = cancel = place_order

    def protect(self, requests: tuple[OrderRequest, ...]) -> tuple[OrderReport, ...]:
        return tuple(self.place_order(each) for each in requests)

    def find_order(self, request: OrderRequest) -> OrderReport:
        self.looked.append(request.client_id)
        if self.fault and not isinstance(self.fault, BrokerRefused):
            raise self.fault
        return OrderReport(request.client_id, "cancelled")

    def wait_for(self, *names: str) -> bool:
        """Wait until calls with these ids have begun."""
        with self.changed:
            return self.changed.wait_for(lambda: set(names) <= set(self.begun), PATIENCE)

    def release(self, *names: str) -> None:
        """Let calls go: those named, or every one."""
        with self.changed:
            self.let_go |= set(names)
            self.is_open = self.is_open or not names
            self.changed.notify_all()


def call(name: str, *, reduces: bool = False, what: str = "place", account: str = "a") -> VenueCall:
    """Return a call for an instrument of its own."""
    instrument = classify(f"{name.upper()}USDT.P", None, date(2025, 11, 21))
    request = OrderRequest(
        name, instrument, "sell" if reduces else "buy", Decimal(1), reduces=reduces
    )
    return VenueCall((account, False, instrument.symbol), what, request)


@pytest.fixture
def gates():
    """Give two venues whose calls all go in the end."""
    found = {"a": Gate(), "b": Gate()}
    yield found
    for gate in found.values():
        gate.release()


@pytest.fixture
def make_pool(gates):
    """Make a pool, and the list of what came back."""

    def make(parallel: int = 4) -> tuple[Dispatcher, list[OrderReport]]:
        back: list[OrderReport] = []
        return Dispatcher(gates, {"a": parallel}, lambda _, report: back.append(report)), back

    return make


def wait_until(holds, seconds: float = PATIENCE) -> bool:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


def test_at_most_so_many_calls_of_an_account_are_out_at_once(gates, make_pool):
    """Four by default; the fifth leaves when one is back."""
    pool, back = make_pool()
    names = [f"e{number}" for number in range(6)]
    for name in names:
        pool.submit(call(name))
    assert gates["a"].wait_for(*names[:4])
    assert gates["a"].begun == names[:4]
    gates["a"].release("e0")
    assert gates["a"].wait_for("e4")
    assert wait_until(lambda: len(back) == 1)
    assert len(gates["a"].begun) == 5


def test_reducing_calls_leave_before_opening_ones(gates, make_pool):
    """Whatever was queued first; cancels and look-ups count as reducing; else in order."""
    pool, back = make_pool(1)
    pool.submit(call("first"))
    assert gates["a"].wait_for("first")
    for each in (
        call("open1"),
        call("open2"),
        call("exit", reduces=True),
        call("end", what="cancel"),
    ):
        pool.submit(each)
    gates["a"].release()
    assert wait_until(lambda: len(back) == 5)
    begun = gates["a"].begun
    assert set(begun[1:3]) == {"exit", "end"}
    assert begun[3:] == ["open1", "open2"]


def test_an_exit_never_waits_behind_entries_that_hang(gates, make_pool):
    """It leaves on a thread that is kept for it; no entry ever takes that one."""
    pool, back = make_pool(2)
    for name in ("e0", "e1", "e2"):
        pool.submit(call(name))
    assert gates["a"].wait_for("e0", "e1")
    gates["a"].release("exit", "end")
    asked = time.monotonic()
    pool.submit(call("exit", reduces=True))
    pool.submit(call("end", what="cancel"))
    assert wait_until(lambda: len(back) == 2)
    assert time.monotonic() - asked < 2
    assert {report.client_id for report in back} == {"exit", "end"}
    assert "e2" not in gates["a"].begun


def test_exits_that_hang_do_not_hold_a_cancel_up_for_ever(gates, make_pool):
    """Two spare threads: one that hangs leaves the other."""
    assert SPARE_THREADS == 2
    pool, back = make_pool(1)
    pool.submit(call("e0"))
    assert gates["a"].wait_for("e0")
    pool.submit(call("hangs", reduces=True))
    assert gates["a"].wait_for("hangs")
    gates["a"].release("exit")
    pool.submit(call("exit", reduces=True))
    assert wait_until(lambda: [report.client_id for report in back] == ["exit"])


def test_an_account_that_hangs_holds_no_other_up(gates, make_pool):
    """Each has threads of its own."""
    pool, back = make_pool(1)
    for number in range(5):
        pool.submit(call(f"e{number}"))
    gates["b"].release()
    pool.submit(call("other", account="b"))
    assert wait_until(lambda: [report.client_id for report in back] == ["other"])


def test_reads_that_hang_are_bounded(make_pool):
    """Two of an account; a third is not begun, and begins again when one is back."""
    pool, _ = make_pool()
    begun, may_end = threading.Semaphore(0), threading.Event()

    def hang() -> None:
        begun.release()
        may_end.wait(30)

    assert [pool.read("a", hang) for _ in range(READERS + 2)] == [True] * READERS + [False] * 2
    assert pool.read("b", hang) is True
    assert all(begun.acquire(timeout=PATIENCE) for _ in range(READERS + 1))
    may_end.set()
    assert wait_until(lambda: pool.read("a", lambda: None))


def test_reads_do_not_wait_for_orders_that_hang(gates, make_pool):
    """Nor orders for reads."""
    pool, _ = make_pool(1)
    for number in range(3):
        pool.submit(call(f"e{number}"))
    done = threading.Event()
    assert pool.read("a", done.set)
    assert done.wait(PATIENCE)


def test_a_read_that_fails_gives_its_place_back(make_pool):
    """A broken read is no read that hangs."""
    pool, _ = make_pool()
    seen = []
    before, threading.excepthook = threading.excepthook, lambda args: seen.append(args.exc_type)
    try:
        for number in range(READERS * 2):
            assert wait_until(lambda: pool.read("a", lambda: 1 // 0))
            assert wait_until(lambda count=number: len(seen) > count)
    finally:
        threading.excepthook = before
    assert seen == [ZeroDivisionError] * READERS * 2


# --- every call becomes a receipt --------------------------------------------------------------------

BECOMES = {
    ("place", "Refused"): "refused",
    ("place", "Unreachable"): "unreached",
    ("place", "Uncertain"): "unknown",
    ("place", "KeyError"): "unknown",
    ("place", "RecursionError"): "unknown",
    ("cancel", "Refused"): "cancelled",
    ("cancel", "Unreachable"): "accepted",
    ("cancel", "Uncertain"): "accepted",
    ("cancel", "KeyError"): "accepted",
    ("look", "Unreachable"): "unknown",
    ("look", "Uncertain"): "unknown",
    ("look", "KeyError"): "unknown",
}
FAULTS = {
    "Refused": BrokerRefused("no"),
    "Unreachable": Unreachable("no route"),
    "Uncertain": Uncertain("no answer"),
    "KeyError": KeyError("id"),
    "RecursionError": RecursionError(),
}


@pytest.mark.parametrize(("what", "fault"), BECOMES, ids=[f"{w} {f}" for w, f in BECOMES])
def test_whatever_a_broker_raises_becomes_a_receipt(what, fault):
    """A place that may exist is unknown; a cancel or look-up that failed changes nothing."""
    gate = Gate()
    gate.release()
    gate.fault = FAULTS[fault]
    report = carry_out(gate, call("x", what=what))
    assert (report.client_id, report.status) == ("x", BECOMES[(what, fault)])
    assert gate.looked == (
        ["x"] if what == "look" or (what, fault) == ("cancel", "Refused") else []
    )


@pytest.mark.parametrize(("code", "kept"), [("THROTTLED", None), (KEYS_REFUSED, KEYS_REFUSED)])
def test_a_look_up_that_is_refused_says_nothing_about_the_order(code, kept):
    """Too many requests, or keys that are refused: it may exist all the same."""

    class Busy(Gate):
        def find_order(self, request: OrderRequest) -> OrderReport:
            raise BrokerRefused("not now", code)

    report = carry_out(Busy(), call("x", what="look"))
    assert (report.status, report.code) == ("unknown", kept)


def test_a_call_that_waited_too_long_for_a_thread_is_never_made(gates, make_pool, monkeypatch):
    """What may have been looked up meanwhile, and not found, must not leave after all."""
    monkeypatch.setattr("desk.venue.dispatcher.START_WITHIN_SECONDS", 0.2)
    pool, back = make_pool(1)
    for name in ("first", "second"):
        pool.submit(call(name))
    assert gates["a"].wait_for("first")
    time.sleep(0.3)
    gates["a"].release()
    assert wait_until(lambda: len(back) == 2)
    assert gates["a"].begun == ["first"]
    assert [(each.client_id, each.status) for each in back] == [
        ("first", "accepted"),
        ("second", "unreached"),
    ]
    assert "busy" in (back[1].message or "")


@pytest.mark.parametrize("fault", ["Refused", "Unreachable", "Uncertain", "KeyError"])
def test_what_a_failed_pair_is_holds_for_both(fault):
    """The venue said one thing of two orders."""
    gate = Gate()
    gate.release()
    gate.fault = FAULTS[fault]
    stop, target = call("stop", reduces=True), call("target", reduces=True)
    report = carry_out(gate, VenueCall(stop.key, "place", stop.request, target.request))
    both = [report, *report.linked]
    assert [each.client_id for each in both] == ["stop", "target"]
    assert {each.status for each in both} == {BECOMES[("place", fault)]}


def test_a_pair_that_did_not_come_back_is_unknown_as_a_whole():
    """At the deadline."""
    stop, target = call("stop", reduces=True), call("target", reduces=True)
    report = time_out(VenueCall(stop.key, "place", stop.request, target.request))
    assert [each.status for each in (report, *report.linked)] == ["unknown", "unknown"]


def test_half_a_surrogate_from_a_venue_can_be_recorded(gates, make_pool):
    """JSON may hold one, a database may not."""
    pool, back = make_pool()
    gates["a"].fault = BrokerRefused("bad \ud800 text", "\udfff")
    gates["a"].release()
    pool.submit(call("x"))
    assert wait_until(lambda: back)
    assert f"{back[0].message}{back[0].code}".encode()


# --- with a desk -------------------------------------------------------------------------------------


CONFIG = """
webhook: {rate_limit: 100000/minute}
accounts: {v: {broker: hanging, sandbox: true}}
default_account: v
"""


def submit(desk: Desk, **alert: str) -> None:
    """Hand an alert to a desk that runs."""
    body = to_json({"strategy": "s", **alert}).encode()
    message = parse(body)
    desk.submit(Delivery(message.alerts, message.strategies, body, message.masked, desk.clock()))


def test_what_was_taken_in_is_answered_before_the_end(tmp_path):
    """An alert that came in the moment before the stop is sent, and its answer is recorded."""
    venue = HangingBroker()
    bench = DeskBench(tmp_path, CONFIG, {"hanging": venue})
    desk = bench.desk
    desk._thread.start()
    submit(
        desk, action="cancel", symbol="BTCUSDT.P"
    )  # the rules of the instrument are known after it
    assert wait_until(lambda: desk.state.history and not desk.state.waiting)
    assert wait_until(lambda: not desk._readers._out)
    threading.Timer(0.3, venue.may_answer.set).start()
    submit(desk, action="buy", symbol="BTCUSDT.P", quantity="1")
    desk.stop()
    assert len(venue.asked) == 1
    with closing(sqlite3.connect(bench.settings.state_path)) as db:
        rows = db.execute(
            "SELECT kind, status, json_extract(data, '$.call') FROM orders"
        ).fetchall()
    assert rows == [("entry", "filled", None)]


def test_calls_of_one_instrument_leave_one_at_a_time_and_in_order(tmp_path):
    """The close waits for the entry to come back; another instrument does not."""
    venue = HangingBroker()
    bench = DeskBench(tmp_path, CONFIG, {"hanging": venue})
    desk = bench.desk
    desk._thread.start()
    try:
        submit(desk, action="buy", symbol="BTCUSDT.P", quantity="1")
        assert wait_until(lambda: len(venue.asked) == 1)
        submit(desk, action="close", symbol="BTCUSDT.P")
        submit(desk, action="buy", symbol="ETHUSDT.P", quantity="1")
        assert wait_until(lambda: len(venue.asked) == 2)
        assert [each.instrument.symbol for each in venue.asked] == ["BTCUSDT.P", "ETHUSDT.P"]
        venue.may_answer.set()
        assert wait_until(lambda: len(venue.asked) == 3)
        assert (venue.asked[2].instrument.symbol, venue.asked[2].reduces) == ("BTCUSDT.P", True)
        assert wait_until(lambda: not desk._out)
    finally:
        venue.may_answer.set()
        desk.stop()
