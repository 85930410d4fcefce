"""The package as somebody installs it: built, installed into a clean environment, started, and it trades.

Where no package can be fetched these tests say that they are skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile

import pytest

from desk.process.version import VERSION
from tests.support.running import GUARDED, ROOT, SECRET, TOKEN, Running, await_answer, find_port

pytestmark = pytest.mark.slow


def run(*command, **how):
    """Run a command and return what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, **how)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel as `pip wheel .` does."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", str(folder), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if built.returncode and "No matching distribution" in built.stderr:
        pytest.skip("hatchling cannot be fetched here")
    assert built.returncode == 0, built.stderr
    [found] = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def program(wheel, tmp_path_factory):
    """Install it into a clean environment and return the command."""
    folder = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", str(folder))
    run(str(folder / "bin" / "python"), "-m", "pip", "install", "-q", str(wheel))
    return folder / "bin" / "tradingview-receiver"


def test_the_wheel_holds_the_program_and_nothing_of_its_making(wheel):
    """Code, the page and gunicorn's settings; no tests, no configuration, no state."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        [metadata] = [each for each in names if each.endswith("METADATA")]
        needs = archive.read(metadata).decode()
    tops = {name.partition("/")[0] for name in names}
    info = metadata.partition("/")[0]
    assert tops == {"brokers", "desk", "parsers", "webhook_server.py", info}
    shipped = {f"desk/files/static/{each.name}" for each in (ROOT / "static").iterdir()}
    assert shipped <= {*names}
    assert f"Version: {VERSION}" in needs
    assert "Requires-Dist: flask" in needs
    assert "pytest" not in needs


def test_the_command_says_its_version(program):
    """In few words."""
    assert run(str(program), "--version").split() == ["tradingview-receiver", VERSION]


def test_installed_it_takes_an_alert_and_shows_the_page(program, tmp_path):
    """In an empty folder: on paper, with its state and its log there."""
    port = find_port()
    environ = {"PATH": os.environ["PATH"], "PRICES": "alerts", **GUARDED}
    output = tmp_path / "output.txt"
    with output.open("wb") as out:
        process = subprocess.Popen(
            [str(program), "--port", str(port)],
            cwd=tmp_path,
            env=environ,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    server = Running(tmp_path, port, process, output)
    try:
        await_answer(server)
        alert = {"action": "buy", "symbol": "BTCUSDT", "quantity": 1, "price": 100}
        body = json.dumps({**alert, "secret": SECRET}).encode()
        assert json.loads(server.request("POST", "/webhook", body)[1])["status"] == "filled"
        assert b"ADMIN_TOKEN" in server.request("GET", "/")[1]
        assert server.request("GET", "/static/page.css")[0] == 200
    finally:
        server.terminate()
    assert (tmp_path / "state.db").is_file()
    assert TOKEN not in server.said()
