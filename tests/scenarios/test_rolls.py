"""The month moves on: what was opened in one contract is closed in it, and never opened anew in the next."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from brokers.instruments import futures
from brokers.instruments.contracts import build_contract
from brokers.instruments.front_month import FrontMonths
from brokers.protocol import Unreachable
from tests.support.fakes import HangingBroker, make_facts

CONFIG = """
trading: paper
accounts:
  f: {broker: venue, cash: 10000000, slippage_ticks: 0, fee_per_contract: 0}
  early: {broker: venue, cash: 10000000, roll_days: 15}
  banded: {broker: venue, cash: 10000000, risk: {price_band_percent: 5}}
  sim: {broker: paper, cash: 10000000}
default_account: f
strategies:
  s: {account: f, default_quantity: 1}
  synced: {account: f, sync: position}
  plain: {account: sim}
"""
ALERT = {"strategy": "s", "symbol": "CME_MINI:MES1!", "price": 6000}


class FuturesVenue(HangingBroker):
    """A venue whose accounts trade on paper here."""

    facts = make_facts("reduce_only", markets=("futures",), currency="USD")


def at(text: str) -> int:
    """Return a time in UTC as milliseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.fixture
def desk(make_bench):
    """Give a desk in November 2026 with paper twins of a futures venue."""
    bench = make_bench(CONFIG, {"venue": FuturesVenue()})
    bench.clock.now = at("2026-11-20T15:00")
    return bench


def held(desk, strategy="s", account="f"):
    """Return what a strategy holds, by contract."""
    return {
        row["instrument"]: Decimal(row["quantity"])
        for row in desk.positions()
        if (row["strategy"], row["account"]) == (strategy, account) and Decimal(row["quantity"])
    }


def roll(desk):
    """Let the front month move on."""
    desk.clock.now = at("2026-12-14T15:00")


def test_13_2_a_twin_of_a_futures_venue_trades_the_contract_of_the_calendar(desk):
    """The answer names it; on the simulator itself the continuous symbol stays what it is."""
    answer = desk.send(action="buy", **ALERT)
    assert (answer["status"], answer["orders"][0]["instrument"]) == ("filled", "MESZ2026")
    desk.send(action="buy", quantity=1, symbol="MES2!", price=6000, strategy="s")
    assert held(desk) == {"MESZ2026": 1, "MESH2027": 1}
    desk.send(action="buy", quantity=1, symbol="MES1!", price=6000, strategy="plain")
    assert held(desk, "plain", "sim") == {"MES1!": 1}


@pytest.mark.parametrize(
    ("alert", "left"),
    [
        ({"action": "close"}, {}),
        ({"action": "sell"}, {}),
        ({"action": "sell", "quantity": 2}, {}),
        ({"action": "close", "symbol": "MES2!"}, {}),
        ({"action": "close_long", "quantity": 1}, {"MESZ2026": 1}),
        ({"action": "sell", "quantity": 5}, {"MESH2027": -3}),
        ({"action": "close", "symbol": "MESH7"}, {"MESZ2026": 2}),
        ({"action": "close", "symbol": "MESZ6"}, {}),
    ],
)
def test_3_11_after_the_roll_an_exit_goes_to_the_contract_that_is_held(desk, alert, left):
    """In November long 2 of December; in mid-December an exit for MES1!."""
    desk.send(action="buy", quantity=2, **ALERT)
    roll(desk)
    answer = desk.send(**{**ALERT, **alert})
    assert answer["http"] == 200, answer
    assert held(desk) == left, answer


def test_3_11_also_after_the_last_day_of_the_contract(desk):
    """What is still held there is closed; nothing is opened."""
    desk.send(action="buy", quantity=2, **ALERT)
    desk.clock.now = at("2027-01-04T15:00")
    desk.restart()
    desk.send(action="close", **ALERT)
    assert held(desk) == {}


def test_3_13_a_stated_position_counts_what_the_old_month_holds(desk):
    """Long 2 of December; a target of 3 after the roll opens one of March, a target of flat closes both."""
    alert = {**ALERT, "strategy": "synced"}
    desk.send(action="buy", position_size=2, **alert)
    roll(desk)
    desk.send(action="buy", position_size=3, **alert)
    assert held(desk, "synced") == {"MESZ2026": 2, "MESH2027": 1}
    desk.send(action="sell", position_size=0, **alert)
    assert held(desk, "synced") == {}


@pytest.mark.parametrize(
    ("alert", "counted", "left"),
    [
        ({"action": "sell", "quantity": 2}, "NOTHING_TO_CLOSE", {}),
        ({"action": "sell", "quantity": 5}, None, {"MESH2027": -3}),
        ({"action": "close"}, "NOTHING_TO_CLOSE", {}),
        ({"action": "sell"}, "NOTHING_TO_CLOSE", {}),
    ],
)
def test_3_14_a_stop_in_the_old_month_counts_in_the_next(desk, alert, counted, left):
    """Long 2, stopped out in December; the signal's own exit comes after the roll."""
    desk.send(action="buy", quantity=2, stop_loss=5950, **ALERT)
    desk.send(action="buy", strategy="plain", symbol="MESZ2026", price=5940, account_group="f")
    desk.send(action="close", strategy="plain", symbol="MESZ2026", price=5940)
    assert held(desk) == {}
    roll(desk)
    desk.restart()
    answer = desk.send(**{**ALERT, **alert})
    assert answer["code"] == counted, answer
    assert held(desk) == left, answer
    assert "its stop closed 2 at 5940" in answer["message"] + str(answer["warnings"])
    again = desk.send(action="sell", quantity=1, **ALERT)  # it counts once
    assert again["orders"][0]["status"] == "filled"


def test_roll_days_move_the_front_month(desk):
    """Fifteen business days before its end December is left in November already."""
    desk.clock.now = at("2026-11-30T15:00")
    desk.send(action="buy", account_group="early", quantity=1, **ALERT)
    assert held(desk, "s", "early") == {"MESH2027": 1}
    desk.send(action="buy", quantity=1, **ALERT)
    assert held(desk) == {"MESZ2026": 1}


def test_5_3_levels_of_a_continuous_chart_are_distances_from_its_price(desk):
    """Stop and target stand as far from the fill as from the alert's price."""
    desk.send(action="sell", stop_loss=6010.25, take_profit=5980, **ALERT)
    [row] = [row for row in desk.positions() if row["instrument"] == "MESZ2026"]
    assert (row["stop_loss"], row["take_profit"]) == ("6010.25", "5980")


def test_5_3_several_targets_of_a_continuous_chart_are_distances_too(desk):
    """Each as far from the fill as from the alert's price."""
    desk.send(action="sell", quantity=2, take_profits=[5990, {"ticks": 80}], **ALERT)
    [row] = [row for row in desk.positions() if row["instrument"] == "MESZ2026"]
    assert [each["price"] for each in row["take_profits"]] == ["5990", "5980"]


@pytest.mark.parametrize(
    ("alert", "code"),
    [
        ({"order_type": "limit", "limit_price": 5990}, "DATED_SYMBOL_NEEDED"),
        ({"order_type": "stop", "stop_price": 6010}, "DATED_SYMBOL_NEEDED"),
        ({"stop_loss": {"price": 5990, "limit_price": 5980}}, "DATED_SYMBOL_NEEDED"),
        ({"stop_loss": 40}, "LEVEL_FAR"),
        ({"stop_loss": 6010}, "STOP_SIDE"),
        ({"price": None, "stop_loss": 5990}, "NO_PRICE"),
    ],
)
def test_5_3_what_a_continuous_chart_cannot_say_opens_nothing(desk, alert, code):
    """The answer names the contract to send; an exit goes on."""
    answer = desk.send(**{**ALERT, "action": "buy", **alert})
    assert (answer["code"], answer["http"]) == (code, 422)
    assert held(desk) == {}
    dated = desk.send(**{**ALERT, "action": "buy", "symbol": "MESZ2026", **alert})
    assert dated["code"] != "DATED_SYMBOL_NEEDED"


def test_4_4_a_level_of_a_back_adjusted_chart_is_told_as_that(desk):
    """Without the alert's price a level is measured by the traded contract's, and by the band."""
    alert = {"strategy": "s", "account_group": "banded", "action": "buy", "quantity": 1}
    desk.send(symbol="MESZ2026", price=6000, **alert)
    answer = desk.send(symbol="MES1!", stop_loss=5500, **alert)
    assert (answer["code"], answer["http"]) == ("LEVEL_FAR", 422)
    assert (
        "by more than 5 % (price_band_percent): the chart may be back-adjusted" in answer["message"]
    )
    answer = desk.send(symbol="MES1!", stop_loss=2500, **alert)
    assert "back-adjusted" in answer["message"]
    assert desk.send(symbol="MES1!", stop_loss=5900, **alert)["status"] == "filled"


@pytest.mark.parametrize("moment", ["2026-12-18T15:00", "2026-12-21T15:00"])
def test_an_ending_contract_opens_nothing(desk, moment):
    """On the last trading day and after it; the continuous symbol trades the next month."""
    desk.clock.now = at(moment)
    answer = desk.send(**{**ALERT, "symbol": "MESZ2026"}, action="buy")
    assert (answer["code"], answer["http"]) == ("CONTRACT_EXPIRED", 422)
    desk.send(action="buy", **ALERT)
    assert held(desk) == {"MESH2027": 1}


# --- at a venue ----------------------------------------------------------------------------------


@pytest.fixture
def bench(make_venue_bench):
    """Give a desk at a venue that calls December its front month."""
    found = make_venue_bench()
    found.clock.now = at("2026-11-20T15:00")
    front = {"name": "MESZ6"}
    december, march = (
        build_contract(contract, contract.short)
        for contract in (futures.Contract("MES", 12, 2026), futures.Contract("MES", 3, 2027))
    )
    venue = found.venue
    venue.instruments = {december.symbol: december, march.symbol: march}
    venue.prices = dict.fromkeys(venue.instruments, Decimal(6000))
    known = venue.instrument

    def instrument(symbol: str) -> Any:
        name = symbol.rpartition(":")[2]
        return known(front["name"] if name == "MES1!" else name.replace("202", ""))

    venue.instrument = instrument
    found.front = front
    return found


def test_3_11_an_exit_right_after_the_venue_has_moved_on_closes_what_is_held(bench):
    """One second later the venue calls March the front month: December is closed, nothing opened."""
    bench.buy("2", symbol="MES1!", price=6000)
    assert bench.held("s", "MESZ6") == 2
    bench.tick(3700)  # the name is asked for again
    bench.front["name"] = "MESH7"
    bench.tick(1)
    answer = bench.sell("2", symbol="MES1!", price=6000)
    assert answer["status"] in ("filled", "pending"), answer
    bench.tick(5)
    assert (bench.at_venue("MESZ6"), bench.at_venue("MESH7")) == (0, 0)
    assert [request.instrument.symbol for request in bench.exits()] == ["MESZ6"]
    bench.buy("1", symbol="MES1!", price=6000)
    assert bench.at_venue("MESH7") == 1


# --- the helper of the venues --------------------------------------------------------------------

TODAY = date(2026, 11, 20)


class Clock:
    """A clock that is set."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_a_venues_word_on_its_front_month_is_good_for_an_hour():
    """It goes before the calendar and is asked for once."""
    asked, clock = [], Clock()
    front = FrontMonths(lambda *what: asked.append(what) or "/MESH7", clock)
    for seconds in (0, 1, 3598):
        clock.now += seconds
        assert front.find("MES1!", TODAY).short == "MESH7"
    assert asked == [("MES", 1)]
    clock.now += 2
    front.find("MES1!", TODAY)
    front.find("MES2!", TODAY)
    assert asked == [("MES", 1), ("MES", 1), ("MES", 2)]


@pytest.mark.parametrize("said", [None, "", "ESH7", "MESF7", "MESU6", "nonsense", Unreachable()])
def test_the_calendar_stands_in_for_a_venue_that_does_not_say(said):
    """Another product, a month that does not exist or has ended, and no answer: December."""

    def ask(root, place):
        if isinstance(said, Exception):
            raise said
        return said

    front = FrontMonths(ask, Clock())
    assert front.find("MES1!", TODAY).short == "MESZ6"
    assert front.find("MES2!", TODAY).short == "MESH7"


def test_a_remembered_month_that_ends_today_is_asked_for_anew():
    """Nothing may be opened on its last trading day."""
    names = iter(["MESZ6", "MESH7"])
    front = FrontMonths(lambda *_: next(names), Clock())
    assert front.find("MES1!", date(2026, 12, 17)).short == "MESZ6"
    assert front.find("MES1!", date(2026, 12, 18)).short == "MESH7"
