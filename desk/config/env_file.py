"""Read the variables of .env, and find those that were meant to be ours and are not.

A line that cannot be read is reported by its number: what it held may be a secret, and without that line the
receiver would start open. Nothing here says what a variable does, and no value is ever shown.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from pathlib import Path

from dotenv.parser import Binding, parse_stream

ALIKE = 0.8
"""How much two names share (0 to 1) before one is taken for a misspelling of the other."""
BROKEN = "cannot be read: write NAME=value on one line, and close the quotes that the line opens"


def read_env_file(file: Path) -> tuple[dict[str, str], list[int]]:
    """Return the variables that are set, and the numbers of the lines that cannot be read.

    A dollar sign means itself. Raises `OSError` and `UnicodeDecodeError`.
    """
    with file.open(encoding="utf-8-sig") as text:
        bindings = list(parse_stream(text))
    values = {each.key: each.value for each in bindings if each.key and each.value is not None}
    broken = [_line(each) for each in bindings if each.error]
    return {name: value for name, value in values.items() if value}, broken


def find_misspelt(names: Iterable[str], known: Collection[str]) -> list[tuple[str, str]]:
    """Return each name that nobody reads with the known one it looks like."""
    found = []
    for name in names:
        near = difflib.get_close_matches(name.upper(), known, 1, ALIKE) if name not in known else []
        found += [(name, each) for each in near]
    return found


def _line(binding: Binding) -> int:
    """Return the line a statement begins on; the empty lines before it belong to it."""
    text = binding.original.string
    return binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")
