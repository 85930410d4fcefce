"""Count each closed trade once into the figures that are kept, in the currency of its account.

Two rows grow with a trade: the strategy's own, and that of account, instrument and day. What is not in memory
is asked of the store; so a start reads none of them, and no page adds trades up.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from brokers.protocol import Instrument
from desk.config.settings import Account, Settings
from desk.config.trading_day import start_of_day
from desk.decision.risk import DOLLARS, find_worth
from desk.orders.journal import ClosedTradeRow

UNKNOWN = Account()
"""What holds for an account that is configured no more."""


class FiguresKey(NamedTuple):
    """What figures are of: all trades of a strategy, or those of one account, instrument and day."""

    strategy: str
    paper: bool
    currency: str
    account: str = ""
    instrument: str = ""
    day: str = ""


def find_account(settings: Settings, name: str) -> Account:
    """Return an account's settings; the defaults for one that is configured no more."""
    return settings.accounts.get(name, UNKNOWN)


def counts_dollars_alike(account: Account, *, paper: bool) -> bool:
    """Whether the kinds of dollar are one currency on an account: on paper always (rules 12.3, 15.5)."""
    return paper or account.stablecoins_are_dollars


def name_currency(account: Account, *, paper: bool) -> str:
    """Return the currency under which an account's results are added up."""
    is_dollar = account.currency in DOLLARS and counts_dollars_alike(account, paper=paper)
    return "USD" if is_dollar else account.currency


def worth_of(account: Account, *, paper: bool) -> frozenset[str]:
    """Return the currencies of which one is worth one of the account's."""
    alike = counts_dollars_alike(account, paper=paper)
    return find_worth(account.currency, dollars_are_one=alike)


def in_base(account: Account, instrument: Instrument, *, paper: bool) -> bool:
    """Whether an account counts in what is traded and not in what that is paid with: USDJPY in dollars."""
    worth = worth_of(account, paper=paper)
    return instrument.quote not in worth and instrument.base in worth


def name_day(account: Account, at: int) -> str:
    """Return the account's day in which a moment lies, by the date on which that day begins."""
    start = start_of_day(account.day_start, at)
    return (
        datetime.fromtimestamp(start / 1000, UTC)
        .astimezone(account.day_start[1])
        .date()
        .isoformat()
    )


def convert(row: ClosedTradeRow, account: Account, instrument: Instrument) -> ClosedTradeRow:
    """Return a closed trade with what it brought in the account's currency, where that can be told."""
    trade = row.trade
    net: Decimal | None = None
    fees = trade.fees
    if instrument.quote in worth_of(account, paper=row.paper):
        net = trade.realized
    elif in_base(account, instrument, paper=row.paper) and (trade.base_gross or not trade.gross):
        net, fees = trade.base_gross - trade.base_fees, trade.base_fees
    return replace(row, net_pnl=net, fees=fees, currency=account.currency)


def keys_of(row: ClosedTradeRow, account: Account) -> tuple[FiguresKey, FiguresKey]:
    """Return what a trade is counted into: the strategy's figures, and those of its place and day."""
    total = FiguresKey(row.strategy, row.paper, name_currency(account, paper=row.paper))
    day = name_day(account, row.trade.closed_at)
    return total, total._replace(account=row.account, instrument=row.instrument, day=day)
