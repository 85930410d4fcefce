#!/usr/bin/env bash
# A stop on MEXC's spot market leaves as an order that sells at the market at once.
#
# Seen with ccxt 4.5.90. `create_order` takes the unified parameter `stopLossPrice`. The class for MEXC does not
# read it on spot: the request is a plain MARKET order, with the parameter beside it under a name that MEXC does
# not know. Nothing is raised. The same happens on some forty exchanges; `has` does not tell them apart.
#
# Expected: a stop that waits for 50000, or an error that says that there is none.
# Output seen:
#     type: MARKET, stopLossPrice: 50000
# What to do: catch the request of each exchange once and look; send a stop only where the trigger stands in it under the
# exchange's own name.
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
from urllib.parse import parse_qs, urlsplit

import ccxt


class Caught(ccxt.mexc):
    """MEXC's client; what it would send is kept, and nothing leaves."""

    def fetch(self, url, method="GET", headers=None, body=None):
        """Keep the fields of the request."""
        self.fields = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        return {"symbol": "BTCUSDT", "orderId": "1"}


def main() -> None:
    """Protect a bitcoin at 50000."""
    exchange = Caught({"apiKey": "key", "secret": "secret"})
    market = {"id": "BTCUSDT", "symbol": "BTC/USDT", "base": "BTC", "quote": "USDT"}
    market |= {"precision": {"price": 0.1, "amount": 0.0001}, "spot": True, "type": "spot"}
    exchange.set_markets([exchange.safe_market_structure(market)])
    exchange.create_order("BTC/USDT", "market", "sell", 1, None, {"stopLossPrice": 50000})
    kind, trigger = exchange.fields["type"], exchange.fields.get("stopLossPrice")
    print(f"type: {kind}, stopLossPrice: {trigger}")
    sys.exit(0 if (kind, trigger) == ("MARKET", "50000") else 1)


main()
PYTHON
env/bin/python finding.py
