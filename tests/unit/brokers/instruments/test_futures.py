"""Tests of the products, the spellings of contracts and their calendar."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.instruments import futures

TODAY = date(2026, 11, 20)

DOLLARS_PER_TICK = {
    "ES": "12.50",
    "MES": "1.25",
    "NQ": "5",
    "MNQ": "0.50",
    "YM": "5",
    "MYM": "0.50",
    "RTY": "5",
    "M2K": "0.50",
    "CL": "10",
    "MCL": "1",
    "GC": "10",
    "MGC": "1",
    "SI": "25",
    "NG": "10",
    "ZB": "31.25",
    "ZN": "15.625",
    "6E": "6.25",
    "BTC": "25",
    "MBT": "0.50",
}

CONTRACTS = st.builds(
    futures.Contract,
    st.sampled_from(sorted(futures.PRODUCTS)),
    st.integers(1, 12),
    st.integers(2025, 2034),
)


def read(name: str, today: date = TODAY) -> futures.Contract:
    """Return the contract of a name that must be one."""
    contract = futures.read_contract(name, today)
    assert contract is not None
    return contract


def test_tick_times_point_value_is_what_the_exchange_says_a_tick_is_worth() -> None:
    """The two numbers of each product agree with the published worth of its tick."""
    worth = {root: item.tick * item.point_value for root, item in futures.PRODUCTS.items()}
    assert worth == {root: Decimal(text) for root, text in DOLLARS_PER_TICK.items()}


def test_micros_are_told_from_full_contracts() -> None:
    """Fees go by the size of the contract, so each micro is marked."""
    micros = {root for root, item in futures.PRODUCTS.items() if item.is_micro}
    assert micros == {"MES", "MNQ", "MYM", "M2K", "MCL", "MGC", "MBT"}


@pytest.mark.parametrize("name", ["MESZ2026", "MESZ26", "MESZ6", "MES 12-26"])
def test_a_contract_has_one_value_in_every_spelling(name: str) -> None:
    """Four, two and one digit of a year and NinjaTrader's form are the same contract."""
    assert read(name) == futures.Contract("MES", 12, 2026)
    assert (read(name).tradingview, read(name).short) == ("MESZ2026", "MESZ6")


@pytest.mark.parametrize(
    ("name", "root", "month", "year"),
    [
        ("M2KH7", "M2K", 3, 2027),
        ("6EZ6", "6E", 12, 2026),
        ("ESH2019", "ES", 3, 2019),
        ("GCQ22", "GC", 8, 2022),
        ("BTCX6", "BTC", 11, 2026),
        ("MBTF27", "MBT", 1, 2027),
    ],
)
def test_roots_with_digits_and_old_years_are_read(
    name: str, root: str, month: int, year: int
) -> None:
    """The root is a known one, whatever letters and digits it has, and the past has contracts."""
    assert read(name) == futures.Contract(root, month, year)


@pytest.mark.parametrize(
    "name",
    [
        "ES",
        "ES1!",
        "MES",
        "AAPL",
        "BTCUSDT",
        "ESX50",
        "ESZ",
        "ESA6",
        "ZCZ2026",
        "ESZ126",
        "ESZ1926",
    ],
)
def test_what_is_no_dated_contract_is_none(name: str) -> None:
    """Shares, pairs, continuous symbols, indices and unknown products are no contracts."""
    assert futures.read_contract(name, TODAY) is None


@pytest.mark.parametrize(
    ("digit", "year"), [("5", 2025), ("6", 2026), ("9", 2029), ("0", 2030), ("4", 2034)]
)
def test_one_digit_means_a_year_from_the_last_to_eight_ahead(digit: str, year: int) -> None:
    """Each digit is one year of the ten around now."""
    assert read(f"ESZ{digit}").year == year


def test_one_digit_moves_with_the_calendar() -> None:
    """In 2034 the five is 2035, though it was 2025 before."""
    assert read("ESZ5", date(2035, 1, 1)).year == 2035


@pytest.mark.parametrize(
    ("name", "root"), [("ES1!", "ES"), ("ES2!", "ES"), ("MES1!", "MES"), ("6E1!", "6E")]
)
def test_continuous_symbols_give_their_root(name: str, root: str) -> None:
    """The front month and the next one belong to the same product."""
    assert futures.read_continuous(name) == root


@pytest.mark.parametrize("name", ["ES", "ES3!", "XYZ1!", "ES1", "!", "1!"])
def test_other_names_are_not_continuous(name: str) -> None:
    """Only `1!` and `2!` after a known root count."""
    assert futures.read_continuous(name) is None


@given(CONTRACTS)
def test_every_spelling_of_every_contract_comes_back(contract: futures.Contract) -> None:
    """Writing and reading a contract gives the contract, in the years a digit can tell."""
    assert read(contract.tradingview) == contract
    assert read(contract.short) == contract
    assert read(f"{contract.root} {contract.month:02}-{contract.year % 100:02}") == contract


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("ESZ6", "2026-12-18"),
        ("ESH7", "2027-03-19"),
        ("ESM6", "2026-06-18"),  # the third Friday is Juneteenth
        ("CLZ6", "2026-11-20"),
        ("CLF7", "2026-12-21"),
        ("CLG7", "2027-01-20"),
        ("MCLZ6", "2026-11-19"),
        ("MCLF7", "2026-12-18"),
        ("MCLG7", "2027-01-19"),
        ("CLU6", "2026-08-20"),
        ("NGZ6", "2026-11-25"),
        ("NGF7", "2026-12-29"),
        ("NGG7", "2027-01-27"),
        ("GCZ6", "2026-12-29"),
        ("GCQ2022", "2022-08-29"),
        ("SIZ6", "2026-12-29"),
        ("ZBZ6", "2026-12-21"),
        ("ZNZ6", "2026-12-21"),
        ("6EZ6", "2026-12-14"),
        ("6EH7", "2027-03-15"),
        ("BTCX6", "2026-11-27"),
        ("MBTZ6", "2026-12-24"),
        ("BTCF7", "2027-01-29"),
        ("BTCZ2031", "2031-12-24"),  # the last Friday is Boxing Day, the day before it Christmas
    ],
)
def test_last_trading_days_are_those_worked_by_hand(name: str, day: str) -> None:
    """The rule of each group, holidays included, gives the published day."""
    assert futures.find_last_trading_day(read(name)) == date.fromisoformat(day)


def test_a_contract_is_expired_only_after_its_last_day() -> None:
    """On the last trading day itself it can still be sold."""
    contract = read("CLZ6")
    assert not futures.is_expired(contract, date(2026, 11, 20))
    assert futures.is_expired(contract, date(2026, 11, 21))


@pytest.mark.parametrize(
    ("root", "today", "front"),
    [
        ("ES", "2026-12-11", "ESZ6"),
        ("ES", "2026-12-14", "ESH7"),
        ("GC", "2026-11-23", "GCZ6"),
        ("GC", "2026-11-24", "GCG7"),
        ("SI", "2026-11-24", "SIH7"),
        ("ZB", "2026-11-24", "ZBH7"),
        ("MCL", "2026-11-20", "MCLF7"),
        # what a broker listed as active on one day
        ("MES", "2026-08-20", "MESU6"),
        ("CL", "2026-08-20", "CLV6"),
        ("MCL", "2026-08-20", "MCLV6"),
        ("GC", "2026-08-20", "GCZ6"),
        ("SI", "2026-08-20", "SIU6"),
        ("NG", "2026-08-20", "NGU6"),
        ("MBT", "2026-08-20", "MBTQ6"),
        ("ZN", "2026-08-20", "ZNU6"),
        ("6E", "2026-08-20", "6EU6"),
    ],
)
def test_the_front_month_follows_the_custom(root: str, today: str, front: str) -> None:
    """The calendar names the month that the market trades, skipping the thin ones."""
    assert futures.find_front(root, date.fromisoformat(today)).short == front


@given(st.sampled_from(sorted(futures.PRODUCTS)), st.dates(date(2024, 1, 1), date(2036, 1, 1)))
def test_the_front_month_never_expires_today(root: str, today: date) -> None:
    """Whatever the day, the front month is liquid, alive tomorrow and not more than months away."""
    front = futures.find_front(root, today)
    last = futures.find_last_trading_day(front)
    assert front.letter in futures.PRODUCTS[root].months
    assert today < last < today + timedelta(days=190)


@given(CONTRACTS)
def test_nothing_ends_on_a_weekend_and_the_roll_comes_first(contract: futures.Contract) -> None:
    """Last days are weekdays, and a roll is on or before them."""
    last = futures.find_last_trading_day(contract)
    assert last.weekday() < 5
    assert futures.find_roll_day(contract) <= last
