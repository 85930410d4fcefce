"""Count the closed trades of a state that an earlier version wrote, once: from then on figures are kept."""

from __future__ import annotations

import functools

from desk.config.settings import Settings
from desk.performance.figures import NOTHING, Figures, count_trade
from desk.state.counted import FiguresKey, convert, find_account, keys_of
from desk.state.rows import TRADE, dump
from desk.state.store import Store


def recount(settings: Settings, store: Store) -> None:
    """Count every closed trade where none was counted yet. Raises `StoreUnavailable`."""
    if not store.has_uncounted():
        return
    find = functools.cache(store.find_instrument)
    figures: dict[FiguresKey, Figures] = {}
    texts: list[tuple[str, int]] = []
    for number, stored in store.load_all_trades():
        account = find_account(settings, stored.account)
        instrument = find(stored.account, stored.paper, stored.instrument)
        if instrument is None:
            continue
        row = convert(stored, account, instrument)
        texts.append((dump(TRADE, row), number))
        if row.net_pnl is not None:
            for key in keys_of(row, account):
                known = figures.get(key, NOTHING)
                figures[key] = count_trade(known, row.net_pnl, row.fees, row.trade.closed_at)
    store.write_recounted(texts, figures)
