"""The whole way: an alert comes in, and a stand-in for Binance has the order, its stop and its target."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest

from tests.support.running import GUARDED, await_true, receivers
from tests.support.stand_in.binance import KEY
from tests.support.stand_in.binance import SECRET as VENUE_SECRET
from tests.support.stand_in.binance_spot import StandIn

ORDER, PAIR, ACCOUNT = "/api/v3/order", "/api/v3/orderList/oco", "/api/v3/account"
KEYS = {**GUARDED, "BINANCE_API_KEY": KEY, "BINANCE_API_SECRET": VENUE_SECRET}


@pytest.fixture
def venue():
    """Give a venue with money on the account."""
    with StandIn() as found:
        yield found


@pytest.fixture
def start(tmp_path):
    """Start receivers."""
    with receivers(tmp_path) as found:
        yield found


@pytest.fixture
def receiver(start, venue):
    """Give a receiver with an account there."""
    return start(configure(venue), KEYS)


def configure(venue):
    """Return a configuration with a testnet account at the stand-in."""
    return (
        f"accounts: {{binance: {{broker: binance, sandbox: true, base_url: '{venue.url}'}}}}\n"
        "default_account: binance\n"
    )


def trade(receiver, action="buy", **fields):
    """Send one alert and return its answer."""
    alert = {"action": action, "symbol": "BTCUSDT", "quantity": "0.1", "price": "50000", **fields}
    alert = {name: value for name, value in alert.items() if value is not None}
    return receiver.send(**alert).get_json()


def working(venue):
    """Return type, quantity and levels of every order that works at the venue."""
    rows = [o for o in venue.orders if o.status in ("NEW", "PARTIALLY_FILLED")]
    return sorted((o.kind, o.quantity, o.price, o.stop) for o in rows)


def test_a_buy_is_filled_and_the_share_is_net_of_the_fee(receiver, venue):
    """Binance takes its fee out of the bitcoin that was bought."""
    answer = trade(receiver)
    order = answer["orders"][0]
    assert (answer["status"], order["paper"], order["average_price"]) == ("filled", False, "50000")
    assert order["fees"] == {"BTC": "0.0001"}
    assert receiver.held() == {("default", "BTCUSDT"): Decimal("0.0999")}
    assert len(venue.sent("POST", ORDER)) == 1


def test_a_fixed_size_order_needs_no_other_request_once_warm(receiver, venue):
    """What the venue must know of the symbol was asked before."""
    trade(receiver)
    before = len(venue.requests)
    trade(receiver)
    sent = [r for r in venue.requests[before:] if r.path != ACCOUNT and "openOrders" not in r.path]
    assert [(each.method, each.path) for each in sent] == [("POST", ORDER)]


def test_stop_and_target_are_one_linked_pair_over_exactly_the_share(receiver, venue):
    """In the size that can be sold, not in the size that was bought."""
    trade(receiver, stop_loss="48000", take_profit="55000")
    await_true(lambda: len(working(venue)) == 2)
    await_true(lambda: receiver.get("/positions")["positions"][0]["protected"])
    sizes = {size for _, size, *_ in working(venue)}
    assert sizes == {Decimal("0.0999")}
    assert len(venue.sent("POST", PAIR)) == 1


def test_a_stop_that_fires_closes_the_share_and_its_target_is_gone(receiver, venue):
    """What the venue did by itself is learned by reading."""
    trade(receiver, stop_loss="48000", take_profit="55000")
    await_true(lambda: len(working(venue)) == 2)
    venue.set_price("BTCUSDT", 47900)
    await_true(lambda: receiver.get("/positions")["closed"], 15)
    closed = receiver.get("/positions")["closed"][0]
    assert (closed["closed_by"], closed["exit_price"]) == ("stop_loss", "47900")
    assert not receiver.held()
    assert not working(venue)


def test_a_close_makes_room_and_sells_exactly_the_share(receiver, venue):
    """The pair locks the coins, so it is cancelled first; what was there before stays."""
    venue.free["BTC"] = Decimal("1.5")
    trade(receiver, stop_loss="48000", take_profit="55000")
    await_true(lambda: len(working(venue)) == 2)
    answer = trade(receiver, "close", quantity=None)
    assert answer["status"] == "filled"
    assert not working(venue)
    assert venue.free["BTC"] == Decimal("1.5")
    assert not receiver.held()


def test_an_amount_of_cash_is_spent_exactly(receiver, venue):
    """The venue turns the amount into a quantity."""
    answer = trade(receiver, quantity="1000", quantityType="dollar_amount", price=None)
    assert answer["status"] == "filled", answer["message"]
    assert venue.sent("POST", ORDER)[0]["quoteOrderQty"] == "1000"
    assert answer["orders"][0]["quantity"] == answer["orders"][0]["filled_quantity"] == "0.02"


def test_an_amount_of_cash_beside_a_stated_position_buys_no_more_than_that(receiver, venue):
    """A quantity leaves: the whole amount would buy five times as much."""
    cash = {"quantity": "5000", "quantityType": "dollar_amount", "position_size": "0.02"}
    answer = trade(receiver, **cash)
    assert answer["status"] == "filled", answer["message"]
    sent = venue.sent("POST", ORDER)[0]
    assert (sent["quantity"], "quoteOrderQty" in sent) == ("0.02", False)


def test_a_lost_answer_is_looked_up_and_never_sent_again(receiver, venue):
    """The order filled although nobody said so."""
    venue.lose("POST", ORDER)
    answer = trade(receiver)
    assert answer["status"] in ("unknown", "pending")
    await_true(lambda: receiver.held() == {("default", "BTCUSDT"): Decimal("0.0999")}, 15)
    assert len(venue.sent("POST", ORDER)) == 1


def test_a_resting_entry_is_watched_and_protected_when_it_fills(receiver, venue):
    """Without any further alert."""
    levels = {"stop_loss": "47000", "take_profit": "55000"}
    answer = trade(receiver, order_type="limit", limit_price="49000", **levels)
    assert answer["status"] == "accepted"
    venue.set_price("BTCUSDT", 48900)
    await_true(receiver.held, 15)
    await_true(lambda: receiver.get("/positions")["positions"][0]["protected"], 15)
    assert {size for _, size, *_ in working(venue)} == {Decimal("0.0999")}


def test_stop_and_target_of_a_limit_entry_travel_with_it(receiver, venue):
    """One request; the venue works them from the moment the entry fills, and no second pair is placed."""
    levels = {"stop_loss": "47000", "take_profit": "55000"}
    trade(receiver, order_type="limit", limit_price="49000", **levels)
    assert len(venue.sent("POST", "/api/v3/orderList/otoco")) == 1
    venue.set_price("BTCUSDT", 48900)
    await_true(receiver.held, 15)
    await_true(lambda: receiver.get("/positions")["positions"][0]["protected"], 15)
    assert venue.sent("POST", PAIR) == []


def test_an_attached_pair_that_no_longer_fits_is_placed_anew(receiver, venue):
    """A part fills and is protected by itself, so the venue cannot work the attached pair; ours grows."""
    levels = {"stop_loss": "47000", "take_profit": "55000"}
    trade(receiver, order_type="limit", limit_price="49000", **levels)
    entry = next(o for o in venue.orders if o.kind == "LIMIT")
    for part, size in (("0.04", "0.03996"), ("0.06", "0.0999")):
        venue.fill(entry.client_id, part)
        await_true(
            lambda size=size: (
                {each[1] for each in working(venue) if each[0] != "LIMIT"} == {Decimal(size)}
            ),
            20,
        )
    await_true(lambda: receiver.get("/positions")["positions"][0]["protected"], 15)


def test_a_partial_fill_of_an_entry_is_protected_in_its_size(receiver, venue):
    """And grown with it."""
    trade(receiver, order_type="limit", limit_price="49000", stop_loss="47000")
    entry = next(o for o in venue.orders if o.kind == "LIMIT")
    for part, size in (("0.04", "0.03996"), ("0.06", "0.0999")):
        venue.fill(entry.client_id, part)
        await_true(
            lambda size=size: (
                [o.quantity for o in venue.orders if o.kind == "STOP_LOSS" and o.status == "NEW"]
                == [Decimal(size)]
            ),
            15,
        )


def test_coins_sold_by_hand_make_the_share_smaller_and_are_told(receiver, venue):
    """The venue is the truth, after two reads."""
    trade(receiver)
    venue.free["BTC"] -= Decimal("0.05")
    await_true(lambda: receiver.held() == {("default", "BTCUSDT"): Decimal("0.0499")}, 30)

    def is_told():
        return any(e["event"] == "closed_elsewhere" for e in receiver.get("/status")["events"])

    await_true(is_told, 5)


def test_what_the_venue_refuses_is_said_in_its_words_with_a_remedy(receiver, venue):
    """Too little money."""
    venue.free["USDT"] = Decimal(10)
    answer = trade(receiver)
    assert (answer["status"], answer["code"]) == ("refused", "INSUFFICIENT_BALANCE")


def test_wrong_keys_halt_the_account(start, venue):
    """Opening orders stop; the message names the variables."""
    receiver = start(configure(venue), {**KEYS, "BINANCE_API_SECRET": "wrong" * 8})
    answer = trade(receiver)
    assert not answer["success"]
    assert answer["code"] in ("KEYS_REFUSED", "HALTED")
    await_true(lambda: receiver.get("/status")["open"]["halted"])
    assert "wrongwrong" not in str(receiver.get("/status")) + receiver.log()


def test_without_keys_an_alert_says_which_variables_to_set(start, venue):
    """Nothing is sent."""
    answer = trade(start(configure(venue), GUARDED))
    assert answer["code"] == "CREDENTIALS_MISSING"
    assert "BINANCE_API_KEY" in answer["message"]
    assert venue.sent("POST", ORDER) == []


def test_an_exit_that_finds_no_keys_after_a_restart_is_told(receiver, venue):
    """Nobody reads the answer that TradingView gets: the events name what is held, and the variables."""
    trade(receiver)
    receiver.environ = {"PRICES": "alerts", **GUARDED}
    receiver.restart()
    assert trade(receiver, "close", quantity=None)["code"] == "CREDENTIALS_MISSING"
    (told,) = [
        e["message"] for e in receiver.get("/status")["events"] if e["event"] == "position_left"
    ]
    assert "holds BTCUSDT on" in told
    assert "BINANCE_API_KEY" in told
    assert len(venue.sent("POST", ORDER)) == 1


def test_after_a_restart_the_share_and_its_protection_are_as_before(receiver, venue):
    """The pair at the venue is recognised, and no second one is placed."""
    trade(receiver, stop_loss="48000", take_profit="55000")
    await_true(lambda: receiver.get("/positions")["positions"][0]["protected"])
    receiver.restart()
    time.sleep(1.0)
    assert receiver.get("/positions")["positions"][0]["protected"]
    assert len(venue.sent("POST", PAIR)) == 1


def test_a_share_that_is_worth_too_little_to_be_sold_is_written_off_by_name(receiver, venue):
    """Binance takes no order below its smallest amount; the coins stay there and you are told."""
    trade(receiver, quantity="0.0002")
    venue.set_price("BTCUSDT", 20000)
    trade(receiver, "close", quantity=None, price="20000")
    await_true(lambda: not receiver.held(), 15)
    told = {each["event"]: each["message"] for each in receiver.get("/status")["events"]}
    assert "0.0001998 BTCUSDT" in told["written_off"]
    assert venue.free["BTC"] == Decimal("0.0001998")


def test_a_strategy_that_nobody_wrote_down_is_said_to_trade_in_the_sandbox(receiver, venue):
    """Its alert says where it was created: not on paper, and not with money."""
    answer = trade(receiver, strategy="new")
    assert any("was created, on" in text and "a sandbox" in text for text in answer["warnings"])


def test_several_targets_are_a_linked_pair_for_each_part(receiver, venue):
    """Together in exactly the size that can be sold: what no target takes has a stop alone."""
    targets = [
        {"price": "52000", "quantity": "0.03"},
        {"price": "55000", "percent_of_position": "50"},
    ]
    trade(receiver, stop_loss="48000", take_profits=targets)
    await_true(lambda: receiver.get("/positions")["positions"][0]["protected"])
    stops = [size for _, size, _, stop in working(venue) if stop]
    sells = [(price, size) for _, size, price, stop in working(venue) if not stop]
    assert sorted(sells) == [
        (Decimal(52000), Decimal("0.03")),
        (Decimal(55000), Decimal("0.04995")),
    ]
    assert sum(stops) == Decimal("0.0999")
    assert len(venue.sent("POST", PAIR)) == 2


def test_a_target_of_several_that_fills_leaves_the_other_parts_as_they_are(receiver, venue):
    """Its linked stop ends with it; the stop of the rest moves to break-even."""
    targets = [{"price": "52000", "quantity": "0.04"}, {"price": "55000"}]
    trade(receiver, stop_loss="48000", take_profits=targets, move_stop="break_even")
    await_true(lambda: len(working(venue)) == 4)
    venue.set_price("BTCUSDT", 52001)
    await_true(lambda: {stop for *_, stop in working(venue) if stop} == {Decimal(50000)}, 15)
    await_true(lambda: receiver.get("/positions")["positions"][0]["protected"])
    sizes = {size for _, size, *_ in working(venue)}
    assert sizes == {Decimal("0.0599")}
