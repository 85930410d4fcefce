"""The venue's quantities against the shares: what is felt, what is not, and whose wish a late fill meets."""

from __future__ import annotations

from decimal import Decimal

import pytest

from brokers.protocol import Fill, Instrument, OrderReport
from desk.orders.apply import receive, take_step
from desk.orders.discrepancies import compare
from desk.orders.evolve import evolve
from desk.orders.ledger import Execution, LotLedger, book_fill
from desk.orders.order import ENTRY, NO_ORDER, TAKE_PROFIT, AlertRef
from desk.orders.plan import next_step
from desk.orders.position_book import PositionBook
from desk.orders.steps import QueryOrder
from desk.orders.strategy_position import ProtectiveLevel, StrategyPosition

NOW = 1_000_000
SPOT = Instrument("ETHUSDT", "spot", "ETH", "USDT", step=Decimal("0.001"))
LINEAR = Instrument("ETHUSDT.P", "linear", "ETH", "USDT", step=Decimal("0.001"))


def book_of(instrument: Instrument, quantity: str, **wishes: object) -> PositionBook:
    """Return a book whose one share is so large."""
    fill = Execution("buy", Decimal(quantity), Decimal(100), Decimal(0), NOW)
    position = evolve(StrategyPosition("s"), ledger=book_fill(LotLedger(), fill)[0], **wishes)
    return PositionBook(
        "a", False, instrument, {"s": position}, capabilities=frozenset({"locks_balance"})
    )


@pytest.mark.parametrize(
    ("held", "left"),
    [("0.0019", "0.0019"), ("0.0015", "0.0019"), ("0.0009", "0.0009"), ("0", "0")],
)
def test_a_crumb_that_is_gone_counts_where_less_can_be_sold_for_it(held, left):
    """Below a step it hinders nobody; across one the share could never be closed."""
    book = book_of(SPOT, "0.0019")
    for began in (NOW + 20_000, NOW + 25_000):
        found = compare([book], {"ETH": Decimal(held)}, {}, began, began, lambda _: None)
        [book] = found.books
    # What is left and too small to be sold is written off.
    assert book.position("s").quantity == (0 if Decimal(left) < SPOT.step else Decimal(left))


def test_an_entry_that_fills_after_a_close_does_not_stay_whatever_fills_before_it():
    """A target's late fill beyond zero must not make the older wish speak for the newer close."""
    entry = evolve(NO_ORDER, client_id="e", cause=AlertRef("alert_13", 13, 13), strategy="s", kind=ENTRY,
                   side="buy", quantity=Decimal(2), status="accepted", sent_at=NOW)  # fmt: skip
    target = evolve(NO_ORDER, client_id="t", cause=AlertRef("alert_12", 12, 12), strategy="s",
                    kind=TAKE_PROFIT, side="sell", quantity=Decimal(1), order_type="limit",
                    status="accepted", sent_at=NOW)  # fmt: skip
    position = evolve(StrategyPosition("s"), take_profit=ProtectiveLevel(Decimal(120)), reduce_to=Decimal(0),
                   exit_cause=AlertRef("alert_15", 15, 15))  # fmt: skip
    position = evolve(position, signals=evolve(position.signals, closed=15))
    book = PositionBook("a", False, LINEAR, {"s": position}, {"e": entry, "t": target})
    for name, side, size in (("t", "sell", 1), ("e", "buy", 2)):
        fill = Fill(f"f{name}", name, side, Decimal(size), Decimal(100), Decimal(0), "", NOW)
        book = receive(
            book, OrderReport(name, "filled", None, Decimal(size), Decimal(100), (fill,)), NOW
        )
    assert (book.position("s").quantity, book.position("s").reduce_to) == (1, 0)


def test_a_late_answer_tells_how_it_was_when_it_was_asked_for():
    """Three look-ups of the first nine seconds prove nothing, however late they come in."""
    order = evolve(NO_ORDER, client_id="e", cause=AlertRef("alert_1", 1, 1), strategy="s", kind=ENTRY,
                   side="buy", quantity=Decimal(1), status="unknown", sent_at=NOW,
                   next_action_at=NOW)  # fmt: skip
    book = PositionBook("a", False, LINEAR, {}, {"e": order})
    for asked_at in (NOW + 2_000, NOW + 5_000, NOW + 9_000):
        book = receive(book, OrderReport("e", "absent"), NOW + 30_000, asked_at)
    assert book.orders["e"].status == "unknown"
    step = next_step(book, NOW + 90_000)
    assert isinstance(step, QueryOrder)
    book = receive(take_step(book, step, NOW + 90_000), OrderReport("e", "absent"), NOW + 90_100)
    assert book.orders["e"].status == "absent"


def test_an_entry_against_what_strayed_lets_none_of_it_stay():
    """A target filled beyond zero; the entry that filled in the same moment sells only a part of it."""
    entry = evolve(NO_ORDER, client_id="e", cause=AlertRef("alert_13", 13, 13), strategy="s", kind=ENTRY,
                   side="sell", quantity=Decimal(2), status="accepted", sent_at=NOW)  # fmt: skip
    target = evolve(NO_ORDER, client_id="t", cause=AlertRef("alert_12", 12, 12), strategy="s",
                    kind=TAKE_PROFIT, side="buy", quantity=Decimal(3), order_type="limit",
                    status="accepted", sent_at=NOW)  # fmt: skip
    book = PositionBook("a", False, LINEAR, {"s": StrategyPosition("s")}, {"e": entry, "t": target})
    for name, side, size in (("t", "buy", 3), ("e", "sell", 2)):
        fill = Fill(f"f{name}", name, side, Decimal(size), Decimal(100), Decimal(0), "", NOW)
        book = receive(
            book, OrderReport(name, "filled", None, Decimal(size), Decimal(100), (fill,)), NOW
        )
    assert (book.position("s").quantity, book.position("s").reduce_to) == (1, 0)
