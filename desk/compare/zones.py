"""Turn a chart's wall clock into UTC: by the zone that was given, or the one that alerts show.

The file does not say its zone. It is found only where the alerts leave one offset, and never guessed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from desk.compare.list_of_trades import TradeOrder

ZONES = (
    *("UTC", "America/New_York", "America/Chicago", "America/Los_Angeles", "America/Denver"),
    *("America/Toronto", "America/Mexico_City", "America/Bogota", "America/Caracas"),
    *("America/Sao_Paulo", "America/Argentina/Buenos_Aires", "America/Santiago"),
    *("America/Phoenix", "America/Anchorage", "America/Juneau", "Pacific/Honolulu"),
    *("Atlantic/Reykjavik", "Europe/London", "Europe/Lisbon", "Europe/Berlin", "Europe/Madrid"),
    *("Europe/Athens", "Europe/Helsinki", "Europe/Istanbul", "Europe/Moscow", "Africa/Lagos"),
    *("Africa/Cairo", "Africa/Johannesburg", "Asia/Riyadh", "Asia/Tehran", "Asia/Dubai"),
    *("Asia/Karachi", "Asia/Kolkata", "Asia/Kathmandu", "Asia/Dhaka", "Asia/Yangon"),
    *("Asia/Bangkok", "Asia/Singapore", "Asia/Shanghai", "Australia/Perth", "Asia/Tokyo"),
    *("Asia/Seoul", "Australia/Adelaide", "Australia/Brisbane", "Australia/Sydney"),
    *("Pacific/Norfolk", "Pacific/Auckland", "Pacific/Chatham", "Pacific/Fakaofo"),
)
"""The zones a chart can have, the usual ones first: of several with one offset the first is named."""
AT_ONCE_MS = 6_000
"""How long after a bar's opening or end an order of a strategy fires, where it fires there."""
SLACK_MS = 60_000
ENOUGH = 2
"""How many orders must be explained before a zone is believed."""
SAMPLE = 500

Firings = dict[tuple[str, Decimal], list[int]]
"""Side and price -> the moments at which alerts said so, in order."""


def to_utc_ms(local: datetime, zone: ZoneInfo) -> list[int]:
    """Return the moments a wall clock's time stands for: two where the clock was set back, else one."""
    both = [
        round(local.replace(tzinfo=zone, fold=fold).astimezone(UTC).timestamp() * 1000)
        for fold in (0, 1)
    ]
    here = [
        at
        for at in dict.fromkeys(both)
        if datetime.fromtimestamp(at / 1000, UTC).astimezone(zone).replace(tzinfo=None) == local
    ]
    return sorted(here or both[:1])


def find_zone(
    orders: Sequence[TradeOrder], firings: Firings, bar_ms: int
) -> tuple[str | None, str]:
    """Return the one zone that the alerts show, else None; and which others show the same, in words."""
    sample = orders[:: max(1, len(orders) // SAMPLE)]
    ranked: dict[tuple[int, int], list[str]] = defaultdict(list)
    moments: dict[str, tuple[int, ...]] = {}
    for name in ZONES:
        zone = ZoneInfo(name)
        exact, explained = 0, []
        for order in sample:
            starts = to_utc_ms(order.local, zone)
            delay = _find_delay(order, starts, firings, bar_ms)
            if delay is not None:
                explained.append(starts[0])
                exact += min(abs(delay), abs(delay - bar_ms)) <= AT_ONCE_MS
        if len(explained) >= ENOUGH:
            ranked[(len(explained), exact)].append(name)
            moments[name] = tuple(explained)
    if not ranked:
        return None, ""
    best = ranked[max(ranked)]
    if len({moments[name] for name in best}) > 1:
        return None, ""
    return best[0], ", ".join(best[1:4])


def _find_delay(
    order: TradeOrder, starts: Sequence[int], firings: Firings, bar_ms: int
) -> int | None:
    """Return how long after the opening of its bar an alert said what an order says; None: none did."""
    times = firings.get((order.side, order.price.normalize()), [])
    found: list[int] = []
    for start in starts:
        place = bisect_left(times, start - AT_ONCE_MS)
        while place < len(times) and times[place] <= start + bar_ms + SLACK_MS:
            found.append(times[place] - start)
            place += 1
    return min(found, key=lambda each: min(abs(each), abs(each - bar_ms)), default=None)
