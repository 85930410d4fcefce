"""How the desk's inbox gathers a batch: all that is there, and under load all that are about to come."""

from __future__ import annotations

import threading
import time

from desk.engine.inbox import BATCH, Inbox


def test_what_was_put_in_comes_out_in_its_order():
    """Nothing is lost or turned round, and a batch has a largest size."""
    inbox: Inbox[int] = Inbox()
    for number in range(BATCH + 3):
        inbox.put(number)
    assert inbox.drain(1) == list(range(BATCH))
    assert inbox.drain(1) == [BATCH, BATCH + 1, BATCH + 2]


def test_an_empty_inbox_is_waited_for_no_longer_than_asked():
    """A silence ends with an empty batch, so that time alone can bring the desk to work."""
    began = time.monotonic()
    assert Inbox[int]().drain(0.05) == []
    assert time.monotonic() - began >= 0.05


def test_one_that_comes_alone_wakes_the_reader():
    """Who waits for the first is woken by it, long before the time is over."""
    inbox: Inbox[int] = Inbox()
    threading.Timer(0.05, inbox.put, (7,)).start()
    began = time.monotonic()
    assert inbox.drain(30) == [7]
    assert time.monotonic() - began < 10


def gathered() -> Inbox[int]:
    """Return an inbox whose last batch had four."""
    inbox: Inbox[int] = Inbox()
    for number in range(4):
        inbox.put(number)
    assert len(inbox.drain(1)) == 4
    return inbox


def test_under_load_a_batch_waits_for_as_many_as_came_before(monkeypatch):
    """Of the next four the first does not leave alone."""
    monkeypatch.setattr("desk.engine.inbox.GATHER_SECONDS", 30)
    inbox = gathered()
    inbox.put(4)
    for late, number in ((0.02, 5), (0.04, 6), (0.06, 7)):
        threading.Timer(late, inbox.put, (number,)).start()
    assert sorted(inbox.drain(30)) == [4, 5, 6, 7]


def test_a_batch_waits_only_a_moment_for_those_who_do_not_come():
    """One of four came: it leaves when its moment is over."""
    inbox = gathered()
    inbox.put(4)
    assert inbox.drain(30) == [4]


def test_after_a_silence_nobody_is_waited_for(monkeypatch):
    """Who comes a while after a large batch is alone, and leaves at once."""
    monkeypatch.setattr("desk.engine.inbox.GATHER_SECONDS", 30)
    inbox = gathered()
    threading.Timer(0.1, inbox.put, (4,)).start()
    began = time.monotonic()
    assert inbox.drain(30) == [4]
    assert time.monotonic() - began < 10


def test_many_threads_lose_nothing():
    """Eight threads put in two thousand while one takes out."""
    inbox: Inbox[int] = Inbox()

    def put_all(first: int) -> None:
        for number in range(first, first + 250):
            inbox.put(number)

    threads = [threading.Thread(target=put_all, args=(250 * each,)) for each in range(8)]
    for thread in threads:
        thread.start()
    taken: list[int] = []
    while len(taken) < 2_000:
        batch = inbox.drain(10)
        assert batch, "nothing came within ten seconds"
        taken += batch
    assert sorted(taken) == list(range(2_000))
