"""Call brokers from a bounded number of threads, one deadline a call, and bring every answer back.

A call never raises: whatever a broker does becomes a receipt. Reducing calls leave before opening ones, and
one that waited behind calls that hang leaves on a thread that is kept for it. Nothing here decides whether to
call again.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import cast

from brokers.protocol import (
    HALTING,
    Amends,
    Broker,
    BrokerRefused,
    OrderReport,
    Uncertain,
    Unreachable,
)
from desk.process.clock import steady_seconds
from desk.venue.call import VenueCall

log = logging.getLogger("desk")
SPARE_THREADS = 2
"""How many threads of an account only carry out reducing calls that waited too long."""
SPARE_AFTER_SECONDS = 0.3
START_WITHIN_SECONDS = 4.0
"""A call that found no thread for so long is not made at all: by now the desk may look up what it was about,
and what was never sent must not leave after it was not found."""
READERS = 2
"""How many reads of one account may be out: a second one only where the first hangs."""
# What an order is when the call about it failed: a cancel, change or look-up that failed changes nothing.
_AFTER_UNREACHABLE = {
    "place": "unreached",
    "cancel": "accepted",
    "amend": "accepted",
    "look": "unknown",
}
_AFTER_UNCERTAIN = {**_AFTER_UNREACHABLE, "place": "unknown"}


class Dispatcher:
    """Threads that call one account's broker."""

    def __init__(
        self,
        brokers: Mapping[str, Broker],
        parallel: Mapping[str, int],
        deliver: Callable[[VenueCall, OrderReport], None],
    ) -> None:
        self._brokers = brokers
        self._deliver = deliver
        self._parallel = parallel
        self._lanes: dict[str, _Lane] = {}
        self._readers: dict[str, threading.Semaphore] = {}

    def submit(self, call: VenueCall) -> None:
        """Hand one call out; its receipt comes back through `deliver`."""
        account = call.key[0]
        if account not in self._lanes:
            self._lanes[account] = lane = _Lane()
            workers = self._parallel.get(account, 4)
            for number in range(workers + SPARE_THREADS):
                work = (account, lane, number >= workers)
                name = f"broker-{account}-{number}"
                threading.Thread(target=self._work, args=work, name=name, daemon=True).start()
        self._lanes[account].put(call)

    def fetch(self, account: str, job: Callable[[], None]) -> None:
        """Run a read for an account in a thread of its own: it is rare and must not wait for orders."""
        threading.Thread(target=job, name=f"fetch-{account}", daemon=True).start()

    def read(self, account: str, job: Callable[[], None]) -> bool:
        """Run the regular read of an account; False where too many of them hang."""
        slots = self._readers.setdefault(account, threading.Semaphore(READERS))
        if not slots.acquire(blocking=False):
            return False

        def run() -> None:
            try:
                job()
            finally:
                slots.release()

        threading.Thread(target=run, name=f"read-{account}", daemon=True).start()
        return True

    def _work(self, account: str, lane: _Lane, is_spare: bool) -> None:
        while True:
            call, waited_seconds = lane.take_overdue() if is_spare else lane.take()
            if waited_seconds > START_WITHIN_SECONDS:
                text = "other calls kept every thread of the account busy"
                self._deliver(call, _for_all(call, _AFTER_UNREACHABLE[call.what], message=text))
                continue
            self._deliver(call, _make_writable(carry_out(self._brokers[account], call)))


class _Lane:
    """The calls of one account that wait for a thread.

    A call wakes one thread: 23 us of processor time, where waking all that are idle takes 97 (measured). The
    spare one is woken where no other is free.
    """

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._waiting: list[tuple[int, int, float, VenueCall]] = []
        lock = threading.Lock()
        self._ready, self._late = threading.Condition(lock), threading.Condition(lock)
        self._idle = 0

    def put(self, call: VenueCall) -> None:
        """Queue a call: reducing before opening, else in order."""
        rank = 0 if call.is_urgent else 1
        with self._ready:
            entry = (rank, next(self._numbers), steady_seconds(), call)
            heapq.heappush(self._waiting, entry)
            self._ready.notify()
            if len(self._waiting) > self._idle:
                self._late.notify()

    def take(self) -> tuple[VenueCall, float]:
        """Return the next call, and how many seconds it has waited."""
        with self._ready:
            while not self._waiting:
                self._idle += 1
                self._ready.wait()
                self._idle -= 1
            return self._pop()

    def take_overdue(self) -> tuple[VenueCall, float]:
        """Return the next reducing call that has waited too long, and for how many seconds."""
        with self._late:
            while True:
                waits = self._waited_seconds()
                if waits is not None and waits >= SPARE_AFTER_SECONDS:
                    return self._pop()
                self._late.wait(None if waits is None else SPARE_AFTER_SECONDS - waits)

    def _pop(self) -> tuple[VenueCall, float]:
        _, _, since, call = heapq.heappop(self._waiting)
        return call, steady_seconds() - since

    def _waited_seconds(self) -> float | None:
        """Return how long the first reducing call has waited, or None where none does."""
        if not self._waiting or self._waiting[0][0] != 0:
            return None
        return steady_seconds() - self._waiting[0][2]


def carry_out(broker: Broker, call: VenueCall) -> OrderReport:
    """Make one call and return what is known afterwards; an order that may exist is `unknown`."""
    try:
        return _ask(broker, call)
    except BrokerRefused as no:
        if call.what in ("cancel", "amend"):
            # Either is refused when the order is already gone: ask what became of it.
            return _look(broker, call)
        if call.what == "look":
            # Nobody may ask now: that says nothing about the order.
            code = no.code if no.code in HALTING else None
            return OrderReport(call.request.client_id, "unknown", code=code, message=no.message)
        return _for_all(call, "refused", no.code, no.message, no.retry_after)
    except Unreachable as error:
        why = str(error) if call.what == "place" else None
        if call.what == "amend":  # it never left: the order stands as it was
            before = call.request.amended_from
            return OrderReport(call.request.client_id, "accepted", quantity=before)
        return _for_all(call, _AFTER_UNREACHABLE[call.what], message=why or None)
    except Uncertain as doubt:
        return _for_all(call, _AFTER_UNCERTAIN[call.what], doubt.code, str(doubt) or None)
    except Exception:
        log.exception("broker_fault", extra={"account": call.key[0], "call": call.what})
        return _for_all(call, _AFTER_UNCERTAIN[call.what])


def time_out(call: VenueCall) -> OrderReport:
    """Return what is known of a call that did not come back."""
    text = "no answer within the deadline"
    return _for_all(call, _AFTER_UNCERTAIN[call.what], message=text)


def withdraw(call: VenueCall) -> OrderReport:
    """Return what is known of orders that were never handed out: the position had changed before."""
    return _for_all(call, "cancelled", message="what it was to reduce had changed before it left")


def _ask(broker: Broker, call: VenueCall) -> OrderReport:
    request = call.request
    if call.what == "cancel":
        return broker.cancel(request)
    if call.what == "look":
        return broker.find_order(request)
    if call.what == "amend":
        return cast(Amends, broker).amend(request)
    if call.partner is not None:
        first, second = broker.protect((request, call.partner))
        return replace(first, linked=(*first.linked, second))
    return broker.close(request) if request.reduces else broker.place_order(request)


def _for_all(
    call: VenueCall,
    status: str,
    code: str | None = None,
    message: str | None = None,
    retry_after: float | None = None,
) -> OrderReport:
    """Return a receipt that says the same of every order of a call."""
    requests = [call.request] if call.partner is None else [call.request, call.partner]
    first, *others = (
        OrderReport(each.client_id, status, code=code, message=message, retry_after=retry_after)
        for each in requests
    )
    return replace(first, linked=tuple(others))


def _look(broker: Broker, call: VenueCall) -> OrderReport:
    try:
        return broker.find_order(call.request)
    except (BrokerRefused, Unreachable, Uncertain):
        return OrderReport(call.request.client_id, "unknown")
    except Exception:
        log.exception("broker_fault", extra={"account": call.key[0], "call": call.what})
        return OrderReport(call.request.client_id, "unknown")


def _make_writable(report: OrderReport) -> OrderReport:
    """Return a receipt that can be recorded: JSON of a venue may hold half a surrogate pair."""
    texts = {name: getattr(report, name) for name in ("broker_id", "code", "message")}
    if all(text is None or text.isascii() for text in texts.values()):
        return report
    clean = {n: t and t.encode("utf-8", "backslashreplace").decode() for n, t in texts.items()}
    return replace(report, **clean)
