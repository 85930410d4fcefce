"""Mask the credentials of a body, readable or not, wherever they stand in it.

It finds secrets by the name of their key and by their value; it does not judge whether one is right.
Masking too much is fine, showing one is not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator

from .aliases import SECRET_WORDS, is_secret

MASK = "***"
_LONG = 4
"""Shorter secrets are masked only where their key stands: `1` is in every body."""

_KEY = re.compile(r"(?<![A-Za-z0-9])(?P<key>[A-Za-z][A-Za-z0-9_-]{1,40})[\"'“”]?\s{0,8}[=:]\s{0,8}")
_VALUE = re.compile(
    r"\"(?:[^\"\\\n]|\\.)*\"?|'[^'\n]*'?|[“”][^“”\n]*[“”]?|(?!null|true|false)[^\s,;&}\]\"'|{\[]+"
)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))")
_FLAT = re.compile(r'"(?P<key>[A-Za-z_-]{1,40})"(?P<gap>\s*:\s*)"[^"\\]*"')
MAX_GLANCES = 300
_LOWER = {capital: capital + 32 for capital in range(ord("A"), ord("Z") + 1)}
_KEY_START = re.compile(r"[A-Za-z0-9_-]{1,41}\Z")
_KEY_END = re.compile(r"[A-Za-z0-9_-]{0,41}(?P<end>)[\"'“”]?\s{0,8}[=:]\s{0,8}")
_LICENCE = re.compile(r"\s*(?P<value>[^\s,|{}\"]{4,80})\s*[,|]")
_FIRST_LINE = re.compile(r"(?P<value>[A-Za-z0-9_.!-]{4,40})\n")


def find_secrets(text: str) -> list[str]:
    """Return what looks like a credential in a body that could not be read."""
    found = [match[0].strip("\"'“”") for match in _find_values(text)]
    start = _LICENCE.match(text)
    if start and ("|" in start[0] or any(letter.isdigit() for letter in start["value"])):
        found.append(start["value"])
    first = _FIRST_LINE.match(text)
    if first and any(letter.isdigit() for letter in first["value"]):
        found.append(first["value"])
    return list(dict.fromkeys(secret for secret in found if secret.strip()))


def glance(body: bytes) -> list[str]:
    """Return what may be a credential in a large body that is not going to be read.

    It looks behind the words that name one and nowhere else, which costs a twentieth of reading. Escapes
    are undone first, those of JSON inside a string of JSON too. A body with more such words than any
    array of orders has gives them up: nothing in it counts.
    """
    text = body.decode("utf-8", "backslashreplace")
    for _ in range(2):
        if "\\" in text:
            text = _unescape(text)
    lowered = text.lower() if text.isascii() else text.translate(_LOWER)  # one for one
    found: dict[str, None] = {}
    count = 0
    for word in SECRET_WORDS:
        at = lowered.find(word)
        while at >= 0:
            count += 1
            if count > MAX_GLANCES:
                return []
            end = _KEY_END.match(text, at)
            value = end and _VALUE.match(text, end.end())
            if value:
                start = _KEY_START.search(text, max(0, at - 41), at)
                key = text[start.start() if start else at : end.start("end")]  # type: ignore[union-attr]
                if is_secret(key):
                    found[value[0].strip("\"'“”")] = None
            at = lowered.find(word, at + len(word))
    return [value for value in found if value.strip()]


def mask_flat(text: str) -> str:
    """Mask the secrets of a flat JSON object by their keys: the usual alert, at a tenth of the cost.

    Whoever compares texts asks this first; only `mask` and what is around it make a text fit to be shown.
    """
    return _FLAT.sub(
        lambda m: f'"{m["key"]}"{m["gap"]}"{MASK}"' if is_secret(m["key"]) else m[0], text
    )


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else m[2], text)


def _find_values(text: str) -> Iterator[re.Match[str]]:
    """Yield the value behind each key that names a credential, nested strings included."""
    end = 0
    for key in _KEY.finditer(text):
        # What stands inside a secret is masked with it; looking again would be quadratic.
        if key.start() >= end and is_secret(key["key"]):
            value = _VALUE.match(text, key.end())
            if value:
                end = value.end()
                yield value


def mask(text: str, secrets: Collection[str]) -> str:
    """Return a body that was read, with each of its secrets masked."""
    masked = hide(text, secrets)
    if all(len(secret) >= _LONG and secret in text for secret in secrets):
        return masked
    # Too short to be looked for, or spelled with escapes: masked by the key it stands under.
    masked = hide(_mask_values(text), secrets)
    plain = _unescape(masked)
    return MASK if hide(plain, secrets) != plain else masked


def mask_unread(text: str, secrets: Collection[str]) -> str:
    """Return a body that could not be read, masked by key and by value."""
    return hide(_mask_values(text), secrets)


def _mask_values(text: str) -> str:
    pieces: list[str] = []
    end = 0
    for value in _find_values(text):
        quote = value[0][0] if value[0][0] in "\"'“”" else ""
        pieces += [text[end : value.start()], quote, MASK, "”" if quote == "“" else quote]
        end = value.end()
    return "".join([*pieces, text[end:]])


def hide(text: str, values: Iterable[str]) -> str:
    """Return `text` without any of `values`, also where JSON spells one with escapes."""
    for value in sorted(values, key=len, reverse=True):
        if len(value) < _LONG:
            continue
        text = text.replace(value, MASK)
        if value.isascii() and value.isprintable() and '"' not in value and "\\" not in value:
            continue  # JSON spells it as it is
        for spelled in (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]):
            text = text.replace(spelled, MASK)
    return text
