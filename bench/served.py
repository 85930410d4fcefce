"""Run a WSGI application as it is deployed: gunicorn with the settings we ship.

Each application gets a directory of its own with a config.yaml, its state and its log, and a port
that was free. Nothing of the checkout's own config.yaml, .env or state is read or written.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

ROOT = Path(__file__).resolve().parents[1]
SECRET = "0f3c9a5be27d48c6a1d4"
CONNECTIONS = 16
START_SECONDS = 30.0
STOP_SECONDS = 30.0
CONFIG = {
    "webhook": {"rate_limit": "1000000/minute"},
    "risk": {"max_orders_per_minute": None, "max_orders_per_day": None, "max_repeats": None},
    "default_account": "paper_simulator",
    "accounts": {"paper_simulator": {"broker": "paper", "cash": 1_000_000_000}},
    "strategies": {f"bench-{index}": {} for index in range(CONNECTIONS)},
}
"""As shipped, but rich and without the limits on the number of orders: every alert must be a fill."""
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "SYSTEMROOT")


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    process: subprocess.Popen[bytes]
    port: int
    start_seconds: float
    """From the start of the interpreter to the first answer."""

    def worker(self) -> int | None:
        """Return the process id of gunicorn's one worker; None where there is no /proc."""
        pid = self.process.pid
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            return None
        return int(children[0]) if children else None

    def memory_mb(self) -> float | None:
        """Return the resident memory of the worker in megabytes."""
        status = Path(f"/proc/{self.worker()}/status")
        if not status.exists():
            return None
        line = next(row for row in status.read_text().splitlines() if row.startswith("VmRSS"))
        return int(line.split()[1]) * 1024 / 1e6

    def written_bytes(self) -> int | None:
        """Return how many bytes the worker has written: to its state, its log and its connections."""
        io = Path(f"/proc/{self.worker()}/io")
        try:
            lines = io.read_text().splitlines()
        except OSError:
            return None
        return next(int(line.split()[1]) for line in lines if line.startswith("wchar:"))

    def cpu_seconds(self) -> float | None:
        """Return the processor time that the worker has used."""
        stat = Path(f"/proc/{self.worker()}/stat")
        if not stat.exists():
            return None
        fields = stat.read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serve(
    directory: Path,
    application: str | None = None,
    config: Mapping[str, object] = CONFIG,
    extra: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Server]:
    """Run `application` (None: ours) in `directory` until the block ends, then stop it gracefully.

    `extra` is added to what it finds in its environment.
    """
    directory.mkdir(parents=True, exist_ok=True)
    settings = directory / "config.yaml"
    settings.write_text(json.dumps(dict(config)))  # JSON is YAML
    port = _find_free_port()
    command = [sys.executable, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py")]
    command += ["--bind", f"127.0.0.1:{port}", *((application,) if application else ())]
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    environment |= {
        "CONFIG": str(settings),
        "PORT": str(port),
        "TRADINGVIEW_WEBHOOK_SECRET": SECRET,
    }
    environment |= {"PRICES": "alerts", **extra}
    log = directory / "gunicorn.log"
    began = time.perf_counter()
    with log.open("ab") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=out)
    try:
        _wait_for_answer(process, port, log)
        yield Server(process, port, time.perf_counter() - began)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for_answer(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with opener.open(f"http://127.0.0.1:{port}/webhook/test", timeout=5.0):
                return
        except OSError:
            time.sleep(0.005)
    sys.exit(f"the server did not answer; its log ends:\n{log.read_text()[-2000:]}")


def measure_fsync(directory: Path, times: int = 100) -> float:
    """Return the median seconds that appending 4 KiB and fsync take in `directory`."""
    path = directory / "fsync.tmp"
    seconds = []
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        for _ in range(times):
            began = time.perf_counter()
            os.write(descriptor, bytes(4096))
            os.fsync(descriptor)
            seconds.append(time.perf_counter() - began)
    finally:
        os.close(descriptor)
        path.unlink()
    return statistics.median(seconds)
