"""Risk limits: what each one denies, what it cannot judge, and that an exit is never asked about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.protocol import Instrument
from desk.alerts.codes import CODES
from desk.config.trading_hours import Window, is_within, read_window
from desk.decision.denial import Denial
from desk.decision.risk import (
    NO_LIMITS,
    Asked,
    Limits,
    Scope,
    Stakes,
    check_limits,
    count_held,
    is_worth,
    tighter,
)
from desk.orders.ledger import LotLedger
from desk.orders.order import ENTRY, EXIT, NO_ALERT, Order
from desk.orders.position_book import PositionBook
from desk.orders.strategy_position import StrategyPosition
from desk.state.restore import _count_again
from tests.support.fakes import START, DeskBench, HangingBroker, make_facts

D = Decimal
NAN, INFINITE = D("NaN"), D("Infinity")
BTC = Instrument("BTCUSDT", "spot", base="BTC", quote="USDT")
MES = Instrument("MESZ2026", "futures", quote="USD", root="MES", point_value=D(5))
ORDER = Asked("buy", D(2), BTC, price=D(100), reference=D(100), now=START)
UNKNOWN = Denial("PRICE_UNKNOWN", "the price of ETHUSDT is not known.")


def stakes(limits: Limits, **counted: Any) -> Stakes:
    """Return what an order is judged by: one scope of an account in dollars."""
    scope = Scope(limits, **counted)
    names = frozenset({"BTCUSDT"})
    return Stakes("main", "USD", frozenset({"USD", "USDT"}), names, (scope,))


def code(asked: Asked, limits: Limits, **counted: Any) -> str | None:
    """Return the code of the denial, which then names side and quantity, or None."""
    found = check_limits(asked, stakes(limits, **counted))
    assert found is None or (found.side, found.quantity) == (asked.side, asked.quantity)
    assert found is None or found.code in CODES
    return found.code if found else None


# --- each limit ----------------------------------------------------------------------------------

KEPT_AND_BROKEN = [
    ("max_quantity", D(2), {}, D("1.9"), {}, "MAX_QUANTITY"),
    ("max_notional", D(200), {}, D("199.99"), {}, "MAX_NOTIONAL"),
    ("max_exposure", D(500), {"elsewhere": D(300)}, D(500), {"elsewhere": D("300.01")}, "MAX_EXPOSURE"),
    ("max_orders_per_minute", 3, {"in_minute": 2}, 3, {"in_minute": 3}, "MAX_ORDERS_PER_MINUTE"),
    ("max_orders_per_day", 3, {"today": 2}, 3, {"today": 3}, "MAX_ORDERS_PER_DAY"),
    ("max_repeats", 3, {"run": ("buy", 2)}, 3, {"run": ("buy", 3)}, "MAX_REPEATS"),
    ("max_repeats", 3, {"run": ("sell", 9)}, 3, {"run": ("buy", 9)}, "MAX_REPEATS"),
    ("max_daily_loss", D(50), {"result": D("-49.99")}, D(50), {"result": D(-50)}, "MAX_DAILY_LOSS"),
    ("symbols", frozenset({"BTCUSDT", "X"}), {}, frozenset({"X"}), {}, "SYMBOL_NOT_ALLOWED"),
    ("symbols", None, {}, frozenset(), {}, "SYMBOL_NOT_ALLOWED"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kept", "fits", "broken", "over", "expected"), KEPT_AND_BROKEN)
def test_a_limit_lets_pass_what_reaches_it_and_denies_what_is_above(
    name: str, kept: Any, fits: dict[str, Any], broken: Any, over: dict[str, Any], expected: str
) -> None:
    """Each limit holds exactly: at it an order passes, above it the order is denied by its code.

    The day's loss is the exception: what has reached it opens nothing more.
    """
    assert code(ORDER, Limits(**{name: kept}), **fits) is None
    assert code(ORDER, Limits(**{name: broken}), **over) == expected


@pytest.mark.parametrize(("held", "own", "strategy"), [(D(3), D(0), None), (D(9), D(3), "trend")])
def test_a_position_counts_with_what_is_held(
    held: Decimal, own: Decimal, strategy: str | None
) -> None:
    """`max_position` is the position after the order: the account's, or a strategy's own part of it."""
    asked = replace(ORDER, held=held, own=own)
    assert code(asked, Limits(max_position=D(500)), strategy=strategy) is None
    assert code(asked, Limits(max_position=D("499.99")), strategy=strategy) == "MAX_POSITION"


def test_a_future_is_worth_its_points() -> None:
    """Two contracts of 5 dollars a point at 6000 are 60,000 dollars."""
    asked = replace(ORDER, instrument=MES, price=D(6000))
    assert code(asked, Limits(max_notional=D(60_000))) is None
    assert code(asked, Limits(max_notional=D(59_999))) == "MAX_NOTIONAL"


@pytest.mark.parametrize(("level", "denied"), [(D(105), False), (D("105.01"), True), (D(95), False),
                                               (D("94.99"), True), (None, False)])  # fmt: skip
def test_a_level_far_from_the_price_is_denied(level: Decimal | None, denied: bool) -> None:
    """The band reaches both ways; an order at the market has no level to be wrong."""
    limits = Limits(price_band_percent=D(5))
    asked = replace(ORDER, level=level, price=D(100))
    assert code(asked, limits) == ("PRICE_BAND" if denied else None)


def test_no_limits_deny_nothing() -> None:
    """Without limits nothing has to be known."""
    asked = replace(ORDER, price=None, reference=None)
    assert code(asked, NO_LIMITS, result=UNKNOWN, elsewhere=UNKNOWN, in_minute=10**9) is None


# --- what cannot be judged -----------------------------------------------------------------------

MONEY = ("max_notional", "max_position", "max_exposure")


@pytest.mark.parametrize("name", MONEY)
@pytest.mark.parametrize("price", [None, NAN, INFINITE, D(0), D(-1)])
def test_a_limit_in_money_without_a_price_denies(name: str, price: Decimal | None) -> None:
    """Missing, zero or no number at all: never a guess."""
    assert code(replace(ORDER, price=price), Limits(**{name: D(10**9)})) == "PRICE_UNKNOWN"


@pytest.mark.parametrize("name", MONEY)
def test_a_limit_in_money_that_is_not_the_accounts_denies(name: str) -> None:
    """What is quoted in a coin that nobody converts cannot be judged; a limit in units can."""
    asked = replace(ORDER, instrument=Instrument("ETHBTC", "spot", quote="BTC"))
    assert code(asked, Limits(**{name: D(10**9)})) == "CURRENCY_UNKNOWN"
    assert code(asked, Limits(max_quantity=D(2))) is None


@pytest.mark.parametrize("reference", [None, NAN, D(0)])
def test_a_band_around_nothing_denies(reference: Decimal | None) -> None:
    """Without a price to measure from, a level is neither near nor far."""
    asked = replace(ORDER, level=D(100), reference=reference)
    assert code(asked, Limits(price_band_percent=D(5))) == "PRICE_UNKNOWN"


@pytest.mark.parametrize("unreadable", [NAN, INFINITE, -INFINITE])
def test_a_number_that_is_none_denies(unreadable: Decimal) -> None:
    """Comparing with NaN is never true and Infinity is above everything: each limit denies both."""
    limit = D(10**9)
    assert code(replace(ORDER, quantity=unreadable), Limits(max_quantity=limit)) == "MAX_QUANTITY"
    assert code(replace(ORDER, quantity=unreadable), Limits(max_notional=limit)) == "MAX_NOTIONAL"
    assert code(replace(ORDER, held=unreadable), Limits(max_position=limit)) == "MAX_POSITION"
    assert code(ORDER, Limits(max_exposure=limit), elsewhere=unreadable) == "MAX_EXPOSURE"
    assert code(ORDER, Limits(max_daily_loss=limit), result=unreadable) == "MAX_DAILY_LOSS"
    level = replace(ORDER, level=unreadable)
    assert code(level, Limits(price_band_percent=limit)) == "PRICE_BAND"


def test_an_amount_that_is_not_known_denies_only_what_needs_it() -> None:
    """The reason is handed on under the limit that asked."""
    found = check_limits(ORDER, stakes(Limits(max_exposure=D(10**9)), elsewhere=UNKNOWN))
    assert found
    assert found.code == "PRICE_UNKNOWN"
    assert found.message == "max_exposure cannot be judged: the price of ETHUSDT is not known."
    assert code(ORDER, Limits(max_daily_loss=D(1)), result=UNKNOWN) == "PRICE_UNKNOWN"
    assert code(ORDER, Limits(max_notional=D(200)), elsewhere=UNKNOWN, result=UNKNOWN) is None


@pytest.mark.parametrize(("quote", "currency", "one", "same"), [
    ("USD", "USD", False, True), ("USDT", "USD", False, False), ("USDT", "USD", True, True),
    ("USDC", "USDT", True, True), ("EUR", "USD", True, False), ("BTC", "USDT", True, False),
])  # fmt: skip
def test_dollars_are_one_only_where_that_was_said(
    quote: str, currency: str, one: bool, same: bool
) -> None:
    """A currency is itself; USD, USDT and USDC are one another only by setting, nothing else ever."""
    assert is_worth(quote, currency, dollars_are_one=one) is same


# --- several levels ------------------------------------------------------------------------------


def test_the_tighter_limit_holds() -> None:
    """Of numbers the smaller, of lists what is in both; None sets no limit."""
    one = Limits(max_notional=D(5), max_repeats=3, symbols=frozenset("AB"))
    other = Limits(max_notional=D(4), max_quantity=D(1), symbols=frozenset("BC"))
    both = Limits(max_notional=D(4), max_quantity=D(1), max_repeats=3, symbols=frozenset("B"))
    assert tighter(one, other) == tighter(other, one) == both
    assert tighter(one, NO_LIMITS) == one


numbers = st.none() | st.integers(1, 50).map(D)
some_limits = st.builds(
    Limits,
    max_notional=numbers,
    max_position=numbers,
    max_daily_loss=numbers,
    max_quantity=numbers,
    max_exposure=numbers,
    max_orders_per_minute=st.none() | st.integers(1, 9),
    symbols=st.none() | st.frozensets(st.sampled_from(["BTCUSDT", "X"])),
)


@given(
    some_limits,
    some_limits,
    st.builds(Asked, st.just("buy"), numbers.map(lambda n: n or D(1)), st.just(BTC), price=numbers),
    st.integers(0, 9),
)
def test_both_levels_hold(one: Limits, other: Limits, asked: Asked, sent: int) -> None:
    """What the tighter limits let pass is exactly what each level by itself lets pass."""
    alone = [code(asked, limits, in_minute=sent, result=D(-9)) for limits in (one, other)]
    joined = code(asked, tighter(one, other), in_minute=sent, result=D(-9))
    assert (joined is None) == (alone == [None, None])


def test_every_limit_of_the_settings_is_one_of_the_judges() -> None:
    """No line of `risk:` is without effect."""
    from desk.config.settings import Risk

    watched = {"on_daily_loss"}  # desk/engine/daily_loss.py
    assert set(Risk.model_fields) - watched == {each.name for each in fields(Limits)}


# --- what is held --------------------------------------------------------------------------------


def entry(name: str, strategy: str, **more: Any) -> Order:
    """Return a working entry of 1."""
    return Order(name, NO_ALERT, strategy, ENTRY, "buy", D(1), **more)


def test_orders_that_may_still_fill_count_as_filled() -> None:
    """Pending, working and unknown entries count with what is left of them; exits and dead ones do not."""
    orders = [
        entry("a", "one"),
        entry("b", "one", status="accepted", filled=D("0.4")),
        entry("c", "other", status="unknown"),
        entry("d", "one", status="cancelled"),
        replace(entry("e", "one", status="accepted"), kind=EXIT),
    ]
    positions = {"one": StrategyPosition("one", ledger=LotLedger(quantity=D(-2)))}
    book = PositionBook("main", False, BTC, positions, {each.client_id: each for each in orders})
    assert count_held(book, None, "one") == D("4.6")
    assert count_held(book, "one", "one") == D("3.6")
    assert count_held(book, "other", "one") == 1


def test_what_is_leaving_does_not_stand_in_the_way_of_its_own_strategy() -> None:
    """A reversal waits for its exit and for the entries it ends; for anybody else they still count."""
    positions = {"one": StrategyPosition("one", ledger=LotLedger(quantity=D(2)), reduce_to=D(0))}
    orders = {
        "a": entry("a", "one", status="accepted", end_status="cancelled"),
        "b": entry("b", "one", status="unknown", end_status="cancelled"),
    }
    book = PositionBook("main", False, BTC, positions, orders)
    assert count_held(book, None, "one") == 1
    assert count_held(book, None, "other") == 4


# --- hours ---------------------------------------------------------------------------------------

HOURS = [
    ("mon-fri 09:30-16:00 America/New_York", "2025-11-21T14:30", True),  # a Friday
    ("mon-fri 09:30-16:00 America/New_York", "2025-11-21T14:29", False),
    ("mon-fri 09:30-16:00 America/New_York", "2025-11-21T21:00", False),
    ("mon-fri 09:30-16:00 America/New_York", "2025-11-22T15:00", False),
    ("mon-fri 09:30-16:00 America/New_York", "2025-07-01T13:30", True),  # summer time
    ("sun-thu 18:00-17:00 America/Chicago", "2025-11-23T23:59", False),  # Sunday 17:59 there
    ("sun-thu 18:00-17:00 America/Chicago", "2025-11-24T00:00", True),
    (
        "sun-thu 18:00-17:00 America/Chicago",
        "2025-11-21T22:59",
        True,
    ),  # Friday 16:59, since Thursday
    ("sun-thu 18:00-17:00 America/Chicago", "2025-11-22T00:30", False),
    ("00:00-24:00 UTC", "2025-11-22T23:59", True),
    ("Sat,MON 10:00-11:00 UTC", "2025-11-24T10:00", True),
    ("sat,mon 10:00-11:00 UTC", "2025-11-23T10:00", False),
    ("fri-mon 10:00-11:00 UTC", "2025-11-23T10:00", True),
]


@pytest.mark.parametrize(("text", "moment", "is_open"), HOURS)
def test_a_window_is_open_by_its_own_clock(text: str, moment: str, is_open: bool) -> None:
    """Days, local time and zone decide; a window past midnight belongs to the day it begins."""
    now = int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp() * 1000)
    window = read_window(text)
    assert is_within(window, now) is is_open
    limits = Limits(hours=((window,),))
    assert code(replace(ORDER, now=now), limits) == (None if is_open else "OUTSIDE_HOURS")


def test_of_each_level_one_window_must_be_open() -> None:
    """Windows of one list are alternatives, lists of two levels must agree."""
    always, never = (
        read_window("00:00-24:00 UTC"),
        Window(frozenset(), 0, 1440, datetime.now(UTC).tzinfo),
    )  # type: ignore[arg-type]
    assert code(ORDER, Limits(hours=((never, always),))) is None
    assert code(ORDER, Limits(hours=((always,), (never,)))) == "OUTSIDE_HOURS"


@pytest.mark.parametrize("text", ["", "09:30-16:00", "xyz 09:30-16:00 UTC", "24:00-01:00 UTC",
                                  "09:60-10:00 UTC", "9:30-16:00 UTC", "mon 09:30-24:01 UTC",
                                  "mon- 09:30-16:00 UTC,"])  # fmt: skip
def test_what_is_no_window_is_refused(text: str) -> None:
    """Hours that cannot be read stop the start."""
    with pytest.raises((ValueError, KeyError)):
        read_window(text)


# --- at the desk ---------------------------------------------------------------------------------


Make = Callable[..., DeskBench]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Open desks, one after the other, on one state."""
    made: list[DeskBench] = []

    def open_desk(config: str, brokers: Any = None, environ: Any = None) -> DeskBench:
        if made:
            made[-1].store.close()
        made.append(DeskBench(tmp_path, config, brokers, environ))
        return made[-1]

    yield open_desk
    if made:
        made[-1].store.close()


def ask(bench: DeskBench, **alert: Any) -> dict[str, Any]:
    """Send an alert to buy one BTCUSDT at 100 unless it says otherwise."""
    fixed = {"action": "buy", "symbol": "BTCUSDT", "quantity": 1, "price": 100}
    return bench.send(**{**fixed, **alert})


def risk(text: str, **more: str) -> str:
    """Return a config.yaml with limits."""
    rate = "webhook: {rate_limit: 1000/minute}\n"
    return rate + f"risk: {{{text}}}\n" + "".join(f"{name}: {it}\n" for name, it in more.items())


def test_a_denied_order_is_answered_and_previewed_alike(make: Make) -> None:
    """422 with the code and a sentence; /webhook/validate says the same and records nothing."""
    bench = make(risk("max_notional: 99"))
    seen = bench.send_text('{"action":"buy","symbol":"BTCUSDT","quantity":1,"price":100}', dry=True)
    answer = ask(bench)
    for each in (seen, answer):
        assert (each["http"], each["code"]) == (422, "MAX_NOTIONAL")
        assert each["orders"][0]["message"] == "The order is worth 100 USD; max_notional is 99."
    assert bench.held("default", "BTCUSDT") == 0
    assert ask(bench, quantity="0.99")["status"] == "filled"


def test_an_exit_is_never_held_back(make: Make) -> None:
    """Every limit broken at once, and what reduces still leaves; of a reversal the opening part stays."""
    bench = make("webhook: {rate_limit: 1000/minute}")
    ask(bench, symbol="MES1!", quantity=2)
    tight = (
        "max_notional: 1, max_position: 1, max_daily_loss: 0.01, max_quantity: 0.1, max_exposure: 1, "
        "max_orders_per_minute: 1, max_orders_per_day: 1, max_repeats: 1, symbols: [AAPL], "
        "hours: ['sat 00:00-00:01 UTC']"
    )
    tight_bench = make(risk(tight))
    assert ask(tight_bench, symbol="MES1!", action="sell", price=50)["status"] == "filled"
    answer = ask(tight_bench, symbol="MES1!", action="sell", quantity=3, price=50)
    assert [order["status"] for order in answer["orders"]] == ["filled", "denied"]
    assert tight_bench.held("default", "MES1!") == 0


def test_limits_of_account_and_strategy_hold_beside_the_top(make: Make) -> None:
    """The tighter one denies, wherever it stands; a strategy's limit is its own."""
    accounts = "{paper_simulator: {broker: paper, risk: {max_quantity: 4}}}"
    strategies = "{small: {risk: {max_quantity: 2, max_orders_per_day: 1}}}"
    bench = make(risk("max_quantity: 9", accounts=accounts, strategies=strategies))
    assert ask(bench, quantity=5)["code"] == "MAX_QUANTITY"
    assert ask(bench, quantity=4)["status"] == "filled"
    assert ask(bench, quantity=3, strategy="small")["code"] == "MAX_QUANTITY"
    assert ask(bench, quantity=2, strategy="small")["status"] == "filled"
    assert ask(bench, quantity=2, strategy="small")["code"] == "MAX_ORDERS_PER_DAY"
    assert ask(bench, quantity=4)["status"] == "filled"


def test_resting_entries_count_towards_position_and_exposure(make: Make) -> None:
    """What rests may fill at any moment; what the same alert replaces does not count."""
    resting = {"order_type": "limit", "limit_price": 90}
    bench = make(risk("max_position: 200, max_exposure: 300"))
    assert ask(bench, **resting, quantity=2)["status"] == "accepted"
    assert ask(bench, **resting, quantity=2)["status"] == "accepted"
    assert ask(bench, strategy="other", quantity=1)["code"] == "MAX_POSITION"
    assert ask(bench, symbol="ETHUSDT", quantity="1.01")["code"] == "MAX_EXPOSURE"
    assert ask(bench, symbol="ETHUSDT", quantity=1)["status"] == "filled"
    assert ask(bench, symbol="ETHUSDT", quantity="0.01")["code"] == "MAX_EXPOSURE"


def test_the_days_loss_is_what_closed_and_what_is_open(make: Make) -> None:
    """Losses add up over trades and open positions, and the account's next day begins anew."""
    accounts = "{paper_simulator: {broker: paper, fee_bp: 0, day: '05:00 UTC'}}"
    bench = make(risk("max_daily_loss: 30", accounts=accounts))
    ask(bench)
    ask(bench, action="close", price=90)
    ask(bench, symbol="ETHUSDT")
    assert ask(bench, symbol="ETHUSDT", price="80.01", quantity="0.001")["status"] == "filled"
    denied = ask(bench, symbol="ETHUSDT", price=80)
    assert denied["code"] == "MAX_DAILY_LOSS"
    assert ask(bench, action="close", symbol="ETHUSDT", price=80)["status"] == "filled"
    assert ask(bench)["code"] == "MAX_DAILY_LOSS"
    bench.restart()
    assert ask(bench)["code"] == "MAX_DAILY_LOSS"
    bench.tick(1_200)  # 05:00, the next day
    assert ask(bench)["status"] == "filled"


def test_each_account_counts_its_own(make: Make) -> None:
    """What one account sends and loses is nothing to another."""
    accounts = "{paper_simulator: {broker: paper}, two: {broker: paper}}"
    bench = make(risk("max_orders_per_day: 1, max_daily_loss: 5", accounts=accounts))
    ask(bench)
    ask(bench, action="close", price=50)
    assert ask(bench)["code"] == "MAX_ORDERS_PER_DAY"
    assert ask(bench, account_group="two")["status"] == "filled"


@pytest.mark.parametrize("restarts", [False, True])
def test_orders_are_counted_exactly_also_after_a_crash(make: Make, restarts: bool) -> None:
    """Sent orders count whatever became of them, denied ones and exits do not; a minute later they do not."""
    bench = make(risk("max_orders_per_minute: 3, max_quantity: 1"))
    ask(bench)
    assert ask(bench, quantity=2)["code"] == "MAX_QUANTITY"
    ask(bench, action="close")
    assert ask(bench, symbol="AAPL", price=10**6)["status"] == "refused"
    if restarts:
        bench.restart()
    bench.tick(30)
    assert ask(bench)["status"] == "filled"
    assert ask(bench)["code"] == "MAX_ORDERS_PER_MINUTE"
    if restarts:
        bench.restart()
    bench.tick(30)
    assert ask(bench)["status"] == "filled"


class Recorded:
    """A store in which an alert that had to wait got its order after a later alert."""

    def load_entries(self, since: int) -> list[tuple[str, bool, str, Order]]:
        births = {"waited": START - 10_000, "later": START - 70_000, "ancient": START - 10**9}
        orders = (entry(name, "one", created_at=at) for name, at in births.items())
        return [("paper_simulator", True, "BTCUSDT", each) for each in orders]

    def find_instrument(self, account: str, paper: bool, name: str) -> None:
        """Know no instrument: nothing was closed."""

    def load_trades_since(self, since: int) -> list[Any]:
        return []


def test_restored_orders_count_by_their_own_birth(make: Make) -> None:
    """Not when its alert came, but when it was born says whether an order lies within the minute."""
    bench = make(risk("max_orders_per_minute: 2"))
    _count_again(bench.desk.state, Recorded(), START)  # type: ignore[arg-type]
    assert ask(bench)["status"] == "filled"
    assert ask(bench)["code"] == "MAX_ORDERS_PER_MINUTE"


def test_repeating_oneself_halts_the_strategy(make: Make) -> None:
    """One equal order too many: denied, and only a resume lets the strategy open again."""
    bench = make(risk("max_repeats: 2"))
    ask(bench)
    ask(bench)
    body = '{"action":"buy","symbol":"BTCUSDT","quantity":1,"price":100}'
    assert bench.send_text(body, dry=True)["code"] == "MAX_REPEATS"
    assert not bench.desk.state.halts
    assert ask(bench)["code"] == "MAX_REPEATS"
    assert ask(bench, symbol="ETHUSDT")["code"] == "HALTED"
    assert ask(bench, strategy="other", symbol="ETHUSDT")["status"] == "filled"
    assert ask(bench, action="close")["status"] == "filled"


def test_what_many_strategies_each_send_once_is_no_repeat(make: Make) -> None:
    """Twelve strategies that follow one signal repeat nothing; each is counted by itself."""
    bench = make(risk("max_repeats: 2"))
    sent = [ask(bench, strategy=f"s{number}") for number in range(12)]
    assert [answer["code"] for answer in sent] == [None] * 12
    assert ask(bench, strategy="s0")["code"] is None
    assert ask(bench, strategy="s0")["code"] == "MAX_REPEATS"
    assert ask(bench, strategy="s1")["code"] is None


def test_a_sell_or_another_symbol_is_no_repeat(make: Make) -> None:
    """Only the same side of the same symbol is counted, and only what came in a row."""
    bench = make(risk("max_repeats: 2"))
    for symbol in ("MES1!", "ETHUSDT", "MES1!"):
        assert ask(bench, symbol=symbol)["status"] == "filled"
    assert [
        o["status"] for o in ask(bench, symbol="MES1!", action="sell", quantity=3)["orders"]
    ] == [
        "filled",
        "filled",
    ]
    assert ask(bench, symbol="MES1!", action="buy", quantity=2)["status"] == "filled"


@pytest.mark.parametrize(("symbol", "listed", "is_allowed"), [
    ("BINANCE:BTCUSDT", "btcusdt", True), ("BTCUSDT.P", "BTCUSDT", False), ("BTCUSDT", "BTCUSDT.P", False),
    ("MES1!", "MES1!", True), ("MESZ2027", "MES1!", True), ("MESZ7", "MESZ2027", True),
    ("MES1!", "MESZ2027", False), ("NQ1!", "MNQ1!", True), ("MNQ1!", "NQ1!", False),
])  # fmt: skip
def test_symbols_are_listed_as_the_account_trades_them(
    make: Make, symbol: str, listed: str, is_allowed: bool
) -> None:
    """The exchange in front does not matter, a perpetual is not its spot, `1!` allows every contract."""
    accounts = '{paper_simulator: {broker: paper, symbols: {"NQ1!": "MNQ1!"}}}'
    bench = make(risk(f'symbols: ["{listed}"]', accounts=accounts))
    code = ask(bench, symbol=symbol)["code"]
    assert code == (None if is_allowed else "SYMBOL_NOT_ALLOWED")


def test_a_price_is_asked_for_rather_than_guessed(make: Make) -> None:
    """A limit in money needs the alert's price where nobody else knows one."""
    bench = make(risk("max_notional: 1000"))
    answer = ask(bench, price=None)
    assert (answer["http"], answer["code"]) == (422, "PRICE_UNKNOWN")
    assert "add price to the alert" in answer["message"]


def test_a_resting_sell_is_worth_at_least_the_price(make: Make) -> None:
    """A limit to sell below the price fills at the price: that is what it is judged by."""
    bench = make(risk("max_notional: 500"))
    sell = {"symbol": "BTCUSDT.P", "action": "sell", "order_type": "limit", "price": 1000}
    assert ask(bench, **sell, limit_price=500)["code"] == "MAX_NOTIONAL"
    assert (
        ask(bench, symbol="BTCUSDT.P", order_type="limit", price=1000, limit_price=500)["code"]
        is None
    )


# --- venues --------------------------------------------------------------------------------------


class Keyed(HangingBroker):
    """A venue that answers at once and needs two keys."""

    facts = make_facts("reduce_only", needs=("VENUE_KEY", "VENUE_SECRET"))

    def __init__(self) -> None:
        super().__init__()
        self.may_answer.set()


VENUE = "accounts: {paper_simulator: {broker: paper}, venue: {broker: keyed, market: linear, %s}}\n"
KEYS = {"VENUE_KEY": "k" * 9, "VENUE_SECRET": "s" * 9}
LIVE = (
    "trading: live\nwebhook: {secret: correct-horse-battery-8}\n"
    "risk: {max_notional: 1000, max_position: 2000, max_daily_loss: 200}\n"
    "strategies: {listed: {account: venue}, elsewhere: {account: paper_simulator}}\n"
)


def wait_for(bench: DeskBench, alert_id: str) -> str:
    """Let what the venue says come in until the alert is settled; return its outcome."""
    for _ in range(200):
        bench.desk.turn([event for event in bench.desk._inbox.drain(10) if event])
        if bench.status_of(alert_id) != "pending":
            return bench.status_of(alert_id)
    pytest.fail("the venue never answered")


def test_a_sandbox_without_credentials_refuses_by_name(make: Make) -> None:
    """Entries and exits alike are 422 naming the variables; other accounts go on trading."""
    bench = make(VENUE % "sandbox: true", {"keyed": Keyed()})
    for action in ("buy", "close"):
        answer = ask(bench, action=action, account_group="venue")
        assert (answer["http"], answer["code"]) == (422, "CREDENTIALS_MISSING")
        assert "VENUE_KEY, VENUE_SECRET" in answer["message"]
    assert ask(bench)["status"] == "filled"


def test_neither_live_nor_sandbox_is_paper_whatever_is_missing(make: Make) -> None:
    """An account that was told nothing trades on paper, without keys and without asking the venue."""
    venue = Keyed()
    bench = make(VENUE % "live: true", {"keyed": venue})
    answer = ask(bench, account_group="venue")
    assert (answer["status"], answer["orders"][0]["paper"]) == ("filled", True)
    assert venue.asked == []


def test_a_live_account_must_be_listed_for_the_strategy(make: Make) -> None:
    """An alert cannot send a strategy to real money; the strategies that list the account trade there."""
    bench = make(LIVE + VENUE % "live: true", {"keyed": Keyed()}, KEYS)
    for strategy in ("elsewhere", "never-heard-of"):
        answer = ask(bench, account_group="venue", strategy=strategy)
        assert (answer["http"], answer["code"]) == (422, "ACCOUNT_NOT_ALLOWED")
    answer = ask(bench, strategy="listed", symbol="BTCUSDT.P")
    assert (
        wait_for(bench, answer["alert_id"]) == "denied"
    )  # USDT is not USD unless the account says so


def test_a_strategy_that_is_not_written_down_never_trades_live(make: Make) -> None:
    """Where the default account is live, a strategy created by its alert still trades on paper."""
    venue = Keyed()
    config = LIVE + VENUE % "live: true, currency: USDT" + "default_account: venue\n"
    bench = make(config, {"keyed": venue}, KEYS)
    answer = ask(bench, strategy="new", symbol="BTCUSDT.P")
    assert wait_for(bench, answer["alert_id"]) == "filled"
    assert venue.asked == []
    assert [row["paper"] for row in bench.positions()] == [True]
    listed = ask(bench, strategy="listed", symbol="BTCUSDT.P")
    assert wait_for(bench, listed["alert_id"]) == "filled"
    assert len(venue.asked) == 1


def test_what_was_opened_on_paper_is_closed_on_paper(make: Make) -> None:
    """A strategy that was written down since still exits where it had opened, beside its live exit."""
    venue = Keyed()
    config = LIVE + VENUE % "live: true, currency: USDT" + "default_account: venue\n"
    bench = make(config, {"keyed": venue}, KEYS)
    wait_for(bench, ask(bench, strategy="new", symbol="BTCUSDT.P")["alert_id"])
    registered = config.replace("strategies: {", "strategies: {new: {account: venue}, ")
    later = make(registered, {"keyed": venue}, KEYS)
    answer = ask(later, strategy="new", symbol="BTCUSDT.P", action="close")
    assert wait_for(later, answer["alert_id"]) == "filled"
    assert venue.asked == []
    assert later.positions() == []


def test_a_live_order_is_judged_in_its_own_currency(make: Make) -> None:
    """USDT counts as USD on a venue only where the account says so."""
    setting = "live: true, stablecoins_are_dollars: true"
    bench = make(LIVE + VENUE % setting, {"keyed": Keyed()}, KEYS)
    answer = ask(bench, strategy="listed", symbol="BTCUSDT.P")
    assert wait_for(bench, answer["alert_id"]) == "filled"
    again = ask(bench, strategy="listed", symbol="BTCUSDT.P", quantity=11)
    assert again["code"] == "MAX_NOTIONAL"


def test_live_positions_are_left_alone_when_the_account_is_not_live_any_more(
    make: Make,
) -> None:
    """They stay recorded and are told; nothing is sent for them, and they are there again once it is live."""
    venue = Keyed()
    config = LIVE + VENUE % "live: true, currency: USDT"
    bench = make(config, {"keyed": venue}, KEYS)
    wait_for(bench, ask(bench, strategy="listed", symbol="BTCUSDT.P")["alert_id"])
    sent = len(venue.asked)
    paper = make(config.replace("trading: live", ""), {"keyed": venue}, KEYS)
    assert paper.positions() == []
    with paper.store.reader() as reader:
        told = [each["message"] for each in reader.load_events(9)]
    assert any("1 BTCUSDT.P" in text and "left alone" in text for text in told)
    paper.tick(100)
    assert len(venue.asked) == sent
    again = make(config, {"keyed": venue}, KEYS)
    assert again.held("listed", "BTCUSDT.P", "venue") == 1
