"""Connect to a venue, with one deadline over everything a request does on its connection.

These are the connections of urllib3 with five changes: host names are resolved without waiting longer than
asked, connecting is limited as a whole, the moment a request leaves is noted, an idle connection is used
again only where the venue still holds its end, and the target goes out exactly as it was signed. Nothing
here knows what a request asks for or what an answer means.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

IDLE_SECONDS = 20.0
"""A connection that was silent for longer is not used again: something on the way may have dropped it."""
_LEAST_SECONDS = 0.001
"""A time-out of zero would mean not to wait for anything."""
_current = threading.local()
"""The call each thread is making: urllib3 hands no argument down to its connections."""


_handover = threading.Lock()


class Unreadable(Exception):
    """An answer came and is not one we accept."""


@dataclass(slots=True)
class HttpExchange:
    """One request on its way: where it goes, until when, and whether it has left."""

    target: str
    due_seconds: float
    connect_seconds: float
    oldest_seconds: float
    """Connections made before this moment are not used again: one made like them has just failed."""
    names: Names
    has_left: bool = False
    is_over: bool = False
    sock: socket.socket | None = None
    connection: Watched | None = None

    def take(self, connection: Watched) -> None:
        """Note the connection the request leaves by; from now on it may be anywhere."""
        with _handover:
            if self.is_over:
                raise Unreadable("too late to send")
            self.connection, self.sock = connection, connection.sock
            connection.call = self
            self.has_left = True
        connection.sock.settimeout(max(self.due_seconds - time.monotonic(), _LEAST_SECONDS))

    def end(self) -> None:
        """Shut the socket down, which wakes whoever reads from it. Called by the watchdog.

        A connection goes back to its pool with the last byte of an answer, and another call may have it by
        now: then it is left alone.
        """
        with _handover:
            self.is_over = True
            if self.sock and self.connection and self.connection.call is self:
                with suppress(OSError):
                    # Not SSLSocket.shutdown, which takes the TLS state from under the reading thread.
                    socket.socket.shutdown(self.sock, socket.SHUT_RDWR)


@contextmanager
def making(call: HttpExchange) -> Iterator[None]:
    """Let this thread's connections work for a call until the block ends."""
    _current.call = call
    try:
        yield
    finally:
        _current.call = None


class Names:
    """Resolve host names without waiting longer than asked: a resolver cannot be interrupted."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: dict[tuple[str, int], Future[list[Any]]] = {}

    def resolve(self, host: str, port: int, wait_seconds: float) -> list[Any]:
        """Return the addresses of a host. One question at a time for each host, however many wait."""
        with self._lock:
            answer = self._asked.get((host, port))
            if answer is None:
                answer = Future()
                arguments = (host, port, answer)
                threading.Thread(target=self._ask, args=arguments, name="dns", daemon=True).start()
                self._asked[host, port] = answer
        return answer.result(timeout=wait_seconds)

    def _ask(self, host: str, port: int, answer: Future[list[Any]]) -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except Exception as fault:  # UnicodeError for a name that cannot be one, OSError otherwise
            self._forget(host, port)
            answer.set_exception(fault)
        else:
            self._forget(host, port)
            answer.set_result(found)

    def _forget(self, host: str, port: int) -> None:
        with self._lock:
            self._asked.pop((host, port), None)


class Watched:
    """What our connections do differently from urllib3's, with and without TLS."""

    host: str
    port: int
    sock: Any
    call: HttpExchange | None = None
    """The last one it was used for."""
    born_seconds = 0.0
    used_seconds = 0.0

    def _new_conn(self) -> socket.socket:
        """Connect to the first address that answers; each gets its part of the time."""
        call: HttpExchange = _current.call
        due_seconds = time.monotonic() + call.connect_seconds
        addresses = call.names.resolve(self.host, self.port, call.connect_seconds)
        fault: OSError = OSError("no address")
        for tried, (family, kind, protocol, _, address) in enumerate(addresses):
            sock = socket.socket(family, kind, protocol)
            try:
                share_seconds = (due_seconds - time.monotonic()) / (len(addresses) - tried)
                sock.settimeout(max(share_seconds, _LEAST_SECONDS))
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.connect(address)
                # For the TLS handshake, which counts it as a whole.
                sock.settimeout(max(due_seconds - time.monotonic(), _LEAST_SECONDS))
            except OSError as error:
                sock.close()
                fault = error
            else:
                self.born_seconds = self.used_seconds = time.monotonic()
                return sock
        raise fault

    @property
    def is_connected(self) -> bool:
        """Whether an idle connection may be used again.

        A byte or an end that waits to be read means that the venue has closed it. TLS tickets wait there
        too, after a handshake: reading takes them in, which a bare look at the socket would not.
        """
        now = time.monotonic()
        is_young = self.born_seconds >= _current.call.oldest_seconds
        if self.sock is None or not is_young or now - self.used_seconds > IDLE_SECONDS:
            return False
        try:
            self.sock.settimeout(0)
            self.sock.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        return False

    def putrequest(self, method: str, url: str, *arguments: Any, **how: Any) -> None:
        """Ask for the target exactly as it was signed; urllib3 knows, and logs, the bare address."""
        super().putrequest(method, _current.call.target, *arguments, **how)  # type: ignore[misc]

    def send(self, data: Any) -> None:
        """Send bytes; just before the first of them the request counts as having left."""
        if self.sock is None:
            self.connect()  # type: ignore[attr-defined]
        _current.call.take(self)
        self.used_seconds = time.monotonic()
        super().send(data)  # type: ignore[misc]


class _Plain(Watched, HTTPConnection):
    pass


class _Tls(Watched, HTTPSConnection):
    pass


class _Ahead:
    """A pool that can connect before a request needs it."""

    def open_ahead(self) -> None:
        """Put a connected connection into the pool."""
        connection = self._get_conn()  # type: ignore[attr-defined]
        try:
            if connection.is_closed:
                connection.connect()
        except Exception:
            connection.close()
            raise
        finally:
            self._put_conn(connection)  # type: ignore[attr-defined]


class ConnectionPool(_Ahead, HTTPConnectionPool):
    """Connections without TLS: to this machine."""

    ConnectionCls = _Plain


class TlsPool(_Ahead, HTTPSConnectionPool):
    """Connections with TLS."""

    ConnectionCls = _Tls


class Adapter(HTTPAdapter):
    """requests' adapter, with our connections in its pools."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Make the pools, as the adapter's constructor asks."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": ConnectionPool, "https": TlsPool}
