"""Tests that run the Pine scripts we ship on bars and trade what they send."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import parsers
from parsers.alert import Alert
from tests.support.fakes import DeskBench
from tests.support.shipped import read_shipped

pytestmark = pytest.mark.slow
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SINCE = 1_795_132_800_000
MESSAGES = ("alert_strategy.json", "alert_text.txt")


def waves(number: int) -> float:
    """Return a price that swings around 100."""
    return 100 + 15 * math.sin(number / 9)


def shocks(number: int) -> float:
    """Return the same with a fall and a rise that hit a stop of either side."""
    return waves(number) + {55: -12, 56: -12, 85: 14, 86: 14}.get(number % 110, 0)


@cache
def run(name: str, path: Callable[[int], float], ticker: str) -> tuple[dict[str, Any], ...]:
    """Return what TradingView would send while the script runs on bars along a path of prices."""
    closes = [round(path(number), 2) for number in range(200)]
    bars = [
        (before, round(max(before, close) + 0.4, 2), round(min(before, close) - 0.4, 2), close)
        for before, close in zip([100.0, *closes], closes, strict=False)
    ]
    order = {
        "script": str(EXAMPLES / "pine" / name),
        "ticker": ticker,
        "minutes": 60,
        "since": SINCE,
        "bars": bars,
    }
    command = [sys.executable, str(Path(__file__).parent / "pine_run.py")]
    done = subprocess.run(
        command, input=json.dumps(order), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return tuple(json.loads(done.stdout))


def fill_in(message: str, sent: dict[str, Any], ticker: str) -> str:
    """Write the message of an alert's box as TradingView does."""
    moment = datetime.fromtimestamp(sent["timenow"] / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    values = {**sent, "timenow": moment, "ticker": ticker, "interval": "60"}
    template = (EXAMPLES / message).read_text(encoding="utf-8")
    return re.sub(r"\{\{(.+?)\}\}", lambda found: str(values[found[1]]), template)


def trade(bench: DeskBench, sent: dict[str, Any], text: str) -> dict[str, Any]:
    """Send a text when it fired; whatever came of it, nothing of it was unreadable or doubtful."""
    bench.clock.now = sent["timenow"] + 200
    answer = bench.send_text(text)
    assert answer["http"] == 200, (text, answer)
    assert answer["success"], (text, answer)
    known = ("not registered", "on paper: only prices that alerts bring")
    assert [w for w in answer["warnings"] if not any(k in w for k in known)] == [], (text, answer)
    return answer


@pytest.mark.parametrize("path", [waves, shocks])
@pytest.mark.parametrize("name", ["bracket_v6.pine", "reversal_stop_v6.pine"])
def test_the_messages_that_a_script_writes_keep_the_position(
    name: str, path: Callable[[int], float], bench: DeskBench
) -> None:
    """After each order of TradingView's book the paper account holds what that book holds."""
    everything = run(name, path, "BTCUSDT.P")
    assert len(everything) > 3
    strategy = json.loads(everything[0]["text"])["strategy"]
    for sent in everything:
        trade(bench, sent, sent["text"])
        held = bench.held(strategy, "BTCUSDT.P")
        assert held == Decimal(sent["strategy.position_size"]), sent


def test_the_reversal_turns_around_and_its_stop_ends_it(bench: DeskBench) -> None:
    """The runs above hold what they are for: a long turned short, a short turned long, a stop of each."""
    everything = run("reversal_stop_v6.pine", shocks, "BTCUSDT.P")
    seen = {
        (
            each["strategy.order.id"],
            each["strategy.order.contracts"],
            each["strategy.position_size"],
        )
        for each in everything
    }
    assert {("Long", "2", "1"), ("Short", "2", "-1")} <= seen
    assert {("Long stop", "1", "0"), ("Short stop", "1", "0")} <= seen
    for sent in everything:
        answer = trade(bench, sent, sent["text"])
        if sent["strategy.order.id"].endswith("stop"):
            # Its own stop at the (paper) broker was there first, at the same level.
            assert answer["code"] == "NOTHING_TO_CLOSE"
        elif sent["strategy.order.contracts"] == "2":
            assert [order["status"] for order in answer["orders"]] == ["filled", "filled"]


@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize("name", ["ma_cross_v5.pine", "reversal_stop_v6.pine"])
def test_the_messages_for_the_box_keep_the_position(
    name: str, message: str, bench: DeskBench
) -> None:
    """With placeholders instead of the script's own text the position is TradingView's, too."""
    everything = run(name, waves, "BTCUSDT.P")
    assert len(everything) > 3
    for sent in everything:
        trade(bench, sent, fill_in(message, sent, "BTCUSDT.P"))
        held = bench.held("my-strategy", "BTCUSDT.P")
        assert held == Decimal(sent["strategy.position_size"]), sent


@pytest.mark.parametrize("ticker", ["BTCUSDT", "AAPL", "MES1!"])
def test_the_first_script_trades_on_any_chart(
    ticker: str, make_bench: Callable[..., DeskBench]
) -> None:
    """Whatever chart a newcomer opens, the shipped message and config.yaml trade it on paper."""
    # As shipped nothing is live; this bench has no venue to name.
    bench = make_bench(re.sub(r"\{broker: .*?\}", "{broker: paper}", read_shipped("config.yaml")))
    for sent in run("ma_cross_v5.pine", waves, ticker):
        answer = trade(bench, sent, fill_in("alert_strategy.json", sent, ticker))
        assert answer["orders"][0]["account"] == "paper_simulator"
        assert bench.held("my-strategy", ticker) == Decimal(sent["strategy.position_size"])


def test_the_indicator_buys_once_and_closes_once(bench: DeskBench) -> None:
    """`alert()` sends a buy and a close in turn, and each of them trades."""
    everything = run("alert_v6.pine", waves, "BTCUSDT")
    actions = [json.loads(sent["text"])["action"] for sent in everything]
    assert actions[:4] == ["buy", "close"] * 2
    for sent, action in zip(everything, actions, strict=True):
        answer = trade(bench, sent, sent["text"])
        assert answer["status"] == "filled"
        assert bench.held("my-rsi", "BTCUSDT") == (1 if action == "buy" else 0)


@pytest.mark.parametrize("name", ["bracket_v6.pine", "reversal_stop_v6.pine", "alert_v6.pine"])
def test_a_resend_is_recognised_and_the_next_alert_is_not_one(name: str, bench: DeskBench) -> None:
    """Each message carries its own key: sent twice it trades once, and no two messages share one."""
    everything = run(name, waves, "BTCUSDT.P")
    keys = [json.loads(sent["text"])["idempotency_key"] for sent in everything]
    assert len(set(keys)) == len(keys)
    trade(bench, everything[0], everything[0]["text"])
    assert bench.send_text(everything[0]["text"])["duplicate"]


def read(text: str) -> Alert:
    """Return the one alert of a message that must be readable without a remark."""
    (alert,) = parsers.parse(text.encode()).alerts
    assert isinstance(alert, Alert)
    assert (alert.warnings, alert.unsupported) == ((), ())
    return alert


def test_an_entry_carries_its_protection() -> None:
    """What the script writes for an entry is an alert with both levels, a time and a key."""
    sent = run("bracket_v6.pine", waves, "BTCUSDT.P")[0]
    alert, price = read(sent["text"]), Decimal(sent["strategy.order.price"])
    assert (alert.action, alert.symbol, alert.strategy) == ("buy", "BTCUSDT.P", "my-bracket")
    assert (alert.quantity, alert.price) == (Decimal(1), price)
    assert alert.stop_loss is not None
    assert alert.take_profit is not None
    assert (alert.stop_loss.price or 0) < price < (alert.take_profit.price or 0)
    assert (alert.market_position, alert.position_size) == ("long", Decimal(1))
    assert (alert.fired_at, alert.idempotency_key) == (sent["timenow"], f"{sent['timenow']}|Long|1")


def test_an_exit_closes_at_its_level_and_can_open_nothing() -> None:
    """An exit states flat, has a key of its own and claims no time of firing."""
    everything = run("bracket_v6.pine", shocks, "BTCUSDT.P")
    exits = [sent for sent in everything if sent["strategy.position_size"] == "0"]
    alerts = [read(sent["text"]) for sent in exits]
    assert {key.split("|")[1] for each in alerts if (key := each.idempotency_key)} == {
        "Stop",
        "Target",
    }
    for sent, alert in zip(exits, alerts, strict=True):
        assert (alert.action, alert.only_reduces) == ("close", True)
        assert alert.price is not None
        assert abs(alert.price - Decimal(sent["strategy.order.price"])) <= Decimal("0.01")
        assert (alert.quantity, alert.position_size, alert.fired_at) == (None, Decimal(0), None)
        assert (alert.stop_loss, alert.take_profit) == (None, None)


def test_every_script_is_run_here() -> None:
    """A script that is added to the examples is run, too."""
    text = Path(__file__).read_text(encoding="utf-8")
    for script in (EXAMPLES / "pine").glob("*.pine"):
        assert f'"{script.name}"' in text, script.name
