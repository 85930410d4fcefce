"""Call brokers from a bounded number of threads, one deadline a call, and bring every answer back.

A call never raises: whatever a broker does becomes a receipt. Nothing here decides whether to call again.
"""

from __future__ import annotations

import itertools
import logging
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace

from brokers.protocol import Broker, Receipt, Refused, Uncertain, Unreachable
from desk.floor import Call

log = logging.getLogger("desk")
_order = itertools.count()
# What an order is when the call about it failed: a cancel or a look-up that failed changes nothing.
_AFTER_UNREACHABLE = {
    "place": "unreached",
    "close": "unreached",
    "cancel": "accepted",
    "look": "unknown",
}
_AFTER_UNCERTAIN = {"place": "unknown", "close": "unknown", "cancel": "accepted", "look": "unknown"}


class Pool:
    """Threads that call one account's broker; reducing calls leave before opening ones."""

    def __init__(
        self,
        brokers: Mapping[str, Broker],
        parallel: Mapping[str, int],
        deliver: Callable[[Call, Receipt], None],
    ) -> None:
        self._brokers = brokers
        self._deliver = deliver
        self._parallel = parallel
        self._queues: dict[str, queue.PriorityQueue[tuple[int, int, Call | None]]] = {}

    def submit(self, call: Call) -> None:
        """Hand one call out; its receipt comes back through `deliver`."""
        account = call.key[0]
        if account not in self._queues:
            self._queues[account] = queue.PriorityQueue()
            for number in range(self._parallel.get(account, 4)):
                name = f"broker-{account}-{number}"
                threading.Thread(target=self._work, args=(account,), name=name, daemon=True).start()
        self._queues[account].put((0 if call.is_urgent else 1, next(_order), call))

    def fetch(self, account: str, job: Callable[[], None]) -> None:
        """Run a read for an account in a thread of its own: it is rare and must not wait for orders."""
        threading.Thread(target=job, name=f"fetch-{account}", daemon=True).start()

    def _work(self, account: str) -> None:
        waiting = self._queues[account]
        while True:
            _, _, call = waiting.get()
            if call is not None:
                self._deliver(call, _make_writable(carry_out(self._brokers[account], call)))


def carry_out(broker: Broker, call: Call) -> Receipt:
    """Make one call and return what is known afterwards; an order that may exist is `unknown`."""
    request, cid = call.request, call.request.client_id
    try:
        if call.what == "cancel":
            return broker.cancel(request)
        if call.what == "look":
            return broker.find_order(request)
        return broker.close(request) if request.reduces else broker.place_order(request)
    except Refused as no:
        if call.what == "cancel":
            # A cancel is refused when the order is already gone: ask what became of it.
            return _look(broker, call)
        return Receipt(cid, "refused", code=no.code, message=no.message)
    except Unreachable:
        return Receipt(cid, _AFTER_UNREACHABLE[call.what])
    except Uncertain as doubt:
        return Receipt(cid, _AFTER_UNCERTAIN[call.what], message=str(doubt))
    except Exception:
        log.exception("broker_fault", extra={"account": call.key[0], "call": call.what})
        return Receipt(cid, _AFTER_UNCERTAIN[call.what])


def _look(broker: Broker, call: Call) -> Receipt:
    try:
        return broker.find_order(call.request)
    except (Refused, Unreachable, Uncertain):
        return Receipt(call.request.client_id, "unknown")
    except Exception:
        log.exception("broker_fault", extra={"account": call.key[0], "call": call.what})
        return Receipt(call.request.client_id, "unknown")


def _make_writable(receipt: Receipt) -> Receipt:
    """Return a receipt that can be recorded: JSON of a venue may hold half a surrogate pair."""
    texts = {name: getattr(receipt, name) for name in ("broker_id", "code", "message")}
    if all(text is None or text.isascii() for text in texts.values()):
        return receipt
    clean = {n: t and t.encode("utf-8", "backslashreplace").decode() for n, t in texts.items()}
    return replace(receipt, **clean)
