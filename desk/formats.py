"""Say how a number, a time and JSON are written; nothing here knows what they mean."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pydantic_core

DECIMALS = 10


def write_number(value: Decimal) -> str:
    """Write a number as people do: no exponent, no trailing zeros, at most ten decimals."""
    text = format(value, "f")
    if "." not in text:
        return "0" if text == "-0" else text
    if len(text) - text.index(".") > DECIMALS + 1:
        text = format(round(value, DECIMALS), "f")
    text = text.rstrip("0").rstrip(".")
    return "0" if text in ("", "-0", "-") else text


def iso(milliseconds: int) -> str:
    """Return a time in UTC as ISO 8601 with milliseconds."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def write_optional(value: Decimal | None) -> str | None:
    """Return a number as text, or None where there is none."""
    return write_number(value) if value is not None else None


def to_json(value: object) -> str:
    """Return JSON that every reader accepts: no NaN, text as it is."""
    return pydantic_core.to_json(value, inf_nan_mode="null").decode()
