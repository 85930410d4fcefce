"""A backup holds everything, and a state that does not is noticed."""

from __future__ import annotations

import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing

import pytest

from desk.state.backup import CannotBackUp, back_up
from desk.state.rows import Batch
from desk.state.store import Store, StoreDamaged, StoreUnavailable
from desk.state.wholeness import mark_of, wal_of
from tests.support.running import GUARDED, ROOT, launch, read_fills, running
from tests.unit.desk.state.test_store import row

BUY = {"action": "buy", "symbol": "BTCUSDT", "quantity": 1, "price": 100}


def fill(path, count=3, first=1):
    """Return a store that is in use and has alerts which stand in its -wal file."""
    store = Store(path)
    for seq in range(first, first + count):
        store.write(Batch(alerts={seq: row(seq, f"alert_{seq}")}))
    return store


def kill(store):
    """Let go of a state as a kill does: all of its files stay as they are."""
    names = [store.path, wal_of(store.path), mark_of(store.path)]
    kept = {each: each.read_bytes() for each in names if each.exists()}
    store._db.close()
    for path, data in kept.items():
        path.write_bytes(data)


@pytest.fixture
def path(tmp_path):
    """Return where the state lies."""
    return tmp_path / "state.db"


def test_a_backup_of_a_state_in_use_holds_everything(tmp_path, path):
    """What stands in the -wal alone is in it, it needs no file beside it, and it is its owner's alone."""
    store = fill(path)
    target = tmp_path / "copy.db"
    assert back_up(path, target).startswith(f"{target} holds 3 alerts and 0 fills")
    store.write(Batch(alerts={4: row(4, "alert_4")}))
    store.close()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert {each.name for each in tmp_path.iterdir()} == {"state.db", "copy.db"}
    with closing(Store(target)) as copy:
        assert [each.seq for each in copy.load_last(10)] == [1, 2, 3]
        copy.write(Batch(alerts={4: row(4, "another_4")}))


def test_a_backup_overwrites_nothing(tmp_path, path):
    """Not a file, not the state itself, not what a link points to; and none is left where it fails."""
    fill(path).close()
    target = tmp_path / "copy.db"
    target.write_text("precious")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    for each in (target, path, link):
        with pytest.raises(CannotBackUp, match="is there already"):
            back_up(path, each)
    assert target.read_text() == "precious"
    assert not (tmp_path / "elsewhere").exists()
    with pytest.raises(CannotBackUp, match="no state"):
        back_up(tmp_path / "none.db", tmp_path / "new.db")
    with pytest.raises(CannotBackUp, match="cannot be written"):
        back_up(path, tmp_path / "none" / "new.db")
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(CannotBackUp):
        back_up(path, tmp_path / "new.db")
    assert not (tmp_path / "new.db").exists()


def test_the_command_backs_up_beside_a_running_receiver(tmp_path):
    """`--backup FILE` says what it wrote, and a receiver started on it knows every fill."""
    target = tmp_path / "copy" / "state.db"
    target.parent.mkdir()
    with running(tmp_path) as server:
        for number in range(3):
            assert server.post(**BUY, strategy=f"s{number}")[0] == 200
        command = [sys.executable, str(ROOT / "webhook_server.py"), "--backup", str(target)]
        command += ["--config", str(tmp_path / "config.yaml")]
        environ = {"PATH": "/usr/bin:/bin", **GUARDED}
        done = subprocess.run(command, capture_output=True, text=True, env=environ, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert f"{target} holds 3 alerts and 3 fills" in done.stdout
        again = subprocess.run(command, capture_output=True, text=True, env=environ, check=False)
        assert again.returncode == 3
        assert "is there already" in again.stderr
        assert server.post(**BUY, strategy="s3")[0] == 200
    assert len(read_fills(target)) == 3
    with running(target.parent) as restored:
        assert len(restored.held()) == 3


# --- what is not whole -----------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"x", b"SQLite format 3\0", b"x" * 5000])
def test_a_state_that_is_nearly_empty_is_refused(path, data):
    """It is never ours: a new state gets its name when it is complete."""
    path.write_bytes(data)
    with pytest.raises(StoreDamaged, match=r"state\.db cannot be used"):
        Store(path)
    assert path.read_bytes() == data


def test_a_copy_without_its_wal_is_refused(tmp_path, path):
    """The newest alerts stood there: they would be traded again, and their positions forgotten."""
    store = fill(path)
    copy = tmp_path / "copy" / "state.db"
    copy.parent.mkdir()
    shutil.copy(path, copy)
    with pytest.raises(StoreDamaged, match="copied without its -wal"):
        Store(copy)
    with pytest.raises(CannotBackUp, match="copied without its -wal"):
        back_up(copy, tmp_path / "new.db")
    shutil.copy(wal_of(path), wal_of(copy))
    with closing(Store(copy)) as whole:
        assert whole.last_seq() == 3
    store.close()


def test_a_wal_that_was_removed_after_a_kill_is_noticed(path):
    """Removed or cut to nothing; to go on with what is left one removes the mark, as the text says."""
    for cut in (lambda: wal_of(path).unlink(), lambda: wal_of(path).write_bytes(b"")):
        path.unlink(missing_ok=True)
        mark_of(path).unlink(missing_ok=True)
        wal_of(path).unlink(missing_ok=True)
        kill(fill(path))
        cut()
        with pytest.raises(StoreDamaged, match=r"-mark|-wal"):
            Store(path)
    mark_of(path).unlink()
    with closing(Store(path)) as store:
        assert store.last_seq() == 0


def test_a_state_that_somebody_looked_into_after_a_kill_is_whole(path):
    """The sqlite3 program moves the -wal into the state and removes it: nothing is missing."""
    kill(fill(path))
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM alerts").fetchone() == (3,)
    assert not wal_of(path).exists()
    with closing(Store(path)) as store:
        assert store.last_seq() == 3


def test_after_a_kill_the_state_is_whole(path):
    """Killed at once, in the middle, and again."""
    for expected in (0, 3, 6):
        with closing(Store(path)) as store:
            assert store.last_seq() == expected
        kill(fill(path, first=expected + 1))


def test_the_wal_of_another_state_is_refused(tmp_path, path):
    """A backup put in place beside the old -wal: SQLite would write the one over the other."""
    store = fill(path)
    back_up(path, tmp_path / "copy.db")
    kill(store)
    wal = wal_of(path).read_bytes()
    shutil.copy(tmp_path / "copy.db", path)
    with pytest.raises(StoreDamaged, match="belongs to another state"):
        Store(path)
    assert wal_of(path).read_bytes() == wal
    wal_of(path).unlink()
    with closing(Store(path)) as restored:
        assert restored.last_seq() == 3


def test_a_wal_without_its_state_is_refused(path):
    """An empty state would be started, and SQLite would remove the -wal."""
    kill(fill(path))
    path.unlink()
    with pytest.raises(StoreDamaged, match="missing"):
        Store(path)
    assert wal_of(path).exists()
    assert not path.exists()


@pytest.mark.parametrize("size", [0, 100, 4000])
def test_a_wal_cut_while_running_is_noticed(path, size):
    """Nothing more is recorded, so that nothing is traded that is not; the next start is refused."""
    store = fill(path)
    with wal_of(path).open("r+b") as wal:
        wal.truncate(size)
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="cut, removed or replaced while running"):
            store.write(Batch(alerts={4: row(4, "alert_4")}))
    store.close()
    with pytest.raises(StoreDamaged):
        Store(path)


def test_a_wal_removed_while_running_is_noticed(path):
    """The same for a file that is gone or another."""
    store = fill(path)
    wal_of(path).unlink()
    with pytest.raises(StoreUnavailable, match="cut, removed or replaced"):
        store.write(Batch(alerts={4: row(4, "alert_4")}))
    store.close()


def test_a_checkpoint_by_another_program_is_no_damage(path):
    """What replicates a state may empty its -wal into the state: the receiver goes on."""
    with closing(fill(path)) as store:
        with closing(sqlite3.connect(path)) as other:
            assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        assert wal_of(path).stat().st_size == 0
        store.write(Batch(alerts={4: row(4, "alert_4")}))
    with closing(Store(path)) as again:
        assert again.last_seq() == 4


def test_a_receiver_does_not_start_on_half_a_state(tmp_path):
    """Exit code 3 and one sentence; nothing is changed."""
    (tmp_path / "state.db").write_bytes(b"")
    server = launch(tmp_path)
    assert server.process.wait(20) == 3
    (said,) = server.said().splitlines()
    assert "state.db cannot be used as the state (it has 0 bytes" in said
    assert (tmp_path / "state.db").read_bytes() == b""
