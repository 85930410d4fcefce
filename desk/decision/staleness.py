"""Judge time: whether an alert is too old to open, and whether a later one has overtaken it.

Only `timenow`, `sent_at` and `fired_at` say when an alert fired and put alerts in order; `time` and
`timestamp` may be the bar's opening, so they only limit age, and only with the interval. Reducing orders
never expire. Pure: the clock is an argument.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from desk.orders.evolve import evolve
from desk.orders.order import AlertRef
from desk.orders.strategy_position import SignalHistory
from parsers.alert import Alert

FUTURE_MS = 30_000


@dataclass(frozen=True, slots=True)
class Times:
    """What time means for one alert now: `expired` says why it may not open, or is empty."""

    now: int
    max_age_ms: int
    submit_by: int
    expired: str = ""
    warnings: tuple[str, ...] = ()


def judge_age(alert: Alert, received_at: int, now: int, max_age_ms: int) -> Times:
    """Return how old the alert is against `max_age_ms`; waiting with us counts the same."""
    started = received_at
    expired, warnings = "", []
    limit = max_age_ms
    if alert.fired_at is not None:
        started = min(started, alert.fired_at)
        if alert.fired_at - received_at > FUTURE_MS:
            ahead = (alert.fired_at - received_at) // 1000
            warnings.append(
                f"the alert says it fired {ahead} s in the future: check the sender's clock"
            )
    elif alert.bar_at is not None:
        if alert.interval_seconds is not None:
            limit += alert.interval_seconds * 1000
            started = min(started, alert.bar_at)
        elif received_at - alert.bar_at > max_age_ms:
            warnings.append(
                "its time is old but may be the bar's opening: add interval, or send timenow"
            )
    age = now - started
    if age > limit:
        expired = (
            f"The alert is {age // 1000} s old; an opening alert is traded up to {limit // 1000} s "
            "(webhook.max_age_seconds)."
        )
    return Times(now, max_age_ms, started + limit, expired, tuple(warnings))


def fired_by(alert: Alert, received_at: int) -> int | None:
    """Return when an alert fired, as far as it says: at the latest in the second in which it was received.

    A time from the future is somebody's wrong clock; believed, it would overtake every alert until then.
    """
    if alert.fired_at is None or alert.fired_at <= received_at:
        return alert.fired_at
    return _second_of(received_at)


def until(signals: SignalHistory, now: int) -> SignalHistory:
    """Return what was said, with no moment later than now: such a one blocks what is yet to come."""
    times = {
        name: _second_of(now)
        for name in ("fired", "opened", "stated", "flat", "long", "short")
        if getattr(signals, name) > now
    }
    return evolve(signals, **times) if times else signals


def _second_of(moment: int) -> int:
    """Return when a moment's second began: TradingView tells whole seconds, and equal ones go by arrival."""
    return moment - moment % 1_000


def _is_later(one: int, other: int) -> bool:
    """Whether one moment comes after another: by the second where either tells no more than that.

    A whole second may be any moment in it, and equal times go by arrival (rules 2.5).
    """
    if one % 1_000 and other % 1_000:
        return one > other
    return one // 1_000 > other // 1_000


def is_stale_reducing(signals: SignalHistory, fired: int | None, partial: bool) -> bool:
    """Tell whether a later alert opened, or (unless this exit is partial) stated a position."""
    if fired is None:
        return False
    later = _is_later(signals.opened, fired)
    return later or (not partial and _is_later(signals.stated, fired))


def is_stale_opening(signals: SignalHistory, cause: AlertRef, side: str) -> bool:
    """Tell whether a later alert closed the position, stated flat or stated the other side.

    An alert that had to wait here may also be overtaken by one that came after it, unless that fired before.
    """
    fired = cause.fired_at
    if cause.seq < signals.closed and (
        fired is None
        or cause.seq < signals.closed_untimed
        or not _is_later(fired, signals.flat)  # rules 2.6: where both say when, firing counts
    ):
        return True
    if fired is None:
        return False
    other = signals.short if side == "buy" else signals.long
    return _is_later(signals.flat, fired) or _is_later(other, fired)


def is_stale_target(
    signals: SignalHistory, fired: int | None, previous: Decimal | None, held: Decimal
) -> bool:
    """Tell whether an alert with a stated target comes after a later one that was executed."""
    if fired is None or signals.fired == 0:
        return False
    same_second = fired // 1000 == signals.fired // 1000
    if same_second:
        return previous is not None and previous != held
    return _is_later(signals.fired, fired)


def mark_said(
    signals: SignalHistory, cause: AlertRef, *, closes_all: bool, only: str | None = None
) -> SignalHistory:
    """Remember when an alert closed the position or stated a side, also where it found nothing to do.

    `only`: the side it could only have reduced and of which it found nothing. An entry on that side which
    fired before is overtaken by its own exit, as if the other side had been stated.
    """
    fired, stated = cause.fired_at, cause.stated or _other(only)
    closes_all = closes_all or stated == "flat"
    if closes_all:
        signals = evolve(signals, closed=max(signals.closed, cause.seq))
        if fired is None:
            signals = evolve(signals, closed_untimed=max(signals.closed_untimed, cause.seq))
    if fired is None:
        return signals
    if closes_all:
        signals = evolve(signals, flat=max(signals.flat, fired))
    if stated == "long":
        signals = evolve(signals, long=max(signals.long, fired))
    elif stated == "short":
        signals = evolve(signals, short=max(signals.short, fired))
    return signals


def _other(side: str | None) -> str | None:
    return None if side is None else "short" if side == "long" else "long"
