"""Open an XLSX report of a strategy: its list of trades, and what its properties say.

The package that reads XLSX is optional; nothing of a sheet is computed or run.
"""

from __future__ import annotations

import io
import math
import warnings
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from desk.compare.tables import FileUnreadable, Row, Table

MAX_ROWS = 1_000_000
MAX_UNPACKED = 128 * 1024 * 1024
LIST_SHEET, PROPERTIES_SHEET = "List of trades", "Properties"


def open_report(file: str, data: bytes) -> Table:
    """Open an XLSX report: its list of trades, and what its properties say."""
    try:
        from openpyxl import load_workbook  # noqa: PLC0415 - an optional package
    except ImportError:
        why = "an XLSX report needs the package openpyxl (pip install openpyxl); or export the list as CSV"
        raise FileUnreadable(file, 1, None, why) from None
    try:
        table = _open_sheets(file, data, load_workbook)
    except FileUnreadable:
        raise
    except Exception as error:  # noqa: BLE001 - the package meets a broken file with errors of any kind
        why = f"the report cannot be opened ({type(error).__name__}); export it again"
        raise FileUnreadable(file, 1, None, why) from None
    if table is None:
        raise FileUnreadable(file, 1, None, "the sheet is empty; export the report again")
    return table


def _open_sheets(file: str, data: bytes, load_workbook: Callable[..., Any]) -> Table | None:
    with zipfile.ZipFile(io.BytesIO(data)) as parts:
        if sum(each.file_size for each in parts.infolist()) > MAX_UNPACKED:
            raise FileUnreadable(file, 1, None, "the report is too large; export the list as CSV")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of styles that the report lacks
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    names = {name.lower(): name for name in book.sheetnames}
    sheet = names.get(LIST_SHEET.lower())
    if sheet is None:
        why = f'the report has no sheet "{LIST_SHEET}"; export the strategy report again'
        raise FileUnreadable(file, 1, None, why)
    properties = names.get(PROPERTIES_SHEET.lower())
    about = _read_properties(book[properties]) if properties else {}
    rows = _read_sheet(file, book[sheet])
    header = next(rows, None)
    return header and Table(file, header.cells, rows, properties=about)


def _read_sheet(file: str, sheet: Any) -> Iterator[Row]:
    width = 0
    for line, values in enumerate(_iterate(file, sheet), start=1):
        if line > MAX_ROWS:
            raise FileUnreadable(file, line, None, "the sheet has too many rows")
        cells = [_write_cell(value) for value in values]
        while cells and not cells[-1] and len(cells) > width:
            cells.pop()
        if not any(cells):
            continue
        width = width or len(cells)
        if len(cells) != width:
            why = f"{len(cells)} cells where the header has {width}"
            raise FileUnreadable(file, line, min(len(cells), width) + 1, why)
        yield Row(line, cells)


def _iterate(file: str, sheet: Any) -> Iterator[Any]:
    """Yield the rows of a sheet, which is read as it is asked for: it may be broken further down."""
    line = 1
    try:
        for values in sheet.iter_rows(values_only=True):
            yield values
            line += 1
    except GeneratorExit:
        raise
    except Exception as error:  # noqa: BLE001 - as above
        why = f"the report cannot be read further ({type(error).__name__}); export it again"
        raise FileUnreadable(file, line, None, why) from None


def _read_properties(sheet: Any) -> dict[str, str]:
    rows = ([_write_cell(v) for v in row[:2]] for row in sheet.iter_rows(values_only=True))
    return {row[0]: row[1] for row in rows if len(row) > 1 and row[0]}


def _write_cell(value: object) -> str:
    """Return a cell as a CSV has it; a date is a serial number there and is rounded to the minute."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return (value + timedelta(seconds=30)).strftime("%Y-%m-%d %H:%M")
    if isinstance(value, float):
        return format(Decimal(str(value)).normalize(), "f") if math.isfinite(value) else ""
    return str(value)
