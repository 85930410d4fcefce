"""Run every benchmark and print one table; the exit status is 1 where a target was missed.

Command: `python -m bench`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench import growth, throughput
from bench.figures import print_table

with tempfile.TemporaryDirectory(prefix="bench-") as place:
    figures = throughput.measure(Path(place) / "throughput", rounds=11, count=1280)
    figures += growth.measure(Path(place) / "growth", alerts=1_000_000, rounds=11)
sys.exit(print_table(figures))
