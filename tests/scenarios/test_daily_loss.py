"""The loss of a day is told once when it is crossed, and closed where that is asked for (rules 15.4)."""

from __future__ import annotations

import pytest

from tests.support.fakes import DeskBench

DAY = 86_400
ACCOUNTS = """
default_account: sim
accounts:
  sim: {broker: paper, fee_bp: 0, cash: 100000}
  other: {broker: paper, fee_bp: 0, cash: 100000}
"""
PERP = "BTCUSDT.P"


@pytest.fixture
def make(tmp_path):
    """Return how a desk is made."""
    return lambda text: DeskBench(tmp_path, ACCOUNTS + text)


def buy(bench: DeskBench, quantity: int = 10, strategy: str = "s", **more: object) -> dict:
    """Buy at 100."""
    alert = {
        "action": "buy",
        "symbol": PERP,
        "quantity": quantity,
        "price": 100,
        "strategy": strategy,
    }
    return bench.send(**{**alert, **more})


def move(bench: DeskBench, price: object) -> None:
    """Let another strategy's alert bring a price, which trades nothing."""
    bench.send(action="cancel", symbol=PERP, price=price, strategy="watcher")
    bench.tick(5)


def told(bench: DeskBench) -> list[str]:
    """Return what was told of losses, the oldest first."""
    with bench.store.reader() as reader:
        rows = reader.load_events(100)
    return [each["message"] for each in reversed(rows) if each["event"] == "daily_loss"]


def test_a_price_alone_crosses_the_limit_and_everything_is_closed(make):
    """Told once, closed by itself, and nothing opens until the day is over; a restart changes nothing."""
    bench = make("risk: {max_daily_loss: 50, on_daily_loss: flatten}\n")
    buy(bench)
    move(bench, 96)
    assert (told(bench), bench.held("s", PERP, "sim")) == ([], 10)
    move(bench, 95)
    [text] = told(bench)
    assert text.startswith("sim (paper) has lost 50 USD since its day began; max_daily_loss is 50")
    assert bench.held("s", PERP, "sim") == 0
    bench.restart()
    bench.tick(60)
    assert len(told(bench)) == 1
    assert buy(bench, price=95)["code"] == "MAX_DAILY_LOSS"
    bench.tick(DAY)
    assert buy(bench, price=95)["status"] == "filled"
    move(bench, 80)
    assert len(told(bench)) == 2


def test_a_limit_that_only_denies_is_told_too(make):
    """What is held stays; it is told once, however long it lasts."""
    bench = make("risk: {max_daily_loss: 50}\n")
    buy(bench)
    for price in (90, 89, 91):
        move(bench, price)
    assert len(told(bench)) == 1
    assert "nothing is opened" in told(bench)[0]
    assert bench.held("s", PERP, "sim") == 10


def test_the_rule_of_a_strategy_closes_its_own_alone(make):
    """Another strategy of the same account keeps what it holds."""
    bench = make("strategies: {s: {risk: {max_daily_loss: 50, on_daily_loss: flatten}}, t: {}}\n")
    buy(bench)
    buy(bench, strategy="t")
    move(bench, 90)
    assert told(bench)[0].startswith("s on sim (paper) has lost 100 USD")
    assert (bench.held("s", PERP, "sim"), bench.held("t", PERP, "sim")) == (0, 10)


def test_a_working_entry_ends_with_what_is_held(make):
    """Else it would open again behind the close."""
    bench = make(
        "risk: {max_daily_loss: 50, on_daily_loss: flatten}\nstrategies: {s: {pyramid: true}}\n"
    )
    buy(bench)
    buy(bench, order_type="limit", limit_price=50)
    move(bench, 90)
    assert not bench.desk.state.books[("sim", True, PERP)].orders


def test_an_account_that_lost_nothing_is_left_alone(make):
    """Each account counts its own day."""
    bench = make("risk: {max_daily_loss: 50, on_daily_loss: flatten}\n")
    buy(bench)
    buy(bench, strategy="far", account_group="other", symbol="ETHUSDT.P")
    move(bench, 90)
    assert bench.held("far", "ETHUSDT.P", "other") == 10


def test_all_accounts_together_keep_one_limit(make):
    """In the top currency, with what is held elsewhere; exits always pass."""
    bench = make("risk: {max_total_exposure: 1500}\nstrategies: {far: {account: other}}\n")
    assert buy(bench)["status"] == "filled"
    denied = buy(bench, strategy="far", quantity=6)
    assert denied["code"] == "MAX_TOTAL_EXPOSURE"
    assert "would hold 1600 USD" in denied["message"]
    assert buy(bench, strategy="far", quantity=5)["status"] == "filled"
    assert bench.send(action="close", symbol=PERP, strategy="far", price=100)["status"] == "filled"


def test_a_total_that_cannot_be_counted_opens_nothing(make):
    """What is held in another currency cannot be added up: it is said, and nothing is guessed."""
    bench = make("currency: EUR\nrisk: {max_total_exposure: 1500}\n")
    denied = buy(bench)
    assert denied["code"] == "CURRENCY_UNKNOWN"
    assert "max_total_exposure cannot be judged" in denied["message"]
