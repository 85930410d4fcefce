"""What must be so before an instrument opens: read once, never guessed, forgotten when it failed."""

from __future__ import annotations

import threading

import pytest

from brokers.protocol import (
    HEDGE_MODE,
    HEDGE_UNKNOWN,
    KEYS_REFUSED,
    THROTTLED,
    UNCHANGED,
    BrokerRefused,
    Uncertain,
    Unreachable,
)
from brokers.wire.preparation import HEDGE, ONE_WAY, Preparation, Setting


class Venue:
    """Tell the mode and take settings; whatever stands in `faults` is raised first."""

    def __init__(self, mode: str = ONE_WAY) -> None:
        self.mode = mode
        self.calls: list[str] = []
        self.faults: dict[str, list[Exception]] = {}

    def _call(self, name: str, symbol: str) -> None:
        self.calls.append(f"{name} {symbol}".strip())
        if self.faults.get(name):
            raise self.faults[name].pop(0)

    def read_mode(self, symbol: str) -> str:
        self._call("mode", symbol)
        return self.mode

    def set_leverage(self, symbol: str) -> None:
        self._call("leverage", symbol)

    def set_margin(self, symbol: str) -> None:
        self._call("margin", symbol)


def prepare(venue: Venue, *, is_of_account: bool = True, margin_of_account: bool = False):
    """Return what an account with both settings must be."""
    settings = (
        Setting("margin: isolated", venue.set_margin, margin_of_account),
        Setting("leverage: 5", venue.set_leverage),
    )
    return Preparation("acc", venue.read_mode, settings, is_of_account=is_of_account)


def test_a_warm_order_asks_nothing():
    """The mode is read once an account, each setting made once an instrument."""
    venue = Venue()
    ready = prepare(venue)
    for symbol in ("BTCUSDT", "BTCUSDT", "ETHUSDT", "ETHUSDT"):
        ready.require(symbol)
    assert venue.calls == [
        *("mode BTCUSDT", "margin BTCUSDT", "leverage BTCUSDT"),
        *("margin ETHUSDT", "leverage ETHUSDT"),
    ]


def test_a_mode_that_is_told_for_an_instrument_is_read_for_each():
    """At a venue that knows no mode of the account, each instrument is asked for."""
    venue = Venue()
    ready = prepare(venue, is_of_account=False)
    ready.require("BTCUSDT")
    ready.require("ETHUSDT")
    assert [call for call in venue.calls if call.startswith("mode")] == [
        "mode BTCUSDT",
        "mode ETHUSDT",
    ]


def test_a_hedge_account_opens_nothing_until_it_is_switched():
    """Nothing is remembered of it, and nothing is set."""
    venue = Venue(HEDGE)
    ready = prepare(venue)
    for _ in range(2):
        with pytest.raises(BrokerRefused) as no:
            ready.require("BTCUSDT")
        assert no.value.code == HEDGE_MODE
        assert "acc holds long and short apart" in no.value.message
    assert venue.calls == ["mode BTCUSDT"] * 2
    venue.mode = ONE_WAY
    ready.require("BTCUSDT")


@pytest.mark.parametrize(
    "fault", [Unreachable("no route"), Uncertain("lost"), BrokerRefused("no such path")]
)
def test_a_mode_that_could_not_be_read_denies_that_one_order(fault):
    """The next order asks again, and a success clears it."""
    venue = Venue()
    venue.faults["mode"] = [fault]
    ready = prepare(venue)
    with pytest.raises(BrokerRefused) as no:
        ready.require("BTCUSDT")
    assert no.value.code == HEDGE_UNKNOWN
    ready.require("BTCUSDT")


@pytest.mark.parametrize("code", [KEYS_REFUSED, THROTTLED])
def test_a_refusal_that_says_more_keeps_its_code(code):
    """Refused keys are the keys' fault, a pause is a pause: HEDGE_UNKNOWN would hide both."""
    venue = Venue()
    venue.faults["mode"] = [BrokerRefused("no", code, 3.0)]
    with pytest.raises(BrokerRefused) as no:
        prepare(venue).require("BTCUSDT")
    assert (no.value.code, no.value.retry_after) == (code, 3.0)


def test_what_is_so_already_is_a_success():
    """The venue's "nothing to change" is no refusal, and is not asked again."""
    venue = Venue()
    venue.faults = {name: [BrokerRefused("no need", UNCHANGED)] for name in ("margin", "leverage")}
    ready = prepare(venue)
    ready.require("BTCUSDT")
    ready.require("BTCUSDT")
    assert len(venue.calls) == 3


def test_a_setting_that_is_refused_opens_nothing_and_says_which():
    """The venue's reason stands behind the line of config.yaml."""
    venue = Venue()
    venue.faults["leverage"] = [BrokerRefused("at most 4", "REFUSED")]
    with pytest.raises(BrokerRefused, match=r"leverage: 5 could not be set.*at most 4"):
        prepare(venue).require("BTCUSDT")


@pytest.mark.parametrize("fault", [Unreachable("no route"), Uncertain("lost")])
def test_a_setting_that_may_have_been_made_is_made_again(fault):
    """The order never left: it is unreached, not unknown, and the next try sets it once more."""
    venue = Venue()
    venue.faults["leverage"] = [fault]
    ready = prepare(venue)
    with pytest.raises(Unreachable, match="leverage: 5"):
        ready.require("BTCUSDT")
    ready.require("BTCUSDT")
    assert venue.calls[-2:] == ["leverage BTCUSDT"] * 2


def test_what_is_the_accounts_is_done_ahead():
    """After it an order only sets what is the instrument's; a failure ahead is met by the order."""
    venue = Venue()
    ready = prepare(venue, margin_of_account=True)
    ready.read_ahead()
    ready.set_ahead()
    assert venue.calls == ["mode", "margin"]
    ready.require("BTCUSDT")
    assert venue.calls[2:] == ["leverage BTCUSDT"]

    venue = Venue(HEDGE)
    venue.faults["margin"] = [Uncertain("lost")]
    ready = prepare(venue, margin_of_account=True)
    ready.read_ahead()
    ready.set_ahead()
    with pytest.raises(BrokerRefused):
        ready.require("BTCUSDT")


def test_a_venue_that_shows_the_other_mode_later_is_asked_again():
    """Somebody switched the account while we ran."""
    venue = Venue()
    ready = prepare(venue)
    ready.require("BTCUSDT")
    venue.mode = HEDGE
    ready.forget()
    with pytest.raises(BrokerRefused):
        ready.require("BTCUSDT")


def test_two_orders_at_once_prepare_an_instrument_once():
    """The second waits for the first."""
    venue, asked, go = Venue(), threading.Event(), threading.Event()

    def read_slowly(symbol: str) -> str:
        asked.set()
        assert go.wait(5)
        return venue.read_mode(symbol)

    ready = Preparation("acc", read_slowly, is_of_account=True)
    threads = [threading.Thread(target=ready.require, args=("BTCUSDT",)) for _ in range(2)]
    threads[0].start()
    assert asked.wait(5)
    threads[1].start()
    go.set()
    for each in threads:
        each.join(5)
    assert venue.calls == ["mode BTCUSDT"]


def test_what_took_too_long_to_prepare_is_not_sent_any_more():
    """By then the order may be looked up and not be found; the next attempt is ready at once."""
    venue, at = Venue(), [0.0]

    def read_slowly(symbol: str) -> str:
        at[0] += 3.5
        return venue.read_mode(symbol)

    ready = Preparation("acc", read_slowly, is_of_account=True, clock=lambda: at[0])
    with pytest.raises(Unreachable, match="acc took too long to get ready for BTCUSDT"):
        ready.require("BTCUSDT")
    ready.require("BTCUSDT")
    assert venue.calls == ["mode BTCUSDT"]
