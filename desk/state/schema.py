"""Say what the durable record looks like: its tables, and how rows are put into them.

Only texts: nothing here opens a file or runs a statement.
"""

from __future__ import annotations

import functools

VERSION = 6
SCHEMA = """
CREATE TABLE alerts (
    seq INTEGER PRIMARY KEY, alert_id TEXT NOT NULL UNIQUE, received_at BIGINT NOT NULL,
    strategy TEXT NOT NULL, symbol TEXT NOT NULL, status TEXT NOT NULL, settled INTEGER NOT NULL,
    deliveries INTEGER NOT NULL, body TEXT NOT NULL, answer TEXT NOT NULL, record TEXT NOT NULL);
CREATE INDEX alerts_open ON alerts (settled) WHERE settled = 0;
CREATE TABLE identities (
    digest BLOB PRIMARY KEY, alert_id TEXT NOT NULL, number BIGINT NOT NULL, until BIGINT NOT NULL);
CREATE INDEX identities_until ON identities (until);
CREATE TABLE books (
    account TEXT NOT NULL, paper INTEGER NOT NULL, instrument TEXT NOT NULL, data TEXT NOT NULL,
    PRIMARY KEY (account, paper, instrument));
CREATE TABLE positions (
    account TEXT NOT NULL, paper INTEGER NOT NULL, instrument TEXT NOT NULL, strategy TEXT NOT NULL,
    quantity TEXT NOT NULL, data TEXT NOT NULL, open INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (account, paper, instrument, strategy));
CREATE TABLE lots (
    account TEXT NOT NULL, paper INTEGER NOT NULL, instrument TEXT NOT NULL, strategy TEXT NOT NULL,
    number INTEGER NOT NULL, data TEXT NOT NULL,
    PRIMARY KEY (account, paper, instrument, strategy, number)) WITHOUT ROWID;
CREATE TABLE orders (
    client_id TEXT PRIMARY KEY, account TEXT NOT NULL, paper INTEGER NOT NULL,
    instrument TEXT NOT NULL, alert_id TEXT NOT NULL, kind TEXT NOT NULL, status TEXT NOT NULL,
    live INTEGER NOT NULL, data TEXT NOT NULL);
CREATE INDEX orders_live ON orders (live) WHERE live = 1;
CREATE INDEX orders_alert ON orders (alert_id);
CREATE TABLE fills (
    account TEXT NOT NULL, paper INTEGER NOT NULL, fill_id TEXT NOT NULL, instrument TEXT NOT NULL,
    strategy TEXT NOT NULL, client_id TEXT NOT NULL, side TEXT NOT NULL, quantity TEXT NOT NULL,
    price TEXT NOT NULL, fee TEXT NOT NULL, fee_coin TEXT NOT NULL, at BIGINT NOT NULL,
    PRIMARY KEY (client_id, fill_id));
CREATE TABLE trades (
    id INTEGER PRIMARY KEY, account TEXT NOT NULL, paper INTEGER NOT NULL, instrument TEXT NOT NULL,
    strategy TEXT NOT NULL, closed_at BIGINT NOT NULL, data TEXT NOT NULL);
CREATE TABLE funding (
    account TEXT NOT NULL, funding_id TEXT NOT NULL, instrument TEXT NOT NULL,
    strategy TEXT NOT NULL, amount TEXT NOT NULL, coin TEXT NOT NULL, at BIGINT NOT NULL,
    PRIMARY KEY (account, funding_id));
CREATE TABLE figures (
    strategy TEXT NOT NULL, paper INTEGER NOT NULL, currency TEXT NOT NULL, account TEXT NOT NULL,
    instrument TEXT NOT NULL, day TEXT NOT NULL, data TEXT NOT NULL,
    PRIMARY KEY (strategy, paper, currency, account, instrument, day)) WITHOUT ROWID;
CREATE TABLE cash (account TEXT PRIMARY KEY, amount TEXT NOT NULL);
CREATE TABLE prices (instrument TEXT PRIMARY KEY, price TEXT NOT NULL, at BIGINT NOT NULL);
CREATE TABLE switches (scope TEXT PRIMARY KEY, reason TEXT NOT NULL, at BIGINT NOT NULL);
CREATE TABLE strategies (name TEXT PRIMARY KEY, created_at BIGINT NOT NULL);
CREATE TABLE events (
    id INTEGER PRIMARY KEY, at BIGINT NOT NULL, event TEXT NOT NULL, message TEXT NOT NULL,
    alert_id TEXT);
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
LATER = (
    "CREATE INDEX IF NOT EXISTS trades_share ON trades (account, instrument, strategy, closed_at)",
)
"""What older states lack and can be given without being another version."""

ROWS_AT_ONCE = 64
INSERTS = {
    "alerts": (
        "seq, alert_id, received_at, strategy, symbol, status, settled, deliveries, body, answer, record",
        "ON CONFLICT (seq) DO UPDATE SET status = excluded.status, settled = excluded.settled, "
        "deliveries = excluded.deliveries, answer = excluded.answer, record = excluded.record",
    ),
    "identities": (
        "digest, alert_id, number, until",
        "ON CONFLICT (digest) DO UPDATE SET alert_id = excluded.alert_id, "
        "number = excluded.number, until = excluded.until",
    ),
    "books": (
        "account, paper, instrument, data",
        "ON CONFLICT (account, paper, instrument) DO UPDATE SET data = excluded.data",
    ),
    "positions": (
        "account, paper, instrument, strategy, quantity, data, open",
        "ON CONFLICT (account, paper, instrument, strategy) DO UPDATE SET "
        "quantity = excluded.quantity, data = excluded.data, open = excluded.open",
    ),
    "lots": ("account, paper, instrument, strategy, number, data", ""),
    "orders": (
        "client_id, account, paper, instrument, alert_id, kind, status, live, data",
        "ON CONFLICT (client_id) DO UPDATE SET status = excluded.status, live = excluded.live, "
        "data = excluded.data",
    ),
    "fills": (
        "account, paper, fill_id, instrument, strategy, client_id, side, quantity, price, fee, "
        "fee_coin, at",
        "",
    ),
    "trades": ("account, paper, instrument, strategy, closed_at, data", ""),
    "funding": (
        "account, funding_id, instrument, strategy, amount, coin, at",
        "ON CONFLICT (account, funding_id) DO NOTHING",
    ),
    "figures": (
        "strategy, paper, currency, account, instrument, day, data",
        "ON CONFLICT (strategy, paper, currency, account, instrument, day) DO UPDATE SET "
        "data = excluded.data",
    ),
    "cash": ("account, amount", "ON CONFLICT (account) DO UPDATE SET amount = excluded.amount"),
    "prices": (
        "instrument, price, at",
        "ON CONFLICT (instrument) DO UPDATE SET price = excluded.price, at = excluded.at",
    ),
    "switches": ("scope, reason, at", ""),
    "strategies": ("name, created_at", "ON CONFLICT (name) DO NOTHING"),
    "events": ("at, event, message, alert_id", ""),
}
"""The columns that are written, and what happens to a row that is there already."""
FIND_BOOK = "SELECT data FROM books WHERE account = ? AND paper = ? AND instrument = ?"
OF_POSITION = "account = ? AND paper = ? AND instrument = ? AND strategy = ?"
FIND_POSITION = f"SELECT data FROM positions WHERE {OF_POSITION}"
FIND_LOTS = f"SELECT data FROM lots WHERE {OF_POSITION} ORDER BY number"
DROP_LOTS = f"DELETE FROM lots WHERE {OF_POSITION} AND number < ?"
FIND_FIGURES = (
    "SELECT data FROM figures WHERE strategy = ? AND paper = ? AND currency = ? AND account = ? "
    "AND instrument = ? AND day = ?"
)
FACTS = {
    "cash": "SELECT * FROM cash",
    "prices": "SELECT * FROM prices",
    "switches": "SELECT * FROM switches",
}


@functools.cache
def write_insert(table: str, count: int) -> str:
    """Return the INSERT of so many rows into a table; every part of it is written above."""
    columns, conflict = INSERTS[table]
    signals = ",".join("?" for _ in columns.split(","))
    rows = ",".join([f"({signals})"] * count)
    return f"INSERT INTO {table} ({columns}) VALUES {rows} {conflict}"
