"""Measure what the page costs: how soon it can be used, and what open pages take from alerts.

- with 1,000 alerts in the history and 50 positions, from asking for the page until its newest alert and its
  positions stand there: at most 200 ms (a real Chromium; not measured where there is none)
- alerts per second over 16 connections beside 20 open pages, each asking as the page does, as a share of the
  rate without them, in alternate rounds: at least 0.97

    python -m bench.page
"""

from __future__ import annotations

import argparse
import http.client
import importlib.util
import json
import shutil
import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.figures import Figure, print_table
from bench.served import CONFIG, CONNECTIONS, SECRET, Server, serve
from bench.throughput import Side

TOKEN = "9c1d2e3f4a5b6c7d8e9f"
PAGES = 20
ASKED_EVERY_SECONDS = 1.2
"""How often an open page asks (static/page.js)."""
ALERTS, POSITIONS = 1_000, 50
WATCH = f"""new MutationObserver((_, watch) => {{
  if (document.querySelectorAll('[data-position]').length < {POSITIONS}) return;
  if (!document.querySelector('[data-alert]')) return;
  document.documentElement.dataset.usable = performance.now();
  watch.disconnect();
}}).observe(document, {{ childList: true, subtree: true }});"""
"""Writes down in the page, by the browser's own clock, when it can be used."""
FIRST_MS, LEAST_SHARE = 200.0, 0.97


def measure(directory: Path, rounds: int, count: int) -> list[Figure]:
    """Return both figures."""
    with serve(directory / "first", extra={"ADMIN_TOKEN": TOKEN}) as server:
        fill(server)
        shown = measure_first_screen(server, rounds)
    extra = {"ADMIN_TOKEN": TOKEN}
    with serve(directory / "polled", config=CONFIG, extra=extra) as server:
        side = Side(server)
        side.send(count, CONNECTIONS)
        shares = [_measure_share(side, count) for _ in range(rounds)]
    share = statistics.median(shares)
    return [
        shown,
        Figure(
            f"alerts beside {PAGES} open pages, as a share of without",
            f"{share:.3f} ({min(shares):.2f} to {max(shares):.2f})",
            f">= {LEAST_SHARE}",
            share >= LEAST_SHARE,
        ),
    ]


def fill(server: Server) -> None:
    """Send so many alerts that the history is full and many positions are open."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    for number in range(ALERTS):
        alert = {"action": "buy", "symbol": f"C{number % POSITIONS}USDT", "quantity": 1}
        more = {"price": 10, "stop_loss": 9, "id": number, "strategy": "page", "secret": SECRET}
        connection.request("POST", "/webhook", json.dumps(alert | more).encode())
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            sys.exit(f"an alert was not taken: {body!r}")
    connection.close()


def measure_first_screen(server: Server, rounds: int) -> Figure:
    """Return how long a browser takes from asking for the page until it can be used."""
    name, target = "first screen, 1,000 alerts and 50 positions", f"<= {FIRST_MS:.0f} ms"
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None or importlib.util.find_spec("playwright") is None:
        return Figure(name, "not measured (needs Chromium and Playwright)", target)
    took: list[float] = []
    sync = importlib.import_module("playwright.sync_api")  # it is there for development alone
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.port}/")
        page.fill("input[name=token]", TOKEN)
        page.keyboard.press("Enter")
        page.wait_for_selector("[data-position]")
        page.add_init_script(WATCH)
        took += [_open_page(page) for _ in range(rounds)]
        browser.close()
    middle = statistics.median(took)
    value = f"{middle:.0f} ms ({min(took):.0f} to {max(took):.0f})"
    return Figure(name, value, target, middle <= FIRST_MS)


def _open_page(page: Any) -> float:
    """Load the page anew and return the milliseconds from then until alerts and positions stand in it."""
    page.reload()
    page.wait_for_selector("[data-usable]", state="attached")
    return float(page.get_attribute("html", "data-usable"))


def _measure_share(side: Side, count: int) -> float:
    """Return the rate beside open pages as a share of the rate alone, one round after the other."""
    side.send_many(count)
    with open_pages(side.server.port):
        side.send_many(count)
    return side.rates[-1] / side.rates[-2]


@contextmanager
def open_pages(port: int) -> Iterator[None]:
    """Ask for the first screen as open pages do, until the block ends."""
    is_over = threading.Event()
    pages = [
        threading.Thread(target=_ask_again_and_again, args=(port, number, is_over))
        for number in range(PAGES)
    ]
    for each in pages:
        each.start()
    try:
        yield
    finally:
        is_over.set()
        for each in pages:
            each.join()


def _ask_again_and_again(port: int, number: int, is_over: threading.Event) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    tag = ""
    is_over.wait(ASKED_EVERY_SECONDS * number / PAGES)
    while not is_over.is_set():
        headers = {"Authorization": f"Bearer {TOKEN}"} | ({"If-None-Match": tag} if tag else {})
        connection.request("GET", "/overview", headers=headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status not in (200, 304):
            sys.exit(f"a page was answered {answer.status}")
        tag = answer.headers.get("ETag") or tag
        is_over.wait(ASKED_EVERY_SECONDS)
    connection.close()


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--count", type=int, default=2560, help="alerts in a round")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        figures = measure(Path(directory), options.rounds, options.count)
    sys.exit(print_table(figures))


if __name__ == "__main__":
    main()
