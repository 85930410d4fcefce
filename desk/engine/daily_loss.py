"""Watch the day's loss: tell once when a limit is crossed, whatever crosses it, and close where asked to.

A limit denies what opens by itself (desk/decision/risk.py). Here a price, a fill or a fee is enough; nobody
has to send an alert. All is told from the state, so that a crash in between changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from desk.config.trading_day import start_of_day
from desk.decision.denial import Denial
from desk.engine.commands import Wanted, flatten
from desk.engine.context import EngineContext
from desk.engine.exposure import find_day_result
from desk.formats import write_number
from desk.orders.order import ENTRY
from desk.orders.position_book import PositionBook

EVENT = "daily_loss"
SEEN = 200
"""How many of the last events are read at a start, to know what was told already."""


@dataclass(frozen=True, slots=True)
class Watched:
    """One limit on the loss of a day."""

    account: str
    strategy: str | None
    """None: the whole account."""
    limit: Decimal
    closes: bool

    def say(self, result: Decimal, currency: str, *, paper: bool) -> str:
        """Return in words that it is crossed."""
        what = (
            "what is held is closed" if self.closes else "nothing is opened until the day is over"
        )
        return (
            f"{self.name(paper=paper)} has lost {write_number(-result)} {currency} since its day began; "
            f"max_daily_loss is {write_number(self.limit)}: {what}."
        )

    def name(self, *, paper: bool) -> str:
        """Return whose loss it is."""
        where = f"{self.account}{' (paper)' if paper else ''}"
        return f"{self.strategy} on {where}" if self.strategy else where


class LossWatch:
    """Know the limits on a day's loss, and what was told of them. Belongs to the desk thread."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._limits = tuple(_list_limits(context))
        self._told: dict[tuple[str, bool, str | None], int] | None = None

    @property
    def is_needed(self) -> bool:
        """Whether any limit is set."""
        return bool(self._limits)

    def look(self, now: int) -> None:
        """Tell of each limit that is crossed, and close what it counts where that is asked for."""
        for each in self._limits:
            for paper in (False, True):
                if self._is_alive(each, paper):
                    self._judge(each, paper, now)

    def _is_alive(self, each: Watched, paper: bool) -> bool:
        """Whether anything on that side of an account can have lost something."""
        state = self._context.state
        place = (each.account, paper)
        return bool(state.open_books(each.account, paper)) or bool(state.closed.get(place))

    def _judge(self, each: Watched, paper: bool, now: int) -> None:
        result = find_day_result(self._context, each.account, paper, each.strategy, now)
        if isinstance(result, Denial) or -result < each.limit:
            return
        settings = self._context.state.settings.accounts[each.account]
        day = start_of_day(settings.day_start, now)
        key = (each.account, paper, each.strategy)
        if self._read_told(now).get(key) != day:
            self._read_told(now)[key] = day
            said = each.say(result, settings.currency, paper=paper)
            self._context.state.notify(EVENT, said, now)
        books = [b for b in _books_of(self._context, each, paper) if _is_open(b, each.strategy)]
        if each.closes and books:
            flatten(self._context, Wanted(account=each.account, strategy=each.strategy), now, books)

    def _read_told(self, now: int) -> dict[tuple[str, bool, str | None], int]:
        """Return on which day each limit was told last; after a start by what was recorded of it."""
        if self._told is None:
            self._told = {}
            with self._context.store.reader() as reader:
                events = [e for e in reader.load_events(SEEN) if e["event"] == EVENT]
            for each in self._limits:
                settings = self._context.state.settings.accounts[each.account]
                day = start_of_day(settings.day_start, now)
                for paper in (False, True):
                    begins = f"{each.name(paper=paper)} has lost "
                    if any(e["at"] >= day and e["message"].startswith(begins) for e in events):
                        self._told[each.account, paper, each.strategy] = day
        return self._told


def _list_limits(context: EngineContext) -> Iterator[Watched]:
    """Yield every limit that is set: of accounts, the top level included, and of strategies."""
    settings = context.state.settings
    for name, account in settings.accounts.items():
        both = (account.risk, settings.risk)
        found = [each.max_daily_loss for each in both if each.max_daily_loss is not None]
        if found:
            how = account.risk.on_daily_loss or settings.risk.on_daily_loss
            yield Watched(name, None, min(found), how == "flatten")
    for name, strategy in settings.strategies.items():
        own = strategy.risk
        if own.max_daily_loss is not None:
            closes = (own.on_daily_loss or settings.risk.on_daily_loss) == "flatten"
            for where in strategy.accounts:
                yield Watched(where, name, own.max_daily_loss, closes)


def _books_of(context: EngineContext, each: Watched, paper: bool) -> list[PositionBook]:
    return context.state.open_books(each.account, paper)


def _is_open(book: PositionBook, strategy: str | None) -> bool:
    """Whether something is held or worked that does not end already."""
    held = any(
        strategy in (None, name) and position.quantity and position.reduce_to != 0
        for name, position in book.positions.items()
    )
    return held or any(not order.end_status for order in book.open_orders(strategy, ENTRY))
