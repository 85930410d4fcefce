"""List every code an answer can carry, with what it means and what to do next.

The table in docs/answers.md is printed from here. The codes are words of the answer, not exceptions; who
denies, and why, is decided elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

CODES: dict[str, str] = {
    "UNREADABLE": "The alert could not be read without guessing. The message names the field.",
    "UNSUPPORTED": "The alert asks for what is not supported; the message names it. Change or remove it.",
    "NO_QUANTITY": "No quantity in the alert and no default_quantity for the strategy. Add either.",
    "NO_PRICE": "The order needs a price the alert does not bring. Add price or the level.",
    "NO_TARGET": "The strategy syncs to a stated position and the alert states none. Add position_size.",
    "NOTHING_TO_CLOSE": "The strategy holds nothing here that the alert could reduce. Nothing was sent.",
    "NOTHING_TO_CANCEL": "No order of the strategy was working here. Nothing was sent.",
    "AT_TARGET": "The strategy already holds the stated position. Nothing was sent.",
    "QUANTITY_TOO_SMALL": "The quantity is below the instrument's smallest order. Raise it.",
    "STOP_SIDE": "The stop or target is zero or on the wrong side of the price. Check both levels.",
    "LEVEL_FAR": "A level is below half or above twice the price: it was a distance. Send prices.",
    "PRICE_FAR": "The alert's price is far from the last one. A second alert that agrees is believed.",
    "EXPIRED": "The alert or its order was too old to open a position (webhook.max_age_seconds).",
    "STALE_ORDER": "A later alert had already overtaken this one.",
    "RATE_LIMITED": "Too many opening alerts for this strategy and symbol (webhook.rate_limit). Wait.",
    "STRATEGY_DISABLED": "The strategy has `enabled: false`. Exits still work.",
    "HALTED": "Opening orders are halted. POST /resume ends it; exits still work.",
    "NO_ACCOUNT": "No broker connector configured for that account group; the message lists them.",
    "ACCOUNT_NOT_ALLOWED": "A live account must be listed for the strategy in config.yaml.",
    "SYMBOL_UNKNOWN": "The account does not know this symbol. Check the spelling or map it in `symbols`.",
    "MARKET_MISMATCH": "The symbol belongs to another market than the account. Name another account.",
    "SYMBOL_OWNED": "Another strategy holds this instrument on an account where orders net.",
    "CONTRACT_EXPIRED": "The contract is on or past its last trading day. Name the next one.",
    "ORDER_UNRESOLVED": "An earlier order here may or may not exist; opening waits until that is known.",
    "BOOK_BLOCKED": "An internal error on this instrument blocks opening orders until a restart.",
    "INSUFFICIENT_CASH": "The account's cash does not cover the order and its fee.",
    "INSUFFICIENT_MARGIN": "The account's free cash does not cover the margin of the order.",
    "CURRENCY_UNKNOWN": "The instrument is quoted in a currency that cannot be converted here.",
    "PRICE_UNKNOWN": "A risk limit needs a price that is not known. Add price to the alert.",
    "SYMBOL_NOT_ALLOWED": "The symbol is not in `risk.symbols`. Exits still work.",
    "OUTSIDE_HOURS": "It is outside `risk.hours`. Exits still work.",
    "MAX_ORDERS_PER_MINUTE": "As many opening orders as `risk.max_orders_per_minute` allows were sent.",
    "MAX_ORDERS_PER_DAY": "As many opening orders as `risk.max_orders_per_day` allows were sent today.",
    "MAX_REPEATS": "The same order too often in a row (`risk.max_repeats`): the strategy is halted.",
    "MAX_DAILY_LOSS": "The day's loss has reached `risk.max_daily_loss`. Exits still work.",
    "MAX_QUANTITY": "The order's quantity is above `risk.max_quantity`.",
    "PRICE_BAND": "The order's level is further from the price than `risk.price_band_percent`.",
    "MAX_NOTIONAL": "The order is worth more than `risk.max_notional`.",
    "MAX_POSITION": "The position would be worth more than `risk.max_position`.",
    "MAX_EXPOSURE": "All positions together would be worth more than `risk.max_exposure`.",
    "CREDENTIALS_MISSING": "The account cannot log in; the message names the variables to set.",
    "UNREACHED": "The venue could not be reached. The desk tries again while the alert is young.",
    "ABSENT": "The order was looked up and certainly does not exist.",
    "REFUSED": "The broker refused the order; its own words follow.",
    "INVARIANT_BROKEN": "An order of ours was larger than its position: everything is halted. Report it.",
    "UNAUTHORIZED": "The secret, token or signature is missing or wrong.",
    "ADDRESS_NOT_ALLOWED": "The sender's address is not in webhook.allowed_ips.",
    "TOO_LARGE": "The body is larger than 64 KiB.",
    "LENGTH_REQUIRED": "The request has no Content-Length.",
    "NOT_RECORDED": "The alert could not be recorded, so nothing was done. Send it again.",
    "STATE_UNAVAILABLE": "The state cannot be read now. `GET /status` says what is wrong with it.",
    "FILTER": "The order breaks a rule of the instrument at its venue; the message names it.",
    "INSUFFICIENT_BALANCE": "The account at the venue does not hold enough for the order.",
    "MARKET_CLOSED": "The venue does not trade this symbol now.",
    "NOT_PERMITTED": "The venue does not let this account trade the symbol.",
    "REGION_BLOCKED": "The venue does not serve the region of this server.",
    "CLOCK": "This machine's clock is wrong by seconds. Set it by NTP.",
    "BANNED": "The venue shuts this address out for a while: nothing is sent until that is over.",
    "THROTTLED": "The venue takes no more requests for a moment. An exit leaves when the pause is over.",
    "CROSSED": "The price has already passed the level of a stop or target.",
    "KEYS_REFUSED": "The venue does not accept the account's keys: its opening orders are halted.",
    "LOGIN_REFUSED": "The venue does not let the account log in; the message names the variables to check.",
    "HEDGE_MODE": "The account holds long and short apart. Switch it to one-way mode at the venue.",
    "HEDGE_UNKNOWN": "The venue did not tell the account's position mode yet. Send the alert again.",
    "DATED_SYMBOL_NEEDED": "A level at this venue needs a dated contract, like MESZ2026. Name one.",
    "EQUITY_UNKNOWN": "The account's equity is not known, so no percentage of it can be taken. Send again.",
    "WRONG_ORDER": "The venue answered about another order: the account's opening orders are halted.",
    "NOT_UNKNOWN": "The order is not an unknown one, so nobody needs to say what became of it.",
    "NOT_CONFIRMED": 'The request needs `"confirm": true`.',
    "METHOD_NOT_ALLOWED": "This page does not take that method; the message names the one it takes.",
    "NOT_FOUND": "There is no such thing here.",
    "INTERNAL": "A fault of ours; it is in the log. GET /history shows what was recorded.",
}


_WIRE = ("The venue could not be reached: ", "The venue may have acted: ")
"""How the errors of a call begin, which do not know the account."""


def say_unreached(account: str, why: str) -> str:
    """Return that an account could not be reached, and why, without a full stop."""
    for start in _WIRE:
        why = why.removeprefix(start)
    return f"{account} could not be reached: {why.rstrip('.') or 'no answer'}"


@dataclass(frozen=True, slots=True)
class Denial:
    """An opening part that our own rules refused: why, and how much it was."""

    code: str
    message: str
    side: str = ""
    quantity: Decimal | None = None
    retry_after: int | None = None
