"""Say what an error of Binance means for an order, and to the user what to do about it.

The code decides first, the text of -1013 and -2010 second, because these two stand for many things. Nothing
here sends or looks anything up.

Source: "Error codes for Binance" and "HTTP return codes" of the Binance Spot API documentation.
"""

from __future__ import annotations

from brokers.protocol import (
    CLOCK,
    CROSSED,
    DUPLICATE,
    FILTER,
    INSUFFICIENT_BALANCE,
    MARKET_CLOSED,
    NOT_PERMITTED,
    ORDER_ARCHIVED,
    ORDER_GONE,
    ORDER_UNKNOWN,
    REGION_BLOCKED,
    SYMBOL_UNKNOWN,
    BrokerRefused,
)
from brokers.wire.client import HttpResponse
from brokers.wire.errors import ErrorTable, read_code, refuse

KEY, SECRET = "BINANCE_API_KEY", "BINANCE_API_SECRET"
ERRORS = ErrorTable(
    "Binance",
    codes={
        -1021: (
            CLOCK,
            (
                "This machine's clock is more than a second ahead of Binance's or several behind, also after"
                " comparing them. Set it by NTP (timedatectl set-ntp true); nothing was ordered."
            ),
        ),
        -1121: (
            SYMBOL_UNKNOWN,
            (
                "Binance's spot market lists no such symbol. Send the pair as Binance writes it (BTCUSDT), or"
                " map the name under `symbols` of the account."
            ),
        ),
        -2013: (ORDER_UNKNOWN, "Binance knows no order of this name."),
        -2026: (ORDER_ARCHIVED, "The order ended unfilled more than 90 days ago."),
        -2011: (
            ORDER_GONE,
            "The order works no more at Binance, so it could not be cancelled.",
        ),
    },
    texts={
        "duplicate order": (DUPLICATE, "Binance already has an open order of this name."),
        "insufficient balance": (
            INSUFFICIENT_BALANCE,
            (
                "The account's free balance does not cover the order. Send a smaller quantity, or free what"
                " other orders lock."
            ),
        ),
        "trigger immediately": (
            CROSSED,
            (
                "The price has already passed the stop: Binance does not take an order that would trigger at"
                " once."
            ),
        ),
        "relationship of the prices": (
            CROSSED,
            "The price has already passed the stop or the target: Binance wants the market between them.",
        ),
        "immediately match and take": (
            CROSSED,
            "The price has already passed the target: it would fill at once.",
        ),
        "market is closed": (
            MARKET_CLOSED,
            "Binance does not trade this symbol now. Try again when it does.",
        ),
        "not permitted for this account": (
            NOT_PERMITTED,
            (
                "Binance does not let this account trade the symbol (often a matter of the region). Trade"
                " another pair of the coin, or ask Binance."
            ),
        ),
    },
    many_things=frozenset({-1013, -2010}),
    keys={
        -1002: "these keys may not do that",
        -1022: "the signature does not fit",
        -2014: "the key has the wrong form",
        -2015: "the key, this machine's address or the key's permission is not accepted",
    },
    keys_help=f"Check {KEY} and {SECRET} in .env; at Binance, under API Management, that this machine's"
    ' address is on the key\'s IP list and "Enable Spot & Margin Trading" is on. The testnet has keys of'
    " its own.",
    overloaded=frozenset({-1003, -1008, -1015}),
    unknown=frozenset({-1000, -1001, -1006, -1007}),
)
_FILTERS = {
    "PRICE_FILTER": "the price is not on the symbol's price step, or outside its range",
    "PERCENT_PRICE": "the price is too far from the market; send one nearer to it",
    "LOT_SIZE": "the quantity is below the symbol's smallest, above its largest or between its steps",
    "NOTIONAL": "the order is worth less than the symbol's minimum, or more than its maximum;"
    " send a larger quantity",
    "MAX_NUM_ORDERS": "too many orders work on this symbol; cancel some",
    "MAX_NUM_ALGO_ORDERS": "too many stop orders work on this symbol; cancel some",
    "MAX_NUM_ORDER_LISTS": "too many pairs of stop and target work on this symbol; cancel some",
    "MAX_POSITION": "the account may hold no more of this coin",
}


def read_refusal(reply: HttpResponse) -> Exception | None:
    """Return what an error reply means, or None where its HTTP status says it all."""
    return explain_by(ERRORS, reply)


def explain_by(table: ErrorTable, reply: HttpResponse) -> Exception | None:
    """Return what an error reply means by the table of one of Binance's markets."""
    if reply.status == 451:
        text = (
            "Binance does not serve this region. Run the server where Binance may be used, or trade"
            " this account at another venue."
        )
        return BrokerRefused(text, REGION_BLOCKED)
    code, said = read_error(reply)
    if code is None or reply.status in (403, 418):
        return None
    if reply.status >= 500 and code not in table.overloaded | table.unknown:
        return None
    if (known := read_code(table, code, said)) is not None:
        return known
    if code == -1013 and "filter failure" in said.lower():
        return BrokerRefused(_explain_filter(said), FILTER)
    if code == -1111:
        text = (
            f"The order has more decimals than Binance takes: {said} The symbol's rules are read"
            " again; send the alert once more."
        )
        return BrokerRefused(text, FILTER)
    return refuse(table, code, said)


def read_error(reply: HttpResponse) -> tuple[int | None, str]:
    """Return code and text of an error, the code None where the body is no error of Binance's API.

    A text that was masked, cut or escaped for showing is told that way.
    """
    data = reply.data if isinstance(reply.data, dict) else {}
    code, said = data.get("code"), data.get("msg")
    if not isinstance(code, int) or isinstance(code, bool) or code >= 0:
        return None, reply.text
    return code, (said if isinstance(said, str) and said in reply.text else reply.text)


def _explain_filter(said: str) -> str:
    name = said.rpartition(":")[2].strip()
    known = name if name in _FILTERS else next((key for key in _FILTERS if key in name), "")
    why = _FILTERS.get(known, "the order breaks a rule of the symbol")
    return f"Binance's rule {name} forbids the order: {why}."
