"""Read a JSON body into its objects, exactly: no rounding, no duplicate keys, no deep nesting.

It knows brackets, not orders: what a key means is not decided here. JSON that is broken is given to
`placeholders.mend` once and is otherwise refused with the place of the fault.
"""

from __future__ import annotations

import json
import re
from typing import Any

from .alert import ParseError
from .placeholders import Unreadable, mend
from .values import Number

MAX_DEPTH = 32
MAX_MEMBERS = 2_000
MAX_ORDERS = 50
# A string without an end runs to the end of the text, so that the search stays linear.
_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)', re.DOTALL)


def _read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that stands twice: the last would win, and it could be the other side."""
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ParseError(f"The key {twice[:40]!a} stands twice in one object: send it once.")
    return members


_DECODER = json.JSONDecoder(
    object_pairs_hook=_read_object,
    parse_float=Number,
    parse_int=Number,
    parse_constant=Unreadable,
)


def read(text: str) -> tuple[Any, list[str]]:
    """Return what the JSON `text` holds, and what had to be mended in it.

    Numbers come as `Number` (their digits), what is no value as `Unreadable`.
    """
    _check_size(text)
    try:
        value = _DECODER.decode(text)
        repairs: list[str] = []
    except json.JSONDecodeError as error:
        value, repairs = _read_mended(text, error)
    if "\\u" in text:
        _check_characters(value)
    return value, repairs


def _read_mended(text: str, error: json.JSONDecodeError) -> tuple[Any, list[str]]:
    mended = mend(text)
    markers = iter(mended.markers)
    # `mend` leaves no constant but its own markers, in their order.
    decoder = json.JSONDecoder(
        object_pairs_hook=_read_object,
        parse_float=Number,
        parse_int=Number,
        parse_constant=lambda _: Unreadable(next(markers, "")),
    )
    try:
        return decoder.decode(mended.text), mended.repairs
    except json.JSONDecodeError:
        raise ParseError(
            f"The JSON is broken at line {error.lineno}, column {error.colno}: {error.msg}."
        ) from None


def _check_size(text: str) -> None:
    """Refuse what is nested or repeated beyond any alert, before a decoder recurses into it."""
    if text.count(":") > MAX_MEMBERS and _STRINGS.sub("", text).count(":") > MAX_MEMBERS:
        raise ParseError(f"The JSON has more than {MAX_MEMBERS} members.")
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for character in _STRINGS.sub("", text):
        if character in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise ParseError(f"The JSON is nested more than {MAX_DEPTH} levels deep.")
        elif character in "]}":
            depth -= 1


def _check_characters(value: object) -> None:
    """Refuse what no text can hold once it is written: lone surrogates and NUL."""
    if isinstance(value, dict):
        for key, member in value.items():
            _check_characters(key)
            _check_characters(member)
    elif isinstance(value, list):
        for member in value:
            _check_characters(member)
    elif isinstance(value, str) and (
        "\0" in value or any("\ud800" <= character <= "\udfff" for character in value)
    ):
        raise ParseError("The JSON has a NUL or half a character (\\ud800…): take it out.")
