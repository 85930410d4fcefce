"""Mask the credentials of a body, readable or not, wherever they stand in it.

It finds secrets by the name of their key and by their value; it does not judge whether one is right.
Masking too much is fine, showing one is not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from .aliases import SECRETS

MASK = "***"
_LONG = 4
"""Shorter secrets are masked only where their key stands: `1` is in every body."""

_NAMES = "|".join(
    sorted({name.replace("_", "[_ -]?") for name in SECRETS}, key=lambda name: (-len(name), name))
)
_ASSIGNED = re.compile(
    rf"(?P<key>(?<![A-Za-z0-9])(?:{_NAMES}))"
    r"(?P<sign>[\"'“”]?\s{0,8}[=:]\s{0,8})"
    r"(?P<value>\"(?:[^\"\\\n]|\\.)*\"?|'[^'\n]*'?|[“”][^“”\n]*[“”]?|[^\s,;&}\]\"'|]+)",
    re.IGNORECASE,
)
_LICENCE = re.compile(r"\s*(?P<value>[^\s,|{}\"]{4,80})\s*[,|]")
_FIRST_LINE = re.compile(r"(?P<value>[A-Za-z0-9_.!-]{4,40})\n")


def find_secrets(text: str) -> list[str]:
    """Return what looks like a credential in a body that could not be read."""
    found = [match["value"].strip("\"'“”") for match in _ASSIGNED.finditer(text)]
    start = _LICENCE.match(text)
    if start and any(character.isdigit() for character in start["value"]):
        found.append(start["value"])
    elif start and "|" in start[0]:
        found.append(start["value"])
    first = _FIRST_LINE.match(text)
    if first and any(character.isdigit() for character in first["value"]):
        found.append(first["value"])
    return [secret for secret in found if secret.strip()]


def mask(text: str, secrets: Iterable[str]) -> str:
    """Return a body that was read, with each of its secrets masked."""
    masked = hide(text, secrets)
    if all(len(secret) >= _LONG and secret in text for secret in secrets):
        return masked
    # Too short to be looked for, or spelled with escapes: masked by the key it stands under.
    return _ASSIGNED.sub(_mask_assigned, masked)


def mask_unread(text: str, secrets: Iterable[str]) -> str:
    """Return a body that could not be read, masked by key and by value."""
    return hide(_ASSIGNED.sub(_mask_assigned, text), secrets)


def _mask_assigned(match: re.Match[str]) -> str:
    value = match["value"]
    quote = value[0] if value[0] in "\"'“" else ""
    if value in ("null", "true", "false", "{", "["):
        return match[0]
    return f"{match['key']}{match['sign']}{quote}{MASK}{'”' if quote == '“' else quote}"


def hide(text: str, values: Iterable[str]) -> str:
    """Return `text` without any of `values`, also where JSON spells one with escapes."""
    for value in sorted(values, key=len, reverse=True):
        if len(value) < _LONG:
            continue
        text = text.replace(value, MASK)
        for spelled in (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]):
            text = text.replace(spelled, MASK)
    return text
