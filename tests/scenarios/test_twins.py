"""A share exits where it was opened, whatever its strategy trades by now: live or on paper."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from desk.config.load import load
from desk.state.restore import read_answer
from tests.support.fakes import DeskBench, HangingBroker, make_facts


class Venue(HangingBroker):
    """A venue that answers at once."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer.set()


CONFIG = (
    "trading: live\nwebhook: {secret: correct-horse-battery-8}\n"
    "risk: {max_notional: 1000, max_position: 2000, max_daily_loss: 200}\n"
    "accounts: {paper_simulator: {broker: paper}, "
    "v: {broker: venue, market: linear, currency: USDT, live: true}}\n"
    "default_account: v\n"
)
LISTED = CONFIG + "strategies: {s: {account: v}}\n"
ALERT = {"strategy": "s", "symbol": "BTCUSDT.P", "price": 100}


def settle(bench: DeskBench, **alert: Any) -> dict[str, Any]:
    """Send an alert and return its answer once it is known what came of it."""
    answer = bench.send(**{**ALERT, **alert})
    for _ in range(200):
        if bench.status_of(answer["alert_id"]) != "pending":
            return read_answer(bench.desk.state.history[answer["alert_id"]].text)
        bench.desk.turn([event for event in bench.desk._inbox.drain(10) if event])
    pytest.fail("the venue never answered")


def with_config(bench: DeskBench, text: str) -> None:
    """Start the desk again with another configuration."""
    bench.file.write_text(text)
    bench.settings = load(bench.file, {}, {"paper": make_facts(), "venue": make_facts()})
    bench.restart()


@pytest.mark.parametrize("how", [{"action": "close"}, {"action": "close", "account_group": "v"},
                                 {"action": "sell", "quantity": 1}])  # fmt: skip
def test_a_live_share_of_a_strategy_that_config_no_longer_names_can_be_closed(tmp_path, how):
    """It would open on paper now; what it holds live is sold live."""
    bench = DeskBench(tmp_path, LISTED, {"venue": Venue()})
    settle(bench, action="buy", quantity=1)
    with_config(bench, CONFIG)
    assert bench.held("s", "BTCUSDT.P", "v") == 1
    row = settle(bench, **how)
    sold = row["orders"][0]
    assert (sold["status"], sold["paper"], sold["side"]) == ("filled", False, "sell")
    assert bench.desk.state.books[("v", False, "BTCUSDT.P")].position("s").quantity == Decimal(0)


def test_a_live_account_that_is_not_listed_still_opens_nothing(tmp_path):
    """A share that is left there lets an alert name the account to reduce, never to add."""
    bench = DeskBench(tmp_path, LISTED, {"venue": Venue()})
    settle(bench, action="buy", quantity=1)
    with_config(bench, CONFIG)
    row = settle(bench, action="buy", quantity=1, account_group="v")
    assert (row["status"], row["code"]) == ("denied", "ACCOUNT_NOT_ALLOWED")
    assert bench.held("s", "BTCUSDT.P", "v") == 1


def test_a_paper_share_of_a_strategy_that_went_live_is_closed_on_paper(tmp_path):
    """Both are closed by one alert, the live one first."""
    bench = DeskBench(tmp_path, CONFIG, {"venue": Venue()})
    assert settle(bench, action="buy", quantity=2)["orders"][0]["paper"]
    with_config(bench, LISTED)
    settle(bench, action="buy", quantity=1)
    row = settle(bench, action="close")
    sold = [(each["paper"], each["filled_quantity"]) for each in row["orders"]]
    assert sold == [(False, "1"), (True, "2")]
