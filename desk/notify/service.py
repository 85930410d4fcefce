"""Send a message over one service of Apprise, and name it without its secrets.

Apprise is imported where there is somebody to tell: it costs 0.3 s and 17 MB.
"""

from __future__ import annotations

import logging

from desk.outbox.outbox import NotDelivered


class UnknownService(Exception):
    """An address cannot be used; the text says why, and not the address."""


class Service:
    """One address. Used by one thread: some services pause for seconds between two messages."""

    def __init__(self, url: str, place: int) -> None:
        try:
            from apprise import Apprise, NotifyFormat, OverflowMode  # noqa: PLC0415 - only where it is used
        except ImportError:
            raise UnknownService(
                "notify: needs the package apprise: pip install -r requirements-notify.txt"
            ) from None
        # What it logs holds addresses with their tokens.
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        self._apprise, self._format = Apprise(), NotifyFormat.TEXT
        if not self._apprise.add(url):
            raise UnknownService(
                f"notify: entry {place} is no address that Apprise knows. Its documentation lists them; "
                "characters like # and @ in a password are written as %23 and %40."
            )
        service = self._apprise[0]
        service.overflow_mode = OverflowMode.SPLIT  # too long a text goes out whole and is refused
        scheme = url.partition("://")[0].lower()
        # Elsewhere what stands in the place of a host is a token, a topic or a webhook's id.
        templates: tuple[str, ...] = service.templates
        has_host = all("{host}" in each for each in templates)
        self.name = f"{scheme}://{service.host}" if has_host else scheme

    def send(self, title: str, text: str) -> None:
        """Send one message. Raises `NotDelivered`."""
        # The answer is an object that is false unless every part was taken.
        if not self._apprise.notify(body=text, title=title, body_format=self._format):
            raise NotDelivered("the service did not take it")
