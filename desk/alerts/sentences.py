"""Say in plain English what became of an alert, one sentence an account and part."""

from __future__ import annotations

from desk.alerts.record import Part, Record
from desk.formats import write_number
from desk.orders.journal import say_unreached
from desk.orders.order import Order

AccountOutcome = tuple[Part, list[Order]]
"""What an alert meant on one account and instrument, with the orders that speak for it."""


def describe_outcomes(record: Record, outcomes: list[AccountOutcome], *, would: bool) -> str:
    """Return what happened in plain English, one sentence an account and part."""
    story = record.story
    if story.denial:
        return story.denial.message
    if story.done:
        return story.done
    said = [f"Recorded; {story.waits_for}."] if story.todo else []
    for part, orders in outcomes:
        said += _say_part(part, orders, would=would)
    if said and story.advice:
        said.append(story.advice)
    return " ".join(said) or story.nothing


def _say_part(part: Part, orders: list[Order], *, would: bool) -> list[str]:
    where = f"on {part.account}{' (paper)' if part.paper else ''}"
    say = _say_would if would else _say_order
    said = [say(order, part, where) for order in orders]
    said += [denial.message for denial in part.denials]
    if not orders and part.has_pending_exit:
        said.append(f"An exit of {part.instrument} {where} is owed and being pursued.")
    is_sure = not part.has_pending_exit and all(
        each.code != "ORDER_UNRESOLVED" for each in part.denials
    )
    if part.cancels and not orders and is_sure:  # else one of them may not exist, or have filled
        what = "1 working order" if part.cancels == 1 else f"{part.cancels} working orders"
        said.append(f"Cancelled {what} for {part.instrument} {where}.")
    if part.message and not orders and not part.has_pending_exit:
        said.append(part.message)
    return said


def _say_would(order: Order, part: Part, where: str) -> str:
    what = f"{_wanted(order)} {part.instrument}"
    if order.status == "refused":
        return f"Would be refused: {what} {where}. {order.message or ''}".strip()
    level = order.limit_price if order.limit_price is not None else order.stop_price
    if order.average_price is not None:
        return f"Would {what} at {write_number(order.average_price)} {where}."
    if order.status == "accepted" and not order.is_resting:
        return f"Would {what} {where} once a price is known: it waits for a price. Add price to the alert."
    kind = order.order_type.replace("_", "-")
    return f"Would {what}{f' {kind} {write_number(level)}' if level is not None else ''} {where}."


def _wanted(order: Order) -> str:
    """Return what an order asks for, in words."""
    if order.quote_quantity is not None:
        return f"{order.side} for {write_number(order.quote_quantity)}"
    return f"{order.side} {write_number(order.quantity)}"


def _say_order(order: Order, part: Part, where: str) -> str:
    what = f"{part.instrument} {where}"
    verb = "Bought" if order.side == "buy" else "Sold"
    level = order.limit_price if order.limit_price is not None else order.stop_price
    kind = order.order_type.replace("_", "-")
    at = f" {kind} {write_number(level)}" if level is not None else ""
    wanted = _wanted(order)
    average = write_number(order.average_price) if order.average_price is not None else ""
    match order.status:
        case "filled":
            return f"{verb} {write_number(order.filled)} {part.instrument} at {average} {where}."
        case "partly_filled":
            done = f"{write_number(order.filled)} of {write_number(order.quantity)}"
            return f"{verb} {done} {part.instrument} at {average} {where}; the rest ended."
        case "accepted" if order.is_resting:
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
