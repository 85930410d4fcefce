"""Turn the claims of one order into an `Alert`, whatever container and dialect they came from.

Everything that was said is read, noted, warned of or named as unsupported: at the end no claim is
left. Nothing is defaulted, and nothing is decided about trading.
"""

from __future__ import annotations

import re

from parsers.dialects import settle
from parsers.metadata import read_circumstances, read_delays
from parsers.missing_values import take
from parsers.quantities import CLOSES, ZERO_QUANTITY, read_all, read_quantity
from parsers.raw_fields import Claims
from parsers.refusals import refuse, refuse_state
from parsers.unknown_keys import names, normalise

from .alert import Alert, ParseError
from .levels import read_prices, read_protection, sort_seen_prices
from .positions import read_positions
from .targets import read_move_stop, read_offset, read_targets
from .values import (
    find_emptiness,
    fold,
    is_off,
    name_emptiness,
    read_action,
    read_symbol,
    show,
)


def build(claims: Claims) -> Alert:
    """Return the alert, or raise `ParseError` where it cannot be read without guessing."""
    if _says_halt(claims):
        _keep_for_halt(claims, "action")
    settle(claims)
    action, takes_all = _read_action(claims)
    if action == "halt":
        _keep_for_halt(claims)
    symbol = _read_symbol(claims, action)
    if "is_entry" in claims.fields:
        _check_entry(claims, action)
    closes = action not in ("buy", "sell", "reverse")
    narrowing = _find_narrowing(claims) if action == "cancel" else []
    positions = read_positions(claims, closes=closes)
    if action == "close" and positions.hedge_side in ("long", "short"):
        action = f"close_{positions.hedge_side}"
    is_flat = positions.side == "flat"
    reduces = closes or is_flat
    _refuse_spoiled(claims, action, opens=not reduces)
    quantity, quantity_type = read_quantity(claims, action, reduces=reduces)
    if (action in CLOSES or action == "close_all") and quantity is not None:
        quantity = read_all(claims, action, quantity, quantity_type, takes_all=takes_all)
        quantity_type = quantity_type if quantity is not None else "fixed"
    if quantity == 0 and not is_flat:
        raise ParseError(ZERO_QUANTITY, field="quantity")
    is_size_known = quantity is not None and not claims.is_unit_unclear
    is_sized = action not in ("update", "breakeven") and not is_flat
    if claims.amounts and not is_size_known and is_sized:
        raise refuse(f"How much? {'; '.join(claims.amounts)}.", "quantity")
    if action in ("breakeven", "update"):
        for key, value in claims.take("order_type"):  # TradersPost says stop: that is what it moves
            claims.note(key, value)
    sort_seen_prices(claims, reduces=reduces)
    prices = read_prices(claims, reduces=reduces)
    offset = read_offset(claims, action)
    take_profits = read_targets(claims, reduces=reduces)
    moves = read_move_stop(claims, has_targets=bool(take_profits), reduces=reduces)
    take_profit = read_protection(claims, "take_profit", reduces=reduces)
    stop_loss = read_protection(claims, "stop_loss", reduces=reduces)
    circumstances = read_circumstances(claims, action, symbol, positions.side)
    read_delays(claims)
    _account_for_all(claims, action, narrowing)
    return Alert(
        action="close" if action == "partial" else action,
        symbol=symbol,
        strategy=circumstances.strategy,
        account=circumstances.account,
        quantity=quantity,
        quantity_type=quantity_type,
        order_type=prices.order_type,
        price=prices.price,
        limit_price=prices.limit_price,
        stop_price=prices.stop_price,
        take_profit=take_profit,
        take_profits=take_profits,
        move_stop=moves,
        breakeven_offset=offset,
        stop_loss=stop_loss,
        market_position=positions.side,
        position_size=positions.size,
        previous_position=positions.previous,
        previous_side=positions.previous_side,
        time_in_force=circumstances.time_in_force,
        fired_at=circumstances.fired_at,
        bar_at=circumstances.bar_at,
        interval_seconds=circumstances.interval_seconds,
        idempotency_key=circumstances.idempotency_key,
        cancel_first=circumstances.cancel_first,
        test=circumstances.test,
        comment=circumstances.comment,
        delayed_feed=circumstances.delayed_feed,
        bare_size=claims.bare_size if quantity and quantity_type == "fixed" else None,
        unsupported=tuple(claims.unsupported),
        warnings=tuple(claims.warnings),
        notes=tuple(claims.notes),
    )


def _says_halt(claims: Claims) -> bool:
    """Tell a halt before anything else is read: nothing beside it may keep it from working."""
    for _, value in claims.fields.get("action", ()):
        if (
            isinstance(value, str)
            and value not in ("buy", "sell", "close")
            and fold(value) == "halt"
        ):
            return True
    return False


def _check_entry(claims: Claims, action: str) -> None:
    """Read `is_entry`: by false a buy or sell is no entry, and what else it is nobody says."""
    for key, value in claims.take("is_entry"):
        opens = action in ("buy", "sell")
        is_off_word = is_off(value, zero=True) or str(value).strip().lower() in ("no", "off")
        if value is None or value == "" or is_off_word != opens:
            claims.note(key, value)
        elif opens:
            claims.refuse_field(key, value, "no entry? Send action close for an exit")
            claims.voided.append(claims.unsupported[-1])
        else:
            claims.refuse_field(key, value, f"contradicts action {action}")


def _refuse_spoiled(claims: Claims, action: str, *, opens: bool) -> None:
    """Refuse an alert as a whole where its order is turned round, or is said to be none."""
    if not claims.voided and not claims.turned:
        return
    spoiled = claims.voided if action != "halt" else []
    if opens:
        spoiled = [*spoiled, *claims.turned]
    if spoiled:
        raise refuse(f"{'; '.join(spoiled)}. Nothing was traded.")


def _account_for_all(claims: Claims, action: str, narrowing: list[str]) -> None:
    """See that no claim is left without a word, and that nothing narrows a cancel or a halt."""
    for concept, rest in claims.fields.items():
        for key, value in rest:
            claims.refuse_field(key, value, f"not used here ({concept})")
    claims.fields.clear()
    if action == "cancel":
        _refuse_narrowed(claims, narrowing)


_NARROWS = names("orderid clientorderid clientid tradeid ordername tag tags")


def _find_narrowing(claims: Claims) -> list[str]:
    """Return what of the order's own fields names some orders only: `type: limit`."""
    stated = [*claims.fields.get("order_type", ()), *claims.fields.get("position_side", ())]
    return [f"{key} {show(value)}" for key, value in stated if not is_off(value)]


def _refuse_narrowed(claims: Claims, narrowing: list[str]) -> None:
    """Refuse a cancel of some orders: cancelling more than was asked could take protection away."""
    narrowed = [*claims.unsupported, *narrowing]
    for key, text in claims.notes:
        name = normalise(key.rpartition(".")[2])
        if name in _NARROWS:
            narrowed.append(f"{key} {show(text)}")
        elif name == "id":
            claims.warnings.append(f"{key} {show(text)}: not used, all its orders are cancelled.")
    if narrowed:
        raise refuse(
            f"A cancel cannot be narrowed: {'; '.join(narrowed)}. Without it, all that rests is"
            " cancelled."
        )


_KEPT_FOR_HALT = names(
    "strategy name account test fired_at bar_at interval exchange idempotency_key signal_id"
    " alert_timestamp comment text"
)


def _keep_for_halt(claims: Claims, *kept: str) -> None:
    """Turn the order beside a halt into warnings: nothing in it may keep a halt from working."""
    for concept in claims.fields.keys() - _KEPT_FOR_HALT.union(kept):
        for key, value in claims.take(concept):
            claims.warnings.append(f"{key} {show(value)}: not used by a halt.")
    claims.warnings.extend(claims.unsupported)
    claims.unsupported.clear()
    claims.amounts.clear()


_ALL = names("flat flatten flattenall closeall exitall")


def _read_action(claims: Claims) -> tuple[str, bool]:
    """Return the one action that every claim of it names, and whether its word means all of it."""
    said: list[tuple[str, str, str]] = []
    for key, value in claims.take("action"):
        if find_emptiness(value) is not None:
            raise ParseError(f"{key}: {name_emptiness(value)}", field="action")
        try:
            action, word = read_action(value)
            if word in ("long", "short") and normalise(key).endswith("orderaction"):
                raise refuse_state(key, value)
            said.append((key, action, word))
        except ValueError as error:
            raise ParseError(f"{key}: {error}", field="action") from None
        except ParseError as error:
            if normalise(key) != "action" and error.field == "action":
                error.message = f"{error.message.removesuffix('.')}. It stands under {key}."
            raise
    if not said:
        raise _miss_action(claims)
    takes_all = any(word in _ALL for _, _, word in said)
    if side := _find_turn(said):
        key, way = side
        claims.add("market_position", [(key, way)])
        return "reverse", False
    if len(said) == 1 and said[0][1] != "open":
        return said[0][1], takes_all
    return _combine(said), takes_all


def _find_turn(said: list[tuple[str, str, str]]) -> tuple[str, str] | None:
    """Return the side that a `reverse` beside another word turns to, and which key says so."""
    others = {action: key for key, action, _ in said if action != "reverse"}
    sides = {"buy": "long", "sell": "short"}
    if len(said) == len(others) or len(others) != 1 or not others.keys() <= sides.keys():
        return None
    [(action, key)] = others.items()
    return key, sides[action]


def _miss_action(claims: Claims) -> ParseError:
    """Say that the action is missing, and which value looks like one."""
    near = [
        f" {key} {show(text)} is not read as one." for key, text in claims.notes if _looks(text)
    ]
    text = f"action is missing: send buy, sell or close.{near[0] if near else ''}"
    return ParseError(text, field="action")


def _looks(text: str) -> bool:
    word = re.split("[-_ ]", text.strip().lower(), maxsplit=1)[0]
    return len(text) <= _LONGEST and (word in _VERBS)


_VERBS = names("buy sell long short enter exit close flat")


_LONGEST = 64


def _combine(said: list[tuple[str, str, str]]) -> str:
    """Join what several keys say: `close` and `long` is close_long, `open` and `buy` is buy."""
    actions = {action for _, action, _ in said} - {"open"}
    words = {word for _, _, word in said}
    if len(actions) == 1:
        return actions.pop()
    for side, action in (("long", "buy"), ("short", "sell")):
        if actions == {"close", action} and words & {"buy", "sell"} == set() and side in words:
            return f"close_{side}"
        if actions == {"close", f"close_{side}"}:
            return f"close_{side}"
    # "trade_type": "exit" beside "side": "sell": the order's side or the position's, either way it ends.
    ends = {normalise(key.rpartition(".")[2]) for key, action, _ in said if action == "close"}
    if ends and ends <= _ENDS and actions in ({"close", "buy"}, {"close", "sell"}):
        return "close"
    if not actions:
        raise ParseError(f"{said[0][0]}: which side? Send buy or sell.", field="action")
    keys = " and ".join(key for key, _, _ in said)
    raise ParseError(f"{keys} disagree: send one action.", field="action")


_ENDS = names("tradetype positiondirection signal signaltype event alerttype type ordertype")


def _read_symbol(claims: Claims, action: str) -> str:
    """Return the symbol, with its exchange where one of the claims has it."""
    claims_of_it = claims.take("symbol")
    if not claims_of_it and action in ("halt", "close_all"):
        return ""
    found = ""
    for claim in claims_of_it:
        claims.fields["symbol"] = [claim]
        symbol = take(claims, "symbol", "decides", read_symbol) or ""
        if found and _strip(symbol) != _strip(found):
            raise ParseError(
                f"The symbols {found} and {symbol} disagree: send one of them.", field="symbol"
            )
        found = max(found, symbol, key=len)
    if not found:
        raise _miss_symbol(claims)
    if "coin" in claims.fields:
        _check_coin(claims, found)
    if "exchange" in claims.fields:
        found = _place(claims, found)
    _check_quote(claims, found)
    return found


def _strip(symbol: str) -> str:
    """Return a symbol as it is compared: without its exchange and what joins a pair."""
    return symbol.rpartition(":")[2].replace("/", "").replace("-", "")


def _miss_symbol(claims: Claims) -> ParseError:
    """Say that the symbol is missing, and which key came near."""
    near = [key for key, _ in claims.fields.get("coin", ())]
    near += [key for key, _ in claims.notes if _NEAR.search(key.lower())]
    hint = f" {show(near[0])} is not read as one." if near else ""
    return ParseError(f"symbol is missing: send symbol or ticker.{hint}", field="symbol")


_DERIVED = re.compile(
    "CME|GLOBEX|CBOT|NYMEX|COMEX|CFE|EUREX|ICEUS|ICEEUR|NFO|BFO|MCX|BITMEX|DERIBIT|DYDX|FUT|PERP|SWAP|LINEAR"
    "|USD_?M|COIN_?M|INVERSE|NSE_FO"
)
"""Where derivatives are listed: there a plain name is neither a coin nor a share."""


_SPELLED = re.compile(r".*(?:!|\.P|[0-9])")


def _place(claims: Claims, symbol: str) -> str:
    """Return the symbol with the exchange beside it, where that changes what a plain name is."""
    if ":" in symbol or _SPELLED.fullmatch(symbol):
        return symbol
    for _, value in claims.fields["exchange"]:
        text = value.strip().upper() if isinstance(value, str) else ""
        exchange = text.replace(" ", "_").replace("-", "_")
        if _DERIVED.search(exchange) and re.fullmatch("[A-Z0-9_]{1,20}", exchange):
            return f"{exchange}:{symbol}"
    return symbol


_NEAR = re.compile("symbol|ticker|pair|instrument|instid|coin|asset")


_SORTS = names("crypto cryptocurrency stock stocks equity equities forex fx future futures spot")


def _check_coin(claims: Claims, symbol: str) -> None:
    """See that what a second key calls the instrument is the symbol, or the coin it begins with."""
    name = _strip(symbol)
    for key, value in claims.take("coin"):
        text = value.strip().upper() if isinstance(value, str) else ""
        if find_emptiness(value) is not None or text.lower() in _SORTS:
            claims.note(key, None if find_emptiness(value) else value)
        elif not text or not name.startswith(_strip(text)):
            raise ParseError(
                f"symbol {symbol} and {key} {show(value)} disagree: send one of them.",
                field="symbol",
            )
        else:
            claims.note(key, value)


_QUOTES = names("quote quotecurrency currency syminfo.currency syminfocurrency")


_COINS = names("USDT USDC BUSD FDUSD BTC ETH")


def _check_quote(claims: Claims, symbol: str) -> None:
    """Refuse BTC beside the quote USDT: BTC alone is another instrument than BTCUSDT."""
    for key, text in claims.notes:
        coin = text.strip().upper()
        is_other = coin in _COINS and coin not in symbol
        if is_other and normalise(key.rpartition(".")[2]) in _QUOTES:
            message = f"symbol {symbol} and {key} {coin}: send the whole pair, like {symbol}{coin}."
            raise ParseError(message, field="symbol")
