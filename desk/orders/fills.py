"""Book executions on a position: what was filled, what was taken as a fee, what turned out to be gone.

An execution is booked once: fills are told apart by the venue's trade ids and never exceed what the venue
says an order has filled. Nothing here says what an order is now (`apply`) or what to do next (`plan`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from brokers.protocol import Fill, OrderReport
from desk.formats import iso, write_number
from desk.orders.evolve import evolve
from desk.orders.journal import ClosedTradeRow, FillRow, LotsRow, Row
from desk.orders.ledger import ClosedTrade, Execution, LotLedger, Lots, book_fill
from desk.orders.moving_stop import move_after_target, tighten_stop
from desk.orders.order import ENTRY, EXIT, REDUCE, STOP_LOSS, TAKE_PROFIT, AlertRef, Order
from desk.orders.position_book import PositionBook
from desk.orders.rounding import place_level
from desk.orders.stopped_out import note_stop
from desk.orders.strategy_position import RestingExit, SignalHistory, StrategyPosition
from desk.orders.targets import begin_targets, follow, take_part

ZERO = Decimal(0)
_EVENTS = {STOP_LOSS: "stop_filled", TAKE_PROFIT: "target_filled"}
"""What a fill is called by the kind of its order; any other is a `trade`."""


def take_fills(book: PositionBook, order: Order, report: OrderReport) -> PositionBook:
    """Book the executions that are new; where only totals are known, one execution stands for them."""
    missing = report.filled - order.filled
    if missing <= 0:
        return book
    fresh = [fill for fill in report.fills if fill.fill_id not in order.fill_ids]
    if sum((fill.quantity for fill in fresh), ZERO) != missing:
        fresh = [_sum_up(book, order, report, missing)]
    for fill in fresh:
        book = _book_fill(book, order.client_id, fill)
    return book


def mark_executed(signals: SignalHistory, order: Order) -> SignalHistory:
    """Note that an order of an alert was executed; stops and targets are nobody's new alert."""
    if order.kind not in (ENTRY, EXIT):
        return signals
    fired = order.cause.fired_at or 0
    return evolve(
        signals,
        executed=max(signals.executed, order.cause.body),
        fired=max(signals.fired, fired),
        opened=max(signals.opened, fired) if order.kind == ENTRY else signals.opened,
        stated=max(signals.stated, fired) if order.cause.stated else signals.stated,
    )


def executed(position: StrategyPosition, order: Order) -> StrategyPosition:
    """Return the position once an order of its strategy was accepted or filled.

    What a stop closed counts until an order of a newer alert is executed (rules 3.14).
    """
    is_newer = order.kind in (ENTRY, EXIT) and order.cause.body > position.signals.executed
    stopped = None if is_newer else position.stopped
    return evolve(position, signals=mark_executed(position.signals, order), stopped=stopped)


def shrink(
    book: PositionBook, position: StrategyPosition, gone: Decimal, price: Decimal | None, now: int
) -> PositionBook:
    """Take from a position what the venue no longer holds: it was closed by another hand.

    Without a price the average cost stands for it; the trade is approximate either way.
    """
    at = price if price is not None else position.ledger.average_price
    # What was refused may have been refused for what is gone.
    book = _take_away(book, position.retry_now(now), gone, at, now)
    text = (
        f"{position.strategy} holds {write_number(gone)} {book.instrument.symbol} less on "
        f"{book.account}: the venue "
        "no longer has it. It was closed there by hand or by another program."
    )
    return book.with_notice("closed_elsewhere", text)


def write_off(book: PositionBook, position: StrategyPosition, now: int) -> PositionBook:
    """Let go of what is too small to be sold, by name."""
    left = abs(position.quantity)
    book = _take_away(book, position, left, ZERO, now)
    text = (
        f"{write_number(left)} {book.instrument.symbol} of {position.strategy} on "
        f"{book.account} is too small to be "
        "sold: it stays at the venue and is written off here."
    )
    return book.with_notice("written_off", text)


def _take_away(
    book: PositionBook, position: StrategyPosition, gone: Decimal, price: Decimal, now: int
) -> PositionBook:
    side = "sell" if position.quantity > 0 else "buy"
    number = f"{book.account}:{book.instrument.symbol}:{position.strategy}:{now}:{position.serial}"
    fill = Fill(number, "", side, gone, price, ZERO, "", now)
    execution = Execution(
        side,
        gone,
        price,
        ZERO,
        now,
        book.instrument.point_value,
        approximate=True,
        in_base=book.counts_in_base,
    )
    before = position.ledger
    ledger, trade = book_fill(before, execution)
    left = follow(evolve(position, ledger=ledger, serial=position.serial + 1), before.quantity)
    changed = book.with_position(left)
    return _write_down(changed, position, ledger, fill, trade, "venue")


def _sum_up(book: PositionBook, order: Order, report: OrderReport, missing: Decimal) -> Fill:
    """Return one execution for all that is new, with the fees of all executions that were told."""
    average = report.average_price
    if average is None:
        average = _suppose_price(book, order, report)
    value = average * report.filled - order.value
    at = max((fill.at for fill in report.fills), default=order.sent_at or 0)
    name = f"{order.client_id}:{report.filled}"
    fees: dict[str, Decimal] = {}
    if sum((fill.quantity for fill in report.fills), ZERO) == report.filled:
        for fill in report.fills:
            fees[fill.fee_coin] = fees.get(fill.fee_coin, ZERO) + fill.fee
    coin = next(iter(fees)) if len(fees) == 1 else ""
    fee = fees.get(coin, ZERO) - order.fees.get(coin, ZERO) if coin else ZERO
    price = value / missing
    return Fill(name, order.client_id, order.side, missing, price, fee, coin, at)


def _suppose_price(book: PositionBook, order: Order, report: OrderReport) -> Decimal:
    """Return what an order cost whose venue tells what has filled and not at which price.

    What is known of it is nearer than nothing: a fill at zero would put its stop and target at zero, too.
    """
    known = sum((fill.quantity for fill in report.fills), ZERO)
    if known:
        return sum((fill.quantity * fill.price for fill in report.fills), ZERO) / known
    told = order.average_price or order.limit_price or order.stop_price
    return told or book.position(order.strategy).ledger.average_price


def _book_fill(book: PositionBook, client_id: str, fill: Fill) -> PositionBook:
    order = book.orders[client_id]
    fees = {**order.fees, fill.fee_coin: order.fees.get(fill.fee_coin, ZERO) + fill.fee}
    order = evolve(
        order,
        filled=order.filled + fill.quantity,
        value=order.value + fill.quantity * fill.price,
        fees=fees if fill.fee_coin else order.fees,
        fill_ids=order.fill_ids | {fill.fill_id},
    )
    book = book.with_order(order)
    position = book.position(order.strategy)
    before = position.ledger
    execution = _execution(book, order, fill, abs(before.quantity))
    ledger, trade = book_fill(before, execution)
    changed = evolve(executed(position, order), ledger=ledger)
    if order.kind == ENTRY:
        changed = _entered(changed, order, execution, book, before.quantity)
        changed = _closed_late(changed, order, before.quantity)
    else:
        changed = _reduced(changed, order, execution, before.quantity)
        changed = _divided(changed, order, book, before.quantity)
        changed = note_stop(position, changed, order, fill.at)
    if ledger.quantity == 0 or trade:
        changed = changed.reset_retries(REDUCE)
    book = _write_down(
        book.with_position(changed), position, ledger, fill, trade, _closed_by(order)
    )
    return book.with_notice(
        _EVENTS.get(order.kind, "trade"), _say_fill(book, order, fill), order.cause.alert_id
    )


def _write_down(
    book: PositionBook,
    position: StrategyPosition,
    ledger: LotLedger,
    fill: Fill,
    trade: ClosedTrade | None,
    closed_by: str,
) -> PositionBook:
    """Note a fill, and the trade that it closed, for the store."""
    gross = trade.gross if trade else ledger.gross
    where = (book.account, book.paper, book.instrument.symbol, position.strategy)
    rows: tuple[Row, ...] = (FillRow(fill, *where, gross - position.ledger.gross),)
    rows += tuple(_lots_rows(where, position.ledger.lots, ledger.lots))
    if trade:
        rows = (*rows, ClosedTradeRow(trade, *where, position.symbol, closed_by))
    return evolve(book, journal=(*book.journal, *rows))


def _lots_rows(where: tuple[str, bool, str, str], before: Lots, after: Lots) -> Iterator[LotsRow]:
    """Yield what the store must learn of the chunks between the two ends."""
    for number in range(max(before.following, after.first), after.following):
        yield LotsRow(*where, number, after.middle[number - after.first])
    if after.first > before.first:
        yield LotsRow(*where, after.first)


def _execution(book: PositionBook, order: Order, fill: Fill, held: Decimal) -> Execution:
    """Turn a fill into what the ledger books.

    A fee in the coin that is traded makes the position smaller and counts at the fill's price; one in
    any other coin than the quote is not converted and makes the trade approximate.
    """
    quantity, fee, is_exact = fill.quantity, fill.fee, True
    if fill.fee_coin == book.instrument.base and book.instrument.kind == "spot":
        fee = fill.fee * fill.price
        taken = fill.quantity - fill.fee if fill.side == "buy" else fill.quantity + fill.fee
        quantity = taken if fill.side == "buy" else min(taken, max(held, fill.quantity))
    elif fill.fee_coin not in ("", book.instrument.quote):
        fee, is_exact = ZERO, False
    judged = order.kind in (STOP_LOSS, TAKE_PROFIT) and book.approximate_levels
    return Execution(
        side=fill.side,
        quantity=quantity,
        price=fill.price,
        fee=fee,
        at=fill.at,
        point_value=book.instrument.point_value,
        approximate=judged or not is_exact,
        alert_id=order.cause.alert_id,
        in_base=book.counts_in_base,
    )


def _say_fill(book: PositionBook, order: Order, fill: Fill) -> str:
    """Return what was executed, in words: of a stop or target when, too, for nobody asked for it just now."""
    verb = "bought" if order.side == "buy" else "sold"
    where = f"{book.account}{' (paper)' if book.paper else ''}"
    what = (
        f"{verb} {write_number(fill.quantity)} {book.instrument.symbol} at "
        f"{write_number(fill.price)} on {where}"
    )
    if order.kind not in _EVENTS:
        return f"{order.strategy} {what}."
    name = order.kind.replace("_", " ")
    if order.part:
        name += f" {order.part}"
    return f"The {name} of {order.strategy} {what}, {iso(fill.at)}."


def _closed_by(order: Order) -> str:
    if order.kind in (STOP_LOSS, TAKE_PROFIT):
        return order.kind
    found = order.cause.alert_id.partition("_")[0]
    return found if found in ("flatten", "time") else "alert"


def _entered(
    position: StrategyPosition,
    order: Order,
    execution: Execution,
    book: PositionBook,
    before: Decimal,
) -> StrategyPosition:
    """Let what a later entry added on its side stay, and take the levels that it brought."""
    if position.reduce_to is not None and order.cause.seq >= position.exit_cause.seq:
        way = 1 if order.side == "buy" else -1
        added = max(ZERO, position.quantity * way) - max(ZERO, before * way)
        position = evolve(position, reduce_to=position.reduce_to + added)
    average = order.average_price or execution.price
    if order.legs:  # a venue that attaches them counts from the entry's own price
        average = order.limit_price or average
    tick, side = book.instrument.tick, order.side
    is_same = position.protection_cause.alert_id == order.cause.alert_id
    if order.take_profits:
        position = begin_targets(position, order, before, average, tick)
        position = evolve(position, protection_cause=order.cause).reset_retries(TAKE_PROFIT)
    else:
        position = follow(position, before)
    if order.take_profit is not None:
        target = place_level(order.take_profit, average, side, TAKE_PROFIT, tick)
        position = evolve(
            position, take_profit=target, targets=(), move_stop=None, protection_cause=order.cause
        ).reset_retries(TAKE_PROFIT)
    if order.stop_loss is None:
        return position
    stop = place_level(order.stop_loss, average, side, STOP_LOSS, tick)
    if is_same and position.is_stop_moved:
        return tighten_stop(position, stop.price)
    return evolve(
        position, stop_loss=stop, is_stop_moved=False, protection_cause=order.cause
    ).reset_retries(STOP_LOSS)


def _divided(
    position: StrategyPosition, order: Order, book: PositionBook, before: Decimal
) -> StrategyPosition:
    """Let the parts of several targets follow a fill that reduced the position."""
    if not position.targets:
        return position
    if order.kind == TAKE_PROFIT and order.part:
        taken = abs(before) - abs(position.quantity)
        position = take_part(position, order.part, taken, book.instrument)
        return move_after_target(position, order.part, book.instrument.tick)
    if order.cause.guard == TAKE_PROFIT:
        return position  # the part of a target that could not stand: it is done, the others are as before
    return follow(position, before)


def _closed_late(position: StrategyPosition, order: Order, before: Decimal) -> StrategyPosition:
    """Let nothing stay of an entry that fills after a later alert has closed the whole share.

    While the close is owed its `reduce_to` says so already; this is for an entry that had counted as dead.
    """
    way = 1 if order.side == "buy" else -1
    is_over = order.cause.seq < position.signals.closed
    if not is_over or position.reduce_to is not None or position.quantity * way <= 0:
        return position
    if position.exit is not None and position.exit.cause.seq >= position.signals.closed:
        return position  # that alert named a level: its exit rests there
    owed = replace(order.cause, seq=position.signals.closed)
    stays = max(before * way, ZERO)
    return evolve(position, reduce_to=stays, exit_cause=owed, exit_requested_at=order.sent_at or 0)


def _reduced(
    position: StrategyPosition, order: Order, execution: Execution, before: Decimal
) -> StrategyPosition:
    """Count a resting exit down; what a reducing order opened beyond zero must not stay."""
    if order.kind == EXIT and order.is_resting and position.exit is not None:
        left = position.exit.quantity - execution.quantity
        position = evolve(position, exit=_smaller(position.exit, left))
    way = 1 if order.side == "buy" else -1
    if position.quantity * way > 0:
        stays = abs(before) if before * way > 0 else ZERO
        keep = stays if position.reduce_to is None else min(stays, position.reduce_to)
        position = evolve(
            position,
            reduce_to=keep,
            exit_cause=_latest(position, order),
            exit_requested_at=execution.at,
        )
    return position


def _latest(position: StrategyPosition, order: Order) -> AlertRef:
    """Return whose wish it is that nothing stays; an alert that closed later means older entries too."""
    owed = (
        position.exit_cause
        if position.reduce_to is not None and position.exit_cause.seq > order.cause.seq
        else order.cause
    )
    return replace(owed, seq=max(owed.seq, position.signals.closed))


def _smaller(resting: RestingExit, left: Decimal) -> RestingExit | None:
    return evolve(resting, quantity=left) if left > 0 else None
