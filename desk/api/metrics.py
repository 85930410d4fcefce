"""Answer `GET /metrics` in the text format of Prometheus. What it shows is counted elsewhere.

No name of a secret and no text of an alert is in it. Labels are accounts, outcomes and phases: there are few.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from desk.api.first_screen import write_worth
from desk.api.pages import list_open
from desk.api.requests import ApiResponse
from desk.engine.loop import Desk
from desk.engine.meter import BOUNDS_MS
from desk.process.version import VERSION

KIND = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "receiver_"


def write_metrics(desk: Desk) -> ApiResponse:
    """Return all families as one text."""
    # Loaded when it is asked for: a receiver without it saves the memory.
    core = importlib.import_module("prometheus_client.core")
    exposition = importlib.import_module("prometheus_client.exposition")
    registry = importlib.import_module("prometheus_client.registry").CollectorRegistry()
    registry.register(_Families(desk, core))
    text: str = exposition.generate_latest(registry).decode()
    return ApiResponse(200, text.removesuffix("\n"), kind=KIND)


class _Families:
    """Everything that is shown, made anew each time it is asked for."""

    def __init__(self, desk: Desk, core: Any) -> None:
        self._desk = desk
        self._core = core

    def describe(self) -> Iterable[Any]:
        return ()

    def collect(self) -> Iterator[Any]:
        yield self._gauge("info", "The version that runs.", ("version",), [((VERSION,), 1)])
        yield from self._counted()
        yield from self._open()
        yield from self._accounts()

    def _counted(self) -> Iterator[Any]:
        meter = self._desk.meter
        make = self._core.CounterMetricFamily
        alerts = make(
            f"{PREFIX}alerts", "Alerts that are final, since the start.", labels=("outcome",)
        )
        for outcome, count in [*meter.alerts.items()]:
            alerts.add_metric((outcome,), count)
        orders = make(
            f"{PREFIX}orders",
            "Orders that have ended, since the start.",
            labels=("outcome", "account"),
        )
        for labels, count in [*meter.orders.items()]:
            orders.add_metric(labels, count)
        yield from (alerts, orders)
        took = self._core.HistogramMetricFamily(
            f"{PREFIX}alert_phase_seconds",
            "How long the phases of an alert took, and all together.",
            labels=("phase", "account"),
        )
        for labels, found in [*meter.phases.items()]:
            counts, total, buckets = [*found], 0, []
            for bound, count in zip((*BOUNDS_MS, None), counts, strict=True):
                total += count
                buckets.append(("+Inf" if bound is None else str(bound / 1000), total))
            took.add_metric(labels, buckets, meter.sums_ms[labels] / 1000)
        yield took

    def _open(self) -> Iterator[Any]:
        concerns = list_open(self._desk)
        for name, what in (
            ("unprotected_positions", "Positions without all the protection that was asked for."),
            ("owed_exits", "Exits that are still to be carried out."),
            ("unknown_orders", "Orders of which nobody knows whether they exist."),
            ("halted", "Halts that stand."),
        ):
            yield self._gauge(f"{name}", what, (), [((), len(concerns[name]))])
        silent = [((each["account"],), 1) for each in concerns["silent_accounts"]]
        yield self._gauge("silent_accounts", "Venues that do not answer.", ("account",), silent)
        desk = self._desk
        queues = [(("alerts_waiting",), len(desk.state.waiting))]
        yield self._gauge("queue_length", "What waits to go on.", ("queue",), queues)
        dropped = [((str(n),), each.dropped) for n, each in enumerate(desk.channels, 1)]
        yield self._gauge("queue_dropped", "Messages that a channel lost.", ("channel",), dropped)

    def _accounts(self) -> Iterator[Any]:
        rows = write_worth(self._desk)
        held = [((row["account"], row["mode"]), row["open_positions"]) for row in rows]
        worth = [
            ((row["account"], row["currency"]), Decimal(row["equity"]))
            for row in rows
            if row["equity"] is not None
        ]
        today = [
            ((row["account"], coin), Decimal(amount))
            for row in rows
            for coin, amount in (row["today"] or {}).items()
        ]
        yield self._gauge("open_positions", "Instruments held.", ("account", "mode"), held)
        yield self._gauge("equity", "What the account is worth.", ("account", "currency"), worth)
        text = "What the account's day has brought, with what is open."
        yield self._gauge("day_pnl", text, ("account", "currency"), today)

    def _gauge(self, name: str, about: str, labels: tuple[str, ...], found: list[Any]) -> Any:
        family = self._core.GaugeMetricFamily(f"{PREFIX}{name}", about, labels=labels)
        for values, number in found:
            family.add_metric(values, number)
        return family
