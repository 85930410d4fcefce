"""A venue on a real loopback socket that answers as it is told to, and badly where it is told to.

Every connection is a thread; every request is kept byte for byte. A behaviour is a function of the
connection and the request: it answers, or hangs, or breaks the line, and returns whether the connection
goes on.
"""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

TRICKLE_SECONDS = 0.01
BACKLOG = 64


@dataclass(frozen=True)
class Request:
    """One request as it arrived."""

    raw: bytes
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """Return the target without its query."""
        return urlsplit(self.target).path

    @property
    def parameters(self) -> dict[str, Any]:
        """Return what was asked for: of query, form and JSON (of a list its first) together."""
        found: dict[str, Any] = dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))
        if "json" in self.headers.get("content-type", ""):
            told = json.loads(self.body, parse_float=str, parse_int=str)
            found |= told[0] if isinstance(told, list) else told
        else:
            found |= dict(parse_qsl(self.body.decode(), keep_blank_values=True))
        return found


class Line:
    """One connection as a behaviour sees it."""

    def __init__(self, sock: socket.socket, server: FaultyServer) -> None:
        self.sock = sock
        self.server = server

    def write(self, data: bytes) -> None:
        self.sock.sendall(data)

    def reset(self) -> None:
        """End the connection with a reset instead of a farewell."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


Behaviour = Callable[[Line, Request], bool]


class FaultyServer:
    """Listens on loopback until it is closed.

    `on` sets what a path answers, one behaviour after the other, the last one again and again. `fault`,
    where it is set, is what every request meets instead.
    """

    def __init__(self, context: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.resets_on_accept = False
        self.fault: Behaviour | None = None
        self.released = threading.Event()
        self.is_closed = False
        self._context = context
        self._routes: dict[tuple[str, str], list[Behaviour]] = {}
        self.default: Behaviour = reply(404, {"code": 404})
        """What a path meets for which nothing was set."""
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", port), backlog=BACKLOG)
        self.port = int(self._listener.getsockname()[1])
        self.accepting = threading.Thread(target=self._accept, daemon=True)
        self.accepting.start()

    @property
    def url(self) -> str:
        """Return the address of the server."""
        scheme = "https" if self._context else "http"
        return f"{scheme}://{'localhost' if self._context else '127.0.0.1'}:{self.port}"

    def on(self, method: str, path: str, *behaviours: Behaviour) -> None:
        """Answer a path so from now on."""
        self._routes[method, path] = list(behaviours)

    def asked(self, method: str, path: str) -> list[Request]:
        """Return the requests for a path so far."""
        return [each for each in self.requests if (each.method, each.path) == (method, path)]

    def drop(self) -> None:
        """Close every connection, as a restarted venue does."""
        with self._lock:
            for sock in self._open:
                with suppress(OSError):
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def refuse(self) -> None:
        """Stop listening: whoever connects is refused."""
        # A thread that waits in accept() keeps the port open until it is woken.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.accepting.join(5)
        self.drop()

    def close(self) -> None:
        """End everything and wait for it."""
        self.is_closed = True
        self.released.set()
        self.refuse()
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            if self.resets_on_accept:
                # Not before the client has sent something: a reset that arrives while it still connects
                # proves that nothing was sent, and is another case.
                sock.recv(1, socket.MSG_PEEK)
                Line(sock, self).reset()
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_side=True)
            with self._lock:
                self._open.add(sock)
            line = Line(sock, self)
            with sock.makefile("rb") as stream:
                while (request := read_request(stream)) and self._answer(line, request):
                    pass
        except OSError:
            pass  # the client has gone, which is what many of these tests are about
        finally:
            with self._lock:
                self._open.discard(sock)
            sock.close()

    def _answer(self, line: Line, request: Request) -> bool:
        with self._lock:
            self.requests.append(request)
            waiting = self._routes.get((request.method, request.path)) or [self.default]
            behaviour = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            behaviour = self.fault or behaviour
        return behaviour(line, request)


def read_request(stream: Any) -> Request | None:
    """Read one request; None where the client has nothing more to ask."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline(65_536)
        if not line:
            return None
        head += line
    first, *rest = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {
        name.lower(): value for name, value in (each.split(": ", 1) for each in rest if each)
    }
    body = stream.read(int(headers.get("content-length", 0)))
    return Request(head + body, method, target, headers, body)


@contextmanager
def faulty_server(context: ssl.SSLContext | None = None) -> Iterator[FaultyServer]:
    """Run a server until the block ends."""
    server = FaultyServer(context)
    try:
        yield server
    finally:
        server.close()


# --- behaviours ------------------------------------------------------------------------------------


def write_answer(status: int, body: bytes, headers: Mapping[str, str] = {}) -> bytes:
    """Return the bytes of an answer; a header given as an empty text is left out."""
    every = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    lines = [f"{name}: {value}" for name, value in every.items() if value]
    return "\r\n".join([f"HTTP/1.1 {status} Said", *lines, "", ""]).encode() + body


def raw(data: bytes, *, goes_on: bool = False) -> Behaviour:
    """Answer with exactly these bytes."""

    def behave(line: Line, request: Request) -> bool:
        line.write(data)
        return goes_on

    return behave


def reply(status: int, data: Any, **headers: str) -> Behaviour:
    """Answer with JSON (or with a text as it is); `retry_after="3"` is the header Retry-After."""
    body = data.encode() if isinstance(data, str) else json.dumps(data).encode()
    named = {name.replace("_", "-").title(): value for name, value in headers.items()}
    return raw(write_answer(status, body, named), goes_on=True)


def reset(line: Line, request: Request) -> bool:
    """Read the request, then reset the connection."""
    line.reset()
    return False


def close(line: Line, request: Request) -> bool:
    """Read the request, then close without a word."""
    return False


def hang(line: Line, request: Request) -> bool:
    """Read the request and say nothing for as long as the test lasts."""
    line.server.released.wait(30)
    return False


def hang_then(behaviour: Behaviour) -> Behaviour:
    """Say nothing until `released` is set, then answer."""

    def behave(line: Line, request: Request) -> bool:
        line.server.released.wait(30)
        return behaviour(line, request)

    return behave


def trickle(head: bytes, repeated: bytes = b" ") -> Behaviour:
    """Send a start, then one byte after the other for as long as somebody reads."""

    def behave(line: Line, request: Request) -> bool:
        line.write(head)
        while not line.server.released.wait(TRICKLE_SECONDS):
            line.write(repeated)
        return False

    return behave


def unending(data: bytes) -> Behaviour:
    """Send something, then neither more nor a farewell."""

    def behave(line: Line, request: Request) -> bool:
        line.write(data)
        return hang(line, request)

    return behave


def flood(line: Line, request: Request) -> bool:
    """Send ten gigabytes, or as much of them as somebody reads."""
    line.write(write_answer(200, b"", {"Content-Length": str(10**10)}))
    chunk = b" " * 65_536
    while not line.server.is_closed:
        line.write(chunk)
    return False


trickle_body = trickle(write_answer(200, b"", {"Content-Length": "100000"}) + b'{"a": ')
trickle_header = trickle(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a")
trickle_status = trickle(b"HTTP/1.1 200 ", b"O")
truncate = raw(write_answer(200, b'{"orderId": 12', {"Content-Length": "400"}))
"""Half of an answer, by its own length."""
truncate_json = raw(write_answer(200, b'{"orderId": 12'))
"""Half of a JSON text, of the length that was said."""
truncate_unsized = raw(write_answer(200, b'{"orderId": 12', {"Content-Length": ""}))
html = raw(
    write_answer(200, b"<html><body>All well</body></html>", {"Content-Type": "text/html"}),
    goes_on=True,
)
empty = raw(write_answer(200, b""), goes_on=True)
garbage = raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 no HTTP at all \r\n\r\n")
gzip_bomb = raw(
    write_answer(200, gzip.compress(b" " * 50_000_000), {"Content-Encoding": "gzip"}), goes_on=True
)


def redirect(status: int, to: str) -> Behaviour:
    """Send the client elsewhere."""
    return reply(status, "", location=to)


UNCLEAR: dict[str, Behaviour] = {
    "reset after the request": reset,
    "close without a reply": close,
    "hang": hang,
    "trickling body": trickle_body,
    "trickling header": trickle_header,
    "trickling status line": trickle_status,
    "an answer without an end": unending(
        write_answer(200, b'{"orderId": 12}', {"Content-Length": ""})
    ),
    "half an answer": truncate,
    "half a JSON text": truncate_json,
    "half a JSON text without a length": truncate_unsized,
    "a page instead of JSON": html,
    "an empty answer": empty,
    "no content": raw(write_answer(204, b"")),
    "garbage": garbage,
    "ten gigabytes": flood,
    "a gzip bomb": gzip_bomb,
    "gzip that is none": raw(write_answer(200, b'{"a": 1}', {"Content-Encoding": "gzip"})),
    "gzip cut short": raw(
        write_answer(200, gzip.compress(b'{"a": 1}')[:-4], {"Content-Encoding": "gzip"})
    ),
    "an unknown packing": raw(write_answer(200, b'{"a": 1}', {"Content-Encoding": "br"})),
    "200 headers": raw(
        write_answer(200, b'{"a": 1}', {f"X-{number}": "1" for number in range(200)})
    ),
    "a header without end": raw(write_answer(200, b'{"a": 1}', {"X-Long": "a" * 100_000})),
    "NaN": reply(200, '{"price": NaN}'),
    "Infinity": reply(200, '{"price": -Infinity}'),
    "an infinite number": reply(200, '{"price": 1e400}'),
    "an absurd exponent": reply(200, '{"price": 1e-9999999999}'),
    "5,000 digits": reply(200, '{"price": ' + "9" * 5000 + "}"),
    "deep nesting": reply(200, "[" * 50_000 + "]" * 50_000),
    "no UTF-8": raw(write_answer(200, b'{"text": "\xff\xfe"}')),
    "UTF-16": raw(write_answer(200, '{"a": 1}'.encode("utf-16"))),
    "301": redirect(301, "/elsewhere"),
    "302": redirect(302, "/elsewhere"),
    "307": redirect(307, "/elsewhere"),
    "308 to nowhere": redirect(308, "http://[::"),
    "304": raw(write_answer(304, b"")),
    "500": reply(500, {"code": -1}),
    "502": reply(502, "<html>Bad gateway</html>"),
    "503": reply(503, {}),
    "504": reply(504, ""),
    "400 from a wall": reply(400, "<html>Bad request</html>"),
    "408": reply(408, {"code": -1007}),
}
"""What leaves the fate of an order open."""
HANGING = {
    *("hang", "trickling body", "trickling header", "trickling status line"),
    "an answer without an end",
}
"""Those of them that only a deadline ends: the others come at once, and need no short one."""
