"""Simulate a venue: market, limit, stop and stop-limit orders at the prices that are seen.

The simulator has no memory of its own. Cash, positions and the last price are read from `Rows`, which the
caller keeps, and what happens is returned as a `OrderReport`; so a paper trade is committed together with the
order that caused it. Pure: no clock, no I/O, no threads.

A stop fills at the worse of its level and the price seen (exactly its level triggers it). A resting limit
or target fills only when traded through, at its level; a limit already reached on arrival fills at that
price. A stop-limit wakes at its stop and is then a limit that has just arrived.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from decimal import Decimal

from brokers.instruments import futures
from brokers.instruments.contracts import build_contract
from brokers.instruments.symbols import classify
from brokers.protocol import (
    BrokerRefused,
    Check,
    Fill,
    Instrument,
    OrderReport,
    OrderRequest,
    Snapshot,
    VenueFacts,
)
from brokers.simulated import Rows, Terms

ZERO = Decimal(0)
BASIS_POINT = Decimal("0.0001")
DOLLARS = frozenset({"USD", "USDT", "USDC"})
"""Coins that count as one currency on paper."""
DEFAULT_FEE_BP = {
    "spot": Decimal(10),
    "linear": Decimal(5),
    "equity": Decimal(1),
    "forex": Decimal(1),
}
FEE_PER_CONTRACT, FEE_PER_MICRO = Decimal("2.50"), Decimal("0.75")
DEFAULT_LEVERAGE = Decimal(10)


class Paper:
    """Fill orders against the last price seen. Raises only `BrokerRefused`."""

    facts = VenueFacts((), (), "", (), frozenset({"local", "reduce_only"}), poll_seconds=0.0)
    rest_seconds = 0.0

    def __init__(self, terms: Terms, rows: Rows, today: date) -> None:
        self.terms = terms
        self.rows = rows
        self.today = today

    def open(self) -> None:
        """Do nothing: there is nobody to connect to."""

    def instrument(self, symbol: str) -> Instrument:
        """Return what a TradingView symbol means here. Raises `BrokerRefused` where it means nothing."""
        found = classify(symbol, self.terms.market, self.today)
        if found.kind != "futures" or found.root == "":
            return found
        contract = futures.read_contract(found.symbol, self.today)
        if found.is_continuous and self.terms.resolves_futures:  # rules 13.2: as at its venue
            place = futures.read_place(found.symbol)
            contract = futures.find_front(found.root, self.today, place, self.terms.roll_days)
        if contract is None:
            return found
        return replace(build_contract(contract, roll_days=self.terms.roll_days), note=found.note)

    def price(self, symbol: str) -> Decimal | None:
        """Return the last price seen."""
        return self.rows.price(symbol)

    def place_order(self, request: OrderRequest) -> OrderReport:
        """Fill what the price allows now; everything else rests. Raises `BrokerRefused` without the cash."""
        price = self.rows.price(request.instrument.symbol)
        if not request.reduces:
            self._afford(request, price)
        if price is None:
            return OrderReport(request.client_id, "accepted", broker_id=request.client_id)
        return self._arrive(request, price)

    close = place_order

    def protect(self, requests: tuple[OrderRequest, ...]) -> tuple[OrderReport, ...]:
        """Place each leg; the desk keeps them a pair."""
        return tuple(self.place_order(request) for request in requests)

    def cancel(self, request: OrderRequest) -> OrderReport:
        """Cancel at once."""
        return OrderReport(request.client_id, "cancelled")

    def amend(self, request: OrderRequest) -> OrderReport:
        """Give a resting order another quantity in its place: what the price has reached is no arrival.

        Rules 12.2: a target is filled when it is traded through, also after the position has grown.
        """
        return OrderReport(
            request.client_id, "accepted", request.client_id, quantity=request.quantity
        )

    def find_order(self, request: OrderRequest) -> OrderReport:
        """Tell that nothing is known: an order here is committed with its receipt or not at all."""
        return OrderReport(request.client_id, "absent")

    def fills(self, since: int, symbols: Iterable[str]) -> tuple[Fill, ...]:
        """Return nothing: every fill was told in its receipt."""
        return ()

    def snapshot(self) -> Snapshot:
        """Return nothing: the caller's rows are the account."""
        return Snapshot()

    def check(self) -> Check:
        """Tell that all is well: there is nobody to ask."""
        return Check(may_trade=True)

    def touch(self, request: OrderRequest, is_awake: bool, price: Decimal) -> OrderReport | None:
        """Let a resting order meet a price; None where nothing happens to it.

        `is_awake` says that the stop of a stop-limit was reached before.
        """
        kind = request.order_type
        if kind == "market":
            return self._fill(request, self._slipped(request, price))
        if kind == "stop" or (kind == "stop_limit" and not is_awake):
            return self._arrive(request, price) if _is_triggered(request, price) else None
        limit = request.limit_price or ZERO
        through = price < limit if request.side == "buy" else price > limit
        return self._fill(request, limit) if through else None

    def cash_change(self, instrument: Instrument, fill: Fill, realized: Decimal) -> Decimal:
        """Return what a fill does to the account's cash; `realized` is its gross profit or loss.

        Spot and equities are paid in full. Everything else is margined: only profit, loss and fee move
        cash.
        """
        if instrument.kind in ("spot", "equity"):
            paid = fill.quantity * fill.price * instrument.point_value
            moved = (paid if fill.side == "sell" else -paid) - fill.fee
        else:
            moved = realized - fill.fee
        return convert(moved, instrument, fill.price, self.terms.currency) or ZERO

    def margin(self, instrument: Instrument, quantity: Decimal, price: Decimal) -> Decimal:
        """Return the cash that a position ties up; zero where it was paid in full.

        Shares that were sold short tie up what they brought and as much again: they are to be bought back.
        """
        notional = abs(quantity) * price * instrument.point_value
        if instrument.kind in ("spot", "equity"):
            tied = 2 * notional if quantity < 0 else ZERO
        else:
            tied = notional / (self.terms.leverage or DEFAULT_LEVERAGE)
        return convert(tied, instrument, price, self.terms.currency) or ZERO

    def _arrive(self, request: OrderRequest, price: Decimal) -> OrderReport:
        kind = request.order_type
        if kind == "market":
            return self._fill(request, self._slipped(request, price))
        if kind in ("stop", "stop_limit") and not _is_triggered(request, price):
            return OrderReport(request.client_id, "accepted", broker_id=request.client_id)
        if kind == "stop":
            level = request.stop_price or price
            worse = max(level, price) if request.side == "buy" else min(level, price)
            return self._fill(request, self._slipped(request, worse))
        limit = request.limit_price or ZERO
        if price <= limit if request.side == "buy" else price >= limit:
            return self._fill(request, price)
        code = "TRIGGERED" if kind == "stop_limit" else None
        return OrderReport(request.client_id, "accepted", broker_id=request.client_id, code=code)

    def _fill(self, request: OrderRequest, price: Decimal) -> OrderReport:
        if not request.reduces:
            try:
                self._afford(request, price)
            except BrokerRefused as no:
                return OrderReport(request.client_id, "refused", code=no.code, message=no.message)
        fee = self._fee(request.instrument, request.quantity, price)
        fill = Fill(
            fill_id=f"{request.client_id}-1",
            client_id=request.client_id,
            side=request.side,
            quantity=request.quantity,
            price=price,
            fee=fee,
            fee_coin=request.instrument.quote,
            at=self.rows.now,
        )
        return OrderReport(
            request.client_id,
            "filled",
            broker_id=request.client_id,
            filled=request.quantity,
            average_price=price,
            fills=(fill,),
        )

    def _slipped(self, request: OrderRequest, price: Decimal) -> Decimal:
        """Move a market fill against us: one tick on futures, nothing elsewhere, unless set."""
        instrument, terms = request.instrument, self.terms
        ticks = terms.slippage_ticks
        if ticks is None:
            ticks = Decimal(1) if instrument.kind == "futures" else ZERO
        away = ticks * (instrument.tick or ZERO) + price * (terms.slippage_bp or ZERO) * BASIS_POINT
        return price + away if request.side == "buy" else max(price - away, ZERO)

    def _fee(self, instrument: Instrument, quantity: Decimal, price: Decimal) -> Decimal:
        if instrument.kind == "futures":
            default = FEE_PER_MICRO if instrument.is_micro else FEE_PER_CONTRACT
            each = self.terms.fee_per_contract
            return quantity * (default if each is None else each)
        rate = self.terms.fee_bp
        if rate is None:
            rate = DEFAULT_FEE_BP[instrument.kind]
        return quantity * price * instrument.point_value * rate * BASIS_POINT

    def _afford(self, request: OrderRequest, price: Decimal | None) -> None:
        """Raise `BrokerRefused` where the account's cash does not cover an opening order."""
        instrument = request.instrument
        level = request.limit_price or request.stop_price or price
        if convert(Decimal(1), instrument, level or Decimal(1), self.terms.currency) is None:
            text = (
                f"{instrument.symbol} is quoted in {instrument.quote}, which its own price does not "
                f"convert to {self.terms.currency}."
            )
            raise BrokerRefused(text, "CURRENCY_UNKNOWN")
        if level is None:
            return
        notional = request.quantity * level * instrument.point_value
        fee = self._fee(instrument, request.quantity, level)
        if instrument.kind in ("spot", "equity"):
            needed, code = notional + fee, "INSUFFICIENT_CASH"
        else:
            needed = notional / (self.terms.leverage or DEFAULT_LEVERAGE)
            code = "INSUFFICIENT_MARGIN"
        cost = convert(needed, instrument, level, self.terms.currency) or ZERO
        free = self.rows.free_cash()
        if cost > free:
            text = (
                f"The order needs {cost:.2f} {self.terms.currency} and {free:.2f} is free. "
                "Send a smaller quantity, or set more cash for the account in config.yaml."
            )
            raise BrokerRefused(text, code)


def convert(
    amount: Decimal, instrument: Instrument, price: Decimal, currency: str
) -> Decimal | None:
    """Turn an amount in the instrument's quote into the account's currency, or None where nothing does.

    The pair's own price converts when the account's currency is its base: USDJPY turns yen into dollars.
    """
    if _is_same(instrument.quote, currency):
        return amount
    if instrument.base and _is_same(instrument.base, currency) and price:
        return amount / price
    return None


def _is_same(one: str, other: str) -> bool:
    return one == other or (one in DOLLARS and other in DOLLARS)


def _is_triggered(request: OrderRequest, price: Decimal) -> bool:
    level = request.stop_price or ZERO
    return price >= level if request.side == "buy" else price <= level
