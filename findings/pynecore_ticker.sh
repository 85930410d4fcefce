#!/usr/bin/env bash
# `syminfo.ticker` carries the exchange, so a script writes another symbol than at TradingView.
#
# Seen with pynesys-pynecore 6.11.0. In Pine `syminfo.ticker` is "symbol name without exchange prefix"
# and `syminfo.tickerid` the one with it. Here both are `BINANCE:BTCUSDT`; only `syminfo.root` has the
# plain name. A message that a script builds with `syminfo.ticker` is therefore not the one that
# TradingView would send.
#
# Expected: BTCUSDT and BINANCE:BTCUSDT.
# Output seen:
#     ticker: BINANCE:BTCUSDT, tickerid: BINANCE:BTCUSDT
# What to do: set `pynecore.lib.syminfo.ticker` back after the runner has set it (at the start, or
# before each bar with `update_syminfo_every_run`).
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

os.environ["PYNE_SAVE_SCRIPT_TOML"] = "0"

from pynecore.core.script_runner import ScriptRunner
from pynecore.core.syminfo import SymInfo, SymInfoInterval, SymInfoSession
from pynecore.types.ohlcv import OHLCV

SCRIPT = '''"""
@pyne
"""
from pynecore.lib import plot, script, syminfo

@script.indicator("What the symbol is called")
def main():
    plot(syminfo.ticker, "ticker")
    plot(syminfo.tickerid, "tickerid")
'''
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


def main() -> None:
    """Run one bar and read both names."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "names.py"
        path.write_text(SCRIPT, encoding="utf-8")
        bars = [OHLCV(1_767_225_600_000, 100.0, 101.0, 99.0, 100.5, 1.0)]
        (step,) = ScriptRunner(path, bars, SYMBOL).run_iter()
        found = dict(step[1])
    print(f"ticker: {found['ticker']}, tickerid: {found['tickerid']}")
    sys.exit(0 if found == {"ticker": "BINANCE:BTCUSDT", "tickerid": "BINANCE:BTCUSDT"} else 1)


main()
PYTHON
env/bin/python finding.py
