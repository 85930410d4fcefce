"""Make the channels of a configuration: what each reads of the record, and what it sends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from desk.config.channels import Channel
from desk.config.settings import Settings
from desk.notify.service import Service
from desk.notify.wording import Told, name_event, write_message
from desk.outbox.outbox import NotDelivered, Outbox
from desk.outbox.place import Place
from desk.state.store import Store, StoreUnavailable


@dataclass(frozen=True, slots=True)
class Recorded:
    """The events of the record, as a channel reads them."""

    store: Store

    def newest(self) -> int:
        """Return the number of the newest event."""
        try:
            with self.store.reader() as reader:
                return reader.last_event()
        except StoreUnavailable as error:
            raise NotDelivered(f"the record cannot be read: {error}") from None

    def __call__(self, after: int, limit: int) -> Sequence[Told]:
        """Return the next events."""
        try:
            with self.store.reader() as reader:
                return [Told(*row) for row in reader.load_told(after, limit)]
        except StoreUnavailable as error:
            raise NotDelivered(f"the record cannot be read: {error}") from None


def make_channels(
    settings: Settings, store: Store, clock: Callable[[], int], make: type[Service] = Service
) -> list[Outbox]:
    """Return an outbox for each entry of `notify:`. Raises `UnknownService`."""
    found = []
    for place, channel in enumerate(settings.notify, 1):
        url = channel.url.get_secret_value()
        service = make(url, place)
        deliver = Deliver(channel, service)
        found.append(
            Outbox(service.name, Recorded(store), deliver, Place(settings.state_path, url), clock)
        )
    return found


@dataclass(frozen=True, slots=True)
class Deliver:
    """Send what a channel wants of some events as one message."""

    channel: Channel
    service: Service

    def __call__(self, told: Sequence[Told]) -> None:
        """Send it, if there is anything. Raises `NotDelivered`."""
        wanted = [each for each in told if self.channel.wants(name_event(each.event))]
        if wanted:
            self.service.send(*write_message(wanted))


def try_channels(settings: Settings) -> list[str]:
    """Send a message to each channel, and return a sentence for each that did not take it.

    Raises `UnknownService`.
    """
    failed = []
    for place, channel in enumerate(settings.notify, 1):
        service = Service(channel.url.get_secret_value(), place)
        try:
            service.send("test", "The receiver can reach you here.")
        except NotDelivered as error:
            failed.append(f"Entry {place} of notify ({service.name}): {error}.")
    return failed
