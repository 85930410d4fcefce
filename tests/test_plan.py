"""The next step: one comparison of what a share wishes and what the venue has."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from brokers.protocol import Fill, Instrument, Receipt
from brokers.symbols import classify
from desk.apply import InvariantBroken, receive, settle, take_step
from desk.book import BLANK, ENTRY, EXIT, STOP_LOSS, TAKE_PROFIT, Book, Cause, Guard, Share, Sight
from desk.cut import Rules
from desk.decide import decide
from desk.evolve import evolve
from desk.ledger import Execution, Position, book_fill
from desk.plan import is_protected, next_step, wakes_at
from desk.steps import Cancel, Drop, Look, Read, Send
from desk.timing import Times
from parsers.alert import Alert

NOW = 1_000_000
CAN = frozenset({"reduce_only"})
LOCKS = frozenset({"locks_balance"})
INSTRUMENT = classify("MES1!", None, date(2025, 11, 21))
CAUSE = Cause("alert_1", 7, 7)
COIN = Instrument("BTCUSDT", "spot", "BTC", "USDT", step=Decimal("0.001"))


def held(quantity: int) -> Position:
    """Return a position of so many contracts, signed."""
    side = "buy" if quantity > 0 else "sell"
    fill = Execution(side, Decimal(abs(quantity)), Decimal(100), Decimal(0), NOW)
    return book_fill(Position(), fill)[0]


def book_with(quantity: int = 0, *, can: frozenset[str] = CAN, **wishes: object) -> Book:
    """Return a book whose one share holds so much and wishes so."""
    share = evolve(Share("s"), position=held(quantity) if quantity else Position(), **wishes)
    return Book("a", False, INSTRUMENT, {"s": share}, can=can)


def run(book: Book, now: int = NOW) -> tuple[Book, list[object]]:
    """Take every step and let the venue accept what rests and fill what does not."""
    steps: list[object] = []
    while step := next_step(book, now):
        steps.append(step)
        book = take_step(book, step, now)
        if isinstance(step, Send):
            book = receive(book, _answer(step.order), now)
        elif isinstance(step, Cancel):
            book = receive(book, Receipt(step.client_id, "cancelled"), now)
    return book, steps


def seen(book: Book, held: int | None, now: int) -> Book:
    """Return the book after the account was read."""
    return evolve(book, sight=Sight(None if held is None else Decimal(held), now))


def _answer(order) -> Receipt:
    if order.rests:
        return Receipt(order.client_id, "accepted")
    fill = Fill("t" + order.client_id, order.client_id, order.side, order.quantity,
                Decimal(100), Decimal(0), "USD", NOW)  # fmt: skip
    return Receipt(order.client_id, "filled", None, order.quantity, Decimal(100), (fill,))


def test_nothing_is_done_where_nothing_is_wished():
    """A share without a wish needs no order."""
    assert next_step(book_with(3), NOW) is None


def test_a_lowered_keep_sells_what_is_too_much_and_comes_true():
    """Keep 1 of 3: two are sold, then the wish is gone."""
    book, steps = run(book_with(3, keep=Decimal(1), owed=CAUSE))
    assert [(s.order.kind, s.order.side, s.order.quantity) for s in steps] == [(EXIT, "sell", 2)]
    assert (book.share("s").quantity, book.share("s").keep) == (1, None)


def test_stop_and_target_cover_exactly_the_share():
    """Both are placed in the share's size, and stand."""
    book, steps = run(book_with(3, stop=Guard(Decimal(90)), target=Guard(Decimal(120))))
    placed = [(s.order.kind, s.order.quantity) for s in steps]
    assert placed == [(STOP_LOSS, 3), (TAKE_PROFIT, 3)]
    assert is_protected(book, book.share("s")) is True


def test_protection_is_resized_when_the_share_changed():
    """A stop for 3 on a share of 2 is cancelled and placed anew."""
    book, _ = run(book_with(3, stop=Guard(Decimal(90))))
    book = book.with_share(evolve(book.share("s"), position=held(2)))
    assert is_protected(book, book.share("s")) is False
    book, steps = run(book)
    assert [type(step) for step in steps] == [Cancel, Send]
    assert steps[-1].order.quantity == 2


def test_an_exit_leaves_before_its_protection_is_cancelled_where_orders_reduce_only():
    """The exit first, then what protected it."""
    book, _ = run(book_with(3, stop=Guard(Decimal(90))))
    book = book.with_share(evolve(book.share("s"), keep=Decimal(0), owed=CAUSE))
    book, steps = run(book)
    assert [type(step) for step in steps] == [Send, Cancel]
    assert not book.live()


def test_protection_makes_room_first_where_working_orders_lock_the_balance():
    """Cancel, then sell."""
    book, _ = run(book_with(3, can=LOCKS, stop=Guard(Decimal(90))))
    book = book.with_share(evolve(book.share("s"), keep=Decimal(0), owed=CAUSE))
    book, steps = run(book)
    assert [type(step) for step in steps] == [Cancel, Send]


def test_an_unknown_exit_is_looked_up_and_not_repeated():
    """While it may exist nothing else leaves for the same share."""
    book = book_with(3, keep=Decimal(0), owed=CAUSE)
    step = next_step(book, NOW)
    book = take_step(book, step, NOW)
    book = receive(book, Receipt(step.order.client_id, "unknown"), NOW)
    assert next_step(book, NOW + 1_000) is None
    assert isinstance(next_step(book, NOW + 2_000), Look)


def test_absent_is_believed_after_three_looks_and_ten_seconds():
    """Then the exit is pursued under a new name."""
    book = book_with(3, keep=Decimal(0), owed=CAUSE)
    step = next_step(book, NOW)
    first = step.order.client_id
    book = receive(take_step(book, step, NOW), Receipt(first, "unknown"), NOW)
    now, looks = NOW, 0
    while book.orders[first].is_live:
        now += 1_000
        step = next_step(book, now)
        if isinstance(step, Look):
            looks += 1
            book = receive(take_step(book, step, now), Receipt(first, "absent"), now)
    assert looks >= 3
    assert now - NOW >= 10_000
    assert isinstance(next_step(book, now + 60_000), Read)
    again = next_step(seen(book, 3, now + 60_000), now + 60_000)
    assert isinstance(again, Send)
    assert again.order.client_id != first


@pytest.mark.parametrize(
    "wish", [{"keep": Decimal(0), "owed": CAUSE}, {"stop": Guard(Decimal(90))}]
)
def test_no_wish_is_tried_more_than_twenty_times_an_hour(wish):
    """A venue that refuses everything is asked less and less often, and never given up."""
    book, tries = book_with(3, **wish), defaultdict(list)
    for now in range(NOW, NOW + 3 * 3_600_000, 1_000):
        step = next_step(book, now)
        if isinstance(step, Read):
            book = seen(book, 3, now)
            step = next_step(book, now)
        if isinstance(step, Send):
            tries[step.order.wish].append(now)
            refused = Receipt(step.order.client_id, "refused")
            book = receive(take_step(book, step, now), refused, now).written()
    for times in tries.values():
        busiest = max(sum(t <= other < t + 3_600_000 for other in times) for t in times)
        assert busiest <= 20
        assert times[-1] > NOW + 2 * 3_600_000


def test_an_entry_waits_until_the_share_no_longer_stands_against_it():
    """Of a reversal the opening order leaves when the share is flat."""
    entry = evolve(BLANK, client_id="e", cause=CAUSE, strategy="s", kind=ENTRY, side="sell",
                   quantity=Decimal(2))  # fmt: skip
    book = book_with(3, keep=Decimal(0), owed=CAUSE).with_order(entry)
    book, steps = run(book)
    assert [(s.order.kind, s.order.quantity) for s in steps] == [(EXIT, 3), (ENTRY, 2)]
    assert book.share("s").quantity == -2


def test_an_entry_that_waited_too_long_is_dropped():
    """It never left, so it is expired and not cancelled."""
    entry = evolve(BLANK, client_id="e", cause=CAUSE, strategy="s", kind=ENTRY, side="sell",
                   quantity=Decimal(2), release_by=NOW)  # fmt: skip
    book = book_with(3).with_order(entry)
    assert next_step(book, NOW) == Drop("e", "expired", "EXPIRED", next_step(book, NOW).message)


def test_an_unreached_entry_is_tried_again_under_a_new_name():
    """It provably never left: the next attempt is another order of the same alert."""
    entry = evolve(BLANK, client_id="e", cause=CAUSE, strategy="s", kind=ENTRY, side="buy",
                   quantity=Decimal(2), release_by=NOW + 90_000)  # fmt: skip
    book = book_with().with_order(entry)
    book = take_step(book, next_step(book, NOW), NOW)
    book = receive(book, Receipt("e", "unreached"), NOW)
    step = next_step(book, NOW + 1_000)
    assert isinstance(step, Send)
    assert (step.order.attempt, step.order.quantity) == (2, 2)
    assert step.order.client_id != "e"


def test_a_reducing_order_beyond_the_share_is_never_sent():
    """It is a fault of ours, and stops everything."""
    book = book_with(3)
    order = evolve(BLANK, client_id="x", cause=CAUSE, strategy="s", kind=EXIT, side="sell",
                   quantity=Decimal(4))  # fmt: skip
    with pytest.raises(InvariantBroken):
        take_step(book, Send(order), NOW)


def test_a_late_fill_of_an_old_stop_is_closed_again():
    """What a reducing order opens beyond zero must not stay."""
    book, _ = run(book_with(3, stop=Guard(Decimal(90))))
    stop = next(iter(book.live("s", STOP_LOSS)))
    book = book.with_share(replace(book.share("s"), position=Position(), stop=None))
    late = Receipt(stop.client_id, "filled", None, Decimal(3), Decimal(90))
    book, steps = run(receive(book, late, NOW))
    assert [(s.order.kind, s.order.side, s.order.quantity) for s in steps] == [(EXIT, "buy", 3)]
    assert book.share("s").quantity == 0


def test_a_receipt_is_believed_once():
    """The same fills told twice change nothing the second time."""
    book = book_with(3, keep=Decimal(0), owed=CAUSE)
    step = next_step(book, NOW)
    book = take_step(book, step, NOW)
    told = replace(_answer(step.order), status="accepted", filled=Decimal(1))
    once = receive(book, told, NOW)
    twice = receive(once, told, NOW)
    assert once.share("s").quantity == twice.share("s").quantity == 2


def test_time_alone_wakes_what_waits_for_it():
    """A look-up, an expiry, a release and a back-off each say when."""
    book = book_with(3, keep=Decimal(0), owed=CAUSE)
    step = next_step(book, NOW)
    book = take_step(book, step, NOW)
    book = receive(book, Receipt(step.order.client_id, "refused"), NOW)
    assert wakes_at(book, NOW) == book.share("s").pursuit("keep").retry_at


def coin_book(quantity: str, **wishes: object) -> Book:
    """Return a book of a coin whose share has lost a fee and is on no step."""
    fill = Execution("buy", Decimal(quantity), Decimal(100), Decimal(0), NOW)
    share = evolve(Share("s"), position=book_fill(Position(), fill)[0], **wishes)
    return Book("a", False, COIN, {"s": share}, can=LOCKS)


def test_what_is_too_small_to_sell_hands_no_stop_on_to_the_next_position():
    """The levels end with the position, also while an entry waits and nothing is written off yet."""
    waits = evolve(BLANK, client_id="e", strategy="s", kind=ENTRY, side="buy", quantity=Decimal(1))
    book = coin_book("0.0009", stop=Guard(Decimal(99)), target=Guard(Decimal(110)))
    share = settle(book.with_order(waits), "s", NOW).share("s")
    assert share.quantity == Decimal("0.0009")
    assert (share.stop, share.target) == (None, None)


def test_a_resting_exit_of_a_whole_share_stays_on_the_step_when_the_share_grows():
    """What a fee left between two steps is in no order, however much is bought afterwards."""
    limit = {"order_type": "limit", "limit_price": Decimal(110), "quantity": Decimal(1)}
    alert = Alert("sell", "BTCUSDT", strategy="s", **limit)
    rules = Rules("s", Times(NOW, 90_000, NOW + 90_000))
    resting = decide(coin_book("0.07992"), alert, CAUSE, rules).book.share("s").exit
    assert resting is not None
    assert resting.quantity == Decimal("0.079")
