"""Tests that exports are compared by `POST /compare` and `--compare`, safely and in the same words."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.exports import TIMED_OUT, Fired, Lot, order, write_list, write_log
from tests.support.running import GUARDED, OWNER, SECRET, receivers

ROOT = Path(__file__).resolve().parents[2]
CONFIG = "strategies: {heron: {}}\n"


@pytest.fixture
def receiver(tmp_path):
    """Start a receiver with a secret and a token."""
    with receivers(tmp_path) as start:
        yield start(CONFIG)


def write_moment(seconds: int) -> str:
    """Return a moment near now as the log has it."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def trade(receiver: Any) -> list[Fired]:
    """Send an alert that arrives, and make one that does not; return both as fired."""
    text = order("buy", "1", "100", secret=SECRET)
    answer = receiver.client.post("/webhook", data=text)
    assert answer.get_json()["status"] == "filled"
    lost = Fired(write_moment(1), order("sell", "1", "101", secret=SECRET), TIMED_OUT)
    return [Fired(write_moment(0), text), lost]


def send(receiver: Any, *files: tuple[bytes, str], headers: Any = OWNER, **fields: str) -> Any:
    """Post files as a form does."""
    body = {**fields, "file": [(io.BytesIO(data), name) for data, name in files]}
    return receiver.client.post("/compare", data=body, headers=headers)


def test_a_log_is_compared_with_what_the_receiver_recorded(receiver):
    """Nothing is recorded or traded by it, and no secret comes back."""
    log = write_log(trade(receiver))
    answer = send(receiver, (log, "exports/log.csv"))
    shape = answer.get_json()
    assert answer.status_code == 200
    assert [each["verdict"] for each in shape["alerts"]] == ["never_arrived", "traded"]
    assert shape["files"][0] == {
        "file": "log.csv",
        "kind": "alert_log",
        "rows": 2,
        "zone": "UTC",
        "zone_source": "file",
    }
    assert [each["kind"] for each in shape["differences"]] == ["never_arrived"]
    assert SECRET not in answer.get_data(as_text=True)
    assert len(receiver.get("/history")["alerts"]) == 1


def test_it_is_for_the_owner_alone_and_for_no_other_sites_page(receiver):
    """As every control is."""
    log = (write_log(trade(receiver)), "log.csv")
    assert send(receiver, log, headers={}).status_code == 401
    foreign = {**OWNER, "Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"}
    assert send(receiver, log, headers=foreign).status_code == 403
    assert receiver.client.get("/compare").status_code == 405


def test_what_cannot_be_compared_is_said_with_its_place(receiver):
    """A broken file, a zone that is needed, no file at all, one that is no export."""
    trade(receiver)
    answer = send(receiver, (b"Alert ID,Ticker,Name,Description,Time\n1,2,3\n", "log.csv"))
    shape = answer.get_json()
    assert (answer.status_code, shape["code"]) == (422, "FILE_UNREADABLE")
    assert (shape["file"], shape["line"], shape["column"]) == ("log.csv", 2, 4)
    lots = [
        Lot("1", "Entry long", "2026-09-14 09:15", "L", "143.2", "6"),
        Lot("1", "Exit long", "2026-09-14 14:00", "TP", "146.5", "6"),
    ]
    shape = send(receiver, (write_list(lots), "list.csv")).get_json()
    assert (shape["code"], shape["file"]) == ("ZONE_NEEDED", "list.csv")
    shape = send(receiver, (write_list(lots), "list.csv"), zone="Asia/Nowhere").get_json()
    assert shape["code"] == "ZONE_NEEDED"
    assert send(receiver, (write_list(lots), "list.csv"), zone="Asia/Tokyo").status_code == 200
    assert send(receiver).get_json()["code"] == "FILE_UNREADABLE"
    shape = send(receiver, (b"a,b\n1,2\n", "x.csv")).get_json()
    assert "neither TradingView's alert log" in shape["message"]


def run(receiver: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program beside the receiver."""
    environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = [sys.executable, str(ROOT / "webhook_server.py"), "--config", str(receiver.file)]
    return subprocess.run(
        [*command, *arguments],
        env={**environ, **GUARDED, "PRICES": "alerts"},
        cwd=receiver.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_says_in_words_what_the_page_says(receiver, tmp_path):
    """Beside a running receiver; with --json the same object; a mistake ends it with 2."""
    log = tmp_path / "log.csv"
    log.write_bytes(write_log(trade(receiver)))
    found = run(receiver, "--compare", str(log))
    assert found.returncode == 0, found.stderr
    assert "Alerts of the log: 1 never arrived, 1 traded." in found.stdout
    assert "never arrived: log.csv, line 2:" in found.stdout
    assert json.loads(run(receiver, "--compare", str(log), "--json").stdout) == json.loads(
        send(receiver, (log.read_bytes(), "log.csv")).get_data(as_text=True)
    )
    broken = tmp_path / "broken.csv"
    broken.write_text("Alert ID,Ticker,Name,Description,Time\n1,2,3,4,never\n")
    found = run(receiver, "--compare", str(log), str(broken))
    assert (found.returncode, found.stdout) == (2, "")
    assert "broken.csv, line 2, column Time" in found.stderr
    assert run(receiver, "--compare", "nowhere.csv").returncode == 2
    assert run(receiver, "--zone", "UTC").returncode == 2


def test_a_time_zone_that_is_needed_is_asked_for_by_the_option(receiver, tmp_path):
    """Naming the file."""
    trade(receiver)
    trades = tmp_path / "list.csv"
    trades.write_bytes(write_list([Lot("1", "Entry long", "2026-09-14 09:15", "L", "143.2", "6")]))
    found = run(receiver, "--compare", str(trades))
    assert found.returncode == 2
    assert "list.csv" in found.stderr
    assert "--zone" in found.stderr
