"""Say what the desk asks of a broker that lives in this process, and what it tells it.

Such a broker is asked inside the transaction: it keeps its state in the desk's and never waits for anybody.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

from brokers.protocol import Broker, Fill, Instrument, OrderReport, OrderRequest


class Terms(Protocol):
    """What a simulated account is told about itself; a cost that is None is the usual one."""

    @property
    def currency(self) -> str:
        """Of cash and profit."""

    @property
    def market(self) -> str | None:
        """What a plain name is: spot, linear, futures or equity."""

    @property
    def fee_bp(self) -> Decimal | None:
        """The fee in hundredths of a percent of the notional."""

    @property
    def slippage_bp(self) -> Decimal | None:
        """The slippage in hundredths of a percent of the price."""

    @property
    def fee_per_contract(self) -> Decimal | None:
        """The fee for one contract of a future."""

    @property
    def slippage_ticks(self) -> Decimal | None:
        """The slippage in ticks of a future."""

    @property
    def resolves_futures(self) -> bool:
        """Whether a continuous future is the contract that the calendar names, as at a venue."""

    @property
    def roll_days(self) -> int | None:
        """How many business days before its end a contract is left; None: as the market does."""

    @property
    def leverage(self) -> Decimal | None:
        """How many times its margin a position may be worth."""


class Rows(Protocol):
    """The state a simulated account lives in, as its simulator reads it."""

    now: int

    def price(self, symbol: str) -> Decimal | None:
        """Return the last price seen of an instrument."""

    def free_cash(self) -> Decimal:
        """Return cash less the margin in use, with open profit and loss of margined positions."""


class LocalBroker(Broker, Protocol):
    """A broker that lives in this process and is asked inside the transaction."""

    def amend(self, request: OrderRequest) -> OrderReport:
        """Give a resting order another quantity in its place: it does not arrive anew."""

    def touch(self, request: OrderRequest, is_awake: bool, price: Decimal) -> OrderReport | None:
        """Let a resting order meet a price; None where nothing happens to it."""

    def cash_change(self, instrument: Instrument, fill: Fill, realized: Decimal) -> Decimal:
        """Return what a fill does to the account's cash; `realized` is its gross profit or loss."""

    def margin(self, instrument: Instrument, quantity: Decimal, price: Decimal) -> Decimal:
        """Return the cash that a position ties up; zero where it was paid in full."""
