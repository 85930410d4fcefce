"""Find what a symbol means at Tastytrade: a share, or a future's contract, with the rules of trading it.

Crypto, options and currencies are refused by name: the API takes no crypto, and the others are not built.

Source: developer.tastytrade.com, "Instruments and symbology"; `/instruments/futures`,
`/instruments/equities`, `/market-data/by-type`.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from brokers.instruments import futures
from brokers.instruments.contracts import build_contract
from brokers.instruments.front_month import FrontMonths
from brokers.instruments.futures import Contract
from brokers.instruments.symbols import canonical, classify
from brokers.protocol import (
    ORDER_UNKNOWN,
    SYMBOL_UNKNOWN,
    UNSUPPORTED,
    BrokerRefused,
    Instrument,
    Uncertain,
    Unreachable,
)
from brokers.tastytrade.session import TastytradeCalls
from brokers.wire.deadline import Deadline
from brokers.wire.fields import (
    require_decimal,
    require_number,
    require_rows,
    require_text,
    unreadable,
)

READ_SECONDS, PRICE_SECONDS = 4.0, 0.5
CENT = Decimal("0.01")


class Instruments:
    """What can be traded, as it was asked for."""

    def __init__(self, calls: TastytradeCalls, roll_days: int | None) -> None:
        self._calls = calls
        self._roll_days = roll_days
        self._fronts = FrontMonths(self._ask_front, time.monotonic, roll_days)

    def find(self, symbol: str, today: date) -> Instrument:
        """Return the rules of a TradingView symbol. Raises `BrokerRefused` where it is not traded here."""
        name = canonical(symbol, today)
        if futures.read_continuous(name) is not None:
            return self._read_future(self._fronts.find(name, today))
        dated = futures.read_contract(name, today)
        if dated is not None:
            return self._read_future(dated)
        kind = classify(symbol, None, today).kind
        if kind != "equity":
            text = f"{symbol} is {kind}: at Tastytrade only shares and futures are traded, like AAPL, MES1!."
            raise BrokerRefused(text, UNSUPPORTED)
        return self._read_equity(name.replace(".", "/"))

    def prices(self, names: Collection[str], deadline: Deadline) -> dict[str, Decimal]:
        """Return the last price of each of Tastytrade's own names; what is not told is left out."""
        asked = "&".join(
            f"{'future' if name.startswith('/') else 'equity'}={quote(name, safe='')}"
            for name in names
        )
        data = self._calls.read(f"/market-data/by-type?{asked}", deadline)
        found: dict[str, Decimal] = {}
        for row in require_rows(_items(data)):
            if row.get("last") is not None:
                found[require_text(row, "symbol")] = any_number(row, "last")
        return found

    def _read_future(self, contract: Contract) -> Instrument:
        """Return one contract with Tastytrade's own tick and worth of a point."""
        name = f"/{contract.short}"
        rows = self._read_contracts(contract.root)
        row = next((each for each in rows if each.get("symbol") == name), None)
        if row is None:
            text = f"Tastytrade lists no contract {name} ({contract.tradingview})."
            raise BrokerRefused(text, SYMBOL_UNKNOWN)
        found = build_contract(contract, name, self._roll_days)
        return replace(
            found,
            point_value=any_number(row, "notional-multiplier"),
            tick=any_number(row, "tick-size"),
            last_day=_read_day(row, "last-trade-date", "expiration-date") or found.last_day,
        )

    def _read_equity(self, name: str) -> Instrument:
        deadline = Deadline.after(READ_SECONDS)
        try:
            row = self._calls.read(f"/instruments/equities/{quote(name, safe='')}", deadline)
        except BrokerRefused as no:
            if no.code not in (ORDER_UNKNOWN, "REFUSED"):
                raise
            text = f"Tastytrade does not know the share {name}."
            raise BrokerRefused(text, SYMBOL_UNKNOWN) from None
        symbol = require_text(row, "symbol")
        return Instrument(symbol=symbol, kind="equity", base=symbol, tick=CENT, step=Decimal(1))

    def _read_contracts(self, root: str) -> list[Any]:
        deadline = Deadline.after(READ_SECONDS)
        target = f"/instruments/futures?product-code[]={quote(root)}"
        return require_rows(_items(self._calls.read(target, deadline)))

    def _ask_front(self, root: str, place: int) -> str | None:
        """Return the contract that Tastytrade calls the active month, or the one after it."""
        wanted = {1: "active-month", 2: "next-active-month"}.get(place)
        try:
            rows = self._read_contracts(root) if wanted else []
        except (Uncertain, Unreachable):
            return None
        row = next((each for each in rows if each.get(wanted) is True), None)
        return require_text(row, "symbol").lstrip("/") if row else None


def any_number(data: Any, name: str) -> Decimal:
    """Return a number that may be written as a text or as a number: Tastytrade does both."""
    value = data.get(name) if isinstance(data, dict) else None
    return require_decimal(data, name) if isinstance(value, str) else require_number(data, name)


def _items(data: Any) -> Any:
    return data.get("items") if isinstance(data, dict) else None


def _read_day(row: Any, *names: str) -> date | None:
    for name in names:
        if row.get(name):
            try:
                return date.fromisoformat(require_text(row, name)[:10])
            except ValueError:
                raise unreadable(f"{name} is no day") from None
    return None
