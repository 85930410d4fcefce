"""Say what an error of Bybit means for an order, and to the user what to do about it.

Bybit answers most errors with HTTP 200: its code decides first, the text of 10001 second. A code that cannot
be one of Bybit's is a doubt, never a refusal. Nothing here sends or looks anything up.

Source: "Error Codes" of the Bybit v5 documentation.
"""

from __future__ import annotations

from brokers.protocol import (
    CLOCK,
    CROSSED,
    DUPLICATE,
    FILTER,
    HEDGE_MODE,
    INSUFFICIENT_BALANCE,
    MARKET_CLOSED,
    NOT_PERMITTED,
    ORDER_GONE,
    SYMBOL_UNKNOWN,
    UNCHANGED,
    BrokerRefused,
    Uncertain,
)
from brokers.wire.client import HttpResponse
from brokers.wire.errors import ErrorTable, read_code, refuse

KEY, SECRET = "BYBIT_API_KEY", "BYBIT_API_SECRET"
LIMITED = frozenset({10006, 170005, 170222})
"""One endpoint takes no more for the moment; the others still listen."""
LARGEST_CODE = 9_999_999
HEDGE_REMEDY = (
    "Switch it at Bybit: Derivatives, Preferences, Position Mode, One-Way Mode. Then POST /resume."
)
UNKNOWN_SYMBOL = (
    "Bybit lists nothing of this name in this market. Send it as TradingView writes it (BTCUSDT for spot,"
    " BTCUSDT.P for the perpetual), or map the name under `symbols` of the account."
)
CLOCK_HELP = (
    "This machine's clock is more than a second ahead of Bybit's or several behind, also after comparing"
    " them. Set it by NTP (timedatectl set-ntp true); nothing was ordered."
)
_BALANCE = (
    INSUFFICIENT_BALANCE,
    "The account's free balance does not cover the order. Send a smaller one, or free what others lock.",
)
_SIZE = (FILTER, "The quantity is below the smallest, above the largest or between the steps.")
_WORTH = (FILTER, "The order is worth less than Bybit's minimum. Send a larger one.")
_PRICE = (FILTER, "The price is off the price step, or too far from the market.")
_CROSSED = (CROSSED, "The price has already passed the level: the order would trigger at once.")
_NAME = (SYMBOL_UNKNOWN, UNKNOWN_SYMBOL)
_GONE = (ORDER_GONE, "The order works no more at Bybit, so it could not be changed or cancelled.")
_CLOSED = (MARKET_CLOSED, "Bybit takes no new orders for this symbol now, or only reducing ones.")
_TOO_MANY = ("REFUSED", "Too many orders work on this symbol. Cancel some at Bybit.")
_NOTHING_LEFT = (
    "REFUSED",
    "Bybit holds nothing that the order could reduce; the position is read again.",
)
_SO_ALREADY = (UNCHANGED, "It is so already.")
_LEVERAGE = ("REFUSED", "Bybit does not allow this leverage for the symbol. Choose a lower one.")
_TERMS = (
    NOT_PERMITTED,
    "Bybit wants trading terms accepted first. Log in at its site, open the symbol and accept them.",
)
ERRORS = ErrorTable(
    "Bybit",
    codes={
        10002: (CLOCK, CLOCK_HELP),
        **dict.fromkeys((110072, 170141), (DUPLICATE, "Bybit already has an order of this name.")),
        **dict.fromkeys((110001, 170213), _GONE),
        **dict.fromkeys((110008, 110010, 170139, 170142), _GONE),
        **dict.fromkeys((110004, 110007, 110012, 110044, 110045, 110051, 110052, 110053), _BALANCE),
        **dict.fromkeys((170131, 170033), _BALANCE),
        **dict.fromkeys((110094, 170140), _WORTH),
        **dict.fromkeys((170136, 170124, 170381, 170382, 170341), _SIZE),
        **dict.fromkeys((170134, 170137, 170148), _SIZE),
        **dict.fromkeys((110003, 30208, 30209, 110120, 110121, 170132, 170133), _PRICE),
        **dict.fromkeys((170193, 170194, 170371, 170372), _PRICE),
        **dict.fromkeys((110092, 110093), _CROSSED),
        **dict.fromkeys((10029, 170121, 110074), _NAME),
        **dict.fromkeys((110023, 110042, 30228, 170151, 110066), _CLOSED),
        **dict.fromkeys((110009, 110020, 110061, 170810), _TOO_MANY),
        110017: _NOTHING_LEFT,
        **dict.fromkeys((110025, 110026, 110027, 110043, 34040), _SO_ALREADY),
        **dict.fromkeys((110013, 110090), _LEVERAGE),
        **dict.fromkeys((110123, 110125), _TERMS),
    },
    texts={
        "position idx not match": (
            HEDGE_MODE,
            f"The account holds long and short apart (hedge mode). {HEDGE_REMEDY}",
        ),
        "base_price": _CROSSED,
        "symbol invalid": _NAME,
        "symbol is invalid": _NAME,
        "invalid symbol": _NAME,
        "not supported symbols": _NAME,
    },
    many_things=frozenset({10001}),
    keys={
        10003: "the key is not known here",
        10004: "the signature does not fit",
        10005: "the key may not do that",
        10007: "nobody is logged in by it",
        10009: "this address is banned",
        10010: "this machine's address is not on the key's IP list",
        10024: "Bybit's rules for the region forbid it",
        10027: "trading is banned for the account",
        10028: "the account is no unified trading account",
        33004: "the key has expired (one without an IP list lives 90 days)",
        -2015: "the key is not accepted",
    },
    keys_help=f"Check {KEY} and {SECRET} in .env; at Bybit, under API, that the key may trade and that this"
    " machine's address is on its IP list. Live, testnet and demo trading have keys of their own.",
    overloaded=frozenset({429, 10018}),
    unknown=frozenset(
        {10000, 10014, 10016, 110079, 170001, 170007, 170032, 170035, 170146, 170234}
    ),
)


def explain(reply: HttpResponse) -> Exception | None:
    """Return what a reply of Bybit means; None where it is a success, or its HTTP status says it all."""
    code, said = read_error(reply)
    if code == 0 and reply.status < 400:
        return None
    if code is None or code == 0 or reply.status >= 500:
        is_success = reply.status < 400
        return Uncertain("This is no answer as Bybit gives them.") if is_success else None
    if code == -1 and any(word in said.lower() for word in ("expired", "timestamp", "recv_window")):
        return BrokerRefused(CLOCK_HELP, CLOCK)
    if (known := read_code(ERRORS, code, said)) is not None:
        return known
    if not 0 < code <= LARGEST_CODE:
        return Uncertain(f"Bybit answered with an error that it does not have ({code}).")
    return refuse(ERRORS, code, said)


def read_error(reply: HttpResponse) -> tuple[int | None, str]:
    """Return code and text of an answer, the code None where it is none of Bybit's."""
    data = reply.data if isinstance(reply.data, dict) else {}
    code, said = data.get("retCode"), data.get("retMsg")
    if not isinstance(code, int) or isinstance(code, bool):
        return None, reply.text
    return code, (said if isinstance(said, str) and said in reply.text else reply.text)
