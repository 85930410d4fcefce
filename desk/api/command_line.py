"""Say which options the program has, and carry out those that end before anything is served.

Settings are read and servers started elsewhere.
"""

from __future__ import annotations

import argparse
import functools
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from brokers.protocol import Broker
from desk.api import accounts
from desk.api.comparison import compare_with, describe_comparison, write_comparison
from desk.api.performance import write_report
from desk.compare.comparison import ZoneNeeded
from desk.compare.own import MaskText
from desk.compare.tables import FileUnreadable
from desk.config.settings import Settings
from desk.notify.service import UnknownService
from desk.notify.start import try_channels
from desk.process.version import VERSION
from desk.state.store import Glimpse, StoreDamaged, StoreUnavailable
from parsers.alert import Message

REPORTED_DAYS = 9
"""How far back a week can begin, wherever the account's day does."""


class CannotCompare(Exception):
    """The record does not tell what was asked; the text says why and what to do."""


def read_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of the program. Ends it with code 2 where they do not fit together."""
    parser = argparse.ArgumentParser(description="Turn TradingView alerts into orders.")
    parser.add_argument("--version", action="version", version=f"tradingview-receiver {VERSION}")
    parser.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (default 8080)")
    parser.add_argument("--config", help="settings file (default config.yaml beside the program)")
    parser.add_argument(
        "--check", action="store_true", help="print the effective settings and exit"
    )
    parser.add_argument(
        "--connect", action="store_true", help="with --check: log in at every venue, too"
    )
    parser.add_argument(
        "--abandon-live",
        action="store_true",
        help="start although live positions are open and their accounts are not live any more",
    )
    parser.add_argument(
        "--backup", metavar="FILE", help="copy the state into a new file, also while it is in use"
    )
    parser.add_argument(
        "--compare",
        metavar="FILE",
        nargs="+",
        help="compare TradingView's exported alert log and list of trades with what was recorded",
    )
    parser.add_argument(
        "--zone", help="with --compare: the zone of the chart, e.g. America/Chicago"
    )
    parser.add_argument(
        "--report",
        action="store_true",
        help="print what each strategy brought today, this week and in all, and exit",
    )
    parser.add_argument(
        "--notify-test",
        action="store_true",
        help="send a message to every channel of notify, also beside a running server, and exit",
    )
    parser.add_argument("--json", action="store_true", help="with --compare: print one JSON object")
    options = parser.parse_args(arguments)
    if options.connect and not options.check:
        parser.error("--connect goes with --check")
    if (options.zone or options.json) and not options.compare:
        parser.error("--zone and --json go with --compare")
    return options


def run_query(
    settings: Settings,
    options: argparse.Namespace,
    parse: Callable[..., Message],
    mask: MaskText,
) -> Iterator[str]:
    """Return what was asked of the record, in lines. Raises `CannotCompare`."""
    if options.compare:
        return run_comparison(settings, options, parse, mask)
    return run_report(settings, time.time_ns() // 1_000_000)


def run_report(settings: Settings, now: int) -> Iterator[str]:
    """Return what each strategy brought, also beside a running server. Raises `CannotCompare`."""
    if not settings.state_path.is_file():
        raise CannotCompare(f"There is no state at {settings.state_path}: nothing was traded.")
    week = datetime.fromtimestamp(now / 1000, UTC) - timedelta(days=REPORTED_DAYS)
    try:
        with closing(Glimpse(settings.state_path)) as store, store.reader() as reader:
            days = list(reader.load_days(week.date().isoformat()))
    except (StoreDamaged, StoreUnavailable) as error:
        if "no such table" in str(error):
            text = (
                f"{settings.state_path} was written by an earlier version: start the receiver once."
            )
            raise CannotCompare(text) from None
        raise CannotCompare(str(error)) from None
    return (f"{line}\n" for line in write_report(days, settings, now))


def run_comparison(
    settings: Settings,
    options: argparse.Namespace,
    parse: Callable[..., Message],
    mask: MaskText,
) -> Iterator[str]:
    """Return how TradingView's exports and the record differ, in words or as JSON. Raises `CannotCompare`."""
    files = ((name, _read_file(name)) for name in options.compare)  # one at a time in memory
    if not settings.state_path.is_file():
        raise CannotCompare(f"There is no state at {settings.state_path}: nothing was recorded.")
    read = functools.partial(parse, known=settings.known_secrets)
    dedupe_ms = settings.webhook.dedupe_seconds * 1000
    try:
        with closing(Glimpse(settings.state_path)) as store, store.reader() as reader:
            found = compare_with(reader, files, options.zone, read, mask, dedupe_ms)
    except (FileUnreadable, ZoneNeeded, StoreDamaged, StoreUnavailable) as error:
        raise CannotCompare(str(error)) from None
    if options.json:
        return write_comparison(found)
    return (f"{line}\n" for line in describe_comparison(found))


def _read_file(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise CannotCompare(f"{Path(name).name} cannot be read: {error.strerror}.") from None


def run_notify_test(settings: Settings) -> None:
    """Send a message to every channel; exit with code 1 where one did not take it."""
    try:
        failed = try_channels(settings)
    except UnknownService as error:
        failed = [str(error)]
    if not settings.notify:
        failed = ["Nobody is told: there is no notify: in config.yaml and no NOTIFY_URLS in .env."]
    if failed:
        print("\n".join(failed), file=sys.stderr)
        raise SystemExit(1)
    print(f"Every channel took it: {len(settings.notify)}.")


def check_connections(settings: Settings, brokers: Mapping[str, Broker]) -> None:
    """Print what each venue says of its account; exit with code 1 where a live account has a problem."""
    symbols = accounts.list_symbols(settings, [])
    rows = accounts.connect(accounts.show_accounts(settings), brokers, symbols)
    print("\n".join(line for row in rows for line in accounts.describe_account(row)))
    if any(row["mode"] == "live" and row["problems"] for row in rows):
        raise SystemExit(1)
