"""Read what Bybit tells anybody: a symbol's rules, its last price, the time.

No key is needed and none is sent. A TradingView name becomes the venue's here, and nowhere else: spot and
perpetual have one name at Bybit and are never taken for one another. What settles in coins or in USDC, or
has a date, is refused by name.

Source: "Market" (time, instruments-info, tickers) of the Bybit v5 documentation.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from brokers.bybit.errors import UNKNOWN_SYMBOL, explain
from brokers.instruments.symbols import classify, is_perpetual
from brokers.protocol import SYMBOL_UNKNOWN, BrokerRefused, Instrument, Uncertain, Unreachable
from brokers.wire.client import Wire
from brokers.wire.fields import (
    optional_decimal,
    require,
    require_decimal,
    require_text,
    unreadable,
)

LIVE_URL = "https://api.bybit.com"
TESTNET_URL = "https://api-testnet.bybit.com"
DEMO_URL = "https://api-demo.bybit.com"
"""Demo trading: an account of its own on the live system, with keys that are made there."""
_REGIONS = ("nl", "tr", "kz", "ae", "eu", "id")
LIVE_HOSTS = (
    "api.bybit.com",
    "api.bytick.com",
    *(f"api.bybit.{each}" for each in _REGIONS),
    "api.bybitgeorgia.ge",
    "api.manepa.jp",
)
"""Where orders are real."""
PRICE_SECONDS, TIME_SECONDS, RULES_SECONDS = 0.5, 1.0, 3.0
MAX_BYTES = 5_000_000
ZERO = Decimal(0)
USUAL_FEE = Decimal("0.001")
"""Of a spot purchase, in the coin bought."""


def name_symbol(symbol: str, category: str, now: int) -> tuple[str, str]:
    """Return Bybit's name of a symbol, and what a plain name was taken to mean. Raises `BrokerRefused`."""
    found = classify(symbol, category, datetime.fromtimestamp(now // 1000, UTC).date())
    name = found.symbol.removesuffix(".P").replace("/", "").replace("-", "")
    if category == "linear" and not name.endswith("USDT"):
        what = {"USD": f"is settled in {found.base} (an inverse contract)"}
        why = what.get(found.quote, f"is settled in {found.quote}")
        text = f"{symbol} {why}, which is not traded here. Send the perpetual in USDT: {found.base}USDT.P."
        raise BrokerRefused(text, SYMBOL_UNKNOWN)
    if not (name.isascii() and name.isalnum() and len(name) <= 30):
        example = "BTCUSDT.P" if category == "linear" else "BTCUSDT"
        text = f"{symbol} is no name of Bybit's. Send it as TradingView does, like {example}."
        raise BrokerRefused(text, SYMBOL_UNKNOWN)
    return name, found.note


def read_rules(wire: Wire, category: str, name: str, note: str = "") -> Instrument:
    """Ask for the rules of one symbol: the whole list has pages. Raises `BrokerRefused` for none."""
    target = f"/v5/market/instruments-info?category={category}&symbol={quote(name, safe='')}"
    rows = require(_read(wire, target, RULES_SECONDS), "list", list)
    if not rows:
        raise BrokerRefused(f"{name}: {UNKNOWN_SYMBOL}", SYMBOL_UNKNOWN)
    row = next((row for row in rows if isinstance(row, dict) and row.get("symbol") == name), None)
    if row is None:
        raise Uncertain(f"Bybit told the rules of another symbol than {name}")
    return build_instrument(category, row, note)


def build_instrument(category: str, row: dict[str, Any], note: str = "") -> Instrument:
    """Turn one row of instruments-info into an instrument. Raises `Uncertain` where it cannot be read."""
    is_spot = category == "spot"
    lot, prices = require(row, "lotSizeFilter", dict), require(row, "priceFilter", dict)
    if not is_spot and row.get("contractType") != "LinearPerpetual":
        text = (
            f"{row.get('symbol')} is no perpetual that settles in USDT. Send one, like BTCUSDT.P."
        )
        raise BrokerRefused(text, SYMBOL_UNKNOWN)
    step = require_decimal(lot, "basePrecision" if is_spot else "qtyStep")
    tick = require_decimal(prices, "tickSize")
    if step <= 0 or tick <= 0:
        raise unreadable("a step is zero")
    most = optional_decimal(lot, "maxMarketOrderQty" if is_spot else "maxMktOrderQty")
    return Instrument(
        symbol=require_text(row, "symbol"),
        kind=category,
        base=require_text(row, "baseCoin"),
        quote=require_text(row, "quoteCoin"),
        tick=tick,
        step=step,
        min_quantity=ZERO if is_spot else require_decimal(lot, "minOrderQty"),
        min_notional=optional_decimal(lot, "minOrderAmt" if is_spot else "minNotionalValue")
        or ZERO,
        max_market_quantity=most or None,
        fee_in_kind=USUAL_FEE if is_spot else ZERO,
        note=note,
    )


def read_prices(wire: Wire, category: str, names: Collection[str]) -> dict[str, Decimal]:
    """Return the last price of each name; Bybit tells one or all. What does not come in time is left out."""
    target = f"/v5/market/tickers?category={category}"
    if len(names) == 1:
        target += f"&symbol={quote(next(iter(names)), safe='')}"
    found: dict[str, Decimal] = {}
    try:
        for row in require(_read(wire, target, PRICE_SECONDS), "list", list):
            if isinstance(row, dict) and row.get("symbol") in names:
                found[row["symbol"]] = require_decimal(row, "lastPrice")
    except (BrokerRefused, Unreachable, Uncertain):
        return {}
    return {name: price for name, price in found.items() if price > 0}


def ask_time(wire: Wire) -> int:
    """Return Bybit's clock in milliseconds. Raises `Unreachable`, `BrokerRefused` or `Uncertain`."""
    nanos = require_text(_read(wire, "/v5/market/time", TIME_SECONDS), "timeNano")
    if not (nanos.isascii() and nanos.isdigit() and len(nanos) < 25):
        raise unreadable("timeNano is no time")
    return int(nanos) // 1_000_000


def public_price(symbol: str, base_url: str = LIVE_URL) -> Decimal | None:
    """Return the last price of a spot pair or a perpetual without any key, or None; raises nothing."""
    category = "linear" if is_perpetual(symbol) else "spot"
    try:
        name, _ = name_symbol(symbol, category, time.time_ns() // 1_000_000)
    except BrokerRefused:
        return None
    return read_prices(_public_wire(base_url), category, {name}).get(name)


def _read(wire: Wire, target: str, deadline_seconds: float) -> Any:
    reply = wire.read("GET", target, deadline_seconds=deadline_seconds, max_bytes=MAX_BYTES)
    return require(reply.data, "result", dict)


@lru_cache(maxsize=8)
def _public_wire(base_url: str) -> Wire:
    return Wire(base_url, read_refusal=explain)
