"""Say what holds for an alert before it is decided: the books it concerns, and the rules on each.

Here settings, switches, limits of rate and the clock become the plain values that `decide` works on. Nothing
is changed here.
"""

from __future__ import annotations

from dataclasses import dataclass

from brokers.protocol import HEDGE_MODE, BrokerRefused, Instrument
from desk.alerts.record import Record
from desk.config.settings import Account, DefaultLevel, SizingBlock
from desk.config.trading_day import end_of_day
from desk.decision.context import DecisionContext
from desk.decision.denial import Denial
from desk.decision.risk import Stakes, find_worth
from desk.decision.routing import Route, map_symbol, strategy_settings
from desk.decision.sizing import MONEY_KINDS, Sizing
from desk.decision.staleness import Times
from desk.engine.context import EngineContext
from desk.engine.equity import find_equity
from desk.engine.exposure import (
    find_need,
    find_spendable,
    find_stakes,
    list_open_symbols,
    names_of,
)
from desk.engine.market import find_price
from desk.formats import write_number
from desk.orders.believed_prices import has_levels, is_same
from desk.orders.evolve import evolve
from desk.orders.position_book import PositionBook
from desk.state.tables import Key
from parsers.alert import Alert, Level

CONTEXTS_KEPT = 1_000
NO_TIMES = Times(0, 0, 0)
NETTING = frozenset({"linear", "futures", "forex"})


@dataclass(frozen=True, slots=True)
class Who:
    """Whose alert it is, and whether it proved so."""

    strategy: str
    is_authenticated: bool


def key_of(book: PositionBook) -> Key:
    """Return what a book is found by."""
    return book.account, book.paper, book.instrument.symbol


def find_holding(context: EngineContext, strategy: str, alert: Alert) -> list[str]:
    """Return the accounts off its route where the strategy holds or works this instrument.

    Of an alert that names its account: that one, where it holds or works anything there.
    """
    found: dict[str, None] = {}
    active = context.state.active.get(strategy)
    if not active:
        return []
    if alert.account is not None:
        named = context.state.settings.find_account(alert.account)
        return [named] if named and any(key[0] == named for key in active) else []
    settings = context.state.settings
    routed = strategy_settings(settings, strategy).accounts or {settings.default_account}
    for key in active:
        if key[0] not in routed and _is_meant(context, key, strategy, alert):
            found[key[0]] = None
    return list(found)


def find_books(
    context: EngineContext,
    strategy: str,
    alert: Alert,
    route: Route,
    warnings: list[str],
    times: Times,
) -> list[tuple[Route, PositionBook]] | None:
    """Return the books an alert concerns on one account; None while its instrument is being looked up.

    A continuous symbol also means the contracts of that root which the strategy holds, whatever the front
    month is by now (rules 3.11), but opens nothing there. What a plain name was taken to mean is added to
    `warnings`. Raises `BrokerRefused` where the account does not know the symbol, unless the strategy holds
    it: what was opened can be closed.
    """
    state = context.state
    account = state.settings.accounts[route.account]
    paper = state.opens_on_paper(strategy, route.account)
    if not paper and account.missing:
        raise BrokerRefused(
            f"{route.account} cannot log in: put {', '.join(account.missing)} into .env and restart.",
            "CREDENTIALS_MISSING",
        )
    symbol = map_symbol(account, alert.symbol)
    try:
        instrument = context.instrument_of(route.account, symbol, times.now)
    except BrokerRefused as no:
        if held := _find_held(context, strategy, alert, route, paper):
            denial = Denial(no.code, no.message)
            return _by_stored_rules(held, evolve(route, denied=route.denied or denial))
        raise
    if instrument is None:
        held = _find_held(context, strategy, alert, route, paper)
        # An entry in another contract than the one held, or on the other side of live and paper, waits.
        is_own = bool(held) and held[0].paper == paper and not symbol.endswith("!")
        if held and (alert.only_reduces or times.expired or is_own):
            return _by_stored_rules(held, route)
        return None
    if instrument.note and instrument.note not in warnings:
        warnings.append(instrument.note)
    own = state.book(route.account, paper, instrument, strategy)
    books = [(route, own)]
    is_any = names_any_month(context, account, alert, instrument)
    for key in state.active.get(strategy, {}):
        if key[0] == route.account and key != key_of(own):
            other = state.books[key]
            if _is_one(instrument, other.instrument, is_any=is_any):
                books.append((evolve(route, opens_here=False), other))
    return sorted(books, key=lambda each: (each[1].paper, each[1] is not own))


def names_any_month(
    context: EngineContext, account: Account, alert: Alert, instrument: Instrument
) -> bool:
    """Whether an alert names a future by its root alone: `MES1!`, `MES2!`, or `MES` where that is one."""
    root, name = instrument.root, context.symbol_key(map_symbol(account, alert.symbol))
    return root != "" and name in (root, f"{root}1!", f"{root}2!")


def _is_one(found: Instrument, other: Instrument, *, is_any: bool) -> bool:
    """Whether a strategy's position in `other` is one in what was asked for.

    On the other side of live and paper a contract may have another name.
    """
    if is_any and found.root == other.root:
        return True
    return found.symbol == other.symbol or (
        found.contract != "" and found.contract == other.contract
    )


def say_where_held(context: EngineContext, strategy: str, alert: Alert, but: str = "") -> str:
    """Say on which accounts a strategy holds or works what an alert names; empty where nowhere else."""
    found: dict[str, None] = {}
    for key in context.state.active.get(strategy, {}):
        book = context.state.books[key]
        is_held = book.position(strategy).quantity != 0 or bool(book.open_orders(strategy))
        if is_held and key[0] != but and _is_meant(context, key, strategy, alert):
            held = write_number(book.position(strategy).quantity)
            found[f"{held} {key[2]} on {key[0]}{' (paper)' if key[1] else ''}"] = None
    return f"{strategy} holds {', '.join(found)}" if found else ""


def holds_there(context: EngineContext, strategy: str, alert: Alert, account: str) -> bool:
    """Whether a strategy has a position on an account in what an alert names."""
    return any(
        context.state.books[key].position(strategy).quantity != 0
        for key in context.state.active.get(strategy, {})
        if key[0] == account and _is_meant(context, key, strategy, alert)
    )


def _find_held(
    context: EngineContext, strategy: str, alert: Alert, route: Route, paper: bool
) -> list[PositionBook]:
    """Return the books on one account in which a strategy holds or works what an alert names."""
    books = [
        context.state.books[key]
        for key in context.state.active.get(strategy, {})
        if key[0] == route.account and _is_meant(context, key, strategy, alert)
    ]
    return sorted(books, key=lambda book: (book.paper != paper, book.paper))


def _by_stored_rules(held: list[PositionBook], route: Route) -> list[tuple[Route, PositionBook]]:
    """Let an alert meet what is held by the rules of trading that are stored with it.

    They are as good as they were before a restart, and an exit is never lost because a venue would not tell
    them again (rules 3.2). Only one of the books may open.
    """
    elsewhere = evolve(route, opens_here=False)
    return [(route if book is held[0] else elsewhere, book) for book in held]


def _is_meant(context: EngineContext, key: Key, strategy: str, alert: Alert) -> bool:
    """Whether an alert names what a book holds, by names alone: nobody is asked.

    A continuous symbol stands for any contract of its root.
    """
    book, write_number = context.state.books[key], context.symbol_key(alert.symbol)
    mapped = context.symbol_key(map_symbol(context.state.settings.accounts[key[0]], alert.symbol))
    spelled = context.symbol_key(book.position(strategy).symbol)  # as the last alert did
    if {key[2], book.instrument.contract, spelled} & {write_number, mapped}:
        return True
    root = book.instrument.root
    return root != "" and any(
        name[:-2] == root for name in (write_number, mapped) if name.endswith("!")
    )


def weigh_price(
    context: EngineContext,
    alert: Alert,
    book: PositionBook,
    rules: DecisionContext,
    doubt: str = "",
) -> DecisionContext:
    """Return the rules with what the instrument costs; `doubt` says why the alert's price is not believed."""
    now = rules.times.now
    return evolve(
        rules,
        price=find_price(context, alert, book, doubt, now),
        doubt=doubt,
        seen_ms=_age_of_price(context, alert, book, doubt, now),
    )


def find_context(
    context: EngineContext, who: Who, alert: Alert, route: Route, book: PositionBook, times: Times
) -> DecisionContext:
    """Return the rules by which an alert is cut at zero of a strategy's share in one book."""
    account = context.state.settings.accounts[route.account]
    is_one = book.paper or account.stablecoins_are_dollars
    rules = _settled_context(context, who.strategy, route)
    return evolve(
        rules,
        times=times,
        by_distance=book.instrument.contract != ""
        and names_any_month(context, account, alert, book.instrument),
        price=find_price(context, alert, book, "", times.now),
        seen_ms=_age_of_price(context, alert, book, "", times.now),
        worth=find_worth(account.currency, dollars_are_one=is_one),
        equity=find_equity(context, book, times.now) if _needs_equity(alert, rules) else None,
    )


def _needs_equity(alert: Alert, rules: DecisionContext) -> bool:
    """Whether what an alert opens goes by the worth of its account."""
    kinds = (alert.quantity_type, rules.sizing.kind if rules.sizing else "")
    return "percent_of_equity" in kinds or "risk_percent" in kinds


def find_limits(
    context: EngineContext,
    who: Who,
    alert: Alert,
    route: Route,
    book: PositionBook,
    rules: DecisionContext,
) -> DecisionContext:
    """Return the rules with what an opening part is judged by at this moment, and the price known now."""
    now = rules.times.now
    account = context.state.settings.accounts[route.account]
    is_day = alert.time_in_force == "day"
    return evolve(
        rules,
        denied=route.denied or _find_denial(context, who, alert, route, book),
        stakes=_find_stakes(context, who, alert, route, book, now),
        nets=not book.paper and book.instrument.kind in NETTING,
        manual=context.state.manual(book),
        day_ms=(end_of_day(account.day_start, now) - now) if is_day else 0,
        spendable=find_spendable(context, book, now) if alert.action == "buy" else None,
    )


def _age_of_price(
    context: EngineContext, alert: Alert, book: PositionBook, doubt: str, now: int
) -> int | None:
    """Return how old the price is that a paper order meets which brings none."""
    seen = context.state.prices.get(book.instrument.symbol)
    if not book.paper or seen is None or (alert.price is not None and not doubt):
        return None
    return now - seen.at


def find_quotes(
    context: EngineContext, record: Record, alert: Alert, route: Route, book: PositionBook | None
) -> dict[str, int]:
    """Return what must be known of a venue's prices before an alert opens there.

    Limits go by what the venue says once the alert has come: its number, by symbol. What the last read of
    the account brought (0) is enough where the alert's own price says the same, for what else is held, for
    whether a level or a price can be one (rules 4.4, 4.5, 15.5), and for what is only asked. Without a
    `book` its instrument is being looked up, and the price meanwhile.
    """
    if not route.opens_here or alert.only_reduces or alert.action == "cancel":
        return {}
    account = context.state.settings.accounts[route.account]
    own = context.symbol_key(map_symbol(account, alert.symbol))
    names = names_of(context, book, own) if book else frozenset({own})
    need = find_need(context, record.strategy, route.account, names)
    if need is None:
        return {}
    sizing = strategy_settings(context.state.settings, record.strategy).sizing
    kinds = {alert.quantity_type, sizing.quantity_type if sizing else ""}
    symbol = book.instrument.symbol if book else own
    # Money becomes a quantity by the price of now, and on its side of that a moved stop must stand.
    if need or kinds & MONEY_KINDS or alert.moves_only:
        quote = context.state.quotes.get((route.account, symbol))
        agrees = quote is not None and alert.price is not None and is_same(alert.price, quote.price)
        others = list_open_symbols(context, book) if book and "values" in need else ()
        return {**dict.fromkeys(others, 0), symbol: 0 if agrees or context.is_dry else record.seq}
    levels = (alert.limit_price, alert.stop_price, alert.named_levels)
    compares = alert.price is not None or has_levels(*levels)
    return {symbol: 0} if compares else {}


def _find_stakes(
    context: EngineContext, who: Who, alert: Alert, route: Route, book: PositionBook, now: int
) -> Stakes | None:
    """Return what an opening part is judged by; nothing where the alert opens nothing anyway."""
    if alert.only_reduces or not route.opens_here:
        return None
    account = context.state.settings.accounts[route.account]
    return find_stakes(context, who.strategy, book, map_symbol(account, alert.symbol), now)


def _settled_context(context: EngineContext, name: str, route: Route) -> DecisionContext:
    """Return what config.yaml alone says; the rest is filled in for each alert."""
    known = context.settled_contexts.get((name, route))
    if known is not None:
        return known
    if len(context.settled_contexts) >= CONTEXTS_KEPT:
        context.settled_contexts.clear()
    settings = context.state.settings
    strategy = strategy_settings(settings, name)
    default = strategy.default_quantity
    rules = context.settled_contexts[(name, route)] = DecisionContext(
        strategy=name,
        times=NO_TIMES,
        multiplier=route.multiplier,
        default_quantity=settings.default_quantity if default is None else default,
        sizing=_read_sizing(strategy.sizing),
        default_stop=_read_level(strategy.stop_loss),
        default_target=_read_level(strategy.take_profit),
        require_stop=strategy.require_stop,
        use_market_orders=strategy.use_market_orders,
        direction=strategy.direction,
        sync=strategy.sync == "position",
        pyramid=strategy.pyramid,
        opens_here=route.opens_here,
        currency=settings.accounts[route.account].currency,
        allow_delayed=settings.accounts[route.account].allow_delayed,
        shorts=settings.accounts[route.account].shorts,
        limit_ms=settings.webhook.limit_seconds * 1000,
    )
    return rules


def _read_sizing(found: SizingBlock | None) -> Sizing | None:
    return None if found is None else Sizing(found.quantity, found.quantity_type, found.override)


def _read_level(found: DefaultLevel | None) -> Level | None:
    return None if found is None else Level(percent=found.percent, amount=found.amount)


def _find_denial(
    context: EngineContext, who: Who, alert: Alert, route: Route, book: PositionBook
) -> Denial | None:
    """Return a reason known beforehand why this strategy may open nothing in this book."""
    name, state = who.strategy, context.state
    if not strategy_settings(state.settings, name).enabled:
        text = f"{name} is disabled: set strategies.{name}.enabled to true to open again."
        return Denial("STRATEGY_DISABLED", text)
    if why := state.halted(name, route.account):
        # rules 3.10: the alerts of a hedge-mode account say so, also once it is halted for it.
        code = HEDGE_MODE if f"({HEDGE_MODE}:" in why else "HALTED"
        return Denial(code, f"No opening orders: {why}. POST /resume ends the halt.")
    if block := state.blocked.get(key_of(book)):
        return Denial("BOOK_BLOCKED", block[0])
    if not who.is_authenticated:
        return None  # counted per address at the door
    wait = context.rates.may_open(name, context.symbol_key(alert.symbol))
    if wait is None:
        return None
    rate = state.settings.webhook.rate_limit
    text = f"Rate limit exceeded: {rate} opening alerts for {name} on {alert.symbol}. "
    return Denial("RATE_LIMITED", f"{text}Try again in {wait} s.", retry_after=wait)
