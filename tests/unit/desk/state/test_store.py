from __future__ import annotations

import resource
import shutil
import sqlite3
import stat
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from desk.alerts.delivery import Delivery, PendingReply
from desk.engine.commands import Command
from desk.engine.events import AlertReceived
from desk.formats import to_json
from desk.orders.journal import Notice
from desk.state.rows import AlertRow, Batch
from desk.state.store import Store, StoreDamaged, StoreUnavailable
from parsers import parse
from tests.support.fakes import START, DeskBench, HangingBroker
from tests.support.running import await_true, read_state, receivers, running

BUY = {"action": "buy", "symbol": "BTCUSDT", "quantity": 1, "price": 100}
DAY = 86_400


@pytest.fixture
def store(tmp_path):
    """Open a store of its own."""
    found = Store(tmp_path / "state.db")
    yield found
    found.close()


@pytest.fixture
def start(tmp_path):
    """Start receivers; they are stopped at the end."""
    with receivers(tmp_path) as function:
        yield function


def row(seq: int = 1, alert_id: str = "alert_1") -> AlertRow:
    """Return an alert as it is kept."""
    return AlertRow(seq, alert_id, START, "s", "BTCUSDT", "filled", True, 1, "{}", "{}", "{}")


def batch_of(*rows: AlertRow, **more) -> Batch:
    """Return a batch of alerts."""
    return Batch(alerts={each.seq: each for each in rows}, **more)


def fail_on(store: Store, table: str) -> None:
    """Let every further row of a table fail."""
    store._db.execute(
        f"CREATE TEMP TRIGGER broken BEFORE INSERT ON main.{table} "
        "BEGIN SELECT RAISE(ABORT, 'no'); END"
    )


# --- one batch, one commit -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "table", ["alerts", "identities", "cash", "prices", "strategies", "switches", "events"]
)
def test_a_batch_is_written_whole_or_not_at_all(store, table):
    """Whichever table fails, nothing of the batch stays, and the next batch is written."""

    def full(seq: int) -> Batch:
        return batch_of(
            row(seq, f"alert_{seq}"),
            identities=[(bytes([seq]) * 16, f"alert_{seq}", seq, START)],
            cash={"a": "1"},
            prices={"b": ("2", START)},
            strategies={"c": START},
            switches={"all": ("why", START)},
            notices=[(START, Notice("e", "m"))],
        )

    fail_on(store, table)
    with pytest.raises(StoreUnavailable, match=r"state\.db"):
        store.write(full(1))
    store._db.execute("DROP TRIGGER broken")
    assert store.last_seq() == 0
    with read_state(store.path) as db:
        for name in ("alerts", "identities", "cash", "prices", "strategies", "switches", "events"):
            assert db.execute(f"SELECT count(*) FROM {name}").fetchone() == (0,), name
    store.write(full(2))
    assert store.find_alert("alert_2") == row(2, "alert_2")


def test_a_batch_that_no_database_takes_spoils_no_other(store):
    """Half a surrogate pair cannot be written; that is our fault and not the disk's, and it is undone."""
    with pytest.raises(UnicodeEncodeError):
        store.write(batch_of(row(), strategies={"\ud800": START}))
    store.write(batch_of(row(2, "alert_2")))
    assert [each.seq for each in store.load_last(10)] == [2]


def test_equal_trade_ids_of_two_orders_are_two_fills(make_bench):
    """Many venues number trades per symbol: the same number on another symbol is another trade."""

    class Instant(HangingBroker):
        def place_order(self, request):
            self.may_answer.set()
            self.asked = [request]
            return super().place_order(request)

    bench = make_bench(
        "accounts: {v: {broker: hanging, sandbox: true, market: linear}}\ndefault_account: v",
        {"hanging": Instant()},
    )
    for symbol in ("BTCUSDT", "ETHUSDT"):
        answer = bench.send(action="buy", symbol=symbol, quantity=1, price=100)

        def is_filled(alert_id=answer["alert_id"]):
            bench.desk.turn([e for e in bench.desk._inbox.take() if e is not None])
            return bench.status_of(alert_id) == "filled"

        await_true(is_filled)
    assert (bench.held("default", "BTCUSDT", "v"), bench.held("default", "ETHUSDT", "v")) == (1, 1)


# --- a file that cannot be used ------------------------------------------------------------------


def make_garbage(path):
    """Write what is no database."""
    path.write_bytes(b"this is no database at all " * 400)


def make_foreign(path):
    """Write a database of another program."""
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE theirs (x)")
    db.close()


def make_newer(path):
    """Write a state of a later version."""
    Store(path).close()
    db = sqlite3.connect(path)
    db.execute("UPDATE meta SET value = '99'")
    db.commit()
    db.close()


@pytest.mark.parametrize("damage", [make_garbage, make_foreign, make_newer])
def test_a_file_that_is_no_state_is_refused_and_left_alone(tmp_path, damage):
    """The text names the file and what to do; not a byte of it changes."""
    path = tmp_path / "state.db"
    damage(path)
    before = path.read_bytes()
    with pytest.raises(StoreDamaged) as error:
        Store(path)
    assert str(path) in str(error.value)
    assert "move" in str(error.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize("place", [0.2, 0.5, 0.8])
def test_a_damaged_state_stops_the_start(start, capsys, place):
    """Pages that were overwritten end the start with code 3 and the file's name, not with a traceback."""
    receiver = start()
    for number in range(30):
        receiver.buy(strategy=f"s{number}")
    receiver.stop()
    path = receiver.settings.state_path
    assert not path.with_name("state.db-wal").exists()
    data = bytearray(path.read_bytes())
    at = int(len(data) * place) // 4096 * 4096
    data[at : at + 4096 * 6] = b"\x5a" * 4096 * 6
    path.write_bytes(data)
    before = path.read_bytes()
    with pytest.raises(SystemExit) as error:
        receiver.open()
    assert error.value.code == 3
    said = capsys.readouterr().err
    assert str(path) in said
    assert "move it away" in said
    assert path.read_bytes() == before


def test_the_state_is_its_owners_alone(start):
    """State, write-ahead log, lock and log file are created with mode 0600."""
    receiver = start()
    receiver.buy()
    names = {path.name for path in receiver.folder.iterdir()} - {"config.yaml"}
    assert names >= {"state.db", "state.db-wal", "state.db.lock", "webhook_alerts.log"}
    for name in names:
        assert stat.S_IMODE((receiver.folder / name).stat().st_mode) == 0o600, name


def test_the_state_may_lie_in_a_folder_of_any_name(tmp_path, start):
    """Spaces, # and % in a path are part of its name."""
    folder = tmp_path / "a #1 100%25 ?x"
    folder.mkdir()
    with receivers(folder) as begin:
        receiver = begin()
        alert_id = receiver.buy().get_json()["alert_id"]
        assert receiver.get(f"/history/{alert_id}")["status"] == "filled"


# --- a file that goes away -----------------------------------------------------------------------


def remove(path):
    """Delete a file."""
    path.unlink()


def replace(path):
    """Put a copy in the place of a file."""
    shutil.copy(path, path.with_name("copy.db"))
    path.unlink()
    path.with_name("copy.db").rename(path)


@pytest.mark.parametrize("take_away", [remove, replace])
def test_a_state_that_goes_away_is_noticed(start, take_away):
    """The file deleted or replaced while running: 503, the status says so, nothing is traded."""
    receiver = start()
    assert receiver.buy().status_code == 200
    take_away(receiver.settings.state_path)
    began = datetime.now(UTC) - timedelta(milliseconds=1)  # what is written has whole milliseconds
    refused = receiver.buy("ETHUSDT")
    assert (refused.status_code, refused.get_json()["code"]) == (503, "NOT_RECORDED")
    public = receiver.client.get("/status").get_json()
    assert (public["status"], public["open"]["not_recording"]) == ("attention", 1)
    receiver.buy("SOLUSDT")
    [trouble] = receiver.get("/status")["open"]["not_recording"]
    assert "state.db" in trouble["reason"]
    if take_away is remove:
        assert receiver.get("/positions")["code"] == "STATE_UNAVAILABLE"
    assert began <= datetime.fromisoformat(trouble["since"]) <= datetime.now(UTC)
    assert receiver.client.get("/webhook/test").status_code == 200


@pytest.mark.slow
def test_a_full_disk_is_a_503_and_reading_goes_on(tmp_path):
    """Nothing is traded that cannot be recorded; with space again alerts are taken, and none was lost."""
    with running(tmp_path) as server:
        done = [server.post(**BUY, strategy=f"a{number}") for number in range(3)]
        worker, wal = server.worker(), server.state.with_name("state.db-wal")
        size = wal.stat().st_size
        refused, number = None, 100
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (size + 20_000, resource.RLIM_INFINITY))
        while refused is None:
            number += 1
            assert number < 400
            status, answer = server.post(**BUY, strategy=f"a{number}")
            if status == 503:
                refused = {**BUY, "strategy": f"a{number}"}
            else:
                done.append((status, answer))
        assert answer["code"] == "NOT_RECORDED"
        assert server.post(**refused)[0] == 503
        assert server.get("/history?limit=1000")["count"] == len(done)
        assert server.get("/status")["open"]["not_recording"]
        limit = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(worker, resource.RLIMIT_FSIZE, limit)
        done.append(server.post(**refused))
        assert {status for status, _ in done} == {200}
        positions = server.held()
        assert sorted(positions.values()) == [1] * len(done)
        server.kill()
    with read_state(tmp_path / "state.db") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        kept = {alert_id for (alert_id,) in db.execute("SELECT alert_id FROM alerts")}
        assert kept == {answer["alert_id"] for _, answer in done}
        assert db.execute("SELECT count(*) FROM fills").fetchone() == (len(done),)


def test_an_alert_answered_503_is_not_traded_behind_the_answer(start, monkeypatch):
    """While another holds the state, what waits is answered 503 and never happens; its resend trades once.

    Also what the desk was just about to write: a close in between and the resend would open it again.
    """
    receiver = start()
    taken = threading.Event()
    write = Store._write

    def tell(self, batch):
        taken.set()
        write(self, batch)

    monkeypatch.setattr("desk.api.alert_api.RECORD_WITHIN_SECONDS", 0.2)
    first = receiver.alert(**BUY, strategy="first")
    second = receiver.alert(**BUY, strategy="second")
    answers = {}

    def deliver(alert):
        client = receiver.app.test_client()
        answers[alert["strategy"]] = client.post("/webhook", json=alert)

    threads = [threading.Thread(target=deliver, args=(alert,)) for alert in (first, second)]
    with closing(sqlite3.connect(receiver.settings.state_path)) as other:
        other.execute("BEGIN IMMEDIATE")
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {name: each.status_code for name, each in answers.items()} == {
            "first": 503,
            "second": 503,
        }
        monkeypatch.setattr(Store, "_write", tell)
        other.rollback()
    await_true(taken.is_set)  # the desk has come through with what it had begun
    monkeypatch.setattr("desk.api.alert_api.RECORD_WITHIN_SECONDS", 2.3)
    assert receiver.send(action="close", symbol="BTCUSDT", price=100).status_code == 200
    assert (receiver.get("/history")["count"], receiver.held()) == (1, {})
    again = [receiver.client.post("/webhook", json=alert) for alert in (first, second)]
    assert [each.status_code for each in again] == [200, 200]
    assert [each.get_json()["duplicate"] for each in again] == [False, False]
    assert len(receiver.fills()) == 2


def test_what_is_being_committed_is_not_answered_503(start, monkeypatch):
    """The time to answer runs out during the commit itself: the sender waits for it and hears the truth."""
    receiver = start()
    withdraw, tried = PendingReply.withdraw, threading.Event()

    def tell(self):
        tried.set()
        return withdraw(self)

    def stall(self, batch, may_commit):
        def keep_and_stall():
            is_kept = may_commit()
            tried.wait(10)
            return is_kept

        return write(self, batch, keep_and_stall)

    write = Store.write
    monkeypatch.setattr(Store, "write", stall)
    monkeypatch.setattr(PendingReply, "withdraw", tell)
    monkeypatch.setattr("desk.api.alert_api.RECORD_WITHIN_SECONDS", 0.05)
    answer = receiver.buy()
    assert (answer.status_code, answer.get_json()["status"]) == (200, "filled")
    assert tried.is_set()
    assert len(receiver.fills()) == 1


def test_a_commit_that_fails_late_is_503_and_never_happens(start, monkeypatch):
    """It had been taken, the sender waited for it, and the disk failed at the last moment."""
    receiver = start()
    monkeypatch.setattr("desk.engine.loop.RETRY_SECONDS", 0)
    write, left = Store.write, [1]

    def fail(self, batch, may_commit):
        def keep_and_fail():
            may_commit()
            if left:
                left.pop()
                raise sqlite3.OperationalError("disk I/O error")
            return True

        return write(self, batch, keep_and_fail)

    monkeypatch.setattr(Store, "write", fail)
    alert = receiver.alert(**BUY)
    first, again = (receiver.client.post("/webhook", json=alert) for _ in range(2))
    assert (first.status_code, again.status_code) == (503, 200)
    assert again.get_json()["duplicate"] is False
    assert len(receiver.fills()) == 1


def test_whoever_still_waits_is_recorded_when_another_gave_up(bench: DeskBench):
    """Two share a commit and one was told that nothing is recorded: the other trades, once."""
    first, second = PendingReply(), PendingReply()
    asks = []
    for name, reply in (("first", first), ("second", second)):
        body = to_json({**BUY, "strategy": name}).encode()
        message = parse(body)
        delivery = Delivery(message.alerts, message.strategies, body, "", bench.clock())
        asks.append(AlertReceived(delivery, reply, 0.0))
    write = bench.store.write

    def abandon_alert(batch, may_commit):
        first.withdraw()
        return write(batch, may_commit)

    bench.store.write = abandon_alert  # type: ignore[method-assign]
    bench.desk.turn(asks)
    assert (first.is_recorded, second.is_recorded) == (False, True)
    assert second.answers[0].shape["status"] == "filled"
    assert (bench.held("first", "BTCUSDT"), bench.held("second", "BTCUSDT")) == (0, 1)
    assert [row.strategy for row in bench.desk.state.history.values()] == ["second"]


@pytest.mark.parametrize("name", ["halt", "flatten"])
def test_a_control_that_was_answered_503_never_happens(bench: DeskBench, name):
    """The operator was told to try again: what he does meanwhile is not undone behind him."""
    bench.again(**BUY)
    options = {"scope": "all"} if name == "halt" else {"account": "paper_simulator", "symbol": None}
    command = Command(name, options, PendingReply())
    assert command.reply.withdraw()
    bench.desk.turn([command])
    assert not bench.desk.state.halts
    assert bench.held("default", "BTCUSDT") == 1


# --- identities ----------------------------------------------------------------------------------


def test_an_identity_is_found_until_it_runs_out(store):
    """A claim is found while it lasts, not after, and is forgotten then."""
    mark = b"m" * 16
    store.write(batch_of(row(), identities=[(mark, "alert_1", 1, START + 1000)]))
    assert store.find_identity(mark, START + 999) == ("alert_1", 1, START + 1000)
    assert store.find_identity(mark, START + 1000) is None
    store.forget_identities(START + 999)
    assert store.find_identity(mark, START) is not None
    store.forget_identities(START + 1000)
    assert store.find_identity(mark, START) is None


def test_identities_expire_and_their_rows_go(bench: DeskBench):
    """Without a key 40 seconds, with one a day; the rows are removed within an hour after."""
    plain = {"id": "x", **BUY}
    keyed = {**BUY, "symbol": "ETHUSDT", "idempotency_key": "k"}
    bench.again(**plain)
    bench.again(**keyed)
    bench.tick(39)
    assert bench.again(**plain)["duplicate"] is True
    bench.tick(2)
    assert bench.again(**plain)["duplicate"] is False
    bench.tick(DAY - 60)
    assert bench.again(**keyed)["duplicate"] is True
    bench.tick(3 * 3600)
    assert bench.again(**keyed)["duplicate"] is False
    with read_state(bench.store.path) as db:
        assert db.execute("SELECT count(*) FROM identities").fetchone() == (1,)
