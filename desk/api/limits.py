"""Show an account's limits and how much of each is used now. Nothing is judged here.

The limits are those of the account itself and of the top level, the tighter of the two. What a strategy's own
limits leave is not shown, and nothing is said of what cannot be told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from desk.config.settings import Settings
from desk.decision.denial import Denial
from desk.decision.risk import count_contracts, count_held, find_unit_value, find_worth
from desk.engine.exposure import MINUTE_MS
from desk.formats import write_number
from desk.orders.order import ENTRY
from desk.orders.position_book import PositionBook
from desk.state.tables import Opening

Valued = Iterable[tuple[PositionBook, Decimal | None]]
"""The books of an account with the price at which each is valued, where that is known."""
LIMITS = (
    *("max_notional", "max_position", "max_daily_loss", "max_quantity", "max_contracts"),
    *("max_exposure", "max_orders_per_minute", "max_orders_per_day", "max_repeats"),
)
"""The limits that are a number which one order or the account must not pass."""


def list_limits(
    settings: Settings,
    account: str,
    openings: Mapping[str, Opening],
    valued: Valued,
    today: Mapping[str, str] | None,
    day: int,
    now: int,
) -> list[dict[str, Any]]:
    """Return a row a limit that is set: its name, the limit, and what of it is used, or None.

    `today`: the day's result by coin, as it is shown; `day` is when the account's day began, in ms.
    """
    own, everywhere = settings.accounts[account].risk, settings.risk
    used = _count_sent(openings, day, now) | _sum_up(settings, account, [*valued], today)
    found: list[dict[str, Any]] = []
    for name in LIMITS:
        both = [
            each for each in (getattr(own, name), getattr(everywhere, name)) if each is not None
        ]
        if both:
            limit = write_number(Decimal(min(both)))
            found.append({"name": name, "limit": limit, "used": used.get(name)})
    return found


def _count_sent(openings: Mapping[str, Opening], day: int, now: int) -> dict[str, str]:
    sent = [each.at for each in list(openings.values())]
    return {
        "max_orders_per_minute": str(sum(at > now - MINUTE_MS for at in sent)),
        "max_orders_per_day": str(sum(at >= day for at in sent)),
    }


def _sum_up(
    settings: Settings, name: str, valued: Valued, today: Mapping[str, str] | None
) -> dict[str, str]:
    """Return what the day has lost and what is open, in the account's currency, as far as it can be told."""
    account = settings.accounts[name]
    used: dict[str, str] = {}
    books = [*valued]
    is_one = account.stablecoins_are_dollars or all(book.paper for book, _ in books)
    worth = find_worth(account.currency, dollars_are_one=is_one)
    if today is not None and set(today) <= worth:
        lost = -sum(map(Decimal, today.values()), Decimal(0))
        used["max_daily_loss"] = write_number(max(lost, Decimal(0)))
    contracts = exposure = Decimal(0)
    is_known = True
    for book, price in books:
        held = count_held(book, None, "")
        level = price or _find_level(book)
        unit = find_unit_value(book.instrument, level, account.currency, worth)
        contracts += count_contracts(book.instrument, held)
        if isinstance(unit, Denial):
            is_known = is_known and not held
        else:
            exposure += held * unit
    used["max_contracts"] = write_number(contracts)
    return used | ({"max_exposure": write_number(exposure)} if is_known else {})


def _find_level(book: PositionBook) -> Decimal | None:
    """Return the price at which the working entries of a book count: the highest that one of them names."""
    levels = [order.limit_price or order.stop_price for order in book.open_orders(None, ENTRY)]
    return max((each for each in levels if each is not None), default=None)
