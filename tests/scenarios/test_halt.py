"""A halt stops what opens and nothing else, stays until a resume, and comes by itself after a fault."""

from __future__ import annotations

from decimal import Decimal

import pytest

import desk.engine.halts
from brokers.protocol import (
    HEDGE_MODE,
    HEDGE_UNKNOWN,
    KEYS_REFUSED,
    WRONG_ORDER,
    BrokerRefused,
    Uncertain,
    Unreachable,
)
from desk.formats import iso
from desk.orders.apply import InvariantBroken
from desk.orders.evolve import evolve
from desk.orders.order import EXIT, NO_ORDER
from desk.orders.plan import next_step
from desk.orders.steps import Submit
from tests.support.venue_bench import KINDS, LOSE_ANSWER, LOSE_REQUEST, UNLINKED

LIMIT = {"action": "buy", "quantity": "1", "order_type": "limit", "limit_price": "90"}
SCOPES = ["all", "account:v", "strategy:s"]


def scopes(bench):
    """Return what is halted."""
    return [each["scope"] for each in bench.concerns()["halted"]]


# --- what a halt concerns ----------------------------------------------------------------------------


@pytest.mark.parametrize("scope", SCOPES)
def test_a_halt_denies_opening_orders_of_its_scope_only(make_venue_bench, scope):
    """422 `HALTED`, told, in the status; whoever is not meant trades on."""
    bench = make_venue_bench()
    bench.command("halt", scope=scope)
    answer = bench.buy("1")
    assert (answer["http"], answer["status"], answer["code"]) == (422, "denied", "HALTED")
    far = bench.buy("1", strategy="far")
    assert far["code"] == ("HALTED" if scope == "all" else None)
    neighbour = bench.buy("1", strategy="t", symbol=bench.other)
    assert neighbour["code"] == (None if scope == "strategy:s" else "HALTED")
    assert scopes(bench) == [scope]
    assert len(bench.told("halted")) == 1


@pytest.mark.parametrize("scope", SCOPES)
def test_a_halt_survives_a_crash_and_ends_by_a_resume_alone(make_venue_bench, scope):
    """Neither a restart nor a day later."""
    bench = make_venue_bench()
    bench.command("halt", scope=scope)
    bench.crash()
    bench.tick(86_400, step=3_600)
    assert bench.buy("1")["code"] == "HALTED"
    bench.command("resume", scope=scope)
    assert bench.buy("1")["status"] == "filled"
    bench.crash()
    assert bench.buy("1")["status"] == "filled"
    assert len(bench.told("resumed")) == 1


def test_a_resume_of_another_scope_ends_nothing(make_venue_bench):
    """An account's halt is not its strategy's; `all` ends every one."""
    bench = make_venue_bench()
    bench.command("halt", scope="account:v")
    command = bench.command("resume", scope="strategy:s")
    assert command.said.startswith("Strategy s was not halted. Still halted: Account v.")
    assert bench.buy("1")["code"] == "HALTED"
    bench.command("halt", scope="strategy:s")
    bench.command("resume", scope="all")
    assert scopes(bench) == []


# --- by alert ----------------------------------------------------------------------------------------


def test_a_halt_by_alert_halts_its_strategy(make_venue_bench):
    """It needs no symbol and is answered 200."""
    bench = make_venue_bench()
    answer = bench.send(action="halt", symbol=None, price=None)
    assert (answer["http"], answer["success"]) == (200, True)
    assert scopes(bench) == ["strategy:s"]
    assert bench.buy("1")["code"] == "HALTED"
    assert bench.buy("1", strategy="t")["status"] == "filled"


def test_a_halt_by_alert_without_a_strategy_halts_everything(make_venue_bench):
    """Whoever cannot say which means all."""
    bench = make_venue_bench()
    bench.send(action="halt", strategy=None, symbol=None, price=None)
    assert scopes(bench) == ["all"]


def test_a_halt_is_never_a_duplicate(make_venue_bench):
    """The same text halts again after a resume."""
    bench = make_venue_bench()
    halt = {"action": "halt", "symbol": None, "price": None, "id": "the same"}
    bench.send(**halt)
    bench.command("resume", scope="all")
    again = bench.send(**halt)
    assert again["duplicate"] is False
    assert scopes(bench) == ["strategy:s"]


@pytest.mark.parametrize("strategy", ["s", None], ids=["its strategy", "everything"])
def test_a_halt_by_alert_survives_a_crash(make_venue_bench, strategy):
    """It is as sticky as one by command."""
    bench = make_venue_bench()
    bench.send(action="halt", strategy=strategy, symbol=None, price=None)
    bench.crash()
    assert bench.buy("1")["code"] == "HALTED"


# --- what it ends ------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("kind", UNLINKED)
def test_a_halt_cancels_working_entries_of_its_scope(make_venue_bench, kind, scope):
    """What is not meant goes on working."""
    bench = make_venue_bench(kind)
    mine = bench.send(**LIMIT)
    far = bench.send(**LIMIT, strategy="far")
    bench.command("halt", scope=scope)
    bench.tick(3)
    assert bench.now(mine)["status"] == "cancelled"
    assert not bench.venue.working()
    assert bench.now(far)["status"] == ("cancelled" if scope == "all" else "accepted")


def test_a_halt_ends_an_entry_that_is_being_tried_again(make_venue_bench):
    """The venue could not be reached: it is not tried after the halt."""
    bench = make_venue_bench()
    bench.learn()
    bench.venue.is_gone = True
    answer = bench.buy("1")
    bench.command("halt", scope="all")
    tries = len(bench.entries())
    bench.venue.is_gone = False
    bench.tick(100)
    assert len(bench.entries()) == tries
    assert bench.now(answer)["status"] == "cancelled"


def test_a_halt_ends_the_opening_part_of_a_reversal_that_waits(make_venue_bench):
    """The close leaves, the new position does not."""
    bench = make_venue_bench()
    bench.buy("2")
    bench.is_held = True
    bench.sell("5")
    bench.command("halt", scope="strategy:s")
    bench.is_held = False
    bench.tick(3)
    assert bench.held() == bench.at_venue() == 0
    assert len(bench.entries()) == 1


def test_an_alert_that_waits_is_denied_by_a_halt_that_comes_meanwhile(make_venue_bench):
    """It was answered 202, so its end is told."""
    bench = make_venue_bench()
    bench.is_held = True
    bench.buy("1")
    second = bench.buy("2")
    bench.command("halt", scope="all")
    bench.is_held = False
    bench.tick(1)
    assert bench.now(second)["code"] == "HALTED"
    assert bench.held() == 1
    assert second["alert_id"] in [each["alert_id"] for each in bench.told("alert_ended")]


def test_an_unknown_entry_that_is_found_working_after_a_halt_is_cancelled(make_venue_bench):
    """It is looked up, then ended."""
    bench = make_venue_bench()
    bench.venue.fail("place", LOSE_ANSWER)
    answer = bench.send(**LIMIT)
    bench.command("halt", scope="all")
    bench.tick(10)
    assert bench.now(answer)["status"] == "cancelled"
    assert not bench.venue.working()


# --- what goes on ------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("kind", KINDS)
def test_exits_leave_under_a_halt(make_venue_bench, kind, scope):
    """By close, by a sell, and by a sell of more: only what would open is denied."""
    bench = make_venue_bench(kind)
    bench.buy("3", stop_loss="90")
    bench.command("halt", scope=scope)
    assert bench.sell("1")["status"] == "filled"
    reversal = bench.sell("5")
    bench.tick(3)
    assert bench.held() == bench.at_venue() == 0
    if not bench.is_locked:
        assert [each["status"] for each in bench.now(reversal)["orders"]] == ["filled", "denied"]


@pytest.mark.parametrize("kind", KINDS)
def test_protection_is_placed_and_pursued_under_a_halt(make_venue_bench, kind):
    """The entry filled a moment before; its stop stands, is put back, and fills."""
    bench = make_venue_bench(kind)
    bench.is_held = True
    bench.deliver(action="buy", quantity="2", stop_loss="90")
    bench.carry_out(bench.pool.calls.pop())
    bench.command("halt", scope="all")
    bench.is_held = False
    bench.venue.fail("place", BrokerRefused("not now"), Unreachable("no route"))
    bench.tick(5)
    assert bench.legs() == [("stop", 90, 2)]
    bench.move(90)
    bench.tick(3)
    assert bench.held() == bench.at_venue() == 0


@pytest.mark.parametrize("fault", [LOSE_ANSWER, LOSE_REQUEST])
def test_look_ups_go_on_under_a_halt(make_venue_bench, fault):
    """What an unknown order was is found out, and what filled is held and protected."""
    bench = make_venue_bench()
    bench.venue.fail("place", fault)
    answer = bench.buy("1", stop_loss="90")
    bench.command("halt", scope="all")
    bench.tick(20)
    exists = fault == LOSE_ANSWER
    assert bench.now(answer)["status"] == ("filled" if exists else "absent")
    assert bench.legs() == ([("stop", 90, 1)] if exists else [])


# --- a halt that comes by itself ---------------------------------------------------------------------


def oversell(book, now):
    """Plan a step that the share does not cover, as only a fault of ours could."""
    position = book.position("s")
    if position.reduce_to is None:
        return next_step(book, now)
    order = evolve(NO_ORDER, client_id="x", cause=position.exit_cause, strategy="s", kind=EXIT, side="sell",
                   quantity=position.quantity + 1, attempt=99)  # fmt: skip
    return Submit(order)


def test_an_exit_larger_than_its_share_never_leaves_and_halts_everything(
    make_venue_bench, monkeypatch
):
    """`INVARIANT_BROKEN`: a halt and an alarm, over a restart too; the book itself is blocked."""
    bench = make_venue_bench()
    bench.buy("2")
    monkeypatch.setattr("desk.engine.execute.next_step", oversell)
    answer = bench.send(action="close")
    monkeypatch.undo()
    assert (answer["http"], answer["code"]) == (422, "BOOK_BLOCKED")
    assert bench.exits() == []
    assert scopes(bench) == ["all"]
    assert bench.concerns()["halted"][0]["reason"].startswith("INVARIANT_BROKEN")
    assert [each["event"] for each in bench.told()] == ["halted", "internal_error"]
    [block] = bench.concerns()["blocked"]
    assert block["reason"].endswith("it opens nothing before a restart.")
    assert block["since"] == iso(bench.clock())
    bench.crash()
    assert bench.buy("1", strategy="far")["code"] == "HALTED"
    assert bench.send(action="close")["status"] == "filled"


def test_an_answer_about_another_order_halts_its_account(make_venue_bench):
    """The order is unknown and looked up; another account trades on."""
    bench = make_venue_bench()
    bench.venue.fail("place", Uncertain("it answered about order 7", WRONG_ORDER))
    answer = bench.buy("1")
    assert (answer["http"], answer["status"]) == (202, "unknown")
    assert scopes(bench) == ["account:v"]
    assert WRONG_ORDER in bench.concerns()["halted"][0]["reason"]
    assert bench.buy("1", symbol=bench.other)["code"] == "HALTED"
    assert bench.buy("1", strategy="far")["status"] == "filled"
    bench.tick(20)
    assert bench.now(answer)["status"] == "absent"


def test_refused_keys_halt_the_account(make_venue_bench):
    """The entry is refused; nothing more is opened with keys that are wrong; told."""
    bench = make_venue_bench()
    bench.venue.fail("place", BrokerRefused("invalid key", KEYS_REFUSED))
    answer = bench.buy("1")
    assert (answer["http"], answer["status"], answer["code"]) == (422, "refused", KEYS_REFUSED)
    assert scopes(bench) == ["account:v"]
    assert bench.buy("1")["code"] == "HALTED"
    assert len(bench.told("halted")) == 1


SWITCH = BrokerRefused("v holds long and short apart. Switch it to one-way mode.", HEDGE_MODE)


def test_a_hedge_account_halts_and_each_alert_says_so(make_venue_bench):
    """Rules 3.10: 422 `HEDGE_MODE` with the switch named, also once halted; told once."""
    bench = make_venue_bench()
    bench.venue.fail("place", SWITCH)
    first, second = bench.buy("1"), bench.buy("1")
    for answer in (first, second):
        assert (answer["http"], answer["code"]) == (422, HEDGE_MODE)
        assert "one-way mode" in answer["message"]
    assert "POST /resume" in second["message"]
    assert len(bench.entries()) == 1
    assert len(bench.told("halted")) == 1
    bench.command("resume", scope="account:v")
    assert bench.buy("1")["status"] == "filled"


def test_a_hedge_account_keeps_its_exits(make_venue_bench):
    """Somebody switched it while a position is held: what reduces goes on being tried."""
    bench = make_venue_bench()
    bench.buy("1", stop_loss="90")
    bench.venue.fail("place", SWITCH)
    bench.send(action="close")
    assert scopes(bench) == ["account:v"]
    bench.tick(5)
    assert bench.held() == bench.at_venue() == 0


def test_an_unknown_position_mode_denies_that_one_order(make_venue_bench):
    """`HEDGE_UNKNOWN` halts nothing: the next alert asks again and trades."""
    bench = make_venue_bench()
    bench.venue.fail("place", BrokerRefused("the mode was not told", HEDGE_UNKNOWN))
    answer = bench.buy("1")
    assert (answer["http"], answer["code"]) == (422, HEDGE_UNKNOWN)
    bench.tick(60)
    assert len(bench.entries()) == 1
    assert scopes(bench) == []
    assert bench.buy("1")["status"] == "filled"


def test_a_halt_of_everything_goes_before_the_hedge_mode(make_venue_bench):
    """The remedy that is named must end what is in the way."""
    bench = make_venue_bench()
    bench.venue.fail("place", SWITCH)
    bench.buy("1")
    bench.command("halt", scope="all")
    assert bench.buy("1")["code"] == "HALTED"


def test_keys_refused_for_an_exit_halt_the_account_and_the_exit_is_pursued(make_venue_bench):
    """Until they are accepted again."""
    bench = make_venue_bench()
    bench.buy("1")
    bench.venue.fail("place", BrokerRefused("invalid key", KEYS_REFUSED))
    bench.send(action="close")
    assert scopes(bench) == ["account:v"]
    bench.tick(5)
    assert bench.held() == bench.at_venue() == 0


def test_refused_keys_halt_once(make_venue_bench):
    """However often they are refused, the user is told once."""
    bench = make_venue_bench()
    bench.buy("1", stop_loss="90")
    bench.venue.fail("place", *[BrokerRefused("invalid key", KEYS_REFUSED)] * 4)
    bench.send(action="close")
    bench.tick(30)
    assert len(bench.told("halted")) == 1
    assert bench.held() == bench.at_venue() == Decimal(0)


def test_a_book_that_is_broken_does_not_keep_the_halt_from_standing(make_venue_bench, monkeypatch):
    """What it works at the venue cannot be planned: everything is halted all the same, and the rest ends."""
    bench = make_venue_bench()
    bench.send(**LIMIT, time_in_force="gtc")
    other = bench.send(**LIMIT, time_in_force="gtc", strategy="t", symbol=bench.other)
    execute = desk.engine.halts.execute_plan

    def execute_all_but_one(context, book, now):
        if book.instrument.symbol != bench.other:
            raise InvariantBroken("a reducing order of 2 against a position of 1")
        execute(context, book, now)

    monkeypatch.setattr(desk.engine.halts, "execute_plan", execute_all_but_one)
    bench.command("halt", scope="all")
    assert scopes(bench) == ["all"]
    assert bench.buy("1")["code"] == "HALTED"
    bench.tick(3)
    assert bench.now(other)["status"] == "cancelled"
