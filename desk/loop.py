"""Run the one desk thread: drain the inbox, take each event in, commit once, then answer and call.

The thread owns the state and does no network. Alerts that wait together share a commit. An event that fails
is undone and blocks opening orders where it happened; a batch that cannot be recorded never happened. After
a start there is no recovery code, only this loop.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from brokers.protocol import Broker, Instrument, Receipt, Refused
from desk.answers import http_status, iso, write_answer
from desk.apply import InvariantBroken, receive
from desk.codes import Denial
from desk.intake import LOCAL, Duplicate, Intake, Rates
from desk.operator import Command, obey
from desk.options import Settings
from desk.plan import wakes_at
from desk.pool import Pool
from desk.pursue import Call, pursue
from desk.record import STORY, Record
from desk.reply import Answer, Delivery, Reply
from desk.restore import history_row, join, read_answer, restore
from desk.routing import is_paper
from desk.state import HistoryRow, Key, State
from desk.store import AlertRow, Batch, Store, StoreUnavailable, to_json

log = logging.getLogger("desk")
BATCH = 64
"""The most events that share one commit."""
CALL_DEADLINE_MS = 8_000
IDLE_SECONDS = 30.0
FORGET_EVERY_MS = 3_600_000
RETRY_SECONDS = 0.5
KEY_HINT = (
    'To have equal texts traded as separate alerts, send "idempotency_key": '
    '"{{timenow}}|{{strategy.order.id}}|{{strategy.position_size}}".'
)


@dataclass(slots=True)
class Ask:
    """A delivery in the inbox, and who waits for it."""

    delivery: Delivery
    reply: Reply
    arrived: float
    entries: list[Record | Duplicate] = field(default_factory=list)


@dataclass(slots=True)
class Answered:
    """A receipt that came back from a venue."""

    call: Call
    receipt: Receipt


@dataclass(slots=True)
class Fact:
    """An instrument that was fetched, or why it could not be."""

    account: str
    symbol: str
    value: Instrument | Refused


Event = Ask | Command | Answered | Fact


def wall_clock() -> int:
    """Return the time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Desk:
    """The desk: hand it deliveries and commands, read its state."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        rates: Rates,
        brokers: Mapping[str, Broker],
        symbol_key: Callable[[str], str],
        clock: Callable[[], int] = wall_clock,
    ) -> None:
        self.settings = settings
        self.store = store
        self.state = State(settings)
        self.clock = clock
        self.is_stopping = False
        self.failure: str | None = None
        """Why the last batch could not be recorded, or None."""
        self.intake = Intake(self.state, store, rates, self.can_of, self._instrument_of, symbol_key)
        self._brokers = brokers
        self._inbox: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._instruments: dict[tuple[str, str], Instrument | Refused] = {}
        self._fetching: set[tuple[str, str]] = set()
        self._due: dict[Key, int] = {}
        self._out: dict[str, tuple[Call, int]] = {}
        self._forgot_at = 0
        parallel = {name: each.parallel for name, each in settings.accounts.items()}
        self._pool = Pool(brokers, parallel, self._deliver)
        self._thread = threading.Thread(target=self._run, name="desk", daemon=True)

    # --- what other threads call ---------------------------------------------------------------------

    def start(self) -> None:
        """Load what is recorded, plan every book anew, and begin."""
        now = self.clock()
        restore(self.state, self.store, now)
        self._due = dict.fromkeys(self.state.books, now)
        self._thread.start()

    def submit(self, delivery: Delivery) -> Reply:
        """Hand in a delivery. Raises `StoreUnavailable` while shutting down."""
        if self.is_stopping:
            raise StoreUnavailable("shutting down")
        reply = Reply()
        self._inbox.put(Ask(delivery, reply, time.perf_counter()))
        return reply

    def command(self, name: str, options: Mapping[str, Any]) -> Command:
        """Hand in an operator's command."""
        command = Command(name, options, Reply())
        self._inbox.put(command)
        return command

    def stop(self, seconds: float = 20.0) -> None:
        """Take nothing new, let what is on its way come back, commit and end."""
        self.is_stopping = True
        deadline = time.monotonic() + seconds
        while self._out and time.monotonic() < deadline:
            time.sleep(0.02)
        self._inbox.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout=max(1.0, deadline - time.monotonic()))
        self.store.close()

    def can_of(self, key: Key) -> frozenset[str]:
        """Return what the venue behind a book can do; a paper book is simulated here."""
        return LOCAL if key[1] else self._brokers[key[0]].can

    def _deliver(self, call: Call, receipt: Receipt) -> None:
        self._inbox.put(Answered(call, receipt))

    # --- the thread ----------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            events = self._drain()
            self._turn([event for event in events if event is not None])
            if None in events:
                return

    def _drain(self) -> list[Event | None]:
        """Wait for the next event or the next moment that is due, then take what else is there."""
        events: list[Event | None] = []
        try:
            events.append(self._inbox.get(timeout=self._pause()))
            while len(events) < BATCH:
                events.append(self._inbox.get_nowait())
        except queue.Empty:
            pass
        return events

    def _pause(self) -> float:
        moments = [at + CALL_DEADLINE_MS for _, at in self._out.values()]
        soonest = min([*moments, *self._due.values()], default=None)
        if soonest is None:
            return IDLE_SECONDS
        return min(max((soonest - self.clock()) / 1000, 0.001), IDLE_SECONDS)

    def _turn(self, events: list[Event]) -> None:
        """Take one batch of events in, commit it, then answer and call."""
        now, state = self.clock(), self.state
        for event in events:
            self._attempt(event, now)
        self._pass_time(now)
        calls = self.intake.calls
        self.intake.calls = []
        try:
            rows = self._render()
            self.store.write(state.batch)
        except StoreUnavailable as error:
            self._undo(events, error)
            return
        self.failure = None
        told = state.batch.told
        state.committed()
        for record, answer in rows:
            self._remember(record, answer)
        for _, each in told:
            log.warning(each.event, extra={"alert_id": each.alert_id, "text": each.message})
        self._answer_all(events, rows)
        for call in calls:
            self._out[call.request.client_id] = (call, now)
            self._pool.submit(call)

    def _undo(self, events: list[Event], error: StoreUnavailable) -> None:
        """Take a batch back that could not be recorded; receipts and commands are tried again."""
        self.state.undo_to(0)
        self.state.committed()
        if self.failure is None:
            log.error("not_recorded", extra={"text": str(error)})
        self.failure = str(error)
        for event in events:
            if isinstance(event, Ask | Command):
                event.reply.fail(error)
            else:
                self._inbox.put(event)
        time.sleep(RETRY_SECONDS)

    # --- one event -----------------------------------------------------------------------------------

    def _attempt(self, event: Event | Key, now: int) -> None:
        """Take one event in; a fault undoes it, blocks the book it was about, and is told."""
        state, mark = self.state, self.state.mark()
        held, state.batch = state.batch, Batch()
        touched, calls = dict(state.touched), len(self.intake.calls)
        self.intake.at = None
        try:
            self._handle(event, now)
        except StoreUnavailable:
            raise
        except Exception as fault:
            state.undo_to(mark)
            state.batch, state.touched = Batch(), touched
            del self.intake.calls[calls:]
            self._blame(event, fault, now)
        held.absorb(state.batch)
        state.batch = held

    def _handle(self, event: Event | Key, now: int) -> None:
        match event:
            case Ask():
                self._take(event, now)
            case Answered():
                key = self.intake.at = event.call.key
                self._out.pop(event.receipt.client_id, None)
                self.state.put_book(receive(self.state.books[key], event.receipt, now), now)
                pursue(self.state, key, now, self.can_of, self.intake.calls)
                self._due[key] = now
            case Command():
                obey(self.intake, event, now)
            case Fact():
                self._instruments[(event.account, event.symbol)] = event.value
                self._fetching.discard((event.account, event.symbol))
            case _:
                self.intake.at = event
                pursue(self.state, event, now, self.can_of, self.intake.calls)

    def _take(self, ask: Ask, now: int) -> None:
        """Take a delivery in; a dry one is answered from what it did, and then undone."""
        ask.reply.is_taken = True
        delivery, state = ask.delivery, self.state
        mark, seq, touched = state.mark(), state.seq, dict(state.touched)
        first = 0
        for place in range(len(delivery.entries)):
            entry = self.intake.take(delivery, place, first, now)
            ask.entries.append(entry)
            if isinstance(entry, Record):
                first = first or entry.seq
            if isinstance(entry, Duplicate):
                self._count(entry)
        if delivery.is_dry:
            shapes = [write_answer(each) for each in ask.entries if isinstance(each, Record)]
            ask.reply.answers = [Answer(http_status(s), s, to_json(s)) for s in shapes]
            state.undo_to(mark)
            state.batch, state.touched, state.seq = Batch(), touched, seq
            self.intake.calls.clear()

    def _blame(self, event: Event | Key, fault: Exception, now: int) -> None:
        """Say where a fault happened, and let nothing be opened there until a restart."""
        state, key = self.state, self.intake.at
        log.exception("desk_fault", extra={"text": type(fault).__name__})
        where = f"{key[2]} on {key[0]}" if key else "the desk"
        text = f"An internal error concerning {where}; it is in the log. Nothing opens there before a restart."
        if key:
            state.blocked[key] = text
        if isinstance(fault, InvariantBroken):
            state.batch.told.clear()
            self.intake.halt("all", f"INVARIANT_BROKEN: {fault}", now)
        state.tell("internal_error", text, now)
        if isinstance(event, Ask):
            denial = Denial("BOOK_BLOCKED", text)
            event.entries = [
                self.intake.refuse(
                    event.delivery, place, event.delivery.strategies[place] or "", denial, now
                )
                for place in range(len(event.delivery.entries))
            ]

    def _count(self, again: Duplicate) -> None:
        """Count one more delivery of an alert that is known."""
        state = self.state
        record = state.records.get(again.alert_id)
        if record is not None:
            record.deliveries += 1
            state.touched[record.alert_id] = record
            return
        row = self._past(again.alert_id)
        count = row.deliveries + 1
        shape = read_answer(row.text)
        shape["deliveries"] = count
        if again.alert_id in state.history:
            fresh = replace(row, deliveries=count, text=to_json(shape))
            state.put(state.history, again.alert_id, fresh)
        state.batch.deliveries.append((again.alert_id, count))

    def _past(self, alert_id: str) -> HistoryRow:
        found = self.state.history.get(alert_id)
        if found is None:
            row = self.store.find_alert(alert_id)
            if row is None:
                raise LookupError(alert_id)
            found = history_row(row)
        return found

    # --- time ----------------------------------------------------------------------------------------

    def _pass_time(self, now: int) -> None:
        """Do what is due: calls that never came back, expiries, back-offs, look-ups, waiting decisions."""
        for call, at in list(self._out.values()):
            if now - at >= CALL_DEADLINE_MS:
                status = "unknown" if call.what in ("place", "close") else "accepted"
                text = "no answer within the deadline"
                late = Receipt(call.request.client_id, status, message=text)
                self._attempt(Answered(call, late), now)
        for key in [key for key, at in self._due.items() if at <= now]:
            self._attempt(key, now)
            self._schedule(key)
        for record in [each for each in self.state.records.values() if each.story.todo]:
            self.state.touched[record.alert_id] = record
            self.intake.retry(record, now)
        for key in self.state.changed:
            self._schedule(key)
        if now - self._forgot_at > FORGET_EVERY_MS:
            self._forgot_at = now
            self.store.forget_identities(now)

    def _schedule(self, key: Key) -> None:
        book = self.state.books.get(key)
        at = wakes_at(book) if book else None
        if at is None:
            self._due.pop(key, None)
        else:
            self._due[key] = at

    # --- facts ---------------------------------------------------------------------------------------

    def _instrument_of(self, account: str, symbol: str, now: int) -> Instrument | None:
        """Return an instrument: at once on paper, from the venue otherwise. Raises `Refused`."""
        if is_paper(self.settings, self.settings.accounts[account]):
            return self.state.paper(account, now).instrument(symbol)
        found = self._instruments.get((account, symbol))
        if isinstance(found, Refused):
            raise found
        if found is None and (account, symbol) not in self._fetching:
            self._fetching.add((account, symbol))
            self._pool.fetch(account, lambda: self._fetch(account, symbol))
        return found

    def _fetch(self, account: str, symbol: str) -> None:
        try:
            value: Instrument | Refused = self._brokers[account].instrument(symbol)
        except Refused as no:
            value = no
        except Exception as fault:
            log.exception("broker_fault", extra={"account": account, "text": str(fault)})
            value = Refused(f"{account} did not tell what {symbol} is", "SYMBOL_UNKNOWN")
        self._inbox.put(Fact(account, symbol, value))

    # --- answering -----------------------------------------------------------------------------------

    def _render(self) -> list[tuple[Record, Answer]]:
        """Write the answer of every alert that changed, and put its row into the batch."""
        done: list[tuple[Record, Answer]] = []
        for record in self.state.touched.values():
            for part in record.story.parts:
                part.owes = self._owes(record, (part.account, part.paper, part.instrument))
            shape = write_answer(record)
            http = http_status(shape)
            record.status = shape["status"]
            record.is_settled = self._is_settled(record)
            record.story.http = record.story.http or http
            record.answer = to_json(shape)
            self.state.batch.alerts[record.seq] = _row(record)
            done.append((record, Answer(http, shape, record.answer)))
        return done

    def _owes(self, record: Record, key: Key) -> bool:
        book = self.state.books.get(key)
        shares = book.shares.values() if book else ()
        return any(s.keep is not None and s.owed.alert_id == record.alert_id for s in shares)

    def _is_settled(self, record: Record) -> bool:
        story = record.story
        if story.todo or any(part.owes for part in story.parts):
            return False
        return not any(order.is_live for *_, order in record.orders.values())

    def _remember(self, record: Record, answer: Answer) -> None:
        """Keep an alert in the rolling history; let go of one that is final."""
        history = self.state.history
        extra = {
            "received_at": iso(record.received_at),
            "comment": record.story.comment,
            "deliveries": record.deliveries,
        }
        history[record.alert_id] = HistoryRow(
            record.alert_id,
            record.strategy,
            record.symbol,
            record.status,
            record.deliveries,
            record.story.http or answer.http,
            join(answer.text, extra),
        )
        while len(history) > self.settings.webhook.max_history:
            history.popitem(last=False)
        if record.is_settled:
            self.state.records.pop(record.alert_id, None)
        log.info("alert_%s", record.status, extra={"shape": answer.shape})

    def _answer_all(self, events: list[Event], rows: list[tuple[Record, Answer]]) -> None:
        for record, answer in rows:
            if record.status != "pending":
                for reply, place in record.replies:
                    reply.settle(place, answer)
                record.replies.clear()
        fresh = {record.alert_id: answer for record, answer in rows}
        for event in events:
            if isinstance(event, Ask):
                self._answer(event, fresh)
            elif isinstance(event, Command):
                asked = event.record
                event.reply.record([fresh[asked.alert_id]] if asked is not None else [], set())

    def _answer(self, ask: Ask, fresh: Mapping[str, Answer]) -> None:
        if ask.delivery.is_dry and ask.reply.answers:
            ask.reply.record(ask.reply.answers, set())
            return
        answers: list[Answer] = []
        still_open: set[int] = set()
        for place, entry in enumerate(ask.entries):
            record = entry if isinstance(entry, Record) else self.state.records.get(entry.alert_id)
            if isinstance(entry, Record):
                answers.append(fresh[entry.alert_id])
            else:
                answers.append(self._repeat(entry))
            if record is not None and record.status == "pending":
                record.replies.append((ask.reply, place))
                still_open.add(place)
        ask.reply.record(answers, still_open)

    def _repeat(self, again: Duplicate) -> Answer:
        """Return the recorded answer of an alert that was delivered once more."""
        row = self._past(again.alert_id)
        shape = read_answer(row.text)
        shape["duplicate"] = True
        if not again.has_key:
            shape["message"] = f"{shape['message']} Already received. {KEY_HINT}"
        http = row.http
        if http == 202 and shape["status"] not in ("pending", "unknown", "unreached"):
            http = 200
        return Answer(http, shape, to_json(shape))


def _row(record: Record) -> AlertRow:
    return AlertRow(
        record.seq,
        record.alert_id,
        record.received_at,
        record.strategy,
        record.symbol,
        record.status,
        record.is_settled,
        record.deliveries,
        record.body,
        record.answer,
        STORY.dump_json(record.story, exclude_defaults=True).decode(),
    )
