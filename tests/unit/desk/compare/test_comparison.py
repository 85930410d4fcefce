"""Tests that every planted difference between TradingView's records and ours is found, and none invented."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from desk.api.comparison import compare_with, describe_comparison
from desk.compare.comparison import ZoneNeeded
from desk.compare.list_of_trades import TradeOrder
from desk.compare.own import Understood
from desk.compare.pairing import Firing, PairedOrder, pair_orders
from parsers import mask_flat, parse
from tests.support.exports import (
    DELIVERED,
    TIMED_OUT,
    Fired,
    Lot,
    compare_files,
    kinds_of,
    order,
    receive,
    receive_all,
    verdicts_of,
    write_list,
    write_log,
)
from tests.support.fakes import DeskBench

D = Decimal
CONFIG = """
webhook: {rate_limit: 1000/minute}
accounts: {paper_simulator: {broker: paper, cash: 100000000}}
strategies: {heron: {}}
"""
FIRED = [
    Fired("2026-09-14T01:15:00Z", order("buy", "10", "143.2", order_id="L")),
    Fired("2026-09-14T06:00:00Z", order("sell", "6", "146.5", order_id="TP")),
    Fired("2026-09-14T09:45:02Z", order("sell", "16", "145.1", order_id="S")),
    Fired("2026-09-14T11:20:37Z", order("buy", "12", "143.9", order_id="S TP")),
]
LOTS = [
    Lot("1", "Exit long", "2026-09-14 14:00", "TP", "146.5", "6", "19"),
    Lot("1", "Entry long", "2026-09-14 09:15", "L", "143.2", "6", "19"),
    Lot("2", "Exit long", "2026-09-14 17:45", "S", "145.1", "4", "34"),
    Lot("2", "Entry long", "2026-09-14 09:15", "L", "143.2", "4", "34"),
    Lot("3", "Exit short", "2026-09-14 19:15", "S TP", "143.9", "12", "6"),
    Lot("3", "Entry short", "2026-09-14 17:45", "S", "145.1", "12", "6"),
]


@pytest.fixture
def bench(tmp_path: Path) -> DeskBench:
    """Give a desk on paper."""
    return DeskBench(tmp_path, CONFIG)


def test_records_that_agree_show_no_difference(bench):
    """The log, the list, both; the zone is taken from the alerts."""
    receive_all(bench, FIRED)
    log, trades = ("log.csv", write_log(FIRED)), ("list.csv", write_list(LOTS))
    for files in ([log], [trades], [log, trades], [trades, log]):
        shape = compare_files(bench, *files)
        assert shape["differences"] == []
        assert shape["causes"] == ["TradingView's records and ours agree."]
    assert shape["files"][0] == {
        "file": "list.csv",
        "kind": "list_of_trades",
        "rows": 6,
        "zone": "Asia/Singapore",
        "zone_source": "alerts",
    }
    assert verdicts_of(shape) == ["traded"] * 4
    reversal = shape["orders"][2]
    assert (reversal["quantity"], reversal["our_quantity"], reversal["log_line"]) == ("16", "16", 3)
    assert reversal["time"] == "2026-09-14T09:45:00.000Z"
    assert shape["totals"] == [
        {
            "strategy": "heron",
            **dict.fromkeys(("refused", "duplicate", "never_arrived", "late", "missed"), 0),
            "traded": 4,
            "slippage": "0",
            "fees": shape["totals"][0]["fees"],
        }
    ]


def test_an_alert_that_could_not_be_delivered_is_found_and_so_is_the_trade_it_cost(bench):
    """With TradingView's own words; a row that timed out and had traded is no difference."""
    fired = [FIRED[0]._replace(status=TIMED_OUT), *FIRED[1:3], FIRED[3]._replace(status=TIMED_OUT)]
    receive_all(bench, fired[:3])
    receive(bench, order("buy", "1", "5", symbol="ADAUSDT.P"), "2026-09-14T12:00:00Z")
    shape = compare_files(bench, ("log.csv", write_log(fired)), ("list.csv", write_list(LOTS)))
    assert kinds_of(shape) == ["missed", "never_arrived"]
    missing = shape["differences"][0]
    assert (missing["line"], missing["alert_id"]) == (2, None)
    assert "request took too long and timed out" in missing["text"]
    assert shape["totals"][0]["never_arrived"] == shape["totals"][0]["missed"] == 1
    assert "is the receiver running" in shape["causes"][0]


def test_what_we_refused_names_our_reason(bench):
    """By our code, whatever TradingView says of the webhook."""
    first = receive(bench, order("buy", "10", "143.2", trailing="5"), "2026-09-14T01:15:00Z")
    assert first["status"] == "denied"
    fired = [Fired("2026-09-14T01:15:00Z", order("buy", "10", "143.2", trailing="5"))]
    shape = compare_files(bench, ("log.csv", write_log(fired)))
    (row,) = shape["alerts"]
    assert (row["verdict"], row["code"]) == ("refused", "UNSUPPORTED")
    assert row["alert_id"] == first["alert_id"]
    assert kinds_of(shape) == ["refused"]


def test_what_never_became_an_alert_is_refused_by_its_answer(bench):
    """401 and 400 left no record; 500 is another's error, and no word is `unknown`."""
    receive(bench, FIRED[0].text, "2026-09-13T00:00:00Z")
    words = {
        "Webhook delivery failed — 401 Unauthorized": "refused",
        "Webhook delivery failed — 500 Internal Server Error": "never_arrived",
        DELIVERED: "elsewhere",
        "": "no_webhook",
        "Zugestellt": "unknown",
    }
    fired = [Fired(f"2026-09-14T0{n}:00:00Z", f"text {n}", w) for n, w in enumerate(words)]
    shape = compare_files(bench, ("log.csv", write_log(fired)))
    assert list(reversed(verdicts_of(shape))) == list(words.values())
    assert kinds_of(shape) == ["never_arrived", "refused"]
    shape = compare_files(bench, ("log.csv", write_log(fired, has_status=False)))
    assert set(verdicts_of(shape)) == {"unknown"}
    before = [each._replace(at=each.at.replace("-14", "-12")) for each in fired]
    assert set(verdicts_of(compare_files(bench, ("log.csv", write_log(before))))) == {"unknown"}


def test_late_twice_and_not_in_the_log(bench):
    """From ten seconds on; a further delivery that was counted; one that somebody else sent."""
    receive(bench, FIRED[0].text, FIRED[0].at, after_ms=10_000)
    receive(bench, FIRED[1].text, FIRED[1].at)
    assert receive(bench, FIRED[1].text, FIRED[1].at, after_ms=3_000)["duplicate"]
    receive(bench, order("buy", "1", "144"), "2026-09-14T07:00:00Z")
    receive(bench, FIRED[2].text, FIRED[2].at)
    fired = [*FIRED[:3], FIRED[1]._replace(at="2026-09-14T06:00:02Z")]
    shape = compare_files(bench, ("log.csv", write_log(fired)))
    assert kinds_of(shape) == ["duplicate", "late", "not_in_log"]
    assert sorted(verdicts_of(shape)) == ["duplicate", "traded", "traded", "traded"]
    once = compare_files(bench, ("log.csv", write_log(FIRED[:3])))
    assert kinds_of(once) == ["late", "not_in_log"]  # a resend with one row is no difference


def test_of_equal_texts_the_delivered_row_is_the_one_that_traded(bench):
    """Two firings in one second, of which one arrived."""
    receive(bench, FIRED[0].text, FIRED[0].at)
    fired = [FIRED[0]._replace(status=TIMED_OUT), FIRED[0]]
    shape = compare_files(bench, ("log.csv", write_log(fired)))
    assert verdicts_of(shape) == ["never_arrived", "traded"]


@pytest.mark.parametrize("status", [TIMED_OUT, DELIVERED, None])
def test_a_lost_alert_does_not_take_the_delivery_of_the_next_equal_one(bench, status):
    """Else the next one seems lost, and a late one is invented."""
    text = order("buy", "1", "143.2")
    times = ("2026-09-14T03:00:00Z", "2026-09-14T03:01:00Z", "2026-09-14T03:02:00Z")
    fired = [Fired(at, text, status=status or DELIVERED) for at in times]
    receive(bench, text, times[0])
    receive(bench, text, times[2])
    shape = compare_files(bench, ("log.csv", write_log(fired, has_status=status is not None)))
    assert "late" not in kinds_of(shape)
    first, lost, last = verdicts_of(shape)
    assert (first, last) == ("traded", "traded")
    assert lost in ("never_arrived", "elsewhere", "unknown")


def test_what_a_file_says_steers_no_terminal(bench):
    """A cell may hold anything: it is shown escaped."""
    receive(bench, order("buy", "1", "143.2"), "2026-09-14T02:50:00Z")
    fired = [Fired("2026-09-14T03:00:00Z", "buy", ticker="A\x1b[2J, 15", status=TIMED_OUT)]
    with bench.store.reader() as reader:
        found = compare_with(
            reader, [("log.csv", write_log(fired))], None, parse, mask_flat, 60_000
        )
    lines = list(describe_comparison(found))
    assert any("\\x1b[2J" in line for line in lines)
    assert all(line.isprintable() for line in lines)


def test_another_price_another_size_and_what_tradingview_does_not_know(bench):
    """Against us is positive; ticks and money; the point value counts."""
    fired = [
        Fired(
            "2026-09-15T13:40:01Z", order("buy", "2", "6512.25", symbol="MES1!", order_id="Long")
        ),
        Fired(
            "2026-09-15T14:15:00Z", order("sell", "2", "6518.5", symbol="MES1!", order_id="L TP")
        ),
        Fired("2026-09-15T14:40:00Z", order("buy", "3", "6510", symbol="MES1!", order_id="again")),
        Fired("2026-09-15T15:05:00Z", order("sell", "3", "6511", symbol="MES1!", order_id="out")),
    ]
    lots = [
        Lot("1", "Entry long", "2026-09-15 08:35", "Long", "6512.25", "1", "8"),
        Lot("1", "Exit long", "2026-09-15 09:15", "L TP", "6518.5", "2", "8"),
        Lot("2", "Entry long", "2026-09-15 09:55", "out", "6511", "3", "1"),
    ]
    lots[2] = lots[2]._replace(kind="Entry short", at="2026-09-15 10:05")
    receive_all(bench, fired)
    shape = compare_files(bench, ("list.csv", write_list(lots)), zone="America/Chicago")
    assert kinds_of(shape) == ["price", "price", "price", "quantity", "unknown_to_tradingview"]
    first = shape["orders"][0]
    assert first["slippage"] == {"ticks": "1", "money": "2.5"}
    assert (first["our_price"], first["our_quantity"]) == ("6512.5", "2")


def test_price_and_signal_decide_and_not_the_nearest_moment(bench):
    """`process_orders_on_close`: the alert of 14:15 belongs to the bar of 09:10, not to that of 09:15."""
    fired = [
        Fired("2026-09-15T13:40:01Z", order("buy", "2", "6512.25", order_id="Long")),
        Fired("2026-09-15T14:15:00Z", order("sell", "2", "6518.5", order_id="L TP")),
        Fired("2026-09-15T14:20:01Z", order("sell", "2", "6517.75", order_id="Short")),
        Fired("2026-09-15T15:05:00Z", order("buy", "2", "6510.75", order_id="S TP")),
    ]
    lots = [
        Lot("1", "Exit long", "2026-09-15 09:10", "L TP", "6518.5", "2", "7"),
        Lot("1", "Entry long", "2026-09-15 08:35", "Long", "6512.25", "2", "7"),
        Lot("2", "Exit short", "2026-09-15 10:00", "S TP", "6510.75", "2", "9"),
        Lot("2", "Entry short", "2026-09-15 09:15", "Short", "6517.75", "2", "9"),
    ]
    receive_all(bench, fired)
    shape = compare_files(bench, ("log.csv", write_log(fired)), ("list.csv", write_list(lots)))
    assert shape["differences"] == []
    assert [each["log_line"] for each in shape["orders"]] == [5, 4, 3, 2]
    assert shape["files"][1]["zone"] == "America/Chicago"


def test_trades_from_before_there_was_an_alert_are_not_missed(bench):
    """A list holds the whole backtest."""
    receive_all(bench, FIRED)
    old = [
        Lot("0", "Entry long", "2025-01-02 09:15", "L", "90", "6", "19"),
        Lot("0", "Exit long", "2025-01-02 14:00", "TP", "91", "6", "19"),
    ]
    shape = compare_files(bench, ("list.csv", write_list([*old, *LOTS])))
    assert shape["differences"] == []
    assert shape["orders"][0]["alert_id"] is None


def test_a_zone_that_nothing_shows_is_asked_for(bench):
    """One alert is not enough; a name that is no zone is said to be none."""
    receive_all(bench, FIRED[:1])
    with pytest.raises(ZoneNeeded, match="wall clock"):
        compare_files(bench, ("list.csv", write_list(LOTS)))
    with pytest.raises(ZoneNeeded, match="no time zone"):
        compare_files(bench, ("list.csv", write_list(LOTS)), zone="Chicago")
    shape = compare_files(bench, ("list.csv", write_list(LOTS)), zone="Asia/Singapore")
    assert kinds_of(shape) == ["missed"] * 3


def test_an_hour_that_comes_twice_is_settled_by_an_alert_or_left_open(bench):
    """The clock was set back at 02:00 on 2026-11-01: 01:30 is 05:30 or 06:30 UTC."""
    fired = [
        Fired("2026-11-01T03:00:00Z", order("buy", "1", "100", order_id="L")),
        Fired("2026-11-01T06:30:01Z", order("sell", "1", "101", order_id="X")),
    ]
    lots = [
        Lot("1", "Entry long", "2026-10-31 23:00", "L", "100", "1", "18"),
        Lot("1", "Exit long", "2026-11-01 01:30", "X", "101", "1", "18"),
        Lot("2", "Entry long", "2026-11-01 01:45", "L", "102", "1", "1"),
    ]
    receive_all(bench, fired)
    shape = compare_files(bench, ("list.csv", write_list(lots)), zone="America/New_York")
    assert [each["time"] for each in shape["orders"]] == [
        "2026-11-01T03:00:00.000Z",
        "2026-11-01T06:30:00.000Z",
        None,
    ]
    assert any("comes twice" in text for text in shape["warnings"])
    assert shape["differences"] == []


def test_what_tradingview_no_longer_keeps_is_no_difference(bench):
    """A busy alert keeps its latest hundred rows; a rare one reaches back for weeks."""
    bench.clock.now = 0
    start = datetime(2026, 9, 1, tzinfo=UTC)
    rare = [
        Fired(
            f"2026-09-0{day}T00:00:30Z", order("buy", f"{day}", "100", strategy="rare"), alert="77"
        )
        for day in (1, 2, 3)
    ]
    busy = [
        Fired(
            (start + timedelta(minutes=40 * n)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            order(("buy", "sell")[n % 2], "1", "100", n=str(n)),
        )
        for n in range(220)
    ]
    receive_all(bench, [*rare, *busy])
    shape = compare_files(bench, ("log.csv", write_log([*rare, *busy[-175:]])))
    assert shape["differences"] == []
    assert any("latest rows" in text for text in shape["warnings"])
    missing = [*busy[-175:-60], *busy[-59:]]
    assert kinds_of(compare_files(bench, ("log.csv", write_log([*rare, *missing])))) == [
        "not_in_log"
    ]


def test_secrets_are_masked_before_texts_are_compared_and_shown_nowhere(bench):
    """Whatever the text: flat, nested, not JSON."""
    texts = [
        order("buy", "1", "100", secret="s3cr3t-very-long"),
        '{"order":{"action":"sell","ticker":"SOLUSDT.P","qty":"1","price":"100"},"auth":{"token":"s3cr3t-very-long"}}',
        "key=s3cr3t-very-long; BUY SOLUSDT.P qty=1 price=100",
    ]
    fired = [Fired(f"2026-09-14T0{n}:00:00Z", text) for n, text in enumerate(texts)]
    receive_all(bench, fired)
    shape = compare_files(bench, ("log.csv", write_log(fired)))
    assert all(each["alert_id"] for each in shape["alerts"])
    assert "s3cr3t" not in str(shape)


PLANTS = ("none", "never_arrived", "late", "refused", "duplicate", "not_in_log")


@pytest.mark.parametrize("seed", range(12))
def test_a_log_of_many_alerts_shows_what_was_planted_and_nothing_else(bench, seed):
    """Random alerts, of which a few are lost, late, refused, doubled, or sent by somebody else."""
    rng = random.Random(seed)
    at = datetime(2026, 9, 14, tzinfo=UTC)
    logged: list[Fired] = []
    planted: list[str] = []
    receive(bench, order("cancel", "1", "100", n="first"), "2026-09-13T23:59:00Z")
    for number in range(120):
        at += timedelta(seconds=rng.choice((1, 60, 900, 3600)))
        when = at.strftime("%Y-%m-%dT%H:%M:%SZ")
        plant = rng.choices(PLANTS, (30, 1, 1, 1, 1, 1))[0]
        action = "wait" if plant == "refused" else rng.choice(("buy", "sell"))
        text = order(action, "1", "100", n=str(number))
        inside = 0 < number < 119  # what is at an end of the log says nothing
        if plant == "not_in_log" and not inside:
            plant = "none"
        if plant != "not_in_log":
            status = TIMED_OUT if plant == "never_arrived" else DELIVERED
            logged.append(Fired(when, text, status))
        if plant == "duplicate":
            logged.append(Fired(when, text))
        if plant != "never_arrived":
            receive(bench, text, when, after_ms=12_000 if plant == "late" else 400)
        if plant == "duplicate":
            receive(bench, text, when, after_ms=600)
        if plant != "none":
            planted.append(plant)
    rng.shuffle(logged)
    shape = compare_files(bench, ("log.csv", write_log(logged)))
    assert kinds_of(shape) == sorted(planted)


def test_a_day_of_thousands_of_orders_is_paired_by_price() -> None:
    """A list of dates alone: each order still finds its alert, and not each is held against each."""
    day, count = datetime(2026, 9, 14), 3_000  # noqa: DTZ001 - a wall clock
    firings = [
        Firing(
            1_789_344_000_000 + number * 20_000,
            Understood("buy", D(1), D(100) + D(number) / 100, (), "heron", "SOLUSDT.P"),
            group=("heron", "SOLUSDT.P"),
        )
        for number in range(count)
    ]
    orders = [
        PairedOrder(
            TradeOrder(
                "l.csv", [n + 2], [str(n)], "", "buy", D(1), D(100) + D(n) / 100, "x", day, True
            ),
            [1_789_344_000_000],
        )
        for n in range(count)
    ]
    pair_orders(orders, firings, 86_400_000, D("0.01"))
    assert [each.firing for each in orders] == firings
