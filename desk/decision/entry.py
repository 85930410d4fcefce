"""Bear the one opening order of an alert, or say why it may not be.

The reasons are asked in a fixed order and the first one is the answer. Nothing here touches the reducing
part: an exit is never denied.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from desk.decision.context import DecisionContext, OrderSplit
from desk.decision.continuous import count_from_price, list_chart_reasons
from desk.decision.denial import Denial
from desk.decision.opening_size import order_levels
from desk.decision.risk import Asked, check_limits, count_held
from desk.decision.staleness import is_stale_opening
from desk.formats import write_number
from desk.orders.believed_prices import find_far_level, has_levels, reference_price
from desk.orders.evolve import evolve
from desk.orders.order import ENTRY, NO_ORDER, AlertRef, Order
from desk.orders.position_book import PositionBook
from desk.orders.rounding import find_distance, fits, floor_to, nearest_to
from desk.orders.targets import find_percents
from parsers.alert import Alert, Level, TakeProfit

ZERO, CRUMB = Decimal(0), Decimal("0.00000001")


def build_entry(
    book: PositionBook, alert: Alert, split: OrderSplit, cause: AlertRef, context: DecisionContext
) -> tuple[Order, Denial | None]:
    """Return the opening order of an alert as it would be sent, and the first reason against it."""
    alert = _protect(alert, split, book, context)
    told = alert
    if context.by_distance:
        alert = count_from_price(alert, split.side, context.price)
    order_type, limit, stop = _entry_kind(alert, context, book)
    cash = None
    # What was cut, or is a stated position, is a quantity: the whole amount would buy more than that.
    is_whole = split.opens == split.asked and not context.sync and split.sized is None
    is_money = alert.quantity_type == "cash" and book.instrument.quote in context.worth
    if order_type == "market" and "cash" in book.capabilities and is_whole and is_money:
        cash = (alert.quantity or ZERO) * context.multiplier
    order = evolve(
        NO_ORDER,
        client_id=book.name_order(cause.alert_id, ENTRY, 1),
        cause=cause,
        strategy=context.strategy,
        kind=ENTRY,
        side=split.side,
        quantity=fits(split.opens, book.instrument) if split.opens else ZERO,
        order_type=order_type,
        limit_price=limit,
        stop_price=stop,
        stop_loss=alert.stop_loss,
        take_profit=alert.take_profit,
        take_profits=_divide(alert, split, book, context),
        move_stop=alert.move_stop,
        quote_quantity=cash,
        created_at=context.times.now,
        time_to_live_ms=_lifetime(alert, order_type, context),
        submit_by=context.times.submit_by,
        unpriced=context.price is None and has_levels(limit, stop, alert.named_levels),
    )
    if context.sync:
        way = 1 if order.side == "buy" else -1
        order = evolve(
            order,
            target_position=book.position(context.strategy).projected_quantity
            + way * order.quantity,
        )
    for code, text in _reasons(book, told, split, order, context):
        return order, Denial(code, text, split.side, order.quantity or split.opens)
    if context.denied:
        return order, replace(context.denied, side=split.side, quantity=order.quantity)
    return order, _judge(book, order, context)


def _divide(
    alert: Alert, split: OrderSplit, book: PositionBook, context: DecisionContext
) -> tuple[TakeProfit, ...]:
    """Return an alert's targets, each with its percent of the position; none where they cannot be."""
    size = _size_after(split, book, context)
    try:
        return find_percents(alert.take_profits, size, context.multiplier) if size else ()
    except ValueError:
        return ()  # `_reasons` says why


def _size_after(split: OrderSplit, book: PositionBook, context: DecisionContext) -> Decimal:
    """Return how large the position will be once the entry has filled, without the fee in kind."""
    bought = fits(split.opens, book.instrument) if split.opens else ZERO
    held = book.position(context.strategy).projected_quantity * (1 if split.side == "buy" else -1)
    return bought * (1 - book.instrument.fee_in_kind) + max(ZERO, held)


def _target_reasons(
    book: PositionBook, alert: Alert, split: OrderSplit, context: DecisionContext
) -> Iterator[tuple[str, str]]:
    """Yield why the targets of an alert cannot divide its position."""
    size = _size_after(split, book, context)
    try:
        if alert.take_profits and size:
            find_percents(alert.take_profits, size, context.multiplier)
    except ValueError as error:
        yield "UNSUPPORTED", f"take_profits: {error}, {write_number(size)}. Correct their sizes."


def _protect(
    alert: Alert, split: OrderSplit, book: PositionBook, context: DecisionContext
) -> Alert:
    """Return the alert with the strategy's own levels in place of those it does not bring.

    What adds to a position leaves the levels that stand there.
    """
    position = book.position(context.strategy)
    adds = split.reduces == 0 and position.projected_quantity != 0
    stop, target = alert.stop_loss, alert.take_profit
    if stop is None and not (adds and position.stop_loss):
        stop = context.default_stop
    has_own = target is not None or bool(alert.take_profits)
    if not has_own and not (adds and (position.take_profit or position.targets)):
        target = context.default_target
    if stop is alert.stop_loss and target is alert.take_profit:
        return alert
    return replace(alert, stop_loss=stop, take_profit=target)


def _judge(book: PositionBook, order: Order, context: DecisionContext) -> Denial | None:
    """Ask the limits of risk, with what this book holds after the cut."""
    if context.stakes is None:
        return None
    asked = Asked(
        side=order.side,
        quantity=order.quantity,
        instrument=book.instrument,
        price=_worst_price(order, context.price),
        level=order.stop_price if order.limit_price is None else order.limit_price,
        reference=context.price,
        held=count_held(book, None, order.strategy),
        own=count_held(book, order.strategy, order.strategy),
        now=context.times.now,
    )
    return check_limits(asked, context.stakes)


def _worst_price(order: Order, last: Decimal | None) -> Decimal | None:
    """Return the highest price that an entry is expected to fill at: what it may be worth."""
    limit, stop = order.limit_price, order.stop_price
    if order.side == "buy" and limit is not None:
        return limit
    known = [price for price in (limit, stop) if price is not None]
    is_bound = order.side == "sell" and "stop" in order.order_type
    if last is not None and not is_bound:
        known.append(last)
    return max(known, default=None)


def _entry_kind(
    alert: Alert, context: DecisionContext, book: PositionBook
) -> tuple[str, Decimal | None, Decimal | None]:
    tick = book.instrument.tick
    kind = alert.order_type
    limit, stop = order_levels(alert)
    if kind is None and not context.use_market_orders:
        kind, limit = "limit", alert.price
    limit = nearest_to(limit, tick) if limit is not None else None
    stop = nearest_to(stop, tick) if stop is not None else None
    return kind or "market", limit, stop


def _lifetime(alert: Alert, order_type: str, context: DecisionContext) -> int | None:
    if order_type == "market":
        return context.times.max_age_ms
    if alert.time_in_force == "gtc":
        return None
    return context.day_ms if alert.time_in_force == "day" else context.limit_ms


def _reasons(
    book: PositionBook, alert: Alert, split: OrderSplit, order: Order, context: DecisionContext
) -> Iterator[tuple[str, str]]:
    """Yield every reason of ours against an opening part, the weightiest first."""
    symbol = book.instrument.symbol
    if unclear := _not_understood(alert, book, context):
        yield "UNSUPPORTED", unclear
    if context.times.expired:
        yield "EXPIRED", context.times.expired
    adds = split.reduces == 0 and book.position(context.strategy).stop_loss is not None
    if context.require_stop and alert.stop_loss is None and not adds:
        yield "STOP_REQUIRED", f"{context.strategy} opens nothing without a stop. Add stop_loss."
    if is_stale_opening(book.position(context.strategy).signals, order.cause, split.side):
        yield "STALE_ORDER", "A later alert has already ended this position."
    yield from _book_reasons(book, context)
    if order.quote_quantity is not None:
        if order.quote_quantity < book.instrument.min_notional:
            least = f"{write_number(book.instrument.min_notional)} {book.instrument.quote}"
            text = f"{write_number(order.quote_quantity)} is below the smallest order for {symbol}, {least}."
            yield "QUANTITY_TOO_SMALL", text
    elif split.opens is None:
        yield _no_quantity(split, context)
    elif order.quantity == 0:
        smallest = max(book.instrument.step, book.instrument.min_quantity)
        asked = write_number(floor_to(split.opens, CRUMB))
        text = f"{asked} {symbol} is below the smallest order, {write_number(smallest)}."
        if how := (split.sized or split.size).how:
            text = f"{text} It is {how}."
        yield "QUANTITY_TOO_SMALL", text
    yield from _target_reasons(book, alert, split, context)
    yield from _coin_reasons(book, order, context)
    yield from _price_reasons(book, alert, order, context)


def _price_reasons(
    book: PositionBook, alert: Alert, order: Order, context: DecisionContext
) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the alert's price and with its levels (rules 4.1, 4.4, 4.5)."""
    if context.doubt:
        yield "PRICE_FAR", context.doubt
    if context.by_distance:
        yield from list_chart_reasons(book, alert, order, context)
    if missing := _missing_level(order):
        text = f"A {order.order_type.replace('_', '-')} order needs {missing}. Add it to the alert."
        yield "NO_PRICE", text
    if context.price is not None and (far := _far_level(order, book, context.price)):
        yield "LEVEL_FAR", far
    # What the alert calls the price says on which side its levels were meant to be.
    known = reference_price(alert) or context.price
    if wrong := _wrong_levels(alert, order, known, book.instrument.tick):
        yield "STOP_SIDE", wrong


def _not_understood(alert: Alert, book: PositionBook, context: DecisionContext) -> str | None:
    """Say what of an alert was not understood, or may mean two things on this instrument."""
    if alert.delayed_feed and not context.allow_delayed:
        remedy = f"Take the symbol without it, or set allow_delayed: true on {book.account}"
        return f"{alert.delayed_feed}. {remedy}."
    if alert.unsupported:
        return f"{'; '.join(alert.unsupported)}. Change or remove it, and send again."
    if alert.bare_size and not book.instrument.counts_units:  # rules 16.3
        return f"{alert.bare_size}: coins or money? Send quantity, or quantity_type cash for money."
    levels = alert.named_levels
    for name, level in levels if book.instrument.tick is None else ():
        if level.ticks is not None:
            said = (
                f"{name} counts ticks, and the tick of {book.instrument.symbol} is not known here"
            )
            return f'{said}: send {{"percent"}}, {{"amount"}} or the price.'
    if alert.stop_loss is not None and "no_stops" in book.capabilities:
        return "This account's venue takes no stop order from here. Leave stop_loss out, or trade elsewhere."
    return None


def _book_reasons(book: PositionBook, context: DecisionContext) -> Iterator[tuple[str, str]]:
    """Yield what stands in the way in this book, whatever the alert says."""
    symbol, last = book.instrument.symbol, book.instrument.last_day
    if book.unresolved:
        text = (
            f"An earlier order for {symbol} may or may not exist and is being looked up. GET /status "
            "with ADMIN_TOKEN shows it; "
            f"POST /orders/{book.unresolved.client_id}/resolve settles it by hand."
        )
        yield "ORDER_UNRESOLVED", text
    if owner := _owner(book, context):
        what = f"{write_number(context.manual)} {symbol} on {book.account} was opened by hand or elsewhere"
        if owner != "manual":
            what = f"{symbol} on {book.account} belongs to {owner}"
        yield "SYMBOL_OWNED", f"{what}: there is one position, so nothing is opened beside it."
    if last is not None and datetime.fromtimestamp(context.times.now / 1000, UTC).date() >= last:
        text = f"{symbol} stops trading on {last}: nothing is opened from then on."
        yield "CONTRACT_EXPIRED", text


def _coin_reasons(
    book: PositionBook, order: Order, context: DecisionContext
) -> Iterator[tuple[str, str]]:
    """Yield why a pair that is paid in a coin which strategies hold cannot be paid without theirs."""
    coin, free = book.instrument.quote, context.spendable
    if free is None or order.side != "buy":
        return
    price = _worst_price(order, context.price)
    cost = (
        order.quote_quantity
        if order.quote_quantity is not None or price is None
        else order.quantity * price
    )
    theirs = f"what strategies hold of {coin} on {book.account} pays for nothing else"
    if cost is None:
        text = f"The price of {book.instrument.symbol} is not known, and {theirs}. Add price."
        yield "PRICE_UNKNOWN", text
    elif cost > free:
        text = (
            f"{write_number(cost)} {coin} is needed and {write_number(free)} belongs to no "
            f"strategy: {theirs}."
        )
        yield "INSUFFICIENT_BALANCE", text


def _no_quantity(split: OrderSplit, context: DecisionContext) -> tuple[str, str]:
    size = split.sized or split.size
    if size.code:
        return size.code, size.text
    if size.percent is not None:
        return (
            "NO_QUANTITY",
            f'Strategy "{context.strategy}" holds nothing here, so a percentage of it is nothing.',
        )
    name = context.strategy
    text = f'The alert has no quantity and strategy "{name}" has no default_quantity or sizing. Add one.'
    return "NO_QUANTITY", text


def _owner(book: PositionBook, context: DecisionContext) -> str | None:
    """Return who else holds or works this instrument where orders net: a strategy, or a hand."""
    if not context.nets:
        return None
    for name, position in book.positions.items():
        if name != context.strategy and (position.quantity != 0 or book.open_orders(name)):
            return name
    return "manual" if context.manual else None


def _far_level(order: Order, book: PositionBook, price: Decimal) -> str | None:
    levels = (order.limit_price, order.stop_price, order.named_levels)
    return find_far_level(*levels, known=price, instrument=book.instrument)


def _missing_level(order: Order) -> str:
    if order.order_type == "limit" and not order.limit_price:
        return "price or limit_price"
    if order.order_type == "stop" and not order.stop_price:
        return "price or stop_price"
    if order.order_type == "stop_limit" and not (order.limit_price and order.stop_price):
        return "stop_price and limit_price"
    return ""


def _wrong_levels(
    alert: Alert, order: Order, last: Decimal | None, tick: Decimal | None
) -> str | None:
    """Say what is wrong with the levels of an entry, judged from the price it will fill at."""
    base = order.limit_price or order.stop_price or last
    up = order.side == "buy"
    found: list[tuple[str, Decimal, bool]] = []
    for name, level in alert.named_levels:
        above = up is not (name == "stop_loss")
        if (price := _level_price(level, base, tick, above)) is not None:
            found.append((name, price, above))
    for name, price, above in found:
        if price <= 0:
            return f"{name} is zero or below. Leave it out or give a price."
        if base is not None and (price <= base if above else price >= base):
            where = "above" if above else "below"
            return (
                f"{name} {write_number(price)} must be {where} the price {write_number(base)} "
                f"for a {order.side}."
            )
    stops = [price for name, price, _ in found if name == "stop_loss"]
    targets = [(name, price) for name, price, _ in found if name != "stop_loss"]
    for stop in stops:
        for name, target in targets:
            if stop >= target if up else stop <= target:
                return (
                    f"stop_loss {write_number(stop)} and {name} {write_number(target)} are on the "
                    f"wrong sides of a {order.side}."
                )
    return None


def _level_price(
    level: Level, base: Decimal | None, tick: Decimal | None, above: bool
) -> Decimal | None:
    if level.price is not None:
        return level.price
    if not (level.amount or level.percent or level.ticks):
        return ZERO
    if base is None:
        return None
    distance = find_distance(level, base, tick)
    return base + distance if above else base - distance
