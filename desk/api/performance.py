"""Show how strategies have done: figures, the equity curve, the trades, as JSON, as CSV and in a terminal.

What was counted is read; only a selection that somebody asks for is counted here. Nothing here changes
anything.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from desk.api.positions import write_trade
from desk.api.requests import HttpRefusal
from desk.config.settings import Settings
from desk.formats import iso, write_number, write_optional
from desk.orders.journal import ClosedTradeRow
from desk.performance.figures import NOTHING, Figures, count_trade
from desk.state.counted import find_account, name_currency, name_day
from desk.state.reader import Reader

FILTERS = ("strategy", "account", "symbol")
DAY_MS = 86_400_000
FORMULA = ("=", "+", "-", "@")
"""How a text begins that a spreadsheet would carry out."""
NUMBERS = frozenset(
    {
        "quantity",
        "entry_price",
        "exit_price",
        "fees",
        "funding",
        "realized_pnl",
        "net_pnl",
        "equity",
    }
)
"""The columns that hold a number or nothing: one that begins with - is no formula."""
Trade = tuple[ClosedTradeRow, str | None]
"""A closed trade, and the comment of the alert that opened it."""


def write_figures(figures: Figures) -> dict[str, Any]:
    """Return figures as they are shown; what cannot be said is null."""
    return {
        "trades": figures.trades,
        "wins": figures.wins,
        "losses": figures.losses,
        "win_rate": write_optional(figures.win_rate),
        "net_pnl": write_number(figures.net_pnl),
        "fees": write_number(figures.fees),
        "profit_factor": write_optional(figures.profit_factor),
        "expectancy": write_optional(figures.expectancy),
        "average_win": write_optional(figures.average_win),
        "average_loss": write_optional(figures.average_loss),
        "max_drawdown": write_number(figures.max_drawdown),
        "consecutive_losses": figures.consecutive_losses,
        "last_trade_at": iso(figures.last_trade_at) if figures.last_trade_at else None,
    }


def write_totals(reader: Reader, settings: Settings, name: str, account: str) -> dict[str, Any]:
    """Return a strategy's figures on paper and live, in the currency of its account.

    Where it has traded on accounts of other currencies, theirs stand beside them: they are never added up.
    """
    known: dict[bool, dict[str, Figures]] = {True: {}, False: {}}
    for is_paper, currency, figures in reader.load_totals(name):
        known[is_paper][currency] = figures
    shape: dict[str, Any] = {}
    for is_paper, found in known.items():
        own = name_currency(find_account(settings, account), paper=is_paper)
        if own not in found and found:
            own = max(found, key=lambda each: found[each].last_trade_at)
        part = {**write_figures(found.get(own, NOTHING)), "currency": own}
        others = [{**write_figures(f), "currency": c} for c, f in found.items() if c != own]
        shape["paper" if is_paper else "live"] = part | ({"others": others} if others else {})
    return shape


def show_performance(
    reader: Reader, settings: Settings, query: Mapping[str, str]
) -> dict[str, Any]:
    """Return figures, equity curve and trades of a selection, paper and live apart. Raises `HttpRefusal`."""
    by_day = read_choice(query, "by", ("trade", "day")) == "day"
    found = select(reader, settings, query)
    return {
        name: _show_part(settings, [each for each in found if each[0].paper is is_paper], by_day)
        for name, is_paper in (("paper", True), ("live", False))
    }


def _show_part(settings: Settings, trades: list[Trade], by_day: bool) -> dict[str, Any]:
    currency = _currency(settings, trades[-1][0]) if trades else None
    counted = [
        row for row, _ in trades if row.net_pnl is not None and _currency(settings, row) == currency
    ]
    figures, curve = NOTHING, list[dict[str, Any]]()
    for row in counted:
        net, at = row.net_pnl or Decimal(0), row.trade.closed_at
        figures = count_trade(figures, net, row.fees, at)
        equity = write_number(figures.net_pnl)
        day = name_day(find_account(settings, row.account), at) if by_day else ""
        when = {"day": day, "trades": 1} if by_day else {"at": iso(at)}
        curve.append({**when, "net_pnl": write_number(net), "equity": equity})
    shape: dict[str, Any] = {
        "figures": {**write_figures(figures), "currency": currency},
        "equity_curve": _add_up_days(curve) if by_day else curve,
        "trades": [_write_closed(row, comment) for row, comment in trades],
    }
    if len(counted) < len(trades):
        left = len(trades) - len(counted)
        text = f"{left} of the trades are not in {currency} and are in no sum: choose an account."
        shape["warnings"] = [text]
    return shape


def _add_up_days(curve: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a curve with a row a day, in order: accounts whose days begin at other times mix them."""
    days: dict[str, dict[str, Any]] = {}
    for point in curve:
        known = days.get(point["day"])
        if known is None:
            days[point["day"]] = dict(point)
        else:
            known["trades"] += point["trades"]
            net = Decimal(known["net_pnl"]) + Decimal(point["net_pnl"])
            known["net_pnl"] = write_number(net)
    equity, found = Decimal(0), []
    for day in sorted(days):
        equity += Decimal(days[day]["net_pnl"])
        found.append({**days[day], "equity": write_number(equity)})
    return found


def _currency(settings: Settings, row: ClosedTradeRow) -> str:
    return name_currency(find_account(settings, row.account), paper=row.paper)


def _write_closed(row: ClosedTradeRow, comment: str | None) -> dict[str, Any]:
    extra = {"net_pnl": write_optional(row.net_pnl), "currency": row.currency, "comment": comment}
    return {**write_trade(row), **extra}


def select(reader: Reader, settings: Settings, query: Mapping[str, str]) -> list[Trade]:
    """Return the closed trades that are asked for, the oldest first. Raises `HttpRefusal`."""
    filters = {name: query[name] for name in FILTERS if query.get(name)}
    first, last = _read_edge(query, "from"), _read_edge(query, "to")
    since = _rough(first, -2) if isinstance(first, date) else first
    until = _rough(last, 3) if isinstance(last, date) else last
    found: list[Trade] = []
    for row, comment in reader.load_closed(filters, since, until):
        symbol = filters.get("symbol")
        if symbol is not None and symbol.upper() not in (
            row.symbol.upper(),
            row.instrument.upper(),
        ):
            continue
        if isinstance(first, date) or isinstance(last, date):
            day = name_day(find_account(settings, row.account), row.trade.closed_at)
            if isinstance(first, date) and day < first.isoformat():
                continue
            if isinstance(last, date) and day > last.isoformat():
                continue
        found.append((row, comment))
    return found


def _rough(day: date, days: int) -> int:
    """Return a moment that lies before (or after) a day wherever that begins."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=days)
    return int(start.timestamp() * 1000)


def _read_edge(query: Mapping[str, str], name: str) -> date | int | None:
    """Return the day or the moment that bounds a selection; None where nothing does."""
    text = query.get(name, "").strip()
    if not text:
        return None
    try:
        if len(text) == len("2026-01-31"):
            found = date.fromisoformat(text)
            _rough(found, 3), _rough(found, -2)
            return found
        # A + in a query is a space.
        moment = datetime.fromisoformat(text.replace(" ", "+", 1) if "T" in text else text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return int(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        said = f"{name} must be a day like 2026-01-31 or a time like 2026-01-31T14:30:00Z."
        raise HttpRefusal(400, "UNREADABLE", said) from None


def read_choice(query: Mapping[str, str], name: str, known: tuple[str, ...]) -> str:
    """Return one of a few words, the first where none is given. Raises `HttpRefusal`."""
    found = query.get(name) or known[0]
    if found not in known:
        raise HttpRefusal(400, "UNREADABLE", f"{name} must be {' or '.join(known)}.")
    return found


# --- for a spreadsheet ---------------------------------------------------------------------------

DAY_COLUMNS = ("day", "paper", "trades", "net_pnl", "equity")
EXTRA = ("net_pnl", "currency", "comment")


def write_csv(reader: Reader, settings: Settings, query: Mapping[str, str]) -> str:
    """Return a selection as CSV: a row a trade, or a row a day and mode. Raises `HttpRefusal`."""
    shape = show_performance(reader, settings, query)
    by_day = query.get("by") == "day"
    rows: list[dict[str, Any]] = []
    for name, part in shape.items():
        found = part["equity_curve"] if by_day else part["trades"]
        rows += [{**each, "paper": name == "paper"} for each in found]
    rows.sort(key=lambda row: row["day"] if by_day else row["closed_at"])
    columns = DAY_COLUMNS if by_day else (*TRADE_COLUMNS, *EXTRA)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([_cell(name, row.get(name)) for name in columns] for row in rows)
    return text.getvalue()


TRADE_COLUMNS = (
    *("account", "symbol", "instrument", "strategy", "paper", "side", "quantity", "entry_price"),
    *("exit_price", "fees", "funding", "realized_pnl", "closed_by", "approximate", "opened_at"),
    "closed_at",
)


def _cell(name: str, value: object) -> str:
    """Return a value as a cell: a text that a spreadsheet would carry out gets a quote in front."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = "" if value is None else str(value)
    is_text = name not in NUMBERS
    if is_text and text and (text.lstrip().startswith(FORMULA) or not text[0].isprintable()):
        return f"'{text}"
    return text


# --- for a terminal ------------------------------------------------------------------------------


def write_report(
    days: Iterable[tuple[Any, Figures]], settings: Settings, now: int
) -> Iterator[str]:
    """Yield a line a strategy, paper and live apart: today, this week and all, by its accounts' days."""
    sums: dict[tuple[str, bool, str], list[Figures]] = {}
    today_of = _once(lambda name: date.fromisoformat(name_day(find_account(settings, name), now)))
    for key, figures in days:
        known = sums.setdefault((key.strategy, key.paper, key.currency), [NOTHING] * 3)
        if not key.day:
            known[2] = figures
            continue
        today, day = today_of(key.account), date.fromisoformat(key.day)
        if day == today:
            known[0] = _plus(known[0], figures)
        if day >= today - timedelta(days=today.weekday()):
            known[1] = _plus(known[1], figures)
    for name, each in settings.strategies.items():
        if not any(key[0] == name for key in sums):
            account = find_account(settings, next(iter(each.accounts)))
            sums[name, True, name_currency(account, paper=True)] = [NOTHING] * 3
    rows = [["strategy", "mode", *(f"{n} {what}" for n in SPANS for what in ("trades", "P&L")), ""]]
    for (name, is_paper, currency), found in sorted(sums.items()):
        cells = [text for each in found for text in (str(each.trades), f"{each.net_pnl:,.2f}")]
        shown = "".join(c if c.isprintable() else "?" for c in name)
        rows.append([shown, "paper" if is_paper else "live", *cells, currency])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            text.ljust(width) if number < 2 or number == len(row) - 1 else text.rjust(width)
            for number, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


SPANS = ("today", "week", "all")


def _once(find: Callable[[str], date]) -> Callable[[str], date]:
    """Return the same function that answers each name once."""
    known: dict[str, date] = {}

    def find_once(name: str) -> date:
        if name not in known:
            known[name] = find(name)
        return known[name]

    return find_once


def _plus(one: Figures, other: Figures) -> Figures:
    """Return the number of trades and the result of two sums; nothing else of them is shown."""
    net = one.net_pnl + other.net_pnl
    gained, lost = max(net, Decimal(0)), max(-net, Decimal(0))
    return Figures(trades=one.trades + other.trades, gained=gained, lost=lost)
