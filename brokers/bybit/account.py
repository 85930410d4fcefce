"""Read what kind of account it is, and set what config.yaml wants of it before the first entry.

Source: "Position" (list, set-leverage), "Account" (wallet-balance, set-margin-mode) and "User" (query-api) of
the Bybit v5 documentation.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from brokers.bybit.errors import HEDGE_REMEDY
from brokers.bybit.signing import BybitCalls
from brokers.protocol import (
    KEYS_REFUSED,
    BrokerRefused,
    Check,
    Connection,
    Uncertain,
    Unreachable,
)
from brokers.wire.client import BANNED
from brokers.wire.deadline import Deadline
from brokers.wire.fields import (
    optional_decimal,
    require,
    require_decimal,
    require_text,
    unreadable,
    write_plain,
)
from brokers.wire.lookups import describe_failure
from brokers.wire.preparation import HEDGE, ONE_WAY, Preparation, Setting

POSITIONS, WALLET = "/v5/position/list", "/v5/account/wallet-balance"
MARGINS = {"isolated": "ISOLATED_MARGIN", "cross": "REGULAR_MARGIN"}
ASKED_SYMBOL = "BTCUSDT"
"""The mode is told of a symbol only; a flat account shows nothing without one."""
PREPARE_SECONDS, READ_SECONDS = 2.0, 5.0
ZERO = Decimal(0)


def make_preparation(name: str, connection: Connection, calls: BybitCalls) -> Preparation:
    """Return what must hold before a perpetual is opened; nothing is asked or set yet.

    Position mode and leverage are each symbol's, the margin mode is the account's.
    """
    settings: list[Setting] = []
    if connection.margin is not None:
        margin: dict[str, Any] = {"setMarginMode": MARGINS[connection.margin]}
        settings.append(
            Setting(
                f"margin: {connection.margin}",
                lambda _symbol: _set(calls, "/v5/account/set-margin-mode", margin),
                is_of_account=True,
            )
        )
    if connection.leverage is not None:
        times = write_plain(connection.leverage)
        body = {"category": "linear", "buyLeverage": times, "sellLeverage": times}
        settings.append(
            Setting(
                f"leverage: {times}",
                lambda symbol: _set(calls, "/v5/position/set-leverage", body | {"symbol": symbol}),
            )
        )
    return Preparation(
        name,
        lambda symbol: read_mode(calls, symbol, Deadline.after(PREPARE_SECONDS)),
        settings,
        is_of_account=False,
        remedy=HEDGE_REMEDY,
    )


def read_mode(calls: BybitCalls, symbol: str, deadline: Deadline) -> str:
    """Return whether a symbol holds one side at a time. Raises each of the three errors."""
    rows = require(
        calls.read(POSITIONS, {"category": "linear", "symbol": symbol}, deadline), "list", list
    )
    found = {require(row, "positionIdx", int) for row in rows}
    if not found or not found <= {0, 1, 2}:
        raise unreadable(f"the positions of {symbol} do not tell their mode")
    return ONE_WAY if found == {0} else HEDGE


def read_wallet(calls: BybitCalls, deadline: Deadline) -> tuple[dict[str, Decimal], Decimal | None]:
    """Return each coin with what orders lock, and what the account is worth. Raises the three errors."""
    data = calls.read(WALLET, {"accountType": "UNIFIED"}, deadline)
    rows = require(data, "list", list)
    if not rows:
        return {}, None
    coins = {
        require_text(row, "coin"): require_decimal(row, "walletBalance")
        for row in require(rows[0], "coin", list)
    }
    return coins, optional_decimal(rows[0], "totalEquity")


def check_account(calls: BybitCalls, url: str, category: str) -> Check:
    """Ask whether the keys are good, what they may do, and how far the clocks differ. Raises nothing."""
    deadline = Deadline.after(READ_SECONDS)
    calls.compare_clocks()
    mode = None
    try:
        coins, _ = read_wallet(calls, deadline)
        if category == "linear":
            mode = read_mode(calls, ASKED_SYMBOL, deadline)
        may_trade, may_withdraw = _read_permissions(calls, category, deadline)
    except (BrokerRefused, Unreachable, Uncertain) as error:
        return describe_failure(url, "Bybit", error, calls.offset)
    held = {coin: amount for coin, amount in coins.items() if amount}
    return Check(may_trade, may_withdraw, calls.offset, mode, held)


def _read_permissions(
    calls: BybitCalls, category: str, deadline: Deadline
) -> tuple[bool | None, bool | None]:
    """Return whether the key may trade and withdraw, as far as Bybit tells: demo trading does not."""
    try:
        data = calls.read("/v5/user/query-api", {}, deadline)
        rights = require(data, "permissions", dict)
        is_reading = require(data, "readOnly", int) == 1
    except BrokerRefused as no:
        if no.code in (KEYS_REFUSED, BANNED):
            raise
        return None, None
    except (Unreachable, Uncertain):
        return None, None
    needed = ("Spot", "SpotTrade") if category == "spot" else ("ContractTrade", "Order")
    may_trade = needed[1] in _list_rights(rights, needed[0]) and not is_reading
    return may_trade, "Withdraw" in _list_rights(rights, "Wallet") and not is_reading


def _list_rights(rights: dict[str, Any], kind: str) -> list[Any]:
    found = rights.get(kind)
    return found if isinstance(found, list) else []


def _set(calls: BybitCalls, path: str, body: dict[str, Any]) -> None:
    calls.send("POST", path, body, Deadline.after(PREPARE_SECONDS), is_urgent=False)
