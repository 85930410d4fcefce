"""Read the numbers and dates of an export, also of one that a spreadsheet has saved again.

Which mark stands before the decimals, and which part of a date is the month, is decided by all cells of a
file together. Where they cannot say it, nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal, InvalidOperation

_PLAIN = re.compile(r"-?\d{1,15}(\.\d{1,20})?\Z")
_SHAPE = re.compile(r"-?[\d.,\s]*\d[\d.,\s]*\Z")
_DAYS_FIRST = re.compile(
    r"(\d{1,2})([./])(\d{1,2})\.?[./]?(\d{4})(?: (\d{1,2}:\d{2})(?::\d{2})?)?\Z"
)
_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:[ T](\d\d:\d\d)(?::\d\d)?)?\Z")


def clean(cell: str) -> str:
    """Return a number's text with a plain minus and without spaces."""
    return cell.strip().replace("\u2212", "-").replace("\u00a0", "").replace("\u202f", "")


def find_decimal_mark(cells: Iterable[str], *, is_resaved: bool) -> str:
    """Return `.` or `,` as these numbers use it, or nothing where they do not say.

    TradingView itself writes a point. Of a file that was saved again, a mark with other than three digits
    behind it, or behind the other mark, is the decimal one.
    """
    said: set[str] = set()
    doubtful = False
    for raw in cells:
        cell = clean(raw)
        if "." in cell and "," in cell:
            said.add("." if cell.rfind(".") > cell.rfind(",") else ",")
            continue
        for mark in ".,":
            parts = cell.split(mark)
            if len(parts) == 2:
                if len(parts[1]) == 3 and 1 <= len(parts[0].lstrip("-")) <= 3:
                    doubtful = True
                else:
                    said.add(mark)
            elif len(parts) > 2:
                said.add("," if mark == "." else ".")
    if len(said) == 1:
        return said.pop()
    if not said and (not doubtful or not is_resaved):
        return "."
    return ""


def read_number(cell: str, mark: str) -> Decimal | None:
    """Return a number, exactly; None where the cell is none."""
    text = clean(cell)
    if mark == ",":
        text = text.replace(".", "").replace(",", ".")
    elif "," in text:
        text = text.replace(",", "")
    if not _PLAIN.match(text):
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def is_number(cell: str) -> bool:
    """Whether a cell looks like a number of any spelling."""
    return bool(_SHAPE.match(clean(cell)))


def find_date_order(cells: Iterable[str]) -> str:
    """Return which part of dates with slashes comes first, `day` or `month`; nothing where none says it."""
    first = second = 0
    for cell in cells:
        found = _DAYS_FIRST.match(cell)
        if found and found[2] == "/":
            first, second = max(first, int(found[1])), max(second, int(found[3]))
    if first > 12 >= second:
        return "day"
    if second > 12 >= first:
        return "month"
    return ""


def read_date(cell: str, order: str) -> tuple[datetime, bool] | None:
    """Return a wall clock's time and whether the cell has one beside the date; None where it is neither."""
    text = cell.strip()
    try:
        if found := _ISO.match(text):
            at = datetime.fromisoformat(text[:16])
            return (at, found[1] is not None) if _is_usual(at) else None
        found = _DAYS_FIRST.match(text)
        if not found or (found[2] == "/" and not order):
            return None
        day, month = int(found[1]), int(found[3])
        if found[2] == "/" and order == "month":
            day, month = month, day
        at = datetime(int(found[4]), month, day)  # noqa: DTZ001 - a wall clock of a zone told elsewhere
        if found[5]:
            hour, minute = map(int, found[5].split(":"))
            at = at.replace(hour=hour, minute=minute)
    except ValueError:
        return None
    return (at, found[5] is not None) if _is_usual(at) else None


def _is_usual(at: datetime) -> bool:
    """Whether charts reach there: at the very ends of the calendar no zone can be counted from."""
    return 1900 <= at.year <= 2200


def read_count(cell: str) -> int | None:
    """Return a whole number of plain digits; None where the cell is none, or of a length that none has."""
    text = cell.strip()
    return int(text) if len(text) <= 15 and text.isascii() and text.isdigit() else None
