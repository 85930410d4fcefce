#!/usr/bin/env bash
# `timenow` on recorded bars is the clock of the machine, so no two runs are alike.
#
# Seen with pynesys-pynecore 6.11.0. Its documentation says of `timenow`: "On a bounded historical
# replay this is the timestamp of the data's last bar, which keeps a backtest reproducible". That is
# so under the command `pyne run` alone. `ScriptRunner` on a list of bars gives the clock of the
# machine, on every bar, and another one on the next run. A script that compares `time` with
# `timenow`, or writes `timenow` into a message, differs each time.
#
# Expected: 1767232800000, the last bar, on both runs.
# Output seen:
#     the clock of the machine: True; the same on the second run: False
# What to do: set `pynecore.lib._timenow_ms` before each bar; there is no public way.
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
from datetime import time
from pathlib import Path
from time import sleep, time_ns

os.environ["PYNE_SAVE_SCRIPT_TOML"] = "0"

from pynecore.core.script_runner import ScriptRunner
from pynecore.core.syminfo import SymInfo, SymInfoInterval, SymInfoSession
from pynecore.types.ohlcv import OHLCV

SCRIPT = '''"""
@pyne
"""
from pynecore.lib import plot, script, timenow

@script.indicator("What time it is")
def main():
    plot(timenow, "now")
'''
FIRST, HOUR = 1_767_225_600_000, 3_600_000
SYMBOL = SymInfo(
    prefix="BINANCE",
    description="",
    ticker="BTCUSDT",
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


def run() -> list[int]:
    """Return `timenow` on each of three bars of the first hours of 2026."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "now.py"
        path.write_text(SCRIPT, encoding="utf-8")
        bars = [OHLCV(FIRST + n * HOUR, 100.0, 101.0, 99.0, 100.5, 1.0) for n in range(3)]
        return [int(step[1]["now"]) for step in ScriptRunner(path, bars, SYMBOL).run_iter()]


def main() -> None:
    """Run the same bars twice."""
    first = run()
    sleep(0.05)
    second = run()
    is_clock = all(abs(now - time_ns() // 1_000_000) < 60_000 for now in first + second)
    print(f"the clock of the machine: {is_clock}; the same on the second run: {first == second}")
    sys.exit(0 if is_clock and first != second else 1)


main()
PYTHON
env/bin/python finding.py
