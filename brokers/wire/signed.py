"""Make signed calls to a venue and keep its clock.

A venue that signs wants a time beside the signature and refuses one that is off. Its clock is compared ahead
of the first call and after such a refusal; then the call is made once more, because it was not carried out.
How a call is signed, the venue brings; what it means and what comes back is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from brokers.protocol import CLOCK, BrokerRefused, Uncertain, Unreachable
from brokers.wire.client import HttpResponse, Wire
from brokers.wire.deadline import Deadline


@dataclass(frozen=True, slots=True)
class SignedCall:
    """One call as it leaves: what was signed is what is sent."""

    target: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)


Sign = Callable[[str, str, Any, int], SignedCall]
"""Method, path, payload and the venue's time in ms -> the call to make. May raise `BrokerRefused`."""
AskTime = Callable[[Wire], int]
"""Ask the venue's clock in milliseconds. May raise each of the three errors."""


class SignedCalls:
    """The signed calls of one account. Raises `BrokerRefused`, `Unreachable` and `Uncertain`."""

    def __init__(
        self, wire: Wire, sign: Sign, ask_time: AskTime, now_ms: Callable[[], int]
    ) -> None:
        self.wire = wire
        self.offset: int | None = None
        """The venue's clock less ours in milliseconds; None until it was asked."""
        self._sign = sign
        self._ask_time = ask_time
        self._now = now_ms

    @property
    def now(self) -> int:
        """What the venue's clock says, as far as we know."""
        return self._now() + (self.offset or 0)

    def compare_clocks(self) -> None:
        """Note how far the venue's clock is ahead of ours; where it cannot be asked, nothing changes."""
        before = self._now()
        try:
            theirs = self._ask_time(self.wire)
        except (BrokerRefused, Unreachable, Uncertain):
            return
        self.offset = theirs - (before + self._now()) // 2

    def read(
        self,
        path: str,
        payload: Any,
        deadline: Deadline,
        method: str = "GET",
        *,
        is_urgent: bool = False,
    ) -> Any:
        """Ask for something and return the answer's JSON."""

        def call(signed: SignedCall) -> HttpResponse:
            return self.wire.read(
                method,
                signed.target,
                headers=signed.headers,
                deadline_seconds=deadline.left_seconds,
                is_urgent=is_urgent,
            )

        return self._call(method, path, payload, call).data

    def send(
        self,
        method: str,
        path: str,
        payload: Any,
        deadline: Deadline,
        *,
        is_urgent: bool,
        on_stamp: Callable[[int], None] = lambda _: None,
    ) -> Any:
        """Change something, once, and return the answer's JSON. After its deadline nothing leaves.

        `on_stamp` is told the time each attempt is stamped with: what the venue took was stamped at most
        moments ahead of its clock, whatever ours says.
        """

        def call(signed: SignedCall) -> HttpResponse:
            return self.wire.send(
                method,
                signed.target,
                body=signed.body,
                headers=signed.headers,
                deadline_seconds=deadline.send_seconds,
                is_urgent=is_urgent,
            )

        return self._call(method, path, payload, call, on_stamp).data

    def _call(
        self,
        method: str,
        path: str,
        payload: Any,
        call: Callable[[SignedCall], HttpResponse],
        on_stamp: Callable[[int], None] = lambda _: None,
    ) -> HttpResponse:
        """Make a call; after a refusal for the clock once more, for then it was not carried out."""
        on_stamp(stamp := self.now)
        try:
            return call(self._sign(method, path, payload, stamp))
        except BrokerRefused as no:
            if no.code != CLOCK:
                raise
        self.compare_clocks()
        on_stamp(stamp := self.now)
        return call(self._sign(method, path, payload, stamp))
