"""Say how the nouns of the desk lie in rows: what one transaction writes, and how each is read back.

Nothing here opens a file or runs a statement.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from brokers.protocol import Fill, Instrument
from desk.orders.evolve import evolve
from desk.orders.journal import ClosedTradeRow, FillRow, Notice, Row
from desk.orders.ledger import ClosedTrade, Lot
from desk.orders.order import Order
from desk.orders.position_book import PositionBook
from desk.orders.stopped_out import counts_elsewhere
from desk.orders.strategy_position import StrategyPosition
from desk.performance.figures import Figures
from desk.performance.judge import Standing
from desk.state.counted import FiguresKey

ORDER: TypeAdapter[Order] = TypeAdapter(Order)


POSITION: TypeAdapter[StrategyPosition] = TypeAdapter(StrategyPosition)


TRADE: TypeAdapter[ClosedTradeRow] = TypeAdapter(ClosedTradeRow)


INSTRUMENT: TypeAdapter[Instrument] = TypeAdapter(Instrument)


FIGURES: TypeAdapter[Figures] = TypeAdapter(Figures)


STANDING: TypeAdapter[Standing] = TypeAdapter(Standing)


CHUNK: TypeAdapter[tuple[Lot, ...]] = TypeAdapter(tuple[Lot, ...])


BETWEEN: Any = {"ledger": {"lots": {"middle"}}}
"""What is not written with a position, because each chunk has a row of its own."""


class AlertRow(NamedTuple):
    """One alert as it is kept, in the order of its columns."""

    seq: int
    alert_id: str
    received_at: int
    strategy: str
    symbol: str
    status: str
    settled: bool
    deliveries: int
    body: str
    answer: str
    record: str


class FundingRow(NamedTuple):
    """What an account was charged or paid for holding, in the order of its columns."""

    account: str
    funding_id: str
    instrument: str
    strategy: str
    """Whose position it was for; empty where that cannot be told."""
    amount: str
    coin: str
    at: int


@dataclass(slots=True)
class Batch:
    """Everything that one transaction writes."""

    alerts: dict[int, AlertRow] = field(default_factory=dict)
    identities: list[tuple[bytes, str, int, int]] = field(default_factory=list)
    deliveries: list[tuple[str, int]] = field(default_factory=list)
    books: list[PositionBook] = field(default_factory=list)
    journal: list[tuple[PositionBook, Row]] = field(default_factory=list)
    funding: dict[tuple[str, str], FundingRow] = field(default_factory=dict)
    """By account and the venue's id: each is kept once."""
    figures: dict[FiguresKey, Figures] = field(default_factory=dict)
    cash: dict[str, str] = field(default_factory=dict)
    prices: dict[str, tuple[str, int]] = field(default_factory=dict)
    equities: dict[str, str] = field(default_factory=dict)
    """When each account's day began and what it was worth then."""
    standings: dict[str, Standing] = field(default_factory=dict)
    switches: dict[str, tuple[str, int] | None] = field(default_factory=dict)
    strategies: dict[str, int] = field(default_factory=dict)
    notices: list[tuple[int, Notice]] = field(default_factory=list)

    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not any(getattr(self, each.name) for each in fields(self))


def with_chunks(position: StrategyPosition, chunks: Iterable[str]) -> StrategyPosition:
    """Return a position with the chunks of its lots that have rows of their own."""
    middle = tuple(CHUNK.validate_json(data) for data in chunks)
    lots = replace(position.ledger.lots, middle=middle)
    return evolve(position, ledger=evolve(position.ledger, lots=lots))


def dump(adapter: TypeAdapter[Any], value: object) -> str:
    """Write a noun as JSON, without what is as it always is."""
    # Its serializer asked directly: `dump_json` takes twice as long to get there (11 us an order, 4).
    return adapter.serializer.to_json(value, exclude_defaults=True).decode()


def key_columns(book: PositionBook) -> tuple[str, int, str]:
    """Return the columns that name a book."""
    return book.account, int(book.paper), book.instrument.symbol


def sort_journal(
    journal: Iterable[tuple[PositionBook, Row]],
) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    """Turn journal rows into columns; of an order or share that changed twice only the last is kept."""
    positions: dict[tuple[str, int, str, str], tuple[PositionBook, StrategyPosition]] = {}
    orders: dict[str, tuple[PositionBook, Order]] = {}
    fills: list[Any] = []
    trades: list[Any] = []
    for book, row in journal:
        if isinstance(row, StrategyPosition):
            positions[(*key_columns(book), row.strategy)] = (book, row)
        elif isinstance(row, Order):
            orders[row.client_id] = (book, row)
        elif isinstance(row, FillRow):
            fills.append(fill_columns(row, row.fill))
        elif isinstance(row, ClosedTradeRow):
            trades.append(trade_columns(row, row.trade))
    return (
        [position_columns(*each) for each in positions.values()],
        [
            (
                cid,
                *key_columns(book),
                o.cause.alert_id,
                o.kind,
                o.status,
                int(o.is_open),
                dump(ORDER, o),
            )
            for cid, (book, o) in orders.items()
        ],
        fills,
        trades,
    )


def position_columns(book: PositionBook, position: StrategyPosition) -> tuple[Any, ...]:
    """Return the columns of a position."""
    data = POSITION.serializer.to_json(position, exclude_defaults=True, exclude=BETWEEN).decode()
    is_open = position.quantity != 0 or position.is_restless or counts_elsewhere(book, position)
    return (*key_columns(book), position.strategy, str(position.quantity), data, int(is_open))


def fill_columns(row: FillRow, fill: Fill) -> tuple[Any, ...]:
    """Return the columns of an execution."""
    return (
        row.account,
        int(row.paper),
        fill.fill_id,
        row.instrument,
        row.strategy,
        fill.client_id,
        fill.side,
        str(fill.quantity),
        str(fill.price),
        str(fill.fee),
        fill.fee_coin,
        fill.at,
    )


def trade_columns(row: ClosedTradeRow, trade: ClosedTrade) -> tuple[Any, ...]:
    """Return the columns of a closed trade."""
    where = (row.account, int(row.paper), row.instrument, row.strategy)
    return (*where, trade.closed_at, dump(TRADE, row))
