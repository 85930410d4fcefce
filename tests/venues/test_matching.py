"""What the stand-ins match by: a wrong engine would let a wrong desk pass."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.stand_in.matching import Market, Matching, Order, Rejected

D = Decimal


def make(*, linear: bool = True) -> Matching:
    """Return an account with 10,000 USDT and one market at 100."""
    engine = Matching(lambda: 1)
    engine.pairs["BTCUSDT"] = Market(
        "BTCUSDT", "BTC", "USDT", D(100), "0.1", "0.1", is_linear=linear
    )
    engine.free["USDT"] = D(10_000)
    engine.fee_rate = D(0)
    return engine


def ask(engine: Matching, side: str, quantity: str, **more: object) -> Order:
    """Submit an order."""
    name = str(more.pop("name", f"o{len(engine.orders)}"))
    market = engine.pairs["BTCUSDT"]
    return engine.submit(Order(market, name, side, "any", D(quantity), **more))


def test_a_linear_position_nets_and_a_close_brings_its_profit():
    """Bought at 100 and 110, half sold at 120; what is sold beyond the position is short at that price."""
    engine = make()
    ask(engine, "BUY", "1")
    engine.set_price("BTCUSDT", 110)
    ask(engine, "BUY", "1")
    held = engine.position("BTCUSDT")
    assert (held.quantity, held.entry) == (D(2), D(105))
    engine.set_price("BTCUSDT", 120)
    ask(engine, "SELL", "1")
    assert (held.quantity, held.entry, engine.free["USDT"]) == (D(1), D(105), D(10_015))
    ask(engine, "SELL", "3")
    assert (held.quantity, held.entry, engine.free["USDT"]) == (D(-2), D(120), D(10_030))


def test_what_is_reduce_only_is_cut_to_the_position():
    """Its rest expires, and without a position it is refused."""
    engine = make()
    ask(engine, "BUY", "1")
    order = ask(engine, "SELL", "3", reduces=True)
    assert (order.executed, order.status) == (D(1), "EXPIRED")
    with pytest.raises(Rejected, match="reduce"):
        ask(engine, "SELL", "1", reduces=True)


def test_a_stop_of_a_position_that_is_gone_expires_when_it_is_passed():
    """It opens nothing."""
    engine = make()
    ask(engine, "BUY", "1")
    stop = ask(engine, "SELL", "1", stop=D(90), reduces=True)
    ask(engine, "SELL", "1")
    engine.set_price("BTCUSDT", 80)
    assert (stop.status, engine.position("BTCUSDT").quantity) == ("EXPIRED", D(0))


@pytest.mark.parametrize(
    ("side", "is_target", "level", "stays", "passes"),
    [
        ("SELL", False, 90, 91, 90),
        ("SELL", True, 110, 109, 110),
        ("BUY", False, 110, 109, 110),
        ("BUY", True, 90, 91, 90),
    ],
)
def test_a_trigger_waits_for_its_side(side, is_target, level, stays, passes):
    """A stop is passed against the position, a target with it."""
    engine = make()
    order = ask(engine, side, "1", stop=D(level), is_target=is_target)
    engine.set_price("BTCUSDT", stays)
    assert order.status == "NEW"
    engine.set_price("BTCUSDT", passes)
    assert (order.status, order.average) == ("FILLED", D(passes))


def test_margin_bounds_what_opens_and_never_what_closes():
    """With leverage 20 and 10,000 no more than 200,000 may be opened."""
    engine = make()
    with pytest.raises(Rejected, match="margin"):
        ask(engine, "BUY", "2000.1")
    ask(engine, "BUY", "2000")
    ask(engine, "SELL", "2000", reduces=True)
    assert engine.position("BTCUSDT").quantity == 0


def test_funding_changes_the_wallet_and_no_position():
    """A charge is negative."""
    engine = make()
    ask(engine, "BUY", "1")
    engine.pay_funding("BTCUSDT", "-0.25")
    assert (engine.free["USDT"], engine.funding[0].amount) == (D("9999.75"), D("-0.25"))


def test_a_pair_stands_on_one_lock_and_its_first_fill_ends_the_other():
    """Spot: the coins are locked once, and released once."""
    engine = make(linear=False)
    engine.free["BTC"] = D(1)
    market = engine.pairs["BTCUSDT"]
    target = Order(market, "t", "SELL", "any", D(1), price=D(110), only_rests=True)
    stop = Order(market, "s", "SELL", "any", D(1), stop=D(90))
    engine.submit_pair(target, stop)
    assert (engine.free["BTC"], engine.locked["BTC"]) == (D(0), D(1))
    engine.set_price("BTCUSDT", 89)
    assert (stop.status, target.status) == ("FILLED", "EXPIRED")
    assert (engine.locked["BTC"], engine.free["USDT"]) == (D(0), D(10_089))


def test_a_change_that_cannot_be_paid_leaves_the_order_as_it_was():
    """What it had locked stays locked."""
    engine = make(linear=False)
    order = ask(engine, "BUY", "50", price=D(90))
    with pytest.raises(Rejected, match="balance"):
        engine.amend(order, quantity=D(200))
    assert (order.quantity, engine.locked["USDT"]) == (D(50), D(4500))
    engine.amend(order, quantity=D(100))
    assert engine.locked["USDT"] == D(9000)


STEP = st.tuples(
    *(st.sampled_from(["BUY", "SELL"]), st.integers(1, 30), st.booleans(), st.integers(50, 150))
)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEP, max_size=12))
def test_a_position_is_the_sum_of_its_executions_and_cash_that_of_its_profits(steps):
    """Whatever is bought and sold, nothing comes from nowhere, and reducing never turns a position."""
    engine = make()
    for side, quantity, reduces, price in steps:
        engine.set_price("BTCUSDT", price)
        before = engine.position("BTCUSDT").quantity
        try:
            ask(engine, side, str(quantity), reduces=reduces)
        except Rejected:
            continue
        after = engine.position("BTCUSDT").quantity
        assert not reduces or (before * after >= 0 and abs(after) < abs(before))
    done = engine.executions
    assert engine.position("BTCUSDT").quantity == sum(e.quantity * e.order.sign for e in done)
    worth = sum(-e.quantity * e.order.sign * e.price for e in done)
    closed = engine.free["USDT"] + engine.profit("BTCUSDT")
    value = engine.position("BTCUSDT").quantity * engine.pairs["BTCUSDT"].price
    assert abs(closed - (10_000 + worth + value)) < D("0.000001")


@settings(max_examples=60, deadline=None)
@given(st.lists(STEP, max_size=12))
def test_nothing_is_locked_on_spot_once_no_order_works(steps):
    """And nothing is spent that was not there."""
    engine = make(linear=False)
    for side, quantity, _, price in steps:
        try:
            ask(engine, side, str(quantity), price=D(price))
        except Rejected:
            continue
        engine.set_price("BTCUSDT", 300 - price)
    for order in [o for o in engine.orders if o.is_open]:
        engine.cancel(order)
    assert not any(engine.locked.values())
    assert all(amount >= 0 for amount in engine.free.values())
