"""`GET /metrics`: who may read it, that it is true, and that the shipped dashboard asks for what is there."""

from __future__ import annotations

import json
import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.running import GUARDED, OWNER, SECRET, TOKEN, receivers
from tests.support.shipped import read_shipped

METRICS = "7c1d9e3f5a2468bdf013"
BEARER = {"Authorization": f"Bearer {METRICS}"}


@pytest.fixture
def receiver(tmp_path):
    """Start a receiver with a token for the metrics."""
    with receivers(tmp_path) as start:
        yield start("", {**GUARDED, "METRICS_TOKEN": METRICS})


def read(receiver):
    """Return every sample by its name and labels."""
    answer = receiver.client.get("/metrics", headers=BEARER)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_its_token_opens_this_and_nothing_else(receiver):
    """The owner may read it too; a stranger and the secret of alerts may not."""
    client = receiver.client
    assert client.get("/metrics", headers=OWNER).status_code == 200
    for headers in ({}, {"Authorization": f"Bearer {SECRET}"}, {"Authorization": "Bearer x"}):
        assert client.get("/metrics", headers=headers).status_code == 401
    for path in ("/history", "/positions", "/accounts"):
        assert client.get(path, headers=BEARER).status_code == 401
    assert client.post("/halt", headers=BEARER).status_code == 401


def test_alerts_orders_positions_and_the_day_are_counted(receiver):
    """By outcome; a duplicate is no alert; the latency of each phase has its buckets."""
    receiver.buy(stop_loss=90)
    receiver.send(action="sell", symbol="BTCUSDT", quantity="0.5", price=120)
    receiver.send(action="close", symbol="ETHUSDT", price=120)
    twice = {"secret": SECRET, "action": "buy", "symbol": "SOLUSDT", "quantity": 1, "price": 10}
    for _ in range(2):
        receiver.client.post("/webhook", json=twice)
    found = read(receiver)
    assert found["receiver_alerts_total", "filled"] == 3
    assert found["receiver_alerts_total", "nothing_to_do"] == 1
    assert found["receiver_orders_total", "filled", "paper_simulator"] == 3
    assert found["receiver_open_positions", "paper", "paper_simulator"] == 2
    assert found["receiver_day_pnl", "USDT", "paper_simulator"] == pytest.approx(19.8, abs=0.3)
    assert found["receiver_unprotected_positions",] == 0
    for phase in ("parse", "decide", "total"):
        labels = sorted(["paper_simulator", phase])
        assert found["receiver_alert_phase_seconds_count", *labels] == 4
        assert found["receiver_alert_phase_seconds_bucket", *sorted(["+Inf", *labels])] == 4


def test_a_halt_shows(receiver):
    """What wants a person is a number."""
    receiver.control("/halt", strategy="swing")
    assert read(receiver)["receiver_halted",] == 1


def test_no_secret_and_no_text_of_an_alert_is_in_it(receiver):
    """Neither a comment nor a strategy's name: labels are few."""
    receiver.buy(strategy="quiet-name", comment=f"hello {SECRET}")
    text = receiver.client.get("/metrics", headers=BEARER).text
    for word in (SECRET, TOKEN, METRICS, "quiet-name", "hello"):
        assert word not in text


def test_the_shipped_dashboard_asks_for_what_there_is(receiver):
    """Each name in it is that of a sample."""
    receiver.buy()
    dashboard = json.loads(read_shipped("deploy/grafana.json"))
    asked = {
        name
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in re.findall(r"receiver_[a-z_]+", target["expr"])
    }
    families = {
        sample.name
        for family in text_string_to_metric_families(
            receiver.client.get("/metrics", headers=BEARER).text
        )
        for sample in family.samples
    }
    # Those are empty while nothing is wrong and nobody is told anything.
    quiet = {"receiver_silent_accounts", "receiver_queue_dropped"}
    assert asked - families <= quiet
