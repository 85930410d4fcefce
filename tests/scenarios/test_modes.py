"""A strategy that loses falls back to paper, and one that recovers returns (rules 15)."""

from __future__ import annotations

import pytest

from desk.api.pages import show_strategies
from tests.scenarios.test_twins import CONFIG, settle, with_config
from tests.scenarios.test_twins import Venue as LiveVenue
from tests.support.fakes import DeskBench

RULES = "performance: {window: 2, windows: 1}\n"
SIM = "default_account: sim\naccounts: {sim: {broker: paper, market: linear, fee_bp: 0}}\n"


@pytest.fixture
def make(tmp_path):
    """Return how a desk on the simulator is made."""
    return lambda text: DeskBench(tmp_path, SIM + text)


def trade(bench: DeskBench, result: int, **more: object) -> None:
    """Buy one at 1000 and sell it so that it brings a result."""
    bench.send(action="buy", symbol="BTCUSDT", quantity=1, price=1000, **more)
    bench.send(action="close", symbol="BTCUSDT", price=1000 + result, **more)
    bench.tick(30)


def row(bench: DeskBench, name: str = "default") -> dict:
    """Return a strategy's row."""
    return next(each for each in show_strategies(bench.desk) if each["name"] == name)


def told(bench: DeskBench, *names: str) -> list[str]:
    """Return the messages of some events, the oldest first."""
    with bench.store.reader() as reader:
        rows = reader.load_events(100)
    return [each["message"] for each in reversed(rows) if each["event"] in names]


def test_a_loser_is_demoted_at_the_last_trade_of_its_window(make):
    """And told once; a kill in between changes nothing."""
    bench = make(RULES)
    trade(bench, -10)
    bench.restart()
    assert row(bench)["mode"] == "live"
    trade(bench, -10)
    bench.restart()
    found = row(bench)
    assert found["mode"] == "paper"
    assert "min_net_pnl" in found["reason"]
    assert "-20" in found["reason"]
    assert len(told(bench, "demotion")) == 1
    assert told(bench, "demotion")[0].startswith("demotion")


def test_a_recovering_strategy_returns(make):
    """After one profitable window on paper, told once."""
    bench = make(RULES)
    for result in (-10, -10, 5, 5):
        trade(bench, result)
    assert row(bench)["mode"] == "live"
    assert "on paper brought 10" in row(bench)["reason"]
    assert len(told(bench, "demotion", "promotion")) == 2
    bench.restart()
    assert row(bench)["mode"] == "live"


def test_a_window_counts_only_what_was_opened_in_its_mode(make):
    """What was bought before the change and sold after it belongs to neither window."""
    bench = make(RULES)
    bench.send(action="buy", symbol="ETHUSDT", quantity=1, price=1000)
    for result in (-10, -10):
        trade(bench, result)
    bench.send(action="close", symbol="ETHUSDT", price=1500)
    trade(bench, 1)
    assert row(bench)["mode"] == "paper"
    trade(bench, 1)
    assert row(bench)["mode"] == "live"


def test_what_a_stop_judged_without_a_feed_never_promotes(make):
    """Rules 12.6."""
    bench = make("prices: alerts\n" + RULES)
    for result in (-10, -10):
        trade(bench, result)
    for _ in range(3):
        bench.send(action="buy", symbol="BTCUSDT", quantity=1, price=1000, take_profit=1100)
        bench.send(action="buy", symbol="BTCUSDT", quantity=1, price=1200, strategy="other")
        bench.tick(30)
    assert row(bench)["paper"]["trades"] == 5
    assert row(bench)["mode"] == "paper"


def test_a_demotion_ends_working_entries(make):
    """Rules 15.3."""
    bench = make(RULES)
    bench.send(action="buy", symbol="ETHUSDT", quantity=1, order_type="limit", price=100)
    for result in (-10, -10):
        trade(bench, result)
    assert not any(book.open_orders() for book in bench.desk.state.open_books())


def test_a_mode_is_set_by_hand(make):
    """Either way, also of a strategy that nothing judges; told each time."""
    bench = make("strategies: {s: {account: sim}}\n")
    assert row(bench, "s")["mode"] == "paper"
    assert "from now on" in bench.command("mode", strategy="s", mode="paper").said
    assert "already" in bench.command("mode", strategy="s", mode="paper").said
    bench.restart()
    assert "by the operator" in row(bench, "s")["reason"]
    bench.command("mode", strategy="s", mode="live")
    assert len(told(bench, "demotion", "promotion")) == 2


def test_promotion_by_hand_waits_for_the_hand(make):
    """It says once that the strategy may return."""
    bench = make("performance: {window: 1, windows: 1, promote: manual}\n")
    for result in (-10, 5, 5):
        trade(bench, result)
    assert row(bench)["mode"] == "paper"
    assert len(told(bench, "promotion")) == 1
    bench.command("mode", strategy="default", mode="live")
    assert row(bench)["mode"] == "live"


def test_a_strategys_own_lines_win(make):
    """The others are those of the top level."""
    bench = make(RULES + "strategies: {s: {account: sim, performance: {window: 1}}}\n")
    trade(bench, -1, strategy="s")
    trade(bench, -1, strategy="t")
    assert (row(bench, "s")["mode"], row(bench, "t")["mode"]) == ("paper", "live")


ETH = {"symbol": "ETHUSDT.P"}
JUDGED = CONFIG + "strategies: {s: {account: v, performance: {window: 1, windows: 1%s}}}\n"


def demoted(tmp_path, more: str = "") -> DeskBench:
    """Return a desk whose live strategy holds one ETHUSDT.P and has just lost with another symbol."""
    bench = DeskBench(tmp_path, JUDGED % more, {"venue": LiveVenue()})
    assert row(bench, "s")["mode"] == "live"
    settle(bench, action="buy", quantity=1)
    settle(bench, **ETH, action="buy", quantity=1)
    settle(bench, action="close", order_type="limit", price=90)
    bench.turn()
    assert row(bench, "s")["mode"] == "paper"
    return bench


def test_the_exit_of_a_live_position_still_goes_live(tmp_path):
    """Also after a kill; the entry after it goes to the paper twin of the same account."""
    bench = demoted(tmp_path)
    bench.restart()
    assert bench.held("s", "ETHUSDT.P", "v") == 1
    sold = settle(bench, **ETH, action="close")["orders"]
    assert [(each["paper"], each["status"]) for each in sold] == [(False, "filled")]
    assert bench.held("s", "ETHUSDT.P", "v") == 0
    bought = settle(bench, **ETH, action="buy", quantity=1)["orders"]
    assert [(each["paper"], each["account"], each["status"]) for each in bought] == [
        (True, "v", "filled")
    ]


def test_a_reversal_closes_live_and_opens_on_paper(tmp_path):
    """One alert, two orders."""
    bench = demoted(tmp_path)
    orders = settle(bench, **ETH, action="sell", quantity=3)["orders"]
    assert [(each["paper"], each["filled_quantity"]) for each in orders] == [
        (False, "1"),
        (True, "2"),
    ]


def test_what_is_held_live_is_closed_where_that_is_asked_for(tmp_path):
    """`open_positions: close`."""
    bench = demoted(tmp_path, ", open_positions: close")
    for _ in range(50):
        if not bench.held("s", "ETHUSDT.P", "v"):
            break
        bench.desk.turn([event for event in bench.desk._inbox.drain(1) if event])
    assert bench.held("s", "ETHUSDT.P", "v") == 0


def test_a_rule_that_is_changed_says_since_when_it_counts(tmp_path):
    """The window in progress goes on, and the past is not judged again."""
    bench = DeskBench(tmp_path, SIM + "performance: {window: 3, windows: 1}\n")
    trade(bench, -10)
    trade(bench, -10)
    before = row(bench)["rules"]
    bench.tick(60)
    with_config(bench, SIM + "performance: {window: 3, windows: 1, max_drawdown: 15}\n")
    rules = row(bench)["rules"]
    assert rules["window"] == before["window"]
    assert rules["max_drawdown"]["since"] > before["window"]["since"]
    assert row(bench)["mode"] == "live"
    trade(bench, -1)
    assert row(bench)["mode"] == "paper"
