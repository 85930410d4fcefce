"""Open a body: tell JSON, text and an array of orders apart, and give each order its claims.

It also reads the order inside a message string, where the object around it holds none. What an order
means is not known here; an order that cannot be opened keeps its place, with its error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from parsers.raw_fields import Claims, sort

from . import json_body, text_body
from .alert import ParseError
from .values import Number, read_name

_OBJECT = re.compile(r'\{\s{0,40}["“][^"“”]{1,60}["”]\s{0,8}:')


@dataclass(slots=True)
class Order:
    """One order of a body: what it claims, or also why it could not be opened."""

    claims: Claims
    error: ParseError | None = None

    @property
    def strategy(self) -> str | None:
        """Return the strategy it names, where that can be read; asked before it is built."""
        fields = self.claims.fields
        for _, value in fields.get("strategy", fields.get("name", [])):
            try:
                return read_name(value)
            except ValueError:
                return None
        return None


def open_body(text: str) -> tuple[list[Order], bool]:
    """Return the orders in `text`, and whether they came as an array.

    Raises `ParseError` where not even the orders can be told apart.
    """
    start = text.lstrip()[:1]
    if start not in ("{", "[", '"') or (text.strip().startswith("{{") and '"' not in text):
        if _OBJECT.search(text):
            raise ParseError("There is text around the JSON object: send the object alone.")
        claims = Claims(is_text=True)
        sort(text_body.read(text), claims)
        return [Order(claims)], False
    value, repairs = json_body.read(text)
    if start == '"':
        value = {"message": value}
    if start != "[":
        return [_open_order(value, repairs)], False
    if not value:
        raise ParseError("The array is empty: send at least one order.")
    if len(value) > json_body.MAX_ORDERS:
        raise ParseError(f"The array has more than {json_body.MAX_ORDERS} orders.")
    return [_open_order(element, repairs) for element in value], True


def _open_order(element: object, repairs: list[str]) -> Order:
    claims = Claims(warnings=list(repairs))
    if not isinstance(element, dict):
        return Order(claims, ParseError("An array holds objects, one order each."))
    sort(element.items(), claims)
    error = None if claims.fields.keys() & _ORDER else _unwrap(claims)
    return Order(claims, error)


_ORDER = frozenset(("action", "symbol", "hint", "data", "is_buy", "is_sell", "is_close", "market"))


def _unwrap(claims: Claims) -> ParseError | None:
    """Read the order inside a message string: the default text, or JSON sent as a string."""
    texts = [(key, value) for key, value in claims.fields.get("text", ()) if isinstance(value, str)]
    if len(texts) != 1 or isinstance(texts[0][1], Number):
        return None
    key, inner = texts[0]
    try:
        if inner.lstrip().startswith("{") and not inner.lstrip().startswith("{{"):
            value, repairs = json_body.read(inner)
            claims.warnings.extend(repairs)
            members = list(value.items())
        else:
            members = text_body.read(inner)
            claims.is_text = True
    except ParseError as error:
        error.message = f"{key}: {error.message}"
        return error
    claims.take("text")
    sort(members, claims)
    return None
