"""From outside: who is told, what a failing service delays, and what a stop leaves to be sent."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.support.running import ROOT, await_true, receivers, running

pytest.importorskip("apprise")
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")
TOKEN = "hook-t0ken-0nly-f0r-tests"


class Service:
    """A web server that takes messages as Apprise's json:// posts them; it may refuse or hang."""

    def __init__(self) -> None:
        self.got: list[dict] = []
        self.status = 200
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.calls = 0
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                service.calls += 1
                service.goes_on.wait()
                if service.status == 200:
                    service.got.append(body)
                try:
                    self.send_response(service.status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except OSError:
                    pass  # who called has gone

            def log_message(self, *_) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.block_on_close = False
        self.url = f"json://127.0.0.1:{self.server.server_port}/{TOKEN}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def titles(self) -> list[str]:
        return [each["title"] for each in self.got]

    def texts(self) -> str:
        return "\n".join(each["message"] for each in self.got)


@pytest.fixture
def service():
    """Return a function that makes services; all end with the test."""
    made: list[Service] = []

    def make() -> Service:
        made.append(Service())
        return made[-1]

    yield make
    for each in made:
        each.goes_on.set()
        each.server.shutdown()
        each.server.server_close()


@pytest.fixture
def start(tmp_path):
    """Start receivers."""
    with receivers(tmp_path) as started:
        yield started


def test_a_trade_is_told_with_all_that_it_was(start, service):
    """Strategy, account, side, quantity, symbol and price; and that it is on paper."""
    told = service()
    receiver = start(f"notify: ['{told.url}']")
    receiver.buy(strategy="heron")
    await_true(lambda: "heron bought 1 BTCUSDT at 100" in told.texts())
    assert "paper_simulator (paper)" in told.texts()
    assert told.titles()[0].startswith("start")


def test_a_denial_is_told_and_a_duplicate_is_not(start, service):
    """A denial says whose alert it was and why; what was delivered twice is told once."""
    told = service()
    receiver = start(f"notify: ['{told.url}']\nrisk: {{max_quantity: 1}}")
    receiver.buy(quantity=5, strategy="heron")
    alert = receiver.alert(action="buy", symbol="BTCUSDT", quantity=1, price=100)
    for _ in range(2):
        receiver.client.post("/webhook", json=alert)
    receiver.stop()
    await_true(lambda: "The receiver stops" in told.texts())
    assert told.texts().count("heron: buy BTCUSDT on paper_simulator (paper): ") == 1
    assert told.texts().count("bought 1 BTCUSDT") == 1


def test_a_channel_hears_only_of_the_events_it_named(start, service):
    """The title of a single event is its name."""
    told = service()
    receiver = start(f"notify: [{{url: '{told.url}', events: [stop]}}]")
    receiver.buy()
    receiver.stop()
    await_true(lambda: told.got)
    assert told.titles() == ["stop"]


def test_a_failing_channel_is_shown_without_its_token_and_gets_it_later(start, service):
    """The other gets it now and once."""
    broken, well = service(), service()
    broken.status = 500
    receiver = start(f"notify: ['{broken.url}', '{well.url}']")
    receiver.buy()
    await_true(lambda: "bought" in well.texts())
    await_true(lambda: receiver.get("/status")["open"]["failing_channels"])
    status = receiver.get("/status")
    [row] = status["open"]["failing_channels"]
    assert (row["channel"], row["reason"]) == ("json://127.0.0.1", "the service did not take it")
    assert TOKEN not in json.dumps(status) + receiver.log()
    broken.status = 200
    await_true(lambda: "bought" in broken.texts())
    await_true(lambda: not receiver.get("/status")["open"]["failing_channels"])
    assert well.texts().count("bought") == broken.texts().count("bought") == 1


def test_alerts_are_answered_while_a_channel_hangs(start, service):
    """Its thread waits; a hundred alerts trade meanwhile."""
    hanging = service()
    hanging.goes_on.clear()
    receiver = start(f"notify: ['{hanging.url}']\nwebhook: {{rate_limit: 1000/minute}}")
    await_true(lambda: hanging.calls)
    answers = [receiver.buy(price=100 + at).get_json() for at in range(5)]
    assert {each["status"] for each in answers} == {"filled"}
    assert hanging.got == []


def test_what_a_hanging_channel_did_not_take_comes_after_a_restart(start, service):
    """Its place is in a file beside the state, the messages are in the state."""
    told = service()
    told.status = 500
    receiver = start(f"notify: ['{told.url}']")
    receiver.buy()
    receiver.stop()
    assert told.got == []
    told.status = 200
    receiver.open()
    await_true(lambda: "bought 1 BTCUSDT" in told.texts())
    assert told.texts().count("bought 1 BTCUSDT") == 1
    assert "The receiver stops" in told.texts()


def test_after_a_kill_the_messages_come_that_a_failing_channel_did_not_take(tmp_path, service):
    """They are committed with what they tell, so a power cut loses none."""
    told = service()
    told.status = 500
    (tmp_path / "config.yaml").write_text(f"notify: ['{told.url}']")
    (tmp_path / "config.yaml").chmod(0o600)
    alert = {"action": "buy", "symbol": "BTCUSDT", "quantity": 1, "price": 100}
    with running(tmp_path) as server:
        assert server.post(**alert)[0] == 200
        server.kill()
    told.status = 200
    with running(tmp_path):
        await_true(lambda: "bought 1 BTCUSDT" in told.texts())
    assert told.texts().count("bought 1 BTCUSDT") == 1


@pytest.mark.parametrize(("status", "code"), [(200, 0), (500, 1)])
def test_notify_test_says_who_did_not_take_it(tmp_path, service, status, code):
    """It ends with 0 if all took it, else with 1; no address is printed."""
    told = service()
    told.status = status
    file = tmp_path / "config.yaml"
    file.write_text(f"notify: ['{told.url}']")
    file.chmod(0o600)
    command = [sys.executable, "webhook_server.py", "--config", str(file), "--notify-test"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == code, ended.stderr
    assert TOKEN not in ended.stdout + ended.stderr
    assert told.calls == 1
    if code:
        assert "Entry 1 of notify (json://127.0.0.1): the service did not take it." in ended.stderr


def test_an_address_that_nobody_knows_stops_the_start_without_being_shown(start, capsys):
    """A message that goes nowhere would be missed only when it matters."""
    with pytest.raises(SystemExit):
        start("notify: ['nonsense://s3cret-t0ken']")
    said = capsys.readouterr().err
    assert "entry 1 is no address that Apprise knows" in said
    assert "s3cret" not in said
