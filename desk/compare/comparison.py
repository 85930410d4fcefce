"""Compare exports with what we recorded, and collect what was found: rows, orders, differences, totals.

A file that cannot be read fully, or a zone that is needed and not known, ends it; nothing is reported of
the other files then.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from decimal import Decimal
from zoneinfo import ZoneInfo, available_timezones

from desk.compare.alert_log import COLUMNS, LogRow, is_alert_log, read_alert_log
from desk.compare.list_of_trades import DAY_MS, TradeList, is_trade_list, read_trade_list
from desk.compare.matching import BUSY_ROWS, MatchedRow, find_not_in_log, match_rows
from desk.compare.own import (
    FindDetails,
    MaskText,
    OwnAlert,
    OwnDetails,
    OwnOrder,
    ReadText,
    understand,
)
from desk.compare.pairing import Firing, PairedOrder, pair_orders, rounded
from desk.compare.report import open_report
from desk.compare.tables import ZIPPED, FileUnreadable, open_table
from desk.compare.zones import Firings, find_zone, to_utc_ms

ZERO = Decimal(0)
BEFORE_FIRST_MS = 60_000


class ZoneNeeded(Exception):
    """The zone of a list's chart is not known: it has to be given."""

    def __init__(self, file: str, why: str = "") -> None:
        self.file = file
        super().__init__(
            why
            or f"{file} has the chart's wall clock and no zone, and the alerts do not show which: name the "
            "zone of the chart, e.g. --zone America/New_York (on the page: the field zone)."
        )


@dataclass(frozen=True, slots=True)
class Records:
    """What a comparison may look up of ours, and how texts are read."""

    load: Callable[[int, int], list[OwnAlert]]
    """Return what arrived between two moments, in the order of arrival."""
    first_at: int | None
    """When the first alert of all was recorded."""
    details: FindDetails
    read: ReadText
    mask: MaskText
    dedupe_ms: int


@dataclass(slots=True)
class ComparedFile:
    """One file, as it was read."""

    file: str
    kind: str
    rows: int
    zone: str | None = None
    zone_source: str | None = None
    orders: list[PairedOrder] = field(default_factory=list)
    tick: Decimal | None = None
    bar_ms: int = DAY_MS


@dataclass(slots=True)
class Comparison:
    """Everything that was found."""

    files: list[ComparedFile] = field(default_factory=list)
    rows: list[MatchedRow] = field(default_factory=list)
    not_in_log: list[OwnAlert] = field(default_factory=list)
    unknown_orders: list[tuple[ComparedFile, Firing]] = field(default_factory=list)
    """What we traded and a list of its strategy does not have."""
    missed: list[tuple[ComparedFile, PairedOrder]] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)
    """The strategy a row without a record of ours names, by its place."""
    warnings: list[str] = field(default_factory=list)


def compare(files: Iterable[tuple[str, bytes]], zone: str | None, known: Records) -> Comparison:
    """Compare exports with our records. Raises `FileUnreadable` and `ZoneNeeded`."""
    if zone is not None and zone not in available_timezones():
        why = (
            f'"{zone[:60]}" is no time zone: write it like America/Chicago, Asia/Singapore or UTC.'
        )
        raise ZoneNeeded("", why)
    found = Comparison()
    lists: list[TradeList] = []
    logs: list[LogRow] = []
    for name, data in files:
        table = (open_report if data.startswith(ZIPPED) else open_table)(name, data)
        if is_alert_log(table.header):
            rows = read_alert_log(table)
            found.files.append(ComparedFile(name, "alert_log", len(rows), "UTC", "file"))
            logs += rows
        elif is_trade_list(table.header):
            trades = read_trade_list(table)
            lists.append(trades)
            found.files.append(ComparedFile(name, "list_of_trades", trades.rows))
        else:
            raise FileUnreadable(name, 1, 1, _say_unknown(table.header))
        del data, table  # a log may be large, and the next file is another
    own = known.load(*_find_span(logs, lists))
    found.rows = match_rows(logs, own, known.read, known.mask, known.dedupe_ms, known.first_at)
    for each in [e.file for e in found.files if e.kind == "alert_log"]:
        own_rows = [row for row in found.rows if row.row.file == each]
        found.not_in_log += [
            alert
            for alert in find_not_in_log(own_rows, own)
            if not alert.rows and alert not in found.not_in_log
        ]
    _name_rows(found, known)
    if lists:
        _compare_lists(found, lists, zone, known, own)
    if any(count >= BUSY_ROWS for count in Counter(row.alert for row in logs).values()):
        found.warnings.append(
            "TradingView keeps only the latest rows of a busy alert: what is before its first row in the "
            "log was not compared."
        )
    return found


def _find_span(logs: Sequence[LogRow], lists: Sequence[TradeList]) -> tuple[int, int]:
    """Return from when until when our records are looked at; a list's zone is not known yet."""
    moments = [row.at for row in logs]
    for each in lists:
        moments += [round(o.local.replace(tzinfo=UTC).timestamp() * 1000) for o in each.orders]
    if not moments:
        return 0, 0
    return min(moments) - 2 * DAY_MS, max(moments) + 2 * DAY_MS


def _say_unknown(header: Sequence[str]) -> str:
    if header[:2] == ["Symbol", "Side"]:
        return "this is the order history of TradingView's paper trading, which has no alerts: take the log"
    return (
        f"neither TradingView's alert log ({', '.join(COLUMNS[:3])}, …) nor a strategy's list of trades "
        "(Trade number, Type, …)"
    )


def _name_rows(found: Comparison, known: Records) -> None:
    """Say of rows that are not ours which strategy they name, as far as one can tell."""
    names: dict[str, Counter[str]] = defaultdict(Counter)
    for each in found.rows:
        if each.own is not None:
            names[each.row.alert][each.own.strategy] += 1
    for place, each in enumerate(found.rows):
        if each.own is None and each.verdict in ("never_arrived", "refused", "elsewhere"):
            usual = names.get(each.row.alert)
            said = None if usual else understand(known.read(each.row.text.encode()))
            found.names[place] = (
                usual.most_common(1)[0][0] if usual else said.strategy if said else ""
            )


def _compare_lists(
    found: Comparison,
    lists: Sequence[TradeList],
    zone: str | None,
    known: Records,
    own: Sequence[OwnAlert],
) -> None:
    firings = _gather_firings(found, known, own)
    by_price: Firings = defaultdict(list)
    for each in sorted(firings, key=lambda one: one.at):
        if each.said.price is not None:
            for side in (each.said.side,) if each.said.side else ("buy", "sell"):
                by_price[side, each.said.price.normalize()].append(each.at)
    bars = [e.row.bar_ms for e in found.rows if e.row.bar_ms]
    for trades in lists:
        shown = next(each for each in found.files if each.file == trades.file)
        shown.bar_ms = min(trades.bar_ms or DAY_MS, DAY_MS)
        if trades.bar_ms is None and bars:
            shown.bar_ms = min(max(bars), DAY_MS)
        shown.tick = trades.tick
        shown.zone, shown.zone_source = zone, "given"
        if zone is None:
            shown.zone, others = find_zone(trades.orders, by_price, shown.bar_ms)
            shown.zone_source = "alerts"
            if shown.zone is None:
                raise ZoneNeeded(trades.file)
            found.warnings.append(
                f"{trades.file}: the chart's zone was taken from the alerts: {shown.zone}"
                + (f" (or one with the same offset: {others})." if others else ".")
            )
        place = ZoneInfo(shown.zone or "UTC")
        shown.orders = [PairedOrder(o, to_utc_ms(o.local, place)) for o in trades.orders]
        _pair(found, shown, firings, known)


def _gather_firings(
    found: Comparison, known: Records, recorded: Sequence[OwnAlert]
) -> list[Firing]:
    """Return what fired while the lists' trades were made: rows of the log, and ours without one."""
    made: list[Firing] = []
    names: dict[str, str] = {}
    seen: set[int] = set()
    for each in found.rows:
        if each.own is not None and each.verdict != "duplicate":
            names.setdefault(each.row.alert, each.own.strategy)
    for each in found.rows:
        if each.verdict == "duplicate":
            continue
        details = known.details(each.own) if each.own else None
        said = details.understood if details else understand(known.read(each.row.text.encode()))
        if said is None:
            continue
        name = names.get(each.row.alert) or (
            said.strategy if said.strategy != "default" else each.row.alert
        )
        group = (name, said.symbol or each.row.symbol)
        made.append(Firing(each.row.at, said, each, each.own, details, group))
        if each.own is not None:
            seen.add(each.own.seq)
    for own in recorded:
        if own.seq in seen:
            continue
        details = known.details(own)
        group = (own.strategy, details.understood.symbol)
        made.append(Firing(own.at, details.understood, None, own, details, group))
    return made


def _pair(
    found: Comparison, shown: ComparedFile, firings: Sequence[Firing], known: Records
) -> None:
    pair_orders(shown.orders, firings, shown.bar_ms, shown.tick)
    matched = [each for each in shown.orders if each.firing is not None]
    for each in shown.orders:
        if each.at is None:
            found.warnings.append(
                f"{shown.file}, line {each.order.lines[0]}: {each.order.chart_time} comes twice in "
                f"{shown.zone}, where the clock was set back, and no alert says which is meant."
            )
    if not matched:
        found.warnings.append(
            f"{shown.file}: no alert belongs to any of its orders. Is it another strategy, or the wrong zone?"
        )
        return
    group = matched[0].firing.group if matched[0].firing else ("", "")
    began = min(each.firing.at for each in matched if each.firing)
    known_since = known.first_at or began
    for each in shown.orders:
        at = each.at
        if each.firing is not None:
            own = each.firing.own
            if own is None or own.verdict == "refused":
                found.missed.append((shown, each))
        elif at is not None and at + shown.bar_ms >= max(began, known_since) - BEFORE_FIRST_MS:
            if each.order.may_be_open:
                found.warnings.append(
                    f"{shown.file}, line {each.order.lines[0]}: may be a trade that is still open; export "
                    "the list in English to have it compared."
                )
            else:
                found.missed.append((shown, each))
    span = [at for each in shown.orders if (at := each.at) is not None]
    taken = {id(each.firing) for each in matched}
    found.unknown_orders += [
        (shown, firing)
        for firing in firings
        if firing.group == group
        and id(firing) not in taken
        and firing.own is not None
        and firing.own.verdict == "traded"
        and firing.details is not None
        and any(order.filled for order in firing.details.orders)
        and min(span) - BEFORE_FIRST_MS <= firing.at <= max(span) + shown.bar_ms + BEFORE_FIRST_MS
    ]


def own_part(details: OwnDetails | None, side: str) -> list[OwnOrder]:
    """Return what an alert executed on the first account it traded, on one side."""
    if details is None or not details.orders:
        return []
    account = details.orders[0].account
    return [o for o in details.orders if o.account == account and o.side == side and o.filled]


def average(orders: Sequence[OwnOrder]) -> tuple[Decimal, Decimal | None]:
    """Return the quantity that orders executed together, and their average price."""
    quantity = sum((order.filled for order in orders), ZERO)
    if not quantity or any(order.price is None for order in orders):
        return quantity, None
    value = sum((order.filled * (order.price or ZERO) for order in orders), ZERO)
    return quantity, value / quantity


def slip(
    order: PairedOrder, orders: Sequence[OwnOrder], tick: Decimal | None
) -> tuple[Decimal | None, Decimal] | None:
    """Return how much worse than TradingView's our price was: in ticks, and in money."""
    quantity, price = average(orders)
    if price is None:
        return None
    tick = orders[0].tick or tick
    worse = rounded(price, None) - rounded(order.order.price, tick)
    if order.order.side == "sell":
        worse = -worse
    money = worse * quantity * orders[0].point_value
    return (worse / tick if tick else None), money
