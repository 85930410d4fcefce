"""A live account from its settings to its venue: a stand-in for Binance on this machine."""

from __future__ import annotations

from decimal import Decimal

import pytest

import webhook_server
from desk.config.load import SettingsError
from tests.support.running import GUARDED, OWNER, await_true, receivers
from tests.support.shipped import read_shipped
from tests.support.stand_in.binance import KEY, SECRET
from tests.support.stand_in.binance_spot import StandIn

KEYS = {"MAIN_BINANCE_API_KEY": KEY, "BINANCE_API_SECRET": SECRET}
ORDER = "/api/v3/order"
CONFIG = """
trading: live
default_account: main
risk: {max_notional: 1000, max_position: 2000, max_daily_loss: 200}
accounts:
  main: {broker: binance, live: true, currency: USDT, base_url: "URL"}
strategies:
  trend: {account: main, risk: {symbols: [BTCUSDT]}}
"""


@pytest.fixture
def venue():
    """Run a stand-in where bitcoin costs 100."""
    with StandIn() as stand_in:
        stand_in.set_price("BTCUSDT", 100)
        yield stand_in


@pytest.fixture
def start(tmp_path, venue):
    """Start receivers whose account lies at the stand-in; they are stopped at the end."""
    with receivers(tmp_path) as function:
        yield lambda config=CONFIG, keys=KEYS: function(
            config.replace("URL", venue.url), {**GUARDED, **keys}
        )


def buy(receiver, **alert):
    """Buy one bitcoin for the strategy that may; return the answer once the outcome is known."""
    return outcome(receiver, receiver.buy(**{"strategy": "trend", **alert}).get_json())


def outcome(receiver, answer):
    """Return an answer once it is no longer pending."""
    path = f"/history/{answer['alert_id']}"
    return await_true(lambda: (row := receiver.get(path))["status"] != "pending" and row)


def test_a_live_alert_is_traded_at_the_venue_within_its_limits(start, venue):
    """What keeps the limits is bought with the account's own keys; what does not never leaves."""
    receiver = start()
    answer = buy(receiver)
    assert (answer["status"], answer["orders"][0]["paper"]) == ("filled", False)
    assert buy(receiver, quantity=11)["code"] == "MAX_NOTIONAL"
    assert buy(receiver, symbol="ETHUSDT")["code"] == "SYMBOL_NOT_ALLOWED"
    assert len(venue.sent("POST", ORDER)) == 1
    shown = [receiver.client.get(p, headers=OWNER) for p in ("/history", "/status", "/positions")]
    assert not any(SECRET in page.get_data(as_text=True) for page in shown)
    assert SECRET not in receiver.log()


def test_an_exit_leaves_where_an_entry_may_not(start, venue):
    """The day's loss is reached: no entry is sent any more, and the exit is."""
    receiver = start(CONFIG.replace("max_daily_loss: 200", "max_daily_loss: 5"))
    buy(receiver)
    venue.set_price("BTCUSDT", 90)
    assert buy(receiver, price=90)["code"] == "MAX_DAILY_LOSS"
    close = {"action": "close", "symbol": "BTCUSDT", "price": 90, "strategy": "trend"}
    assert outcome(receiver, receiver.send(**close).get_json())["status"] == "filled"
    assert [each["side"] for each in venue.sent("POST", ORDER)] == ["BUY", "SELL"]
    assert buy(receiver, price=90)["code"] == "MAX_DAILY_LOSS"


def test_a_strategy_nobody_wrote_down_only_plays(start, venue):
    """It is created by its alert, on paper, by the venue's own rules of the symbol."""
    receiver = start()
    answer = buy(receiver, strategy="new")
    assert (answer["status"], answer["orders"][0]["paper"]) == ("filled", True)
    refused = receiver.buy(strategy="new", account_group="main").get_json()
    assert refused["code"] == "ACCOUNT_NOT_ALLOWED"
    assert venue.sent("POST", ORDER) == []


def test_the_venue_is_asked_what_the_account_may_do(start, venue):
    """The page of accounts has its words, and a right too many is a warning."""
    venue.can_withdraw = True
    (row,) = start().get("/accounts?connect=1")["accounts"]
    assert (row["mode"], row["reachable"], row["key_valid"], row["may_trade"]) == (
        "live",
        *[True] * 3,
    )
    assert row["balance"] == {"USDT": "100000"}
    assert row["symbols"] == {"trend": {"BTCUSDT": True}}
    assert row["problems"] == []
    assert row["warnings"] == ["the key may withdraw: take that right away, it is never needed"]


@pytest.mark.parametrize(
    ("keys", "url", "reachable", "valid"),
    [
        ({**KEYS, "BINANCE_API_SECRET": "wrong"}, "URL", True, False),
        (KEYS, "http://127.0.0.1:9", False, None),
    ],
)
def test_a_wrong_key_and_a_silent_venue_are_told_apart(start, keys, url, reachable, valid):
    """One is mended in .env, the other in the network."""
    receiver = start(CONFIG.replace("URL", url), keys)
    (row,) = receiver.get("/accounts?connect=1")["accounts"]
    assert (row["reachable"], row["key_valid"], len(row["problems"])) == (reachable, valid, 1)


def test_the_command_line_checks_the_venue(tmp_path, venue, monkeypatch, capsys):
    """`--check --connect` needs no receiver; a key that may not trade fails it."""
    (tmp_path / "config.yaml").write_text(CONFIG.replace("URL", venue.url))
    for name, value in {**GUARDED, **KEYS}.items():
        monkeypatch.setenv(name, value)
    arguments = ["--config", str(tmp_path / "config.yaml"), "--check", "--connect"]
    webhook_server.main(arguments)
    said = capsys.readouterr().out
    assert "main: binance, live\n  reachable: yes\n  key valid: yes\n  may trade: yes\n" in said
    assert "  trend: BTCUSDT exists\n" in said
    assert KEY not in said
    assert SECRET not in said
    venue.answer(
        "GET",
        "/sapi/v1/account/apiRestrictions",
        {"enableSpotAndMarginTrading": False, "enableWithdrawals": False},
    )
    with pytest.raises(SystemExit) as ended:
        webhook_server.main(arguments)
    assert ended.value.code == 1
    assert "problem: the key may not trade" in capsys.readouterr().out


def test_the_shipped_account_becomes_one_at_the_testnet(start, venue):
    """Keys, and `sandbox: true` in the account that config.yaml has: it trades at the test system."""
    text, account = read_shipped("config.yaml"), "{broker: binance, market: spot}"
    assert account in text
    mine = f"{account[:-1]}, sandbox: true, base_url: '{venue.url}'}}"
    text = text.replace(account, mine, 1)
    keys = {"BINANCE_BINANCE_API_KEY": KEY, "BINANCE_API_SECRET": SECRET}
    receiver = start(text, keys)
    answer = buy(receiver, strategy="my-ma-cross", account_group="binance")
    assert (answer["status"], answer["orders"][0]["paper"]) == ("filled", False)
    assert venue.free["BTC"] > Decimal("0.9")


def test_a_sandbox_never_sends_its_orders_where_they_are_real(tmp_path):
    """The live address under the name of a sandbox would be money without any act of going live."""
    file = tmp_path / "config.yaml"
    account = "{broker: binance, sandbox: true, base_url: 'https://API.binance.com'}"
    file.write_text(f"accounts: {{main: {account}}}\n")
    with pytest.raises(SettingsError, match=r"main\.base_url: api\.binance\.com trades real money"):
        webhook_server.load_settings(file, {})
