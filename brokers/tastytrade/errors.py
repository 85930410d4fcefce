"""Say what Tastytrade's refusals mean: the code of the envelope, and the reasons inside it in words.

Source: developer.tastytrade.com, "Errors" and "Authentication"; the order API's swagger.
"""

from __future__ import annotations

from typing import Any

from brokers.protocol import (
    INSUFFICIENT_BALANCE,
    KEYS_REFUSED,
    MARKET_CLOSED,
    NOT_PERMITTED,
    ORDER_UNKNOWN,
    BrokerRefused,
)
from brokers.wire.client import HttpResponse
from brokers.wire.errors import ErrorTable, read_code, refuse

CLIENT_ID = "TASTYTRADE_CLIENT_ID"
CLIENT_SECRET, REFRESH_TOKEN = "TASTYTRADE_CLIENT_SECRET", "TASTYTRADE_REFRESH_TOKEN"
ERRORS = ErrorTable(
    "Tastytrade",
    codes={
        "not_permitted": (
            NOT_PERMITTED,
            "Tastytrade does not permit this: the grant needs the scope trade, and the account the right.",
        ),
        "record_not_found": (ORDER_UNKNOWN, "Tastytrade has no such order."),
    },
    texts={
        "buying power": (INSUFFICIENT_BALANCE, "The account has not enough buying power."),
        "margin": (INSUFFICIENT_BALANCE, "The account has not enough margin for the order."),
        "market is closed": (MARKET_CLOSED, "The market is closed now."),
        "outside of market hours": (MARKET_CLOSED, "The market is closed now."),
    },
)


def explain(reply: HttpResponse) -> Exception | None:
    """Return what an answer of 400 and above means; None for the usual reading."""
    if reply.status == 401:
        return BrokerRefused("Tastytrade does not take the token.", KEYS_REFUSED)
    if not 400 <= reply.status < 500 or reply.status == 429 or not isinstance(reply.data, dict):
        return None
    error = reply.data.get("error")
    if not isinstance(error, dict):
        said = reply.data.get("error_description") or reply.data.get("error_code")
        return refuse(ERRORS, reply.status, said) if isinstance(said, str) else None
    code, words = _read(error, "code"), _say(error)
    known = read_code(ERRORS, code, words)
    if isinstance(known, BrokerRefused) and words:
        return BrokerRefused(f"{known.message} Tastytrade says: {words}", known.code)
    return known or refuse(ERRORS, code or reply.status, words)


def _say(error: dict[str, Any]) -> str:
    """Return the reasons inside an error, which say more than its own text."""
    inner = error.get("errors")
    rows = [each for each in inner if isinstance(each, dict)] if isinstance(inner, list) else []
    said = [
        _read(each, "message") or f"{_read(each, 'domain')} {_read(each, 'reason')}".strip()
        for each in rows
    ]
    return "; ".join(each for each in said if each) or _read(error, "message")


def _read(data: dict[str, Any], name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""
