"""What a second delivery of the same text means, and what it is told (rules 1.3 to 1.6)."""

from __future__ import annotations

import pytest

from brokers.protocol import BrokerRefused, Unreachable

BUY = {"strategy": "s", "action": "buy", "symbol": "BTCUSDT.P", "quantity": "1", "price": "100"}
KEY = {"idempotency_key": "2025-11-21T04:40:00Z|Long|1"}


def repeat(bench, **alert):
    """Deliver the same bytes, whatever was sent before."""
    return bench.send(id="same", **alert)


@pytest.mark.parametrize("key", [{}, KEY], ids=["by text", "by key"])
def test_halted_denied_resumed_sent_again_trades(make_venue_bench, key):
    """Nothing was sent of the first: the same text after the resume is a new try, and then a duplicate."""
    bench = make_venue_bench()
    bench.learn()
    bench.command("halt", scope="all")
    first, still = (repeat(bench, **BUY, **key) for _ in range(2))
    assert [(e["http"], e["code"], e["duplicate"]) for e in (first, still)] == [
        (422, "HALTED", False)
    ] * 2
    bench.command("resume", scope="all")
    again, last = (repeat(bench, **BUY, **key) for _ in range(2))
    assert (again["status"], again["duplicate"], bench.held()) == ("filled", False, 1)
    assert (last["duplicate"], last["alert_id"], bench.held()) == (True, again["alert_id"], 1)


@pytest.mark.parametrize("key", [{}, KEY], ids=["by text", "by key"])
@pytest.mark.parametrize("crashes", [False, True])
def test_what_waited_and_was_denied_claims_nothing(make_venue_bench, key, crashes):
    """Its instrument was looked up, then it was refused: its resend is no duplicate."""
    bench = make_venue_bench()
    bench.venue.fail("instrument", Unreachable("no route"), BrokerRefused("no", "SYMBOL_UNKNOWN"))
    first = repeat(bench, **BUY, **key)
    assert (first["status"], first["http"]) == ("pending", 202)
    bench.tick(3)
    ended = bench.now(first)
    assert (ended["status"], ended["code"]) == ("denied", "SYMBOL_UNKNOWN")
    bench.crash() if crashes else bench.tick(61)
    again = repeat(bench, **BUY, **key)
    assert (again["status"], again["duplicate"], bench.held()) == ("filled", False, 1)


def test_a_second_delivery_that_waited_for_a_denied_one_is_not_answered_200(make_venue_bench):
    """Both came while the instrument was looked up; the second hears what became of the first."""
    bench = make_venue_bench()
    bench.venue.fail("instrument", Unreachable("no route"), BrokerRefused("no", "SYMBOL_UNKNOWN"))
    first = bench.deliver(**BUY, id="same")
    second = bench.deliver(**BUY, id="same")
    bench.tick(3)
    assert [reply.answers[0].http for reply in (first, second)] == [422, 422]
    shape = second.answers[0].shape
    assert (shape["duplicate"], shape["code"]) == (True, "SYMBOL_UNKNOWN")


def test_an_exit_beside_a_denied_entry_claims_its_identity(make_venue_bench):
    """A reversal under a halt: the close went, so that its resend is a duplicate with the same 200."""
    bench = make_venue_bench()
    bench.buy("2")
    bench.command("halt", scope="all")
    sell = {**BUY, "action": "sell", "quantity": "5"}
    first = repeat(bench, **sell)
    assert (first["http"], first["code"], bench.held()) == (200, "HALTED", 0)
    bench.command("resume", scope="all")
    again = repeat(bench, **sell)
    assert (again["http"], again["duplicate"], bench.held()) == (200, True, 0)
    # What was true of the halt is not said as if it were so now.
    assert "everything is halted" not in again["message"]
    assert again["orders"][1]["message"].startswith("Then: ")


def test_an_exit_that_stays_owed_beside_a_denial_claims_its_identity(make_venue_bench):
    """The entry before it may exist: what is found of it will be closed, so something may be sent."""
    bench = make_venue_bench()
    bench.learn()
    bench.venue.fail("place", "the answer is lost")
    bench.venue.fail("find", *[Unreachable("no route")] * 3)
    bench.buy("2")
    sell = {**BUY, "action": "sell", "quantity": "5"}
    first = repeat(bench, **sell)
    assert "ORDER_UNRESOLVED" in str(first["orders"])
    assert repeat(bench, **sell)["duplicate"] is True


def test_a_limit_exit_that_stays_owed_beside_a_denial_claims_its_identity(make_venue_bench):
    """The same with a level of its own: it rests once the entry is found, so its resend is a duplicate."""
    bench = make_venue_bench()
    bench.learn()
    bench.venue.fail("place", "the answer is lost")
    bench.venue.fail("find", *[Unreachable("no route")] * 3)
    bench.buy("2")
    bench.send(action="cancel")
    sell = {**BUY, "action": "sell", "quantity": "5", "order_type": "limit", "limit_price": "105"}
    first = repeat(bench, **sell)
    assert "ORDER_UNRESOLVED" in str(first["orders"])
    assert repeat(bench, **sell)["duplicate"] is True


def test_a_duplicate_says_by_which_key(make_venue_bench):
    """With a key it is named; without one the answer says how to send one."""
    bench = make_venue_bench()
    bench.learn()
    for key in ({}, KEY):
        repeat(bench, **BUY, **key)
        said = repeat(bench, **BUY, **key)["message"]
        assert "Already received at 04:40:00 UTC: buy 1 filled at 100." in said
        assert ('"2025-11-21T04:40:00Z|Long|1"' in said) is bool(key)
        assert ('send "idempotency_key"' in said) is not key
        assert ("within 24 h" in said) is bool(key)


def test_a_key_that_holds_the_secret_is_not_shown(make_venue_bench):
    """What is masked in the record is masked in the answer."""
    bench = make_venue_bench()
    bench.learn()
    secret = {"secret": "a-secret-for-the-venue-bench"}
    for _ in range(2):
        said = repeat(bench, **BUY, **secret, idempotency_key="a-secret-for-the-venue-bench")
    assert said["duplicate"] is True
    assert "a-secret" not in str(said)


def test_nothing_to_close_is_no_denial(make_venue_bench):
    """Its resend is a duplicate: an entry that came in between must not be closed by it."""
    bench = make_venue_bench()
    bench.learn()
    close = {"strategy": "s", "action": "close", "price": "100"}
    assert repeat(bench, **close)["code"] == "NOTHING_TO_CLOSE"
    again = repeat(bench, **close)
    assert (again["duplicate"], again["http"]) == (True, 200)


def test_a_close_that_is_owed_is_not_answered_as_denied(make_venue_bench):
    """The entry before it may exist: the close is on its way, and says so."""
    bench = make_venue_bench()
    bench.learn()
    bench.venue.fail("place", "the answer is lost")
    bench.venue.fail("find", *[Unreachable("no route")] * 3)
    bench.buy("2")
    close = bench.send(action="close")
    assert (close["status"], close["http"], close["code"]) == ("pending", 202, None)
    assert "owed" in close["message"]
    bench.tick(120)
    assert (bench.now(close)["status"], bench.held(), bench.at_venue()) == ("filled", 0, 0)


def test_a_fan_out_that_was_denied_on_one_account_and_idle_on_the_other_is_a_new_try(
    make_venue_bench,
):
    """Nothing was sent on either: the same text later may be."""
    bench = make_venue_bench()
    bench.learn()
    bench.venues["w"].fail("instrument", BrokerRefused("too many", "THROTTLED"))
    close = {"strategy": "both", "action": "close", "price": "100"}
    repeat(bench, **close)
    assert repeat(bench, **close)["duplicate"] is False
