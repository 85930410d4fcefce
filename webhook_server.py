"""Answer the phone: routes, wiring and the command line.

Bytes go to the parsers, words to the gate, alerts to the desk, and what comes back goes out. No trading
decision is made here, nothing is hashed and nothing is computed.
"""

from __future__ import annotations

import argparse
import functools
import gc
import importlib.util
import json
import logging
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from decimal import Decimal
from http import HTTPStatus
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

if __name__ == "__main__":
    if not all(
        map(importlib.util.find_spec, ("dotenv", "flask", "limits", "pydantic", "requests", "yaml"))
    ):
        sys.exit(
            f"The packages of this program are not installed for {sys.executable}. Start it with "
            "`make run`, or with `.venv/bin/python webhook_server.py` once that has made .venv; "
            "without make: `pip install -r requirements.txt` first."
        )

from flask import Flask, Response, request
from werkzeug.datastructures import EnvironHeaders
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.wsgi import get_content_length

from brokers import BROKERS, PUBLIC_URL, find_broker, list_facts, public_price
from brokers.instruments.symbols import canonical
from brokers.paper import Paper
from brokers.protocol import Broker, Connection
from desk.alerts.answers import OUTCOMES
from desk.api import accounts
from desk.api import pages as overview
from desk.api.alert_api import MAX_BODY, AlertApi, ApiResponse, Caller, HttpRefusal
from desk.api.gate import Gate
from desk.config.load import SettingsError, config_hash, describe, load, warnings
from desk.config.settings import Settings
from desk.engine.loop import Desk
from desk.engine.rates import Rates
from desk.formats import to_json
from desk.process.banner import write_banner
from desk.process.clock import steady_clock, steady_seconds
from desk.process.lock import StateLock, StateLocked
from desk.process.logfile import start_logging, write_line
from desk.process.port import CannotListen, check_port
from desk.state.abandoned import LiveAbandoned, check_abandoned, check_venues
from desk.state.backup import CannotBackUp, back_up
from desk.state.store import Glimpse, Store, StoreDamaged, StoreUnavailable
from desk.venue.prices import AskPrice
from parsers import glance, parse

VERSION = "0.1.0"
HERE = Path(__file__).resolve().parent
EXIT_LOCKED = 3
"""The settings are right and something here stands in the way of a start."""
TOO_LARGE = f"An alert may have {MAX_BODY} bytes."
NO_BODY = "The request has no body: the alert goes there, e.g. curl -d 'BUY BTCUSDT qty=0.01' …"
NOT_RECORDED = (
    "NOT_RECORDED",
    "The alert could not be recorded. Sending it again is safe: it is traded once.",
)
NOT_READ = (
    "STATE_UNAVAILABLE",
    "The state cannot be read now; GET /status says what is wrong with it.",
)
HTTP_ERRORS = {413: ("TOO_LARGE", TOO_LARGE)}
SAFE_HEADERS = [
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
]
ALERT_PATHS = ("/webhook", "/alert")
HANDED_ON = "receiver.handed_on"
"""Where the reason against an alert stands on its way to Flask's error handlers."""
Serve = Callable[..., Iterable[bytes]]
log = logging.getLogger("server")


def create_app(
    settings: Settings | None = None, brokers: Mapping[str, type[Broker]] = BROKERS
) -> Flask:
    """Return the application with its desk running.

    Exits with code 3 where the state is in use, or where it holds live positions that this configuration
    would no longer trade.
    """
    os.umask(0o077)
    if settings is None:
        settings = load_settings_or_exit(os.environ.get("CONFIG"), brokers=brokers)
    lock = StateLock(settings.state_path)
    try:
        with _blame("state (DATABASE_URL wins)", settings.state_path):
            lock.acquire()
            store = Store(settings.state_path)
        with _blame("logging.file", settings.log_path):
            how = settings.logging
            log_writer = start_logging(settings.log_path, how.level, how.max_bytes, how.keep)
    except (StateLocked, StoreDamaged, CannotWrite) as error:
        _give_up(error)
    gate = Gate(settings, steady_seconds)
    rates = Rates(settings.webhook.rate_limit, steady_seconds)
    real = connect_brokers(settings, brokers)
    desk = Desk(
        settings,
        store,
        rates,
        real,
        Paper,
        canonical,
        steady=steady_clock,
        ask_price=_price_source(settings),
    )
    gc.disable()  # what is loaded stays: looking through it while it grows doubles the start
    try:
        if os.environ.get("ABANDON_LIVE") not in ("1", "true"):
            check_abandoned(settings, store)
        check_venues(settings, store)
        desk.start()
    except (StoreDamaged, StoreUnavailable, LiveAbandoned) as error:
        log_writer.stop()
        store.close()
        lock.release()
        _give_up(error)
    # What was imported stays: looking through it again and again costs a tenth of the throughput.
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(20_000, 20, 20)
    mode = "live" if settings.live_accounts else "paper"
    log.info("started version=%s mode=%s config=%s", VERSION, mode, config_hash(settings))

    def stop_desk() -> None:
        lock.leave()
        desk.stop()
        log.info("stopped")
        log_writer.stop()
        lock.release()

    read = functools.partial(parse, known=settings.known_secrets)
    return _build(AlertApi(settings, desk, gate, read, glance), real, stop_desk)


def connect_brokers(
    settings: Settings, brokers: Mapping[str, type[Broker]] = BROKERS
) -> dict[str, Broker]:
    """Return the broker of each account that has a venue; none of them is called yet."""
    connections: dict[str, Connection] = dict(settings.accounts)
    return {
        name: find_broker(brokers, each.broker, each.market)(name, connections[name])  # type: ignore[call-arg]
        for name, each in settings.accounts.items()
        if each.broker != "paper"
    }


def _price_source(settings: Settings) -> AskPrice | None:
    """Return who tells the paper simulator live prices; a paper account's base_url stands in for them."""
    if settings.prices != "live":
        return None
    paper = [each for each in settings.accounts.values() if each.broker == "paper"]
    base_url = next((each.base_url for each in paper if each.base_url), PUBLIC_URL)
    return functools.partial(public_price, base_url=base_url)


class Receiver:
    """The application for a server that forks: its desk starts in the process that serves.

    A desk has a thread and a lock on the state, and neither survives a fork (`gunicorn --preload`).
    """

    def __init__(self) -> None:
        self._app: Flask | None = None
        self._starting = threading.Lock()

    def start(self) -> Flask:
        """Start the desk once. Exits with code 3 where the state is in use."""
        with self._starting:
            if self._app is None:
                self._app = create_app()
            return self._app

    def stop(self) -> None:
        """Stop the desk and say so, if it was started."""
        if self._app is not None:
            self._app.stop_desk()  # type: ignore[attr-defined]
            print(
                "Stopped: what was on its way is finished and recorded.",
                file=sys.stderr,
                flush=True,
            )

    def __call__(self, environ: Any, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve one request."""
        return (self._app or self.start())(environ, start_response)


class CannotWrite(Exception):
    """A file that must be written cannot be; the text names its setting and says what to do."""


@contextmanager
def _blame(setting: str, path: Path) -> Iterator[None]:
    """Make the folder of a file, and turn what goes wrong with it into words about its setting."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise CannotWrite(
            f"The receiver cannot start: {path} cannot be written ({error.strerror}). Let {setting} "
            "in config.yaml name a file in a folder that this user may write to, or give the user "
            "that right."
        ) from None


def _give_up(error: Exception) -> NoReturn:
    print(error, file=sys.stderr)
    raise SystemExit(EXIT_LOCKED) from None


def _build(api: AlertApi, real: Mapping[str, Broker], stop_desk: Callable[[], None]) -> Flask:
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.stop_desk = stop_desk  # type: ignore[attr-defined]
    _add_alert_routes(app, api)
    _add_reading_routes(app, api)
    _add_account_route(app, api, real)
    _add_control_routes(app, api)
    _add_error_answers(app, api)
    app.wsgi_app = _add_safe_headers(_add_short_way(app.wsgi_app, api))  # type: ignore[method-assign]

    return app


def _add_short_way(serve: Serve, api: AlertApi) -> Serve:
    """Answer alerts before Flask sees them: its own work for a request costs as much as reading the alert.

    What is refused goes on to the route of the same name, for its answer, and every other request does.
    """

    def serve_alert(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        is_alert = environ["REQUEST_METHOD"] == "POST" and environ["PATH_INFO"] in ALERT_PATHS
        if not is_alert or environ.get("QUERY_STRING"):
            return serve(environ, start_response)
        try:
            sent = api.receive(_caller(environ), lambda: _read_body(environ), [])
        except Exception as error:  # noqa: BLE001 - Flask knows what is answered to each
            environ[HANDED_ON] = error
            return serve(environ, start_response)
        body = sent.body
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        headers += _pause_header(sent)
        start_response(f"{sent.http} {HTTPStatus(sent.http).phrase}", headers)
        return [body]

    return serve_alert


class JsonResponse(Response):
    """An answer in JSON."""

    default_mimetype = "application/json"


def _add_safe_headers(serve: Serve) -> Serve:
    """Add the headers of caution to every answer, outside Flask: there they cost twice as much."""

    def serve_safely(environ: Any, start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            return start_response(status, [*headers, *SAFE_HEADERS], *error)

        return serve(environ, start)

    return serve_safely


# --- routes --------------------------------------------------------------------------------------


def _add_alert_routes(app: Flask, api: AlertApi) -> None:
    def receive(**how: bool) -> Response:
        secrets: list[str] = []
        environ = request.environ
        if HANDED_ON in environ:
            raise environ[HANDED_ON]
        if environ.get("QUERY_STRING"):
            secrets += request.args.getlist("secret") + request.args.getlist("auth_token")
        read = functools.partial(_read_body, environ)
        return _send(api.receive(_caller(environ), read, secrets, **how))

    @app.post("/webhook")
    @app.post("/alert")
    def webhook() -> Response:
        return receive()

    @app.post("/webhook/tradingview")
    def webhook_tradingview() -> Response:
        return receive(is_queued=True)

    @app.post("/webhook/validate")
    def webhook_validate() -> Response:
        return receive(is_dry=True)

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


def _add_reading_routes(app: Flask, api: AlertApi) -> None:
    desk = api.desk

    @app.get("/status")
    @app.get("/health")
    def status() -> Response:
        private = api.is_owner(_caller(request.environ))
        return _json(overview.show_status(desk, api.started_at, VERSION, private=private))

    @app.get("/history")
    def history() -> Response:
        api.require_reader(_caller(request.environ))
        names = ("strategy", "symbol", "status")
        filters = {name: request.args[name] for name in names if name in request.args}
        if filters.get("status", OUTCOMES[0]) not in OUTCOMES:
            raise HttpRefusal(400, "UNREADABLE", f"status must be one of {', '.join(OUTCOMES)}.")
        return _send(ApiResponse(200, overview.show_history(desk, filters, _read_limit())))

    @app.get("/history/<alert_id>")
    def one_alert(alert_id: str) -> Response:
        api.require_reader(_caller(request.environ))
        shape = overview.show_alert(desk, alert_id)
        if shape is None:
            raise HttpRefusal(404, "NOT_FOUND", "No alert has that id. GET /history lists them.")
        return _json(shape)

    @app.get("/strategies")
    def strategies() -> Response:
        api.require_reader(_caller(request.environ))
        return _json(overview.show_strategies(desk))

    @app.get("/positions")
    def positions() -> Response:
        api.require_reader(_caller(request.environ))
        return _json(overview.show_positions(desk, _read_limit()))


def _add_account_route(app: Flask, api: AlertApi, real: Mapping[str, Broker]) -> None:
    desk = api.desk

    @app.get("/accounts")
    def list_accounts() -> Response:
        found = request.args.get("connect", "0")
        if found not in ("0", "1"):
            raise HttpRefusal(400, "UNREADABLE", "connect must be 0 or 1.")
        if found == "0":
            api.require_reader(_caller(request.environ))
            return _json({"accounts": accounts.show_accounts(desk.settings, desk.state.shown.cash)})
        # It logs in at every venue: that is for the owner, and no page of another site may cause it.
        api.require_admin(_caller(request.environ))
        symbols = accounts.list_symbols(desk.settings, desk.state.shown.open_books())
        rows = accounts.show_accounts(desk.settings, desk.state.shown.cash)
        return _json({"accounts": accounts.connect(rows, real, symbols)})


def _add_control_routes(app: Flask, api: AlertApi) -> None:
    @app.post("/halt")
    def halt() -> Response:
        api.require_admin(_caller(request.environ))
        return _send(api.switch("halt", _read_options({"account", "strategy"})))

    @app.post("/resume")
    def resume() -> Response:
        api.require_admin(_caller(request.environ))
        return _send(api.switch("resume", _read_options({"account", "strategy"})))

    @app.post("/flatten")
    def flatten() -> Response:
        api.require_admin(_caller(request.environ))
        return _send(api.flatten(_read_options({"account", "strategy", "symbol", "confirm"})))

    @app.post("/orders/<client_order_id>/resolve")
    def resolve(client_order_id: str) -> Response:
        api.require_admin(_caller(request.environ))
        options = _read_options({"outcome", "quantity", "price"})
        return _send(api.resolve(client_order_id, options))


# --- unpacking requests --------------------------------------------------------------------------


def _caller(environ: dict[str, Any]) -> Caller:
    peer, host = environ.get("REMOTE_ADDR") or "", environ.get("HTTP_HOST") or ""
    is_reading = environ["REQUEST_METHOD"] in ("GET", "HEAD")
    return Caller(peer, host, environ["PATH_INFO"], is_reading, EnvironHeaders(environ))


def _read_body(environ: dict[str, Any]) -> bytes:
    """Return the whole body. Without a length gunicorn would silently cut it at the limit."""
    length = get_content_length(environ)
    if length is None:
        has_body = "HTTP_TRANSFER_ENCODING" in environ
        text = "Send the alert with a Content-Length." if has_body else NO_BODY
        raise HttpRefusal(411, "LENGTH_REQUIRED", text)
    if length > MAX_BODY:
        raise HttpRefusal(413, "TOO_LARGE", TOO_LARGE)
    body: bytes = environ["wsgi.input"].read(length)
    if len(body) != length:  # the sender hung up: qty=1 may have been qty=1000
        raise HttpRefusal(400, "UNREADABLE", "The body ended before its Content-Length.")
    return body


def _read_options(known: set[str]) -> dict[str, Any]:
    # In chunks it has no length: to take it for empty would halt everything instead of one strategy.
    has_body = bool(request.content_length) or "HTTP_TRANSFER_ENCODING" in request.environ
    body = _read_body(request.environ) if has_body else b"{}"
    # A page of another site can send a form or a text by itself, and JSON only where it is allowed to.
    if has_body and request.mimetype != "application/json":
        text = "A control's body is JSON: send the header Content-Type: application/json with it."
        raise HttpRefusal(415, "UNREADABLE", text)
    try:
        shape = json.loads(body.decode(), parse_float=Decimal, object_pairs_hook=_read_once)
    except (ValueError, RecursionError):
        shape = None
    if not isinstance(shape, dict) or not set(shape) <= known:
        names = ", ".join(sorted(known))
        text = f"Send a JSON object with no other keys than {names}, each at most once."
        raise HttpRefusal(422, "UNREADABLE", text)
    options = {name: value for name, value in shape.items() if value is not None}
    plain = ("confirm", "quantity", "price")
    given = [value for name, value in options.items() if name not in plain]
    if not all(isinstance(each, str) and each.isprintable() for each in given):
        raise HttpRefusal(422, "UNREADABLE", "Names are texts in quotes.")
    return options


def _read_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object whose keys stand once each: of two the last would win, unseen."""
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _read_limit() -> int:
    text = request.args.get("limit", "100")
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        raise HttpRefusal(400, "UNREADABLE", "limit must be a whole number from 0 to 999999.")
    return int(text)


# --- sending answers -----------------------------------------------------------------------------


def _send(sent: ApiResponse) -> Response:
    return JsonResponse(sent.body, sent.http, _pause_header(sent))


def _pause_header(sent: ApiResponse) -> list[tuple[str, str]]:
    return [] if sent.retry_after is None else [("Retry-After", str(sent.retry_after))]


def _json(shape: object) -> Response:
    return _send(ApiResponse(200, to_json(shape)))


def _fail(http: int, code: str, message: str, retry_after: int | None = None) -> Response:
    shape = {"success": False, "status": "denied", "code": code, "message": message}
    return _send(ApiResponse(http, to_json(shape), retry_after))


def _add_error_answers(app: Flask, api: AlertApi) -> None:
    @app.before_request
    def refuse_double_slash() -> None:
        # The router would take //halt for /halt, which a proxy may have meant to keep out.
        if request.environ["PATH_INFO"].startswith("//"):
            raise NotFound

    @app.errorhandler(HttpRefusal)
    def show_refusal(refusal: HttpRefusal) -> Response:
        response = _fail(refusal.http, refusal.code, str(refusal), refusal.retry_after)
        if refusal.http == 401 and request.method == "GET":
            response.headers["WWW-Authenticate"] = 'Basic realm="receiver", charset="UTF-8"'
        return response

    @app.errorhandler(StoreUnavailable)
    def show_unavailable(error: StoreUnavailable) -> Response:
        log.error("not_recorded", extra={"text": str(error)})
        return _fail(503, *(NOT_READ if request.method == "GET" else NOT_RECORDED), 5)

    @app.errorhandler(MethodNotAllowed)
    def show_wrong_method(error: MethodNotAllowed) -> Response:
        methods = sorted({*(error.valid_methods or ())} - {"HEAD", "OPTIONS"})
        response = _fail(405, "METHOD_NOT_ALLOWED", f"This page takes {' or '.join(methods)} only.")
        response.headers["Allow"] = ", ".join(error.valid_methods or ())
        return response

    @app.errorhandler(NotFound)
    def show_not_found(_: NotFound) -> Response:
        return _fail(404, "NOT_FOUND", api.explain_wrong_path(_caller(request.environ)))

    @app.errorhandler(HTTPException)
    def show_http_error(error: HTTPException) -> Response:
        http = error.code if error.code and error.code < 500 else 400
        code, text = HTTP_ERRORS.get(http, ("UNREADABLE", "The request could not be understood."))
        return _fail(http, code, text)

    @app.errorhandler(Exception)
    def show_fault(fault: Exception) -> Response:
        # Not a 5xx: TradingView would send the alert three times more.
        log.error("server_fault", exc_info=fault)
        text = "An internal error; it is in the log. GET /history shows what was recorded."
        return _fail(400, "INTERNAL", text)


# --- the command line ----------------------------------------------------------------------------


def load_settings(
    path: Path | None,
    environ: Mapping[str, str],
    brokers: Mapping[str, type[Broker]] = BROKERS,
    overrides: Mapping[str, object] = MappingProxyType({}),
) -> Settings:
    """Return the settings for these brokers, with the credentials they need. Raises `SettingsError`."""
    return load(path, environ, list_facts(brokers), overrides=overrides)


def load_settings_or_exit(
    config: str | None,
    overrides: Mapping[str, object] | None = None,
    brokers: Mapping[str, type[Broker]] = BROKERS,
) -> Settings:
    """Return the settings, or print every problem and exit with code 2."""
    try:
        return load_settings(_find_config(config), os.environ, brokers, overrides or {})
    except SettingsError as error:
        print(f"The receiver cannot start:\n{error}", file=sys.stderr)
        raise SystemExit(2) from None


def _find_config(config: str | None) -> Path | None:
    beside = HERE / "config.yaml"
    return Path(config) if config else beside if beside.exists() else None


def find_fault(config: str | None, listening: Collection[object]) -> str:
    """Return why a reload would not start, in words; empty where it would.

    What only a worker finds out (a file that cannot be written, live positions that would be abandoned)
    is looked for too: the old worker is gone by the time a new one finds it. `listening` are the
    addresses that are listened at already.
    """
    try:
        settings = load_settings(_find_config(config), os.environ)
        webhook = settings.webhook
        if (webhook.host, webhook.port) not in listening:
            check_port(webhook.host, webhook.port)
        for setting, path in (("state", settings.state_path), ("logging.file", settings.log_path)):
            with _blame(setting, path):
                if path.exists():
                    path.open("ab").close()
                else:
                    tempfile.TemporaryFile(dir=path.parent).close()
        if settings.state_path.exists():
            with closing(Glimpse(settings.state_path)) as store:
                if os.environ.get("ABANDON_LIVE") not in ("1", "true"):
                    check_abandoned(settings, store)
                check_venues(settings, store)
    except (SettingsError, CannotListen, CannotWrite, StoreDamaged, LiveAbandoned) as error:
        return str(error)
    return ""


def tell_refused_reload(settings: Settings, fault: str) -> None:
    """Say at the terminal and in the log that the old settings go on."""
    text = "The reload was refused and the old settings go on. Mend this, then reload again:"
    print(f"{text}\n{fault}", file=sys.stderr, flush=True)
    write_line(settings.log_path, "reload_refused", f"{text} {fault}")


def print_banner(settings: Settings) -> None:
    """Say where the receiver listens, what it trades and what is missing."""
    print("\n".join(write_banner(settings, VERSION)), file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Start the receiver, or check its configuration."""
    parser = argparse.ArgumentParser(description="Turn TradingView alerts into orders.")
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (default 8080)")
    parser.add_argument("--config", help="settings file (default config.yaml beside the program)")
    parser.add_argument(
        "--check", action="store_true", help="print the effective settings and exit"
    )
    parser.add_argument(
        "--connect", action="store_true", help="with --check: log in at every venue, too"
    )
    parser.add_argument(
        "--abandon-live",
        action="store_true",
        help="start although live positions are open and their accounts are not live any more",
    )
    parser.add_argument(
        "--backup", metavar="FILE", help="copy the state into a new file, also while it is in use"
    )
    options = parser.parse_args(arguments)
    if options.connect and not options.check:
        parser.error("--connect goes with --check")
    config = options.config or os.environ.get("CONFIG")
    overrides = {"host": options.host, "port": options.port}
    settings = load_settings_or_exit(config, overrides)
    if options.check:
        print("\n".join([*describe(settings), *(f"warning: {w}" for w in warnings(settings))]))
        print(_sum_up(settings))
        if options.connect:
            _check_connections(settings)
        return
    if options.backup:
        try:
            print(back_up(settings.state_path, Path(options.backup)))
        except CannotBackUp as error:
            _give_up(error)
        return
    if options.abandon_live:
        os.environ["ABANDON_LIVE"] = "1"
    # gunicorn and its worker read the same variables.
    os.environ["HOST"], os.environ["PORT"] = settings.webhook.host, str(settings.webhook.port)
    if config:
        os.environ["CONFIG"] = str(Path(config).resolve())
    _serve(settings)


def _sum_up(settings: Settings) -> str:
    """Return the last word of a check: with these settings it starts."""
    where = settings.file.name if settings.file.is_file() else "without a config.yaml everything"
    return f"{where} is in order{'; mind the warnings above' if warnings(settings) else ''}."


def _check_connections(settings: Settings) -> None:
    """Print what each venue says of its account; exit with code 1 where a live account has a problem."""
    rows = accounts.show_accounts(settings, {})
    rows = accounts.connect(rows, connect_brokers(settings), accounts.list_symbols(settings, []))
    print("\n".join(line for row in rows for line in accounts.describe_account(row)))
    if any(row["mode"] == "live" and row["problems"] for row in rows):
        raise SystemExit(1)


def _serve(settings: Settings) -> None:
    try:
        check_port(settings.webhook.host, settings.webhook.port)
    except CannotListen as error:
        _give_up(error)
    try:
        from gunicorn.app.wsgiapp import WSGIApplication  # noqa: PLC0415 - absent on Windows
    except ImportError:
        print("gunicorn is not available here: serving with Flask's own server.", file=sys.stderr)
        print_banner(settings)
        create_app(settings).run(settings.webhook.host, settings.webhook.port, threaded=True)
        return
    sys.argv = ["gunicorn", "--config", str(HERE / "gunicorn.conf.py")]
    WSGIApplication("%(prog)s").run()


if __name__ == "__main__":
    main()
