"""Write the log: one line an event, for people, and never in the way of an order.

Records are handed to a thread of their own that formats and writes them. Constant text, values as fields;
control characters are escaped, so that no value can forge a line. The file may be moved or deleted under us.
Nothing is ever read back from the log.
"""

from __future__ import annotations

import logging
import logging.handlers
import queue
import re
import time
from pathlib import Path

FIELDS = ("alert_id", "account", "strategy", "symbol", "code", "text", "call", "address")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_QUERY_SECRET = re.compile(r"(?i)((?:secret|auth_token|token|signature|password)=)[^&\s\"']+")


class LineFormatter(logging.Formatter):
    """Put one event on one line: time, level, event, then its fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        parts = [
            f"{moment}.{int(record.msecs):03d}Z",
            f"{record.levelname:<7}",
            record.getMessage(),
        ]
        parts += [f"{name}={value}" for name, value in self._fields(record)]
        if record.exc_info and record.exc_info[0] is not None:
            parts.append(self.formatException(record.exc_info))
        return clean(" ".join(parts))

    def _fields(self, record: logging.LogRecord) -> list[tuple[str, str]]:
        shape = getattr(record, "shape", None) or record.__dict__
        found = [(name, shape[name]) for name in FIELDS if shape.get(name) is not None]
        if "message" in shape and shape is not record.__dict__:
            found.append(("text", shape["message"]))
        return [(name, _quote(str(value))) for name, value in found]


def clean(text: str) -> str:
    """Escape what could break a line, and mask secrets of a query."""
    return _UNSAFE.sub(lambda m: f"\\x{ord(m[0]):02x}", _QUERY_SECRET.sub(r"\1***", text))


def start_logging(file: Path, level: str) -> logging.handlers.QueueListener:
    """Send what is logged to `file` and to the terminal, from a thread; call `stop` on what is returned."""
    formatter = LineFormatter()
    to_file = logging.handlers.WatchedFileHandler(file, encoding="utf-8", errors="backslashreplace")
    to_terminal = logging.StreamHandler()
    to_terminal.setLevel(logging.WARNING)
    for handler in (to_file, to_terminal):
        handler.setFormatter(formatter)
    lines: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    listener = logging.handlers.QueueListener(
        lines, to_file, to_terminal, respect_handler_level=True
    )
    root = logging.getLogger()
    root.handlers = [_Hand(lines)]
    root.setLevel(level)
    for name in ("urllib3", "werkzeug", "gunicorn"):
        logging.getLogger(name).setLevel(max(logging.getLevelName(level), logging.WARNING))
    listener.start()
    return listener


class _Hand(logging.handlers.QueueHandler):
    """Hand records on as they are: the thread that writes them formats them."""

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        return record


def _quote(text: str) -> str:
    return text if re.fullmatch(r"[\w.:/@!+-]*", text) else '"' + text.replace('"', "'") + '"'
