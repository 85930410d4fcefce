"""The next step: one comparison of what a share wishes and what the venue has."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from brokers.instruments.symbols import classify
from brokers.protocol import Fill, Instrument, OrderReport
from desk.decision.context import DecisionContext
from desk.decision.decide import decide
from desk.decision.staleness import Times
from desk.orders.apply import InvariantBroken, receive, settle, take_step
from desk.orders.evolve import evolve
from desk.orders.ledger import Execution, LotLedger, book_fill
from desk.orders.legs import is_protected
from desk.orders.order import ENTRY, EXIT, NO_ORDER, STOP_LOSS, TAKE_PROFIT, AlertRef
from desk.orders.plan import next_step, wakes_at
from desk.orders.position_book import PositionBook, VenuePosition
from desk.orders.steps import Amend, Cancel, Discard, QueryOrder, ReadAccount, Submit
from desk.orders.strategy_position import ProtectiveLevel, StrategyPosition
from parsers.alert import Alert

NOW = 1_000_000
CAN = frozenset({"reduce_only"})
LOCKS = frozenset({"locks_balance"})
INSTRUMENT = classify("MES1!", None, date(2025, 11, 21))
CAUSE = AlertRef("alert_1", 7, 7)
COIN = Instrument("BTCUSDT", "spot", "BTC", "USDT", step=Decimal("0.001"))


def held(quantity: int) -> LotLedger:
    """Return a position of so many contracts, signed."""
    side = "buy" if quantity > 0 else "sell"
    fill = Execution(side, Decimal(abs(quantity)), Decimal(100), Decimal(0), NOW)
    return book_fill(LotLedger(), fill)[0]


def book_with(
    quantity: int = 0, *, capabilities: frozenset[str] = CAN, **wishes: object
) -> PositionBook:
    """Return a book whose one share holds so much and wishes so."""
    position = evolve(
        StrategyPosition("s"), ledger=held(quantity) if quantity else LotLedger(), **wishes
    )
    return PositionBook("a", False, INSTRUMENT, {"s": position}, capabilities=capabilities)


def run(book: PositionBook, now: int = NOW) -> tuple[PositionBook, list[object]]:
    """Take every step and let the venue accept what rests and fill what does not."""
    steps: list[object] = []
    while step := next_step(book, now):
        steps.append(step)
        book = take_step(book, step, now)
        if isinstance(step, Submit):
            book = receive(book, _answer(step.order), now)
        elif isinstance(step, Cancel):
            book = receive(book, OrderReport(step.client_id, "cancelled"), now)
    return book, steps


def seen(book: PositionBook, held: int | None, now: int) -> PositionBook:
    """Return the book after the account was read."""
    return evolve(book, venue_position=VenuePosition(None if held is None else Decimal(held), now))


def _answer(order) -> OrderReport:
    if order.is_resting:
        return OrderReport(order.client_id, "accepted")
    fill = Fill("t" + order.client_id, order.client_id, order.side, order.quantity,
                Decimal(100), Decimal(0), "USD", NOW)  # fmt: skip
    return OrderReport(order.client_id, "filled", None, order.quantity, Decimal(100), (fill,))


def test_nothing_is_done_where_nothing_is_wished():
    """A share without a wish needs no order."""
    assert next_step(book_with(3), NOW) is None


def test_a_lowered_keep_sells_what_is_too_much_and_comes_true():
    """Keep 1 of 3: two are sold, then the wish is gone."""
    book, steps = run(book_with(3, reduce_to=Decimal(1), exit_cause=CAUSE))
    assert [(s.order.kind, s.order.side, s.order.quantity) for s in steps] == [(EXIT, "sell", 2)]
    assert (book.position("s").quantity, book.position("s").reduce_to) == (1, None)


def test_stop_and_target_cover_exactly_the_share():
    """Both are placed in the share's size, and stand."""
    book, steps = run(
        book_with(
            3, stop_loss=ProtectiveLevel(Decimal(90)), take_profit=ProtectiveLevel(Decimal(120))
        )
    )
    placed = [(s.order.kind, s.order.quantity) for s in steps]
    assert placed == [(STOP_LOSS, 3), (TAKE_PROFIT, 3)]
    assert is_protected(book, book.position("s")) is True


def test_protection_is_resized_when_the_share_changed():
    """A stop for 3 on a share of 2 is replaced: the new one stands before the old one is cancelled."""
    book, _ = run(book_with(3, stop_loss=ProtectiveLevel(Decimal(90))))
    book = book.with_position(evolve(book.position("s"), ledger=held(2)))
    assert is_protected(book, book.position("s")) is False
    book, steps = run(book)
    assert [type(step) for step in steps] == [Submit, Cancel]
    assert steps[0].order.quantity == 2
    assert [order.quantity for order in book.open_orders()] == [2]


NO_OVERLAP = [LOCKS, frozenset(), CAN | {"oco"}, CAN | {"local"}]


@pytest.mark.parametrize("capabilities", NO_OVERLAP, ids=sorted)
def test_a_leg_is_cancelled_before_the_new_one_where_both_could_take_too_much(capabilities):
    """Without reduce-only, where the first locks the balance, and where they are linked."""
    stop = ProtectiveLevel(Decimal(90))
    book, _ = run(book_with(3, capabilities=capabilities, stop_loss=stop))
    book = book.with_position(evolve(book.position("s"), ledger=held(2)))
    book, steps = run(book)
    assert [type(step) for step in steps] == [Cancel, Submit]


def test_a_leg_whose_replacement_was_refused_is_cancelled_first():
    """The venue may take no second one: then it is as where nothing reduces only."""
    book, _ = run(book_with(3, stop_loss=ProtectiveLevel(Decimal(90))))
    book = book.with_position(evolve(book.position("s"), ledger=held(2)))
    step = next_step(book, NOW)
    book = take_step(book, step, NOW)
    book = receive(book, OrderReport(step.order.client_id, "refused"), NOW)
    assert len(book.open_orders()) == 1
    book, steps = run(book, NOW + 1_000)
    assert [type(step) for step in steps] == [Cancel, Submit]


def test_a_leg_is_resized_by_one_change_where_the_venue_can():
    """Under its own id, in all what has filled of it and what is held."""
    book, _ = run(
        book_with(3, capabilities=CAN | {"amend"}, stop_loss=ProtectiveLevel(Decimal(90)))
    )
    [stop] = book.open_orders()
    book = book.with_position(evolve(book.position("s"), ledger=held(5)))
    step = next_step(book, NOW)
    assert step == Amend(stop.client_id, Decimal(5))
    book = take_step(book, step, NOW)
    assert next_step(book, NOW) is None
    book = receive(book, OrderReport(stop.client_id, "accepted", quantity=Decimal(5)), NOW)
    assert is_protected(book, book.position("s")) is True
    assert next_step(book, NOW) is None


def test_a_change_that_may_have_been_lost_is_looked_up_and_not_repeated():
    """What the venue says it has counts; where it was lost, the leg is replaced."""
    book, _ = run(
        book_with(3, capabilities=CAN | {"amend"}, stop_loss=ProtectiveLevel(Decimal(90)))
    )
    [stop] = book.open_orders()
    book = book.with_position(evolve(book.position("s"), ledger=held(2)))
    book = take_step(book, next_step(book, NOW), NOW)
    book = receive(book, OrderReport(stop.client_id, "accepted"), NOW)  # nobody knows
    assert next_step(book, NOW) == QueryOrder(stop.client_id)
    book = take_step(book, QueryOrder(stop.client_id), NOW)
    book = receive(book, OrderReport(stop.client_id, "accepted", quantity=Decimal(3)), NOW)
    book, steps = run(book)
    assert [type(step) for step in steps] == [Submit, Cancel]
    assert [order.quantity for order in book.open_orders()] == [2]


def test_another_level_is_another_order_also_where_the_venue_can_change_one():
    """Only the size is changed in its place: it is what a look-up can tell for certain."""
    book, _ = run(
        book_with(3, capabilities=CAN | {"amend"}, stop_loss=ProtectiveLevel(Decimal(90)))
    )
    book = book.with_position(evolve(book.position("s"), stop_loss=ProtectiveLevel(Decimal(95))))
    book, steps = run(book)
    assert [type(step) for step in steps] == [Submit, Cancel]


def test_an_exit_leaves_before_its_protection_is_cancelled_where_orders_reduce_only():
    """The exit first, then what protected it."""
    book, _ = run(book_with(3, stop_loss=ProtectiveLevel(Decimal(90))))
    book = book.with_position(evolve(book.position("s"), reduce_to=Decimal(0), exit_cause=CAUSE))
    book, steps = run(book)
    assert [type(step) for step in steps] == [Submit, Cancel]
    assert not book.open_orders()


def test_protection_makes_room_first_where_working_orders_lock_the_balance():
    """Cancel, then sell."""
    book, _ = run(book_with(3, capabilities=LOCKS, stop_loss=ProtectiveLevel(Decimal(90))))
    book = book.with_position(evolve(book.position("s"), reduce_to=Decimal(0), exit_cause=CAUSE))
    book, steps = run(book)
    assert [type(step) for step in steps] == [Cancel, Submit]


def test_an_unknown_exit_is_looked_up_and_not_repeated():
    """While it may exist nothing else leaves for the same share."""
    book = book_with(3, reduce_to=Decimal(0), exit_cause=CAUSE)
    step = next_step(book, NOW)
    book = take_step(book, step, NOW)
    book = receive(book, OrderReport(step.order.client_id, "unknown"), NOW)
    assert next_step(book, NOW + 1_000) is None
    assert isinstance(next_step(book, NOW + 2_000), QueryOrder)


def test_absent_is_believed_after_three_looks_and_ten_seconds():
    """Then the exit is pursued under a new name."""
    book = book_with(3, reduce_to=Decimal(0), exit_cause=CAUSE)
    step = next_step(book, NOW)
    first = step.order.client_id
    book = receive(take_step(book, step, NOW), OrderReport(first, "unknown"), NOW)
    now, queries = NOW, 0
    while book.orders[first].is_open:
        now += 1_000
        step = next_step(book, now)
        if isinstance(step, QueryOrder):
            queries += 1
            book = receive(take_step(book, step, now), OrderReport(first, "absent"), now)
    assert queries >= 3
    assert now - NOW >= 10_000
    assert isinstance(next_step(book, now + 60_000), ReadAccount)
    again = next_step(seen(book, 3, now + 60_000), now + 60_000)
    assert isinstance(again, Submit)
    assert again.order.client_id != first


@pytest.mark.parametrize(
    "wish",
    [{"reduce_to": Decimal(0), "exit_cause": CAUSE}, {"stop_loss": ProtectiveLevel(Decimal(90))}],
)
def test_no_wish_is_tried_more_than_twenty_times_an_hour(wish):
    """A venue that refuses everything is asked less and less often, and never given up."""
    book, tries = book_with(3, **wish), defaultdict(list)
    for now in range(NOW, NOW + 3 * 3_600_000, 1_000):
        step = next_step(book, now)
        if isinstance(step, ReadAccount):
            book = seen(book, 3, now)
            step = next_step(book, now)
        if isinstance(step, Submit):
            tries[step.order.purpose].append(now)
            refused = OrderReport(step.order.client_id, "refused")
            book = receive(take_step(book, step, now), refused, now).written()
    for times in tries.values():
        busiest = max(sum(t <= other < t + 3_600_000 for other in times) for t in times)
        assert busiest <= 20
        assert times[-1] > NOW + 2 * 3_600_000


def test_an_entry_waits_until_the_share_no_longer_stands_against_it():
    """Of a reversal the opening order leaves when the share is flat."""
    entry = evolve(NO_ORDER, client_id="e", cause=CAUSE, strategy="s", kind=ENTRY, side="sell",
                   quantity=Decimal(2))  # fmt: skip
    book = book_with(3, reduce_to=Decimal(0), exit_cause=CAUSE).with_order(entry)
    book, steps = run(book)
    assert [(s.order.kind, s.order.quantity) for s in steps] == [(EXIT, 3), (ENTRY, 2)]
    assert book.position("s").quantity == -2


def test_an_entry_that_waited_too_long_is_dropped():
    """It never left, so it is expired and not cancelled."""
    entry = evolve(NO_ORDER, client_id="e", cause=CAUSE, strategy="s", kind=ENTRY, side="sell",
                   quantity=Decimal(2), submit_by=NOW)  # fmt: skip
    book = book_with(3).with_order(entry)
    assert next_step(book, NOW) == Discard("e", "expired", "EXPIRED", next_step(book, NOW).message)


def test_an_unreached_entry_is_tried_again_under_a_new_name():
    """It provably never left: the next attempt is another order of the same alert."""
    entry = evolve(NO_ORDER, client_id="e", cause=CAUSE, strategy="s", kind=ENTRY, side="buy",
                   quantity=Decimal(2), submit_by=NOW + 90_000)  # fmt: skip
    book = book_with().with_order(entry)
    book = take_step(book, next_step(book, NOW), NOW)
    book = receive(book, OrderReport("e", "unreached"), NOW)
    step = next_step(book, NOW + 1_000)
    assert isinstance(step, Submit)
    assert (step.order.attempt, step.order.quantity) == (2, 2)
    assert step.order.client_id != "e"


def test_a_reducing_order_beyond_the_share_is_never_sent():
    """It is a fault of ours, and stops everything."""
    book = book_with(3)
    order = evolve(NO_ORDER, client_id="x", cause=CAUSE, strategy="s", kind=EXIT, side="sell",
                   quantity=Decimal(4))  # fmt: skip
    with pytest.raises(InvariantBroken):
        take_step(book, Submit(order), NOW)


def test_a_late_fill_of_an_old_stop_is_closed_again():
    """What a reducing order opens beyond zero must not stay."""
    book, _ = run(book_with(3, stop_loss=ProtectiveLevel(Decimal(90))))
    stop = next(iter(book.open_orders("s", STOP_LOSS)))
    book = book.with_position(replace(book.position("s"), ledger=LotLedger(), stop_loss=None))
    late = OrderReport(stop.client_id, "filled", None, Decimal(3), Decimal(90))
    book, steps = run(receive(book, late, NOW))
    assert [(s.order.kind, s.order.side, s.order.quantity) for s in steps] == [(EXIT, "buy", 3)]
    assert book.position("s").quantity == 0


def test_a_receipt_is_believed_once():
    """The same fills told twice change nothing the second time."""
    book = book_with(3, reduce_to=Decimal(0), exit_cause=CAUSE)
    step = next_step(book, NOW)
    book = take_step(book, step, NOW)
    told = replace(_answer(step.order), status="accepted", filled=Decimal(1))
    once = receive(book, told, NOW)
    twice = receive(once, told, NOW)
    assert once.position("s").quantity == twice.position("s").quantity == 2


def test_time_alone_wakes_what_waits_for_it():
    """A look-up, an expiry, a release and a back-off each say when."""
    book = book_with(3, reduce_to=Decimal(0), exit_cause=CAUSE)
    step = next_step(book, NOW)
    book = take_step(book, step, NOW)
    book = receive(book, OrderReport(step.order.client_id, "refused"), NOW)
    assert wakes_at(book, NOW) == book.position("s").retry_state("keep").retry_at


def coin_book(quantity: str, **wishes: object) -> PositionBook:
    """Return a book of a coin whose share has lost a fee and is on no step."""
    fill = Execution("buy", Decimal(quantity), Decimal(100), Decimal(0), NOW)
    position = evolve(StrategyPosition("s"), ledger=book_fill(LotLedger(), fill)[0], **wishes)
    return PositionBook("a", False, COIN, {"s": position}, capabilities=LOCKS)


def test_what_is_too_small_to_sell_hands_no_stop_on_to_the_next_position():
    """The levels end with the position, also while an entry waits and nothing is written off yet."""
    waits = evolve(
        NO_ORDER, client_id="e", strategy="s", kind=ENTRY, side="buy", quantity=Decimal(1)
    )
    book = coin_book(
        "0.0009", stop_loss=ProtectiveLevel(Decimal(99)), take_profit=ProtectiveLevel(Decimal(110))
    )
    position = settle(book.with_order(waits), "s", NOW).position("s")
    assert position.quantity == Decimal("0.0009")
    assert (position.stop_loss, position.take_profit) == (None, None)


def test_a_resting_exit_of_a_whole_share_stays_on_the_step_when_the_share_grows():
    """What a fee left between two steps is in no order, however much is bought afterwards."""
    limit = {"order_type": "limit", "limit_price": Decimal(110), "quantity": Decimal(1)}
    alert = Alert("sell", "BTCUSDT", strategy="s", **limit)
    rules = DecisionContext("s", Times(NOW, 90_000, NOW + 90_000))
    resting = decide(coin_book("0.07992"), alert, CAUSE, rules).book.position("s").exit
    assert resting is not None
    assert resting.quantity == Decimal("0.079")
