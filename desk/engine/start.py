"""Start a desk on its state, and stop it again: the lock, the log, the record, in this order.

What stands in the way of a start is one exception with a sentence. Nothing is traded here.
"""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from brokers.protocol import Broker
from desk.config.settings import Settings
from desk.config.summary import config_hash
from desk.engine.loop import Desk
from desk.engine.rates import Rates
from desk.notify.service import UnknownService
from desk.notify.start import make_channels
from desk.outbox.outbox import stop_all
from desk.process.clock import steady_clock, steady_seconds
from desk.process.files import CannotWrite, blaming
from desk.process.lock import StateLock, StateLocked
from desk.process.logfile import start_logging
from desk.state.abandoned import LiveAbandoned, check_abandoned, check_venues
from desk.state.memory import Simulate
from desk.state.store import Store, StoreDamaged, StoreUnavailable
from desk.venue.prices import AskPrice

log = logging.getLogger("server")


class CannotStart(Exception):
    """Something stands in the way of a start; the text says what, and what to do."""


@dataclass(frozen=True, slots=True)
class Running:
    """A desk that runs, and how it is stopped."""

    desk: Desk
    stop: Callable[[], None]


def may_abandon() -> bool:
    """Whether somebody has said that live positions may be left alone."""
    return os.environ.get("ABANDON_LIVE") in ("1", "true")


def start_desk(
    settings: Settings,
    brokers: Mapping[str, Broker],
    simulate: Simulate,
    symbol_key: Callable[[str], str],
    ask_price: AskPrice | None,
    version: str,
) -> Running:
    """Take the state, load it and let the desk run. Raises `CannotStart`."""
    lock = StateLock(settings.state_path)
    try:
        with blaming("state (DATABASE_URL wins)", settings.state_path):
            lock.acquire()
            store = Store(settings.state_path)
        with blaming("logging.file", settings.log_path):
            how = settings.logging
            log_writer = start_logging(settings.log_path, how.level, how.max_bytes, how.keep)
    except (StateLocked, StoreDamaged, CannotWrite) as error:
        raise CannotStart(str(error)) from None
    rates = Rates(settings.webhook.rate_limit, steady_seconds)
    desk = Desk(
        settings,
        store,
        rates,
        brokers,
        simulate,
        symbol_key,
        steady=steady_clock,
        ask_price=ask_price,
    )
    gc.disable()  # what is loaded stays: looking through it while it grows doubles the start
    try:
        if not may_abandon():
            check_abandoned(settings, store)
        check_venues(settings, store)
        desk.channels = make_channels(settings, store, desk.clock)
        desk.start()
    except (StoreDamaged, StoreUnavailable, LiveAbandoned, UnknownService) as error:
        log_writer.stop()
        store.close()
        lock.release()
        raise CannotStart(str(error)) from None
    # What was imported stays: looking through it again and again costs a tenth of the throughput.
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(20_000, 20, 20)
    mode = "live" if settings.live_accounts else "paper"
    log.info("started version=%s mode=%s config=%s", version, mode, config_hash(settings))

    for channel in desk.channels:
        channel.start()

    def stop() -> None:
        lock.leave()
        desk.stop()
        stop_all(desk.channels)
        log.info("stopped")
        log_writer.stop()
        lock.release()

    return Running(desk, stop)
