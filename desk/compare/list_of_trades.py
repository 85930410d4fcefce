"""Read the list of trades of a strategy report, of any generation, and fold its lots into orders.

A trade has two rows, and one order may stand in several trades: a reversal is exits and an entry at one
time and price. Times are the chart's wall clock; which zone that is, the file does not say.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from desk.compare.numbers import (
    find_date_order,
    find_decimal_mark,
    read_count,
    read_date,
    read_number,
)
from desk.compare.tables import FileUnreadable, Row, Table

DATES = {
    *("date/time", "date and time", "datum und uhrzeit", "日時", "日期和时间", "日期/時間"),
    *("日期/时间", "日期和時間"),
}
SIGNALS = {"signal", "シグナル", "信号", "訊號"}
NUMBERS = {"trade #", "trade number", "トレード番号", "交易 #"}
TYPES = {
    "entry long": ("entry", "buy"),
    "exit long": ("exit", "sell"),
    "entry short": ("entry", "sell"),
    "exit short": ("exit", "buy"),
    "long-einstieg": ("entry", "buy"),
    "long-ausstieg": ("exit", "sell"),
    "short-einstieg": ("entry", "sell"),
    "short-ausstieg": ("exit", "buy"),
    "ロングエントリー": ("entry", "buy"),
    "ロング決済": ("exit", "sell"),
    "ショートエントリー": ("entry", "sell"),
    "ショート決済": ("exit", "buy"),
    "多头进场": ("entry", "buy"),
    "多头出场": ("exit", "sell"),
    "空头进场": ("entry", "sell"),
    "空头出场": ("exit", "buy"),
    "多頭進場": ("entry", "buy"),
    "多頭出場": ("exit", "sell"),
    "空頭進場": ("entry", "sell"),
    "空頭出場": ("exit", "buy"),
}
OPEN = {"Open", "Offen"}
"""The signal of an exit row that is no order: the trade is still open."""
NUMBER, TYPE, PRICE, QUANTITY = 0, 1, 4, 5
FEWEST_COLUMNS = 14
DAY_MS = 86_400_000
_DURATION = re.compile(r"duration \(bars\)", re.IGNORECASE)


@dataclass(slots=True)
class TradeOrder:
    """What TradingView's strategy ordered at one time and price: one or more lots."""

    file: str
    lines: list[int]
    trades: list[str]
    signal: str
    side: str
    quantity: Decimal | None
    """None where the file leaves it empty."""
    price: Decimal
    chart_time: str
    """As the file has it."""
    local: datetime
    """The opening of the bar, by the chart's clock."""
    is_dated_only: bool
    may_be_open: bool = False
    """Whether it may be no order: the file's language has a word for an open trade that is not known."""


@dataclass(slots=True)
class TradeList:
    """One list: its orders, oldest first."""

    file: str
    rows: int
    orders: list[TradeOrder] = field(default_factory=list)
    bar_ms: int | None = None
    """The length of a bar, as far as the file shows it."""
    tick: Decimal | None = None


@dataclass(slots=True)
class _Layout:
    date: int
    signal: int
    duration: int | None


def is_trade_list(header: Sequence[str]) -> bool:
    """Whether a header is that of a list of trades, in any language that is known."""
    return len(header) >= FEWEST_COLUMNS and header[NUMBER].lower() in NUMBERS


def read_trade_list(table: Table) -> TradeList:
    """Return the orders of a list. Raises `FileUnreadable`."""
    layout = _find_layout(table)
    rows = list(table.rows)
    mark = _decide_mark(table, rows)
    slashes = find_date_order(row.cells[layout.date] for row in rows)
    found: dict[tuple[object, ...], TradeOrder] = {}
    knows_open = all(row.cells[TYPE].isascii() for row in rows)  # English and German
    for row in rows:
        _take(table, layout, row, mark, slashes, found)
    result = TradeList(table.file, len(rows), sorted(found.values(), key=_place))
    result.bar_ms = _find_bar(table, layout, rows, slashes) or _find_step(result.orders)
    if any(order.is_dated_only for order in result.orders):
        result.bar_ms = DAY_MS
    tick = read_number(table.properties.get("Tick size", ""), ".")
    result.tick = tick or None
    if not knows_open and result.orders:
        result.orders[-1].may_be_open = True
    return result


def _find_layout(table: Table) -> _Layout:
    header = [cell.lower() for cell in table.header]
    places = (2, 3)
    date = next((i for i in places if header[i] in DATES), None)
    signal = next((i for i in places if header[i] in SIGNALS), None)
    if date is None or signal is None:
        place = next(i for i in places if header[i] not in DATES | SIGNALS)
        why = f'the column "{table.header[place]}" is not known; export the list in English'
        raise FileUnreadable(table.file, 1, place + 1, why)
    duration = next((i for i, name in enumerate(header) if _DURATION.match(name)), None)
    return _Layout(date, signal, duration)


def _decide_mark(table: Table, rows: Sequence[Row]) -> str:
    """Return the decimal mark of the file. Raises `FileUnreadable` where its cells do not say it."""
    columns = range(PRICE, len(table.header))
    cells = (row.cells[i] for row in rows for i in columns)
    mark = find_decimal_mark(cells, is_resaved=table.delimiter != ",")
    if not mark:
        line = rows[0].line
        why = (
            "the numbers do not say whether a point or a comma stands before the decimals; "
            "take the file as TradingView wrote it"
        )
        raise FileUnreadable(table.file, line, table.header[PRICE], why)
    return mark


def _take(
    table: Table,
    layout: _Layout,
    row: Row,
    mark: str,
    slashes: str,
    found: dict[tuple[object, ...], TradeOrder],
) -> None:
    """Add one row to the order it belongs to."""
    cells, file, header = row.cells, table.file, table.header
    kind = TYPES.get(cells[TYPE].strip().lower())
    if kind is None:
        why = (
            f'"{cells[TYPE][:30]}" is no type of a trade that is known; export the list in English'
        )
        raise FileUnreadable(file, row.line, header[TYPE], why)
    what, side = kind
    signal = cells[layout.signal].strip()
    if what == "exit" and signal in OPEN:
        return
    date = read_date(cells[layout.date], slashes)
    if date is None:
        why = f'"{cells[layout.date][:40]}" is no date that can be read without guessing'
        raise FileUnreadable(file, row.line, header[layout.date], why)
    price = read_number(cells[PRICE], mark)
    if price is None:
        raise FileUnreadable(file, row.line, header[PRICE], f'"{cells[PRICE][:30]}" is no number')
    text = cells[QUANTITY]
    quantity = read_number(text, mark)
    if quantity is None and text.strip():
        raise FileUnreadable(file, row.line, header[QUANTITY], f'"{text[:30]}" is no number')
    number = cells[NUMBER].strip()
    key = (date, side, price, signal)
    order = found.get(key)
    if order is None:
        chart_time = cells[layout.date].strip()
        found[key] = TradeOrder(
            file,
            [row.line],
            [number],
            signal,
            side,
            quantity,
            price,
            chart_time,
            date[0],
            not date[1],
        )
        return
    order.lines.append(row.line)
    if number not in order.trades:
        order.trades.append(number)
    both = order.quantity, quantity
    order.quantity = None if None in both else sum(q for q in both if q is not None) or None


def _place(order: TradeOrder) -> tuple[object, ...]:
    first = min(read_count(each) or 0 for each in order.trades)
    return (order.local, first, order.lines[0])


def _find_bar(table: Table, layout: _Layout, rows: Sequence[Row], slashes: str) -> int | None:
    """Return the length of a bar by what the list says a trade lasted."""
    if timeframe := read_count(table.properties.get("Timeframe", "")):
        return timeframe * 60_000
    if layout.duration is None:
        return None
    ends: dict[str, list[tuple[datetime, int]]] = {}
    for row in rows:
        date, bars = (
            read_date(row.cells[layout.date], slashes),
            read_count(row.cells[layout.duration]),
        )
        if date is not None and bars:
            ends.setdefault(row.cells[NUMBER], []).append((date[0], bars))
    lengths = [
        abs(both[0][0] - both[1][0]).total_seconds() * 1000 / both[0][1]
        for both in ends.values()
        if len(both) == 2 and both[0][0] != both[1][0]
    ]
    # Nights and weekends make a trade longer than its bars: the shortest is the bar.
    return min(round(min(lengths)), DAY_MS) if lengths else None


def _find_step(orders: Sequence[TradeOrder]) -> int | None:
    """Return the largest step in which all bars of a list lie: a bar is no longer than that."""
    minutes = [order.local.hour * 60 + order.local.minute for order in orders]
    step = math.gcd(*(each - minutes[0] for each in minutes)) if minutes else 0
    return step * 60_000 if step else DAY_MS
