"""The venue's quota: reading takes at most half of it, whoever else uses it, and asks nothing in vain."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from brokers.binance.spot import Binance
from brokers.binance.usdm import BinancePerpetuals
from brokers.protocol import OrderRequest
from brokers.wire.quota import Quota
from tests.support.fakes import FakeClock
from tests.support.stand_in.binance_spot import Pair, StandIn
from tests.support.stand_in.binance_usdm import Contract, Held, PerpetualStandIn
from tests.venues.test_binance import Account

D = Decimal
HALF = 3_000
PERPETUAL_HALF = 1_200


@pytest.fixture
def clock():
    """Give a clock that stands until it is moved."""
    return FakeClock()


@pytest.fixture
def venue(clock):
    """Give a venue whose minute is the clock's."""
    with StandIn(now_ms=clock) as found:
        yield found


def read_for(seconds, clock, brokers, used=lambda: None):
    """Read accounts as often as they allow it for so many seconds."""
    due = dict.fromkeys(brokers, 0)
    for _ in range(seconds * 10):
        for broker in brokers:
            if clock() >= due[broker]:
                broker.snapshot()
                pause = max(broker.facts.poll_seconds * len(brokers), broker.rest_seconds)
                due[broker] = clock() + pause * 1000
        used()
        clock.tick(0.1)


def to_next_minute(clock):
    """Let the minute end."""
    clock.tick((60_000 - clock() % 60_000) / 1000)


def test_an_account_that_hardly_reads_slows_down_no_other(venue, clock):
    """It was answered a while ago: the one that works has the whole half."""
    to_next_minute(clock)
    one, idle = (Binance(name, Account(venue.url), clock) for name in ("one", "idle"))
    idle.snapshot()
    one.snapshot()
    assert one.rest_seconds > 3
    clock.tick(12)
    one.snapshot()
    assert one.rest_seconds <= 2.0


@pytest.mark.parametrize("accounts", [1, 2, 3])
def test_reading_takes_at_most_half_of_what_an_address_may_ask_for(venue, clock, accounts):
    """However many accounts of the venue share it."""
    to_next_minute(clock)
    names = [f"binance-{number}" for number in range(accounts)]
    brokers = [Binance(name, Account(venue.url), clock) for name in names]
    read_for(59, clock, brokers)
    assert HALF * 0.8 < venue.used <= HALF


@pytest.mark.parametrize(("accounts", "most_seconds"), [(1, 2.2), (2, 4.4)])
def test_ten_perpetuals_with_stop_and_target_are_read_in_time_within_half(
    clock, accounts, most_seconds
):
    """Rules 7.4 and 10.1: every two seconds, or as often as two accounts allow that both hold ten."""
    with PerpetualStandIn(now_ms=clock) as venue:
        names = [f"perps-{number}" for number in range(accounts)]
        given = Account(venue.url, market="linear")
        brokers = [BinancePerpetuals(name, given, clock) for name in names]  # type: ignore[arg-type]
        symbols = [f"C{number}USDT" for number in range(10)]
        venue.contracts = {symbol: Contract(symbol, D(100)) for symbol in symbols}
        venue.held = {symbol: Held() for symbol in symbols}
        for symbol in symbols:
            hold_guarded(brokers[0], symbol)
        clock.tick(30)
        to_next_minute(clock)
        venue.requests.clear()
        read_for(59, clock, brokers)
        reads = sum(each.path == "/fapi/v3/account" for each in venue.requests)
        assert venue.used <= PERPETUAL_HALF
        assert 59 * accounts / reads <= most_seconds


def hold_guarded(broker, symbol):
    """Buy a perpetual, and place its stop and its target."""
    found = broker.instrument(f"{symbol}.P")
    entry = OrderRequest(f"e-{symbol}", found, "buy", D(1))
    broker.place_order(entry)
    stop = replace(entry, client_id=f"s-{symbol}", side="sell", reduces=True)
    broker.close(replace(stop, order_type="stop", stop_price=D(90)))
    target = replace(stop, client_id=f"t-{symbol}", order_type="limit", limit_price=D(110))
    broker.close(target)


def test_what_another_program_uses_is_left_out_of_our_half(venue, clock):
    """It works behind the same address; reading goes on, slower, until the minute ends."""
    to_next_minute(clock)
    venue.used_elsewhere = 2_000
    broker = Binance("binance", Account(venue.url), clock)
    read_for(59, clock, [broker])
    assert 2_800 < venue.used <= HALF
    venue.used_elsewhere = 0
    clock.tick(1)
    assert broker.rest_seconds == 0.0


def test_nothing_is_read_before_the_minute_ends_once_half_is_used(venue, clock):
    """Not even by the other account of the venue, which hears of it from the first."""
    to_next_minute(clock)
    one, other = (Binance(name, Account(venue.url), clock) for name in ("one", "other"))
    venue.used_elsewhere = HALF
    one.snapshot()
    clock.tick(20)
    assert one.rest_seconds == other.rest_seconds == 40.0


def test_the_size_of_the_quota_is_what_the_venue_says(venue, clock):
    """It comes with the rules of a symbol."""
    broker = Binance("binance", Account(venue.url), clock)
    broker._calls.quota.limit = 1
    broker.instrument("BTCUSDT")
    assert broker._calls.quota.limit == 6_000


def test_a_late_answer_does_not_make_the_used_weight_smaller():
    """Answers overtake one another; a new minute begins at nothing."""
    quota = Quota(6_000, 100)
    quota.hear(2_950, 10_000)
    quota.hear(100, 11_000)
    assert quota.rest_seconds(30_000) == 30.0
    assert quota.rest_seconds(60_000) == 0.0
    quota.hear(100, 61_000)
    assert quota.rest_seconds(61_000) < 3


def test_a_header_that_is_no_number_says_nothing(venue, clock):
    """It is a venue's text like any other."""
    broker = Binance("binance", Account(venue.url), clock)
    for text in ("", "-5", "1e9", "٣"):
        headers = {"X-MBX-USED-WEIGHT-1M": text.encode().decode("latin-1")}
        venue.answer("GET", "/api/v3/openOrders", [], headers=headers)
        broker.snapshot()
    assert broker.rest_seconds < 3


def test_closes_that_found_nothing_make_no_read_dearer(venue, clock):
    """A hundred and twenty symbols were named; what is asked for is what the desk names."""
    broker = Binance("binance", Account(venue.url), clock)
    for number in range(120):
        name = f"C{number}USDT"
        venue.pairs[name] = Pair(name, f"C{number}", "USDT", venue.pairs["BTCUSDT"].price)
        broker.instrument(name)
    to_next_minute(clock)
    broker.snapshot()
    broker.fills(clock() - 60_000, ["C7USDT"])
    assert venue.used == 120
