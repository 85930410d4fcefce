from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import re
import threading
import time

import pytest

from brokers.protocol import BrokerRefused, Uncertain, Unreachable
from desk.api.requests import MAX_BODY
from desk.state.store import Store, StoreUnavailable
from tests.support.fakes import HangingBroker, always
from tests.support.running import GUARDED, HANGING, OWNER, SECRET, TOKEN, await_true, receivers

BUY = {"action": "buy", "symbol": "BTCUSDT", "quantity": "0.1", "price": "45000"}
ANSWER_KEYS = {
    "success",
    "status",
    "alert_id",
    "action",
    "symbol",
    "strategy",
    "orders",
    "code",
    "duplicate",
    "warnings",
    "message",
}
ORDER_KEYS = {
    "account",
    "paper",
    "client_order_id",
    "broker_order_id",
    "status",
    "side",
    "quantity",
    "filled_quantity",
    "average_price",
    "take_profit",
    "stop_loss",
    "fees",
    "code",
    "message",
}
ADMIN_PAGES = ["/history", "/history/alert_1", "/strategies", "/positions"]
CONTROLS = ["/halt", "/resume", "/flatten", "/orders/tv-1/resolve"]
UNAUTHORIZED = {
    "success": False,
    "status": "denied",
    "code": "UNAUTHORIZED",
    "message": "Invalid webhook signature or secret. If the secret is in the message, "
    "check that the message is valid JSON.",
}


@pytest.fixture
def start(tmp_path):
    """Start receivers; they are stopped at the end."""
    with receivers(tmp_path) as function:
        yield function


@pytest.fixture
def receiver(start):
    """Start a receiver with a secret and a token."""
    return start()


@pytest.fixture
def venue():
    """Make a venue that answers when it is let go; at the end it is."""
    broker = HangingBroker()
    yield broker
    broker.may_answer.set()


def sign(body: bytes, prefix: str = "sha256=", secret: str = SECRET) -> dict[str, str]:
    """Return the header that signs a body."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Webhook-Signature": prefix + digest}


def hanging(start, venue, config: str = ""):
    """Start a receiver with an account at `venue`."""
    return start(HANGING + config, GUARDED, {"hanging": always(venue)})


# --- POST /webhook -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/webhook", "/alert"])
def test_an_alert_is_answered_with_what_came_of_it(receiver, path):
    """The answer has every documented key, and numbers of money and quantity are strings."""
    response = receiver.send(
        path, **BUY, take_profit="47000", stop_loss="44000", strategy="trend", comment="hello"
    )
    answer = response.get_json()
    assert response.status_code == 200
    assert answer.keys() >= ANSWER_KEYS
    assert answer["success"] is True
    assert answer["duplicate"] is False
    assert (answer["status"], answer["code"]) == ("filled", None)
    assert (answer["action"], answer["symbol"], answer["strategy"]) == ("buy", "BTCUSDT", "trend")
    assert answer["alert_id"].startswith("alert_")
    assert answer["message"] == "Bought 0.1 BTCUSDT at 45000 on paper_simulator (paper)."
    [order] = answer["orders"]
    assert order.keys() >= ORDER_KEYS
    assert order["paper"] is True
    assert order["account"] == "paper_simulator"
    assert (order["quantity"], order["filled_quantity"]) == ("0.1", "0.1")
    assert (order["average_price"], order["fees"]) == ("45000", {"USDT": "4.5"})
    assert (order["take_profit"], order["stop_loss"]) == ("47000", "44000")


@pytest.mark.parametrize(
    ("http", "method", "path", "body"),
    [
        (200, "POST", "/webhook", json.dumps({"secret": SECRET, **BUY})),
        (200, "POST", "/webhook/tradingview", json.dumps({"secret": SECRET, **BUY})),
        (200, "POST", f"/webhook?secret={SECRET}", json.dumps(BUY)),
        (200, "POST", "/webhook/validate", json.dumps({"secret": SECRET, **BUY})),
        (400, "POST", "/webhook", json.dumps({"secret": SECRET, "action": "buy"})),
        (401, "POST", "/webhook", json.dumps(BUY)),
        (401, "GET", "/history", ""),
        (404, "GET", "/nowhere", ""),
        (405, "GET", "/webhook", ""),
        (413, "POST", "/webhook", " " * (MAX_BODY + 1)),
        (422, "POST", "/webhook", json.dumps({"secret": SECRET, **BUY, "account_group": "apex"})),
        (200, "GET", "/status", ""),
        (200, "GET", "/webhook/test", ""),
    ],
)
def test_every_answer_ends_its_line(receiver, http, method, path, body):
    """A shell's prompt does not stand behind an answer, and a log of answers has one a line."""
    response = receiver.client.open(path, method=method, data=body)
    text = response.get_data(as_text=True)
    assert response.status_code == http
    assert text.endswith("}\n")
    assert text.count("\n") == 1
    assert response.content_length == len(text.encode())


def test_an_array_is_answered_one_by_one(receiver):
    """Each alert of an array has its own answer; one that cannot be read spoils no other."""
    body = [
        {"secret": SECRET, **BUY},
        {"action": "buy"},
        {**BUY, "symbol": "ETHUSDT", "price": "3000"},
    ]
    response = receiver.client.post("/webhook", json=body)
    answer = response.get_json()
    assert response.status_code == 200
    assert answer["success"] is False
    assert [each["status"] for each in answer["results"]] == ["filled", "denied", "filled"]
    assert answer["results"][1]["code"] == "UNREADABLE"
    assert receiver.get("/history")["count"] == 3


def test_text_bodies_and_any_content_type_are_read(receiver):
    """TradingView sends text/plain for what is not strict JSON; a secret may stand in a text as well."""
    text = f"BUY BTCUSDT @ 45000 qty=0.1 tp=47000 sl=44000 secret={SECRET}"
    for content_type in ("text/plain; charset=utf-8", "application/json", "application/x-junk", ""):
        response = receiver.client.post("/webhook", data=text, content_type=content_type)
        assert response.status_code == 200
    assert receiver.get("/history")["alerts"][0]["deliveries"] == 4


def test_what_cannot_be_read_is_a_400_that_is_recorded(receiver):
    """An authenticated body that is no alert is answered 400, names the remedy, and is in the history."""
    response = receiver.send(symbol="BTCUSDT")
    assert response.status_code == 400
    assert response.get_json()["code"] == "UNREADABLE"
    assert "action" in response.get_json()["message"]
    assert receiver.get("/history")["alerts"][0]["alert_id"] == response.get_json()["alert_id"]


def test_an_unknown_account_names_those_that_exist(receiver):
    """An account group nobody configured is a 422 that lists the configured ones."""
    response = receiver.buy(account_group="topstep")
    answer = response.get_json()
    assert (response.status_code, answer["code"]) == (422, "NO_ACCOUNT")
    assert "No broker connector configured" in answer["message"]
    assert "paper_simulator" in answer["message"]
    assert receiver.fills() == []


def test_a_test_alert_is_only_validated(receiver):
    """`test: true` answers like /webhook/validate: nothing is recorded or traded."""
    response = receiver.buy(test=True)
    assert response.status_code == 200
    assert response.get_json()["valid"] is True
    assert receiver.get("/history")["count"] == 0
    assert receiver.held() == {}


def test_an_array_of_tests_and_alerts_is_refused(receiver):
    """Some alerts of an array cannot be tests while others trade."""
    body = [{"secret": SECRET, **BUY}, {**BUY, "test": True}]
    response = receiver.client.post("/webhook", json=body)
    assert response.status_code == 400
    assert receiver.get("/history")["count"] == 0


# --- duplicates ----------------------------------------------------------------------------------


def test_a_second_delivery_gets_the_recorded_answer(receiver):
    """The same bytes again: one order, the same answer with `duplicate`, deliveries counted, a hint."""
    alert = receiver.alert(**BUY)
    first, *others = [receiver.client.post("/webhook", json=alert).get_json() for _ in range(4)]
    for again in others:
        assert again["duplicate"] is True
        assert (again["alert_id"], again["orders"]) == (first["alert_id"], first["orders"])
        assert "idempotency_key" in again["message"]
    [row] = receiver.get("/history")["alerts"]
    assert row["deliveries"] == 4
    assert len(receiver.fills()) == 1


def test_a_duplicate_is_known_after_a_restart(receiver):
    """A stop in between changes nothing: with a key for a day, without one for a while."""
    alerts = [receiver.alert(**BUY), receiver.alert(**BUY, idempotency_key="k1", strategy="a")]
    first = [receiver.client.post("/webhook", json=alert).get_json() for alert in alerts]
    receiver.restart()
    second = [receiver.client.post("/webhook", json=alert).get_json() for alert in alerts]
    assert [each["duplicate"] for each in second] == [True, True]
    assert [each["alert_id"] for each in second] == [each["alert_id"] for each in first]
    assert len(receiver.fills()) == 2
    assert [row["deliveries"] for row in receiver.get("/history")["alerts"]] == [2, 2]


def test_a_close_of_the_root_speaks_of_what_it_closed_alone(receiver):
    """`MES1!` means a dated share too: a success carries no code of the instrument that was empty."""
    receiver.buy("MESZ2026", price=6000, quantity=2)
    closed = receiver.send(action="close", symbol="MES1!", price=6000).get_json()
    assert (closed["status"], closed["code"], closed["success"]) == ("filled", None, True)
    assert closed["message"].startswith("Sold 2 MESZ2026")
    assert "holds no" not in closed["message"]
    again = receiver.send(action="close", symbol="MES1!", price=6000).get_json()
    assert (again["status"], again["code"]) == ("nothing_to_do", "NOTHING_TO_CLOSE")
    assert "holds no MES1!" in again["message"]


def test_a_close_says_of_each_account_what_it_found(start):
    """Where one account held something and the other did not, both are told, and the code is null."""
    receiver = start(
        "accounts: {a: {broker: paper}, b: {broker: paper}}\ndefault_account: a\n"
        "strategies: {both: {accounts: {a: 1, b: 1}}}\n"
    )
    receiver.buy(strategy="both", account_group="a")
    closed = receiver.send(action="close", symbol="BTCUSDT", price=100, strategy="both").get_json()
    assert (closed["status"], closed["code"]) == ("filled", None)
    assert "Sold 1 BTCUSDT" in closed["message"]
    assert "both holds no BTCUSDT on b (paper)" in closed["message"]


def test_a_size_says_in_the_story_how_money_became_a_quantity(receiver):
    """A percentage of the equity: what it came to, and at what each."""
    answer = receiver.buy(quantity_type="percent_of_equity", quantity=5).get_json()
    assert answer["orders"][0]["filled_quantity"] == "50"
    story = receiver.get(f"/history/{answer['alert_id']}")
    said = " ".join(each["text"] for each in story["decisions"])
    assert "the size is 5000 USD at 100 USD each" in said


def test_a_close_finds_its_position_after_a_restart(start):
    """An exit that names no account reaches what was opened off the route, before a restart too."""
    receiver = start("accounts: {paper_simulator: {broker: paper}, other: {broker: paper}}")
    receiver.buy(account_group="other")
    receiver.restart()
    closed = receiver.send(action="close", symbol="BTCUSDT", price=100).get_json()
    assert [order["account"] for order in closed["orders"]] == ["other"]
    assert receiver.held() == {}


def test_two_deliveries_at_once_are_one_order(start, venue):
    """The second delivery waits for the first and returns its outcome."""
    receiver = hanging(start, venue)
    alert = receiver.alert(**BUY, account_group="venue")
    answers = []

    def deliver():
        answers.append(receiver.app.test_client().post("/webhook", json=alert).get_json())

    threads = [threading.Thread(target=deliver) for _ in range(2)]
    for thread in threads:
        thread.start()
    await_true(lambda: receiver.get("/history")["alerts"])
    await_true(lambda: receiver.get("/history")["alerts"][0]["deliveries"] == 2)
    venue.may_answer.set()
    for thread in threads:
        thread.join()
    assert sorted(each["duplicate"] for each in answers) == [False, True]
    assert [each["status"] for each in answers] == ["filled", "filled"]
    assert len({each["alert_id"] for each in answers}) == 1
    assert len(venue.asked) == len(receiver.fills()) == 1


def test_the_same_alert_from_many_threads_trades_once(receiver):
    """However the deliveries fall, one of them trades."""
    alert, answers = receiver.alert(**BUY), []

    def deliver():
        answers.append(receiver.app.test_client().post("/webhook", json=alert).get_json())

    threads = [threading.Thread(target=deliver) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each["duplicate"] for each in answers) == [False] + [True] * 11
    assert {each["status"] for each in answers} == {"filled"}
    assert len(receiver.fills()) == 1


# --- POST /webhook/tradingview -------------------------------------------------------------------


def test_a_queued_alert_is_received_at_once_and_traded(receiver):
    """The answer is `received` with an id, under which the outcome stands."""
    response = receiver.send(
        "/webhook/tradingview", action="buy", symbol="AAPL", quantity=100, price=10
    )
    answer = response.get_json()
    assert response.status_code == 200
    assert answer["status"] == "received"
    assert answer["message"] == "Alert queued for processing: AAPL buy 100"
    assert receiver.get(f"/history/{answer['alert_id']}")["status"] == "filled"


def test_a_queued_alert_does_not_wait_for_the_venue(start, venue):
    """`received` is answered while the venue still hangs; a duplicate then is `received` with the same id."""
    receiver = hanging(start, venue)
    alert = receiver.alert(**BUY, account_group="venue")
    answers = [receiver.client.post("/webhook/tradingview", json=alert) for _ in range(2)]
    shapes = [each.get_json() for each in answers]
    assert [each.status_code for each in answers] == [200, 200]
    assert [each["status"] for each in shapes] == ["received", "received"]
    assert shapes[0]["alert_id"] == shapes[1]["alert_id"]
    venue.may_answer.set()
    page = f"/history/{shapes[0]['alert_id']}"
    await_true(lambda: receiver.get(page)["status"] == "filled")
    again = receiver.client.post("/webhook/tradingview", json=alert).get_json()
    assert again["status"] == "filled"
    assert again["duplicate"] is True
    assert len(venue.asked) == 1


@pytest.mark.parametrize(
    ("fields", "http", "code"),
    [
        ({"symbol": "AAPL", "quantity": 1}, 400, "UNREADABLE"),
        ({"action": "buy", "symbol": "A", "quantity": 1, "account": "x"}, 422, "NO_ACCOUNT"),
    ],
)
def test_what_can_never_trade_is_not_called_received(receiver, fields, http, code):
    """400 and an unknown account are answered at once on the queued route too."""
    response = receiver.send("/webhook/tradingview", **fields)
    assert (response.status_code, response.get_json()["code"]) == (http, code)


# --- POST /webhook/validate ----------------------------------------------------------------------


def test_validate_says_what_would_happen_and_does_nothing(receiver):
    """The canonical alert, the order and a sentence; nothing is recorded, traded or claimed."""
    response = receiver.send("/webhook/validate", **BUY, stop_loss="44000", strategy="trend")
    shape = response.get_json()
    assert response.status_code == 200
    assert shape.keys() >= {"valid", "alert", "orders", "warnings", "code", "message"}
    assert (shape["valid"], shape["code"]) == (True, None)
    assert shape["message"].startswith("Would buy 0.1 BTCUSDT")
    assert shape["alert"] == {
        "action": "buy",
        "symbol": "BTCUSDT",
        "quantity": "0.1",
        "quantity_type": "fixed",
        "order_type": None,
        "price": "45000",
        "limit_price": None,
        "stop_price": None,
        "take_profit": None,
        "take_profits": None,
        "move_stop": None,
        "stop_loss": "44000",
        "market_position": None,
        "position_size": None,
        "time_in_force": None,
        "strategy": "trend",
        "account": "paper_simulator",
    }
    assert receiver.get("/history")["count"] == 0
    assert receiver.get("/strategies") == {"strategies": []}
    assert receiver.fills() == []


@pytest.mark.parametrize(
    ("fields", "http", "code", "has_alert"),
    [
        ({"action": "buy", "symbol": "BTCUSDT", "price": 1}, 422, "NO_QUANTITY", True),
        ({**BUY, "account": "nowhere"}, 422, "NO_ACCOUNT", True),
        ({**BUY, "quantity": "9999999"}, 422, "INSUFFICIENT_CASH", True),
        ({"symbol": "BTCUSDT"}, 400, "UNREADABLE", False),
    ],
)
def test_validate_shows_the_alert_whenever_it_could_be_read(
    receiver, fields, http, code, has_alert
):
    """What is refused is shown as it was read; what is no alert is a 400."""
    response = receiver.send("/webhook/validate", **fields)
    shape = response.get_json()
    assert (response.status_code, shape["valid"], shape["code"]) == (http, False, code)
    assert (shape["alert"] is not None) is has_alert


def test_validate_claims_no_identity(receiver):
    """The same bytes may be validated first and traded afterwards."""
    alert = receiver.alert(**BUY)
    assert receiver.client.post("/webhook/validate", json=alert).get_json()["valid"] is True
    answer = receiver.client.post("/webhook", json=alert).get_json()
    assert (answer["status"], answer["duplicate"]) == ("filled", False)


# --- reading -------------------------------------------------------------------------------------


def test_the_endpoint_test_is_open(receiver):
    """GET /webhook/test answers anybody with the documented shape."""
    before = time.time()
    shape = receiver.client.get("/webhook/test").get_json()
    assert before <= shape.pop("timestamp") <= time.time()
    assert shape == {
        "status": "healthy",
        "message": "TradingView webhook endpoint is operational",
        "rate_limit_status": "operational",
    }


@pytest.mark.parametrize("path", ["/status", "/health"])
def test_the_status_names_nothing_private_without_the_token(receiver, path):
    """Anybody sees counts; names of accounts, symbols and strategies are for the owner."""
    receiver.buy(strategy="hush")
    receiver.control("/halt", strategy="hush")
    text = receiver.client.get(path).get_data(as_text=True)
    shape = json.loads(text)
    assert shape.keys() >= {"status", "version", "uptime", "mode", "counts", "open"}
    assert (shape["status"], shape["mode"]) == ("attention", "paper")
    assert shape["open"]["halted"] == 1
    assert not any(name in text for name in ("hush", "BTCUSDT", "paper_simulator"))
    private = receiver.get(path)
    assert private["open"]["halted"][0]["scope"] == "strategy:hush"
    assert private["open"]["halted"][0]["since"].endswith("Z")


def test_the_history_is_filtered_and_limited(receiver):
    """Newest first, by strategy, symbol and status, at most `limit` rows."""
    receiver.buy("BTCUSDT", strategy="a", comment="first")
    receiver.buy("ETHUSDT", strategy="a")
    receiver.buy("ETHUSDT", strategy="b")
    receiver.send(action="close", symbol="SOLUSDT", strategy="b")
    page = receiver.get("/history")
    assert page["count"] == 4
    assert [row["symbol"] for row in page["alerts"]] == ["SOLUSDT", "ETHUSDT", "ETHUSDT", "BTCUSDT"]
    oldest = page["alerts"][-1]
    assert oldest.keys() >= ANSWER_KEYS | {"received_at", "comment", "deliveries"}
    assert (oldest["comment"], oldest["deliveries"]) == ("first", 1)
    counts = {
        "limit=2": 2,
        "limit=0": 0,
        "strategy=a": 2,
        "symbol=ETHUSDT": 2,
        "strategy=b&symbol=ETHUSDT": 1,
        "status=nothing_to_do": 1,
        "status=filled&limit=1": 1,
        "strategy=": 4,
        "status=&day=": 4,
    }
    for query, count in counts.items():
        page = receiver.get(f"/history?{query}")
        assert page["count"] == len(page["alerts"]) == count, query
    for query in ("limit=-1", "limit=x", "limit=", "limit=1e3", "limit=٣"):
        response = receiver.client.get(f"/history?{query}", headers=OWNER)
        assert response.status_code == 400, query


def test_a_limit_that_is_none_is_told_what_it_may_be(receiver):
    """-1 and words are a 400 that names the range."""
    for limit in ("-1", "ten", "1.5", "9999999"):
        response = receiver.client.get(f"/history?limit={limit}", headers=OWNER)
        assert response.status_code == 400
        said = response.get_json()["message"]
        assert said == "limit must be a whole number from 0 to 999999."


def test_one_alert_tells_its_whole_story(receiver):
    """The body with secrets masked, the alert as parsed, each decision and request, the milliseconds."""
    alert_id = receiver.buy(stop_loss=90, comment="why").get_json()["alert_id"]
    story = receiver.get(f"/history/{alert_id}")
    assert story.keys() >= ANSWER_KEYS | {
        "body",
        "alert",
        "decisions",
        "requests",
        "milliseconds",
        "received_at",
        "comment",
        "deliveries",
    }
    assert story["alert"]["stop_loss"] == "90"
    assert SECRET not in json.dumps(story)
    assert '"secret": "***"' in story["body"]
    assert story["decisions"][0]["text"]
    assert {each["kind"] for each in story["requests"]} == {"entry", "stop_loss"}
    assert story["milliseconds"]


def test_an_unknown_alert_is_a_404(receiver):
    """No alert has that id: 404 with a code."""
    response = receiver.client.get("/history/alert_0", headers=OWNER)
    assert (response.status_code, response.get_json()["code"]) == (404, "NOT_FOUND")


def test_the_history_is_complete_after_a_restart(receiver):
    """Rolling history, positions, strategies and closed trades are the same after a stop and a start."""
    receiver.buy(strategy="a", stop_loss=90)
    receiver.buy("ETHUSDT", strategy="b")
    receiver.send(action="close", symbol="ETHUSDT", strategy="b", price=110)
    pages = ("/history", "/positions", "/strategies")
    before = [receiver.get(page) for page in pages]
    receiver.restart()
    assert [receiver.get(page) for page in pages] == before


def test_the_history_rolls(start):
    """Only `max_history` alerts stay in memory; an older one is still found by its id."""
    receiver = start("webhook: {max_history: 3}")
    ids = [receiver.buy().get_json()["alert_id"] for _ in range(5)]
    page = receiver.get("/history?limit=100")
    assert [row["alert_id"] for row in page["alerts"]] == ids[:1:-1]
    assert receiver.get(f"/history/{ids[0]}")["alert_id"] == ids[0]
    receiver.restart()
    assert receiver.get("/history?limit=100") == page


def test_strategies_show_mode_and_account(start):
    """Configured strategies, and those that an alert created, on paper."""
    receiver = start("strategies: {trend: {default_quantity: 2, direction: long}}")
    receiver.buy(strategy="new")
    shapes = {each["name"]: each for each in receiver.get("/strategies")["strategies"]}
    assert set(shapes) == {"trend", "new"}
    for shape in shapes.values():
        assert (shape["mode"], shape["account"], shape["enabled"]) == (
            "paper",
            "paper_simulator",
            True,
        )
    assert [shapes[name]["registered"] for name in ("trend", "new")] == [True, False]


def test_positions_show_shares_and_closed_trades(receiver):
    """One row a share with lots and working orders; one row a closed trade, newest first."""
    receiver.buy(strategy="a", stop_loss=90, take_profit=120)
    receiver.buy("ETHUSDT", strategy="b")
    receiver.send(action="close", symbol="ETHUSDT", strategy="b", price=110)
    page = receiver.get("/positions")
    [row] = page["positions"]
    assert (row["quantity"], row["average_price"], row["realized_pnl"]) == ("1", "100", "-0.1")
    assert (row["stop_loss"], row["take_profit"], row["protected"]) == ("90", "120", True)
    assert row["lots"][0]["price"] == "100"
    assert {each["kind"] for each in row["orders"]} == {"stop_loss", "take_profit"}
    [trade] = page["closed"]
    assert (trade["strategy"], trade["side"], trade["quantity"]) == ("b", "long", "1")
    assert (trade["entry_price"], trade["exit_price"]) == ("100", "110")
    assert (trade["realized_pnl"], trade["closed_by"]) == ("9.79", "alert")
    assert receiver.get("/positions?limit=0")["closed"] == []


# --- controls ------------------------------------------------------------------------------------


def test_a_halt_stops_opening_survives_a_restart_and_ends_by_resume(receiver):
    """Halted: opening is 422 HALTED, exits work, also after a restart; resume ends it."""
    receiver.buy()
    assert receiver.control("/halt").get_json()["success"] is True
    receiver.restart()
    refused = receiver.buy("ETHUSDT")
    assert (refused.status_code, refused.get_json()["code"]) == (422, "HALTED")
    assert receiver.send(action="close", symbol="BTCUSDT").get_json()["status"] == "filled"
    assert receiver.control("/resume").get_json()["success"] is True
    assert receiver.buy("ETHUSDT").status_code == 200


def test_a_halt_may_concern_one_account_or_strategy(receiver):
    """Only what was named is halted; the case of an account does not matter; both at once are refused."""
    receiver.control("/halt", strategy="a")
    assert receiver.buy(strategy="a").get_json()["code"] == "HALTED"
    assert receiver.buy(strategy="b").status_code == 200
    receiver.control("/halt", account="PAPER_Simulator")
    assert receiver.buy(strategy="b").get_json()["code"] == "HALTED"
    assert receiver.control("/halt", account="nowhere").status_code == 422
    assert receiver.control("/halt", account="paper_simulator", strategy="a").status_code == 422
    assert receiver.control("/halt", symbol="BTCUSDT").status_code == 422
    receiver.control("/resume")
    assert receiver.buy(strategy="a", price=101).status_code == 200


def test_flatten_asks_first_and_then_closes_every_share(receiver):
    """Without confirm 422 saying what it would do; with it an answer like an alert's."""
    receiver.buy(strategy="a")
    receiver.buy("ETHUSDT", strategy="b")
    asked = receiver.control("/flatten", account="paper_simulator")
    assert (asked.status_code, asked.get_json()["code"]) == (422, "NOT_CONFIRMED")
    said = asked.get_json()["message"]
    where = "on paper_simulator (paper)"
    assert f"close: BTCUSDT {where}, ETHUSDT {where}." in said
    assert (
        'The next alert opens again: POST /halt with {"account": "paper_simulator"} first' in said
    )
    one = receiver.control("/flatten", account="paper_simulator", symbol="ETHUSDT", confirm=True)
    assert one.get_json().keys() >= ANSWER_KEYS
    assert set(receiver.held()) == {("a", "BTCUSDT")}
    done = receiver.control("/flatten", account="paper_simulator", confirm=True)
    assert (done.status_code, done.get_json()["status"]) == (200, "filled")
    assert receiver.held() == {}
    assert {row["closed_by"] for row in receiver.get("/positions")["closed"]} == {"flatten"}
    assert receiver.control("/flatten", account="nowhere", confirm=True).status_code == 422


def test_a_halt_of_a_strategy_nobody_knows_warns(receiver):
    """The halt holds, for the alert may still come; the answer says that the name may be misspelt."""
    receiver.buy(strategy="test_strategy")
    said = receiver.control("/halt", strategy="tst_strategy").get_json()
    assert said["success"] is True
    assert "But no strategy of that name is known; known: test_strategy" in said["message"]
    assert receiver.buy(strategy="tst_strategy").get_json()["code"] == "HALTED"
    for known in ("test_strategy", "default"):
        said = receiver.control("/halt", strategy=known).get_json()
        assert "no strategy of that name" not in said["message"]


def test_a_flatten_of_nothing_is_nothing_to_do(receiver):
    """Flat is what was asked for: 200, with account and symbol in the sentence; the history agrees."""
    for symbol, what in ((None, "anything"), ("BTCUSDTT", "BTCUSDTT")):
        options = {"account": "paper_simulator", "symbol": symbol, "confirm": True}
        done = receiver.control("/flatten", **options)
        shape = done.get_json()
        assert (done.status_code, shape["success"], shape["status"]) == (200, True, "nothing_to_do")
        told = f"Nothing to do: no strategy holds or works {what} on paper_simulator."
        assert shape["message"] == told
        row = receiver.get("/history?limit=1")["alerts"][0]
        assert (row["alert_id"], row["status"]) == (shape["alert_id"], "nothing_to_do")


def test_a_flatten_of_everything_closes_it_on_every_account(start):
    """As `/halt` and `/resume`: neither key is everything."""
    receiver = start("accounts: {paper_simulator: {broker: paper}, other: {broker: paper}}")
    receiver.buy(strategy="a")
    receiver.buy("ETHUSDT", strategy="b", account_group="other")
    asked = receiver.control("/flatten")
    assert asked.get_json()["code"] == "NOT_CONFIRMED"
    assert (
        "BTCUSDT on paper_simulator (paper), ETHUSDT on other (paper)"
        in asked.get_json()["message"]
    )
    assert len(receiver.held()) == 2
    done = receiver.control("/flatten", confirm=True).get_json()
    assert (done["status"], len(done["orders"])) == ("filled", 2)
    assert "The next alert opens again: POST /halt with {} first if it must not." in done["message"]
    assert receiver.held() == {}
    assert receiver.buy(strategy="a", price=101).get_json()["status"] == "filled"


def test_a_flatten_of_a_strategy_leaves_the_others(start):
    """On the paper simulator two strategies hold the same instrument, each its own."""
    receiver = start()
    receiver.buy(strategy="a")
    receiver.buy(strategy="b")
    receiver.buy("ETHUSDT", strategy="a", order_type="limit", price=50)
    done = receiver.control("/flatten", strategy="a", confirm=True).get_json()
    assert 'POST /halt with {"strategy": "a"}' in done["message"]
    assert receiver.held() == {("b", "BTCUSDT"): 1}
    assert [row["strategy"] for row in receiver.get("/positions")["positions"]] == ["b"]
    none = receiver.control("/flatten", strategy="a", confirm=True).get_json()
    assert none["message"] == "Nothing to do: a does not hold or work anything on any account."


@pytest.mark.parametrize(
    ("sent", "also"),
    [
        ("CME_MINI:MES1!", ["MES1!", "mes1!"]),
        ("BINANCE:BTCUSDT", ["BTCUSDT", "btcusdt", "COINBASE:BTCUSDT"]),
        ("NASDAQ:AAPL", ["AAPL"]),
    ],
)
def test_a_flatten_takes_every_symbol_that_positions_shows(receiver, sent, also):
    """The alert's spelling and the venue's, with and without the exchange."""
    receiver.buy(sent)
    [row] = receiver.get("/positions")["positions"]
    for name in [row["symbol"], row["instrument"], sent, *also]:
        asked = receiver.control("/flatten", symbol=name).get_json()["message"]
        assert f"This would close: {row['instrument']} on" in asked, name
    done = receiver.control("/flatten", symbol=row["symbol"], confirm=True).get_json()
    assert done["status"] == "filled"
    assert receiver.held() == {}


def test_a_flatten_takes_the_name_that_an_account_maps(start):
    """`symbols:` turns a name into another; either means the position."""
    receiver = start("accounts: {paper_simulator: {broker: paper, symbols: {NQ1!: MNQ1!}}}\n")
    receiver.buy("CME_MINI:NQ1!")
    for name in ("NQ1!", "MNQ1!", "CME_MINI:NQ1!"):
        asked = receiver.control("/flatten", symbol=name).get_json()["message"]
        assert "This would close: MNQ1!" in asked


def test_a_resume_says_what_is_still_halted(receiver):
    """A strategy resumed while everything is halted opens nothing."""
    receiver.control("/halt")
    receiver.control("/halt", strategy="a")
    said = receiver.control("/resume", strategy="a").get_json()["message"]
    assert "But everything is still halted, so nothing is opened" in said
    assert "allowed again" not in said
    said = receiver.control("/resume", strategy="b").get_json()["message"]
    assert said.startswith("Strategy b was not halted. But everything is still halted")
    receiver.control("/halt", account="paper_simulator")
    receiver.control("/resume")
    receiver.control("/halt", account="paper_simulator")
    receiver.control("/halt", strategy="a")
    said = receiver.control("/resume", strategy="a").get_json()["message"]
    assert "Still halted: Account paper_simulator." in said
    assert '{"account": "paper_simulator"}' in said
    assert receiver.control("/resume").get_json()["message"].endswith("are allowed again.")


@pytest.mark.parametrize("body", [b"[]", b"{", b'"x"', b"\xff", b'{"account": 1}', b"[" * 60000])
def test_a_control_that_cannot_be_read_does_nothing(receiver, body):
    """A body that is no JSON object of known names is a 422, and nothing is halted."""
    how = {"headers": OWNER, "content_type": "application/json"}
    response = receiver.client.post("/halt", data=body, **how)
    assert response.status_code == 422
    assert receiver.get("/status")["open"]["halted"] == []


# --- who may call --------------------------------------------------------------------------------


def test_the_secret_may_stand_in_body_url_or_signature(receiver):
    """Every documented place of a credential lets the alert in."""
    body = json.dumps(BUY).encode()
    places = [
        {"data": json.dumps({**BUY, "secret": SECRET})},
        {"data": body, "query_string": {"secret": SECRET}},
        {"data": body, "query_string": {"auth_token": SECRET}},
        {"data": body, "headers": sign(body)},
        {"data": body, "headers": sign(body, prefix="")},
        {"data": b"BUY BTCUSDT qty=0.1 @ 45000", "query_string": {"secret": SECRET}},
        {"data": b"BUY BTCUSDT qty=0.1 @ 45000", "headers": sign(b"BUY BTCUSDT qty=0.1 @ 45000")},
        {"data": f"BUY BTCUSDT qty=0.1 @ 45000 secret={SECRET}"},
        # one valid credential is enough, a wrong second one is a warning
        {"data": json.dumps({**BUY, "secret": "another"}), "query_string": {"secret": SECRET}},
    ]
    for place in places:
        assert receiver.client.post("/webhook", **place).status_code == 200, place
    assert "second credential" in str(receiver.get("/history?limit=1")["alerts"][0]["warnings"])
    assert SECRET not in receiver.log()


def test_a_secret_is_masked_wherever_it_stands(receiver):
    """In a comment, under a key of any name, spelled with escapes, in a broken body: never shown or kept."""
    spelled = "".join(f"\\u{ord(letter):04x}" for letter in SECRET)
    bodies = [
        json.dumps({**BUY, "comment": f"my {SECRET}", "mot_de_passe": SECRET}),
        json.dumps({**BUY, "comment": "X", "n": 1}).replace("X", spelled),
        f'{{"action": buy", "whatever": "{SECRET}"',
        f"BUY BTCUSDT qty=0.1 {SECRET}",
    ]
    shown = []
    for body in bodies:
        shown.append(receiver.client.post("/webhook", data=body, query_string={"secret": SECRET}))
        alert_id = shown[-1].get_json()["alert_id"]
        shown.append(receiver.client.get(f"/history/{alert_id}", headers=OWNER))
    shown.append(receiver.client.get("/history", headers=OWNER))
    receiver.stop()
    texts = [each.get_data(as_text=True) for each in shown] + [receiver.log()]
    assert not any(SECRET in text or spelled in text for text in texts)
    assert SECRET.encode() not in receiver.settings.state_path.read_bytes()


def test_every_refused_credential_has_one_answer(start):
    """Missing, wrong, empty, unreadable: always the same 401, and nothing is recorded."""
    receiver = start("webhook: {rate_limit: 1000/minute}")
    body = json.dumps(BUY).encode()
    guesses = [
        {"data": body},
        {"data": b" "},
        {"data": b"{not json"},
        {"data": b"\xff\xfe"},
        {"data": json.dumps({**BUY, "secret": ""})},
        {"data": json.dumps({**BUY, "secret": SECRET[:-1]})},
        {"data": json.dumps({**BUY, "secret": "é"})},
        {"data": json.dumps({**BUY, "secret": "\ud800"})},
        {"data": body, "headers": sign(body, secret="wrong")},
        {"data": body, "headers": {"X-Webhook-Signature": "sha256=é"}},
        {"data": body, "headers": sign(b"another body")},
    ]
    for path in ("/webhook", "/alert", "/webhook/tradingview", "/webhook/validate"):
        for guess in guesses[:8] if path != "/webhook" else guesses:
            response = receiver.client.post(path, **guess)
            # ten refused credentials a minute, then 429
            assert response.status_code in (401, 429)
            if response.status_code == 401:
                assert response.get_json() == UNAUTHORIZED
    assert receiver.get("/history")["count"] == 0
    assert receiver.get("/status")["counts"]["alerts"] == 0


def turned_away(receiver):
    """Return the lines of the log about who was turned away, once all of it is written."""
    receiver.stop()
    return [line for line in receiver.log().splitlines() if " turned_away " in line]


def test_who_is_turned_away_leaves_one_trace_a_minute(receiver):
    """The log says who and why, so that a wrong secret can be found; never what was sent."""
    for number in range(15):
        receiver.client.post("/webhook", json={**BUY, "secret": f"a-wrong-guess-{number}"})
    other = {"REMOTE_ADDR": "203.0.113.7"}
    receiver.client.post("/webhook", json={**BUY, "comment": "psst"}, environ_base=other)
    assert receiver.buy().status_code == 200
    first, second = turned_away(receiver)
    assert "WARNING" in first
    assert "code=UNAUTHORIZED address=127.0.0.1" in first
    assert "Invalid webhook signature or secret" in first
    assert "address=203.0.113.7" in second
    assert not any(text in receiver.log() for text in ("a-wrong-guess", "psst"))


def test_an_address_that_may_not_send_leaves_a_trace(start):
    """A 403 is found in the log like a wrong secret."""
    receiver = start("webhook: {allowed_ips: [tradingview]}")
    for _ in range(3):
        assert receiver.buy().status_code == 403
    (line,) = turned_away(receiver)
    assert "code=ADDRESS_NOT_ALLOWED address=127.0.0.1" in line


@pytest.mark.parametrize("environ", [{}, GUARDED])
def test_an_alert_through_a_proxy_without_a_secret_is_warned_of(start, environ):
    """Behind a proxy the world may send: the log says so once an hour and address, and what to set."""
    receiver = start("", environ)
    receiver.buy(price=BUY["price"])
    for number in range(3):
        alert = receiver.alert(**BUY, symbol_note=number)
        headers = {"X-Forwarded-For": "203.0.113.9"}
        response = receiver.client.post("/webhook", json=alert, headers=headers)
        assert response.status_code == 200
    receiver.stop()
    lines = [each for each in receiver.log().splitlines() if "alert_came_through_a_proxy" in each]
    assert len(lines) == (0 if environ else 1)
    assert all("address=203.0.113.9" in each for each in lines)
    assert all("set TRADINGVIEW_WEBHOOK_SECRET" in each for each in lines)


def test_guessing_is_slowed_and_the_right_secret_still_works(receiver):
    """The eleventh wrong secret in a minute is a 429 with Retry-After; the right one is let in."""
    answers = [receiver.client.post("/webhook", json={**BUY, "secret": f"g{n}"}) for n in range(11)]
    assert [each.status_code for each in answers] == [401] * 10 + [429]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
    assert answers[-1].get_json()["message"].startswith("Rate limit exceeded")
    assert receiver.buy().status_code == 200


def test_opening_alerts_are_limited_and_exits_never(receiver):
    """The eleventh of a strategy and symbol is a 429 that is recorded; other symbols and exits go on."""
    answers = [receiver.buy() for _ in range(11)]
    assert [each.status_code for each in answers] == [200] * 10 + [429]
    refused = answers[-1].get_json()
    assert (refused["code"], refused["status"]) == ("RATE_LIMITED", "denied")
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
    assert receiver.get("/history?limit=1")["alerts"][0]["alert_id"] == refused["alert_id"]
    assert receiver.buy("ETHUSDT").status_code == 200
    for _ in range(12):
        sold = receiver.send(action="sell", symbol="BTCUSDT", quantity="0.5", price=100)
        assert sold.get_json()["status"] == "filled"


def test_without_a_secret_every_alert_counts_for_its_address(start):
    """In development ten alerts a minute pass, whoever sends them."""
    receiver = start("", {})
    answers = [receiver.buy(f"A{chr(65 + n)}") for n in range(11)]
    assert [each.status_code for each in answers] == [200] * 10 + [429]


@pytest.mark.parametrize("path", [*ADMIN_PAGES, *CONTROLS])
def test_private_pages_want_the_token(receiver, path):
    """Without or with a wrong token: 401 with the curl to use, and a browser is asked to log in."""
    is_control = path in CONTROLS
    call = receiver.client.post if is_control else receiver.client.get
    wrong = base64.b64encode(b"me:wrong").decode()
    for value in (None, "Bearer wrong", f"Basic {wrong}", "Basic %%%", "Bearer", TOKEN, "Digest x"):
        headers = {"Authorization": value} if value else {}
        response = call(path, headers=headers)
        assert response.status_code == 401
        assert "curl" in response.get_json()["message"]
        assert ("WWW-Authenticate" in response.headers) is not is_control
    basic = base64.b64encode(f"me:{TOKEN}".encode()).decode()
    for value in (f"Bearer {TOKEN}", f"bearer {TOKEN}", f"Basic {basic}"):
        headers = {"Authorization": value, "Sec-Fetch-Site": "same-origin"}
        assert call(path, headers=headers).status_code in (200, 404, 422)


def test_no_page_of_another_site_uses_a_control(receiver):
    """A browser that says the request comes from elsewhere is refused, the token notwithstanding."""
    for site, http in (("cross-site", 403), ("same-site", 403), ("same-origin", 200)):
        headers = {**OWNER, "Sec-Fetch-Site": site}
        assert receiver.client.post("/halt", headers=headers).status_code == http


def test_in_development_this_machine_may_read_but_not_control(start):
    """No secret, loopback, nothing live: reading is open to requests that come straight from here."""
    client = start("", {}).client
    assert client.get("/history").status_code == 200
    assert client.post("/halt").status_code == 401
    strangers = [
        {"environ_base": {"REMOTE_ADDR": "203.0.113.7"}},
        {"headers": {"X-Forwarded-For": "127.0.0.1"}},
        {"headers": {"X-Forwarded-Proto": "https"}},
        {"headers": {"Forwarded": "for=127.0.0.1"}},
        {"headers": {"Via": "1.1 proxy"}},
        {"headers": {"X-Real-IP": "127.0.0.1"}},
        {"headers": {"Host": "evil.example"}},
        {"headers": {"Host": "127.0.0.1.evil.example"}},
        {"headers": {"Host": "localhost.evil.example:8080"}},
    ]
    for stranger in strangers:
        assert client.get("/history", **stranger).status_code == 401, stranger
    for host in ("127.0.0.1:8080", "localhost", "[::1]:8080"):
        assert client.get("/history", headers={"Host": host}).status_code == 200
    ipv6 = {"REMOTE_ADDR": "::1"}
    assert client.get("/history", environ_base=ipv6).status_code == 200


def test_with_a_secret_this_machine_may_not_read_without_the_token(start):
    """As soon as a secret is set, reading wants the token from everybody."""
    receiver = start("", {"TRADINGVIEW_WEBHOOK_SECRET": SECRET})
    assert receiver.client.get("/history").status_code == 401


def test_only_listed_addresses_may_send(start):
    """An address outside `allowed_ips` is a 403 that names it, whatever secret it brings."""
    receiver = start("webhook: {allowed_ips: [tradingview]}")
    refused = receiver.buy()
    assert (refused.status_code, refused.get_json()["code"]) == (403, "ADDRESS_NOT_ALLOWED")
    assert "127.0.0.1" in refused.get_json()["message"]
    through_proxy = {"X-Forwarded-For": "52.89.214.238"}
    alert = receiver.alert(**BUY)
    assert receiver.client.post("/webhook", json=alert, headers=through_proxy).status_code == 200
    spoofed = {"X-Forwarded-For": "52.89.214.238, 203.0.113.7"}
    assert receiver.client.post("/webhook", json=alert, headers=spoofed).status_code == 403


# --- what is refused before it is read -----------------------------------------------------------


def drop_names(text: str) -> str:
    """Return an answer without what differs from one alert to the next."""
    varies = r"alert_\w+|tv-\w+|paper-\w+|in \d+ s|\d{4}-[\dT:.-]+Z|at [\d:]+ UTC|(?<=latency_ms\":)[\d.]+"
    return re.sub(varies, "…", text)


def test_both_ways_into_the_webhook_answer_alike(start):
    """A plain POST is answered before Flask, one with a query by its route: nobody can tell which."""
    told = []
    for query in ("", "?from=chart"):
        receiver = start("webhook: {rate_limit: 5/minute}")
        buy = {**BUY, "secret": SECRET}
        bodies = [
            buy,
            buy,
            {**buy, "action": "close", "quantity": None},
            [buy, {**buy, "quantity": "x"}],
            {**buy, "account": "nowhere"},
            {**buy, "test": True},
            {**buy, "quantity": "1,5"},
            {**buy, "secret": "wrong"},
            "what is this",
            "x" * (MAX_BODY + 1),
            *({**buy, "idempotency_key": f"{each}"} for each in range(8)),
            *({**buy, "secret": "guess"} for _ in range(12)),
        ]
        answers = []
        for body in bodies:
            data = body if isinstance(body, str) else json.dumps(body)
            response = receiver.client.post(f"/webhook{query}", data=data)
            text = drop_names(response.get_data(as_text=True))
            by_chance = ("Content-Length", "Retry-After")  # the seconds to wait may have two digits
            headers = {k: k in by_chance or v for k, v in response.headers.items()}
            answers.append((response.status_code, text, headers))
        receiver.settings.state_path.unlink()
        response = receiver.client.post(f"/webhook{query}", json={**buy, "idempotency_key": "z"})
        answers.append((response.status_code, response.get_data(as_text=True), None))
        told.append(answers)
    assert {status for status, *_ in told[0]} == {200, 400, 401, 413, 422, 429, 503}
    assert told[0] == told[1]


def test_a_body_without_a_length_is_refused(receiver):
    """A chunked body could be cut silently, so it is a 411."""
    body = json.dumps(receiver.alert(**BUY)).encode()
    response = receiver.client.post(
        "/webhook", input_stream=io.BytesIO(body), headers={"Transfer-Encoding": "chunked"}
    )
    assert (response.status_code, response.get_json()["code"]) == (411, "LENGTH_REQUIRED")


def test_a_request_without_a_body_is_told_so(receiver):
    """`curl -X POST` without -d is a 411 that says what is missing: the body."""
    response = receiver.client.post("/webhook")
    assert (response.status_code, response.get_json()["code"]) == (411, "LENGTH_REQUIRED")
    assert response.get_json()["message"].startswith("The request has no body")


def test_a_body_above_the_limit_is_refused(receiver):
    """64 KiB are read, one byte more is a 413."""
    alert = json.dumps(receiver.alert(**BUY))
    full = alert + " " * (MAX_BODY - len(alert))
    assert receiver.client.post("/webhook", data=full).status_code == 200
    response = receiver.client.post("/webhook", data=full + " ")
    assert (response.status_code, response.get_json()["code"]) == (413, "TOO_LARGE")


@pytest.mark.parametrize(
    "path",
    ["/login/", "/nope", "/webhook/", "/x//webhook", "/webhook/x", "/history/", "/history/a/b"],
)
def test_an_unknown_page_is_a_404_in_json(receiver, path):
    """No page, no redirect, no HTML."""
    for method in ("get", "post"):
        response = getattr(receiver.client, method)(path)
        assert (response.status_code, response.get_json()["code"]) == (404, "NOT_FOUND")


def test_a_wrong_method_is_a_405_in_json(receiver):
    """The answer says which methods there are."""
    for path in ("/webhook", "/alert", "/webhook/tradingview", "/webhook/validate", "/halt"):
        response = receiver.client.get(path)
        assert (response.status_code, response.get_json()["success"]) == (405, False)
        assert "POST" in response.headers["Allow"]
        assert response.get_json()["code"] == "METHOD_NOT_ALLOWED"
        assert response.get_json()["message"] == "This page takes POST only."
    for path in ("/status", "/history", "/positions", "/webhook/test"):
        for call in (receiver.client.delete, receiver.client.post):
            response = call(path)
            assert response.status_code == 405
            assert response.get_json()["message"] == "This page takes GET only."


def test_every_answer_forbids_framing_caching_and_sniffing(receiver):
    """Also errors carry the headers that keep a browser out of it."""
    for path in ("/status", "/history", "/nope"):
        headers = receiver.client.get(path).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["Content-Type"] == "application/json"


# --- a venue that hangs --------------------------------------------------------------------------


def test_a_hanging_venue_is_a_202_in_time_and_the_outcome_follows(start, venue):
    """The answer comes before TradingView hangs up; the history then shows what came of it."""
    receiver = hanging(start, venue)
    began = time.monotonic()
    response = receiver.buy(account_group="venue")
    took = time.monotonic() - began
    answer = response.get_json()
    assert took < 2.5
    assert (response.status_code, answer["status"]) == (202, "pending")
    assert answer["orders"][0]["status"] == "pending"
    venue.may_answer.set()
    page = f"/history/{answer['alert_id']}"
    await_true(lambda: receiver.get(page)["status"] == "filled")
    assert receiver.get(page)["orders"][0]["filled_quantity"] == "1"
    assert receiver.held() == {("default", "BTCUSDT"): 1}


def test_at_most_half_of_the_threads_wait(start, venue):
    """With two of four threads waiting for a hung venue, the next alert is answered 202 at once."""
    config = "webhook: {threads: 4, reply_within_seconds: 2.4}\n"
    receiver = hanging(start, venue, config)
    waiting = [
        threading.Thread(target=receiver.buy, args=(symbol,), kwargs={"account_group": "venue"})
        for symbol in ("BTCUSDT", "ETHUSDT")
    ]
    for thread in waiting:
        thread.start()
    await_true(lambda: len(venue.asked) == 2)
    time.sleep(0.2)
    assert receiver.buy("SOLUSDT", account_group="venue").status_code == 202
    assert receiver.buy("XRPUSDT").status_code == 200
    assert all(thread.is_alive() for thread in waiting)
    venue.may_answer.set()
    for thread in waiting:
        thread.join()


def test_words_of_a_venue_that_cannot_be_written_stop_nobody(start):
    """Half a surrogate pair in a refusal is recorded as an escape, and the next alerts trade."""

    class Mumbling(HangingBroker):
        def place_order(self, request):
            raise BrokerRefused("no \ud800 é")

    receiver = hanging(start, Mumbling())
    answer = receiver.buy(account_group="venue").get_json()
    assert (answer["status"], answer["code"]) == ("refused", "REFUSED")
    assert answer["orders"][0]["message"] == "no \\ud800 é"
    assert receiver.buy().status_code == 200


# --- an order of which nobody knows ----------------------------------------------------------------


class Doubtful(HangingBroker):
    """A venue whose answers are lost, and that finds nothing."""

    def place_order(self, request):
        self.asked.append(request)
        raise Uncertain("the answer was lost")

    def find_order(self, request):
        raise Unreachable


def doubt(start):
    """Start a receiver, send an order of which nothing is known, and return both."""
    receiver = hanging(start, Doubtful())
    receiver.buy(account_group="venue")
    await_true(lambda: receiver.get("/status")["open"]["unknown_orders"])
    [found] = receiver.get("/status")["open"]["unknown_orders"]
    return receiver, found["client_order_id"]


def test_an_unknown_order_is_settled_by_hand_as_filled(start):
    """The share is there, /status is empty again, and the alert's row says filled."""
    receiver, name = doubt(start)
    told = {"outcome": "filled", "quantity": "1", "price": "101"}
    answer = receiver.control(f"/orders/{name}/resolve", **told)
    assert answer.status_code == 200
    assert "filled 1 at 101" in answer.get_json()["message"]
    [row] = receiver.get("/positions")["positions"]
    assert (row["quantity"], row["average_price"]) == ("1", "101")
    assert receiver.get("/status")["open"]["unknown_orders"] == []
    assert receiver.get("/history")["alerts"][0]["status"] == "filled"


def test_an_unknown_order_is_settled_by_hand_as_absent(start):
    """Nothing is held, and the instrument may be traded again."""
    receiver, name = doubt(start)
    assert receiver.control(f"/orders/{name}/resolve", outcome="absent").status_code == 200
    assert receiver.held() == {}
    assert receiver.get("/history")["alerts"][0]["status"] == "absent"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "outcome"),
        ({"outcome": "cancelled"}, "outcome"),
        ({"outcome": "filled", "quantity": "2", "price": "1"}, "quantity"),
        ({"outcome": "filled", "quantity": "1"}, "price"),
        ({"outcome": "filled", "price": "-1"}, "price"),
        ({"outcome": "filled", "price": "1e5"}, "price"),
        ({"outcome": "absent", "because": "x"}, "because"),
    ],
)
def test_a_word_on_an_order_that_cannot_be_read_changes_nothing(start, options, says):
    """The answer names what is wrong."""
    receiver, name = doubt(start)
    answer = receiver.control(f"/orders/{name}/resolve", **options)
    assert answer.status_code == 422
    assert says in answer.get_json()["message"] or says == "because"
    assert receiver.get("/status")["open"]["unknown_orders"]


def test_only_an_unknown_order_is_settled_by_hand(receiver):
    """Any other name is refused."""
    answer = receiver.control("/orders/tv-nothing/resolve", outcome="absent")
    assert (answer.status_code, answer.get_json()["code"]) == (422, "NOT_UNKNOWN")


# --- what cannot be recorded ---------------------------------------------------------------------


def break_store(monkeypatch, when=lambda batch: True):
    """Let writing fail while `when` says so."""
    write = Store.write

    def refuse(self, batch, may_commit):
        if not batch.is_empty() and when(batch):
            raise StoreUnavailable("no space left")
        return write(self, batch, may_commit)

    monkeypatch.setattr(Store, "write", refuse)


@pytest.mark.parametrize("path", ["/webhook", "/webhook/tradingview"])
def test_what_cannot_be_recorded_is_a_503_and_nothing_is_traded(receiver, monkeypatch, path):
    """503 with Retry-After; the resend trades once when writing works again."""
    alert = receiver.alert(**BUY)
    with monkeypatch.context() as broken:
        break_store(broken)
        for _ in range(2):
            response = receiver.client.post(path, json=alert)
            assert (response.status_code, response.get_json()["code"]) == (503, "NOT_RECORDED")
            assert response.headers["Retry-After"]
        assert receiver.held() == {}
        assert receiver.get("/history")["count"] == 0
        status = receiver.get("/status")
        assert status["status"] == "attention"
        assert status["open"]["not_recording"]
    assert receiver.client.post(path, json=alert).status_code == 200
    await_true(receiver.held)
    assert len(receiver.fills()) == 1
    assert receiver.get("/status")["status"] == "healthy"


def test_nothing_is_sent_to_a_venue_before_it_is_recorded(start, venue, monkeypatch):
    """The venue hears nothing of an alert that was answered 503."""
    receiver = hanging(start, venue)
    with monkeypatch.context() as broken:
        break_store(broken)
        assert receiver.buy(account_group="venue").status_code == 503
    assert venue.asked == []


def test_a_receipt_is_not_lost_while_nothing_can_be_recorded(start, venue, monkeypatch):
    """What the venue answered meanwhile is written down when writing works again."""
    receiver = hanging(start, venue)
    alert_id = receiver.send("/webhook/tradingview", **BUY, account_group="venue").get_json()[
        "alert_id"
    ]
    await_true(lambda: venue.asked)
    with monkeypatch.context() as broken:
        break_store(broken)
        venue.may_answer.set()
        await_true(lambda: receiver.get("/status")["open"]["not_recording"])
    await_true(lambda: receiver.get(f"/history/{alert_id}")["status"] == "filled")
    assert len(receiver.fills()) == 1


def test_while_shutting_down_alerts_are_a_503(start):
    """After the stop began nothing new is taken; the resend goes to the next process."""
    receiver = start()
    receiver.stop()
    response = receiver.buy()
    assert (response.status_code, response.get_json()["code"]) == (503, "NOT_RECORDED")
