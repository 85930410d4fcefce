"""List the futures products: tick, worth of a point, months, and the rule of their last day.

One literal row a product, with the name under which the exchange's rulebook (and its page of contract
specifications) defines it: tick, unit and termination of trading stand there. A product that is not here is
unknown: what a point is worth is never guessed. Prices of grains, oilseeds and livestock are in cents, as on
the chart, so a point is a cent.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

MONTHS = "FGHJKMNQUVXZ"
"""The letters of January to December."""


@dataclass(frozen=True, slots=True)
class Product:
    """What every contract of one root has in common."""

    root: str
    tick: Decimal
    point_value: Decimal
    """Money per contract for a move of one whole price point."""
    exchange: str
    """As TradingView writes it before the colon."""
    months: str
    """The letters of the months that are traded much."""
    listed: str
    """The letters of all months that the exchange lists."""
    group: str
    """Which rule its last trading day follows, and when it is left for the next month."""
    source: str
    """The name of the contract in the exchange's rulebook."""
    currency: str = "USD"
    is_micro: bool = False


_EUREX = "EUREX"
_MICROS = frozenset(
    {"MES", "MNQ", "MYM", "M2K", "MCL", "MNG", "MGC", "SIL", "MHG", "MBT", "MET"}
    | {"M6A", "M6B", "M6E"}
)
# Small letters are months that exist and are thin: nobody rolls into them.
_QUARTERS = "HMUZ"
_SERIAL = "fgHjkMnqUvxZ"
_GOLD, _SILVER, _PLATINUM = "fGhJkMnQuvxZ", "fgHjKmNqUvxZ", "FghJkmNquVxz"
_MEAL = "FHKNquvZ"
_CATTLE, _HOGS = "GJMQVZ", "GJkMNQVZ"

# root, tick, money per point, exchange, months, group, the rulebook's name
_TABLE = (
    ("ES", "0.25", "50", "CME_MINI", _QUARTERS, "index", "CME: E-mini S&P 500"),
    ("MES", "0.25", "5", "CME_MINI", _QUARTERS, "index", "CME: Micro E-mini S&P 500"),
    ("NQ", "0.25", "20", "CME_MINI", _QUARTERS, "index", "CME: E-mini Nasdaq-100"),
    ("MNQ", "0.25", "2", "CME_MINI", _QUARTERS, "index", "CME: Micro E-mini Nasdaq-100"),
    ("RTY", "0.1", "50", "CME_MINI", _QUARTERS, "index", "CME: E-mini Russell 2000"),
    ("M2K", "0.1", "5", "CME_MINI", _QUARTERS, "index", "CME: Micro E-mini Russell 2000"),
    ("YM", "1", "5", "CBOT_MINI", _QUARTERS, "index", "CBOT: E-mini Dow ($5)"),
    ("MYM", "1", "0.5", "CBOT_MINI", _QUARTERS, "index", "CBOT: Micro E-mini Dow ($0.50)"),
    ("NKD", "5", "5", "CME", _QUARTERS, "nikkei", "CME: Nikkei/USD"),
    ("CL", "0.01", "1000", "NYMEX", MONTHS, "crude", "NYMEX: Light Sweet Crude Oil"),
    ("MCL", "0.01", "100", "NYMEX", MONTHS, "small_crude", "NYMEX: Micro WTI Crude Oil"),
    ("QM", "0.025", "500", "NYMEX", MONTHS, "small_crude", "NYMEX: E-mini Crude Oil"),
    ("NG", "0.001", "10000", "NYMEX", MONTHS, "gas", "NYMEX: Henry Hub Natural Gas"),
    ("QG", "0.005", "2500", "NYMEX", MONTHS, "small_gas", "NYMEX: E-mini Natural Gas"),
    ("MNG", "0.001", "1000", "NYMEX", MONTHS, "small_gas", "NYMEX: Micro Henry Hub Natural Gas"),
    ("HO", "0.0001", "42000", "NYMEX", MONTHS, "fuel", "NYMEX: NY Harbor ULSD"),
    ("RB", "0.0001", "42000", "NYMEX", MONTHS, "fuel", "NYMEX: RBOB Gasoline"),
    ("GC", "0.1", "100", "COMEX", _GOLD, "metal", "COMEX: Gold"),
    ("MGC", "0.1", "10", "COMEX", _GOLD, "metal", "COMEX: Micro Gold"),
    ("SI", "0.005", "5000", "COMEX", _SILVER, "metal", "COMEX: Silver"),
    ("SIL", "0.005", "1000", "COMEX", _SILVER, "metal", "COMEX: 1,000-oz. Silver"),
    ("HG", "0.0005", "25000", "COMEX", _SILVER, "metal", "COMEX: Copper"),
    ("MHG", "0.0005", "2500", "COMEX", _SILVER, "micro_copper", "COMEX: Micro Copper"),
    ("PL", "0.1", "50", "NYMEX", _PLATINUM, "metal", "NYMEX: Platinum"),
    ("ZT", "0.00390625", "2000", "CBOT", _QUARTERS, "note", "CBOT: 2-Year T-Note"),
    ("ZF", "0.0078125", "1000", "CBOT", _QUARTERS, "note", "CBOT: 5-Year T-Note"),
    ("ZN", "0.015625", "1000", "CBOT", _QUARTERS, "bond", "CBOT: 10-Year T-Note"),
    ("TN", "0.015625", "1000", "CBOT", _QUARTERS, "bond", "CBOT: Ultra 10-Year T-Note"),
    ("ZB", "0.03125", "1000", "CBOT", _QUARTERS, "bond", "CBOT: T-Bond"),
    ("UB", "0.03125", "1000", "CBOT", _QUARTERS, "bond", "CBOT: Ultra T-Bond"),
    ("ZC", "0.25", "50", "CBOT", "HKNUZ", "grain", "CBOT: Corn"),
    ("ZW", "0.25", "50", "CBOT", "HKNUZ", "grain", "CBOT: Chicago SRW Wheat"),
    ("ZS", "0.25", "50", "CBOT", "FHKNquX", "grain", "CBOT: Soybean"),
    ("ZM", "0.1", "100", "CBOT", _MEAL, "grain", "CBOT: Soybean Meal"),
    ("ZL", "0.01", "600", "CBOT", _MEAL, "grain", "CBOT: Soybean Oil"),
    ("XC", "0.125", "10", "CBOT", "HKNUZ", "grain", "CBOT: Mini-sized Corn"),
    ("XW", "0.125", "10", "CBOT", "HKNUZ", "grain", "CBOT: Mini-sized Wheat"),
    ("XK", "0.125", "10", "CBOT", "FHKNquX", "grain", "CBOT: Mini-sized Soybean"),
    ("LE", "0.025", "400", "CME", _CATTLE, "cattle", "CME: Live Cattle"),
    ("HE", "0.025", "400", "CME", _HOGS, "hogs", "CME: Lean Hog"),
    ("6A", "0.00005", "100000", "CME", _SERIAL, "currency", "CME: Australian Dollar/USD"),
    ("6B", "0.0001", "62500", "CME", _SERIAL, "currency", "CME: British Pound/USD"),
    ("6C", "0.00005", "100000", "CME", _SERIAL, "canada", "CME: Canadian Dollar/USD"),
    ("6E", "0.00005", "125000", "CME", _SERIAL, "currency", "CME: Euro/USD"),
    ("6J", "0.0000005", "12500000", "CME", _SERIAL, "currency", "CME: Japanese Yen/USD"),
    ("6S", "0.00005", "125000", "CME", _SERIAL, "currency", "CME: Swiss Franc/USD"),
    ("M6A", "0.0001", "10000", "CME", _SERIAL, "currency", "CME: E-micro AUD/USD"),
    ("M6B", "0.0001", "6250", "CME", _SERIAL, "currency", "CME: E-micro GBP/USD"),
    ("M6E", "0.0001", "12500", "CME", _SERIAL, "currency", "CME: E-micro EUR/USD"),
    ("BTC", "5", "5", "CME", MONTHS, "coin", "CME: Bitcoin"),
    ("MBT", "5", "0.1", "CME", MONTHS, "coin", "CME: Micro Bitcoin"),
    ("ETH", "0.5", "50", "CME", MONTHS, "coin", "CME: Ether"),
    ("MET", "0.5", "0.1", "CME", MONTHS, "coin", "CME: Micro Ether"),
    ("VX", "0.05", "1000", "CFE", MONTHS, "volatility", "CFE: Cboe Volatility Index"),
    ("FDAX", "1", "25", _EUREX, _QUARTERS, "eurex_index", "Eurex: DAX"),
    ("FDXM", "1", "5", _EUREX, _QUARTERS, "eurex_index", "Eurex: Mini-DAX"),
    ("FESX", "1", "10", _EUREX, _QUARTERS, "eurex_index", "Eurex: EURO STOXX 50"),
    ("FGBL", "0.01", "1000", _EUREX, _QUARTERS, "bund", "Eurex: Euro-Bund"),
)
PRODUCTS = {
    root: Product(
        root,
        Decimal(tick),
        Decimal(point),
        exchange,
        "".join(letter for letter in months if letter.isupper()),
        months.upper(),
        group,
        source,
        "EUR" if exchange == _EUREX else "USD",
        root in _MICROS,
    )
    for root, tick, point, exchange, months, group, source in _TABLE
}
