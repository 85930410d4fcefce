"""Find which contract of Tradovate a symbol means, and the rules of trading it.

A dated symbol wins. For a continuous one Tradovate's own word on the front month goes before the calendar.

Source: Tradovate Partner OpenAPI, `contract/find`, `contract/suggest`, `contractMaturity/item`,
`product/find`.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from brokers.instruments.contracts import build_contract
from brokers.instruments.front_month import FrontMonths
from brokers.instruments.futures import MONTHS, read_continuous, read_contract
from brokers.instruments.symbols import canonical
from brokers.protocol import (
    MARKET_MISMATCH,
    SYMBOL_UNKNOWN,
    BrokerRefused,
    Instrument,
    Uncertain,
)
from brokers.tradovate.session import TradovateCalls
from brokers.wire.deadline import Deadline
from brokers.wire.fields import require, require_number, require_rows, require_text
from brokers.wire.lookups import Remembered

SUGGESTIONS, SUGGEST_SECONDS = 10, 2.0


@dataclass(frozen=True, slots=True)
class Listed:
    """One contract as Tradovate lists it."""

    contract_id: int
    name: str
    maturity_id: int


class Contracts:
    """The contracts of Tradovate that were asked for. Safe for several threads at once."""

    def __init__(self, calls: TradovateCalls, roll_days: int | None = None) -> None:
        self._calls = calls
        self._roll_days = roll_days
        self._by_name: Remembered[str, Listed] = Remembered()
        self._names: Remembered[int, str] = Remembered()
        self._products: Remembered[str, tuple[Decimal, Decimal]] = Remembered()
        self._fronts = FrontMonths(self._ask_front, time.monotonic, roll_days)

    def find(self, symbol: str, today: date, deadline: Deadline) -> Instrument:
        """Return the rules of a TradingView symbol. Raises `BrokerRefused` where it is no contract there."""
        name = canonical(symbol, today)
        if read_continuous(name) is not None:
            contract = self._fronts.find(name, today)
        else:
            dated = read_contract(name, today)
            if dated is None:
                text = f"{symbol} is no future: at Tradovate only futures are traded, like MES1! or MESZ2026."
                raise BrokerRefused(text, MARKET_MISMATCH)
            contract = dated
        listed = self._look_up(contract.short, deadline)
        point_value, tick = self._read_product(contract.root, deadline)
        return replace(
            build_contract(contract, listed.name, self._roll_days),
            point_value=point_value,
            tick=tick,
            last_day=self._read_last_day(listed, deadline),
        )

    def id_of(self, name: str, deadline: Deadline) -> int:
        """Return Tradovate's number of a contract by its name."""
        return self._look_up(name, deadline).contract_id

    def name_of(self, contract_id: int, deadline: Deadline) -> str:
        """Return the name of a contract by its number."""
        known = self._names.get(contract_id)
        if known is not None:
            return known
        return self._note(self._calls.read(f"/contract/item?id={contract_id}", deadline)).name

    def _ask_front(self, root: str, place: int) -> str | None:
        """Return the contract that Tradovate suggests first for a root; it tells no month after that."""
        if place != 1:
            return None
        own = re.compile(rf"{re.escape(root)}[{MONTHS}]\d")
        target = f"/contract/suggest?t={quote(root)}&l={SUGGESTIONS}"
        for row in require_rows(self._calls.read(target, Deadline.after(SUGGEST_SECONDS))):
            # Other roots may match the text.
            name = row.get("name") if isinstance(row, dict) else None
            if isinstance(name, str) and own.fullmatch(name):
                return self._note(row).name
        return None

    def _look_up(self, name: str, deadline: Deadline) -> Listed:
        known = self._by_name.get(name)
        if known is not None:
            return known
        text = f"Tradovate has no contract {name}."
        try:
            data = self._calls.read(f"/contract/find?name={quote(name)}", deadline)
        except BrokerRefused as no:
            if no.code != "REFUSED":
                raise
            raise BrokerRefused(text, SYMBOL_UNKNOWN) from None
        if not isinstance(data, dict) or "id" not in data:
            raise BrokerRefused(text, SYMBOL_UNKNOWN)
        return self._note(data)

    def _note(self, row: Any) -> Listed:
        listed = Listed(
            require(row, "id", int),
            require_text(row, "name"),
            require(row, "contractMaturityId", int),
        )
        self._by_name.note(listed.name, listed)
        self._names.note(listed.contract_id, listed.name)
        return listed

    def _read_product(self, root: str, deadline: Deadline) -> tuple[Decimal, Decimal]:
        """Return what a point is worth and the price step."""
        known = self._products.get(root)
        if known is None:
            data = self._calls.read(f"/product/find?name={quote(root)}", deadline)
            known = require_number(data, "valuePerPoint"), require_number(data, "tickSize")
            self._products.note(root, known)
        return known

    def _read_last_day(self, listed: Listed, deadline: Deadline) -> date:
        data = self._calls.read(f"/contractMaturity/item?id={listed.maturity_id}", deadline)
        text = require_text(data, "expirationDate")
        try:
            return datetime.fromisoformat(text).date()
        except ValueError:
            raise Uncertain(
                "Tradovate's answer cannot be read: expirationDate is no time"
            ) from None
