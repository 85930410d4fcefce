"""Run every benchmark and print one table; the exit status is 1 where a target was missed.

Command: `python -m bench`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench import (
    assistant,
    compare,
    exchange_orders,
    growth,
    notify,
    order_latency,
    page,
    throughput,
)
from bench.figures import print_table

with tempfile.TemporaryDirectory(prefix="bench-") as place:
    figures = throughput.measure(Path(place) / "throughput", rounds=11, count=1280)
    figures += throughput.measure_live(Path(place) / "live", rounds=7, count=640)
    figures += order_latency.measure(Path(place) / "orders", rounds=11, count=40)
    figures += exchange_orders.measure()
    figures += growth.measure(Path(place) / "growth", alerts=1_000_000, rounds=11)
    figures += page.measure(Path(place) / "page", rounds=7, count=2560)
    figures += assistant.measure(Path(place) / "assistant", alerts=1_000_000, rounds=9)
    figures += notify.measure(Path(place) / "notify", rounds=9, count=200)
    figures += compare.measure(Path(place) / "compare", count=100_000)
sys.exit(print_table(figures))
