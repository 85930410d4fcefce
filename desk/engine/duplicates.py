"""Recognise an alert that was delivered before, and remember one that was not.

Same strategy, same bytes and same place in an array are the same alert for a while: a day where the body
carries a key, else `dedupe_seconds`. Without a key, another alert of the strategy on the instrument that was
executed since makes the text new. An alert that was denied as a whole, so that nothing was sent of it, claims
nothing: the same text later is a new try. What a duplicate is answered is not decided here.
"""

from __future__ import annotations

from dataclasses import dataclass

from desk.alerts.delivery import Delivery
from desk.alerts.record import Record
from desk.engine.context import EngineContext
from parsers.alert import Alert

DAY_MS = 86_400_000
NEVER_TWICE_THE_SAME = ("halt", "cancel")


@dataclass(frozen=True, slots=True)
class Duplicate:
    """An alert that was delivered before: its answer is the recorded one."""

    alert_id: str
    key: str | None = None
    """The key by which it was recognised, empty where it may not be shown; None: by its text alone."""


def find_duplicate(
    context: EngineContext, delivery: Delivery, mark: bytes, alert: Alert, strategy: str, now: int
) -> Duplicate | None:
    """Return the alert that this one repeats, or None where it is new."""
    has_key = alert.idempotency_key is not None
    if _span_ms(context, alert) == 0:
        return None
    found = context.state.claims.get(mark)
    if found is None and has_key:
        found = context.store.find_identity(mark, now)
    if found is None or found[2] <= now:
        return None
    alert_id, number, _ = found
    if not has_key and _was_executed_since(context, strategy, alert.symbol, number):
        return None
    key = alert.idempotency_key
    return Duplicate(alert_id, key if key is None or key in delivery.masked else "")


def claim(context: EngineContext, mark: bytes, alert: Alert, record: Record, now: int) -> None:
    """Remember an alert, so that its next delivery is recognised, unless nothing was sent of it."""
    span = _span_ms(context, alert)
    if not span or is_denied(record):
        return
    _note(context, mark, record, now + span)
    if alert.idempotency_key is not None:
        context.state.keyed.append(mark)
    if record.story.todo:
        record.story.mark = mark.hex()


def release(context: EngineContext, record: Record, now: int) -> None:
    """Let go of what an alert claimed while it waited, where it came to be denied as a whole."""
    mark = record.story.mark
    if mark and is_denied(record):
        record.story.mark = ""
        _note(context, bytes.fromhex(mark), record, now)


def is_denied(record: Record) -> bool:
    """Whether an alert was denied and nothing was sent of it, nor will be (rules 1.6)."""
    story = record.story
    if story.todo or story.done or record.orders:
        return False
    if any(
        part.reduces or part.opens or part.cancels or part.has_pending_exit for part in story.parts
    ):
        return False
    return story.denial is not None or any(part.denials for part in story.parts)


def _note(context: EngineContext, mark: bytes, record: Record, until: int) -> None:
    number = record.story.number
    context.state.put(context.state.claims, mark, (record.alert_id, number, until))
    context.state.batch.identities.append((mark, record.alert_id, number, until))


def forget_claims(context: EngineContext, now: int) -> None:
    """Keep in memory only the claims without a key that still hold: seconds' worth.

    Those with a key hold for a day and are looked up in the store.
    """
    claims = context.state.claims
    for mark in context.state.keyed:
        claims.pop(mark, None)
    context.state.keyed.clear()
    while claims:
        oldest = next(iter(claims))
        if claims[oldest][2] > now:
            break
        del claims[oldest]
    executed, window = context.state.executed, context.state.settings.webhook.dedupe_seconds * 1000
    while executed:
        first = next(iter(executed))
        if executed[first][1] + window > now:
            break
        del executed[first]


def _span_ms(context: EngineContext, alert: Alert) -> int:
    if alert.action in NEVER_TWICE_THE_SAME:
        return 0
    if alert.idempotency_key is not None:
        return DAY_MS
    return context.state.settings.webhook.dedupe_seconds * 1000


def _was_executed_since(context: EngineContext, strategy: str, symbol: str, number: int) -> bool:
    last, _ = context.state.executed.get((strategy, context.symbol_key(symbol)), (0, 0))
    return last > number
