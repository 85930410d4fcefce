"""Say what a wheel needs: requirements.txt, without what is only for development.

A hook of hatchling. In a wheel the page's files and gunicorn's settings lie in `desk/files`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

DEVELOPMENT = "pytest"


class NeededPackages(MetadataHookInterface):
    """Read the dependencies from the one list there is."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Fill in the dependencies."""
        lines = (Path(self.root) / "requirements.txt").read_text(encoding="utf-8").split("\n")
        needed = [line.partition("#")[0].strip() for line in lines]
        metadata["dependencies"] = [
            each for each in needed if each and not each.startswith(DEVELOPMENT)
        ]
