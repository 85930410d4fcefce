"""Know the spellings of others that would pass for a coin or a share and are neither.

Derivatives as other venues and libraries write them, indices, and what contracts for difference are
called. Each is answered with the spelling to use; nothing is traded under a guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

from brokers.instruments import futures

FUTURES_ONLY = frozenset(
    {"CME", "CME_MINI", "CBOT", "CBOT_MINI", "NYMEX", "NYMEX_MINI", "COMEX", "COMEX_MINI", "CFE"}
    | {"GLOBEX", "CME_GLOBEX", "EUREX", "ICEUS", "ICEEUR", "NFO", "BFO", "MCX", "NSE_FO"}
)
"""Exchanges that list nothing but futures, as TradingView and Indian brokers write them."""
PERPETUALS_ONLY = frozenset({"BITMEX", "DERIBIT", "DYDX"})
_DERIVED = re.compile(r"FUT|PERP|SWAP|LINEAR|USD_?M(?![A-Z])|COIN_?M(?![A-Z])|INVERSE")
"""What gives away a venue of derivatives in the name of an exchange: `BINANCE_FUTURES`."""
_DELAYED = ("_DL", "_DLY")
_LONGEST_ROOT = 5

INDICES = frozenset(
    {"SPX", "SPX500", "SP500", "US500", "US30", "US100", "US2000", "NAS100", "NASDAQ100", "USTEC"}
    | {"NDX", "NDX100", "DJI", "DJIA", "DJ30", "WS30", "RUT", "VIX", "DXY", "USDX", "DAX", "GER30"}
    | {"GER40", "DE30", "DE40", "UK100", "FTSE", "FTSE100", "FRA40", "CAC40", "EU50", "EUSTX50"}
    | {"ESX50", "STOXX50", "ESP35", "IT40", "SUI20", "JP225", "JPN225", "NI225", "NIKKEI", "HK50"}
    | {
        "HSI",
        "CHN50",
        "CN50",
        "AUS200",
        "NIFTY",
        "NIFTY50",
        "BANKNIFTY",
        "SENSEX",
        "USOIL",
        "UKOIL",
    }
    | {"USOUSD", "UKOUSD", "WTI", "BRENT", "XTIUSD", "XBRUSD", "WTICOUSD", "BCOUSD", "NATGAS"}
    | {"NAS100USD", "US30USD", "SPX500USD", "DE30EUR", "UK100GBP", "JP225USD"}
)
"""Indices and raw materials, as charts and brokers of contracts for difference call them."""

_MONTHS = futures.MONTHS
_PROJECTX = re.compile(rf"(?:CON\.)?F\.[A-Z]{{2}}\.([A-Z0-9]+)(?:\.([{_MONTHS}])([0-9]{{2}}))?")
_PROJECTX_ROOTS = (
    {"EP": "ES", "ENQ": "NQ", "CLE": "CL", "MCLE": "MCL", "NQM": "QM", "NGE": "NG", "NQG": "QG"}
    | {"HOE": "HO", "RBE": "RB", "GCE": "GC", "SIE": "SI", "CPE": "HG", "PLE": "PL", "TUA": "ZT"}
    | {"FVA": "ZF", "TYA": "ZN", "TNA": "TN", "USA": "ZB", "ULA": "UB", "ZCE": "ZC", "ZWA": "ZW"}
    | {"ZSE": "ZS", "ZME": "ZM", "ZLE": "ZL", "GLE": "LE", "DA6": "6A", "BP6": "6B", "CA6": "6C"}
    | {"EU6": "6E", "JY6": "6J", "SF6": "6S", "GMET": "MET"}
)
"""The roots inside ProjectX's contract ids that are not the exchange's own."""
_PERPETUAL = re.compile(r"([A-Z0-9/_-]*[A-Z0-9])(?:[-_]SWAP|[-_]?PERP(?:ETUAL)?)")
_KUCOIN = re.compile(r"([A-Z0-9]{2,}?)(USDT|USDC|USD)M")
_BARE_PERPETUAL = re.compile(r"([A-Z0-9]{2,})[-_]PERP(?:ETUAL)?")
_LINEAR_QUOTES = frozenset({"USDT", "USDC"})
_COIN_DATED = re.compile(
    r"[A-Z0-9]{2,}(?:[-_](?:USDT|USDC|USD))?[-_](?:[0-9]{6}|[0-9]{1,2}[A-Z]{3}[0-9]{2})"
)
"""A dated future of a coin as exchanges write it: `BTCUSDT_261225`, `BTC-USDT-261225`, `BTC-26DEC26`."""
_KRAKEN = re.compile(r"(P|F)(I|F)_([A-Z0-9]{2,})(USDT|USDC|USD)(?:_[0-9]{6})?")
"""Perpetual or fixed date, inverse or linear: `PF_XBTUSD`, `PI_XBTUSD`, `FI_XBTUSD_261225`."""
_FUT = re.compile(r"(?=.{5})[A-Z0-9]{2,}FUT(?:URES?)?")
_COIN_FUTURE = re.compile(rf"[A-Z0-9]{{2,}}(?:USDT|USDC|USD)[{_MONTHS}](?:20)?[0-9]{{2}}")
_CFD = re.compile(r"([A-Z0-9]{6,10}?)(?:[.#+]|\.?(?:[MRCZI]|PRO|ECN|RAW|STD|CASH)|\.[A-OQ-Z])")
"""A pair with a broker's own suffix: `EURUSD.r`, `XAUUSDm`."""
_DATED = re.compile(rf"[A-Z0-9]{{1,3}}[{_MONTHS}]([0-9]{{1,2}})")
_YEARS_AHEAD = 8


def find_contradiction(exchange: str, name: str, kind: str | None) -> str | None:
    """Say what is wrong with a coin or a share on an exchange that lists only derivatives."""
    for suffix in _DELAYED:
        exchange = exchange.removesuffix(suffix)
    if exchange in FUTURES_ONLY:
        root = name if len(name) <= _LONGEST_ROOT and name.isalnum() else "ES"
        text = f"lists futures and {name} names no month: write {root}1!, or like {root}Z2026"
        return None if kind == "futures" else text
    if exchange in PERPETUALS_ONLY or _DERIVED.search(exchange):
        text = f"lists derivatives and {name} is none: write {name}.P for the perpetual"
        return None if kind in ("linear", "futures") else text
    return None


def find_remedy(
    name: str, market: str | None, today: date, is_pair: Callable[[str], bool]
) -> str | None:
    """Say what `name` is elsewhere and how it is written here; None where it is nothing known."""
    if name in INDICES:
        return (
            "is an index or a CFD: not tradable here. Send a future like MES1! or a fund, or map it "
            f'under the account: symbols: {{"{name}": "MES1!"}}'
        )
    if projectx := _PROJECTX.fullmatch(name):
        root = _PROJECTX_ROOTS.get(projectx[1], projectx[1])
        spelled = f"{root}{projectx[2]}20{projectx[3]}" if projectx[2] else f"{root}1!"
        return f"is a contract id of ProjectX: write {spelled}"
    if is_pair(name):
        return None
    if _is_unknown_contract(name, market, today):
        return "is no contract that is known; what a point is worth is never guessed"
    return _name_derivative(name, is_pair)


def read_perpetual(name: str, is_pair: Callable[[str], bool]) -> str | None:
    """Return the perpetual that others' spelling means where the account says that it trades perpetuals.

    `BTC-PERP` is in USDT, as nearly all are; without a separator (`BTCPERP`) it is the name of one in USDC at
    Bybit, and stays unread. One that is settled in coins (`XBTUSDM`) is another contract.
    """
    if (kucoin := _KUCOIN.fullmatch(name)) and kucoin[2] in _LINEAR_QUOTES:
        return f"{_name_coin(kucoin[1])}{kucoin[2]}.P"
    bare = _BARE_PERPETUAL.fullmatch(name)
    return f"{_name_coin(bare[1])}USDT.P" if bare and not is_pair(bare[1]) else None


def _name_coin(coin: str) -> str:
    return "BTC" if coin == "XBT" else coin


def _name_derivative(name: str, is_pair: Callable[[str], bool]) -> str | None:
    if perpetual := _PERPETUAL.fullmatch(name):
        if is_pair(perpetual[1]):
            return None  # with its quote it has one meaning
        return f"is a perpetual that does not say its quote: write it like {perpetual[1]}USDT.P"
    if kucoin := _KUCOIN.fullmatch(name):
        coin = _name_coin(kucoin[1])
        if kucoin[2] not in _LINEAR_QUOTES:
            return (
                "is an inverse contract as KuCoin writes it, settled in the coin, which is not traded "
                f"here: write {coin}USDT.P"
            )
        return f"is a perpetual as KuCoin writes it: write {coin}{kucoin[2]}.P"
    if kraken := _KRAKEN.fullmatch(name):
        coin = _name_coin(kraken[3])
        if kraken[1] == "P" and kraken[2] == "F":
            return f"is a perpetual as Kraken writes it: write {coin}{kraken[4]}.P"
        what = "a dated" if kraken[1] == "F" else "an inverse"
        return f"is {what} contract, which is not traded here: write {coin}USDT.P"
    if _FUT.fullmatch(name):
        return "is a future in another's spelling: write it like ES1! or ESZ2026"
    if _COIN_FUTURE.fullmatch(name) or _COIN_DATED.fullmatch(name):
        return (
            "is a dated future of a coin, which is not known here: write BTCUSDT.P for a perpetual"
        )
    if (cfd := _CFD.fullmatch(name)) and is_pair(cfd[1]):
        return f"is a CFD broker's name of {cfd[1]}: write {cfd[1]}"
    return None


def _is_unknown_contract(name: str, market: str | None, today: date) -> bool:
    """Tell `ZCZ6` (corn) from a name; on an account with a market its venue says what it lists."""
    dated = _DATED.fullmatch(name) if market is None else None
    if dated is None or futures.read_contract(name, today):
        return False
    digits = dated[1]
    return len(digits) == 1 or -1 <= 2000 + int(digits) - today.year <= _YEARS_AHEAD
