"""Read how much an alert is about: units, money, or a percentage of what is held."""

from __future__ import annotations

from decimal import Decimal

from parsers.missing_values import take
from parsers.raw_fields import Claims
from parsers.refusals import refuse
from parsers.unknown_keys import names

from .alert import ParseError, read_number
from .values import (
    Number,
    fold,
    is_off,
    read_amount,
    show,
)

_QUANTITY_TYPES = {
    **dict.fromkeys(("fixed", "fixedquantity", "contracts", "shares", "coins"), "fixed"),
    **dict.fromkeys(("cash", "dollaramount"), "cash"),
    **dict.fromkeys(("riskcash", "riskdollaramount"), "risk_cash"),
    "riskpercent": "risk_percent",
    "percentofequity": "percent_of_equity",
    "percentofposition": "percent_of_position",
}


ZERO_QUANTITY = (
    "quantity: is zero. Write how much to trade: {{strategy.order.contracts}}, where the size of the "
    "position was sent instead; zero means all on close, exit and flat, and with "
    '"market_position": "flat".'
)


_TRADED_TYPES = "fixed (units), cash or percent_of_position"
"""The quantity types that can be traded, in words."""


def read_quantity(claims: Claims, action: str, *, reduces: bool) -> tuple[Decimal | None, str]:
    """Return how much, and of what; without a quantity the type says nothing."""
    for key, value in claims.take("percent"):
        _read_percent(claims, key, value, closes=action not in ("buy", "sell"))
    split_percents(claims, opens=not reduces)
    quantity = take(claims, "quantity", "decides", _read_number_of)
    quantity_type = take(claims, "quantity_type", "states", _read_quantity_type) or "fixed"
    if quantity is None and action == "partial":
        raise ParseError(
            "A part of the position: how much? Send pct or quantity.", field="quantity"
        )
    if quantity is None and quantity_type != "fixed":
        if not reduces:
            raise ParseError("quantity_type without a quantity: send both.", field="quantity")
        claims.warnings.append(f"quantity_type {quantity_type} without a quantity: not used.")
        quantity_type = "fixed"
    return quantity, quantity_type


CLOSES = names("close close_long close_short")


def _read_percent(claims: Claims, key: str, value: object, *, closes: bool) -> None:
    """Read `percent` of a close as that of the position; 0.5 may be a half or half a percent."""
    if is_off(value):
        return
    number = read_number(str(value).strip())
    if not closes:
        reason = "percent of what? Send quantity"
    elif number is not None and number <= 1:
        reason = "a part or a percent? Send quantity with quantity_type percent_of_position"
    else:
        claims.add("quantity", [(key, value)])
        claims.add("quantity_type", [(key, "percent_of_position")])
        return
    claims.refuse_field(key, value, reason, is_amount=True)


def split_percents(claims: Claims, *, opens: bool) -> None:
    """Read `quantity: "50%"` and `"all"` as percent of the position: what they mean on what reduces.

    What a buy or sell would open by them is refused: it may be a percent of anything.
    """
    stated = claims.fields.get("quantity", ())
    for _, value in stated:
        if type(value) is not Number and not str(value)[-1:].isdigit():
            break
    else:
        return
    types = claims.fields.get("quantity_type", ())
    if any("percent" not in fold(str(value)) for _, value in types):
        return
    claims.take("quantity")
    for key, value in stated:
        text = value.strip() if isinstance(value, str) else ""
        if text.lower() in _EVERYTHING:
            text = "100%"
        if not text.endswith("%"):
            claims.add("quantity", [(key, value)])
            continue
        claims.add("quantity", [(key, Number(text[:-1].strip()))])
        if not types:
            claims.add("quantity_type", [(key, "percent_of_position")])
            if opens:
                claims.refuse_field(key, value, f"percent of what? {_TYPES}")


_EVERYTHING = names("all full")


_TYPES = f"Send a plain number, with quantity_type {_TRADED_TYPES}"


def read_all(
    claims: Claims, action: str, quantity: Decimal, quantity_type: str, *, takes_all: bool
) -> Decimal | None:
    """Return how much a close takes: zero of it, and `flat`, mean all (None)."""
    if takes_all:
        claims.warnings.append(f"quantity {quantity}: not used, the action closes all of it.")
        return None
    if quantity == 0 and quantity_type == "fixed":
        claims.warnings.append(f"quantity 0 on a {action.replace('_', ' ')}: all of the position.")
        return None
    return quantity


def _read_number_of(value: object) -> Decimal:
    if isinstance(value, str) and value.strip().endswith("%"):
        raise refuse(f"quantity {show(value)}: percent of what? {_TYPES}.", "quantity")
    return read_amount(value)


def _read_quantity_type(value: object) -> str:
    known = _QUANTITY_TYPES.get(fold(value)) if isinstance(value, str) else None
    if known is None:
        reason = f"is not supported: use {_TRADED_TYPES}."
        raise refuse(f"quantity_type {show(value)} {reason}", "quantity_type")
    return known
