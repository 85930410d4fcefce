"""Run the receiver for a test: as an application in this process, or as gunicorn on a port of its own."""

from __future__ import annotations

import gc
import http.client
import json
import logging
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from brokers import BROKERS
from webhook_server import create_app, load_settings

ROOT = Path(__file__).resolve().parents[2]
SECRET = "0f3c9a5be27d48c6a1d4"
TOKEN = "9c1d2e3f4a5b6c7d8e9f"
OWNER = {"Authorization": f"Bearer {TOKEN}"}
GUARDED = {"TRADINGVIEW_WEBHOOK_SECRET": SECRET, "ADMIN_TOKEN": TOKEN}
"""The environment of a receiver that asks for a secret and a token."""
HANGING = """
accounts:
  paper_simulator: {broker: paper}
  venue: {broker: hanging, sandbox: true, market: linear}
"""
"""A configuration with an account at a venue that answers when the test lets it."""
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "SYSTEMROOT")


class Receiver:
    """The application in this process, and what one does with it."""

    def __init__(self, folder: Path, config: str, environ: Mapping[str, str], brokers: Any) -> None:
        self.folder = folder
        self.file = folder / "config.yaml"
        self.file.write_text(config)
        self.environ = {"PRICES": "alerts", **environ}
        self.brokers = brokers
        self._count = 0
        self.open()

    def open(self) -> None:
        """Start the application on its state."""
        self.settings = load_settings(self.file, self.environ, self.brokers)
        self.is_stopped = True
        self.app = create_app(self.settings, brokers=self.brokers)
        self.is_stopped = False
        self.client = self.app.test_client()

    def stop(self) -> None:
        """Stop it gracefully, once."""
        if not self.is_stopped:
            self.is_stopped = True
            self.app.stop_desk()

    def restart(self) -> None:
        """Stop it and start it again on the same state."""
        self.stop()
        self.open()

    def alert(self, **fields: Any) -> dict[str, Any]:
        """Return an alert with the secret that no other alert repeats."""
        self._count += 1
        return {"secret": SECRET, "id": f"n{self._count}", **fields}

    def send(self, path: str = "/webhook", **fields: Any) -> Any:
        """Send one alert that no other repeats, from a client of its own, and return the response."""
        return self.app.test_client().post(path, json=self.alert(**fields))

    def buy(self, symbol: str = "BTCUSDT", **fields: Any) -> Any:
        """Buy one of something at 100."""
        return self.send(
            **{"action": "buy", "symbol": symbol, "quantity": 1, "price": 100, **fields}
        )

    def get(self, path: str) -> Any:
        """Read a page as the owner."""
        return self.client.get(path, headers=OWNER).get_json()

    def control(self, path: str, **options: Any) -> Any:
        """Use a control as the owner."""
        return self.client.post(path, headers=OWNER, json=options)

    def held(self) -> dict[tuple[str, str], Decimal]:
        """Return the share of each strategy in each instrument."""
        return shares_of(self.get("/positions"))

    def log(self) -> str:
        """Return the log file."""
        return self.settings.log_path.read_text()

    def fills(self) -> list[tuple[Any, ...]]:
        """Return what was filled, from the state itself."""
        return read_fills(self.settings.state_path)


@contextmanager
def receivers(folder: Path) -> Iterator[Callable[..., Receiver]]:
    """Yield a function that starts receivers; all are stopped at the end."""
    made: list[Receiver] = []
    root = logging.getLogger()
    handlers, level, thresholds = root.handlers, root.level, gc.get_threshold()
    mask = os.umask(0o022)

    def start(
        config: str = "",
        environ: Mapping[str, str] = GUARDED,
        brokers: Mapping[str, Any] | None = None,
    ) -> Receiver:
        place = folder / f"receiver{len(made)}"
        place.mkdir()
        made.append(Receiver(place, config, environ, {**BROKERS, **(brokers or {})}))
        return made[-1]

    try:
        yield start
    finally:
        for each in made:
            each.stop()
        root.handlers, root.level = handlers, level
        gc.unfreeze()
        gc.enable()
        gc.set_threshold(*thresholds)
        os.umask(mask)


class Running:
    """A receiver in a process of its own."""

    def __init__(
        self, folder: Path, port: int, process: subprocess.Popen[bytes], output: Path
    ) -> None:
        self.folder = folder
        self.port = port
        self.process = process
        self.output = output

    @property
    def state(self) -> Path:
        """Return where the state lies."""
        return self.folder / "state.db"

    def request(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        headers: Mapping[str, str] = {},
        seconds: float = 10.0,
    ) -> tuple[int, bytes]:
        """Send one request over a connection of its own and return status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def post(self, path: str = "/webhook", **alert: Any) -> tuple[int, dict[str, Any]]:
        """Send one alert with the secret."""
        body = json.dumps({"secret": SECRET, **alert})
        status, answer = self.request("POST", path, body, {"Content-Type": "application/json"})
        return status, json.loads(answer)

    def get(self, path: str) -> Any:
        """Read a page as the owner."""
        status, answer = self.request("GET", path, headers=OWNER)
        assert status == 200, answer
        return json.loads(answer)

    def raw(self, data: bytes, seconds: float = 5.0) -> bytes:
        """Send raw bytes and return everything that comes back until the connection ends or is silent."""
        received = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                while part := connection.recv(65536):
                    received += part
            except OSError:
                pass
        return received

    def held(self) -> dict[tuple[str, str], Decimal]:
        """Return the share of each strategy in each instrument."""
        return shares_of(self.get("/positions"))

    def worker(self) -> int:
        """Return the process id of gunicorn's worker."""
        pid = self.process.pid
        return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])

    def kill(self) -> None:
        """End everything at once, as a power cut would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def terminate(self, seconds: float = 30.0) -> int:
        """Ask it to stop and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def said(self) -> str:
        """Return what it printed."""
        return self.output.read_text()


def find_port() -> int:
    """Return a port on loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def launch(
    folder: Path,
    *arguments: str,
    environ: Mapping[str, str] = GUARDED,
    command: tuple[str, ...] = ("-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py")),
    port: int = 0,
) -> Running:
    """Start a receiver on the config.yaml of `folder` (the defaults where there is none), without waiting."""
    config = folder / "config.yaml"
    if not config.exists():
        config.write_text("")
    port = port or find_port()
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    environment |= {"CONFIG": str(config), "PORT": str(port), "PYTHONPATH": str(ROOT)}
    environment |= {"PRICES": "alerts", **environ}
    output = folder / "output.txt"
    with output.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, *command, *arguments],
            cwd=ROOT,
            env=environment,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    return Running(folder, port, process, output)


@contextmanager
def running(folder: Path, *arguments: str, **how: Any) -> Iterator[Running]:
    """Run a receiver until the block ends."""
    server = launch(folder, *arguments, **how)
    try:
        await_answer(server)
        yield server
    finally:
        if server.process.poll() is None:
            server.kill()


def await_answer(server: Running, seconds: float = 30.0) -> None:
    """Wait until it answers."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            raise AssertionError(f"it ended with {server.process.returncode}: {server.said()}")
        try:
            if server.request("GET", "/webhook/test")[0] == 200:
                return
        except OSError:
            time.sleep(0.005)
    raise AssertionError(f"no answer: {server.said()}")


def await_true(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Wait until a condition holds, and return what it gave."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.005)
    raise AssertionError("it never became true")


def shares_of(page: Mapping[str, Any]) -> dict[tuple[str, str], Decimal]:
    """Return the shares of a /positions page by strategy and instrument."""
    return {
        (row["strategy"], row["instrument"]): Decimal(row["quantity"]) for row in page["positions"]
    }


def read_fills(state: Path) -> list[tuple[Any, ...]]:
    """Return trade id, order, strategy, instrument, side, quantity, price and fee of every fill."""
    with read_state(state) as db:
        rows = db.execute(
            "SELECT fill_id, client_id, strategy, instrument, side, quantity, price, fee FROM fills"
        ).fetchall()
    return [(*row[:5], *map(Decimal, row[5:])) for row in rows]


@contextmanager
def read_state(state: Path) -> Iterator[sqlite3.Connection]:
    """Open the state for reading, beside whoever writes it."""
    db = sqlite3.connect(f"{state.absolute().as_uri()}?mode=ro", uri=True)
    try:
        yield db
    finally:
        db.close()
