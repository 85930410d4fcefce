"""What Binance's markets have in common: key, signature, clock, errors and the weight of requests."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Any

from tests.support.stand_in.server import Seen, StandInServer, VenueError

KEY, SECRET = "standInKey", "standInSecret"


class Error(VenueError):
    """An answer that is an error of the API."""

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(status, {"code": code, "msg": message})


class BinanceStandIn(StandInServer):
    """A market of Binance. It counts weight and tells it, but refuses nothing for it."""

    public: tuple[str, ...] = ()
    weights: dict[str, int] = {}  # noqa: RUF012 - each market has a literal table
    weight_header = "X-MBX-USED-WEIGHT-1M"

    def __init__(self, port: int = 0, now_ms: Callable[[], int] | None = None) -> None:
        super().__init__(port, now_ms)
        self.key, self.secret = KEY, SECRET
        self.can_trade, self.can_withdraw = True, False
        self.weighed: list[tuple[int, int]] = []
        """When each request came and what it weighed."""
        self.used_elsewhere = 0
        """What another program behind the same address has used in this minute."""

    def fail(self, method: str, path: str, code: int, message: str, status: int = 400) -> None:
        """Answer the next such request with an error of the API."""
        self.answer(method, path, {"code": code, "msg": message}, status)

    @property
    def used(self) -> int:
        """What was used in this minute of the venue's clock."""
        minute = self.now() // 60_000
        return self.used_elsewhere + sum(w for at, w in self.weighed if at // 60_000 == minute)

    def weight_of(self, seen: Seen) -> int:
        """Return what a request weighs."""
        return self.weights.get(seen.path, 1) if seen.method == "GET" else 0

    def weigh(self, seen: Seen) -> dict[str, str]:
        """Count a request and return the header that tells what was used."""
        with self.lock:
            self.weighed.append((self.now(), self.weight_of(seen)))
            return {self.weight_header: str(self.used)}

    def get_time(self, params: dict[str, str]) -> Any:
        """Return the venue's clock."""
        return {"serverTime": self.now()}

    def authenticate(self, seen: Seen) -> None:
        """Refuse a wrong key, signature or clock. Raises `Error`."""
        if seen.path in self.public:
            return
        key = seen.headers.get("x-mbx-apikey", "")
        if not key:
            raise Error(-2014, "API-key format invalid.", 401)
        if key != self.key:
            raise Error(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        query, _, signature = (seen.query + seen.body).rpartition("&signature=")
        if not query:
            raise Error(-1102, "Mandatory parameter 'signature' was not sent.")
        if not query.isascii():
            raise Error(-1022, "Signature for this request is not valid.")
        right = hmac.new(self.secret.encode(), query.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(right, signature):
            raise Error(-1022, "Signature for this request is not valid.")
        stamp = int(seen.params.get("timestamp", "0"))
        window = int(seen.params.get("recvWindow", "5000"))
        if stamp >= self.now() + 1000:
            text = "Timestamp for this request was 1000ms ahead of the server's time."
            raise Error(-1021, text)
        if self.now() - stamp > window:
            raise Error(-1021, "Timestamp for this request is outside of the recvWindow.")
