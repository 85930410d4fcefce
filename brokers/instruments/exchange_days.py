"""Count the days on which exchanges trade: the calendar behind last trading days and rolls.

American holidays are those on which CME Group and Cboe do not settle, as their holiday calendars name
them; Eurex's are those of its trading calendar. Both are computed for any year. Special closures that an
exchange announces only weeks ahead are not known. Pure: no clock is read.
"""

from __future__ import annotations

from calendar import FRIDAY, MONDAY, SATURDAY, SUNDAY, THURSDAY
from datetime import date, timedelta
from functools import lru_cache

AMERICA, EUREX = "america", "eurex"
BOXING_DAY = (12, 26)
_FIRST_JUNETEENTH = 2022


def next_month(year: int, month: int) -> tuple[int, int]:
    """Return the year and month after a month."""
    return year + month // 12, month % 12 + 1


def nth_weekday(year: int, month: int, weekday: int, nth: int) -> date:
    """Return the n-th Monday, Friday, … of a month."""
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


def is_business_day(day: date, place: str = AMERICA) -> bool:
    """Tell whether the exchanges of a place trade and settle on a day."""
    return day.weekday() < SATURDAY and day not in _holidays(place, day.year)


def go_back(day: date, business_days: int, place: str = AMERICA) -> date:
    """Return the n-th business day before `day`, which itself does not count."""
    while business_days:
        day -= timedelta(days=1)
        business_days -= is_business_day(day, place)
    return day


def open_on_or_before(day: date, place: str = AMERICA) -> date:
    """Return a day, or the last business day before it."""
    return day if is_business_day(day, place) else go_back(day, 1, place)


def open_on_or_after(day: date, place: str = AMERICA) -> date:
    """Return a day, or the next business day after it."""
    while not is_business_day(day, place):
        day += timedelta(days=1)
    return day


@lru_cache(maxsize=64)
def _holidays(place: str, year: int) -> frozenset[date]:
    return _eurex_holidays(year) if place == EUREX else _american_holidays(year)


def _eurex_holidays(year: int) -> frozenset[date]:
    easter = find_easter(year)
    fixed = [date(year, *day) for day in ((1, 1), (5, 1), (12, 24), (12, 25), (12, 26), (12, 31))]
    return frozenset([*fixed, easter - timedelta(days=2), easter + timedelta(days=1)])


def _american_holidays(year: int) -> frozenset[date]:
    """Return the weekdays on which the American exchanges do not settle."""
    fixed = [date(year, 7, 4), date(year, 12, 25)]
    if year >= _FIRST_JUNETEENTH:
        fixed.append(date(year, 6, 19))
    days = {day + timedelta(days={SATURDAY: -1, SUNDAY: 1}.get(day.weekday(), 0)) for day in fixed}
    new_year = date(year, 1, 1)  # one on a Saturday is not made up for
    days.add(new_year + timedelta(days=new_year.weekday() == SUNDAY))
    days.add(nth_weekday(year, 1, MONDAY, 3))  # Martin Luther King
    days.add(nth_weekday(year, 2, MONDAY, 3))  # Presidents
    days.add(find_easter(year) - timedelta(days=2))
    days.add(date(year, 5, 31) - timedelta(days=date(year, 5, 31).weekday()))  # Memorial
    days.add(nth_weekday(year, 9, MONDAY, 1))  # Labor
    days.add(nth_weekday(year, 11, THURSDAY, 4))  # Thanksgiving
    return frozenset(days)


def last_friday(before: date) -> date:
    """Return the last Friday before a day."""
    day = before - timedelta(days=1)
    return day - timedelta(days=(day.weekday() - FRIDAY) % 7)


def find_easter(year: int) -> date:
    """Return Easter Sunday (the anonymous Gregorian computation)."""
    century, rest = divmod(year, 100)
    golden = year % 19
    lunar = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - century // 4 - lunar + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (rest // 4) - epact - rest % 4) % 7
    shift = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * shift + 114, 31)
    return date(year, month, day + 1)
