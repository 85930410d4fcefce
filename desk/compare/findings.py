"""Write a comparison as the values of its answer: files, alerts, orders, differences, totals, causes.

Money and quantities are texts, times ISO 8601 in UTC. Everything that is shown of a text was masked before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from desk.compare.causes import find_causes
from desk.compare.comparison import ComparedFile, Comparison, average, own_part, slip
from desk.compare.matching import LATE_MS, MatchedRow
from desk.compare.own import OwnAlert
from desk.compare.pairing import Firing, PairedOrder, rounded
from desk.formats import iso, write_number, write_optional

ZERO = Decimal(0)


def write_files(found: Comparison) -> list[dict[str, Any]]:
    """Return what each file is and how its times were read."""
    return [
        {
            "file": each.file,
            "kind": each.kind,
            "rows": each.rows,
            "zone": each.zone,
            "zone_source": each.zone_source,
        }
        for each in found.files
    ]


def write_row(each: MatchedRow) -> dict[str, Any]:
    """Return one row of the log and what became of it."""
    row, own = each.row, each.own
    late = each.late_ms
    return {
        "file": row.file,
        "line": row.line,
        "time": iso(row.at),
        "tradingview_alert_id": row.alert,
        "ticker": row.ticker,
        "webhook_status": row.status,
        "delivered": row.delivered,
        "verdict": each.verdict,
        "alert_id": own.alert_id if own else None,
        "code": own.code if own else None,
        "late_seconds": None if late is None else round(late / 1000, 3),
    }


def write_order(shown: ComparedFile, each: PairedOrder) -> dict[str, Any]:
    """Return one order of a list, beside what we executed."""
    order, firing, at = each.order, each.firing, each.at
    own = firing.own if firing else None
    part = own_part(firing.details if firing else None, order.side)
    quantity, price = average(part)
    worse = slip(each, part, shown.tick)
    fees = [o.fees for o in part]
    return {
        "file": shown.file,
        "lines": order.lines,
        "trades": order.trades,
        "signal": order.signal,
        "side": order.side,
        "quantity": write_optional(order.quantity),
        "price": write_number(order.price),
        "time": None if at is None else iso(at),
        "chart_time": order.chart_time,
        "log_line": firing.row.row.line if firing and firing.row else None,
        "alert_id": own.alert_id if own else None,
        "our_quantity": write_number(quantity) if part else None,
        "our_price": write_optional(price),
        "slippage": None
        if worse is None
        else {"ticks": write_optional(worse[0]), "money": write_number(worse[1])},
        "fees": write_number(sum((f for f in fees if f is not None), ZERO))
        if part and None not in fees
        else None,
    }


def list_differences(found: Comparison) -> Iterator[dict[str, Any]]:
    """Yield everything in which TradingView's records and ours differ."""
    for each in found.rows:
        yield from _differences_of_row(each)
    for own in found.not_in_log:
        text = f"{own.alert_id} arrived at {iso(own.at)} and is not in the log: who sent it?"
        yield _difference("not_in_log", None, None, own, text)
    for shown, missed in found.missed:
        yield _difference(
            "missed",
            shown.file,
            missed.order.lines[0],
            missed.firing.own if missed.firing else None,
            _say_missed(missed),
        )
    for shown in found.files:
        for paired in shown.orders:
            yield from _differences_of_order(shown, paired)
    for shown, firing in found.unknown_orders:
        if firing.own is not None:
            text = (
                f"{firing.own.alert_id} traded at {iso(firing.own.at)}, and the list has no such order: "
                "was the strategy changed, or its list cut?"
            )
            yield _difference("unknown_to_tradingview", shown.file, None, firing.own, text)


def _difference(
    kind: str, file: str | None, line: int | None, own: OwnAlert | None, text: str
) -> dict[str, Any]:
    alert_id = own.alert_id if own else None
    return {"kind": kind, "file": file, "line": line, "alert_id": alert_id, "text": text}


def _differences_of_row(each: MatchedRow) -> Iterator[dict[str, Any]]:
    row, own = each.row, each.own
    place = (row.file, row.line)
    when = f"The alert of {iso(row.at)} ({row.ticker})"
    if each.verdict == "never_arrived":
        text = f"{when} never arrived. TradingView says: {row.reason}."
        yield _difference("never_arrived", *place, None, text)
    elif each.verdict == "refused":
        why = f"{own.code or own.status}" if own else f"it was answered {row.reason}"
        yield _difference("refused", *place, own, f"{when} was refused: {why}.")
    elif each.verdict == "duplicate" and own is not None:
        text = (
            f"{when} came again within the time in which equal alerts count once: {own.alert_id}."
        )
        yield _difference("duplicate", *place, own, text)
    late = each.late_ms
    if late is not None and late >= LATE_MS:
        text = f"{when} arrived {late / 1000:.0f} s after it fired."
        yield _difference("late", *place, own, text)


def _say_missed(missed: PairedOrder) -> str:
    order, own = missed.order, missed.firing.own if missed.firing else None
    quantity = "" if order.quantity is None else f" {write_number(order.quantity)}"
    said = (
        f"TradingView's {order.side} of{quantity} at {write_number(order.price)} ({order.signal})"
    )
    if own is not None:
        return f"{said} was not traded: {own.alert_id} was refused ({own.code or own.status})."
    if missed.firing is not None and missed.firing.row is not None:
        row = missed.firing.row.row
        return f"{said} was not traded: its alert of {iso(row.at)} is not among ours."
    return f"{said} at {order.chart_time} has no alert of ours: it was not traded."


def _differences_of_order(shown: ComparedFile, each: PairedOrder) -> Iterator[dict[str, Any]]:
    firing, order = each.firing, each.order
    if firing is None or firing.own is None:
        return
    part = own_part(firing.details, order.side)
    quantity, price = average(part)
    if not part:
        return
    place = (shown.file, order.lines[0])
    if order.quantity is not None and quantity != order.quantity:
        text = (
            f"{firing.own.alert_id}: {order.side} of {write_number(order.quantity)} at TradingView, "
            f"{write_number(quantity)} here."
        )
        yield _difference("quantity", *place, firing.own, text)
    tick = part[0].tick or shown.tick
    if price is not None and rounded(price, tick) != rounded(order.price, tick):
        text = (
            f"{firing.own.alert_id}: {order.side} at {write_number(order.price)} at TradingView, "
            f"{write_number(price)} here."
        )
        yield _difference("price", *place, firing.own, text)


def write_totals(found: Comparison) -> list[dict[str, Any]]:
    """Return the figures of each strategy."""
    counts: dict[str, Counter[str]] = {}
    money: dict[str, list[Decimal]] = {}
    for place, each in enumerate(found.rows):
        name = each.own.strategy if each.own else found.names.get(place, "")
        if not name and each.verdict not in ("never_arrived", "refused"):
            continue
        counted = counts.setdefault(name, Counter())
        counted[each.verdict] += 1
        if each.late_ms is not None and each.late_ms >= LATE_MS:
            counted["late"] += 1
    for shown in found.files:
        for paired in shown.orders:
            if paired.firing is None:
                continue
            name = paired.firing.group[0]
            counts.setdefault(name, Counter())
            part = own_part(paired.firing.details, paired.order.side)
            worse = slip(paired, part, shown.tick)
            sums = money.setdefault(name, [ZERO, ZERO])
            sums[0] += worse[1] if worse else ZERO
            sums[1] += sum((o.fees or ZERO for o in part), ZERO)
    for shown, missed in found.missed:
        name = _name_of_list(shown, missed.firing)
        counts.setdefault(name, Counter())["missed"] += 1
    return [
        {
            "strategy": name,
            **{
                each: counts[name][each]
                for each in ("traded", "refused", "duplicate", "never_arrived", "late", "missed")
            },
            "slippage": write_number(money[name][0]) if name in money else None,
            "fees": write_number(money[name][1]) if name in money else None,
        }
        for name in sorted(counts)
    ]


def _name_of_list(shown: ComparedFile, firing: Firing | None) -> str:
    """Return whose list it is: the strategy its orders belong to."""
    if firing is not None:
        return firing.group[0]
    return next((o.firing.group[0] for o in shown.orders if o.firing is not None), "")


def write_findings(found: Comparison) -> dict[str, Any]:
    """Return everything but the rows of the log, which may be many: see `write_row`."""
    differences = list(list_differences(found))
    return {
        "files": write_files(found),
        "orders": [write_order(shown, each) for shown in found.files for each in shown.orders],
        "differences": differences,
        "totals": write_totals(found),
        "causes": find_causes(found, Counter(each["kind"] for each in differences)),
        "warnings": found.warnings,
    }
