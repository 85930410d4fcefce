"""Tests that the messages and scripts we ship are read as they are meant."""

from __future__ import annotations

import ast
import re
from decimal import Decimal
from pathlib import Path

import pytest

import parsers
from parsers.alert import Alert, Level

EXAMPLES = Path(__file__).parent.parent / "examples"
BRACKET = EXAMPLES / "pine" / "bracket_v6.pine"
FIRED_AT = 1_795_132_800_000
KEY = "{{timenow}}|{{strategy.order.id}}|{{strategy.position_size}}"

FUNCTION = re.compile(r"^(\w+)\((.*)\) =>\n\s+(.+)$", re.MULTILINE)
ASSIGNMENT = re.compile(r"^\s+(\w+) = (.+)$", re.MULTILINE)

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
BAR = {
    "close": 45000.5,
    "stop": 44000.0,
    "target": 46500.0,
    "quantity": 0.1,
    "secret": "your-secret-key",
    "name": "my-bracket",
    "timenow": FIRED_AT,
    "syminfo.ticker": "BTCUSDT.P",
    "timeframe.period": "60",
    "format.mintick": "0.01",
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


def test_the_v6_entry_carries_its_protection() -> None:
    """What the script writes for an entry is an alert with both levels, a time and a key."""
    alert = read(Pine(BRACKET).message("opened"))
    assert (alert.action, alert.symbol, alert.strategy) == ("buy", "BTCUSDT.P", "my-bracket")
    assert (alert.quantity, alert.price) == (Decimal("0.1"), Decimal("45000.5"))
    assert (alert.stop_loss, alert.take_profit) == (
        Level(price=Decimal(44000)),
        Level(price=Decimal(46500)),
    )
    assert (alert.market_position, alert.position_size) == ("long", Decimal("0.1"))
    assert (alert.fired_at, alert.idempotency_key) == (FIRED_AT, f"{FIRED_AT}|Long|0.1")


@pytest.mark.parametrize(
    ("name", "order", "price"), [("stopped", "Stop", 44000), ("reached", "Target", 46500)]
)
def test_the_v6_exits_close_at_their_level_and_can_open_nothing(
    name: str, order: str, price: int
) -> None:
    """An exit states flat, has a key of its own and claims no time of firing."""
    alert = read(Pine(BRACKET).message(name))
    assert (alert.action, alert.only_reduces, alert.price) == ("close", True, Decimal(price))
    assert (alert.quantity, alert.position_size, alert.fired_at) == (None, Decimal(0), None)
    assert (alert.stop_loss, alert.take_profit) == (None, None)
    assert alert.idempotency_key == f"{FIRED_AT}|{order}|0"


@pytest.mark.parametrize("path", sorted((EXAMPLES / "pine").glob("*.pine")), ids=lambda p: p.name)
def test_no_placeholder_stands_where_it_is_not_filled_in(path: Path) -> None:
    """Outside comments a script holds no `{{…}}`: TradingView would send it as it stands."""
    code = [line for line in path.read_text().splitlines() if not line.startswith("//")]
    assert not [line for line in code if "{{" in line]


class Pine:
    """Just enough of Pine to evaluate the messages of a script: strings, calls, `+`."""

    def __init__(self, path: Path) -> None:
        """Read functions of one expression and assignments; wrapped lines are joined."""
        text = re.sub(r"^\s*//.*\n", "", path.read_text(), flags=re.MULTILINE)
        text = re.sub(r"([+,])\n\s+", r"\1 ", text)
        self.functions = {
            name: ([part.split()[-1] for part in parameters.split(",")], body)
            for name, parameters, body in FUNCTION.findall(text)
        }
        self.values = dict(ASSIGNMENT.findall(text))

    def message(self, name: str) -> str:
        """Return the text that the script assigns to `name`."""
        return str(self.evaluate(ast.parse(self.values[name], mode="eval").body, BAR))

    def evaluate(self, node: ast.expr, names: dict[str, object]) -> object:
        """Return the value of an expression where `names` are known."""
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.BinOp):
            assert isinstance(node.op, ast.Add)
            return f"{self.evaluate(node.left, names)}{self.evaluate(node.right, names)}"
        if not isinstance(node, ast.Call):
            known = names.get(ast.unparse(node))
            if known is not None:
                return known
            return self.evaluate(ast.parse(self.values[ast.unparse(node)], mode="eval").body, BAR)
        values = [self.evaluate(argument, names) for argument in node.args]
        if ast.unparse(node.func) == "str.tostring":
            return self.write_number(*values)
        parameters, body = self.functions[ast.unparse(node.func)]
        inner = {**BAR, **dict(zip(parameters, values, strict=True))}
        return self.evaluate(ast.parse(body, mode="eval").body, inner)

    @staticmethod
    def write_number(value: object, tick: object = None) -> str:
        """Write a number as `str.tostring` does: no exponent, no needless zeros unless by tick."""
        assert isinstance(value, int | float)
        if tick is not None:
            return f"{Decimal(str(value)).quantize(Decimal(str(tick)))}"
        return f"{value:f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
