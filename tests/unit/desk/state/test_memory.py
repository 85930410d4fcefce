"""What is kept in memory and written for each alert: what is open, never what once was."""

from __future__ import annotations

import json
import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import desk.state.memory
from brokers.protocol import Fill, OrderReport
from desk.api.pages import show_strategies
from desk.engine.reconcile import take_late_report
from desk.engine.schedule import Schedule
from desk.orders.layered import Layered
from desk.orders.ledger import CHUNK, Lot, Lots
from desk.state.rows import ORDER, Batch
from desk.state.schema import VERSION
from desk.state.store import Store, StoreDamaged
from desk.state.tables import Key
from tests.support.fakes import DeskBench
from tests.support.venue_bench import VenueBench

OLD_STATE = Path(__file__).resolve().parents[3] / "states" / "schema_1.sql"
D = Decimal
UNLIMITED = """
webhook: {rate_limit: 1000000/minute}
risk: {max_orders_per_minute: null, max_orders_per_day: null, max_repeats: null}
"""


@pytest.fixture
def bench(make_bench):
    """Give a desk that trades as often as it is asked to."""
    return make_bench(UNLIMITED)


def count_rows(bench: DeskBench, table: str) -> int:
    """Return how many rows a table has."""
    return int(bench.store._db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def lots_of(bench: DeskBench, strategy: str) -> list[tuple[str, str]]:
    """Return quantity and price of each lot of a strategy."""
    [row] = [row for row in bench.positions() if row["strategy"] == strategy]
    return [(lot["quantity"], lot["price"]) for lot in row["lots"]]


# --- lots ----------------------------------------------------------------------------------------


@given(st.lists(st.integers(-90, 9).filter(bool), max_size=120))
def test_lots_are_taken_in_the_order_in_which_they_were_opened(moves):
    """A queue of chunks does as a plain list does, however much is taken at once."""
    lots, plain = Lots(), list[int]()
    for at, move in enumerate(moves):
        if move > 0:
            lots = lots.having(Lot(D(move), D(at), at))
            plain += [at] * move
            continue
        lots, taken = lots.taking(D(-move))
        units = [lot.opened_at for lot in taken for _ in range(int(lot.quantity))]
        assert units == plain[:-move]
        plain = plain[-move:]
    assert [lot.opened_at for lot in lots for _ in range(int(lot.quantity))] == plain
    assert len(lots) == len(list(lots))


def test_an_alert_writes_as_much_beside_a_thousand_lots_as_beside_thirty(bench):
    """What is written of a share are its two ends; whole chunks are never written again."""

    def write_one() -> int:
        written: list[int] = []
        write = bench.store.write

        def measure(batch: Batch, *more: Any) -> Any:
            before = bench.store._db.total_changes
            done = write(batch, *more)
            written.append(bench.store._db.total_changes - before)
            return done

        bench.store.write = measure  # type: ignore[method-assign]
        bench.send(strategy="grid", action="buy", symbol="BTCUSDT", quantity="0.1", price=100)
        bench.store.write = write  # type: ignore[method-assign]
        size = bench.store._db.execute("SELECT max(length(data)) FROM positions").fetchone()[0]
        return int(written[0]) * 10_000 + int(size)

    def buy(count: int) -> None:
        for _ in range(count):
            bench.send(strategy="grid", action="buy", symbol="BTCUSDT", quantity="0.1", price=100)

    buy(2 * CHUNK)
    few = write_one()
    buy(20 * CHUNK - 1)  # the same place within a chunk
    assert write_one() <= few * 1.02
    assert len(lots_of(bench, "grid")) == 22 * CHUNK + 1


@pytest.mark.parametrize("sold", ["0.1", "1.65", "3.2", "4.75", "5"])
def test_lots_are_the_same_after_a_restart(bench, sold):
    """Bought in fifty lots and sold in part or whole, each lot is there again, with its price."""
    for price in range(50):
        bench.send(strategy="s", action="buy", symbol="BTCUSDT", quantity="0.1", price=100 + price)
    bench.send(strategy="s", action="sell", symbol="BTCUSDT", quantity=sold, price=120)
    before = bench.positions()
    bench.restart()
    assert bench.positions() == before
    bench.send(strategy="s", action="buy", symbol="BTCUSDT", quantity=1, price=120)
    before = bench.positions()
    bench.restart()
    assert bench.positions() == before
    bench.send(strategy="s", action="close", symbol="BTCUSDT", price=120)
    assert count_rows(bench, "lots") == 0


def test_a_position_built_again_after_its_chunks_were_sold_is_not_mixed_with_them(bench):
    """Long fifty lots, turned round and built up again: after a restart only the new lots are there."""
    send = {"strategy": "s", "symbol": "BTCUSDT.P", "price": 100}
    for _ in range(50):
        bench.send(**send, action="buy", quantity=1)
    bench.send(**send, action="sell", quantity=51)
    for _ in range(40):
        bench.send(**send, action="sell", quantity=1)
    before = bench.positions()
    assert len(lots_of(bench, "s")) == 41
    bench.restart()
    assert bench.positions() == before


def test_a_commit_that_fails_leaves_the_lots_as_they_were(bench, monkeypatch):
    """A chunk that became whole in a batch that was not recorded is whole again in the next one."""
    monkeypatch.setattr("desk.engine.loop.RETRY_SECONDS", 0)
    send = {"strategy": "s", "symbol": "BTCUSDT", "price": 100, "action": "buy", "quantity": 1}
    for _ in range(CHUNK):
        bench.send(**send)
    bench.store._db.execute(
        "CREATE TEMP TRIGGER broken BEFORE INSERT ON main.lots BEGIN SELECT RAISE(ABORT, 'no'); END"
    )
    with pytest.raises(IndexError):
        bench.send(**send)
    bench.store._db.execute("DROP TRIGGER broken")
    for _ in range(3):
        bench.send(**send)
    assert len(lots_of(bench, "s")) == CHUNK + 3
    bench.restart()
    assert len(lots_of(bench, "s")) == CHUNK + 3


# --- a state of the build before -----------------------------------------------------------------


def open_old(folder: Path, lots: int) -> DeskBench:
    """Open a state that the build before wrote, with so many lots in one of its positions."""
    text = OLD_STATE.read_text()
    db = sqlite3.connect(folder / "state.db")
    db.executescript(text)
    [data] = db.execute("SELECT data FROM shares WHERE strategy = 'grid'").fetchone()
    share = json.loads(data)
    more = [{"quantity": "1", "price": str(200 + n), "opened_at": 1} for n in range(lots - 2)]
    share["position"]["lots"] += more
    share["position"]["quantity"] = str(Decimal("2.5") + len(more))
    db.execute("UPDATE shares SET data = ? WHERE strategy = 'grid'", (json.dumps(share),))
    db.commit()
    db.close()
    return DeskBench(folder, UNLIMITED)


@pytest.mark.parametrize("lots", [2, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 5])
def test_a_state_of_the_build_before_is_read(tmp_path, lots):
    """Positions with every lot, orders, levels and what was closed are there, and trading goes on."""
    bench = open_old(tmp_path, lots)
    rows = {row["strategy"]: row for row in bench.positions()}
    assert set(rows) == {"grid", "short", "rests"}
    assert rows["grid"]["quantity"] == str(Decimal("2.5") + lots - 2)
    assert lots_of(bench, "grid")[:2] == [("0.5", "100"), ("2", "110")]
    assert len(lots_of(bench, "grid")) == lots
    gain = sum((120 - D(price)) * D(size) for size, price in lots_of(bench, "grid"))
    assert D(rows["grid"]["open_pnl"]) == gain
    assert (rows["short"]["protected"], len(rows["short"]["orders"])) == (True, 2)
    assert len(rows["rests"]["orders"]) == 1
    [closed] = bench.closed()
    assert closed["strategy"] == "gone"
    before = bench.positions()
    bench.restart()
    assert bench.positions() == before
    answer = bench.send(strategy="grid", action="close", symbol="BTCUSDT", price=130)
    assert answer["status"] == "filled"
    assert count_rows(bench, "lots") == 0
    bench.store.close()


def test_a_time_from_the_future_in_a_state_of_the_build_before_blocks_nothing(tmp_path):
    """What closed alerts said is read only when their strategy trades again: it counts as of its arrival."""
    db = sqlite3.connect(tmp_path / "state.db")
    db.executescript(OLD_STATE.read_text())
    said = json.dumps({"strategy": "gone", "marks": {"flat": 9_999_999_999_999, "closed": 6}})
    db.execute("UPDATE shares SET data = ? WHERE strategy = 'gone'", (said,))
    db.commit()
    db.close()
    bench = DeskBench(tmp_path, UNLIMITED)
    bench.tick(60)
    fired = bench.clock() // 1000
    answer = bench.send(
        strategy="gone", action="buy", symbol="SOLUSDT", quantity=1, price=20, timenow=fired
    )
    assert answer["status"] == "filled"
    bench.store.close()


def test_an_upgrade_keeps_which_fills_of_an_order_were_booked(tmp_path):
    """Else the next look at the order would book them a second time."""
    db = sqlite3.connect(tmp_path / "state.db")
    db.executescript(OLD_STATE.read_text())
    client_id, text = db.execute("SELECT client_id, data FROM orders WHERE live = 1").fetchone()
    old = json.loads(text) | {"trades": ["t1", "t2"]}
    db.execute("UPDATE orders SET data = ? WHERE client_id = ?", (json.dumps(old), client_id))
    db.commit()
    db.close()
    store = Store(tmp_path / "state.db")
    [data] = store._db.execute(
        "SELECT data FROM orders WHERE client_id = ?", (client_id,)
    ).fetchone()
    assert ORDER.validate_json(data).fill_ids == {"t1", "t2"}
    store.close()


def test_an_upgrade_that_fails_leaves_the_state_as_it_was(tmp_path):
    """It is one transaction: the build before can still read the file."""
    db = sqlite3.connect(tmp_path / "state.db")
    db.executescript(OLD_STATE.read_text())
    db.execute("UPDATE shares SET data = '{' WHERE strategy = 'gone'")
    db.commit()
    before = list(db.iterdump())
    with pytest.raises(StoreDamaged, match=r"state\.db"):
        Store(tmp_path / "state.db")
    assert list(db.iterdump()) == before
    db.close()


def test_a_new_state_and_an_upgraded_one_have_the_same_tables(tmp_path):
    """Whoever reads a state need not know where it came from."""

    def columns(db: sqlite3.Connection) -> dict[str, set[str]]:
        names = [
            row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        return {n: {row[1] for row in db.execute(f"PRAGMA table_info({n})")} for n in names}

    (tmp_path / "old").mkdir()
    old = open_old(tmp_path / "old", 2)
    new = Store(tmp_path / "new.db")
    assert columns(old.store._db) == columns(new._db)
    version = old.store._db.execute("SELECT value FROM meta WHERE name = 'version'").fetchone()
    assert version == (str(VERSION),)
    old.store.close()
    new.close()


def test_a_state_that_knew_no_funding_gets_its_table(tmp_path):
    """Version 3 is read on; nothing that was in it changes."""
    store = Store(tmp_path / "state.db")
    store._db.execute("INSERT INTO cash VALUES ('a', '5')")
    store._db.execute("DROP TABLE funding")
    store._db.execute("DROP TABLE figures")
    store._db.execute("UPDATE meta SET value = '3' WHERE name = 'version'")
    store.close()
    again = Store(tmp_path / "state.db")
    assert (again.load_funding(), again.load_facts("cash")) == ([], [("a", "5")])
    again.close()


def test_a_state_that_knew_one_target_is_read_on(tmp_path):
    """Version 5 says the same of a position with one; a build that knows one no longer reads this state."""
    store = Store(tmp_path / "state.db")
    store._db.execute("INSERT INTO cash VALUES ('a', '5')")
    store._db.execute("UPDATE meta SET value = '5' WHERE name = 'version'")
    store.close()
    again = Store(tmp_path / "state.db")
    [version] = again._db.execute("SELECT value FROM meta WHERE name = 'version'").fetchone()
    assert (version, again.load_facts("cash")) == ("6", [("a", "5")])
    again.close()


# --- names ---------------------------------------------------------------------------------------


@pytest.fixture
def forgetful(bench, monkeypatch):
    """Give a desk that keeps three shares in memory which hold nothing."""
    monkeypatch.setattr(desk.state.memory, "KEPT_AT_REST", 3)
    return bench


def trade(bench: DeskBench, strategy: str, symbol: str = "BTCUSDT", **more) -> None:
    """Buy and sell one."""
    bench.send(strategy=strategy, action="buy", symbol=symbol, quantity=1, price=100, **more)
    bench.send(strategy=strategy, action="sell", symbol=symbol, quantity=1, price=100, **more)


def test_strategies_that_hold_nothing_are_forgotten(forgetful):
    """Twenty that once traded one symbol leave the three used last in memory, and none that is open."""
    for number in range(20):
        trade(forgetful, f"s{number}")
    state = forgetful.desk.state
    [book] = state.books.values()
    assert list(book.positions) == ["s17", "s18", "s19"]
    assert (set(state.active), state.open_books()) == ({"s17", "s18", "s19"}, [])


def test_names_of_strategies_are_forgotten_too_and_found_again(forgetful):
    """A strategy that was created long ago is not created a second time, nor does a halt of it warn."""
    forgetful.send(strategy="holds", action="buy", symbol="BTCUSDT", quantity=1, price=100)
    for number in range(20):
        trade(forgetful, f"s{number}")
    known = forgetful.desk.state.strategies
    assert len(known) <= 10
    assert {"holds", "s19"} <= set(known)
    assert "s0" not in known
    for _ in range(2):
        again = forgetful.send(strategy="s0", action="buy", symbol="BTCUSDT", quantity=1, price=100)
        assert again["warnings"] == []
        assert "s0" in {row["name"] for row in show_strategies(forgetful.desk)}
        forgetful.restart()
    assert "holds" in forgetful.desk.state.strategies
    assert "s0" in {row["name"] for row in show_strategies(forgetful.desk)}


def test_an_alert_walks_no_other_strategy_and_no_other_symbol(bench, monkeypatch):
    """With a hundred strategies and as many symbols open, only the alert's own share is looked at."""
    for number in range(100):
        bench.send(strategy=f"s{number}", action="buy", symbol="BTCUSDT", quantity=1, price=1)
        bench.send(strategy="s", action="buy", symbol=f"A{number}USDT", quantity=1, price=1)
    walked: list[int] = []
    whole, books = Layered._whole, bench.desk.state.open_books

    def walk(self: Layered[str, object]) -> dict[str, object]:
        walked.append(len(self))
        return whole(self)

    monkeypatch.setattr(Layered, "_whole", walk)
    monkeypatch.setattr(
        bench.desk.state, "open_books", lambda *some: walked.append(len(books(*some)))
    )
    for side in ("buy", "sell", "close"):
        bench.send(strategy="one", action=side, symbol="BTCUSDT", quantity=1, price=1)
    assert max(walked) <= 1


def test_what_is_read_grows_with_what_is_open(bench):
    """Of fifty symbols that were traded and closed, no page, read or comparison looks at one."""
    for number in range(50):
        trade(bench, "s", f"A{number}USDT")
    bench.send(strategy="s", action="buy", symbol="BTCUSDT", quantity=1, price=100)
    [book] = bench.desk.state.open_books()
    assert book.instrument.symbol == "BTCUSDT"
    bench.restart()
    assert list(bench.desk.state.books) == [("paper_simulator", True, "BTCUSDT")]


def test_symbols_of_which_nothing_is_held_are_forgotten(forgetful):
    """Twenty symbols that were once traded leave three books; what is open stays, however old."""
    forgetful.send(strategy="s", action="buy", symbol="BTCUSDT", quantity=1, price=100)
    for number in range(20):
        trade(forgetful, "s", f"A{number}USDT")
    state = forgetful.desk.state
    assert {key[2] for key in state.books} == {"BTCUSDT", "A17USDT", "A18USDT", "A19USDT"}
    assert set(state.by_instrument) == {key[2] for key in state.books}
    assert [book.instrument.symbol for book in state.open_books()] == ["BTCUSDT"]
    assert forgetful.held("s", "BTCUSDT") == 1


def test_a_forgotten_share_is_found_again_with_what_its_alerts_said(forgetful):
    """An entry that its own close has overtaken stays stale, also after twenty other strategies traded."""
    at = forgetful.clock() // 1000
    trade(forgetful, "old", timenow=at)
    for number in range(20):
        trade(forgetful, f"s{number}")
    late = forgetful.send(
        strategy="old", action="buy", symbol="BTCUSDT", quantity=1, price=100, timenow=at - 5
    )
    assert late["code"] == "STALE_ORDER"
    again = forgetful.send(strategy="old", action="buy", symbol="BTCUSDT", quantity=1, price=100)
    assert again["status"] == "filled"
    forgetful.restart()
    assert forgetful.held("old", "BTCUSDT") == 1


def test_equal_texts_are_told_apart_after_their_share_was_forgotten(forgetful):
    """Buy, close, buy with equal texts within 40 seconds is three trades, whoever traded in between."""
    buy = {"strategy": "old", "action": "buy", "symbol": "BTCUSDT", "quantity": 1, "price": 100}
    assert forgetful.again(**buy)["duplicate"] is False
    assert forgetful.again(**buy)["duplicate"] is True
    forgetful.send(strategy="old", action="close", symbol="BTCUSDT", price=100)
    for number in range(5):
        trade(forgetful, f"s{number}")
    assert "old" not in forgetful.desk.state.books[("paper_simulator", True, "BTCUSDT")].positions
    forgetful.restart()
    assert forgetful.again(**buy)["duplicate"] is False
    assert forgetful.held("old", "BTCUSDT") == 1


def test_ids_of_orders_go_on_where_a_share_was_forgotten(forgetful):
    """A share that is found again numbers its reducing orders on: no id is given twice."""
    for _ in range(3):
        trade(forgetful, "old")
        for number in range(5):
            trade(forgetful, f"s{number}")
    rows = forgetful.store._db.execute(
        "SELECT data FROM positions WHERE strategy = 'old'"
    ).fetchone()
    assert json.loads(rows[0])["serial"] == 3


def test_an_order_that_turns_up_late_is_booked_where_its_book_was_forgotten(monkeypatch):
    """The venue executed what had counted as absent, long after: the share is there, and told."""
    monkeypatch.setattr(desk.state.memory, "KEPT_AT_REST", 0)
    bench = VenueBench("reduce-only")
    bench.learn()
    answer = bench.send(strategy="s", action="buy", quantity="1")
    bench.send(strategy="s", action="close")
    for _ in range(3):
        bench.tick(30)
    assert not bench.desk.state.books
    [line] = answer["orders"]
    [order] = [o for *_, o in bench.store.find_orders(answer["alert_id"])]
    fill = Fill("late", order.client_id, "buy", D(1), D(100), D(0), "USDT", bench.clock())
    report = OrderReport(order.client_id, "filled", None, D(2), D(100), (fill,))
    found = take_late_report(bench.desk.context, report, bench.clock())
    assert line["filled_quantity"] == "1"
    assert found is not None
    assert found.position("s").quantity == 1
    bench.close()


def test_free_cash_is_what_a_walk_of_all_books_comes_to(bench):
    """Margined positions of several strategies, long and short, at prices that move."""
    for number, (side, symbol) in enumerate(
        [("buy", "BTCUSDT.P"), ("sell", "BTCUSDT.P"), ("sell", "ETHUSDT.P"), ("buy", "ES1!")]
    ):
        bench.send(strategy=f"s{number}", action=side, symbol=symbol, quantity=2, price=100)
    bench.send(strategy="s9", action="buy", symbol="BTCUSDT.P", quantity=1, price=120)
    bench.send(strategy="s1", action="close", symbol="BTCUSDT.P", price=130)
    state = bench.desk.state

    def walk() -> Decimal:
        local, name = state.paper("paper_simulator", bench.clock()), "paper_simulator"
        free = state.settings.accounts[name].cash + state.cash[name]
        for book in state.books.values():
            price = state.prices[book.instrument.symbol].price
            for share in book.positions.values():
                free += share.ledger.open_profit(price, book.instrument.point_value)
                free -= local.margin(book.instrument, share.quantity, price)
        return free

    assert state.free_cash("paper_simulator") == walk()
    bench.restart()
    state = bench.desk.state
    assert state.free_cash("paper_simulator") == walk()
    for name in ("s0", "s2", "s3", "s9"):
        symbol = {"s2": "ETHUSDT.P", "s3": "ES1!"}.get(name, "BTCUSDT.P")
        bench.send(strategy=name, action="close", symbol=symbol, price=100)
    assert not state.open_books()
    assert state.untied["paper_simulator"] == 0


# --- moments -------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 9), st.one_of(st.none(), st.integers(0, 20)))))
def test_a_schedule_tells_the_first_moment_and_what_is_due(moves):
    """Moved, taken out and put in again, each book has one moment, and it stays until it is moved."""
    schedule, plain = Schedule(), dict[Key, int]()
    for number, at in moves:
        key = ("a", True, str(number))
        schedule.set(key, at)
        plain.pop(key, None)
        plain |= {} if at is None else {key: at}
        assert schedule.next_at() == min(plain.values(), default=None)
        for now in (5, 20):
            due = sorted(schedule.due(now))
            assert due == sorted(key for key, moment in plain.items() if moment <= now)
    schedule.shift(100)
    assert schedule.next_at() == min((at + 100 for at in plain.values()), default=None)


# --- the dict behind it --------------------------------------------------------------------------


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 150)), max_size=200))
def test_a_layered_dict_is_a_dict(moves):
    """Put in and taken out in any order, it holds what a plain one holds, and no copy changes another."""
    layered, plain = Layered[int, int](), dict[int, int]()
    for number, (is_put, key) in enumerate(moves):
        before, known = layered, dict(plain)
        if is_put:
            layered, plain = layered.having(key, number), {**plain, key: number}
        else:
            layered = layered.without(key)
            plain.pop(key, None)
        assert dict(before) == known
    assert (dict(layered), len(layered)) == (plain, len(plain))
    assert all((key in layered) is (key in plain) for key in range(151))
