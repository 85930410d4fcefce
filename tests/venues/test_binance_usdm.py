"""What leaves for Binance's perpetuals and what its answers mean, against a scripted venue."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from brokers import public_price
from brokers.binance import usdm, usdm_fills
from brokers.binance.usdm import BinancePerpetuals
from brokers.binance.usdm_market import build_contract
from brokers.protocol import (
    CLOCK,
    CROSSED,
    FILTER,
    HEDGE_MODE,
    HEDGE_UNKNOWN,
    INSUFFICIENT_BALANCE,
    KEYS_REFUSED,
    MARKET_MISMATCH,
    NOT_PERMITTED,
    REGION_BLOCKED,
    SYMBOL_UNKNOWN,
    THROTTLED,
    UNCHANGED,
    WRONG_ORDER,
    BrokerRefused,
    Instrument,
    OrderRequest,
    Uncertain,
    Unreachable,
)
from brokers.wire.client import BANNED
from brokers.wire.deadline import Deadline
from tests.support.faulty_server import UNCLEAR, FaultyServer, faulty_server, reply
from tests.support.samples import BINANCE_LINEAR, Account

D = Decimal
AT = 1_760_000_000_000
ORDER, ALGO = "/fapi/v1/order", "/fapi/v1/algoOrder"
OPEN, OPEN_ALGO = "/fapi/v1/openOrders", "/fapi/v1/openAlgoOrders"
ACCOUNT, CONFIG, TRADES = "/fapi/v3/account", "/fapi/v1/accountConfig", "/fapi/v1/userTrades"
INFO = "/fapi/v1/exchangeInfo"
CONTRACT = Instrument("BTCUSDT", "linear", base="BTC", quote="USDT", tick=D("0.1"), step=D("0.001"))
STAMPS = {"timestamp", "signature", "recvWindow"}
GONE = reply(400, {"code": -2011, "msg": "Unknown order sent."})
NOT_THERE = reply(400, {"code": -2013, "msg": "Order does not exist."})


class Time:
    """A clock in milliseconds that stands until it is moved."""

    def __init__(self) -> None:
        self.now = AT

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Time:
    """Give the machine's clock."""
    return Time()


@pytest.fixture
def venue() -> Iterator[FaultyServer]:
    """Run a venue on which set-up and prices work and nothing works yet."""
    with faulty_server() as server:
        for (method, path), (status, data) in BINANCE_LINEAR.rules.items():
            server.on(method, path, reply(status, data))
        server.on("GET", TRADES, reply(200, []))
        server.on("GET", OPEN, reply(200, []))
        server.on("GET", OPEN_ALGO, reply(200, []))
        server.on("GET", ACCOUNT, reply(200, account()))
        yield server


def make(venue: FaultyServer, clock: Time, **settings: Any) -> BinancePerpetuals:
    """Return a broker that has asked for nothing yet."""
    given = Account(venue.url, BINANCE_LINEAR.credentials, "linear", **settings)
    return BinancePerpetuals("perps", given, clock)


@pytest.fixture
def broker(venue: FaultyServer, clock: Time) -> BinancePerpetuals:
    """Give a broker that knows its instrument and mode."""
    made = make(venue, clock)
    made.instrument("BTCUSDT.P")
    venue.requests.clear()
    return made


def ask(kind: str = "market", side: str = "buy", **changes: Any) -> OrderRequest:
    """Return an order for 0.01 BTC."""
    return OrderRequest("tv-1", CONTRACT, side, D("0.010"), kind, **changes)


def stop(level: str = "48000", **changes: Any) -> OrderRequest:
    """Return a stop that protects a long position."""
    return ask("stop", "sell", stop_price=D(level), reduces=True, **changes)


def target(level: str = "52000.0") -> OrderRequest:
    """Return a target that closes a long position."""
    return ask("limit", "sell", limit_price=D(level), reduces=True)


def row(**changes: Any) -> dict[str, Any]:
    """Return an ordinary order as a look-up tells it."""
    told = {
        "avgPrice": "0.00000",
        "clientOrderId": "tv-1",
        "cumQuote": "0",
        "executedQty": "0",
        "orderId": 1917641,
        "origQty": "0.010",
        "origType": "LIMIT",
        "price": "49000.0",
        "reduceOnly": False,
        "side": "BUY",
        "positionSide": "BOTH",
        "status": "NEW",
        "symbol": "BTCUSDT",
        "time": AT,
        "timeInForce": "GTC",
        "type": "LIMIT",
        "updateTime": AT,
    }
    return {**told, **changes}


def algo(**changes: Any) -> dict[str, Any]:
    """Return an algo order as a look-up tells it."""
    told = {
        "algoId": 2146760,
        "clientAlgoId": "tv-1",
        "algoType": "CONDITIONAL",
        "orderType": "STOP_MARKET",
        "symbol": "BTCUSDT",
        "side": "SELL",
        "positionSide": "BOTH",
        "timeInForce": "GTC",
        "quantity": "0.010",
        "algoStatus": "NEW",
        "actualOrderId": "",
        "actualPrice": "0.00000",
        "triggerPrice": "48000.00",
        "price": "0.00",
        "reduceOnly": True,
        "createTime": AT,
        "updateTime": AT,
        "triggerTime": 0,
    }
    return {**told, **changes}


def trade(number: int, quantity: str, price: str, **changes: Any) -> dict[str, Any]:
    """Return one execution."""
    told = {
        "symbol": "BTCUSDT",
        "id": number,
        "orderId": 1917641,
        "side": "BUY",
        "price": price,
        "qty": quantity,
        "commission": "0.2",
        "commissionAsset": "USDT",
        "realizedPnl": "0",
        "time": AT,
    }
    return {**told, **changes}


def account(*positions: tuple[str, str], balance: str = "1000") -> dict[str, Any]:
    """Return an account that holds these positions."""
    return {
        "totalWalletBalance": "990",
        "totalMarginBalance": balance,
        "assets": [
            {"asset": "USDT", "walletBalance": "990"},
            {"asset": "BNB", "walletBalance": "0"},
        ],
        "positions": [
            {"symbol": symbol, "positionSide": "BOTH", "positionAmt": held}
            for symbol, held in positions
        ],
    }


def sent(venue: FaultyServer, method: str, path: str) -> list[dict[str, str]]:
    """Return what such requests asked for, without what signs them."""
    return [
        {name: value for name, value in each.parameters.items() if name not in STAMPS}
        for each in venue.asked(method, path)
    ]


def refused_by(call: Any, *given: Any) -> BrokerRefused:
    """Return the refusal that a call meets."""
    with pytest.raises(BrokerRefused) as found:
        call(*given)
    return found.value


# --- what leaves ---------------------------------------------------------------------------------------

BASE = {"symbol": "BTCUSDT", "quantity": "0.01"}
NAMED = {"newClientOrderId": "tv-1", "newOrderRespType": "RESULT"}
ALGO_NAMED = {"algoType": "CONDITIONAL", "clientAlgoId": "tv-1", "newOrderRespType": "RESULT"}
WIRE = {
    "market entry": (ask(), ORDER, {"side": "BUY", "type": "MARKET", **NAMED}),
    "market exit": (
        ask(side="sell", reduces=True),
        ORDER,
        {"side": "SELL", "type": "MARKET", "reduceOnly": "true", **NAMED},
    ),
    "limit entry": (
        ask("limit", limit_price=D("49000.10")),
        ORDER,
        {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "49000.1", **NAMED},
    ),
    "stop entry": (
        ask("stop", stop_price=D(51000)),
        ALGO,
        {"side": "BUY", "type": "STOP_MARKET", "triggerPrice": "51000", **ALGO_NAMED},
    ),
    "stop-limit entry": (
        ask("stop_limit", stop_price=D(51000), limit_price=D("51010.5")),
        ALGO,
        {
            "side": "BUY",
            "type": "STOP",
            "triggerPrice": "51000",
            "price": "51010.5",
            "timeInForce": "GTC",
            **ALGO_NAMED,
        },
    ),
    "stop loss": (
        stop(),
        ALGO,
        {
            "side": "SELL",
            "type": "STOP_MARKET",
            "triggerPrice": "48000",
            "reduceOnly": "true",
            **ALGO_NAMED,
        },
    ),
    "take profit": (
        target(),
        ALGO,
        {
            "side": "SELL",
            "type": "TAKE_PROFIT",
            "triggerPrice": "52000",
            "price": "52000",
            "timeInForce": "GTC",
            "reduceOnly": "true",
            **ALGO_NAMED,
        },
    ),
}


@pytest.mark.parametrize("kind", WIRE)
def test_each_kind_of_order_goes_where_it_belongs(venue, broker, kind):
    """Exactly these parameters: never a position side, never closePosition."""
    request, path, expected = WIRE[kind]
    side = request.side.upper()
    venue.on("POST", ORDER, reply(200, row(side=side, price="0")))
    venue.on("POST", ALGO, reply(200, algo(side=side)))
    venue.on("GET", ORDER, reply(200, row(side=side)))
    report = (broker.close if request.reduces else broker.place_order)(request)
    assert report.status == "accepted"
    assert sent(venue, "POST", path) == [{**BASE, **expected}]
    assert [each.path for each in venue.requests if each.method != "GET"] == [path]


@pytest.mark.parametrize("fault", UNCLEAR)
@pytest.mark.parametrize("kind", ["limit entry", "stop entry", "stop loss", "take profit"])
def test_no_clear_answer_is_a_doubt_wherever_an_order_is_sent(
    venue, broker, kind, fault, monkeypatch
):
    """One request leaves, also where the algo endpoint is the one that fails."""
    monkeypatch.setattr(usdm, "ORDER_SECONDS", 0.2)
    request, path, _ = WIRE[kind]
    venue.on("POST", path, UNCLEAR[fault])
    with pytest.raises(Uncertain):
        (broker.close if request.reduces else broker.place_order)(request)
    assert len([each for each in venue.requests if each.method == "POST"]) == 1


SENDING = ["limit entry", "stop entry", "stop loss", "take profit"]
"""What the contract suite does not send: the suite tries the market orders."""
OUTCOMES = {
    "refused keys": (reply(401, {}), KEYS_REFUSED, None),
    "refused": (reply(400, {"code": -2019, "msg": "Margin"}), INSUFFICIENT_BALANCE, None),
    "throttled": (reply(429, {}, retry_after="7"), THROTTLED, 7),
    "throttled, no time": (reply(429, {}), THROTTLED, 10),
    "banned": (reply(418, {}, retry_after="300"), BANNED, 300),
    "a wall": (reply(403, "<html>Forbidden</html>"), BANNED, 600),
    "another region": (reply(451, {}), REGION_BLOCKED, None),
}


@pytest.mark.parametrize("fault", OUTCOMES)
@pytest.mark.parametrize("kind", SENDING)
def test_each_refusal_has_its_one_outcome_wherever_an_order_is_sent(venue, broker, kind, fault):
    """Certainly not placed, after one send, with the seconds that the venue wants silence."""
    request, path, _ = WIRE[kind]
    behaviour, code, seconds = OUTCOMES[fault]
    venue.on("POST", path, behaviour)
    no = refused_by(broker.close if request.reduces else broker.place_order, request)
    assert (no.code, no.retry_after) == (code, seconds)
    assert len([each for each in venue.requests if each.method == "POST"]) == 1


@pytest.mark.parametrize("kind", SENDING)
def test_nothing_listens_wherever_an_order_is_sent(venue, broker, kind):
    """It never left this machine."""
    request = WIRE[kind][0]
    venue.refuse()
    with pytest.raises(Unreachable):
        (broker.close if request.reduces else broker.place_order)(request)


@pytest.mark.parametrize("value", [..., None, True, [], {}, "", "NaN", -1, 10**25, "x"])
def test_a_stop_is_taken_or_in_doubt_whatever_stands_in_its_answer(venue, broker, value):
    """Never refused, for it was taken."""
    for name in algo():
        told = {**algo(), name: value}
        if value is ...:
            del told[name]
        venue.on("POST", ALGO, reply(200, told))
        try:
            report = broker.close(stop())
        except Uncertain:
            continue
        assert (report.client_id, report.filled) == ("tv-1", 0), name


def test_a_large_exit_is_cut_to_what_one_market_order_may_be(venue, broker):
    """The rest stays to be closed; an entry is refused by the venue by name instead."""
    big = replace(CONTRACT, max_market_quantity=D("0.004"))
    venue.on("POST", ORDER, reply(200, row(origQty="0.004")))
    venue.on("GET", ORDER, reply(200, row(origQty="0.004")))
    broker.close(replace(ask(reduces=True), instrument=big))
    assert sent(venue, "POST", ORDER)[0]["quantity"] == "0.004"


# --- what became of it ---------------------------------------------------------------------------------


def test_a_filled_order_is_read_back_with_prices_and_fees(venue, broker):
    """The answer promises no price any more: the executions have it."""
    done = {"status": "FILLED", "executedQty": "0.010"}
    answer = {
        name: value for name, value in row(**done).items() if name not in ("avgPrice", "cumQuote")
    }
    venue.on("POST", ORDER, reply(200, answer))
    fills = [trade(1, "0.004", "50000"), trade(2, "0.006", "50010")]
    venue.on("GET", TRADES, reply(200, fills))
    report = broker.place_order(ask())
    assert (report.status, report.filled, report.average_price) == ("filled", D("0.010"), D(50006))
    assert [(f.fill_id, f.fee, f.fee_coin, f.client_id) for f in report.fills] == [
        ("BTCUSDT:1", D("0.2"), "USDT", "tv-1"),
        ("BTCUSDT:2", D("0.2"), "USDT", "tv-1"),
    ]
    assert sent(venue, "GET", TRADES) == [
        {"symbol": "BTCUSDT", "orderId": "1917641", "limit": "1000"}
    ]


def test_executions_that_are_listed_a_moment_late_are_waited_for(venue, broker, monkeypatch):
    """An order that has filled is no doubt because another list lags behind it."""
    monkeypatch.setattr(usdm_fills, "LAG_SECONDS", (0, 0, 0, 0))
    venue.on("POST", ORDER, reply(200, row(status="FILLED", executedQty="0.010")))
    lagging = reply(200, [trade(1, "0.004", "50000")])
    whole = [trade(1, "0.004", "50000"), trade(2, "0.006", "50000")]
    venue.on("GET", TRADES, reply(200, []), lagging, reply(200, whole))
    assert broker.place_order(ask()).status == "filled"
    venue.on("GET", TRADES, lagging)
    with pytest.raises(Uncertain):
        broker.place_order(ask())


def test_a_market_order_that_is_only_acknowledged_is_looked_up(venue, broker):
    """NEW is no end of a market order."""
    venue.on("POST", ORDER, reply(200, row()))
    venue.on("GET", ORDER, reply(200, row(status="FILLED", executedQty="0.010", cumQuote="500")))
    venue.on("GET", TRADES, reply(200, [trade(1, "0.010", "50000")]))
    assert broker.place_order(ask()).status == "filled"
    venue.on("GET", ORDER, NOT_THERE)
    with pytest.raises(Uncertain):
        broker.place_order(ask())


def test_a_market_order_that_found_nobody_is_refused(venue, broker):
    """What it was for is tried again with a pause."""
    venue.on("POST", ORDER, reply(200, row(status="EXPIRED")))
    assert broker.close(ask(reduces=True)).status == "refused"


def test_an_order_of_this_name_that_is_older_is_another(venue, broker, clock):
    """Ids are unique among open orders only."""
    venue.on("POST", ORDER, reply(200, row(price="49000")))
    entry = ask("limit", limit_price=D(49000))
    broker.place_order(entry)
    venue.on("GET", ORDER, reply(200, row(time=AT - 61_000)))
    assert broker.find_order(entry).status == "absent"
    venue.on("GET", ORDER, reply(200, row(origQty="0.020")))
    assert broker.find_order(entry).status == "absent"
    venue.on("GET", ORDER, reply(200, row()))
    assert broker.find_order(entry).status == "accepted"


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("NEW", "accepted"),
        ("CANCELED", "cancelled"),
        ("EXPIRED", "expired"),
        ("REJECTED", "refused"),
    ],
)
def test_a_stop_is_looked_up_under_its_own_name(venue, broker, state, status):
    """The plain endpoint does not know it and is not asked."""
    venue.on("GET", ALGO, reply(200, algo(algoStatus=state)))
    report = broker.find_order(stop())
    assert (report.status, report.broker_id, report.filled) == (status, "2146760", 0)
    assert sent(venue, "GET", ALGO) == [{"clientAlgoId": "tv-1"}]
    assert venue.asked("GET", ORDER) == []


def test_a_stop_that_is_not_there_is_absent(venue, broker):
    """A target may be a plain order instead: both places are looked into."""
    venue.on("GET", ALGO, NOT_THERE)
    venue.on("GET", ORDER, NOT_THERE)
    assert broker.find_order(stop()).status == "absent"
    assert venue.asked("GET", ORDER) == []
    assert broker.find_order(target()).status == "absent"
    venue.on("GET", ORDER, reply(200, row(side="SELL")))
    assert broker.find_order(target()).status == "accepted"


@pytest.mark.parametrize("state", ["TRIGGERED", "FINISHED"])
def test_a_stop_that_fired_is_what_its_child_is(venue, broker, state):
    """FINISHED says only that it is over; the child's executions are the stop's, under the stop's name."""
    venue.on("GET", ALGO, reply(200, algo(algoStatus=state, actualOrderId="77")))
    child = row(
        orderId=77, clientOrderId="x-child", side="SELL", status="FILLED", executedQty="0.010"
    )
    venue.on("GET", ORDER, reply(200, child))
    venue.on("GET", TRADES, reply(200, [trade(5, "0.010", "47990", side="SELL", orderId=77)]))
    report = broker.find_order(stop())
    assert (report.status, report.average_price, report.client_id) == ("filled", D(47990), "tv-1")
    assert [fill.client_id for fill in report.fills] == ["tv-1"]
    assert sent(venue, "GET", ORDER) == [{"symbol": "BTCUSDT", "orderId": "77"}]
    venue.on("GET", ORDER, reply(200, {**child, "status": "CANCELED", "executedQty": "0"}))
    assert broker.find_order(stop()).status == "cancelled"
    venue.on("GET", ORDER, NOT_THERE)
    with pytest.raises(Uncertain):
        broker.find_order(stop())


def test_a_target_whose_level_was_touched_still_works(venue, broker):
    """Its child rests as a limit order, filled in part."""
    venue.on("GET", ALGO, reply(200, algo(algoStatus="TRIGGERED", actualOrderId=77)))
    child = row(orderId=77, clientOrderId="x-child", side="SELL", executedQty="0.004")
    venue.on("GET", ORDER, reply(200, {**child, "status": "PARTIALLY_FILLED"}))
    venue.on("GET", TRADES, reply(200, [trade(5, "0.004", "52000", side="SELL", orderId=77)]))
    report = broker.find_order(target())
    assert (report.status, report.code, report.filled) == ("accepted", "TRIGGERED", D("0.004"))


def test_a_stop_that_stays_on_its_way_protects_nothing(venue, broker, clock):
    """Seen at Binance for hours: after two seconds it is unknown, and not among what works."""
    venue.on("GET", ALGO, reply(200, algo(algoStatus="TRIGGERING", updateTime=AT)))
    venue.on("GET", OPEN_ALGO, reply(200, [algo(algoStatus="TRIGGERING")]))
    assert broker.find_order(stop()).status == "accepted"
    clock.now += usdm.STUCK_MS
    report = broker.find_order(stop())
    assert report.status == "unknown"
    assert "TRIGGERING" in (report.message or "")
    assert broker.snapshot().working == ()


@pytest.mark.parametrize("code", [-4116, -20132])
def test_a_name_that_is_taken_is_looked_up(venue, broker, code):
    """The stop stands already: that is no refusal."""
    venue.on("POST", ALGO, reply(400, {"code": code, "msg": "duplicated"}))
    venue.on("GET", ALGO, reply(200, algo()))
    assert broker.close(stop()).status == "accepted"
    venue.on("GET", ALGO, NOT_THERE)
    with pytest.raises(Uncertain):
        broker.close(stop())


def test_an_answer_about_another_stop_is_a_doubt(venue, broker):
    """With the code that stops the account."""
    venue.on("POST", ALGO, reply(200, algo(clientAlgoId="somebody")))
    with pytest.raises(Uncertain) as found:
        broker.close(stop())
    assert found.value.code == WRONG_ORDER


@pytest.mark.parametrize("code", [-2021, -4142])
def test_a_target_that_is_passed_already_fills_as_a_limit_order(venue, broker, code):
    """Reduce-only at its own level, under the same name; a stop that is passed is the desk's to judge."""
    venue.on("POST", ALGO, reply(400, {"code": code, "msg": "Order would immediately trigger."}))
    assert refused_by(broker.close, stop()).code == CROSSED
    assert venue.asked("POST", ORDER) == []
    done = row(side="SELL", status="FILLED", executedQty="0.010")
    venue.on("POST", ORDER, reply(200, done))
    venue.on("GET", TRADES, reply(200, [trade(5, "0.010", "52010", side="SELL")]))
    assert broker.close(target()).average_price == D(52010)
    (left,) = sent(venue, "POST", ORDER)
    assert (left["type"], left["price"], left["reduceOnly"]) == ("LIMIT", "52000", "true")
    assert left["newClientOrderId"] == "tv-1"


# --- cancelling ----------------------------------------------------------------------------------------


def test_a_stop_is_cancelled_under_its_own_name(venue, broker):
    """The answer has its code as text."""
    done = {"algoId": 2146760, "clientAlgoId": "tv-1", "code": "200", "msg": "success"}
    venue.on("DELETE", ALGO, reply(200, done))
    assert broker.cancel(stop()).status == "cancelled"
    assert sent(venue, "DELETE", ALGO) == [{"clientAlgoId": "tv-1"}]
    for wrong in ({**done, "clientAlgoId": "x"}, {**done, "code": "500"}, {}):
        venue.on("DELETE", ALGO, reply(200, wrong))
        with pytest.raises(Uncertain):
            broker.cancel(stop())


def test_a_target_that_has_become_a_limit_order_is_cancelled_there(venue, broker):
    """Its child by its number; one that was placed as a plain order by its name."""
    venue.on("DELETE", ALGO, GONE)
    venue.on("GET", ALGO, reply(200, algo(algoStatus="TRIGGERED", actualOrderId="77")))
    ended = row(orderId=77, clientOrderId="x-child", side="SELL", status="CANCELED")
    venue.on("DELETE", ORDER, reply(200, ended))
    assert broker.cancel(target()).status == "cancelled"
    assert sent(venue, "DELETE", ORDER) == [{"symbol": "BTCUSDT", "orderId": "77"}]
    venue.on("GET", ALGO, NOT_THERE)
    venue.on("DELETE", ORDER, reply(200, row(side="SELL", status="CANCELED")))
    assert broker.cancel(target()).client_id == "tv-1"
    assert sent(venue, "DELETE", ORDER)[-1]["origClientOrderId"] == "tv-1"


def test_a_stop_that_works_no_more_cannot_be_cancelled(venue, broker):
    """What became of it is a matter of looking it up."""
    venue.on("DELETE", ALGO, GONE)
    venue.on("GET", ALGO, reply(200, algo(algoStatus="CANCELED")))
    refused_by(broker.cancel, stop())
    assert venue.asked("DELETE", ORDER) == []


def test_a_cancelled_entry_keeps_what_it_had_filled(venue, broker):
    """It is dead with less than asked."""
    venue.on("DELETE", ORDER, reply(200, row(status="CANCELED", executedQty="0.004")))
    venue.on("GET", TRADES, reply(200, [trade(1, "0.004", "49000")]))
    report = broker.cancel(ask("limit", limit_price=D(49000)))
    assert (report.status, report.filled) == ("partly_filled", D("0.004"))


# --- before the first entry ----------------------------------------------------------------------------


def test_the_mode_is_read_before_the_first_entry_and_once(venue, clock):
    """An exit never waits for it."""
    broker = make(venue, clock)
    venue.on("POST", ORDER, reply(200, row()))
    venue.on("GET", ORDER, reply(200, row()))
    broker.close(ask(reduces=True))
    assert venue.asked("GET", CONFIG) == []
    broker.place_order(ask())
    broker.place_order(ask())
    assert len(venue.asked("GET", CONFIG)) == 1


def test_an_account_in_hedge_mode_opens_nothing_and_closes(venue, clock):
    """The remedy names the switch."""
    venue.on("GET", CONFIG, reply(200, {"dualSidePosition": True, "canTrade": True}))
    broker = make(venue, clock)
    no = refused_by(broker.place_order, ask())
    assert no.code == HEDGE_MODE
    assert "One-way Mode" in no.message
    assert venue.asked("POST", ORDER) == []
    assert broker.check().position_mode == "hedge"


@pytest.mark.parametrize("told", [{}, {"dualSidePosition": "false"}, None])
def test_a_mode_that_is_not_told_opens_nothing(venue, clock, told):
    """What is not surely one-way may be hedge mode."""
    venue.on("GET", CONFIG, reply(200, told))
    assert refused_by(make(venue, clock).place_order, ask()).code == HEDGE_UNKNOWN
    assert venue.asked("POST", ORDER) == []


@pytest.mark.parametrize("code", [-4061, -4062])
def test_a_later_refusal_shows_hedge_mode(venue, broker, code):
    """The mode is asked for again before anything else is opened."""
    venue.on("POST", ORDER, reply(400, {"code": code, "msg": "position side does not match"}))
    assert refused_by(broker.place_order, ask()).code == HEDGE_MODE
    venue.on("GET", CONFIG, reply(200, {"dualSidePosition": True}))
    assert refused_by(broker.place_order, ask()).code == HEDGE_MODE
    assert len(venue.asked("POST", ORDER)) == 1


def test_leverage_and_margin_are_set_before_the_first_entry_of_each_contract(venue, clock):
    """`Already so` is a success; what is set is not set again."""
    so = reply(400, {"code": -4046, "msg": "No need to change margin type."})
    venue.on("POST", "/fapi/v1/marginType", so)
    venue.on("POST", "/fapi/v1/leverage", reply(200, {"leverage": 5, "symbol": "BTCUSDT"}))
    venue.on("POST", ORDER, reply(200, row()))
    venue.on("GET", ORDER, reply(200, row()))
    broker = make(venue, clock, leverage=D(5), margin="isolated")
    broker.close(ask(reduces=True))
    assert [each.path for each in venue.requests if each.method == "POST"] == [ORDER]
    broker.place_order(ask())
    broker.place_order(ask())
    assert sent(venue, "POST", "/fapi/v1/marginType") == [
        {"symbol": "BTCUSDT", "marginType": "ISOLATED"}
    ]
    assert sent(venue, "POST", "/fapi/v1/leverage") == [{"symbol": "BTCUSDT", "leverage": "5"}]


def test_without_leverage_and_margin_nothing_is_changed(venue, broker):
    """The only thing that is sent is the order."""
    venue.on("POST", ORDER, reply(200, row()))
    venue.on("GET", ORDER, reply(200, row()))
    broker.place_order(ask())
    assert [each.path for each in venue.requests if each.method == "POST"] == [ORDER]


def test_leverage_that_binance_does_not_allow_opens_nothing(venue, clock):
    """The refusal says which line of config.yaml it was."""
    venue.on("POST", "/fapi/v1/leverage", reply(400, {"code": -4028, "msg": "not valid"}))
    no = refused_by(make(venue, clock, leverage=D(500)).place_order, ask())
    assert no.message.startswith("leverage: 500 could not be set, so nothing was opened")
    assert venue.asked("POST", ORDER) == []


# --- what errors mean ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "ours"),
    [
        *[(code, INSUFFICIENT_BALANCE) for code in (-2018, -2019, -4050, -4051)],
        *[
            (code, FILTER)
            for code in (-1111, -4003, -4004, -4005, -4023, -4013, -4014, -4164, -4131)
        ],
        *[(code, NOT_PERMITTED) for code in (-4087, -4400, -4401)],
        *[(code, KEYS_REFUSED) for code in (-1022, -2014, -2015, -1002)],
        *[(code, "REFUSED") for code in (-2022, -4118, -2027, -2028, -4120, -1102, -5021)],
        *[(code, UNCHANGED) for code in (-4046, -4059)],
        (-1121, SYMBOL_UNKNOWN),
    ],
)
def test_a_refusal_says_what_to_do(venue, broker, code, ours):
    """By Binance's code; the order was certainly not placed."""
    venue.on("POST", ORDER, reply(400, {"code": code, "msg": "what Binance says"}))
    no = refused_by(broker.place_order, ask())
    assert no.code == ours
    assert len(no.message) > 15
    assert len(venue.asked("POST", ORDER)) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"code": -1001, "msg": "Internal error; unable to process your request."},
        {"code": -1000, "msg": "An unknown error occurred."},
        {"code": -1007, "msg": "Timeout waiting for response from backend server."},
        {"timestamp": 1, "path": ORDER, "msg": "Unknown error, please check your request"},
        "Service Unavailable.",
    ],
)
def test_a_503_is_a_doubt_whatever_it_says(venue, broker, body):
    """Some are documented as failed; we look the order up all the same."""
    venue.on("POST", ORDER, reply(503, body))
    with pytest.raises(Uncertain):
        broker.place_order(ask())


def test_an_overload_refuses_entries_and_lets_exits_pass(venue, broker):
    """-1008 certainly carried nothing out, and exempts what reduces."""
    overload = reply(503, {"code": -1008, "msg": "Server is currently overloaded"})
    venue.on("POST", ORDER, overload, reply(200, row(status="FILLED", executedQty="0.010")))
    venue.on("GET", TRADES, reply(200, [trade(1, "0.010", "50000")]))
    assert refused_by(broker.place_order, ask()).code == THROTTLED
    assert refused_by(broker.place_order, ask()).code == THROTTLED
    assert len(venue.asked("POST", ORDER)) == 1
    assert broker.close(ask(reduces=True)).status == "filled"


@pytest.mark.parametrize("code", [-1021, -5028])
def test_a_second_refusal_for_the_clock_names_the_clock(venue, broker, code):
    """After one comparison and one more send under the same id."""
    venue.on("POST", ORDER, reply(400, {"code": code, "msg": "Timestamp for this request"}))
    no = refused_by(broker.place_order, ask())
    assert no.code == CLOCK
    assert "machine's clock" in no.message
    assert len(venue.asked("POST", ORDER)) == 2
    assert {each["newClientOrderId"] for each in sent(venue, "POST", ORDER)} == {"tv-1"}


def test_an_order_whose_clock_took_too_long_to_compare_does_not_leave(venue, broker, monkeypatch):
    """It would leave after the desk has given it up and looks for it."""
    venue.on("POST", ORDER, reply(400, {"code": -1021, "msg": "Timestamp for this request"}))
    late: list[bool] = []
    monkeypatch.setattr(Deadline, "is_over", property(lambda _: bool(late)))
    monkeypatch.setattr(broker._calls, "compare_clocks", lambda: late.append(True))
    with pytest.raises(Unreachable, match="too late"):
        broker.place_order(ask())
    assert len(venue.asked("POST", ORDER)) == 1


# --- symbols, rules, prices ----------------------------------------------------------------------------


def test_a_perpetual_has_the_rules_of_the_host_it_trades_on(venue, broker):
    """Steps come from the filters; `pricePrecision` is none."""
    found = broker.instrument("BINANCE:BTCUSDT.P")
    assert found.note == ""
    expected = replace(
        CONTRACT,
        min_quantity=D("0.001"),
        min_notional=D(50),
        max_market_quantity=D(120),
        market_step=D("0.001"),
    )
    assert found == expected
    assert found.may_short


def test_a_plain_name_is_the_perpetual_and_says_so(broker):
    """Because the account says linear."""
    found = broker.instrument("BTCUSDT")
    assert found.symbol == "BTCUSDT"
    assert "BTCUSDT means BTCUSDT.P" in found.note


@pytest.mark.parametrize(
    ("symbol", "code", "word"),
    [
        ("BTCUSD.P", SYMBOL_UNKNOWN, "COIN-M"),
        ("BTCUSD_PERP", SYMBOL_UNKNOWN, "COIN-M"),
        ("BTCUSDT_260925", SYMBOL_UNKNOWN, "BTCUSDT.P"),
        ("NOPEUSDT.P", SYMBOL_UNKNOWN, "NOPEUSDT"),
        ("ES1!", MARKET_MISMATCH, "linear"),
    ],
)
def test_what_is_no_dollar_perpetual_is_refused_by_name(broker, symbol, code, word):
    """Inverse, dated and unknown contracts, and those of other markets."""
    no = refused_by(broker.instrument, symbol)
    assert no.code == code
    assert word in no.message


def test_a_dated_contract_and_an_unreadable_one_are_left_out(venue, clock):
    """One odd row of a thousand costs nobody the others."""
    (whole,) = BINANCE_LINEAR.rules[("GET", INFO)][1]["symbols"]
    dated = {**whole, "symbol": "ETHUSDT", "contractType": "CURRENT_QUARTER"}
    rows = [dated, {**whole, "symbol": "X", "filters": []}, 7, whole]
    venue.on("GET", INFO, reply(200, {"symbols": rows}))
    broker = make(venue, clock)
    assert broker.instrument("BTCUSDT.P").symbol == "BTCUSDT"
    assert refused_by(broker.instrument, "ETHUSDT.P").code == SYMBOL_UNKNOWN
    assert len(venue.asked("GET", INFO)) == 1
    with pytest.raises(Uncertain):
        build_contract({**whole, "filters": []})


def test_the_rules_of_a_thousand_contracts_are_read(venue, clock):
    """They come in one answer of about a megabyte, whole numbers of steps and all."""
    (whole,) = BINANCE_LINEAR.rules[("GET", INFO)][1]["symbols"]
    rows = [{**whole, "symbol": f"C{n}USDT", "padding": "x" * 1_000} for n in range(1_000)]
    venue.on("GET", INFO, reply(200, {"symbols": [*rows, whole]}))
    assert make(venue, clock).instrument("C999USDT.P").symbol == "C999USDT"


def test_prices_come_by_one_request(venue, broker):
    """One for one, one for many; what Binance does not tell in time is not told."""
    assert broker.price("BTCUSDT.P") == D("64000.10")
    rows = [
        {"symbol": "BTCUSDT", "price": "64000.10", "time": AT},
        {"symbol": "ETHUSDT", "price": "2500.00", "time": AT},
        {"symbol": "XRPUSDT", "price": "2.1", "time": AT},
    ]
    venue.on("GET", "/fapi/v1/ticker/price", reply(200, rows))
    venue.requests.clear()
    assert broker.prices(["BTCUSDT", "ETHUSDT"]) == {"BTCUSDT": D("64000.10"), "ETHUSDT": D(2500)}
    assert len(venue.requests) == 1
    venue.on("GET", "/fapi/v1/ticker/price", reply(200, [{"symbol": []}, 7]))
    assert broker.prices(["BTCUSDT"]) == {}


# --- reading the account -------------------------------------------------------------------------------


def test_a_snapshot_has_positions_orders_and_what_the_account_is_worth(venue, broker):
    """Stops and targets stand in a list of their own."""
    venue.on("GET", ACCOUNT, reply(200, account(("BTCUSDT", "-0.010"), balance="1012.5")))
    partly = row(
        clientOrderId="tv-2", executedQty="0.004", status="PARTIALLY_FILLED", origQty="0.02"
    )
    venue.on("GET", OPEN, reply(200, [partly]))
    venue.on("GET", OPEN_ALGO, reply(200, [algo()]))
    venue.on("GET", TRADES, reply(200, [trade(1, "0.004", "49000")]))
    found = broker.snapshot()
    assert dict(found.positions) == {"BTCUSDT": D("-0.010")}
    assert found.equity == D("1012.5")
    assert [(each.client_id, each.status, each.filled) for each in found.working] == [
        ("tv-2", "accepted", D("0.004")),
        ("tv-1", "accepted", D(0)),
    ]


def test_an_odd_order_of_somebody_else_hides_nothing(venue, broker):
    """A stop that was set on Binance's page closes the whole position and has no quantity."""
    by_hand = algo(clientAlgoId="web_1", quantity="", closePosition=True, actualOrderId="78")
    venue.on("GET", OPEN_ALGO, reply(200, [by_hand, algo(), 7, algo(algoStatus="NEWER")]))
    venue.on("GET", OPEN, reply(200, [row(status="CANCELED"), row(origQty=None)]))
    assert [each.client_id for each in broker.snapshot().working] == ["tv-1"]
    venue.on("GET", TRADES, reply(200, [trade(2, "0.010", "47990", side="SELL", orderId=78)]))
    venue.on("GET", "/fapi/v1/allOrders", reply(200, []))
    venue.on("GET", "/fapi/v1/allAlgoOrders", reply(200, [by_hand]))
    assert [fill.client_id for fill in broker.fills(AT, ["BTCUSDT"])] == ["web_1"]


def test_the_whole_lists_are_read_now_and_then_and_those_of_our_contracts_between(
    venue, broker, clock
):
    """Ten instruments cost 25 a read, not 85: what is held, was listed, or was just ordered."""
    venue.on("GET", ACCOUNT, reply(200, account(("ETHUSDT", "1"), ("XRPUSDT", "0"))))
    venue.on("GET", OPEN_ALGO, reply(200, [algo(symbol="SOLUSDT")]))
    venue.on("POST", ALGO, reply(200, algo()))
    broker.snapshot()
    assert sent(venue, "GET", OPEN) == sent(venue, "GET", OPEN_ALGO) == [{}]
    broker.close(stop())
    clock.now += 2_000
    broker.snapshot()
    ours = [{"symbol": name} for name in ("BTCUSDT", "ETHUSDT", "SOLUSDT")]
    assert sent(venue, "GET", OPEN)[1:] == sent(venue, "GET", OPEN_ALGO)[1:] == ours
    clock.now += 18_000
    broker.snapshot()
    assert sent(venue, "GET", OPEN)[-1] == {}


def test_executions_of_a_fired_stop_have_the_stops_name(venue, broker):
    """The child has a name of its own, which nobody here knows."""
    fills = [
        trade(1, "0.010", "50000", orderId=11),
        trade(2, "0.010", "47990", side="SELL", orderId=77),
        trade(3, "0.010", "50000", orderId=5),
    ]
    venue.on("GET", TRADES, reply(200, fills))
    placed = [row(orderId=11, clientOrderId="tv-e"), row(orderId=77, clientOrderId="x-child")]
    venue.on("GET", "/fapi/v1/allOrders", reply(200, placed))
    fired = algo(clientAlgoId="tv-s", algoStatus="FINISHED", actualOrderId="77")
    venue.on("GET", "/fapi/v1/allAlgoOrders", reply(200, [fired]))
    venue.on("GET", ORDER, reply(200, row(orderId=5, clientOrderId="by-hand")))
    found = broker.fills(AT - 1_000, ["BTCUSDT"])
    assert [fill.client_id for fill in found] == ["tv-e", "tv-s", "by-hand"]
    assert [fill.side for fill in found] == ["buy", "sell", "buy"]
    venue.requests.clear()
    assert broker.fills(AT - 1_000, ["BTCUSDT"]) == found
    assert [each.path for each in venue.requests] == [TRADES]


def test_funding_is_told_once_with_its_contract(venue, broker, monkeypatch):
    """Positive when received, page by page; several contracts are charged at one moment."""

    def income(number: int, amount: str, at: int = AT) -> dict[str, Any]:
        row = {"symbol": "BTCUSDT", "incomeType": "FUNDING_FEE", "asset": "USDT", "info": ""}
        return {**row, "income": amount, "time": at, "tranId": number, "tradeId": ""}

    monkeypatch.setattr(usdm_fills, "PAGE", 2)
    first = reply(200, [income(1, "-0.375"), income(2, "0.25", AT + 1)])
    rest = reply(200, [income(2, "0.25", AT + 1), income(3, "1", AT + 1)])
    venue.on("GET", "/fapi/v1/income", first, rest, reply(200, [income(3, "1", AT + 1)]))
    found = broker.funding(AT - 5)
    assert [(each.funding_id, each.amount, each.coin) for each in found] == [
        ("1", D("-0.375"), "USDT"),
        ("2", D("0.25"), "USDT"),
        ("3", D(1), "USDT"),
    ]
    assert [each["startTime"] for each in sent(venue, "GET", "/fapi/v1/income")] == [
        *(str(AT - 5), str(AT + 1), str(AT + 1)),
    ]
    assert sent(venue, "GET", "/fapi/v1/income")[0]["incomeType"] == "FUNDING_FEE"


def test_an_account_says_what_it_may_and_holds(venue, broker):
    """One-way mode, and the coins of the futures wallet."""
    check = broker.check()
    assert (check.problem, check.may_trade, check.position_mode) == (None, True, "one-way")
    assert check.balance == {"USDT": D(990)}
    assert check.clock_offset_ms == 0
    venue.on("GET", CONFIG, reply(401, {"code": -2015, "msg": "Invalid API-key"}))
    assert "Enable Futures" in (broker.check().problem or "")


def test_opening_ahead_has_everything_ready(venue, clock):
    """So that the first order is the first request that needs an answer."""
    broker = make(venue, clock)
    broker.open()
    venue.requests.clear()
    broker.instrument("BTCUSDT.P")
    venue.on("POST", ORDER, reply(200, row(price="49000")))
    broker.place_order(ask("limit", limit_price=D(49000)))
    assert [(each.method, each.path) for each in venue.requests] == [("POST", ORDER)]


def test_a_public_price_of_a_perpetual_needs_no_key(venue):
    """The paper simulator goes by it."""
    assert public_price("BTCUSDT.P", venue.url) == D("64000.10")
    assert public_price("BTCUSD.P", venue.url) is None
    assert all("x-mbx-apikey" not in each.headers for each in venue.requests)


def test_time_is_asked_of_the_market_that_is_traded(venue, clock):
    """Spot has a clock of its own."""
    clock.now = time.time_ns() // 1_000_000
    broker = make(venue, clock)
    broker.open()
    assert venue.asked("GET", "/fapi/v1/time")
    assert venue.asked("GET", "/api/v3/time") == []
