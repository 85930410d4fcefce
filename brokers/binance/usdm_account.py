"""Read what kind of USD-M account it is, and set what config.yaml wants of it before the first entry."""

from __future__ import annotations

from brokers.binance.signing import BinanceCalls
from brokers.binance.usdm_errors import HEDGE_REMEDY
from brokers.binance.usdm_market import ROOT
from brokers.protocol import (
    BrokerRefused,
    Check,
    Connection,
    Uncertain,
    Unreachable,
)
from brokers.wire.deadline import Deadline
from brokers.wire.fields import require, require_decimal, write_plain
from brokers.wire.lookups import describe_failure
from brokers.wire.preparation import HEDGE, ONE_WAY, Preparation, Setting

ACCOUNT, CONFIG = "/fapi/v3/account", f"{ROOT}/accountConfig"
MARGINS = {"isolated": "ISOLATED", "cross": "CROSSED"}
PREPARE_SECONDS, READ_SECONDS = 2.0, 5.0


def make_preparation(name: str, connection: Connection, calls: BinanceCalls) -> Preparation:
    """Return what must hold before an account opens anything; nothing is asked or set yet.

    Position mode is the account's. Margin and leverage are each contract's, and are left alone where
    config.yaml does not say them.
    """
    settings: list[Setting] = []
    if connection.margin is not None:
        kind = MARGINS[connection.margin]
        settings.append(_setting(calls, "margin", connection.margin, ("marginType", kind)))
    if connection.leverage is not None:
        times = write_plain(connection.leverage)
        settings.append(_setting(calls, "leverage", times, ("leverage", times)))
    return Preparation(
        name,
        lambda _symbol: _read_mode(calls, Deadline.after(PREPARE_SECONDS)),
        settings,
        is_of_account=True,
        remedy=HEDGE_REMEDY,
    )


def check_account(calls: BinanceCalls, url: str) -> Check:
    """Ask whether the keys are good, what they may do, and how far the clocks differ. Raises nothing."""
    deadline = Deadline.after(READ_SECONDS)
    calls.compare_clocks()
    try:
        config = calls.read(CONFIG, [], deadline)
        may_trade = require(config, "canTrade", bool)
        mode = HEDGE if require(config, "dualSidePosition", bool) else ONE_WAY
        account = calls.read(ACCOUNT, [], deadline)
        balance = {
            require(row, "asset", str): require_decimal(row, "walletBalance")
            for row in require(account, "assets", list)
        }
    except (BrokerRefused, Unreachable, Uncertain) as error:
        return describe_failure(url, "Binance", error, calls.offset)
    held = {coin: amount for coin, amount in balance.items() if amount}
    return Check(may_trade, None, calls.offset, mode, held)


def _read_mode(calls: BinanceCalls, deadline: Deadline) -> str:
    config = calls.read(CONFIG, [], deadline)
    return HEDGE if require(config, "dualSidePosition", bool) else ONE_WAY


def _setting(calls: BinanceCalls, key: str, word: str, param: tuple[str, str]) -> Setting:
    def carry_out(symbol: str) -> None:
        params, deadline = [("symbol", symbol), param], Deadline.after(PREPARE_SECONDS)
        calls.send("POST", f"{ROOT}/{param[0]}", params, deadline, is_urgent=False)

    return Setting(f"{key}: {word}", carry_out)
