"""Say what a key of an alert is called elsewhere: one table from concept to names.

A key is a field, a note, bar data, a secret, an instruction that is not supported (what gives it away
is in `vocabulary`), or unknown. Nothing here looks at a value.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from parsers.unknown_keys import SWITCHES, find_theme, normalise


class Meaning(NamedTuple):
    """What a key stands for: its kind (`field`, `note`, `bar`, `secret`, …) and its concept."""

    kind: str
    concept: str
    folded: str
    """The key as it is compared with others."""


FIELDS: dict[str, tuple[str, ...]] = {
    "action": (
        "action",
        "side",
        "direction",
        "order_action",
        "order_side",
        "trade_action",
        "strategy.order.action",
    ),
    # Words that are an action in some systems and a label in others: the value tells.
    "hint": (
        *("signal", "signal_type", "event", "type", "alert_type", "order", "command", "cmd"),
        *("trade_type", "position_direction"),
    ),
    # PickMyTrade's own: by zero they say "not set", by anything else they are instructions.
    "zeroed": (
        *("dollar_tp", "dollar_sl", "trail", "trail_stop", "trail_trigger", "trail_freq"),
        *("breakeven", "risk_percentage", "order_strike", "lmt_to_market_wait"),
    ),
    "percent_take_profit": ("percentage_tp",),
    "percent_stop_loss": ("percentage_sl",),
    "update": ("update_tp", "update_sl"),
    "adds": ("pyramid", "duplicate_position_allow"),
    "order_class": ("order_class",),
    "is_entry": ("is_entry",),
    "is_buy": ("is_buy",),
    "is_sell": ("is_sell",),
    "is_close": ("is_close",),
    "is_market": ("is_market",),
    "is_limit": ("is_limit",),
    "symbol": (
        "symbol",
        "ticker",
        "sym",
        "instrument",
        "pair",
        "tv_instrument",
        "ticker_id",
        "symbol_name",
        "symbol_tv",
        "tv_symbol",
        "tv_ticker",
        "trade_symbol",
        "trading_symbol",
        "tradingview_symbol",
    ),
    # Said beside the symbol they must be the same; alone they do not say which pair or month.
    "coin": ("coin", "asset", "underlying", "underlying_symbol", "base_asset"),
    "market": ("market",),
    "kind": (
        "inst_type",
        "instrument_type",
        "sec_type",
        "security_type",
        "asset_class",
        "asset_type",
        "market_type",
        "contract_type",
        "product_type",
        "category",
        "segment",
    ),
    "quantity": (
        "quantity",
        "qty",
        "contracts",
        "order_contracts",
        "shares",
        "units",
        "order_size",
        "order_quantity",
        "order_qty",
        "strategy.order.contracts",
    ),
    "size": ("size",),
    "amount": ("amount",),
    "amount_unit": ("currency_type", "investment_type"),
    "units_type": ("units_type",),
    "notional": ("notional", "dollar_amount"),
    "quantity_type": ("quantity_type", "qty_type"),
    "percent": ("pct", "percent", "percentage"),
    "data": ("data",),
    "order_type": ("order_type", "price_type"),
    "price": (
        "price",
        "signal_price",
        "order_price",
        "reference_price",
        "market_price",
        "strategy.order.price",
    ),
    # What it cost then, and costs now: the other of the two where the position ends.
    "entry_price": ("entry_price", "entry"),
    "exit_price": ("exit_price",),
    "trigger_price": ("trigger_price",),
    "limit_price": ("limit_price",),
    "stop_price": ("stop_price",),
    "take_profit": ("take_profit", "tp"),
    "take_profit_ticks": ("take_profit_ticks", "tp_ticks"),
    "take_profit_price": ("take_profit_price", "tp_price"),
    "take_profits": ("take_profits",),
    "numbered_target": tuple(f"tp{n}" for n in range(1, 10)),
    "numbered_size": tuple(f"tp{n}_qty" for n in range(1, 10)),
    "advanced": ("advance_tp_sl",),
    "move_stop": ("move_stop",),
    "breakeven_offset": ("breakeven_offset",),
    "stop_loss": ("stop_loss", "sl"),
    "stop_loss_ticks": ("stop_loss_ticks", "sl_ticks"),
    "stop_loss_price": ("stop_loss_price", "sl_price"),
    "market_position": ("market_position", "sentiment", "strategy.market_position"),
    "position_side": ("position_side",),
    "position": ("position",),
    "position_size": ("position_size", "strategy.position_size"),
    "market_position_size": ("market_position_size", "strategy.market_position_size"),
    "previous_side": (
        "prev_market_position",
        "previous_market_position",
        "strategy.prev_market_position",
    ),
    "previous": ("prev_position", "previous_position", "prev_position_size"),
    "previous_size": (
        "prev_market_position_size",
        "previous_market_position_size",
        "strategy.prev_market_position_size",
    ),
    "time_in_force": ("time_in_force", "tif"),
    "strategy": ("strategy", "strategy_name", "strategy_id", "strategy_tag"),
    "name": ("name",),
    "account": ("account", "account_group", "account_name", "account_id"),
    "fired_at": ("timenow", "sent_at", "fired_at", "time_now"),
    "bar_at": ("time", "timestamp", "date", "bar_time", "datetime"),
    "interval": ("interval", "timeframe", "time_frame", "tf", "resolution"),
    "idempotency_key": ("idempotency_key",),
    "signal_id": ("signal_id",),
    "alert_timestamp": ("alert_timestamp",),
    "exchange": ("exchange", "tv_exchange"),
    "cancel": ("cancel",),
    "test": ("test",),
    "delay": ("delay", "delay_seconds"),
    "max_lag": ("max_lag",),
    "comment": ("comment", "order_comment", "strategy_comment", "strategy.order.comment"),
    "text": (
        "message",
        "msg",
        "text",
        "content",
        "alert",
        "alert_message",
        "order_alert_message",
        "strategy.order.alert_message",
    ),
}

NOTES = (
    *("id", "alert_id", "order_id", "strategy.order.id", "alert_name", "version", "library"),
    *("extras", "metadata", "meta", "note", "notes", "reason", "description", "desc", "title"),
    *("currency", "base_currency", "base", "quote", "quote_currency", "syminfo.currency"),
    *("syminfo.basecurrency", "bar_index", "bar_state", "chart_url", "url", "nonce"),
    *("source", "tag", "tags", "bot_name", "close_time", "open_time", "order_name", "trade_id"),
    *("client_order_id", "client_id", "uuid", "tick_size", "mintick", "syminfo.mintick"),
)
"""Known to change nothing: kept without a warning."""

BAR = (
    *("open", "high", "low", "volume", "hl2", "hlc3", "ohlc4", "hlcc4", "vwap", "bid", "ask"),
    *("last", "open_price", "high_price", "low_price", "prev_close", "previous_close"),
    *("bar_close", "vol", "volume_average", "last_price", "mark_price", "current_price"),
    *("bid_price", "ask_price"),
)

SECRETS = (
    *("secret", "token", "key", "passphrase", "password", "pass", "passwd", "pwd", "pin"),
    *("api_key", "api_secret", "api_token", "auth", "auth_key", "auth_token", "authorization"),
    *("access_token", "access_key", "bearer", "credential", "credentials", "email_token"),
    *("signal_token", "webhook_secret", "webhook_key", "webhook_token", "secret_key"),
    *("private_key", "user_key", "pass_key", "passcode", "jwt", "signature", "pointer"),
    *("qv_user_id", "bot_uuid", "bot_id", "license", "licence", "license_id", "licence_id"),
    *("license_key", "telegram", "discord", "slack", "webhook_url", "chat_id", "client_secret"),
)

LETTERS = frozenset("qQsSbBcCeEaAlLpPtT")
"""Single letters are whole instructions in command dialects (`b=long q=5% t=market`)."""


def _spellings(name: str) -> set[str]:
    head, *rest = name.split("_")
    return {name, normalise(name), head + "".join(part.title() for part in rest), name.upper()}


def _build_table() -> dict[str, Meaning]:
    table: dict[str, Meaning] = {}
    rows = [("field", concept, names) for concept, names in FIELDS.items()]
    rows += [("note", "note", NOTES), ("bar", "bar", BAR), ("secret", "secret", SECRETS)]
    rows += [("bar", "close", ("close", "close_price")), ("letter", "letter", tuple(LETTERS))]
    for kind, concept, names in rows:
        for name in names:
            for spelling in _spellings(name):
                table[spelling] = Meaning(kind, concept, normalise(name))
    return table


_TABLE = _build_table()
_SECRETS = frozenset(normalise(name) for name in SECRETS)
_SECRET_STEM = re.compile("secret|token|passphrase|password|passwd|apikey|credential")


SECRET_WORDS = (
    *(
        "secret",
        "token",
        "key",
        "pass",
        "pwd",
        "pin",
        "auth",
        "bearer",
        "credential",
        "jwt",
        "licen",
    ),
    *("signature", "pointer", "qv", "bot", "telegram", "discord", "slack", "webhook", "chat"),
)
"""Each name of a credential holds one of these, whatever separates its other words."""


def look_up(key: str) -> Meaning:
    """Return what `key` stands for; `instruction`, `amount` and `switch` must not be ignored."""
    known = _TABLE.get(key)
    if known is not None:
        return known
    folded = normalise(key)
    if not key.isascii():
        # A language we do not read, or a look-alike letter: nobody can say that it is harmless.
        mixed = any(letter.isascii() and letter.isalpha() for letter in key)
        return Meaning("amount" if mixed else "instruction", "", folded)
    known = _TABLE.get(folded)
    if known is not None:
        return known
    if folded in SWITCHES:
        return Meaning("switch", "", folded)
    theme = find_theme(key)
    if theme is not None:
        return Meaning("amount" if theme.is_amount else "instruction", "", folded)
    return Meaning("secret" if is_secret(key) else "unknown", "", folded)


def is_secret(key: str) -> bool:
    """Tell whether a key names a credential, also as a part of a longer name."""
    folded = normalise(key)
    return folded in _SECRETS or _SECRET_STEM.search(folded) is not None
