"""Trade on Binance's spot market.

A coin that was bought is the position: there is no short, no leverage and no reduce-only, and what a
working order sells is locked. An order is sent once; an answer that is lost or cannot be read leaves it
`Uncertain`, and it is then looked up by its client id. Perpetuals are not traded here.

Source: "Trading endpoints" and "Account endpoints" of the Binance Spot API documentation.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from brokers.binance_calls import Calls
from brokers.binance_errors import (
    DUPLICATE,
    KEY,
    MARKET_CLOSED,
    ORDER_ARCHIVED,
    ORDER_UNKNOWN,
    SECRET,
)
from brokers.binance_orders import (
    Params,
    Row,
    add_up,
    is_same_order,
    judge,
    read_placed_fills,
    read_row,
    read_trade,
    write_entry_with_exits,
    write_order,
    write_pair,
)
from brokers.binance_public import (
    LIVE_HOSTS,
    LIVE_URL,
    SANDBOX_URL,
    Rules,
    name_symbol,
    read_amount,
    read_price,
    read_rules,
    take,
)
from brokers.protocol import (
    FILTER,
    WRONG_ORDER,
    Check,
    Connection,
    Fill,
    Instrument,
    OrderRequest,
    Receipt,
    Refused,
    Snapshot,
    Uncertain,
    Unreachable,
)

RULES_LIVE_MS = 24 * 3_600_000
LATE_TRADES_MS = 60_000
"""How long the list of executions may lag behind an order before its totals are believed without it."""
OLDER_MS = 60_000
"""How much older than the stamp of our request an order must be to be another one of the same name."""
REMEMBERED = 5_000
PAGE = 1_000
ORDER_SECONDS, LOOK_SECONDS, READ_SECONDS = 8.0, 3.0, 5.0
RULES_SECONDS = 1.0


class Binance:
    """One spot account at Binance. Raises only `Refused`, `Unreachable` and `Uncertain`.

    `now_ms` is this machine's clock. Nothing is sent before the first call; `open` spares it the handshake.
    """

    needs = (KEY, SECRET)
    markets = ("spot",)
    live_hosts = LIVE_HOSTS
    can = frozenset({"stop", "oco", "cash", "locks_balance", "bracket"})
    # A snapshot weighs 100 (account 20, open orders of all symbols 80) of 6000 a minute.
    poll_seconds = 2.0

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
        key, secret = (connection.credentials.get(each, "").strip() for each in self.needs)
        self._calls = Calls(self._url, key, secret, now_ms)
        self._calls.quota.join(name)
        self._rules: dict[str, Rules] = {}
        self._sent: dict[str, int] = {}
        self._owners: dict[tuple[str, int], str] = {}
        self._lock = threading.Lock()

    @property
    def rest_seconds(self) -> float:
        """How long a read should wait by what Binance says is used of the quota of this address."""
        return self._calls.quota.rest_seconds(self._calls.now)

    def open(self) -> None:
        """Open the connection and compare the clocks ahead of the first order. Raises nothing."""
        self._calls.wire.open()
        self._calls.compare_clocks()

    def instrument(self, symbol: str) -> Instrument:
        """Return the rules of a TradingView symbol, as they were told within the last day.

        Raises `Refused` where Binance's spot market has no such pair.
        """
        if self._market not in (None, *self.markets):
            text = (
                f"{self.name} has market: {self._market}, and at Binance only spot is supported yet."
                " Set market: spot in config.yaml."
            )
            raise Refused(text, "MARKET_MISMATCH")
        name = name_symbol(symbol, self._calls.now)
        if self._calls.offset is None:
            self._calls.compare_clocks()
        found = self._rules.get(name)
        if found is None or self._calls.now - found.read_at > RULES_LIVE_MS:
            try:
                found = read_rules(self._calls.wire, name, self._calls.now)
            except (Unreachable, Uncertain):
                if found is None:
                    raise
            self._rules[name] = found
        return found.instrument

    def price(self, symbol: str) -> Decimal | None:
        """Return the last price, or None where it is not told within half a second."""
        try:
            name = name_symbol(symbol, self._calls.now)
        except Refused:
            return None
        return read_price(self._calls.wire, name)

    def place_order(self, request: OrderRequest) -> Receipt:
        """Open with one order; with `legs`, a limit entry whose exits Binance works once it has filled.

        Raises `Refused`, `Unreachable` or `Uncertain`.
        """
        rules = self._find_rules(request)
        if rules and rules.status != "TRADING":  # so it was when they were read: it may trade again
            self._rules.pop(request.instrument.symbol, None)
            rules = self._find_rules(request)
        if rules and rules.status != "TRADING":
            text = (
                f"Binance does not trade {request.instrument.symbol} now: its status is"
                f" {rules.status}. Try again when it is TRADING."
            )
            raise Refused(text, MARKET_CLOSED)
        if not request.legs:
            return self._place(request, rules)
        path, params = write_entry_with_exits(request)
        rows = self._send_list(path, params, (request, *request.legs))
        return self._read_receipt(request, rows[0]) if rows else self._find_duplicate(request)

    def close(self, request: OrderRequest) -> Receipt:
        """Sell with one order; at the market at most what Binance takes in one, the rest stays to be sold.

        Raises as `place_order`.
        """
        return self._place(request, self._find_rules(request))

    def protect(self, requests: tuple[OrderRequest, ...]) -> tuple[Receipt, ...]:
        """Place a stop and a target as one list: what fills of one ends the other. Raises as `place_order`.

        The receipts come in the order of the requests.
        """
        rows = self._send_list("/api/v3/orderList/oco", write_pair(requests), requests)
        if not rows:
            return tuple(self._find_duplicate(request) for request in requests)
        pairs = zip(requests, rows, strict=True)
        return tuple(self._read_receipt(request, row) for request, row in pairs)

    def cancel(self, request: OrderRequest) -> Receipt:
        """Cancel a working order, and with one leg of a list the whole list. Raises as `place_order`.

        `Refused` means that it works no more: what became of it is a matter of `find_order`.
        """
        until = time.monotonic() + ORDER_SECONDS
        params = _name_order(request)
        data = self._calls.send("DELETE", "/api/v3/order", params, until, is_urgent=True)
        reports = data.get("orderReports") if isinstance(data, dict) else None
        for row in reports if isinstance(reports, list) else [data]:
            if take(row, "origClientOrderId", str) == request.client_id:
                return self._read_receipt(request, read_row(row, "origClientOrderId"), until=until)
        raise Uncertain("Binance answered the cancel of another order", WRONG_ORDER)

    def find_order(self, request: OrderRequest) -> Receipt:
        """Look an order up by its client id, with its executions and their fees.

        Client ids are unique among open orders only: what Binance has of that name but differs from the
        request, or is older than it, is another order, and ours is `absent`.
        """
        until = time.monotonic() + LOOK_SECONDS
        try:
            row = read_row(self._calls.read("/api/v3/order", _name_order(request), until))
        except Refused as no:
            if no.code == ORDER_UNKNOWN:
                return Receipt(request.client_id, "absent")
            if no.code == ORDER_ARCHIVED:
                return Receipt(request.client_id, "cancelled", message=no.message)
            raise
        if row.client_id != request.client_id:
            raise Uncertain("Binance answered about another order", WRONG_ORDER)
        if not is_same_order(row, request) or self._is_older(row):
            text = "Binance has another order of this name, not the one that was sent."
            return Receipt(request.client_id, "absent", message=text)
        return self._read_receipt(request, row, until=until)

    def fills(self, since: int, symbols: Iterable[str]) -> tuple[Fill, ...]:
        """Return the executions since a time on these symbols, each of which costs a request or two.

        Each has the client id of its order, whoever placed it. Raises as `find_order`.
        """
        found: list[Fill] = []
        # `since` may be a time of either clock: the earlier reading misses nothing.
        start = since + min(self._calls.offset or 0, 0)
        for symbol in symbols:
            rows = self._read_trades(symbol, start)
            names = self._name_owners(symbol, {take(row, "orderId", int) for row in rows}, start)
            found += [read_trade(row, symbol, names[row["orderId"]]) for row in rows]
        return tuple(found)

    def snapshot(self) -> Snapshot:
        """Return coins, what orders lock included, and every working order with what of it has filled."""
        until = time.monotonic() + READ_SECONDS
        account = self._calls.read("/api/v3/account", [("omitZeroBalances", "true")], until)
        positions = _add_balances(account)
        rows = _read_list(self._calls.read("/api/v3/openOrders", [], until))
        return Snapshot(positions, tuple(self._read_working(read_row(row), until) for row in rows))

    def check(self) -> Check:
        """Ask whether the keys are good, what they may do, and how far the clocks differ. Raises nothing."""
        if self._market not in (None, *self.markets):
            text = f"market: {self._market} is not supported at Binance yet. Set market: spot."
            return Check(problem=text)
        until = time.monotonic() + READ_SECONDS
        self._calls.compare_clocks()
        offset = self._calls.offset
        try:
            data = self._calls.read("/api/v3/account", [("omitZeroBalances", "true")], until)
            may_trade, balance = take(data, "canTrade", bool), _add_balances(data)
        except Refused as no:
            return Check(clock_offset_ms=offset, problem=no.message)
        except Unreachable:
            text = f"{self._url} cannot be reached from here. Check the network and the firewall."
            return Check(problem=text)
        except Uncertain as doubt:
            text = f"{self._url} does not answer as Binance does: {doubt}. Check base_url."
            return Check(problem=text)
        key_trades, withdraws = self._read_permissions(until)
        return Check(may_trade and key_trades, withdraws, offset, balance=balance)

    def _place(self, request: OrderRequest, rules: Rules | None) -> Receipt:
        until = time.monotonic() + ORDER_SECONDS
        params = write_order(request, rules)
        try:
            data = self._send_order("/api/v3/order", params, (request,), until)
        except Refused as no:
            if no.code == DUPLICATE:
                return self._find_duplicate(request)
            raise
        row = read_row(data)
        _check_answer(row, request)
        return self._read_receipt(request, row, data.get("fills"), until)

    def _send_list(
        self, path: str, params: Params, requests: tuple[OrderRequest, ...]
    ) -> list[Row] | None:
        """Send an order list and return a row for each request; None where Binance has it already."""
        until = time.monotonic() + ORDER_SECONDS
        params.append(("listClientOrderId", f"{requests[0].client_id}-l"))
        params.append(("newOrderRespType", "FULL"))
        try:
            data = self._send_order(path, params, requests, until)
        except Refused as no:
            if no.code == DUPLICATE:
                return None
            raise
        found = {row.client_id: row for row in map(read_row, take(data, "orderReports", list))}
        for request in requests:
            _check_answer(found.get(request.client_id), request)
        return [found[request.client_id] for request in requests]

    def _send_order(
        self, path: str, params: Params, requests: tuple[OrderRequest, ...], until: float
    ) -> Any:
        def note(stamp: int) -> None:
            with self._lock:
                for request in requests:
                    _keep(self._sent, request.client_id, stamp)

        first = requests[0]
        try:
            return self._calls.send("POST", path, params, until, is_urgent=first.reduces, note=note)
        except Refused as no:
            if no.code in (FILTER, MARKET_CLOSED):
                self._rules.pop(first.instrument.symbol, None)
            raise

    def _find_duplicate(self, request: OrderRequest) -> Receipt:
        """Return what an order is that Binance says it already has; otherwise raise `Uncertain`."""
        try:
            found = self.find_order(request)
        except (Refused, Unreachable) as failed:
            text = "Binance already has the order and did not tell what became of it"
            raise Uncertain(text) from failed
        if found.status == "absent":
            code = WRONG_ORDER if found.message else None
            raise Uncertain("Binance has an open order of this name that is not this one", code)
        return found

    def _read_receipt(
        self, request: OrderRequest, row: Row, fills: Any = None, until: float | None = None
    ) -> Receipt:
        """Turn an order's row into a receipt with every execution and its fee.

        Raises `Uncertain` while an ended order's executions are not all known: a fee that is taken in the
        coin bought makes the share smaller, so totals alone would oversell it.
        """
        with self._lock:
            _keep(self._owners, (row.symbol, row.order_id), row.client_id)
        trades = read_placed_fills(fills, row)
        if add_up(trades) != row.executed:
            trades = self._read_trades_of(row, until or time.monotonic() + LOOK_SECONDS)
        filled = row.executed
        if add_up(trades) != filled:
            if row.status == "accepted":
                filled = add_up(trades)
            elif self._calls.now - row.changed_at < LATE_TRADES_MS:
                raise Uncertain("Binance does not list all executions of the order yet")
        status, code, message = judge(row, request)
        average = row.cash / row.executed if row.executed > 0 and row.cash >= 0 else None
        name = str(row.order_id)
        return Receipt(row.client_id, status, name, filled, average, trades, code, message)

    def _read_working(self, row: Row, until: float) -> Receipt:
        """Return the receipt of an open order, whoever placed it."""
        instrument = Instrument(symbol=row.symbol, kind="spot")
        request = OrderRequest(row.client_id, instrument, row.side, row.asked, "limit")
        return self._read_receipt(request, row, until=until)

    def _read_trades_of(self, row: Row, until: float) -> tuple[Fill, ...]:
        params = [("symbol", row.symbol), ("orderId", str(row.order_id)), ("limit", str(PAGE))]
        try:
            rows = _read_list(self._calls.read("/api/v3/myTrades", params, until))
        except (Refused, Unreachable) as failed:  # the order itself was neither
            raise Uncertain("Binance did not tell the order's executions") from failed
        return tuple(read_trade(each, row.symbol, row.client_id) for each in rows)

    def _read_trades(self, symbol: str, start: int) -> list[Any]:
        """Return every execution on a symbol since a time of Binance's clock, page by page."""
        found: list[Any] = []
        place = ("startTime", str(start))
        while True:
            params = [("symbol", symbol), place, ("limit", str(PAGE))]
            until = time.monotonic() + READ_SECONDS
            page = _read_list(self._calls.read("/api/v3/myTrades", params, until))
            found += page
            if len(page) < PAGE:
                return found
            place = ("fromId", str(take(page[-1], "id", int) + 1))

    def _name_owners(self, symbol: str, ids: set[int], start: int) -> dict[int, str]:
        """Return the client id of each order; one that is not remembered is asked for."""
        until = time.monotonic() + READ_SECONDS
        if any((symbol, number) not in self._owners for number in ids):
            params = [("symbol", symbol), ("startTime", str(start)), ("limit", str(PAGE))]
            for row in _read_list(self._calls.read("/api/v3/allOrders", params, until)):
                self._learn_name(symbol, row)
        for number in ids:
            if (symbol, number) not in self._owners:  # placed before `start`, filled after it
                params = [("symbol", symbol), ("orderId", str(number))]
                self._learn_name(symbol, self._calls.read("/api/v3/order", params, until))
        return {number: self._owners.get((symbol, number), "") for number in ids}

    def _learn_name(self, symbol: str, row: Any) -> None:
        number, client_id = take(row, "orderId", int), take(row, "clientOrderId", str)
        with self._lock:
            _keep(self._owners, (symbol, number), client_id)

    def _read_permissions(self, until: float) -> tuple[bool, bool | None]:
        """Return whether the key may trade and withdraw, as far as Binance tells: the testnet does not."""
        if self._sandbox:
            return True, None
        try:
            data = self._calls.read("/sapi/v1/account/apiRestrictions", [], until)
            trades = take(data, "enableSpotAndMarginTrading", bool)
            return trades, take(data, "enableWithdrawals", bool)
        except (Refused, Unreachable, Uncertain):
            return True, None

    def _find_rules(self, request: OrderRequest) -> Rules | None:
        """Return the rules of an order's symbol; their absence keeps no order back."""
        symbol = request.instrument.symbol
        if symbol not in self._rules:
            calls = self._calls
            try:
                self._rules[symbol] = read_rules(calls.wire, symbol, calls.now, RULES_SECONDS)
            except (Refused, Unreachable, Uncertain):
                return None
        return self._rules.get(symbol)

    def _is_older(self, row: Row) -> bool:
        sent = self._sent.get(row.client_id)
        return sent is not None and row.placed_at < sent - OLDER_MS


def _check_answer(row: Row | None, request: OrderRequest) -> None:
    """Raise `Uncertain` where Binance answers about another order than the one sent."""
    expected = (request.client_id, request.instrument.symbol, request.side)
    if row is None or (row.client_id, row.symbol, row.side) != expected:
        raise Uncertain("Binance answered about another order than the one sent", WRONG_ORDER)


def _name_order(request: OrderRequest) -> Params:
    return [("symbol", request.instrument.symbol), ("origClientOrderId", request.client_id)]


def _read_list(data: Any) -> list[Any]:
    if not isinstance(data, list):
        raise Uncertain("Binance's answer cannot be read: it is no list")
    return data


def _add_balances(data: Any) -> dict[str, Decimal]:
    """Return each coin with what is free and what working orders lock."""
    return {
        take(row, "asset", str): read_amount(row, "free") + read_amount(row, "locked")
        for row in take(data, "balances", list)
    }


def _keep(memory: dict[Any, Any], key: Any, value: Any) -> None:
    """Remember a value and forget the oldest beyond `REMEMBERED`."""
    memory[key] = value
    if len(memory) > REMEMBERED:
        del memory[next(iter(memory))]
