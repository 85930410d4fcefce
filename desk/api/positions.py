"""Show what is held, what was closed, and what a venue holds beyond it. Nothing here decides."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from desk.formats import iso, write_number, write_optional
from desk.orders.journal import ClosedTradeRow
from desk.orders.legs import is_protected
from desk.orders.order import Order
from desk.orders.position_book import PositionBook
from desk.orders.rounding import floor_to
from desk.orders.strategy_position import StrategyPosition
from desk.orders.targets import divide


def write_position(
    book: PositionBook, position: StrategyPosition, price: Decimal | None, *, is_fed: bool = False
) -> dict[str, Any]:
    """Return one position with its lots, its profit and what works for it.

    `is_fed`: live prices reach what rests here on paper.
    """
    ledger = position.ledger
    value = book.instrument.point_value
    return {
        "account": book.account,
        "symbol": position.symbol or book.instrument.symbol,
        "instrument": book.instrument.symbol,
        "strategy": position.strategy,
        "paper": book.paper,
        "quantity": write_number(ledger.quantity),
        "average_price": write_number(ledger.average_price) if ledger.quantity else None,
        "realized_pnl": write_number(ledger.realized),
        "open_pnl": write_number(ledger.open_profit(price, value)) if price is not None else None,
        "stop_loss": write_optional(position.stop_loss.price if position.stop_loss else None),
        "take_profit": write_optional(_next_target(position)),
        "take_profits": _targets(book, position),
        "move_stop": position.move_stop,
        "protected": is_protected(book, position),
        "roll_day": _day(book.instrument.roll_day),
        "last_day": _day(book.instrument.last_day),
        "triggered_by": _name_trigger(book, position, is_fed=is_fed),
        "lots": [
            {
                "quantity": write_number(lot.quantity),
                "price": write_number(lot.price),
                "opened_at": iso(lot.opened_at),
            }
            for lot in ledger.lots
        ],
        "orders": [_working(order) for order in book.open_orders(position.strategy)],
    }


def _next_target(position: StrategyPosition) -> Decimal | None:
    """Return the price of the target that is to be reached next; None where there is none."""
    if position.take_profit is not None:
        return position.take_profit.price
    return next((each.price for each in position.targets if not each.is_done), None)


def _targets(book: PositionBook, position: StrategyPosition) -> list[dict[str, Any]] | None:
    """Return several targets with what each still takes; None where there are not several."""
    if not position.targets:
        return None
    held = floor_to(abs(position.quantity), book.instrument.step)
    parts = divide(position, held, book.instrument)
    return [
        {
            "price": write_number(each.price),
            "quantity": write_number(parts[each.part][0]) if each.part in parts else "0",
            "done": each.is_done,
        }
        for each in position.targets
    ]


def _day(day: date | None) -> str | None:
    """Return a day of a contract's calendar; None where it has none."""
    return None if day is None else day.isoformat()


def _name_trigger(book: PositionBook, position: StrategyPosition, *, is_fed: bool) -> str | None:
    """Return whose prices trigger the stop and target of a position; None where it has none."""
    if position.quantity == 0 or not position.is_guarded:
        return None
    if not book.paper:
        return "venue"
    return "live prices" if is_fed else "prices of alerts"


def write_manual(account: str, name: str, quantity: Decimal) -> dict[str, Any]:
    """Return what a venue holds beyond the positions: nobody's of ours."""
    nothing = ("average_price", "realized_pnl", "open_pnl", "stop_loss", "take_profit")
    targets = ("take_profits", "move_stop", "protected")
    days = ("roll_day", "last_day")
    return {
        "account": account,
        "symbol": name,
        "instrument": name,
        "strategy": "manual",
        "paper": False,
        "quantity": write_number(quantity),
        **dict.fromkeys((*nothing, *targets, *days)),
        "triggered_by": None,
        "lots": [],
        "orders": [],
    }


def write_trade(row: ClosedTradeRow) -> dict[str, Any]:
    """Return one closed trade."""
    trade = row.trade
    return {
        "account": row.account,
        "symbol": row.symbol or row.instrument,
        "instrument": row.instrument,
        "strategy": row.strategy,
        "paper": row.paper,
        "side": trade.side,
        "quantity": write_number(trade.quantity),
        "entry_price": write_number(trade.entry_price),
        "exit_price": write_number(trade.exit_price),
        "fees": write_number(trade.fees),
        "funding": write_number(trade.funding),
        "realized_pnl": write_number(trade.realized),
        "closed_by": row.closed_by,
        "approximate": trade.approximate,
        "opened_at": iso(trade.opened_at),
        "closed_at": iso(trade.closed_at),
    }


def _working(order: Order) -> dict[str, Any]:
    return {
        "client_order_id": order.client_id,
        "kind": order.kind,
        "side": order.side,
        "quantity": write_number(order.leaves_quantity),
        "order_type": order.order_type,
        "limit_price": write_optional(order.limit_price),
        "stop_price": write_optional(order.stop_price),
        "status": order.status,
    }
