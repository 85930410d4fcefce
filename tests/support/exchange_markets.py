"""A market or two of each exchange, small and literal, in the library's own form; and how an account is made.

Names and contract sizes are those of the exchanges' own documentation.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from brokers.exchanges.broker import KEY, PASSPHRASE, SECRET, Exchange, Perpetuals
from brokers.exchanges.proof import Proof
from tests.support.samples import Account

D = Decimal
EC_KEY = (
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MHcCAQEEIMBPom60nr/6Ty31xPFR4qIBGSzghZHo/0Gw/WDTqYVMoAoGCCqGSM49\n"
    "AwEHoUQDQgAEBJPm0WfOkQSKVjNQSz6YyUTL7XqZFxKJgAC18kYUgcNdBuE5glFY\n"
)


@dataclass(frozen=True)
class Listed:
    """One market as an exchange lists it."""

    name: str
    """The exchange's own."""
    base: str = "BTC"
    quote: str = "USDT"
    size: str = ""
    """Coins in a contract; empty on spot."""
    step: str = "0.0001"
    tick: str = "0.1"


LISTED: dict[tuple[str, str], Listed] = {
    ("kraken", "spot"): Listed("XXBTZUSD", quote="USD"),
    ("okx", "spot"): Listed("BTC-USDT"),
    ("okx", "linear"): Listed("BTC-USDT-SWAP", size="0.01", step="1"),
}


def describe_market(client: Any, proof: Proof) -> dict[str, Any]:
    """Return a market in the library's form."""
    listed = LISTED[proof.exchange, proof.market]
    linear = proof.market == "linear"
    pair = f"{listed.base}/{listed.quote}"
    return client.safe_market_structure(
        {
            "id": listed.name,
            "symbol": f"{pair}:{listed.quote}" if linear else pair,
            "base": listed.base,
            "quote": listed.quote,
            "baseId": listed.base,
            "quoteId": listed.quote,
            "settle": listed.quote if linear else None,
            "settleId": listed.quote if linear else None,
            "type": "swap" if linear else "spot",
            "spot": not linear,
            "margin": False,
            "swap": linear,
            "future": False,
            "option": False,
            "active": True,
            "contract": linear,
            "linear": True if linear else None,
            "inverse": False if linear else None,
            "contractSize": listed.size if linear else None,
            "precision": {"amount": listed.step, "price": listed.tick},
            "limits": {"amount": {"min": None}, "price": {}, "cost": {}},
            "info": {},
        }
    )


def make_account(proof: Proof, **changes: Any) -> Account:
    """Return what config.yaml and .env say of an account there; the keys are made up."""
    credentials = {
        KEY: "made-up-key",
        SECRET: "bWFkZS11cC1zZWNyZXQ=",
        PASSPHRASE: "made-up-passphrase",
    }
    if proof.exchange == "coinbase":
        credentials[SECRET] = EC_KEY
    if proof.exchange == "hyperliquid":
        credentials |= {KEY: "0x" + "1" * 40, SECRET: "0x" + "2" * 64}
    said = {"base_url": None, "credentials": credentials, "market": proof.market}
    return Account(**{**said, "exchange": proof.exchange, **changes})


def make_broker(proof: Proof, **changes: Any) -> Exchange:
    """Return an account's broker whose markets are known, in one-way mode."""
    kind = Perpetuals if proof.market == "linear" else Exchange
    made = kind("mine", make_account(proof, **changes), lambda: 1_796_000_000_000)
    client = made._library.client
    client.set_markets([describe_market(client, proof)])
    made._markets._index(list(client.markets.values()), float("inf"))
    made._preparation._done.add(("mode", ""))
    return made
