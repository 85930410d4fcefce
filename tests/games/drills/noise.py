"""Make requests at random, half of them nearly right, and judge what comes back.

The judge knows what every request asked for: which numbers its body holds, and whether a credential was with
it. So it can tell a fill that nobody asked for, an alert that nobody was allowed to send, and a secret that
came back.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import re
from collections import Counter
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal
from typing import Any
from urllib.parse import quote_from_bytes

from tests.support.running import SECRET, TOKEN, Receiver, read_state

ALERTS = ("/webhook", "/alert", "/webhook/tradingview", "/webhook/validate")
PAGES = ("/status", "/health", "/history", "/history/alert_1", "/strategies", "/positions")
CONTROLS = ("/halt", "/resume", "/flatten")
VERBS = ("GET", "POST", "POST", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE")
ODD = (
    *(
        "",
        " ",
        "\0",
        "\n",
        "\r\n",
        "\x1b[31m",
        "\ud800",
        "\u202e",
        "\u200b",
        "é",
        "\uff11",
        "\u0663",
        "'",
        '"',
    ),
    *("<script>", "{{7*7}}", "{{close}}", "../../etc/passwd", "NaN", "1e400", "-0", "1_0", "1,000"),
    *("' OR 1=1 --", "%00", "%s%s%n", "null", "true", "Infinity", "0x10", "a" * 3000, "9" * 5000),
)
NUMBERS = ("0.25", "1", "2.5", "3", "7", "0.001", "100")
NEAR = dict(zip(NUMBERS, ("5.25", "5", "5.5", "6", "7", "0.001", "4.5"), strict=True))
"""A price for each of them: one in seven is so far from the others that it is not believed."""
SYMBOLS = ("BTCUSDT", "ETHUSDT.P", "AAPL", "BINANCE:SOLUSDT", "ES1!", "EURUSD", "MNQ1!")
ACTIONS = ("buy", "sell", "close", "exit", "flat", "close_long", "cancel", "long", "short", "BUY")
TRUSTED_CODES = frozenset({*range(200, 207), *range(400, 432)})


@dataclass
class Request:
    """One request as the test client takes it, and what the judge must know about it."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    is_credible: bool
    """Whether a right credential may be in it somewhere."""


class Noise:
    """A source of requests; equal seeds make equal requests."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def make(self) -> Request:
        """Return the next request."""
        chance = self.chance
        path = chance.choice((*ALERTS, *ALERTS, *ALERTS, *PAGES, *CONTROLS))
        method = "GET" if path in PAGES else "POST"
        if chance.random() < 0.1:
            method = chance.choice(VERBS)
        if chance.random() < 0.05:
            path = self._spoil_path(path)
        body = self._control() if path in CONTROLS else self._body()
        query, headers = self._query(), self._headers(body)
        whole = [query, *headers.values(), body.decode("utf-8", "replace"), *_texts(body)]
        is_signed = sign(body) in headers.get("X-Webhook-Signature", "")
        is_credible = is_signed or any(SECRET in text for text in whole)
        return Request(method, path, query, headers, body, is_credible)

    def _spoil_path(self, path: str) -> str:
        chance = self.chance
        at = chance.randrange(1, len(path) + 1)
        odd = chance.choice(ODD)[:50].encode("utf-8", "surrogatepass")
        return path[:at] + quote_from_bytes(odd) + path[at:]

    def _query(self) -> str:
        chance = self.chance
        pairs = []
        if chance.random() < 0.2:
            name = chance.choice(("secret", "auth_token", "token"))
            value = chance.choice((SECRET, SECRET, "wrong", SECRET[:-1], SECRET.upper()))
            pairs.append(f"{name}={value}")
        while chance.random() < 0.2:
            name = chance.choice(("limit", "strategy", "symbol", "status", "x", "secret"))
            odd = chance.choice((*ODD, *NUMBERS)).encode("utf-8", "surrogatepass")
            pairs.append(f"{name}={quote_from_bytes(odd)}")
        return "&".join(pairs)

    def _headers(self, body: bytes) -> dict[str, str]:
        chance = self.chance
        octets = [str(chance.randrange(1, 255)) for _ in range(4)]
        found = {"X-Forwarded-For": ".".join(octets)}
        if chance.random() < 0.4:
            found["Authorization"] = chance.choice(
                (f"Bearer {TOKEN}", f"Bearer {TOKEN}", "Bearer x", "Basic !!!!", "Basic", "é", "")
            )
        if chance.random() < 0.2:
            found["X-Webhook-Signature"] = chance.choice(
                ("sha256=" + sign(body), sign(body), "sha256=", "sha256=" + "0" * 64, "é")
            )
        for name in (
            "Content-Type",
            "X-Forwarded-For",
            "Host",
            "Sec-Fetch-Site",
            "Origin",
            "Range",
        ):
            if chance.random() < 0.05:
                odd = re.sub(r"[^\x20-\x7e\xa0-\xff]", "", chance.choice(ODD))[:200]
                found[name] = odd
        return found

    def _control(self) -> bytes:
        chance = self.chance
        shape: dict[str, Any] = {}
        for name in ("account", "strategy", "symbol", "confirm", "x"):
            if chance.random() < 0.25:
                shape[name] = chance.choice(("paper_simulator", "a", True, *ODD))
        return self._spoil(json.dumps(shape).encode())

    def _body(self) -> bytes:
        chance = self.chance
        kind = chance.random()
        if kind < 0.05:
            return chance.randbytes(chance.randrange(200))
        if kind < 0.2:
            return self._spoil(self._text().encode("utf-8", "surrogatepass"))
        if kind < 0.27:
            return self._spoil(
                json.dumps([self._alert() for _ in range(chance.randrange(4))]).encode()
            )
        if kind < 0.32:
            return self._bomb()
        return self._spoil(json.dumps(self._alert()).encode())

    def _alert(self) -> dict[str, Any]:
        """Return an alert, complete or not, with odd things in odd places."""
        chance = self.chance
        shape: dict[str, Any] = {
            "action": chance.choice(ACTIONS),
            "symbol": chance.choice(SYMBOLS),
            "quantity": self._number(),
            "price": self._price(),
            "strategy": chance.choice(("a", "b", "c")),
            "secret": chance.choice((SECRET, SECRET, SECRET, SECRET, "wrong", "")),
            "n": chance.getrandbits(60),
        }
        if chance.random() < 0.2:
            shape["comment"] = chance.choice((*ODD, f"my {SECRET}", SECRET))
        if chance.random() < 0.1:
            shape["order_type"] = chance.choice(("market", "limit", "stop", "stop_limit", "x"))
        if chance.random() < 0.1:
            shape["market_position"] = chance.choice(("long", "short", "flat", "x"))
        if chance.random() < 0.05:
            shape["account_group"] = chance.choice(("paper_simulator", "main", *ODD))
        if chance.random() < 0.05:
            shape[chance.choice(("trail", "sl_percent", "leverage", "risk", "a\nb", "\ud800"))] = 1
        while chance.random() < 0.15:
            shape[chance.choice(list(shape))] = chance.choice(
                (*ODD, None, True, [], {}, -1, 0, 1e400)
            )
        while chance.random() < 0.1:
            shape.pop(chance.choice(list(shape)), None)
        return shape

    def _price(self) -> Any:
        text = NEAR[self.chance.choice(NUMBERS)]
        return text if self.chance.random() < 0.5 else json.loads(text)

    def _number(self) -> Any:
        text = self.chance.choice(NUMBERS)
        return text if self.chance.random() < 0.5 else json.loads(text)

    def _text(self) -> str:
        chance = self.chance
        words = [
            chance.choice(ACTIONS).upper(),
            chance.choice(SYMBOLS),
            f"@ {NEAR[chance.choice(NUMBERS)]}",
            f"qty={chance.choice(NUMBERS)}",
            f"secret={SECRET}",
        ]
        if chance.random() < 0.2:
            words.insert(chance.randrange(5), chance.choice(ODD)[:100])
        return " ".join(words)

    def _bomb(self) -> bytes:
        chance = self.chance
        return chance.choice(
            (
                b"[" * 60_000,
                b'{"a":' * 12_000,
                b'{"secret": "%s", "action": %s1}' % (SECRET.encode(), b"[" * 900),
                b'{"secret": "%s", "quantity": %s}' % (SECRET.encode(), b"9" * 5000),
                b"\xff\xfe" + '{"action": "buy"}'.encode("utf-16-le"),
                b"\xef\xbb\xbf" + json.dumps(self._alert()).encode(),
                b"{%s}" % b",".join(b'"%d": 0' % n for n in range(6000)),
                b'{"action": "buy", "action": "sell", "symbol": "A", "secret": "%s"}'
                % SECRET.encode(),
                b"BUY " + b"A" * 60_000,
                b"( " * 30_000,
                b"\0" * 1000,
                b"",
            )
        )

    def _spoil(self, body: bytes) -> bytes:
        """Change a byte or a piece in one request of three."""
        chance = self.chance
        while body and chance.random() < 0.3:
            at, much = chance.randrange(len(body)), chance.randrange(1, 5)
            odd = chance.choice(ODD)[:20].encode("utf-8", "surrogatepass")
            body = chance.choice(
                (
                    body[:at] + chance.randbytes(1) + body[at + 1 :],
                    body[:at] + body[at + much :],
                    body[:at] + body[at : at + much] * 2 + body[at + much :],
                    body[:at] + odd + body[at:],
                    body[:at],
                )
            )
        return body


def sign(body: bytes) -> str:
    """Return the signature of a body."""
    return hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


def _texts(body: bytes) -> list[str]:
    """Return the texts of a JSON body as they are meant, escapes undone."""
    text = body.decode("utf-8", "replace")
    try:
        return [text, re.sub(r"\\u00([0-7][0-9a-fA-F])", lambda m: chr(int(m[1], 16)), text)]
    except ValueError:
        return [text]


@dataclass
class Judge:
    """Deliver requests to a receiver and judge each answer, and the whole at the end."""

    receiver: Receiver
    statuses: Counter[int] = field(default_factory=Counter)
    answered: set[str] = field(default_factory=set)
    """The ids of every alert that was answered."""
    filled: int = 0
    _held: dict[tuple[str, str], Decimal] = field(default_factory=dict)

    def deliver(self, request: Request) -> None:
        """Deliver one request and judge its answer."""
        response = self.receiver.client.open(
            request.path,
            method=request.method,
            query_string=request.query,
            headers=request.headers,
            data=request.body,
        )
        text = response.get_data(as_text=True)
        self.statuses[response.status_code] += 1
        assert response.status_code in TRUSTED_CODES, (response.status_code, text, request)
        for secret in (SECRET, TOKEN, "Traceback", "INTERNAL"):
            assert secret not in text, (text[max(0, text.find(secret) - 600) :][:900], request)
            assert secret not in str(response.headers), (secret, request)
        if text:
            self._judge(json.loads(text, parse_constant=_refuse), request)

    def _judge(self, shape: Any, request: Request) -> None:
        if request.path not in (*ALERTS[:3], "/flatten") or not isinstance(shape, dict):
            return
        answers = shape.get("results", [shape])
        for answer in answers:
            found = {answer.get("alert_id"), *shape.get("alert_ids", ())} - {None}
            assert request.is_credible or request.path == "/flatten" or not found, (shape, request)
            self.answered |= found
            if not answer.get("duplicate"):
                self._judge_fills(answer, request)
        self._held = self.receiver.held()

    def _judge_fills(self, answer: dict[str, Any], request: Request) -> None:
        """Check that a fill was asked for: a number of the body, or no more than was held."""
        done = [Decimal(order["filled_quantity"]) for order in answer.get("orders", ())]
        total = sum(done)
        if not total:
            return
        self.filled += 1
        named = [
            abs(quantity)
            for (strategy, symbol), quantity in self._held.items()
            if answer["strategy"] in (None, strategy)
        ]
        body = request.body.decode("utf-8", "replace")
        asked = {Decimal(text) for text in re.findall(r"[0-9]+(?:\.[0-9]+)?", body)}
        is_held = all(each in named or each <= max(named, default=0) for each in done)
        asked |= {number.to_integral_value(ROUND_FLOOR) for number in asked}  # whole contracts
        assert total in asked or is_held, (answer, request, self._held)

    def close(self) -> dict[str, Any]:
        """Stop the receiver, judge what it wrote down, and return the figures."""
        receiver = self.receiver
        receiver.stop()
        log = receiver.log()
        for secret in (SECRET, TOKEN, "Traceback", "_fault", "not_recorded"):
            assert secret not in log, log[log.index(secret) - 300 :][:900]
        for line in log.splitlines():
            assert re.match(r"[0-9T:.-]+Z [A-Z]+ +\w+", line), line
            assert line.isprintable() or "\\x" in line, line
        for path in receiver.folder.glob("state.db*"):
            data = path.read_bytes()
            assert SECRET.encode() not in data, path
            assert TOKEN.encode() not in data, path
        with read_state(receiver.settings.state_path) as db:
            recorded = {alert_id for (alert_id,) in db.execute("SELECT alert_id FROM alerts")}
            orphans = db.execute(
                "SELECT count(*) FROM fills WHERE client_id NOT IN (SELECT client_id FROM orders)"
            ).fetchone()
        assert recorded <= self.answered
        assert orphans == (0,)
        return {
            "requests": sum(self.statuses.values()),
            "answers": dict(sorted(self.statuses.items())),
            "alerts recorded": len(recorded),
            "alerts that traded": self.filled,
        }


def _refuse(name: str) -> None:
    raise AssertionError(f"{name} in an answer")
