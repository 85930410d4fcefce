"""Every market that the pinned ccxt is proven for: the table that everything else goes by."""

from __future__ import annotations

from brokers.exchanges.proof import Proof
from brokers.exchanges.proven_linear import LINEAR
from brokers.exchanges.proven_spot import SPOT

PROVEN: tuple[Proof, ...] = tuple(
    sorted((*SPOT, *LINEAR), key=lambda proof: (proof.exchange, proof.market != "spot"))
)
EXCHANGES = tuple(sorted({proof.exchange for proof in PROVEN}))
