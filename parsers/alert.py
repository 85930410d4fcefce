"""Say what an alert is, and what a number, a symbol and a side may be.

These are the nouns every parser produces and the desk consumes. Nothing here reads bytes, knows a
dialect, or decides whether an alert may trade.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal

ACTIONS = (
    *("buy", "sell", "close", "close_long", "close_short", "close_all", "reverse"),
    *("update", "breakeven", "cancel", "halt"),
)
"""What an alert may ask for. `exit` and `flat` are read as `close`, `long` and `short` as buy and sell."""

QUANTITY_TYPES = (
    "fixed",
    "cash",
    "percent_of_equity",
    "percent_of_position",
    "risk_cash",
    "risk_percent",
)
ORDER_TYPES = ("market", "limit", "stop", "stop_limit")
SIDES = ("long", "short", "flat")

_NUMBER = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,24})?")
_SCIENTIFIC = re.compile(_NUMBER.pattern + "[eE]([+-]?[0-9]{1,2})")
_BEFORE, _AFTER = 12, 24
"""How many digits a number has at most before and after its point."""
_SYMBOL = re.compile(r"[A-Z0-9._:/!-]{1,32}")
_NINJA = re.compile(r"[A-Z0-9]{1,5} (?:0[1-9]|1[0-2])-[0-9]{2}")


class ParseError(Exception):
    """Refuse a body, or one order in it, because it cannot be read without guessing.

    `status` is 400 where it cannot be read at all, 422 where it was read and is not supported
    (`code` is then `UNSUPPORTED`). `message` names the field and the remedy.
    """

    def __init__(
        self, message: str, *, field: str | None = None, code: str = "UNREADABLE", status: int = 400
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.code = code
        self.status = status


@dataclass(frozen=True, slots=True)
class Level:
    """Where a stop loss or a take profit stands: exactly one of price, percent, amount and ticks.

    `percent`, `amount` (a price distance) and `ticks` count from the average fill. `limit_price` makes a
    stop loss a stop-limit order.
    """

    price: Decimal | None = None
    percent: Decimal | None = None
    amount: Decimal | None = None
    limit_price: Decimal | None = None
    ticks: Decimal | None = None


@dataclass(frozen=True, slots=True)
class TakeProfit:
    """One of several targets: where it stands and how much of the position it takes.

    Without `quantity` and `percent` (of the position) it takes what the others leave.
    """

    level: Level
    quantity: Decimal | None = None
    percent: Decimal | None = None


def name_levels(
    stop_loss: Level | None, take_profit: Level | None, take_profits: tuple[TakeProfit, ...]
) -> tuple[tuple[str, Level], ...]:
    """Return the levels that there are, each with its name; several targets are numbered from 1."""
    named = [("stop_loss", stop_loss), ("take_profit", take_profit)]
    named += [(f"take_profit {n}", each.level) for n, each in enumerate(take_profits, 1)]
    return tuple((name, level) for name, level in named if level is not None)


@dataclass(frozen=True, slots=True)
class Alert:
    """One instruction, as it was read. Absent is None; nothing is defaulted and nothing is guessed.

    Money and quantities are exact decimals, times are milliseconds since 1970 in UTC.
    """

    action: str
    symbol: str
    """As written, upper case, with any `EXCHANGE:` prefix kept; empty only for `halt` and `close_all`."""
    strategy: str | None = None
    account: str | None = None
    quantity: Decimal | None = None
    quantity_type: str = "fixed"
    order_type: str | None = None
    price: Decimal | None = None
    """The reference: what the instrument cost when the alert fired."""
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    """The trigger of a stop or stop-limit order, never the stop loss."""
    take_profit: Level | None = None
    take_profits: tuple[TakeProfit, ...] = ()
    """Several targets, each for its part of the position; then `take_profit` is None."""
    move_stop: str | None = None
    """What becomes of the stop after a target: break_even or previous_target."""
    breakeven_offset: Level | None = None
    """How far on the side of profit a break-even stop stands from the average entry."""
    stop_loss: Level | None = None
    market_position: str | None = None
    """The stated side after the order: long, short or flat."""
    position_size: Decimal | None = None
    """The stated position after the order, signed."""
    previous_position: Decimal | None = None
    """The stated position before the order, signed."""
    previous_side: str | None = None
    time_in_force: str | None = None
    fired_at: int | None = None
    """When the alert fired (`timenow`, `sent_at`, `fired_at`)."""
    bar_at: int | None = None
    """A time that may be the bar's opening (`time`, `timestamp`)."""
    interval_seconds: int | None = None
    idempotency_key: str | None = None
    cancel_first: bool = False
    test: bool = False
    comment: str | None = None
    bare_size: str | None = None
    """The quantity as it was written where it came as `size` or `amount` and nothing says of what:
    contracts on futures, shares on equities; elsewhere it may be coins or money."""
    delayed_feed: str | None = None
    """In words, the late data feed that the alert names: nothing opens on it unless the account allows it."""
    unsupported: tuple[str, ...] = ()
    """Instructions that were recognised and cannot be carried out, each in words that name its key."""
    warnings: tuple[str, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    """Everything else that was in the alert, kept as text: exchange, interval, bar data, unknown keys."""

    @property
    def named_levels(self) -> tuple[tuple[str, Level], ...]:
        """Stop loss and targets, each with the name it has in the alert."""
        return name_levels(self.stop_loss, self.take_profit, self.take_profits)

    @property
    def moves_only(self) -> bool:
        """Whether the alert changes what protects a position, and trades nothing itself."""
        return self.action in ("breakeven", "update")

    @property
    def only_reduces(self) -> bool:
        """Whether nothing in this alert can open a position."""
        return (
            self.action in ("close", "close_long", "close_short", "close_all")
            or self.market_position == "flat"
        )


@dataclass(frozen=True, slots=True)
class Message:
    """One body, read: its alerts in their order, or the error that stands in an alert's place."""

    alerts: tuple[Alert | ParseError, ...]
    is_array: bool = False
    secrets: tuple[str, ...] = ()
    """Every credential found in the body, for the gate to judge."""
    masked: str = ""
    """The body as it may be stored and shown: credentials are `***`."""
    strategies: tuple[str | None, ...] = field(default=())
    """The strategy each entry of `alerts` names, also where the entry is an error."""


def read_number(text: str) -> Decimal | None:
    """Return the exact decimal that `text` spells, or None where it is not plainly a number.

    ASCII digits only, at most twelve before the point and 24 after it (`{{plot_0}}` gives
    all digits of a double: 37774.433333333334), no separators: `Decimal` itself takes full-width
    digits, underscores and `1E+400`. An exponent (`1e-5`) moves the point by up to twelve digits.
    """
    if _NUMBER.fullmatch(text):
        return Decimal(text)
    match = _SCIENTIFIC.fullmatch(text)
    if match is None or abs(int(match[1])) > _BEFORE:
        return None
    number = Decimal(format(Decimal(text), "f"))  # without the exponent: nobody prints 1E+5
    exponent = number.as_tuple().exponent
    is_long = number.adjusted() >= _BEFORE or not isinstance(exponent, int) or exponent < -_AFTER
    return None if is_long else number


def is_symbol(text: str) -> bool:
    """Tell whether `text` (upper case) has the shape of a symbol; `MES 12-26` is one too."""
    return bool(_SYMBOL.fullmatch(text) or _NINJA.fullmatch(text))
