"""The fields of a venue's answer: what is not what it must be is a doubt, never a guess."""

from __future__ import annotations

from decimal import Decimal

import pytest

from brokers.protocol import Uncertain
from brokers.wire import fields

NO_NUMBER = ("", "NaN", "Infinity", "1e5", "\uff11", "1,5", " 1", "--1", None, True, 1, [], {})
NO_JSON_NUMBER = ("1", None, True, [], {}, Decimal("NaN"), Decimal("1e30"), 10**30)


@pytest.mark.parametrize("value", NO_NUMBER, ids=repr)
def test_a_number_in_text_is_nothing_else(value):
    """Text of plain ASCII digits, and no JSON number: a venue that changes its form is not guessed at."""
    with pytest.raises(Uncertain, match="price"):
        fields.require_decimal({"price": value}, "price")


@pytest.mark.parametrize("value", NO_JSON_NUMBER, ids=repr)
def test_a_json_number_is_nothing_else(value):
    """Finite, of a size that money has, and neither text nor a truth value."""
    with pytest.raises(Uncertain, match="price"):
        fields.require_number({"price": value}, "price")


def test_numbers_are_exact():
    """What was written is what is read."""
    assert fields.require_decimal({"a": "-0.00000100"}, "a") == Decimal("-0.000001")
    assert fields.require_number({"a": Decimal("64000.10")}, "a") == Decimal("64000.10")
    assert fields.require_number({"a": 7}, "a") == 7


def test_a_missing_number_is_absent_and_an_unreadable_one_a_doubt():
    """Null, nothing and an empty text are absent; anything else must be a number."""
    for read in (fields.optional_decimal, fields.optional_number):
        assert read({}, "a") is None
        assert read({"a": None}, "a") is None
        with pytest.raises(Uncertain):
            read({"a": "x"}, "a")
    assert fields.optional_decimal({"a": ""}, "a") is None


@pytest.mark.parametrize("data", [None, [], "text", 5])
def test_an_answer_that_is_no_object_has_no_fields(data):
    """Whatever came, the name of the field is told."""
    with pytest.raises(Uncertain, match="status"):
        fields.require(data, "status", str)


def test_a_truth_value_is_no_number_and_a_number_no_truth_value():
    """Python takes True for 1; a venue's answer is not read so."""
    with pytest.raises(Uncertain):
        fields.require({"a": True}, "a", int)
    with pytest.raises(Uncertain):
        fields.require({"a": 1}, "a", bool)
    assert fields.require({"a": True}, "a", bool) is True
