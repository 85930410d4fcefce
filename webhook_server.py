"""Answer the phone: routes, wiring and the command line.

Bytes go to the parsers, words to the gate, alerts to the desk, and what comes back goes out. No trading
decision is made here, nothing is hashed and nothing is computed.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
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

from flask import Flask, Response, render_template, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from brokers import BROKERS, find_broker, list_facts, public_price
from brokers.instruments.symbols import canonical
from brokers.paper import Paper
from brokers.protocol import Broker, Connection
from desk.api import accounts
from desk.api import pages as overview
from desk.api.alert_api import AlertApi
from desk.api.command_line import (
    CannotCompare,
    check_connections,
    read_arguments,
    run_notify_test,
    run_query,
)
from desk.api.comparison import MAX_UPLOAD
from desk.api.controls import CONTROLS
from desk.api.door import FAULT, NOT_READ, NOT_RECORDED, add_door, add_safe_headers
from desk.api.first_screen import write_first_screen
from desk.api.gate import Gate
from desk.api.page import Page, View
from desk.api.polled import Polled
from desk.api.requests import (
    MAX_BODY,
    TOO_LARGE,
    ApiResponse,
    Caller,
    HttpRefusal,
    read_caller,
    read_limit,
    read_options,
    write_refusal,
)
from desk.api.routes import ROUTES, Asked, Route
from desk.config.load import SettingsError, load, warnings
from desk.config.settings import Settings
from desk.config.summary import describe, sum_up
from desk.engine.start import CannotStart, may_abandon, start_desk
from desk.formats import to_json
from desk.process.banner import write_banner
from desk.process.clock import steady_seconds
from desk.process.port import CannotListen, check_port
from desk.process.version import VERSION
from desk.state.backup import CannotBackUp, back_up
from desk.state.rehearsal import find_fault as try_start
from desk.state.store import StoreUnavailable
from desk.venue.prices import AskPrice
from parsers import glance, mask_flat, parse

HERE = Path(__file__).resolve().parent
FILES = HERE if (HERE / "gunicorn.conf.py").is_file() else HERE / "desk" / "files"
"""Where the page's files and gunicorn's settings lie: beside the program, or in an installed package."""
EXIT_LOCKED = 3
"""The settings are right and something here stands in the way of a start."""
HTTP_ERRORS = {413: ("TOO_LARGE", TOO_LARGE)}
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
    real = connect_brokers(settings, brokers)
    try:
        running = start_desk(settings, real, Paper, canonical, _ask_price(settings, real), VERSION)
    except CannotStart as error:
        _give_up(error)
    gate = Gate(settings, steady_seconds)
    read = functools.partial(parse, known=settings.known_secrets)
    api = AlertApi(settings, running.desk, gate, read, glance, mask_flat)
    return _build(api, real, running.stop)


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


def _ask_price(settings: Settings, real: Mapping[str, Broker]) -> AskPrice | None:
    """Return who tells the paper simulator live prices; a paper account's base_url stands in for them."""
    if settings.prices != "live":
        return None
    paper = [each for each in settings.accounts.values() if each.broker == "paper"]
    base_url = next((each.base_url for each in paper if each.base_url), None)
    return functools.partial(public_price, base_url=base_url, venues=real.values())


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


def _give_up(error: Exception) -> NoReturn:
    print(error, file=sys.stderr)
    raise SystemExit(EXIT_LOCKED) from None


def _build(api: AlertApi, real: Mapping[str, Broker], stop_desk: Callable[[], None]) -> Flask:
    app = Flask(__name__, root_path=str(FILES))
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.stop_desk = stop_desk  # type: ignore[attr-defined]
    _add_reading_routes(app, api)
    _add_account_route(app, api, real)
    _add_control_routes(app, api)
    _add_page_routes(app, api)
    _add_error_answers(app, api)
    app.wsgi_app = add_safe_headers(add_door(app.wsgi_app, api))  # type: ignore[method-assign]
    return app


# --- routes --------------------------------------------------------------------------------------


def _add_reading_routes(app: Flask, api: AlertApi) -> None:
    desk = api.desk

    @app.get("/webhook/test")
    def webhook_test() -> Response:
        message = "TradingView webhook endpoint is operational"
        works = {"status": "healthy", "message": message, "timestamp": time.time()}
        return _json({**works, "rate_limit_status": "operational"})

    @app.get("/status")
    @app.get("/health")
    def status() -> Response:
        private = api.is_owner(read_caller(request.environ))
        return _json(overview.show_status(desk, api.started_at, VERSION, private=private))

    @app.get("/history")
    def history() -> Response:
        api.require_reader(read_caller(request.environ))
        filters = overview.read_filters(request.args)
        limit = read_limit(request.args.get("limit", "100"))
        return _send(ApiResponse(200, overview.show_history(desk, filters, limit)))

    @app.get("/history/<alert_id>")
    def one_alert(alert_id: str) -> Response:
        api.require_reader(read_caller(request.environ))
        shape = overview.show_alert(desk, alert_id)
        if shape is None:
            raise HttpRefusal(404, "NOT_FOUND", "No alert has that id. GET /history lists them.")
        return _json(shape)

    for route in ROUTES:
        name, answer = f"{route.method} {route.path}", functools.partial(_answer, api, route)
        app.add_url_rule(route.path, name, answer, methods=[route.method])


def _add_account_route(app: Flask, api: AlertApi, real: Mapping[str, Broker]) -> None:
    desk = api.desk

    @app.get("/accounts")
    def list_accounts() -> Response:
        found = request.args.get("connect", "0")
        if found not in ("0", "1"):
            raise HttpRefusal(400, "UNREADABLE", "connect must be 0 or 1.")
        rows = accounts.show_accounts(desk.settings, desk.state.shown)
        if found == "0":
            api.require_reader(read_caller(request.environ))
            return _json({"accounts": rows})
        # It logs in at every venue: that is for the owner, and no page of another site may cause it.
        api.require_admin(read_caller(request.environ))
        symbols = accounts.list_symbols(desk.settings, desk.state.shown.open_books())
        return _json({"accounts": accounts.connect(rows, real, symbols)})


def _add_control_routes(app: Flask, api: AlertApi) -> None:
    def control() -> Response:
        api.require_admin(read_caller(request.environ))
        name = request.path[1:]
        return _send(api.controls.use(name, read_options(request.environ, CONTROLS[name])))

    for name in CONTROLS:
        app.add_url_rule(f"/{name}", name, control, methods=["POST"])

    @app.post("/compare")
    def compare() -> Response:
        api.require_admin(read_caller(request.environ), takes_forms=True)
        request.max_content_length = MAX_UPLOAD
        sent = request.files.getlist("file")
        files = ((each.filename or "", each.read()) for each in sent)
        return _send(api.compare(files if sent else None, request.form.get("zone")))


def _add_page_routes(app: Flask, api: AlertApi) -> None:
    first = Polled(lambda: write_first_screen(api.desk, VERSION), steady_seconds)

    def ask(answer: Callable[[Caller, Mapping[str, str]], View]) -> Response:
        view = answer(read_caller(request.environ), request.form)
        body = render_template(view.template, **view.values) if view.template else ""
        return Response(body, view.http, list(view.headers), mimetype="text/html")

    for (verb, path), each in Page(api.owner, VERSION).answers.items():
        app.add_url_rule(path, f"{verb} {path}", functools.partial(ask, each), methods=[verb])

    @app.get("/overview")
    def first_screen() -> Response:
        api.require_reader(read_caller(request.environ))
        text, tag = first.show()
        response = _send(ApiResponse(200, text))
        response.set_etag(tag)
        response.make_conditional(request)
        return response


# --- answers -------------------------------------------------------------------------------------


def _answer(api: AlertApi, route: Route, **parts: str) -> Response:
    return _send(route.answer(api, Asked(request.environ, request.args, parts)))


def _send(sent: ApiResponse) -> Response:
    return Response(sent.body, sent.http, sent.headers, mimetype=sent.kind)


def _json(shape: object) -> Response:
    return _send(ApiResponse(200, to_json(shape)))


def _add_error_answers(app: Flask, api: AlertApi) -> None:
    @app.before_request
    def refuse_double_slash() -> None:
        # The router would take //halt for /halt, which a proxy may have meant to keep out.
        if request.environ["PATH_INFO"].startswith("//"):
            raise NotFound

    @app.errorhandler(HttpRefusal)
    def show_refusal(refusal: HttpRefusal) -> Response:
        said = write_refusal(refusal.http, refusal.code, str(refusal), refusal.retry_after)
        response = _send(said)
        if refusal.http == 401 and request.method == "GET":
            response.headers["WWW-Authenticate"] = 'Basic realm="receiver", charset="UTF-8"'
        return response

    @app.errorhandler(StoreUnavailable)
    def show_unavailable(error: StoreUnavailable) -> Response:
        log.error("not_recorded", extra={"text": str(error)})
        return _send(
            write_refusal(503, *(NOT_READ if request.method == "GET" else NOT_RECORDED), 5)
        )

    @app.errorhandler(MethodNotAllowed)
    def show_wrong_method(error: MethodNotAllowed) -> Response:
        methods = sorted({*(error.valid_methods or ())} - {"HEAD", "OPTIONS"})
        text = f"This page takes {' or '.join(methods)} only."
        allow = ", ".join(error.valid_methods or ())
        return _send(write_refusal(405, "METHOD_NOT_ALLOWED", text, allow=allow))

    @app.errorhandler(NotFound)
    def show_not_found(_: NotFound) -> Response:
        text = api.explain_wrong_path(read_caller(request.environ))
        return _send(write_refusal(404, "NOT_FOUND", text))

    @app.errorhandler(HTTPException)
    def show_http_error(error: HTTPException) -> Response:
        http = error.code if error.code and error.code < 500 else 400
        code, text = HTTP_ERRORS.get(http, ("UNREADABLE", "The request could not be understood."))
        return _send(write_refusal(http, code, text))

    @app.errorhandler(Exception)
    def show_fault(fault: Exception) -> Response:
        # Not a 5xx: TradingView would send the alert three times more.
        log.error("server_fault", exc_info=fault)
        return _send(write_refusal(400, "INTERNAL", FAULT))


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

    `listening` are the addresses that are listened at already.
    """
    try:
        settings = load_settings(_find_config(config), os.environ)
    except SettingsError as error:
        return str(error)
    return try_start(settings, listening, may_abandon=may_abandon())


def print_banner(settings: Settings) -> None:
    """Say where the receiver listens, what it trades and what is missing."""
    print("\n".join(write_banner(settings, VERSION)), file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Start the receiver, or check its configuration."""
    options = read_arguments(arguments)
    config = options.config or os.environ.get("CONFIG")
    overrides = {"host": options.host, "port": options.port}
    settings = load_settings_or_exit(config, overrides)
    if _end_early(options, settings):
        return
    if options.abandon_live:
        os.environ["ABANDON_LIVE"] = "1"
    # gunicorn and its worker read the same variables.
    os.environ["HOST"], os.environ["PORT"] = settings.webhook.host, str(settings.webhook.port)
    if config:
        os.environ["CONFIG"] = str(Path(config).resolve())
    _serve(settings)


def _end_early(options: argparse.Namespace, settings: Settings) -> bool:
    """Do what was asked for instead of serving; return whether anything was."""
    if options.check:
        print("\n".join([*describe(settings), *(f"warning: {w}" for w in warnings(settings))]))
        print(sum_up(settings, warnings(settings)))
        if options.connect:
            check_connections(settings, connect_brokers(settings))
    elif options.notify_test:
        run_notify_test(settings)
    elif options.backup:
        try:
            print(back_up(settings.state_path, Path(options.backup)))
        except CannotBackUp as error:
            _give_up(error)
    elif options.compare or options.report:
        try:
            sys.stdout.writelines(run_query(settings, options, parse, mask_flat))
        except CannotCompare as error:
            print(error, file=sys.stderr)
            raise SystemExit(2) from None
    else:
        return False
    return True


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
    sys.argv = ["gunicorn", "--config", str(FILES / "gunicorn.conf.py")]
    WSGIApplication("%(prog)s").run()


if __name__ == "__main__":
    main()
