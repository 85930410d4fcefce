from __future__ import annotations

import sys

import pytest

from tests.games.drills.kills import drill

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks processes up in /proc")


@pytest.mark.parametrize(
    ("kills", "senders"),
    [
        pytest.param(5, 4, marks=pytest.mark.slow, id="5"),
        pytest.param(200, 6, marks=pytest.mark.drill, id="200"),
    ],
)
def test_kill_9_under_load_loses_and_doubles_nothing(tmp_path, kills, senders):
    """Every alert that was answered is recorded with its outcome, none traded twice, all sums agree."""
    figures = drill(tmp_path, kills, senders, seed=kills)
    text = "\n".join(f"{name:28}{value}" for name, value in figures.items())
    print(f"\n{text}")  # noqa: T201 - a drill shows its figures
    assert figures["answered and not recorded"] == figures["traded twice"] == 0
    assert figures["answered 2xx"] > kills
