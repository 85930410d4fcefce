"""Read one value: a number, a symbol, an action, a time.

Each reader returns the exact meaning or raises `ValueError` with the reason and the remedy, to be
put behind the field's name. None of them knows which field it reads or what its absence would mean.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from decimal import Decimal

from parsers.unknown_keys import names

from .alert import ParseError, is_symbol, read_number
from .placeholders import Unreadable, find_placeholder


class Number(str):
    """The digits of a number as they stood in the body, so that nothing is ever rounded."""

    __slots__ = ()


_NOTHING = names("nan na n/a null none undefined nil inf -inf infinity -infinity")
_ACTIONS = {
    "buy": "buy long enterlong entrylong longentry openlong longopen golong buytoopen bto",
    "sell": "sell short entershort entryshort shortentry openshort shortopen goshort selltoopen sto"
    " sellshort",
    "close": "close exit flat flatten closeall exitall flattenall closeposition exitposition",
    "close_long": "closelong exitlong longexit longclose selltoclose stc",
    "close_short": "closeshort exitshort shortexit shortclose buytoclose buytocover cover",
    "cancel": "cancel cancelorder cancelorders cancelall cancelallorders",
    "reverse": "reverse reverseposition",
    "update": "update updateposition updatestop",
    "breakeven": "breakeven movetobreakeven stoptobreakeven",
    "halt": "halt",
    "partial": "closepartial partialclose",
    "open": "open enter entry",
}
ACTION_WORDS = {word: action for action, words in _ACTIONS.items() for word in words.split()}
_SIDES = {"long": "long", "bullish": "long", "short": "short", "bearish": "short", "flat": "flat"}
_TRUE = names("true yes on 1")
_FALSE = names("false no off 0")
_PREFIX = re.compile(r"[A-Z0-9_]{1,20}")
_OPTION = re.compile(
    r"\.?[A-Z]{1,6}[ _]*[0-9]{6}[CP][0-9.]+"
    r"|[A-Z]{1,6}_[0-9]{6}[0-9.]+"
    r"|[A-Z&-]+[0-9]{2}[A-Z0-9]{3,5}[0-9]*(?:CE|PE)"
    r"|[A-Z]+-[0-9]{1,2}[A-Z]{3}[0-9]{2}-[0-9]+-[CP]"
)
_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:]{5,8}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})"
)
_EPOCH = re.compile(r"[0-9]{10}(?:\.[0-9]{1,9})?|[0-9]{13}")
_INTERVAL = re.compile(r"([0-9]{0,5})([A-Za-z]{0,3})")
_SECONDS = {
    "": 60,
    "m": 60,
    "min": 60,
    "s": 1,
    "S": 1,
    "h": 3600,
    "H": 3600,
    "d": 86400,
    "D": 86400,
    "w": 604800,
    "W": 604800,
    "M": 2592000,
}


def show(value: object) -> str:
    """Return `value` for a message: quoted as in JSON, ASCII only, cut at 60 characters."""
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    text = write(value)
    # A placeholder looks the same whether it stood in quotes or not.
    is_bare = isinstance(value, (Number, Unreadable)) or (text[:2], text[-2:]) == ("{{", "}}")
    if isinstance(value, str) and not is_bare:
        text = json.dumps(str(value))
    text = text.encode("ascii", "backslashreplace").decode()
    return text if len(text) <= 60 else text[:57] + "..."


def write(value: object) -> str:
    """Return `value` as text to keep."""
    return str(value) if isinstance(value, str) else json.dumps(value)


def find_emptiness(value: object) -> str | None:
    """Return `null`, `empty` or `unreadable` where there is no value; None where there is one."""
    if value is None:
        return "null"
    if type(value) is Number:
        return None
    if isinstance(value, str):
        if type(value) is Unreadable:
            return "unreadable"
        text = value.strip()
        if not text:
            return "empty"
        if "{{" in text or text.lower() in _NOTHING:
            return "unreadable"
    return None


def name_emptiness(value: object) -> str:
    """Say why there is no value, and what helps."""
    if isinstance(value, str):
        placeholder = find_placeholder(value)
        if placeholder is not None:
            return (
                f"{placeholder} was not replaced by TradingView. strategy.* placeholders work only "
                "in an alert on a strategy; check the name, or write the value itself."
            )
        if not value.strip():
            return "there is no value. Write one, or leave the key out."
        return f"{show(value)} is no value: the plot or placeholder had none when the alert fired."
    return "null is no value. Write one, or leave the key out."


def read_decimal(value: object) -> Decimal:
    """Return the number that stands there, digit for digit."""
    if not isinstance(value, str):
        raise ValueError(f"{show(value)} is not a number.")
    number = read_number(value.strip())
    if number is None:
        raise ValueError(f"{show(value)} {_why_no_number(value)}")
    return number


def read_amount(value: object) -> Decimal:
    """Return a number that is not negative."""
    number = read_decimal(value)
    if str(value).lstrip().startswith("-"):
        raise ValueError(
            f"{show(value)} is negative: write it without the minus sign; the action says which side."
        )
    return number


def read_price(value: object) -> Decimal:
    """Return a number above zero."""
    number = read_amount(value)
    if not number:
        raise ValueError("is zero.")
    return number


def _why_no_number(text: str) -> str:
    if "," in text:
        return _explain_comma(text)
    if not text.isascii():
        return "has characters that are not ASCII digits."
    if "%" in text:
        return (
            "is a percentage: write a plain number; stop_loss and take_profit also take "
            '{"percent": 2}, counted from the fill.'
        )
    if re.fullmatch(r"\s*[+-]?[0-9.]+[eE][+-]?[0-9]+\s*", text):
        return "has an exponent of more than twelve digits: write all its digits."
    if "{" in text:
        return "is a placeholder with one brace: write {{…}} with two."
    return "is not a plain number: write it like 0.1 or 45000."


def _explain_comma(text: str) -> str:
    """Say how a number with a comma is written; which of the two it was is not guessed."""
    text = text.strip()
    if text.endswith(","):
        return "ends in a comma: take it out."
    if re.fullmatch(r"[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]+", text):
        return f"has separators: write {text.replace('.', '').replace(',', '.')}."
    if re.fullmatch(r"0,[0-9]+", text):
        return f"has a comma: write {text.replace(',', '.')}."
    return "has a comma: write 61250.5 for 61,250.50, without separators."


def read_action(value: object) -> tuple[str, str]:
    """Return the action and the word it was written with, both in lower case."""
    if not isinstance(value, str) or isinstance(value, Number):
        raise ValueError(f"{show(value)} is not an action: write buy, sell or close.")
    word = fold(value)
    # Spelled so it means everything of the strategy; every other spelling, one instrument.
    action = "close_all" if value.strip().lower() == "close_all" else ACTION_WORDS.get(word)
    if action is None:
        raise ParseError(
            f"action {show(value)} is not supported: use buy, sell, close, close_long, "
            "close_short, close_all, reverse, update, breakeven, cancel or halt.",
            field="action",
            code="UNSUPPORTED",
            status=422,
        )
    return action, word


def fold(text: str) -> str:
    """Return a word without case, `_`, `-` and spaces; letters outside ASCII match nothing."""
    if not text.isascii():
        return ""
    return text.strip().lower().replace("_", "").replace("-", "").replace(" ", "")


def read_side(value: object) -> str:
    """Return long, short or flat."""
    side = _SIDES.get(value.strip().lower()) if isinstance(value, str) and value.isascii() else None
    if side is None:
        raise ValueError(f"{show(value)} is not a side: write long, short or flat.")
    return side


def read_symbol(value: object) -> str:
    """Return the symbol as written, upper case. What may be another instrument is refused."""
    if not isinstance(value, str) or isinstance(value, Number):
        raise ValueError(f"{show(value)} is not a symbol: write it in quotes.")
    text = value.strip()
    if not text.isascii():
        raise ValueError(f"{show(value)} has characters that are not ASCII.")
    text = text.upper()
    prefix, _, name = text.rpartition(":")
    _refuse_two_symbols(value, text)
    if "/" in prefix:
        raise ValueError(
            f"{show(value)} is ccxt's spelling of a derivative: write BTCUSDT.P for the perpetual."
        )
    if _OPTION.fullmatch(name):
        message = f"symbol: {show(value)} is an option; options are not supported."
        raise ParseError(message, field="symbol", code="UNSUPPORTED", status=422)
    if "_" in name:
        raise ValueError(f"{show(value)} may be quote_base or base_quote: write it like BTCUSDT.")
    if not is_symbol(text) or (prefix and not _PREFIX.fullmatch(prefix)) or not _has_letters(name):
        raise ValueError(f"{show(value)} is not a symbol: write it like BTCUSDT, ES1! or NYSE:IBM.")
    return text


_EXCHANGES = names(
    "NASDAQ NYSE AMEX ARCA BATS OTC US LSE LON XETR FWB TSX TSXV ASX HKEX NSE BSE EURONEXT SIX JPX"
    " CME CBOT NYMEX COMEX CME_MINI BINANCE BYBIT OKX COINBASE KRAKEN BITGET KUCOIN BITSTAMP PERP"
)
_SEVERAL = re.compile(r".*!.*[A-Z].*|[A-Z0-9.]+-[0-9]{3,}")


def _refuse_two_symbols(value: object, text: str) -> None:
    """Refuse what is not one instrument: a spread, a root without a month, an exchange behind it."""
    prefix, _, name = text.rpartition(":")
    if text.count(":") > 1 and "/" in prefix:
        raise ValueError(f"{show(value)} is a spread of two symbols: send one.")
    if prefix and name in _EXCHANGES and prefix not in _EXCHANGES:
        raise ValueError(f"{show(value)}: write the exchange in front, like NASDAQ:AAPL.")
    if text.startswith("/") and re.fullmatch("/[A-Z]+", text):
        raise ValueError(f"{show(value)} may be any month: write ES1! for the future after /ES.")
    if _SEVERAL.fullmatch(name):
        raise ValueError(f"{show(value)} is not one symbol as TradingView writes it.")


def _has_letters(name: str) -> bool:
    # `1/BTCUSD` is a formula on TradingView; `005930` is a share in Seoul.
    base = name.partition("/")[0] if not name.startswith("/") else name[1:]
    return any(letter.isalpha() for letter in base) or ("/" not in name and name.isdigit())


def read_flag(value: object) -> bool:
    """Return true or false; a word for either is one too."""
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else ""
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise ValueError(f"{show(value)} is neither true nor false.")


def is_off(value: object, *, zero: bool = False) -> bool:
    """Tell whether an instruction says nothing: null, empty or false; with `zero` also zero."""
    if isinstance(value, Unreadable):
        return False
    if not isinstance(value, str):
        return not value
    text = value.strip().lower()
    if zero and re.fullmatch(r"0+(?:\.0+)?", text):
        return True
    return text in ("", "false", "null", "none")


def read_name(value: object) -> str:
    """Return a name of 1 to 64 printable characters."""
    if not isinstance(value, str):
        raise ValueError(f"{show(value)} is not a name: write it in quotes.")
    text = value.strip()
    if not 1 <= len(text) <= 64 or not text.isprintable():
        raise ValueError(f"{show(value)} is not a name of 1 to 64 printable characters.")
    return str(text)


def read_time(value: object) -> int:
    """Return milliseconds since 1970: ISO 8601 with a zone, 10 digits of seconds or 13 of them."""
    text = value.strip() if isinstance(value, str) else ""
    if _EPOCH.fullmatch(text):
        return int(text) if len(text) == 13 and "." not in text else int(Decimal(text) * 1000)
    if _ISO.fullmatch(text):
        return round(datetime.fromisoformat(text).timestamp() * 1000)
    raise ValueError(f"{show(value)} is not a time: write it like 2025-06-17T14:30:01Z.")


def read_interval(value: object) -> int:
    """Return the seconds of TradingView's interval: `5`, `60`, `4h`, `D`, `1W`, `30S`."""
    match = _INTERVAL.fullmatch(value.strip()) if isinstance(value, str) else None
    if match and any(match.groups()) and match[2] in _SECONDS and (match[1] or match[2].isupper()):
        seconds = int(match[1] or 1) * _SECONDS[match[2]]
        if seconds:
            return seconds
    raise ValueError(f"{show(value)} is not an interval.")
