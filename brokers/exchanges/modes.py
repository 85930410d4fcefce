"""Read whether an account holds long and short apart, where an exchange lets it.

Each reading is one question of the library's; what it does not understand is `Uncertain`, and nothing opens.
"""

from __future__ import annotations

from typing import Any

from brokers.exchanges.library import Call, Library
from brokers.exchanges.proof import Proof
from brokers.protocol import Uncertain
from brokers.wire.deadline import Deadline
from brokers.wire.preparation import HEDGE, ONE_WAY

READ_SECONDS = 3.0
HEDGED = (True, "true", "long_short_mode", "hedge_mode", 1, "1")
ONE_WAYS = (False, "false", "net_mode", "one_way_mode", 0, "0")


def read_mode(proof: Proof, library: Library) -> str:
    """Return `ONE_WAY` or `HEDGE` for an account."""
    if not proof.mode:
        return ONE_WAY
    call = Call(Deadline.after(READ_SECONDS))
    method, _, field = proof.mode.partition(":")
    answer = library.call(method, dict(proof.mode_params), call=call)
    return _read_hedged(_first(answer), field)


def _first(answer: Any) -> Any:
    """Return the one row of an answer, out of its envelope."""
    rows = answer.get("data", answer) if isinstance(answer, dict) else answer
    return rows[0] if isinstance(rows, list) and rows else rows


def _read_hedged(row: Any, field: str) -> str:
    told = row.get(field) if isinstance(row, dict) else None
    if told in HEDGED:
        return HEDGE
    if told in ONE_WAYS:
        return ONE_WAY
    raise Uncertain("the exchange does not tell the position mode")
