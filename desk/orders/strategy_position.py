"""What one strategy holds of an instrument, and what is wanted of it: leave, stop, take profit.

Everything that reduces or protects is a wish here, pursued until it is true (rules 0.2). How a wish fares
stands beside it. Nothing here compares a wish with the orders: `plan` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from desk.orders.evolve import evolve
from desk.orders.ledger import LotLedger
from desk.orders.order import NO_ALERT, AlertRef

QUICK_RETRIES = 5


RETRY_RESET_MS = 600_000


MAX_BACKOFF_MS = 400_000
"""The longest pause between two attempts at a wish: under twenty attempts in any hour."""


@dataclass(frozen=True, slots=True)
class ProtectiveLevel:
    """Where a stop or a target stands, already rounded; `limit_price` makes a stop a stop-limit."""

    price: Decimal
    limit_price: Decimal | None = None


@dataclass(frozen=True)
class Target:
    """One of several targets: its number from 1, where it stands, what of the position it still takes.

    `quantity` is exact; what of it can be ordered follows from all targets together. It is zero once done.
    """

    part: int
    price: Decimal
    quantity: Decimal

    @property
    def is_done(self) -> bool:
        """Whether its part was taken."""
        return self.quantity == 0


@dataclass(frozen=True)
class Stopped:
    """What stops and targets of ours closed since the strategy's last executed alert (rules 3.14).

    `quantity` is signed as the position was; kind, price and time are those of the last one.
    """

    kind: str
    quantity: Decimal
    price: Decimal
    at: int


@dataclass(frozen=True)
class RestingExit:
    """A reducing order that an alert gave a level of its own."""

    cause: AlertRef
    quantity: Decimal
    order_type: str
    limit_price: Decimal | None
    stop_price: Decimal | None


@dataclass(frozen=True)
class RetryState:
    """How a wish fares: how often the venue refused it and the way failed, and when it is tried again."""

    failures: int = 0
    unreached_count: int = 0
    retry_at: int = 0

    def after_refusal(self, now: int) -> RetryState:
        """Back off: one second, doubling, up to the ceiling; afresh after ten minutes without a refusal."""
        failures = self.failures if now - self.retry_at < RETRY_RESET_MS else 0
        pause = min(1_000 * 2 ** min(failures, 10), MAX_BACKOFF_MS)
        return RetryState(failures + 1, self.unreached_count, now + pause)

    def after_unreached(self, now: int) -> RetryState:
        """Try again soon where the way failed; after some tries less and less often."""
        pause = min(
            1_000 * 2 ** min(max(0, self.unreached_count - QUICK_RETRIES), 10), MAX_BACKOFF_MS
        )
        return RetryState(self.failures, self.unreached_count + 1, now + pause)

    def after_pause(self, until: int) -> RetryState:
        """Wait as long as the venue asked for: it did not judge the order, so it is no refusal."""
        return RetryState(self.failures, self.unreached_count, until)

    @property
    def has_failed(self) -> bool:
        """Whether the last try came to nothing."""
        return bool(self.failures or self.unreached_count)


@dataclass(frozen=True)
class SignalHistory:
    """What the alerts of one strategy have said so far about this instrument, for the rules of time.

    `executed` is the number of the last body of which an order was filled or accepted, `closed` that of
    the last alert that left nothing of the position, `closed_untimed` that of the last of these which did
    not say when it fired; the others are the latest moments of firing, in milliseconds, that are known.
    """

    executed: int = 0
    closed: int = 0
    closed_untimed: int = 0
    fired: int = 0
    opened: int = 0
    stated: int = 0
    flat: int = 0
    long: int = 0
    short: int = 0


NO_GUARD: Mapping[str, Any] = {
    "stop_loss": None,
    "take_profit": None,
    "targets": (),
    "move_stop": None,
    "is_stop_moved": False,
}
"""What a position has that nothing protects."""


FLAT, NO_RETRIES, NO_SIGNALS = LotLedger(), RetryState(), SignalHistory()


@dataclass(frozen=True)
class StrategyPosition:
    """The part of a position that one strategy opened, and what is wished of it.

    `reduce_to`: at most this much may stay (None: all of it), because `exit_cause` said so: what an
    entry born later fills may stay too. `serial` numbers the reducing orders, so that each has an id.
    """

    strategy: str
    symbol: str = ""
    ledger: LotLedger = FLAT
    reduce_to: Decimal | None = None
    exit_cause: AlertRef = NO_ALERT
    exit_requested_at: int = 0
    exit: RestingExit | None = None
    stop_loss: ProtectiveLevel | None = None
    take_profit: ProtectiveLevel | None = None
    targets: tuple[Target, ...] = ()
    """Several targets instead of `take_profit`, each for its part."""
    move_stop: str | None = None
    """Where the stop goes after a target: break_even or previous_target."""
    is_stop_moved: bool = False
    """Whether the desk or `breakeven` moved the stop: later fills of its entry no longer loosen it."""
    protection_cause: AlertRef = NO_ALERT
    retries: Mapping[str, RetryState] = field(default_factory=dict)
    """How the wishes fare that have failed: keep, exit, stop_loss, take_profit."""
    unprotected_since: int = 0
    """Since when what was asked to protect the position does not stand; 0 while it does."""
    unprotected_notified: bool = False
    serial: int = 0
    signals: SignalHistory = NO_SIGNALS
    stopped: Stopped | None = None
    """What still counts as held for the exit that a signal sends after a stop."""

    @property
    def quantity(self) -> Decimal:
        """The signed size of the position."""
        return self.ledger.quantity

    @property
    def projected_quantity(self) -> Decimal:
        """The signed size once every owed exit is done: what a new alert finds."""
        held = self.ledger.quantity
        if self.reduce_to is None or abs(held) <= self.reduce_to:
            return held
        return self.reduce_to if held > 0 else -self.reduce_to

    @property
    def has_targets(self) -> bool:
        """Whether anything is still wanted of this position."""
        return bool(self.reduce_to is not None or self.exit or self.is_guarded)

    @property
    def is_guarded(self) -> bool:
        """Whether a stop or a target is wished for."""
        return bool(self.stop_loss or self.take_profit or self.targets)

    @property
    def is_restless(self) -> bool:
        """Whether it has to be looked at when its book is planned."""
        return self.has_targets or bool(self.unprotected_since)

    @property
    def exit_of(self) -> str:
        """The id of the alert that gave the position a resting exit, or empty."""
        return self.exit.cause.alert_id if self.exit else ""

    @property
    def has_pending_exit(self) -> bool:
        """Whether more is held than may stay."""
        return self.reduce_to is not None and abs(self.ledger.quantity) > self.reduce_to

    def retry_state(self, purpose: str) -> RetryState:
        """Return how a wish fares."""
        return self.retries.get(purpose, NO_RETRIES)

    def with_retry(self, purpose: str, retries: RetryState) -> StrategyPosition:
        """Return the position with a wish faring so."""
        return evolve(self, retries={**self.retries, purpose: retries})

    def reset_retries(self, *purposes: str) -> StrategyPosition:
        """Return the position with these wishes tried afresh; without any named, all of them."""
        left = {
            name: each for name, each in self.retries.items() if purposes and name not in purposes
        }
        return self if len(left) == len(self.retries) else evolve(self, retries=left)

    def retry_now(self, now: int) -> StrategyPosition:
        """Return the position with every wish tried now; the pauses go on growing from where they were."""
        if not any(each.retry_at > now for each in self.retries.values()):
            return self
        soon = {w: evolve(p, retry_at=min(p.retry_at, now)) for w, p in self.retries.items()}
        return evolve(self, retries=soon)

    def retry_after_reconnect(self, now: int) -> StrategyPosition:
        """Return the position with what failed on the way tried now: the venue answers again."""
        if not any(each.unreached_count for each in self.retries.values()):
            return self
        return evolve(
            self,
            retries={
                name: evolve(each, unreached_count=0, retry_at=min(each.retry_at, now))
                if each.unreached_count
                else each
                for name, each in self.retries.items()
            },
        )
