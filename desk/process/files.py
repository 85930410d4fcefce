"""Turn what goes wrong with a file that must be written into words about the setting that names it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class CannotWrite(Exception):
    """A file that must be written cannot be; the text names its setting and says what to do."""


@contextmanager
def blaming(setting: str, path: Path) -> Iterator[None]:
    """Make the folder of a file, and turn what goes wrong with it into words about its setting."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise CannotWrite(
            f"The receiver cannot start: {path} cannot be written ({error.strerror}). Let {setting} "
            "in config.yaml name a file in a folder that this user may write to, or give the user "
            "that right."
        ) from None
