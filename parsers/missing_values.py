"""Say what a value that is null, empty or unreadable means, by what its field decides.

One table, applied in one place, so that no container and no dialect can be laxer than another. Which
fields there are, and how their values are spelled, is known elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from parsers.raw_fields import Claims

from .alert import ParseError
from .values import find_emptiness, name_emptiness, show

T = TypeVar("T")

POLICIES: dict[str, dict[str, str]] = {
    "decides": {"null": "error", "empty": "error", "unreadable": "error"},
    "level": {"null": "warn", "empty": "error", "unreadable": "error"},
    "states": {"null": "warn", "empty": "warn", "unreadable": "error"},
    "describes": {"null": "absent", "empty": "absent", "unreadable": "warn"},
    # On what can only reduce a level is a note: an exit never fails because of its decoration.
    "decorates": {"null": "warn", "empty": "warn", "unreadable": "warn"},
}
"""Field class -> what is wrong with the value -> what follows."""


def take(
    claims: Claims, concept: str, policy: str, read: Callable[[object], T], label: str = ""
) -> T | None:
    """Return what the claims of `concept` say, or None where nothing is said.

    Raises `ParseError` where a value decides and cannot be read, and where two claims disagree.
    """
    claims_of_it = claims.fields.pop(concept, None)
    if claims_of_it is None:
        return None
    found: list[tuple[str, T]] = []
    for key, value in claims_of_it:
        wrong = find_emptiness(value)
        if wrong is None:
            try:
                found.append((key, read(value)))
                continue
            except ValueError as error:
                wrong, reason = "unreadable", str(error)
        else:
            reason = name_emptiness(value)
        follow(claims, POLICIES[policy][wrong], key, reason, label or concept)
    if not found:
        return None
    for key, other in found[1:]:
        if other != found[0][1] and policy == "decorates":
            claims.warnings.append(f"{found[0][0]} and {key} disagree. Left out.")
            return None
        if other != found[0][1]:
            raise ParseError(
                f"{found[0][0]} and {key} disagree: send one of them.", field=label or concept
            )
    return found[0][1]


def follow(claims: Claims, consequence: str, key: str, reason: str, field: str) -> None:
    """Raise, warn or say nothing about a value that is none."""
    if consequence == "error":
        raise ParseError(f"{key}: {reason}", field=field)
    if consequence == "warn":
        claims.warnings.append(f"{key}: {reason} Left out.")


def read_first(claims: Claims, concept: str, read: Callable[[object], T]) -> list[T]:
    """Return every readable claim of a field that only describes; they need not agree.

    What cannot be read is left out with a warning, and kept as a note.
    """
    values: list[T] = []
    for key, value in claims.take(concept):
        wrong = find_emptiness(value)
        if wrong is None:
            try:
                values.append(read(value))
            except ValueError as error:
                claims.warnings.append(f"{key}: {error} Left out.")
                claims.note(key, value)
        elif wrong == "unreadable":
            claims.warnings.append(f"{key}: {show(value)} is no value. Left out.")
    return values
