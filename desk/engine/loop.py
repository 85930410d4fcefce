"""Run the one desk thread: drain the inbox, take each event in, commit once, then answer and call.

The thread owns the state and does no network. Alerts that wait together share a commit. An event that fails
is undone and blocks opening orders where it happened; a batch that cannot be recorded never happened. After
a start there is no recovery code, only this loop.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from brokers.protocol import Broker, OrderReport
from desk.alerts.delivery import Delivery, PendingReply
from desk.config.settings import Settings
from desk.decision.routing import is_paper
from desk.engine.commands import Command
from desk.engine.context import EngineContext, Rates
from desk.engine.duplicates import forget_claims
from desk.engine.events import AlertReceived, ClockStruck, Event, OrderReported, TimerDue
from desk.engine.handling import EventHandler
from desk.engine.inbox import Inbox
from desk.engine.meter import Meter
from desk.engine.modes import follow_modes
from desk.engine.report import (
    Rendered,
    answer_delivery,
    log_orders,
    log_outcomes,
    log_told,
    remember,
    render,
    settle_waiting,
)
from desk.engine.schedule import Schedule
from desk.orders.plan import wakes_at
from desk.orders.shift import shift
from desk.outbox.outbox import Outbox
from desk.process.clock import ClockSteps, wall_clock
from desk.state.forgetting import forget_prices
from desk.state.memory import Simulate, State
from desk.state.restore import restore
from desk.state.store import Store, StoreUnavailable
from desk.state.tables import Key, Lookups
from desk.venue.call import VenueCall
from desk.venue.dispatcher import Dispatcher, time_out, withdraw
from desk.venue.instruments import InstrumentCache
from desk.venue.polling import AccountPoller
from desk.venue.prices import AskPrice, Feed

log = logging.getLogger("desk")
CALL_DEADLINE_MS = 8_500
"""When a call counts as unanswered; a broker's own deadline is a little shorter."""
IDLE_SECONDS = 30.0
AWAKE_SECONDS = 5.0
"""The longest rest while a moment is waited for: a rest stands still while the machine sleeps."""
ENDING_SECONDS = 0.05
"""How often the end of what is on its way is looked for while stopping."""
FORGET_EVERY_MS = 3_600_000
RETRY_SECONDS = 0.5
LOCAL = frozenset({"local", "reduce_only", "amend"})
"""What the simulator can do."""


class Desk:
    """The desk: hand it deliveries and commands, read its state."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        rates: Rates,
        brokers: Mapping[str, Broker],
        simulate: Simulate,
        symbol_key: Callable[[str], str],
        clock: Callable[[], int] = wall_clock,
        make_pool: Callable[..., Dispatcher] = Dispatcher,
        steady: Callable[[], int] | None = None,
        ask_price: AskPrice | None = None,
    ) -> None:
        self.settings = settings
        self.store = store
        self._brokers = brokers
        find = (store.find_share, store.find_instrument, store.find_figures, store.find_strategy)
        lookups = Lookups(*find, symbol_key)
        self.state = State(settings, simulate, self._capabilities_of, lookups)
        self.clock = clock
        self._steps = ClockSteps(clock, steady) if steady else None
        self._step = 0
        self._clock_set = ""
        """What is to be told of a clock that was set, until it is recorded."""
        self.is_stopping = False
        self.failure: str | None = None
        """Why the last batch could not be recorded, or None."""
        self.failing_since = 0
        self._inbox: Inbox[Event | None] = Inbox()
        parallel = {name: each.parallel for name, each in settings.accounts.items()}
        self._pool = make_pool(brokers, parallel, self._deliver)
        self._instruments = InstrumentCache(self.state, brokers, self._pool.fetch, self._inbox.put)
        self._feed = Feed(self.state, ask_price, self._pool.fetch, self._inbox.put, brokers)
        hear, recent = self._inbox.put, self._feed.recent
        self._readers = AccountPoller(self.state, brokers, self._pool.read, hear, recent)
        self.context = EngineContext(
            self.state, store, rates, self._instruments.find, self._instruments.problem, symbol_key
        )
        self.context.awaits_price = self._feed.is_awaited
        self.context.is_fed = self._feed.is_fed
        self.context.awaits_quotes = self._feed.are_quotes_awaited
        self._due = Schedule()
        self._out: dict[str, tuple[VenueCall, int]] = {}
        self._events = EventHandler(
            self.context, self._due, self._out, self._readers, self._feed, self._instruments
        )
        self._clocks = (self._due, self._readers, self._feed, self._events.clockwork)
        self._forgot_at, self.meter = 0, Meter()
        self.channels: Sequence[Outbox] = ()
        """Who is told of what is recorded, each at its own pace."""
        self._stop_by = 0.0
        self._thread = threading.Thread(target=self._run, name="desk", daemon=True)

    # --- what other threads call ---------------------------------------------------------------------

    def start(self) -> None:
        """Load what is recorded, plan every book anew, and begin."""
        self.load()
        self.state.notify_if_asked("start", "The receiver has started.", self.clock())
        self.turn([])  # what the start itself has to tell is recorded before anybody asks
        self._thread.start()

    def load(self) -> None:
        """Fill the memory from the store; every book is due at once."""
        now = self.clock()
        with self.store.loading():
            restore(self.state, self.store, now)
        self._due.begin(self.state.books, now)
        accounts = self.settings.accounts.items()
        real = [name for name, e in accounts if not (is_paper(self.settings, e) or e.missing)]
        self._readers.begin([name for name in real if name in self._brokers], now)

    def submit(self, delivery: Delivery) -> PendingReply:
        """Hand in a delivery. Raises `StoreUnavailable` while shutting down."""
        if self.is_stopping:
            raise StoreUnavailable("shutting down")
        reply = PendingReply()
        self._inbox.put(AlertReceived(delivery, reply, time.perf_counter()))
        return reply

    def command(self, name: str, options: Mapping[str, Any]) -> Command:
        """Hand in an operator's command. Raises `StoreUnavailable` while shutting down."""
        if self.is_stopping:
            raise StoreUnavailable("shutting down")
        command = Command(name, options, PendingReply())
        self._inbox.put(command)
        return command

    def stop(self, seconds: float = 20.0) -> None:
        """Take nothing new, let what is on its way come back, commit and end."""
        self.is_stopping = True
        self._stop_by = time.monotonic() + seconds
        self._inbox.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout=seconds + 1.0)
        self.store.close()

    def _capabilities_of(self, account: str, paper: bool) -> frozenset[str]:
        """Return what the venue of an account can do; on paper that is simulated here."""
        if paper or account not in self._brokers:
            return LOCAL if paper else frozenset()
        return self._brokers[account].facts.capabilities

    def _deliver(self, call: VenueCall, report: OrderReport) -> None:
        self._inbox.put(OrderReported(call, report))

    # --- the thread ----------------------------------------------------------------------------------

    def _run(self) -> None:
        is_ending = False
        while True:
            events = self._inbox.drain(ENDING_SECONDS if is_ending else self._pause())
            self.turn([event for event in events if event is not None])
            is_ending = is_ending or None in events
            if is_ending and (not self._out or time.monotonic() > self._stop_by):
                self.state.notify_if_asked("stop", "The receiver stops.", self.clock())
                self.turn([])
                return

    def _pause(self) -> float:
        moments = [at + CALL_DEADLINE_MS for _, at in self._out.values()]
        others = [each.next_at() for each in self._clocks]
        if self.state.waiting:
            others.append(self._instruments.next_at(self.clock()))
        moments += [at for at in others if at is not None]
        soonest = min(moments, default=None)
        if soonest is None:
            return IDLE_SECONDS
        return min(max((soonest - self.clock()) / 1000, 0.001), AWAKE_SECONDS)

    def turn(self, events: Sequence[Event]) -> None:
        """Take one batch of events in and what is due, commit it, then answer and call."""
        now, state = self.clock(), self.state
        try:
            self._events.preview(events, now)
            self._watch_clock()
            while not (done := self._commit(events := _wanted(events), now)):
                # Who gave up meanwhile was told that nothing is recorded: the others are taken in anew.
                self.context.undo()
        except StoreUnavailable as error:
            self._undo(events, error)
            return
        except Exception as fault:
            log.exception("desk_fault")
            self._isolate(events, fault)
            return
        self.failure = None
        self._clock_set = ""
        rendered, moments = done
        self._schedule(moments)
        told, journal = state.batch.notices, state.batch.journal
        state.committed()
        forget_claims(self.context, now)
        state.forget_at_rest()
        remember(state, rendered)
        self.meter.count(rendered, journal)
        settle_waiting(state, self.store, rendered)
        self._answer(events, rendered)
        self._hand_out(now)
        log_outcomes(rendered)
        if log.isEnabledFor(logging.DEBUG):
            log_orders(journal)
        log_told(told)
        for channel in self.channels if told else ():
            channel.wake()

    def _commit(
        self, events: Sequence[Event], now: int
    ) -> tuple[Rendered, dict[Key, int | None]] | None:
        """Take events in and what is due, and record it all; None where one who asked has given up."""
        # What time has ended is ended first: no price of this batch fills an entry that is over.
        self._events.handle_all([*self._find_due(now), *events, *self._find_lost(events, now)], now)
        follow_modes(self.context, now)
        if self._clock_set:
            self.state.notify("clock_set", self._clock_set, now)
        moments = self._find_moments(now)
        rendered = render(self.state, now)
        is_written = self.store.write(self.state.batch, functools.partial(_keep_all, events))
        return (rendered, moments) if is_written else None

    def _answer(self, events: Sequence[Event], rendered: Rendered) -> None:
        """Tell those who wait what was recorded."""
        for event in events:
            if isinstance(event, AlertReceived) and event.previews:
                event.reply.record(event.previews, set())
            elif isinstance(event, AlertReceived):
                answer_delivery(self.state, self.store, event.reply, event.entries, rendered)
            elif isinstance(event, Command):
                about = event.record
                event.reply.record([rendered[about.alert_id][1]] if about else [], set())

    def _watch_clock(self) -> None:
        """Move every moment that is waited for along with a clock that was set, and tell."""
        self._step += self._steps.take() if self._steps else 0
        if not self._step:
            return
        self.store.shift_identities(self._step)
        step, self._step = self._step, 0
        for key, book in self.state.books.items():
            self.state.books[key] = shift(book, step)
        for mark, (alert_id, body, until) in self.state.claims.items():
            self.state.claims[mark] = (alert_id, body, until + step)
        for name, (number, at) in self.state.executed.items():
            self.state.executed[name] = (number, at + step)
        for record in self.state.waiting.values():
            record.received_at += step
        self.state.shift_prices(step)
        for known in self.state.openings.values():
            known.update({cid: replace(each, at=each.at + step) for cid, each in known.items()})
        self._out.update({cid: (call, at + step) for cid, (call, at) in self._out.items()})
        for each in (*self._clocks, self._instruments):
            each.shift(step)
        self.state.show_all()
        self._clock_set = (
            f"The clock was set by {step / 1000:+.1f} s. Pauses and deadlines go on as they were."
        )

    def _hand_out(self, now: int) -> None:
        """Send what was committed on its way, and start the reads that are due."""
        for call in self.context.calls:
            self._out[call.request.client_id] = (call, now)
            if self._is_overtaken(call):
                self._inbox.put(OrderReported(call, withdraw(call)))
                continue
            self._pool.submit(call)
            self._readers.want_soon(call.key[0], now)
        for account in sorted(self.context.reads):
            self._readers.want(account, now)
        self.context.committed()
        for failed in self._readers.start_due(now):
            self._inbox.put(failed)
        self._feed.start_due(now)

    def _is_overtaken(self, call: VenueCall) -> bool:
        """Whether a later event of the batch left less than an order was to reduce (rules 11.2).

        Where a venue knows no reduce-only, what is too much would open the other side.
        """
        book, request = self.state.books.get(call.key), call.request
        order = book.orders.get(request.client_id) if book else None
        if book is None or order is None or call.what != "place" or not request.reduces:
            return False
        held = book.position(order.strategy).quantity * (1 if request.side == "sell" else -1)
        return request.quantity > held

    def _isolate(self, events: Sequence[Event], fault: Exception) -> None:
        """Take the events of a batch that failed for another reason than the store one by one.

        The one that fails by itself is dropped, so that it cannot keep every other from being recorded.
        """
        self.context.undo()
        if len(events) > 1:
            for event in events:
                self.turn([event])
            return
        now, text = self.clock(), f"internal error: {type(fault).__name__}"
        self._note_failure(text, now)
        for event in events:
            if isinstance(event, AlertReceived | Command):
                event.reply.fail(StoreUnavailable(text))
            elif isinstance(event, OrderReported):
                # As if it never came back: at the deadline the order is unknown and looked up.
                self._out[event.call.request.client_id] = (event.call, now)
                self.state.blocked[event.call.key] = (f"{text} while recording a receipt", now)
                self.state.show_all()
        time.sleep(RETRY_SECONDS)

    def _undo(self, events: Sequence[Event], error: StoreUnavailable) -> None:
        """Take a batch back that could not be recorded; receipts and facts are tried again."""
        self.context.undo()
        if self.failure is None:
            log.error("not_recorded", extra={"text": str(error)})
        self._note_failure(str(error), self.clock())
        for event in events:
            if isinstance(event, AlertReceived | Command):
                event.reply.fail(error)
            elif not isinstance(event, TimerDue):
                self._inbox.put(event)
        time.sleep(RETRY_SECONDS)

    def _note_failure(self, text: str, now: int) -> None:
        if self.failure is None:
            self.failing_since = now
        self.failure = text

    # --- time ----------------------------------------------------------------------------------------

    def _find_due(self, now: int) -> list[Event]:
        """Return the books whose moment has come."""
        found: list[Event] = [TimerDue(key) for key in self._due.due(now)]
        self.state.changed.update(
            dict.fromkeys(event.key for event in found if isinstance(event, TimerDue))
        )
        if now - self._forgot_at > FORGET_EVERY_MS:
            self._forgot_at = now
            self.store.forget_identities(now)
            forget_prices(self.state)
            self._instruments.forget(now)
        return [*found, ClockStruck()] if self._events.clockwork.is_due(now) else found

    def _find_lost(self, events: Sequence[Event], now: int) -> list[Event]:
        """Return the calls that never came back, unless they do in this very batch."""
        back = {id(event.call) for event in events if isinstance(event, OrderReported)}
        out = [call for call, at in self._out.values() if now - at >= CALL_DEADLINE_MS]
        return [OrderReported(call, time_out(call)) for call in out if id(call) not in back]

    def _find_moments(self, now: int) -> dict[Key, int | None]:
        """Return when each book that changed is to be looked at next."""
        books = {key: self.state.books.get(key) for key in self.state.changed}
        return {key: wakes_at(book, now) if book else None for key, book in books.items()}

    def _schedule(self, moments: Mapping[Key, int | None]) -> None:
        """Note when books are to be looked at; only what was committed: else a moment could be lost."""
        for key, at in moments.items():
            self._feed.note(key, self.state.books.get(key))
            self._due.set(key, at)


def _wanted(events: Sequence[Event]) -> list[Event]:
    """Leave out whom was told meanwhile that nothing will be done."""
    return [
        e for e in events if not (isinstance(e, AlertReceived | Command) and e.reply.is_withdrawn)
    ]


def _keep_all(events: Sequence[Event]) -> bool:
    """Whether all who asked still wait, so that it may be recorded; from then on nobody can give up."""
    return all(event.reply.keep() for event in events if isinstance(event, AlertReceived | Command))
