#!/usr/bin/env bash
# A stop at OKX is sent under one name and looked for under another, so it is never found.
#
# Seen with ccxt 4.5.90. `create_order` with `stopLossPrice` and `clientOrderId` writes the id as `clOrdId`.
# OKX's page of algo orders calls that field `algoClOrdId`, and so does the library itself when it looks a stop
# up (`fetch_order` with `trigger`). The unified `clientOrderId` of what comes back is read from `clOrdId` too.
#
# Expected: one name for both, algoClOrdId.
# Output seen:
#     sent as: clOrdId, looked for as: algoClOrdId
# What to do: pass `algoClOrdId` in params beside `clientOrderId`, and read it back from `info`.
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

import json
import sys
from urllib.parse import parse_qs, urlsplit

import ccxt

NAME = "mystop1"


class Caught(ccxt.okx):
    """OKX's client; what it would send is kept, and nothing leaves."""

    def fetch(self, url, method="GET", headers=None, body=None):
        """Keep the fields of the request."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        self.fields = json.loads(body) if body else asked
        row = {"algoId": "1", "sCode": "0", "instId": "BTC-USDT", "side": "sell", "state": "live"}
        return {"code": "0", "data": [row], "msg": ""}

    def find(self) -> str:
        """Return the field that has the client id."""
        (found,) = [name for name, value in self.fields.items() if value == NAME]
        return found


def main() -> None:
    """Place a stop, then look for it."""
    exchange = Caught({"apiKey": "key", "secret": "secret", "password": "word"})
    market = {"id": "BTC-USDT", "symbol": "BTC/USDT", "base": "BTC", "quote": "USDT"}
    market |= {"precision": {"price": 0.1, "amount": 0.0001}, "spot": True, "type": "spot"}
    exchange.set_markets([exchange.safe_market_structure(market)])
    how = {"stopLossPrice": 50000, "clientOrderId": NAME}
    exchange.create_order("BTC/USDT", "market", "sell", 0.01, None, how)
    sent = exchange.find()
    exchange.fetch_order("", "BTC/USDT", {"trigger": True, "clientOrderId": NAME})
    looked = exchange.find()
    print(f"sent as: {sent}, looked for as: {looked}")
    sys.exit(0 if (sent, looked) == ("clOrdId", "algoClOrdId") else 1)


main()
PYTHON
env/bin/python finding.py
