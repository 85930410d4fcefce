#!/usr/bin/env bash
# A web page in the place of an answer counts as an order that was placed.
#
# Seen with ccxt 4.5.90. A proxy or a wall in front of an exchange may answer 200 with a page. `create_order` at
# Kraken then returns as if all were well, with no id and no status, and raises nothing.
#
# Expected: an error: nobody knows whether the order exists.
# Output seen:
#     returned: id None, status None
# What to do: take an order as placed only where the id is a text that is not empty; look everything else up.
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

import http.server
import sys
import threading

import ccxt

PAGE = b"<html><body>Checking your browser</body></html>"


class Wall(http.server.BaseHTTPRequestHandler):
    """Answer everything with a page."""

    def do_POST(self) -> None:
        """Answer."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    """Place an order at an exchange behind the wall."""
    server = http.server.HTTPServer(("127.0.0.1", 0), Wall)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    exchange = ccxt.kraken({"apiKey": "key", "secret": "c2VjcmV0"})
    exchange.urls["api"]["private"] = f"http://127.0.0.1:{server.server_port}"
    market = {"id": "XXBTZUSD", "symbol": "BTC/USD", "base": "BTC", "quote": "USD"}
    market |= {"precision": {"price": 0.1, "amount": 0.0001}, "spot": True, "type": "spot"}
    exchange.set_markets([exchange.safe_market_structure(market)])
    try:
        order = exchange.create_order("BTC/USD", "market", "buy", 1)
    except ccxt.BaseError as error:
        print(f"raised: {type(error).__name__}")
        sys.exit(1)
    print(f"returned: id {order['id']}, status {order['status']}")
    sys.exit(0 if (order["id"], order["status"]) == (None, None) else 1)


main()
PYTHON
env/bin/python finding.py
