"""What a fill does to a share, against a model that keeps single units."""

from __future__ import annotations

import itertools
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from desk.orders.ledger import Execution, LotLedger, book_fill

FILLS = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell"]),
        st.integers(1, 9),
        st.integers(1, 500),
        st.integers(0, 20),
    ),
    min_size=1,
    max_size=25,
)


def _book(fills, point_value=Decimal(1)):
    position, trades = LotLedger(), []
    for at, (side, quantity, price, fee) in enumerate(fills, start=1):
        fill = Execution(side, Decimal(quantity), Decimal(price), Decimal(fee), at, point_value)
        position, trade = book_fill(position, fill)
        if trade:
            trades.append(trade)
    return position, trades


def _naive(fills):
    """Return the units still held, each with its price, and the gross profit of all that were closed."""
    units, gross = [], Decimal(0)
    for side, quantity, price, _ in fills:
        way = 1 if side == "buy" else -1
        for _unit in range(quantity):
            if units and units[0][0] != way:
                held, paid = units.pop(0)
                gross += (price - paid) * held
            else:
                units.append((way, Decimal(price)))
    return units, gross


@given(FILLS)
def test_first_in_first_out_agrees_with_single_units(fills):
    """Quantity, lots and profit are those of a book of single units, whatever is bought and sold."""
    position, trades = _book(fills)
    units, gross = _naive(fills)
    assert position.quantity == sum(way for way, _ in units)
    assert sum((lot.quantity for lot in position.lots), Decimal(0)) == len(units)
    lots = [lot.price for lot in position.lots for _ in range(int(lot.quantity))]
    assert lots == [price for _, price in units]
    closed = sum((trade.gross for trade in trades), Decimal(0))
    assert closed + position.gross == gross


@given(FILLS)
def test_no_fee_is_lost_or_counted_twice(fills):
    """The fees of the closed trades and of what is held are the fees that were paid."""
    position, trades = _book(fills)
    paid = sum(fee for *_, fee in fills)
    assert abs(sum((t.fees for t in trades), position.fees) - paid) < Decimal("1e-20")


@given(FILLS)
def test_a_trade_runs_from_flat_to_flat(fills):
    """Each closed trade opened what it closed, and begins when the one before it was over."""
    _, trades = _book(fills)
    for before, after in itertools.pairwise(trades):
        assert before.closed_at <= after.opened_at
    assert all(trade.quantity > 0 and trade.opened_at <= trade.closed_at for trade in trades)


def test_the_average_cost_is_not_changed_by_an_exit():
    """It is what the openings cost; the lots decide the profit."""
    position, _ = _book([("buy", 1, 100, 0), ("buy", 1, 200, 0), ("sell", 1, 300, 0)])
    assert position.average_price == 150
    assert position.gross == 200
    assert [lot.price for lot in position.lots] == [200]


def test_the_point_value_multiplies_profit_not_fees():
    """Two points on a contract of 5 a point are 10."""
    _, (trade,) = _book([("sell", 1, 100, 1), ("buy", 1, 98, 1)], Decimal(5))
    assert (trade.side, trade.realized, trade.fees) == ("short", Decimal(8), Decimal(2))
