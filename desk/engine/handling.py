"""Take events in one by one, and keep what fails by itself away from every other.

An event that fails is undone and taken in no more: where it happened nothing is opened before a restart, and
the user is told. What each event means is decided elsewhere; nothing is committed here.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Iterator, Sequence

from brokers.protocol import HALTING, WRONG_ORDER
from desk.alerts.delivery import AlertAnswer
from desk.decision.denial import Denial
from desk.engine.appointments import Appointments
from desk.engine.commands import Command, run_command
from desk.engine.context import EngineContext
from desk.engine.duplicates import Duplicate
from desk.engine.events import (
    AlertReceived,
    AlertRetried,
    ClockStruck,
    Event,
    OrderReported,
    TimerDue,
)
from desk.engine.execute import execute_plan
from desk.engine.halts import halt
from desk.engine.intake import abandon_alert, accept_alert, reject_alert, retry
from desk.engine.live_prices import take_price
from desk.engine.reconcile import meet_reading, take_late_report
from desk.engine.report import (
    count_delivery,
    preview,
)
from desk.engine.schedule import Schedule
from desk.orders.apply import InvariantBroken, receive
from desk.state.store import StoreUnavailable
from desk.state.tables import Key
from desk.venue.call import VenueCall
from desk.venue.instruments import Fact, InstrumentCache
from desk.venue.polling import AccountPoller, Reading
from desk.venue.prices import Feed, Priced, Quoted

log = logging.getLogger("desk")
FAULT_PAUSE_MS = 60_000
"""When a book is looked at again whose moment had come and that could not be planned."""


FAULTY = AlertAnswer(
    422,
    {
        "success": False,
        "orders": [],
        "code": "INTERNAL",
        "message": "An internal error; see the log.",
    },
    "",
)
"""What is answered where only asking failed."""


class EventHandler:
    """Who each event goes to. Belongs to the desk thread."""

    def __init__(
        self,
        context: EngineContext,
        due: Schedule,
        out: dict[str, tuple[VenueCall, int]],
        readers: AccountPoller,
        feed: Feed,
        instruments: InstrumentCache,
    ) -> None:
        self.context = context
        self.state = context.state
        self._due = due
        self._out = out
        self._readers = readers
        self._feed = feed
        self._instruments = instruments
        self.clockwork = Appointments(context)

    def handle_all(self, events: Sequence[Event], now: int) -> None:
        """Take events in, one after the other.

        One that fails is undone, with all before it in this batch; those are taken in again, and where it
        happened is blocked and told.
        """
        faults: dict[int | str, tuple[Exception, Key | None]] = {}
        while True:
            for event in itertools.chain(events, self._waiting()):
                mark = event.alert_id if isinstance(event, AlertRetried) else id(event)
                self.context.at = None
                try:
                    if mark in faults:
                        self._blame(event, *faults[mark], now)
                    else:
                        self._handle(event, now)
                except StoreUnavailable:
                    raise
                except Exception as fault:
                    if mark in faults:
                        raise
                    log.exception("desk_fault")
                    faults[mark] = (fault, self.context.at)
                    self.context.undo()
                    break
            else:
                return

    def _waiting(self) -> Iterator[AlertRetried]:
        """Yield the alerts that wait, once every other event has been taken in."""
        yield from [AlertRetried(alert_id) for alert_id in self.state.waiting]

    def preview(self, events: Sequence[Event], now: int) -> None:
        """Answer what is only asked: take each such delivery in by itself, and undo it."""
        for event in events:
            if isinstance(event, AlertReceived) and event.delivery.is_dry:
                seq = self.state.seq
                self.context.is_dry = True
                try:
                    self._take(event, now)
                    event.previews = preview(event.entries)
                except Exception:
                    log.exception("desk_fault")
                    event.previews = [FAULTY] * len(event.delivery.entries)
                finally:
                    self.context.is_dry = False
                    self.context.undo()
                    self.state.seq = seq

    def _handle(self, event: Event, now: int) -> None:
        match event:
            case AlertReceived():
                if not event.delivery.is_dry:
                    self._take(event, now)
            case OrderReported():
                self._take_report(event, now)
            case Reading():
                found = meet_reading(self.context, event, now)
                self._readers.finished(event, found, now)
            case Command():
                run_command(self.context, event, now)
            case Priced() | Quoted():
                self._feed.learn(event, now)
                take_price(self.context, event, now)
            case Fact():
                self._instruments.store(event, now)
            case TimerDue() | ClockStruck():
                self._keep_time(event, now)
            case AlertRetried():
                retry(self.context, event.alert_id, now)

    def _keep_time(self, event: TimerDue | ClockStruck, now: int) -> None:
        if isinstance(event, ClockStruck):
            self.clockwork.keep(now)
            return
        self.context.at = event.key
        if book := self.state.books.get(event.key):
            execute_plan(self.context, book, now)

    def _take_report(self, event: OrderReported, now: int) -> None:
        key, report = event.call.key, event.report
        self.context.at = key
        out = self._out.get(report.client_id)
        if out is not None and out[0] is event.call:
            self.state.drop(self._out, report.client_id)
        book = self.state.books.get(key)
        if book is None or report.client_id not in book.orders:
            if late := take_late_report(self.context, report, now):
                execute_plan(self.context, late, now)
            return
        execute_plan(self.context, receive(book, report, now, event.call.at), now)
        scope = f"account:{key[0]}"
        if report.code in (*HALTING, WRONG_ORDER) and scope not in self.state.halts:
            halt(self.context, scope, f"{report.code}: {report.message or ''}", now)
        if report.status in ("unknown", "unreached"):
            self._readers.want(key[0], now)
        if report.status == "refused":
            self._instruments.invalidate(key[0])

    def _take(self, ask: AlertReceived, now: int) -> None:
        delivery, state, first = ask.delivery, self.state, 0
        ask.entries = []
        queued = time.perf_counter() - ask.arrived
        for place in range(len(delivery.entries)):
            began = time.perf_counter()
            entry = accept_alert(self.context, delivery, place, first, now)
            ask.entries.append(entry)
            if isinstance(entry, Duplicate):
                count_delivery(state, self.context.store, entry)
            else:
                first = first or entry.seq
                entry.story.timings["queue"] = round(queued * 1000, 3)
                entry.story.timings["decide"] = round((time.perf_counter() - began) * 1000, 3)

    def _blame(self, event: Event, fault: Exception, key: Key | None, now: int) -> None:
        """Say where a fault happened, and let nothing be opened there until a restart."""
        state = self.state
        text = "An internal error (see the log)."
        if key:
            text = (
                f"{text[:-1]} concerning {key[2]} on {key[0]}: it opens nothing before a restart."
            )
            state.put(state.blocked, key, (text, now))
        if isinstance(fault, InvariantBroken):
            halt(self.context, "all", f"INVARIANT_BROKEN: {fault}", now)
        state.notify("internal_error", text, now)
        if isinstance(event, OrderReported):
            # As if it never came back: at the deadline the order is unknown and looked up.
            self._out[event.call.request.client_id] = (event.call, now)
        if isinstance(event, Reading):
            self._readers.finished(event, None, now)
        if isinstance(event, TimerDue):
            self._due.set(event.key, now + FAULT_PAUSE_MS)
        denial = Denial("BOOK_BLOCKED", text)
        if isinstance(event, AlertRetried):
            abandon_alert(self.context, event.alert_id, denial, now)
        if isinstance(event, AlertReceived):
            places = range(len(event.delivery.entries))
            event.entries = [
                reject_alert(self.context, event.delivery, p, denial, now) for p in places
            ]
