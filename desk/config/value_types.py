"""Say what one value of config.yaml may be, and in which words it is refused.

Each kind of value is a check that pydantic asks: a number, an address, a day, a list of symbols. What a
value is for, and whether two of them agree, is not known here. Money is exact: a number is int or
Decimal, never a float.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from datetime import time
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

import limits
from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_core import PydanticCustomError

from desk.config.trading_hours import read_window
from parsers.alert import is_symbol


def _expect(text: str) -> PydanticCustomError:
    """Say what was expected; what was found is added where the problem is reported."""
    return PydanticCustomError("expected", "{text}", {"text": f"expected {text}"})


def _tell(text: str) -> PydanticCustomError:
    """Say all there is to say."""
    return PydanticCustomError("told", "{text}", {"text": text})


def _expect_list(expected: str, value: object, *, is_entry: bool) -> PydanticCustomError:
    """Say that a list was expected, and how one entry alone is written as a list."""
    if not is_entry:
        return _expect(f"a list of: {expected}")
    entry = value if re.fullmatch(r"[A-Za-z0-9./!]+", str(value)) else json.dumps(value)
    return _tell(f"expected a list of: {expected}; write [{entry}]")


def _expect_zone(value: str) -> PydanticCustomError:
    """Say that a time zone does not exist, and which one was probably meant."""
    zone = value.rpartition(" ")[2]
    near = difflib.get_close_matches(zone, available_timezones(), 1)
    hint = f"did you mean {near[0]}?" if near else "write it like America/New_York"
    return _tell(f'no such time zone: "{zone[:40]}"; {hint}')


def number(low: str, high: str | None = None, *, above: bool = False) -> BeforeValidator:
    """Accept a number from `low` to `high`, or above `low`."""
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


def whole(low: int, high: int) -> BeforeValidator:
    """Accept a whole number from `low` to `high`."""

    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise _expect(f"a whole number from {low} to {high}")
        return value

    return BeforeValidator(check)


def text(expected: str, accepts: Callable[[str], bool]) -> BeforeValidator:
    """Accept a text that `accepts` likes."""

    def check(value: object) -> str:
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            raise _tell(f"expected {expected}: put {value} in quotes, it looks like a number")
        if not isinstance(value, str) or not accepts(value):
            raise _expect(expected)
        return value

    return BeforeValidator(check)


def texts(expected: str, accepts: Callable[[str], bool]) -> BeforeValidator:
    """Accept a list of texts that `accepts` likes; nothing at all is an empty one."""

    def check(value: object) -> tuple[str, ...]:
        if value is None:
            return ()
        if not isinstance(value, list | tuple):
            is_entry = isinstance(value, str) and accepts(value)
            raise _expect_list(expected, value, is_entry=is_entry)
        for entry in value:
            if not isinstance(entry, str) or not accepts(entry):
                raise _tell(f'expected {expected}; "{str(entry)[:40]}" is not one')
        return tuple(value)

    return BeforeValidator(check)


def networks(*names: str) -> BeforeValidator:
    """Accept a list of addresses, networks and `names`."""
    expected = " or ".join(
        ("an address (203.0.113.7)", "a network (203.0.113.0/24)", *names),
    )

    def check(value: object) -> tuple[str, ...]:
        if not isinstance(value, list | tuple):
            is_entry = isinstance(value, str) and (value in names or _is_network(value))
            raise _expect_list(expected, value, is_entry=is_entry)
        for entry in value:
            if entry not in names and not _is_network(entry):
                raise _tell(f'expected {expected}; "{str(entry)[:40]}" is not one')
        return tuple(value)

    return BeforeValidator(check)


def _is_network(value: object) -> bool:
    try:
        return bool(ipaddress.ip_network(value if isinstance(value, str) else ""))
    except ValueError:
        return False


def is_rate(value: str) -> bool:
    """Tell whether `value` is a rate like 10/minute."""
    try:
        return limits.parse(value).amount > 0
    except ValueError:
        return False


_SPAN = re.compile(r"([1-9][0-9]{0,4})([smhd])")
_SPAN_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def is_span(value: str) -> bool:
    """Tell whether `value` is a length of time like 30s, 15m, 4h or 2d."""
    return _SPAN.fullmatch(value) is not None


def split_span(value: str) -> int:
    """Return a length of time in milliseconds."""
    found = _SPAN.fullmatch(value)
    if found is None:
        raise ValueError(value)
    return int(found[1]) * _SPAN_MS[found[2]]


def is_currency(value: str) -> bool:
    """Tell whether `value` could be a currency or a coin."""
    return bool(re.fullmatch("[A-Za-z0-9]{2,10}", value))


MAX_FILE_NAME = 240
"""File systems take 255 bytes, and SQLite adds its own endings."""


def is_state(value: str) -> bool:
    """Tell whether `value` names a state file."""
    path = value.removeprefix("sqlite:///")
    names = path.split("/")
    is_file = path != value and names[-1] not in ("", ".", "..", ":memory:")
    is_short = all(len(name.encode("utf-8", "surrogatepass")) <= MAX_FILE_NAME for name in names)
    return is_file and is_short and value.isprintable() and not {"?", "#"} & {*value}


def is_level(value: str) -> bool:
    """Tell whether `value` is a level of the log."""
    return value.upper() in ("DEBUG", "INFO", "WARNING", "ERROR")


def is_name(value: str) -> bool:
    """Tell whether `value` is more than spaces."""
    return bool(value.strip())


def split_day(value: str) -> tuple[time, ZoneInfo]:
    """Return the local time and the zone of a day's beginning. Raises what `ZoneInfo` raises."""
    clock, _, zone = value.partition(" ")
    if not re.fullmatch(r"[0-2][0-9]:[0-5][0-9]", clock) or not zone:
        raise ValueError(value)
    return time.fromisoformat(clock), ZoneInfo(zone)


def is_day(value: str) -> bool:
    """Tell whether `value` says when a day begins; an unknown zone is said as such."""
    try:
        return bool(split_day(value))
    except ValueError:
        return False
    except (KeyError, OSError):  # ZoneInfo raises each of them for a name it dislikes
        raise _expect_zone(value) from None


def is_hours(value: str) -> bool:
    """Tell whether `value` is a window like "mon-fri 09:30-16:00 America/New_York"; likewise."""
    try:
        return bool(read_window(value))
    except ValueError:
        return False
    except (KeyError, OSError):
        raise _expect_zone(value) from None


def is_plain_symbol(value: str) -> bool:
    """Tell whether `value` has the shape of a symbol, in any case."""
    return value.isascii() and is_symbol(value.upper())


def is_base_url(value: str) -> bool:
    """Tell whether `value` is scheme and host and nothing else: no path, no user, no query."""
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018  # asking raises where it is no number
    except ValueError:
        return False
    is_bare = value.rstrip("/") == f"{parts.scheme}://{parts.netloc}" and "@" not in parts.netloc
    return is_bare and parts.scheme in ("http", "https") and is_host(parts.hostname or "")


def is_loopback(host: str) -> bool:
    """Tell whether `host` can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def is_host(value: str) -> bool:
    """Tell whether `value` is an address or a host name."""
    if ":" in value:
        try:
            return ipaddress.ip_address(value).version == 6
        except ValueError:
            return False
    return bool(re.fullmatch(r"[A-Za-z0-9._-]{1,253}", value))


def nothing() -> Mapping[str, Any]:
    """Return a table without entries."""
    return MappingProxyType({})


def _read_sandbox(value: object) -> object:
    """Take yes, no or the one kind of test system that has a name."""
    if isinstance(value, bool) or value == "demo":
        return value
    raise _expect("true, false or demo")


def _read_secret(value: object) -> object:
    """Take a text as a secret; an empty one is none."""
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not value.isprintable() or value != value.strip():
        raise _expect("a text in quotes, without spaces around it")
    return SecretStr(value)


def _read_symbol_map(value: object) -> object:
    """Upper-case TradingView's names; the venue's names stay as they are written."""
    if not isinstance(value, dict):
        raise _expect("lines like NQ1!: MNQ1!")
    upper: dict[str, str] = {}
    for symbol, name in value.items():
        is_readable = isinstance(name, str) and is_plain_symbol(symbol) and is_plain_symbol(name)
        if not is_readable:
            raise _tell(f'expected lines like NQ1!: MNQ1!; "{symbol[:40]}" is not one')
        if symbol.upper() in upper:
            raise _tell(f'"{symbol[:40]}" stands twice (case does not matter): keep one')
        upper[symbol.upper()] = name
    return upper


Secret = SecretStr
"""A text that no print, log or error shows."""
STATE = (
    "sqlite:///state.db (a path beside config.yaml) or sqlite:////absolute/state.db; "
    "no other kind of state is supported"
)
BASE_URL = "scheme and host alone, like https://testnet.binance.vision"
HOURS = 'a window like "mon-fri 09:30-16:00 America/New_York"'
upper_case = AfterValidator(str.upper)
lower_case = AfterValidator(str.lower)
bare_url = AfterValidator(lambda url: url.rstrip("/"))
maybe_demo = BeforeValidator(_read_sandbox)
frozen = AfterValidator(MappingProxyType)
block = BeforeValidator(lambda value: {} if value is None else value)
"""A block whose lines are all commented out is empty."""
MaybeSecret = Annotated[Secret | None, BeforeValidator(_read_secret)]
Cost = Annotated[Decimal, number("0")] | None
Name = Annotated[str, text("a name", is_name)]
Quantity = Annotated[Decimal, number("0", above=True)]
SymbolMap = Annotated[Mapping[str, str], BeforeValidator(_read_symbol_map), block, frozen]
