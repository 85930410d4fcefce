"""Find the action in what stands beside it: flags, stances, types and events of other services."""

from __future__ import annotations

from parsers.raw_fields import Claims, refuse_turned
from parsers.refusals import refuse
from parsers.unknown_keys import names, normalise, turns

from .aliases import look_up
from .values import ACTION_WORDS, find_emptiness, fold, is_off, show

_FLAGS = {"is_buy": "buy", "is_sell": "sell", "is_close": "close"}


def settle_flags(claims: Claims) -> None:
    """Read the flags `isBuy`, `isSell`, `isClose`, `isMarket`, `isLimit`."""
    for concept, action in _FLAGS.items():
        for key, value in claims.take(concept):
            if value is True or (isinstance(value, str) and fold(value) == "true"):
                claims.add("action", [(key, action)])
            elif not is_off(value):
                claims.add("action", [(key, value)])
    for concept in ("is_market", "is_limit"):
        for key, value in claims.take(concept):
            if not is_off(value):
                is_true = value is True or (isinstance(value, str) and fold(value) == "true")
                claims.add("order_type", [(key, concept[3:] if is_true else value)])


_STANCES = {"bullish": "buy", "bearish": "sell"}


_OF_THE_TRADE = names("tradetype positiondirection")
"""Keys that say whether a trade is begun or ended, and on which side the position is."""


_NEUTRAL = names("place entry open enter alert webhook strategy signal trade order tradingview bot")


def settle_hints(claims: Claims) -> None:
    """Read keys such as `type` and `signal` by their value: a side, an order type, a label."""
    for key, value in claims.take("hint"):
        word = fold(value) if isinstance(value, str) and find_emptiness(value) is None else ""
        name = normalise(key.rpartition(".")[2])
        if isinstance(value, str) and turns(key, value):
            refuse_turned(key, value, claims)
        elif name in _OF_THE_TRADE and word in ("long", "short"):
            claims.add("position_side", [(key, value)])
        elif word in _STANCES and name not in _OF_THE_TRADE:
            claims.add("action", [(key, _STANCES[word])])
        elif word in ACTION_WORDS and ACTION_WORDS[word] != "open":
            claims.add("action", [(key, value)])
        elif name in ("type", "order") and word not in _NEUTRAL and "action" in claims.fields:
            _settle_type(claims, key, value, word)
        elif name in ("command", "cmd") and word != "place" and not is_off(value):
            raise refuse(
                f"{key} {show(value)} is not supported: send action buy, sell, close or cancel, and"
                " market_position for the position after it.",
                key,
            )
        elif _may_be_action(name, claims) and (word not in _NEUTRAL or find_emptiness(value)):
            claims.add("action", [(key, value)])
        elif not is_off(value):
            _keep_label(claims, key, value, word)


def _may_be_action(name: str, claims: Claims) -> bool:
    return name not in _OF_THE_TRADE and "action" not in claims.fields


def _settle_type(claims: Claims, key: str, value: object, word: str) -> None:
    """Read `type` as the order's; Binance calls a stop-limit order STOP, its limit is `price`."""
    levels = claims.fields.keys() & {"price", "entry_price", "limit_price"}
    if word == "stop" and levels and "stop_price" in claims.fields:
        reason = "with price and stopPrice a stop-limit elsewhere; send order_type, limit_price"
        claims.refuse_field(key, value, reason)
    claims.add("order_type", [(key, value)])


def _keep_label(claims: Claims, key: str, value: object, word: str) -> None:
    """Keep a label beside the action as a note, unless it says what the order is to do."""
    if word not in _NEUTRAL and (not word or look_up(str(value)).kind != "unknown"):
        claims.refuse_field(key, value, "may be an instruction beside the action")
        return
    claims.note(key, value)
    if word not in _NEUTRAL:
        claims.warnings.append(f"{key} {show(value)}: kept as a note.")


def settle_order_type(claims: Claims) -> None:
    """Read `order_type: exit` as what the order is for; `entry` says what the side says."""
    stated = claims.take("order_type")
    for key, value in stated:
        word = fold(value) if isinstance(value, str) else ""
        meant = ACTION_WORDS.get(word, "")
        if meant == "open":
            claims.note(key, value)
        elif meant.startswith("close"):
            claims.add("action", [(key, value)])
        else:
            claims.add("order_type", [(key, value)])
