"""Trade futures at TopStep through the ProjectX Gateway.

Each order carries our client id as its `customTag`, is sent once and is read back by it. There is no
reduce-only and no linked pair over this API that is safe when an entry fills in part: the desk reads the
position before an exit, and ends the target when the stop has filled.

Source: ProjectX Gateway API and its Swagger file of 2025-09-21; orders, trades and positions recorded live.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from brokers.projectx.accounts import find_account
from brokers.projectx.contracts import Contracts
from brokers.projectx.errors import API_KEY, CANCEL, PLACE, USERNAME
from brokers.projectx.lists import Lists
from brokers.projectx.orders import (
    STATES,
    is_voided,
    read_fill,
    read_fills,
    read_order,
    read_order_id,
    read_positions,
    read_tag,
    read_time,
    write_order,
    write_time,
)
from brokers.projectx.session import LIVE_URL, ProjectXCalls
from brokers.protocol import (
    DUPLICATE,
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
from brokers.wire.fields import require, require_number, require_rows, require_text
from brokers.wire.lookups import (
    add_up,
    describe_failure,
    is_same_order,
    settle_duplicate,
    write_receipt,
)

ORDER_SECONDS, LOOK_SECONDS, READ_SECONDS, PRICE_SECONDS = 7.5, 3.0, 5.0, 0.5
READ_BACK_SECONDS = (0.0, 0.15, 0.35, 0.7)
"""The pauses before each look at an order that was taken: a market order may be filled any moment."""
OLDER_MS = 300_000
"""How far the clocks may be apart before an order counts as an older one of the same name."""
EQUITY_SECONDS = 30.0
BARS, BAR_SECONDS, FRESH_MS = 40, 30.0, 180_000
"""The venue allows 50 requests for bars in 30 s; an older bar is no price of now."""


class ProjectX:
    """One account at TopStep. Raises only `BrokerRefused`, `Unreachable` and `Uncertain`."""

    facts = VenueFacts(
        needs=(USERNAME, API_KEY),
        markets=("futures",),
        currency="USD",
        live_hosts=("api.topstepx.com",),
        capabilities=frozenset(),
        # Three requests a read: at this pace they are half of the 200 that a minute allows.
        poll_seconds=2.0,
        takes=dict.fromkeys(("", "futures"), frozenset({"account"})),
        note=(
            "TopStep allows orders only from your own device: never from a rented server or through a VPN"
        ),
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
        self._is_practice = bool(connection.sandbox)
        self._url = connection.base_url or LIVE_URL
        self._now = now_ms
        self._sleep = sleep
        self._calls = ProjectXCalls(self._url, connection, lambda: now_ms() / 1000)
        self._contracts = Contracts(self._calls, connection.roll_days)
        self._lists = Lists(self._calls, now_ms)
        self._account: int | None = None
        self._equity: tuple[float, Decimal | None] = (-EQUITY_SECONDS, None)
        self._asked: deque[float] = deque(maxlen=BARS)
        self._lock = threading.Lock()

    def open(self) -> None:
        """Connect, log in and find the account ahead of the first order. Raises nothing."""
        try:
            self._calls.open()
            self._require_account(Deadline.after(READ_SECONDS))
        except (BrokerRefused, Unreachable, Uncertain):
            return

    def instrument(self, symbol: str) -> Instrument:
        """Return the rules of a TradingView symbol. Raises `BrokerRefused` where it is no contract there."""
        return self._contracts.find(symbol, self._today(), Deadline.after(READ_SECONDS))

    def price(self, symbol: str) -> Decimal | None:
        """Return the close of the newest minute, or None: there is no other quote. Raises nothing."""
        now = self._now()
        with self._lock:
            if len(self._asked) == BARS and now / 1000 - self._asked[0] < BAR_SECONDS:
                return None
            self._asked.append(now / 1000)
        deadline = Deadline.after(PRICE_SECONDS)
        try:
            found = self._contracts.find(symbol, self._today(), deadline)
            body = {
                "contractId": self._contracts.id_of(found, self._today(), deadline),
                "live": False,
                "startTime": write_time(now - FRESH_MS),
                "endTime": write_time(now + OLDER_MS),
                "unit": 2,
                "unitNumber": 1,
                "limit": 5,
                "includePartialBar": True,
            }
            bars = require_rows(
                self._calls.read("/History/retrieveBars", body, deadline).get("bars")
            )
            told = max(
                ((read_time(each, "t"), require_number(each, "c")) for each in bars), default=None
            )
        except (BrokerRefused, Unreachable, Uncertain):
            return None
        return told[1] if told and told[1] > 0 and now - told[0] <= FRESH_MS else None

    def place_order(self, request: OrderRequest) -> OrderReport:
        """Open with one order. Raises `BrokerRefused`, `Unreachable` or `Uncertain`."""
        if request.legs:
            text = "Protection at ProjectX follows the fill: an order is not sent with legs."
            raise BrokerRefused(text, UNSUPPORTED)
        return self._place(request)

    def close(self, request: OrderRequest) -> OrderReport:
        """Reduce with one order; the desk has read the position before. Raises as `place_order`."""
        return self._place(request)

    def protect(self, requests: tuple[OrderRequest, ...]) -> tuple[OrderReport, ...]:
        """Refuse: two orders that end one another are not to be had here."""
        raise BrokerRefused("ProjectX links no two orders.", UNSUPPORTED)

    def cancel(self, request: OrderRequest) -> OrderReport:
        """Cancel a working order; what became of it is read back. Raises as `place_order`."""
        deadline = Deadline.after(ORDER_SECONDS)
        account = self._know_account(deadline)
        number = self._lists.numbers.get(request.client_id)
        if number is None:
            row = self._find_row(request, deadline)
            if row is None:
                raise Uncertain("ProjectX does not show the order that was to be cancelled")
            number = require(row, "id", int)
        body = {"accountId": account, "orderId": number}
        self._calls.send("/Order/cancel", body, CANCEL, deadline, is_urgent=True)
        return self._read_back(request, number, deadline, until_ended=True)

    def find_order(self, request: OrderRequest) -> OrderReport:
        """Look an order up by its client id, which an account takes once."""
        deadline = Deadline.after(LOOK_SECONDS)
        row = self._find_row(request, deadline)
        if row is None:
            return OrderReport(request.client_id, "absent")
        return self._report(row, request, deadline)

    def fills(self, since: int, symbols: Iterable[str]) -> tuple[Fill, ...]:
        """Return the executions since a time, whoever placed their orders."""
        deadline = Deadline.after(READ_SECONDS)
        account = self._require_account(deadline)
        wanted = set(symbols)
        rows = [
            row
            for row in self._lists.read_trades(account, since, deadline)
            if not is_voided(row)
            and self._contracts.name_of(require_text(row, "contractId"), deadline) in wanted
        ]
        numbers = {require(row, "orderId", int) for row in rows}
        self._lists.learn_names(account, numbers, since, deadline)
        return tuple(read_fill(row, self._lists.names.get(row["orderId"]) or "") for row in rows)

    def snapshot(self) -> Snapshot:
        """Return positions, working orders with what of them has filled, and equity."""
        deadline = Deadline.after(READ_SECONDS)
        account = self._require_account(deadline)
        data = self._calls.read("/Position/searchOpen", {"accountId": account}, deadline)
        held = read_positions(require_rows(data.get("positions")))
        positions = {self._contracts.name_of(each, deadline): size for each, size in held.items()}
        working = tuple(
            self._read_working(account, row, deadline)
            for row in self._lists.read_open(account, deadline)
            if STATES.get(require(row, "status", int)) == "accepted"
        )
        return Snapshot(positions, working, self._read_equity(account, deadline))

    def check(self) -> Check:
        """Ask whether the login is good and what the account holds; never logs in again after a refusal."""
        deadline = Deadline.after(READ_SECONDS)
        try:
            equity = self._read_equity(self._require_account(deadline), deadline)
        except (BrokerRefused, Unreachable, Uncertain) as error:
            return describe_failure(self._url, "ProjectX", error, None)
        return Check(may_trade=True, balance={"USD": equity} if equity is not None else {})

    # --- placing -------------------------------------------------------------------------------------

    def _place(self, request: OrderRequest) -> OrderReport:
        deadline = Deadline.after(ORDER_SECONDS)
        account = self._know_account(deadline)
        body = write_order(request, account, self._know_contract(request, deadline))
        self._lists.born.note(request.client_id, self._now())
        try:
            data = self._calls.send(
                "/Order/place", body, PLACE, deadline, is_urgent=request.reduces
            )
        except BrokerRefused as no:
            if no.code != DUPLICATE:
                raise
            return settle_duplicate(request, self.find_order)
        number = read_order_id(data)
        self._lists.note(request.client_id, number)
        return self._read_back(
            request, number, deadline, until_ended=request.order_type == "market"
        )

    def _read_back(
        self, request: OrderRequest, number: int, deadline: Deadline, *, until_ended: bool
    ) -> OrderReport:
        """Return what became of an order that was taken: it may be filled, or rejected, any moment.

        What cannot be read back exists all the same: `Uncertain`, and it is looked up.
        """
        report: OrderReport | None = None
        doubt = Uncertain("ProjectX took the order and did not tell what became of it")
        for pause in READ_BACK_SECONDS if until_ended else READ_BACK_SECONDS[:2]:
            if deadline.is_over or (report is not None and report.status != "accepted"):
                break
            self._sleep(pause)
            try:
                row = self._find_row(request, deadline, number)
                if row is not None:
                    report = self._report(row, request, deadline)
            except (BrokerRefused, Unreachable) as failed:
                if report is None:
                    raise doubt from failed
                break
        if report is None:
            raise doubt
        if report.status == "absent":
            raise Uncertain(report.message or "", WRONG_ORDER)
        return report

    def _know_account(self, deadline: Deadline) -> int:
        """Return the account before an order has left: no order stands behind an answer that fails here."""
        try:
            return self._require_account(deadline)
        except Uncertain as failed:
            raise Unreachable(f"ProjectX did not tell its accounts: {failed}") from failed

    def _know_contract(self, request: OrderRequest, deadline: Deadline) -> str:
        try:
            return self._contracts.id_of(request.instrument, self._today(), deadline)
        except Uncertain as failed:
            raise Unreachable(f"ProjectX did not tell the contract: {failed}") from failed

    # --- looking -------------------------------------------------------------------------------------

    def _find_row(
        self, request: OrderRequest, deadline: Deadline, number: int | None = None
    ) -> Any:
        account = self._require_account(deadline)
        return self._lists.find(account, request.client_id, deadline, number)

    def _report(self, row: Any, request: OrderRequest, deadline: Deadline) -> OrderReport:
        """Say what an order is, with its executions. Raises `Uncertain`."""
        name = self._contracts.name_of(require_text(row, "contractId"), deadline)
        found = read_order(row, name)
        born = self._lists.born.get(request.client_id)
        is_older = born is not None and (found.placed_at or 0) < born - OLDER_MS
        if is_older or not is_same_order(found, request):
            text = "ProjectX has another order of this name, not the one that was sent."
            return OrderReport(request.client_id, "absent", message=text)
        self._lists.born.note(request.client_id, found.placed_at or 0)
        fills: tuple[Fill, ...] = ()
        if found.executed:
            account, number = self._require_account(deadline), int(found.order_id)
            trades = self._lists.read_trades(account, (found.placed_at or 0) - OLDER_MS, deadline)
            fills = read_fills(trades, number, request.client_id)
        return write_receipt(found, fills, request, self._now())

    # --- reading -------------------------------------------------------------------------------------

    def _require_account(self, deadline: Deadline) -> int:
        if self._account is None:
            rows = self._read_accounts(deadline)
            self._account, _ = find_account(
                rows, self._wanted, self.name, is_practice=self._is_practice
            )
        return self._account

    def _read_accounts(self, deadline: Deadline) -> list[Any]:
        data = self._calls.read("/Account/search", {"onlyActiveAccounts": True}, deadline)
        return require_rows(data.get("accounts"))

    def _read_working(self, account: int, row: Any, deadline: Deadline) -> OrderReport:
        number, tag = require(row, "id", int), read_tag(row)
        placed_at = read_time(row, "creationTimestamp")
        if tag:
            self._lists.born.note(tag, placed_at)
        fills: tuple[Fill, ...] = ()
        if require_number(row, "fillVolume"):
            trades = self._lists.read_trades(account, placed_at - OLDER_MS, deadline)
            fills = read_fills(trades, number, tag)
        return OrderReport(tag, "accepted", str(number), add_up(fills), None, fills)

    def _read_equity(self, account: int, deadline: Deadline) -> Decimal | None:
        """Return the balance, asked at most twice a minute: what is open is not in it."""
        read_at, equity = self._equity
        now = self._now() / 1000
        if now - read_at >= EQUITY_SECONDS:
            for row in self._read_accounts(deadline):
                if require(row, "id", int) == account:
                    equity = require_number(row, "balance")
                    self._equity = (now, equity)
        return equity

    def _today(self) -> date:
        return datetime.fromtimestamp(self._now() / 1000, UTC).date()
