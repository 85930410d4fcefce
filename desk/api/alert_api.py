"""Receive requests: who may call, what they may ask for, and how long they wait for an answer.

Works on plain values, so that it knows no web framework; the server unpacks a request, asks here and sends
what comes back. Credentials and rates are judged by the gate, alerts are decided by the desk.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from desk.alerts.delivery import Delivery, PendingReply
from desk.api.comparison import answer_comparison
from desk.api.controls import Controls
from desk.api.gate import REFUSAL, Gate, is_basic
from desk.api.replies import write_outcomes, write_preview, write_received
from desk.api.requests import ApiResponse, Caller, HttpRefusal
from desk.compare.own import MaskText
from desk.config.load import is_loopback
from desk.config.settings import Settings
from desk.engine.loop import Desk
from desk.state.store import StoreUnavailable
from parsers.alert import Alert, Message

ALERT_PATHS = ("/webhook", "/alert", "/webhook/tradingview", "/webhook/validate")
READ_FROM_STRANGERS = 2_000
"""A larger body is read only for who has a credential: reading it may take fifteen milliseconds.

No text may be longer, so that what is looked at instead (`parsers.glance`) is JSON alone."""
RECORD_WITHIN_SECONDS = 2.3
"""TradingView hangs up after three seconds; what is not recorded by then is answered 503."""
OPEN_DOOR = "No secret is set, so whoever reaches the proxy may send alerts: set TRADINGVIEW_WEBHOOK_SECRET."
FOREIGN_PAGE = (
    "Controls are not taken from another site's page, nor from a browser that does not say whose page "
    'asks. From a terminal: curl -H "Authorization: Bearer $ADMIN_TOKEN" …'
)
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
    ) -> None:
        self.settings = settings
        self.desk = desk
        self.started_at = desk.clock()
        self._gate = gate
        self._parse = parse
        self._glance = glance
        self._reply_within = float(settings.webhook.reply_within_seconds)
        self._waiting = 0
        self.controls = Controls(settings, desk, self._await_command)
        self._may_wait = settings.webhook.threads // 2

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
        warnings, is_authenticated = self._check(caller, address, message, body, url_secrets)
        is_dry = self._is_test(message) or is_dry
        delivery = Delivery(
            entries=message.alerts,
            strategies=message.strategies,
            body=body,
            masked=message.masked,
            received_at=self.desk.clock(),
            is_array=message.is_array,
            is_dry=is_dry,
            is_authenticated=is_authenticated,
            warnings=warnings,
            timings={
                "parse": round((parsed - began) * 1000, 3),
                "gate": round((time.perf_counter() - parsed) * 1000, 3),
            },
        )
        reply = self.desk.submit(delivery)
        self._await(reply, began, is_queued=is_queued or is_dry)
        if is_dry:
            return write_preview(reply, message)
        return write_received(reply, message) if is_queued else write_outcomes(reply, message)

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
        if len(body) <= READ_FROM_STRANGERS or gate.asks_nobody:
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

    # --- who may read and control --------------------------------------------------------------------

    def is_owner(self, caller: Caller) -> bool:
        """Whether a request carries the admin token. Raises `HttpRefusal` (429) after too many guesses."""
        offered = caller.headers.get("authorization")
        if self._gate.is_admin(offered):
            return True
        if self._gate.is_guess(offered):
            address = self._address(caller)
            wait = self._gate.count_guess(address)
            if self._gate.must_tell(address):
                log.warning("many_refused_credentials", extra={"address": address})
            if wait is not None:
                text = f"Too many wrong tokens from this address. Try again in {wait} s."
                raise self._turn_away(address, HttpRefusal(429, "RATE_LIMITED", text, wait))
            text = "a wrong ADMIN_TOKEN"
            log.warning("turned_away", extra={"address": address, "text": text})
        return False

    def require_reader(self, caller: Caller) -> None:
        """Let in who may read: the owner, or in development someone at this machine.

        The host is asked too: a name that was pointed at this machine must not read (DNS rebinding).
        """
        is_here = self._gate.is_local_reader(caller.peer, caller.headers.keys())
        if not self.is_owner(caller) and not (is_here and is_loopback(_host_name(caller.host))):
            self._demand_token(caller)

    def compare(
        self, files: Iterable[tuple[str, bytes]] | None, zone: str | None, mask: MaskText
    ) -> ApiResponse:
        """Answer how TradingView's exports and the record differ. Raises `HttpRefusal`."""
        if files is None:
            text = "Send the exported files as fields named file, and the field zone where it is needed."
            raise HttpRefusal(422, "FILE_UNREADABLE", text)
        dedupe_ms = self.settings.webhook.dedupe_seconds * 1000
        reading = self.desk.store.reader
        return answer_comparison(reading, files, zone, self._parse, mask, dedupe_ms)

    def require_admin(self, caller: Caller) -> None:
        """Let in the owner alone, and no page of another site that borrows the owner's browser."""
        if not self.is_owner(caller):
            self._demand_token(caller)
        if not self._is_own_page(caller):
            raise HttpRefusal(403, "UNAUTHORIZED", FOREIGN_PAGE)

    def _is_own_page(self, caller: Caller) -> bool:
        """Whether a request comes from a page of ours or from no page at all.

        Over plain HTTP a browser sends no Sec-Fetch-Site, so its Origin is asked; where it sends
        neither, a log-in that the browser repeats by itself (Basic) proves nothing.
        """
        site, origin = caller.headers.get("sec-fetch-site"), caller.headers.get("origin")
        if site is not None:
            return site in ("same-origin", "none")
        if origin is not None:
            here = self._origin(caller)
            return bool(here) and _plain_origin(origin) == here
        return not is_basic(caller.headers.get("authorization"))

    def _origin(self, caller: Caller) -> str:
        """Return the scheme, host and port by which the caller knows us; empty where it named none."""
        names = ("proto", "host", "port")
        forwarded = {name: caller.headers.get(f"x-forwarded-{name}") for name in names}
        return self._gate.find_origin(caller.peer, caller.host, forwarded)

    def _demand_token(self, caller: Caller) -> None:
        where = "in .env" if self.settings.admin_token else "which make run writes to .env"
        webhook = self.settings.webhook
        url = (self._origin(caller) or f"http://127.0.0.1:{webhook.port}") + caller.path
        post = "" if caller.is_reading else " -X POST"
        curl = f'curl{post} -H "Authorization: Bearer $ADMIN_TOKEN" {url}'
        raise HttpRefusal(401, "UNAUTHORIZED", f"This needs ADMIN_TOKEN, {where}: {curl}")


def _plain_origin(origin: str) -> str:
    """Return an Origin header in lower case and without the port that goes without saying."""
    origin = origin.strip().lower()
    port = {"http": ":80", "https": ":443"}.get(origin.partition(":")[0], "")
    return origin.removesuffix(port) if port else origin


def _halts_everything(message: Message) -> bool:
    """Whether one of the alerts halts all strategies: it names none (rules 11.1)."""
    return any(
        isinstance(each, Alert) and each.action == "halt" and each.strategy is None
        for each in message.alerts
    )


def _host_name(host: str) -> str:
    """Return a Host header without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]
