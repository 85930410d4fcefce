"""Say what an error of Binance's USD-M perpetuals means for an order, and to the user what to do about it.

What both markets say alike is taken over from the spot market's table; the codes from -4000 on are this
market's own. Nothing here sends or looks anything up.

Source: "Error Code" and "HTTP Return Codes" of the Binance USD-M Futures documentation.
"""

from __future__ import annotations

from brokers.binance.errors import ERRORS as SPOT
from brokers.binance.errors import KEY, SECRET, explain_by
from brokers.protocol import (
    CLOCK,
    CROSSED,
    DUPLICATE,
    FILTER,
    HEDGE_MODE,
    INSUFFICIENT_BALANCE,
    NOT_PERMITTED,
    SYMBOL_UNKNOWN,
    UNCHANGED,
)
from brokers.wire.client import HttpResponse
from brokers.wire.errors import ErrorTable

HEDGE_REMEDY = (
    "Switch it at Binance: Futures, Preferences, Position Mode, One-way Mode. Then POST /resume."
)
UNKNOWN_SYMBOL = (
    "Binance lists no USD-M perpetual of this name. Send it as TradingView writes it (BTCUSDT.P), or map the"
    " name under `symbols` of the account."
)
_TAKEN = (DUPLICATE, "Binance already has an open order of this name.")
_PASSED = (CROSSED, "The price has already passed the level: the order would trigger at once.")
_SIZE = (
    FILTER,
    "The quantity is below the contract's smallest, above its largest or between its steps.",
)
_PRICE = (FILTER, "The price is not on the contract's price step, or too far from the market.")
_MARGIN = (
    INSUFFICIENT_BALANCE,
    "The futures wallet's free margin does not cover the order. Send a smaller one, or move money there.",
)
_NOTHING_LEFT = (
    "REFUSED",
    "Binance holds nothing that the order could reduce; the position is read again.",
)
_CAPPED = (
    "REFUSED",
    "The position would be larger than Binance allows at this leverage. Lower the quantity or the leverage.",
)
_TOO_MANY = ("REFUSED", "Too many orders work on this account. Cancel some at Binance.")
_HEDGE = (HEDGE_MODE, f"The account holds long and short apart (hedge mode). {HEDGE_REMEDY}")
_REDUCE_ONLY = (
    NOT_PERMITTED,
    "Binance lets this account only reduce its positions. Ask Binance, or look at the account there.",
)
_SO_ALREADY = (UNCHANGED, "It is so already.")
_LEVERAGE = (
    "REFUSED",
    "Binance does not allow this leverage for the contract or the account. Choose a lower one.",
)
_OCCUPIED = (
    "REFUSED",
    "Binance changes the margin only without orders and positions. Close them, or remove the line `margin`.",
)
ERRORS = ErrorTable(
    "Binance",
    codes={
        **SPOT.codes,
        -1121: (SYMBOL_UNKNOWN, UNKNOWN_SYMBOL),
        -5028: (CLOCK, SPOT.codes[-1021][1]),
        **dict.fromkeys((-4116, -20132), _TAKEN),
        **dict.fromkeys((-2021, -4142), _PASSED),
        **dict.fromkeys((-2018, -2019, -4050, -4051), _MARGIN),
        **dict.fromkeys((-2022, -4118), _NOTHING_LEFT),
        **dict.fromkeys((-2027, -2028), _CAPPED),
        **dict.fromkeys((-2025, -4045), _TOO_MANY),
        **dict.fromkeys((-4003, -4004, -4005, -4023), _SIZE),
        **dict.fromkeys((-4013, -4014, -4016, -4024, -4131), _PRICE),
        -4164: (FILTER, "The order is worth less than the contract's minimum. Send a larger one."),
        **dict.fromkeys((-4061, -4062), _HEDGE),
        **dict.fromkeys((-4087, -4400, -4401), _REDUCE_ONLY),
        **dict.fromkeys((-4046, -4059, -4171), _SO_ALREADY),
        **dict.fromkeys((-4028, -4202, -4203, -4205, -4206, -4403), _LEVERAGE),
        **dict.fromkeys((-4047, -4048), _OCCUPIED),
    },
    keys=SPOT.keys,
    keys_help=f"Check {KEY} and {SECRET} in .env; at Binance, under API Management, that this machine's"
    ' address is on the key\'s IP list and "Enable Futures" is on. Demo trading has keys of its own.',
    overloaded=SPOT.overloaded,
    unknown=SPOT.unknown,
)


def read_refusal(reply: HttpResponse) -> Exception | None:
    """Return what an error reply means, or None where its HTTP status says it all."""
    return explain_by(ERRORS, reply)
