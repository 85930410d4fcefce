"""Answer what the page shows first, in one piece: what is wrong, what it is worth, what is held, what came.

Nothing here changes anything, and nothing is remembered from one time to the next.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from desk.api.accounts import show_accounts
from desk.api.limits import list_limits
from desk.api.pages import list_open, show_history, write_positions
from desk.config.trading_day import start_of_day
from desk.engine.loop import Desk
from desk.engine.market import value_price
from desk.formats import iso, to_json, write_number, write_optional
from desk.orders.position_book import PositionBook

ALERTS_SHOWN = 20
ZERO = Decimal(0)
FORMER = "bare_shares"
"""The former name of `unprotected_positions`, which has the same rows."""
SENTENCES = {
    "unknown_orders": "{symbol} on {account}: nobody knows whether order {client_order_id} exists. "
    "The venue is asked again; look there before you trade by hand.",
    "owed_exits": "{symbol} on {account}: an exit of {strategy} is still to be carried out. "
    "It is tried until it is done.",
    "unprotected_positions": "{symbol} on {account}: the position of {strategy} has not all the protection "
    "that was asked for.",
    "halted": "Halted ({scope}): {reason}. Nothing is opened until you resume; exits go on.",
    "silent_accounts": "{account} does not answer: {reason}.",
    "blocked": "{symbol} on {account} opens nothing: {reason}.",
    "expiry_near": "{symbol} on {account}: the contract that {strategy} holds ends on {last_day}.",
    "failing_channels": "{channel} gets no messages: {reason}. They are kept and sent later.",
    "not_recording": "Nothing can be recorded, so no alert is taken: {reason}.",
}
"""What is said of each thing that is wrong, by its name in `open` of /status."""


def write_first_screen(desk: Desk, version: str) -> str:
    """Return all of it as JSON."""
    shape = {
        "mode": "live" if desk.settings.live_accounts else "paper",
        "version": version,
        "accounts": write_worth(desk),
        "problems": list_problems(desk),
        "halted": [*desk.state.shown.halts],
        "positions": write_positions(desk),
        "strategies": [*dict.fromkeys([*desk.settings.strategies, *desk.state.shown.strategies])],
    }
    alerts = show_history(desk, {}, ALERTS_SHOWN)
    return f"{to_json(shape)[:-1]},{alerts[1:]}"


def list_problems(desk: Desk) -> list[dict[str, Any]]:
    """Return what is wrong now, each as a sentence with its kind and since when."""
    return [
        {
            "kind": kind,
            "account": each.get("account"),
            "since": each["since"],
            "text": say_problem(kind, each),
        }
        for kind, found in list_open(desk).items()
        if kind != FORMER
        for each in found
    ]


def say_problem(kind: str, problem: dict[str, Any]) -> str:
    """Return a thing that is wrong as a sentence; one without a sentence of its own is not kept back."""
    if kind in SENTENCES:
        return SENTENCES[kind].format_map(problem)
    said = ", ".join(f"{name} {value}" for name, value in problem.items() if name != "since")
    return f"{kind.replace('_', ' ').capitalize()}: {said}."


def write_worth(desk: Desk) -> list[dict[str, Any]]:
    """Return the accounts with what each is worth and what its day has brought."""
    rows = show_accounts(desk.settings, desk.state.shown)
    now = desk.clock()
    for row in rows:
        name, paper = row["account"], row["mode"] == "paper"
        books = [book for book in desk.state.shown.open_books(name) if book.paper == paper]
        valued = [(book, _value(desk, book, now)) for book in books]
        day = start_of_day(desk.settings.accounts[name].day_start, now)
        row.setdefault("equity", write_optional(_find_equity(desk, row, valued)))
        row["today"] = _sum_up_day(desk, name, day, valued, paper=paper)
        row["day_began_at"] = iso(day)
        openings = desk.state.openings.get((name, paper), {})
        row["limits"] = list_limits(desk.settings, name, openings, valued, row["today"], day, now)
        row["open_positions"] = sum(1 for book in books if book.totals.size)
    return rows


def _value(desk: Desk, book: PositionBook, now: int) -> Decimal | None:
    """Return the price at which a book's positions are valued, or None."""
    held = [each for each in book.positions.values() if each.quantity]
    return value_price(desk.context, book, held, now, desk.state.shown) if held else ZERO


def _find_equity(
    desk: Desk, row: dict[str, Any], valued: list[tuple[PositionBook, Decimal | None]]
) -> Decimal | None:
    """Return what an account would be worth if all were closed now; None where that is not known."""
    if row["mode"] != "paper":
        worth = desk.state.equities.get(row["account"])
        return worth.last if worth else None
    total = Decimal(row["paper_cash"])
    for book, price in valued:
        if price is None:
            return None
        for position in book.positions.values():
            if book.instrument.kind in ("spot", "equity"):
                total += position.quantity * price * book.instrument.point_value
            else:
                total += position.ledger.open_profit(price, book.instrument.point_value)
    return total


def _sum_up_day(
    desk: Desk,
    account: str,
    day: int,
    valued: list[tuple[PositionBook, Decimal | None]],
    *,
    paper: bool,
) -> dict[str, str] | None:
    """Return the day's profit by coin: closed trades, and all that is open; None where it has no price."""
    sums: dict[str, Decimal] = {}
    for trade in list(desk.state.closed.get((account, paper), {}).values()):
        if trade.at >= day:
            sums[trade.quote] = sums.get(trade.quote, ZERO) + trade.result
    for book, price in valued:
        for position in book.positions.values():
            if price is None:
                return None
            if position.quantity:
                ledger, coin = position.ledger, book.instrument.quote
                result = ledger.realized + ledger.open_profit(price, book.instrument.point_value)
                sums[coin] = sums.get(coin, ZERO) + result
    return {coin: write_number(amount) for coin, amount in sums.items()}
