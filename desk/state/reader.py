"""Read what is committed, from whatever thread asks. Nothing is written here."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from brokers.protocol import Instrument
from desk.orders.journal import FILLS, ClosedTradeRow
from desk.orders.order import Order
from desk.performance.figures import Figures
from desk.state.counted import FiguresKey
from desk.state.rows import FIGURES, INSTRUMENT, ORDER, TRADE, AlertRow

EVENTS_SEEN = 50
"""How many events are looked through for each that is shown."""


class Reader:
    """Read what is committed."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def find_alert(self, alert_id: str) -> AlertRow | None:
        """Return one alert."""
        row = self._db.execute("SELECT * FROM alerts WHERE alert_id = ?", (alert_id,)).fetchone()
        return AlertRow(*row) if row else None

    def find_orders(self, alert_id: str) -> list[tuple[str, int, str, Order]]:
        """Return account, paper, instrument and order of everything that an alert caused."""
        rows = self._db.execute(
            "SELECT account, paper, instrument, data FROM orders WHERE alert_id = ?", (alert_id,)
        )
        return [(a, p, i, ORDER.validate_json(data)) for a, p, i, data in rows]

    def find_executions(self, client_ids: Iterable[str]) -> dict[str, int]:
        """Return when each order was last executed."""
        found: dict[str, int] = {}
        for client_id in client_ids:
            row = self._db.execute("SELECT MAX(at) FROM fills WHERE client_id = ?", (client_id,))
            if (at := row.fetchone()[0]) is not None:
                found[client_id] = at
        return found

    def find_trade(
        self, account: str, paper: int, instrument: str, strategy: str, at: int
    ) -> ClosedTradeRow | None:
        """Return the closed trade that a fill at a time belongs to, or None while it is open."""
        rows = self._db.execute(
            "SELECT data FROM trades WHERE account = ? AND paper = ? AND instrument = ? AND strategy = ? "
            "AND closed_at >= ? ORDER BY closed_at, id LIMIT 2",
            (account, paper, instrument, strategy, at),
        )
        for found in [TRADE.validate_json(data) for (data,) in rows]:
            # A reversal opens in the millisecond in which it closes what was before.
            is_before = found.trade.closed_at == at and found.trade.opened_at < at
            if found.trade.opened_at <= at and not is_before:
                return found
        return None

    def load_between(
        self, first: int, last: int
    ) -> Iterator[tuple[int, int, str, str, str, str | None, int, int, str]]:
        """Yield what arrived between two moments, in that order.

        Number, moment, id, strategy, status, code, success, deliveries and the masked body of each.
        """
        yield from self._db.execute(
            "SELECT seq, received_at, alert_id, strategy, status, json_extract(answer, '$.code'), "
            "json_extract(answer, '$.success'), deliveries, body FROM alerts "
            "WHERE received_at BETWEEN ? AND ? ORDER BY seq",
            (first, last),
        )

    def first_received_at(self) -> int | None:
        """Return when the first alert of all was recorded."""
        row = self._db.execute("SELECT received_at FROM alerts ORDER BY seq LIMIT 1").fetchone()
        return row[0] if row else None

    def load_rules(self) -> dict[tuple[str, bool, str], Instrument]:
        """Return the rules of trading of each instrument on each account, as they are stored."""
        found: dict[tuple[str, bool, str], Instrument] = {}
        for account, paper, name, data in self._db.execute(
            "SELECT account, paper, instrument, data FROM books"
        ):
            found[account, bool(paper), name] = INSTRUMENT.validate_json(data)
        return found

    def last_seq(self) -> int:
        """Return the number of the newest alert."""
        return self._db.execute("SELECT COALESCE(MAX(seq), 0) FROM alerts").fetchone()[0]  # type: ignore[no-any-return]

    def load_trades(self, limit: int) -> list[ClosedTradeRow]:
        """Return the newest closed trades, newest first."""
        rows = self._db.execute("SELECT data FROM trades ORDER BY id DESC LIMIT ?", (limit,))
        return [TRADE.validate_json(data) for (data,) in rows]

    def load_closed(
        self, filters: Mapping[str, str], since: int | None, until: int | None
    ) -> Iterator[tuple[ClosedTradeRow, str | None]]:
        """Yield the closed trades, the oldest first, each with the comment of the alert that opened it.

        `filters` are columns (strategy, account) with their value.
        """
        rows = self._db.execute(
            "SELECT trades.data, json_extract(alerts.record, '$.comment') FROM trades LEFT JOIN alerts "
            "ON alerts.alert_id = json_extract(trades.data, '$.trade.opened_by') "
            "WHERE (?1 IS NULL OR trades.strategy = ?1) AND (?2 IS NULL OR trades.account = ?2) "
            "AND (?3 IS NULL OR trades.closed_at >= ?3) AND (?4 IS NULL OR trades.closed_at <= ?4) "
            "ORDER BY trades.closed_at, trades.id",
            (filters.get("strategy"), filters.get("account"), since, until),
        )
        for data, comment in rows:
            yield TRADE.validate_json(data), comment

    def load_totals(self, strategy: str) -> list[tuple[bool, str, Figures]]:
        """Return the figures of a strategy: paper or live, their currency, and what was counted."""
        rows = self._db.execute(
            "SELECT paper, currency, data FROM figures WHERE strategy = ? AND day = ''", (strategy,)
        )
        return [(bool(p), currency, FIGURES.validate_json(data)) for p, currency, data in rows]

    def load_days(self, since: str) -> Iterator[tuple[FiguresKey, Figures]]:
        """Yield the figures of every strategy, and those of each account, instrument and day since one."""
        rows = self._db.execute(
            "SELECT strategy, paper, currency, account, instrument, day, data FROM figures "
            "WHERE day = '' OR day >= ?",
            (since,),
        )
        for name, paper, *where, data in rows:
            yield FiguresKey(name, bool(paper), *where), FIGURES.validate_json(data)

    def load_events(self, limit: int) -> list[dict[str, Any]]:
        """Return what the user was last told, newest first; what was executed never crowds out the rest."""
        rows = self._db.execute(
            "SELECT at, event, message, alert_id FROM events ORDER BY id DESC LIMIT ?",
            (limit * EVENTS_SEEN,),
        )
        left = {True: limit, False: limit}
        found: list[dict[str, Any]] = []
        for at, event, message, alert_id in rows:
            is_fill = event in FILLS
            if left[is_fill]:
                left[is_fill] -= 1
                row = {"at": at, "event": event, "message": message, "alert_id": alert_id}
                found.append(row)
        return found

    def last_event(self) -> int:
        """Return the number of the newest event; 0 without any."""
        return self._db.execute("SELECT COALESCE(MAX(id), 0) FROM events").fetchone()[0]  # type: ignore[no-any-return]

    def load_told(self, after: int, limit: int) -> list[tuple[int, str, str]]:
        """Return number, event and message of what was told after a number, the oldest first."""
        return self._db.execute(
            "SELECT id, event, message FROM events WHERE id > ? ORDER BY id LIMIT ?", (after, limit)
        ).fetchall()

    def find_strategy(self, name: str) -> int | None:
        """Return when a strategy was created by its first alert, or None where it never was."""
        row = self._db.execute(
            "SELECT created_at FROM strategies WHERE name = ?", (name,)
        ).fetchone()
        return row[0] if row else None

    def load_strategies(self, limit: int) -> list[tuple[str, int]]:
        """Return the created strategies that hold something and those created last, and when."""
        return self._db.execute(
            "SELECT name, created_at FROM strategies "
            "WHERE name IN (SELECT strategy FROM positions WHERE open = 1) "
            "OR rowid > (SELECT MAX(rowid) FROM strategies) - ? ORDER BY rowid",
            (limit,),
        ).fetchall()
