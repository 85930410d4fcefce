"""Trade on Binance's spot market.

A coin that was bought is the position: there is no short, no leverage and no reduce-only, and what a
working order sells is locked. An order is sent once; an answer that is lost or cannot be read leaves it
`Uncertain`, and it is then looked up by its client id. Perpetuals are not traded here.

Source: "Trading endpoints" and "Account endpoints" of the Binance Spot API documentation.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from decimal import Decimal
from typing import Any

from brokers.binance.errors import KEY, SECRET, read_refusal
from brokers.binance.signing import BinanceCalls, Params
from brokers.binance.spot_market import (
    LIVE_HOSTS,
    LIVE_URL,
    SANDBOX_URL,
    name_symbol,
    read_price,
    read_prices,
    read_rules,
    read_time,
)
from brokers.binance.spot_orders import (
    read_placed_fills,
    read_row,
    read_trade,
    write_entry_with_exits,
    write_order,
    write_pair,
)
from brokers.protocol import (
    DUPLICATE,
    MARKET_MISMATCH,
    ORDER_ARCHIVED,
    ORDER_UNKNOWN,
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
from brokers.wire.fields import require, require_decimal, require_rows
from brokers.wire.lookups import (
    Remembered,
    VenueOrder,
    add_up,
    check_echo,
    describe_failure,
    judge_found,
    settle_duplicate,
    write_receipt,
)

PAGE = 1_000
WEIGHTS = 6_000, 100
"""What an address may ask for in a minute, and what a snapshot costs: the account 20, open orders 80."""
ORDER_SECONDS, LOOK_SECONDS, READ_SECONDS = 8.0, 3.0, 5.0


class Binance:
    """One spot account at Binance. Raises only `BrokerRefused`, `Unreachable` and `Uncertain`.

    `now_ms` is this machine's clock. Nothing is sent before the first call; `open` spares it the handshake.
    """

    facts = VenueFacts(
        needs=(KEY, SECRET),
        markets=("spot",),
        currency="USDT",
        live_hosts=LIVE_HOSTS,
        capabilities=frozenset({"oco", "cash", "locks_balance", "bracket", "prices"}),
        poll_seconds=2.0,  # thirty snapshots a minute are half of the weight
    )

    def __init__(
        self,
        name: str,
        connection: Connection,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.name = name
        self._market = connection.market
        self._sandbox = connection.sandbox
        self._url = connection.base_url or (SANDBOX_URL if connection.sandbox else LIVE_URL)
        self._calls = BinanceCalls(
            name, self._url, connection, read_refusal, read_time, now_ms, WEIGHTS
        )
        self._sent: Remembered[str, int] = Remembered()
        self._owners: Remembered[tuple[str, str], str] = Remembered()

    @property
    def rest_seconds(self) -> float:
        """How long a read should wait by what Binance says is used of the quota of this address."""
        return self._calls.quota.rest_seconds(self._calls.now)

    def open(self) -> None:
        """Open the connection and compare the clocks ahead of the first order. Raises nothing."""
        self._calls.wire.open()
        self._calls.compare_clocks()

    def instrument(self, symbol: str) -> Instrument:
        """Return the rules of a TradingView symbol. Raises `BrokerRefused` where there is no such pair."""
        if self._market not in (None, *self.facts.markets):
            text = (
                f"{self.name} has market: {self._market}, and at Binance only spot is supported yet."
                " Set market: spot in config.yaml."
            )
            raise BrokerRefused(text, MARKET_MISMATCH)
        name = name_symbol(symbol, self._calls.now)
        if self._calls.offset is None:
            self._calls.compare_clocks()
        return read_rules(self._calls.wire, name)

    def price(self, symbol: str) -> Decimal | None:
        """Return the last price, or None where it is not told within half a second."""
        try:
            name = name_symbol(symbol, self._calls.now)
        except BrokerRefused:
            return None
        return read_price(self._calls.wire, name)

    def prices(self, symbols: Collection[str]) -> dict[str, Decimal]:
        """Return the last price of each pair, asked for at once; what is not told is left out."""
        return read_prices(self._calls.wire, symbols)

    def place_order(self, request: OrderRequest) -> OrderReport:
        """Open with one order; with `legs`, a limit entry whose exits Binance works once it has filled.

        Raises `BrokerRefused`, `Unreachable` or `Uncertain`.
        """
        if not request.legs:
            return self._place(request)
        path, params = write_entry_with_exits(request)
        rows = self._send_list(path, params, (request, *request.legs))
        return self._receive(request, rows[0]) if rows else self._settle(request)

    def close(self, request: OrderRequest) -> OrderReport:
        """Sell with one order; at the market at most what Binance takes in one, the rest stays to be sold.

        Raises as `place_order`.
        """
        return self._place(request)

    def protect(self, requests: tuple[OrderRequest, ...]) -> tuple[OrderReport, ...]:
        """Place a stop and a target as one list: what fills of one ends the other. Raises as `place_order`.

        The receipts come in the order of the requests.
        """
        rows = self._send_list("/api/v3/orderList/oco", write_pair(requests), requests)
        if not rows:
            return tuple(self._settle(request) for request in requests)
        pairs = zip(requests, rows, strict=True)
        return tuple(self._receive(request, row) for request, row in pairs)

    def cancel(self, request: OrderRequest) -> OrderReport:
        """Cancel a working order, and with one leg of a list the whole list. Raises as `place_order`.

        `BrokerRefused` means that it works no more: what became of it is a matter of `find_order`.
        """
        deadline = Deadline.after(ORDER_SECONDS)
        params = _name_order(request)
        data = self._calls.send("DELETE", "/api/v3/order", params, deadline, is_urgent=True)
        reports = data.get("orderReports") if isinstance(data, dict) else None
        for row in reports if isinstance(reports, list) else [data]:
            if require(row, "origClientOrderId", str) == request.client_id:
                return self._receive(request, read_row(row, "origClientOrderId"), None, deadline)
        raise Uncertain("Binance answered the cancel of another order", WRONG_ORDER)

    def find_order(self, request: OrderRequest) -> OrderReport:
        """Look an order up by its client id, with its executions and their fees.

        Client ids are unique among open orders only: what Binance has of that name but differs from the
        request, or is older than it, is another order, and ours is `absent`.
        """
        deadline = Deadline.after(LOOK_SECONDS)
        try:
            row = read_row(self._calls.read("/api/v3/order", _name_order(request), deadline))
        except BrokerRefused as no:
            if no.code == ORDER_UNKNOWN:
                return OrderReport(request.client_id, "absent")
            if no.code == ORDER_ARCHIVED:
                return OrderReport(request.client_id, "cancelled", message=no.message)
            raise
        other = judge_found(request, row, self._sent.get(row.client_id), "Binance")
        return other or self._receive(request, row, None, deadline)

    def fills(self, since: int, symbols: Iterable[str]) -> tuple[Fill, ...]:
        """Return the executions since a time on these symbols, each of which costs a request or two.

        Each has the client id of its order, whoever placed it. Raises as `find_order`.
        """
        found: list[Fill] = []
        # `since` may be a time of either clock: the earlier reading misses nothing.
        start = since + min(self._calls.offset or 0, 0)
        for symbol in symbols:
            rows = self._calls.read_trades("/api/v3/myTrades", symbol, start, PAGE)
            ids = {str(require(row, "orderId", int)) for row in rows}
            names = self._name_owners(symbol, ids, start)
            found += [read_trade(row, symbol, names[str(row["orderId"])]) for row in rows]
        return tuple(found)

    def snapshot(self) -> Snapshot:
        """Return coins, what orders lock included, and every working order with what of it has filled."""
        deadline = Deadline.after(READ_SECONDS)
        account = self._calls.read("/api/v3/account", [("omitZeroBalances", "true")], deadline)
        positions = _add_balances(account)
        rows = require_rows(self._calls.read("/api/v3/openOrders", [], deadline))
        working = [self._read_working(read_row(row), deadline) for row in rows]
        return Snapshot(positions, tuple(working))

    def check(self) -> Check:
        """Ask whether the keys are good, what they may do, and how far the clocks differ. Raises nothing."""
        if self._market not in (None, *self.facts.markets):
            text = f"market: {self._market} is not supported at Binance yet. Set market: spot."
            return Check(problem=text)
        deadline = Deadline.after(READ_SECONDS)
        self._calls.compare_clocks()
        offset = self._calls.offset
        try:
            data = self._calls.read("/api/v3/account", [("omitZeroBalances", "true")], deadline)
            may_trade, balance = require(data, "canTrade", bool), _add_balances(data)
        except (BrokerRefused, Unreachable, Uncertain) as error:
            return describe_failure(self._url, "Binance", error, offset)
        key_trades, withdraws = self._read_permissions(deadline)
        return Check(may_trade and key_trades, withdraws, offset, balance=balance)

    def _place(self, request: OrderRequest) -> OrderReport:
        deadline = Deadline.after(ORDER_SECONDS)
        try:
            data = self._send("/api/v3/order", write_order(request), (request,), deadline)
        except BrokerRefused as no:
            if no.code == DUPLICATE:
                return self._settle(request)
            raise
        row = check_echo(request, read_row(data))
        return self._receive(request, row, data.get("fills"), deadline)

    def _send_list(
        self, path: str, params: Params, requests: tuple[OrderRequest, ...]
    ) -> list[VenueOrder] | None:
        """Send an order list and return a row for each request; None where Binance has it already."""
        params.append(("listClientOrderId", f"{requests[0].client_id}-l"))
        params.append(("newOrderRespType", "FULL"))
        try:
            data = self._send(path, params, requests, Deadline.after(ORDER_SECONDS))
        except BrokerRefused as no:
            if no.code == DUPLICATE:
                return None
            raise
        found = {row.client_id: row for row in map(read_row, require(data, "orderReports", list))}
        return [check_echo(request, found.get(request.client_id)) for request in requests]

    def _send(
        self, path: str, params: Params, requests: tuple[OrderRequest, ...], deadline: Deadline
    ) -> Any:
        def on_stamp(stamp: int) -> None:
            for request in requests:
                self._sent.note(request.client_id, stamp)

        urgent = requests[0].reduces
        return self._calls.send("POST", path, params, deadline, is_urgent=urgent, on_stamp=on_stamp)

    def _settle(self, request: OrderRequest) -> OrderReport:
        return settle_duplicate(request, self.find_order)

    def _receive(
        self,
        request: OrderRequest,
        row: VenueOrder,
        placed: Any = None,
        deadline: Deadline | None = None,
    ) -> OrderReport:
        """Turn an order's row into a receipt with every execution and its fee. Raises `Uncertain`."""
        self._owners.note((row.symbol, row.order_id), row.client_id)
        trades = read_placed_fills(placed, row)
        if add_up(trades) != row.executed:
            trades = self._read_trades_of(row, deadline or Deadline.after(LOOK_SECONDS))
        return write_receipt(row, trades, request, self._calls.now)

    def _read_working(self, row: VenueOrder, deadline: Deadline) -> OrderReport:
        """Return the receipt of an open order, whoever placed it."""
        instrument = Instrument(symbol=row.symbol, kind="spot")
        request = OrderRequest(row.client_id, instrument, row.side, row.asked, "limit")
        return self._receive(request, row, None, deadline)

    def _read_trades_of(self, row: VenueOrder, deadline: Deadline) -> tuple[Fill, ...]:
        params = [("symbol", row.symbol), ("orderId", row.order_id), ("limit", str(PAGE))]
        try:
            rows = require_rows(self._calls.read("/api/v3/myTrades", params, deadline))
        except (BrokerRefused, Unreachable) as failed:  # the order itself was neither
            raise Uncertain("Binance did not tell the order's executions") from failed
        return tuple(read_trade(each, row.symbol, row.client_id) for each in rows)

    def _name_owners(self, symbol: str, ids: set[str], start: int) -> dict[str, str]:
        """Return the client id of each order; one that is not remembered is asked for."""
        deadline = Deadline.after(READ_SECONDS)
        if any((symbol, number) not in self._owners for number in ids):
            params = [("symbol", symbol), ("startTime", str(start)), ("limit", str(PAGE))]
            for row in require_rows(self._calls.read("/api/v3/allOrders", params, deadline)):
                self._learn_name(symbol, row)
        for number in ids:
            if (symbol, number) not in self._owners:  # placed before `start`, filled after it
                params = [("symbol", symbol), ("orderId", number)]
                self._learn_name(symbol, self._calls.read("/api/v3/order", params, deadline))
        return {number: self._owners.get((symbol, number)) or "" for number in ids}

    def _learn_name(self, symbol: str, row: Any) -> None:
        number = str(require(row, "orderId", int))
        self._owners.note((symbol, number), require(row, "clientOrderId", str))

    def _read_permissions(self, deadline: Deadline) -> tuple[bool, bool | None]:
        """Return whether the key may trade and withdraw, as far as Binance tells: the testnet does not."""
        if self._sandbox:
            return True, None
        try:
            data = self._calls.read("/sapi/v1/account/apiRestrictions", [], deadline)
            trades = require(data, "enableSpotAndMarginTrading", bool)
            return trades, require(data, "enableWithdrawals", bool)
        except (BrokerRefused, Unreachable, Uncertain):
            return True, None


def _name_order(request: OrderRequest) -> Params:
    return [("symbol", request.instrument.symbol), ("origClientOrderId", request.client_id)]


def _add_balances(data: Any) -> dict[str, Decimal]:
    """Return each coin with what is free and what working orders lock."""
    return {
        require(row, "asset", str): require_decimal(row, "free") + require_decimal(row, "locked")
        for row in require(data, "balances", list)
    }
