"""Tastytrade's own manners: grants, reasons inside an error, closes that must close, routed orders."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest

from brokers.protocol import BrokerRefused, Instrument, OrderRequest, Uncertain, Unreachable
from brokers.tastytrade.broker import Tastytrade
from brokers.wire.client import Wire
from tests.support.faulty_server import hang
from tests.support.samples import Account
from tests.support.stand_in_tastytrade import ACCOUNT, KEYS, StandInTastytrade

D = Decimal
OWN = f"/accounts/{ACCOUNT}"
AAPL = Instrument("AAPL", "equity", base="AAPL", tick=D("0.01"), step=D(1))
MES = Instrument("/MESZ6", "futures", root="MES", point_value=D(5), tick=D("0.25"), step=D(1))


@pytest.fixture
def venue():
    """Give a venue with one account."""
    with StandInTastytrade() as found:
        yield found


def make(venue: StandInTastytrade, keys: Any = KEYS, **more: Any) -> Tastytrade:
    """Return a broker there that never sleeps for long."""
    account = Account(venue.url, keys, None, sandbox=True, **more)
    return Tastytrade("main", account, sleep=lambda _: None)  # type: ignore[arg-type]


def request(
    name: str, side: str = "buy", kind: str = "market", what: Instrument = MES, **more: Any
) -> OrderRequest:
    """Return an order for two."""
    return OrderRequest(name, what, side, D(2), kind, **more)


# --- the grant -----------------------------------------------------------------------------------------


def test_one_token_serves_everything_and_is_replaced_before_its_end(venue):
    """It lives fifteen minutes; two minutes before its end another is bought."""
    broker = make(venue)
    broker.open()
    for number in range(5):
        assert broker.place_order(request(f"o-{number}")).status == "filled"
    broker.snapshot()
    assert venue.logins == 1
    venue.lifetime = 100
    late = make(venue)
    late._calls.open()
    venue.lifetime = 900
    late.place_order(request("o-9"))
    assert venue.logins == 3


def test_a_token_that_ended_early_is_replaced_and_the_order_sent_once(venue):
    """A 401 was not carried out: one refresh, one more send under the same id."""
    broker = make(venue)
    broker.open()
    venue.tokens.clear()
    assert broker.place_order(request("o-1")).status == "filled"
    assert venue.logins == 2
    assert [each.body["external-identifier"] for each in venue.orders.values()] == ["o-1"]


def test_a_refused_grant_names_the_variables_and_is_not_repeated(venue):
    """Too many failures lock the address out for hours."""
    venue.refuses_login = True
    broker = make(venue)
    broker.open()
    for _ in range(4):
        with pytest.raises(BrokerRefused) as no:
            broker.place_order(request("o-1"))
        assert no.value.code == "LOGIN_REFUSED"
        assert "TASTYTRADE_REFRESH_TOKEN" in no.value.message
    check = broker.check()
    assert check.key_valid is False
    assert venue.logins == 1


@pytest.mark.parametrize("fault", [hang, (500, {}), (200, []), (200, {})])
def test_a_login_without_an_answer_is_no_doubt_about_an_order(venue, fault, monkeypatch):
    """Nothing was placed: `Unreachable`, so that the desk tries again."""
    monkeypatch.setattr("brokers.wire.client.SEND_SECONDS", 0.2)
    venue.fail("POST", "/oauth/token", fault)
    with pytest.raises(Unreachable):
        make(venue).place_order(request("o-1"))
    assert not venue.orders


def test_every_call_names_the_program(venue):
    """Without a User-Agent it answers 401, the login too."""
    broker = make(venue)
    broker.place_order(request("o-1"))
    broker.snapshot()
    agents = {each.headers.get("user-agent") for each in venue.server.requests}
    assert agents == {"tradingview-webhook-receiver/1.0"}


# --- accounts ------------------------------------------------------------------------------------------


def test_several_accounts_are_asked_back_by_number(venue):
    """What may only be looked at never counts."""
    venue.accounts.append(
        {"account": {"account-number": "5WT00099"}, "authority-level": "read-only"}
    )
    assert make(venue).place_order(request("o-1")).status == "filled"
    venue.accounts.append({"account": {"account-number": "5WT00077"}, "authority-level": "owner"})
    with pytest.raises(BrokerRefused, match=r"5WT00042, 5WT00077.*accounts\.main\.account"):
        make(venue).place_order(request("o-2"))
    assert make(venue, account=ACCOUNT).place_order(request("o-3")).status == "filled"


# --- instruments ---------------------------------------------------------------------------------------


def test_shares_and_futures_are_found_on_one_account(venue):
    """By TradingView's names, in Tastytrade's; a continuous one is the active month."""
    broker = make(venue)
    share = broker.instrument("NASDAQ:AAPL")
    assert (share.symbol, share.kind, share.step) == ("AAPL", "equity", 1)
    assert broker.instrument("BRK.B").symbol == "BRK/B"
    front = broker.instrument("CME_MINI:MES1!")
    assert (front.symbol, front.contract, front.point_value) == ("/MESZ6", "MESZ2026", 5)
    assert broker.instrument("MES2!").symbol == "/MESH7"
    dated = broker.instrument("MESH2027")
    assert (dated.symbol, dated.contract, dated.tick) == ("/MESH7", "MESH2027", D("0.25"))


@pytest.mark.parametrize(
    ("symbol", "code"),
    [
        ("BTCUSD", "UNSUPPORTED"),
        ("EURUSD", "UNSUPPORTED"),
        ("NOPE", "SYMBOL_UNKNOWN"),
        ("MESM2027", "SYMBOL_UNKNOWN"),
    ],
)
def test_what_is_not_traded_there_is_refused_by_name(venue, symbol, code):
    """Crypto is switched off there; a share and a contract that nobody lists."""
    with pytest.raises(BrokerRefused) as no:
        make(venue).instrument(symbol)
    assert no.value.code == code
    assert symbol in no.value.message or symbol[:3] in no.value.message


def test_prices_of_shares_and_futures_come_in_one_request(venue):
    """By Tastytrade's own names; what it does not tell is left out."""
    broker = make(venue)
    broker.open()
    venue.server.requests.clear()
    assert broker.prices(["AAPL", "/MESZ6", "NOPE"]) == {"AAPL": 200, "/MESZ6": 6000}
    assert len(venue.server.requests) == 1
    assert broker.price("NASDAQ:AAPL") == 200
    assert broker.price("MESZ2026") == 6000
    assert broker.price("NOPE") is None


# --- orders --------------------------------------------------------------------------------------------


def test_orders_are_written_as_the_table_says(venue):
    """Effect by side, no price where none may stand, a close that must close, GTC only where it may be."""
    broker = make(venue)
    broker.place_order(request("o-1", what=AAPL))
    broker.place_order(request("o-2", kind="limit", limit_price=D("5990.25")))
    broker.place_order(request("o-3", kind="stop", stop_price=D("6010.50")))
    broker.close(request("r-1", "sell", what=AAPL, reduces=True))
    broker.close(request("s-1", "sell", "stop", stop_price=D("5980"), reduces=True))
    market, limit, opening_stop, close, stop = venue.sent("orders")
    assert (market["legs"][0]["action"], market["time-in-force"]) == ("Buy to Open", "Day")
    assert not {"price", "price-effect", "stop-trigger"} & set(market)
    assert (limit["price"], limit["price-effect"]) == ("5990.25", "Debit")
    assert limit["legs"][0]["action"] == "Buy"
    assert (opening_stop["stop-trigger"], opening_stop["time-in-force"]) == ("6010.5", "Day")
    assert close["legs"][0]["action"] == "Sell to Close"
    assert close["advanced-instructions"] == {"strict-position-effect-validation": True}
    assert (stop["time-in-force"], stop["legs"][0]["action"]) == ("GTC", "Sell")
    assert stop["advanced-instructions"] == {"strict-position-effect-validation": True}


def test_a_routed_order_is_read_back(venue):
    """The answer of a market order says Routed and no fills."""
    report = make(venue).place_order(request("o-1"))
    assert (report.status, report.filled, report.average_price) == ("filled", 2, 6000)
    venue.parts.append(1)
    report = make(venue).place_order(request("o-2"))
    assert (report.status, report.filled) == ("partly_filled", 1)


def test_a_refusal_says_what_stands_inside_it(venue):
    """`One or more preflight checks failed` helps nobody."""
    with pytest.raises(BrokerRefused) as no:
        make(venue).close(request("r-1", "sell", what=AAPL, reduces=True))
    assert "You have no such position" in no.value.message
    inner = {"errors": [{"domain": "quantity", "reason": "must be positive"}], "code": "invalid"}
    venue.fail("POST", f"{OWN}/orders", (422, {"error": inner}))
    with pytest.raises(BrokerRefused, match="quantity must be positive"):
        make(venue).place_order(request("o-1"))
    venue.fail(
        "POST", f"{OWN}/orders", (403, {"error": {"code": "not_permitted", "message": "No"}})
    )
    with pytest.raises(BrokerRefused) as no:
        make(venue).place_order(request("o-2"))
    assert (no.value.code, "scope trade" in no.value.message) == ("NOT_PERMITTED", True)


def test_a_stop_and_a_target_end_one_another(venue):
    """One request with an id each; the pair is cancelled as a pair."""
    broker = make(venue)
    broker.place_order(request("o-1"))
    legs = (
        request("s-1", "sell", "stop", stop_price=D(5990), reduces=True),
        request("t-1", "sell", "limit", limit_price=D(6010), reduces=True),
    )
    assert [each.status for each in broker.protect(legs)] == ["accepted"] * 2
    assert len(venue.sent("complex-orders")) == 1
    venue.move("6011")
    assert broker.find_order(legs[1]).status == "filled"
    assert make(venue).find_order(legs[0]).status == "cancelled"
    broker.place_order(request("o-2"))
    again = tuple(
        OrderRequest(
            f"{each.client_id}-2",
            MES,
            "sell",
            D(2),
            each.order_type,
            each.limit_price and D(6100),
            each.stop_price,
            reduces=True,
        )
        for each in legs
    )
    broker.protect(again)
    fresh = make(venue)
    assert fresh.cancel(again[0]).status == "cancelled"
    assert fresh.find_order(again[1]).status == "cancelled"


def test_a_lost_answer_is_a_doubt_that_a_look_up_ends(venue):
    """Among the orders since some weeks, and the linked ones; what never arrived is absent."""
    broker = make(venue)
    broker.open()
    venue.fail("POST", f"{OWN}/orders", "lose")
    with pytest.raises(Uncertain):
        broker.place_order(request("o-1"))
    found = broker.find_order(request("o-1"))
    assert (found.status, found.filled) == ("filled", 2)
    assert broker.find_order(request("o-2")).status == "absent"
    assert broker.find_order(request("o-1", "sell")).message  # another of that name is not ours


def test_a_snapshot_shows_positions_working_orders_and_equity(venue):
    """Shorts below zero; what is done is not among what works."""
    broker = make(venue)
    broker.place_order(request("o-1", "sell"))
    broker.place_order(request("o-2", what=AAPL))
    broker.place_order(request("o-3", kind="limit", limit_price=D(5000)))
    snapshot = make(venue).snapshot()
    assert snapshot.positions == {"/MESZ6": -2, "AAPL": 2}
    assert [each.client_id for each in snapshot.working] == ["o-3"]
    assert snapshot.equity == D("50000.5")
    fills = make(venue).fills(0, ["AAPL"])
    assert [(each.client_id, each.quantity, each.price) for each in fills] == [("o-2", 2, 200)]


def test_a_list_that_was_cut_off_does_not_say_that_an_order_is_absent(venue, monkeypatch):
    """It may stand behind the last page that was read: an exit would be sent once more."""
    monkeypatch.setattr("brokers.tastytrade.broker.PAGE", 1)
    monkeypatch.setattr("brokers.tastytrade.broker.MOST_PAGES", 2)
    row = make(venue)
    for number in range(2):
        row.place_order(request(f"o-{number}"))
    with pytest.raises(Uncertain):
        make(venue).find_order(request("o-9"))


@pytest.mark.parametrize("answer", [(403, {"error": {"code": "no", "message": "No"}}), (200, {})])
def test_positions_are_read_on_where_the_equity_is_not_told(venue, answer):
    """An exit reads the position before it: what an account is worth must not hold it up."""
    broker = make(venue)
    broker.place_order(request("o-1"))
    venue.fail("GET", f"{OWN}/balances", *[answer] * 5)
    snapshot = broker.snapshot()
    assert list(snapshot.positions.values()) == [2]
    assert snapshot.equity is None


def test_a_clock_that_is_minutes_ahead_makes_no_order_another_one(venue, monkeypatch):
    """It would be called absent, and an exit that was filled sent once more."""
    account = Account(venue.url, KEYS, None, sandbox=True)
    ahead = lambda: time.time_ns() // 1_000_000 + 600_000  # noqa: E731
    broker = Tastytrade("main", account, now_ms=ahead, sleep=lambda _: None)  # type: ignore[arg-type]
    broker.open()
    monkeypatch.setattr(Wire, "venue_ms", property(lambda _: time.time_ns() // 1_000_000))
    assert broker.place_order(request("o-1")).status == "filled"
    assert broker.find_order(request("o-1")).status == "filled"
