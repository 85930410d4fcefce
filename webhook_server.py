"""Answer the phone: routes, wiring and the command line.

Bytes go to the parsers, words to the gate, alerts to the desk, and what comes back goes out. No trading
decision is made here, nothing is hashed and nothing is computed.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import Flask, Request, Response, request
from werkzeug.exceptions import HTTPException

from brokers import BROKERS
from brokers.protocol import Broker
from brokers.symbols import canonical
from desk import overview
from desk.answers import combine_statuses, iso
from desk.gate import REFUSAL, Gate
from desk.lock import StateLock, StateLocked
from desk.logfile import start_logging
from desk.loop import Desk
from desk.operator import shares_to_flatten
from desk.options import Settings
from desk.rates import Rates
from desk.reply import Answer, Delivery, Reply
from desk.settings import SettingsError, config_hash, describe, is_loopback, load, warnings
from desk.store import Store, StoreDamaged, StoreUnavailable, to_json
from parsers import parse
from parsers.alert import Alert, Message

VERSION = "0.1.0"
MAX_BODY = 64 * 1024
RECORD_WITHIN_SECONDS = 2.3
EXIT_LOCKED = 3
SAFE_HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
log = logging.getLogger("server")


class Refusal(Exception):
    """End a request with an answer of its own."""

    def __init__(self, http: int, code: str, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.http = http
        self.code = code
        self.retry_after = retry_after


class Phone:
    """What the routes need: settings, gate and desk."""

    def __init__(self, settings: Settings, desk: Desk, gate: Gate) -> None:
        self.settings = settings
        self.desk = desk
        self.gate = gate
        self.started_at = desk.clock()
        self.reply_within = float(settings.webhook.reply_within_seconds)
        self._waiting = 0
        self._may_wait = settings.webhook.threads // 2

    def receive(self, *, is_queued: bool = False, is_dry: bool = False) -> Response:
        """Take one body in and answer with what came of it."""
        began = time.perf_counter()
        address = self._check_address()
        body = _read_body(request)
        message = parse(body)
        parsed = time.perf_counter()
        warnings_found, is_authenticated = self._check_credentials(message, body, address)
        is_test = [isinstance(each, Alert) and each.test for each in message.alerts]
        if any(is_test) and not all(is_test):
            raise Refusal(
                400, "UNREADABLE", "Some alerts of this array are tests and some are not."
            )
        is_dry = is_dry or all(is_test)
        checked = time.perf_counter()
        delivery = Delivery(
            entries=message.alerts,
            strategies=message.strategies,
            body=body,
            masked=message.masked,
            received_at=self.desk.clock(),
            is_array=message.is_array,
            is_dry=is_dry,
            is_authenticated=is_authenticated,
            warnings=warnings_found,
            timings={
                "parse": round((parsed - began) * 1000, 3),
                "gate": round((checked - parsed) * 1000, 3),
            },
        )
        reply = self.desk.submit(delivery)
        self._await(reply, began, is_queued)
        if is_queued and not is_dry:
            return _answer_queued(reply, message)
        return _answer(reply, message)

    def _check_address(self) -> str:
        peer = request.remote_addr or ""
        address = self.gate.client_address(peer, request.headers.get("X-Forwarded-For"))
        if not self.gate.may_connect(address):
            text = "Your address is not in webhook.allowed_ips."
            raise Refusal(403, "ADDRESS_NOT_ALLOWED", text)
        return address

    def _check_credentials(
        self, message: Message, body: bytes, address: str
    ) -> tuple[tuple[str, ...], bool]:
        """Ask the gate about every strategy a body names. Raises `Refusal` with 401 or 429."""
        url = [*request.args.getlist("secret"), *request.args.getlist("auth_token")]
        signature = request.headers.get("X-Webhook-Signature")
        names = set(message.strategies) or {None}
        verdicts = [
            self.gate.check_credentials(body, url, signature, message.secrets, name)
            for name in names
        ]
        is_allowed = all(each.allowed for each in verdicts)
        is_authenticated = is_allowed and all(each.is_authenticated for each in verdicts)
        if not is_authenticated:
            wait = self.gate.count_unauthenticated(address, failed=not is_allowed)
            if not is_allowed and self.gate.must_tell(address):
                log.warning("many_refused_credentials", extra={"address": address})
            if wait is not None:
                rate = self.settings.webhook.rate_limit
                text = f"Rate limit exceeded: {rate} without a valid secret. Try again in {wait} s."
                raise Refusal(429, "RATE_LIMITED", text, wait)
        if not is_allowed:
            raise Refusal(401, "UNAUTHORIZED", REFUSAL)
        return tuple({each.warning for each in verdicts if each.warning}), is_authenticated

    def _await(self, reply: Reply, began: float, is_queued: bool) -> None:
        """Wait until the alerts are recorded, then for their outcome while threads are to spare."""
        reply.wait(RECORD_WITHIN_SECONDS - (time.perf_counter() - began))
        if reply.error is not None or not reply.is_recorded:
            raise StoreUnavailable(str(reply.error or "the desk did not answer in time"))
        if is_queued or reply.is_done or self._waiting >= self._may_wait:
            return
        self._waiting += 1
        try:
            reply.wait(self.reply_within - (time.perf_counter() - began))
        finally:
            self._waiting -= 1

    def require_reader(self) -> None:
        """Let in who may read: the owner, or in development someone at this machine."""
        if self.is_owner() or self._is_local():
            return
        _demand_token(self.settings)

    def require_admin(self) -> None:
        """Let in the owner alone, and no page of another site that borrows the owner's browser."""
        if not self.is_owner():
            _demand_token(self.settings)
        site = request.headers.get("Sec-Fetch-Site", "none")
        if site not in ("same-origin", "none"):
            raise Refusal(403, "UNAUTHORIZED", "Controls are not taken from another site's page.")

    def is_owner(self) -> bool:
        """Whether the request carries the admin token."""
        return self.gate.is_admin(request.headers.get("Authorization"))

    def _is_local(self) -> bool:
        # The host is asked too: a name that was pointed at this machine must not read (DNS rebinding).
        host = request.host.rpartition(":")[0] if ":" in request.host else request.host
        peer = request.remote_addr or ""
        is_here = self.gate.is_local_reader(peer, request.headers.keys())
        return is_here and is_loopback(host.strip("[]") or request.host)


def create_app(
    settings: Settings | None = None, brokers: Mapping[str, type[Broker]] = BROKERS
) -> Flask:
    """Return the application with its desk running. Exits with code 3 where the state is in use."""
    os.umask(0o077)
    if settings is None:
        settings = load_settings_or_exit(os.environ.get("CONFIG"), brokers=brokers)
    lock = StateLock(settings.state_path)
    try:
        lock.acquire()
        store = Store(settings.state_path)
    except (StateLocked, StoreDamaged, OSError) as error:
        print(error, file=sys.stderr)
        raise SystemExit(EXIT_LOCKED) from None
    listener = start_logging(settings.log_path, settings.logging.level)
    gate = Gate(settings, time.monotonic)
    rates = Rates(settings.webhook.rate_limit, time.monotonic)
    real = {
        name: brokers[each.broker](name, each)  # type: ignore[call-arg]
        for name, each in settings.accounts.items()
        if each.broker != "paper"
    }
    desk = Desk(settings, store, rates, real, canonical)
    desk.start()
    mode = "live" if settings.live_accounts else "paper"
    log.info("started version=%s mode=%s config=%s", VERSION, mode, config_hash(settings))

    def stop_desk() -> None:
        lock.leave()
        desk.stop()
        log.info("stopped")
        listener.stop()
        lock.release()

    return _build(Phone(settings, desk, gate), stop_desk)


def _build(phone: Phone, stop_desk: Callable[[], None]) -> Flask:
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.stop_desk = stop_desk  # type: ignore[attr-defined]
    _add_alert_routes(app, phone)
    _add_reading_routes(app, phone)
    _add_control_routes(app, phone)
    app.register_error_handler(Refusal, _show_refusal)
    app.register_error_handler(StoreUnavailable, _show_unavailable)
    app.register_error_handler(HTTPException, _show_http_error)
    app.register_error_handler(Exception, _show_fault)

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers.extend(SAFE_HEADERS)
        return response

    return app


# --- routes --------------------------------------------------------------------------------------


def _add_alert_routes(app: Flask, phone: Phone) -> None:
    @app.post("/webhook")
    @app.post("/alert")
    def webhook() -> Response:
        return phone.receive()

    @app.post("/webhook/tradingview")
    def webhook_tradingview() -> Response:
        return phone.receive(is_queued=True)

    @app.post("/webhook/validate")
    def webhook_validate() -> Response:
        return phone.receive(is_dry=True)

    @app.get("/webhook/test")
    def webhook_test() -> Response:
        return _json(
            {
                "status": "healthy",
                "message": "TradingView webhook endpoint is operational",
                "timestamp": time.time(),
                "rate_limit_status": "operational",
            }
        )


def _add_reading_routes(app: Flask, phone: Phone) -> None:
    @app.get("/status")
    @app.get("/health")
    def status() -> Response:
        private = phone.is_owner()
        return _json(overview.show_status(phone.desk, phone.started_at, VERSION, private=private))

    @app.get("/history")
    def history() -> Response:
        phone.require_reader()
        names = ("strategy", "symbol", "status")
        filters = {name: request.args[name] for name in names if name in request.args}
        limit = _read_limit(overview.HISTORY_LIMIT)
        return _text(overview.show_history(phone.desk, filters, limit))

    @app.get("/history/<alert_id>")
    def one_alert(alert_id: str) -> Response:
        phone.require_reader()
        shape = overview.show_alert(phone.desk, alert_id)
        if shape is None:
            raise Refusal(404, "NOT_FOUND", "No alert has that id. GET /history lists them.")
        return _json(shape)

    @app.get("/strategies")
    def strategies() -> Response:
        phone.require_reader()
        return _json(overview.show_strategies(phone.desk))

    @app.get("/positions")
    def positions() -> Response:
        phone.require_reader()
        return _json(overview.show_positions(phone.desk, _read_limit(100)))


def _add_control_routes(app: Flask, phone: Phone) -> None:
    def switch(name: str) -> Response:
        phone.require_admin()
        options = _read_options({"account", "strategy"})
        if len(options) == 2:
            raise Refusal(422, "UNREADABLE", "Name an account or a strategy, not both.")
        _find_account(phone.settings, options.get("account"))
        scope = ":".join(*options.items()) if options else "all"
        command = phone.desk.command(name, {"scope": scope})
        _await_command(command.reply)
        return _json({"success": True, "message": command.said})

    @app.post("/halt")
    def halt() -> Response:
        return switch("halt")

    @app.post("/resume")
    def resume() -> Response:
        return switch("resume")

    @app.post("/flatten")
    def flatten() -> Response:
        phone.require_admin()
        options = _read_options({"account", "symbol", "confirm"})
        account = _find_account(phone.settings, options.get("account"))
        if account is None:
            text = f'Name the account: {{"account": "{next(iter(phone.settings.accounts))}"}}.'
            raise Refusal(422, "UNREADABLE", text)
        symbol = options.get("symbol")
        books = shares_to_flatten(phone.desk.intake, account, symbol)
        if options.get("confirm") is not True:
            what = (
                ", ".join(key[2] for key in books) or "nothing: no strategy holds or works anything"
            )
            text = f'This would close on {account}: {what}. Send "confirm": true to do it.'
            raise Refusal(422, "NOT_CONFIRMED", text)
        command = phone.desk.command("flatten", {"account": account, "symbol": symbol})
        _await_command(command.reply)
        answer = command.reply.answers[0]
        return _text(answer.text, answer.http)


# --- reading requests ----------------------------------------------------------------------------


def _read_body(req: Request) -> bytes:
    """Return the whole body. Without a length gunicorn would silently cut it at the limit."""
    if req.content_length is None:
        raise Refusal(411, "LENGTH_REQUIRED", "Send the alert with a Content-Length.")
    if req.content_length > MAX_BODY:
        raise Refusal(413, "TOO_LARGE", f"An alert may have {MAX_BODY} bytes.")
    return req.get_data(cache=False)


def _read_options(known: set[str]) -> dict[str, Any]:
    shape = request.get_json(force=True, silent=True) if request.content_length else {}
    if not isinstance(shape, dict) or not set(shape) <= known:
        names = ", ".join(sorted(known))
        raise Refusal(422, "UNREADABLE", f"Send a JSON object with no other keys than {names}.")
    options = {name: value for name, value in shape.items() if value is not None}
    if any(not isinstance(value, str) for name, value in options.items() if name != "confirm"):
        raise Refusal(422, "UNREADABLE", "Names are texts in quotes.")
    return options


def _find_account(settings: Settings, name: str | None) -> str | None:
    if name is None:
        return None
    found = settings.find_account(name)
    if found is None:
        known = ", ".join(settings.accounts)
        raise Refusal(422, "NO_ACCOUNT", f"There is no such account. Configured: {known}.")
    return found


def _read_limit(default: int) -> int:
    text = request.args.get("limit", str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise Refusal(400, "UNREADABLE", "limit must be a whole number.")
    return int(text)


def _await_command(reply: Reply) -> None:
    reply.wait(RECORD_WITHIN_SECONDS)
    if reply.error is not None or not reply.is_recorded:
        raise StoreUnavailable(str(reply.error or "the desk did not answer in time"))


# --- writing answers -----------------------------------------------------------------------------


def _answer(reply: Reply, message: Message) -> Response:
    if message.is_array:
        statuses = [answer.http for answer in reply.answers]
        texts = ",".join(answer.text for answer in reply.answers)
        done = to_json(all(answer.shape.get("success") for answer in reply.answers))
        return _text(f'{{"success":{done},"results":[{texts}]}}', combine_statuses(statuses))
    return _send(reply.answers[0])


def _answer_queued(reply: Reply, message: Message) -> Response:
    """Answer at once that the alert is ours; what can never trade is answered in full."""
    for answer in reply.answers:
        is_certain = answer.http == 400 or answer.shape.get("code") in ("NO_ACCOUNT",)
        is_known = answer.shape.get("duplicate") and answer.shape.get("status") != "pending"
        if is_certain or is_known:
            return _answer(reply, message)
    said = ", ".join(_name(each) for each in message.alerts if isinstance(each, Alert))
    ids = [answer.shape["alert_id"] for answer in reply.answers]
    shape = {
        "status": "received",
        "alert_id": ids[0],
        "message": f"Alert queued for processing: {said}",
    }
    if message.is_array:
        shape["alert_ids"] = ids
    return _json(shape)


def _name(alert: Alert) -> str:
    quantity = f" {alert.quantity}" if alert.quantity is not None else ""
    return f"{alert.symbol} {alert.action}{quantity}"


def _send(answer: Answer) -> Response:
    response = _text(answer.text, answer.http)
    wait = answer.shape.get("retry_after")
    if wait is not None:
        response.headers["Retry-After"] = str(wait)
    return response


def _json(shape: object, http: int = 200) -> Response:
    return _text(to_json(shape), http)


def _text(text: str, http: int = 200) -> Response:
    return Response(text, http, mimetype="application/json")


def _show_refusal(refusal: Refusal) -> Response:
    response = _fail(refusal.http, refusal.code, str(refusal))
    if refusal.retry_after is not None:
        response.headers["Retry-After"] = str(refusal.retry_after)
    if refusal.http == 401 and refusal.code == "UNAUTHORIZED" and request.method == "GET":
        response.headers["WWW-Authenticate"] = 'Basic realm="receiver", charset="UTF-8"'
    return response


def _show_unavailable(error: StoreUnavailable) -> Response:
    log.error("not_recorded", extra={"text": str(error)})
    text = "The alert could not be recorded, so nothing was done. Sending it again is safe."
    response = _fail(503, "NOT_RECORDED", text)
    response.headers["Retry-After"] = "5"
    return response


def _show_http_error(error: HTTPException) -> Response:
    http = error.code or 500
    text = {
        404: "There is no such page. Alerts go to POST /webhook.",
        405: "This page does not take that method. Alerts are sent by POST.",
        413: f"An alert may have {MAX_BODY} bytes.",
    }.get(http, "The request could not be understood.")
    codes = {404: "NOT_FOUND", 405: "NOT_FOUND", 413: "TOO_LARGE"}
    response = _fail(http if http < 500 else 400, codes.get(http, "UNREADABLE"), text)
    if "Allow" in (headers := dict(error.get_headers())):
        response.headers["Allow"] = headers["Allow"]
    return response


def _show_fault(fault: Exception) -> Response:
    """Answer a fault of ours as 400: a 5xx would make TradingView send the alert three times more."""
    log.exception("server_fault", extra={"text": type(fault).__name__})
    text = "An internal error; it is in the log. GET /history shows whether the alert was recorded."
    return _fail(400, "INTERNAL", text)


def _fail(http: int, code: str, message: str) -> Response:
    shape = {"success": False, "status": "denied", "code": code, "message": message}
    return _json(shape, http)


def _demand_token(settings: Settings) -> None:
    where = ".env beside config.yaml" if settings.admin_token else ".env (make run writes one)"
    curl = f"curl -H 'Authorization: Bearer $ADMIN_TOKEN' {request.base_url}"
    raise Refusal(401, "UNAUTHORIZED", f"This needs ADMIN_TOKEN, from {where}: {curl}")


# --- the command line ----------------------------------------------------------------------------


def load_settings_or_exit(
    config: str | None,
    overrides: Mapping[str, object] | None = None,
    brokers: Iterable[str] = BROKERS,
) -> Settings:
    """Return the settings, or print every problem and exit with code 2."""
    path = Path(config) if config else None
    try:
        return load(path, os.environ, list(brokers), overrides=overrides or {})
    except SettingsError as error:
        print(f"The receiver cannot start:\n{error}", file=sys.stderr)
        raise SystemExit(2) from None


def print_banner(settings: Settings) -> None:
    """Say where the receiver listens, what it trades and what is missing."""
    print("\n".join(banner(settings)), file=sys.stderr, flush=True)


def banner(settings: Settings) -> list[str]:
    """Return the lines of the start-up banner."""
    webhook = settings.webhook
    url = f"http://{webhook.host}:{webhook.port}"
    live = settings.live_accounts
    lines = [
        f"TradingView Webhook Receiver {VERSION}, {iso(int(datetime.now(UTC).timestamp() * 1000))}",
        f"  webhook     {url}/webhook",
        f"  mode        {'LIVE: ' + ', '.join(live) if live else 'paper: nothing real is traded'}",
        f"  accounts    {', '.join(settings.accounts)}",
        f"  strategies  {', '.join(settings.strategies) or 'created by their first alert, on paper'}",
        f"  state, log  {settings.state_path}, {settings.log_path}",
    ]
    token = (
        "ADMIN_TOKEN in .env"
        if settings.admin_token
        else "not set: no controls (make run writes one)"
    )
    lines.append(f"  admin       {token}")
    if settings.is_development:
        lines.append("  secret      none: anybody on this machine may send alerts")
    if is_loopback(webhook.host):
        lines.append(
            "  note        loopback only: TradingView reaches ports 80 and 443 of a public address, "
            "see README, Deploy"
        )
    return lines + [f"  warning     {text}" for text in warnings(settings)]


def main(arguments: list[str] | None = None) -> None:
    """Start the receiver, or check its configuration."""
    parser = argparse.ArgumentParser(description="Turn TradingView alerts into orders.")
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (default 8080)")
    parser.add_argument("--config", help="settings file (default config.yaml beside the program)")
    parser.add_argument(
        "--check", action="store_true", help="print the effective settings and exit"
    )
    options = parser.parse_args(arguments)
    config = options.config or os.environ.get("CONFIG")
    overrides = {"host": options.host, "port": options.port}
    settings = load_settings_or_exit(config, overrides)
    if options.check:
        print("\n".join([*describe(settings), *(f"warning: {w}" for w in warnings(settings))]))
        return
    # gunicorn and its worker read the same three variables.
    os.environ["HOST"], os.environ["PORT"] = settings.webhook.host, str(settings.webhook.port)
    if config:
        os.environ["CONFIG"] = str(Path(config).resolve())
    _serve(settings)


def _serve(settings: Settings) -> None:
    try:
        from gunicorn.app.wsgiapp import WSGIApplication  # noqa: PLC0415 - absent on Windows
    except ImportError:
        print("gunicorn is not available here: serving with Flask's own server.", file=sys.stderr)
        print_banner(settings)
        create_app(settings).run(settings.webhook.host, settings.webhook.port, threaded=True)
        return
    here = Path(__file__).resolve().parent
    sys.argv = ["gunicorn", "--config", str(here / "gunicorn.conf.py")]
    WSGIApplication("%(prog)s").run()


if __name__ == "__main__":
    main()
