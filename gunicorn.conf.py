"""Production settings: `gunicorn` alone in this folder serves the receiver.

One worker, because one process owns the state; threads, because requests wait for brokers. The graceful stop
is longer than any call to a broker, so that what is on its way comes back before the end.
"""

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import webhook_server

wsgi_app = "webhook_server:Receiver()"
_settings = webhook_server.load_settings_or_exit(os.environ.get("CONFIG"))
_host = _settings.webhook.host
bind = (
    f"[{_host}]:{_settings.webhook.port}" if ":" in _host else f"{_host}:{_settings.webhook.port}"
)
worker_class = "gthread"
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
    """Keep gunicorn quiet about a worker that ended with code 3: it has already said why, and what to do."""
    server.log.error_log.addFilter(_is_news)


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
    """Let the desk finish what is on its way."""
    stop = getattr(worker.wsgi, "stop", None)
    if stop:
        stop()
