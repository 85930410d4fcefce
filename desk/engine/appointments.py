"""Keep what the clock asks for: flat at a set time, the day's loss, and told before a contract ends.

Both are told from the state alone, so that a crash at that very minute changes nothing: what was opened
before the last `flatten_at` and is still there is closed, whenever this is looked at. Nothing is denied.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from desk.config.settings import Settings
from desk.config.trading_day import end_of_day, start_of_day
from desk.decision.routing import strategy_settings
from desk.engine.commands import Wanted, flatten
from desk.engine.context import EngineContext
from desk.engine.daily_loss import LossWatch
from desk.formats import write_number
from desk.orders.order import ENTRY
from desk.orders.position_book import PositionBook
from desk.orders.strategy_position import StrategyPosition
from desk.state.tables import Key

LOOK_EVERY_MS = 3_600_000
"""How often contracts are looked at that come to an end: by the day would do."""


WATCH_EVERY_MS = 1_000
"""How often losses, and what is held too long, are looked at."""


class Appointments:
    """Know when the clock next asks for something."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        settings = context.state.settings
        blocks = [*settings.accounts.values(), *settings.strategies.values()]
        self._times = {each.flat_from for each in blocks if each.flat_from is not None}
        self._losses = LossWatch(context)
        spans = {name: each.holding_ms for name, each in settings.strategies.items()}
        self._spans = {name: span for name, span in spans.items() if span is not None}
        self._watches = self._losses.is_needed or bool(self._spans)
        self._at = self._watch_at = 0
        self._is_time = False
        self._told: dict[Key, str] = {}
        """On which day each contract's end was told last."""

    def next_at(self) -> int:
        """Return when something is to be looked at."""
        return min(self._at, self._watch_at) if self._watches else self._at

    def is_due(self, now: int) -> bool:
        """Whether the moment has come; the next one is then set."""
        must_watch = self._watches and now >= self._watch_at
        if must_watch:
            self._watch_at = now + WATCH_EVERY_MS
        self._is_time = now >= self._at
        if not self._is_time:
            return must_watch
        self._at = min([now + LOOK_EVERY_MS, *(end_of_day(each, now) for each in self._times)])
        return True

    def shift(self, step: int) -> None:
        """Move along with a clock that was set; what it skipped is looked at."""
        self._at = min(self._at, self._at + step)
        self._watch_at = min(self._watch_at, self._watch_at + step)

    def keep(self, now: int) -> None:
        """Close what should be flat by now or has lost too much, and tell of contracts that end."""
        self._losses.look(now)
        if self._spans:
            close_old(self._context, self._spans, now)
        if not self._is_time:
            return
        if self._times:
            flatten_late(self._context, now)
        for book in self._context.state.open_books():
            self._tell_of_end(book, now)

    def _tell_of_end(self, book: PositionBook, now: int) -> None:
        """Tell once a day of a contract that is held although it should be left."""
        found, today = book.instrument, datetime.fromtimestamp(now / 1000, UTC).date()
        if found.roll_day is None or today < found.roll_day:
            return
        key = (book.account, book.paper, found.symbol)
        held = [each for each in book.positions.values() if each.quantity]
        if not held or self._told.get(key) == str(today):
            return
        self._told[key] = str(today)
        for position in held:
            is_over = found.last_day is not None and today > found.last_day
            text = say_end(book, position, is_over=is_over)
            self._context.state.notify("expiry_near", text, now)


def say_end(book: PositionBook, position: StrategyPosition, *, is_over: bool) -> str:
    """Return in words whose contract ends, when, and what to do."""
    found = book.instrument
    where = f"{book.account}{' (paper)' if book.paper else ''}"
    when = "was" if is_over else "is"
    return (
        f"{position.strategy} holds {write_number(position.quantity)} {found.symbol} on {where}: its last "
        f"trading day {when} {found.last_day}, and it should have been left by {found.roll_day}. Close it; "
        f"the next alert for {found.root}1! opens the next month."
    )


def flatten_late(context: EngineContext, now: int) -> None:
    """Close what was opened before the last moment at which its account or strategy wants to be flat."""
    late: dict[tuple[str, str], list[PositionBook]] = {}
    for book in context.state.open_books():
        for strategy in _list_late(context.state.settings, book, now):
            late.setdefault((book.account, strategy), []).append(book)
    for (account, strategy), books in late.items():
        flatten(context, Wanted(account=account, strategy=strategy), now, books)


def close_old(context: EngineContext, spans: Mapping[str, int], now: int) -> None:
    """Close what a strategy has held for longer than its `max_holding`; what it then opens begins anew."""
    for strategy, span in spans.items():
        old = [
            book
            for book in context.state.open_books()
            if (position := book.positions.get(strategy)) is not None
            and position.quantity
            and position.reduce_to != 0
            and position.ledger.opened_at <= now - span
        ]
        for account in dict.fromkeys(book.account for book in old):
            its = [book for book in old if book.account == account]
            flatten(context, Wanted(account=account, strategy=strategy), now, its, "time")


def _list_late(settings: Settings, book: PositionBook, now: int) -> Iterator[str]:
    """Yield the strategies that hold or work something in a book for too long."""
    account = settings.accounts.get(book.account)
    names = dict.fromkeys(
        [*book.positions, *(order.strategy for order in book.open_orders(None, ENTRY))]
    )
    for name in names:
        both = (account.flat_from if account else None, strategy_settings(settings, name).flat_from)
        begins = [start_of_day(each, now) for each in both if each is not None]
        if begins and _is_older(book, name, max(begins)):
            yield name


def _is_older(book: PositionBook, strategy: str, moment: int) -> bool:
    """Whether something is held or worked since before a moment, and its end is not yet wished for."""
    position = book.position(strategy)
    oldest = next(iter(position.ledger.lots), None)
    if oldest is not None and oldest.opened_at < moment and position.reduce_to != 0:
        return True
    return any(
        order.created_at < moment and not order.end_status
        for order in book.open_orders(strategy, ENTRY)
    )
