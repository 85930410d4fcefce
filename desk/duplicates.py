"""Recognise an alert that was delivered before, and remember one that was not.

Same strategy, same bytes and same place in an array are the same alert for a while: a day where the body
carries a key, else `dedupe_seconds`. Without a key, another alert of the strategy on the instrument that was
executed since makes the text new. An alert that was denied as a whole, so that nothing was sent of it, claims
nothing: the same text later is a new try. What a duplicate is answered is not decided here.
"""

from __future__ import annotations

from dataclasses import dataclass

from desk.floor import Floor
from desk.record import Record
from desk.reply import Delivery
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
    floor: Floor, delivery: Delivery, mark: bytes, alert: Alert, strategy: str, now: int
) -> Duplicate | None:
    """Return the alert that this one repeats, or None where it is new."""
    has_key = alert.idempotency_key is not None
    if _span_ms(floor, alert) == 0:
        return None
    found = floor.state.claims.get(mark)
    if found is None and has_key:
        found = floor.store.find_identity(mark, now)
    if found is None or found[2] <= now:
        return None
    alert_id, number, _ = found
    if not has_key and _was_executed_since(floor, strategy, alert.symbol, number):
        return None
    key = alert.idempotency_key
    return Duplicate(alert_id, key if key is None or key in delivery.masked else "")


def claim(floor: Floor, mark: bytes, alert: Alert, record: Record, now: int) -> None:
    """Remember an alert, so that its next delivery is recognised, unless nothing was sent of it."""
    span = _span_ms(floor, alert)
    if not span or is_denied(record):
        return
    _note(floor, mark, record, now + span)
    if alert.idempotency_key is not None:
        floor.state.keyed.append(mark)
    if record.story.todo:
        record.story.mark = mark.hex()


def release(floor: Floor, record: Record, now: int) -> None:
    """Let go of what an alert claimed while it waited, where it came to be denied as a whole."""
    mark = record.story.mark
    if mark and is_denied(record):
        record.story.mark = ""
        _note(floor, bytes.fromhex(mark), record, now)


def is_denied(record: Record) -> bool:
    """Whether an alert was denied and nothing was sent of it, nor will be (rules 1.6)."""
    story = record.story
    if story.todo or story.done or record.orders:
        return False
    if any(part.reduces or part.opens or part.cancels or part.owes for part in story.parts):
        return False
    return story.denial is not None or any(part.denials for part in story.parts)


def _note(floor: Floor, mark: bytes, record: Record, until: int) -> None:
    number = record.story.number
    floor.state.put(floor.state.claims, mark, (record.alert_id, number, until))
    floor.state.batch.identities.append((mark, record.alert_id, number, until))


def forget_claims(floor: Floor, now: int) -> None:
    """Keep in memory only the claims without a key that still hold: seconds' worth.

    Those with a key hold for a day and are looked up in the store.
    """
    claims = floor.state.claims
    for mark in floor.state.keyed:
        claims.pop(mark, None)
    floor.state.keyed.clear()
    while claims:
        oldest = next(iter(claims))
        if claims[oldest][2] > now:
            break
        del claims[oldest]
    executed, window = floor.state.executed, floor.state.settings.webhook.dedupe_seconds * 1000
    while executed:
        first = next(iter(executed))
        if executed[first][1] + window > now:
            break
        del executed[first]


def _span_ms(floor: Floor, alert: Alert) -> int:
    if alert.action in NEVER_TWICE_THE_SAME:
        return 0
    if alert.idempotency_key is not None:
        return DAY_MS
    return floor.state.settings.webhook.dedupe_seconds * 1000


def _was_executed_since(floor: Floor, strategy: str, symbol: str, number: int) -> bool:
    last, _ = floor.state.executed.get((strategy, floor.symbol_key(symbol)), (0, 0))
    return last > number
