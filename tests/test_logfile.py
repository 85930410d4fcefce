from __future__ import annotations

import logging
import re
import stat

import pytest

from desk.logfile import start_logging
from tests.running import SECRET, await_true, receivers

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [A-Z]+ +\w+( \w+=.*)?")


@pytest.fixture
def start(tmp_path):
    """Start receivers; they are stopped at the end."""
    with receivers(tmp_path) as function:
        yield function


@pytest.fixture
def write_log(tmp_path):
    """Log what a function logs and return the lines of the file."""
    root = logging.getLogger()
    handlers, level, raising = root.handlers, root.level, logging.raiseExceptions

    def write(log_something, log_level="DEBUG"):
        writer = start_logging(tmp_path / "events.log", log_level)
        log_something(logging.getLogger("test"))
        writer.stop()
        return (tmp_path / "events.log").read_text().splitlines()

    yield write
    root.handlers, root.level, logging.raiseExceptions = handlers, level, raising


def test_one_event_is_one_line(write_log):
    """Time in UTC, level, event, then the known fields; a traceback stays on its line."""

    def log_something(log):
        log.info("order_placed", extra={"alert_id": "alert_1", "code": "X", "text": "all is well"})
        try:
            int("first\nsecond")
        except ValueError:
            log.exception("broker_fault", extra={"account": "venue"})

    lines = write_log(log_something)
    assert len(lines) == 2
    assert all(LINE.fullmatch(line) for line in lines)
    assert lines[0].endswith('INFO    order_placed alert_id=alert_1 code=X text="all is well"')
    assert "broker_fault account=venue" in lines[1]
    assert r"\x0aValueError: invalid literal" in lines[1]


@pytest.mark.parametrize(
    "nasty",
    [
        "a\nb",
        "a\r\nb",
        "\x1b[31mred",
        "a\0b",
        "\x85",
        "\u2028",
        "\u2029",
        "\ud800",
        "\x7f",
        "\x9b2J",
    ],
)
def test_no_value_can_forge_a_line(write_log, nasty):
    """Line breaks, escape sequences and halves of pairs are written as escapes, wherever they stand."""

    def log_something(log):
        log.info("event", extra={"strategy": nasty, "text": f"x {nasty}"})
        log.info("event_%s", nasty)
        log.info(
            "alerts", extra={"shapes": [{"status": "filled", "message": nasty, "alert_id": "1"}]}
        )

    lines = write_log(log_something)
    assert len(lines) == 3
    for line in lines:
        assert line.isprintable(), line
        assert r"\x" in line or r"\u" in line


def test_a_quote_does_not_end_a_value(write_log):
    """A quote inside a value cannot start a field of its own."""

    def log_something(log):
        log.info("event", extra={"text": 'a" alert_id="forged'})

    [line] = write_log(log_something)
    assert line.count('"') == 2


@pytest.mark.parametrize("name", ["secret", "auth_token", "token", "signature", "SECRET"])
def test_secrets_of_a_query_are_masked(write_log, name):
    """Whatever logs a URL, its secrets are ***, also inside a traceback."""

    def log_something(log):
        url = f"https://host/webhook?a=1&{name}={SECRET}&b=2"
        log.warning("event", extra={"text": url})
        try:
            int(url)
        except ValueError:
            log.exception("fault")

    lines = write_log(log_something)
    assert len(lines) == 2
    for line in lines:
        assert SECRET not in line
        assert f"{name}=***&b=2" in line


def test_the_level_is_kept(write_log):
    """Below the configured level nothing is written."""

    def log_something(log):
        for level in ("debug", "info", "warning", "error"):
            getattr(log, level)(level)

    assert [line.split()[-1] for line in write_log(log_something, "WARNING")] == [
        "warning",
        "error",
    ]


@pytest.mark.parametrize("is_deleted", [True, False])
def test_logging_goes_on_in_a_new_file(start, is_deleted):
    """The file deleted or moved away under us: the next events are in a new one, and alerts trade on."""
    receiver = start()
    path, moved = receiver.settings.log_path, receiver.folder / "old.log"
    assert receiver.buy().status_code == 200
    await_true(lambda: "alert_filled" in receiver.log())
    if is_deleted:
        path.unlink()
    else:
        path.rename(moved)
    await_true(path.exists)
    assert receiver.buy("ETHUSDT").status_code == 200
    await_true(lambda: "symbol=ETHUSDT" in receiver.log())
    assert "symbol=BTCUSDT" not in receiver.log()
    assert is_deleted or "symbol=BTCUSDT" in moved.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_order_depends_on_the_log(start):
    """Where nothing can be written to the log, alerts trade all the same."""
    receiver = start("logging: {file: /dev/full}\n")
    for symbol in ("BTCUSDT", "ETHUSDT"):
        assert receiver.buy(symbol).get_json()["status"] == "filled"


def test_every_alert_leaves_a_line(start):
    """Filled or denied, one line each with id, strategy, symbol, code and the sentence of the answer."""
    receiver = start()
    answers = [receiver.buy(strategy="a").get_json(), receiver.buy(quantity=0).get_json()]
    answers.append(receiver.buy(account_group="nowhere").get_json())
    receiver.stop()
    lines = [line for line in receiver.log().splitlines() if " alert_" in line]
    assert len(lines) == 3
    for line, answer in zip(lines, answers, strict=True):
        assert LINE.fullmatch(line)
        assert f"alert_{answer['status']} alert_id={answer['alert_id']}" in line
        assert answer["code"] is None or f"code={answer['code']}" in line


def test_a_strategy_named_like_a_log_line_stays_a_name(start):
    """What an alert brings is quoted in the log, never a line or field of its own."""
    receiver = start()
    name = 'x code=FORGED text="y'
    receiver.buy(strategy=name, comment="a\nb\x1b[2J")
    receiver.stop()
    [line] = [line for line in receiver.log().splitlines() if " alert_" in line]
    assert """strategy="x code=FORGED text='y\"""" in line
