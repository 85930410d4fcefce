"""Trade futures at Tradovate, live and demo.

Placing an order only says that it was received: what became of it is read back, by our client id after a
lost answer. There is no reduce-only, so the desk reads the position before an exit; there is no quote, so
the alert's price counts.

Source: Tradovate Partner OpenAPI of 2026-08-21 and its FAQ on limits and accounts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from brokers.protocol import (
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
from brokers.tradovate.accounts import find_account
from brokers.tradovate.contracts import Contracts
from brokers.tradovate.errors import ACCESS_TOKEN, CID, PASSWORD, SECRET, USERNAME
from brokers.tradovate.orders import (
    STATES,
    read_fill,
    read_order,
    read_order_id,
    read_time,
    write_order,
    write_pair,
)
from brokers.tradovate.session import DEMO_URL, LIVE_URL, share_calls
from brokers.wire.deadline import Deadline
from brokers.wire.fields import require, require_number, require_rows, require_text
from brokers.wire.lookups import Remembered, describe_failure, judge_found, write_receipt

ORDER_SECONDS, LOOK_SECONDS, READ_SECONDS = 7.5, 3.0, 5.0
READ_BACK_SECONDS = (0.0, 0.15, 0.35, 0.7)
"""The pauses before each look at a market order that was received and may be filled any moment."""
EQUITY_SECONDS = 30.0


class Tradovate:
    """One account at Tradovate. Raises only `BrokerRefused`, `Unreachable` and `Uncertain`."""

    facts = VenueFacts(
        needs=(USERNAME, PASSWORD, CID, SECRET),
        markets=("futures",),
        currency="USD",
        live_hosts=("live.tradovateapi.com",),
        capabilities=frozenset({"oco"}),
        # Three requests a snapshot: at this pace they are half of the 5,000 that an hour allows.
        poll_seconds=4.5,
        takes=dict.fromkeys(("", "futures"), frozenset({"account", "host"})),
        optional=(ACCESS_TOKEN,),
        instead=(ACCESS_TOKEN,),
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
        # An evaluation lives on the demo host and is money all the same: `host` says where, not what it is.
        is_demo = connection.host == "demo" or (connection.host is None and connection.sandbox)
        self._url = connection.base_url or (DEMO_URL if is_demo else LIVE_URL)
        self._now = now_ms
        self._sleep = sleep
        self._calls = share_calls(self._url, connection, now_ms, sleep)
        self._contracts = Contracts(self._calls, connection.roll_days)
        self._account: tuple[int, str] | None = None
        self._numbers: Remembered[str, int] = Remembered()
        """Tradovate's number of each order by our client id."""
        self._names: Remembered[int, str] = Remembered()
        self._sent: Remembered[str, int] = Remembered()
        self._equity: tuple[float, Decimal | None] = (-EQUITY_SECONDS, None)

    def open(self) -> None:
        """Connect, log in and find the account ahead of the first order. Raises nothing."""
        try:
            self._calls.open()
            self._require_account(Deadline.after(READ_SECONDS))
        except (BrokerRefused, Unreachable, Uncertain):
            return

    def instrument(self, symbol: str) -> Instrument:
        """Return the rules of a TradingView symbol. Raises `BrokerRefused` where it is no contract there."""
        today = datetime.fromtimestamp(self._now() / 1000, UTC).date()
        return self._contracts.find(symbol, today, Deadline.after(READ_SECONDS))

    def price(self, symbol: str) -> Decimal | None:
        """Return nothing: Tradovate tells no price over REST, the alert's own counts."""
        return None

    def place_order(self, request: OrderRequest) -> OrderReport:
        """Open with one order. Raises `BrokerRefused`, `Unreachable` or `Uncertain`."""
        if request.legs:
            text = "Protection at Tradovate follows the fill: an order is not sent with legs."
            raise BrokerRefused(text, UNSUPPORTED)
        return self._place(request)

    def close(self, request: OrderRequest) -> OrderReport:
        """Reduce with one order; the desk has read the position before. Raises as `place_order`."""
        return self._place(request)

    def protect(self, requests: tuple[OrderRequest, ...]) -> tuple[OrderReport, ...]:
        """Place a stop and a target that end one another. Raises as `place_order`."""
        deadline = Deadline.after(ORDER_SECONDS)
        body = write_pair(requests, self._know_account(deadline))
        data = self._send("/order/placeoco", body, requests, deadline)
        numbers = (read_order_id(data), read_order_id(data, "ocoId"))
        for request, number in zip(requests, numbers, strict=True):
            self._note(request.client_id, number)
        return tuple(
            OrderReport(request.client_id, "accepted", str(number))
            for request, number in zip(requests, numbers, strict=True)
        )

    def cancel(self, request: OrderRequest) -> OrderReport:
        """Cancel a working order; what became of it is read back. Raises as `place_order`."""
        deadline = Deadline.after(ORDER_SECONDS)
        number = self._find_number(request, deadline)
        if number is None:
            raise Uncertain("Tradovate does not show the order that was to be cancelled")
        body = {"orderId": number, "isAutomated": True}
        require(
            self._calls.send("/order/cancelorder", body, deadline, is_urgent=True), "commandId", int
        )
        return self._read_back(request, number, deadline)

    def find_order(self, request: OrderRequest) -> OrderReport:
        """Look an order up by its client id, which stands on the command that made it."""
        deadline = Deadline.after(LOOK_SECONDS)
        number = self._find_number(request, deadline)
        if number is None:
            return OrderReport(request.client_id, "absent")
        return self._read_order(request, number, deadline)

    def fills(self, since: int, symbols: Iterable[str]) -> tuple[Fill, ...]:
        """Return the executions since a time, whoever placed their orders."""
        deadline = Deadline.after(READ_SECONDS)
        rows = require_rows(self._calls.read("/fill/list", deadline))
        ids = {self._contracts.id_of(symbol, deadline) for symbol in symbols}
        late = [
            row
            for row in rows
            if read_time(row, "timestamp") >= since and require(row, "contractId", int) in ids
        ]
        if any(require(row, "orderId", int) not in self._names for row in late):
            self._learn_names(deadline)
        return tuple(read_fill(row, self._names.get(row["orderId"]) or "") for row in late)

    def snapshot(self) -> Snapshot:
        """Return positions, working orders with what of them has filled, and equity."""
        deadline = Deadline.after(READ_SECONDS)
        account, _ = self._require_account(deadline)
        positions: dict[str, Decimal] = {}
        for row in require_rows(self._calls.read("/position/list", deadline)):
            held = require_number(row, "netPos")
            if require(row, "accountId", int) == account and held:
                name = self._contracts.name_of(require(row, "contractId", int), deadline)
                positions[name] = positions.get(name, Decimal(0)) + held
        working = self._read_working(account, deadline)
        return Snapshot(positions, working, self._read_equity(account, deadline))

    def check(self) -> Check:
        """Ask whether the login is good and what the account holds; never logs in again after a refusal."""
        deadline = Deadline.after(READ_SECONDS)
        try:
            account, _ = self._require_account(deadline)
            equity = self._ask_equity(account, deadline)
        except (BrokerRefused, Unreachable, Uncertain) as error:
            return describe_failure(self._url, "Tradovate", error, None)
        return Check(may_trade=True, balance={"USD": equity})

    @property
    def _venue_now(self) -> int:
        """Tradovate's clock: by one that is off by minutes our own orders would seem to be others."""
        told = self._calls.wire.venue_ms
        return self._now() if told is None else told

    # --- placing -------------------------------------------------------------------------------------

    def _place(self, request: OrderRequest) -> OrderReport:
        deadline = Deadline.after(ORDER_SECONDS)
        body = write_order(request, self._know_account(deadline))
        data = self._send("/order/placeorder", body, (request,), deadline)
        number = read_order_id(data)
        self._note(request.client_id, number)
        return self._read_back(request, number, deadline)

    def _send(
        self,
        path: str,
        body: dict[str, Any],
        requests: tuple[OrderRequest, ...],
        deadline: Deadline,
    ) -> Any:
        for request in requests:
            self._sent.note(request.client_id, self._venue_now)
        return self._calls.send(path, body, deadline, is_urgent=requests[0].reduces)

    def _read_back(self, request: OrderRequest, number: int, deadline: Deadline) -> OrderReport:
        """Return what became of an order that was received: it may be filled, or rejected, any moment.

        What cannot be read back exists all the same: `Uncertain`, and it is looked up.
        """
        report: OrderReport | None = None
        pauses = READ_BACK_SECONDS if request.order_type == "market" else READ_BACK_SECONDS[:2]
        for pause in pauses:
            if deadline.is_over or (report is not None and report.status != "accepted"):
                break
            self._sleep(pause)
            try:
                report = self._read_order(request, number, deadline)
            except Uncertain as doubt:
                if doubt.code == WRONG_ORDER:
                    raise
            except (BrokerRefused, Unreachable):
                break  # it exists, and is looked up
        if report is None or report.status == "absent":
            raise Uncertain("Tradovate took the order and did not tell what became of it")
        return report

    # --- looking -------------------------------------------------------------------------------------

    def _find_number(self, request: OrderRequest, deadline: Deadline) -> int | None:
        """Return Tradovate's number of an order, or None where the list of commands does not have it."""
        number = self._numbers.get(request.client_id)
        if number is None:
            self._learn_names(deadline)
            number = self._numbers.get(request.client_id)
        return number

    def _learn_names(self, deadline: Deadline) -> None:
        """Read which order each of our client ids has become."""
        for row in require_rows(self._calls.read("/command/list", deadline)):
            name = row.get("clOrdId") if isinstance(row, dict) else None
            number = require(row, "orderId", int)
            if row.get("commandType") != "New":
                continue
            if isinstance(name, str) and name:
                self._note(name, number)
            else:  # somebody else's: it is not asked for again at each read
                self._names.note(number, "")

    def _note(self, client_id: str, number: int) -> None:
        self._numbers.note(client_id, number)
        self._names.note(number, client_id)

    def _read_order(self, request: OrderRequest, number: int, deadline: Deadline) -> OrderReport:
        """Read one order with its versions and executions. Raises `Uncertain`."""
        order = self._calls.read(f"/order/item?id={number}", deadline)
        if require(order, "id", int) != number:
            raise Uncertain("Tradovate answered about another order", WRONG_ORDER)
        name = self._contracts.name_of(require(order, "contractId", int), deadline)
        versions = require_rows(self._calls.read(f"/orderVersion/deps?masterid={number}", deadline))
        rows = require_rows(self._calls.read(f"/fill/deps?masterid={number}", deadline))
        fills = tuple(read_fill(row, request.client_id) for row in rows)
        found = read_order(order, versions, fills, request.client_id, name)
        other = judge_found(request, found, self._sent.get(request.client_id), "Tradovate")
        if other is not None:
            return other
        report = write_receipt(found, fills, request, self._venue_now)
        if report.status == "refused" and report.message is None:
            return self._explain(report, number, deadline)
        return report

    def _explain(self, report: OrderReport, number: int, deadline: Deadline) -> OrderReport:
        """Add why an order was rejected, in the words of its command."""
        try:
            for command in require_rows(
                self._calls.read(f"/command/deps?masterid={number}", deadline)
            ):
                target = f"/commandReport/deps?masterid={require(command, 'id', int)}"
                for row in require_rows(self._calls.read(target, deadline)):
                    text, reason = row.get("text"), row.get("rejectReason")
                    if text or reason:
                        said = f"Tradovate rejected the order: {text or reason}."
                        return replace(report, message=said)
        except (BrokerRefused, Unreachable, Uncertain):
            pass
        return report

    def _know_account(self, deadline: Deadline) -> tuple[int, str]:
        """Return the account before an order has left: no order stands behind an answer that fails here."""
        try:
            return self._require_account(deadline)
        except Uncertain as failed:
            raise Unreachable(f"Tradovate did not tell its accounts: {failed}") from failed

    # --- reading -------------------------------------------------------------------------------------

    def _require_account(self, deadline: Deadline) -> tuple[int, str]:
        if self._account is None:
            rows = require_rows(self._calls.read("/account/list", deadline))
            self._account = find_account(rows, self._wanted, self.name)
        return self._account

    def _read_working(self, account: int, deadline: Deadline) -> tuple[OrderReport, ...]:
        rows = [
            row
            for row in require_rows(self._calls.read("/order/list", deadline))
            if require(row, "accountId", int) == account
            and STATES.get(require_text(row, "ordStatus")) == "accepted"
        ]
        if not rows:
            return ()
        if any(require(row, "id", int) not in self._names for row in rows):
            self._learn_names(deadline)
        filled: dict[int, list[Fill]] = {}
        for row in require_rows(self._calls.read("/fill/list", deadline)):
            number = require(row, "orderId", int)
            filled.setdefault(number, []).append(read_fill(row, self._names.get(number) or ""))
        found = []
        for row in rows:
            fills = tuple(filled.get(row["id"], ()))
            name = self._names.get(row["id"]) or ""
            total = sum((fill.quantity for fill in fills), Decimal(0))
            found.append(OrderReport(name, "accepted", str(row["id"]), total, None, fills))
        return tuple(found)

    def _read_equity(self, account: int, deadline: Deadline) -> Decimal | None:
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

    def _ask_equity(self, account: int, deadline: Deadline) -> Decimal:
        path, body = "/cashBalance/getcashbalancesnapshot", {"accountId": account}
        return require_number(self._calls.send(path, body, deadline, is_urgent=True), "netLiq")
