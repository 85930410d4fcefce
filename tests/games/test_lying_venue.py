"""The desk against venues that lie: nothing doubled, nothing left, nothing bare, whatever is lost."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.games.game import PERPETUAL, play

GAMES = int(os.environ.get("GAMES", "100000"))
"""How many games the drill plays; fewer for a look: `GAMES=2000 make drill`."""


def test_venues_that_lie_double_nothing_leave_nothing_and_bare_nothing():
    """After lost requests, late answers, partial fills, refusals, hands and crashes a close still closes."""
    for seed in range(250):
        play(seed)


def test_venues_of_perpetuals_that_lie_are_played_in_all_their_manners():
    """The desk is the OCO: stop and target rest side by side, are resized in their place or replaced."""
    for seed in range(200):
        play(seed, PERPETUAL)


@pytest.mark.parametrize("manners", [None, PERPETUAL], ids=["all", "perpetuals"])
def test_several_targets_and_moved_stops_are_played_against_venues_that_lie(manners):
    """Together the exits never exceed the position, the stop is for all that is left and never loosened."""
    for seed in range(300):
        play(seed, manners, with_targets=True)


LOST_ONCE = {
    "a part of it waited and a part was denied": 90,
    "a limit exit that waits claimed nothing": 2030,
    "what was written off is nobody's": 2530,
    "a clock that runs ahead lost the second": 500_087,
    "a coin that was paid came back with a read": 500_421,
    "a close by a clock that runs ahead was stale": 500_969,
    "a stop left although its exit filled in the same batch": 520_966,
    "the same where the stop is alone": 521_209,
    "a quotient a hair above the step took one step more": 523_369,
}
"""Games that showed a fault, by what it was."""


@pytest.mark.parametrize("seed", LOST_ONCE.values(), ids=LOST_ONCE.keys())
def test_a_game_that_was_lost_once_is_not_lost_again(seed):
    """Each is played as it was when it showed a fault."""
    play(seed)


def _play_some(first: int, count: int) -> str:
    for seed in range(first, first + count):
        try:
            play(seed, PERPETUAL if seed % 4 == 0 else None, with_targets=seed % 8 > 3)
        except AssertionError as error:
            return f"seed {seed}: {error}"
    return ""


@pytest.mark.drill
def test_a_hundred_thousand_games_against_venues_that_lie():
    """The same for many more seeds, on every core."""
    count = 250
    with ProcessPoolExecutor() as cores:
        starts = range(10_000, 10_000 + GAMES, count)
        found = [text for text in cores.map(_play_some, starts, [count] * len(starts)) if text]
    assert not found, found[:5]
    print(f"{GAMES} games: nothing doubled, nothing left, nothing bare")  # noqa: T201 - a drill tells
