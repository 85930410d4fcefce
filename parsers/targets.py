"""Read several targets, and what becomes of the stop after one of them.

`take_profits` is a list; other dialects number keys (`tp1`, `tp2`, with `tp1_qty`) or give each target its
own stop (PickMyTrade's `advance_tp_sl`). All become one list; no level is compared with a market price here.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from parsers.levels import read_level
from parsers.missing_values import take
from parsers.raw_fields import Claims
from parsers.unknown_keys import normalise

from .alert import Level, ParseError, TakeProfit
from .values import find_emptiness, fold, is_off, read_amount, show

MOST = 20
"""More targets than this is no alert."""

_SIZES = {"quantity": "quantity", "qty": "quantity", "percentofposition": "percent"}
_MOVES = {
    **dict.fromkeys(("breakeven", "be"), "break_even"),
    **dict.fromkeys(("previoustarget", "previoustp"), "previous_target"),
}


def settle_numbered(claims: Claims) -> None:
    """Read `tp1`, `tp2`, … as one list; `tp1_qty` says how much the first takes.

    A number without a level ends the reading: what it was to mean nobody can say.
    """
    levels = {number: (key, value) for number, key, value in _numbered(claims, "numbered_target")}
    sizes = {number: (key, value) for number, key, value in _numbered(claims, "numbered_size")}
    targets: list[dict[str, object]] = []
    for number in sorted(levels):
        key, value = levels[number]
        if value is None:
            claims.warnings.append(f"{key}: null is no value. Left out.")
            continue
        target = dict(value) if isinstance(value, dict) else {"price": value}
        if number in sizes:
            target["quantity"] = sizes.pop(number)[1]
        targets.append(target)
    for key, value in sizes.values():
        if not is_off(value, zero=True):
            claims.refuse_field(key, value, "the quantity of a target that has no level")
    if targets:
        claims.add("take_profits", [("tp1", targets)])


def _numbered(claims: Claims, concept: str) -> Iterator[tuple[int, str, object]]:
    """Yield the number in each key, the key and its value."""
    for key, value in claims.take(concept):
        digits = normalise(key.rpartition(".")[2]).removeprefix("tp")[:1]
        yield int(digits), key, value


_PICKMYTRADE = {"tp": "price", "percentagetp": "percent", "quantity": "quantity"}
_STOPS = {"sl": "price", "percentagesl": "percent"}


def settle_advanced(claims: Claims) -> None:
    """Read PickMyTrade's `advance_tp_sl` as targets, where all of it has one stop.

    A zero there means that a field is not set; what is set and not read is named.
    """
    for key, value in claims.take("advanced"):
        if is_off(value, zero=True) or value == []:
            continue
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            claims.refuse_field(key, value, "not a list of objects with tp, sl and quantity")
            continue
        targets, stops = [], []
        for number, members in enumerate(value, 1):
            target, stop = _split(claims, f"{key}.{number}", members)
            targets.append(target)
            stops.append(stop)
        if any(stop != stops[0] for stop in stops):
            claims.refuse_field(
                key, value, "targets with stops of their own: send one stop for all"
            )
            continue
        if any(targets):
            claims.add("take_profits", [(key, targets)])
        if stops and stops[0]:
            said = stops[0].get("price", stops[0])
            claims.add("stop_loss", [(f"{key}.sl", said)])


def _split(
    claims: Claims, path: str, members: dict[str, object]
) -> tuple[dict[str, object], dict[str, object]]:
    """Return what an element says of its target and of its stop."""
    target: dict[str, object] = {}
    stop: dict[str, object] = {}
    for key, value in members.items():
        name = normalise(key)
        if is_off(value, zero=True):
            continue
        if name in _PICKMYTRADE:
            target[_PICKMYTRADE[name]] = value
        elif name in _STOPS:
            stop[_STOPS[name]] = value
        else:
            claims.refuse_field(f"{path}.{key}", value, "not supported")
    return target, stop


def read_targets(claims: Claims, *, reduces: bool) -> tuple[TakeProfit, ...]:
    """Return several targets; on what can only reduce they are notes, as every level is.

    Raises `ParseError` where one cannot be read, or where `take_profit` stands beside them.
    """
    single = "take_profit" in claims.fields

    def read(value: object) -> tuple[TakeProfit, ...]:
        if not isinstance(value, list):
            raise ValueError(f'{show(value)} is no list: send [{{"price": 47000}}, …].')
        if len(value) > MOST:
            raise ValueError(f"at most {MOST} targets.")
        return tuple(_read_target(claims, number, each) for number, each in enumerate(value, 1))

    targets = take(claims, "take_profits", "decorates" if reduces else "level", read)
    if not targets:
        return ()
    if single and not reduces:
        reason = "take_profit and several targets: send one of them."
        raise ParseError(reason, field="take_profits")
    return targets


def _read_target(claims: Claims, number: int, value: object) -> TakeProfit:
    if not isinstance(value, dict):
        value = {"price": value}
    level: dict[str, object] = {}
    sizes: dict[str, Decimal] = {}
    for key, member in value.items():
        name = _SIZES.get(normalise(key))
        if name is None:
            level[key] = member
            continue
        if member is None:
            continue
        amount = _read_size(f"target {number}: {key}", member)
        if sizes.setdefault(name, amount) != amount:
            raise ValueError(f"target {number}: {key} is there twice and disagrees: send one.")
    if len(sizes) > 1:
        raise ValueError(f"target {number}: send at most one of quantity and percent_of_position.")
    if not any(member is not None for member in level.values()):
        raise ValueError(f"target {number}: send exactly one of price, percent, amount and ticks.")
    found = read_level(claims, "take_profits", level)
    return TakeProfit(found or Level(), **sizes)  # a foreign member was named: nothing opens


def _read_size(name: str, value: object) -> Decimal:
    text = value.strip() if isinstance(value, str) else value
    if find_emptiness(text) is not None:
        raise ValueError(f"{name} {show(text)} is no value.")
    try:
        amount = read_amount(text)
    except ValueError as error:
        raise ValueError(f"{name} {error}") from None
    if amount <= 0:
        raise ValueError(f"{name} {show(text)}: each target takes more than nothing.")
    return amount


def read_move_stop(claims: Claims, *, has_targets: bool, reduces: bool) -> str | None:
    """Return what becomes of the stop after a target; without targets it means nothing."""
    moves: str | None = None
    for key, value in claims.take("move_stop"):
        if is_off(value):
            continue
        word = _MOVES.get(fold(value)) if isinstance(value, str) else None
        if word is None:
            claims.refuse_field(key, value, "send break_even or previous_target")
        elif not has_targets and not reduces:
            claims.refuse_field(key, value, "stands beside take_profits")
        elif not reduces:
            moves = word
    return moves


def read_offset(claims: Claims, action: str) -> Level | None:
    """Return how far from the average entry a break-even stop stands: an amount, or an object."""

    def read(value: object) -> Level | None:
        if isinstance(value, dict):
            level = read_level(claims, "breakeven_offset", value)
        else:
            level = Level(amount=read_amount(value))
        if level is not None and level.price is not None:
            raise ValueError("an offset is a distance: send an amount, percent or ticks.")
        return level

    if action == "breakeven":
        return take(claims, "breakeven_offset", "decides", read)
    for key, value in claims.take("breakeven_offset"):
        if is_off(value, zero=True):
            claims.note(key, value)
        else:
            claims.refuse_field(key, value, "stands beside action breakeven")
    return None
