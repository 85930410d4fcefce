"""Take one alert in: is it new, where does it go, what does it mean there, what comes of it at once.

This is an alert's life inside the transaction, in the order of the rules: identity, route, books, age,
price, decision, pursuit. It talks to no network and answers nobody; the loop commits and answers.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, replace
from decimal import Decimal

from brokers.protocol import BrokerRefused
from desk.alerts.delivery import Delivery
from desk.alerts.record import Part, Record, Story
from desk.decision.context import NO_CUT, DecisionContext, OrderSplit
from desk.decision.decide import Decision, decide, is_heard
from desk.decision.denial import Denial
from desk.decision.opening_size import depends_on_price
from desk.decision.routing import Route, find_routes, trades_on_paper
from desk.decision.split import cut_together
from desk.decision.staleness import Times, fired_by, judge_age
from desk.engine.commands import Wanted, close_books, say_nothing_held
from desk.engine.context import EngineContext
from desk.engine.duplicates import Duplicate, claim, find_duplicate, release
from desk.engine.execute import execute_plan
from desk.engine.gather import gather_books, refuse_on_route
from desk.engine.halts import halt
from desk.engine.market import hear_price
from desk.engine.rules import (
    Who,
    find_context,
    find_holding,
    find_limits,
    key_of,
    say_where_held,
    weigh_price,
)
from desk.formats import write_number
from desk.orders.believed_prices import reference_price
from desk.orders.evolve import evolve
from desk.orders.ids import digest, new_alert_id
from desk.orders.order import AlertRef, Order
from desk.orders.position_book import PositionBook
from parsers.alert import Alert, ParseError

DEFAULT_STRATEGY = "default"


@dataclass(frozen=True, slots=True)
class _Matter:
    """One book that an alert concerns: the rules there, and the alert cut at zero of the position."""

    route: Route
    book: PositionBook
    rules: DecisionContext
    split: OrderSplit = NO_CUT


def accept_alert(
    context: EngineContext, delivery: Delivery, place: int, number: int, now: int
) -> Record | Duplicate:
    """Return the record of one entry of a delivery, or the alert that it repeats.

    `number` is the number of the delivery's first alert; 0 where this is the first.
    """
    entry = delivery.entries[place]
    strategy = delivery.strategies[place] or DEFAULT_STRATEGY
    if isinstance(entry, ParseError):
        return reject_alert(context, delivery, place, Denial(entry.code, entry.message), now)
    mark = digest(strategy, delivery.body, place)
    if not delivery.is_dry:
        known = find_duplicate(context, delivery, mark, entry, strategy, now)
        if known:
            return known
    record = _open_record(context, delivery, strategy, entry, number)
    _register(context, record, entry, now)
    _process(context, record, entry, now)
    claim(context, mark, entry, record, now)
    return record


def retry(context: EngineContext, alert_id: str, now: int) -> None:
    """Decide what could not be decided before: an order was in flight, or a fact was missing."""
    before = context.state.waiting[alert_id]
    record = context.state.touch(before)
    if record.story.alert is not None:
        _process(context, record, record.story.alert, now)
    release(context, record, now)
    if record is not before and record.story == before.story:
        # It goes on waiting for the same: there is nothing to write and nothing to say.
        context.state.untouch(before)


def abandon_alert(context: EngineContext, alert_id: str, denial: Denial, now: int) -> None:
    """End the wait of an alert that cannot be decided: refused where it still waits."""
    record = context.state.touch(context.state.waiting[alert_id])
    story = record.story
    if story.alert is not None:
        no = BrokerRefused(denial.message, denial.code)
        story.parts += [
            refuse_on_route(context, record, Route(n), story.alert, no) for n in story.todo
        ]
    story.todo = []
    record.note(now, f"{denial.code}: {denial.message}")
    context.state.drop(context.state.waiting, alert_id)
    release(context, record, now)


def reject_alert(
    context: EngineContext, delivery: Delivery, place: int, denial: Denial, now: int
) -> Record:
    """Record an entry of which nothing can come: unreadable, or a fault of ours."""
    entry = delivery.entries[place]
    symbol = entry.symbol if isinstance(entry, Alert) else ""
    strategy = delivery.strategies[place] or ""
    record = _new_record(context, delivery, strategy, symbol, 0)
    record.story.denial = denial
    record.note(now, f"{denial.code}: {denial.message}")
    return record


def _open_record(
    context: EngineContext, delivery: Delivery, strategy: str, alert: Alert, number: int
) -> Record:
    record = _new_record(context, delivery, strategy, alert.symbol, number)
    record.story.alert = alert
    record.story.action = alert.action
    record.story.comment = alert.comment
    record.story.warnings = [*delivery.warnings, *alert.warnings]
    record.story.is_authenticated = delivery.is_authenticated
    return record


def _new_record(
    context: EngineContext, delivery: Delivery, strategy: str, symbol: str, number: int
) -> Record:
    state = context.state
    state.seq += 1
    record = Record(
        # It guards nothing; to ask the kernel for each took 20 us of an alert (measured).
        new_alert_id(delivery.received_at, random.getrandbits(32)),
        state.seq,
        delivery.received_at,
        strategy,
        symbol,
        delivery.masked,
        Story(timings=dict(delivery.timings or {}), number=number or state.seq),
    )
    state.follow(record)
    return record


def _register(context: EngineContext, record: Record, alert: Alert, now: int) -> None:
    """Create a strategy on its first alert; one that config.yaml names is known already."""
    state, name = context.state, record.strategy
    if name in state.settings.strategies or state.knows_strategy(name) or alert.action == "halt":
        return
    state.put(state.strategies, name, now)
    state.batch.strategies[name] = now
    settings = state.settings
    account = settings.find_account(alert.account or "") or settings.default_account
    is_paper = trades_on_paper(settings, name, account)
    where = "on paper" if is_paper else f"on {account}, a sandbox"
    record.story.warnings.append(
        f'Strategy not registered: "{name}" was created, {where}. Write it under strategies in '
        "config.yaml to configure it."
    )


def _process(context: EngineContext, record: Record, alert: Alert, now: int) -> None:
    """Route an alert and decide it on every account where that is possible now."""
    if alert.action == "halt":
        scope = f"strategy:{alert.strategy}" if alert.strategy else "all"
        record.story.done = halt(context, scope, f"by alert {record.alert_id}", now)
        return
    if alert.action == "close_all":
        _close_all(context, record, alert, now)
        return
    holding = find_holding(context, record.strategy, alert)
    routes = find_routes(context.state.settings, record.strategy, alert.account, holding)
    if isinstance(routes, Denial):
        # rules 3.6: who wants out of a position must learn where it lies.
        held = say_where_held(context, record.strategy, alert)
        hint = f" {held}: name that account, or none." if held else ""
        record.story.denial = replace(routes, message=f"{routes.message}{hint}")
        return
    if record.alert_id in context.state.waiting:
        routes = tuple(each for each in routes if each.account in record.story.todo)
    record.story.todo = []
    max_age = context.state.settings.webhook.max_age_seconds * 1000
    times = judge_age(alert, record.received_at, now, max_age)
    found = gather_books(context, record, alert, routes, times)
    if record.story.todo:
        context.state.put(context.state.waiting, record.alert_id, record)
    else:
        context.state.drop(context.state.waiting, record.alert_id)
    who = Who(record.strategy, record.story.is_authenticated)
    cause = _cause(record, alert)
    matters = _cut(context, who, alert, found, times)
    if found and not times.expired and _is_heard(alert, matters, cause):
        doubt = hear_price(context, record, alert, [book for _, book in found], now)
        matters = _cut_again(context, alert, matters, doubt)
    known = len(record.story.parts)
    for matter in matters:
        _decide(context, record, alert, who, matter, cause)
    _stop_repeats(context, record, record.story.parts[known:], now)


def _close_all(context: EngineContext, record: Record, alert: Alert, now: int) -> None:
    """Wish away all that the strategy holds and works, on every instrument and account of it."""
    wanted = Wanted(strategy=record.strategy)
    if alert.account is not None:
        account = context.state.settings.find_account(alert.account)
        if account is None:
            known = ", ".join(context.state.settings.accounts)
            text = f"There is no account {alert.account[:64]!r}. Configured: {known}."
            record.story.denial = Denial("NO_ACCOUNT", text)
            return
        wanted = replace(wanted, account=account)
    record.story.nothing = say_nothing_held(wanted)
    close_books(context, wanted, record, _cause(record, alert), now)


def _cut(
    context: EngineContext,
    who: Who,
    alert: Alert,
    found: list[tuple[Route, PositionBook]],
    times: Times,
) -> list[_Matter]:
    """Find the rules for each book and cut the alert at zero, once: what holds on one account together."""
    matters = [
        _Matter(route, book, find_context(context, who, alert, route, book, times))
        for route, book in found
    ]
    return _cut_all(alert, matters)


def _cut_all(alert: Alert, matters: list[_Matter]) -> list[_Matter]:
    done: list[_Matter] = []
    for _, some in itertools.groupby(matters, key=lambda each: each.route.account):
        group = list(some)
        cuts = cut_together(alert, [(each.book, each.rules) for each in group])
        done += [_Matter(e.route, e.book, e.rules, s) for e, s in zip(group, cuts, strict=True)]
    return done


def _cut_again(
    context: EngineContext, alert: Alert, matters: list[_Matter], doubt: str
) -> list[_Matter]:
    """Meet the price that the alert brought: what it filled changes the cut, and what money is worth."""
    fresh = []
    is_same = True
    for each in matters:
        book = context.state.books.get(key_of(each.book), each.book)
        if each.rules.strategy not in book.positions:
            book = book.knowing(each.book.position(each.rules.strategy))
        is_same = is_same and not depends_on_price(alert, each.rules)
        is_same = is_same and book.positions.get(each.rules.strategy) is each.book.positions.get(
            each.rules.strategy
        )
        rules = weigh_price(context, alert, book, each.rules, doubt)
        fresh.append(_Matter(each.route, book, rules, each.split))
    return fresh if is_same else _cut_all(alert, fresh)


def _stop_repeats(context: EngineContext, record: Record, parts: list[Part], now: int) -> None:
    """Halt a strategy that repeats itself: something runs away, and only a person can tell what."""
    if any(denial.code == "MAX_REPEATS" for part in parts for denial in part.denials):
        halt(context, f"strategy:{record.strategy}", "too many equal orders in a row", now)


def _is_heard(alert: Alert, matters: list[_Matter], cause: AlertRef) -> bool:
    """Whether an alert's price may move the symbol: where it means something in any of the books."""
    price = reference_price(alert)
    if price is None:
        return False
    if len(matters) == 1 and not depends_on_price(alert, matters[0].rules):
        [matter] = matters  # cut already, and no price changes that: 11 us an alert (measured)
        return is_heard(matter.book, alert, cause, matter.rules, matter.split)
    return any(
        is_heard(each.book, alert, cause, evolve(each.rules, price=price)) for each in matters
    )


def _warn_of_levels(record: Record, order: Order, book: PositionBook) -> None:
    """Warn of a stop or target on paper that no live price can trigger."""
    levels = " and ".join(dict.fromkeys(name.split()[0] for name, _ in order.named_levels))
    if levels:
        text = (
            f"{levels} on paper: only prices that alerts bring for {book.instrument.symbol} can trigger "
            "it, and a move between two alerts is missed"
        )
        record.story.warnings.append(text)


def _cause(record: Record, alert: Alert) -> AlertRef:
    fired = fired_by(alert, record.received_at)
    return AlertRef(record.alert_id, record.seq, record.story.number, fired, alert.market_position)


def _decide(
    context: EngineContext, record: Record, alert: Alert, who: Who, matter: _Matter, cause: AlertRef
) -> None:
    """Decide an alert in one book, write the wishes down and pursue them."""
    route, book, rules, split = matter.route, matter.book, matter.rules, matter.split
    context.at = key_of(book)
    now = rules.times.now
    if split.opens != 0 or split.reduces == 0:
        rules = find_limits(context, who, alert, route, book, rules)
    decision = decide(book, alert, cause, rules, split)
    changes = _changes(decision, book, record.strategy)
    if not route.opens_here and not changes:
        return
    if decision.code == "NOTHING_TO_CLOSE":
        decision = evolve(
            decision, message=_say_left(context, record, alert, matter, decision, rules)
        )
    part = Part(
        route.account,
        book.paper,
        book.instrument.symbol,
        tick=book.instrument.tick,
        reduces=decision.reduces,
        opens=decision.opening.quantity if decision.opening else Decimal(0),
        cancels=decision.cancels,
        denials=decision.denials,
        code=decision.code,
        message=decision.message,
        has_pending_exit=decision.has_pending_exit(cause),
        has_moved=decision.has_moved,
    )
    record.story.parts.append(part)
    record.story.warnings += [w for w in decision.warnings if w not in record.story.warnings]
    if decision.opening and book.paper and not context.is_fed(book, now):
        _warn_of_levels(record, decision.opening, book)
    record.note(now, _explain(part, decision))
    if not changes:
        return
    if decision.opening and not context.is_dry:
        context.count_opening(record.strategy, context.symbol_key(alert.symbol))
    execute_plan(context, decision.book, now)


def _say_left(
    context: EngineContext,
    record: Record,
    alert: Alert,
    matter: _Matter,
    decision: Decision,
    rules: DecisionContext,
) -> str:
    """Say what is left although there was nothing to close: on another account, or by nobody of ours."""
    account, name = matter.route.account, matter.book.instrument.symbol
    text = decision.message or ""
    elsewhere = say_where_held(context, record.strategy, alert, but=account)
    if alert.account is not None and elsewhere:
        text += f" {elsewhere}: name that account, or none."
    if rules.nets and rules.manual:
        left = f"{account} holds {write_number(rules.manual)} {name} that no strategy opened"
        text += f" {left}: it is left alone."
        if not context.is_dry:
            told = f"An alert of {record.strategy} found nothing to close, and {left}."
            context.state.notify("position_left", told, rules.times.now, record.alert_id)
    return text


def _changes(decision: Decision, book: PositionBook, strategy: str) -> bool:
    """Whether a verdict leaves anything behind: a denied alert on a new symbol does not."""
    if decision.opening or decision.reduces or decision.cancels:
        return True
    old, new = book.position(strategy), decision.book.position(strategy)
    return evolve(old, symbol=new.symbol) != new


def _explain(part: Part, decision: Decision) -> str:
    """Return the decision on one account in words, for the story."""
    did = f"closes {part.reduces} of the strategy's position, opens {part.opens}"
    if part.has_moved:
        did = f"moves what protects the position. {part.message}"
    said = [f"on {part.account}: {did}"]
    if part.cancels:
        said.append(f"cancels {part.cancels} working")
    if decision.how:
        said.append(f"the size is {decision.how}")
    said += [f"denied {denial.code}: {denial.message}" for denial in decision.denials]
    if decision.code:
        said.append(f"{decision.code}: {decision.message}")
    return "; ".join(said)
