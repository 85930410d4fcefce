"""Take one alert in: is it new, where does it go, what does it mean there, what comes of it at once.

This is an alert's life inside the transaction, in the order of the rules: identity, route, instrument, age,
price, decision, pursuit. It talks to no network and answers nobody; the loop commits and answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Protocol

from brokers.protocol import Instrument, Refused
from desk.book import ENTRY, Book, Cause
from desk.codes import Denial
from desk.cut import Rules
from desk.decide import Verdict, decide, too_late
from desk.evolve import evolve
from desk.identity import digest, new_alert_id
from desk.options import Account
from desk.pursue import Call, meet_price, pursue
from desk.record import Part, Record, Story
from desk.reply import Delivery
from desk.routing import Target, is_paper, map_symbol, route, strategy_settings
from desk.state import Key, State
from desk.store import Store
from desk.timing import Times, judge_age
from parsers.alert import Alert, ParseError

ONE = Decimal(1)
DAY_MS = 86_400_000
DEFAULT_STRATEGY = "default"
LOCAL = frozenset({"local", "reduce_only", "stop"})
NETTING = frozenset({"linear", "futures", "forex"})


class Rates(Protocol):
    """How often a strategy may open on a symbol."""

    def may_open(self, strategy: str, symbol: str) -> int | None:
        """Return the seconds to wait, or None where one more opening alert is allowed."""

    def count_opening(self, strategy: str, symbol: str) -> None:
        """Count one opening alert."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """An alert that was delivered before: its answer is the recorded one."""

    alert_id: str
    has_key: bool


@dataclass(slots=True)
class Intake:
    """What taking an alert in needs: the state, the store for identities, and who does what."""

    state: State
    store: Store
    rates: Rates
    can_of: Callable[[Key], frozenset[str]]
    instrument_of: Callable[[str, str, int], Instrument | None]
    """Account, symbol and now -> instrument; None while it is being fetched; raises `Refused`."""
    symbol_key: Callable[[str], str]
    """A symbol without the exchange in front: what shares, prices and rates go by."""
    calls: list[Call] = field(default_factory=list)
    at: Key | None = None
    """The book that is being changed, for whoever must say where a fault happened."""

    def take(self, delivery: Delivery, place: int, number: int, now: int) -> Record | Duplicate:
        """Return the record of one entry of a delivery, or the alert that it repeats.

        `number` is the number of the delivery's first alert; 0 where this is the first.
        """
        entry = delivery.entries[place]
        named = delivery.strategies[place] if place < len(delivery.strategies) else None
        strategy = named or DEFAULT_STRATEGY
        if isinstance(entry, ParseError):
            return self.refuse(delivery, place, strategy, Denial(entry.code, entry.message), now)
        mark = digest(strategy, delivery.body, place)
        if not delivery.is_dry and (known := self._known(mark, entry, strategy, now)):
            return known
        record = self._open_record(delivery, strategy, entry, number)
        record.story.warnings += [*delivery.warnings, *entry.warnings]
        self._register(strategy, entry, record, delivery.is_dry, now)
        self._process(record, delivery.is_authenticated, now)
        denial = record.story.denial
        if not delivery.is_dry and not _is_limited(record) and (denial is None or denial.code):
            self._claim(mark, entry, record, now)
        return record

    def retry(self, record: Record, now: int) -> None:
        """Decide what could not be decided before: an order was in flight, or a fact was missing."""
        self._process(record, is_authenticated=False, now=now)

    def refuse(
        self, delivery: Delivery, place: int, strategy: str, denial: Denial, now: int
    ) -> Record:
        """Record an entry of which nothing can come: unreadable, or a fault of ours."""
        entry = delivery.entries[place]
        symbol = entry.symbol if isinstance(entry, Alert) else ""
        record = self._new_record(delivery, strategy, symbol, 0)
        record.story.denial = denial
        record.note(now, f"{denial.code}: {denial.message}")
        return record

    def _open_record(self, delivery: Delivery, strategy: str, alert: Alert, number: int) -> Record:
        record = self._new_record(delivery, strategy, alert.symbol, number)
        record.story.alert = alert
        record.story.action = alert.action
        record.story.comment = alert.comment
        return record

    def _new_record(self, delivery: Delivery, strategy: str, symbol: str, number: int) -> Record:
        state = self.state
        state.seq += 1
        story = Story(timings=dict(delivery.timings or {}), number=number or state.seq)
        record = Record(
            new_alert_id(delivery.received_at),
            state.seq,
            delivery.received_at,
            strategy,
            symbol,
            delivery.masked,
            story,
        )
        state.put(state.records, record.alert_id, record)
        state.touched[record.alert_id] = record
        return record

    # --- identity ------------------------------------------------------------------------------------

    def _known(self, mark: bytes, alert: Alert, strategy: str, now: int) -> Duplicate | None:
        """Return the alert this one repeats; without a key a later executed alert makes it new."""
        has_key = alert.idempotency_key is not None
        if alert.action in ("halt", "cancel"):
            return None
        if not has_key and self.state.settings.webhook.dedupe_seconds == 0:
            return None
        found = self.state.claims.get(mark) or self.store.find_identity(mark, now)
        if found is None:
            return None
        alert_id, number = found
        if not has_key and self._executed_since(strategy, alert.symbol, number):
            return None
        return Duplicate(alert_id, has_key)

    def _executed_since(self, strategy: str, symbol: str, number: int) -> bool:
        name = self.symbol_key(symbol)
        for key, book in self.state.books.items():
            share = book.shares.get(strategy)
            if share is None or share.marks.executed <= number:
                continue
            if name in (key[2], self.symbol_key(share.symbol)):
                return True
        return False

    def _claim(self, mark: bytes, alert: Alert, record: Record, now: int) -> None:
        seconds = self.state.settings.webhook.dedupe_seconds
        span = DAY_MS if alert.idempotency_key is not None else seconds * 1000
        if span and alert.action not in ("halt", "cancel"):
            self.state.put(self.state.claims, mark, (record.alert_id, record.story.number))
            row = (mark, record.alert_id, record.story.number, now + span)
            self.state.batch.identities.append(row)

    def _register(
        self, strategy: str, alert: Alert, record: Record, is_dry: bool, now: int
    ) -> None:
        """Create a strategy on its first alert; one that config.yaml names is known already."""
        settings, state = self.state.settings, self.state
        if strategy in settings.strategies or strategy in state.strategies:
            return
        if alert.action == "halt":
            return
        state.put(state.strategies, strategy, now)
        state.batch.strategies[strategy] = now
        if alert.strategy is not None:
            record.story.warnings.append(
                f'Strategy not registered: "{strategy}" was created, on paper. Write it under '
                "strategies in config.yaml to configure it."
            )

    # --- deciding ------------------------------------------------------------------------------------

    def _process(self, record: Record, is_authenticated: bool, now: int) -> None:
        alert = record.story.alert
        assert alert is not None
        if alert.action == "halt":
            scope = f"strategy:{alert.strategy}" if alert.strategy else "all"
            record.story.done = self.halt(scope, f"by alert {record.alert_id}", now)
            return
        targets = route(
            self.state.settings, record.strategy, alert.account, self._holding(record, alert, now)
        )
        if isinstance(targets, Denial):
            record.story.denial = targets
            return
        if record.story.todo:
            targets = tuple(t for t in targets if t.account in record.story.todo)
        self._decide_all(record, alert, targets, is_authenticated, now)

    def _holding(self, record: Record, alert: Alert, now: int) -> list[str]:
        """Return the accounts where the strategy holds or works this instrument."""
        name = self.symbol_key(alert.symbol)
        found: dict[str, None] = {}
        for account, _paper, symbol in self.state.active.get(record.strategy, {}):
            mapped = map_symbol(self.state.settings.accounts[account], alert.symbol)
            if symbol in (name, self.symbol_key(mapped)) or self._is_same_root(
                account, mapped, symbol, now
            ):
                found[account] = None
        return list(found)

    def _is_same_root(self, account: str, symbol: str, held: str, now: int) -> bool:
        if not symbol.endswith("!"):
            return False
        try:
            instrument = self.instrument_of(account, symbol, now)
        except Refused:
            return False
        books = [b for k, b in self.state.books.items() if k[0] == account and k[2] == held]
        return bool(instrument and any(b.instrument.root == instrument.root != "" for b in books))

    def _decide_all(
        self,
        record: Record,
        alert: Alert,
        targets: tuple[Target, ...],
        is_authenticated: bool,
        now: int,
    ) -> None:
        record.story.todo = []
        found: list[tuple[Target, Book]] = []
        for target in targets:
            try:
                books = self._books_of(record, alert, target, now)
            except Refused as no:
                record.story.parts.append(self._refusal(target, alert, no))
                continue
            if books is None:
                self._wait(record, target, "the instrument is being looked up")
            elif not alert.only_reduces and any(book.is_calling for _, book in books):
                self._wait(record, target, f"an order is on its way on {target.account}")
            else:
                found += books
        times = self._times(record, alert, now)
        asked = [
            (t, b, self._rules(record, alert, t, b, times, is_authenticated)) for t, b in found
        ]
        cause = self._cause(record, alert)
        if not times.expired and not all(too_late(b, alert, cause, r) for _, b, r in asked):
            self._move_price(alert, [book for _, book, _ in asked], now)
        for target, book, rules in asked:
            price = self.state.prices.get(book.instrument.symbol) if book.paper else alert.price
            self._decide_one(record, alert, target, book, evolve(rules, price=price), cause, now)

    def _wait(self, record: Record, target: Target, why: str) -> None:
        record.story.todo.append(target.account)
        record.story.waits_for = why

    def _books_of(
        self, record: Record, alert: Alert, target: Target, now: int
    ) -> list[tuple[Target, Book]] | None:
        """Return the books an alert concerns on one account: its instrument's, and for what reduces those
        of dated contracts that a continuous symbol stands for. None while the instrument is unknown."""
        account = self.state.settings.accounts[target.account]
        paper = is_paper(self.state.settings, account)
        instrument = self.instrument_of(target.account, map_symbol(account, alert.symbol), now)
        if instrument is None:
            return None
        own = self.state.book(target.account, paper, instrument)
        books = [(target, self.state.books.get(_key(own), own))]
        if not instrument.is_continuous:
            return books
        held = own.share(record.strategy).quantity
        if held and alert.action in ("buy", "sell"):
            return books
        for key in self.state.active.get(record.strategy, {}):
            other = self.state.books[key]
            is_other = key[:2] == (target.account, paper) and key[2] != instrument.symbol
            if is_other and other.instrument.root == instrument.root:
                books.append((evolve(target, opens_here=False), other))
        return books

    def _refusal(self, target: Target, alert: Alert, no: Refused) -> Part:
        account = self.state.settings.accounts[target.account]
        paper = is_paper(self.state.settings, account)
        side = alert.action if alert.action in ("buy", "sell") else ""
        denial = Denial(no.code, no.message, side, alert.quantity)
        return Part(target.account, paper, alert.symbol, denials=(denial,))

    def _times(self, record: Record, alert: Alert, now: int) -> Times:
        limit = self.state.settings.webhook.max_age_seconds * 1000
        return judge_age(alert, record.received_at, now, limit)

    def _cause(self, record: Record, alert: Alert) -> Cause:
        return Cause(
            record.alert_id, record.seq, record.story.number, alert.fired_at, alert.market_position
        )

    def _rules(
        self,
        record: Record,
        alert: Alert,
        target: Target,
        book: Book,
        times: Times,
        is_authenticated: bool,
    ) -> Rules:
        settings = self.state.settings
        strategy = strategy_settings(settings, record.strategy)
        account = settings.accounts[target.account]
        default = strategy.default_quantity
        return Rules(
            strategy=record.strategy,
            account=target.account,
            times=times,
            multiplier=target.multiplier,
            default_quantity=settings.default_quantity if default is None else default,
            use_market_orders=strategy.use_market_orders,
            direction=strategy.direction,
            sync=strategy.sync == "position",
            pyramid=strategy.pyramid,
            opens_here=target.opens_here,
            denied=self._denied(record, alert, target, book, is_authenticated),
            nets=not book.paper and book.instrument.kind in NETTING,
            limit_ms=settings.webhook.limit_seconds * 1000,
            day_ms=_left_of_day(account, times.now),
            price=self.state.prices.get(book.instrument.symbol),
        )

    def _denied(
        self, record: Record, alert: Alert, target: Target, book: Book, is_authenticated: bool
    ) -> Denial | None:
        name = record.strategy
        if not strategy_settings(self.state.settings, name).enabled:
            text = f"{name} is disabled: set strategies.{name}.enabled to true to open again."
            return Denial("STRATEGY_DISABLED", text)
        if why := self.state.halted(name, target.account):
            return Denial("HALTED", f"No opening orders: {why}. POST /resume ends the halt.")
        if why := self.state.blocked.get(_key(book)):
            return Denial("BOOK_BLOCKED", why)
        if not is_authenticated:
            return None
        wait = self.rates.may_open(name, self.symbol_key(alert.symbol))
        if wait is None:
            return None
        rate = self.state.settings.webhook.rate_limit
        text = f"Rate limit exceeded: {rate} opening alerts for {name} on {alert.symbol}. "
        return Denial("RATE_LIMITED", f"{text}Try again in {wait} s.", retry_after=wait)

    def _decide_one(
        self,
        record: Record,
        alert: Alert,
        target: Target,
        book: Book,
        rules: Rules,
        cause: Cause,
        now: int,
    ) -> None:
        key = self.at = _key(book)
        book = self.state.books.get(key, book)
        verdict = decide(book, alert, cause, rules)
        if not target.opens_here and not verdict.reduces and not verdict.cancels:
            if not verdict.book.share(rules.strategy).wishes:
                return
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
        )
        record.story.parts.append(part)
        record.story.warnings += [w for w in verdict.warnings if w not in record.story.warnings]
        record.note(now, _explain(part, verdict))
        if not _changes(verdict, book, record.strategy):
            return
        self.state.put_book(verdict.book, now)
        if verdict.opening:
            self.rates.count_opening(record.strategy, self.symbol_key(alert.symbol))
        pursue(self.state, key, now, self.can_of, self.calls)

    # --- prices and halts ----------------------------------------------------------------------------

    def _move_price(self, alert: Alert, books: list[Book], now: int) -> None:
        """Move the symbol on paper to the alert's price, before the alert itself is decided."""
        price = reference_price(alert)
        if price is None or price <= 0:
            return
        names = {self.symbol_key(alert.symbol)}
        names |= {book.instrument.symbol for book in books if book.paper}
        for name in names:
            self.state.move(name, price, now)
            for key in list(self.state.by_instrument.get(name, ())):
                if "local" in self.can_of(key):
                    meet_price(self.state, key, price, now, self.can_of, self.calls)

    def halt(self, scope: str, reason: str, now: int) -> str:
        """Stop opening orders of a scope until a resume, and cancel its working entries."""
        state = self.state
        state.put(state.halts, scope, (reason, now))
        state.batch.switches[scope] = (reason, now)
        kind, _, name = scope.partition(":")
        for key, book in list(state.books.items()):
            if kind == "account" and key[0] != name:
                continue
            changed = book
            for order in book.live(name if kind == "strategy" else None, ENTRY):
                changed = changed.with_order(evolve(order, ends="cancelled", due_at=None))
            if changed is not book:
                state.put_book(changed, now)
                pursue(state, key, now, self.can_of, self.calls)
        what = "Everything" if scope == "all" else f"{kind.capitalize()} {name}"
        text = f"{what} is halted: nothing is opened until POST /resume. Exits still work."
        state.tell("halted", f"{text} ({reason})", now)
        return text


def reference_price(alert: Alert) -> Decimal | None:
    """Return what the alert says the instrument costs; the level of its own order is not that."""
    if alert.order_type == "limit" and alert.limit_price is None:
        return None
    if alert.order_type == "stop" and alert.stop_price is None:
        return None
    return alert.price


def _is_limited(record: Record) -> bool:
    """Whether nothing came of an alert but a 429: that claims no identity."""
    codes = [denial.code for part in record.story.parts for denial in part.denials]
    return "RATE_LIMITED" in codes and not record.orders


def _changes(verdict: Verdict, book: Book, strategy: str) -> bool:
    """Whether a verdict leaves anything behind: a denied alert on a new symbol does not."""
    if verdict.opening or verdict.reduces or verdict.cancels:
        return True
    old, new = book.share(strategy), verdict.book.share(strategy)
    return evolve(old, symbol=new.symbol) != new


def _explain(part: Part, verdict: Verdict) -> str:
    """Return the decision on one account in words, for the story."""
    said = [f"on {part.account}: takes {part.reduces} of the share, opens {part.opens}"]
    if part.cancels:
        said.append(f"cancels {part.cancels} working")
    said += [f"denied {denial.code}: {denial.message}" for denial in verdict.denials]
    if verdict.code:
        said.append(f"{verdict.code}: {verdict.message}")
    return "; ".join(said)


def _left_of_day(account: Account, now: int) -> int:
    """Return the milliseconds until the account's trading day ends."""
    clock, zone = account.day_start
    moment = datetime.fromtimestamp(now / 1000, UTC).astimezone(zone)
    end = datetime.combine(moment.date(), clock, zone)
    if end <= moment:
        end = datetime.combine(moment.date() + timedelta(days=1), clock, zone)
    return int((end - moment).total_seconds() * 1000)


def _key(book: Book) -> Key:
    return book.account, book.paper, book.instrument.symbol
