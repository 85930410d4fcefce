"""Turn what is known into what is shown: the answer of an alert, a history row, a position.

Numbers of money and quantity are strings, so that no client rounds them; keys are added, never renamed.
Nothing here decides or reads the database.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from desk.book import ENTRY, STOP_LOSS, TAKE_PROFIT, Book, Order, Share, TradeRow
from desk.codes import Denial, say_unreached
from desk.plan import is_protected
from desk.record import Part, Record
from desk.sizing import place_level, plain
from parsers.alert import Alert, Level

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
_CLOSED_BY = {
    "alert": "an alert",
    "flatten": "POST /flatten",
    "venue": "another hand at the venue",
}
Told = tuple[Part, list[Order]]
"""What an alert meant on one account and instrument, with the orders that speak for it."""


def write_answer(record: Record, *, would: bool = False) -> dict[str, Any]:
    """Return the answer of an alert as it stands now; `would`: as what it would do."""
    story = record.story
    told = _leave_out_empty([(part, _spoken(record.orders_of(part))) for part in story.parts])
    lines = [line for each in told for line in _lines(*each)]
    statuses = [_part_status(*each) for each in told]
    status = next((word for word in OUTCOMES if word in statuses), "denied")
    if story.action == "flatten" and not told:
        status = "nothing_to_do"
    if story.todo:
        status = "pending"
    elif story.done:
        status = "accepted"
    denials = [denial for part, _ in told for denial in part.denials]
    wait = max((each.retry_after for each in denials if each.retry_after), default=None)
    codes = [story.denial.code if story.denial else None]
    has_closed = any(orders or part.owes for part, orders in told)
    codes += [p.code for p, _ in told if not (has_closed and p.code == NOTHING_TO_CLOSE)]
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
        "message": _say(record, told, would=would),
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
        "quantity": write_price(alert.quantity),
        "quantity_type": alert.quantity_type,
        "order_type": alert.order_type,
        "price": write_price(alert.price),
        "limit_price": write_price(alert.limit_price),
        "stop_price": write_price(alert.stop_price),
        "take_profit": _level(alert.take_profit),
        "stop_loss": _level(alert.stop_loss),
        "market_position": alert.market_position,
        "position_size": write_price(alert.position_size),
        "time_in_force": alert.time_in_force,
        "strategy": alert.strategy,
        "account": account or alert.account,
    }


def write_position(
    book: Book, share: Share, price: Decimal | None, *, is_fed: bool = False
) -> dict[str, Any]:
    """Return one share with its lots, its profit and what works for it.

    `is_fed`: live prices reach what rests here on paper.
    """
    position = share.position
    value = book.instrument.point_value
    return {
        "account": book.account,
        "symbol": share.symbol or book.instrument.symbol,
        "instrument": book.instrument.symbol,
        "strategy": share.strategy,
        "paper": book.paper,
        "quantity": plain(position.quantity),
        "average_price": plain(position.average_price) if position.quantity else None,
        "realized_pnl": plain(position.realized),
        "open_pnl": plain(position.open_profit(price, value)) if price is not None else None,
        "stop_loss": write_price(share.stop.price if share.stop else None),
        "take_profit": write_price(share.target.price if share.target else None),
        "protected": is_protected(book, share),
        "triggered_by": _name_trigger(book, share, is_fed=is_fed),
        "lots": [
            {
                "quantity": plain(lot.quantity),
                "price": plain(lot.price),
                "opened_at": iso(lot.opened_at),
            }
            for lot in position.lots
        ],
        "orders": [_working(order) for order in book.live(share.strategy)],
    }


def _name_trigger(book: Book, share: Share, *, is_fed: bool) -> str | None:
    """Return whose prices trigger the stop and target of a share; None where it has none."""
    if share.quantity == 0 or not (share.stop or share.target):
        return None
    if not book.paper:
        return "venue"
    return "live prices" if is_fed else "prices of alerts"


def write_manual(account: str, name: str, quantity: Decimal) -> dict[str, Any]:
    """Return what a venue holds beyond the shares: nobody's of ours."""
    nothing = ("average_price", "realized_pnl", "open_pnl", "stop_loss", "take_profit", "protected")
    return {
        "account": account,
        "symbol": name,
        "instrument": name,
        "strategy": "manual",
        "paper": False,
        "quantity": plain(quantity),
        **dict.fromkeys(nothing),
        "triggered_by": None,
        "lots": [],
        "orders": [],
    }


def write_trade(row: TradeRow) -> dict[str, Any]:
    """Return one closed trade."""
    trade = row.trade
    return {
        "account": row.account,
        "symbol": row.symbol or row.instrument,
        "instrument": row.instrument,
        "strategy": row.strategy,
        "paper": row.paper,
        "side": trade.side,
        "quantity": plain(trade.quantity),
        "entry_price": plain(trade.entry_price),
        "exit_price": plain(trade.exit_price),
        "fees": plain(trade.fees),
        "realized_pnl": plain(trade.realized),
        "closed_by": row.closed_by,
        "approximate": trade.approximate,
        "opened_at": iso(trade.opened_at),
        "closed_at": iso(trade.closed_at),
    }


def say_closed(row: TradeRow) -> str:
    """Return how a trade ended, with price and time."""
    trade = row.trade
    by = _CLOSED_BY.get(row.closed_by, f"the {row.closed_by.replace('_', ' ')}")
    return f"Closed by {by} at {plain(trade.exit_price)} on {iso(trade.closed_at)}."


def iso(milliseconds: int) -> str:
    """Return a time in UTC as ISO 8601 with milliseconds."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _lines(part: Part, orders: list[Order]) -> list[dict[str, Any]]:
    lines = [_order_line(part, order) for order in orders]
    return lines + [_denial_line(part, denial) for denial in part.denials]


def _leave_out_empty(told: list[Told]) -> list[Told]:
    """Leave out where a close found nothing, while it closed something else on the same account.

    E.g. `CLOSE MES1!` where only MESZ2026 is held.
    """
    busy = {(part.account, part.paper) for part, orders in told if orders or part.owes}
    return [
        (part, orders)
        for part, orders in told
        if part.code != NOTHING_TO_CLOSE
        or orders
        or part.cancels
        or part.owes
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
    fees = {coin: plain(fee) for coin, fee in order.fees.items()}
    return {
        "account": part.account,
        "paper": part.paper,
        "client_order_id": order.client_id,
        "broker_order_id": order.broker_id,
        "status": order.status,
        "side": order.side,
        "quantity": plain(order.quantity),
        "filled_quantity": plain(order.filled),
        "average_price": write_price(order.average_price),
        "take_profit": write_price(_placed(order, order.take_profit, TAKE_PROFIT, part.tick)),
        "stop_loss": write_price(_placed(order, order.stop_loss, STOP_LOSS, part.tick)),
        "fees": fees or None,
        "code": order.code if order.code != "TRIGGERED" else None,
        "message": order.message,
    }


def _denial_line(part: Part, denial: Denial) -> dict[str, Any]:
    return {
        "account": part.account,
        "paper": part.paper,
        "client_order_id": None,
        "broker_order_id": None,
        "status": "denied",
        "side": denial.side or None,
        "quantity": write_price(denial.quantity),
        "filled_quantity": "0",
        "average_price": None,
        "take_profit": None,
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
        return "pending" if part.owes or "pending" in exits else "denied"
    if orders:
        last = orders[-1]
        if part.owes and not last.is_live and last.status not in ("filled", "partly_filled"):
            return "unreached" if last.code == "UNREACHED" else "pending"
        return last.status
    if part.owes:
        return "pending"
    return "cancelled" if part.cancels and not part.code else "nothing_to_do"


def _say(record: Record, told: list[Told], *, would: bool) -> str:
    """Return what happened in plain English, one sentence an account and part."""
    story = record.story
    if story.denial:
        return story.denial.message
    if story.done:
        return story.done
    said = [f"Recorded; {story.waits_for}."] if story.todo else []
    for part, orders in told:
        said += _say_part(part, orders, would=would)
    if said and story.advice:
        said.append(story.advice)
    return " ".join(said) or story.nothing


def _say_part(part: Part, orders: list[Order], *, would: bool) -> list[str]:
    where = f"on {part.account}{' (paper)' if part.paper else ''}"
    say = _say_would if would else _say_order
    said = [say(order, part, where) for order in orders]
    said += [denial.message for denial in part.denials]
    if not orders and part.owes:
        said.append(f"An exit of {part.instrument} {where} is owed and being pursued.")
    is_sure = not part.owes and all(each.code != "ORDER_UNRESOLVED" for each in part.denials)
    if part.cancels and not orders and is_sure:  # else one of them may not exist, or have filled
        what = "1 working order" if part.cancels == 1 else f"{part.cancels} working orders"
        said.append(f"Cancelled {what} for {part.instrument} {where}.")
    if part.message and not orders and not part.owes:
        said.append(part.message)
    return said


def _say_would(order: Order, part: Part, where: str) -> str:
    what = f"{_wanted(order)} {part.instrument}"
    if order.status == "refused":
        return f"Would be refused: {what} {where}. {order.message or ''}".strip()
    level = order.limit_price if order.limit_price is not None else order.stop_price
    if order.average_price is not None:
        return f"Would {what} at {plain(order.average_price)} {where}."
    if order.status == "accepted" and not order.rests:
        return f"Would {what} {where} once a price is known: it waits for a price. Add price to the alert."
    kind = order.order_type.replace("_", "-")
    return f"Would {what}{f' {kind} {plain(level)}' if level is not None else ''} {where}."


def _wanted(order: Order) -> str:
    """Return what an order asks for, in words."""
    if order.cash is not None:
        return f"{order.side} for {plain(order.cash)}"
    return f"{order.side} {plain(order.quantity)}"


def _say_order(order: Order, part: Part, where: str) -> str:
    what = f"{part.instrument} {where}"
    verb = "Bought" if order.side == "buy" else "Sold"
    level = order.limit_price if order.limit_price is not None else order.stop_price
    kind = order.order_type.replace("_", "-")
    at = f" {kind} {plain(level)}" if level is not None else ""
    wanted = _wanted(order)
    average = plain(order.average_price) if order.average_price is not None else ""
    match order.status:
        case "filled":
            return f"{verb} {plain(order.filled)} {part.instrument} at {average} {where}."
        case "partly_filled":
            done = f"{plain(order.filled)} of {plain(order.quantity)}"
            return f"{verb} {done} {part.instrument} at {average} {where}; the rest ended."
        case "accepted" if order.rests:
            return f"Working: {wanted} {what}{at}."
        case "accepted":
            return f"Waiting for a price to {wanted} {what}: add price to the alert."
        case "pending":
            return f"On its way: {wanted} {what}{at}."
        case "unknown":
            return f"Unknown whether the order to {wanted} {what} exists; it is being looked up."
        case "unreached":
            why = say_unreached(part.account, order.message or "")
            return f"{why}. The order to {wanted} {part.instrument} is tried again."
        case "refused" | "denied":
            why = order.message or order.code or ""
            return f"{order.status.capitalize()}: {wanted} {what}. {why}".strip()
        case "absent":
            return f"The order to {wanted} {what} never reached the venue."
    return f"{order.status.capitalize()}: {wanted} {what}{at}."


def _working(order: Order) -> dict[str, Any]:
    return {
        "client_order_id": order.client_id,
        "kind": order.kind,
        "side": order.side,
        "quantity": plain(order.left),
        "order_type": order.order_type,
        "limit_price": write_price(order.limit_price),
        "stop_price": write_price(order.stop_price),
        "status": order.status,
    }


def _level(level: Level | None) -> str | dict[str, str] | None:
    if level is None:
        return None
    if level.percent is not None:
        return {"percent": plain(level.percent)}
    if level.amount is not None:
        return {"amount": plain(level.amount)}
    price = plain(level.price) if level.price is not None else ""
    if level.limit_price is not None:
        return {"price": price, "limit_price": plain(level.limit_price)}
    return price


def write_price(value: Decimal | None) -> str | None:
    """Return a number as text, or None where there is none."""
    return plain(value) if value is not None else None
