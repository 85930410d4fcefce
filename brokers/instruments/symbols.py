"""Say what a TradingView symbol is: one name for its many spellings, and the kind of instrument.

`canonical` gives the name that shares, owners and halts go by; `classify` the instrument behind it,
as far as a name can tell. A perpetual never becomes spot or the other way round, and a future whose
point value is not known is refused. No venue is asked: what a venue really lists, it says itself.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import lru_cache

from brokers.instruments import futures, spellings
from brokers.instruments.contracts import build_continuous, build_contract
from brokers.protocol import BrokerRefused, Instrument

_COINS = ("USDT", "USDC", "FDUSD", "TUSD", "BUSD", "BTC", "ETH", "BNB")
_FIAT = ("USD", "EUR", "GBP", "JPY", "TRY", "BRL", "AUD", "CAD", "CHF", "KRW", "PLN", "ZAR", "UAH")
_QUOTES = tuple(sorted(_COINS + _FIAT, key=len, reverse=True))
_SHORT_QUOTE = 3
"""A quote of so many letters needs a base of as many: `ETHBTC` is a pair, the fund `GBTC` no."""
_CLIPPED = {"TUSD": "T", "BUSD": "B"}
"""Quotes that also end other pairs: `BNBUSD` is BNB in dollars, `BTCBUSD` bitcoin in BUSD."""

# ISO 4217 in use, gold and silver among them, and the offshore yuan. The tugrik is left out: nobody
# quotes it against others, and MNTUSD is a coin.
_ISO_4217 = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN
    BZD CAD CDF CHF CLP CNH CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP
    GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR
    KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MOP MRU MUR MVR MWK MXN
    MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD
    SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH
    UGX USD UYU UZS VED VES VND VUV WST XAF XAG XAU XCD XOF XPD XPF XPT YER ZAR ZMW ZWG
"""
_CURRENCIES = frozenset(_ISO_4217.split())
_CODE = 3

_CCXT_SWAP = re.compile(r"(?:.*:)?([A-Z0-9]+)/([A-Z0-9]+):\2")
_PERPETUAL = re.compile(r"(?:(.+)\.P|([A-Z0-9/_-]*[A-Z0-9])(?:[-_]SWAP|[-_]?PERP))")
_SEPARATED = re.compile(r"([A-Z0-9]+)[/-]([A-Z0-9]+)")
_SHARE_CLASS = re.compile(r"([A-Z]{1,5})[/-]([A-OQ-Z])")
_EQUITY = re.compile(r"[A-Z]{1,5}(?:[./][A-Z]{1,2})?")
_FUTURE_SHAPE = re.compile(rf".+!|[A-Z0-9]+[{futures.MONTHS}]20[0-9]{{2}}")
_DELAYED = ("_DL", "_DLY")


def canonical(symbol: str, today: date | None = None) -> str:
    """Return the one name of an instrument: `CME_MINI:MES1!` is `MES1!`, `ETH/USDT` `ETHUSDT`.

    `MESZ6`, `MESZ26` and `MES 12-26` are `MESZ2026`; one digit of a year counts from `today`, by
    default this very day in UTC. `BTCUSDT.P` stays, `BTCUSDTPERP` and `BTC/USDT:USDT` become it.
    What is not recognised keeps its spelling. The name of a name is itself.
    """
    return _canonical(symbol, today or datetime.now(UTC).date())


def is_delayed_feed(symbol: str) -> bool:
    """Tell whether the exchange in `CME_MINI_DL:ES1!` (or by itself) is one of the late feeds."""
    return symbol.partition(":")[0].upper().endswith(_DELAYED)


def is_perpetual(symbol: str) -> bool:
    """Tell whether the name itself says that it is a perpetual."""
    return _PERPETUAL.fullmatch(_canonical(symbol, date.min)) is not None


def classify(symbol: str, market: str | None, today: date) -> Instrument:
    """Return the instrument that a name means on an account of `market`.

    `market` (spot, linear, futures, equity) says what a plain name is; without it (None) the name
    decides alone. Where the two differ openly (`BTCUSDT.P` on spot, `ES1!` on linear): `BrokerRefused`
    with code `MARKET_MISMATCH`. A future of a product that is not known, an index, and a derivative in
    another's spelling, which would pass for a coin or a share: `SYMBOL_UNKNOWN`, naming what to write.
    A contract that has expired is classified like any other, so that exits can find it.
    """
    return _classify(symbol, market, today)


@lru_cache(maxsize=4096)
def _canonical(symbol: str, today: date) -> str:
    name = symbol.strip().upper()
    if swap := _CCXT_SWAP.fullmatch(name):
        return f"{swap[1]}{swap[2]}.P"
    before, _, after = name.rpartition(":")
    if "/" not in before:  # BTC/USD:BTC is no exchange called BTC/USD
        name = after.strip()
    if name.startswith("/"):  # as tastytrade writes futures: /ES, /MESZ6, /MESZ26:XCME
        name = name.lstrip("/").partition(":")[0]
        name += "1!" if name in futures.PRODUCTS else ""
    if contract := futures.read_contract(name, today):
        return contract.tradingview
    if perpetual := _PERPETUAL.fullmatch(name):
        stem = _join(perpetual[1] or perpetual[2])
        return f"{stem}.P" if perpetual[1] or _split(stem) else name
    if share := _SHARE_CLASS.fullmatch(name):
        return f"{share[1]}.{share[2]}"
    return _join(name)


def _join(name: str) -> str:
    """Take the separator out of a pair, unless the pair could not be told without it."""
    pair = _SEPARATED.fullmatch(name)
    if pair and _split(pair[1] + pair[2]) == (pair[1], pair[2]):
        return pair[1] + pair[2]
    return name


def _split(name: str) -> tuple[str, str] | None:
    """Return base and quote of a pair, or None where the name is none that is known.

    The longest quote wins, but for one that clips its neighbour: see `_CLIPPED`.
    """
    if _is_forex(name):
        return name[:_CODE], name[_CODE:]
    if "/" in name and (pair := _SEPARATED.fullmatch(name)):
        return (pair[1], pair[2]) if len(pair[2]) >= _CODE else None
    if not name.isalnum():
        return None
    for quote in _QUOTES:
        base = name.removesuffix(quote)
        if base in ("", name) or (len(quote) <= _SHORT_QUOTE and len(base) < _SHORT_QUOTE):
            continue
        if quote in _CLIPPED and (base not in _COINS or base + _CLIPPED[quote] in _COINS):
            continue
        return base, quote
    return None


def _is_forex(name: str) -> bool:
    return len(name) == 2 * _CODE and name[:_CODE] in _CURRENCIES and name[_CODE:] in _CURRENCIES


@lru_cache(maxsize=4096)
def _classify(symbol: str, market: str | None, today: date) -> Instrument:
    name = _canonical(symbol, today)
    if market == "linear" and (perpetual := spellings.read_perpetual(name, _is_pair)):
        note = f"{name} is taken as {perpetual}; write {perpetual} to say so"
        return replace(_build(perpetual, market), note=note)
    _refuse(name, spellings.find_remedy(name, market, today, _is_pair))
    kind = _read_kind(name, today)
    exchange = symbol.strip().upper().rpartition(":")[0]
    _refuse(exchange, spellings.find_contradiction(exchange, name, kind or market))
    if market is None:
        found = _build(name, kind or _guess_kind(name))
        return _warn_of_root(found, name)
    if kind and kind != market:
        words = {"linear": "a perpetual", "futures": "a future"}
        message = f"{name} is {words[kind]}, and this account has market: {market}"
        raise BrokerRefused(message, "MARKET_MISMATCH")
    plain = name
    if kind is None and market == "linear":
        name += ".P"
    if kind is None and market == "futures":
        if name not in futures.PRODUCTS:
            message = f"{name} is no futures product that is known; send one as MES1! or MESZ2026"
            raise BrokerRefused(message, "SYMBOL_UNKNOWN")
        name += "1!"
    found = _build(name, market)
    if name == plain:
        return _warn_of_root(found, name)
    note = f"{plain} means {name} on an account with market: {market}; write {name} to say so"
    return replace(found, note=note)


def _warn_of_root(found: Instrument, name: str) -> Instrument:
    """Say of a share that its name is also a future's: `ES` and `ES1!` are a world apart."""
    if found.kind != "equity" or name not in futures.PRODUCTS:
        return found
    note = f"{name} is taken as the share of that name; the future is {name}1!"
    return replace(found, note=note)


def _is_pair(name: str) -> bool:
    return _split(name) is not None


def _refuse(name: str, reason: str | None) -> None:
    if reason:
        raise BrokerRefused(f"{name} {reason}", "SYMBOL_UNKNOWN")


def _read_kind(name: str, today: date) -> str | None:
    """Return the kind that a name says openly (`linear` or `futures`), None for a plain name."""
    if _PERPETUAL.fullmatch(name):
        return "linear"
    contract = futures.read_contract(name, today)
    root = contract.root if contract else futures.read_continuous(name)
    if root in futures.PRODUCTS:
        return "futures"
    if _FUTURE_SHAPE.fullmatch(name) or ":" in name:
        message = f"{name} is no contract that is known; what a point is worth is never guessed"
        raise BrokerRefused(message, "SYMBOL_UNKNOWN")
    return None


def _guess_kind(name: str) -> str:
    """Return what a plain name is by its letters alone."""
    if _is_forex(name):
        return "forex"
    if _split(name):
        return "spot"
    return "equity" if _EQUITY.fullmatch(name) else "spot"


def _build(name: str, kind: str) -> Instrument:
    if kind == "futures":
        return _build_future(name)
    perpetual = _PERPETUAL.fullmatch(name) if kind == "linear" else None
    stem = (perpetual[1] or perpetual[2]) if perpetual else name
    base, quote = (kind != "equity" and _split(stem)) or (stem, "USD")
    return Instrument(symbol=name, kind=kind, base=base, quote=quote)


def _build_future(name: str) -> Instrument:
    if root := futures.read_continuous(name):
        return build_continuous(name, root)
    contract = futures.read_contract(name, date.min)
    if contract is None:
        raise KeyError(name)
    return build_contract(contract)
