"""Quantities and levels on an instrument's steps."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desk.decision.sizing import Size, reducing_quantity
from desk.formats import write_number
from desk.orders.order import STOP_LOSS, TAKE_PROFIT
from desk.orders.rounding import ceil_to, floor_to, place_level
from parsers.alert import Alert, Level

STEPS = st.sampled_from([Decimal(step) for step in ("1", "0.25", "0.015625", "0.00001", "0.1")])
AMOUNTS = st.decimals("0.00000001", "100000", allow_nan=False, places=8)


@given(AMOUNTS, STEPS)
def test_rounding_stays_on_the_step_and_on_its_side(value, step):
    """Down is never above, up never below, both less than a step away, both multiples of it."""
    low, high = floor_to(value, step), ceil_to(value, step)
    assert low <= value <= high
    assert value - low < step
    assert high - value < step
    assert low % step == high % step == 0


@given(AMOUNTS, AMOUNTS, AMOUNTS)
def test_an_exit_never_takes_more_than_the_share(share, quantity, before):
    """However the signal's numbers look."""
    alert = Alert("sell", "X", quantity=quantity, previous_position=before)
    taken = reducing_quantity(
        alert, "sell", share, Size(quantity), Decimal(1), Decimal("0.00000001")
    )
    assert 0 < taken <= share


@pytest.mark.parametrize(
    ("share", "quantity", "before", "step", "taken"),
    [("2", "1", "3", "1", "1"), ("2", "1", "6", "1", "1"), ("1", "0.1", "0.4", "0.01", "0.25")],
)
def test_an_exit_scales_with_the_share_and_is_rounded_up(share, quantity, before, step, taken):
    """Share x quantity / before: the signal holds 3 and sells 1, ours is 2, 0.67 becomes 1."""
    alert = Alert("sell", "X", quantity=Decimal(quantity), previous_position=Decimal(before))
    size = Size(Decimal(quantity))
    terms = (Decimal(share), size, Decimal(1), Decimal(step))
    assert reducing_quantity(alert, "sell", *terms) == Decimal(taken)


@pytest.mark.parametrize(
    ("level", "kind", "side", "price"),
    [
        (Level(price=Decimal("99.9")), STOP_LOSS, "buy", "99.75"),
        (Level(price=Decimal("99.9")), STOP_LOSS, "sell", "100.00"),
        (Level(price=Decimal("99.9")), TAKE_PROFIT, "buy", "99.75"),
        (Level(price=Decimal("99.9")), TAKE_PROFIT, "sell", "100.00"),
        (Level(percent=Decimal(2)), STOP_LOSS, "buy", "98.00"),
        (Level(percent=Decimal(2)), TAKE_PROFIT, "buy", "102.00"),
        (Level(amount=Decimal(3)), STOP_LOSS, "sell", "103.00"),
        (Level(amount=Decimal(3)), TAKE_PROFIT, "sell", "97.00"),
    ],
)
def test_stops_go_away_from_the_price_and_targets_towards_it(level, kind, side, price):
    """Prices to the tick; percent and distance count from the average fill."""
    placed = place_level(level, Decimal(100), side, kind, Decimal("0.25"))
    assert placed.price == Decimal(price)


@pytest.mark.parametrize(
    ("value", "text"),
    [("1E+3", "1000"), ("0.10", "0.1"), ("-0", "0"), ("1E-30", "0"), ("45000.00", "45000"),
     ("33.33333333333333", "33.3333333333")],
)  # fmt: skip
def test_a_number_is_written_as_people_write_it(value, text):
    """No exponent, no trailing zeros, ten decimals at most."""
    assert write_number(Decimal(value)) == text
