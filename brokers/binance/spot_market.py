"""Read what Binance tells anybody: a symbol's rules, its last price, the time.

No key is needed and none is sent. A TradingView name becomes the venue's here, and nowhere else; a
perpetual is refused, because its name without `.P` is a spot pair too.

Source: "Market data endpoints" and "Filters" of the Binance Spot API documentation.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from brokers.binance.errors import read_refusal
from brokers.instruments.symbols import classify
from brokers.protocol import SYMBOL_UNKNOWN, BrokerRefused, Instrument, Uncertain, Unreachable
from brokers.wire.client import Wire
from brokers.wire.fields import optional_decimal, require, require_decimal

LIVE_URL = "https://api.binance.com"
SANDBOX_URL = "https://testnet.binance.vision"
LIVE_HOSTS = tuple(f"api{each}.binance.com" for each in ("", "-gcp", 1, 2, 3, 4))
"""Where orders are real ("General API information", Binance Spot API)."""
PUBLIC_URL = "https://data-api.binance.vision"
"""Serves market data alone, to anybody."""
PRICE_SECONDS = 0.5
ZERO = Decimal(0)
USUAL_FEE = Decimal("0.001")
"""Of a purchase, in the coin bought, unless BNB pays; only what is attached to an entry is sized by it."""
SMALLEST_STEP = Decimal("0.00000001")


def name_symbol(symbol: str, now: int) -> str:
    """Return Binance's name of a spot pair. Raises `BrokerRefused` for what cannot be one."""
    day = datetime.fromtimestamp(now // 1000, UTC).date()
    name = classify(symbol, "spot", day).symbol
    name = name.replace("/", "").replace("-", "")
    # Some coins are written in Chinese; anything but letters and digits would only meet a firewall.
    if not name.isalnum() or len(name) > 30:
        text = f"{symbol} is no name of a Binance pair. Send it as Binance writes it, like BTCUSDT."
        raise BrokerRefused(text, SYMBOL_UNKNOWN)
    return name


def read_rules(wire: Wire, name: str, deadline_seconds: float = 3.0) -> Instrument:
    """Ask for the rules of one symbol. Raises `BrokerRefused` where there is none."""
    target = f"/api/v3/exchangeInfo?symbol={quote(name, safe='')}"
    reply = wire.read("GET", target, deadline_seconds=deadline_seconds)
    rows = require(reply.data, "symbols", list)
    row = next((row for row in rows if isinstance(row, dict) and row.get("symbol") == name), None)
    if row is None:
        raise Uncertain(f"Binance told the rules of another symbol than {name}")
    return build_instrument(row)


def build_instrument(row: dict[str, Any]) -> Instrument:
    """Turn one symbol of exchangeInfo into an instrument. Raises `Uncertain` where it cannot be read.

    MARKET_LOT_SIZE often has a step of zero: then that of LOT_SIZE counts. A tick of zero means that
    prices are not stepped, a maximum of zero that there is none.
    """
    found = {f.get("filterType"): f for f in require(row, "filters", list) if isinstance(f, dict)}
    lot, prices = found.get("LOT_SIZE", {}), found.get("PRICE_FILTER", {})
    market = found.get("MARKET_LOT_SIZE", {})
    worth = found.get("NOTIONAL") or found.get("MIN_NOTIONAL") or {}
    step = require_decimal(lot, "stepSize") or SMALLEST_STEP
    largest = [m for m in (read_limit(lot, "maxQty"), read_limit(market, "maxQty")) if m > 0]
    return Instrument(
        symbol=require(row, "symbol", str),
        kind="spot",
        base=require(row, "baseAsset", str),
        quote=require(row, "quoteAsset", str),
        tick=read_limit(prices, "tickSize") or None,
        step=step,
        min_quantity=max(require_decimal(lot, "minQty"), read_limit(market, "minQty")),
        min_notional=read_limit(worth, "minNotional"),
        max_market_quantity=min(largest, default=None),
        market_step=max(step, read_limit(market, "stepSize")),
        fee_in_kind=USUAL_FEE,
    )


def read_price(wire: Wire, name: str, root: str = "/api/v3") -> Decimal | None:
    """Return the last price of a symbol, or None where it is not told within half a second."""
    target = f"{root}/ticker/price?symbol={quote(name, safe='')}"
    try:
        reply = wire.read("GET", target, deadline_seconds=PRICE_SECONDS)
        price, told = require_decimal(reply.data, "price"), require(reply.data, "symbol", str)
    except (BrokerRefused, Unreachable, Uncertain):
        return None
    return price if price > 0 and told == name else None


def read_prices(wire: Wire, names: Collection[str]) -> dict[str, Decimal]:
    """Return the last prices of several symbols at once, or nothing where they are not told in time.

    One name that Binance does not know any more costs the answer of all: the caller asks for each alone.
    """
    asked = quote(json.dumps(sorted(names), separators=(",", ":")), safe="")
    target = f"/api/v3/ticker/price?symbols={asked}"
    try:
        rows = wire.read("GET", target, deadline_seconds=PRICE_SECONDS).data
        found = {require(row, "symbol", str): require_decimal(row, "price") for row in rows}
    except (BrokerRefused, Unreachable, Uncertain, TypeError):
        return {}
    return {name: price for name, price in found.items() if price > 0 and name in names}


def read_time(wire: Wire, deadline_seconds: float = 1.0, root: str = "/api/v3") -> int:
    """Return Binance's clock in milliseconds. Raises `Unreachable`, `BrokerRefused` or `Uncertain`."""
    reply = wire.read("GET", f"{root}/time", deadline_seconds=deadline_seconds)
    return int(require(reply.data, "serverTime", int))


def public_price(symbol: str, base_url: str = PUBLIC_URL) -> Decimal | None:
    """Return the last spot price of a TradingView symbol without any key, or None; raises nothing."""
    try:
        name = name_symbol(symbol, time.time_ns() // 1_000_000)
    except BrokerRefused:
        return None
    return read_price(_public_wire(base_url), name)


@lru_cache(maxsize=8)
def _public_wire(base_url: str) -> Wire:
    return Wire(base_url, read_refusal=read_refusal)


def read_limit(data: dict[str, Any], name: str) -> Decimal:
    """Return a limit that a filter may leave out; zero means that there is none."""
    return optional_decimal(data, name) or ZERO
