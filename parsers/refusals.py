"""Refuse what cannot be read without guessing, in words that say what to send instead."""

from __future__ import annotations

from .alert import ParseError
from .values import show


def refuse(message: str, field: str | None = None) -> ParseError:
    """Return the error for what was understood and is not supported."""
    return ParseError(message, field=field, code="UNSUPPORTED", status=422)


def refuse_state(key: str, value: object) -> ParseError:
    """Return the error for a position where an order belongs: a partial exit leaves it `long`."""
    return refuse(
        f"{key} {show(value)} is a position's state ({{{{strategy.market_position}}}}), not an order: "
        "send {{strategy.order.action}}, which is buy or sell.",
        key,
    )
