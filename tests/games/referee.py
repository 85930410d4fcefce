"""Judge a game while it is played, by what left for the venues and what they executed.

The end of a game shows what was doubled or left over; much else is over by then: a stop that was missing for
an hour, an entry that left too late, an exit repeated every second. The referee looks at each order as it
leaves, at each alert as it was decided, and, while the venues answer, at every second.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from brokers.protocol import Fill, OrderRequest
from desk.alerts.record import Part, Record
from desk.orders.legs import wanted_legs
from desk.orders.order import ENTRY, EXIT, NO_ORDER, STOP_LOSS, TAKE_PROFIT, Order
from desk.orders.position_book import PositionBook
from desk.orders.rounding import floor_to
from desk.orders.strategy_position import StrategyPosition
from desk.state.rows import ORDER
from parsers.alert import Alert
from tests.games import naive_model
from tests.games.naive_model import TICK
from tests.support.fakes import FakeClock
from tests.support.lying_venue import STEP, LyingVenue

ZERO = Decimal(0)
MAX_AGE_MS = 90_000
"""The shipped `webhook.max_age_seconds`."""
LIMIT_MS = 300_000
"""The shipped `limit_seconds`."""
AT_ONCE_MS = 5_000
LOOKS, LOOKED_MS = 3, 10_000
"""How often, and how long after its send, an order is looked for before it counts as absent."""
Place = tuple[str, str, str]
"""Account, instrument, strategy."""


@dataclass
class Held:
    """What the executions of one strategy add up to, and the entries behind it."""

    quantity: Decimal = ZERO
    entries: dict[str, Order] = field(default_factory=dict)
    is_stray: bool = False
    """Whether a reducing order opened it."""
    rounds: int = 0
    """How often it was flat before."""
    added: Decimal = ZERO
    """What its entries have filled in all."""


class Referee:
    """Judges the games of one seed."""

    def __init__(self, venues: dict[str, LyingVenue], clock: FakeClock) -> None:
        self.venues = venues
        self.clock = clock
        self.sent: dict[str, Order] = {}
        self.takes: dict[tuple[str, str], Decimal] = {}
        self.closed: dict[Place, int] = {}
        self.wrong: dict[tuple[Any, ...], int] = {}
        self.stops: dict[Place, tuple[Any, ...]] = {}

    # --- an order leaves -------------------------------------------------------------------------------

    def leaves(
        self, book: PositionBook, order: Order, request: OrderRequest, record: Record | None
    ) -> None:
        """Check one order as it is handed out."""
        self.sent |= {each.client_id: each for each in (order, *order.legs)}
        assert request.quantity % STEP == 0, f"{request.quantity} is not on the step"
        assert request.reduces == (order.kind != ENTRY), "reduce-only in the wrong place"
        if order.kind == ENTRY:
            assert record is not None, "an entry without an alert"
            self._judge_entry(book, order, record)
        else:
            self._judge_reducing(book, order, request)

    def _judge_entry(self, book: PositionBook, order: Order, record: Record) -> None:
        alert = record.story.alert
        assert alert is not None
        assert order.side == alert.action
        assert (order.order_type, order.limit_price) == (
            alert.order_type or "market",
            alert.limit_price,
        )
        levels = (order.stop_loss, order.take_profit)
        assert levels == (alert.stop_loss, alert.take_profit), "its levels were lost"
        self._judge_targets(book, order, alert)
        assert self.clock() - record.received_at <= MAX_AGE_MS, "an entry left too late"
        way = 1 if order.side == "buy" else -1
        assert book.position(order.strategy).quantity * way >= 0, "an entry left against its share"
        for other in book.open_orders():
            if other.client_id == order.client_id:
                continue
            is_new = (
                other.queries == 0
            )  # it may have become unknown by another answer of this moment
            assert other.status != "unknown" or is_new, (
                "an entry left behind an order that may exist"
            )
            is_own = other.strategy == order.strategy
            assert not (is_own and other.kind == ENTRY), "an entry left beside the one it replaces"
            assert is_own or "locks_balance" in book.capabilities, (
                "an entry left beside another strategy's"
            )
        self._judge_payment(book, order)
        if "locks_balance" not in book.capabilities:
            others = [s for s in book.positions.values() if s.strategy != order.strategy]
            assert not any(s.quantity for s in others), "two strategies in one netted position"

    def _judge_targets(self, book: PositionBook, order: Order, alert: Alert) -> None:
        """Check that an entry leaves with all its targets, in sizes that divide the position."""
        asked, sent = alert.take_profits, order.take_profits
        assert [each.level for each in sent] == [each.level for each in asked], "targets were lost"
        assert order.move_stop == alert.move_stop, "what becomes of the stop was lost"
        times = Decimal("0.5") if (order.strategy, book.account) == ("fan", "b") else Decimal(1)
        for one, other in zip(asked, sent, strict=True):
            wanted = None if one.quantity is None else one.quantity * times
            assert other.quantity == wanted, "a target's quantity is not that of the account"
        percents = [each.percent or ZERO for each in sent]
        assert all(each > 0 for each in percents), "a target takes nothing"
        assert sum(percents, ZERO) <= 100, "targets take more than there is"
        if any(each.quantity is None and each.percent is None for each in asked):
            assert sum(percents, ZERO) == 100, "targets leave something over"

    def _judge_payment(self, book: PositionBook, order: Order) -> None:
        """Check that a coin which strategies hold is not what an entry is paid with.

        The price may have moved since the order was decided: only what is clearly more than is free is wrong.
        What was too small to be sold was written off and is nobody's.
        """
        venue, coin = self.venues[book.account], book.instrument.quote
        if order.side != "buy" or coin not in venue.coins:
            return
        if any(
            not f.client_id and venue.instruments[s].holding == coin for s, f in venue.executions
        ):
            return  # a hand has sold of it: what strategies hold there is not theirs any more
        held = sum(
            (
                each.quantity
                for (account, symbol, _), each in self._add_up().items()
                if account == book.account and venue.instruments[symbol].holding == coin
            ),
            ZERO,
        )
        free = venue.positions.get(coin, ZERO) - held
        cost = order.quantity * (order.limit_price or venue.prices[book.instrument.symbol])
        assert held < STEP or cost * Decimal("0.7") <= free, (
            f"{cost} {coin} is paid and {free} is nobody's"
        )

    def _judge_reducing(self, book: PositionBook, order: Order, request: OrderRequest) -> None:
        venue = self.venues[book.account]
        if order.order_type == "market" and not venue.capabilities & {
            "reduce_only",
            "locks_balance",
        }:
            seen = venue.seen.get(book.instrument.holding, ZERO)
            room = max(ZERO, seen if order.side == "sell" else -seen)
            assert request.quantity <= room, "an exit was not sized by what the venue holds"
        whole = self.takes.get((order.cause.alert_id, book.account))
        if order.kind == EXIT and order.is_resting and whole is not None:
            gone = sum(
                (
                    each.filled
                    for cid, each in venue.orders.items()
                    if self._is_resting_exit(cid, order.cause.alert_id)
                ),
                ZERO,
            )
            assert gone + request.quantity <= whole, "a resting exit takes more than was asked"

    def ends(self, book: PositionBook, order: Order) -> None:
        """Check that a stop which is replaced is cancelled only once the new one stands."""
        position = book.position(order.strategy)
        is_guarded = "reduce_only" in book.capabilities and "oco" not in book.capabilities
        wants = wanted_legs(book, position).get((STOP_LOSS, 0))
        if order.kind != STOP_LOSS or wants is None or not is_guarded or position.has_pending_exit:
            return
        if (order.side == "sell") != (position.quantity > 0):
            return  # it was for a position on the other side
        if position.retry_state(STOP_LOSS).failures:
            return  # the venue would not take a second one beside it
        legs = book.open_orders(order.strategy, STOP_LOSS)
        # A new one may have become unknown by another answer of this moment.
        stand = [
            e for e in legs if e.status == "accepted" or (e.status == "unknown" and not e.queries)
        ]
        assert any(each is not order for each in stand), (
            "a stop is cancelled before the one that replaces it stands"
        )

    def _is_resting_exit(self, client_id: str, alert_id: str) -> bool:
        order = self.sent.get(client_id)
        if order is None or order.cause.alert_id != alert_id:
            return False
        return order.kind == EXIT and order.is_resting

    # --- an alert was decided --------------------------------------------------------------------------

    def decided(
        self,
        alert: Alert,
        record: Record,
        account: str,
        books: tuple[PositionBook | None, PositionBook],
    ) -> None:
        """Check what an alert did at once to the strategy's orders and share; `books`: before and after."""
        before, after = books
        [part] = [each for each in record.story.parts if each.account == account]
        strategy = record.strategy
        if alert.moves_only:
            self._judge_move(before, after, part, record)
            return
        for order in after.open_orders(strategy, ENTRY):
            is_older = order.cause.seq < record.seq
            assert order.end_status or not is_older, "a working entry was not cancelled"
        position = after.position(strategy)
        if alert.action == "cancel":
            assert position.exit is None, "an exit rests although it was cancelled"
            return
        if before is not None and before.unresolved:
            assert part.opens == 0, "opened although an order may exist"
        against = (
            [o for o in before.open_orders(strategy, ENTRY) if o.side != alert.action]
            if before
            else []
        )
        may_come = sum(
            (order.leaves_quantity for order in against), ZERO
        )  # what they still fill is taken as well
        self.takes[(record.alert_id, account)] = part.reduces + may_come
        if alert.order_type is None and part.reduces:
            held = before.position(strategy).projected_quantity if before else ZERO
            assert abs(position.projected_quantity) == abs(held) - part.reduces, (
                "an owed exit was forgotten"
            )
        turns = position.projected_quantity == 0 and alert.order_type is None and bool(against)
        if alert.action == "close" or (alert.only_reduces and part.reduces) or turns:
            self.closed[(account, after.instrument.symbol, strategy)] = record.seq

    def _judge_move(
        self, before: PositionBook | None, after: PositionBook, part: Part, record: Record
    ) -> None:
        """Check that an alert which moves a stop moved it to profit, or changed nothing at all."""
        position = after.position(record.strategy)
        said = record.story.alert.price if record.story.alert else None
        old = before.position(record.strategy) if before else StrategyPosition(record.strategy)
        assert position.quantity == old.quantity or before is None
        for order in before.open_orders(record.strategy, ENTRY) if before else ():
            now = after.orders.get(order.client_id)
            assert now is None or order.end_status or not now.end_status, "an entry was cancelled"
        if not part.has_moved:
            assert position.stop_loss == old.stop_loss, "a stop was moved without a word"
            return
        way = 1 if position.quantity > 0 else -1
        assert position.stop_loss is not None
        level = position.stop_loss.price
        # The venue's last told price, which the alert's agreed with, may have moved since.
        known = (self.venues[after.account].prices[after.instrument.symbol], said)
        is_right = any(price is not None and (price - level) * way > 0 for price in known)
        assert is_right, "a stop was moved to the wrong side of the price"
        assert old.stop_loss is None or (level - old.stop_loss.price) * way > 0, (
            "a stop was loosened"
        )
        lowest = position.ledger.average_price - TICK * way
        assert (level - lowest) * way >= 0, "a break-even stop stands below break-even"

    # --- while the venues answer -----------------------------------------------------------------------

    def watch(self, books: list[PositionBook]) -> None:
        """Check that nothing is wrong for longer than a few seconds."""
        held = self._add_up()
        wrong = self._compare_working(books)
        for book in books:
            if book.is_calling or book.unresolved:
                continue
            for order in book.open_orders():
                seen = self.venues[book.account].orders.get(order.client_id)
                if order.status == "accepted" and seen and seen.filled != order.filled:
                    wrong.add(("a fill is not seen", order.client_id))
                held_now = abs(book.position(order.strategy).quantity)
                if (
                    order.kind != ENTRY
                    and order.status == "accepted"
                    and order.leaves_quantity > held_now
                ):
                    wrong.add(("a working exit is larger than its share", order.client_id))
            for position in book.positions.values():
                place = (book.account, book.instrument.symbol, position.strategy)
                if abs(position.quantity) >= STEP:
                    self._watch_stop(position, held[place], place)
                if abs(position.quantity) >= STEP and not position.has_pending_exit:
                    found = self._judge_share(book, position, held[place], place)
                    wrong |= {(text, *place) for text in found}
        self.wrong = {each: self.wrong.get(each, self.clock()) for each in wrong}
        for each, since in self.wrong.items():
            assert self.clock() - since <= AT_ONCE_MS, f"{each}"

    def _watch_stop(self, position: StrategyPosition, held: Held, place: Place) -> None:
        """Check that the stop of a position which no entry has changed is never loosened."""
        if position.stop_loss is None or position.quantity * held.quantity <= 0:
            return
        way, level = 1 if position.quantity > 0 else -1, position.stop_loss.price
        # What the desk has not heard of yet changes nothing for it.
        known = (
            held.rounds,
            held.added,
            way,
            position.protection_cause.alert_id,
            position.ledger.average_price,
        )
        last = self.stops.get(place)
        if last is not None and last[0] == known:
            assert (level - last[1]) * way >= 0, f"a stop was loosened from {last[1]} to {level}"
        self.stops[place] = (known, level)

    def _compare_working(self, books: list[PositionBook]) -> set[tuple[Any, ...]]:
        """Return the orders that work at a venue or for the desk, but not for both."""
        wrong: set[tuple[Any, ...]] = set()
        for account, venue in self.venues.items():
            own = [book for book in books if book.account == account]
            open_ones = {b.instrument.symbol for b in own if b.is_calling or b.unresolved}
            works = {
                cid
                for cid, order in venue.orders.items()
                if order.status == "accepted" and order.request.instrument.symbol not in open_ones
            }
            settled = [book for book in own if book.instrument.symbol not in open_ones]
            known = {order.client_id: order for book in settled for order in book.open_orders()}
            believed = {cid for cid, order in known.items() if order.status == "accepted"}
            wrong |= {("works, and the desk does not know", cid) for cid in works - set(known)}
            wrong |= {("the desk believes that it works", cid) for cid in believed - works}
        return wrong

    def _judge_share(
        self, book: PositionBook, position: StrategyPosition, held: Held, place: Place
    ) -> list[str]:
        """Return what is wrong with one share that nothing is owed of."""
        if (held.quantity > 0) != (position.quantity > 0) or abs(held.quantity) < STEP:
            return []  # the desk has not heard of it yet, or a hand closed it
        found = []
        if held.is_stray:
            found.append("what a reducing order opened stays")
        last = max((order.cause.seq for order in held.entries.values()), default=0)
        if held.entries and last < self.closed.get(place, 0):
            found.append("what was closed stays")
        # What the last entry brought must stand, in its place or in that of one before it. One that brought
        # nothing keeps the levels before it only where the desk never saw the share flat in between.
        stops, targets = self._levels(book.account, held)
        newest = next(reversed(held.entries.values()), NO_ORDER)
        is_as_sent = position.stop_loss is not None and (
            position.is_stop_moved or position.stop_loss.price in stops
        )
        if newest.stop_loss and not is_as_sent:
            found.append(f"its stop is {position.stop_loss}, not one of {stops}")
        if newest.take_profit and (
            position.take_profit is None or position.take_profit.price not in targets
        ):
            found.append(f"its target is {position.take_profit}, not one of {targets}")
        if (
            "locks_balance" not in book.capabilities
            and position.take_profit
            and not self._has_target(book, position)
        ):
            found.append("its target does not stand")
        if position.targets:
            found += self._judge_parts(book, position, list(held.entries), targets)
        elif newest.take_profits:
            found.append("its targets are gone")
        return found

    def _judge_parts(
        self,
        book: PositionBook,
        position: StrategyPosition,
        entries: list[str],
        levels: set[Decimal],
    ) -> list[str]:
        """Return what is wrong with several targets of one share, and with the stop that follows them."""
        found = []
        newest = self.sent[entries[-1]] if entries else NO_ORDER
        held, way = abs(position.quantity), 1 if position.quantity > 0 else -1
        parts = sum((each.quantity for each in position.targets), ZERO)
        is_whole = sum((each.percent or ZERO for each in newest.take_profits), ZERO) == 100
        if parts - held > STEP / 1000:
            found.append(f"its targets are for {parts} of {held}")
        if is_whole and held - parts > STEP / 1000:
            found.append(f"its targets leave {held - parts} of {held}")
        if newest.take_profits and not {each.price for each in position.targets} <= levels:
            found.append(f"its targets are {position.targets}, not of {levels}")
        has_room = "locks_balance" not in book.capabilities or position.stop_loss is None
        if (has_room or "oco" in book.capabilities) and position.exit is None:
            stands = self._sum_targets(book, position)
            if stands > held:
                found.append(f"targets of {stands} stand for {held}")
            # A pair that was refused leaves the stop alone for a while where nothing else has room.
            is_calm = has_room or not position.retries
            if is_whole and is_calm and stands != floor_to(held, STEP):
                found.append(f"targets of {stands} stand for all of {held}")
        done = sorted((each.price * way for each in position.targets if each.is_done), reverse=True)
        costs = {f.price for cid in entries for f in self.venues[book.account].orders[cid].fills}
        if (
            position.move_stop and done and len(costs) == 1
        ):  # else the average changes with each exit
            least = costs.pop() - TICK * way
            if position.move_stop == "previous_target" and len(done) > 1:
                least = done[1] * way
            if position.stop_loss is None or (position.stop_loss.price - least) * way < 0:
                found.append(f"its stop is {position.stop_loss} after targets, not {least}")
        return found

    def _sum_targets(self, book: PositionBook, position: StrategyPosition) -> Decimal:
        """Return what the targets of a position that work at its venue would take together."""
        orders = self.venues[book.account].orders
        return sum(
            (
                orders[cid].leaves_quantity
                for cid, sent in self.sent.items()
                if cid in orders
                and orders[cid].status == "accepted"
                and (sent.strategy, sent.kind) == (position.strategy, TAKE_PROFIT)
                and orders[cid].request.instrument.symbol == book.instrument.symbol
            ),
            ZERO,
        )

    def _levels(self, account: str, held: Held) -> tuple[set[Decimal], set[Decimal]]:
        """Return where stop and target may stand, by the entries that brought any."""
        venue = self.venues[account]
        stops, targets = set(), set()
        for cid, order in held.entries.items():
            average = naive_model.average(venue.orders[cid].fills)
            if order.legs and order.limit_price:  # attached ones count from the entry's own price
                average = order.limit_price
            if order.stop_loss is not None:
                away = average * (order.stop_loss.percent or ZERO) / 100
                stops.add(naive_model.level(average, order.side, -away))
            if order.take_profit is not None:
                away = order.take_profit.amount or ZERO
                targets.add(naive_model.level(average, order.side, away))
            for each in order.take_profits:
                targets.add(naive_model.level(average, order.side, each.level.amount or ZERO))
        return stops, targets

    def _has_target(self, book: PositionBook, position: StrategyPosition) -> bool:
        assert position.take_profit is not None
        return any(
            each.status == "accepted"
            and each.request.limit_price == position.take_profit.price
            and each.leaves_quantity == abs(position.quantity)
            for cid, each in self.venues[book.account].orders.items()
            if cid in self.sent and self.sent[cid].strategy == position.strategy
        )

    def _add_up(self) -> dict[Place, Held]:
        """Add the executions up, each strategy's by itself."""
        found: dict[Place, Held] = defaultdict(Held)
        for account, venue in self.venues.items():
            for symbol, fill in venue.executions:
                order = self.sent.get(fill.client_id)
                if order is None:
                    continue
                held = found[(account, symbol, order.strategy)]
                change = naive_model.position([fill], venue.instruments[symbol].base)
                before, held.quantity = held.quantity, held.quantity + change
                if order.kind == ENTRY:
                    held.entries.pop(order.client_id, None)
                    held.entries[order.client_id] = order
                    held.is_stray = False
                    held.added += abs(change)
                elif held.quantity * change > 0 and abs(held.quantity) >= STEP:
                    held.is_stray = held.is_stray or before * change <= 0
                    held.entries.clear()
                if abs(held.quantity) < STEP:  # what is too small to be sold is written off
                    found[(account, symbol, order.strategy)] = Held(rounds=held.rounds + 1)
        return found

    # --- at any moment ---------------------------------------------------------------------------------

    def check_lots(self, books: list[PositionBook], rows: list[tuple[Any, ...]]) -> None:
        """Check that every share has the lots that the fills on record leave, in the order of the record.

        What the record says of an order is what its venue executed, or less while it was not all told.
        """
        fills: dict[Place, list[Fill]] = defaultdict(list)
        told: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        for account, symbol, strategy, cid, side, quantity, price, fee, coin, at in rows:
            fill = Fill("", cid, side, Decimal(quantity), Decimal(price), Decimal(fee), coin, at)
            fills[(account, symbol, strategy)].append(fill)
            told[(account, cid)] += fill.quantity
        for book in books:
            base = book.instrument.base if book.instrument.kind == "spot" else ""
            for position in book.positions.values():
                some = fills.pop((book.account, book.instrument.symbol, position.strategy), [])
                want = naive_model.lots(some, base)
                got = [(lot.quantity, lot.price) for lot in position.ledger.lots]
                assert got == want, f"{position.strategy} on {book.account}: lots {got}, not {want}"
                sizes = sum((size for size, _ in want), ZERO)
                assert abs(position.quantity) == sizes, (
                    f"a share of {position.quantity}, lots of {sizes}"
                )
        for (account, symbol, strategy), some in fills.items():  # at rest, so no longer in memory
            traded = self.venues[account].instruments[symbol]
            left = naive_model.lots(some, traded.base if traded.kind == "spot" else "")
            assert not left, f"the share of {strategy} in {symbol} was forgotten: {left}"
        for (account, cid), quantity in told.items():
            if cid:
                executed = self.venues[account].orders[cid].filled
                assert quantity <= executed, f"{cid}: {quantity} on record, {executed} executed"

    # --- the long run ----------------------------------------------------------------------------------

    def check_entries_ended(self, books: list[PositionBook]) -> None:
        """Check that no entry works at a venue long after its time, but for those still looked up."""
        unknown = {
            o.client_id for book in books for o in book.open_orders() if o.status == "unknown"
        }
        for name, venue in self.venues.items():
            for at, request in venue.placed:
                order = venue.orders.get(request.client_id)
                if request.reduces or order is None or order.status != "accepted":
                    continue
                if request.client_id in unknown:
                    continue
                assert self.clock() - at <= LIMIT_MS + 60_000, f"an entry still works at {name}"

    def check_tries(self, since: int, most: int) -> None:
        """Check that no share was tried to be closed more often than `most` times."""
        tries: dict[Place, int] = defaultdict(int)
        for name, venue in self.venues.items():
            for at, request in venue.placed:
                if at >= since and request.reduces and request.order_type == "market":
                    owner = self.sent[request.client_id].strategy
                    tries[(name, request.instrument.symbol, owner)] += 1
        assert max(tries.values(), default=0) <= most, f"one exit was sent again and again: {tries}"

    def check_end(self, rows: list[tuple[str, str]]) -> None:
        """Check at the end that no id was used twice, and that what counts as absent was looked for."""
        for account, data in rows:
            order = ORDER.validate_json(data)
            if order.status != "absent" or order.code != "ABSENT":
                continue
            queries = self.venues[account].missed[order.client_id]
            assert len(queries) >= LOOKS, f"believed absent after {len(queries)} looks"
            assert queries[-1] - (order.sent_at or 0) >= LOOKED_MS, "believed absent too soon"
        for venue in self.venues.values():
            ids = [request.client_id for _, request in venue.placed]
            assert len(ids) == len(set(ids)), "one id was used for two orders"
