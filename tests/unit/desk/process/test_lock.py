from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from desk.process.lock import StateLock, StateLocked
from tests.support.running import ROOT, await_true

HOLD = """
import os, sys
from pathlib import Path
from desk.process.lock import StateLock
lock = StateLock(Path(sys.argv[1]))
lock.acquire(0)
print("held", flush=True)
sys.stdin.readline()
if sys.argv[2:] == ["leave"]:
    lock.leave()
    print("leaving", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def hold(tmp_path):
    """Let another process, the child of yet another, hold the lock of a state; it ends with the test."""
    held = []

    def start(*options):
        command = [sys.executable, "-c", HOLD, str(tmp_path / "state.db"), *options]
        shell = f"import subprocess, sys; subprocess.run({command!r})"
        process = subprocess.Popen(
            [sys.executable, "-c", shell],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        held.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in held:
        if process.poll() is None:
            process.communicate("\n\n")


def test_a_state_in_use_is_refused_at_once(tmp_path, hold):
    """Another process holds the state: an error that names it and says what to do, without waiting."""
    hold()
    lock = StateLock(tmp_path / "state.db")
    with pytest.raises(StateLocked) as error:
        lock.acquire(patience_seconds=60)
    lock.release()
    assert "already uses this state" in str(error.value)
    assert "state.db.lock: process " in str(error.value)
    assert "Stop it first" in str(error.value)


def test_a_state_is_free_once_its_holder_has_died(tmp_path, hold):
    """The lock lives as long as its process, so a file that is left behind locks nobody out."""
    hold().communicate("\n")
    lock = StateLock(tmp_path / "state.db")
    lock.acquire(0)
    assert lock.path.stat().st_mode & 0o777 == 0o600
    lock.release()
    lock.acquire(0)
    lock.release()


def test_a_successor_waits_for_who_is_leaving(tmp_path, hold):
    """Who says that it is about to end is waited for; the lock then is ours."""
    process = hold("leave")
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "leaving\n"
    lock, taken = StateLock(tmp_path / "state.db"), threading.Event()

    def take():
        lock.acquire(30)
        taken.set()

    thread = threading.Thread(target=take)
    thread.start()
    assert not taken.wait(0.2)
    process.communicate("\n")
    await_true(taken.is_set)
    thread.join()
    lock.release()


def test_patience_has_an_end(tmp_path, hold):
    """Who says that it is leaving and never does is named in the end."""
    process = hold("leave")
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "leaving\n"
    lock = StateLock(tmp_path / "state.db")
    with pytest.raises(StateLocked):
        lock.acquire(0.1)
    lock.release()


def test_a_sibling_is_waited_for(tmp_path):
    """On a reload old and new worker have one parent: the new one waits instead of refusing."""
    first, second = StateLock(tmp_path / "state.db"), StateLock(tmp_path / "state.db")
    first.acquire(0)
    with pytest.raises(StateLocked):
        second.acquire(0.1)
    threading.Timer(0.1, first.release).start()
    second.acquire(30)
    second.release()
