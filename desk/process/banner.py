"""Say at the start where the receiver listens, what it trades, and what is missing or unwise.

Lines for a person at a terminal. They name where a secret stands and never show one.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime

from desk.config.load import Settings, is_loopback, warnings
from desk.formats import iso
from desk.process.logfile import write_line


def write_banner(settings: Settings, version: str) -> list[str]:
    """Return the lines of the start-up banner."""
    webhook = settings.webhook
    host = f"[{webhook.host}]" if ":" in webhook.host else webhook.host
    now = iso(int(datetime.now(UTC).timestamp() * 1000))
    lines = [
        f"TradingView Webhook Receiver {version}, {now}",
        f"  webhook     http://{host}:{webhook.port}/webhook",
        f"  mode        {_say_mode(settings)}",
        f"  config      {settings.file if settings.file.is_file() else 'none found: defaults'}",
        f"  accounts    {', '.join(settings.accounts)}",
        f"  strategies  {', '.join(settings.strategies) or 'created by their first alert, on paper'}",
        f"  state, log  {settings.state_path}, {settings.log_path}",
        f"  admin       {_say_token(settings)}",
        f"  secret      {_say_secret(settings)}",
    ]
    if is_loopback(webhook.host):
        lines.append(
            "  note        loopback only: TradingView reaches ports 80 and 443 of a public address, "
            "see README, Deploy"
        )
    return lines + [f"  warning     {text}" for text in warnings(settings)]


def _say_mode(settings: Settings) -> str:
    if settings.live_accounts:
        return "LIVE: " + ", ".join(settings.live_accounts)
    sandboxes = [name for name, each in settings.accounts.items() if each.sandbox]
    where = f"paper, and the sandbox of {', '.join(sandboxes)}" if sandboxes else "paper"
    return f"{where}: nothing real is traded"


def _say_token(settings: Settings) -> str:
    if not settings.admin_token:
        return "not set: no controls (make run writes one)"
    return f"ADMIN_TOKEN in {'the environment' if os.environ.get('ADMIN_TOKEN') else '.env'}"


def _say_secret(settings: Settings) -> str:
    if settings.webhook.secret:
        return "set: an alert without it is refused"
    own = [name for name, each in settings.strategies.items() if each.secret]
    if own:
        return f"only for {', '.join(own)}: anybody may send the alerts of other strategies"
    return "none: anybody on this machine may send alerts, and through a proxy the whole world"


def tell_refused_reload(settings: Settings, fault: str) -> None:
    """Say at the terminal and in the log that the old settings go on."""
    text = "The reload was refused and the old settings go on. Mend this, then reload again:"
    sys.stderr.write(f"{text}\n{fault}\n")
    sys.stderr.flush()
    write_line(settings.log_path, "reload_refused", f"{text} {fault}")
