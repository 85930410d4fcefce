"""Count what limits and figures ask for as it happens: entries, closed trades, what a day has brought."""

from __future__ import annotations

from dataclasses import fields, replace

from brokers.protocol import Instrument
from desk.config.settings import Account, Settings
from desk.decision.routing import trades_on_paper
from desk.orders.journal import ClosedTradeRow, Notice
from desk.orders.order import ENTRY, Order
from desk.performance.figures import NOTHING, count_trade
from desk.performance.judge import LIVE, PAPER, Rules, Standing, adopt, change, judge
from desk.state.counted import convert, find_account, keys_of, name_day
from desk.state.tables import (
    COUNTED_MS,
    CountedTrade,
    Key,
    Lookups,
    Opening,
    Tables,
    forget_old,
)

MINUTE_MS = 60_000
RULES = tuple(each.name for each in fields(Rules))


class Counters(Tables):
    """The desk's tables, with what is counted in them."""

    def __init__(self, settings: Settings, lookups: Lookups) -> None:
        super().__init__()
        self.settings = settings
        self._lookups = lookups
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
            self._judge(row, account)
        return row

    def rules_of(self, strategy: str) -> Rules | None:
        """Return what a strategy is judged by; None where it is not."""
        found = self.settings.performance_of(strategy)
        return Rules(**{n: getattr(found, n) for n in RULES}) if found else None

    def mode_of(self, strategy: str) -> str:
        """Return whether a strategy's entries go to its account or to the paper twin of that."""
        standing = self.standings.get(strategy)
        return standing.mode if standing else LIVE

    def opens_on_paper(self, strategy: str, account: str) -> bool:
        """Whether what a strategy opens on an account is simulated: by config.yaml, or by its mode."""
        is_demoted = self.mode_of(strategy) == PAPER
        return is_demoted or trades_on_paper(self.settings, strategy, account)

    def adopt_rules(self, strategy: str, now: int) -> None:
        """Note since when each rule of a strategy counts, where one was added, changed or removed."""
        rules = self.rules_of(strategy)
        known = self.standings.get(strategy)
        if rules is None and (known is None or not known.rules):
            return
        before = known or Standing()
        after = adopt(before, rules, now) if rules else replace(before, rules={}, since_rule={})
        if after != before:
            self._keep_standing(strategy, after)

    def _keep_standing(self, strategy: str, standing: Standing) -> None:
        self.put(self.standings, strategy, standing)
        self.batch.standings[strategy] = standing

    def _judge(self, row: ClosedTradeRow, account: Account) -> None:
        """Judge a strategy by a trade that it has closed, if that is of the mode it trades in (15.3)."""
        strategy, now = row.strategy, row.trade.closed_at
        rules, settings = self.rules_of(strategy), self.settings.performance_of(strategy)
        if rules is None or settings is None or row.net_pnl is None:
            return
        self.adopt_rules(strategy, row.trade.opened_at)
        standing = self.standings[strategy]
        is_on_paper = row.account not in self.settings.accounts or self.opens_on_paper(
            strategy, row.account
        )
        if row.paper is not is_on_paper or row.trade.opened_at < standing.since:
            return
        if standing.mode == PAPER and row.trade.approximate:
            return  # rules 12.6: judged without a price feed, it speaks for nothing
        day = name_day(account, now)
        returns = settings.promote == "auto"
        counted, verdict = judge(standing, rules, row.net_pnl, day, returns=returns)
        self._keep_standing(strategy, counted)
        if verdict is None:
            return
        if verdict.is_offer:
            text = (
                f"{strategy} may return: {verdict.text}. POST /strategies/{strategy}/mode does it."
            )
            self.notify("promotion", f"promotion: {text}", now)
        else:
            self.change_mode(strategy, verdict.mode, verdict.text, now)

    def change_mode(self, strategy: str, mode: str, reason: str, now: int) -> None:
        """Let a strategy's entries go elsewhere from now on; told once, with the reason."""
        before = self.standings.get(strategy) or Standing()
        self._keep_standing(strategy, change(before, mode, reason, now))
        self.put(self.mode_changes, strategy, before.mode)
        event = "demotion" if mode == PAPER else "promotion"
        where = "on paper" if mode == PAPER else "on its own account"
        text = f"{event}: {strategy} opens {where} from now on, because {reason}."
        self.notify(event, f"{text} What it holds is closed where it was opened.", now)

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
        """Count what is earned or lost for good towards the same result.

        A day begins with a minute, so what belongs together within one is one sum: a strategy that trades all
        day takes no more memory than its minutes.
        """
        known = self.closed.setdefault((account, paper), {})
        forget_old(known, counted.at)
        key = (counted.at // MINUTE_MS, counted.strategy, counted.instrument, counted.quote)
        before = known.get(key)
        if before is not None:
            counted = replace(before, result=before.result + counted.result)
        self.put(known, key, counted)

    def notify(self, event: str, message: str, now: int, alert_id: str | None = None) -> None:
        """Note something the user must hear of."""
        self.batch.notices.append((now, Notice(event, message, alert_id)))

    def notify_if_asked(self, event: str, message: str, now: int) -> None:
        """Note what is worth a line only where somebody is to be told of anything."""
        if self.settings.notify:
            self.notify(event, message, now)
