"""Read Bybit's lists page by page: orders, positions, executions, funding.

A list is whole or it is no answer: a page that is missing would look like a position that is gone.

Source: "Pagination" notes of the Bybit v5 documentation's lists.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from brokers.bybit.orders import TRADES, read_execution
from brokers.bybit.signing import BybitCalls
from brokers.protocol import Fill, Funding, Uncertain
from brokers.wire.deadline import Deadline
from brokers.wire.fields import require, require_decimal, require_text
from brokers.wire.lookups import Remembered

OPEN_ORDERS, OLD_ORDERS = "/v5/order/realtime", "/v5/order/history"
EXECUTIONS = "/v5/execution/list"
PAGES = {OPEN_ORDERS: "50", OLD_ORDERS: "50", EXECUTIONS: "100"}
MOST_PAGES = 100
WINDOW_MS = 7 * 86_400_000 - 1
"""Executions are told of seven days at most."""
READ_SECONDS = 5.0


def read_list(
    calls: BybitCalls,
    path: str,
    asked: Mapping[str, str],
    deadline: Deadline,
    *,
    is_urgent: bool = False,
) -> list[Any]:
    """Return every row of a list. Raises each of the three errors."""
    found: list[Any] = []
    payload = {**asked, "limit": PAGES.get(path, "200")}
    for _ in range(MOST_PAGES):
        data = calls.read(path, payload, deadline, is_urgent=is_urgent)
        rows, cursor = require(data, "list", list), data.get("nextPageCursor")
        found += rows
        if not (rows and isinstance(cursor, str) and cursor):
            return found
        if not cursor.isascii():
            raise Uncertain("Bybit's list goes on at a place that cannot be read")
        if payload.get("cursor") == unquote(cursor):
            raise Uncertain("Bybit gives the same page of a list again")
        payload = {
            **payload,
            "cursor": unquote(cursor),
        }  # it comes encoded, as it goes into an address
    raise Uncertain("Bybit's list does not end")


def read_since(
    calls: BybitCalls, category: str, since: int, owners: Remembered[str, str], coin: str
) -> tuple[Fill, ...]:
    """Return the executions since a time of Bybit's clock, whoever's orders they belong to.

    `owners` are the client ids behind Bybit's numbers of orders, for legs that carry none of their own.
    """
    found = []
    for row in _read_windows(calls, {"category": category}, since):
        if require(row, "execType", str) in TRADES:
            owner = row.get("orderLinkId") or owners.get(require(row, "orderId", str)) or ""
            found.append(read_execution(row, owner if isinstance(owner, str) else "", coin))
    return tuple(found)


def read_funding(calls: BybitCalls, since: int) -> tuple[Funding, ...]:
    """Return what perpetuals were paid and cost since a time of Bybit's clock; a fee is what was paid."""
    asked = {"category": "linear", "execType": "Funding"}
    found = []
    for row in _read_windows(calls, asked, since):
        if require(row, "execType", str) != "Funding":
            continue
        paid, at = require_decimal(row, "execFee"), require_text(row, "execTime")
        if not (at.isascii() and at.isdigit()):
            raise Uncertain("Bybit's funding has no time")
        coin = row.get("feeCurrency") or "USDT"
        symbol, number = require_text(row, "symbol"), require_text(row, "execId")
        found.append(Funding(number, symbol, Decimal(0) - paid, str(coin), int(at)))
    return tuple(found)


def _read_windows(calls: BybitCalls, asked: Mapping[str, str], since: int) -> Iterator[Any]:
    """Yield every execution since a time, in windows of seven days."""
    end, start = calls.now + 60_000, max(since, calls.now - 2 * 365 * 86_400_000)
    while start < end:
        until = min(start + WINDOW_MS, end)
        times = {"startTime": str(start), "endTime": str(until)}
        yield from read_list(calls, EXECUTIONS, {**asked, **times}, Deadline.after(READ_SECONDS))
        start = until + 1
