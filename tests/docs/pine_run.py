"""Run a Pine script on bars and print what TradingView would send.

A program of its own, because the runtime changes how Python imports and keeps one chart in globals. It reads
one JSON object from its input: `script`, `ticker`, `minutes` of a bar, `since` (when the first one opens) and
`bars` of open, high, low and close. It prints a list in the order of time: for each order that filled the
values of its placeholders and the message that the script wrote for it, and for each `alert()` its text.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from datetime import time
from pathlib import Path
from typing import Any

os.environ["PYNE_SAVE_SCRIPT_TOML"] = "0"  # no file beside the script

import pine2pyne
import pynecore.lib.alert
from pynecore import lib
from pynecore.core import script_runner
from pynecore.core.syminfo import SymInfo, SymInfoInterval, SymInfoSession
from pynecore.lib.strategy import SimPosition
from pynecore.types.ohlcv import OHLCV

TEXTS = {"profit": "alert_profit", "loss": "alert_loss", "trailing": "alert_trailing"}
sent: list[dict[str, Any]] = []


def watch_orders() -> None:
    """Note each order that fills. The runtime fills a reversal in two halves; TradingView sends one order."""
    fill = SimPosition.fill_order

    def fill_order(position: Any, order: Any, price: float) -> bool:
        before = position.size
        is_turned = fill(position, order, price)
        change = position.size - before
        if change:
            own = getattr(order, TEXTS.get(order.filled_by_type, ""), None)
            sent.append(
                {
                    "text": own or order.alert_message,
                    "strategy.order.action": "buy" if change > 0 else "sell",
                    "strategy.order.contracts": plain(abs(change)),
                    "strategy.order.price": plain(position._last_fill_price),
                    "strategy.order.id": order.exit_id or order.order_id,
                    "strategy.position_size": plain(position.size),
                    "strategy.market_position": side(position.size),
                    "timenow": lib._timenow_ms,
                }
            )
        return is_turned

    SimPosition.fill_order = fill_order


def watch_alerts() -> None:
    """Note what `alert()` says."""

    def alert(message: str, freq: Any = None) -> None:
        sent.append({"text": message, "timenow": lib._timenow_ms})

    pynecore.lib.alert.alert = alert


def keep_time(milliseconds: int) -> None:
    """Let `timenow` be when the bar closes (the runtime pins it to the last bar, or reads the clock)."""
    begin = script_runner._set_lib_properties

    def begin_bar(bar: OHLCV, *rest: Any, **more: Any) -> Any:
        lib._timenow_ms = bar.timestamp + milliseconds
        done = begin(bar, *rest, **more)
        lib.syminfo.ticker = lib.syminfo.root  # the runtime puts the exchange in front
        return done

    script_runner._set_lib_properties = begin_bar


def describe(ticker: str, minutes: int) -> SymInfo:
    """Return a symbol that trades around the clock."""
    days = range(7)
    return SymInfo(
        prefix="BINANCE",
        description="",
        ticker=ticker,
        currency="USD",
        period=str(minutes),
        type="crypto",
        mintick=0.01,
        pricescale=100,
        pointvalue=1.0,
        mincontract=0.001,
        opening_hours=[SymInfoInterval(day, time(0), time(23, 59, 59)) for day in days],
        session_starts=[SymInfoSession(day, time(0)) for day in days],
        session_ends=[SymInfoSession(day, time(23, 59, 59)) for day in days],
        timezone="UTC",
    )


def plain(value: float) -> str:
    """Write a number without an exponent and without needless zeros."""
    text = f"{value:.8f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def side(size: float) -> str:
    """Name the side of a position."""
    return "long" if size > 0 else "short" if size < 0 else "flat"


def main() -> None:
    """Run one script."""
    order = json.loads(sys.stdin.read())
    length = order["minutes"] * 60_000
    bars = [
        OHLCV(order["since"] + number * length, *map(float, bar), 1.0)
        for number, bar in enumerate(order["bars"])
    ]
    watch_orders()
    watch_alerts()
    keep_time(length)
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "script.py"
        script.write_text(
            pine2pyne.transpile(Path(order["script"]).read_text(encoding="utf-8")), encoding="utf-8"
        )
        runner = script_runner.ScriptRunner(
            script, bars, describe(order["ticker"], order["minutes"])
        )
        for _ in runner.run_iter():
            pass
    sys.stdout.write(json.dumps(sent))


main()
