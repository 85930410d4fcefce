"""Read the fields of a venue's answer, and write numbers the way a venue takes them.

What is missing, of another type or no finite number is `Uncertain`: an order may stand behind the answer.
Nothing here knows which venue it is, or what a field means.
"""

from __future__ import annotations

import json
import re
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from brokers.protocol import BrokerRefused, Uncertain

ZERO = Decimal(0)
MOST_DIGITS = 24
_NUMBER = re.compile(r"-?[0-9]{1,24}(?:\.[0-9]{1,18})?", re.ASCII)


def require(data: Any, name: str, kind: type) -> Any:
    """Return a field of the type it must have. Raises `Uncertain` naming it."""
    value = data.get(name) if isinstance(data, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool) is not (kind is bool):
        raise unreadable(f"{name} is missing or of another type")
    return value


def require_text(data: Any, name: str) -> str:
    """Return a text that must be there and say something."""
    value: str = require(data, name, str)
    if not value:
        raise unreadable(f"{name} is empty")
    return value


def require_rows(data: Any) -> list[Any]:
    """Return a list that must be one."""
    if not isinstance(data, list):
        raise unreadable("it is no list")
    return data


def require_decimal(data: Any, name: str) -> Decimal:
    """Return a number that the venue writes as text. Raises `Uncertain` for anything else, NaN too."""
    text = require(data, name, str)
    if not _NUMBER.fullmatch(text):
        raise unreadable(f"{name} is no number")
    return Decimal(text)


def require_number(data: Any, name: str) -> Decimal:
    """Return a number that the venue writes as one; text is something else."""
    value = data.get(name) if isinstance(data, dict) else None
    if not isinstance(value, int | Decimal) or isinstance(value, bool):
        raise unreadable(f"{name} is missing or no number")
    number = Decimal(value)
    if not number.is_finite() or number.adjusted() > MOST_DIGITS:
        raise unreadable(f"{name} is out of range")
    return number


def optional_decimal(data: Any, name: str) -> Decimal | None:
    """Return a number written as text, None where it is missing, null or empty."""
    if not isinstance(data, dict) or data.get(name) in (None, ""):
        return None
    return require_decimal(data, name)


def optional_number(data: Any, name: str) -> Decimal | None:
    """Return a number written as one, None where it is missing or null."""
    if not isinstance(data, dict) or data.get(name) is None:
        return None
    return require_number(data, name)


def unreadable(what: str) -> Uncertain:
    """Return the doubt that an answer leaves which cannot be read, saying what is wrong with it."""
    return Uncertain(f"The venue's answer cannot be read: {what}.")


def require_level(price: Decimal | None) -> Decimal:
    """Return a price that the kind of an order cannot do without."""
    if price is None:
        raise BrokerRefused("The order lacks a price that its type needs.", "NO_PRICE")
    return price


def write_plain(value: Decimal) -> str:
    """Write a number without exponent and without decimals that say nothing."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def write_json(value: Any) -> bytes:
    """Write JSON with every `Decimal` as the number it is: a float would be another one."""
    return _encode(value).encode()


def _encode(value: Any) -> str:
    if isinstance(value, Decimal):
        return write_plain(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{_encode(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_encode, value)) + "]"
    return json.dumps(value)


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """Round down to a multiple of `step`."""
    return (value / step).to_integral_value(ROUND_FLOOR) * step
