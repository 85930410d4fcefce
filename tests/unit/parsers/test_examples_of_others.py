"""Tests that the messages others send in earnest are read as they mean, or refused by name."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from parsers import parse
from parsers.alert import Alert, Level, ParseError
from tests.support.alert_cases import CASES, BrokerRefused, Reads

FIELDS = (
    *("action", "symbol", "strategy", "account", "quantity", "quantity_type", "order_type"),
    *("price", "limit_price", "stop_price", "take_profit", "stop_loss", "market_position"),
    *("position_size", "previous_position", "previous_side", "time_in_force"),
    *("interval_seconds", "idempotency_key", "cancel_first", "test"),
)
UNSET = {"quantity_type": "fixed", "cancel_first": False, "test": False}


def plain(value: object) -> object:
    """Return a field as the table writes it: decimals and price levels as text."""
    if isinstance(value, Level):
        assert (value.percent, value.amount, value.limit_price) == (None, None, None)
        return str(value.price)
    return str(value) if isinstance(value, Decimal) else value


def stated(alert: Alert) -> dict[str, Any]:
    """Return the fields of an alert that are set."""
    fields = {name: plain(getattr(alert, name)) for name in FIELDS}
    return {name: value for name, value in fields.items() if value != UNSET.get(name)}


@pytest.mark.parametrize(
    ("body", "outcomes"),
    [(case[1], case[2:]) for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_a_real_message_is_read_as_it_means_or_refused_by_name(body, outcomes):
    """Every field is as meant and none is set beside them; foreign instructions are named."""
    message = parse(body.encode())
    assert len(message.alerts) == len(outcomes) == len(message.strategies)
    for alert, outcome in zip(message.alerts, outcomes, strict=True):
        if isinstance(outcome, BrokerRefused):
            assert isinstance(alert, ParseError)
            assert (alert.status, alert.code == "UNSUPPORTED") == (
                outcome.status,
                outcome.status == 422,
            )
            assert alert.message.startswith(outcome.message)
        else:
            assert isinstance(outcome, Reads)
            assert isinstance(alert, Alert)
            assert stated(alert) == outcome.fields
            assert len(alert.unsupported) == len(outcome.unsupported)
            for text, key in zip(alert.unsupported, outcome.unsupported, strict=True):
                assert text.startswith(key + " ")


@pytest.mark.parametrize("body", [case[1] for case in CASES], ids=[case[0] for case in CASES])
def test_no_credential_of_a_real_message_is_shown(body):
    """What a message calls its key, token or secret is found and masked."""
    message = parse(body.encode())
    for secret in message.secrets:
        assert len(secret) < 4 or secret not in message.masked
        for alert in message.alerts:
            said = (
                alert.message
                if isinstance(alert, ParseError)
                else repr((alert.warnings, alert.notes))
            )
            assert len(secret) < 4 or secret not in said
