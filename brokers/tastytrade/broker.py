"""Trade equities and futures at Tastytrade, live and sandbox.

An accepted order is routed, not filled: what became of it is read back, by our client id after a lost
answer. There is no reduce-only for futures, so the desk reads the position before an exit. Outside hours the
venue itself refuses; no calendar is kept here.

Source: developer.tastytrade.com, "Orders and order types", "Idempotency and retries", release notes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from brokers.instruments import futures
from brokers.instruments.symbols import canonical
from brokers.protocol import (
    NOT_PERMITTED,
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
from brokers.tastytrade.errors import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN
from brokers.tastytrade.instruments import PRICE_SECONDS, Instruments, any_number
from brokers.tastytrade.orders import STATES, read_order, write_order, write_pair
from brokers.tastytrade.session import LIVE_URL, SANDBOX_URL, TastytradeCalls
from brokers.wire.deadline import Deadline
from brokers.wire.fields import require, require_rows, require_text
from brokers.wire.lookups import (
    Remembered,
    VenueOrder,
    check_echo,
    describe_failure,
    judge_found,
    write_receipt,
)

ORDER_SECONDS, LOOK_SECONDS, READ_SECONDS = 7.5, 3.0, 5.0
READ_BACK_SECONDS = (0.05, 0.15, 0.35, 0.7)
EQUITY_SECONDS = 30.0
LOOK_BACK_DAYS, PAGE, MOST_PAGES = 60, 200, 20


class Tastytrade:
    """One account at Tastytrade. Raises only `BrokerRefused`, `Unreachable` and `Uncertain`."""

    facts = VenueFacts(
        needs=(CLIENT_SECRET, REFRESH_TOKEN),
        markets=("equity", "futures"),
        currency="USD",
        live_hosts=("api.tastyworks.com",),
        capabilities=frozenset({"oco", "prices"}),
        poll_seconds=2.0,  # no quota is published; this is two requests in two seconds
        takes=dict.fromkeys(("", "equity", "futures"), frozenset({"account"})),
        optional=(CLIENT_ID,),
        mixes=True,
    )
    rest_seconds = 0.0

    def __init__(
        self,
        name: str,
        connection: Connection,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self._wanted = connection.account
        self._url = connection.base_url or (SANDBOX_URL if connection.sandbox else LIVE_URL)
        self._now = now_ms
        self._sleep = sleep
        self._calls = TastytradeCalls(self._url, connection, lambda: now_ms() / 1000)
        self._instruments = Instruments(self._calls, connection.roll_days)
        self._account: str | None = None
        self._numbers: Remembered[str, str] = Remembered()
        """Tastytrade's number of each order by our client id."""
        self._pairs: Remembered[str, str] = Remembered()
        """The number of the complex order that an order is a part of."""
        self._sent: Remembered[str, int] = Remembered()
        self._equity: tuple[float, Decimal | None] = (-EQUITY_SECONDS, None)

    def open(self) -> None:
        """Connect, buy a token and find the account ahead of the first order. Raises nothing."""
        try:
            self._calls.open()
            self._require_account(Deadline.after(READ_SECONDS))
        except (BrokerRefused, Unreachable, Uncertain):
            return

    def instrument(self, symbol: str) -> Instrument:
        """Return the rules of a TradingView symbol. Raises `BrokerRefused` where it is not traded here."""
        return self._instruments.find(symbol, self._today)

    def price(self, symbol: str) -> Decimal | None:
        """Return the last price, or None where it is not told within half a second."""
        name = symbol
        if not symbol.startswith("/"):
            name = canonical(symbol, self._today)
            dated = futures.read_contract(name, self._today)
            if futures.read_continuous(name) is not None:
                return None  # it is told of a contract
            name = f"/{dated.short}" if dated else name.replace(".", "/")
        return self.prices([name]).get(name)

    def prices(self, symbols: Collection[str]) -> dict[str, Decimal]:
        """Return the last price of each of Tastytrade's own names, asked for at once."""
        try:
            return self._instruments.prices(symbols, Deadline.after(PRICE_SECONDS))
        except (BrokerRefused, Unreachable, Uncertain):
            return {}

    def place_order(self, request: OrderRequest) -> OrderReport:
        """Open with one order. Raises `BrokerRefused`, `Unreachable` or `Uncertain`."""
        if request.legs:
            text = "Protection at Tastytrade follows the fill: an order is not sent with legs."
            raise BrokerRefused(text, UNSUPPORTED)
        return self._place(request)

    def close(self, request: OrderRequest) -> OrderReport:
        """Reduce with one order that may only close. Raises as `place_order`."""
        return self._place(request)

    def protect(self, requests: tuple[OrderRequest, ...]) -> tuple[OrderReport, ...]:
        """Place a stop and a target that end one another. Raises as `place_order`."""
        deadline = Deadline.after(ORDER_SECONDS)
        data = self._send("complex-orders", write_pair(requests), requests, deadline)
        pair = data.get("complex-order") if isinstance(data, dict) else None
        number = str(require(pair, "id", int))
        found = {}
        for order, fills in map(read_order, require_rows(require(pair, "orders", list))):
            self._note(order, number)
            found[order.client_id] = order, fills
        for request in requests:
            check_echo(request, found[request.client_id][0] if request.client_id in found else None)
        return tuple(
            write_receipt(*found[request.client_id], request, self._venue_now)
            for request in requests
        )

    def cancel(self, request: OrderRequest) -> OrderReport:
        """Cancel a working order, and with one leg of a pair the pair. Raises as `place_order`."""
        deadline = Deadline.after(ORDER_SECONDS)
        account = self._know_account(deadline)
        row = self._find_row(request.client_id, deadline)
        if row is None:
            raise Uncertain("Tastytrade does not show the order that was to be cancelled")
        order, _ = read_order(row)
        pair = self._pairs.get(request.client_id)
        path = f"complex-orders/{pair}" if pair else f"orders/{order.order_id}"
        target = f"/accounts/{quote(account)}/{path}"
        self._calls.send("DELETE", target, None, deadline, is_urgent=True)
        return self._read_back(request, deadline)

    def find_order(self, request: OrderRequest) -> OrderReport:
        """Look an order up by its client id among the account's orders, and those that are linked."""
        return self._look_up(request, Deadline.after(LOOK_SECONDS))

    def fills(self, since: int, symbols: Iterable[str]) -> tuple[Fill, ...]:
        """Return the executions since a time, whoever placed their orders."""
        deadline, wanted = Deadline.after(READ_SECONDS), set(symbols)
        # Its day is New York's.
        first = datetime.fromtimestamp(since / 1000, UTC).date() - timedelta(days=1)
        found: list[Fill] = []
        for row in self._list_orders(first, deadline):
            order, fills = read_order(row)
            if order.symbol in wanted:
                found += [fill for fill in fills if fill.at >= since]
        return tuple(found)

    def snapshot(self) -> Snapshot:
        """Return positions, working orders with what of them has filled, and equity."""
        deadline = Deadline.after(READ_SECONDS)
        account = quote(self._require_account(deadline))
        positions: dict[str, Decimal] = {}
        for row in _items(self._calls.read(f"/accounts/{account}/positions", deadline)):
            sign = {"Long": 1, "Short": -1, "Zero": 0}.get(require_text(row, "quantity-direction"))
            if sign is None:
                raise Uncertain("Tastytrade's answer cannot be read: a position of no direction")
            name = require_text(row, "symbol")
            held = sign * any_number(row, "quantity")
            positions[name] = positions.get(name, Decimal(0)) + held
        working = []
        for row in _items(self._calls.read(f"/accounts/{account}/orders/live", deadline)):
            if STATES.get(require_text(row, "status")) != "accepted":
                continue
            order, fills = read_order(row)
            self._note(order, _pair_of(row))
            working.append(
                OrderReport(
                    order.client_id, "accepted", order.order_id, order.executed, None, fills
                )
            )
        return Snapshot(positions, tuple(working), self._read_equity(account, deadline))

    def check(self) -> Check:
        """Ask whether the grant is good and what the account holds; asks for no second token."""
        deadline = Deadline.after(READ_SECONDS)
        try:
            account = self._require_account(deadline)
            equity = self._ask_equity(quote(account), deadline)
        except (BrokerRefused, Unreachable, Uncertain) as error:
            return describe_failure(self._url, "Tastytrade", error, None)
        return Check(may_trade=True, balance={"USD": equity})

    # --- placing -------------------------------------------------------------------------------------

    @property
    def _venue_now(self) -> int:
        """Tastytrade's clock: by one that is off by minutes our own orders would seem to be others."""
        told = self._calls.wire.venue_ms
        return self._now() if told is None else told

    @property
    def _today(self) -> date:
        return datetime.fromtimestamp(self._now() / 1000, UTC).date()

    def _place(self, request: OrderRequest) -> OrderReport:
        deadline = Deadline.after(ORDER_SECONDS)
        data = self._send("orders", write_order(request), (request,), deadline)
        order, fills = read_order(data.get("order") if isinstance(data, dict) else None)
        check_echo(request, order)
        self._note(order, "")
        report = write_receipt(order, fills, request, self._venue_now)
        if report.status != "accepted" or request.order_type != "market":
            return report
        return self._read_back(request, deadline)

    def _send(
        self, what: str, body: Any, requests: tuple[OrderRequest, ...], deadline: Deadline
    ) -> Any:
        account = self._know_account(deadline)
        for request in requests:
            self._sent.note(request.client_id, self._venue_now)
        urgent, target = requests[0].reduces, f"/accounts/{quote(account)}/{what}"
        return self._calls.send("POST", target, body, deadline, is_urgent=urgent)

    def _read_back(self, request: OrderRequest, deadline: Deadline) -> OrderReport:
        """Return what became of an order that was routed. What cannot be read is `Uncertain`."""
        report: OrderReport | None = None
        for pause in READ_BACK_SECONDS:
            if deadline.is_over or (report is not None and report.status != "accepted"):
                break
            self._sleep(pause)
            try:
                report = self._look_up(request, deadline)
            except Uncertain as doubt:
                if doubt.code == WRONG_ORDER:
                    raise
            except (BrokerRefused, Unreachable):
                break  # it exists, and is looked up
        if report is None or report.status == "absent":
            raise Uncertain("Tastytrade took the order and did not tell what became of it")
        return report

    # --- looking -------------------------------------------------------------------------------------

    def _look_up(self, request: OrderRequest, deadline: Deadline) -> OrderReport:
        row = self._find_row(request.client_id, deadline)
        if row is None:
            return OrderReport(request.client_id, "absent")
        order, fills = read_order(row)
        other = judge_found(request, order, self._sent.get(request.client_id), "Tastytrade")
        return other or write_receipt(order, fills, request, self._venue_now)

    def _find_row(self, client_id: str, deadline: Deadline) -> Any:
        """Return the row of an order by its client id; None where no list has it."""
        account = quote(self._require_account(deadline))
        number = self._numbers.get(client_id)
        if number is not None:
            try:
                return self._calls.read(f"/accounts/{account}/orders/{number}", deadline)
            except BrokerRefused as no:
                if no.code != ORDER_UNKNOWN:
                    raise
        for row in self._list_everything(account, deadline):
            if row.get("external-identifier") == client_id:
                order, _ = read_order(row)
                self._note(order, _pair_of(row))
                return row
        return None

    def _list_everything(self, account: str, deadline: Deadline) -> Iterator[Any]:
        """Yield the orders of the last weeks, and the parts of linked ones with the number of the pair."""
        yield from self._list_orders(self._today - timedelta(days=LOOK_BACK_DAYS), deadline)
        for pair in self._list_pages(f"/accounts/{account}/complex-orders?", deadline):
            number = require(pair, "id", int)
            for row in require_rows(pair.get("orders")):
                yield {**row, "complex-order-id": number}

    def _list_orders(self, first: date, deadline: Deadline) -> Iterator[Any]:
        """Yield the account's orders since a day, newest first, page by page."""
        account = quote(self._require_account(deadline))
        target = f"/accounts/{account}/orders?start-date={first}&sort=Desc&"
        yield from self._list_pages(target, deadline)

    def _list_pages(self, target: str, deadline: Deadline) -> Iterator[Any]:
        """Yield the rows of a list page by page. Raises `Uncertain` where it goes on behind the last one.

        A list that was cut off proves of no order that it is not there.
        """
        for page in range(MOST_PAGES):
            where = f"{target}per-page={PAGE}&page-offset={page}"
            rows = _items(self._calls.read(where, deadline))
            yield from rows
            if len(rows) < PAGE:
                return
        raise Uncertain("Tastytrade lists more orders than can be read at once")

    def _note(self, order: VenueOrder, pair: str) -> None:
        if order.client_id:
            self._numbers.note(order.client_id, order.order_id)
            if pair:
                self._pairs.note(order.client_id, pair)

    # --- the account ---------------------------------------------------------------------------------

    def _require_account(self, deadline: Deadline) -> str:
        if self._account is None:
            rows = _items(self._calls.read("/customers/me/accounts", deadline))
            self._account = self._choose(rows)
        return self._account

    def _know_account(self, deadline: Deadline) -> str:
        """Return the account before an order has left: no order stands behind an answer that fails here."""
        try:
            return self._require_account(deadline)
        except Uncertain as failed:
            raise Unreachable(f"Tastytrade did not tell its accounts: {failed}") from failed

    def _choose(self, rows: list[Any]) -> str:
        """Return the account that was named, or the only one that may trade."""
        usable = []
        for row in rows:
            account = require(row, "account", dict)
            level = row.get("authority-level")
            if account.get("is-closed") is not True and level not in ("read-only", "no-access"):
                usable.append(require_text(account, "account-number"))
        if self._wanted in usable:
            return str(self._wanted)
        if self._wanted is None and len(usable) == 1:
            return usable[0]
        why = f"has no account {self._wanted}" if self._wanted else "does not say which account"
        text = (
            f"This grant at Tastytrade {why} for {self.name}. There are: "
            f"{', '.join(sorted(usable)) or 'none that may trade'}. Write accounts.{self.name}.account in "
            "config.yaml with the number of one."
        )
        raise BrokerRefused(text, NOT_PERMITTED)

    def _read_equity(self, account: str, deadline: Deadline) -> Decimal | None:
        """Return what the account is worth, asked at most twice a minute; None where it is not told.

        Positions and orders are read on without it: exits wait for them.
        """
        read_at, equity = self._equity
        now = self._now() / 1000
        if now - read_at >= EQUITY_SECONDS:
            try:
                equity = self._ask_equity(account, deadline)
            except (BrokerRefused, Unreachable, Uncertain):
                equity = None
            self._equity = (now, equity)
        return equity

    def _ask_equity(self, account: str, deadline: Deadline) -> Decimal:
        data = self._calls.read(f"/accounts/{account}/balances", deadline)
        return any_number(data, "net-liquidating-value")


def _items(data: Any) -> list[Any]:
    return require_rows(data.get("items") if isinstance(data, dict) else None)


def _pair_of(row: Any) -> str:
    number = row.get("complex-order-id")
    return str(number) if isinstance(number, int) and not isinstance(number, bool) else ""
