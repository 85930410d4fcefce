from __future__ import annotations

import threading
import time

from brokers.wire.deadlines import Deadlines


def test_the_one_that_is_due_first_is_ended_first():
    """A short deadline does not wait behind a long one that was there before it."""
    deadlines, ended = Deadlines(), threading.Event()
    long_one = threading.Event()
    with deadlines.watch(time.monotonic() + 60, long_one.set):
        with deadlines.watch(time.monotonic() + 0.02, ended.set):
            assert ended.wait(5)
        assert not long_one.is_set()


def test_what_is_over_is_never_ended():
    """Its end cannot come after the block: the connection may carry another call by then."""
    deadlines, late, after = Deadlines(), threading.Event(), threading.Event()
    due_seconds = time.monotonic() + 0.05
    with deadlines.watch(due_seconds, late.set):
        pass
    with deadlines.watch(due_seconds + 0.05, after.set):
        assert after.wait(5)
    assert not late.is_set()


def test_one_that_is_due_already_is_ended_at_once():
    """Nothing lasts for ever because its time was over before it began."""
    ended = threading.Event()
    with Deadlines().watch(time.monotonic() - 1, ended.set):
        assert ended.wait(5)


def test_one_thread_watches_all():
    """No call waits for a thread to start."""
    deadlines, before = Deadlines(), threading.active_count()
    deadlines.start()
    for _ in range(5):
        with deadlines.watch(time.monotonic() + 60, lambda: None):
            assert threading.active_count() == before + 1
