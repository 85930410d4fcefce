"""Say of a key that no table knows whether it may be an instruction, and what to send instead.

One row a theme: the words that give it away anywhere in a key, whole keys, and stems for keys that are
written as one word. Refusing one too many costs less than trading past one. What only describes the
market (`rsi`, `ema_slope`, `volume_ratio`) is no instruction. Nothing here looks at a value but by
whole words.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from functools import lru_cache
from typing import NamedTuple


def names(words: str) -> frozenset[str]:
    """Return the set of the words in a string: lists of words read best as one line."""
    return frozenset(words.split())


def normalise(key: str) -> str:
    """Return `key` without what spelling may vary: case, `_`, `-`, `/`, spaces and dots."""
    return key.lower().translate(_SEPARATORS)


_SEPARATORS = str.maketrans("", "", "_- ./")
_SPLIT = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def split_words(key: str) -> set[str]:
    """Return the words of `key`, lower case, each also without a plural `s`."""
    words = {word.lower() for word in _SPLIT.findall(key)}
    return words | {word.removesuffix("s") for word in words}


class Theme(NamedTuple):
    """What a group of foreign keys is about."""

    remedy: str
    """What to send instead, as the end of a sentence; empty where nothing does the same."""
    words: frozenset[str]
    """A key with one of these words belongs here: camelCase, `_` and spaces split words."""
    whole: frozenset[str] = frozenset()
    """Folded keys that belong here, but not as a part of a longer one."""
    stems: frozenset[str] = frozenset()
    """Parts of folded keys: users write `closeonly` and `slticks` as one word."""
    is_amount: bool = False
    """Whether it says how much: without it the size of an order is not known."""


THEMES: tuple[Theme, ...] = (
    # The first row that matches decides: `sl_pct` is a level, `position_pct` an amount.
    Theme(
        "send one stop_loss and one take_profit, or stop_price as the level of the order itself",
        names(
            "sl tp stop loss profit target take cut protect protective invalidation stp tsl ttp"
            " trail trailing callback activation breakeven bracket atm proft"
        ),
        names("be ts pt rr t0 t1 t2 t3 t4 t5 t6 t7 t8 t9 tpsl sltp"),
        names("takeprofit stop trail breakeven profit target tgt loss sltp tpsl sltobe"),
    ),
    Theme("", names("leverage lev lever lvg risk isolated"), stems=names("leverage")),
    Theme(
        "send order_type with limit_price or stop_price",
        names("price px limit lmt trigger offset otype ordertype postonly oflags flags"),
        names("at typ execution"),
        names("price limit ordtype ordertype postonly orderkind"),
    ),
    Theme("", names("max min risk"), stems=names("risk")),
    Theme(
        "send quantity",
        names(
            "size quantity qty qtty qnty lot amount amt ammount sz stake pcs invest investment alloc"
            " allocation percent pct percentage perc prct ratio fraction portion half partial part"
            " share contract coins unit notional nominal cash dollar usd usdt cost fund budget"
            " exposure scale factor martingale denomination ccy"
        ),
        names(
            "value count num pos tokens cantidad menge volumen double doubleup mult mul multi times"
            " repeat basis in isquote isbase inquote tradevolume ordervolume tradevol ticket worth"
            " spend bet wager investing quarter third split slices pieces bags"
        ),
        names("size qty quan contract amount amnt percent pct budget multiplier"),
        is_amount=True,
    ),
    Theme(
        "",
        names("pip tick point multiplier weight margin balance equity capital"),
        stems=names("pips"),
    ),
    Theme(
        "send one action, and market_position for the position after the order",
        names(
            "reduce close closed closing exit reverse reversal cancel flatten position pos side"
            " direction action entry entries long short effect hedge inverse invert inverted opposite"
            " unwind square"
        ),
        names(
            "buy sell cover mp isshort islong intent operation purpose cmd which net goal desired"
            " then next chain"
        ),
        names(
            "reduceonly close closing exit cancel flatten flatfirst ifflat reverse hedge mktpos"
            " marketpos posafter liquidat invalidat"
        ),
    ),
    Theme(
        'send "test": true to try an alert',
        names(
            "paper dry demo simulate simulated simulation sim sandbox test testing testnet skip"
            " disable disabled pause paused ignore not dont"
        ),
        names("backtest isbacktest env environment preview noop shadow notrade donottrade"),
        names("dryrun paper demo istest testmode testalert testorder simulat only"),
    ),
    Theme(
        "send account_group",
        names(
            "account acct acc subaccount portfolio wallet profile connection destination route"
            " routing broker"
        ),
        names("user userid"),
        names("acct accnt"),
    ),
    Theme("send strategy", frozenset(), names("bot system robot algo")),
    Theme(
        "send time_in_force day or gtc",
        names("expire expiry expiration expires ttl validity until timeout gtd gtt"),
        names("duration valid goodfor exp expdate variety"),
        names("goodtil expir"),
    ),
    Theme(
        "send one alert for each symbol", names("symbols tickers"), names("pairs instruments legs")
    ),
    Theme(
        "the symbol must say it alone (NQ1!, ESZ2026, BTCUSDT.P)",
        names("option maturity perp perpetual strike intrinsic futures"),
        names("right cp callput future"),
        names("option"),
    ),
    Theme(
        "",
        names(
            "mode flag only sync active extended window filter wait spread slippage retry leg legs"
            " order orders pyramid pyramiding dca grid twap iceberg oco live enable enabled schedule"
            " cooldown unless delay level levels"
        ),
        names("if when condition conditions above below cap ceiling"),
        names("oneperbar delay"),
    ),
)

_TURNS = names("inverse invert inverted inverting contrarian flip flipped hedge hedged hedging")
_TURNS_WHOLE = names("fade reversesignal reversesignals reverseside swapside swapsides")
_VOIDS = names(
    "validate validateonly dryrun simulate simulated simulation noop preview backtest unconfirmed skip"
    " ignore disabled paused"
)
_CONFIRMS = names("barclosed isbarclosed candleclosed barstateisconfirmed")


@lru_cache(maxsize=4096)
def find_effect(key: str) -> str | None:
    """Return what a foreign key would do to the order as a whole, None where it only adds to it.

    `turns`: by anything but false it makes a buy of a sell. `voids`: by true there is no order.
    `confirms`: by false there is none.
    """
    words = split_words(key)
    if words & _MARKET_WORDS:
        return None
    folded = normalise(key)
    if words & _TURNS or folded in _TURNS_WHOLE:
        return "turns"
    if folded in _VOIDS or folded.removeprefix("is") in _VOIDS:
        return "voids"
    is_state = "confirmed" in words or folded in _CONFIRMS or folded == "isconfirmed"
    return "confirms" if folded in SWITCHES or is_state else None


def turns(key: str, value: str) -> bool:
    """Tell whether a word turns the order round where it says a type or a mode."""
    return normalise(value) in _TURNS and bool(split_words(key) & _KINDS_OF)


_KINDS_OF = names("type mode")

SWITCHES = names(
    "enabled active enable isenabled isactive live islive execute trade tradeenabled tradingenabled"
    " trading autotrade autotrading sendorder placeorder enabletrading enabletrade allowtrade"
    " allowtrading"
)
"""By `false` these say that nothing is to be done; by `true` nothing at all."""

_MARKET_WORDS = names(
    "rsi ema sma wma hma ma macd atr adx cci stoch bb bollinger vwap obv mfi roc momentum trend"
    " slope regime bias indicator oscillator volatility volume session pattern divergence strength"
    " score confidence rank grade quality condition zone structure candle htf ltf mtf supertrend"
    " ichimoku"
)
"""A key with one of these describes the market: its value may be any word."""

# Values that are an instruction under any key that is not known.
_VALUES = names(
    # what is done
    "close closed closing closelong closeshort closeall closeposition exit exited exitlong exitshort"
    " exitall flat flatten reverse reduce reduceonly liquidate liquidated cancel cancelled"
    " canceled cover breakeven add scalein scaleout stopped stoppedout paused disabled"
    # how
    " limit lmt stop stops stp stoplimit stopmarket stopmkt stplmt trailing trailingstop"
    " takeprofit stoploss postonly ioc fok gtd moc moo call put"
    # of what
    " fut future futures perp perpetual swap option options"
    " percent percents percentage pct ticks tick pips points quote"
)

# `sl` and `tp` written as one word with what they count.
_LEVEL = re.compile(
    r"(?:hard|soft|initial|init|my|new|long|short|trade|fixed|dynamic)?(?:sl|tp)s?"
    r"(?:ticks?|points?|pts|pips?|values?|levels?|distance|dist|type|mode|unit|atr|offset|usd|list"
    r"|perc|on|enabled|hit)?[0-9]*"
)
# Names near which another spelling is a typing error: the fields that decide.
_SPELLED = (
    *("quantity", "amount", "contracts", "percentage", "stoploss", "takeprofit", "leverage"),
    *("ordertype", "limitprice", "stopprice", "marketposition", "positionsize", "reduceonly"),
    *("timeinforce", "trailing"),
)
_AMOUNTS_SPELLED = names("quantity amount contracts percentage")
_CLOSE_TENTHS = 8
_LONG = 6
"""Words of so many letters are stems too: `tradingaccount`, `sandboxmode`."""
_STEMS = [
    (theme, theme.stems | {word for word in theme.words if len(word) >= _LONG}) for theme in THEMES
]
_AMOUNT = next(theme for theme in THEMES if theme.is_amount)
_LEVELS = THEMES[0]
_OTHER = THEMES[-1]


@lru_cache(maxsize=4096)
def find_theme(key: str) -> Theme | None:
    """Return the theme of the instruction that a key may be; None for what only describes."""
    words, folded = split_words(key), normalise(key)
    for theme in THEMES:
        if theme.words & words or folded in theme.whole:
            return theme
    for theme, stems in _STEMS:
        if any(stem in folded for stem in stems):
            return theme
    if _LEVEL.fullmatch(folded):
        return _LEVELS
    return None if words & _MARKET_WORDS else _find_misspelled(folded)


def _find_misspelled(folded: str) -> Theme | None:
    """Return the theme of the field whose name was meant: `quanity`, `take_proft`."""
    for name in _SPELLED:
        may_be = folded[:1] == name[0] and abs(len(folded) - len(name)) <= 2
        if may_be and SequenceMatcher(None, folded, name).ratio() * 10 >= _CLOSE_TENTHS:
            return _AMOUNT if name in _AMOUNTS_SPELLED else _OTHER
    return None


def find_theme_of_value(key: str, value: str) -> Theme | None:
    """Return the theme of a word that is an instruction under whatever key it stands."""
    folded = normalise(value) if len(value) <= 40 and value.isascii() else ""
    if split_words(key) & _MARKET_WORDS:
        return None
    if "partial" in folded or "half" in split_words(value):
        return _AMOUNT
    return _OTHER if folded in _VALUES else None
