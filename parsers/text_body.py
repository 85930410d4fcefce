"""Read a text body into the same members that a JSON object would have.

Three named forms, each consumed to its last character: TradingView's default strategy message,
`KEY=VALUE` lines, and one order in words. Prose is never searched for an order: a word that has no
place in a form refuses the whole text, and so does a command language in which `sl=15` are pips.
"""

from __future__ import annotations

import re

from parsers.refusals import refuse
from parsers.unknown_keys import names, normalise

from .alert import ParseError
from .aliases import look_up
from .placeholders import find_placeholder
from .values import ACTION_WORDS, fold

MAX_LENGTH = 2_000
SHAPES = (
    'Send JSON like {"action": "buy", "symbol": "BTCUSDT", "quantity": 0.1} '
    "or text like BUY BTCUSDT @ 45000 qty=0.1 tp=47000 sl=44000."
)
Members = list[tuple[str, object]]

FOREIGN: tuple[tuple[str, re.Pattern[str], str], ...] = (
    # whose syntax it is, how it is recognised, a sample of it
    ("Alertatron's", re.compile(r"[\w.-]{1,60}\([^()]{1,60}\) ?\{"), "keys(XBT) { market(); }"),
    ("Autoview's", re.compile(r"(?:^|\s)[eabscqtu]=\S"), "e=bybit s=BTCUSDT b=long q=5%"),
    (
        "ProfitView's",
        re.compile(r"(?:^|\s)(?:long|short|close=(?:long|short|order|position)|ifnopos)[= ]\S*%"),
        "short=10% type=market",
    ),
    ("ProfitView's", re.compile(r"(?:^|\s)close=(?:long|short|order|position)"), "close=short"),
    ("PineConnector's", re.compile(r"[0-9]{6,20} ?,"), "60000000001,buy,EURUSD,risk=1"),
    ("Trade Wzrd's", re.compile(r"[A-Za-z]{3,12},[A-Za-z0-9.]{2,20}(?:[,;]|\Z)"), "BUY,EURUSD"),
    ("a licence-first", re.compile(r"[^|]{1,60}\|[^|]{0,60}\|[^|]{3,12}\|"), "k|My|sell|ETHUSDT"),
)

_SPELLED_OUT = re.compile(r"\b(?:symbol|ticker|side|action) ?[=:]", re.IGNORECASE)

_EMPTY = (
    "The body is empty. Where the message is {{strategy.order.alert_message}}, the script must give "
    "each order an alert_message."
)


def read(text: str) -> Members:
    """Return the members of the order in `text`, or raise `ParseError`."""
    text = text.strip()
    if not text:
        raise ParseError(f"{_EMPTY} {SHAPES}")
    if len(text) > MAX_LENGTH:
        raise ParseError(f"A text alert has at most {MAX_LENGTH} characters. {SHAPES}")
    for read_form in (_read_default, _refuse_foreign, _read_lines):
        members = read_form(text)
        if members is not None:
            return members
    try:
        return _read_order(text)
    except ValueError as error:
        placeholder = find_placeholder(text)
        if placeholder:
            reason = f"Not an alert: {placeholder} was not replaced by TradingView."
            raise ParseError(f"{reason} {SHAPES}") from None
        raise ParseError(f"Not an alert. {error} {SHAPES}") from None


def _refuse_foreign(text: str) -> None:
    for owner, pattern, _ in FOREIGN:
        if owner == "Autoview's" and _SPELLED_OUT.search(text):
            continue  # single letters beside whole words are no command of theirs
        if (pattern.search if pattern.pattern.startswith("(?:^") else pattern.match)(text):
            raise refuse(f"This is {owner} command language: not supported. {SHAPES}")


def _read_default(text: str) -> Members | None:
    """`NAME (inputs): order buy @ 2 filled on MNQ1!. New strategy position is 2`.

    The number after @ is the quantity; the position is signed and stands after the order. The name is
    missing where a script has none.
    """
    if text.count(" filled on ") > 1:
        raise ParseError("Two messages in one text: send each in an alert of its own.")
    head, order, rest = f": {text}".rpartition(": order ")
    action, at, rest = rest.partition(" @ ")
    quantity, filled, rest = rest.partition(" filled on ")
    symbol, new, position = rest.partition(". New strategy position is ")
    if not (order and at and filled and new):
        return None
    if fold(action) not in ("buy", "sell"):
        reason = f"action {action[:40]!a}: this message says buy or sell."
        raise ParseError(reason, field="action")
    members: Members = [("action", action), ("symbol", symbol), ("quantity", quantity)]
    members.append(("position_size", position.removesuffix(".")))
    name = _strip_inputs(head.removeprefix(":"))
    if re.search(r"[A-Za-z] ?=", name):
        reason = f"{name[:60]!a} before the message is not read: send JSON for levels and others."
        raise ParseError(reason, field="strategy")
    return [*members, ("strategy", name)] if name else members


def _strip_inputs(head: str) -> str:
    """Return the name without the bracket of inputs at its end; brackets inside it may nest."""
    head = head.strip()
    depth = 0
    for place in range(len(head) - 1 if head.endswith(")") else -1, -1, -1):
        depth += {")": 1, "(": -1}.get(head[place], 0)
        if depth == 0:
            return head[:place].strip() or head
    return head


_LINE = re.compile(r"([A-Za-z][A-Za-z0-9_./ ]{0,40}?) ?[=:] ?(.*)")


def _read_lines(text: str) -> Members | None:
    """`action=buy`, `symbol=BTCUSDT`, …: one a line, or apart by semicolons or ampersands."""
    pieces = [piece.strip() for piece in re.split(r"[\n;]", text)]
    if len(pieces) == 1 and "=" in text and not re.search(r"\s", text):
        pieces = text.split("&")
        if re.search("%[0-9A-Fa-f]{2}", text) or (pieces[1:] and not all("=" in p for p in pieces)):
            raise ParseError(f"This is a URL-encoded form: send it as it reads. {SHAPES}")
    members: Members = []
    for piece in filter(None, pieces):
        match = _LINE.fullmatch(piece)
        if match is None or (" " in match[1] and look_up(match[1]).kind != "field"):
            return None
        if re.search(r"\s[A-Za-z_]+ ?=", match[2]):
            return None
        members.append((match[1], _unquote(match[2])))
    concepts = {look_up(key).concept for key, _ in members}
    return _refuse_twice(members) if concepts & {"action", "hint"} else None


def _unquote(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _refuse_twice(members: Members) -> Members:
    seen: set[str] = set()
    for key, _ in members:
        if normalise(key) in seen:
            raise ParseError(f"{key} stands twice: send it once.")
        seen.add(normalise(key))
    return members


_ASSIGNED = re.compile(
    r'(?P<key>[A-Za-z][A-Za-z0-9_]{0,40}) ?(?P<sign>[=:]) ?(?P<value>"[^"\n]{0,300}"|\S+)'
)
_AT = re.compile(r"@\s?(?P<value>\S+)")
_WORD = re.compile(r"\S+")
_KNOWN_KINDS = names("field bar secret instruction amount letter")


def _read_order(text: str) -> Members:
    """`BUY BTCUSDT @ 45000 qty=0.1 tp=47000`: action and symbol side by side, fields anywhere.

    Raises `ValueError` with the word that has no place.
    """
    members: Members = []
    words: list[str] = []
    place = 0
    while place < len(text):
        match = _ASSIGNED.match(text, place)
        if match and (match["sign"] == "=" or look_up(match["key"]).kind in _KNOWN_KINDS):
            end, value = _extend_key(text, match)
            members.append((match["key"], _unquote(value)))
            words.append(_FIELD)
        elif match := _AT.match(text, place):
            end = match.end()
            members.append(("price", _read_at(_strip_marks(match["value"]))))
            words.append(_FIELD)
        elif match := _WORD.match(text, place):
            end = match.end()
            words.append(_strip_marks(match[0]))
        else:
            end = place + 1
        place = end
    return _refuse_twice([*_place_words(words), *members])


_FIELD = "="
"""Stands among the words for a field that was taken out between them."""


def _read_at(value: str) -> str:
    """Return the price behind @, or a word for the market's; `5%` and `10x` are neither."""
    if not _PRICE_LIKE.fullmatch(value) and fold(value) not in ("market", "mkt"):
        raise ValueError(f"{value[:40]!a} is no price.")
    return value


def _extend_key(text: str, match: re.Match[str]) -> tuple[int, str]:
    """Keep `time|order id|size` together: only the order's id, in its middle, may have spaces."""
    value = match["value"]
    if normalise(match["key"]) == "idempotencykey" and value.count("|") == 1:
        whole = re.compile(r"[^|\s]*\|[^|=\n]{0,100}\|\S*").match(text, match.start("value"))
        if whole:
            return whole.end(), whole[0]
    return match.end(), value


def _strip_marks(word: str) -> str:
    """Return a word without the marks of bold, code and hashtags that chat messages carry."""
    for mark in ("`", "**", "*"):
        if len(word) > 2 * len(mark) and word.startswith(mark) and word.endswith(mark):
            word = word.removeprefix(mark).removesuffix(mark)
    return word.removeprefix("#")


_FIRST_OF_TWO = names("close exit enter open go")
_SECOND_OF_TWO = names("long short")
_BARE = names("at price qty quantity contracts tp sl")
_NUMBER_LIKE = re.compile(r"[0-9.]\S*|\{\{\S+\}\}|NaN")
_PRICE_LIKE = re.compile(r"[0-9][0-9.,]*(?:[eE][+-]?[0-9]{1,2})?|\{\{\S+\}\}|NaN")
"""`5%`, `10x` and `100USDT` say how much: they are no price."""
_PROSE = names(
    "SIGNAL NOW ALERT ALERTS ENTRY ENTER EXIT LONG SHORT BUY SELL CLOSE ORDER ORDERS POSITION STOP"
    " TP SL TARGET HIT ALL THE A AN AT ON IN OF TO TREND CROSS SETUP ZONE MARKET LIMIT TRADE FLAT"
    " CONFIRMED TRIGGERED ACTIVE OPEN OPENED CLOSED REACHED STRONG WEAK BULLISH BEARISH CANDLE"
    " LOSS PROFIT PRICE WITH WHEN FROM AND OR IT THIS SIDE DIP TOP BOTTOM ABOVE BELOW OVER UNDER"
    " CONDITION OPPORTUNITY REVERSAL BREAKOUT MOMENTUM TIME CROSSOVER CROSSUNDER HALF"
    " TERM SQUEEZE PULLBACK PRESSURE WARNING BIAS AGAIN DIVERGENCE CONFIRMATION RSI MACD EMA SMA VWAP"
    " ATR SUPERTREND VOLUME"
)
_SURE = re.compile(
    # NASDAQ:AAPL, ES1!, BTCUSDT.P, BRK.B, ESZ2026, ETH/USDT
    r"[A-Z0-9_]{2,}:[A-Z0-9].*|[A-Z0-9]+[0-9]!|[A-Z0-9]+\.[A-Z]{1,2}"
    r"|[A-Z0-9]{1,3}[FGHJKMNQUVXZ][0-9]{1,4}"
    r"|[A-Z0-9]{2,}[/-]?(?:USDT|USDC|USD|BUSD|FDUSD|BTC|ETH|EUR|TRY|JPY|GBP|CHF|AUD|CAD)"
)


def _place_words(words: list[str]) -> Members:
    """Return action, symbol and bare fields where every word has its place, else raise."""
    members, left = _take_bare(words)
    has_fields = bool(members) or _FIELD in left
    said = [word for word in left if word != _FIELD]
    if not said:
        return members
    is_double = [fold(word) in kind for word, kind in zip(said, _TWO, strict=False)] == [True, True]
    action = " ".join(said[: 1 + is_double])
    if ACTION_WORDS.get(fold(action), "open") == "open":
        raise ValueError(f"{action[:40]!a} is no action.")
    del said[: 1 + is_double]
    members.append(("action", action))
    if len(said) > 1 and re.fullmatch(r"[0-9]{2}-[0-9]{2}", said[1]):
        said[:2] = [" ".join(said[:2])]
    if len(said) > 1 and _PRICE_LIKE.fullmatch(said[1]):
        number = said[1][:40]
        reason = f"is it the price (@ {number}) or the quantity (qty={number})?"
        raise ValueError(f"{number!a} after {said[0][:40]!a}: {reason} Write one of the two.")
    if len(said) > 1 and fold(said[1]) in ACTION_WORDS:
        raise ValueError("Two orders in one text? Send each in an alert of its own.")
    if len(said) > 1:
        raise ValueError(f"{said[1][:40]!a} has no place in an order: write qty=0.1, tp=47000.")
    opens = ACTION_WORDS[fold(action)] in ("buy", "sell")
    if said and not _may_be_symbol(said[0], has_fields=has_fields, opens=opens):
        raise ValueError(f"{said[0][:40]!a} may be a word of prose: add a field, like qty=0.1.")
    return [*members, *(("symbol", symbol) for symbol in said)]


_TWO = (_FIRST_OF_TWO, _SECOND_OF_TWO)


def _take_bare(words: list[str]) -> tuple[Members, list[str]]:
    """Take `tp 47000` and `at 61250.5` out of the words; each leaves a mark in its place."""
    members: Members = []
    left: list[str] = []
    for word in words:
        name = left[-1].lower() if left else ""
        like = _PRICE_LIKE if name in ("at", "price") else _NUMBER_LIKE
        if name in _BARE and like.fullmatch(word):
            members.append(("price" if name == "at" else name, word))
            left[-1] = _FIELD
        else:
            left.append(word)
    return members, left


def _may_be_symbol(word: str, *, has_fields: bool, opens: bool) -> bool:
    """Tell a symbol from a word of prose: `Buy signal` is no order for SIGNAL.

    Two words alone open only what cannot be a word: an exchange, a future, a quote currency.
    """
    if not word.isascii() or word.upper().rstrip("!.") in _PROSE:
        return False
    if opens and not has_fields:
        return bool(_SURE.fullmatch(word)) and re.split("[:/]", word)[0] not in _PROSE
    return word.isupper() or (has_fields and word.islower())
