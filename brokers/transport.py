"""Carry one HTTP request to a venue and its answer back, within one deadline.

Knows sockets and nothing of orders: it says what came back, or `Lost` with the one fact that matters
afterwards, whether a byte of the request may have left this machine. Nothing here repeats a request,
follows a redirect, keeps a cookie, reads a proxy or `.netrc` from the environment, or believes a
certificate that does not fit.

`requests` is used by its adapter, without a session: the session is what follows redirects and takes
credentials from `~/.netrc` in place of ours. Its time-outs are for each read, so that an answer trickling
in can last for ever (measured: 9.5 s with `timeout=1`); here a watchdog shuts the socket down instead.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
import zlib
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

IDLE_SECONDS = 20.0
"""A connection that was silent for longer is not used again: something on the way may have dropped it."""
CONNECTIONS = 8
_LEAST_SECONDS = 0.001
"""A time-out of zero would mean not to wait for anything."""
_OWN_HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip",
    "User-Agent": "tradingview-webhook-receiver",
}
_current = threading.local()


class Lost(Exception):
    """No usable answer came. `has_left` says whether a byte of the request may have left this machine."""

    def __init__(self, reason: str, *, has_left: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.has_left = has_left


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is sent: a finished target, never encoded again."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes | None
    deadline_seconds: float
    max_bytes: int


class Transport:
    """Keep connections to one venue and carry requests over them. Safe for several threads at once."""

    def __init__(self, base_url: str, connect_seconds: float) -> None:
        self._base_url = base_url.rstrip("/")
        self._path = urlsplit(self._base_url).path
        self._connect_seconds = connect_seconds
        self._adapter = _Adapter(pool_maxsize=CONNECTIONS, max_retries=0, pool_block=False)
        self._trusted: bool | str = True
        self._names = _Names()
        self._oldest_seconds = time.monotonic()

    def __repr__(self) -> str:
        return f"Transport({self._base_url!r})"

    def carry(self, parcel: Parcel) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers by lower-case names and the decoded body. Raises `Lost` alone."""
        call = self._begin(parcel.target, parcel.deadline_seconds)
        answer: tuple[int, dict[str, str], bytes] | None = None
        fault: Exception = _Unreadable("no answer")
        watchdog = threading.Timer(parcel.deadline_seconds, call.end)
        watchdog.daemon = True
        _current.call = call
        try:
            watchdog.start()
            answer = self._exchange(parcel)
        except Exception as error:  # whatever it was, all that counts is whether a byte left
            fault = error
        finally:
            watchdog.cancel()
            _current.call = None
            call.let_go()
        if call.is_over:
            raise Lost(
                f"no whole answer within {parcel.deadline_seconds:g} s", has_left=call.has_left
            )
        if answer is None:
            self._oldest_seconds = time.monotonic()
            raise Lost(_name_fault(fault, call), has_left=call.has_left)
        return answer

    def open(self) -> None:
        """Have one connection ready that was connected before it is needed. Raises nothing."""
        _current.call = self._begin("", self._connect_seconds)
        try:
            pool = self._adapter.get_connection_with_tls_context(
                self._prepare("GET"), self._trusted
            )
            if isinstance(pool, _Pool | _TlsPool):
                self._adapter.cert_verify(pool, self._base_url, self._trusted, None)  # type: ignore[no-untyped-call]
                pool.open_ahead()
        except Exception:  # the next call meets the same fault and says so
            return
        finally:
            _current.call = None

    def _begin(self, target: str, deadline_seconds: float) -> _Call:
        return _Call(
            target=self._path + target,
            due_seconds=time.monotonic() + deadline_seconds,
            connect_seconds=self._connect_seconds,
            oldest_seconds=self._oldest_seconds,
            names=self._names,
        )

    def _prepare(
        self, method: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> requests.PreparedRequest:
        every = {**_OWN_HEADERS, **(headers or {})}
        return requests.Request(method, self._base_url, headers=every, data=body).prepare()

    def _exchange(self, parcel: Parcel) -> tuple[int, dict[str, str], bytes]:
        request = self._prepare(parcel.method, parcel.headers, parcel.body)
        response = self._adapter.send(
            request,
            stream=True,
            timeout=(self._connect_seconds, parcel.deadline_seconds),
            verify=self._trusted,
        )
        try:
            headers = {name.lower(): value for name, value in response.headers.items()}
            raw = _read_all(response.raw, parcel.max_bytes)
            body = _decode(raw, headers.get("content-encoding", ""), parcel.max_bytes)
            return response.status_code, headers, body
        finally:
            response.close()


class _Unreadable(Exception):
    """An answer came and is not one we accept."""


@dataclass(slots=True)
class _Call:
    """One request on its way: where it goes, until when, and whether it has left."""

    target: str
    due_seconds: float
    connect_seconds: float
    oldest_seconds: float
    """Connections made before this moment are not used again: one made like them has just failed."""
    names: _Names
    has_left: bool = False
    is_over: bool = False
    sock: socket.socket | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, sock: socket.socket) -> None:
        """Note the socket the request leaves by; from now on it may be anywhere."""
        with self.lock:
            if self.is_over:
                raise _Unreadable("too late to send")
            self.sock = sock
            self.has_left = True
        sock.settimeout(max(self.due_seconds - time.monotonic(), _LEAST_SECONDS))

    def let_go(self) -> None:
        """Forget the socket: another call may use it now."""
        with self.lock:
            self.sock = None

    def end(self) -> None:
        """Shut the socket down, which wakes whoever reads from it. Called by the watchdog."""
        with self.lock:
            self.is_over = True
            if self.sock is not None:
                try:
                    # Not SSLSocket.shutdown, which takes the TLS state from under the reading thread.
                    socket.socket.shutdown(self.sock, socket.SHUT_RDWR)
                except OSError:
                    return


class _Names:
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


class _Watched:
    """What our connections do differently from urllib3's, with and without TLS."""

    host: str
    port: int
    sock: Any
    born_seconds = 0.0
    used_seconds = 0.0

    def _new_conn(self) -> socket.socket:
        """Connect to the first address that answers; each gets its part of the time."""
        call: _Call = _current.call
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
        _current.call.take(self.sock)
        self.used_seconds = time.monotonic()
        super().send(data)  # type: ignore[misc]


class _Plain(_Watched, HTTPConnection):
    pass


class _Tls(_Watched, HTTPSConnection):
    pass


class _Ahead:
    """A pool that can connect before a request needs it."""

    def open_ahead(self) -> None:
        """Put a connected connection into the pool."""
        connection = self._get_conn()  # type: ignore[attr-defined]
        try:
            if connection.is_closed:
                connection.connect()
        finally:
            self._put_conn(connection)  # type: ignore[attr-defined]


class _Pool(_Ahead, HTTPConnectionPool):
    ConnectionCls = _Plain


class _TlsPool(_Ahead, HTTPSConnectionPool):
    ConnectionCls = _Tls


class _Adapter(HTTPAdapter):
    """requests' adapter, with our connections in its pools."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}


def _read_all(raw: Any, max_bytes: int) -> bytes:
    parts: list[bytes] = []
    total = 0
    while part := raw.read(65_536, decode_content=False):
        total += len(part)
        if total > max_bytes:
            raise _Unreadable(f"the answer is larger than {max_bytes} bytes")
        parts.append(part)
    return b"".join(parts)


def _decode(raw: bytes, encoding: str, max_bytes: int) -> bytes:
    """Undo gzip, never beyond the cap: a bomb is a small answer that unpacks to a large one."""
    if encoding.strip().lower() in ("", "identity"):
        return raw
    if encoding.strip().lower() not in ("gzip", "x-gzip"):
        raise _Unreadable("the answer is packed in a way nobody asked for")
    unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    body = unpacker.decompress(raw, max_bytes + 1)
    if len(body) > max_bytes:
        raise _Unreadable(f"the answer is larger than {max_bytes} bytes")
    if raw and not unpacker.eof:
        raise _Unreadable("the answer ended early")
    return body


def _name_fault(fault: Exception, call: _Call) -> str:
    """Say in plain words what happened, without a URL: the texts of requests hold the whole query."""
    if isinstance(fault, _Unreadable):
        return str(fault)
    if call.has_left:
        return "the connection ended before a whole answer came"
    chain = _causes(fault)
    for kind, words in _NOTHING_LEFT.items():
        if any(isinstance(each, kind) for each in chain):
            return words
    if any(isinstance(each, ValueError) for each in chain):
        return "the address or a header cannot be sent: look for stray characters"
    return "no connection"


_NOTHING_LEFT: dict[type[BaseException], str] = {
    ssl.SSLCertVerificationError: "its certificate is not valid for this address",
    ssl.SSLError: "no secure connection (TLS) could be agreed on",
    socket.gaierror: "its name could not be resolved",
    ConnectionRefusedError: "the connection was refused",
    TimeoutError: "no connection in time",
}


def _causes(fault: BaseException) -> list[BaseException]:
    """Return an exception with everything it was made from."""
    found: list[BaseException] = []
    waiting: list[Any] = [fault]
    while waiting and len(found) < 20:
        each = waiting.pop()
        if isinstance(each, BaseException) and each not in found:
            found.append(each)
            waiting += [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]
    return found
