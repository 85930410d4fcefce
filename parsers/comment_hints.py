"""Say what a label beside an order would mean elsewhere: the end of a trade, or a field in a text.

A label never changes an order here. Where it may contradict the order, or hold what the order lacks,
it is named, so that nothing is opened on half of what was said.
"""

from __future__ import annotations

import re

from parsers.unknown_keys import names

from .aliases import look_up
from .values import ACTION_WORDS, fold

_WORDS = (
    "all|full|part|partial|long|short|entry|position|trade|order|hit|reached|filled|triggered|exit"
    "|tp|sl|[0-9]{1,2}|[0-9.]{1,6}%"
)
"""What may stand behind the word that says it."""
_EXIT = re.compile(
    # The whole label, in lower case: "TP1", "SL hit", "Exit Long", "Trailing stop", "Margin call".
    r"(?:(?:full|all|long|short) ){0,2}(?:"
    r"(?:exit(?:ed)?|close[ds]?|closing|cover(?:ed)?|flat|flatten(?:ed)?|liquidat(?:ed|ion)|reduced?"
    rf"|partial|(?:time|eod|session|signal) exit)(?: (?:buy|sell|{_WORDS}))*(?: [0-9.]+)?"
    r"|(?:margin call|stopped(?: out)?|stop ?out|(?:(?:trailing|trail|hard|initial) )?"
    r"(?:stop(?: ?loss)?|sl)|tsl|tp|take ?profits?|target)"
    rf"(?:(?: |(?<=[a-z])(?=[0-9]))(?:{_WORDS}))*"
    r"|t[0-9] (?:hit|reached|filled))"
)
_BY_NAME = re.compile(r"close (?:entry ?(?:\(s\)|s)?|position) order\b")
"""What TradingView itself says where a script closes an entry: the entry's name follows."""
_MARKS = re.compile(r"[^a-z0-9.%]+|\.(?![0-9])")
_HUMPS = re.compile(r"(?<=[a-z])(?=[A-Z])")
_ASIDE = re.compile(r" \([^()]*\)$| ?@ ?market$", re.IGNORECASE)
"""What may follow as an aside: "Exit Long (RSI)"."""
_MAX = 60
"""A longer label is prose."""


def says_exit(label: str) -> bool:
    """Tell whether a label says as a whole that a position ends; prose that holds such a word does not.

    `exit liquidity` and `stop run reversal` describe a market, `T1` and `BE` may be anything.
    """
    if label.isdecimal():
        return False  # the number of an alert
    if len(label) > _MAX:
        return bool(_BY_NAME.match(label[:_MAX].strip().lower()))
    text = _ASIDE.sub("", _HUMPS.sub(" ", label)).strip().lower()
    if _BY_NAME.match(text) or ACTION_WORDS.get(fold(text), "").startswith("close"):
        return True
    return bool(_EXIT.fullmatch(_MARKS.sub(" ", text).strip()))


_ASSIGNED = re.compile(
    # "TP 2 hit" is the second target, "tp 47000" a level.
    r"(?<![A-Za-z0-9])(?P<key>[A-Za-z][A-Za-z0-9_/]{0,40})[\"']?"
    r"(?:(?P<sign> ?[=:] ?[^\s,;])| (?=[0-9][0-9.]))"
)
_MANY = 100
"""A text with so many fields is not looked through: it is no comment."""
_TOLD = names(
    "price symbol market kind exchange interval bar_at fired_at alert_timestamp signal_id"
    " idempotency_key strategy name comment text action hint data entry_price max_lag previous"
    " previous_side previous_size"
)
"""Fields that a message may repeat in words: they change no order."""
_PLAIN = names("stop_loss take_profit quantity")
"""Fields that a message may also state without a sign: "sl 44000"."""


def find_assigned(text: str, keys: set[str]) -> str | None:
    """Return the key of a field of the order that only `text` states, such as `sl=44000`."""
    stated = {look_up(key).concept for key in keys}
    for count, match in enumerate(_ASSIGNED.finditer(text)):
        kind, concept, _ = look_up(match["key"])
        is_field = kind == "field" and concept not in _TOLD and concept not in stated
        if not match["sign"]:
            is_lost = is_field and concept in _PLAIN
        else:
            is_lost = is_field or kind in ("instruction", "amount")
        if is_lost or count == _MANY:
            return match["key"]
    return None
