"""Know what firms that fund traders ask of an account of theirs, as far as that can be a setting.

A preset fills in what the account does not say itself; every figure can be overridden there. Firms change
their rules often: the figures are those of the firms' public rule pages, second hand, as of 2026-11-20.
What trails with the equity (Topstep's maximum loss) is the firm's own to count and is not kept here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Preset:
    """What one kind of account is held to; None: the firm does not say, or nobody has found it said."""

    max_contracts: int | None = None
    """Full contracts in all; ten micros are one."""
    max_daily_loss: int | None = None
    flatten_at: str | None = None
    """A few minutes before the firm closes what is held."""
    host: str | None = None
    """Where its accounts live at Tradovate."""
    day: str = "17:00 America/Chicago"


_BEFORE_TOPSTEP = "15:05 America/Chicago"  # flat by 15:10
_BEFORE_TRADEDAY = "15:45 America/Chicago"  # closed by the firm ten minutes before 16:00
PRESETS: Mapping[str, Preset] = {
    "topstep-50k": Preset(5, 1000, _BEFORE_TOPSTEP),
    "topstep-100k": Preset(10, 2000, _BEFORE_TOPSTEP),
    "topstep-150k": Preset(15, 3000, _BEFORE_TOPSTEP),
    "apex": Preset(host="demo"),
    "tradeday": Preset(flatten_at=_BEFORE_TRADEDAY, host="demo"),
}


def apply_presets(accounts: Mapping[str, dict[str, Any]]) -> None:
    """Give each account that names a preset what it does not say itself."""
    for account in accounts.values():
        name = account.get("preset")
        preset = PRESETS.get(name) if isinstance(name, str) else None
        if preset is None:
            continue
        account.setdefault("day", preset.day)
        if preset.flatten_at:
            account.setdefault("flatten_at", preset.flatten_at)
        if preset.host and account.get("broker") == "tradovate" and not account.get("sandbox"):
            account.setdefault("host", preset.host)
        risk = account.setdefault("risk", {})
        for key in ("max_contracts", "max_daily_loss"):
            figure = getattr(preset, key)
            if figure is not None:
                risk.setdefault(key, Decimal(figure))


def is_preset(name: str) -> bool:
    """Tell whether a preset is known."""
    return name in PRESETS
