"""Judge a strategy by its closed trades: when it falls back to paper, and when it may return (rules 15).

One trade at a time; what was judged is never judged again. Pure: trades, days and moments are arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal

from desk.formats import write_number

ZERO = Decimal(0)
LIVE, PAPER = "live", "paper"


@dataclass(frozen=True, slots=True)
class Rules:
    """What a strategy must keep to; None is no rule. Amounts are in the account's currency."""

    window: int = 20
    windows: int = 2
    min_net_pnl: Decimal = ZERO
    min_win_rate: Decimal | None = None
    max_drawdown: Decimal | None = None
    max_consecutive_losses: int | None = None
    max_daily_loss: Decimal | None = None

    def written(self) -> dict[str, str]:
        """Return the rules that are set, as texts."""
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: str(value) for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Standing:
    """What a strategy's orders are now, why, and what was counted towards a change of it."""

    mode: str = LIVE
    since: int = 0
    reason: str = ""
    trades: int = 0
    wins: int = 0
    net: Decimal = ZERO
    """Of the window in progress."""
    failed: int = 0
    """How many completed windows have failed in a row."""
    result: Decimal = ZERO
    peak: Decimal = ZERO
    losses: int = 0
    day: str = ""
    day_net: Decimal = ZERO
    rules: Mapping[str, str] = field(default_factory=dict)
    since_rule: Mapping[str, int] = field(default_factory=dict)
    """Since when each rule counts."""
    is_offered: bool = False
    """Whether the user was told that it may return by hand."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A change of mode, or with `is_offer` only that it may be made."""

    mode: str
    text: str
    is_offer: bool = False


def adopt(standing: Standing, rules: Rules, now: int) -> Standing:
    """Return a standing under these rules: one that was changed counts from now, and the window goes on."""
    written = rules.written()
    if written == standing.rules:
        return standing
    since = {
        name: standing.since_rule.get(name, now) if standing.rules.get(name) == value else now
        for name, value in written.items()
    }
    fresh = {name for name, at in since.items() if standing.rules.get(name) != written[name]}
    changed = replace(standing, rules=written, since_rule=since)
    if "max_drawdown" in fresh:
        changed = replace(changed, result=ZERO, peak=ZERO)
    if "max_consecutive_losses" in fresh:
        changed = replace(changed, losses=0)
    if "max_daily_loss" in fresh:
        changed = replace(changed, day="", day_net=ZERO)
    return changed


def change(standing: Standing, mode: str, reason: str, now: int) -> Standing:
    """Return a standing in another mode, with an empty window."""
    kept = {"rules": standing.rules, "since_rule": standing.since_rule}
    return Standing(mode=mode, since=now, reason=reason, **kept)  # type: ignore[arg-type]


def judge(
    standing: Standing, rules: Rules, net: Decimal, day: str, *, returns: bool
) -> tuple[Standing, Verdict | None]:
    """Count one closed trade of the present mode, and return what follows.

    `returns`: a profitable window on paper ends in live trading, and is not only told of.
    """
    result = standing.result + net
    counted = replace(
        standing,
        trades=standing.trades + 1,
        wins=standing.wins + (net > 0),
        net=standing.net + net,
        result=result,
        peak=max(standing.peak, result),
        losses=standing.losses + 1 if net < 0 else 0,
        day=day,
        day_net=net if day != standing.day else standing.day_net + net,
    )
    if standing.mode == PAPER:
        return _judge_paper(counted, rules, returns=returns)
    if text := _broken_at_once(counted, rules):
        return counted, Verdict(PAPER, text)
    if counted.trades < rules.window:
        return counted, None
    why = _failing(counted, rules)
    failed = counted.failed + 1 if why else 0
    counted = replace(counted, trades=0, wins=0, net=ZERO, failed=failed)
    if failed < rules.windows:
        return counted, None
    many = f"{failed} windows in a row" if failed > 1 else "a window"
    return counted, Verdict(PAPER, f"{many} of {rules.window} trades failed; of the last {why}")


def _judge_paper(
    counted: Standing, rules: Rules, *, returns: bool
) -> tuple[Standing, Verdict | None]:
    if counted.trades < rules.window:
        return counted, None
    net, is_good = counted.net, counted.net > 0 and not _failing(counted, rules)
    counted = replace(counted, trades=0, wins=0, net=ZERO)
    if not is_good:
        return counted, None
    text = f"a window of {rules.window} trades on paper brought {write_number(net)}"
    if returns:
        return counted, Verdict(LIVE, text)
    if counted.is_offered:
        return counted, None
    return replace(counted, is_offered=True), Verdict(LIVE, text, is_offer=True)


def _broken_at_once(counted: Standing, rules: Rules) -> str:
    """Return which rule that is judged at each trade was broken, in words; empty where none was."""
    fall = counted.peak - counted.result
    if rules.max_drawdown is not None and fall >= rules.max_drawdown:
        return f"max_drawdown is {rules.max_drawdown} and the drawdown is {write_number(fall)}"
    most = rules.max_consecutive_losses
    if most is not None and counted.losses >= most:
        return f"max_consecutive_losses is {most} and {counted.losses} trades in a row lost"
    if rules.max_daily_loss is not None and -counted.day_net >= rules.max_daily_loss:
        lost = write_number(-counted.day_net)
        return f"max_daily_loss is {rules.max_daily_loss} and {lost} was lost on {counted.day}"
    return ""


def _failing(counted: Standing, rules: Rules) -> str:
    """Return what a completed window fails by, in words; empty where it passes."""
    if counted.net < rules.min_net_pnl:
        return f"net P&L is {write_number(counted.net)} and min_net_pnl is {rules.min_net_pnl}"
    rate = counted.wins * Decimal(100) / counted.trades
    if rules.min_win_rate is not None and rate < rules.min_win_rate:
        return f"win rate is {write_number(rate)} and min_win_rate is {rules.min_win_rate}"
    return ""
