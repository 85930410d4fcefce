"""What an account says of leverage, margin, number and exchange: obeyed by its broker, or refused by name."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from desk.config.load import SettingsError, describe, load
from tests.support.fakes import make_facts

TAKES = {"linear": frozenset({"leverage", "margin", "demo"}), "spot": frozenset({"demo"})}
BROKERS = {
    "paper": make_facts(),
    "plain": make_facts(),
    "perps": make_facts(
        needs=("PERPS_KEY",), optional=("PERPS_WORD",), markets=("spot", "linear"), takes=TAKES
    ),
    "many": make_facts(
        markets=("linear",), exchanges=dict.fromkeys(("kraken", "okx"), ("linear",))
    ),
    "numbers": make_facts(takes={"futures": frozenset({"account"})}, markets=("futures",)),
}


def read(folder: Path, account: str, **environ: str):
    """Return the settings of one account `a`, or the one problem there is."""
    file = folder / "config.yaml"
    file.write_text(f"default_account: a\naccounts: {{a: {{{account}}}}}\n")
    try:
        return load(file, environ, BROKERS)
    except SettingsError as error:
        return " AND ".join(error.problems).removeprefix("config.yaml: accounts.a.")


def test_leverage_margin_and_demo_are_told_to_the_broker(tmp_path):
    """The account is the connection; the paper twin reads the same leverage."""
    text = "broker: perps, market: linear, sandbox: demo, leverage: 5, margin: isolated"
    account = read(tmp_path, text).accounts["a"]
    assert (account.leverage, account.margin) == (Decimal(5), "isolated")
    assert account.sandbox
    assert account.is_demo
    account = read(tmp_path, "broker: perps, market: linear, sandbox: true").accounts["a"]
    assert account.sandbox
    assert not account.is_demo
    assert (account.leverage, account.margin, account.account, account.exchange) == (None,) * 4


@pytest.mark.parametrize(
    ("account", "problem"),
    [
        ("broker: perps, market: spot, leverage: 5",
         "leverage: perps with market: spot does not know it: remove this line"),
        ("broker: perps, market: spot, margin: cross",
         "margin: perps with market: spot does not know it: remove this line"),
        ("broker: plain, leverage: 5", "leverage: plain does not know it: remove this line"),
        ("broker: plain, account: '1234'", "account: plain does not know it: remove this line"),
        ("broker: paper, margin: cross", "margin: paper does not know it: remove this line"),
        ("broker: plain, sandbox: demo",
         "sandbox: plain has no demo trading of its own: write sandbox: true"),
        ("broker: perps, market: linear, sandbox: maybe",
         'sandbox: expected true, false or demo, found "maybe"'),
        ("broker: perps, market: linear, margin: crossed",
         'margin: expected cross or isolated, found "crossed"'),
        ("broker: numbers, account: 1234",
         ("account: expected the account's number or name at the venue: put 1234 in quotes, it "
         "looks like a number")),
        ("broker: plain, exchange: kraken",
         "exchange: plain is one venue and knows no other: remove this line"),
        ("broker: many", "exchange: is missing: use one of: kraken, okx"),
        ("broker: many, exchange: nowhere",
         "exchange: there is no nowhere: use one of: kraken, okx"),
    ],
)  # fmt: skip
def test_what_the_broker_does_not_know_is_refused_by_name(tmp_path, account, problem):
    """A setting that nobody carries out would be believed to hold."""
    assert read(tmp_path, account) == problem


def test_leverage_of_the_simulator_stays_its_own(tmp_path):
    """A `broker: paper` account has always had it."""
    assert read(tmp_path, "broker: paper, leverage: 20").accounts["a"].leverage == 20


def test_account_number_and_exchange_are_told_too(tmp_path):
    """The exchange's case does not matter, the number is taken as it is written."""
    assert read(tmp_path, "broker: numbers, account: 5WT00001").accounts["a"].account == "5WT00001"
    assert read(tmp_path, "broker: many, exchange: OKX").accounts["a"].exchange == "okx"


def test_an_optional_credential_is_read_where_it_is_set(tmp_path):
    """Without it nothing is missing; with it no print shows it."""
    text = "broker: perps, market: linear, sandbox: true"
    settings = read(tmp_path, text, PERPS_KEY="a-key-to-hide")
    assert settings.accounts["a"].missing == ()
    settings = read(tmp_path, text, PERPS_KEY="a-key-to-hide", A_PERPS_WORD="a-word-to-hide")
    assert settings.accounts["a"].credentials["PERPS_WORD"] == "a-word-to-hide"
    assert "a-word-to-hide" in settings.known_secrets
    assert "a-word-to-hide" not in "\n".join(describe(settings))
