"""What messages of other products do to a position, as the table in docs/alerts.md says.

Each message is written as that product writes it. `done`: it does what its author means; `refused`: it is
denied by name and changes nothing.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from tests.support.fakes import DeskBench
from tests.support.shipped import read_shipped

CONFIG = """
default_account: sim
accounts: {sim: {broker: paper, fee_bp: 0, slippage_bp: 0, fee_per_contract: 0, cash: 10000000}}
"""
MNQ, BTC = "MNQZ2026", "BTCUSDT.P"


class Case(NamedTuple):
    """A message that meets a long of four at 20,000 (MNQ) or 100 (BTC), and what comes of it."""

    product: str
    instruction: str
    verdict: str
    body: dict[str, Any] | str
    held: int
    stop: str | None = None
    targets: int = 0
    starts_flat: bool = False


def pmt(**more: Any) -> dict[str, Any]:
    """Return a message of PickMyTrade."""
    return {"symbol": MNQ, "data": "buy", "quantity": 1, "price": 20010, "token": "t", **more}


CASES = (
    Case("TradersPost", "break-even", "done", {"ticker": BTC, "action": "breakeven", "price": 105}, 4, "100"),
    Case("TradersPost", "reverse", "done", {"ticker": BTC, "action": "reverse", "price": 105}, -4),
    Case("TradersPost", "cancel", "done", {"ticker": BTC, "action": "cancel"}, 4, "90"),
    Case("TradersPost", "close", "done", {"ticker": BTC, "action": "exit", "price": 105}, 0),
    Case(
        "TradersPost", "trailing stop", "refused",
        {"ticker": BTC, "action": "buy", "quantity": 1, "price": 100,
         "stopLoss": {"type": "trailing_stop", "trailPercent": 2}}, 0, starts_flat=True,
    ),
    Case("PickMyTrade", "move a level", "done", pmt(sl=19990, update_sl=True), 4, "19990"),
    Case(
        "PickMyTrade", "several targets", "done",
        pmt(quantity=2, price=20000, advance_tp_sl=[{"quantity": 1, "tp": 20100, "sl": 19900},
                                       {"quantity": 1, "tp": 20200, "sl": 19900}]),
        2, "19900", 2, starts_flat=True,
    ),
    Case("PickMyTrade", "trailing stop", "refused", pmt(trail=1, trail_stop=10), 0, starts_flat=True),
    Case("PickMyTrade", "close", "done", pmt(data="flat"), 0),
    Case(
        "CrossTrade", "reverse", "done",
        f"command=REVERSEPOSITION;instrument={MNQ};action=SELL;qty=1;order_type=MARKET;price=20010", -1,
    ),
    Case("CrossTrade", "close", "done", f"command=CLOSEPOSITION;instrument={MNQ};price=20010", 0),
    Case(
        "3Commas", "several targets", "done",
        {"action": "buy", "symbol": BTC, "quantity": 4, "price": 100,
         "stop_loss": 90, "tp1": 110, "tp2": 120},
        4, "90", 2, starts_flat=True,
    ),
    Case("3Commas", "close", "done", {"action": "close", "symbol": BTC, "price": 105}, 0),
    Case("Alertatron", "several targets", "done", f"BUY {BTC} @ 100 qty=4 sl=90 tp1=110 tp2=120 tp3=130",
         4, "90", 3, starts_flat=True),
    Case("ProfitView", "trailing stop", "refused", {"action": "buy",
         "symbol": BTC, "quantity": 1, "price": 100,
         "trailing_sl": 2}, 0, starts_flat=True),
    Case("any", "update", "done", {"action": "update",
         "symbol": BTC, "price": 105, "stop_loss": 95}, 4, "95"),
    Case("any", "close everything", "done", {"action": "close_all"}, 0),
    Case("any", "exit after bars", "refused", {"action": "buy", "symbol": BTC, "quantity": 1, "price": 100,
         "exit_after_bars": 3}, 0, starts_flat=True),
)  # fmt: skip


@pytest.fixture
def bench(tmp_path):
    """Give a desk on the simulator."""
    return DeskBench(tmp_path, CONFIG)


def deliver(bench: DeskBench, body: dict[str, Any] | str) -> dict[str, Any]:
    """Send a message as it stands."""
    return bench.send_text(body if isinstance(body, str) else json.dumps(body))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.product}: {case.instruction}")
def test_a_message_of_others_does_what_its_author_meant_or_is_refused_by_name(bench, case):
    """The position, its stop and its targets afterwards."""
    is_mnq = MNQ in str(case.body)
    symbol, price, stop = (MNQ, 20000, 19900) if is_mnq else (BTC, 100, 90)
    if not case.starts_flat:
        alert = {"action": "buy", "symbol": symbol, "quantity": 4, "price": price}
        bench.send(**alert, stop_loss=stop, interval="1")
    answer = deliver(bench, case.body)
    assert answer["success"] is (case.verdict == "done"), answer
    assert bench.held("default", symbol, "sim") == case.held, answer
    book = bench.desk.state.books.get(("sim", True, symbol))
    position = book.position("default") if book else None
    if case.stop is not None:
        assert position.stop_loss.price == Decimal(case.stop)
    assert len(position.targets if position else ()) == case.targets
    if case.verdict == "refused":
        assert answer["code"] in ("UNSUPPORTED", "UNREADABLE")


def test_the_page_has_the_same_table():
    """Product, instruction and verdict, row by row."""
    page = read_shipped("docs/alerts.md")
    table = page.partition("<!-- others -->")[2].partition("<!-- /others -->")[0]
    rows = [
        tuple(cell.strip() for cell in line.strip("|").split("|")[:3])
        for line in table.strip().split("\n")[2:]
    ]
    assert rows == [(case.product, case.instruction, case.verdict) for case in CASES]
    assert not re.search(r"would|soon", table)
