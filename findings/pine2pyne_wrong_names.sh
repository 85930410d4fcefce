#!/usr/bin/env bash
# A function and an argument that do not exist pass every check, and a run that does not reach them.
#
# Seen with opencode-pine2pyne 0.2.4 and pynesys-pynecore 6.11.0. `transpile()` "refuses a script when
# TradingView refuses it", and TradingView refuses both names. Here the script is translated without a
# warning, and the runtime, which does refuse an unknown constant (`strategy.lng`) when it loads the
# script, runs it. Only a bar that reaches the line ends with an error. So a branch that is rare, such
# as a stop, is unchecked until money needs it.
#
# Expected: an error from `transpile()`, or at the latest when the script is loaded.
# Output seen:
#     strategy.clse: translated, loaded and run
#     alert_mesage: translated, loaded and run
#     the same, reached: AttributeError, TypeError
# What to do: let test bars reach every order and every alert of a script.
#
# Ends with 0 while this is so, and with 1 as soon as it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check pynesys-pynecore==6.11.0 opencode-pine2pyne==0.2.4
cat > finding.py <<'PYTHON'
from __future__ import annotations

import os
import sys
import tempfile
from datetime import time
from pathlib import Path

os.environ["PYNE_SAVE_SCRIPT_TOML"] = "0"

import pine2pyne
from pynecore.core.script_runner import ScriptRunner
from pynecore.core.syminfo import SymInfo, SymInfoInterval, SymInfoSession
from pynecore.types.ohlcv import OHLCV

MISSPELT = {
    "strategy.clse": 'strategy.clse("Long")',
    "alert_mesage": 'strategy.entry("Long", strategy.long, 1, alert_mesage = "hello")',
}
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


def run(line: str, above: int) -> str:
    """Run a line on bars at 100 where the close is above a number; return the error, or what was done."""
    source = f"""//@version=6
strategy("Misspelt")
if close > {above}
    {line}
plot(close)
"""
    bars = [
        OHLCV(1_767_225_600_000 + n * 3_600_000, 100.0, 101.0, 99.0, 100.5, 1.0) for n in range(3)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "misspelt.py"
        path.write_text(pine2pyne.transpile(source), encoding="utf-8")
        try:
            for _ in ScriptRunner(path, bars, SYMBOL).run_iter():
                pass
        except Exception as error:  # noqa: BLE001 - which one it is, is the finding
            return type(error).__name__
    return "translated, loaded and run"


def main() -> None:
    """Run each line where no bar reaches it, and where one does."""
    unreached = {name: run(line, 1_000_000) for name, line in MISSPELT.items()}
    reached = [run(line, 0) for line in MISSPELT.values()]
    for name, done in unreached.items():
        print(f"{name}: {done}")
    print(f"the same, reached: {', '.join(reached)}")
    is_silent = set(unreached.values()) == {"translated, loaded and run"}
    sys.exit(0 if is_silent and reached == ["AttributeError", "TypeError"] else 1)


main()
PYTHON
env/bin/python finding.py
