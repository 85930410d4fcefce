"""Refuse secrets that can be guessed, as soon as something is at stake. No secret is ever quoted."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator

from desk.config.problems import Location, Problems
from desk.config.settings import Secret, Settings, is_loopback

MIN_SECRET_LENGTH = 16
SHOWN_FROM = 8
"""A shorter secret (nothing is at stake then) may be a part of a name by chance."""
ADMIN = ("ADMIN_TOKEN",)
_EXAMPLE = re.compile(
    r"(your|change|example|replace|insert|enter|secret|password|abc|test)[a-z_ -]*[0-9]*"
)
"""What manuals print and people copy: `your_secure_secret_key_here`, `changeme...`."""


def check_secrets(settings: Settings, problems: Problems) -> None:
    """Refuse a secret that can be guessed as soon as something is at stake, and one in a name always."""
    for kind, names in (("strategies", settings.strategies), ("accounts", settings.accounts)):
        for number, name in enumerate(names, 1):
            if any(len(each) >= SHOWN_FROM and each in name for each in settings.known_secrets):
                said = f"the name of number {number} holds a secret, and names are shown: rename it"
                problems.add((kind, f"number {number}"), said)
    if settings.webhook.old_secret and not settings.webhook.secret:
        said = "is the secret before the present one, and there is none: set that too"
        problems.add(("webhook", "old_secret"), said)
    exposed = _exposure(settings)
    if not exposed:
        return
    for path, secret, remedy in list_secrets(settings):
        if fault := find_weakness(secret):
            said = f"{fault}, but {exposed}: {remedy.format(secrets.token_urlsafe(24))}"
            problems.add(path, said)


def _exposure(settings: Settings) -> str:
    """Say what is at stake: money, or a port that others can reach. Empty: nothing is."""
    if settings.live_accounts:
        return f"account {settings.live_accounts[0]} is live"
    host = settings.webhook.host
    return "" if is_loopback(host) else f"the server listens beyond this machine (host {host})"


def list_secrets(settings: Settings) -> Iterator[tuple[Location, Secret | None, str]]:
    """Yield each secret with its place and what to do about it."""
    remedy = "put this line into .env: {}={{}}"
    name = "TRADINGVIEW_WEBHOOK_SECRET"
    yield ("webhook", "secret"), settings.webhook.secret, remedy.format(name)
    if settings.webhook.old_secret:
        yield ("webhook", "old_secret"), settings.webhook.old_secret, "take it out"
    for strategy, its in settings.strategies.items():
        if its.secret:
            yield ("strategies", strategy, "secret"), its.secret, 'write secret: "{}"'
    if settings.admin_token:
        yield ADMIN, settings.admin_token, remedy.format("ADMIN_TOKEN")
    if settings.metrics_token:
        yield ("metrics_token",), settings.metrics_token, remedy.format("METRICS_TOKEN")
    if settings.mcp.token:
        yield ("mcp", "token"), settings.mcp.token, remedy.format("MCP_TOKEN")


def find_weakness(secret: Secret | None) -> str:
    """Say why a secret can be guessed; empty when it cannot."""
    text = secret.get_secret_value() if secret else ""
    if not text:
        return "is empty"
    if len(text) < MIN_SECRET_LENGTH:
        return f"is shorter than {MIN_SECRET_LENGTH} characters"
    if _EXAMPLE.fullmatch(text.lower()) or len(set(text)) < 6:
        return "is an example or easily guessed"
    return ""
