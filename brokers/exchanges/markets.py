"""Know what an exchange trades: its markets, loaded once for all accounts there.

A market is kept as the library describes it, without the exchange's own words. A TradingView name becomes a
market here. Quantities are coins on our side; where the exchange counts contracts they are converted by the
size that its own list gives, and without one nothing is traded.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from brokers.exchanges.library import Call, Library
from brokers.exchanges.proof import Proof
from brokers.instruments.symbols import classify
from brokers.protocol import (
    FILTER,
    SYMBOL_UNKNOWN,
    BrokerRefused,
    Instrument,
    Uncertain,
    Unreachable,
)
from brokers.wire.deadline import Deadline

ZERO, ONE = Decimal(0), Decimal(1)
LOAD_SECONDS = 8.0
FRESH_SECONDS = 6 * 3_600.0
"""After so long a market's rules are asked for again."""
USUAL_FEE = Decimal("0.003")
_shared: dict[tuple[Any, ...], tuple[float, Any]] = {}
_locks: dict[tuple[Any, ...], threading.Lock] = {}
_lock = threading.Lock()
Market = Mapping[str, Any]


class Markets:
    """The markets of one exchange, as one account's client sees them."""

    def __init__(self, proof: Proof, library: Library, address: tuple[object, ...]) -> None:
        self._proof = proof
        self._library = library
        self._key = (proof.library, proof.market, *address)
        self._by_id: dict[str, Market] = {}
        self._by_name: dict[str, Market] = {}
        self._loaded_seconds = 0.0

    def load(self) -> None:
        """Have the markets, from another account where one has loaded them. Raises our three errors."""
        if self._by_id and time.monotonic() - self._loaded_seconds < FRESH_SECONDS:
            return
        with _lock:
            lock = _locks.setdefault(self._key, threading.Lock())
        with lock:
            at_seconds, source = _shared.get(self._key, (0.0, None))
            if source is None or time.monotonic() - at_seconds >= FRESH_SECONDS:
                try:
                    self._ask()
                except (BrokerRefused, Unreachable, Uncertain):
                    if not self._by_id:
                        raise
                at_seconds, source = time.monotonic(), self._library.client
                _shared[self._key] = (at_seconds, source)
        client = self._library.client
        if client is not source:
            client.set_markets_from_exchange(source)
        self._index(client.markets.values(), at_seconds)

    def find(self, symbol: str, day_ms: int) -> Market:
        """Return the market of a TradingView name. Raises `BrokerRefused` where there is none."""
        self.load()
        day = datetime.fromtimestamp(day_ms // 1000, UTC).date()
        name = classify(symbol, self._proof.market, day).symbol
        found = self._by_name.get(_plain(name.removesuffix(".P")))
        if found is None:
            text = (
                f"{self._proof.name} lists no {symbol}. Send the pair as TradingView writes it there, or map"
                " the name under `symbols` of the account."
            )
            raise BrokerRefused(text, SYMBOL_UNKNOWN)
        return found

    def by_id(self, name: str) -> Market:
        """Return the market of the exchange's own name."""
        self.load()
        if (found := self._by_id.get(name)) is None:
            text = f"{self._proof.name} lists no {name} any more."
            raise BrokerRefused(text, SYMBOL_UNKNOWN)
        return found

    def get(self, name: str) -> Market | None:
        """Return the market of the exchange's own name, None where it is listed no more."""
        self.load()
        return self._by_id.get(name)

    def by_symbol(self, symbol: str | None) -> Market | None:
        """Return the market of the library's name, None where it is none of ours."""
        market = self._library.client.markets.get(symbol) if symbol else None
        return market if market and market["id"] in self._by_id else None

    def _ask(self) -> None:
        call = Call(Deadline.after(LOAD_SECONDS))
        library = self._library
        currencies = (
            library.call("fetch_currencies", call=call) if self._proof.loads_coins else None
        )
        proof = self._proof
        rows = library.call(proof.markets_method, dict(proof.markets_params), call=call)
        kept = [_strip(row) for row in rows if _is_of(row, self._proof.market)]
        if not kept:
            raise Uncertain(f"{self._proof.name} lists no market at all")
        library.client.set_markets(kept, currencies)

    def _index(self, rows: Iterable[Market], at_seconds: float) -> None:
        by_name: dict[str, Market] = {}
        for row in rows:
            if row.get("active") is not False:
                by_name.setdefault(_plain(row["id"]), row)
        for row in rows:
            if row.get("active") is not False:
                by_name[_plain(f"{row['base']}{row['quote']}")] = row
        self._by_name = by_name
        self._by_id = {row["id"]: row for row in rows}
        self._loaded_seconds = at_seconds


def size_of(market: Market) -> Decimal:
    """Return how many coins one unit of an order is. Raises `BrokerRefused` where it is not told."""
    if not market.get("contract"):
        return ONE
    size = _number(market.get("contractSize"))
    if not size:
        text = f"It is not told how much one contract of {market['id']} is: it is not traded."
        raise BrokerRefused(text, FILTER)
    return size


def build_instrument(market: Market) -> Instrument:
    """Turn a market into an instrument, with quantities in coins. Raises `BrokerRefused` without steps."""
    size = size_of(market)
    step, tick = (
        _number(market["precision"].get("amount")),
        _number(market["precision"].get("price")),
    )
    if not step or not tick:
        text = f"The exchange does not tell the steps of {market['id']}: it is not traded."
        raise BrokerRefused(text, FILTER)
    limits = market.get("limits") or {}
    amounts = limits.get("amount") or {}
    least = _number(amounts.get("min")) or ZERO
    return Instrument(
        symbol=market["id"],
        kind="linear" if market.get("contract") else "spot",
        base=market["base"],
        quote=market["quote"],
        tick=tick,
        step=step * size,
        min_quantity=least * size,
        min_notional=_number((limits.get("cost") or {}).get("min")) or ZERO,
        fee_in_kind=ZERO if market.get("contract") else USUAL_FEE,
    )


def to_units(quantity: Decimal, market: Market) -> Decimal:
    """Return a quantity of coins as the exchange counts it. Raises `BrokerRefused` where none fits."""
    units = quantity / size_of(market)
    step = _number(market["precision"].get("amount")) or ONE
    if units <= 0 or units % step:
        text = f"{quantity} is no multiple of what {market['id']} trades in. Send another quantity."
        raise BrokerRefused(text, FILTER)
    return units


def _is_of(row: Market, kind: str) -> bool:
    if kind == "spot":
        return bool(row.get("spot"))
    return bool(row.get("swap") and row.get("linear"))


def _strip(row: dict[str, Any]) -> dict[str, Any]:
    """Return a market without the exchange's own description of it, which nothing here reads."""
    return {**row, "info": {}}


def _plain(name: str) -> str:
    return "".join(each for each in name.upper() if each.isalnum())


def _number(value: object) -> Decimal | None:
    return None if value is None else Decimal(str(value))
