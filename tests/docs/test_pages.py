"""Tests that the pages say what the program does: each command, answer and story is carried out."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from zoneinfo import ZoneInfo

import pytest

import parsers
from brokers import BROKERS, list_facts, protocol
from brokers.instruments.products import PRODUCTS
from desk.alerts.answers import OUTCOMES
from desk.alerts.codes import CODES
from desk.api.routes import ROUTES
from desk.config.load import load
from desk.config.trading_hours import is_within, read_window
from parsers.alert import Alert, ParseError
from tests.support.fakes import DeskBench
from tests.support.shipped import read_shipped

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
        *sorted((ROOT / "docs").rglob("*.md")),
        *(ROOT / name for name in ("deploy/README.md", "examples/README.md", "findings/README.md")),
    ]
}
README = PAGES["README.md"]
BLOCK = re.compile(r"^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
GUARDED = "<!-- server: with a secret -->\n"
HERE = re.compile(r"http://(?:127\.0\.0\.1|localhost):8080")
SECRET = "an-0nly-f0r-the-tests"
TOKEN = "t0ken-0nly-f0r-the-tests"


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language and its text."""

    kind: str
    text: str


def blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a page in their order."""
    return [Block(found["kind"], found["text"]) for found in BLOCK.finditer(text)]


def all_blocks(kind: str) -> list[Any]:
    """Return the blocks of one kind of all pages, each as a case named after its page."""
    return [
        pytest.param(block.text, id=f"{name}-{number}")
        for name, page in PAGES.items()
        for number, block in enumerate(each for each in blocks(page) if each.kind == kind)
    ]


def commands(page: str) -> list[tuple[Block, Block]]:
    """Return each curl of a page that calls this machine, with the block that shows its answer."""
    found = [*blocks(page), Block("nothing", "")]
    return [
        (block, found[at + 1])
        for at, block in enumerate(found)
        if block.kind in ("sh", "bash") and "curl" in block.text and HERE.search(block.text)
    ]


# --- the commands --------------------------------------------------------------------------------


class Server:
    """The receiver as `make run` starts it, with the shipped config.yaml in a folder of its own.

    Only the rate limit is another one: a page of examples is more than ten alerts a minute.
    """

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        shipped = read_shipped("config.yaml")
        (folder / "config.yaml").write_text(f"{shipped}\nwebhook: {{rate_limit: 1000/minute}}\n")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        ours = ("TRADINGVIEW_", "ADMIN_TOKEN", "HOST", "PORT", "DEBUG", "LOG_LEVEL", "CONFIG")
        self.variables = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
        self.variables |= {"ADMIN_TOKEN": TOKEN, "PRICES": "alerts", **variables}
        self.log = folder / "start.log"
        config = str(folder / "config.yaml")
        arguments = [sys.executable, "webhook_server.py", "--config", config]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*arguments, "--port", str(self.port)], cwd=ROOT, env=self.variables, stderr=log
            )
        self._await_start()

    def _await_start(self) -> None:
        for _ in range(1200):
            try:
                urlopen(f"http://127.0.0.1:{self.port}/webhook/test", timeout=5).close()
            except OSError:
                assert self.process.poll() is None, self.log.read_text()
                time.sleep(0.05)
            else:
                return
        pytest.fail(f"the server did not start: {self.log.read_text()}")

    def run(self, command: str) -> str:
        """Carry a command out: a plain curl by hand, one with a pipe by the shell."""
        command = HERE.sub(f"http://127.0.0.1:{self.port}", command.replace("\\\n", " "))
        if "$(" in command:
            if not (shutil.which("curl") and shutil.which("openssl")):
                pytest.skip("needs curl and openssl")
            return subprocess.run(
                ["sh", "-c", command], env=self.variables, capture_output=True, check=True
            ).stdout.decode()
        for name in ("ADMIN_TOKEN", "TRADINGVIEW_WEBHOOK_SECRET"):
            command = command.replace(f"${name}", self.variables.get(name, ""))
        return self._fetch(*read_curl(command))

    def _fetch(self, url: str, method: str, headers: dict[str, str], body: str | None) -> str:
        data = body.encode() if body is not None else None
        request = Request(url, data, headers, method=method)
        try:
            with urlopen(request, timeout=10) as response:
                return response.read().decode()
        except HTTPError as error:
            with error:
                return error.read().decode()


def read_curl(command: str) -> tuple[str, str, dict[str, str], str | None]:
    """Return what a curl command asks for; an option that is not known here fails the test."""
    program, *words = shlex.split(command)
    assert program == "curl", command
    url, method, headers, body = "", "", {}, None
    rest = iter(words)
    for word in rest:
        match word:
            case "-s" | "-i":
                continue
            case "-X":
                method = next(rest)
            case "-H":
                name, _, value = next(rest).partition(": ")
                headers[name] = value
            case "-d" | "--data-binary":
                body = next(rest)
            case _:
                assert word.startswith("http"), word
                url = word
    return url, method or ("GET" if body is None else "POST"), headers, body


@contextmanager
def serve(folder: Path, *, is_guarded: bool) -> Iterator[Server]:
    """Run a receiver as shipped, with a secret or without one."""
    server = Server(folder, {"TRADINGVIEW_WEBHOOK_SECRET": SECRET} if is_guarded else {})
    try:
        yield server
    finally:
        server.process.terminate()
        server.process.wait(30)


def assert_shows(shown: Any, real: Any, where: str = "answer") -> None:
    """Compare what is shown with what came: `…` stands for anything, as a last key for more keys."""
    if shown == "…":
        return
    if isinstance(shown, dict):
        assert isinstance(real, dict), f"{where}: {real!r}"
        names = [name for name in shown if name != "…"]
        if "…" in shown:
            assert set(names) <= set(real), where
        else:
            assert names == list(real), where
        for name in names:
            assert_shows(shown[name], real[name], f"{where}.{name}")
    elif isinstance(shown, list) and shown != ["…"]:
        assert len(shown) == len(real), f"{where}: {real!r}"
        for number, (one, other) in enumerate(zip(shown, real, strict=True)):
            assert_shows(one, other, f"{where}[{number}]")
    elif isinstance(shown, str) and "…" in shown:
        pattern = ".*?".join(map(re.escape, shown.split("…")))
        assert re.fullmatch(pattern, str(real)), f"{where}: {real!r}"
    elif isinstance(shown, float | list):
        assert type(shown) is type(real), f"{where}: {real!r}"
    else:
        assert shown == real, where


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if commands(page)])
def test_each_command_of_a_page_is_answered_as_shown(name: str, tmp_path: Path) -> None:
    """A reader who carries out a page from top to bottom sees each answer that the page shows.

    He is where the page says he is: with a secret on all of it, or without one on all of it.
    """
    page = PAGES[name]
    with serve(tmp_path, is_guarded=page.startswith(GUARDED)) as server:
        for command, shown in commands(page):
            assert shown.kind == "json", f"no answer is shown for: {command.text}"
            try:
                assert_shows(json.loads(shown.text), json.loads(server.run(command.text)))
            except AssertionError as error:
                raise AssertionError(f"{name}: {command.text}\n{error}") from error


def test_the_start_looks_as_shown(tmp_path: Path) -> None:
    """The banner below `make run` is the banner."""
    (shown,) = (b.text for b in blocks(README) if b.text.startswith("TradingView Webhook Receiver"))
    with serve(tmp_path, is_guarded=False) as server:
        real = server.log.read_text().replace(str(server.port), "8080")
    real = real.replace(
        "ADMIN_TOKEN in the environment", "ADMIN_TOKEN in .env"
    )  # as make run has it
    for line, other in zip(shown.splitlines(), real.splitlines(), strict=False):
        assert re.fullmatch(".+?".join(map(re.escape, line.split("…"))), other), other


def test_no_example_has_its_secret_in_the_url() -> None:
    """URLs are logged in many places, so no command teaches to put a secret there."""
    for name, page in PAGES.items():
        for block in blocks(page):
            assert not re.search(r"[?&](secret|auth_token)=", block.text), (name, block.text)


def test_a_page_without_a_secret_uses_none() -> None:
    """What is shown to a reader without a secret works without one."""
    for name, page in PAGES.items():
        if not page.startswith(GUARDED):
            for command, _ in commands(page):
                assert "TRADINGVIEW_WEBHOOK_SECRET" not in command.text, (name, command.text)


def test_each_command_of_the_shell_works(tmp_path: Path) -> None:
    """What a page tells to type beside a curl and a make works in a folder with the .env as shipped."""
    (tmp_path / ".env").write_text(read_shipped(".env.example") + f"ADMIN_TOKEN={TOKEN}\n")
    typed = [
        block.text
        for page in PAGES.values()
        for block in blocks(page)
        if block.kind == "sh" and not re.search(r"\b(curl|make)\b", block.text)
    ]
    assert len(typed) > 2
    shown = 'printf "%s\\n" "$TRADINGVIEW_WEBHOOK_SECRET" "$ADMIN_TOKEN"'
    done = subprocess.run(
        ["sh", "-ec", "\n".join([*typed, shown])], cwd=tmp_path, capture_output=True, check=True
    )
    secret, token = done.stdout.decode().splitlines()
    assert len(secret) > 16
    assert token == TOKEN
    (tmp_path / "config.yaml").write_text(read_shipped("config.yaml"))
    assert secret in load(tmp_path / "config.yaml", {}, list_facts(BROKERS)).known_secrets


MADE = re.compile(r'^make (\w+)(?: ARGS="([^"]*)")?$', re.MULTILINE)


def test_each_task_that_is_named_can_be_made() -> None:
    """A `make` on a page names a target of the Makefile; what it passes on is an option of the program."""
    targets = re.findall(r"^(\w+):.*##|^(\w+): ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    known = {name for pair in targets for name in pair if name}
    options = subprocess.run(
        [sys.executable, "webhook_server.py", "--help"], cwd=ROOT, capture_output=True, check=True
    ).stdout.decode()
    for name, page in PAGES.items():
        for target, arguments in MADE.findall("\n".join(b.text for b in blocks(page))):
            assert target in known, (name, target)
            for option in re.findall(r"--[a-z-]+", arguments):
                assert f"{option} " in options or f"{option}\n" in options, (name, option)


def test_every_option_of_the_command_line_is_explained() -> None:
    """Configuration lists what `--help` lists, and no other."""
    options = subprocess.run(
        [sys.executable, "webhook_server.py", "--help"], cwd=ROOT, capture_output=True, check=True
    ).stdout.decode()
    shown = {name for row in rows("options") for name in re.findall(r"`(--[a-z-]+)`", row[0])}
    assert shown == set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", options, re.MULTILINE)) - {"--help"}


def test_the_two_commands_that_matter_stand_on_lines_of_their_own() -> None:
    """`make run` and `make test` can be copied from a line."""
    assert re.search(r"^make run\b", README, re.MULTILINE)
    assert re.search(r"^make test\b", README, re.MULTILINE)


# --- the messages --------------------------------------------------------------------------------

PLACEHOLDERS = {
    "strategy.order.action": "buy",
    "strategy.order.contracts": "2",
    "strategy.order.price": "45000.5",
    "strategy.order.id": "Long",
    "strategy.order.comment": "breakout",
    "strategy.market_position": "long",
    "strategy.position_size": "2",
    "ticker": "BTCUSDT",
    "close": "45000.5",
    "interval": "60",
    "time": "2025-11-21T04:00:00Z",
    "timenow": "2025-11-21T04:40:00Z",
    "plot_0": "47000",
    "plot_1": "44000",
}


def render(template: str) -> str:
    """Fill the placeholders in as TradingView does."""
    return re.sub(r"\{\{(.+?)\}\}", lambda match: PLACEHOLDERS[match[1]], template)


@pytest.mark.parametrize(
    "template",
    [each for each in all_blocks("json") if re.match(r'\{\s+"(action|symbol)', each.values[0])],
)
def test_each_message_for_tradingview_trades(template: str, bench: DeskBench) -> None:
    """A message that is shown with placeholders buys once they are filled in."""
    answer = bench.send_text(render(template))
    assert (answer["http"], answer["status"]) == (200, "filled"), answer["message"]


# --- the tables ----------------------------------------------------------------------------------


def rows(name: str) -> list[list[str]]:
    """Return the cells of the one table between `<!-- name -->` and `<!-- /… -->`, without its head."""
    marked = re.compile(rf"^<!-- {name} -->\n(.+?)^<!-- /\w+ -->$", re.MULTILINE | re.DOTALL)
    found = [table for page in PAGES.values() for table in marked.findall(page)]
    assert len(found) == 1, f"{len(found)} tables are called {name}"
    lines = [line.strip("|\n") for line in found[0].splitlines()]
    return [[cell.strip() for cell in line.split("|")] for line in lines[2:]]


def test_the_table_of_codes_is_the_one_in_the_code() -> None:
    """The page lists every code an answer can carry, in the words of `desk/alerts/codes.py`."""
    assert rows("codes") == [[f"`{code}`", text] for code, text in CODES.items()]


def test_the_table_of_outcomes_has_every_word() -> None:
    """The page explains each outcome word and no other."""
    assert {row[0].strip("`") for row in rows("outcomes")} == set(OUTCOMES)


def test_a_reversal_whose_entry_is_denied_is_answered_200(bench: DeskBench) -> None:
    """The table of answers says so: the exit happened, and `success` is false."""
    assert '| 200, `"success": false` | a reversal' in PAGES["docs/answers.md"]
    bench.send_text("BUY BTCUSDT.P @ 45000 qty=1")
    answer = bench.send_text("SELL BTCUSDT.P @ 45000 qty=3 sl=44000")
    assert (answer["http"], answer["success"]) == (200, False)
    assert (answer["status"], answer["code"]) == ("denied", "STOP_SIDE")
    assert [order["status"] for order in answer["orders"]] == ["filled", "denied"]


def test_every_file_that_is_named_exists() -> None:
    """A link leads to a file of this project, and a heading that is linked to exists."""
    for name, text in PAGES.items():
        for target in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
            path, _, anchor = target.partition("#")
            linked = ((ROOT / name).parent / path) if path else ROOT / name
            assert linked.is_file(), (name, target)
            if linked.suffix == ".png":
                assert linked.stat().st_size < 100_000, (name, target)
                continue
            there = linked.read_text(encoding="utf-8")
            headings = re.findall(r"^#+ (.+)$", there, re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}
            assert not anchor or anchor in anchors, (name, target)


def test_every_finding_has_its_form() -> None:
    """A finding is listed, names exact versions, says what was seen, and does without this project."""
    page = PAGES["findings/README.md"]
    scripts = list((ROOT / "findings").glob("*.sh"))
    assert len(scripts) == len(re.findall(r"^\| \[", page, re.MULTILINE))
    for path in scripts:
        text = path.read_text(encoding="utf-8")
        assert f"[{path.stem}]({path.name})" in page
        assert os.access(path, os.X_OK), path.name
        packages = re.findall(r"([\w@/-]+)(?:==|@)(\d[\w.]*)", text)
        assert packages, path.name
        for package, version in packages:
            assert f"{package} {version}" in page, (path.name, package)
            assert f"{package} {version}" in text, (path.name, package)
        for part in ("Expected:", "Output seen:", "What to do:"):
            assert part in text, (path.name, part)
        assert not re.search(
            r"webhook_server|^(?:from|import) (?:desk|brokers|parsers)\b", text, re.MULTILINE
        )


def test_every_page_is_linked_from_readme() -> None:
    """Whatever somebody wants to know is two clicks away: README, page, section."""
    for name in PAGES:
        assert name == "README.md" or re.search(rf"\]\({name}[)#]", README), name


def test_every_page_stands_in_the_site() -> None:
    """The pages of `make docs` are these pages."""
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for name in PAGES:
        assert re.search(rf": {name}$", menu, re.MULTILINE), name


def test_readme_is_read_in_one_sitting() -> None:
    """It has at most 250 lines, and what works and what does not yet stands on the first screen."""
    lines = README.splitlines()
    assert len(lines) <= 250
    (head,) = (line for line in lines[:60] if line.startswith("|") and "works" in line)
    assert [cell.strip() for cell in head.strip("|").split("|")] == ["", "works", "not yet"]


def test_sentences_are_short() -> None:
    """No sentence of a page has more than 25 words."""
    for name, page in PAGES.items():
        for sentence in sentences(page):
            assert len(sentence.split()) <= 25, (name, sentence)


def sentences(page: str) -> Iterator[str]:
    """Yield the sentences of a page; blocks, tables, headings and comments have none."""
    page = re.sub(r"^ *```.*?^ *```$", "\n", page, flags=re.MULTILINE | re.DOTALL)
    page = re.sub(r"<!--.*?-->|</?\w+>", "", page, flags=re.DOTALL)
    page = re.sub(r"^(\||#).*$", "", page, flags=re.MULTILINE)
    page = re.sub(r"\]\([^)]*\)", "]", page)
    for paragraph in re.split(r"\n\s*\n|^ *(?:-|\d+\.) ", page, flags=re.MULTILINE):
        plain = re.sub(r"`[^`]*`", "code", " ".join(paragraph.split()))
        yield from re.split(r"(?<=[.!?:])[*_\")]* +", plain)


def test_the_page_of_failures_names_what_status_counts() -> None:
    """What is open in `/status` is explained where a venue's failures are."""
    for name in (
        "unknown_orders",
        "owed_exits",
        "unprotected_positions",
        "halted",
        "silent_accounts",
    ):
        assert f"`{name}`" in PAGES["docs/when-a-venue-fails.md"], name


def test_every_test_that_is_named_exists() -> None:
    """What architecture says always holds is held by the tests that it names."""
    source = "\n".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")
    )
    named = re.findall(r"`(test_\w+)`", "\n".join(row[1] for row in rows("invariants")))
    assert len(named) > 20
    for name in named:
        assert f"def {name}(" in source, name


def test_every_route_and_every_variable_is_named() -> None:
    """The pages know each address the server answers and each variable that .env may hold."""
    server = (ROOT / "webhook_server.py").read_text()
    answers, configuration = PAGES["docs/answers.md"], PAGES["docs/configuration.md"]
    served = re.findall(r'@app\.(?:get|post)\("([^"]+)"\)', server)
    for route in [*served, *(each.path for each in ROUTES)]:
        assert f"`{route}`" in answers or f" {route}`" in answers, route
    for name in re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE):
        assert f"`{name}`" in configuration, name


FIELDS = {
    "action, symbol": ("action", "symbol"),
    "quantity": ("quantity",),
    "limit or stop level, stop loss, take profit": ("limit_price", "stop_loss", "take_profit"),
    "order type, account, stated position": ("order_type", "account", "market_position"),
    "price of a market order, comment, interval, …": ("price", "comment", "interval"),
}
UNREADABLE = {"missing": (), "null": (None,), '""': ("",), "NaN": ("NaN", "{{plot_0}}", "{{x}}")}
TOLD = {"refused": 400, "left out": "silent", "left out, with a warning": "warned"}
COMPLETE = {"action": "buy", "symbol": "BTCUSDT", "quantity": "1", "price": "45000"}


@pytest.mark.parametrize("row", rows("unreadable"), ids=lambda row: row[0].split(",")[0])
def test_the_table_of_unreadable_values_holds(row: list[str], tmp_path: Path) -> None:
    """For each kind of field, what the page says of a missing, empty or unresolved value is what happens."""
    for field in FIELDS[row[0]]:
        for cell, values in zip(row[1:], UNREADABLE.values(), strict=True):
            alert = COMPLETE | ({"order_type": "limit"} if field == "limit_price" else {})
            alert.pop(field, None)
            bodies = [json.dumps(alert | {field: value}) for value in values] or [json.dumps(alert)]
            for body in bodies:
                assert read(body) == TOLD[cell.partition(";")[0]], (field, body)


def read(body: str) -> int | str:
    """Return 400, or whether a body was read with or without a warning."""
    (alert,) = parsers.parse(body.encode()).alerts
    if isinstance(alert, ParseError):
        return alert.status
    return "warned" if alert.warnings else "silent"


def test_each_alias_is_read_as_its_field() -> None:
    """The other names of a field mean the field."""
    for field, others, sample in rows("aliases"):
        names, value = re.findall("`(.+?)`", field + others), json.loads(sample.strip("`"))
        for name in names:
            alert = {k: v for k, v in COMPLETE.items() if k not in (names[0], "price")}
            (found,) = parsers.parse(json.dumps(alert | {name: value}).encode()).alerts
            assert isinstance(found, Alert), (name, found)
            assert (found.warnings, found.unsupported) == ((), ()), name
            fields = {"timenow": "fired_at", "timestamp": "bar_at", "timeframe": "interval_seconds"}
            said = getattr(
                found, fields.get(names[0], names[0]).replace("account_group", "account")
            )
            assert said is not None, name


def test_the_page_of_futures_names_every_product() -> None:
    """And none that is not known."""
    named = [root for _, roots in rows("products") for root in re.findall("`(.+?)`", roots)]
    assert sorted(named) == sorted(PRODUCTS)


def test_the_examples_of_hours_are_those_of_the_exchange() -> None:
    """CME's week begins on Sunday at 17:00 in Chicago and pauses at 16:00 each day."""
    texts = {t for page in PAGES.values() for t in re.findall(r'"(sun-thu [^"]+)"', page)}
    assert texts
    chicago = ZoneInfo("America/Chicago")
    for text in texts:
        window = read_window(text)
        for day, clock, is_open in ((22, 17, True), (24, 16, False), (22, 16, False)):
            moment = datetime(2026, 11, day, clock, 30, tzinfo=chicago)  # the 22nd is a Sunday
            assert is_within(window, int(moment.timestamp() * 1000)) is is_open, (text, moment)


# --- the stories ---------------------------------------------------------------------------------

SAID = {"filled": ("bought", "sold"), "accepted": ("resting buy", "resting sell")}


def tell(answer: dict[str, Any]) -> str:
    """Return what came of an alert as the stories write it."""
    if answer["duplicate"]:
        return "duplicate"
    said = []
    for order in answer["orders"]:
        words = SAID.get(order["status"])
        if words is None:
            said.append(f"{order['status']} {order['code'] or ''}".strip())
        else:
            said.append(f"{words[order['side'] == 'sell']} {order['quantity']}")
    return ", ".join(said) or answer["code"] or answer["status"]


def play(
    story: str, folder: Path, make: Callable[[Path, str], DeskBench]
) -> Iterator[tuple[str, str]]:
    """Carry out each line of a story; yield what it says and what happened."""
    lines = [line for line in story.splitlines() if line.strip()]
    config = [line.removeprefix("config.yaml: ") for line in lines if line.startswith("config.")]
    bench = make(folder, "\n".join(config))
    symbol, strategy = "BTCUSDT", "default"
    for line in lines[len(config) :]:
        if match := re.fullmatch(r"\((\d+) s later\)", line):
            bench.tick(int(match[1]))
        elif match := re.fullmatch(r"\(it is (\S+)\)", line):
            bench.clock.now = int(datetime.fromisoformat(match[1]).timestamp() * 1000)
        elif match := re.fullmatch(r"\(the price of (\S+) moves to (\S+?)\)(?: +→ (.+))?", line):
            bench.send(action="close", symbol=match[1], price=match[2], strategy="somebody else")
            if match[3]:
                yield match[3], holds(bench, strategy, symbol)
        else:
            body, _, shown = line.partition(" → ")
            answer = bench.send_text(body.strip())
            symbol, strategy = answer["symbol"] or symbol, answer["strategy"] or strategy
            told = tell(answer)
            if "· holds" in shown:
                told += f" · {holds(bench, strategy, symbol)}"
            yield shown, told
    bench.store.close()


def holds(bench: DeskBench, strategy: str, symbol: str) -> str:
    """Return the position of a strategy in words."""
    return f"holds {format(bench.held(strategy, symbol).normalize() + Decimal(0), 'f')}"


@pytest.mark.parametrize("story", all_blocks("alerts"))
def test_each_story_ends_as_it_is_told(story: str, tmp_path: Path) -> None:
    """What the page says an alert means for a position is what happens to it."""
    happened = list(play(story, tmp_path, DeskBench))
    assert happened
    for shown, real in happened:
        assert shown == real


@pytest.mark.parametrize("config", all_blocks("yaml"))
def test_each_piece_of_configuration_is_accepted(config: str, tmp_path: Path) -> None:
    """What a page shows of config.yaml starts."""
    file = tmp_path / "config.yaml"
    file.write_text(config)
    facts = list_facts(BROKERS)
    keys = {name: "made-up" for each in facts.values() for name in each.needs}
    load(file, {"TRADINGVIEW_WEBHOOK_SECRET": SECRET, **keys}, facts)


LOOKED_UP = {"DUPLICATE", "ORDER_UNKNOWN", "ORDER_GONE", "ORDER_ARCHIVED", "UNCHANGED"}
"""Refusals that lead to a look-up or are a success; no answer carries them."""
OF_BROKERS = {value for name, value in vars(protocol).items() if name == value}
"""Every code that a broker may use: the protocol names them all."""


def test_every_code_a_broker_refuses_with_is_explained() -> None:
    """What an answer can carry stands in the table, also where it comes from a venue."""
    codes: set[str] = set()
    for path in (ROOT / "brokers").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Refused":
                codes |= {a.value for a in node.args[1:2] if isinstance(a, ast.Constant)}
    assert "REGION_BLOCKED" in OF_BROKERS
    codes |= OF_BROKERS
    assert codes - LOOKED_UP <= set(CODES)


if __name__ == "__main__":
    # After a change in desk/alerts/codes.py: python -m tests.docs.test_pages
    lines = [
        "| code | means |",
        "|---|---|",
        *(f"| `{code}` | {text} |" for code, text in CODES.items()),
    ]
    start, end, page = "<!-- codes -->\n", "<!-- /codes -->", PAGES["docs/answers.md"]
    head, tail = page.partition(start)[0], page.partition(end)[2]
    (ROOT / "docs/answers.md").write_text(head + start + "\n".join(lines) + "\n" + end + tail)
