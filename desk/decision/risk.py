"""Judge an opening order by the limits of its owner: one decision, after sizing, before it is born.

The first limit that is not kept is the denial. What cannot be judged, because a price, a currency or a
number is not known, is denied as well: nothing here guesses. Exits are never asked about. Pure: what the
account holds, has sent and has lost are arguments.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

from brokers.protocol import Instrument
from desk.config.trading_hours import Window, is_within
from desk.decision.denial import Denial
from desk.formats import write_number
from desk.orders.order import ENTRY
from desk.orders.position_book import PositionBook

ZERO = Decimal(0)
DOLLARS = frozenset({"USD", "USDT", "USDC"})
"""What counts as one currency, where the settings say so."""
Amount = Decimal | Denial
"""Money in the account's currency, or why it cannot be told."""
Reason = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Limits:
    """What an order must keep to; None is no limit. Money is in the account's currency."""

    max_notional: Decimal | None = None
    max_position: Decimal | None = None
    max_daily_loss: Decimal | None = None
    max_quantity: Decimal | None = None
    max_contracts: Decimal | None = None
    """Of all futures together; ten micros are one."""
    max_exposure: Decimal | None = None
    max_orders_per_minute: int | None = None
    max_orders_per_day: int | None = None
    max_repeats: int | None = None
    price_band_percent: Decimal | None = None
    symbols: frozenset[str] | None = None
    """The names that may be traded; an empty set allows nothing."""
    hours: tuple[tuple[Window, ...], ...] = ()
    """Of each entry one window must be open."""


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Asked:
    """An opening order as it would be sent.

    `price` is the worst it is expected to fill at, `level` the limit or stop it carries, `reference`
    what the instrument costs as far as anyone knows; None where that is not known.
    """

    side: str
    quantity: Decimal
    instrument: Instrument
    price: Decimal | None = None
    level: Decimal | None = None
    reference: Decimal | None = None
    held: Decimal = ZERO
    """What is held of this instrument or may still be opened by earlier orders, both sides added up."""
    own: Decimal = ZERO
    """The strategy's part of it."""
    now: int = 0


@dataclass(frozen=True, slots=True)
class Scope:
    """Limits, and what counts towards them: all of an account, or one strategy's part of it."""

    limits: Limits
    strategy: str | None = None
    """None: the whole account counts."""
    in_minute: int = 0
    today: int = 0
    """Opening orders within the last minute, and since the account's day began."""
    run: tuple[str, int] = ("", 0)
    """The side of the last orders for this symbol within a minute, and how many they were in a row."""
    elsewhere: Amount = ZERO
    """What the other instruments are worth, counted in the same way."""
    contracts: Decimal = ZERO
    """The contracts of other futures, counted in the same way."""
    result: Amount = ZERO
    """The day's profit or loss, with what is open."""


@dataclass(frozen=True, slots=True)
class Total:
    """The limit over all accounts together, in one currency, and what else counts towards it."""

    limit: Decimal
    currency: str
    worth: frozenset[str]
    """The currencies of which one is worth one of it, on the account that asks."""
    elsewhere: Amount = ZERO


@dataclass(frozen=True, slots=True)
class Stakes:
    """Everything an order on one account is judged by."""

    account: str
    currency: str
    worth: frozenset[str]
    """The currencies of which one is worth one of the account's."""
    names: frozenset[str] = frozenset()
    """What a list of symbols may call the instrument."""
    scopes: tuple[Scope, ...] = ()
    total: Total | None = None


def tighter(one: Limits, other: Limits) -> Limits:
    """Return the limits that keep both: the smaller number, the symbols and hours common to both."""
    both: dict[str, Any] = {}
    for each in fields(Limits):
        mine, others = getattr(one, each.name), getattr(other, each.name)
        if each.name == "hours":
            both[each.name] = mine + others
        elif mine is None or others is None:
            both[each.name] = others if mine is None else mine
        else:
            both[each.name] = mine & others if each.name == "symbols" else min(mine, others)
    return Limits(**both)


def check_limits(asked: Asked, stakes: Stakes) -> Denial | None:
    """Return the first limit that the order would break, or None where it keeps them all."""
    for scope in stakes.scopes:
        for code, text in _reasons(asked, stakes, scope):
            return Denial(code, text, asked.side, asked.quantity)
    for code, text in _total_reasons(asked, stakes.total):
        return Denial(code, text, asked.side, asked.quantity)
    return None


def _total_reasons(asked: Asked, total: Total | None) -> Iterator[Reason]:
    """Yield that all accounts together would hold too much, or why that cannot be told."""
    if total is None:
        return
    unit = find_unit_value(asked.instrument, asked.price, total.currency, total.worth)
    doubt = next((each for each in (unit, total.elsewhere) if isinstance(each, Denial)), None)
    if doubt is not None:
        yield doubt.code, f"max_total_exposure cannot be judged: {doubt.message}"
        return
    assert isinstance(unit, Decimal)
    assert isinstance(total.elsewhere, Decimal)
    after = total.elsewhere + (asked.held + asked.quantity) * unit
    if not _keeps(after, total.limit):
        text = (
            f"All accounts together would hold {write_number(after)} {total.currency}; "
            f"max_total_exposure is {total.limit}."
        )
        yield "MAX_TOTAL_EXPOSURE", text


def count_held(book: PositionBook, strategy: str | None, own: str) -> Decimal:
    """Return what is held here or may still be opened, by one strategy or by all, both sides added up.

    An order counts until it is final, also where nobody knows whether it exists. What `own`, the strategy
    that asks, is leaving or ending does not: its new order waits until that is done.
    """
    mine = book.position(own)
    held = book.totals.size if strategy is None else abs(book.position(strategy).quantity)
    if strategy in (None, own):
        held += abs(mine.projected_quantity) - abs(mine.quantity)
    for order in book.open_orders(strategy, ENTRY):
        if not (order.end_status and order.strategy == own and order.status != "unknown"):
            held += order.leaves_quantity
    return held


def is_worth(quote: str, currency: str, *, dollars_are_one: bool) -> bool:
    """Tell whether an amount in `quote` is one in `currency`: equal, or both a kind of dollar."""
    return quote == currency or (dollars_are_one and {quote, currency} <= DOLLARS)


@functools.cache
def find_worth(currency: str, *, dollars_are_one: bool) -> frozenset[str]:
    """Return the currencies of which one is worth one of the account's."""
    known = (currency, *DOLLARS)
    return frozenset(c for c in known if is_worth(c, currency, dollars_are_one=dollars_are_one))


def _reasons(asked: Asked, stakes: Stakes, scope: Scope) -> Iterator[Reason]:
    """Yield each limit that is not kept: what may be traded at all, how often, how much."""
    limits, now = scope.limits, asked.now
    if limits.symbols is not None and not stakes.names & limits.symbols:
        allowed = ", ".join(sorted(limits.symbols)) or "none that every list holds"
        yield (
            "SYMBOL_NOT_ALLOWED",
            (
                f"{asked.instrument.symbol} is not among the symbols that {_whose(stakes, scope)} "
                f"may open: {allowed}."
            ),
        )
    if not all(_is_open(windows, now) for windows in limits.hours):
        text = f"{_whose(stakes, scope)} opens nothing at this hour (risk.hours). Exits still work."
        yield "OUTSIDE_HOURS", text
    yield from _count_reasons(asked, stakes, scope)
    if limits.max_daily_loss is not None:
        yield from _loss_reasons(limits.max_daily_loss, stakes, scope)
    if not _keeps(asked.quantity, limits.max_quantity):
        yield (
            "MAX_QUANTITY",
            (
                f"{write_number(asked.quantity)} {asked.instrument.symbol} is more than max_quantity "
                f"{limits.max_quantity}."
            ),
        )
    yield from _contract_reasons(asked, stakes, scope)
    if limits.price_band_percent is not None:
        yield from _band_reasons(limits.price_band_percent, asked)
    yield from _money_reasons(asked, stakes, scope)


MICRO = Decimal("0.1")


def count_contracts(instrument: Instrument, quantity: Decimal) -> Decimal:
    """Return how many full contracts a quantity is; nothing where the instrument is no future."""
    if instrument.kind != "futures":
        return ZERO
    return quantity * MICRO if instrument.is_micro else quantity


def _contract_reasons(asked: Asked, stakes: Stakes, scope: Scope) -> Iterator[Reason]:
    """Yield that an order would be one contract too many; everything that is no future keeps the limit."""
    limit = scope.limits.max_contracts
    if limit is None or asked.instrument.kind != "futures":
        return
    held = asked.own if scope.strategy else asked.held
    after = scope.contracts + count_contracts(asked.instrument, held + asked.quantity)
    if not _keeps(after, limit):
        text = (
            f"{_whose(stakes, scope)} would hold {write_number(after)} contracts in all, ten micros "
            f"being one; max_contracts is {write_number(limit)}."
        )
        yield "MAX_CONTRACTS", text


def _whose(stakes: Stakes, scope: Scope) -> str:
    return f"{scope.strategy} on {stakes.account}" if scope.strategy else stakes.account


def _keeps(value: Decimal | int, limit: Decimal | int | None) -> bool:
    """Tell whether a limit is kept; a number that is none keeps no limit."""
    if limit is None:
        return True
    number = Decimal(value)
    return number.is_finite() and number <= limit


def _is_open(windows: Iterable[Window], now: int) -> bool:
    return any(is_within(window, now) for window in windows)


def _count_reasons(asked: Asked, stakes: Stakes, scope: Scope) -> Iterator[Reason]:
    """Yield what would be too many orders, this one included."""
    limits, who = scope.limits, _whose(stakes, scope)
    if not _keeps(scope.in_minute + 1, limits.max_orders_per_minute):
        text = (
            f"{who} has sent {scope.in_minute} opening orders within a minute, as many as allowed."
        )
        yield "MAX_ORDERS_PER_MINUTE", text
    if not _keeps(scope.today + 1, limits.max_orders_per_day):
        text = (
            f"{who} has sent {scope.today} opening orders since its day began, as many as allowed."
        )
        yield "MAX_ORDERS_PER_DAY", text
    side, count = scope.run
    if side == asked.side and not _keeps(count + 1, limits.max_repeats):
        yield (
            "MAX_REPEATS",
            (
                f"{count} orders to {side} {asked.instrument.symbol} in a row within a minute are as "
                "many as allowed."
            ),
        )


def _loss_reasons(limit: Decimal, stakes: Stakes, scope: Scope) -> Iterator[Reason]:
    result = scope.result
    if isinstance(result, Denial):
        yield result.code, f"max_daily_loss cannot be judged: {result.message}"
    elif not (result.is_finite() and -result < limit):
        yield (
            "MAX_DAILY_LOSS",
            (
                f"{_whose(stakes, scope)} has lost {write_number(-result)} {stakes.currency} since its day "
                f"began; max_daily_loss is {limit}. Exits still work."
            ),
        )


def _band_reasons(band: Decimal, asked: Asked) -> Iterator[Reason]:
    """Yield what is wrong with the order's own level, measured from what the instrument costs."""
    reference, level = asked.reference, asked.level
    if reference is None or not (reference.is_finite() and reference > 0):
        yield "PRICE_UNKNOWN", f"price_band_percent cannot be judged: {_no_price(asked)}"
    elif level is not None and not _keeps(abs(level - reference) * 100, band * reference):
        yield (
            "PRICE_BAND",
            (
                f"The level {write_number(level)} is more than {band} % away from the price "
                f"{write_number(reference)}."
            ),
        )


def _money_reasons(asked: Asked, stakes: Stakes, scope: Scope) -> Iterator[Reason]:
    """Yield which of the limits in money is not kept, or why that cannot be told."""
    limits = scope.limits
    named = [
        name
        for name in ("max_notional", "max_position", "max_exposure")
        if getattr(limits, name) is not None
    ]
    if not named:
        return
    unit = find_unit_value(asked.instrument, asked.price, stakes.currency, stakes.worth)
    if isinstance(unit, Denial):
        yield unit.code, f"{named[0]} cannot be judged: {unit.message}"
        return
    money = stakes.currency
    held = asked.own if scope.strategy else asked.held
    order, position = asked.quantity * unit, (held + asked.quantity) * unit
    if not _keeps(order, limits.max_notional):
        text = f"The order is worth {write_number(order)} {money}; max_notional is {limits.max_notional}."
        yield "MAX_NOTIONAL", text
    if not _keeps(position, limits.max_position):
        yield (
            "MAX_POSITION",
            (
                f"{_whose(stakes, scope)} would hold {write_number(position)} {money} of "
                f"{asked.instrument.symbol}; max_position is {limits.max_position}."
            ),
        )
    if limits.max_exposure is None:
        return
    if isinstance(scope.elsewhere, Denial):
        yield scope.elsewhere.code, f"max_exposure cannot be judged: {scope.elsewhere.message}"
    elif not _keeps(scope.elsewhere + position, limits.max_exposure):
        yield (
            "MAX_EXPOSURE",
            (
                f"{_whose(stakes, scope)} would hold {write_number(scope.elsewhere + position)} {money} in "
                f"all; max_exposure is {limits.max_exposure}."
            ),
        )


def find_unit_value(
    instrument: Instrument, price: Decimal | None, currency: str, worth: Collection[str]
) -> Amount:
    """Return what one of an instrument is worth in the account's currency, or why that is not known."""
    if instrument.quote not in worth:
        return Denial(
            "CURRENCY_UNKNOWN",
            f"{instrument.symbol} is quoted in {instrument.quote} and the account counts in "
            f"{currency}; set the account's currency, or stablecoins_are_dollars if that is meant.",
        )
    if price is None or not (price.is_finite() and price > 0):
        text = f"the price of {instrument.symbol} is not known; add price to the alert."
        return Denial("PRICE_UNKNOWN", text)
    return price * instrument.point_value


def _no_price(asked: Asked) -> str:
    return f"the price of {asked.instrument.symbol} is not known; add price to the alert."
