# ruff: noqa: E501 - a body stands in one line, as it arrives
"""Hold message shapes that others send in earnest, each with what it must be read as.

A row is a name, the body as it arrives, and one outcome for each order in it. `reads` lists every
field that the alert must have, nothing else being set; `unsupported` lists the instructions that must
be named. `refused` gives the status and how the message begins.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Reads(NamedTuple):
    """An alert: its fields as text, and the keys of the instructions it cannot carry out."""

    fields: dict[str, Any]
    unsupported: tuple[str, ...]


class BrokerRefused(NamedTuple):
    """An error in an alert's place: its status, and the beginning of its message."""

    status: int
    message: str


def reads(*, unsupported: tuple[str, ...] = (), **fields: Any) -> Reads:
    """Expect an alert with exactly these fields."""
    return Reads(fields, unsupported)


def refused(status: int, message: str) -> BrokerRefused:
    """Expect an error."""
    return BrokerRefused(status, message)


CASES = (
    (
        "001",
        '{"text": "ETHUSDT Greater Than 4200"}',
        refused(400, "text: Not an alert."),
    ),
    (
        "002",
        "ETHUSDT Greater Than 4200",
        refused(400, "Not an alert."),
    ),
    (
        "003",
        "BATS:AAPL, price = 231.44, volume = 412",
        refused(400, "Not an alert."),
    ),
    (
        "004",
        "Volume: 90412, Volume average: 38120.733333333334",
        refused(400, "Not an alert."),
    ),
    (
        "005",
        '"price EURUSD = 1.08525"!',
        refused(400, "The JSON is broken at line 1, column 1: the braces { } around the memb"),
    ),
    (
        "010",
        '{"message":"BTC Scalping v9.31: order buy @ 0.012 filled on BTCUSDT. New strategy position is 0.012"}',
        reads(
            action="buy",
            symbol="BTCUSDT",
            strategy="BTC Scalping v9.31",
            quantity="0.012",
            market_position="long",
            position_size="0.012",
        ),
    ),
    (
        "011",
        "Price (231.44) crossed over MA (229.8071428571).",
        refused(400, "Not an alert."),
    ),
    (
        "012",
        "Strategy alert on symbol AAPL",
        refused(400, "Not an alert."),
    ),
    (
        "013",
        "Green Bar!",
        refused(400, "Not an alert."),
    ),
    (
        "014",
        '{\n "key": "7Q1t882K41",\n "telegram": "-1009999999999",\n "discord": "700000000000000000/AAAAbbbbCCCCddddEEEE",\n "slack": "T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",\n "msg": "Long *#ETHUSDT* at `4211.3`"\n}',
        reads(action="buy", symbol="ETHUSDT", price="4211.3"),
    ),
    (
        "015",
        '{\n "key": "ZZD998QWer",\n \n "msg": "Long "\n}',
        refused(400, "symbol is missing: send symbol or ticker."),
    ),
    (
        "016",
        '{"key": "topsecretkey", "msg": "Long #BTCUSD at 61250.5"}',
        reads(action="buy", symbol="BTCUSD", price="61250.5"),
    ),
    (
        "017",
        '{\n "key": "topsecretkey"\n "msg": Long #BTCUSD at 61250.5"\n}',
        refused(400, "The JSON is broken at line 3, column 2: a comma is missing here, or a "),
    ),
    (
        "018",
        ' "key": "ZZD998QWer",\n \n "msg": "Long "',
        refused(400, "The JSON is broken at line 1, column 2: the braces { } around the memb"),
    ),
    (
        "030",
        '{"ticker": "BTCPERP", "exchange": "FTX", "time": "2024-05-20T20:36:22Z", "action": "sell", "price": 61800, "message": "exit", "short SL": 63200.00, "short TP": 0, "long SL": 60000.00, "long TP": 64000.00, "passphrase": "hunter2x", "subaccount": "Testing"}',
        reads(
            action="sell",
            symbol="BTCPERP",
            price="61800",
            unsupported=(
                "short SL",
                "short TP",
                "long SL",
                "long TP",
                "subaccount",
                "message",
            ),
        ),
    ),
    (
        "031",
        '{"subaccount": "Testing", "time": "2024-06-15T23:31:22Z", "action": "buy", "message": "entry", "price": 61000, "ticker": "BTCPERP", "exchange": "FTX", "tp Close": 20, "tp1 Mult": 0.6, "tp2 Mult": 1.0, "tp3 Mult": 1.5, "short SL": 61400, "short TP": 60000, "short Breakeven": 60000, "long SL": 60600, "long TP": 62500, "long Breakeven": 61150, "passphrase": "hunter2x"}',
        reads(
            action="buy",
            symbol="BTCPERP",
            price="61000",
            unsupported=(
                "subaccount",
                "tp Close",
                "tp1 Mult",
                "tp2 Mult",
                "tp3 Mult",
                "short SL",
                "short TP",
                "short Breakeven",
                "long SL",
                "long TP",
                "long Breakeven",
            ),
        ),
    ),
    (
        "032",
        '{\n    "ticker": BTCPERP, \n    "exchange": FTX, \n    "action": "buy", \n    "type": "limit", \n    "price": 61800, \n    "message": "entry", \n    "long SL": 60900, \n    "long TP": 63900, \n    "passphrase": "hunter2x", \n    "subaccount": "Testing",\n    "chart_url" : "https://www.tradingview.com/chart/abcd1234"\n}',
        refused(400, "The JSON is broken at line 2, column 15: ticker: put quotes around 'BT"),
    ),
    (
        "033",
        '{\n    "ticker" : "BTCPERP", // BTCUSD...\n    "exchange" : "FTX", // FTX, ByBit, Binance\n    "time" : "2024-06-15T23:31:22Z",\n    "action" : "buy", // buy, sell\n    "price" : 61000,\n    "message" : "entry", // entry, exit, ...breakeven\n    "short SL" : NaN,\n    "short TP" : NaN,\n    "long SL" : 60600,\n    "long TP" : 62500,\n    "passphrase" : "hunter2x",\n    "subaccount": "Testing"\n}',
        refused(400, "The JSON is broken at line 2, column 27: JSON has no comments: take it"),
    ),
    (
        "036",
        '{ "stub": "main", "direction": "long", "symbol": "SOL-PERP", "size": "75" }',
        reads(
            action="buy",
            symbol="SOL-PERP",
            quantity="75",
            quantity_type="cash",
        ),
    ),
    (
        "037",
        '{ "stub": "main", "direction": "short", "symbol": "SOL-PERP", "size": "75" }',
        reads(
            action="sell",
            symbol="SOL-PERP",
            quantity="75",
            quantity_type="cash",
        ),
    ),
    (
        "038",
        '{ "stub": "main", "direction": "close", "symbol": "SOL-PERP" }',
        reads(action="close", symbol="SOL-PERP"),
    ),
    (
        "039",
        '{ "stub": "main", "direction": "close", "symbol": "SOL-PERP", "size": "33%" }',
        reads(
            action="close",
            symbol="SOL-PERP",
            quantity="33",
            quantity_type="percent_of_position",
        ),
    ),
    (
        "040",
        '{ "stub": "main", "direction": "long", "symbol": "SOL-PERP", "size": "5%" }',
        refused(422, 'size "5%": not supported. Send a quantity.'),
    ),
    (
        "041",
        '{ "stub": "main", "direction": "short", "symbol": "SOL-PERP", "size": "75", "max": "500" }',
        reads(
            action="sell",
            symbol="SOL-PERP",
            quantity="75",
            quantity_type="cash",
            unsupported=("max",),
        ),
    ),
    (
        "042",
        '[{ "stub": "main", "direction": "long", "symbol": "SOL-PERP", "size": "75" }, { "stub": "main", "direction": "long", "symbol": "BTC-PERP", "size": "75" }]',
        reads(
            action="buy",
            symbol="SOL-PERP",
            quantity="75",
            quantity_type="cash",
        ),
        reads(
            action="buy",
            symbol="BTC-PERP",
            quantity="75",
            quantity_type="cash",
        ),
    ),
    (
        "043",
        '{ "stub": "main", "direction": "short", "symbol": "SOL-PERP", "size": "75", "mode": "reverse" }',
        reads(
            action="sell",
            symbol="SOL-PERP",
            quantity="75",
            quantity_type="cash",
            unsupported=("mode",),
        ),
    ),
    (
        "081",
        '{"library": "WebhookMessage","timestamp": "1718890200000","ticker": "BTCUSD","action": "buy","sentiment": "bullish","price": 61250.5,"quantity": 1,"stopLoss":{"type": "trailing_stop","trailPercent": 0.75}}',
        reads(
            action="buy",
            symbol="BTCUSD",
            quantity="1",
            price="61250.5",
            market_position="long",
            unsupported=(
                "stop_loss.type",
                "stop_loss.trailPercent",
            ),
        ),
    ),
    (
        "082",
        '{"library": "WebhookMessage","timestamp": "1718890200000","ticker": "BTCUSD","action": "buy","takeProfit":{"percent": 2"amount": 50}}',
        refused(400, "The JSON is broken at line 1, column 120: a comma is missing here, or "),
    ),
    (
        "101",
        '{\n  "symbol": "BTCUSDT",\n  "action": "sell",\n  "order_type": "market",\n  "quantity": "0.02",\n  "stop_loss": 62000,\n  "take_profit": 58000\n}',
        reads(
            action="sell",
            symbol="BTCUSDT",
            quantity="0.02",
            order_type="market",
            take_profit="58000",
            stop_loss="62000",
        ),
    ),
    (
        "102",
        "buy BTCUSDT QTY:0.02 SL:60000 TP:64000",
        reads(
            action="buy", symbol="BTCUSDT", quantity="0.02", take_profit="64000", stop_loss="60000"
        ),
    ),
    (
        "103",
        '{"symbol": "EURUSD", "signal_type": "bull_entry", "entry_price": "1.08525", "stop_loss": "1.08310", "take_profit_1": "1.08740", "take_profit_2": "1.08955", "take_profit_3": "1.09170", "tp_count": "3"}',
        refused(422, 'action "bull_entry" is not supported'),
    ),
    (
        "104",
        '{"symbol": "EURUSD", "signal_type": "tp1", "market_position": "long", "exit_price": "1.08741"}',
        refused(422, 'action "tp1" is not supported'),
    ),
    (
        "105",
        '{"symbol": "EURUSD", "signal_type": "stop_loss", "exit_price": "1.08309"}',
        refused(422, 'action "stop_loss" is not supported'),
    ),
    (
        "106",
        '{"symbol": "EURUSD", "signal_type": "bear_entry", "entry_price": "NaN", "stop_loss": "NaN", "take_profit_1": "NaN", "take_profit_2": "NaN", "take_profit_3": "NaN", "tp_count": "NaN"}',
        refused(422, 'action "bear_entry" is not supported'),
    ),
    (
        "107",
        '{\n  "ticker": "CVXUSDT",\n  "order_action": "sell",\n  "order_price": "1.912",\n  "order_contracts": "281.333",\n  "order_id": "Take 1st Target long",\n  "order_comment": "TP1",\n  "position_size": "348.298",\n  "market_position": "long",\n  "timestamp": "2025-12-03T22:49:00Z"\n}',
        reads(
            action="sell",
            symbol="CVXUSDT",
            quantity="281.333",
            price="1.912",
            market_position="long",
            position_size="348.298",
        ),
    ),
    (
        "108",
        '{"ticker": "CVXUSDT", "order_action": "sell", "order_price": "1.912", "order_contracts": "348.298", "order_id": "Stop Loss", "order_comment": "SL", "position_size": "0", "market_position": "flat", "timestamp": "2025-12-03T23:10:00Z"}',
        reads(
            action="sell",
            symbol="CVXUSDT",
            quantity="348.298",
            price="1.912",
            market_position="flat",
            position_size="0",
        ),
    ),
    (
        "109",
        '{"ticker": "CVXUSDT", "order_action": "sell", "order_contracts": "281.333", "order_alert_message": ""margin_mode": "1", "order_type":"reduce_long", "leverage":"6", "stop_loss_price": "1.783", "pyramiding": "0", "enable_multi_tp": "1"", "position_size": "348.298"}',
        refused(400, "The JSON is broken at line 1, column 102: a comma is missing here, or "),
    ),
    (
        "110",
        '{"ticker": "BTCUSDT", "order_action": "buy", "order_alert_message": "{\\"order_type\\": \\"enter_long\\", \\"leverage\\": \\"10\\"}"}',
        reads(action="buy", symbol="BTCUSDT", unsupported=("order_alert_message",)),
    ),
    (
        "111",
        '"order_type": "reduce_long", "leverage": "6"',
        refused(400, "The JSON is broken at line 1, column 1: the braces { } around the memb"),
    ),
    (
        "112",
        '""margin_mode": "1", "order_type":"reduce_long"',
        refused(400, "The JSON is broken at line 1, column 1: the braces { } around the memb"),
    ),
    (
        "113",
        '{"order_type": "exit_long", "leverage": "5",}',
        refused(400, "symbol is missing: send symbol or ticker."),
    ),
    (
        "114",
        '{"ticker": "ETHUSDT", "order_action": "buy",, "order_contracts": "0.4"}',
        refused(400, "The JSON is broken at line 1, column 45: there is nothing before the c"),
    ),
    (
        "115",
        '{"ticker": "ETHUSDT", "order_action": "buy", "order_contracts": "0.4", "comment": ""Long entry"}',
        refused(400, "The JSON is broken at line 1, column 85: a comma is missing here, or a"),
    ),
    (
        "116",
        '{"ticker": "ETHUSDT", "action": "{{strategy.order.action}}", "quantity": "{{strategy.order.contracts}}"}',
        refused(400, "action: {{strategy.order.action}} was not replaced by TradingView. str"),
    ),
    (
        "117",
        '{ "secret": "whs-1a2b3c", "action": "buy", "symbol": "MES", "qty": 1 }',
        reads(action="buy", symbol="MES", quantity="1"),
    ),
    (
        "118",
        '{ "secret": "whs-1a2b3c", "action": "close", "symbol": "MES" }',
        reads(action="close", symbol="MES"),
    ),
    (
        "119",
        '{ "secret": "whs-1a2b3c", "action": "buy", "symbol": "ES", "qty": 1, "order_type": "limit", "price": 6118.25 }',
        reads(action="buy", symbol="ES", quantity="1", order_type="limit", price="6118.25"),
    ),
    (
        "120",
        '{\n  "secret": "whs-1a2b3c",\n  "action": "sell",\n  "symbol": "ES1!",\n  "qty": 2,\n  "id": "Short"\n}',
        reads(action="sell", symbol="ES1!", quantity="2"),
    ),
    (
        "121",
        '{"secret":"whs-1a2b3c","symbol":"MNQ1!","order_action":"sell","contracts":4,"position_size":-2,"market_position":"short","prev_market_position":"long"}',
        reads(
            action="sell",
            symbol="MNQ1!",
            quantity="4",
            market_position="short",
            position_size="-2",
            previous_side="long",
        ),
    ),
    (
        "122",
        '{"secret":"whs-1a2b3c","action":"close_partial","symbol":"MNQ","pct":50}',
        reads(action="close", symbol="MNQ", quantity="50", quantity_type="percent_of_position"),
    ),
    (
        "123",
        '{"secret":"whs-1a2b3c","action":"ping","message":"bridge alive?"}',
        refused(422, 'action "ping" is not supported'),
    ),
    (
        "124",
        '[{"MODE":"ONEWAY","EXIT":"EXIT","TS":"SOLUSDT","B":"BINANCEFUTURE"},{"MODE":"ONEWAY","TS":"SOLUSDT","TT":"BUY","OT":"MARKET","FUND":"150","LVG":"10","B":"BINANCEFUTURE"}]',
        refused(422, "This is a message of the Binance bridge with the keys TS, TT, OT, FUND"),
        refused(422, "This is a message of the Binance bridge with the keys TS, TT, OT, FUND"),
    ),
    (
        "125",
        '{"MODE":"ONEWAY","EXIT":"EXIT","TS":"SOLUSDT","B":"BINANCEFUTURE"}',
        refused(422, "This is a message of the Binance bridge with the keys TS, TT, OT, FUND"),
    ),
    (
        "126",
        '{"TS":"SOLUSDT","TT":"SELL","OT":"MARKET","FUND":"150","LVG":"10","B":"BINANCEFUTURE"}',
        refused(422, "This is a message of the Binance bridge with the keys TS, TT, OT, FUND"),
    ),
    (
        "127",
        '{\n  "passphrase": "hunter2x",\n  "strategy_name": "SOLUSDT_1h_MACD",\n  "symbol": "SOLUSDT",\n  "exchange": "binance",\n  "action": "short",\n  "price": 142.1,\n  "tp1": 139,\n  "tp2": 136,\n  "sl": 144.5,\n  "position_pct": 0.2,\n  "leverage": 20,\n  "timestamp": 1750170601\n}',
        refused(422, "How much? position_pct 0.2: not supported; send quantity."),
    ),
    (
        "128",
        '{"action": "long",\n  "symbol": "SOLUSDT",\n"exchange": "binance_future",\n"price":"142.10",\n"close": "142.08",\n"passphrase": "hunter2x",\n"strategy_name": "SOLUSDT_15min",\n"some other key": "some other value you need"\n}',
        reads(
            action="buy",
            symbol="BINANCE_FUTURE:SOLUSDT",
            strategy="SOLUSDT_15min",
            price="142.10",
        ),
    ),
    (
        "129",
        '{ \n    "dmstStexTp": "KRX", \n    "strCd": "005930", \n    "ordUv": "71200", \n    "ordQty": "1", \n    "trdeTp": "0", \n    "condUv": "" \n} ',
        refused(422, "This is a Kiwoom message (its side is in the URL): not supported. Send"),
    ),
    (
        "130",
        '{ \n    "stexTp" : "NY", \n    "strCd" : "BRK.B", \n    "ordUv" : "481.22", \n    "ordQty" : "1", \n    "trdeTp" : "03", \n    "stop_pric" : ""\n} ',
        refused(422, "This is a Kiwoom message (its side is in the URL): not supported. Send"),
    ),
    (
        "132",
        '{"PIN": "654321", "ID": "2025-06-17T14:30:01Z", "EXCHANGE": "bybit", "SYMBOL": "BTC/USDT:USDT",\n "SIDE": "buy", "ORDER_TYPE": "market", "QUANTITY": "0.02"}',
        refused(400, 'SYMBOL: "BTC/USDT:USDT" is ccxt\'s spelling of a derivative: write BTCU'),
    ),
    (
        "133",
        '{"PIN": "654321","EXCHANGE": "bybit","SYMBOL": "BTCUSDT","SIDE": "buy","ORDER_TYPE": "limit","QUANTITY": 0.05,"PRICE": 60900}',
        reads(action="buy", symbol="BTCUSDT", quantity="0.05", order_type="limit", price="60900"),
    ),
    (
        "134",
        '{"PIN": "654321","EXCHANGE": "bybit","SYMBOL": "BTCUSDT","SIDE": buy,"ORDER_TYPE": "market","QUANTITY": 0.05}',
        refused(400, "The JSON is broken at line 1, column 66: SIDE: put quotes around 'buy'"),
    ),
    (
        "135",
        '{"token": "tok-9f8e7d", "symbol": "AAPL", "exchange": "NASDAQ", "close": "231.44"}',
        refused(400, "action is missing: send buy, sell or close."),
    ),
    (
        "136",
        '{\n    "message_type": "bot",\n    "bot_id": 1234567,\n    "email_token": "aaaaaaa-bbbb-cccc-dddd-eeeeeeeeee",\n    "delay_seconds": 0,\n    "pair": "USDT_BTC"\n}',
        refused(422, "This is a 3Commas DCA bot message (it starts a deal, the bot knows the"),
    ),
    (
        "137",
        '[{\n    "message_type": "bot",\n    "bot_id": 1234567,\n    "email_token": "aaaaaaa-bbbb-cccc-dddd-eeeeeeeeee",\n    "delay_seconds": 0,\n    "pair": "USDT_BTC"\n},\n{\n    "message_type": "bot",\n    "bot_id": 7654321,\n    "email_token": "aaaaaaa-bbbb-cccc-dddd-eeeeeeeeee",\n    "delay_seconds": 30,\n    "pair": "USDT_BTC"\n}]',
        refused(422, "This is a 3Commas DCA bot message (it starts a deal, the bot knows the"),
        refused(422, "This is a 3Commas DCA bot message (it starts a deal, the bot knows the"),
    ),
    (
        "138",
        "binanceKeys(USDT_BTC) {\n    market(side=buy, amount=50%);\n    stopOrder(side=sell, amount=100%p, offset=2%);\n    limit(side=sell, amount=100%p, offset=3%);\n}",
        refused(422, "This is Alertatron's command language: not supported."),
    ),
    (
        "139",
        '{"content": "BTCUSDT long signal"}\n',
        refused(400, "content: Not an alert."),
    ),
    (
        "140",
        "{   BTCUSD,\n      buy,\n      ,\n      61250.5,\n      1,\n      flat,\n      0,\n  }",
        refused(400, "The JSON is broken at line 1, column 5: put quotes around the key 'BTC"),
    ),
    (
        "146",
        '{\n"secret": "eyJ-not-real",\n"max_lag": "300",\n"timestamp": "2025-06-17T14:30:01Z",\n"trigger_price": "61250.5",\n"tv_exchange": "BINANCE",\n"tv_instrument": "BTCUSDT.P",\n"action": "sell",\n"bot_uuid": "00000000-2222-3333-4444-555555555555",\n"strategy_info": {\n"market_position": "short",\n"market_position_size": "0.02",\n"prev_market_position": "long",\n"prev_market_position_size": "0.02"\n},\n"order": {\n"amount": "0.04",\n"currency_type": "base"\n}\n}',
        reads(
            action="sell",
            symbol="BTCUSDT.P",
            quantity="0.04",
            price="61250.5",
            market_position="short",
            position_size="-0.02",
            previous_position="0.02",
            previous_side="long",
        ),
    ),
    (
        "147",
        '{"secret": "eyJ-not-real","max_lag": "300","timestamp": "2025-06-17T14:30:01Z","trigger_price": "61250.5","tv_exchange": "BYBIT","tv_instrument": "BTCUSDT.P","action": "enter_long","bot_uuid": "00000000-2222-3333-4444-555555555555"}',
        reads(action="buy", symbol="BTCUSDT.P", price="61250.5"),
    ),
    (
        "149",
        '{"action":"buy","marketPosition":"long","prevMarketPosition":"flat","instrument":"ETHUSD","signalToken":"sig-000==","timestamp":"2025-06-20T01:53:00Z","maxLag":"60","investmentType":"base","amount":"5","id":"test456"}',
        reads(
            action="buy",
            symbol="ETHUSD",
            quantity="5",
            market_position="long",
            previous_side="flat",
        ),
    ),
    (
        "151",
        '{"data":{"action":"buy","contracts":"1","position_size":"1"},"price":"4211.3","signal_param":"{}","signal_type":"00000000-aaaa-bbbb-cccc-dddddddddddd","symbol":"ETHUSDT","time":"2025-06-17T14:30:01Z"}',
        reads(
            action="buy",
            symbol="ETHUSDT",
            quantity="1",
            price="4211.3",
            market_position="long",
            position_size="1",
        ),
    ),
    (
        "153",
        "EXIT-LONG_BINANCE_MULTIPLE-PAIRS_SOLUSDT-AbC1dE_5M_aaaabbbbccccddddeeeeffff",
        refused(400, "Not an alert."),
    ),
    (
        "159",
        '{\n"ticker": "ETHUSDT",\n"action": "sell",\n"prev_position" : "long",\n"quantity": "0.8",\n"pointer" : "myK3y"\n}',
        reads(action="sell", symbol="ETHUSDT", quantity="0.8", previous_side="long"),
    ),
    (
        "160",
        "Ether crossed above $4,200 - long signal triggered",
        refused(400, "Not an alert."),
    ),
    (
        "161",
        "BTCUSD broke resistance at 61250.5 with volume 125.432",
        refused(400, "Not an alert."),
    ),
    (
        "162",
        '{"message": "Ether crossed above $4,200","ticker": "ETHUSD","price": 4200,"action": "BUY","strategy": "Breakout","timestamp": "2024-10-28T14:30:00Z"}',
        reads(action="buy", symbol="ETHUSD", strategy="Breakout", price="4200"),
    ),
    (
        "163",
        '{"symbol": "NVDA","exchange": "NASDAQ","interval": "15","action": "flat","price": "121.09","strategy": "Exit","api_token": "tok-9f8e7d"}',
        reads(action="close", symbol="NVDA", strategy="Exit", price="121.09", interval_seconds=900),
    ),
    (
        "166",
        '{\n"secret": "whs-1a2b3c",\n"ticker": "BTCUSDT",\n"exchange": "BYBIT",\n"action": "sell",\n"order_id": "Long Exit",\n"price": 61250.5,\n"position_size": 0,\n"market_position": "flat",\n"prev_market_position": "long",\n"contracts": 0.1,\n"interval": "15",\n"time": "2025-06-17T14:15:00Z"\n}',
        reads(
            action="sell",
            symbol="BTCUSDT",
            quantity="0.1",
            price="61250.5",
            market_position="flat",
            position_size="0",
            previous_side="long",
            interval_seconds=900,
        ),
    ),
    (
        "167",
        '{\n"symbol": "XAUUSD",\n"order_action": "buy",\n"order_type": "limit",\n"price": 2421.5,\n"order_contracts": 0.1,\n"trade_type": "netting",\n"sl_price": 2409,\n"tp_price": 2446,\n"comment": "Limit order from webhook payload"\n}',
        reads(
            action="buy",
            symbol="XAUUSD",
            quantity="0.1",
            order_type="limit",
            price="2421.5",
            take_profit="2446",
            stop_loss="2409",
        ),
    ),
    (
        "168",
        '{\n"symbol": "EURUSD",\n"order_action": "closeall",\n"trade_type": "hedge",\n"comment": "Close all EURUSD positions"\n}',
        reads(action="close", symbol="EURUSD", unsupported=("trade_type",)),
    ),
    (
        "169",
        '{\n"symbol": "EURUSD",\n"order_action": "buy",\n"order_type": "market",\n"volume": 0.1,\n"trade_type": "hedge",\n"sl_price": {{strategy.order.stop_loss}},\n"tp_price": {{strategy.order.take_profit}},\n"comment": "TradingView alert via AlgoWay"\n}',
        refused(422, 'trade_type "hedge": turns the order round'),
    ),
    (
        "170",
        "bva-key-000|My Strategy|sell|ETHUSDT",
        refused(422, "This is a licence-first command language: not supported."),
    ),
    (
        "173",
        '{\n  "qv_user_id": "u-0001",\n  "alert_id": "a-0001",\n  "quantity": "2",\n  "order_type": "trailingstop",\n  "action": "buy",\n  "price": "21450.25",\n  "stop_price": "21430.25"\n}',
        refused(422, "This is a QuantLynk message (its symbol is behind alert_id): not suppo"),
    ),
    (
        "174",
        '{  \n  "qv_user_id": "u-0001",  \n  "alert_id": "a-0001",  \n  "flatten": true  \n}',
        refused(422, "This is a QuantLynk message (its symbol is behind alert_id): not suppo"),
    ),
    (
        "176",
        '{"token": "tok-9f8e7d", "symbol": "NQ", "quantity": 1, "data": "BUY", "platform": "RITHMIC", "order_type": "MKT", "inst_type": "FUT"}',
        reads(
            action="buy", symbol="NQ", quantity="1", order_type="market", unsupported=("inst_type",)
        ),
    ),
    (
        "177",
        '{"token": "tok-9f8e7d", "symbol": "NQ", "quantity": 1, "data": "SELL", "platform": "TRADOVATE", "order_type": "LMT", "inst_type": "FUT", "price": 21450, "tp": 21350, "sl": 21500}',
        reads(
            action="sell",
            symbol="NQ",
            quantity="1",
            order_type="limit",
            price="21450",
            take_profit="21350",
            stop_loss="21500",
            unsupported=("inst_type",),
        ),
    ),
    (
        "178",
        '{"token": "tok-9f8e7d", "symbol": "ES", "quantity": "2", "data": "long", "platform": "RITHMIC", "order_type": "MKT", "inst_type": "FUT", "date": "2025-06-17T14:30:01Z", "price": "6120.25"}',
        refused(422, 'data "long" is a position\'s state ({{strategy.market_position}}), not an'),
    ),
    (
        "179",
        'Alert: {"token":"tok-9f8e7d","symbol":"ES","quantity":2,"data":"BUY","platform":"RITHMIC","order_type":"MKT"}',
        refused(400, "There is text around the JSON object: send the object alone."),
    ),
    (
        "180",
        '{"token":"tok-9f8e7d","symbol":"ES","quantity":"{strategy.order.contracts}","data":"BUY","platform":"RITHMIC","order_type":"MKT"}',
        refused(400, 'quantity: "{strategy.order.contracts}" is a placeholder with one brace'),
    ),
    (
        "182",
        '{\n  "apikey": "api-000",\n  "strategy": "Long",\n  "symbol": "SBIN",\n  "exchange": "NSE",\n  "action": "sell",\n  "quantity": "200",\n  "position_size": "-100",\n  "pricetype": "MARKET",\n  "product": "MIS"\n}',
        reads(
            action="sell",
            symbol="SBIN",
            strategy="Long",
            quantity="200",
            order_type="market",
            market_position="short",
            position_size="-100",
        ),
    ),
    (
        "183",
        '{"apikey": "api-000","strategy": "TVLimit","symbol": "RELIANCE","exchange": "NSE","action": "buy","quantity": "100","pricetype": "LIMIT","price": "2450.5","product": "MIS"}',
        reads(
            action="buy",
            symbol="RELIANCE",
            strategy="TVLimit",
            quantity="100",
            order_type="limit",
            price="2450.5",
        ),
    ),
    (
        "184",
        '{"apikey": "api-000","strategy": "TVOptions","symbol": "NIFTY25JAN21500CE","exchange": "NFO","action": "buy","quantity": "50","pricetype": "MARKET","product": "NRML"}',
        refused(422, 'symbol: "NIFTY25JAN21500CE" is an option; options are not supported.'),
    ),
    (
        "185",
        '{"apikey": "api-000","symbol": "SBIN","exchange": "NSE","product": "MIS","strategy": "EOD","action": "SELL","pricetype": "MARKET","quantity": "0","position_size": "0"}',
        reads(
            action="sell",
            symbol="SBIN",
            strategy="EOD",
            quantity="0",
            order_type="market",
            market_position="flat",
            position_size="0",
        ),
    ),
    (
        "189",
        '{"symbol": "AAPL", "action": "sell", "quantity": 1, "order_type": "market", "account_group": "paper_simulator", "strategy": "ma_crossover", "price": 231.44}',
        reads(
            action="sell",
            symbol="AAPL",
            strategy="ma_crossover",
            account="paper_simulator",
            quantity="1",
            order_type="market",
            price="231.44",
        ),
    ),
    (
        "190",
        '{\n  "token": "tok-9f8e7d",\n  "symbol": "AAPL",\n  "action": "buy",\n  "price": 231.44,\n  "confidence": 0.70,\n  "strategy": "Long",\n  "reason": "TV alert 15 2025-06-17T14:30:00Z"\n}',
        reads(action="buy", symbol="AAPL", strategy="Long", price="231.44"),
    ),
    (
        "192",
        '{"version":"1","strategy_id":"sniper_v13_3","event":"EXIT","symbol":"TSLA","exchange":"SMART","currency":"USD","interval":"5","qty":5,"order_type":"MarketableLimit","limit_offset_bps":30,"limit_price":null,"time_in_force":"DAY","paper":true,"time":"2025-06-17T14:30:01Z","nonce":"2025-06-17T14:30:01Z-0","idempotency_key":"v1-TSLA-5-2025-06-17T14:30:01Z-0","secret":"whs-1a2b3c"}',
        reads(
            action="close",
            symbol="TSLA",
            strategy="sniper_v13_3",
            quantity="5",
            time_in_force="day",
            interval_seconds=300,
            idempotency_key="v1-TSLA-5-2025-06-17T14:30:01Z-0",
            unsupported=(
                "limit_offset_bps",
                "paper",
                "order_type",
            ),
        ),
    ),
    (
        "193",
        '{"ticker": "ETHUSD", "alert": "Moving up by 1% last hour", "server_id": 1000000000000000001, "time": "2025-07-28T15:34:00Z", "signal_type": "buy", "secret": "secret2", "open": 4190, "close": 4211, "high": 4220, "low": 4188, "interval": "1h", "exchange": "BINANCE"}',
        reads(action="buy", symbol="ETHUSD", price="4211", interval_seconds=3600),
    ),
    (
        "198",
        "60000000001,buy,EURUSD,risk=1",
        refused(422, "This is PineConnector's command language: not supported."),
    ),
    (
        "199",
        "60000000001,sell,GBPUSD,risk=0.5,sl=15,tp=30",
        refused(422, "This is PineConnector's command language: not supported."),
    ),
    (
        "200",
        "60000000001,buy,US100,sl=10,tp=20,risk=1",
        refused(422, "This is PineConnector's command language: not supported."),
    ),
    (
        "201",
        "BUY,EURUSD,RISK=1,SL=1.0831,TP=1.0874",
        refused(422, "This is Trade Wzrd's command language: not supported."),
    ),
    (
        "202",
        "CLOSE,EURUSD;SELLLIMIT,EURUSD,PRICE=1.0890,SL=1.0912,TP=1.0840",
        refused(422, "This is Trade Wzrd's command language: not supported."),
    ),
    (
        "203",
        "BREAKEVEN,XAUUSD,OFFSET=0",
        refused(422, "This is Trade Wzrd's command language: not supported."),
    ),
    (
        "209",
        "e=bybit s=BTCUSDT b=long q=5% t=market",
        refused(422, "This is Autoview's command language: not supported."),
    ),
    (
        "210",
        "e=bybit a=main s=BTCUSDT b=long c=position t=market",
        refused(422, "This is Autoview's command language: not supported."),
    ),
    (
        "211",
        "e=binancefutures s=ETHUSDT c=order\ne=binancefutures s=ETHUSDT b=short q=0.4 t=market delay=2",
        refused(422, "This is Autoview's command language: not supported."),
    ),
    (
        "212",
        "### OANDA Long ###\nexchange=oanda symbol=eurusd\nclose=short type=market ifnone=main\ndelay=2s\n:main\ncancel # cancel any open order/stop first\nlong=10% leverage=5 stoploss=-1% takeprofit=+2% type=market error=abort retries=3",
        refused(422, "This is ProfitView's command language: not supported."),
    ),
    (
        "213",
        "ifnopos=abort\ncancel id=SL,TP\nclose=long stoploss=-1% type=market expect=1 error=closeside retries=10 id=SL",
        refused(422, "This is ProfitView's command language: not supported."),
    ),
    (
        "214",
        "PassTest9\nlong BTCUSD q=0.1 sl=1000",
        refused(422, "This is Autoview's command language: not supported."),
    ),
    (
        "215",
        "PassTest9\nshort BTCUSD q=0.2 sl=800 tp=1000",
        refused(422, "This is Autoview's command language: not supported."),
    ),
    (
        "216",
        "PassTest9\nflat BTCUSD q=0.06",
        refused(422, "This is Autoview's command language: not supported."),
    ),
    (
        "217",
        "Bullish : 1 | Bearish : 0 | Bullish+: 0 | Bearish+ : 0",
        refused(400, "Not an alert."),
    ),
    (
        "218",
        "Bullish : NaN | Bearish : 1 | Bullish+: NaN | Bearish+ : NaN",
        refused(400, "Not an alert."),
    ),
    (
        "224",
        "SIGNAL ALERT\n\nSELL XAUUSD 2421.3\n\n🤑TP1: 2419.3\n🤑TP2: 2416.3\n🤑TP3: 2413.3\n🛑SL: 2429.3 (800 pips)",
        refused(400, "Not an alert."),
    ),
    (
        "231",
        "BTC SHORT 61250.5",
        refused(400, "Not an alert."),
    ),
    (
        "232",
        "BTC SHORT {{close}}",
        refused(400, "Not an alert: {{close}} was not replaced by TradingView."),
    ),
    (
        "233",
        '{{"content": "BTC SHORT 61250.5"}}',
        refused(400, "The JSON is broken at line 1, column 2: the braces are doubled: write "),
    ),
    (
        "234",
        '{"pair":"BTCUSDT","units":"8","unitsType":"absolute","exchange":"blablabla","apiKey":"k","token":"t","isBuy":true,"isMarket":true}',
        reads(action="buy", symbol="BTCUSDT", quantity="8", order_type="market"),
    ),
    (
        "235",
        "{{message}}",
        refused(400, "Not an alert: {{message}} was not replaced by TradingView."),
    ),
    (
        "245",
        '{"symbol":"AAPL","base":"na","quote":"USD","side":"buy"}',
        reads(action="buy", symbol="AAPL"),
    ),
    (
        "246",
        '{"ticker":"EURUSD","action":"buy","price":1.085,"sl":1.083,"tp":1.087}',
        reads(action="buy", symbol="EURUSD", price="1.085", take_profit="1.087", stop_loss="1.083"),
    ),
    (
        "247",
        '{"ticker":"BTCUSD","action":"buy","price":$61,250.50}',
        refused(400, "The JSON is broken at line 1, column 43: price: '$61' is no number: wr"),
    ),
    (
        "248",
        '{"ticker":"BTCUSD","action":"buy","price":"$61,250.50"}',
        refused(400, 'price: "$61,250.50" has a comma: write 61250.5 for 61,250.50.'),
    ),
    (
        "250",
        '{"entry": 231.44, "tp": 240.10, "sl": 226.75, "qty": 12, "side": "buy", "symbol": "AAPL"}',
        reads(
            action="buy",
            symbol="AAPL",
            quantity="12",
            price="231.44",
            take_profit="240.10",
            stop_loss="226.75",
        ),
    ),
    (
        "251",
        '{"entry": {{strategy.order.price}}, "side": "buy", "symbol": "AAPL"}',
        reads(action="buy", symbol="AAPL"),
    ),
    (
        "252",
        '{"ticker":"AAPL","action":"buy","comment":"Long\nbreakout"}',
        refused(400, "The JSON is broken at line 1, column 43: a text runs over the end of a"),
    ),
)
