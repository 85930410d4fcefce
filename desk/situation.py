"""Say what holds for an alert before it is decided: the books it concerns, and the rules on each.

Here settings, switches, limits of rate and the clock become the plain values that `decide` works on. Nothing
is changed here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from brokers.protocol import Refused
from desk.book import Book
from desk.codes import Denial
from desk.cut import Rules
from desk.evolve import evolve
from desk.exposure import find_stakes
from desk.floor import Floor
from desk.options import Account
from desk.risk import Stakes
from desk.routing import Target, map_symbol, strategy_settings, trades_on_paper
from desk.state import Key
from desk.timing import Times
from parsers.alert import Alert

RULES_KEPT = 1_000
NO_TIMES = Times(0, 0, 0)
NETTING = frozenset({"linear", "futures", "forex"})


@dataclass(frozen=True, slots=True)
class Who:
    """Whose alert it is, and whether it proved so."""

    strategy: str
    is_authenticated: bool


def key_of(book: Book) -> Key:
    """Return what a book is found by."""
    return book.account, book.paper, book.instrument.symbol


def find_holding(floor: Floor, strategy: str, alert: Alert, now: int) -> list[str]:
    """Return the accounts off its route where the strategy holds or works this instrument.

    Of an alert that names its account: that one, where it holds or works anything there.
    """
    found: dict[str, None] = {}
    active = floor.state.active.get(strategy)
    if not active:
        return []
    if alert.account is not None:
        named = floor.state.settings.find_account(alert.account)
        return [named] if named and any(key[0] == named for key in active) else []
    settings = floor.state.settings
    routed = strategy_settings(settings, strategy).accounts or {settings.default_account}
    for key in active:
        account, _, held = key
        if account in routed:
            continue
        mapped = map_symbol(floor.state.settings.accounts[account], alert.symbol)
        is_it = held in (floor.symbol_key(alert.symbol), floor.symbol_key(mapped))
        if is_it or _is_same_root(floor, key, mapped, now):
            found[account] = None
    return list(found)


def find_books(
    floor: Floor, strategy: str, alert: Alert, target: Target, warnings: list[str], now: int
) -> list[tuple[Target, Book]] | None:
    """Return the books an alert concerns on one account; None while its instrument is being looked up.

    A continuous symbol also means the dated contracts of that root which the strategy holds, but opens
    nothing there. What a plain name was taken to mean is added to `warnings`. Raises `Refused` where the
    account does not know the symbol.
    """
    state = floor.state
    account = state.settings.accounts[target.account]
    paper = trades_on_paper(state.settings, strategy, target.account)
    if not paper and account.missing:
        raise Refused(
            f"{target.account} cannot log in: put {', '.join(account.missing)} into .env and restart.",
            "CREDENTIALS_MISSING",
        )
    instrument = floor.instrument_of(target.account, map_symbol(account, alert.symbol), now)
    if instrument is None:
        return None
    if instrument.note and instrument.note not in warnings:
        warnings.append(instrument.note)
    own = state.book(target.account, paper, instrument)
    books = [(target, own), *_find_twin(floor, strategy, target, own)]
    books.sort(key=lambda each: each[1].paper)
    is_order = alert.action in ("buy", "sell")
    if not instrument.is_continuous or (is_order and own.share(strategy).quantity):
        return books
    for key in state.active.get(strategy, {}):
        other = state.books[key]
        is_other = key[:2] == (target.account, paper) and key[2] != instrument.symbol
        if is_other and other.instrument.root == instrument.root:
            books.append((evolve(target, opens_here=False), other))
    return books


def _find_twin(floor: Floor, strategy: str, target: Target, own: Book) -> list[tuple[Target, Book]]:
    """Return the book a strategy left behind when it began to trade live here, or on paper again."""
    key = (target.account, not own.paper, own.instrument.symbol)
    if key not in floor.state.active.get(strategy, {}):
        return []
    return [(evolve(target, opens_here=False), floor.state.books[key])]


def find_rules(
    floor: Floor, who: Who, alert: Alert, target: Target, book: Book, times: Times
) -> Rules:
    """Return the rules for a strategy's share in one book, at this moment."""
    settings = floor.state.settings
    is_day = alert.time_in_force == "day"
    return evolve(
        _settled_rules(floor, who.strategy, target),
        times=times,
        denied=target.denied or _find_denial(floor, who, alert, target, book),
        stakes=_find_stakes(floor, who, alert, target, book, times.now),
        nets=not book.paper and book.instrument.kind in NETTING,
        manual=floor.state.manual(book),
        day_ms=_left_of_day(settings.accounts[target.account], times.now) if is_day else 0,
        price=floor.state.prices.get(book.instrument.symbol) if book.paper else alert.price,
    )


def _find_stakes(
    floor: Floor, who: Who, alert: Alert, target: Target, book: Book, now: int
) -> Stakes | None:
    """Return what an opening part is judged by; nothing where the alert opens nothing anyway."""
    if alert.only_reduces or not target.opens_here:
        return None
    account = floor.state.settings.accounts[target.account]
    return find_stakes(floor, who.strategy, book, map_symbol(account, alert.symbol), now)


def _settled_rules(floor: Floor, name: str, target: Target) -> Rules:
    """Return what config.yaml alone says; the rest is filled in for each alert."""
    known = floor.settled_rules.get((name, target))
    if known is not None:
        return known
    if len(floor.settled_rules) >= RULES_KEPT:
        floor.settled_rules.clear()
    settings = floor.state.settings
    strategy = strategy_settings(settings, name)
    default = strategy.default_quantity
    rules = floor.settled_rules[(name, target)] = Rules(
        strategy=name,
        times=NO_TIMES,
        multiplier=target.multiplier,
        default_quantity=settings.default_quantity if default is None else default,
        use_market_orders=strategy.use_market_orders,
        direction=strategy.direction,
        sync=strategy.sync == "position",
        pyramid=strategy.pyramid,
        opens_here=target.opens_here,
        limit_ms=settings.webhook.limit_seconds * 1000,
    )
    return rules


def _find_denial(floor: Floor, who: Who, alert: Alert, target: Target, book: Book) -> Denial | None:
    """Return a reason known beforehand why this strategy may open nothing in this book."""
    name, state = who.strategy, floor.state
    if not strategy_settings(state.settings, name).enabled:
        text = f"{name} is disabled: set strategies.{name}.enabled to true to open again."
        return Denial("STRATEGY_DISABLED", text)
    if why := state.halted(name, target.account):
        return Denial("HALTED", f"No opening orders: {why}. POST /resume ends the halt.")
    if block := state.blocked.get(key_of(book)):
        return Denial("BOOK_BLOCKED", block[0])
    if not who.is_authenticated:
        return None  # counted per address at the door
    wait = floor.rates.may_open(name, floor.symbol_key(alert.symbol))
    if wait is None:
        return None
    rate = state.settings.webhook.rate_limit
    text = f"Rate limit exceeded: {rate} opening alerts for {name} on {alert.symbol}. "
    return Denial("RATE_LIMITED", f"{text}Try again in {wait} s.", retry_after=wait)


def _is_same_root(floor: Floor, key: Key, symbol: str, now: int) -> bool:
    """Whether a continuous symbol stands for the contract that is held in a book."""
    if not symbol.endswith("!"):
        return False
    try:
        instrument = floor.instrument_of(key[0], symbol, now)
    except Refused:
        return False
    root = floor.state.books[key].instrument.root
    return instrument is not None and instrument.root == root != ""


def _left_of_day(account: Account, now: int) -> int:
    """Return the milliseconds until the account's trading day ends."""
    clock, zone = account.day_start
    moment = datetime.fromtimestamp(now / 1000, UTC).astimezone(zone)
    end = datetime.combine(moment.date(), clock, zone)
    if end <= moment:
        end = datetime.combine(moment.date() + timedelta(days=1), clock, zone)
    return int((end - moment).total_seconds() * 1000)
