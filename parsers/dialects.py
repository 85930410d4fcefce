"""Settle what a key means where another key of the same order tells: one row a dialect.

A dialect is known by its keys, never by the size of a number. What a known dialect means and we
cannot do is put into `unsupported`, or refused where the action itself is foreign.
"""

from __future__ import annotations

from collections.abc import Callable

from parsers.action_hints import settle_flags, settle_hints, settle_order_type
from parsers.raw_fields import Claims, refuse_unknown
from parsers.refusals import refuse, refuse_state
from parsers.targets import settle_advanced, settle_numbered
from parsers.unknown_keys import names, normalise

from .values import Number, find_emptiness, fold, is_off, read_flag, show

FOREIGN: tuple[tuple[frozenset[str], str, str], ...] = (
    # keys that are only found together there, whose message it is, a sample of it
    (
        frozenset(("botid", "emailtoken")),
        "a 3Commas DCA bot message (it starts a deal, the bot knows the order)",
        '{"message_type": "bot", "bot_id": 1, "email_token": "e", "pair": "USDT_BTC"}',
    ),
    (
        frozenset(("ts", "b")),
        "a message of the Binance bridge with the keys TS, TT, OT, FUND",
        '{"TS": "SOLUSDT", "TT": "SELL", "OT": "MARKET", "FUND": "150", "B": "BINANCEFUTURE"}',
    ),
    (
        frozenset(("strcd", "ordqty")),
        "a Kiwoom message (its side is in the URL)",
        '{"strCd": "005930", "ordUv": "71200", "ordQty": "1", "trdeTp": "0"}',
    ),
    (
        frozenset(("qvuserid", "alertid")),
        "a QuantLynk message (its symbol is behind alert_id)",
        '{"qv_user_id": "u", "alert_id": "a", "flatten": true}',
    ),
    (
        frozenset(("amountpertradetype", "amountpertrade")),
        "a WunderTrading message",
        '{"code": "c", "orderType": "market", "amountPerTradeType": "quote", "amountPerTrade": 1}',
    ),
)


def settle(claims: Claims) -> None:
    """Turn each claim whose concept depends on its company into a plain one, or refuse it."""
    for signature, name, _ in FOREIGN:
        if signature <= claims.keys:
            raise refuse(f"This is {name}: not supported. Send action, symbol and quantity.")
    for concept, rule in RULES:
        if concept in claims.fields:
            rule(claims)


def _settle_size(claims: Claims) -> None:
    """Read `size` as a quantity; beside `stub` (tradingview-alerts-processor) it is dollars.

    Without a type it counts contracts or shares; of a coin it may be money, which the desk must know.
    """
    if "stub" not in claims.keys:
        sizes = claims.take("size")
        if claims.fields.keys().isdisjoint(("quantity", "quantity_type")):
            claims.bare_size = _say(sizes)
        claims.add("quantity", sizes)
        return
    for key, value in claims.take("size"):
        closes = any(fold(str(said)) == "close" for _, said in claims.fields.get("action", ()))
        is_percent = isinstance(value, str) and value.strip().endswith("%")
        if closes and is_percent and isinstance(value, str):
            claims.add("quantity", [(key, Number(value.strip()[:-1]))])
            claims.add("quantity_type", [(key, "percent_of_position")])
        elif closes or is_percent:
            raise refuse(f"{key} {show(value)}: not supported. Send a quantity.", key)
        else:
            claims.add("quantity", [(key, value)])
            claims.add("quantity_type", [(key, "cash")])


def _say(claims: list[tuple[str, object]]) -> str | None:
    """Return the first number among the claims, with its key, for a message."""
    for key, value in claims:
        if find_emptiness(value) is None:
            return f"{key} {show(value)}"
    return None


_UNITS = {"base": "fixed", "quote": "cash", "positionpercent": "percent_of_position"}
"""3Commas `order.currency_type`, BloFin `investmentType`; their other units are of the balance."""


def _settle_amount(claims: Claims) -> None:
    """Read `amount` by the unit beside it; alone it counts what `size` does.

    Beside another quantity such a unit would change what that means: it is refused.
    """
    stated = claims.take("amount_unit")
    units = {fold(str(unit)) for _, unit in stated}
    unit = _UNITS.get(next(iter(units))) if len(units) == 1 else None
    for key, value in stated if "amount" not in claims.fields else ():
        if unit != "fixed" and not is_off(value):
            reason = "a unit without an amount; send quantity, with quantity_type cash for money"
            claims.refuse_field(key, value, reason, is_amount=True)
            claims.is_unit_unclear = True
    for key, value in claims.take("amount"):
        if unit:
            claims.add("quantity", [(key, value)])
            claims.add("quantity_type", [(key, unit)])
        elif is_off(value):
            continue
        elif units or "quantity" in claims.fields:
            reason = "coins or money? Send quantity, with quantity_type cash for money"
            claims.refuse_field(key, value, reason, is_amount=True)
        else:
            if "quantity_type" not in claims.fields:
                claims.bare_size = _say([(key, value)])
            claims.add("quantity", [(key, value)])


def _settle_units(claims: Claims) -> None:
    for key, value in claims.take("units_type"):
        if fold(str(value)) != "absolute" and not is_off(value):
            raise refuse(f"{key} {show(value)} is not supported: send absolute units.", key)


def _settle_notional(claims: Claims) -> None:
    for key, value in claims.take("notional"):
        claims.add("quantity", [(key, value)])
        claims.add("quantity_type", [(key, "cash")])


def _settle_data(claims: Claims) -> None:
    """Read PickMyTrade's `data` where it is a side; `long` there is a state, not an order."""
    for key, value in claims.take("data"):
        word = fold(value) if isinstance(value, str) else ""
        if "token" in claims.keys and word in ("buy", "sell", "close", "flat", "exit"):
            claims.add("action", [(key, value)])
        elif "token" in claims.keys and word in ("long", "short"):
            raise refuse_state(key, value)
        else:
            claims.add("hint", [(key, value)])


_PICKMYTRADE = names(
    "dollartp dollarsl percentagetp percentagesl trailtrigger trailfreq updatetp updatesl"
    " reverseorderclose duplicatepositionallow multipleaccounts advancetpsl lmttomarketwait"
)


_SHARED = names("trail breakeven")
"""Keys that others have too: by zero they may mean something there."""


def _is_pickmytrade(claims: Claims) -> bool:
    if not claims.keys.isdisjoint(_PICKMYTRADE):
        return True
    sides = claims.fields.get("action", ()) if "data" in claims.keys else ()
    return any(normalise(key) == "data" for key, _ in sides)


def _settle_zeroed(claims: Claims) -> None:
    """Leave out what PickMyTrade's generator sets to zero where it is not used; refuse the rest."""
    is_theirs = _is_pickmytrade(claims)
    for key, value in claims.take("zeroed"):
        name = normalise(key.rpartition(".")[2])
        if is_off(value, zero=is_theirs or name not in _SHARED):
            claims.note(key, value)
            continue
        is_risk = name == "riskpercentage"
        refuse_unknown(key, value, claims, is_amount=is_risk)
        if is_risk:  # it goes before a quantity there, which is then often zero
            claims.is_unit_unclear = True
            stated = claims.take("quantity")
            claims.add("quantity", [each for each in stated if not is_off(each[1], zero=True)])


def _settle_levels(claims: Claims) -> None:
    """Read PickMyTrade's percentages as levels, and a zero beside its keys as none."""
    if not _is_pickmytrade(claims):
        return
    for concept in ("take_profit", "stop_loss"):
        for key, value in claims.take(concept):
            if is_off(value, zero=True):
                claims.note(key, value)
            else:
                claims.add(concept, [(key, value)])
    for concept in ("take_profit", "stop_loss"):
        for key, value in claims.take(f"percent_{concept}"):
            if is_off(value, zero=True):
                claims.note(key, value)
            else:
                claims.add(concept, [(key, {"percent": value})])


def _settle_update(claims: Claims) -> None:
    """Read `update_sl` and `update_tp`: the message moves the levels of what is held, whatever it orders."""
    updates = False
    for key, value in claims.take("update"):
        updates = updates or not is_off(value, zero=True)
        claims.note(key, value)
    if updates:
        for concept in ("action", "hint", "quantity", "quantity_type"):
            for key, value in claims.take(concept):
                claims.note(key, value)
        claims.add("action", [("update_sl", "update")])


def _settle_adds(claims: Claims) -> None:
    """Read whether an order may add to a position: here it always may."""
    is_theirs = _is_pickmytrade(claims)
    for key, value in claims.take("adds"):
        is_pyramid = normalise(key.rpartition(".")[2]) == "pyramid"
        try:
            adds = None if value is None or value == "" else read_flag(value)
        except ValueError:
            adds = None if is_off(value) else not is_theirs
        if adds is False and not is_pyramid:
            claims.refuse_field(
                key, value, "an order here adds to a position; send position_size with it"
            )
        elif adds and not is_theirs:
            refuse_unknown(key, value, claims, is_amount=False)
        else:
            claims.note(key, value)


def _settle_class(claims: Claims) -> None:
    """Read Alpaca's order class where the levels beside the order already say it."""
    levels = [
        bool(claims.fields.keys() & {concept, f"{concept}_price", f"percent_{concept}"})
        for concept in ("take_profit", "stop_loss")
    ]
    said = {"simple": 0, "oto": 1, "bracket": 2}
    for key, value in claims.take("order_class"):
        word = fold(value) if isinstance(value, str) else "?"
        if is_off(value) or said.get(word) == sum(levels):
            claims.note(key, value)
        else:
            reason = "send order_class bracket with stop_loss and take_profit, or leave it out"
            claims.refuse_field(key, value, reason)


def _settle_trigger(claims: Claims) -> None:
    """Read `trigger_price` as 3Commas (the price seen) or OpenAlgo (the stop) mean it."""
    for key, value in claims.take("trigger_price"):
        if claims.keys & {"botuuid", "strategyinfo", "tvinstrument"}:
            claims.add("price", [(key, value)])
        elif "pricetype" in claims.keys:
            claims.add("stop_price", [(key, value)])
        elif not is_off(value):
            claims.refuse_field(key, value, "a reference or a stop? Send price or stop_price")


def _settle_distances(claims: Claims) -> None:
    """Keep AlgoWay's `take_profit` apart: beside `order_action` it is a distance in points.

    Inside `strategy: {…}` that key is TradingView's own placeholder, not AlgoWay's.
    """
    if not any(normalise(key) == "orderaction" for key, _ in claims.fields.get("action", ())):
        return
    for concept in ("take_profit", "stop_loss"):
        for key, value in claims.take(concept):
            if not is_off(value):
                claims.refuse_field(key, value, "a price or a distance? Send tp_price and sl_price")


def _settle_level_prices(claims: Claims) -> None:
    """Read `tp_price` and `sl_price`, which are prices in every dialect."""
    for concept in ("take_profit", "stop_loss"):
        claims.add(concept, claims.take(concept + "_price"))


def _settle_ticks(claims: Claims) -> None:
    """Read `tp_ticks` and `sl_ticks` as distances in ticks, as relays of futures brokers send them."""
    for concept in ("take_profit", "stop_loss"):
        for key, value in claims.take(concept + "_ticks"):
            if value is None:
                claims.warnings.append(f"{key}: null is no value. Left out.")
            else:
                claims.add(concept, [(key, {"ticks": value})])


def _settle_market(claims: Claims) -> None:
    """Read `market` as the symbol where nothing else is one and it is a pair (`BTC-USD`)."""
    for key, value in claims.take("market"):
        word = fold(value) if isinstance(value, str) else ""
        if word in KINDS:
            claims.add("kind", [(key, value)])
        elif "symbol" not in claims.fields and isinstance(value, str) and set("-/") & set(value):
            claims.add("symbol", [(key, value)])
        else:
            claims.note(key, value)


_DATED = names("fut futures future perp perpetual swap linear inverse derivative")


_FOREIGN_KINDS = names("opt option options index cfd")


_NEVER_DATED = names("spot stock stocks equity equities stk forex fx cash etf")


_PLAIN = _NEVER_DATED | {"crypto"}


KINDS = _DATED | _FOREIGN_KINDS | _PLAIN


def _settle_kind(claims: Claims) -> None:
    """Refuse a kind of instrument that the symbol alone would not say, or that contradicts it."""
    symbols = [str(value).strip().upper() for _, value in claims.fields.get("symbol", ())]
    is_derived = any(symbol.endswith((".P", "!")) for symbol in symbols)
    says_future = is_derived or any(symbol[-1:].isdigit() for symbol in symbols)
    for key, value in claims.take("kind"):
        word = fold(value) if isinstance(value, str) else ""
        if word in _NEVER_DATED and is_derived:
            claims.refuse_field(key, value, "the symbol says something else: send only the symbol")
        elif is_off(value) or (word in _DATED and says_future) or word in _PLAIN:
            claims.note(key, value)
        else:
            reason = "the symbol must say it alone (NQ1!, ESZ2026, BTCUSDT.P)"
            claims.refuse_field(key, value, reason)


def _settle_bar(claims: Claims) -> None:
    """Keep bar data as notes; what is no number there is an instruction (`open: true`)."""
    bars = claims.take("bar")
    for key, value in bars:
        wrong = find_emptiness(value)
        if wrong is None and (not isinstance(value, str) or value.strip()[:1].isalpha()):
            claims.refuse_field(key, value, "bar data is a number; an instruction?")
        elif wrong is None:
            claims.note(key, value)
        elif wrong == "unreadable":
            claims.warnings.append(f"{key}: {show(value)} is no value. Left out.")
    if claims.fields.keys().isdisjoint(("quantity", "percent")) and not claims.amounts:
        _check_volume(claims, bars)


def _check_volume(claims: Claims, bars: list[tuple[str, object]]) -> None:
    """Refuse a lone `volume` without a quantity: foreign orders say their size so."""
    if claims.keys & {"open", "high", "low", "close"}:
        return
    for key, value in bars:
        is_volume = normalise(key.rpartition(".")[2]) in ("volume", "vol")
        if is_volume and find_emptiness(value) is None:
            claims.refuse_field(key, value, "a quantity? Send quantity", is_amount=True)


RULES: tuple[tuple[str, Callable[[Claims], None]], ...] = (
    ("data", _settle_data),
    ("update", _settle_update),
    ("zeroed", _settle_zeroed),
    ("adds", _settle_adds),
    ("order_class", _settle_class),
    ("is_buy", settle_flags),
    ("is_sell", settle_flags),
    ("is_close", settle_flags),
    ("is_market", settle_flags),
    ("is_limit", settle_flags),
    ("hint", settle_hints),
    ("order_type", settle_order_type),
    ("size", _settle_size),
    ("units_type", _settle_units),
    ("amount_unit", _settle_amount),
    ("amount", _settle_amount),
    ("notional", _settle_notional),
    ("trigger_price", _settle_trigger),
    ("advanced", settle_advanced),
    ("numbered_target", settle_numbered),
    ("numbered_size", settle_numbered),
    ("percent_take_profit", _settle_levels),
    ("percent_stop_loss", _settle_levels),
    ("take_profit", _settle_levels),
    ("stop_loss", _settle_levels),
    ("take_profit", _settle_distances),
    ("stop_loss", _settle_distances),
    ("take_profit_price", _settle_level_prices),
    ("stop_loss_price", _settle_level_prices),
    ("take_profit_ticks", _settle_ticks),
    ("stop_loss_ticks", _settle_ticks),
    ("market", _settle_market),
    ("kind", _settle_kind),
    ("bar", _settle_bar),
)
