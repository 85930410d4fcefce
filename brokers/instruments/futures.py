"""Read the spellings of futures contracts, and say which contract is traded on a day.

The products are in `products`, the rules of their days in `last_days`. Nothing is asked of a venue and no
clock is read: `today` is an argument. A venue's own word on its front month goes before `find_front`,
which is only the calendar's answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from brokers.instruments.exchange_days import next_month
from brokers.instruments.last_days import find_end, find_last_day, find_leaving_day
from brokers.instruments.products import MONTHS, PRODUCTS, Product

__all__ = ["MONTHS", "PRODUCTS", "Contract", "Product"]

_CENTURY = 2000
_YEARS_AHEAD = 8
_ROOTS = "|".join(sorted(PRODUCTS, key=len, reverse=True))
_CONTINUOUS = re.compile(rf"({_ROOTS})([12])!")
_DATED = re.compile(rf"({_ROOTS})([{MONTHS}])(?:(20)?([0-9]{{2}})|([0-9]))")
_NINJA = re.compile(r"([A-Z0-9]{1,5}) (0[1-9]|1[0-2])-([0-9]{2})")


@dataclass(frozen=True, slots=True)
class Contract:
    """One delivery month of a product. `month` counts from 1, `year` has four digits."""

    root: str
    month: int
    year: int

    @property
    def letter(self) -> str:
        """The month's letter."""
        return MONTHS[self.month - 1]

    @property
    def tradingview(self) -> str:
        """The canonical spelling: `MESZ2026`."""
        return f"{self.root}{self.letter}{self.year}"

    @property
    def short(self) -> str:
        """The spelling with one digit of the year, as most brokers have it: `MESZ6`."""
        return f"{self.root}{self.letter}{self.year % 10}"


def read_continuous(name: str) -> str | None:
    """Return the root of a continuous symbol (`ES1!`, `ES2!`) of a known product, else None."""
    match = _CONTINUOUS.fullmatch(name)
    return match[1] if match else None


def read_place(name: str) -> int:
    """Return which month a continuous symbol means: 1 is the front (`ES1!`), 2 the next (`ES2!`)."""
    match = _CONTINUOUS.fullmatch(name)
    return int(match[2]) if match else 1


def read_contract(name: str, today: date) -> Contract | None:
    """Return the contract that `name` spells, or None where it is no dated future.

    Reads `MESZ2026`, `MESZ26` and `MESZ6` of known products and `MES 12-26` of any. One digit of a
    year means the year between the last one and eight years from now that ends in it. Two digits
    beyond that are no year: `ESX50` is an index, not a contract of 2050.
    """
    if match := _NINJA.fullmatch(name):
        return Contract(match[1], int(match[2]), _CENTURY + int(match[3]))
    match = _DATED.fullmatch(name)
    if match is None:
        return None
    root, letter, century, two, one = match.groups()
    if one:
        first = today.year - 1
        year = first + (int(one) - first) % 10
    else:
        year = _CENTURY + int(two)
        if not century and year > today.year + _YEARS_AHEAD:
            return None
    return Contract(root, MONTHS.index(letter) + 1, year)


def find_last_trading_day(contract: Contract) -> date:
    """Return the last day on which a contract trades. Raises `KeyError` for an unknown root."""
    return find_last_day(PRODUCTS[contract.root].group, contract.year, contract.month)


def find_end_day(contract: Contract) -> date:
    """Return the day on which a contract must have been left: first notice, else its last trading day."""
    return find_end(PRODUCTS[contract.root].group, contract.year, contract.month)


def find_roll_day(contract: Contract, roll_days: int | None = None) -> date:
    """Return the day from which the next liquid month is the one to trade.

    `roll_days` are business days before `find_end_day`. By custom (None) index futures are left on the
    Monday of the expiry week, gold and its like on the day before first notice, the others some days
    before the end.
    """
    group = PRODUCTS[contract.root].group
    return find_leaving_day(group, contract.year, contract.month, roll_days)


def is_listed(contract: Contract) -> bool:
    """Tell whether the exchange lists that month of the product at all: no `ESF2027` exists."""
    item = PRODUCTS.get(contract.root)
    return item is not None and contract.letter in item.listed


@lru_cache(maxsize=1024)
def find_front(root: str, today: date, place: int = 1, roll_days: int | None = None) -> Contract:
    """Return the contract to trade by the calendar alone; `place` 2 is the month after it.

    Raises `KeyError` for an unknown root.
    """
    months = PRODUCTS[root].months
    year, month = today.year, today.month
    while True:
        contract = Contract(root, month, year)
        if contract.letter in months and today < find_roll_day(contract, roll_days):
            place -= 1
            if not place:
                return contract
        year, month = next_month(year, month)
