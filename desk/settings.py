"""Turn config.yaml, .env and the command line into settings that cannot be half right.

`load` returns frozen settings or raises one `SettingsError` that lists every problem with its path
and its remedy. Settings know no broker beyond its name, open no connection and never change after
the start; no secret is ever part of a problem, a description or a warning.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
import secrets
import stat
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

from dotenv import dotenv_values
from pydantic import BaseModel, ValidationError

from desk import yaml_text
from desk.options import (
    Account,
    Logging,
    Options,
    Secret,
    Settings,
    Strategy,
    Webhook,
    is_loopback,
)

__all__ = [
    "Account",
    "Logging",
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

MIN_SECRET_LENGTH = 16
_EXAMPLE = re.compile(r"(your|change|example|replace|insert|enter|secret|password|abc123|test)")
_VARIABLES: Mapping[str, tuple[str, ...]] = {
    "HOST": ("webhook", "host"),
    "PORT": ("webhook", "port"),
    "TRADINGVIEW_WEBHOOK_SECRET": ("webhook", "secret"),
    "LOG_LEVEL": ("logging", "level"),
    "DATABASE_URL": ("state",),
}
_BLOCKS: Mapping[str, type[BaseModel]] = {
    "webhook": Webhook,
    "logging": Logging,
    "accounts": Account,
    "strategies": Strategy,
}
_ADMIN = ("ADMIN_TOKEN",)
_Path = tuple[str, ...]


class SettingsError(Exception):
    """Refuse to start. `problems` holds one line each: where, what is wrong, what to do."""

    def __init__(self, problems: Collection[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class _Problems:
    """Collect what is wrong, once per place, under the name the user knows the place by."""

    def __init__(self, file: str) -> None:
        self.lines: list[str] = []
        self.origins: dict[_Path, str] = {}
        """Settings that did not come from the file, e.g. `.env: PORT`."""
        self._file = file
        self._paths: set[_Path] = set()

    def add(self, path: _Path, text: str) -> None:
        if any(path[:length] in self._paths for length in range(1, len(path) + 1)):
            return  # the first problem of a value is the one to solve
        self._paths.add(path)
        where = self.origins.get(path) or ": ".join(filter(None, (self._file, _dotted(path))))
        self.lines.append(f"{where}: {text}")


def load(
    path: Path | None,
    environ: Mapping[str, str],
    brokers: Collection[str],
    *,
    overrides: Mapping[str, object] = MappingProxyType({}),
) -> Settings:
    """Read, check and freeze the settings.

    `path` (or the variable CONFIG) names the file, else config.yaml where it exists; .env lies
    beside it. `overrides` are the command line's `host` and `port`; None means not given. They win
    over the environment, that over .env, that over the file. An empty variable is not set.

    Raises `SettingsError` with all problems at once.
    """
    named = path or (Path(environ["CONFIG"]) if environ.get("CONFIG") else None)
    file = (named or Path("config.yaml")).absolute()
    problems = _Problems(file.name)
    raw = _read_file(file, problems, must_exist=named is not None)
    blocks = (raw["webhook"], *raw["strategies"].values())
    holds_secret = any(block.get("secret") for block in blocks)
    dotenv = file.parent / ".env"
    variables = _read_environment(dotenv, environ, problems)
    _apply(raw, variables, overrides, problems)
    declared = tuple(raw["accounts"])
    options = _validate(raw, problems)
    _check_accounts(options, brokers, problems)
    _check_strategies(options, declared, problems)
    options = _complete(options)
    settings = Settings.model_construct(
        **{name: getattr(options, name) for name in Options.model_fields},
        file=file,
        admin_token=_read_admin_token(variables, problems),
        secret_files=((file,) if holds_secret else ()) + ((dotenv,) if dotenv.is_file() else ()),
    )
    _check_secrets(settings, problems)
    if problems.lines:
        raise SettingsError(problems.lines)
    return settings


# --- reading -------------------------------------------------------------------------------------


def _read_file(file: Path, problems: _Problems, *, must_exist: bool) -> dict[str, Any]:
    """Return what the file says, block by block; a file that was not named may be missing."""
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
    raw = dict(value) if isinstance(value, dict) else {}
    for block in _BLOCKS:
        raw[block] = _block(raw.get(block), (block,), problems)
    if not raw["accounts"]:
        raw["accounts"] = {"paper_simulator": {"broker": "paper"}}
    for kind in ("accounts", "strategies"):
        for name, entry in raw[kind].items():
            raw[kind][name] = _block(entry, (kind, name), problems)
    for name, strategy in raw["strategies"].items():
        _join_synonyms(strategy, ("strategies", name), problems)
    return raw


def _block(value: Any, path: _Path, problems: _Problems) -> dict[str, Any]:
    """Return a block; one whose lines are all commented out is empty."""
    if value is not None and not isinstance(value, dict):
        problems.add(path, "expected a block of settings, indented below it")
    return value if isinstance(value, dict) else {}


def _join_synonyms(strategy: dict[str, Any], path: _Path, problems: _Problems) -> None:
    """Read `exchange` as `account`: one documented spelling each, never two answers."""
    if "exchange" not in strategy:
        return
    exchange = strategy.pop("exchange")
    if strategy.setdefault("account", exchange) != exchange:
        problems.add((*path, "exchange"), "means the same as account and says otherwise: keep one")


def _read_environment(
    dotenv: Path, environ: Mapping[str, str], problems: _Problems
) -> Mapping[str, tuple[str, str]]:
    """Return each variable that is set with the place it comes from; the real environment wins."""
    found: dict[str, tuple[str, str]] = {}
    try:
        if dotenv.is_file():
            # interpolate: a secret with a dollar sign means itself
            values = dotenv_values(dotenv, interpolate=False, encoding="utf-8-sig")
            found = {name: (value, ".env") for name, value in values.items() if value}
    except (OSError, UnicodeDecodeError):
        problems.add((".env",), "cannot be read: save it as UTF-8 and check its permissions")
    return found | {name: (value, "environment") for name, value in environ.items() if value}


def _apply(
    raw: dict[str, Any],
    variables: Mapping[str, tuple[str, str]],
    overrides: Mapping[str, object],
    problems: _Problems,
) -> None:
    """Lay the environment over the file and the command line over both."""
    if variables.get("DEBUG", ("", ""))[0].lower() in ("1", "true", "yes", "on"):
        variables = {"LOG_LEVEL": ("DEBUG", variables["DEBUG"][1]), **variables}
    laid: list[tuple[_Path, object, str]] = [
        (path, variables[name][0], f"{variables[name][1]}: {name}")
        for name, path in _VARIABLES.items()
        if name in variables
    ]
    laid += [
        (("webhook", name), value, f"command line: --{name}")
        for name, value in overrides.items()
        if value is not None
    ]
    for path, value, origin in laid:
        block = raw[path[0]] if len(path) == 2 else raw
        if path[-1] == "port" and isinstance(value, str) and re.fullmatch("[0-9]{1,5}", value):
            value = int(value)
        block[path[-1]] = value
        problems.origins[path] = origin


def _read_admin_token(
    variables: Mapping[str, tuple[str, str]], problems: _Problems
) -> Secret | None:
    """Return the token for the controls; None means that nobody may use them."""
    value, origin = variables.get("ADMIN_TOKEN", ("", ""))
    problems.origins[_ADMIN] = f"{origin}: ADMIN_TOKEN"
    if value != value.strip() or not value.isprintable():
        problems.add(_ADMIN, "expected a text without spaces around it")
    return Secret(value) if value else None


def _validate(raw: dict[str, Any], problems: _Problems) -> Options:
    """Check every value by itself; what is wrong gives way to its default, so that the rest counts."""
    while True:
        try:
            return Options.model_validate(raw)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                path = tuple(str(part) for part in detail["loc"] if part != "[key]")
                problems.add(path, _explain(detail["type"], detail, path))
                _drop(raw, path)


def _drop(raw: dict[str, Any], path: _Path) -> None:
    block: Any = raw
    for part in path:
        if not isinstance(block.get(part), dict) or part == path[-1]:
            block.pop(part, None)
            return
        block = block[part]


def _complete(options: Options) -> Options:
    """Give each strategy its whole route and the quantity it falls back to."""
    strategies = {}
    for name, strategy in options.strategies.items():
        route = strategy.accounts or {strategy.account or options.default_account: Decimal(1)}
        quantity = strategy.default_quantity or options.default_quantity
        strategies[name] = strategy.model_copy(
            update={"accounts": MappingProxyType(dict(route)), "default_quantity": quantity}
        )
    return options.model_copy(update={"strategies": MappingProxyType(strategies)})


# --- saying what is wrong ------------------------------------------------------------------------


def _explain(kind: str, detail: Mapping[str, Any], path: _Path) -> str:
    if kind == "extra_forbidden":
        return _unknown(path)
    plain = {
        "bool_type": "true or false",
        "string_type": "a text",
        "literal_error": str(detail.get("ctx", {}).get("expected")).replace("'", ""),
    }
    expected = f"expected {plain[kind]}" if kind in plain else str(detail["msg"])
    return expected + _found(path, detail["input"])


def _found(path: _Path, value: object) -> str:
    """Quote what was found, unless it may hold a secret."""
    if path[-1] in ("secret", "state", "base_url"):
        return ""
    if isinstance(value, str):
        shown = repr(value[:40])[1:-1].replace('"', "'")
        return f', found "{shown}"'
    named: Mapping[type, str] = {dict: "a block", list: "a list", type(None): "nothing"}
    return f", found {named.get(type(value), str(value).lower()[:40])}"


def _unknown(path: _Path) -> str:
    """Name the setting that an unknown one was probably meant to be."""
    model = _BLOCKS[path[0]] if len(path) > 1 else Options
    known = [*model.model_fields, *(("exchange",) if model is Strategy else ())]
    near = difflib.get_close_matches(path[-1].lower(), known, 1, 0.6)
    if near:
        return f"is not a setting; did you mean {near[0]}?"
    for block, other in _BLOCKS.items():
        if path[-1] in other.model_fields:
            place = f"{block}.{path[-1]}" if block in ("webhook", "logging") else f"each of {block}"
            return f"is not a setting here; it belongs to {place}"
    return f"is not a setting; known here: {', '.join(known)}"


def _dotted(path: _Path) -> str:
    return ".".join(part[:64] if part.isprintable() else ascii(part[:64]) for part in path)


# --- checking settings against each other --------------------------------------------------------


def _check_accounts(options: Options, brokers: Collection[str], problems: _Problems) -> None:
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
        if account.live and account.sandbox:
            problems.add((*path, "sandbox"), "an account is live or a sandbox, not both")


def _check_strategies(options: Options, accounts: Collection[str], problems: _Problems) -> None:
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


def _check_direction(
    path: _Path, strategy: Strategy, name: str, options: Options, problems: _Problems
) -> None:
    account = options.accounts.get(name)
    if account and account.market in ("spot", "equity") and strategy.direction in ("short", "both"):
        said = (
            f"{strategy.direction} is not possible on account {name} (market: {account.market}): "
        )
        problems.add((*path, "direction"), said + "write long, or trade on another account")


def _check_secrets(settings: Settings, problems: _Problems) -> None:
    """Refuse a secret that can be guessed as soon as something is at stake."""
    exposed = _exposure(settings)
    if not exposed:
        return
    for path, secret, line in _secrets(settings):
        fault = _weakness(secret)
        if fault:
            said = f"{fault}, but {exposed}: {line.format(secrets.token_urlsafe(24))}"
            problems.add(path, said)


def _exposure(settings: Settings) -> str:
    """Say what is at stake: money, or a port that others can reach. Empty: nothing is."""
    if settings.live_accounts:
        return f"account {settings.live_accounts[0]} is live"
    host = settings.webhook.host
    return "" if is_loopback(host) else f"the server listens beyond this machine (host {host})"


def _secrets(settings: Settings) -> Iterator[tuple[_Path, Secret | None, str]]:
    """Yield each secret with its place and the line that would mend it."""
    line = "put this line into .env: {}={{}}"
    name = "TRADINGVIEW_WEBHOOK_SECRET"
    yield ("webhook", "secret"), settings.webhook.secret, line.format(name)
    for strategy, its in settings.strategies.items():
        if its.secret:
            yield ("strategies", strategy, "secret"), its.secret, 'write secret: "{}"'
    if settings.admin_token:
        yield _ADMIN, settings.admin_token, line.format("ADMIN_TOKEN")


def _weakness(secret: Secret | None) -> str:
    """Say why a secret can be guessed; empty when it cannot."""
    text = secret.get_secret_value() if secret else ""
    if not text:
        return "is empty"
    if len(text) < MIN_SECRET_LENGTH:
        return f"is shorter than {MIN_SECRET_LENGTH} characters"
    if _EXAMPLE.match(text.lower()) or len(set(text)) < 6:
        return "is an example or easily guessed"
    return ""


# --- showing what holds --------------------------------------------------------------------------


def describe(settings: Settings) -> list[str]:
    """Return the effective settings as lines in the form of config.yaml; secrets are `***`."""
    lines = [line for name in Options.model_fields for line in _lines(name, settings, 0)]
    return [*lines, f"# ADMIN_TOKEN: {_shown(settings.admin_token)}"]


def config_hash(settings: Settings) -> str:
    """Return a short name for these settings: equal settings have equal names, secrets do not count."""
    return hashlib.sha256("\n".join(describe(settings)).encode()).hexdigest()[:12]


def _lines(name: str, block: Any, depth: int) -> Iterator[str]:
    value = block[name] if isinstance(block, Mapping) else getattr(block, name)
    if isinstance(value, BaseModel):
        value = {key: getattr(value, key) for key in type(value).model_fields}
    key = "  " * depth + (name if re.fullmatch(r"[A-Za-z_][\w .-]*", name) else json.dumps(name))
    if isinstance(value, Mapping) and value:
        yield f"{key}:"
        for inner in value:
            yield from _lines(inner, value, depth + 1)
    else:
        yield f"{key}: {_shown(value)}"


def _shown(value: object) -> str:
    if isinstance(value, Secret):
        return '"***"'
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Mapping):
        return "{}"
    return json.dumps(value, ensure_ascii=False)


def warnings(settings: Settings) -> list[str]:
    """Return what is allowed and unwise, a sentence each, in words that name the remedy."""
    found = []
    for file in settings.secret_files:
        if os.name == "posix" and file.stat().st_mode & stat.S_IROTH:
            found.append(f"{file.name} holds secrets and every user can read it: chmod 600 {file}")
    for path, secret, line in _secrets(settings):
        if secret and (fault := _weakness(secret)):
            remedy = line.format(secrets.token_urlsafe(24))
            found.append(f"{_dotted(path)} {fault}; before going live, {remedy}")
    for name, account in settings.accounts.items():
        if account.live and settings.trading != "live":
            found.append(
                f"accounts.{name}: trades on paper although live: true, because trading: paper"
            )
    if any(entry.endswith("/0") for entry in settings.webhook.trusted_proxies):
        found.append("webhook.trusted_proxies trusts everybody: any caller can forge its address")
    return found
