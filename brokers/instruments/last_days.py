"""Say by rule when a month of a product ends, when it must be left, and when it is left by custom.

Each group is one rule of an exchange's rulebook on termination of trading, one on first notice where the
product is delivered, and how many business days before that the market has moved on. Pure: year and month
in, days out.
"""

from __future__ import annotations

from calendar import FRIDAY, MONDAY, WEDNESDAY
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from brokers.instruments.exchange_days import (
    AMERICA,
    BOXING_DAY,
    EUREX,
    go_back,
    is_business_day,
    last_friday,
    next_month,
    nth_weekday,
    open_on_or_after,
    open_on_or_before,
)

Rule = Callable[[int, int], date]


@dataclass(frozen=True, slots=True)
class Group:
    """How the months of some products end."""

    last: Rule
    """The last trading day."""
    notice: Rule | None = None
    """The first day on which a holder may be told to take delivery: nobody stays that long."""
    leaves: int | None = 2
    """Business days before the end at which trading has moved on; None: the Monday of that week."""
    place: str = AMERICA


def find_last_day(group: str, year: int, month: int) -> date:
    """Return the last trading day of a month. Raises `KeyError` for an unknown group."""
    return _last_day(group, year, month)


@lru_cache(maxsize=4096)
def _last_day(group: str, year: int, month: int) -> date:
    return GROUPS[group].last(year, month)


def find_end(group: str, year: int, month: int) -> date:
    """Return the first notice day where there is one before the last trading day, else that."""
    last, notice = find_last_day(group, year, month), GROUPS[group].notice
    return last if notice is None else min(last, notice(year, month))


def find_leaving_day(group: str, year: int, month: int, roll_days: int | None = None) -> date:
    """Return the day from which the next month is the one to trade.

    `roll_days` are the business days before the end; None means the custom of the market.
    """
    rule, end = GROUPS[group], find_end(group, year, month)
    days = rule.leaves if roll_days is None else roll_days
    return end - timedelta(days=end.weekday()) if days is None else go_back(end, days, rule.place)


def _first(year: int, month: int) -> date:
    return date(year, month, 1)


def _after(year: int, month: int) -> date:
    return date(*next_month(year, month), 1)


def _before_month(business_days: int) -> Rule:
    """Return the n-th last business day of the month before."""
    return lambda year, month: go_back(_first(year, month), business_days)


def _before_end(business_days: int) -> Rule:
    """Return the n-th last business day of the month itself."""
    return lambda year, month: go_back(_after(year, month), business_days)


def _third_friday(place: str) -> Rule:
    return lambda year, month: open_on_or_before(nth_weekday(year, month, FRIDAY, 3), place)


def _before_third_wednesday(business_days: int) -> Rule:
    return lambda year, month: go_back(nth_weekday(year, month, WEDNESDAY, 3), business_days)


def _crude(year: int, month: int) -> date:
    """Return the third business day before the 25th of the month before, the fourth if that is none."""
    day = (_first(year, month) - timedelta(days=1)).replace(day=25)
    return go_back(day, 3 if is_business_day(day) else 4)


def _day_before_crude(year: int, month: int) -> date:
    return go_back(_crude(year, month), 1)


def _coin(year: int, month: int) -> date:
    """Return the last Friday, or the next day back that is a business day in London and in America."""
    day = last_friday(_after(year, month))
    while not is_business_day(day) or (day.month, day.day) == BOXING_DAY:
        day -= timedelta(days=1)
    return day


def _before_fifteenth(year: int, month: int) -> date:
    return go_back(date(year, month, 15), 1)


def _tenth_business_day(year: int, month: int) -> date:
    day = open_on_or_after(_first(year, month))
    for _ in range(9):
        day = open_on_or_after(day + timedelta(days=1))
    return day


def _first_monday(year: int, month: int) -> date:
    return open_on_or_after(nth_weekday(year, month, MONDAY, 1))


def _before_second_friday(year: int, month: int) -> date:
    return go_back(nth_weekday(year, month, FRIDAY, 2), 1)


def _volatility(year: int, month: int) -> date:
    """Return the day 30 days before the third Friday of the next month, or the business day before it.

    Where that Friday is a holiday the options behind it end on the day before: 30 days before that.
    """
    friday = nth_weekday(*next_month(year, month), FRIDAY, 3)
    return open_on_or_before(open_on_or_before(friday) - timedelta(days=30))


def _bund(year: int, month: int) -> date:
    """Return the second exchange day before the delivery day, the 10th or the next exchange day."""
    return go_back(open_on_or_after(date(year, month, 10), EUREX), 2, EUREX)


# CBOT: the first position day, the second business day before the month; one may be told to deliver after.
_FIRST_POSITION = _before_month(2)
GROUPS: dict[str, Group] = {
    "index": Group(_third_friday(AMERICA), leaves=None),
    "nikkei": Group(_before_second_friday, leaves=None),
    "crude": Group(_crude, leaves=4),
    "small_crude": Group(_day_before_crude, leaves=4),
    "gas": Group(_before_month(3), leaves=4),
    "small_gas": Group(_before_month(4), leaves=4),
    "fuel": Group(_before_month(1), leaves=4),
    "metal": Group(_before_end(3), _before_month(1), leaves=1),
    "micro_copper": Group(_before_month(3)),
    "note": Group(_before_end(1), _FIRST_POSITION),
    "bond": Group(_before_end(8), _FIRST_POSITION),
    "grain": Group(_before_fifteenth, _before_month(1)),
    "cattle": Group(_before_end(1), _first_monday),
    "hogs": Group(_tenth_business_day),
    "currency": Group(_before_third_wednesday(2)),
    "canada": Group(_before_third_wednesday(1)),
    "coin": Group(_coin),
    "volatility": Group(_volatility),
    "eurex_index": Group(_third_friday(EUREX), leaves=None, place=EUREX),
    "bund": Group(_bund, place=EUREX),
}
