"""Say in words why records differ: the likeliest causes, the most frequent first.

A cause is counted, never supposed: TradingView's own words, our codes, or what the kinds of differences say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from desk.compare.comparison import Comparison

AT_MOST = 3
_REMEDIES = {
    "request took too long and timed out": (
        "the address did not answer within 3 seconds: is the receiver running, and does its proxy reach it?"
    ),
    "4": "the address takes no such alert: compare the path and the secret with config.yaml.",
    "5": "the address answered with an error of its own: look into the proxy's log and ours of that time.",
}


def find_causes(found: Comparison, kinds: Mapping[str, int]) -> list[str]:
    """Return one to three sentences."""
    causes: Counter[str] = Counter()
    reasons: Counter[str] = Counter(
        each.row.reason for each in found.rows if each.verdict == "never_arrived"
    )
    for reason, count in reasons.items():
        causes[_say_never_arrived(reason, count)] += count
    codes: Counter[str] = Counter(
        each.own.code or each.own.status if each.own else each.row.reason
        for each in found.rows
        if each.verdict == "refused"
    )
    for code, count in codes.items():
        text = f"{_count(count, 'alert was', 'alerts were')} refused with {code}: docs/answers.md says why."
        causes[text] += count
    others = {
        "late": "arrived 10 s or more after firing: TradingView delays busy accounts; check the clock, too.",
        "duplicate": "came again and counted once: give each message an id of its own if both are meant.",
        "not_in_log": "arrived that this log does not have: another TradingView account, or another sender.",
        "price": "filled at another price than on the chart: fees, spread and delay are not in a backtest.",
        "quantity": "filled in another size: config.yaml, the account's rules or a limit set it.",
        "unknown_to_tradingview": "traded that the list does not have: was the strategy changed since?",
    }
    for kind, text in others.items():
        if count := kinds.get(kind, 0):
            noun = (
                ("order was", "orders were")
                if kind in ("price", "quantity")
                else ("alert", "alerts")
            )
            causes[f"{_count(count, *noun)} {text}"] += count
    if not causes and (count := kinds.get("missed", 0)):
        causes[
            f"{_count(count, 'order', 'orders')} of the list had no alert here: was the alert paused, or its "
            "message without the webhook address?"
        ] += count
    if not causes:
        return ["TradingView's records and ours agree."]
    return [text for text, _ in causes.most_common(AT_MOST)]


def _say_never_arrived(reason: str, count: int) -> str:
    remedy = _REMEDIES.get(reason) or _REMEDIES.get(reason[:1] if reason[:3].isdigit() else "", "")
    said = f'{_count(count, "alert", "alerts")} never arrived; TradingView says "{reason}"'
    return f"{said}: {remedy}" if remedy else f"{said}."


def _count(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
