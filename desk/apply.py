"""Apply what happened to a book: a step that was taken, a receipt that came back.

Nothing here decides what to do next (that is `plan`) or what an alert means (that is `decide`). A receipt is
believed once: fills are told apart by the venue's trade ids and never beyond the order's filled quantity.
"""

from __future__ import annotations

from decimal import Decimal

from brokers.protocol import Fill, Receipt
from desk.book import (
    CALM,
    ENTRY,
    EXIT,
    LOOK_UPS,
    NOBODY,
    STOP_LOSS,
    TAKE_PROFIT,
    Book,
    Cancel,
    Drop,
    FillRow,
    Look,
    Marks,
    Order,
    RestingExit,
    Row,
    Send,
    Share,
    Step,
    TradeRow,
)
from desk.evolve import evolve
from desk.ledger import Execution, book_fill
from desk.sizing import place_level

ZERO = Decimal(0)
ABSENT_AFTER_LOOKS = 3
ABSENT_AFTER_MS = 10_000


class InvariantBroken(Exception):
    """A reducing order would be larger than its share: a fault of ours, never to be sent."""


def take_step(book: Book, step: Step, now: int) -> Book:
    """Return the book once `step` is on its way. Raises `InvariantBroken` instead of overselling."""
    if isinstance(step, Send):
        order = step.order
        if order.kind != ENTRY:
            _check_reducing(book, order)
            share = book.share(order.strategy)
            book = book.with_share(evolve(share, serial=share.serial + 1))
        return book.with_order(evolve(order, call="place", sent_at=now))
    order = book.orders[step.client_id]
    if isinstance(step, Cancel):
        return book.with_order(evolve(order, call="cancel", ends=order.ends or step.ends))
    if isinstance(step, Look):
        return book.with_order(evolve(order, call="look"))
    return _drop(book, order, step)


def receive(book: Book, receipt: Receipt, now: int) -> Book:
    """Return the book after what a venue said of one order. An order that is not ours changes nothing."""
    order = book.orders.get(receipt.client_id)
    if order is None:
        return book
    book = _take_fills(book, order, receipt)
    order = book.orders[receipt.client_id]
    if not order.is_live:
        return book
    order = evolve(
        order,
        call="",
        broker_id=receipt.broker_id or order.broker_id,
        code=receipt.code or order.code,
        message=receipt.message or order.message,
    )
    match receipt.status:
        case "accepted":
            book = _accept(book, order, now)
        case "unknown":
            book = _doubt(book, order, now)
        case "absent":
            book = _miss(book, order, now)
        case "unreached":
            book = _unreached(book, order, now)
        case "refused":
            book = _refuse(book, order, now)
        case _:
            book = _end(book, order, receipt.status)
    return settle(book, order.strategy)


def settle(book: Book, strategy: str) -> Book:
    """Return the book with the wishes of one share ended that have come true."""
    share = book.share(strategy)
    if share.quantity == 0 and (share.stop or share.target or share.exit):
        share = evolve(share, stop=None, target=None, exit=None, guarding=CALM)
    if share.keep is not None and abs(share.quantity) <= share.keep:
        late = [o for o in book.live(strategy) if o.kind == ENTRY and o.cause.seq < share.owed.seq]
        leaving = [o for o in book.live(strategy, EXIT) if not o.rests]
        if not late and not leaving:
            share = evolve(share, keep=None, owed=NOBODY, owed_since=0, leaving=CALM)
    return book.with_share(share)


def _check_reducing(book: Book, order: Order) -> None:
    held = book.share(order.strategy).quantity
    exits = sum((o.left for o in book.live(order.strategy, EXIT)), ZERO)
    total = order.quantity + (exits if order.kind == EXIT else ZERO)
    if total > abs(held) or (order.side == "sell") != (held > 0):
        raise InvariantBroken(
            f"a reducing order of {total} {book.instrument.symbol} against a share of {held}"
        )


def _drop(book: Book, order: Order, step: Drop) -> Book:
    ended = evolve(order, status=step.status, code=step.code, message=step.message)
    book = book.with_order(ended)
    if step.status == "expired":
        book = book.telling("order_expired", step.message, order.cause.alert_id)
    return settle(book, order.strategy)


def _take_fills(book: Book, order: Order, receipt: Receipt) -> Book:
    """Book the executions that are new; where only totals are known, one execution stands for them."""
    missing = receipt.filled - order.filled
    if missing <= 0:
        return book
    fresh = [fill for fill in receipt.fills if fill.trade_id not in order.trades]
    if sum((fill.quantity for fill in fresh), ZERO) != missing:
        value = (receipt.average_price or ZERO) * receipt.filled - order.value
        at = max((fill.at for fill in receipt.fills), default=order.sent_at or 0)
        name = f"{order.client_id}:{receipt.filled}"
        price = value / missing
        fresh = [Fill(name, order.client_id, order.side, missing, price, ZERO, "", at)]
    for fill in fresh:
        book = _book_fill(book, order.client_id, fill)
    return book


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
    judged = order.kind in (STOP_LOSS, TAKE_PROFIT) and book.approximate_levels
    position, trade = book_fill(share.position, _execution(book, fill, judged))
    share = evolve(share, position=position, marks=_mark(share.marks, order))
    if order.kind == ENTRY:
        share = _entered(share, order, fill, book)
    else:
        share = _reduced(share, order, fill, before.quantity)
    if position.quantity == 0 or trade:
        share = evolve(share, leaving=CALM)
    book = book.with_share(share)
    gross = trade.gross if trade else position.gross
    realized = gross - before.gross
    symbol = book.instrument.symbol
    rows: tuple[Row, ...] = (
        FillRow(fill, book.account, book.paper, symbol, order.strategy, realized),
    )
    if trade:
        closed = TradeRow(
            trade,
            book.account,
            book.paper,
            symbol,
            order.strategy,
            share.symbol,
            _closed_by(order),
        )
        rows = (*rows, closed)
    return evolve(book, journal=(*book.journal, *rows))


def _execution(book: Book, fill: Fill, judged: bool) -> Execution:
    """Turn a fill into what the ledger books; a fee in another coin than the quote is approximate."""
    in_quote = fill.fee_coin in ("", book.instrument.quote)
    return Execution(
        side=fill.side,
        quantity=fill.quantity,
        price=fill.price,
        fee=fill.fee if in_quote else ZERO,
        at=fill.at,
        point_value=book.instrument.point_value,
        approximate=judged or not in_quote,
    )


def _closed_by(order: Order) -> str:
    if order.kind in (STOP_LOSS, TAKE_PROFIT):
        return order.kind
    return "flatten" if order.cause.alert_id.startswith("flatten_") else "alert"


def _entered(share: Share, order: Order, fill: Fill, book: Book) -> Share:
    """Let what a later entry filled stay, and take the levels that it brought."""
    if share.keep is not None and order.cause.seq >= share.owed.seq:
        share = evolve(share, keep=share.keep + fill.quantity)
    average = order.average_price or fill.price
    tick, side = book.instrument.tick, order.side
    if order.stop_loss is not None:
        stop = place_level(order.stop_loss, average, side, STOP_LOSS, tick)
        share = evolve(share, stop=stop, guarded_by=order.cause, guarding=CALM)
    if order.take_profit is not None:
        target = place_level(order.take_profit, average, side, TAKE_PROFIT, tick)
        share = evolve(share, target=target, guarded_by=order.cause, guarding=CALM)
    return share


def _reduced(share: Share, order: Order, fill: Fill, before: Decimal) -> Share:
    """Count a resting exit down; what a reducing order opened beyond zero must not stay."""
    if order.kind == EXIT and order.rests and share.exit is not None:
        left = share.exit.quantity - fill.quantity
        share = evolve(share, exit=_smaller(share.exit, left))
    way = 1 if order.side == "buy" else -1
    if share.quantity * way > 0:
        stays = abs(before) if before * way > 0 else ZERO
        keep = stays if share.keep is None else min(stays, share.keep)
        share = evolve(share, keep=keep, owed=order.cause, owed_since=fill.at)
    return share


def _smaller(resting: RestingExit, left: Decimal) -> RestingExit | None:
    return evolve(resting, quantity=left) if left > 0 else None


def _mark(marks: Marks, order: Order) -> Marks:
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


def _accept(book: Book, order: Order, now: int) -> Book:
    if order.status != "accepted" and order.lives_ms is not None and order.expires_at is None:
        order = evolve(order, expires_at=now + order.lives_ms)
    triggered = order.triggered or order.code == "TRIGGERED"
    pause = now + 1_000 if order.ends else None
    book = book.with_order(evolve(order, status="accepted", triggered=triggered, due_at=pause))
    share = book.share(order.strategy)
    return book.with_share(evolve(share, marks=_mark(share.marks, order)))


def _doubt(book: Book, order: Order, now: int) -> Book:
    first = order.status != "unknown"
    looks = 0 if first else order.looks + 1
    due = now + LOOK_UPS[min(looks, len(LOOK_UPS) - 1)]
    book = book.with_order(evolve(order, status="unknown", looks=looks, due_at=due))
    if not first:
        return book
    text = f"{_named(book, order)} may or may not exist; it is being looked up."
    return book.telling("order_unknown", text, order.cause.alert_id)


def _miss(book: Book, order: Order, now: int) -> Book:
    """Believe that an order is absent only after three look-ups, the last ten seconds after the send."""
    missed = order.looks + 1
    waited = now - (order.sent_at or 0)
    if missed < ABSENT_AFTER_LOOKS or waited < ABSENT_AFTER_MS:
        due = now + LOOK_UPS[min(missed, len(LOOK_UPS) - 1)]
        return book.with_order(evolve(order, status="unknown", looks=missed, due_at=due))
    text = f"{_named(book, order)} never reached the venue."
    book = book.with_order(evolve(order, status="absent", code="ABSENT", message=text))
    book = book.telling("order_absent", text, order.cause.alert_id)
    return _failed(book, order, now)


def _unreached(book: Book, order: Order, now: int) -> Book:
    """Try an entry again under a new id while it is young; an exit is pursued by its wish."""
    # This attempt certainly does not exist; what goes on is the next one, under its own id.
    book = book.with_order(evolve(order, status="absent", code="UNREACHED"))
    if order.attempt == 1:
        text = f"{_named(book, order)} could not be sent: the venue cannot be reached."
        book = book.telling("order_unreached", text, order.cause.alert_id)
    if order.kind != ENTRY or order.ends:
        return _failed(book, order, now)
    attempt = order.attempt + 1
    cid = book.name_order(order.cause.alert_id, order.kind, attempt)
    again = evolve(
        order, client_id=cid, attempt=attempt, status="unreached", sent_at=None, due_at=now + 1_000
    )
    return book.with_order(again)


def _refuse(book: Book, order: Order, now: int) -> Book:
    code = order.code or "REFUSED"
    book = book.with_order(evolve(order, status="refused", code=code))
    share = book.share(order.strategy)
    pursuit = share.leaving if order.kind == EXIT else share.guarding
    if order.kind == ENTRY or pursuit.failures == 0:
        text = f"{_named(book, order)} was refused: {order.message or code}"
        book = book.telling("order_refused", text, order.cause.alert_id)
    return _failed(book, order, now)


def _failed(book: Book, order: Order, now: int) -> Book:
    """Let the wish behind a reducing order back off; a resting exit that is refused is not repeated."""
    share = book.share(order.strategy)
    if order.kind == EXIT and not order.rests:
        share = evolve(share, leaving=share.leaving.after_failure(now))
    elif order.kind != ENTRY:
        share = evolve(share, guarding=share.guarding.after_failure(now))
    return book.with_share(share)


def _end(book: Book, order: Order, status: str) -> Book:
    if status in ("cancelled", "expired") and order.ends:
        status = order.ends
    if status != "filled" and order.filled > 0:
        status = "partly_filled"
    book = book.with_order(evolve(order, status=status))
    if status == "expired" and order.kind == ENTRY:
        text = f"{_named(book, order)} was not filled in time and has ended."
        book = book.telling("order_expired", text, order.cause.alert_id)
    return book


def _named(book: Book, order: Order) -> str:
    where = f"{book.account}{' (paper)' if book.paper else ''}"
    kind = order.kind.replace("_", " ")
    return f"The {kind} order to {order.side} {order.quantity} {book.instrument.symbol} on {where}"
