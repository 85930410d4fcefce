"""Cut an order that turns a position round: close what is held, and open on the other side where that may be.

Pure; an order that says by its own quantity what it takes is cut in `split`.
"""

from __future__ import annotations

from decimal import Decimal

from desk.decision.context import DecisionContext, OrderSplit
from desk.decision.denial import Denial
from desk.formats import write_number
from desk.orders.evolve import evolve
from desk.orders.position_book import PositionBook
from parsers.alert import Alert

ZERO = Decimal(0)


def turn_round(
    alert: Alert, held: Decimal, book: PositionBook, context: DecisionContext
) -> OrderSplit:
    """Close what is held and open as much, or the alert's own quantity, on the other side.

    Where that cannot be it only closes; what lies on the side that the alert states stays as it is.
    """
    if held == 0 or alert.market_position == ("long" if held > 0 else "short"):
        return OrderSplit("", held=held)
    side = "sell" if held > 0 else "buy"
    opens = abs(held) if alert.quantity is None else alert.quantity * context.multiplier
    opens = ZERO if alert.market_position == "flat" else opens
    turned = OrderSplit(side, abs(held), opens, None, held, opens)
    allowed = find_direction(book, context)
    if allowed in ("long" if side == "buy" else "short", "both"):
        return turned
    return evolve(turned, opens=ZERO, note=say_direction(allowed, book, context))


def turn_by_money(
    alert: Alert, split: OrderSplit, book: PositionBook, context: DecisionContext
) -> OrderSplit:
    """Cut an order that says by money how much to open, and meets a position of the other side.

    It takes that whole position only where the alert states the new side; else nobody knows how much of it.
    """
    if alert.market_position == ("long" if split.side == "buy" else "short"):
        asked = None if split.size.units is None else split.size.units * context.multiplier
        turned = evolve(split, reduces=abs(split.held), opens=asked, asked=asked)
        allowed = find_direction(book, context)
        if allowed in (alert.market_position, "both"):
            return turned
        return evolve(turned, opens=ZERO, note=say_direction(allowed, book, context))
    text = (
        f"{alert.quantity_type} says how much to open, and {context.strategy} holds "
        f"{write_number(split.held)} {book.instrument.symbol}, the other side: add market_position to turn "
        "it round, or close it first."
    )
    return evolve(split, denial=Denial("UNSUPPORTED", text, split.side))


def find_direction(book: PositionBook, context: DecisionContext) -> str:
    """Return which way a strategy may open in a book: long, short or both."""
    return (context.direction or "both") if _may_short(book, context) else "long"


def _may_short(book: PositionBook, context: DecisionContext) -> bool:
    """Whether a position below zero is possible: never on spot, on equities where the account says so."""
    return book.instrument.may_short or (context.shorts and book.instrument.kind == "equity")


def say_direction(allowed: str, book: PositionBook, context: DecisionContext) -> str:
    """Say why nothing is opened below zero, and which setting or symbol would change that."""
    found = book.instrument
    if _may_short(book, context):
        return f"strategies.{context.strategy}.direction is {allowed}"
    hint = ""
    if found.kind == "equity":
        hint = "; a paper account with shorts: true sells equities short"
    elif found.base != found.symbol:
        hint = f"; a short needs the perpetual {found.symbol}.P"
    return f"{found.symbol} is {found.kind}, where {context.strategy} can only be long{hint}"
