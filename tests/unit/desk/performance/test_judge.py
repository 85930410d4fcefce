"""When a strategy falls back to paper and returns: at exactly the trade the rule says."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from desk.performance.judge import PAPER, Rules, Standing, adopt, change, judge


def run(rules: Rules, *results: int, start: Standing | None = None, returns: bool = True):
    """Return the standing after these trades, and at which of them what was said."""
    standing, said = adopt(start or Standing(), rules, 0), []
    for number, net in enumerate(results, start=1):
        standing, verdict = judge(standing, rules, Decimal(net), "2026-01-01", returns=returns)
        if verdict:
            said.append((number, verdict.mode, verdict.is_offer))
            if not verdict.is_offer:
                standing = change(standing, verdict.mode, verdict.text, number)
    return standing, said


def test_two_failed_windows_in_a_row_demote():
    """At the last trade of the second, not before; a window between them that passes begins anew."""
    rules = Rules(window=2, windows=2)
    assert run(rules, -1, -1, -1)[1] == []
    assert run(rules, -1, -1, -1, -1)[1] == [(4, "paper", False)]
    assert run(rules, -1, -1, 1, 1, -1, -1)[1] == []


def test_the_defaults_are_two_windows_of_twenty():
    """A result of exactly nothing passes."""
    assert run(Rules(), *[-1] * 40)[1] == [(40, "paper", False)]
    assert run(Rules(), *[0] * 80)[1] == []


@pytest.mark.parametrize(
    ("rules", "results", "at"),
    [
        (Rules(max_drawdown=Decimal(10)), (5, -4, -6), 3),
        (Rules(max_consecutive_losses=3), (-1, -1, 1, -1, -1, -1), 6),
        (Rules(max_daily_loss=Decimal(5)), (-4, 1, -2), 3),
        (Rules(window=2, windows=1, min_win_rate=Decimal(50)), (-1, 3, 5, 5), None),
        (Rules(window=2, windows=1, min_win_rate=Decimal(60)), (-1, 3), 2),
        (Rules(window=2, windows=1, min_net_pnl=Decimal(4)), (1, 2), 2),
    ],
)
def test_a_rule_demotes_at_exactly_one_trade(rules, results, at):
    """Drawdown, losses in a row and the day's loss at once; the others when a window completes."""
    assert [number for number, *_ in run(rules, *results)[1]] == ([at] if at else [])


def test_one_profitable_window_on_paper_promotes():
    """One that brought nothing does not."""
    rules = Rules(window=2, windows=1)
    assert run(rules, -1, -1, 1, -1, 2, 1)[1] == [(2, "paper", False), (6, "live", False)]


def test_promotion_by_hand_is_told_once():
    """And the mode stays."""
    standing, said = run(Rules(window=1), 1, 1, 1, start=Standing(mode=PAPER), returns=False)
    assert said == [(1, "live", True)]
    assert standing.mode == PAPER


def test_a_rule_that_is_added_does_not_judge_the_past():
    """It counts from now; the window in progress goes on."""
    before, _ = run(Rules(window=3, windows=1), -5, -5)
    after = adopt(before, Rules(window=3, windows=1, max_drawdown=Decimal(8)), 77)
    assert after.since_rule == {"window": 0, "windows": 0, "min_net_pnl": 0, "max_drawdown": 77}
    again, verdict = judge(
        after, Rules(window=3, max_drawdown=Decimal(8)), Decimal(-1), "", returns=True
    )
    assert verdict is None
    assert again.failed == 1


def test_profitable_strategies_are_seldom_demoted():
    """At the defaults, of simulated profitable ones with a hundred trades, at most a fifth ever is."""
    lots = random.Random(15)
    demoted = 0
    for _ in range(1000):
        # It wins as often as it loses, and then 1.5 times as much: a profit factor of 1.5.
        results = [150 if lots.random() < 0.5 else -100 for _ in range(100)]
        demoted += bool(run(Rules(), *results)[1])
    assert demoted <= 200
