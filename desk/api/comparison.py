"""Compare exports of TradingView with the record: for the page, and for the command line.

The record is only read, from a connection that cannot write. Uploads are bounded and one comparison runs
at a time, so that alerts go on being answered.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Any

from brokers.protocol import Instrument
from desk.alerts.record import STORY, Story
from desk.api.requests import ApiResponse, HttpRefusal
from desk.compare.comparison import Comparison, Records, ZoneNeeded, compare
from desk.compare.findings import write_findings, write_row
from desk.compare.own import (
    MaskText,
    OwnAlert,
    OwnDetails,
    OwnOrder,
    ReadText,
    Understood,
    digest_of,
    understand_alert,
)
from desk.compare.tables import FileUnreadable
from desk.formats import to_json
from desk.state.reader import Reader

MAX_UPLOAD = 64 * 1024 * 1024
_ONE_AT_A_TIME = threading.Lock()
Reading = Callable[[], Any]
"""Gives a reader of the record for as long as it is needed."""


def compare_with(
    reader: Reader,
    files: Iterable[tuple[str, bytes]],
    zone: str | None,
    read: ReadText,
    mask: MaskText,
    dedupe_ms: int,
) -> Comparison:
    """Compare files with what a reader finds. Raises `FileUnreadable` and `ZoneNeeded`."""
    rules = reader.load_rules()

    def load(first: int, last: int) -> list[OwnAlert]:
        return [
            OwnAlert(seq, at, i, strategy, status, code, bool(success), deliveries, digest_of(body))
            for seq, at, i, strategy, status, code, success, deliveries, body in reader.load_between(
                first, last
            )
        ]

    def find(own: OwnAlert) -> OwnDetails:
        row = reader.find_alert(own.alert_id)
        if (
            row is None
        ):  # it was there when the list of alerts was read, and nothing is ever deleted
            raise LookupError(own.alert_id)
        story, answer = STORY.validate_json(row.record), json.loads(row.answer)
        said = Understood("", None, None, (), row.strategy, row.symbol)
        if story.alert is not None:
            said = understand_alert(story.alert, row.strategy)
        return OwnDetails(said, tuple(_read_orders(story, answer, rules)))

    return compare(
        ((_bare(name), data) for name, data in files),
        zone,
        Records(load, reader.first_received_at(), find, read, mask, dedupe_ms),
    )


def _bare(name: str) -> str:
    """Return a file's name without its folder, whichever system wrote it."""
    return name.replace("\\", "/").rpartition("/")[2] or "file"


def _read_orders(
    story: Story, answer: dict[str, Any], rules: dict[tuple[str, bool, str], Instrument]
) -> Iterator[OwnOrder]:
    """Yield what an alert's orders executed, with the rules of what they traded."""
    places = {(part.account, part.paper): part for part in story.parts}
    for line in answer["orders"]:
        part = places.get((line["account"], line["paper"]))
        name = part.instrument if part else ""
        known = rules.get((line["account"], line["paper"], name))
        fees = line["fees"] or {}
        price = line["average_price"]
        yield OwnOrder(
            line["account"],
            name,
            line["side"] or "",
            Decimal(line["filled_quantity"]),
            Decimal(price) if price is not None else None,
            sum(map(Decimal, fees.values()), Decimal(0)) if len(fees) <= 1 else None,
            (part.tick if part else None) or (known.tick if known else None),
            known.point_value if known else Decimal(1),
        )


def write_comparison(found: Comparison) -> Iterator[str]:
    """Yield a comparison as the JSON of its answer, piece by piece: a log may have very many rows."""
    shape = write_findings(found)
    files, rest = to_json(shape.pop("files")).strip(), to_json(shape).strip()
    yield f'{{"files":{files},"alerts":['
    for place, each in enumerate(found.rows):
        yield f"{',' if place else ''}{to_json(write_row(each)).strip()}"
    yield f"],{rest[1:]}\n"


def answer_comparison(
    reading: Reading,
    files: Iterable[tuple[str, bytes]],
    zone: str | None,
    read: ReadText,
    mask: MaskText,
    dedupe_ms: int,
) -> ApiResponse:
    """Answer `POST /compare`. Raises `HttpRefusal`."""
    if not files:
        raise HttpRefusal(
            422,
            "FILE_UNREADABLE",
            "Send the exported files as fields named file, and zone if needed.",
        )
    if not _ONE_AT_A_TIME.acquire(blocking=False):
        raise HttpRefusal(429, "BUSY", "Another comparison is running: try again in a moment.", 5)
    try:
        with reading() as reader:
            found = compare_with(reader, files, zone or None, read, mask, dedupe_ms)
            return ApiResponse(200, "".join(write_comparison(found)))
    except FileUnreadable as error:
        shape = {
            "success": False,
            "status": "denied",
            "code": "FILE_UNREADABLE",
            "message": f"{error}" if str(error).endswith(("?", ".")) else f"{error}.",
            "file": error.file,
            "line": error.line,
            "column": error.column,
        }
        return ApiResponse(422, to_json(shape))
    except ZoneNeeded as error:
        shape = {
            "success": False,
            "status": "denied",
            "code": "ZONE_NEEDED",
            "message": str(error),
            "file": error.file,
        }
        return ApiResponse(422, to_json(shape))
    finally:
        _ONE_AT_A_TIME.release()


def describe_comparison(found: Comparison) -> Iterator[str]:
    """Yield a comparison in words, a line each; what a file says never steers the terminal."""
    for line in _describe(found):
        shown = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
        yield "".join(shown)


def _describe(found: Comparison) -> Iterator[str]:
    shape = write_findings(found)
    for each in shape["files"]:
        zone = f", times in {each['zone']}" if each["zone"] else ""
        source = " (taken from the alerts)" if each["zone_source"] == "alerts" else ""
        kind = each["kind"].replace("_", " ")
        yield f"{each['file']}: {kind}, {each['rows']} rows{zone}{source}"
    counts: dict[str, int] = {}
    for row in found.rows:
        counts[row.verdict] = counts.get(row.verdict, 0) + 1
    if counts:
        said = ", ".join(f"{n} {v.replace('_', ' ')}" for v, n in sorted(counts.items()))
        yield f"Alerts of the log: {said}."
    if shape["orders"]:
        done = sum(order["our_quantity"] is not None for order in shape["orders"])
        yield f"Orders of the list: {len(shape['orders'])}, traded here: {done}."
    yield from (f"warning: {text}" for text in shape["warnings"])
    for each in shape["differences"]:
        place = f"{each['file']}, line {each['line']}: " if each["line"] else ""
        yield f"{each['kind'].replace('_', ' ')}: {place}{each['text']}"
    for each in shape["totals"]:
        figures = ", ".join(
            f"{name.replace('_', ' ')} {value}"
            for name, value in each.items()
            if name != "strategy" and value not in (0, None)
        )
        yield f"{each['strategy'] or 'of no strategy'}: {figures or 'nothing'}"
    yield from shape["causes"]
