"""Say what an answer means that the library calls an error.

Its classes do not tell refused from unknown: a time-out that an exchange reports may be a plain
`ExchangeError`, a wrong nonce a `NetworkError`. So only classes that name a reason for which nothing was
placed are a refusal; everything else leaves the order in doubt, and it is looked up.
"""

from __future__ import annotations

from brokers.exchanges.proof import Proof
from brokers.protocol import (
    CLOCK,
    CROSSED,
    DUPLICATE,
    FILTER,
    HEDGE_MODE,
    INSUFFICIENT_BALANCE,
    KEYS_REFUSED,
    MARKET_CLOSED,
    NOT_PERMITTED,
    ORDER_UNKNOWN,
    REGION_BLOCKED,
    SYMBOL_UNKNOWN,
    THROTTLED,
    UNSUPPORTED,
    BrokerRefused,
    Uncertain,
)
from brokers.wire.client import HttpResponse

REFUSED = "REFUSED"
MEANINGS: dict[str, tuple[str, str]] = {
    "AccountNotEnabled": (KEYS_REFUSED, "the account is not enabled for this; enable it there"),
    "AccountSuspended": (KEYS_REFUSED, "the account is suspended; ask the exchange why"),
    "ArgumentsRequired": (FILTER, "the order lacks something the exchange wants"),
    "AuthenticationError": (KEYS_REFUSED, "the keys are not accepted; compare them with .env"),
    "BadRequest": (FILTER, "the exchange does not take the order as it is"),
    "BadSymbol": (SYMBOL_UNKNOWN, "it lists no such symbol; map the name under `symbols`"),
    "ContractUnavailable": (MARKET_CLOSED, "the contract is not traded now"),
    "DDoSProtection": (THROTTLED, "too many requests"),
    "DuplicateOrderId": (DUPLICATE, "it already has an order of this name"),
    "InsufficientFunds": (INSUFFICIENT_BALANCE, "the free balance does not cover the order"),
    "InvalidNonce": (CLOCK, "the time or number beside the signature is off; set the clock by NTP"),
    "InvalidOrder": (FILTER, "the order breaks a rule of the exchange"),
    "ManualInteractionNeeded": (NOT_PERMITTED, "something must be confirmed at the exchange first"),
    "MarketClosed": (MARKET_CLOSED, "it does not trade this now"),
    "NotSupported": (UNSUPPORTED, "that cannot be done there"),
    "OperationRejected": (REFUSED, "the exchange said no"),
    "OrderImmediatelyFillable": (CROSSED, "the price has already passed the level"),
    "OrderNotFillable": (REFUSED, "nobody was found to fill it"),
    "OrderNotFound": (ORDER_UNKNOWN, "it knows no order of this name"),
    "PermissionDenied": (
        NOT_PERMITTED,
        "the keys may not do that; look at their permissions there",
    ),
    "RateLimitExceeded": (THROTTLED, "too many requests"),
    "RestrictedLocation": (REGION_BLOCKED, "it does not serve this region"),
}
"""By the very class, none of its parents: what stands for many things is in doubt."""
SAYS_LESS = frozenset({401, 403, 418, 429})
"""Statuses that say by themselves what they mean, where the body says nothing that is known."""
HEDGED = ("hedge mode", "330012", "posside", "positionside", "40774")
"""Marks of an account that holds both sides apart, although it was read otherwise (rules 3.10)."""
TAKEN = ("duplicate", "already exist", "51016")
"""Marks of a client id that is in use, which the library knows of few exchanges."""


def explain(proof: Proof, error: Exception, reply: HttpResponse) -> Exception | None:
    """Return what an answer means that the library raised an error for; None: what its status says."""
    kind = type(error).__name__
    said = reply.text.lower()
    if reply.status >= 500:
        return None
    if any(mark in said for mark in proof.doubt_marks):
        return _doubt(proof, reply)
    if any(mark in said for mark in HEDGED):
        text = f"{proof.title} holds long and short apart (hedge mode). Switch it to one-way mode there."
        return BrokerRefused(text, HEDGE_MODE)
    if any(mark in said for mark in TAKEN):
        return _refuse(proof, "DuplicateOrderId", reply.text)
    if any(mark in said for mark in proof.crossed_marks):
        return _refuse(proof, "OrderImmediatelyFillable", reply.text)
    if kind in MEANINGS:
        return _refuse(proof, kind, reply.text)
    if reply.status in SAYS_LESS:
        return None
    if any(mark in said for mark in proof.refused_marks):
        return _refuse(proof, "OperationRejected", reply.text)
    return _doubt(proof, reply)


def _doubt(proof: Proof, reply: HttpResponse) -> Uncertain:
    return Uncertain(f"{proof.title} does not say clearly what became of it: {reply.text}")


def explain_unsent(proof: Proof, error: Exception) -> BrokerRefused:
    """Return the refusal of an order that the library itself did not send. Its text may hold anything."""
    code, why = MEANINGS.get(type(error).__name__, (REFUSED, "ccxt did not take the order"))
    return BrokerRefused(f"{proof.name}: {why}. Nothing was sent.", code)


def _refuse(proof: Proof, kind: str, said: str) -> BrokerRefused:
    code, why = MEANINGS[kind]
    return BrokerRefused(f"{proof.title} refused: {why}. It said: {said}", code)
