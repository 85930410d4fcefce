"""What funding firms ask of an account, filled in and overridden."""

from __future__ import annotations

from decimal import Decimal

import pytest

from brokers.paper import Paper
from desk.config.load import SettingsError, load
from tests.support.fakes import make_facts

FACTS = {
    "paper": Paper.facts,
    "tradovate": make_facts(
        markets=("futures",), currency="USD", takes={"futures": frozenset({"host"})}
    ),
}


def read(tmp_path, account):
    """Return the settings of one account, written as in config.yaml."""
    file = tmp_path / "config.yaml"
    file.write_text(f"default_account: a\naccounts: {{a: {account}}}\n")
    return load(file, {}, FACTS).accounts["a"]


def test_a_preset_fills_in_what_the_account_does_not_say(tmp_path):
    """Contracts, the day's loss, the day itself and when to be flat."""
    account = read(tmp_path, "{broker: paper, market: futures, preset: topstep-50k}")
    assert (account.risk.max_contracts, account.risk.max_daily_loss) == (5, 1000)
    assert (account.flatten_at, account.day) == ("15:05 America/Chicago", "17:00 America/Chicago")


def test_what_the_account_says_itself_wins(tmp_path):
    """Every figure can be overridden."""
    own = 'preset: topstep-50k, flatten_at: "14:00 America/Chicago", risk: {max_daily_loss: 300}'
    account = read(tmp_path, f"{{broker: paper, {own}}}")
    assert (account.risk.max_contracts, account.risk.max_daily_loss) == (5, 300)
    assert account.flatten_at == "14:00 America/Chicago"


@pytest.mark.parametrize(
    ("more", "host"), [("", "demo"), (", host: live", "live"), (", sandbox: true", None)]
)
def test_accounts_of_apex_live_on_tradovates_demo_host(tmp_path, more, host):
    """Unless the account says where."""
    assert read(tmp_path, f"{{broker: tradovate, preset: apex{more}}}").host == host


def test_a_preset_that_nobody_knows_is_refused_by_name(tmp_path):
    """The known ones are listed."""
    with pytest.raises(SettingsError, match="topstep-50k") as no:
        read(tmp_path, "{broker: paper, preset: topstep}")
    assert "accounts.a.preset" in str(no.value)


def test_the_contracts_of_all_futures_together_keep_the_cap(make_bench):
    """Five full contracts, or fifty micros, or any mixture; an exit always goes."""
    desk = make_bench(
        "default_account: a\naccounts: {a: {broker: paper, cash: 100000000, preset: topstep-50k}}\n"
    )

    def send(action, symbol, quantity):
        return desk.send(action=action, symbol=symbol, quantity=quantity, price=100, strategy="s")

    assert send("buy", "MES1!", 20)["status"] == "filled"
    assert send("buy", "NQ1!", 3)["status"] == "filled"
    answer = send("buy", "M2K1!", 1)
    assert (answer["code"], answer["http"]) == ("MAX_CONTRACTS", 422)
    assert "5.1 contracts in all" in answer["message"]
    assert send("buy", "AAPL", 100)["status"] == "filled"
    assert send("sell", "NQ1!", 1)["status"] == "filled"
    assert send("buy", "M2K1!", 10)["status"] == "filled"
    assert send("close", "MES1!", 0)["status"] == "filled"
    assert desk.held("s", "NQ1!", "a") == Decimal(2)
