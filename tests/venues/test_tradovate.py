"""Tradovate's own manners: tokens, penalties, refusals inside HTTP 200, contracts, orders in five tables."""

from __future__ import annotations

import time
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.protocol import BrokerRefused, Instrument, OrderRequest, Uncertain, Unreachable
from brokers.tradovate.broker import Tradovate
from brokers.wire.client import Wire
from tests.support.faulty_server import hang
from tests.support.samples import Account
from tests.support.stand_in_tradovate import KEYS, StandInTradovate

D = Decimal
LOGIN, ORDER, PAIR = "/auth/accesstokenrequest", "/order/placeorder", "/order/placeoco"
MES = Instrument("MESZ6", "futures", root="MES", point_value=D(5), tick=D("0.25"), step=D(1))


@pytest.fixture
def venue():
    """Give a venue with one account."""
    with StandInTradovate() as found:
        yield found


def make(venue: StandInTradovate, keys: Any = KEYS, **more: Any) -> Tradovate:
    """Return a broker there that never sleeps for long."""
    account = Account(venue.url, keys, "futures", sandbox=True, **more)
    return Tradovate("main", account, sleep=lambda _: None)  # type: ignore[arg-type]


def request(name: str, side: str = "buy", kind: str = "market", **more: Any) -> OrderRequest:
    """Return an order for two contracts."""
    return OrderRequest(name, MES, side, D(2), kind, **more)


def share(venue: StandInTradovate, name: str, **more: Any) -> Tradovate:
    """Return a broker that has its clock in common with all others, as in the program."""
    account = Account(venue.url, KEYS, "futures", sandbox=True, account=name, **more)
    return Tradovate(name, account)  # type: ignore[arg-type]


# --- tokens --------------------------------------------------------------------------------------------


def test_one_login_serves_everything(venue):
    """At the start, over reads and a burst of orders; the device is the same each time."""
    broker = make(venue)
    broker.open()
    for number in range(5):
        assert broker.place_order(request(f"o-{number}")).status == "filled"
    broker.snapshot()
    assert venue.logins == 1
    other = make(venue)
    other.open()
    first, second = venue.sent(LOGIN)
    assert first["deviceId"] == second["deviceId"]


def test_a_token_is_renewed_before_its_end_and_never_bought_anew(venue):
    """Fifteen minutes ahead, so that no order meets the end."""
    venue.lifetime = timedelta(minutes=14)
    broker = make(venue)
    broker._calls.open()
    venue.lifetime = timedelta(minutes=80)
    broker.place_order(request("o-1"))
    broker.place_order(request("o-2"))
    assert (venue.logins, venue.renewals) == (1, 1)


def test_a_token_that_ended_early_is_replaced_and_the_order_sent_once(venue):
    """A third session of the user ends ours: a 401 proves that nothing was placed."""
    broker = make(venue)
    broker.open()
    broker.snapshot()
    venue.log_out()
    assert broker.place_order(request("o-1")).status == "filled"
    assert venue.logins == 2
    assert [order.client_id for order in venue.orders.values()] == ["o-1"]


def test_accounts_of_one_login_share_its_session(venue):
    """A third session ends the first: three accounts would log each other out until nobody may any more."""
    first = dict(venue.accounts[0])
    venue.accounts += [
        {**first, "id": first["id"] + number, "name": f"ACC{number}"} for number in (1, 2)
    ]
    brokers = [share(venue, name) for name in (first["name"], "ACC1", "ACC2")]
    for each in brokers:
        each.snapshot()
    assert venue.logins == 1


def test_a_refused_login_names_the_variables_and_is_not_repeated(venue):
    """Each login counts, and the account is locked after a few."""
    venue.refuses_login = "Incorrect username or password. Please try again."
    broker = make(venue)
    broker.open()
    for _ in range(5):
        with pytest.raises(BrokerRefused) as no:
            broker.place_order(request("o-1"))
        assert no.value.code == "LOGIN_REFUSED"
        assert "TRADOVATE_PASSWORD" in no.value.message
    check = broker.check()
    assert check.problem
    assert "Incorrect username" in check.problem
    assert venue.logins == 1


def test_a_captcha_ends_it_for_an_hour(venue):
    """No program solves one."""
    venue.fail(LOGIN, (200, {"p-ticket": "t", "p-time": 5, "p-captcha": True}))
    broker = make(venue)
    for _ in range(2):
        with pytest.raises(BrokerRefused) as no:
            broker.place_order(request("o-1"))
        assert no.value.code == "LOGIN_REFUSED"
    assert len(venue.server.asked("POST", f"/v1{LOGIN}")) == 1


def test_a_token_of_ones_own_is_renewed_and_never_logs_in(venue):
    """`TRADOVATE_ACCESS_TOKEN` alone is enough; when it has ended a person has to bring another."""
    venue._issue()
    (token,) = venue.tokens
    broker = make(venue, {"TRADOVATE_ACCESS_TOKEN": token})
    assert broker.place_order(request("o-1")).status == "filled"
    assert (venue.logins, venue.renewals) == (0, 1)
    venue.log_out()
    with pytest.raises(BrokerRefused) as no:
        broker.place_order(request("o-2"))
    assert no.value.code == "LOGIN_REFUSED"
    assert "TRADOVATE_ACCESS_TOKEN" in no.value.message
    assert venue.logins == 0


@pytest.mark.parametrize("fault", [hang, (500, {}), (200, []), (200, {})])
def test_a_login_without_an_answer_is_no_doubt_about_an_order(venue, fault, monkeypatch):
    """Nothing was placed: `Unreachable`, so that the desk tries again."""
    monkeypatch.setattr("brokers.tradovate.session.SEND_SECONDS", 0.2)
    venue.fail(LOGIN, fault)
    with pytest.raises(Unreachable):
        make(venue).place_order(request("o-1"))
    assert not venue.orders


# --- penalties and quota -------------------------------------------------------------------------------


def test_a_penalty_is_waited_out_and_the_same_request_continued(venue):
    """With its ticket; one order comes of it."""
    slept: list[float] = []
    account = Account(venue.url, KEYS, "futures", sandbox=True)
    broker = Tradovate("main", account, sleep=slept.append)  # type: ignore[arg-type]
    broker.open()
    venue.fail(ORDER, (200, {"p-ticket": "ticket-1", "p-time": 2, "p-captcha": False}))
    assert broker.place_order(request("o-1")).status == "filled"
    assert slept[0] == 2
    first, second = venue.sent(ORDER)
    assert second == {**first, "p-ticket": "ticket-1"}
    assert len(venue.orders) == 1


def test_a_long_penalty_is_a_pause_and_nothing_was_carried_out(venue):
    """An order that left after the desk had given up on it would be one too many."""
    broker = make(venue)
    broker.open()
    venue.fail(ORDER, (200, {"p-ticket": "ticket-1", "p-time": 30, "p-captcha": False}))
    with pytest.raises(BrokerRefused) as no:
        broker.place_order(request("o-1"))
    assert (no.value.code, no.value.retry_after) == ("THROTTLED", 30)
    assert not venue.orders


def test_after_a_429_nothing_is_opened_for_an_hour(venue):
    """Exits are tried once a minute."""
    broker = make(venue)
    broker.open()
    venue.fail(ORDER, (429, ""))
    with pytest.raises(BrokerRefused) as no:
        broker.place_order(request("o-1"))
    assert (no.value.code, no.value.retry_after) == ("THROTTLED", 60)
    with pytest.raises(BrokerRefused) as no:
        broker.place_order(request("o-2"))
    assert (no.value.retry_after or 0) > 3500
    assert len(venue.server.asked("POST", f"/v1{ORDER}")) == 1


# --- refusals inside HTTP 200 --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "text", "code"),
    [
        ("UnknownReason", "Access is denied", "NOT_PERMITTED"),
        ("SessionClosed", "", "MARKET_CLOSED"),
        ("LiquidationOnly", "", "NOT_PERMITTED"),
        ("MaxPosLimitReached", "", "NOT_PERMITTED"),
        ("UnknownReason", "Insufficient funds", "INSUFFICIENT_BALANCE"),
        ("OtherExecutionRelated", "who knows", "REFUSED"),
    ],
)
def test_a_failure_inside_200_is_a_refusal_in_words(venue, reason, text, code):
    """Named by its reason, else by Tradovate's own words."""
    broker = make(venue)
    broker.open()
    venue.fail(ORDER, (200, {"failureReason": reason, "failureText": text}))
    with pytest.raises(BrokerRefused) as no:
        broker.place_order(request("o-1"))
    assert no.value.code == code
    assert len(no.value.message) > 15


def test_success_as_a_reason_is_none(venue):
    """The list of reasons has a `Success`."""
    broker = make(venue)
    broker.open()
    venue.fail(ORDER, (200, {"failureReason": "Success"}))
    with pytest.raises(Uncertain):
        broker.place_order(request("o-1"))


# --- accounts ------------------------------------------------------------------------------------------


def test_closed_and_read_only_accounts_never_count(venue):
    """The one that is left is used; several are asked back by name."""
    venue.accounts += [
        {"id": 778, "name": "OLD", "closed": True},
        {"id": 779, "name": "LOOK", "readonly": True},
        {"id": 780, "name": "BLOCKED", "restricted": True},
    ]
    assert make(venue).place_order(request("o-1")).status == "filled"
    venue.accounts.append({"id": 781, "name": "APEX-1"})
    with pytest.raises(BrokerRefused, match=r"APEX-1, DEMO4242.*accounts\.main\.account"):
        make(venue).place_order(request("o-2"))
    assert make(venue, account="APEX-1").place_order(request("o-3")).status == "filled"
    assert venue.sent(ORDER)[-1]["accountId"] == 781
    with pytest.raises(BrokerRefused, match="has no account NOBODY"):
        make(venue, account="NOBODY").place_order(request("o-4"))


# --- contracts -----------------------------------------------------------------------------------------


def test_a_continuous_symbol_is_what_the_venue_says_is_the_front_month(venue):
    """Of its suggestions the first of that very root; a dated symbol is found by its name."""
    broker = make(venue)
    venue.contracts["MESU6"] = 1005
    venue.front["MES"] = "MESH7"
    found = broker.instrument("CME_MINI:MES1!")
    assert (found.symbol, found.contract, found.point_value) == ("MESH7", "MESH2027", 5)
    assert str(found.roll_day) == "2027-03-15"
    assert (found.tick, found.step, found.root) == (D("0.25"), 1, "MES")
    assert found.last_day is not None
    assert broker.instrument("ES1!").symbol == "ESZ6"  # the first suggestion is the micro's
    dated = broker.instrument("MESZ2026")
    assert (dated.symbol, dated.contract) == ("MESZ6", "MESZ2026")


def test_what_is_no_future_or_not_listed_is_refused_by_name(venue):
    """A share, a coin, a contract that nobody lists."""
    broker = make(venue)
    for symbol in ("AAPL", "BTCUSDT"):
        with pytest.raises(BrokerRefused) as no:
            broker.instrument(symbol)
        assert no.value.code == "MARKET_MISMATCH"
    with pytest.raises(BrokerRefused) as no:
        broker.instrument("MESM2027")
    assert no.value.code == "SYMBOL_UNKNOWN"


# --- orders --------------------------------------------------------------------------------------------


def test_an_order_is_marked_as_automated_and_written_exactly(venue):
    """Prices are numbers with the decimals they have, protection is good till cancelled."""
    broker = make(venue)
    broker.place_order(request("o-1", kind="limit", limit_price=D("5990.25")))
    broker.close(request("s-1", "sell", "stop", stop_price=D("5980.50"), reduces=True))
    limit, stop = venue.sent(ORDER)
    assert (limit["price"], limit["orderQty"], limit["isAutomated"]) == (D("5990.25"), 2, True)
    assert (stop["stopPrice"], stop["timeInForce"]) == (D("5980.5"), "GTC")
    assert "price" not in stop


def test_a_stop_and_a_target_end_one_another(venue):
    """One request; what fills of one ends the other at the venue."""
    broker = make(venue)
    broker.place_order(request("o-1"))
    legs = (
        request("s-1", "sell", "stop", stop_price=D(5990), reduces=True),
        request("t-1", "sell", "limit", limit_price=D(6010), reduces=True),
    )
    assert [each.status for each in broker.protect(legs)] == ["accepted"] * 2
    assert len(venue.sent(PAIR)) == 1
    venue.move("6011")
    assert broker.find_order(legs[1]).status == "filled"
    assert broker.find_order(legs[0]).status == "cancelled"
    assert venue.positions["MESZ6"] == 0


def test_a_lost_answer_is_a_doubt_that_a_look_up_ends(venue):
    """By the client id on the command; what never arrived is absent."""
    broker = make(venue)
    broker.open()
    broker.snapshot()
    venue.fail(ORDER, "lose")
    with pytest.raises(Uncertain):
        broker.place_order(request("o-1"))
    found = broker.find_order(request("o-1"))
    assert (found.status, found.filled, found.average_price) == ("filled", 2, 6000)
    assert broker.find_order(request("o-2")).status == "absent"


def test_an_order_that_was_taken_and_cannot_be_read_back_is_a_doubt(venue):
    """It exists: never a refusal."""
    broker = make(venue)
    broker.open()
    broker.snapshot()
    venue.fail("/order/item", *[(500, {})] * 3)
    with pytest.raises(Uncertain):
        broker.place_order(request("o-1"))
    assert broker.find_order(request("o-1")).status == "filled"


def test_a_part_that_filled_is_told_as_it_is(venue):
    """Dead with less than asked."""
    venue.parts.append(1)
    report = make(venue).place_order(request("o-1"))
    assert (report.status, report.filled) == ("partly_filled", 1)


def test_a_rejected_order_says_why(venue):
    """The reason stands on the report of its command."""
    broker = make(venue)
    broker.place_order(request("o-1", kind="limit", limit_price=D(5000)))
    (order,) = venue.orders.values()
    order.state, order.reason = "Rejected", "Price is out of the daily limits"
    found = broker.find_order(request("o-1", kind="limit", limit_price=D(5000)))
    assert found.status == "refused"
    assert "daily limits" in (found.message or "")


def test_another_order_of_that_name_is_not_ours(venue):
    """Rules 1.2: side and size have to agree."""
    broker = make(venue)
    broker.place_order(request("o-1"))
    found = make(venue).find_order(request("o-1", "sell"))
    assert found.status == "absent"
    assert found.message


def test_a_cancel_that_comes_too_late_is_refused_and_looked_up(venue):
    """What became of the order is a matter of the look-up."""
    broker = make(venue)
    broker.place_order(request("o-1"))
    with pytest.raises(BrokerRefused) as no:
        broker.cancel(request("o-1"))
    assert no.value.code == "ORDER_GONE"
    broker.place_order(request("o-2", kind="limit", limit_price=D(5000)))
    report = broker.cancel(request("o-2", kind="limit", limit_price=D(5000)))
    assert report.status == "cancelled"


def test_a_snapshot_shows_positions_working_orders_and_equity(venue):
    """Also after a restart, when no number is remembered; other accounts' positions are not ours."""
    broker = make(venue)
    broker.place_order(request("o-1"))
    broker.place_order(request("o-2", kind="limit", limit_price=D(5000)))
    snapshot = make(venue).snapshot()
    assert snapshot.positions == {"MESZ6": 2}
    assert [each.client_id for each in snapshot.working] == ["o-2"]
    assert snapshot.equity == D("50000.5")
    fills = make(venue).fills(0, ["MESZ6"])
    assert [(each.client_id, each.quantity, each.price) for each in fills] == [("o-1", 2, 6000)]
    assert make(venue).fills(0, ["ESZ6"]) == ()


@pytest.mark.parametrize(
    "answer",
    [
        (200, {"errorText": "Access is denied"}),
        (200, {"p-ticket": "t", "p-time": 60, "p-captcha": False}),
        (200, {}),
    ],
)
def test_positions_are_read_on_where_the_equity_is_not_told(venue, answer):
    """An exit reads the position before it: what an account is worth must not hold it up."""
    broker = make(venue)
    broker.place_order(request("o-1"))
    venue.fail("/cashBalance/getcashbalancesnapshot", *[answer] * 5)
    snapshot = broker.snapshot()
    assert snapshot.positions == {"MESZ6": 2}
    assert snapshot.equity is None


def test_a_clock_that_is_minutes_ahead_makes_no_order_another_one(venue, monkeypatch):
    """It would be called absent, and an exit that was filled sent once more."""
    account = Account(venue.url, KEYS, "futures", sandbox=True)
    ahead = lambda: time.time_ns() // 1_000_000 + 600_000  # noqa: E731
    broker = Tradovate("main", account, now_ms=ahead, sleep=lambda _: None)  # type: ignore[arg-type]
    now = property(lambda _: time.time_ns() // 1_000_000)
    monkeypatch.setattr(Wire, "venue_ms", now)
    assert broker.place_order(request("o-1")).status == "filled"
    assert broker.find_order(request("o-1")).status == "filled"


def test_executions_that_are_not_all_listed_make_no_price(venue, monkeypatch):
    """After a minute the total is believed without them: half of the worth is no average price."""
    broker = make(venue)
    broker.place_order(request("o-1"))
    (fill,) = venue.fills
    fill["qty"] = 1
    later = property(lambda _: time.time_ns() // 1_000_000 + 120_000)
    monkeypatch.setattr(Wire, "venue_ms", later)
    found = broker.find_order(request("o-1"))
    assert (found.status, found.filled, found.average_price) == ("filled", 2, None)


def test_orders_of_others_are_asked_about_once(venue):
    """They have no name of ours: reading the list of commands at each poll would use the quota up."""
    broker = make(venue)
    broker.place_order(request("o-1", kind="limit", limit_price=D(5000)))
    (order,) = venue.orders.values()
    order.client_id = ""
    fresh = make(venue)
    for _ in range(3):
        (working,) = fresh.snapshot().working
        assert working.client_id == ""
    asked = [r for r in venue.server.requests if r.path == "/v1/command/list"]
    assert len(asked) == 1


def test_no_price_is_told(venue):
    """There is no quote over REST: the alert's own price counts, without a request."""
    broker = make(venue)
    assert broker.price("MES1!") is None
    assert venue.server.requests == []
