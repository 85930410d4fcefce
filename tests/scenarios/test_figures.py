"""Figures of closed trades, from the alerts that made them to the pages that show them."""

from __future__ import annotations

import csv
import io
import random
import sqlite3
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from desk.api.accounts import show_accounts
from desk.api.pages import show_strategies
from desk.api.performance import show_performance, write_csv, write_report
from desk.api.requests import HttpRefusal
from tests.support.fakes import START, DeskBench

FREE = """
default_account: sim
accounts:
  sim: {broker: paper, market: linear, fee_bp: 0, cash: 100000}
  day: {broker: paper, market: linear, fee_bp: 10, day: "17:00 America/Chicago"}
"""


@pytest.fixture
def bench(tmp_path):
    """Return a desk with a simulator that costs nothing."""
    return DeskBench(tmp_path, FREE)


def trade(bench: DeskBench, result: int, **more: object) -> None:
    """Buy one at 1000 and sell it so that it brings a result; the prices are near enough to be believed."""
    alert = {"symbol": "BTCUSDT", "quantity": 1, **more}
    bench.send(action="buy", price=1000, **alert)
    alert.pop("comment", None)
    bench.send(action="close", price=1000 + result, **alert)
    bench.tick(30)


def figures(bench: DeskBench, name: str) -> dict:
    """Return a strategy's row."""
    return next(row for row in show_strategies(bench.desk) if row["name"] == name)


def performance(bench: DeskBench, **query: str) -> dict:
    """Return what /performance shows."""
    with bench.store.reader() as reader:
        return show_performance(
            reader, bench.settings, {n.rstrip("_"): v for n, v in query.items()}
        )


def table(bench: DeskBench, **query: str) -> list[dict[str, str]]:
    """Return the CSV as rows."""
    with bench.store.reader() as reader:
        text = write_csv(reader, bench.settings, query)
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_strategy_shows_what_its_trades_brought(bench):
    """Paper and live apart; what cannot be said is null."""
    for result in (30, -20, 10):
        trade(bench, result)
    row = figures(bench, "default")
    assert row["mode"] == "paper"
    assert row["reason"]
    assert row["live"]["trades"] == 0
    assert row["live"]["win_rate"] is None
    paper = row["paper"]
    assert (paper["trades"], paper["wins"], paper["losses"]) == (3, 2, 1)
    assert (paper["net_pnl"], paper["profit_factor"], paper["max_drawdown"]) == ("20", "2", "20")
    assert (paper["average_win"], paper["average_loss"], paper["consecutive_losses"]) == (
        "20",
        "-20",
        0,
    )
    assert paper["currency"] == "USD"
    assert paper["last_trade_at"]


def test_figures_survive_a_kill_and_are_not_counted_twice(bench):
    """Nor does a start add anything up again."""
    trade(bench, 30)
    bench.restart()
    trade(bench, -10)
    bench.restart()
    paper = figures(bench, "default")["paper"]
    assert (paper["trades"], paper["net_pnl"], paper["max_drawdown"]) == (2, "20", "10")


def test_what_is_only_asked_for_counts_nowhere(bench):
    """`/webhook/validate` closes nothing."""
    bench.send(action="buy", symbol="BTCUSDT", quantity=1, price=1000)
    bench.send_text('{"action":"close","symbol":"BTCUSDT","price":1100}', dry=True)
    assert figures(bench, "default")["paper"]["trades"] == 0


def test_fees_are_part_of_the_result(bench):
    """Net is after them, and they are told beside it: 10 bp of 1,000 and of 1,100."""
    trade(bench, 100, account="day")
    paper = figures(bench, "default")["paper"]
    assert (paper["net_pnl"], paper["fees"]) == ("97.9", "2.1")


def test_yen_are_converted_by_each_fill(tmp_path):
    """An account in dollars that trades USDJPY: bought at 100, sold at 125, is 2,500 yen at 125."""
    bench = DeskBench(tmp_path, "accounts: {paper_simulator: {broker: paper, fee_bp: 0}}")
    bench.send(action="buy", symbol="USDJPY", quantity=100, price=100)
    bench.send(action="close", symbol="USDJPY", price=125)
    [row] = performance(bench)["paper"]["trades"]
    assert (row["realized_pnl"], row["net_pnl"], row["currency"]) == ("2500", "20", "USD")
    assert figures(bench, "default")["paper"]["net_pnl"] == "20"


def test_the_curve_is_the_running_sum_of_the_trades(bench):
    """By trade and by day, the oldest first; each trade with the comment of the alert that opened it."""
    trade(bench, 30, comment="first")
    bench.tick(86_400)
    trade(bench, -20)
    trade(bench, 5)
    part = performance(bench)["paper"]
    assert [point["equity"] for point in part["equity_curve"]] == ["30", "10", "15"]
    assert [row["comment"] for row in part["trades"]] == ["first", None, None]
    days = performance(bench, by="day")["paper"]["equity_curve"]
    assert [(each["trades"], each["net_pnl"], each["equity"]) for each in days] == [
        (1, "30", "30"),
        (2, "-15", "15"),
    ]


def test_a_selection_by_name_symbol_and_day(bench):
    """Both days are inclusive; a time bounds to the moment."""
    trade(bench, 30, strategy="one")
    bench.tick(86_400)
    trade(bench, -20, strategy="two", symbol="ETHUSDT")
    days = [
        datetime.fromtimestamp((START + n * 86_400_000) / 1000, UTC).date().isoformat()
        for n in (0, 1)
    ]
    for query, expected in (
        ({"strategy": "one"}, ["30"]),
        ({"symbol": "ethusdt"}, ["-20"]),
        ({"account": "day"}, []),
        ({"from_": days[1]}, ["-20"]),
        ({"to": days[0]}, ["30"]),
        ({"from_": days[0], "to": days[1]}, ["30", "-20"]),
        ({"to": f"{days[1]}T00:00:00Z"}, ["30"]),
    ):
        found = performance(bench, **query)["paper"]["trades"]
        assert [row["net_pnl"] for row in found] == expected, query
    for query in ({"from_": "yesterday"}, {"by": "week"}, {"to": "0001-01-01"}):
        with pytest.raises(HttpRefusal):
            performance(bench, **query)


def test_a_trade_belongs_to_the_accounts_day_in_which_it_closed(bench):
    """04:40 UTC is still the day that began at 17:00 in Chicago the evening before."""
    trade(bench, 30)
    trade(bench, 30, account="day", strategy="far")
    [here] = performance(bench, strategy="default", by="day")["paper"]["equity_curve"]
    [there] = performance(bench, strategy="far", by="day")["paper"]["equity_curve"]
    assert (here["day"], there["day"]) == ("2025-11-21", "2025-11-20")


@pytest.mark.parametrize(
    "comment", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1+1", "=cmd|' /C calc'!A0"]
)
def test_a_comment_cannot_become_a_formula(bench, comment):
    """It stays readable behind a quote; numbers below zero stay numbers."""
    trade(bench, -20, comment=comment)
    [row] = table(bench)
    assert row["comment"] == f"'{comment}" or not comment[0].isprintable()
    assert not row["comment"].startswith(("=", "+", "-", "@", "\t"))
    assert (row["net_pnl"], row["paper"]) == ("-20", "true")


def test_days_in_a_spreadsheet(bench):
    """A row a day and mode."""
    trade(bench, -20)
    [row] = table(bench, by="day")
    assert row == {
        "day": "2025-11-21",
        "paper": "true",
        "trades": "1",
        "net_pnl": "-20",
        "equity": "-20",
    }


def test_an_older_state_is_counted_once(bench):
    """At the first start after an upgrade; the trades say then what they brought."""
    trade(bench, 30)
    trade(bench, -20)
    path = bench.settings.state_path
    bench.store.close()
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE figures")
        db.execute(
            "UPDATE trades SET data = json_remove(data, '$.net_pnl', '$.currency', '$.fees')"
        )
        db.execute("UPDATE meta SET value = '4' WHERE name = 'version'")
    db.close()
    bench.open()
    bench.restart()
    paper = figures(bench, "default")["paper"]
    assert (paper["trades"], paper["net_pnl"], paper["max_drawdown"]) == (2, "10", "20")
    assert [row["net_pnl"] for row in performance(bench)["paper"]["trades"]] == ["30", "-20"]


def test_random_trades_agree_with_a_naive_count(bench):
    """Of several strategies, accounts and symbols, with restarts in between."""
    lots = random.Random(13)
    kept: dict[str, list[int]] = {}
    for number in range(60):
        name, result = lots.choice(["a", "b", "c"]), lots.randint(-300, 300)
        trade(bench, result, strategy=name, symbol=lots.choice(["BTCUSDT", "ETHUSDT"]))
        kept.setdefault(name, []).append(result)
        if number % 20 == 7:
            bench.restart()
    for name, results in kept.items():
        paper = figures(bench, name)["paper"]
        running = [sum(results[:n]) for n in range(len(results) + 1)]
        falls = [max(running[: n + 1]) - each for n, each in enumerate(running)]
        assert paper["trades"] == len(results)
        assert Decimal(paper["net_pnl"]) == running[-1]
        assert Decimal(paper["max_drawdown"]) == max(falls)
        assert paper["wins"] == sum(each > 0 for each in results)


def test_the_report_has_a_line_a_strategy(bench):
    """Today, this week and all: the day before is another day of the same week."""
    trade(bench, 700, strategy="trend", quantity=2)
    bench.tick(86_400)
    trade(bench, -20, strategy="trend")
    with bench.store.reader() as reader:
        days = list(reader.load_days("2025-11-10"))
    head, line = write_report(days, bench.settings, bench.clock())
    assert head.split()[:2] == ["strategy", "mode"]
    assert line.split() == [
        *("trend", "paper", "1", "-20.00", "2", "1,380.00", "2", "1,380.00", "USD"),
    ]


def test_an_account_shows_its_equity_and_open_profit(bench):
    """Cash, what is held at the last price, and what that would bring."""
    bench.send(action="buy", symbol="BTCUSDT", quantity=2, price=1000)
    bench.send(action="buy", symbol="BTCUSDT", quantity=1, price=1100, strategy="other")
    [row] = [
        each
        for each in show_accounts(bench.settings, bench.desk.state.shown)
        if each["account"] == "sim"
    ]
    assert (row["equity"], row["open_pnl"]) == ("100200", "200")


def test_equity_of_spot_is_cash_and_coins(tmp_path):
    """What was bought is worth what it costs now."""
    bench = DeskBench(tmp_path, "accounts: {paper_simulator: {broker: paper, fee_bp: 0}}")
    bench.send(action="buy", symbol="BTCUSDT", quantity=2, price=1000)
    bench.send(action="sell", symbol="BTCUSDT", quantity=1, price=1100)
    [row] = show_accounts(bench.settings, bench.desk.state.shown)
    assert (row["paper_cash"], row["equity"], row["open_pnl"]) == ("99100", "100200", "100")
