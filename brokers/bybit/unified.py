"""Trade on Bybit's unified account: spot pairs, and perpetuals that settle in USDT.

Bybit's answer to an order is only that it was heard: what became of it is read back by our own id, from the
open orders, then the old ones, then the executions. An order is sent once; an answer that is lost or cannot
be read leaves it `Uncertain`, and it is then looked up. Perpetuals are held on one side at a time, and
whatever reduces one says so.

Source: "Trade", "Position" and "Account" of the Bybit v5 documentation.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any

from brokers.bybit.account import (
    POSITIONS,
    check_account,
    make_preparation,
    read_wallet,
)
from brokers.bybit.errors import KEY, SECRET
from brokers.bybit.lists import (
    OPEN_ORDERS,
    read_funding,
    read_list,
    read_since,
)
from brokers.bybit.lookups import Orders
from brokers.bybit.market import (
    DEMO_URL,
    LIVE_HOSTS,
    LIVE_URL,
    TESTNET_URL,
    ask_time,
    name_symbol,
    read_prices,
    read_rules,
)
from brokers.bybit.orders import (
    list_filters,
    read_order,
    waits_for_level,
    write_order,
    write_plain_target,
)
from brokers.bybit.signing import BybitCalls
from brokers.protocol import (
    CROSSED,
    DUPLICATE,
    HEDGE_MODE,
    MARKET_MISMATCH,
    ORDER_GONE,
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
    VenueFacts,
)
from brokers.wire.deadline import Deadline
from brokers.wire.fields import require, require_decimal, require_text, unreadable, write_plain
from brokers.wire.lookups import (
    settle_duplicate,
)

CREATE, AMEND, CANCEL = "/v5/order/create", "/v5/order/amend", "/v5/order/cancel"
ORDER_SECONDS, LOOK_SECONDS, READ_SECONDS = 8.0, 3.0, 5.0
_OPEN = ("accepted", "absent")
COIN = "USDT"
"""What every perpetual that is traded here settles in."""
ZERO = Decimal(0)


class Bybit:
    """The spot market of one account at Bybit. Raises only `BrokerRefused`, `Unreachable` and `Uncertain`.

    `now_ms` is this machine's clock. Nothing is sent before the first call; `open` spares it the handshake.
    """

    facts = VenueFacts(
        needs=(KEY, SECRET),
        markets=("spot",),
        currency=COIN,
        live_hosts=LIVE_HOSTS,
        capabilities=frozenset({"cash", "locks_balance", "prices"}),
        poll_seconds=2.0,  # three requests each; an address has 240 in that time, an endpoint 100
        takes={"spot": frozenset({"demo"})},
    )

    def __init__(
        self,
        name: str,
        connection: Connection,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.name = name
        self._category = self.facts.markets[0]
        self._market = connection.market
        sandbox = DEMO_URL if connection.is_demo else TESTNET_URL
        self._url = connection.base_url or (sandbox if connection.sandbox else LIVE_URL)
        self._calls = BybitCalls(self._url, connection, ask_time, now_ms)
        self._preparation = make_preparation(name, connection, self._calls)
        self._settled_in = COIN if self._category == "linear" else ""
        self._orders = Orders(self._calls, self._category, self._settled_in)

    @property
    def rest_seconds(self) -> float:
        """How long a read should wait by what Bybit says is left of what its lists allow."""
        return self._calls.rest_seconds

    def open(self) -> None:
        """Have connection, clock and margin mode ready for the first order. Raises nothing."""
        self._calls.wire.open()
        self._calls.compare_clocks()
        if self._category == "linear":
            self._preparation.set_ahead()

    def instrument(self, symbol: str) -> Instrument:
        """Return the rules of a TradingView symbol. Raises `BrokerRefused` where it is none of the market."""
        if self._market not in (None, self._category):
            text = f"{self.name} has market: {self._market}; at Bybit it is spot or linear."
            raise BrokerRefused(text, MARKET_MISMATCH)
        name, note = name_symbol(symbol, self._category, self._calls.now)
        if self._calls.offset is None:
            self._calls.compare_clocks()
        found = read_rules(self._calls.wire, self._category, name, note)
        if self._category == "linear":
            self._preparation.read_ahead(name)
        return found

    def price(self, symbol: str) -> Decimal | None:
        """Return the last price, or None where it is not told within half a second."""
        try:
            name, _ = name_symbol(symbol, self._category, self._calls.now)
        except BrokerRefused:
            return None
        return read_prices(self._calls.wire, self._category, {name}).get(name)

    def prices(self, symbols: Collection[str]) -> dict[str, Decimal]:
        """Return the last price of each symbol, asked for at once; what is not told is left out."""
        return read_prices(self._calls.wire, self._category, symbols)

    def place_order(self, request: OrderRequest) -> OrderReport:
        """Open with one order, a perpetual once it is known to be held on one side and set as configured.

        Raises `BrokerRefused`, `Unreachable` or `Uncertain`.
        """
        if request.legs and "bracket" not in self.facts.capabilities:
            text = "Bybit attaches no stop and target to this entry."
            raise BrokerRefused(text, UNSUPPORTED)
        deadline = Deadline.after(ORDER_SECONDS)
        if self._category == "linear":
            self._preparation.require(request.instrument.symbol)
        return self._place(request, deadline)

    def close(self, request: OrderRequest) -> OrderReport:
        """Reduce with one order, of a perpetual reduce-only; at the market at most what Bybit takes in one.

        Raises as `place_order`.
        """
        return self._place(request, Deadline.after(ORDER_SECONDS))

    def protect(self, requests: tuple[OrderRequest, ...]) -> tuple[OrderReport, ...]:
        """Refuse: Bybit links no two orders of ours, so that each is placed by itself."""
        raise BrokerRefused("Bybit links no stop and target by our own ids.", UNSUPPORTED)

    def cancel(self, request: OrderRequest) -> OrderReport:
        """Cancel a working order and read back what became of it.

        `BrokerRefused` means that it works no more: what became of it is a matter of `find_order`.
        """
        deadline = Deadline.after(ORDER_SECONDS)
        body = self._orders.name(request)
        filters = list_filters(self._category, request)
        for number, kept in enumerate(filters or ("",), 1):
            where = {"orderFilter": kept} if kept else {}
            try:
                self._change(CANCEL, body | where, request, deadline)
                break
            except BrokerRefused as no:
                if no.code != ORDER_GONE or number >= len(filters):
                    raise
        found = self._orders.read_back(request, lambda each: each.status not in _OPEN, deadline)
        if found.status in _OPEN:
            raise Uncertain("Bybit took the cancel and still shows the order as working.")
        return found

    def find_order(self, request: OrderRequest) -> OrderReport:
        """Look an order up by its client id, with its executions and their fees.

        What Bybit has of that name but differs from the request, or is older than it, is another order, and
        ours is `absent`.
        """
        return self._orders.find(request, Deadline.after(LOOK_SECONDS))

    def fills(self, since: int, symbols: Iterable[str]) -> tuple[Fill, ...]:
        """Return the executions since a time, of all symbols at once, each with its order's client id.

        Raises as `find_order`.
        """
        # `since` may be a time of either clock: the earlier reading misses nothing.
        start = since + min(self._calls.offset or 0, 0)
        return read_since(self._calls, self._category, start, self._orders.owners, self._settled_in)

    def snapshot(self) -> Snapshot:
        """Return what is held, equity, and every working order of ours with what of it has filled."""
        deadline = Deadline.after(READ_SECONDS)
        held, equity = read_wallet(self._calls, deadline)
        settled = {"settleCoin": COIN} if self._category == "linear" else {}
        asked = {"category": self._category, **settled}
        if self._category == "linear":
            held = _add_positions(read_list(self._calls, POSITIONS, asked, deadline))
        rows = read_list(self._calls, OPEN_ORDERS, {**asked, "openOnly": "0"}, deadline)
        orders = [read_order(self._category, row) for row in rows]
        working = [self._orders.read_working(each, deadline) for each in orders]
        return Snapshot(held, tuple(each for each in working if each is not None), equity)

    def check(self) -> Check:
        """Ask whether the keys are good, what they may do, and how far the clocks differ. Raises nothing."""
        return check_account(self._calls, self._url, self._category)

    # Sending.

    def _place(self, request: OrderRequest, deadline: Deadline) -> OrderReport:
        try:
            self._create(request, deadline)
        except BrokerRefused as no:
            if no.code == DUPLICATE:
                return settle_duplicate(request, self.find_order)
            if no.code == HEDGE_MODE:
                self._preparation.forget()
            raise
        found = self._orders.read_back(request, lambda each: _is_settled(request, each), deadline)
        if found.status == "absent":
            raise Uncertain("Bybit took the order and does not show it yet.")
        return found

    def _create(self, request: OrderRequest, deadline: Deadline) -> None:
        """Send an order; a target of a perpetual whose level is passed goes as an ordinary limit order."""
        body = write_order(self._category, request)
        try:
            self._change(CREATE, body, request, deadline)
        except BrokerRefused as no:
            is_target = request.order_type == "limit" and waits_for_level(request)
            if no.code != CROSSED or not is_target or self._category == "spot":
                raise
            plain = write_plain_target(self._category, request)
            self._change(CREATE, plain, request, deadline)

    def _change(
        self, path: str, body: Mapping[str, Any], request: OrderRequest, deadline: Deadline
    ) -> None:
        """Send what may change something, once. Raises `Uncertain` where another order is answered about."""

        def on_stamp(stamp: int) -> None:
            if path == CREATE:
                self._orders.sent.note(request.client_id, stamp)

        is_urgent = request.reduces or path == CANCEL
        told = self._calls.send(
            "POST", path, body, deadline, is_urgent=is_urgent, on_stamp=on_stamp
        )
        name = "orderLinkId" if "orderLinkId" in body else "orderId"
        require_text(told, "orderId")
        if require(told, name, str) != body[name]:
            raise Uncertain("Bybit answered about another order", WRONG_ORDER)


class BybitPerpetuals(Bybit):
    """The USDT perpetuals of one account at Bybit. Raises as `Bybit`."""

    facts = VenueFacts(
        needs=(KEY, SECRET),
        markets=("linear",),
        currency=COIN,
        live_hosts=LIVE_HOSTS,
        capabilities=frozenset({"reduce_only", "amend", "funding", "prices"}),
        poll_seconds=2.0,  # three requests each; an address has 240 in that time, an endpoint 100
        takes={"linear": frozenset({"leverage", "margin", "demo"})},
    )

    def amend(self, request: OrderRequest) -> OrderReport:
        """Give a working stop or target another quantity, under the id it has.

        `BrokerRefused` means that it stands as it was, or works no more. Raises as `place_order`.
        """
        deadline = Deadline.after(ORDER_SECONDS)
        body = self._orders.name(request) | {"qty": write_plain(request.quantity)}
        self._change(AMEND, body, request, deadline)
        found = self._orders.read_back(
            request,
            lambda each: each.quantity == request.quantity or each.status not in _OPEN,
            deadline,
        )
        if found.status == "absent" or (
            found.status in _OPEN and found.quantity != request.quantity
        ):
            raise Uncertain("Bybit took the change and does not show it yet.")
        return found

    def funding(self, since: int) -> tuple[Funding, ...]:
        """Return what perpetuals were paid and cost since a time. Raises as `find_order`."""
        return read_funding(self._calls, since + min(self._calls.offset or 0, 0))


def _is_settled(request: OrderRequest, found: OrderReport) -> bool:
    """Tell whether an order that was taken is shown as it will stay: at the market it fills or ends."""
    if found.status == "absent":
        return bool(found.message)
    return request.order_type != "market" or found.status != "accepted"


def _add_positions(rows: list[Any]) -> dict[str, Decimal]:
    """Return each symbol's position, signed."""
    held: dict[str, Decimal] = {}
    for row in rows:
        symbol, side = require_text(row, "symbol"), require(row, "side", str)
        size = require_decimal(row, "size")
        if size and side not in ("Buy", "Sell"):
            raise unreadable(f"a position whose side is {side}")
        held[symbol] = held.get(symbol, ZERO) + (-size if side == "Sell" else size)
    return held
