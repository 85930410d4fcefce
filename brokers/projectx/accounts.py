"""Choose the account at ProjectX that orders go to: the one that was named, or the only one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from brokers.protocol import NOT_PERMITTED, BrokerRefused
from brokers.wire.fields import require, require_text

PRACTICE = "PRAC"
"""How the names of practice accounts begin. There is no other test system."""


def find_account(
    rows: Sequence[Any], wanted: str | None, name: str, *, is_practice: bool
) -> tuple[int, str]:
    """Return number and name of the account to trade on. Raises `BrokerRefused` naming those there are.

    One with `canTrade: false` never counts; with `sandbox: true` only practice accounts do.
    """
    usable = {
        require_text(row, "name"): require(row, "id", int)
        for row in rows
        if require(row, "canTrade", bool)
    }
    if is_practice:
        usable = {name: number for name, number in usable.items() if name.startswith(PRACTICE)}
    if wanted is not None and wanted in usable:
        return usable[wanted], wanted
    if wanted is None and len(usable) == 1:
        return next((number, each) for each, number in usable.items())
    kind = "practice account" if is_practice else "account"
    known = ", ".join(sorted(usable)) or "none that may trade"
    why = f"has no {kind} {wanted}" if wanted else f"has {'several' if usable else 'no'} {kind}"
    text = (
        f"This login at ProjectX {why}{'s' if usable and not wanted else ''} for {name}. There are: {known}. "
        f"Write accounts.{name}.account in config.yaml with the name of one."
    )
    raise BrokerRefused(text, NOT_PERMITTED)
