"""Fixtures that every test may use."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests.support.fakes import DeskBench
from tests.support.venue_bench import VenueBench

# The same cases on every machine; HYPOTHESIS_PROFILE=random looks for new ones.
hypothesis.settings.register_profile("steady", derandomize=True, deadline=None)
hypothesis.settings.register_profile("random", deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


@pytest.fixture(autouse=True)
def keep_garbage_out_of_deep_places(request: pytest.FixtureRequest) -> Iterator[None]:
    """Collect nothing where a text is nested to the limit of the stack.

    What another test left behind would be finalized there without a frame to spare, and blamed on this one.
    """
    if "nest" not in request.node.name:
        yield
        return
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[DeskBench]:
    """Give a desk with the shipped defaults, driven by hand."""
    found = DeskBench(tmp_path)
    yield found
    found.store.close()


@pytest.fixture
def make_bench(tmp_path: Path) -> Iterator[Callable[..., DeskBench]]:
    """Make a desk from the text of a config.yaml."""
    made: list[DeskBench] = []

    def make(config: str, brokers: dict[str, Any] | None = None) -> DeskBench:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(DeskBench(folder, config, brokers))
        return made[-1]

    yield make
    for each in made:
        each.store.close()


@pytest.fixture
def make_venue_bench() -> Iterator[Callable[..., VenueBench]]:
    """Make a desk at a venue of a kind."""
    made: list[VenueBench] = []

    def make(kind: str = "reduce-only", **options: Any) -> VenueBench:
        made.append(VenueBench(kind, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()
