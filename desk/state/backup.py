"""Copy a state into a file of its own, also while it is being written, and prove that the copy is whole."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from desk.state.schema import VERSION
from desk.state.wholeness import IN_USE, NotWhole, check_files, check_newest


class CannotBackUp(Exception):
    """There is no backup; the text says why and what to do."""


def back_up(state: Path, target: Path) -> str:
    """Write what `state` holds into a new file, open it again, and return what it holds in words.

    The file is its owner's alone and needs no other beside it. Nothing is ever overwritten, and what is not
    whole is not left behind. Raises `CannotBackUp`.
    """
    if not state.is_file():
        raise CannotBackUp(f"There is no state to back up at {state}: check --config and state.")
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        raise CannotBackUp(f"{target} is there already: name a file that is not.") from None
    except OSError as error:
        raise CannotBackUp(f"{target} cannot be written ({error.strerror}).") from None
    copy = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        os.close(os.open(copy, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        said = _copy(state, copy)
        _flush(copy)
        copy.replace(target)
        _flush(target.parent)
    except (sqlite3.Error, OSError, NotWhole, ValueError) as error:
        for each in (copy, target):
            with suppress(OSError):
                each.unlink()
        raise CannotBackUp(f"{state} was not backed up: {error}.") from None
    return f"{target} holds {said} and was read again: it is whole."


def _copy(state: Path, copy: Path) -> str:
    mark = check_files(state)
    source = f"{state.absolute().as_uri()}?mode=ro"
    with (
        closing(sqlite3.connect(source, uri=True, timeout=30)) as found,
        closing(sqlite3.connect(copy, isolation_level=None)) as made,
    ):
        found.backup(made)
        made.execute("PRAGMA journal_mode=DELETE")
        made.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, '')", (IN_USE,))
    with closing(sqlite3.connect(f"{copy.absolute().as_uri()}?mode=ro", uri=True)) as made:
        verdict = made.execute("PRAGMA integrity_check").fetchone()[0]
        if verdict != "ok":
            raise ValueError(f"the copy is damaged ({verdict})")
        version = made.execute("SELECT value FROM meta WHERE name = 'version'").fetchone()[0]
        alerts, newest = made.execute(
            "SELECT count(*), COALESCE(MAX(seq), 0) FROM alerts"
        ).fetchone()
        fills = made.execute("SELECT count(*) FROM fills").fetchone()[0]
    check_newest(mark, newest)
    other = "" if int(version) == VERSION else f" (of version {version} of the state)"
    return f"{alerts} alerts and {fills} fills{other}"


def _flush(path: Path) -> None:
    """Let a file or a folder reach the disk, where the system can."""
    with suppress(PermissionError):  # Windows opens no folder
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
