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
OPEN = ("keep", "exit", "stop", "target", "bare_since")
"""What a share says of itself while something is wished of it."""

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
    """Give chunks of lots rows of their own, and note of each share whether it is open.

    A time of firing counts at most as when the alert was received. The version before took one from the
    future as it came, and shares at rest are not looked at again before they trade.
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
        share: dict[str, Any] = json.loads(text)
        position = share.get("position", {})
        lots = position.pop("lots", [])
        whole = max(0, len(lots) - 1) // CHUNK
        for number in range(whole):
            chunk = _write(lots[number * CHUNK : (number + 1) * CHUNK])
            db.execute("INSERT INTO lots VALUES (?, ?, ?, ?, ?, ?)", (*where, number, chunk))
        if lots:
            position["lots"] = {"back": lots[whole * CHUNK :]}
            cost = sum(Decimal(lot["price"]) * Decimal(lot["quantity"]) for lot in lots)
            position["cost"] = str(cost)
        marks = share.get("marks", {})
        marks.update({name: min(marks[name], last) for name in MOMENTS if name in marks})
        is_open = bool(lots) or any(name in share for name in OPEN)
        db.execute(
            "UPDATE shares SET data = ?, open = ? WHERE account = ? AND paper = ? AND instrument = ? "
            "AND strategy = ?",
            (_write(share), int(is_open), *where),
        )


def _write(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


STEPS: Mapping[int, Callable[[sqlite3.Connection], None]] = {1: _lots_in_rows}
"""What brings a version to the next one."""
