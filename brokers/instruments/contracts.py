"""Turn a futures contract into an instrument, under whatever name a venue has for it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from brokers.instruments import futures
from brokers.instruments.futures import Contract, Product
from brokers.protocol import BrokerRefused, Instrument


def build_contract(
    contract: Contract, symbol: str | None = None, roll_days: int | None = None
) -> Instrument:
    """Return the instrument of one delivery month; `symbol` is the venue's name for it.

    `roll_days` are the business days before its end from which it should be left; None means the custom of
    its market. Raises `BrokerRefused` for a month that no exchange lists.
    """
    item = futures.PRODUCTS[contract.root]
    name = contract.tradingview
    if not futures.is_listed(contract):
        months = ", ".join(item.listed)
        message = (
            f"{name} does not exist: {item.root} ({item.source}) is listed for the months {months}"
        )
        raise BrokerRefused(message, "SYMBOL_UNKNOWN")
    return replace(
        _describe(item, symbol or name),
        contract=name,
        last_day=futures.find_last_trading_day(contract),
        roll_day=futures.find_roll_day(contract, roll_days),
    )


def build_continuous(name: str, root: str) -> Instrument:
    """Return a continuous symbol as an instrument of its own: what a chart shows, and no contract."""
    return replace(_describe(futures.PRODUCTS[root], name), is_continuous=True)


def _describe(item: Product, symbol: str) -> Instrument:
    return Instrument(
        symbol,
        "futures",
        quote=item.currency,
        root=item.root,
        point_value=item.point_value,
        tick=item.tick,
        step=Decimal(1),
        is_micro=item.is_micro,
    )
