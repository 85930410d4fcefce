"""Open the page in a real browser: Chromium without a window, as Debian or Playwright brings it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.running import TOKEN


@contextmanager
def browsers() -> Iterator[Any]:
    """Yield a browser until the block ends."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def log_in(browser: Any, base: str, *, width: int = 1280, height: int = 800) -> Any:
    """Return a page that has logged in; it collects what its console complains of in `problems`."""
    viewport = {"width": width, "height": height}
    page = browser.new_context(viewport=viewport, ignore_https_errors=True).new_page()
    page.problems = []
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    page.on(
        "console",
        lambda said: page.problems.append(said.text) if said.type in ("error", "warning") else None,
    )
    page.goto(base)
    page.fill("input[name=token]", TOKEN)
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-mode]")
    return page
