"""What an order takes of a strategy's share and what it opens: one row a sentence of the trading rules."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from desk.config.load import SettingsError
from desk.decision.sizing import Purse, read_size
from parsers.alert import Alert
from tests.support.fakes import DeskBench

CONFIG = """
webhook: {rate_limit: 100000/minute}
risk: {max_orders_per_minute: null, max_orders_per_day: null, max_repeats: null}
accounts:
  paper_simulator: {broker: paper, cash: 100000000}
  euro: {broker: paper, cash: 100000000, currency: EUR}
strategies:
  plain: {account: paper_simulator}
  sized: {account: paper_simulator, default_quantity: 3}
  synced: {account: paper_simulator, sync: position}
  long: {account: paper_simulator, direction: long}
  half: {accounts: {paper_simulator: 0.5}}
  euro: {account: euro}
"""
PRICES = {"MES1!": "6000", "ES1!": "6000", "USDJPY": "150", "GBPJPY": "200", "EURUSD": "1.25",
          "AAPL": "250"}  # fmt: skip


class Row(NamedTuple):
    """What a strategy holds, what it is sent, and what must come of it."""

    symbol: str
    held: str
    alert: dict[str, Any]
    after: str
    code: str | None = None
    says: str = ""
    """What one of the warnings, or the message, must hold."""
    strategy: str = "plain"
    http: int = 200


def sell(quantity: object = None, **more: Any) -> dict[str, Any]:
    """Return an order to sell."""
    return _alert("sell", quantity, more)


def buy(quantity: object = None, **more: Any) -> dict[str, Any]:
    """Return an order to buy."""
    return _alert("buy", quantity, more)


def close(quantity: object = None, **more: Any) -> dict[str, Any]:
    """Return an order to close."""
    return _alert("close", quantity, more)


def _alert(action: str, quantity: object, more: dict[str, Any]) -> dict[str, Any]:
    return {"action": action, **({} if quantity is None else {"quantity": quantity}), **more}


def cash(amount: object) -> dict[str, Any]:
    """Return an amount of money as a quantity."""
    return {"quantity": amount, "quantity_type": "cash"}


PERP, SPOT, MES = "BTCUSDT.P", "BTCUSDT", "MES1!"
TABLE = {
    # --- 3.3 and 3.4: across zero, and what the alert states ---
    "3.3 long 3, sell 5: sells 3, then 2 short": Row(MES, "3", sell(5), "-2"),
    "3.4 flat never opens": Row(PERP, "0", buy(1, market_position="flat"), "0", "NOTHING_TO_CLOSE"),
    "3.4 long never ends short": Row(PERP, "1", sell(4, market_position="long"), "0",
                                     says="you hold 0 BTCUSDT.P"),
    "3.4 the opening part is at most the stated size, from flat too":
        Row(PERP, "0", buy(4, position_size=2), "2"),
    "3.4 on spot, where the short was never opened, buy 4 with position 2 buys 2":
        Row(SPOT, "0", buy(4, position_size=2), "2"),
    "3.4 share 4 after a missed alert, sell 15 with position -5: 5 short, not 11":
        Row(PERP, "4", sell(15, position_size=-5), "-5"),
    "3.4 an entry beside a stated smaller position warns":
        Row(PERP, "1", buy(1, position_size=1), "2", says="you hold 2 BTCUSDT.P on paper_simulator after "
            "this, the alert says 1: with sync: position"),
    "3.4 times the multiplier": Row(PERP, "0", buy(4, position_size=2), "1", strategy="half"),
    "3.4 what comes to the stated size warns of nothing":
        Row(PERP, "1", buy(1, position_size=2), "2", says="-"),
    # --- 3.5: directions ---
    "3.5 spot is long only; a short needs the perpetual":
        Row(SPOT, "0", sell(1), "0", "NOTHING_TO_CLOSE", "the perpetual BTCUSDT.P"),
    "3.5 equities are long only; the message names the setting":
        Row("AAPL", "0", sell(1), "0", "NOTHING_TO_CLOSE", "shorts: true"),
    "3.5 direction long on a perpetual names the setting":
        Row(PERP, "0", sell(1), "0", "NOTHING_TO_CLOSE", "strategies.long.direction", "long"),
    "3.5 both on futures": Row(MES, "0", sell(1), "-1"),
    "3.5 both on forex": Row("EURUSD", "0", sell(1000), "-1000"),
    # --- 3.6: closes ---
    "3.6 close takes the whole share": Row(PERP, "3", close(), "0"),
    "3.6 close with a quantity takes that much": Row(PERP, "3", close(1), "2"),
    "3.6 close_long of a short does nothing":
        Row(PERP, "-3", {"action": "close_long"}, "-3", "NOTHING_TO_CLOSE"),
    "3.6 close_short of a long does nothing":
        Row(PERP, "3", {"action": "close_short"}, "3", "NOTHING_TO_CLOSE"),
    "3.6 close_short with a quantity": Row(PERP, "-3", {"action": "close_short", "quantity": 1}, "-2"),
    "3.6 a disabled strategy's exit": Row(PERP, "0", close(), "0", "NOTHING_TO_CLOSE"),
    "3.6 a quantity of zero means all": Row(PERP, "3", close(0), "0"),
    "3.6 flat means all, whatever its quantity": Row(PERP, "3", {"action": "flat", "quantity": 1}, "0"),
    "16.3 100% on what reduces": Row(PERP, "3", sell("100%"), "0"),
    "16.3 all on what reduces": Row(PERP, "3", {"action": "exit", "quantity": "all"}, "0"),
    # --- 3.7 and 3.8: how much of the share ---
    "3.7 an opposing order without a quantity takes all and opens nothing":
        Row(PERP, "2", sell(), "0", strategy="sized"),
    "3.8 share x quantity / before, rounded up": Row(MES, "2", sell(1, prev_market_position="long",
        prev_market_position_size=3), "1"),
    "3.8 before from position_size less the order": Row(MES, "2", sell(1, position_size=2), "1",
        says="you hold 1 MES1!"),
    "3.8 unknown before: the quantity times the multiplier":
        Row(PERP, "2", sell(1), "1.5", strategy="half"),
    "3.8 the signal was flat before: all goes": Row(PERP, "4", sell(1, prev_market_position="flat"), "0"),
    "3.8 the signal was on the other side before: all goes":
        Row(PERP, "4", sell(1, prev_market_position="short"), "0"),
    "3.8 before not above the quantity: all goes":
        Row(PERP, "4", sell(1, prev_market_position="long", prev_market_position_size=1), "0"),
    "3.8 a short counts on its own side": Row(PERP, "-2", buy(1, prev_market_position="short",
        prev_market_position_size=4), "-1.5"),
    "3.8 a stated flat takes all": Row(PERP, "4", sell(1, market_position="flat"), "0"),
    "3.8 percent_of_position": Row(PERP, "4", sell(25, quantity_type="percent_of_position"), "3"),
    # --- 3.12 ---
    "3.12 a rest below the step after a whole exit is a warning":
        Row(MES, "2", sell("2.5"), "0", says="0.5 MES1! is below the smallest order"),
    "3.12 from flat it is denied": Row(MES, "0", sell("0.5"), "0", "QUANTITY_TOO_SMALL", http=422),
    # --- 3.13 ---
    "3.13 trades to the stated position": Row(PERP, "1", buy(1, position_size=4), "4", strategy="synced"),
    "3.13 a sell that would buy is denied, whenever it fired":
        Row(PERP, "0", sell(1, position_size=2), "0", "STALE_ORDER", "so a sell would have to buy",
            "synced", 422),
    "3.13 a buy that would sell is denied":
        Row(PERP, "4", buy(1, position_size=2), "4", "STALE_ORDER", "", "synced", 422),
    "3.13 no stated position": Row(PERP, "4", sell(1), "4", "NO_TARGET", "", "synced", 422),
    "3.13 close states flat": Row(PERP, "4", close(1), "0", strategy="synced"),
    "3.13 at target": Row(PERP, "4", buy(1, position_size=4), "4", "AT_TARGET", "", "synced"),
    "3.13 a rest below the smallest order is at target":
        Row(MES, "4", buy(1, position_size="4.5"), "4", "AT_TARGET", "", "synced"),
    # --- 16.3: money ---
    "16.3 divided by the price": Row(PERP, "0", buy(price=100, **cash(50)), "0.5"),
    "16.3 divided by the point value: a future of 300,000 is too small for 50,000":
        Row("ES1!", "0", buy(price=6000, **cash(50000)), "0", "QUANTITY_TOO_SMALL", http=422),
    "16.3 a micro of 30,000 fits once": Row(MES, "0", buy(price=6000, **cash(50000)), "1"),
    "16.3 units where it is the base": Row("USDJPY", "0", buy(price=150, **cash(5000)), "5000"),
    "16.3 neither quote nor base":
        Row("GBPJPY", "0", buy(price=200, **cash(5000)), "0", "CURRENCY_UNKNOWN", "JPY", http=422),
    "16.3 dollars on an account in euro":
        Row(PERP, "0", buy(price=100, **cash(50)), "0", "CURRENCY_UNKNOWN", "EUR", "euro", 422),
    "16.3 euro on an account in euro": Row("EURUSD", "0", buy(price="1.25", **cash(50)), "50",
        strategy="euro"),
    "16.3 a cash sell takes what it is worth": Row(SPOT, "2", sell(price=100, **cash(50)), "1.5"),
    "16.3 a cash sell beside a stated flat takes all":
        Row(SPOT, "2", sell(market_position="flat", **cash(50)), "0"),
    "16.3 a size of the account's equity never counts as units":
        Row(PERP, "4", sell(1, quantity_type="percent_of_equity"), "4", "UNSUPPORTED", http=422),
}  # fmt: skip


def price_of(symbol: str) -> str:
    """Return what a symbol costs here."""
    return PRICES.get(symbol, "100")


def account_of(strategy: str) -> str:
    """Return where a strategy trades here."""
    return "euro" if strategy == "euro" else "paper_simulator"


@pytest.mark.parametrize("row", TABLE.values(), ids=TABLE.keys())
def test_what_an_order_takes_and_opens(make_bench, row):
    """The share afterwards, the code, and what the answer says of it."""
    bench = make_bench(CONFIG)
    hold(bench, row)
    alert = {
        "symbol": row.symbol,
        "strategy": row.strategy,
        "price": price_of(row.symbol),
        **row.alert,
    }
    answer = bench.send(**alert)
    account = account_of(row.strategy)
    said = [*answer["warnings"], answer["message"]]
    assert bench.held(row.strategy, row.symbol, account) == Decimal(row.after), answer
    assert (answer["code"], answer["http"]) == (row.code, row.http), answer
    if row.says == "-":
        assert answer["warnings"] == []
    assert row.says in ("", "-") or any(row.says in text for text in said), said


def hold(bench: DeskBench, row: Row) -> None:
    """Let the strategy hold what the row says."""
    held = Decimal(row.held)
    if held:
        times = 2 if row.strategy == "half" else 1
        more = {"position_size": row.held} if row.strategy == "synced" else {}
        bench.send(
            action="buy" if held > 0 else "sell", symbol=row.symbol, quantity=str(abs(held) * times),
            strategy=row.strategy, price=price_of(row.symbol), **more,
        )  # fmt: skip
    assert bench.held(row.strategy, row.symbol, account_of(row.strategy)) == held


@pytest.mark.parametrize(
    ("alert", "code"),
    [({"price": None}, "NO_PRICE"), ({"quantity_type": "risk_cash"}, "UNSUPPORTED")],
)
def test_16_3_an_amount_that_cannot_be_counted_never_sells_everything(
    make_venue_bench, alert, code
):
    """It is denied by name, and what was held stays; without the amount it sells all."""
    bench = make_venue_bench()
    bench.venue.price = lambda symbol: None  # nobody has ever said what it costs
    bench.buy("2", price=None)
    answer = bench.sell("50", **{"quantity_type": "cash", **alert})
    assert (answer["code"], answer["http"], bench.held()) == (code, 422, Decimal(2))
    bench.send(action="close")
    assert bench.held() == 0


def test_16_3_money_of_another_currency_never_sells_everything(make_bench):
    """An account in euro does not know what 50 of them are worth in yen."""
    bench = make_bench(CONFIG)
    bench.send(strategy="euro", symbol="EURJPY", action="buy", quantity=100, price=160)
    answer = bench.send(strategy="euro", symbol="EURJPY", action="sell", price=160, **cash(40))
    assert bench.held("euro", "EURJPY", "euro") == 60, answer  # 40 euro are 40 of what is traded
    book = bench.desk.state.books[("euro", True, "EURJPY")]
    yen = replace(book.instrument, base="GBP")
    size = read_size(Alert("sell", "X", quantity=Decimal(50), quantity_type="cash"), yen,
                     Decimal(1), Purse("EUR", frozenset({"EUR"})), None)  # fmt: skip
    assert (size.units, size.code) == (None, "CURRENCY_UNKNOWN")


SHORTS = """
accounts: {shares: {broker: paper, cash: 10000, market: equity, shorts: true, fee_bp: 0}}
default_account: shares
strategies: {s: {direction: both}, l: {direction: long}}
"""


def test_3_5_equities_are_sold_short_on_a_paper_account_that_says_so(make_bench):
    """Long only is then the strategy's own wish; across zero goes as everywhere."""
    bench = make_bench(SHORTS)
    bench.send(strategy="s", symbol="AAPL", action="sell", quantity=10, price=250)
    assert bench.held("s", "AAPL", "shares") == -10
    bench.send(strategy="s", symbol="AAPL", action="buy", quantity=14, price=250)
    assert bench.held("s", "AAPL", "shares") == 4
    answer = bench.send(strategy="l", symbol="AAPL", action="sell", quantity=1, price=250)
    assert answer["code"] == "NOTHING_TO_CLOSE"
    assert "strategies.l.direction is long" in answer["message"]


def test_12_3_what_a_short_brought_cannot_be_spent(make_bench):
    """10,000 in cash are good for shorts of 10,000 in all; the profit of one is cash once it is closed."""
    bench = make_bench(SHORTS)
    alert = {"strategy": "s", "symbol": "AAPL", "price": 100}
    bench.send(action="sell", quantity=60, **alert)
    refused = bench.send(action="sell", quantity=60, **alert)
    assert refused["code"] == "INSUFFICIENT_CASH", refused
    bench.send(action="close", **{**alert, "price": 90})
    assert bench.desk.state.free_cash("shares") == 10_600


@pytest.mark.parametrize(("market", "shorts", "is_allowed"), [("equity", "true", True),
    ("equity", "false", False), ("spot", "true", False)])  # fmt: skip
def test_3_5_direction_both_needs_an_account_that_can_go_short(
    make_bench, market, shorts, is_allowed
):
    """What the account's market rules out is a mistake of the settings, named at the start."""
    text = SHORTS.replace("market: equity", f"market: {market}").replace(
        "shorts: true", f"shorts: {shorts}"
    )
    if is_allowed:
        assert make_bench(text)
        return
    with pytest.raises(SettingsError, match="cannot go short"):
        make_bench(text)


def test_3_13_on_spot_what_went_as_the_fee_is_no_reason_to_buy_again(make_venue_bench):
    """1 was bought and 0.999 came: the target is reached, also in the same second; 2 is not."""
    bench = make_venue_bench("locked")
    bench.venue.fee_rate = Decimal("0.001")
    alert = {"strategy": "sync", "quantity": "1"}
    bench.send(action="buy", position_size="1", **alert)
    assert bench.held("sync") == Decimal("0.999")
    assert bench.send(action="buy", position_size="1", **alert)["code"] == "AT_TARGET"
    bench.send(action="buy", position_size="2", **alert)
    assert bench.held("sync") == Decimal("0.999") + Decimal("1.001") * Decimal("0.999")
