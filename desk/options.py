"""Say what can be set, what each value may be, and what holds when it is not set.

These are the nouns of config.yaml: webhook, accounts, strategies, logging. Each is frozen and
checks its own values one by one. Nothing here reads a file or the environment, and no rule that
needs two settings at once stands here. Money is exact: a number is int or Decimal, never a float.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import time
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import limits
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic_core import PydanticCustomError

from parsers.alert import is_symbol

# --- what a value may be -------------------------------------------------------------------------


def _expect(text: str) -> PydanticCustomError:
    """Say what was expected; what was found is added where the problem is reported."""
    return PydanticCustomError("expected", "{text}", {"text": f"expected {text}"})


def _tell(text: str) -> PydanticCustomError:
    """Say all there is to say."""
    return PydanticCustomError("told", "{text}", {"text": text})


def _number(low: str, high: str | None = None, *, above: bool = False) -> BeforeValidator:
    least = Decimal(low)
    most = None if high is None else Decimal(high)
    if above:
        text = "a positive number" if low == "0" else f"a number above {low}"
    else:
        text = f"a number of at least {low}" if most is None else f"a number from {low} to {high}"

    def check(value: object) -> Decimal:
        if isinstance(value, str) and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
            raise _tell(f"expected {text}: write it without quotes")
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            raise _expect(text)
        number = Decimal(value)
        if number < least or (above and number == least) or (most is not None and number > most):
            raise _expect(text)
        return number

    return BeforeValidator(check)


def _whole(low: int, high: int) -> BeforeValidator:
    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise _expect(f"a whole number from {low} to {high}")
        return value

    return BeforeValidator(check)


def _text(expected: str, accepts: Callable[[str], bool]) -> BeforeValidator:
    def check(value: object) -> str:
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            raise _tell(f"expected {expected}: put {value} in quotes, it looks like a number")
        if not isinstance(value, str) or not accepts(value):
            raise _expect(expected)
        return value

    return BeforeValidator(check)


def _secret(value: object) -> object:
    """Take a text as a secret; an empty one is none."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not value.isprintable() or value != value.strip():
        raise _expect("a text in quotes, without spaces around it")
    return SecretStr(value)


def _networks(*names: str) -> BeforeValidator:
    """Accept a list of addresses, networks and `names`."""
    text = " or ".join(("an address (203.0.113.7)", "a network (203.0.113.0/24)", *names))

    def check(value: object) -> tuple[str, ...]:
        if not isinstance(value, list | tuple):
            raise _expect(f"a list of: {text}")
        for entry in value:
            if entry not in names and not _is_network(entry):
                raise _tell(f'expected {text}; "{str(entry)[:40]}" is none')
        return tuple(value)

    return BeforeValidator(check)


def _is_network(value: object) -> bool:
    try:
        return bool(ipaddress.ip_network(value if isinstance(value, str) else ""))
    except ValueError:
        return False


def _is_rate(value: str) -> bool:
    try:
        return limits.parse(value).amount > 0
    except ValueError:
        return False


def _is_currency(value: str) -> bool:
    return bool(re.fullmatch("[A-Za-z0-9]{2,10}", value))


def _is_state(value: str) -> bool:
    return bool(re.fullmatch("sqlite:///[^?#]+", value))


def _is_level(value: str) -> bool:
    return value.upper() in ("DEBUG", "INFO", "WARNING", "ERROR")


def _is_name(value: str) -> bool:
    return bool(value.strip())


def _split_day(value: str) -> tuple[time, ZoneInfo]:
    clock, _, zone = value.partition(" ")
    if not re.fullmatch(r"[0-2][0-9]:[0-5][0-9]", clock) or not zone:
        raise ValueError(value)
    return time.fromisoformat(clock), ZoneInfo(zone)


def _is_day(value: str) -> bool:
    try:
        return bool(_split_day(value))
    except (ValueError, KeyError, OSError):  # ZoneInfo raises each of them for a name it dislikes
        return False


def _symbols(value: object) -> object:
    """Upper-case TradingView's names; the venue's names stay as they are written."""
    if not isinstance(value, dict):
        raise _expect("lines like NQ1!: MNQ1!")
    upper: dict[str, str] = {}
    for symbol, name in value.items():
        is_readable = symbol.isascii() and isinstance(name, str) and name.isascii()
        if not is_readable or not is_symbol(symbol.upper()) or not is_symbol(name.upper()):
            raise _tell(f'expected lines like NQ1!: MNQ1!; "{symbol[:40]}" is none')
        if symbol.upper() in upper:
            raise _tell(f'"{symbol[:40]}" stands twice (case does not matter): keep one')
        upper[symbol.upper()] = name
    return upper


def is_loopback(host: str) -> bool:
    """Tell whether `host` can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _is_host(value: str) -> bool:
    if ":" in value:
        try:
            return ipaddress.ip_address(value).version == 6
        except ValueError:
            return False
    return bool(re.fullmatch(r"[A-Za-z0-9._-]{1,253}", value))


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


Secret = SecretStr
"""A text that no print, log or error shows."""

_STATE = (
    "sqlite:///state.db (a path beside config.yaml) or sqlite:////absolute/state.db; "
    "no other kind of state is supported"
)
_upper = AfterValidator(str.upper)
_frozen = AfterValidator(MappingProxyType)
_table = BeforeValidator(lambda value: {} if value is None else value)
"""A block whose lines are all commented out is empty."""
_Secret = Annotated[Secret | None, BeforeValidator(_secret)]
_Cost = Annotated[Decimal, _number("0")] | None
_Name = Annotated[str, _text("a name", _is_name)]
_Quantity = Annotated[Decimal, _number("0", above=True)]


# --- the settings --------------------------------------------------------------------------------


class _Settings(BaseModel):
    # hide_input_in_errors: an input may be a secret (pydantic would print it)
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class Webhook(_Settings):
    """Where the receiver listens and whom it believes."""

    host: Annotated[str, _text("an address or a host name", _is_host)] = "127.0.0.1"
    port: Annotated[int, _whole(0, 65535)] = 8080
    secret: _Secret = None
    rate_limit: Annotated[str, _text("a rate like 10/minute", _is_rate)] = "10/minute"
    allowed_ips: Annotated[tuple[str, ...], _networks("tradingview")] = ()
    trusted_proxies: Annotated[tuple[str, ...], _networks()] = ("127.0.0.1", "::1")
    reply_within_seconds: Annotated[Decimal, _number("0.1", "2.4")] = Decimal("2.0")
    dedupe_seconds: Annotated[int, _whole(0, 3600)] = 40
    max_age_seconds: Annotated[int, _whole(1, 86400)] = 90
    limit_seconds: Annotated[int, _whole(1, 604800)] = 300
    max_history: Annotated[int, _whole(1, 1000000)] = 1000
    threads: Annotated[int, _whole(2, 512)] = 32


class Account(_Settings):
    """One account group: which broker, how it trades, what its paper fills cost.

    A cost that is None is the simulator's own default for the kind of instrument.
    """

    broker: str = ""
    market: Literal["spot", "linear", "futures", "equity"] | None = None
    live: bool = False
    sandbox: bool = False
    cash: Annotated[Decimal, _number("0")] = Decimal(100000)
    currency: Annotated[str, _text("a currency like USD", _is_currency), _upper] = "USD"
    day: Annotated[str, _text('a time and a zone like "17:00 America/Chicago"', _is_day)] = (
        "00:00 UTC"
    )
    symbols: Annotated[Mapping[str, str], BeforeValidator(_symbols), _table, _frozen] = Field(
        default_factory=_nothing
    )
    parallel: Annotated[int, _whole(1, 64)] = 4
    fee_bp: _Cost = None
    slippage_bp: _Cost = None
    fee_per_contract: _Cost = None
    slippage_ticks: _Cost = None
    leverage: Annotated[Decimal, _number("1")] | None = None

    @property
    def day_start(self) -> tuple[time, ZoneInfo]:
        """Return when the account's day begins: local time and zone."""
        return _split_day(self.day)


class Strategy(_Settings):
    """What one strategy may do and where.

    After `load`, `accounts` is its whole route, never empty, and `account` is folded into it.
    """

    account: _Name | None = None
    accounts: Annotated[Mapping[str, _Quantity], _table, _frozen] = Field(default_factory=_nothing)
    default_quantity: _Quantity | None = None
    use_market_orders: bool = True
    direction: Literal["long", "short", "both"] | None = None
    pyramid: bool = False
    sync: Literal["position"] | None = None
    secret: _Secret = None
    enabled: bool = True


class Logging(_Settings):
    """How much is written to the log file, and where it lies."""

    level: Annotated[str, _text("DEBUG, INFO, WARNING or ERROR", _is_level), _upper] = "INFO"
    file: _Name = "webhook_alerts.log"


class Options(_Settings):
    """Everything config.yaml can say."""

    webhook: Webhook = Webhook()
    trading: Literal["paper", "live"] = "paper"
    default_account: _Name = "paper_simulator"
    default_quantity: _Quantity | None = None
    accounts: Annotated[Mapping[str, Account], _frozen] = Field(default_factory=_nothing)
    strategies: Annotated[Mapping[str, Strategy], _frozen] = Field(default_factory=_nothing)
    state: Annotated[str, _text(_STATE, _is_state)] = "sqlite:///state.db"
    logging: Logging = Logging()


class Settings(Options):
    """What holds: config.yaml, .env and the command line together, checked against each other."""

    file: Path
    """Where config.yaml lies, or would."""
    admin_token: Secret | None = None
    secret_files: tuple[Path, ...] = ()
    """The files that hold a secret and so are nobody else's business."""

    @property
    def state_path(self) -> Path:
        """Return the state file; a relative path is relative to config.yaml."""
        return self.file.parent / self.state.removeprefix("sqlite:///")

    @property
    def log_path(self) -> Path:
        """Return the log file; a relative path is relative to config.yaml."""
        return self.file.parent / self.logging.file

    @property
    def live_accounts(self) -> tuple[str, ...]:
        """Return the accounts that trade real money: told so twice, by `trading` and by `live`."""
        if self.trading != "live":
            return ()
        return tuple(name for name, account in self.accounts.items() if account.live)

    @property
    def is_development(self) -> bool:
        """Whether nothing is at stake: no account live, only loopback listens, no secret set."""
        secrets = [self.webhook.secret, *(each.secret for each in self.strategies.values())]
        return not self.live_accounts and is_loopback(self.webhook.host) and not any(secrets)

    @property
    def known_secrets(self) -> tuple[str, ...]:
        """Return every secret there is, to keep them out of what is shown."""
        found = [self.webhook.secret, self.admin_token]
        found += [each.secret for each in self.strategies.values()]
        return tuple(each.get_secret_value() for each in found if each)

    def find_account(self, name: str) -> str | None:
        """Return the configured name of the account an alert calls `name`; case does not matter."""
        if name in self.accounts:
            return name
        return next((each for each in self.accounts if each.lower() == name.lower()), None)

    def strategy(self, name: str) -> Strategy:
        """Return the strategy `name`; one that config.yaml does not name has the defaults."""
        return self.strategies.get(name) or Strategy(
            accounts={self.default_account: Decimal(1)}, default_quantity=self.default_quantity
        )
