"""Keep a second process off the state: one lock file beside it, held as long as the process lives.

Two processes would each trade every alert. On a reload the new one starts before the old one has ended, so
it waits for its own sibling; anyone else is refused at once.
"""

from __future__ import annotations

import importlib.util
import os
import time
from pathlib import Path

HAS_FLOCK = importlib.util.find_spec("fcntl") is not None
if HAS_FLOCK:  # Windows has none; there the server is for trying out
    import fcntl

PATIENCE_SECONDS = 25.0


class StateLocked(Exception):
    """Another process uses the state; the text names it and says what to do."""


class StateLock:
    """The lock of one state file."""

    def __init__(self, state: Path) -> None:
        self.path = state.with_name(state.name + ".lock")
        self._file = -1

    def acquire(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Take the lock, waiting only for a process that is leaving, has our parent or has lost its own.

        Raises `StateLocked`.
        """
        if not HAS_FLOCK:
            return
        self._file = os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600)
        deadline = time.monotonic() + patience_seconds
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                holder, parent, state = self._read()
                is_sibling = parent == str(os.getppid())
                is_leaving = state == "leaving" or is_sibling or _has_died(parent)
                if not is_leaving or time.monotonic() > deadline:
                    raise StateLocked(
                        f"{self.path}: process {holder} already uses this state. Two would trade "
                        "every alert twice. Stop it first, or name another state in config.yaml."
                    ) from None
                time.sleep(0.05)
            else:
                self._write("running")
                return

    def leave(self) -> None:
        """Tell a successor that this process is about to end."""
        if self._file >= 0:
            self._write("leaving")

    def release(self) -> None:
        """Give the lock back."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _write(self, state: str) -> None:
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()} {os.getppid()} {state}\n".encode(), 0)

    def _read(self) -> tuple[str, str, str]:
        words = os.pread(self._file, 100, 0).decode("ascii", "replace").split()
        return (words[0], words[1], words[2]) if len(words) == 3 else ("?", "?", "?")


def _has_died(process: str) -> bool:
    """Whether a process is gone: a worker of gunicorn ends soon after its master was killed."""
    try:
        os.kill(int(process), 0)
    except (ValueError, PermissionError):
        return False
    except OSError:
        return True
    return False
