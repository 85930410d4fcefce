"""Remember who logged in with a browser: what is known of a session lies here, its cookie only names it.

A session belongs to the address it was opened at, and ends at a log-out and with the process. Nobody learns
the token from it. What is kept of its name is a digest, so that no copy of the memory opens one.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

COOKIE = "receiver-session"
"""The cookie that names a session."""
IDLE_SECONDS = 12 * 3600
LIFE_SECONDS = 7 * 24 * 3600
MOST = 100
"""So many sessions are open at once; the one that was idle longest makes room."""


@dataclass(slots=True)
class _Session:
    origin: str
    opened_at: float
    used_at: float


class Sessions:
    """The sessions of one receiver. Safe to ask from many threads; `clock` is monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[bytes, _Session] = {}

    def begin(self, origin: str) -> str:
        """Open a session for a scheme and host; return its name, which nobody can guess."""
        name, now = secrets.token_urlsafe(32), self._clock()
        with self._lock:
            while len(self._open) >= MOST:
                del self._open[min(self._open, key=lambda each: self._open[each].used_at)]
            self._open[_digest(name)] = _Session(origin, now, now)
        return name

    def is_open(self, name: str | None, origin: str) -> bool:
        """Tell whether a name is that of an open session of this address; a wrong one is no guess."""
        if not name or not origin:
            return False
        now, key = self._clock(), _digest(name)
        with self._lock:
            found = self._open.get(key)
            if found is None or found.origin != origin:
                return False
            if now - found.used_at > IDLE_SECONDS or now - found.opened_at > LIFE_SECONDS:
                del self._open[key]
                return False
            found.used_at = now
            return True

    def end(self, name: str | None) -> None:
        """End a session, if there is one of that name."""
        with self._lock:
            self._open.pop(_digest(name or ""), None)


def read_name(cookie: str | None) -> str | None:
    """Return the name of the session that a Cookie header brings, or None."""
    try:
        found = SimpleCookie(cookie or "").get(COOKIE)
    except CookieError:
        return None
    return found.value if found else None


def write_cookie(name: str, origin: str, prefix: str) -> str:
    """Return the Set-Cookie that hands out a session; an empty name takes it back."""
    ends = "" if name else "; Max-Age=0"
    secure = "; Secure" if origin.startswith("https:") else ""
    return f"{COOKIE}={name}; Path={prefix or '/'}; HttpOnly; SameSite=Strict{secure}{ends}"


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).digest()
