"""Write the log: one line an event, for people, and never in the way of an order.

Records are put aside and a thread of its own formats and writes them, all that have gathered at once: a
writer that is woken for each line costs an alert a fifth of its time (measured). Constant text, values as
fields; control characters are escaped, so that no value can forge a line. The file may be moved or deleted
under us; where it grows too large it is put aside as `NAME.1`, and older ones move up. Nothing is ever read
back from the log.
"""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import os
import re
import stat
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FIELDS = ("alert_id", "account", "strategy", "symbol", "code", "call", "address")
GATHER_SECONDS = 0.05
MOST_LINES = 100_000
"""More lines than this are not kept waiting: the disk is full or gone, and orders do not wait for it."""
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_QUERY_SECRET = re.compile(r"(?i)((?:secret|auth_token|token|signature|password)=)[^&\s\"']+")
_SECRET_WORDS = ("secret=", "token=", "signature=", "password=")
_PLAIN = re.compile(r"[\w.:/@!+-]*")


class LineFormatter(logging.Formatter):
    """Put one event on one line: time, level, event, then its fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        start = f"{moment}.{int(record.msecs):03d}Z {record.levelname:<7} "
        rows = record.__dict__.get("rows")
        if rows is not None:  # the events of one batch, a line each
            lines = (f"{event}{_write_fields(shape)}" for event, shape in rows)
            return "\n".join(clean(f"{start}{line}") for line in lines)
        line = f"{start}{record.getMessage()}{_write_fields(record.__dict__)}"
        if record.exc_info and record.exc_info[0] is not None:
            line += " " + self.formatException(record.exc_info)
        return clean(line)


def _write_fields(shape: Mapping[str, Any]) -> str:
    """Return the known fields of an event, as ` name=value`; an answer's message is its text."""
    text = shape.get("text") or (shape.get("message") if "alert_id" in shape else None)
    found = [(name, shape.get(name)) for name in FIELDS]
    said = [f" {name}={_quote(str(value))}" for name, value in found if value is not None]
    return "".join(said) + (f" text={_quote(str(text))}" if text else "")


def clean(text: str) -> str:
    """Escape what could break a line, and mask secrets of a query."""
    # Nothing unsafe is printable, and to ask so takes a tenth of a search: 12 us an alert (measured).
    if not text.isprintable():
        text = _UNSAFE.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
    lowered = text.lower()
    if any(word in lowered for word in _SECRET_WORDS):
        text = _QUERY_SECRET.sub(r"\1***", text)
    return text


class Gathering(logging.Handler):
    """Put records aside and write them from a thread, a batch at a time."""

    def __init__(self, *handlers: logging.Handler) -> None:
        super().__init__()
        self._handlers = handlers
        self._waiting: deque[logging.LogRecord] = deque(maxlen=MOST_LINES)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def handle(self, record: logging.LogRecord) -> bool:
        """Put a record aside. Neither waits nor wakes anyone."""
        self._waiting.append(record)
        return True

    def stop(self) -> None:
        """Write what is left and end the thread."""
        self._is_over.set()
        self._thread.join(5)
        for handler in self._handlers:
            with contextlib.suppress(OSError):  # a full disk
                handler.close()

    def _run(self) -> None:
        while not self._is_over.wait(GATHER_SECONDS):
            self._write()
        self._write()

    def _write(self) -> None:
        while self._waiting:
            record = self._waiting.popleft()
            for handler in self._handlers:
                if record.levelno >= handler.level:
                    handler.handle(record)
        for handler in self._handlers:
            with contextlib.suppress(OSError, ValueError):  # a terminal that is gone
                handler.flush()


class LogFile(logging.handlers.WatchedFileHandler):
    """The log file: looked after and flushed once a batch, not once a line.

    At `max_bytes` (0: never) it is renamed and a new one begun, between two lines; `keep` older ones stay.
    Whoever follows it by name (`tail -F`) goes on in the new one.
    """

    def __init__(self, file: Path, max_bytes: int, keep: int) -> None:
        super().__init__(file, encoding="utf-8", errors="backslashreplace")
        self._max_bytes = max_bytes
        self._keep = keep
        self._size = file.stat().st_size if file.is_file() else 0
        self._may_turn = file.is_file()

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record, in a new file where this one is full."""
        try:
            line = self.format(record) + self.terminator
            size = len(line.encode("utf-8", "backslashreplace"))
            if 0 < self._max_bytes < self._size + size and self._size and self._may_turn:
                self._turn()
            if self.stream is None:
                self.stream = self._open()
            self.stream.write(line)
            self._size += size
        except (OSError, ValueError):
            self.handleError(record)

    def flush(self) -> None:
        """Write the batch out, and open a new file where ours was moved or deleted."""
        try:
            super().flush()
            self.reopenIfNeeded()
            if self.stream is not None:
                found = os.fstat(self.stream.fileno())
                self._size, self._may_turn = found.st_size, stat.S_ISREG(found.st_mode)
        except (OSError, ValueError):
            self.handleError(logging.makeLogRecord({}))

    def _turn(self) -> None:
        """Put the file aside and begin a new one; where that cannot be, go on in this one for a while."""
        self._may_turn = False
        if self.stream is not None:
            self.stream.close()
            self.stream = None
        file = Path(self.baseFilename)
        names = [file.with_name(f"{file.name}.{number}") for number in range(self._keep, 0, -1)]
        with contextlib.suppress(OSError):
            if not names:
                os.truncate(file, 0)
            for newer, older in zip([*names[1:], file], names, strict=False):
                with contextlib.suppress(FileNotFoundError):
                    newer.replace(older)
            self._may_turn = True
        self.stream = self._open()
        self._statstream()
        self._size = os.fstat(self.stream.fileno()).st_size


def start_logging(file: Path, level: str, max_bytes: int = 0, keep: int = 0) -> Gathering:
    """Send what is logged to `file`, and warnings to the terminal too; call `stop` on what is returned.

    `max_bytes` is how large the file may grow (0: any size), `reduce_to` how many older ones stay beside it.
    """
    logging.raiseExceptions = False  # a full disk must not fill the terminal as well
    to_file = LogFile(file, max_bytes, keep)
    to_terminal = logging.StreamHandler()
    to_terminal.setLevel(logging.WARNING)
    for handler in (to_file, to_terminal):
        handler.setFormatter(LineFormatter())
    gathering = Gathering(to_file, to_terminal)
    root = logging.getLogger()
    root.handlers = [gathering]
    root.setLevel(level)
    for name in ("urllib3", "werkzeug", "gunicorn"):
        logging.getLogger(name).setLevel(max(logging.getLevelName(level), logging.WARNING))
    return gathering


def write_line(file: Path, event: str, text: str) -> None:
    """Add a warning to a log that another process writes; what cannot be written is dropped."""
    record = logging.LogRecord("server", logging.WARNING, "", 0, event, None, None)
    record.text = text
    with contextlib.suppress(OSError), file.open("a", encoding="utf-8") as log:
        log.write(LineFormatter().format(record) + "\n")


def _quote(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else '"' + text.replace('"', "'") + '"'
