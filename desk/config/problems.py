"""Collect what is wrong with settings, each once, in words that name the place and the remedy.

It never quotes a value that could be a secret.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from desk.config.settings import (
    Account,
    DefaultLevel,
    Logging,
    Mcp,
    Options,
    Performance,
    Risk,
    RiskEverywhere,
    SizingBlock,
    Strategy,
    Webhook,
)

BLOCKS: Mapping[str, type[BaseModel]] = {
    "webhook": Webhook,
    "risk": RiskEverywhere,
    "logging": Logging,
    "mcp": Mcp,
    "accounts": Account,
    "strategies": Strategy,
}
"""The settings that hold settings; of accounts and strategies there are many."""
Location = tuple[str, ...]


INNER: Mapping[str, type[BaseModel]] = {
    "risk": Risk,
    "sizing": SizingBlock,
    "stop_loss": DefaultLevel,
    "take_profit": DefaultLevel,
}
"""The blocks inside those."""


class Problems:
    """Collect what is wrong, once per place, under the name the user knows the place by."""

    def __init__(self, file: str) -> None:
        self.lines: list[str] = []
        self.origins: dict[Location, str] = {}
        """What the user calls a setting that is not written in the file like that: `.env: PORT`."""
        self._file = file
        self._paths: set[Location] = set()

    def say_instead(self, path: Location, written: Location) -> None:
        """Report `path` under the name that stands in the file."""
        self.origins[path] = f"{self._file}: {dotted(written)}"

    def add(self, path: Location, text: str) -> None:
        """Report `text` about the setting at `path`, unless something is reported there already."""
        if any(path[:length] in self._paths for length in range(1, len(path) + 1)):
            return
        self._paths.add(path)
        where = self.origins.get(path) or ": ".join(filter(None, (self._file, dotted(path))))
        self.lines.append(f"{where}: {text}")


def describe_mistake(detail: Mapping[str, Any], path: Location) -> str:
    """Say in the user's words what pydantic found at `path`."""
    kind = detail["type"]
    if kind == "extra_forbidden":
        return _unknown(path)
    if kind == "told":
        return str(detail["msg"])
    write_number = {
        "bool_type": "true or false",
        "string_type": "a text",
        "literal_error": str(detail.get("ctx", {}).get("expected")).replace("'", ""),
    }
    expected = f"expected {write_number[kind]}" if kind in write_number else str(detail["msg"])
    return expected + _found(path, detail["input"])


def _found(path: Location, value: object) -> str:
    """Quote what was found, unless it may hold a secret."""
    if path[0] == "notify" or path[-1] in (
        "secret",
        "old_secret",
        "state",
        "token",
        "metrics_token",
    ):
        return ""
    if isinstance(value, str):
        shown = repr(value[:40])[1:-1].replace('"', "'")
        return f', found "{shown}"'
    named: Mapping[type, str] = {dict: "a block", list: "a list", type(None): "nothing"}
    return f", found {named.get(type(value), str(value).lower()[:40])}"


def _unknown(path: Location) -> str:
    """Name the setting that an unknown one was probably meant to be."""
    in_performance = "performance" in (path[0], *path[2:3]) and len(path) > 1
    model = Performance if in_performance else BLOCKS[path[0]] if len(path) > 1 else Options
    if len(path) > 3 and path[2] in INNER:
        model = INNER[path[2]]
    known = [*model.model_fields, *(("exchange",) if model is Strategy else ())]
    near = difflib.get_close_matches(path[-1].lower(), known, 1, 0.6)
    if near:
        return f"is not a setting; did you mean {near[0]}?"
    for block, other in BLOCKS.items():
        if path[-1] in other.model_fields:
            is_one = block in ("webhook", "logging", "mcp", "risk")
            place = f"{block}.{path[-1]}" if is_one else f"each of {block}"
            return f"is not a setting here; it belongs to {place}"
    return f"is not a setting; known here: {', '.join(known)}"


def dotted(path: Location) -> str:
    """Return a place as it is written: `accounts.main.risk`."""
    return ".".join(part[:64] if part.isprintable() else ascii(part[:64]) for part in path)
