"""Notice a state that is not whole: without its -wal file, with another's, cut short, or empty.

SQLite opens all of these without a word, and what was recorded last is gone. While a state is in use it
holds a token, and a small file beside it (`…-mark`) holds the same token and the number of the newest alert.
A state that was closed, or written by `--backup`, has neither. Nothing here changes a state.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

HEADER = b"SQLite format 3\0"
IN_USE = "in_use"
"""The name in `meta` under which the token stands; empty once the state was closed."""
STARTING = "starting"


class NotWhole(Exception):
    """The state misses something; the text completes "it cannot be used …" and says what to do."""


class Mark(NamedTuple):
    """What the file beside a state says of it."""

    token: str
    newest: int | None
    """The newest alert that was recorded; None while the state is being opened."""


def wal_of(path: Path) -> Path:
    """Return where SQLite keeps what is not in the state itself yet."""
    return path.with_name(path.name + "-wal")


def mark_of(path: Path) -> Path:
    """Return where the mark of a state lies."""
    return path.with_name(path.name + "-mark")


def check_files(path: Path) -> Mark | None:
    """Look at the files before SQLite does, and return the mark to compare with. Raises `NotWhole`."""
    wal = _size(wal_of(path))
    if not path.exists():
        if wal:
            raise NotWhole("it is missing, while its -wal file is there: put it back beside that")
        return None
    _check_header(path)
    mark, token = read_mark(path), _read_token(path)
    if token is None or (mark and mark.newest is None):
        return mark  # nobody knows: an older version wrote it, or a start was cut off
    if not token:
        if wal:
            raise NotWhole("the -wal file beside it belongs to another state: move that away")
    elif wal is None and not (mark and mark.token == token):
        raise NotWhole(
            "it was copied without its -wal file, in which the newest alerts stood: put that beside it, "
            "or use what --backup wrote"
        )
    elif wal and mark and mark.token != token:
        raise NotWhole("the -wal file beside it belongs to another state: move both away")
    return mark if mark and mark.token == token else None


def check_newest(mark: Mark | None, newest: int) -> None:
    """Compare what can be read with what was recorded. Raises `NotWhole`."""
    if mark and mark.newest is not None and newest < mark.newest:
        raise NotWhole(
            f"its newest alert is number {newest} and number {mark.newest} was recorded: its -wal file "
            "was cut or removed. To go on with what is left, remove the file that ends in -mark"
        )


def read_mark(path: Path) -> Mark | None:
    """Return what the mark says; None where there is none or it cannot be read."""
    with suppress(OSError, ValueError):
        token, newest = mark_of(path).read_text(encoding="ascii").split()
        return Mark(token, None if newest == STARTING else int(newest))
    return None


class Marker:
    """Keep the mark of a state that is open."""

    def __init__(self, path: Path, token: str) -> None:
        self._path = mark_of(path)
        self._token = token
        flags = os.O_CREAT | os.O_RDWR | os.O_TRUNC
        self._file = os.open(self._path, flags, 0o600)
        os.write(self._file, f"{token} {STARTING}\n".encode())
        os.fsync(self._file)

    def note(self, newest: int) -> None:
        """Note the newest alert; what cannot be noted is not compared."""
        with suppress(OSError):
            os.pwrite(self._file, f"{self._token} {newest:020d}\n".encode(), 0)

    def close(self, *, is_clean: bool) -> None:
        """Let go of the mark, and remove it where the state needs none."""
        os.close(self._file)
        if is_clean:
            self._path.unlink(missing_ok=True)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _check_header(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(512)
    if len(start) < 512:
        raise NotWhole(f"it has {len(start)} bytes, so that nothing is in it")
    if not start.startswith(HEADER):
        raise NotWhole("it is not a database")


def _read_token(path: Path) -> str | None:
    """Return the token in the file itself, whatever its -wal says; None where there is no such thing."""
    try:
        address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(address, uri=True)) as db:
            row = db.execute("SELECT value FROM meta WHERE name = ?", (IN_USE,)).fetchone()
    except sqlite3.DatabaseError:
        return None
    return str(row[0]) if row else None
