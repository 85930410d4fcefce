"""Read a text body into the same members that a JSON object would have.

Three named forms, each consumed to its last character: TradingView's default strategy message,
`KEY=VALUE` lines, and one order in words. Prose is never searched for an order: a word that has no
place in a form refuses the whole text, and so does a command language in which `sl=15` are pips.
"""

from __future__ import annotations

import re

from .alert import ParseError
from .aliases import look_up
from .dialects import refuse
from .placeholders import find_placeholder
from .values import ACTION_WORDS, fold
from .vocabulary import names, normalise

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


def read(text: str) -> Members:
    """Return the members of the order in `text`, or raise `ParseError`."""
    text = text.strip()
    if not text:
        raise ParseError(f"The body is empty: the order had no alert_message. {SHAPES}")
    if len(text) > MAX_LENGTH:
        raise ParseError(f"A text alert has at most {MAX_LENGTH} characters. {SHAPES}")
    for read_form in (_read_default, _refuse_foreign, _read_lines, _read_order):
        members = read_form(text)
        if members is not None:
            return members
    placeholder = find_placeholder(text)
    if placeholder:
        raise ParseError(f"Not an alert: {placeholder} was not replaced by TradingView. {SHAPES}")
    raise ParseError(f"Not an alert. {SHAPES}")


def _refuse_foreign(text: str) -> None:
    for owner, pattern, _ in FOREIGN:
        if (pattern.search if pattern.pattern.startswith("(?:^") else pattern.match)(text):
            raise refuse(f"This is {owner} command language: not supported. {SHAPES}")


def _read_default(text: str) -> Members | None:
    """`NAME (inputs): order buy @ 2 filled on MNQ1!. New strategy position is 2`.

    The number after @ is the quantity; the position is signed and stands after the order.
    """
    head, order, rest = text.rpartition(": order ")
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
    name = _strip_inputs(head)
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


_LINE = re.compile(r"([A-Za-z][A-Za-z0-9_.]{0,40}) ?[=:] ?(.*)")


def _read_lines(text: str) -> Members | None:
    """`action=buy`, `symbol=BTCUSDT`, …: one a line, or apart by semicolons or ampersands."""
    pieces = [piece.strip() for piece in re.split(r"[\n;]", text)]
    if len(pieces) == 1 and "&" in text and not re.search(r"[\s%+]", text):
        pieces = text.split("&")
    members: Members = []
    for piece in filter(None, pieces):
        match = _LINE.fullmatch(piece)
        if match is None or re.search(r"\s[A-Za-z_]+ ?=", match[2]):
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


def _read_order(text: str) -> Members | None:
    """`BUY BTCUSDT @ 45000 qty=0.1 tp=47000`: action and symbol side by side, fields anywhere."""
    members: Members = []
    words: list[str] = []
    place = 0
    while place < len(text):
        match = _ASSIGNED.match(text, place)
        if match and (match["sign"] == "=" or look_up(match["key"]).kind in _KNOWN_KINDS):
            end, value = _extend_key(text, match)
            members.append((match["key"], _unquote(value)))
        elif match := _AT.match(text, place):
            end = match.end()
            members.append(("price", _strip_marks(match["value"])))
        elif match := _WORD.match(text, place):
            end = match.end()
            words.append(_strip_marks(match[0]))
        else:
            end = place + 1
        place = end
    placed = _place_words(words, has_fields=bool(members))
    return None if placed is None else _refuse_twice([*placed, *members])


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
_PRICED = names("long short exit")
"""A bare number after these is a price; after BUY it may as well be a quantity."""
_BARE = names("at price qty quantity contracts tp sl")
_NUMBER_LIKE = re.compile(r"[0-9.]\S*|\{\{\S+\}\}|NaN")
_PROSE = names(
    "SIGNAL NOW ALERT ALERTS ENTRY ENTER EXIT LONG SHORT BUY SELL CLOSE ORDER ORDERS POSITION STOP"
    " TP SL TARGET HIT ALL THE A AN AT ON IN OF TO TREND CROSS SETUP ZONE MARKET LIMIT TRADE FLAT"
    " CONFIRMED TRIGGERED ACTIVE OPEN OPENED CLOSED REACHED STRONG WEAK BULLISH BEARISH CANDLE"
    " LOSS PROFIT PRICE WITH WHEN FROM AND OR IT THIS SIDE DIP TOP BOTTOM ABOVE BELOW OVER UNDER"
    " CONDITION OPPORTUNITY REVERSAL BREAKOUT MOMENTUM TIME CROSSOVER CROSSUNDER HALF"
)


def _place_words(words: list[str], *, has_fields: bool) -> Members | None:
    """Return action, symbol and bare fields where every word has its place, else None."""
    members, left = _take_bare(words)
    has_fields = has_fields or bool(members)
    if not left:
        return members if has_fields and not words else None
    size = (
        2
        if [fold(word) in kind for word, kind in zip(left, _TWO, strict=False)] == [True, True]
        else 1
    )
    action, left = " ".join(left[:size]), left[size:]
    if ACTION_WORDS.get(fold(action), "open") == "open":
        return None
    members.append(("action", action))
    if len(left) > 1 and re.fullmatch(r"[0-9]{2}-[0-9]{2}", left[1]):
        left[:2] = [" ".join(left[:2])]
    if len(left) == 2 and fold(action) in _PRICED and _NUMBER_LIKE.fullmatch(left[1]):
        members.append(("price", left.pop()))
        has_fields = True
    if len(left) > 1 or (left and not _may_be_symbol(left[0], has_fields=has_fields)):
        return None
    return [*members, *(("symbol", symbol) for symbol in left)]


_TWO = (_FIRST_OF_TWO, _SECOND_OF_TWO)


def _take_bare(words: list[str]) -> tuple[Members, list[str]]:
    """Take `tp 47000` and `at 61250.5` out of the words."""
    members: Members = []
    left: list[str] = []
    for word in words:
        if left and left[-1].lower() in _BARE and _NUMBER_LIKE.fullmatch(word):
            key = left.pop().lower()
            members.append(("price" if key == "at" else key, word))
        else:
            left.append(word)
    return members, left


def _may_be_symbol(word: str, *, has_fields: bool) -> bool:
    """Tell a symbol from a word of prose: `Buy signal` is no order for SIGNAL."""
    if word.upper() in _PROSE or not word.isascii():
        return False
    return word.isupper() or (has_fields and word.islower())
