"""Book what holding perpetuals has brought and cost: once each, with the position it was for (rules 10.4).

An instrument has one owner where orders net (rules 3.10), so it belongs to the position that was open then.
What cannot be told apart, or came after the position was closed, is the account's alone.
"""

from __future__ import annotations

import logging

from brokers.protocol import Funding
from desk.engine.context import EngineContext
from desk.orders.evolve import evolve
from desk.orders.position_book import PositionBook
from desk.orders.strategy_position import StrategyPosition
from desk.state.funding import count_funding
from desk.state.rows import FundingRow
from desk.venue.polling import Reading

log = logging.getLogger("desk")


def take_funding(context: EngineContext, reading: Reading, now: int) -> None:
    """Take in what a read was told of funding; what is on record already changes nothing."""
    state, account = context.state, reading.account
    for each in reading.funding or ():
        key = (account, each.funding_id)
        if key in state.batch.funding or context.store.has_funding(*key):
            continue
        book = state.books.get((account, False, each.symbol))
        owner = _find_owner(book, each) if book else None
        if book and owner:
            context.at = (account, False, each.symbol)
            state.put_book(book.with_position(_with_funding(book, owner, each)), now)
        strategy = owner.strategy if owner else ""
        row = FundingRow(*key, each.symbol, strategy, str(each.amount), each.coin, each.at)
        state.batch.funding[key] = row
        count_funding(state, row, now)
        text = f"{each.amount} {each.coin} for {each.symbol}"
        log.info("funding", extra={"account": account, "strategy": strategy, "text": text})


def _find_owner(book: PositionBook, funding: Funding) -> StrategyPosition | None:
    """Return the one position that was open then and still is."""
    held = [
        position
        for position in book.positions.values()
        if position.quantity != 0 and 0 < position.ledger.opened_at <= funding.at
    ]
    return held[0] if len(held) == 1 else None


def _with_funding(
    book: PositionBook, position: StrategyPosition, funding: Funding
) -> StrategyPosition:
    """Return a position with funding in its result; in another coin than the quote it is only approximate."""
    ledger = position.ledger
    if funding.coin == book.instrument.quote:
        return evolve(position, ledger=evolve(ledger, funding=ledger.funding + funding.amount))
    return evolve(position, ledger=evolve(ledger, approximate=True))
