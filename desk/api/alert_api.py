"""Receive requests: who may call, what they may ask for, and how long they wait for an answer.

Works on plain values, so that it knows no web framework; the server unpacks a request, asks here and sends
what comes back. Credentials and rates are judged by the gate, alerts are decided by the desk.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from desk.alerts.delivery import Delivery, PendingReply
from desk.api.comparison import answer_comparison
from desk.api.controls import Controls
from desk.api.gate import REFUSAL, Gate
from desk.api.owner import Owner
from desk.api.replies import write_outcomes, write_preview, write_received
from desk.api.requests import ApiResponse, Caller, HttpRefusal
from desk.api.sessions import Sessions
from desk.compare.own import MaskText
from desk.config.settings import Settings
from desk.engine.loop import Desk
from desk.process.clock import steady_seconds
from desk.state.store import StoreUnavailable
from parsers.alert import Alert, Message

ALERT_PATHS = ("/webhook", "/alert", "/webhook/tradingview", "/webhook/validate")
READ_FROM_STRANGERS = 2_000
"""A larger body is read only for who has a credential: reading it may take fifteen milliseconds.

No text may be longer, so that what is looked at instead (`parsers.glance`) is JSON alone."""
RECORD_WITHIN_SECONDS = 2.3
"""TradingView hangs up after three seconds; what is not recorded by then is answered 503."""
OPEN_DOOR = "No secret is set, so whoever reaches the proxy may send alerts: set TRADINGVIEW_WEBHOOK_SECRET."
BY_HAND = "The owner sent this by hand."
log = logging.getLogger("server")


class AlertApi:
    """The front desk of one receiver."""

    def __init__(
        self,
        settings: Settings,
        desk: Desk,
        gate: Gate,
        parse: Callable[[bytes], Message],
        glance: Callable[[bytes], list[str]],
        mask: MaskText,
    ) -> None:
        self.settings = settings
        self.desk = desk
        self.started_at = desk.clock()
        self._gate = gate
        self._parse = parse
        self._glance = glance
        self._mask = mask
        self._reply_within = float(settings.webhook.reply_within_seconds)
        self._waiting = 0
        self.controls = Controls(settings, desk, self._await_command)
        self._may_wait = settings.webhook.threads // 2
        self.owner = Owner(settings, gate, Sessions(steady_seconds), self._turn_away)
        self.is_owner = self.owner.is_owner
        self.require_reader = self.owner.require_reader
        self.require_admin = self.owner.require_admin

    # --- alerts --------------------------------------------------------------------------------------

    def check_address(self, caller: Caller) -> str:
        """Return the caller's address. Raises `HttpRefusal` (403) where it may not call."""
        address = self._address(caller)
        if not self._gate.may_connect(address):
            text = f"{address} is not in webhook.allowed_ips."
            raise self._turn_away(address, HttpRefusal(403, "ADDRESS_NOT_ALLOWED", text))
        return address

    def receive(
        self,
        caller: Caller,
        read_body: Callable[[], bytes],
        url_secrets: list[str],
        *,
        is_queued: bool = False,
        is_dry: bool = False,
    ) -> ApiResponse:
        """Take one body in and return what came of it. Raises `HttpRefusal` or `StoreUnavailable`.

        The body is asked for once the address may call, and parsed only where a credential or the rate
        of strangers allows: what is refused costs next to nothing.
        """
        began = time.perf_counter()
        address = self.check_address(caller)
        if self._gate.asks_nobody:
            self._count_stranger(address)
        body = read_body()
        self._check_unread(caller, address, body, url_secrets)
        message = self._parse(body)
        parsed = time.perf_counter()
        is_dry = self._is_test(message) or is_dry
        if is_dry and self.owner.is_trying(caller):
            checked: tuple[tuple[str, ...], bool] = ((), True)
        else:
            checked = self._check(caller, address, message, body, url_secrets)
        timings = {
            "parse": round((parsed - began) * 1000, 3),
            "gate": round((time.perf_counter() - parsed) * 1000, 3),
        }
        reply = self._submit(message, body, checked, timings, is_dry=is_dry)
        self._await(reply, began, is_queued=is_queued or is_dry)
        if is_dry:
            preview = write_preview(reply, message)
            # A browser would write any other status to its console; `valid` says what it is.
            return replace(preview, http=200) if self.owner.is_trying(caller) else preview
        return write_received(reply, message) if is_queued else write_outcomes(reply, message)

    def send_by_hand(self, body: bytes, *, is_dry: bool = False) -> ApiResponse:
        """Take an alert that the owner sends, who needs no secret, and return what came of it.

        `is_dry`: only what would come of it. Raises `StoreUnavailable`.
        """
        began = time.perf_counter()
        message = self._parse(body)
        timings = {"parse": round((time.perf_counter() - began) * 1000, 3)}
        is_dry = self._is_test(message) or is_dry
        reply = self._submit(message, body, ((BY_HAND,), True), timings, is_dry=is_dry)
        self._await(reply, began, is_queued=is_dry)
        return write_preview(reply, message) if is_dry else write_outcomes(reply, message)

    def _submit(
        self,
        message: Message,
        body: bytes,
        checked: tuple[tuple[str, ...], bool],
        timings: dict[str, float],
        *,
        is_dry: bool,
    ) -> PendingReply:
        """Hand a body to the desk. `checked`: the gate's warnings, and whether a credential stood in it."""
        delivery = Delivery(
            entries=message.alerts,
            strategies=message.strategies,
            body=body,
            masked=message.masked,
            received_at=self.desk.clock(),
            is_array=message.is_array,
            is_dry=is_dry,
            is_authenticated=checked[1],
            warnings=checked[0],
            timings=timings,
        )
        return self.desk.submit(delivery)

    def _is_test(self, message: Message) -> bool:
        tests = [isinstance(each, Alert) and each.test for each in message.alerts]
        if any(tests) and not all(tests):
            raise HttpRefusal(
                400, "UNREADABLE", "Some alerts of this array are tests, some are not."
            )
        return any(tests)

    def _check_unread(
        self, caller: Caller, address: str, body: bytes, url_secrets: list[str]
    ) -> None:
        """Turn away a large body that nothing vouches for, without parsing it.

        Raises `HttpRefusal` with 401 or 429, as after parsing; any right credential lets the body be read.
        """
        gate = self._gate
        if len(body) <= READ_FROM_STRANGERS or gate.asks_nobody or self.owner.is_trying(caller):
            return
        if gate.is_open and not gate.is_spent(address):
            return  # it may be the alert of a strategy without a secret
        signature = caller.headers.get("x-webhook-signature")
        if not gate.may_authenticate(body, url_secrets, signature, self._glance(body)):
            self._count_stranger(address, failed=not gate.is_open)
            raise self._turn_away(address, HttpRefusal(401, "UNAUTHORIZED", REFUSAL))

    def _check(
        self, caller: Caller, address: str, message: Message, body: bytes, url_secrets: list[str]
    ) -> tuple[tuple[str, ...], bool]:
        """Ask the gate about every strategy a body names. Raises `HttpRefusal` with 401 or 429."""
        gate = self._gate
        signature = caller.headers.get("x-webhook-signature")
        names = set(message.strategies) if message.is_array else message.strategies
        verdicts = [
            gate.check_credentials(body, url_secrets, signature, message.secrets, name)
            for name in names or (None,)
        ]
        is_authenticated = all(each.is_authenticated for each in verdicts)
        is_allowed = all(each.allowed for each in verdicts)
        if not is_authenticated and not gate.asks_nobody:
            # Secrets on strategies alone: whoever knows none of them halts no other's strategy.
            is_allowed = is_allowed and not _halts_everything(message)
            self._count_stranger(address, failed=not is_allowed)
        if not is_allowed:
            raise self._turn_away(address, HttpRefusal(401, "UNAUTHORIZED", REFUSAL))
        if not is_authenticated and gate.must_warn_of_proxy(address, caller.headers.keys()):
            log.warning("alert_came_through_a_proxy", extra={"address": address, "text": OPEN_DOOR})
        return tuple({each.warning for each in verdicts if each.warning}), is_authenticated

    def _count_stranger(self, address: str, *, failed: bool = False) -> None:
        """Count an alert that proved nothing. Raises `HttpRefusal` (429) where there were too many."""
        wait = self._gate.count_unauthenticated(address, failed=failed)
        if failed and self._gate.must_tell(address):
            log.warning("many_refused_credentials", extra={"address": address})
        if wait is not None:
            rate = self.settings.webhook.rate_limit
            text = f"Rate limit exceeded: {rate} without a valid secret. Try again in {wait} s."
            raise self._turn_away(address, HttpRefusal(429, "RATE_LIMITED", text, wait))

    def _turn_away(self, address: str, refusal: HttpRefusal) -> HttpRefusal:
        """Leave a trace of a caller who is turned away, at most one a minute and address."""
        if self._gate.must_log(address):
            extra = {"address": address, "code": refusal.code, "text": str(refusal)}
            log.warning("turned_away", extra=extra)
        return refusal

    def explain_wrong_path(self, caller: Caller) -> str:
        """Say where alerts go to who called a page that there is not; leave a trace of it.

        The path may hold a secret that was meant for the query: then it is not logged.
        """
        address = self._address(caller)
        if self._gate.must_log(address, "wrong path"):
            path = (
                "a path with a secret"
                if self.settings.is_telling(caller.path)
                else caller.path[:100]
            )
            text = f"{'GET' if caller.is_reading else 'POST'} {path}: there is no such page"
            log.warning("wrong_path", extra={"address": address, "text": text})
        right = "/" + "/".join(filter(None, caller.path.lower().split("/")))
        if right in ALERT_PATHS and caller.path != right:
            how = "in lower case" if caller.path != caller.path.lower() else "with no other slash"
            return f"There is no such page: the path is {right}, {how}."
        return "There is no such page. Alerts go to POST /webhook."

    def _address(self, caller: Caller) -> str:
        return self._gate.client_address(caller.peer, caller.headers.get("x-forwarded-for"))

    def _await(self, reply: PendingReply, began: float, *, is_queued: bool) -> None:
        """Wait until the alerts are recorded, then for their outcome while threads are to spare."""
        reply.wait(RECORD_WITHIN_SECONDS - (time.perf_counter() - began))
        if reply.error is None and not reply.is_recorded and not reply.withdraw():
            reply.wait_until_recorded()  # the commit is on its way: whoever hears 503 sends again
        if reply.error is not None or not reply.is_recorded:
            raise StoreUnavailable(str(reply.error or "the desk did not answer in time"))
        if is_queued or reply.is_done or self._waiting >= self._may_wait:
            return
        self._waiting += 1
        try:
            reply.wait(self._reply_within - (time.perf_counter() - began))
        finally:
            self._waiting -= 1

    def _await_command(self, reply: PendingReply, is_queued: bool) -> None:
        self._await(reply, time.perf_counter(), is_queued=is_queued)

    def compare(self, files: Iterable[tuple[str, bytes]] | None, zone: str | None) -> ApiResponse:
        """Answer how TradingView's exports and the record differ. Raises `HttpRefusal`."""
        if files is None:
            text = "Send the exported files as fields named file, and the field zone where it is needed."
            raise HttpRefusal(422, "FILE_UNREADABLE", text)
        dedupe_ms = self.settings.webhook.dedupe_seconds * 1000
        reading = self.desk.store.reader
        return answer_comparison(reading, files, zone, self._parse, self._mask, dedupe_ms)


def _halts_everything(message: Message) -> bool:
    """Whether one of the alerts halts all strategies: it names none (rules 11.1)."""
    return any(
        isinstance(each, Alert) and each.action == "halt" and each.strategy is None
        for each in message.alerts
    )
