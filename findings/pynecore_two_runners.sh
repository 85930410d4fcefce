#!/usr/bin/env bash
# Two strategies that are stepped in turn trade on each other's chart.
#
# Seen with pynesys-pynecore 6.11.0. `ScriptRunner.run_iter()` is a generator, one bar a step, and its
# argument `update_syminfo_every_run` is "needed for parallel script executions". Two runners with
# scripts, bars and symbols of their own, stepped in turn, do not stay apart: the entry of the chart
# at 100 fills at 501, the price of the other. No error, no warning. Run one after the other, both are
# right.
#
# Expected: each runner fills at its own price (102 and 502), stepped in turn or not.
# Output seen:
#     one after the other: [102.0, 502.0]
#     in turn:             [501.0, 501.0]
# What to do: one runner a process, or finish one before the next begins.
#
# Ends with 0 while this is so, and with 1 as soon as it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pynesys-pynecore==6.11.0
cat > finding.py <<'PYTHON'
from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from datetime import time
from pathlib import Path

os.environ["PYNE_SAVE_SCRIPT_TOML"] = "0"

from pynecore.core.script_runner import ScriptRunner
from pynecore.core.syminfo import SymInfo, SymInfoInterval, SymInfoSession
from pynecore.types.ohlcv import OHLCV

SCRIPT = '''"""
@pyne
"""
from pynecore.lib import bar_index, plot, script, strategy

@script.strategy("Buys on its second bar", default_qty_type=strategy.fixed, default_qty_value=1)
def main():
    if bar_index == 1:
        strategy.entry("Long", strategy.long)
    plot(strategy.position_avg_price, "price")
'''


def symbol(ticker: str) -> SymInfo:
    """Return a symbol that trades around the clock."""
    return SymInfo(
        prefix="BINANCE",
        description="",
        ticker=ticker,
        currency="USDT",
        period="60",
        type="crypto",
        mintick=0.01,
        pricescale=100,
        pointvalue=1.0,
        mincontract=0.001,
        opening_hours=[SymInfoInterval(day, time(0), time(23, 59, 59)) for day in range(7)],
        session_starts=[SymInfoSession(day, time(0)) for day in range(7)],
        session_ends=[SymInfoSession(day, time(23, 59, 59)) for day in range(7)],
        timezone="UTC",
    )


def run(folder: str, ticker: str, base: float) -> Iterator[float]:
    """Yield the average price of the position after each bar of a chart that begins at `base`."""
    path = Path(folder) / f"{ticker}.py"
    path.write_text(SCRIPT, encoding="utf-8")
    bars = [
        OHLCV(
            1_767_225_600_000 + n * 3_600_000,
            base + n,
            base + n + 1,
            base + n - 1,
            base + n + 0.5,
            1.0,
        )
        for n in range(4)
    ]
    runner = ScriptRunner(path, bars, symbol(ticker), update_syminfo_every_run=True)
    for _, plots, *_ in runner.run_iter():
        yield plots["price"]


def main() -> None:
    """Compare both ways."""
    with tempfile.TemporaryDirectory() as folder:
        alone = [list(run(folder, name, base))[2] for name, base in (("A", 100.0), ("B", 500.0))]
        in_turn = list(zip(run(folder, "A", 100.0), run(folder, "B", 500.0), strict=True))[2]
    print(f"one after the other: {alone}")
    print(f"in turn:             {list(in_turn)}")
    sys.exit(0 if (alone, list(in_turn)) == ([102.0, 502.0], [501.0, 501.0]) else 1)


main()
PYTHON
env/bin/python finding.py
