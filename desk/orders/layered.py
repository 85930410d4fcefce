"""Hold entries of which a changed copy costs the same whether there are ten or ten thousand.

A copy shares all that did not change: what was changed lately lies in a small dict over a large one, and is
laid into it now and then. Nothing that was handed out ever changes, so other threads may read it.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from typing import Any, TypeVar

K = TypeVar("K")
V = TypeVar("V")
CHANGES_AT_MOST = 64
"""How many changes lie apart: a copy of so many takes half a microsecond, of ten thousand a hundred."""
_GONE: Any = object()


class Layered(Mapping[K, V]):
    """A dict that is changed by making another one."""

    __slots__ = ("_base", "_changes", "_count")

    def __init__(self, entries: Mapping[K, V] | None = None) -> None:
        self._base: dict[K, V] = dict(entries or {})
        self._changes: dict[K, V] = {}
        self._count = len(self._base)

    def having(self, key: K, value: V) -> Layered[K, V]:
        """Return a copy with an entry put in, or put in another's place."""
        return self._copy(key, value, self._count + (key not in self))

    def without(self, key: K) -> Layered[K, V]:
        """Return a copy without an entry."""
        return self._copy(key, _GONE, self._count - 1) if key in self else self

    def _copy(self, key: K, value: V, count: int) -> Layered[K, V]:
        copy: Layered[K, V] = Layered.__new__(Layered)
        copy._count = count
        is_small = count < CHANGES_AT_MOST
        if is_small or len(self._changes) >= CHANGES_AT_MOST:
            merged = {**self._base, **self._changes, key: value}
            has_gaps = len(merged) != count
            copy._base = {k: v for k, v in merged.items() if v is not _GONE} if has_gaps else merged
            copy._changes = {}
        else:
            copy._base, copy._changes = self._base, {**self._changes, key: value}
        return copy

    def _whole(self) -> dict[K, V]:
        if not self._changes:
            return self._base
        merged = {**self._base, **self._changes}
        return {key: value for key, value in merged.items() if value is not _GONE}

    def __getitem__(self, key: K) -> V:
        found = self._changes[key] if key in self._changes else self._base[key]
        if found is _GONE:
            raise KeyError(key)
        return found

    def __contains__(self, key: object) -> bool:
        if key in self._changes:
            return self._changes[key] is not _GONE
        return key in self._base

    # What follows is as in `Mapping`, which goes through `__getitem__` for each entry: ten times slower.

    def get(self, key: K, default: Any = None) -> Any:
        """Return an entry, or `default`."""
        if key in self._changes:
            found = self._changes[key]
            return default if found is _GONE else found
        return self._base.get(key, default)

    def keys(self) -> KeysView[K]:
        """Return the keys, in the order in which they came."""
        return self._whole().keys()

    def values(self) -> ValuesView[V]:
        """Return the values, in the same order."""
        return self._whole().values()

    def items(self) -> ItemsView[K, V]:
        """Return both."""
        return self._whole().items()

    def __iter__(self) -> Iterator[K]:
        return iter(self._whole())

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"Layered({self._whole()!r})"
