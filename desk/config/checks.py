"""Find what is wrong with settings and say it so that it can be mended.

Each problem is one line: where, what was expected, what was found, what to do. The audit reads no
file and changes no setting, and it never quotes a value that could be a secret.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Iterator, Mapping
from urllib.parse import urlsplit

from brokers.protocol import VenueFacts
from desk.config.problems import Location, Problems, dotted
from desk.config.secret_checks import find_weakness, list_secrets
from desk.config.settings import (
    Account,
    Options,
    Settings,
    Strategy,
    is_loopback,
)

LIVE_LIMITS = {"max_notional": 1000, "max_position": 2000, "max_daily_loss": 200}
"""What a live account must set, with a number to show how it is written."""


def check_accounts(options: Options, brokers: Collection[str], problems: Problems) -> None:
    """Check that each account has a name, a broker and one mode."""
    seen: dict[str, str] = {}
    for name, account in options.accounts.items():
        path = ("accounts", name)
        if not re.fullmatch(r"[A-Za-z0-9_.:-]([A-Za-z0-9_ .:-]{0,62}[A-Za-z0-9_.:-])?", name):
            said = "an account's name is 1 to 64 letters, digits, spaces and _ . : -"
            problems.add(path, said)
        if name.lower() in seen:
            said = f"differs from {seen[name.lower()]} in case only: alerts could mean either"
            problems.add(path, said)
        seen[name.lower()] = name
        known = f"use one of: {', '.join(sorted(brokers))}"
        if not account.broker:
            problems.add((*path, "broker"), f"is missing: {known}")
        elif account.broker not in brokers:
            problems.add((*path, "broker"), f'there is no broker "{account.broker[:40]}": {known}')
        for key in ("live", "sandbox"):
            if account.broker == "paper" and getattr(account, key):
                said = "the paper broker is the simulator itself: remove this line"
                problems.add((*path, key), said)
        if account.shorts and account.broker != "paper":
            said = "is for the paper broker: what can be sold short at a venue the venue says"
            problems.add((*path, "shorts"), said)
        if account.live and account.sandbox:
            problems.add((*path, "sandbox"), "an account is live or a sandbox, not both")


def check_markets(options: Options, brokers: Mapping[str, VenueFacts], problems: Problems) -> None:
    """Check that an account's market is one that its broker trades; one alone goes without saying."""
    for name, account in options.accounts.items():
        facts = brokers.get(account.broker)
        known = facts.markets if facts else ()
        is_clear = len(known) == 1 or (facts is not None and facts.mixes)
        if not known or account.market in known or (account.market is None and is_clear):
            continue
        path = ("accounts", name, "market")
        found = "is missing" if account.market is None else f"{account.broker} does not trade it"
        problems.add(path, f"{found}: use one of: {', '.join(known)}")


def check_account_keys(
    options: Options, brokers: Mapping[str, VenueFacts], problems: Problems
) -> None:
    """Check that an account says nothing that its broker does not know how to carry out.

    A leverage that nobody sets would be believed to hold. On a paper account it is the simulator's own.
    """
    for name, account in options.accounts.items():
        facts = brokers.get(account.broker)
        if facts is None:
            continue
        said = {
            "leverage": account.leverage is not None and account.broker != "paper",
            "margin": account.margin is not None,
            "account": account.account is not None,
            "host": account.host is not None,
        }
        obeyed = facts.takes.get(account.market or "", frozenset())
        where = account.broker + (f" with market: {account.market}" if account.market else "")
        for key in (key for key, is_said in said.items() if is_said and key not in obeyed):
            problems.add(("accounts", name, key), f"{where} does not know it: remove this line")
        if account.is_demo and "demo" not in obeyed:
            text = f"{where} has no demo trading of its own: write sandbox: true"
            problems.add(("accounts", name, "sandbox"), text)
        if account.host == "live" and account.sandbox:
            text = "is the venue of real money, and sandbox: true is not: remove one of both"
            problems.add(("accounts", name, "host"), text)
        _check_exchange(("accounts", name, "exchange"), account, facts, problems)


def _check_exchange(
    path: Location, account: Account, facts: VenueFacts, problems: Problems
) -> None:
    if not facts.exchanges:
        if account.exchange is not None:
            problems.add(
                path, f"{account.broker} is one venue and knows no other: remove this line"
            )
    elif account.exchange not in facts.exchanges:
        found = "is missing" if account.exchange is None else f"there is no {account.exchange[:40]}"
        problems.add(path, f"{found}: use one of: {', '.join(facts.exchanges)}")
    elif account.market not in (has := facts.exchanges[account.exchange or ""]):
        text = (
            f"{account.market} is not proven for {account.exchange}: use one of: {', '.join(has)}"
        )
        problems.add((*path[:-1], "market"), text)


def check_sandboxes(
    options: Options, brokers: Mapping[str, VenueFacts], problems: Problems
) -> None:
    """Check that no account that is called a sandbox sends its orders where they are real."""
    for name, account in options.accounts.items():
        host = urlsplit(account.base_url or "").hostname or ""
        facts = brokers.get(account.broker)
        if facts and account.sandbox and host.lower() in facts.live_hosts:
            said = f"{host} trades real money, and the account is a sandbox: remove this line"
            problems.add(("accounts", name, "base_url"), said)


def check_live(settings: Settings, problems: Problems) -> None:
    """Check that each live account can log in, and that somebody said how much it may lose."""
    prefixes: dict[str, str] = {}
    for name, account in settings.accounts.items():
        prefix = name_variable(name, "")
        if account.credentials and prefixes.setdefault(prefix, name) != name:
            said = f"and {prefixes[prefix]} would share the variables {prefix}…: rename one of them"
            problems.add(("accounts", name), said)
    for name in settings.live_accounts:
        account, path = settings.accounts[name], ("accounts", name)
        if account.missing:
            own = ", ".join(name_variable(name, each) for each in account.missing)
            said = f"is live and needs {', '.join(account.missing)} (or {own}): put them into .env"
            problems.add((*path, "live"), said)
        if account.base_url and not _is_private(account.base_url):
            said = "is live and would send its keys unencrypted: use https"
            problems.add((*path, "base_url"), said)
        lacking = [each for each in LIVE_LIMITS if not _is_limited(settings, name, each)]
        if lacking:
            lines = ", ".join(f"{each}: {LIVE_LIMITS[each]}" for each in lacking)
            said = (
                f"a live account must set {', '.join(lacking)}: write, with numbers of your own in "
                f"{account.currency}, risk: {{{lines}}}"
            )
            problems.add((*path, "risk"), said)


def _is_limited(settings: Settings, account: str, limit: str) -> bool:
    """Tell whether a limit holds for whatever opens on an account."""
    blocks = (settings.risk, settings.accounts[account].risk)
    if any(getattr(block, limit) is not None for block in blocks):
        return True
    routed = [each for each in settings.strategies.values() if account in each.accounts]
    return bool(routed) and all(getattr(each.risk, limit) is not None for each in routed)


def _is_private(url: str) -> bool:
    """Tell whether nobody on the way can read what is sent to a base_url."""
    parts = urlsplit(url)
    return parts.scheme == "https" or is_loopback(parts.hostname or "")


def name_variable(account: str, name: str) -> str:
    """Return an account's own variable for a credential: APEX_TRADOVATE_USERNAME."""
    return f"{re.sub('[^A-Za-z0-9]', '_', account).upper()}_{name}"


def check_strategies(options: Options, accounts: Collection[str], problems: Problems) -> None:
    """Check that each strategy trades on accounts that exist and can do what it wants."""
    exist = f"existing accounts: {', '.join(accounts)}"
    if options.default_account not in accounts:
        said = f'there is no account "{options.default_account[:64]}"; {exist}'
        problems.add(("default_account",), said)
    for name, strategy in options.strategies.items():
        path = ("strategies", name)
        if not (name.isprintable() and name == name.strip() and 1 <= len(name) <= 64):
            problems.add(path, "a strategy's name is 1 to 64 visible characters")
        if strategy.account and strategy.account not in accounts:
            said = f'there is no account "{strategy.account[:64]}"; {exist}'
            problems.add((*path, "account"), said)
        if strategy.account and strategy.accounts:
            said = "says where to trade, and so does account (or exchange): keep one of the two"
            problems.add((*path, "accounts"), said)
        for account in strategy.accounts:
            if account not in accounts:
                problems.add((*path, "accounts", account), f"there is no such account; {exist}")
        for account in strategy.accounts or (strategy.account or options.default_account,):
            _check_direction(path, strategy, account, options, problems)
        _check_sizing(path, strategy, problems)


def _check_sizing(path: Location, strategy: Strategy, problems: Problems) -> None:
    """Check that a strategy's own size and levels say one thing each."""
    sizing = strategy.sizing
    if sizing is not None and strategy.sync is not None:
        said = "is not used with sync: position, which trades to what alerts state: take one out"
        problems.add((*path, "sizing"), said)
    if sizing is not None and strategy.default_quantity is not None:
        said = "says how much, and so does default_quantity: keep one of the two"
        problems.add((*path, "sizing"), said)
    levels = (("stop_loss", strategy.stop_loss), ("take_profit", strategy.take_profit))
    for name, level in levels:
        if level is not None and (level.percent is None) == (level.amount is None):
            problems.add((*path, name), "write one of percent and amount, e.g. {percent: 2}")


def _check_direction(
    path: Location, strategy: Strategy, name: str, options: Options, problems: Problems
) -> None:
    account = options.accounts.get(name)
    if account is None or strategy.direction not in ("short", "both"):
        return
    if account.market == "spot" or (account.market == "equity" and not account.shorts):
        said = f"account {name} (market: {account.market}) cannot go short: write direction: long"
        if account.market == "equity" and account.broker == "paper":
            said += ", or shorts: true on the account"
        problems.add((*path, "direction"), said)


def list_venue_notes(options: Options, brokers: Mapping[str, VenueFacts]) -> tuple[str, ...]:
    """Return what the venues forbid of those accounts that send orders there."""
    return tuple(
        f"accounts.{name}: {facts.note}"
        for name, account in options.accounts.items()
        if (facts := brokers.get(account.broker))
        and facts.note
        and (account.live or account.sandbox)
    )


def warnings(settings: Settings) -> list[str]:
    """Return what is allowed and unwise, a sentence each, in words that name the remedy."""
    found = [*settings.unread, *settings.venue_notes, *_warn_of_secrets(settings)]
    for name, account in settings.accounts.items():
        found += [f"accounts.{name}{text}" for text in _warn_of_account(settings, account)]
    if settings.trading == "live" and not settings.live_accounts:
        found.append("trading is live and no account is: set live: true on the account that may")
    if any(entry.endswith("/0") for entry in settings.webhook.trusted_proxies):
        found.append("webhook.trusted_proxies trusts everybody: any caller can forge its address")
    return found


def _warn_of_secrets(settings: Settings) -> Iterator[str]:
    for file in settings.secret_files:
        if os.name == "posix" and file.stat().st_mode & stat.S_IROTH:
            yield f"{file.name} holds secrets and every user can read it: chmod 600 {file}"
    for path, secret, _ in list_secrets(settings):
        if secret and (fault := find_weakness(secret)):
            allowed = "allowed only while nothing is live and only this machine can connect"
            yield f"{dotted(path)} {fault}: {allowed}"
    if settings.webhook.old_secret:
        yield "webhook.old_secret is still taken: take it out once no alert warns that it has it"


def _warn_of_account(settings: Settings, account: Account) -> Iterator[str]:
    if account.live and settings.trading != "live":
        yield " has live: true and trades on paper, because trading is paper: set trading: live"
    if account.sandbox and account.missing:
        yield f" cannot log in: its alerts are refused. Set {', '.join(account.missing)} in .env"
    if account.base_url and not _is_private(account.base_url):
        yield ".base_url sends its keys unencrypted: use https"
