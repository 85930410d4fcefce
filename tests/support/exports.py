"""Compose what TradingView exports, byte for byte as its formats are, and what comes of it here."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from desk.alerts.delivery import Delivery, PendingReply
from desk.api.comparison import compare_with, write_comparison
from desk.engine.events import AlertReceived
from desk.formats import to_json
from parsers import mask_flat, parse
from tests.support.fakes import DeskBench

BOM = "\ufeff"
DELIVERED = "Webhook successfully delivered"
TIMED_OUT = "Webhook delivery failed — request took too long and timed out"
LOG_HEADER = "Alert ID,Ticker,Name,Description,Time"
HEADERS = {
    2021: (
        "Trade #,Type,Signal,Date/Time,Price,Contracts,Profit $,Profit %,Cum. Profit $,"
        "Cum. Profit %,Run-up $,Run-up %,Drawdown $,Drawdown %"
    ),
    2024: (
        "Trade #,Type,Signal,Date/Time,Price USDT,Contracts,Profit USDT,Profit %,Cum. Profit USDT,"
        "Cum. Profit %,Run-up USDT,Run-up %,Drawdown USDT,Drawdown %"
    ),
    2026: (
        "Trade #,Type,Date and time,Signal,Price USDT,Size (qty),Size (value),Net P&L USD,Net P&L %,"
        "Favorable excursion USD,Favorable excursion %,Adverse excursion USD,Adverse excursion %,"
        "Cumulative P&L USD,Cumulative P&L %"
    ),
    2027: (
        "Trade number,Type,Date and time,Signal,Price USDT,Size (qty),Size (value),Net PnL USDT,"
        "Return %,Commission USDT,Favorable excursion USDT,Favorable excursion %,"
        "Adverse excursion USDT,Adverse excursion %,Cumulative PnL USDT,Cumulative PnL %,Duration (bars)"
    ),
}
"""The headers by generation; 2027 stands for the newest."""


class Fired(NamedTuple):
    """One firing of an alert, as the log has it."""

    at: str
    text: str
    status: str | None = DELIVERED
    alert: str = "4400000001"
    ticker: str = "BINANCE:SOLUSDT.P, 15m"
    name: str = "Heron"


class Lot(NamedTuple):
    """One row of a list of trades."""

    number: str
    kind: str
    at: str
    signal: str
    price: str
    quantity: str
    duration: str = "1"


def order(action: str, quantity: str, price: str, **more: str) -> str:
    """Return the text of an alert."""
    fields = {
        "strategy": "heron",
        "secret": "EXAMPLE-ONLY",
        "action": action,
        "symbol": "SOLUSDT.P",
        "contracts": quantity,
        "price": price,
        **more,
    }
    return to_json(fields).strip()


def write_log(fired: Iterable[Fired], *, has_status: bool = True, end: str = "\r\n") -> bytes:
    """Return an alert log, newest first as TradingView writes it."""
    rows = [LOG_HEADER + (",Webhook status" if has_status else "")]
    for each in sorted(fired, key=lambda one: one.at, reverse=True):
        cells = [each.alert, each.ticker, each.name, each.text, each.at]
        cells += [each.status or ""] if has_status else []
        rows.append(",".join(map(_quote, cells)))
    return end.join(rows).encode()


def write_list(lots: Iterable[Lot], generation: int = 2027, end: str = "\n") -> bytes:
    """Return a list of trades of a generation."""
    header = HEADERS[generation].split(",")
    rows = [HEADERS[generation]]
    is_old = header[2] == "Signal"
    for each in lots:
        place = [each.signal, each.at] if is_old else [each.at, each.signal]
        cells = [each.number, each.kind, *place, each.price, each.quantity]
        cells += ["0"] * (len(header) - len(cells))
        if header[-1].startswith("Duration"):
            cells[-1] = each.duration
        rows.append(",".join(map(_quote, cells)))
    return ((BOM if generation >= 2026 else "") + end.join(rows)).encode()


def _quote(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if any(c in cell for c in ',"\r\n') else cell


def ms(at: str) -> int:
    """Return the moment an ISO time names."""
    return round(datetime.fromisoformat(at).astimezone(UTC).timestamp() * 1000)


def receive(bench: DeskBench, text: str, at: str, after_ms: int = 700) -> dict[str, Any]:
    """Let a text arrive some time after it fired; return its answer."""
    bench.clock.now = ms(at) + after_ms
    body = text.encode()
    message, reply = parse(body), PendingReply()
    made = Delivery(message.alerts, message.strategies, body, message.masked, bench.clock())
    bench.desk.turn([AlertReceived(made, reply, time.perf_counter())])
    bench.desk.turn([])
    return reply.answers[0].shape


def receive_all(bench: DeskBench, fired: Iterable[Fired]) -> list[dict[str, Any]]:
    """Let every text arrive soon after it fired."""
    return [receive(bench, each.text, each.at) for each in sorted(fired, key=lambda one: one.at)]


def compare_files(
    bench: DeskBench, *files: tuple[str, bytes], zone: str | None = None
) -> dict[str, Any]:
    """Compare files with what a desk has recorded; return the answer."""
    with bench.store.reader() as reader:
        found = compare_with(reader, files, zone, parse, mask_flat, 60_000)
    shape: dict[str, Any] = json.loads("".join(write_comparison(found)))
    return shape


def kinds_of(shape: dict[str, Any]) -> list[str]:
    """Return the kinds of the differences."""
    return sorted(each["kind"] for each in shape["differences"])


def verdicts_of(shape: dict[str, Any]) -> Sequence[str]:
    """Return the verdicts, in the order of the file."""
    return [each["verdict"] for each in shape["alerts"]]
