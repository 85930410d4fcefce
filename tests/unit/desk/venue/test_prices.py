"""When live prices are asked for: each at its own pace, and none forgotten because another was slow."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from brokers.instruments.symbols import classify
from desk.orders.evolve import evolve
from desk.orders.order import NO_ORDER
from desk.orders.position_book import PositionBook
from desk.venue.prices import AT_ONCE, Feed, Priced

NOW = 1_763_700_000_000


def resting(symbol: str) -> PositionBook:
    """Return a paper book in which an order rests."""
    instrument = classify(symbol, None, date(2025, 11, 21))
    return PositionBook("a", True, instrument, {}, {"o": evolve(NO_ORDER, status="accepted")})


def make_feed(symbols: list[str]) -> tuple[Feed, list[Priced]]:
    """Return a feed for books in which orders rest, and what it delivers."""
    got: list[Priced] = []
    state: Any = None
    feed = Feed(state, lambda _: Decimal(1), lambda _, job: job(), got.append)
    for symbol in symbols:
        feed.note(("a", True, symbol), resting(symbol))
    return feed, got


def test_many_resting_symbols_are_all_asked_for_a_few_at_once():
    """Ten at a time, and the others as soon as those have come back."""
    symbols = [f"{chr(65 + n)}AAUSDT" for n in range(25)]
    feed, got = make_feed(symbols)
    seen: list[str] = []
    for step in range(3):
        feed.start_due(NOW + step)
        assert len(got) <= AT_ONCE
        for priced in got:
            feed.learn(priced, NOW + step)
        seen += [priced.symbol for priced in got]
        got.clear()
    assert sorted(seen) == sorted(symbols)


def test_a_price_that_comes_late_after_all_ends_the_silence():
    """Who was too slow once is asked again in two seconds, not in a minute."""
    feed, _ = make_feed(["BTCUSDT"])
    feed.start_due(NOW)
    feed.start_due(NOW + 700)
    assert feed.next_at() == NOW + 60_700
    feed.learn(Priced("BTCUSDT", Decimal(1)), NOW + 800)
    assert feed.next_at() == NOW + 2_800


def test_a_clock_that_is_set_back_stops_no_price():
    """What was fresh for two seconds stays so for two seconds."""
    feed, got = make_feed(["BTCUSDT"])
    feed.start_due(NOW)
    feed.learn(got.pop(), NOW)
    feed.shift(-3_600_000)
    assert feed.next_at() == NOW - 3_600_000 + 2_000
