"""The page from outside: who sees it, what a browser may do with it, and what it shows first."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from desk.api.first_screen import FORMER, SENTENCES, say_problem
from desk.api.sessions import IDLE_SECONDS, LIFE_SECONDS, MOST, Sessions
from tests.support.running import OWNER, SECRET, TOKEN, await_true, receivers

HERE = "http://localhost"
OWN = {"Origin": HERE, "Content-Type": "application/json"}
PROXY = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "desk.example",
    "X-Forwarded-Prefix": "/desk",
}
ROOT = Path(__file__).resolve().parents[2]


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
def browser(receiver):
    """Log a browser in."""
    client = receiver.app.test_client()
    assert client.post("/login", data={"token": TOKEN}).status_code == 303
    return client


# --- logging in ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/dashboard", "/login"])
def test_a_stranger_is_shown_the_form(receiver, path):
    """Never a Basic dialogue, and nothing of what there is to see."""
    receiver.buy(strategy="quiet-name")
    response = receiver.client.get(path)
    assert response.status_code == 200
    assert "WWW-Authenticate" not in response.headers
    assert re.search(r'<input type="password" name="token"', response.text)
    assert "quiet-name" not in response.text


def test_the_token_opens_a_session_that_does_not_tell_it(receiver):
    """The cookie is for the server alone, for this site alone, and leads home."""
    response = receiver.client.post("/login", data={"token": TOKEN})
    assert (response.status_code, response.headers["Location"]) == (303, "/")
    cookie = response.headers["Set-Cookie"]
    assert TOKEN not in cookie
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert "Secure" not in cookie
    assert 'data-base=""' in receiver.client.get("/").text
    assert receiver.client.get("/history").status_code == 200


def test_behind_a_proxy_every_address_has_its_prefix(receiver):
    """Links, the redirect, the cookie, the composer's address and the hint of a 401."""
    client = receiver.app.test_client()
    response = client.post("/login", data={"token": TOKEN}, headers=PROXY)
    assert response.headers["Location"] == "/desk/"
    name = re.match(
        r"receiver-session=([^;]+); Path=/desk; .*Secure", response.headers["Set-Cookie"]
    )
    headers = {**PROXY, "Cookie": f"receiver-session={name[1]}"}
    bare = receiver.app.test_client(use_cookies=False)
    page = bare.get("/", headers=headers).text
    assert 'data-base="https://desk.example/desk"' in page
    assert {*re.findall(r'(?:href|src|action)="(/[^"]*)"', page)} <= {
        *re.findall(r'"(/desk/[^"]*)"', page)
    }
    hint = receiver.app.test_client().get("/history", headers=PROXY).get_json()["message"]
    assert "https://desk.example/desk/history" in hint
    # From elsewhere the headers say nothing, and the session is one of another address.
    stranger = {"REMOTE_ADDR": "203.0.113.7"}
    assert bare.get("/history", headers=headers).status_code == 200
    asked = bare.get("/history", headers=headers, environ_base=stranger)
    assert asked.status_code == 401


@pytest.mark.parametrize("prefix", ["//evil.example", "/a/../b", "/<b>", "/a b", "desk", "/x;y"])
def test_a_prefix_that_is_no_path_is_none(receiver, prefix):
    """It would stand in links and in the cookie."""
    page = receiver.client.get("/", headers={"X-Forwarded-Prefix": prefix}).text
    assert 'action="/login"' in page


@pytest.mark.parametrize("token", ["wrong", "", "ü\ud800".encode("utf-8", "surrogatepass")])
def test_a_wrong_token_shows_the_form_again(receiver, token):
    """And says so."""
    response = receiver.client.post("/login", data={"token": token})
    assert response.status_code == 401
    assert "That is not the ADMIN_TOKEN" in response.text
    assert "Set-Cookie" not in response.headers
    assert "WWW-Authenticate" not in response.headers


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:8081"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_no_other_page_logs_a_browser_in_or_out(receiver, browser, headers):
    """Else it would have its visitor control somebody else's receiver, or end the session."""
    response = receiver.client.post("/login", data={"token": TOKEN}, headers=headers)
    assert response.status_code == 403
    assert "Set-Cookie" not in response.headers
    assert browser.post("/logout", headers=headers).status_code == 403
    assert browser.get("/history").status_code == 200


def test_guesses_count_together_however_they_are_made(receiver, browser):
    """Form, Bearer and Basic: 429 before the thirtieth, a line each without the guess; sessions go on."""
    client, answers = receiver.app.test_client(), []
    for each in range(30):
        if each % 2:
            answers.append(client.post("/login", data={"token": f"guess-{each}"}))
        else:
            headers = {"Authorization": f"Bearer guess-{each}"}
            answers.append(client.get("/history", headers=headers))
    limited = [each for each in answers if each.status_code == 429]
    assert limited
    assert all(int(each.headers["Retry-After"]) > 0 for each in limited)
    before = [each.status_code for each in answers[: answers.index(limited[0])]]
    assert len(before) > 5
    await_true(lambda: receiver.log().count("a wrong ADMIN_TOKEN") == len(before))
    assert "guess-" not in receiver.log()
    assert client.get("/").status_code == 200
    assert browser.get("/history").status_code == 200
    assert receiver.buy().status_code == 200
    assert client.post("/login", data={"token": TOKEN}).status_code == 303


def test_a_log_out_ends_the_session_at_the_server(receiver, browser):
    """Whoever kept the cookie has nothing."""
    kept = browser.get_cookie("receiver-session").value
    assert browser.post("/logout", headers={"Origin": HERE}).status_code == 303
    other = receiver.app.test_client()
    other.set_cookie("receiver-session", kept)
    assert other.get("/history").status_code == 401


def test_a_session_belongs_to_the_address_it_was_opened_at(receiver, browser):
    """Not to another host, and not to plain HTTP where it was opened over HTTPS."""
    assert browser.get("/history", headers={"Host": "localhost"}).status_code == 200
    name = browser.get_cookie("receiver-session").value
    bare, cookie = receiver.app.test_client(use_cookies=False), f"receiver-session={name}"
    assert bare.get("/history", headers={"Cookie": cookie}).status_code == 200
    for headers in ({"Host": "other.example"}, {"X-Forwarded-Proto": "https"}):
        assert bare.get("/history", headers={**headers, "Cookie": cookie}).status_code == 401


def test_without_a_token_the_form_says_where_it_comes_from(start):
    """And nobody gets in, with an empty one either."""
    receiver = start(environ={"TRADINGVIEW_WEBHOOK_SECRET": SECRET})
    assert "No ADMIN_TOKEN is set" in receiver.client.get("/").text
    assert receiver.client.post("/login", data={"token": ""}).status_code == 401


def test_sessions_end_by_themselves():
    """Those nobody uses, those that are old, and of too many the one that was idle longest."""
    now = [0.0]
    sessions = Sessions(lambda: now[0])
    idle, used = sessions.begin(HERE), sessions.begin(HERE)
    while now[0] < LIFE_SECONDS - IDLE_SECONDS:
        now[0] += IDLE_SECONDS
        assert sessions.is_open(used, HERE)
    assert not sessions.is_open(idle, HERE)
    now[0] += IDLE_SECONDS
    assert sessions.is_open(used, HERE)
    now[0] += 1
    assert not sessions.is_open(used, HERE)
    many = [sessions.begin(HERE) for _ in range(MOST + 1)]
    assert [sessions.is_open(each, HERE) for each in many] == [False] + [True] * MOST


# --- what a session may do -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "http"),
    [
        (OWN, 200),
        ({"Sec-Fetch-Site": "same-origin", "Content-Type": "application/json"}, 200),
        ({"Content-Type": "application/json"}, 403),
        ({**OWN, "Sec-Fetch-Site": "same-site"}, 403),
        ({**OWN, "Sec-Fetch-Site": "cross-site"}, 403),
        ({**OWN, "Sec-Fetch-Site": "none"}, 403),
        ({**OWN, "Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"}, 403),
        ({**OWN, "Origin": "null"}, 403),
        ({**OWN, "Content-Type": "application/x-www-form-urlencoded"}, 403),
        ({**OWN, "Content-Type": "text/plain"}, 403),
        ({"Origin": HERE}, 403),
    ],
)
def test_with_a_session_a_control_comes_from_the_page_itself(receiver, browser, headers, http):
    """As JSON, which a form cannot send, and from a browser that says whose page it is."""
    assert browser.post("/halt", data="{}", headers=headers).status_code == http
    assert bool(receiver.get("/status")["open"]["halted"]) is (http == 200)


def test_the_page_tries_a_message_without_knowing_the_secret(receiver, browser):
    """It is the owner's; another page, a stranger and a real alert still need the secret."""
    body = json.dumps(
        {"action": "buy", "symbol": "BTCUSDT", "quantity": 1, "price": 100, "secret": "YOUR-SECRET"}
    )
    tried = browser.post("/webhook/validate", data=body, headers={"Origin": HERE})
    assert tried.get_json()["valid"] is True
    short = browser.post("/webhook/validate", data="BUY BTCUSDT 1", headers={"Origin": HERE})
    assert (short.status_code, short.get_json()["valid"]) == (200, False)
    evil = {"Origin": "http://evil.example"}
    assert browser.post("/webhook/validate", data=body, headers=evil).status_code == 401
    assert browser.post("/webhook/validate", data=body).status_code == 401
    assert browser.post("/webhook", data=body, headers={"Origin": HERE}).status_code == 401
    stranger = receiver.app.test_client()
    assert (
        stranger.post("/webhook/validate", data=body, headers={"Origin": HERE}).status_code == 401
    )
    assert receiver.get("/history")["count"] == 0


def test_the_owner_sends_an_alert_by_hand(receiver, browser):
    """It trades as one of TradingView's does, and its story says whose it was; a test trades nothing."""
    body = json.dumps({"action": "buy", "symbol": "BTCUSDT", "quantity": 1, "price": 100})
    answer = browser.post("/send", data=body, headers=OWN).get_json()
    assert answer["status"] == "filled"
    assert answer["warnings"][0] == "The owner sent this by hand."
    assert receiver.held() == {("default", "BTCUSDT"): 1}
    again = browser.post("/send", data=body, headers=OWN).get_json()
    assert (again["duplicate"], again["alert_id"]) == (True, answer["alert_id"])
    dry = browser.post("/send", data=body[:-1] + ', "test": true}', headers=OWN).get_json()
    assert dry["valid"] is True
    unread = browser.post("/send", data=b"{", headers=OWN)
    assert (unread.status_code, unread.get_json()["code"]) == (400, "UNREADABLE")
    assert receiver.held() == {("default", "BTCUSDT"): 1}


@pytest.mark.parametrize("path", ["/send", "/orders/x/cancel"])
def test_nobody_else_sends_or_cancels_by_hand(receiver, browser, path):
    """Neither a stranger, nor the secret of alerts, nor another site's page in the owner's browser."""
    body = json.dumps({"action": "buy", "symbol": "BTCUSDT", "quantity": 1, "secret": SECRET})
    kind = {"Content-Type": "application/json"}
    stranger = receiver.app.test_client()
    assert stranger.post(path, data=body, headers=OWN).status_code == 401
    evil = {**kind, "Origin": "http://evil.example"}
    assert browser.post(path, data=body, headers=evil).status_code == 403
    form = {"Origin": HERE, "Content-Type": "text/plain"}
    assert browser.post(path, data=body, headers=form).status_code == 403
    program = {**OWNER, "Content-Type": "text/plain"}
    assert stranger.post(path, data=body, headers=program).status_code == 415
    assert receiver.get("/history")["count"] == 0


def test_a_working_entry_is_cancelled_by_hand(receiver, browser):
    """By the name that /positions shows; a second time there is nothing to cancel."""
    receiver.buy(order_type="limit", limit_price=90)
    [row] = receiver.get("/positions")["positions"]
    [order] = row["orders"]
    path = f"/orders/{order['client_order_id']}/cancel"
    assert "being cancelled" in browser.post(path, data="{}", headers=OWN).get_json()["message"]
    await_true(lambda: receiver.get("/history")["alerts"][0]["status"] == "cancelled", 5)
    again = browser.post(path, data="{}", headers=OWN)
    assert (again.status_code, again.get_json()["code"]) == (422, "NOTHING_TO_CANCEL")


# --- what is sent --------------------------------------------------------------------------------


def test_nothing_but_our_own_files_may_run(receiver, browser):
    """The policy names no host, no wildcard and nothing unsafe; the document has nothing inline."""
    for client in (receiver.client, browser):
        response = client.get("/")
        [policy] = response.headers.getlist("Content-Security-Policy")
        rules = dict(each.strip().split(" ", 1) for each in policy.split(";"))
        assert {*rules.values()} == {"'none'", "'self'"}
        assert {"default-src", "base-uri", "form-action", "frame-ancestors"} <= {*rules}
        assert response.headers.getlist("Cache-Control") == ["no-store"]
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=", response.text)
        assert "://" not in response.text.replace('data-base=""', "")
    response = browser.get("/history")
    assert response.headers.getlist("Cache-Control") == ["no-store"]


def test_no_file_of_the_page_writes_markup_or_asks_another_host():
    """Text from an alert becomes text: nothing in the scripts makes markup or code of a string."""
    for each in (ROOT / "static").glob("*.js"):
        text = each.read_text()
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|Function\(", text
        )
        assert not re.search(r"https?://(?!www\.w3\.org)", text), each
        assert "window.confirm" not in text


def test_the_page_weighs_less_than_sixty_kilobytes(receiver, browser):
    """Document, scripts, styles and images, as they are sent."""
    page = browser.get("/").text
    names = {each.name for each in (ROOT / "static").iterdir() if each.is_file()}
    weights = []
    for name in names:
        with browser.get(f"/static/{name}") as sent:
            weights.append(len(sent.data))
    assert len(page.encode()) + sum(weights) < 60_000
    for name in re.findall(r'"/static/([^"]+)"', page):
        assert name in names


# --- the first screen ----------------------------------------------------------------------------


def test_the_first_screen_says_in_one_piece_what_there_is(receiver, browser):
    """Mode, accounts with equity and the day, positions, alerts, and what is wrong as sentences."""
    receiver.buy(stop_loss=90)
    receiver.send(action="sell", symbol="BTCUSDT", quantity="0.5", price=120)
    receiver.control("/halt", strategy="trend")
    shape = browser.get("/overview").get_json()
    assert shape["mode"] == "paper"
    [account] = [each for each in shape["accounts"] if each["account"] == "paper_simulator"]
    fees = sum(float(order["fees"]["USDT"]) for row in shape["alerts"] for order in row["orders"])
    assert float(account["equity"]) == pytest.approx(100_000 + 20 - fees)
    assert float(account["today"]["USDT"]) == pytest.approx(20 - fees)
    [position] = shape["positions"]
    assert (position["quantity"], position["protected"]) == ("0.5", True)
    assert [row["action"] for row in shape["alerts"]] == ["sell", "buy"]
    assert all(row["latency_ms"] > 0 for row in shape["alerts"])
    [problem] = shape["problems"]
    assert problem["kind"] == "halted"
    assert "strategy:trend" in problem["text"]


def test_the_limits_of_an_account_say_how_much_is_used(start):
    """The tighter of two; orders of the day, what is open, what the day has lost; null where none counts."""
    receiver = start(
        "risk: {max_exposure: 9000, max_quantity: 5, max_daily_loss: 50}\n"
        "default_account: sim\n"
        "accounts: {sim: {broker: paper, fee_bp: 0, risk: {max_exposure: 10000, max_daily_loss: 40}}}\n"
    )
    receiver.buy(order_type="limit", limit_price=90)
    receiver.buy(symbol="ETHUSDT", quantity=2)
    receiver.send(action="sell", symbol="ETHUSDT", quantity=1, price=93)
    [row] = receiver.get("/overview")["accounts"]
    limits = {each["name"]: (each["limit"], each["used"]) for each in row["limits"]}
    assert limits["max_exposure"] == ("9000", "183")
    assert limits["max_daily_loss"] == ("40", "14")
    assert limits["max_orders_per_day"] == ("500", "2")
    assert limits["max_quantity"] == ("5", None)
    assert "max_contracts" not in limits


def test_everything_that_status_lists_has_a_sentence(receiver):
    """And what is listed one day before anybody has written its sentence is shown all the same."""
    assert {*SENTENCES, FORMER} >= {*receiver.get("/status")["open"]}
    said = say_problem("new_trouble", {"account": "a", "since": "2026-01-31T00:00:00Z"})
    assert said == "New trouble: account a."


def test_a_page_that_has_it_is_told_so_in_a_line(receiver, browser):
    """What did not change is not sent again."""
    first = browser.get("/overview")
    again = browser.get("/overview", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_the_first_screen_is_the_owners(receiver):
    """It names accounts and strategies."""
    assert receiver.client.get("/overview").status_code == 401
    assert receiver.client.get("/overview", headers=OWNER).status_code == 200


def test_the_history_is_filtered_by_day_and_an_empty_filter_means_all(receiver):
    """A day counts in UTC, as every time does."""
    receiver.buy()
    [row] = receiver.get("/history?strategy=&symbol=&status=&day=")["alerts"]
    assert receiver.get(f"/history?day={row['received_at'][:10]}")["count"] == 1
    assert receiver.get("/history?day=2020-01-01")["count"] == 0
    assert receiver.client.get("/history?day=today", headers=OWNER).status_code == 400


def test_the_owner_with_a_token_is_shown_the_page_too(receiver):
    """As a program sends it, or a browser that had logged in before there was a form."""
    assert "data-base" in receiver.client.get("/", headers=OWNER).text
