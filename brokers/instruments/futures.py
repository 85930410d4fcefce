"""Know the futures products, read the spellings of their contracts, and count their days.

The table is literal; nothing is asked of a venue and no clock is read: `today` is an argument.
A venue's own word on its front month goes before `find_front`, which is only the calendar's answer.
A product that is not in the table is unknown: what a point is worth is never guessed.
"""

from __future__ import annotations

import re
from calendar import FRIDAY, MONDAY, SATURDAY, SUNDAY, THURSDAY, WEDNESDAY
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache

MONTHS = "FGHJKMNQUVXZ"
"""The letters of January to December."""

_QUARTERS = "HMUZ"
_CENTURY = 2000
_FIRST_JUNETEENTH = 2022
_BOXING_DAY = (12, 26)


@dataclass(frozen=True, slots=True)
class Product:
    """What every contract of one root has in common."""

    root: str
    tick: Decimal
    point_value: Decimal
    """Money per contract for a move of one whole price point."""
    exchange: str
    """As TradingView writes it before the colon."""
    months: str
    """The letters of the months that are traded much."""
    group: str
    """Which rule its last trading day follows."""
    is_micro: bool = False


_MICROS = frozenset({"MES", "MNQ", "MYM", "M2K", "MCL", "MGC", "MBT"})
_TABLE = (
    ("ES", "0.25", "50", "CME_MINI", _QUARTERS, "index"),
    ("MES", "0.25", "5", "CME_MINI", _QUARTERS, "index"),
    ("NQ", "0.25", "20", "CME_MINI", _QUARTERS, "index"),
    ("MNQ", "0.25", "2", "CME_MINI", _QUARTERS, "index"),
    ("YM", "1", "5", "CBOT_MINI", _QUARTERS, "index"),
    ("MYM", "1", "0.5", "CBOT_MINI", _QUARTERS, "index"),
    ("RTY", "0.1", "50", "CME_MINI", _QUARTERS, "index"),
    ("M2K", "0.1", "5", "CME_MINI", _QUARTERS, "index"),
    ("CL", "0.01", "1000", "NYMEX", MONTHS, "crude"),
    ("MCL", "0.01", "100", "NYMEX", MONTHS, "micro_crude"),
    ("GC", "0.1", "100", "COMEX", "GJMQZ", "metal"),
    ("MGC", "0.1", "10", "COMEX", "GJMQZ", "metal"),
    ("SI", "0.005", "5000", "COMEX", "HKNUZ", "metal"),
    ("NG", "0.001", "10000", "NYMEX", MONTHS, "gas"),
    ("ZB", "0.03125", "1000", "CBOT", _QUARTERS, "treasury"),
    ("ZN", "0.015625", "1000", "CBOT", _QUARTERS, "treasury"),
    ("6E", "0.00005", "125000", "CME", _QUARTERS, "currency"),
    ("BTC", "5", "5", "CME", MONTHS, "bitcoin"),
    ("MBT", "5", "0.1", "CME", MONTHS, "bitcoin"),
)
PRODUCTS = {
    root: Product(root, Decimal(tick), Decimal(point), exchange, months, group, root in _MICROS)
    for root, tick, point, exchange, months, group in _TABLE
}

_ROOTS = "|".join(sorted(PRODUCTS, key=len, reverse=True))
_CONTINUOUS = re.compile(rf"({_ROOTS})[12]!")
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


def product(root: str) -> Product | None:
    """Return the product of a root, or None where it is not in the table."""
    return PRODUCTS.get(root)


def read_continuous(name: str) -> str | None:
    """Return the root of a continuous symbol (`ES1!`, `ES2!`) of a known product, else None."""
    match = _CONTINUOUS.fullmatch(name)
    return match[1] if match else None


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
        if not century and year > today.year + 8:
            return None
    return Contract(root, MONTHS.index(letter) + 1, year)


def find_last_trading_day(contract: Contract) -> date:
    """Return the last day on which a contract trades. Raises `KeyError` for an unknown root."""
    return _last_trading_day(PRODUCTS[contract.root].group, contract.year, contract.month)


def is_expired(contract: Contract, today: date) -> bool:
    """Tell whether the last trading day is over. On that day itself a contract still trades."""
    return today > find_last_trading_day(contract)


def find_roll_day(contract: Contract) -> date:
    """Return the day from which the next liquid month is the one to trade, by custom.

    Index futures: the Monday of the expiry week. Metals and treasuries leave before the first
    notice (or intention) day, the others some days before the last trading day.
    """
    group = PRODUCTS[contract.root].group
    first = date(contract.year, contract.month, 1)
    last = find_last_trading_day(contract)
    if group == "index":
        return last - timedelta(days=last.weekday())
    if group in ("metal", "treasury"):
        return _go_back(first, 4)
    return _go_back(last, 4 if group in ("crude", "micro_crude", "gas") else 2)


@lru_cache(maxsize=256)
def find_front(root: str, today: date) -> Contract:
    """Return the contract to trade by the calendar alone. Raises `KeyError` for an unknown root."""
    months = PRODUCTS[root].months
    year, month = today.year, today.month
    while True:
        contract = Contract(root, month, year)
        if contract.letter in months and today < find_roll_day(contract):
            return contract
        year, month = _next_month(year, month)


@lru_cache(maxsize=1024)
def _last_trading_day(group: str, year: int, month: int) -> date:
    first = date(year, month, 1)
    after = date(*_next_month(year, month), 1)
    if group == "index":
        friday = _nth_weekday(year, month, FRIDAY, 3)
        return friday if _is_business_day(friday) else _go_back(friday, 1)
    if group == "currency":
        return _go_back(_nth_weekday(year, month, WEDNESDAY, 3), 2)
    if group == "bitcoin":
        return _find_bitcoin_day(after)
    if group in ("crude", "micro_crude"):
        crude = _find_crude_day(first)
        return crude if group == "crude" else _go_back(crude, 1)
    days = {"gas": (first, 3), "metal": (after, 3), "treasury": (after, 8)}
    return _go_back(*days[group])


def _find_crude_day(first: date) -> date:
    """Return the day three business days before the 25th of the month before `first`."""
    day = (first - timedelta(days=1)).replace(day=25)
    return _go_back(day, 3 if _is_business_day(day) else 4)


def _find_bitcoin_day(after: date) -> date:
    """Return the last Friday before `after`, or the next day back that is open, in London too."""
    day = after - timedelta(days=1)
    day -= timedelta(days=(day.weekday() - FRIDAY) % 7)
    while not _is_business_day(day) or (day.month, day.day) == _BOXING_DAY:
        day -= timedelta(days=1)
    return day


def _next_month(year: int, month: int) -> tuple[int, int]:
    return year + month // 12, month % 12 + 1


def _nth_weekday(year: int, month: int, weekday: int, nth: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


def _is_business_day(day: date) -> bool:
    return day.weekday() < SATURDAY and day not in _holidays(day.year)


def _go_back(day: date, business_days: int) -> date:
    """Return the n-th business day before `day`, which itself does not count."""
    while business_days:
        day -= timedelta(days=1)
        business_days -= _is_business_day(day)
    return day


@lru_cache(maxsize=64)
def _holidays(year: int) -> frozenset[date]:
    """Return the weekdays on which the American exchanges do not settle."""
    fixed = [date(year, 7, 4), date(year, 12, 25)]
    if year >= _FIRST_JUNETEENTH:
        fixed.append(date(year, 6, 19))
    days = {day + timedelta(days={SATURDAY: -1, SUNDAY: 1}.get(day.weekday(), 0)) for day in fixed}
    new_year = date(year, 1, 1)  # one on a Saturday is not made up for
    days.add(new_year + timedelta(days=new_year.weekday() == SUNDAY))
    days.add(_nth_weekday(year, 1, MONDAY, 3))  # Martin Luther King
    days.add(_nth_weekday(year, 2, MONDAY, 3))  # Presidents
    days.add(_find_easter(year) - timedelta(days=2))
    days.add(date(year, 5, 31) - timedelta(days=date(year, 5, 31).weekday()))  # Memorial
    days.add(_nth_weekday(year, 9, MONDAY, 1))  # Labor
    days.add(_nth_weekday(year, 11, THURSDAY, 4))  # Thanksgiving
    return frozenset(days)


def _find_easter(year: int) -> date:
    """Return Easter Sunday (the anonymous Gregorian computation)."""
    century, rest = divmod(year, 100)
    golden = year % 19
    lunar = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - century // 4 - lunar + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (rest // 4) - epact - rest % 4) % 7
    shift = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * shift + 114, 31)
    return date(year, month, day + 1)
