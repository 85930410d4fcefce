"""Read YAML the way it looks, and refuse what looks like one thing and means another.

`read` turns a text into plain values: None, bool, int, Decimal, str, list and dict with text keys.
Numbers come exactly from their digits, never through a binary float. It refuses anchors, aliases,
tags, duplicate keys, keys that are not text, deep nesting and every number or truth value that
YAML versions disagree about. It knows no setting, opens no file, and quotes no value in a problem,
because the value may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import yaml

MAX_DEPTH = 10

_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]{0,23})")
_FRACTION = re.compile(r"-?(?:0|[1-9][0-9]{0,23})\.[0-9]{1,24}")
_TAG = "tag:yaml.org,2002:"

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that cannot be read as it stands. An empty path is the whole text."""

    path: Path
    text: str


def read(text: str) -> tuple[Any, tuple[Problem, ...]]:
    """Return the value of `text` and everything that is wrong with it.

    A value with a problem is left out, so that the rest can be checked. An empty text is None.
    """
    problems: list[Problem] = []
    try:
        loader = _Loader(text, problems)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        return None, (*problems, Problem((), _describe(error)))
    except _TooDeep as error:
        return None, (*problems, Problem(error.path, f"is nested deeper than {MAX_DEPTH} levels"))
    value = None if node is None else _value(node, (), problems)
    return (None if value is _UNREADABLE else value), tuple(problems)


class _TooDeep(Exception):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path


class _Loader(yaml.SafeLoader):
    """Compose nodes without anchors, aliases and tags, and never deeper than `MAX_DEPTH`."""

    def __init__(self, text: str, problems: list[Problem]) -> None:
        self._problems = problems
        self._path: list[str] = []
        self._depth = 0
        super().__init__(text)

    def compose_node(self, parent: Any, index: Any) -> Any:
        with self._step_into(parent, index):
            event: Any = self.peek_event()  # type: ignore[no-untyped-call]  # not in the stubs
            path = tuple(self._path)
            if isinstance(event, yaml.AliasEvent):
                self.get_event()  # type: ignore[no-untyped-call]  # not in the stubs
                self._problems.append(Problem(path, "is an alias (*): write the value out"))
                mark: Any = event.start_mark
                return yaml.ScalarNode(_TAG + "unreadable", "", mark, mark)
            if getattr(event, "anchor", None) is not None:
                self._problems.append(Problem(path, "has an anchor (&): remove it"))
                event.anchor = None
            if getattr(event, "tag", None) is not None:
                self._problems.append(Problem(path, "has a tag (!): remove it, or use quotes"))
                event.tag = None
            return super().compose_node(parent, index)

    @contextmanager
    def _step_into(self, parent: Any, index: Any) -> Iterator[None]:
        """Keep track of where the node stands. `index` is None for the key of a mapping."""
        names = () if parent is None or index is None else (str(getattr(index, "value", index)),)
        self._path.extend(names)
        self._depth += 1
        if self._depth > MAX_DEPTH + 1:
            raise _TooDeep(tuple(self._path))
        yield
        self._depth -= 1
        del self._path[len(self._path) - len(names) :]


_UNREADABLE = object()


def _value(node: yaml.Node, path: Path, problems: list[Problem]) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, problems)
    if isinstance(node, yaml.SequenceNode):
        values = [_value(item, (*path, str(at)), problems) for at, item in enumerate(node.value)]
        return [value for value in values if value is not _UNREADABLE]
    return _scalar(node, path, problems)


def _mapping(node: yaml.MappingNode, path: Path, problems: list[Problem]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    lines: dict[str, int] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            problems.append(Problem(path, f"line {line}: a name must be text, not a list or block"))
            continue
        key = key_node.value
        if key_node.style is None and key_node.tag != _TAG + "str":
            shown = f'"{key}"' if key else '""'
            said = f"line {line}: YAML does not read this name as text: write {shown} in quotes"
            problems.append(Problem((*path, key), said))
            continue
        if _is_broken(key):
            problems.append(Problem(path, f"line {line}: a name holds half a character"))
            continue
        if key in lines:
            said = f"stands twice, in lines {lines[key]} and {line}: keep one"
            problems.append(Problem((*path, key), said))
            continue
        lines[key] = line
        value = _value(value_node, (*path, key), problems)
        if value is not _UNREADABLE:
            found[key] = value
    return found


def _scalar(node: yaml.Node, path: Path, problems: list[Problem]) -> Any:
    """Return the value of a scalar: quoted is text, plain is what it looks like or a problem."""
    text: str = node.value
    kind = node.tag.removeprefix(_TAG)
    if kind == "unreadable":
        return _UNREADABLE
    if _is_broken(text):
        problems.append(Problem(path, "holds half a character: check the \\u in it"))
        return _UNREADABLE
    if node.style is not None:  # type: ignore[attr-defined]
        return text
    if kind == "null":
        return None
    if kind == "bool" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if kind == "bool":
        problems.append(
            Problem(path, "YAML takes it for yes or no: write true or false, or put it in quotes")
        )
        return _UNREADABLE
    if _WHOLE.fullmatch(text):
        return int(text)
    if _FRACTION.fullmatch(text):
        return Decimal(text)
    if kind in ("int", "float"):
        said = "YAML takes it for a number of its own kind: write it like 10 or 0.5, or in quotes"
        problems.append(Problem(path, said))
        return _UNREADABLE
    return text


def _is_broken(text: str) -> bool:
    """Tell whether `text` holds a lone surrogate, which no file and no log can take."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def _describe(error: yaml.YAMLError) -> str:
    """Say where the text stops being YAML. The library's own message would quote the line."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return "is not YAML: it holds a character that must not stand in a text file"
    said = getattr(error, "problem", None) or "something is missing here"
    where = f"line {mark.line + 1}, column {mark.column + 1}"
    return f"{where}: {said} (check the indentation, the colons and the quotes)"
