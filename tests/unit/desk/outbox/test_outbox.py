"""Each receiver gets what is recorded in order, at its own pace, and once."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from desk.outbox.outbox import IDLE_MS, NotDelivered, Outbox
from desk.outbox.pace import MOST_WAITING, pause_after
from desk.outbox.place import Place, Progress


@dataclass(frozen=True)
class Line:
    """An entry of a record."""

    number: int


class Record:
    """A record in memory."""

    def __init__(self, newest: int = 0) -> None:
        self.size = newest

    def newest(self) -> int:
        return self.size

    def __call__(self, after: int, limit: int) -> list[Line]:
        return [Line(each) for each in range(after + 1, self.size + 1)][:limit]


class Receiver:
    """Takes what it is given, unless it is broken."""

    def __init__(self) -> None:
        self.got: list[int] = []
        self.fault: Exception | None = None

    def __call__(self, entries) -> None:
        if self.fault:
            raise self.fault
        self.got += [each.number for each in entries]


def make(tmp_path, record, receiver, name="json://127.0.0.1"):
    """Return a receiver's outbox as the start makes it."""
    return Outbox(name, record, receiver, Place(tmp_path / "state.db", name), lambda: 7)


def test_what_was_recorded_before_a_receiver_was_known_is_not_sent(tmp_path):
    """Nobody gets the past of a year because he adds a channel."""
    record, receiver = Record(newest=5), Receiver()
    outbox = make(tmp_path, record, receiver)
    assert outbox.step() == IDLE_MS
    record.size = 7
    assert outbox.step() == 0
    assert receiver.got == [6, 7]


def test_a_failing_receiver_gets_everything_later_and_the_other_now(tmp_path):
    """One that fails keeps its own place, and holds nobody up."""
    record, broken, well = Record(), Receiver(), Receiver()
    broken.fault = NotDelivered("it did not take it")
    first, second = make(tmp_path, record, broken, "a"), make(tmp_path, record, well, "b")
    record.size = 2
    assert [first.step(), first.step(), second.step()] == [1000, 2000, 0]
    assert first.trouble is not None
    assert (first.trouble.reason, first.trouble.failures) == ("it did not take it", 2)
    assert well.got == [1, 2]
    broken.fault = None
    assert first.step() == 0
    assert (broken.got, first.trouble) == ([1, 2], None)


@pytest.mark.parametrize(
    ("failures", "pause"), [(1, 1000), (2, 2000), (5, 16000), (6, 30000), (99, 30000)]
)
def test_pauses_double_up_to_half_a_minute(failures, pause):
    """So a service that is down is neither hammered nor forgotten."""
    assert pause_after(failures) == pause


def test_a_fault_of_the_receivers_own_ends_no_thread(tmp_path):
    """It is told by its kind alone: its text may hold the address."""
    record, receiver = Record(), Receiver()
    receiver.fault = ValueError("https://token@example.com")
    outbox = make(tmp_path, record, receiver)
    record.size = 1
    assert outbox.step() == 1000
    assert outbox.trouble is not None
    assert "example.com" not in outbox.trouble.reason
    assert "ValueError" in outbox.trouble.reason


def test_after_a_kill_the_rest_is_sent_and_nothing_twice(tmp_path):
    """The place is kept with each delivery."""
    record, receiver = Record(), Receiver()
    before = make(tmp_path, record, receiver)
    before.step()
    Place(tmp_path / "state.db", "json://127.0.0.1").keep(Progress(0))
    record.size = 60
    before.step()
    after = make(tmp_path, record, receiver)
    after.step()
    assert receiver.got == list(range(1, 61))


def test_what_waits_is_bounded_and_drops_are_counted(tmp_path):
    """The oldest are left out, and the count survives a restart."""
    record, receiver = Record(newest=1), Receiver()
    make(tmp_path, record, receiver)._keep(Progress(1))
    record.size = MOST_WAITING + 4
    outbox = make(tmp_path, record, receiver)
    outbox.step()
    assert receiver.got[0] == 5
    assert outbox.dropped == 3
    assert make(tmp_path, record, receiver).dropped == 3


def test_a_state_that_was_put_back_is_sent_on_from_its_end(tmp_path):
    """A kept place beyond the record's end would keep a receiver silent for as long."""
    record, receiver = Record(newest=50), Receiver()
    make(tmp_path, record, receiver)._keep(Progress(50))
    record.size = 10
    outbox = make(tmp_path, record, receiver)
    outbox.step()
    record.size = 11
    outbox.step()
    assert receiver.got == [11]


def test_the_file_of_a_place_does_not_tell_where_it_leads(tmp_path):
    """An address holds its token."""
    Place(tmp_path / "state.db", "tgram://secret-token/1").keep(Progress(3))
    [file] = tmp_path.iterdir()
    assert "secret" not in file.name + file.read_text()
