"""Choose the account at Tradovate that orders go to: the one that was named, or the only one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from brokers.protocol import NOT_PERMITTED, BrokerRefused
from brokers.wire.fields import require, require_text

_OUT = ("closed", "readonly", "restricted")
"""An account that is any of these never counts."""


def find_account(rows: Sequence[Any], wanted: str | None, name: str) -> tuple[int, str]:
    """Return number and name of the account to trade on. Raises `BrokerRefused` naming those there are."""
    usable = {
        require_text(row, "name"): require(row, "id", int)
        for row in rows
        if not any(row.get(word) is True for word in _OUT)
    }
    if wanted is not None and wanted in usable:
        return usable[wanted], wanted
    if wanted is None and len(usable) == 1:
        return next((number, each) for each, number in usable.items())
    known = ", ".join(sorted(usable)) or "none that may trade"
    why = f"has no account {wanted}" if wanted else "has several accounts" if usable else "has none"
    text = (
        f"This login at Tradovate {why} for {name}. There are: {known}. Write accounts.{name}.account in "
        "config.yaml with the name of one."
    )
    raise BrokerRefused(text, NOT_PERMITTED)
