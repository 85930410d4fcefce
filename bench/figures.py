"""Hold what was measured against its target, and print one compact table of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `is_met` is None where there is no target or it could not be measured."""

    name: str
    value: str
    target: str = ""
    is_met: bool | None = None


def print_table(figures: Sequence[Figure]) -> int:
    """Print the figures and return the exit status: 1 where a target was missed."""
    marks = {True: "ok", False: "MISSED", None: ""}
    rows = [(each.name, each.value, each.target, marks[each.is_met]) for each in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        cells = (text.ljust(width) for text, width in zip(row, widths, strict=False))
        print("  ".join((*cells, row[3])).rstrip())
    return 1 if any(each.is_met is False for each in figures) else 0
