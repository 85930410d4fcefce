"""Find which row of TradingView's log is which alert of ours, and what became of each row.

A row belongs to an alert with the same text that arrived from five seconds before it to ten minutes after
it. Nothing is guessed from words that are not known: they are `unknown`.
"""

from __future__ import annotations

import itertools
import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from desk.compare.alert_log import LogRow
from desk.compare.own import MaskText, OwnAlert, ReadText, digest_of

BEFORE_MS, AFTER_MS = 5_000, 600_000
NEAR_MS = 30_000
"""Within which TradingView delivers an alert, its resends included: such an alert is matched first."""
LATE_MS = 10_000
"""From when on an alert counts as late."""
BUSY_ROWS = 100
"""How many rows of one alert TradingView keeps at least: from so many on, older ones may be gone."""
_REFUSED = re.compile(r"4\d\d\b")


@dataclass(slots=True)
class MatchedRow:
    """One row of the log and what became of it."""

    row: LogRow
    verdict: str
    own: OwnAlert | None = None

    @property
    def late_ms(self) -> int | None:
        """How long after it fired the alert arrived; None where it did not, or came again."""
        if self.own is None or self.verdict == "duplicate":
            return None
        return self.own.at - self.row.at


def match_rows(
    rows: Sequence[LogRow],
    own: Sequence[OwnAlert],
    read: ReadText,
    mask: MaskText,
    dedupe_ms: int,
    first_at: int | None,
) -> list[MatchedRow]:
    """Return what became of each row, in the order of the rows.

    `own` is in the order of arrival; `first_at` is when the first alert of all was recorded.
    """
    by_text = sorted(own, key=lambda each: each.digest)  # of one text in the order of arrival
    digests = [_digest_row(row, by_text, read, mask) for row in rows]
    found: list[MatchedRow | None] = [None] * len(rows)
    places = sorted(range(len(rows)), key=digests.__getitem__)
    for digest, group in itertools.groupby(places, key=digests.__getitem__):
        same = by_text[_first(by_text, digest) : _first(by_text, digest, after=True)]
        for place, matched in _match_text(rows, list(group), same, dedupe_ms, first_at):
            found[place] = matched
    return [each for each in found if each is not None]


def _digest_row(row: LogRow, by_text: Sequence[OwnAlert], read: ReadText, mask: MaskText) -> bytes:
    """Return what a row's text is compared by; only where the quick way finds no equal is it read."""
    digest = digest_of(mask(row.text))
    place = _first(by_text, digest)
    if place < len(by_text) and by_text[place].digest == digest:
        return digest
    return digest_of(read(row.text.encode("utf-8", "backslashreplace")).masked)


def _first(by_text: Sequence[OwnAlert], digest: bytes, *, after: bool = False) -> int:
    """Return where the alerts of a text begin, or what comes after them."""
    find = bisect_right if after else bisect_left
    return find(by_text, digest, key=lambda each: each.digest)


def _match_text(
    rows: Sequence[LogRow],
    places: Sequence[int],
    own: Sequence[OwnAlert],
    dedupe_ms: int,
    first: int | None,
) -> Iterator[tuple[int, MatchedRow]]:
    """Yield what each row of one text is: delivered ones choose before unknown ones, failed ones last."""
    free = _group_deliveries(own)
    rank = {True: 0, None: 1, False: 2}
    late = sorted(places, key=lambda p: (rank[rows[p].delivered], rows[p].at))
    for window in (NEAR_MS, AFTER_MS):  # else a lost alert takes the delivery of the next one
        waiting, late = late, []
        for place in waiting:
            at = rows[place].at
            found = next((i for i, e in enumerate(free) if -BEFORE_MS <= e.at - at <= window), None)
            if found is None:
                late.append(place)
                continue
            alert = free.pop(found)
            alert.rows += 1
            yield place, MatchedRow(rows[place], alert.verdict, alert)
    for place in late:
        row = rows[place]
        again = next((each for each in own if _is_resend(each, row, dedupe_ms)), None)
        if again is not None:
            again.rows += 1
            yield place, MatchedRow(row, "duplicate", again)
        else:
            yield place, MatchedRow(row, _judge_unmatched(row, first))


def _group_deliveries(own: Sequence[OwnAlert]) -> list[OwnAlert]:
    """Return one alert for each delivery: the elements of an array share text and moment."""
    found: dict[int, OwnAlert] = {}
    for each in own:
        before = found.get(each.at)
        if before is None or (before.verdict != "traded" and each.verdict == "traded"):
            found[each.at] = each
    return list(found.values())


def _is_resend(own: OwnAlert, row: LogRow, dedupe_ms: int) -> bool:
    """Whether a row may be a further delivery that was counted on an alert."""
    return own.deliveries > own.rows and own.at - AFTER_MS <= row.at <= own.at + dedupe_ms


def _judge_unmatched(row: LogRow, first: int | None) -> str:
    """Say what is known of a row whose text never reached us."""
    if first is None or row.at < first - BEFORE_MS or row.status is None:
        return "unknown"
    if not row.status.strip():
        return "no_webhook"
    if row.delivered:
        return "elsewhere"
    if row.delivered is None:
        return "unknown"
    return "refused" if _REFUSED.match(row.reason) else "never_arrived"


def find_not_in_log(matched: Sequence[MatchedRow], own: Sequence[OwnAlert]) -> list[OwnAlert]:
    """Return our alerts between the log's first and last row that it does not have.

    A busy alert keeps its latest hundred rows only: before the first of them nothing is said of its strategy.
    """
    if not matched:
        return []
    first = min(each.row.at for each in matched)
    last = max(each.row.at for each in matched)
    rows_of: dict[str, list[MatchedRow]] = defaultdict(list)
    for each in matched:
        rows_of[each.row.alert].append(each)
    begins: dict[str, int] = {}
    taken: set[int] = set()
    moments: set[tuple[int, bytes]] = set()
    for rows in rows_of.values():
        oldest = min(each.row.at for each in rows)
        for each in rows:
            if each.own is None:
                continue
            taken.add(each.own.seq)
            moments.add((each.own.at, each.own.digest))
            if len(rows) >= BUSY_ROWS:
                name = each.own.strategy
                begins[name] = max(begins.get(name, first), oldest)
    return [
        each
        for each in own
        if each.seq not in taken
        and (each.at, each.digest) not in moments
        and begins.get(each.strategy, first) <= each.at <= last
    ]
