"""Say what ProjectX's refusals mean. They come inside HTTP 200, and a code means another thing at each path.

`success` alone decides: a refused order can carry a number all the same. What the gateway does not know
itself (pending, unknown error) is a doubt, because an order may stand behind it.

Source: ProjectX Gateway API, the `errorCode` enums of its Swagger file (2025-09-21); refusals recorded live.
"""

from __future__ import annotations

from brokers.protocol import (
    DUPLICATE,
    INSUFFICIENT_BALANCE,
    MARKET_CLOSED,
    NOT_PERMITTED,
    ORDER_GONE,
    ORDER_UNKNOWN,
    SYMBOL_UNKNOWN,
    UNSUPPORTED,
    BrokerRefused,
)
from brokers.wire.errors import ErrorTable, read_code, refuse

USERNAME, API_KEY = "PROJECTX_USERNAME", "PROJECTX_API_KEY"
BRACKETS_MARK = "position brackets"
_SWITCH = (
    "The account is in Position Brackets mode. Switch it to Auto OCO Brackets in TopstepX: Settings, Risk "
    "Settings. ProjectX says: "
)
_NO_ACCOUNT = "ProjectX does not let this login trade on the account, or it was closed. Look there."
LOGIN = {
    1: "no such user",
    2: "the key is wrong",
    3: "user name or key is wrong",
    7: "agreements are not signed: log in on its page and sign them",
    9: "there is no API subscription: buy one and link it in TopstepX, Settings, API",
    10: "this key is switched off",
}
PLACE = ErrorTable(
    "ProjectX",
    codes={
        1: (NOT_PERMITTED, _NO_ACCOUNT),
        3: (INSUFFICIENT_BALANCE, "The account has not enough money for the order."),
        4: (
            NOT_PERMITTED,
            "The order breaks a rule of the account: its contracts, its daily loss, its hours.",
        ),
        5: (MARKET_CLOSED, "ProjectX does not trade it now: outside trading hours."),
        8: (SYMBOL_UNKNOWN, "ProjectX does not know the contract."),
        9: (SYMBOL_UNKNOWN, "ProjectX no longer trades this contract: name the next month."),
        10: (NOT_PERMITTED, _NO_ACCOUNT),
    },
    texts={
        "customtag": (DUPLICATE, "ProjectX already has an order of this name."),
        "custom tag": (DUPLICATE, "ProjectX already has an order of this name."),
    },
    unknown=frozenset({6, 7}),
)
CANCEL = ErrorTable(
    "ProjectX",
    codes={
        1: (NOT_PERMITTED, _NO_ACCOUNT),
        2: (ORDER_UNKNOWN, "ProjectX has no such order."),
        3: (ORDER_GONE, "The order works no more."),
        6: (NOT_PERMITTED, _NO_ACCOUNT),
    },
    unknown=frozenset({4, 5}),
)
READ = ErrorTable("ProjectX")


def explain(table: ErrorTable, code: int, said: str) -> Exception:
    """Return what a refusal means at its path; where nobody knows, it is said in ProjectX's own words."""
    if BRACKETS_MARK in said.lower():
        return BrokerRefused(_SWITCH + said, UNSUPPORTED)
    return read_code(table, code, said) or refuse(table, code, said)
