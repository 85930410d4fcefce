#!/usr/bin/env bash
# With Decimal as the class of numbers, the average price of an order disappears.
#
# Seen with ccxt 4.5.90. The option `number` says what class the numbers of an answer have; with Decimal no
# price becomes a float. But what was made a Decimal is read a second time by a function that knows text, int and
# float only, and becomes None: with float Kraken's filled order has its average, with Decimal it has none.
#
# Expected: 64000.1 both times.
# Output seen:
#     float: 64000.1, Decimal: None
# What to do: let `number` be `str` and make decimals of the texts.
#
# Ends with 0 while this is so, and with 1 as soon as it changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip install --quiet --disable-pip-version-check ccxt==4.5.90
cat > finding.py <<'PYTHON'
from __future__ import annotations

import sys
from decimal import Decimal

import ccxt

ORDER = {
    "id": "OAAAAA-BBBBB-CCCCCC",
    "status": "closed",
    "opentm": 1900000000.5,
    "descr": {"pair": "XBTUSD", "type": "buy", "ordertype": "market", "price": "0"},
    "vol": "0.001",
    "vol_exec": "0.001",
    "cost": "64.00010",
    "fee": "0.2",
    "price": "64000.1",
    "oflags": "fciq",
}


def read_average(kind: type) -> str:
    """Return the average price of Kraken's order as the library tells it."""
    exchange = ccxt.kraken({"number": kind})
    market = {"id": "XXBTZUSD", "symbol": "BTC/USD", "base": "BTC", "quote": "USD"}
    market |= {"precision": {"price": 0.1, "amount": 0.0001}, "spot": True, "type": "spot"}
    made = exchange.safe_market_structure(market)
    exchange.set_markets([made])
    return str(exchange.parse_order(dict(ORDER), made)["average"])


def main() -> None:
    """Read one order with both classes."""
    found = read_average(float), read_average(Decimal)
    print(f"float: {found[0]}, Decimal: {found[1]}")
    sys.exit(0 if found == ("64000.1", "None") else 1)


main()
PYTHON
env/bin/python finding.py
