"""ProjectX's own manners: tokens, refusals inside HTTP 200, odd contract ids, orders found by their tag."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from brokers.projectx.broker import BARS, ProjectX
from brokers.protocol import BrokerRefused, Instrument, OrderRequest, Uncertain, Unreachable
from tests.support.faulty_server import hang
from tests.support.samples import Account
from tests.support.stand_in_projectx import (
    COMBINE,
    KEYS,
    PRACTICE,
    REJECTED,
    StandInProjectX,
    account_row,
    refusal,
    success,
)

D = Decimal
LOGIN, ORDER = "/Auth/loginKey", "/Order/place"
MES = Instrument(
    "MESZ6",
    "futures",
    root="MES",
    point_value=D(5),
    tick=D("0.25"),
    step=D(1),
    contract="MESZ2026",
)
DAY_MS = 86_400_000
BRACKETS = "Brackets cannot be used with Position Brackets. Turn them off first."


@pytest.fixture
def venue():
    """Give a venue with one account."""
    with StandInProjectX() as found:
        yield found


class Clock:
    """The time of a broker, which a test moves."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead_ms


def make(venue: StandInProjectX, clock: Clock | None = None, **more: Any) -> ProjectX:
    """Return a broker there that never sleeps for long."""
    account = Account(venue.url, KEYS, "futures", **{"sandbox": True, **more})
    clock = clock or Clock()
    return ProjectX("main", account, clock, sleep=lambda _: None)  # type: ignore[arg-type]


def request(name: str, side: str = "buy", kind: str = "market", **more: Any) -> OrderRequest:
    """Return an order for two contracts."""
    return OrderRequest(name, MES, side, D(2), kind, **more)


# --- tokens --------------------------------------------------------------------------------------------


def test_one_login_serves_everything(venue):
    """At the start, over reads and a burst of orders; a warm order needs no look-up before it."""
    broker = make(venue)
    broker.open()
    broker.instrument("MESZ2026")
    venue.server.requests.clear()
    for number in range(5):
        assert broker.place_order(request(f"o-{number}")).status == "filled"
    assert venue.server.requests[0].path == "/api/Order/place"
    broker.snapshot()
    assert venue.logins == 1


def test_a_token_is_renewed_before_its_day_ends(venue):
    """Two hours ahead, so that no order meets the end."""
    clock = Clock()
    broker = make(venue, clock)
    broker.open()
    clock.ahead_ms = 23 * 3_600_000
    broker.snapshot()
    broker.snapshot()
    assert (venue.logins, venue.renewals) == (1, 1)


def test_a_token_that_cannot_be_renewed_is_bought_anew(venue):
    """A renewal that is refused is no refused login."""
    clock = Clock()
    broker = make(venue, clock)
    broker.open()
    venue.takes_renewals = False
    clock.ahead_ms = 23 * 3_600_000
    broker.snapshot()
    assert (venue.logins, venue.renewals) == (2, 1)


def test_a_token_that_ended_early_is_replaced_and_the_order_sent_once(venue):
    """A 401 proves that nothing was placed."""
    broker = make(venue)
    broker.open()
    broker.snapshot()
    venue.tokens.clear()
    assert broker.place_order(request("o-1")).status == "filled"
    assert venue.logins == 2
    assert [order.tag for order in venue.orders.values()] == ["o-1"]


@pytest.mark.parametrize(
    ("code", "words"),
    [(3, "user name or key"), (9, "subscription"), (7, "agreements"), (10, "switched off")],
)
def test_a_refused_login_names_the_variables_and_is_not_repeated(venue, code, words):
    """It comes with HTTP 200, and says what to do; nobody tries again for an hour."""
    venue.refuses_login = (code, "")
    clock = Clock()
    broker = make(venue, clock)
    broker.open()
    for _ in range(3):
        with pytest.raises(BrokerRefused, match=words) as no:
            broker.place_order(request("o-1"))
        assert no.value.code == "LOGIN_REFUSED"
        assert "PROJECTX_USERNAME and PROJECTX_API_KEY" in no.value.message
    assert broker.check().key_valid is False
    assert venue.logins == 1
    venue.refuses_login = None
    clock.ahead_ms = 3_601_000
    assert broker.check().may_trade


@pytest.mark.parametrize("fault", [hang, (500, {}), (200, []), (200, {}), refusal(8, "later")])
def test_a_login_without_an_answer_is_no_doubt_about_an_order(venue, fault, monkeypatch):
    """Nothing was placed: `Unreachable`, so that the desk tries again."""
    monkeypatch.setattr("brokers.projectx.session.SEND_SECONDS", 0.2)
    venue.fail(LOGIN, fault)
    with pytest.raises(Unreachable):
        make(venue).place_order(request("o-1"))
    assert not venue.orders


# --- refusals inside HTTP 200 --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "text", "code"),
    [
        (1, None, "NOT_PERMITTED"),
        (2, "Invalid price", "REFUSED"),
        (3, None, "INSUFFICIENT_BALANCE"),
        (4, None, "NOT_PERMITTED"),
        (5, None, "MARKET_CLOSED"),
        (9, None, "SYMBOL_UNKNOWN"),
        (10, None, "NOT_PERMITTED"),
        (99, "who knows", "REFUSED"),
    ],
)
def test_a_refusal_that_carries_a_number_is_one_all_the_same(venue, number, text, code):
    """`success` alone decides: recorded refusals have an orderId."""
    broker = make(venue)
    venue.fail(ORDER, refusal(number, text, orderId=9999))
    with pytest.raises(BrokerRefused) as no:
        broker.place_order(request("o-1"))
    assert no.value.code == code
    assert len(no.value.message) > 15
    assert len(venue.sent(ORDER)) == 1


@pytest.mark.parametrize("number", [6, 7])
def test_what_the_gateway_does_not_know_itself_is_a_doubt(venue, number):
    """Pending and unknown error: the order may stand behind it."""
    venue.fail(ORDER, refusal(number, None))
    with pytest.raises(Uncertain):
        make(venue).place_order(request("o-1"))
    assert len(venue.sent(ORDER)) == 1


def test_an_account_in_position_brackets_mode_is_told_where_to_switch(venue):
    """In the venue's words; no second entry is sent without them."""
    venue.fail(ORDER, refusal(2, BRACKETS, orderId=9999))
    with pytest.raises(BrokerRefused, match="Auto OCO") as no:
        make(venue).place_order(request("o-1"))
    assert BRACKETS in no.value.message
    assert len(venue.sent(ORDER)) == 1
    assert not venue.orders


def test_a_refusal_never_shows_the_key(venue):
    """Nor the token, nor the user: the words come in an answer of HTTP 200."""
    broker = make(venue)
    broker.open()
    (token,) = venue.tokens
    venue.fail(ORDER, refusal(2, f"no\n {token} {KEYS['PROJECTX_API_KEY']} " + "x" * 5000))
    with pytest.raises(BrokerRefused) as no:
        broker.place_order(request("o-1"))
    assert token not in no.value.message
    assert KEYS["PROJECTX_API_KEY"] not in no.value.message
    assert len(no.value.message) < 400
    assert "\n" not in no.value.message


def test_a_name_that_is_taken_is_looked_up_and_never_sent_again(venue):
    """The venue takes a customTag once: what it has is the answer."""
    make(venue).place_order(request("o-1"))
    report = make(venue).place_order(request("o-1"))
    assert (report.status, report.filled) == ("filled", 2)
    assert len(venue.orders) == 1


# --- accounts ------------------------------------------------------------------------------------------


def test_accounts_that_may_not_trade_never_count(venue):
    """The one that is left is used; several are asked back by name."""
    venue.accounts.append(account_row(4712, COMBINE, may_trade=False))
    assert make(venue, sandbox=False).place_order(request("o-1")).status == "filled"
    venue.accounts.append(account_row(4713, "XFA-1"))
    with pytest.raises(BrokerRefused, match=r"several accounts for main.*accounts\.main\.account"):
        make(venue, sandbox=False).place_order(request("o-2"))
    named = make(venue, sandbox=False, account="XFA-1")
    assert named.place_order(request("o-3")).status == "filled"
    assert venue.sent(ORDER)[-1]["accountId"] == 4713
    for name in ("NOBODY", COMBINE):
        with pytest.raises(BrokerRefused, match=f"has no account {name} .*{PRACTICE}, XFA-1"):
            make(venue, sandbox=False, account=name).place_order(request("o-4"))


def test_a_sandbox_is_a_practice_account_and_nothing_else(venue):
    """There is no test system: an evaluation is money."""
    venue.accounts.append(account_row(4712, COMBINE))
    make(venue).place_order(request("o-1"))
    assert venue.sent(ORDER)[-1]["accountId"] == 4711
    with pytest.raises(BrokerRefused, match="no practice account"):
        make(venue, account=COMBINE).place_order(request("o-2"))
    venue.accounts = [account_row(4712, COMBINE)]
    with pytest.raises(BrokerRefused, match="no practice account"):
        make(venue).place_order(request("o-3"))


# --- contracts -----------------------------------------------------------------------------------------


def test_a_contract_is_found_by_its_name_and_has_the_venues_own_id(venue):
    """ES is EP inside; a search for ES finds MES too; what a tick is worth, the venue says."""
    broker = make(venue)
    found = broker.instrument("CME_MINI:ES1!")
    assert (found.symbol, found.contract) == ("ESZ6", "ESZ2026")
    assert (found.tick, found.point_value, found.step) == (D("0.25"), 50, 1)
    assert found.last_day is not None
    assert broker.instrument("MESZ2026").symbol == "MESZ6"
    broker.place_order(OrderRequest("o-1", found, "buy", D(1)))
    assert venue.sent(ORDER)[-1]["contractId"] == "CON.F.US.EP.Z26"


def test_a_month_that_is_not_listed_is_found_by_the_id_it_must_have(venue):
    """Made from a sibling's id and believed only where the venue's own name agrees."""
    broker = make(venue)
    assert broker.instrument("MESH2027").symbol == "MESH7"
    venue.list_contract("CON.F.US.MES.M27", "SOMETHING", 0.25, 1.25, is_active=False)
    for symbol in ("MESM2027", "MESU2027", "GCZ2026"):
        with pytest.raises(BrokerRefused) as no:
            broker.instrument(symbol)
        assert no.value.code == "SYMBOL_UNKNOWN"
    for symbol in ("AAPL", "BTCUSDT"):
        with pytest.raises(BrokerRefused) as no:
            broker.instrument(symbol)
        assert no.value.code == "MARKET_MISMATCH"


def test_a_held_contract_that_is_no_longer_listed_is_closed_by_its_stored_id(venue):
    """After a restart, when the list of its product is empty: the position tells the id."""
    make(venue).place_order(request("o-1"))
    venue.contracts["CON.F.US.MES.Z26"]["activeContract"] = False
    broker = make(venue)
    assert broker.snapshot().positions == {"MESZ6": 2}
    venue.fail(ORDER, success(orderId=9999))  # that the stand-in takes it is not the question
    with pytest.raises(Uncertain):
        broker.close(request("x-1", "sell", reduces=True))
    assert venue.sent(ORDER)[-1]["contractId"] == "CON.F.US.MES.Z26"


# --- orders --------------------------------------------------------------------------------------------


def test_an_order_is_written_exactly(venue):
    """Buy is 0, sell is 1; prices are numbers with the decimals they have; the tag is our id."""
    broker = make(venue)
    broker.place_order(request("o-1", kind="limit", limit_price=D("5990.25")))
    broker.close(request("s-1", "sell", "stop", stop_price=D("5980.50"), reduces=True))
    broker.place_order(
        request("o-2", kind="stop_limit", stop_price=D(6010), limit_price=D("6010.5"))
    )
    limit, stop, both = venue.sent(ORDER)
    assert (limit["type"], limit["side"], limit["limitPrice"]) == (1, 0, D("5990.25"))
    assert (stop["type"], stop["side"], stop["stopPrice"]) == (4, 1, D("5980.5"))
    assert (both["type"], both["stopPrice"], both["limitPrice"]) == (3, 6010, D("6010.5"))
    assert limit["customTag"] == "o-1"
    assert not {"stopLossBracket", "takeProfitBracket"} & set(limit)


def test_a_lost_answer_is_a_doubt_that_a_look_up_ends(venue):
    """By the tag; what never arrived is absent."""
    broker = make(venue)
    broker.open()
    venue.fail(ORDER, "lose")
    with pytest.raises(Uncertain):
        broker.place_order(request("o-1"))
    found = broker.find_order(request("o-1"))
    assert (found.status, found.filled, found.average_price) == ("filled", 2, 6000)
    assert broker.find_order(request("o-2")).status == "absent"


def test_an_order_of_weeks_ago_is_found_after_a_restart(venue):
    """Whether it still rests or has just filled: a look-up reaches as far back as a contract lives."""
    make(venue).place_order(request("s-1", "sell", "stop", stop_price=D(5990)))
    (order,) = venue.orders.values()
    order.at = datetime.now(UTC) - timedelta(days=60)
    leg = request("s-1", "sell", "stop", stop_price=D(5990))
    assert make(venue).find_order(leg).status == "accepted"
    venue.move("5989")
    assert make(venue).find_order(leg).status == "filled"
    (fill,) = make(venue).fills(int(time.time() * 1000) - DAY_MS, ["MESZ6"])
    assert fill.client_id == "s-1"


def test_an_order_that_was_taken_and_cannot_be_read_back_is_a_doubt(venue):
    """It exists: never a refusal."""
    broker = make(venue)
    broker.open()
    venue.fail("/Order/search", *[(500, {})] * 3)
    with pytest.raises(Uncertain):
        broker.place_order(request("o-1"))
    assert broker.find_order(request("o-1")).status == "filled"


def test_a_clock_that_is_ahead_never_hides_an_order(venue):
    """An exit that was believed absent would be sent twice."""
    clock = Clock()
    clock.ahead_ms = 200_000
    broker = make(venue, clock)
    venue.fail(ORDER, "lose")
    with pytest.raises(Uncertain):
        broker.place_order(request("o-1"))
    assert broker.find_order(request("o-1")).status == "filled"


def test_a_part_that_filled_is_told_as_it_is(venue):
    """Dead with less than asked; the fees are those of what filled."""
    venue.parts.append(1)
    report = make(venue).place_order(request("o-1"))
    assert (report.status, report.filled) == ("partly_filled", 1)
    assert [each.fee for each in report.fills] == [D("0.37")]


def test_executions_that_were_taken_back_do_not_count(venue):
    """A voided half-turn is no fill."""
    broker = make(venue)
    broker.place_order(request("o-1"))
    venue.trades.append({**venue.trades[0], "id": 1, "voided": True})
    assert len(broker.fills(0, ["MESZ6"])) == 1
    assert broker.find_order(request("o-1")).filled == 2


def test_a_rejected_order_is_refused_with_a_reason_to_look(venue):
    """It was taken and then rejected: the gateway says no more."""
    broker = make(venue)
    order = request("o-1", kind="limit", limit_price=D(5000))
    broker.place_order(order)
    next(iter(venue.orders.values())).status = REJECTED
    found = broker.find_order(order)
    assert found.status == "refused"
    assert "ProjectX rejected it" in (found.message or "")


def test_another_order_of_that_name_is_not_ours(venue):
    """Rules 1.2: side and size have to agree."""
    make(venue).place_order(request("o-1"))
    found = make(venue).find_order(request("o-1", "sell"))
    assert found.status == "absent"
    assert found.message


def test_a_cancel_that_comes_too_late_is_refused_and_looked_up(venue):
    """What became of the order is a matter of the look-up; after a restart it is found by its tag."""
    broker = make(venue)
    broker.place_order(request("o-1"))
    with pytest.raises(BrokerRefused) as no:
        broker.cancel(request("o-1"))
    assert no.value.code == "ORDER_GONE"
    resting = request("o-2", kind="limit", limit_price=D(5000))
    broker.place_order(resting)
    assert make(venue).cancel(resting).status == "cancelled"


def test_a_snapshot_shows_positions_working_orders_and_equity(venue):
    """A short is a size with another type; also after a restart."""
    broker = make(venue)
    broker.place_order(request("o-1", "sell"))
    venue.parts.append(1)
    broker.place_order(request("o-2", kind="limit", limit_price=D(6000)))
    snapshot = make(venue).snapshot()
    assert snapshot.positions == {"MESZ6": -1}
    (working,) = snapshot.working
    assert (working.client_id, working.filled) == ("o-2", 1)
    assert snapshot.equity == D("50000.5")
    fills = make(venue).fills(0, ["MESZ6"])
    assert [(each.client_id, each.quantity) for each in fills] == [("o-1", 2), ("o-2", 1)]
    assert make(venue).fills(0, ["ESZ6"]) == ()


def test_a_price_is_a_minute_that_has_just_ended_or_none(venue):
    """There is no quote; an old bar is no price of now, and the venue's quota for bars is kept."""
    broker = make(venue)
    assert broker.price("MES1!") is None
    venue.add_bar(6001.25, 30)
    assert broker.price("MES1!") is None
    venue.add_bar(6002.5, 1)
    venue.add_bar(6001.75, 2)
    assert broker.price("MES1!") == D("6002.5")
    for _ in range(60):
        broker.price("MES1!")
    assert len(venue.sent("/History/retrieveBars")) == BARS
