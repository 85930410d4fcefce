"""Read a file as it is shipped: a user's own config.yaml and .env change no test."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def read_shipped(name: str) -> str:
    """Return a file of this project as git is about to ship it; without git as it stands there."""
    command = ["git", "show", f":./{name}"]
    try:
        shown = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return (ROOT / name).read_text(encoding="utf-8")
    return shown.stdout.decode("utf-8")
