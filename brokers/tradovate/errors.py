"""Say what Tradovate's refusals mean. It fails inside answers of HTTP 200, in three shapes.

A penalty ticket is no refusal: the request is continued with it (`session`). What has neither an id nor a
reason is a doubt, because an order may stand behind it.

Source: Tradovate Partner OpenAPI, `failureReason`, `errorText` and the penalty ticket; its FAQ on limits.
"""

from __future__ import annotations

from typing import Any

from brokers.protocol import (
    INSUFFICIENT_BALANCE,
    KEYS_REFUSED,
    MARKET_CLOSED,
    NOT_PERMITTED,
    ORDER_GONE,
    SYMBOL_UNKNOWN,
    THROTTLED,
    BrokerRefused,
)
from brokers.wire.client import HttpResponse
from brokers.wire.errors import ErrorTable, read_code, refuse

USERNAME, PASSWORD = "TRADOVATE_USERNAME", "TRADOVATE_PASSWORD"
CID, SECRET = "TRADOVATE_CID", "TRADOVATE_SECRET"
ACCESS_TOKEN = "TRADOVATE_ACCESS_TOKEN"
TICKET = "p-ticket"
QUOTA_SECONDS = 60.0
"""After a 429 a reducing order is tried once a minute; opening ones wait longer (`session`)."""
_CLOSED = "Tradovate does not trade it now: the session is closed."
_LOCKED = "Tradovate has locked the account for trading. Look into its risk settings there."
_LIMIT = "The order is above the most that Tradovate or the firm lets this account hold."
ERRORS = ErrorTable(
    "Tradovate",
    codes={
        "InvalidContract": (SYMBOL_UNKNOWN, "Tradovate does not know the contract."),
        "BackMonthProhibited": (NOT_PERMITTED, "This account may trade the front month only."),
        "SessionClosed": (MARKET_CLOSED, _CLOSED),
        "NoQuote": (MARKET_CLOSED, "Tradovate has no quote of the contract now."),
        "TooLate": (ORDER_GONE, "The order works no more."),
        "TradingLocked": (NOT_PERMITTED, _LOCKED),
        "AccountClosed": (NOT_PERMITTED, "Tradovate has closed the account."),
        "Unauthorized": (NOT_PERMITTED, "This login may not trade on the account."),
        "LiquidationOnly": (NOT_PERMITTED, "The account may only close positions now."),
        "LiquidationOnlyBeforeExpiration": (
            NOT_PERMITTED,
            "The contract is near its end: only closing is allowed. Name the next one.",
        ),
        "MaxOrderQtyLimitReached": (NOT_PERMITTED, _LIMIT),
        "MaxPosLimitReached": (NOT_PERMITTED, _LIMIT),
        "MaxTotalPosLimitReached": (NOT_PERMITTED, _LIMIT),
    },
    texts={
        "access is denied": (
            NOT_PERMITTED,
            (
                "Tradovate denies access to the account. Check account: in config.yaml (its name, like "
                "DEMO123456), whether it lives on the demo or the live host, and whether the login has "
                "API access."
            ),
        ),
        "insufficient": (INSUFFICIENT_BALANCE, "The account has not enough margin for the order."),
        "margin": (INSUFFICIENT_BALANCE, "The account has not enough margin for the order."),
    },
    unknown=frozenset({"RiskCheckTimeout"}),
)


def explain(reply: HttpResponse) -> Exception | None:
    """Return what an answer means that is no plain success; None for the usual reading."""
    if reply.status == 429:
        text = (
            "Tradovate's quota is used up for about an hour; only exits are tried, once a minute."
        )
        return BrokerRefused(text, THROTTLED, retry_after=QUOTA_SECONDS)
    if reply.status == 401:
        return BrokerRefused("Tradovate does not take the token.", KEYS_REFUSED)
    if reply.status >= 300 or not isinstance(reply.data, dict):
        return None
    reason, words = (_read_text(reply.data, name) for name in ("failureReason", "failureText"))
    if reason not in ("", "Success"):
        return read_code(ERRORS, reason, words) or refuse(ERRORS, reason, words)
    problem = _read_text(reply.data, "errorText")
    return refuse(ERRORS, "errorText", problem) if problem else None


def _read_text(data: dict[str, Any], name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""
