"""Read the position an alert states: the one after the order, and the one before it.

Sizes come signed (`strategy.position_size`) or absolute (`strategy.market_position_size`); the side
beside an absolute one gives it its sign. A side and a size that contradict each other are an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from parsers.missing_values import take
from parsers.raw_fields import Claims
from parsers.unknown_keys import names

from .alert import ParseError
from .values import find_emptiness, fold, is_off, read_amount, read_decimal, read_side


@dataclass(frozen=True, slots=True)
class Positions:
    """What an alert states about the position, signed; `hedge_side` is of an order in hedge mode."""

    side: str | None
    size: Decimal | None
    previous_side: str | None
    previous: Decimal | None
    hedge_side: str | None


_NOTHING = Positions(None, None, None, None, None)
_STATED = names(
    "market_position position position_side position_size market_position_size previous"
    " previous_side previous_size"
)


def read_positions(claims: Claims, *, closes: bool) -> Positions:
    """Return the stated positions, each with the side that its sign or its word says."""
    if claims.fields.keys().isdisjoint(_STATED):
        return _NOTHING
    hedge_side = _read_hedge_side(claims, closes=closes)
    _sort_by_value(claims, "position", "market_position", None)
    side = take(claims, "market_position", "states", read_side)
    size = take(claims, "position_size", "states", read_decimal)
    absolute = take(claims, "market_position_size", "states", read_amount)
    side, size = _sign(claims, side, size, absolute, "market_position")
    _sort_by_value(claims, "previous", "previous_side", "previous_signed")
    before = take(claims, "previous_side", "states", read_side)
    signed = take(claims, "previous_signed", "states", read_decimal)
    absolute = take(claims, "previous_size", "states", read_amount)
    before, previous = _sign(claims, before, signed, absolute, "prev_market_position")
    return Positions(side, size, before, previous, hedge_side)


def _sort_by_value(claims: Claims, concept: str, side: str, size: str | None) -> None:
    """Tell `position: long` from `position: 2`; a bare number may be of anything."""
    for key, value in claims.take(concept):
        if find_emptiness(value) or (isinstance(value, str) and value.strip()[:1].isalpha()):
            claims.add(side, [(key, value)])
        elif size:
            claims.add(size, [(key, value)])
        elif not is_off(value):
            claims.refuse_field(key, value, "send position_size for the position after the order")


def _read_hedge_side(claims: Claims, *, closes: bool) -> str | None:
    """Read `position_side`: on a close what it closes, else what the order may not end beyond."""
    stated = claims.fields.get("position_side", [])
    if all(isinstance(value, str) and fold(value) == "both" for _, value in stated):
        for key, value in claims.take("position_side"):
            claims.note(key, value)
        return None
    if not closes:
        claims.add("market_position", claims.take("position_side"))
        return None
    return take(claims, "position_side", "states", read_side)


def _sign(
    claims: Claims, side: str | None, size: Decimal | None, absolute: Decimal | None, name: str
) -> tuple[str | None, Decimal | None]:
    """Return side and signed size that agree, or raise."""
    if size is not None and absolute is not None and abs(size) != absolute:
        raise ParseError(f"{name}: the two sizes disagree: send one of them.", field=name)
    if side is None and size is None and absolute:
        claims.warnings.append(f"{name}_size: without {name} its side is not known. Left out.")
        claims.note(f"{name}_size", str(absolute))
        return None, None
    size = absolute if size is None else size
    if size is None:
        return side, None
    stated = "flat" if not size else "long" if size > 0 else "short"
    if side is None:
        return stated, size
    if side == "short" and stated == "long":
        return side, -size
    if side != stated:
        raise ParseError(f"{name}: {side} contradicts a size of {size}.", field=name)
    return side, size
