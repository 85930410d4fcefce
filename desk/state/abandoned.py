"""Say which positions a configuration would forget: those of real money on an account that is not live.

Nobody looks after them: nothing is sent for them and nothing is read. So a start is refused until somebody
has said that this is meant; the record keeps them either way.
"""

from __future__ import annotations

from decimal import Decimal

from desk.config.settings import Settings
from desk.decision.routing import is_paper
from desk.formats import write_number
from desk.orders.position_book import PositionBook
from desk.state.store import Store

ZERO = Decimal(0)
WRITTEN = {"live": "trading: live and live: true", "sandbox": "sandbox: true"}
"""How config.yaml makes an account trade at its venue."""


class LiveAbandoned(Exception):
    """The state holds live positions, and the configuration is no longer live."""


def check_abandoned(settings: Settings, store: Store) -> None:
    """Refuse to forget real money. Raises `LiveAbandoned`, naming what is held and the ways out."""
    with store.loading():
        venues = store.load_venues()
        left = [
            book
            for book in store.load_books(paper_too=False)
            if is_holding(book) and find_abandonment(settings, book)
        ]
    if left:
        kinds = {book.account: venues.get(book.account, "live") for book in left}
        held = [f"{name_holding(book)} ({kinds[book.account]})" for book in left]
        remedies = [f"set {WRITTEN[kind]} for {account} again" for account, kind in kinds.items()]
        raise LiveAbandoned(
            "The receiver does not start: the state holds positions or orders at a venue, and "
            f"config.yaml does not trade there any more: {'; '.join(held)}. Remedy: "
            f"{', '.join(remedies)}; or close them at the venue and start with --abandon-live (with "
            "gunicorn the variable ABANDON_LIVE=1): then they stay recorded and nobody looks after them."
        )


def check_venues(settings: Settings, store: Store) -> None:
    """Note which accounts are live and which a sandbox; refuse to take real positions for those of a sandbox.

    Raises `LiveAbandoned`: what one name stands for must not change while something is held under it.
    """
    now = {
        name: "live" if account.live else "sandbox"
        for name, account in settings.accounts.items()
        if not is_paper(settings, account)
    }
    with store.loading():
        before = store.load_venues()
        held = [book for book in store.load_books(paper_too=False) if is_holding(book)]
    for book in held:
        was, is_now = before.get(book.account), now.get(book.account)
        if was and is_now and was != is_now:
            raise LiveAbandoned(
                f"The receiver does not start: the state holds {name_holding(book)}, which is {was}, and "
                f"config.yaml makes that account {is_now}. Make it {was} again and close the position, "
                f"or give the {is_now} account another name."
            )
    kept = {book.account for book in held}
    news = {name: value for name, value in now.items() if before.get(name) != value}
    gone = set(before) - set(now) - kept
    if news or gone:
        store.note_venues(news, gone)


def find_abandonment(settings: Settings, book: PositionBook) -> str | None:
    """Return why nothing can be done about a book under these settings, or None where it can."""
    account = settings.accounts.get(book.account)
    if account is None:
        return "config.yaml has no such account"
    if not book.paper and is_paper(settings, account):
        return "the account is not live any more"
    return None


def is_holding(book: PositionBook) -> bool:
    """Tell whether a book holds a position, or an order that may still fill."""
    return any(position.quantity for position in book.positions.values()) or bool(
        book.open_orders()
    )


def name_holding(book: PositionBook) -> str:
    """Return in words what a book holds."""
    held = sum((position.quantity for position in book.positions.values()), ZERO)
    works = len(book.open_orders())
    said = [f"{write_number(held)} {book.instrument.symbol}"] if held else []
    said += [f"{works} working {book.instrument.symbol} order{'s' * (works > 1)}"] if works else []
    return f"{' and '.join(said) or book.instrument.symbol} on {book.account}"
