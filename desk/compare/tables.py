"""Read a table that TradingView exported, or a spreadsheet saved again, record by record.

A file is read fully or refused with the place at which reading stopped. What a column means is not known
here.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

CELL = 262_144
"""The longest cell: an alert() call has at most 40,960 characters."""
ZIPPED = b"PK\x03\x04"
"""How an XLSX file begins."""
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")
csv.field_size_limit(CELL)


class FileUnreadable(Exception):
    """A file cannot be read fully: where, and why."""

    def __init__(self, file: str, line: int, column: int | str | None, why: str) -> None:
        self.file, self.line, self.column, self.why = file, line, column, why
        place = f"line {line}" + (f", column {column}" if column is not None else "")
        super().__init__(f"{file}, {place}: {why}")


class Row(NamedTuple):
    """One record: the line on which it begins, and its cells."""

    line: int
    cells: list[str]


@dataclass(slots=True)
class Table:
    """One file: its header, and its records as they are asked for, once."""

    file: str
    header: list[str]
    rows: Iterator[Row]
    delimiter: str = ","
    properties: dict[str, str] = field(default_factory=dict)
    """What a report's sheet of properties says; empty for a CSV."""


def open_table(file: str, data: bytes) -> Table:
    """Return the table of a CSV. Raises `FileUnreadable`."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:1000]:
        raise FileUnreadable(
            file, 1, 1, "it is no UTF-8 text; take the file as TradingView wrote it"
        )
    data = data.removeprefix(b"\xef\xbb\xbf")
    first = data.split(b"\n", 1)[0]
    delimiter = max(",;\t", key=lambda mark: first.count(mark.encode()))
    rows = _read_records(file, data, delimiter)
    header = next(rows, None)
    if header is None:
        raise FileUnreadable(file, 1, None, "the file is empty; export it again")
    return Table(file, [cell.strip() for cell in header.cells], rows, delimiter)


def _decode_lines(file: str, data: bytes) -> Iterator[str]:
    """Yield the lines of a file, so that it is in memory once."""
    for number, found in enumerate(_LINE.finditer(data), start=1):
        try:
            yield found[0].decode()
        except UnicodeDecodeError as error:
            why = f"byte {error.start + 1} is not UTF-8; take the file as TradingView wrote it"
            raise FileUnreadable(file, number, None, why) from None


def _read_records(file: str, data: bytes, delimiter: str) -> Iterator[Row]:
    reader = csv.reader(_decode_lines(file, data), delimiter=delimiter, strict=True)
    width, line = 0, 1
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            column = _find_broken_cell(data, line, delimiter)
            why = "a quote is not closed, or stands where none may; was the file edited?"
            raise FileUnreadable(file, line, column, why) from None
        if not cells:
            continue
        width = width or len(cells)
        if len(cells) != width:
            column = min(len(cells), width) + 1
            why = f"{len(cells)} cells where the header has {width}; was the file cut or edited?"
            raise FileUnreadable(file, line, column, why)
        yield Row(line, cells)


def _find_broken_cell(data: bytes, line: int, delimiter: str) -> int:
    """Return the number of the cell at which a record cannot be read."""
    start = 0
    for _ in range(line - 1):
        start = data.find(b"\n", start) + 1
    text = data[start : start + CELL].decode(errors="replace")
    column, at, size = 1, 0, len(text)
    while at < size:
        if text[at] != '"':
            end = next((i for i in range(at, size) if text[i] in f"{delimiter}\r\n"), size)
        else:
            end = at + 1
            while end < size and (text[end] != '"' or text[end : end + 2] == '""'):
                end += 2 if text[end : end + 2] == '""' else 1
            end += 1
            if end > size or (end < size and text[end] not in f"{delimiter}\r\n"):
                return column
        if end >= size or text[end] != delimiter:
            return column
        column, at = column + 1, end + 1
    return column
