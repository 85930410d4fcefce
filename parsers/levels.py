"""Read how an order is to be placed and protected: its type, its prices, its stop and target.

A level that the order type does not use is not dropped: it may have been meant as protection, so it
is named as unsupported. No level is compared with a market price here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from parsers.missing_values import POLICIES, follow, take
from parsers.raw_fields import Claims
from parsers.unknown_keys import names, normalise

from .alert import Level, ParseError
from .values import find_emptiness, fold, is_off, name_emptiness, read_amount, read_price, show

ORDER_TYPES = {
    **dict.fromkeys(("market", "mkt"), "market"),
    **dict.fromkeys(("limit", "lmt"), "limit"),
    **dict.fromkeys(("stop", "stp", "stopmarket", "stopmkt"), "stop"),
    **dict.fromkeys(("stoplimit", "stplmt", "stplimit", "stoplmt"), "stop_limit"),
}
_USES = {
    "limit": frozenset(("limit_price",)),
    "stop": frozenset(("stop_price",)),
    "stop_limit": frozenset(("limit_price", "stop_price")),
}
_TAKE_PROFIT = {
    "limitprice": "price",
    "price": "price",
    "percent": "percent",
    "amount": "amount",
    "ticks": "ticks",
}
_STOP_LOSS = {
    "stopprice": "price",
    "price": "price",
    "percent": "percent",
    "amount": "amount",
    "ticks": "ticks",
    "limitprice": "limit_price",
}
_STOP_TYPES = {**dict.fromkeys(("stop", "stopmarket"), "stop"), "stoplimit": "stop_limit"}


@dataclass(frozen=True, slots=True)
class Prices:
    """The order type and the prices beside it."""

    order_type: str | None
    price: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None


_LEVELS = names("order_type limit_price stop_price close")
"""Without these the only price is the one that was seen."""


def read_prices(claims: Claims, *, reduces: bool) -> Prices:
    """Return type and prices of the order; what the type does not use ends in `unsupported`."""
    read_seen = read_price if reduces else _read_reference
    if claims.fields.keys().isdisjoint(_LEVELS):
        return Prices(None, take(claims, "price", "describes", read_seen), None, None)
    order_type = _read_order_type(claims)
    uses = _USES.get(order_type or "", frozenset())
    policy = "decorates" if reduces else "level"
    found: dict[str, Decimal | None] = {}
    for concept in ("limit_price", "stop_price"):
        if concept in uses:
            found[concept] = take(claims, concept, policy, read_price)
        else:
            _refuse_stray(claims, concept, policy, order_type or "")
    own = any(found.values())
    decides = bool(uses) and not own
    price = take(claims, "price", policy if decides else "describes", read_seen)
    price = _stand_in(claims, price)
    prices = Prices(order_type, price, found.get("limit_price"), found.get("stop_price"))
    if reduces and uses and not own and price is None:
        claims.warnings.append(f"{order_type} without a price that can be read: exits at market.")
        return replace(prices, order_type=None)
    return prices


def sort_seen_prices(claims: Claims, *, reduces: bool) -> None:
    """Tell what the position cost from what it costs now, where the order ends it.

    There `entry_price` is a note and `exit_price` stands in for `price`; elsewhere an entry's price is
    the price, and an exit's is an instruction.
    """
    entries, exits = claims.take("entry_price"), claims.take("exit_price")
    if not reduces:
        claims.add("price", entries)
        for key, value in exits:
            if not is_off(value):
                claims.refuse_field(key, value, "not supported; send take_profit or stop_loss")
        return
    for key, value in entries:
        claims.note(key, None if find_emptiness(value) else value)
    if "price" not in claims.fields:
        claims.add("price", exits)
    else:
        for key, value in exits:
            claims.note(key, None if find_emptiness(value) else value)


def _read_reference(value: object) -> Decimal:
    """Return the price seen. 45,000 or 45,5 was meant as a price: it is refused, not left out."""
    if isinstance(value, str) and "," in value and value.strip("+-$€£ ")[:1].isdigit():
        reason = f"price: {show(value)} has a comma: write 61250.5 for 61,250.50."
        raise ParseError(reason, field="price")
    return read_price(value)


def _refuse_stray(claims: Claims, concept: str, policy: str, order_type: str) -> None:
    """Name a level that the order type does not use; zero is how some templates leave it out."""
    for key, value in claims.take(concept):
        wrong = find_emptiness(value)
        if wrong in ("null", "empty"):
            follow(claims, POLICIES[policy][wrong], key, name_emptiness(value), concept)
        elif not is_off(value, zero=True):
            order = f"a {order_type} order" if order_type else "an order without a type"
            claims.refuse_field(key, value, f"not used by {order}: send order_type limit or stop")
        else:
            claims.warnings.append(f"{key}: is zero. Left out.")


_SWITCH = ("0", "1")
_BAR = names("open high low volume")


def _stand_in(claims: Claims, price: Decimal | None) -> Decimal | None:
    """Let the bar's close stand in for an absent price, and keep it as a note."""
    has_bar = any(normalise(key) in _BAR and text not in _SWITCH for key, text in claims.notes)
    for key, value in claims.take("close"):
        if str(value) in _SWITCH and not has_bar and normalise(key) == "close":
            claims.refuse_field(key, value, "a price or a switch? Send action close")
        elif isinstance(value, str) and (find_emptiness(value) or not value.strip()[:1].isalpha()):
            claims.note(key, None if find_emptiness(value) else value)
            claims.add("close", [(key, value)])
        elif not is_off(value):
            claims.refuse_field(key, value, "a price or an instruction? Send action close")
    if price is not None:
        claims.take("close")
        return price
    return take(claims, "close", "describes", read_price)


def _read_order_type(claims: Claims) -> str | None:
    def read(value: object) -> str:
        if not isinstance(value, str) or not value.strip()[:1].isalpha():
            raise ValueError(f"{show(value)} is no order type: write market, limit or stop.")
        word = fold(value)
        return ORDER_TYPES.get(word.removesuffix("order")) or f"?{value.strip()}"

    order_type = take(claims, "order_type", "states", read)
    if order_type is None or not order_type.startswith("?"):
        return order_type
    word = fold(order_type[1:])
    reason = f"order_type {show(order_type[1:])}"
    if word in _TURNED:
        message = f"{reason} turns the order round: not supported. Send the side that is meant."
        raise ParseError(message, field="order_type", code="UNSUPPORTED", status=422)
    if word in _WAITING:
        message = f"{reason} is not supported: use market, limit, stop or stop_limit."
        raise ParseError(message, field="order_type", code="UNSUPPORTED", status=422)
    if word in _OTHER_TYPES:
        claims.refuse_field("order_type", order_type[1:], "use market, limit, stop or stop_limit")
        return None
    raise ParseError(
        f"{reason} is not known: write market, limit, stop or stop_limit.", field="order_type"
    )


_TURNED = names("inverse invert inverted contrarian flip hedge")
_WAITING = names(
    "trailingstop trailing trail tsl trailingstoplimit trailingstopmarket trailstop trailstoplimit"
    " takeprofit takeprofitmarket takeprofitlimit stoploss stoplossmarket stoplosslimit tp sl"
    " marketiftouched limitiftouched mit lit oco oto otoco bracket conditional"
)
"""Types that wait for a price: an exit with one of them is not meant to leave at once."""
_OTHER_TYPES = names(
    "moc loc moo loo marketonclose limitonclose marketonopen limitonopen midprice midpoint pegged"
    " peg relative iceberg twap vwap adaptive postonly limitmaker marketablelimit ioc fok auction"
    " snapmid reduce reduceonly reducelong reduceshort"
)
"""Other ways to trade now; an exit that asks for one leaves at the market, with a warning."""


def read_protection(claims: Claims, concept: str, *, reduces: bool) -> Level | None:
    """Return the stop loss or take profit: a price, or an object that says how it counts."""
    label = concept

    def read(value: object) -> Level | None:
        if isinstance(value, dict):
            return read_level(claims, label, value)
        if isinstance(value, str) and value.strip().endswith("%"):
            percent = value.strip().removesuffix("%").strip()
            raise ValueError(f'{show(value)} is a percentage: send {{"percent": {percent}}}.')
        return Level(price=read_amount(value))

    level = take(claims, concept, "decorates" if reduces else "level", read)
    if level and reduces and Decimal(0) in (level.price, *_distances(level)):
        claims.warnings.append(f"{concept}: is zero. Left out.")
        return None
    return level


def _distances(level: Level) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    return level.percent, level.amount, level.ticks


def read_level(claims: Claims, label: str, members: dict[str, object]) -> Level | None:
    """Return the level that an object states; a foreign member makes all of it unsupported."""
    table = _STOP_LOSS if label == "stop_loss" else _TAKE_PROFIT
    found: dict[str, Decimal] = {}
    stop_type, is_foreign = "", False
    for key, value in members.items():
        name, path = normalise(key), f"{label}.{key}"
        if value is None:
            claims.warnings.append(f"{path}: null is no value. Left out.")
        elif name == "type" and label == "stop_loss" and _STOP_TYPES.get(fold(str(value))):
            stop_type = _STOP_TYPES[fold(str(value))]
        elif name in table:
            number = _read_member(key, value)
            if found.setdefault(table[name], number) != number:
                raise ValueError(f"{key} is there twice and disagrees: send one of them.")
        elif not is_off(value):
            claims.refuse_field(path, value, "not supported")
            is_foreign = True
    if is_foreign:
        return None
    if not found and not stop_type:
        claims.warnings.append(f"{label}: the object is empty. Left out.")
        return None
    return _check_level(claims, label, Level(**found), stop_type)


def _read_member(key: str, value: object) -> Decimal:
    if find_emptiness(value) is not None:
        raise ValueError(f"{key} {show(value)} is no value.")
    try:
        return read_amount(value)
    except ValueError as error:
        raise ValueError(f"{key} {error}") from None


def _check_level(claims: Claims, label: str, level: Level, stop_type: str) -> Level:
    if label == "stop_loss" and level.price is not None and level.percent is not None:
        # TradersPost's own script writes the percent beside the prices it computed from it.
        claims.warnings.append(f"{label}: the price counts, percent {level.percent} is a note.")
        level = replace(level, percent=None)
    stated = [part for part in (level.price, *_distances(level)) if part is not None]
    if len(stated) != 1:
        raise ValueError("send exactly one of price, percent, amount and ticks.")
    if stop_type and (stop_type == "stop_limit") != (level.limit_price is not None):
        raise ValueError("limitPrice belongs to type stop_limit, and only there.")
    return level
