"""Several targets: each takes its part, together never more or less than what is held."""

from __future__ import annotations

import random
from decimal import Decimal

import pytest

from brokers.protocol import Instrument, OrderReport
from desk.orders.apply import receive, take_step
from desk.orders.evolve import evolve
from desk.orders.ledger import Execution, LotLedger, book_fill
from desk.orders.legs import linked_pairs, wanted_legs
from desk.orders.moving_stop import find_break_even, move_after_target, tighten_stop
from desk.orders.order import EXIT, STOP_LOSS, TAKE_PROFIT, AlertRef
from desk.orders.plan import next_step
from desk.orders.position_book import PositionBook
from desk.orders.steps import Submit, SubmitOco
from desk.orders.strategy_position import ProtectiveLevel, RestingExit, StrategyPosition, Target
from desk.orders.targets import divide, find_percents, follow, take_part
from parsers.alert import Level, TakeProfit

D = Decimal
NOW = 1_000_000
CONTRACT = Instrument("MES1!", "futures", tick=D("0.25"), step=D(1), point_value=D(5))
COIN = Instrument("BTCUSDT", "spot", "BTC", "USDT", step=D("0.001"), min_notional=D(10))
CAUSE = AlertRef("alert_1", 7, 7)
REDUCE_ONLY, OCO, LOCKED_OCO = (
    frozenset({"reduce_only"}),
    frozenset({"oco"}),
    frozenset({"oco", "locks_balance"}),
)
LOCKED, NOTHING = frozenset({"locks_balance"}), frozenset()


def position_of(quantity: str, *parts: str, stop: str | None = "90") -> StrategyPosition:
    """Return a position at 100 with targets at 110, 120, … (below for a short one), and a stop."""
    way = 1 if D(quantity) > 0 else -1
    side = "buy" if way > 0 else "sell"
    ledger = book_fill(LotLedger(), Execution(side, abs(D(quantity)), D(100), D(0), NOW))[0]
    targets = tuple(Target(n, D(100) + way * 10 * n, D(part)) for n, part in enumerate(parts, 1))
    level = ProtectiveLevel(D(stop)) if stop else None
    return evolve(
        StrategyPosition("s"),
        ledger=ledger,
        targets=targets,
        stop_loss=level,
        protection_cause=CAUSE,
    )


def resized(position: StrategyPosition, quantity: Decimal) -> StrategyPosition:
    """Return the position after something else than a target made it so large."""
    before = position.quantity
    side = "buy" if quantity > 0 else "sell"
    ledger = book_fill(LotLedger(), Execution(side, abs(quantity), D(100), D(0), NOW))[0]
    return follow(evolve(position, ledger=ledger), before)


def sizes(position: StrategyPosition, instrument: Instrument = CONTRACT) -> list[str]:
    """Return what each target would be ordered for now."""
    parts = divide(position, abs(position.quantity), instrument)
    return [str(parts.get(each.part, (D(0),))[0]) for each in position.targets]


def book_of(position: StrategyPosition, capabilities: frozenset[str]) -> PositionBook:
    """Return a book that holds this position alone."""
    return PositionBook("a", False, CONTRACT, {"s": position}, capabilities=capabilities)


def test_equal_parts_of_contracts_add_up_to_the_position():
    """A third of four is no contract: the last target takes what the roundings leave."""
    third = str(D(4) / 3)
    assert sizes(position_of("4", third, third, str(4 - 2 * D(third)))) == ["1", "1", "2"]


def test_a_part_that_is_too_small_goes_with_the_next():
    """One contract has one target: the last one."""
    assert sizes(position_of("1", "0.25", "0.25", "0.5")) == ["0", "0", "1"]


def test_a_part_worth_too_little_for_an_order_goes_with_another():
    """A venue's smallest worth counts for each part."""
    position = position_of("0.15", "0.05", "0.1")
    assert sizes(position, COIN) == ["0", "0.15"]
    assert sizes(position_of("0.15", "0.1", "0.05"), COIN) == ["0.15", "0"]


def test_what_no_target_is_for_stays_for_the_stop():
    """Two quarters leave half of the position to the stop."""
    position = position_of("8", "2", "2")
    assert sizes(position) == ["2", "2"]
    assert wanted_legs(book_of(position, REDUCE_ONLY), position)[STOP_LOSS, 0][0] == 8


def test_parts_follow_a_scale_in_and_a_partial_exit():
    """They keep their proportions."""
    position = position_of("4", "1", "1", "2")
    assert sizes(resized(position, D(8))) == ["2", "2", "4"]
    assert sizes(resized(position, D(2))) == ["0", "1", "1"]


def test_a_target_that_was_reached_changes_none_of_the_others():
    """What roundings left of it goes to the next, so that no order is replaced for nothing."""
    part = D(10) / 4
    position = position_of("10", *[str(part)] * 4)
    before = sizes(position)
    assert before == ["2", "3", "2", "3"]
    left = take_part(position, 1, D(2), CONTRACT)
    left = evolve(left, ledger=position_of("8").ledger)
    assert [each.is_done for each in left.targets] == [True, False, False, False]
    assert sizes(left) == ["0", *before[1:]]


def test_a_target_that_filled_in_part_keeps_the_rest():
    """It is done once nothing of it can be ordered."""
    position = take_part(position_of("6", "3", "3"), 1, D(1), CONTRACT)
    assert [each.quantity for each in position.targets] == [2, 3]


@pytest.mark.parametrize("seed", range(40))
def test_parts_are_never_more_and_never_less_than_the_position(seed):
    """Whatever grows, shrinks or is taken: the targets of a whole position cover all that can be ordered."""
    chance = random.Random(seed)
    count = chance.randint(1, 6)
    held = D(chance.randint(1, 60))
    taken = (TakeProfit(Level(price=D(110 + n))) for n in range(count))
    percents = find_percents(tuple(taken), held)
    position = position_of(str(held), *[str(held * (p.percent or D(0)) / 100) for p in percents])
    for _ in range(60):
        ordered = divide(position, abs(position.quantity), CONTRACT)
        assert sum((size for size, _ in ordered.values()), D(0)) == position.quantity
        assert all(size >= 1 for size, _ in ordered.values())
        if ordered and chance.random() < 0.3:
            part, (size, _) = chance.choice(sorted(ordered.items()))
            filled = D(chance.randint(1, int(size)))
            left = position.quantity - filled
            if left == 0:
                return
            position = take_part(position, part, filled, CONTRACT)
            position = evolve(position, ledger=position_of(str(left)).ledger)
        else:
            position = resized(position, D(chance.randint(1, 60)))


@pytest.mark.parametrize("capabilities", [OCO, LOCKED_OCO, NOTHING])
def test_without_reduce_only_each_part_has_a_stop_of_its_own(capabilities):
    """A stop that ends with its target: together they never take more than is held."""
    position = position_of("8", "2", "3")
    wants = wanted_legs(book_of(position, capabilities), position)
    stops = {part: want[0] for (kind, part), want in wants.items() if kind == STOP_LOSS}
    assert stops == {0: 3, 1: 2, 2: 3}
    targets = {part: want[0] for (kind, part), want in wants.items() if kind == TAKE_PROFIT}
    assert targets == {1: 2, 2: 3}
    pairs = ((STOP_LOSS, 1), (TAKE_PROFIT, 1)), ((STOP_LOSS, 2), (TAKE_PROFIT, 2))
    assert linked_pairs(wants) == pairs


def test_where_orders_lock_the_balance_and_nothing_is_linked_the_stop_stands_alone():
    """Nothing fits beside it; without a stop the targets lock a part each."""
    position = position_of("8", "2", "6")
    assert list(wanted_legs(book_of(position, LOCKED), position)) == [(STOP_LOSS, 0)]
    free = position_of("8", "2", "6", stop=None)
    assert list(wanted_legs(book_of(free, LOCKED), free)) == [(TAKE_PROFIT, 1), (TAKE_PROFIT, 2)]


def test_an_exit_of_the_whole_position_takes_the_place_of_the_targets_where_orders_lock():
    """The alert's own exit goes before."""
    rest = RestingExit(CAUSE, D(8), "limit", D(130), None)
    position = evolve(position_of("8", "2", "6"), exit=rest)
    wants = wanted_legs(book_of(position, LOCKED_OCO), position)
    assert list(wants) == [(STOP_LOSS, 0), (EXIT, 0)]
    assert linked_pairs(wants) == (((STOP_LOSS, 0), (EXIT, 0)),)


def test_linked_parts_are_placed_pair_by_pair():
    """Two targets and a rest: two pairs and a stop alone."""
    book = book_of(position_of("8", "2", "3"), OCO)
    placed = []
    while step := next_step(book, NOW):
        book = take_step(book, step, NOW)
        orders = step.orders if isinstance(step, SubmitOco) else (step.order,)
        placed.append([(order.kind, order.part, order.quantity) for order in orders])
        assert isinstance(step, Submit | SubmitOco)
        for order in orders:
            book = receive(book, OrderReport(order.client_id, "accepted"), NOW)
    assert placed == [
        [(STOP_LOSS, 1, 2), (TAKE_PROFIT, 1, 2)],
        [(STOP_LOSS, 2, 3), (TAKE_PROFIT, 2, 3)],
        [(STOP_LOSS, 0, 3)],
    ]


def test_sizes_are_percents_of_the_position():
    """Quantities count times the multiplier; what says nothing takes what the others leave."""
    level = Level(price=D(110))
    asked = (
        TakeProfit(level, quantity=D(1)),
        TakeProfit(level, percent=D(30)),
        TakeProfit(level),
        TakeProfit(level),
    )
    assert [p.percent for p in find_percents(asked, D(20), D(4))] == [20, 30, 25, 25]
    with pytest.raises(ValueError, match="more than the position"):
        find_percents((TakeProfit(level, quantity=D(6)),), D(20), D(4))
    with pytest.raises(ValueError, match="leave nothing"):
        find_percents((TakeProfit(level, percent=D(100)), TakeProfit(level)), D(20))


@pytest.mark.parametrize(("way", "better", "worse"), [(1, "95", "85"), (-1, "105", "115")])
def test_a_stop_is_moved_to_profit_and_never_loosened(way, better, worse):
    """Whoever asks: a level further from profit changes nothing."""
    position = position_of(str(4 * way), stop=str(100 - 10 * way))
    assert tighten_stop(position, D(worse)) is position
    moved = tighten_stop(position, D(better))
    assert moved.stop_loss == ProtectiveLevel(D(better))
    assert moved.is_stop_moved


def test_a_stop_limit_keeps_its_distance_when_it_moves():
    """The limit goes along."""
    position = evolve(position_of("4"), stop_loss=ProtectiveLevel(D(90), D(89)))
    assert tighten_stop(position, D(100)).stop_loss == ProtectiveLevel(D(100), D(99))


def test_break_even_is_rounded_as_a_stop_is_and_its_offset_is_profit():
    """Away from the price: a long one down, a short one up."""
    assert find_break_even(position_of("2"), D(3)) == 99
    assert find_break_even(position_of("-2"), D(3)) == 102
    assert find_break_even(position_of("2"), D(1), Level(amount=D(4))) == 104
    assert find_break_even(position_of("-2"), D(1), Level(percent=D(4))) == 96


@pytest.mark.parametrize(
    ("move", "after_first", "after_second"),
    [("break_even", "100", "100"), ("previous_target", "100", "110"), (None, "90", "90")],
)
def test_the_stop_follows_the_targets(move, after_first, after_second):
    """Break-even after each, or the level of the target before."""
    position = evolve(position_of("3", "1", "1", "1"), move_stop=move)
    for part, level in ((1, after_first), (2, after_second)):
        position = take_part(position, part, D(1), CONTRACT)
        position = move_after_target(position, part, CONTRACT.tick)
        assert position.stop_loss == ProtectiveLevel(D(level))
