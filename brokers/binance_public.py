"""Read what Binance tells anybody: a symbol's rules, its last price, the time.

No key is needed and none is sent. A TradingView name becomes the venue's here, and nowhere else; a
perpetual is refused, because its name without `.P` is a spot pair too.

Source: "Market data endpoints" and "Filters" of the Binance Spot API documentation.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from brokers.binance_errors import SYMBOL_UNKNOWN, explain
from brokers.protocol import Instrument, Refused, Uncertain, Unreachable
from brokers.symbols import classify
from brokers.wire import Wire

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

_NUMBER = re.compile(r"-?[0-9]{1,24}(?:\.[0-9]{1,18})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Rules:
    """What exchangeInfo says of a symbol."""

    instrument: Instrument
    status: str
    """TRADING, or why not: HALT, BREAK, END_OF_DAY, CANCEL_ONLY."""
    max_market: Decimal | None
    """The largest market order; None: no limit is told."""
    market_step: Decimal
    read_at: int
    """Milliseconds since 1970."""


def name_symbol(symbol: str, now: int) -> str:
    """Return Binance's name of a spot pair. Raises `Refused` for what cannot be one."""
    day = datetime.fromtimestamp(now // 1000, UTC).date()
    name = classify(symbol, "spot", day).symbol
    name = name.replace("/", "").replace("-", "")
    # Some coins are written in Chinese; anything but letters and digits would only meet a firewall.
    if not name.isalnum() or len(name) > 30:
        text = f"{symbol} is no name of a Binance pair. Send it as Binance writes it, like BTCUSDT."
        raise Refused(text, SYMBOL_UNKNOWN)
    return name


def read_rules(wire: Wire, name: str, now: int, deadline_seconds: float = 3.0) -> Rules:
    """Ask for the rules of one symbol. Raises `Refused` where there is none, `Unreachable`, `Uncertain`."""
    target = f"/api/v3/exchangeInfo?symbol={quote(name, safe='')}"
    reply = wire.read("GET", target, deadline_seconds=deadline_seconds)
    rows = take(reply.data, "symbols", list)
    row = next((row for row in rows if isinstance(row, dict) and row.get("symbol") == name), None)
    if row is None:
        raise Uncertain(f"Binance told the rules of another symbol than {name}")
    return build_rules(row, now)


def build_rules(row: dict[str, Any], now: int) -> Rules:
    """Turn one symbol of exchangeInfo into rules. Raises `Uncertain` where it cannot be read.

    MARKET_LOT_SIZE often has a step of zero: then that of LOT_SIZE counts. A tick of zero means that
    prices are not stepped, a maximum of zero that there is none.
    """
    found = {f.get("filterType"): f for f in take(row, "filters", list) if isinstance(f, dict)}
    lot, prices = found.get("LOT_SIZE", {}), found.get("PRICE_FILTER", {})
    market = found.get("MARKET_LOT_SIZE", {})
    worth = found.get("NOTIONAL") or found.get("MIN_NOTIONAL") or {}
    step = read_amount(lot, "stepSize")
    instrument = Instrument(
        symbol=take(row, "symbol", str),
        kind="spot",
        base=take(row, "baseAsset", str),
        quote=take(row, "quoteAsset", str),
        tick=_optional(prices, "tickSize") or None,
        step=step or SMALLEST_STEP,
        min_quantity=max(read_amount(lot, "minQty"), _optional(market, "minQty")),
        min_notional=_optional(worth, "minNotional"),
        fee_in_kind=USUAL_FEE,
    )
    largest = [m for m in (_optional(lot, "maxQty"), _optional(market, "maxQty")) if m > 0]
    return Rules(
        instrument,
        take(row, "status", str),
        min(largest, default=None),
        max(instrument.step, _optional(market, "stepSize")),
        now,
    )


def read_price(wire: Wire, name: str) -> Decimal | None:
    """Return the last price of a symbol, or None where it is not told within half a second."""
    target = f"/api/v3/ticker/price?symbol={quote(name, safe='')}"
    try:
        reply = wire.read("GET", target, deadline_seconds=PRICE_SECONDS)
        price, told = read_amount(reply.data, "price"), take(reply.data, "symbol", str)
    except (Refused, Unreachable, Uncertain):
        return None
    return price if price > 0 and told == name else None


def read_time(wire: Wire, deadline_seconds: float = 1.0) -> int:
    """Return Binance's clock in milliseconds. Raises `Unreachable`, `Refused` or `Uncertain`."""
    reply = wire.read("GET", "/api/v3/time", deadline_seconds=deadline_seconds)
    return int(take(reply.data, "serverTime", int))


def public_price(symbol: str, base_url: str = PUBLIC_URL) -> Decimal | None:
    """Return the last spot price of a TradingView symbol without any key, or None; raises nothing."""
    try:
        name = name_symbol(symbol, time.time_ns() // 1_000_000)
    except Refused:
        return None
    return read_price(_public_wire(base_url), name)


@lru_cache(maxsize=8)
def _public_wire(base_url: str) -> Wire:
    return Wire(base_url, explain=explain)


def take(data: Any, name: str, kind: type) -> Any:
    """Return a field of the type it must have. Raises `Uncertain` naming it."""
    value = data.get(name) if isinstance(data, dict) else None
    if not isinstance(value, kind) or isinstance(value, bool) is not (kind is bool):
        raise Uncertain(f"Binance's answer cannot be read: {name} is missing or of another type")
    return value


def read_amount(data: Any, name: str) -> Decimal:
    """Return a number that Binance writes as text. Raises `Uncertain` for anything else, NaN too."""
    text = take(data, name, str)
    if not _NUMBER.fullmatch(text):
        raise Uncertain(f"Binance's answer cannot be read: {name} is no number")
    return Decimal(text)


def _optional(data: dict[str, Any], name: str) -> Decimal:
    return read_amount(data, name) if name in data else ZERO
