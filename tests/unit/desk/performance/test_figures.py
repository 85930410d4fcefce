"""Figures of closed trades: each against what a person would work out by hand."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from desk.performance.figures import NOTHING, Figures, count_trade

MONEY = st.decimals(min_value=-1000, max_value=1000, places=2, allow_nan=False)


def count(*results: Decimal | str) -> Figures:
    """Return the figures of trades with these results, one a millisecond, each with a fee of 1."""
    figures = NOTHING
    for at, net in enumerate(results, start=1):
        figures = count_trade(figures, Decimal(net), Decimal(1), at)
    return figures


def test_nothing_can_be_said_of_no_trade():
    """Neither a rate nor an average, and no drawdown."""
    assert (NOTHING.win_rate, NOTHING.expectancy, NOTHING.average_win) == (None, None, None)
    assert (NOTHING.profit_factor, NOTHING.max_drawdown, NOTHING.net_pnl) == (None, 0, 0)


def test_figures_of_three_trades():
    """Two wins of 30 and 10, and a loss of 20."""
    found = count("30", "-20", "10")
    assert (found.trades, found.wins, found.losses) == (3, 2, 1)
    assert (found.net_pnl, found.fees) == (20, 3)
    assert (found.profit_factor, found.average_win, found.average_loss) == (2, 20, -20)
    assert (found.max_drawdown, found.drawdown, found.consecutive_losses) == (20, 10, 0)
    assert found.last_trade_at == 3


def test_a_first_loss_is_a_drawdown_from_zero():
    """The running result begins at zero, which is its first peak."""
    assert count("-5", "-7").max_drawdown == 12
    assert count("-5", "-7").consecutive_losses == 2


def test_a_trade_that_brought_nothing_is_neither_won_nor_lost():
    """It ends a row of losses."""
    found = count("-5", "0")
    assert (found.trades, found.wins, found.losses, found.consecutive_losses) == (2, 0, 1, 0)
    assert found.profit_factor == 0


@given(st.lists(MONEY, max_size=60))
def test_counting_one_by_one_agrees_with_counting_all_at_once(results):
    """Whatever the trades are."""
    found = count(*results)
    running = [sum(results[:n], Decimal(0)) for n in range(len(results) + 1)]
    falls = [max(running[: n + 1]) - each for n, each in enumerate(running)]
    lost = [each for each in results if each < 0]
    row = 0
    for each in reversed(results):
        if each >= 0:
            break
        row += 1
    assert found.net_pnl == running[-1]
    assert found.max_drawdown == max(falls)
    assert found.losses == len(lost)
    assert found.consecutive_losses == row
    assert found.lost == -sum(lost, Decimal(0))
