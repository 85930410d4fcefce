"""Every broker there is, by the name config.yaml uses: a literal table, one line each.

Where a venue's markets are different systems, the second one's line names its market too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from brokers.binance.spot import Binance
from brokers.binance.spot_market import PUBLIC_URL, public_price
from brokers.paper import Paper
from brokers.protocol import Broker, VenueFacts

__all__ = ["BROKERS", "PUBLIC_URL", "public_price"]
# Who tells anybody a price, without an account: what the paper simulator goes by.
BROKERS: dict[str, type[Broker]] = {
    "binance": Binance,
    "paper": Paper,
}


def find_broker(brokers: Mapping[str, type[Broker]], name: str, market: str | None) -> type[Broker]:
    """Return the broker of a market at a venue: its own line (`binance linear`), else the venue's."""
    return brokers.get(f"{name} {market}") or brokers[name]


def list_facts(brokers: Mapping[str, type[Broker]]) -> dict[str, VenueFacts]:
    """Return what the settings may say of each venue, the markets of all its lines together."""
    found: dict[str, VenueFacts] = {}
    for line, each in brokers.items():
        name, facts = line.partition(" ")[0], each.facts
        known = found.get(name)
        found[name] = (
            facts
            if known is None
            else replace(
                known,
                markets=known.markets + facts.markets,
                live_hosts=known.live_hosts + facts.live_hosts,
                takes={**known.takes, **facts.takes},
            )
        )
    return found
