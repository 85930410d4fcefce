"""What was opened can be closed although its venue will not say by which rules it trades (rules 3.2, 8)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from brokers.protocol import BrokerRefused, Instrument, Unreachable

REFUSALS = {
    "429": BrokerRefused("Too many requests.", "THROTTLED"),
    "a firewall's 403": BrokerRefused("Forbidden.", "NOT_PERMITTED"),
    "-1121": BrokerRefused("Invalid symbol.", "SYMBOL_UNKNOWN"),
    "no answer": Unreachable("no route"),
}
each_refusal = pytest.mark.parametrize("fault", REFUSALS.values(), ids=REFUSALS)


@each_refusal
@pytest.mark.parametrize("kind", ["reduce-only", "plain", "locked-oco"])
def test_a_close_after_a_restart_does_not_ask_for_the_rules(make_venue_bench, kind, fault):
    """The rules were refused once: the close goes by those that are stored with the position."""
    bench = make_venue_bench(kind)
    bench.buy("2", stop_loss="90")
    bench.venue.fail("instrument", *[fault] * 50)
    bench.crash()
    bench.tick(60)
    answer = bench.send(action="close")
    bench.tick(2)
    assert bench.now(answer)["status"] == "filled"
    assert (bench.held(), bench.at_venue(), bench.legs()) == (0, 0, [])


@each_refusal
def test_a_close_that_cannot_leave_either_stays_owed(make_venue_bench, fault):
    """The venue refuses everything for a while: the exit is pursued like any other."""
    bench = make_venue_bench()
    bench.buy("2")
    bench.venue.fail("instrument", *[fault] * 50)
    bench.venue.fail("place", *[Unreachable("no route")] * 3)
    bench.crash()
    answer = bench.send(action="close")
    assert (answer["http"], bench.position().has_pending_exit) == (202, True)
    bench.tick(20)
    assert (bench.now(answer)["status"], bench.held(), bench.at_venue()) == ("filled", 0, 0)


@pytest.mark.parametrize("spelling", ["BINANCE:BTCUSDT.P", "BTC/USDT.P", "BTCUSDTPERP"])
def test_a_close_finds_its_position_under_another_spelling(make_venue_bench, spelling):
    """`EXCHANGE:` in front never makes another instrument, also while nobody says what it is."""
    bench = make_venue_bench()
    bench.buy("2")
    bench.venue.fail("instrument", *[REFUSALS["429"]] * 50)
    bench.crash()
    assert bench.send(action="close", symbol=spelling)["status"] == "filled"
    assert bench.held() == 0


def test_a_reversal_closes_and_says_why_it_opens_nothing(make_venue_bench):
    """Its reducing part goes; the opening part is an entry of its own, denied with the venue's words."""
    bench = make_venue_bench()
    bench.buy("2")
    bench.venue.fail("instrument", REFUSALS["429"])
    bench.crash()
    bench.learn()  # the rules are asked for, and refused
    answer = bench.sell("5")
    closed, denied = answer["orders"]
    assert (closed["status"], closed["quantity"]) == ("filled", "2")
    assert (denied["status"], denied["code"], denied["quantity"]) == ("denied", "THROTTLED", "3")
    assert (bench.held(), bench.at_venue()) == (0, 0)


def test_a_reversal_while_the_rules_are_asked_for_goes_by_those_that_are_stored(make_venue_bench):
    """As it does in a process that was not restarted: both parts, and the venue judges them."""
    bench = make_venue_bench()
    bench.buy("2")
    bench.venue.fail("instrument", *[REFUSALS["no answer"]] * 50)
    bench.crash()
    assert [line["status"] for line in bench.sell("5")["orders"]] == ["filled", "filled"]
    assert (bench.held(), bench.at_venue()) == (-3, -3)


def test_what_the_strategy_does_not_hold_is_refused_as_ever(make_venue_bench):
    """Another strategy's position, another symbol: the venue's words are the answer."""
    bench = make_venue_bench()
    bench.buy("2")
    bench.venue.fail("instrument", *[REFUSALS["429"]] * 50)
    bench.crash()
    for about in ({"strategy": "t"}, {"symbol": bench.other}):
        answer = bench.send(action="close", **about)
        assert (answer["http"], answer["code"]) == (422, "THROTTLED")
    assert bench.held() == 2


def test_a_close_off_the_route_finds_its_position(make_venue_bench):
    """The strategy holds it on an account that it is not routed to, and the alert names none."""
    bench = make_venue_bench()
    bench.buy("2", account_group="w")
    bench.venues["w"].fail("instrument", *[REFUSALS["429"]] * 50)
    bench.crash()
    assert bench.send(action="close")["status"] == "filled"
    assert bench.held(account="w") == 0


@pytest.fixture
def futures_bench(make_venue_bench):
    """Give a venue that trades dated contracts; `MES1!` is the one of December."""
    bench = make_venue_bench()
    december = Instrument(
        "MESZ2026",
        "futures",
        "MES",
        "USD",
        root="MES",
        tick=Decimal("0.25"),
        step=Decimal(1),
        min_quantity=Decimal(1),
    )
    bench.venue.instruments = {"MES1!": december, "MESZ2026": december}
    bench.venue.prices = dict.fromkeys(bench.venue.instruments, Decimal(6000))
    bench.symbol = "MESZ2026"
    return bench


@each_refusal
@pytest.mark.parametrize("opened", ["MES1!", "MESZ2026"])
def test_a_close_of_the_root_finds_the_contract(futures_bench, fault, opened):
    """`MES1!` means any contract of the root that the strategy holds, although nobody resolves it now."""
    bench = futures_bench
    bench.buy("2", symbol=opened, price="6000")
    bench.venue.fail("instrument", *[fault] * 50)
    bench.crash()
    answer = bench.send(action="close", symbol="MES1!", price="6000")
    assert (answer["status"], bench.held()) == ("filled", 0)


def test_a_reversal_of_the_root_waits_for_the_contract_it_is_to_open(futures_bench):
    """While the venue does not answer it is not known which one that is; at last the close goes alone."""
    bench = futures_bench
    bench.buy("2", symbol="MES1!", price="6000")
    bench.venue.fail("instrument", *[Unreachable("no route")] * 200)
    bench.crash()
    answer = bench.sell("5", symbol="MES1!", price="6000")
    assert (answer["status"], bench.held()) == ("pending", 2)
    bench.tick(100)
    assert bench.held() == 0
    assert [line["status"] for line in bench.now(answer)["orders"]] == ["filled", "denied"]
    assert bench.now(answer)["orders"][1]["code"] == "EXPIRED"
