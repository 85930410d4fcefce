"""Tests of the products, the spellings of contracts and their calendar."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.instruments import futures

TODAY = date(2026, 11, 20)

MONEY_PER_TICK = {
    "ES": "12.50",
    "MES": "1.25",
    "NQ": "5",
    "MNQ": "0.50",
    "YM": "5",
    "MYM": "0.50",
    "RTY": "5",
    "M2K": "0.50",
    "NKD": "25",
    "CL": "10",
    "MCL": "1",
    "QM": "12.50",
    "NG": "10",
    "QG": "12.50",
    "MNG": "1",
    "HO": "4.20",
    "RB": "4.20",
    "GC": "10",
    "MGC": "1",
    "SI": "25",
    "SIL": "5",
    "HG": "12.50",
    "MHG": "1.25",
    "PL": "5",
    "ZT": "7.8125",
    "ZF": "7.8125",
    "ZN": "15.625",
    "TN": "15.625",
    "ZB": "31.25",
    "UB": "31.25",
    "ZC": "12.50",
    "ZW": "12.50",
    "ZS": "12.50",
    "ZM": "10",
    "ZL": "6",
    "XC": "1.25",
    "XW": "1.25",
    "XK": "1.25",
    "LE": "10",
    "HE": "10",
    "6A": "5",
    "6B": "6.25",
    "6C": "5",
    "6E": "6.25",
    "6J": "6.25",
    "6S": "6.25",
    "M6A": "1",
    "M6B": "0.625",
    "M6E": "1.25",
    "BTC": "25",
    "MBT": "0.50",
    "ETH": "25",
    "MET": "0.05",
    "VX": "50",
    "FDAX": "25",
    "FDXM": "5",
    "FESX": "10",
    "FGBL": "10",
}
"""In the product's currency, as the exchanges publish it."""

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
    assert worth == {root: Decimal(text) for root, text in MONEY_PER_TICK.items()}


def test_micros_are_told_from_full_contracts() -> None:
    """Fees go by the size of the contract, so each micro is marked."""
    micros = {root for root, item in futures.PRODUCTS.items() if item.is_micro}
    assert micros == {root for root in MONEY_PER_TICK if root.startswith("M") or root == "SIL"}


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
        "ZQZ2026",
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
        # energy: the 25th of January 2025 is a Saturday, Martin Luther King's day before it
        ("CLK2020", "2020-04-21"),
        ("CLF2025", "2024-12-19"),
        ("CLG2025", "2025-01-21"),
        ("QMG2025", "2025-01-17"),
        ("QMF7", "2026-12-18"),
        ("NGH2024", "2024-02-27"),
        ("NGF2025", "2024-12-27"),
        ("NGF2028", "2027-12-29"),
        ("MNGF2025", "2024-12-26"),
        ("QGF2025", "2024-12-26"),
        ("HOF2025", "2024-12-31"),
        ("RBG2025", "2025-01-31"),
        # indices
        ("ESM2024", "2024-06-21"),
        ("MESH2027", "2027-03-19"),
        ("ESM2027", "2027-06-17"),  # Juneteenth is observed on that Friday
        ("RTYZ6", "2026-12-18"),
        ("NKDH2025", "2025-03-13"),
        ("NKDZ2024", "2024-12-12"),
        # metals
        ("GCZ2024", "2024-12-27"),
        ("GCG2025", "2025-02-26"),
        ("HGZ6", "2026-12-29"),
        ("HGK2025", "2025-05-28"),
        ("SILH2025", "2025-03-27"),
        ("PLJ2025", "2025-04-28"),
        ("MHGU2022", "2022-08-29"),
        ("MHGZ2022", "2022-11-28"),
        ("MHGF2023", "2022-12-28"),
        ("MHGK2023", "2023-04-26"),
        # rates
        ("ZNZ2024", "2024-12-19"),
        ("ZNM2025", "2025-06-18"),  # with Juneteenth on the way
        ("TNH2025", "2025-03-20"),
        ("UBH2025", "2025-03-20"),
        ("ZFH2025", "2025-03-31"),
        ("ZTM2025", "2025-06-30"),
        # grains and livestock
        ("ZCZ6", "2026-12-14"),
        ("ZCZ2024", "2024-12-13"),
        ("ZSF7", "2027-01-14"),
        ("ZWK2025", "2025-05-14"),
        ("XKX2024", "2024-11-14"),
        ("ZMF2025", "2025-01-14"),
        ("LEG2025", "2025-02-28"),
        ("HEG2025", "2025-02-14"),
        ("HEJ2025", "2025-04-14"),
        # currencies: the Canadian dollar a day later than the others
        ("6EZ2024", "2024-12-16"),
        ("6JM2025", "2025-06-16"),
        ("M6EH7", "2027-03-15"),
        ("6CZ2024", "2024-12-17"),
        ("6CH2025", "2025-03-18"),
        # coins: the 29th of March 2024 is Good Friday
        ("BTCH2024", "2024-03-28"),
        ("ETHZ2024", "2024-12-27"),
        ("METK2024", "2024-05-31"),
        # volatility: Good Friday 2025 moves March by a day
        ("VXZ6", "2026-12-16"),
        ("VXF2025", "2025-01-22"),
        ("VXH2025", "2025-03-18"),
        # Eurex
        ("FDAXZ2024", "2024-12-20"),
        ("FESXU2025", "2025-09-19"),
        ("FDXMH2025", "2025-03-21"),
        ("FGBLH2025", "2025-03-06"),
        ("FGBLZ2024", "2024-12-06"),
        ("FGBLM2025", "2025-06-06"),
    ],
)
def test_last_trading_days_are_those_worked_by_hand(name: str, day: str) -> None:
    """The rule of each group, holidays included, gives the published day."""
    assert futures.find_last_trading_day(read(name)) == date.fromisoformat(day)


@pytest.mark.parametrize(
    ("root", "today", "front"),
    [
        ("ES", "2026-12-11", "ESZ6"),
        ("ES", "2026-12-14", "ESH7"),
        ("MES", "2027-06-11", "MESM7"),
        ("MES", "2027-06-14", "MESU7"),
        # gold leaves on the day before first notice, as seen on a chart in July 2022
        ("GC", "2022-07-27", "GCQ2"),
        ("GC", "2022-07-28", "GCZ2"),
        ("GC", "2026-11-25", "GCZ6"),
        ("GC", "2026-11-27", "GCG7"),
        ("SI", "2026-11-27", "SIH7"),
        ("HG", "2025-02-26", "HGH5"),
        ("HG", "2025-02-27", "HGK5"),
        ("PL", "2024-12-27", "PLF5"),
        ("PL", "2024-12-30", "PLJ5"),
        ("ZF", "2026-11-23", "ZFZ6"),
        ("ZF", "2026-11-24", "ZFH7"),
        ("ZC", "2026-11-24", "ZCZ6"),
        ("ZC", "2026-11-25", "ZCH7"),
        ("CL", "2026-12-14", "CLF7"),
        ("CL", "2026-12-15", "CLG7"),
        ("MBT", "2026-12-21", "MBTZ6"),
        ("MBT", "2026-12-22", "MBTF7"),
        ("FDAX", "2026-12-14", "FDAXH7"),
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


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("GCQ2022", "2022-07-29"),
        ("GCZ6", "2026-11-30"),
        ("GCG7", "2027-01-29"),
        ("HGH2025", "2025-02-28"),
        ("ZNZ6", "2026-11-27"),
        ("ZNH2025", "2025-02-27"),
        ("ZTM2025", "2025-05-29"),
        ("ZCZ6", "2026-11-30"),
        ("LEG2025", "2025-02-03"),
        ("ESZ6", "2026-12-18"),
        ("CLF7", "2026-12-21"),
    ],
)
def test_what_is_delivered_ends_for_a_trader_at_first_notice(name: str, end: str) -> None:
    """Metals, treasuries, grains and cattle must be left before; the others at their last day."""
    assert futures.find_end_day(read(name)) == date.fromisoformat(end)


@pytest.mark.parametrize(
    ("today", "days", "front"),
    [
        ("2026-12-10", None, "ESZ6"),
        ("2026-12-10", 8, "ESH7"),
        ("2026-12-07", 8, "ESZ6"),
        ("2026-12-17", 1, "ESH7"),
        ("2026-12-16", 1, "ESZ6"),
    ],
)
def test_roll_days_say_how_many_business_days_before_the_end_a_month_is_left(
    today: str, days: int | None, front: str
) -> None:
    """Where nothing is set the custom of the product holds."""
    found = futures.find_front("ES", date.fromisoformat(today), roll_days=days)
    assert found.short == front


def test_the_second_continuous_symbol_is_the_month_after_the_front() -> None:
    """`GC2!` skips thin months as `GC1!` does."""
    assert futures.read_place("GC2!") == 2
    assert futures.find_front("GC", date(2026, 12, 1), futures.read_place("GC2!")).short == "GCJ7"


@pytest.mark.parametrize(("name", "exists"), [("ESF7", False), ("ESH7", True), ("GCX6", True)])
def test_a_month_that_no_exchange_lists_is_known_as_such(name: str, exists: bool) -> None:
    """Thin months exist; a January of an index future does not."""
    assert futures.is_listed(read(name)) is exists


def test_every_product_names_its_rulebook() -> None:
    """Exchange and name of the contract, where tick, unit and termination stand."""
    for item in futures.PRODUCTS.values():
        exchange, _, name = item.source.partition(": ")
        assert exchange in {"CME", "CBOT", "NYMEX", "COMEX", "CFE", "Eurex"}, item.root
        assert name, item.root


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
