"""Say what a label beside an order would mean elsewhere: the end of a trade, or a field in a text.

A label never changes an order here. Where it may contradict the order, or hold what the order lacks,
it is named, so that nothing is opened on half of what was said.
"""

from __future__ import annotations

import re

from .aliases import look_up
from .values import ACTION_WORDS, fold
from .vocabulary import names

_ENDS = names("close close_long close_short cancel halt partial")
_WHOLE = names("breakeven reverse reversal be")
_FIRST = names(
    "exit exited closed closing cover covered flat flatten liquidation liquidated stopped partial"
    " partially reduce reduced trim"
)
"""A label that begins with one of these ends or reduces a position."""
_COMPARED = names("above below over under cross crossed crosses crossing")
"""After `close` these speak of a bar's close."""
_LEVEL = re.compile(
    r"(?:tp|sl|t|(?:trailing |trail )?(?:stop|sl|tp)|stop ?loss|take ?profit|target|scale out)"
    # A number behind it is a level: "SL 44000 TP 47000" describes an entry.
    r"(?: [0-9])?(?: (?![0-9]|buy|sell|limit)|$)"
)
"""What was reached: "TP1", "SL hit", "Stop loss", "Target 1 reached"."""
_SPOKEN = re.compile(r"[a-z]+|[0-9.]+")
_MAX = 200
"""Letters of a label that are looked at."""


def says_exit(label: str, action: str) -> bool:
    """Tell whether a label names the end of a position, or the other side than `action`."""
    word = fold(label)
    if ACTION_WORDS.get(word) in _ENDS or word in _WHOLE:
        return True
    if word in ("buy", "sell"):
        return word != action
    words = _SPOKEN.findall(label[:_MAX].lower())
    if words[:1] in (["long"], ["short"]):
        del words[0]
    if not words:
        return False
    if words[0] == "close":
        return words[1:2] == [] or words[1] not in _COMPARED
    return words[0] in _FIRST or words[-1] == "exit" or bool(_LEVEL.match(" ".join(words)))


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
