"""Ask an exchange what became of orders, what was executed, and what an account holds.

Only questions: nothing is changed here. An order is absent only where each list that would have it was read
and has it not; a question that failed proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from brokers.exchanges.client_ids import read_birth, write_client_id
from brokers.exchanges.library import Call, Library
from brokers.exchanges.markets import Market, Markets, size_of
from brokers.exchanges.orders import (
    read_client,
    read_id,
    read_number,
    read_order,
    read_order_of,
    read_trade,
)
from brokers.exchanges.proof import STOP, Look, Proof, kind_of
from brokers.protocol import (
    ORDER_UNKNOWN,
    WRONG_ORDER,
    BrokerRefused,
    Fill,
    Instrument,
    OrderReport,
    OrderRequest,
    Uncertain,
    Unreachable,
)
from brokers.wire.deadline import Deadline
from brokers.wire.fields import require_rows, unreadable
from brokers.wire.lookups import Remembered, VenueOrder, add_up, is_same_order, write_receipt

__all__ = ["VenueOrder", "View", "find", "read_client", "receive"]
ZERO = Decimal(0)
OLDER_MS = 60_000
"""How much older than our request an order must be to be another one of the same name."""
EARLY_MS = 5_000
MOST = 100


@dataclass(frozen=True, slots=True)
class View:
    """What every question needs."""

    proof: Proof
    library: Library
    markets: Markets
    owners: Remembered[tuple[str, str], str]
    now: Callable[[], int]

    def ask(self, method: str, *arguments: Any, deadline: Deadline) -> Any:
        """Ask one question of the library's."""
        return self.library.call(method, *arguments, call=Call(deadline))


def name_order(proof: Proof, client_id: str, how: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters with the order's name in the exchange's form."""
    name = write_client_id(client_id, proof.id_form)
    return {key: name if value == "{id}" else value for key, value in how.items()}


def find(
    view: View, request: OrderRequest, market: Market, deadline: Deadline
) -> VenueOrder | None:
    """Return an order by its client id, None where the exchange certainly has none of that name."""
    proof = view.proof
    is_stop = kind_of(request) == STOP
    looks = (proof.stop_looks if is_stop else ()) or proof.looks
    for look in looks:
        data = _look(view, look, request.client_id, market, deadline)
        if data is None:
            continue
        if child := _child_of(proof, data) if is_stop else "":
            data = {**view.ask("fetch_order", child, market["symbol"], deadline=deadline)}
            data["clientOrderId"] = write_client_id(request.client_id, proof.id_form)
            data["info"] = {}
        row = read_order(proof, data, market)
        if row.client_id != request.client_id:
            raise Uncertain("The exchange answered about another order.", WRONG_ORDER)
        view.owners.note((market["id"], row.order_id), row.client_id)
        return row
    return None


def _look(
    view: View, look: Look, client_id: str, market: Market, deadline: Deadline
) -> dict[str, Any] | None:
    params = name_order(view.proof, client_id, look.params)
    if look.is_list:
        rows = view.ask(look.method, market["symbol"], None, MOST, params, deadline=deadline)
        named = [row for row in require_rows(rows) if read_client(view.proof, row) == client_id]
        if rows and not named and look.is_filtered:
            raise Uncertain("The exchange answered about another order.", WRONG_ORDER)
        if not named and len(rows) >= MOST:
            _require_old_enough(rows, client_id)
        return named[0] if named else None
    try:
        found = view.ask(look.method, "", market["symbol"], params, deadline=deadline)
    except BrokerRefused as no:
        if no.code == ORDER_UNKNOWN:
            return None
        raise
    if not isinstance(found, dict):
        raise unreadable("it is no order")
    return found


def _require_old_enough(rows: list[Any], client_id: str) -> None:
    """Raise `Uncertain` where a full list does not go back to when an order was born."""
    born = read_birth(client_id)
    times = [row.get("timestamp") for row in rows if isinstance(row, dict)]
    oldest = min((at for at in times if isinstance(at, int)), default=born)
    if oldest >= born - OLDER_MS:
        raise Uncertain("The exchange's list of orders does not go back far enough")


def _child_of(proof: Proof, data: Mapping[str, Any]) -> str:
    """Return the name of the order that a triggered stop became; empty where it is none yet."""
    info = data.get("info")
    told = info.get(proof.child_field) if proof.child_field and isinstance(info, dict) else None
    return told if isinstance(told, str) and told not in ("", "0") else ""


def receive(
    view: View, request: OrderRequest, row: VenueOrder, deadline: Deadline, sent_at: int | None
) -> OrderReport:
    """Turn an order into a receipt with every execution and its fee (rules 1.2). Raises `Uncertain`."""
    is_older = sent_at is not None and (row.placed_at or sent_at) < sent_at - OLDER_MS
    if is_older or not is_same_order(row, request):
        text = f"{view.proof.title} has another order of this name, not the one that was sent."
        return OrderReport(request.client_id, "absent", message=text)
    return _write(view, request, row, deadline)


def _write(view: View, request: OrderRequest, row: VenueOrder, deadline: Deadline) -> OrderReport:
    trades: tuple[Fill, ...] = ()
    if row.executed > 0:
        trades = _read_trades_of(view, row, deadline)
        if row.value < 0 and add_up(trades) == row.executed:
            worth = sum((each.price * each.quantity for each in trades), ZERO)
            row = _with_value(row, worth)
    return write_receipt(row, trades, request, view.now())


def _with_value(row: VenueOrder, value: Decimal) -> VenueOrder:
    from_row = {name: getattr(row, name) for name in VenueOrder.__slots__}
    return VenueOrder(**{**from_row, "value": value})


def _read_trades_of(view: View, row: VenueOrder, deadline: Deadline) -> tuple[Fill, ...]:
    """Return the executions of one order, out of all that were since it was placed."""
    market = view.markets.by_id(row.symbol)
    since = (row.placed_at or row.changed_at) - EARLY_MS
    try:
        rows = _ask_trades(view, market, since, deadline)
    except (BrokerRefused, Unreachable) as failed:  # the order itself was neither
        raise Uncertain("The exchange did not tell the order's executions") from failed
    mine = [each for each in rows if read_order_of(each) == row.order_id]
    return tuple(read_trade(each, market, row.client_id) for each in mine)


def _ask_trades(view: View, market: Market, since: int, deadline: Deadline) -> list[Any]:
    """Return all executions on a market since a time: a full page leaves out what is older or newer."""
    found: dict[str, Any] = {}
    windows: list[tuple[int, int | None]] = [(since, None)]
    while windows:
        start, end = windows.pop()
        params = {} if end is None else {"until": end}
        symbol = market["symbol"]
        told = view.ask("fetch_my_trades", symbol, start, MOST, params, deadline=deadline)
        rows = {read_id(row): row for row in require_rows(told)}
        times = [at for row in rows.values() if isinstance(at := row.get("timestamp"), int)]
        if len(rows) >= view.proof.page and times and rows.keys() - found.keys():
            windows += [(max(times), end), (start, min(times))]
        found |= rows
    return list(found.values())


def read_fills(view: View, market: Market, since: int, deadline: Deadline) -> list[Fill]:
    """Return the executions on a market since a time, each with the client id of its order."""
    fills: list[Fill] = []
    for row in _ask_trades(view, market, since, deadline):
        number = read_order_of(row)
        owner = view.owners.get((market["id"], number))
        if owner is None:
            owner = _ask_owner(view, market, number, deadline)
        if not owner and view.proof.child_field:
            continue  # what a stop became has no name of ours: the stop itself tells it
        fills.append(read_trade(row, market, owner))
    return fills


def _ask_owner(view: View, market: Market, number: str, deadline: Deadline) -> str:
    """Return the client id of an order that is not remembered; empty where it has none."""
    try:
        data = view.ask("fetch_order", number, market["symbol"], deadline=deadline)
    except BrokerRefused as no:
        if no.code != ORDER_UNKNOWN:
            raise
        data = {}
    owner = read_client(view.proof, data) if isinstance(data, dict) else ""
    if owner or not view.proof.child_field:
        view.owners.note((market["id"], number), owner)
    return owner


def read_coins(view: View, deadline: Deadline) -> dict[str, Decimal]:
    """Return each coin with all that is held of it, what working orders lock included."""
    told = view.ask("fetch_balance", dict(view.proof.balance_params), deadline=deadline)
    total = told.get("total") if isinstance(told, dict) else None
    if not isinstance(total, dict):
        raise unreadable("the balance has no totals")
    held: dict[str, Decimal] = {}
    for coin, amount in total.items():
        if number := read_number(amount):
            held[str(coin)] = number
    return held


def read_positions(view: View, deadline: Deadline) -> dict[str, Decimal]:
    """Return the signed coins of each perpetual that is held."""
    held: dict[str, Decimal] = {}
    for row in require_rows(
        view.ask("fetch_positions", None, dict(view.proof.position_params), deadline=deadline)
    ):
        market = view.markets.by_symbol(row.get("symbol") if isinstance(row, dict) else None)
        if market is None:
            continue
        contracts, side = read_number(row.get("contracts")), row.get("side")
        if contracts is None:
            raise unreadable("a position has no size")
        if not contracts:
            continue
        if side not in ("long", "short"):
            raise unreadable("a position has no side")
        amount = abs(contracts) * size_of(market)
        held[market["id"]] = held.get(market["id"], ZERO) + (amount if side == "long" else -amount)
    return held


def read_working(view: View, deadline: Deadline, symbols: Iterable[str]) -> list[OrderReport]:
    """Return every working order, of each list that has some."""
    found: dict[str, OrderReport] = {}
    places: list[str | None] = list(symbols) if view.proof.lists_by_symbol else [None]
    for place in places:
        for params in view.proof.open_lists:
            rows = view.ask("fetch_open_orders", place, None, MOST, dict(params), deadline=deadline)
            for data in require_rows(rows):
                market = view.markets.by_symbol(data.get("symbol"))
                if market is None:
                    continue
                row = read_order(view.proof, data, market)
                view.owners.note((row.symbol, row.order_id), row.client_id)
                instrument = Instrument(symbol=row.symbol, kind=view.proof.market)
                request = OrderRequest(row.client_id, instrument, row.side, row.asked, "limit")
                found[row.order_id] = _write(view, request, row, deadline)
    return list(found.values())


def read_price(view: View, market: Market, deadline: Deadline) -> Decimal | None:
    """Return the last price of a market, None where it is not told."""
    told = view.ask("fetch_ticker", market["symbol"], deadline=deadline)
    last = told.get("last") if isinstance(told, dict) else None
    if told is None or told.get("symbol") != market["symbol"]:
        return None
    price = read_number(last)
    return price if price and price > 0 else None
