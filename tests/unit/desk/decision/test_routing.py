"""Where an alert goes: one row a sentence of the trading rules, its number in the id."""

from __future__ import annotations

from pathlib import Path

import pytest

from desk.config.load import load
from desk.config.settings import Settings
from desk.decision.denial import Denial
from desk.decision.routing import find_routes, map_symbol, trades_on_paper
from tests.support.fakes import make_facts

CONFIG = """
trading: live
webhook: {secret: a-made-up-secret-of-the-table}
default_account: sim
accounts:
  sim: {broker: paper}
  test: {broker: venue, sandbox: true}
  real: {broker: venue, live: true, risk: {max_notional: 1, max_position: 1, max_daily_loss: 1}}
  twin: {broker: venue, symbols: {"BINANCE:BTCUSDT": XBTUSD, ETHUSDT: ETH-PERP}}
strategies:
  plain: {}
  trend: {account: real}
  both: {accounts: {sim: 1, test: 0.5}}
"""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Read accounts of every kind."""
    file: Path = tmp_path_factory.mktemp("routing") / "config.yaml"
    file.write_text(CONFIG)
    return load(file, {}, {"paper": make_facts(), "venue": make_facts()})


@pytest.mark.parametrize(
    ("strategy", "named", "holding", "routes"),
    [
        pytest.param("plain", None, (), "sim 1", id="3.6 no account: the default one"),
        pytest.param(
            "both", None, (), "sim 1, test 0.5", id="3.6 the strategy's, with their sizes"
        ),
        pytest.param(
            "plain", None, ("test",), "sim 1, test 1 reduces", id="3.6 and where it holds"
        ),
        pytest.param("both", None, ("test",), "sim 1, test 0.5", id="3.6 held and listed: once"),
        pytest.param("both", "TEST", ("sim",), "test 0.5", id="13.4 a named one alone"),
        pytest.param("plain", "test", (), "test 1", id="13.4 any sandbox may be named"),
        pytest.param("trend", "real", (), "real 1", id="13.4 a live one that is listed"),
        pytest.param("plain", "real", (), "ACCOUNT_NOT_ALLOWED", id="13.4 a live one that is not"),
        pytest.param("plain", "real", ("real",), "real 1 denied", id="13.4 held there: reduces"),
        pytest.param("plain", "nowhere", (), "NO_ACCOUNT", id="13.4 one that is not configured"),
    ],
)
def test_an_alert_goes_to(settings, strategy, named, holding, routes):
    """Each account with its size; where nothing is opened, it says so."""
    found = find_routes(settings, strategy, named, holding)
    if isinstance(found, Denial):
        assert found.code == routes
        return
    said = []
    for route in found:
        more = " denied" if route.denied else "" if route.opens_here else " reduces"
        said.append(f"{route.account} {route.multiplier}{more}")
    assert ", ".join(said) == routes


@pytest.mark.parametrize(
    ("strategy", "account", "on_paper"),
    [
        pytest.param("trend", "sim", True, id="13.2 a paper account"),
        pytest.param("trend", "test", False, id="13.1 a sandbox sends"),
        pytest.param("trend", "real", False, id="13.1 live, told twice"),
        pytest.param("trend", "twin", True, id="13.1 neither live nor a sandbox"),
        pytest.param("unknown", "real", True, id="13.4 a strategy that nobody wrote down"),
        pytest.param("unknown", "test", False, id="13.4 it may trade at a sandbox"),
    ],
)
def test_orders_are_simulated(settings, strategy, account, on_paper):
    """Live needs the word on both the whole and the account, and a strategy that is written down."""
    assert trades_on_paper(settings, strategy, account) == on_paper


@pytest.mark.parametrize(
    ("account", "symbol", "traded"),
    [
        pytest.param("twin", "BINANCE:BTCUSDT", "XBTUSD", id="3.11 by its full name"),
        pytest.param("twin", "BYBIT:ETHUSDT", "ETH-PERP", id="3.11 by its name alone"),
        pytest.param("twin", "SOLUSDT", "SOLUSDT", id="3.11 not named: as it is"),
        pytest.param("sim", "BINANCE:BTCUSDT", "BINANCE:BTCUSDT", id="3.11 no names: as it is"),
    ],
)
def test_an_account_names_a_symbol(settings, account, symbol, traded):
    """`symbols` under an account."""
    assert map_symbol(settings.accounts[account], symbol) == traded
