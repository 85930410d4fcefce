"""Make the library's client of one account, and carry its requests by our own wire.

The library writes and signs a request and reads the answer; sending is ours. So every call has one deadline,
nothing is repeated or redirected, no number becomes a float, and a page that is no JSON is no answer. What
`Order` names is sent once and only as it was meant.
"""

from __future__ import annotations

import importlib
import logging
import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any
from urllib.parse import urlsplit

from brokers.exchanges.errors import explain, explain_unsent
from brokers.exchanges.guard import check_order
from brokers.exchanges.proof import Proof, Sent
from brokers.protocol import (
    UNSUPPORTED,
    BrokerRefused,
    Connection,
    OrderRequest,
    Uncertain,
    Unreachable,
)
from brokers.wire.client import HttpResponse, Wire
from brokers.wire.deadline import Deadline
from brokers.wire.fields import write_plain

VERSION = "4.5.90"
"""The only one that the proofs hold for."""
INSTALL = "pip install -r requirements-ccxt.txt"
MARKETS_BYTES = 30_000_000
_NUMBER = re.compile(r"[+-]?[0-9]{1,30}(?:\.[0-9]{0,30})?(?:[eE][+-]?[0-9]{1,2})?", re.ASCII)
_calls = threading.local()


@dataclass(slots=True)
class Call:
    """What one thread is asking for, and what came of it so far."""

    deadline: Deadline
    order: OrderRequest | None = None
    """The order that is being sent; None: nothing is placed."""
    sent: Sent | None = None
    changes: bool = False
    """Whether the call changes something there (an order, a cancel)."""
    has_left: bool = False
    fault: Exception | None = None
    """What the last request failed with: the library may make something else of it."""
    target: str = ""
    method: str = ""
    has_bad_number: bool = False


def import_library() -> Any:
    """Return the library. Raises `BrokerRefused` where it is missing or not the one that was proven."""
    try:
        library = importlib.import_module("ccxt")
    except ImportError as missing:
        text = (
            f"broker: ccxt needs the package ccxt {VERSION}, which is not installed. Run: {INSTALL}"
        )
        raise BrokerRefused(text, UNSUPPORTED) from missing
    if (found := getattr(library, "__version__", "")) != VERSION:
        text = f"ccxt {found} is installed, and what it sends is proven for {VERSION} only. Run: {INSTALL}"
        raise BrokerRefused(text, UNSUPPORTED)
    # It writes each request, its keys and its signature, at DEBUG.
    logging.getLogger("ccxt").setLevel(logging.WARNING)
    return library


class Library:
    """One account's client. Safe for several threads at once. Raises our three errors alone."""

    def __init__(self, proof: Proof, connection: Connection, secrets: tuple[str, ...]) -> None:
        self.proof = proof
        self._connection = connection
        self._secrets = secrets
        self._lock = threading.Lock()
        self._wires: dict[str, Wire] = {}
        self._made: Any = None
        self._number = 0

    @property
    def client(self) -> Any:
        """Return the library's client, made when it is first needed."""
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made

    def call(self, method: str, *arguments: Any, call: Call) -> Any:
        """Carry out a method of the library and return what it returns.

        Raises `BrokerRefused`, `Unreachable` or `Uncertain`: what a request failed with, else what was sent.
        """
        client = self.client
        try:
            # It sets the rounding of the thread's decimals and leaves it so.
            with _making(call), localcontext():
                told = getattr(client, method)(*arguments)
        except (BrokerRefused, Unreachable, Uncertain) as ours:
            raise ours from None
        except Exception as error:  # noqa: BLE001 - whatever it raises, an order may stand behind it
            if call.fault is not None:  # the library has made an error of its own of it
                raise call.fault from None
            if call.changes and call.has_left:
                text = f"{self.proof.title} answered, and the answer cannot be read"
                raise Uncertain(text) from None
            if call.changes:
                raise explain_unsent(self.proof, error) from None
            raise _explain_read(self.proof, error) from None
        if call.has_bad_number:
            raise Uncertain(f"{self.proof.title}'s answer cannot be read: a number is none")
        return told

    @property
    def venue_ms(self) -> int | None:
        """What the exchange's clock says, as far as it tells."""
        told = (wire.venue_ms for wire in tuple(self._wires.values()))
        return next((each for each in told if each is not None), None)

    def open(self) -> None:
        """Connect ahead to the host that orders go to."""
        self._wire(self._origin(f"https://{self.proof.host}")).open()

    def _make(self) -> Any:
        proof, library = self.proof, import_library()
        keys = dict(zip(proof.keys, self._secrets, strict=False))
        # A private key of several lines is one line in .env.
        keys[proof.keys[1]] = keys[proof.keys[1]].replace("\\n", "\n")
        if proof.needs_passphrase and len(self._secrets) > len(proof.keys):
            keys["password"] = self._secrets[-1]
        settings = {
            **keys,
            "number": to_number,
            "enableRateLimit": False,
            "enableLastHttpResponse": False,
            "enableLastResponseHeaders": False,
            "options": {"maxRetriesOnFailure": 0, **proof.options},
        }
        made = getattr(library, proof.library)(settings)
        if self._connection.sandbox:
            if proof.sandbox:
                made.set_sandbox_mode(True)
            elif self._connection.base_url is None:
                text = f"{proof.name} has no test system that ccxt is proven to use. Remove sandbox: true."
                raise BrokerRefused(text, UNSUPPORTED)
        made.fetch = self._fetch
        if proof.has_nonce:
            made.nonce = self._next_number
        return made

    def _next_number(self) -> int:
        """Return a number above all before it: two threads may ask within one millisecond."""
        with self._lock:
            self._number = max(self._number + 1, time.time_ns() // 1_000_000)
            return self._number

    def _fetch(
        self,
        url: str,
        method: str = "GET",
        headers: Mapping[str, Any] | None = None,
        body: str | bytes | None = None,
    ) -> Any:
        """Carry one request of the library; stands in the place of its own `fetch`."""
        call: Call = _calls.current
        parts = urlsplit(url)
        call.target = url[len(f"{parts.scheme}://{parts.netloc}") :] or "/"
        call.method = method
        call.fault = None
        told = {**(self._made.headers or {}), **(headers or {})}
        try:
            self._let_pass(call, url, body)
            wire = self._wire(self._origin(url))
            reply = _exchange(wire, call, {name: str(value) for name, value in told.items()}, body)
        except (BrokerRefused, Unreachable, Uncertain) as fault:
            call.fault = fault
            raise
        return exact(reply.data)

    def _let_pass(self, call: Call, url: str, body: str | bytes | None) -> None:
        """Let one request out of an order: the order itself, and no question before or after it."""
        if call.order is None or call.sent is None:
            return
        if call.has_left:
            raise Uncertain(f"ccxt wanted to ask {self.proof.title} again after the order had left")
        check_order(self.proof, call.order, call.sent, url, body)

    def _origin(self, url: str) -> str:
        parts = urlsplit(url)
        return self._connection.base_url or f"{parts.scheme}://{parts.netloc}"

    def _wire(self, origin: str) -> Wire:
        if (wire := self._wires.get(origin)) is None:
            wire = Wire(origin, secrets=self._secrets, read_refusal=self._explain)
            wire = self._wires.setdefault(origin, wire)
        return wire

    def _explain(self, reply: HttpResponse) -> Exception | None:
        if not reply.is_json:
            return None
        call: Call = _calls.current
        told = exact(reply.data)
        try:
            self._made.handle_errors(
                *(reply.status, "", call.target, call.method, reply.headers),
                *(reply.text, told, {}, None),
            )
        except Exception as error:  # noqa: BLE001 - whatever it raises, it took the answer for an error
            return explain(self.proof, error, reply)
        if reply.status < 300 and not _has(told, self.proof.envelope):
            return Uncertain(f"{self.proof.title}'s answer lacks what each of its answers has")
        return None


@contextmanager
def _making(call: Call) -> Iterator[None]:
    before = getattr(_calls, "current", None)
    _calls.current = call
    try:
        yield
    finally:
        _calls.current = before


def _exchange(
    wire: Wire, call: Call, headers: Mapping[str, str], body: str | bytes | None
) -> HttpResponse:
    """Make one request by the wire, again only where it asks for something and has no body."""
    if call.method == "GET" and not call.changes:
        seconds = call.deadline.left_seconds
        return wire.read(
            "GET", call.target, headers=headers, deadline_seconds=seconds, max_bytes=MARKETS_BYTES
        )
    seconds = call.deadline.send_seconds if call.changes else call.deadline.left_seconds
    call.has_left = True
    try:
        return wire.send(
            call.method,
            call.target,
            body=body.encode() if isinstance(body, str) else body,
            headers=headers,
            deadline_seconds=seconds,
            is_urgent=call.order is None or call.order.reduces,
        )
    except (Unreachable, BrokerRefused):
        call.has_left = False
        raise


def _explain_read(proof: Proof, error: Exception) -> Exception:
    """Return what it means that an answer to a question could not be read."""
    if type(error).__name__ == "OrderNotFound":
        return BrokerRefused(f"{proof.title} knows no such order", "ORDER_UNKNOWN")
    return Uncertain(f"{proof.title}'s answer cannot be read ({type(error).__name__})")


def exact(value: Any) -> Any:
    """Return JSON with text in the place of fractions: the library reads text without making it a float."""
    if isinstance(value, dict):
        return {name: exact(each) for name, each in value.items()}
    if isinstance(value, list):
        return [exact(each) for each in value]
    return write_plain(value) if isinstance(value, Decimal) else value


def to_number(text: Any) -> str:
    """Return a number of an answer as text. What only resembles one spoils the call it was read in.

    The library can be given Decimal for its numbers, too; then it loses those that it reads a second time.
    """
    told = str(text)
    number = Decimal(told)
    if not _NUMBER.fullmatch(told) or not number.is_finite():
        call: Call | None = getattr(_calls, "current", None)
        if call is not None:
            call.has_bad_number = True
        raise ValueError("no number")
    return write_plain(number)


def _has(data: Any, envelope: tuple[str, ...]) -> bool:
    """Tell whether an answer has the fields that say that it is one."""
    return not envelope or (isinstance(data, dict) and all(name in data for name in envelope))
