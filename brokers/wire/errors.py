"""Say what an error of a venue means, from a table that the venue brings.

A code decides first, a mark in the text second, the HTTP status last. What a table does not know keeps the
usual reading of its status (`wire`), so that a new error is never read as less than it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from brokers.protocol import KEYS_REFUSED, THROTTLED, BrokerRefused, Uncertain

Code = int | str


@dataclass(frozen=True, slots=True)
class ErrorTable:
    """What the errors of one venue mean: our code and a sentence that says what to do next."""

    venue: str
    codes: Mapping[Code, tuple[str, str]] = field(default_factory=dict)
    texts: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """The same by a mark in the lower-cased text, for codes that stand for many things."""
    many_things: frozenset[Code] = frozenset()
    """Those codes; empty: the marks count for every code."""
    keys: Mapping[Code, str] = field(default_factory=dict)
    """Why the venue does not accept our credentials."""
    keys_help: str = ""
    """What the user does about it."""
    overloaded: frozenset[Code] = frozenset()
    """The venue takes no more for the moment and certainly did not carry this out."""
    unknown: frozenset[Code] = frozenset()
    """The venue does not know itself what became of it."""


def read_code(table: ErrorTable, code: Code, said: str) -> Exception | None:
    """Return what an error means whose code was read; None where the table does not know it."""
    if code in table.overloaded:
        text = (
            f"{table.venue} takes no more requests for the moment; it did not carry this one out."
        )
        return BrokerRefused(text, THROTTLED)
    if code in table.unknown:
        text = f"{table.venue} does not know itself what became of it ({code}: {said})"
        return Uncertain(text)
    if code in table.keys:
        text = f"{table.venue} refused the keys: {table.keys[code]} ({code}). {table.keys_help}"
        return BrokerRefused(text, KEYS_REFUSED)
    if code in table.codes:
        ours, text = table.codes[code]
        return BrokerRefused(text, ours)
    if not table.many_things or code in table.many_things:
        for mark, (ours, text) in table.texts.items():
            if mark in said.lower():
                return BrokerRefused(text, ours)
    return None


def refuse(table: ErrorTable, code: Code, said: str) -> BrokerRefused:
    """Return the refusal of an error that nobody explained, in the venue's own words."""
    return BrokerRefused(f"{table.venue} refused: {said or 'no reason given'} ({code})")
