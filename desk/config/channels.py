"""Say where people are told, and of what: the entries of `notify:`. An address is a secret."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic_core import PydanticCustomError

from desk.config.value_types import Secret

EVENTS = (
    *("trade", "stop_filled", "target_filled", "refusal", "denial", "daily_loss", "unknown"),
    *(
        "unprotected",
        "owed_exit",
        "demotion",
        "promotion",
        "halt",
        "daily_summary",
        "start",
        "stop",
    ),
    *("venue_silent", "venue_back", "failed_logins", "expiry_near", "no_alerts", "other"),
)
"""What can be told, by the names that `events:` takes."""


class Channel(BaseModel):
    """Where messages go: an address that Apprise knows, and the events it wants; none named: all."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    url: Secret
    events: tuple[str, ...] = ()

    def wants(self, event: str) -> bool:
        """Whether an event is told here."""
        return not self.events or event in self.events


def _tell(text: str) -> PydanticCustomError:
    return PydanticCustomError("told", "{text}", {"text": text})


def read_channels(value: object) -> tuple[Channel, ...]:
    """Read a list of addresses, or of `{url, events}`; a text holds addresses with spaces between.

    Nothing of an entry is quoted: it may hold a token.
    """
    if value is None:
        return ()
    entries = value.split() if isinstance(value, str) else value
    if not isinstance(entries, list):
        raise _tell("expected a list of addresses, or of {url: …, events: […]}")
    return tuple(_read(each, place) for place, each in enumerate(entries, 1))


def _read(entry: Any, place: int) -> Channel:
    """Read one entry; `place` counts from 1."""
    if isinstance(entry, str):
        entry = {"url": entry}
    if not isinstance(entry, dict) or not {"url"} <= set(entry) <= {"url", "events"}:
        raise _tell(f"entry {place} is neither an address nor {{url: …, events: […]}}")
    url, events = entry["url"], entry.get("events", [])
    if not isinstance(url, str) or "://" not in url or not url.isprintable() or " " in url:
        raise _tell(f"entry {place} has no address like tgram://…, written in quotes")
    if not isinstance(events, list) or not set(map(str, events)) <= set(EVENTS):
        raise _tell(f"entry {place}: events are a list of {', '.join(EVENTS)}")
    return Channel(url=Secret(url), events=tuple(events))


Channels = Annotated[tuple[Channel, ...], BeforeValidator(read_channels)]
