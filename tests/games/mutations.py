"""Plant mistakes in a copy of the desk, one at a time, and see whether the games notice.

A game that no mistake can lose proves nothing. Each entry of the table is a mistake somebody could make in
one line, named by what it would do to a user. A mutation is caught when a game fails by an assertion about
trades; one that merely crashes the desk does not count.
"""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("desk", "brokers", "parsers", "tests")
FAULT = "nternal error"
"""What the desk says of a crash of its own."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """One mistake: what it does to a user, and the text it replaces in one module."""

    name: str
    path: str
    old: str
    new: str
    proof: str = ""
    """The tests that notice it, where no game brings what it needs: prices, limits, an older state."""


MUTATIONS = (
    # --- what an alert means ---
    Mutation(
        "a second exit forgets that the first is still owed",
        "desk/decision/decide.py",
        "keep = abs(position.projected_quantity) - split.reduces",
        "keep = abs(position.quantity) - split.reduces",
    ),
    Mutation(
        "cancelling the working entries is skipped when another alert comes",
        "desk/decision/decide.py",
        "if adds or order.end_status or order.cause.alert_id == cause.alert_id:",
        "if True:",
    ),
    Mutation(
        "a close that meets an unknown entry finds nothing to close",
        "desk/decision/decide.py",
        "return bool(_unseen(book, alert, context))",
        "return False",
    ),
    Mutation(
        "a sale that meets an entry which filled unseen leaves it standing",
        "desk/decision/decide.py",
        "return bool(_unseen(book, alert, context))",
        "return alert.only_reduces and bool(_unseen(book, alert, context))",
    ),
    Mutation(
        "`cancel` leaves an exit resting",
        "desk/decision/decide.py",
        "book = decision.book.with_position(evolve(position, exit=None))",
        "book = decision.book.with_position(position)",
    ),
    Mutation(
        "a reversal opens its whole quantity beyond what it closed",
        "desk/decision/split.py",
        "opens = max(ZERO, (asked or ZERO) - abs(held))",
        "opens = asked or ZERO",
    ),
    Mutation(
        "a sell on spot opens a short",
        "desk/decision/turning.py",
        'return (context.direction or "both") if _may_short(book, context) else "long"',
        'return context.direction or "both"',
    ),
    Mutation(
        "an order that states flat opens beyond zero",
        "desk/decision/split.py",
        "if stated is not None and stated != way:",
        'if stated not in (None, way, "flat"):',
    ),
    Mutation(
        "an entry opens more than the position that was stated",
        "desk/decision/split.py",
        "opens = min(opens, abs(alert.position_size) * context.multiplier)",
        "pass",
    ),
    Mutation(
        "an exit is rounded down and leaves a step behind",
        "desk/decision/sizing.py",
        "return min(standing, ceil_to(part, step))",
        "return min(standing, part // step * step)",
    ),
    Mutation(
        "an exit takes more than the share",
        "desk/decision/sizing.py",
        "return min(standing, ceil_to(part, step))",
        "return ceil_to(part, step)",
    ),
    Mutation(
        "an entry is rounded up",
        "desk/orders/rounding.py",
        "floored = floor_to(quantity, instrument.step)",
        "floored = ceil_to(quantity, instrument.step)",
    ),
    Mutation(
        "an entry is taken although an earlier order may still exist",
        "desk/decision/entry.py",
        "if book.unresolved:",
        "if False:",
    ),
    Mutation(
        "two strategies trade one netted position",
        "desk/decision/entry.py",
        "if not context.nets:",
        "if True:",
    ),
    Mutation(
        "an entry pays with the coins that another strategy holds",
        "desk/decision/entry.py",
        "elif cost > free:",
        "elif False:",
    ),
    Mutation(
        "an entry leaves without its stop loss",
        "desk/decision/entry.py",
        "stop_loss=alert.stop_loss",
        "stop_loss=None",
    ),
    Mutation(
        "a working entry never expires",
        "desk/decision/entry.py",
        'return context.day_ms if alert.time_in_force == "day" else context.limit_ms',
        "return None",
    ),
    Mutation(
        "the exit that follows a stop opens the other side",
        "desk/decision/split.py",
        "stopped = counted_as_held(alert, position)",
        "stopped = ZERO",
    ),
    # --- what may be late, refused or answered 503 ---
    Mutation(
        "a close is dropped because its venue would not tell the rules again",
        "desk/engine/rules.py",
        "if held := _find_held(context, strategy, alert, route, paper):",
        "if held := _find_held(context, strategy, alert, route, paper)[:0]:",
    ),
    Mutation(
        "one time from the future overtakes every later alert",
        "desk/decision/staleness.py",
        "    return _second_of(received_at)\n\n\ndef until",
        "    return alert.fired_at\n\n\ndef until",
    ),
    Mutation(
        "what was answered 503 is traded afterwards",
        "desk/engine/loop.py",
        "return all(event.reply.keep() for event in events if isinstance(event, AlertReceived | Command))",
        "return True",
    ),
    Mutation(
        "a denied alert keeps its identity",
        "desk/engine/duplicates.py",
        "if not span or is_denied(record):",
        "if not span:",
    ),
    # --- the next step ---
    Mutation(
        "an exit is repeated while another is unknown",
        "desk/orders/plan.py",
        "leaving = sum((order.leaves_quantity for order in exits if not order.is_resting), ZERO)",
        'leaving = sum((o.leaves_quantity for o in exits if o.status == "accepted"), ZERO)',
    ),
    Mutation(
        "an exit is sized without looking where it could open the other side",
        "desk/orders/plan.py",
        "if not _is_seen(book, position):",
        "if False:",
    ),
    Mutation(
        "a sell on spot is rounded up to more than is held",
        "desk/orders/plan.py",
        "needed = floor_to(abs(position.quantity) - position.reduce_to - leaving, book.instrument.step)",
        "needed = -floor_to(position.reduce_to + leaving - abs(position.quantity), book.instrument.step)",
    ),
    Mutation(
        "a stop is not resized after a partial fill",
        "desk/orders/plan.py",
        "return want is not None and stands(order, want)",
        "return want is not None",
    ),
    Mutation(
        "a stop keeps working after the share is flat",
        "desk/orders/plan.py",
        "return want is not None and stands(order, want)",
        "return want is None or stands(order, want)",
    ),
    Mutation(
        "a share stays bare while a failed exit waits for its next try",
        "desk/orders/plan.py",
        "return position.has_pending_exit and now >= position.retry_state(REDUCE).retry_at",
        "return position.has_pending_exit",
    ),
    Mutation(
        "a reversal's entry leaves before the share is flat",
        "desk/orders/plan.py",
        "if not against and not ending and position.reduce_to is None and book.unresolved is None:",
        "if not ending and book.unresolved is None:",
    ),
    Mutation(
        "an entry leaves while the one it replaces still works",
        "desk/orders/plan.py",
        "if not against and not ending and position.reduce_to is None and book.unresolved is None:",
        "if not against and position.reduce_to is None and book.unresolved is None:",
    ),
    Mutation(
        "an expired entry goes on working",
        "desk/orders/plan.py",
        "if order.expires_at and now >= order.expires_at:",
        "if False:",
    ),
    Mutation(
        "an entry leaves long after its alert",
        "desk/orders/plan.py",
        "if order.submit_by is not None and now >= order.submit_by:",
        "if False:",
    ),
    Mutation(
        "an unknown order is never looked up",
        "desk/orders/plan.py",
        "if is_doubted and _is_due(order, now):",
        "if is_doubted and order.kind == ENTRY and _is_due(order, now):",
    ),
    Mutation(
        "a resting exit takes the whole share",
        "desk/orders/legs.py",
        "size = min(held, rest.quantity)",
        "size = held",
    ),
    # --- what came back ---
    Mutation(
        "an entry of which nothing is known is sent again",
        "desk/orders/apply.py",
        "book = _doubt(book, order, now)",
        "            book = _unreached(book, order, now)",
    ),
    Mutation(
        "an order is believed absent after one look",
        "desk/orders/apply.py",
        "if not_found_count < ABSENT_AFTER_LOOKS or waited < ABSENT_AFTER_MS:",
        "if not_found_count < 1:",
    ),
    Mutation(
        "a look-up that failed counts towards the three that must not show an order",
        "desk/orders/apply.py",
        "queries, not_found_count = order.queries + 1, order.not_found_count + 1",
        "queries, not_found_count = order.queries + 1, order.queries + 1",
    ),
    Mutation(
        "an unknown entry that is found rests its whole time again",
        "desk/orders/apply.py",
        "order = evolve(order, expires_at=(order.sent_at or now) + order.time_to_live_ms)",
        "order = evolve(order, expires_at=now + order.time_to_live_ms)",
    ),
    Mutation(
        "an entry that never left is sent again under its old id",
        "desk/orders/apply.py",
        "attempt = order.attempt + 1",
        "attempt = order.attempt",
    ),
    Mutation(
        "an exit that was refused is dropped",
        "desk/orders/apply.py",
        "return book.with_position(position.with_retry(order.purpose, after))",
        "return book.with_position(evolve(position.with_retry(order.purpose, after), reduce_to=None))",
    ),
    Mutation(
        "an owed close is forgotten while an entry may still fill",
        "desk/orders/apply.py",
        "late = book.entries_before(strategy, position.exit_cause)",
        "late = []",
        "tests/scenarios/test_working_entries.py",  # a game allows what a partial exit leaves, more or less
    ),
    Mutation(
        "the next position inherits the stop of the last",
        "desk/orders/strategy_position.py",
        '    "stop_loss": None,\n    "take_profit"',
        '    "take_profit"',
    ),
    Mutation(
        "what is too small to sell is never written off",
        "desk/orders/apply.py",
        "if 0 < abs(position.quantity) < book.instrument.smallest and not book.open_orders(strategy):",
        "if False:",
    ),
    Mutation(
        "a partial fill that a read saw changes nothing",
        "desk/orders/apply.py",
        "seen = take_fills(book, order, report)",
        "seen = book",
    ),
    # --- what was filled ---
    Mutation(
        "a fill is booked twice",
        "desk/orders/fills.py",
        "missing = report.filled - order.filled",
        "missing = report.filled",
    ),
    Mutation(
        "a fee in the coin that was bought is ignored",
        "desk/orders/fills.py",
        'if fill.fee_coin == book.instrument.base and book.instrument.kind == "spot":',
        "if False:",
    ),
    Mutation(
        "what fills late stays although everything was closed",
        "desk/orders/fills.py",
        "if position.reduce_to is not None and order.cause.seq >= position.exit_cause.seq:",
        "if position.reduce_to is not None:",
    ),
    Mutation(
        "a filled entry gets no stop",
        "desk/orders/fills.py",
        "    if order.stop_loss is None:\n        return position",
        "    if True:\n        return position",
    ),
    Mutation(
        "a stop is counted from the last execution alone",
        "desk/orders/fills.py",
        "average = order.average_price or execution.price",
        "average = execution.price",
    ),
    Mutation(
        "a resting exit that has filled is placed again",
        "desk/orders/fills.py",
        "return evolve(resting, quantity=left) if left > 0 else None",
        "return resting",
    ),
    Mutation(
        "a stop and a target that both filled leave the other side open",
        "desk/orders/fills.py",
        "if position.quantity * way > 0:",
        "if False:",
    ),
    # --- the wishes, the comparison, the calls ---
    Mutation(
        "a refused exit is repeated every second",
        "desk/orders/strategy_position.py",
        "pause = min(1_000 * 2 ** min(failures, 10), MAX_BACKOFF_MS)",
        "pause = 1_000",
    ),
    Mutation(
        "an exit that cannot be sent is repeated every second",
        "desk/orders/strategy_position.py",
        "pause = min(\n            1_000 * 2 ** min(max(0, self.unreached_count - QUICK_RETRIES), 10), MAX_BACKOFF_MS\n        )",
        "pause = 1_000",
    ),
    Mutation(
        "a share shrinks at the first read that shows less",
        "desk/orders/discrepancies.py",
        "READS_IN_A_ROW = 2",
        "READS_IN_A_ROW = 1",
    ),
    Mutation(
        "a share shrinks while its own exit is under way",
        "desk/orders/discrepancies.py",
        "return is_young or book.is_calling or book.unresolved is not None",
        "return False",
    ),
    Mutation(
        "a position that was closed by hand stays in the books",
        "desk/orders/discrepancies.py",
        "if short >= READS_IN_A_ROW:",
        "if False:",
    ),
    Mutation(
        "an exit is not sent as one that only reduces",
        "desk/orders/requests.py",
        "reduces=order.kind != ENTRY",
        'reduces=order.kind not in (ENTRY, "stop_loss")',
    ),
    Mutation(
        "an order whose answer was lost counts as never sent",
        "desk/venue/dispatcher.py",
        '_AFTER_UNCERTAIN = {**_AFTER_UNREACHABLE, "place": "unknown"}',
        "_AFTER_UNCERTAIN = _AFTER_UNREACHABLE",
    ),
    Mutation(
        "a look-up that failed counts as one that found nothing",
        "desk/venue/dispatcher.py",
        '"look": "unknown",',
        '"look": "absent",',
    ),
    Mutation(
        "a stop is cancelled before the one that replaces it stands",
        "desk/orders/resizing.py",
        'return "reduce_only" in capabilities and not',
        'return "nowhere" in capabilities and not',
        "tests/scenarios/test_unlinked_legs.py",
    ),
    Mutation(
        "a change of a leg that may be lost counts as made",
        "desk/orders/plan.py",
        'order.status == "unknown" or order.amended_from is not None',
        'order.status == "unknown"',
        "tests/scenarios/test_unlinked_legs.py",
    ),
    Mutation(
        "a leg that the venue sized itself has the size that was asked",
        "desk/orders/resizing.py",
        "(order.amended_from is None and not order.parent_id)",
        "order.amended_from is None",
        "tests/scenarios/test_unlinked_legs.py",
    ),
    Mutation(
        "an order that filled instead of being cancelled counts as cancelled",
        "desk/venue/dispatcher.py",
        "return _look(broker, call)",
        '            return OrderReport(call.request.client_id, "cancelled")',
    ),
    Mutation(
        "after a crash what was on its way counts as never sent",
        "desk/state/restore.py",
        'book = book.with_order(\n                evolve(order, status="unknown", in_flight="", next_action_at=now)\n            )',
        'book = book.with_order(evolve(order, status="pending", in_flight="", sent_at=None))',
    ),
    Mutation(
        "a resend of the same bytes is traded again",
        "desk/engine/duplicates.py",
        "if found is None or found[2] <= now:",
        "if True:",
    ),
    # --- what it costs, and whose price that is ---
    Mutation(
        "limits in money believe the alert's price",
        "desk/engine/market.py",
        "if quote is not None and quote.is_within(QUOTED_MS, now):\n        return quote.price",
        "if False:\n        pass",
        "tests/scenarios/test_prices.py",
    ),
    Mutation(
        "a price that nobody confirmed moves paper and stops others out",
        "desk/engine/market.py",
        "if doubt := _find_doubt(context, price, number, names, books, now):",
        "if doubt := (_find_doubt(context, price, number, names, books, now) and ''):",
        "tests/scenarios/test_prices.py",
    ),
    Mutation(
        "an alert's wrong price is believed because it comes twice in one body",
        "desk/engine/market.py",
        "if before is not None and before.number != number and is_near(price, before.price):",
        "if before is not None and is_near(price, before.price):",
        "tests/scenarios/test_prices.py",
    ),
    Mutation(
        "a distance is taken for a level where the price comes later",
        "desk/orders/unpriced.py",
        "if not order.unpriced:",
        "if True:",
        "tests/scenarios/test_prices.py",
    ),
    Mutation(
        "a distance is taken for a level",
        "desk/orders/believed_prices.py",
        "if level > 0 and is_far(level, known):",
        "if False:",
        "tests/scenarios/test_prices.py",
    ),
    Mutation(
        "what a stop closed is counted a second time",
        "desk/orders/stopped_out.py",
        "if knows or alert.quantity is None or left <= 0:",
        "if False:",
        "tests/scenarios/test_stopped_out.py",
    ),
    Mutation(
        "what a stop closed still counts after the next alert has traded",
        "desk/orders/fills.py",
        "stopped = None if is_newer else position.stopped",
        "stopped = position.stopped",
        "tests/scenarios/test_stopped_out.py",
    ),
    Mutation(
        "a quotient a hair above the step closes one step more",
        "desk/orders/rounding.py",
        "return nearest if abs(count - nearest) < NOISE else count",
        "return count",
        "tests/scenarios/test_stopped_out.py",
    ),
    Mutation(
        "an upgrade forgets which fills of an order were booked",
        "desk/state/upgrades.py",
        '"trades": "fill_ids",',
        '"trades": "trade_ids",',
        "tests/unit/desk/state/test_memory.py",
    ),
    Mutation(
        "a stop leaves although its position was closed in the same moment",
        "desk/engine/loop.py",
        "return request.quantity > held",
        "return False",
        "tests/games/test_lying_venue.py",
    ),
    Mutation(
        "what an entry was paid with is spent again before a read compares it",
        "desk/engine/reconcile.py",
        "if at >= reading.began or coin in found.uncertain",
        "if at >= reading.began",
        "tests/scenarios/test_others_coins.py",
    ),
    # --- what is left of it ---
    Mutation(
        "what was bought last is sold first",
        "desk/orders/ledger.py",
        "front, back, taken, passed = self.front, self.back, list[Lot](), 0",
        "front, back, taken, passed = (*self.front, *self.back)[::-1], (), list[Lot](), 0",
    ),
    Mutation(
        "a lot is booked at the average price",
        "desk/orders/ledger.py",
        "Lot(fill.quantity, fill.price, fill.at)",
        "Lot(fill.quantity, average, fill.at)",
    ),
    # --- several targets and a stop that moves ---
    Mutation(
        "the last of several targets forgets what the roundings left",
        "desk/orders/targets.py",
        "    if more <= 0 or not open_targets:",
        "    if True:",
        proof="tests/unit/desk/orders/test_targets.py",
    ),
    Mutation(
        "parts of several targets do not follow a scale-in",
        "desk/orders/targets.py",
        "    if not position.targets or not before or before == position.quantity:",
        "    if True:",
    ),
    Mutation(
        "what a target did not take is nobody's",
        "desk/orders/targets.py",
        "    if heir is not None:",
        "    if False:",
    ),
    Mutation(
        "each later fill of an entry divides the whole position again",
        "desk/orders/targets.py",
        "held - max(ZERO, before * way)",
        "held",
    ),
    Mutation(
        "several targets are rounded each by itself",
        "desk/orders/targets.py",
        "size = min(floor_to(wanted, instrument.step), held) - taken",
        "size = floor_to(target.quantity, instrument.step)",
        proof="tests/unit/desk/orders/test_targets.py",
    ),
    Mutation(
        "the quantity of a target is not multiplied on an account",
        "desk/decision/entry.py",
        "find_percents(alert.take_profits, size, context.multiplier) if size else ()",
        "find_percents(alert.take_profits, size) if size else ()",
    ),
    Mutation(
        "a stop stands for what no target takes",
        "desk/orders/legs.py",
        'sizes = {0: held} if "reduce_only" in book.capabilities else _stop_sizes(held, parts)',
        "sizes = {0: _stop_sizes(held, parts).get(0, held)}",
    ),
    Mutation(
        "one stop of the whole size stands beside the targets where nothing guards it",
        "desk/orders/legs.py",
        'sizes = {0: held} if "reduce_only" in book.capabilities else _stop_sizes(held, parts)',
        "sizes = {0: held}",
        proof="tests/unit/desk/orders/test_targets.py",
    ),
    Mutation(
        "a target ends the others as if it replaced them",
        "desk/orders/plan.py",
        "and each.part == order.part",
        "",
        proof="tests/unit/desk/orders/test_targets.py",
    ),
    Mutation(
        "the stop stays where it was after a target",
        "desk/orders/moving_stop.py",
        "    if position.move_stop is None or not any(each.part == part for each in done):",
        "    if True:",
    ),
    Mutation(
        "a stop is moved to break-even where the target before was meant",
        "desk/orders/moving_stop.py",
        "if position.move_stop == PREVIOUS_TARGET and len(done) > 1:",
        "if False:",
    ),
    Mutation(
        "a moved stop is loosened",
        "desk/orders/moving_stop.py",
        "(price - stop.price) * way <= 0",
        "(price - stop.price) * way == 0",
        proof="tests/unit/desk/orders/test_targets.py",
    ),
    Mutation(
        "a later fill of its entry loosens a stop that was moved",
        "desk/orders/fills.py",
        "    if is_same and position.is_stop_moved:",
        "    if False:",
        proof="tests/scenarios/test_several_targets.py",
    ),
    Mutation(
        "break-even is placed on the wrong side of the price",
        "desk/decision/moving.py",
        "    if level >= price if is_long else level <= price:",
        "    if False:",
    ),
    Mutation(
        "the offset of break-even lies on the side of loss",
        "desk/orders/moving_stop.py",
        "average + way * find_distance",
        "average - way * find_distance",
    ),
    Mutation(
        "an alert that moves a stop cancels the working entries",
        "desk/decision/decide.py",
        "    if alert.moves_only:\n        return _move(book, alert, cause, context)",
        "    if alert.moves_only:\n        book, _ = _cancel_working(book, alert, split, cause, context)\n        return _move(book, alert, cause, context)",
        proof="tests/scenarios/test_several_targets.py",
    ),
    Mutation(
        "a target whose level is passed closes the whole position",
        "desk/orders/protection.py",
        "    if is_crossed and order.kind == TAKE_PROFIT and order.part:",
        "    if False:",
        proof="tests/scenarios/test_several_targets.py",
    ),
    Mutation(
        "the targets of a closed position pass to the next one",
        "desk/orders/strategy_position.py",
        '    "targets": (),\n',
        "",
    ),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a row of games: how many were played, and by what the last one was lost."""

    games: int
    failure: str = ""
    is_assertion: bool = False

    @property
    def is_caught(self) -> bool:
        """Whether a game was lost by an assertion about trades, not by a crash of the desk."""
        crashed = FAULT in self.failure and "INVARIANT" not in self.failure
        return self.is_assertion and not crashed


def plant(mutation: Mutation | None, folder: Path) -> None:
    """Copy what a game needs into `folder`, with one mistake in it. Raises where it does not compile."""
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "webhook_server.py"):
        shutil.copy(ROOT / file, folder)
    if mutation is not None:
        module = folder / mutation.path
        text = module.read_text().replace(mutation.old, mutation.new)
        compile(text, mutation.path, "exec")
        module.write_text(text)


def play_in(folder: Path, first: int, count: int, seconds: float) -> Outcome:
    """Play games with the code in `folder`, in a process of its own, until one is lost."""
    command = [sys.executable, "-m", "tests.games.mutations", str(first), str(count)]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return Outcome(0, f"no end after {seconds} s")
    if done.returncode != 0:
        return Outcome(0, done.stderr[-300:])
    return Outcome(**json.loads(done.stdout))


def prove_in(folder: Path, proof: str, seconds: float) -> Outcome:
    """Run the tests that notice a mistake with the code in `folder`: it is caught where one of them fails."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", proof]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return Outcome(0, f"no end after {seconds} s")
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    is_caught = done.returncode == 1 and bool(failed)
    return Outcome(1, failed[0] if failed else done.stdout[-300:], is_assertion=is_caught)


def play_until_lost(first: int, count: int) -> Outcome:
    """Play a row of games and stop at the first that is lost."""
    from tests.games.game import play

    for number in range(count):
        try:
            play(first + number, with_targets=number % 2 == 1)
        except AssertionError as error:
            lines = str(error).splitlines() or ["an assertion"]
            return Outcome(number + 1, f"seed {first + number}: {lines[0]}", is_assertion=True)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is not an assertion of the game
            return Outcome(number + 1, f"seed {first + number}: {error!r}")
    return Outcome(count)


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    result = play_until_lost(*map(int, sys.argv[1:3]))
    sys.stdout.write(json.dumps(asdict(result)))
