"""What others may see: what was committed, and nothing that is only tried."""

from __future__ import annotations

from copy import deepcopy

import pytest

from desk.api.pages import list_open, show_positions, show_status, show_strategies
from desk.engine import handling
from desk.state.store import StoreUnavailable
from tests.support.running import receivers


@pytest.fixture
def start(tmp_path):
    """Start receivers."""
    with receivers(tmp_path) as found:
        yield found


def look(desk):
    """Return all that a reader on another thread sees now."""
    status = show_status(desk, 0, "1", private=True)
    del status["uptime"]
    return deepcopy(
        (status, show_positions(desk, 10), show_strategies(desk), dict(desk.state.shown.cash))
    )


ALERTS = {
    "an entry": {"action": "buy", "quantity": 1, "price": 120, "strategy": "new", "stop_loss": 90},
    "another price, which stops the share out": {"action": "buy", "quantity": 1, "price": 60},
    "a close": {"action": "close", "price": 110, "strategy": "a"},
    "a resting entry": {"action": "buy", "quantity": 1, "order_type": "limit", "price": 50},
    "a halt": {"action": "halt"},
    "a cancel": {"action": "cancel", "strategy": "a"},
}


@pytest.mark.parametrize("alert", ALERTS.values(), ids=ALERTS)
def test_what_is_only_asked_for_is_never_seen(start, monkeypatch, alert):
    """While `/webhook/validate` decides, and after: positions, prices, halts, strategies, the count."""
    receiver = start()
    cells = receiver.app.view_functions["history"].__closure__
    desk = next(each.cell_contents.desk for each in cells if hasattr(each.cell_contents, "desk"))
    receiver.buy(strategy="a", stop_loss=70)
    receiver.buy("ETHUSDT", strategy="a", order_type="limit", price=10)
    before, seen = look(desk), []
    tried = []

    def peek(entries):
        seen.append(look(desk))
        tried.append(desk.state.seq)
        return original(entries)

    original = handling.preview
    monkeypatch.setattr(handling, "preview", peek)
    answer = receiver.send("/webhook/validate", **{"symbol": "BTCUSDT", **alert}).get_json()
    assert answer["alert"]["action"] == alert["action"]
    assert len(seen) == 1
    assert tried[0] > before[0]["counts"]["alerts"], "it was decided meanwhile"
    assert seen[0] == before
    assert look(desk) == before


def test_what_is_not_committed_yet_is_not_seen(make_venue_bench, monkeypatch):
    """Nor what could not be: a batch that cannot be recorded never happened."""
    bench = make_venue_bench()
    bench.buy("1")
    bench.tick(5)
    before, seen = show_positions(bench.desk, 10), []
    write = bench.store.write

    def refuse(batch, *others):
        if not batch.is_empty():
            seen.append(show_positions(bench.desk, 10))
            raise StoreUnavailable("the disk is full")
        return write(batch, *others)

    monkeypatch.setattr("desk.engine.loop.RETRY_SECONDS", 0)
    monkeypatch.setattr(bench.store, "write", refuse)
    bench.deliver(action="close", symbol=bench.symbol)
    assert seen
    assert all(each == before for each in seen)
    monkeypatch.undo()
    bench.tick(5)
    assert show_positions(bench.desk, 10) == before
    bench.send(action="close")
    assert show_positions(bench.desk, 10)["positions"] == []


def test_what_is_shown_is_what_the_memory_holds(make_venue_bench):
    """After trades, halts, a clock that was set, and a crash."""
    bench = make_venue_bench()
    for symbol in (bench.symbol, bench.other):
        bench.buy("2", symbol=symbol, stop_loss="50")
    bench.tick(30)
    bench.send(action="close")
    bench.send(action="halt", strategy="t")
    bench.tick(120)

    def agrees():
        state, shown = bench.desk.state, bench.desk.state.shown
        names = (
            "prices",
            "cash",
            "halts",
            "strategies",
            "blocked",
            "silent",
            "external_quantities",
        )
        same = all(getattr(state, name) == getattr(shown, name) for name in names)
        return same and {id(b) for b in state.open_books()} == {id(b) for b in shown.open_books()}

    assert agrees()
    bench.crash()
    assert agrees()
    bench.desk._step = 5_000
    bench.tick(1)
    assert agrees()
    assert list_open(bench.desk)["halted"]
