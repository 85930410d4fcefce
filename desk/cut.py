"""Cut an order at zero: what it takes of a strategy's share, and what it opens beyond it.

A stated position and the strategy's direction bound what is opened, never what is reduced. Pure arithmetic
on the share as it will be once every owed exit is done; whether the order may leave is not asked here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from desk.book import Book, Share
from desk.codes import Denial
from desk.risk import Stakes
from desk.sizing import opening_quantity, reducing_quantity, signal_before
from desk.timing import Times
from parsers.alert import Alert

ZERO = Decimal(0)


@dataclass(frozen=True)
class Rules:
    """What holds for one strategy on one account at the moment of an alert."""

    strategy: str
    times: Times
    multiplier: Decimal = Decimal(1)
    default_quantity: Decimal | None = None
    use_market_orders: bool = True
    direction: str | None = None
    sync: bool = False
    pyramid: bool = False
    opens_here: bool = True
    """False on an account where the alert may only reduce what the strategy holds."""
    denied: Denial | None = None
    """A reason known beforehand why nothing may be opened: disabled, halted, not allowed, too many."""
    stakes: Stakes | None = None
    """The limits of risk and what counts towards them; None where there are none."""
    nets: bool = False
    """Whether the venue nets orders of different strategies on this instrument."""
    manual: Decimal = ZERO
    """What the venue holds of the instrument beyond the shares."""
    price: Decimal | None = None
    """The last price seen, the alert's own included."""
    limit_ms: int = 300_000
    day_ms: int = 86_400_000
    """How long the account's trading day still lasts."""


@dataclass(frozen=True, slots=True)
class Cut:
    """An order cut at zero: what it takes of the share, and what it opens (None: nothing says how much)."""

    side: str
    reduces: Decimal = ZERO
    opens: Decimal | None = ZERO
    note: str | None = None


def cut_at_zero(alert: Alert, share: Share, book: Book, rules: Rules) -> Cut:
    """Return what `alert` takes of `share` and what it opens, on its steps, before any denial."""
    held = share.staying
    if alert.action == "cancel":
        return Cut("buy")
    if rules.sync:
        return _cut_to_target(stated_target(alert) or ZERO, held, book, rules)
    price = order_levels(alert)[0] or rules.price
    terms = (rules.multiplier, price, book.instrument.step)
    if alert.action in ("close", "close_long", "close_short"):
        side = "sell" if held > 0 else "buy"
        wrong = (alert.action == "close_long" and held < 0) or (
            alert.action == "close_short" and held > 0
        )
        if wrong or held == 0:
            return Cut(side)
        return Cut(side, reducing_quantity(alert, side, abs(held), terms))
    side = alert.action
    against = held != 0 and (held > 0) == (side == "sell")
    if not against:
        return _allow(Cut(side, ZERO, _asks(alert, held, price, rules)), alert, book, rules)
    reduces = reducing_quantity(alert, side, abs(held), terms)
    if alert.quantity is None or reduces < abs(held):
        return Cut(side, reduces)
    asked = opening_quantity(alert, rules.multiplier, None, price) or ZERO
    return _allow(Cut(side, reduces, max(ZERO, asked - abs(held))), alert, book, rules)


def _cut_to_target(target: Decimal, held: Decimal, book: Book, rules: Rules) -> Cut:
    """Cut the way from the share to a stated position, times the multiplier."""
    target = target * rules.multiplier
    note = None
    allowed = _direction(book, rules)
    if (target < 0 and allowed == "long") or (target > 0 and allowed == "short"):
        target, note = ZERO, f"{rules.strategy} trades {allowed} only here, so the target is flat"
    side = "buy" if target > held else "sell"
    if held == 0 or (target != 0 and (target > 0) == (held > 0)):
        moved = abs(target) - abs(held)
        return Cut(side, max(ZERO, -moved), max(ZERO, moved), note)
    return Cut(side, abs(held), abs(target), note)


def _asks(alert: Alert, held: Decimal, price: Decimal | None, rules: Rules) -> Decimal | None:
    if alert.quantity_type == "percent_of_position" and alert.quantity is not None:
        return abs(held) * alert.quantity / 100 if held else None
    return opening_quantity(alert, rules.multiplier, rules.default_quantity, price)


def _allow(cut: Cut, alert: Alert, book: Book, rules: Rules) -> Cut:
    """Bound the opening part by the stated position and by the strategy's direction."""
    if cut.opens == 0 and cut.reduces > 0:
        return cut
    way = "long" if cut.side == "buy" else "short"
    stated = alert.market_position
    if stated is not None and stated != way:
        return replace(cut, opens=ZERO)
    allowed = _direction(book, rules)
    if allowed not in (way, "both"):
        note = _direction_note(allowed, book, rules)
        return replace(cut, opens=ZERO, note=note)
    if alert.quantity is None or cut.opens is None:
        return cut
    opens = cut.opens
    if alert.position_size is not None:
        opens = min(opens, abs(alert.position_size) * rules.multiplier)
    elif cut.reduces > 0 and alert.quantity_type == "fixed":
        before = signal_before(alert, cut.side)
        if before is not None and before > 0:
            opens = min(opens, max(ZERO, alert.quantity - before) * rules.multiplier)
    return replace(cut, opens=opens)


def _direction(book: Book, rules: Rules) -> str:
    return (rules.direction or "both") if book.instrument.may_short else "long"


def _direction_note(allowed: str, book: Book, rules: Rules) -> str:
    symbol = book.instrument.symbol
    if not book.instrument.may_short:
        kind = book.instrument.kind
        hint = f"; a short needs the perpetual {symbol}.P" if kind == "spot" else ""
        return f"{symbol} is {kind}, where {rules.strategy} can only be long{hint}"
    return f"strategies.{rules.strategy}.direction is {allowed}"


def stated_target(alert: Alert) -> Decimal | None:
    """Return the signed position the alert states for after its order, or None."""
    if alert.action in ("close", "close_long", "close_short") or alert.market_position == "flat":
        return ZERO
    return alert.position_size


def order_levels(alert: Alert) -> tuple[Decimal | None, Decimal | None]:
    """Return limit and trigger price of an order; `price` stands in where its kind brings no level."""
    limit, stop = alert.limit_price, alert.stop_price
    if alert.order_type == "limit":
        return (limit if limit is not None else alert.price), None
    if alert.order_type == "stop":
        return None, (stop if stop is not None else alert.price)
    if alert.order_type == "stop_limit":
        return limit, stop
    return None, None
