"""Times order alerts, and one that is wrong blocks nothing (rules 2.5, 2.6)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from desk.decision.staleness import is_stale_opening, mark_said
from desk.orders.evolve import evolve
from desk.orders.order import AlertRef
from desk.orders.strategy_position import SignalHistory, StrategyPosition

# The clock of the benches begins at 2025-11-21T04:40:00Z.
FUTURE = "2026-11-21T04:40:00Z"


@pytest.mark.parametrize("restarts", [False, True])
def test_one_time_from_the_future_blocks_no_later_exit(make_venue_bench, restarts):
    """An entry says that it fired in a year: the close a minute later, which says now, is carried out."""
    bench = make_venue_bench()
    entry = bench.buy("2", timenow=FUTURE, market_position="long")
    assert "in the future" in " ".join(entry["warnings"])
    bench.tick(60)
    if restarts:
        bench.crash()
    closed = bench.send(action="close", timenow="2025-11-21T04:41:00Z")
    assert (closed["status"], bench.held(), bench.at_venue()) == ("filled", 0, 0)


def test_a_time_from_the_future_blocks_no_exit_of_the_same_second(make_venue_bench):
    """TradingView tells whole seconds: a close that follows at once names the second of the entry."""
    bench = make_venue_bench()
    bench.tick(0.7, step=0.7)
    bench.buy("2", timenow=FUTURE, market_position="long")
    closed = bench.send(action="close", timenow="2025-11-21T04:40:00Z")
    assert (closed["status"], bench.held()) == ("filled", 0)


@pytest.mark.parametrize("restarts", [False, True])
def test_a_close_from_the_future_blocks_no_later_entry(make_venue_bench, restarts):
    """A close says that it fired in a year: the entry a minute later opens."""
    bench = make_venue_bench()
    bench.send(action="close", timenow=FUTURE)
    bench.tick(60)
    if restarts:
        bench.crash()
    assert bench.buy("1", timenow="2025-11-21T04:41:00Z")["status"] == "filled"
    assert bench.held() == 1


def test_a_target_from_the_future_blocks_no_later_target(make_venue_bench):
    """With `sync: position` too: the next stated position is traded to."""
    bench = make_venue_bench()
    bench.buy("2", strategy="sync", position_size="2", timenow=FUTURE)
    bench.tick(60)
    closed = bench.sell("2", strategy="sync", position_size="0", timenow="2025-11-21T04:41:00Z")
    assert (closed["status"], bench.held("sync")) == ("filled", 0)


def test_a_state_that_believed_a_time_from_the_future_is_mended_by_a_start(make_venue_bench):
    """It was written before such a time counted as the moment of its arrival."""
    bench = make_venue_bench()
    bench.buy("2")
    book, year = bench.book(), 365 * 86_400_000
    share: StrategyPosition = book.position("s")
    signals = evolve(share.signals, opened=bench.clock() + year, fired=bench.clock() + year)
    bench.desk.state.put_book(book.with_position(evolve(share, signals=signals)), bench.clock())
    bench.turn()
    bench.crash()
    assert bench.send(action="close", timenow="2025-11-21T04:40:00Z")["status"] == "filled"


def test_what_came_first_from_the_future_is_overtaken_by_what_came_later(make_venue_bench):
    """Both clocks run ahead: the order of arrival counts, and nothing is stale."""
    bench = make_venue_bench()
    bench.buy("2", timenow="2025-11-21T05:00:00Z")
    bench.tick(1)
    assert bench.send(action="close", timenow="2025-11-21T04:59:00Z")["status"] == "filled"


SALES = {
    "a plain sale": {"action": "sell", "quantity": "2"},
    "a close of so much": {"action": "close", "quantity": "2"},
    "a close of a long of so much": {"action": "close_long", "quantity": "2"},
    "a close": {"action": "close"},
}


@pytest.mark.parametrize("sale", SALES.values(), ids=SALES)
def test_an_entry_overtaken_by_its_own_exit_opens_nothing(make_venue_bench, sale):
    """On spot a sale can only close: it came first and found nothing, so the entry is `STALE_ORDER`."""
    bench = make_venue_bench("locked")
    found = bench.send(**sale, timenow="2025-11-21T04:39:50Z")
    assert found["code"] == "NOTHING_TO_CLOSE"
    late = bench.buy("2", timenow="2025-11-21T04:39:40Z")
    assert (late["code"], late["http"], bench.held()) == ("STALE_ORDER", 422, 0)
    assert bench.buy("2", timenow="2025-11-21T04:39:50Z")["status"] == "filled"


def test_both_targets_exit_although_the_second_overtakes_the_first(make_venue_bench):
    """A partial exit is superseded by what opened alone, not by one that stated the rest."""
    bench = make_venue_bench()
    bench.buy("3", timenow="2025-11-21T04:39:00Z", market_position="long", position_size="3")
    second = bench.sell("1", timenow="2025-11-21T04:39:50Z", position_size="1")
    first = bench.sell("1", timenow="2025-11-21T04:39:49Z", position_size="2")
    assert (second["status"], first["status"], bench.held()) == ("filled", "filled", 1)


def test_a_close_with_a_time_from_the_future_follows_an_entry_of_the_same_second(make_venue_bench):
    """The entry says its milliseconds, the close's clock runs ahead: the later to arrive is the later."""
    bench = make_venue_bench()
    bench.tick(0.7, step=0.7)
    bench.buy("2", timenow="2025-11-21T04:40:00.600Z")
    closed = bench.send(action="close", timenow=FUTURE)
    assert (closed["status"], bench.held()) == ("filled", 0)


def test_milliseconds_order_two_alerts_of_one_second(make_venue_bench):
    """Where both say more than the second, an entry that its own close overtook stays closed."""
    bench = make_venue_bench()
    bench.tick(0.7, step=0.7)
    bench.send(action="close", timenow="2025-11-21T04:40:00.600Z")
    late = bench.buy("2", timenow="2025-11-21T04:40:00.200Z")
    assert (late["code"], bench.held()) == ("STALE_ORDER", 0)


CLOSES = {
    "fired before": (1_000, False),
    "fired in the same second": (5_000, True),
    "fired later": (9_000, True),
    "did not say when": (None, True),
}


@pytest.mark.parametrize(("fired", "is_stale"), CLOSES.values(), ids=CLOSES)
def test_an_entry_that_waits_here_is_overtaken_only_by_a_close_that_fired_later(fired, is_stale):
    """A close arrives while it waits: where both say when, firing counts, else the arrival (rules 2.6)."""
    close = AlertRef("close", seq=2, fired_at=fired)
    signals = mark_said(SignalHistory(), close, closes_all=True)
    entry = AlertRef("entry", seq=1, fired_at=5_000)
    assert is_stale_opening(signals, entry, "buy") is is_stale
    assert is_stale_opening(signals, replace(entry, fired_at=None), "buy")
    assert not is_stale_opening(signals, AlertRef("entry", seq=3), "buy")
