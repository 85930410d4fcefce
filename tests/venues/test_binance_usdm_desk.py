"""The whole way on perpetuals: an alert comes in, and a stand-in for Binance has what it asks for."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.support.running import GUARDED, await_answer, await_true, launch, receivers
from tests.support.stand_in.binance import KEY
from tests.support.stand_in.binance import SECRET as VENUE_SECRET
from tests.support.stand_in.binance_usdm import PerpetualStandIn

D = Decimal
ORDER, ALGO, ACCOUNT = "/fapi/v1/order", "/fapi/v1/algoOrder", "/fapi/v3/account"
KEYS = {**GUARDED, "BINANCE_API_KEY": KEY, "BINANCE_API_SECRET": VENUE_SECRET}
BTC = ("default", "BTCUSDT")
LEVELS = {"stop_loss": "48000", "take_profit": "52000"}
PATIENT = 20.0
"""Seconds a busy machine may take for what the desk does at its next read or the one after."""


@pytest.fixture
def venue():
    """Give a venue with money on the account."""
    with PerpetualStandIn() as found:
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


def configure(venue, more=""):
    """Return a configuration with a sandbox account at the stand-in: two lines."""
    account = f"broker: binance, market: linear, sandbox: true, base_url: '{venue.url}'{more}"
    return f"accounts: {{perps: {{{account}}}}}\ndefault_account: perps\n"


def trade(receiver, action="buy", **fields):
    """Send one alert and return its answer."""
    alert = {"action": action, "symbol": "BTCUSDT.P", "quantity": "0.1", "price": "50000", **fields}
    alert = {name: value for name, value in alert.items() if value is not None}
    return receiver.send(**alert).get_json()


def legs(venue):
    """Return kind, side and size of every stop and target that works."""
    return [(kind, side, size) for kind, side, size, _ in venue.working() if kind != "LIMIT"]


def await_legs(receiver, venue, size, side="SELL"):
    """Wait until a stop and a target of this size stand."""
    both = [(kind, side, D(size)) for kind in ("STOP_MARKET", "TAKE_PROFIT")]
    await_true(lambda: legs(venue) == both, PATIENT)
    await_true(lambda: receiver.get("/positions")["positions"][0]["protected"], PATIENT)


def events(receiver, name):
    """Return the texts of the events of a name."""
    return [e["message"] for e in receiver.get("/status")["events"] if e["event"] == name]


def reads_since(venue, count):
    """Return how often the account was read since the venue had so many requests."""
    return sum(each.path == ACCOUNT for each in venue.requests[count:])


def test_a_perpetual_is_traded_both_ways_with_two_lines_of_config(receiver, venue):
    """Long, flat, short, flat; the fee is in the quote coin, so what is held is what was bought."""
    answer = trade(receiver)
    order = answer["orders"][0]
    assert (answer["status"], order["paper"], order["average_price"]) == ("filled", False, "50000")
    assert order["fees"] == {"USDT": "2.5"}
    assert receiver.held() == {BTC: D("0.1")}
    assert trade(receiver, "close", quantity=None)["status"] == "filled"
    assert trade(receiver, "sell")["status"] == "filled"
    assert receiver.held() == {BTC: D("-0.1")}
    assert trade(receiver, "close", quantity=None)["status"] == "filled"
    assert not receiver.held()
    assert [o.reduces for o in venue.placed] == [False, True, False, True]


@pytest.mark.parametrize("symbol", ["BTC-PERP", "BTC-USDT-SWAP", "BTCUSDTM"])
def test_others_spellings_trade_the_perpetual_here_and_nothing_elsewhere(start, venue, symbol):
    """On an account that trades nothing else they have one meaning; a spot account refuses them."""
    spot = "spot: {broker: paper, market: spot}, other: {broker: paper}"
    config = configure(venue).replace("}}", f"}}, {spot}}}")
    receiver = start(config, KEYS)
    assert trade(receiver, symbol=symbol)["status"] == "filled"
    assert receiver.held() == {BTC: D("0.1")}
    answer = trade(receiver, symbol=symbol, account_group="spot")
    assert answer["code"] in ("SYMBOL_UNKNOWN", "MARKET_MISMATCH")
    assert trade(receiver, "close", quantity=None, symbol=symbol)["status"] == "filled"


def test_a_warm_market_order_is_one_request_and_one_look_at_its_executions(receiver, venue):
    """What must be known of account and contract was asked before."""
    trade(receiver)
    before = len(venue.requests)
    trade(receiver)
    ours = (
        "/fapi/v1/order",
        "/fapi/v1/userTrades",
        "/fapi/v1/accountConfig",
        "/fapi/v1/exchangeInfo",
    )
    asked = [(r.method, r.path) for r in venue.requests[before:] if r.path in ours]
    assert asked == [("POST", ORDER), ("GET", "/fapi/v1/userTrades")]


def test_a_reversal_is_two_orders(receiver, venue):
    """The first closes and says so, the second opens."""
    trade(receiver)
    answer = trade(receiver, "sell", quantity="0.3")
    assert [(o["side"], o["quantity"], o["status"]) for o in answer["orders"]] == [
        ("sell", "0.1", "filled"),
        ("sell", "0.2", "filled"),
    ]
    assert [(o.quantity, o.reduces) for o in venue.placed[1:]] == [
        (D("0.1"), True),
        (D("0.2"), False),
    ]
    assert receiver.held() == {BTC: D("-0.2")}


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_stop_and_target_stand_in_exactly_the_size(receiver, venue, side):
    """As reduce-only algo orders, never closePosition; on both sides."""
    levels = LEVELS if side == "buy" else {"stop_loss": "52000", "take_profit": "48000"}
    trade(receiver, side, **levels)
    await_legs(receiver, venue, "0.1", "SELL" if side == "buy" else "BUY")
    sent = venue.sent("POST", ALGO)
    assert {each["reduceOnly"] for each in sent} == {"true"}
    assert not any("closePosition" in each or "positionSide" in each for each in sent)
    orders = receiver.get("/positions")["positions"][0]["orders"]
    assert {(o["kind"], o["client_order_id"]) for o in orders} == {
        ("stop_loss" if a.kind == "STOP_MARKET" else "take_profit", a.client_id)
        for a in venue.algos
    }


def test_a_filled_target_cancels_its_stop_at_the_next_read(receiver, venue):
    """The venue links nothing: the desk does. Reads are at most two seconds apart while orders work."""
    trade(receiver, **LEVELS)
    await_legs(receiver, venue, "0.1")
    before = len(venue.requests)
    venue.set_price("BTCUSDT", 52100)
    await_true(lambda: not venue.working(), PATIENT)
    cancelled = next(
        n for n, r in enumerate(venue.requests) if r.method == "DELETE" and n >= before
    )
    assert sum(r.path == ACCOUNT for r in venue.requests[before:cancelled]) <= 2
    closed = await_true(lambda: receiver.get("/positions")["closed"], PATIENT)[0]
    assert (closed["closed_by"], closed["exit_price"]) == ("take_profit", "52100")
    await_true(lambda: not receiver.held(), PATIENT)
    assert [a.status for a in venue.algos] == ["CANCELED", "FINISHED"]


def test_a_stop_that_fires_closes_and_its_target_is_cancelled(receiver, venue):
    """Its execution is known under the stop's own name, although the venue made another order of it."""
    trade(receiver, **LEVELS)
    await_legs(receiver, venue, "0.1")
    venue.set_price("BTCUSDT", 47900)
    await_true(lambda: receiver.get("/positions")["closed"], PATIENT)
    closed = receiver.get("/positions")["closed"][0]
    assert (closed["closed_by"], closed["exit_price"]) == ("stop_loss", "47900")
    assert Decimal(closed["fees"]) == D("0.1") * (50000 + 47900) * venue.fee_rate
    await_true(lambda: not venue.working(), PATIENT)
    assert venue.held["BTCUSDT"].amount == 0


def test_a_close_leaves_first_and_then_what_protected(receiver, venue):
    """Rules 7.2: the exit first; nothing locks it."""
    trade(receiver, **LEVELS)
    await_legs(receiver, venue, "0.1")
    before = len(venue.requests)
    assert trade(receiver, "close", quantity=None)["status"] == "filled"
    await_true(lambda: not venue.working(), PATIENT)
    changes = [(r.method, r.path) for r in venue.requests[before:] if r.method != "GET"]
    assert changes == [("POST", ORDER), ("DELETE", ALGO), ("DELETE", ALGO)]


def test_protection_grows_with_what_fills_and_is_never_bare(receiver, venue):
    """The new stop stands before the old one is cancelled: two that reduce cannot turn the position."""
    trade(receiver, order_type="limit", limit_price="49000", stop_loss="47000")
    entry = next(o for o in venue.placed if o.kind == "LIMIT")
    venue.fill(entry.client_id, "0.04")
    await_true(lambda: legs(venue) == [("STOP_MARKET", "SELL", D("0.04"))], PATIENT)
    before = len(venue.requests)
    venue.fill(entry.client_id, "0.06")
    await_true(lambda: legs(venue) == [("STOP_MARKET", "SELL", D("0.1"))], PATIENT)
    changes = [r.method for r in venue.requests[before:] if r.path == ALGO and r.method != "GET"]
    assert changes == ["POST", "DELETE"]


def test_a_fill_that_only_the_venue_knows_is_in_the_positions(receiver, venue):
    """A resting entry fills between alerts; it is protected without any further one."""
    answer = trade(receiver, order_type="limit", limit_price="49000", **LEVELS)
    assert answer["status"] == "accepted"
    before = len(venue.requests)
    venue.set_price("BTCUSDT", 48900)
    await_true(receiver.held, PATIENT)
    assert reads_since(venue, before) <= 2
    await_legs(receiver, venue, "0.1")


@pytest.mark.parametrize("endpoint", [ORDER, ALGO])
def test_a_lost_answer_is_looked_up_and_never_sent_again(receiver, venue, endpoint):
    """Also that of a stop."""
    venue.lose("POST", endpoint)
    trade(receiver, **LEVELS)
    await_legs(receiver, venue, "0.1")
    assert len(venue.placed) == 1
    assert len(venue.algos) == (2 if endpoint == ORDER else len({a.client_id for a in venue.algos}))


def test_a_position_made_by_hand_is_manual_and_bars_entries(receiver, venue):
    """What the venue holds beyond ours is nobody's of ours; exits go on."""
    trade(receiver, **LEVELS)
    await_legs(receiver, venue, "0.1")
    venue.trade_by_hand("BTCUSDT", "BUY", "0.05")

    def manual():
        rows = receiver.get("/positions")["positions"]
        return [row["quantity"] for row in rows if row["strategy"] == "manual"]

    await_true(manual, 40)
    assert manual() == ["0.05"]
    assert trade(receiver)["code"] == "SYMBOL_OWNED"
    assert trade(receiver, "close", quantity=None)["status"] == "filled"
    assert venue.held["BTCUSDT"].amount == D("0.05")


def test_a_position_closed_by_hand_shrinks_ours_and_its_protection_goes(receiver, venue):
    """The venue is the truth, after two reads."""
    trade(receiver, **LEVELS)
    await_legs(receiver, venue, "0.1")
    venue.trade_by_hand("BTCUSDT", "SELL", "0.1")
    await_true(lambda: not receiver.held(), 40)
    await_true(lambda: not venue.working(), PATIENT)
    await_true(lambda: events(receiver, "closed_elsewhere"), PATIENT)


def test_after_429_no_entry_is_sent_again_and_the_close_leaves_when_the_pause_ends(receiver, venue):
    """Throttled is refused where it opens, and waits where it reduces."""
    trade(receiver)
    venue.answer(
        "POST", ORDER, {"code": -1003, "msg": "Too many requests"}, 429, {"Retry-After": "2"}
    )
    assert trade(receiver, symbol="ETHUSDT.P", quantity="1", price="2500")["code"] == "THROTTLED"
    answer = trade(receiver, "close", quantity=None)
    await_true(lambda: not receiver.held(), PATIENT)
    assert answer["status"] in ("pending", "refused", "filled")
    sent = venue.sent("POST", ORDER)
    assert [each["symbol"] for each in sent] == ["BTCUSDT", "ETHUSDT", "BTCUSDT"]
    assert sent[-1]["reduceOnly"] == "true"


def test_what_is_worth_little_can_still_be_closed(receiver, venue):
    """The smallest value is for what opens."""
    trade(receiver, quantity="0.002")
    assert trade(receiver, quantity="0.0005", symbol="BTCUSDT.P")["code"] == "QUANTITY_TOO_SMALL"
    assert trade(receiver, "sell", quantity="0.001", price=None)["status"] == "filled"
    venue.set_price("BTCUSDT", 30000)
    assert trade(receiver, "close", quantity=None, price="30000")["status"] == "filled"
    assert not receiver.held()


def test_hedge_mode_opens_nothing_and_says_which_switch(start, venue):
    """The server runs, alerts are 422, and the account is halted."""
    venue.is_hedged = True
    receiver = start(configure(venue), KEYS)
    answer = trade(receiver)
    assert (answer["code"], answer["success"]) == ("HEDGE_MODE", False)
    assert "One-way Mode" in answer["message"]
    assert venue.placed == []
    venue.is_hedged = False
    receiver.control("/resume", account="perps")
    assert trade(receiver)["status"] == "filled"


def test_leverage_and_margin_are_set_once_a_contract_and_only_where_configured(start, venue):
    """Before its first entry."""
    trade(start(configure(venue), KEYS), symbol="ETHUSDT.P", quantity="1", price="2500")
    assert venue.held["ETHUSDT"].changes == []
    receiver = start(configure(venue, ", leverage: 5, margin: isolated"), KEYS)
    trade(receiver)
    trade(receiver)
    assert venue.held["BTCUSDT"].changes == ["margin ISOLATED", "leverage 5"]
    assert venue.held["ETHUSDT"].changes == []


def test_a_stop_that_is_stuck_at_the_venue_is_told_and_the_position_closed(receiver, venue):
    """Seen at Binance: it stays TRIGGERING. It protects nothing, and its level is passed."""
    venue.is_stuck = True
    trade(receiver, stop_loss="48000")
    await_true(lambda: legs(venue) == [("STOP_MARKET", "SELL", D("0.1"))], PATIENT)
    venue.set_price("BTCUSDT", 47900)
    await_true(lambda: venue.held["BTCUSDT"].amount == 0, 40)
    await_true(lambda: events(receiver, "unprotected"), PATIENT)
    # What nobody can say of the stop stays told, and bars entries, until it is resolved by hand.
    assert trade(receiver)["code"] == "ORDER_UNRESOLVED"
    stuck = venue.algos[0].client_id
    receiver.control(f"/orders/{stuck}/resolve", outcome="absent")
    assert trade(receiver)["status"] == "filled"


def test_a_large_exit_leaves_in_parts(receiver, venue):
    """Binance takes only so much in one market order."""
    venue.contracts["BTCUSDT"].max_market = "0.04"
    receiver.restart()
    for _ in range(3):
        assert trade(receiver, quantity="0.04")["status"] == "filled"
    trade(receiver, "close", quantity=None)
    await_true(lambda: not receiver.held(), PATIENT)
    assert [o.quantity for o in venue.placed if o.reduces] == [D("0.04")] * 3


def test_funding_is_booked_once_with_the_position_it_was_for(receiver, venue):
    """Also what was charged while the program did not run."""
    trade(receiver)
    receiver.stop()
    venue.pay_funding("BTCUSDT", "-1.5")
    for _ in range(2):
        receiver.restart()
        await_true(lambda: venue.sent("GET", "/fapi/v1/income"), PATIENT)
        row = await_true(lambda: receiver.get("/positions")["positions"], PATIENT)[0]
        await_true(
            lambda: receiver.get("/positions")["positions"][0]["realized_pnl"] == "-4", PATIENT
        )
        assert row["quantity"] == "0.1"


def test_no_rules_no_entry_but_an_exit(receiver, venue):
    """A close uses the contract stored with the position, whatever its spelling."""
    trade(receiver)
    for _ in range(40):
        venue.fail("GET", "/fapi/v1/exchangeInfo", -1003, "Too many requests", 403)
    receiver.restart()
    answer = trade(receiver, "close", quantity=None, symbol="BINANCE:BTCUSDT.P")
    assert answer["status"] == "filled"
    assert not receiver.held()


def test_a_target_filled_while_the_program_was_killed_cancels_its_stop(tmp_path, venue):
    """Across kill -9: the stop that was left goes at the first read of the next start."""
    (tmp_path / "config.yaml").write_text(configure(venue))
    first = launch(tmp_path, environ=KEYS)
    try:
        await_answer(first)
        fields = {"action": "buy", "symbol": "BTCUSDT.P", "quantity": "0.1", "price": "50000"}
        assert first.post(**fields, **LEVELS)[1]["status"] == "filled"
        await_true(lambda: len(venue.working()) == 2, PATIENT)
    finally:
        first.kill()
    venue.set_price("BTCUSDT", 52100)
    assert len(venue.working()) == 1
    before = len(venue.requests)
    second = launch(tmp_path, environ=KEYS)
    try:
        await_answer(second)
        await_true(lambda: not venue.working(), PATIENT)
        cancelled = [n for n, r in enumerate(venue.requests) if r.method == "DELETE"][-1]
        assert sum(r.path == ACCOUNT for r in venue.requests[before:cancelled]) <= 2
        await_true(lambda: not second.held(), PATIENT)
    finally:
        second.kill()


def test_an_entry_whose_program_was_killed_is_protected_at_the_next_start(tmp_path, venue):
    """The order filled, its answer was lost with the process."""
    (tmp_path / "config.yaml").write_text(configure(venue))
    first = launch(tmp_path, environ=KEYS)
    try:
        await_answer(first)
        venue.hang("POST", ORDER)
        fields = {"action": "buy", "symbol": "BTCUSDT.P", "quantity": "0.1", "price": "50000"}
        assert first.post(**fields, **LEVELS)[1]["status"] == "pending"
        assert venue.held["BTCUSDT"].amount == D("0.1")
    finally:
        first.kill()
    second = launch(tmp_path, environ=KEYS)
    try:
        await_answer(second)
        await_true(lambda: len(venue.working()) == 2, PATIENT)
        assert len(venue.placed) == 1
    finally:
        second.kill()


def test_several_targets_stand_beside_one_stop_for_all_that_is_left(receiver, venue):
    """Each reduce-only in its part; once one has filled the stop is resized, and stands at break-even."""
    targets = [{"price": "52000", "quantity": "0.04"}, {"price": "55000"}]
    trade(receiver, stop_loss="48000", take_profits=targets, move_stop="break_even")
    parts = [("STOP_MARKET", D("0.1")), ("TAKE_PROFIT", D("0.04")), ("TAKE_PROFIT", D("0.06"))]
    await_true(lambda: sorted((k, size) for k, _, size in legs(venue)) == parts, PATIENT)
    venue.set_price("BTCUSDT", 52001)
    left = [("STOP_MARKET", D("0.06")), ("TAKE_PROFIT", D("0.06"))]
    await_true(lambda: sorted((k, size) for k, _, size in legs(venue)) == left, PATIENT)
    row = receiver.get("/positions")["positions"][0]
    assert (row["quantity"], row["stop_loss"], row["take_profit"]) == ("0.06", "50000", "55000")
