"""Turn what is known into what is shown: the answer of an alert, a history row, a position.

Numbers of money and quantity are strings, so that no client rounds them; keys are added, never renamed.
Nothing here decides or reads the database.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from desk.alerts.record import Part, Record
from desk.alerts.sentences import AccountOutcome, describe_outcomes
from desk.decision.denial import Denial
from desk.formats import iso, write_number, write_optional
from desk.orders.journal import ClosedTradeRow
from desk.orders.order import ENTRY, STOP_LOSS, TAKE_PROFIT, Order
from desk.orders.rounding import place_level
from parsers.alert import Alert, Level, TakeProfit

OUTCOMES = (
    "pending",
    "unknown",
    "unreached",
    "filled",
    "partly_filled",
    "accepted",
    "cancelled",
    "expired",
    "nothing_to_do",
    "absent",
    "refused",
    "denied",
)
"""Every outcome, the one that speaks for several first."""


OPEN = frozenset({"pending", "unknown", "unreached"})


SUCCESS = frozenset({"filled", "partly_filled", "accepted", "nothing_to_do"})


NOTHING_TO_CLOSE = "NOTHING_TO_CLOSE"


NOTHING_TO_MOVE = "NOTHING_TO_MOVE"


_CLOSED_BY = {
    "alert": "an alert",
    "flatten": "POST /flatten",
    "time": "max_holding",
    "venue": "another hand at the venue",
}


def write_answer(record: Record, *, would: bool = False) -> dict[str, Any]:
    """Return the answer of an alert as it stands now; `would`: as what it would do."""
    story = record.story
    outcomes = _leave_out_empty([(part, _spoken(record.orders_of(part))) for part in story.parts])
    lines = [line for each in outcomes for line in _lines(*each)]
    statuses = [_part_status(*each) for each in outcomes]
    status = next((word for word in OUTCOMES if word in statuses), "denied")
    if story.action in ("flatten", "close_all") and not outcomes and not story.denial:
        status = "nothing_to_do"
    if story.todo:
        status = "pending"
    elif story.done:
        status = "accepted"
    denials = [denial for part, _ in outcomes for denial in part.denials]
    wait = max((each.retry_after for each in denials if each.retry_after), default=None)
    codes = [story.denial.code if story.denial else None]
    has_closed = any(orders or part.has_pending_exit for part, orders in outcomes)
    codes += [p.code for p, _ in outcomes if not (has_closed and p.code == NOTHING_TO_CLOSE)]
    codes += [line["code"] for line in lines]
    done = [line["status"] for line in lines] or statuses or [status]
    cancelled = story.action == "cancel" and status == "cancelled"
    shape = {
        "success": cancelled or (bool(done) and all(word in SUCCESS for word in done)),
        "status": status,
        "alert_id": record.alert_id,
        "action": story.action,
        "symbol": record.symbol or None,
        "strategy": record.strategy or None,
        "orders": lines,
        "code": next((code for code in codes if code), None),
        "duplicate": False,
        "warnings": story.warnings,
        "message": describe_outcomes(record, outcomes, would=would),
    }
    if wait is not None:
        shape["retry_after"] = wait
    return shape


def http_status(answer: dict[str, Any]) -> int:
    """Return the status of an answer: 202 while anything is open, 200 for what happened, else 4xx."""
    words = {line["status"] for line in answer["orders"]} | {answer["status"]}
    if words & OPEN:
        return 202
    if words & (SUCCESS | {"cancelled", "expired", "absent"}):
        return 200
    if answer["code"] == "UNREADABLE":
        return 400
    return 429 if answer["code"] == "RATE_LIMITED" else 422


def combine_statuses(statuses: list[int]) -> int:
    """Return the status of an array: 202 if any is open, else 200 if any happened, else 422 or 400."""
    for word in (202, 200, 429, 422):
        if word in statuses:
            return word
    return 400


def write_alert(alert: Alert, account: str | None) -> dict[str, Any]:
    """Return an alert as it was read; null where it says nothing."""
    return {
        "action": alert.action,
        "symbol": alert.symbol or None,
        "quantity": write_optional(alert.quantity),
        "quantity_type": alert.quantity_type,
        "order_type": alert.order_type,
        "price": write_optional(alert.price),
        "limit_price": write_optional(alert.limit_price),
        "stop_price": write_optional(alert.stop_price),
        "take_profit": _level(alert.take_profit),
        "take_profits": [_take_profit(each) for each in alert.take_profits] or None,
        "move_stop": alert.move_stop,
        "stop_loss": _level(alert.stop_loss),
        "market_position": alert.market_position,
        "position_size": write_optional(alert.position_size),
        "time_in_force": alert.time_in_force,
        "strategy": alert.strategy,
        "account": account or alert.account,
    }


def say_closed(row: ClosedTradeRow) -> str:
    """Return how a trade ended, with price and time."""
    trade = row.trade
    by = _CLOSED_BY.get(row.closed_by, f"the {row.closed_by.replace('_', ' ')}")
    return f"Closed by {by} at {write_number(trade.exit_price)} on {iso(trade.closed_at)}."


def _lines(part: Part, orders: list[Order]) -> list[dict[str, Any]]:
    lines = [_order_line(part, order) for order in orders]
    return lines + [_denial_line(part, denial) for denial in part.denials]


def _leave_out_empty(outcomes: list[AccountOutcome]) -> list[AccountOutcome]:
    """Leave out where a close found nothing, while it closed something else on the same account.

    E.g. `CLOSE MES1!` where only MESZ2026 is held.
    """
    busy = {
        (part.account, part.paper)
        for part, orders in outcomes
        if orders or part.has_pending_exit or part.has_moved
    }
    return [
        (part, orders)
        for part, orders in outcomes
        if part.code not in (NOTHING_TO_CLOSE, NOTHING_TO_MOVE)
        or orders
        or part.cancels
        or part.has_pending_exit
        or (part.account, part.paper) not in busy
    ]


def _spoken(orders: list[Order]) -> list[Order]:
    """Leave out attempts that came to nothing and were followed by another; reducing ones stand first."""
    if len(orders) < 2:
        return orders
    last = {order.kind: order.client_id for order in orders}
    spoken = [o for o in orders if o.filled > 0 or o.client_id == last[o.kind]]
    return sorted(spoken, key=lambda order: order.kind == ENTRY)


def _order_line(part: Part, order: Order) -> dict[str, Any]:
    fees = {coin: write_number(fee) for coin, fee in order.fees.items()}
    return {
        "account": part.account,
        "paper": part.paper,
        "instrument": part.instrument,
        "client_order_id": order.client_id,
        "broker_order_id": order.broker_id,
        "status": order.status,
        "side": order.side,
        "quantity": write_number(order.quantity),
        "filled_quantity": write_number(order.filled),
        "average_price": write_optional(order.average_price),
        "take_profit": write_optional(_placed(order, order.take_profit, TAKE_PROFIT, part.tick)),
        "take_profits": [
            write_optional(_placed(order, each.level, TAKE_PROFIT, part.tick))
            for each in order.take_profits
        ]
        or None,
        "stop_loss": write_optional(_placed(order, order.stop_loss, STOP_LOSS, part.tick)),
        "fees": fees or None,
        "code": order.code if order.code != "TRIGGERED" else None,
        "message": order.message,
    }


def _denial_line(part: Part, denial: Denial) -> dict[str, Any]:
    return {
        "account": part.account,
        "paper": part.paper,
        "instrument": part.instrument,
        "client_order_id": None,
        "broker_order_id": None,
        "status": "denied",
        "side": denial.side or None,
        "quantity": write_optional(denial.quantity),
        "filled_quantity": "0",
        "average_price": None,
        "take_profit": None,
        "take_profits": None,
        "stop_loss": None,
        "fees": None,
        "code": denial.code,
        "message": denial.message,
    }


def _placed(order: Order, level: Level | None, kind: str, tick: Decimal | None) -> Decimal | None:
    """Return where a level of an entry stands; a relative one only once something has filled."""
    if level is None or (level.price is None and order.average_price is None):
        return None
    base = order.average_price or level.price or Decimal(0)
    return place_level(level, base, order.side, kind, tick).price


def _part_status(part: Part, orders: list[Order]) -> str:
    """Return the outcome on one account: of a reversal that of its opening part."""
    entry = next((order for order in orders if order.kind == ENTRY), None)
    if entry:
        return entry.status
    if part.denials:
        exits = {order.status for order in orders}
        return "pending" if part.has_pending_exit or "pending" in exits else "denied"
    if orders:
        last = orders[-1]
        if (
            part.has_pending_exit
            and not last.is_open
            and last.status not in ("filled", "partly_filled")
        ):
            return "unreached" if last.code == "UNREACHED" else "pending"
        return last.status
    if part.has_pending_exit:
        return "pending"
    if part.has_moved:
        return "accepted"
    return "cancelled" if part.cancels and not part.code else "nothing_to_do"


def _take_profit(each: TakeProfit) -> dict[str, Any]:
    """Return one of several targets as an alert may say it."""
    level = _level(each.level)
    said = dict(level) if isinstance(level, dict) else {"price": level}
    if each.quantity is not None:
        said["quantity"] = write_number(each.quantity)
    if each.percent is not None:
        said["percent_of_position"] = write_number(each.percent)
    return said


def _level(level: Level | None) -> str | dict[str, str] | None:
    if level is None:
        return None
    if level.percent is not None:
        return {"percent": write_number(level.percent)}
    if level.amount is not None:
        return {"amount": write_number(level.amount)}
    if level.ticks is not None:
        return {"ticks": write_number(level.ticks)}
    price = write_number(level.price) if level.price is not None else ""
    if level.limit_price is not None:
        return {"price": price, "limit_price": write_number(level.limit_price)}
    return price
