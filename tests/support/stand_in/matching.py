"""Match orders against one price per market, and keep the account that they change.

It knows no venue: statuses are words of FIX, the kind of an order is only the venue's label, and what it
refuses it refuses with a reason that the venue puts into its own words. What an order does follows from
its numbers: with `stop` it waits until the price passes that level, with `price` it rests there, without
either it fills at the market. Spot locks what working orders need and takes fees in the coin received;
linear markets keep one net position each, against which what is reduce-only is cut.

There is no order book, so nobody is before anybody, and no liquidation.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

ZERO = Decimal(0)
OPEN = ("NEW", "PARTIALLY_FILLED", "PENDING_NEW")
"""PENDING_NEW: it waits for another order to fill."""


class Rejected(Exception):
    """The account or the market does not allow it; the text is a reason of `REASONS`."""


REASONS = ("closed", "balance", "margin", "reduce", "triggers", "takes", "duplicate", "gone")


@dataclass
class Market:
    """What is traded at one price."""

    symbol: str
    base: str
    quote: str
    price: Decimal
    tick: str = "0.01000000"
    step: str = "0.00001000"
    status: str = "TRADING"
    depth: Decimal | None = None
    """How much a market order finds; None: everything."""
    is_linear: bool = False


@dataclass
class Position:
    """What is held of a linear market; short below zero."""

    quantity: Decimal = ZERO
    entry: Decimal = ZERO
    leverage: int = 20
    margin: str = "CROSSED"
    changes: list[str] = field(default_factory=list)
    """What was set, in order."""


@dataclass
class Execution:
    """One fill of one order."""

    number: int
    order: Order
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_coin: str
    at: int
    profit: Decimal = ZERO
    """What closing a part of a linear position brought, before the fee."""


@dataclass
class Funding:
    """What holding a linear position paid; negative: cost."""

    number: int
    symbol: str
    coin: str
    amount: Decimal
    at: int


@dataclass
class Order:
    """One order."""

    market: Market
    client_id: str
    side: str
    """BUY or SELL."""
    kind: str
    """The venue's word."""
    quantity: Decimal
    price: Decimal = ZERO
    stop: Decimal = ZERO
    cash: Decimal = ZERO
    """How much of the quote to spend, in place of a quantity."""
    patience: str = "GTC"
    reduces: bool = False
    only_rests: bool = False
    """Whether it is refused where it would fill on arrival (post only)."""
    is_target: bool = False
    """Whether `stop` is passed from the side of profit: a sell when the price rises to it."""
    number: int = 0
    placed_at: int = 0
    changed_at: int = 0
    triggered_at: int = 0
    status: str = "NEW"
    executed: Decimal = ZERO
    worth: Decimal = ZERO
    group: int = -1
    """The list of linked orders that it belongs to."""
    locked: tuple[str, Decimal] | None = None
    """The coin and how much of it this order (or, for both legs, the first of a pair) locks."""
    reason: str = ""
    executions: list[Execution] = field(default_factory=list)

    @property
    def sign(self) -> int:
        """Which way it moves a position."""
        return 1 if self.side == "BUY" else -1

    @property
    def leaves(self) -> Decimal:
        """How much of it is still to be filled."""
        return self.quantity - self.executed

    @property
    def is_open(self) -> bool:
        """Whether more may become of it."""
        return self.status in OPEN

    @property
    def is_waiting(self) -> bool:
        """Whether the price has not passed its trigger yet."""
        return bool(self.stop) and not self.triggered_at

    @property
    def average(self) -> Decimal:
        """What was paid for one; 0 before it filled."""
        return self.worth / self.executed if self.executed else ZERO


class Matching:
    """One account, its orders and its markets. A test may read and set everything at any time."""

    def __init__(self, now: Callable[[], int]) -> None:
        self.now = now
        self.lock = threading.RLock()
        self.pairs: dict[str, Market] = {}
        self.free: dict[str, Decimal] = {}
        self.locked: dict[str, Decimal] = {}
        self.positions: dict[str, Position] = {}
        self.orders: list[Order] = []
        self.executions: list[Execution] = []
        self.funding: list[Funding] = []
        self.fee_rate = Decimal("0.001")
        self.fee_coin: str | None = None
        """Who else pays the fee (BNB); None: the coin received."""
        self.slices = 1
        """In how many executions a market order fills."""
        self.is_hedged = False
        """Whether the account keeps long and short apart; the venue refuses what names no side then."""
        self.is_stuck = False
        """Whether an order whose trigger was passed stays where it is."""
        self.first_order, self.first_execution = 1000, 5000
        self._groups = 0

    # What a test does.

    def set_price(self, symbol: str, price: Decimal | int | str) -> None:
        """Move the market: resting orders that it reaches fill, stops that it passes trigger."""
        with self.lock:
            market = self.pairs[symbol]
            market.price = Decimal(price)
            for order in list(self.orders):
                if order.market is market and order.status in ("NEW", "PARTIALLY_FILLED"):
                    self._meet(order)

    def fill(self, client_id: str, quantity: Decimal | int | str) -> None:
        """Execute a part of a resting order at its limit price."""
        with self.lock:
            order = next(o for o in self.orders if o.client_id == client_id and o.is_open)
            self._take(order, Decimal(quantity), order.price or order.market.price)

    def trade_by_hand(self, symbol: str, side: str, quantity: Decimal | int | str) -> Order:
        """Trade at the market as the account's owner does on the venue's page."""
        name = f"web_{len(self.orders)}"
        order = Order(self.pairs[symbol], name, side, "MARKET", Decimal(quantity))
        return self.submit(order)

    def pay_funding(self, symbol: str, amount: Decimal | int | str) -> None:
        """Pay funding for a linear position; negative: charge it."""
        with self.lock:
            coin, paid = self.pairs[symbol].quote, Decimal(amount)
            self._move(coin, paid)
            self.funding.append(Funding(len(self.funding), symbol, coin, paid, self.now()))

    def order(self, client_id: str) -> Order:
        """Return the newest order of a name."""
        return next(o for o in reversed(self.orders) if o.client_id == client_id)

    def working(self, symbol: str | None = None) -> list[tuple[str, str, Decimal, Decimal]]:
        """Return kind, side, open quantity and level of every order that works."""
        rows = [o for o in self.orders if o.is_open and symbol in (None, o.market.symbol)]
        return sorted((o.kind, o.side, o.leaves, o.stop or o.price) for o in rows)

    def position(self, symbol: str) -> Position:
        """Return what is held of a linear market."""
        return self.positions.setdefault(symbol, Position())

    def profit(self, symbol: str) -> Decimal:
        """Return what closing at the price would bring."""
        held = self.position(symbol)
        return (self.pairs[symbol].price - held.entry) * held.quantity

    def free_margin(self, coin: str) -> Decimal:
        """Return what may still be opened with: wallet and open profit without what positions bind."""
        free = self.free.get(coin, ZERO)
        for symbol, held in self.positions.items():
            if self.pairs[symbol].quote == coin:
                worth = abs(held.quantity) * self.pairs[symbol].price
                free += self.profit(symbol) - worth / held.leverage
        return free

    # What a venue does.

    def submit(self, order: Order) -> Order:
        """Take an order in and fill what fills at once. Raises `Rejected`."""
        with self.lock:
            self.check(order)
            self._secure(order)
            self._add(order)
            self._arrive(order)
            return order

    def submit_pair(self, one: Order, other: Order) -> list[Order]:
        """Take two orders in of which the first to trigger or fill ends the other. Raises `Rejected`."""
        with self.lock:
            self._check_names([one, other])
            self._secure(one)
            return self._add_group([one, other])

    def submit_entry(self, entry: Order, legs: list[Order]) -> list[Order]:
        """Take an entry in with orders that begin once it has filled. Raises `Rejected`."""
        with self.lock:
            self._check_names([entry, *legs])
            for leg in legs:
                leg.status = "PENDING_NEW"
            self._secure(entry)
            return self._add_group([entry, *legs])

    def cancel(self, order: Order) -> list[Order]:
        """End an order and what is linked to it. Raises `Rejected`."""
        with self.lock:
            if not order.is_open:
                raise Rejected("gone")
            ended = [order, *self.linked(order)]
            for each in ended:
                self.end(each, "CANCELED")
            return ended

    def amend(self, order: Order, **changes: Decimal) -> Order:
        """Change quantity, price or stop of a working order; what it locks follows. Raises `Rejected`."""
        with self.lock:
            if not order.is_open or changes.get("quantity", order.quantity) <= order.executed:
                raise Rejected("gone")
            before = {name: getattr(order, name) for name in changes}
            self._release(order)
            try:
                vars(order).update(changes)
                self._secure(order)
            except Rejected:
                vars(order).update(before)
                self._secure(order)
                raise
            order.changed_at = self.now()
            self._meet(order)
            return order

    def check(self, order: Order) -> None:
        """Refuse what would trigger at once, what would take though it may not, and a name that works."""
        if order.market.status != "TRADING":
            raise Rejected("closed")
        if order.is_waiting and self.is_passed(order):
            raise Rejected("triggers")
        if order.only_rests and self.is_reached(order):
            raise Rejected("takes")
        self._check_names([order])

    def linked(self, order: Order) -> list[Order]:
        """Return the rest of an order's list that is still open."""
        if order.group < 0:
            return []
        return [o for o in self.orders if o.group == order.group and o is not order and o.is_open]

    def is_reached(self, order: Order) -> bool:
        """Whether the price stands at the limit or beyond it."""
        price = order.market.price
        return price <= order.price if order.side == "BUY" else price >= order.price

    def is_passed(self, order: Order) -> bool:
        """Whether the price stands at the trigger or beyond it."""
        price, rises = order.market.price, (order.side == "BUY") != order.is_target
        return price >= order.stop if rises else price <= order.stop

    def end(self, order: Order, status: str) -> None:
        """End an order; the leg that stays takes over what both stood on."""
        if status == "EXPIRED" and order.locked:
            for heir in self.linked(order):
                heir.locked = heir.locked or order.locked
                order.locked = None
                break
        self._release(order)
        order.status, order.changed_at = status, self.now()

    # What becomes of orders.

    def _check_names(self, orders: list[Order]) -> None:
        names = [order.client_id for order in orders]
        taken = {o.client_id for o in self.orders if o.is_open}
        if len(set(names)) != len(names) or taken & set(names):
            raise Rejected("duplicate")

    def _add(self, order: Order) -> None:
        order.number = self.first_order + len(self.orders)
        order.placed_at = order.changed_at = self.now()
        self.orders.append(order)

    def _add_group(self, orders: list[Order]) -> list[Order]:
        self._groups += 1
        for order in orders:
            order.group = self._groups
            self._add(order)
        self._arrive(orders[0])
        return orders

    def _secure(self, order: Order) -> None:
        """Lock what an order on spot needs, or see that a linear one may open or has something to reduce."""
        market, each = order.market, order.price or order.stop or order.market.price
        if not market.is_linear:
            coin, amount = market.base, order.leaves
            if order.side == "BUY":
                coin, amount = market.quote, order.cash or order.leaves * each
            if self.free.get(coin, ZERO) < amount:
                raise Rejected("balance")
            self._move(coin, -amount, amount)
            order.locked = (coin, amount)
            return
        if order.is_waiting:
            return
        against = self._against(order)
        if order.reduces and not against:
            raise Rejected("reduce")
        opens = ZERO if order.reduces else max(order.leaves - against, ZERO)
        if opens * each / self.position(market.symbol).leverage > self.free_margin(market.quote):
            raise Rejected("margin")

    def _against(self, order: Order) -> Decimal:
        """Return how much of a linear position an order can close."""
        return max(-self.position(order.market.symbol).quantity * order.sign, ZERO)

    def _move(self, coin: str, free: Decimal, locked: Decimal = ZERO) -> None:
        self.free[coin] = self.free.get(coin, ZERO) + free
        self.locked[coin] = self.locked.get(coin, ZERO) + locked

    def _release(self, order: Order) -> None:
        if order.locked:
            coin, amount = order.locked
            self._move(coin, amount, -amount)
            order.locked = None

    def _arrive(self, order: Order) -> None:
        if order.is_waiting:
            return
        if not order.price:
            self._fill_at_market(order)
            return
        if not order.only_rests and self.is_reached(order):
            self._take(order, order.leaves, order.market.price)
        if order.patience in ("IOC", "FOK") and order.is_open:
            self.end(order, "EXPIRED")

    def _meet(self, order: Order) -> None:
        if order.is_waiting:
            if self.is_stuck or not self.is_passed(order):
                return
            order.triggered_at = order.changed_at = self.now()
            for other in self.linked(order):
                self.end(other, "EXPIRED")
            if order.market.is_linear and order.reduces and not self._against(order):
                self.end(order, "EXPIRED")
                return
            if not order.price:
                self._fill_at_market(order)
                return
        if order.price and self.is_reached(order):
            self._take(order, order.leaves, order.price)

    def _fill_at_market(self, order: Order) -> None:
        market, step = order.market, Decimal(order.market.step)
        if order.cash:
            order.quantity = order.cash / market.price // step * step
        found = order.quantity if market.depth is None else min(order.quantity, market.depth)
        for number in range(self.slices if found else 0):
            last = number == self.slices - 1
            part = order.quantity / self.slices // step * step
            self._take(order, found - order.executed if last else part, market.price)
        if order.is_open:
            order.reason = "INSUFFICIENT_LIQUIDITY"
            self.end(order, "EXPIRED")

    def _take(self, order: Order, quantity: Decimal, price: Decimal) -> None:
        """Fill a part; what is reduce-only never more than there is to reduce, and its rest expires."""
        if order.market.is_linear and order.reduces and self._against(order) < quantity:
            quantity = self._against(order)
            if quantity:
                self._execute(order, quantity, price)
            self.end(order, "EXPIRED")
        elif quantity > 0:
            self._execute(order, quantity, price)

    def _execute(self, order: Order, quantity: Decimal, price: Decimal) -> None:
        book = self._book_linear if order.market.is_linear else self._book_spot
        fee, coin, profit = book(order, quantity, price)
        number = self.first_execution + len(self.executions)
        done = Execution(number, order, quantity, price, fee, coin, self.now(), profit)
        self.executions.append(done)
        order.executions.append(done)
        order.executed += quantity
        order.worth += quantity * price
        order.changed_at = self.now()
        order.status = "FILLED" if not order.leaves else "PARTIALLY_FILLED"
        if order.status == "FILLED":
            self._release(order)
            self._go_on(order)

    def _book_spot(
        self, order: Order, quantity: Decimal, price: Decimal
    ) -> tuple[Decimal, str, Decimal]:
        market, worth = order.market, quantity * price
        holder = order if order.locked else next((o for o in self.linked(order) if o.locked), None)
        if holder and holder.locked:
            coin, amount = holder.locked
            used = min(amount, quantity if order.side == "SELL" else worth)
            holder.locked = (coin, amount - used)
            self._move(coin, ZERO, -used)
        coin, received = (market.base, quantity) if order.side == "BUY" else (market.quote, worth)
        fee = received * self.fee_rate
        self._move(coin, received - (fee if self.fee_coin is None else ZERO))
        return fee, self.fee_coin or coin, ZERO

    def _book_linear(
        self, order: Order, quantity: Decimal, price: Decimal
    ) -> tuple[Decimal, str, Decimal]:
        held, coin = self.position(order.market.symbol), order.market.quote
        closing = min(quantity, self._against(order))
        profit = closing * (price - held.entry) * -order.sign
        fee = quantity * price * self.fee_rate
        self._move(coin, profit - fee)
        kept, opening = abs(held.quantity) if not closing else ZERO, quantity - closing
        if opening:
            held.entry = (held.entry * kept + price * opening) / (kept + opening)
        held.quantity += quantity * order.sign
        return fee, coin, profit

    def _go_on(self, order: Order) -> None:
        """After an order has filled: start what waited for it, or end the other leg."""
        others = self.linked(order)
        waiting = [o for o in others if o.status == "PENDING_NEW"]
        if not waiting:
            for other in others:
                self.end(other, "EXPIRED")
            return
        try:
            self._secure(waiting[0])
        except Rejected:
            for leg in waiting:
                self.end(leg, "EXPIRED")
            return
        for leg in waiting:
            leg.status = "NEW"
