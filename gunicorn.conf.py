"""Production settings: `gunicorn` alone in this folder serves the receiver.

One worker, because one process owns the state; threads, because requests wait for brokers. The graceful stop
is longer than any call to a broker, so that what is on its way comes back before the end.
"""

import contextlib
import os
import selectors
import signal
import socket
import sys
import time
from collections import deque
from functools import partial
from pathlib import Path

from gunicorn import util
from gunicorn.workers.gthread import ThreadWorker

sys.path.insert(0, str(Path(__file__).parent))

import webhook_server
from desk.config.settings import is_loopback
from desk.process.banner import tell_refused_reload


class Worker(ThreadWorker):
    """A threaded worker whose loop waits for no client.

    gunicorn 27 ends a connection in the loop that accepts all others, and waits there up to two seconds for
    the client to end it too: fifteen that do not are half a minute in which no alert is taken.
    """

    LINGER_SECONDS = 2.0
    MOST_LINGERING = 1000
    MOST_DRAINED = 65536

    def init_process(self):
        """Start with nobody to wait for."""
        self.lingering = deque()
        super().init_process()

    def handle_quit(self, sig, frame):
        """Stop as for SIGTERM, also where Ctrl+C asks for more haste: what is on its way comes back.

        gunicorn's own takes a lock of the pool in the signal's handler, which may interrupt its holder.
        """
        self.handle_exit(sig, frame)

    def finish_request(self, conn, fs):
        """Go on with a connection, or end it without waiting."""
        conn.close = lambda graceful=False: self.end(conn, is_graceful=graceful)
        super().finish_request(conn, fs)

    def end(self, conn, *, is_graceful):
        """Say that nothing more comes; what the client still sends is read beside everything else."""
        if not is_graceful or len(self.lingering) >= self.MOST_LINGERING:
            util.close(conn.sock)
            return
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.drain, conn))
        except (OSError, ValueError, KeyError):
            util.close(conn.sock)
            return
        conn.timeout, conn.drained = time.monotonic() + self.LINGER_SECONDS, 0
        self.lingering.append(conn)

    def drain(self, conn, _):
        """Read what nobody asked for, so that the client gets its answer and not a reset."""
        try:
            data = conn.sock.recv(self.MOST_DRAINED)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        conn.drained += len(data)
        if not data or conn.drained >= self.MOST_DRAINED:
            self.lingering.remove(conn)
            self.forget(conn)

    def murder_pending(self):
        """Close what has waited long enough, too."""
        super().murder_pending()
        while self.lingering and self.lingering[0].timeout <= time.monotonic():
            self.forget(self.lingering.popleft())

    def forget(self, conn):
        """Close a connection for good."""
        with contextlib.suppress(OSError, KeyError, ValueError):  # it is gone already
            self.poller.unregister(conn.sock)
        util.close(conn.sock)


wsgi_app = "webhook_server:Receiver()"
_settings = webhook_server.load_settings_or_exit(os.environ.get("CONFIG"))
_host = _settings.webhook.host
bind = (
    f"[{_host}]:{_settings.webhook.port}" if ":" in _host else f"{_host}:{_settings.webhook.port}"
)
worker_class = Worker
workers = 1
threads = _settings.webhook.threads
timeout = 30
graceful_timeout = 25
keepalive = 20
limit_request_line = 8190
accesslog = None
loglevel = "warning"
control_socket_disable = True


def on_starting(server):
    """Refuse what cannot work before anything is forked, and let no reload end what works.

    gunicorn ends altogether when a reload finds a mistake in its configuration, and a further worker would
    wait for the state until gunicorn gives up on all of them.
    """
    # It stays quiet about a worker that ended with code 3: that has already said why, and what to do.
    server.log.error_log.addFilter(_is_news)
    asked = max(server.cfg.workers, _read_count(os.environ.get("WEB_CONCURRENCY")))
    if asked != 1:
        sys.stderr.write(
            f"{asked} workers were asked for (--workers, GUNICORN_CMD_ARGS or WEB_CONCURRENCY), and one "
            "process owns the state: two would trade every alert twice. Take that setting out; one "
            "worker with its threads serves a thousand alerts a second.\n"
        )
        raise SystemExit(3)
    _check_addresses(server.cfg.address)
    reload = server.reload

    def reload_if_right():
        fault = webhook_server.find_fault(os.environ.get("CONFIG"), server.cfg.address)
        if fault:
            tell_refused_reload(_settings, fault)
        else:
            reload()

    server.reload = reload_if_right
    server.handle_ttin = server.handle_ttou = lambda: sys.stderr.write(
        "One process owns the state: the number of workers stays one.\n"
    )


def _read_count(text):
    return int(text) if text and text.isascii() and text.isdigit() else 1


def _check_addresses(addresses):
    """Ask for a secret where --bind lets others reach what the settings keep on this machine."""
    for address in addresses:
        if isinstance(address, tuple) and not is_loopback(address[0]):
            os.environ["HOST"] = address[0]
            webhook_server.load_settings_or_exit(os.environ.get("CONFIG"))


def _is_news(record):
    text = record.getMessage()
    is_told = text.endswith("exited with code 3.") or "Worker failed to boot" in text
    return not is_told and not text.startswith("Shutting down: ")


def post_worker_init(worker):
    """Start the desk in the process that serves, also where it was loaded before the fork."""
    # Ctrl+C reaches this process beside the master's own signal; taking both hangs gunicorn's stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    start = getattr(worker.wsgi, "start", None)
    if start:
        start()
        webhook_server.print_banner(_settings)


def worker_exit(server, worker):
    """Let the desk finish what is on its way; a worker that could not start has none."""
    stop = getattr(getattr(worker, "wsgi", None), "stop", None)
    if stop:
        stop()
