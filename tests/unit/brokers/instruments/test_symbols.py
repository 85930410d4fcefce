"""Tests of what a symbol is: one name for many spellings, and the instrument behind it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.instruments import futures, symbols
from brokers.protocol import BrokerRefused

TODAY = date(2026, 11, 20)
MARKETS = (None, "spot", "linear", "futures", "equity")

TEXTS = st.text("ABCDEPSTUZ0126._:/!-", min_size=1, max_size=12)
PAIRS = st.builds(
    lambda base, quote: (base, quote),
    st.from_regex(r"[A-Z0-9]{3,6}", fullmatch=True).filter(lambda base: "USD" not in base),
    st.sampled_from(["USDT", "USDC", "EUR", "BTC"]),
)
KNOWN = st.sampled_from(
    [
        "BTCUSDT",
        "OPUSDT",
        "ETHBTC",
        "BTCUSD",
        "EURUSD",
        "AAPL",
        "BRK.B",
        "ES1!",
        "MESZ2026",
        "US100",
    ]
)


def canonical(symbol: str) -> str:
    """Return the canonical name on the day of these tests."""
    return symbols.canonical(symbol, TODAY)


def read(symbol: str, market: str | None = None) -> str:
    """Return kind, base and quote of a symbol as a short text, or the code of its refusal."""
    try:
        item = symbols.classify(symbol, market, TODAY)
    except BrokerRefused as error:
        return error.code
    return f"{item.kind} {item.base}/{item.quote}"


@pytest.mark.parametrize(
    ("name", "spellings"),
    [
        ("MES1!", "MES1! CME_MINI:MES1! CME_MINI_DL:MES1! mes1! /MES"),
        ("MESZ2026", "MESZ2026 MESZ26 MESZ6 CME_MINI:MESZ2026 /MESZ6 /MESZ26:XCME"),
        ("ETHUSDT", "ETHUSDT ETH/USDT ETH-USDT BINANCE:ETHUSDT KRAKEN:ETH/USDT"),
        ("BTCUSDT.P", "BTCUSDT.P BINANCE:BTCUSDT.P BTC/USDT.P BTC/USDT:USDT BTCUSDTPERP"),
        ("EURUSD", "EURUSD EUR/USD OANDA:EURUSD"),
        ("BRK.B", "BRK.B BRK/B BRK-B NYSE:BRK.B"),
    ],
)
def test_one_instrument_has_one_name(name: str, spellings: str) -> None:
    """Every spelling of an instrument gives the same canonical name."""
    assert {canonical(text) for text in spellings.split()} == {name}


def test_ninjatrader_spelling_has_the_name_of_its_contract() -> None:
    """`MES 12-26` is `MESZ2026`."""
    assert canonical("MES 12-26") == "MESZ2026"


@pytest.mark.parametrize(
    "name", ["GB/TC", "AR/BTC", "BTCPERP", "SOL-PERP", "USDT_BTC", "BTC/USD:BTC", "005930", "ES"]
)
def test_what_cannot_be_merged_safely_keeps_its_spelling(name: str) -> None:
    """A slash stays where the name without it would be another instrument."""
    assert canonical(name) == name


def test_one_digit_of_a_year_counts_from_the_day_that_is_given() -> None:
    """The same text is another contract ten years later; without a day it counts from now."""
    assert symbols.canonical("ESZ6", date(2036, 5, 1)) == "ESZ2036"
    assert symbols.canonical("ESZ6").startswith("ESZ20")


@given(st.one_of(TEXTS, KNOWN, st.builds("X:{}".format, TEXTS), st.builds("{}.P".format, TEXTS)))
def test_the_name_of_a_name_is_itself(text: str) -> None:
    """Canonical is idempotent, also on what no venue would list."""
    assert canonical(canonical(text)) == canonical(text)


@given(PAIRS)
def test_spot_and_perpetual_are_never_merged(pair: tuple[str, str]) -> None:
    """No spelling of a spot pair has the name of its perpetual, whatever market is set."""
    spot = [f"{pair[0]}{pair[1]}", f"{pair[0]}/{pair[1]}", f"BINANCE:{pair[0]}{pair[1]}"]
    perpetual = [f"{text}.P" for text in spot] + [f"{pair[0]}/{pair[1]}:{pair[1]}"]
    assert {canonical(text) for text in spot}.isdisjoint(canonical(text) for text in perpetual)
    assert all(symbols.is_perpetual(text) for text in perpetual)
    assert not any(symbols.is_perpetual(text) for text in spot)
    assert {read(text, "spot") for text in perpetual} == {"MARKET_MISMATCH"}


@given(st.one_of(KNOWN, TEXTS), st.sampled_from(MARKETS))
def test_a_name_and_its_canonical_name_are_one_instrument(text: str, market: str | None) -> None:
    """Classification is the same for a spelling and for the name it stands for."""
    assert read(text, market) == read(canonical(text), market)


@given(KNOWN, st.sampled_from(["BINANCE", "SMART", "NASDAQ"]), st.sampled_from(MARKETS))
def test_the_exchange_never_makes_another_instrument(
    name: str, exchange: str, market: str | None
) -> None:
    """`EXCHANGE:` in front changes neither kind nor refusal."""
    assert read(f"{exchange}:{name}", market) == read(name, market)


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("BTCUSDT.P", "linear BTC/USDT"),
        ("BTC.P", "linear BTC/USD"),
        ("SOL-PERP", "SYMBOL_UNKNOWN"),
        ("BTC-USDT-SWAP", "linear BTC/USDT"),
        ("EURUSD", "forex EUR/USD"),
        ("EUR/USD", "forex EUR/USD"),
        ("USDJPY", "forex USD/JPY"),
        ("USDCNH", "forex USD/CNH"),
        ("XAUUSD", "forex XAU/USD"),
        ("ETH/USDT", "spot ETH/USDT"),
        ("FOO/BAR", "spot FOO/BAR"),
        ("AR/BTC", "spot AR/BTC"),
        ("BTCUSDT", "spot BTC/USDT"),
        ("OPUSDT", "spot OP/USDT"),
        ("BTCUSD", "spot BTC/USD"),
        ("ETHBTC", "spot ETH/BTC"),
        ("1000PEPEUSDT", "spot 1000PEPE/USDT"),
        ("BTCFDUSD", "spot BTC/FDUSD"),
        ("BTCTUSD", "spot BTC/TUSD"),
        ("BTCBUSD", "spot BTC/BUSD"),
        ("BNBUSD", "spot BNB/USD"),
        ("USDTUSD", "spot USDT/USD"),
        ("SHIBUSD", "spot SHIB/USD"),
        ("MNTUSD", "spot MNT/USD"),
        ("EURUSDT", "spot EUR/USDT"),
        ("USDTTRY", "spot USDT/TRY"),
        ("AAPL", "equity AAPL/USD"),
        ("BRK.B", "equity BRK.B/USD"),
        ("BAC/PL", "equity BAC/PL/USD"),
        ("GBTC", "equity GBTC/USD"),
        ("ES", "equity ES/USD"),
        ("MES", "equity MES/USD"),
        ("F", "equity F/USD"),
        ("RELIANCE", "spot RELIANCE/USD"),
        ("US100", "SYMBOL_UNKNOWN"),
        ("ESX50", "SYMBOL_UNKNOWN"),
        ("005930", "spot 005930/USD"),
        ("ES1!", "futures /USD"),
        ("ES2!", "futures /USD"),
        ("ESZ6", "futures /USD"),
        ("XYZ1!", "SYMBOL_UNKNOWN"),
        ("ES3!", "SYMBOL_UNKNOWN"),
        ("ZRZ2026", "SYMBOL_UNKNOWN"),
        ("ZR 12-26", "SYMBOL_UNKNOWN"),
        ("ESF2027", "SYMBOL_UNKNOWN"),  # index futures have no January,
        ("BTCUSDTH2026", "SYMBOL_UNKNOWN"),
        ("BTC/USD:BTC", "SYMBOL_UNKNOWN"),
    ],
)
def test_without_a_market_the_name_decides(symbol: str, expected: str) -> None:
    """Kind, base and quote follow from the letters, and an unknown future is refused."""
    assert read(symbol) == expected


@pytest.mark.parametrize(
    ("symbol", "spot", "linear", "future", "equity"),
    [
        ("BTCUSDT", "spot", "linear", "SYMBOL_UNKNOWN", "equity"),
        ("BTCUSDT.P", "MARKET_MISMATCH", "linear", "MARKET_MISMATCH", "MARKET_MISMATCH"),
        ("BTC-USDT-SWAP", "MARKET_MISMATCH", "linear", "MARKET_MISMATCH", "MARKET_MISMATCH"),
        ("SOL-PERP", "SYMBOL_UNKNOWN", "linear", "SYMBOL_UNKNOWN", "SYMBOL_UNKNOWN"),
        ("ES1!", "MARKET_MISMATCH", "MARKET_MISMATCH", "futures", "MARKET_MISMATCH"),
        ("MESZ6", "MARKET_MISMATCH", "MARKET_MISMATCH", "futures", "MARKET_MISMATCH"),
        ("MES", "spot", "linear", "futures", "equity"),
        ("AAPL", "spot", "linear", "SYMBOL_UNKNOWN", "equity"),
        ("EURUSD", "spot", "linear", "SYMBOL_UNKNOWN", "equity"),
        ("XYZ1!", "SYMBOL_UNKNOWN", "SYMBOL_UNKNOWN", "SYMBOL_UNKNOWN", "SYMBOL_UNKNOWN"),
    ],
)
def test_the_market_says_what_a_plain_name_is(
    symbol: str, spot: str, linear: str, future: str, equity: str
) -> None:
    """A plain name is what the account trades; a name that says otherwise openly is refused."""
    kinds = [read(symbol, market).split()[0] for market in MARKETS[1:]]
    assert kinds == [spot, linear, future, equity]


@pytest.mark.parametrize(
    ("symbol", "spelled"),
    [
        # contract ids, other venues' spellings, and coins on venues that list none
        ("CON.F.US.MES.Z26", "MESZ2026"),
        ("CON.F.US.EP.H27", "ESH2027"),
        ("F.US.ENQ", "NQ1!"),
        ("NIFTY25DEC26FUT", "ES1! or ESZ2026"),
        ("BANKNIFTYFUT", "ES1! or ESZ2026"),
        ("ETHUSDTM", "ETHUSDT.P"),
        ("XBTUSDTM", "BTCUSDT.P"),
        ("XBTUSDM", "BTCUSDT.P"),
        ("PF_XBTUSD", "BTCUSD.P"),
        ("PI_XBTUSD", "BTCUSDT.P"),
        ("FI_XBTUSD_261225", "BTCUSDT.P"),
        ("BTCUSDT_261225", "BTCUSDT.P"),
        ("BTC-USDT-261225", "BTCUSDT.P"),
        ("BTC-26DEC26", "BTCUSDT.P"),
        ("BTC-PERP", "BTCUSDT.P"),
        ("SOLPERP", "SOLUSDT.P"),
        ("BTCUSDTZ26", "BTCUSDT.P"),
        ("BINANCE_FUTURES:BTCUSDT", "BTCUSDT.P"),
        ("BYBIT_LINEAR:ETHUSDT", "ETHUSDT.P"),
        ("BINANCEUSDM:ETHUSDT", "ETHUSDT.P"),
        ("BITMEX:XBTUSD", "XBTUSD.P"),
        ("CME_MINI:ES", "ES1!"),
        ("CME:ES", "ES1!"),
        ("COMEX_DL:GC", "GC1!"),
        ("NFO:RELIANCE", "ES1!"),
        # indices and contracts for difference
        ("NAS100", "symbols"),
        ("OANDA:US30", "symbols"),
        ("SPX", "symbols"),
        ("EURUSD.R", "write EURUSD"),
        ("XAUUSDM", "write XAUUSD"),
        # a future of a product that is not in the table
        ("ZRZ6", "no contract that is known"),
        ("PAH27", "no contract that is known"),
    ],
)
def test_a_derivative_in_another_spelling_is_never_a_coin_or_a_share(
    symbol: str, spelled: str
) -> None:
    """It is refused, with the spelling to use."""
    with pytest.raises(BrokerRefused) as caught:
        symbols.classify(symbol, None, TODAY)
    assert caught.value.code == "SYMBOL_UNKNOWN"
    assert spelled in str(caught.value)


@pytest.mark.parametrize(
    ("symbol", "name"),
    [
        ("BTC-PERP", "BTCUSDT.P"),
        ("SOL_PERP", "SOLUSDT.P"),
        ("BTC-USDT-SWAP", "BTCUSDT.P"),
        ("ETHUSDTM", "ETHUSDT.P"),
        ("KUCOIN:XBTUSDTM", "BTCUSDT.P"),
        ("ETHUSDCM", "ETHUSDC.P"),
        ("BTC/USDT:USDT", "BTCUSDT.P"),
    ],
)
def test_on_an_account_of_perpetuals_others_spelling_is_the_perpetual(
    symbol: str, name: str
) -> None:
    """The account says what it trades, so nothing else can be meant; what was taken is told."""
    found = symbols.classify(symbol, "linear", TODAY)
    assert (found.symbol, found.kind) == (name, "linear")
    assert name in found.note or canonical(symbol) == name


@pytest.mark.parametrize(
    "symbol",
    [
        *("XBTUSDM", "BTCPERP", "BTCUSDT_261225", "BTC-USDT-261225", "BTC-26DEC26", "BTCUSDZ26"),
        *("PI_XBTUSD", "FI_XBTUSD_261225", "BTC/USD:BTC", "BTCUSDT1!"),
    ],
)
def test_inverse_and_dated_contracts_are_refused_by_name(symbol: str) -> None:
    """Also where perpetuals are traded: they are other contracts."""
    with pytest.raises(BrokerRefused) as caught:
        symbols.classify(symbol, "linear", TODAY)
    assert caught.value.code == "SYMBOL_UNKNOWN"


@pytest.mark.parametrize(
    ("symbol", "market", "kind"),
    [
        *(("CME_MINI:ES1!", None, "futures"), ("CME:ES", "futures", "futures")),
        *(("NYMEX:CLZ2026", None, "futures"), ("BINANCE_FUTURES:BTCUSDT", "linear", "linear")),
        *(("BYBIT:BTCUSDT", None, "spot"), ("BITMEX:XBTUSD.P", None, "linear")),
        *(("FUT", None, "equity"), ("GDX", None, "equity"), ("USDM", None, "equity")),
        *(("ALGOUSDT", None, "spot"), ("ARBUSDT", None, "spot"), ("C98USDT", None, "spot")),
        *(("C98", "spot", "spot"), ("HK", None, "equity"), ("EURUSDT", None, "spot")),
    ],
)
def test_what_only_looks_like_one_stays_what_it_is(
    symbol: str, market: str | None, kind: str
) -> None:
    """An exchange that fits, a market that says it, a ticker with such letters."""
    assert symbols.classify(symbol, market, TODAY).kind == kind


@pytest.mark.parametrize("market", [None, "equity"])
def test_a_share_with_the_name_of_a_future_says_so(market: str | None) -> None:
    """`ES` is a share, and the warning names `ES1!`."""
    item = symbols.classify("ES", market, TODAY)
    assert (item.kind, item.symbol) == ("equity", "ES")
    assert "ES1!" in item.note
    assert symbols.classify("AAPL", market, TODAY).note == ""


def test_a_plain_name_on_a_linear_account_is_the_perpetual_with_a_warning() -> None:
    """The instrument says so, and the warning names both."""
    item = symbols.classify("BINANCE:BTCUSDT", "linear", TODAY)
    assert (item.symbol, item.may_short) == ("BTCUSDT.P", True)
    assert "BTCUSDT means BTCUSDT.P" in item.note


def test_a_plain_root_on_a_futures_account_is_the_continuous_symbol() -> None:
    """`MES` is `MES1!` there, and the caller learns that it was assumed."""
    item = symbols.classify("MES", "futures", TODAY)
    assert (item.symbol, item.is_continuous) == ("MES1!", True)
    assert "MES means MES1!" in item.note


@pytest.mark.parametrize(
    ("symbol", "market"), [("BTCUSDT.P", "linear"), ("MES1!", "futures"), ("BTCUSDT", "spot")]
)
def test_nothing_is_assumed_of_a_name_that_says_it_itself(symbol: str, market: str) -> None:
    """No warning where name and market agree."""
    assert symbols.classify(symbol, market, TODAY).note == ""


@pytest.mark.parametrize("root", sorted(futures.PRODUCTS))
def test_a_future_carries_its_product(root: str) -> None:
    """Root, point value, tick and whole contracts are filled, continuous or dated."""
    item = futures.PRODUCTS[root]
    for symbol in (f"{root}1!", f"{root}{item.months[0]}7"):
        found = symbols.classify(symbol, None, TODAY)
        assert (found.root, found.point_value, found.tick) == (root, item.point_value, item.tick)
        assert (found.step, found.is_micro) == (Decimal(1), item.is_micro)
        assert found.quote == item.currency
        assert found.is_continuous == symbol.endswith("!")


@pytest.mark.parametrize("symbol", ["BTCUSDT", "BTCUSDT.P", "EURUSD", "AAPL"])
def test_what_is_no_future_has_no_tick_and_eight_decimals(symbol: str) -> None:
    """A name alone tells no price step."""
    found = symbols.classify(symbol, None, TODAY)
    assert (found.tick, found.step, found.root) == (None, Decimal("0.00000001"), "")
    assert (found.point_value, found.is_continuous) == (Decimal(1), False)


def test_an_expired_contract_is_still_an_instrument_and_its_end_is_known() -> None:
    """Exits can name it; the day lets an entry be denied."""
    assert symbols.classify("ESZ2020", None, TODAY).root == "ES"
    assert symbols.classify("ESZ2020", None, TODAY).last_day == date(2020, 12, 18)
    assert symbols.classify("CME_MINI:MESZ6", None, TODAY).last_day == date(2026, 12, 18)


@pytest.mark.parametrize("symbol", ["ES1!", "BTCUSDT", "AAPL"])
def test_what_does_not_end_has_no_expiry(symbol: str) -> None:
    """Only a dated contract has a last trading day."""
    assert symbols.classify(symbol, None, TODAY).last_day is None


@pytest.mark.parametrize(
    ("symbol", "is_late"),
    [
        ("CME_MINI_DL:ES1!", True),
        ("CBOE_DLY:AAPL", True),
        ("NYMEX_DL", True),
        ("CME_MINI:ES1!", False),
        ("ES1!", False),
    ],
)
def test_delayed_feeds_are_recognised(symbol: str, *, is_late: bool) -> None:
    """The exchange of a late feed ends in `_DL` or `_DLY`."""
    assert symbols.is_delayed_feed(symbol) is is_late
