"""Which price is believed: a venue's before an alert's, and none that is far from the last one seen."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from brokers.protocol import Instrument, Snapshot
from desk.orders.believed_prices import find_far_level, is_far, is_near
from parsers.alert import Level
from tests.support.fakes import DeskBench, HangingBroker, make_facts
from tests.support.running import GUARDED, await_true, receivers
from tests.support.stand_in.binance import KEY, SECRET
from tests.support.stand_in.binance_spot import StandIn

D = Decimal
Make = Callable[..., DeskBench]
RATE = "webhook: {rate_limit: 1000/minute}\n"
PERP = {"symbol": "BTCUSDT.P", "quantity": 1}


@pytest.fixture
def bench(tmp_path: Path) -> DeskBench:
    """Give a desk on paper without limits in the way."""
    return DeskBench(tmp_path, RATE)


def buy(bench: DeskBench, **alert: Any) -> dict[str, Any]:
    """Buy one bitcoin perpetual."""
    return bench.send(**{**PERP, "action": "buy", **alert})


# --- a level that is a distance (rules 4.4) ----------------------------------------------------------


DISTANCES = [
    ("MNQ1!", 21450, {"stop_loss": 50}, "stop_loss 50"),
    ("BTCUSDT", 45000, {"stop_loss": 1.5}, "stop_loss 1.5"),
    ("EURUSD", 1.08, {"stop_loss": 15}, "stop_loss 15"),
    ("EURUSD", 1.08, {"take_profit": 40}, "take_profit 40"),
    ("MNQ1!", 21450, {"order_type": "limit", "limit_price": 50}, "limit_price 50"),
    ("MNQ1!", 21450, {"order_type": "stop", "stop_price": 50}, "stop_price 50"),
    ("BTCUSDT", 45000, {"stop_loss": {"price": 44000, "limit_price": 10}}, "limit_price 10"),
]


@pytest.mark.parametrize("action", ["buy", "sell"])
@pytest.mark.parametrize(("symbol", "price", "level", "named"), DISTANCES)
def test_a_distance_is_never_taken_for_a_price(
    bench: DeskBench, symbol: str, price: float, level: dict[str, Any], named: str, action: str
) -> None:
    """It was filled with a stop that nobody can hit; the message says how a distance is written."""
    if symbol == "BTCUSDT":
        symbol = "BTCUSDT.P"
    answer = bench.send(action=action, symbol=symbol, price=price, quantity=1, **level)
    assert (answer["http"], answer["code"]) == (422, "LEVEL_FAR")
    assert named in answer["message"]
    assert "levels are prices" in answer["message"]
    if "limit_price" not in level and "stop_price" not in level:
        assert '{"percent": 1}' in answer["message"]
        assert '{"amount":' in answer["message"]
    assert bench.positions() == []


def test_the_level_of_an_order_that_brings_no_price_is_compared_with_the_last_one(
    bench: DeskBench,
) -> None:
    """Also where the alert's `price` is the level itself, and after a restart."""
    buy(bench, price=45000)
    bench.restart()
    bench.tick(3 * 86_400)
    assert buy(bench, order_type="limit", price=50)["code"] == "LEVEL_FAR"
    assert buy(bench, stop_loss=1.5)["code"] == "LEVEL_FAR"
    assert buy(bench, order_type="limit", price=44000)["status"] == "accepted"


def test_a_level_at_half_or_twice_the_price_is_a_level(bench: DeskBench) -> None:
    """The bound itself is not far."""
    assert buy(bench, price=100, stop_loss=50, take_profit=200)["status"] == "filled"
    assert buy(bench, price=100, stop_loss=49.9)["code"] == "LEVEL_FAR"
    assert buy(bench, price=100, take_profit=200.1)["code"] == "LEVEL_FAR"


def test_a_stop_of_zero_stays_a_stop_on_the_wrong_side(bench: DeskBench) -> None:
    """It is no distance: the message says to leave it out."""
    assert buy(bench, price=100, stop_loss=0)["code"] == "STOP_SIDE"


def test_distances_are_written_as_such(bench: DeskBench) -> None:
    """A percentage and an amount count from the fill, however small they are."""
    answer = buy(bench, price=21450, stop_loss={"amount": 50}, take_profit={"percent": 1})
    assert answer["status"] == "filled"
    (row,) = bench.positions()
    assert (row["stop_loss"], row["take_profit"]) == ("21400", "21664.5")


@pytest.mark.parametrize("levels", [{"stop_loss": 50}, {"order_type": "limit", "limit_price": 50}])
def test_a_far_level_on_what_only_reduces_is_a_warning(
    bench: DeskBench, levels: dict[str, Any]
) -> None:
    """The exit leaves; of a reversal only the opening part is denied."""
    buy(bench, price=21450, quantity=2)
    answer = bench.send(**{**PERP, "action": "sell", "price": 21450, **levels})
    assert answer["status"] == "filled"
    assert any("levels are prices" in text for text in answer["warnings"])
    answer = bench.send(**{**PERP, "action": "sell", "price": 21450, "quantity": 3, **levels})
    assert [each["status"] for each in answer["orders"]] == ["filled", "denied"]
    assert answer["code"] == "LEVEL_FAR"


def test_a_denial_that_its_order_told_is_told_once(tmp_path: Path) -> None:
    """Where somebody is to be told of denials, an alert and its order are one event."""
    bench = DeskBench(tmp_path, environ={"NOTIFY_URLS": "json://127.0.0.1:9"})
    waiting = buy(bench, stop_loss=50)
    buy(bench, strategy="third", price=21450)
    assert bench.status_of(waiting["alert_id"]) == "denied"
    with bench.store.reader() as reader:
        told = [each for each in reader.load_events(9) if each["alert_id"] == waiting["alert_id"]]
    assert [each["event"] for each in told] == ["order_denied"]
    bench.store.close()


def test_a_level_is_judged_when_the_first_price_comes_before_anything_fills(
    bench: DeskBench,
) -> None:
    """Nothing was known when it came: it waits, and what was a distance never fills."""
    waiting = buy(bench, stop_loss=50)
    resting = buy(bench, strategy="other", order_type="limit", limit_price=21400)
    assert (waiting["status"], resting["status"]) == ("accepted", "accepted")
    buy(bench, strategy="third", price=21450)
    assert bench.status_of(waiting["alert_id"]) == "denied"
    assert bench.status_of(resting["alert_id"]) == "accepted"
    assert [row["strategy"] for row in bench.positions() if D(row["quantity"])] == ["third"]
    with bench.store.reader() as reader:
        assert "order_denied" in [each["event"] for each in reader.load_events(9)]
        assert reader.find_alert(waiting["alert_id"]).answer.count("LEVEL_FAR")  # type: ignore[union-attr]
    buy(bench, strategy="third", price=48000)
    bench.send(**PERP, action="cancel", strategy="other")
    assert bench.held("other", "BTCUSDT.P") == 0


def test_an_entry_that_is_denied_when_a_price_comes_has_overtaken_no_exit(bench: DeskBench) -> None:
    """It was accepted without a price and opened nothing: an exit that fired before it still closes."""
    buy(bench, quantity="2", timenow="2025-11-21T04:39:00Z", price=21450)
    bench.desk.state.prices.clear()
    limit = {"order_type": "limit", "limit_price": "400"}
    waiting = buy(bench, timenow="2025-11-21T04:39:50Z", **limit)
    assert waiting["status"] == "accepted"
    buy(bench, strategy="third", price=21450)
    assert bench.status_of(waiting["alert_id"]) == "denied"
    closed = bench.send(**PERP, action="close", timenow="2025-11-21T04:39:40Z")
    assert (closed["status"], closed["code"]) == ("filled", None)


def test_a_resting_order_that_was_judged_once_is_not_judged_again(bench: DeskBench) -> None:
    """The market may walk away from it as far as it likes."""
    buy(bench, price=100)
    resting = buy(bench, order_type="limit", limit_price=60, time_in_force="gtc", strategy="s")
    for price in (110, 150, 190):
        buy(bench, price=price)
    assert bench.status_of(resting["alert_id"]) == "accepted"


# --- a price that is far from the last (rules 4.5) ---------------------------------------------------


def test_one_wrong_price_stops_nobody_out(bench: DeskBench) -> None:
    """Its own opening part is denied, nothing moves, and the share of another strategy stays."""
    buy(bench, price=45000, stop_loss=44000, strategy="careful")
    answer = buy(bench, price=2000, strategy="wrong")
    assert (answer["http"], answer["code"]) == (422, "PRICE_FAR")
    assert "second one within a tenth" in answer["message"]
    assert bench.held("careful", "BTCUSDT.P") == 1
    assert bench.desk.state.price_of("BTCUSDT.P") == 45000


def test_a_second_alert_with_that_price_is_believed(bench: DeskBench) -> None:
    """A split: what agrees within a tenth is the price from then on."""
    buy(bench, price=1000)
    assert buy(bench, price=100)["code"] == "PRICE_FAR"
    assert buy(bench, price=111)["code"] == "PRICE_FAR"
    assert buy(bench, price=101)["status"] == "filled"
    assert bench.desk.state.price_of("BTCUSDT.P") == 101


def test_the_elements_of_one_body_are_one_opinion(bench: DeskBench) -> None:
    """Twice the same wrong price in one array is not a second alert."""
    buy(bench, price=45000)
    one = '{"action":"buy","symbol":"BTCUSDT.P","quantity":1,"price":71.3}'
    assert bench.send_text(f"[{one},{one}]")["code"] == "PRICE_FAR"
    assert bench.desk.state.price_of("BTCUSDT.P") == 45000


def test_a_right_price_in_between_refutes_the_wrong_one(bench: DeskBench) -> None:
    """Two strategies that disagree never talk each other down."""
    buy(bench, price=45000)
    for _ in range(3):
        assert buy(bench, price=71.3, strategy="wrong")["code"] == "PRICE_FAR"
        assert buy(bench, price=45010)["status"] == "filled"


def test_an_exit_with_a_wrong_price_leaves_at_the_last_believed_one(bench: DeskBench) -> None:
    """An exit is never denied, and a wrong price makes no wrong profit."""
    buy(bench, price=45000)
    answer = bench.send(**PERP, action="close", price=71.3)
    assert (answer["status"], answer["orders"][0]["average_price"]) == ("filled", "45000")
    assert any("71.3" in text for text in answer["warnings"])
    assert bench.desk.state.price_of("BTCUSDT.P") == 45000


def test_of_a_reversal_with_a_wrong_price_only_the_exit_is_done(bench: DeskBench) -> None:
    """At the last believed price; the other side is not opened."""
    buy(bench, price=45000)
    answer = bench.send(**{**PERP, "action": "sell", "quantity": 3, "price": 90001})
    assert [each["status"] for each in answer["orders"]] == ["filled", "denied"]
    assert answer["orders"][0]["average_price"] == "45000"
    assert answer["orders"][1]["code"] == "PRICE_FAR"


def test_a_price_of_two_days_ago_speaks_against_nobody(bench: DeskBench) -> None:
    """Within a day it does, also across a restart."""
    buy(bench, price=1000)
    bench.restart()
    bench.tick(86_000)
    assert buy(bench, price=100)["code"] == "PRICE_FAR"
    bench.tick(1_000)
    assert buy(bench, price=100)["status"] == "filled"


def test_a_clock_set_back_makes_no_price_old_or_young(bench: DeskBench) -> None:
    """A restart with an earlier clock goes on from the prices that are known."""
    buy(bench, price=1000)
    bench.clock.tick(-7_200)
    bench.restart()
    assert buy(bench, price=100)["code"] == "PRICE_FAR"
    assert buy(bench, price=1100)["orders"][0]["average_price"] == "1100"


# --- whose price moves nothing (rules 12.4) ----------------------------------------------------------


def old(bench: DeskBench, seconds: int, **alert: Any) -> dict[str, Any]:
    """Send an alert that fired so long ago."""
    return buy(bench, fired_at=bench.clock() - seconds * 1000, **alert)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"quantity": None}, id="no quantity"),
        pytest.param({"trailing_stop": 5}, id="unsupported"),
        pytest.param({"quantity_type": "percent_of_position"}, id="percent of nothing"),
        pytest.param({"age": 200}, id="too old"),
        pytest.param({"price": 15}, id="for its price"),
    ],
)
def test_an_alert_that_is_denied_unread_moves_no_price(
    bench: DeskBench, wrong: dict[str, Any]
) -> None:
    """Neither the last price nor the stop of another strategy knows of it."""
    buy(bench, price=100, stop_loss=90, strategy="careful")
    alert = {**PERP, "action": "buy", "price": 80, "strategy": "w", **wrong}
    if age := alert.pop("age", 0):
        alert["fired_at"] = bench.clock() - age * 1000
    bench.send(**{name: value for name, value in alert.items() if value is not None})
    assert bench.desk.state.price_of("BTCUSDT.P") == 100
    assert bench.held("careful", "BTCUSDT.P") == 1


def test_validating_and_repeating_move_no_price(bench: DeskBench) -> None:
    """What is only asked is undone, doubts included; a duplicate is none of the symbol's news."""
    buy(bench, price=100, strategy="careful", stop_loss=90)
    low = '{"action":"buy","symbol":"BTCUSDT.P","quantity":1,"price":80}'
    far = low.replace("80", "15")
    bench.send_text(low, dry=True)
    for _ in range(2):
        assert bench.send_text(far, dry=True)["code"] == "PRICE_FAR"
    assert not bench.desk.state.doubted
    mark = {**PERP, "action": "buy", "price": 95, "signal_id": "k1"}
    bench.again(**mark)
    buy(bench, price=105)
    assert bench.again(**mark)["duplicate"]
    assert bench.desk.state.price_of("BTCUSDT.P") == 105
    assert bench.held("careful", "BTCUSDT.P") == 1


def test_an_alert_that_is_denied_for_something_else_is_news_all_the_same(bench: DeskBench) -> None:
    """A halted strategy's chart knows the market as well as another's."""
    buy(bench, price=100, stop_loss=90, strategy="careful")
    bench.command("halt", scope="strategy:h")
    assert buy(bench, price=89, strategy="h")["code"] == "HALTED"
    assert bench.held("careful", "BTCUSDT.P") == 0


# --- the age of a price on paper ---------------------------------------------------------------------


@pytest.mark.parametrize("restarts", [False, True])
def test_an_old_price_is_filled_at_with_a_warning(bench: DeskBench, restarts: bool) -> None:
    """Six minutes and a restart later the last price is no news; within 90 seconds it is."""
    buy(bench, price=100)
    assert not any("last one seen" in text for text in buy(bench)["warnings"])
    bench.tick(360)
    if restarts:
        bench.restart()
    answer = buy(bench)
    (warning,) = [text for text in answer["warnings"] if "last one seen" in text]
    assert "0:06:00 ago" in warning
    assert "add price" in warning
    assert answer["orders"][0]["average_price"] == "100"
    assert not any("seen" in text for text in buy(bench, price=100)["warnings"])


# --- at a venue: its own price (rules 15.4, 15.5) ----------------------------------------------------


class Telling(HangingBroker):
    """A venue that answers at once, tells prices and what the account is worth, and needs keys."""

    facts = make_facts("reduce_only", needs=("VENUE_KEY",))

    def __init__(self) -> None:
        super().__init__()
        self.may_answer.set()
        self.costs: dict[str, Decimal | None] = {}
        self.worth: Decimal | None = None
        self.questions: list[str] = []

    def price(self, symbol: str) -> Decimal | None:
        self.questions.append(symbol)
        return self.costs.get(symbol)

    def snapshot(self) -> Snapshot:
        held = {r.instrument.holding: r.quantity for r in self.asked if r.side == "buy"}
        return Snapshot(held, (), self.worth)


LIVE = """
trading: live
webhook: {secret: correct-horse-battery-8, rate_limit: 1000/minute}
risk: {RISK}
accounts: {paper_simulator: {broker: paper}, venue: {broker: telling, market: linear,
  live: true, currency: USDT}}
strategies: {s: {account: venue}, other: {account: venue}}
"""


def live(
    tmp_path: Path, limits: str, **costs: float | None
) -> tuple[DeskBench, Telling, Callable[..., dict[str, Any]]]:
    """Return a desk on a live account, its venue, and how to ask it."""
    venue = Telling()
    venue.costs = {f"{n}USDT.P": None if p is None else D(str(p)) for n, p in costs.items()}
    fixed = {"max_notional": 1_000_000, "max_position": 1_000_000, "max_daily_loss": 1_000_000}
    text = LIVE.replace("RISK", limits)
    for name, value in fixed.items():
        if name not in limits:
            text = text.replace("risk: {", f"risk: {{{name}: {value}, ")
    bench = DeskBench(tmp_path, text, {"telling": venue}, {"VENUE_KEY": "k" * 9})

    def ask(**alert: Any) -> dict[str, Any]:
        fields = {**PERP, "action": "buy", "strategy": "s", **alert}
        answer = bench.send(**{name: value for name, value in fields.items() if value is not None})
        return settle(bench, answer)

    return bench, venue, ask


def settle(bench: DeskBench, answer: dict[str, Any]) -> dict[str, Any]:
    """Let what the venue says come in until the alert has ended; return its answer then."""
    from desk.state.restore import read_answer

    for _ in range(200):
        row = bench.desk.state.history[answer["alert_id"]]
        if row.status != "pending":
            return read_answer(row.text)
        bench.desk.turn([event for event in bench.desk._inbox.drain(5) if event])
    pytest.fail("the venue never answered")


def test_a_limit_in_money_does_not_believe_the_alert(tmp_path: Path) -> None:
    """The market stood at 50,000 and the alert said 71.3: an order of 1,000 was filled for 50,000."""
    _, venue, ask = live(tmp_path, "max_notional: 1000", BTC=50000)
    assert ask(price=71.3)["code"] == "PRICE_FAR"
    assert ask(price=30000)["code"] == "MAX_NOTIONAL"
    assert ask(price=50000)["code"] == "MAX_NOTIONAL"
    assert venue.asked == []
    assert ask(price=50000, quantity="0.02")["status"] == "filled"


def test_an_alert_without_a_price_opens_where_the_venue_tells(tmp_path: Path) -> None:
    """The price a limit needs is fetched; only where nobody tells it is it unknown."""
    _, venue, ask = live(tmp_path, "max_notional: 1000", BTC=500, ETH=None)
    assert ask()["status"] == "filled"
    assert ask(quantity=3)["code"] == "MAX_NOTIONAL"
    answer = ask(symbol="ETHUSDT.P")
    assert (answer["code"], answer["orders"][0]["status"]) == ("PRICE_UNKNOWN", "denied")
    assert len(venue.asked) == 1


def test_the_second_symbol_opens_as_the_first_did(tmp_path: Path) -> None:
    """An alert that had to look its instrument up keeps its price for the limits that value it later."""
    bench, _, ask = live(tmp_path, "max_exposure: 100000", BTC=None, ETH=None)
    assert ask(price=45000)["status"] == "filled"
    assert bench.desk.state.price_of("BTCUSDT.P") == 45000
    assert ask(symbol="ETHUSDT.P", price=4000)["status"] == "filled"
    assert ask(symbol="ETHUSDT.P")["status"] == "filled"  # a believed price counts for its symbol


def test_the_band_is_measured_from_the_market_and_not_from_the_level(tmp_path: Path) -> None:
    """A limit whose `price` is its level was always within the band."""
    _, _, ask = live(tmp_path, "price_band_percent: 5", BTC=100)
    assert ask(order_type="limit", price=94)["code"] == "PRICE_BAND"
    assert ask(order_type="limit", price=96, limit_price=94)["code"] == "PRICE_BAND"
    assert ask(order_type="limit", price=96)["code"] is None


def test_a_level_is_compared_with_what_the_venue_says(tmp_path: Path) -> None:
    """Also where the alert brings no price at all."""
    _, venue, ask = live(tmp_path, "max_quantity: 100", BTC=21450)
    assert ask(stop_loss=50)["code"] == "LEVEL_FAR"
    assert ask(order_type="limit", price=50)["code"] == "LEVEL_FAR"
    assert venue.asked == []


def test_where_the_venue_tells_nothing_an_alert_is_compared_with_the_last(tmp_path: Path) -> None:
    """And a second one that agrees is believed."""
    _, _, ask = live(tmp_path, "max_quantity: 100", BTC=None)
    assert ask(price=1000)["status"] == "filled"
    assert ask(price=100)["code"] == "PRICE_FAR"
    assert ask(price=100)["status"] == "filled"


def test_a_repeated_wrong_price_is_not_believed_against_the_venue(tmp_path: Path) -> None:
    """The venue is asked, so there is no split to be guessed at."""
    bench, venue, ask = live(tmp_path, "max_quantity: 100", BTC=50000)
    for _ in range(3):
        answer = ask(price=71.3)
        assert answer["code"] == "PRICE_FAR"
        assert "venue says BTCUSDT.P costs" in answer["message"]
    assert venue.asked == []
    assert bench.desk.state.price_of("BTCUSDT.P") is None


def test_a_price_that_the_venue_said_a_moment_ago_is_not_asked_for_again(tmp_path: Path) -> None:
    """Where the alert says the same; a price that differs, or none, has the venue asked."""
    bench, venue, ask = live(tmp_path, "max_notional: 1000", BTC=500)
    ask()
    for alert, is_asked in (({"price": 501}, 0), ({"price": 560}, 1), ({}, 1)):
        venue.questions.clear()
        assert ask(**alert)["status"] == "filled"
        assert bool(venue.questions) == is_asked
    bench.tick(7)
    venue.questions.clear()
    ask(price=501)
    assert venue.questions


def test_an_exit_never_waits_for_a_price(tmp_path: Path) -> None:
    """Nobody is asked before it leaves."""
    _, venue, ask = live(tmp_path, "max_notional: 1000", BTC=500)
    ask()
    venue.questions.clear()
    assert ask(action="close", quantity=None)["status"] == "filled"
    assert venue.questions == []


def test_the_days_loss_sees_the_market_without_any_alert(tmp_path: Path) -> None:
    """What is open is valued by the venue, not by the last price that an alert brought."""
    _, venue, ask = live(tmp_path, "max_daily_loss: 50", BTC=100, ETH=1000)
    assert ask(price=100)["status"] == "filled"
    venue.costs["BTCUSDT.P"] = D(55)
    assert ask(symbol="ETHUSDT.P", quantity="0.001")["status"] == "filled"
    venue.costs["BTCUSDT.P"] = D(45)
    assert ask(price=60)["code"] == "MAX_DAILY_LOSS"


def test_the_price_of_a_paper_alert_is_no_loss_at_a_venue(tmp_path: Path) -> None:
    """A strategy that only plays said 60; the venue says 100."""
    bench, _, ask = live(tmp_path, "max_daily_loss: 20", BTC=100)
    assert ask(price=100)["status"] == "filled"
    settle(bench, bench.send(**PERP, action="buy", price=60, strategy="plays"))
    assert bench.desk.state.price_of("BTCUSDT.P") == 60
    assert ask()["status"] == "filled"


def test_prices_of_what_is_held_come_with_every_read(tmp_path: Path) -> None:
    """So /positions shows what the venue says, and a limit need not ask for it again."""
    bench, venue, ask = live(tmp_path, "max_quantity: 100", BTC=100)
    ask(price=100)
    venue.costs["BTCUSDT.P"] = D(104)
    for _ in range(8):
        bench.tick(1)
        bench.desk.turn([event for event in bench.desk._inbox.drain(1) if event])
    (row,) = bench.positions()
    assert row["open_pnl"] == "4"


def test_an_order_that_follows_another_within_ten_minutes_asks_for_no_price(tmp_path: Path) -> None:
    """Nothing is held, yet the price is read along; later it is asked for again."""
    bench, venue, ask = live(tmp_path, "max_notional: 1000", BTC=500)
    ask(price=500)
    ask(action="close", quantity=None, price=500)
    venue.asked.clear()
    for _ in range(2):
        read(bench)
        venue.questions.clear()
        assert ask(price=501)["status"] == "filled"
        assert venue.questions == []
        ask(action="close", quantity=None, price=500)
        venue.asked.clear()
    for _ in range(11):
        read(bench)
    venue.questions.clear()
    read(bench)
    assert venue.questions == []
    assert ask(price=501)["status"] == "filled"
    assert venue.questions


def test_the_prices_of_many_strange_names_are_let_go(
    bench: DeskBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest first, once an hour; never one in which something is open."""
    monkeypatch.setattr("desk.state.forgetting.KEPT_PRICES", 3)
    monkeypatch.setattr("desk.state.memory.KEPT_AT_REST", 1)
    buy(bench, price=100)
    for number in range(9):
        bench.tick(1)
        bench.send(action="close", symbol=f"N{number}USDT.P", price=5)
    bench.tick(3601)
    bench.desk.turn([])
    known = bench.desk.state.prices
    assert list(known) == list(bench.desk.state.shown.prices)
    assert set(known) == {"BTCUSDT.P", "N6USDT.P", "N7USDT.P", "N8USDT.P"}
    assert bench.desk.state.price_of("BTCUSDT.P") == 100


def test_the_venues_equity_is_the_days_loss_where_it_tells(tmp_path: Path) -> None:
    """Now less at the day's start, also across a restart; the next day begins anew."""
    bench, venue, ask = live(tmp_path, "max_daily_loss: 50", BTC=100)
    venue.worth = D(1000)
    read(bench)
    assert ask(price=100)["status"] == "filled"
    venue.worth = D(951)
    read(bench)
    assert ask()["status"] == "filled"
    venue.worth = D(950)
    bench.restart()
    read(bench)
    assert ask()["code"] == "MAX_DAILY_LOSS"
    bench.clock.now = (bench.clock.now // 86_400_000 + 1) * 86_400_000 + 1_000
    read(bench)
    assert ask()["status"] == "filled"


def read(bench: DeskBench) -> None:
    """Let a minute pass in which the account is read."""
    for _ in range(61):
        bench.tick(1)
        while events := bench.desk._inbox.take():
            bench.desk.turn([event for event in events if event])
        bench.desk.turn([event for event in bench.desk._inbox.drain(0.005) if event])


# --- through a real connection -----------------------------------------------------------------------


CONFIG = """
trading: live
default_account: main
risk: {max_notional: 1000, max_position: 2000, max_daily_loss: 200}
accounts:
  main: {broker: binance, live: true, currency: USDT, base_url: "URL"}
strategies:
  trend: {account: main}
"""


def test_the_order_of_the_report_is_not_sent(tmp_path: Path) -> None:
    """Binance says 50,000, the alert says 71.3 and wants one; without a price 0.01 is bought."""
    keys = {"MAIN_BINANCE_API_KEY": KEY, "BINANCE_API_SECRET": SECRET}
    with StandIn() as venue, receivers(tmp_path) as start:
        receiver = start(CONFIG.replace("URL", venue.url), {**GUARDED, **keys})

        def ask(**alert: Any) -> dict[str, Any]:
            fields = {"action": "buy", "symbol": "BTCUSDT", "strategy": "trend", **alert}
            path = f"/history/{receiver.send(**fields).get_json()['alert_id']}"
            found: dict[str, Any] = await_true(
                lambda: (row := receiver.get(path))["status"] != "pending" and row
            )
            return found

        assert ask(quantity=1, price=71.3)["code"] == "PRICE_FAR"
        assert ask(quantity=1)["code"] == "MAX_NOTIONAL"
        assert venue.sent("POST", "/api/v3/order") == []
        assert ask(quantity="0.01")["status"] == "filled"
        assert ask(quantity="0.01", symbol="ETHUSDT")["status"] == "filled"


# --- the arithmetic ----------------------------------------------------------------------------------


def test_far_and_near_have_exact_bounds() -> None:
    """Half, twice and a tenth themselves are neither far nor apart."""
    assert not is_far(D(50), D(100))
    assert not is_far(D(200), D(100))
    assert is_far(D("49.9"), D(100))
    assert is_far(D("200.1"), D(100))
    assert is_near(D(110), D(100))
    assert is_near(D(90), D(100))
    assert not is_near(D("110.1"), D(100))


def test_relative_levels_are_never_far() -> None:
    """A distance that is written as one is none of this rule's business."""
    mnq = Instrument("MNQ1!", "futures")
    levels = (("stop_loss", Level(amount=D(50))), ("take_profit", Level(percent=D(1))))
    assert find_far_level(None, None, levels, known=D(21450), instrument=mnq) is None
