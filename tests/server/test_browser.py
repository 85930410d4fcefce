"""The page in a real browser. Without Chromium and Playwright these tests say that they are skipped."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta

import pytest

from tests.server.test_proxies import nginx, under_a_path
from tests.support.browser import browsers, log_in
from tests.support.exports import TIMED_OUT, Fired, write_log
from tests.support.running import GUARDED, SECRET, running

pytest.importorskip("playwright", reason="Playwright is not installed: make test installs it")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (shutil.which("chromium") or shutil.which("chromium-browser")),
        reason="Chromium is not installed: apt-get install chromium",
    ),
]
MARKUP = "<img src=x onerror=document.title='run'><script>document.title='run'</script>"
VIEWS = ("Overview", "Alerts", "Strategies", "Accounts", "Composer", "Compare")


@pytest.fixture(scope="module")
def browser():
    """Start Chromium once."""
    with browsers() as found:
        yield found


@pytest.fixture
def server(tmp_path):
    """Run a receiver with a secret and a token."""
    with running(tmp_path, environ={**GUARDED, "PRICES": "alerts"}) as found:
        yield found


@pytest.fixture
def page(browser, server):
    """Log in; nothing may have gone wrong in the browser at the end."""
    found = log_in(browser, f"http://127.0.0.1:{server.port}/")
    yield found
    assert found.problems == []
    found.context.close()


def send(server, **fields):
    """Send an alert and return its answer."""
    alert = {"secret": SECRET, "action": "buy", "symbol": "BTCUSDT", "quantity": 1, "price": 100}
    body = json.dumps({**alert, **fields}).encode()
    return json.loads(server.request("POST", "/webhook", body)[1])


def test_an_alert_appears_and_tells_its_story(page, server):
    """On the open page, without a reload; what looks like markup in it stays text."""
    answer = send(server, comment=MARKUP, strategy=MARKUP[:40], stop_loss=90)
    row = page.locator(f"[data-alert={answer['alert_id']}]")
    row.wait_for(timeout=15_000)
    assert "filled" in row.inner_text()
    row.click()
    story = page.locator(f"[data-story={answer['alert_id']}]")
    story.wait_for()
    for part in ("body", "understood", "decisions", "orders", "times", "explain"):
        assert story.locator(f"[data-part={part}]").inner_text().strip()
    assert MARKUP in story.locator("[data-part=understood]").inner_text()
    assert SECRET not in page.content()
    assert "run" not in page.title()
    page.get_by_role("button", name="Copy as curl").click()
    page.get_by_role("button", name="Replay on paper").click()
    page.get_by_text("Nothing was recorded or traded").wait_for()
    page.reload()  # a story has an address of its own
    story.wait_for()


def test_halt_and_close_say_what_they_do_first(page, server):
    """Escape cancels and gives the focus back; the button of the same word does it."""
    send(server)
    close = page.locator("[data-position=BTCUSDT]").get_by_role("button", name="Close")
    close.click()
    assert "1 BTCUSDT" in page.locator("dialog").inner_text()
    page.keyboard.press("Escape")
    page.locator("dialog").wait_for(state="detached")
    assert page.evaluate("document.activeElement.textContent") == "Close"
    page.get_by_role("button", name="HALT").click()
    page.locator("dialog").get_by_role("button", name="HALT").click()
    page.locator("[data-problem]").wait_for()
    assert send(server, symbol="ETHUSDT")["status"] == "denied"
    page.get_by_role("button", name="Resume").click()
    page.locator("dialog").get_by_role("button", name="Resume").click()
    page.locator("[data-problem]").wait_for(state="detached")
    close.click()
    page.locator("dialog").get_by_role("button", name="Close").click()
    page.locator("[data-position]").wait_for(state="detached")


def test_a_strategy_is_demoted_and_promoted_by_hand(browser, tmp_path):
    """The dialog says what a change of mode does; the row says since when it counts."""
    config = "performance: {window: 20}\ndefault_account: sim\naccounts: {sim: {broker: paper}}\n"
    (tmp_path / "config.yaml").write_text(config)
    with running(tmp_path, environ=GUARDED) as server:
        for action in ("buy", "close"):
            send(server, strategy="swing", action=action)
        page = log_in(browser, f"http://127.0.0.1:{server.port}/#/strategies")
        row = page.locator("[data-strategy=swing]")
        for word, mode, told in (
            ("Demote", "paper", "on paper"),
            ("Promote", "live", "own account"),
        ):
            row.get_by_role("button", name=f"{word} swing").click()
            assert told in page.locator("dialog").inner_text()
            page.locator("dialog").get_by_role("button", name=word).click()
            page.locator("dialog").wait_for(state="detached")
            row.locator(".word", has_text=mode).wait_for()
        assert page.problems == []
        page.context.close()


def test_an_order_is_cancelled_and_a_test_order_sent_by_hand(page, server):
    """Each names account and effect first; what came of it stands in the history."""
    send(server, order_type="limit", limit_price=90)
    page.get_by_role("link", name="Accounts").click()
    page.locator("[data-account=paper_simulator]").get_by_role("button", name="Cancel").click()
    assert "buy 1 BTCUSDT" in page.locator("dialog").inner_text()
    page.locator("dialog").get_by_role("button", name="Cancel order").click()
    page.locator("dialog").wait_for(state="detached")
    assert "being cancelled" in page.locator("#said").inner_text()
    page.get_by_role("button", name="Test order on paper_simulator").click()
    assert "no real money" in page.locator("dialog").inner_text()
    page.fill("dialog [name=price]", "100")
    page.locator("dialog").get_by_role("button", name="Send").click()
    page.locator("dialog").wait_for(state="detached")
    assert "Bought 0.001 BTCUSDT" in page.locator("#said").inner_text()
    page.get_by_role("link", name="Overview").click()
    page.locator("[data-position=BTCUSDT]", has_text="0.001").wait_for()


def test_a_strategy_shows_its_curve_with_the_numbers(page, server):
    """Paper and live apart; the view has an address of its own."""
    for price in (100, 130):
        send(server, strategy="swing", action="buy" if price == 100 else "close", price=price)
    page.get_by_role("link", name="Strategies").click()
    page.locator("[data-strategy=swing]").get_by_role("link", name="swing").click()
    curve = page.get_by_role("img", name="Equity curve of swing")
    curve.wait_for()
    assert curve.locator("path").count() == 1
    days = page.locator("[data-view=strategy] table").last
    assert "paper" in days.inner_text()
    page.reload()
    curve.wait_for()


def test_the_composer_writes_what_the_receiver_understands(page):
    """In each form, with a stop and a target; a level that is none gives no message."""
    page.get_by_role("link", name="Composer").click()
    verdict = page.locator("[data-out=verdict].good")
    for dialect in ("json", "text", "pine"):
        page.select_option("[name=dialect]", dialect)
        page.fill("[name=stop_loss]", "2%")
        page.fill("[name=take_profit]", "4%")
        verdict.get_by_text("Would buy").wait_for()
        assert "YOUR-SECRET" in page.locator("[data-out=message]").inner_text()
    page.fill("[name=stop_loss]", "soon")
    page.locator("[data-out=verdict].bad").wait_for()
    assert page.locator("[data-out=message]").inner_text() == ""


def test_a_chosen_log_is_compared_and_its_differences_are_shown(page, server):
    """What the log holds stays text; what was traded leads to its story."""
    body = json.dumps(
        {"secret": SECRET, "action": "buy", "symbol": "BTCUSDT", "quantity": 1, "price": 100}
    )
    answer = json.loads(server.request("POST", "/webhook", body.encode())[1])
    at = datetime.now(UTC)
    lost = (at + timedelta(seconds=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    log = write_log(
        [
            Fired(at.strftime("%Y-%m-%dT%H:%M:%SZ"), body),
            Fired(lost, MARKUP, TIMED_OUT, name=MARKUP),
        ]
    )
    page.get_by_role("link", name="Compare", exact=True).click()
    page.set_input_files("[data-view=compare] input[type=file]", _named("log.csv", log))
    page.get_by_role("button", name="Compare").click()
    page.locator("[data-difference=never_arrived]").wait_for(timeout=15_000)
    assert page.locator("[data-difference]").count() == 1
    assert "run" not in page.title()
    assert SECRET not in page.content()
    page.get_by_role("link", name=answer["alert_id"]).click()
    page.locator(f"[data-story={answer['alert_id']}]").wait_for()


def _named(name, data):
    """Return a file as a browser chooses it."""
    return [{"name": name, "mimeType": "text/csv", "buffer": data}]


def test_nobody_is_kept_out_of_a_view(page, server):
    """The rules of accessibility find nothing serious, on a desk and on a phone."""
    send(server, stop_loss=90)
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        for view in VIEWS:
            page.get_by_role("link", name=view, exact=True).click()
            page.locator(f"[data-view={view.lower()}]").wait_for()
            found = axe.Axe().run(page).response["violations"]
            assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []


def test_the_page_works_under_a_path_behind_https(browser, server, tmp_path):
    """Through the shipped nginx: its files, its questions, its controls and the composer's address."""
    with nginx(tmp_path, server.port, change=under_a_path) as proxy:
        base = f"https://localhost:{proxy.https}/desk"
        page = log_in(browser, f"{base}/")
        answer = send(server)
        page.locator(f"[data-alert={answer['alert_id']}]").click()
        page.locator(f"[data-story={answer['alert_id']}] [data-part=explain]").wait_for()
        page.get_by_role("button", name="HALT").click()
        page.locator("dialog").get_by_role("button", name="HALT").click()
        page.locator("dialog").wait_for(state="detached")
        page.get_by_role("link", name="Composer").click()
        assert page.locator("[data-out=url]").inner_text() == f"{base}/webhook"
        page.get_by_role("button", name="Log out").click()
        page.locator("input[name=token]").wait_for()
        assert page.url.startswith(f"{base}/")
        assert page.problems == []
        page.context.close()


def test_a_hidden_page_asks_nothing(page):
    """However long it is; and it asks again when it is seen."""
    page.clock.install()
    page.reload()
    page.wait_for_selector("[data-mode]")
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {value: true, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    page.wait_for_load_state("networkidle")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.run_for(60_000)
    assert asked == []
    with page.expect_response("**/overview", timeout=15_000):
        page.evaluate(
            "Object.defineProperty(document, 'hidden', {value: false});"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )
