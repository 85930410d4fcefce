"""Copy a frozen value with some of its fields changed.

`dataclasses.replace` runs the whole constructor again: eight microseconds for an order, twenty times an alert
(measured). The nouns that change often are therefore frozen without slots, and this copies their fields.
"""

from __future__ import annotations

from typing import Any, TypeVar

T = TypeVar("T")


def evolve(value: T, /, **changes: Any) -> T:
    """Return `value` with `changes`. Raises `TypeError` for a field it does not have."""
    fields = value.__dict__ | changes
    if len(fields) != len(value.__dict__):
        unknown = sorted(changes.keys() - value.__dict__.keys())
        raise TypeError(f"{type(value).__name__} has no {unknown}")
    copy: T = object.__new__(type(value))
    object.__setattr__(copy, "__dict__", fields)
    return copy
