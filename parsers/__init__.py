"""Read the body of a TradingView alert: bytes in, a `Message` out, never an exception.

`parse` decides only what of a body may be shown. What a container, a key, a value or a dialect means
is known in the modules beside this one; whether anything is traded, elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from parsers.fields import build
from parsers.redaction import MASK, find_secrets, glance, hide, mask, mask_flat, mask_unread

from .alert import Alert, Message, ParseError
from .containers import Order, open_body

__all__ = ["glance", "mask_flat", "parse"]

MAX_BYTES = 262_144
"""Far above the limit of the server, which answers 413; this only bounds the time."""
MAX_SECRETS = 16
"""How many credentials of one body reach the gate: a body is one guess, not a list of guesses."""
IN_NAMES_FROM = 8
"""Secrets of ours are masked in names from this length on: `test` is part of many a name."""
MAX_HIDDEN = 100
"""A body with more of them is not read and not shown at all."""


def parse(body: bytes, known: Sequence[str] = ()) -> Message:
    """Return what `body` says: its alerts, or the error that stands in an alert's place.

    `known` are secrets that are masked wherever they stand: a comment, or under a key of any name.
    """
    text = body[:MAX_BYTES].decode("utf-8", "backslashreplace")
    known = [each for each in known if each in text or "\\u" in text]
    try:
        orders, is_array = open_body(_decode(body))
        if body.startswith(b"\xef\xbb\xbf"):
            orders[0].claims.warnings.append("A byte-order mark before the text was taken out.")
        return _read(text, orders, known, is_array=is_array)
    except ParseError as error:
        return _fail(text, error, known)
    except Exception:  # noqa: BLE001 - a fault of ours answered 5xx would be sent three times more
        return _fail(text, ParseError("The body could not be read."), known)


def _decode(body: bytes) -> str:
    if len(body) > MAX_BYTES:
        raise ParseError("The body is too large for an alert.")
    if b"\0" in body or body.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ParseError("The body has NUL bytes or is UTF-16: send it as UTF-8.")
    try:
        return body.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise ParseError(f"Byte {error.start + 1} of the body is not UTF-8.") from None


def _read(text: str, orders: list[Order], known: Sequence[str], *, is_array: bool) -> Message:
    """Build each order; an error takes its place and changes no other."""
    strategies = tuple([_hide_name(order.strategy, known) for order in orders])
    found = [value for order in orders for _, value in order.claims.secrets]
    if any(order.error for order in orders):
        found += find_secrets(text)
    secrets = list(dict.fromkeys(found))
    if len(secrets) > MAX_HIDDEN:
        return _fail(MASK, ParseError(f"The body has more than {MAX_HIDDEN} credentials."))
    hidden = list(dict.fromkeys([*secrets, *known]))
    alerts = tuple([_build(order, hidden, known) for order in orders])
    return Message(
        alerts=alerts,
        is_array=is_array,
        secrets=tuple(secrets[:MAX_SECRETS]),
        masked=mask(text, hidden) if hidden else text,
        strategies=strategies,
    )


def _build(order: Order, secrets: list[str], known: Sequence[str]) -> Alert | ParseError:
    try:
        if order.error is not None:
            raise order.error
        alert = _hide_in_names(build(order.claims), known)
    except ParseError as error:
        return _hide_in_error(error, secrets)
    return _hide_secrets(alert, secrets) if secrets else alert


def _hide_in_names(alert: Alert, known: Sequence[str]) -> Alert:
    """Return the alert without a secret of ours where a name belongs: names are shown everywhere.

    Only secrets of ours count here: a name that happens to equal another system's key stays a name.
    """
    known = [each for each in known if len(each) >= IN_NAMES_FROM]
    if any(each.upper() in alert.symbol for each in known):
        raise ParseError("A secret stands where the symbol belongs.", field="symbol")
    names = {
        "strategy": alert.strategy,
        "account": alert.account,
        "idempotency_key": alert.idempotency_key,
    }
    hidden = {name: _hide_name(text, known) for name, text in names.items()}
    return alert if hidden == names else replace(alert, **hidden)  # type: ignore[arg-type]


def _hide_name(name: str | None, known: Sequence[str]) -> str | None:
    return hide(name, [each for each in known if len(each) >= IN_NAMES_FROM]) if name else name


def _hide_in_error(error: ParseError, secrets: list[str]) -> ParseError:
    error.message = hide(error.message, secrets)
    error.args = (error.message,)
    return error


def _hide_secrets(alert: Alert, secrets: list[str]) -> Alert:
    """Return the alert without a secret in what is only shown: a comment may quote one."""
    shown = [alert.comment or "", *alert.warnings, *alert.unsupported, alert.delayed_feed or ""]
    shown += [text for note in alert.notes for text in note]
    everything = "\n".join(shown)
    if not any(secret in everything for secret in secrets):
        return alert
    return replace(
        alert,
        comment=hide(alert.comment, secrets) if alert.comment else alert.comment,
        warnings=tuple(hide(text, secrets) for text in alert.warnings),
        delayed_feed=alert.delayed_feed and hide(alert.delayed_feed, secrets),
        unsupported=tuple(hide(text, secrets) for text in alert.unsupported),
        notes=tuple((hide(key, secrets), hide(text, secrets)) for key, text in alert.notes),
    )


def _fail(text: str, error: ParseError, known: Sequence[str] = ()) -> Message:
    """Answer for a body in which not even the orders could be told apart."""
    secrets = find_secrets(text)
    if len(secrets) > MAX_HIDDEN:
        text, secrets = MASK, secrets[:MAX_HIDDEN]
    hidden = [*secrets, *known]
    return Message(
        alerts=(_hide_in_error(error, hidden),),
        secrets=tuple(secrets[:MAX_SECRETS]),
        masked=mask_unread(text, hidden),
        strategies=(None,),
    )
