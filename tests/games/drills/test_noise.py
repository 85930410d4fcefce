from __future__ import annotations

import pytest

from tests.games.drills.noise import Judge, Noise
from tests.server.test_fuzz import CONFIG
from tests.support.running import receivers

REQUESTS = 15_000


@pytest.mark.drill
@pytest.mark.parametrize("seed", range(100, 103))
def test_a_long_noise_is_no_fault(tmp_path, seed):
    """The same promises as of the short fuzz, over many more requests."""
    noise = Noise(seed)
    with receivers(tmp_path) as start:
        judge = Judge(start(CONFIG))
        for number in range(REQUESTS):
            if number % 100 == 0:
                judge.receiver.control("/resume")
            judge.deliver(noise.make())
        figures = judge.close()
    text = "\n".join(f"{name:28}{value}" for name, value in figures.items())
    print(f"\n{text}")  # noqa: T201 - a drill shows its figures
