"""The games notice mistakes: each of a table of planted ones loses a game, or fails the test it names."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.games.mutations import MUTATIONS, ROOT, Mutation, Outcome, plant, play_in, prove_in

GAMES = 3_000
"""How many games a mistake may survive in the drill; nearly all are noticed within a hundred."""
SECONDS = 300
MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
SURE = (
    "an entry of which nothing is known is sent again",
    "a stop is not resized after a partial fill",
    "a second exit forgets that the first is still owed",
)
"""Three from different rooms, each noticed within a few games."""


def try_out(mutation: Mutation | None, games: int) -> Outcome:
    """Play up to so many games with one mistake planted, or run the tests that are to notice it."""
    with TemporaryDirectory(dir=MEMORY) as folder:
        plant(mutation, Path(folder))
        if mutation is not None and mutation.proof:
            return prove_in(Path(folder), mutation.proof, SECONDS)
        return play_in(Path(folder), 0, games, SECONDS)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda each: each.name)
def test_each_planted_mistake_has_its_place_in_the_source(mutation):
    """The text it replaces stands exactly once in its module, and what replaces it compiles."""
    text = (ROOT / mutation.path).read_text()
    assert text.count(mutation.old) == 1
    assert mutation.old != mutation.new
    assert not mutation.proof or (ROOT / mutation.proof).is_file()
    compile(text.replace(mutation.old, mutation.new), mutation.path, "exec")


def test_no_two_planted_mistakes_are_the_same():
    """Names and changes are told apart."""
    assert len({each.name for each in MUTATIONS}) == len(MUTATIONS)
    assert len({(each.path, each.old, each.new) for each in MUTATIONS}) == len(MUTATIONS)


@pytest.mark.slow
def test_games_without_a_planted_mistake_are_not_lost():
    """The copy that mistakes are planted in plays as well as the source."""
    assert try_out(None, 60) == Outcome(60)


@pytest.mark.slow
@pytest.mark.parametrize("name", SURE)
def test_a_planted_mistake_loses_a_game(name):
    """A game is lost by an assertion about trades, not by a crash."""
    [mutation] = [each for each in MUTATIONS if each.name == name]
    found = try_out(mutation, 300)
    assert found.is_caught, found


@pytest.mark.drill
def test_every_planted_mistake_loses_a_game():
    """All of the table, on every core; a line tells after how many games each was noticed."""
    survived = []
    with ThreadPoolExecutor(os.cpu_count()) as cores:
        results = cores.map(try_out, MUTATIONS, [GAMES] * len(MUTATIONS))
        for mutation, found in zip(MUTATIONS, results, strict=True):
            word = f"{found.games:5} games" if found.is_caught else "  SURVIVED "
            print(f"{word}  {mutation.name}", flush=True)  # noqa: T201 - a drill tells
            if not found.is_caught:
                survived.append((mutation.name, found.failure))
    assert not survived
