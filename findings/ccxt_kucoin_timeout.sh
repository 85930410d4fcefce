#!/usr/bin/env bash
# A time-out of KuCoin is raised as a bad request, so an order that may exist looks refused.
#
# Seen with ccxt 4.5.90. KuCoin answers 408000 with "Network timeout, please try again later". The library
# raises BadRequest for it, a child of ExchangeError. Its manual says of ExchangeError that the exchange
# answered with an error and of NetworkError that the request may have to be tried or looked up. A program
# that goes by these classes takes an order whose fate nobody knows for one that was refused.
#
# Expected: RequestTimeout, as other exchanges' time-outs are (OKX 50004: RequestTimeout).
# Output seen:
#     408000: BadRequest, network error: False
# What to do: look for "408000" in the text of the error, and look the order up by its client id before another is sent.
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

import ccxt

ANSWER = {"code": "408000", "msg": "Network timeout, please try again later"}


class Told(ccxt.kucoin):
    """KuCoin's client, answered by a text in the place of the network."""

    def fetch(self, url, method="GET", headers=None, body=None):
        """Return what the exchange would say."""
        text = self.json(ANSWER)
        self.handle_errors(200, "OK", url, method, {}, text, ANSWER, headers, body)
        return ANSWER


def main() -> None:
    """Ask for the time and say what the error is."""
    try:
        Told().fetch_time()
    except ccxt.BaseError as error:
        kind, is_network = type(error).__name__, isinstance(error, ccxt.NetworkError)
    else:
        kind, is_network = "nothing", False
    print(f"408000: {kind}, network error: {is_network}")
    sys.exit(0 if (kind, is_network) == ("BadRequest", False) else 1)


main()
PYTHON
env/bin/python finding.py
