from __future__ import annotations

import logging
import re
import stat

import pytest

from desk.process.logfile import LineFormatter, LogFile, start_logging
from tests.support.running import SECRET, await_true, receivers

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
        log.info("alerts", extra={"rows": [("alert_filled", {"message": nasty, "alert_id": "1"})]})

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
    lines = [
        line
        for line in receiver.log().splitlines()
        if " alert_id=" in line and " trade " not in line
    ]
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
    [line] = [
        line
        for line in receiver.log().splitlines()
        if " alert_id=" in line and " trade " not in line
    ]
    assert """strategy="x code=FORGED text='y\"""" in line


# --- it grows no larger than asked --------------------------------------------------------------------


class Log:
    """A log file of two lines that is written by hand."""

    def __init__(self, path, max_bytes=110, keep=2):
        self.path = path
        self.file = LogFile(path, max_bytes, keep)
        self.file.setFormatter(LineFormatter())

    def write(self, *numbers):
        """Write lines as one batch."""
        for number in numbers:
            text = {"text": f"n{number}", "msg": "event", "levelname": "INFO"}
            self.file.emit(logging.makeLogRecord(text))
        self.file.flush()

    def fill(self, numbers):
        """Write lines, each a batch of its own; return the files there are then."""
        for number in numbers:
            self.write(number)
        return sorted(each.name for each in self.path.parent.iterdir())

    def older(self, number):
        """Return the name of an older file."""
        return self.path.with_name(f"{self.path.name}.{number}")


@pytest.fixture
def rotating(tmp_path):
    """Begin log files, all of one name."""
    logs = []

    def begin(**how):
        logs.append(Log(tmp_path / "events.log", **how))
        return logs[-1]

    yield begin
    for each in logs:
        each.file.close()


def numbers(path):
    """Return which lines a file holds."""
    return [int(n) for n in re.findall(r"text=n(\d+)", path.read_text())]


def test_a_log_that_has_grown_is_put_aside_and_the_oldest_goes(rotating):
    """No line is lost or torn while it is kept; the newest of the older files is `.1`."""
    log = rotating()
    assert log.fill(range(9)) == ["events.log", "events.log.1", "events.log.2"]
    files = [log.older(2), log.older(1), log.path]
    assert [numbers(each) for each in files] == [[4, 5], [6, 7], [8]]
    for each in files:
        assert all(LINE.fullmatch(line) for line in each.read_text().splitlines())


def test_lines_of_one_batch_are_parted_too(rotating):
    """A burst is one batch, and may be larger than a file."""
    log = rotating()
    log.write(*range(6))
    assert [numbers(each) for each in (log.older(2), log.older(1), log.path)] == [
        [0, 1],
        [2, 3],
        [4, 5],
    ]


def test_who_follows_the_log_by_name_misses_nothing(rotating):
    """As `tail -F` does: what is open is read to its end before the new file is opened."""
    log = rotating(keep=1)
    log.write(0)
    with log.path.open() as follower:
        seen = follower.read()
        log.fill([1, 2, 3])
        seen += follower.read()
    seen += log.path.read_text()
    assert [int(n) for n in re.findall(r"text=n(\d+)", seen)] == [0, 1, 2, 3]


def test_without_older_files_the_log_begins_anew(rotating):
    """`keep: 0`."""
    log = rotating(keep=0)
    assert log.fill(range(5)) == ["events.log"]
    assert numbers(log.path) == [4]


def test_a_log_of_any_size_is_never_put_aside(rotating):
    """`max_bytes: 0`."""
    log = rotating(max_bytes=0)
    assert log.fill(range(20)) == ["events.log"]
    assert numbers(log.path) == list(range(20))


def test_a_log_that_was_there_before_counts(rotating):
    """What an earlier run wrote is part of the size."""
    rotating().fill([0, 1])
    log = rotating()
    log.write(2)
    assert (numbers(log.older(1)), numbers(log.path)) == ([0, 1], [2])


def test_a_log_deleted_or_moved_by_another_program_goes_on(rotating):
    """It rotates the file too: nothing stops, and what it moved is left alone."""
    log = rotating()
    log.fill([0, 1])
    log.path.unlink()
    log.fill([2, 3, 4])
    moved = log.path.rename(log.path.with_name("moved"))
    log.write(5)
    log.write(6)
    assert numbers(log.path) == [6]
    assert numbers(moved) == [4, 5]


def test_where_it_cannot_be_put_aside_it_goes_on_in_the_same_file(rotating):
    """Folders stand in the way of the new names."""
    log = rotating()
    for number in (1, 2):
        log.older(number).mkdir()
        (log.older(number) / "in-use").touch()
    log.fill(range(7))
    assert numbers(log.path) == list(range(7))


def test_the_size_of_the_log_is_a_setting(start):
    """`logging.max_bytes` and `logging.keep`."""
    receiver = start("logging: {max_bytes: 600, keep: 1}\n")
    for number in range(9):
        assert receiver.buy(f"C{number}USDT").status_code == 200
    receiver.stop()
    names = {each.name for each in receiver.folder.glob("webhook_alerts.log*")}
    assert names == {"webhook_alerts.log", "webhook_alerts.log.1"}


# --- a venue that cannot be reached ---------------------------------------------------------------------


def test_a_venue_that_cannot_be_reached_is_not_a_line_a_try(make_venue_bench, caplog):
    """A hundred seconds with an entry and an exit under way: a handful of lines, and no traceback."""
    caplog.set_level(logging.INFO, "desk")
    bench = make_venue_bench()
    bench.buy("2")
    bench.tick(20)
    caplog.clear()
    bench.venue.is_gone = True
    entry = bench.buy("1")
    bench.tick(100)
    assert len(lines_of(caplog)) < 14
    assert not [each for each in caplog.records if each.exc_info]
    assert bench.now(entry)["status"] == "expired"
    caplog.clear()
    bench.venue.is_gone = False
    bench.tick(60)
    [end] = bench.told("account_answers")
    assert re.fullmatch(r"v answers again, after \d+ attempts in \d+ s\.", end["message"])
    assert len(lines_of(caplog)) < 8


def lines_of(caplog):
    """Return what the log would hold: a record may be several lines."""
    return [row for each in caplog.records for row in each.__dict__.get("rows", [each])]


def test_an_instrument_that_is_not_told_is_not_a_line_a_try(make_venue_bench, caplog):
    """Its alerts wait and say why; nothing is written or logged while nothing changes."""
    caplog.set_level(logging.INFO, "desk")
    bench = make_venue_bench()
    bench.venue.is_gone = True
    first = bench.buy("1")
    assert "is being looked up" in first["message"] or "could not be reached" in first["message"]
    bench.tick(5)
    caplog.clear()
    bench.tick(70)
    assert len(lines_of(caplog)) <= 3
    assert "v could not be reached: no route" in bench.now(first)["message"]
    bench.tick(30)
    answer = bench.now(first)
    assert (answer["status"], answer["code"]) == ("denied", "EXPIRED")
    assert answer["message"].startswith("v could not be reached: no route.")
    assert "s old" in answer["message"]


def test_a_fault_of_the_program_leaves_one_traceback_however_often_it_is_met(
    make_venue_bench, caplog
):
    """An account is read every two seconds, an instrument looked up as often."""
    bench = make_venue_bench()
    bench.buy("1")
    bench.tick(20)
    bench.venue.fail("snapshot", *[KeyError("positions")] * 10)
    bench.venue.fail("instrument", *[KeyError("symbols")] * 10)
    bench.buy("1", symbol=bench.other)
    bench.tick(20)
    calls = [each.__dict__.get("call") for each in caplog.records if each.exc_info]
    assert sorted(map(str, calls)) == ["None", "read"]


def test_an_entry_that_never_left_says_what_stood_in_the_way(make_venue_bench):
    """Not only that it is too old by now."""
    bench = make_venue_bench()
    bench.buy("1")
    bench.tick(20)
    bench.venue.is_gone = True
    answer = bench.buy("1")
    assert "v could not be reached: no route" in bench.now(answer)["message"]
    bench.tick(100)
    [line] = bench.now(answer)["orders"]
    assert (line["status"], line["code"]) == ("expired", "EXPIRED")
    assert line["message"].startswith(
        "v could not be reached: no route. By then the order to buy 1"
    )


# --- what was executed ----------------------------------------------------------------------------------


def test_every_fill_is_a_line_and_an_event(start):
    """Entry and exit; what it was, how much, at which price, where."""
    receiver = start()
    buy = receiver.buy(strategy="a").get_json()
    sell = receiver.send(action="close", symbol="BTCUSDT", price=110, strategy="a").get_json()
    events = [e for e in receiver.get("/status")["events"] if e["event"] == "trade"]
    assert [(e["message"], e["alert_id"]) for e in events] == [
        ("a sold 1 BTCUSDT at 110 on paper_simulator (paper).", sell["alert_id"]),
        ("a bought 1 BTCUSDT at 100 on paper_simulator (paper).", buy["alert_id"]),
    ]
    receiver.stop()
    lines = [line for line in receiver.log().splitlines() if " trade " in line]
    assert len(lines) == 2
    assert f"alert_id={sell['alert_id']}" in lines[1]


@pytest.mark.parametrize(("price", "kind"), [(89, "stop_loss"), (121, "take_profit")])
def test_a_stop_or_target_that_filled_leaves_a_trace(start, price, kind):
    """In the log, among the events, and with price and time in the story of the alert that opened."""
    receiver = start()
    opened = receiver.buy(strategy="a", stop_loss=90, take_profit=120).get_json()
    receiver.buy(strategy="b", price=price)
    event = "stop_filled" if kind == "stop_loss" else "target_filled"
    at = "89" if kind == "stop_loss" else "120"
    [told] = [e for e in receiver.get("/status")["events"] if e["event"] == event]
    assert f"The {kind.replace('_', ' ')} of a sold 1 BTCUSDT at {at} on" in told["message"]
    assert told["alert_id"] == opened["alert_id"]
    story = receiver.get(f"/history/{opened['alert_id']}")
    [leg] = [
        each for each in story["requests"] if each["status"] == "filled" and each["kind"] == kind
    ]
    assert (leg["average_price"], leg["filled_quantity"]) == (at, "1")
    [closed] = story["closed"]
    assert (closed["closed_by"], closed["exit_price"]) == (kind, at)
    assert leg["filled_at"] == closed["closed_at"]
    name = kind.replace("_", " ")
    assert closed["message"] == f"Closed by the {name} at {at} on {closed['closed_at']}."
    receiver.stop()
    assert any(f" {event} " in line for line in receiver.log().splitlines())


def test_a_story_names_the_end_of_what_it_opened_and_of_nothing_else(start):
    """A reversal closes the trade before it and opens another in the same millisecond."""
    receiver = start("strategies: {a: {direction: both}}\n")
    perpetual = {"symbol": "BTCUSDT.P", "strategy": "a"}
    first = receiver.buy(**perpetual).get_json()
    second = receiver.send(action="sell", quantity=2, price=105, **perpetual).get_json()
    assert [c["exit_price"] for c in receiver.get(f"/history/{first['alert_id']}")["closed"]] == [
        "105"
    ]
    assert receiver.get(f"/history/{second['alert_id']}")["closed"] == []
    receiver.send(action="close", price=95, **perpetual)
    [closed] = receiver.get(f"/history/{second['alert_id']}")["closed"]
    assert (closed["side"], closed["message"].partition(" at ")[0]) == (
        "short",
        "Closed by an alert",
    )


def test_trades_never_crowd_other_events_out_of_status(start):
    """Twenty of each kind are shown."""
    receiver = start()
    receiver.control("/halt", strategy="other")
    for number in range(15):
        receiver.buy(f"C{number}USDT")
        receiver.send(action="close", symbol=f"C{number}USDT")
    events = [each["event"] for each in receiver.get("/status")["events"]]
    assert events.count("halted") == 1
    assert events.count("trade") == 20
