from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from decimal import Decimal

import pytest

from tests.support.running import (
    GUARDED,
    ROOT,
    SECRET,
    TOKEN,
    await_answer,
    await_true,
    find_port,
    launch,
    read_fills,
    read_state,
    running,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc"),
]
PROGRAM = (str(ROOT / "webhook_server.py"),)
BUY = {"action": "buy", "symbol": "BTCUSDT", "quantity": 1, "price": 100}
PAGES = ("/history", "/positions", "/strategies")


def run(*arguments, **environ):
    """Run the program to its end and return what came of it."""
    environment = {"PATH": os.environ["PATH"], "PRICES": "alerts", **environ}
    command = [sys.executable, *PROGRAM, *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=30, check=False
    )


def serve_venue(folder, seconds):
    """Return the command of a receiver with an account at a venue that takes so long for an order."""
    (folder / "config.yaml").write_text(
        "accounts: {venue: {broker: slow, sandbox: true, market: linear}}\ndefault_account: venue\n"
    )
    conf = folder / "slow.conf.py"
    conf.write_text(
        f"""
import sys, time
sys.path.insert(0, {str(ROOT)!r})
from brokers import BROKERS
from tests.support.fakes import HangingBroker

class Slow(HangingBroker):
    def __init__(self, name, account):
        super().__init__()
    def place_order(self, request):
        time.sleep({seconds})
        self.may_answer.set()
        return super().place_order(request)

BROKERS["slow"] = Slow
__file__ = {str(ROOT / "gunicorn.conf.py")!r}
exec(compile(open(__file__).read(), __file__, "exec"))
"""
    )
    return "-m", "gunicorn", "-c", str(conf)


# --- starting ------------------------------------------------------------------------------------


def test_the_program_serves_on_the_port_it_is_told(tmp_path):
    """`python webhook_server.py --port N --config FILE` starts, says so, answers and stops with code 0."""
    port = find_port()
    arguments = ("--port", str(port), "--config", str(tmp_path / "config.yaml"))
    environ = {**GUARDED, "PORT": "1", "CONFIG": ""}
    with running(tmp_path, *arguments, command=PROGRAM, port=port, environ=environ) as server:
        assert server.post(**BUY)[1]["status"] == "filled"
        said = server.said()
        assert f"http://127.0.0.1:{port}/webhook" in said
        assert f"  config      {tmp_path / 'config.yaml'}\n" in said
        assert "  secret      set: an alert without it is refused\n" in said
        assert "paper: nothing real is traded" in said
        assert server.terminate() == 0
        assert SECRET not in server.said()
        assert TOKEN not in server.said()
    assert (tmp_path / "webhook_alerts.log").exists()


def test_gunicorn_alone_serves_what_config_names(tmp_path):
    """`CONFIG=… gunicorn` in the folder of the program is enough: address and port come from the settings."""
    with running(tmp_path, command=("-m", "gunicorn")) as server:
        assert server.post(**BUY)[1]["status"] == "filled"
        assert server.held() == {("default", "BTCUSDT"): 1}
        assert server.terminate() == 0


def test_preloading_works(tmp_path):
    """What is loaded before the fork still trades: lock and threads belong to the process that serves."""
    with running(tmp_path, "--preload") as server:
        assert server.post(**BUY)[1]["status"] == "filled"
        os.kill(server.worker(), signal.SIGKILL)
        await_answer(server)
        assert server.post(**BUY, strategy="b")[1]["status"] == "filled"
        assert server.terminate() == 0
    assert len(read_fills(server.state)) == 2


def test_check_prints_the_settings_without_their_secrets(tmp_path):
    """`--check` shows what holds, secrets as ***, and exits with 0; nothing is created."""
    file = tmp_path / "config.yaml"
    file.write_text("strategies: {a: {secret: 77c1a0b2d3e4f5061728}}\nwebhook: {port: 3333}\n")
    file.chmod(0o600)
    done = run("--check", "--config", str(file), **GUARDED)
    assert done.returncode == 0
    assert "port: 3333" in done.stdout
    assert '"***"' in done.stdout
    assert done.stdout.splitlines()[-1] == "config.yaml is in order."
    assert not any(s in done.stdout + done.stderr for s in (SECRET, TOKEN, "77c1a0b2d3e4f5061728"))
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]


def test_bad_settings_stop_the_start_with_every_problem(tmp_path):
    """All problems at once, each with its place; neither --check nor the server runs."""
    file = tmp_path / "config.yaml"
    file.write_text("webhook: {threads: 0, hots: x}\ndefault_quantity: 10k\n")
    for arguments in (("--check",), ()):
        done = run(*arguments, "--config", str(file))
        assert done.returncode == 2
        for place in ("webhook.threads", "webhook.hots", "default_quantity"):
            assert place in done.stderr
        assert "Traceback" not in done.stderr
    server = launch(tmp_path)
    assert server.process.wait(20) != 0
    assert "webhook.threads" in server.said()


def test_listening_to_the_world_without_a_secret_is_refused(tmp_path):
    """Beyond loopback a secret is needed; the refusal brings one to paste."""
    done = run("--host", "0.0.0.0", "--config", str(tmp_path / "config.yaml"))
    assert done.returncode == 2
    (tmp_path / "config.yaml").write_text("")
    done = run("--host", "0.0.0.0", "--config", str(tmp_path / "config.yaml"))
    assert done.returncode == 2
    assert "TRADINGVIEW_WEBHOOK_SECRET=" in done.stderr


def test_without_its_packages_the_program_says_how_to_start_it(tmp_path):
    """No traceback: `make run`, or the interpreter of .venv."""
    command = [sys.executable, "-I", "-S", *PROGRAM, "--check"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "make run" in done.stderr
    assert ".venv/bin/python webhook_server.py" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_one_line_and_the_end(tmp_path):
    """Exit code 3 at once, naming the port and how to choose another."""
    (tmp_path / "config.yaml").write_text("")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run("--port", str(port), "--config", str(tmp_path / "config.yaml"))
    assert done.returncode == 3
    (said,) = done.stderr.splitlines()
    assert said.startswith(f"Port {port} is in use: stop the other program")
    assert f"--port {port + 1} or PORT" in said


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("192.0.2.77", "192.0.2.77 is not an address of this machine"),
        ("no-such-host.invalid", "The host no-such-host.invalid is not known here"),
        (f"{'x' * 64}.example", f"The host {'x' * 64}.example is not known here"),
    ],
)
def test_an_address_of_another_machine_is_one_line_and_the_end(tmp_path, host, says):
    """Exit code 3, and which addresses there are to choose."""
    (tmp_path / "config.yaml").write_text("")
    done = run("--host", host, "--config", str(tmp_path / "config.yaml"), **GUARDED)
    assert done.returncode == 3
    (said,) = done.stderr.splitlines()
    assert said.startswith(says)
    assert "127.0.0.1 for this machine alone" in said


@pytest.mark.parametrize(
    ("config", "setting"),
    [
        ("state: sqlite:////proc/nope/state.db", "state"),
        ("state: sqlite:////dev/null/state.db", "state"),
        ("logging: {file: /proc/nope/alerts.log}", "logging.file"),
        ("logging: {file: /proc}", "logging.file"),
    ],
)
def test_a_file_that_cannot_be_written_names_its_setting(tmp_path, config, setting):
    """Exit code 3, one line with the path, the setting and the remedy, and nothing of gunicorn's."""
    (tmp_path / "config.yaml").write_text(config)
    server = launch(tmp_path)
    assert server.process.wait(20) == 3
    (said,) = server.said().splitlines()
    assert "cannot be written" in said
    assert f"Let {setting}" in said
    assert "in config.yaml name a file" in said


@pytest.mark.parametrize("command", [PROGRAM, ("-m", "gunicorn")])
def test_a_second_process_on_the_same_state_is_refused(tmp_path, command):
    """Exit code 3 and a text that says who holds the state; the first one goes on."""
    with running(tmp_path) as first:
        second = launch(tmp_path, command=command)
        second.output = first.output
        assert second.process.wait(20) == 3
        said = first.said()
        assert f"process {first.worker()} already uses this state" in said
        assert "Stop it first" in said
        assert "Traceback" not in said
        assert first.post(**BUY)[1]["status"] == "filled"
    assert len(read_fills(first.state)) == 1


def test_a_state_that_is_no_database_stops_the_start(tmp_path):
    """Exit code 3, the file by name, and the file untouched."""
    state = tmp_path / "state.db"
    state.write_bytes(b"garbage " * 1000)
    server = launch(tmp_path)
    assert server.process.wait(20) == 3
    assert f"{state} cannot be used as the state" in server.said()
    assert "Traceback" not in server.said()
    assert state.read_bytes() == b"garbage " * 1000


def test_ctrl_c_says_that_it_stopped(tmp_path):
    """The terminal's signal reaches every process of the group; the last line says what became of it."""
    with running(tmp_path) as server:
        os.killpg(server.process.pid, signal.SIGINT)
        assert server.process.wait(30) == 0
        assert server.said().splitlines()[-1].startswith("Stopped: what was on its way")


# --- ending --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "http", "status"), [(1.0, 200, "filled"), (3.0, 202, "pending")]
)
def test_a_stop_lets_what_is_on_its_way_come_back(tmp_path, seconds, http, status):
    """SIGTERM while a venue takes its time: the answer arrives, the outcome is recorded."""
    answers = []
    with running(tmp_path, command=serve_venue(tmp_path, seconds)) as server:
        thread = threading.Thread(target=lambda: answers.append(server.post(**BUY)))
        thread.start()
        await_true(lambda: server.get("/history")["count"])
        assert server.terminate() == 0
        thread.join()
    [(got, answer)] = answers
    assert (got, answer["status"]) == (http, status)
    with read_state(server.state) as db:
        row = db.execute("SELECT alert_id, status, settled FROM alerts").fetchone()
    assert row == (answer["alert_id"], "filled", 1)
    assert len(read_fills(server.state)) == 1


def test_a_start_waits_for_the_worker_of_a_killed_master(tmp_path):
    """Kill -9 of gunicorn's master alone: its worker ends by itself, and the next start waits for that."""
    with running(tmp_path) as first:
        worker = first.worker()
        assert first.post(**BUY)[1]["status"] == "filled"
        os.kill(first.process.pid, signal.SIGKILL)
        first.process.wait()
        with running(tmp_path, port=find_port()) as second:
            assert second.worker() != worker
            assert second.post(**BUY)[1]["duplicate"] is True
            assert second.terminate() == 0
    assert len(read_fills(first.state)) == 1


def test_a_reload_hands_the_state_over(tmp_path):
    """SIGHUP: the new worker waits for the old one, no alert is lost and none is doubled."""
    with running(tmp_path) as server:
        assert server.post(**BUY)[1]["status"] == "filled"
        old = server.worker()
        server.process.send_signal(signal.SIGHUP)

        def is_handed_over():
            try:
                return server.worker() != old and server.post(**BUY)[1]["duplicate"]
            except OSError:
                return False

        await_true(is_handed_over, 30)
        assert server.post(**BUY, strategy="b")[1]["status"] == "filled"
        assert server.terminate() == 0
    assert len(read_fills(server.state)) == 2


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ("webhook: {threads: 0}\ndefault_quantity: 10k\n", "webhook.threads"),
        ("webhook: [", "config.yaml: line 1"),
        ("logging: {file: /proc/nope/alerts.log}", "cannot be written"),
        ("state: sqlite:////proc/nope/state.db", "cannot be written"),
        ("webhook: {host: 192.0.2.77}", "192.0.2.77 is not an address of this machine"),
    ],
)
def test_a_reload_with_a_mistake_keeps_the_old_settings_running(tmp_path, config, says):
    """SIGHUP with what cannot start: the same worker goes on, and the terminal and the log say why."""
    with running(tmp_path) as server:
        worker = server.worker()
        (tmp_path / "config.yaml").write_text(config)
        server.process.send_signal(signal.SIGHUP)
        await_true(lambda: "The reload was refused and the old settings go on" in server.said(), 30)
        assert says in server.said()
        assert "Traceback" not in server.said()
        await_true(lambda: says in (tmp_path / "webhook_alerts.log").read_text())
        assert server.worker() == worker
        assert server.post(**BUY)[1]["status"] == "filled"
        (tmp_path / "config.yaml").write_text("")
        server.process.send_signal(signal.SIGHUP)
        await_true(lambda: _is_new(server, worker), 30)
        assert server.post(**BUY)[1]["duplicate"] is True
        assert server.terminate() == 0


def _is_new(server, worker):
    """Whether another worker answers."""
    try:
        return server.worker() != worker and server.request("GET", "/webhook/test")[0] == 200
    except (OSError, IndexError):
        return False


def test_a_further_worker_is_refused_while_running(tmp_path):
    """SIGTTIN would start one, which ends gunicorn when it does not get the state: nothing happens."""
    with running(tmp_path) as server:
        server.process.send_signal(signal.SIGTTIN)
        await_true(lambda: "the number of workers stays one" in server.said())
        assert server.post(**BUY)[1]["status"] == "filled"
        assert server.terminate() == 0


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (("--workers", "4"), {}),
        ((), {"WEB_CONCURRENCY": "4"}),
        ((), {"GUNICORN_CMD_ARGS": "--workers=4"}),
    ],
)
@pytest.mark.parametrize("command", [PROGRAM, ("-m", "gunicorn")])
def test_several_workers_are_refused_at_the_start(tmp_path, arguments, variables, command):
    """Exit code 3 and a sentence: one process owns the state."""
    if arguments and command is PROGRAM:
        pytest.skip("the program itself has no such option")
    server = launch(tmp_path, *arguments, command=command, environ={**GUARDED, **variables})
    assert server.process.wait(20) == 3
    (said,) = server.said().splitlines()
    assert said.startswith("4 workers were asked for")
    assert "one process owns the state" in said
    assert not server.state.exists()


def test_binding_to_the_world_by_gunicorns_own_option_wants_a_secret_too(tmp_path):
    """`--bind 0.0.0.0:…` is judged like HOST=0.0.0.0."""
    arguments = ("--bind", f"0.0.0.0:{find_port()}")
    server = launch(tmp_path, *arguments, environ={"ADMIN_TOKEN": "short"})
    assert server.process.wait(20) == 2
    assert "TRADINGVIEW_WEBHOOK_SECRET=" in server.said()
    assert "ADMIN_TOKEN: is shorter than 16 characters" in server.said()
    assert "Traceback" not in server.said()


@pytest.mark.parametrize("state", ["sqlite:////tmp", "postgres://me:pass-w0rd@host/db"])
def test_a_state_that_cannot_be_one_is_a_sentence(tmp_path, state):
    """A folder, another database: no start, no traceback, no password."""
    server = launch(tmp_path, environ={**GUARDED, "DATABASE_URL": state})
    assert server.process.wait(20) in (2, 3)
    said = server.said()
    assert "Traceback" not in said
    assert "DATABASE_URL" in said
    assert "pass-w0rd" not in said


def test_after_a_kill_everything_is_there_again(tmp_path):
    """Kill -9 of all processes, then a start: positions, working orders, cash and history are complete."""
    with running(tmp_path) as server:
        for number in range(8):
            side = "sell" if number % 3 == 2 else "buy"
            symbol = "ETHUSDT.P" if number > 5 else "BTCUSDT.P"
            alert = {**BUY, "action": side, "price": 100 + number, "symbol": symbol}
            assert server.post(**alert, strategy=f"s{number % 2}")[0] == 200
        server.post(**BUY, strategy="protected", stop_loss=90, take_profit=130)
        resting = {"order_type": "limit", "limit_price": 80, "symbol": "SOLUSDT"}
        assert server.post(**{**BUY, **resting})[1]["status"] == "accepted"
        before = [server.get(page) for page in PAGES]
        server.kill()
    with read_state(server.state) as db:
        cash = dict(db.execute("SELECT account, amount FROM cash"))
    with running(tmp_path, port=find_port()) as again:
        assert [again.get(page) for page in PAGES] == before
        with read_state(again.state) as db:
            assert dict(db.execute("SELECT account, amount FROM cash")) == cash
        price = {"action": "buy", "symbol": "SOLUSDT", "quantity": 1, "price": 79, "strategy": "x"}
        again.post(**price)
        assert again.held()["default", "SOLUSDT"] == 1
        closed = again.post(action="close", symbol="BTCUSDT", price=100, strategy="protected")
        assert closed[1]["status"] == "filled"
        assert ("protected", "BTCUSDT") not in again.held()


def test_an_order_on_its_way_at_a_kill_is_unknown_and_not_sent_again(tmp_path):
    """What the venue may have heard is looked up; meanwhile nothing more is opened there, elsewhere it is."""
    command = serve_venue(tmp_path, 60)
    with running(tmp_path, command=command) as server:
        alert_id = server.post("/webhook/tradingview", **BUY)[1]["alert_id"]
        page = f"/history/{alert_id}"
        await_true(lambda: [each["sent_at"] for each in server.get(page)["requests"]])
        server.kill()
    with running(tmp_path, command=command, port=find_port()) as again:
        assert again.get(page)["status"] == "unknown"
        assert [each["status"] for each in again.get(page)["requests"]] == ["unknown"]
        assert again.get("/status")["open"]["unknown_orders"]
        assert again.post(**BUY)[1]["duplicate"] is True
        refused = again.post(**BUY, comment="another")
        assert (refused[0], refused[1]["code"]) == (422, "ORDER_UNRESOLVED")
        assert again.post(**{**BUY, "symbol": "ETHUSDT"})[0] == 202
        assert len(again.get(page)["requests"]) == 1
    assert read_fills(tmp_path / "state.db") == []


def test_a_killed_worker_is_replaced_and_remembers(tmp_path):
    """Kill -9 of the worker alone: the next one answers in a moment and knows every alert."""
    body = json.dumps({"secret": SECRET, **BUY, "idempotency_key": "k"})
    with running(tmp_path) as server:
        for _ in range(3):
            status, answer = server.request("POST", "/webhook", body)
            assert (status, json.loads(answer)["status"]) == (200, "filled")
            os.kill(server.worker(), signal.SIGKILL)
            await_answer(server)
        assert server.get("/history")["alerts"][0]["deliveries"] == 3
        assert server.held() == {("default", "BTCUSDT"): Decimal(1)}
    assert len(read_fills(server.state)) == 1
