"""Recognise an alert that was delivered before, and remember one that was not.

Same strategy, same bytes and same place in an array are the same alert for a while: a day where the body
carries a key, else `dedupe_seconds`. Without a key, another alert of the strategy on the instrument that was
executed since makes the text new. What a duplicate is answered is not decided here.
"""

from __future__ import annotations

from dataclasses import dataclass

from desk.floor import Floor
from desk.record import Record
from parsers.alert import Alert

DAY_MS = 86_400_000
NEVER_TWICE_THE_SAME = ("halt", "cancel")


@dataclass(frozen=True, slots=True)
class Duplicate:
    """An alert that was delivered before: its answer is the recorded one."""

    alert_id: str
    has_key: bool


def find_duplicate(
    floor: Floor, mark: bytes, alert: Alert, strategy: str, now: int
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
    return Duplicate(alert_id, has_key)


def claim(floor: Floor, mark: bytes, alert: Alert, record: Record, now: int) -> None:
    """Remember an alert, so that its next delivery is recognised."""
    span = _span_ms(floor, alert)
    if span:
        number, until = record.story.number, now + span
        floor.state.put(floor.state.claims, mark, (record.alert_id, number, until))
        floor.state.batch.identities.append((mark, record.alert_id, number, until))
        if alert.idempotency_key is not None:
            floor.state.keyed.append(mark)


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
            return
        del claims[oldest]


def _span_ms(floor: Floor, alert: Alert) -> int:
    if alert.action in NEVER_TWICE_THE_SAME:
        return 0
    if alert.idempotency_key is not None:
        return DAY_MS
    return floor.state.settings.webhook.dedupe_seconds * 1000


def _was_executed_since(floor: Floor, strategy: str, symbol: str, number: int) -> bool:
    name = floor.symbol_key(symbol)
    for key, book in floor.state.books.items():
        share = book.shares.get(strategy)
        if share is None or share.marks.executed <= number:
            continue
        if name in (key[2], floor.symbol_key(share.symbol)):
            return True
    return False
