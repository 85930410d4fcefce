"""Test the Binance spot broker against a stand-in on a loopback socket, and against scripted answers."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest

from brokers import BROKERS
from brokers.binance.signing import sign
from brokers.binance.spot import Binance
from brokers.binance.spot_market import build_instrument, public_price
from brokers.protocol import (
    CROSSED,
    KEYS_REFUSED,
    THROTTLED,
    WRONG_ORDER,
    BrokerRefused,
    Instrument,
    OrderRequest,
    Uncertain,
    Unreachable,
)
from brokers.wire.fields import write_plain as plain
from brokers.wire.lookups import OLDER_MS
from tests.support.stand_in.binance import KEY, SECRET
from tests.support.stand_in.binance_spot import Pair, StandIn

ORDER, LIST = "/api/v3/order", "/api/v3/orderList/oco"
KEYS = {"BINANCE_API_KEY": KEY, "BINANCE_API_SECRET": SECRET}
D = Decimal


@dataclass(frozen=True)
class Account:
    """What config.yaml and .env say of an account."""

    base_url: str | None
    market: str | None = "spot"
    sandbox: bool = False
    is_demo: bool = False
    roll_days: int | None = None
    leverage: Decimal | None = None
    margin: str | None = None
    account: str | None = None
    exchange: str | None = None
    credentials: Mapping[str, str] = field(default_factory=lambda: dict(KEYS))


class Clock:
    """Our clock, which runs with the venue's until it is put wrong."""

    def __init__(self, venue: StandIn) -> None:
        self.real = venue.now
        self.ahead = 0

    def __call__(self) -> int:
        return self.real() + self.ahead


@pytest.fixture
def venue() -> Iterator[StandIn]:
    """Run a stand-in for Binance with 100,000 USDT."""
    with StandIn() as stand_in:
        yield stand_in


@pytest.fixture
def broker(venue: StandIn) -> Binance:
    """Make a broker that has read the rules of BTCUSDT."""
    made = Binance("binance", Account(venue.url))
    made.instrument("BTCUSDT")
    return made


BTCUSDT = Instrument(symbol="BTCUSDT", kind="spot", base="BTC", quote="USDT")


def ask(client_id: str = "tv-1", side: str = "buy", quantity: Any = "0.01", **more: Any) -> Any:
    """Return an order for bitcoin; a sell reduces."""
    more = {"reduces": side == "sell", "instrument": BTCUSDT, **more}
    return OrderRequest(client_id, side=side, quantity=D(quantity), **more)


def limit(client_id: str, side: str, price: Any, quantity: Any = "0.01", **more: Any) -> Any:
    """Return a limit order."""
    return ask(client_id, side, quantity, order_type="limit", limit_price=D(price), **more)


def stop(client_id: str, side: str, price: Any, quantity: Any = "0.01", **more: Any) -> Any:
    """Return a stop order; with a limit price, a stop-limit."""
    kind = "stop_limit" if "limit_price" in more else "stop"
    return ask(client_id, side, quantity, order_type=kind, stop_price=D(price), **more)


def hold(venue: StandIn, quantity: str = "0.01") -> None:
    """Put bitcoin into the account."""
    venue.free["BTC"] = D(quantity)


# Signatures and numbers.


@pytest.mark.parametrize(
    ("payload", "signature"),
    [
        (
            (
                "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1"
                "&recvWindow=5000&timestamp=1499827319559"
            ),
            "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
        ),
        (
            (
                "symbol=%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96&side=BUY&type=LIMIT"
                "&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
            ),
            "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3",
        ),
    ],
)
def test_published_examples_are_signed_as_binance_does(payload, signature):
    """The two examples of Binance's documentation, the second percent-encoded before signing."""
    secret = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
    assert sign(secret, payload) == signature


def test_what_is_signed_is_what_is_sent(venue, broker):
    """The signature stands last and fits the query as it arrived, byte for byte; the body is empty."""
    broker.place_order(ask())
    seen = next(r for r in venue.requests if r.method == "POST")
    payload, _, signature = seen.query.rpartition("&signature=")
    right = hmac.new(SECRET.encode(), payload.encode(), hashlib.sha256).hexdigest()
    assert signature == right
    assert seen.body == ""
    assert seen.headers["x-mbx-apikey"] == KEY
    assert seen.params["recvWindow"] == "5000"


def test_a_name_that_is_not_ascii_is_encoded_before_it_is_signed(venue, broker):
    """Some pairs have Chinese names; Binance refuses a signature over anything but the encoded text."""
    venue.pairs["币安人生USDT"] = Pair("币安人生USDT", "币安人生", "USDT", D(2))
    instrument = broker.instrument("BINANCE:币安人生USDT")
    report = broker.place_order(ask(instrument=instrument, quantity="10"))
    assert report.status == "filled"
    sent = next(r for r in venue.requests if r.method == "POST").query
    assert "symbol=%E5%B8%81%E5%AE%89%E4%BA%BA%E7%94%9FUSDT&" in sent


@pytest.mark.parametrize(
    ("number", "written"),
    [
        ("1E-8", "0.00000001"),
        ("1E+3", "1000"),
        ("0.10000000", "0.1"),
        ("100", "100"),
        ("-0.50", "-0.5"),
    ],
)
def test_numbers_are_written_plainly(number, written):
    """No exponent and no decimals that say nothing: Binance counts them (-1111)."""
    assert plain(D(number)) == written


# Instruments.


def test_an_instrument_has_the_venues_rules(venue, broker):
    """Tick, step, least quantity and least worth come from exchangeInfo."""
    found = broker.instrument("BINANCE:BTCUSDT")
    assert found.symbol == "BTCUSDT"
    assert found.holding == "BTC"
    assert (found.quote, found.kind, found.may_short) == ("USDT", "spot", False)
    assert (found.tick, found.step) == (D("0.01"), D("0.00001"))
    assert (found.min_quantity, found.min_notional) == (D("0.00001"), D(5))


@pytest.mark.parametrize(
    "spelling", ["BTCUSDT", "btcusdt", "BTC/USDT", "BINANCE:BTCUSDT", "BTC-USDT"]
)
def test_every_spelling_is_one_instrument(broker, spelling):
    """The spellings that name a pair elsewhere name it here."""
    assert broker.instrument(spelling).symbol == "BTCUSDT"


@pytest.mark.parametrize(
    "symbol", ["BTCUSDT.P", "BINANCE:BTCUSDT.P", "BTC/USDT:USDT", "BTCUSDTPERP"]
)
def test_a_perpetual_never_becomes_spot(venue, broker, symbol):
    """A perpetual is refused in words, and nothing about it is asked."""
    before = len(venue.requests)
    with pytest.raises(
        BrokerRefused, match="is a perpetual, and this account has market: spot"
    ) as no:
        broker.instrument(symbol)
    assert no.value.code == "MARKET_MISMATCH"
    assert len(venue.requests) == before


@pytest.mark.parametrize("symbol", ["NOSUCHUSDT", "SELECT * FROM", "A&side=BUY", "X" * 31])
def test_an_unknown_symbol_says_what_to_send(broker, symbol):
    """What Binance does not list, and what cannot be a name, is SYMBOL_UNKNOWN with the remedy."""
    with pytest.raises(BrokerRefused, match="as Binance writes it") as no:
        broker.instrument(symbol)
    assert no.value.code == "SYMBOL_UNKNOWN"


def test_another_market_is_told_as_not_supported(venue):
    """Only spot is traded here; the account's setting is named."""
    broker = Binance("perps", Account(venue.url, market="linear"))
    with pytest.raises(BrokerRefused, match=r"only spot is supported yet\. Set market: spot"):
        broker.instrument("BTCUSDT")
    assert "not supported" in (broker.check().problem or "")
    assert venue.requests == []


def test_rules_are_read_whenever_they_are_asked_for(venue, broker):
    """The broker remembers none: how long they hold is the desk's matter."""
    venue.pairs["BTCUSDT"].tick = "0.10000000"
    assert broker.instrument("BTCUSDT").tick == D("0.1")


@pytest.mark.parametrize(
    ("code", "message"), [(-1013, "Filter failure: LOT_SIZE"), (-1111, "Precision is over.")]
)
def test_rules_that_an_order_broke_are_read_again(venue, broker, code, message):
    """After a refusal for a filter or for precision the remembered rules are not trusted."""
    venue.fail("POST", ORDER, code, message)
    with pytest.raises(BrokerRefused):
        broker.place_order(ask())
    venue.pairs["BTCUSDT"].step = "0.01000000"
    assert broker.instrument("BTCUSDT").step == D("0.01")


def test_older_symbols_have_another_filter_for_the_least_worth():
    """MIN_NOTIONAL counts where NOTIONAL is absent; a tick of zero means no steps."""
    row = Pair("LTCBTC", "LTC", "BTC", D(1)).describe()
    row["filters"] = [f for f in row["filters"] if f["filterType"] != "NOTIONAL"]
    row["filters"].append({"filterType": "MIN_NOTIONAL", "minNotional": "0.00010000"})
    row["filters"][0]["tickSize"] = "0.00000000"
    instrument = build_instrument(row)
    assert instrument.min_notional == D("0.0001")
    assert instrument.tick is None


def test_a_market_step_of_zero_falls_back(venue):
    """Live symbols have a MARKET_LOT_SIZE step of zero: then that of LOT_SIZE counts."""
    row = Pair("BTCUSDT", "BTC", "USDT", D(1)).describe()
    assert build_instrument(row).market_step == D("0.00001")
    row["filters"][2]["stepSize"] = "0.01000000"
    assert build_instrument(row).market_step == D("0.01")


def test_the_larger_of_two_least_quantities_counts():
    """An order must keep LOT_SIZE and MARKET_LOT_SIZE."""
    row = Pair("BTCUSDT", "BTC", "USDT", D(1)).describe()
    row["filters"][2]["minQty"] = "0.50000000"
    assert build_instrument(row).min_quantity == D("0.5")


def test_the_table_of_brokers_has_binance():
    """config.yaml may say broker: binance."""
    assert BROKERS["binance"] is Binance
    assert Binance.facts.needs == ("BINANCE_API_KEY", "BINANCE_API_SECRET")


# Orders.


def test_a_market_order_fills_with_its_executions(venue, broker):
    """Average, executions, trade ids and the fee in the coin bought are told as the venue did."""
    venue.slices = 2
    report = broker.place_order(ask(quantity="0.02"))
    assert (report.status, report.filled) == ("filled", D("0.02"))
    assert report.average_price == D(50000)
    assert [fill.quantity for fill in report.fills] == [D("0.01"), D("0.01")]
    assert {fill.fill_id for fill in report.fills} == {"BTCUSDT:5000", "BTCUSDT:5001"}
    assert {(fill.fee, fill.fee_coin) for fill in report.fills} == {(D("0.00001"), "BTC")}
    assert all(fill.client_id == "tv-1" and fill.side == "buy" for fill in report.fills)


def test_what_was_filled_less_its_fees_is_what_is_held(venue, broker):
    """A fee taken in the coin is told to the last decimal: the share net of it can be sold, not more."""
    report = broker.place_order(ask(quantity="0.12345"))
    share = report.filled - sum(f.fee for f in report.fills if f.fee_coin == "BTC")
    assert share == D("0.12332655")
    assert broker.snapshot().positions["BTC"] == share
    sold = broker.close(ask("tv-2", "sell", "0.12332"))
    assert (sold.status, sold.fills[0].fee_coin) == ("filled", "USDT")
    with pytest.raises(BrokerRefused) as no:
        broker.close(ask("tv-3", "sell", "0.12345"))
    assert no.value.code == "INSUFFICIENT_BALANCE"


def test_cash_is_spent_at_the_market(venue, broker):
    """An amount of the quote coin goes out as such, floored to what a coin can be divided into."""
    report = broker.place_order(ask(quantity="1", quote_quantity=D("500.123456789")))
    sent = venue.sent("POST", ORDER)[0]
    assert sent["quoteOrderQty"] == "500.12345678"
    assert "quantity" not in sent
    assert (report.status, report.filled) == ("filled", D("0.01"))
    for cash in (D("500.123456789"), None):
        found = broker.find_order(ask(quantity="0.01", quote_quantity=cash))
        assert (found.status, found.filled) == ("filled", D("0.01"))
    assert broker.find_order(ask(quantity="0.01", quote_quantity=D(499))).status == "absent"


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (ask(), {"type": "MARKET", "quantity": "0.01"}),
        (
            limit("tv-1", "buy", "49000.00"),
            {"type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01", "price": "49000"},
        ),
        (
            stop("tv-1", "buy", 51000),
            {"type": "STOP_LOSS", "quantity": "0.01", "stopPrice": "51000"},
        ),
        (
            stop("tv-1", "sell", 49000, limit_price=D("48990.5")),
            {
                "type": "STOP_LOSS_LIMIT",
                "timeInForce": "GTC",
                "quantity": "0.01",
                "price": "48990.5",
                "stopPrice": "49000",
            },
        ),
    ],
)
def test_each_kind_has_exactly_its_parameters(venue, broker, request_, expected):
    """Binance refuses a parameter too many as it does one too few; the full answer is always asked for."""
    hold(venue)
    report = (broker.close if request_.reduces else broker.place_order)(request_)
    sent = venue.sent("POST", ORDER)[0]
    for name in ("recvWindow", "timestamp", "signature"):
        del sent[name]
    always = {"symbol": "BTCUSDT", "newClientOrderId": "tv-1", "newOrderRespType": "FULL"}
    assert sent == {**always, "side": request_.side.upper(), **expected}
    assert report.status == ("filled" if request_.order_type == "market" else "accepted")
    assert report.client_id == "tv-1"
    assert report.broker_id == "1000"


def test_a_stop_triggers_under_its_name(venue, broker):
    """After the trigger the same client id finds the fill, its fee included."""
    hold(venue)
    sold = stop("tv-1", "sell", 49000)
    assert broker.close(sold).status == "accepted"
    assert broker.find_order(sold).status == "accepted"
    venue.set_price("BTCUSDT", 48900)
    found = broker.find_order(sold)
    assert (found.status, found.average_price) == ("filled", D(48900))
    assert (found.fills[0].fee, found.fills[0].fee_coin) == (D("0.489"), "USDT")


@pytest.mark.parametrize(
    ("depth", "status", "filled"), [("0.004", "partly_filled", "0.004"), ("0", "refused", "0")]
)
def test_a_market_order_is_judged_by_what_it_filled(venue, broker, depth, status, filled):
    """EXPIRED with a part filled is that part; with nothing it is refused, with Binance's reason."""
    venue.pairs["BTCUSDT"].depth = D(depth)
    report = broker.place_order(ask())
    assert (report.status, report.filled) == (status, D(filled))
    assert report.message == "The venue ended the order: INSUFFICIENT_LIQUIDITY."
    assert broker.find_order(ask()).status == status


def test_an_exit_larger_than_the_venue_takes_sells_the_most_it_takes(venue, broker):
    """Above the largest market order that much is sold, and the receipt says that it was a part."""
    hold(venue, "150")
    venue.pairs["BTCUSDT"].max_market = "100.00000000"
    instrument = broker.instrument("BTCUSDT")
    exit_ = ask("tv-1", "sell", "150", instrument=instrument)
    report = broker.close(exit_)
    assert (report.status, report.filled) == ("partly_filled", D(100))
    found = broker.find_order(exit_)
    assert (found.status, found.filled) == ("partly_filled", D(100))
    assert broker.close(ask("tv-2", "sell", "50", instrument=instrument)).status == "filled"


def test_an_exit_smaller_than_the_step_goes_out_as_it_is(venue, broker):
    """It is never made zero; what Binance says of it is the answer."""
    with pytest.raises(BrokerRefused, match="LOT_SIZE"):
        broker.close(ask("tv-1", "sell", "0.000001"))
    assert venue.sent("POST", ORDER)[0]["quantity"] == "0.000001"


def test_an_entry_is_never_cut(venue, broker):
    """What opens is refused above the largest order, with the filter's name, not made smaller."""
    venue.free["USDT"] = D(100_000_000)
    with pytest.raises(BrokerRefused, match="MARKET_LOT_SIZE") as no:
        broker.place_order(ask(quantity="150"))
    assert no.value.code == "FILTER"


def test_an_exit_is_not_kept_back_where_the_rules_cannot_be_read(venue):
    """A broker that has just started sells without them."""
    hold(venue)
    venue.fail("GET", "/api/v3/exchangeInfo", -1000, "unknown", 400)
    broker = Binance("binance", Account(venue.url))
    assert broker.close(ask("tv-1", "sell")).status == "filled"


def test_a_symbol_that_does_not_trade_is_refused_by_binance_alone(venue, broker):
    """Nothing is kept back by rules that may be old: Binance says what it says, and opens again at once."""
    hold(venue)
    venue.pairs["BTCUSDT"].status = "BREAK"
    for send, order in ((broker.place_order, ask()), (broker.close, ask("tv-1", "sell"))):
        with pytest.raises(BrokerRefused, match="Try again when it does") as no:
            send(order)
        assert no.value.code == "MARKET_CLOSED"
    venue.pairs["BTCUSDT"].status = "TRADING"
    assert broker.place_order(ask("tv-2")).status == "filled"


def test_a_cancel_returns_what_had_filled(venue, broker):
    """A limit order cancelled halfway is partly filled, with the fee of the part."""
    broker.place_order(limit("tv-1", "buy", 49000))
    venue.fill("tv-1", "0.004")
    report = broker.cancel(limit("tv-1", "buy", 49000))
    assert (report.status, report.filled) == ("partly_filled", D("0.004"))
    assert (report.fills[0].fee, report.fills[0].fee_coin) == (D("0.000004"), "BTC")
    assert report.client_id == "tv-1"


def test_a_cancel_of_an_untouched_order_is_cancelled(venue, broker):
    """Nothing filled, nothing held any more."""
    broker.place_order(limit("tv-1", "buy", 49000))
    assert broker.cancel(limit("tv-1", "buy", 49000)).status == "cancelled"
    assert broker.find_order(limit("tv-1", "buy", 49000)).status == "cancelled"
    assert venue.locked["USDT"] == 0


def test_a_cancel_of_what_has_filled_is_refused(venue, broker):
    """Then the order is looked up by who asked."""
    broker.place_order(ask())
    with pytest.raises(BrokerRefused) as no:
        broker.cancel(ask())
    assert no.value.code == "ORDER_GONE"


# Lists.

PAIR = (stop("tv-s", "sell", 49000), limit("tv-t", "sell", 52000))


def test_a_stop_and_a_target_are_one_list(venue, broker):
    """The stop stands below, the target above as a maker; one list id comes from the first's."""
    hold(venue)
    reports = broker.protect(PAIR)
    sent = venue.sent("POST", LIST)[0]
    for name in ("recvWindow", "timestamp", "signature"):
        del sent[name]
    assert sent == {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "quantity": "0.01",
        "aboveType": "LIMIT_MAKER",
        "abovePrice": "52000",
        "aboveClientOrderId": "tv-t",
        "belowType": "STOP_LOSS",
        "belowStopPrice": "49000",
        "belowClientOrderId": "tv-s",
        "listClientOrderId": "tv-s-l",
        "newOrderRespType": "FULL",
    }
    assert [(r.client_id, r.status) for r in reports] == [
        ("tv-s", "accepted"),
        ("tv-t", "accepted"),
    ]


def test_receipts_come_in_the_order_of_the_requests(venue, broker):
    """Target first, stop-limit second: so do the receipts."""
    hold(venue)
    patient = stop("tv-s", "sell", 49000, limit_price=D(48900))
    reports = broker.protect((PAIR[1], patient))
    assert [r.client_id for r in reports] == ["tv-t", "tv-s"]
    sent = venue.sent("POST", LIST)[0]
    kind = [sent[f"below{name}"] for name in ("Type", "StopPrice", "Price", "TimeInForce")]
    assert kind == ["STOP_LOSS_LIMIT", "49000", "48900", "GTC"]


@pytest.mark.parametrize(
    ("price", "filled", "over"), [(52000, "tv-t", "tv-s"), (48000, "tv-s", "tv-t")]
)
def test_what_fills_of_one_ends_the_other(venue, broker, price, filled, over):
    """Binance itself ends the other leg; the coins are sold once."""
    hold(venue)
    broker.protect(PAIR)
    venue.set_price("BTCUSDT", price)
    by_id = {request.client_id: broker.find_order(request) for request in PAIR}
    assert by_id[filled].status == "filled"
    assert by_id[over].status == "expired"
    assert "BTC" not in broker.snapshot().positions


def test_cancelling_one_leg_frees_the_coins(venue, broker):
    """A leg takes its list along, and what was locked can be sold."""
    hold(venue)
    broker.protect(PAIR)
    with pytest.raises(BrokerRefused):
        broker.close(ask("tv-x", "sell"))
    assert broker.cancel(PAIR[0]).status == "cancelled"
    assert broker.find_order(PAIR[1]).status == "cancelled"
    assert broker.close(ask("tv-y", "sell")).status == "filled"


def test_a_pair_that_the_price_has_passed_is_crossed(venue, broker):
    """The desk then decides what becomes of the share."""
    hold(venue)
    venue.set_price("BTCUSDT", 48000)
    with pytest.raises(BrokerRefused, match="already passed") as no:
        broker.protect(PAIR)
    assert no.value.code == CROSSED


@pytest.mark.parametrize(
    "pair",
    [
        (PAIR[0], PAIR[0]),
        (PAIR[0], replace(PAIR[1], quantity=D(1))),
        (stop("tv-s", "buy", 52000), limit("tv-t", "buy", 49000)),
    ],
)
def test_what_is_no_pair_is_refused_before_it_is_sent(venue, broker, pair):
    """Two stops, two sizes, or a pair that buys."""
    with pytest.raises(BrokerRefused, match="one stop and one target of one size"):
        broker.protect(pair)
    assert venue.sent("POST", LIST) == []


def legs(quantity: str = "0.00999") -> tuple[OrderRequest, ...]:
    """Return a stop and a target for an entry of a hundredth."""
    return (
        stop("tv-s", "sell", 47000, quantity),
        limit("tv-t", "sell", 52000, quantity),
    )


def test_a_limit_entry_carries_its_exits(venue, broker):
    """One call; the exits wait until the entry has filled, then lock what was bought."""
    entry = limit("tv-e", "buy", 49000, legs=legs())
    assert broker.place_order(entry).status == "accepted"
    sent = venue.sent("POST", "/api/v3/orderList/otoco")[0]
    assert {
        name: value for name, value in sent.items() if name.startswith(("working", "pending"))
    } == {
        "workingType": "LIMIT",
        "workingSide": "BUY",
        "workingPrice": "49000",
        "workingQuantity": "0.01",
        "workingTimeInForce": "GTC",
        "workingClientOrderId": "tv-e",
        "pendingSide": "SELL",
        "pendingQuantity": "0.00999",
        "pendingAboveType": "LIMIT_MAKER",
        "pendingAbovePrice": "52000",
        "pendingAboveClientOrderId": "tv-t",
        "pendingBelowType": "STOP_LOSS",
        "pendingBelowStopPrice": "47000",
        "pendingBelowClientOrderId": "tv-s",
    }
    assert [broker.find_order(leg).status for leg in legs()] == ["accepted", "accepted"]
    venue.set_price("BTCUSDT", 49000)
    assert broker.find_order(entry).status == "filled"
    venue.set_price("BTCUSDT", 52000)
    assert [broker.find_order(leg).status for leg in legs()] == ["expired", "filled"]


def test_an_entry_that_fills_at_once_tells_its_fee(venue, broker):
    """An order list's answer brings no executions: they are read before the receipt is given."""
    report = broker.place_order(limit("tv-e", "buy", 50500, legs=legs()))
    assert (report.status, report.filled) == ("filled", D("0.01"))
    assert (report.fills[0].fee, report.fills[0].fee_coin) == (D("0.00001"), "BTC")


@pytest.mark.parametrize(("leg", "kind"), [(0, "STOP_LOSS"), (1, "LIMIT")])
def test_an_entry_may_carry_one_exit(venue, broker, leg, kind):
    """A stop or a target alone is linked as well."""
    one = legs()[leg]
    broker.place_order(limit("tv-e", "buy", 49000, legs=(one,)))
    sent = venue.sent("POST", "/api/v3/orderList/oto")[0]
    assert (sent["pendingType"], sent["pendingClientOrderId"]) == (kind, one.client_id)
    venue.set_price("BTCUSDT", 49000)
    assert broker.find_order(one).status == "accepted"
    assert venue.order(one.client_id).status == "NEW"


def test_only_a_limit_entry_carries_exits(venue, broker):
    """A market entry with legs is refused before anything is sent."""
    with pytest.raises(BrokerRefused, match="limit entry only"):
        broker.place_order(ask(legs=legs()))
    assert [r for r in venue.requests if r.method == "POST"] == []


# What goes wrong.


@pytest.mark.parametrize(
    ("status", "code", "said", "ours", "words"),
    [
        (
            400,
            -1013,
            "Filter failure: NOTIONAL",
            "FILTER",
            "NOTIONAL forbids the order: the order is worth",
        ),
        (400, -1013, "Filter failure: MIN_NOTIONAL", "FILTER", "send a larger quantity"),
        (400, -1013, "Filter failure: PRICE_FILTER", "FILTER", "the symbol's price step"),
        (400, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE", "FILTER", "too far from the market"),
        (400, -1013, "Filter failure: NEW_ONE", "FILTER", "NEW_ONE forbids the order"),
        (400, -1111, "Parameter 'price' has too much precision.", "FILTER", "more decimals"),
        (
            400,
            -2010,
            "Account has insufficient balance for requested action.",
            "INSUFFICIENT_BALANCE",
            "free balance does not cover",
        ),
        (400, -2010, "Stop price would trigger immediately.", CROSSED, "already passed the stop"),
        (400, -2010, "Order would trigger immediately.", CROSSED, "already passed the stop"),
        (400, -2010, "Order would immediately match and take.", CROSSED, "passed the target"),
        (
            400,
            -2010,
            "The relationship of the prices for the orders is not correct.",
            CROSSED,
            "wants the market between them",
        ),
        (400, -2010, "Market is closed.", "MARKET_CLOSED", "does not trade this symbol now"),
        (
            400,
            -2010,
            "This symbol is not permitted for this account.",
            "NOT_PERMITTED",
            "does not let this account trade",
        ),
        (400, -2010, "Something new.", "REFUSED", r"Binance refused: Something new. \(-2010\)"),
        (400, -1102, "Mandatory parameter 'x'.", "REFUSED", r"Mandatory parameter 'x'. \(-1102\)"),
        (
            400,
            -1022,
            "Signature for this request is not valid.",
            KEYS_REFUSED,
            "BINANCE_API_SECRET",
        ),
        (401, -2014, "API-key format invalid.", KEYS_REFUSED, "BINANCE_API_KEY and"),
        (401, -2015, "Invalid API-key, IP, or permissions.", KEYS_REFUSED, "on the key's IP list"),
        (401, -1002, "You are not authorized.", KEYS_REFUSED, "Enable Spot"),
        (400, -1121, "Invalid symbol.", "SYMBOL_UNKNOWN", "lists no such symbol"),
        (451, 0, "Service unavailable from a restricted location", "REGION_BLOCKED", "this region"),
        (429, -1003, "Too many requests.", THROTTLED, "did not carry this one out"),
        (400, -1015, "Too many new orders.", THROTTLED, "did not carry this one out"),
        (503, -1008, "Server is overloaded.", THROTTLED, "did not carry this one out"),
    ],
)
def test_a_refusal_says_what_to_do(venue, broker, status, code, said, ours, words):
    """Each error is certain not to be an order, has a code of ours and a text a user can act on."""
    venue.fail("POST", ORDER, code, said, status)
    with pytest.raises(BrokerRefused, match=words) as no:
        broker.place_order(ask())
    assert no.value.code == ours
    assert len(venue.sent("POST", ORDER)) == 1
    assert KEY not in no.value.message
    assert SECRET not in no.value.message


@pytest.mark.parametrize(("status", "code"), [(429, -1003), (400, -1015), (503, -1008)])
def test_a_throttled_account_is_quiet_as_long_as_binance_says(venue, broker, status, code):
    """Retry-After is handed on, and nothing is sent until it is over."""
    body = {"code": code, "msg": "slow down"}
    venue.answer("POST", ORDER, body, status, {"Retry-After": "7"})
    with pytest.raises(BrokerRefused) as no:
        broker.place_order(ask())
    assert no.value.retry_after == 7
    with pytest.raises(BrokerRefused) as no:
        broker.place_order(ask("tv-2"))
    assert no.value.code == THROTTLED
    assert len(venue.sent("POST", ORDER)) == 1


def test_an_exit_leaves_while_binance_is_overloaded(venue, broker):
    """It takes no opening order then; what reduces is tried."""
    hold(venue)
    venue.fail("POST", ORDER, -1008, "Server is overloaded.", 503)
    with pytest.raises(BrokerRefused):
        broker.place_order(ask())
    with pytest.raises(BrokerRefused):
        broker.place_order(ask("tv-2"))
    assert broker.close(ask("tv-3", "sell")).status == "filled"
    assert len(venue.sent("POST", ORDER)) == 2


def test_a_secret_that_comes_back_is_not_told(venue, broker):
    """An answer that repeats the key is shown with the key masked, and cut."""
    venue.fail("POST", ORDER, -1102, f"{KEY} {SECRET} " + "x" * 2_000)
    with pytest.raises(BrokerRefused) as no:
        broker.place_order(ask())
    assert KEY not in no.value.message
    assert SECRET not in no.value.message
    assert len(no.value.message) < 600


@pytest.mark.parametrize(
    ("status", "body"), [(418, {"code": -1003, "msg": "banned"}), (403, "<html>")]
)
def test_a_banned_address_sends_nothing_more(venue, broker, status, body):
    """No request of any kind leaves until the ban is over."""
    venue.answer("POST", ORDER, body, status, {"Retry-After": "120"})
    with pytest.raises(BrokerRefused, match="banned this address") as no:
        broker.place_order(ask())
    assert no.value.code == "BANNED"
    before = len(venue.requests)
    with pytest.raises(Unreachable):
        broker.snapshot()
    assert len(venue.requests) == before


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"code": -1006, "msg": "An unexpected response was received. Execution unknown."}),
        (400, {"code": -1007, "msg": "Timeout waiting for response. Execution unknown."}),
        (500, {"code": -1000, "msg": "An unknown error occurred."}),
        (503, {"code": -1001, "msg": "Internal error; unable to process your request."}),
        (500, {"code": -2010, "msg": "New order rejected."}),
        (503, {"timestamp": 1, "path": "/api", "msg": "Unknown error"}),
        (504, "<html>gateway timeout</html>"),
        (200, "<html>welcome</html>"),
        (200, ""),
        (200, "{"),
        (200, []),
        (200, {}),
        (200, {"code": 200, "msg": "success"}),
    ],
)
def test_an_answer_that_leaves_it_open_is_uncertain(venue, broker, status, body):
    """Unknown execution, a server's fault, or an answer that is none: the order may exist."""
    venue.answer("POST", ORDER, body, status)
    with pytest.raises(Uncertain):
        broker.place_order(ask())
    assert len(venue.sent("POST", ORDER)) == 1


FULL = {
    "symbol": "BTCUSDT",
    "orderId": 28,
    "orderListId": -1,
    "clientOrderId": "tv-1",
    "transactTime": 1507725176595,
    "price": "0.00000000",
    "origQty": "0.01000000",
    "executedQty": "0.01000000",
    "origQuoteOrderQty": "0.000000",
    "cummulativeQuoteQty": "500.00000000",
    "status": "FILLED",
    "timeInForce": "GTC",
    "type": "MARKET",
    "side": "BUY",
    "fills": [
        {
            "price": "50000",
            "qty": "0.01000000",
            "commission": "0.00001000",
            "commissionAsset": "BTC",
            "tradeId": 56,
        }
    ],
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"orderId": None},
        {"orderId": "28"},
        {"orderId": True},
        {"clientOrderId": None},
        {"executedQty": "NaN"},
        {"executedQty": "Infinity"},
        {"executedQty": "1e3"},
        {"executedQty": 1},
        {"cummulativeQuoteQty": "\uff11"},
        {"status": "FINE"},
        {"status": None},
        {"transactTime": None},
        {"fills": [{"price": "NaN", "qty": "0.01", "commission": "0", "commissionAsset": "BTC"}]},
        {"fills": [None]},
    ],
)
def test_an_order_that_cannot_be_read_is_uncertain(venue, broker, wrong):
    """A missing id, another type, or what is no finite number in plain digits."""
    venue.answer("POST", ORDER, FULL | wrong)
    with pytest.raises(Uncertain) as doubt:
        broker.place_order(ask())
    assert doubt.value.code is None


@pytest.mark.parametrize(
    "wrong", [{"clientOrderId": "other"}, {"symbol": "ETHUSDT"}, {"side": "SELL"}]
)
def test_an_answer_about_another_order_is_told_as_such(venue, broker, wrong):
    """The desk halts the account then."""
    venue.answer("POST", ORDER, FULL | wrong)
    with pytest.raises(Uncertain) as doubt:
        broker.place_order(ask())
    assert doubt.value.code == WRONG_ORDER


def test_the_documented_answer_is_read(venue, broker):
    """The example as Binance gives it."""
    venue.answer("POST", ORDER, FULL)
    report = broker.place_order(ask())
    assert (report.status, report.broker_id) == ("filled", "28")
    assert report.fills[0].at == 1507725176595


@pytest.mark.parametrize("fault", ["lose", "drop"])
def test_a_lost_answer_is_looked_up_never_sent_again(venue, broker, fault):
    """What was carried out is found, what never arrived is absent; one request left either way."""
    getattr(venue, fault)("POST", ORDER)
    with pytest.raises(Uncertain):
        broker.place_order(ask())
    found = broker.find_order(ask())
    assert found.status == ("filled" if fault == "lose" else "absent")
    assert len(venue.sent("POST", ORDER)) == 1


def test_a_venue_that_hangs_is_left_at_the_deadline(venue, broker, monkeypatch):
    """The order is carried out and no answer comes: uncertain in time, and found afterwards."""
    monkeypatch.setattr("brokers.binance.spot.ORDER_SECONDS", 0.3)
    venue.hang("POST", ORDER)
    start = time.monotonic()
    with pytest.raises(Uncertain):
        broker.place_order(ask())
    assert time.monotonic() - start < 2
    assert broker.find_order(ask()).status == "filled"


def test_executions_that_cannot_be_read_leave_the_order_uncertain(venue, broker):
    """The order was taken: that its fee is not known must never look as if nothing had left."""
    for _ in range(9):
        venue.fail("GET", "/api/v3/myTrades", -1003, "Too many requests.", 429)
    with pytest.raises(Uncertain):
        broker.place_order(limit("tv-e", "buy", 50500, legs=legs()))


def test_executions_that_are_listed_late_are_waited_for(venue, broker):
    """Totals without the fees behind them would oversell the share, so for a minute they do not count."""
    clock = Clock(venue)
    late = Binance("binance", Account(venue.url), clock)
    broker.place_order(ask())
    venue.answer("GET", "/api/v3/myTrades", [])
    with pytest.raises(Uncertain, match="does not list all executions"):
        late.find_order(ask())
    venue.order("tv-1").changed_at -= 120_000
    venue.answer("GET", "/api/v3/myTrades", [])
    found = late.find_order(ask())
    assert (found.status, found.filled, found.fills) == ("filled", D("0.01"), ())
    assert found.average_price == D(50000)


def test_a_working_order_tells_only_executions_that_are_listed(venue, broker):
    """Of a partial fill that is not listed yet nothing is told; the next read has it."""
    broker.place_order(limit("tv-1", "buy", 49000))
    venue.fill("tv-1", "0.004")
    venue.answer("GET", "/api/v3/myTrades", [])
    assert broker.find_order(limit("tv-1", "buy", 49000)).filled == 0
    found = broker.find_order(limit("tv-1", "buy", 49000))
    assert (found.status, found.filled, len(found.fills)) == ("accepted", D("0.004"), 1)


def test_a_duplicate_is_the_order_it_is(venue, broker):
    """Binance has it already: the receipt says what became of it, and nothing is sent again."""
    first = limit("tv-1", "buy", 49000)
    broker.place_order(first)
    report = broker.place_order(first)
    assert (report.status, report.broker_id) == ("accepted", "1000")
    assert len(venue.sent("POST", ORDER)) == 2
    assert len(venue.orders) == 1


def test_a_duplicate_pair_is_looked_up_leg_by_leg(venue, broker):
    """Both receipts come in the order of the requests."""
    hold(venue, "0.02")
    broker.protect(PAIR)
    assert [r.client_id for r in broker.protect(PAIR)] == ["tv-s", "tv-t"]
    assert len(venue.orders) == 2


def test_a_duplicate_that_differs_is_not_taken_for_ours(venue, broker):
    """An open order of the same name and another size is a matter for people."""
    broker.place_order(limit("tv-1", "buy", 49000))
    with pytest.raises(Uncertain) as doubt:
        broker.place_order(limit("tv-1", "buy", 49000, "0.02"))
    assert doubt.value.code == WRONG_ORDER


def test_a_leg_whose_name_is_taken_is_no_wrong_order(venue, broker):
    """The entry itself is not there, so nothing is mistaken for it: it is looked up like any doubt."""
    hold(venue)
    broker.protect(PAIR)
    with pytest.raises(Uncertain) as doubt:
        broker.place_order(limit("tv-e", "buy", 49000, legs=legs()))
    assert doubt.value.code is None
    assert broker.find_order(limit("tv-e", "buy", 49000)).status == "absent"


def test_a_duplicate_that_cannot_be_looked_up_is_uncertain(venue, broker):
    """It exists, so it is neither refused nor unreached."""
    broker.place_order(limit("tv-1", "buy", 49000))
    venue.fail("GET", ORDER, -2015, "Invalid API-key.", 401)
    with pytest.raises(Uncertain):
        broker.place_order(limit("tv-1", "buy", 49000))


@pytest.mark.parametrize(
    "other", [ask(quantity="0.02"), ask(side="sell"), limit("tv-1", "buy", 49000, "0.02")]
)
def test_another_order_of_the_same_name_is_not_ours(venue, broker, other):
    """Client ids are unique among open orders only: side and size must agree."""
    broker.place_order(ask())
    assert broker.find_order(other).status == "absent"


def test_an_order_older_than_the_request_is_not_ours(venue, broker):
    """A lost request is not mistaken for an old order of the same name and size."""
    broker.place_order(ask())
    venue.order("tv-1").placed_at -= OLDER_MS + 5_000
    venue.drop("POST", ORDER)
    with pytest.raises(Uncertain):
        broker.place_order(ask())
    assert broker.find_order(ask()).status == "absent"


def test_an_archived_order_ended_unfilled(venue, broker):
    """Binance archives what was cancelled without a fill more than 90 days ago."""
    venue.fail("GET", ORDER, -2026, "Order was canceled or expired with no executed qty.")
    assert broker.find_order(ask()).status == "cancelled"


# The clock.


@pytest.mark.parametrize("ahead", [-3_600_000, 3_600_000])
def test_a_wrong_clock_is_put_right_and_the_order_sent_once_more(venue, ahead):
    """Refused for the time alone, the same order leaves again by Binance's clock, under the same name."""
    clock = Clock(venue)
    broker = Binance("binance", Account(venue.url), clock)
    broker.instrument("BTCUSDT")
    clock.ahead = ahead
    assert broker.place_order(ask()).status == "filled"
    sent = venue.sent("POST", ORDER)
    assert [each["newClientOrderId"] for each in sent] == ["tv-1", "tv-1"]
    assert len(venue.orders) == 1
    assert abs((broker.check().clock_offset_ms or 0) + ahead) < 2_000
    assert broker.find_order(ask()).status == "filled"


def test_a_second_refusal_for_the_clock_is_final(venue, broker):
    """Two sends and no third; the text says how to set the clock."""
    for _ in range(2):
        venue.fail("POST", ORDER, -1021, "Timestamp for this request is outside of the recvWindow.")
    with pytest.raises(BrokerRefused, match="Set it by NTP") as no:
        broker.place_order(ask())
    assert no.value.code == "CLOCK"
    assert len(venue.sent("POST", ORDER)) == 2


# What the account holds.


def test_a_snapshot_has_coins_and_working_orders(venue, broker):
    """What orders lock is held all the same; a working order tells what of it has filled, with fees."""
    hold(venue, "0.5")
    broker.place_order(limit("tv-1", "buy", 49000))
    broker.close(limit("tv-2", "sell", 60000, "0.2"))
    venue.fill("tv-1", "0.004")
    seen = broker.snapshot()
    assert seen.positions["BTC"] == D("0.5") + D("0.004") * D("0.999")
    assert seen.positions["USDT"] == D(100_000) - 196
    assert "ETH" not in seen.positions
    assert seen.equity is None
    working = {report.client_id: report for report in seen.working}
    assert {cid: (r.status, r.filled) for cid, r in working.items()} == {
        "tv-1": ("accepted", D("0.004")),
        "tv-2": ("accepted", D(0)),
    }
    assert working["tv-1"].fills[0].fee == D("0.000004")


def test_executions_carry_the_name_of_their_order(venue, broker):
    """Of our orders and of others, after a restart too; since a time, and on symbols that were asked for."""
    broker.place_order(ask())
    start = venue.now()
    venue.executions[0].at -= 60_000
    limit_ = limit("tv-2", "buy", 49000)
    broker.place_order(limit_)
    venue.order("tv-2").placed_at -= 60_000
    venue.set_price("BTCUSDT", 49000)
    broker.place_order(ask("by-hand"))
    fresh = Binance("binance", Account(venue.url))
    fresh.instrument("BTCUSDT")
    for one in (broker, fresh):
        found = one.fills(start - 1_000, ["BTCUSDT"])
        assert [(f.client_id, f.side) for f in found] == [("tv-2", "buy"), ("by-hand", "buy")]
        assert [f.fill_id for f in found] == ["BTCUSDT:5001", "BTCUSDT:5002"]
        assert found[0].price == D(49000)


def test_executions_are_found_though_our_clock_is_ahead(venue):
    """A time of ours means an earlier one there; nothing in between is missed."""
    clock = Clock(venue)
    clock.ahead = 3_600_000
    broker = Binance("binance", Account(venue.url), clock)
    broker.instrument("BTCUSDT")
    broker.place_order(ask())
    assert len(broker.fills(clock() - 60_000, ["BTCUSDT"])) == 1


def test_many_executions_are_read_page_by_page(venue, broker, monkeypatch):
    """A full page is followed by the next, from the id after its last."""
    monkeypatch.setattr("brokers.binance.spot.PAGE", 2)
    for number in range(5):
        broker.place_order(ask(f"tv-{number}"))
    found = broker.fills(venue.now() - 60_000, ["BTCUSDT"])
    assert [f.client_id for f in found] == [f"tv-{number}" for number in range(5)]
    assert [p.get("fromId") for p in venue.sent("GET", "/api/v3/myTrades")] == [
        None,
        "5002",
        "5004",
    ]


def test_a_symbol_nobody_asked_about_is_not_read(venue, broker):
    """Its rules were read, and that is all: each symbol costs the quota of the address."""
    broker.instrument("ETHUSDT")
    broker.place_order(ask())
    found = broker.fills(venue.now() - 60_000, ["BTCUSDT"])
    assert [fill.fill_id for fill in found] == ["BTCUSDT:5000"]
    assert {each["symbol"] for each in venue.sent("GET", "/api/v3/myTrades")} == {"BTCUSDT"}


# Checks and prices.


def test_a_check_says_what_the_keys_may_do(venue):
    """May trade, may withdraw, the clock and the balances."""
    venue.can_withdraw = True
    clock = Clock(venue)
    clock.ahead = 500
    check = Binance("binance", Account(venue.url), clock).check()
    assert (check.may_trade, check.may_withdraw, check.problem) == (True, True, None)
    assert -700 < (check.clock_offset_ms or 0) <= -300
    assert check.balance == {"USDT": D(100_000)}


def test_the_testnet_does_not_tell_of_withdrawals(venue):
    """Its keys cannot: the question does not exist there."""
    check = Binance("binance", Account(venue.url, sandbox=True)).check()
    assert (check.may_trade, check.may_withdraw) == (True, None)
    assert venue.sent("GET", "/sapi/v1/account/apiRestrictions") == []


def test_a_key_that_may_not_trade_is_found(venue):
    """The account may, the key may not."""
    venue.answer(
        "GET",
        "/sapi/v1/account/apiRestrictions",
        {"enableSpotAndMarginTrading": False, "enableWithdrawals": False},
    )
    check = Binance("binance", Account(venue.url)).check()
    assert (check.may_trade, check.may_withdraw) == (False, False)


@pytest.mark.parametrize(
    ("credentials", "words"),
    [
        ({**KEYS, "BINANCE_API_KEY": "wrong"}, "on the key's IP list"),
        ({**KEYS, "BINANCE_API_SECRET": "wrong"}, "the signature does not fit"),
        ({}, "are missing"),
        ({**KEYS, "BINANCE_API_KEY": "schlüssel"}, "not as Binance shows them"),
    ],
)
def test_a_check_says_what_is_wrong_with_the_keys(venue, credentials, words):
    """Missing, mistyped or another account's keys: the variables are named, their values are not."""
    check = Binance("binance", Account(venue.url, credentials=credentials)).check()
    assert words in (check.problem or "")
    assert "BINANCE_API_KEY" in (check.problem or "")
    assert "wrong" not in (check.problem or "")
    assert check.may_trade is None


def test_a_check_of_nobody_says_so():
    """Nothing listens there."""
    check = Binance("binance", Account("http://127.0.0.1:9")).check()
    assert "cannot be reached" in (check.problem or "")


def test_a_check_of_somebody_else_says_so(venue):
    """An answer that is not Binance's names the setting."""
    venue.answer("GET", "/api/v3/account", {"hello": "world"})
    check = Binance("binance", Account(venue.url)).check()
    assert "Check base_url" in (check.problem or "")


def test_a_price_needs_no_key(venue):
    """The last price by a TradingView name; what is not told is None, and no key is sent for it."""
    broker = Binance("binance", Account(venue.url, credentials={}))
    assert broker.price("BINANCE:BTCUSDT") == D(50000)
    assert broker.price("NOSUCHUSDT") is None
    assert broker.price("BTCUSDT.P") is None
    assert public_price("BTC/USDT", venue.url) == D(50000)
    assert public_price("BTCUSDT.P", venue.url) is None
    assert all("x-mbx-apikey" not in seen.headers for seen in venue.requests)


@pytest.mark.parametrize(
    "answer", [{"symbol": "ETHUSDT", "price": "1"}, {"symbol": "BTCUSDT", "price": "NaN"}, "<html>"]
)
def test_a_price_that_cannot_be_read_is_none(venue, answer):
    """Of another symbol, no number, no JSON."""
    for _ in range(9):
        venue.answer("GET", "/api/v3/ticker/price", answer)
    assert public_price("BTCUSDT", venue.url) is None


def test_opening_ahead_compares_the_clocks(venue):
    """After it the first order needs one round trip."""
    broker = Binance("binance", Account(venue.url))
    broker.open()
    assert [seen.path for seen in venue.requests] == ["/api/v3/time"]
