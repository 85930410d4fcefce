"""Keep how far one receiver is in the record, in a small file of its own beside the state."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Progress:
    """Up to which number everything was taken, and how much was left out."""

    taken: int
    dropped: int = 0


class Place:
    """The file of one receiver. Its name tells nothing of where that is."""

    def __init__(self, state: Path, receiver: str) -> None:
        name = hashlib.blake2b(receiver.encode(), digest_size=8).hexdigest()
        self._path = state.with_name(f"{state.name}-outbox-{name}")

    def load(self) -> Progress | None:
        """Return what was kept; None where there is nothing that can be read."""
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            return Progress(int(kept["taken"]), int(kept["dropped"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, progress: Progress) -> None:
        """Keep it, whole or not at all. Raises `OSError`."""
        made = self._path.with_name(f"{self._path.name}-new")
        text = json.dumps({"taken": progress.taken, "dropped": progress.dropped})
        with made.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        made.replace(self._path)
