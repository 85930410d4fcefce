"""Decide who may speak: by address, by credential and by how often.

The gate knows secrets and never shows one: it answers with a verdict, a number of seconds or yes
and no. It does not read requests, answer them, parse alerts or decide about orders. Every refusal
is the same, whatever was wrong, and a guess costs the one who guesses, never the right secret.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import limits

from desk.config.settings import Secret, Settings
from desk.engine.rates import Rates

REFUSAL = (
    "Invalid webhook signature or secret. "
    "If the secret is in the message, check that the message is valid JSON."
)
"""The one answer to whoever may not speak."""

OLD_SECRET = "This alert still has the old secret: put the new one into its message."
"""What the story of such an alert says, so that those that are left are found."""

TELL_AT_FAILURES = 50
"""So many refused credentials from one address within an hour are worth telling the user once."""

TRADINGVIEW = ("52.89.214.238", "34.212.75.30", "54.218.53.128", "52.32.178.7")
"""Where TradingView sends from, as its page "How to configure webhook alerts" lists it."""

_MAX_CREDENTIALS = 20
_FAILURES = limits.parse("10/minute")
_MANY_FAILURES = limits.parse(f"{TELL_AT_FAILURES}/hour")
_ONCE = limits.parse("1/hour")
_ONCE_A_MINUTE = limits.parse("1/minute")
_PORTS = {"http": "80", "https": "443"}
_AUTHORITY = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
"""A host with or without its port, as it may stand in a URL that is shown."""
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]{1,60}){1,8}")
"""A path before ours, as it may stand in a link and a cookie."""
_PROXY_HEADERS = ("forwarded", "via", "x-real-ip", "cf-connecting-ip", "true-client-ip")

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class AuthResult:
    """Whether an alert may pass, and whether it proved who it is from.

    Without a configured secret everything may pass and nothing is authenticated.
    """

    allowed: bool
    is_authenticated: bool
    warning: str | None = None
    """A wrong credential beside a valid one, in words for the alert's warnings."""


class Gate:
    """Answer every question about who may speak. Safe to ask from many threads."""

    def __init__(
        self,
        settings: Settings,
        clock: Callable[[], float],
        compare: Callable[[bytes, bytes], bool] = hmac.compare_digest,
    ) -> None:
        webhook = settings.webhook
        self._compare = compare
        self._old = _keys(webhook.old_secret)
        self._global = (*_keys(webhook.secret), *self._old)
        self._own = {name: _keys(each.secret) for name, each in settings.strategies.items()}
        self._admin = _keys(settings.admin_token)
        self._assistant = _keys(settings.mcp.token)
        self._metrics = _keys(settings.metrics_token)
        self._proxies = tuple(map(ipaddress.ip_network, webhook.trusted_proxies))
        self._allowed = _networks(webhook.allowed_ips)
        self._is_development = settings.is_development
        self._rates = Rates(webhook.rate_limit, clock)

    def client_address(self, peer: str, forwarded_for: str | None) -> str:
        """Return who is calling: the right-most hop of X-Forwarded-For that is no proxy of ours.

        The header counts only when the peer is a trusted proxy; with anything unreadable in its
        place the peer stays responsible.
        """
        address = _read_address(peer)
        if address is None:
            return peer
        client = address
        if forwarded_for and _is_within(address, self._proxies):
            for hop in reversed(forwarded_for.split(",")):
                found = _read_hop(hop)
                if found is None:
                    return str(address)
                client = found
                if not _is_within(client, self._proxies):
                    break
        return str(client)

    def find_origin(self, peer: str, host: str, forwarded: Mapping[str, str | None]) -> str:
        """Return scheme, host and port under which the caller reached us, as `https://host:port`.

        `forwarded` holds `proto`, `host` and `port` of the X-Forwarded- headers, which count only from
        a trusted proxy. Empty where the caller named no host that may stand in a URL.
        """
        address = _read_address(peer)
        is_proxied = address is not None and _is_within(address, self._proxies)
        told = {name: _last(value) for name, value in forwarded.items()} if is_proxied else {}
        scheme = told.get("proto", "").lower()
        scheme = scheme if scheme in _PORTS else "http"
        name = told.get("host") or host
        if not _AUTHORITY.fullmatch(name):
            return ""
        port = told.get("port", "")
        if port.isascii() and port.isdigit() and len(port) <= 5 and not _has_port(name):
            name = f"{name}:{port}"
        return f"{scheme}://{name.removesuffix(':' + _PORTS[scheme])}".lower()

    def find_prefix(self, peer: str, prefix: str | None) -> str:
        """Return the path that a trusted proxy puts before ours, like `/desk`; empty where there is none."""
        address = _read_address(peer)
        if not prefix or address is None or not _is_within(address, self._proxies):
            return ""
        path = _last(prefix).rstrip("/")
        return path if _PREFIX.fullmatch(path) and "/." not in path else ""

    def may_connect(self, address: str) -> bool:
        """Tell whether `allowed_ips` lets this address in; an empty list lets everyone in."""
        if not self._allowed:
            return True
        found = _read_address(address)
        return found is not None and _is_within(found, self._allowed)

    @property
    def is_open(self) -> bool:
        """Whether some alert passes without any credential: no secret speaks for every strategy."""
        return not self._global

    @property
    def asks_nobody(self) -> bool:
        """Whether no alert at all is asked for a credential."""
        return not self._global and not any(self._own.values())

    def may_authenticate(
        self,
        body: bytes,
        url_secrets: Sequence[str],
        signature: str | None,
        body_secrets: Sequence[str],
    ) -> bool:
        """Tell whether a body that was not read yet holds or brings a credential of any strategy."""
        keys = (*self._global, *(key for own in self._own.values() for key in own))
        found = {*url_secrets, *body_secrets}
        if len(found) > _MAX_CREDENTIALS:
            return False  # a list of guesses
        is_known = any([self._is_secret(text, keys) for text in found if text])  # noqa: C419  # all
        return is_known or (bool(signature) and self._is_signature(signature or "", body, keys))

    def check_credentials(
        self,
        body: bytes,
        url_secrets: Sequence[str],
        signature: str | None,
        body_secrets: Sequence[str],
        strategy: str | None,
    ) -> AuthResult:
        """Judge the credentials of one alert: one that is valid is enough, wherever it stands.

        The global secret speaks for every strategy, a strategy's own secret only for that one.
        """
        keys = (*self._global, *self._own.get(strategy or "default", ()))
        if not keys:
            return AuthResult(allowed=True, is_authenticated=False)
        if len({*url_secrets, *body_secrets}) > _MAX_CREDENTIALS:
            return AuthResult(allowed=False, is_authenticated=False)  # a list of guesses
        found = [("the URL", self._is_secret(text, keys)) for text in url_secrets if text]
        found += [("the message", self._is_secret(text, keys)) for text in body_secrets if text]
        if signature:
            found.append(("the signature", self._is_signature(signature, body, keys)))
        is_valid = any(right for _, right in found)
        wrong = [place for place, right in found if not right]
        warning = None
        if is_valid and wrong:
            warning = f"A second credential, in {wrong[0]}, is not ours; the valid one counted."
        elif is_valid and self._is_old(body, [*url_secrets, *body_secrets], signature):
            warning = OLD_SECRET
        return AuthResult(is_valid, is_valid, warning)

    def _is_old(self, body: bytes, offered: Sequence[str], signature: str | None) -> bool:
        """Tell whether a valid alert still has the secret that is to be given up."""
        if not self._old:
            return False
        is_told = any(self._is_secret(text, self._old) for text in offered)
        return is_told or (bool(signature) and self._is_signature(signature or "", body, self._old))

    def count_unauthenticated(self, address: str, *, failed: bool = False) -> int | None:
        """Count an alert that did not prove who it is from; return the seconds to wait, if any.

        `failed` adds a refused credential: ten a minute, whatever `rate_limit` allows. Never ask
        this about an authenticated alert, and guesses cannot lock out the right secret.
        """
        who = _responsible(address)
        waits = [self._rates.count(f"alert {who}")]
        if failed:
            self._rates.count(f"failed {who}", _MANY_FAILURES)
            waits.append(self._rates.count(f"failed {who}", _FAILURES))
        return max((wait for wait in waits if wait is not None), default=None)

    def count_guess(self, address: str) -> int | None:
        """Count a wrong admin token; return the seconds to wait, if any. The right one never waits."""
        who = _responsible(address)
        self._rates.count(f"failed {who}", _MANY_FAILURES)
        return self._rates.count(f"token {who}", _FAILURES)

    def is_spent(self, address: str) -> bool:
        """Tell whether an address has had its alerts without authentication; counts nothing."""
        return self._rates.is_spent(f"alert {_responsible(address)}")

    def failures(self, address: str) -> int:
        """Return how many credentials from this address were refused within an hour, at most 50."""
        return self._rates.seen(f"failed {_responsible(address)}", _MANY_FAILURES)

    def must_tell(self, address: str) -> bool:
        """Tell, once an hour and address, that the failures have reached `TELL_AT_FAILURES`."""
        if self.failures(address) < TELL_AT_FAILURES:
            return False
        return self._rates.count(f"told {_responsible(address)}", _ONCE) is None

    def must_log(self, address: str, what: str = "turned away") -> bool:
        """Tell, once a minute and address, that somebody was turned away: guesses must not fill the log."""
        return self._rates.count(f"{what} {_responsible(address)}", _ONCE_A_MINUTE) is None

    def must_warn_of_proxy(self, address: str, header_names: Iterable[str]) -> bool:
        """Tell, once an hour and address, that a proxy lets strangers in where no secret is asked for."""
        if self._global or not _is_proxied(header_names):
            return False
        return self._rates.count(f"forwarded {_responsible(address)}", _ONCE) is None

    def is_admin(self, authorization: str | None) -> bool:
        """Tell whether an Authorization header holds the admin token: Bearer, or Basic's password.

        Without a configured token nobody is admin.
        """
        offered = _read_token(authorization)
        return offered is not None and self._is_secret(offered, self._admin)

    def is_assistant(self, authorization: str | None) -> bool:
        """Tell whether an Authorization header holds the token of assistants, as Bearer."""
        offered = None if is_basic(authorization) else _read_token(authorization)
        return offered is not None and self._is_secret(offered, self._assistant)

    def is_metrics(self, authorization: str | None) -> bool:
        """Tell whether an Authorization header holds the token that opens the metrics alone."""
        offered = _read_token(authorization)
        return offered is not None and self._is_secret(offered, self._metrics)

    def is_guess(self, authorization: str | None) -> bool:
        """Tell whether a header offers a token at all: an empty one is nobody's guess."""
        return bool(self._admin and _read_token(authorization))

    def is_local_reader(self, peer: str, header_names: Iterable[str]) -> bool:
        """Tell whether a request may read without a token: in development, straight from here.

        A proxy on this machine speaks for strangers, so its headers end the privilege.
        """
        address = _read_address(peer)
        if not self._is_development or address is None or not address.is_loopback:
            return False
        return not _is_proxied(header_names)

    def _is_secret(self, offered: str | bytes, keys: Sequence[_Key]) -> bool:
        """Compare digests: they have one length, so that the time tells nothing, not even that."""
        text = offered if isinstance(offered, bytes) else _encode(offered)
        digest = hashlib.sha256(text).digest()
        matches = [self._compare(digest, key.digest) for key in keys]  # all, not until the first
        return any(matches)

    def _is_signature(self, offered: str, body: bytes, keys: Sequence[_Key]) -> bool:
        text = _encode(offered).strip().lower().removeprefix(b"sha256=")
        digest = hashlib.sha256(text).digest()
        signatures = [hmac.digest(key.secret, body, "sha256").hex().encode() for key in keys]
        matches = [self._compare(digest, hashlib.sha256(one).digest()) for one in signatures]
        return any(matches)


@dataclass(frozen=True, slots=True)
class _Key:
    secret: bytes = field(repr=False)
    digest: bytes = field(repr=False)


def _keys(secret: Secret | None) -> tuple[_Key, ...]:
    if secret is None:
        return ()
    text = _encode(secret.get_secret_value())
    return (_Key(text, hashlib.sha256(text).digest()),)


def _read_token(authorization: str | None) -> str | bytes | None:
    """Return what an Authorization header offers as the admin token; None where it offers none."""
    scheme, _, rest = (authorization or "").partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(rest.strip(), validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return None


def is_basic(authorization: str | None) -> bool:
    """Tell whether a header is what a browser sends by itself once somebody has logged in."""
    return (authorization or "").lstrip().lower().startswith("basic")


def _last(header: str | None) -> str:
    """Return what the proxy next to us said: each adds its word behind a comma."""
    return (header or "").rpartition(",")[2].strip()


def _has_port(authority: str) -> bool:
    return authority.rpartition("]")[2].rpartition(":")[1] == ":"


def _is_proxied(header_names: Iterable[str]) -> bool:
    """Tell whether a request came through a proxy, which speaks for strangers."""
    names = [name.lower() for name in header_names]
    return any(n in _PROXY_HEADERS or n.startswith("x-forwarded-") for n in names)


def _encode(text: str) -> bytes:
    """Encode whatever a caller may send: JSON can hold half a surrogate pair."""
    return text.encode("utf-8", "surrogatepass")


@lru_cache(maxsize=4096)
def _read_address(text: str) -> _Address | None:
    """Return the address, an IPv4 address in IPv6 clothes as itself, or None for anything else."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _read_hop(text: str) -> _Address | None:
    """Read one entry of X-Forwarded-For; some proxies add a port."""
    hop = text.strip()
    if hop.startswith("["):
        hop = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    return _read_address(hop) if len(hop) < 64 else None  # the cache is no store for long texts


def _networks(entries: Iterable[str]) -> tuple[_Network, ...]:
    named = {"tradingview": TRADINGVIEW}
    return tuple(ipaddress.ip_network(one) for each in entries for one in named.get(each, (each,)))


def _is_within(address: _Address, networks: Iterable[_Network]) -> bool:
    return any(address in network for network in networks)


def _responsible(address: str) -> str:
    """Return whom to hold to the rate: an IPv6 caller owns a whole /64 and would never run out."""
    found = _read_address(address)
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))
    return address if found is None else str(found)
