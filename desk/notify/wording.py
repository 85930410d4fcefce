"""Say in one message what happened: which event it is called, its title and its text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from desk.config.channels import EVENTS

_CALLED: Mapping[str, str] = {
    "order_unknown": "unknown",
    "account_silent": "venue_silent",
    "account_answers": "venue_back",
    "order_refused": "refusal",
    "order_denied": "denial",
    "halted": "halt",
    "bare_share": "unprotected",
}
"""How what is recorded is called where the two differ."""


@dataclass(frozen=True, slots=True)
class Told:
    """One event of the record, by its number there."""

    number: int
    event: str
    message: str


def name_event(recorded: str) -> str:
    """Return the name of `events:` under which something recorded is told."""
    name = _CALLED.get(recorded, recorded)
    return name if name in EVENTS else "other"


def write_message(told: Sequence[Told]) -> tuple[str, str]:
    """Return title and text of one message; of a burst it says each event once.

    The title begins with the event's name, the first one's where there are several.
    """
    first = name_event(told[0].event)
    lines = dict.fromkeys(f"{name_event(each.event)}: {_bare(each)}" for each in told)
    if len(lines) == 1:
        return first, _bare(told[0])
    return f"{first} and {len(lines) - 1} more", "\n".join(lines)


def _bare(told: Told) -> str:
    """Return the text without the event's name, which a change of mode begins with by itself."""
    return told.message.removeprefix(f"{told.event}: ")
