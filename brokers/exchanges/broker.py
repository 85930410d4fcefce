"""Trade at one of the exchanges of the table `PROVEN`, through the pinned ccxt.

An order is sent once, by its own client id, and read back by it: what an exchange answers to an order is
little more than its name. Stop and target are not linked there: the desk cancels the one when the other
filled. What is not proven is refused by name before anything is sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from brokers.exchanges import looking
from brokers.exchanges.client_ids import write_client_id
from brokers.exchanges.guard import refuse_kind
from brokers.exchanges.library import Call, Library
from brokers.exchanges.markets import Market, Markets, build_instrument, to_units
from brokers.exchanges.modes import read_mode
from brokers.exchanges.orders import read_id, round_levels, write_order
from brokers.exchanges.proof import MARKET, STOP, Proof, Sent, kind_of, shape_of
from brokers.exchanges.proven import EXCHANGES, PROVEN
from brokers.protocol import (
    CLOCK,
    DUPLICATE,
    HEDGE_MODE,
    MARKET_MISMATCH,
    ORDER_GONE,
    ORDER_UNKNOWN,
    UNSUPPORTED,
    WRONG_ORDER,
    BrokerRefused,
    Check,
    Connection,
    Fill,
    Instrument,
    OrderReport,
    OrderRequest,
    Snapshot,
    Uncertain,
    Unreachable,
    VenueFacts,
)
from brokers.wire.deadline import Deadline
from brokers.wire.lookups import Remembered, describe_failure, read_back, settle_duplicate
from brokers.wire.preparation import HEDGE, ONE_WAY, Preparation

KEY, SECRET, PASSPHRASE = "CCXT_API_KEY", "CCXT_API_SECRET", "CCXT_PASSPHRASE"
ORDER_SECONDS, LOOK_SECONDS, READ_SECONDS, PRICE_SECONDS = 8.0, 3.0, 5.0, 0.5
ZERO, ONE = Decimal(0), Decimal(1)
SLIPPAGE = Decimal("0.05")
"""How far from the last price a market order may fill where the exchange wants to be told."""


class Exchange:
    """One account at an exchange. Raises only `BrokerRefused`, `Unreachable` and `Uncertain`.

    `now_ms` is this machine's clock. Nothing is imported or sent before `open` or the first call.
    """

    facts = VenueFacts(
        needs=(KEY, SECRET),
        markets=("spot",),
        currency="USDT",
        live_hosts=tuple(sorted({proof.host for proof in PROVEN})),
        capabilities=frozenset({"locks_balance"}),
        poll_seconds=5.0,
        exchanges={
            name: tuple(proof.market for proof in PROVEN if proof.exchange == name)
            for name in EXCHANGES
        },
        optional=(PASSPHRASE,),
    )
    rest_seconds = 0.0

    def __init__(
        self,
        name: str,
        connection: Connection,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.name = name
        self._connection = connection
        self._now = now_ms
        market = connection.market or self.facts.markets[0]
        found = [p for p in PROVEN if (p.exchange, p.market) == (connection.exchange, market)]
        self._proof: Proof | None = found[0] if found else None
        self._sent: Remembered[str, int] = Remembered()
        self._owners: Remembered[tuple[str, str], str] = Remembered()
        self._seen: Remembered[str, None] = Remembered(200)
        if self._proof is None:
            return
        proof = self._proof
        without = frozenset() if STOP in proof.kinds else frozenset({"no_stops"})
        self.facts = replace(
            self.facts,
            poll_seconds=proof.poll_seconds,
            currency=proof.currency,
            capabilities=self.facts.capabilities | without,
        )
        secrets = tuple(
            connection.credentials.get(each, "").strip() for each in (KEY, SECRET, PASSPHRASE)
        )
        self._library = Library(proof, connection, secrets)
        address = (connection.base_url, bool(connection.sandbox))
        self._markets = Markets(proof, self._library, address)
        self._preparation = Preparation(
            name,
            self._read_mode,
            is_of_account=True,
            remedy=f"Switch it to one-way mode at {proof.title}.",
        )

    def __repr__(self) -> str:
        return f"Exchange({self.name!r})"

    def open(self) -> None:
        """Load the markets and connect ahead of the first order. Raises nothing."""
        try:
            self._require()
            self._markets.load()
            self._library.open()
            if self._connection.credentials:
                self._preparation.read_ahead()
        except (BrokerRefused, Unreachable, Uncertain):
            return  # the first call meets the same and says so

    def instrument(self, symbol: str) -> Instrument:
        """Return the rules of a TradingView symbol. Raises `BrokerRefused` where there is no such market."""
        self._require()
        found = build_instrument(self._markets.find(symbol, self._now()))
        self._preparation.read_ahead()
        return found

    def price(self, symbol: str) -> Decimal | None:
        """Return the last price, or None where it is not told within half a second."""
        try:
            self._require()
            market = self._markets.find(symbol, self._now())
            return self._price_of(market, PRICE_SECONDS)
        except (BrokerRefused, Unreachable, Uncertain):
            return None

    def place_order(self, request: OrderRequest) -> OrderReport:
        """Open with one order. Raises `BrokerRefused`, `Unreachable` or `Uncertain`."""
        proof = self._require()
        if request.legs or request.quote_quantity is not None:
            raise BrokerRefused(
                f"{proof.name} takes one order at a time, by quantity.", UNSUPPORTED
            )
        deadline = Deadline.after(ORDER_SECONDS)
        self._refuse_unproven(request)
        self._preparation.require(self._market_of(request)["id"])
        return self._place(request, deadline)

    def close(self, request: OrderRequest) -> OrderReport:
        """Reduce with one order; on perpetuals it is reduce-only. Raises as `place_order`."""
        self._require()
        deadline = Deadline.after(ORDER_SECONDS)
        self._refuse_unproven(request)
        return self._place(request, deadline)

    def protect(self, requests: tuple[OrderRequest, ...]) -> tuple[OrderReport, ...]:
        """Refuse: exchanges link no orders through ccxt. The desk ends the one when the other filled."""
        text = f"{self._require().name} links no stop and target from here."
        raise BrokerRefused(text, UNSUPPORTED)

    def cancel(self, request: OrderRequest) -> OrderReport:
        """Cancel a working order and return its state after that. Raises as `place_order`.

        `BrokerRefused` means that it works no more: what became of it is a matter of `find_order`.
        """
        proof = self._require()
        market = self._market_of(request)
        is_stop = kind_of(request) == STOP
        how = proof.stop_cancel_params if is_stop else proof.cancel_params
        number = ""
        if how is None:
            row = self._find(request, Deadline.after(LOOK_SECONDS))
            if row is None:
                raise BrokerRefused("It works no more at the exchange.", ORDER_GONE)
            number, how = row.order_id, proof.stop_cancels if is_stop else {}
        params = self._name(request.client_id, how)
        call = Call(Deadline.after(ORDER_SECONDS), changes=True)
        try:
            self._library.call("cancel_order", number, market["symbol"], params, call=call)
        except BrokerRefused as no:
            if no.code == ORDER_UNKNOWN:
                raise BrokerRefused(no.message, ORDER_GONE) from None
            raise
        return read_back(request, self.find_order)

    def find_order(self, request: OrderRequest) -> OrderReport:
        """Look an order up by its client id, with its executions and their fees."""
        self._require()
        deadline = Deadline.after(LOOK_SECONDS)
        row = self._find(request, deadline)
        if row is None:
            return OrderReport(request.client_id, "absent")
        return looking.receive(
            self._view, request, row, deadline, self._sent.get(request.client_id)
        )

    def fills(self, since: int, symbols: Iterable[str]) -> tuple[Fill, ...]:
        """Return the executions since a time on these symbols. Raises as `find_order`."""
        self._require()
        found: list[Fill] = []
        for symbol in symbols:
            if (market := self._markets.get(symbol)) is None:
                continue  # listed no more: the others are read on
            found += looking.read_fills(self._view, market, since, Deadline.after(READ_SECONDS))
        return tuple(found)

    def snapshot(self) -> Snapshot:
        """Return what is held and every working order with what of it has filled."""
        proof = self._require()
        deadline = Deadline.after(READ_SECONDS)
        self._markets.load()
        if proof.market == "spot":
            held = self._read_coins(deadline)
        else:
            held = looking.read_positions(self._view, deadline)
        seen = map(self._markets.get, self._seen.list_keys())
        symbols = [market["symbol"] for market in seen if market is not None]
        working = looking.read_working(self._view, deadline, symbols)
        return Snapshot(held, tuple(working))

    def check(self) -> Check:
        """Ask whether the keys are good and what the account holds. Raises nothing."""
        url = self._connection.base_url or (self._proof and f"https://{self._proof.host}") or ""
        try:
            proof = self._require()
            self._markets.load()
            balance = self._read_coins(Deadline.after(READ_SECONDS))
            mode = read_mode(proof, self._library) if proof.market == "linear" else None
        except (BrokerRefused, Unreachable, Uncertain) as error:
            title = self._proof.title if self._proof else "The exchange"
            return describe_failure(url, title, error, None)
        problem = (
            f"The account is in hedge mode. Switch it at {proof.title}." if mode == HEDGE else None
        )
        return Check(position_mode=mode, balance=balance, key_valid=True, problem=problem)

    @property
    def _view(self) -> looking.View:
        assert self._proof is not None
        return looking.View(
            self._proof, self._library, self._markets, self._owners, self._venue_now
        )

    def _venue_now(self) -> int:
        """Return the exchange's time: by a clock minutes off our own orders would seem to be others."""
        told = self._library.venue_ms
        return self._now() if told is None else told

    def _require(self) -> Proof:
        """Return what is proven of this account's market. Raises `BrokerRefused` where nothing is."""
        if self._proof is None:
            asked = f"{self._connection.exchange} with market: {self._connection.market}"
            text = f"{self.name}: {asked} is not proven through ccxt. See docs/brokers/ccxt.md for what is."
            raise BrokerRefused(text, MARKET_MISMATCH)
        return self._proof

    def _refuse_unproven(self, request: OrderRequest) -> None:
        proof = self._require()
        if shape_of(proof, request) is None:
            raise refuse_kind(proof, request)

    def _market_of(self, request: OrderRequest) -> Market:
        market = self._markets.by_id(request.instrument.symbol)
        self._seen.note(market["id"], None)
        return market

    def _place(self, request: OrderRequest, deadline: Deadline) -> OrderReport:
        """Send an order once and read back what became of it; after a refusal for the clock once more."""
        try:
            self._send(request, deadline)
        except BrokerRefused as no:
            if no.code == DUPLICATE:
                return settle_duplicate(request, self.find_order)
            if no.code != CLOCK:
                raise
            self._send(request, deadline)
        return read_back(request, self.find_order)

    def _send(self, request: OrderRequest, deadline: Deadline) -> None:
        proof, market = self._require(), self._market_of(request)
        request = round_levels(proof, request)
        sent = Sent(
            market["id"],
            write_client_id(request.client_id, proof.id_form),
            to_units(request.quantity, market),
            str(market.get("baseId")),
        )
        worst = self._worst_price(request, market)
        call = Call(deadline, order=request, sent=sent, changes=True)
        self._sent.note(request.client_id, self._venue_now())
        placing = write_order(proof, request, market, sent, worst)
        try:
            told = self._library.call("create_order", *placing, call=call)
        except BrokerRefused as no:
            if no.code == HEDGE_MODE:
                self._preparation.forget()
            raise
        number = read_id(told)
        echoed = looking.read_client(proof, told)
        if echoed and echoed != request.client_id:
            raise Uncertain("The exchange answered about another order.", WRONG_ORDER)
        self._owners.note((market["id"], number), request.client_id)

    def _worst_price(self, request: OrderRequest, market: Market) -> Decimal | None:
        """Return the worst price an order at the market may fill at, where the exchange wants one."""
        if not self._require().needs_price:
            return None
        if kind_of(request) == STOP:
            return request.stop_price
        if request.order_type != MARKET:
            return None
        last = self._price_of(market, READ_SECONDS)
        if last is None:
            raise Unreachable("The exchange did not tell the price that its market orders need")
        return last

    def _find(self, request: OrderRequest, deadline: Deadline) -> looking.VenueOrder | None:
        return looking.find(self._view, request, self._market_of(request), deadline)

    def _name(self, client_id: str, how: Mapping[str, Any]) -> dict[str, Any]:
        return looking.name_order(self._require(), client_id, how)

    def _read_mode(self, symbol: str) -> str:
        proof = self._require()
        if proof.market != "linear":
            return ONE_WAY
        return read_mode(proof, self._library)

    def _read_coins(self, deadline: Deadline) -> dict[str, Decimal]:
        return looking.read_coins(self._view, deadline)

    def _price_of(self, market: Market, seconds: float) -> Decimal | None:
        return looking.read_price(self._view, market, Deadline.after(seconds))


class Perpetuals(Exchange):
    """The same on perpetuals settled in a stable coin: positions net, exits are reduce-only."""

    facts = replace(
        Exchange.facts,
        markets=("linear",),
        capabilities=frozenset({"reduce_only"}),
    )
