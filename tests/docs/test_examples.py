"""Tests that the messages and scripts we ship are read as they are meant."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

import parsers
from parsers.alert import Alert

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
FIRED_AT = 1_795_132_800_000
KEY = "{{timenow}}|{{strategy.order.id}}|{{strategy.position_size}}"

PLACEHOLDERS = {
    "strategy.order.action": "buy",
    "strategy.order.contracts": "15",
    "strategy.order.price": "45000.5",
    "strategy.order.id": "Long",
    "strategy.market_position": "long",
    "strategy.position_size": "5",
    "ticker": "BTCUSDT",
    "close": "45000.5",
    "interval": "60",
    "timenow": "2026-11-20T00:00:00Z",
}


def render(template: str) -> str:
    """Fill the placeholders in as TradingView does: plain text for plain text."""
    return re.sub(r"\{\{(.+?)\}\}", lambda match: PLACEHOLDERS[match[1]], template)


def read(body: str) -> Alert:
    """Return the one alert of a body that must be readable without a remark."""
    message = parsers.parse(body.encode())
    (alert,) = message.alerts
    assert isinstance(alert, Alert)
    assert (alert.warnings, alert.unsupported) == ((), ())
    assert message.secrets == ("your-secret-key",)
    assert "your-secret-key" not in message.masked
    return alert


@pytest.mark.parametrize("name", ["alert_strategy.json", "alert_text.txt"])
def test_strategy_messages_carry_what_the_strategy_did(name: str) -> None:
    """Side, quantity, price, position after, time, key and secret all arrive."""
    alert = read(render((EXAMPLES / name).read_text()))
    assert (alert.action, alert.symbol, alert.strategy) == ("buy", "BTCUSDT", "my-strategy")
    assert (alert.quantity, alert.price) == (Decimal(15), Decimal("45000.5"))
    assert (alert.market_position, alert.position_size) == ("long", Decimal(5))
    assert (alert.fired_at, alert.idempotency_key) == (FIRED_AT, render(KEY))


def test_the_indicator_message_buys_what_it_says() -> None:
    """An alert without a strategy names its own action and quantity."""
    alert = read(render((EXAMPLES / "alert_indicator.json").read_text()))
    assert (alert.action, alert.quantity, alert.price) == ("buy", Decimal(1), Decimal("45000.5"))
    assert (alert.fired_at, alert.interval_seconds) == (FIRED_AT, 3600)
    assert alert.idempotency_key == render("{{timenow}}|{{ticker}}|{{interval}}|buy")


def test_the_v5_script_and_the_message_file_are_the_same() -> None:
    """The comment that is to be pasted is the shipped message, word for word."""
    script = (EXAMPLES / "pine" / "ma_cross_v5.pine").read_text()
    block = re.search(r"^// -+\n(.+?)^// -+\n", script, re.DOTALL | re.MULTILINE)
    assert block is not None
    pasted = re.sub(r"^// ", "", block[1], flags=re.MULTILINE)
    assert pasted == (EXAMPLES / "alert_strategy.json").read_text()


@pytest.mark.parametrize("path", sorted((EXAMPLES / "pine").glob("*.pine")), ids=lambda p: p.name)
def test_no_placeholder_stands_where_it_is_not_filled_in(path: Path) -> None:
    """Outside comments a script holds no `{{…}}`: TradingView would send it as it stands."""
    code = [line for line in path.read_text().splitlines() if not line.startswith("//")]
    assert not [line for line in code if "{{" in line]
