"""The whole way at Bybit: an alert comes in, and a stand-in for Bybit has what it asks for."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.support.running import GUARDED, await_answer, await_true, launch, receivers
from tests.support.stand_in.bybit import KEY, SPOT, BybitStandIn
from tests.support.stand_in.bybit import SECRET as VENUE_SECRET

D = Decimal
CREATE, AMEND, CANCEL = "/v5/order/create", "/v5/order/amend", "/v5/order/cancel"
WALLET = "/v5/account/wallet-balance"
KEYS = {**GUARDED, "BYBIT_API_KEY": KEY, "BYBIT_API_SECRET": VENUE_SECRET}
BTC, COIN = ("default", "BTCUSDT"), "BTCUSDT"
LEVELS = {"stop_loss": "48000", "take_profit": "52000"}
PATIENT = 20.0
"""Seconds a busy machine may take for what the desk does at its next read or the one after."""


@pytest.fixture
def venue():
    """Give a venue with money on the account."""
    with BybitStandIn() as found:
        yield found


@pytest.fixture
def start(tmp_path):
    """Start receivers."""
    with receivers(tmp_path) as found:
        yield found


@pytest.fixture
def receiver(start, venue):
    """Give a receiver with an account of perpetuals there."""
    return start(configure(venue), KEYS)


@pytest.fixture
def spot(start, venue):
    """Give a receiver with an account of coins there."""
    return start(configure(venue, market="spot"), KEYS)


def configure(venue, more="", market="linear"):
    """Return a configuration with a sandbox account at the stand-in: two lines."""
    account = f"broker: bybit, market: {market}, sandbox: true, base_url: '{venue.url}'{more}"
    return f"accounts: {{perps: {{{account}}}}}\ndefault_account: perps\n"


def trade(receiver, action="buy", symbol="BTCUSDT.P", **fields):
    """Send one alert and return its answer."""
    alert = {"action": action, "symbol": symbol, "quantity": "0.1", "price": "50000", **fields}
    alert = {name: value for name, value in alert.items() if value is not None}
    return receiver.send(**alert).get_json()


def legs(venue):
    """Return side, size and level of what works and waits for its level."""
    return sorted((o.side, o.leaves, o.stop) for o in venue.orders if o.is_open and o.stop)


def await_legs(receiver, venue, size):
    """Wait until a stop and a target of this size stand."""
    both = [("SELL", D(size), D(48000)), ("SELL", D(size), D(52000))]
    await_true(lambda: legs(venue) == both, PATIENT)
    await_true(lambda: receiver.get("/positions")["positions"][0]["protected"], PATIENT)


def events(receiver, name):
    """Return the texts of the events of a name."""
    return [e["message"] for e in receiver.get("/status")["events"] if e["event"] == name]


def reads(venue, begin, end=None):
    """Return how often the account was read between two requests."""
    return sum(each.path == WALLET for each in venue.requests[begin:end])


def held(venue):
    """Return the venue's own position in bitcoin."""
    return venue.position("BTCUSDT").quantity


def test_a_perpetual_is_traded_both_ways_with_two_lines_of_config(receiver, venue):
    """Long, flat, short, flat; what reduces says so, and every order has its name."""
    answer = trade(receiver)
    order = answer["orders"][0]
    assert (answer["status"], order["paper"], order["average_price"]) == ("filled", False, "50000")
    assert receiver.held() == {BTC: D("0.1")}
    assert trade(receiver, "close", quantity=None)["status"] == "filled"
    assert trade(receiver, "sell")["status"] == "filled"
    assert receiver.held() == {BTC: D("-0.1")}
    assert trade(receiver, "close", quantity=None)["status"] == "filled"
    assert not receiver.held()
    assert [o.reduces for o in venue.orders] == [False, True, False, True]


def test_a_reversal_is_two_orders(receiver, venue):
    """The first closes and says so, the second opens."""
    trade(receiver)
    answer = trade(receiver, "sell", quantity="0.3")
    assert [(o["quantity"], o["status"]) for o in answer["orders"]] == [
        ("0.1", "filled"),
        ("0.2", "filled"),
    ]
    sizes = [(o.quantity, o.reduces) for o in venue.orders[1:]]
    assert sizes == [(D("0.1"), True), (D("0.2"), False)]


def test_stop_and_target_stand_in_exactly_the_size(receiver, venue):
    """Conditional and reduce-only, under names of ours, at the first read after the fill."""
    before = len(venue.requests)
    trade(receiver, **LEVELS)
    await_legs(receiver, venue, "0.1")
    placed = [n for n, r in enumerate(venue.requests) if r.path == CREATE and n >= before]
    assert reads(venue, placed[0], placed[2]) <= 1
    bodies = venue.sent("POST", CREATE)[1:]
    assert all(b["reduceOnly"] is True and "closeOnTrigger" not in b for b in bodies)
    orders = receiver.get("/positions")["positions"][0]["orders"]
    assert {o["client_order_id"] for o in orders} == {b["orderLinkId"] for b in bodies}


def test_a_filled_target_cancels_its_stop_at_the_next_read(receiver, venue):
    """The desk is the link. Reads are at most two seconds apart while orders work."""
    trade(receiver, **LEVELS)
    await_legs(receiver, venue, "0.1")
    before = len(venue.requests)
    venue.set_price("BTCUSDT", 52100)
    await_true(lambda: not venue.working(), PATIENT)
    paths = [each.path for each in venue.requests]
    assert reads(venue, before, paths.index(CANCEL, before)) <= 2
    closed = await_true(lambda: receiver.get("/positions")["closed"], PATIENT)[0]
    assert (closed["closed_by"], closed["exit_price"]) == ("take_profit", "52000")


def test_a_stop_that_fires_closes_and_its_target_is_cancelled(receiver, venue):
    """The order keeps its name when its level wakes it."""
    trade(receiver, **LEVELS)
    await_legs(receiver, venue, "0.1")
    venue.set_price("BTCUSDT", 47900)
    closed = await_true(lambda: receiver.get("/positions")["closed"], PATIENT)[0]
    assert (closed["closed_by"], closed["exit_price"]) == ("stop_loss", "47900")
    await_true(lambda: not venue.working(), PATIENT)
    assert held(venue) == 0


def test_a_partial_exit_changes_the_legs_in_their_place(receiver, venue):
    """No second stop, and no moment without one."""
    trade(receiver, **LEVELS)
    await_legs(receiver, venue, "0.1")
    trade(receiver, "sell", quantity="0.04")
    await_legs(receiver, venue, "0.06")
    assert len(venue.sent("POST", AMEND)) == 2
    assert venue.sent("POST", CANCEL) == []
    assert len(venue.orders) == 4


def test_a_fill_that_only_the_venue_knows_is_in_the_positions(receiver, venue):
    """A resting entry fills in parts between alerts; its protection grows with it."""
    trade(receiver, order_type="limit", limit_price="49000", **LEVELS)
    entry = venue.orders[0]
    before = len(venue.requests)
    venue.fill(entry.client_id, "0.04")
    await_true(lambda: receiver.held() == {BTC: D("0.04")}, PATIENT)
    assert reads(venue, before) <= 3
    await_legs(receiver, venue, "0.04")
    venue.fill(entry.client_id, "0.06")
    await_legs(receiver, venue, "0.1")
    assert len(venue.orders) == 3


@pytest.mark.parametrize("kind", ["lose", "hang"])
def test_a_lost_answer_is_looked_up_and_never_sent_again(receiver, venue, kind):
    """The order is there under its name."""
    getattr(venue, kind)("POST", CREATE)
    trade(receiver, **LEVELS)
    await_true(lambda: receiver.held() == {BTC: D("0.1")}, 40)
    await_legs(receiver, venue, "0.1")
    assert len(venue.orders) == 3


@pytest.mark.parametrize("path", [AMEND, CANCEL])
def test_a_lost_answer_to_a_change_or_cancel_leaves_one_outcome(receiver, venue, path):
    """What was changed is seen, what was not is asked for again; never more than the position."""
    trade(receiver, **LEVELS)
    await_legs(receiver, venue, "0.1")
    venue.lose("POST", path)
    if path == AMEND:
        trade(receiver, "sell", quantity="0.04")
        await_legs(receiver, venue, "0.06")
    trade(receiver, "close", quantity=None)
    await_true(lambda: not venue.working(), 40)
    assert held(venue) == 0


def test_lists_that_lag_and_forget_are_waited_for(receiver, venue):
    """The answer to an order says only that it was heard."""
    venue.lag = 2
    assert trade(receiver)["status"] == "filled"
    venue.has_forgotten = True
    assert trade(receiver, "close", quantity=None)["status"] == "filled"
    assert len(venue.orders) == 2


def test_after_10006_no_entry_is_sent_again_and_the_close_leaves_when_the_pause_ends(
    receiver, venue
):
    """Throttled is refused where it opens, and waits where it reduces."""
    trade(receiver)
    venue.limit("POST", CREATE, 1500)
    answer = trade(receiver, symbol="ETHUSDT.P", quantity="1", price="2500")
    assert answer["code"] == "THROTTLED"
    trade(receiver, "close", quantity=None)
    await_true(lambda: not receiver.held(), PATIENT)
    bodies = venue.sent("POST", CREATE)
    assert [each["symbol"] for each in bodies] == ["BTCUSDT", "ETHUSDT", "BTCUSDT"]
    assert bodies[-1]["reduceOnly"] is True


def test_a_position_made_by_hand_is_manual_and_bars_entries(receiver, venue):
    """What the venue holds beyond ours is nobody's of ours; exits go on."""
    trade(receiver)
    venue.trade_by_hand("BTCUSDT", "BUY", "0.05")

    def manual():
        rows = receiver.get("/positions")["positions"]
        return [row["quantity"] for row in rows if row["strategy"] == "manual"]

    await_true(manual, 40)
    assert trade(receiver)["code"] == "SYMBOL_OWNED"
    assert trade(receiver, "close", quantity=None)["status"] == "filled"
    assert held(venue) == D("0.05")


def test_a_position_closed_by_hand_shrinks_ours_and_its_protection_goes(receiver, venue):
    """The venue is the truth, after two reads."""
    trade(receiver, **LEVELS)
    await_legs(receiver, venue, "0.1")
    venue.trade_by_hand("BTCUSDT", "SELL", "0.1")
    await_true(lambda: not receiver.held(), 40)
    await_true(lambda: not venue.working(), PATIENT)


def test_hedge_mode_opens_nothing_and_says_which_switch(start, venue):
    """The server runs, alerts are 422, and the account is halted."""
    venue.is_hedged = True
    receiver = start(configure(venue), KEYS)
    answer = trade(receiver)
    assert (answer["code"], answer["success"]) == ("HEDGE_MODE", False)
    assert "One-Way Mode" in answer["message"]
    assert venue.orders == []
    venue.is_hedged = False
    receiver.control("/resume", account="perps")
    assert trade(receiver)["status"] == "filled"


def test_leverage_and_margin_are_set_only_where_configured(start, venue):
    """Leverage once a symbol before its first entry, the margin mode once at the start."""
    trade(start(configure(venue), KEYS), symbol="ETHUSDT.P", quantity="1", price="2500")
    assert (venue.position("ETHUSDT").changes, venue.changes) == ([], [])
    receiver = start(configure(venue, ", leverage: 5, margin: isolated"), KEYS)
    trade(receiver)
    trade(receiver)
    assert venue.position("BTCUSDT").changes == ["leverage 5"]
    assert venue.changes == ["ISOLATED_MARGIN"]


def test_funding_is_booked_once_with_the_position_it_was_for(receiver, venue):
    """Also what was charged while the program did not run."""
    trade(receiver)
    fees = D(trade(receiver, "sell", quantity="0.04")["orders"][0]["fees"]["USDT"])
    receiver.stop()
    venue.pay_funding("BTCUSDT", "-1.5")
    for _ in range(2):
        receiver.restart()

        def realized():
            rows = receiver.get("/positions")["positions"]
            return D(rows[0]["realized_pnl"]) if rows else None

        await_true(lambda: realized() == -(D("2.5") * fees + fees) - D("1.5"), PATIENT)


def test_a_coin_is_bought_protected_and_sold_net_of_fees(spot, venue):
    """The entry first, then the stop for what is held; the stop locks it and goes before the exit."""
    answer = trade(spot, symbol="BTCUSDT", stop_loss="48000", take_profit="52000")
    assert answer["status"] == "filled"
    await_true(lambda: legs(venue) == [("SELL", D("0.0999"), D(48000))], PATIENT)
    stop = venue.orders[1]
    assert (stop.kind, venue.locked["BTC"]) == ("tpslOrder", D("0.0999"))
    assert trade(spot, "close", symbol="BTCUSDT", quantity=None)["status"] == "filled"
    await_true(lambda: not venue.working(), PATIENT)
    assert venue.free["BTC"] + venue.locked["BTC"] == 0
    assert stop.status == "CANCELED"


def test_a_spot_stop_that_fires_sells_what_is_held(spot, venue):
    """And nothing is left of it."""
    trade(spot, symbol="BTCUSDT", stop_loss="48000")
    await_true(lambda: legs(venue), PATIENT)
    venue.set_price("BTCUSDT", 47900)
    closed = await_true(lambda: spot.get("/positions")["closed"], PATIENT)[0]
    assert (closed["closed_by"], closed["exit_price"]) == ("stop_loss", "47900")
    assert venue.order(venue.orders[1].client_id).market.symbol == SPOT + COIN


def start_server(tmp_path, venue):
    """Start a receiver as a process of its own."""
    (tmp_path / "config.yaml").write_text(configure(venue))
    return launch(tmp_path, environ=KEYS)


def buy(server):
    """Send an entry with both levels and return the answer's status."""
    fields = {"action": "buy", "symbol": "BTCUSDT.P", "quantity": "0.1", "price": "50000"}
    return server.post(**fields, **LEVELS)[1]["status"]


def test_a_target_filled_while_the_program_was_killed_cancels_its_stop(tmp_path, venue):
    """Across kill -9: the stop that was left goes at the first read of the next start."""
    first = start_server(tmp_path, venue)
    try:
        await_answer(first)
        assert buy(first) == "filled"
        await_true(lambda: len(legs(venue)) == 2, PATIENT)
    finally:
        first.kill()
    venue.set_price("BTCUSDT", 52100)
    assert len(legs(venue)) == 1
    before = len(venue.requests)
    second = start_server(tmp_path, venue)
    try:
        await_answer(second)
        await_true(lambda: not venue.working(), PATIENT)
        cancelled = [n for n, r in enumerate(venue.requests) if r.path == CANCEL][-1]
        assert reads(venue, before, cancelled) <= 2
        await_true(lambda: not second.held(), PATIENT)
    finally:
        second.kill()
    assert len(venue.orders) == 3


def test_an_entry_whose_program_was_killed_is_protected_at_the_next_start(tmp_path, venue):
    """The order filled, its answer was lost with the process."""
    first = start_server(tmp_path, venue)
    try:
        await_answer(first)
        venue.hang("POST", CREATE)
        assert buy(first) == "pending"
        assert held(venue) == D("0.1")
    finally:
        first.kill()
    second = start_server(tmp_path, venue)
    try:
        await_answer(second)
        await_true(lambda: len(legs(venue)) == 2, PATIENT)
    finally:
        second.kill()
    assert [o.reduces for o in venue.orders] == [False, True, True]
