"""Read who sent an alert, when and for which account: everything that is not the order itself.

Times, intervals and comments only describe: unreadable ones are left out with a warning. A strategy
or an account that cannot be read is an error, because another one would trade instead.
"""

from __future__ import annotations

from dataclasses import dataclass

from parsers.comment_hints import find_assigned, says_exit
from parsers.missing_values import read_first, take
from parsers.raw_fields import Claims
from parsers.unknown_keys import names, normalise

from .values import (
    find_emptiness,
    fold,
    is_off,
    read_flag,
    read_interval,
    read_name,
    read_time,
    show,
    write,
)

_DELAYED = ("_DL", "_DLY")
_LABELLED = names("reason note notes tag orderid ordername alertname title id")


@dataclass(frozen=True, slots=True)
class Circumstances:
    """The fields of an `Alert` that do not describe its order."""

    strategy: str | None
    account: str | None
    time_in_force: str | None = None
    fired_at: int | None = None
    bar_at: int | None = None
    interval_seconds: int | None = None
    idempotency_key: str | None = None
    cancel_first: bool = False
    test: bool = False
    comment: str | None = None
    delayed_feed: str | None = None


def read_strategy(claims: Claims) -> str | None:
    """Return the strategy; a bare `name` is one where nothing else is."""
    names = claims.take("name")
    if "strategy" not in claims.fields:
        claims.add("strategy", names)
    else:
        for key, value in names:
            claims.note(key, value)
    return take(claims, "strategy", "states", read_name)


def read_circumstances(
    claims: Claims, action: str, symbol: str, stated: str | None
) -> Circumstances:
    """Return what stands around the order; `stated` is the side it states for afterwards."""
    late = _read_exchange(claims, symbol)
    strategy = read_strategy(claims)
    account = take(claims, "account", "states", _read_account)
    if not claims.fields and not claims.notes:
        return Circumstances(strategy, account, delayed_feed=late)
    return Circumstances(
        strategy=strategy,
        account=account,
        time_in_force=_read_time_in_force(claims),
        # Of two times the older one: of a bar its opening, of an alert the stricter age.
        fired_at=min(read_first(claims, "fired_at", read_time), default=None),
        bar_at=min(read_first(claims, "bar_at", read_time), default=None),
        interval_seconds=_read_interval(claims),
        idempotency_key=_read_key(claims),
        cancel_first=bool(take(claims, "cancel", "states", read_flag)),
        test=bool(take(claims, "test", "states", read_flag)),
        comment=_read_comment(claims, "" if stated else action),
        delayed_feed=late,
    )


def _read_account(value: object) -> str:
    """Return one account: a list would have to be traded on each of them."""
    name = read_name(value)
    if "," in name or ";" in name:
        raise ValueError(f"{show(value)} are several accounts: send one alert for each.")
    return name


def read_delays(claims: Claims) -> None:
    """Refuse a delay, and say that an age limit of the message's own is not used."""
    for key, value in claims.take("delay"):
        if not is_off(value, zero=True):
            claims.refuse_field(key, value, "orders are sent at once")
    for key, value in claims.take("max_lag"):
        if not is_off(value):
            claims.warnings.append(f"{key} {show(value)} is not used: max_age_seconds decides.")
            claims.note(key, value)


def _read_exchange(claims: Claims, symbol: str) -> str | None:
    """Keep the exchange as a note; return the delayed feed that it is, which is no price to trade on."""
    feeds = [symbol.rpartition(":")[0]]
    for key, value in claims.take("exchange"):
        if find_emptiness(value) == "unreadable":
            claims.warnings.append(f"{key}: {show(value)} is no value. Left out.")
        elif find_emptiness(value) is None:
            claims.note(key, value)
            feeds.append(write(value).strip().upper())
    late = next((feed for feed in feeds if feed.endswith(_DELAYED)), None)
    return f"delayed data feed {show(late)}: its prices are minutes old" if late else None


def _read_time_in_force(claims: Claims) -> str | None:
    def read(value: object) -> str:
        if not isinstance(value, str) or not value.strip()[:1].isalpha():
            raise ValueError(f"{show(value)} is no time in force: write day or gtc.")
        return value.strip()

    stated = take(claims, "time_in_force", "states", lambda value: read(value).lower())
    if stated is not None and stated not in ("day", "gtc"):
        claims.refuse_field("time_in_force", stated, "use day or gtc")
        return None
    return stated


def _read_interval(claims: Claims) -> int | None:
    for key, value in claims.fields.get("interval", ()):
        if find_emptiness(value) is None:
            claims.note(key, value)
    seconds = set(read_first(claims, "interval", read_interval))
    if len(seconds) > 1:
        claims.warnings.append("The intervals disagree. Left out.")
    return seconds.pop() if len(seconds) == 1 else None


def _read_key(claims: Claims) -> str | None:
    """Return the idempotency key: our own name for it first, then the names of others."""
    found = None
    for concept in ("idempotency_key", "signal_id", "alert_timestamp"):
        for text in read_first(claims, concept, _read_text):
            if found is None:
                found = text[:256]
            elif text != found:
                claims.note(concept, text)
    return found


def _read_text(value: object) -> str:
    return write(value).strip()


def _read_comment(claims: Claims, action: str) -> str | None:
    """Return the comment, or the message that stands for one; its other texts are notes."""
    found = None
    for key, label in claims.notes:
        if normalise(key.rpartition(".")[2]) in _LABELLED:
            _check_label(claims, key, label, action)
    for concept in ("comment", "text"):
        for key, value in claims.fields.get(concept, ()):
            if isinstance(value, str) and find_emptiness(value) is None:
                check = _check_text if concept == "text" else _check_label
                check(claims, key, value, action)
        for text in read_first(claims, concept, _read_text):
            if found is None:
                found = text
            elif text != found:
                claims.note(concept, text)
    return found


def _check_label(claims: Claims, key: str, value: str, action: str) -> None:
    """Refuse to open on a label that as a whole says an exit (`message: exit`, `TP1`).

    With a stated position (`action` is then empty) it can no longer mislead.
    """
    if action not in ("buy", "sell"):
        return
    if says_exit(value):
        reason = "send action close for an exit, market_position for an entry"
        claims.refuse_field(key, value, f"says an exit, so {action} opens nothing: {reason}")
    elif value.lstrip().startswith("{"):
        claims.refuse_field(key, value, "a whole message inside a message: send it alone")


def _check_text(claims: Claims, key: str, text: str, action: str) -> None:
    """Refuse a message that holds fields of the order: nobody would read them."""
    before = len(claims.unsupported)
    _check_label(claims, key, text, action)
    if fold(text) in ("buy", "sell") and action in ("buy", "sell") and fold(text) != action:
        claims.refuse_field(key, text, f"contradicts action {action}: send one of the two")
    found = find_assigned(text, claims.keys) if len(claims.unsupported) == before else None
    if found:
        claims.refuse_field(
            key, text, f"{found} in a text is not read: send it as a key of its own"
        )
