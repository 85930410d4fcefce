"""What is shown of accounts, what their venues say, and a start that would forget real money."""

from __future__ import annotations

import sys
import threading
from decimal import Decimal
from pathlib import Path

import pytest

import webhook_server
from brokers.protocol import BrokerRefused, Check, Instrument
from desk.api.accounts import connect, describe_account, list_symbols, show_accounts
from desk.config.load import load
from desk.orders.ledger import LotLedger
from desk.orders.position_book import PositionBook
from desk.orders.strategy_position import StrategyPosition
from tests.support.fakes import DeskBench, HangingBroker, make_facts
from tests.support.running import GUARDED, OWNER, launch, receivers, running

NEEDS = ("VENUE_KEY", "VENUE_SECRET")
KEYS = {"VENUE_KEY": "key-0123456789", "VENUE_SECRET": "hush-0123456789"}
LIMITS = "risk: {max_notional: 1000, max_position: 2000, max_daily_loss: 200}\n"
LIVE = (
    "trading: live\ndefault_account: venue\n"
    + LIMITS
    + "accounts: {venue: {broker: venue, live: true, market: linear, currency: USDT}}\n"
    "strategies: {trend: {account: venue, risk: {symbols: [BTCUSDT.P, LUNAUSDT.P]}}}\n"
)
GOOD = Check(
    may_trade=True,
    may_withdraw=False,
    clock_offset_ms=12,
    position_mode="one-way",
    balance={"USDT": Decimal("1234.50")},
)


class Venue(HangingBroker):
    """A venue that says of an account what the test wants it to."""

    facts = make_facts("reduce_only", needs=NEEDS)
    said: Check | Exception = GOOD

    def __init__(self, *about: object) -> None:
        super().__init__()
        self.may_answer.set()

    def check(self) -> Check:
        if isinstance(self.said, Exception):
            raise self.said
        return self.said

    def instrument(self, symbol: str) -> Instrument:
        if symbol.startswith("LUNA"):
            raise BrokerRefused("no such symbol", "SYMBOL_UNKNOWN")
        if symbol.startswith("BROKEN"):
            raise ValueError
        return super().instrument(symbol)


class Silent(Venue):
    """A venue that takes a call and never answers it."""

    asked_at = threading.Event()

    def check(self) -> Check:
        self.asked_at.set()
        threading.Event().wait(5)
        return GOOD


def saying(said: Check | Exception) -> type[Venue]:
    """Return a broker whose venue says this of every account."""
    return type("Saying", (Venue,), {"said": said})


def rows_of(folder: Path, text: str, broker: object, environ: dict[str, str] = KEYS, **how: float):
    """Return the rows of a configuration after its accounts were asked."""
    (folder / "config.yaml").write_text(text + "webhook: {secret: correct-horse-battery-8}\n")
    facts = {"paper": make_facts(), "venue": make_facts(needs=NEEDS)}
    settings = load(folder / "config.yaml", environ, facts)
    rows = show_accounts(settings)
    real = {name: broker for name, each in settings.accounts.items() if each.broker != "paper"}
    return connect(rows, real, list_symbols(settings, []), **how)


@pytest.fixture
def start(tmp_path: Path):
    """Start receivers; they are stopped at the end."""
    with receivers(tmp_path) as function:
        yield function


# --- what a row says -----------------------------------------------------------------------------


def test_each_account_says_how_it_trades_and_what_it_lacks(start):
    """Without connect nobody is asked: broker, mode, what is missing, for whoever may read."""

    class Unasked(Silent):
        asked_at = threading.Event()  # another test may have set that of all others

    receiver = start(
        "accounts:\n  paper_simulator: {broker: paper, cash: 5000}\n"
        "  test: {broker: venue, sandbox: true}\n  later: {broker: venue, live: true}\n"
        "strategies: {trend: {account: test}}\n",
        brokers={"venue": Unasked},
    )
    paper, test, later = receiver.get("/accounts")["accounts"]
    assert (paper["mode"], paper["paper_cash"], paper["problems"]) == ("paper", "5000", [])
    assert (test["mode"], test["missing"]) == ("sandbox", list(NEEDS))
    assert test["strategies"] == ["trend"]
    assert test["problems"] == ["set VENUE_KEY, VENUE_SECRET in .env and restart"]
    assert (later["mode"], later["missing"], later["problems"]) == ("paper", list(NEEDS), [])
    assert "reachable" not in test
    assert not Unasked.asked_at.is_set()


def test_only_the_owner_may_have_venues_asked(start):
    """Logging in everywhere takes the token, and no page of another site can cause it."""
    receiver = start("")
    assert receiver.client.get("/accounts").status_code == 401
    assert receiver.client.get("/accounts?connect=1").status_code == 401
    elsewhere = {**OWNER, "Sec-Fetch-Site": "cross-site"}
    assert receiver.client.get("/accounts?connect=1", headers=elsewhere).status_code == 403
    assert receiver.client.get("/accounts?connect=yes", headers=OWNER).status_code == 400
    development = start("", environ={})
    assert development.client.get("/accounts").status_code == 200
    assert development.client.get("/accounts?connect=1").status_code == 401


def test_a_venue_says_what_the_account_may_do(start):
    """With connect a row has what the venue told, and whether each strategy's symbols exist."""
    receiver = start(LIVE, {**GUARDED, **KEYS}, {"venue": Venue})
    (row,) = receiver.get("/accounts?connect=1")["accounts"]
    assert (row["mode"], row["reachable"], row["key_valid"]) == ("live", True, True)
    assert (row["may_trade"], row["may_withdraw"], row["clock_offset_ms"]) == (True, False, 12)
    assert (row["position_mode"], row["balance"]) == ("one-way", {"USDT": "1234.5"})
    assert row["symbols"] == {"trend": {"BTCUSDT.P": True, "LUNAUSDT.P": False}}
    assert row["problems"] == ["trend: the venue does not know LUNAUSDT.P"]
    assert row["warnings"] == []
    page = receiver.client.get("/accounts?connect=1", headers=OWNER).get_data(as_text=True)
    assert not any(value in page for value in KEYS.values())


@pytest.mark.parametrize(("said", "reachable", "valid", "problem"), [
    (Check(problem="it cannot be reached"), False, None, "it cannot be reached"),
    (Check(problem="the keys were refused", clock_offset_ms=3), True, False, "the keys were refused"),
    (Check(may_trade=False), True, True, "the key may not trade: allow it at the venue"),
    (Check(position_mode="hedge"), True, True,
     "the account is in hedge mode: switch it to one-way at the venue"),
    (ValueError("https://venue/?key=hush-0123456789"), False, None,
     "the venue could not be asked: an error of ours, see the log"),
])  # fmt: skip
def test_what_is_wrong_with_an_account_is_said(
    tmp_path: Path, said: Check | Exception, reachable: bool, valid: bool | None, problem: str
) -> None:
    """Unreachable, refused, not allowed, hedged or broken: a row with a problem, never an error."""
    text = LIVE.replace(", LUNAUSDT.P", "")
    (row,) = rows_of(tmp_path, text, saying(said)())
    assert (row["reachable"], row["key_valid"], row["problems"]) == (reachable, valid, [problem])


def test_what_is_unwise_is_a_warning(tmp_path: Path) -> None:
    """A key that may withdraw and a clock that is off do not stop anything."""
    said = Check(may_trade=True, may_withdraw=True, clock_offset_ms=-1500)
    text = LIVE.replace(", LUNAUSDT.P", "")
    (row,) = rows_of(tmp_path, text, saying(said)())
    assert row["problems"] == []
    assert [line.split(":")[0] for line in row["warnings"]] == [
        "the key may withdraw",
        "this machine's clock differs from the venue's",
    ]


def test_a_silent_venue_is_waited_for_once(tmp_path: Path) -> None:
    """All venues are asked at once and within a bound; one that hangs is a row that says so."""
    text = LIVE.replace("accounts: {", "accounts: {more: {broker: venue, live: true}, ")
    rows = rows_of(tmp_path, text, Silent(), seconds=0.1)
    assert [row["reachable"] for row in rows] == [False, False]
    assert rows[0]["problems"] == ["the venue did not answer in time"]
    assert rows[0]["balance"] == {}


def test_a_venue_without_keys_is_not_asked(tmp_path: Path) -> None:
    """Nothing is tried that must fail: the row names the variables."""
    text = LIVE.replace("live: true", "sandbox: true")
    (row,) = rows_of(tmp_path, text, Silent(), {}, seconds=0.1)
    assert (row["reachable"], row["problems"]) == (
        None,
        ["set VENUE_KEY, VENUE_SECRET in .env and restart"],
    )


def test_a_symbol_that_cannot_be_asked_is_neither_known_nor_unknown(tmp_path: Path) -> None:
    """A fault while looking one symbol up says nothing of it; the account's maps are looked up too."""
    text = LIVE.replace("LUNAUSDT.P", "BROKEN").replace(
        "market: linear", 'market: linear, symbols: {"COINBASE:BTCUSD": "LUNA2"}'
    )
    (row,) = rows_of(tmp_path, text, Venue())
    assert row["symbols"] == {"trend": {"BTCUSDT.P": True, "BROKEN": None, "LUNA2": False}}
    assert row["problems"] == ["trend: the venue does not know LUNA2"]


def test_what_is_held_is_looked_up(tmp_path: Path) -> None:
    """The symbols of positions at the venue are checked beside those that the configuration names."""
    file = tmp_path / "config.yaml"
    file.write_text(LIVE.replace("live: true", "sandbox: true"))
    settings = load(file, {}, {"venue": make_facts()})
    positions = {
        "trend": StrategyPosition(
            "trend", symbol="ETHUSDT.P", ledger=LotLedger(quantity=Decimal(1))
        ),
        "manual": StrategyPosition("manual", symbol="SOLUSDT.P"),
    }
    books = [
        PositionBook("venue", paper, Instrument(f"ETH{paper}", "linear"), positions)
        for paper in (False, True)
    ]
    asked = {name: list(some) for name, some in list_symbols(settings, books)["venue"].items()}
    assert asked == {"trend": ["BTCUSDT.P", "LUNAUSDT.P", "ETHUSDT.P"]}


# --- the command line ----------------------------------------------------------------------------


def check_from_the_command_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, broker: type[Venue]
) -> int:
    """Run `--check --connect` and return its exit code."""
    (folder / "config.yaml").write_text(text)
    for name, value in {**GUARDED, **KEYS}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setitem(webhook_server.BROKERS, "venue", broker)
    try:
        webhook_server.main(["--config", str(folder / "config.yaml"), "--check", "--connect"])
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_check_connect_prints_what_each_venue_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A person reads it, no key is in it, and all is well means exit code 0."""
    text = LIVE.replace(", LUNAUSDT.P", "")
    assert check_from_the_command_line(tmp_path, monkeypatch, text, Venue) == 0
    said = capsys.readouterr().out
    for line in ("venue: venue, live", "  reachable: yes", "  may withdraw: no", "  clock offset ms: 12",
                 "  balance: 1234.5 USDT", "  trend: BTCUSDT.P exists"):  # fmt: skip
        assert f"{line}\n" in said
    assert not any(value in said for value in KEYS.values())


@pytest.mark.parametrize(("mode", "code"), [("live: true", 1), ("sandbox: true", 0)])
def test_a_problem_of_a_live_account_fails_the_check(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    mode: str,
    code: int,
) -> None:
    """The exit code is for scripts: not zero where real money could not trade."""
    text = LIVE.replace("live: true", mode)
    assert (
        check_from_the_command_line(tmp_path, monkeypatch, text, saying(Check(problem="no")))
        == code
    )
    assert "  problem: no\n" in capsys.readouterr().out


def test_connect_goes_with_check(capsys: pytest.CaptureFixture[str]) -> None:
    """Asking venues is no way to start."""
    with pytest.raises(SystemExit):
        webhook_server.main(["--connect"])
    assert "--connect goes with --check" in capsys.readouterr().err


def test_a_row_that_nobody_asked_is_described_too(tmp_path: Path) -> None:
    """A paper account is two words and no problem."""
    (row,) = rows_of(tmp_path, "", Venue())
    assert describe_account(row) == ["paper_simulator: paper, paper"]


# --- real money is not forgotten -----------------------------------------------------------------


def hold_live(start):
    """Return a receiver, stopped, whose live account holds one BTCUSDT.P."""
    receiver = start(LIVE, {**GUARDED, **KEYS}, {"venue": Venue})
    assert receiver.buy("BTCUSDT.P", strategy="trend").get_json()["status"] == "filled"
    receiver.stop()
    return receiver


@pytest.mark.parametrize("change", [
    ("trading: live", "trading: paper"), ("live: true, ", ""), ("venue: {broker", "other: {broker"),
])  # fmt: skip
def test_open_live_positions_stop_a_start_that_is_not_live(
    start,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    change: tuple[str, str],
) -> None:
    """Neither switch alone, nor an account that is gone, lets positions be forgotten by mistake."""
    receiver = hold_live(start)
    text = LIVE.replace(*change)
    if "other" in change[1]:
        text = text.replace("default_account: venue", "default_account: other")
        text = text.replace("account: venue", "account: other")
    receiver.file.write_text(text)
    with pytest.raises(SystemExit) as ended:
        receiver.open()
    assert ended.value.code == 3
    said = capsys.readouterr().err
    assert "1 BTCUSDT.P on venue" in said
    assert "--abandon-live" in said
    monkeypatch.setenv("ABANDON_LIVE", "1")
    receiver.open()
    assert receiver.get("/positions")["positions"] == []
    assert any("left alone" in each["message"] for each in receiver.get("/status")["events"])
    receiver.stop()


def test_what_was_abandoned_is_there_again(start, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record is kept: a configuration that is live again takes the position up."""
    receiver = hold_live(start)
    receiver.file.write_text(LIVE.replace("trading: live", "trading: paper"))
    monkeypatch.setenv("ABANDON_LIVE", "1")
    receiver.open()
    receiver.stop()
    monkeypatch.delenv("ABANDON_LIVE")
    receiver.file.write_text(LIVE)
    receiver.open()
    assert receiver.held() == {("trend", "BTCUSDT.P"): 1}


def test_a_sandbox_and_paper_may_be_left_behind(start) -> None:
    """Only real money stops a start; a sandbox that is a sandbox still trades its own."""
    sandbox = LIVE.replace("live: true", "sandbox: true")
    receiver = start(sandbox, {**GUARDED, **KEYS}, {"venue": Venue})
    assert receiver.buy("BTCUSDT.P", strategy="trend").get_json()["status"] == "filled"
    receiver.restart()
    assert receiver.held() == {("trend", "BTCUSDT.P"): 1}


@pytest.mark.parametrize("change", [("sandbox: true, ", ""), ("venue: {broker", "other: {broker")])
def test_a_position_of_a_sandbox_is_not_called_live(
    start, capsys: pytest.CaptureFixture[str], change: tuple[str, str]
) -> None:
    """It was never live: the way back is `sandbox: true`, also where the account is gone."""
    sandbox = LIVE.replace("live: true", "sandbox: true").replace("trading: live", "trading: paper")
    receiver = start(sandbox, {**GUARDED, **KEYS}, {"venue": Venue})
    assert receiver.buy("BTCUSDT.P", strategy="trend").get_json()["status"] == "filled"
    receiver.stop()
    text = sandbox.replace(*change)
    if "other" in change[1]:
        text = text.replace("account: venue", "account: other")
    receiver.file.write_text(text)
    with pytest.raises(SystemExit) as ended:
        receiver.open()
    assert ended.value.code == 3
    said = capsys.readouterr().err
    assert "1 BTCUSDT.P on venue (sandbox)" in said
    assert "set sandbox: true for venue again" in said
    assert "live: true" not in said


def test_a_live_account_with_positions_never_becomes_a_sandbox(
    start, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sandbox would say that nothing is held, and real money would be forgotten; no flag allows it."""
    receiver = hold_live(start)
    monkeypatch.setenv("ABANDON_LIVE", "1")
    receiver.file.write_text(LIVE.replace("live: true", "sandbox: true"))
    with pytest.raises(SystemExit) as ended:
        receiver.open()
    assert ended.value.code == 3
    said = capsys.readouterr().err
    assert "1 BTCUSDT.P on venue, which is live" in said
    assert "another name" in said
    receiver.file.write_text(LIVE)
    receiver.open()
    assert receiver.held() == {("trend", "BTCUSDT.P"): 1}
    receiver.send(action="close", symbol="BTCUSDT.P", strategy="trend", price=100)
    receiver.stop()
    receiver.file.write_text(LIVE.replace("live: true", "sandbox: true"))
    receiver.open()
    assert receiver.held() == {}


def test_the_flag_reaches_the_worker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`--abandon-live` is the variable that gunicorn's worker reads; without it nothing is set."""
    served = []
    monkeypatch.setattr(webhook_server, "_serve", served.append)
    for name in ("ABANDON_LIVE", "HOST", "PORT", "CONFIG"):
        monkeypatch.setenv(name, "")
    (tmp_path / "config.yaml").write_text("")
    arguments = ["--config", str(tmp_path / "config.yaml")]
    webhook_server.main(arguments)
    assert webhook_server.os.environ["ABANDON_LIVE"] == ""
    webhook_server.main([*arguments, "--abandon-live"])
    assert webhook_server.os.environ["ABANDON_LIVE"] == "1"
    assert len(served) == 2


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="gunicorn")
def test_gunicorn_stops_for_good_until_it_is_told_to_abandon(tmp_path: Path) -> None:
    """No worker is tried again and again; ABANDON_LIVE=1 is the flag where there is no command line."""
    text = "accounts: {venue: {broker: venue, sandbox: true}}\ndefault_account: venue\n"
    bench = DeskBench(tmp_path, text, {"venue": Venue()}, KEYS)
    alert_id = bench.send(action="buy", symbol="BTCUSDT.P", quantity=1, price=100)["alert_id"]
    while bench.status_of(alert_id) == "pending":
        bench.desk.turn([event for event in bench.desk._inbox.drain(10) if event])
    bench.store.close()
    (tmp_path / "config.yaml").write_text("")
    refused = launch(tmp_path)
    assert refused.process.wait(20) == 3
    assert "1 BTCUSDT.P on venue" in refused.said()
    with running(tmp_path, environ={**GUARDED, "ABANDON_LIVE": "1"}) as server:
        assert server.get("/positions")["positions"] == []
