"""Bybit: what leaves, what comes back and what it means, from Bybit's own documentation and vectors."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from brokers.bybit.errors import explain
from brokers.bybit.market import build_instrument, name_symbol
from brokers.bybit.orders import read_order, write_order
from brokers.bybit.signing import sign
from brokers.bybit.unified import Bybit, BybitPerpetuals
from brokers.protocol import (
    CLOCK,
    CROSSED,
    DUPLICATE,
    HEDGE_MODE,
    HEDGE_UNKNOWN,
    KEYS_REFUSED,
    MARKET_MISMATCH,
    SYMBOL_UNKNOWN,
    THROTTLED,
    UNSUPPORTED,
    BrokerRefused,
    Instrument,
    OrderRequest,
    Uncertain,
    Unreachable,
)
from brokers.wire.client import BANNED, HttpResponse
from tests.support.fakes import FakeClock
from tests.support.faulty_server import faulty_server, reply
from tests.support.sample_bybit import (
    AT,
    BYBIT_LINEAR,
    CREDENTIALS,
    RULES,
    answer,
    execution_row,
    order_row,
    page,
)
from tests.support.samples import Account

D = Decimal
NOW = 1_790_000_000_000
BTC = Instrument("BTCUSDT", "linear", base="BTC", quote="USDT", tick=D("0.1"), step=D("0.001"))
COIN = replace(BTC, kind="spot")
CREATE, REALTIME, HISTORY = "/v5/order/create", "/v5/order/realtime", "/v5/order/history"
EXECUTIONS, POSITIONS = "/v5/execution/list", "/v5/position/list"


def ask(client_id="o-1", side="buy", kind="market", **more):
    """Return a request for a thousandth of a bitcoin."""
    return OrderRequest(client_id, more.pop("instrument", BTC), side, D("0.001"), kind, **more)


STOP = ask("s-1", "sell", "stop", stop_price=D("60000.0"), reduces=True)
TARGET = ask("t-1", "sell", "limit", limit_price=D("70000.0"), reduces=True)


@pytest.fixture
def venue():
    """Give a venue that answers what is always asked."""
    with faulty_server() as found:
        for (method, path), told in BYBIT_LINEAR.rules.items():
            found.on(method, path, reply(*told))
        found.on("GET", REALTIME, reply(*page()))
        found.on("GET", EXECUTIONS, reply(*page()))
        yield found


@pytest.fixture
def clock():
    """Give a clock that stands until it is moved."""
    return FakeClock()


def make(venue, clock=lambda: AT, kind=BybitPerpetuals, **more):
    """Return a broker whose venue is the stand-in."""
    market = kind.facts.markets[0]
    return kind("main", Account(venue.url, CREDENTIALS, market, **more), clock)


def take(venue, client_id="o-1"):
    """Let the venue take an order of this name."""
    venue.on("POST", CREATE, reply(200, answer({"orderId": "17", "orderLinkId": client_id})))


def show(venue, path, *rows):
    """Let a list show these rows."""
    venue.on("GET", path, reply(*page(*rows)))


def sent(venue, path=CREATE):
    """Return the bodies that were sent."""
    return [json.loads(each.body) for each in venue.asked("POST", path)]


# --- signing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("payload", "signature"),
    [
        (
            "category=linear&symbol=BTCUSDT",
            "fd4f31228a46109dc6673062328693696df9a96c7ff04e6491a45e7f63a0fdd7",
        ),
        (
            '{"category": "linear", "symbol": "BTCUSDT", "orderLinkId": "test-order-1"}',
            "2df4a0603d69c08d5dea29ba85b46eb7db64ce9e9ebd34a7802a3d69700cb2a1",
        ),
        (
            '{"category":"linear","symbol":"BTCUSDT","orderLinkId":"test-order-1"}',
            "ac0533668112246c285a42b95f4a57c6f147e34a15723b88fa356f7687c7c87e",
        ),
        (
            (
                '{"symbol":"BTCUSDT","side":"Sell","orderType":"Market","orderLinkId":"tv-0001",'
                '"category":"linear","qty":"0.015","reduceOnly":true}'
            ),
            "2e43e08069928fde08f100bf13036bfaa0e41243ca6697b21e91a5b859fab4aa",
        ),
    ],
)
def test_signatures_are_those_of_other_programs(payload, signature):
    """Time, key, window and payload, as nautilus_trader and ccxt sign them."""
    assert sign("test_secret", 1_700_000_000_000, "test_api_key", payload) == signature


def test_what_is_signed_is_what_leaves(venue):
    """The body of an order and the query of a look-up, byte for byte."""
    take(venue)
    show(venue, REALTIME, order_row("o-1", "buy"))
    show(venue, EXECUTIONS, execution_row("o-1", "buy", orderId=order_row("o-1", "buy")["orderId"]))
    make(venue).place_order(ask())
    for each in venue.requests:
        if "x-bapi-sign" not in each.headers:
            continue
        payload = each.body.decode() if each.method == "POST" else each.target.partition("?")[2]
        stamp = int(each.headers["x-bapi-timestamp"])
        right = sign(CREDENTIALS["BYBIT_API_SECRET"], stamp, CREDENTIALS["BYBIT_API_KEY"], payload)
        assert each.headers["x-bapi-sign"] == right
    assert sum("x-bapi-sign" in each.headers for each in venue.requests) >= 3


# --- what leaves --------------------------------------------------------------------------------------


def test_a_stop_of_a_perpetual_waits_for_the_last_price_and_only_reduces():
    """In its own size, never the whole position; the direction is a number, the quantity a text."""
    assert write_order("linear", STOP) == {
        "category": "linear",
        "symbol": "BTCUSDT",
        "side": "Sell",
        "orderType": "Market",
        "qty": "0.001",
        "orderLinkId": "s-1",
        "positionIdx": 0,
        "reduceOnly": True,
        "triggerPrice": "60000",
        "triggerDirection": 2,
        "triggerBy": "LastPrice",
    }


@pytest.mark.parametrize(
    ("request_", "direction"),
    [
        (STOP, 2),
        (TARGET, 1),
        (replace(STOP, side="buy"), 1),
        (replace(TARGET, side="buy"), 2),
        (ask("e-1", "buy", "stop", stop_price=D(70000)), 1),
    ],
)
def test_the_direction_of_a_trigger_is_where_the_level_lies(request_, direction):
    """A stop is behind the price, a target ahead of it, an entry's stop beyond it."""
    body = write_order("linear", request_)
    assert body["triggerDirection"] == direction
    assert "closeOnTrigger" not in body


def test_a_target_rests_with_its_limit_at_its_level():
    """What it is triggered by is what it asks for."""
    body = write_order("linear", TARGET)
    assert (body["orderType"], body["price"], body["triggerPrice"]) == ("Limit", "70000", "70000")
    assert body["timeInForce"] == "GTC"


def test_a_spot_market_buy_counts_in_coins_unless_it_spends_money():
    """Bybit's default would read the quantity as an amount of money."""
    plain = write_order("spot", ask(instrument=COIN))
    assert (plain["qty"], plain["marketUnit"], plain["isLeverage"]) == ("0.001", "baseCoin", 0)
    assert "positionIdx" not in plain
    cash = write_order("spot", ask(instrument=COIN, quote_quantity=D("25.5")))
    assert (cash["qty"], cash["marketUnit"]) == ("25.5", "quoteCoin")


def test_a_spot_stop_locks_what_it_sells():
    """It is kept where its coins are set aside at once."""
    body = write_order("spot", replace(STOP, instrument=COIN))
    assert (body["orderFilter"], body["triggerPrice"]) == ("tpslOrder", "60000")
    assert not {"reduceOnly", "triggerDirection", "triggerBy"} & body.keys()


def test_a_spot_stop_that_buys_at_the_market_is_refused_by_name():
    """Its quantity would be read as money."""
    with pytest.raises(BrokerRefused) as no:
        write_order("spot", ask("e-1", "buy", "stop", stop_price=D(70000), instrument=COIN))
    assert no.value.code == UNSUPPORTED


def test_a_close_is_cut_to_what_bybit_takes_in_one_order():
    """The rest stays to be closed; an entry is never made smaller."""
    small = replace(BTC, max_market_quantity=D("0.0005"), step=D("0.0001"))
    assert (
        write_order("linear", ask("r-1", "sell", reduces=True, instrument=small))["qty"] == "0.0005"
    )
    assert write_order("linear", ask(instrument=small))["qty"] == "0.001"


# --- names and rules ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("symbol", "category", "name"),
    [
        ("BYBIT:BTCUSDT.P", "linear", "BTCUSDT"),
        ("BTC/USDT:USDT", "linear", "BTCUSDT"),
        ("SHIB1000USDT.P", "linear", "SHIB1000USDT"),
        ("BYBIT:BTCUSDT", "spot", "BTCUSDT"),
    ],
)
def test_a_symbol_is_named_as_bybit_does(symbol, category, name):
    """Spot and perpetual have one name there and are told apart by the market."""
    assert name_symbol(symbol, category, NOW) == (name, "")


@pytest.mark.parametrize("symbol", ["BTCUSD.P", "BTCPERP", "BTCUSDC.P", "BTC-29JAN27"])
def test_what_is_no_perpetual_in_usdt_is_refused_by_name(symbol):
    """Inverse, USDC and dated contracts: the sentence names the symbol."""
    with pytest.raises(BrokerRefused) as no:
        name_symbol(symbol, "linear", NOW)
    assert no.value.code == SYMBOL_UNKNOWN
    assert symbol.split(".")[0] in no.value.message


def test_a_perpetual_on_a_spot_account_is_a_mismatch():
    """Never a fallback from one to the other."""
    with pytest.raises(BrokerRefused) as no:
        name_symbol("BTCUSDT.P", "spot", NOW)
    assert no.value.code == MARKET_MISMATCH


def test_rules_are_read_from_where_each_market_has_them():
    """Steps, smallest and largest, and the minimum value."""
    perpetual = build_instrument("linear", RULES["linear"])
    assert (perpetual.step, perpetual.tick) == (D("0.001"), D("0.1"))
    assert (perpetual.min_notional, perpetual.max_market_quantity) == (D(5), D(119))
    pair = build_instrument("spot", RULES["spot"])
    assert (pair.step, pair.holding, pair.max_market_quantity) == (D("0.000001"), "BTC", D("35.8"))


def test_a_dated_contract_of_the_linear_market_is_refused():
    """What Bybit itself says of it counts, whatever its name."""
    with pytest.raises(BrokerRefused):
        build_instrument("linear", {**RULES["linear"], "contractType": "LinearFutures"})


# --- reading orders -----------------------------------------------------------------------------------


def test_what_was_executed_counts_and_not_how_the_order_ended(venue):
    """A cancelled order of a perpetual may have filled in part."""
    row = order_row("o-1", "buy", orderStatus="Cancelled", cumExecQty="0.0004")
    row["cumExecValue"] = "25.6"
    show(venue, REALTIME, row)
    trade = {"execQty": "0.0004", "orderId": row["orderId"]}
    show(venue, EXECUTIONS, execution_row("o-1", "buy", **trade))
    found = make(venue).find_order(ask())
    assert (found.status, found.filled) == ("partly_filled", D("0.0004"))


def test_a_market_order_that_found_nobody_is_refused(venue):
    """So that what it was for is tried again."""
    reason = {"rejectReason": "EC_NoImmediateQtyToFill", "cancelType": "UNKNOWN"}
    nothing = {"cumExecQty": "0", "cumExecValue": "", "avgPrice": ""}
    show(venue, REALTIME, order_row("o-1", "buy", orderStatus="Cancelled", **reason, **nothing))
    found = make(venue).find_order(ask())
    assert (found.status, found.code) == ("refused", "EXPIRED")
    assert "EC_NoImmediateQtyToFill" in (found.message or "")


def test_an_order_is_looked_for_in_the_old_ones_and_then_in_the_executions(venue):
    """Bybit forgets closed orders in its first list whenever it restarts."""
    broker = make(venue)
    show(venue, HISTORY, order_row("o-1", "buy"))
    show(venue, EXECUTIONS, execution_row("o-1", "buy"))
    assert broker.find_order(ask()).status == "filled"
    show(venue, HISTORY)
    found = broker.find_order(ask())
    assert (found.status, found.filled, found.average_price) == ("filled", D("0.001"), D("64000.1"))
    show(venue, EXECUTIONS)
    assert broker.find_order(ask()).status == "absent"


@pytest.mark.parametrize("changes", [{"side": "Sell"}, {"qty": "0.002"}, {"symbol": "ETHUSDT"}])
def test_another_order_of_our_name_is_not_ours(venue, changes):
    """Symbol, side and quantity must agree."""
    show(venue, REALTIME, order_row("o-1", "buy") | changes)
    found = make(venue).find_order(ask())
    assert (found.status, bool(found.message)) == ("absent", True)


def test_an_order_that_is_not_shown_yet_is_waited_for(venue):
    """The answer to an order says only that it was heard; the list may lag behind."""
    take(venue)
    row = order_row("o-1", "buy")
    venue.on("GET", REALTIME, reply(*page()), reply(*page()), reply(*page(row)))
    show(venue, EXECUTIONS, execution_row("", "buy", orderId=row["orderId"]))
    assert make(venue).place_order(ask()).status == "filled"
    assert len(sent(venue)) == 1


def test_an_order_that_is_never_shown_is_a_doubt(venue):
    """Taken is taken: it is looked up later and never sent again."""
    take(venue)
    with pytest.raises(Uncertain):
        make(venue).place_order(ask())
    assert len(sent(venue)) == 1


def test_a_fee_is_in_the_coin_that_was_bought(venue):
    """On spot the execution says so, or the order does."""
    row = order_row("o-1", "buy", cumFeeDetail={"MNT": "0.02"})
    show(venue, REALTIME, row)
    trade = {"orderId": row["orderId"], "execFee": "0.000001"}
    show(venue, EXECUTIONS, execution_row("o-1", "buy", feeCurrency="BTC", **trade))
    broker = make(venue, kind=Bybit)
    (fill,) = broker.find_order(ask(instrument=COIN)).fills
    assert (fill.fee, fill.fee_coin) == (D("0.000001"), "BTC")
    show(venue, EXECUTIONS, execution_row("o-1", "buy", **trade))
    (fill,) = broker.find_order(ask(instrument=COIN)).fills
    assert fill.fee_coin == "MNT"


def test_an_empty_number_says_nothing():
    """Bybit writes no text where it has no number; a missing field is a doubt."""
    row = order_row("o-1", "buy", cumExecQty="", cumExecValue="", orderStatus="New")
    assert read_order("linear", row).order.executed == 0
    del row["cumExecQty"]
    with pytest.raises(Uncertain):
        read_order("linear", row)


# --- changing and cancelling --------------------------------------------------------------------------


def test_a_stop_is_resized_in_its_place(venue):
    """One request under the id it has; what it asks for is read back."""
    venue.on("POST", "/v5/order/amend", reply(200, answer({"orderId": "9", "orderLinkId": "s-1"})))
    row = order_row("s-1", "sell", orderStatus="Untriggered", cumExecQty="0", cumExecValue="")
    show(venue, REALTIME, {**row, "qty": "0.001"})
    found = make(venue).amend(replace(STOP, amended_from=D("0.002")))
    assert (found.status, found.quantity) == ("accepted", D("0.001"))
    (body,) = sent(venue, "/v5/order/amend")
    expected = {"category": "linear", "symbol": "BTCUSDT", "orderLinkId": "s-1", "qty": "0.001"}
    assert body == expected


def test_a_change_that_is_not_shown_yet_is_a_doubt(venue):
    """It is looked up later, with both quantities known."""
    venue.on("POST", "/v5/order/amend", reply(200, answer({"orderId": "9", "orderLinkId": "s-1"})))
    row = order_row("s-1", "sell", orderStatus="Untriggered", cumExecQty="0", cumExecValue="")
    show(venue, REALTIME, {**row, "qty": "0.002"})
    with pytest.raises(Uncertain):
        make(venue).amend(replace(STOP, amended_from=D("0.002")))


def test_a_cancel_is_believed_when_the_order_is_seen_to_have_ended(venue):
    """Its answer is only that it was heard; what filled meanwhile is told."""
    told = answer({"orderId": "9", "orderLinkId": "s-1"})
    venue.on("POST", "/v5/order/cancel", reply(200, told))
    row = order_row("s-1", "sell", cumExecQty="0", cumExecValue="", cancelType="CancelByUser")
    venue.on(
        "GET",
        REALTIME,
        reply(*page({**row, "orderStatus": "Untriggered"})),
        reply(*page({**row, "orderStatus": "Deactivated"})),
    )
    assert make(venue).cancel(STOP).status == "cancelled"


def test_a_cancel_on_spot_names_where_the_order_is_kept(venue):
    """By default Bybit looks among the plain orders only, and there once the stop has woken."""
    gone = answer({}, 170213, "Order does not exist.")
    told = answer({"orderId": "9", "orderLinkId": "s-1"})
    venue.on("POST", "/v5/order/cancel", reply(200, gone), reply(200, told))
    row = order_row("s-1", "sell", cumExecQty="0", cumExecValue="", cancelType="CancelByUser")
    show(venue, REALTIME, {**row, "orderStatus": "Cancelled"})
    found = make(venue, kind=Bybit).cancel(replace(STOP, instrument=COIN))
    assert found.status == "cancelled"
    filters = [each["orderFilter"] for each in sent(venue, "/v5/order/cancel")]
    assert filters == ["tpslOrder", "Order"]


def test_a_target_that_is_passed_goes_as_a_plain_limit_order(venue):
    """It fills at its level or better, and still only reduces."""
    crossed = answer({}, 110092, "expect Rising, but trigger_price <= current")
    taken = answer({"orderId": "9", "orderLinkId": "t-1"})
    venue.on("POST", CREATE, reply(200, crossed), reply(200, taken))
    row = order_row("t-1", "sell", orderStatus="New", cumExecQty="0", cumExecValue="")
    show(venue, REALTIME, row)
    assert make(venue).close(TARGET).status == "accepted"
    _, plain = sent(venue)
    assert plain["reduceOnly"] is True
    assert plain["price"] == "70000"
    assert not {"triggerPrice", "triggerDirection"} & plain.keys()


def test_a_stop_that_is_passed_is_said_to_be(venue):
    """The desk closes what it was to protect."""
    venue.on("POST", CREATE, reply(200, answer({}, 110093, "expect Falling")))
    with pytest.raises(BrokerRefused) as no:
        make(venue).close(STOP)
    assert no.value.code == CROSSED


# --- the account --------------------------------------------------------------------------------------


def hedge(*numbers):
    """Return the rows of a flat symbol with these indices."""
    return [{"symbol": "BTCUSDT", "positionIdx": n, "side": "", "size": "0"} for n in numbers]


def test_an_account_in_hedge_mode_opens_nothing(venue):
    """Both sides apart: an exit there could open."""
    show(venue, POSITIONS, *hedge(1, 2))
    with pytest.raises(BrokerRefused) as no:
        make(venue).place_order(ask())
    assert no.value.code == HEDGE_MODE
    assert sent(venue) == []
    assert venue.asked("GET", POSITIONS)[0].parameters["symbol"] == "BTCUSDT"


def test_a_mode_that_is_not_told_opens_nothing(venue):
    """The next alert asks again; an exit goes on."""
    show(venue, POSITIONS)
    with pytest.raises(BrokerRefused) as no:
        make(venue).place_order(ask())
    assert no.value.code == HEDGE_UNKNOWN
    assert sent(venue) == []


def test_a_later_refusal_shows_hedge_mode_too(venue):
    """Somebody switched it meanwhile: nothing is believed any more."""
    broker = make(venue)
    told = answer({}, 10001, "position idx not match position mode")
    venue.on("POST", CREATE, reply(200, told))
    with pytest.raises(BrokerRefused) as no:
        broker.place_order(ask())
    assert no.value.code == HEDGE_MODE
    before = len(venue.asked("GET", POSITIONS))
    with pytest.raises(BrokerRefused):
        broker.place_order(ask())
    assert len(venue.asked("GET", POSITIONS)) == before + 1


@pytest.mark.parametrize("code", [0, 110043])
def test_leverage_is_set_once_before_the_first_entry(venue, code):
    """That it is so already is a success."""
    venue.on("POST", "/v5/position/set-leverage", reply(200, answer({}, code, "not modified")))
    take(venue)
    show(venue, REALTIME, order_row("o-1", "buy"))
    show(venue, EXECUTIONS, execution_row("", "buy", orderId=order_row("o-1", "buy")["orderId"]))
    broker = make(venue, leverage=D(5))
    broker.place_order(ask())
    broker.place_order(ask())
    wanted = {"category": "linear", "buyLeverage": "5", "sellLeverage": "5", "symbol": "BTCUSDT"}
    assert sent(venue, "/v5/position/set-leverage") == [wanted]


def test_the_margin_mode_is_the_accounts_and_set_at_the_start(venue):
    """Once, not for each symbol."""
    venue.on("POST", "/v5/account/set-margin-mode", reply(200, answer({}, 110026, "unchanged")))
    make(venue, margin="isolated").open()
    told = [{"setMarginMode": "ISOLATED_MARGIN"}]
    assert sent(venue, "/v5/account/set-margin-mode") == told


def test_nothing_is_changed_at_bybit_that_is_not_configured(venue):
    """Neither leverage nor margin mode."""
    make(venue).open()
    assert all(each.method == "GET" for each in venue.requests)


def test_a_check_tells_what_the_key_may_do(venue):
    """Trading, withdrawing, mode, balance and the difference of the clocks."""
    rights = {"ContractTrade": ["Order", "Position"], "Wallet": ["AccountTransfer"]}
    told = answer({"readOnly": 0, "permissions": rights})
    venue.on("GET", "/v5/user/query-api", reply(200, told))
    check = make(venue).check()
    assert (check.may_trade, check.may_withdraw, check.problem) == (True, False, None)
    assert (check.position_mode, check.clock_offset_ms) == ("one-way", 0)
    assert check.balance == {"USDT": D(1000)}


def test_refused_keys_are_told_with_what_to_look_at(venue):
    """The variables and Bybit's page."""
    wallet = "/v5/account/wallet-balance"
    venue.on("GET", wallet, reply(200, answer({}, 10003, "API key is invalid.")))
    check = make(venue).check()
    assert check.key_valid is False
    assert "BYBIT_API_KEY" in (check.problem or "")


@pytest.mark.parametrize(
    ("sandbox", "is_demo", "host"),
    [(False, False, "api."), (True, False, "api-testnet."), ("demo", True, "api-demo.")],
)
def test_each_system_has_its_host(sandbox, is_demo, host):
    """Live, testnet and demo trading."""
    account = Account(None, CREDENTIALS, "linear", sandbox, is_demo)
    assert BybitPerpetuals("main", account)._url == f"https://{host}bybit.com"


# --- what is held -------------------------------------------------------------------------------------


def test_a_snapshot_follows_every_page(venue):
    """A page that is missing would look like a position that is gone."""
    rows = [
        {"symbol": "BTCUSDT", "positionIdx": 0, "side": "Buy", "size": "0.5"},
        {"symbol": "ETHUSDT", "positionIdx": 0, "side": "Sell", "size": "2"},
    ]
    first = answer({"list": rows[:1], "nextPageCursor": "page%3A1"})
    venue.on("GET", POSITIONS, reply(200, first), reply(*page(rows[1])))
    show(venue, REALTIME, order_row("s-1", "sell", orderStatus="Untriggered", cumExecQty="0"))
    found = make(venue).snapshot()
    assert found.positions == {"BTCUSDT": D("0.5"), "ETHUSDT": D(-2)}
    assert [(each.client_id, each.status) for each in found.working] == [("s-1", "accepted")]
    assert found.equity == D("1000.5")
    assert venue.asked("GET", POSITIONS)[1].target.endswith("&cursor=page%3A1")


def test_funding_is_no_fill_and_a_fee_that_was_paid(venue):
    """What was paid is negative; executions of trades are told apart."""
    paid = execution_row("", "buy", execType="Funding", execFee="0.25", execQty="0.5")
    show(venue, EXECUTIONS, paid, execution_row("o-1", "buy"))
    broker = make(venue)
    (funding,) = broker.funding(AT - 1000)
    assert (funding.symbol, funding.amount, funding.coin) == ("BTCUSDT", D("-0.25"), "USDT")
    (fill,) = broker.fills(AT - 1000, ["BTCUSDT"])
    assert (fill.client_id, fill.quantity) == ("o-1", D("0.001"))


# --- errors -------------------------------------------------------------------------------------------


def said(code: Any, text: str = "no", status: int = 200) -> Exception | None:
    """Return what an error means."""
    data = {"retCode": code, "retMsg": text, "result": {}}
    return explain(HttpResponse(status, {}, data, True, json.dumps(data)))


@pytest.mark.parametrize("code", [10000, 10014, 10016, 110079, 170007, 170146])
def test_what_bybit_does_not_know_itself_is_a_doubt(code):
    """The order may exist."""
    assert isinstance(said(code), Uncertain)


@pytest.mark.parametrize(("code", "ours"), [(110072, DUPLICATE), (170141, DUPLICATE)])
def test_a_taken_name_is_looked_up(code, ours):
    """An earlier request arrived."""
    no = said(code)
    assert isinstance(no, BrokerRefused)
    assert no.code == ours


@pytest.mark.parametrize("code", [True, 0.5, None, "0", -5, 10**25])
def test_a_code_that_cannot_be_bybits_is_no_refusal(code):
    """Whoever answered, the order may exist."""
    assert isinstance(said(code), Uncertain)


def test_an_expired_request_is_sent_once_more_and_then_refused(venue):
    """Under the same id after the clocks were compared; then the machine's clock is to blame."""
    expired = answer({}, 10002, "invalid request, please check your server timestamp")
    venue.on("POST", CREATE, reply(200, expired))
    with pytest.raises(BrokerRefused) as no:
        make(venue).place_order(ask())
    assert no.value.code == CLOCK
    assert "clock" in no.value.message
    assert [each["orderLinkId"] for each in sent(venue)] == ["o-1", "o-1"]


def throttle(until):
    """Return the answer of an endpoint that takes no more until a moment."""
    headers = {"X-Bapi-Limit": "10", "X-Bapi-Limit-Status": "0"}
    body = answer({}, 10006, "Too many visits!")
    return reply(200, body, **headers, **{"X-Bapi-Limit-Reset-Timestamp": str(until)})


def test_a_throttled_endpoint_stops_entries_and_lets_exits_go_by_the_others(venue, clock):
    """A read that is throttled is no reason to leave a position open."""
    now = clock()
    venue.on("GET", "/v5/market/time", reply(200, answer({"timeNano": str(now * 1_000_000)})))
    broker = make(venue, clock)
    broker.open()
    wallet = "/v5/account/wallet-balance"
    venue.on("GET", wallet, throttle(now + 700))
    with pytest.raises(BrokerRefused) as no:
        broker.snapshot()
    assert (no.value.code, no.value.retry_after) == (THROTTLED, 0.7)
    with pytest.raises(Unreachable):
        broker.snapshot()
    assert len(venue.asked("GET", wallet)) == 1
    with pytest.raises(BrokerRefused) as no:
        broker.place_order(ask())
    assert no.value.code == THROTTLED
    assert sent(venue) == []
    take(venue, "r-1")
    row = order_row("r-1", "sell", createdTime=str(now), updatedTime=str(now))
    show(venue, REALTIME, row)
    show(venue, EXECUTIONS, execution_row("r-1", "sell", orderId=row["orderId"]))
    assert broker.close(ask("r-1", "sell", reduces=True)).status == "filled"


def test_a_throttled_order_leaves_when_the_pause_ends(venue, clock):
    """Until then nothing is sent, whatever it is for."""
    now = clock()
    venue.on("GET", "/v5/market/time", reply(200, answer({"timeNano": str(now * 1_000_000)})))
    venue.on("POST", CREATE, throttle(now + 900))
    broker, closing = make(venue, clock), ask("r-1", "sell", reduces=True)
    broker.open()
    for _ in range(2):
        with pytest.raises(BrokerRefused) as no:
            broker.close(closing)
        assert (no.value.code, no.value.retry_after) == (THROTTLED, 0.9)
    assert len(sent(venue)) == 1
    clock.tick(1)
    take(venue, "r-1")
    row = order_row("r-1", "sell", createdTime=str(now), updatedTime=str(now))
    show(venue, REALTIME, row)
    show(venue, EXECUTIONS, execution_row("r-1", "sell", orderId=row["orderId"]))
    assert broker.close(closing).status == "filled"


def test_reading_leaves_half_of_an_endpoint_to_orders(venue, clock):
    """Bybit says what is left; below the half, reads wait for the next second."""
    now = clock()
    broker = make(venue, clock)
    left = {"X-Bapi-Limit": "50", "X-Bapi-Limit-Reset-Timestamp": str(now + 600)}
    wallet = "/v5/account/wallet-balance"
    _, told = BYBIT_LINEAR.rules["GET", wallet]
    venue.on("GET", wallet, reply(200, told, **left, **{"X-Bapi-Limit-Status": "26"}))
    broker.snapshot()
    assert broker.rest_seconds == 0
    venue.on("GET", wallet, reply(200, told, **left, **{"X-Bapi-Limit-Status": "24"}))
    broker.snapshot()
    assert broker.rest_seconds == 0.6


@pytest.mark.parametrize("is_first", [True, False])
def test_a_403_at_the_start_names_both_causes(venue, is_first):
    """Blocked region or banned address; once Bybit has answered it can only be a ban."""
    broker = make(venue)
    if not is_first:
        broker.check()
    venue.fault = reply(403, "<html>Forbidden</html>")
    with pytest.raises(BrokerRefused) as no:
        broker.close(ask("r-1", "sell", reduces=True))
    assert (no.value.code, no.value.retry_after) == (BANNED, 600)
    assert ("region" in no.value.message) == is_first
    assert "banned" in no.value.message


def test_missing_keys_are_named_before_anything_leaves(venue):
    """A sandbox without credentials says which variables it wants."""
    broker = BybitPerpetuals("main", Account(venue.url, {}, "linear"), lambda: AT)
    with pytest.raises(BrokerRefused) as no:
        broker.close(STOP)
    assert no.value.code == KEYS_REFUSED
    assert "BYBIT_API_SECRET" in no.value.message
    assert venue.requests == []
