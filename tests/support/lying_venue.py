"""A venue that hangs, loses requests and answers, fills late and partly, refuses, and is closed by hand.

Deterministic under a seed and a simulated clock. It knows no desk: it takes the requests of the broker
protocol and keeps its own truth, against which shares are judged. `is_honest` makes it answer at once.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from brokers.protocol import (
    CROSSED,
    BrokerRefused,
    Check,
    Fill,
    Instrument,
    OrderReport,
    OrderRequest,
    Snapshot,
    Uncertain,
    Unreachable,
)
from tests.support.fakes import FakeClock, make_facts

ZERO, ONE, HUNDRED = Decimal(0), Decimal(1), Decimal(100)
STEP = Decimal("0.001")
NETS = {
    symbol: Instrument(
        symbol, "linear", base, "USDT", tick=Decimal("0.1"), step=STEP, min_quantity=STEP
    )
    for symbol, base in (("BTCUSDT.P", "BTC"), ("ETHUSDT.P", "ETH"))
}
SPOT = {
    symbol: Instrument(
        symbol,
        "spot",
        base,
        "USDT",
        tick=Decimal("0.1"),
        step=STEP,
        min_quantity=STEP,
        fee_in_kind=Decimal("0.001"),
    )
    for symbol, base in (("BTCUSDT", "BTC"), ("ETHUSDT", "ETH"))
}
CROSS = replace(SPOT["BTCUSDT"], symbol="XRPBTC", base="XRP", quote="BTC", tick=ONE / 100)
"""A pair that is paid in a coin which strategies hold."""


@dataclass
class Working:
    """One order at the venue."""

    request: OrderRequest
    status: str = "accepted"
    filled: Decimal = ZERO
    fills: list[Fill] = field(default_factory=list)
    pair: str = ""
    attached: bool = False

    @property
    def leaves_quantity(self) -> Decimal:
        return self.request.quantity - self.filled


class LyingVenue:
    """One account of the kind that `capabilities` says; with locks_balance it is spot."""

    rest_seconds = 0.0
    fee_rate = ONE / 1000
    fee_coin = "USDT"

    def __init__(
        self, chance: random.Random, clock: FakeClock, capabilities: frozenset[str]
    ) -> None:
        self.chance = chance
        self.clock = clock
        self.capabilities = capabilities
        self.facts = make_facts(*capabilities, poll_seconds=0.0)
        self.instruments = SPOT if "locks_balance" in capabilities else NETS
        self.prices = dict.fromkeys(self.instruments, HUNDRED)
        self.coins: frozenset[str] = frozenset()
        """The coins that are held and paid with."""
        self.orders: dict[str, Working] = {}
        self.executions: list[tuple[str, Fill]] = []
        """Every execution with its symbol, in order; by hand without a client id."""
        self.positions: dict[str, Decimal] = {}
        self.transit: list[tuple[int, OrderRequest]] = []
        self.is_honest = False
        self.is_gone = False
        self.refuses_exits = False
        self.loses_exits = False
        self.placed: list[tuple[int, OrderRequest]] = []
        self.missed: dict[str, list[int]] = defaultdict(list)
        """When each order was looked for and was not there."""
        self.seen: dict[str, Decimal] = {}
        """What the last snapshot said is held."""
        self.was_wrong = False
        self.tells_rules_at = 0
        """Until then it refuses to say by which rules it trades."""

    def list_cross(self, free: Decimal) -> None:
        """Trade a pair that is paid in BTC too, of which `free` is nobody's."""
        self.instruments = {**self.instruments, CROSS.symbol: CROSS}
        self.prices[CROSS.symbol] = ONE
        self.coins = frozenset({CROSS.quote})
        self._hold(CROSS.quote, free)

    # --- what the desk asks ----------------------------------------------------------------------------

    def open(self) -> None:
        """Open nothing: there is no connection to keep."""

    def instrument(self, symbol: str) -> Instrument:
        if symbol not in self.instruments:
            raise BrokerRefused(f"{symbol} is not traded here", "SYMBOL_UNKNOWN")
        if self.clock() < self.tells_rules_at:
            raise BrokerRefused("too many requests", "THROTTLED")
        return self.instruments[symbol]

    def price(self, symbol: str) -> Decimal | None:
        return self.prices.get(symbol)

    def check(self) -> Check:
        return Check(may_trade=True)

    def place_order(self, request: OrderRequest) -> OrderReport:
        self._refuse_or_lose([request])
        self._put(request)
        return self._answer(request)

    close = place_order

    def protect(self, requests: tuple[OrderRequest, ...]) -> tuple[OrderReport, ...]:
        stop, other = requests
        self._refuse_or_lose([stop, other], linked=True)
        self._put(stop)
        self._put(other, pair=stop.client_id)
        self.orders[stop.client_id].pair = other.client_id
        return self._answer(stop), self.receipt(other)

    def cancel(self, request: OrderRequest) -> OrderReport:
        self._may_be_gone()
        if self._is_due(0.08):
            raise Uncertain("the answer was lost")
        order = self.orders.get(request.client_id)
        if order is None or order.status != "accepted":
            raise BrokerRefused("no such order")
        self._end(order)
        if self._is_due(0.08):
            raise Uncertain("the answer was lost")
        return self.receipt(request)

    def amend(self, request: OrderRequest) -> OrderReport:
        """Change what a working order asks for, or fail before or after it."""
        self._may_be_gone()
        if self._is_due(0.08):
            raise Uncertain("the request was lost")
        if self._is_due(0.08):
            raise Unreachable("no route")
        order = self.orders.get(request.client_id)
        if order is None or order.status != "accepted" or request.quantity <= order.filled:
            raise BrokerRefused("no such order")
        if self._is_due(0.08):
            raise BrokerRefused("not now")
        order.request = replace(order.request, quantity=request.quantity)
        if self._is_due(0.08):
            raise Uncertain("the answer was lost")
        return self.receipt(request)

    def find_order(self, request: OrderRequest) -> OrderReport:
        self._may_be_gone()
        if self._is_due(0.15):
            raise Unreachable("no route")
        found = self.receipt(request)
        if found.status == "absent":
            self.missed[request.client_id].append(self.clock())
        return found

    def fills(self, since: int, symbols: Iterable[str]) -> tuple[Fill, ...]:
        self._may_be_gone()
        return tuple(fill for _, fill in self.executions if fill.at >= since)

    def snapshot(self) -> Snapshot:
        self._may_be_gone()
        if self._is_due(0.15):
            raise Unreachable("no route")
        working = [
            OrderReport(cid, "accepted", f"v{cid}", order.filled, self._average(order))
            for cid, order in self.orders.items()
            if order.status == "accepted"
        ]
        self.seen = dict(self.positions)
        self.was_wrong = bool(self.seen) and not self.was_wrong and self._is_due(0.05)
        if self.was_wrong:  # one of its machines is behind
            del self.seen[self.chance.choice(list(self.seen))]
        return Snapshot(dict(self.seen), tuple(working))

    # --- what happens meanwhile ------------------------------------------------------------------------

    def arrive(self) -> None:
        """Let requests in that were on their way for a while."""
        due = [request for at, request in self.transit if at <= self.clock()]
        self.transit = [each for each in self.transit if each[0] > self.clock()]
        for request in due:
            try:
                self._judge([request])
            except BrokerRefused:
                continue
            self._put(request)

    def move(self, symbol: str, price: Decimal) -> None:
        """Move a price; what it reaches fills now, a part of it, or later."""
        self.prices[symbol] = price
        for order in list(self.orders.values()):
            reached = order.status == "accepted" and self._is_reached(order.request)
            if reached and order.request.instrument.symbol == symbol and not self._is_due(0.2):
                self._fill(order, self._some(order.leaves_quantity))

    def by_hand(self, holding: str) -> None:
        """Close what is held, or a part of it, as its owner may do at any time."""
        held = self.positions.get(holding, ZERO)
        symbol = next(s for s, i in self.instruments.items() if i.holding == holding)
        size = self._some(abs(held))
        if size == 0:
            return
        side = "sell" if held > 0 else "buy"
        fill = Fill(self._number(), "", side, size, self.prices[symbol], ZERO, "USDT", self.clock())
        self.executions.append((symbol, fill))
        self._hold(holding, -size if held > 0 else size)
        for order in self.orders.values():
            if order.status == "accepted" and order.request.instrument.symbol == symbol:
                self._end(order)

    def receipt(self, request: OrderRequest) -> OrderReport:
        """Return what is true of an order."""
        order = self.orders.get(request.client_id)
        if order is None:
            return OrderReport(request.client_id, "absent")
        status = order.status
        if status in ("cancelled", "expired") and order.filled > 0:
            status = "partly_filled"
        average = self._average(order)
        cid = request.client_id
        return OrderReport(
            *(cid, status, f"v{cid}", order.filled, average, tuple(order.fills)),
            quantity=order.request.quantity,
        )

    # --- how it lies -----------------------------------------------------------------------------------

    def _is_due(self, chance: float) -> bool:
        return not self.is_honest and self.chance.random() < chance

    def _may_be_gone(self) -> None:
        self.arrive()
        if self.is_gone and not self.is_honest:
            raise Unreachable("no route")

    def _refuse_or_lose(self, requests: list[OrderRequest], *, linked: bool = False) -> None:
        self._may_be_gone()
        for request in requests:
            self.placed.append((self.clock(), request))
        is_exit = requests[0].reduces and requests[0].order_type == "market"
        if self.loses_exits and is_exit:
            raise Unreachable("no route")
        if self.refuses_exits and is_exit:
            raise BrokerRefused("no exit is taken")
        if self._is_due(0.06):
            raise Unreachable("no route")
        if self._is_due(0.06):
            raise Uncertain("the request was lost")
        if self._is_due(0.06):
            raise BrokerRefused("not now")
        self._judge(requests)
        if not linked and self._is_due(0.05):
            self.transit.append((self.clock() + self.chance.randint(500, 4_000), requests[0]))
            raise Uncertain("no answer yet")

    def _judge(self, requests: list[OrderRequest]) -> None:
        """Refuse what no venue takes: a stop that is passed, more than is free, nothing to reduce."""
        for request in requests:
            price = self.prices[request.instrument.symbol]
            if request.order_type == "stop" and request.reduces and self._is_reached(request):
                raise BrokerRefused(f"the price is {price}", CROSSED)
        first = requests[0]
        held = self.positions.get(first.instrument.holding, ZERO)
        free = held - self._locked(first.instrument.holding)
        if "locks_balance" in self.capabilities and first.side == "sell" and first.quantity > free:
            raise BrokerRefused("insufficient balance", "INSUFFICIENT_BALANCE")
        if first.side == "buy" and first.instrument.quote in self.coins:
            coin = first.instrument.quote
            if first.quantity * self.prices[first.instrument.symbol] > self.positions.get(
                coin, ZERO
            ):
                raise BrokerRefused("insufficient balance", "INSUFFICIENT_BALANCE")
        if "reduce_only" in self.capabilities and first.reduces and self._room(first) <= 0:
            raise BrokerRefused("nothing to reduce", "NOTHING_LEFT")

    def _answer(self, request: OrderRequest) -> OrderReport:
        if self._is_due(0.1):
            raise Uncertain("the answer was lost")
        return self.receipt(request)

    # --- its books -------------------------------------------------------------------------------------

    def _put(self, request: OrderRequest, pair: str = "") -> None:
        order = self.orders[request.client_id] = Working(request, pair=pair)
        if request.order_type == "market":
            quantity = self._some(request.quantity) if self._is_due(0.2) else request.quantity
            self._fill(order, quantity)
            if order.status == "accepted":
                order.status = "expired"
        elif request.order_type == "limit" and self._is_reached(request):
            self._fill(order, self._some(request.quantity))

    def _fill(self, order: Working, quantity: Decimal) -> None:
        request = order.request
        if request.reduces and "reduce_only" in self.capabilities:
            quantity = min(quantity, self._room(request))
        if quantity <= 0:
            order.status = "expired"
            return
        price = self.prices[request.instrument.symbol]
        if request.order_type == "limit" and self.chance.random() < 0.7:  # else at a better price
            price = request.limit_price or price
        is_bought_spot = request.instrument.kind == "spot" and request.side == "buy"
        pays = request.instrument.quote
        fee, coin = quantity * price * self.fee_rate, pays if pays in self.coins else self.fee_coin
        if is_bought_spot:
            fee, coin = quantity * self.fee_rate, request.instrument.base
        fill = Fill(
            self._number(),
            request.client_id,
            request.side,
            quantity,
            price,
            fee,
            coin,
            self.clock(),
        )
        order.fills.append(fill)
        order.filled += quantity
        self.executions.append((request.instrument.symbol, fill))
        signed = quantity if request.side == "buy" else -quantity
        self._hold(request.instrument.holding, signed - (fee if is_bought_spot else ZERO))
        if pays in self.coins:
            self._hold(pays, -signed * price - (ZERO if is_bought_spot else fee))
        if "attached" in self.capabilities:
            self._grow_legs(order)
        if order.leaves_quantity == 0:
            order.status = "filled"
            self._activate(order)
        if self.positions.get(request.instrument.holding, ZERO) == 0:
            self._end_legs(request.instrument.holding)
        if order.pair and self.orders[order.pair].status == "accepted":
            self.orders[order.pair].status = "cancelled"

    def _grow_legs(self, order: Working) -> None:
        """Work what an entry brought in the size of what has filled of it, each by itself."""
        for leg in order.request.legs:
            known = self.orders.get(leg.client_id)
            sized = replace(leg, quantity=order.filled)
            if known is None:
                self.orders[leg.client_id] = Working(sized, attached=True)
            elif known.status == "accepted":
                known.request = sized

    def _end_legs(self, holding: str) -> None:
        """End what was attached to a position that is gone."""
        for order in self.orders.values():
            is_here = order.request.instrument.holding == holding
            if is_here and order.attached and order.status == "accepted":
                order.status = "cancelled"

    def _activate(self, order: Working) -> None:
        """Work what an entry brought, now that it has filled, or refuse both for want of balance."""
        if not order.request.legs or "attached" in self.capabilities:
            return
        stop, target = order.request.legs
        free = self.positions[stop.instrument.holding] - self._locked(stop.instrument.holding)
        is_short = "locks_balance" in self.capabilities and stop.quantity > free
        status = "refused" if is_short or self._is_due(0.1) else "accepted"
        for one, other in ((stop, target), (target, stop)):
            self.orders[one.client_id] = Working(one, status, pair=other.client_id)

    def _end(self, order: Working) -> None:
        order.status = "cancelled"
        if order.pair and self.orders[order.pair].status == "accepted":
            self.orders[order.pair].status = "cancelled"

    def _hold(self, holding: str, change: Decimal) -> None:
        self.positions[holding] = self.positions.get(holding, ZERO) + change

    def _room(self, request: OrderRequest) -> Decimal:
        held = self.positions.get(request.instrument.holding, ZERO)
        return max(ZERO, held if request.side == "sell" else -held)

    def _locked(self, holding: str) -> Decimal:
        """Return what working sales lock; the two of a pair lock the same."""
        sales = [
            order
            for order in self.orders.values()
            if order.status == "accepted"
            and order.request.side == "sell"
            and order.request.instrument.holding == holding
        ]
        alone = [o.leaves_quantity for o in sales if not o.pair or o.request.order_type != "limit"]
        return sum(alone, ZERO)

    def _is_reached(self, request: OrderRequest) -> bool:
        price, is_buy = self.prices[request.instrument.symbol], request.side == "buy"
        if request.order_type == "stop" and request.stop_price is not None:
            return price >= request.stop_price if is_buy else price <= request.stop_price
        if request.order_type == "limit" and request.limit_price is not None:
            return price <= request.limit_price if is_buy else price >= request.limit_price
        return False

    def _some(self, quantity: Decimal) -> Decimal:
        """Return all of it, or a part on the step."""
        if quantity <= STEP or self.is_honest or self.chance.random() < 0.7:
            return quantity
        return max(STEP, (quantity / 2).quantize(STEP))

    def _average(self, order: Working) -> Decimal | None:
        if not order.filled:
            return None
        return sum((f.quantity * f.price for f in order.fills), ZERO) / order.filled

    def _number(self) -> str:
        return f"t{len(self.executions) + 1}"
