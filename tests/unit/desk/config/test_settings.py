"""Settings: what is read, what is refused, and how a refusal reads."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from brokers import BROKERS as ALL_BROKERS
from brokers import list_facts
from desk.config import yaml_text
from desk.config.load import Account, Settings, SettingsError, Strategy, Webhook, load, warnings
from desk.config.settings import Logging, Options, Performance, RiskEverywhere, SizingBlock
from desk.config.summary import config_hash, describe
from tests.support import shipped as shipped_files
from tests.support.fakes import make_facts
from tests.support.shipped import ROOT, read_shipped

BROKERS = {"paper": make_facts(), "binance": make_facts()}
NEEDS = {"binance": ("BINANCE_API_KEY", "BINANCE_API_SECRET")}
KEYS_OF_BINANCE = {"BINANCE_API_KEY": "key-0123456789", "BINANCE_API_SECRET": "hush-0123456789"}
GOOD = "correct-horse-battery-8"
LIMITS = "risk: {max_notional: 1000, max_position: 2000, max_daily_loss: 200}\n"
LIVE = (
    "trading: live\naccounts: {main: {broker: binance, live: true}}\ndefault_account: main\n"
    + LIMITS
)


def read(
    folder: Path,
    text: str = "",
    environ: Mapping[str, str] | None = None,
    dotenv: str | None = None,
    needs: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
    markets: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
    **overrides: object,
) -> Settings:
    """Load settings from `text` as a config.yaml in `folder`."""
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    if dotenv is not None:
        (folder / ".env").write_text(dotenv, encoding="utf-8")
    file = folder / "config.yaml"
    facts = {
        name: make_facts(needs=needs.get(name, ()), markets=markets.get(name, ()))
        for name in BROKERS
    }
    return load(file, environ or {}, facts, overrides=overrides)


def refuse(folder: Path, text: str = "", **more: object) -> list[str]:
    """Return the problems of settings that must be refused."""
    with pytest.raises(SettingsError) as caught:
        read(folder, text, **more)  # type: ignore[arg-type]
    assert str(caught.value) == "\n".join(caught.value.problems)
    return list(caught.value.problems)


# --- what holds ----------------------------------------------------------------------------------


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    """Nothing has to be configured: the receiver runs on paper on this machine."""
    settings = read(tmp_path)
    assert (settings.webhook.host, settings.webhook.port) == ("127.0.0.1", 8080)
    assert settings.accounts["paper_simulator"].broker == "paper"
    assert settings.trading == "paper"
    assert settings.live_accounts == ()
    assert settings.is_development


def test_a_file_that_nobody_named_may_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without --config and CONFIG a missing config.yaml is the defaults."""
    monkeypatch.chdir(tmp_path)
    assert load(None, {}, BROKERS).file == tmp_path / "config.yaml"


@pytest.mark.parametrize("by", ["argument", "CONFIG"])
def test_a_file_that_was_named_must_exist(tmp_path: Path, by: str) -> None:
    """A misspelt file name never starts a server with other settings than meant."""
    file = tmp_path / "other.yaml"
    path, environ = (None, {"CONFIG": str(file)}) if by == "CONFIG" else (file, {})
    with pytest.raises(SettingsError, match=r"other.yaml: does not exist in .*check --config"):
        load(path, environ, BROKERS)


def test_a_folder_instead_of_a_file_is_named_in_full(tmp_path: Path) -> None:
    """`--config /tmp` says which folder that is, and what to check."""
    with pytest.raises(SettingsError, match="cannot be read") as caught:
        load(tmp_path, {}, BROKERS)
    assert str(caught.value).startswith(f"{tmp_path}: cannot be read (Is a directory)")


@pytest.mark.parametrize(
    ("given_by", "port"),
    [((), 8080), (("file",), 1), (("file", ".env"), 2), (("file", ".env", "environment"), 3)],
)
def test_the_nearer_source_wins(tmp_path: Path, given_by: tuple[str, ...], port: int) -> None:
    """Command line before environment before .env before config.yaml before the default."""
    text = "webhook: {port: 1}" if "file" in given_by else ""
    dotenv = "PORT=2\n" if ".env" in given_by else None
    environ = {"PORT": "3"} if "environment" in given_by else {"PORT": ""}
    assert read(tmp_path, text, environ, dotenv).webhook.port == port
    assert read(tmp_path, text, environ, dotenv, port=4, host=None).webhook.port == 4


def test_the_environment_names_host_level_secret_and_state(tmp_path: Path) -> None:
    """Each variable of .env.example reaches its setting."""
    dotenv = f"HOST=localhost\nTRADINGVIEW_WEBHOOK_SECRET='a$b{GOOD}'\nADMIN_TOKEN={GOOD}\n"
    environ = {"LOG_LEVEL": "warning", "DATABASE_URL": "sqlite:////var/desk.db"}
    settings = read(tmp_path, "webhook: {secret: from-the-file-1234}", environ, dotenv)
    assert settings.webhook.host == "localhost"
    assert settings.logging.level == "WARNING"
    assert settings.webhook.secret is not None
    assert settings.webhook.secret.get_secret_value() == f"a$b{GOOD}"
    assert settings.admin_token is not None
    assert settings.state_path == Path("/var/desk.db")


@pytest.mark.parametrize(
    ("dotenv", "line"),
    [
        (f'TRADINGVIEW_WEBHOOK_SECRET="{GOOD}\n', 1),
        (f"# ours\n\nPORT=1\n\nTRADINGVIEW_WEBHOOK_SECRET='{GOOD}\nHOST=localhost\n", 5),
        (f"TRADINGVIEW_WEBHOOK_SECRET: {GOOD}\n", 1),
        (f'PORT=1\nTRADINGVIEW_WEBHOOK_SECRET="{GOOD}"{GOOD}\n', 2),
    ],
)
def test_a_line_of_env_that_cannot_be_read_stops_the_start(
    tmp_path: Path, dotenv: str, line: int
) -> None:
    """A secret without its closing quote is no secret, and the receiver would be open: never silently."""
    (problem,) = refuse(tmp_path, dotenv=dotenv)
    assert problem.startswith(f".env: line {line}: cannot be read: write NAME=value")
    assert GOOD not in problem


@pytest.mark.parametrize(
    ("dotenv", "near"),
    [
        ("TRADINGVIEW_WEBHOK_SECRET", "TRADINGVIEW_WEBHOOK_SECRET"),
        ("TRADINGVIEW_SECRET", "TRADINGVIEW_WEBHOOK_SECRET"),
        ("ADMINTOKEN", "ADMIN_TOKEN"),
        ("admin_token", "ADMIN_TOKEN"),
        ("BINANCE_APIKEY", "BINANCE_API_KEY"),
        ("MAIN_BINANCE_API_KEYS", "MAIN_BINANCE_API_KEY"),
        ("LOGLEVEL", "LOG_LEVEL"),
    ],
)
def test_a_misspelt_variable_is_pointed_out(tmp_path: Path, dotenv: str, near: str) -> None:
    """What was meant for us and is not read is a warning that names the variable, not its value."""
    text = "accounts: {main: {broker: binance}}\ndefault_account: main"
    found = warnings(read(tmp_path, text, dotenv=f"{dotenv}={GOOD}\n", needs=NEEDS))
    (said,) = [line for line in found if "did you mean" in line]
    assert said == f".env: {dotenv} is not read; did you mean {near}?"
    ours = warnings(read(tmp_path, text, {dotenv: GOOD}, dotenv="", needs=NEEDS))
    assert any(f"environment: {dotenv}" in line for line in ours) is (near != "LOG_LEVEL")


def test_the_variables_of_other_programs_are_theirs(tmp_path: Path) -> None:
    """Neither our own names nor those of a usual shell are taken for a misspelling."""
    shell = ("PATH", "HOSTNAME", "HOSTTYPE", "LOGNAME", "SSH_AUTH_SOCK", "PORTS", "GITHUB_TOKEN")
    environ = dict.fromkeys(shell, "x")
    dotenv = f"ADMIN_TOKEN={GOOD}\nMAIN_BINANCE_API_KEY=k3y\nCOMPOSE_PROJECT_NAME=x\nDEBUG=false\n"
    text = "accounts: {main: {broker: binance}}\ndefault_account: main"
    found = warnings(read(tmp_path, text, environ, dotenv, needs=NEEDS))
    assert not [line for line in found if "not read" in line or "DEBUG" in line]


def test_a_debug_that_means_nothing_is_pointed_out(tmp_path: Path) -> None:
    """DEBUG=maybe is ignored, and the warning says what to write."""
    (said,) = [line for line in warnings(read(tmp_path, dotenv="DEBUG=maybe")) if "DEBUG" in line]
    assert said.startswith(".env: DEBUG is neither true nor false")
    assert "DEBUG=true" in said


def test_debug_means_a_detailed_log_only(tmp_path: Path) -> None:
    """DEBUG=true is LOG_LEVEL=DEBUG where LOG_LEVEL is silent; others' DEBUG is theirs."""
    assert read(tmp_path, environ={"DEBUG": "true"}).logging.level == "DEBUG"
    assert read(tmp_path, environ={"DEBUG": "app:*"}).logging.level == "INFO"
    both = {"DEBUG": "true", "LOG_LEVEL": "ERROR"}
    assert read(tmp_path, environ=both).logging.level == "ERROR"


def test_paths_lie_beside_the_file(tmp_path: Path) -> None:
    """A relative path does not depend on where the server was started from."""
    settings = read(tmp_path, "state: sqlite:///data/desk.db\nlogging: {file: logs/alerts.log}")
    assert settings.state_path == tmp_path / "data" / "desk.db"
    assert settings.log_path == tmp_path / "logs" / "alerts.log"


def test_money_is_exactly_what_is_written(tmp_path: Path) -> None:
    """No number passes through a binary float."""
    text = "default_quantity: 0.1000000000000000055\naccounts: {a: {broker: paper, cash: 7.10}}"
    settings = read(tmp_path, text + "\ndefault_account: a")
    assert settings.default_quantity == Decimal("0.1000000000000000055")
    assert str(settings.accounts["a"].cash) == "7.10"


def test_settings_are_frozen(tmp_path: Path) -> None:
    """Nobody changes settings after the start, neither a value nor a table."""
    settings = read(tmp_path)
    with pytest.raises(ValueError, match="frozen"):
        settings.webhook.port = 1
    with pytest.raises(TypeError):
        settings.accounts["x"] = Account()  # type: ignore[index]


def test_a_strategy_knows_its_whole_route(tmp_path: Path) -> None:
    """`exchange`, `account`, `accounts` and the defaults end in one table of accounts."""
    settings = read(
        tmp_path,
        "default_quantity: 2\ndefault_account: b\n"
        "accounts: {a: {broker: paper}, b: {broker: paper}}\n"
        "strategies:\n  by exchange: {exchange: a, default_quantity: 5}\n"
        "  by account: {account: a}\n"
        "  fan out: {accounts: {a: 1, b: 0.5}}\n  bare:\n",
    )
    one = Decimal(1)
    assert settings.strategy("by exchange").accounts == {"a": one}
    assert settings.strategy("by exchange").default_quantity == 5
    assert settings.strategy("by account").accounts == {"a": one}
    assert settings.strategy("fan out").accounts == {"a": one, "b": Decimal("0.5")}
    assert settings.strategy("bare").accounts == {"b": one}
    assert settings.strategy("bare") == settings.strategy("never heard of")
    assert settings.strategy("never heard of").default_quantity == 2


def test_an_alert_may_write_an_account_in_any_case(tmp_path: Path) -> None:
    """The account is found by its name whatever the case, and called what the file calls it."""
    settings = read(tmp_path)
    assert settings.find_account("PAPER_Simulator") == "paper_simulator"
    assert settings.find_account("main") is None


def test_an_account_reads_its_symbols_and_its_day(tmp_path: Path) -> None:
    """TradingView's names are upper case, and the day starts where the account says."""
    text = (
        'accounts:\n  a:\n    broker: paper\n    day: "17:00 America/Chicago"\n'
        "    symbols: {nq1!: MNQ1!, COINBASE:BTCUSD: BTCUSDT}\ndefault_account: a\n"
    )
    account = read(tmp_path, text).accounts["a"]
    assert account.symbols == {"NQ1!": "MNQ1!", "COINBASE:BTCUSD": "BTCUSDT"}
    assert account.day_start[0].hour == 17
    assert account.day_start[1].key == "America/Chicago"


def test_live_takes_two_acts(tmp_path: Path) -> None:
    """`live: true` alone trades on paper and says so; with `trading: live` it is live."""
    secret = {"TRADINGVIEW_WEBHOOK_SECRET": GOOD}
    assert read(tmp_path, LIVE, secret).live_accounts == ("main",)
    half = read(tmp_path, LIVE.replace("trading: live", "trading: paper"))
    assert half.live_accounts == ()
    assert any("accounts.main has live: true and trades on paper" in one for one in warnings(half))


# --- what is refused, in these words -------------------------------------------------------------

VALUES = [
    ("strategies: {trend: {default_quantity: 10k}}",
     'strategies.trend.default_quantity: expected a positive number, found "10k"'),
    ("default_quantity: 0", "default_quantity: expected a positive number, found 0"),
    ("default_quantity: true", "default_quantity: expected a positive number, found true"),
    ('default_quantity: "5"',
     "default_quantity: expected a positive number: write it without quotes"),
    ("webhook: {port: 65536}",
     "webhook.port: expected a whole number from 0 to 65535, found 65536"),
    ("webhook: {port: true}", "webhook.port: expected a whole number from 0 to 65535, found true"),
    ("webhook: {host: 'http://x'}",
     'webhook.host: expected an address or a host name, found "http://x"'),
    ("webhook: {reply_within_seconds: 3}",
     "webhook.reply_within_seconds: expected a number from 0.1 to 2.4, found 3"),
    ("webhook: {rate_limit: often}",
     'webhook.rate_limit: expected a rate like 10/minute, found "often"'),
    ("webhook: {rate_limit: 0/minute}",
     'webhook.rate_limit: expected a rate like 10/minute, found "0/minute"'),
    ("webhook: {allowed_ips: [203.0.113.9/24]}",
     ("webhook.allowed_ips: expected an address (203.0.113.7) or a network (203.0.113.0/24) or "
     'tradingview; "203.0.113.9/24" is not one')),
    ("webhook: {trusted_proxies: tradingview}",
     ("webhook.trusted_proxies: expected a list of: an address (203.0.113.7) or a network "
     '(203.0.113.0/24), found "tradingview"')),
    ("webhook: {secret: 12345678}",
     "webhook.secret: expected a text in quotes, without spaces around it"),
    ("trading: maybe", 'trading: expected paper or live, found "maybe"'),
    ("logging: {level: LOUD}",
     'logging.level: expected DEBUG, INFO, WARNING or ERROR, found "LOUD"'),
    ("logging: 5", "logging: expected a block of settings, indented below it"),
    ("accounts: {paper_simulator: {broker: paper, leverage: 0.5}}",
     "accounts.paper_simulator.leverage: expected a number of at least 1, found 0.5"),
    ("accounts: {paper_simulator: {broker: paper, fee_bp: -1}}",
     "accounts.paper_simulator.fee_bp: expected a number of at least 0, found -1"),
    ("accounts: {paper_simulator: {broker: paper, day: 25:00 Chicago}}",
     ("accounts.paper_simulator.day: expected a time and a zone like "
     '"17:00 America/Chicago", found "25:00 Chicago"')),
    ("accounts: {paper_simulator: {broker: paper, day: 17:00 Amerika/Chicago}}",
     ('accounts.paper_simulator.day: no such time zone: "Amerika/Chicago"; did you mean '
     "America/Chicago?")),
    ("risk: {hours: ['mon-fri 09:30-16:00 America/NewYork']}",
     'risk.hours: no such time zone: "America/NewYork"; did you mean America/New_York?'),
    ("risk: {hours: ['mon-fri 09:30-16:00 Zxqqzx']}",
     'risk.hours: no such time zone: "Zxqqzx"; write it like America/New_York'),
    ("accounts: {paper_simulator: {broker: paper, symbols: {a b: c}}}",
     'accounts.paper_simulator.symbols: expected lines like NQ1!: MNQ1!; "a b" is not one'),
    ("state: postgresql://desk:hunter2@db/desk",
     ("state: expected sqlite:///state.db (a path beside config.yaml) or "
     "sqlite:////absolute/state.db; no other kind of state is supported")),
    ("strategies: {trend: {sync: always}}",
     'strategies.trend.sync: expected position, found "always"'),
    ("risk: {max_notional: 0}", "risk.max_notional: expected a positive number, found 0"),
    ("risk: {max_repeats: 0}",
     "risk.max_repeats: expected a whole number from 1 to 1000000, found 0"),
    ("risk: {symbols: BTCUSDT}",
     "risk.symbols: expected a list of: a symbol like BTCUSDT; write [BTCUSDT]"),
    ("webhook: {allowed_ips: tradingview}",
     ("webhook.allowed_ips: expected a list of: an address (203.0.113.7) or a network "
     "(203.0.113.0/24) or tradingview; write [tradingview]")),
    ("risk: {hours: 'mon-fri 09:30-16:00 America/New_York'}",
     ('risk.hours: expected a list of: a window like "mon-fri 09:30-16:00 America/New_York"; '
     'write ["mon-fri 09:30-16:00 America/New_York"]')),
    ("risk: {symbols: [a b]}", 'risk.symbols: expected a symbol like BTCUSDT; "a b" is not one'),
    ("risk: {hours: ['09:30-16:00']}",
     ('risk.hours: expected a window like "mon-fri 09:30-16:00 America/New_York"; "09:30-16:00" '
     "is not one")),
    ("risk: 5", "risk: expected a block of settings, indented below it"),
    ("accounts: {paper_simulator: {broker: paper, risk: [1]}}",
     "accounts.paper_simulator.risk: expected a block of settings, indented below it"),
    ("strategies: {a: {risk: {max_daily_loss: -1}}}",
     "strategies.a.risk.max_daily_loss: expected a positive number, found -1"),
    ("accounts: {paper_simulator: {broker: paper, on_unprotected: pray}}",
     'accounts.paper_simulator.on_unprotected: expected close or tell, found "pray"'),
    *(((f"accounts: {{paper_simulator: {{broker: paper, base_url: '{url}'}}}}"),
     ("accounts.paper_simulator.base_url: expected scheme and host alone, like "
     f'https://testnet.binance.vision, found "{url}"')) for url in
     ("testnet.binance.vision", "ftp://host", "https://host/api", "https://me:x@host",
      "https://host?x=1", "https://host:80a")),
    ("prices: none", 'prices: expected live or alerts, found "none"'),
    ("- a\n- b", "expected settings, one `name: value` a line"),
]  # fmt: skip

KEYS = [
    ("webhook: {prot: 1}", "webhook.prot: is not a setting; did you mean port?"),
    ("stratgies: {}", "stratgies: is not a setting; did you mean strategies?"),
    ("strategies: {a: {exchnge: b}}",
     "strategies.a.exchnge: is not a setting; did you mean exchange?"),
    ("risk: {max_notionl: 1}", "risk.max_notionl: is not a setting; did you mean max_notional?"),
    ("strategies: {a: {risk: {max_notionl: 1}}}",
     "strategies.a.risk.max_notionl: is not a setting; did you mean max_notional?"),
    ("accounts: {paper_simulator: {broker: paper, max_quantity: 1}}",
     "accounts.paper_simulator.max_quantity: is not a setting here; it belongs to risk.max_quantity"),
    ("port: 8080", "port: is not a setting here; it belongs to webhook.port"),
    ("accounts: {paper_simulator: {broker: paper}, v: {broker: binance, market: equity, shorts: true}}",
     "accounts.v.shorts: is for the paper broker: what can be sold short at a venue the venue says"),
    ("webhook: {old_secret: the-secret-of-last-year-8}",
     "webhook.old_secret: is the secret before the present one, and there is none: set that too"),
    ("strategies: {s: {sizing: {quantity: 1}, default_quantity: 2}}",
     "strategies.s.sizing: says how much, and so does default_quantity: keep one of the two"),
    ("strategies: {s: {sizing: {quantity: 1}, sync: position}}",
     "strategies.s.sizing: is not used with sync: position, which trades to what alerts state: take one out"),
    ("strategies: {s: {stop_loss: {percent: 1, amount: 2}}}",
     "strategies.s.stop_loss: write one of percent and amount, e.g. {percent: 2}"),
    ("strategies: {s: {take_profit: {}}}",
     "strategies.s.take_profit: write one of percent and amount, e.g. {percent: 2}"),
    ("strategies: {s: {sizing: {quantity: 1, of: cash}}}",
     "strategies.s.sizing.of: is not a setting; known here: quantity, quantity_type, override"),
    ("webhook: {leverage: 3}",
     "webhook.leverage: is not a setting here; it belongs to each of accounts"),
    ("admin_token: x",
     "admin_token: is not a setting; did you mean metrics_token?"),
]  # fmt: skip

AGAINST_EACH_OTHER = [
    ("accounts: {main: {broker: binanc}}\ndefault_account: main",
     'accounts.main.broker: there is no broker "binanc": use one of: binance, paper'),
    ("accounts: {main: }\ndefault_account: main",
     "accounts.main.broker: is missing: use one of: binance, paper"),
    ("accounts: {main: {broker: paper}}",
     'default_account: there is no account "paper_simulator"; existing accounts: main'),
    ("strategies: {a: {exchange: binance}}",
     'strategies.a.exchange: there is no account "binance"; existing accounts: paper_simulator'),
    ("strategies: {a: {accounts: {main: 1}}}",
     "strategies.a.accounts.main: there is no such account; existing accounts: paper_simulator"),
    ("strategies: {a: {account: x, exchange: y}}",
     "strategies.a.exchange: means the same as account and says otherwise: keep one"),
    ("strategies: {a: {account: paper_simulator, accounts: {paper_simulator: 1}}}",
     ("strategies.a.accounts: says where to trade, and so does account (or exchange): "
     "keep one of the two")),
    (("accounts: {s: {broker: paper, market: spot}}\ndefault_account: s\n"
     "strategies: {a: {direction: both}}"),
     "strategies.a.direction: account s (market: spot) cannot go short: write direction: long"),
    ("accounts: {s: {broker: paper, live: true}}\ndefault_account: s",
     "accounts.s.live: the paper broker is the simulator itself: remove this line"),
    ("accounts: {s: {broker: paper, sandbox: true}}\ndefault_account: s",
     "accounts.s.sandbox: the paper broker is the simulator itself: remove this line"),
    ("accounts: {s: {broker: binance, sandbox: true, live: true}}\ndefault_account: s",
     "accounts.s.sandbox: an account is live or a sandbox, not both"),
    ("accounts: {s: {broker: paper}, S: {broker: paper}}\ndefault_account: s",
     "accounts.S: differs from s in case only: alerts could mean either"),
    ('accounts: {"a/b": {broker: paper}}\ndefault_account: a/b',
     "accounts.a/b: an account's name is 1 to 64 letters, digits, spaces and _ . : -"),
    ('strategies: {"": {}}', "strategies.: a strategy's name is 1 to 64 visible characters"),
]  # fmt: skip

# What YAML reads in a way that nobody expects (measured with PyYAML 6.0): refused, with the path.
TRAPS = [
    ("default_quantity: &q 1\nstrategies: {a: {default_quantity: *q}}",
     "strategies.a.default_quantity: is an alias (*): write the value out"),
    ("default_quantity: &q 1", "default_quantity: has an anchor (&): remove it"),
    ("trading: !!python/name:os.system x",
     "trading: has a tag (!): remove it, or use quotes"),
    ("trading: paper\ntrading: live", "trading: stands twice, in lines 1 and 2: keep one"),
    ("strategies:\n  on: {}",
     'strategies.on: line 2: YAML does not read this name as text: write "on" in quotes'),
    ("strategies:\n  1: {}",
     'strategies.1: line 2: YAML does not read this name as text: write "1" in quotes'),
    ("strategies:\n  [a]: {}",
     "strategies: line 2: a name must be text, not a list or block"),
    ("strategies: {a: {enabled: yes}}",
     "strategies.a.enabled: YAML takes it for yes or no: write true or false, or put it in quotes"),
    *((f"default_quantity: {text}",
       ("default_quantity: YAML takes it for a number of its own kind: write it like 10 or 0.5, "
       "or in quotes")) for text in
      (".nan", ".inf", "-.inf", "1:30", "010", "0x10", "0b1", "1_000", "1.5e+3", "+1", ".5", "5.")),
    ("webhook: [1", ("line 1, column 12: expected ',' or ']', but got '<stream end>' "
     "(check the indentation, the colons and the quotes)")),
    ("a: \x00", "is not YAML: it holds a character that must not stand in a text file"),
    ('trading: "\\ud800"', "trading: holds half a character: check the \\u in it"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "problem"), [*VALUES, *KEYS, *AGAINST_EACH_OTHER, *TRAPS])
def test_a_mistake_is_named_with_its_place_and_its_remedy(
    tmp_path: Path, text: str, problem: str
) -> None:
    """Each mistake is a line that says where, what and what to do."""
    assert f"config.yaml: {problem}" in refuse(tmp_path, text)


@pytest.mark.parametrize(("text", "problem"), [*VALUES, *KEYS])
def test_one_mistake_is_one_line(tmp_path: Path, text: str, problem: str) -> None:
    """A single mistake never hides among its consequences."""
    assert refuse(tmp_path, text) == [f"config.yaml: {problem}"]


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """Unreadable values, wrong values, unknown keys and contradictions come together."""
    text = (
        "webhook: {port: 80a, prot: 1, max_history: 010}\n"
        "strategies: {a: {exchange: nowhere, pyramid: 1}}\n"
    )
    problems = refuse(tmp_path, text, environ={"HOST": "0.0.0.0", "LOG_LEVEL": "LOUD"})
    assert len(problems) == 7
    assert (
        'environment: LOG_LEVEL: expected DEBUG, INFO, WARNING or ERROR, found "LOUD"' in problems
    )


@pytest.mark.parametrize("bracket", ["[", "{", "? ", "- "])
def test_a_deep_nest_is_refused_at_once(tmp_path: Path, bracket: str) -> None:
    """Five thousand brackets are a sentence, not a stack overflow."""
    assert "nested deeper than 10 levels" in refuse(tmp_path, bracket * 5000)[0]


def test_an_alias_bomb_is_refused(tmp_path: Path) -> None:
    """Aliases that multiply are not followed even once."""
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    text = "\n".join(["a0: &a0 [x, x]", *levels])
    assert "config.yaml: a0: has an anchor (&): remove it" in refuse(tmp_path, text)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    """UTF-16 and directories are named for what they are; a byte order mark is harmless."""
    file = tmp_path / "config.yaml"
    file.write_bytes("trading: paper".encode("utf-16"))
    with pytest.raises(SettingsError, match="is not UTF-8 text: save it as UTF-8"):
        load(file, {}, BROKERS)
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path, {}, BROKERS)
    file.write_bytes(b"\xef\xbb\xbftrading: paper")
    assert load(file, {}, BROKERS).trading == "paper"


def test_a_mistake_elsewhere_is_named_where_it_stands(tmp_path: Path) -> None:
    """The environment, .env and the command line are called by their names."""
    problems = refuse(tmp_path, dotenv="PORT=80a\n", environ={"HOST": "a b"})
    assert '.env: PORT: expected a whole number from 0 to 65535, found "80a"' in problems
    assert 'environment: HOST: expected an address or a host name, found "a b"' in problems
    assert refuse(tmp_path, port=70000)[0].startswith("command line: --port: expected")


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever stands in the file, the reader answers with values or problems, never a crash."""
    value, problems = yaml_text.read(text)
    assert value is None or isinstance(value, str | int | bool | Decimal | list | dict)
    assert all(problem.text for problem in problems)


@given(st.decimals(0, 10**9, places=8))
def test_every_plain_decimal_survives(number: Decimal) -> None:
    """What is written is what is read, digit by digit."""
    text = format(number, "f")
    assert format(yaml_text.read(f"a: {text}")[0]["a"], "f") == text


# --- secrets -------------------------------------------------------------------------------------

WEAK = ["", "abc123", "fifteen-letters", "your_secure_secret_key_here", "aaaaaaaaaaaaaaaaaaaaaa",
        "your-webhook-secret", "YOUR_OPTIONAL_SECRET", "changeme-changeme-changeme"]  # fmt: skip
LOOPBACK = ["localhost", "127.0.0.1", "127.8.8.8", "::1"]


@pytest.mark.parametrize("secret", WEAK)
@pytest.mark.parametrize("stake", ["host", "live"])
def test_a_weak_secret_is_refused_once_something_is_at_stake(
    tmp_path: Path, secret: str, stake: str
) -> None:
    """Beyond this machine or with real money a guessable secret stops the start."""
    text = LIVE if stake == "live" else ""
    environ = {"HOST": "0.0.0.0"} if stake == "host" else {}
    (problem,) = refuse(tmp_path, text, environ=environ | {"TRADINGVIEW_WEBHOOK_SECRET": secret})
    reason = "account main is live" if stake == "live" else "beyond this machine (host 0.0.0.0)"
    assert reason in problem
    pasted = re.search(r"put this line into .env: (TRADINGVIEW_WEBHOOK_SECRET=\S{32})$", problem)
    assert pasted
    assert warnings(read(tmp_path, text, environ, pasted[1]))[1:] == []
    assert not secret or secret not in problem


@pytest.mark.parametrize("host", LOOPBACK)
@pytest.mark.parametrize("secret", WEAK)
def test_on_this_machine_and_on_paper_anything_goes(tmp_path: Path, host: str, secret: str) -> None:
    """Development needs no secret; a weak one is a warning."""
    settings = read(tmp_path, environ={"HOST": host, "TRADINGVIEW_WEBHOOK_SECRET": secret})
    assert any("webhook.secret is " in line for line in warnings(settings)) == bool(secret)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.com", "127.1"])
def test_every_other_host_is_beyond_this_machine(tmp_path: Path, host: str) -> None:
    """What is not certainly loopback needs a secret."""
    assert "webhook.secret: is empty" in refuse(tmp_path, environ={"HOST": host})[0]
    settings = read(tmp_path, environ={"HOST": host, "TRADINGVIEW_WEBHOOK_SECRET": GOOD})
    assert settings.webhook.host == host


def test_a_strategys_secret_and_the_admin_token_are_held_to_the_same(tmp_path: Path) -> None:
    """A weak one beside a strong one is still a door; a missing token is a closed one."""
    text = "strategies: {a: {secret: abc123}}\n"
    environ = {"HOST": "0.0.0.0", "TRADINGVIEW_WEBHOOK_SECRET": GOOD}
    problems = refuse(tmp_path, text, environ=environ, dotenv="ADMIN_TOKEN=admin")
    assert problems[0].startswith("config.yaml: strategies.a.secret: is shorter than 16 characters")
    assert problems[1].startswith(".env: ADMIN_TOKEN: is shorter than 16 characters")
    assert len(problems) == 2


def test_no_secret_shows(tmp_path: Path) -> None:
    """Neither print nor dump nor warning nor hash shows a secret."""
    text = f"webhook: {{secret: {GOOD}}}\nstrategies: {{a: {{secret: {GOOD}1}}}}\n"
    settings = read(tmp_path, text, {"ADMIN_TOKEN": GOOD + "2"})
    shown = [repr(settings), str(settings), *describe(settings), *warnings(settings)]
    assert not any(GOOD in line for line in shown)
    assert '  secret: "***"' in describe(settings)
    other = read(tmp_path, text, {"ADMIN_TOKEN": "another-token-entirely"})
    assert config_hash(other) == config_hash(settings)


@pytest.mark.parametrize(
    "text",
    ["webhook: {secret: {{0}: 1}}", "webhook: {secret: [{0}]}", "webhook: {secret: *{0}}",
     "webhook: {secret: &{0} x}", "webhook: {secret: !{0} x}", 'webhook: {secret: "{0}',
     "webhook: {secret: {0}: {0}}", "webhook: {secret: '{0} '}",
     "state: postgres://u:{0}@h/d"],
)  # fmt: skip
def test_no_mistake_shows_a_secret(tmp_path: Path, text: str) -> None:
    """However a secret is miswritten, the refusal does not quote it."""
    assert "hunter2" not in "\n".join(refuse(tmp_path, text.replace("{0}", "hunter2hunter2")))


@pytest.mark.skipif(os.name != "posix", reason="modes mean little elsewhere")
def test_secrets_that_every_user_can_read_are_warned_about(tmp_path: Path) -> None:
    """A world-readable .env, or config.yaml with a secret in it, is named with the cure."""
    settings = read(tmp_path, f"webhook: {{secret: {GOOD}}}", dotenv=f"ADMIN_TOKEN={GOOD}\n")
    for name in (".env", "config.yaml"):
        (tmp_path / name).chmod(0o644)
    assert sum("chmod 600" in line for line in warnings(settings)) == 2
    for name in (".env", "config.yaml"):
        (tmp_path / name).chmod(0o600)
    assert warnings(settings) == []


def test_unwise_settings_are_warned_about(tmp_path: Path) -> None:
    """Trusting every proxy and half a step to live are said aloud."""
    text = "trading: live\nwebhook: {trusted_proxies: [0.0.0.0/0]}"
    first, second = warnings(read(tmp_path, text))
    assert first.startswith("trading is live and no account is")
    assert second.startswith("webhook.trusted_proxies trusts everybody")


# --- credentials, markets and live accounts ------------------------------------------------------

SANDBOX = "accounts: {main: {broker: binance, sandbox: true}}\ndefault_account: main\n"
SECRET = {"TRADINGVIEW_WEBHOOK_SECRET": GOOD}


def test_credentials_come_from_the_environment_and_the_accounts_own_win(tmp_path: Path) -> None:
    """`<ACCOUNT>_<NAME>` before `<NAME>`, environment and .env alike; two accounts keep theirs apart."""
    text = (
        "accounts:\n  my main.1: {broker: binance, sandbox: true}\n"
        "  other: {broker: binance, sandbox: true}\ndefault_account: other\n"
    )
    dotenv = "MY_MAIN_1_BINANCE_API_KEY=its-own-key\nOTHER_BINANCE_API_SECRET=\n"
    settings = read(tmp_path, text, KEYS_OF_BINANCE, dotenv, needs=NEEDS)
    first, second = settings.accounts["my main.1"], settings.accounts["other"]
    assert first.credentials == {**KEYS_OF_BINANCE, "BINANCE_API_KEY": "its-own-key"}
    assert second.credentials == KEYS_OF_BINANCE
    assert first.missing == second.missing == ()


def test_no_credential_shows(tmp_path: Path) -> None:
    """Neither print nor --check shows one, a message is cleaned of them, and the hash ignores them."""
    settings = read(tmp_path, SANDBOX, KEYS_OF_BINANCE, needs=NEEDS)
    shown = [repr(settings), str(settings), repr(settings.accounts["main"]), *describe(settings)]
    assert not any(value in line for line in shown for value in KEYS_OF_BINANCE.values())
    assert '# main: BINANCE_API_KEY: "***"' in describe(settings)
    assert set(KEYS_OF_BINANCE.values()) <= set(settings.known_secrets)
    other = {name: f"{value}-other" for name, value in KEYS_OF_BINANCE.items()}
    assert config_hash(read(tmp_path, SANDBOX, other, needs=NEEDS)) == config_hash(settings)


def test_a_short_credential_is_not_masked_in_every_message(tmp_path: Path) -> None:
    """An app id of one digit would turn every price with that digit into stars."""
    environ = {"BINANCE_API_KEY": "8", "BINANCE_API_SECRET": "long-enough"}
    assert read(tmp_path, SANDBOX, environ, needs=NEEDS).known_secrets == ("long-enough",)


def test_a_live_account_without_credentials_does_not_start(tmp_path: Path) -> None:
    """Told twice that it is live and unable to log in: the variables are named."""
    some = {**SECRET, "BINANCE_API_KEY": "key-0123456789"}
    (problem,) = refuse(tmp_path, LIVE, environ=some, needs=NEEDS)
    assert problem == (
        "config.yaml: accounts.main.live: is live and needs BINANCE_API_SECRET "
        "(or MAIN_BINANCE_API_SECRET): put them into .env"
    )
    both = {**SECRET, **KEYS_OF_BINANCE}
    assert read(tmp_path, LIVE, both, needs=NEEDS).live_accounts == ("main",)


@pytest.mark.parametrize("value", [" padded", "two\nlines"])
def test_a_credential_that_was_pasted_badly_is_named_and_not_shown(
    tmp_path: Path, value: str
) -> None:
    """Spaces around a key are the copier's; the problem quotes none of it."""
    environ = {**KEYS_OF_BINANCE, "BINANCE_API_SECRET": value}
    (problem,) = refuse(tmp_path, SANDBOX, environ=environ, needs=NEEDS)
    assert problem == ("environment: BINANCE_API_SECRET: expected a text without spaces around it")


def test_a_sandbox_without_credentials_starts_and_says_so(tmp_path: Path) -> None:
    """It cannot trade and harms nobody: a warning. Neither live nor sandbox is paper without a word."""
    settings = read(tmp_path, SANDBOX, needs=NEEDS)
    assert settings.accounts["main"].missing == NEEDS["binance"]
    (said,) = warnings(settings)
    assert said.startswith(
        "accounts.main cannot log in: its alerts are refused. Set BINANCE_API_KEY"
    )
    paper = read(tmp_path, SANDBOX.replace(", sandbox: true", ""), needs=NEEDS)
    assert warnings(paper) == []
    assert paper.live_accounts == ()


def test_two_accounts_never_share_their_own_variables(tmp_path: Path) -> None:
    """Names that differ in punctuation only would log in as one another."""
    text = (
        "accounts: {a b: {broker: binance, sandbox: true}, a.b: {broker: binance, sandbox: true}}\n"
        "default_account: a.b\n"
    )
    (problem,) = refuse(tmp_path, text, environ=KEYS_OF_BINANCE, needs=NEEDS)
    assert problem == (
        "config.yaml: accounts.a.b: and a b would share the variables A_B_…: rename one of them"
    )


@pytest.mark.parametrize(
    ("market", "said"),
    [
        ("", "is missing: use one of: spot, linear"),
        (", market: futures", "binance does not trade it: use one of: spot, linear"),
    ],
)
def test_an_accounts_market_is_one_of_its_brokers(tmp_path: Path, market: str, said: str) -> None:
    """A name means nothing on an account whose market the broker does not have."""
    text = SANDBOX.replace("sandbox: true", f"sandbox: true{market}")
    (problem,) = refuse(tmp_path, text, markets={"binance": ("spot", "linear")})
    assert problem == f"config.yaml: accounts.main.market: {said}"
    one = read(tmp_path, SANDBOX, markets={"binance": ("spot",)})
    assert one.accounts["main"].market == "spot"  # also on paper


def test_a_live_account_must_have_limits(tmp_path: Path) -> None:
    """What was not said is not infinite: the refusal shows the very line to add."""
    bare = LIVE.replace(LIMITS, "")
    (problem,) = refuse(tmp_path, bare, environ=SECRET)
    said = "risk: {max_notional: 1000, max_position: 2000, max_daily_loss: 200}"
    assert problem.startswith(
        "config.yaml: accounts.main.risk: a live account must set max_notional"
    )
    assert problem.endswith(f"in USD, {said}")
    pasted = bare.replace("live: true}", f"live: true, {said}}}")
    assert read(tmp_path, pasted, SECRET).accounts["main"].risk.max_position == 2000


def test_a_limit_counts_wherever_it_holds(tmp_path: Path) -> None:
    """At the top, on the account, or on every strategy that trades there; one strategy is not enough."""
    top = "risk: {max_notional: 1, max_position: 1}\n"
    bare = LIVE.replace(LIMITS, top)
    every = bare + "strategies: {a: {account: main, risk: {max_daily_loss: 5}}}\n"
    assert read(tmp_path, every, SECRET).strategies["a"].risk.max_daily_loss == 5
    some = every.replace("5}}}", "5}}, b: {account: main}}")
    (problem,) = refuse(tmp_path, some, environ=SECRET)
    assert problem.endswith("in USD, risk: {max_daily_loss: 200}")


def test_live_keys_never_travel_in_the_clear(tmp_path: Path) -> None:
    """A base_url without TLS is for this machine alone; a sandbox is warned."""
    text = LIVE.replace("live: true", "live: true, base_url: 'http://{}/'")
    assert "unencrypted" in refuse(tmp_path, text.replace("{}", "venue.example"), environ=SECRET)[0]
    here = read(tmp_path, text.replace("{}", "127.0.0.1:9000"), SECRET)
    assert here.accounts["main"].base_url == "http://127.0.0.1:9000"
    sandbox = SANDBOX.replace("sandbox: true", "sandbox: true, base_url: 'http://venue.example'")
    assert any("unencrypted" in line for line in warnings(read(tmp_path, sandbox)))


# --- the files that are shipped ------------------------------------------------------------------

COMMENTED = re.compile(r"^( *)# ([a-z_]+: .*)$")


def shipped() -> list[str]:
    """Return config.yaml line by line."""
    return read_shipped("config.yaml").splitlines()


@pytest.mark.skipif(not shutil.which("git"), reason="without git there is only the file")
def test_what_a_user_changed_is_not_what_is_shipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A port of one's own in config.yaml fails no test; a folder without git is taken as it is."""
    for name in [each for each in os.environ if each.startswith("GIT_")]:
        monkeypatch.delenv(name)  # inside a hook they would lead to the real repository
    monkeypatch.setattr(shipped_files, "ROOT", tmp_path)
    (tmp_path / "config.yaml").write_text("webhook: {port: 8080}\n")
    assert shipped() == ["webhook: {port: 8080}"]
    for command in (["init", "-q"], ["add", "config.yaml"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    (tmp_path / "config.yaml").write_text("webhook: {port: 8081}\n")
    assert shipped() == ["webhook: {port: 8080}"]


def read_with_venues(folder: Path, lines: list[str]) -> Settings:
    """Load a config.yaml as the receiver does, which knows every venue."""
    file = folder / "config.yaml"
    file.write_text("\n".join(lines), encoding="utf-8")
    return load(file, {}, list_facts(ALL_BROKERS))


def test_config_yaml_runs_as_shipped_on_paper(tmp_path: Path) -> None:
    """A fresh copy trades nothing real and says which two sandboxes lack their keys, nothing else."""
    settings = read_with_venues(tmp_path, shipped())
    lacking = {name for name, each in settings.accounts.items() if each.sandbox and each.missing}
    assert lacking == {"paper_tastytrade", "paper_tradovate"}
    assert len(warnings(settings)) == len(lacking)
    assert all("cannot log in" in said for said in warnings(settings))
    assert settings.is_development
    first, second = settings.strategies.values()
    assert (first.default_quantity, first.use_market_orders) == (Decimal("0.01"), True)
    assert (second.default_quantity, second.use_market_orders) == (Decimal(100), False)
    assert (first.accounts, second.accounts) == ({"binance": 1}, {"bybit": 1})


def test_config_yaml_is_short() -> None:
    """The file that everybody edits is seen at one glance; docs/configuration.md is the manual."""
    assert len(shipped()) <= 40


def test_every_commented_line_can_be_switched_on(tmp_path: Path) -> None:
    """Removing a "# " anywhere in the shipped file gives a file that still starts."""
    commented = [number for number, line in enumerate(shipped()) if COMMENTED.match(line)]
    assert commented
    for number in commented:
        lines = shipped()
        lines[number] = COMMENTED.sub(r"\1\2", lines[number])
        assert read_with_venues(tmp_path, lines).strategy("my-ma-cross").enabled


MANUAL = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
BLOCKS: dict[str, type[BaseModel]] = {
    "top": Options,
    "webhook": Webhook,
    "account": Account,
    "strategy": Strategy,
    "sizing": SizingBlock,
    "risk": RiskEverywhere,
    "performance": Performance,
    "logging": Logging,
}


def manual(block: str) -> dict[str, str]:
    """Return each key of a block of the manual with the default it shows."""
    table = re.search(rf"<!-- settings: {block} -->\n(.+?)<!-- /settings -->", MANUAL, re.DOTALL)
    assert table is not None, f"docs/configuration.md has no table of {block}"
    rows = [line.split("|") for line in table[1].splitlines()[2:]]
    return {row[1].strip(" `"): row[2].strip() for row in rows}


@pytest.mark.parametrize("block", BLOCKS)
def test_the_manual_has_every_setting_and_no_other(block: str) -> None:
    """docs/configuration.md never lags behind the code; `exchange` is the spelling it shows of account."""
    fields = BLOCKS[block].model_fields
    names = {"exchange" if (block, name) == ("strategy", "account") else name for name in fields}
    assert set(manual(block)) == names


@pytest.mark.parametrize("block", BLOCKS)
def test_the_manual_shows_the_defaults(block: str, tmp_path: Path) -> None:
    """A file that sets each key of a block to the default shown means the same as one that sets none."""
    shown = {key: yaml.safe_load(value.strip("`")) for key, value in manual(block).items()}
    account: dict[str, object] = {"broker": "paper"}
    strategy: dict[str, object] = {"default_quantity": None}
    plain = {"accounts": {"paper_simulator": account}, "strategies": {"trend": strategy}}
    if block == "performance":  # without the block nothing is judged
        plain["performance"] = {}
    before = describe(read(tmp_path, yaml.safe_dump(plain)))
    match block:
        case "top":
            written = shown | plain
        case "account":
            assert shown["broker"] == "required"
            written = plain | {"accounts": {"paper_simulator": shown | account}}
        case "strategy":
            written = plain | {"strategies": {"trend": shown}}
        case "sizing":
            assert shown.pop("quantity") == "required"
            del strategy["default_quantity"]
            strategy["sizing"] = {"quantity": 1}
            before = describe(read(tmp_path, yaml.safe_dump(plain)))
            strategy["sizing"] = {"quantity": 1, **shown}
            written = plain
        case _:
            written = plain | {block: shown}
    assert describe(read(tmp_path, yaml.safe_dump(written))) == before


def test_env_example_names_only_what_is_read(tmp_path: Path) -> None:
    """Each name there changes a setting, and copying the file unchanged changes nothing."""
    example = read_shipped(".env.example")
    names = re.findall(r"^#?([A-Z_]+)=", example, re.MULTILINE)
    ours = ["TRADINGVIEW_WEBHOOK_SECRET", "TRADINGVIEW_WEBHOOK_SECRET_OLD", "ADMIN_TOKEN"]
    ours += ["MCP_TOKEN", "METRICS_TOKEN", "NOTIFY_URLS", "HOST", "PORT", "LOG_LEVEL", "PRICES"]
    elsewhere = ["BYBIT_API_KEY", "BYBIT_API_SECRET"]
    elsewhere += ["CCXT_API_KEY", "CCXT_API_SECRET", "CCXT_PASSPHRASE"]
    elsewhere += [f"TASTYTRADE_{each}" for each in ("CLIENT_ID", "CLIENT_SECRET", "REFRESH_TOKEN")]
    elsewhere += [f"TRADOVATE_{each}" for each in ("USERNAME", "PASSWORD", "CID", "SECRET")]
    elsewhere += ["TRADOVATE_ACCESS_TOKEN", "PROJECTX_USERNAME", "PROJECTX_API_KEY"]
    assert names == [*ours, *NEEDS["binance"], *elsewhere]
    text = "accounts: {paper_simulator: {broker: binance, sandbox: true}}"
    plain = describe(read(tmp_path, text, dotenv="", needs=NEEDS))
    assert describe(read(tmp_path, text, dotenv=example, needs=NEEDS)) == plain
    values = {"HOST": "localhost", "PORT": "1", "LOG_LEVEL": "DEBUG", "PRICES": "alerts"}
    values["NOTIFY_URLS"] = "ntfy://topic"
    for name in names[: -len(elsewhere)]:
        environ = {name: values.get(name, GOOD)}
        if name.endswith("_OLD"):
            environ["TRADINGVIEW_WEBHOOK_SECRET"] = GOOD
        assert describe(read(tmp_path, text, environ, dotenv="", needs=NEEDS)) != plain
    needs = {"binance": (*NEEDS["binance"], *elsewhere)}
    known = describe(read(tmp_path, text, dotenv="", needs=needs))
    for name in elsewhere:
        assert describe(read(tmp_path, text, {name: GOOD}, dotenv="", needs=needs)) != known


@pytest.mark.parametrize(
    "state",
    [
        "x",
        "sqlite://",
        "sqlite:///",
        "sqlite:////",
        "sqlite:///.",
        "sqlite:///..",
        "sqlite:///folder/",
        "sqlite:///folder/..",
        "sqlite:///:memory:",
        "sqlite:///a\0b",
        "sqlite:///a\nb",
        "sqlite:///state.db?mode=ro",
        "mysql://me:pass-w0rd@host/db",
        "sqlite:///" + "x" * 300,
        "sqlite:///bad\udc80name",
    ],
)
@pytest.mark.parametrize("where", ["environment: DATABASE_URL", "config.yaml: state"])
def test_a_malformed_state_is_a_sentence(tmp_path, state, where):
    """Whatever stands in `state:` or DATABASE_URL is refused in words that show no password."""
    in_file = "" if "DATABASE" in where else f"state: {json.dumps(state)}\n"
    (tmp_path / "config.yaml").write_text(in_file)
    environ = {} if in_file else {"DATABASE_URL": state}
    with pytest.raises(SettingsError) as caught:
        load(tmp_path / "config.yaml", environ, BROKERS)
    assert where in str(caught.value)
    assert "pass-w0rd" not in str(caught.value)
