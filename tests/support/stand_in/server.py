"""Serve a venue on a loopback socket: routes, a log of requests, and what may go wrong on the way.

A venue brings `routes`, `authenticate` and, where its limits are told in headers, `weigh`. What a test may
ask for besides the usual is here once for all: lose, hang, drop, delay, throttle or a scripted answer.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from tests.support.faulty_server import FaultyServer, Line, Request, write_answer
from tests.support.stand_in.matching import Matching, Rejected


class VenueError(Exception):
    """An answer that is an error of the API."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(str(body))
        self.status, self.body = status, body


@dataclass
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    query: str
    body: str
    headers: dict[str, str]

    @property
    def params(self) -> dict[str, Any]:
        """Query and body together, decoded; a body is JSON or a form."""
        found: dict[str, Any] = dict(parse_qsl(self.query, True))
        if self.body.startswith("{"):
            return found | json.loads(self.body)
        return found | dict(parse_qsl(self.body, True))


@dataclass
class Hook:
    """What happens to the next request of a kind instead of the usual."""

    kind: str
    """lose (carried out, no answer), hang (as lose, the connection stays open), drop (not carried out, no
    answer), delay (carried out, answered later), answer (a scripted one)."""
    method: str
    path: str
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    skip: int = 0
    """How many requests of the kind pass first."""
    seconds: float = 0.0


Act = Callable[[dict[str, Any]], Any]


class StandInServer(Matching):
    """One venue with one account. Everything public may be read and set by a test at any time."""

    def __init__(self, port: int = 0, now_ms: Callable[[], int] | None = None) -> None:
        super().__init__(now_ms or (lambda: time.time_ns() // 1_000_000))
        self.requests: list[Seen] = []
        self.hooks: list[Hook] = []
        self.latency_seconds = 0.0
        self.routes: dict[tuple[str, str], Act] = {}
        self.rejections: dict[str, VenueError] = {}
        """What the venue says for each reason of the matching."""
        self.http = FaultyServer(port=port)
        self.http.fault = self._meet_request
        self.url = self.http.url

    @property
    def closing(self) -> threading.Event:
        """Return what is set once the stand-in ends."""
        return self.http.released

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    # What a test tells it.

    def lose(self, method: str, path: str, skip: int = 0) -> None:
        """Carry the next such request out and close the connection without an answer."""
        self.hooks.append(Hook("lose", method, path, skip=skip))

    def hang(self, method: str, path: str, skip: int = 0) -> None:
        """Carry the next such request out and never answer."""
        self.hooks.append(Hook("hang", method, path, skip=skip))

    def drop(self, method: str, path: str, skip: int = 0) -> None:
        """Close the connection upon the next such request without carrying it out."""
        self.hooks.append(Hook("drop", method, path, skip=skip))

    def delay(self, method: str, path: str, seconds: float, skip: int = 0) -> None:
        """Carry the next such request out and answer it so much later."""
        self.hooks.append(Hook("delay", method, path, skip=skip, seconds=seconds))

    def answer(
        self,
        method: str,
        path: str,
        body: Any,
        status: int = 200,
        headers: dict[str, str] | None = None,
        skip: int = 0,
    ) -> None:
        """Answer the next such request so, without carrying it out; text and bytes go as they are."""
        raw = body.encode() if isinstance(body, str) else body
        raw = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
        self.hooks.append(Hook("answer", method, path, status, raw, headers or {}, skip))

    def throttle(self, method: str, path: str, seconds: int = 1, body: Any = "") -> None:
        """Answer the next such request with 429 and how long to wait."""
        self.answer(method, path, body, 429, {"Retry-After": str(seconds)})

    def sent(self, method: str, path: str) -> list[dict[str, Any]]:
        """Return the parameters of every such request so far."""
        return [r.params for r in self.requests if (r.method, r.path) == (method, path)]

    # What a venue brings.

    def authenticate(self, seen: Seen) -> None:
        """Refuse who may not ask. Raises `VenueError`."""

    def weigh(self, seen: Seen) -> dict[str, str]:
        """Count a request and return the headers that tell what was used."""
        return {}

    def find_route(self, seen: Seen) -> Act:
        """Return what a request does. Raises `VenueError`."""
        action = self.routes.get((seen.method, seen.path))
        if action is None:
            raise VenueError(404, {"code": -1, "msg": "no such endpoint"})
        return action

    # What a request does.

    def serve(self, seen: Seen) -> Any:
        """Return the JSON of an answer. Raises `VenueError`."""
        with self.lock:
            action = self.find_route(seen)
            self.authenticate(seen)
            try:
                return action(seen.params)
            except Rejected as no:
                raise self.rejections[str(no)] from no

    def take_hook(self, method: str, path: str) -> Hook | None:
        """Return what is to happen to this request instead of the usual."""
        with self.lock:
            for hook in self.hooks:
                if (hook.method, hook.path) == (method, path):
                    if hook.skip:
                        hook.skip -= 1
                        return None
                    self.hooks.remove(hook)
                    return hook
        return None

    def _meet_request(self, line: Line, request: Request) -> bool:
        parts = urlsplit(request.target)
        seen = Seen(
            *(request.method, parts.path, parts.query, request.body.decode()),
            dict(request.headers),
        )
        self.requests.append(seen)
        if self.latency_seconds:
            self.closing.wait(self.latency_seconds)
        headers = self.weigh(seen)
        hook = self.take_hook(seen.method, seen.path)
        if hook and hook.kind == "drop":
            return False
        if hook and hook.kind == "answer":
            line.write(write_answer(hook.status, hook.body, headers | hook.headers))
            return True
        try:
            status, told = 200, self.serve(seen)
        except VenueError as no:
            status, told = no.status, no.body
        if hook:
            self.closing.wait({"hang": 60.0, "delay": hook.seconds}.get(hook.kind, 0.0))
            if hook.kind != "delay":
                return False
        line.write(write_answer(status, json.dumps(told).encode(), headers))
        return True


def run(venue: StandInServer, told: str) -> None:
    """Run a stand-in by itself until it is interrupted."""
    with venue:
        print(f"{venue.url}  {told}", flush=True)  # noqa: T201
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return
