"""What the benchmark of growth puts into a state is what a receiver finds there."""

from bench.growth import TABLES, add_lots, add_strategies, add_symbols
from desk.state.schema import INSERTS
from desk.state.store import Store


def test_a_state_that_was_grown_holds_what_was_put_into_it(tmp_path):
    """Lots, strategies and symbols are loaded as positions that are open."""
    state = tmp_path / "state.db"
    add_lots(state, 100)
    add_strategies(state, 3)
    add_symbols(state, 2)
    store = Store(state)
    held = {book.instrument.symbol: book.positions for book in store.load_books()}
    store.close()
    assert set(held) == {"BTCUSDT.P", "COIN0USDT.P", "COIN1USDT.P"}
    assert set(held["BTCUSDT.P"]) == {"bench-0", "other-0", "other-1", "other-2"}
    assert len(held["BTCUSDT.P"]["bench-0"].ledger.lots) == 100


def test_the_tables_that_are_multiplied_exist():
    """A table that was renamed is not left out of a million alerts."""
    assert set(TABLES) <= set(INSERTS)
