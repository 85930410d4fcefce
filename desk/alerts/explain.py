"""Say in a sentence what became of an alert, as a support person would. Nothing is looked up here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MEANINGS = {
    "pending": "It is being carried out.",
    "unknown": "Nobody knows yet whether its order exists: the venue is asked until it says so, and "
    "nothing is sent twice.",
    "unreached": "The venue could not be reached, so nothing was ordered.",
    "filled": "It traded.",
    "partly_filled": "A part of it traded.",
    "accepted": "It was taken; its order works.",
    "cancelled": "Its order was cancelled before it filled.",
    "expired": "It came too late to trade.",
    "nothing_to_do": "There was nothing to do, so nothing was ordered.",
    "absent": "Its order never came to be at the venue.",
    "refused": "The venue refused its order.",
    "denied": "It was not traded: a rule here stood against it.",
}
"""What each outcome means to who does not know the words."""


def explain(row: Mapping[str, Any]) -> str:
    """Return what an alert asked for, what became of it and why, and how what it opened has ended.

    `row` is the alert's answer, with `closed` where its story is known.
    """
    asked = [row.get("action") or "something", row.get("symbol")]
    asked.append(f"for {row['strategy']}" if row.get("strategy") else None)
    parts = [
        f"The alert arrived and asked to {' '.join(filter(None, asked))}.",
        MEANINGS.get(row.get("status") or "", ""),
        row.get("message") or "",
        f"The reason has the code {row['code']}." if row.get("code") else "",
        *(each["message"] for each in row.get("closed", ())),
    ]
    return " ".join(filter(None, parts))
