"""Load what the desk's memory begins with, and find what it has let go of.

Only the desk thread asks: what it reads may be what it has just written. Nothing is written here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from brokers.protocol import Instrument
from desk.orders.journal import ClosedTradeRow
from desk.orders.order import Order
from desk.orders.position_book import PositionBook
from desk.orders.strategy_position import StrategyPosition
from desk.performance.figures import Figures
from desk.performance.judge import Standing
from desk.state.counted import FiguresKey
from desk.state.reader import Reader
from desk.state.rows import (
    FIGURES,
    INSTRUMENT,
    ORDER,
    POSITION,
    STANDING,
    TRADE,
    AlertRow,
    FundingRow,
    with_chunks,
)
from desk.state.schema import (
    FACTS,
    FIND_BOOK,
    FIND_FIGURES,
    FIND_LOTS,
    FIND_POSITION,
)


class Loader(Reader):
    """Read the record as nouns of the desk."""

    def find_identity(self, digest: bytes, now: int) -> tuple[str, int, int] | None:
        """Return the alert that claimed a digest, the number of its body and the end of the claim."""
        found = self._db.execute(
            "SELECT alert_id, number, until FROM identities WHERE digest = ? AND until > ?",
            (digest, now),
        ).fetchone()
        return (found[0], found[1], found[2]) if found else None

    def load_identities(self, now: int, until: int) -> Iterator[tuple[bytes, tuple[str, int, int]]]:
        """Yield the claims that end between two moments, the first to end first."""
        for digest, alert_id, number, end in self._db.execute(
            "SELECT digest, alert_id, number, until FROM identities WHERE until > ? AND until <= ? "
            "ORDER BY until",
            (now, until),
        ):
            yield digest, (alert_id, number, end)

    def load_books(self, *, paper_too: bool = True) -> Iterator[PositionBook]:
        """Yield every book in which something is held, wished or worked, with the positions it concerns."""
        positions: dict[tuple[str, int, str], dict[str, StrategyPosition]] = {}
        most = int(paper_too)
        for *key, data in self._db.execute(
            "SELECT account, paper, instrument, data FROM positions WHERE open = 1 AND paper <= ?",
            (most,),
        ):
            position = POSITION.validate_json(data)
            positions.setdefault((key[0], key[1], key[2]), {})[position.strategy] = position
        self._add_lots(positions)
        orders: dict[tuple[str, int, str], dict[str, Order]] = {}
        for *key, cid, data in self._db.execute(
            "SELECT account, paper, instrument, client_id, data FROM orders "
            "WHERE live = 1 AND paper <= ?",
            (most,),
        ):
            order = ORDER.validate_json(data)
            orders.setdefault((key[0], key[1], key[2]), {})[cid] = order
            known = positions.setdefault((key[0], key[1], key[2]), {})
            if order.strategy not in known:  # what it has said so far counts on
                found = self.find_share(key[0], bool(key[1]), key[2], order.strategy)
                known |= {order.strategy: found} if found else {}
        for where, some in positions.items():
            account, paper, name = where
            instrument = self.find_instrument(account, bool(paper), name)
            if instrument is None:
                raise ValueError(f"it does not say what {name} on {account} is")
            yield PositionBook(account, bool(paper), instrument, some, orders.get(where, {}))

    def _add_lots(self, positions: dict[tuple[str, int, str], dict[str, StrategyPosition]]) -> None:
        """Put the chunks between the two ends of each position where they belong."""
        rows = self._db.execute(
            "SELECT account, paper, instrument, strategy, data FROM lots "
            "ORDER BY account, paper, instrument, strategy, number"
        )
        for where, chunks in itertools.groupby(rows, key=lambda row: row[:4]):
            known = positions.get(where[:3], {})
            if where[3] in known:
                known[where[3]] = with_chunks(known[where[3]], [data for *_, data in chunks])

    def find_share(
        self, account: str, paper: bool, instrument: str, strategy: str
    ) -> StrategyPosition | None:
        """Return a position as it was last written, or None where the strategy never had one there."""
        where = (account, int(paper), instrument, strategy)
        row = self._db.execute(FIND_POSITION, where).fetchone()
        if row is None:
            return None
        position = POSITION.validate_json(row[0])
        if not position.ledger.lots.back:
            return position
        return with_chunks(position, [data for (data,) in self._db.execute(FIND_LOTS, where)])

    def find_figures(self, key: FiguresKey) -> Figures | None:
        """Return the figures of a strategy, or of one account, instrument and day of it."""
        row = self._db.execute(FIND_FIGURES, key).fetchone()
        return FIGURES.validate_json(row[0]) if row else None

    def has_uncounted(self) -> bool:
        """Whether closed trades are on record that no figures hold yet."""
        found = self._db.execute("SELECT 1 FROM meta WHERE name = 'uncounted'").fetchone()
        return found is not None

    def load_all_trades(self) -> Iterator[tuple[int, ClosedTradeRow]]:
        """Yield every closed trade with its number, in the order in which they closed."""
        for number, data in self._db.execute("SELECT id, data FROM trades ORDER BY id"):
            yield number, TRADE.validate_json(data)

    def find_instrument(self, account: str, paper: bool, name: str) -> Instrument | None:
        """Return the instrument of a book as it was last written."""
        row = self._db.execute(FIND_BOOK, (account, int(paper), name)).fetchone()
        return INSTRUMENT.validate_json(row[0]) if row else None

    def load_facts(self, table: str) -> list[tuple[Any, ...]]:
        """Return the rows of one of the small tables: cash, prices, switches."""
        return self._db.execute(FACTS[table]).fetchall()

    def load_equities(self) -> dict[str, tuple[int, Decimal]]:
        """Return when each account's day began that was last read, and what it was worth then."""
        rows = self._db.execute("SELECT name, value FROM meta WHERE name LIKE 'equity:%'")
        split = ((name.removeprefix("equity:"), *value.split()) for name, value in rows)
        return {name: (int(day), Decimal(start)) for name, day, start in split}

    def load_standings(self) -> dict[str, Standing]:
        """Return how each strategy that is judged stands."""
        rows = self._db.execute("SELECT name, value FROM meta WHERE name LIKE 'standing:%'")
        return {n.removeprefix("standing:"): STANDING.validate_json(data) for n, data in rows}

    def load_venues(self) -> dict[str, str]:
        """Return what each account was when this program last ran: live or sandbox."""
        rows = self._db.execute("SELECT name, value FROM meta WHERE name LIKE 'venue:%'")
        return {name.removeprefix("venue:"): value for name, value in rows}

    def load_last(self, limit: int) -> list[AlertRow]:
        """Return the newest alerts, oldest first, and every alert that is not settled."""
        newest = self._db.execute(
            "SELECT * FROM alerts ORDER BY seq DESC LIMIT ?", (limit,)
        ).fetchall()
        rows = {row[0]: AlertRow(*row) for row in newest}
        for row in self._db.execute("SELECT * FROM alerts WHERE settled = 0"):
            rows.setdefault(row[0], AlertRow(*row))
        return [rows[seq] for seq in sorted(rows)]

    def load_entries(self, since: int) -> list[tuple[str, bool, str, Order]]:
        """Return account, paper, instrument and opening order of the alerts since a time, oldest first."""
        found: list[tuple[str, bool, str, Order]] = []
        for at, account, paper, instrument, data in self._db.execute(
            "SELECT alerts.received_at, account, paper, instrument, data FROM alerts LEFT JOIN orders "
            "ON orders.alert_id = alerts.alert_id AND kind = 'entry' ORDER BY alerts.seq DESC"
        ):
            if at < since:  # alerts are numbered as they come: everything before is older
                break
            if data is not None:
                found.append((account, bool(paper), instrument, ORDER.validate_json(data)))
        return found[::-1]

    def load_traded(self, since: int) -> set[tuple[str, bool, str, str]]:
        """Return account, paper, instrument and strategy of the orders of all alerts since a time."""
        found: set[tuple[str, bool, str, str]] = set()
        for at, strategy, account, paper, instrument in self._db.execute(
            "SELECT received_at, strategy, account, paper, instrument FROM alerts LEFT JOIN orders "
            "ON orders.alert_id = alerts.alert_id ORDER BY seq DESC"
        ):
            if at < since:
                break
            if account is not None:
                found.add((account, bool(paper), instrument, strategy))
        return found

    def load_trades_since(self, since: int) -> list[ClosedTradeRow]:
        """Return the trades closed since a time, oldest first."""
        found: list[ClosedTradeRow] = []
        for at, data in self._db.execute("SELECT closed_at, data FROM trades ORDER BY id DESC"):
            if at < since:
                break
            found.append(TRADE.validate_json(data))
        return found[::-1]

    def load_funding(self) -> list[FundingRow]:
        """Return every charge and payment for holding, oldest first."""
        rows = self._db.execute(
            "SELECT account, funding_id, instrument, strategy, amount, coin, at FROM funding ORDER BY at"
        )
        return [FundingRow(*row) for row in rows]

    def has_funding(self, account: str, funding_id: str) -> bool:
        """Whether a charge or payment is on record."""
        where = (account, funding_id)
        query = "SELECT 1 FROM funding WHERE account = ? AND funding_id = ?"
        return self._db.execute(query, where).fetchone() is not None

    def find_order(self, client_id: str) -> tuple[str, int, str, Order] | None:
        """Return account, paper, instrument and order of a client id."""
        row = self._db.execute(
            "SELECT account, paper, instrument, data FROM orders WHERE client_id = ?", (client_id,)
        ).fetchone()
        return (*row[:3], ORDER.validate_json(row[3])) if row else None
