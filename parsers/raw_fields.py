"""Sort the members of one order into what they claim: fields, notes, secrets, foreign instructions.

The result knows which key said what and nothing more: no value is read here, no two claims are
compared. What is neither known nor harmless ends in `unsupported`; nothing is dropped without a word.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from parsers.unknown_keys import (
    SWITCHES,
    find_effect,
    find_theme,
    find_theme_of_value,
    names,
    normalise,
    turns,
)

from .aliases import is_secret, look_up
from .placeholders import Unreadable
from .values import Number, find_emptiness, fold, is_off, read_flag, read_time, show, write

Pairs = Iterable[tuple[str, object]]


@dataclass(slots=True)
class Claims:
    """What one order says, by concept; each claim with the key it stood under."""

    fields: dict[str, list[tuple[str, object]]] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    """Every key as it is compared, the outer ones of nested objects too."""
    notes: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unsupported: list[str] = field(default_factory=list)
    amounts: list[str] = field(default_factory=list)
    """What of `unsupported` says how much: without it the size is not known."""
    turned: list[str] = field(default_factory=list)
    """What of `unsupported` makes a buy of a sell: no part of such an order can be carried out."""
    voided: list[str] = field(default_factory=list)
    """What of `unsupported` says that there is no order at all."""
    bare_size: str | None = None
    """A quantity called size or amount, which may be coins or money."""
    is_unit_unclear: bool = False
    """Whether a quantity is known and what it counts is not."""
    secrets: list[tuple[str, str]] = field(default_factory=list)
    is_text: bool = False

    def take(self, concept: str) -> list[tuple[str, object]]:
        """Return the claims of `concept` and forget them here."""
        return self.fields.pop(concept, [])

    def add(self, concept: str, claims: list[tuple[str, object]]) -> None:
        """Claim `concept`, beside what claims it already."""
        if claims:
            self.fields.setdefault(concept, []).extend(claims)

    def note(self, key: str, value: object) -> None:
        """Keep what changes nothing, as text."""
        if value is not None:
            self.notes.append((key, write(_hide(value))))

    def refuse_field(
        self, key: str, value: object, reason: str, *, is_amount: bool = False
    ) -> None:
        """Keep an instruction that cannot be carried out."""
        name = key if key.isprintable() and key.isascii() and len(key) <= 64 else show(key)
        self.unsupported.append(f"{name} {show(value)}: {reason}")
        if is_amount:
            self.amounts.append(self.unsupported[-1])


NESTED: dict[str, tuple[dict[str, str], str]] = {
    # outer key: (what its members are called only there, a sample of the shape)
    "strategy": (
        {"name": "strategy", "id": "note"},
        '{"ticker": "BTCUSDT", "strategy": {"order_action": "buy", "order_contracts": 1}}',
    ),
    "strategyinfo": (
        {},
        '{"symbol": "BTCUSDT", "action": "buy", "strategy_info": {"market_position": "long"}}',
    ),
    "order": (
        {"id": "note", "name": "note", "type": "order_type"},
        '{"symbol": "X", "action": "buy", "order": {"amount": "1", "currency_type": "base"}}',
    ),
    "data": (
        {"name": "note"},
        '{"symbol": "ETHUSDT", "data": {"action": "buy", "contracts": "1"}}',
    ),
    "general": (
        {},
        '{"general": {"ticker": "SOLUSD", "price": "150"}, "order": {"action": "buy"}}',
    ),
    "market": (
        {"previouspositionsize": "previous_size"},
        '{"symbol": "SOLUSD", "action": "buy", "market": {"position": "long"}}',
    ),
    "bar": (
        {"name": "note"},
        '{"symbol": "X", "action": "buy", "bar": {"close": 4211, "volume": 12}}',
    ),
}
"""Objects whose members mean what they would mean outside."""

_NOT_OBJECTS = names("take_profit stop_loss numbered_target breakeven_offset")
_AMOUNTS = names("quantity size amount notional percent")


def sort(pairs: Pairs, claims: Claims, path: str = "", local: dict[str, str] | None = None) -> None:
    """Add each member to `claims` under what its key stands for."""
    for key, value in pairs:
        kind, concept, folded = look_up(key)
        if local and folded in local:
            concept = local[folded]
            kind = "note" if concept == "note" else "field"
        claims.keys.add(folded)
        name = path + key
        if isinstance(value, dict) and concept not in _NOT_OBJECTS and kind != "secret":
            _sort_object(name, folded, value, claims, kind)
        elif kind == "field":
            _collect_secrets(value, claims)
            claims.fields.setdefault(concept, []).append((name, value))
        elif kind == "note":
            _sort_note(name, value, claims)
        elif kind == "secret":
            claims.secrets.extend((key, text) for text in _leaves(value))
        elif kind == "bar":
            claims.fields.setdefault(concept, []).append((name, value))
        else:
            _sort_unknown(name, value, claims, kind)


def _sort_object(name: str, key: str, value: dict[str, object], claims: Claims, kind: str) -> None:
    _collect_secrets(value, claims)
    if key in NESTED:
        sort(value.items(), claims, name + ".", NESTED[key][0])
    elif kind == "note":
        _sort_note(name, value, claims)
    elif found := _find_instruction(value):
        is_amount = look_up(key).concept in _AMOUNTS
        claims.refuse_field(
            f"{name}.{found}", value, "this object is not known", is_amount=is_amount
        )
    elif kind == "field":
        claims.fields.setdefault(look_up(key).concept, []).append((name, value))
    else:
        _sort_unknown(name, value, claims, kind)


def _sort_note(name: str, value: object, claims: Claims) -> None:
    _collect_secrets(value, claims)
    if find_emptiness(value) == "unreadable":
        claims.warnings.append(f"{name}: {show(value)} is no value; left out.")
    elif not isinstance(value, str) or value.strip():
        claims.note(name, value)


def _sort_unknown(name: str, value: object, claims: Claims, kind: str) -> None:
    """Refuse what may be an instruction, by its key or by its value; the rest is a note."""
    _collect_secrets(value, claims)
    if _spoils(name, value, claims):
        return
    if kind == "switch":
        pass
    elif kind in ("instruction", "amount", "letter"):
        is_number = kind == "amount" and isinstance(value, Number)
        if is_secret(name) and not is_number:
            claims.secrets.extend((name, text) for text in _leaves(value))
            if isinstance(value, list):  # "tokens": ["…"] is how several are sent
                return
        if not is_off(value) and not _is_time(name, value):
            refuse_unknown(name, value, claims, is_amount=kind == "amount")
            return
    elif isinstance(value, list) and (found := _find_instruction(value)):
        claims.refuse_field(f"{name}.{found}", value, "this list is not known")
        return
    elif isinstance(value, str) and (theme := find_theme_of_value(name, value)):
        claims.refuse_field(name, value, "may be an instruction", is_amount=theme.is_amount)
        return
    else:
        claims.warnings.append(f"{show(name)}: unknown key, kept as a note.")
    claims.note(name, "" if isinstance(value, Unreadable) else value)


def _spoils(name: str, value: object, claims: Claims) -> bool:
    """Refuse what turns the order round, or says that it is none: not even a part of it is meant."""
    key = name.rpartition(".")[2]
    effect = find_effect(key)
    if effect == "confirms" and not _is_on(value):
        claims.refuse_field(name, value, "says that there is nothing to do")
        if value is False or is_off(value, zero=True) or fold(str(value)) in ("no", "off"):
            claims.voided.append(claims.unsupported[-1])
    elif effect == "confirms" and normalise(key) not in SWITCHES:
        claims.note(name, value)
    elif effect == "voids" and _is_set(value):
        claims.refuse_field(
            name, value, 'says that this is no order; send "test": true to try an alert'
        )
        claims.voided.append(claims.unsupported[-1])
    elif (effect == "turns" and not is_off(value, zero=True)) or (
        isinstance(value, str) and turns(key, value)
    ):
        refuse_turned(name, value, claims)
    else:
        return False
    return True


def refuse_turned(name: str, value: object, claims: Claims) -> None:
    """Keep what makes a buy of a sell."""
    claims.refuse_field(
        name, value, "turns the order round; send the side that is meant, without it"
    )
    claims.turned.append(claims.unsupported[-1])


def refuse_unknown(name: str, value: object, claims: Claims, *, is_amount: bool) -> None:
    """Name the key, and say what does the same here."""
    theme = find_theme(name.rpartition(".")[2])
    remedy = theme.remedy if theme else ""
    if is_off(value, zero=True):
        remedy = "where it means off, take it out or send null"
    reason = f"not supported; {remedy}" if remedy else "not supported"
    claims.refuse_field(name, value, reason, is_amount=is_amount or _is_part(name, value))


def _is_part(name: str, value: object) -> bool:
    """Tell whether a word such as `close_partially` says how much."""
    theme = find_theme_of_value(name, value) if isinstance(value, str) else None
    return theme is not None and theme.is_amount


def _is_set(value: object) -> bool:
    """Tell whether a flag such as `skip` is plainly true; `skip: 5` says something else."""
    try:
        return read_flag(value)
    except ValueError:
        return False


def _is_on(value: object) -> bool:
    """Tell whether a switch such as `enabled` lets the alert through, or says nothing."""
    if value is None or value == "":
        return True
    try:
        return read_flag(value)
    except ValueError:
        return False


def _is_time(name: str, value: object) -> bool:
    """Tell `ts` as a time from `ts` as a trailing stop."""
    if normalise(name) != "ts":
        return False
    try:
        return read_time(value) > 0
    except ValueError:
        return False


_HARMLESS = names("note bar unknown secret")


def _find_instruction(value: object) -> str | None:
    """Return the first key inside `value` that would be a field or an instruction outside."""
    if isinstance(value, dict):
        for key, member in value.items():
            by_value = isinstance(member, str) and find_theme_of_value(key, member)
            if by_value or (look_up(key).kind not in _HARMLESS and not is_off(member)):
                return str(key)
        value = list(value.values())
    for child in value if isinstance(value, list) else ():
        found = _find_instruction(child)
        if found is not None:
            return found
    return None


def _collect_secrets(value: object, claims: Claims) -> None:
    if isinstance(value, dict):
        for key, member in value.items():
            if is_secret(key):
                claims.secrets.extend((key, text) for text in _leaves(member))
            else:
                _collect_secrets(member, claims)
    elif isinstance(value, list):
        for member in value:
            _collect_secrets(member, claims)


def _leaves(value: object) -> list[str]:
    """Return every text inside a secret, so that no part of it is shown."""
    if isinstance(value, dict):
        return [text for member in value.values() for text in _leaves(member)]
    if isinstance(value, list):
        return [text for member in value for text in _leaves(member)]
    return [str(value)] if isinstance(value, str) and value.strip() else []


def _hide(value: object) -> object:
    """Return `value` with every secret inside it masked."""
    if isinstance(value, dict):
        return {key: "***" if is_secret(key) else _hide(member) for key, member in value.items()}
    return [_hide(member) for member in value] if isinstance(value, list) else value
