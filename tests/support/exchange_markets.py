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
    r"-----BEGIN EC PRIVATE KEY-----\n"
    r"MHcCAQEEICNc31tbVnr9/EhF0sg923H32yW0SNoFL3Q1V0Dm7WsBoAoGCCqGSM49\n"
    r"AwEHoUQDQgAERD9UUjJF7FjyHHkSrqia5skkt0nkVkfbvXY3gzX7tSRtd/V1BY4v\n"
    r"/sa96fe0mS6f2iQqrH6KbzSy6hLiP2tPAQ==\n"
    r"-----END EC PRIVATE KEY-----\n"
)
"""As it stands in .env: one line. It was made for these tests."""


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
    number: str = ""
    """Of the market, where it has one besides its name."""


LISTED: dict[tuple[str, str], Listed] = {
    ("bingx", "spot"): Listed("BTC-USDT"),
    ("bingx", "linear"): Listed("BTC-USDT", size="1"),
    ("bitget", "spot"): Listed("BTCUSDT"),
    ("bitget", "linear"): Listed("BTCUSDT", size="1"),
    ("coinbase", "spot"): Listed("BTC-USD", quote="USD"),
    ("cryptocom", "spot"): Listed("BTC_USDT"),
    ("gate", "spot"): Listed("BTC_USDT"),
    ("gate", "linear"): Listed("BTC_USDT", size="0.0001", step="1"),
    ("hyperliquid", "spot"): Listed("@142", quote="USDC", number="10142"),
    ("hyperliquid", "linear"): Listed("0", quote="USDC", size="1", number="0"),
    ("kucoin", "spot"): Listed("BTC-USDT"),
    ("kucoin", "linear"): Listed("XBTUSDTM", size="0.001", step="1"),
    ("mexc", "spot"): Listed("BTCUSDT"),
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
            "baseId": int(listed.number) if listed.number else listed.base,
            "quoteId": listed.quote,
            "settle": listed.quote if linear else None,
            "settleId": (listed.quote.lower() if proof.exchange == "gate" else listed.quote)
            if linear
            else None,
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
    if proof.needs_price:
        made._price_of = lambda market, seconds: D(60000)  # type: ignore[method-assign]
    return made
