"""Turn config.yaml, .env and the command line into settings that cannot be half right.

`load` returns frozen settings or raises one `SettingsError` that lists every problem with its path
and its remedy. Settings know no broker beyond its name, open no connection and never change after
the start; no secret is ever part of a problem, a description or a warning.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from brokers.protocol import VenueFacts
from desk.config import yaml_text
from desk.config.checks import (
    check_account_keys,
    check_accounts,
    check_live,
    check_markets,
    check_sandboxes,
    check_strategies,
    list_venue_notes,
    name_variable,
    warnings,
)
from desk.config.environment import (
    find_unread,
    keys_of,
    lay_over,
    read_admin_token,
    read_environment,
)
from desk.config.presets import apply_presets
from desk.config.problems import BLOCKS, Location, Problems, describe_mistake
from desk.config.secret_checks import SHOWN_FROM, check_secrets
from desk.config.settings import (
    Account,
    Logging,
    Options,
    Risk,
    Secret,
    Settings,
    Strategy,
    Webhook,
    is_loopback,
)
from desk.config.summary import config_hash, describe

__all__ = [
    "Account",
    "Logging",
    "Risk",
    "Secret",
    "Settings",
    "SettingsError",
    "Strategy",
    "Webhook",
    "config_hash",
    "describe",
    "is_loopback",
    "load",
    "warnings",
]


LEVELS = ("sizing", "stop_loss", "take_profit")
"""The blocks that a strategy alone has."""


class SettingsError(Exception):
    """Refuse to start. `problems` holds one line each: where, what is wrong, what to do."""

    def __init__(self, problems: Collection[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def load(
    path: Path | None,
    environ: Mapping[str, str],
    brokers: Mapping[str, VenueFacts],
    *,
    overrides: Mapping[str, object] = MappingProxyType({}),
) -> Settings:
    """Read, check and freeze the settings.

    `path` (or the variable CONFIG) names the file, else config.yaml where it exists; .env lies
    beside it. `overrides` are the command line's `host` and `port`; None means not given. They win
    over the environment, that over .env, that over the file. An empty variable is not set. `brokers`
    says of each what it needs, what can be traded there, what it settles in, and where its orders
    are real.

    Raises `SettingsError` with all problems at once.
    """
    named = path or (Path(environ["CONFIG"]) if environ.get("CONFIG") else None)
    file = (named or Path("config.yaml")).absolute()
    problems = Problems(str(file) if file.is_dir() else file.name)
    raw = _read_file(file, problems, must_exist=named is not None)
    blocks = (raw["webhook"], *raw["strategies"].values())
    holds_secret = any(block.get("secret") for block in blocks) or bool(raw.get("notify"))
    dotenv = file.parent / ".env"
    variables = read_environment(dotenv, environ, problems)
    lay_over(raw, variables, overrides, problems)
    declared = tuple(raw["accounts"])
    apply_presets(raw["accounts"])
    _fill_in(raw["accounts"], brokers)
    options = _validate(raw, problems)
    check_accounts(options, brokers, problems)
    check_markets(options, brokers, problems)
    check_account_keys(options, brokers, problems)
    check_sandboxes(options, brokers, problems)
    check_strategies(options, declared, problems)
    options = _complete(options, _find_credentials(options, brokers, variables, problems))
    settings = Settings.model_construct(
        **{name: getattr(options, name) for name in Options.model_fields},
        file=file,
        admin_token=read_admin_token(variables, problems),
        secret_files=((file,) if holds_secret else ()) + ((dotenv,) if dotenv.is_file() else ()),
        unread=find_unread(variables, options, brokers),
        venue_notes=list_venue_notes(options, brokers),
    )
    check_secrets(settings, problems)
    check_live(settings, problems)
    if problems.lines:
        raise SettingsError([_hide(line, settings.known_secrets) for line in problems.lines])
    return settings


def _hide(line: str, secrets: Collection[str]) -> str:
    """Return a problem without a secret: a name that holds one is quoted by other problems."""
    for each in secrets:
        line = line.replace(each, "***") if len(each) >= SHOWN_FROM else line
    return line


def _read_file(file: Path, problems: Problems, *, must_exist: bool) -> dict[str, Any]:
    """Return what the file says; where it cannot be read at all, nothing else can be judged."""
    value: Any = None
    try:
        value, found = yaml_text.read(file.read_bytes().decode("utf-8-sig"))
        for problem in found:
            problems.add(problem.path, problem.text)
    except FileNotFoundError:
        if must_exist:
            problems.add((), f"does not exist in {file.parent}: check --config or CONFIG")
    except UnicodeDecodeError:
        problems.add((), "is not UTF-8 text: save it as UTF-8")
    except OSError as error:
        problems.add((), f"cannot be read ({error.strerror}): check its path and permissions")
    if value is not None and not isinstance(value, dict):
        problems.add((), "expected settings, one `name: value` a line")
    if problems.lines and not isinstance(value, dict):
        raise SettingsError(problems.lines)
    return _arrange(value or {}, problems)


def _arrange(raw: dict[str, Any], problems: Problems) -> dict[str, Any]:
    """Give every block its shape: nothing at all means the defaults."""
    for block in BLOCKS:
        raw[block] = _block(raw.get(block), (block,), problems)
    if not raw["accounts"]:
        raw["accounts"] = {"paper_simulator": {"broker": "paper"}}
    for kind in ("accounts", "strategies"):
        for name, entry in raw[kind].items():
            inner = raw[kind][name] = _block(entry, (kind, name), problems)
            for block in ("risk", "performance", *(LEVELS if kind == "strategies" else ())):
                if inner.get(block) is not None or (block == "risk" and block in inner):
                    inner[block] = _block(inner[block], (kind, name, block), problems)
    if raw.get("performance") is not None:
        raw["performance"] = _block(raw["performance"], ("performance",), problems)
    for name, strategy in raw["strategies"].items():
        _join_synonyms(strategy, ("strategies", name), problems)
    return raw


def _fill_in(accounts: Mapping[str, dict[str, Any]], brokers: Mapping[str, VenueFacts]) -> None:
    """Give each account what its venue leaves no choice about, so that its paper twin has it too.

    Rules 13.2: the one market a venue has; rules 15.5: the currency it settles in.
    """
    for account in accounts.values():
        broker = account.get("broker")
        facts = brokers.get(broker) if isinstance(broker, str) else None
        if facts is None:
            continue
        usual = facts.markets[0] if len(facts.markets) == 1 else facts.default_market
        if account.get("market") is None and usual:
            account["market"] = usual
        if "currency" not in account and facts.currency:
            account["currency"] = facts.currency


def _block(value: Any, path: Location, problems: Problems) -> dict[str, Any]:
    """Return a block; one whose lines are all commented out is empty."""
    if value is not None and not isinstance(value, dict):
        problems.add(path, "expected a block of settings, indented below it")
    return value if isinstance(value, dict) else {}


def _join_synonyms(strategy: dict[str, Any], path: Location, problems: Problems) -> None:
    """Read `exchange` as `account`: one documented spelling each, never two answers."""
    if "exchange" not in strategy:
        return
    exchange = strategy.pop("exchange")
    if "account" not in strategy:
        problems.say_instead((*path, "account"), (*path, "exchange"))
    if strategy.setdefault("account", exchange) != exchange:
        problems.add((*path, "exchange"), "means the same as account and says otherwise: keep one")


def _validate(raw: dict[str, Any], problems: Problems) -> Options:
    """Check every value by itself; one that is wrong gives way to its default meanwhile."""
    while True:
        try:
            return Options.model_validate(raw)
        except ValidationError as error:
            paths = []
            for detail in error.errors(include_url=False):
                paths.append(tuple(str(part) for part in detail["loc"]))
                problems.add(paths[-1], describe_mistake(detail, paths[-1]))
        if not any([_drop(raw, path) for path in paths]):  # noqa: C419  # each is dropped
            raise SettingsError(problems.lines)


def _drop(block: dict[str, Any], path: Location) -> bool:
    """Take the value at `path` out; tell whether there was one."""
    for part in path[:-1]:
        inner = block.get(part)
        if not isinstance(inner, dict):
            break
        block = inner
    return block.pop(path[-1], block) is not block


def _find_missing(
    account: Account, brokers: Mapping[str, VenueFacts], values: Mapping[str, str]
) -> tuple[str, ...]:
    """Return what an account cannot log in without; one credential may stand for all others."""
    facts = brokers.get(account.broker)
    if facts is None or any(name in values for name in facts.instead):
        return ()
    return tuple(name for name in facts.needs if name not in values)


def _find_credentials(
    options: Options,
    brokers: Mapping[str, VenueFacts],
    variables: Mapping[str, tuple[str, str]],
    problems: Problems,
) -> dict[str, Account]:
    """Return the accounts with what the environment holds for their brokers.

    An account's own variable (`APEX_TRADOVATE_USERNAME`) wins over the one for all accounts of a broker.
    """
    found: dict[str, Account] = {}
    for account, each in options.accounts.items():
        values: dict[str, str] = {}
        for name in keys_of(each, brokers):
            own = name_variable(account, name)
            value, origin = variables.get(own) or variables.get(name) or ("", "")
            if value != value.strip() or not value.isprintable():
                path = (own if own in variables else name,)
                problems.origins[path] = f"{origin}: {path[0]}"
                problems.add(path, "expected a text without spaces around it")
            elif value:
                values[name] = value
        missing = _find_missing(each, brokers, values)
        found[account] = each.with_credentials(values, missing)
    return found


def _complete(options: Options, accounts: Mapping[str, Account]) -> Options:
    """Give each account its credentials, each strategy its whole route and the quantity it falls back to."""
    strategies = {}
    for name, strategy in options.strategies.items():
        route = strategy.accounts or {strategy.account or options.default_account: Decimal(1)}
        update = {
            "account": None,
            "accounts": MappingProxyType(dict(route)),
            "default_quantity": strategy.default_quantity or options.default_quantity,
        }
        strategies[name] = strategy.model_copy(update=update)
    whole = {
        "accounts": MappingProxyType(dict(accounts)),
        "strategies": MappingProxyType(strategies),
    }
    return options.model_copy(update=whole)
