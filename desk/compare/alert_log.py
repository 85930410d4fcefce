"""Read TradingView's alert log: one row for each time an alert fired.

Its times are UTC. Its `Alert ID` names the alert, not the firing, and a busy alert keeps few rows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from desk.compare.tables import FileUnreadable, Table

COLUMNS = ("Alert ID", "Ticker", "Name", "Description", "Time")
STATUS = "Webhook status"
DELIVERED = "Webhook successfully delivered"
FAILED = re.compile(r"Webhook delivery failed\s*[\u2014\u2013-]\s*(?P<why>.*)", re.DOTALL)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?Z\Z")
_INTERVAL = re.compile(r"(\d{0,6})([smhDWM]?)\Z", re.ASCII)
_UNIT_MS = {"s": 1_000, "m": 60_000, "": 60_000, "h": 3_600_000, "D": 86_400_000, "W": 604_800_000}


@dataclass(slots=True)
class LogRow:
    """One firing, as the log has it."""

    file: str
    line: int
    at: int
    """Milliseconds since 1970."""
    alert: str
    """The id of the alert that fired, the same for each firing."""
    ticker: str
    text: str
    status: str | None
    """What became of the webhook, word for word; None where the file has no such column."""

    @property
    def delivered(self) -> bool | None:
        """Whether our answer reached TradingView as one of success; None where the row does not say."""
        if self.status is None or not self.status.strip():
            return None
        if self.status.strip() == DELIVERED:
            return True
        return False if FAILED.match(self.status.strip()) else None

    @property
    def reason(self) -> str:
        """Why the delivery failed, in TradingView's words; empty where it did not."""
        found = FAILED.match((self.status or "").strip())
        return found["why"].strip() if found else ""

    @property
    def symbol(self) -> str:
        """The symbol of the chart, without its exchange and interval."""
        return self.ticker.split(",")[0].rpartition(":")[2].strip()

    @property
    def bar_ms(self) -> int | None:
        """The length of a bar of the chart; None where the ticker does not say it."""
        _, comma, interval = self.ticker.rpartition(",")
        found = _INTERVAL.match(interval.strip()) if comma else None
        if found is None or found[2] == "M":
            return None
        return int(found[1] or 1) * _UNIT_MS[found[2]] if interval.strip() else None


def is_alert_log(header: Sequence[str]) -> bool:
    """Whether a header is the alert log's."""
    return tuple(header[: len(COLUMNS)]) == COLUMNS


def read_alert_log(table: Table) -> list[LogRow]:
    """Return the rows of a log, in the file's order. Raises `FileUnreadable`."""
    extra = table.header[len(COLUMNS) :]
    if extra not in ([], [STATUS]):
        why = f'"{extra[0]}" is no column of the alert log; was the file edited?'
        raise FileUnreadable(table.file, 1, len(COLUMNS) + 1, why)
    found: list[LogRow] = []
    tickers: dict[str, str] = {}
    for line, cells in table.rows:
        alert, ticker, _, text, time, *rest = cells
        if not alert.isdigit():
            why = "this is no alert id; a spreadsheet changes them: take the file as TradingView wrote it"
            raise FileUnreadable(table.file, line, COLUMNS[0], why)
        if not _TIME.match(time):
            why = "this is no time as TradingView writes it (2026-04-02T17:30:05Z)"
            raise FileUnreadable(table.file, line, COLUMNS[4], why)
        try:
            at = datetime.fromisoformat(time.removesuffix("Z")).replace(tzinfo=UTC)
        except ValueError:
            why = "there is no such day"
            raise FileUnreadable(table.file, line, COLUMNS[4], why) from None
        ticker = tickers.setdefault(ticker, ticker)  # one text for all rows of a chart
        status = tickers.setdefault(rest[0], rest[0]) if rest else None
        if not 1900 <= at.year <= 2200:
            why = "no alert has fired then"
            raise FileUnreadable(table.file, line, COLUMNS[4], why)
        at_ms = round(at.timestamp() * 1000)
        found.append(LogRow(table.file, line, at_ms, alert, ticker, text, status))
    return found
