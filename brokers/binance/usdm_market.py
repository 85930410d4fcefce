"""Read what Binance's USD-M market tells anybody: a perpetual's rules, its last price, the time.

No key is needed and none is sent. `BTCUSDT.P` becomes the venue's `BTCUSDT` here, and nowhere else. What is
settled in coins (COIN-M) or has a date is refused by name.

Source: "Market Data" and "Exchange Information" of the Binance USD-M Futures documentation.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any

from brokers.binance.spot_market import read_limit, read_price, read_time
from brokers.binance.usdm_errors import UNKNOWN_SYMBOL, read_refusal
from brokers.instruments.symbols import classify
from brokers.protocol import SYMBOL_UNKNOWN, BrokerRefused, Instrument, Uncertain, Unreachable
from brokers.wire.client import Wire
from brokers.wire.fields import require, require_decimal

LIVE_URL = "https://fapi.binance.com"
SANDBOX_URL = "https://demo-fapi.binance.com"
"""Demo trading: what the futures testnet has become; testnet.binancefuture.com is its old name."""
LIVE_HOSTS = ("fapi.binance.com",)
ROOT = "/fapi/v1"
PRICE_SECONDS, RULES_SECONDS = 0.5, 5.0
MAX_BYTES = 10_000_000
"""The rules of all contracts come in one answer of about a megabyte; there is no smaller one."""
FRESH_SECONDS = 60.0
"""How long one answer serves every contract that is asked for."""
PERPETUAL = frozenset({"PERPETUAL", "TRADIFI_PERPETUAL"})
SMALLEST_STEP = Decimal("0.00000001")
ask_time = partial(read_time, root=ROOT)


def name_contract(symbol: str, now: int) -> tuple[str, str]:
    """Return Binance's name of a perpetual, and what a plain name was taken to mean.

    Raises `BrokerRefused` for what cannot be one: another market's name, or a contract settled in coins.
    """
    found = classify(symbol, "linear", datetime.fromtimestamp(now // 1000, UTC).date())
    name = found.symbol.removesuffix(".P").replace("/", "").replace("-", "")
    if found.quote == "USD" and name.endswith("USD"):
        text = (
            f"{symbol} is settled in {found.base} (COIN-M, an inverse contract), which is not traded here."
            f" Send the perpetual in USDT: {name}T.P."
        )
        raise BrokerRefused(text, SYMBOL_UNKNOWN)
    # Some coins are written in Chinese; anything but letters and digits would only meet a firewall.
    if not name.isalnum() or len(name) > 30:
        text = f"{symbol} is no name of a Binance perpetual. Send it as TradingView does, like BTCUSDT.P."
        raise BrokerRefused(text, SYMBOL_UNKNOWN)
    return name, found.note


class Contracts:
    """The rules of every perpetual. Safe for several threads at once: the second waits for the first."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._lock = threading.Lock()
        self._rules: dict[str, Instrument] = {}
        self._read_at_seconds: float | None = None

    def find(self, name: str, note: str = "") -> Instrument:
        """Return the rules of one perpetual, a minute old at most. Raises `BrokerRefused` for any other."""
        found = self._read().get(name)
        if found is None:
            raise BrokerRefused(f"{name}: {UNKNOWN_SYMBOL}", SYMBOL_UNKNOWN)
        return replace(found, note=note)

    def read_ahead(self) -> None:
        """Have the rules at hand before the first alert needs them. Raises nothing."""
        if self._read_at_seconds is None:
            try:
                self._read()
            except (BrokerRefused, Unreachable, Uncertain):
                return

    def _read(self) -> dict[str, Instrument]:
        with self._lock:
            read_at, now = self._read_at_seconds, time.monotonic()
            if read_at is None or now - read_at >= FRESH_SECONDS:
                self._rules = read_contracts(self._wire)
                self._read_at_seconds = now
            return self._rules


def read_contracts(wire: Wire) -> dict[str, Instrument]:
    """Ask for the rules of all perpetuals; one that cannot be read is left out. Raises as `Wire.read`."""
    reply = wire.read(
        "GET", f"{ROOT}/exchangeInfo", deadline_seconds=RULES_SECONDS, max_bytes=MAX_BYTES
    )
    found: dict[str, Instrument] = {}
    for row in require(reply.data, "symbols", list):
        try:
            if require(row, "contractType", str) in PERPETUAL:
                contract = build_contract(row)
                found[contract.symbol] = contract
        except Uncertain:
            continue
    if not found:
        raise Uncertain("Binance told the rules of no perpetual")
    return found


def build_contract(row: dict[str, Any]) -> Instrument:
    """Turn one symbol of exchangeInfo into an instrument. Raises `Uncertain` where it cannot be read.

    `pricePrecision` and `quantityPrecision` are no steps; only the filters are.
    """
    filters = [f for f in require(row, "filters", list) if isinstance(f, dict)]
    found = {each.get("filterType"): each for each in filters}
    lot, market = found.get("LOT_SIZE", {}), found.get("MARKET_LOT_SIZE", {})
    step = require_decimal(lot, "stepSize") or SMALLEST_STEP
    largest = [m for m in (read_limit(lot, "maxQty"), read_limit(market, "maxQty")) if m > 0]
    return Instrument(
        symbol=require(row, "symbol", str),
        kind="linear",
        base=require(row, "baseAsset", str),
        quote=require(row, "quoteAsset", str),
        tick=read_limit(found.get("PRICE_FILTER", {}), "tickSize") or None,
        step=step,
        min_quantity=max(require_decimal(lot, "minQty"), read_limit(market, "minQty")),
        min_notional=read_limit(found.get("MIN_NOTIONAL", {}), "notional"),
        max_market_quantity=min(largest, default=None),
        market_step=max(step, read_limit(market, "stepSize")),
    )


def read_prices(wire: Wire, names: Collection[str]) -> dict[str, Decimal]:
    """Return the last prices of several perpetuals by one request, or nothing where they do not come in time.

    Binance tells one or all; all weigh two.
    """
    try:
        rows = wire.read("GET", f"{ROOT}/ticker/price", deadline_seconds=PRICE_SECONDS).data
        found = {
            row["symbol"]: require_decimal(row, "price") for row in rows if row["symbol"] in names
        }
    except (BrokerRefused, Unreachable, Uncertain, TypeError, KeyError):
        return {}
    return {name: price for name, price in found.items() if price > 0}


def public_price(symbol: str, base_url: str = LIVE_URL) -> Decimal | None:
    """Return the last price of a perpetual without any key, or None; raises nothing."""
    try:
        name, _ = name_contract(symbol, time.time_ns() // 1_000_000)
    except BrokerRefused:
        return None
    return read_price(_public_wire(base_url), name, ROOT)


@lru_cache(maxsize=8)
def _public_wire(base_url: str) -> Wire:
    return Wire(base_url, read_refusal=read_refusal)
