"""Read what the environment and .env say, and lay it over what stands in config.yaml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from brokers.protocol import VenueFacts
from desk.config.checks import name_variable
from desk.config.env_file import BROKEN, find_misspelt, read_env_file
from desk.config.problems import Location, Problems
from desk.config.secret_checks import ADMIN
from desk.config.settings import Account, Options, Secret

_VARIABLES: Mapping[str, tuple[str, ...]] = {
    "HOST": ("webhook", "host"),
    "PORT": ("webhook", "port"),
    "TRADINGVIEW_WEBHOOK_SECRET": ("webhook", "secret"),
    "TRADINGVIEW_WEBHOOK_SECRET_OLD": ("webhook", "old_secret"),
    "LOG_LEVEL": ("logging", "level"),
    "DATABASE_URL": ("state",),
    "PRICES": ("prices",),
    "MCP_TOKEN": ("mcp", "token"),
    "METRICS_TOKEN": ("metrics_token",),
    "NOTIFY_URLS": ("notify",),
}


_ELSEWHERE = ("CONFIG", "DEBUG", "ABANDON_LIVE")
"""Variables that are read in another way."""


_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


def read_environment(
    dotenv: Path, environ: Mapping[str, str], problems: Problems
) -> Mapping[str, tuple[str, str]]:
    """Return each variable that is set with the place it comes from; the real environment wins."""
    found: dict[str, tuple[str, str]] = {}
    try:
        if dotenv.is_file():
            values, broken = read_env_file(dotenv)
            found = {name: (value, ".env") for name, value in values.items()}
            for line in broken:
                problems.origins[".env", str(line)] = f".env: line {line}"
                problems.add((".env", str(line)), BROKEN)
    except (OSError, UnicodeDecodeError):
        problems.origins[(".env",)] = ".env"
        problems.add((".env",), "cannot be read: save it as UTF-8 and check its permissions")
    return found | {name: (value, "environment") for name, value in environ.items() if value}


def lay_over(
    raw: dict[str, Any],
    variables: Mapping[str, tuple[str, str]],
    overrides: Mapping[str, object],
    problems: Problems,
) -> None:
    """Lay the environment over the file and the command line over both."""
    if variables.get("DEBUG", ("", ""))[0].lower() in _YES:
        variables = {"LOG_LEVEL": ("DEBUG", variables["DEBUG"][1]), **variables}
    laid: list[tuple[Location, object, str]] = [
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
        is_port = path[-1] == "port" and re.fullmatch("[0-9]{1,5}", str(value))
        block[path[-1]] = int(str(value)) if is_port else value
        problems.origins[path] = origin


def read_admin_token(variables: Mapping[str, tuple[str, str]], problems: Problems) -> Secret | None:
    """Return the token for the controls; None means that nobody may use them."""
    value, origin = variables.get("ADMIN_TOKEN", ("", ""))
    problems.origins[ADMIN] = f"{origin}: ADMIN_TOKEN"
    if value != value.strip() or not value.isprintable():
        problems.add(ADMIN, "expected a text without spaces around it")
    return Secret(value) if value else None


def find_unread(
    variables: Mapping[str, tuple[str, str]],
    options: Options,
    brokers: Mapping[str, VenueFacts],
) -> tuple[str, ...]:
    """Return a sentence for each variable that was probably meant for us and is not read.

    Of the environment only names that look like our secrets are told: the rest belongs to other programs.
    """
    keys = {name for each in brokers.values() for name in (*each.needs, *each.optional)}
    keys |= {
        name_variable(account, name)
        for account, each in options.accounts.items()
        for name in keys_of(each, brokers)
    }
    secret = {
        "TRADINGVIEW_WEBHOOK_SECRET",
        "TRADINGVIEW_WEBHOOK_SECRET_OLD",
        "ADMIN_TOKEN",
        "MCP_TOKEN",
        "NOTIFY_URLS",
        "METRICS_TOKEN",
    } | keys
    known = {*_VARIABLES, *secret, *_ELSEWHERE}
    found = []
    for place, like in ((".env", known), ("environment", secret)):
        names = [name for name, (_, origin) in variables.items() if origin == place]
        for name, near in find_misspelt(names, like):
            found.append(f"{place}: {name} is not read; did you mean {near}?")
    if variables.get("DEBUG", ("", ""))[0].lower() not in ("", *_YES, *_NO):
        text = (
            "DEBUG is neither true nor false, so it is ignored: write DEBUG=true or LOG_LEVEL=DEBUG"
        )
        found.append(f"{variables['DEBUG'][1]}: {text}")
    return tuple(found)


def keys_of(account: Account, brokers: Mapping[str, VenueFacts]) -> tuple[str, ...]:
    """Return the names of what an account may log in with."""
    facts = brokers.get(account.broker)
    return (*facts.needs, *facts.optional) if facts else ()
