"""Report what became of alerts: rows for the store, the rolling history, and answers for who waits.

A record is rendered whenever one of its orders changed, until everything it caused is final. Nothing is
decided here.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from desk.alerts.answers import OPEN, http_status, write_alert, write_answer
from desk.alerts.delivery import AlertAnswer, PendingReply
from desk.alerts.record import STORY, Record
from desk.engine.duplicates import Duplicate
from desk.formats import iso, to_json
from desk.orders.evolve import evolve
from desk.orders.journal import Notice, Row
from desk.orders.order import EXIT, Order
from desk.orders.position_book import PositionBook
from desk.state.memory import State
from desk.state.restore import history_row, read_answer
from desk.state.rows import AlertRow
from desk.state.store import Store
from desk.state.tables import HistoryRow, Key

log = logging.getLogger("desk")
KEY_HINT = (
    'To have equal texts traded as separate alerts, send "idempotency_key": '
    '"{{timenow}}|{{strategy.order.id}}|{{strategy.position_size}}".'
)
QUIET_ENDS = frozenset({"denied", "cancelled", "partly_filled", "nothing_to_do"})
"""How an alert may end without any of its orders telling so."""
Rendered = dict[str, tuple[Record, AlertAnswer]]
"""The alerts of one batch that changed, by id."""


def render(state: State, now: int) -> Rendered:
    """Write the answer of every alert that changed, and put its row into the batch.

    Whoever was answered 202 hears of an end that is neither filled nor working, unless its order told it.
    """
    done: Rendered = {}
    for record in state.touched.values():
        for part in record.story.parts:
            part.has_pending_exit = _has_pending_exit(
                state, record, (part.account, part.paper, part.instrument)
            )
        shape = write_answer(record)
        http = http_status(shape)
        record.status = shape["status"]
        record.is_settled = _is_settled(record)
        record.story.http = record.story.http or http
        if record.is_settled and record.story.http == 202 and record.status in QUIET_ENDS:
            text = f"{record.strategy}: {shape['action']} {shape['symbol']}: {shape['message']}"
            state.notify("alert_ended", text, now, record.alert_id)
        elif record.is_settled and record.status == "denied" and _is_untold(state, record):
            state.notify("denial", _say_denied(record, shape), now, record.alert_id)
        answer = AlertAnswer(http, shape, to_json(shape))
        state.batch.alerts[record.seq] = _row(record, answer.text)
        done[record.alert_id] = (record, answer)
    return done


def _is_untold(state: State, record: Record) -> bool:
    """Whether somebody is to be told of anything, and no order of an alert told its end already."""
    told = (notice.alert_id for _, notice in state.batch.notices)
    return bool(state.settings.notify) and record.alert_id not in told


def _say_denied(record: Record, shape: Mapping[str, Any]) -> str:
    """Return whose alert was denied, what it was to do, and why."""
    parts = dict.fromkeys(
        f"{part.account}{' (paper)' if part.paper else ''}" for part in record.story.parts
    )
    where = f" on {', '.join(parts)}" if parts else ""
    what = " ".join(str(shape[key]) for key in ("action", "symbol") if shape.get(key))
    return f"{record.strategy}: {what or 'an alert'}{where}: {shape['message']}"


def remember(state: State, rendered: Rendered) -> None:
    """Keep what was committed in the rolling history; let go of records that are final."""
    history, limit = state.history, state.settings.webhook.max_history
    for record, answer in rendered.values():
        history[record.alert_id] = HistoryRow(
            record.alert_id,
            record.strategy,
            record.symbol,
            record.status,
            record.received_at,
            record.story.comment,
            record.deliveries,
            record.story.http or answer.http,
            answer.text,
            record.story.latency_ms,
        )
        if record.is_settled:
            state.records.pop(record.alert_id, None)
    while len(history) > limit:
        history.popitem(last=False)


def preview(entries: list[Record | Duplicate]) -> list[AlertAnswer]:
    """Return the answers of a dry delivery: what it would do."""
    previews = []
    for record in entries:
        if isinstance(record, Record):
            alert = record.story.alert
            account = record.story.parts[0].account if record.story.parts else None
            shape = write_answer(record, would=True)
            shape["alert"] = write_alert(alert, account) if alert else None
            previews.append(AlertAnswer(http_status(shape), shape, ""))
    return previews


def answer_delivery(
    state: State,
    store: Store,
    reply: PendingReply,
    entries: list[Record | Duplicate],
    rendered: Rendered,
) -> None:
    """Tell who waits that the alerts are recorded; whose outcome is open goes on waiting."""
    answers: list[AlertAnswer] = []
    still_open: set[int] = set()
    for place, entry in enumerate(entries):
        record = entry if isinstance(entry, Record) else state.records.get(entry.alert_id)
        if isinstance(entry, Record):
            answers.append(rendered[entry.alert_id][1])
        else:
            answers.append(_repeat(state, store, entry))
        if record is not None and record.status == "pending":
            record.replies.append((reply, place, entry))
            still_open.add(place)
    reply.record(answers, still_open)


def settle_waiting(state: State, store: Store, rendered: Rendered) -> None:
    """Tell who waited for an outcome that is now known; who goes on waiting sees how far it is."""
    for record, answer in rendered.values():
        is_open = record.status == "pending"
        for reply, place, entry in record.replies:
            again = isinstance(entry, Duplicate)
            told = _repeat(state, store, entry) if again else answer
            if is_open:
                reply.answers[place] = told
            else:
                reply.settle(place, told)
        if not is_open:
            record.replies.clear()


def count_delivery(state: State, store: Store, again: Duplicate) -> None:
    """Count one more delivery of an alert that is known."""
    record = state.records.get(again.alert_id)
    if record is not None:
        state.touch(record).deliveries += 1
        return
    row = _find_past(state, store, again.alert_id)
    count = row.deliveries + 1
    if again.alert_id in state.history:
        state.put(state.history, again.alert_id, evolve(row, deliveries=count))
    state.batch.deliveries.append((again.alert_id, count))


def _repeat(state: State, store: Store, again: Duplicate) -> AlertAnswer:
    """Return the recorded answer of an alert that was delivered once more."""
    row = _find_past(state, store, again.alert_id)
    shape: dict[str, Any] = {**read_answer(row.text), "duplicate": True}
    shape["orders"] = [_past(line) for line in shape["orders"]]
    shape["message"] = _say_repeated(state, shape, row, again)
    # rules 1.6: 200 where that was a 202 that has settled; what was denied never becomes a success.
    is_over = row.http == 202 and shape["status"] not in OPEN
    http = (http_status(shape) if shape["status"] == "denied" else 200) if is_over else row.http
    return AlertAnswer(http, shape, to_json(shape))


def _past(line: dict[str, Any]) -> dict[str, Any]:
    """Tell why an order was denied as what was true then."""
    if line["status"] != "denied" or not line["message"]:
        return line
    return {**line, "message": f"Then: {line['message']}"}


def _say_repeated(state: State, shape: dict[str, Any], row: HistoryRow, again: Duplicate) -> str:
    """Say what became of the first delivery, and by what this one was recognised.

    Why something was not done may have become untrue since (a halt that has ended), so it is not said again.
    """
    done = [_name_order(line) for line in shape["orders"]]
    what = ", ".join(done) or shape["status"].replace("_", " ")
    code = f" ({shape['code']})" if shape["code"] else ""
    said = f"Already received at {iso(row.received_at)[11:19]} UTC: {what}{code}. Nothing is done twice."
    if again.key is None:
        seconds = state.settings.webhook.dedupe_seconds
        return f"{said} It was recognised by its text, within {seconds} s. {KEY_HINT}"
    named = f' "{again.key}"' if again.key else ""
    return f"{said} It was recognised by its text with the idempotency key{named}, within 24 h."


def _name_order(line: dict[str, Any]) -> str:
    at = f" at {line['average_price']}" if line["average_price"] else ""
    size = f" {line['quantity']}" if line["quantity"] else ""
    return f"{line['side'] or 'order'}{size} {line['status'].replace('_', ' ')}{at}"


def _find_past(state: State, store: Store, alert_id: str) -> HistoryRow:
    found = state.history.get(alert_id)
    if found is not None:
        return found
    row = store.find_alert(alert_id)
    if row is None:
        raise LookupError(alert_id)
    return history_row(row)


def _has_pending_exit(state: State, record: Record, key: Key) -> bool:
    """Whether an exit that an alert asked for is still to be sent."""
    book = state.books.get(key)
    if book is None:
        return False
    exits = {order.cause.alert_id for order in book.open_orders(None, EXIT)}
    return any(
        (position.reduce_to is not None and position.exit_cause.alert_id == record.alert_id)
        or (record.alert_id not in exits and position.exit_of == record.alert_id)
        for position in book.restless.values()
    )


def _is_settled(record: Record) -> bool:
    if record.story.todo or any(part.has_pending_exit for part in record.story.parts):
        return False
    return not any(order.is_open for *_, order in record.orders.values())


def _row(record: Record, text: str) -> AlertRow:
    return AlertRow(
        record.seq,
        record.alert_id,
        record.received_at,
        record.strategy,
        record.symbol,
        record.status,
        record.is_settled,
        record.deliveries,
        record.body,
        text,
        STORY.serializer.to_json(record.story, exclude_defaults=True).decode(),
    )


def log_outcomes(rendered: Rendered) -> None:
    """Write one line for each alert of which there is something new to say; one record carries them all.

    An order that is tried again and again says the same by turns: each is one line.
    """
    rows = []
    for record, answer in rendered.values():
        said = (answer.shape["status"], answer.shape["message"])
        if said not in record.logged:
            rows.append((f"alert_{said[0]}", answer.shape))
        record.logged.add(said)
    if rows:
        log.info("alerts", extra={"rows": rows})


def log_told(told: Sequence[tuple[int, Notice]]) -> None:
    """Write one line for each thing the user must hear of; what was merely executed is no warning."""
    fills = [(t.event, {"alert_id": t.alert_id, "text": t.message}) for _, t in told if t.is_fill]
    if fills:
        log.info("fills", extra={"rows": fills})
    for _, each in told:
        if not each.is_fill:
            log.warning(each.event, extra={"alert_id": each.alert_id, "text": each.message})


def log_orders(journal: Sequence[tuple[PositionBook, Row]]) -> None:
    """Write one line for each state an order went through."""
    for book, row in journal:
        if isinstance(row, Order):
            text = (
                f"{row.kind} {row.side} {row.quantity} {row.client_id} {row.status} {row.in_flight}"
            )
            where = {"account": book.account, "strategy": row.strategy, "text": text.rstrip()}
            log.debug("order", extra={**where, "symbol": book.instrument.symbol})
