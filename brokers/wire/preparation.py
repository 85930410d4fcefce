"""Make sure that an instrument may be opened: one side at a time, leverage and margin as configured.

A position mode that was never read could turn a close into a second position (rules 3.10), so nothing opens
before it is known. What succeeded is not asked again while the process runs, so that a warm order costs one
request; of what failed nothing is remembered, so that the next order tries again. Exits never come here.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from brokers.protocol import (
    HEDGE_MODE,
    HEDGE_UNKNOWN,
    KEYS_REFUSED,
    LOGIN_REFUSED,
    NOT_PERMITTED,
    REGION_BLOCKED,
    THROTTLED,
    UNCHANGED,
    BrokerRefused,
    Uncertain,
    Unreachable,
)
from brokers.wire.client import BANNED

ONE_WAY, HEDGE = "one-way", "hedge"
"""The position modes, as `Check.position_mode` has them too."""
_SAYS_MORE = frozenset(
    {KEYS_REFUSED, LOGIN_REFUSED, NOT_PERMITTED, REGION_BLOCKED, THROTTLED, BANNED}
)
"""Refusals that say better than HEDGE_UNKNOWN why the mode was not told."""


MOST_SECONDS = 3.0
"""After which an order is not sent any more: by then it may be looked up, and must not leave after it was
not found."""


Key = tuple[str, str]
"""What is known or set, and of which instrument; empty: of the account."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing to set before the first entry; a refusal as `UNCHANGED` means that it is so already."""

    words: str
    """As it stands in config.yaml: `leverage: 5`."""
    carry_out: Callable[[str], object]
    """Set it for the venue's name of an instrument. May raise each of the three errors."""
    is_of_account: bool = False
    """Whether once is enough for all instruments."""


class Preparation:
    """What one account must be before it opens. Safe for several threads at once.

    `read_mode` returns `ONE_WAY` or `HEDGE` for the venue's name of an instrument, or raises one of the three
    errors. `is_of_account` says that one answer holds for all instruments.
    """

    def __init__(
        self,
        account: str,
        read_mode: Callable[[str], str],
        settings: Sequence[Setting] = (),
        *,
        is_of_account: bool,
        remedy: str = "Switch it to one-way mode at the venue.",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._account = account
        self._read_mode = read_mode
        self._settings = settings
        self._is_of_account = is_of_account
        self._remedy = remedy
        self._clock = clock
        self._done: set[Key] = set()
        self._locks: dict[Key, threading.Lock] = {}
        self._lock = threading.Lock()

    def require(self, symbol: str) -> None:
        """Return when an instrument may be opened, at once where that is known already.

        Raises `BrokerRefused`: HEDGE_MODE, HEDGE_UNKNOWN where the mode was not told, or what the venue has
        against a setting. Raises `Unreachable` where a setting may have been made or not, or all of it took
        too long: the order itself has certainly not left.
        """
        began_seconds = self._clock()
        self._once(self._mode_key(symbol), lambda: self._require_one_way(symbol))
        for each in self._settings:
            self._once(_key_of(each, symbol), functools.partial(_carry_out, each, symbol))
        if self._clock() - began_seconds > MOST_SECONDS:
            text = f"{self._account} took too long to get ready for {symbol}, so the order did not leave"
            raise Unreachable(text)

    def read_ahead(self, symbol: str = "") -> None:
        """Learn the position mode before an order needs it; changes nothing and raises nothing."""
        with suppress(BrokerRefused, Unreachable, Uncertain):
            self._once(self._mode_key(symbol), lambda: self._require_one_way(symbol))

    def set_ahead(self) -> None:
        """Make the settings that are the whole account's before an order needs them. Raises nothing."""
        for each in self._settings:
            if each.is_of_account:
                with suppress(BrokerRefused, Unreachable, Uncertain):
                    self._once(_key_of(each, ""), functools.partial(_carry_out, each, ""))

    def forget(self) -> None:
        """Forget what was learnt: the venue has just shown that it is otherwise."""
        with self._lock:
            self._done = set()

    def _mode_key(self, symbol: str) -> Key:
        return ("mode", "" if self._is_of_account else symbol)

    def _once(self, key: Key, carry_out: Callable[[], None]) -> None:
        """Do something that was not done yet; whoever needs it meanwhile waits for it."""
        if key in self._done:
            return
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._done:
                carry_out()
                self._done.add(key)

    def _require_one_way(self, symbol: str) -> None:
        try:
            mode = self._read_mode(symbol)
        except (Unreachable, Uncertain) as failed:
            raise self._unknown(str(failed)) from failed
        except BrokerRefused as no:
            if no.code in _SAYS_MORE:
                raise
            raise self._unknown(no.message) from no
        if mode != ONE_WAY:
            text = f"{self._account} holds long and short apart (hedge mode). {self._remedy}"
            raise BrokerRefused(text, HEDGE_MODE)

    def _unknown(self, reason: str) -> BrokerRefused:
        text = f"The position mode of {self._account} could not be read, so nothing was opened"
        return BrokerRefused(f"{text}: {reason.rstrip('.')}. Send the alert again.", HEDGE_UNKNOWN)


def _key_of(setting: Setting, symbol: str) -> Key:
    return (setting.words, "" if setting.is_of_account else symbol)


def _carry_out(setting: Setting, symbol: str) -> None:
    try:
        setting.carry_out(symbol)
    except BrokerRefused as no:
        if no.code == UNCHANGED:
            return
        text = f"{setting.words} could not be set, so nothing was opened: {no.message}"
        raise BrokerRefused(text, no.code, no.retry_after) from no
    except (Unreachable, Uncertain) as failed:
        text = f"{setting.words} could not be set, so the order did not leave: {failed}"
        raise Unreachable(text) from failed
