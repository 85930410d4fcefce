"""Tests that more messages of others do on paper what they mean, or are refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.running import Receiver, receivers
from tests.support.second_cases import CASES, Case

_SHOWN = ("side", "quantity", "status", "code", "stop_loss", "take_profit")


@pytest.fixture
def receiver(tmp_path) -> Iterator[Receiver]:
    """Start a receiver as a newcomer has it: no secret, one paper account."""
    with receivers(tmp_path) as start:
        yield start(environ={})


def send(receiver: Receiver, body: str) -> Any:
    """Send a body as it arrives; its time is that of the moment."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return receiver.client.post("/webhook", data=body.replace("<NOW>", now).encode())


def hold(receiver: Receiver, case: Case) -> None:
    """Bring about what is held before the message comes."""
    if case.held is not None:
        fields = {key: value for key, value in case.held._asdict().items() if value is not None}
        assert receiver.client.post("/webhook", json=fields).get_json()["status"] == "filled"


def shorten(order: dict[str, Any]) -> tuple[str | None, ...]:
    """Return an order as the table writes it: without what is null at its end."""
    shown = [order[key] for key in _SHOWN]
    while shown[-1] is None:
        shown.pop()
    return tuple(shown)


@pytest.mark.parametrize("case", CASES, ids=[case.name.split()[0] for case in CASES])
def test_a_message_of_others_does_what_it_means_or_is_refused_by_name(receiver, case):
    """Status, code, side, quantity and levels are as meant; a refusal names its reason."""
    hold(receiver, case)
    response = send(receiver, case.body)
    answer = response.get_json()
    assert (response.status_code, answer["status"], answer["code"]) == case[2:5], answer["message"]
    assert tuple(shorten(order) for order in answer["orders"]) == case.orders
    assert case.says in answer["message"]


@pytest.mark.parametrize("key", ["size", "amount"])
@pytest.mark.parametrize(
    ("symbol", "counts"),
    [
        *(("MNQ1!", True), ("ESZ2040", True), ("AAPL", True), ("SPY", True)),
        *(("BTCUSDT", False), ("BTCUSDT.P", False), ("EURUSD", False), ("ETH/USDT", False)),
    ],
)
def test_a_bare_size_counts_contracts_and_shares_and_is_asked_back_elsewhere(
    receiver, key, symbol, counts
):
    """Of a coin it may be money (rules 16.3); an exit takes it as units, and says so."""
    order = {"symbol": symbol, "action": "buy", key: 2, "price": 100}
    answer = receiver.client.post("/webhook", json=order).get_json()
    if counts:
        assert (answer["status"], answer["orders"][0]["quantity"]) == ("filled", "2")
        return
    assert (answer["status"], answer["code"]) == ("denied", "UNSUPPORTED")
    assert "coins or money?" in answer["message"]
    typed = receiver.client.post("/webhook", json={**order, "quantity_type": "fixed"}).get_json()
    assert typed["status"] == "filled"
    closing = {"symbol": symbol, "action": "close", key: 1, "price": 101}
    closed = receiver.client.post("/webhook", json=closing).get_json()
    assert closed["orders"][0]["quantity"] == "1"
    assert any("taken as units" in text for text in closed["warnings"])
