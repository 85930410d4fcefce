"""Book executions on a share: what was filled, what was taken as a fee, what turned out to be gone.

An execution is booked once: fills are told apart by the venue's trade ids and never exceed what the venue
says an order has filled. Nothing here says what an order is now (`apply`) or what to do next (`plan`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from brokers.protocol import Fill, Receipt
from desk.answers import iso
from desk.book import (
    ENTRY,
    EXIT,
    KEEP,
    STOP_LOSS,
    TAKE_PROFIT,
    Book,
    Cause,
    FillRow,
    LotsRow,
    Marks,
    Order,
    RestingExit,
    Row,
    Share,
    TradeRow,
)
from desk.evolve import evolve
from desk.ledger import Execution, Lots, Position, Trade, book_fill
from desk.sizing import place_level, plain
from desk.stopped import note_stop

ZERO = Decimal(0)
_EVENTS = {STOP_LOSS: "stop_filled", TAKE_PROFIT: "target_filled"}
"""What a fill is called by the kind of its order; any other is a `trade`."""


def take_fills(book: Book, order: Order, receipt: Receipt) -> Book:
    """Book the executions that are new; where only totals are known, one execution stands for them."""
    missing = receipt.filled - order.filled
    if missing <= 0:
        return book
    fresh = [fill for fill in receipt.fills if fill.trade_id not in order.trades]
    if sum((fill.quantity for fill in fresh), ZERO) != missing:
        fresh = [_sum_up(order, receipt, missing)]
    for fill in fresh:
        book = _book_fill(book, order.client_id, fill)
    return book


def mark_executed(marks: Marks, order: Order) -> Marks:
    """Note that an order of an alert was executed; stops and targets are nobody's new alert."""
    if order.kind not in (ENTRY, EXIT):
        return marks
    fired = order.cause.fired_at or 0
    return evolve(
        marks,
        executed=max(marks.executed, order.cause.body),
        fired=max(marks.fired, fired),
        opened=max(marks.opened, fired) if order.kind == ENTRY else marks.opened,
        stated=max(marks.stated, fired) if order.cause.stated else marks.stated,
    )


def executed(share: Share, order: Order) -> Share:
    """Return the share once an order of its strategy was accepted or filled.

    What a stop closed counts until an order of a newer alert is executed (rules 3.14).
    """
    is_newer = order.kind in (ENTRY, EXIT) and order.cause.body > share.marks.executed
    stopped = None if is_newer else share.stopped
    return evolve(share, marks=mark_executed(share.marks, order), stopped=stopped)


def shrink(book: Book, share: Share, gone: Decimal, price: Decimal | None, now: int) -> Book:
    """Take from a share what the venue no longer holds: it was closed by another hand.

    Without a price the average cost stands for it; the trade is approximate either way.
    """
    at = price if price is not None else share.position.average_price
    # What was refused may have been refused for what is gone.
    book = _take_away(book, share.hurried(now), gone, at, now)
    text = (
        f"{share.strategy} holds {plain(gone)} {book.instrument.symbol} less on {book.account}: the venue "
        "no longer has it. It was closed there by hand or by another program."
    )
    return book.telling("closed_elsewhere", text)


def write_off(book: Book, share: Share, now: int) -> Book:
    """Let go of what is too small to be sold, by name."""
    left = abs(share.quantity)
    book = _take_away(book, share, left, ZERO, now)
    text = (
        f"{plain(left)} {book.instrument.symbol} of {share.strategy} on {book.account} is too small to be "
        "sold: it stays at the venue and is written off here."
    )
    return book.telling("written_off", text)


def _take_away(book: Book, share: Share, gone: Decimal, price: Decimal, now: int) -> Book:
    side = "sell" if share.quantity > 0 else "buy"
    number = f"{book.account}:{book.instrument.symbol}:{share.strategy}:{now}:{share.serial}"
    fill = Fill(number, "", side, gone, price, ZERO, "", now)
    execution = Execution(
        side, gone, price, ZERO, now, book.instrument.point_value, approximate=True
    )
    position, trade = book_fill(share.position, execution)
    changed = book.with_share(evolve(share, position=position, serial=share.serial + 1))
    return _write_down(changed, share, position, fill, trade, "venue")


def _sum_up(order: Order, receipt: Receipt, missing: Decimal) -> Fill:
    """Return one execution for all that is new, with the fees of all executions that were told."""
    value = (receipt.average_price or ZERO) * receipt.filled - order.value
    at = max((fill.at for fill in receipt.fills), default=order.sent_at or 0)
    name = f"{order.client_id}:{receipt.filled}"
    fees: dict[str, Decimal] = {}
    if sum((fill.quantity for fill in receipt.fills), ZERO) == receipt.filled:
        for fill in receipt.fills:
            fees[fill.fee_coin] = fees.get(fill.fee_coin, ZERO) + fill.fee
    coin = next(iter(fees)) if len(fees) == 1 else ""
    fee = fees.get(coin, ZERO) - order.fees.get(coin, ZERO) if coin else ZERO
    price = value / missing
    return Fill(name, order.client_id, order.side, missing, price, fee, coin, at)


def _book_fill(book: Book, client_id: str, fill: Fill) -> Book:
    order = book.orders[client_id]
    fees = {**order.fees, fill.fee_coin: order.fees.get(fill.fee_coin, ZERO) + fill.fee}
    order = evolve(
        order,
        filled=order.filled + fill.quantity,
        value=order.value + fill.quantity * fill.price,
        fees=fees if fill.fee_coin else order.fees,
        trades=order.trades | {fill.trade_id},
    )
    book = book.with_order(order)
    share = book.share(order.strategy)
    before = share.position
    execution = _execution(book, order, fill, abs(before.quantity))
    position, trade = book_fill(before, execution)
    changed = evolve(executed(share, order), position=position)
    if order.kind == ENTRY:
        changed = _entered(changed, order, execution, book, before.quantity)
        changed = _closed_late(changed, order, before.quantity)
    else:
        changed = _reduced(changed, order, execution, before.quantity)
        changed = note_stop(share, changed, order, fill.at)
    if position.quantity == 0 or trade:
        changed = changed.calmed(KEEP)
    book = _write_down(book.with_share(changed), share, position, fill, trade, _closed_by(order))
    return book.telling(
        _EVENTS.get(order.kind, "trade"), _say_fill(book, order, fill), order.cause.alert_id
    )


def _write_down(
    book: Book, share: Share, position: Position, fill: Fill, trade: Trade | None, closed_by: str
) -> Book:
    """Note a fill, and the trade that it closed, for the store."""
    gross = trade.gross if trade else position.gross
    where = (book.account, book.paper, book.instrument.symbol, share.strategy)
    rows: tuple[Row, ...] = (FillRow(fill, *where, gross - share.position.gross),)
    rows += tuple(_lots_rows(where, share.position.lots, position.lots))
    if trade:
        rows = (*rows, TradeRow(trade, *where, share.symbol, closed_by))
    return evolve(book, journal=(*book.journal, *rows))


def _lots_rows(where: tuple[str, bool, str, str], before: Lots, after: Lots) -> Iterator[LotsRow]:
    """Yield what the store must learn of the chunks between the two ends."""
    for number in range(max(before.following, after.first), after.following):
        yield LotsRow(*where, number, after.middle[number - after.first])
    if after.first > before.first:
        yield LotsRow(*where, after.first)


def _execution(book: Book, order: Order, fill: Fill, held: Decimal) -> Execution:
    """Turn a fill into what the ledger books.

    A fee in the coin that is traded makes the share smaller and counts at the fill's price; one in any other
    coin than the quote is not converted and makes the trade approximate.
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
    )


def _say_fill(book: Book, order: Order, fill: Fill) -> str:
    """Return what was executed, in words: of a stop or target when, too, for nobody asked for it just now."""
    verb = "bought" if order.side == "buy" else "sold"
    where = f"{book.account}{' (paper)' if book.paper else ''}"
    what = (
        f"{verb} {plain(fill.quantity)} {book.instrument.symbol} at {plain(fill.price)} on {where}"
    )
    if order.kind not in _EVENTS:
        return f"{order.strategy} {what}."
    name = order.kind.replace("_", " ")
    return f"The {name} of {order.strategy} {what}, {iso(fill.at)}."


def _closed_by(order: Order) -> str:
    if order.kind in (STOP_LOSS, TAKE_PROFIT):
        return order.kind
    return "flatten" if order.cause.alert_id.startswith("flatten_") else "alert"


def _entered(
    share: Share, order: Order, execution: Execution, book: Book, before: Decimal
) -> Share:
    """Let what a later entry added on its side stay, and take the levels that it brought."""
    if share.keep is not None and order.cause.seq >= share.owed.seq:
        way = 1 if order.side == "buy" else -1
        added = max(ZERO, share.quantity * way) - max(ZERO, before * way)
        share = evolve(share, keep=share.keep + added)
    average = order.average_price or execution.price
    if order.legs:  # a venue that attaches them counts from the entry's own price
        average = order.limit_price or average
    tick, side = book.instrument.tick, order.side
    if order.stop_loss is not None:
        stop = place_level(order.stop_loss, average, side, STOP_LOSS, tick)
        share = evolve(share, stop=stop, guarded_by=order.cause).calmed(STOP_LOSS)
    if order.take_profit is not None:
        target = place_level(order.take_profit, average, side, TAKE_PROFIT, tick)
        share = evolve(share, target=target, guarded_by=order.cause).calmed(TAKE_PROFIT)
    return share


def _closed_late(share: Share, order: Order, before: Decimal) -> Share:
    """Let nothing stay of an entry that fills after a later alert has closed the whole share.

    While the close is owed its `keep` says so already; this is for an entry that had counted as dead.
    """
    way = 1 if order.side == "buy" else -1
    is_over = order.cause.seq < share.marks.closed
    if not is_over or share.keep is not None or share.quantity * way <= 0:
        return share
    if share.exit is not None and share.exit.cause.seq >= share.marks.closed:
        return share  # that alert named a level: its exit rests there
    owed = replace(order.cause, seq=share.marks.closed)
    stays = max(before * way, ZERO)
    return evolve(share, keep=stays, owed=owed, owed_since=order.sent_at or 0)


def _reduced(share: Share, order: Order, execution: Execution, before: Decimal) -> Share:
    """Count a resting exit down; what a reducing order opened beyond zero must not stay."""
    if order.kind == EXIT and order.rests and share.exit is not None:
        left = share.exit.quantity - execution.quantity
        share = evolve(share, exit=_smaller(share.exit, left))
    way = 1 if order.side == "buy" else -1
    if share.quantity * way > 0:
        stays = abs(before) if before * way > 0 else ZERO
        keep = stays if share.keep is None else min(stays, share.keep)
        share = evolve(share, keep=keep, owed=_latest(share, order), owed_since=execution.at)
    return share


def _latest(share: Share, order: Order) -> Cause:
    """Return whose wish it is that nothing stays; an alert that closed later means older entries too."""
    owed = (
        share.owed if share.keep is not None and share.owed.seq > order.cause.seq else order.cause
    )
    return replace(owed, seq=max(owed.seq, share.marks.closed))


def _smaller(resting: RestingExit, left: Decimal) -> RestingExit | None:
    return evolve(resting, quantity=left) if left > 0 else None
