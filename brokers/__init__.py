"""Every broker there is, by the name config.yaml uses: a literal table, one line each.

Where a venue's markets are different systems, the second one's line names its market too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal

from brokers.binance import spot_market, usdm_market
from brokers.binance.spot import Binance
from brokers.binance.usdm import BinancePerpetuals
from brokers.bybit.unified import Bybit, BybitPerpetuals
from brokers.exchanges.broker import Exchange, Perpetuals
from brokers.instruments.symbols import is_perpetual
from brokers.paper import Paper
from brokers.projectx.broker import ProjectX
from brokers.protocol import Broker, VenueFacts
from brokers.tastytrade.broker import Tastytrade
from brokers.tradovate.broker import Tradovate

BROKERS: dict[str, type[Broker]] = {
    "binance": Binance,
    "binance linear": BinancePerpetuals,
    "bybit": Bybit,
    "bybit linear": BybitPerpetuals,
    "ccxt": Exchange,
    "ccxt linear": Perpetuals,
    "paper": Paper,
    "projectx": ProjectX,
    "tastytrade": Tastytrade,
    "tradovate": Tradovate,
}


def find_broker(brokers: Mapping[str, type[Broker]], name: str, market: str | None) -> type[Broker]:
    """Return the broker of a market at a venue: its own line (`binance linear`), else the venue's."""
    return brokers.get(f"{name} {market}") or brokers[name]


def list_facts(brokers: Mapping[str, type[Broker]]) -> dict[str, VenueFacts]:
    """Return what the settings may say of each venue, the markets of all its lines together.

    Where the venue's own line has one market, an account that names none still means that one.
    """
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
                default_market=known.default_market or "".join(known.markets[:1]),
                live_hosts=known.live_hosts + facts.live_hosts,
                takes={**known.takes, **facts.takes},
            )
        )
    return found


def public_price(
    symbol: str, base_url: str | None = None, venues: Iterable[Broker] = ()
) -> Decimal | None:
    """Return the last price of a spot pair or a perpetual without an account, or None; raises nothing.

    The paper simulator goes by it; `base_url` stands in for the venue. What Binance does not list is asked of
    those `venues` that are one of many exchanges.
    """
    if is_perpetual(symbol):
        told = usdm_market.public_price(symbol, base_url or usdm_market.LIVE_URL)
    else:
        told = spot_market.public_price(symbol, base_url or spot_market.PUBLIC_URL)
    others = (each.price(symbol) for each in venues if told is None and each.facts.exchanges)
    return told or next((price for price in others if price is not None), None)
