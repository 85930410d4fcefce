#!/usr/bin/env bash
# Rounding a price for an exchange changes how the caller's own decimals round from then on.
#
# Seen with ccxt 4.5.90. `price_to_precision` and `amount_to_precision` set rounding and a trap in the decimal
# context of the thread and leave them there. Money that the program itself rounds to cents (half to even, as
# Python does unless told otherwise) comes out differently after the first order than before it.
#
# Expected: 0.12 both times.
# Output seen:
#     before: 0.12, after: 0.13
# What to do: call the library inside `with decimal.localcontext():`.
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


def round_to_cents() -> Decimal:
    """Round an amount as a program without a word about rounding does."""
    return Decimal("0.125").quantize(Decimal("0.01"))


def main() -> None:
    """Round before and after a price was written for an exchange."""
    exchange = ccxt.kraken()
    market = {"id": "XXBTZUSD", "symbol": "BTC/USD", "base": "BTC", "quote": "USD"}
    market |= {"precision": {"price": 0.1, "amount": 0.0001}, "spot": True, "type": "spot"}
    exchange.set_markets([exchange.safe_market_structure(market)])
    before = round_to_cents()
    exchange.price_to_precision("BTC/USD", 64000.123)
    after = round_to_cents()
    print(f"before: {before}, after: {after}")
    sys.exit(0 if (str(before), str(after)) == ("0.12", "0.13") else 1)


main()
PYTHON
env/bin/python finding.py
