"""Remember the way back: what each changed entry was before, until the change is on disk.

An event that fails is undone, and a batch that cannot be recorded never happened. Whatever must be undone is
changed through `put` and `drop`; there is no second way back.
"""

from __future__ import annotations

from typing import Any

_MISSING = object()


class Transaction:
    """Changes of tables since the last commit, and how to take them back."""

    def __init__(self) -> None:
        self._undo: list[tuple[dict[Any, Any], Any, Any]] = []

    def put(self, table: dict[Any, Any], key: Any, value: Any) -> None:
        """Change one entry of one table, so that it can be undone."""
        self._undo.append((table, key, table.get(key, _MISSING)))
        table[key] = value

    def drop(self, table: dict[Any, Any], key: Any) -> None:
        """Remove one entry of one table, so that it can be undone."""
        if key in table:
            self._undo.append((table, key, table.pop(key)))

    def take_back(self) -> None:
        """Take back every change since the last commit, the newest first."""
        while self._undo:
            table, key, old = self._undo.pop()
            if old is _MISSING:
                table.pop(key, None)
            else:
                table[key] = old
