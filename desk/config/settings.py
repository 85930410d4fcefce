"""Say what can be set, and what holds when it is not set.

These are the nouns of config.yaml: webhook, accounts, strategies, risk, logging. Each is frozen; what a
value may be is said in `values`. Nothing here reads a file or the environment, and no rule that needs
two settings at once stands here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from desk.config.channels import Channels
from desk.config.presets import PRESETS, is_preset
from desk.config.value_types import (
    BASE_URL,
    HOURS,
    STATE,
    Cost,
    MaybeSecret,
    Name,
    Quantity,
    Secret,
    SymbolMap,
    bare_url,
    block,
    frozen,
    is_base_url,
    is_currency,
    is_day,
    is_host,
    is_hours,
    is_level,
    is_loopback,
    is_name,
    is_plain_symbol,
    is_rate,
    is_span,
    is_state,
    lower_case,
    maybe_demo,
    networks,
    nothing,
    number,
    split_day,
    split_span,
    text,
    texts,
    upper_case,
    whole,
)

__all__ = [
    "Account",
    "Logging",
    "Options",
    "Performance",
    "Risk",
    "RiskEverywhere",
    "Secret",
    "Settings",
    "Strategy",
    "Webhook",
    "is_loopback",
]

MASKED_FROM = 6
"""The shortest credential that is masked wherever it stands: an app id of `8` would mask every eight."""


class _Settings(BaseModel):
    # hide_input_in_errors: an input may be a secret (pydantic would print it)
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)


class Webhook(_Settings):
    """Where the receiver listens and whom it believes."""

    host: Annotated[str, text("an address or a host name", is_host)] = "127.0.0.1"
    port: Annotated[int, whole(0, 65535)] = 8080
    secret: MaybeSecret = None
    old_secret: MaybeSecret = None
    rate_limit: Annotated[str, text("a rate like 10/minute", is_rate)] = "10/minute"
    allowed_ips: Annotated[tuple[str, ...], networks("tradingview")] = ()
    trusted_proxies: Annotated[tuple[str, ...], networks()] = ("127.0.0.1", "::1")
    reply_within_seconds: Annotated[Decimal, number("0.1", "2.4")] = Decimal("2.0")
    dedupe_seconds: Annotated[int, whole(0, 3600)] = 40
    max_age_seconds: Annotated[int, whole(1, 86400)] = 90
    limit_seconds: Annotated[int, whole(1, 604800)] = 300
    max_history: Annotated[int, whole(1, 1000000)] = 1000
    threads: Annotated[int, whole(2, 512)] = 32


class Risk(_Settings):
    """What an opening order must keep to; None and an empty list set no limit here.

    The same block stands at the top level, under an account and under a strategy.
    """

    max_notional: Quantity | None = None
    max_position: Quantity | None = None
    max_daily_loss: Quantity | None = None
    on_daily_loss: Literal["deny", "flatten"] | None = None
    max_quantity: Quantity | None = None
    max_contracts: Quantity | None = None
    max_exposure: Quantity | None = None
    max_orders_per_minute: Annotated[int, whole(1, 1000000)] | None = None
    max_orders_per_day: Annotated[int, whole(1, 1000000)] | None = None
    max_repeats: Annotated[int, whole(1, 1000000)] | None = None
    price_band_percent: Quantity | None = None
    symbols: Annotated[tuple[str, ...], texts("a symbol like BTCUSDT", is_plain_symbol)] = ()
    hours: Annotated[tuple[str, ...], texts(HOURS, is_hours)] = ()


class RiskEverywhere(Risk):
    """The limits of the top level, which has some even where config.yaml says nothing."""

    max_orders_per_minute: Annotated[int, whole(1, 1000000)] | None = 60
    max_orders_per_day: Annotated[int, whole(1, 1000000)] | None = 500
    max_repeats: Annotated[int, whole(1, 1000000)] | None = 10
    max_total_exposure: Quantity | None = None


class Performance(_Settings):
    """When a strategy falls back to paper, and how it returns (rules 15.2).

    The same block stands at the top level and under a strategy, whose own lines win.
    """

    window: Annotated[int, whole(1, 100000)] = 20
    windows: Annotated[int, whole(1, 1000)] = 2
    min_net_pnl: Annotated[Decimal, number("-1000000000")] = Decimal(0)
    min_win_rate: Annotated[Decimal, number("0", "100")] | None = None
    max_drawdown: Quantity | None = None
    max_consecutive_losses: Annotated[int, whole(1, 100000)] | None = None
    max_daily_loss: Quantity | None = None
    promote: Literal["auto", "manual"] = "auto"
    open_positions: Literal["keep", "close"] = "keep"


class _Flat(_Settings):
    """What wants to be flat at a time of the day."""

    flatten_at: (
        Annotated[str, text('a time and a zone like "15:05 America/Chicago"', is_day)] | None
    ) = None

    @property
    def flat_from(self) -> tuple[time, ZoneInfo] | None:
        """Return the local time and zone at which what is held is closed, or None."""
        return None if self.flatten_at is None else split_day(self.flatten_at)


class Account(_Flat):
    """One account group: which broker, how it trades, what its paper fills cost.

    A cost that is None is the simulator's own default for the kind of instrument. An account of a real
    venue is what its broker is told (`Connection`): it carries the credentials, which no print shows.
    """

    broker: str = ""
    market: Literal["spot", "linear", "futures", "equity"] | None = None
    live: bool = False
    sandbox: Annotated[bool | Literal["demo"], maybe_demo] = False
    account: Annotated[str, text("the account's number or name at the venue", is_name)] | None = (
        None
    )
    exchange: Annotated[str, text("an exchange like kraken", is_name), lower_case] | None = None
    margin: Literal["cross", "isolated"] | None = None
    host: Literal["live", "demo"] | None = None
    cash: Annotated[Decimal, number("0")] = Decimal(100000)
    currency: Annotated[str, text("a currency like USD", is_currency), upper_case] = "USD"
    day: Annotated[str, text('a time and a zone like "17:00 America/Chicago"', is_day)] = (
        "00:00 UTC"
    )
    symbols: SymbolMap = Field(default_factory=nothing)
    parallel: Annotated[int, whole(1, 64)] = 4
    base_url: Annotated[str, text(BASE_URL, is_base_url), bare_url] | None = None
    stablecoins_are_dollars: bool = False
    on_unprotected: Literal["close", "tell"] = "close"
    risk: Annotated[Risk, block] = Risk()
    fee_bp: Cost = None
    slippage_bp: Cost = None
    fee_per_contract: Cost = None
    slippage_ticks: Cost = None
    leverage: Annotated[Decimal, number("1")] | None = None
    shorts: bool = False
    allow_delayed: bool = False
    preset: Annotated[str, text(f"one of: {', '.join(PRESETS)}", is_preset)] | None = None
    roll_days: Annotated[int, whole(0, 60)] | None = None
    _credentials: Mapping[str, str] = PrivateAttr(default_factory=nothing)
    _missing: tuple[str, ...] = PrivateAttr(default=())

    @property
    def credentials(self) -> Mapping[str, str]:
        """Return what the environment holds of the broker's needs, by the broker's names."""
        return self._credentials

    @property
    def missing(self) -> tuple[str, ...]:
        """Return the names of the credentials that the broker needs and nobody has set."""
        return self._missing

    @property
    def is_demo(self) -> bool:
        """Whether the venue's demo trading is meant by `sandbox`."""
        return self.sandbox == "demo"

    def with_credentials(self, found: Mapping[str, str], missing: tuple[str, ...]) -> Account:
        """Return the account as it can log in."""
        copy = self.model_copy()
        copy._credentials = MappingProxyType(dict(found))  # noqa: SLF001  # it is ours
        copy._missing = missing  # noqa: SLF001
        return copy

    @property
    def resolves_futures(self) -> bool:
        """Whether a continuous future means one contract: only the simulator keeps it as it is."""
        return self.broker != "paper"

    @property
    def day_start(self) -> tuple[time, ZoneInfo]:
        """Return when the account's day begins: local time and zone."""
        return split_day(self.day)


class SizingBlock(_Settings):
    """How much a strategy opens, where its alerts do not say; with `override` whatever they say."""

    quantity: Quantity
    quantity_type: Literal[
        "fixed", "cash", "percent_of_equity", "risk_cash", "risk_percent", "percent_of_position"
    ] = "fixed"
    override: bool = False


class DefaultLevel(_Settings):
    """How far from its fill a stop or target stands that the alert does not bring: one of the two."""

    percent: Quantity | None = None
    amount: Quantity | None = None


class Strategy(_Flat):
    """What one strategy may do and where.

    After `load`, `accounts` is its whole route, never empty, and `account` is folded into it.
    """

    account: Name | None = None
    accounts: Annotated[Mapping[str, Quantity], block, frozen] = Field(default_factory=nothing)
    default_quantity: Quantity | None = None
    sizing: Annotated[SizingBlock, block] | None = None
    stop_loss: Annotated[DefaultLevel, block] | None = None
    take_profit: Annotated[DefaultLevel, block] | None = None
    require_stop: bool = False
    max_holding: Annotated[str, text("a time like 30s, 15m, 4h or 2d", is_span)] | None = None
    use_market_orders: bool = True
    direction: Literal["long", "short", "both"] | None = None
    pyramid: bool = False
    sync: Literal["position"] | None = None
    secret: MaybeSecret = None
    enabled: bool = True
    risk: Annotated[Risk, block] = Risk()
    performance: Annotated[Performance, block] | None = None

    @property
    def holding_ms(self) -> int | None:
        """Return how long a position may be held, or None."""
        return None if self.max_holding is None else split_span(self.max_holding)


class Logging(_Settings):
    """How much is written to the log file, and where it lies."""

    level: Annotated[str, text("DEBUG, INFO, WARNING or ERROR", is_level), upper_case] = "INFO"
    file: Name = "webhook_alerts.log"
    max_bytes: Annotated[int, whole(0, 10_000_000_000)] = 10_000_000
    keep: Annotated[int, whole(0, 1000)] = 5


class Mcp(_Settings):
    """What an assistant may do at `POST /mcp`, once it has a token of its own."""

    token: MaybeSecret = None
    may_halt: bool = False


class Options(_Settings):
    """Everything config.yaml can say."""

    webhook: Webhook = Webhook()
    trading: Literal["paper", "live"] = "paper"
    prices: Literal["live", "alerts"] = "live"
    default_account: Name = "paper_simulator"
    currency: Annotated[str, text("a currency like USD", is_currency), upper_case] = "USD"
    default_quantity: Quantity | None = None
    accounts: Annotated[Mapping[str, Account], frozen] = Field(default_factory=nothing)
    strategies: Annotated[Mapping[str, Strategy], frozen] = Field(default_factory=nothing)
    risk: Annotated[RiskEverywhere, block] = RiskEverywhere()
    performance: Annotated[Performance, block] | None = None
    state: Annotated[str, text(STATE, is_state)] = "sqlite:///state.db"
    logging: Logging = Logging()
    mcp: Annotated[Mcp, block] = Mcp()
    metrics_token: MaybeSecret = None
    notify: Channels = ()


class Settings(Options):
    """What holds: config.yaml, .env and the command line together, checked against each other."""

    file: Path
    """Where config.yaml lies, or would."""
    admin_token: Secret | None = None
    secret_files: tuple[Path, ...] = ()
    """The files that hold a secret and so are nobody else's business."""
    unread: tuple[str, ...] = ()
    """What stands in .env or the environment and is not read, a sentence each."""
    venue_notes: tuple[str, ...] = ()
    """What the venues of accounts that trade there forbid, a sentence each."""

    @property
    def state_path(self) -> Path:
        """Return the state file; a relative path is relative to config.yaml."""
        return self.file.parent / self.state.removeprefix("sqlite:///")

    @property
    def log_path(self) -> Path:
        """Return the log file; a relative path is relative to config.yaml."""
        return self.file.parent / self.logging.file

    @property
    def live_accounts(self) -> tuple[str, ...]:
        """Return the accounts that trade real money: told so twice, by `trading` and by `live`."""
        if self.trading != "live":
            return ()
        return tuple(name for name, account in self.accounts.items() if account.live)

    @property
    def is_development(self) -> bool:
        """Whether nothing is at stake: no account live, only loopback listens, no secret set."""
        secrets = [self.webhook.secret, *(each.secret for each in self.strategies.values())]
        return not self.live_accounts and is_loopback(self.webhook.host) and not any(secrets)

    @property
    def known_secrets(self) -> tuple[str, ...]:
        """Return every secret there is, to keep them out of what is shown."""
        found = [self.webhook.secret, self.webhook.old_secret, self.admin_token, self.mcp.token]
        found += [self.metrics_token]
        found += [each.secret for each in self.strategies.values()]
        found += [each.url for each in self.notify]
        texts = [each.get_secret_value() for each in found if each]
        for account in self.accounts.values():
            texts += [each for each in account.credentials.values() if len(each) >= MASKED_FROM]
        return tuple(dict.fromkeys(texts))

    def find_account(self, name: str) -> str | None:
        """Return the configured name of the account an alert calls `name`; case does not matter."""
        if name in self.accounts:
            return name
        return next((each for each in self.accounts if each.lower() == name.lower()), None)

    def is_telling(self, text: str) -> bool:
        """Whether a text tells a secret of ours."""
        return any(len(each) > 3 and each in text for each in self.known_secrets)

    def risk_levels(self) -> list[Risk]:
        """Return every block of limits that there is."""
        accounts = [each.risk for each in self.accounts.values()]
        return [self.risk, *accounts, *(each.risk for each in self.strategies.values())]

    def performance_of(self, name: str) -> Performance | None:
        """Return what a strategy is judged by: its own lines before the top level's; None: by nothing."""
        own = self.strategies[name].performance if name in self.strategies else None
        if own is None or self.performance is None:
            return own or self.performance
        return self.performance.model_copy(
            update={line: getattr(own, line) for line in own.model_fields_set}
        )

    def strategy(self, name: str) -> Strategy:
        """Return the strategy `name`; one that config.yaml does not name has the defaults."""
        return self.strategies.get(name) or Strategy(
            accounts={self.default_account: Decimal(1)}, default_quantity=self.default_quantity
        )
