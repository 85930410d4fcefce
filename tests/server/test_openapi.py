"""What `GET /openapi.json` says is true: each route is there, and each answer has its shape."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, given, settings

from desk.api.described import ALERT, ASSISTANT, DESCRIBED
from desk.api.schemas import SHAPES
from desk.process.version import VERSION
from tests.docs.api_page import write_page
from tests.support.running import GUARDED, OWNER, SECRET, receivers
from tests.support.shipped import read_shipped

schemathesis = pytest.importorskip(
    "schemathesis", reason="it is not installed: make test installs it"
)
ASSISTANT_TOKEN = "5b0c1d7e9f3a2468aceb"
CONFIG = "webhook: {rate_limit: 1000000/minute}\nperformance: {window: 2}\n"
NO_METHOD_OF_OURS = {"HEAD", "OPTIONS"}


@pytest.fixture(scope="module")
def receiver(tmp_path_factory):
    """Start a receiver in which there is something of everything to see."""
    with ExitStack() as stack:
        start = stack.enter_context(receivers(tmp_path_factory.mktemp("described")))
        found = start(CONFIG, {**GUARDED, "MCP_TOKEN": ASSISTANT_TOKEN})
        found.buy(stop_loss=90, comment="one", strategy="swing")
        found.buy(symbol="ETHUSDT", order_type="limit", limit_price=90, strategy="swing")
        found.send(action="sell", symbol="BTCUSDT", quantity="0.5", price=120, strategy="swing")
        found.send(action="close", symbol="SOLUSDT", price=120)
        yield found


@pytest.fixture(scope="module")
def description(receiver):
    """Read what is described."""
    return schemathesis.openapi.from_wsgi("/openapi.json", receiver.app)


@pytest.mark.parametrize("route", DESCRIBED, ids=lambda each: f"{each.method} {each.path}")
def test_every_answer_is_as_described(description, route):
    """Whatever is asked: the status is told of, type and shape are right, and nothing is a fault."""
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    token = ASSISTANT_TOKEN if route.who == ASSISTANT else OWNER["Authorization"].split()[1]
    headers = {"Authorization": f"Bearer {token}", "Origin": "http://localhost"}
    params = {"secret": SECRET} if route.who == ALERT else {}
    checks = [not_a_server_error, status_code_conformance]
    checks += [content_type_conformance, response_schema_conformance]

    @settings(
        max_examples=25,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=description[route.path][route.method].as_strategy())
    def ask(case):
        case.call_and_validate(headers=headers, params=params, checks=checks)

    ask()


def test_every_route_is_described_and_no_other(receiver):
    """With its methods; only the files of the page are left out."""
    served = {
        (method, re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in receiver.app.url_map.iter_rules()
        for method in rule.methods - NO_METHOD_OF_OURS
        if rule.endpoint != "static"
    }
    doors = {("POST", path) for path in ("/webhook", "/alert")}
    doors |= {("POST", f"/webhook/{each}") for each in ("tradingview", "validate")}
    assert served | doors == {(each.method, each.path) for each in DESCRIBED}


def test_it_says_the_version_and_no_shape_fits_an_empty_object(receiver):
    """The version is that of /status; each answer requires something; who needs a token is told."""
    shape = receiver.client.get("/openapi.json").get_json()
    assert (shape["openapi"], shape["info"]["version"]) == ("3.1.0", VERSION)
    assert all(each["required"] for each in shape["components"]["schemas"].values())
    assert shape["components"]["schemas"].keys() == SHAPES.keys()
    for each in DESCRIBED:
        route = shape["paths"][each.path][each.method.lower()]
        assert bool(route.get("security")) is bool(each.who), each.path
        assert {"200"} <= route["responses"].keys()


def test_the_shapes_are_those_of_real_answers(receiver):
    """A field that an answer gains or loses is described, or left out, on purpose."""
    answer = receiver.buy(symbol="XRPUSDT", strategy="shape").get_json()
    pages = {
        "Outcome": answer,
        "Order": answer["orders"][0],
        "Story": receiver.get(f"/history/{answer['alert_id']}"),
        "AlertRow": receiver.get("/history")["alerts"][0],
        "Position": receiver.get("/positions")["positions"][0],
        "Strategy": receiver.get("/strategies")["strategies"][0],
        "Figures": receiver.get("/strategies")["strategies"][0]["paper"],
        "Open": receiver.get("/status")["open"],
    }
    for name, found in pages.items():
        fields = {each.split(":")[0] for each in SHAPES[name].split()}
        assert found.keys() == fields, (name, found.keys() ^ fields)
    assert json.dumps(pages)


def test_the_page_is_made_from_it():
    """`python -m tests.docs.api_page` writes it anew."""
    assert read_shipped("docs/api.md") == write_page()
