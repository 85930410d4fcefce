"""Say where an alert goes: which accounts, how much of it, and where it may only reduce.

An alert opens on its route alone (`account_group`, else the strategy's accounts, else `default_account`).
One that names no account also reduces wherever the strategy holds the instrument. The `exchange` in an
alert is a data feed and never routes. Pure: it reads settings and names, and sends nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from desk.config.settings import Account, Settings, Strategy
from desk.decision.denial import Denial

ONE = Decimal(1)
NO_SETTINGS = Strategy()


@dataclass(frozen=True)
class Route:
    """One account of a route, and the position of the alert's quantity that goes there."""

    account: str
    multiplier: Decimal = ONE
    opens_here: bool = True
    denied: Denial | None = None
    """Why nothing is opened there."""


def strategy_settings(settings: Settings, name: str) -> Strategy:
    """Return what is configured for a strategy; the defaults for one that config.yaml does not name."""
    return settings.strategies.get(name, NO_SETTINGS)


def is_paper(settings: Settings, account: Account) -> bool:
    """Tell whether orders of an account are simulated: neither live nor a sandbox is paper."""
    is_live = account.live and settings.trading == "live"
    return account.broker == "paper" or not (is_live or account.sandbox)


def trades_on_paper(settings: Settings, strategy: str, account: str) -> bool:
    """Tell whether a strategy's orders on an account are simulated.

    One that config.yaml does not name was created by its first alert: no such strategy trades live.
    """
    if account in settings.live_accounts and strategy not in settings.strategies:
        return True
    return is_paper(settings, settings.accounts[account])


def find_routes(
    settings: Settings, strategy: str, named: str | None, holding: Iterable[str]
) -> tuple[Route, ...] | Denial:
    """Return the accounts an alert goes to. `holding`: where the strategy holds or works the instrument."""
    listed = strategy_settings(settings, strategy).accounts
    if named is not None:
        return _named(settings, strategy, named, listed, holding)
    routed = listed or {settings.default_account: ONE}
    routes = [Route(name, multiplier) for name, multiplier in routed.items()]
    routes += [Route(name, ONE, opens_here=False) for name in holding if name not in routed]
    return tuple(routes)


def _named(
    settings: Settings,
    strategy: str,
    named: str,
    listed: Mapping[str, Decimal],
    holding: Iterable[str],
) -> tuple[Route, ...] | Denial:
    folded = named.casefold()
    account = next((name for name in settings.accounts if name.casefold() == folded), None)
    if account is None:
        known = ", ".join(settings.accounts)
        return Denial(
            "NO_ACCOUNT",
            f'No broker connector configured for account_group "{named}". '
            f"Configured: {known}. Use one of them or add it under accounts in config.yaml.",
        )
    denied = None
    if account in settings.live_accounts and account not in listed:
        denied = Denial(
            "ACCOUNT_NOT_ALLOWED",
            f"{account} is live: list it under strategies.{strategy}.accounts in config.yaml first.",
        )
        if account not in holding:
            return denied
    return (Route(account, listed.get(account, ONE), denied=denied),)


def map_symbol(account: Account, symbol: str) -> str:
    """Return the name an account's `symbols` gives a TradingView symbol, or the symbol itself."""
    if not account.symbols:
        return symbol
    write_number = symbol.rpartition(":")[2]
    return account.symbols.get(symbol) or account.symbols.get(write_number) or symbol
