"""Show the accounts, and what their venues say of them when they are asked.

Asking is done in threads that end with a deadline, never on the desk thread, and it only reads. A venue
that hangs, fails or answers nonsense is a row with a problem; nothing here raises because of one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from brokers.protocol import Broker, BrokerRefused, Check
from desk.config.settings import Settings
from desk.decision.routing import is_paper, map_symbol
from desk.engine.equity import add_up
from desk.formats import write_number, write_optional
from desk.orders.position_book import PositionBook
from desk.state.counted import worth_of
from desk.state.shown import Shown

CONNECT_SECONDS = 10.0
"""How long all venues together may take."""
CLOCK_OFFSET_MS = 1_000
"""Further apart than this and signed requests are refused soon."""
SYMBOLS_ASKED = 20
"""Of one account, so that looking does not use up the venue's quota."""
Symbols = Mapping[str, Mapping[str, Iterable[str]]]
"""Account -> strategy -> the venue's names of what the strategy may trade there."""
UNASKED: Mapping[str, Any] = {
    "reachable": None,
    "key_valid": None,
    "may_trade": None,
    "may_withdraw": None,
    "clock_offset_ms": None,
    "position_mode": None,
    "balance": {},
    "symbols": {},
}
log = logging.getLogger("server")


def show_accounts(settings: Settings, shown: Shown | None = None) -> list[dict[str, Any]]:
    """Return one row per account as it is configured, with what fills and holding have brought."""
    shown = shown or Shown()
    rows: list[dict[str, Any]] = []
    for name, account in settings.accounts.items():
        is_simulated = is_paper(settings, account)
        mode = "paper" if is_simulated else "sandbox" if account.sandbox else "live"
        shape: dict[str, Any] = {
            "account": name,
            "broker": account.broker,
            "mode": mode,
            "market": account.market,
            "currency": account.currency,
            "strategies": [s for s, each in settings.strategies.items() if name in each.accounts],
            "missing": list(account.missing),
            "problems": [],
            "warnings": [],
        }
        shape |= value_account(settings, shown, name, is_simulated=is_simulated)
        if funded := shown.funding.get(name):
            shape["funding"] = {coin: write_number(amount) for coin, amount in funded.items()}
        if is_simulated:
            shape["paper_cash"] = write_number(account.cash + shown.cash.get(name, Decimal(0)))
        if account.missing and not is_simulated:
            shape["problems"] = [f"set {', '.join(account.missing)} in .env and restart"]
        rows.append(shape)
    return rows


def value_account(
    settings: Settings, shown: Shown, name: str, *, is_simulated: bool
) -> dict[str, str | None]:
    """Return what an account would be worth if all were closed at the last prices, and its open profit.

    At a venue the worth is what that said last; None where nobody can tell.
    """
    account = settings.accounts[name]
    books = [book for book in shown.open_books(name) if book.paper is is_simulated]
    valued = [(book, _last_price(shown, book)) for book in books]
    found = add_up(valued, worth_of(account, paper=is_simulated))
    if found is None:
        return {"equity": None, "open_pnl": None}
    added, open_pnl = found
    cash = account.cash + shown.cash.get(name, Decimal(0)) + added
    told = shown.equities.get(name)
    equity = cash if is_simulated else told.last if told else None
    return {"equity": write_optional(equity), "open_pnl": write_number(open_pnl)}


def _last_price(shown: Shown, book: PositionBook) -> Decimal | None:
    """Return the newest price of an instrument: on paper one seen, at a venue the venue's before that."""
    quote = None if book.paper else shown.quotes.get((book.account, book.instrument.symbol))
    seen = quote or shown.prices.get(book.instrument.symbol)
    return seen.price if seen else None


def list_symbols(settings: Settings, books: Iterable[PositionBook]) -> Symbols:
    """Return what each strategy is known to trade on each account: held, listed or mapped."""
    found: dict[str, dict[str, dict[str, None]]] = {}
    for name, strategy in settings.strategies.items():
        for account in strategy.accounts:
            its = settings.accounts[account]
            listed = (
                *strategy.risk.symbols,
                *its.risk.symbols,
                *settings.risk.symbols,
                *its.symbols,
            )
            symbols = found.setdefault(account, {}).setdefault(name, {})
            symbols.update(dict.fromkeys(map_symbol(its, each.upper()) for each in listed))
    for book in books:
        if book.paper or book.account not in settings.accounts:
            continue
        for position in book.positions.values():
            if position.quantity != 0 and position.symbol:
                symbols = found.setdefault(book.account, {}).setdefault(position.strategy, {})
                symbols[map_symbol(settings.accounts[book.account], position.symbol)] = None
    return found


def connect(
    rows: list[dict[str, Any]],
    brokers: Mapping[str, Broker],
    symbols: Symbols,
    seconds: float = CONNECT_SECONDS,
) -> list[dict[str, Any]]:
    """Return the rows with what each venue said within `seconds`; all venues are asked at once."""
    heard: dict[str, dict[str, Any]] = {}
    threads = []
    for row in rows:
        name = row["account"]
        if name not in brokers or row["missing"]:
            continue
        work = (name, brokers[name], symbols.get(name, {}), heard)
        threads.append(threading.Thread(target=_ask, args=work, name=f"check-{name}", daemon=True))
        threads[-1].start()
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
    return [_join(row, heard.get(row["account"]), row["account"] in brokers) for row in rows]


def _ask(
    name: str,
    broker: Broker,
    symbols: Mapping[str, Iterable[str]],
    heard: dict[str, dict[str, Any]],
) -> None:
    """Ask one venue; what it said counts only when all of it is there."""
    try:
        check = broker.check()
    except Exception as fault:
        log.exception("broker_fault", extra={"account": name, "text": type(fault).__name__})
        check = Check(problem="the venue could not be asked: an error of ours, see the log")
    said = _read(check)
    if check.problem is None:
        said["symbols"] = _ask_symbols(name, broker, symbols)
    heard[name] = said


def _ask_symbols(
    name: str, broker: Broker, symbols: Mapping[str, Iterable[str]]
) -> dict[str, dict[str, bool | None]]:
    """Return for each strategy whether its symbols exist; None where the venue did not tell."""
    known: dict[str, bool | None] = {}
    for symbol in dict.fromkeys(each for some in symbols.values() for each in some):
        if len(known) == SYMBOLS_ASKED:
            break
        try:
            broker.instrument(symbol)
            known[symbol] = True
        except BrokerRefused:
            known[symbol] = False
        except Exception as fault:
            text = type(fault).__name__
            log.warning("symbol_not_checked", extra={"account": name, "text": text})
            known[symbol] = None
    return {
        strategy: {symbol: known[symbol] for symbol in some if symbol in known}
        for strategy, some in symbols.items()
    }


def _read(check: Check) -> dict[str, Any]:
    """Return what a check says as part of a row.

    A venue that told its time was reached; where it then has a problem, that is with the keys.
    """
    is_reached = check.problem is None or (check.clock_offset_ms, check.key_valid) != (None, None)
    return {
        "reachable": is_reached,
        "key_valid": check.problem is None and check.key_valid is not False if is_reached else None,
        "may_trade": check.may_trade,
        "may_withdraw": check.may_withdraw,
        "clock_offset_ms": check.clock_offset_ms,
        "position_mode": check.position_mode,
        "balance": {coin: write_number(amount) for coin, amount in check.balance.items()},
        "symbols": {},
        "problem": check.problem,
    }


def _join(row: dict[str, Any], said: dict[str, Any] | None, has_venue: bool) -> dict[str, Any]:
    """Return a row with what was heard, what is wrong and what is unwise."""
    problems, warnings = list(row["problems"]), list(row["warnings"])
    if said is None:
        said = dict(UNASKED)
        if has_venue and not row["missing"]:
            said["reachable"] = False
            problems.append("the venue did not answer in time")
    else:
        problem = said.pop("problem")
        problems += [problem] if problem else []
    if said["may_trade"] is False:
        problems.append("the key may not trade: allow it at the venue")
    if said["position_mode"] == "hedge":
        problems.append("the account is in hedge mode: switch it to one-way at the venue")
    for strategy, symbols in said["symbols"].items():
        unknown = [symbol for symbol, exists in symbols.items() if exists is False]
        if unknown:
            problems.append(f"{strategy}: the venue does not know {', '.join(unknown)}")
    if said["may_withdraw"]:
        warnings.append("the key may withdraw: take that right away, it is never needed")
    if abs(said["clock_offset_ms"] or 0) > CLOCK_OFFSET_MS:
        warnings.append("this machine's clock differs from the venue's: switch on NTP")
    return {**row, **said, "problems": problems, "warnings": warnings}


def describe_account(row: Mapping[str, Any]) -> list[str]:
    """Return a row that was asked as lines for a person."""
    lines = [f"{row['account']}: {row['broker']}, {row['mode']}"]
    for name in UNASKED:
        value = row.get(name)
        if name == "symbols":
            for strategy, symbols in (value or {}).items():
                words = {True: "exists", False: "is not known", None: "could not be asked"}
                lines += [f"  {strategy}: {each} {words[found]}" for each, found in symbols.items()]
        elif name == "balance":
            said = ", ".join(f"{amount} {coin}" for coin, amount in (value or {}).items())
            lines += [f"  balance: {said}"] if said else []
        elif value is not None:
            shown = (
                {True: "yes", False: "no"}.get(value, value) if value in (True, False) else value
            )
            lines.append(f"  {name.replace('_', ' ')}: {shown}")
    lines += [f"  problem: {text}" for text in row["problems"]]
    return lines + [f"  warning: {text}" for text in row["warnings"]]
