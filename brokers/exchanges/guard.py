"""Look at an order as it leaves, and keep it here where it is not what was meant.

The library knows a hundred exchanges and passes on what it does not understand: a stop whose price it did
not read leaves as an order at the market. So the finished request is read here, as the exchange will read it,
and each field that the order cannot do without must stand in it with its exact value.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from brokers.exchanges.proof import Proof, Sent, fill_in, kind_of, shape_of
from brokers.protocol import UNSUPPORTED, BrokerRefused, OrderRequest

UNREAD = frozenset(
    {
        *("stopLossPrice", "takeProfitPrice", "triggerPrice", "trailingPercent", "trailingAmount"),
        *("stopLoss", "takeProfit", "triggerDirection", "clientOrderId", "reduceOnly"),
    }
)
"""The library's own words: one of them in a request that is not the exchange's too was not understood."""
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?", re.ASCII)


def read_fields(url: str, body: str | bytes | None) -> dict[str, str]:
    """Return every field of a request by its path, those of the query among them."""
    found = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    text = body.decode() if isinstance(body, bytes) else body or ""
    if text[:1] in ("{", "["):
        _flatten("", json.loads(text, parse_float=str, parse_int=str), found)
    else:
        found.update(parse_qsl(text, keep_blank_values=True))
    return found


def check_order(
    proof: Proof,
    request: OrderRequest,
    sent: Sent,
    url: str,
    body: str | bytes | None,
) -> None:
    """Raise `BrokerRefused` where an order that is about to leave does not say what was meant."""
    shape = shape_of(proof, request)
    if shape is None:
        raise refuse_kind(proof, request)
    found = read_fields(url, body)
    wrong = [
        name
        for name, template in shape.items()
        if not _is_same(fill_in(template, request, sent), found.get(name))
    ]
    words = {path.rpartition(".")[2] for path in found.keys() - shape.keys()}
    wrong += sorted(UNREAD & words)
    if wrong:
        text = (
            f"ccxt would not have sent {proof.name} the {kind_of(request)} order that was meant"
            f" (look at {', '.join(wrong)}), so it was kept here. Report it."
        )
        raise BrokerRefused(text, UNSUPPORTED)


def refuse_kind(proof: Proof, request: OrderRequest) -> BrokerRefused:
    """Return the refusal of an order whose kind is not proven, naming exchange and kind."""
    kind = kind_of(request).replace("_", "-")
    why = proof.limits.get(kind, "it is not proven that ccxt sends one there")
    text = f"{proof.name} takes no {kind} order from here: {why}. Send another kind of order."
    return BrokerRefused(text, UNSUPPORTED)


def _flatten(path: str, value: Any, found: dict[str, str]) -> None:
    """Note a value and all in it; a list of one is what it holds."""
    if isinstance(value, list) and len(value) == 1:
        _flatten(path, value[0], found)
    elif isinstance(value, dict | list):
        rows = value.items() if isinstance(value, dict) else enumerate(value)
        for name, each in rows:
            _flatten(f"{path}.{name}" if path else str(name), each, found)
    elif isinstance(value, bool):
        found[path] = "true" if value else "false"
    elif value is not None:
        found[path] = str(value)


def _is_same(expected: str | Decimal, found: str | None) -> bool:
    """Compare text with text, and a number with what is written as one, without exponent."""
    if found is None:
        return False
    if isinstance(expected, Decimal):
        return _NUMBER.fullmatch(found) is not None and Decimal(found) == expected
    return found == expected
