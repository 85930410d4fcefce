"""Trade USD-M perpetuals at Binance.

Positions net on one side (one-way mode), and whatever reduces says so: an exit never opens. Stops and targets
are algo orders, which the plain lists do not show; the venue links none of them. An order is sent once; an
answer that is lost or cannot be read leaves it `Uncertain`, and it is then looked up by its client id.

Source: "Trade", "Account" and "Market Data" of the Binance USD-M Futures documentation.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from brokers.binance.errors import KEY, SECRET
from brokers.binance.signing import BinanceCalls, Params
from brokers.binance.spot_market import read_price
from brokers.binance.usdm_account import ACCOUNT, check_account, make_preparation
from brokers.binance.usdm_errors import read_refusal
from brokers.binance.usdm_fills import Executions
from brokers.binance.usdm_market import (
    LIVE_HOSTS,
    LIVE_URL,
    ROOT,
    SANDBOX_URL,
    Contracts,
    ask_time,
    name_contract,
    read_prices,
)
from brokers.binance.usdm_orders import (
    AlgoOrder,
    read_algo_order,
    read_row,
    waits_for_level,
    write_algo_order,
    write_order,
)
from brokers.binance.usdm_working import WorkingOrders
from brokers.protocol import (
    CROSSED,
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
    Funding,
    Instrument,
    OrderReport,
    OrderRequest,
    Snapshot,
    Uncertain,
    Unreachable,
    VenueFacts,
)
from brokers.wire.deadline import Deadline
from brokers.wire.fields import require, require_decimal
from brokers.wire.lookups import (
    Remembered,
    VenueOrder,
    add_up,
    check_echo,
    judge_found,
    read_back,
    settle_duplicate,
    write_receipt,
)

ORDER, ALGO_ORDER = f"{ROOT}/order", f"{ROOT}/algoOrder"
STUCK_MS = 2_000
"""How long a stop may be on its way into the market before it counts as protecting nothing."""
WEIGHTS = 2_400, 35
"""What an address may ask for in a minute, and what a snapshot of ten instruments costs (`usdm_working`)."""
ORDER_SECONDS, LOOK_SECONDS, READ_SECONDS = 8.0, 3.0, 5.0
ZERO = Decimal(0)


class BinancePerpetuals:
    """One USD-M account at Binance. Raises only `BrokerRefused`, `Unreachable` and `Uncertain`.

    `now_ms` is this machine's clock. Nothing is sent before the first call; `open` spares it the handshake.
    """

    facts = VenueFacts(
        needs=(KEY, SECRET),
        markets=("linear",),
        currency="USDT",
        live_hosts=LIVE_HOSTS,
        capabilities=frozenset({"reduce_only", "prices", "funding"}),
        poll_seconds=2.0,  # ten instruments and their lists: 1,050 a minute of the half that is 1,200
        takes={"linear": frozenset({"leverage", "margin"})},
    )

    def __init__(
        self,
        name: str,
        connection: Connection,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.name = name
        self._market = connection.market
        self._url = connection.base_url or (SANDBOX_URL if connection.sandbox else LIVE_URL)
        self._calls = BinanceCalls(
            name, self._url, connection, read_refusal, ask_time, now_ms, WEIGHTS
        )
        self._contracts = Contracts(self._calls.wire)
        self._working = WorkingOrders(self._calls)
        self._sent: Remembered[str, int] = Remembered()
        self._executions = Executions(self._calls)
        self._preparation = make_preparation(name, connection, self._calls)

    @property
    def rest_seconds(self) -> float:
        """How long a read should wait by what Binance says is used of the quota of this address."""
        return self._calls.quota.rest_seconds(self._calls.now)

    def open(self) -> None:
        """Have connection, clock, rules and position mode ready for the first order. Raises nothing."""
        self._calls.wire.open()
        self._calls.compare_clocks()
        self._contracts.read_ahead()
        self._preparation.read_ahead()

    def instrument(self, symbol: str) -> Instrument:
        """Return the rules of a TradingView symbol. Raises `BrokerRefused` where it is no perpetual."""
        if self._market != "linear":
            text = f"{self.name} needs market: linear in config.yaml to trade perpetuals."
            raise BrokerRefused(text, MARKET_MISMATCH)
        name, note = name_contract(symbol, self._calls.now)
        if self._calls.offset is None:
            self._calls.compare_clocks()
        found = self._contracts.find(name, note)
        self._preparation.read_ahead(name)
        return found

    def price(self, symbol: str) -> Decimal | None:
        """Return the last price, or None where it is not told within half a second."""
        try:
            name, _ = name_contract(symbol, self._calls.now)
        except BrokerRefused:
            return None
        return read_price(self._calls.wire, name, ROOT)

    def prices(self, symbols: Collection[str]) -> dict[str, Decimal]:
        """Return the last price of each perpetual, asked for at once; what is not told is left out."""
        return read_prices(self._calls.wire, symbols)

    def place_order(self, request: OrderRequest) -> OrderReport:
        """Open with one order, once the account is known to be in one-way mode and set as configured.

        Raises `BrokerRefused`, `Unreachable` or `Uncertain`.
        """
        if request.legs:
            text = "Binance links no stop and target to the entry of a perpetual."
            raise BrokerRefused(text, UNSUPPORTED)
        deadline = Deadline.after(ORDER_SECONDS)
        self._preparation.require(request.instrument.symbol)
        return self._place(request, deadline)

    def close(self, request: OrderRequest) -> OrderReport:
        """Reduce with one reduce-only order; at the market at most what Binance takes in one.

        Raises as `place_order`.
        """
        return self._place(request, Deadline.after(ORDER_SECONDS))

    def protect(self, requests: tuple[OrderRequest, ...]) -> tuple[OrderReport, ...]:
        """Refuse: Binance links no orders of a perpetual, so that each is placed by itself."""
        raise BrokerRefused("Binance links no orders of a perpetual.", UNSUPPORTED)

    def cancel(self, request: OrderRequest) -> OrderReport:
        """Cancel a working order, also one that its level has just put into the market.

        `BrokerRefused` means that it works no more: what became of it is a matter of `find_order`.
        """
        deadline = Deadline.after(ORDER_SECONDS)
        if not waits_for_level(request):
            return self._cancel_order(request, ("origClientOrderId", request.client_id), deadline)
        params = [("clientAlgoId", request.client_id)]
        try:
            data = self._calls.send("DELETE", ALGO_ORDER, params, deadline, is_urgent=True)
        except BrokerRefused as no:
            if no.code not in (ORDER_GONE, ORDER_UNKNOWN):
                raise
            return self._cancel_behind(request, no, deadline)
        if require(data, "clientAlgoId", str) != request.client_id:
            raise Uncertain("Binance answered the cancel of another order", WRONG_ORDER)
        if str(data.get("code")) != "200":  # text, unlike everywhere else
            raise Uncertain("Binance did not say whether the order was cancelled")
        return OrderReport(request.client_id, "cancelled", str(require(data, "algoId", int)))

    def find_order(self, request: OrderRequest) -> OrderReport:
        """Look an order up by its client id, with its executions and their fees.

        Client ids are unique among open orders only: what Binance has of that name but differs from the
        request, or is older than it, is another order, and ours is `absent`.
        """
        deadline = Deadline.after(LOOK_SECONDS)
        try:
            if waits_for_level(request):
                algo = self._read_algo_order(request, deadline)
                if algo is not None:
                    return self._judge_found(request, algo.order) or self._follow(
                        request, algo, deadline
                    )
                if request.order_type != "limit":
                    return OrderReport(request.client_id, "absent")
            row = self._read_order(request, _name_order(request), deadline)
        except BrokerRefused as no:
            if no.code == ORDER_UNKNOWN:
                return OrderReport(request.client_id, "absent")
            raise
        return self._judge_found(request, row) or self._receive(request, row, deadline)

    def fills(self, since: int, symbols: Iterable[str]) -> tuple[Fill, ...]:
        """Return the executions since a time on these symbols, each of which costs up to three requests.

        Each has the client id of its order, whoever placed it; those of a child have that of its stop or
        target. Raises as `find_order`.
        """
        # `since` may be a time of either clock: the earlier reading misses nothing.
        return self._executions.read_since(since + min(self._calls.offset or 0, 0), symbols)

    def funding(self, since: int) -> tuple[Funding, ...]:
        """Return what was charged and paid for holding since a time. Raises as `find_order`."""
        return self._executions.read_funding(since + min(self._calls.offset or 0, 0))

    def snapshot(self) -> Snapshot:
        """Return positions, equity, and every working order of ours with what of it has filled."""
        deadline = Deadline.after(READ_SECONDS)
        account = self._calls.read(ACCOUNT, [], deadline)
        positions: dict[str, Decimal] = {}
        for row in require(account, "positions", list):
            symbol = require(row, "symbol", str)
            held = positions.get(symbol, ZERO) + require_decimal(row, "positionAmt")
            positions[symbol] = held
        equity = require_decimal(account, "totalMarginBalance")
        rows, algos = self._working.read({s for s, held in positions.items() if held}, deadline)
        working = [self._read_working(row, deadline) for row in rows]
        # What is on its way into the market is asked for by itself: this list says too little of it.
        working += [
            OrderReport(each.order.client_id, "accepted", each.order.order_id)
            for each in algos
            if each.state == "NEW"
        ]
        return Snapshot(positions, tuple(working), equity)

    def check(self) -> Check:
        """Ask whether the keys are good, what they may do, and how far the clocks differ. Raises nothing."""
        return check_account(self._calls, self._url)

    # Placing and cancelling.

    def _place(self, request: OrderRequest, deadline: Deadline) -> OrderReport:
        try:
            return self._send_order(request, deadline)
        except BrokerRefused as no:
            if no.code == DUPLICATE:
                return settle_duplicate(request, self.find_order)
            if no.code == HEDGE_MODE:
                self._preparation.forget()
            raise

    def _send_order(self, request: OrderRequest, deadline: Deadline) -> OrderReport:
        """Send an order to where its kind belongs; a target whose level is passed fills as a limit order."""
        if waits_for_level(request):
            try:
                data = self._send(ALGO_ORDER, write_algo_order(request), request, deadline)
            except BrokerRefused as no:
                if no.code != CROSSED or request.order_type != "limit":
                    raise
            else:
                algo = read_algo_order(data)
                check_echo(request, algo.order)
                return self._follow(request, algo, deadline)
        row = read_row(self._send(ORDER, write_order(request), request, deadline))
        check_echo(request, row)
        if request.order_type == "market" and row.status == "accepted":
            return read_back(request, self.find_order)  # the answer came before the executions
        return self._receive(request, row, deadline)

    def _send(self, path: str, params: Params, request: OrderRequest, deadline: Deadline) -> Any:
        self._working.expect(request.instrument.symbol)
        return self._calls.send(
            "POST",
            path,
            params,
            deadline,
            is_urgent=request.reduces,
            on_stamp=lambda stamp: self._sent.note(request.client_id, stamp),
        )

    def _cancel_order(
        self, request: OrderRequest, named: tuple[str, str], deadline: Deadline
    ) -> OrderReport:
        params = [("symbol", request.instrument.symbol), named]
        data = self._calls.send("DELETE", ORDER, params, deadline, is_urgent=True)
        row = read_row(data)
        if named[1] not in (row.client_id, row.order_id):
            raise Uncertain("Binance answered the cancel of another order", WRONG_ORDER)
        return self._receive(request, replace(row, client_id=request.client_id), deadline)

    def _cancel_behind(
        self, request: OrderRequest, no: BrokerRefused, deadline: Deadline
    ) -> OrderReport:
        """Cancel what an algo order has become: its child, or the plain order that a crossed target is."""
        algo = self._read_algo_order(request, deadline)
        if algo is not None and algo.child_id:
            return self._cancel_order(request, ("orderId", algo.child_id), deadline)
        if algo is None and request.order_type == "limit":
            return self._cancel_order(request, ("origClientOrderId", request.client_id), deadline)
        raise no

    # What became of an order.

    def _read_order(self, request: OrderRequest, params: Params, deadline: Deadline) -> VenueOrder:
        return read_row(self._calls.read(ORDER, params, deadline, is_urgent=request.reduces))

    def _read_algo_order(self, request: OrderRequest, deadline: Deadline) -> AlgoOrder | None:
        """Return the algo order of a request, None where Binance has none. Raises as `find_order`."""
        params = [("clientAlgoId", request.client_id)]
        try:
            data = self._calls.read(ALGO_ORDER, params, deadline, is_urgent=request.reduces)
            return read_algo_order(data)
        except BrokerRefused as no:
            if no.code == ORDER_UNKNOWN:
                return None
            raise

    def _judge_found(self, request: OrderRequest, found: VenueOrder) -> OrderReport | None:
        """Return `absent` where what was found is not the order that was sent, None where it is."""
        return judge_found(request, found, self._sent.get(found.client_id), "Binance")

    def _follow(self, request: OrderRequest, algo: AlgoOrder, deadline: Deadline) -> OrderReport:
        """Return what an algo order is: of one whose level was reached, what its child is."""
        number = algo.order.order_id
        if algo.child_id:
            params = [("symbol", algo.order.symbol), ("orderId", algo.child_id)]
            try:
                row = self._read_order(request, params, deadline)
            except (BrokerRefused, Unreachable) as failed:
                raise Uncertain("Binance did not tell what the order became") from failed
            if (row.symbol, row.side) != (algo.order.symbol, algo.order.side):
                raise Uncertain("Binance answered about another order", WRONG_ORDER)
            report = self._receive(request, replace(row, client_id=request.client_id), deadline)
            woken = "TRIGGERED" if report.status == "accepted" else report.code
            return replace(report, broker_id=number, code=woken)
        if algo.state in ("TRIGGERING", "TRIGGERED", "FINISHED"):
            # Seen at Binance: a stop that stays so and protects nothing. What is unknown is placed anew.
            text = f"Binance says {algo.state} of the order and names none that it has become."
            is_new = self._calls.now - algo.changed_at < STUCK_MS and algo.state != "FINISHED"
            status, message = ("accepted", None) if is_new else ("unknown", text)
            return OrderReport(request.client_id, status, number, message=message)
        message = None
        if algo.order.status == "refused":
            message = "Binance could not carry the order out when its level was reached."
        return OrderReport(request.client_id, algo.order.status, number, message=message)

    def _receive(self, request: OrderRequest, row: VenueOrder, deadline: Deadline) -> OrderReport:
        """Turn an order's row into a receipt with every execution and its fee. Raises `Uncertain`."""
        self._executions.note_owner(row, request.client_id)
        trades = self._executions.read_whole(
            row, request.client_id, deadline, is_urgent=request.reduces
        )
        if trades and add_up(trades) == row.executed:
            value = sum((fill.quantity * fill.price for fill in trades), ZERO)
            row = replace(row, value=value)
        return write_receipt(row, trades, request, self._calls.now)

    def _read_working(self, row: VenueOrder, deadline: Deadline) -> OrderReport:
        """Return the receipt of an open order, whoever placed it."""
        trades: tuple[Fill, ...] = ()
        if row.executed:
            trades = self._executions.read_of(row, row.client_id, deadline)
        instrument = Instrument(symbol=row.symbol, kind="linear")
        request = OrderRequest(row.client_id, instrument, row.side, row.asked, "limit")
        return write_receipt(row, trades, request, self._calls.now)


def _name_order(request: OrderRequest) -> Params:
    return [("symbol", request.instrument.symbol), ("origClientOrderId", request.client_id)]
