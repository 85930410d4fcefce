"""Bring a state that an earlier build wrote to the schema of this one, whole or not at all.

Each step knows two versions and nothing of the program's nouns, so that it stays right whatever becomes of
them. A state from a later build is nobody's business here.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

CHUNK = 16
ROWS = 10_000
OPEN = ("keep", "exit", "stop", "target", "bare_since")
"""What a position says of itself while something is wished of it."""

MOMENTS = ("fired", "opened", "stated", "flat", "long", "short")


def upgrade(db: sqlite3.Connection, version: int, wanted: int) -> bool:
    """Bring a state from one version to another; False where there is no way."""
    if not all(step in STEPS for step in range(version, wanted)):
        return False
    db.execute("BEGIN EXCLUSIVE")
    try:
        for step in range(version, wanted):
            STEPS[step](db)
        db.execute("UPDATE meta SET value = ? WHERE name = 'version'", (str(wanted),))
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")
    return version < wanted


def _lots_in_rows(db: sqlite3.Connection) -> None:
    """Give chunks of lots rows of their own, and note of each position whether it is open.

    A time of firing counts at most as when the alert was received. The version before took one from the
    future as it came, and positions at rest are not looked at again before they trade.
    """
    [last] = db.execute("SELECT COALESCE(MAX(received_at), 0) FROM alerts").fetchone()
    db.execute("ALTER TABLE shares ADD COLUMN open INTEGER NOT NULL DEFAULT 1")
    db.execute(
        "CREATE TABLE lots (account TEXT NOT NULL, paper INTEGER NOT NULL, instrument TEXT NOT NULL, "
        "strategy TEXT NOT NULL, number INTEGER NOT NULL, data TEXT NOT NULL, "
        "PRIMARY KEY (account, paper, instrument, strategy, number)) WITHOUT ROWID"
    )
    rows = db.execute("SELECT account, paper, instrument, strategy, data FROM shares").fetchall()
    for *where, text in rows:
        kept: dict[str, Any] = json.loads(text)
        position = kept.get("position", {})
        lots = position.pop("lots", [])
        whole = max(0, len(lots) - 1) // CHUNK
        for number in range(whole):
            chunk = _write(lots[number * CHUNK : (number + 1) * CHUNK])
            db.execute("INSERT INTO lots VALUES (?, ?, ?, ?, ?, ?)", (*where, number, chunk))
        if lots:
            position["lots"] = {"back": lots[whole * CHUNK :]}
            cost = sum(Decimal(lot["price"]) * Decimal(lot["quantity"]) for lot in lots)
            position["cost"] = str(cost)
        signals = kept.get("marks", {})
        signals.update({name: min(signals[name], last) for name in MOMENTS if name in signals})
        is_open = bool(lots) or any(name in kept for name in OPEN)
        db.execute(
            "UPDATE shares SET data = ?, open = ? WHERE account = ? AND paper = ? AND instrument = ? "
            "AND strategy = ?",
            (_write(kept), int(is_open), *where),
        )


def _write(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


OF_ORDERS = {
    "cash": "quote_quantity",
    "trades": "fill_ids",
    "lives_ms": "time_to_live_ms",
    "release_by": "submit_by",
    "aims": "target_position",
    "ends": "end_status",
    "call": "in_flight",
    "due_at": "next_action_at",
    "looks": "queries",
    "misses": "not_found_count",
}
OF_POSITIONS = {
    "position": "ledger",
    "keep": "reduce_to",
    "owed": "exit_cause",
    "owed_since": "exit_requested_at",
    "stop": "stop_loss",
    "target": "take_profit",
    "guarded_by": "protection_cause",
    "pursuits": "retries",
    "bare_since": "unprotected_since",
    "bare_told": "unprotected_notified",
    "marks": "signals",
}


def _standard_terms(db: sqlite3.Connection) -> None:
    """Give what is kept of orders and positions the names that the field uses for them."""
    db.execute("ALTER TABLE shares RENAME TO positions")
    db.execute("ALTER TABLE fills RENAME COLUMN trade_id TO fill_id")
    orders = db.execute("SELECT rowid, data FROM orders")
    while rows := orders.fetchmany(ROWS):
        news = [(_write(_rename_order(json.loads(text))), number) for number, text in rows]
        db.executemany("UPDATE orders SET data = ? WHERE rowid = ?", news)
    for number, text in db.execute("SELECT rowid, data FROM positions").fetchall():
        position = {OF_POSITIONS.get(name, name): each for name, each in json.loads(text).items()}
        for retry in position.get("retries", {}).values():
            if "lost" in retry:
                retry["unreached_count"] = retry.pop("lost")
        db.execute("UPDATE positions SET data = ? WHERE rowid = ?", (_write(position), number))


def _rename_order(order: dict[str, Any]) -> dict[str, Any]:
    new = {OF_ORDERS.get(name, name): each for name, each in order.items()}
    if "legs" in new:
        new["legs"] = [_rename_order(leg) for leg in new["legs"]]
    return new


def _funding_in_rows(db: sqlite3.Connection) -> None:
    """Give funding a table of its own; the version before knew none."""
    db.execute(
        "CREATE TABLE funding (account TEXT NOT NULL, funding_id TEXT NOT NULL, instrument TEXT NOT NULL, "
        "strategy TEXT NOT NULL, amount TEXT NOT NULL, coin TEXT NOT NULL, at BIGINT NOT NULL, "
        "PRIMARY KEY (account, funding_id))"
    )


def _figures_in_rows(db: sqlite3.Connection) -> None:
    """Give figures a table of their own; it is filled at the start that follows."""
    db.execute(
        "CREATE TABLE figures (strategy TEXT NOT NULL, paper INTEGER NOT NULL, currency TEXT NOT NULL, "
        "account TEXT NOT NULL, instrument TEXT NOT NULL, day TEXT NOT NULL, data TEXT NOT NULL, "
        "PRIMARY KEY (strategy, paper, currency, account, instrument, day)) WITHOUT ROWID"
    )
    db.execute("INSERT INTO meta (name, value) VALUES ('uncounted', 'trades')")


def _several_targets(db: sqlite3.Connection) -> None:
    """Change nothing: a position may have several targets, which the version before would lose."""


STEPS: Mapping[int, Callable[[sqlite3.Connection], None]] = {
    1: _lots_in_rows,
    2: _standard_terms,
    3: _funding_in_rows,
    4: _figures_in_rows,
    5: _several_targets,
}
"""What brings a version to the next one."""
