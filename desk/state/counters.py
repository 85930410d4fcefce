"""Count what limits and figures ask for as it happens: entries, closed trades, what a day has brought."""

from __future__ import annotations

from brokers.protocol import Instrument
from desk.config.settings import Settings
from desk.orders.journal import ClosedTradeRow
from desk.orders.order import ENTRY, Order
from desk.performance.figures import NOTHING, count_trade
from desk.state.counted import convert, find_account, keys_of
from desk.state.tables import (
    COUNTED_MS,
    CountedTrade,
    Key,
    Lookups,
    Opening,
    Tables,
    forget_old,
)


class Counters(Tables):
    """The desk's tables, with what is counted in them."""

    def __init__(self, settings: Settings, lookups: Lookups) -> None:
        super().__init__()
        self.settings = settings
        self._lookups = lookups
        self._trades = 0
        levels = settings.risk_levels()
        counts = ("max_orders_per_minute", "max_orders_per_day", "max_repeats")
        self.counts_orders = any(getattr(each, name) for each in levels for name in counts)

    def count_closed(self, row: ClosedTradeRow, instrument: Instrument) -> ClosedTradeRow:
        """Count a closed trade into the figures; return it with what it brought in its account's money."""
        account = find_account(self.settings, row.account)
        row = convert(row, account, instrument)
        if row.net_pnl is not None:
            for key in keys_of(row, account):
                known = self.figures.get(key) or self._lookups.find_figures(key) or NOTHING
                counted = count_trade(known, row.net_pnl, row.fees, row.trade.closed_at)
                self.put(self.figures, key, counted)
                self.batch.figures[key] = counted
        return row

    def count_opening(self, key: Key, order: Order, now: int) -> None:
        """Count an opening order towards the limits of rate, once, whatever becomes of it."""
        if order.kind != ENTRY or order.attempt != 1 or not self.counts_orders:
            return
        known = self.openings.setdefault(key[:2], {})
        if order.client_id not in known and order.created_at >= now - COUNTED_MS:
            forget_old(known, now)
            opening = Opening(order.created_at, order.strategy, key[2], order.side)
            self.put(known, order.client_id, opening)

    def count_trade(self, row: ClosedTradeRow, quote: str) -> None:
        """Count a closed trade towards the day's result, which is shown and may be limited."""
        at, result = row.trade.closed_at, row.trade.realized
        counted = CountedTrade(at, row.strategy, row.instrument, quote, result)
        self.count_result(row.account, row.paper, counted)

    def count_result(self, account: str, paper: bool, counted: CountedTrade) -> None:
        """Count what is earned or lost for good towards the same result."""
        known = self.closed.setdefault((account, paper), {})
        forget_old(known, counted.at)
        self._trades += 1
        self.put(known, self._trades, counted)
