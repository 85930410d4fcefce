"""Try a start without starting: beside what is held, and what is listened at already.

A reload ends the old worker before the new one finds out, so it is asked here first. Nothing is changed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from contextlib import closing

from desk.config.settings import Settings
from desk.process.files import CannotWrite, blaming
from desk.process.port import CannotListen, check_port
from desk.state.abandoned import LiveAbandoned, check_abandoned, check_venues
from desk.state.store import Glimpse, StoreDamaged


def find_fault(settings: Settings, listening: Collection[object], *, may_abandon: bool) -> str:
    """Return why a start with these settings would fail, in words; empty where it would not.

    What only a worker finds out (a file that cannot be written, live positions that would be abandoned) is
    looked for too. `listening` are the addresses that are listened at already.
    """
    webhook = settings.webhook
    try:
        if (webhook.host, webhook.port) not in listening:
            check_port(webhook.host, webhook.port)
        for setting, path in (("state", settings.state_path), ("logging.file", settings.log_path)):
            with blaming(setting, path):
                if path.exists():
                    path.open("ab").close()
                else:
                    tempfile.TemporaryFile(dir=path.parent).close()
        if settings.state_path.exists():
            with closing(Glimpse(settings.state_path)) as store:
                if not may_abandon:
                    check_abandoned(settings, store)
                check_venues(settings, store)
    except (CannotListen, CannotWrite, StoreDamaged, LiveAbandoned) as error:
        return str(error)
    return ""
