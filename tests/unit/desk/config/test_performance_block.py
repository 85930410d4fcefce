"""The `performance:` block: its defaults, whose lines win, and what a mistake in it is answered."""

from __future__ import annotations

import pytest

from brokers.paper import Paper
from desk.config.load import SettingsError, load


def read(tmp_path, text):
    """Return the settings that a config.yaml says."""
    (tmp_path / "config.yaml").write_text(text)
    return load(tmp_path / "config.yaml", {}, {"paper": Paper.facts})


def test_nothing_is_judged_without_the_block(tmp_path):
    """An empty one takes the defaults."""
    assert read(tmp_path, "strategies: {s: {}}").performance_of("s") is None
    found = read(tmp_path, "performance: {}").performance_of("whoever")
    assert (found.window, found.windows, found.min_net_pnl) == (20, 2, 0)


def test_a_strategys_own_lines_win_over_the_top_levels(tmp_path):
    """The other lines are those of the top level."""
    text = "performance: {window: 5, max_drawdown: 9}\nstrategies: {s: {performance: {window: 3}}}"
    found = read(tmp_path, text).performance_of("s")
    assert (found.window, found.max_drawdown) == (3, 9)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("performance: {windo: 5}", "performance.windo: is not a setting; did you mean window?"),
        ("performance: {window: 0}", "performance.window: expected a whole number from 1"),
        ("performance: 5", "performance"),
        ("strategies: {s: {performance: 5}}", "strategies.s.performance"),
        ("strategies: {s: {performance: {windo: 5}}}", "did you mean window?"),
    ],
)
def test_a_mistake_is_named(tmp_path, text, said):
    """With its place and what is right."""
    with pytest.raises(SettingsError) as error:
        read(tmp_path, text)
    assert said in str(error.value)
