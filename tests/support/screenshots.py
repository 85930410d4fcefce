"""Take a picture of every view of the page, for a desk and for a phone: `make screenshots`."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from tests.support.browser import browsers, log_in
from tests.support.running import SECRET, running

SIZES = {"desktop": (1280, 800), "phone": (390, 844)}
VIEWS = ("overview", "alerts", "strategies", "accounts", "composer", "compare")
ALERTS = (
    {"action": "buy", "symbol": "BTCUSDT", "quantity": "0.1", "price": 45000, "stop_loss": 44000},
    {"action": "buy", "symbol": "ETHUSDT", "quantity": 1, "price": 3000, "take_profit": 3200},
    {"action": "close", "symbol": "ETHUSDT", "price": 3050},
    {
        "action": "buy",
        "symbol": "XRPUSDT",
        "quantity": 500,
        "order_type": "limit",
        "limit_price": 2,
        "price": 2.1,
    },
    {"action": "sell", "symbol": "SOLUSDT", "quantity": 5, "price": 150},
)


def take(folder: Path) -> None:
    """Run a receiver on paper, send it some alerts, and write the pictures to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as state, running(Path(state)) as server:
        for alert in ALERTS:
            body = json.dumps({"secret": SECRET, "strategy": "my-strategy", **alert}).encode()
            server.request("POST", "/webhook", body)
        with browsers() as browser:
            for size, (width, height) in SIZES.items():
                page = log_in(
                    browser, f"http://127.0.0.1:{server.port}/", width=width, height=height
                )
                for view in VIEWS:
                    page.get_by_role("link", name=view.capitalize(), exact=True).click()
                    page.locator(f"[data-view={view}]").wait_for()
                    page.wait_for_load_state("networkidle")
                    page.screenshot(path=folder / f"{view}-{size}.png", full_page=True)
                page.get_by_role("link", name="Strategies", exact=True).click()
                page.get_by_role("link", name="my-strategy").click()
                page.get_by_role("img").wait_for()
                page.screenshot(path=folder / f"strategy-{size}.png", full_page=True)


if __name__ == "__main__":
    take(Path(sys.argv[1]))
