"""Every broker there is, by the name config.yaml uses: a literal table, one line each."""

from __future__ import annotations

from brokers.binance import Binance
from brokers.paper import Paper
from brokers.protocol import Broker

BROKERS: dict[str, type[Broker]] = {
    "binance": Binance,
    "paper": Paper,
}
