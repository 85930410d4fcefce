"""Take one alert in: is it new, where does it go, what does it mean there, what comes of it at once.

This is an alert's life inside the transaction, in the order of the rules: identity, route, books, age,
price, decision, pursuit. It talks to no network and answers nobody; the loop commits and answers.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from brokers.protocol import MARKET_MISMATCH, Refused
from desk.book import Book, Cause
from desk.codes import Denial, say_unreached
from desk.cut import NO_CUT, Cut, Rules, cut_together
from desk.decide import Verdict, decide, is_heard
from desk.duplicates import Duplicate, claim, find_duplicate, release
from desk.evolve import evolve
from desk.floor import Floor
from desk.identity import digest, new_alert_id
from desk.market import hear_price
from desk.operator import halt
from desk.prices import reference_price
from desk.pursue import pursue
from desk.record import Part, Record, Story
from desk.reply import Delivery
from desk.routing import Target, map_symbol, route, trades_on_paper
from desk.situation import (
    Who,
    find_books,
    find_holding,
    find_limits,
    find_quotes,
    find_rules,
    key_of,
    say_where_held,
    weigh_price,
)
from desk.sizing import plain
from desk.timing import Times, fired_by, judge_age
from parsers.alert import Alert, ParseError

DEFAULT_STRATEGY = "default"


@dataclass(frozen=True, slots=True)
class _Matter:
    """One book that an alert concerns: the rules there, and the alert cut at zero of the share."""

    target: Target
    book: Book
    rules: Rules
    cut: Cut = NO_CUT


def take_in(
    floor: Floor, delivery: Delivery, place: int, number: int, now: int
) -> Record | Duplicate:
    """Return the record of one entry of a delivery, or the alert that it repeats.

    `number` is the number of the delivery's first alert; 0 where this is the first.
    """
    entry = delivery.entries[place]
    strategy = delivery.strategies[place] or DEFAULT_STRATEGY
    if isinstance(entry, ParseError):
        return refuse(floor, delivery, place, Denial(entry.code, entry.message), now)
    mark = digest(strategy, delivery.body, place)
    if not delivery.is_dry:
        known = find_duplicate(floor, delivery, mark, entry, strategy, now)
        if known:
            return known
    record = _open_record(floor, delivery, strategy, entry, number)
    _register(floor, record, entry, now)
    _process(floor, record, entry, now)
    claim(floor, mark, entry, record, now)
    return record


def retry(floor: Floor, alert_id: str, now: int) -> None:
    """Decide what could not be decided before: an order was in flight, or a fact was missing."""
    before = floor.state.waiting[alert_id]
    record = floor.state.touch(before)
    if record.story.alert is not None:
        _process(floor, record, record.story.alert, now)
    release(floor, record, now)
    if record is not before and record.story == before.story:
        # It goes on waiting for the same: there is nothing to write and nothing to say.
        floor.state.untouch(before)


def give_up(floor: Floor, alert_id: str, denial: Denial, now: int) -> None:
    """End the wait of an alert that cannot be decided: refused where it still waits."""
    record = floor.state.touch(floor.state.waiting[alert_id])
    story = record.story
    if story.alert is not None:
        no = Refused(denial.message, denial.code)
        story.parts += [_refusal(floor, record, Target(n), story.alert, no) for n in story.todo]
    story.todo = []
    record.note(now, f"{denial.code}: {denial.message}")
    floor.state.drop(floor.state.waiting, alert_id)
    release(floor, record, now)


def refuse(floor: Floor, delivery: Delivery, place: int, denial: Denial, now: int) -> Record:
    """Record an entry of which nothing can come: unreadable, or a fault of ours."""
    entry = delivery.entries[place]
    symbol = entry.symbol if isinstance(entry, Alert) else ""
    strategy = delivery.strategies[place] or ""
    record = _new_record(floor, delivery, strategy, symbol, 0)
    record.story.denial = denial
    record.note(now, f"{denial.code}: {denial.message}")
    return record


def _open_record(
    floor: Floor, delivery: Delivery, strategy: str, alert: Alert, number: int
) -> Record:
    record = _new_record(floor, delivery, strategy, alert.symbol, number)
    record.story.alert = alert
    record.story.action = alert.action
    record.story.comment = alert.comment
    record.story.warnings = [*delivery.warnings, *alert.warnings]
    record.story.is_authenticated = delivery.is_authenticated
    return record


def _new_record(
    floor: Floor, delivery: Delivery, strategy: str, symbol: str, number: int
) -> Record:
    state = floor.state
    state.seq += 1
    record = Record(
        new_alert_id(delivery.received_at),
        state.seq,
        delivery.received_at,
        strategy,
        symbol,
        delivery.masked,
        Story(timings=dict(delivery.timings or {}), number=number or state.seq),
    )
    state.follow(record)
    return record


def _register(floor: Floor, record: Record, alert: Alert, now: int) -> None:
    """Create a strategy on its first alert; one that config.yaml names is known already."""
    state, name = floor.state, record.strategy
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


def _process(floor: Floor, record: Record, alert: Alert, now: int) -> None:
    """Route an alert and decide it on every account where that is possible now."""
    if alert.action == "halt":
        scope = f"strategy:{alert.strategy}" if alert.strategy else "all"
        record.story.done = halt(floor, scope, f"by alert {record.alert_id}", now)
        return
    holding = find_holding(floor, record.strategy, alert)
    targets = route(floor.state.settings, record.strategy, alert.account, holding)
    if isinstance(targets, Denial):
        # rules 3.6: who wants out of a position must learn where it lies.
        held = say_where_held(floor, record.strategy, alert)
        hint = f" {held}: name that account, or none." if held else ""
        record.story.denial = replace(targets, message=f"{targets.message}{hint}")
        return
    if record.alert_id in floor.state.waiting:
        targets = tuple(each for each in targets if each.account in record.story.todo)
    record.story.todo = []
    max_age = floor.state.settings.webhook.max_age_seconds * 1000
    times = judge_age(alert, record.received_at, now, max_age)
    found = _gather(floor, record, alert, targets, times)
    if record.story.todo:
        floor.state.put(floor.state.waiting, record.alert_id, record)
    else:
        floor.state.drop(floor.state.waiting, record.alert_id)
    who = Who(record.strategy, record.story.is_authenticated)
    cause = _cause(record, alert)
    matters = _cut(floor, who, alert, found, times)
    if found and not times.expired and _is_heard(alert, matters, cause):
        doubt = hear_price(floor, record, alert, [book for _, book in found], now)
        matters = _cut_again(floor, alert, matters, doubt)
    known = len(record.story.parts)
    for matter in matters:
        _decide(floor, record, alert, who, matter, cause)
    _stop_repeats(floor, record, record.story.parts[known:], now)


def _cut(
    floor: Floor, who: Who, alert: Alert, found: list[tuple[Target, Book]], times: Times
) -> list[_Matter]:
    """Find the rules for each book and cut the alert at zero, once: what holds on one account together."""
    matters = [
        _Matter(target, book, find_rules(floor, who, alert, target, book, times))
        for target, book in found
    ]
    return _cut_all(alert, matters)


def _cut_all(alert: Alert, matters: list[_Matter]) -> list[_Matter]:
    done: list[_Matter] = []
    for _, some in itertools.groupby(matters, key=lambda each: each.target.account):
        group = list(some)
        cuts = cut_together(alert, [(each.book, each.rules) for each in group])
        done += [replace(each, cut=cut) for each, cut in zip(group, cuts, strict=True)]
    return done


def _cut_again(floor: Floor, alert: Alert, matters: list[_Matter], doubt: str) -> list[_Matter]:
    """Meet the price that the alert brought: what it filled changes the cut, and what money is worth."""
    fresh = []
    is_same = alert.quantity_type != "cash"
    for each in matters:
        book = floor.state.books.get(key_of(each.book), each.book)
        if each.rules.strategy not in book.shares:
            book = book.knowing(each.book.share(each.rules.strategy))
        is_same = is_same and not each.rules.sync
        is_same = is_same and book.shares.get(each.rules.strategy) is each.book.shares.get(
            each.rules.strategy
        )
        rules = weigh_price(floor, alert, book, each.rules, doubt)
        fresh.append(replace(each, book=book, rules=rules))
    return fresh if is_same else _cut_all(alert, fresh)


def _stop_repeats(floor: Floor, record: Record, parts: list[Part], now: int) -> None:
    """Halt a strategy that repeats itself: something runs away, and only a person can tell what."""
    if any(denial.code == "MAX_REPEATS" for part in parts for denial in part.denials):
        halt(floor, f"strategy:{record.strategy}", "too many equal orders in a row", now)


def _gather(
    floor: Floor, record: Record, alert: Alert, targets: tuple[Target, ...], times: Times
) -> list[tuple[Target, Book]]:
    """Return the books that can be decided on now; note the accounts that must wait or refuse."""
    found: list[tuple[Target, Book]] = []
    story = record.story
    for target in targets:
        try:
            books = find_books(floor, record.strategy, alert, target, story.warnings, times)
        except Refused as no:
            story.parts.append(_refusal(floor, record, target, alert, no))
            continue
        if books is None and times.expired and not _may_reduce(floor, record, alert, target):
            text = f"{_say_unreached(floor, alert, target)}{times.expired}"
            story.parts.append(_refusal(floor, record, target, alert, Refused(text, "EXPIRED")))
        elif books is None:
            story.todo.append(target.account)
            why = _say_unreached(floor, alert, target)
            story.waits_for = f"{alert.symbol} is being looked up on {target.account}"
            if why:
                story.waits_for = f"{why}{alert.symbol} is looked up as soon as it answers"
            if not trades_on_paper(floor.state.settings, record.strategy, target.account):
                _awaits_quotes(floor, record, alert, [(target, None)], times)  # at the same time
        elif not alert.only_reduces and (
            any(book.is_calling for _, book in books) or _is_behind(floor, record, target)
        ):
            story.todo.append(target.account)
            story.waits_for = f"an order for {alert.symbol} is on its way on {target.account}"
        elif _awaits_price(floor, alert, books, times.now):
            story.todo.append(target.account)
            story.waits_for = f"the price of {alert.symbol} is being looked up"
        elif _awaits_quotes(floor, record, alert, books, times):
            story.todo.append(target.account)
            story.waits_for = f"{target.account} is being asked what {alert.symbol} costs"
        else:
            found += books
    return found


def _say_unreached(floor: Floor, alert: Alert, target: Target) -> str:
    """Say why a venue has not told an instrument yet; else the alert's age would look like the cause."""
    account = floor.state.settings.accounts[target.account]
    why = floor.problem_of(target.account, map_symbol(account, alert.symbol))
    return f"{say_unreached(target.account, why)}. " if why else ""


def _awaits_price(floor: Floor, alert: Alert, books: list[tuple[Target, Book]], now: int) -> bool:
    """Whether a market order brings no price and the present one is being asked for; a look never waits."""
    if floor.is_dry or alert.action == "cancel" or alert.order_type not in (None, "market"):
        return False
    if reference_price(alert) is not None:
        return False
    waits = [floor.awaits_price(book, now) for _, book in books]  # each is asked for
    return any(waits)


def _awaits_quotes(
    floor: Floor,
    record: Record,
    alert: Alert,
    books: Sequence[tuple[Target, Book | None]],
    times: Times,
) -> bool:
    """Whether the venue is being asked for a price that an opening part is judged by (rules 15.5).

    What is only asked waits where nothing else says what the price is.
    """
    if times.expired or (floor.is_dry and alert.price is not None):
        return False
    wanted: dict[str, int] = {}
    for target, book in books:
        if book is None or not book.paper:
            wanted |= find_quotes(floor, record, alert, target, book)
    return bool(wanted) and floor.awaits_quotes(books[0][0].account, wanted, times.now)


def _may_reduce(floor: Floor, record: Record, alert: Alert, target: Target) -> bool:
    """Whether an alert whose instrument is not known yet may find something to reduce there."""
    active = floor.state.active.get(record.strategy, {})
    return alert.only_reduces or any(account == target.account for account, *_ in active)


def _is_behind(floor: Floor, record: Record, target: Target) -> bool:
    """Whether an earlier alert of the strategy on the symbol still waits there: this one comes after."""
    name = floor.symbol_key(record.symbol)
    return any(
        other.seq < record.seq
        and target.account in other.story.todo
        and other.strategy == record.strategy
        and floor.symbol_key(other.symbol) == name
        for other in floor.state.waiting.values()
    )


def _is_heard(alert: Alert, matters: list[_Matter], cause: Cause) -> bool:
    """Whether an alert's price may move the symbol: where it means something in any of the books."""
    price = reference_price(alert)
    return price is not None and any(
        is_heard(each.book, alert, cause, evolve(each.rules, price=price)) for each in matters
    )


def _warn_of_levels(record: Record, alert: Alert, book: Book) -> None:
    """Warn of a stop or target on paper that no live price can trigger."""
    names = {"stop_loss": alert.stop_loss, "take_profit": alert.take_profit}
    levels = " and ".join(name for name, level in names.items() if level is not None)
    if levels:
        text = (
            f"{levels} on paper: only prices that alerts bring for {book.instrument.symbol} can trigger "
            "it, and a move between two alerts is missed"
        )
        record.story.warnings.append(text)


def _refusal(floor: Floor, record: Record, target: Target, alert: Alert, no: Refused) -> Part:
    paper = trades_on_paper(floor.state.settings, record.strategy, target.account)
    side = alert.action if alert.action in ("buy", "sell") else ""
    text = no.message
    if no.code == MARKET_MISMATCH:
        text = f"{text.rstrip('.')}. {_say_where_else(floor, record, target, alert)}"
    denial = Denial(no.code, text, side, alert.quantity)
    return Part(target.account, paper, alert.symbol, denials=(denial,))


def _say_where_else(floor: Floor, record: Record, target: Target, alert: Alert) -> str:
    """Say whose alert it was, where it went, and what to change: the account, or the symbol."""
    account = floor.state.settings.accounts[target.account]
    market = f" (market: {account.market})" if account.market else ""
    return (
        f"{record.strategy} sent {alert.symbol} to {target.account}{market}: name an account of its market "
        f"by account_group in the alert or by strategies.{record.strategy}.account in config.yaml, or map it "
        f'by accounts.{target.account}.symbols: {{"{alert.symbol}": "…"}}.'
    )


def _cause(record: Record, alert: Alert) -> Cause:
    fired = fired_by(alert, record.received_at)
    return Cause(record.alert_id, record.seq, record.story.number, fired, alert.market_position)


def _decide(
    floor: Floor, record: Record, alert: Alert, who: Who, matter: _Matter, cause: Cause
) -> None:
    """Decide an alert in one book, write the wishes down and pursue them."""
    target, book, rules, cut = matter.target, matter.book, matter.rules, matter.cut
    floor.at = key_of(book)
    now = rules.times.now
    if cut.opens != 0 or cut.reduces == 0:
        rules = find_limits(floor, who, alert, target, book, rules)
    verdict = decide(book, alert, cause, rules, cut)
    changes = _changes(verdict, book, record.strategy)
    if not target.opens_here and not changes:
        return
    if verdict.code == "NOTHING_TO_CLOSE":
        verdict = evolve(verdict, message=_say_left(floor, record, alert, matter, verdict, rules))
    part = Part(
        target.account,
        book.paper,
        book.instrument.symbol,
        tick=book.instrument.tick,
        reduces=verdict.reduces,
        opens=verdict.opening.quantity if verdict.opening else Decimal(0),
        cancels=verdict.cancels,
        denials=verdict.denials,
        code=verdict.code,
        message=verdict.message,
        owes=verdict.owes(cause),
    )
    record.story.parts.append(part)
    record.story.warnings += [w for w in verdict.warnings if w not in record.story.warnings]
    if verdict.opening and book.paper and not floor.is_fed(book, now):
        _warn_of_levels(record, alert, book)
    record.note(now, _explain(part, verdict))
    if not changes:
        return
    if verdict.opening and not floor.is_dry:
        floor.count_opening(record.strategy, floor.symbol_key(alert.symbol))
    pursue(floor, verdict.book, now)


def _say_left(
    floor: Floor, record: Record, alert: Alert, matter: _Matter, verdict: Verdict, rules: Rules
) -> str:
    """Say what is left although there was nothing to close: on another account, or by nobody of ours."""
    account, name = matter.target.account, matter.book.instrument.symbol
    text = verdict.message or ""
    elsewhere = say_where_held(floor, record.strategy, alert, but=account)
    if alert.account is not None and elsewhere:
        text += f" {elsewhere}: name that account, or none."
    if rules.nets and rules.manual:
        left = f"{account} holds {plain(rules.manual)} {name} that no strategy opened"
        text += f" {left}: it is left alone."
        if not floor.is_dry:
            told = f"An alert of {record.strategy} found nothing to close, and {left}."
            floor.state.tell("position_left", told, rules.times.now, record.alert_id)
    return text


def _changes(verdict: Verdict, book: Book, strategy: str) -> bool:
    """Whether a verdict leaves anything behind: a denied alert on a new symbol does not."""
    if verdict.opening or verdict.reduces or verdict.cancels:
        return True
    old, new = book.share(strategy), verdict.book.share(strategy)
    return evolve(old, symbol=new.symbol) != new


def _explain(part: Part, verdict: Verdict) -> str:
    """Return the decision on one account in words, for the story."""
    said = [
        f"on {part.account}: closes {part.reduces} of the strategy's position, opens {part.opens}"
    ]
    if part.cancels:
        said.append(f"cancels {part.cancels} working")
    said += [f"denied {denial.code}: {denial.message}" for denial in verdict.denials]
    if verdict.code:
        said.append(f"{verdict.code}: {verdict.message}")
    return "; ".join(said)
