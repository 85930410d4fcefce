"""Find which contract of ProjectX a symbol means, and the rules of trading it.

A contract has a familiar name (`MESZ6`) and an id whose root is the gateway's own (`CON.F.US.EP.Z26` is
ES): an id is never made from a symbol's root, but from one of the same product that the venue has shown.

Source: ProjectX Gateway API, `Contract/search`, `Contract/searchById`; 51 contracts recorded live.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from brokers.instruments.contracts import build_contract
from brokers.instruments.front_month import FrontMonths
from brokers.instruments.futures import (
    MONTHS,
    PRODUCTS,
    Contract,
    read_continuous,
    read_contract,
)
from brokers.instruments.symbols import canonical
from brokers.projectx.session import ProjectXCalls
from brokers.protocol import MARKET_MISMATCH, SYMBOL_UNKNOWN, BrokerRefused, Instrument
from brokers.wire.deadline import Deadline
from brokers.wire.fields import require, require_number, require_rows, require_text, unreadable
from brokers.wire.lookups import Remembered

ASK_SECONDS = 3.0
_ID = re.compile(rf"(CON\..+)\.[{MONTHS}][0-9]{{2}}")


@dataclass(frozen=True, slots=True)
class Listed:
    """One contract as ProjectX lists it."""

    contract_id: str
    name: str
    tick: Decimal
    tick_value: Decimal
    is_active: bool


class Contracts:
    """The contracts of ProjectX that were asked for. Safe for several threads at once."""

    def __init__(
        self,
        calls: ProjectXCalls,
        roll_days: int | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._calls = calls
        self._roll_days = roll_days
        self._by_name: Remembered[str, Listed] = Remembered()
        self._names: Remembered[str, str] = Remembered()
        self._front = FrontMonths(self._ask_front, now, roll_days)

    def find(self, symbol: str, today: date, deadline: Deadline) -> Instrument:
        """Return the rules of a TradingView symbol. Raises `BrokerRefused` where it is no contract there."""
        name = canonical(symbol, today)
        if read_continuous(name) is not None:
            contract = self._front.find(name, today)
        else:
            dated = read_contract(name, today)
            if dated is None:
                text = f"{symbol} is no future: at ProjectX only futures are traded, like MES1! or MESZ2026."
                raise BrokerRefused(text, MARKET_MISMATCH)
            contract = dated
        if contract.root not in PRODUCTS:
            raise _unknown(contract.short)
        listed = self._look_up(contract, deadline)
        built = build_contract(contract, listed.name, self._roll_days)
        return replace(
            built,
            tick=listed.tick,
            point_value=listed.tick_value / listed.tick,
            min_quantity=built.step,
        )

    def id_of(self, instrument: Instrument, today: date, deadline: Deadline) -> str:
        """Return ProjectX's id of a contract that trades or is held, also once it is listed no more."""
        known = self._by_name.get(instrument.symbol)
        if known is not None:
            return known.contract_id
        contract = read_contract(instrument.contract or instrument.symbol, today)
        if contract is None:
            raise _unknown(instrument.symbol)
        return self._look_up(contract, deadline).contract_id

    def name_of(self, contract_id: str, deadline: Deadline) -> str:
        """Return the name of a contract by its id."""
        known = self._names.get(contract_id)
        return known if known is not None else self._read(contract_id, deadline).name

    def _ask_front(self, root: str, place: int) -> str | None:
        """Return the only active month of a product; where several are, the calendar says which."""
        if place != 1:
            return None
        rows = [each for each in self._search(root, Deadline.after(ASK_SECONDS)) if each.is_active]
        return rows[0].name if len(rows) == 1 else None

    def _search(self, root: str, deadline: Deadline) -> list[Listed]:
        """Return the listed months of that very product: a search for ES finds MES too."""
        body = {"searchText": root, "live": False}
        rows = require_rows(self._calls.read("/Contract/search", body, deadline).get("contracts"))
        own = re.compile(rf"{re.escape(root)}[{MONTHS}][0-9]")
        return [self._note(row) for row in rows if own.fullmatch(require_text(row, "name"))]

    def _look_up(self, contract: Contract, deadline: Deadline) -> Listed:
        """Return one month: from the list of its product, else by the id it must have beside the others."""
        known = self._by_name.get(contract.short)
        if known is not None:
            return known
        rows = self._search(contract.root, deadline)
        for each in rows:
            if each.name == contract.short:
                return each
        found = _ID.fullmatch(rows[0].contract_id) if rows else None
        if found is None:
            raise _unknown(contract.short)
        try:
            listed = self._read(f"{found[1]}.{contract.letter}{contract.year % 100:02}", deadline)
        except BrokerRefused as no:
            if no.code != "REFUSED":
                raise
            raise _unknown(contract.short) from None
        if listed.name != contract.short:
            raise _unknown(contract.short)
        return listed

    def _read(self, contract_id: str, deadline: Deadline) -> Listed:
        data = self._calls.read("/Contract/searchById", {"contractId": contract_id}, deadline)
        listed = self._note(data.get("contract"))
        if listed.contract_id != contract_id:
            raise unreadable("it is about another contract")
        return listed

    def _note(self, row: Any) -> Listed:
        listed = Listed(
            require_text(row, "id"),
            require_text(row, "name"),
            require_number(row, "tickSize"),
            require_number(row, "tickValue"),
            require(row, "activeContract", bool),
        )
        if listed.tick <= 0 or listed.tick_value <= 0:
            raise unreadable("a contract without a tick")
        self._by_name.note(listed.name, listed)
        self._names.note(listed.contract_id, listed.name)
        return listed


def _unknown(name: str) -> BrokerRefused:
    return BrokerRefused(f"ProjectX has no contract {name}.", SYMBOL_UNKNOWN)
