"""The desk against a venue that lies: nothing doubled, nothing left, whatever is lost on the way."""

from __future__ import annotations

import pytest

from tests.lying_venue import play

VENUES = {
    "reduce-only": frozenset({"reduce_only", "stop"}),
    "plain": frozenset({"stop"}),
    "locks the balance": frozenset({"stop", "locks_balance"}),
}


@pytest.mark.parametrize("venue", VENUES)
def test_a_lying_venue_doubles_nothing_and_keeps_no_position(venue: str) -> None:
    """After lost requests, lost answers, partial fills, refusals and crashes a close still closes."""
    for seed in range(40):
        play(seed, VENUES[venue])


@pytest.mark.drill
@pytest.mark.parametrize("venue", VENUES)
def test_thousands_of_games_against_a_lying_venue(venue: str) -> None:
    """The same, two thousand times for each kind of venue."""
    for seed in range(10_000, 12_000):
        play(seed, VENUES[venue])
    print(f"2000 games, venue {venue}: nothing doubled, nothing left")  # noqa: T201 - a drill tells
