"""Say what the settings are, a line each, without a secret; and tell two configurations apart."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from desk.config.settings import (
    Options,
    Performance,
    Secret,
    Settings,
)


def describe(settings: Settings) -> list[str]:
    """Return the effective settings as lines in the form of config.yaml; secrets are `***`."""
    lines = [line for name in Options.model_fields for line in _lines(name, settings, 0)]
    for name, account in settings.accounts.items():
        lines += [f'# {name}: {each}: "***"' for each in account.credentials]
        lines += [f"# {name}: {each} is not set" for each in account.missing]
    return [*lines, f"# ADMIN_TOKEN {'is set' if settings.admin_token else 'is not set'}"]


def config_hash(settings: Settings) -> str:
    """Return a short name for these settings; equal settings share it, secrets do not count."""
    return hashlib.sha256("\n".join(describe(settings)).encode()).hexdigest()[:12]


def _lines(name: str, block: Any, depth: int) -> Iterator[str]:
    value = block[name] if isinstance(block, Mapping) else getattr(block, name)
    if isinstance(value, BaseModel):
        # A strategy's own lines win over the top level's: shown are those that it has.
        is_partial = isinstance(value, Performance) and depth > 0
        names = [
            n for n in type(value).model_fields if not is_partial or n in value.model_fields_set
        ]
        value = {key: getattr(value, key) for key in names}
    if name == "notify" and value:
        value = {str(at): each for at, each in enumerate(value, 1)}
    key = "  " * depth + (name if re.fullmatch(r"[A-Za-z_][\w .-]*", name) else json.dumps(name))
    if isinstance(value, Mapping) and value:
        yield f"{key}:"
        for inner in value:
            yield from _lines(inner, value, depth + 1)
    else:
        yield f"{key}: {_shown(value)}"


def _shown(value: object) -> str:
    if isinstance(value, Secret):
        return '"***"'
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Mapping):
        return "{}"
    return json.dumps(value, ensure_ascii=False)


def sum_up(settings: Settings, warned: Collection[str]) -> str:
    """Return the last word of a check: with these settings it starts."""
    where = settings.file.name if settings.file.is_file() else "without a config.yaml everything"
    return f"{where} is in order{'; mind the warnings above' if warned else ''}."
