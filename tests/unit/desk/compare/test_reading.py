"""Tests that exports of every generation are read, and that what cannot be read is refused with its place."""

from __future__ import annotations

import io
import zipfile
from decimal import Decimal

import pytest

from desk.compare.alert_log import is_alert_log, read_alert_log
from desk.compare.list_of_trades import TradeList, is_trade_list, read_trade_list
from desk.compare.report import _write_cell, open_report
from desk.compare.tables import FileUnreadable, open_table
from tests.support.exports import HEADERS, Fired, Lot, order, write_list, write_log

D = Decimal


def read_list(data: bytes) -> TradeList:
    """Return the orders of a list."""
    table = open_table("list.csv", data)
    assert is_trade_list(table.header)
    return read_trade_list(table)


def say(trades: TradeList) -> list[tuple[str, str | None, str, str, list[str]]]:
    """Return side, quantity, price, time and trades of each order."""
    return [
        (
            o.side,
            None if o.quantity is None else str(o.quantity),
            str(o.price),
            o.local.isoformat(),
            o.trades,
        )
        for o in trades.orders
    ]


# --- the alert log -----------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\r\n", "\n"])
@pytest.mark.parametrize("has_status", [True, False])
def test_a_log_is_read_with_line_breaks_and_quotes_inside_its_cells(end, has_status):
    """A record's line is the one on which it begins."""
    fired = [
        Fired(
            "2026-09-14T03:00:00Z", '{\n "action": "buy",\n\n "qty": "1,5"\n}', name='Plover "v2"'
        ),
        Fired("2026-09-14T02:00:00.000Z", '=cmd, and a lone " quote', name="Otter; fast; 1m"),
        Fired("2026-09-14T01:00:00Z", "plain", ticker="BATS:SPY, 1D", alert="198822340"),
    ]
    table = open_table("log.csv", write_log(fired, has_status=has_status, end=end))
    assert is_alert_log(table.header)
    rows = read_alert_log(table)
    assert [row.line for row in rows] == [2, 7, 8]
    assert [row.text for row in rows] == [each.text for each in fired]
    assert [row.bar_ms for row in rows] == [900_000, 900_000, 86_400_000]
    assert [row.delivered for row in rows] == [True if has_status else None] * 3
    assert rows[2].symbol == "SPY"


STATUSES = {
    "Webhook successfully delivered": (True, ""),
    "Webhook delivery failed — 422 Unprocessable Content": (False, "422 Unprocessable Content"),
    "Webhook delivery failed — this URL isn't allowed": (False, "this URL isn't allowed"),
    "Webhook übermittelt": (None, ""),
    "": (None, ""),
}


@pytest.mark.parametrize("status", STATUSES)
def test_only_words_that_are_known_say_whether_an_alert_was_delivered(status):
    """Any other text is kept word for word and means nothing."""
    (row,) = read_alert_log(
        open_table("log.csv", write_log([Fired("2026-09-14T01:00:00Z", "x", status)]))
    )
    assert (row.delivered, row.reason) == STATUSES[status]
    assert row.status == status


GOOD_ROW = '4400000001,"BATS:SPY, 1D",x,hello,2026-09-14T01:00:00Z,'
BROKEN_LOGS = [
    (GOOD_ROW.replace("4400000001", "4.4E+09"), 2, "Alert ID"),
    (GOOD_ROW.replace("2026-09-14T01:00:00Z", "14.09.2026 01:00"), 2, "Time"),
    (GOOD_ROW.replace("2026-09-14", "2026-02-30"), 2, "Time"),
    (GOOD_ROW + ",more", 2, 7),
    (GOOD_ROW.replace(",hello", ""), 2, 6),
    (GOOD_ROW.replace("hello", '"hello'), 2, 4),
    (GOOD_ROW.replace("hello", '"hel"lo'), 2, 4),
    (GOOD_ROW + "\n" + GOOD_ROW + "\n" + GOOD_ROW.replace("hello", '"hel"lo'), 4, 4),
]


@pytest.mark.parametrize(("text", "line", "column"), BROKEN_LOGS)
def test_a_log_that_cannot_be_read_fully_is_refused_with_line_and_column(text, line, column):
    """What a cell holds is not repeated: a cell may hold a secret."""
    header = "Alert ID,Ticker,Name,Description,Time,Webhook status\n"
    with pytest.raises(FileUnreadable) as refused:
        read_alert_log(open_table("log.csv", (header + text).encode()))
    assert (refused.value.file, refused.value.line, refused.value.column) == (
        "log.csv",
        line,
        column,
    )
    assert "hello" not in str(refused.value)


def test_bytes_that_are_no_text_are_refused_with_their_line():
    """UTF-16, a table of zeros, a byte in the middle."""
    for data, line in ((b"\xff\xfeA\0", 1), (b"\0" * 20, 1), (b"Alert ID\nabc\xff\n", 2), (b"", 1)):
        with pytest.raises(FileUnreadable) as refused:
            list(open_table("log.csv", data).rows)
        assert refused.value.line == line


# --- the list of trades --------------------------------------------------------------------------------

TRADES = [
    Lot("1", "Exit long", "2026-09-14 14:00", "TP", "146.5", "6", "19"),
    Lot("1", "Entry long", "2026-09-14 09:15", "L", "143.2", "6", "19"),
    Lot("2", "Exit long", "2026-09-14 17:45", "S", "145.1", "4", "34"),
    Lot("2", "Entry long", "2026-09-14 09:15", "L", "143.2", "4", "34"),
    Lot("3", "Exit short", "2026-09-14 19:15", "S TP", "143.9", "12", "6"),
    Lot("3", "Entry short", "2026-09-14 17:45", "S", "145.1", "12", "6"),
]
ORDERS = [
    ("buy", "10", "143.2", "2026-09-14T09:15:00", ["1", "2"]),
    ("sell", "6", "146.5", "2026-09-14T14:00:00", ["1"]),
    ("sell", "16", "145.1", "2026-09-14T17:45:00", ["2", "3"]),
    ("buy", "12", "143.9", "2026-09-14T19:15:00", ["3"]),
]


@pytest.mark.parametrize("generation", HEADERS)
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_lots_of_every_generation_are_folded_into_the_orders_they_were(generation, turned, end):
    """Whatever the order of the rows: a partial exit, a pyramid, a reversal are one order each."""
    lots = TRADES[::-1] if turned else TRADES
    trades = read_list(write_list(lots, generation, end))
    assert [(*each[:4], sorted(each[4])) for each in say(trades)] == ORDERS
    assert trades.rows == 6


def test_the_list_shows_how_long_a_bar_is():
    """By what it says a trade lasted, else by the step in which its bars lie, at most a day."""
    assert read_list(write_list(TRADES)).bar_ms == 900_000
    assert read_list(write_list(TRADES, 2026)).bar_ms == 900_000
    daily = [each._replace(at=each.at[:10]) for each in TRADES]
    assert read_list(write_list(daily, 2026)).bar_ms == 86_400_000


def test_the_exit_of_a_trade_that_is_open_is_no_order():
    """Since 2026 it has a date and a price that look real; before, its entry had no size either."""
    new = [TRADES[1], Lot("1", "Exit long", "2026-09-15 00:00", "Open", "150", "6")]
    assert say(read_list(write_list(new))) == [("buy", "6", "143.2", "2026-09-14T09:15:00", ["1"])]
    old = [TRADES[1]._replace(quantity=""), Lot("1", "Exit long", "", "Open", "", "")]
    assert say(read_list(write_list(old, 2021)))[0][1] is None


def test_other_languages_and_saved_again_by_a_spreadsheet():
    """The German words; semicolons, decimal commas and a typographic minus."""
    german = (
        "Trade #,Typ,Datum und Uhrzeit,Signal,Preis USD,Größe (Menge),a,b,c,d,e,f,g,h\n"
        "1,Short-Einstieg,2026-05-05 14:33,S,19505.75,25,1,1,1,1,1,1,1,1\n"
        "1,Short-Ausstieg,2026-05-05 14:40,Offen,19505.75,25,1,1,1,1,1,1,1,1\n"
    )
    assert say(read_list(german.encode())) == [
        ("sell", "25", "19505.75", "2026-05-05T14:33:00", ["1"])
    ]
    again = write_list(TRADES[:2], 2026).decode().replace(",", ";").replace(";0", ";\u22121,25")
    again = again.replace("143.2", "1.143,2").replace("146.5", "1.146")
    again = again.replace("2026-09-14", "14.09.2026")
    assert [each[:4] for each in say(read_list(again.encode()))] == [
        ("buy", "6", "1143.2", "2026-09-14T09:15:00"),
        ("sell", "6", "1146", "2026-09-14T14:00:00"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "column"),
    [
        ("Entry long", "Einlass lang", "Type"),
        ("2026-09-14 09:15", "09/10/2026 09:15", "Date and time"),
        ("143.2", "?", "Price USDT"),
        (",6,", ",six,", "Size (qty)"),
    ],
)
def test_a_list_that_cannot_be_read_without_guessing_is_refused(old, new, column):
    """Naming the line and the column."""
    data = write_list(TRADES[:2]).decode().replace(old, new).encode()
    with pytest.raises(FileUnreadable) as refused:
        read_list(data)
    assert refused.value.column == column


def test_a_mark_that_may_part_thousands_or_decimals_is_not_guessed():
    """`1.456` of a file saved again, where nothing else says what the point is."""
    text = write_list(TRADES[:2], 2026).decode().replace(",", ";")
    text = text.replace("143.2", "1.432").replace("146.5", "1.465")
    with pytest.raises(FileUnreadable, match="point or a comma"):
        read_list(text.encode())


def test_a_report_is_read_like_the_list_it_holds():
    """Its dates are serial numbers, its tick stands among the properties."""
    openpyxl = pytest.importorskip("openpyxl")
    from datetime import datetime

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "List of trades"
    sheet.append(HEADERS[2027].split(","))
    for lot in TRADES[:2]:
        at = datetime.strptime(lot.at, "%Y-%m-%d %H:%M")  # noqa: DTZ007
        row = [int(lot.number), lot.kind, at, lot.signal, float(lot.price), 6, 1, 1, 1, 1, 1, 1, 1]
        sheet.append([*row, 1, 1, 1, 19])
    properties = book.create_sheet("Properties")
    properties.append(["Tick size", "0.1"])
    kept = io.BytesIO()
    book.save(kept)
    trades = read_trade_list(open_report("report.xlsx", kept.getvalue()))
    assert (trades.tick, trades.bar_ms) == (D("0.1"), 900_000)
    assert [each[:4] for each in say(trades)] == [
        ("buy", "6", "143.2", "2026-09-14T09:15:00"),
        ("sell", "6", "146.5", "2026-09-14T14:00:00"),
    ]
    with pytest.raises(FileUnreadable, match="export it again"):
        open_report("report.xlsx", kept.getvalue()[:400])


@pytest.mark.parametrize("number", ["\u00b2", "9" * 5000, "-1", ""])
def test_counts_that_are_none_stop_no_list(number):
    """A number of a trade or of bars may be anything in a file that was edited."""
    text = write_list(TRADES[:2]).decode()
    rows = [text.split("\n")[0], *(line for line in text.split("\n")[1:] if line)]
    changed = [rows[0], *(f"{number},{line.split(',', 1)[1]}" for line in rows[1:])]
    assert len(read_list("\n".join(changed).encode()).orders) == 2
    changed = [rows[0], *(f"{line.rpartition(',')[0]},{number}" for line in rows[1:])]
    assert len(read_list("\n".join(changed).encode()).orders) == 2


@pytest.mark.parametrize("year", ["0001", "9999", "0000"])
def test_a_date_at_the_ends_of_the_calendar_is_refused_with_its_place(year):
    """No zone can be counted from there."""
    data = write_list(TRADES[:2]).decode().replace("2026-09-14 09:15", f"{year}-01-01 00:00")
    with pytest.raises(FileUnreadable) as refused:
        read_list(data.encode())
    assert refused.value.column == "Date and time"
    log = write_log([Fired(f"{year}-01-01T00:00:00Z", "buy")])
    with pytest.raises(FileUnreadable):
        read_alert_log(open_table("log.csv", log))


def test_an_interval_of_any_length_stops_no_log():
    """It is only a hint of how long a bar is."""
    fired = [Fired("2026-09-14T03:00:00Z", "buy", ticker=f"BATS:SPY, {'9' * 5000}")]
    (row,) = read_alert_log(open_table("log.csv", write_log(fired)))
    assert row.bar_ms is None


def test_a_tiny_number_of_a_report_is_read():
    """A sheet holds it as a double, which Python writes with an exponent."""
    assert _write_cell(0.00001) == "0.00001"
    assert _write_cell(1e-9) == "0.000000001"
    assert _write_cell(143.2) == "143.2"
    assert _write_cell(6.0) == "6"
    assert _write_cell(1200000.0) == "1200000"


@pytest.mark.parametrize(
    "part", ["xl/workbook.xml", "xl/worksheets/sheet1.xml", "[Content_Types].xml"]
)
def test_a_report_that_is_broken_inside_is_refused_in_words(part):
    """Whatever the package raises of it."""
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.title = "List of trades"
    for _ in range(3):
        book.active.append(HEADERS[2027].split(","))
    kept, broken = io.BytesIO(), io.BytesIO()
    book.save(kept)
    with zipfile.ZipFile(kept) as old, zipfile.ZipFile(broken, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, data[: len(data) * 2 // 3] if name == part else data)
    with pytest.raises(FileUnreadable, match="export it again"):
        list(open_report("report.xlsx", broken.getvalue()).rows)


def test_the_text_of_an_alert_is_what_was_sent():
    """The builder of these tests writes what the parser reads."""
    assert '"contracts":"2"' in order("buy", "2", "100").replace(": ", ":")
